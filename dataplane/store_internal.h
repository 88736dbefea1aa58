/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the object store share: the store itself, keys and references of messages,
 * the rules a message must meet. Included by store*.c alone.
 */
#ifndef BYWAY_DATAPLANE_STORE_INTERNAL_H
#define BYWAY_DATAPLANE_STORE_INTERNAL_H

#include "dataplane/store.h"
#include "dataplane/store_route.h"

#define STORE_REFS_MAX (FIBMSG_MEMBERS + 2)

enum store_step { STEP_NAME, STEP_CREATE, STEP_REPLACE, STEP_REMOVE };

/* One step of a batch, with what undoes it. */
struct store_change {
	uint8_t step; /* enum store_step */
	/* Of the object or route before the step. */
	uint8_t origin;
	bool failed, changed;
	uint16_t epoch, old_len;
	uint8_t *old_bytes;
	struct store_object *object; /* NULL: a route */
	struct store_routes *routes;
	uint32_t route, old_group;
};

/* A SET_ROUTE or (group ignored) DEL_ROUTE whose group and table exist. */
struct store_route_step {
	uint32_t table;
	const struct ip_prefix *prefix;
	struct store_object *group;
	uint64_t hash; /* store_routes_hash */
};

/* The same, kept while its batch is judged; group NULL: a removal. */
struct store_judged_route {
	struct store_object *group;
	uint64_t hash;
	uint32_t table;
	struct ip_prefix prefix;
};

TAILQ_HEAD(store_list, store_object);

#define STORE_TABLES 64 /* underlays that hold routes; there are fewer ports */

/* How many routes an underlay table holds: its port may not go before them. */
struct store_table {
	uint32_t table, routes;
};

struct store {
	struct store_backend backend;
	uint64_t seed, generation;
	uint16_t epoch;
	bool syncing;
	uint32_t id_next;
	struct store_object **buckets;
	uint32_t n_buckets, n_objects; /* buckets: power of two */
	struct store_list lists[STORE_ROUTE];
	unsigned counts[STORE_CLASSES];
	struct store_routes routes[2]; /* IPv4, IPv6 */
	struct store_table tables[STORE_TABLES];
	struct store_change *journal;
	unsigned n_changes, journal_size;
	struct store_judged_route *judged; /* of the batch at hand */
	unsigned n_judged, judged_size;
	int sweep_class; /* next to be swept, descending; -1: none */
	uint64_t sweep_cursor;
};

struct store_type {
	uint8_t class;
	bool remove;
	bool known;
};

/* store_key.c */
const struct store_type *store_type_of(uint16_t type);
/* Keys of what a SET message names (of routes: nothing, store.c counts them by group and table); returns how
 * many, at most STORE_REFS_MAX. */
unsigned store_refs_of(const struct store *s, const struct fibmsg *m, struct store_key *refs);
/* Is there a port whose underlay this is? */
bool store_table_exists(const struct store *s, uint32_t table);
/* "wan1", "friend1 peer AbC=", "7": for sentences. Returns buf. */
const char *store_key_format(const struct store_key *key, char *buf, size_t size);

/* store_check.c: a SET message by itself and among the objects there are. */
int store_check_message(
    const struct store *s, const struct fibmsg *m, const struct fibmsg *old, struct err_msg *msg);

/* store.c */
struct store_routes *store_routes_for(struct store *s, uint8_t family);
uint32_t store_table_routes(const struct store *s, uint32_t table);
struct store_object *store_find_group(const struct store *s, uint32_t id);
void store_object_free(struct store_object *o);
void store_object_link(struct store *s, struct store_object *o);
void store_object_unlink(struct store *s, struct store_object *o);
void store_decode_bytes(const uint8_t *bytes, size_t len, struct fibmsg *m);
/* One more (by 1) or one fewer (by -1) that names them. */
void store_count_refs(struct store *s, const struct fibmsg *m, int by);
void store_count_group(struct store *s, uint32_t id, int by);
void store_count_table(struct store *s, uint32_t table, int by);

/* Of a next hop or group. */
uint32_t store_object_id(const struct store_object *o);

/* store_route_batch.c: a step; drive: the backend, too. */
int store_set_route(struct store *s, const struct store_route_step *step, enum store_origin origin,
    bool drive, struct err_msg *msg);
int store_del_route(struct store *s, const struct store_route_step *step, bool drive, struct err_msg *msg);
/* Is this a valid batch of nothing but routes? Then store_run_routes takes the steps. False: it may be any.
 */
bool store_judge_routes(struct store *s, struct buf_reader r, unsigned count);
int store_run_routes(struct store *s, enum store_origin origin, uint16_t *index, struct err_msg *msg);

/* store_sync.c: does one object name the other? */
bool store_object_names(
    const struct store *s, const struct store_object *user, const struct store_object *used);

/* store_journal.c */
int store_drive_object(struct store *s, struct store_object *o, const struct fibmsg *old,
    const struct fibmsg *now, struct err_msg *msg);
int store_drive_route(struct store *s, uint32_t table, const struct ip_prefix *prefix,
    struct store_object *group, struct err_msg *msg);
/* A new step, zero but for its kind; NULL when memory is short. */
struct store_change *store_journal_add(struct store *s, enum store_step step);
void store_change_keep(struct store_change *c, struct store_object *o);
/* All steps back, last first; drive: the backend, too. What it cannot do is logged and marked failed. */
void store_undo_all(struct store *s, bool drive);
/* The last step back, which the backend refused. */
void store_undo_last(struct store *s);
/* What the steps replaced and removed is freed. */
void store_journal_commit(struct store *s);
/* Does the generation of the sync name it? */
static inline bool store_is_stale(const struct store *s, uint8_t origin, uint16_t epoch)
{
	return origin == STORE_CONTROL && epoch != s->epoch;
}

#endif
