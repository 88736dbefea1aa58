/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A linearised B+-tree over elementary intervals, read-only: 64-byte nodes of 16 keys (IPv4) or 8 (IPv6),
 * compared at once. IPv6: over the upper 64 bits, with a short list where an interval begins below them. Main
 * thread builds, any thread looks up.
 */
#include <arpa/inet.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lpm_candidates.h"
#include "lib/err.h"

#define LEVELS_MAX 16
#define LOW_FLAG   0x80000000u /* the value is an index into the lists of low halves */

/* Level 0 is the keys themselves, in blocks of 64 bytes; a block above has one child more than keys. */
struct tree {
	unsigned width, fan; /* of a key in bytes; keys a block */
	unsigned n_levels;
	uint8_t *blocks[LEVELS_MAX];
	size_t n_blocks[LEVELS_MAX];
	uint32_t *values;
	size_t n, n_lists;
	struct low *lists; /* IPv6; by the index behind LOW_FLAG, each ends with last set */
	bool vector;
};

struct low {
	uint64_t start;
	uint32_t value;
	bool last;
};

static void put_key(const struct tree *t, uint8_t *block, unsigned at, uint64_t key)
{
	uint32_t narrow = (uint32_t)key;

	if (t->width == 4)
		memcpy(block + at * 4, &narrow, 4);
	else
		memcpy(block + at * 8, &key, 8);
}

/* The least key under a block: of its leftmost leaf. */
static uint64_t least_key(const struct tree *t, const uint64_t *keys, unsigned level, size_t block)
{
	for (; level > 0; level--)
		block *= t->fan + 1;
	return keys[block * t->fan];
}

static int tree_build(struct tree *t, const uint64_t *keys, size_t n)
{
	size_t blocks = (n + t->fan - 1) / t->fan;

	t->n = n;
	for (unsigned level = 0; level < LEVELS_MAX; level++) {
		unsigned step = level ? t->fan + 1 : t->fan;

		t->blocks[level] = lpm_pages_alloc(blocks * 64);
		if (!t->blocks[level])
			return ERR_NOMEM;
		memset(t->blocks[level], 0xff, blocks * 64);
		t->n_blocks[level] = blocks;
		t->n_levels = level + 1;
		for (size_t b = 0; b < blocks; b++)
			for (unsigned i = 0; i < t->fan; i++) {
				size_t child = b * step + i + (level ? 1 : 0);

				if (child < (level ? t->n_blocks[level - 1] : n))
					put_key(t, t->blocks[level] + b * 64, i,
					    level ? least_key(t, keys, level - 1, child) : keys[child]);
			}
		if (blocks == 1)
			return 0;
		blocks = (blocks + t->fan) / (t->fan + 1);
	}
	return ERR_RANGE;
}

/* IPv4: each interval is a key. */
static void *tree4_create(const struct lpm_table *table)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct lpm_intervals l;
	uint64_t *keys;

	if (!t || lpm_intervals_make(table, &l) != 0)
		return NULL;
	t->width = 4;
	t->fan = 16;
	keys = calloc(l.n, sizeof(*keys));
	t->values = lpm_pages_alloc(l.n * 4);
	if (!keys || !t->values)
		return NULL;
	for (size_t i = 0; i < l.n; i++) {
		keys[i] = (uint64_t)(l.list[i].start >> 96);
		t->values[i] = l.list[i].value;
	}
	if (tree_build(t, keys, l.n) != 0)
		return NULL;
	free(keys);
	lpm_intervals_free(&l);
	return t;
}

/* Intervals from *at on with the same upper half: a value, or a list when one begins below. */
static uint32_t take_upper_half(struct tree *t, const struct lpm_intervals *l, size_t *at)
{
	uint64_t upper = (uint64_t)(l->list[*at].start >> 64);
	size_t first = *at, list = t->n_lists;

	while (*at < l->n && (uint64_t)(l->list[*at].start >> 64) == upper)
		(*at)++;
	if (*at == first + 1 && (uint64_t)l->list[first].start == 0)
		return l->list[first].value;
	if ((uint64_t)l->list[first].start != 0) /* what holds before the first of them */
		t->lists[t->n_lists++] = (struct low){.start = 0, .value = l->list[first - 1].value};
	for (size_t i = first; i < *at; i++)
		t->lists[t->n_lists++] =
		    (struct low){.start = (uint64_t)l->list[i].start, .value = l->list[i].value};
	t->lists[t->n_lists - 1].last = true;
	return LOW_FLAG | (uint32_t)list;
}

static void *tree6_create(const struct lpm_table *table)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct lpm_intervals l;
	uint64_t *keys;
	size_t n = 0;

	if (!t || lpm_intervals_make(table, &l) != 0)
		return NULL;
	t->width = 8;
	t->fan = 8;
	keys = calloc(2 * l.n, sizeof(*keys));
	t->values = lpm_pages_alloc(2 * l.n * 4);
	t->lists = calloc(2 * l.n, sizeof(*t->lists));
	if (!keys || !t->values || !t->lists)
		return NULL;
	for (size_t i = 0; i < l.n; n++) {
		keys[n] = (uint64_t)(l.list[i].start >> 64);
		t->values[n] = take_upper_half(t, &l, &i);
		if (!(t->values[n] & LOW_FLAG) || keys[n] == UINT64_MAX ||
		    (i < l.n && l.list[i].start == (lpm_u128)(keys[n] + 1) << 64))
			continue;
		keys[n + 1] = keys[n] + 1; /* the last of the list goes on where no key says so */
		t->values[++n] = l.list[i - 1].value;
	}
	if (tree_build(t, keys, n) != 0)
		return NULL;
	free(keys);
	lpm_intervals_free(&l);
	return t;
}

static int tree_select(void *e, const char *form)
{
	return lpm_candidate_check(form, &((struct tree *)e)->vector);
}

static inline uint32_t load4(const uint8_t *key)
{
	uint32_t be;

	memcpy(&be, key, 4);
	return ntohl(be);
}

static inline uint64_t load8(const uint8_t *key)
{
	uint64_t be;

	memcpy(&be, key, 8);
	return __builtin_bswap64(be);
}

static inline unsigned rank4_scalar(const uint8_t *block, uint32_t key)
{
	const uint32_t *k = (const uint32_t *)(const void *)block;
	unsigned n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += k[i] <= key;
	return n;
}

static inline unsigned rank8_scalar(const uint8_t *block, uint64_t key)
{
	const uint64_t *k = (const uint64_t *)(const void *)block;
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++)
		n += k[i] <= key;
	return n;
}

LPM_VECTOR static inline unsigned rank4_vector(const uint8_t *block, uint32_t key)
{
	return (unsigned)__builtin_popcount(
	    _mm512_cmple_epu32_mask(_mm512_load_si512(block), _mm512_set1_epi32((int)key)));
}

LPM_VECTOR static inline unsigned rank8_vector(const uint8_t *block, uint64_t key)
{
	return (unsigned)__builtin_popcount(
	    _mm512_cmple_epu64_mask(_mm512_load_si512(block), _mm512_set1_epi64((long long)key)));
}

/*
 * Level by level for the whole burst, so that its misses overlap. The padding is the greatest key; whoever
 * looks that one up counts it, hence the bounds.
 */
#define DEFINE_WALK(name, attribute, type, load, key_len, rank)                                              \
	attribute static void name(const struct tree *t, const uint8_t *addrs, uint32_t *at, unsigned n)     \
	{                                                                                                    \
		type keys[LPM_BURST_MAX];                                                                    \
                                                                                                             \
		for (unsigned i = 0; i < n; i++) {                                                           \
			keys[i] = load(addrs + i * (key_len));                                               \
			at[i] = 0;                                                                           \
		}                                                                                            \
		for (unsigned l = t->n_levels - 1; l > 0; l--)                                               \
			for (unsigned i = 0; i < n; i++) {                                                   \
				uint32_t most = (uint32_t)t->n_blocks[l - 1] - 1;                            \
				uint32_t down = at[i] * (64 / (uint32_t)sizeof(type) + 1) +                  \
						rank(t->blocks[l] + (size_t)at[i] * 64, keys[i]);            \
                                                                                                             \
				at[i] = down < most ? down : most;                                           \
				__builtin_prefetch(t->blocks[l - 1] + (size_t)at[i] * 64);                   \
			}                                                                                    \
		for (unsigned i = 0; i < n; i++) {                                                           \
			uint32_t most = (uint32_t)t->n - 1;                                                  \
			uint32_t found = at[i] * (64 / (uint32_t)sizeof(type)) +                             \
					 rank(t->blocks[0] + (size_t)at[i] * 64, keys[i]) - 1;               \
                                                                                                             \
			at[i] = found < most ? found : most;                                                 \
			__builtin_prefetch(&t->values[at[i]]);                                               \
		}                                                                                            \
	}

DEFINE_WALK(walk4_scalar, , uint32_t, load4, 4, rank4_scalar)
DEFINE_WALK(walk4_vector, LPM_VECTOR, uint32_t, load4, 4, rank4_vector)
DEFINE_WALK(walk6_scalar, , uint64_t, load8, 16, rank8_scalar)
DEFINE_WALK(walk6_vector, LPM_VECTOR, uint64_t, load8, 16, rank8_vector)

static void tree4_lookup(void *e, void *keys, void *values, unsigned n)
{
	const struct tree *t = e;
	uint32_t at[LPM_BURST_MAX], *out = values;

	(t->vector ? walk4_vector : walk4_scalar)(t, keys, at, n);
	for (unsigned i = 0; i < n; i++)
		out[i] = t->values[at[i]];
}

static uint32_t find_low(const struct low *list, uint64_t key)
{
	while (!list->last && list[1].start <= key)
		list++;
	return list->value;
}

static void tree6_lookup(void *e, void *keys, void *values, unsigned n)
{
	const struct tree *t = e;
	uint32_t at[LPM_BURST_MAX], *out = values;

	(t->vector ? walk6_vector : walk6_scalar)(t, keys, at, n);
	for (unsigned i = 0; i < n; i++) {
		uint32_t v = t->values[at[i]];

		out[i] = v & LOW_FLAG
			     ? find_low(&t->lists[v & ~LOW_FLAG], load8((uint8_t *)keys + i * 16 + 8))
			     : v;
	}
}

static void tree_memory(void *e, const struct lpm_table *table, struct lpm_bytes *out)
{
	const struct tree *t = e;

	out->tables = t->n * 4 + t->n_lists * sizeof(struct low);
	for (unsigned i = 0; i < t->n_levels; i++)
		out->tables += t->n_blocks[i] * 64;
	out->least = out->tables;
}

static void tree_destroy(void *e)
{
	struct tree *t = e;

	for (unsigned i = 0; i < t->n_levels; i++)
		free(t->blocks[i]);
	free(t->values);
	free(t->lists);
	free(t);
}

const struct lpm_engine lpm_btree4 = {.name = "btree",
    .family = 4,
    .forms = lpm_candidate_forms,
    .create = tree4_create,
    .select = tree_select,
    .lookup = tree4_lookup,
    .memory = tree_memory,
    .destroy = tree_destroy};
const struct lpm_engine lpm_btree6 = {.name = "btree",
    .family = 6,
    .forms = lpm_candidate_forms,
    .create = tree6_create,
    .select = tree_select,
    .lookup = tree6_lookup,
    .memory = tree_memory,
    .destroy = tree_destroy};
