/* SPDX-License-Identifier: BSD-3-Clause */
/* Path attributes to the wire and to people; see bgp_attr.h and bgp.h. */
#include <stdio.h>
#include <string.h>

#include "bgp/bgp_aspath.h"
#include "bgp/bgp_attr.h"
#include "bgp/bgp_wire.h"

static void write_header(struct buf_writer *w, uint8_t flags, uint8_t type, size_t len)
{
	flags &= (uint8_t)~BGP_FLAG_EXTENDED;
	buf_write_u8(w, (uint8_t)(len > UINT8_MAX ? flags | BGP_FLAG_EXTENDED : flags));
	buf_write_u8(w, type);
	if (len > UINT8_MAX)
		buf_write_be16(w, (uint16_t)len);
	else
		buf_write_u8(w, (uint8_t)len);
}

static void write_u32(struct buf_writer *w, uint8_t flags, uint8_t type, uint32_t value)
{
	write_header(w, flags, type, 4);
	buf_write_be32(w, value);
}

static void write_path(struct buf_writer *w, const struct bgp_attr_item *path, bool as4)
{
	uint8_t narrow[BGP_TAIL_MAX];
	struct buf_writer n;

	buf_writer_init(&n, narrow, sizeof(narrow));
	bgp_aspath_convert(&n, path->value, path->len, 4, as4 ? 4 : 2);
	write_header(w, BGP_FLAG_TRANSITIVE, BGP_ATTR_AS_PATH, buf_writer_len(&n));
	buf_write_bytes(w, narrow, buf_writer_len(&n));
}

static void write_core(struct buf_writer *w, const struct bgp_attr_core *core, bool next_hop)
{
	if (next_hop) {
		write_header(w, BGP_FLAG_TRANSITIVE, BGP_ATTR_NEXT_HOP, 4);
		buf_write_bytes(w, core->next_hop.b, 4);
	}
	if (core->has_med)
		write_u32(w, BGP_FLAG_OPTIONAL, BGP_ATTR_MED, core->med);
	if (core->has_local_pref)
		write_u32(w, BGP_FLAG_TRANSITIVE, BGP_ATTR_LOCAL_PREF, core->local_pref);
	if (core->atomic_aggregate)
		write_header(w, BGP_FLAG_TRANSITIVE, BGP_ATTR_ATOMIC_AGGREGATE, 0);
}

/* The AS numbers that a 2-byte speaker cannot read (RFC 6793 §4.2.2). */
static void write_as4(
    struct buf_writer *w, const struct bgp_attr_item *path, const struct bgp_attr_item *aggregator)
{
	if (bgp_aspath_has_wide(path->value, path->len)) {
		write_header(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_ATTR_AS4_PATH, path->len);
		buf_write_bytes(w, path->value, path->len);
	}
	if (aggregator->value && (aggregator->value[0] || aggregator->value[1])) {
		write_header(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_ATTR_AS4_AGGREGATOR, 8);
		buf_write_bytes(w, aggregator->value, 8);
	}
}

static void write_aggregator(struct buf_writer *w, const struct bgp_attr_item *item)
{
	bool wide = item->value[0] || item->value[1];

	write_header(w, item->flags, item->type, 6);
	buf_write_be16(w, (uint16_t)(wide ? BGP_AS_TRANS : (unsigned)item->value[2] << 8 | item->value[3]));
	buf_write_bytes(w, item->value + 4, 4);
}

void bgp_attr_write(struct buf_writer *w, const struct bgp_attrs *attrs, bool as4, bool next_hop)
{
	struct bgp_attr_item path = bgp_attr_path(attrs), aggregator = {0}, item;
	size_t at = 0;
	bool narrow_done = as4;

	write_header(w, BGP_FLAG_TRANSITIVE, BGP_ATTR_ORIGIN, 1);
	buf_write_u8(w, attrs->core.origin);
	write_path(w, &path, as4);
	write_core(w, &attrs->core, next_hop);
	while (bgp_attr_next(attrs->tail, attrs->tail_len, &at, &item)) {
		if (item.type == BGP_ATTR_AS_PATH)
			continue;
		if (item.type > BGP_ATTR_AS4_PATH && !narrow_done) {
			write_as4(w, &path, &aggregator);
			narrow_done = true;
		}
		if (item.type == BGP_ATTR_AGGREGATOR && !as4) {
			aggregator = item;
			write_aggregator(w, &item);
			continue;
		}
		write_header(w, item.flags, item.type, item.len);
		buf_write_bytes(w, item.value, item.len);
	}
	if (!narrow_done)
		write_as4(w, &path, &aggregator);
}

void bgp_attrs_get_info(const struct bgp_attrs *attrs, struct bgp_attrs_info *out)
{
	const struct bgp_attr_core *core = &attrs->core;
	struct bgp_attr_item path = bgp_attr_path(attrs);

	*out = (struct bgp_attrs_info){
	    .origin = (enum bgp_origin)core->origin,
	    .has_med = core->has_med,
	    .has_local_pref = core->has_local_pref,
	    .atomic_aggregate = core->atomic_aggregate,
	    .med = core->med,
	    .local_pref = core->local_pref,
	    .path_len = attrs->path_len,
	    .neighbor_as = attrs->neighbor_as,
	    .origin_as = bgp_aspath_last(path.value, path.len),
	    .next_hop = core->next_hop,
	    .link_local = core->link_local,
	};
}

const char *bgp_attrs_format_path(const struct bgp_attrs *attrs, char *buf, size_t len)
{
	struct bgp_attr_item path = bgp_attr_path(attrs);

	return bgp_aspath_format(path.value, path.len, buf, len);
}

/* Appends one community; false when it does not fit. */
static bool format_community(struct buf_reader *r, uint8_t type, char *buf, size_t room, size_t *used)
{
	const char *blank = *used ? " " : "";
	uint32_t a = buf_read_be32(r);
	int n;

	if (type == BGP_ATTR_COMMUNITIES) {
		n = snprintf(buf + *used, room - *used, "%s%u:%u", blank, a >> 16, a & 0xffff);
	} else if (type == BGP_ATTR_EXT_COMMUNITIES) {
		n = snprintf(buf + *used, room - *used, "%s0x%08x%08x", blank, a, buf_read_be32(r));
	} else {
		uint32_t b = buf_read_be32(r), c = buf_read_be32(r);

		n = snprintf(buf + *used, room - *used, "%s%u:%u:%u", blank, a, b, c);
	}
	if ((size_t)n >= room - *used)
		return false;
	*used += (size_t)n;
	return true;
}

const char *bgp_attrs_format_communities(const struct bgp_attrs *attrs, char *buf, size_t len)
{
	static const uint8_t types[] = {BGP_ATTR_COMMUNITIES, BGP_ATTR_LARGE, BGP_ATTR_EXT_COMMUNITIES};
	struct bgp_attr_item item;
	struct buf_reader r;
	size_t used = 0, i;

	buf[0] = '\0';
	for (i = 0; i < sizeof(types); i++) {
		if (!bgp_attr_find(attrs, types[i], &item))
			continue;
		buf_reader_init(&r, item.value, item.len);
		while (buf_reader_left(&r)) {
			if (!format_community(&r, types[i], buf, len, &used)) {
				snprintf(buf + used, len - used, "...");
				return buf;
			}
		}
	}
	return buf;
}
