/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weak stand-ins for parts of the dataplane that are still to land. A part's own source
 * overrides its lines here; who lands it removes them.
 */
#include "dataplane/host.h"
#include "dataplane/slow.h"
#include "lib/nsec.h"

#define WEAK __attribute__((weak))

WEAK struct rte_ring *slow_ring;
WEAK int slow_wake_fd = -1;
WEAK _Atomic bool slow_asleep;
WEAK int slow_start(const struct slow_config *config, struct err_msg *msg)
{
	return 0;
}
WEAK int slow_run(void)
{
	return 0;
}
WEAK void slow_quit(void)
{
}
WEAK void slow_stop(void)
{
}

WEAK struct neigh *neigh_get(uint16_t iface, const struct ip_addr *addr, bool managed)
{
	return NULL;
}
WEAK void neigh_put(struct neigh *n)
{
}

WEAK uint64_t slow_now_ns(void)
{
	return nsec_monotonic();
}
WEAK void slow_drop(struct rte_mbuf *pkt, enum drop_reason reason)
{
	rte_pktmbuf_free(pkt);
}
WEAK int slow_watch(int fd, uint32_t events, void (*fn)(void *arg, uint32_t events), void *arg)
{
	return ERR_IO;
}
WEAK void slow_unwatch(int fd)
{
}
WEAK int hostif_set_mtu(struct iface *ifc, uint16_t mtu)
{
	return 0;
}
