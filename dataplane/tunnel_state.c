/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file in which peers survive a restart: endpoint, line and both TAI64N marks of each, one record
 * a line (lib/wg_record), replaced whole by rename. Slow thread only.
 *
 * The sent mark is stored ahead of what was sent, and written before an initiation would pass it: so after a
 * kill, or with a clock that was set back, the next one is the stored one plus one, never less than the peer
 * knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/slow.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"
#include "lib/wg_record.h"

#define DEBOUNCE_NS NSEC_PER_SEC
#define AHEAD_NS    (30 * NSEC_PER_SEC)
#define RETRY_NS    (10 * NSEC_PER_SEC) /* after a disk that was full */
#define FILE_MAX    (TUNNEL_PEERS * 2ul * WG_RECORD_ROOM)

static const char heading[] = "byway tunnel peers 1\n";

static char directory[4096];	 /* empty: nothing is kept */
static struct wg_record *stored; /* read at start and not taken over yet */
static size_t n_stored;
static uint64_t write_at_ns = UINT64_MAX, not_before_ns;

static void path_of(const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", directory, name);
}

static void parse_file(const char *text, size_t len)
{
	const char *end = text + len, *line = text;
	unsigned bad = 0;

	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t line_len = stop ? (size_t)(stop - line) : (size_t)(end - line);
		struct wg_record *more;

		if (line != text) {
			more = realloc(stored, (n_stored + 1) * sizeof(*stored));
			if (!more)
				return;
			stored = more;
			if (wg_record_parse_line(line, line_len, &stored[n_stored]) == 0)
				n_stored++;
			else
				bad++;
		}
		line += line_len + 1;
	}
	if (bad)
		log_warn("%s/peers: %u lines are malformed and were skipped", directory, bad);
}

int tunnel_state_open(const char *state_dir, struct err_msg *msg)
{
	char path[sizeof(directory) + 16], *text;
	ssize_t len;
	int fd;

	if (!state_dir)
		return 0;
	if (strlen(state_dir) >= sizeof(directory))
		return err_set(msg, ERR_TOOLONG, "state directory %s: longer than %zu bytes", state_dir,
		    sizeof(directory) - 1);
	memcpy(directory, state_dir, strlen(state_dir) + 1);
	path_of("peers", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
	text = malloc(FILE_MAX);
	len = text ? read(fd, text, FILE_MAX) : -1;
	close(fd);
	if (len >= (ssize_t)sizeof(heading) - 1 && memcmp(text, heading, sizeof(heading) - 1) == 0)
		parse_file(text, (size_t)len);
	else if (len != 0)
		log_warn("%s: expected \"byway tunnel peers 1\" as its first line, ignored", path);
	free(text);
	return 0;
}

static void write_peer(
    struct buf_writer *w, const struct tunnel_peer *p, const uint8_t mark[WG_WIRE_TIMESTAMP_LEN])
{
	struct wg_record r = {.endpoint = p->learned};

	memcpy(r.tunnel, p->tunnel->config.name, sizeof(r.tunnel));
	memcpy(r.key, p->noise.public_key, sizeof(r.key));
	memcpy(r.line, p->line, sizeof(r.line));
	memcpy(r.received_timestamp, p->noise.received_timestamp, sizeof(r.received_timestamp));
	memcpy(r.sent_timestamp, mark, sizeof(r.sent_timestamp));
	wg_record_write_line(w, &r);
}

/* The mark that is on disk after this: later than any that is sent in the next 30 s. */
static void next_mark(uint8_t mark[WG_WIRE_TIMESTAMP_LEN], const struct tunnel_peer *p,
    uint64_t now_realtime_ns, uint64_t ahead_ns)
{
	const uint8_t *sent = p->noise.sent_timestamp;

	if (ahead_ns)
		wg_noise_next_timestamp(mark, sent, now_realtime_ns + ahead_ns);
	else
		memcpy(mark, crypto_is_zero(sent, WG_WIRE_TIMESTAMP_LEN) ? p->stored_timestamp : sent,
		    WG_WIRE_TIMESTAMP_LEN);
}

static bool write_all(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	return close(fd) == 0 && good;
}

/* In the place of the one before, or not at all. */
static bool replace_file(const struct buf_writer *w, const char *text)
{
	char path[sizeof(directory) + 16], fresh[sizeof(directory) + 16];

	path_of("peers", path, sizeof(path));
	path_of("peers.new", fresh, sizeof(fresh));
	if (!w->err && write_all(fresh, text, buf_writer_len(w)) && rename(fresh, path) == 0)
		return true;
	log_err("%s: %s; peers' state is not kept", path, w->err ? err_text(w->err) : strerror(errno));
	unlink(fresh);
	return false;
}

/* What next_mark said for these peers stands on disk now. */
static void take_marks(uint64_t now_realtime_ns, uint64_t ahead_ns)
{
	for (uint16_t i = 0; i < TUNNEL_PEERS; i++) {
		struct tunnel_peer *p = tunnel_peer_by_index(i);
		uint8_t mark[WG_WIRE_TIMESTAMP_LEN];

		if (!p)
			continue;
		next_mark(mark, p, now_realtime_ns, ahead_ns);
		memcpy(p->stored_timestamp, mark, sizeof(mark));
	}
}

/* ahead_ns 0: the marks as they are, at a planned end. */
static void write_file(uint64_t ahead_ns)
{
	uint64_t now_realtime_ns = nsec_realtime();
	uint8_t mark[WG_WIRE_TIMESTAMP_LEN];
	struct buf_writer w;
	char *text;

	write_at_ns = UINT64_MAX;
	if (!directory[0])
		return;
	text = malloc(FILE_MAX);
	if (text) {
		buf_writer_init(&w, text, FILE_MAX);
		buf_write_bytes(&w, heading, sizeof(heading) - 1);
	}
	for (uint16_t i = 0; text && i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p) {
			next_mark(mark, p, now_realtime_ns, ahead_ns);
			write_peer(&w, p, mark);
		}
	}
	for (size_t i = 0; text && i < n_stored; i++)
		wg_record_write_line(&w, &stored[i]);
	if (text && replace_file(&w, text))
		take_marks(now_realtime_ns, ahead_ns);
	else
		write_at_ns = not_before_ns = tunnel_now_ns() + RETRY_NS;
	free(text);
}

void tunnel_state_note(struct tunnel_peer *p)
{
	if (directory[0] && write_at_ns == UINT64_MAX) {
		write_at_ns = tunnel_now_ns() + DEBOUNCE_NS;
		tunnel_timer_touch(p);
	}
}

void tunnel_state_reserve_timestamp(struct tunnel_peer *p, uint64_t now_realtime_ns)
{
	uint8_t next[WG_WIRE_TIMESTAMP_LEN];

	if (!directory[0])
		return;
	wg_noise_next_timestamp(next, p->noise.sent_timestamp, now_realtime_ns);
	/* A disk that failed is not tried again for each initiation. */
	if (memcmp(next, p->stored_timestamp, sizeof(next)) > 0 && tunnel_now_ns() >= not_before_ns) {
		write_file(AHEAD_NS);
		tunnel_timer_touch(p);
	}
}

bool tunnel_state_restore(struct tunnel_peer *p)
{
	for (size_t i = 0; i < n_stored; i++) {
		struct wg_record *r = &stored[i];

		if (strcmp(r->tunnel, p->tunnel->config.name) != 0 ||
		    memcmp(r->key, p->noise.public_key, sizeof(r->key)) != 0)
			continue;
		if (r->endpoint.addr.family != IP_NONE)
			p->remote = p->learned = r->endpoint;
		memcpy(p->line, r->line, sizeof(p->line));
		memcpy(p->noise.received_timestamp, r->received_timestamp, sizeof(r->received_timestamp));
		memcpy(p->noise.sent_timestamp, r->sent_timestamp, sizeof(r->sent_timestamp));
		memcpy(p->stored_timestamp, r->sent_timestamp, sizeof(r->sent_timestamp));
		*r = stored[--n_stored];
		return true;
	}
	return false;
}

uint64_t tunnel_state_tick(uint64_t now_ns)
{
	if (now_ns >= write_at_ns)
		write_file(AHEAD_NS);
	return write_at_ns;
}

void tunnel_state_close(void)
{
	write_file(0);
	write_at_ns = UINT64_MAX;
	not_before_ns = 0;
	free(stored);
	stored = NULL;
	n_stored = 0;
	directory[0] = '\0';
}
