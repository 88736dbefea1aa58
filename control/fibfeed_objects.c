/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration objects of the FIB feed: wanted against sent, and those that the dataplane refused.
 * Control's only thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/fibfeed_internal.h"
#include "lib/log.h"

/* why NULL: it is not refused (any more). */
static void set_refused(struct fibfeed *f, struct fibfeed_object *o, const char *why)
{
	f->n_refused -= o->refused != NULL;
	free(o->refused);
	o->refused = NULL;
	if (why == NULL)
		return;
	f->n_refused++;
	o->refused = strdup(why);
	if (o->refused == NULL)
		abort();
}

static void release(struct fibfeed *f, struct fibfeed_object *o)
{
	set_refused(f, o, NULL);
	free(o->held);
	o->held = NULL;
}

/* Did the dataplane accept it? Its answers come in order. */
static bool is_accepted(const struct fibfeed *f, const struct fibfeed_object *o)
{
	const struct fibfeed_flight *oldest = TAILQ_FIRST(&f->flights);

	return o->sent && o->refused == NULL && (oldest == NULL || (int32_t)(oldest->seq - o->seq) > 0);
}

/* Before `set` changes. */
static void keep_held(const struct fibfeed *f, struct fibfeed_object *o)
{
	if (!is_accepted(f, o) && !o->holds_set)
		return;
	o->holds_set = false;
	if (o->held == NULL)
		o->held = malloc(sizeof(*o->held));
	if (o->held == NULL)
		abort();
	*o->held = o->set;
}

/* What becomes of an object that the new configuration does not have: it goes, or waits for its DEL. */
static void retire(struct fibfeed *f, struct fibfeed_object *old, struct fibfeed_object **out)
{
	if (!old->sent && old->held == NULL) {
		release(f, old);
		return;
	}
	**out = *old;
	(*out)->gone = true;
	(*out)++;
}

static void take_new(const struct fibmsg *set, struct fibfeed_object **out)
{
	memset(*out, 0, sizeof(**out));
	(*out)->set = *set;
	(*out)++;
}

static void take_both(
    struct fibfeed *f, struct fibfeed_object *old, const struct fibmsg *set, struct fibfeed_object **out)
{
	**out = *old;
	(*out)->gone = false;
	if (memcmp(&old->set, set, sizeof(*set)) != 0) {
		keep_held(f, *out);
		(*out)->set = *set;
		(*out)->sent = false;
		(*out)->retry = false;
		set_refused(f, *out, NULL);
	}
	(*out)++;
}

void fibfeed_set_objects(struct fibfeed *f, struct config_objects *o)
{
	struct fibfeed_object *merged = calloc(f->n_objects + o->n + 1, sizeof(*merged)), *out = merged;
	size_t i = 0, j = 0;

	if (merged == NULL)
		abort();
	while (i < f->n_objects || j < o->n) {
		const int d = i == f->n_objects ? 1
			      : j == o->n	? -1
						: config_objects_compare(&f->objects[i].set, &o->v[j]);

		if (d < 0)
			retire(f, &f->objects[i++], &out);
		else if (d > 0)
			take_new(&o->v[j++], &out);
		else
			take_both(f, &f->objects[i++], &o->v[j++], &out);
	}
	free(f->objects);
	free(o->v);
	memset(o, 0, sizeof(*o));
	f->objects = merged;
	f->n_objects = (size_t)(out - merged);
	f->next_object = 0;
	f->next_gone = f->n_objects;
	fibfeed_kick(f);
}

void fibfeed_objects_forget_sent(struct fibfeed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_objects; i++) {
		struct fibfeed_object *o = &f->objects[i];

		if (o->gone) { /* the sync does not name it, so the dataplane sweeps it */
			release(f, o);
			continue;
		}
		o->holds_set = o->holds_set || is_accepted(f, o);
		o->held_sent = false;
		o->sent = false;
		o->repeat = false;
		o->retry = false;
		if (n != i)
			f->objects[n] = *o;
		n++;
	}
	f->n_objects = n;
	f->next_object = 0;
	f->next_gone = n;
}

void fibfeed_objects_free(struct fibfeed *f)
{
	for (size_t i = 0; i < f->n_objects; i++)
		release(f, &f->objects[i]);
	free(f->objects);
	f->objects = NULL;
	f->n_objects = 0;
}

const char *fibfeed_iface_fault(const struct fibfeed *f, const char *iface)
{
	for (size_t i = 0; i < f->n_objects && f->n_refused > 0; i++) {
		const struct fibfeed_object *o = &f->objects[i];

		if (o->refused == NULL || o->held != NULL)
			continue;
		if ((o->set.type == FIBMSG_SET_PORT && strcmp(o->set.u.port.name, iface) == 0) ||
		    (o->set.type == FIBMSG_SET_TUNNEL && strcmp(o->set.u.tunnel.name, iface) == 0))
			return o->refused;
	}
	return NULL;
}

/* Sending it would only be refused: what it needs was. */
static bool must_wait(const struct fibfeed *f, const struct fibfeed_object *o)
{
	const char *needs = config_objects_needs(&o->set);

	return needs != NULL && fibfeed_iface_fault(f, needs) != NULL;
}

/* Refused, and the sync would sweep what the dataplane holds of it. */
static bool must_name_held(const struct fibfeed *f, const struct fibfeed_object *o)
{
	return f->phase == FIBFEED_SYNCING && o->refused != NULL && !o->retry && !o->gone &&
	       o->held != NULL && !o->held_sent;
}

bool fibfeed_objects_next_set(struct fibfeed *f, struct fibmsg *m, bool *alone)
{
	for (; f->next_object < f->n_objects; f->next_object++) {
		struct fibfeed_object *o = &f->objects[f->next_object];

		o->held_last = must_name_held(f, o);
		if (!o->held_last &&
		    ((o->sent && !o->repeat) || o->gone || (o->refused != NULL && !o->retry)))
			continue;
		if (must_wait(f, o))
			continue;
		o->held_sent = o->held_sent || o->held_last;
		o->sent = o->sent || !o->held_last;
		o->repeat = false;
		o->seq = f->seq + 1;
		*alone = o->retry;
		*m = o->held_last ? *o->held : o->set;
		f->next_object++;
		return true;
	}
	return false;
}

void fibfeed_objects_unget(struct fibfeed *f)
{
	struct fibfeed_object *o = &f->objects[--f->next_object];

	if (o->held_last)
		o->held_sent = false;
	else
		o->sent = false;
}

void fibfeed_objects_forget_held(struct fibfeed *f)
{
	for (size_t i = 0; i < f->n_objects; i++) {
		free(f->objects[i].held);
		f->objects[i].held = NULL;
		f->objects[i].sent = f->objects[i].holds_set = false;
	}
}

bool fibfeed_objects_next_del(struct fibfeed *f, struct fibmsg *m)
{
	while (f->next_gone > 0) {
		struct fibfeed_object *o = &f->objects[f->next_gone - 1];
		bool found;

		f->next_gone--;
		if (!o->gone)
			continue;
		found = config_objects_delete(&o->set, m);
		release(f, o);
		memmove(o, o + 1, (f->n_objects - f->next_gone - 1) * sizeof(*o));
		f->n_objects--;
		f->next_object = 0;
		if (found)
			return true;
	}
	return false;
}

void fibfeed_repeat_tunnels(struct fibfeed *f)
{
	for (size_t i = 0; i < f->n_objects; i++) {
		const uint16_t type = f->objects[i].set.type;

		f->objects[i].repeat =
		    type == FIBMSG_SET_TUNNEL || type == FIBMSG_SET_PEER || type == FIBMSG_SET_ALLOWED_IP;
		f->objects[i].holds_set = f->objects[i].holds_set || is_accepted(f, &f->objects[i]);
	}
	f->next_object = 0;
	fibfeed_kick(f);
}

static struct fibfeed_object *find(struct fibfeed *f, const struct fibmsg *m)
{
	for (size_t i = 0; i < f->n_objects; i++) {
		if (f->objects[i].set.type == m->type && config_objects_compare(&f->objects[i].set, m) == 0)
			return &f->objects[i];
	}
	return NULL;
}

bool fibfeed_objects_refuse(struct fibfeed *f, const struct fibmsg *m, const char *why)
{
	struct fibfeed_object *o = find(f, m);
	char name[160];

	if (o == NULL)
		return false;
	if (o->refused == NULL || strcmp(o->refused, why) != 0)
		log_err("dataplane refused %s: %s", config_objects_name(m, name, sizeof(name)), why);
	if (o->held_last || o->holds_set) { /* neither what it held, nor what it may have held before that */
		free(o->held);
		o->held = NULL;
	}
	if (!o->held_last)
		set_refused(f, o, why);
	o->sent = false;
	o->retry = false;
	o->held_last = o->holds_set = false;
	f->next_object = 0; /* what is held is to be named now */
	return true;
}

bool fibfeed_objects_accept(struct fibfeed *f, const struct fibmsg *m)
{
	struct fibfeed_object *o = find(f, m);
	char name[160];

	if (o == NULL || o->refused == NULL || o->held_last)
		return false;
	log_info("dataplane accepted %s at last", config_objects_name(m, name, sizeof(name)));
	set_refused(f, o, NULL);
	o->retry = false;
	return true;
}

void fibfeed_objects_retry(struct fibfeed *f)
{
	for (size_t i = 0; i < f->n_objects; i++)
		f->objects[i].retry = f->objects[i].refused != NULL;
	f->next_object = 0;
}

bool fibfeed_refused(const struct fibfeed *f, size_t i, char *name, size_t size, const char **why)
{
	for (size_t j = 0; j < f->n_objects; j++) {
		if (f->objects[j].refused == NULL || i-- > 0)
			continue;
		config_objects_name(&f->objects[j].set, name, size);
		*why = f->objects[j].refused;
		return true;
	}
	return false;
}
