/* SPDX-License-Identifier: BSD-3-Clause */
/* bgp_open: what is accepted must be writable and parse to the same; also NOTIFICATION and ROUTE-REFRESH
 * bodies. */
#include "bgp/bgp_open.h"

#include <string.h>

#include "bgp/bgp_wire.h"
#include "tests/fuzz/fuzz.h"

static void write_again(const struct bgp_open *open)
{
	uint8_t room[BGP_MSG_MAX];
	struct bgp_fault fault;
	struct bgp_open back;
	struct buf_writer w;
	uint8_t type;
	size_t len;

	buf_writer_init(&w, room, sizeof(room));
	bgp_open_write(&w, open);
	FUZZ_REQUIRE(!w.err);
	FUZZ_REQUIRE(bgp_msg_parse_header(room, &type, &len, &fault) == 0);
	FUZZ_REQUIRE(type == BGP_MSG_OPEN && len == buf_writer_len(&w));
	FUZZ_REQUIRE(bgp_open_parse(room + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &back, &fault) == 0);
	FUZZ_REQUIRE(back.router_id == open->router_id && back.caps.families == open->caps.families);
	FUZZ_REQUIRE(back.caps.as4 == open->caps.as4 && (!open->caps.as4 || back.caps.as == open->caps.as));
	FUZZ_REQUIRE(back.caps.forwarding == open->caps.forwarding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bgp_error_info info = {0};
	struct bgp_fault fault;
	struct bgp_open open;
	enum bgp_family family;

	if (size > BGP_MSG_MAX - BGP_HEADER_LEN)
		return 0;
	if (bgp_open_parse(data, size, &open, &fault) == 0)
		write_again(&open);
	else
		FUZZ_REQUIRE(fault.code == BGP_ERROR_OPEN && fault.text[0]);
	bgp_msg_parse_notification(data, size, &info);
	FUZZ_REQUIRE(memchr(info.text, '\0', sizeof(info.text)) != NULL);
	for (const char *c = info.text; *c; c++)
		FUZZ_REQUIRE((uint8_t)*c >= 0x20 && (uint8_t)*c != 0x7f);
	bgp_msg_parse_refresh(data, size, &family);
	return 0;
}
