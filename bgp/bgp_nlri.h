/* SPDX-License-Identifier: BSD-3-Clause */
/* Prefixes on the wire (RFC 4271 §4.3, 4760 §5). Pure functions. */
#ifndef BYWAY_BGP_BGP_NLRI_H
#define BYWAY_BGP_BGP_NLRI_H

#include "bgp/bgp.h"
#include "lib/buf.h"

#define BGP_NLRI_MAX 17 /* bytes of the longest */

/*
 * Reads one prefix; bits past its length are cleared, whatever they were.
 * ERR_RANGE: a length over 32 or 128; ERR_TRUNCATED.
 */
int bgp_nlri_read(struct buf_reader *r, enum bgp_family family, struct ip_prefix *out);
/* Reads all, by value: the caller's reader stays. Errors as above (RFC 7606 §5.3). */
int bgp_nlri_check(struct buf_reader r, enum bgp_family family);
void bgp_nlri_write(struct buf_writer *w, const struct ip_prefix *prefix);
size_t bgp_nlri_len(const struct ip_prefix *prefix); /* bytes on the wire */

#endif
