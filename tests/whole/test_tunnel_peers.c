/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several peers on one tunnel: whom a route names gets its packets and may send from there, lists of
 * allowed-IPs go before that, and of peers without a list no other source is taken. By the short way and by
 * the stages.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/express.h"
#include "dataplane/nexthop.h"
#include "dataplane/tunnel_peer.h"
#include "tests/whole/tunnel_rig.h"

#define OURS "10.1.0.5"

static struct express *express;
static struct remote parked; /* the peer of the two that `remote` is not */
static struct nexthop via[2];
static struct group_peers named[3];
static bool with_express;

static struct fibmsg_peer config_of(const struct remote *r)
{
	struct fibmsg_peer p = {.tunnel = "friend", .any = 1, .name = "another"};

	memcpy(p.key, r->id.public_key, sizeof(p.key));
	return p;
}

static void swap_remotes(void)
{
	struct remote now = remote;

	remote = parked;
	parked = now;
}

static struct tunnel_peer *find(const struct remote *r)
{
	struct tunnel_peer *p = tunnel_peer_find("friend", r->id.public_key);

	assert_non_null(p);
	return p;
}

/* As the monitor thread publishes a group: the first of `peers` serves. */
static void route_to(const char *prefix, unsigned slot, struct nexthop *first, const struct nexthop *second)
{
	uint32_t group = whole_route(FIBMSG_OVERLAY, prefix, first);

	named[slot] = (struct group_peers){.n = second ? 2 : 1, .peer = {first->peer->index}};
	if (second)
		named[slot].peer[1] = second->peer->index;
	group_peers[group] = &named[slot];
}

static void list(const struct remote *r, const char *prefix)
{
	struct fibmsg_allowed_ip a = {.tunnel = "friend"};
	struct err_msg msg;

	memcpy(a.key, r->id.public_key, sizeof(a.key));
	assert_int_equal(ip_prefix_parse(prefix, &a.prefix, NULL), 0);
	assert_int_equal(tunnel_allowed_ip_set(&a, &msg), 0);
}

/* The first peer has 10.2/16 and fd00:2::/48; the second 10.3/16. Both have sessions, `remote` is the first.
 */
static void begin(bool short_way)
{
	struct fibmsg_peer p;
	struct err_msg msg = {""};
	uint8_t key[32];

	express = express ? express : whole_worker->express;
	whole_worker->express = short_way ? express : NULL;
	with_express = short_way;
	make_pair("198.51.100.7", "192.0.2.10", NULL, NULL);
	initiate();
	send_data("", 0);
	parked = remote;
	remote.address = "198.51.100.8";
	crypto_fill_random(key, sizeof(key));
	wg_noise_set_identity(&remote.id, key);
	assert_int_equal(wg_noise_set_peer(&remote.peer, &remote.id, parked.peer.public_key), 0);
	memset(remote.peer.preshared_key, 0, sizeof(remote.peer.preshared_key));
	p = config_of(&remote);
	if (tunnel_peer_set(&p, &msg))
		fail_msg("%s", msg.text);
	initiate();
	send_data("", 0);
	swap_remotes();
	for (unsigned i = 0; i < 2; i++)
		via[i] = (struct nexthop){.kind = NEXTHOP_TUNNEL,
		    .iface = iface_by_name("friend")->index,
		    .peer = find(i ? &parked : &remote)};
	route_to("10.2.0.0/16", 0, &via[0], NULL);
	route_to("fd00:2::/48", 1, &via[0], NULL);
	route_to("10.3.0.0/16", 2, &via[1], NULL);
	whole_forget_drops();
}

static int end(void **state)
{
	whole_worker->express = express;
	whole_unroute(FIBMSG_OVERLAY, "10.2.0.0/16");
	whole_unroute(FIBMSG_OVERLAY, "fd00:2::/48");
	whole_unroute(FIBMSG_OVERLAY, "10.3.0.0/16");
	return end_test(state);
}

/* Whether what `remote` sends from there comes out; by the short way no meta is written. */
static bool passes(const char *src)
{
	uint64_t dropped = whole_drops(DROP_TUNNEL_SOURCE);
	const uint8_t *inner;
	struct whole_packet got;
	size_t len;

	inner = inner_packet(src, strchr(src, ':') ? "fd00:1::5" : OURS, 20, &len);
	send_data(inner, len);
	got = whole_receive(&lan);
	if (!got.data) {
		assert_int_equal(whole_drops(DROP_TUNNEL_SOURCE), dropped + 1);
		return false;
	}
	assert_int_equal(whole_drops(DROP_TUNNEL_SOURCE), dropped);
	assert_int_equal(got.meta.l2_len == 0xa5, with_express);
	whole_free(&got);
	return true;
}

/* Whether what our LAN sends there goes to `remote`. */
static bool reaches(const char *dst)
{
	struct whole_packet got;
	size_t message_len;

	send_from_lan(OURS, dst, 20);
	got = whole_receive(&wan1);
	if (!got.data)
		return false;
	message_len = ntohs(((struct wire_udp *)(got.data + 34))->len_be) - 8u;
	memcpy(message, got.data + 42, message_len);
	whole_free(&got);
	return wg_wire_type(message, message_len) == WG_WIRE_DATA &&
	       crypto_open_aead(message + 16, remote.keys.receiving, wg_wire_get_le64(message + 8),
		   message + 16, message_len - 16, NULL, 0) == 0;
}

static void check_routes(bool short_way)
{
	begin(short_way);
	assert_true(passes("10.2.0.5") && passes("fd00:2::5"));
	assert_false(passes("10.3.0.5")); /* the other's */
	assert_false(passes("10.1.0.9")); /* ours */
	assert_false(passes("10.4.0.5")); /* nobody's */
	assert_false(passes("fd00:4::5"));
	assert_true(reaches("10.2.0.5"));
	assert_false(reaches("10.3.0.5"));
	swap_remotes();
	assert_true(passes("10.3.0.5"));
	assert_false(passes("10.2.0.5") || passes("fd00:2::5"));
	assert_true(reaches("10.3.0.5"));
}

static void test_sources_follow_routes(void **state)
{
	check_routes(true);
}

static void test_sources_follow_routes_by_stages(void **state)
{
	check_routes(false);
}

/* Announced by both: the one that does not serve may send, too. */
static void check_spare_path(bool short_way)
{
	begin(short_way);
	route_to("10.3.0.0/16", 2, &via[1], &via[0]);
	assert_true(passes("10.3.0.5"));
	assert_false(reaches("10.3.0.5"));
	swap_remotes();
	assert_true(passes("10.3.0.5") && reaches("10.3.0.5"));
	assert_false(passes("10.2.0.5"));
}

static void test_spare_path(void **state)
{
	check_spare_path(true);
}

static void test_spare_path_by_stages(void **state)
{
	check_spare_path(false);
}

/* What is on somebody's list is his, whatever peer a route names. */
static void check_lists(bool short_way)
{
	begin(short_way);
	list(&parked, "10.2.7.0/24");
	list(&parked, "fd00:2:0:7::/64");
	assert_true(passes("10.2.0.5") && reaches("10.2.0.5"));
	assert_false(passes("10.2.7.5") || passes("fd00:2:0:7::5") || reaches("10.2.7.5"));
	swap_remotes();
	assert_true(passes("10.2.7.5") && passes("fd00:2:0:7::5") && reaches("10.2.7.5"));
	assert_true(passes("10.3.0.5") && reaches("10.3.0.5"));
	assert_false(passes("10.2.0.5") || reaches("10.2.0.5"));
}

static void test_lists_go_before_routes(void **state)
{
	check_lists(true);
}

static void test_lists_go_before_routes_by_stages(void **state)
{
	check_lists(false);
}

/* A peer with a list gets and gives nothing else, though a route names it. */
static void check_list_bounds(bool short_way)
{
	struct fibmsg_peer p;
	struct err_msg msg;

	begin(short_way);
	p = config_of(&parked);
	p.any = 0;
	assert_int_equal(tunnel_peer_set(&p, &msg), 0);
	list(&parked, "10.3.1.0/24");
	swap_remotes();
	assert_true(passes("10.3.1.5") && reaches("10.3.1.5"));
	assert_false(passes("10.3.2.5") || reaches("10.3.2.5"));
}

static void test_a_list_bounds_routes(void **state)
{
	check_list_bounds(true);
}

static void test_a_list_bounds_routes_by_stages(void **state)
{
	check_list_bounds(false);
}

/* A peer's own address: before there is any route, for instance for its BGP session. */
static void test_own_address(void **state)
{
	begin(true);
	list(&remote, "10.255.0.2/32");
	list(&parked, "10.255.0.3/32");
	assert_true(passes("10.255.0.2"));
	assert_false(passes("10.255.0.3"));
	assert_true(passes("10.2.0.5")); /* and it is still a peer without a list */
	swap_remotes();
	assert_true(passes("10.255.0.3"));
	assert_false(passes("10.255.0.2"));
}

/* The last one left may send what it likes. */
static void test_an_only_peer_is_free(void **state)
{
	begin(true);
	assert_false(passes("10.4.0.5"));
	assert_int_equal(tunnel_peer_del("friend", parked.id.public_key), 0);
	assert_true(passes("10.4.0.5"));
}

/* One burst from both peers: each packet is judged by its own. */
static void test_both_in_one_burst(void **state)
{
	static const char *const sources[] = {"10.2.0.5", "10.3.0.5", "10.4.0.5"};
	struct whole_packet got;
	unsigned n = 0;

	begin(true);
	for (unsigned i = 0; i < 12; i++) {
		struct whole_udp udp = {
		    .src = remote.address, .dst = remote.ours, .src_port = remote.port, .dst_port = PORT};
		const uint8_t *inner;
		size_t len;

		inner = inner_packet(sources[i / 2 % 3], OURS, 20, &len);
		udp.data_len = seal(inner, len, remote.counter++);
		len = whole_udp(frame, &wan1, &udp);
		memcpy(frame + len - udp.data_len, message, udp.data_len);
		memset(frame + len - udp.data_len - 2, 0, 2); /* no UDP checksum */
		whole_send(&wan1, frame, len);
		swap_remotes();
	}
	run();
	while ((got = whole_receive(&lan)).data) {
		whole_free(&got);
		n++;
	}
	assert_int_equal(n, 4);
	assert_int_equal(whole_drops(DROP_TUNNEL_SOURCE), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_sources_follow_routes, end),
	    cmocka_unit_test_teardown(test_sources_follow_routes_by_stages, end),
	    cmocka_unit_test_teardown(test_spare_path, end),
	    cmocka_unit_test_teardown(test_spare_path_by_stages, end),
	    cmocka_unit_test_teardown(test_lists_go_before_routes, end),
	    cmocka_unit_test_teardown(test_lists_go_before_routes_by_stages, end),
	    cmocka_unit_test_teardown(test_a_list_bounds_routes, end),
	    cmocka_unit_test_teardown(test_a_list_bounds_routes_by_stages, end),
	    cmocka_unit_test_teardown(test_own_address, end),
	    cmocka_unit_test_teardown(test_an_only_peer_is_free, end),
	    cmocka_unit_test_teardown(test_both_in_one_burst, end),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
