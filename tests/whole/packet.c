/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for the tests: built by hand, and judged by the full checksum formula.
 */
#include <arpa/inet.h>

#include "lib/csum.h"
#include "tests/whole/whole.h"

static const uint8_t station[6] = {0x02, 0, 0, 0, 0x09, 0x09};

static uint8_t *write_eth(uint8_t *buf, const struct whole_port *to, uint16_t type)
{
	struct wire_eth *eth = (struct wire_eth *)buf;

	memcpy(eth->dst, to->ifc->port->mac, 6);
	memcpy(eth->src, station, 6);
	eth->type_be = htons(type);
	return buf + sizeof(*eth);
}

void whole_fix_checksum(uint8_t *p)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)p;

	ip->csum = 0;
	ip->csum = csum_fold(csum_add(0, ip, (size_t)(ip->version_ihl & 15) * 4));
}

/* The IP header for len bytes of upper layer; returns where that begins. */
static uint8_t *write_ip(uint8_t *p, const char *src, const char *dst, uint8_t proto, uint8_t ttl, size_t len)
{
	struct ip_addr s, d;

	assert_int_equal(ip_addr_parse(src, &s, NULL), 0);
	assert_int_equal(ip_addr_parse(dst, &d, NULL), 0);
	assert_int_equal(s.family, d.family);
	if (s.family == IP_V4) {
		struct wire_ip4 *ip = (struct wire_ip4 *)p;

		*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
		    .total_len_be = htons((uint16_t)(sizeof(*ip) + len)),
		    .id_be = htons(0x1234),
		    .ttl = ttl,
		    .proto = proto,
		    .src_be = ip_addr_be32(&s),
		    .dst_be = ip_addr_be32(&d)};
		whole_fix_checksum(p);
		return p + sizeof(*ip);
	}
	*(struct wire_ip6 *)p = (struct wire_ip6){.version_class_flow_be = htonl(IP6_VERSION | 0x12345),
	    .payload_len_be = htons((uint16_t)len),
	    .next_header = proto,
	    .hop_limit = ttl};
	memcpy(((struct wire_ip6 *)p)->src, s.b, 16);
	memcpy(((struct wire_ip6 *)p)->dst, d.b, 16);
	return p + sizeof(struct wire_ip6);
}

/* The pseudo-header's sum of the packet at ip. */
static uint32_t pseudo(const uint8_t *p, uint8_t proto, size_t len)
{
	const struct wire_ip4 *ip4 = (const struct wire_ip4 *)p;
	const struct wire_ip6 *ip6 = (const struct wire_ip6 *)p;

	if (p[0] >> 4 == 4)
		return csum_pseudo4(&ip4->src_be, &ip4->dst_be, proto, (uint16_t)len);
	return csum_pseudo6(ip6->src, ip6->dst, proto, (uint32_t)len);
}

static uint16_t type_of(const char *address)
{
	return strchr(address, ':') ? ETH_TYPE_IP6 : ETH_TYPE_IP4;
}

size_t whole_udp(uint8_t *buf, const struct whole_port *to, const struct whole_udp *u)
{
	uint8_t *ip = write_eth(buf, to, type_of(u->dst)), *p;
	size_t len = sizeof(struct wire_udp) + u->data_len;
	struct wire_udp *udp;

	p = write_ip(ip, u->src, u->dst, IP_PROTO_UDP, u->ttl ? u->ttl : 64, len);
	udp = (struct wire_udp *)p;
	*udp = (struct wire_udp){.src_port_be = htons(u->src_port ? u->src_port : 4000),
	    .dst_port_be = htons(u->dst_port ? u->dst_port : 5000),
	    .len_be = htons((uint16_t)len)};
	memset(udp + 1, WHOLE_DATA_BYTE, u->data_len);
	udp->csum = csum_fold(csum_add(pseudo(ip, IP_PROTO_UDP, len), udp, len));
	if (ip[0] >> 4 == 4) {
		((struct wire_ip4 *)ip)->frag_be = htons(u->frag);
		whole_fix_checksum(ip);
	}
	return (size_t)(p + len - buf);
}

size_t whole_icmp(uint8_t *buf, const struct whole_port *to, const char *src, const char *dst, uint8_t type,
    uint16_t ident, const void *data, size_t data_len)
{
	bool six = type_of(dst) == ETH_TYPE_IP6;
	uint8_t *ip = write_eth(buf, to, type_of(dst)), *p;
	size_t len = sizeof(struct wire_icmp) + data_len;
	struct wire_icmp *icmp;

	p = write_ip(ip, src, dst, six ? IP_PROTO_ICMP6 : IP_PROTO_ICMP, 64, len);
	icmp = (struct wire_icmp *)p;
	*icmp = (struct wire_icmp){.type = type};
	icmp->u.echo.ident_be = htons(ident);
	memcpy(icmp + 1, data, data_len);
	icmp->csum = csum_fold(csum_add(six ? pseudo(ip, IP_PROTO_ICMP6, len) : 0, icmp, len));
	return (size_t)(p + len - buf);
}

struct wire_ip4 *whole_ip4(const struct whole_packet *p)
{
	assert_non_null(p->data);
	assert_true(p->len >= sizeof(struct wire_eth) + sizeof(struct wire_ip4));
	assert_int_equal(ntohs(((struct wire_eth *)p->data)->type_be), ETH_TYPE_IP4);
	return (struct wire_ip4 *)(p->data + sizeof(struct wire_eth));
}

struct wire_ip6 *whole_ip6(const struct whole_packet *p)
{
	assert_non_null(p->data);
	assert_true(p->len >= sizeof(struct wire_eth) + sizeof(struct wire_ip6));
	assert_int_equal(ntohs(((struct wire_eth *)p->data)->type_be), ETH_TYPE_IP6);
	return (struct wire_ip6 *)(p->data + sizeof(struct wire_eth));
}

static void check_upper(const uint8_t *ip, uint8_t proto, const uint8_t *p, size_t len)
{
	if (proto == IP_PROTO_ICMP)
		assert_int_equal(csum_fold(csum_add(0, p, len)), 0);
	if (proto == IP_PROTO_ICMP6 || proto == IP_PROTO_UDP)
		assert_int_equal(csum_fold(csum_add(pseudo(ip, proto, len), p, len)), 0);
}

void whole_check_sums(const uint8_t *ip, size_t len)
{
	const struct wire_ip4 *ip4 = (const struct wire_ip4 *)ip;
	const struct wire_ip6 *ip6 = (const struct wire_ip6 *)ip;
	size_t header = (size_t)(ip[0] & 15) * 4;

	if (ip[0] >> 4 == 6) {
		assert_int_equal(ntohs(ip6->payload_len_be) + sizeof(*ip6), len);
		check_upper(ip, ip6->next_header, ip + sizeof(*ip6), len - sizeof(*ip6));
		return;
	}
	assert_int_equal(ntohs(ip4->total_len_be), len);
	assert_int_equal(csum_fold(csum_add(0, ip, header)), 0);
	if (!(ntohs(ip4->frag_be) & (IP4_MF | IP4_OFFSET_MASK)))
		check_upper(ip, ip4->proto, ip + header, len - header);
}
