/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which form of the lookups serves. Readers.
 */
#include "lib/lpm_lookup.h"

#include "lib/isa.h"

static const struct lpm_form *const forms[] = {
    [ISA_SCALAR] = &lpm_form_scalar,
#ifdef __x86_64__
    [ISA_SSE] = &lpm_form_scalar, /* its forms are of gathers, which SSE has not */
    [ISA_AVX2] = &lpm_form_avx2,
    [ISA_AVX512] = &lpm_form_avx512,
    [ISA_AVX512_VPOPCNTDQ] = &lpm_form_avx512_vpopcntdq,
#endif
};

const struct lpm_form *lpm_form(void)
{
	return forms[isa_selected()];
}
