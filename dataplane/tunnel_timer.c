/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What peers have to do without being asked, and what the workers ask for. Slow thread only. The marks
 * that workers store are looked at when a deadline comes, so that a packet costs no timer.
 */
#include <string.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"

#define ROUNDS_MAX    4 /* actions that follow from actions, in one tick */
#define PATH_RETRY_NS (100 * NSEC_PER_MSEC)

static uint64_t next_deadline_ns = UINT64_MAX;

static uint64_t ticked_ns;

uint64_t tunnel_now_ns(void)
{
	uint64_t now_ns = slow_now_ns();

	return now_ns > ticked_ns ? now_ns : ticked_ns;
}

void tunnel_timer_touch(struct tunnel_peer *p)
{
	p->deadline_ns = 0;
	next_deadline_ns = 0;
}

static struct wg_timer_marks read_marks(const struct tunnel_peer *p)
{
	return (struct wg_timer_marks){
	    .last_rx_ns = atomic_load_explicit(&p->marks.last_rx_ns, memory_order_relaxed),
	    .last_tx_ns = atomic_load_explicit(&p->marks.last_tx_ns, memory_order_relaxed),
	    .unanswered_rx_ns = atomic_load_explicit(&p->marks.unanswered_rx_ns, memory_order_relaxed),
	    .unanswered_tx_ns = atomic_load_explicit(&p->marks.unanswered_tx_ns, memory_order_relaxed),
	};
}

static void give_up(struct tunnel_peer *p)
{
	log_info("tunnel %s: peer %s does not answer, handshake given up until somebody asks for it again",
	    p->tunnel->iface->name, p->name);
	tunnel_queue_drop(p);
	p->attempts = 0;
}

static void act(struct tunnel_peer *p, unsigned due)
{
	if (due & (WG_TIMERS_INITIATE | WG_TIMERS_GIVE_UP))
		atomic_store_explicit(&p->marks.unanswered_tx_ns, 0, memory_order_relaxed);
	if (due & WG_TIMERS_GIVE_UP) /* an answer owed would ask for keys at once again */
		atomic_store_explicit(&p->marks.unanswered_rx_ns, 0, memory_order_relaxed);
	if (due & WG_TIMERS_ZERO)
		tunnel_handshake_drop_keys(p);
	if (due & WG_TIMERS_GIVE_UP)
		give_up(p);
	if (due & WG_TIMERS_INITIATE)
		tunnel_handshake_initiate(p);
	if (due & WG_TIMERS_KEEPALIVE) {
		atomic_store_explicit(&p->marks.unanswered_rx_ns, 0, memory_order_relaxed);
		if (p->current)
			tunnel_queue_send_keepalive(p);
		else
			tunnel_handshake_want(p);
	}
}

static void run_peer(struct tunnel_peer *p, uint64_t now_ns)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		struct wg_timer_marks marks = read_marks(p);
		unsigned due = wg_timers_run(&p->timers, &marks, now_ns, &p->deadline_ns);

		if (!due)
			return;
		act(p, due);
	}
	p->deadline_ns = now_ns + NSEC_PER_SEC;
}

/* A session that was taken over before its line had an address: no handshake will look for the way. */
static void find_path(struct tunnel_peer *p, uint64_t now_ns)
{
	if (!p->current || p->path || tunnel_path_refresh(p) || p->path)
		return;
	if (now_ns + PATH_RETRY_NS < p->deadline_ns)
		p->deadline_ns = now_ns + PATH_RETRY_NS;
}

uint64_t tunnel_tick(uint64_t now_ns)
{
	uint64_t state_ns, pmtu_ns, leave_ns;

	ticked_ns = now_ns;
	state_ns = tunnel_state_tick(now_ns);
	pmtu_ns = tunnel_pmtu_tick(now_ns);
	leave_ns = tunnel_leave_tick(now_ns);
	if (pmtu_ns < state_ns)
		state_ns = pmtu_ns;
	if (leave_ns < state_ns)
		state_ns = leave_ns;

	if (now_ns >= next_deadline_ns) {
		uint64_t next = UINT64_MAX;

		for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
			struct tunnel_peer *p = tunnel_peer_by_index(i);

			if (!p)
				continue;
			if (now_ns >= p->deadline_ns) {
				run_peer(p, now_ns);
				find_path(p, now_ns);
			}
			if (p->deadline_ns < next)
				next = p->deadline_ns;
		}
		next_deadline_ns = next;
	}
	return state_ns < next_deadline_ns ? state_ns : next_deadline_ns;
}

static void handle_event(struct tunnel_peer *p, const struct rte_mbuf *pkt)
{
	struct tunnel_event event;

	memcpy(&event, rte_pktmbuf_mtod(pkt, const void *), sizeof(event));
	/* The session may have ended since, and the peer's index be another's: then nothing moves. */
	if ((event.what & TUNNEL_EVENT_ROAMED) && tunnel_handshake_has_session(p, event.receiver))
		tunnel_path_learn(p, &event.from);
	if (event.what & TUNNEL_EVENT_CONFIRMED)
		tunnel_handshake_confirm(p, event.receiver);
	if (event.what & TUNNEL_EVENT_STALE)
		tunnel_handshake_want(p);
}

void tunnel_handle(struct rte_mbuf *pkt)
{
	struct pkt_meta *m = pkt_meta(pkt);
	struct tunnel_peer *p;

	if (m->op == PKT_HANDSHAKE) {
		tunnel_handshake_input(pkt);
		return;
	}
	if (m->op == PKT_TOO_BIG) {
		tunnel_pmtu_input(pkt);
		return;
	}
	p = tunnel_peer_by_index(m->peer);
	if (m->op == PKT_NEED_SESSION) {
		if (p)
			tunnel_queue_add(p, pkt);
		else
			slow_drop(pkt, DROP_TUNNEL_NO_PEER);
		return;
	}
	if (p && m->op == PKT_TUNNEL_EVENT)
		handle_event(p, pkt);
	rte_pktmbuf_free(pkt);
}

static void follow(struct tunnel_peer *p)
{
	bool moved = tunnel_path_follow(p);

	if (moved)
		log_info("tunnel %s: peer %s now by %s", p->tunnel->iface->name, p->name,
		    iface_by_index(p->path->line)->name);
	/* An authenticated packet from the new address: the peer roams without waiting for data. */
	if (moved && p->current)
		tunnel_queue_send_keepalive(p);
	/* A handshake under way went into the line that died, or had nowhere to go so far. */
	if ((moved || p->without_path) && p->timers.retry_ns && !p->current) {
		p->timers.retry_ns = tunnel_now_ns();
		tunnel_timer_touch(p);
	}
}

void tunnel_timer_follow(const struct tunnel *t)
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p || p->tunnel != t)
			continue;
		follow(p);
		tunnel_path_renew(p);
	}
}

void tunnel_lines_changed(void)
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p)
			follow(p);
	}
	tunnel_mtu_changed();
}
