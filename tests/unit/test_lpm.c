/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/lpm4 and lib/lpm6 against a naive table: random overlapping prefixes in any
 * order, failing memory, and a reader beside a writer (the build with
 * -Db_sanitize=thread runs the same).
 */
#include "lib/lpm4.h"
#include "lib/lpm6.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/err.h"
#include "lib/isa.h"
#include "tests/unit/unit.h"

#define NAIVE_MAX  128
#define OPERATIONS 400000 /* for each form of the lookups and each family */
#define BULK_MAX   40

/* Memory that fails on demand: calls that still succeed, or -1 for all. The linker wraps malloc and its kin.
 */
static int calls_left = -1;

void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

static bool fails_now(void)
{
	if (calls_left < 0)
		return false;
	return calls_left-- == 0 ? (calls_left = 0, true) : false;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __real_realloc(p, size);
}

static unsigned regions_made; /* the tables' regions are all that is allocated aligned */

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	regions_made++;
	return fails_now() ? NULL : __real_aligned_alloc(align, size);
}

/* Both families behind one face: keys of 16 bytes, IPv4 in the first four. */
struct table {
	unsigned bits;
	struct lpm4 *t4;
	struct lpm6 *t6;
};

struct key {
	uint8_t b[16];
};

static uint32_t v4(const struct key *k)
{
	uint32_t be;

	memcpy(&be, k->b, 4);
	return be;
}

static void table_open(struct table *t, unsigned bits, const struct lpm_mem *mem)
{
	*t = (struct table){.bits = bits};
	if (bits == 32)
		t->t4 = lpm4_new(mem);
	else
		t->t6 = lpm6_new(mem);
	assert_true(t->t4 || t->t6);
}

static void table_close(struct table *t)
{
	lpm4_free(t->t4);
	lpm6_free(t->t6);
}

static int table_set(struct table *t, const struct key *k, unsigned len, uint32_t value)
{
	return t->t4 ? lpm4_set(t->t4, v4(k), len, value) : lpm6_set(t->t6, k->b, len, value);
}

static int table_del(struct table *t, const struct key *k, unsigned len)
{
	return t->t4 ? lpm4_del(t->t4, v4(k), len) : lpm6_del(t->t6, k->b, len);
}

static uint32_t table_get(const struct table *t, const struct key *k, unsigned len)
{
	return t->t4 ? lpm4_get(t->t4, v4(k), len) : lpm6_get(t->t6, k->b, len);
}

static size_t table_count(const struct table *t)
{
	return t->t4 ? lpm4_count(t->t4) : lpm6_count(t->t6);
}

static size_t table_memory(const struct table *t)
{
	return t->t4 ? lpm4_memory(t->t4) : lpm6_memory(t->t6);
}

static void table_lookup(const struct table *t, const struct key *keys, uint32_t *values, unsigned n)
{
	uint32_t be[BULK_MAX] = {0};

	if (t->t6) {
		lpm6_lookup_bulk(t->t6, (const uint8_t(*)[16])keys, values, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		be[i] = v4(&keys[i]);
	lpm4_lookup_bulk(t->t4, be, values, n);
}

/* The naive table: an unordered list, searched whole. */
struct naive {
	unsigned n;
	struct naive_entry {
		struct key key;
		unsigned len;
		uint32_t value;
	} e[NAIVE_MAX];
};

static bool matches(const struct key *a, const struct key *b, unsigned len)
{
	unsigned whole = len / 8, rest = len % 8;

	return !memcmp(a->b, b->b, whole) && (!rest || !((a->b[whole] ^ b->b[whole]) >> (8 - rest)));
}

static struct naive_entry *naive_find(struct naive *v, const struct key *k, unsigned len)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->e[i].len == len && matches(&v->e[i].key, k, len))
			return &v->e[i];
	return NULL;
}

static uint32_t naive_lookup(const struct naive *v, const struct key *k)
{
	const struct naive_entry *best = NULL;

	for (unsigned i = 0; i < v->n; i++)
		if ((!best || v->e[i].len > best->len) && matches(&v->e[i].key, k, v->e[i].len))
			best = &v->e[i];
	return best ? best->value : LPM_NONE;
}

static void mask(struct key *k, unsigned len)
{
	for (unsigned bit = len; bit < 128; bit++)
		k->b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* Few different bytes, so that prefixes overlap at every depth. */
static struct key random_key(uint64_t *seed, unsigned bits)
{
	static const uint8_t bytes[] = {0, 0, 0x80, 0xff, 10, 0x0b};
	struct key k = {0};

	for (unsigned i = 0; i < bits / 8; i++) {
		uint64_t r = unit_random(seed) >> 8;

		k.b[i] = r % 16 ? bytes[(r >> 8) % UNIT_COUNT(bytes)] : (uint8_t)(r >> 16);
	}
	return k;
}

static unsigned random_len(uint64_t *seed, unsigned bits)
{
	uint64_t r = unit_random(seed) >> 8;

	switch (r % 8) {
	case 0:
		return 0;
	case 1:
		return bits;
	case 2:
		return (unsigned)(r >> 8) % (bits / 8 + 1) * 8;
	}
	return (unsigned)((r >> 8) % (bits + 1));
}

/* Small ones and large ones: nodes hold them in 16 bits or in 32. */
static uint32_t random_value(uint64_t *seed)
{
	uint64_t r = unit_random(seed) >> 8;

	return (uint32_t)(r >> 8) % (r % 16 ? UINT16_MAX : LPM_VALUE_MAX) + 1;
}

/* Returns what the table did: 0, ERR_NOENT, ERR_NOMEM. */
static int change(struct table *t, struct naive *v, uint64_t *seed)
{
	bool del = unit_random(seed) % NAIVE_MAX < v->n;
	struct naive_entry *e = NULL;
	struct key k;
	uint32_t value;
	unsigned len;
	int err;

	if (del && v->n && unit_random(seed) % 8) {
		e = &v->e[unit_random(seed) % v->n]; /* one that is there */
		k = e->key;
		len = e->len;
	} else {
		k = random_key(seed, t->bits);
		len = random_len(seed, t->bits);
		mask(&k, len);
		e = naive_find(v, &k, len);
	}
	if (del) {
		err = table_del(t, &k, len);
		if (err == ERR_NOMEM)
			return err;
		assert_int_equal(err, e ? 0 : ERR_NOENT);
		if (e)
			*e = v->e[--v->n];
		return err;
	}
	if (!e && v->n == NAIVE_MAX)
		return 0;
	value = random_value(seed);
	err = table_set(t, &k, len, value);
	if (err)
		return err;
	if (!e)
		e = &v->e[v->n++];
	*e = (struct naive_entry){k, len, value};
	return 0;
}

/* Addresses near what is in the table: its edges, and one bit beside them. */
static struct key probe_key(const struct naive *v, uint64_t *seed, unsigned bits)
{
	struct key k = random_key(seed, bits);
	const struct naive_entry *e;
	unsigned bit;

	if (!v->n || unit_random(seed) % 4 == 0)
		return k;
	e = &v->e[unit_random(seed) % v->n];
	for (bit = 0; bit < e->len; bit++) {
		uint8_t one = (uint8_t)(0x80 >> bit % 8);

		k.b[bit / 8] = (uint8_t)((k.b[bit / 8] & ~one) | (e->key.b[bit / 8] & one));
	}
	bit = (unsigned)(unit_random(seed) % bits);
	if (unit_random(seed) % 4 == 0)
		k.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	return k;
}

static void compare(const struct table *t, struct naive *v, uint64_t *seed)
{
	struct key keys[BULK_MAX];
	uint32_t values[BULK_MAX];
	unsigned n = (unsigned)(unit_random(seed) % 100 ? 1 + unit_random(seed) % 2
							: unit_random(seed) % (BULK_MAX + 1));

	for (unsigned i = 0; i < n; i++)
		keys[i] = probe_key(v, seed, t->bits);
	table_lookup(t, keys, values, n);
	for (unsigned i = 0; i < n; i++)
		if (values[i] != naive_lookup(v, &keys[i]))
			fail_msg("lookup of key %02x%02x%02x%02x... yields %u, the naive table %u",
			    keys[i].b[0], keys[i].b[1], keys[i].b[2], keys[i].b[3], values[i],
			    naive_lookup(v, &keys[i]));
}

static void compare_all(const struct table *t, const struct naive *v)
{
	assert_int_equal(table_count(t), v->n);
	for (unsigned i = 0; i < v->n; i++)
		assert_int_equal(table_get(t, &v->e[i].key, v->e[i].len), v->e[i].value);
}

static void differ(unsigned bits)
{
	static struct naive v;
	uint64_t seed = bits;
	size_t empty;
	struct table t;

	table_open(&t, bits, NULL);
	empty = table_memory(&t);
	v.n = 0;
	for (unsigned i = 0; i < OPERATIONS; i++) {
		if (unit_random(&seed) % 2)
			(void)change(&t, &v, &seed);
		else
			compare(&t, &v, &seed);
		if (i % 4096 == 0)
			compare_all(&t, &v);
	}
	compare_all(&t, &v);
	while (v.n) {
		assert_int_equal(table_del(&t, &v.e[v.n - 1].key, v.e[v.n - 1].len), 0);
		v.n--;
	}
	assert_int_equal(table_count(&t), 0);
	assert_true(table_memory(&t) < empty + 16384); /* nodes went with their prefixes */
	table_close(&t);
}

/* Each form of the lookups that this machine has. */
static void differ_by_form(unsigned bits)
{
	static const char *const forms[] = {"scalar", "avx2", "avx512", "avx512-vpopcntdq"};

	for (size_t i = 0; i < UNIT_COUNT(forms); i++)
		if (isa_select(forms[i]) == 0)
			differ(bits);
	assert_int_equal(isa_select("abacus"), ERR_UNSUPPORTED);
	assert_int_equal(isa_select(NULL), 0);
}

static void differs_nowhere_ipv4(void **state)
{
	differ_by_form(32);
}

static void differs_nowhere_ipv6(void **state)
{
	differ_by_form(128);
}

/* The same prefixes in a new table, which has no more room than it needs. */
static void renew(struct table *t, const struct naive *v)
{
	unsigned bits = t->bits;

	table_close(t);
	table_open(t, bits, NULL);
	for (unsigned i = 0; i < v->n; i++)
		assert_int_equal(table_set(t, &v->e[i].key, v->e[i].len, v->e[i].value), 0);
}

static void short_memory_changes_nothing(void **state)
{
	for (unsigned bits = 32; bits <= 128; bits += 96) {
		static struct naive v;
		uint64_t seed = 3;
		unsigned failed = 0;
		struct table t;

		table_open(&t, bits, NULL);
		v.n = 0;
		for (unsigned i = 0; i < 100000; i++) {
			size_t count = table_count(&t), memory = table_memory(&t);
			int err;

			calls_left = (int)(unit_random(&seed) % 2);
			err = change(&t, &v, &seed);
			if (err == ERR_NOMEM) {
				assert_int_equal(calls_left, 0);
				assert_int_equal(table_count(&t), count);
				assert_int_equal(table_memory(&t), memory);
				failed++;
			}
			calls_left = -1;
			compare(&t, &v, &seed);
			if (i % 512 == 0)
				compare_all(&t, &v);
			if (i % 64 == 0) /* a table that has grown needs no memory for a while */
				renew(&t, &v);
		}
		compare_all(&t, &v);
		assert_true(failed > 100);
		table_close(&t);
	}
	calls_left = 0;
	assert_null(lpm4_new(NULL));
	assert_null(lpm6_new(NULL));
	calls_left = -1;
}

static void refuses_what_the_header_says(void **state)
{
	uint8_t a[16] = {0x20, 0x01, [15] = 1};
	struct lpm4 *t4 = lpm4_new(NULL);
	struct lpm6 *t6 = lpm6_new(NULL);

	assert_int_equal(lpm4_set(t4, htonl(0x0a000000), 33, 1), ERR_TOOLONG);
	assert_int_equal(lpm4_set(t4, htonl(0x0a000000), 8, LPM_NONE), ERR_RANGE);
	assert_int_equal(lpm4_set(t4, htonl(0x0a000000), 8, LPM_VALUE_MAX + 1), ERR_RANGE);
	assert_int_equal(lpm4_set(t4, htonl(0x0a000001), 8, 1), ERR_INVALID);
	assert_int_equal(lpm4_set(t4, htonl(0x0a000001), 31, 1), ERR_INVALID);
	assert_int_equal(lpm4_set(t4, htonl(1), 0, 1), ERR_INVALID);
	assert_int_equal(lpm4_del(t4, 0, 33), ERR_TOOLONG);
	assert_int_equal(lpm4_del(t4, htonl(1), 31), ERR_INVALID);
	assert_int_equal(lpm4_del(t4, 0, 0), ERR_NOENT);
	assert_int_equal(lpm6_set(t6, a, 129, 1), ERR_TOOLONG);
	assert_int_equal(lpm6_set(t6, a, 127, 1), ERR_INVALID);
	assert_int_equal(lpm6_set(t6, a, 128, 1), 0);
	assert_int_equal(lpm6_del(t6, a, 129), ERR_TOOLONG);
	assert_int_equal(lpm6_del(t6, a, 64), ERR_INVALID);
	assert_int_equal(lpm6_get(t6, a, 128), 1);
	assert_int_equal(lpm6_get(t6, a, 127), LPM_NONE);
	assert_int_equal(lpm4_count(t4), 0);
	lpm4_free(t4);
	lpm6_free(t6);
}

/* A reader beside the writer. Retired memory is freed once the reader has passed between two lookups. */
static struct {
	_Atomic uint64_t passes; /* reader adds (release) after each bulk; writer reads (acquire) */
	_Atomic bool stop;	 /* writer stores, reader loads; relaxed, joined after */
	struct lpm6 *t6;
	struct lpm4 *t4;
	unsigned n_retired;
	struct {
		void (*release)(void *);
		void *ptr;
	} retired[64];
} race;

static void reap(void)
{
	uint64_t from = atomic_load_explicit(&race.passes, memory_order_acquire);

	while (atomic_load_explicit(&race.passes, memory_order_acquire) < from + 2)
		sched_yield();
	for (unsigned i = 0; i < race.n_retired; i++)
		race.retired[i].release(race.retired[i].ptr);
	race.n_retired = 0;
}

static void retire(void *arg, void (*release)(void *), void *ptr)
{
	race.retired[race.n_retired].release = release;
	race.retired[race.n_retired++].ptr = ptr;
	if (race.n_retired == UNIT_COUNT(race.retired))
		reap();
}

/* The value of a prefix says its length: 1000 + len. 10/8 and 2001::/16 stay all the time. */
static void *read_all_the_time(void *arg)
{
	uint64_t seed = 17, wrong = 0;

	while (!atomic_load_explicit(&race.stop, memory_order_relaxed)) {
		uint32_t a4[32], values[32];
		uint8_t a6[32][16];

		for (unsigned i = 0; i < 32; i++) {
			uint64_t r = unit_random(&seed);

			a4[i] = htonl(0x0a000000 | ((uint32_t)r & 0x0003ffff));
			memset(a6[i], 0, 16);
			a6[i][0] = 0x20;
			a6[i][1] = 0x01;
			a6[i][7] = (uint8_t)(r & 3);
			a6[i][15] = (uint8_t)(r >> 8);
		}
		lpm4_lookup_bulk(race.t4, a4, values, 32);
		for (unsigned i = 0; i < 32; i++)
			wrong += values[i] < 1008 || values[i] > 1032;
		lpm6_lookup_bulk(race.t6, (const uint8_t(*)[16])a6, values, 32);
		for (unsigned i = 0; i < 32; i++)
			wrong += values[i] < 1016 || values[i] > 1128;
		atomic_fetch_add_explicit(&race.passes, 1, memory_order_release);
	}
	return (void *)(uintptr_t)wrong;
}

static void churn(uint64_t *seed)
{
	uint64_t r = unit_random(seed) >> 4;
	unsigned len4 = 9 + (unsigned)(r >> 32) % 24, len6 = 17 + (unsigned)(r >> 32) % 112;
	struct key k4 = {{10, (uint8_t)(r & 3), (uint8_t)(r >> 8), (uint8_t)(r >> 16)}};
	struct key k6 = {{0x20, 0x01, [7] = (uint8_t)(r & 3), [15] = (uint8_t)(r >> 8)}};

	mask(&k4, len4);
	mask(&k6, len6);
	if (r >> 59 & 1) {
		assert_int_equal(lpm4_set(race.t4, v4(&k4), len4, 1000 + len4), 0);
		assert_int_equal(lpm6_set(race.t6, k6.b, len6, 1000 + len6), 0);
	} else {
		lpm4_del(race.t4, v4(&k4), len4);
		lpm6_del(race.t6, k6.b, len6);
	}
}

static void read_beside_a_writer(void)
{
	static const struct lpm_mem mem = {.defer = retire};
	static const uint8_t cover6[16] = {0x20, 0x01};
	uint64_t seed = 5;
	pthread_t thread;
	void *wrong;

	atomic_store(&race.passes, 0);
	atomic_store(&race.stop, false);
	race.t4 = lpm4_new(&mem);
	race.t6 = lpm6_new(&mem);
	assert_int_equal(lpm4_set(race.t4, htonl(0x0a000000), 8, 1008), 0);
	assert_int_equal(lpm6_set(race.t6, cover6, 16, 1016), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all_the_time, NULL), 0);
	while (atomic_load_explicit(&race.passes, memory_order_acquire) == 0)
		sched_yield();
	for (unsigned i = 0; i < 200000; i++)
		churn(&seed);
	reap();
	atomic_store_explicit(&race.stop, true, memory_order_relaxed);
	pthread_join(thread, &wrong);
	assert_int_equal((uintptr_t)wrong, 0);
	lpm4_free(race.t4);
	lpm6_free(race.t6);
}

/* By the best form, and by the one whose loads ThreadSanitizer sees. */
static void a_reader_sees_old_or_new(void **state)
{
	read_beside_a_writer();
	assert_int_equal(isa_select("scalar"), 0);
	read_beside_a_writer();
	assert_int_equal(isa_select(NULL), 0);
}

/* A table that shrinks is made anew a few times, not at each delete: its region is rounded up to huge pages.
 */
static void shrinks_at_the_pace_of_its_changes(void **state)
{
	struct lpm6 *t = lpm6_new(NULL);
	uint8_t a[16] = {0x20, 0x01};

	for (unsigned remove = 0; remove < 2; remove++) {
		regions_made = 0;
		for (unsigned i = 0; i < 100000; i++) {
			a[2] = (uint8_t)(i >> 12);
			a[4] = (uint8_t)(i >> 4);
			a[5] = (uint8_t)(i << 4);
			assert_int_equal(remove ? lpm6_del(t, a, 48) : lpm6_set(t, a, 48, 1 + i), 0);
		}
		assert_in_range(regions_made, 1, 200);
	}
	assert_int_equal(lpm6_count(t), 0);
	lpm6_free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_what_the_header_says),
	    cmocka_unit_test(differs_nowhere_ipv4),
	    cmocka_unit_test(differs_nowhere_ipv6),
	    cmocka_unit_test(short_memory_changes_nothing),
	    cmocka_unit_test(shrinks_at_the_pace_of_its_changes),
	    cmocka_unit_test(a_reader_sees_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
