/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cross-platform configuration protocol of WireGuard (wireguard.com/xplatform)
 * as text: a parser of `get=1` and `set=1` requests that yields the whole request
 * before anything is applied, and the writer of answers. Pure; any thread. Errors
 * of this file are positive errno values, because the protocol answers with them.
 */
#ifndef BYWAY_LIB_WG_UAPI_H
#define BYWAY_LIB_WG_UAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/crypto.h"
#include "lib/ip.h"

#define WG_UAPI_REQUEST_MAX (16u << 20) /* bytes; 130,000 allowed-IPs fit */

enum wg_uapi_kind { WG_UAPI_GET, WG_UAPI_SET };

struct wg_uapi_allowed_ip {
	struct ip_prefix prefix; /* host bits cleared */
	bool remove;		 /* "-prefix": taken off the peer */
};

/* One peer of a set request; has_x: the request says x. */
struct wg_uapi_peer {
	uint8_t public_key[CRYPTO_KEY_LEN];
	uint8_t preshared_key[CRYPTO_KEY_LEN]; /* zero: none from now on */
	struct ip_endpoint endpoint;
	uint16_t keepalive_s; /* 0: off */
	bool has_preshared_key, has_endpoint, has_keepalive;
	bool remove, update_only, replace_allowed_ips;
	size_t first_allowed_ip, n_allowed_ips; /* in the request's array */
};

struct wg_uapi_request {
	enum wg_uapi_kind kind;
	uint8_t private_key[CRYPTO_KEY_LEN]; /* zero: taken away */
	uint16_t listen_port;
	uint32_t fwmark;
	bool has_private_key, has_listen_port, has_fwmark, replace_peers;
	struct wg_uapi_peer *peers;
	size_t n_peers;
	struct wg_uapi_allowed_ip *allowed_ips;
	size_t n_allowed_ips;
};

/*
 * True when a request ends within len bytes: with an empty line. *used: bytes up to and with it.
 */
bool wg_uapi_find_end(const char *text, size_t len, size_t *used);
/*
 * Parses one whole request (as wg_uapi_find_end cut it). 0 or EINVAL (unknown key, value out of form,
 * key in the wrong place), EPROTO (neither get=1 nor set=1, or no empty line), ENOMEM; then out holds
 * nothing. Free with wg_uapi_free_request, which wipes the keys.
 */
int wg_uapi_parse_request(const char *text, size_t len, struct wg_uapi_request *out);
void wg_uapi_free_request(struct wg_uapi_request *r);

/* What a get request answers; written in this order: device, then each peer and its allowed-IPs, then the
 * end. */
struct wg_uapi_device {
	uint8_t private_key[CRYPTO_KEY_LEN]; /* zero: not said */
	uint16_t listen_port;		     /* 0: not said */
	uint32_t fwmark;		     /* 0: not said */
};
struct wg_uapi_peer_state {
	uint8_t public_key[CRYPTO_KEY_LEN];
	uint8_t preshared_key[CRYPTO_KEY_LEN];
	struct ip_endpoint endpoint;	/* family 0: none */
	uint64_t handshake_realtime_ns; /* since 1970; 0: never */
	uint64_t rx_bytes, tx_bytes;
	uint16_t keepalive_s;
};

/* The room that each of the writers below needs at the most, in bytes. */
#define WG_UAPI_DEVICE_ROOM	128
#define WG_UAPI_PEER_ROOM	512
#define WG_UAPI_ALLOWED_IP_ROOM 64
#define WG_UAPI_END_ROOM	32

void wg_uapi_write_device(struct buf_writer *w, const struct wg_uapi_device *d);
void wg_uapi_write_peer(struct buf_writer *w, const struct wg_uapi_peer_state *p);
void wg_uapi_write_allowed_ip(struct buf_writer *w, const struct ip_prefix *prefix);
/*
 * The last lines of an answer. Stock tools read a set's errno with its sign as a negative number and
 * a get's as digits alone, so err (0 or positive) is written as each expects it.
 */
void wg_uapi_write_end(struct buf_writer *w, enum wg_uapi_kind kind, int err);

#endif
