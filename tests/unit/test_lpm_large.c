/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/lpm4 and lib/lpm6 with tables of the size of the Internet's: every form of the lookups against a binary
 * trie while the tables grow, churn and shrink, with readers' memory released late; walks; what
 * memory it takes.
 */
#include "lib/lpm4.h"
#include "lib/lpm6.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/isa.h"
#include "tests/unit/unit.h"

#define PREFIXES 120000
#define BULK	 64
#define LATE_MAX 4096
#define STEADY	 40000 /* of the prefixes */
#define BLOCKS	 400

/* The oracle: one bit a level, the value at each node. Nodes stay. */
struct oracle {
	uint32_t (*child)[2];
	uint32_t *value;
	uint32_t n, room;
};

struct prefix {
	uint8_t addr[16];
	unsigned len;
	bool there;
};

struct world {
	unsigned bits;
	struct lpm4 *t4;
	struct lpm6 *t6;
	struct oracle oracle;
	struct prefix *prefixes;
	size_t count;
	uint64_t seed;
	unsigned n_late;
	struct late {
		void (*release)(void *);
		void *ptr;
	} late[LATE_MAX];
};

static bool bit_of(const uint8_t *addr, unsigned at)
{
	return addr[at / 8] >> (7 - at % 8) & 1;
}

static uint32_t oracle_node(struct oracle *o)
{
	if (o->n == o->room) {
		o->room = o->room ? o->room * 2 : 1024;
		o->child = realloc(o->child, o->room * sizeof(*o->child));
		o->value = realloc(o->value, o->room * sizeof(*o->value));
		assert_true(o->child && o->value);
	}
	o->child[o->n][0] = o->child[o->n][1] = 0;
	o->value[o->n] = LPM_NONE;
	return o->n++;
}

static void oracle_set(struct oracle *o, const struct prefix *p, uint32_t value)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < p->len; i++) {
		bool side = bit_of(p->addr, i);

		if (!o->child[at][side]) {
			uint32_t made = oracle_node(o);

			o->child[at][side] = made;
		}
		at = o->child[at][side];
	}
	o->value[at] = value;
}

static uint32_t oracle_lookup(const struct oracle *o, const uint8_t *addr, unsigned bits)
{
	uint32_t best = o->value[0], at = 0;

	for (unsigned i = 0; i < bits && (at = o->child[at][bit_of(addr, i)]); i++)
		if (o->value[at] != LPM_NONE)
			best = o->value[at];
	return best;
}

static void release_some(struct world *w, unsigned keep)
{
	unsigned n = w->n_late - keep;

	if (w->n_late <= keep)
		return;
	for (unsigned i = 0; i < n; i++)
		w->late[i].release(w->late[i].ptr);
	memmove(w->late, w->late + n, keep * sizeof(*w->late));
	w->n_late = keep;
}

static void defer(void *arg, void (*release)(void *), void *ptr)
{
	struct world *w = arg;

	assert_true(w->n_late < LATE_MAX);
	w->late[w->n_late++] = (struct late){release, ptr};
}

static void wait_all(void *arg)
{
	release_some(arg, 0);
}

/* About as the Internet's: most of them long and close together, a few hosts, hardly any short. */
static struct prefix random_prefix(struct world *w)
{
	static const uint8_t len4[] = {
	    24, 24, 24, 24, 24, 24, 23, 23, 22, 22, 21, 20, 19, 18, 17, 16, 32, 30, 26};
	static const uint8_t len6[] = {
	    48, 48, 48, 48, 48, 48, 44, 44, 40, 36, 36, 32, 32, 29, 29, 64, 56, 128, 127};
	uint64_t r = unit_random(&w->seed) >> 8;
	struct prefix p = {.len = w->bits == 32 ? len4[r % UNIT_COUNT(len4)] : len6[r % UNIT_COUNT(len6)]};

	if ((r >> 16) % 2048 == 0)
		p.len = (unsigned)(r >> 40) % 25; /* the default among them */
	r = unit_random(&w->seed);
	if (w->bits == 32) {
		p.addr[0] = (uint8_t)(1 + r % 60);
		p.addr[1] = (uint8_t)(r >> 8 & 0x3f);
	} else {
		p.addr[0] = 0x20 + (uint8_t)(r % 4 * 4);
		p.addr[1] = (uint8_t)(r >> 8 & 0x0f);
		p.addr[2] = (uint8_t)(r >> 40 & 0x1f);
		p.addr[4] = (uint8_t)(r >> 48 & 7);
		p.addr[7] = p.addr[15] = (uint8_t)(r >> 56);
		p.addr[5] = (uint8_t)(r >> 24);
	}
	p.addr[2] |= (uint8_t)(r >> 16 & 0xff);
	p.addr[3] = (uint8_t)(r >> 32);
	for (unsigned i = p.len; i < 128; i++)
		p.addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return p;
}

static int world_set(struct world *w, const struct prefix *p, uint32_t value)
{
	uint32_t be;

	memcpy(&be, p->addr, 4);
	return w->t4 ? lpm4_set(w->t4, be, p->len, value) : lpm6_set(w->t6, p->addr, p->len, value);
}

static int world_del(struct world *w, const struct prefix *p)
{
	uint32_t be;

	memcpy(&be, p->addr, 4);
	return w->t4 ? lpm4_del(w->t4, be, p->len) : lpm6_del(w->t6, p->addr, p->len);
}

static uint32_t world_get(const struct world *w, const struct prefix *p)
{
	uint32_t be;

	memcpy(&be, p->addr, 4);
	return w->t4 ? lpm4_get(w->t4, be, p->len) : lpm6_get(w->t6, p->addr, p->len);
}

static struct lpm_usage world_usage(const struct world *w)
{
	struct lpm_usage u;

	if (w->t4)
		lpm4_usage(w->t4, &u);
	else
		lpm6_usage(w->t6, &u);
	return u;
}

/* Adds, changes or removes one; both sides agree on whether it was there. */
static void change(struct world *w, size_t i, bool remove)
{
	struct prefix *p = &w->prefixes[i];
	uint32_t value = 1 + (uint32_t)(unit_random(&w->seed) >> 40) % (i % 50 ? 2000 : LPM_VALUE_MAX);
	bool there = world_get(w, p) != LPM_NONE;

	if (remove) {
		assert_int_equal(world_del(w, p), there ? 0 : ERR_NOENT);
		w->count -= there;
		oracle_set(&w->oracle, p, LPM_NONE);
	} else {
		assert_int_equal(world_set(w, p, value), 0);
		w->count += !there;
		oracle_set(&w->oracle, p, value);
	}
}

static void compare(struct world *w, unsigned bursts)
{
	uint8_t addrs[BULK][16];
	uint32_t be[BULK], values[BULK];

	for (unsigned k = 0; k < bursts; k++) {
		unsigned n = k % 8 ? BULK : (unsigned)(unit_random(&w->seed) >> 8) % (BULK + 1);

		for (unsigned i = 0; i < n; i++) {
			const struct prefix *p = &w->prefixes[(unit_random(&w->seed) >> 8) % PREFIXES];
			uint64_t r = unit_random(&w->seed), q = unit_random(&w->seed);

			memcpy(addrs[i], &r, 8);
			memcpy(addrs[i] + 8, &q, 8);
			for (unsigned b = 0; b < p->len; b++) {
				uint8_t one = (uint8_t)(0x80 >> b % 8);

				addrs[i][b / 8] =
				    (uint8_t)((addrs[i][b / 8] & ~one) | (p->addr[b / 8] & one));
			}
			memcpy(&be[i], addrs[i], 4);
		}
		if (w->t4)
			lpm4_lookup_bulk(w->t4, be, values, n);
		else
			lpm6_lookup_bulk(w->t6, (const uint8_t(*)[16])addrs, values, n);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(values[i], oracle_lookup(&w->oracle, addrs[i], w->bits));
	}
}

static void compare_by_form(struct world *w, unsigned bursts)
{
	static const char *const forms[] = {"scalar", "avx2", "avx512", "avx512-vpopcntdq"};

	for (size_t i = 0; i < UNIT_COUNT(forms); i++)
		if (isa_select(forms[i]) == 0)
			compare(w, bursts);
	assert_int_equal(isa_select(NULL), 0);
}

static void world_open(struct world *w, unsigned bits)
{
	const struct lpm_mem mem = {.defer = defer, .wait = wait_all, .arg = w};

	memset(w, 0, sizeof(*w));
	w->bits = bits;
	w->seed = bits;
	if (bits == 32)
		w->t4 = lpm4_new(&mem);
	else
		w->t6 = lpm6_new(&mem);
	assert_true(w->t4 || w->t6);
	oracle_node(&w->oracle);
	w->prefixes = calloc(PREFIXES, sizeof(*w->prefixes));
	assert_non_null(w->prefixes);
	for (size_t i = 0; i < PREFIXES; i++)
		w->prefixes[i] = random_prefix(w);
}

static void world_close(struct world *w)
{
	lpm4_free(w->t4);
	lpm6_free(w->t6);
	release_some(w, 0); /* after the table is gone, as RCU may do */
	free(w->oracle.child);
	free(w->oracle.value);
	free(w->prefixes);
}

static void grow(struct world *w)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		change(w, i, false);
		release_some(w, 3);
		if (i % 997 == 0)
			compare(w, 4);
	}
	compare_by_form(w, 2000);
	assert_int_equal(w->t4 ? lpm4_count(w->t4) : lpm6_count(w->t6), w->count);
}

/* Memory must not grow with the number of changes. */
static void churn(struct world *w)
{
	struct lpm_usage begin = world_usage(w), end;

	for (unsigned i = 0; i < 300000; i++) {
		size_t at = (unit_random(&w->seed) >> 8) % PREFIXES;
		bool there = world_get(w, &w->prefixes[at]) != LPM_NONE;

		change(w, at, there && i % 3);
		release_some(w, i % 5000 ? 8 : 0);
		if (i % 4999 == 0)
			compare(w, 4);
	}
	compare_by_form(w, 1000);
	end = world_usage(w);
	assert_true(end.lookup <= begin.lookup * 2 && end.book <= begin.book * 2);
}

static void shrink(struct world *w)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		change(w, i, true);
		release_some(w, 3);
		if (i % 997 == 0)
			compare(w, 4);
	}
	assert_int_equal(w->count, 0);
	assert_int_equal(w->t4 ? lpm4_count(w->t4) : lpm6_count(w->t6), 0);
	assert_true(world_usage(w).lookup < 65536);
	compare_by_form(w, 100);
}

struct walked {
	struct world *w;
	size_t n;
	const struct prefix *within;
};

static int walk_one(struct walked *x, const uint8_t *addr, unsigned len, uint32_t value)
{
	struct prefix p = {.len = len};

	memcpy(p.addr, addr, x->w->bits / 8);
	assert_int_equal(world_get(x->w, &p), value);
	assert_true(len >= x->within->len);
	for (unsigned i = 0; i < x->within->len; i++)
		assert_int_equal(bit_of(addr, i), bit_of(x->within->addr, i));
	return ++x->n == SIZE_MAX;
}

static int walk_one4(void *arg, uint32_t addr_be, unsigned len, uint32_t value)
{
	return walk_one(arg, (const uint8_t *)&addr_be, len, value);
}

static int walk_one6(void *arg, const uint8_t addr[16], unsigned len, uint32_t value)
{
	return walk_one(arg, addr, len, value);
}

static size_t count_within(struct world *w, const struct prefix *p)
{
	struct walked x = {w, 0, p};
	uint32_t be;

	memcpy(&be, p->addr, 4);
	if (w->t4)
		assert_int_equal(lpm4_walk(w->t4, be, p->len, walk_one4, &x), 0);
	else
		assert_int_equal(lpm6_walk(w->t6, p->addr, p->len, walk_one6, &x), 0);
	return x.n;
}

static size_t expect_within(const struct world *w, const struct prefix *p, uint32_t at, unsigned depth)
{
	const struct oracle *o = &w->oracle;
	size_t n;

	if (depth < p->len) {
		at = o->child[at][bit_of(p->addr, depth)];
		return at ? expect_within(w, p, at, depth + 1) : 0;
	}
	n = o->value[at] != LPM_NONE;
	for (unsigned side = 0; side < 2; side++)
		if (o->child[at][side])
			n += expect_within(w, p, o->child[at][side], depth + 1);
	return n;
}

static void walks(struct world *w)
{
	const struct prefix all = {.len = 0};

	assert_int_equal(count_within(w, &all), w->count);
	for (unsigned i = 0; i < 2000; i++) {
		const struct prefix *p = &w->prefixes[(unit_random(&w->seed) >> 8) % PREFIXES];

		assert_int_equal(count_within(w, p), expect_within(w, p, 0, 0));
	}
}

static void live_and_die(unsigned bits)
{
	static struct world w;

	world_open(&w, bits);
	grow(&w);
	walks(&w);
	churn(&w);
	walks(&w);
	shrink(&w);
	world_close(&w);
}

static void agrees_with_a_binary_trie_ipv4(void **state)
{
	live_and_die(32);
}

static void agrees_with_a_binary_trie_ipv6(void **state)
{
	live_and_die(128);
}

/*
 * A table large enough for a root of 18 bits, beside it more blocks of 18 bits than can be indexed directly,
 * each of a few prefixes that come and go: the block's own, some shorter than its first child, some behind
 * it.
 */
static void blocks_come_and_go(void **state)
{
	static const uint8_t lens[] = {17, 18, 19, 24, 25, 30, 31, 32, 36, 42, 48, 64};
	static struct world w;

	world_open(&w, 128);
	for (size_t i = STEADY; i < PREFIXES; i++) {
		struct prefix *p = &w.prefixes[i];
		unsigned block = (unsigned)(i % BLOCKS), len = lens[i / BLOCKS % UNIT_COUNT(lens)];

		*p = (struct prefix){
		    .addr = {(uint8_t)(0x40 + block / 256), (uint8_t)block, 0x15, 0x2a, 0x55}, .len = len};
		for (unsigned b = len; b < 128; b++)
			p->addr[b / 8] &= (uint8_t) ~(0x80 >> b % 8);
	}
	for (size_t i = 0; i < STEADY; i++) {
		change(&w, i, false);
		release_some(&w, 3);
	}
	for (unsigned i = 0; i < 60000; i++) {
		size_t at = STEADY + (unit_random(&w.seed) >> 8) % (PREFIXES - STEADY);

		change(&w, at, i / 10000 % 2 ? i % 4 : i % 4 == 0);
		release_some(&w, i % 1000 ? 8 : 0);
		if (i % 500 == 0)
			compare_by_form(&w, 8);
	}
	assert_true(world_usage(&w).lookup < (size_t)16 << 20);
	world_close(&w);
}

/* Readers that are very late: the writer waits for them rather than grow without end. */
static void waits_for_readers_when_too_much_is_late(void **state)
{
	static struct world w;
	struct lpm_usage u;
	unsigned waited = 0;

	world_open(&w, 32);
	for (unsigned i = 0; i < 2000000; i++) {
		unsigned late = w.n_late;

		change(&w, (unit_random(&w.seed) >> 8) % PREFIXES, i % 2);
		waited += w.n_late < late;
		u = world_usage(&w);
		assert_true(u.late < (size_t)64 << 20);
		if (waited > 2)
			break;
	}
	assert_true(waited > 2);
	world_close(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agrees_with_a_binary_trie_ipv4),
	    cmocka_unit_test(agrees_with_a_binary_trie_ipv6),
	    cmocka_unit_test(blocks_come_and_go),
	    cmocka_unit_test(waits_for_readers_when_too_much_is_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
