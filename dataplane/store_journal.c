/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal of a batch: each step with what undoes it, driving the backend back when the batch was
 * driven. Slow thread, through store_batch.c.
 */
#include "dataplane/store_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/* --- the backend --- */

int store_drive_object(struct store *s, struct store_object *o, const struct fibmsg *old,
    const struct fibmsg *now, struct err_msg *msg)
{
	return s->backend.object ? s->backend.object(s->backend.arg, o, old, now, msg) : 0;
}

int store_drive_route(struct store *s, uint32_t table, const struct ip_prefix *prefix,
    struct store_object *group, struct err_msg *msg)
{
	return s->backend.route ? s->backend.route(s->backend.arg, table, prefix, group, msg) : 0;
}

/* --- the journal --- */

struct store_change *store_journal_add(struct store *s, enum store_step step)
{
	struct store_change *c;

	if (s->n_changes == s->journal_size) {
		unsigned size = s->journal_size ? s->journal_size * 2 : 256;
		struct store_change *bigger = realloc(s->journal, size * sizeof(*bigger));

		if (!bigger)
			return NULL;
		s->journal = bigger;
		s->journal_size = size;
	}
	c = &s->journal[s->n_changes++];
	memset(c, 0, sizeof(*c));
	c->step = (uint8_t)step;
	return c;
}

void store_change_keep(struct store_change *c, struct store_object *o)
{
	c->object = o;
	c->origin = o->origin;
	c->epoch = o->epoch;
	c->failed = o->failed;
	c->changed = o->changed;
}

/* One step back. With `drive` the dataplane goes back, too; what it cannot do is logged and marked. */
static void undo_object(struct store *s, struct store_change *c, bool drive)
{
	struct store_object *o = c->object;
	struct err_msg msg = {""};
	struct fibmsg now, old;
	int rc = 0;

	o->failed = c->failed;
	switch ((enum store_step)c->step) {
	case STEP_NAME:
		break;
	case STEP_CREATE:
		store_decode(o, &now);
		if (drive)
			rc = store_drive_object(s, o, &now, NULL, &msg);
		store_count_refs(s, &now, -1);
		store_object_unlink(s, o);
		store_object_free(o);
		o = NULL;
		break;
	case STEP_REPLACE:
		store_decode(o, &now);
		store_decode_bytes(c->old_bytes, c->old_len, &old);
		store_count_refs(s, &now, -1);
		store_count_refs(s, &old, 1);
		free(o->bytes);
		o->bytes = c->old_bytes;
		o->len = c->old_len;
		if (drive)
			rc = store_drive_object(s, o, &now, c->failed ? NULL : &old, &msg);
		break;
	case STEP_REMOVE:
		store_decode(o, &old);
		store_object_link(s, o);
		store_count_refs(s, &old, 1);
		if (drive && !c->failed)
			rc = store_drive_object(s, o, NULL, &old, &msg);
		break;
	}
	if (rc) {
		log_err("cannot go back to the state before a refused batch: %s", msg.text);
		if (o)
			o->failed = true;
	}
	if (o) {
		o->origin = c->origin;
		o->epoch = c->epoch;
		o->changed = c->changed;
	}
}

static void undo_route(struct store *s, struct store_change *c, bool drive)
{
	struct store_route_slot *slot = store_routes_slot(c->routes, c->route);
	uint32_t table = slot->table, group = slot->group, back = 0;
	struct err_msg msg = {""};
	struct ip_prefix prefix;
	int rc = 0;

	store_routes_prefix(c->routes, slot, &prefix);
	switch ((enum store_step)c->step) {
	case STEP_NAME:
		break;
	case STEP_CREATE:
		store_count_group(s, group, -1);
		store_count_table(s, table, -1);
		store_routes_unlink(c->routes, c->route);
		store_routes_release(c->routes, c->route);
		break;
	case STEP_REPLACE:
		store_count_group(s, group, -1);
		store_count_group(s, c->old_group, 1);
		slot->group = back = c->old_group;
		break;
	case STEP_REMOVE:
		store_routes_relink(c->routes, c->route);
		store_count_group(s, group, 1);
		store_count_table(s, table, 1);
		back = group;
		break;
	}
	if (drive && c->step != STEP_NAME)
		rc = store_drive_route(s, table, &prefix, back ? store_find_group(s, back) : NULL, &msg);
	if (rc)
		log_err("cannot go back to the state before a refused batch: %s", msg.text);
	if (c->step != STEP_CREATE) {
		slot->origin = c->origin != STORE_CONTROL;
		slot->epoch = c->epoch;
	}
}

void store_undo_all(struct store *s, bool drive)
{
	while (s->n_changes > 0) {
		struct store_change *c = &s->journal[--s->n_changes];

		if (c->object)
			undo_object(s, c, drive);
		else
			undo_route(s, c, drive);
	}
}

/* The step last taken was not taken by the backend: back without driving it. */
void store_undo_last(struct store *s)
{
	struct store_change *c = &s->journal[--s->n_changes];

	if (c->object)
		undo_object(s, c, false);
	else
		undo_route(s, c, false);
}

void store_journal_commit(struct store *s)
{
	for (unsigned i = 0; i < s->n_changes; i++) {
		struct store_change *c = &s->journal[i];

		if (!c->object) {
			if (c->step == STEP_REMOVE)
				store_routes_release(c->routes, c->route);
		} else if (c->step == STEP_REPLACE) {
			free(c->old_bytes);
		} else if (c->step == STEP_REMOVE) {
			store_object_free(c->object);
		}
	}
	s->n_changes = 0;
}
