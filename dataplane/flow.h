/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashes of flows. Keyed, so that a stranger cannot aim all flows at one worker or one member of a group; a
 * full 128-bit product a step, so that all bits of the result are good: one user takes them from above,
 * another from below. Any thread.
 */
#ifndef BYWAY_DATAPLANE_FLOW_H
#define BYWAY_DATAPLANE_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/ip_wire.h"

/* Main thread writes it before there are workers (flow_set_key); constant afterwards. */
extern uint64_t flow_key[4];

/* 32 random bytes. Without a call the key is a constant. */
void flow_set_key(const uint8_t key[32]);

static inline uint64_t flow_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Source and destination as they lie in the header (2 x 4 bytes), ports likewise (0: none). */
static inline uint64_t flow_hash4(const uint8_t addresses[8], uint8_t proto, uint32_t ports)
{
	uint64_t a;

	memcpy(&a, addresses, 8);
	return flow_fold(a ^ flow_key[0], ((uint64_t)proto << 32 | ports) ^ flow_key[1]);
}

/* The same, 2 x 16 bytes. */
static inline uint64_t flow_hash6(const uint8_t addresses[32], uint8_t proto, uint32_t ports)
{
	uint64_t a[4];

	memcpy(a, addresses, 32);
	a[0] = flow_fold(a[0] ^ flow_key[0], a[1] ^ flow_key[1]) ^
	       flow_fold(a[2] ^ flow_key[2], a[3] ^ flow_key[3]);
	return flow_fold(a[0] ^ flow_key[2], ((uint64_t)proto << 32 | ports) ^ flow_key[1]);
}

/*
 * By which a group of several members tells flows apart: addresses, protocol, and the ports of TCP and UDP.
 * ip: the header, len the packet's bytes from there, l4_off where proto's header begins in it, 0 in a later
 * fragment. Never 0.
 */
static inline uint32_t flow_hash_packet(
    const uint8_t *ip, unsigned len, bool ip6, uint8_t proto, unsigned l4_off)
{
	uint32_t ports = 0, hash;

	if ((proto == IP_PROTO_TCP || proto == IP_PROTO_UDP) && l4_off && l4_off + sizeof(ports) <= len)
		memcpy(&ports, ip + l4_off, sizeof(ports));
	hash = ip6 ? (uint32_t)flow_hash6(ip + offsetof(struct wire_ip6, src), proto, ports)
		   : (uint32_t)flow_hash4(ip + offsetof(struct wire_ip4, src_be), proto, ports);
	return hash ? hash : 1;
}

#endif
