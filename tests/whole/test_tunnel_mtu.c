/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MTU of the path to a tunnel's peer: what routers tell about it, who is believed, and what becomes of
 * inner packets that are larger.
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "lib/csum.h"
#include "tests/whole/tunnel_rig.h"

#define ETH    sizeof(struct wire_eth)
#define AGE_NS (600 * NSEC_PER_SEC)

/* How a message about too big a packet differs from an honest one. */
struct told {
	size_t quote; /* bytes of the packet that it quotes; 0: 548 */
	size_t at;    /* of the quoted packet, a byte that is changed; */
	uint8_t flip; /* the bits of it */
	bool bad_sum;
	const char *to; /* whom it is sent to, NULL: the source of the packet */
};

static uint8_t outer[2048]; /* the last outer packet, without its link header */
static size_t outer_len;

static void make_session(const char *address, const char *ours)
{
	make_pair(address, ours, NULL, NULL);
	route_into_tunnel();
	initiate();
	send_data("", 0);
}

static void make_v4(void)
{
	make_session("198.51.100.7", "192.0.2.10");
}

static void make_v6(void)
{
	make_session("2001:db8:7::7", "2001:db8:1::10");
}

static void set_fragment(uint8_t fragment, uint16_t mtu)
{
	struct fibmsg_tunnel t = tunnel_config();
	struct err_msg msg = {""};

	t.fragment = fragment;
	t.mtu = mtu;
	if (tunnel_set(&t, &msg))
		fail_msg("%s", msg.text);
}

/* The next outer packet into `outer`; returns its length, 0: none. */
static size_t receive_outer(void)
{
	struct whole_packet p = whole_receive(&wan1);

	outer_len = p.data ? p.len - ETH : 0;
	memcpy(outer, p.data ? p.data + ETH : outer, outer_len);
	whole_free(&p);
	return outer_len;
}

/* Opens what lies in `outer`; the inner packet is at message + 16. */
static size_t open_outer(void)
{
	size_t header = (outer[0] >> 4 == 4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6)) +
			sizeof(struct wire_udp);

	memcpy(message, outer + header, outer_len - header);
	return open_data(outer_len - header);
}

/* A router on the way says that what lies in `outer` is too big. */
static void tell(uint32_t mtu, struct told how)
{
	bool six = outer[0] >> 4 == 6;
	uint8_t quoted[1200], buf[2048];
	size_t n = how.quote ? how.quote : 548, len;
	struct wire_icmp *icmp;

	n = n < outer_len ? n : outer_len;
	memcpy(quoted, outer, n);
	quoted[how.at] ^= how.flip;
	len = whole_icmp(buf, &wan1, six ? "2001:db8:99::1" : "203.0.113.1", how.to ? how.to : remote.ours,
	    six ? ICMP6_TYPE_TOO_BIG : ICMP_TYPE_UNREACHABLE, 0, quoted, n);
	icmp = (struct wire_icmp *)(buf + len - n - sizeof(*icmp));
	icmp->code = six ? 0 : ICMP_CODE_FRAG_NEEDED;
	if (six)
		icmp->u.mtu_be = htonl(mtu);
	else
		icmp->u.frag.mtu_be = htons((uint16_t)mtu);
	icmp->csum = 0;
	icmp->csum = csum_fold(csum_add(
	    six ? csum_pseudo6(buf + 22, buf + 38, IP_PROTO_ICMP6, (uint32_t)(n + sizeof(*icmp))) : 0, icmp,
	    n + sizeof(*icmp)));
	icmp->csum ^= how.bad_sum;
	usleep(1100); /* a worker hands on one in a millisecond */
	whole_send(&wan1, buf, len);
	run();
}

/* Messages that were not believed, since the last call. */
static uint64_t refused(void)
{
	static uint64_t seen;
	uint64_t before = seen;

	seen = slow_drop_count(DROP_PMTU_INVALID);
	return seen - before;
}

static struct fibmsg_row_peer row(void)
{
	struct fibmsg_row_peer r;

	assert_int_equal(tunnel_peer_row(0, &r), 0);
	return r;
}

/* A packet of len bytes from our LAN into the tunnel; df as IPv4 says. */
static void send_inner(bool six, size_t len, bool df)
{
	struct whole_udp udp = {.src = six ? "fd00:1::5" : "10.1.0.5",
	    .dst = six ? "fd00:2::5" : "10.2.0.5",
	    .data_len = len - (six ? 48 : 28),
	    .frag = df ? IP4_DF : 0};
	size_t frame_len = whole_udp(frame, &lan, &udp);

	assert_int_equal(frame_len, len + ETH);
	whole_send(&lan, frame, frame_len);
	run();
}

/* The MTU that the sender in the LAN was told; 0: nothing. */
static uint32_t told_sender(void)
{
	struct whole_packet p = whole_receive(&lan);
	const struct wire_icmp *icmp;
	uint32_t mtu;

	if (!p.data)
		return 0;
	if (p.data[ETH] >> 4 == 4) {
		icmp = (const struct wire_icmp *)(whole_ip4(&p) + 1);
		assert_int_equal(icmp->type, ICMP_TYPE_UNREACHABLE);
		assert_int_equal(icmp->code, ICMP_CODE_FRAG_NEEDED);
		mtu = ntohs(icmp->u.frag.mtu_be);
	} else {
		icmp = (const struct wire_icmp *)(whole_ip6(&p) + 1);
		assert_int_equal(icmp->type, ICMP6_TYPE_TOO_BIG);
		mtu = ntohl(icmp->u.mtu_be);
	}
	whole_check_sums(p.data + ETH, p.len - ETH);
	whole_free(&p);
	return mtu;
}

/* A large outer packet lies in `outer`. */
static void send_large(void)
{
	send_inner(false, 1400, true);
	assert_true(receive_outer() >= 1400);
}

/* RFC 1191: the sender inside hears what fits; the last byte that does, and the first that does not. */
static void check_told(uint32_t told, uint16_t inner, bool six_outer)
{
	send_large();
	tell(told, (struct told){0});
	assert_int_equal(row().path_mtu, told);
	assert_int_equal(row().mtu, inner);
	send_inner(false, inner, true);
	assert_int_equal(receive_outer(), inner + (six_outer ? 80u : 60u));
	open_outer();
	send_inner(false, inner + 1u, true);
	assert_int_equal(receive_outer(), 0);
	assert_int_equal(told_sender(), inner);
	/* IPv6 is not told less than its least MTU, and such a packet goes all the same */
	send_inner(true, (inner > 1280 ? inner : 1280u) + 1u, true);
	assert_int_equal(receive_outer(), 0);
	assert_int_equal(told_sender(), inner > 1280 ? inner : 1280);
	assert_int_equal(whole_drops(DROP_TOO_BIG), 2);
}

static void test_path_mtu(void **state)
{
	make_v4();
	check_told(1400, 1340, false);
	/* less again; a larger one never raises it */
	send_inner(false, 1340, true);
	assert_true(receive_outer() > 0);
	tell(1300, (struct told){0});
	assert_int_equal(row().path_mtu, 1300);
	assert_int_equal(row().mtu, 1240);
	tell(1380, (struct told){0});
	assert_int_equal(row().path_mtu, 1300);
	/* without a number: the next lower usual one */
	send_inner(false, 1240, true);
	assert_true(receive_outer() > 0);
	tell(0, (struct told){0});
	assert_int_equal(row().path_mtu, 1280);
}

static void test_path_mtu_v6(void **state)
{
	make_v6();
	check_told(1400, 1320, true);
}

/* IPv6 packets of 1280 bytes pass a path that is narrower than they are sealed: in pieces outside. */
static void test_least_mtu_of_ipv6(void **state)
{
	struct wire_ip6 *ip = (struct wire_ip6 *)outer;
	struct wire_ip6_frag *frag = (struct wire_ip6_frag *)(ip + 1);
	uint8_t whole[2048];
	size_t first;

	make_v6();
	check_told(1280, 1200, true);
	send_inner(true, 1280, true);
	first = receive_outer();
	assert_true(first > 0 && first <= 1280);
	assert_int_equal(ip->next_header, IP_PROTO_FRAGMENT);
	assert_int_equal(frag->frag_be, htons(IP6_FRAG_MORE));
	first -= sizeof(*ip) + sizeof(*frag);
	assert_int_equal(first % 8, 0);
	memcpy(whole + sizeof(*ip), frag + 1, first);
	assert_int_equal(receive_outer(), sizeof(*ip) + sizeof(*frag) + 1360 - sizeof(*ip) - first);
	assert_int_equal(frag->frag_be, htons((uint16_t)first));
	memcpy(whole + sizeof(*ip) + first, frag + 1, 1360 - sizeof(*ip) - first);
	ip->next_header = IP_PROTO_UDP;
	ip->payload_len_be = htons(1320);
	memcpy(whole, ip, sizeof(*ip));
	memcpy(outer, whole, 1360);
	outer_len = 1360;
	whole_check_sums(outer, outer_len);
	assert_int_equal(open_outer(), 1280);
}

/* Forged or foreign messages: nothing moves, each is counted. */
static void test_not_believed(void **state)
{
	static const struct told lies[] = {
	    {.at = 12, .flip = 1, .to = "192.0.2.10"}, /* another source */
	    {.at = 16, .flip = 1},		       /* another destination */
	    {.at = 22, .flip = 1},		       /* another port of the peer's */
	    {.at = 28, .flip = 7},		       /* no data message */
	    {.at = 32, .flip = 1},		       /* another receiver index */
	    {.at = 43, .flip = 1},		       /* a message that is still to come */
	};

	make_v4();
	send_large();
	refused();
	tell(1300, lies[0]);
	assert_int_equal(refused(), 0); /* not ours: the host's */
	for (size_t i = 1; i < sizeof(lies) / sizeof(lies[0]); i++) {
		tell(1300, lies[i]);
		assert_int_equal(row().path_mtu, 0);
		assert_int_equal(refused(), 1);
	}
	/* as large as the packet was, or larger */
	tell((uint32_t)outer_len, (struct told){0});
	tell((uint32_t)outer_len + 1, (struct told){0});
	assert_int_equal(refused(), 2);
	/* larger than anything we send */
	tell(1300, (struct told){.at = 2, .flip = 0x40});
	assert_int_equal(refused(), 1);
	assert_int_equal(row().path_mtu, 0);
}

/* What is not for a tunnel at all goes to the host, whose kernel knows what to make of it. */
static void test_left_to_the_host(void **state)
{
	static const struct told others[] = {
	    {.bad_sum = true},
	    {.at = 9, .flip = 1},  /* not UDP */
	    {.at = 20, .flip = 1}, /* another port of ours */
	    {.at = 6, .flip = 1},  /* a later fragment */
	    {.quote = 27},
	};

	make_v4();
	send_large();
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		to_host = 0;
		tell(1300, others[i]);
		assert_int_equal(to_host, 1);
		assert_int_equal(row().path_mtu, 0);
	}
}

/* How far down a message is believed: RFC 791 and 8200 give the floors; 8 bytes of a quote prove little. */
static void test_bounds(void **state)
{
	make_v4();
	send_large();
	tell(1000, (struct told){.quote = 28});
	assert_int_equal(row().path_mtu, 1280);
	tell(1000, (struct told){0});
	assert_int_equal(row().path_mtu, 1000);
	tell(68, (struct told){0});
	assert_int_equal(row().path_mtu, 576);
	assert_int_equal(row().mtu, 516);
}

static void test_bounds_v6(void **state)
{
	make_v6();
	send_large();
	tell(1279, (struct told){0});
	assert_int_equal(row().path_mtu, 0);
	tell(1280, (struct told){0});
	assert_int_equal(row().path_mtu, 1280);
}

/* RFC 1191 §6.3: after ten minutes the path may have become wider. */
static void test_aging(void **state)
{
	uint64_t told_ns;

	make_v4();
	send_large();
	tell(1300, (struct told){0});
	told_ns = clock_ns;
	tunnel_tick(told_ns + AGE_NS - NSEC_PER_SEC);
	assert_int_equal(row().path_mtu, 1300);
	tunnel_tick(told_ns + AGE_NS + NSEC_PER_SEC);
	assert_int_equal(row().path_mtu, 0);
	assert_int_equal(row().mtu, 1420);
	run();
}

/* It is the MTU of one path: elsewhere the peer has another. */
static void test_roaming_forgets(void **state)
{
	make_v4();
	send_large();
	tell(1300, (struct told){0});
	remote.address = "203.0.113.99";
	usleep(2000);
	send_good_data();
	assert_int_equal(row().path_mtu, 0);
	assert_int_equal(row().mtu, 1420);
}

/* A flood of them reaches the slow thread a few at a time. */
static void test_rate(void **state)
{
	make_v4();
	send_large();
	whole_forget_drops();
	for (unsigned i = 0; i < 20; i++) {
		uint8_t buf[2048];
		size_t len =
		    whole_icmp(buf, &wan1, "203.0.113.1", remote.ours, ICMP_TYPE_UNREACHABLE, 0, outer, 548);
		struct wire_icmp *icmp = (struct wire_icmp *)(buf + ETH + sizeof(struct wire_ip4));

		icmp->code = ICMP_CODE_FRAG_NEEDED;
		icmp->u.frag.mtu_be = htons(1300);
		icmp->csum = 0;
		icmp->csum = csum_fold(csum_add(0, icmp, len - ETH - sizeof(struct wire_ip4)));
		whole_send(&wan1, buf, len);
	}
	run();
	assert_int_equal(row().path_mtu, 1300);
	assert_true(whole_drops(DROP_PMTU_RATE) >= 18);
}

/* --- what `fragment` says --- */

static bool has_df(void)
{
	return ((const struct wire_ip4 *)outer)->frag_be & htons(IP4_DF);
}

/* outer: DF is clear, what is larger than the line is cut there, as stock peers do it. */
static void test_fragment_outer(void **state)
{
	unsigned pieces = 0;

	make_v4();
	set_fragment(FIBMSG_FRAGMENT_OUTER, 1500);
	send_inner(false, 1500, true);
	while (receive_outer()) {
		assert_true(outer_len <= 1500);
		assert_false(has_df());
		pieces++;
	}
	assert_int_equal(pieces, 2);
	send_inner(false, 1300, true);
	assert_true(receive_outer() && !has_df());
}

static void test_fragment_never(void **state)
{
	make_v4();
	set_fragment(FIBMSG_FRAGMENT_NEVER, 1500);
	send_inner(false, 1440, true);
	assert_int_equal(receive_outer(), 1500);
	assert_true(has_df());
	send_inner(false, 1441, true);
	assert_int_equal(receive_outer(), 0);
	assert_int_equal(told_sender(), 1440);
	/* where the sender allows it, it is cut as on any way out */
	send_inner(false, 1441, false);
	assert_true(receive_outer() && receive_outer());
	assert_int_equal(receive_outer(), 0);
}

/* Joins the inner pieces that come; each must fit. Returns the length of the whole. */
static size_t join_inner(uint16_t inner_mtu, uint8_t *whole, unsigned *pieces)
{
	size_t total = sizeof(struct wire_ip4);
	uint16_t id = 0;

	*pieces = 0;
	while (receive_outer()) {
		const struct wire_ip4 *ip = (const struct wire_ip4 *)(message + 16);
		size_t at, len;

		assert_true(has_df());
		open_outer();
		len = ntohs(ip->total_len_be);
		assert_true(len <= inner_mtu);
		assert_int_equal(csum_fold(csum_add(0, ip, sizeof(*ip))), 0);
		assert_false(ip->frag_be & htons(IP4_DF));
		if (*pieces)
			assert_int_equal(ip->id_be, id);
		id = ip->id_be;
		at = (ntohs(ip->frag_be) & IP4_OFFSET_MASK) * 8u;
		assert_int_equal(at, total - sizeof(*ip));
		memcpy(whole + sizeof(*ip) + at, ip + 1, len - sizeof(*ip));
		if (at == 0)
			memcpy(whole, ip, sizeof(*ip));
		total += len - sizeof(*ip);
		(*pieces)++;
	}
	return total;
}

/* inner: 1500 bytes pass over any path, cut before they are sealed; DF or not. */
static void test_fragment_inner(void **state)
{
	uint8_t whole[2048];
	unsigned pieces;
	uint16_t ids[2];

	make_v4();
	set_fragment(FIBMSG_FRAGMENT_INNER, 0);
	assert_int_equal(atomic_load(&iface_by_name("friend")->mtu), 1500);
	for (unsigned df = 0; df < 2; df++) {
		send_inner(false, 1500, df);
		assert_int_equal(join_inner(1440, whole, &pieces), 1500);
		assert_int_equal(pieces, 2);
		assert_memory_equal(whole + 20, frame + ETH + 20, 1480);
		ids[0] = ((struct wire_ip4 *)whole)->id_be;
		if (!df)
			assert_int_equal(
			    ids[0], htons(0x1234)); /* the sender's: it may have been cut before */
	}
	/* pieces of two packets with DF, whose senders need not number them, do not mix */
	send_inner(false, 1500, true);
	join_inner(1440, whole, &pieces);
	ids[1] = ((struct wire_ip4 *)whole)->id_be;
	assert_int_not_equal(ids[0], ids[1]);
	/* and by a path that is narrower than the line */
	send_inner(false, 1400, true);
	assert_true(receive_outer() > 0);
	tell(700, (struct told){0});
	send_inner(false, 1500, true);
	assert_int_equal(join_inner(640, whole, &pieces), 1500);
	assert_int_equal(pieces, 3);
	assert_true(whole_silent(&lan));
}

/* A burst of large ones: more pieces than a burst holds, in order. */
static void test_fragment_inner_burst(void **state)
{
	struct whole_udp udp = {.src = "10.1.0.5", .dst = "10.2.0.5", .data_len = 1472};
	uint16_t last = 0;
	unsigned n = 0;

	make_v4();
	set_fragment(FIBMSG_FRAGMENT_INNER, 0);
	send_large();
	tell(576, (struct told){0});
	for (uint16_t i = 0; i < 60; i++) {
		size_t len = whole_udp(frame, &lan, &udp);

		((struct wire_ip4 *)(frame + ETH))->id_be = htons((uint16_t)(i + 1));
		whole_fix_checksum(frame + ETH);
		whole_send(&lan, frame, len);
	}
	run();
	while (receive_outer()) {
		uint16_t id;

		open_outer();
		id = ntohs(((const struct wire_ip4 *)(message + 16))->id_be);
		assert_true(id == last || id == last + 1);
		last = id;
		n++;
	}
	assert_int_equal(last, 60);
	assert_int_equal(n, 180);
}

/* IPv6 is cut by its sender alone: it is told. */
static void test_fragment_inner_v6(void **state)
{
	make_v4();
	set_fragment(FIBMSG_FRAGMENT_INNER, 0);
	send_inner(true, 1500, true);
	assert_int_equal(receive_outer(), 0);
	assert_int_equal(told_sender(), 1440);
}

/* A line that became narrower: paths follow at once. */
static void test_line_mtu(void **state)
{
	make_v4();
	set_fragment(FIBMSG_FRAGMENT_NEVER, 1500);
	atomic_store(&wan1.ifc->mtu, 1400);
	tunnel_lines_changed();
	assert_int_equal(row().mtu, 1340);
	/* one that can carry nothing leaves the least that IPv4 knows, and all ends in bounds */
	atomic_store(&wan1.ifc->mtu, 70);
	tunnel_lines_changed();
	assert_int_equal(row().mtu, IP4_MIN_MTU);
	send_inner(false, 1500, false);
	while (receive_outer())
		;
	atomic_store(&wan1.ifc->mtu, 1500);
	tunnel_lines_changed();
	assert_int_equal(row().mtu, 1440);
}

/* --- TCP learns it before it sends anything large --- */

#define MSS_SENT 1460

/* A TCP packet that begins a connection, with flags, at buf; IPv6 with a destination-options header if ext.
 */
static size_t make_syn(uint8_t *buf, const char *src, const char *dst, uint8_t flags, bool ext)
{
	static const uint8_t option[] = {TCP_OPT_MSS, TCP_OPT_MSS_LEN, MSS_SENT >> 8, MSS_SENT & 0xff};
	struct whole_udp udp = {.src = src, .dst = dst, .data_len = (ext ? 24 : 16)};
	size_t len = whole_udp(buf, &lan, &udp), at = len - 24;
	struct wire_tcp *tcp = (struct wire_tcp *)(buf + at);
	bool six = buf[ETH] >> 4 == 6;
	uint32_t sum;

	if (six)
		((struct wire_ip6 *)(buf + ETH))->next_header = ext ? IP_PROTO_DSTOPTS : IP_PROTO_TCP;
	else
		((struct wire_ip4 *)(buf + ETH))->proto = IP_PROTO_TCP;
	if (ext)
		memcpy(buf + at - 8, (const uint8_t[8]){IP_PROTO_TCP, 0, 1, 4}, 8);
	if (!six)
		whole_fix_checksum(buf + ETH);
	memset(tcp, 0, sizeof(*tcp));
	tcp->data_offset = 6 << 4;
	tcp->flags = flags;
	memcpy(tcp + 1, option, sizeof(option));
	sum = six ? csum_pseudo6(buf + ETH + 8, buf + ETH + 24, IP_PROTO_TCP, 24)
		  : csum_pseudo4(buf + ETH + 12, buf + ETH + 16, IP_PROTO_TCP, 24);
	tcp->csum = csum_fold(csum_add(sum, tcp, 24));
	return len;
}

/* The MSS in the packet of len bytes at ip, whose checksum must be right. */
static uint16_t read_mss(const uint8_t *ip, size_t len)
{
	const uint8_t *tcp = ip + len - 24;
	uint32_t sum = ip[0] >> 4 == 6 ? csum_pseudo6(ip + 8, ip + 24, IP_PROTO_TCP, 24)
				       : csum_pseudo4(ip + 12, ip + 16, IP_PROTO_TCP, 24);

	assert_int_equal(csum_fold(csum_add(sum, tcp, 24)), 0);
	return (uint16_t)(tcp[22] << 8 | tcp[23]);
}

/* Both ways, both families, both packets of an opening. */
static void check_mss(uint16_t inner_mtu)
{
	static const char *const ends[][2] = {{"10.1.0.5", "10.2.0.5"}, {"fd00:1::5", "fd00:2::5"}};
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK};

	for (unsigned i = 0; i < 6; i++) {
		unsigned six = i >= 2, ext = i >= 4;
		uint16_t want = (uint16_t)(inner_mtu - (six ? 60 : 40));
		size_t len = make_syn(frame, ends[six][0], ends[six][1], flags[i % 2], ext);
		struct whole_packet got;

		whole_send(&lan, frame, len);
		run();
		assert_true(receive_outer() > 0);
		open_outer();
		assert_int_equal(read_mss(message + 16, len - ETH), want);
		len = make_syn(frame, ends[six][1], ends[six][0], flags[i % 2], ext);
		memcpy(outer, frame + ETH, len - ETH);
		send_data(outer, len - ETH);
		got = whole_receive(&lan);
		assert_int_equal(got.len, len);
		assert_int_equal(read_mss(got.data + ETH, len - ETH), want);
		whole_free(&got);
	}
}

static void test_mss(void **state)
{
	make_v4();
	check_mss(1420);
	send_large();
	tell(1300, (struct told){0});
	check_mss(1240);
}

static void test_mss_v6(void **state)
{
	make_v6();
	check_mss(1420);
	send_large();
	tell(1300, (struct told){0});
	check_mss(1220);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_path_mtu, end_test),
	    cmocka_unit_test_teardown(test_path_mtu_v6, end_test),
	    cmocka_unit_test_teardown(test_least_mtu_of_ipv6, end_test),
	    cmocka_unit_test_teardown(test_not_believed, end_test),
	    cmocka_unit_test_teardown(test_left_to_the_host, end_test),
	    cmocka_unit_test_teardown(test_bounds, end_test),
	    cmocka_unit_test_teardown(test_bounds_v6, end_test),
	    cmocka_unit_test_teardown(test_aging, end_test),
	    cmocka_unit_test_teardown(test_roaming_forgets, end_test),
	    cmocka_unit_test_teardown(test_rate, end_test),
	    cmocka_unit_test_teardown(test_fragment_outer, end_test),
	    cmocka_unit_test_teardown(test_fragment_never, end_test),
	    cmocka_unit_test_teardown(test_fragment_inner, end_test),
	    cmocka_unit_test_teardown(test_fragment_inner_burst, end_test),
	    cmocka_unit_test_teardown(test_fragment_inner_v6, end_test),
	    cmocka_unit_test_teardown(test_line_mtu, end_test),
	    cmocka_unit_test_teardown(test_mss, end_test),
	    cmocka_unit_test_teardown(test_mss_v6, end_test),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
