/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handshakes: messages 1-3 in and out, and the three keypairs of a peer (paper §5, and as Linux keeps
 * them). Off the packet path, so that a rekey costs traffic nothing: old keys go on receiving, and
 * sending moves over only when the peer has shown that it has the new ones. Slow thread only.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"
#include "lib/ip_wire.h"
#include "lib/log.h"
#include "lib/wg_limit.h"

#define INITIATION_GAP_NS (NSEC_PER_SEC / 50) /* accepted initiations of one peer come no faster */
#define NONCES		  10u		      /* of 24 bytes: what the kernel gives at once */
#define PATH_RETRY_NS	  (100 * NSEC_PER_MSEC)

struct message {
	struct rte_mbuf *pkt;
	const uint8_t *payload;
	uint32_t len;
	struct tunnel_source from;
	struct tunnel *tunnel;
};

static struct wg_cookie_load load;
static struct wg_limit limit;

void tunnel_handshake_start(void)
{
	uint8_t random[CRYPTO_KEY_LEN];

	memset(&load, 0, sizeof(load));
	crypto_fill_random(random, sizeof(random));
	wg_limit_init(&limit, random);
}

bool tunnel_handshake_loaded(uint64_t now_ns)
{
	return wg_cookie_is_loaded(&load, now_ns);
}

static void note_traffic(struct tunnel_peer *p, uint32_t rx_bytes, uint32_t tx_bytes)
{
	uint64_t now = tunnel_now_ns();

	if (rx_bytes) {
		atomic_store_explicit(&p->marks.last_rx_ns, now, memory_order_relaxed);
		atomic_store_explicit(&p->marks.unanswered_tx_ns, 0, memory_order_relaxed);
		atomic_fetch_add_explicit(&p->rx_bytes, rx_bytes, memory_order_relaxed);
	}
	if (tx_bytes) {
		atomic_store_explicit(&p->marks.last_tx_ns, now, memory_order_relaxed);
		atomic_store_explicit(&p->marks.unanswered_rx_ns, 0, memory_order_relaxed);
		atomic_fetch_add_explicit(&p->tx_bytes, tx_bytes, memory_order_relaxed);
	}
}

/* One of messages 1-3 to where path says. False: no buffer. */
static bool send_message(
    const struct tunnel *t, const void *bytes, uint16_t len, const struct tunnel_path *path, uint8_t tos)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(worker_pool);
	char *data;

	if (!pkt)
		return false;
	memset(pkt_meta(pkt), 0, sizeof(struct pkt_meta));
	data = rte_pktmbuf_append(pkt, len);
	memcpy(data, bytes, len);
	if (!tunnel_outer_prepend(pkt, path, t->port, tos)) {
		rte_pktmbuf_free(pkt);
		return false;
	}
	pkt_meta(pkt)->op = PKT_OUTER;
	worker_inject(worker_for(t->port), &pkt, 1);
	return true;
}

/* Back to where a message came from, whoever sent it. */
static bool send_answer(const struct message *msg, const void *bytes, uint16_t len)
{
	const struct iface *in = iface_by_index(msg->from.line);
	struct tunnel_path path = {
	    .remote = msg->from.remote, .local = msg->from.local, .line = msg->from.line};

	if (!in)
		return false;
	path.table = in->table;
	return send_message(msg->tunnel, bytes, len, &path, TUNNEL_DSCP_HANDSHAKE);
}

bool tunnel_handshake_can_seal(const struct tunnel_peer *p)
{
	const struct tunnel_keypair *kp = p->current;

	return kp && wg_timers_key_seals(kp->birth_ns,
			 atomic_load_explicit(&kp->send_counter, memory_order_relaxed), tunnel_now_ns());
}

bool tunnel_handshake_has_session(const struct tunnel_peer *p, uint32_t receiver)
{
	const struct tunnel_keypair *const all[] = {p->current, p->previous, p->next};

	for (unsigned i = 0; i < 3; i++)
		if (all[i] && all[i]->local_index == receiver)
			return true;
	return false;
}

static void finish_handshake(struct tunnel_peer *p)
{
	p->handshake_ns = tunnel_now_ns();
	p->handshake_realtime_ns = nsec_realtime();
	p->attempts = 0;
	wg_timers_note_session(&p->timers);
	tunnel_timer_touch(p);
}

/* As initiator: the peer has the keys already, sending moves over at once. */
static void use_as_initiator(struct tunnel_peer *p, struct tunnel_keypair *kp)
{
	struct tunnel_keypair *current = p->current;

	rcu_assign_pointer(p->current, kp);
	if (p->next) {
		/* It may have been confirmed on the way to us: it goes on receiving. */
		tunnel_keypair_retire(p->previous);
		tunnel_keypair_retire(current);
		p->previous = p->next;
		p->next = NULL;
	} else {
		tunnel_keypair_retire(p->previous);
		p->previous = current;
	}
}

void tunnel_handshake_confirm(struct tunnel_peer *p, uint32_t receiver)
{
	struct tunnel_keypair *kp = p->next;

	if (!kp || kp->local_index != receiver)
		return;
	tunnel_keypair_retire(p->previous);
	p->previous = p->current;
	p->next = NULL;
	atomic_store_explicit(&kp->confirmed, true, memory_order_release);
	rcu_assign_pointer(p->current, kp);
	finish_handshake(p);
	tunnel_queue_flush(p);
}

void tunnel_handshake_drop_keys(struct tunnel_peer *p)
{
	struct tunnel_keypair *current = p->current;

	rcu_assign_pointer(p->current, NULL);
	tunnel_keypair_retire(current);
	tunnel_keypair_retire(p->previous);
	tunnel_keypair_retire(p->next);
	p->previous = p->next = NULL;
	tunnel_table_release(p->handshake.local_index);
	crypto_wipe(&p->handshake, sizeof(p->handshake));
}

void tunnel_handshake_want(struct tunnel_peer *p)
{
	uint64_t patience_ns = p->next ? p->next->birth_ns + WG_REKEY_TIMEOUT_NS : 0;

	/* The peer has just made keys with us and will use them in a moment: no second handshake across that
	 * one. */
	if (patience_ns > tunnel_now_ns()) {
		p->timers.demand_ns = tunnel_now_ns();
		p->timers.retry_ns = patience_ns;
		tunnel_timer_touch(p);
		return;
	}
	if (wg_timers_want_handshake(&p->timers, tunnel_now_ns())) {
		tunnel_handshake_initiate(p);
	} else if (p->n_queue && !p->timers.retry_ns) {
		/* Too soon (§6.1): what waits must not depend on somebody asking once more. */
		p->timers.retry_ns = p->timers.initiation_ns + WG_REKEY_TIMEOUT_NS;
		tunnel_timer_touch(p);
	}
}

/* Nowhere to send to yet (a line, an address or its route is still to come): soon again, then ever slower. */
static void retry_without_path(struct tunnel_peer *p)
{
	uint64_t wait_ns = PATH_RETRY_NS << (p->attempts < 6 ? p->attempts : 6);

	p->attempts++;
	p->without_path = true;
	p->timers.retry_ns =
	    tunnel_now_ns() + (wait_ns < WG_REKEY_TIMEOUT_NS ? wait_ns : WG_REKEY_TIMEOUT_NS);
	tunnel_timer_touch(p);
}

/*
 * What was learned may be stale: every second try goes where the configuration says. Not while the peer is
 * heard from there under keys that serve: its data would go astray with the initiation.
 */
static void choose_remote(struct tunnel_peer *p)
{
	uint64_t heard_ns = atomic_load_explicit(&p->marks.last_rx_ns, memory_order_relaxed);
	bool heard = tunnel_handshake_can_seal(p) && heard_ns &&
		     tunnel_now_ns() - heard_ns < WG_KEEPALIVE_NS + WG_REKEY_TIMEOUT_NS;

	if (p->configured.addr.family == IP_NONE)
		return;
	p->remote =
	    p->learned.addr.family == IP_NONE || (p->attempts % 2 && !heard) ? p->configured : p->learned;
}

void tunnel_handshake_initiate(struct tunnel_peer *p)
{
	uint8_t ephemeral[CRYPTO_KEY_LEN];
	struct wg_wire_initiation msg;
	uint32_t receiver, random;

	choose_remote(p);
	if (!tunnel_path_refresh(p)) {
		retry_without_path(p);
		return;
	}
	p->attempts++;
	p->without_path = false;
	crypto_fill_random(&random, sizeof(random));
	wg_timers_note_initiation(&p->timers, tunnel_now_ns(), random);
	tunnel_timer_touch(p);
	tunnel_table_release(p->handshake.local_index);
	crypto_wipe(&p->handshake, sizeof(p->handshake));
	receiver = tunnel_table_reserve(p);
	if (receiver == 0)
		return;
	tunnel_state_reserve_timestamp(p, nsec_realtime());
	crypto_fill_random(ephemeral, sizeof(ephemeral));
	if (wg_noise_create_initiation(
		&p->handshake, &p->tunnel->identity, &p->noise, ephemeral, receiver, nsec_realtime(), &msg)) {
		tunnel_table_release(receiver);
	} else {
		wg_cookie_stamp_macs(&p->cookies, &msg, sizeof(msg), tunnel_now_ns());
		if (send_message(p->tunnel, &msg, sizeof(msg), p->path, TUNNEL_DSCP_HANDSHAKE))
			note_traffic(p, 0, sizeof(msg));
	}
	crypto_wipe(ephemeral, sizeof(ephemeral));
}

/* Of whom an initiation is, while it is being opened. */
struct sender {
	const struct tunnel *tunnel;
	bool flood; /* the last one accepted came a moment ago */
};

/* As in Linux, 50 a second of one peer. Judged before its timestamp counts: what is dropped moves nothing. */
static struct wg_noise_peer *find_sender(void *arg, const uint8_t public_key[CRYPTO_KEY_LEN])
{
	struct sender *s = arg;
	struct tunnel_peer *p = tunnel_peer_by_key(s->tunnel, public_key);

	s->flood = p && p->initiation_in_ns && tunnel_now_ns() - p->initiation_in_ns < INITIATION_GAP_NS;
	return p && !s->flood ? &p->noise : NULL;
}

/* Message 2 to the sender, and the keys that it will confirm by using them. 0 or ERR_. */
static int answer_initiation(const struct message *msg, struct tunnel_peer *p, struct wg_noise_handshake *hs)
{
	uint8_t ephemeral[CRYPTO_KEY_LEN];
	struct wg_wire_response response;
	uint32_t receiver = tunnel_table_reserve(p);
	struct tunnel_keypair *kp;
	struct wg_noise_keys keys;
	int err = ERR_FULL;

	crypto_fill_random(ephemeral, sizeof(ephemeral));
	if (receiver == 0)
		goto out;
	err = wg_noise_create_response(hs, &p->noise, ephemeral, receiver, &response);
	if (!err)
		err = wg_noise_derive_keys(hs, &keys);
	if (err) {
		tunnel_table_release(receiver);
		goto out;
	}
	p->heard_by = pkt_meta(msg->pkt)->arg;
	kp = tunnel_keypair_publish(p, &keys, tunnel_now_ns());
	if (!kp) {
		err = ERR_NOMEM;
		goto out;
	}
	tunnel_keypair_retire(p->next);
	tunnel_keypair_retire(p->previous);
	p->previous = NULL;
	p->next = kp;
	wg_cookie_stamp_macs(&p->cookies, &response, sizeof(response), tunnel_now_ns());
	if (send_answer(msg, &response, sizeof(response)))
		note_traffic(p, 0, sizeof(response));
out:
	crypto_wipe(ephemeral, sizeof(ephemeral));
	return err;
}

static enum drop_reason handle_initiation(const struct message *msg)
{
	const struct wg_wire_initiation *in = (const struct wg_wire_initiation *)(const void *)msg->payload;
	struct sender sender = {.tunnel = msg->tunnel};
	uint64_t now = tunnel_now_ns();
	struct wg_noise_handshake hs;
	struct wg_noise_peer *noise;
	struct tunnel_peer *p;
	int err;

	if (wg_noise_consume_initiation(&hs, &msg->tunnel->identity, find_sender, &sender, in, &noise))
		return sender.flood ? DROP_HANDSHAKE_FLOOD : DROP_HANDSHAKE_INVALID;
	p = caa_container_of(noise, struct tunnel_peer, noise);
	p->initiation_in_ns = now;
	note_traffic(p, msg->len, 0);
	tunnel_path_learn(p, &msg->from);
	tunnel_state_note(p);
	err = answer_initiation(msg, p, &hs);
	crypto_wipe(&hs, sizeof(hs));
	if (err)
		return DROP_HANDSHAKE_INVALID;
	wg_timers_note_keys(&p->timers, now);
	tunnel_timer_touch(p);
	return DROP_REASONS;
}

static enum drop_reason handle_response(const struct message *msg)
{
	const struct wg_wire_response *in = (const struct wg_wire_response *)(const void *)msg->payload;
	struct tunnel_peer *p = tunnel_table_reserved_by(wg_wire_get_le32(in->receiver));
	struct tunnel_keypair *kp;
	struct wg_noise_keys keys;

	if (!p || p->tunnel != msg->tunnel || p->handshake.local_index != wg_wire_get_le32(in->receiver))
		return DROP_HANDSHAKE_INVALID;
	if (wg_noise_consume_response(&p->handshake, &p->tunnel->identity, &p->noise, in) ||
	    wg_noise_derive_keys(&p->handshake, &keys))
		return DROP_HANDSHAKE_INVALID;
	p->heard_by = pkt_meta(msg->pkt)->arg;
	kp = tunnel_keypair_publish(p, &keys, tunnel_now_ns());
	if (!kp)
		return DROP_HANDSHAKE_INVALID;
	note_traffic(p, msg->len, 0);
	tunnel_path_learn(p, &msg->from);
	use_as_initiator(p, kp);
	wg_timers_note_keys(&p->timers, tunnel_now_ns());
	finish_handshake(p);
	/* §5: the responder may not send before it has heard us under the new keys. */
	if (p->n_queue)
		tunnel_queue_flush(p);
	else
		tunnel_queue_send_keepalive(p);
	return DROP_REASONS;
}

static enum drop_reason handle_cookie_reply(const struct message *msg)
{
	const struct wg_wire_cookie_reply *in =
	    (const struct wg_wire_cookie_reply *)(const void *)msg->payload;
	uint32_t receiver = wg_wire_get_le32(in->receiver);
	struct tunnel_peer *p = tunnel_table_reserved_by(receiver);
	struct tunnel_keypair *kp = tunnel_keypair_by_receiver(receiver);

	if (!p && kp)
		p = tunnel_peer_by_index(kp->peer); /* to a response of ours */
	if (!p || p->tunnel != msg->tunnel || wg_cookie_consume_reply(&p->cookies, in, tunnel_now_ns()))
		return DROP_HANDSHAKE_INVALID;
	return DROP_REASONS;
}

/* A nonce that none had before. Two calls of the kernel for each forged message would be what floods cost
 * most, so many are drawn at once. */
static const uint8_t *draw_nonce(void)
{
	static uint8_t nonces[NONCES][WG_WIRE_NONCE_LEN];
	static unsigned left;

	if (left == 0) {
		crypto_fill_random(nonces, sizeof(nonces));
		left = NONCES;
	}
	return nonces[--left];
}

/* To who has to show that it hears us there (§5.4.7). */
static void answer_cookie(const struct message *msg)
{
	struct wg_cookie_checker *c = &msg->tunnel->cookies;
	struct wg_wire_cookie_reply reply;
	uint8_t random[CRYPTO_KEY_LEN];

	if (wg_cookie_needs_secret(c, tunnel_now_ns())) {
		crypto_fill_random(random, sizeof(random));
		wg_cookie_refresh_secret(c, random, tunnel_now_ns());
		crypto_wipe(random, sizeof(random));
	}
	if (!wg_cookie_create_reply(c, msg->payload, msg->len, &msg->from.remote, draw_nonce(), &reply))
		send_answer(msg, &reply, sizeof(reply));
}

/* mac1, and under load mac2 and the rate of the source that it proves (§5.3). DROP_REASONS: go on. */
static enum drop_reason check_macs(const struct message *msg)
{
	struct wg_cookie_checker *c = &msg->tunnel->cookies;
	bool loaded = wg_cookie_note_message(&load, tunnel_now_ns());
	enum wg_cookie_verdict verdict;

	verdict = wg_cookie_check_macs(c, msg->payload, msg->len, &msg->from.remote, tunnel_now_ns());
	if (verdict == WG_COOKIE_BAD_MAC1)
		return DROP_HANDSHAKE_MAC1;
	if (!loaded)
		return DROP_REASONS;
	if (verdict == WG_COOKIE_GOOD_MAC2)
		return wg_limit_allow(&limit, &msg->from.remote.addr, tunnel_now_ns()) ? DROP_REASONS
										       : DROP_HANDSHAKE_FLOOD;
	answer_cookie(msg);
	return DROP_HANDSHAKE_FLOOD;
}

static enum drop_reason handle_message(const struct message *msg)
{
	enum wg_wire_kind kind = wg_wire_type(msg->payload, msg->len);
	enum drop_reason reason = DROP_REASONS;

	if (kind == WG_WIRE_INITIATION || kind == WG_WIRE_RESPONSE)
		reason = check_macs(msg);
	if (reason != DROP_REASONS)
		return reason;
	switch (kind) {
	case WG_WIRE_INITIATION:
		return handle_initiation(msg);
	case WG_WIRE_RESPONSE:
		return handle_response(msg);
	case WG_WIRE_COOKIE_REPLY:
		return handle_cookie_reply(msg);
	case WG_WIRE_DATA:
	case WG_WIRE_INVALID:
		break;
	}
	return DROP_TUNNEL_MESSAGE;
}

void tunnel_handshake_input(struct rte_mbuf *pkt)
{
	struct message msg = {.pkt = pkt};
	enum drop_reason reason = DROP_TUNNEL_MESSAGE;
	struct iface *ifc;

	msg.payload = tunnel_outer_payload(pkt, &msg.len);
	if (msg.payload) {
		tunnel_outer_source(
		    rte_pktmbuf_mtod(pkt, const uint8_t *), msg.payload, pkt_meta(pkt)->in, &msg.from);
		ifc = iface_by_index(tunnel_by_port(msg.from.port));
		msg.tunnel = ifc ? ifc->tunnel : NULL;
		if (msg.tunnel)
			reason = handle_message(&msg);
	}
	if (reason == DROP_REASONS)
		rte_pktmbuf_free(pkt);
	else
		slow_drop(pkt, reason);
}
