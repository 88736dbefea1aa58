/* SPDX-License-Identifier: BSD-3-Clause */
/* A file of prefixes, one a line, as the benchmarks of the feed read it. */
#ifndef BYWAY_BENCH_ROUTES_H
#define BYWAY_BENCH_ROUTES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip.h"

struct bench_routes {
	struct ip_prefix *v;
	size_t n, room;
};

/* Adds the file's prefixes that unicast routes may have, max of them (0: all). -1: it cannot be read. */
static inline int bench_routes_read(struct bench_routes *r, const char *path, size_t max)
{
	FILE *f = fopen(path, "re");
	char line[128];

	if (!f)
		return -1;
	while ((max == 0 || r->n < max) && fgets(line, sizeof(line), f)) {
		struct ip_prefix p;

		line[strcspn(line, " \t\n")] = 0;
		if (ip_prefix_parse(line, &p, NULL) != 0)
			continue;
		if (r->n == r->room) {
			r->room = r->room ? r->room * 2 : 1024;
			r->v = realloc(r->v, r->room * sizeof(*r->v));
			if (!r->v)
				abort();
		}
		r->v[r->n++] = p;
	}
	fclose(f);
	return 0;
}

static inline int bench_routes_compare(const void *a, const void *b)
{
	return ip_prefix_cmp(a, b);
}

/* In order, each once: a generated table may name a prefix twice. */
static inline void bench_routes_sort(struct bench_routes *r)
{
	size_t n = 0;

	qsort(r->v, r->n, sizeof(*r->v), bench_routes_compare);
	for (size_t i = 0; i < r->n; i++)
		if (n == 0 || ip_prefix_cmp(&r->v[n - 1], &r->v[i]) != 0)
			r->v[n++] = r->v[i];
	r->n = n;
}

#endif
