/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wire layouts below WireGuard and BGP: Ethernet, 802.1Q, ARP, IPv4, IPv6 and its
 * extension headers, UDP, TCP, ICMP, ICMPv6. Layout and constants only: who reads
 * a header has checked its length. Fields called _be are in network order. Packed, because a header
 * in a packet need not be aligned; named wire_ because libc and DPDK have taken ip6_hdr and its like. One row
 * of a diagram is 4 bytes.
 */
#ifndef BYWAY_LIB_IP_WIRE_H
#define BYWAY_LIB_IP_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define IP_WIRE __attribute__((packed))

/*
 * Ethernet II, IEEE 802.3 §3.1.1 (RFC 894):
 *   destination (6) | source (6) | type (2)
 */
struct wire_eth {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type_be; /* ETH_TYPE_ */
} IP_WIRE;
static_assert(sizeof(struct wire_eth) == 14, "Ethernet header");

#define ETH_TYPE_IP4  0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_QINQ 0x88a8
#define ETH_TYPE_IP6  0x86dd
#define ETH_MIN_LEN   60 /* without the frame check sequence; shorter ones are padded */

/*
 * VLAN tag, IEEE 802.1Q §9.6, after a wire_eth whose type is ETH_TYPE_VLAN:
 *   priority (3 bits) drop eligible (1) VLAN id (12) | type of what follows (2)
 */
struct wire_vlan {
	uint16_t tci_be;
	uint16_t type_be;
} IP_WIRE;
static_assert(sizeof(struct wire_vlan) == 4, "802.1Q tag");

#define VLAN_ID_MASK 0x0fff

/*
 * ARP for IPv4 over Ethernet, RFC 826 "Packet format":
 *   hardware space (2)        | protocol space (2)
 *   hlen (1) | plen (1)       | opcode (2)
 *   sender hardware (6), sender protocol (4), target hardware (6), target protocol (4)
 */
struct wire_arp4 {
	uint16_t hardware_be; /* ARP_HARDWARE_ETHER */
	uint16_t protocol_be; /* ETH_TYPE_IP4 */
	uint8_t hardware_len; /* 6 */
	uint8_t protocol_len; /* 4 */
	uint16_t opcode_be;   /* ARP_ */
	uint8_t sender_mac[6];
	uint32_t sender_be;
	uint8_t target_mac[6];
	uint32_t target_be;
} IP_WIRE;
static_assert(sizeof(struct wire_arp4) == 28, "ARP for IPv4 over Ethernet");

#define ARP_HARDWARE_ETHER 1
#define ARP_REQUEST	   1
#define ARP_REPLY	   2

/*
 * IPv4, RFC 791 §3.1; the second byte by RFC 2474 §3 and RFC 3168 §5:
 *   version (4 bits) IHL (4) | DSCP (6) ECN (2) | total length (2)
 *   identification (2)                          | flags (3 bits) fragment offset (13)
 *   TTL (1)                  | protocol (1)     | header checksum (2)
 *   source (4)
 *   destination (4)
 *   options: IHL * 4 - 20 bytes
 */
struct wire_ip4 {
	uint8_t version_ihl; /* IHL in 4-byte words */
	uint8_t tos;
	uint16_t total_len_be; /* header and payload, bytes */
	uint16_t id_be;
	uint16_t frag_be; /* IP4_DF, IP4_MF, offset in 8-byte units */
	uint8_t ttl;
	uint8_t proto; /* IP_PROTO_ */
	uint16_t csum;
	uint32_t src_be;
	uint32_t dst_be;
} IP_WIRE;
static_assert(sizeof(struct wire_ip4) == 20, "IPv4 header");

#define IP4_VERSION_IHL 0x45 /* no options */
#define IP4_DF		0x4000
#define IP4_MF		0x2000
#define IP4_OFFSET_MASK 0x1fff
#define IP4_MIN_MTU	68   /* RFC 791 §3.2 */
#define IP_TOS_ECN_MASK 0x03 /* RFC 3168 §5 */

/*
 * IPv6, RFC 8200 §3:
 *   version (4 bits) traffic class (8) flow label (20)
 *   payload length (2)       | next header (1)  | hop limit (1)
 *   source (16)
 *   destination (16)
 */
struct wire_ip6 {
	uint32_t version_class_flow_be;
	uint16_t payload_len_be; /* what follows these 40 bytes */
	uint8_t next_header;	 /* IP_PROTO_ */
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} IP_WIRE;
static_assert(sizeof(struct wire_ip6) == 40, "IPv6 header");

#define IP6_VERSION	0x60000000u
#define IP6_CLASS_SHIFT 20
#define IP6_FLOW_MASK	0x000fffffu
#define IP6_MIN_MTU	1280 /* RFC 8200 §5 */

/*
 * Extension headers in general, RFC 8200 §4.2 (hop-by-hop, routing, destination options) and RFC 6564 §4:
 *   next header (1) | length (1) in 8-byte units without the first 8 | data ...
 */
struct wire_ip6_ext {
	uint8_t next_header;
	uint8_t len_units;
} IP_WIRE;
static_assert(sizeof(struct wire_ip6_ext) == 2, "IPv6 extension header");

#define IP6_EXT_LEN(len_units) (((size_t)(len_units) + 1) * 8) /* bytes */

/*
 * Fragment header, RFC 8200 §4.5:
 *   next header (1) | reserved (1) | offset (13 bits) reserved (2) M (1)
 *   identification (4)
 */
struct wire_ip6_frag {
	uint8_t next_header;
	uint8_t reserved;
	uint16_t frag_be; /* offset in 8-byte units, shifted by 3 */
	uint32_t id_be;
} IP_WIRE;
static_assert(sizeof(struct wire_ip6_frag) == 8, "IPv6 fragment header");

#define IP6_FRAG_OFFSET_MASK 0xfff8
#define IP6_FRAG_MORE	     0x0001

/* Protocol and next-header numbers (IANA "Assigned Internet Protocol Numbers"). */
#define IP_PROTO_HOPOPTS  0
#define IP_PROTO_ICMP	  1
#define IP_PROTO_IGMP	  2
#define IP_PROTO_TCP	  6
#define IP_PROTO_UDP	  17
#define IP_PROTO_ROUTING  43
#define IP_PROTO_FRAGMENT 44
#define IP_PROTO_ESP	  50
#define IP_PROTO_AH	  51 /* its length counts 4-byte units without the first two, RFC 4302 §2.2 */
#define IP_PROTO_ICMP6	  58
#define IP_PROTO_NONE	  59
#define IP_PROTO_DSTOPTS  60

/*
 * UDP, RFC 768:
 *   source port (2) | destination port (2)
 *   length (2)      | checksum (2)
 */
struct wire_udp {
	uint16_t src_port_be;
	uint16_t dst_port_be;
	uint16_t len_be; /* header and data */
	uint16_t csum;	 /* 0 on the wire means none (IPv4); a sum of 0 is sent as 0xffff */
} IP_WIRE;
static_assert(sizeof(struct wire_udp) == 8, "UDP header");

/*
 * TCP, RFC 9293 §3.1:
 *   source port (2)                              | destination port (2)
 *   sequence number (4)
 *   acknowledgment number (4)
 *   data offset (4 bits) reserved (4) | flags (1) | window (2)
 *   checksum (2)                                 | urgent pointer (2)
 *   options: data offset * 4 - 20 bytes
 */
struct wire_tcp {
	uint16_t src_port_be;
	uint16_t dst_port_be;
	uint32_t seq_be;
	uint32_t ack_be;
	uint8_t data_offset; /* upper 4 bits, in 4-byte words */
	uint8_t flags;	     /* TCP_ */
	uint16_t window_be;
	uint16_t csum;
	uint16_t urgent_be;
} IP_WIRE;
static_assert(sizeof(struct wire_tcp) == 20, "TCP header");

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* Options, RFC 9293 §3.2: kind (1), and but for the first two, length (1) of the whole option, data. */
#define TCP_OPT_END	0
#define TCP_OPT_NOP	1
#define TCP_OPT_MSS	2
#define TCP_OPT_MSS_LEN 4 /* kind, length, MSS (2) */

/*
 * ICMP, RFC 792, and ICMPv6, RFC 4443 §2.1: the first 4 bytes are the same.
 *   type (1) | code (1) | checksum (2)
 *   rest (4): echo: identifier (2), sequence (2); unreachable and too big: see mtu
 */
struct wire_icmp {
	uint8_t type;
	uint8_t code;
	uint16_t csum;
	union {
		struct {
			uint16_t ident_be;
			uint16_t seq_be;
		} IP_WIRE echo;
		struct {
			uint16_t unused;
			uint16_t mtu_be; /* ICMP_CODE_FRAG_NEEDED, RFC 1191 §4 */
		} IP_WIRE frag;
		uint32_t mtu_be; /* ICMP6_TYPE_TOO_BIG, RFC 4443 §3.2 */
		uint32_t unused;
	} IP_WIRE u;
} IP_WIRE;
static_assert(sizeof(struct wire_icmp) == 8, "ICMP header");

#define ICMP_TYPE_ECHO_REPLY	0
#define ICMP_TYPE_UNREACHABLE	3
#define ICMP_TYPE_REDIRECT	5
#define ICMP_TYPE_ECHO		8
#define ICMP_TYPE_TIME_EXCEEDED 11
#define ICMP_TYPE_PARAMETER	12

#define ICMP_CODE_NET_UNREACHABLE  0
#define ICMP_CODE_HOST_UNREACHABLE 1
#define ICMP_CODE_PORT_UNREACHABLE 3
#define ICMP_CODE_FRAG_NEEDED	   4
#define ICMP_CODE_PROHIBITED	   13 /* RFC 1812 §5.2.7.1 */
#define ICMP_CODE_TTL		   0

#define ICMP6_TYPE_UNREACHABLE	 1
#define ICMP6_TYPE_TOO_BIG	 2
#define ICMP6_TYPE_TIME_EXCEEDED 3
#define ICMP6_TYPE_PARAMETER	 4
#define ICMP6_TYPE_ERROR_MAX	 127 /* RFC 4443 §2.1: errors have the high bit clear */
#define ICMP6_TYPE_ECHO		 128
#define ICMP6_TYPE_ECHO_REPLY	 129
#define ICMP6_TYPE_RS		 133 /* RFC 4861 §4; all of 133 to 137 are neighbour discovery */
#define ICMP6_TYPE_RA		 134
#define ICMP6_TYPE_NS		 135
#define ICMP6_TYPE_NA		 136
#define ICMP6_TYPE_ND_REDIRECT	 137

#define ICMP6_CODE_NO_ROUTE	    0
#define ICMP6_CODE_PROHIBITED	    1
#define ICMP6_CODE_ADDR_UNREACHABLE 3
#define ICMP6_CODE_PORT_UNREACHABLE 4
#define ICMP6_CODE_HOP_LIMIT	    0

#endif
