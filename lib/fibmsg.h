/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only contract between control and dataplane: what a datagram on the FIB
 * socket (SOCK_SEQPACKET, the dataplane listens) says, as structs, one table of
 * types and fields, and a big-endian codec made from that table. Also the format
 * of the dataplane's state on disk. Pure; any thread.
 *
 * Conversation
 *   control -> HELLO                      dataplane -> HELLO_REPLY(version, id_base, generation)
 *   control -> SYNC_BEGIN(generation)     objects named from here on belong to it
 *   control -> SET_x / DEL_x ...          batches; each datagram is one batch
 *   control -> SYNC_END                   sweeps control's objects that the generation did not name
 *   control -> SET_x / DEL_x ...          live batches
 *   every datagram of control's that carries objects is answered by one ACK(seq, code, index, text);
 *   a batch is applied whole or refused whole. At most FIBMSG_WINDOW datagrams may be unanswered.
 *   control -> QUERY(kind, ...)           dataplane -> ROW_x ..., END(seq, code)
 *   dataplane -> EV_x                     unasked, with seq 0, once HELLO was answered
 * Order: next hops before the groups that use them, groups before routes, ports before
 * what names them, tunnels before peers, peers before their allowed-IPs; removal in reverse.
 * SET of an object that exists with the same content does nothing. DEL of what is not there is
 * no error; DEL of what another object names is refused. With FIBMSG_F_CHECK a batch is validated as
 * if applied, and nothing changes. HELLO, SYNC_BEGIN, SYNC_END and QUERY stand alone in their
 * datagrams. An allowed-IP belongs to one peer of its tunnel: SET moves it, DEL by another does nothing.
 *
 * Datagram:  0               4               8               12
 *            +---------------+---------------+-------+-------+
 *            | magic "BYFB"  | seq           | count | ver|fl|   then count messages:
 *            +---------------+---------------+-------+-------+   type u16, length u16, payload
 *
 * Fields lie in the order of the table without padding. Field kinds:
 *   U8 U16 U32 U64   big-endian
 *   ADDR             family u8 (0, 4, 6), then 0, 4 or 16 bytes
 *   PREFIX           ADDR, length u8; PREFIX with host bits set is refused, IFADDR keeps them
 *   RANGE            PREFIX, or family 0 and length 0: everything (PREFIX, IFADDR and lists refuse family 0)
 *   ENDPOINT         ADDR, port u16 (family 0: none, no port follows)
 *   STR              length u8, bytes; no NUL inside; shorter than the struct's array
 *   KEY              32 bytes
 *   MAC              6 bytes
 *   ADDRS, PREFIXES  count u8, then that many ADDR or PREFIX
 *   MEMBERS          count u8, then that many (next hop u32, weight u16)
 */
#ifndef BYWAY_LIB_FIBMSG_H
#define BYWAY_LIB_FIBMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/ip.h"

#define FIBMSG_VERSION 2
#define FIBMSG_MAGIC   0x42594642u
#define FIBMSG_MAX_LEN 65536 /* bytes of a datagram */
#define FIBMSG_HDR_LEN 12
#define FIBMSG_WINDOW  16
#define FIBMSG_NAME    16 /* interface names: 15 bytes and the NUL, as the kernel has them */
#define FIBMSG_LABEL   64
#define FIBMSG_PATH    256
#define FIBMSG_TEXT    256
#define FIBMSG_LIST    8  /* targets, prefixes */
#define FIBMSG_MEMBERS 16 /* of a group */
#define FIBMSG_F_CHECK 0x01
#define FIBMSG_OVERLAY 0u /* the table that hosts see */

struct fibmsg_header {
	uint32_t seq;
	uint16_t count;
	uint8_t version;
	uint8_t flags; /* FIBMSG_F_ */
};

enum fibmsg_role { FIBMSG_ROLE_LAN, FIBMSG_ROLE_WAN };
enum fibmsg_nh_kind {
	FIBMSG_NH_VIA,	       /* iface and gateway; a gateway in iface's subnet or link-local */
	FIBMSG_NH_CONNECTED,   /* iface; the destination itself is the neighbour */
	FIBMSG_NH_TUNNEL,      /* tunnel; peer by key, or a zero key: allowed-IPs (or the only peer) decide */
	FIBMSG_NH_UNREACHABLE, /* ICMP unreachable */
	FIBMSG_NH_PROHIBIT,    /* ICMP administratively prohibited */
	FIBMSG_NH_BLACKHOLE,   /* silence */
};
enum fibmsg_group_mode { FIBMSG_GROUP_ORDERED, FIBMSG_GROUP_WEIGHTED };
enum fibmsg_override { FIBMSG_OVERRIDE_AUTO, FIBMSG_OVERRIDE_UP, FIBMSG_OVERRIDE_DOWN };
enum fibmsg_fragment { FIBMSG_FRAGMENT_OUTER, FIBMSG_FRAGMENT_INNER, FIBMSG_FRAGMENT_NEVER };
enum fibmsg_verdict { FIBMSG_VERDICT_UNKNOWN, FIBMSG_VERDICT_UP, FIBMSG_VERDICT_DOWN };
enum fibmsg_query {
	FIBMSG_QUERY_PORTS,
	FIBMSG_QUERY_ADDRESSES, /* as on the host interfaces now */
	FIBMSG_QUERY_LINES,
	FIBMSG_QUERY_TUNNELS,
	FIBMSG_QUERY_PEERS,
	FIBMSG_QUERY_ROUTES, /* of one table within a prefix; family 0: all */
	FIBMSG_QUERY_GROUPS,
	FIBMSG_QUERY_NEIGHBOURS,
	FIBMSG_QUERY_DROPS,
	FIBMSG_QUERY_EVENTS, /* the last line and tunnel verdicts with their evidence */
	FIBMSG_QUERY_VERSION,
};

struct fibmsg_hello {
	uint32_t version;
	char program[FIBMSG_LABEL]; /* name and version, for the log */
};
struct fibmsg_hello_reply {
	uint32_t version;
	uint32_t id_base;    /* the first next-hop and group id that is not in use, nor is any above it */
	uint64_t generation; /* of the objects held; 0: starts empty */
	char program[FIBMSG_LABEL];
};
struct fibmsg_sync {
	uint64_t generation; /* of control's choosing, not that of the last sync */
};
struct fibmsg_ack {
	uint32_t seq;
	uint32_t code;	/* 0, or the negated ERR_ code */
	uint16_t index; /* of the first message that is wrong */
	char text[FIBMSG_TEXT];
};

/* What the router is as a host. One object. */
struct fibmsg_router {
	char name[FIBMSG_LABEL];
	struct ip_addr source4, source6; /* preferred sources of what the host itself sends; family 0: none */
	uint16_t icmp_rate;		 /* ICMP errors a second at the most; 0: the default, 100 */
};
struct fibmsg_port {
	char name[FIBMSG_NAME];
	char device[FIBMSG_LABEL * 2]; /* netdev name | PCI address | vdev string */
	uint8_t role;		       /* enum fibmsg_role */
	uint32_t table;		       /* a WAN's underlay; 0 for others */
	uint16_t mtu;		       /* bytes of an IP packet; 0: the device's */
	uint8_t mac[6];		       /* zero: the device's */
	uint8_t queues;		       /* 0: 1 */
	uint8_t bypass; /* 1: with no dataplane, frames go to the kernel; 0: they are dropped */
};
struct fibmsg_address {
	char iface[FIBMSG_NAME];
	struct ip_prefix address; /* with host bits */
};
/* A WAN port as a line: how it is judged. Gateways also serve the probes. */
struct fibmsg_line {
	char port[FIBMSG_NAME];
	struct ip_addr gateway4, gateway6;
	uint16_t preference; /* lower is preferred */
	uint8_t metered;
	uint8_t override_to; /* enum fibmsg_override */
	uint32_t interval_ms, timeout_ms, hold_down_ms;
	uint16_t down_after; /* rounds in a row without any answer */
	uint8_t n_targets, n_prefixes;
	struct ip_addr targets[FIBMSG_LIST];	/* none: the gateways */
	struct ip_prefix prefixes[FIBMSG_LIST]; /* delegated: sources inside leave by this line */
};
struct fibmsg_tunnel {
	char name[FIBMSG_NAME];
	char key_path[FIBMSG_PATH]; /* the private key's file, read by the dataplane */
	uint16_t listen_port;
	char line[FIBMSG_NAME]; /* a WAN's name; empty: follow the active line */
	uint8_t
	    fallback; /* 1: while that WAN is down, peers with an endpoint are spoken to by the active line */
	uint16_t mtu; /* 0: from the lines */
	uint8_t mss_clamp;
	uint8_t fragment; /* enum fibmsg_fragment: where packets too large for the way are cut */
	uint32_t fwmark;
};
struct fibmsg_peer {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
	char name[FIBMSG_LABEL];
	char psk_path[FIBMSG_PATH]; /* empty: none */
	struct ip_endpoint endpoint;
	uint16_t keepalive_s;
	uint8_t any;	      /* 1: no allowed-IPs of its own; takes what its routes send */
	struct ip_addr probe; /* inner address that answers echo; family 0: not probed */
	uint32_t interval_ms, timeout_ms, hold_down_ms;
	uint16_t down_after;
};
struct fibmsg_allowed_ip {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
	struct ip_prefix prefix;
};
struct fibmsg_nexthop {
	uint32_t id;
	uint8_t kind; /* enum fibmsg_nh_kind */
	char iface[FIBMSG_NAME];
	struct ip_addr gateway;
	uint8_t peer[32];
};
struct fibmsg_member {
	uint32_t nexthop;
	uint16_t weight; /* ordered: ignored */
};
struct fibmsg_group {
	uint32_t id;
	uint8_t mode; /* enum fibmsg_group_mode */
	uint8_t n_members;
	struct fibmsg_member members[FIBMSG_MEMBERS];
};
struct fibmsg_route {
	uint32_t table;
	struct ip_prefix prefix;
	uint32_t group;
};
struct fibmsg_table_key {
	uint32_t table;
	struct ip_prefix prefix;
};
struct fibmsg_name {
	char name[FIBMSG_NAME];
};
struct fibmsg_id {
	uint32_t id;
};
struct fibmsg_peer_key {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
};

struct fibmsg_query_msg {
	uint8_t kind; /* enum fibmsg_query */
	uint32_t table;
	struct ip_prefix prefix; /* family 0: everything */
};
struct fibmsg_end {
	uint32_t seq;
	uint32_t code;
	char text[FIBMSG_TEXT];
};

struct fibmsg_row_port {
	char name[FIBMSG_NAME];
	char device[FIBMSG_LABEL * 2];
	char driver[FIBMSG_LABEL];
	uint8_t role, link_up;
	uint16_t mtu;
	uint8_t mac[6];
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_missed, tx_dropped;
};
struct fibmsg_row_address {
	char iface[FIBMSG_NAME];
	struct ip_prefix address;
};
struct fibmsg_row_line {
	char port[FIBMSG_NAME];
	uint8_t verdict, active, link_up,
	    override_to; /* enum fibmsg_verdict; active: preferred and alive now */
	uint16_t preference;
	uint64_t since_ns; /* age of the verdict */
	uint32_t rtt_us, jitter_us;
	uint16_t loss_permille;
	uint64_t probes_sent, probes_answered;
	char reason[FIBMSG_TEXT];
};
struct fibmsg_row_tunnel {
	char name[FIBMSG_NAME];
	uint8_t public_key[32];
	uint16_t listen_port, mtu;
	char line[FIBMSG_NAME]; /* configured: empty when it follows */
	char line_in_use[FIBMSG_NAME];
	uint8_t up;
	uint16_t n_peers;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	char origin[FIBMSG_LABEL]; /* in words: whose it is, the configuration's or wg set's */
	char cipher[FIBMSG_TEXT];  /* which back end serves which bursts */
};
struct fibmsg_row_peer {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
	char name[FIBMSG_LABEL];
	struct ip_endpoint endpoint;
	char line[FIBMSG_NAME];	     /* on which it was heard last */
	uint8_t verdict;	     /* of its probe; unknown when not probed */
	uint64_t since_ns;	     /* age of the verdict */
	uint64_t handshake_ns;	     /* age of the last handshake; UINT64_MAX: never */
	uint64_t rx_bytes, tx_bytes; /* of WireGuard messages, as `wg show` counts */
	uint16_t mtu;		     /* of inner packets that reach it whole; 0: no way is known */
	uint16_t path_mtu;	     /* of outer packets, as routers on the way have told; 0: none has */
	uint32_t rtt_us;
	uint16_t loss_permille;
	char reason[FIBMSG_TEXT];
	char origin[FIBMSG_LABEL]; /* as of the tunnel */
};
struct fibmsg_row_route {
	uint32_t table;
	struct ip_prefix prefix;
	uint32_t group;
	uint8_t origin;			/* 0 local, 1 control, 2 neighbour */
	char nexthop[FIBMSG_LABEL * 2]; /* in words: what serves now */
};
struct fibmsg_row_group {
	uint32_t id;
	uint8_t mode, n_members, active; /* active: index of the member that serves; 255: none lives */
	char members[FIBMSG_TEXT];	 /* in words */
};
struct fibmsg_row_neighbour {
	char iface[FIBMSG_NAME];
	struct ip_addr addr;
	uint8_t mac[6];
	uint8_t resolved;
};
struct fibmsg_row_drop {
	char reason[FIBMSG_LABEL];
	char text[FIBMSG_LABEL * 2];
	uint64_t packets;
};
struct fibmsg_row_event {
	uint64_t age_ns;
	char object[FIBMSG_LABEL]; /* "wan1", "friend1/friend" */
	uint8_t verdict;
	uint32_t groups_moved;
	uint32_t took_us; /* from the verdict to the last group moved */
	char reason[FIBMSG_TEXT];
};
struct fibmsg_row_version {
	char program[FIBMSG_LABEL];
	char dpdk[FIBMSG_LABEL];
	uint64_t uptime_ns;
	uint16_t workers;
	uint8_t hugepages;
};

struct fibmsg_ev_link {
	char iface[FIBMSG_NAME];
	uint8_t up;
};
struct fibmsg_ev_address {
	char iface[FIBMSG_NAME];
	struct ip_prefix address;
	uint8_t added;
};
struct fibmsg_ev_line {
	char port[FIBMSG_NAME];
	uint8_t verdict, active;
	uint32_t groups_moved;
	char reason[FIBMSG_TEXT];
};
struct fibmsg_ev_peer {
	char tunnel[FIBMSG_NAME];
	uint8_t key[32];
	uint8_t usable; /* next hops over it may be used */
	uint8_t verdict;
	char reason[FIBMSG_TEXT];
};

/*
 * The table of types: M(number, NAME, struct suffix, F(kind, field) ...). Numbers are
 * wire values and never reused. Lists name their array; the count field is n_<array>.
 */
/* clang-format off */
#define FIBMSG_F_PROBE(F) F(U32, interval_ms) F(U32, timeout_ms) F(U32, hold_down_ms) F(U16, down_after)
#define FIBMSG_LIST_OF_TYPES(M, F)                                                                              \
	M(1,  HELLO,           hello,         F(U32, version) F(STR, program))                                  \
	M(2,  HELLO_REPLY,     hello_reply,   F(U32, version) F(U32, id_base) F(U64, generation) F(STR, program)) \
	M(3,  SYNC_BEGIN,      sync,          F(U64, generation))                                               \
	M(4,  SYNC_END,        sync,          F(U64, generation))                                               \
	M(5,  ACK,             ack,           F(U32, seq) F(U32, code) F(U16, index) F(STR, text))              \
	M(16, SET_ROUTER,      router,        F(STR, name) F(ADDR, source4) F(ADDR, source6) F(U16, icmp_rate)) \
	M(17, SET_PORT,        port,          F(STR, name) F(STR, device) F(U8, role) F(U32, table) F(U16, mtu) F(MAC, mac) F(U8, queues) F(U8, bypass)) \
	M(18, DEL_PORT,        name,          F(STR, name))                                                     \
	M(19, SET_ADDRESS,     address,       F(STR, iface) F(IFADDR, address))                                 \
	M(20, DEL_ADDRESS,     address,       F(STR, iface) F(IFADDR, address))                                 \
	M(21, SET_LINE,        line,          F(STR, port) F(ADDR, gateway4) F(ADDR, gateway6) F(U16, preference) F(U8, metered) F(U8, override_to) FIBMSG_F_PROBE(F) F(ADDRS, targets) F(PREFIXES, prefixes)) \
	M(22, DEL_LINE,        name,          F(STR, name))                                                     \
	M(23, SET_TUNNEL,      tunnel,        F(STR, name) F(STR, key_path) F(U16, listen_port) F(STR, line) F(U8, fallback) F(U16, mtu) F(U8, mss_clamp) F(U8, fragment) F(U32, fwmark)) \
	M(24, DEL_TUNNEL,      name,          F(STR, name))                                                     \
	M(25, SET_PEER,        peer,          F(STR, tunnel) F(KEY, key) F(STR, name) F(STR, psk_path) F(ENDPOINT, endpoint) F(U16, keepalive_s) F(U8, any) F(ADDR, probe) FIBMSG_F_PROBE(F)) \
	M(26, DEL_PEER,        peer_key,      F(STR, tunnel) F(KEY, key))                                       \
	M(27, SET_ALLOWED_IP,  allowed_ip,    F(STR, tunnel) F(KEY, key) F(PREFIX, prefix))                     \
	M(28, DEL_ALLOWED_IP,  allowed_ip,    F(STR, tunnel) F(KEY, key) F(PREFIX, prefix))                     \
	M(29, SET_NEXTHOP,     nexthop,       F(U32, id) F(U8, kind) F(STR, iface) F(ADDR, gateway) F(KEY, peer)) \
	M(30, DEL_NEXTHOP,     id,            F(U32, id))                                                       \
	M(31, SET_GROUP,       group,         F(U32, id) F(U8, mode) F(MEMBERS, members))                       \
	M(32, DEL_GROUP,       id,            F(U32, id))                                                       \
	M(33, SET_ROUTE,       route,         F(U32, table) F(PREFIX, prefix) F(U32, group))                    \
	M(34, DEL_ROUTE,       table_key,     F(U32, table) F(PREFIX, prefix))                                  \
	M(48, QUERY,           query_msg,     F(U8, kind) F(U32, table) F(RANGE, prefix))                       \
	M(49, END,             end,           F(U32, seq) F(U32, code) F(STR, text))                            \
	M(50, ROW_PORT,        row_port,      F(STR, name) F(STR, device) F(STR, driver) F(U8, role) F(U8, link_up) F(U16, mtu) F(MAC, mac) F(U64, rx_packets) F(U64, rx_bytes) F(U64, tx_packets) F(U64, tx_bytes) F(U64, rx_missed) F(U64, tx_dropped)) \
	M(51, ROW_ADDRESS,     row_address,   F(STR, iface) F(IFADDR, address))                                 \
	M(52, ROW_LINE,        row_line,      F(STR, port) F(U8, verdict) F(U8, active) F(U8, link_up) F(U8, override_to) F(U16, preference) F(U64, since_ns) F(U32, rtt_us) F(U32, jitter_us) F(U16, loss_permille) F(U64, probes_sent) F(U64, probes_answered) F(STR, reason)) \
	M(53, ROW_TUNNEL,      row_tunnel,    F(STR, name) F(KEY, public_key) F(U16, listen_port) F(U16, mtu) F(STR, line) F(STR, line_in_use) F(U8, up) F(U16, n_peers) F(U64, rx_packets) F(U64, rx_bytes) F(U64, tx_packets) F(U64, tx_bytes) F(STR, origin) F(STR, cipher)) \
	M(54, ROW_PEER,        row_peer,      F(STR, tunnel) F(KEY, key) F(STR, name) F(ENDPOINT, endpoint) F(STR, line) F(U8, verdict) F(U64, since_ns) F(U64, handshake_ns) F(U64, rx_bytes) F(U64, tx_bytes) F(U16, mtu) F(U16, path_mtu) F(U32, rtt_us) F(U16, loss_permille) F(STR, reason) F(STR, origin)) \
	M(55, ROW_ROUTE,       row_route,     F(U32, table) F(PREFIX, prefix) F(U32, group) F(U8, origin) F(STR, nexthop)) \
	M(56, ROW_GROUP,       row_group,     F(U32, id) F(U8, mode) F(U8, n_members) F(U8, active) F(STR, members)) \
	M(57, ROW_NEIGHBOUR,   row_neighbour, F(STR, iface) F(ADDR, addr) F(MAC, mac) F(U8, resolved))          \
	M(58, ROW_DROP,        row_drop,      F(STR, reason) F(STR, text) F(U64, packets))                      \
	M(59, ROW_EVENT,       row_event,     F(U64, age_ns) F(STR, object) F(U8, verdict) F(U32, groups_moved) F(U32, took_us) F(STR, reason)) \
	M(60, ROW_VERSION,     row_version,   F(STR, program) F(STR, dpdk) F(U64, uptime_ns) F(U16, workers) F(U8, hugepages)) \
	M(80, EV_LINK,         ev_link,       F(STR, iface) F(U8, up))                                          \
	M(81, EV_ADDRESS,      ev_address,    F(STR, iface) F(IFADDR, address) F(U8, added))                    \
	M(82, EV_LINE,         ev_line,       F(STR, port) F(U8, verdict) F(U8, active) F(U32, groups_moved) F(STR, reason)) \
	M(83, EV_PEER,         ev_peer,       F(STR, tunnel) F(KEY, key) F(U8, usable) F(U8, verdict) F(STR, reason))
/* clang-format on */

enum fibmsg_type {
#define FIBMSG_NO_FIELD(kind, field)
#define FIBMSG_ENUM(number, NAME, suffix, fields) FIBMSG_##NAME = (number),
	FIBMSG_LIST_OF_TYPES(FIBMSG_ENUM, FIBMSG_NO_FIELD)
#undef FIBMSG_ENUM
};

/* Room for any message, decoded. u.<struct suffix> goes with the type as the table says. */
struct fibmsg {
	uint16_t type; /* enum fibmsg_type */
	union {
		struct fibmsg_hello hello;
		struct fibmsg_hello_reply hello_reply;
		struct fibmsg_sync sync;
		struct fibmsg_ack ack;
		struct fibmsg_router router;
		struct fibmsg_port port;
		struct fibmsg_address address;
		struct fibmsg_line line;
		struct fibmsg_tunnel tunnel;
		struct fibmsg_peer peer;
		struct fibmsg_allowed_ip allowed_ip;
		struct fibmsg_nexthop nexthop;
		struct fibmsg_group group;
		struct fibmsg_route route;
		struct fibmsg_table_key table_key;
		struct fibmsg_name name;
		struct fibmsg_id id;
		struct fibmsg_peer_key peer_key;
		struct fibmsg_query_msg query_msg;
		struct fibmsg_end end;
		struct fibmsg_row_port row_port;
		struct fibmsg_row_address row_address;
		struct fibmsg_row_line row_line;
		struct fibmsg_row_tunnel row_tunnel;
		struct fibmsg_row_peer row_peer;
		struct fibmsg_row_route row_route;
		struct fibmsg_row_group row_group;
		struct fibmsg_row_neighbour row_neighbour;
		struct fibmsg_row_drop row_drop;
		struct fibmsg_row_event row_event;
		struct fibmsg_row_version row_version;
		struct fibmsg_ev_link ev_link;
		struct fibmsg_ev_address ev_address;
		struct fibmsg_ev_line ev_line;
		struct fibmsg_ev_peer ev_peer;
	} u;
};

/* Starts a datagram in w (FIBMSG_HDR_LEN bytes, count 0). */
void fibmsg_begin(struct buf_writer *w, uint32_t seq, uint8_t flags);
/*
 * Appends one message and counts it in the header. ERR_FULL: no room, w is as it
 * was (send, begin the next). ERR_INVALID: unknown type; ERR_RANGE: a field the codec cannot say.
 */
int fibmsg_append(struct buf_writer *w, const struct fibmsg *m, struct err_msg *msg);
/* Header of a received datagram. ERR_PROTO: magic, version or length; ERR_TRUNCATED. */
int fibmsg_read_header(struct buf_reader *r, struct fibmsg_header *h, struct err_msg *msg);
/*
 * The next message; call header.count times, then r must be empty. ERR_TRUNCATED, ERR_PROTO
 * (unknown type, bytes left over), ERR_INVALID, ERR_RANGE; msg names message and field.
 * Unused bytes of m are zero, so that equal messages compare equal by memcmp.
 */
int fibmsg_read(struct buf_reader *r, struct fibmsg *m, struct err_msg *msg);
/* "SET_ROUTE"; "type 999" is NULL. */
const char *fibmsg_type_name(uint16_t type);
/* One line for a log: "SET_ROUTE table=0 prefix=10.0.0.0/8 group=7"; KEYs shortened. Returns buf. */
const char *fibmsg_format(const struct fibmsg *m, char *buf, size_t size);
/* The underlay table of a line: FNV-1a-32 of the port's name, lowest bit set (never the overlay). */
uint32_t fibmsg_line_table(const char *port);

#endif
