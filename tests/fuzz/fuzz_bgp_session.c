/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole core with two peers under fire. The input is a list of operations:
 * | operation 1 | ... |; most deliver a message with a right header and a body
 * from the input, so that the fuzzer reaches past the framing. At the end every
 * byte of memory must be given back.
 */
#include "bgp/bgp.h"

#include <stdlib.h>
#include <string.h>

#include "bgp/bgp_wire.h"
#include "lib/buf.h"
#include "lib/nsec.h"
#include "tests/fuzz/fuzz.h"

struct budget {
	size_t used;
	unsigned until_failure; /* 0: never */
};

struct run {
	struct bgp *bgp;
	struct budget mem;
	uint64_t now_ns, conn[2];
};

static const uint8_t peer_open[] = {4, 0xfd, 0xea, 0, 90, 10, 0, 0, 2, 30, 2, 28, 1, 4, 0, 1, 0, 1, 1, 4, 0,
    2, 0, 1, 2, 0, 64, 6, 0, 120, 0, 1, 1, 0x80, 65, 4, 0, 0, 0xfd, 0xea};

static void *counted_resize(void *arg, void *ptr, size_t old_size, size_t new_size)
{
	struct budget *b = arg;
	void *grown = NULL;

	if (new_size > old_size && b->until_failure && --b->until_failure == 0) {
		b->until_failure = 7;
		return NULL;
	}
	if (new_size)
		grown = realloc(ptr, new_size);
	else
		free(ptr);
	b->used += new_size - old_size;
	return grown;
}

static void set_peer(struct run *r, const char *name, uint32_t as, uint8_t last, bool limited)
{
	struct bgp_peer_config c = {.address = ip_addr_v4(__builtin_bswap32(0x0a000000u | last)),
	    .as = as,
	    .import_filter = "f",
	    .export_filter = "f",
	    .passive = true,
	    .max_prefixes = limited ? 8 : 0};

	ip_addr_parse("fd00::1", &c.next_hop[BGP_IPV6], NULL);
	bgp_peer_set(r->bgp, name, &c, r->now_ns, NULL);
}

static void set_filter(struct run *r, uint8_t byte)
{
	struct bgp_prefix_range range = {.le = 24};
	struct bgp_rule rules[2] = {{.ranges = &range,
					.n_ranges = byte & 1,
					.prepend = byte >> 4,
					.set_med = byte & 2,
					.set_local_pref = byte & 4},
	    {.action = byte & 8 ? BGP_RULE_REJECT : BGP_RULE_ACCEPT}};

	ip_prefix_parse("10.0.0.0/8", &range.prefix, NULL);
	bgp_filter_set(r->bgp, "f", rules, 2, NULL);
}

static void accept_conn(struct run *r, unsigned i)
{
	struct ip_endpoint local = {ip_addr_v4(__builtin_bswap32(0x0a000001)), 179};
	struct ip_endpoint remote = {ip_addr_v4(__builtin_bswap32(0x0a000002u + i)), 4000};

	bgp_conn_accept(r->bgp, &local, &remote, NULL, r->now_ns, &r->conn[i]);
}

static void deliver(struct run *r, unsigned i, uint8_t type, const uint8_t *body, size_t len)
{
	uint8_t msg[BGP_HEADER_LEN + 300];
	struct buf_writer w;

	buf_writer_init(&w, msg, sizeof(msg));
	memset(buf_write_reserve(&w, BGP_MARKER_LEN), 0xff, BGP_MARKER_LEN);
	buf_write_be16(&w, (uint16_t)(BGP_HEADER_LEN + len));
	buf_write_u8(&w, type);
	buf_write_bytes(&w, body, len);
	/* In two pieces, to go through the reassembly too. */
	bgp_conn_input(r->bgp, r->conn[i], msg, len / 2, r->now_ns);
	bgp_conn_input(r->bgp, r->conn[i], msg + len / 2, buf_writer_len(&w) - len / 2, r->now_ns);
}

static void pull(struct run *r)
{
	static uint8_t out[8192];
	struct bgp_action action;
	struct bgp_route_change changes[4];

	while (bgp_action_next(r->bgp, &action)) {
		if (action.kind == BGP_ACTION_SEND)
			FUZZ_REQUIRE(
			    bgp_conn_output(r->bgp, action.conn, out, sizeof(out), r->now_ns) <= sizeof(out));
	}
	while (bgp_routes_pull(r->bgp, changes, 4))
		;
}

static void list_routes(struct run *r, bool advertised)
{
	struct bgp_route_query query = {
	    .prefix.addr.family = IP_V4, .peer = advertised ? "a" : NULL, .advertised = advertised};
	struct bgp_route_cursor cursor = {0};
	struct bgp_path_info info;
	struct bgp_peer_info peer;
	char text[64];

	while (bgp_route_next(r->bgp, &query, &cursor, &info)) {
		bgp_attrs_format_path(info.attrs, text, sizeof(text));
		bgp_attrs_format_communities(info.attrs, text, sizeof(text));
	}
	bgp_peer_get_info(r->bgp, "a", r->now_ns, &peer);
}

static void establish(struct run *r, unsigned i)
{
	uint8_t open[sizeof(peer_open)];

	memcpy(open, peer_open, sizeof(open));
	if (i) { /* the second peer is internal */
		open[2] = open[sizeof(open) - 1] = 0xe9;
		open[8] = 3;
	}
	accept_conn(r, i);
	deliver(r, i, BGP_MSG_OPEN, open, sizeof(open));
	deliver(r, i, BGP_MSG_KEEPALIVE, NULL, 0);
}

static void operate(struct run *r, struct buf_reader *in)
{
	uint8_t op = buf_read_u8(in), arg = buf_read_u8(in);
	unsigned i = op >> 7;
	struct ip_prefix own = {ip_addr_v4(__builtin_bswap32(0x0a000000u | (uint32_t)arg << 16)), 16};
	struct buf_reader body;

	switch (op & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		body = buf_read_sub(in, arg);
		if (!body.err)
			deliver(r, i, (uint8_t)((op >> 4 & 3) == 3 ? BGP_MSG_ROUTE_REFRESH : BGP_MSG_UPDATE),
			    body.p, arg);
		break;
	case 4:
		body = buf_read_sub(in, arg);
		if (!body.err)
			deliver(r, i, op >> 4 & 7, body.p, arg);
		break;
	case 5:
		accept_conn(r, i);
		break;
	case 6:
		bgp_conn_closed(r->bgp, r->conn[i], NULL, r->now_ns);
		break;
	case 7:
		r->now_ns += (uint64_t)arg * NSEC_PER_SEC;
		break;
	case 8:
		set_filter(r, arg);
		break;
	case 9:
		bgp_local_add(r->bgp, &own, BGP_SOURCE_NETWORK);
		break;
	case 10:
		bgp_local_remove(r->bgp, &own, BGP_SOURCE_NETWORK);
		break;
	case 11:
		bgp_peer_remove(r->bgp, i ? "b" : "a", r->now_ns);
		break;
	case 12:
		set_peer(r, i ? "b" : "a", i ? 65001 : 65002, (uint8_t)(2 + i), arg & 1);
		break;
	case 13:
		bgp_peer_set_usable(r->bgp, i ? "b" : "a", arg & 1);
		bgp_peer_refresh(r->bgp, i ? "b" : "a", r->now_ns);
		break;
	case 14:
		establish(r, i);
		break;
	case 15:
		list_routes(r, arg & 1);
		r->mem.until_failure = arg & 2 ? arg : 0;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {.now_ns = NSEC_PER_SEC};
	struct bgp_config config = {.as = 65001,
	    .router_id = 0x0a000001,
	    .slice = 16,
	    .mem = {counted_resize, &r.mem},
	    .restarting = size && data[0] == 0xff};
	struct buf_reader in;

	FUZZ_REQUIRE(bgp_new(&config, r.now_ns, &r.bgp, NULL) == 0);
	set_filter(&r, 0);
	set_peer(&r, "a", 65002, 2, false);
	set_peer(&r, "b", 65001, 3, false);
	establish(&r, 0);
	establish(&r, 1);
	buf_reader_init(&in, data, size);
	while (buf_reader_left(&in)) {
		operate(&r, &in);
		bgp_tick(r.bgp, r.now_ns);
		pull(&r);
	}
	r.mem.until_failure = 0;
	while (bgp_tick(r.bgp, r.now_ns))
		pull(&r);
	pull(&r);
	list_routes(&r, false);
	bgp_free(r.bgp);
	FUZZ_REQUIRE(r.mem.used == 0);
	return 0;
}
