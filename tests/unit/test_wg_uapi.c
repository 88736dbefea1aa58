/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_uapi: requests as stock tools write them, everything out of form, truncations, what get answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/wg_uapi.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffe0e1e2e3e4e5e6e7e8e9eaebecedeeef"

static const char full[] = "set=1\n"
			   "private_key=" KEY_A "\n"
			   "listen_port=51820\nfwmark=4294967295\nreplace_peers=true\n"
			   "public_key=" KEY_A "\n"
			   "update_only=true\nprotocol_version=1\npreshared_key=" KEY_B "\n"
			   "endpoint=[2001:db8::1]:443\npersistent_keepalive_interval=25\n"
			   "replace_allowed_ips=true\nallowed_ip=10.1.2.3/8\nallowed_ip=-fd00::/8\n"
			   "public_key=" KEY_B "\n"
			   "remove=true\n\n";

/* In a buffer of the exact size, so that the sanitizer sees a byte too far. */
static int parse(const char *text, size_t len, struct wg_uapi_request *r)
{
	char *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, text, len);
	err = wg_uapi_parse_request(copy, len, r);
	free(copy);
	return err;
}

static void test_full_set(void **state)
{
	struct wg_uapi_request r;
	char text[IP_PREFIX_STRLEN];

	assert_int_equal(parse(full, sizeof(full) - 1, &r), 0);
	assert_int_equal(r.kind, WG_UAPI_SET);
	assert_true(r.has_private_key && r.private_key[31] == 0x1f);
	assert_true(r.has_listen_port && r.listen_port == 51820);
	assert_true(r.has_fwmark && r.fwmark == UINT32_MAX && r.replace_peers);
	assert_int_equal(r.n_peers, 2);
	assert_true(r.peers[0].update_only && r.peers[0].has_preshared_key && r.peers[0].has_endpoint &&
		    r.peers[0].has_keepalive && r.peers[0].replace_allowed_ips && !r.peers[0].remove);
	assert_int_equal(r.peers[0].keepalive_s, 25);
	assert_int_equal(r.peers[0].endpoint.port, 443);
	assert_int_equal(r.peers[0].first_allowed_ip, 0);
	assert_int_equal(r.peers[0].n_allowed_ips, 2);
	assert_string_equal(ip_prefix_format(&r.allowed_ips[0].prefix, text), "10.0.0.0/8");
	assert_false(r.allowed_ips[0].remove);
	assert_string_equal(ip_prefix_format(&r.allowed_ips[1].prefix, text), "fd00::/8");
	assert_true(r.allowed_ips[1].remove);
	assert_true(r.peers[1].remove && !r.peers[1].has_endpoint);
	wg_uapi_free_request(&r);
}

static void test_truncations(void **state)
{
	struct wg_uapi_request r;
	size_t used;

	for (size_t len = 0; len < sizeof(full) - 1; len++) {
		assert_false(wg_uapi_find_end(full, len, &used));
		assert_int_equal(parse(full, len, &r), EPROTO);
	}
	assert_true(wg_uapi_find_end(full, sizeof(full) - 1, &used));
	assert_int_equal(used, sizeof(full) - 1);
	assert_true(wg_uapi_find_end("get=1\n\nget=1\n\n", 14, &used));
	assert_int_equal(used, 7);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
	    {"\n\n", EPROTO},
	    {"get=2\n\n", EPROTO},
	    {"put=1\n\n", EPROTO},
	    {"get=1\nlisten_port=1\n\n", EINVAL},
	    {"set=1\nfoo=1\n\n", EINVAL},
	    {"set=1\nlisten_port\n\n", EINVAL},
	    {"set=1\nlisten_port=\n\n", EINVAL},
	    {"set=1\nlisten_port=65536\n\n", EINVAL},
	    {"set=1\nlisten_port=99999999999999999999999\n\n", EINVAL},
	    {"set=1\nlisten_port=-1\n\n", EINVAL},
	    {"set=1\nlisten_port=0x10\n\n", EINVAL},
	    {"set=1\nfwmark=4294967296\n\n", EINVAL},
	    {"set=1\nreplace_peers=false\n\n", EINVAL},
	    {"set=1\nprivate_key=00\n\n", EINVAL},
	    {"set=1\nprivate_key=" KEY_A "0\n\n", EINVAL},
	    {"set=1\nremove=true\n\n", EINVAL}, /* before any peer */
	    {"set=1\nallowed_ip=10.0.0.0/8\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nlisten_port=1\n\n", EINVAL}, /* after a peer */
	    {"set=1\npublic_key=zz\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nendpoint=1.2.3.4\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nendpoint=1.2.3.4:99999\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nendpoint=example.org:1\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nallowed_ip=10.0.0.0/33\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nallowed_ip=-\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\npersistent_keepalive_interval=off\n\n", EINVAL},
	    {"set=1\npublic_key=" KEY_A "\nprotocol_version=2\n\n", EINVAL},
	};
	static const char with_nul[] = "set=1\nlisten_port=1\0\n\n";
	struct wg_uapi_request r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse(rows[i].text, strlen(rows[i].text), &r) != rows[i].err)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
	assert_int_equal(parse(with_nul, sizeof(with_nul) - 1, &r), EINVAL);
	assert_int_equal(parse("get=1\n\n", 7, &r), 0);
	assert_int_equal(r.kind, WG_UAPI_GET);
	wg_uapi_free_request(&r);
	assert_int_equal(parse("set=1\n\n", 7, &r), 0); /* says nothing, changes nothing */
	assert_int_equal(r.n_peers, 0);
	wg_uapi_free_request(&r);
}

static void test_many_allowed_ips(void **state)
{
	enum { PREFIXES = 20000 };
	char *text = malloc(PREFIXES * 40u + 200), *p = text;
	struct wg_uapi_request r;

	p += sprintf(p, "set=1\npublic_key=" KEY_A "\n");
	for (unsigned i = 0; i < PREFIXES; i++)
		p += sprintf(p, "allowed_ip=10.%u.%u.%u/32\n", i >> 16, i >> 8 & 255, i & 255);
	p += sprintf(p, "\n");
	assert_int_equal(parse(text, (size_t)(p - text), &r), 0);
	assert_int_equal(r.n_allowed_ips, PREFIXES);
	assert_int_equal(r.peers[0].n_allowed_ips, PREFIXES);
	assert_int_equal(r.allowed_ips[PREFIXES - 1].prefix.addr.b[3], (PREFIXES - 1) & 255);
	wg_uapi_free_request(&r);
	free(text);
}

static void test_answers(void **state)
{
	struct wg_uapi_device d = {.listen_port = 51820, .fwmark = 7};
	struct wg_uapi_peer_state p = {.handshake_realtime_ns = 1700000000000000005ull,
	    .rx_bytes = 148,
	    .tx_bytes = UINT64_MAX,
	    .keepalive_s = 65535};
	struct ip_prefix prefix;
	char text[1024] = "";
	struct buf_writer w;

	crypto_parse_hex(d.private_key, KEY_A, 64);
	crypto_parse_hex(p.public_key, KEY_B, 64);
	assert_int_equal(
	    ip_endpoint_parse("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535", &p.endpoint, NULL), 0);
	assert_int_equal(ip_prefix_parse("fd00::/8", &prefix, NULL), 0);
	buf_writer_init(&w, text, sizeof(text));
	wg_uapi_write_device(&w, &d);
	assert_true(buf_writer_len(&w) <= WG_UAPI_DEVICE_ROOM);
	wg_uapi_write_peer(&w, &p);
	assert_true(buf_writer_len(&w) <= WG_UAPI_DEVICE_ROOM + WG_UAPI_PEER_ROOM);
	wg_uapi_write_allowed_ip(&w, &prefix);
	wg_uapi_write_end(&w, WG_UAPI_GET, 0);
	buf_write_u8(&w, 0);
	assert_int_equal(w.err, 0);
	assert_string_equal(text, "private_key=" KEY_A "\nlisten_port=51820\nfwmark=7\n"
				  "public_key=" KEY_B "\npreshared_key="
				  "0000000000000000000000000000000000000000000000000000000000000000\n"
				  "protocol_version=1\n"
				  "endpoint=[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535\n"
				  "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\n"
				  "tx_bytes=18446744073709551615\nrx_bytes=148\n"
				  "persistent_keepalive_interval=65535\nallowed_ip=fd00::/8\nerrno=0\n\n");
	buf_writer_init(&w, text, sizeof(text));
	wg_uapi_write_end(&w, WG_UAPI_SET, EINVAL);
	wg_uapi_write_end(&w, WG_UAPI_GET, EIO);
	buf_write_u8(&w, 0);
	assert_string_equal(text, "errno=-22\n\nerrno=5\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_full_set),
	    cmocka_unit_test(test_truncations),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_many_allowed_ips),
	    cmocka_unit_test(test_answers),
	};

	if (crypto_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
