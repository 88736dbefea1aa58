/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of back ends, best first, and the one that goes packet by packet
 * through crypto.h. `chosen` is written by aead_burst_init before any worker
 * thread exists and only read afterwards.
 */
#include "lib/aead_burst.h"

#include <assert.h>
#include <string.h>

#include "lib/aead_burst_internal.h"
#include "lib/crypto.h"
#include "lib/err.h"

static_assert(AEAD_BURST_KEY_LEN == CRYPTO_KEY_LEN && AEAD_BURST_TAG_LEN == CRYPTO_TAG_LEN, "one cipher");

#define BACKENDS_MAX 16

static int probe_sodium(void)
{
	return 0;
}

static void seal_sodium(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		crypto_seal_aead(data[i], key, counters[i], data[i], lens[i], NULL, 0);
}

static uint64_t open_sodium(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	uint64_t authentic = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t sealed_len = (size_t)lens[i] + CRYPTO_TAG_LEN;

		if (!crypto_open_aead(data[i], key, counters[i], data[i], sealed_len, NULL, 0))
			authentic |= 1ull << i;
	}
	return authentic;
}

static const struct aead_burst_backend sodium = {"sodium", probe_sodium, seal_sodium, open_sodium};

static const struct aead_burst_backend *backends[BACKENDS_MAX] = {
#ifdef __x86_64__
    &aead_burst_avx512_ifma,
    &aead_burst_avx2,
    &aead_burst_sse,
#endif
    &sodium,
    &aead_burst_portable,
};

static const struct aead_burst_backend *chosen = &sodium;

int aead_burst_add(const struct aead_burst_backend *backend)
{
	for (unsigned i = 0; i < BACKENDS_MAX; i++) {
		if (backends[i])
			continue;
		backends[i] = backend;
		return 0;
	}
	return ERR_FULL;
}

int aead_burst_init(const char *name)
{
	for (unsigned i = 0; i < BACKENDS_MAX && backends[i]; i++) {
		if (name && strcmp(name, backends[i]->name) != 0)
			continue;
		if (backends[i]->probe() == 0) {
			chosen = backends[i];
			return 0;
		}
		if (name)
			return ERR_UNSUPPORTED;
	}
	return name ? ERR_NOENT : ERR_UNSUPPORTED;
}

const char *aead_burst_name(void)
{
	return chosen->name;
}

void aead_burst_seal(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters, uint8_t *const *data,
    const uint32_t *lens, unsigned n)
{
	assert(n <= AEAD_BURST_MAX);
	chosen->seal(key, counters, data, lens, n);
}

uint64_t aead_burst_open(const uint8_t key[AEAD_BURST_KEY_LEN], const uint64_t *counters,
    uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	assert(n <= AEAD_BURST_MAX);
	return chosen->open(key, counters, data, lens, n);
}
