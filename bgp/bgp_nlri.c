/* SPDX-License-Identifier: BSD-3-Clause */
/* Prefixes on the wire; see bgp_nlri.h. */
#include "bgp/bgp_nlri.h"

#include "bgp/bgp_msg.h"

int bgp_nlri_read(struct buf_reader *r, enum bgp_family family, struct ip_prefix *out)
{
	struct ip_prefix prefix = {.addr.family = bgp_family_ip(family)};
	unsigned spare;

	prefix.len = buf_read_u8(r);
	if (prefix.len > ip_family_bits(prefix.addr.family))
		return ERR_RANGE;
	buf_read_bytes(r, prefix.addr.b, (prefix.len + 7u) / 8u);
	if (r->err)
		return r->err;
	spare = 7u - (prefix.len + 7u) % 8u;
	if (prefix.len)
		prefix.addr.b[(prefix.len - 1u) / 8u] &=
		    (uint8_t)(0xffu << spare); /* RFC 4271 §4.3: irrelevant */
	*out = prefix;
	return 0;
}

int bgp_nlri_check(struct buf_reader r, enum bgp_family family)
{
	struct ip_prefix prefix;
	int err = 0;

	while (!err && buf_reader_left(&r))
		err = bgp_nlri_read(&r, family, &prefix);
	return err;
}

void bgp_nlri_write(struct buf_writer *w, const struct ip_prefix *prefix)
{
	buf_write_u8(w, prefix->len);
	buf_write_bytes(w, prefix->addr.b, (prefix->len + 7u) / 8u);
}

size_t bgp_nlri_len(const struct ip_prefix *prefix)
{
	return 1u + (prefix->len + 7u) / 8u;
}
