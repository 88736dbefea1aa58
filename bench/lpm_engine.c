/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engines of bench/lpm: lib/lpm4 and lib/lpm6, and DPDK's rte_fib and rte_fib6 with 4-byte next hops.
 * Main thread creates and changes them; readers call lookup.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_malloc.h>

#include "bench/lpm.h"
#include "dataplane/rcu.h"
#include "lib/err.h"
#include "lib/isa.h"
#include "lib/lpm4.h"
#include "lib/lpm6.h"

#define SPARE_TBL8	4096 /* for what updates need on the way */
#define SPARE_ROUTES	65536
#define QUIESCENT_EVERY 256
#define TBL24_LEN	(4ul << 24)
#define TBL8_LEN	(4ul << 8)
#define NO_HUGE_MIB	"1024"

/* "--lcores=0@(0,1)": one lcore on the CPUs that the process may use. */
static void format_lcores(char *buf, size_t size)
{
	cpu_set_t set;
	size_t at = (size_t)snprintf(buf, size, "--lcores=0@(");

	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned i = 0; i < CPU_SETSIZE && at < size - 8; i++)
		if (CPU_ISSET(i, &set))
			at += (size_t)snprintf(buf + at, size - at, "%s%u", buf[at - 1] == '(' ? "" : ",", i);
	snprintf(buf + at, size - at, ")");
}

/* The EAL's memory grows as it is needed; without huge pages it must be said before. */
int lpm_eal_start(bool huge)
{
	static bool started;
	static char prefix[48], lcores[256];
	char *argv[16] = {"lpm", prefix, "--no-pci", "--no-telemetry", "--log-level=*:error",
	    "--force-max-simd-bitwidth=512", "--iova-mode=va", lcores};
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long pages = 0;
	int argc = 8;

	if (started)
		return 0;
	format_lcores(lcores, sizeof(lcores));
	snprintf(prefix, sizeof(prefix), "--file-prefix=byway-lpm-%d", (int)getpid());
	if (f && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	if (huge && pages * 2 >= 512) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "-m" NO_HUGE_MIB;
	}
	if (rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "lpm: DPDK does not start: %s\n", rte_strerror(rte_errno));
		return ERR_IO;
	}
	started = true;
	return 0;
}

/* ---- ours ---- */

static const char *const byway_forms[] = {"avx512-vpopcntdq", "avx512", "avx2", "scalar", NULL};

static int byway_select(void *e, const char *form)
{
	return isa_select(form);
}

static int byway4_set(void *e, const struct lpm_route *r)
{
	uint32_t addr_be;

	memcpy(&addr_be, r->addr, 4);
	return lpm4_set(e, addr_be, r->len, r->value);
}

static int byway4_del(void *e, const struct lpm_route *r)
{
	uint32_t addr_be;

	memcpy(&addr_be, r->addr, 4);
	return lpm4_del(e, addr_be, r->len);
}

static int byway6_set(void *e, const struct lpm_route *r)
{
	return lpm6_set(e, r->addr, r->len, r->value);
}

static int byway6_del(void *e, const struct lpm_route *r)
{
	return lpm6_del(e, r->addr, r->len);
}

static void *load(void *e, const struct lpm_table *t, int (*set)(void *e, const struct lpm_route *r))
{
	int err = e ? 0 : ERR_NOMEM;

	for (size_t i = 0; !err && i < t->n; i++) {
		err = set(e, &t->routes[i]);
		if (i % QUIESCENT_EVERY == 0) /* as the thread that loads a router's table does */
			rcu_quiescent_state();
	}
	if (err) {
		fprintf(stderr, "lpm: a route is refused: %s\n", err_text(err));
		return NULL; /* what is loaded goes with the process */
	}
	return e;
}

static void *byway4_create(const struct lpm_table *t)
{
	return load(lpm4_new(&rcu_lpm_mem), t, byway4_set);
}

static void *byway6_create(const struct lpm_table *t)
{
	return load(lpm6_new(&rcu_lpm_mem), t, byway6_set);
}

static void byway4_lookup(void *e, void *keys, void *values, unsigned n)
{
	lpm4_lookup_bulk(e, keys, values, n);
}

static void byway6_lookup(void *e, void *keys, void *values, unsigned n)
{
	lpm6_lookup_bulk(e, keys, values, n);
}

/* What waited for readers is let go at the first change after a grace period. */
static void settle(void *e, const struct lpm_table *t, int (*set)(void *e, const struct lpm_route *r))
{
	struct lpm_route last = t->routes[t->n - 1];

	rcu_lpm_mem.wait(rcu_lpm_mem.arg);
	last.value++;
	(void)set(e, &last);
	(void)set(e, &t->routes[t->n - 1]);
}

static void byway4_memory(void *e, const struct lpm_table *t, struct lpm_bytes *out)
{
	struct lpm_usage u;

	settle(e, t, byway4_set);
	lpm4_usage(e, &u);
	*out = (struct lpm_bytes){.tables = u.lookup + u.late, .least = u.lookup + u.late, .control = u.book};
}

static void byway6_memory(void *e, const struct lpm_table *t, struct lpm_bytes *out)
{
	struct lpm_usage u;

	settle(e, t, byway6_set);
	lpm6_usage(e, &u);
	*out = (struct lpm_bytes){.tables = u.lookup + u.late, .least = u.lookup + u.late, .control = u.book};
}

static void byway4_destroy(void *e)
{
	lpm4_free(e);
}

static void byway6_destroy(void *e)
{
	lpm6_free(e);
}

static const struct lpm_engine byway4 = {.name = "byway",
    .family = 4,
    .forms = byway_forms,
    .create = byway4_create,
    .select = byway_select,
    .lookup = byway4_lookup,
    .set = byway4_set,
    .del = byway4_del,
    .memory = byway4_memory,
    .destroy = byway4_destroy};
static const struct lpm_engine byway6 = {.name = "byway",
    .family = 6,
    .forms = byway_forms,
    .create = byway6_create,
    .select = byway_select,
    .lookup = byway6_lookup,
    .set = byway6_set,
    .del = byway6_del,
    .memory = byway6_memory,
    .destroy = byway6_destroy};

/* ---- DPDK's ---- */

/* What both begin with, in 22.11 (lib/fib/dir24_8.h, trie.h); the library offers no call for it. */
struct tbl8_counts {
	uint32_t number, reserved; /* no more than number can be reserved: that many a table must have */
};

static const char *const fib4_forms[] = {"scalar-macro", "scalar-inline", "scalar-uni", "avx512", NULL};
static const char *const fib6_forms[] = {"scalar", "avx512", NULL};

static int form_index(const char *const *forms, const char *form)
{
	for (int i = 0; forms[i]; i++)
		if (strcmp(forms[i], form) == 0)
			return i;
	return ERR_INVALID;
}

static size_t heap_used(void)
{
	struct rte_malloc_socket_stats s;

	return rte_malloc_get_socket_stats(0, &s) == 0 ? s.heap_allocsz_bytes : 0;
}

static size_t heap_before;

static int fib4_select(void *e, const char *form)
{
	static const enum rte_fib_lookup_type types[] = {RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO,
	    RTE_FIB_LOOKUP_DIR24_8_SCALAR_INLINE, RTE_FIB_LOOKUP_DIR24_8_SCALAR_UNI,
	    RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512};
	int i = form_index(fib4_forms, form);

	return i < 0 || rte_fib_select_lookup(e, types[i]) != 0 ? ERR_UNSUPPORTED : 0;
}

static int fib6_select(void *e, const char *form)
{
	static const enum rte_fib6_lookup_type types[] = {
	    RTE_FIB6_LOOKUP_TRIE_SCALAR, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512};
	int i = form_index(fib6_forms, form);

	return i < 0 || rte_fib6_select_lookup(e, types[i]) != 0 ? ERR_UNSUPPORTED : 0;
}

static int fib4_set(void *e, const struct lpm_route *r)
{
	uint32_t addr_be;

	memcpy(&addr_be, r->addr, 4);
	return rte_fib_add(e, ntohl(addr_be), r->len, r->value) == 0 ? 0 : ERR_FULL;
}

static int fib4_del(void *e, const struct lpm_route *r)
{
	uint32_t addr_be;

	memcpy(&addr_be, r->addr, 4);
	return rte_fib_delete(e, ntohl(addr_be), r->len) == 0 ? 0 : ERR_NOENT;
}

static int fib6_set(void *e, const struct lpm_route *r)
{
	return rte_fib6_add(e, r->addr, r->len, r->value) == 0 ? 0 : ERR_FULL;
}

static int fib6_del(void *e, const struct lpm_route *r)
{
	return rte_fib6_delete(e, r->addr, r->len) == 0 ? 0 : ERR_NOENT;
}

static void *fib4_create(const struct lpm_table *t)
{
	struct rte_fib_conf conf = {.type = RTE_FIB_DIR24_8,
	    .max_routes = (int)(t->n + SPARE_ROUTES),
	    .dir24_8 = {
		.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = (uint32_t)lpm_table_count_tbl8(t) + SPARE_TBL8}};

	heap_before = heap_used();
	return load(rte_fib_create("bench", SOCKET_ID_ANY, &conf), t, fib4_set);
}

/* It reserves by a pessimistic rule, so a route may need as many groups as it is bytes behind the first
 * three. */
static void *fib6_create(const struct lpm_table *t)
{
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE,
	    .max_routes = (int)(t->n + SPARE_ROUTES),
	    .trie = {.nh_sz = RTE_FIB6_TRIE_4B}};
	size_t n = SPARE_TBL8;

	for (size_t i = 0; i < t->n; i++)
		n += t->routes[i].len > 24 ? (t->routes[i].len - 17u) / 8 : 0;
	conf.trie.num_tbl8 = (uint32_t)n;
	heap_before = heap_used();
	return load(rte_fib6_create("bench", SOCKET_ID_ANY, &conf), t, fib6_set);
}

static void fib4_lookup(void *e, void *keys, void *values, unsigned n)
{
	rte_fib_lookup_bulk(e, keys, values, (int)n);
}

static void fib6_lookup(void *e, void *keys, void *values, unsigned n)
{
	rte_fib6_lookup_bulk(e, keys, values, (int)n);
}

static void fib_memory(const void *dp, const struct lpm_table *t, struct lpm_bytes *out)
{
	struct tbl8_counts counts;

	memcpy(&counts, dp, sizeof(counts));
	out->tables = TBL24_LEN + lpm_table_count_tbl8(t) * TBL8_LEN;
	out->least = TBL24_LEN + (counts.reserved + 1) * TBL8_LEN;
	out->control = heap_used() - heap_before - TBL24_LEN - counts.number * TBL8_LEN;
}

static void fib4_memory(void *e, const struct lpm_table *t, struct lpm_bytes *out)
{
	fib_memory(rte_fib_get_dp(e), t, out);
}

static void fib6_memory(void *e, const struct lpm_table *t, struct lpm_bytes *out)
{
	fib_memory(rte_fib6_get_dp(e), t, out);
}

static void fib4_destroy(void *e)
{
	rte_fib_free(e);
}

static void fib6_destroy(void *e)
{
	rte_fib6_free(e);
}

static const struct lpm_engine fib4 = {.name = "rte_fib",
    .family = 4,
    .host_order = true,
    .wide = true,
    .dpdk = true,
    .forms = fib4_forms,
    .create = fib4_create,
    .select = fib4_select,
    .lookup = fib4_lookup,
    .set = fib4_set,
    .del = fib4_del,
    .memory = fib4_memory,
    .destroy = fib4_destroy};
static const struct lpm_engine fib6 = {.name = "rte_fib",
    .family = 6,
    .wide = true,
    .dpdk = true,
    .forms = fib6_forms,
    .create = fib6_create,
    .select = fib6_select,
    .lookup = fib6_lookup,
    .set = fib6_set,
    .del = fib6_del,
    .memory = fib6_memory,
    .destroy = fib6_destroy};

const struct lpm_engine *const lpm_engines[] = {&byway4, &byway6, &fib4, &fib6, NULL};

const struct lpm_engine *lpm_engine_find(const char *name, unsigned family)
{
	for (const struct lpm_engine *const *e = lpm_engines; *e; e++)
		if ((*e)->family == family && strcmp((*e)->name, name) == 0)
			return *e;
	for (const struct lpm_engine *const *e = lpm_candidates; *e; e++)
		if ((*e)->family == family && strcmp((*e)->name, name) == 0)
			return *e;
	return NULL;
}
