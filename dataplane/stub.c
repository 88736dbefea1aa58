/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weak stand-ins for parts of the dataplane that are still to land. A part's own source
 * overrides its lines here; who lands it removes them.
 */
#include "dataplane/monitor.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel.h"

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

WEAK struct rte_ring *monitor_ring;
WEAK int monitor_wake_fd = -1;
WEAK _Atomic bool monitor_asleep;
WEAK uint16_t monitor_ident(void)
{
	return 0;
}

WEAK void tunnel_encap(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	worker_drop(w, pkts, n, DROP_TUNNEL_NO_PEER);
}
WEAK void tunnel_input(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	worker_drop(w, pkts, n, DROP_TUNNEL_NO_SESSION);
}
WEAK uint16_t tunnel_by_port(uint16_t udp_port)
{
	return 0;
}
