/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames, OPEN, NOTIFICATION, ROUTE-REFRESH: vectors written by hand from the RFCs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bgp/bgp_open.h"
#include "bgp/bgp_wire.h"

#define FF16 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static const uint8_t keepalive[] = {FF16, 0, 19, 4};

/* AS 4200000002, hold 90, 10.0.0.2; IPv4, IPv6, refresh, restart (R, 120 s, IPv4 with F, IPv6), 4-byte AS. */
static const uint8_t open_msg[] = {FF16, 0, 63, 1, 4, 0x5b, 0xa0, 0, 90, 10, 0, 0, 2, 34, 2, 32, 1, 4, 0, 1,
    0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 64, 10, 0x80, 120, 0, 1, 1, 0x80, 0, 2, 1, 0, 65, 4, 0xfa, 0x56, 0xea,
    0x02};

static void test_header(void **state)
{
	static const struct {
		size_t at;
		uint8_t value, subcode;
	} wrong[] = {
	    {0, 0xfe, BGP_HEADER_MARKER},
	    {15, 0, BGP_HEADER_MARKER},
	    {17, 18, BGP_HEADER_LENGTH},   /* below 19 */
	    {17, 20, BGP_HEADER_LENGTH},   /* KEEPALIVE is 19 */
	    {16, 0x10, BGP_HEADER_LENGTH}, /* 4115 */
	    {18, 0, BGP_HEADER_TYPE},
	    {18, 6, BGP_HEADER_TYPE},
	    {18, 1, BGP_HEADER_LENGTH}, /* OPEN of 19 */
	    {18, 2, BGP_HEADER_LENGTH},
	    {18, 3, BGP_HEADER_LENGTH},
	    {18, 5, BGP_HEADER_LENGTH},
	};
	uint8_t msg[sizeof(keepalive)];
	struct bgp_fault fault;
	uint8_t type;
	size_t len, i;

	(void)state;
	assert_int_equal(bgp_msg_parse_header(keepalive, &type, &len, &fault), 0);
	assert_int_equal(type, BGP_MSG_KEEPALIVE);
	assert_int_equal(len, 19);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(msg, keepalive, sizeof(msg));
		msg[wrong[i].at] = wrong[i].value;
		assert_int_equal(bgp_msg_parse_header(msg, &type, &len, &fault), ERR_PROTO);
		assert_int_equal(fault.code, BGP_ERROR_HEADER);
		assert_int_equal(fault.subcode, wrong[i].subcode);
	}
}

static void test_open_vector(void **state)
{
	struct bgp_open open;
	struct bgp_fault fault;
	uint8_t room[100];
	struct buf_writer w;

	(void)state;
	assert_int_equal(
	    bgp_open_parse(open_msg + BGP_HEADER_LEN, sizeof(open_msg) - BGP_HEADER_LEN, &open, &fault), 0);
	assert_int_equal(open.router_id, 0x0a000002);
	assert_int_equal(open.caps.as, 4200000002u);
	assert_int_equal(open.caps.hold_time_s, 90);
	assert_int_equal(open.caps.families, BGP_FAMILY_ALL);
	assert_true(
	    open.caps.as4 && open.caps.refresh && open.caps.graceful_restart && open.caps.restart_state);
	assert_int_equal(open.caps.restart_time_s, 120);
	assert_int_equal(open.caps.restart_families, BGP_FAMILY_ALL);
	assert_int_equal(open.caps.forwarding, BGP_FAMILY_BIT(BGP_IPV4));
	buf_writer_init(&w, room, sizeof(room));
	bgp_open_write(&w, &open);
	assert_int_equal(buf_writer_len(&w), sizeof(open_msg));
	assert_memory_equal(room, open_msg, sizeof(open_msg));
}

static void test_open_truncated(void **state)
{
	struct bgp_open open;
	struct bgp_fault fault;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(open_msg) - BGP_HEADER_LEN; len++) {
		assert_int_equal(bgp_open_parse(open_msg + BGP_HEADER_LEN, len, &open, &fault), ERR_PROTO);
		assert_int_equal(fault.code, BGP_ERROR_OPEN);
	}
}

static void test_open_plain_and_extended(void **state)
{
	static const uint8_t plain[] = {4, 0xfd, 0xe9, 0, 0, 10, 0, 0, 1, 0};
	/* RFC 9072: 255, 255, length of 2; a parameter of type 2 with a length of 2; capability 2 and an
	 * unknown 73 */
	static const uint8_t extended[] = {
	    4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 255, 255, 0, 9, 2, 0, 6, 2, 0, 73, 2, 'a', 'b'};
	struct bgp_open open;
	struct bgp_fault fault;

	(void)state;
	assert_int_equal(bgp_open_parse(plain, sizeof(plain), &open, &fault), 0);
	assert_int_equal(open.caps.as, 65001);
	assert_int_equal(open.caps.families, BGP_FAMILY_BIT(BGP_IPV4)); /* no capability: IPv4 unicast */
	assert_false(open.caps.as4 || open.caps.refresh);
	assert_int_equal(bgp_open_parse(extended, sizeof(extended), &open, &fault), 0);
	assert_true(open.caps.refresh);
}

static void test_open_errors(void **state)
{
	static const struct {
		uint8_t body[20], len, subcode;
	} wrong[] = {
	    {{3, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 0}, 10, BGP_OPEN_VERSION},
	    {{4, 0, 0, 0, 90, 10, 0, 0, 1, 0}, 10, BGP_OPEN_PEER_AS}, /* RFC 7607 */
	    {{4, 0xfd, 0xe9, 0, 1, 10, 0, 0, 1, 0}, 10, BGP_OPEN_HOLD_TIME},
	    {{4, 0xfd, 0xe9, 0, 2, 10, 0, 0, 1, 0}, 10, BGP_OPEN_HOLD_TIME},
	    {{4, 0xfd, 0xe9, 0, 90, 0, 0, 0, 0, 0}, 10, BGP_OPEN_IDENTIFIER},
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 2, 1, 0}, 12, BGP_OPEN_PARAMETER},
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 3, 2, 0}, 12, 0},		/* length says 3 */
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 4, 2, 5, 2, 0}, 14, 0},	/* parameter overruns */
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 4, 2, 2, 2, 1}, 14, 0},	/* capability overruns */
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 5, 2, 3, 2, 1, 0}, 15, 0},	/* refresh with a value */
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 6, 2, 4, 65, 2, 0, 1}, 16, 0}, /* 4-byte AS of two */
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 8, 2, 6, 65, 4, 0, 0, 0, 0}, 18, BGP_OPEN_PEER_AS},
	    {{4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 1, 5, 2, 3, 64, 1, 0}, 15, 0},
	};
	struct bgp_open open;
	struct bgp_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(bgp_open_parse(wrong[i].body, wrong[i].len, &open, &fault), ERR_PROTO);
		assert_int_equal(fault.code, BGP_ERROR_OPEN);
		assert_int_equal(fault.subcode, wrong[i].subcode);
		assert_true(fault.text[0]);
	}
}

static void test_notification(void **state)
{
	static const uint8_t shutdown[] = {6, 2, 5, 'm', 'a', 'i', 'n', 't'};
	static const uint8_t nasty[] = {
	    6, 2, 11, 'a', 0x1b, '[', 0xe2, 0x80, 0xae, 0xc3, 0xa9, 0xff, 0xc2, 0x9b};
	static const uint8_t overrun[] = {6, 4, 200, 'x'};
	static const uint8_t unknown[] = {9, 77};
	struct bgp_error_info info = {0};
	struct bgp_fault fault;
	uint8_t room[64];
	struct buf_writer w;

	(void)state;
	bgp_msg_parse_notification(shutdown, sizeof(shutdown), &info);
	assert_string_equal(info.text, "Cease/Administrative Shutdown: maint");
	bgp_msg_parse_notification(nasty, sizeof(nasty), &info);
	assert_string_equal(info.text, "Cease/Administrative Shutdown: a?[???\xc3\xa9???");
	bgp_msg_parse_notification(overrun, sizeof(overrun), &info);
	assert_string_equal(info.text, "Cease/Administrative Reset");
	bgp_msg_parse_notification(unknown, sizeof(unknown), &info);
	assert_string_equal(info.text, "unknown error 9/77");
	bgp_fault_set(&fault, 3, 5, "\x40\x01", 2, "why");
	buf_writer_init(&w, room, sizeof(room));
	bgp_msg_write_notification(&w, &fault);
	assert_int_equal(buf_writer_len(&w), 23);
	assert_memory_equal(room + 16, "\x00\x17\x03\x03\x05\x40\x01", 7);
}

static void test_refresh(void **state)
{
	static const uint8_t other_family[] = {0, 1, 0, 128}, other_subtype[] = {0, 1, 1, 1};
	enum bgp_family family = BGP_IPV4;
	uint8_t room[64];
	struct buf_writer w;
	size_t len;

	(void)state;
	buf_writer_init(&w, room, sizeof(room));
	bgp_msg_write_refresh(&w, BGP_IPV6);
	assert_int_equal(buf_writer_len(&w), BGP_ROUTE_REFRESH_LEN);
	assert_memory_equal(room + 16, "\x00\x17\x05\x00\x02\x00\x01", 7);
	assert_int_equal(bgp_msg_parse_refresh(room + BGP_HEADER_LEN, 4, &family), 0);
	assert_int_equal(family, BGP_IPV6);
	for (len = 0; len < 4; len++)
		assert_int_equal(bgp_msg_parse_refresh(room + BGP_HEADER_LEN, len, &family), ERR_UNSUPPORTED);
	assert_int_equal(bgp_msg_parse_refresh(other_family, 4, &family), ERR_UNSUPPORTED);
	assert_int_equal(bgp_msg_parse_refresh(other_subtype, 4, &family), ERR_UNSUPPORTED);
}

static void test_error_texts(void **state)
{
	char text[80];
	unsigned code, sub;

	(void)state;
	for (code = 0; code < 256; code++) {
		for (sub = 0; sub < 256; sub++)
			assert_true(*bgp_msg_format_error((uint8_t)code, (uint8_t)sub, text, sizeof(text)));
	}
	assert_string_equal(bgp_msg_format_error(4, 0, text, sizeof(text)), "Hold Timer Expired");
	assert_string_equal(
	    bgp_msg_format_error(6, 7, text, sizeof(text)), "Cease/Connection Collision Resolution");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_open_vector),
	    cmocka_unit_test(test_open_truncated),
	    cmocka_unit_test(test_open_plain_and_extended),
	    cmocka_unit_test(test_open_errors),
	    cmocka_unit_test(test_notification),
	    cmocka_unit_test(test_refresh),
	    cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
