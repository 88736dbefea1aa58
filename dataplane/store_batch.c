/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batches of the object store: the steps that SET and DEL messages are, and the two runs over a
 * datagram. Slow thread only.
 */
#include "dataplane/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the steps --- */

struct batch {
	enum store_origin origin;
	bool drive; /* second run: with the backend, without its checks */
	const uint8_t *bytes;
	size_t len; /* of the message at hand */
};

/* Control named it, and it is as control says. */
static void object_name(struct store *s, struct store_object *o, enum store_origin origin)
{
	if (origin == STORE_CONTROL) {
		o->origin = STORE_CONTROL;
		o->epoch = s->epoch;
		o->changed = false;
	}
}

static int object_create(struct store *s, const struct batch *b, const struct store_key *key,
    const struct fibmsg *m, struct err_msg *msg)
{
	struct store_object *o = calloc(1, sizeof(*o));
	struct store_change *c;
	int rc;

	if (o)
		o->bytes = malloc(b->len);
	c = o && o->bytes ? store_journal_add(s, STEP_CREATE) : NULL;
	if (!c) {
		store_object_free(o);
		return err_set(msg, ERR_NOMEM, "out of memory");
	}
	memcpy(o->bytes, b->bytes, b->len);
	o->len = (uint16_t)b->len;
	o->key = *key;
	o->origin = (uint8_t)b->origin;
	object_name(s, o, b->origin);
	store_change_keep(c, o);
	store_object_link(s, o);
	store_count_refs(s, m, 1);
	rc = b->drive ? store_drive_object(s, o, NULL, m, msg) : 0;
	if (rc)
		store_undo_last(s);
	else if (b->drive && (key->class == STORE_NEXTHOP || key->class == STORE_GROUP) &&
		 m->u.id.id >= s->id_next)
		s->id_next = m->u.id.id + (m->u.id.id != UINT32_MAX);
	return rc;
}

static int object_replace(struct store *s, const struct batch *b, struct store_object *o,
    const struct fibmsg *old, const struct fibmsg *m, struct err_msg *msg)
{
	uint8_t *bytes = malloc(b->len);
	struct store_change *c = bytes ? store_journal_add(s, STEP_REPLACE) : NULL;
	bool lost = o->failed;
	int rc;

	if (!c) {
		free(bytes);
		return err_set(msg, ERR_NOMEM, "out of memory");
	}
	memcpy(bytes, b->bytes, b->len);
	store_change_keep(c, o);
	c->old_bytes = o->bytes;
	c->old_len = o->len;
	o->bytes = bytes;
	o->len = (uint16_t)b->len;
	/* What control made once stays control's: `wg set` changes it, and does not make it its own. */
	o->changed = o->origin != b->origin;
	if (b->origin == STORE_UAPI && o->key.class == STORE_ALLOWED_IP)
		o->origin =
		    STORE_UAPI; /* it has moved to another peer, and stays there when control's peer goes */
	object_name(s, o, b->origin);
	store_count_refs(s, old, -1);
	store_count_refs(s, m, 1);
	o->failed = false;
	rc = b->drive ? store_drive_object(s, o, lost ? NULL : old, m, msg) : 0;
	if (rc) {
		lost |= o->failed;
		store_undo_last(s);
		o->failed = lost;
	}
	return rc;
}

static int set_object(struct store *s, const struct batch *b, const struct fibmsg *m, struct err_msg *msg)
{
	struct store_change *c;
	struct store_object *o;
	struct store_key key;
	struct fibmsg old;
	int rc = store_key_of(m, &key);

	if (rc)
		return rc;
	o = store_find(s, &key);
	if (o && !o->failed && o->len == b->len && memcmp(o->bytes, b->bytes, b->len) == 0) {
		c = store_journal_add(s, STEP_NAME);
		if (!c)
			return err_set(msg, ERR_NOMEM, "out of memory");
		store_change_keep(c, o);
		object_name(s, o, b->origin);
		return 0;
	}
	if (o)
		store_decode(o, &old);
	rc = store_check_message(s, m, o ? &old : NULL, msg);
	if (!rc && !b->drive && s->backend.check)
		rc = s->backend.check(s->backend.arg, m, o ? &old : NULL, msg);
	if (rc)
		return rc;
	return o ? object_replace(s, b, o, &old, m, msg) : object_create(s, b, &key, m, msg);
}

static int remove_object(struct store *s, const struct batch *b, struct store_object *o, struct err_msg *msg)
{
	struct store_change *c;
	struct fibmsg old;
	int rc;

	if (o->refs)
		return err_set(msg, ERR_BUSY, "is named by %u others", o->refs);
	c = store_journal_add(s, STEP_REMOVE);
	if (!c)
		return err_set(msg, ERR_NOMEM, "out of memory");
	store_decode(o, &old);
	store_change_keep(c, o);
	store_count_refs(s, &old, -1);
	store_object_unlink(s, o);
	rc = b->drive && !o->failed ? store_drive_object(s, o, &old, NULL, msg) : 0;
	if (rc)
		store_undo_last(s);
	return rc;
}

/* What `wg set` put on something that control takes away goes with it: peers of a tunnel, allowed-IPs of a
 * peer. */
static int remove_uapi_users(
    struct store *s, const struct batch *b, const struct store_object *used, struct err_msg *msg)
{
	int rc = 0;

	for (unsigned class = used->key.class + 1u; class <= STORE_ALLOWED_IP; class ++) {
		struct store_object *o = store_first(s, class), *next;

		for (; !rc && o; o = next) {
			next = store_after(o);
			if (o->origin != STORE_UAPI || !store_object_names(s, o, used))
				continue;
			rc = remove_uapi_users(s, b, o, msg);
			if (!rc)
				rc = remove_object(s, b, o, msg);
		}
	}
	return rc;
}

static int del_object(struct store *s, const struct batch *b, const struct fibmsg *m, struct err_msg *msg)
{
	struct store_object *o;
	struct store_key key;
	struct fibmsg old;
	int rc = store_key_of(m, &key);

	if (rc)
		return rc;
	o = store_find(s, &key);
	if (!o)
		return 0;
	store_decode(o, &old);
	if (key.class == STORE_ALLOWED_IP && memcmp(old.u.allowed_ip.key, m->u.allowed_ip.key, 32) != 0)
		return 0; /* it moved to another peer before its old one let go */
	if (key.class == STORE_PORT && !o->refs && store_table_routes(s, old.u.port.table))
		return err_set(msg, ERR_BUSY, "its table still holds %u routes",
		    store_table_routes(s, old.u.port.table));
	if (o->refs && b->origin == STORE_CONTROL && (key.class == STORE_TUNNEL || key.class == STORE_PEER))
		rc = remove_uapi_users(s, b, o, msg);
	return rc ? rc : remove_object(s, b, o, msg);
}

static int set_route(struct store *s, const struct batch *b, const struct fibmsg *m, struct err_msg *msg)
{
	struct store_route_step step = {.table = m->u.route.table, .prefix = &m->u.route.prefix};
	int rc = store_check_message(s, m, NULL, msg);

	if (rc)
		return rc;
	step.group = store_find_group(s, m->u.route.group);
	if (!step.group)
		return err_set(msg, ERR_NOENT, "group %u does not exist", m->u.route.group);
	step.hash = store_routes_hash(store_routes_for(s, step.prefix->addr.family), step.table, step.prefix);
	return store_set_route(s, &step, b->origin, b->drive, msg);
}

static int del_route(struct store *s, const struct batch *b, const struct fibmsg *m, struct err_msg *msg)
{
	struct store_route_step step = {.table = m->u.table_key.table, .prefix = &m->u.table_key.prefix};

	step.hash = store_routes_hash(store_routes_for(s, step.prefix->addr.family), step.table, step.prefix);
	return store_del_route(s, &step, b->drive, msg);
}

/* --- batches --- */

/* What a sentence about a message begins with: the object's name, or for a route all of it. */
static const char *name_message(const struct fibmsg *m, char *buf, size_t size)
{
	struct store_key key;

	if (store_type_of(m->type)->class == STORE_ROUTE || store_key_of(m, &key))
		return fibmsg_format(m, buf, size);
	return store_key_format(&key, buf, size);
}

static int take_message(struct store *s, const struct batch *b, const struct fibmsg *m, struct err_msg *msg)
{
	const struct store_type *type = store_type_of(m->type);
	const char *name = fibmsg_type_name(m->type);
	struct err_msg why = {""};
	char text[160];
	int rc;

	if (!type)
		return err_set(
		    msg, ERR_PROTO, "%s has no place in a batch of objects", name ? name : "message");
	if (type->class == STORE_ROUTE)
		rc = type->remove ? del_route(s, b, m, &why) : set_route(s, b, m, &why);
	else
		rc = type->remove ? del_object(s, b, m, &why) : set_object(s, b, m, &why);
	if (rc)
		err_set(msg, rc, "%.100s: %.150s", name_message(m, text, sizeof(text)),
		    why.text[0] ? why.text : err_text(rc));
	return rc;
}

/* The sentence why the index-th message was refused, with its name before it. */
static void name_refused(struct buf_reader r, unsigned index, struct err_msg *msg)
{
	const struct err_msg why = *msg;
	struct fibmsg m;
	char text[160];

	for (unsigned i = 0; i <= index; i++)
		if (fibmsg_read(&r, &m, NULL))
			return;
	snprintf(
	    msg->text, sizeof(msg->text), "%.100s: %.150s", name_message(&m, text, sizeof(text)), why.text);
}

/* One run over the datagram's messages; the journal holds the steps taken. */
static int run_batch(struct store *s, struct batch *b, struct buf_reader r, uint16_t count, uint16_t *index,
    struct err_msg *msg)
{
	for (*index = 0; *index < count; (*index)++) {
		const uint8_t *start = r.p;
		struct fibmsg m;
		int rc = fibmsg_read(&r, &m, msg);

		if (rc)
			return rc;
		b->bytes = start;
		b->len = (size_t)(r.p - start);
		rc = take_message(s, b, &m, msg);
		if (rc)
			return rc;
	}
	if (buf_reader_left(&r))
		return err_set(msg, ERR_PROTO, "%zu bytes after the last message", buf_reader_left(&r));
	return 0;
}

/* One run over all datagrams; ack names the one at hand and its message. */
static int run_datagrams(struct store *s, struct batch *b, const struct store_datagram *d, unsigned n,
    bool *check, struct fibmsg_ack *ack, struct err_msg *msg)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < n; i++) {
		struct fibmsg_header h;
		struct buf_reader r;

		buf_reader_init(&r, d[i].bytes, d[i].len);
		ack->index = 0;
		rc = fibmsg_read_header(&r, &h, msg);
		if (rc)
			break;
		ack->seq = h.seq;
		*check |= (h.flags & FIBMSG_F_CHECK) != 0;
		rc = run_batch(s, b, r, h.count, &ack->index, msg);
	}
	return rc;
}

/* Is it one datagram of nothing but routes, to be applied and valid? Then *r is at its first message. */
static bool is_route_batch(
    struct store *s, const struct store_datagram *d, unsigned n, struct buf_reader *r, struct fibmsg_ack *ack)
{
	struct fibmsg_header h;

	buf_reader_init(r, d->bytes, d->len);
	if (n != 1 || fibmsg_read_header(r, &h, NULL) || (h.flags & FIBMSG_F_CHECK))
		return false;
	ack->seq = h.seq;
	return store_judge_routes(s, *r, h.count);
}

int store_apply_batches(struct store *s, const struct store_datagram *datagrams, unsigned n,
    enum store_origin origin, struct fibmsg_ack *ack)
{
	struct batch b = {.origin = origin};
	struct err_msg msg = {""};
	struct buf_reader r;
	bool check = false;
	int rc = 0;

	memset(ack, 0, sizeof(*ack));
	if (n > 0 && is_route_batch(s, datagrams, n, &r, ack)) {
		rc = store_run_routes(s, origin, &ack->index, &msg);
		if (rc)
			name_refused(r, ack->index, &msg);
	} else {
		rc = run_datagrams(s, &b, datagrams, n, &check, ack, &msg);
		store_undo_all(s, false);
		if (rc || check)
			goto out;
		b.drive = true;
		rc = run_datagrams(s, &b, datagrams, n, &check, ack, &msg);
	}
	if (rc) {
		store_undo_all(s, true);
		goto out;
	}
	store_journal_commit(s);
	for (unsigned i = 0; i < n && s->backend.committed; i++)
		s->backend.committed(s->backend.arg, origin, datagrams[i].bytes, datagrams[i].len);
out:
	if (rc == 0)
		ack->index = 0;
	ack->code = (uint32_t)-rc;
	snprintf(ack->text, sizeof(ack->text), "%s", msg.text);
	return rc;
}

int store_apply_batch(
    struct store *s, const uint8_t *datagram, size_t len, enum store_origin origin, struct fibmsg_ack *ack)
{
	const struct store_datagram d = {.bytes = datagram, .len = len};

	return store_apply_batches(s, &d, 1, origin, ack);
}
