/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sealing and opening of a burst, as the forms with lanes share it. The ChaCha20 blocks of all packets, and
 * the blocks that make their one-time keys, fill lanes of one kernel. Packets are taken longest first: the
 * long ones' Poly1305 runs beside the kernel's rounds in chunks, short ones are authenticated in groups.
 * Included once by lib/aead_avx2.c and lib/aead_sse.c, which define before: LANES; GROUP, the short packets
 * of a group; SLOTS, the chunks that a kernel takes; SCRUB_LEN, the bytes that kernels and Poly1305 may write
 * on the stack below ours (tests/unit/test_aead_stack.c); and the functions declared below. Lengths decide
 * branches and addresses, secrets none. Workers; nothing is kept between calls.
 */
#include <stdint.h>
#include <string.h>

#include "lib/aead_burst_internal.h"
#include "lib/aead_poly1305.h"
#include "lib/aead_secret.h"

#define BLOCK_LEN  64u
#define CHUNK_LEN  128u
#define ALIGNED	   __attribute__((aligned(64)))
#define INLINE	   static inline __attribute__((always_inline))
#define OTK_STRIDE BLOCK_LEN /* a one-time key is the head of a ChaCha20 block */

/* One block each: of key stream to be added to 64 bytes. */
struct lanes {
	uint32_t counter[LANES] ALIGNED;
	uint32_t nonce_lo[LANES], nonce_hi[LANES];
	uint8_t *at[LANES];
};

/* Poly1305 work that a kernel does beside its rounds: CHUNK_LEN bytes of one packet. */
struct chunk {
	struct poly1305 *mac;
	const uint8_t *from;
};

/* A packet to be authenticated at once. */
struct mac_job {
	const uint8_t *otk, *data;
	uint32_t len;
	uint8_t *tag;
};

/* chunks: SLOTS of them, to be taken in turn, some without work (mac NULL); or NULL. */
static void chacha_lanes(const uint8_t *key, const struct lanes *lanes, const struct chunk *chunks);
/* LANES blocks in a row of one packet. */
static void chacha_straight(
    const uint8_t *key, uint64_t nonce, uint32_t counter, uint8_t *at, const struct chunk *chunks);
/* n: 1-GROUP, longest first. */
static void mac_group(const struct mac_job *jobs, unsigned n);
static void wipe_registers(void);

/* A packet's last bytes, when they are no whole block. */
struct tail {
	uint8_t *at;
	uint32_t len;
	uint8_t *block;
};

/*
 * The long packets' way to their tags, packet after packet in order: a kernel takes as many chunks as it has
 * slots, what no kernel took is done when the tag is needed. Multiplications of 64-bit words and a kernel's
 * rounds run on different ports.
 */
struct feed {
	struct poly1305 mac[AEAD_BURST_MAX];
	unsigned finished; /* packets that have their tags */
	unsigned packet;   /* in order: the one whose chunks are being taken */
	uint32_t at;	   /* bytes of it that are taken */
	unsigned n;	   /* packets that go this way */
	unsigned ready;	   /* those whose ciphertext is complete */
	unsigned queued;   /* sealing: packets whose blocks are all queued or done... */
	uint32_t part;	   /* ...and the bytes of the next one that are done */
};

struct work {
	uint8_t otk[AEAD_BURST_MAX][OTK_STRIDE] ALIGNED;
	uint8_t tail_blocks[LANES][BLOCK_LEN];
	uint8_t spare[BLOCK_LEN]; /* what lanes without work write */
	struct lanes lanes;
	struct tail tails[LANES];
	const uint8_t *key;
	uint8_t *const *data;
	const uint32_t *lens;
	uint8_t (*tags)[AEAD_BURST_TAG_LEN]; /* by place in the order; NULL: behind the data */
	unsigned n_queued, n_tails;	     /* since the kernel ran */
	struct feed feed;
	uint8_t order[AEAD_BURST_MAX];
};

/* Longest first, in time that lengths do not change; equal ones as they came. */
static void sort_packets(uint8_t *order, const uint32_t *lens, unsigned n)
{
	uint32_t len[AEAD_BURST_MAX] ALIGNED = {0}, rank[AEAD_BURST_MAX] ALIGNED = {0};
	unsigned room = (n + 7) & ~7u, same = 1;

	for (unsigned i = 1; i < n; i++)
		same &= lens[i] == lens[0];
	if (same) {
		for (unsigned i = 0; i < n; i++)
			order[i] = (uint8_t)i;
		return;
	}
	/* the place in the burst as a second key; 2^24 bytes are more than a packet has, above only speed
	 * suffers */
	for (unsigned i = 0; i < n; i++)
		len[i] = ((lens[i] < 1u << 24 ? lens[i] : (1u << 24) - 1) << 6) + (AEAD_BURST_MAX - 1 - i);
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < room; i++)
			rank[i] += len[i] < len[k];
	for (unsigned i = 0; i < n; i++)
		order[rank[i]] = (uint8_t)i;
}

static void copy_tail(uint8_t *to, const uint8_t *from, uint32_t len)
{
	for (; len >= 16; len -= 16, to += 16, from += 16)
		memcpy(to, from, 16);
	for (; len > 0; len--)
		*to++ = *from++;
}

static uint8_t *tag_of(const struct work *w, unsigned place)
{
	unsigned i = w->order[place];

	return w->tags ? w->tags[place] : w->data[i] + w->lens[i];
}

/* The next tag: of a packet whose chunks are done, or else of the one at hand. */
static void feed_finish(struct work *w)
{
	struct feed *f = &w->feed;
	unsigned place = f->finished++, i = w->order[place];
	uint32_t len = w->lens[i], at = len - len % CHUNK_LEN;

	if (place == f->packet) {
		at = f->at;
		f->packet++;
		f->at = 0;
	}
	if (at == 0)
		f->mac[place] = poly_begin(w->otk[i]);
	poly_end(&f->mac[place], tag_of(w, place), w->otk[i], w->data[i] + at, len - at, len);
}

/* Bytes of the packet at hand that are ciphertext already. */
static uint32_t feed_room(const struct work *w)
{
	const struct feed *f = &w->feed;
	uint32_t len = w->lens[w->order[f->packet]];

	if (f->packet < f->ready)
		return len;
	if (f->packet < f->queued)
		return len - len % (LANES * BLOCK_LEN); /* the rest waits in lanes */
	return f->packet == f->queued ? f->part : 0;
}

/* The next chunk, or none. */
static struct chunk feed_take_one(struct work *w)
{
	struct feed *f = &w->feed;

	for (; f->packet < f->n; f->packet++, f->at = 0) {
		unsigned i = w->order[f->packet];
		struct poly1305 *mac = &f->mac[f->packet];
		uint32_t room = feed_room(w), at = f->at;

		if (room - at >= CHUNK_LEN) {
			if (at == 0)
				*mac = poly_begin(w->otk[i]);
			f->at += CHUNK_LEN;
			return (struct chunk){mac, w->data[i] + at};
		}
		if (room < w->lens[i])
			break;
	}
	return (struct chunk){NULL, NULL};
}

/* A kernel's chunks, or NULL when there is none. */
static const struct chunk *feed_take(struct work *w, struct chunk *chunks)
{
	while (w->feed.finished < w->feed.packet)
		feed_finish(w);
	for (unsigned k = 0; k < SLOTS; k++)
		chunks[k] = feed_take_one(w);
	return chunks[0].mac ? chunks : NULL;
}

static void run_kernel(struct work *w)
{
	struct chunk chunks[SLOTS];

	chacha_lanes(w->key, &w->lanes, feed_take(w, chunks));
	for (unsigned i = 0; i < w->n_tails; i++)
		copy_tail(w->tails[i].at, w->tails[i].block, w->tails[i].len);
	w->n_queued = w->n_tails = 0;
	if (w->feed.ready < w->feed.queued)
		w->feed.ready = w->feed.queued;
}

INLINE void queue_lane(struct work *w, uint64_t nonce, uint32_t counter, uint8_t *at)
{
	unsigned i = w->n_queued++;

	w->lanes.counter[i] = counter;
	w->lanes.nonce_lo[i] = (uint32_t)nonce;
	w->lanes.nonce_hi[i] = (uint32_t)(nonce >> 32);
	w->lanes.at[i] = at;
	if (i == LANES - 1)
		run_kernel(w);
}

static void finish_lanes(struct work *w)
{
	if (w->n_queued == 0)
		return;
	for (unsigned i = w->n_queued; i < LANES; i++) {
		w->lanes.counter[i] = w->lanes.nonce_lo[i] = w->lanes.nonce_hi[i] = 0;
		w->lanes.at[i] = w->spare;
	}
	run_kernel(w);
}

/* Key stream over the next packet in order, now or when the queue fills. */
static void queue_packet(struct work *w, uint64_t nonce, uint8_t *at, uint32_t len)
{
	struct chunk chunks[SLOTS];
	uint32_t counter = 1; /* RFC 8439 §2.8: block 0 makes the one-time key */

	for (; len >= LANES * BLOCK_LEN; len -= LANES * BLOCK_LEN) {
		chacha_straight(w->key, nonce, counter, at, feed_take(w, chunks));
		counter += LANES;
		at += LANES * BLOCK_LEN;
		w->feed.part += LANES * BLOCK_LEN;
	}
	for (; len >= BLOCK_LEN; len -= BLOCK_LEN, at += BLOCK_LEN)
		queue_lane(w, nonce, counter++, at);
	if (len > 0) {
		uint8_t *block = w->tail_blocks[w->n_tails];

		copy_tail(block, at, len);
		w->tails[w->n_tails++] = (struct tail){at, len, block};
		queue_lane(w, nonce, counter, block);
	}
	w->feed.queued++;
	w->feed.part = 0;
	if (w->n_queued == 0 && w->feed.ready < w->feed.queued)
		w->feed.ready = w->feed.queued;
}

/* data, lens and tags of w are set. The one-time keys' blocks are queued. */
static void begin(struct work *w, const uint8_t *key, const uint64_t *counters, unsigned n)
{
	w->key = key;
	w->n_queued = w->n_tails = 0;
	memset(w->otk, 0, n * sizeof(w->otk[0]));
	sort_packets(w->order, w->lens, n);
	w->feed.finished = w->feed.packet = w->feed.n = w->feed.ready = w->feed.queued = 0;
	w->feed.at = w->feed.part = 0;
	for (unsigned i = 0; i < n; i++)
		queue_lane(w, counters[i], 0, w->otk[i]);
	while (w->feed.n < n && w->lens[w->order[w->feed.n]] >= CHUNK_LEN)
		w->feed.n++;
	/* a kernel more now, but all that follow can feed */
	if (w->feed.n > 0)
		finish_lanes(w);
}

static __attribute__((noinline)) void scrub_stack(void)
{
	uint8_t below[SCRUB_LEN];

	memset(below, 0, sizeof(below));
	__asm__ volatile("" : : "r"(below) : "memory");
}

static void end(struct work *w, unsigned n)
{
	memset(w->otk, 0, n * sizeof(w->otk[0]));
	memset(w->feed.mac, 0, w->feed.n * sizeof(w->feed.mac[0]));
	memset(w->tail_blocks, 0, sizeof(w->tail_blocks));
	memset(w->spare, 0, sizeof(w->spare));
	__asm__ volatile("" : : "r"(w) : "memory");
	scrub_stack();
	wipe_registers();
}

/* Up to GROUP short packets, from this place in the order; says how many. */
static unsigned authenticate(const struct work *w, unsigned from, unsigned n)
{
	unsigned count = n - from < GROUP ? n - from : GROUP;
	struct mac_job jobs[GROUP];

	for (unsigned k = 0; k < count; k++) {
		unsigned i = w->order[from + k];

		jobs[k] = (struct mac_job){w->otk[i], w->data[i], w->lens[i], tag_of(w, from + k)};
	}
	mac_group(jobs, count);
	return count;
}

/* What the compiler keeps of keys in the frames of these two is below that of their callers, who wipe. */
static __attribute__((noinline)) void seal_packets(
    struct work *w, const uint8_t *key, const uint64_t *counters, unsigned n)
{
	unsigned sealed; /* of the short ones, in order */

	begin(w, key, counters, n);
	sealed = w->feed.n;
	for (unsigned at = 0; at < n; at++) {
		unsigned i = w->order[at];

		queue_packet(w, counters[i], w->data[i], w->lens[i]);
		if (w->feed.ready >= sealed + GROUP)
			sealed += authenticate(w, sealed, n);
	}
	finish_lanes(w);
	while (w->feed.finished < w->feed.n)
		feed_finish(w);
	while (sealed < n)
		sealed += authenticate(w, sealed, n);
}

/* A packet is decrypted once its tag was right, never before. */
static __attribute__((noinline)) uint64_t open_packets(
    struct work *w, const uint8_t *key, const uint64_t *counters, unsigned n)
{
	uint64_t authentic = 0;
	unsigned known; /* tags made, of the short ones */

	begin(w, key, counters, n);
	finish_lanes(w);
	w->feed.ready = known = w->feed.n;
	for (unsigned at = 0; at < n; at++) {
		unsigned i = w->order[at];
		uint64_t right;

		while (w->feed.finished < w->feed.n && w->feed.finished <= at)
			feed_finish(w);
		if (at >= known)
			known += authenticate(w, at, n);
		right = poly_equal_tags(w->tags[at], w->data[i] + w->lens[i]);
		aead_declassify(&right, sizeof(right));
		authentic |= right << i;
		if (right)
			queue_packet(w, counters[i], w->data[i], w->lens[i]);
	}
	finish_lanes(w);
	return authentic;
}

static void seal(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct work w;

	w.data = data;
	w.lens = lens;
	w.tags = NULL;
	seal_packets(&w, key, counters, n);
	end(&w, n);
}

static uint64_t open(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint8_t tags[AEAD_BURST_MAX][AEAD_BURST_TAG_LEN];
	uint64_t authentic;
	struct work w;

	w.data = data;
	w.lens = lens;
	w.tags = tags;
	authentic = open_packets(&w, key, counters, n);
	memset(tags, 0, n * sizeof(tags[0]));
	__asm__ volatile("" : : "r"(tags) : "memory");
	end(&w, n);
	return authentic;
}
