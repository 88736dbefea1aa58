/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of small integers; see bgp_set.h. */
#include "bgp/bgp_set.h"

#include <assert.h>
#include <string.h>

int bgp_set_reserve(struct bgp_heap *heap, struct bgp_set *set, uint32_t n)
{
	uint32_t n_words = (n + 4095) / 4096 * 64;
	uint64_t *words;

	if (n_words <= set->n_words)
		return 0;
	words = bgp_mem_alloc(heap, (n_words + n_words / 64) * sizeof(*words));
	if (!words)
		return ERR_NOMEM;
	if (set->words) {
		memcpy(words, set->words, set->n_words * sizeof(*words));
		memcpy(words + n_words, set->summary, set->n_words / 64 * sizeof(*words));
		bgp_mem_free(heap, set->words, (set->n_words + set->n_words / 64) * sizeof(*words));
	}
	set->words = words;
	set->summary = words + n_words;
	set->n_words = n_words;
	return 0;
}

void bgp_set_free(struct bgp_heap *heap, struct bgp_set *set)
{
	bgp_mem_free(heap, set->words, (set->n_words + set->n_words / 64) * sizeof(*set->words));
	*set = (struct bgp_set){0};
}

bool bgp_set_add(struct bgp_set *set, uint32_t id)
{
	uint32_t word = id / 64;
	uint64_t bit = 1ull << (id % 64);

	assert(word < set->n_words);
	if (set->words[word] & bit)
		return false;
	set->words[word] |= bit;
	set->summary[word / 64] |= 1ull << (word % 64);
	set->count++;
	return true;
}

bool bgp_set_remove(struct bgp_set *set, uint32_t id)
{
	uint32_t word = id / 64;
	uint64_t bit = 1ull << (id % 64);

	if (word >= set->n_words || !(set->words[word] & bit))
		return false;
	set->words[word] &= ~bit;
	if (!set->words[word])
		set->summary[word / 64] &= ~(1ull << (word % 64));
	set->count--;
	return true;
}

bool bgp_set_has(const struct bgp_set *set, uint32_t id)
{
	return id / 64 < set->n_words && (set->words[id / 64] >> (id % 64) & 1);
}

/* The first bit at or after `from` among n 64-bit words, or n * 64. */
static uint32_t set_find_bit(const uint64_t *words, uint32_t n, uint32_t from)
{
	uint32_t i = from / 64;
	uint64_t w;

	if (i >= n)
		return n * 64;
	w = words[i] & (~0ull << (from % 64));
	while (!w) {
		if (++i == n)
			return n * 64;
		w = words[i];
	}
	return i * 64 + (uint32_t)__builtin_ctzll(w);
}

uint32_t bgp_set_next(const struct bgp_set *set, uint32_t from)
{
	uint32_t word = from / 64;
	uint64_t w;

	if (word >= set->n_words)
		return BGP_SET_END;
	w = set->words[word] & (~0ull << (from % 64));
	if (w)
		return word * 64 + (uint32_t)__builtin_ctzll(w);
	word = set_find_bit(set->summary, set->n_words / 64, word + 1);
	if (word >= set->n_words)
		return BGP_SET_END;
	return word * 64 + (uint32_t)__builtin_ctzll(set->words[word]);
}

void bgp_set_clear(struct bgp_set *set)
{
	if (set->count)
		memset(set->words, 0, (set->n_words + set->n_words / 64) * sizeof(*set->words));
	set->count = 0;
}

void bgp_set_merge(struct bgp_set *set, const struct bgp_set *from)
{
	uint32_t word;

	assert(from->n_words <= set->n_words);
	for (word = 0; word < from->n_words; word++) {
		uint64_t fresh = from->words[word] & ~set->words[word];

		if (!fresh)
			continue;
		set->words[word] |= fresh;
		set->summary[word / 64] |= 1ull << (word % 64);
		set->count += (uint32_t)__builtin_popcountll(fresh);
	}
}
