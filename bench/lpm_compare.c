/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ours against rte_fib, answer by answer: around both ends of each prefix, where alone an answer can change,
 * and at random addresses; with the whole table, with half of it withdrawn, and whole again. Where they
 * differ a search through the routes says who is right, and only an error of ours fails: rte_fib 22.11 does
 * not install a default route nor a prefix that ends where the address space ends (its bound overflows to 0),
 * and rte_fib6 refuses routes for which it has room. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "bench/lpm.h"
#include "lib/err.h"
#include "lib/ip.h"

#define PROBES 4 /* before, first, last, after */

struct pair {
	const struct lpm_table *table;
	bool *away; /* by route: withdrawn from both */
	size_t n_compared, theirs_wrong, theirs_refused;
	const struct lpm_engine *ours, *theirs;
	void *t, *u;
	unsigned bits;
};

/* One up or down, over all bytes. */
static void step(uint8_t *addr, unsigned bits, int by)
{
	for (unsigned i = bits / 8; i-- > 0;) {
		addr[i] = (uint8_t)(addr[i] + by);
		if (addr[i] != (by > 0 ? 0 : 0xff))
			return;
	}
}

static void make_probes(const struct lpm_route *r, unsigned bits, uint8_t probes[PROBES][16])
{
	for (unsigned i = 0; i < PROBES; i++)
		memcpy(probes[i], r->addr, 16);
	for (unsigned i = 2; i < PROBES; i++)
		for (unsigned b = r->len / 8; b < bits / 8; b++)
			probes[i][b] |= (uint8_t)(0xffu >> (b * 8 < r->len ? r->len - b * 8 : 0));
	step(probes[0], bits, -1);
	step(probes[3], bits, 1);
}

/* As lookups of IPv4 want them: 4 bytes each, in the order of the engine. */
static void pack(const struct lpm_engine *e, uint8_t (*probes)[16], unsigned n, uint8_t *keys)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t number;

		if (e->family == 6) {
			memcpy(keys + i * 16, probes[i], 16);
			continue;
		}
		memcpy(&number, probes[i], 4);
		number = e->host_order ? ntohl(number) : number;
		memcpy(keys + i * 4, &number, 4);
	}
}

static uint64_t value_at(const struct lpm_engine *e, const uint64_t *values, unsigned i)
{
	return e->wide ? values[i] : ((const uint32_t *)values)[i];
}

static bool covers(const struct lpm_route *r, const uint8_t *addr)
{
	unsigned whole = r->len / 8, rest = r->len % 8;

	return memcmp(r->addr, addr, whole) == 0 &&
	       (!rest || !((r->addr[whole] ^ addr[whole]) >> (8 - rest)));
}

/* The right answer, the slow way. */
static uint32_t value_by_scan(const struct pair *p, const uint8_t *addr)
{
	const struct lpm_route *best = NULL;

	for (size_t i = 0; i < p->table->n; i++)
		if (!p->away[i] && covers(&p->table->routes[i], addr) &&
		    (!best || p->table->routes[i].len > best->len))
			best = &p->table->routes[i];
	return best ? best->value : 0;
}

/* Counts what rte_fib gets wrong; ERR_PROTO where we are. */
static int judge(struct pair *p, const uint8_t *addr, uint64_t ours, uint64_t theirs)
{
	struct ip_addr a = p->bits == 128 ? ip_addr_v6(addr) : (struct ip_addr){.family = IP_V4};
	uint32_t right = value_by_scan(p, addr);
	char text[IP_ADDR_STRLEN];

	if (ours == right) {
		p->theirs_wrong++;
		return 0;
	}
	memcpy(a.b, addr, p->bits / 8);
	fprintf(stderr, "lpm: %s: %lu of ours, %lu of rte_fib, right is %u\n", ip_addr_format(&a, text),
	    (unsigned long)ours, (unsigned long)theirs, right);
	return ERR_PROTO;
}

static int compare_probes(struct pair *p, uint8_t (*probes)[16], unsigned n)
{
	uint64_t ours[LPM_BURST_MAX], theirs[LPM_BURST_MAX];
	_Alignas(64) uint8_t keys[LPM_BURST_MAX * 16];
	int err = 0;

	pack(p->ours, probes, n, keys);
	p->ours->lookup(p->t, keys, ours, n);
	pack(p->theirs, probes, n, keys);
	p->theirs->lookup(p->u, keys, theirs, n);
	p->n_compared += n;
	for (unsigned i = 0; i < n && !err; i++)
		if (value_at(p->ours, ours, i) != value_at(p->theirs, theirs, i))
			err = judge(p, probes[i], value_at(p->ours, ours, i), value_at(p->theirs, theirs, i));
	return err;
}

/* Bursts of all sizes, so that the ends of vector loops are met. */
static int compare_all(struct pair *p, const struct lpm_table *t, size_t n_random)
{
	uint8_t probes[LPM_BURST_MAX][16];
	unsigned n = 0, burst = PROBES;
	uint64_t seed = 11;
	int err = 0;

	for (size_t i = 0; i < t->n && !err; i++) {
		make_probes(&t->routes[i], p->bits, &probes[n]);
		n += PROBES;
		if (n < burst && i + 1 < t->n)
			continue;
		err = compare_probes(p, probes, n - (unsigned)(lpm_random(&seed) % PROBES));
		n = 0;
		burst = PROBES + (unsigned)(lpm_random(&seed) % (LPM_BURST_MAX - 2 * PROBES));
	}
	for (size_t i = 0; i < n_random && !err; i += LPM_BURST_MAX) {
		for (unsigned j = 0; j < sizeof(probes); j++)
			((uint8_t *)probes)[j] = (uint8_t)lpm_random(&seed);
		err = compare_probes(p, probes, LPM_BURST_MAX);
	}
	return err;
}

static int change_both(struct pair *p, const struct lpm_table *t, bool add)
{
	uint64_t seed = 5;
	int err = 0;

	for (size_t i = 0; i < t->n && !err; i++) {
		if (lpm_random(&seed) % 2)
			continue;
		p->away[i] = !add;
		err = add ? p->ours->set(p->t, &t->routes[i]) : p->ours->del(p->t, &t->routes[i]);
		if ((add ? p->theirs->set : p->theirs->del)(p->u, &t->routes[i]) != 0)
			p->theirs_refused++;
	}
	if (err)
		fprintf(stderr, "lpm: an update is refused: %s\n", err_text(err));
	return err;
}

/* By the form that was asked for; "best": by each that this machine has. */
static int compare_forms(struct pair *p, const struct lpm_table *table, const struct lpm_options *o)
{
	bool every = strcmp(o->form, "best") == 0;
	int err = ERR_UNSUPPORTED;

	for (unsigned i = 0; p->ours->forms[i]; i++) {
		if ((!every && strcmp(o->form, p->ours->forms[i]) != 0) ||
		    p->ours->select(p->t, p->ours->forms[i]) != 0)
			continue;
		err = compare_all(p, table, o->n_keys);
		if (err)
			return err;
	}
	if (err)
		fprintf(stderr, "lpm: %s does not look up as '%s' here\n", o->engine, o->form);
	return err;
}

int lpm_run_compare(const struct lpm_options *o, const struct lpm_table *table)
{
	struct pair p = {.ours = lpm_engine_find(o->engine, o->family),
	    .theirs = lpm_engine_find("rte_fib", o->family),
	    .bits = o->family == 4 ? 32 : 128};
	int err;

	p.table = table;
	p.away = calloc(table->n, sizeof(*p.away));
	if (!p.ours)
		return ERR_INVALID;
	p.t = p.ours->create(table);
	p.u = p.theirs->create(table);
	if (!p.t || !p.u || p.theirs->select(p.u, p.theirs->forms[0]) != 0)
		return ERR_NOMEM;
	err = compare_forms(&p, table, o);
	if (!err && p.ours->del) {
		err = change_both(&p, table, false);
		if (!err)
			err = compare_forms(&p, table, o);
		if (!err)
			err = change_both(&p, table, true);
		if (!err)
			err = compare_forms(&p, table, o);
	}
	if (!err && p.theirs_wrong > p.n_compared / 10) {
		fprintf(stderr, "lpm: rte_fib is wrong too often for a comparison\n");
		err = ERR_PROTO;
	}
	if (!err)
		printf("compared %zu rte_fib-wrong %zu rte_fib-refused %zu\n", p.n_compared, p.theirs_wrong,
		    p.theirs_refused);
	p.ours->destroy(p.t);
	p.theirs->destroy(p.u);
	return err;
}
