/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The four WireGuard messages as they lie in a UDP payload ("WireGuard: Next
 * Generation Kernel Network Tunnel", Donenfeld, §5.4.2-§5.4.7). All fields are
 * byte arrays, so that the structs have no alignment and no padding and may be
 * laid over received bytes once wg_wire_type has accepted their length.
 * Integers are little-endian. Pure; any thread.
 */
#ifndef BYWAY_LIB_WG_WIRE_H
#define BYWAY_LIB_WG_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define WG_WIRE_KEY_LEN	      32
#define WG_WIRE_TAG_LEN	      16
#define WG_WIRE_MAC_LEN	      16
#define WG_WIRE_COOKIE_LEN    16
#define WG_WIRE_NONCE_LEN     24
#define WG_WIRE_TIMESTAMP_LEN 12 /* TAI64N: seconds be64, nanoseconds be32 */
#define WG_WIRE_PADDING	      16 /* inner packets are padded to a multiple (§5.4.6) */

enum wg_wire_kind {
	WG_WIRE_INVALID = 0,
	WG_WIRE_INITIATION = 1,
	WG_WIRE_RESPONSE = 2,
	WG_WIRE_COOKIE_REPLY = 3,
	WG_WIRE_DATA = 4,
};

/*
 * §5.4.2, initiator to responder, 148 bytes
 *    0 type 1, 3 reserved zero bytes | 4 sender index | 8 ephemeral (32)
 *   40 static (32 + 16 sealed) | 88 timestamp (12 + 16 sealed) | 116 mac1 (16) | 132 mac2 (16)
 */
struct wg_wire_initiation {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t ephemeral[WG_WIRE_KEY_LEN];
	uint8_t sealed_static[WG_WIRE_KEY_LEN + WG_WIRE_TAG_LEN];
	uint8_t sealed_timestamp[WG_WIRE_TIMESTAMP_LEN + WG_WIRE_TAG_LEN];
	uint8_t mac1[WG_WIRE_MAC_LEN];
	uint8_t mac2[WG_WIRE_MAC_LEN];
};
static_assert(sizeof(struct wg_wire_initiation) == 148, "paper 5.4.2");
static_assert(offsetof(struct wg_wire_initiation, mac1) == 116, "paper 5.4.2");

/*
 * §5.4.3, responder to initiator, 92 bytes
 *    0 type 2, 3 reserved zero bytes | 4 sender index | 8 receiver index | 12 ephemeral (32)
 *   44 nothing (0 + 16 sealed) | 60 mac1 (16) | 76 mac2 (16)
 */
struct wg_wire_response {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t receiver[4];
	uint8_t ephemeral[WG_WIRE_KEY_LEN];
	uint8_t sealed_nothing[WG_WIRE_TAG_LEN];
	uint8_t mac1[WG_WIRE_MAC_LEN];
	uint8_t mac2[WG_WIRE_MAC_LEN];
};
static_assert(sizeof(struct wg_wire_response) == 92, "paper 5.4.3");
static_assert(offsetof(struct wg_wire_response, mac1) == 60, "paper 5.4.3");

/*
 * §5.4.7, answer of a loaded host to either of the above, 64 bytes
 *    0 type 3, 3 reserved zero bytes | 4 receiver index | 8 nonce (24) | 32 cookie (16 + 16 sealed)
 */
struct wg_wire_cookie_reply {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t nonce[WG_WIRE_NONCE_LEN];
	uint8_t sealed_cookie[WG_WIRE_COOKIE_LEN + WG_WIRE_TAG_LEN];
};
static_assert(sizeof(struct wg_wire_cookie_reply) == 64, "paper 5.4.7");

/*
 * §5.4.6, transport data, 16 bytes before the sealed packet and its tag
 *    0 type 4, 3 reserved zero bytes | 4 receiver index | 8 counter (8) | 16 sealed packet ...
 */
struct wg_wire_data {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t counter[8];
};
static_assert(sizeof(struct wg_wire_data) == 16, "paper 5.4.6");

#define WG_WIRE_DATA_MIN_LEN (sizeof(struct wg_wire_data) + WG_WIRE_TAG_LEN) /* a keepalive */

static inline uint32_t wg_wire_get_le32(const uint8_t b[4])
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t wg_wire_get_le64(const uint8_t b[8])
{
	return wg_wire_get_le32(b) | (uint64_t)wg_wire_get_le32(b + 4) << 32;
}

static inline void wg_wire_set_le32(uint8_t b[4], uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		b[i] = (uint8_t)(v >> (8 * i));
}

static inline void wg_wire_set_le64(uint8_t b[8], uint64_t v)
{
	wg_wire_set_le32(b, (uint32_t)v);
	wg_wire_set_le32(b + 4, (uint32_t)(v >> 32));
}

/* The kind of a UDP payload; WG_WIRE_INVALID for another type, reserved bytes not zero, or a wrong length. */
static inline enum wg_wire_kind wg_wire_type(const uint8_t *data, size_t len)
{
	if (len < 4 || data[1] || data[2] || data[3])
		return WG_WIRE_INVALID;
	switch (data[0]) {
	case WG_WIRE_INITIATION:
		return len == sizeof(struct wg_wire_initiation) ? WG_WIRE_INITIATION : WG_WIRE_INVALID;
	case WG_WIRE_RESPONSE:
		return len == sizeof(struct wg_wire_response) ? WG_WIRE_RESPONSE : WG_WIRE_INVALID;
	case WG_WIRE_COOKIE_REPLY:
		return len == sizeof(struct wg_wire_cookie_reply) ? WG_WIRE_COOKIE_REPLY : WG_WIRE_INVALID;
	case WG_WIRE_DATA:
		return len >= WG_WIRE_DATA_MIN_LEN ? WG_WIRE_DATA : WG_WIRE_INVALID;
	default:
		return WG_WIRE_INVALID;
	}
}

#endif
