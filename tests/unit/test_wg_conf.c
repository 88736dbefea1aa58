/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_conf: files as wg-quick reads them become tunnels that the configuration accepts; everything out
 * of form is named with its line, and what has no place here is said. */
#include <stdio.h>

#include "control/config.h"
#include "lib/wg_conf.h"
#include "lib/err.h"
#include "tests/unit/unit.h"

#define KEY "GJJ7+sbFPsvAVj7YRN7FRhI+kTPQ/+QxYbPRkLAJkl8="
#define PSK "b/RMSM1Dp3wrYUXG58rN2SfIAXZaIdPWIbW3zg8MHgA="

static const char whole[] = "# of a friend\n"
			    "[Interface]\n"
			    "PrivateKey = " KEY " # ours\n"
			    "address=10.7.0.2/24, fd00:7::2/64\n"
			    "Address = 10.8.0.2/32\n"
			    "ListenPort = 51999\r\n"
			    "FwMark = 0xca6c\n"
			    "MTU = 1380\n"
			    "Table = auto\n"
			    "DNS = 10.7.0.1\n"
			    "PostUp = iptables -A FORWARD -i %i -j ACCEPT\n"
			    "\n"
			    "[peer]\n"
			    "PublicKey = " PSK "\n"
			    "PresharedKey=" KEY "\n"
			    "AllowedIPs = 10.7.0.1/24, fd00:7::/64\n"
			    "AllowedIPs = 0.0.0.0/0\n"
			    "Endpoint = [2001:db8::1]:51820\n"
			    "PersistentKeepalive = 25\n"
			    "[Peer]\n"
			    "PublicKey = " KEY "\n"
			    "AllowedIPs = 10.9.0.1\n"
			    "Endpoint = vpn.example.org:51820\n"
			    "PersistentKeepalive = off\n"
			    "[Peer]\n"
			    "PublicKey = " KEY "\n"
			    "AllowedIPs =\n";

static char said[4096];

static void say(void *arg, unsigned line, bool error, const char *text)
{
	size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%u%s %s\n", line, error ? "!" : ":", text);
}

/* In a buffer of the exact size, so that the sanitizer sees a byte too far. */
static int parse(const char *text, size_t len, struct wg_conf *c)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	memcpy(copy, text, len);
	said[0] = '\0';
	rc = wg_conf_parse(copy, len, c, say, NULL);
	free(copy);
	return rc;
}

static void test_reads_all(void **state)
{
	struct wg_conf c;

	assert_int_equal(parse(whole, sizeof(whole) - 1, &c), 0);
	assert_string_equal(said,
	    "10: DNS = 10.7.0.1 is left out: whom the hosts ask for names is not the router's to say\n"
	    "11: the command \"iptables -A FORWARD -i %i -j ACCEPT\" is left out: Byway runs none\n");
	assert_int_equal(c.listen_port, 51999);
	assert_int_equal(c.fwmark, 0xca6c);
	assert_int_equal(c.mtu, 1380);
	assert_false(c.without_routes);
	assert_int_equal(c.addresses.n, 3);
	assert_int_equal(c.n_peers, 3);
	assert_int_equal(c.peers[0].allowed_ips.n, 3);
	assert_int_equal(c.peers[0].allowed_ips.v[0].addr.b[3], 0); /* host bits cleared */
	assert_int_equal(c.peers[0].keepalive_s, 25);
	assert_string_equal(c.peers[1].endpoint, "vpn.example.org:51820");
	assert_int_equal(c.peers[1].allowed_ips.v[0].len, 32);
	assert_int_equal(c.peers[2].allowed_ips.n, 0);
	wg_conf_free(&c);
}

/* What is printed, the configuration reads; and as it was meant. */
static void test_prints_a_tunnel(void **state)
{
	struct wg_conf c;
	struct config *config;
	static struct diag diag;
	char *text = NULL, line[400];
	size_t len;
	FILE *out;

	assert_int_equal(parse(whole, sizeof(whole) - 1, &c), 0);
	said[0] = '\0';
	out = open_memstream(&text, &len);
	fputs("ports:\n  lan: { device: eth0, role: lan, addresses: [10.1.0.1/24] }\n  wan1: { device: eth1, "
	      "role: wan, addresses: [192.0.2.10/24], gateways: [192.0.2.1] }\n",
	    out);
	wg_conf_print(&c, "wg0", "/etc/byway", out, say, NULL);
	fclose(out);
	assert_string_equal(said,
	    "25: this peer has no AllowedIPs, so nothing may come from it or go to it; it is left out\n"
	    "13: the default route leads into the tunnel, as wg-quick would have it; take it out of routes "
	    "if the "
	    "lines shall serve\n");
	diag_init(&diag, "wg0.yaml");
	if (config_parse(text, len, &diag, &config)) {
		diag_format(&diag, &diag.findings[0], line, sizeof(line));
		fail_msg("%s\n%s", line, text);
	}
	assert_int_equal(config->tunnels.n, 1);
	assert_int_equal(config->tunnels.v[0].listen_port, 51999);
	assert_string_equal(config->tunnels.v[0].key_path, "/etc/byway/wg0.key");
	assert_int_equal(config->tunnels.v[0].addresses.n, 3);
	assert_int_equal(config->tunnels.v[0].peers.n, 2);
	assert_string_equal(config->tunnels.v[0].peers.v[0].psk_path, "/etc/byway/wg0-peer1.psk");
	assert_int_equal(config->tunnels.v[0].peers.v[0].allowed_ips.n, 3);
	assert_int_equal(config->tunnels.v[0].peers.v[0].keepalive_s, 25);
	assert_int_equal(config->routes.n, 4);
	assert_null(strstr(text, KEY "\"\n    listen")); /* no private key in the file */
	config_free(config);
	wg_conf_free(&c);
	free(text);
}

static void test_names_what_is_wrong(void **state)
{
#define GOOD "[Interface]\nPrivateKey = " KEY "\n"
	static const struct {
		const char *text, *say;
	} rows[] = {
	    {"", "0! there is no PrivateKey; expected one in [Interface]\n"},
	    {"PrivateKey = " KEY "\n", "1! a setting before any section; expected [Interface] first\n"},
	    {GOOD "Listenport\n", "3! expected Key = Value, or a section\n"},
	    {GOOD "Foo = 1\n", "3! unknown key Foo in [Interface]\n"},
	    {GOOD "AllowedIPs = 10.0.0.0/8\n", "3! unknown key AllowedIPs in [Interface]\n"},
	    {GOOD "[Pear]\n", "3! section [Pear]; expected [Interface] or [Peer]\n"},
	    {GOOD "ListenPort = 65536\n", "3! ListenPort = 65536; expected a number from 0 to 65535\n"},
	    {GOOD "ListenPort = -1\n", "3! ListenPort = -1; expected a number from 0 to 65535\n"},
	    {GOOD "FwMark = 0x1ffffffff\n",
		"3! FwMark = 0x1ffffffff; expected a number from 0 to 4294967295\n"},
	    {GOOD "Address = home\n",
		"3! Address = home; expected an address with the length of its subnet, such as "
		"10.0.0.1/24\n"},
	    {GOOD "[Peer]\n", "3! this peer has no PublicKey; expected one\n"},
	    {GOOD "[Peer]\nPublicKey = zz\n",
		"4! PublicKey is not a key; expected 44 characters of base64, as wg genkey writes it\n"},
	    {GOOD "[Peer]\nPublicKey = " PSK "\nAllowedIPs = 10.0.0.0/33\n",
		"5! AllowedIPs = 10.0.0.0/33; expected a prefix such as 10.2.0.0/16\n"},
	    {GOOD "[Peer]\nPublicKey = " PSK "\nEndpoint = 192.0.2.1\n",
		"5! Endpoint = 192.0.2.1; expected an address or a name, and a port, such as 192.0.2.1:51820 "
		"or "
		"[2001:db8::1]:51820\n"},
	    {GOOD "[Peer]\nPublicKey = " PSK "\nEndpoint = a\"b:1\n",
		"5! Endpoint = a\"b:1; expected an address or a name, and a port, such as 192.0.2.1:51820 or "
		"[2001:db8::1]:51820\n"},
	    {GOOD "[Peer]\nPublicKey = " PSK "\nEndpoint = name:99999\n",
		"5! Endpoint's port = 99999; expected a number from 0 to 65535\n"},
	    {GOOD "[Peer]\nPublicKey = " PSK "\nPersistentKeepalive = 1s\n",
		"5! PersistentKeepalive = 1s; expected a number from 0 to 65535\n"},
	};
	struct wg_conf c;

	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &c), ERR_INVALID);
		assert_string_equal(said, rows[i].say);
	}
}

static void test_several_errors_at_once(void **state)
{
	struct wg_conf c;
	const char text[] = GOOD "A = 1\nB = 2\n[Peer]\nC = 3\n";

	assert_int_equal(parse(text, sizeof(text) - 1, &c), ERR_INVALID);
	assert_non_null(strstr(said, "3! "));
	assert_non_null(strstr(said, "4! "));
	assert_non_null(strstr(said, "6! "));
}

static void test_says_what_has_no_place(void **state)
{
	struct wg_conf c;
	const char text[] = GOOD "Table = 1234\nSaveConfig = true\nMTU = 9000\n";

	assert_int_equal(parse(text, sizeof(text) - 1, &c), 0);
	assert_string_equal(said,
	    "3: Table = 1234 is left out: Byway has no tables by number, the routes go where all do\n"
	    "4: SaveConfig is left out: the file is the owner's, what wg sets is kept beside it\n"
	    "5: MTU = 9000 is left out: Byway's tunnels carry 1280 to 8920 bytes\n");
	assert_int_equal(c.mtu, 0);
	wg_conf_free(&c);
	assert_int_equal(parse(GOOD "Table = off\n", sizeof(GOOD "Table = off\n") - 1, &c), 0);
	assert_true(c.without_routes);
	wg_conf_free(&c);
}

/* A line is wiped as long as it is, not as long as its text. */
static void test_zero_byte(void **state)
{
	static char text[1 << 20]; /* longer than what lies behind a small allocation */
	struct wg_conf c;

	memset(text, 'x', sizeof(text));
	text[0] = '\0';
	assert_int_equal(parse(text, sizeof(text), &c), ERR_INVALID);
	assert_non_null(strstr(said, "1! a zero byte; expected text\n"));
}

static void test_truncations(void **state)
{
	struct wg_conf c;

	for (size_t len = 0; len < sizeof(whole); len++) {
		int rc = parse(whole, len, &c); /* the last one takes the NUL along */

		assert_true(rc == 0 || (rc == ERR_INVALID && said[0]));
		if (rc == 0)
			wg_conf_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_all),
	    cmocka_unit_test(test_prints_a_tunnel),
	    cmocka_unit_test(test_names_what_is_wrong),
	    cmocka_unit_test(test_several_errors_at_once),
	    cmocka_unit_test(test_says_what_has_no_place),
	    cmocka_unit_test(test_zero_byte),
	    cmocka_unit_test(test_truncations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
