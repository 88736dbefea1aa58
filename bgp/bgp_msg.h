/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages as frames: the header, and the bodies small enough to live here
 * (NOTIFICATION, KEEPALIVE, ROUTE-REFRESH). Pure functions.
 */
#ifndef BYWAY_BGP_BGP_MSG_H
#define BYWAY_BGP_BGP_MSG_H

#include "bgp/bgp.h"
#include "lib/buf.h"

/* An error that ends a connection: the NOTIFICATION to send and a sentence for people. */
struct bgp_fault {
	uint8_t code, subcode;
	uint8_t data_len;
	uint8_t data[64]; /* cut there; RFC 4271 §4.5 leaves the length open */
	char text[120];
};

/* Fills fault and returns ERR_PROTO. data may be NULL with len 0. */
int bgp_fault_set(struct bgp_fault *fault, unsigned code, unsigned subcode, const void *data, size_t len,
    const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/*
 * Checks the BGP_HEADER_LEN bytes of a header (RFC 4271 §6.1) and gives type and
 * length (with the header). ERR_PROTO with fault.
 */
int bgp_msg_parse_header(const uint8_t *header, uint8_t *type, size_t *len, struct bgp_fault *fault);

/* Header with the length still open; bgp_msg_end() closes the message begun at offset start. */
void bgp_msg_begin(struct buf_writer *w, uint8_t type);
void bgp_msg_end(struct buf_writer *w, size_t start);

void bgp_msg_write_keepalive(struct buf_writer *w);
void bgp_msg_write_notification(struct buf_writer *w, const struct bgp_fault *fault);
void bgp_msg_write_refresh(struct buf_writer *w, enum bgp_family family);

/* What the other side complains about; text is printable whatever it sent (RFC 9003 §2). at_ns is left alone.
 */
void bgp_msg_parse_notification(const uint8_t *body, size_t len, struct bgp_error_info *out);
/* ERR_UNSUPPORTED: another family, to be ignored (RFC 2918 §4). */
int bgp_msg_parse_refresh(const uint8_t *body, size_t len, enum bgp_family *family);

/* "Cease/Connection Collision Resolution"; buf of at least 80. Returns buf. */
const char *bgp_msg_format_error(uint8_t code, uint8_t subcode, char *buf, size_t len);

/* AFI and SAFI to a family carried here and back. ERR_UNSUPPORTED: any other. */
int bgp_family_parse(uint16_t afi, uint8_t safi, enum bgp_family *family);
uint16_t bgp_family_afi(enum bgp_family family);
uint8_t bgp_family_ip(enum bgp_family family); /* IP_V4, IP_V6 */

#endif
