/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing UPDATE messages; see bgp_update.h. */
#include <string.h>

#include "bgp/bgp_nlri.h"
#include "bgp/bgp_update.h"
#include "bgp/bgp_wire.h"

/* Bytes that fit behind what w holds of the message begun at start. */
static size_t room_left(const struct buf_writer *w, size_t start)
{
	size_t used = buf_writer_len(w) - start, left = buf_writer_left(w);

	if (used >= BGP_MSG_MAX)
		return 0;
	return left < BGP_MSG_MAX - used ? left : BGP_MSG_MAX - used;
}

/* How many of the prefixes fit into room, and their bytes. */
static size_t count_fitting(const struct ip_prefix *const *prefixes, size_t n, size_t room, size_t *len)
{
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		size_t more = bgp_nlri_len(prefixes[i]);

		if (used + more > room)
			break;
		used += more;
	}
	*len = used;
	return i;
}

static void write_prefixes(struct buf_writer *w, const struct ip_prefix *const *prefixes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		bgp_nlri_write(w, prefixes[i]);
}

/* Header of an MP attribute with a two-byte length, AFI and SAFI. */
static void write_mp_header(struct buf_writer *w, uint8_t type, size_t len, enum bgp_family family)
{
	buf_write_u8(w, BGP_FLAG_OPTIONAL | BGP_FLAG_EXTENDED);
	buf_write_u8(w, type);
	buf_write_be16(w, (uint16_t)len);
	buf_write_be16(w, bgp_family_afi(family));
	buf_write_u8(w, BGP_SAFI_UNICAST);
}

static void write_mp_reach(struct buf_writer *w, const struct bgp_attr_core *core,
    const struct ip_prefix *const *prefixes, size_t n, size_t len)
{
	bool both = core->link_local.family == IP_V6 && !ip_addr_equal(&core->link_local, &core->next_hop);
	uint8_t hop_len = both ? 32 : 16;

	write_mp_header(w, BGP_ATTR_MP_REACH, 3u + 1u + hop_len + 1u + len, BGP_IPV6);
	buf_write_u8(w, hop_len);
	buf_write_bytes(w, core->next_hop.b, 16);
	if (both)
		buf_write_bytes(w, core->link_local.b, 16);
	buf_write_u8(w, 0);
	write_prefixes(w, prefixes, n);
}

size_t bgp_update_write_reach(struct buf_writer *w, enum bgp_family family, const struct bgp_attrs *attrs,
    bool as4, const struct ip_prefix *const *prefixes, size_t n)
{
	uint8_t room[BGP_MSG_MAX];
	struct buf_writer a;
	size_t start = buf_writer_len(w), fixed, len, fit;

	buf_writer_init(&a, room, sizeof(room));
	bgp_attr_write(&a, attrs, as4, family == BGP_IPV4);
	fixed = BGP_UPDATE_MIN_LEN + buf_writer_len(&a);
	if (family == BGP_IPV6)
		fixed += 4 + 3 + 1 + 32 + 1;
	if (a.err || room_left(w, start) <= fixed)
		return 0;
	fit = count_fitting(prefixes, n, room_left(w, start) - fixed, &len);
	if (!fit)
		return 0;
	bgp_msg_begin(w, BGP_MSG_UPDATE);
	buf_write_be16(w, 0);
	buf_write_be16(w, 0);
	if (family == BGP_IPV6)
		write_mp_reach(w, &attrs->core, prefixes, fit, len);
	buf_write_bytes(w, room, buf_writer_len(&a));
	buf_patch_be16(
	    w, start + BGP_HEADER_LEN + 2, (uint16_t)(buf_writer_len(w) - start - BGP_UPDATE_MIN_LEN));
	if (family == BGP_IPV4)
		write_prefixes(w, prefixes, fit);
	bgp_msg_end(w, start);
	return fit;
}

size_t bgp_update_write_withdrawn(
    struct buf_writer *w, enum bgp_family family, const struct ip_prefix *const *prefixes, size_t n)
{
	size_t start = buf_writer_len(w), fixed = BGP_UPDATE_MIN_LEN + (family == BGP_IPV6 ? 4u + 3u : 0u),
	       len, fit;

	if (room_left(w, start) < fixed)
		return 0;
	fit = count_fitting(prefixes, n, room_left(w, start) - fixed, &len);
	if (n && !fit)
		return 0;
	bgp_msg_begin(w, BGP_MSG_UPDATE);
	if (family == BGP_IPV4) {
		buf_write_be16(w, (uint16_t)len);
		write_prefixes(w, prefixes, fit);
		buf_write_be16(w, 0);
	} else {
		buf_write_be16(w, 0);
		buf_write_be16(w, (uint16_t)(4 + 3 + len));
		write_mp_header(w, BGP_ATTR_MP_UNREACH, 3 + len, family);
		write_prefixes(w, prefixes, fit);
	}
	bgp_msg_end(w, start);
	return fit;
}
