/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The back ends of aead_burst.h that are lib's own: each is a file, compiled for the instructions it needs,
 * and says by its probe whether the machine has them and isa.h allows them. Only aead_burst.c and tests
 * include this.
 */
#ifndef BYWAY_LIB_AEAD_BURST_INTERNAL_H
#define BYWAY_LIB_AEAD_BURST_INTERNAL_H

#include "lib/aead_burst.h"

#ifdef __x86_64__
extern const struct aead_burst_backend
    aead_burst_avx512_ifma; /* and IFMA, VBMI2: as since Ice Lake and Zen 4 */
extern const struct aead_burst_backend aead_burst_avx2;
extern const struct aead_burst_backend aead_burst_sse; /* SSE4.1 */
#endif
extern const struct aead_burst_backend aead_burst_portable;

#endif
