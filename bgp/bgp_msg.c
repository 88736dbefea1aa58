/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages as frames; see bgp_msg.h. */
#include "bgp/bgp_msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bgp/bgp_wire.h"

static const uint8_t marker[BGP_MARKER_LEN] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Lengths with the header; RFC 4271 §6.1. */
static const struct {
	const char *name;
	size_t min, max;
} messages[BGP_MSG_TYPES] = {
    [0] = {"all", 0, 0},
    [BGP_MSG_OPEN] = {"OPEN", BGP_OPEN_MIN_LEN, BGP_MSG_MAX},
    [BGP_MSG_UPDATE] = {"UPDATE", BGP_UPDATE_MIN_LEN, BGP_MSG_MAX},
    [BGP_MSG_NOTIFICATION] = {"NOTIFICATION", BGP_NOTIFICATION_MIN_LEN, BGP_MSG_MAX},
    [BGP_MSG_KEEPALIVE] = {"KEEPALIVE", BGP_HEADER_LEN, BGP_HEADER_LEN},
    [BGP_MSG_ROUTE_REFRESH] = {"ROUTE-REFRESH", BGP_ROUTE_REFRESH_LEN, BGP_MSG_MAX},
};

const char *bgp_msg_text(unsigned type)
{
	return type < BGP_MSG_TYPES ? messages[type].name : "unknown";
}

int bgp_fault_set(struct bgp_fault *fault, unsigned code, unsigned subcode, const void *data, size_t len,
    const char *fmt, ...)
{
	va_list ap;

	*fault = (struct bgp_fault){.code = (uint8_t)code, .subcode = (uint8_t)subcode};
	if (len > sizeof(fault->data))
		len = sizeof(fault->data);
	if (len)
		memcpy(fault->data, data, len);
	fault->data_len = (uint8_t)len;
	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
	return ERR_PROTO;
}

int bgp_msg_parse_header(const uint8_t *header, uint8_t *type, size_t *len, struct bgp_fault *fault)
{
	const uint8_t *len_be = header + BGP_MARKER_LEN;
	size_t n = (size_t)(len_be[0] << 8 | len_be[1]);
	uint8_t t = header[BGP_MARKER_LEN + 2];

	if (memcmp(header, marker, sizeof(marker)) != 0)
		return bgp_fault_set(
		    fault, BGP_ERROR_HEADER, BGP_HEADER_MARKER, NULL, 0, "marker is not all ones");
	if (n < BGP_HEADER_LEN || n > BGP_MSG_MAX)
		return bgp_fault_set(
		    fault, BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len_be, 2, "message of %zu bytes", n);
	if (t == 0 || t >= BGP_MSG_TYPES)
		return bgp_fault_set(
		    fault, BGP_ERROR_HEADER, BGP_HEADER_TYPE, &t, 1, "message of unknown type %u", t);
	if (n < messages[t].min || n > messages[t].max)
		return bgp_fault_set(fault, BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len_be, 2, "%s of %zu bytes",
		    messages[t].name, n);
	*type = t;
	*len = n;
	return 0;
}

void bgp_msg_begin(struct buf_writer *w, uint8_t type)
{
	buf_write_bytes(w, marker, sizeof(marker));
	buf_write_be16(w, 0);
	buf_write_u8(w, type);
}

void bgp_msg_end(struct buf_writer *w, size_t start)
{
	if (!w->err)
		buf_patch_be16(w, start + BGP_MARKER_LEN, (uint16_t)(buf_writer_len(w) - start));
}

void bgp_msg_write_keepalive(struct buf_writer *w)
{
	size_t start = buf_writer_len(w);

	bgp_msg_begin(w, BGP_MSG_KEEPALIVE);
	bgp_msg_end(w, start);
}

void bgp_msg_write_notification(struct buf_writer *w, const struct bgp_fault *fault)
{
	size_t start = buf_writer_len(w);

	bgp_msg_begin(w, BGP_MSG_NOTIFICATION);
	buf_write_u8(w, fault->code);
	buf_write_u8(w, fault->subcode);
	buf_write_bytes(w, fault->data, fault->data_len);
	bgp_msg_end(w, start);
}

void bgp_msg_write_refresh(struct buf_writer *w, enum bgp_family family)
{
	size_t start = buf_writer_len(w);

	bgp_msg_begin(w, BGP_MSG_ROUTE_REFRESH);
	buf_write_be16(w, bgp_family_afi(family));
	buf_write_u8(w, 0);
	buf_write_u8(w, BGP_SAFI_UNICAST);
	bgp_msg_end(w, start);
}

/* Bytes of the well-formed, printable UTF-8 character at p, 0 if there is none (RFC 3629 §4). */
static size_t utf8_check_char(const uint8_t *p, size_t len)
{
	size_t n, i;

	if (p[0] >= 0x20 && p[0] < 0x7f)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
	    : (p[0] & 0xf0) == 0xe0	   ? 3
	    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
					   : 0;
	if (n == 0 || n > len)
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if (p[0] == 0xc2 && p[1] < 0xa0)
		return 0; /* C1 control characters move terminals */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
		return 0; /* overlong, surrogates */
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	if (p[0] == 0xe2 && (p[1] == 0x80 || p[1] == 0x81))
		return 0; /* U+2000..U+207F holds the marks that reverse the direction of text */
	return n;
}

static void utf8_copy_printable(const uint8_t *in, size_t len, char *out, size_t room)
{
	size_t n, used = 0;

	while (len && used + 1 < room) {
		n = utf8_check_char(in, len);
		if (n && used + n + 1 > room)
			break;
		if (n)
			memcpy(out + used, in, n);
		else
			out[used] = '?';
		used += n ? n : 1;
		in += n ? n : 1;
		len -= n ? n : 1;
	}
	out[used] = '\0';
}

void bgp_msg_parse_notification(const uint8_t *body, size_t len, struct bgp_error_info *out)
{
	struct buf_reader r;
	size_t used;

	buf_reader_init(&r, body, len);
	out->there = true;
	out->code = buf_read_u8(&r);
	out->subcode = buf_read_u8(&r);
	bgp_msg_format_error(out->code, out->subcode, out->text, sizeof(out->text));
	used = strlen(out->text);
	/* RFC 9003 §2: a length of one byte, then the message. */
	if (out->code == BGP_ERROR_CEASE &&
	    (out->subcode == BGP_CEASE_SHUTDOWN || out->subcode == BGP_CEASE_RESET) &&
	    buf_reader_left(&r) > 1) {
		struct buf_reader text = buf_read_sub(&r, buf_read_u8(&r));

		if (!text.err && buf_reader_left(&text) && used + 4 < sizeof(out->text)) {
			memcpy(out->text + used, ": ", 3);
			utf8_copy_printable(text.p, buf_reader_left(&text), out->text + used + 2,
			    sizeof(out->text) - used - 2);
		}
	}
}

int bgp_msg_parse_refresh(const uint8_t *body, size_t len, enum bgp_family *family)
{
	struct buf_reader r;
	uint16_t afi;
	uint8_t subtype, safi;

	buf_reader_init(&r, body, len);
	afi = buf_read_be16(&r);
	subtype = buf_read_u8(&r);
	safi = buf_read_u8(&r);
	/* Other subtypes are RFC 7313's and 5291's, which we do not announce. */
	if (r.err || subtype != 0 || buf_reader_left(&r))
		return ERR_UNSUPPORTED;
	return bgp_family_parse(afi, safi, family);
}

/* clang-format off */
static const char *const error_codes[] = {
	[BGP_ERROR_HEADER] = "Message Header Error", [BGP_ERROR_OPEN] = "OPEN Message Error",
	[BGP_ERROR_UPDATE] = "UPDATE Message Error", [BGP_ERROR_HOLD_TIMER] = "Hold Timer Expired",
	[BGP_ERROR_FSM] = "Finite State Machine Error", [BGP_ERROR_CEASE] = "Cease",
	[BGP_ERROR_REFRESH] = "ROUTE-REFRESH Message Error",
};
static const char *const error_subcodes[][12] = {
	[BGP_ERROR_HEADER] = {"", "Connection Not Synchronized", "Bad Message Length", "Bad Message Type"},
	[BGP_ERROR_OPEN] = {"", "Unsupported Version Number", "Bad Peer AS", "Bad BGP Identifier",
		"Unsupported Optional Parameter", "Authentication Failure", "Unacceptable Hold Time",
		"Unsupported Capability", NULL, NULL, NULL, "Role Mismatch"},
	[BGP_ERROR_UPDATE] = {"", "Malformed Attribute List", "Unrecognized Well-known Attribute",
		"Missing Well-known Attribute", "Attribute Flags Error", "Attribute Length Error",
		"Invalid ORIGIN Attribute", "AS Routing Loop", "Invalid NEXT_HOP Attribute",
		"Optional Attribute Error", "Invalid Network Field", "Malformed AS_PATH"},
	[BGP_ERROR_HOLD_TIMER] = {""},
	[BGP_ERROR_FSM] = {"", "Unexpected Message in OpenSent", "Unexpected Message in OpenConfirm",
		"Unexpected Message in Established"},
	[BGP_ERROR_CEASE] = {"", "Maximum Number of Prefixes Reached", "Administrative Shutdown",
		"Peer De-configured", "Administrative Reset", "Connection Rejected",
		"Other Configuration Change", "Connection Collision Resolution", "Out of Resources",
		"Hard Reset", "BFD Down"},
	[BGP_ERROR_REFRESH] = {"", "Invalid Message Length"},
};
/* clang-format on */

const char *bgp_msg_format_error(uint8_t code, uint8_t subcode, char *buf, size_t len)
{
	const char *sub = NULL;

	if (code == 0 || code > BGP_ERROR_REFRESH) {
		snprintf(buf, len, "unknown error %u/%u", code, subcode);
		return buf;
	}
	if (subcode < sizeof(error_subcodes[0]) / sizeof(error_subcodes[0][0]))
		sub = error_subcodes[code][subcode];
	if (!sub)
		snprintf(buf, len, "%s/%u", error_codes[code], subcode);
	else
		snprintf(buf, len, "%s%s%s", error_codes[code], *sub ? "/" : "", sub);
	return buf;
}

int bgp_family_parse(uint16_t afi, uint8_t safi, enum bgp_family *family)
{
	if (safi != BGP_SAFI_UNICAST || (afi != BGP_AFI_IPV4 && afi != BGP_AFI_IPV6))
		return ERR_UNSUPPORTED;
	*family = afi == BGP_AFI_IPV4 ? BGP_IPV4 : BGP_IPV6;
	return 0;
}

uint16_t bgp_family_afi(enum bgp_family family)
{
	return family == BGP_IPV4 ? BGP_AFI_IPV4 : BGP_AFI_IPV6;
}

uint8_t bgp_family_ip(enum bgp_family family)
{
	return family == BGP_IPV4 ? IP_V4 : IP_V6;
}
