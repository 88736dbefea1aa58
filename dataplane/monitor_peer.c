/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnel peers as the monitor thread judges them: by the probe through the tunnel where there is
 * one, and by the line that carries the tunnel. The slow thread's calls are executed by the monitor thread.
 *
 * Pair of atomics: peer_usable[] is stored by the monitor thread (release) after a pass judged; other
 * threads load it as a hint (relaxed).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/monitor_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

struct monitor_peer *monitor_peers[MONITOR_PEERS];
unsigned monitor_peers_end;

static _Atomic bool peer_usable[MONITOR_PEERS];

bool monitor_peer_usable(uint16_t peer_index)
{
	return atomic_load_explicit(&peer_usable[peer_index], memory_order_relaxed);
}

static enum monitor_rank rank_under(const struct monitor_peer *p)
{
	enum monitor_rank own = monitor_rank_of_bound(p->bound), other;

	if (!p->fallback || own == RANK_UP)
		return own;
	other = monitor_rank_of_bound("");
	return other < own ? other : own;
}

/* The worse of the two: the tunnel cannot be better than the line under it. */
static enum monitor_rank rank_now(const struct monitor_peer *p)
{
	enum monitor_rank under = rank_under(p), own = RANK_UP;

	if (p->probed) {
		own = monitor_rank_of_machine(&p->line);
		if (own == RANK_SILENT)
			own = RANK_DEAD; /* no use in sending into a tunnel whose far end is gone */
	}
	return own > under ? own : under;
}

enum monitor_rank monitor_rank_of_peer(uint16_t index)
{
	return monitor_peers[index] ? monitor_peers[index]->rank : RANK_DEAD;
}

enum monitor_rank monitor_rank_of_tunnel(uint16_t iface)
{
	enum monitor_rank best = RANK_DEAD;

	for (unsigned i = 0; i < monitor_peers_end; i++) {
		const struct monitor_peer *p = monitor_peers[i];

		if (p && p->iface == iface && p->rank < best)
			best = p->rank;
	}
	return best;
}

void monitor_peers_run(uint64_t now_ns)
{
	for (unsigned i = 0; i < monitor_peers_end; i++) {
		struct monitor_peer *p = monitor_peers[i];

		if (!p || !p->probed)
			continue;
		if (line_round_due(&p->line, now_ns))
			monitor_probe_peer(p, line_begin_round(&p->line, now_ns));
		line_tick(&p->line, now_ns);
		if (rank_now(p) != p->rank)
			monitor_set_dirty();
	}
}

uint64_t monitor_peers_deadline(void)
{
	uint64_t next = LINE_NEVER, at;

	for (unsigned i = 0; i < monitor_peers_end; i++) {
		const struct monitor_peer *p = monitor_peers[i];

		at = p && p->probed ? line_deadline(&p->line) : LINE_NEVER;
		next = at < next ? at : next;
	}
	return next;
}

/* A thousand peers are judged for each of them that is made: one pass over all, whatever their tunnels. */
void monitor_peers_judge(void)
{
	static uint8_t best[IFACE_MAX]; /* of tunnels that have peers; monitor thread only */

	for (unsigned i = 0; i < monitor_peers_end; i++)
		if (monitor_peers[i])
			best[monitor_peers[i]->iface] = RANK_DEAD;
	for (unsigned i = 0; i < monitor_peers_end; i++) {
		struct monitor_peer *p = monitor_peers[i];

		if (!p)
			continue;
		p->rank = rank_now(p);
		atomic_store_explicit(&peer_usable[i], p->rank <= RANK_UNKNOWN, memory_order_release);
		if (p->rank < best[p->iface])
			best[p->iface] = (uint8_t)p->rank;
	}
	for (unsigned i = 0; i < monitor_peers_end; i++) {
		struct monitor_peer *p = monitor_peers[i];
		struct iface *ifc = p ? iface_by_index(p->iface) : NULL;

		if (ifc)
			atomic_store_explicit(&ifc->up, best[p->iface] <= RANK_UNKNOWN, memory_order_release);
	}
}

/* What control is told: a way that answers again is one when there is no other, so its routes return before
 * its hold-down is served. Which member of a group serves is not control's to say. */
static bool is_usable(const struct monitor_peer *p)
{
	return p->rank <= RANK_RETURNING;
}

/* Why it is as it is: its own probe where that decides, else the line under it. */
static void explain(const struct monitor_peer *p, char *buf, size_t size)
{
	bool by_line = p->rank > RANK_UNKNOWN && (!p->probed || p->line.verdict != LINE_DOWN);
	const char *line = p->bound[0] ? p->bound : "the active line";

	if (p->rank == RANK_RETURNING)
		snprintf(buf, size, "%s answers again, its hold-down is not served", by_line ? line : "it");
	else if (by_line)
		snprintf(buf, size, "%s is down", line);
	else
		snprintf(buf, size, "%s", p->probed ? p->line.reason : "not probed");
}

/* False: no room for an event. */
static bool tell_peer(struct monitor_peer *p, uint32_t groups_moved, uint32_t took_us)
{
	struct monitor_event e = {
	    .iface = p->iface, .peer_index = p->index, .groups_moved = groups_moved, .took_us = took_us};

	e.verdict = (uint8_t)(p->probed ? p->line.verdict : LINE_UNKNOWN);
	e.usable = is_usable(p);
	e.when_ns = monitor_now_ns();
	snprintf(e.object, sizeof(e.object), "%s/%.*s", p->tunnel, (int)(sizeof(e.object) - FIBMSG_NAME - 1),
	    p->name);
	explain(p, e.reason, sizeof(e.reason));
	if (!monitor_event_add(&e)) {
		monitor_set_dirty(); /* the next pass tries again */
		return false;
	}
	p->fresh = false;
	p->told_verdict = (enum line_verdict)e.verdict;
	p->told_usable = e.usable;
	return true;
}

void monitor_peers_tell(uint32_t groups_moved, uint32_t took_us)
{
	struct line_event event;
	bool room = true;

	for (unsigned i = 0; i < monitor_peers_end; i++) {
		struct monitor_peer *p = monitor_peers[i];

		if (!p)
			continue;
		if (p->probed)
			line_take_event(&p->line, &event);
		if (room && (p->fresh || p->told_usable != is_usable(p) ||
				(p->probed && p->told_verdict != p->line.verdict)))
			room = tell_peer(p, groups_moved, took_us);
	}
}

/* --- the slow thread's calls --- */

struct peer_call {
	struct monitor_peer *made, *gone;
	uint16_t index;
};

/* The machine of a peer whose probe stays the same goes on in the new object. */
static void call_set(void *arg)
{
	struct peer_call *c = arg;
	struct monitor_peer *p = c->made, *was = monitor_peers[p->index];
	struct line_params params = p->line.params;

	p->fresh = true;
	if (was) {
		p->fresh = was->fresh;
		p->told_usable = was->told_usable;
		p->told_verdict = was->told_verdict;
	}
	if (was && was->probed && p->probed) {
		p->line = was->line;
		line_set_params(&p->line, &params, monitor_now_ns());
	} else if (p->probed) {
		line_init(&p->line, &params, true, monitor_now_ns());
	}
	c->gone = was;
	monitor_peers[p->index] = p;
	if (p->index >= monitor_peers_end)
		monitor_peers_end = p->index + 1u;
	monitor_set_dirty();
}

int monitor_peer_set(const struct fibmsg_peer *config, uint16_t iface, uint16_t peer_index,
    const char *bound_line, bool fallback)
{
	struct monitor_peer *p = calloc(1, sizeof(*p));
	struct peer_call c = {.made = p};
	struct err_msg msg;
	int err = 0;

	if (!p)
		return ERR_NOMEM;
	p->index = peer_index;
	p->iface = iface;
	p->target = config->probe;
	p->fallback = fallback;
	p->probed = config->probe.family != IP_NONE;
	snprintf(p->tunnel, sizeof(p->tunnel), "%s", config->tunnel);
	snprintf(p->name, sizeof(p->name), "%s", config->name);
	snprintf(p->bound, sizeof(p->bound), "%s", bound_line ? bound_line : "");
	p->line.params = line_params_from_ms(
	    config->interval_ms, config->timeout_ms, config->hold_down_ms, config->down_after);
	p->line.params.n_targets = 1;
	p->line.params.targets[0] = config->probe;
	if (p->probed)
		err = line_check(&p->line.params, &msg);
	if (err) {
		log_err("peer %s of %s: %s", p->name, p->tunnel, msg.text);
		free(p);
		return err;
	}
	monitor_call(call_set, &c);
	free(c.gone);
	return 0;
}

static void call_del(void *arg)
{
	struct peer_call *c = arg;
	struct iface *ifc;

	c->gone = monitor_peers[c->index];
	if (!c->gone)
		return;
	monitor_peers[c->index] = NULL;
	atomic_store_explicit(&peer_usable[c->index], false, memory_order_release);
	while (monitor_peers_end && !monitor_peers[monitor_peers_end - 1])
		monitor_peers_end--;
	ifc = iface_by_index(c->gone->iface);
	if (ifc)
		atomic_store_explicit(
		    &ifc->up, monitor_rank_of_tunnel(c->gone->iface) <= RANK_UNKNOWN, memory_order_release);
	monitor_set_dirty();
}

void monitor_peer_del(uint16_t peer_index)
{
	struct peer_call c = {.index = peer_index};

	monitor_call(call_del, &c);
	free(c.gone);
}

struct verdict_call {
	uint16_t index;
	struct fibmsg_row_peer *row;
	int err;
};

static void call_verdict(void *arg)
{
	struct verdict_call *c = arg;
	const struct monitor_peer *p = monitor_peers[c->index];

	c->err = p ? 0 : ERR_NOENT;
	if (!p)
		return;
	explain(p, c->row->reason, sizeof(c->row->reason));
	if (!p->probed)
		return;
	c->row->verdict = (uint8_t)p->line.verdict;
	c->row->since_ns = monitor_now_ns() - p->line.since_ns;
	c->row->rtt_us = (uint32_t)(p->line.rtt_ns / NSEC_PER_USEC);
	c->row->loss_permille = (uint16_t)line_loss_permille(&p->line);
}

int monitor_peer_verdict(uint16_t peer_index, struct fibmsg_row_peer *row)
{
	struct verdict_call c = {.index = peer_index, .row = row};

	row->verdict = FIBMSG_VERDICT_UNKNOWN;
	row->since_ns = 0;
	row->rtt_us = 0;
	row->loss_permille = 0;
	row->reason[0] = 0;
	monitor_call(call_verdict, &c);
	return c.err;
}

void monitor_peers_clear(void)
{
	for (unsigned i = 0; i < monitor_peers_end; i++) {
		free(monitor_peers[i]);
		monitor_peers[i] = NULL;
		atomic_store_explicit(&peer_usable[i], false, memory_order_relaxed);
	}
	monitor_peers_end = 0;
}
