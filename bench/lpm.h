/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of bench/lpm share: a table of routes, keys to look up, and the engines that are compared.
 * Main thread, except where lpm_update.c says otherwise.
 */
#ifndef BYWAY_BENCH_LPM_H
#define BYWAY_BENCH_LPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LPM_BURST_MAX	  256
#define LPM_STATUS_CANNOT 3 /* exit status: this machine lacks what the figure needs */

struct lpm_route {
	uint8_t addr[16]; /* IPv4 in the first four */
	uint8_t len;
	uint32_t value; /* from 1 */
};

/* Routes by address, then shorter first; no prefix twice. */
struct lpm_table {
	unsigned family; /* 4 or 6 */
	struct lpm_route *routes;
	size_t n;
};

/* Addresses as an engine wants them: 4 or 16 bytes each. */
struct lpm_keys {
	void *addrs;
	size_t n, size;
};

struct lpm_bytes {
	size_t tables;	/* where routes stand */
	size_t least;	/* with what must be reserved, or the engine refuses some of them */
	size_t control; /* beside that, for updates */
};

struct lpm_engine {
	const char *name;
	unsigned family;
	bool host_order;	  /* IPv4 keys are numbers of this machine, not of the network */
	bool wide;		  /* values are 64 bits */
	bool dpdk;		  /* needs the EAL */
	const char *const *forms; /* names for select, NULL behind the last */
	void *(*create)(const struct lpm_table *t); /* loaded; NULL with a sentence on stderr */
	int (*select)(void *e, const char *form);   /* ERR_UNSUPPORTED: not on this machine */
	void (*lookup)(void *e, void *keys, void *values, unsigned n);
	int (*set)(void *e, const struct lpm_route *r); /* NULL: read-only */
	int (*del)(void *e, const struct lpm_route *r);
	void (*memory)(void *e, const struct lpm_table *t, struct lpm_bytes *out);
	void (*destroy)(void *e);
};

struct lpm_options {
	const char *engine, *form, *routes;
	const char *against; /* another engine, in its fastest form, measured in turns; or NULL */
	unsigned family, burst, millis, touch, readers;
	size_t n_keys, max_routes;
	bool elsewhere;	  /* churn: the writer changes another table than the reader's */
	bool small_pages; /* valgrind and DPDK's huge pages do not go together */
	uint32_t n_values;
	unsigned long rate; /* updates a second; 0: as many as can be */
};

/* One that is measured. */
struct lpm_side {
	const struct lpm_engine *e;
	void *t;
	struct lpm_keys keys; /* the same for each side, in its engine's order */
};

/* Both NULL-terminated. */
extern const struct lpm_engine *const lpm_engines[];
extern const struct lpm_engine *const lpm_candidates[];

/* The engine of this name and family, or NULL. */
const struct lpm_engine *lpm_engine_find(const char *name, unsigned family);
/* Once; where DPDK's engines are wanted. Not huge: without huge pages, even if there are some. */
int lpm_eal_start(bool huge);

/* One CIDR a line; other families are skipped. At most max routes, spread evenly over the file's. */
int lpm_table_load(const char *path, unsigned family, size_t max, uint32_t n_values, struct lpm_table *out);
/* Prefixes of nearly all lengths, many of them within each other. */
int lpm_table_random(unsigned family, size_t n, uint32_t n_values, struct lpm_table *out);
void lpm_table_free(struct lpm_table *t);
/* tbl8 groups of 256 entries that a table of 24 + 8 + 8 ... bits needs for t. */
size_t lpm_table_count_tbl8(const struct lpm_table *t);

/* Routed-random: a random route's prefix, random bits behind it. The same keys for each engine. */
int lpm_keys_make(const struct lpm_table *t, size_t n, bool host_order, struct lpm_keys *out);
/* Huge pages where the kernel has them; zeroed. NULL: no memory. */
void *lpm_pages_alloc(size_t size);
uint64_t lpm_random(uint64_t *state);

/*
 * Pins the main thread to the first CPU that the process may use, and readers to the second. Before the table
 * is made: liburcu's thread is born with it and stays where the writer is. ERR_UNSUPPORTED: there are not so
 * many.
 */
int lpm_place_writer(unsigned readers);
int lpm_run_update(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table);
int lpm_run_churn(const struct lpm_side *sides, unsigned n_sides, const struct lpm_options *o,
    const struct lpm_table *table);
int lpm_run_compare(const struct lpm_options *o, const struct lpm_table *table);

#endif
