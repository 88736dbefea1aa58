/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables and keys of bench/lpm. Main thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/lpm.h"
#include "lib/err.h"
#include "lib/ip.h"

#define LINES_MAX 4000000
#define HUGE_PAGE (2u << 20)

uint64_t lpm_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void *lpm_pages_alloc(size_t size)
{
	size_t whole = (size + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
	void *p = aligned_alloc(HUGE_PAGE, whole);

	if (!p)
		return NULL;
	(void)madvise(p, whole, MADV_HUGEPAGE); /* small pages where there are none */
	memset(p, 0, whole);
	return p;
}

static int compare_routes(const void *a, const void *b)
{
	const struct lpm_route *x = a, *y = b;
	int d = memcmp(x->addr, y->addr, sizeof(x->addr));

	return d ? d : (int)x->len - (int)y->len;
}

/* The value depends on the prefix alone, so that a part of a table has the values of the whole. */
static uint32_t value_of(const struct lpm_route *r, uint32_t n_values)
{
	uint64_t s = r->len, word;

	for (unsigned i = 0; i < 16; i += 8) {
		memcpy(&word, r->addr + i, 8);
		s = s * 31 + word;
	}
	return 1 + (uint32_t)(lpm_random(&s) % n_values);
}

static void finish(struct lpm_table *t, uint32_t n_values)
{
	size_t n = 0;

	if (t->n == 0)
		return;
	qsort(t->routes, t->n, sizeof(*t->routes), compare_routes);
	for (size_t i = 0; i < t->n; i++)
		if (n == 0 || compare_routes(&t->routes[n - 1], &t->routes[i]) != 0)
			t->routes[n++] = t->routes[i];
	t->n = n;
	for (size_t i = 0; i < n; i++)
		t->routes[i].value = value_of(&t->routes[i], n_values);
}

/* Every so many-th route: a small table has the clustering of a large one no longer, but its lengths. */
static void thin(struct lpm_table *t, size_t max)
{
	if (t->n <= max)
		return;
	for (size_t i = 0; i < max; i++)
		t->routes[i] = t->routes[(size_t)((double)i * (double)t->n / (double)max)];
	t->n = max;
}

int lpm_table_load(const char *path, unsigned family, size_t max, uint32_t n_values, struct lpm_table *out)
{
	FILE *f = fopen(path, "re");
	struct ip_prefix p;
	char line[128];

	if (!f) {
		fprintf(stderr, "lpm: %s: %s\n", path, strerror(errno));
		return ERR_IO;
	}
	*out = (struct lpm_table){.family = family, .routes = calloc(LINES_MAX, sizeof(struct lpm_route))};
	while (out->routes && out->n < LINES_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, " \t\n")] = 0;
		if (ip_prefix_parse(line, &p, NULL) != 0 || p.addr.family != family)
			continue;
		memcpy(out->routes[out->n].addr, p.addr.b, 16);
		out->routes[out->n++].len = p.len;
	}
	fclose(f);
	if (out->n == 0) {
		fprintf(stderr, "lpm: %s: no prefix of IPv%u in it\n", path, family);
		lpm_table_free(out);
		return ERR_NOENT;
	}
	finish(out, n_values);
	thin(out, max);
	return 0;
}

/* All lengths from 4 alike, nothing in the topmost sixteenth, where rte_fib 22.11 errs; half of the prefixes
 * begin as an earlier one does, so that they overlap. */
int lpm_table_random(unsigned family, size_t n, uint32_t n_values, struct lpm_table *out)
{
	unsigned bits = family == 4 ? 32 : 128;
	uint64_t seed = 7;

	*out = (struct lpm_table){.family = family, .routes = calloc(n, sizeof(struct lpm_route))};
	if (!out->routes)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct lpm_route *r = &out->routes[i];
		unsigned len = (unsigned)(4 + lpm_random(&seed) % (bits - 3));

		for (unsigned b = 0; b < bits / 8; b++)
			r->addr[b] = (uint8_t)lpm_random(&seed);
		r->addr[0] %= 0xf0;
		if (i && lpm_random(&seed) % 2) {
			const struct lpm_route *earlier = &out->routes[lpm_random(&seed) % i];

			memcpy(r->addr, earlier->addr, earlier->len / 8);
		}
		for (unsigned b = 0; b < 16; b++)
			if (b * 8 + 8 > len)
				r->addr[b] &= (uint8_t)(b * 8 >= len ? 0 : 0xff << (b * 8 + 8 - len));
		r->len = (uint8_t)len;
	}
	out->n = n;
	finish(out, n_values);
	return 0;
}

void lpm_table_free(struct lpm_table *t)
{
	free(t->routes);
	t->routes = NULL;
	t->n = 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	return memcmp(a, b, bits / 8) == 0; /* whole bytes only */
}

size_t lpm_table_count_tbl8(const struct lpm_table *t)
{
	const uint8_t *last[16] = {NULL}; /* by bytes of prefix: the last group counted */
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		for (unsigned bits = 24; bits < t->routes[i].len; bits += 8) {
			const uint8_t **l = &last[bits / 8];

			if (*l && same_bits(*l, t->routes[i].addr, bits))
				continue;
			*l = t->routes[i].addr;
			n++;
		}
	return n;
}

/* Random bits behind the prefix. */
static void fill_host(uint8_t *addr, unsigned len, unsigned bits, uint64_t *seed)
{
	for (unsigned i = len / 8; i < bits / 8; i++) {
		unsigned kept = i * 8 < len ? len - i * 8 : 0;

		addr[i] |= (uint8_t)(lpm_random(seed) & (0xffu >> kept));
	}
}

int lpm_keys_make(const struct lpm_table *t, size_t n, bool host_order, struct lpm_keys *out)
{
	unsigned bits = t->family == 4 ? 32 : 128;
	uint64_t seed = 1;
	uint8_t *at;

	*out = (struct lpm_keys){.n = n, .size = bits / 8, .addrs = lpm_pages_alloc(n * bits / 8)};
	if (!out->addrs)
		return ERR_NOMEM;
	at = out->addrs;
	for (size_t i = 0; i < n; i++, at += out->size) {
		const struct lpm_route *r = &t->routes[lpm_random(&seed) % t->n];
		uint32_t number;

		memcpy(at, r->addr, out->size);
		fill_host(at, r->len, bits, &seed);
		if (!host_order || t->family != 4)
			continue;
		memcpy(&number, at, 4);
		number = ntohl(number);
		memcpy(at, &number, 4);
	}
	return 0;
}
