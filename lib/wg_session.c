/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *   head:   "bywayss" (7) | version (1)
 *   peer:   tunnel (16) | own key (32) | peer key (32) | port (2) | 8 times and counters (8 each) | keys × 3
 *   keys:   flags (1: present 1, initiator 2, confirmed 4), and if present
 *           sending (32) | receiving (32) | local, remote index (4 each) | birth, counter (8 each) | window
 *   window: next (8) | words (8 × 128)
 */
#include "lib/wg_session.h"

#include <string.h>

#include "lib/err.h"

#define REPLAY_WORDS (WG_REPLAY_BITS / WG_REPLAY_WORD_BITS)

enum { FLAG_PRESENT = 1, FLAG_INITIATOR = 2, FLAG_CONFIRMED = 4, FLAGS_ALL = 7 };

static const char magic[] = "bywayss";

static_assert(sizeof(magic) == WG_SESSION_HEAD_LEN, "magic and version");
static_assert(WG_SESSION_ROOM >= 16 + 2 * 32 + 2 + 8 * 8 + 3 * (1 + 64 + 8 + 16 + 8 + 8 * REPLAY_WORDS),
    "room for a peer");

void wg_session_write_head(struct buf_writer *w)
{
	buf_write_bytes(w, magic, sizeof(magic) - 1);
	buf_write_u8(w, WG_SESSION_VERSION);
}

int wg_session_read_head(struct buf_reader *r)
{
	char got[sizeof(magic) - 1];
	uint8_t version;

	buf_read_bytes(r, got, sizeof(got));
	version = buf_read_u8(r);
	if (r->err)
		return r->err;
	return memcmp(got, magic, sizeof(got)) == 0 && version == WG_SESSION_VERSION ? 0 : ERR_UNSUPPORTED;
}

static void write_keys(struct buf_writer *w, const struct wg_session_keys *k)
{
	buf_write_u8(
	    w, (uint8_t)((k->present ? FLAG_PRESENT : 0) | (k->present && k->initiator ? FLAG_INITIATOR : 0) |
			 (k->present && k->confirmed ? FLAG_CONFIRMED : 0)));
	if (!k->present)
		return;
	buf_write_bytes(w, k->sending, sizeof(k->sending));
	buf_write_bytes(w, k->receiving, sizeof(k->receiving));
	buf_write_be32(w, k->local_index);
	buf_write_be32(w, k->remote_index);
	buf_write_be64(w, k->birth_ns);
	buf_write_be64(w, k->send_counter);
	buf_write_be64(w, k->replay.next);
	for (unsigned i = 0; i < REPLAY_WORDS; i++)
		buf_write_be64(w, k->replay.words[i]);
}

void wg_session_write(struct buf_writer *w, const struct wg_session *s)
{
	const uint64_t numbers[] = {s->handshake_ns, s->handshake_realtime_ns, s->rx_bytes, s->tx_bytes,
	    s->last_rx_ns, s->last_tx_ns, s->unanswered_rx_ns, s->unanswered_tx_ns};

	buf_write_bytes(w, s->tunnel, sizeof(s->tunnel));
	buf_write_bytes(w, s->own_key, sizeof(s->own_key));
	buf_write_bytes(w, s->peer_key, sizeof(s->peer_key));
	buf_write_be16(w, s->port);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		buf_write_be64(w, numbers[i]);
	for (unsigned i = 0; i < WG_SESSION_ROLES; i++)
		write_keys(w, &s->keys[i]);
}

/* False: flags that nobody sets, an index or a counter that cannot be. */
static bool read_keys(struct buf_reader *r, struct wg_session_keys *k)
{
	uint8_t flags = buf_read_u8(r);

	if (flags & ~FLAGS_ALL || (flags && !(flags & FLAG_PRESENT)))
		return false;
	if (!flags)
		return true;
	k->present = true;
	k->initiator = flags & FLAG_INITIATOR;
	k->confirmed = flags & FLAG_CONFIRMED;
	buf_read_bytes(r, k->sending, sizeof(k->sending));
	buf_read_bytes(r, k->receiving, sizeof(k->receiving));
	k->local_index = buf_read_be32(r);
	k->remote_index = buf_read_be32(r);
	k->birth_ns = buf_read_be64(r);
	k->send_counter = buf_read_be64(r);
	k->replay.next = buf_read_be64(r);
	for (unsigned i = 0; i < REPLAY_WORDS; i++)
		k->replay.words[i] = buf_read_be64(r);
	return r->err || (k->local_index != 0 && k->replay.next <= WG_REJECT_AFTER_MESSAGES);
}

static void read_numbers(struct buf_reader *r, struct wg_session *s)
{
	uint64_t *const numbers[] = {&s->handshake_ns, &s->handshake_realtime_ns, &s->rx_bytes, &s->tx_bytes,
	    &s->last_rx_ns, &s->last_tx_ns, &s->unanswered_rx_ns, &s->unanswered_tx_ns};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = buf_read_be64(r);
}

int wg_session_read(struct buf_reader *r, struct wg_session *out)
{
	bool good = true;

	memset(out, 0, sizeof(*out));
	buf_read_bytes(r, out->tunnel, sizeof(out->tunnel));
	buf_read_bytes(r, out->own_key, sizeof(out->own_key));
	buf_read_bytes(r, out->peer_key, sizeof(out->peer_key));
	out->port = buf_read_be16(r);
	read_numbers(r, out);
	for (unsigned i = 0; i < WG_SESSION_ROLES && good; i++)
		good = read_keys(r, &out->keys[i]);
	if (!r->err && good && memchr(out->tunnel, '\0', sizeof(out->tunnel)) && out->tunnel[0])
		return 0;
	crypto_wipe(out, sizeof(*out));
	return r->err ? r->err : ERR_INVALID;
}
