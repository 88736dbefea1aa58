/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that show what the dataplane tells: ports, tunnels, lines, drops, version. A listing may take two
 * queries, the first one's rows being nested in the second's. Control's only thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl_commands.h"
#include "control/ctl_rows.h"
#include "control/daemon.h"
#include "control/endpoints.h"
#include "control/fibfeed.h"
#include "lib/nsec.h"

struct show {
	uint32_t query;		/* that runs now */
	enum fibmsg_query then; /* after the first one */
	const char *nest_key, *by,
	    *nest_as; /* rows of the first one go, grouped by nest_key, to rows whose `by` is equal */
};

static void on_cancel(struct ctl_request *q)
{
	struct show *s = q->state;

	fibfeed_cancel(q->daemon->feed, s->query);
}

static void on_row(void *arg, const struct fibmsg *m)
{
	ctl_row(arg, ctl_rows_from_fibmsg(m));
}

static void on_done(void *arg, int code, const char *text)
{
	struct ctl_request *q = arg;

	if (code == 0)
		ctl_done(q);
	else
		ctl_fail(q, ctl_code(code), NULL, "%s", text);
}

static void fail_unconnected(struct ctl_request *q)
{
	ctl_fail(q, "no-dataplane", NULL, "the dataplane is %s", fibfeed_state_text(q->daemon->feed));
}

static void ask(struct ctl_request *q, enum fibmsg_query kind, void (*row)(void *, const struct fibmsg *),
    fibfeed_done_fn done)
{
	const struct fibmsg_query_msg query = {.kind = (uint8_t)kind};
	struct show *s = q->state;

	if (s == NULL) {
		s = q->state = calloc(1, sizeof(*s));
		if (s == NULL)
			abort();
	}
	q->cancel = on_cancel;
	if (fibfeed_query(q->daemon->feed, &query, row, done, q, &s->query) != 0) {
		q->cancel = NULL;
		fail_unconnected(q);
	}
}

/* What the dataplane does not know of a peer, beside what it does. */
static json_t *noted_row(const struct ctl_request *q, const struct fibmsg *m)
{
	json_t *row = ctl_rows_from_fibmsg(m);

	if (m->type == FIBMSG_ROW_PEER)
		endpoints_note(q->daemon->endpoints, &m->u.row_peer, row);
	return row;
}

/* Rows of the first query, as arrays by the value of nest_key, wait in q->json. */
static void on_nested_row(void *arg, const struct fibmsg *m)
{
	struct ctl_request *q = arg;
	const struct show *s = q->state;
	json_t *row = noted_row(q, m);
	const char *key = json_string_value(json_object_get(row, s->nest_key));
	json_t *list = json_object_get(q->json, key);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(q->json, key, list);
	}
	json_array_append_new(list, row);
}

static void on_outer_row(void *arg, const struct fibmsg *m)
{
	struct ctl_request *q = arg;
	const struct show *s = q->state;
	json_t *row = ctl_rows_from_fibmsg(m);
	json_t *list = json_object_get(q->json, json_string_value(json_object_get(row, s->by)));

	json_object_set_new(row, s->nest_as, list != NULL ? json_incref(list) : json_array());
	ctl_row(q, row);
}

static void on_nested_done(void *arg, int code, const char *text)
{
	struct ctl_request *q = arg;
	const struct show *s = q->state;

	if (code != 0)
		ctl_fail(q, ctl_code(code), NULL, "%s", text);
	else
		ask(q, s->then, on_outer_row, on_done);
}

static void ask_nested(struct ctl_request *q, enum fibmsg_query first, const char *nest_key,
    enum fibmsg_query then, const char *nest_as)
{
	struct show *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->then = then;
	s->nest_key = nest_key;
	s->by = "name";
	s->nest_as = nest_as;
	q->state = s;
	q->json = json_object();
	ask(q, first, on_nested_row, on_nested_done);
}

void ctl_show_ports(struct ctl_request *q)
{
	ask_nested(q, FIBMSG_QUERY_ADDRESSES, "iface", FIBMSG_QUERY_PORTS, "addresses");
}

void ctl_show_tunnels(struct ctl_request *q)
{
	ask_nested(q, FIBMSG_QUERY_PEERS, "tunnel", FIBMSG_QUERY_TUNNELS, "peers");
}

void ctl_show_wan_events(struct ctl_request *q)
{
	ask(q, FIBMSG_QUERY_EVENTS, on_row, on_done);
}

void ctl_show_drops(struct ctl_request *q)
{
	ask(q, FIBMSG_QUERY_DROPS, on_row, on_done);
}

/* The verdict is the dataplane's; beside it stands what control asked for. */
static void on_line_row(void *arg, const struct fibmsg *m)
{
	struct ctl_request *q = arg;
	const struct config_port *p = config_find_port(q->daemon->config, m->u.row_line.port);
	json_t *row = ctl_rows_from_fibmsg(m);

	json_object_set_new(row, "active", json_boolean(m->u.row_line.active != 0));
	if (p != NULL) {
		json_t *gateways = json_array();

		for (size_t i = 0; i < p->gateways.n; i++)
			json_array_append_new(gateways, ctl_rows_addr(&p->gateways.v[i]));
		json_object_set_new(row, "gateways", gateways);
		json_object_set_new(row, "metered", json_boolean(p->metered));
		json_object_set_new(row, "probe",
		    json_pack("{s:I, s:I, s:i, s:I}", "interval-ns",
			(json_int_t)(p->probe->interval_ms * NSEC_PER_MSEC), "timeout-ns",
			(json_int_t)(p->probe->timeout_ms * NSEC_PER_MSEC), "down-after",
			(int)p->probe->down_after, "hold-down-ns",
			(json_int_t)(p->probe->hold_down_ms * NSEC_PER_MSEC)));
	}
	ctl_row(q, row);
}

void ctl_show_wan(struct ctl_request *q)
{
	ask(q, FIBMSG_QUERY_LINES, on_line_row, on_done);
}

static void on_version_row(void *arg, const struct fibmsg *m)
{
	json_t *row = ctl_rows_from_fibmsg(m);

	json_object_set_new(row, "process", json_string("dataplane"));
	ctl_row(arg, row);
}

static json_t *control_row(const struct daemon *d)
{
	const uint64_t now = nsec_monotonic();
	struct rib_totals totals;
	json_t *refused = json_array();
	const char *why;
	char name[160];

	rib_get_totals(d->rib, &totals);
	for (size_t i = 0; fibfeed_refused(d->feed, i, name, sizeof(name), &why); i++)
		json_array_append_new(refused,
		    json_pack("{s:o, s:o}", "object", ctl_rows_text(name), "reason", ctl_rows_text(why)));
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:o}", "process", "control",
	    "program", "byway-control " BYWAY_VERSION, "name", ctl_rows_text(d->config->router->name),
	    "config", ctl_rows_text(d->options.config_path), "uptime-ns", (json_int_t)(now - d->started_ns),
	    "configured-ns", (json_int_t)(now - d->configured_ns), "dataplane",
	    ctl_rows_text(fibfeed_state_text(d->feed)), "prefixes", (json_int_t)totals.prefixes, "routes",
	    (json_int_t)totals.candidates, "groups", (json_int_t)totals.groups, "unsent",
	    (json_int_t)totals.waiting, "refused", refused);
}

/* Works without a dataplane, too: then control's row says so. */
void ctl_show_version(struct ctl_request *q)
{
	ctl_row(q, control_row(q->daemon));
	if (fibfeed_is_connected(q->daemon->feed))
		ask(q, FIBMSG_QUERY_VERSION, on_version_row, on_done);
	else
		ctl_done(q);
}
