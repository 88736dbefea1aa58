/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines: their probes' rounds, their verdicts, which one is active. The slow thread's calls are
 * executed by the monitor thread; neighbours are held and let go by the slow thread around them.
 *
 * Pairs of atomics: active_line, line_alive[] and iface.up are stored by the monitor thread
 * (release) after a pass judged; other threads load them as hints (relaxed).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/host.h"
#include "dataplane/monitor_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

struct monitor_line *monitor_lines[MONITOR_LINES];

static _Atomic uint16_t active_line;
static _Atomic bool line_alive[IFACE_MAX];

uint16_t monitor_active_line(void)
{
	return atomic_load_explicit(&active_line, memory_order_relaxed);
}

bool monitor_line_alive(uint16_t iface)
{
	return iface < IFACE_MAX && atomic_load_explicit(&line_alive[iface], memory_order_relaxed);
}

static struct monitor_line *line_by_name(const char *port)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++)
		if (monitor_lines[i] && strcmp(monitor_lines[i]->config.port, port) == 0)
			return monitor_lines[i];
	return NULL;
}

static struct monitor_line *line_by_iface(uint16_t iface)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++)
		if (monitor_lines[i] && monitor_lines[i]->iface == iface)
			return monitor_lines[i];
	return NULL;
}

enum monitor_rank monitor_rank_of_machine(const struct line *l)
{
	switch (l->verdict) {
	case LINE_UP:
		return RANK_UP;
	case LINE_UNKNOWN:
		return RANK_UNKNOWN;
	case LINE_DOWN:
		break;
	}
	if (!l->link_up)
		return RANK_DEAD;
	return l->success_since_ns != LINE_NEVER && l->override_to == LINE_AUTO ? RANK_RETURNING
										: RANK_SILENT;
}

enum monitor_rank monitor_rank_of_iface(uint16_t iface)
{
	const struct monitor_line *l = line_by_iface(iface);
	const struct iface *ifc = iface_by_index(iface);

	if (l)
		return l->rank;
	if (!ifc)
		return RANK_DEAD;
	switch (ifc->kind) {
	case IFACE_PORT:
		return monitor_is_link_up(iface) ? RANK_UP : RANK_DEAD;
	case IFACE_TUNNEL:
		return monitor_rank_of_tunnel(iface);
	case IFACE_HOST:
		return RANK_UP;
	}
	return RANK_DEAD;
}

/* A tunnel without a line of its own follows the active one; with no line at all nothing speaks against it.
 */
enum monitor_rank monitor_rank_of_bound(const char *line)
{
	const struct monitor_line *l = line[0] ? line_by_name(line) : line_by_iface(monitor_active_line());

	if (l)
		return l->rank;
	return line[0] ? RANK_DEAD : RANK_UP;
}

static void run_line(struct monitor_line *l, uint64_t now_ns)
{
	if (line_round_due(&l->line, now_ns))
		monitor_probe_line(l, line_begin_round(&l->line, now_ns));
	line_tick(&l->line, now_ns);
	if (monitor_rank_of_machine(&l->line) != l->rank)
		monitor_set_dirty();
}

void monitor_lines_run(uint64_t now_ns)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++)
		if (monitor_lines[i])
			run_line(monitor_lines[i], now_ns);
}

uint64_t monitor_lines_deadline(void)
{
	uint64_t next = LINE_NEVER, at;

	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		at = monitor_lines[i] ? line_deadline(&monitor_lines[i]->line) : LINE_NEVER;
		next = at < next ? at : next;
	}
	return next;
}

void monitor_lines_link(uint16_t iface, bool up, uint64_t now_ns)
{
	struct monitor_line *l = line_by_iface(iface);
	struct iface *ifc = iface_by_index(iface);

	if (l)
		line_set_link(&l->line, up, now_ns);
	else if (ifc)
		atomic_store_explicit(&ifc->up, up, memory_order_release);
}

static void choose_active(void)
{
	struct line_candidate c[MONITOR_LINES];
	struct monitor_line *at[MONITOR_LINES];
	int current = -1, chosen;
	unsigned n = 0;

	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		struct monitor_line *l = monitor_lines[i];

		if (!l)
			continue;
		if (l->active)
			current = (int)n;
		c[n] = (struct line_candidate){l->line.verdict, l->config.preference, l->config.metered};
		at[n++] = l;
	}
	chosen = line_choose(c, n, current);
	for (unsigned i = 0; i < n; i++)
		at[i]->active = (int)i == chosen;
	atomic_store_explicit(&active_line, chosen >= 0 ? at[chosen]->iface : 0, memory_order_release);
}

void monitor_lines_judge(void)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		struct monitor_line *l = monitor_lines[i];
		struct iface *ifc = l ? iface_by_index(l->iface) : NULL;

		if (!l)
			continue;
		l->rank = monitor_rank_of_machine(&l->line);
		atomic_store_explicit(&line_alive[l->iface], l->rank <= RANK_UNKNOWN, memory_order_release);
		if (ifc)
			atomic_store_explicit(&ifc->up, l->rank <= RANK_UNKNOWN, memory_order_release);
	}
	choose_active();
}

/* Nothing can be probed while no neighbour on the way is known: that is worth a word. */
static bool is_unresolved(const struct monitor_line *l)
{
	for (unsigned i = 0; i < l->line.params.n_targets; i++)
		if (atomic_load_explicit(&l->via[i]->mac, memory_order_relaxed) & NEIGH_MAC_VALID)
			return false;
	return l->line.params.n_targets > 0;
}

static void explain_line(const struct monitor_line *l, const char *reason, char *buf, size_t size)
{
	bool add = l->line.link_up && l->line.probed == LINE_DOWN && is_unresolved(l);

	snprintf(buf, size, "%s%s", reason, add ? "; no gateway answers ARP or ND" : "");
}

static void tell_line(struct monitor_line *l, uint32_t groups_moved, uint32_t took_us)
{
	struct monitor_event e = {
	    .is_line = true, .iface = l->iface, .groups_moved = groups_moved, .took_us = took_us};

	e.verdict = (uint8_t)l->line.verdict;
	e.usable = l->rank <= RANK_UNKNOWN;
	e.when_ns = l->event_waits ? l->event.when_ns : monitor_now_ns();
	snprintf(e.object, sizeof(e.object), "%s", l->config.port);
	if (l->event_waits || l->fresh)
		explain_line(l, l->line.reason, e.reason, sizeof(e.reason));
	else
		snprintf(e.reason, sizeof(e.reason), "%s",
		    l->active ? "now the active line" : "another line is active now");
	if (!monitor_event_add(&e)) {
		monitor_set_dirty(); /* no room: the next pass tries again */
		return;
	}
	l->event_waits = l->fresh = false;
	l->told_active = l->active;
}

void monitor_lines_tell(uint32_t groups_moved, uint32_t took_us)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		struct monitor_line *l = monitor_lines[i];

		if (!l)
			continue;
		if (line_take_event(&l->line, &l->event))
			l->event_waits = true;
		if (l->event_waits || l->fresh || l->active != l->told_active)
			tell_line(l, groups_moved, took_us);
	}
}

/* --- the slow thread's calls --- */

struct line_call {
	struct monitor_line *made; /* by the slow thread */
	const char *port;
	struct monitor_line *gone; /* for the slow thread to free */
	int err;
};

static int params_of(const struct fibmsg_line *config, struct line_params *p)
{
	struct err_msg msg;
	int err;

	*p = line_params_from_ms(
	    config->interval_ms, config->timeout_ms, config->hold_down_ms, config->down_after);
	p->n_targets = config->n_targets;
	memcpy(p->targets, config->targets, sizeof(p->targets));
	static_assert(LINE_TARGETS == FIBMSG_LIST, "as many targets as the contract carries");
	if (!config->n_targets) { /* the gateways serve */
		if (config->gateway4.family)
			p->targets[p->n_targets++] = config->gateway4;
		if (config->gateway6.family)
			p->targets[p->n_targets++] = config->gateway6;
	}
	err = line_check(p, &msg);
	if (err)
		log_err("line %s: %s", config->port, msg.text);
	return err;
}

/* Slow thread: through which neighbour each target is probed: the gateway of its family, or else itself. */
static int find_ways(struct monitor_line *l, const struct line_params *p)
{
	for (unsigned i = 0; i < p->n_targets; i++) {
		const struct ip_addr *t = &p->targets[i];
		const struct ip_addr *gw = t->family == IP_V4 ? &l->config.gateway4 : &l->config.gateway6;

		l->via[i] = neigh_get(l->iface, gw->family ? gw : t, true);
		if (!l->via[i])
			return ERR_NOMEM;
	}
	return 0;
}

/* Slow thread. */
static void line_free(struct monitor_line *l)
{
	for (unsigned i = 0; l && i < LINE_TARGETS; i++)
		if (l->via[i])
			neigh_put(l->via[i]);
	free(l);
}

/* The machine of a line that exists goes on in the new object. */
static void call_set(void *arg)
{
	struct line_call *c = arg;
	struct monitor_line *l = c->made, *was = line_by_name(l->config.port);
	struct line_params p = l->line.params;
	unsigned slot = 0;

	monitor_look_at_link(l->iface);
	while (slot < MONITOR_LINES && (was ? monitor_lines[slot] != was : monitor_lines[slot] != NULL))
		slot++;
	if (slot == MONITOR_LINES) {
		c->err = ERR_FULL;
		return;
	}
	if (was) {
		l->line = was->line;
		l->event = was->event;
		l->event_waits = was->event_waits;
		l->active = was->active;
		l->told_active = was->told_active;
		l->fresh = was->fresh;
		line_set_params(&l->line, &p, monitor_now_ns());
		line_set_link(&l->line, monitor_is_link_up(l->iface), monitor_now_ns());
	} else {
		line_init(&l->line, &p, monitor_is_link_up(l->iface), monitor_now_ns());
		l->fresh = true;
	}
	line_set_override(&l->line, (enum line_override)l->config.override_to, monitor_now_ns());
	l->slot = (uint16_t)slot;
	c->gone = was;
	monitor_lines[slot] = l;
	monitor_set_dirty();
}

int monitor_line_set(const struct fibmsg_line *config, uint16_t iface)
{
	struct monitor_line *l = calloc(1, sizeof(*l));
	struct line_call c = {.made = l};

	if (!l)
		return ERR_NOMEM;
	l->config = *config;
	l->iface = iface;
	c.err = params_of(config, &l->line.params);
	if (!c.err)
		c.err = find_ways(l, &l->line.params);
	if (!c.err)
		monitor_call(call_set, &c);
	line_free(c.err ? l : c.gone);
	return c.err;
}

static void call_del(void *arg)
{
	struct line_call *c = arg;
	struct iface *ifc;

	c->gone = line_by_name(c->port);
	if (!c->gone)
		return;
	monitor_lines[c->gone->slot] = NULL;
	atomic_store_explicit(&line_alive[c->gone->iface], false, memory_order_release);
	ifc = iface_by_index(c->gone->iface);
	if (ifc) /* a port without a line is as good as its link */
		atomic_store_explicit(&ifc->up, monitor_is_link_up(c->gone->iface), memory_order_release);
	monitor_set_dirty();
}

void monitor_line_del(const char *port)
{
	struct line_call c = {.port = port};

	monitor_call(call_del, &c);
	line_free(c.gone);
}

struct row_call {
	unsigned index;
	struct fibmsg_row_line *row;
	int err;
};

static void line_fill_row(const struct monitor_line *l, struct fibmsg_row_line *row)
{
	char text[LINE_EXPLAIN];

	*row = (struct fibmsg_row_line){
	    .verdict = (uint8_t)l->line.verdict,
	    .active = l->active,
	    .link_up = l->line.link_up,
	    .override_to = l->config.override_to,
	    .preference = l->config.preference,
	    .since_ns = monitor_now_ns() - l->line.since_ns,
	    .rtt_us = (uint32_t)(l->line.rtt_ns / NSEC_PER_USEC),
	    .jitter_us = (uint32_t)(l->line.jitter_ns / NSEC_PER_USEC),
	    .loss_permille = (uint16_t)line_loss_permille(&l->line),
	    .probes_sent = l->line.probes_sent,
	    .probes_answered = l->line.probes_answered,
	};
	memcpy(row->port, l->config.port, sizeof(row->port));
	explain_line(l, line_explain(&l->line, monitor_now_ns(), text), row->reason, sizeof(row->reason));
}

static void call_row(void *arg)
{
	struct row_call *c = arg;
	unsigned left = c->index;

	c->err = ERR_NOENT;
	for (unsigned i = 0; i < MONITOR_LINES && c->err; i++) {
		if (!monitor_lines[i] || left--)
			continue;
		line_fill_row(monitor_lines[i], c->row);
		c->err = 0;
	}
}

int monitor_line_row(unsigned index, struct fibmsg_row_line *row)
{
	struct row_call c = {.index = index, .row = row};

	monitor_call(call_row, &c);
	return c.err;
}

void monitor_lines_clear(void)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		line_free(monitor_lines[i]);
		monitor_lines[i] = NULL;
	}
	atomic_store_explicit(&active_line, 0, memory_order_release);
	for (unsigned i = 0; i < IFACE_MAX; i++)
		atomic_store_explicit(&line_alive[i], false, memory_order_relaxed);
}
