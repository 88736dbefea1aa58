/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sealing and opening of a burst, as the forms with lanes share it. The ChaCha20 blocks of all packets, and
 * the blocks that make their one-time keys, fill lanes of one kernel; packets are taken longest first and
 * authenticated in groups of about equal length. Included once by lib/aead_avx2.c and lib/aead_sse.c, which
 * define before: LANES, GROUP (packets authenticated at a time), and the functions declared below.
 * Lengths decide branches and addresses, secrets none. Workers; nothing is kept between calls.
 */
#include <stdint.h>
#include <string.h>

#include "lib/aead_burst_internal.h"
#include "lib/aead_poly1305.h"
#include "lib/aead_secret.h"

#define BLOCK_LEN  64u
#define ALIGNED	   __attribute__((aligned(64)))
#define INLINE	   static inline __attribute__((always_inline))
#define OTK_STRIDE BLOCK_LEN /* a one-time key is the head of a ChaCha20 block */
/* What the kernels' frames may hold on the stack below ours. */
#define SCRUB_LEN 3072u

/* One block each: of key stream to be added to 64 bytes. */
struct lanes {
	uint32_t counter[LANES] ALIGNED;
	uint32_t nonce_lo[LANES], nonce_hi[LANES];
	uint8_t *at[LANES];
};

/* A packet to be authenticated. */
struct mac_job {
	const uint8_t *otk, *data;
	uint32_t len;
	uint8_t *tag;
};

static void chacha_lanes(const uint8_t *key, const struct lanes *lanes);
/* LANES blocks in a row of one packet. */
static void chacha_straight(const uint8_t *key, uint64_t nonce, uint32_t counter, uint8_t *at);
/* n: 1-GROUP, longest first. */
static void mac_group(const struct mac_job *jobs, unsigned n);
static void wipe_registers(void);

/* A packet's last bytes, when they are no whole block. */
struct tail {
	uint8_t *at;
	uint32_t len;
	uint8_t *block;
};

struct work {
	uint8_t otk[AEAD_BURST_MAX][OTK_STRIDE] ALIGNED;
	uint8_t tail_blocks[LANES][BLOCK_LEN];
	uint8_t spare[BLOCK_LEN]; /* what lanes without work write */
	struct lanes lanes;
	struct tail tails[LANES];
	const uint8_t *key;
	unsigned n_queued, n_tails; /* since the kernel ran */
	uint32_t n_done;	    /* how often it ran */
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

static void run_kernel(struct work *w)
{
	chacha_lanes(w->key, &w->lanes);
	for (unsigned i = 0; i < w->n_tails; i++)
		copy_tail(w->tails[i].at, w->tails[i].block, w->tails[i].len);
	w->n_queued = w->n_tails = 0;
	w->n_done++;
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

/* Key stream over a packet, now or when the queue fills. */
static void queue_packet(struct work *w, uint64_t nonce, uint8_t *at, uint32_t len)
{
	uint32_t counter = 1; /* RFC 8439 §2.8: block 0 makes the one-time key */

	for (; len >= LANES * BLOCK_LEN; len -= LANES * BLOCK_LEN) {
		chacha_straight(w->key, nonce, counter, at);
		counter += LANES;
		at += LANES * BLOCK_LEN;
	}
	for (; len >= BLOCK_LEN; len -= BLOCK_LEN, at += BLOCK_LEN)
		queue_lane(w, nonce, counter++, at);
	if (len > 0) {
		uint8_t *block = w->tail_blocks[w->n_tails];

		copy_tail(block, at, len);
		w->tails[w->n_tails++] = (struct tail){at, len, block};
		queue_lane(w, nonce, counter, block);
	}
}

static void begin(
    struct work *w, const uint8_t *key, const uint64_t *counters, const uint32_t *lens, unsigned n)
{
	w->key = key;
	w->n_queued = w->n_tails = 0;
	w->n_done = 0;
	memset(w->otk, 0, n * sizeof(w->otk[0]));
	sort_packets(w->order, lens, n);
	for (unsigned i = 0; i < n; i++)
		queue_lane(w, counters[i], 0, w->otk[i]);
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
	memset(w->tail_blocks, 0, sizeof(w->tail_blocks));
	memset(w->spare, 0, sizeof(w->spare));
	__asm__ volatile("" : : "r"(w) : "memory");
	scrub_stack();
	wipe_registers();
}

/* Packets from..from+count-1 in order of length; tags: beside each other, or NULL for behind the data. */
static void authenticate(const struct work *w, uint8_t *const *data, const uint32_t *lens, unsigned from,
    unsigned count, uint8_t (*tags)[AEAD_BURST_TAG_LEN])
{
	struct mac_job jobs[GROUP];

	for (unsigned k = 0; k < count; k++) {
		unsigned i = w->order[from + k];

		jobs[k] = (struct mac_job){w->otk[i], data[i], lens[i], tags ? tags[k] : data[i] + lens[i]};
	}
	mac_group(jobs, count);
}

static void seal(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct work w;
	unsigned sealed = 0, ready = 0; /* packets, in order: authenticated; queued as a whole group */
	uint32_t ran = 0;		/* n_done that shows those to be encrypted */

	begin(&w, key, counters, lens, n);
	for (unsigned at = 0; at < n; at++) {
		unsigned i = w.order[at];

		queue_packet(&w, counters[i], data[i], lens[i]);
		if (ready > sealed && w.n_done >= ran) {
			authenticate(&w, data, lens, sealed, GROUP, NULL);
			sealed += GROUP;
		}
		if (at + 1 - sealed == GROUP && ready == sealed) {
			ready = at + 1;
			ran = w.n_done + (w.n_queued > 0);
		}
	}
	finish_lanes(&w);
	for (; sealed < n; sealed += GROUP)
		authenticate(&w, data, lens, sealed, n - sealed < GROUP ? n - sealed : GROUP, NULL);
	end(&w, n);
}

/* A packet is decrypted once its tag was right, never before. */
static uint64_t open(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint8_t tags[GROUP][AEAD_BURST_TAG_LEN];
	uint64_t authentic = 0;
	struct work w;

	begin(&w, key, counters, lens, n);
	finish_lanes(&w);
	for (unsigned from = 0; from < n; from += GROUP) {
		unsigned count = n - from < GROUP ? n - from : GROUP;

		authenticate(&w, data, lens, from, count, tags);
		for (unsigned k = 0; k < count; k++) {
			unsigned i = w.order[from + k];
			uint64_t right = poly_equal_tags(tags[k], data[i] + lens[i]);

			aead_declassify(&right, sizeof(right));
			authentic |= right << i;
			if (right)
				queue_packet(&w, counters[i], data[i], lens[i]);
		}
	}
	finish_lanes(&w);
	memset(tags, 0, sizeof(tags));
	__asm__ volatile("" : : "r"(tags) : "memory");
	end(&w, n);
	return authentic;
}
