/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers as objects: made and freed by the main thread, given ports by the slow thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "dataplane/express.h"
#include "dataplane/flow.h"
#include "dataplane/port.h"
#include "dataplane/reassembly.h"
#include "dataplane/spread.h"
#include "dataplane/tunnel_share.h"
#include "dataplane/worker.h"
#include "lib/crypto.h"

#define RING_SIZE  4096
#define POOL_CACHE 256

struct worker *worker_table[WORKER_MAX];
unsigned worker_count;
struct rte_mempool *worker_pool;

/*
 * AF_XDP registers the pool as one stretch of memory, which it is only without the flag's
 * page-aligned stride; a pool in several chunks would lose packets without a trace.
 */
static int create_pool(unsigned mbufs, struct err_msg *msg)
{
	worker_pool = rte_mempool_create("packets", mbufs,
	    RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(struct rte_mbuf) +
		RTE_ALIGN(sizeof(struct pkt_meta), RTE_MBUF_PRIV_ALIGN),
	    POOL_CACHE, sizeof(struct rte_pktmbuf_pool_private), rte_pktmbuf_pool_init,
	    &(struct rte_pktmbuf_pool_private){.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE,
		.mbuf_priv_size = RTE_ALIGN(sizeof(struct pkt_meta), RTE_MBUF_PRIV_ALIGN)},
	    rte_pktmbuf_init, NULL, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!worker_pool)
		return err_set(msg, ERR_NOMEM, "no memory for %u packet buffers: %s; expected more by -m",
		    mbufs, rte_strerror(rte_errno));
	if (worker_pool->nb_mem_chunks != 1)
		return err_set(msg, ERR_NOMEM,
		    "%u packet buffers lie in %u pieces of memory, AF_XDP needs one", mbufs,
		    worker_pool->nb_mem_chunks);
	return 0;
}

static struct rte_ring *create_ring(const char *what, unsigned id)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", what, id);
	return rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
}

static void destroy_worker(struct worker *w)
{
	rte_ring_free(w->from_slow);
	rte_ring_free(w->from_workers);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	tx_destroy(w);
	express_destroy(w);
	spread_destroy(w);
	reassembly_destroy(w);
	tunnel_share_destroy(w);
	free(w);
}

static struct worker *create_worker(unsigned id, unsigned workers)
{
	struct worker *w = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*w), RTE_CACHE_LINE_SIZE));

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->id = id;
	w->burst = WORKER_BURST;
	w->pool = worker_pool;
	w->from_slow = create_ring("slow-to-worker", id);
	w->from_workers = create_ring("worker-to-worker", id);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!w->from_slow || !w->from_workers || w->wake_fd < 0 || tx_create(w) < 0 ||
	    express_create(w) < 0 || spread_create(w, workers) < 0 || reassembly_create(w) < 0 ||
	    tunnel_share_create(w, workers) < 0) {
		destroy_worker(w);
		return NULL;
	}
	return w;
}

int workers_create(unsigned n, unsigned mbufs, struct err_msg *msg)
{
	uint8_t key[32];
	int err;

	if (n == 0 || n > WORKER_MAX)
		return err_set(msg, ERR_RANGE, "%u workers: expected 1 to %d", n, WORKER_MAX);
	crypto_fill_random(key, sizeof(key));
	flow_set_key(key);
	err = create_pool(mbufs, msg);
	if (err)
		return err;
	for (worker_count = 0; worker_count < n; worker_count++) {
		worker_table[worker_count] = create_worker(worker_count, n);
		if (!worker_table[worker_count])
			return err_set(msg, ERR_NOMEM, "no memory for worker %u", worker_count);
	}
	return 0;
}

void workers_destroy(void)
{
	while (worker_count > 0)
		destroy_worker(worker_table[--worker_count]);
	rte_mempool_free(worker_pool);
	worker_pool = NULL;
}

/* Queue q of a port is worker (interface + q) mod n's: single-queue ports spread over the workers. */
static struct worker *owner_of(const struct port *port, uint16_t queue)
{
	return worker_table[(port->iface + queue) % worker_count];
}

static struct worker_slot *free_slot(struct worker *w)
{
	for (unsigned i = 0; i < WORKER_PORTS; i++)
		if (!w->slots[i].port)
			return &w->slots[i];
	return NULL;
}

int workers_add_port(struct port *port)
{
	for (uint16_t q = 0; q < port->queues; q++) {
		struct worker *w = owner_of(port, q);
		struct worker_slot *slot = free_slot(w);

		if (!slot) {
			workers_remove_port(port);
			return ERR_FULL;
		}
		slot->queue = q;
		slot->spread = spread_is_wanted(port->queues);
		rcu_assign_pointer(slot->port, port);
		if (slot - w->slots >= w->n_slots)
			CMM_STORE_SHARED(w->n_slots, (unsigned)(slot - w->slots) + 1);
		worker_wake(w); /* it sleeps on the descriptors that it knew */
	}
	return 0;
}

void workers_remove_port(struct port *port)
{
	for (unsigned i = 0; i < worker_count; i++) {
		struct worker *w = worker_table[i];

		for (unsigned k = 0; k < w->n_slots; k++)
			if (w->slots[k].port == port)
				rcu_assign_pointer(w->slots[k].port, NULL);
		worker_wake(w);
	}
	synchronize_rcu();
}
