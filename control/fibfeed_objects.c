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

/* What becomes of an object that the new configuration does not have: it goes, or waits for its DEL. */
static void retire(struct fibfeed *f, struct fibfeed_object *old, struct fibfeed_object **out)
{
	if (!old->sent) {
		set_refused(f, old, NULL);
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
	f->has_stashed = false; /* whatever waited is found again */
	fibfeed_kick(f);
}

void fibfeed_objects_forget_sent(struct fibfeed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_objects; i++) {
		struct fibfeed_object *o = &f->objects[i];

		if (o->gone) { /* the sync does not name it, so the dataplane sweeps it */
			set_refused(f, o, NULL);
			continue;
		}
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
		free(f->objects[i].refused);
	free(f->objects);
	f->objects = NULL;
	f->n_objects = 0;
}

const char *fibfeed_iface_fault(const struct fibfeed *f, const char *iface)
{
	for (size_t i = 0; i < f->n_objects && f->n_refused > 0; i++) {
		const struct fibfeed_object *o = &f->objects[i];

		if (o->refused == NULL)
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

bool fibfeed_objects_next_set(struct fibfeed *f, struct fibmsg *m, bool *alone)
{
	for (; f->next_object < f->n_objects; f->next_object++) {
		struct fibfeed_object *o = &f->objects[f->next_object];

		if ((o->sent && !o->repeat) || o->gone || (o->refused != NULL && !o->retry) ||
		    must_wait(f, o))
			continue;
		o->sent = true;
		o->repeat = false;
		*alone = o->retry;
		*m = o->set;
		f->next_object++;
		return true;
	}
	return false;
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
		set_refused(f, o, NULL);
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
	set_refused(f, o, why);
	o->sent = false;
	o->retry = false;
	return true;
}

bool fibfeed_objects_accept(struct fibfeed *f, const struct fibmsg *m)
{
	struct fibfeed_object *o = find(f, m);
	char name[160];

	if (o == NULL || o->refused == NULL)
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
