/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way of messages to our tunnels; express_tunnel.h says which go it. Handshakes, fragments and what
 * names no session are left to the stages. Workers only.
 */
#include <arpa/inet.h>

#include "dataplane/express_tunnel.h"
#include "dataplane/tunnel.h"
#include "dataplane/tunnel_decap.h"
#include "lib/ip_wire.h"

/* A whole UDP datagram to a port that is a tunnel's: where its payload is, and how long; NULL: something
 * else. */
static inline uint8_t *find_payload(uint8_t *ip, uint32_t ip_len, bool ip6, uint32_t *len)
{
	const struct wire_ip4 *ip4 = (const struct wire_ip4 *)ip;
	uint32_t off = ip6 ? sizeof(struct wire_ip6) : sizeof(*ip4), udp_len;
	const struct wire_udp *udp = (const struct wire_udp *)(ip + off);

	if (ip6 ? ((const struct wire_ip6 *)ip)->next_header != IP_PROTO_UDP
		: ip4->proto != IP_PROTO_UDP || ip4->frag_be & htons(IP4_MF | IP4_OFFSET_MASK))
		return NULL;
	if (ip_len < off + sizeof(*udp) || tunnel_by_port(ntohs(udp->dst_port_be)) == 0)
		return NULL;
	udp_len = ntohs(udp->len_be);
	if (udp_len < sizeof(*udp) || udp_len > ip_len - off)
		return NULL;
	*len = udp_len - (uint32_t)sizeof(*udp);
	return ip + off + sizeof(*udp);
}

/* What looks like a message's receiver index; any four bytes serve. */
static inline uint32_t guess_receiver(const struct express_burst *b, unsigned i, bool ip6)
{
	const uint8_t *udp =
	    b->frame[i] + sizeof(struct wire_eth) + (ip6 ? sizeof(struct wire_ip6) : sizeof(struct wire_ip4));

	return wg_wire_get_le32(udp + sizeof(struct wire_udp) + offsetof(struct wg_wire_data, receiver));
}

/* With many peers each message has its session elsewhere in memory (bench: tunnel-peers). */
static void fetch_sessions(const struct express_burst *b, uint64_t in, bool ip6)
{
	for (uint64_t left = in; left; left &= left - 1)
		tunnel_table_fetch_slot(guess_receiver(b, (unsigned)__builtin_ctzll(left), ip6));
	for (uint64_t left = in; left; left &= left - 1)
		tunnel_table_fetch_keypair(guess_receiver(b, (unsigned)__builtin_ctzll(left), ip6));
}

uint64_t express_decap(struct worker *w, const struct express_burst *b, struct rte_mbuf **pkts,
    const struct express_tunnel *t, bool ip6)
{
	struct tunnel_messages msgs;
	uint64_t taken = 0;

	fetch_sessions(b, t->in, ip6);
	msgs.n = 0;
	for (uint64_t left = t->in; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uint8_t *ip = b->frame[i] + sizeof(struct wire_eth), *payload;
		uint32_t len = 0;

		payload = find_payload(ip, b->len[i], ip6, &len);
		if (payload && tunnel_add_message(&msgs, pkts[i], ip, payload, len, b->in))
			taken |= UINT64_C(1) << i;
	}
	if (msgs.n)
		tunnel_open_messages(w, &msgs);
	return taken;
}
