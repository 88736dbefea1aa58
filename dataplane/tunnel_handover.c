/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A planned restart: the process that ends writes its living sessions into sealed memory, and the program
 * that takes its place (main.c executes it) goes on with them, so that no peer notices. Keys are in that
 * memory alone, never on disk. Slow thread, with no worker at the sessions.
 *
 * Endpoints, lines and timestamps come by the file that survives any restart (tunnel_state.c).
 */
#include "dataplane/tunnel_handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/tunnel_peer.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/wg_session.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define COUNTER_JUMP                                                                                         \
	1024u /* well within a peer's window of 8,128, and past anything that might have been sent */

/* Where in what was handed on a peer's sessions begin. */
struct entry {
	char tunnel[WG_RECORD_NAME];
	uint8_t peer_key[CRYPTO_KEY_LEN];
	uint16_t port;
	size_t offset, len;
};

static bool handing_on;
static int saved_fd = -1;
static uint8_t *handed; /* mapped, read only */
static size_t handed_len;
static struct entry *entries;
static size_t n_entries;

void tunnel_handover_begin(void)
{
	handing_on = true;
}

static void note_keys(struct wg_session_keys *out, const struct tunnel_keypair *kp)
{
	if (!kp)
		return;
	out->present = true;
	out->initiator = kp->initiator;
	out->confirmed = atomic_load_explicit(&kp->confirmed, memory_order_relaxed);
	memcpy(out->sending, kp->sending, sizeof(out->sending));
	memcpy(out->receiving, kp->receiving, sizeof(out->receiving));
	out->local_index = kp->local_index;
	out->remote_index = kp->remote_index;
	out->birth_ns = kp->birth_ns;
	out->send_counter = atomic_load_explicit(&kp->send_counter, memory_order_relaxed);
	out->replay = kp->replay;
}

static void note_peer(struct wg_session *s, const struct tunnel_peer *p)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->tunnel, p->tunnel->config.name, sizeof(s->tunnel));
	memcpy(s->own_key, p->tunnel->identity.public_key, sizeof(s->own_key));
	memcpy(s->peer_key, p->noise.public_key, sizeof(s->peer_key));
	s->port = p->tunnel->port;
	s->handshake_ns = p->handshake_ns;
	s->handshake_realtime_ns = p->handshake_realtime_ns;
	s->rx_bytes = atomic_load_explicit(&p->rx_bytes, memory_order_relaxed);
	s->tx_bytes = atomic_load_explicit(&p->tx_bytes, memory_order_relaxed);
	s->last_rx_ns = atomic_load_explicit(&p->marks.last_rx_ns, memory_order_relaxed);
	s->last_tx_ns = atomic_load_explicit(&p->marks.last_tx_ns, memory_order_relaxed);
	s->unanswered_rx_ns = atomic_load_explicit(&p->marks.unanswered_rx_ns, memory_order_relaxed);
	s->unanswered_tx_ns = atomic_load_explicit(&p->marks.unanswered_tx_ns, memory_order_relaxed);
}

static void write_keypairs(struct buf_writer *w, struct wg_session *s, const struct tunnel_peer *p,
    const struct tunnel_keypair *current)
{
	note_peer(s, p);
	note_keys(&s->keys[WG_SESSION_CURRENT], current);
	note_keys(&s->keys[WG_SESSION_PREVIOUS], p->previous);
	note_keys(&s->keys[WG_SESSION_NEXT], p->next);
	wg_session_write(w, s);
}

/* Workers find no session any more; returns how many peers there are. */
static unsigned unpublish_all(struct tunnel_keypair *current[TUNNEL_PEERS])
{
	unsigned n = 0;

	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		current[i] = p ? p->current : NULL;
		if (!p)
			continue;
		n++;
		rcu_assign_pointer(p->current, NULL);
		tunnel_keypair_hide(current[i]);
		tunnel_keypair_hide(p->previous);
		tunnel_keypair_hide(p->next);
	}
	return n;
}

static void write_all(
    struct buf_writer *w, struct wg_session *s, struct tunnel_keypair *current[TUNNEL_PEERS])
{
	wg_session_write_head(w);
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (!p)
			continue;
		write_keypairs(w, s, p, current[i]);
		tunnel_keypair_retire(current[i]);
		tunnel_keypair_retire(p->previous);
		tunnel_keypair_retire(p->next);
		p->previous = p->next = NULL;
	}
}

/* Sealed memory with these bytes; -1 with errno. */
static int seal_memory(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("byway sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, bytes + at, len - at);

		if (n < 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS)) {
		close(fd);
		return -1;
	}
	return fd;
}

void tunnel_handover_save(void)
{
	static struct tunnel_keypair *current[TUNNEL_PEERS];
	struct wg_session *s;
	struct buf_writer w;
	uint8_t *bytes;
	size_t room;

	if (!handing_on)
		return;
	handing_on = false;
	room = WG_SESSION_HEAD_LEN + unpublish_all(current) * (size_t)WG_SESSION_ROOM;
	rcu_settle(); /* counters and windows are final: no worker is in a burst that began before */
	bytes = secret_alloc(room);
	s = secret_alloc(sizeof(*s));
	if (bytes && s) {
		buf_writer_init(&w, bytes, room);
		write_all(&w, s, current);
		if (!w.err)
			saved_fd = seal_memory(bytes, buf_writer_len(&w));
	}
	if (saved_fd < 0)
		log_warn("sessions are not handed on, peers will shake hands anew: %s", strerror(errno));
	secret_free(s);
	secret_free(bytes);
}

int tunnel_handover_take_fd(void)
{
	int fd = saved_fd;

	saved_fd = -1;
	return fd;
}

static bool add_entry(const struct wg_session *s, size_t offset, size_t len)
{
	struct entry *more = realloc(entries, (n_entries + 1) * sizeof(*entries)), *e;

	if (!more)
		return false;
	entries = more;
	e = &entries[n_entries++];
	memcpy(e->tunnel, s->tunnel, sizeof(e->tunnel));
	memcpy(e->peer_key, s->peer_key, sizeof(e->peer_key));
	e->port = s->port;
	e->offset = offset;
	e->len = len;
	return true;
}

/* ERR_*: what came so far is of use all the same. */
static int index_handed(void)
{
	struct wg_session *s = secret_alloc(sizeof(*s));
	struct buf_reader r;
	int err = s ? 0 : ERR_NOMEM;

	buf_reader_init(&r, handed, handed_len);
	if (!err)
		err = wg_session_read_head(&r);
	while (!err && buf_reader_left(&r)) {
		size_t left = buf_reader_left(&r);

		err = wg_session_read(&r, s);
		if (!err && !add_entry(s, handed_len - left, left - buf_reader_left(&r)))
			err = ERR_NOMEM;
	}
	secret_free(s);
	return err;
}

void tunnel_handover_open(int fd)
{
	int err, seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	/* Only what nobody can change any more under our hands. There may be more seals: vm.memfd_noexec adds
	 * F_SEAL_EXEC. */
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) || st.st_size <= 0) {
		log_warn("descriptor %d: expected sealed memory with sessions, ignored", fd);
		close(fd);
		return;
	}
	handed_len = (size_t)st.st_size;
	/* Linux before 6.7 refuses any shared mapping of what F_SEAL_WRITE seals, also one to read. */
	handed = mmap(NULL, handed_len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (handed == MAP_FAILED) {
		log_warn("sessions of the program before cannot be mapped, peers will shake hands anew: %s",
		    strerror(errno));
		handed = NULL;
		return;
	}
	(void)mlock(handed, handed_len);
	(void)madvise(handed, handed_len, MADV_DONTDUMP);
	err = index_handed();
	if (err)
		log_warn("sessions of the program before: %s; %zu peers' are taken over", err_text(err),
		    n_entries);
}

void tunnel_handover_close(void)
{
	if (handed)
		munmap(handed, handed_len);
	free(entries);
	handed = NULL;
	entries = NULL;
	n_entries = handed_len = 0;
}

uint16_t tunnel_handover_port(const char *tunnel)
{
	for (size_t i = 0; i < n_entries; i++)
		if (strcmp(entries[i].tunnel, tunnel) == 0)
			return entries[i].port;
	return 0;
}

static struct tunnel_keypair *take_keys(struct tunnel_peer *p, struct wg_session_keys *k)
{
	struct wg_noise_keys keys = {
	    .local_index = k->local_index, .remote_index = k->remote_index, .initiator = k->initiator};
	struct tunnel_keypair *kp;

	if (!k->present || !wg_timers_key_opens(k->birth_ns, tunnel_now_ns()) ||
	    !tunnel_table_reserve_exactly(p, k->local_index))
		return NULL;
	memcpy(keys.sending, k->sending, sizeof(keys.sending));
	memcpy(keys.receiving, k->receiving, sizeof(keys.receiving));
	kp = tunnel_keypair_make(p, &keys, k->birth_ns);
	if (!kp)
		return NULL;
	kp->replay = k->replay;
	atomic_init(&kp->send_counter,
	    k->send_counter < WG_REJECT_AFTER_MESSAGES ? k->send_counter + COUNTER_JUMP : k->send_counter);
	atomic_init(&kp->confirmed, k->confirmed);
	tunnel_keypair_show(kp);
	return kp;
}

static void take_marks(struct tunnel_peer *p, const struct wg_session *s)
{
	p->handshake_ns = s->handshake_ns;
	p->handshake_realtime_ns = s->handshake_realtime_ns;
	atomic_store_explicit(&p->rx_bytes, s->rx_bytes, memory_order_relaxed);
	atomic_store_explicit(&p->tx_bytes, s->tx_bytes, memory_order_relaxed);
	atomic_store_explicit(&p->marks.last_rx_ns, s->last_rx_ns, memory_order_relaxed);
	atomic_store_explicit(&p->marks.last_tx_ns, s->last_tx_ns, memory_order_relaxed);
	atomic_store_explicit(&p->marks.unanswered_rx_ns, s->unanswered_rx_ns, memory_order_relaxed);
	atomic_store_explicit(&p->marks.unanswered_tx_ns, s->unanswered_tx_ns, memory_order_relaxed);
}

static void take_session(struct tunnel_peer *p, struct wg_session *s)
{
	struct wg_session_keys *k = s->keys;
	uint64_t birth_ns = 0;

	take_marks(p, s);
	p->previous = take_keys(p, &k[WG_SESSION_PREVIOUS]);
	p->next = take_keys(p, &k[WG_SESSION_NEXT]);
	rcu_assign_pointer(p->current, take_keys(p, &k[WG_SESSION_CURRENT]));
	for (unsigned i = 0; i < WG_SESSION_ROLES; i++)
		if (k[i].present && k[i].birth_ns > birth_ns)
			birth_ns = k[i].birth_ns;
	if (p->current || p->previous || p->next)
		wg_timers_note_keys(&p->timers, birth_ns);
	tunnel_timer_touch(p);
}

bool tunnel_handover_restore(struct tunnel_peer *p)
{
	struct wg_session *s = NULL;
	struct buf_reader r;
	bool as_before = false;

	for (size_t i = 0; i < n_entries; i++) {
		const struct entry *e = &entries[i];

		if (strcmp(e->tunnel, p->tunnel->config.name) != 0 ||
		    memcmp(e->peer_key, p->noise.public_key, sizeof(e->peer_key)) != 0)
			continue;
		s = secret_alloc(sizeof(*s));
		if (!s)
			return false;
		buf_reader_init(&r, handed + e->offset, e->len);
		/* Another private key since then: its sessions are over. */
		if (wg_session_read(&r, s) == 0 &&
		    memcmp(s->own_key, p->tunnel->identity.public_key, sizeof(s->own_key)) == 0) {
			take_session(p, s);
			as_before = p->current || !s->keys[WG_SESSION_CURRENT].present;
		}
		secret_free(s);
		entries[i] = entries[--n_entries];
		break;
	}
	return as_before;
}
