/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The router with one tunnel that tunnel_rig.h describes.
 */
#include "bench/tunnel_rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/port.h"
#include "lib/aead_burst.h"
#include "lib/csum.h"
#include "lib/ip_wire.h"
#include "lib/nsec.h"

#define SPARE_MBUFS 2048
#define PORT	    51820
#define OURS	    0xc000020au /* 192.0.2.10 */
#define THEIRS	    0xcb007100u /* 203.0.113.0 and on, an address a peer */
#define OUTER_LEN   (sizeof(struct wire_eth) + sizeof(struct wire_ip4) + sizeof(struct wire_udp))
#define HOSTS	    0x0a800000u /* 10.128.0.0, a /24 a peer */

static struct neigh lan_neighbour, wan_neighbour;
static struct nexthop lan_via, wan_via, into_tunnel;

static int fail(const char *what)
{
	fprintf(stderr, "tunnel: %s\n", what);
	return ERR_IO;
}

static int make_rings(const struct tunnel_rig *r, const char *name, struct rte_ring **rings, unsigned n)
{
	char text[RTE_RING_NAMESIZE];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s-%u", name, i);
		rings[i] =
		    rte_ring_create(text, rte_align32pow2(r->packets + r->strangers + 1), SOCKET_ID_ANY, 0);
		if (!rings[i])
			return fail("no memory for a wire");
	}
	return 0;
}

static int open_port(struct tunnel_rig *r, const char *name, uint8_t role, struct rte_ring **in,
    struct rte_ring **out, struct iface **ifc)
{
	struct fibmsg_port config = {
	    .role = role, .queues = (uint8_t)r->queues, .mac = {2, 0, 0, 0, 0, role + 1}};
	struct err_msg msg = {""};
	char text[32];

	snprintf(config.name, sizeof(config.name), "%s", name);
	snprintf(config.device, sizeof(config.device), "net_ring_%s", name);
	snprintf(text, sizeof(text), "%s-in", name);
	if (make_rings(r, text, in, r->queues))
		return ERR_NOMEM;
	snprintf(text, sizeof(text), "%s-out", name);
	if (make_rings(r, text, out, r->workers))
		return ERR_NOMEM;
	if (rte_eth_from_rings(name, in, r->queues, out, r->workers, 0) < 0 ||
	    iface_add(IFACE_PORT, name, ifc) != 0)
		return fail("no ring port");
	(*ifc)->role = role;
	(*ifc)->table = role == FIBMSG_ROLE_WAN ? fibmsg_line_table(name) : 0;
	return port_open(&config, *ifc, &msg) ? fail(msg.text) : 0;
}

static int route(uint32_t table, const struct ip_prefix *p, struct nexthop *nh)
{
	uint32_t group;

	if (group_index_alloc(&group) != 0)
		return fail("no group");
	atomic_store_explicit(&group_forward[group], (uintptr_t)nh, memory_order_release);
	return fib_set(table, p, FIB_CONTROL, group) ? fail("a route is refused") : 0;
}

/* One group for all routes of the table. */
static int install_routes(struct tunnel_rig *r, struct nexthop *nh)
{
	uint32_t group;

	if (group_index_alloc(&group) != 0)
		return fail("no group");
	atomic_store_explicit(&group_forward[group], (uintptr_t)nh, memory_order_release);
	for (size_t i = 0; i < r->traffic.n_routes; i++)
		if (fib_set(FIBMSG_OVERLAY, &r->traffic.routes[i], FIB_CONTROL, group) != 0)
			return fail("a route is refused");
	return 0;
}

static int make_ways(struct tunnel_rig *r)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 1, 1};
	uint64_t word = NEIGH_MAC_VALID;
	struct ip_prefix p = {.addr = ip_addr_v4(htonl(HOSTS)), .len = 9};

	memcpy(&word, mac, 6);
	word |= NEIGH_MAC_VALID;
	lan_neighbour = (struct neigh){.iface = r->lan->index, .mac = word};
	wan_neighbour = (struct neigh){.iface = r->wan->index, .mac = word};
	lan_via = (struct nexthop){.kind = NEXTHOP_VIA, .iface = r->lan->index, .neigh = &lan_neighbour};
	wan_via = (struct nexthop){
	    .kind = NEXTHOP_VIA, .iface = r->wan->index, .neigh = &wan_neighbour, .role = FIBMSG_ROLE_WAN};
	into_tunnel = (struct nexthop){.kind = NEXTHOP_TUNNEL, .iface = r->tunnel->index};
	if (install_routes(r, r->to_lan ? &lan_via : &into_tunnel) != 0)
		return ERR_IO;
	if (r->peers > 1 && route(FIBMSG_OVERLAY, &p, r->to_lan ? &lan_via : &into_tunnel) != 0)
		return ERR_IO;
	p = (struct ip_prefix){.addr = ip_addr_v4(0)};
	if (route(r->wan->table, &p, &wan_via) != 0)
		return ERR_IO;
	p = (struct ip_prefix){.addr = ip_addr_v4(htonl(OURS)), .len = 32};
	return fib_set(FIBMSG_OVERLAY, &p, FIB_LOCAL, GROUP_HOST) ? fail("a route is refused") : 0;
}

static int make_tunnel(struct tunnel_rig *r)
{
	struct fibmsg_tunnel config = {
	    .name = "friend", .line = "wan", .listen_port = PORT, .mtu = 1420, .mss_clamp = 1};
	char path[] = "/tmp/byway-bench-key-XXXXXX", text[CRYPTO_KEY_STRLEN + 1];
	struct err_msg msg = {""};
	uint8_t key[CRYPTO_KEY_LEN];
	int fd = mkstemp(path), err;

	crypto_fill_random(key, sizeof(key));
	crypto_format_base64(text, key);
	if (fd < 0 || write(fd, text, CRYPTO_KEY_STRLEN - 1) < 0)
		return fail("no place for a key file");
	close(fd);
	snprintf(config.key_path, sizeof(config.key_path), "%s", path);
	err = tunnel_set(&config, &msg);
	unlink(path);
	if (err)
		return fail(msg.text);
	r->tunnel = iface_by_name("friend");
	return 0;
}

/* A session that both ends made the same keys for: the router could read what it sends. */
static int make_session(struct tunnel_rig *r, unsigned i)
{
	struct wg_noise_keys keys = {.initiator = true};
	struct tunnel_peer *p = r->peer[i];
	struct tunnel_path *path = malloc(sizeof(*path));

	crypto_fill_random(r->key[i], CRYPTO_KEY_LEN);
	memcpy(keys.sending, r->key[i], CRYPTO_KEY_LEN);
	memcpy(keys.receiving, r->key[i], CRYPTO_KEY_LEN);
	p->heard_by = (uint16_t)(r->wan->index % r->workers + 1); /* whose queue is the first of the wan */
	keys.local_index = keys.remote_index = tunnel_table_reserve(p);
	r->keypair[i] = tunnel_keypair_publish(p, &keys, nsec_monotonic());
	if (!r->keypair[i] || !path)
		return ERR_NOMEM;
	*path = (struct tunnel_path){.remote = {.addr = ip_addr_v4(htonl(THEIRS + i)), .port = PORT},
	    .local = ip_addr_v4(htonl(OURS)),
	    .line = r->wan->index,
	    .table = r->wan->table,
	    .line_fixed = true,
	    .mtu = 1500,
	    .inner_mtu = TUNNEL_UNLIMITED};
	rcu_assign_pointer(p->path, path);
	rcu_assign_pointer(p->current, r->keypair[i]);
	forward_changed();
	return 0;
}

static int make_peer(struct tunnel_rig *r, unsigned i)
{
	struct fibmsg_peer config = {.tunnel = "friend", .any = r->peers == 1};
	struct fibmsg_allowed_ip allowed = {.tunnel = "friend"};
	struct wg_noise_identity id;
	uint8_t key[CRYPTO_KEY_LEN];
	struct err_msg msg = {""};

	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&id, key);
	memcpy(config.key, id.public_key, sizeof(config.key));
	memcpy(allowed.key, id.public_key, sizeof(allowed.key));
	snprintf(config.name, sizeof(config.name), "peer%u", i);
	allowed.prefix = (struct ip_prefix){.addr = ip_addr_v4(htonl(HOSTS + (i << 8))), .len = 24};
	if (tunnel_peer_set(&config, &msg) != 0 ||
	    (!config.any && tunnel_allowed_ip_set(&allowed, &msg) != 0))
		return fail(msg.text);
	r->peer[i] = tunnel_peer_find("friend", config.key);
	return make_session(r, i);
}

int tunnel_rig_open(struct tunnel_rig *r)
{
	struct err_msg msg = {""};

	if (r->queues == 0)
		r->queues = r->workers;
	rcu_register_thread();
	group_init();
	r->made = calloc(r->packets, sizeof(*r->made));
	if (!r->made || traffic_load(&r->traffic, IP_V4, r->routes) != 0)
		return fail("no IPv4 route in the file, or no such file");
	if (fib_init() != 0 || crypto_init() != 0 ||
	    workers_create(r->workers, r->packets + r->strangers + SPARE_MBUFS, &msg) != 0)
		return fail(msg.text);
	if (open_port(r, "lan", FIBMSG_ROLE_LAN, r->lan_in, r->lan_out, &r->lan) != 0 ||
	    open_port(r, "wan", FIBMSG_ROLE_WAN, r->wan_in, r->wan_out, &r->wan) != 0 ||
	    make_tunnel(r) != 0 || make_ways(r) != 0)
		return ERR_IO;
	for (unsigned i = 0; i < r->peers; i++)
		if (make_peer(r, i) != 0)
			return ERR_IO;
	return 0;
}

/* Each packet, each time, is another peer's. */
static void deal(struct tunnel_rig *r, struct tunnel_rig_packet *p)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)(p->bytes + sizeof(struct wire_eth));
	uint32_t host_be;

	if (r->peers == 1)
		return;
	p->peer = r->next_peer;
	r->next_peer = (r->next_peer + 1) % r->peers;
	host_be = htonl(HOSTS + (p->peer << 8) + 1);
	if (r->to_lan)
		ip->src_be = host_be;
	else
		ip->dst_be = host_be;
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
}

int tunnel_rig_make(struct tunnel_rig *r, unsigned i, uint16_t len)
{
	struct rte_mbuf *m = traffic_packet(&r->traffic, worker_pool, r->lan->port->mac);
	struct tunnel_rig_packet *p = &r->made[i];
	struct wire_ip4 *ip = (struct wire_ip4 *)(p->bytes + sizeof(struct wire_eth));
	struct wire_udp *udp = (struct wire_udp *)(ip + 1);

	if (!m)
		return fail("packet buffers exhausted");
	memcpy(p->bytes, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_pktmbuf_free(m);
	p->len = len;
	ip->total_len_be = htons(len);
	udp->len_be = htons((uint16_t)(len - sizeof(*ip)));
	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	return 0;
}

static uint32_t padded_len(uint16_t len)
{
	uint32_t padded = RTE_ALIGN_CEIL((uint32_t)len, WG_WIRE_PADDING);

	return padded > 1420 ? 1420 : padded;
}

void tunnel_rig_plain(struct tunnel_rig *r, unsigned i, struct rte_mbuf *m)
{
	struct tunnel_rig_packet *p = &r->made[i];
	uint16_t len = (uint16_t)(sizeof(struct wire_eth) + p->len);

	deal(r, p);
	rte_pktmbuf_reset(m);
	memcpy(rte_pktmbuf_append(m, len), p->bytes, len);
	p->data = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct wire_eth));
	p->data_len = padded_len(p->len);
}

/* Outer headers of len bytes to the tunnel; returns what follows them. */
static uint8_t *put_outer(const struct tunnel_rig *r, uint32_t from, uint32_t len, uint8_t *at)
{
	struct wire_eth *eth = (struct wire_eth *)at;
	struct wire_ip4 *ip = (struct wire_ip4 *)(eth + 1);
	struct wire_udp *udp = (struct wire_udp *)(ip + 1);
	uint16_t udp_len = (uint16_t)(sizeof(*udp) + len);

	memset(eth, 0, sizeof(*eth));
	memcpy(eth->dst, r->wan->port->mac, 6);
	eth->type_be = htons(ETH_TYPE_IP4);
	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons((uint16_t)(udp_len + sizeof(*ip))),
	    .ttl = 64,
	    .proto = IP_PROTO_UDP,
	    .src_be = htonl(from),
	    .dst_be = htonl(OURS)};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	*udp = (struct wire_udp){
	    .src_port_be = htons(PORT), .dst_port_be = htons(PORT), .len_be = htons(udp_len)};
	return (uint8_t *)(udp + 1);
}

void tunnel_rig_message(
    const struct tunnel_rig *r, const void *bytes, uint16_t len, uint32_t from, struct rte_mbuf *m)
{
	rte_pktmbuf_reset(m);
	memcpy(put_outer(r, from, len, (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(OUTER_LEN + len))), bytes,
	    len);
}

/* Headers of data from the peer; returns what follows them. */
static uint8_t *put_headers(const struct tunnel_rig *r, const struct tunnel_rig_packet *p, uint8_t *at)
{
	struct wg_wire_data *header = (struct wg_wire_data *)(void *)put_outer(
	    r, THEIRS + p->peer, (uint32_t)WG_WIRE_DATA_MIN_LEN + p->data_len, at);

	memset(header, 0, sizeof(*header));
	header->type[0] = WG_WIRE_DATA;
	wg_wire_set_le32(header->receiver, r->keypair[p->peer]->local_index);
	wg_wire_set_le64(header->counter, p->counter);
	return (uint8_t *)(header + 1);
}

void tunnel_rig_sealed(struct tunnel_rig *r, unsigned i, struct rte_mbuf *m)
{
	struct tunnel_rig_packet *p = &r->made[i];
	uint8_t *frame;

	deal(r, p);
	rte_pktmbuf_reset(m);
	p->data_len = padded_len(p->len);
	p->counter = r->sent[p->peer]++;
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(OUTER_LEN + WG_WIRE_DATA_MIN_LEN + p->data_len));
	p->data = put_headers(r, p, frame);
	memset(p->data + p->len, 0, p->data_len - p->len);
	memcpy(p->data, p->bytes + sizeof(struct wire_eth), p->len);
	aead_burst_seal(r->key[p->peer], &p->counter, &p->data, &p->data_len, 1);
}
