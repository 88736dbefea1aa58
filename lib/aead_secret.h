/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forms of the burst cipher tell the checks for constant time (tests/unit/secret_aead.c), which
 * compile them with AEAD_CHECK_SECRETS. Nothing in what is installed.
 */
#ifndef BYWAY_LIB_AEAD_SECRET_H
#define BYWAY_LIB_AEAD_SECRET_H

#include <stddef.h>

/* From here on branches and addresses may depend on these bytes: whether a tag was right. */
#ifdef AEAD_CHECK_SECRETS
void aead_declassify(void *p, size_t len);
#else
static inline void aead_declassify(void *p, size_t len)
{
	(void)p;
	(void)len;
}
#endif

#endif
