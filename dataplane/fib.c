/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding tables. The LPM that workers read holds the winner of each prefix and knows it exactly, so
 * that it is the slow thread's memory of the routes, too: a value is the group, and above its 16 bits whose
 * route that is. Only where several origins have the same prefix a hash keeps them all.
 *
 * Pair of atomics: tables[] is written by the slow thread (rcu_assign_pointer) and read by
 * workers (rcu_dereference); what a table loses is freed after a grace period.
 */
#include "dataplane/fib.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/nexthop.h"
#include "dataplane/rcu.h"
#include "lib/err.h"
#include "lib/lpm4.h"
#include "lib/lpm6.h"

#define FIB_TABLES 64 /* the overlay, the sources, and a line each */
#define MIN_SLOTS  64

/* A value in the LPM. Control's routes are nearly all there are: theirs fit 16 bits, which makes the table
 * small. */
#define VALUE_GROUP	0xffffu
#define VALUE_ORIGIN(v) ((v) >> 16 & 3) /* as an index into origin_of_value */
#define VALUE_SHARED	0x40000u	/* other origins have this prefix, too: look into the hash */
static_assert(GROUP_MAX <= VALUE_GROUP + 1, "a group fits its bits");

static const enum fib_origin origin_of_value[4] = {FIB_CONTROL, FIB_LOCAL, FIB_NEIGHBOUR, FIB_ORIGINS};
static const uint32_t value_of_origin[FIB_ORIGINS] = {
    [FIB_CONTROL] = 0, [FIB_LOCAL] = 1u << 16, [FIB_NEIGHBOUR] = 2u << 16};

/* A prefix and who has a route for it, two of them at least; group 0 (LPM_NONE): that origin has none. */
struct route {
	struct ip_prefix prefix; /* family 0: free, len 1 then: deleted, the search goes on */
	uint32_t group[FIB_ORIGINS];
};

/* Open addressing, linear; a power of two of slots, at most two thirds of them in use. */
struct routes {
	struct route *slots;
	size_t n_slots, n_used, n_live; /* used: live or deleted */
};

struct fib_table {
	uint32_t id;
	struct lpm4 *lpm4;
	struct lpm6 *lpm6;
	struct routes shared; /* slow thread only */
};

static struct fib_table *tables[FIB_TABLES]; /* RCU; the overlay is tables[0] */

static size_t hash_prefix(const struct ip_prefix *p)
{
	uint64_t h = p->len, word;

	for (size_t i = 0; i < 16; i += 8) {
		memcpy(&word, p->addr.b + i, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 16);
}

static bool is_live(const struct route *r)
{
	return r->prefix.addr.family != IP_NONE;
}

/* The route's slot, else NULL and *place where it would go (NULL when there are no slots). */
static struct route *routes_find(const struct routes *rs, const struct ip_prefix *p, struct route **place)
{
	size_t at = rs->n_slots ? hash_prefix(p) & (rs->n_slots - 1) : 0;
	struct route *deleted = NULL;

	*place = NULL;
	if (!rs->n_slots)
		return NULL;
	for (;; at = (at + 1) & (rs->n_slots - 1)) {
		struct route *r = &rs->slots[at];

		if (is_live(r)) {
			if (ip_prefix_equal(&r->prefix, p))
				return r;
		} else if (r->prefix.len) {
			deleted = deleted ? deleted : r;
		} else {
			*place = deleted ? deleted : r;
			return NULL;
		}
	}
}

static int routes_resize(struct routes *rs, size_t n_slots)
{
	struct routes now = {.slots = calloc(n_slots, sizeof(struct route)), .n_slots = n_slots};

	if (!now.slots)
		return ERR_NOMEM;
	for (size_t i = 0; i < rs->n_slots; i++) {
		struct route *place;

		if (!is_live(&rs->slots[i]))
			continue;
		routes_find(&now, &rs->slots[i].prefix, &place);
		*place = rs->slots[i];
	}
	now.n_used = now.n_live = rs->n_live;
	free(rs->slots);
	*rs = now;
	return 0;
}

/* Room for one more route. */
static int routes_reserve(struct routes *rs)
{
	size_t want = rs->n_slots ? rs->n_slots : MIN_SLOTS;

	if (rs->n_slots && (rs->n_used + 1) * 3 <= rs->n_slots * 2)
		return 0;
	if ((rs->n_live + 1) * 3 > want)
		want *= 2;
	return routes_resize(rs, want);
}

/* The deleted mark keeps searches for others going. */
static void routes_remove(struct routes *rs, struct route *r)
{
	memset(r, 0, sizeof(*r));
	r->prefix.len = 1;
	rs->n_live--;
}

static unsigned count_origins(const struct route *r)
{
	unsigned n = 0;

	for (unsigned o = 0; o < FIB_ORIGINS; o++)
		n += r->group[o] != LPM_NONE;
	return n;
}

/* What the LPM says of these routes: the winner, and whether there are others. LPM_NONE: nobody has one. */
static uint32_t value_of(const struct route *r)
{
	uint32_t shared = count_origins(r) > 1 ? VALUE_SHARED : 0;

	for (unsigned o = 0; o < FIB_ORIGINS; o++)
		if (r->group[o] != LPM_NONE)
			return r->group[o] | value_of_origin[o] | shared;
	return LPM_NONE;
}

static int lpm_set(struct fib_table *t, const struct ip_prefix *p, uint32_t value)
{
	if (p->addr.family == IP_V4)
		return lpm4_set(t->lpm4, ip_addr_be32(&p->addr), p->len, value);
	return lpm6_set(t->lpm6, p->addr.b, p->len, value);
}

static uint32_t lpm_get(const struct fib_table *t, const struct ip_prefix *p)
{
	if (p->addr.family == IP_V4)
		return lpm4_get(t->lpm4, ip_addr_be32(&p->addr), p->len);
	return lpm6_get(t->lpm6, p->addr.b, p->len);
}

static int lpm_del(struct fib_table *t, const struct ip_prefix *p)
{
	if (p->addr.family == IP_V4)
		return lpm4_del(t->lpm4, ip_addr_be32(&p->addr), p->len);
	return lpm6_del(t->lpm6, p->addr.b, p->len);
}

static void table_free(void *table)
{
	struct fib_table *t = table;

	if (t->lpm4)
		lpm4_free(t->lpm4);
	if (t->lpm6)
		lpm6_free(t->lpm6);
	free(t->shared.slots);
	free(t);
}

static struct fib_table *table_new(uint32_t id)
{
	struct fib_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->id = id;
	t->lpm4 = lpm4_new(&rcu_lpm_mem);
	t->lpm6 = lpm6_new(&rcu_lpm_mem);
	if (!t->lpm4 || !t->lpm6) {
		table_free(t);
		return NULL;
	}
	return t;
}

/* The table's place, or a free one (id not found), or -1: all are taken. */
static int find_place(uint32_t id)
{
	int empty = -1;

	if (id == FIBMSG_OVERLAY)
		return 0;
	for (int i = 1; i < FIB_TABLES; i++) {
		if (tables[i] && tables[i]->id == id)
			return i;
		if (!tables[i] && empty < 0)
			empty = i;
	}
	return empty;
}

int fib_init(void)
{
	if (!tables[0])
		tables[0] = table_new(FIBMSG_OVERLAY);
	return tables[0] ? 0 : ERR_NOMEM;
}

void fib_fini(void)
{
	for (unsigned i = 0; i < FIB_TABLES; i++) {
		if (tables[i])
			table_free(tables[i]);
		tables[i] = NULL;
	}
}

static int check_route(const struct ip_prefix *p, uint32_t group)
{
	struct ip_prefix masked = ip_prefix_mask(p);

	if (p->addr.family != IP_V4 && p->addr.family != IP_V6)
		return ERR_INVALID;
	if (p->len > ip_family_bits(p->addr.family) || group == LPM_NONE || group >= GROUP_MAX)
		return ERR_RANGE;
	return ip_prefix_equal(&masked, p) ? 0 : ERR_INVALID;
}

/* Who has routes for the prefix; its slot where they are several, else NULL. */
static struct route *find_routes(const struct fib_table *t, const struct ip_prefix *prefix, struct route *all)
{
	uint32_t value = lpm_get(t, prefix);
	struct route *r = NULL, *place;

	*all = (struct route){.prefix = *prefix};
	if (value & VALUE_SHARED) {
		r = routes_find(&t->shared, prefix, &place);
		*all = *r;
	} else if (value != LPM_NONE) {
		all->group[origin_of_value[VALUE_ORIGIN(value)]] = value & VALUE_GROUP;
	}
	return r;
}

/* Puts what is known of a prefix now in place of what was: into the LPM, and into the hash where it belongs
 * there. */
static int replace_routes(struct fib_table *t, struct route *was, const struct route *now)
{
	bool shared = count_origins(now) > 1;
	struct route *place;
	int err = shared && !was ? routes_reserve(&t->shared) : 0;

	if (!err)
		err = value_of(now) == LPM_NONE ? lpm_del(t, &now->prefix)
						: lpm_set(t, &now->prefix, value_of(now));
	if (err)
		return err;
	if (was && shared) {
		*was = *now;
	} else if (was) {
		routes_remove(&t->shared, was);
	} else if (shared) {
		routes_find(&t->shared, &now->prefix, &place);
		t->shared.n_live++;
		if (place->prefix.len == 0) /* not a deleted one's */
			t->shared.n_used++;
		*place = *now;
	}
	return 0;
}

static int table_set(
    struct fib_table *t, const struct ip_prefix *prefix, enum fib_origin origin, uint32_t group)
{
	struct route now, *was = find_routes(t, prefix, &now);

	now.group[origin] = group;
	return replace_routes(t, was, &now);
}

/* Workers keep what the underlays say of tunnels' endpoints (express_encap.c). Of the overlay they keep
 * nothing. */
static void tell_of_change(uint32_t table)
{
	if (table != FIBMSG_OVERLAY)
		forward_changed();
}

int fib_set(uint32_t table, const struct ip_prefix *prefix, enum fib_origin origin, uint32_t group)
{
	int place = find_place(table), err = check_route(prefix, group);
	struct fib_table *made = NULL;

	if (err)
		return err;
	if (place < 0)
		return ERR_FULL;
	if (!tables[place]) {
		made = table_new(table);
		if (!made)
			return ERR_NOMEM;
	}
	err = table_set(made ? made : tables[place], prefix, origin, group);
	if (made && err)
		table_free(made);
	else if (made)
		rcu_assign_pointer(tables[place], made);
	if (!err)
		tell_of_change(table);
	return err;
}

/* A table without routes goes; the overlay stays. */
static void drop_empty(int place)
{
	struct fib_table *t = tables[place];

	if (place == 0 || lpm4_count(t->lpm4) || lpm6_count(t->lpm6))
		return;
	rcu_assign_pointer(tables[place], NULL);
	rcu_retire(table_free, t);
}

int fib_del(uint32_t table, const struct ip_prefix *prefix, enum fib_origin origin)
{
	int place = find_place(table), err;
	struct route now, *was;

	if (place < 0 || !tables[place])
		return ERR_NOENT;
	was = find_routes(tables[place], prefix, &now);
	if (now.group[origin] == LPM_NONE)
		return ERR_NOENT;
	now.group[origin] = LPM_NONE;
	err = replace_routes(tables[place], was, &now);
	if (!err) {
		drop_empty(place);
		tell_of_change(table);
	}
	return err;
}

struct walk {
	const struct fib_table *table;
	int (*fn)(void *arg, const struct ip_prefix *p, enum fib_origin origin, uint32_t group);
	void *arg;
};

static int walk_prefix(const struct walk *w, const struct ip_prefix *prefix)
{
	struct route all;
	int stop = 0;

	find_routes(w->table, prefix, &all);
	for (unsigned o = 0; o < FIB_ORIGINS && !stop; o++)
		if (all.group[o] != LPM_NONE)
			stop = w->fn(w->arg, prefix, (enum fib_origin)o, all.group[o]);
	return stop;
}

static int walk_prefix4(void *arg, uint32_t addr_be, unsigned len, uint32_t value)
{
	return walk_prefix(arg, &(struct ip_prefix){.addr = ip_addr_v4(addr_be), .len = (uint8_t)len});
}

static int walk_prefix6(void *arg, const uint8_t addr[16], unsigned len, uint32_t value)
{
	return walk_prefix(arg, &(struct ip_prefix){.addr = ip_addr_v6(addr), .len = (uint8_t)len});
}

int fib_walk(uint32_t table, const struct ip_prefix *prefix,
    int (*fn)(void *arg, const struct ip_prefix *p, enum fib_origin origin, uint32_t group), void *arg)
{
	static const struct ip_prefix all;
	uint8_t family = prefix ? prefix->addr.family : IP_NONE;
	int place = find_place(table), stop = 0;
	struct walk w = {.fn = fn, .arg = arg};

	if (place < 0 || !tables[place])
		return 0;
	w.table = tables[place];
	if (!prefix)
		prefix = &all;
	if (family != IP_V6)
		stop = lpm4_walk(w.table->lpm4, ip_addr_be32(&prefix->addr), prefix->len, walk_prefix4, &w);
	if (!stop && family != IP_V4)
		stop = lpm6_walk(w.table->lpm6, prefix->addr.b, prefix->len, walk_prefix6, &w);
	return stop;
}

const struct fib_table *fib_table(uint32_t table)
{
	if (table == FIBMSG_OVERLAY)
		return rcu_dereference(tables[0]);
	for (unsigned i = 1; i < FIB_TABLES; i++) {
		const struct fib_table *t = rcu_dereference(tables[i]);

		if (t && t->id == table)
			return t;
	}
	return NULL;
}

void fib_lookup4(const struct fib_table *t, const uint32_t *dst_be, uint32_t *groups, unsigned n)
{
	lpm4_lookup_bulk(t->lpm4, dst_be, groups, n);
	for (unsigned i = 0; i < n; i++)
		groups[i] &= VALUE_GROUP;
}

void fib_lookup6(const struct fib_table *t, const uint8_t (*dst)[16], uint32_t *groups, unsigned n)
{
	lpm6_lookup_bulk(t->lpm6, dst, groups, n);
	for (unsigned i = 0; i < n; i++)
		groups[i] &= VALUE_GROUP;
}
