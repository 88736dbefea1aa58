/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnels and peers as rows of a query. Slow thread only. */
#include <string.h>

#include "dataplane/monitor.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"
#include "lib/aead_burst.h"

/* The line of the first path there is. */
static void note_line_in_use(const struct tunnel *t, char line[FIBMSG_NAME])
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);
		const struct iface *ifc =
		    p && p->tunnel == t && p->path ? iface_by_index(p->path->line) : NULL;

		if (ifc) {
			memcpy(line, ifc->name, FIBMSG_NAME);
			return;
		}
	}
}

static void fill_tunnel(const struct tunnel *t, struct fibmsg_row_tunnel *row)
{
	struct worker_counters c = workers_iface_counters(t->iface->index);

	memset(row, 0, sizeof(*row));
	memcpy(row->name, t->iface->name, sizeof(row->name));
	memcpy(row->public_key, t->identity.public_key, sizeof(row->public_key));
	row->listen_port = t->port;
	row->mtu = atomic_load_explicit(&t->iface->mtu, memory_order_relaxed);
	memcpy(row->line, t->config.line, sizeof(row->line));
	note_line_in_use(t, row->line_in_use);
	row->up = atomic_load_explicit(&t->iface->up, memory_order_relaxed);
	row->n_peers = (uint16_t)t->n_peers;
	row->rx_packets = c.rx_packets;
	row->rx_bytes = c.rx_bytes;
	row->tx_packets = c.tx_packets;
	row->tx_bytes = c.tx_bytes;
	aead_burst_describe(row->cipher, sizeof(row->cipher));
}

int tunnel_row(unsigned index, struct fibmsg_row_tunnel *row)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		const struct iface *ifc = iface_by_index(i);

		if (!ifc || ifc->kind != IFACE_TUNNEL || !ifc->tunnel || index-- > 0)
			continue;
		fill_tunnel(ifc->tunnel, row);
		return 0;
	}
	return ERR_NOENT;
}

static void note_mtu(const struct tunnel_peer *p, struct fibmsg_row_peer *row)
{
	row->mtu = p->path ? tunnel_fit_mtu(p) : 0;
	row->path_mtu = p->path_mtu;
}

static void fill_peer(const struct tunnel_peer *p, struct fibmsg_row_peer *row)
{
	memset(row, 0, sizeof(*row));
	/* No verdict is no error: the peer is not probed. */
	(void)monitor_peer_verdict(p->index, row);
	memcpy(row->tunnel, p->tunnel->iface->name, sizeof(row->tunnel));
	memcpy(row->key, p->noise.public_key, sizeof(row->key));
	memcpy(row->name, p->name, sizeof(row->name));
	row->endpoint = p->remote;
	memcpy(row->line, p->line, sizeof(row->line));
	row->handshake_ns = p->handshake_ns ? tunnel_now_ns() - p->handshake_ns : UINT64_MAX;
	row->rx_bytes = atomic_load_explicit(&p->rx_bytes, memory_order_relaxed);
	row->tx_bytes = atomic_load_explicit(&p->tx_bytes, memory_order_relaxed);
	note_mtu(p, row);
}

bool tunnel_peer_name(uint16_t index, char tunnel[FIBMSG_NAME], uint8_t key[32])
{
	const struct tunnel_peer *p = tunnel_peer_by_index(index);

	if (!p)
		return false;
	memcpy(tunnel, p->tunnel->iface->name, FIBMSG_NAME);
	memcpy(key, p->noise.public_key, sizeof(p->noise.public_key));
	return true;
}

int tunnel_peer_row(unsigned index, struct fibmsg_row_peer *row)
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p || index-- > 0)
			continue;
		fill_peer(p, row);
		return 0;
	}
	return ERR_NOENT;
}
