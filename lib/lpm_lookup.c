/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which form of the lookups serves. Chosen once, before readers run; the best comes first.
 */
#include "lib/lpm_lookup.h"

#include <string.h>

#include "lib/err.h"

static const struct lpm_isa *const forms[] = {
#ifdef __x86_64__
    &lpm_isa_avx512_vpopcntdq, &lpm_isa_avx512, &lpm_isa_avx2,
#endif
    &lpm_isa_scalar};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Written before readers run, or by two writers at once with the same choice: relaxed. */
static _Atomic(const struct lpm_isa *) chosen;

int lpm_select_isa(const char *name)
{
	for (size_t i = 0; i < FORMS; i++) {
		if ((name && strcmp(name, forms[i]->name) != 0) || !forms[i]->usable())
			continue;
		atomic_store_explicit(&chosen, forms[i], memory_order_relaxed);
		return 0;
	}
	return ERR_UNSUPPORTED;
}

const struct lpm_isa *lpm_isa(void)
{
	const struct lpm_isa *isa = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (isa)
		return isa;
	(void)lpm_select_isa(NULL); /* the last form is usable everywhere */
	return atomic_load_explicit(&chosen, memory_order_relaxed);
}

const char *lpm_isa_name(void)
{
	return lpm_isa()->name;
}
