/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Syncs of the object store: generations, the sweep of what a sync did not name, and the walk over
 * routes that survives batches in between. Slow thread only.
 */
#include "dataplane/store_internal.h"

#include <string.h>

#include "lib/log.h"

#define SWEEP_LOOK 16384 /* routes looked at in one slice */
#define SWEEP_LEN  16384 /* bytes of removals in one slice */

uint64_t store_generation(const struct store *s)
{
	return s->generation;
}

void store_set_generation(struct store *s, uint64_t generation)
{
	s->generation = generation;
}

int store_sync_begin(struct store *s, uint64_t generation, struct err_msg *msg)
{
	if (generation == 0 || generation == s->generation)
		return err_set(
		    msg, ERR_INVALID, "generation %llu is not a new one", (unsigned long long)generation);
	s->generation = generation;
	s->epoch++;
	s->syncing = true;
	s->sweep_class = -1;
	return 0;
}

int store_sync_end(struct store *s, uint64_t generation, struct err_msg *msg)
{
	if (!s->syncing || generation != s->generation)
		return err_set(
		    msg, ERR_PROTO, "no sync of generation %llu runs", (unsigned long long)generation);
	s->syncing = false;
	s->sweep_class = STORE_ROUTE;
	s->sweep_cursor = 0;
	return 0;
}

/* --- walking routes --- */

/* Cursor: bit 32 is the family, the rest a slot number. NULL: past the last of both. */
static const struct store_route_slot *cursor_slot(
    const struct store *s, uint64_t *cursor, const struct store_routes **routes)
{
	uint32_t number = (uint32_t)*cursor;

	*routes = &s->routes[*cursor >> 32 & 1];
	if (number < (*routes)->high)
		return store_routes_slot(*routes, number);
	if (*cursor >> 32)
		return NULL;
	*cursor = UINT64_C(1) << 32;
	*routes = &s->routes[1];
	return (*routes)->high ? store_routes_slot(*routes, 0) : NULL;
}

bool store_route_next(
    const struct store *s, uint64_t *cursor, unsigned budget, struct store_route *out, bool *got)
{
	const struct store_route_slot *slot;
	const struct store_routes *routes;

	*got = false;
	for (; budget > 0; budget--) {
		slot = cursor_slot(s, cursor, &routes);
		if (!slot)
			return false;
		(*cursor)++;
		if (!slot->used || !slot->linked)
			continue;
		out->table = slot->table;
		out->group = slot->group;
		store_routes_prefix(routes, slot, &out->prefix);
		*got = true;
		return true;
	}
	return true;
}

/* --- sweep --- */

/* The message that removes what this SET message made. */
static void removal_of(const struct fibmsg *set, struct fibmsg *del)
{
	memset(del, 0, sizeof(*del));
	del->type = (uint16_t)(set->type + 1); /* in the table of types DEL_x follows SET_x */
	switch (set->type) {
	case FIBMSG_SET_ADDRESS:
		del->u.address = set->u.address;
		break;
	case FIBMSG_SET_PEER:
		memcpy(del->u.peer_key.tunnel, set->u.peer.tunnel, FIBMSG_NAME);
		memcpy(del->u.peer_key.key, set->u.peer.key, sizeof(del->u.peer_key.key));
		break;
	case FIBMSG_SET_ALLOWED_IP:
		del->u.allowed_ip = set->u.allowed_ip;
		break;
	case FIBMSG_SET_NEXTHOP:
	case FIBMSG_SET_GROUP:
		del->u.id.id = set->u.id.id;
		break;
	default:
		memcpy(del->u.name.name, set->u.name.name, FIBMSG_NAME);
		break;
	}
}

static void route_removal(
    const struct store_routes *routes, const struct store_route_slot *slot, struct fibmsg *del)
{
	memset(del, 0, sizeof(*del));
	del->type = FIBMSG_DEL_ROUTE;
	del->u.table_key.table = slot->table;
	store_routes_prefix(routes, slot, &del->u.table_key.prefix);
}

/* Removals of stale routes from the cursor on; false: there are none left behind it. */
static bool collect_routes(struct store *s, struct buf_writer *w)
{
	for (unsigned n = 0; n < SWEEP_LOOK; n++) {
		const struct store_routes *routes;
		const struct store_route_slot *slot = cursor_slot(s, &s->sweep_cursor, &routes);
		struct fibmsg del;

		if (!slot)
			return false;
		if (slot->used && slot->linked && store_is_stale(s, slot->origin, slot->epoch)) {
			route_removal(routes, slot, &del);
			if (fibmsg_append(w, &del, NULL))
				return true;
		}
		s->sweep_cursor++;
	}
	return true;
}

bool store_object_names(
    const struct store *s, const struct store_object *user, const struct store_object *used)
{
	struct store_key refs[STORE_REFS_MAX];
	struct fibmsg m;
	unsigned n;

	store_decode(user, &m);
	n = store_refs_of(s, &m, refs);
	for (unsigned i = 0; i < n; i++) {
		if (memcmp(&refs[i], &used->key, sizeof(refs[i])) == 0)
			return true;
	}
	return false;
}

/*
 * Removals of what `wg set` put on something that goes, users first. ERR_FULL: w has no more room; the
 * number of direct users otherwise.
 */
static int collect_users(struct store *s, const struct store_object *used, struct buf_writer *w)
{
	int users = 0;

	for (unsigned class = STORE_NEXTHOP; class -- > used->key.class + 1u;) {
		for (struct store_object *o = store_first(s, class); o; o = store_after(o)) {
			struct fibmsg set, del;

			if (o->origin != STORE_UAPI || !store_object_names(s, o, used))
				continue;
			users++;
			store_decode(o, &set);
			removal_of(&set, &del);
			if (collect_users(s, o, w) < 0 || fibmsg_append(w, &del, NULL))
				return ERR_FULL;
		}
	}
	return users;
}

/* Removals of stale objects of one class; false: that was all of it. */
static bool collect_objects(struct store *s, enum store_class class, struct buf_writer *w)
{
	for (struct store_object *o = store_first(s, class); o; o = store_after(o)) {
		struct fibmsg set, del;
		char text[96];
		int users = 0;

		if (!store_is_stale(s, o->origin, o->epoch) || class == STORE_ROUTER)
			continue;
		store_key_format(&o->key, text, sizeof(text));
		if (o->refs)
			users = collect_users(s, o, w);
		if (users < 0)
			return true;
		store_decode(o, &set);
		if ((uint32_t)users < o->refs ||
		    (class == STORE_PORT && store_table_routes(s, set.u.port.table))) {
			log_warn("sync: %s is not named any more and stays, because others name it", text);
			continue;
		}
		removal_of(&set, &del);
		if (fibmsg_append(w, &del, NULL))
			return true;
		log_debug("sync: %s goes", text);
	}
	return false;
}

int store_sweep(struct store *s)
{
	static uint8_t datagram[SWEEP_LEN]; /* slow thread only */
	struct fibmsg_ack ack;
	struct buf_writer w;
	bool more;

	if (s->sweep_class < 0)
		return 0;
	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 0, 0);
	if (s->sweep_class == STORE_ROUTE)
		more = collect_routes(s, &w);
	else
		more = collect_objects(s, (enum store_class)s->sweep_class, &w);
	if (buf_writer_len(&w) > FIBMSG_HDR_LEN &&
	    store_apply_batch(s, datagram, buf_writer_len(&w), STORE_CONTROL, &ack)) {
		log_warn("sync: %s", ack.text);
		more = s->sweep_class == STORE_ROUTE && more; /* no second try at the same objects */
	}
	if (!more)
		s->sweep_class--;
	return s->sweep_class >= 0;
}
