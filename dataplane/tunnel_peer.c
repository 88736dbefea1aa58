/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers of tunnels as control sets them, and their allowed-IPs. Slow thread only; what workers read is
 * published under RCU and freed a grace period after it is gone.
 */
#include "dataplane/tunnel_peer.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_handover.h"
#include "lib/secret.h"

static_assert(_Alignof(struct tunnel_peer) <= SECRET_ALIGN, "secret_alloc aligns it");

struct tunnel_peer *tunnel_peer_by_key(const struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN])
{
	return tunnel_table_find_peer(t, key);
}

struct tunnel_peer *tunnel_peer_find(const char *tunnel, const uint8_t key[32])
{
	struct tunnel *t = tunnel_find(tunnel);

	return t ? tunnel_peer_by_key(t, key) : NULL;
}

uint16_t tunnel_peer_index(const struct tunnel_peer *p)
{
	return p->index;
}

struct iface *tunnel_peer_iface(const struct tunnel_peer *p)
{
	return iface_by_index(p->iface);
}

static void free_peer(void *ptr)
{
	struct tunnel_peer *p = ptr;

	free(p->allowed);
	secret_free(p);
}

static int set_in_table(struct tunnel *t, const struct ip_prefix *a, uint32_t value)
{
	return a->addr.family == IP_V4 ? lpm4_set(t->allowed4, ip_addr_be32(&a->addr), a->len, value)
				       : lpm6_set(t->allowed6, a->addr.b, a->len, value);
}

static int del_from_table(struct tunnel *t, const struct ip_prefix *a)
{
	return a->addr.family == IP_V4 ? lpm4_del(t->allowed4, ip_addr_be32(&a->addr), a->len)
				       : lpm6_del(t->allowed6, a->addr.b, a->len);
}

/* The peer that has exactly this prefix; NULL: none. */
static struct tunnel_peer *find_owner(const struct tunnel *t, const struct ip_prefix *a)
{
	uint32_t value = a->addr.family == IP_V4 ? lpm4_get(t->allowed4, ip_addr_be32(&a->addr), a->len)
						 : lpm6_get(t->allowed6, a->addr.b, a->len);

	return value == LPM_NONE ? NULL : tunnel_peer_by_index((uint16_t)(value - 1));
}

/* A hundred thousand that go in the order they came (or the reverse) cost one step each. */
static void forget_allowed_ip(struct tunnel_peer *p, const struct ip_prefix *a)
{
	size_t at = p->forget_at < p->n_allowed ? p->forget_at : p->n_allowed - 1;

	for (size_t n = p->n_allowed; n > 0; n--, at = at + 1 < p->n_allowed ? at + 1 : 0) {
		if (ip_prefix_equal(&p->allowed[at], a)) {
			p->allowed[at] = p->allowed[--p->n_allowed];
			p->forget_at = at;
			return;
		}
	}
}

static void note_lists(struct tunnel *t)
{
	atomic_store_explicit(&t->by_lists, t->n_peers > 1 && t->n_allowed > 0, memory_order_relaxed);
}

/* The only peer of a tunnel may go without a lookup. */
static void note_only_peer(struct tunnel *t)
{
	uint16_t only = TUNNEL_PEER_NONE;

	for (uint16_t i = 0; i < TUNNEL_PEERS && t->n_peers == 1; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->tunnel == t)
			only = i;
	}
	atomic_store_explicit(&t->only_peer, only, memory_order_relaxed);
	note_lists(t);
}

void tunnel_peer_remove(struct tunnel_peer *p)
{
	struct tunnel *t = p->tunnel;

	tunnel_handshake_drop_keys(p);
	tunnel_queue_drop(p);
	tunnel_path_drop(p);
	tunnel_leave_begin(p);
	tunnel_table_del_peer(p);
	t->n_peers--;
	note_only_peer(t);
	tunnel_state_note(p);
	rcu_retire(free_peer, p);
}

static int read_preshared(const struct fibmsg_peer *config, uint8_t key[CRYPTO_KEY_LEN], struct err_msg *msg)
{
	memset(key, 0, CRYPTO_KEY_LEN);
	return config->psk_path[0] ? tunnel_key_file_read(config->psk_path, "preshared key", key, msg) : 0;
}

int tunnel_peer_check(const struct fibmsg_peer *config, struct err_msg *msg)
{
	uint8_t key[CRYPTO_KEY_LEN], shared[CRYPTO_KEY_LEN];
	static const uint8_t any_private[CRYPTO_KEY_LEN] = {8, [31] = 64};
	int err = read_preshared(config, key, msg);

	if (!err && crypto_agree_shared(shared, any_private, config->key))
		err = err_set(msg, ERR_INVALID, "tunnel %s: peer %s: its public key is a point of low order",
		    config->tunnel, config->name);
	crypto_wipe(key, sizeof(key));
	crypto_wipe(shared, sizeof(shared));
	return err;
}

static int make_peer(struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN], struct tunnel_peer **out)
{
	struct tunnel_peer *p = secret_alloc(sizeof(*p));
	int err;

	if (!p)
		return ERR_NOMEM;
	p->tunnel = t;
	p->iface = t->iface->index;
	wg_cookie_init_maker(&p->cookies, key);
	err = wg_noise_set_peer(&p->noise, &t->identity, key);
	if (!err)
		err = tunnel_table_add_peer(p);
	if (err) {
		free_peer(p);
		return err;
	}
	t->n_peers++;
	*out = p;
	return 0;
}

static void apply_peer(struct tunnel_peer *p, const struct fibmsg_peer *config, bool moved)
{
	memcpy(p->name, config->name, sizeof(p->name));
	atomic_store_explicit(&p->any, config->any != 0, memory_order_relaxed);
	p->configured = config->endpoint;
	p->timers.persistent_ns = config->keepalive_s * NSEC_PER_SEC;
	if (moved && config->endpoint.addr.family != IP_NONE) {
		p->remote = config->endpoint;
		memset(&p->learned, 0, sizeof(p->learned)); /* it is of the time before */
	}
	tunnel_path_refresh(p);
	note_only_peer(p->tunnel);
	tunnel_timer_touch(p);
}

int tunnel_peer_set(const struct fibmsg_peer *config, struct err_msg *msg)
{
	struct tunnel *t = tunnel_find(config->tunnel);
	struct tunnel_peer *p;
	bool made = false, known = false, moved;
	uint8_t preshared[CRYPTO_KEY_LEN];
	int err;

	if (!t)
		return err_set(
		    msg, ERR_NOENT, "peer %s: there is no tunnel %s", config->name, config->tunnel);
	if (memcmp(config->key, t->identity.public_key, sizeof(config->key)) == 0)
		return err_set(msg, ERR_INVALID, "tunnel %s: peer %s has the tunnel's own key",
		    t->iface->name, config->name);
	err = read_preshared(config, preshared, msg);
	if (err)
		goto out;
	p = tunnel_peer_by_key(t, config->key);
	if (!p) {
		err = make_peer(t, config->key, &p);
		if (err) {
			err_set(
			    msg, err, "tunnel %s: peer %s: %s", t->iface->name, config->name, err_text(err));
			goto out;
		}
		made = true;
		known = tunnel_state_restore(p);
	}
	memcpy(p->noise.preshared_key, preshared, sizeof(preshared));
	moved = made ? p->remote.addr.family == IP_NONE
		     : p->configured.port != config->endpoint.port ||
			   !ip_addr_equal(&p->configured.addr, &config->endpoint.addr);
	apply_peer(p, config, moved);
	/* It had a session before the restart: have one again before somebody waits for it. */
	if (made && tunnel_handover_restore(p))
		known = false; /* it has it still */
	if (known && p->remote.addr.family != IP_NONE)
		tunnel_handshake_want(p);
out:
	crypto_wipe(preshared, sizeof(preshared));
	return err;
}

void tunnel_peer_greet(struct tunnel_peer *p)
{
	if (p->current)
		tunnel_queue_send_keepalive(p);
}

void tunnel_peer_use_configured(struct tunnel_peer *p)
{
	if (p->configured.addr.family == IP_NONE)
		return;
	p->remote = p->configured;
	memset(&p->learned, 0, sizeof(p->learned)); /* it is of the time before */
	tunnel_path_refresh(p);
	tunnel_state_note(p);
}

int tunnel_peer_del(const char *tunnel, const uint8_t key[32])
{
	struct tunnel_peer *p = tunnel_peer_find(tunnel, key);

	if (!p)
		return ERR_NOENT;
	tunnel_peer_remove(p);
	return 0;
}

/* Room for one more; doubles. */
static int grow_allowed(struct tunnel_peer *p)
{
	size_t room = p->allowed_room ? p->allowed_room * 2 : 8;
	struct ip_prefix *more;

	if (p->n_allowed < p->allowed_room)
		return 0;
	more = realloc(p->allowed, room * sizeof(*more));
	if (!more)
		return ERR_NOMEM;
	p->allowed = more;
	p->allowed_room = room;
	return 0;
}

int tunnel_allowed_ip_set(const struct fibmsg_allowed_ip *a, struct err_msg *msg)
{
	struct tunnel_peer *p = tunnel_peer_find(a->tunnel, a->key), *owner;
	int err;

	if (!p)
		return err_set(msg, ERR_NOENT, "allowed-ip: tunnel %s has no such peer", a->tunnel);
	owner = find_owner(p->tunnel, &a->prefix);
	if (owner == p)
		return 0;
	err = grow_allowed(p);
	if (!err)
		err = set_in_table(p->tunnel, &a->prefix, p->index + 1u);
	if (err)
		return err_set(msg, err, "allowed-ip of tunnel %s: %s", a->tunnel, err_text(err));
	if (owner)
		forget_allowed_ip(owner, &a->prefix);
	else
		p->tunnel->n_allowed++;
	p->allowed[p->n_allowed++] = a->prefix;
	note_lists(p->tunnel);
	return 0;
}

int tunnel_allowed_ip_del(const struct fibmsg_allowed_ip *a)
{
	struct tunnel_peer *p = tunnel_peer_find(a->tunnel, a->key);

	if (!p)
		return ERR_NOENT;
	if (find_owner(p->tunnel, &a->prefix) != p)
		return 0; /* it has moved to another peer since */
	forget_allowed_ip(p, &a->prefix);
	p->tunnel->n_allowed--;
	note_lists(p->tunnel);
	return del_from_table(p->tunnel, &a->prefix);
}
