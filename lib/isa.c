/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instructions in use. Any thread reads; main and tests write before.
 */
#include "lib/isa.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "lib/err.h"

static const char *const names[] = {[ISA_SCALAR] = "scalar",
    [ISA_SSE] = "sse",
    [ISA_AVX2] = "avx2",
    [ISA_AVX512] = "avx512",
    [ISA_AVX512_VPOPCNTDQ] = "avx512-vpopcntdq"};

#define N_ISAS (sizeof(names) / sizeof(names[0]))

static _Atomic int selected = -1; /* not yet; whoever asks first at the same time says the same: relaxed */

static bool machine_has(enum isa isa)
{
#ifdef __x86_64__
	bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");

	switch (isa) {
	case ISA_SCALAR:
		break;
	case ISA_SSE:
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	case ISA_AVX2:
		return __builtin_cpu_supports("avx2");
	case ISA_AVX512:
		return avx512;
	case ISA_AVX512_VPOPCNTDQ:
		return avx512 && __builtin_cpu_supports("avx512vpopcntdq");
	}
#endif
	return isa == ISA_SCALAR;
}

int isa_select(const char *name)
{
	for (int i = N_ISAS - 1; i >= 0; i--) {
		if ((name && strcmp(name, names[i]) != 0) || !machine_has((enum isa)i))
			continue;
		atomic_store_explicit(&selected, i, memory_order_relaxed);
		return 0;
	}
	return ERR_UNSUPPORTED;
}

enum isa isa_selected(void)
{
	int isa = atomic_load_explicit(&selected, memory_order_relaxed);

	if (isa < 0) {
		(void)isa_select(NULL); /* scalar is everywhere */
		isa = atomic_load_explicit(&selected, memory_order_relaxed);
	}
	return (enum isa)isa;
}

const char *isa_name(void)
{
	return names[isa_selected()];
}
