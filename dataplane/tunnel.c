/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels as control sets them: their keys, ports and MTU. Slow thread only; what workers read is published
 * under RCU and freed a grace period after it is gone.
 */
#include "dataplane/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/aead_ipsec_mb.h"
#include "dataplane/host.h"
#include "dataplane/nexthop.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel_handover.h"
#include "dataplane/tunnel_peer.h"
#include "lib/aead_burst.h"
#include "lib/log.h"
#include "lib/secret.h"

#define PORT_FIRST 49152u /* RFC 6335 §6: dynamic ports, for tunnels that do not care */

static bool with_uapi;
static const char *cipher; /* of aead_burst_init */

void tunnel_force_cipher(const char *name)
{
	cipher = name;
}

int tunnel_start(const char *state_dir, bool uapi, struct err_msg *msg)
{
	int err = crypto_init();

	with_uapi = uapi;
	if (err)
		return err_set(msg, err, "the system has no source of randomness");
	tunnel_handshake_start();
	(void)aead_ipsec_mb_register(); /* where it cannot run, others do */
	err = aead_burst_init(cipher);
	if (err == ERR_NOENT || err == ERR_UNSUPPORTED)
		return err_set(msg, err,
		    "--aead %s: expected a back end of the cipher that this machine can run: avx512-ifma, "
		    "avx2, sse, portable, sodium or ipsec-mb",
		    cipher);
	if (err)
		return err_set(msg, err, "no memory to try the back ends of the cipher in");
	err = tunnel_key_store_open(state_dir, msg);
	return err ? err : tunnel_state_open(state_dir, msg);
}

struct tunnel *tunnel_find(const char *name)
{
	struct iface *ifc = iface_by_name(name);

	return ifc && ifc->kind == IFACE_TUNNEL ? ifc->tunnel : NULL;
}

static uint16_t find_free_port(void)
{
	uint16_t at;

	crypto_fill_random(&at, sizeof(at));
	for (unsigned i = 0; i <= UINT16_MAX - PORT_FIRST; i++) {
		uint16_t port = (uint16_t)(PORT_FIRST + (at + i) % (UINT16_MAX - PORT_FIRST + 1));

		if (tunnel_by_port(port) == 0)
			return port;
	}
	return 0;
}

int tunnel_check(const struct fibmsg_tunnel *t, struct err_msg *msg)
{
	const struct tunnel *old = tunnel_find(t->name);
	uint8_t key[CRYPTO_KEY_LEN];
	const struct iface *user;
	int err;

	err = tunnel_key_file_read(t->key_path, "private key", key, msg);
	crypto_wipe(key, sizeof(key));
	if (err)
		return err;
	if (t->mtu && t->mtu < TUNNEL_MTU_MIN)
		return err_set(msg, ERR_RANGE, "tunnel %s: mtu %u, expected %u or more", t->name, t->mtu,
		    TUNNEL_MTU_MIN);
	user = t->listen_port ? iface_by_index(tunnel_by_port(t->listen_port)) : NULL;
	if (user && (!old || user != old->iface))
		return err_set(msg, ERR_BUSY, "tunnel %s: UDP port %u is tunnel %s's", t->name,
		    t->listen_port, user->name);
	return 0;
}

static void update_mtu(struct tunnel *t)
{
	uint16_t mtu = tunnel_path_mtu(t);

	if (atomic_exchange_explicit(&t->iface->mtu, mtu, memory_order_relaxed) == mtu)
		return;
	forward_changed();
	if (t->iface->hostif)
		hostif_set_mtu(t->iface, mtu);
}

void tunnel_mtu_changed(void)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		struct iface *ifc = iface_by_index(i);

		if (ifc && ifc->kind == IFACE_TUNNEL && ifc->tunnel)
			update_mtu(ifc->tunnel);
	}
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p)
			tunnel_path_renew(p);
	}
}

/* A key of zeros stands for none: nobody can speak with a tunnel whose key nobody knows. */
static void make_identity(const uint8_t key[CRYPTO_KEY_LEN], struct wg_noise_identity *out)
{
	uint8_t unknown[CRYPTO_KEY_LEN];

	if (!crypto_is_zero(key, CRYPTO_KEY_LEN)) {
		wg_noise_set_identity(out, key);
		return;
	}
	crypto_fill_random(unknown, sizeof(unknown));
	wg_noise_set_identity(out, unknown);
	crypto_wipe(unknown, sizeof(unknown));
}

/* For workers. Without memory the key of before stays, which nothing passes: there is no handshake then. */
static void publish_mac1_key(struct tunnel *t)
{
	uint8_t *fresh = malloc(CRYPTO_KEY_LEN), *old = (uint8_t *)(uintptr_t)t->mac1_key;

	if (!fresh) {
		log_err("tunnel %s: no memory for its key", t->iface->name);
		return;
	}
	memcpy(fresh, t->cookies.mac1_key, CRYPTO_KEY_LEN);
	rcu_assign_pointer(t->mac1_key, fresh);
	if (old)
		rcu_retire(free, old);
}

/* Another private key: no session and no shared secret holds any more. */
static void change_identity(struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN])
{
	bool keyless = crypto_is_zero(key, CRYPTO_KEY_LEN);
	struct wg_noise_identity fresh;

	make_identity(key, &fresh);
	if ((keyless && t->keyless) || crypto_equal(&fresh, &t->identity, sizeof(fresh)))
		goto out;
	t->keyless = keyless;
	t->identity = fresh;
	wg_cookie_init_checker(&t->cookies, fresh.public_key);
	publish_mac1_key(t);
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p || p->tunnel != t)
			continue;
		tunnel_handshake_drop_keys(p);
		if (wg_noise_set_peer(&p->noise, &t->identity, p->noise.public_key))
			log_err("tunnel %s: peer %s has a key that no handshake can use", t->iface->name,
			    p->name);
		else if (p->timers.initiation_ns)
			tunnel_handshake_want(p);
	}
out:
	crypto_wipe(&fresh, sizeof(fresh));
}

static void move_session(struct tunnel_keypair *kp, uint16_t port)
{
	if (kp)
		atomic_store_explicit(&kp->port, port, memory_order_relaxed);
}

/* Sessions go along to the new port, and peers hear of it at once. */
static void move_sessions(struct tunnel *t)
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p || p->tunnel != t)
			continue;
		move_session(p->current, t->port);
		move_session(p->previous, t->port);
		move_session(p->next, t->port);
		tunnel_peer_greet(p);
	}
}

/* Also takes the UDP port, that of before is free again. Nothing happens when none can be had. */
static void take_port(struct tunnel *t, uint16_t wanted)
{
	uint16_t old = t->port, port = wanted ? wanted : old;
	uint16_t before = tunnel_handover_port(t->iface->name);

	if (!port && before && tunnel_by_port(before) == 0)
		port = before; /* peers of sessions that go on send there */
	if (!port)
		port = find_free_port();
	if (port == 0 || port == old)
		return;
	if (old)
		tunnel_table_set_port(old, 0);
	tunnel_table_set_port(port, t->iface->index);
	atomic_store_explicit(&t->port, port, memory_order_relaxed);
	forward_changed(); /* before peers hear of it */
	move_sessions(t);
}

/* Keys serve all the same; their owner may want to know, once. */
static void warn_unlocked(void)
{
	static bool warned;
	int err = secret_lock_error();

	if (err && !warned)
		log_warn(
		    "keys cannot be locked in memory and may be swapped out: %s; expected root, or a higher "
		    "limit of locked memory",
		    strerror(err));
	warned = warned || err;
}

static int make_tunnel(const char *name, struct tunnel **out)
{
	struct tunnel *t = secret_alloc(sizeof(*t));
	int err = ERR_NOMEM;

	if (!t)
		return err;
	t->allowed4 = lpm4_new(&rcu_lpm_mem);
	t->allowed6 = lpm6_new(&rcu_lpm_mem);
	atomic_init(&t->only_peer, TUNNEL_PEER_NONE);
	if (t->allowed4 && t->allowed6)
		err = iface_add(IFACE_TUNNEL, name, &t->iface);
	if (err) {
		lpm4_free(t->allowed4);
		lpm6_free(t->allowed6);
		secret_free(t);
		return err;
	}
	rcu_assign_pointer(t->iface->tunnel, t);
	warn_unlocked();
	*out = t;
	return 0;
}

int tunnel_set(const struct fibmsg_tunnel *config, struct err_msg *msg)
{
	struct tunnel *t = tunnel_find(config->name);
	uint8_t key[CRYPTO_KEY_LEN];
	bool made = !t;
	int err;

	err = tunnel_check(config, msg);
	if (err)
		return err;
	err = tunnel_key_file_read(config->key_path, "private key", key, msg);
	if (err)
		goto out;
	if (made)
		err = make_tunnel(config->name, &t);
	if (err) {
		err_set(msg, err, "tunnel %s: %s", config->name, err_text(err));
		goto out;
	}
	t->config = *config;
	take_port(t, config->listen_port);
	atomic_store_explicit(&t->mss_clamp, config->mss_clamp != 0, memory_order_relaxed);
	atomic_store_explicit(&t->cut_inner, config->fragment == FIBMSG_FRAGMENT_INNER, memory_order_relaxed);
	change_identity(t, key);
	update_mtu(t);
	forward_changed(); /* its port, what becomes of MSS */
	if (made && with_uapi)
		uapi_open(t);
	tunnel_timer_follow(t); /* its own peers: a thousand tunnels are set in a row */
out:
	crypto_wipe(key, sizeof(key));
	return err;
}

static void free_tunnel(void *ptr)
{
	struct tunnel *t = ptr;

	lpm4_free(t->allowed4);
	lpm6_free(t->allowed6);
	free((uint8_t *)(uintptr_t)t->mac1_key);
	secret_free(t);
}

int tunnel_del(const char *name)
{
	struct tunnel *t = tunnel_find(name);

	if (!t)
		return ERR_NOENT;
	uapi_close(t);
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->tunnel == t)
			tunnel_peer_remove(p);
	}
	tunnel_leave_finish(t);
	tunnel_table_set_port(t->port, 0);
	rcu_assign_pointer(t->iface->tunnel, NULL);
	iface_del(t->iface);
	rcu_retire(free_tunnel, t);
	return 0;
}

void tunnel_stop(void)
{
	tunnel_state_close();
	tunnel_handover_save();
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		struct iface *ifc = iface_by_index(i);

		if (ifc && ifc->kind == IFACE_TUNNEL && ifc->tunnel)
			tunnel_del(ifc->name);
	}
}
