/* SPDX-License-Identifier: BSD-3-Clause */
/* The OPEN message and its capabilities; see bgp_open.h. */
#include "bgp/bgp_open.h"

#include "bgp/bgp_wire.h"

static int open_parse_multiprotocol(struct buf_reader *r, struct bgp_open *open)
{
	uint16_t afi = buf_read_be16(r);
	uint8_t safi;
	enum bgp_family family;

	buf_read_u8(r); /* reserved, RFC 4760 §8 */
	safi = buf_read_u8(r);
	if (r->err || buf_reader_left(r))
		return ERR_PROTO;
	if (bgp_family_parse(afi, safi, &family) == 0)
		open->caps.families |= BGP_FAMILY_BIT(family);
	return 0;
}

static int open_parse_refresh(struct buf_reader *r, struct bgp_open *open)
{
	open->caps.refresh = true;
	return buf_reader_left(r) ? ERR_PROTO : 0;
}

static int open_parse_as4(struct buf_reader *r, struct bgp_open *open)
{
	uint32_t as = buf_read_be32(r);

	if (r->err || buf_reader_left(r))
		return ERR_PROTO;
	open->caps.as4 = true;
	open->caps.as = as;
	return 0;
}

/* RFC 4724 §3; when it comes twice the last one counts. */
static int open_parse_restart(struct buf_reader *r, struct bgp_open *open)
{
	struct bgp_capabilities *caps = &open->caps;
	uint16_t word = buf_read_be16(r);
	enum bgp_family family;

	if (r->err || buf_reader_left(r) % 4)
		return ERR_PROTO;
	caps->graceful_restart = true;
	caps->restart_state = word & BGP_GR_RESTART_STATE;
	caps->restart_time_s = word & BGP_GR_TIME_MASK;
	caps->restart_families = 0;
	caps->forwarding = 0;
	while (buf_reader_left(r)) {
		uint16_t afi = buf_read_be16(r);
		uint8_t safi = buf_read_u8(r), flags = buf_read_u8(r);

		if (bgp_family_parse(afi, safi, &family) != 0)
			continue;
		caps->restart_families |= BGP_FAMILY_BIT(family);
		if (flags & BGP_GR_FORWARDING)
			caps->forwarding |= BGP_FAMILY_BIT(family);
	}
	return 0;
}

static const struct {
	uint8_t code;
	int (*parse)(struct buf_reader *r, struct bgp_open *open); /* r: the value alone */
} capabilities[] = {
    {BGP_CAP_MULTIPROTOCOL, open_parse_multiprotocol},
    {BGP_CAP_ROUTE_REFRESH, open_parse_refresh},
    {BGP_CAP_GRACEFUL_RESTART, open_parse_restart},
    {BGP_CAP_AS4, open_parse_as4},
};

static int open_parse_capabilities(struct buf_reader *r, struct bgp_open *open, struct bgp_fault *fault)
{
	size_t i;

	while (buf_reader_left(r)) {
		uint8_t code = buf_read_u8(r), len = buf_read_u8(r);
		struct buf_reader value = buf_read_sub(r, len);

		if (r->err)
			return bgp_fault_set(
			    fault, BGP_ERROR_OPEN, 0, NULL, 0, "capability %u overruns its parameter", code);
		for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
			if (capabilities[i].code == code && capabilities[i].parse(&value, open) != 0)
				return bgp_fault_set(fault, BGP_ERROR_OPEN, 0, NULL, 0,
				    "capability %u of %u bytes", code, len);
		}
	}
	return 0;
}

/* RFC 5492 §4; with extended lengths RFC 9072 §2. */
static int open_parse_parameters(struct buf_reader *r, struct bgp_open *open, struct bgp_fault *fault)
{
	size_t len = buf_read_u8(r);
	bool extended = len == BGP_PARAM_EXTENDED && buf_reader_left(r) >= 3 && r->p[0] == BGP_PARAM_EXTENDED;
	int err;

	if (extended) {
		buf_read_u8(r);
		len = buf_read_be16(r);
	}
	if (r->err || len != buf_reader_left(r))
		return bgp_fault_set(fault, BGP_ERROR_OPEN, 0, NULL, 0,
		    "optional parameters of %zu bytes where %zu follow", len, buf_reader_left(r));
	while (buf_reader_left(r)) {
		uint8_t type = buf_read_u8(r);
		size_t n = extended ? buf_read_be16(r) : buf_read_u8(r);
		struct buf_reader value = buf_read_sub(r, n);

		if (r->err)
			return bgp_fault_set(fault, BGP_ERROR_OPEN, 0, NULL, 0,
			    "optional parameter %u overruns the message", type);
		if (type != BGP_PARAM_CAPABILITIES)
			return bgp_fault_set(fault, BGP_ERROR_OPEN, BGP_OPEN_PARAMETER, NULL, 0,
			    "unknown optional parameter %u", type);
		err = open_parse_capabilities(&value, open, fault);
		if (err)
			return err;
	}
	return 0;
}

int bgp_open_parse(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_fault *fault)
{
	static const uint8_t version_be[2] = {0, BGP_VERSION};
	struct bgp_open open = {0};
	struct buf_reader r;
	uint8_t version;
	int err;

	buf_reader_init(&r, body, len);
	version = buf_read_u8(&r);
	open.caps.as = buf_read_be16(&r);
	open.caps.hold_time_s = buf_read_be16(&r);
	open.router_id = buf_read_be32(&r);
	if (version != BGP_VERSION)
		return bgp_fault_set(
		    fault, BGP_ERROR_OPEN, BGP_OPEN_VERSION, version_be, 2, "version %u", version);
	err = open_parse_parameters(&r, &open, fault);
	if (err)
		return err;
	if (open.caps.as == 0) /* RFC 7607 §2 */
		return bgp_fault_set(fault, BGP_ERROR_OPEN, BGP_OPEN_PEER_AS, NULL, 0, "AS 0");
	if (open.caps.hold_time_s == 1 || open.caps.hold_time_s == 2)
		return bgp_fault_set(fault, BGP_ERROR_OPEN, BGP_OPEN_HOLD_TIME, NULL, 0, "hold time of %u s",
		    open.caps.hold_time_s);
	if (open.router_id == 0) /* RFC 6286 §2.2 */
		return bgp_fault_set(
		    fault, BGP_ERROR_OPEN, BGP_OPEN_IDENTIFIER, NULL, 0, "identifier 0.0.0.0");
	if (!open.caps.families)
		open.caps.families = BGP_FAMILY_BIT(BGP_IPV4);
	*out = open;
	return 0;
}

static void open_write_restart(struct buf_writer *w, const struct bgp_capabilities *caps)
{
	unsigned f, n = (unsigned)__builtin_popcount(caps->restart_families);

	buf_write_u8(w, BGP_CAP_GRACEFUL_RESTART);
	buf_write_u8(w, (uint8_t)(2 + 4 * n));
	buf_write_be16(w, (uint16_t)((caps->restart_state ? BGP_GR_RESTART_STATE : 0) |
				     (caps->restart_time_s & BGP_GR_TIME_MASK)));
	for (f = 0; f < BGP_FAMILIES; f++) {
		if (!(caps->restart_families & BGP_FAMILY_BIT(f)))
			continue;
		buf_write_be16(w, bgp_family_afi((enum bgp_family)f));
		buf_write_u8(w, BGP_SAFI_UNICAST);
		buf_write_u8(w, (uint8_t)(caps->forwarding & BGP_FAMILY_BIT(f) ? BGP_GR_FORWARDING : 0));
	}
}

static void open_write_capabilities(struct buf_writer *w, const struct bgp_capabilities *caps)
{
	unsigned f;

	for (f = 0; f < BGP_FAMILIES; f++) {
		if (!(caps->families & BGP_FAMILY_BIT(f)))
			continue;
		buf_write_u8(w, BGP_CAP_MULTIPROTOCOL);
		buf_write_u8(w, 4);
		buf_write_be16(w, bgp_family_afi((enum bgp_family)f));
		buf_write_u8(w, 0);
		buf_write_u8(w, BGP_SAFI_UNICAST);
	}
	if (caps->refresh) {
		buf_write_u8(w, BGP_CAP_ROUTE_REFRESH);
		buf_write_u8(w, 0);
	}
	if (caps->graceful_restart)
		open_write_restart(w, caps);
	if (caps->as4) {
		buf_write_u8(w, BGP_CAP_AS4);
		buf_write_u8(w, 4);
		buf_write_be32(w, caps->as);
	}
}

void bgp_open_write(struct buf_writer *w, const struct bgp_open *open)
{
	const struct bgp_capabilities *caps = &open->caps;
	uint8_t room[128];
	struct buf_writer value;
	size_t start = buf_writer_len(w);
	uint8_t len;

	buf_writer_init(&value, room, sizeof(room));
	open_write_capabilities(&value, caps);
	len = (uint8_t)buf_writer_len(&value);
	bgp_msg_begin(w, BGP_MSG_OPEN);
	buf_write_u8(w, BGP_VERSION);
	buf_write_be16(w, (uint16_t)(caps->as > UINT16_MAX ? BGP_AS_TRANS : caps->as)); /* RFC 6793 §9 */
	buf_write_be16(w, caps->hold_time_s);
	buf_write_be32(w, open->router_id);
	/* One parameter for all capabilities, as RFC 5492 §4 prefers. */
	buf_write_u8(w, (uint8_t)(len ? len + 2 : 0));
	if (len) {
		buf_write_u8(w, BGP_PARAM_CAPABILITIES);
		buf_write_u8(w, len);
		buf_write_bytes(w, room, len);
	}
	bgp_msg_end(w, start);
}
