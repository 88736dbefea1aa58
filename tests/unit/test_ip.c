/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/ip: parse, print, compare, classify. */
#include "lib/ip.h"

#include "tests/unit/unit.h"

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p, NULL), 0);
	return p;
}

/* Text in, the same text out. */
static void round_trips(void **state)
{
	static const char *const addrs[] = {"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1",
	    "2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:db8::1:0:0:1",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
	static const char *const prefixes[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0",
	    "2001:db8::/32", "2001:db8::1/128", "128.0.0.0/1"};
	static const char *const endpoints[] = {"10.0.0.1:51820", "[2001:db8::1]:0", "[::]:65535"};
	char buf[IP_ENDPOINT_STRLEN];
	struct ip_endpoint e;
	struct ip_prefix p;

	for (size_t i = 0; i < UNIT_COUNT(addrs); i++) {
		struct ip_addr a = addr(addrs[i]);

		assert_string_equal(ip_addr_format(&a, buf), addrs[i]);
	}
	for (size_t i = 0; i < UNIT_COUNT(prefixes); i++) {
		p = prefix(prefixes[i]);
		assert_string_equal(ip_prefix_format(&p, buf), prefixes[i]);
	}
	for (size_t i = 0; i < UNIT_COUNT(endpoints); i++) {
		assert_int_equal(ip_endpoint_parse(endpoints[i], &e, NULL), 0);
		assert_string_equal(ip_endpoint_format(&e, buf), endpoints[i]);
	}
	p = prefix("10.9.8.7");
	assert_string_equal(ip_prefix_format(&p, buf), "10.9.8.7/32");
	assert_int_equal(ip_ifaddr_parse("10.0.0.1/24", &p, NULL), 0);
	assert_string_equal(ip_prefix_format(&p, buf), "10.0.0.1/24");
}

static void refuses_with_a_sentence(void **state)
{
	static const char *const addrs[] = {"", "10", "10.0.0", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1",
	    "010.0.0.1", "10.0.0.1/8", "fe80::1%eth0", ":::", "1::2::3", "2001:db8::g"};
	static const char *const prefixes[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08",
	    "10.0.0.0/8x", "::/129", "10.0.0.1/24", "fd00::1/64", "/8", "10.0.0.0/8/8",
	    "10.0.0.0/99999999999"};
	static const char *const endpoints[] = {"10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:0x1",
	    "2001:db8::1:51820", "[2001:db8::1]", "[10.0.0.1]:1", "[]:1", ":1", "[::1:1", "::1]:1"};
	struct ip_endpoint e = {0};
	struct ip_prefix p = {0};
	struct ip_addr a = {0};
	struct err_msg msg;

	for (size_t i = 0; i < UNIT_COUNT(addrs); i++) {
		msg.text[0] = 0;
		assert_int_equal(ip_addr_parse(addrs[i], &a, &msg), ERR_INVALID);
		assert_non_null(strstr(msg.text, "expected"));
	}
	for (size_t i = 0; i < UNIT_COUNT(prefixes); i++) {
		msg.text[0] = 0;
		assert_int_equal(ip_prefix_parse(prefixes[i], &p, &msg), ERR_INVALID);
		assert_non_null(strstr(msg.text, "expected"));
	}
	for (size_t i = 0; i < UNIT_COUNT(endpoints); i++) {
		msg.text[0] = 0;
		assert_int_equal(ip_endpoint_parse(endpoints[i], &e, &msg), ERR_INVALID);
		assert_non_null(strstr(msg.text, "expected"));
	}
	assert_int_equal(a.family + p.len + e.port, 0); /* untouched on error */
	assert_int_equal(ip_prefix_parse("10.0.0.1/24", &p, &msg), ERR_INVALID);
	assert_string_equal(msg.text, "'10.0.0.1/24' has host bits set, expected 10.0.0.0/24");
}

static void contains_bit_by_bit(void **state)
{
	for (unsigned len = 0; len <= 128; len++) {
		struct ip_prefix p = {.addr = addr("a5a5:5a5a:ffff::1234:5678:9abc"), .len = (uint8_t)len};
		struct ip_prefix m = ip_prefix_mask(&p);

		assert_true(ip_prefix_contains_addr(&m, &p.addr));
		for (unsigned bit = 0; bit < 128; bit++) {
			struct ip_addr other = p.addr;

			other.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(ip_prefix_contains_addr(&m, &other), bit >= len);
			assert_int_equal(ip_prefix_contains_addr(&p, &other), bit >= len);
		}
	}
}

static void contains_prefixes(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contained;
	} cases[] = {
	    {"0.0.0.0/0", "10.0.0.0/8", true},
	    {"10.0.0.0/8", "10.0.0.0/8", true},
	    {"10.0.0.0/8", "10.255.0.0/16", true},
	    {"10.255.0.0/16", "10.0.0.0/8", false},
	    {"10.0.0.0/8", "11.0.0.0/8", false},
	    {"0.0.0.0/0", "::/0", false},
	    {"fd00::/8", "fd12::/16", true},
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct ip_prefix o = prefix(cases[i].outer), n = prefix(cases[i].inner);

		assert_int_equal(ip_prefix_contains(&o, &n), cases[i].contained);
	}
}

static void orders(void **state)
{
	static const char *const sorted[] = {
	    "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "::/0", "fd00::/8"};

	for (size_t i = 0; i < UNIT_COUNT(sorted); i++)
		for (size_t j = 0; j < UNIT_COUNT(sorted); j++) {
			struct ip_prefix a = prefix(sorted[i]), b = prefix(sorted[j]);
			int c = ip_prefix_cmp(&a, &b);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
			assert_int_equal(ip_prefix_equal(&a, &b), i == j);
		}
}

static void classifies(void **state)
{
	static const struct {
		const char *text;
		const char *classes; /* m multicast, l link-local, o loopback, p private, z zero */
	} cases[] = {
	    {"0.0.0.0", "z"},
	    {"::", "z"},
	    {"8.8.8.8", ""},
	    {"223.255.255.255", ""},
	    {"224.0.0.1", "m"},
	    {"239.255.255.255", "m"},
	    {"240.0.0.1", ""},
	    {"ff02::1", "m"},
	    {"169.254.1.1", "l"},
	    {"fe80::1", "l"},
	    {"febf::1", "l"},
	    {"fec0::1", ""},
	    {"127.0.0.1", "o"},
	    {"127.255.0.1", "o"},
	    {"::1", "o"},
	    {"10.1.2.3", "p"},
	    {"172.16.0.1", "p"},
	    {"172.31.255.255", "p"},
	    {"172.32.0.0", ""},
	    {"192.168.3.4", "p"},
	    {"192.169.0.0", ""},
	    {"100.64.0.1", "p"},
	    {"100.128.0.1", ""},
	    {"fc00::1", "p"},
	    {"fdff::1", "p"},
	    {"2001:db8::1", ""},
	};

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct ip_addr a = addr(cases[i].text);

		assert_int_equal(ip_addr_is_multicast(&a), strchr(cases[i].classes, 'm') != NULL);
		assert_int_equal(ip_addr_is_link_local(&a), strchr(cases[i].classes, 'l') != NULL);
		assert_int_equal(ip_addr_is_loopback(&a), strchr(cases[i].classes, 'o') != NULL);
		assert_int_equal(ip_addr_is_private(&a), strchr(cases[i].classes, 'p') != NULL);
		assert_int_equal(ip_addr_is_zero(&a), strchr(cases[i].classes, 'z') != NULL);
	}
}

static void converts(void **state)
{
	struct ip_addr a = addr("10.1.2.3"), none = {0};
	struct ip_prefix host = ip_prefix_host(&a);
	char buf[IP_ADDR_STRLEN];
	struct ip_addr b = ip_addr_v4(ip_addr_be32(&a)), c = addr("2001:db8::1"), d = ip_addr_v6(c.b);

	assert_true(ip_addr_equal(&a, &b));
	assert_true(ip_addr_equal(&c, &d));
	assert_false(ip_addr_equal(&a, &c));
	assert_int_equal(host.len, 32);
	assert_true(ip_addr_is_zero(&none));
	assert_string_equal(ip_addr_format(&none, buf), "none");
	assert_int_equal(ip_family_bits(IP_NONE), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trips),
	    cmocka_unit_test(refuses_with_a_sentence),
	    cmocka_unit_test(contains_bit_by_bit),
	    cmocka_unit_test(contains_prefixes),
	    cmocka_unit_test(orders),
	    cmocka_unit_test(classifies),
	    cmocka_unit_test(converts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
