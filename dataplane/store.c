/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object store: objects by key, and the count of who names whom. Slow thread only.
 */
#include "dataplane/store_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 256u

struct store *store_new(const struct store_backend *backend, uint64_t seed)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->buckets = calloc(BUCKETS_MIN, sizeof(struct store_object *));
	if (!s->buckets) {
		free(s);
		return NULL;
	}
	s->n_buckets = BUCKETS_MIN;
	if (backend)
		s->backend = *backend;
	s->seed = seed;
	s->id_next = 1;
	s->sweep_class = -1;
	for (unsigned i = 0; i < STORE_ROUTE; i++)
		TAILQ_INIT(&s->lists[i]);
	store_routes_init(&s->routes[0], IP_V4, seed);
	store_routes_init(&s->routes[1], IP_V6, seed);
	return s;
}

void store_object_free(struct store_object *o)
{
	if (o)
		free(o->bytes);
	free(o);
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < STORE_ROUTE; i++) {
		struct store_object *o;

		while ((o = TAILQ_FIRST(&s->lists[i]))) {
			TAILQ_REMOVE(&s->lists[i], o, link);
			store_object_free(o);
		}
	}
	store_routes_free(&s->routes[0]);
	store_routes_free(&s->routes[1]);
	free(s->journal);
	free(s->judged);
	free(s->buckets);
	free(s);
}

struct store_routes *store_routes_for(struct store *s, uint8_t family)
{
	return &s->routes[family == IP_V6];
}

/* --- objects by key --- */

static uint32_t key_bucket(const struct store *s, const struct store_key *key)
{
	uint64_t h = s->seed ^ key->class;

	for (unsigned i = 0; i < key->len; i++)
		h = (h ^ key->bytes[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return (uint32_t)h & (s->n_buckets - 1);
}

struct store_object *store_find(const struct store *s, const struct store_key *key)
{
	struct store_object *o = s->buckets[key_bucket(s, key)];

	while (o && memcmp(&o->key, key, sizeof(*key)) != 0)
		o = o->next;
	return o;
}

/* Twice the buckets; without memory the chains get longer instead. */
static void buckets_grow(struct store *s)
{
	uint32_t old_n = s->n_buckets;
	struct store_object **old = s->buckets,
			    **bigger = calloc((size_t)old_n * 2, sizeof(struct store_object *));

	if (!bigger)
		return;
	s->buckets = bigger;
	s->n_buckets = old_n * 2;
	for (uint32_t i = 0; i < old_n; i++) {
		for (struct store_object *o = old[i], *next; o; o = next) {
			uint32_t b = key_bucket(s, &o->key);

			next = o->next;
			o->next = bigger[b];
			bigger[b] = o;
		}
	}
	free(old);
}

void store_object_link(struct store *s, struct store_object *o)
{
	uint32_t b;

	if (s->n_objects >= s->n_buckets)
		buckets_grow(s);
	b = key_bucket(s, &o->key);
	o->next = s->buckets[b];
	s->buckets[b] = o;
	TAILQ_INSERT_TAIL(&s->lists[o->key.class], o, link);
	s->counts[o->key.class]++;
	s->n_objects++;
}

void store_object_unlink(struct store *s, struct store_object *o)
{
	struct store_object **at = &s->buckets[key_bucket(s, &o->key)];

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	TAILQ_REMOVE(&s->lists[o->key.class], o, link);
	s->counts[o->key.class]--;
	s->n_objects--;
}

struct store_object *store_first(const struct store *s, enum store_class class)
{
	return TAILQ_FIRST(&s->lists[class]);
}

struct store_object *store_after(const struct store_object *o)
{
	return TAILQ_NEXT(o, link);
}

unsigned store_count(const struct store *s, enum store_class class)
{
	return class == STORE_ROUTE ? s->routes[0].used + s->routes[1].used : s->counts[class];
}

void store_decode_bytes(const uint8_t *bytes, size_t len, struct fibmsg *m)
{
	struct buf_reader r;
	int rc;

	buf_reader_init(&r, bytes, len);
	rc = fibmsg_read(&r, m, NULL);
	assert(rc == 0); /* it was read before it was kept */
	(void)rc;
}

void store_decode(const struct store_object *o, struct fibmsg *m)
{
	store_decode_bytes(o->bytes, o->len, m);
}

uint32_t store_id_base(const struct store *s)
{
	return s->id_next;
}

/* --- who names whom --- */

void store_count_refs(struct store *s, const struct fibmsg *m, int by)
{
	struct store_key refs[STORE_REFS_MAX];
	unsigned n = store_refs_of(s, m, refs);

	for (unsigned i = 0; i < n; i++) {
		struct store_object *o = store_find(s, &refs[i]);

		assert(o && (by > 0 || o->refs > 0));
		o->refs = (uint32_t)((int64_t)o->refs + by);
	}
}

struct store_object *store_find_group(const struct store *s, uint32_t id)
{
	struct store_key key;

	store_key_id(STORE_GROUP, id, &key);
	return store_find(s, &key);
}

uint32_t store_object_id(const struct store_object *o)
{
	uint32_t id;

	memcpy(&id, o->key.bytes, sizeof(id)); /* as store_key_id has it */
	return id;
}

uint32_t store_table_routes(const struct store *s, uint32_t table)
{
	for (unsigned i = 0; i < STORE_TABLES; i++) {
		if (s->tables[i].routes && s->tables[i].table == table)
			return s->tables[i].routes;
	}
	return 0;
}

void store_count_table(struct store *s, uint32_t table, int by)
{
	struct store_table *at = NULL;

	if (table == FIBMSG_OVERLAY)
		return;
	for (unsigned i = 0; i < STORE_TABLES; i++) {
		if (s->tables[i].routes && s->tables[i].table == table) {
			at = &s->tables[i];
			break;
		}
		if (!s->tables[i].routes)
			at = &s->tables[i];
	}
	assert(at); /* one for each port, and there are fewer ports */
	at->table = table;
	at->routes = (uint32_t)((int64_t)at->routes + by);
}

void store_count_group(struct store *s, uint32_t id, int by)
{
	struct store_object *group = store_find_group(s, id);

	assert(group && (by > 0 || group->refs > 0));
	group->refs = (uint32_t)((int64_t)group->refs + by);
}
