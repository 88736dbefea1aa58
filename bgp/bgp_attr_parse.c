/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Path attributes from the wire: one table says for each type the flags it must
 * carry, the lengths it may have and what RFC 7606 wants done when it is wrong.
 */
#include <string.h>

#include "bgp/bgp_aspath.h"
#include "bgp/bgp_attr.h"
#include "bgp/bgp_wire.h"

struct found {
	const uint8_t *raw; /* with its header, for the NOTIFICATION */
	const uint8_t *value;
	size_t raw_len, len;
	uint8_t flags;
};

struct parser {
	const struct bgp_attr_context *context;
	struct bgp_attr_build *build;
	struct bgp_attr_result *result;
	struct buf_writer tail;
	struct found found[256]; /* by type; valid where result->seen */
};

bool bgp_attr_was_seen(const struct bgp_attr_result *result, uint8_t type)
{
	return result->seen[type / 64] >> (type % 64) & 1;
}

void bgp_attr_react(struct bgp_attr_result *result, enum bgp_reaction reaction, const struct bgp_fault *fault)
{
	if (reaction <= result->reaction)
		return;
	result->reaction = reaction;
	result->fault = *fault;
}

static void react(struct parser *p, enum bgp_reaction reaction, unsigned subcode, const struct found *a,
    const char *what, uint8_t type)
{
	struct bgp_fault fault;

	bgp_fault_set(&fault, BGP_ERROR_UPDATE, subcode, a ? a->raw : NULL, a ? a->raw_len : 0,
	    "attribute %u: %s", type, what);
	bgp_attr_react(p->result, reaction, &fault);
}

static void tail_add(struct parser *p, uint8_t type, uint8_t flags, const uint8_t *value, size_t len)
{
	buf_write_u8(&p->tail, type);
	buf_write_u8(&p->tail, flags);
	buf_write_be16(&p->tail, (uint16_t)len);
	buf_write_bytes(&p->tail, value, len);
}

/* Parsers of values: the length is right by the table. NULL, or what is wrong. */

static const char *parse_origin(struct parser *p, const struct found *a)
{
	if (a->value[0] > BGP_ORIGIN_INCOMPLETE)
		return "origin unknown"; /* RFC 7606 §7.1 */
	p->build->core.origin = a->value[0];
	return NULL;
}

/* AS4_PATH counts only from a 2-byte speaker whose AGGREGATOR, if any, is AS_TRANS (RFC 6793 §4.2.3). */
static const struct found *find_as4_path(const struct parser *p)
{
	const struct found *as4 = &p->found[BGP_ATTR_AS4_PATH], *aggregator = &p->found[BGP_ATTR_AGGREGATOR];

	if (p->context->as4 || !bgp_attr_was_seen(p->result, BGP_ATTR_AS4_PATH))
		return NULL;
	if (bgp_aspath_check(as4->value, as4->len, 4) != 0)
		return NULL; /* RFC 6793 §6: the attribute is discarded */
	if (bgp_attr_was_seen(p->result, BGP_ATTR_AGGREGATOR) && aggregator->len == 6 &&
	    (aggregator->value[0] << 8 | aggregator->value[1]) != (int)BGP_AS_TRANS)
		return NULL;
	return as4;
}

static const char *parse_as_path(struct parser *p, const struct found *a)
{
	unsigned as_len = p->context->as4 ? 4 : 2;
	const struct found *as4 = find_as4_path(p);
	size_t start = buf_writer_len(&p->tail), len;

	if (bgp_aspath_check(a->value, a->len, as_len) != 0)
		return "malformed AS_PATH"; /* RFC 7606 §7.2 */
	tail_add(p, BGP_ATTR_AS_PATH, BGP_FLAG_TRANSITIVE, NULL, 0);
	if (as4)
		bgp_aspath_merge(&p->tail, a->value, a->len, as4->value, as4->len);
	else
		bgp_aspath_convert(&p->tail, a->value, a->len, as_len, 4);
	if (p->tail.err)
		return "AS_PATH too long";
	len = buf_writer_len(&p->tail) - start - BGP_TAIL_HEADER;
	buf_patch_be16(&p->tail, start + 2, (uint16_t)len);
	if (p->context->first_as &&
	    bgp_aspath_first(p->tail.start + start + BGP_TAIL_HEADER, len) != p->context->first_as)
		return "AS_PATH does not begin with the peer's AS"; /* RFC 4271 §6.3 */
	return NULL;
}

static const char *parse_next_hop(struct parser *p, const struct found *a)
{
	uint32_t be;

	memcpy(&be, a->value, sizeof(be));
	p->build->core.next_hop = ip_addr_v4(be);
	return NULL; /* its value is judged in bgp_update.c, where NLRI needs it */
}

static uint32_t read_be32(const uint8_t *v)
{
	return (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
}

static const char *parse_med(struct parser *p, const struct found *a)
{
	p->build->core.has_med = true;
	p->build->core.med = read_be32(a->value);
	return NULL;
}

static const char *parse_local_pref(struct parser *p, const struct found *a)
{
	p->build->core.has_local_pref = true;
	p->build->core.local_pref = read_be32(a->value);
	return NULL;
}

static const char *parse_atomic(struct parser *p, const struct found *a)
{
	(void)a;
	p->build->core.atomic_aggregate = true;
	return NULL;
}

static const char *parse_aggregator(struct parser *p, const struct found *a)
{
	const struct found *as4 = &p->found[BGP_ATTR_AS4_AGGREGATOR];
	uint8_t wide[8] = {0};

	if (a->len != (p->context->as4 ? 8u : 6u))
		return "AGGREGATOR length"; /* RFC 7606 §7.7 */
	memcpy(wide + (8 - a->len), a->value, a->len);
	if (read_be32(wide) == 0)
		return "AGGREGATOR of AS 0"; /* RFC 7607 §2 */
	if (!p->context->as4 && read_be32(wide) == BGP_AS_TRANS &&
	    bgp_attr_was_seen(p->result, BGP_ATTR_AS4_AGGREGATOR) && as4->len == 8 &&
	    read_be32(as4->value) != 0)
		memcpy(wide, as4->value, 8); /* RFC 6793 §4.2.3 */
	tail_add(p, BGP_ATTR_AGGREGATOR, (uint8_t)(a->flags & ~BGP_FLAG_EXTENDED), wide, 8);
	return NULL;
}

#define OPT	  BGP_FLAG_OPTIONAL
#define TRANS	  BGP_FLAG_TRANSITIVE
#define OPT_TRANS (BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE)

/* parse NULL: kept as it is. unit: the length is a multiple of it and not zero; 0: min..max. */
static const struct rule {
	bool known;
	uint8_t flags; /* optional and transitive, as they must be */
	uint8_t unit;
	uint16_t min, max;
	enum bgp_reaction reaction;
	uint8_t subcode;
	enum { ANYONE, INTERNAL_ONLY, NOBODY } from; /* others: discarded without a word */
	const char *(*parse)(struct parser *p, const struct found *a);
} rules[256] = {
    /* clang-format off */
	/* RFC 7606 §7.1 to §7.10, §7.14, §7.15; 6793 §6; 8092 §5; 5701 §3; 9234 §5 */
	[BGP_ATTR_ORIGIN] = {true, TRANS, 0, 1, 1, BGP_REACT_WITHDRAW, BGP_UPDATE_ORIGIN, ANYONE, parse_origin},
	[BGP_ATTR_AS_PATH] = {true, TRANS, 0, 0, 4096, BGP_REACT_WITHDRAW, BGP_UPDATE_AS_PATH, ANYONE, parse_as_path},
	[BGP_ATTR_NEXT_HOP] = {true, TRANS, 0, 4, 4, BGP_REACT_WITHDRAW, BGP_UPDATE_NEXT_HOP, ANYONE, parse_next_hop},
	[BGP_ATTR_MED] = {true, OPT, 0, 4, 4, BGP_REACT_WITHDRAW, BGP_UPDATE_LENGTH, ANYONE, parse_med},
	[BGP_ATTR_LOCAL_PREF] = {true, TRANS, 0, 4, 4, BGP_REACT_WITHDRAW, BGP_UPDATE_LENGTH, INTERNAL_ONLY, parse_local_pref},
	[BGP_ATTR_ATOMIC_AGGREGATE] = {true, TRANS, 0, 0, 0, BGP_REACT_DISCARD, BGP_UPDATE_LENGTH, ANYONE, parse_atomic},
	[BGP_ATTR_AGGREGATOR] = {true, OPT_TRANS, 0, 6, 8, BGP_REACT_DISCARD, BGP_UPDATE_LENGTH, ANYONE, parse_aggregator},
	[BGP_ATTR_COMMUNITIES] = {true, OPT_TRANS, 4, 0, 0, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, ANYONE, NULL},
	[BGP_ATTR_ORIGINATOR_ID] = {true, OPT, 0, 4, 4, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, INTERNAL_ONLY, NULL},
	[BGP_ATTR_CLUSTER_LIST] = {true, OPT, 4, 0, 0, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, INTERNAL_ONLY, NULL},
	[BGP_ATTR_EXT_COMMUNITIES] = {true, OPT_TRANS, 8, 0, 0, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, ANYONE, NULL},
	[BGP_ATTR_AS4_PATH] = {true, OPT_TRANS, 0, 0, 4096, BGP_REACT_DISCARD, BGP_UPDATE_OPTIONAL, NOBODY, NULL},
	[BGP_ATTR_AS4_AGGREGATOR] = {true, OPT_TRANS, 0, 8, 8, BGP_REACT_DISCARD, BGP_UPDATE_OPTIONAL, NOBODY, NULL},
	[BGP_ATTR_IPV6_EXT] = {true, OPT_TRANS, 20, 0, 0, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, ANYONE, NULL},
	[BGP_ATTR_LARGE] = {true, OPT_TRANS, 12, 0, 0, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, ANYONE, NULL},
	[BGP_ATTR_OTC] = {true, OPT_TRANS, 0, 4, 4, BGP_REACT_WITHDRAW, BGP_UPDATE_OPTIONAL, ANYONE, NULL},
    /* clang-format on */
};

static void parse_unknown(struct parser *p, uint8_t type, const struct found *a)
{
	if (type == 0) { /* reserved, and would come before AS_PATH in the tail */
		react(p, BGP_REACT_DISCARD, BGP_UPDATE_OPTIONAL, a, "reserved type", type);
		return;
	}
	if (!(a->flags & BGP_FLAG_OPTIONAL)) {
		/* Milder than RFC 4271 §6.3: one message is not worth a session (RFC 7606 §1). */
		react(p, BGP_REACT_WITHDRAW, BGP_UPDATE_WELL_KNOWN, a, "unknown and well-known", type);
		return;
	}
	if (a->flags & BGP_FLAG_TRANSITIVE) /* RFC 4271 §9: passed on, marked partial */
		tail_add(
		    p, type, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE | BGP_FLAG_PARTIAL, a->value, a->len);
}

static void parse_known(struct parser *p, uint8_t type, const struct rule *rule, const struct found *a)
{
	const char *wrong;

	if (rule->from == NOBODY || (rule->from == INTERNAL_ONLY && p->context->external))
		return;
	if ((a->flags & OPT_TRANS) != rule->flags) { /* RFC 7606 §3 c */
		react(p, BGP_REACT_WITHDRAW, BGP_UPDATE_FLAGS, a, "wrong flags", type);
		return;
	}
	if (rule->unit ? a->len == 0 || a->len % rule->unit : a->len < rule->min || a->len > rule->max) {
		react(p, rule->reaction, BGP_UPDATE_LENGTH, a, "wrong length", type);
		return;
	}
	if (!rule->parse) {
		tail_add(p, type, (uint8_t)(a->flags & ~BGP_FLAG_EXTENDED), a->value, a->len);
		return;
	}
	wrong = rule->parse(p, a);
	if (wrong)
		react(p, rule->reaction, rule->subcode, a, wrong, type);
}

/* Finds where each attribute lies. */
static void locate(struct parser *p, const uint8_t *data, size_t len)
{
	struct buf_reader r;

	buf_reader_init(&r, data, len);
	while (buf_reader_left(&r)) {
		const uint8_t *raw = r.p;
		uint8_t flags = buf_read_u8(&r), type = buf_read_u8(&r);
		size_t n = flags & BGP_FLAG_EXTENDED ? buf_read_be16(&r) : buf_read_u8(&r);
		const uint8_t *value = buf_read_view(&r, n);

		if (r.err) { /* RFC 7606 §4 */
			react(p, BGP_REACT_WITHDRAW, BGP_UPDATE_ATTR_LIST, NULL, "overruns the attributes",
			    type);
			return;
		}
		if (bgp_attr_was_seen(p->result, type)) {
			/* RFC 7606 §3 g: the first counts, but these must not come twice. */
			bool mp = type == BGP_ATTR_MP_REACH || type == BGP_ATTR_MP_UNREACH;

			react(p, mp ? BGP_REACT_RESET : BGP_REACT_DISCARD, BGP_UPDATE_ATTR_LIST, NULL,
			    "came twice", type);
			continue;
		}
		p->result->seen[type / 64] |= 1ull << (type % 64);
		p->found[type] = (struct found){raw, value, (size_t)(r.p - raw), n, flags};
	}
}

static void view_mp(struct parser *p, uint8_t type, struct buf_reader *out)
{
	const struct found *a = &p->found[type];

	buf_reader_init(out, NULL, 0);
	if (!bgp_attr_was_seen(p->result, type))
		return;
	buf_reader_init(out, a->value, a->len);
	if ((a->flags & OPT_TRANS) != OPT)
		react(p, BGP_REACT_WITHDRAW, BGP_UPDATE_FLAGS, a, "wrong flags", type);
}

void bgp_attr_parse(const struct bgp_attr_context *context, const uint8_t *data, size_t len,
    struct bgp_attr_build *build, struct bgp_attr_result *result)
{
	struct parser p;
	unsigned i;

	/* Not initialised as a whole: found is 10 KiB and only read where seen. */
	p.context = context;
	p.build = build;
	p.result = result;
	memset(result, 0, sizeof(*result));
	memset(&build->core, 0, sizeof(build->core));
	buf_writer_init(&p.tail, build->tail, sizeof(build->tail));
	locate(&p, data, len);
	view_mp(&p, BGP_ATTR_MP_REACH, &result->mp_reach);
	view_mp(&p, BGP_ATTR_MP_UNREACH, &result->mp_unreach);
	for (i = 0; i < 4; i++) {
		uint64_t left = result->seen[i];

		for (; left; left &= left - 1) {
			uint8_t type = (uint8_t)(i * 64 + (unsigned)__builtin_ctzll(left));

			if (type == BGP_ATTR_MP_REACH || type == BGP_ATTR_MP_UNREACH)
				continue;
			if (rules[type].known)
				parse_known(&p, type, &rules[type], &p.found[type]);
			else
				parse_unknown(&p, type, &p.found[type]);
		}
	}
	if (p.tail.err)
		react(&p, BGP_REACT_WITHDRAW, BGP_UPDATE_ATTR_LIST, NULL, "too long as a whole", 0);
	build->tail_len = (uint16_t)buf_writer_len(&p.tail);
}
