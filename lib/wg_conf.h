/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of wg-quick(8) and `wg setconf`: read whole, then written as a tunnel of a Byway configuration. What
 * a file says and Byway has no place for is named, never swallowed. Pure; the client's only thread.
 */
#ifndef BYWAY_LIB_WG_CONF_H
#define BYWAY_LIB_WG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/crypto.h"
#include "lib/ip.h"

#define WG_CONF_MAX	 (16u << 20) /* bytes of a file */
#define WG_CONF_ENDPOINT 264	     /* a name of 253 bytes with its port */

struct wg_conf_prefixes {
	struct ip_prefix *v;
	size_t n, room;
};

struct wg_conf_peer {
	unsigned line;							   /* of its [Peer] */
	uint8_t public_key[CRYPTO_KEY_LEN], preshared_key[CRYPTO_KEY_LEN]; /* zero: none */
	char endpoint[WG_CONF_ENDPOINT];				   /* as written; empty: none */
	uint16_t keepalive_s;
	struct wg_conf_prefixes allowed_ips; /* host bits cleared */
};

struct wg_conf {
	uint8_t private_key[CRYPTO_KEY_LEN];
	uint16_t listen_port; /* 0: not said */
	uint32_t fwmark;
	uint16_t mtu;			   /* 0: not said */
	bool without_routes;		   /* Table = off */
	struct wg_conf_prefixes addresses; /* with host bits */
	struct wg_conf_peer *peers;
	size_t n_peers, peers_room;
};

/* Told of each finding, in the order of lines; line 0: of the file as a whole. */
typedef void (*wg_conf_say_fn)(void *arg, unsigned line, bool error, const char *text);

/*
 * Reads a file of len bytes. 0, or ERR_INVALID when say has been told of an error, ERR_NOMEM; then out holds
 * nothing. Free with wg_conf_free, which wipes the keys.
 */
int wg_conf_parse(const char *text, size_t len, struct wg_conf *out, wg_conf_say_fn say, void *arg);
void wg_conf_free(struct wg_conf *c);

/*
 * The tunnel as YAML, with keys in <key_dir>/<name>.key and <key_dir>/<name>-<peer>.psk; say is told what the
 * reader should know of it. name: of the tunnel, at most 15 bytes, valid for an interface.
 */
void wg_conf_print(
    const struct wg_conf *c, const char *name, const char *key_dir, FILE *out, wg_conf_say_fn say, void *arg);
/* The file of the i-th peer's preshared key, in buf; NULL: it has none. */
const char *wg_conf_psk_path(
    const struct wg_conf *c, size_t i, const char *name, const char *key_dir, char *buf, size_t size);

#endif
