/* SPDX-License-Identifier: BSD-3-Clause */
/* Interned sets of path attributes and their scratch copies; see bgp_attr.h. */
#include "bgp/bgp_attr.h"

#include <assert.h>
#include <string.h>

#include "bgp/bgp_aspath.h"
#include "bgp/bgp_wire.h"

#define BUCKETS_FIRST 256

int bgp_attr_table_init(struct bgp_attr_table *table, struct bgp_heap *heap)
{
	*table = (struct bgp_attr_table){.heap = heap, .n_buckets = BUCKETS_FIRST};
	table->buckets = bgp_mem_alloc(heap, BUCKETS_FIRST * sizeof(*table->buckets));
	return table->buckets ? 0 : ERR_NOMEM;
}

void bgp_attr_table_free(struct bgp_attr_table *table)
{
	assert(table->count == 0);
	bgp_mem_free(table->heap, table->buckets, table->n_buckets * sizeof(*table->buckets));
}

/* FNV-1a over words of eight bytes, folded; quality enough for chains, at an eighth of the multiplications.
 */
static uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x100000001b3ull;
		h ^= h >> 29;
	}
	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static uint32_t build_hash(const struct bgp_attr_build *build)
{
	uint64_t h = hash_bytes(0xcbf29ce484222325ull, (const uint8_t *)&build->core, sizeof(build->core));

	h = hash_bytes(h, build->tail, build->tail_len);
	return (uint32_t)(h ^ h >> 32);
}

/* More buckets when chains grow; without memory the chains just stay longer. */
static void table_grow(struct bgp_attr_table *table)
{
	size_t i, n = table->n_buckets * 2;
	struct bgp_attrs **buckets, *a;

	if (table->count < table->n_buckets)
		return;
	buckets = bgp_mem_alloc(table->heap, n * sizeof(*buckets));
	if (!buckets)
		return;
	for (i = 0; i < table->n_buckets; i++) {
		while ((a = table->buckets[i])) {
			table->buckets[i] = a->next;
			a->next = buckets[a->hash & (n - 1)];
			buckets[a->hash & (n - 1)] = a;
		}
	}
	bgp_mem_free(table->heap, table->buckets, table->n_buckets * sizeof(*buckets));
	table->buckets = buckets;
	table->n_buckets = n;
}

int bgp_attr_intern(struct bgp_attr_table *table, const struct bgp_attr_build *build, struct bgp_attrs **out)
{
	uint32_t hash = build_hash(build);
	struct bgp_attr_item path;
	struct bgp_attrs *a;

	for (a = table->buckets[hash & (table->n_buckets - 1)]; a; a = a->next) {
		if (a->hash == hash && a->tail_len == build->tail_len &&
		    memcmp(&a->core, &build->core, sizeof(a->core)) == 0 &&
		    memcmp(a->tail, build->tail, a->tail_len) == 0) {
			*out = bgp_attr_hold(a);
			return 0;
		}
	}
	a = bgp_mem_alloc(table->heap, sizeof(*a) + build->tail_len);
	if (!a)
		return ERR_NOMEM;
	a->refs = 1;
	a->hash = hash;
	a->tail_len = build->tail_len;
	memcpy(&a->core, &build->core, sizeof(a->core));
	memcpy(a->tail, build->tail, build->tail_len);
	path = bgp_attr_path(a);
	a->path_len = (uint16_t)bgp_aspath_count(path.value, path.len);
	a->neighbor_as = bgp_aspath_first(path.value, path.len);
	table_grow(table);
	a->next = table->buckets[hash & (table->n_buckets - 1)];
	table->buckets[hash & (table->n_buckets - 1)] = a;
	table->count++;
	*out = a;
	return 0;
}

struct bgp_attrs *bgp_attr_hold(struct bgp_attrs *attrs)
{
	attrs->refs++;
	return attrs;
}

void bgp_attr_release(struct bgp_attr_table *table, struct bgp_attrs *attrs)
{
	struct bgp_attrs **at;

	if (!attrs || --attrs->refs)
		return;
	at = &table->buckets[attrs->hash & (table->n_buckets - 1)];
	while (*at != attrs)
		at = &(*at)->next;
	*at = attrs->next;
	table->count--;
	bgp_mem_free(table->heap, attrs, sizeof(*attrs) + attrs->tail_len);
}

void bgp_attr_build_init(struct bgp_attr_build *build)
{
	memset(&build->core, 0, sizeof(build->core));
	build->tail[0] = BGP_ATTR_AS_PATH;
	build->tail[1] = BGP_FLAG_TRANSITIVE;
	build->tail[2] = 0;
	build->tail[3] = 0;
	build->tail_len = BGP_TAIL_HEADER;
}

void bgp_attr_build_load(struct bgp_attr_build *build, const struct bgp_attrs *attrs)
{
	memcpy(&build->core, &attrs->core, sizeof(build->core));
	memcpy(build->tail, attrs->tail, attrs->tail_len);
	build->tail_len = attrs->tail_len;
}

int bgp_attr_build_prepend(struct bgp_attr_build *build, uint32_t as, unsigned n)
{
	/* Each 255 of them may open a segment of two bytes. */
	size_t most = (size_t)n * 4 + 2 * (n / BGP_SEG_MAX + 1);
	struct bgp_attr_item path = {0};
	uint8_t room[BGP_TAIL_MAX];
	struct buf_writer w;
	size_t at = 0, old_end, len;

	if (build->tail_len + most > BGP_TAIL_MAX)
		return ERR_FULL;
	bgp_attr_next(build->tail, build->tail_len, &at, &path);
	old_end = at;
	buf_writer_init(&w, room, sizeof(room));
	bgp_aspath_prepend(&w, path.value, path.len, as, n);
	len = buf_writer_len(&w);
	assert(!w.err && BGP_TAIL_HEADER + len + build->tail_len - old_end <= BGP_TAIL_MAX);
	memmove(build->tail + BGP_TAIL_HEADER + len, build->tail + old_end, build->tail_len - old_end);
	memcpy(build->tail + BGP_TAIL_HEADER, room, len);
	build->tail[2] = (uint8_t)(len >> 8);
	build->tail[3] = (uint8_t)len;
	build->tail_len = (uint16_t)(build->tail_len - old_end + BGP_TAIL_HEADER + len);
	return 0;
}

void bgp_attr_build_drop(struct bgp_attr_build *build, uint8_t type)
{
	struct bgp_attr_item item;
	size_t at = 0, start = 0;

	while (bgp_attr_next(build->tail, build->tail_len, &at, &item)) {
		if (item.type == type) {
			memmove(build->tail + start, build->tail + at, build->tail_len - at);
			build->tail_len = (uint16_t)(build->tail_len - (at - start));
			return;
		}
		start = at;
	}
}

bool bgp_attr_next(const uint8_t *tail, uint16_t tail_len, size_t *at, struct bgp_attr_item *item)
{
	const uint8_t *p = tail + *at;

	if (*at >= tail_len)
		return false;
	*item = (struct bgp_attr_item){
	    .type = p[0], .flags = p[1], .len = (uint16_t)(p[2] << 8 | p[3]), .value = p + BGP_TAIL_HEADER};
	*at += BGP_TAIL_HEADER + item->len;
	return true;
}

bool bgp_attr_find(const struct bgp_attrs *attrs, uint8_t type, struct bgp_attr_item *item)
{
	size_t at = 0;

	while (bgp_attr_next(attrs->tail, attrs->tail_len, &at, item)) {
		if (item->type == type)
			return true;
	}
	return false;
}

struct bgp_attr_item bgp_attr_path(const struct bgp_attrs *attrs)
{
	struct bgp_attr_item item = {0};
	size_t at = 0;

	bgp_attr_next(attrs->tail, attrs->tail_len, &at, &item);
	assert(item.type == BGP_ATTR_AS_PATH);
	return item;
}

bool bgp_attr_has_community(const struct bgp_attrs *attrs, uint32_t community)
{
	struct bgp_attr_item item;
	struct buf_reader r;

	if (!bgp_attr_find(attrs, BGP_ATTR_COMMUNITIES, &item))
		return false;
	buf_reader_init(&r, item.value, item.len);
	while (buf_reader_left(&r)) {
		if (buf_read_be32(&r) == community)
			return true;
	}
	return false;
}
