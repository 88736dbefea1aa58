/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which instructions the fast forms of our loops may use: the best that the machine has, or less, as
 * --isa says. Chosen at start, before other threads run; read by all.
 */
#ifndef BYWAY_LIB_ISA_H
#define BYWAY_LIB_ISA_H

enum isa {
	ISA_SCALAR,
	ISA_SSE, /* up to 4.2, with POPCNT */
	ISA_AVX2,
	ISA_AVX512,	      /* F, BW, DQ and VL, as since Skylake-SP */
	ISA_AVX512_VPOPCNTDQ, /* and VPOPCNTDQ, as since Ice Lake and Zen 4 */
};

#define ISA_NAMES "scalar, sse, avx2, avx512 or avx512-vpopcntdq"

/* One of ISA_NAMES; NULL: the best. ERR_UNSUPPORTED: no such name, or the machine lacks it; nothing changed.
 */
int isa_select(const char *name);
enum isa isa_selected(void);
const char *isa_name(void);

#endif
