/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tunnel of the whole dataplane, "friend", against the pure library as its peer: the rig of the tests
 * named test_tunnel*.c. Two WANs and a LAN as memory ports; the slow thread's part is driven by hand.
 */
#ifndef BYWAY_TESTS_WHOLE_TUNNEL_RIG_H
#define BYWAY_TESTS_WHOLE_TUNNEL_RIG_H

#include <sys/types.h>

#include "dataplane/tunnel.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "lib/wg_timers.h"
#include "tests/whole/whole.h"

#define PORT 51821 /* of the tunnel */

/* The other end, at an address on the wide side of wan1. */
struct remote {
	struct wg_noise_identity id;
	struct wg_noise_peer peer; /* us */
	struct wg_noise_handshake hs;
	struct wg_noise_keys keys;
	struct wg_cookie_maker cookies;
	uint64_t counter;
	const char *address, *ours; /* the outer addresses */
	uint16_t port;
};

extern struct whole_port lan, wan1, wan2;
extern uint16_t active_line; /* what the monitor thread would say */
extern struct remote remote;
extern uint8_t frame[2048], message[2048]; /* to build frames in, and the last WireGuard message */
extern char directory[], key_path[64];
extern uint8_t preshared[32];
extern uint64_t clock_ns;
extern unsigned to_host;       /* packets that the host would have got */
extern const char *bound_line; /* of the next tunnel; "": it follows */

/* Group set-up and tear-down; tear-down of a test, and of one that floods: its load is forgotten after a
 * second. */
int open_all(void **state);
int close_all(void **state);
int end_test(void **state);
int end_flood(void **state);

/* A key in base64, with this mode. */
void write_key(const char *path, const uint8_t key[32], mode_t mode);
struct fibmsg_tunnel tunnel_config(void);
struct fibmsg_peer peer_config(void);
/* A fresh tunnel and a fresh remote that know each other; allowed NULL: any. */
void make_pair(const char *address, const char *ours, const char *endpoint, const char *allowed);
void route_into_tunnel(void);

/* Worker and slow thread in turn until neither has anything to do. */
void run(void);
/* A WireGuard message from the remote to our port. */
void send_message(const void *data, size_t len);
/* The next message to the remote, in message; its length, 0: none. Checks the outer headers. */
size_t receive_message_at(struct whole_port *port);
size_t receive_message(void); /* at wan1 */

/* The remote answers the initiation that lies in message. */
void answer_initiation(void);
void make_initiation(struct wg_wire_initiation *out);
/* The remote as initiator, up to its keys; the dataplane has not seen them used yet. */
void initiate(void);

/* Seals len bytes at inner, padded to 16, with this counter; returns the length of message. */
size_t seal(const void *inner, size_t len, uint64_t counter);
void send_data(const void *inner, size_t len);
/* Opens the data message in message; returns the padded length, inner in place at message + 16. */
size_t open_data(size_t len);
/* An inner packet from the remote's LAN to ours, without a link header. */
const uint8_t *inner_packet(const char *src, const char *dst, size_t data_len, size_t *len);
/* A good packet from the remote's LAN, which must come out at ours. */
void send_good_data(void);
size_t send_from_lan(const char *src, const char *dst, size_t data_len);
/* Both ways once, v4 and v6, with lengths around the padding. */
void check_data(void);

#endif
