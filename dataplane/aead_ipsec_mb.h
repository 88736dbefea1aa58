/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intel's ipsec-mb as a back end of lib/aead_burst, and bare, as the baseline of the benchmarks. lib must not
 * know that library, so the dataplane adds it to lib's table at start.
 */
#ifndef BYWAY_DATAPLANE_AEAD_IPSEC_MB_H
#define BYWAY_DATAPLANE_AEAD_IPSEC_MB_H

#include <stdint.h>

/* The ways into the library: a job at a time, the same unchecked, many jobs a call, or its cipher called
 * directly. */
enum aead_ipsec_mb_api {
	AEAD_IPSEC_MB_JOB,
	AEAD_IPSEC_MB_NOCHECK,
	AEAD_IPSEC_MB_BURST,
	AEAD_IPSEC_MB_DIRECT,
	AEAD_IPSEC_MB_APIS,
};

/* A manager of the library. Used by one thread at a time. */
struct aead_ipsec_mb;

/*
 * Adds "ipsec-mb" to the table of aead_burst.h, with a manager for each of the threads that may call it.
 * Once, before aead_burst_init. ERR_NOMEM; ERR_UNSUPPORTED: not this machine.
 */
int aead_ipsec_mb_register(void);

/*
 * arch: "avx512", "avx2", "avx" or "sse"; NULL: the best. Freed by aead_ipsec_mb_free. ERR_NOENT: no such
 * arch; ERR_NOMEM; ERR_UNSUPPORTED: not this machine.
 */
int aead_ipsec_mb_new(const char *arch, struct aead_ipsec_mb **out);
void aead_ipsec_mb_free(struct aead_ipsec_mb *mb);

/* As aead_burst_seal and aead_burst_open. */
void aead_ipsec_mb_seal(struct aead_ipsec_mb *mb, enum aead_ipsec_mb_api api, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n);
uint64_t aead_ipsec_mb_open(struct aead_ipsec_mb *mb, enum aead_ipsec_mb_api api, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n);

#endif
