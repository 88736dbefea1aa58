/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps of routes, and batches of nothing but routes, of which a full table is made. Such a batch is judged
 * without a step: nothing in it can change what its routes need (groups, tables), so the verdict run of
 * store_batch.c and its undoing are spared. Slow thread, through store_batch.c.
 */
#include "dataplane/store_internal.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_SEEN 64 /* of a batch, by id: most routes have one of few */
#define AHEAD_INDEX 16 /* routes ahead of which the index is fetched, and then the slot */
#define AHEAD_SLOT  8

int store_set_route(struct store *s, const struct store_route_step *step, enum store_origin origin,
    bool drive, struct err_msg *msg)
{
	struct store_routes *routes = store_routes_for(s, step->prefix->addr.family);
	uint32_t n = store_routes_find(routes, step->hash, step->table, step->prefix), before = 0;
	uint32_t group = store_object_id(step->group);
	struct store_route_slot *slot;
	struct store_change *c;
	int rc;

	c = store_journal_add(s, n == STORE_ROUTE_NONE ? STEP_CREATE : STEP_REPLACE);
	rc = !c			     ? ERR_NOMEM
	     : n == STORE_ROUTE_NONE ? store_routes_add(routes, step->hash, step->table, step->prefix, &n)
				     : 0;
	if (rc) {
		s->n_changes -= c != NULL;
		return err_set(msg, rc, "no room for another route");
	}
	slot = store_routes_slot(routes, n);
	c->routes = routes;
	c->route = n;
	c->origin = slot->origin;
	c->epoch = slot->epoch;
	if (c->step == STEP_CREATE) {
		slot->origin = origin != STORE_CONTROL;
		store_count_table(s, step->table, 1);
		step->group->refs++;
	} else {
		before = c->old_group = slot->group;
		c->step = before == group ? STEP_NAME : STEP_REPLACE;
	}
	if (c->step == STEP_REPLACE) {
		store_count_group(s, before, -1);
		step->group->refs++;
	}
	slot->group = group;
	if (origin == STORE_CONTROL) {
		slot->origin = STORE_CONTROL;
		slot->epoch = s->epoch;
	}
	rc = drive && before != group ? store_drive_route(s, step->table, step->prefix, step->group, msg) : 0;
	if (rc)
		store_undo_last(s);
	return rc;
}

int store_del_route(struct store *s, const struct store_route_step *step, bool drive, struct err_msg *msg)
{
	struct store_routes *routes = store_routes_for(s, step->prefix->addr.family);
	uint32_t n = store_routes_find(routes, step->hash, step->table, step->prefix);
	struct store_route_slot *slot;
	struct store_change *c;
	int rc;

	if (n == STORE_ROUTE_NONE)
		return 0;
	c = store_journal_add(s, STEP_REMOVE);
	if (!c)
		return err_set(msg, ERR_NOMEM, "out of memory");
	slot = store_routes_slot(routes, n);
	c->routes = routes;
	c->route = n;
	c->origin = slot->origin;
	c->epoch = slot->epoch;
	store_count_group(s, slot->group, -1);
	store_count_table(s, slot->table, -1);
	store_routes_unlink(routes, n);
	rc = drive ? store_drive_route(s, step->table, step->prefix, NULL, msg) : 0;
	if (rc)
		store_undo_last(s);
	return rc;
}

/* --- batches of nothing but routes --- */

static bool judged_reserve(struct store *s, unsigned n)
{
	struct store_judged_route *bigger;

	if (n <= s->judged_size)
		return true;
	bigger = realloc(s->judged, n * sizeof(*bigger));
	if (!bigger)
		return false;
	s->judged = bigger;
	s->judged_size = n;
	return true;
}

static struct store_object *find_group(
    const struct store *s, uint32_t id, struct store_object *seen[GROUPS_SEEN])
{
	struct store_object **at = &seen[id % GROUPS_SEEN];

	if (!*at || store_object_id(*at) != id)
		*at = store_find_group(s, id);
	return *at;
}

bool store_judge_routes(struct store *s, struct buf_reader r, unsigned count)
{
	struct store_object *seen[GROUPS_SEEN] = {NULL};
	uint32_t table = FIBMSG_OVERLAY; /* one that exists */

	if (!judged_reserve(s, count))
		return false;
	for (s->n_judged = 0; s->n_judged < count; s->n_judged++) {
		struct store_judged_route *j = &s->judged[s->n_judged];
		struct fibmsg m;

		if (fibmsg_read(&r, &m, NULL) || (m.type != FIBMSG_SET_ROUTE && m.type != FIBMSG_DEL_ROUTE))
			return false;
		j->group = NULL;
		j->table = m.u.route.table;
		j->prefix = m.u.route.prefix;
		if (m.type == FIBMSG_SET_ROUTE) {
			j->group = find_group(s, m.u.route.group, seen);
			if (!j->group || (j->table != table && !store_table_exists(s, j->table)))
				return false;
			table = j->table;
		}
		j->hash = store_routes_hash(store_routes_for(s, j->prefix.addr.family), j->table, &j->prefix);
	}
	return buf_reader_left(&r) == 0;
}

static void fetch_ahead(struct store *s, unsigned i)
{
	const struct store_judged_route *j = &s->judged[i + AHEAD_INDEX];

	if (i + AHEAD_INDEX < s->n_judged)
		store_routes_prefetch(store_routes_for(s, j->prefix.addr.family), j->hash);
	j = &s->judged[i + AHEAD_SLOT];
	if (i + AHEAD_SLOT < s->n_judged)
		store_routes_peek(store_routes_for(s, j->prefix.addr.family), j->hash);
}

int store_run_routes(struct store *s, enum store_origin origin, uint16_t *index, struct err_msg *msg)
{
	for (unsigned i = 0; i < s->n_judged; i++) {
		const struct store_judged_route *j = &s->judged[i];
		const struct store_route_step step = {j->table, &j->prefix, j->group, j->hash};
		int rc;

		*index = (uint16_t)i;
		fetch_ahead(s, i);
		rc = j->group ? store_set_route(s, &step, origin, true, msg)
			      : store_del_route(s, &step, true, msg);
		if (rc)
			return rc;
	}
	return 0;
}
