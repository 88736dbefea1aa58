/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses, prefixes and endpoints as people write them. Everything is strict:
 * no leading or trailing space, no octal, no scope id. Pure; any thread.
 */
#include "lib/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* One to five digits without a superfluous leading zero, at most max. */
static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned v = 0;
	size_t n = 0;

	for (; text[n] >= '0' && text[n] <= '9' && n < 5; n++)
		v = v * 10 + (unsigned)(text[n] - '0');
	if (!n || text[n] || (n > 1 && text[0] == '0') || v > max)
		return false;
	*out = v;
	return true;
}

int ip_addr_parse(const char *text, struct ip_addr *out, struct err_msg *msg)
{
	struct ip_addr a = {0};

	a.family = strchr(text, ':') ? IP_V6 : IP_V4;
	if (inet_pton(a.family == IP_V6 ? AF_INET6 : AF_INET, text, a.b) != 1)
		return err_set(msg, ERR_INVALID,
		    "'%.60s' is not an address, expected one such as 10.0.0.1 or 2001:db8::1", text);
	*out = a;
	return 0;
}

int ip_ifaddr_parse(const char *text, struct ip_prefix *out, struct err_msg *msg)
{
	const char *slash = strchr(text, '/');
	char addr[IP_ADDR_STRLEN] = "";
	struct ip_prefix p;
	unsigned len;
	int err;

	if (!slash) {
		err = ip_addr_parse(text, &p.addr, msg);
		if (!err)
			*out = ip_prefix_host(&p.addr);
		return err;
	}
	if ((size_t)(slash - text) >= sizeof(addr))
		return err_set(
		    msg, ERR_INVALID, "'%.60s' is not a prefix, expected one such as 10.0.0.0/8", text);
	memcpy(addr, text, (size_t)(slash - text));
	err = ip_addr_parse(addr, &p.addr, msg);
	if (err)
		return err;
	if (!parse_number(slash + 1, ip_family_bits(p.addr.family), &len))
		return err_set(msg, ERR_INVALID, "'%.60s' has a bad prefix length, expected /0 to /%u", text,
		    ip_family_bits(p.addr.family));
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *out, struct err_msg *msg)
{
	char expected[IP_PREFIX_STRLEN];
	struct ip_prefix p, masked;
	int err = ip_ifaddr_parse(text, &p, msg);

	if (err)
		return err;
	masked = ip_prefix_mask(&p);
	if (!ip_prefix_equal(&p, &masked))
		return err_set(msg, ERR_INVALID, "'%.60s' has host bits set, expected %s", text,
		    ip_prefix_format(&masked, expected));
	*out = p;
	return 0;
}

int ip_endpoint_parse(const char *text, struct ip_endpoint *out, struct err_msg *msg)
{
	const char *colon = strrchr(text, ':'), *from = text, *to = colon;
	bool brackets = text[0] == '[' && colon && colon > text + 1 && colon[-1] == ']';
	char addr[IP_ADDR_STRLEN] = "";
	struct ip_endpoint e;
	unsigned port;

	memset(&e, 0, sizeof(e)); /* padding, too: records that hold one are compared by memcmp */
	if (brackets) {
		from = text + 1;
		to = colon - 1;
	}
	if (!colon || (size_t)(to - from) >= sizeof(addr))
		goto bad;
	memcpy(addr, from, (size_t)(to - from));
	if (ip_addr_parse(addr, &e.addr, NULL) || brackets != (e.addr.family == IP_V6))
		goto bad;
	if (!parse_number(colon + 1, 65535, &port))
		return err_set(msg, ERR_INVALID, "'%.60s' has a bad port, expected 0 to 65535", text);
	e.port = (uint16_t)port;
	memcpy(out, &e, sizeof(e));
	return 0;
bad:
	return err_set(msg, ERR_INVALID,
	    "'%.60s' is not an endpoint, expected one such as 192.0.2.1:51820 or [2001:db8::1]:51820", text);
}

const char *ip_addr_format(const struct ip_addr *a, char *buf)
{
	if (a->family == IP_V4)
		inet_ntop(AF_INET, a->b, buf, IP_ADDR_STRLEN);
	else if (a->family == IP_V6)
		inet_ntop(AF_INET6, a->b, buf, IP_ADDR_STRLEN);
	else
		strcpy(buf, "none");
	return buf;
}

const char *ip_prefix_format(const struct ip_prefix *p, char *buf)
{
	char addr[IP_ADDR_STRLEN];

	snprintf(buf, IP_PREFIX_STRLEN, "%s/%u", ip_addr_format(&p->addr, addr), p->len);
	return buf;
}

const char *ip_endpoint_format(const struct ip_endpoint *e, char *buf)
{
	bool v6 = e->addr.family == IP_V6;
	char addr[IP_ADDR_STRLEN];

	snprintf(buf, IP_ENDPOINT_STRLEN, "%s%s%s:%u", v6 ? "[" : "", ip_addr_format(&e->addr, addr),
	    v6 ? "]" : "", e->port);
	return buf;
}
