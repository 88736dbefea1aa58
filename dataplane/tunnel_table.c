/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables by which a message finds its session and a queued packet its peer. The slow thread
 * writes (rcu_assign_pointer), workers read inside their RCU section.
 *
 * A receiver index is random but for its low bits, which are its slot: a stranger cannot guess the
 * sessions there are, and a lookup is one load and one comparison.
 */
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/tunnel_peer.h"
#include "dataplane/worker.h"
#include "lib/err.h"
#include "lib/secret.h"

static_assert(_Alignof(struct tunnel_keypair) <= SECRET_ALIGN, "secret_alloc aligns it");
static_assert((TUNNEL_INDICES & (TUNNEL_INDICES - 1)) == 0, "slots are masked");

struct slot {
	struct tunnel_keypair *keypair; /* RCU */
	/* Slow thread only: */
	struct tunnel_peer *reserved_by; /* NULL: free, if there is no keypair either */
	uint32_t receiver;
};

#define BUCKETS 4096u

static struct tunnel_peer *peers[TUNNEL_PEERS]; /* RCU */
static struct tunnel_peer *buckets[BUCKETS];	/* by tunnel and public key; slow thread only */
static struct slot slots[TUNNEL_INDICES];
static _Atomic uint16_t
    ports[UINT16_MAX + 1]; /* UDP port -> interface; slow thread stores, workers load; relaxed */

uint16_t tunnel_by_port(uint16_t udp_port)
{
	return atomic_load_explicit(&ports[udp_port], memory_order_relaxed);
}

void tunnel_table_set_port(uint16_t udp_port, uint16_t iface)
{
	atomic_store_explicit(&ports[udp_port], iface, memory_order_relaxed);
}

struct tunnel_peer *tunnel_peer_by_index(uint16_t index)
{
	return index < TUNNEL_PEERS ? rcu_dereference(peers[index]) : NULL;
}

/* Public keys are as good as random, and the owner chose whose are here. */
static struct tunnel_peer **bucket_of(const struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN])
{
	uint32_t h;

	memcpy(&h, key, sizeof(h));
	return &buckets[(h + t->iface->index) % BUCKETS];
}

struct tunnel_peer *tunnel_table_find_peer(const struct tunnel *t, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct tunnel_peer *p = *bucket_of(t, key);

	while (p && (p->tunnel != t || memcmp(p->noise.public_key, key, CRYPTO_KEY_LEN) != 0))
		p = p->hash_next;
	return p;
}

/* An index comes round as late as can be: packets that wait on rings for a peer that is gone name it. */
int tunnel_table_add_peer(struct tunnel_peer *p)
{
	struct tunnel_peer **bucket = bucket_of(p->tunnel, p->noise.public_key);
	static uint16_t next;

	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		uint16_t index = (uint16_t)((next + i) % TUNNEL_PEERS);

		if (peers[index] || tunnel_leave_holds(index))
			continue;
		next = (uint16_t)((index + 1) % TUNNEL_PEERS);
		p->index = index;
		p->hash_next = *bucket;
		*bucket = p;
		rcu_assign_pointer(peers[index], p);
		return 0;
	}
	return ERR_FULL;
}

void tunnel_table_del_peer(struct tunnel_peer *p)
{
	struct tunnel_peer **at = bucket_of(p->tunnel, p->noise.public_key);

	while (*at != p)
		at = &(*at)->hash_next;
	*at = p->hash_next;
	rcu_assign_pointer(peers[p->index], NULL);
}

struct tunnel_keypair *tunnel_keypair_by_receiver(uint32_t receiver)
{
	struct tunnel_keypair *kp = rcu_dereference(slots[receiver % TUNNEL_INDICES].keypair);

	return kp && kp->local_index == receiver ? kp : NULL;
}

void tunnel_table_fetch_slot(uint32_t receiver)
{
	rte_prefetch0(&slots[receiver % TUNNEL_INDICES]);
}

void tunnel_table_fetch_keypair(uint32_t receiver)
{
	const struct tunnel_keypair *kp = rcu_dereference(slots[receiver % TUNNEL_INDICES].keypair);

	if (!kp)
		return;
	rte_prefetch0(&kp->replay.next);
	rte_prefetch0(&kp->receiving);
	rte_prefetch0(&kp->birth_ns);
}

uint32_t tunnel_table_reserve(struct tunnel_peer *p)
{
	uint32_t random;

	crypto_fill_random(&random, sizeof(random));
	for (uint32_t i = 0; i < TUNNEL_INDICES; i++) {
		/* The slot moves on, the bits above it stay random. */
		uint32_t receiver =
		    (random & ~(uint32_t)(TUNNEL_INDICES - 1)) | ((random + i) & (TUNNEL_INDICES - 1));
		struct slot *s = &slots[receiver % TUNNEL_INDICES];

		if (receiver == 0 || s->keypair || s->reserved_by)
			continue;
		s->reserved_by = p;
		s->receiver = receiver;
		return receiver;
	}
	return 0;
}

void tunnel_table_release(uint32_t receiver)
{
	struct slot *s = &slots[receiver % TUNNEL_INDICES];

	if (receiver && s->receiver == receiver)
		s->reserved_by = NULL;
}

struct tunnel_peer *tunnel_table_reserved_by(uint32_t receiver)
{
	const struct slot *s = &slots[receiver % TUNNEL_INDICES];

	return s->receiver == receiver ? s->reserved_by : NULL;
}

bool tunnel_table_reserve_exactly(struct tunnel_peer *p, uint32_t receiver)
{
	struct slot *s = &slots[receiver % TUNNEL_INDICES];

	if (receiver == 0 || s->keypair || s->reserved_by)
		return false;
	s->reserved_by = p;
	s->receiver = receiver;
	return true;
}

struct tunnel_keypair *tunnel_keypair_make(
    struct tunnel_peer *p, struct wg_noise_keys *keys, uint64_t birth_ns)
{
	struct tunnel_keypair *kp = secret_alloc(sizeof(*kp));

	tunnel_table_release(keys->local_index);
	if (kp) {
		memcpy(kp->sending, keys->sending, sizeof(kp->sending));
		memcpy(kp->receiving, keys->receiving, sizeof(kp->receiving));
		kp->local_index = keys->local_index;
		kp->remote_index = keys->remote_index;
		kp->initiator = keys->initiator;
		kp->birth_ns = birth_ns;
		kp->peer = p->index;
		atomic_init(&kp->port, p->tunnel->port);
		/* Its data will come as the handshake did, mostly: by that worker's queue. */
		kp->owner = p->heard_by && p->heard_by <= worker_count ? p->heard_by - 1u
								       : worker_for(keys->local_index)->id;
		atomic_init(&kp->confirmed, keys->initiator);
	}
	crypto_wipe(keys, sizeof(*keys));
	return kp;
}

void tunnel_keypair_show(struct tunnel_keypair *kp)
{
	rcu_assign_pointer(slots[kp->local_index % TUNNEL_INDICES].keypair, kp);
}

struct tunnel_keypair *tunnel_keypair_publish(
    struct tunnel_peer *p, struct wg_noise_keys *keys, uint64_t now_ns)
{
	struct tunnel_keypair *kp = tunnel_keypair_make(p, keys, now_ns);

	if (kp)
		tunnel_keypair_show(kp);
	return kp;
}

void tunnel_keypair_hide(struct tunnel_keypair *kp)
{
	if (kp)
		rcu_assign_pointer(slots[kp->local_index % TUNNEL_INDICES].keypair, NULL);
}

void tunnel_keypair_retire(struct tunnel_keypair *kp)
{
	if (!kp)
		return;
	tunnel_keypair_hide(kp);
	rcu_retire(secret_free, kp);
}
