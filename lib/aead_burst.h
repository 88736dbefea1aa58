/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sealing and opening of many packets under one key (ChaCha20-Poly1305 of
 * RFC 8439 as WireGuard's transport data uses it: no associated data, nonce =
 * counter). A table of back ends, one of them chosen at start. Called by the
 * workers' encap and decap stages; any thread after aead_burst_init.
 */
#ifndef BYWAY_LIB_AEAD_BURST_H
#define BYWAY_LIB_AEAD_BURST_H

#include <stddef.h>
#include <stdint.h>

#define AEAD_BURST_MAX	   64 /* packets a call: the bits of the mask */
#define AEAD_BURST_KEY_LEN 32
#define AEAD_BURST_TAG_LEN 16

/* What a back end provides; each call as the functions of the same name below, with n of 1-64. */
struct aead_burst_backend {
	const char *name;
	int (*probe)(void); /* 0 when this machine can run it */
	void (*seal)(const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens,
	    unsigned n);
	uint64_t (*open)(const uint8_t *key, const uint64_t *counters, uint8_t *const *data,
	    const uint32_t *lens, unsigned n);
	/* The same with a key for each packet; NULL: each run of one key is a call of the above. */
	void (*seal_each)(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
	    const uint32_t *lens, unsigned n);
	uint64_t (*open_each)(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
	    const uint32_t *lens, unsigned n);
};

/*
 * Adds a back end, which must stay, behind lib's own. Before aead_burst_init; for libraries that lib must not
 * know. ERR_FULL.
 */
int aead_burst_add(const struct aead_burst_backend *backend);

/*
 * Once, before the workers start. name NULL: those that the machine can run are tried on bursts of several
 * counts and lengths, which takes a few milliseconds, and each kind of burst gets the fastest; else this one
 * serves all. ERR_NOENT: no back end of that name; ERR_UNSUPPORTED: this machine cannot run it, or isa.h does
 * not allow it.
 */
int aead_burst_init(const char *name);
/* The name of the back end for full bursts of long packets. */
const char *aead_burst_name(void);

/* What serves a kind of burst: up to so many packets of up to so many bytes on average (UINT32_MAX: and all
 * beyond). */
struct aead_burst_choice {
	uint32_t packets, len;
	const char *name;
	uint64_t seal_ns; /* a packet, when it was tried; 0: it was not, but named */
};

#define AEAD_BURST_CHOICES 12

/* Kind i below AEAD_BURST_CHOICES, in order of packets, then of length. Any thread after aead_burst_init. */
void aead_burst_get_choice(unsigned i, struct aead_burst_choice *out);

/*
 * The choices as a line for people, cut to len: "1-4: ipsec-mb, 5-64: avx512-ifma", by packets; where lengths
 * differ, three names, as in "1: avx2/avx2/ipsec-mb". Returns buf.
 */
const char *aead_burst_describe(char *buf, size_t len);

/*
 * Seals n (0-64) packets in place: data[i] holds lens[i] bytes of plaintext and room for 16 more,
 * which take the tag. Counters need not be consecutive. Distinct packets must not overlap.
 */
void aead_burst_seal(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n);
/*
 * Opens n (0-64) packets in place: data[i] holds lens[i] bytes of ciphertext followed by the 16 bytes
 * of the tag (lens does not count them). Bit i of the result is set when packet i is authentic;
 * otherwise its bytes are no plaintext.
 */
uint64_t aead_burst_open(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters,
    uint8_t *const *data, const uint32_t *lens, unsigned n);

/*
 * The same where each packet has its own key: keys[i] is packet i's, and neighbours under one key
 * should name it by the same pointer. A burst of many peers fills the lanes as one of a single peer does,
 * where the back end can do that; else each run of a key is a call.
 */
void aead_burst_seal_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n);
uint64_t aead_burst_open_each(const uint8_t *const *keys, const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n);

#endif
