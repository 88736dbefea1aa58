/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last accepted state on disk: written in slices, loaded at start. Slow thread; the helper
 * thread that makes a file durable touches its descriptor and names only.
 *
 * Pair of atomics: finish.done is stored by the helper thread when the file is in place (release) and
 * loaded by the slow thread (acquire), which joins it then.
 */
#include "dataplane/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/nsec.h"

#define STATE_MAGIC   0x42595354u /* "BYST" */
#define STATE_VERSION 1
#define HEADER_LEN    16
#define FRAME_LEN     13
#define END_LEN	      16
#define PATH_LEN      512
#define SLICE_ROUTES  4000
#define QUIET_NS      NSEC_PER_SEC /* without a change: a full table comes in less, and is not held up */
#define LATEST_NS     (3 * NSEC_PER_SEC)  /* after the first change */
#define RETRY_NS      (60 * NSEC_PER_SEC) /* after a disk that was full */

enum phase { IDLE, WRITING, FINISHING };

static struct {
	struct store *store;
	char path[PATH_LEN], temporary[PATH_LEN], dir[PATH_LEN];
	enum phase phase;
	bool loading, dirty, fresh; /* fresh: there were changes since the last tick */
	bool with_files;	    /* other files are to be made durable, too */
	bool written_once;	    /* by this process */
	uint64_t due_ns, latest_ns; /* when to begin; 0: nothing changed yet since the last tick */
	/* The file being written. */
	int fd;
	uint64_t cursor, written; /* of routes; bytes */
	uint32_t frames;
	uint8_t origin; /* of the frame that is being filled */
	struct buf_writer w;
	uint8_t datagram[FIBMSG_MAX_LEN];
} state = {.fd = -1};

static struct {
	pthread_t thread;
	int fd;
	bool good, with_files;
	_Atomic bool done;
} finish;

/* FNV-1a, 64 bits: the file is trusted not to lie, only to be torn. */
static uint64_t checksum(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)

/* --- writing --- */

static int write_all(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	state.written += len;
	while (len > 0) {
		ssize_t n = write(state.fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_frame(uint8_t origin, const uint8_t *datagram, size_t len)
{
	uint8_t head[FRAME_LEN];
	struct buf_writer w;
	int rc;

	buf_writer_init(&w, head, sizeof(head));
	buf_write_be32(&w, (uint32_t)len);
	buf_write_u8(&w, origin);
	buf_write_be64(&w, checksum(checksum(CHECKSUM_START, head, 5), datagram, len));
	rc = write_all(head, sizeof(head));
	if (!rc)
		rc = write_all(datagram, len);
	state.frames++;
	return rc;
}

/* The frame being filled goes out, the next one begins. */
static int flush_frame(void)
{
	int rc = 0;

	if (buf_writer_len(&state.w) > FIBMSG_HDR_LEN)
		rc = write_frame(state.origin, state.datagram, buf_writer_len(&state.w));
	buf_writer_init(&state.w, state.datagram, sizeof(state.datagram));
	fibmsg_begin(&state.w, 0, 0);
	return rc;
}

static int add_message(uint8_t origin, const struct fibmsg *m)
{
	int rc = 0;

	if (origin != state.origin)
		rc = flush_frame();
	state.origin = origin;
	if (rc || fibmsg_append(&state.w, m, NULL) == 0)
		return rc;
	rc = flush_frame();
	return rc ? rc : fibmsg_append(&state.w, m, NULL);
}

static int write_objects(void)
{
	int rc = 0;

	for (unsigned class = 0; class < STORE_ROUTE; class ++) {
		for (struct store_object *o = store_first(state.store, class); !rc && o; o = store_after(o)) {
			struct fibmsg m;

			store_decode(o, &m);
			rc = add_message(o->origin, &m);
		}
	}
	return rc;
}

static void header(uint8_t bytes[HEADER_LEN], uint64_t generation)
{
	struct buf_writer w;

	buf_writer_init(&w, bytes, HEADER_LEN);
	buf_write_be32(&w, STATE_MAGIC);
	buf_write_be32(&w, STATE_VERSION);
	buf_write_be64(&w, generation);
}

static int begin_file(void)
{
	uint8_t head[HEADER_LEN];
	int rc;

	state.fd = open(state.temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (state.fd < 0)
		return ERR_IO;
	state.phase = WRITING;
	state.dirty = false;
	state.due_ns = 0;
	state.cursor = state.written = state.frames = 0;
	state.origin = STORE_CONTROL;
	buf_writer_init(&state.w, state.datagram, sizeof(state.datagram));
	fibmsg_begin(&state.w, 0, 0);
	header(head, store_generation(state.store));
	rc = write_all(head, sizeof(head));
	return rc ? rc : write_objects();
}

/* 1: there are more routes. */
static int write_routes(void)
{
	for (unsigned n = 0; n < SLICE_ROUTES; n++) {
		struct fibmsg m = {.type = FIBMSG_SET_ROUTE};
		struct store_route r;
		bool got;
		int rc;

		if (!store_route_next(state.store, &state.cursor, 1, &r, &got))
			return flush_frame();
		if (!got)
			continue;
		m.u.route.table = r.table;
		m.u.route.prefix = r.prefix;
		m.u.route.group = r.group;
		rc = add_message(STORE_CONTROL, &m);
		if (rc)
			return rc;
	}
	return 1;
}

static int write_end(void)
{
	uint8_t head[HEADER_LEN], end[END_LEN];
	struct buf_writer w;

	header(head, store_generation(state.store));
	if (pwrite(state.fd, head, sizeof(head), 0) !=
	    (ssize_t)sizeof(head)) /* a sync may have begun meanwhile */
		return ERR_IO;
	buf_writer_init(&w, end, sizeof(end));
	buf_write_be32(&w, 0);
	buf_write_be32(&w, state.frames);
	buf_write_be64(&w, checksum(checksum(CHECKSUM_START, head, sizeof(head)), &end[4], 4));
	return write_all(end, sizeof(end));
}

/* fsync may take long on a slow disk, so not on the slow thread. */
static void *finish_file(void *arg)
{
	int dir;

	finish.good = (!finish.with_files || syncfs(finish.fd) == 0) && fsync(finish.fd) == 0;
	close(finish.fd);
	if (finish.good)
		finish.good = rename(state.temporary, state.path) == 0;
	if (!finish.good)
		unlink(state.temporary);
	dir = open(state.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	atomic_store_explicit(&finish.done, true, memory_order_release);
	return NULL;
}

static void end_file(void)
{
	finish.fd = state.fd;
	finish.with_files = state.with_files;
	state.with_files = false;
	state.fd = -1;
	atomic_store_explicit(&finish.done, false, memory_order_relaxed);
	state.phase = FINISHING;
	if (pthread_create(&finish.thread, NULL, finish_file, NULL) != 0) {
		finish_file(NULL);
		finish.thread = pthread_self();
	}
}

static void retry_later(uint64_t now_ns)
{
	state.phase = IDLE;
	state.dirty = true;
	state.due_ns = state.latest_ns = now_ns + RETRY_NS;
}

static void join_finish(uint64_t now_ns)
{
	if (!pthread_equal(finish.thread, pthread_self()))
		pthread_join(finish.thread, NULL);
	state.phase = IDLE;
	if (finish.good) {
		state.written_once = true;
		return;
	}
	log_err("%s: cannot be written: the next restart knows an older state", state.path);
	state.with_files |= finish.with_files;
	retry_later(now_ns);
}

static void give_up(uint64_t now_ns)
{
	log_err("%s: %s: the next restart knows an older state", state.temporary, strerror(errno));
	if (state.fd >= 0)
		close(state.fd);
	state.fd = -1;
	unlink(state.temporary);
	retry_later(now_ns);
}

void state_note_batch(enum store_origin origin, const uint8_t *datagram, size_t len)
{
	if (!state.store || state.loading)
		return;
	if (state.phase != WRITING) {
		state.dirty = state.fresh = true;
		return;
	}
	/* A failure shows in the next slice, too. */
	if (flush_frame() || write_frame((uint8_t)origin, datagram, len))
		state.dirty = true;
}

void state_note_files(void)
{
	state.with_files = true;
}

bool state_is_written(void)
{
	return state.phase == IDLE && !state.dirty && state.written_once;
}

static uint64_t tick_idle(uint64_t now_ns)
{
	if (!state.dirty)
		return UINT64_MAX;
	/* When the last file was large, later, so that the disk rests. */
	if (state.due_ns == 0) {
		state.due_ns = now_ns + QUIET_NS + (state.written >> 20) * NSEC_PER_SEC;
		state.latest_ns = state.due_ns - QUIET_NS + LATEST_NS;
	} else if (state.fresh && state.due_ns < now_ns + QUIET_NS) {
		state.due_ns = now_ns + QUIET_NS < state.latest_ns ? now_ns + QUIET_NS : state.latest_ns;
	}
	state.fresh = false;
	if (now_ns < state.due_ns)
		return state.due_ns;
	if (begin_file()) {
		give_up(now_ns);
		return state.due_ns;
	}
	return now_ns;
}

static uint64_t tick_writing(uint64_t now_ns)
{
	int rc = write_routes();

	if (rc == 1)
		return now_ns;
	if (!rc)
		rc = write_end();
	if (rc) {
		give_up(now_ns);
		return state.due_ns;
	}
	end_file();
	return now_ns;
}

uint64_t state_tick(uint64_t now_ns)
{
	if (!state.store)
		return UINT64_MAX;
	switch (state.phase) {
	case IDLE:
		return tick_idle(now_ns);
	case WRITING:
		return tick_writing(now_ns);
	case FINISHING:
		break;
	}
	if (!atomic_load_explicit(&finish.done, memory_order_acquire))
		return now_ns + 20 * NSEC_PER_MSEC;
	join_finish(now_ns);
	return state.dirty ? now_ns : UINT64_MAX;
}

/* --- loading --- */

static int read_file(const char *path, uint8_t **bytes, size_t *len, struct err_msg *msg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;

	*bytes = NULL;
	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		rc = err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
	else if (!(*bytes = malloc((size_t)st.st_size + 1)))
		rc = err_set(msg, ERR_NOMEM, "%s: no memory for %lld bytes", path, (long long)st.st_size);
	*len = 0;
	while (!rc && *len < (size_t)st.st_size) {
		ssize_t n = read(fd, *bytes + *len, (size_t)st.st_size - *len);

		if (n <= 0)
			rc = err_set(
			    msg, ERR_IO, "%s: %s", path, n < 0 ? strerror(errno) : "shrinks while read");
		else
			*len += (size_t)n;
	}
	close(fd);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

/* A frame's datagram; len 0: the end mark. */
static int next_frame(struct buf_reader *r, uint8_t *origin, const uint8_t **datagram, size_t *len)
{
	const uint8_t *head = r->p;
	uint64_t sum;

	*len = buf_read_be32(r);
	if (r->err || *len == 0)
		return r->err;
	*origin = buf_read_u8(r);
	sum = buf_read_be64(r);
	*datagram = buf_read_view(r, *len);
	if (r->err)
		return r->err;
	if (*len > FIBMSG_MAX_LEN || *origin >= STORE_ORIGINS ||
	    sum != checksum(checksum(CHECKSUM_START, head, 5), *datagram, *len))
		return ERR_PROTO;
	return 0;
}

/* Is the file whole? Then *frames is a reader over its frames. */
static int check_file(const uint8_t *bytes, size_t file_len, uint64_t *generation, struct buf_reader *frames)
{
	uint32_t magic, version, said, n = 0;
	const uint8_t *datagram, *count;
	struct buf_reader r;
	uint8_t origin;
	uint64_t sum;
	size_t len;
	int rc;

	buf_reader_init(&r, bytes, file_len);
	magic = buf_read_be32(&r);
	version = buf_read_be32(&r);
	*generation = buf_read_be64(&r);
	*frames = r;
	if (r.err || magic != STATE_MAGIC || version != STATE_VERSION)
		return r.err ? r.err : ERR_PROTO;
	while ((rc = next_frame(&r, &origin, &datagram, &len)) == 0 && len > 0)
		n++;
	if (rc)
		return rc;
	count = r.p;
	said = buf_read_be32(&r);
	sum = buf_read_be64(&r);
	if (r.err)
		return r.err;
	if (said != n || sum != checksum(checksum(CHECKSUM_START, bytes, HEADER_LEN), count, 4) ||
	    buf_reader_left(&r))
		return ERR_PROTO;
	return 0;
}

/* Message by message what was refused as a whole: what cannot be applied any more is left out. */
static unsigned apply_singly(struct store *store, uint8_t origin, const uint8_t *datagram, size_t len)
{
	uint8_t bytes[4096];
	struct fibmsg_header h;
	struct fibmsg_ack ack;
	struct buf_reader r;
	struct buf_writer w;
	struct fibmsg m;
	unsigned lost = 0;

	buf_reader_init(&r, datagram, len);
	if (fibmsg_read_header(&r, &h, NULL))
		return 1;
	for (unsigned i = 0; i < h.count; i++) {
		if (fibmsg_read(&r, &m, NULL))
			return lost + 1;
		buf_writer_init(&w, bytes, sizeof(bytes));
		fibmsg_begin(&w, 0, 0);
		fibmsg_append(&w, &m, NULL);
		if (store_apply_batch(store, bytes, buf_writer_len(&w), origin, &ack) == 0)
			continue;
		if (lost++ < 20)
			log_warn("restored state: %s", ack.text);
	}
	return lost;
}

int state_load(const char *path, struct store *store, struct err_msg *msg)
{
	struct buf_reader frames;
	const uint8_t *datagram;
	uint64_t generation;
	unsigned lost = 0;
	uint8_t *bytes, origin;
	size_t file_len = 0, len;
	int rc = read_file(path, &bytes, &file_len, msg);

	if (rc)
		return rc;
	rc = check_file(bytes, file_len, &generation, &frames);
	if (rc) {
		err_set(msg, rc, "%s: is not whole", path);
		goto out;
	}
	while (next_frame(&frames, &origin, &datagram, &len) == 0 && len > 0) {
		struct fibmsg_ack ack;

		if (store_apply_batch(store, datagram, len, origin, &ack))
			lost += apply_singly(store, origin, datagram, len);
	}
	store_set_generation(store, generation);
	log_info("%s: restored generation %llu, %u routes; %u objects left out", path,
	    (unsigned long long)generation, store_count(store, STORE_ROUTE), lost);
out:
	free(bytes);
	return rc;
}

int state_start(const char *dir, struct store *store, struct err_msg *msg)
{
	struct err_msg why = {""};
	int rc;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(msg, ERR_IO, "%s: %s", dir, strerror(errno));
	if (snprintf(state.path, PATH_LEN, "%s/fib.state", dir) >= PATH_LEN - 4)
		return err_set(msg, ERR_TOOLONG, "%s: the path is too long", dir);
	snprintf(state.dir, PATH_LEN, "%s", dir);
	snprintf(state.temporary, PATH_LEN, "%s/fib.state.new", dir);
	state.store = store;
	state.written_once = false;
	state.loading = true;
	rc = state_load(state.path, store, &why);
	state.loading = false;
	if (rc && rc != ERR_NOENT)
		log_err("%s; starting empty", why.text);
	return 0;
}

static void drain(void)
{
	while (state.phase == WRITING)
		tick_writing(0);
	if (state.phase == FINISHING)
		join_finish(0);
}

void state_stop(void)
{
	if (!state.store)
		return;
	drain();
	if (state.dirty) {
		if (begin_file())
			give_up(0);
		drain();
	}
	state.store = NULL;
	state.dirty = false;
	state.due_ns = state.written = 0;
}
