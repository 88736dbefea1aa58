/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the candidates share: their list, and the elementary intervals of a table, by a sweep over sorted
 * routes with a stack of those that cover the current address. Main thread.
 */
#include "bench/lpm_candidates.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

const char *const lpm_candidate_forms[] = {"scalar", "avx512", NULL};

const struct lpm_engine *const lpm_candidates[] = {
    &lpm_dxr18, &lpm_dxr19, &lpm_dxr20, &lpm_btree4, &lpm_btree6, NULL};

#define DEPTH_MAX 129

struct cover {
	lpm_u128 last; /* address, inclusive */
	uint32_t value;
};

static lpm_u128 load_addr(const uint8_t *addr)
{
	lpm_u128 v = 0;

	for (unsigned i = 0; i < 16; i++)
		v = v << 8 | addr[i];
	return v;
}

static lpm_u128 last_of(const struct lpm_route *r)
{
	lpm_u128 all = ~(lpm_u128)0;

	return load_addr(r->addr) | (r->len == 128 ? 0 : all >> r->len);
}

/* From start on it is value, as far as is known. */
static void emit(struct lpm_intervals *l, lpm_u128 start, uint32_t value)
{
	if (l->n && l->list[l->n - 1].start == start)
		l->n--;
	if (l->n && l->list[l->n - 1].value == value)
		return;
	l->list[l->n++] = (struct lpm_interval){start, value};
}

int lpm_intervals_make(const struct lpm_table *t, struct lpm_intervals *out)
{
	struct lpm_intervals l = {.list = calloc(2 * t->n + 2, sizeof(*l.list))};
	struct cover stack[DEPTH_MAX + 1];
	unsigned depth = 0;

	if (!l.list)
		return ERR_NOMEM;
	emit(&l, 0, 0);
	for (size_t i = 0; i <= t->n; i++) {
		const struct lpm_route *r = i < t->n ? &t->routes[i] : NULL;

		while (depth && (!r || stack[depth - 1].last < load_addr(r->addr))) {
			lpm_u128 next = stack[--depth].last + 1;

			if (next) /* else the address space ends */
				emit(&l, next, depth ? stack[depth - 1].value : 0);
		}
		if (!r)
			break;
		stack[depth++] = (struct cover){last_of(r), r->value};
		emit(&l, load_addr(r->addr), r->value);
	}
	*out = l;
	return 0;
}

void lpm_intervals_free(struct lpm_intervals *l)
{
	free(l->list);
	*l = (struct lpm_intervals){0};
}

int lpm_candidate_check(const char *form, bool *vector)
{
	*vector = strcmp(form, "avx512") == 0;
	if (*vector && !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")))
		return ERR_UNSUPPORTED;
	return *vector || strcmp(form, "scalar") == 0 ? 0 : ERR_UNSUPPORTED;
}
