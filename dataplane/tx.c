/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last stage: frames wait per port and leave in one burst at the end of a worker's loop.
 * Ports are named by DPDK id here; a port is closed only a grace period after it left the
 * tables, and a worker flushes before each quiescent state, so the id is good.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "dataplane/port.h"
#include "dataplane/worker.h"

struct tx_queue {
	struct iface *out;
	uint16_t dpdk_id, queue, n;
	uint64_t bytes; /* of the n */
	struct rte_mbuf *pkts[WORKER_BURST];
};

struct worker_tx {
	uint32_t waiting; /* bit per DPDK id whose queue has frames */
	struct tx_queue queues[RTE_MAX_ETHPORTS];
};
static_assert(RTE_MAX_ETHPORTS <= 32, "bits of worker_tx.waiting");

int tx_create(struct worker *w)
{
	w->tx = calloc(1, sizeof(*w->tx));
	return w->tx ? 0 : ERR_NOMEM;
}

void tx_destroy(struct worker *w)
{
	free(w->tx);
	w->tx = NULL;
}

static uint64_t count_bytes(struct rte_mbuf *const *pkts, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	return bytes;
}

static void flush_queue(struct worker *w, struct tx_queue *q)
{
	uint16_t sent = rte_eth_tx_burst(q->dpdk_id, q->queue, q->pkts, q->n);

	q->bytes -= count_bytes(q->pkts + sent, q->n - sent);
	worker_count_tx(w, q->out->index, sent, q->bytes);
	if (sent < q->n)
		worker_drop(w, q->pkts + sent, q->n - sent, DROP_TX_FULL);
	q->n = 0;
	q->bytes = 0;
}

void tx_flush(struct worker *w)
{
	uint32_t waiting = w->tx->waiting;

	while (waiting) {
		unsigned id = (unsigned)__builtin_ctz(waiting);

		waiting &= waiting - 1;
		flush_queue(w, &w->tx->queues[id]);
	}
	w->tx->waiting = 0;
}

/* A port with fewer queues than there are workers: the frame crosses to the worker that has one. */
static void send_by_other(
    struct worker *w, struct iface *out, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pkt_meta(pkts[i])->op = PKT_TX_FRAME;
		pkt_meta(pkts[i])->out = out->index;
	}
	worker_to_worker(w, worker_table[w->id % port->tx_queues], pkts, n);
}

void tx_frames(struct worker *w, struct iface *out, struct rte_mbuf **pkts, unsigned n)
{
	tx_frames_counted(w, out, pkts, n, count_bytes(pkts, n));
}

void tx_frames_counted(
    struct worker *w, struct iface *out, struct rte_mbuf **pkts, unsigned n, uint64_t bytes)
{
	const struct port *port = rcu_dereference(out->port);
	struct tx_queue *q;

	if (!port) {
		worker_drop(w, pkts, n, DROP_TX_DOWN);
		return;
	}
	if (w->id >= port->tx_queues) {
		send_by_other(w, out, port, pkts, n);
		return;
	}
	q = &w->tx->queues[port->dpdk_id];
	q->out = out;
	q->dpdk_id = port->dpdk_id;
	q->queue = (uint16_t)w->id;
	w->tx->waiting |= 1u << port->dpdk_id;
	if (q->n + n > WORKER_BURST)
		flush_queue(w, q);
	memcpy(&q->pkts[q->n], pkts, n * sizeof(*pkts));
	q->n = (uint16_t)(q->n + n);
	q->bytes += bytes;
}
