/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers and layouts of the BGP wire, nothing else. All fields are big-endian
 * and read and written through lib/buf.
 *
 * Header, RFC 4271 §4.1
 *	| marker 16 (all ones) | length 2 (with the header) | type 1 |
 * OPEN, §4.2 (RFC 9072: parameters' length 255, then type 255, then a length of 2)
 *	| version 1 | my AS 2 | hold time 2 (s) | identifier 4 | length of parameters 1 | parameters |
 *	parameter: | type 1 | length 1 | value |; type 2 holds capabilities: | code 1 | length 1 | value |
 * UPDATE, §4.3
 *	| withdrawn length 2 | withdrawn prefixes | attributes length 2 | attributes | prefixes |
 *	prefix: | length 1 (bits) | the bytes that the length needs |
 *	attribute: | flags 1 | type 1 | length 1, or 2 with the extended flag | value |
 * NOTIFICATION, §4.5
 *	| code 1 | subcode 1 | data |
 * KEEPALIVE, §4.4: the header alone
 * ROUTE-REFRESH, RFC 2918 §3
 *	| AFI 2 | reserved 1 | SAFI 1 |
 * MP_REACH_NLRI, RFC 4760 §3
 *	| AFI 2 | SAFI 1 | next hop length 1 | next hop | reserved 1 | prefixes |
 * MP_UNREACH_NLRI, RFC 4760 §4
 *	| AFI 2 | SAFI 1 | prefixes |
 * Graceful restart capability, RFC 4724 §3
 *	| R 1 bit, reserved 3, restart time 12 bits (s) | { AFI 2 | SAFI 1 | F 1 bit, reserved 7 } ... |
 */
#ifndef BYWAY_BGP_BGP_WIRE_H
#define BYWAY_BGP_BGP_WIRE_H

#include <assert.h>
#include <stdint.h>

#define BGP_MARKER_LEN 16
#define BGP_HEADER_LEN 19
#define BGP_MSG_MAX    4096 /* RFC 4271 §4.1; 65535 with RFC 8654, not yet */
#define BGP_VERSION    4
#define BGP_AS_TRANS   23456u /* RFC 6793 §9 */

enum bgp_msg_type {
	BGP_MSG_OPEN = 1,
	BGP_MSG_UPDATE = 2,
	BGP_MSG_NOTIFICATION = 3,
	BGP_MSG_KEEPALIVE = 4,
	BGP_MSG_ROUTE_REFRESH = 5,
};

#define BGP_OPEN_MIN_LEN	 29
#define BGP_UPDATE_MIN_LEN	 23
#define BGP_NOTIFICATION_MIN_LEN 21
#define BGP_ROUTE_REFRESH_LEN	 23

#define BGP_AFI_IPV4	 1
#define BGP_AFI_IPV6	 2
#define BGP_SAFI_UNICAST 1

#define BGP_PARAM_CAPABILITIES 2   /* RFC 5492 §4 */
#define BGP_PARAM_EXTENDED     255 /* RFC 9072 §2 */

enum bgp_capability {
	BGP_CAP_MULTIPROTOCOL = 1,     /* RFC 4760 §8 */
	BGP_CAP_ROUTE_REFRESH = 2,     /* RFC 2918 §2 */
	BGP_CAP_GRACEFUL_RESTART = 64, /* RFC 4724 §3 */
	BGP_CAP_AS4 = 65,	       /* RFC 6793 §3 */
};

#define BGP_GR_RESTART_STATE 0x8000
#define BGP_GR_TIME_MASK     0x0fff
#define BGP_GR_FORWARDING    0x80

/* Attribute flags, RFC 4271 §4.3. */
#define BGP_FLAG_OPTIONAL   0x80
#define BGP_FLAG_TRANSITIVE 0x40
#define BGP_FLAG_PARTIAL    0x20
#define BGP_FLAG_EXTENDED   0x10

enum bgp_attr_type {
	BGP_ATTR_ORIGIN = 1,
	BGP_ATTR_AS_PATH = 2,
	BGP_ATTR_NEXT_HOP = 3,
	BGP_ATTR_MED = 4,
	BGP_ATTR_LOCAL_PREF = 5,
	BGP_ATTR_ATOMIC_AGGREGATE = 6,
	BGP_ATTR_AGGREGATOR = 7,
	BGP_ATTR_COMMUNITIES = 8,      /* RFC 1997 */
	BGP_ATTR_ORIGINATOR_ID = 9,    /* RFC 4456 */
	BGP_ATTR_CLUSTER_LIST = 10,    /* RFC 4456 */
	BGP_ATTR_MP_REACH = 14,	       /* RFC 4760 */
	BGP_ATTR_MP_UNREACH = 15,      /* RFC 4760 */
	BGP_ATTR_EXT_COMMUNITIES = 16, /* RFC 4360 */
	BGP_ATTR_AS4_PATH = 17,	       /* RFC 6793 */
	BGP_ATTR_AS4_AGGREGATOR = 18,  /* RFC 6793 */
	BGP_ATTR_IPV6_EXT = 25,	       /* RFC 5701 */
	BGP_ATTR_AIGP = 26,	       /* RFC 7311 */
	BGP_ATTR_LARGE = 32,	       /* RFC 8092 */
	BGP_ATTR_OTC = 35,	       /* RFC 9234 */
};

enum bgp_segment_type {
	BGP_SEG_SET = 1,
	BGP_SEG_SEQUENCE = 2,
	BGP_SEG_CONFED_SEQUENCE = 3, /* RFC 5065 */
	BGP_SEG_CONFED_SET = 4,	     /* RFC 5065 */
};
#define BGP_SEG_MAX 255 /* AS numbers in a segment */

#define BGP_COMMUNITY_NO_EXPORT		  0xffffff01u /* RFC 1997 */
#define BGP_COMMUNITY_NO_ADVERTISE	  0xffffff02u
#define BGP_COMMUNITY_NO_EXPORT_SUBCONFED 0xffffff03u

/* NOTIFICATION codes and subcodes, RFC 4271 §4.5. */
enum bgp_error_code {
	BGP_ERROR_HEADER = 1,
	BGP_ERROR_OPEN = 2,
	BGP_ERROR_UPDATE = 3,
	BGP_ERROR_HOLD_TIMER = 4,
	BGP_ERROR_FSM = 5,
	BGP_ERROR_CEASE = 6,
	BGP_ERROR_REFRESH = 7, /* RFC 7313 */
};

enum bgp_header_error { BGP_HEADER_MARKER = 1, BGP_HEADER_LENGTH = 2, BGP_HEADER_TYPE = 3 };

enum bgp_open_error {
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_PEER_AS = 2,
	BGP_OPEN_IDENTIFIER = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD_TIME = 6,
	BGP_OPEN_CAPABILITY = 7, /* RFC 5492 */
};

enum bgp_update_error {
	BGP_UPDATE_ATTR_LIST = 1,
	BGP_UPDATE_WELL_KNOWN = 2,
	BGP_UPDATE_MISSING = 3,
	BGP_UPDATE_FLAGS = 4,
	BGP_UPDATE_LENGTH = 5,
	BGP_UPDATE_ORIGIN = 6,
	BGP_UPDATE_NEXT_HOP = 8,
	BGP_UPDATE_OPTIONAL = 9,
	BGP_UPDATE_NETWORK = 10,
	BGP_UPDATE_AS_PATH = 11,
};

enum bgp_fsm_error { BGP_FSM_OPENSENT = 1, BGP_FSM_OPENCONFIRM = 2, BGP_FSM_ESTABLISHED = 3 }; /* RFC 6608 */

enum bgp_cease { /* RFC 4486 */
	BGP_CEASE_MAX_PREFIXES = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
};

static_assert(BGP_HEADER_LEN == BGP_MARKER_LEN + 3, "RFC 4271 §4.1");
static_assert(BGP_OPEN_MIN_LEN == BGP_HEADER_LEN + 10, "RFC 4271 §4.2");
static_assert(BGP_UPDATE_MIN_LEN == BGP_HEADER_LEN + 4, "RFC 4271 §4.3");

#endif
