/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bgp_update: the first byte chooses the context, the rest is a body. What is
 * accepted must be writable, and what was written must parse to the same set.
 */
#include "bgp/bgp_update.h"

#include <stdlib.h>
#include <string.h>

#include "bgp/bgp_nlri.h"
#include "bgp/bgp_wire.h"
#include "tests/fuzz/fuzz.h"

static struct bgp_attr_build scratch, again;

static struct bgp_update_context context_of(uint8_t byte)
{
	return (struct bgp_update_context){
	    .attr = {.as4 = byte & 1, .external = byte & 2, .first_as = byte & 4 ? 65001 : 0},
	    .families = byte >> 3 & BGP_FAMILY_ALL,
	};
}

/* Announces the first prefix of part with its attributes, as to an internal peer with 4-byte AS numbers. */
static void write_again(struct bgp_attr_table *table, const struct bgp_update_part *part)
{
	const struct bgp_update_context context = {.attr.as4 = true, .families = BGP_FAMILY_ALL};
	uint8_t room[BGP_MSG_MAX];
	struct buf_reader r = part->prefixes;
	struct ip_prefix prefix;
	const struct ip_prefix *prefixes[1] = {&prefix};
	struct bgp_update update;
	struct bgp_attrs *attrs, *back;
	struct buf_writer w;

	if (!buf_reader_left(&r) || bgp_nlri_read(&r, part->family, &prefix) != 0)
		return;
	scratch.core.next_hop = part->next_hop;
	scratch.core.link_local = part->link_local;
	FUZZ_REQUIRE(bgp_attr_intern(table, &scratch, &attrs) == 0);
	buf_writer_init(&w, room, sizeof(room));
	if (bgp_update_write_reach(&w, part->family, attrs, true, prefixes, 1) == 1) {
		bgp_update_parse(
		    &context, room + BGP_HEADER_LEN, buf_writer_len(&w) - BGP_HEADER_LEN, &again, &update);
		FUZZ_REQUIRE(update.reaction == BGP_REACT_NONE);
		again.core.next_hop = update.reach[part->family == BGP_IPV6].next_hop;
		again.core.link_local = update.reach[part->family == BGP_IPV6].link_local;
		FUZZ_REQUIRE(bgp_attr_intern(table, &again, &back) == 0);
		FUZZ_REQUIRE(back == attrs);
		bgp_attr_release(table, back);
	}
	bgp_attr_release(table, attrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bgp_mem libc;
	struct bgp_update_context context;
	struct bgp_attr_table table;
	struct bgp_update update;
	struct bgp_heap heap;
	unsigned i;

	if (size < 5 || size > BGP_MSG_MAX - BGP_HEADER_LEN)
		return 0;
	bgp_mem_init(&heap, &libc);
	FUZZ_REQUIRE(bgp_attr_table_init(&table, &heap) == 0);
	context = context_of(data[0]);
	bgp_update_parse(&context, data + 1, size - 1, &scratch, &update);
	FUZZ_REQUIRE(update.reaction == BGP_REACT_NONE || update.fault.text[0]);
	for (i = 0; i < BGP_UPDATE_PARTS && update.reaction < BGP_REACT_WITHDRAW; i++)
		write_again(&table, &update.reach[i]);
	bgp_attr_table_free(&table);
	FUZZ_REQUIRE(heap.used == 0);
	return 0;
}
