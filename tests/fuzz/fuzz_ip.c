/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/ip: whatever parses must print to text that parses to the same. */
#include "lib/ip.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

static void try_addr(const char *text)
{
	char out[IP_ADDR_STRLEN];
	struct ip_addr a, back;

	if (ip_addr_parse(text, &a, NULL))
		return;
	FUZZ_REQUIRE(ip_addr_parse(ip_addr_format(&a, out), &back, NULL) == 0 && ip_addr_equal(&a, &back));
}

static void try_prefix(const char *text)
{
	char out[IP_PREFIX_STRLEN];
	struct ip_prefix p, back;

	if (!ip_ifaddr_parse(text, &p, NULL))
		FUZZ_REQUIRE(ip_ifaddr_parse(ip_prefix_format(&p, out), &back, NULL) == 0 &&
			     ip_prefix_equal(&p, &back));
	if (ip_prefix_parse(text, &p, NULL))
		return;
	FUZZ_REQUIRE(
	    ip_prefix_parse(ip_prefix_format(&p, out), &back, NULL) == 0 && ip_prefix_equal(&p, &back));
	FUZZ_REQUIRE(ip_prefix_contains(&p, &back) && ip_prefix_contains_addr(&p, &p.addr));
}

static void try_endpoint(const char *text)
{
	char out[IP_ENDPOINT_STRLEN];
	struct ip_endpoint e, back;

	if (ip_endpoint_parse(text, &e, NULL))
		return;
	FUZZ_REQUIRE(ip_endpoint_parse(ip_endpoint_format(&e, out), &back, NULL) == 0);
	FUZZ_REQUIRE(ip_addr_equal(&e.addr, &back.addr) && e.port == back.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256];

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	try_addr(text);
	try_prefix(text);
	try_endpoint(text);
	return 0;
}
