/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that wait for a session: a few a peer and not many in all, since each holds a buffer that ports
 * need. The newest stay, as in Linux: what is old nobody waits for any more. Slow thread only.
 */
#include <string.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"

static unsigned waiting; /* of all peers */

/* Into the peer's tunnel by a worker; stops waiting. */
static void inject_into_tunnel(struct tunnel_peer *p, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct pkt_meta *m = pkt_meta(pkts[i]);

		m->op = PKT_TUNNEL_OUT;
		m->out = p->iface;
		m->peer = p->index;
		m->nh = NULL;
	}
	worker_inject(worker_for(p->index), pkts, n);
}

void tunnel_queue_send_keepalive(struct tunnel_peer *p)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(worker_pool);

	if (!pkt)
		return;
	memset(pkt_meta(pkt), 0, sizeof(struct pkt_meta));
	inject_into_tunnel(p, &pkt, 1);
}

static void set_queued(struct tunnel_peer *p, unsigned n)
{
	waiting = waiting - p->n_queue + n;
	p->n_queue = n;
	atomic_store_explicit(&p->queued, n, memory_order_relaxed);
}

static void drop_oldest(struct tunnel_peer *p)
{
	slow_drop(p->queue[p->queue_at], DROP_TUNNEL_QUEUE);
	p->queue_at = (p->queue_at + 1) % TUNNEL_WAITING;
	set_queued(p, p->n_queue - 1);
}

void tunnel_queue_flush(struct tunnel_peer *p)
{
	unsigned n = p->n_queue, first = TUNNEL_WAITING - p->queue_at;

	if (n == 0)
		return;
	if (first > n)
		first = n;
	inject_into_tunnel(p, p->queue + p->queue_at, first);
	if (n > first)
		inject_into_tunnel(p, p->queue, n - first);
	set_queued(p, 0);
}

void tunnel_queue_drop(struct tunnel_peer *p)
{
	while (p->n_queue)
		drop_oldest(p);
}

void tunnel_queue_add(struct tunnel_peer *p, struct rte_mbuf *pkt)
{
	if (p->n_queue == TUNNEL_WAITING || (p->n_queue && waiting >= TUNNEL_WAITING_ALL))
		drop_oldest(p);
	if (waiting >= TUNNEL_WAITING_ALL) {
		slow_drop(pkt, DROP_TUNNEL_QUEUE);
		if (!tunnel_handshake_can_seal(p)) /* others' packets do not keep it from a session */
			tunnel_handshake_want(p);
		return;
	}
	p->queue[(p->queue_at + p->n_queue) % TUNNEL_WAITING] = pkt;
	set_queued(p, p->n_queue + 1);
	if (tunnel_handshake_can_seal(p))
		tunnel_queue_flush(p); /* the session came while the packet was on its way here */
	else
		tunnel_handshake_want(p);
}
