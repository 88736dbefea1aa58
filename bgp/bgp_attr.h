/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Path attributes: sets that are interned (equal sets are one object, compared by
 * pointer), the scratch copy in which one is built or edited, and both directions
 * of the wire. The rules by type are one table (bgp_attr_parse.c).
 */
#ifndef BYWAY_BGP_BGP_ATTR_H
#define BYWAY_BGP_BGP_ATTR_H

#include "bgp/bgp_mem.h"
#include "bgp/bgp_msg.h"
#include "lib/buf.h"

/* What decision and export look at. Zeroed before it is filled: compared with memcmp. */
struct bgp_attr_core {
	uint32_t med, local_pref;
	uint8_t origin; /* enum bgp_origin */
	bool has_med, has_local_pref, atomic_aggregate;
	struct ip_addr next_hop, link_local;
};

/*
 * The rest lies in the tail, by ascending type: | type 1 | flags 1 | length 2 | value |.
 * First always AS_PATH (4-byte AS numbers); AGGREGATOR with 4-byte AS number.
 */
#define BGP_TAIL_HEADER 4
#define BGP_TAIL_MAX	12288 /* a 4096-byte message with every 2-byte AS widened, and 255 prepended */

struct bgp_attrs {
	struct bgp_attrs *next; /* in its bucket */
	uint32_t refs, hash;
	uint32_t neighbor_as; /* first of the path, 0: none */
	uint16_t path_len;    /* as counted */
	uint16_t tail_len;    /* bytes */
	struct bgp_attr_core core;
	uint8_t tail[];
};

struct bgp_attr_build {
	struct bgp_attr_core core;
	uint16_t tail_len;
	uint8_t tail[BGP_TAIL_MAX];
};

struct bgp_attr_table {
	struct bgp_heap *heap;
	struct bgp_attrs **buckets;
	size_t n_buckets; /* a power of two */
	size_t count;
};

/* One attribute of a tail. */
struct bgp_attr_item {
	uint8_t type, flags;
	uint16_t len;
	const uint8_t *value;
};

int bgp_attr_table_init(struct bgp_attr_table *table, struct bgp_heap *heap);
/* Every set must have been released. */
void bgp_attr_table_free(struct bgp_attr_table *table);
/* The one set equal to build, with a reference for the caller. ERR_NOMEM. */
int bgp_attr_intern(struct bgp_attr_table *table, const struct bgp_attr_build *build, struct bgp_attrs **out);
struct bgp_attrs *bgp_attr_hold(struct bgp_attrs *attrs); /* one more reference; returns attrs */
void bgp_attr_release(struct bgp_attr_table *table, struct bgp_attrs *attrs); /* NULL is allowed */

/* An empty set: no attribute, an empty AS_PATH. */
void bgp_attr_build_init(struct bgp_attr_build *build);
void bgp_attr_build_load(struct bgp_attr_build *build, const struct bgp_attrs *attrs);
/* ERR_FULL: the path would not fit; build is untouched. */
int bgp_attr_build_prepend(struct bgp_attr_build *build, uint32_t as, unsigned n);
void bgp_attr_build_drop(struct bgp_attr_build *build, uint8_t type);

/* Walks a tail: start with *at = 0; false at the end. */
bool bgp_attr_next(const uint8_t *tail, uint16_t tail_len, size_t *at, struct bgp_attr_item *item);
/* False: not there. */
bool bgp_attr_find(const struct bgp_attrs *attrs, uint8_t type, struct bgp_attr_item *item);
struct bgp_attr_item bgp_attr_path(const struct bgp_attrs *attrs); /* AS_PATH */
bool bgp_attr_has_community(const struct bgp_attrs *attrs, uint32_t community);

/* ------------------------------------------------------------- from the wire */

struct bgp_attr_context {
	bool as4;	   /* RFC 6793 negotiated */
	bool external;	   /* eBGP */
	uint32_t first_as; /* what the path must begin with; 0: anything */
};

/* RFC 7606 §2, in order of strength. */
enum bgp_reaction { BGP_REACT_NONE, BGP_REACT_DISCARD, BGP_REACT_WITHDRAW, BGP_REACT_RESET };

struct bgp_attr_result {
	enum bgp_reaction reaction;		/* the strongest that was called for */
	struct bgp_fault fault;			/* of it */
	uint64_t seen[4];			/* attribute types that were there, by bit */
	struct buf_reader mp_reach, mp_unreach; /* values, when seen */
};

bool bgp_attr_was_seen(const struct bgp_attr_result *result, uint8_t type);
/*
 * Parses the attributes of an UPDATE into build (scratch; whole only when the reaction is
 * below WITHDRAW) by RFC 7606. MP_REACH and MP_UNREACH are only located: bgp_update.c
 * reads them. Never fails: the result says what to do.
 */
void bgp_attr_parse(const struct bgp_attr_context *context, const uint8_t *data, size_t len,
    struct bgp_attr_build *build, struct bgp_attr_result *result);
/* Notes a reaction; the strongest and, among equals, the first stays. */
void bgp_attr_react(
    struct bgp_attr_result *result, enum bgp_reaction reaction, const struct bgp_fault *fault);

/* --------------------------------------------------------------- to the wire */

/*
 * Writes all attributes but MP_REACH and MP_UNREACH, in order of type; NEXT_HOP only
 * with next_hop. as4 false: AS_PATH and AGGREGATOR of 2 bytes, AS4_* beside (RFC 6793 §4.2.2).
 */
void bgp_attr_write(struct buf_writer *w, const struct bgp_attrs *attrs, bool as4, bool next_hop);

#endif
