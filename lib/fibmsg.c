/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec of the FIB socket, driven by the table in fibmsg.h: this file knows the
 * kinds of fields, not the messages. Called by both processes on whatever thread
 * owns the socket, and by the store on disk. Pure; any thread.
 */
#include "lib/fibmsg.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum kind {
	KIND_UINT, /* of the field's size */
	KIND_BYTES,
	KIND_STR,
	KIND_ADDR, /* or none */
	KIND_HOST, /* an address that must be there */
	KIND_PREFIX,
	KIND_IFADDR,
	KIND_RANGE,
	KIND_ENDPOINT,
	KIND_MEMBER,
};

struct field {
	const char *name;
	enum kind kind;
	uint16_t offset;       /* of the value, or of the first one of a list, within the struct */
	uint16_t size;	       /* of one value, bytes */
	uint16_t max;	       /* of a list: how many at the most; 0: no list */
	uint16_t count_offset; /* of a list: where n_<name> lies */
};

struct type {
	const char *name;
	unsigned n_fields;
	const struct field *fields;
};

/* A field whose struct member does not have the size that its kind says does not compile. */
#define MEMBER(field)	   (((struct message *)0)->s.field)
#define CHECKED(size, yes) ((size) + 0 * sizeof(char[(yes) ? 1 : -1]))
#define ONE(kind, field, bytes)                                                                              \
	{#field, kind, offsetof(struct message, s.field),                                                    \
	    CHECKED(sizeof(MEMBER(field)), sizeof(MEMBER(field)) == (bytes)), 0, 0},
#define LIST(kind, field, type)                                                                              \
	{#field, kind, offsetof(struct message, s.field),                                                    \
	    CHECKED(sizeof(MEMBER(field)[0]), sizeof(MEMBER(field)[0]) == sizeof(type)),                     \
	    sizeof(MEMBER(field)) / sizeof(type), offsetof(struct message, s.n_##field)},

#define FIELD_U8(field)	      ONE(KIND_UINT, field, 1)
#define FIELD_U16(field)      ONE(KIND_UINT, field, 2)
#define FIELD_U32(field)      ONE(KIND_UINT, field, 4)
#define FIELD_U64(field)      ONE(KIND_UINT, field, 8)
#define FIELD_KEY(field)      ONE(KIND_BYTES, field, 32)
#define FIELD_MAC(field)      ONE(KIND_BYTES, field, 6)
#define FIELD_STR(field)      ONE(KIND_STR, field, sizeof(MEMBER(field)))
#define FIELD_ADDR(field)     ONE(KIND_ADDR, field, sizeof(struct ip_addr))
#define FIELD_PREFIX(field)   ONE(KIND_PREFIX, field, sizeof(struct ip_prefix))
#define FIELD_IFADDR(field)   ONE(KIND_IFADDR, field, sizeof(struct ip_prefix))
#define FIELD_RANGE(field)    ONE(KIND_RANGE, field, sizeof(struct ip_prefix))
#define FIELD_ENDPOINT(field) ONE(KIND_ENDPOINT, field, sizeof(struct ip_endpoint))
#define FIELD_ADDRS(field)    LIST(KIND_HOST, field, struct ip_addr)
#define FIELD_PREFIXES(field) LIST(KIND_PREFIX, field, struct ip_prefix)
#define FIELD_MEMBERS(field)  LIST(KIND_MEMBER, field, struct fibmsg_member)

/* NULL: no such type. `struct message` gives the fields of each case their struct. */
static const struct type *type_find(uint16_t number)
{
#define FIELD(kind, field) FIELD_##kind(field)
#define TYPE(number, NAME, suffix, list)                                                                     \
	case number: {                                                                                       \
		struct message {                                                                             \
			struct fibmsg_##suffix s;                                                            \
		};                                                                                           \
		static const struct field fields[] = {list};                                                 \
		static const struct type type = {#NAME, sizeof(fields) / sizeof(fields[0]), fields};         \
		return &type;                                                                                \
	}
	switch (number) {
		FIBMSG_LIST_OF_TYPES(TYPE, FIELD)
	}
#undef TYPE
#undef FIELD
	return NULL;
}

static int check_addr(const struct ip_addr *a, bool none_allowed, struct err_msg *msg)
{
	if (a->family == IP_V4 || a->family == IP_V6 || (a->family == IP_NONE && none_allowed))
		return 0;
	return err_set(
	    msg, ERR_INVALID, "family %u, expected %s4 or 6", a->family, none_allowed ? "0, " : "");
}

static int check_prefix(const struct ip_prefix *p, enum kind kind, struct err_msg *msg)
{
	struct ip_prefix masked = ip_prefix_mask(p);
	char text[IP_PREFIX_STRLEN];
	int err = check_addr(&p->addr, kind == KIND_RANGE, msg);

	if (err)
		return err;
	if (p->len > ip_family_bits(p->addr.family))
		return err_set(msg, ERR_RANGE, "prefix length %u, expected at most %u", p->len,
		    ip_family_bits(p->addr.family));
	if (kind != KIND_IFADDR && !ip_prefix_equal(p, &masked))
		return err_set(
		    msg, ERR_INVALID, "host bits set, expected %s", ip_prefix_format(&masked, text));
	return 0;
}

static int check_value(const struct field *f, const void *value, struct err_msg *msg)
{
	const struct ip_endpoint *e = value;

	switch (f->kind) {
	case KIND_ADDR:
	case KIND_HOST:
		return check_addr(value, f->kind == KIND_ADDR, msg);
	case KIND_PREFIX:
	case KIND_IFADDR:
	case KIND_RANGE:
		return check_prefix(value, f->kind, msg);
	case KIND_ENDPOINT:
		return check_addr(&e->addr, true, msg);
	case KIND_STR:
		if (memchr(value, 0, f->size))
			return 0;
		return err_set(msg, ERR_RANGE, "string not terminated within %u bytes", f->size);
	case KIND_UINT:
	case KIND_BYTES:
	case KIND_MEMBER:
		return 0;
	}
	return 0;
}

static uint64_t uint_load(const void *value, unsigned size)
{
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (size) {
	case 8:
		memcpy(&u64, value, 8);
		return u64;
	case 4:
		memcpy(&u32, value, 4);
		return u32;
	case 2:
		memcpy(&u16, value, 2);
		return u16;
	}
	return *(const uint8_t *)value;
}

static void uint_get(struct buf_reader *r, void *value, unsigned size)
{
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (size) {
	case 8:
		u64 = buf_read_be64(r);
		memcpy(value, &u64, 8);
		break;
	case 4:
		u32 = buf_read_be32(r);
		memcpy(value, &u32, 4);
		break;
	case 2:
		u16 = buf_read_be16(r);
		memcpy(value, &u16, 2);
		break;
	default:
		*(uint8_t *)value = buf_read_u8(r);
	}
}

static void uint_put(struct buf_writer *w, uint64_t v, unsigned size)
{
	for (unsigned i = size; i-- > 0;)
		buf_write_u8(w, (uint8_t)(v >> 8 * i));
}

static void addr_get(struct buf_reader *r, struct ip_addr *a)
{
	a->family = buf_read_u8(r);
	buf_read_bytes(r, a->b, ip_family_bits(a->family) / 8);
}

static void addr_put(struct buf_writer *w, const struct ip_addr *a)
{
	buf_write_u8(w, a->family);
	buf_write_bytes(w, a->b, ip_family_bits(a->family) / 8);
}

static int str_get(struct buf_reader *r, char *text, size_t size, struct err_msg *msg)
{
	size_t len = buf_read_u8(r);

	if (len >= size)
		return err_set(msg, ERR_RANGE, "string of %zu bytes, expected at most %zu", len, size - 1);
	buf_read_bytes(r, text, len);
	if (!r->err && memchr(text, 0, len))
		return err_set(msg, ERR_INVALID, "NUL inside a string");
	return 0;
}

/* Values beyond the end read as zeros; the caller sees r->err before it trusts them. */
static int value_get(struct buf_reader *r, const struct field *f, void *value, struct err_msg *msg)
{
	struct fibmsg_member *m = value;
	struct ip_endpoint *e = value;
	struct ip_prefix *p = value;

	switch (f->kind) {
	case KIND_UINT:
		uint_get(r, value, f->size);
		return 0;
	case KIND_BYTES:
		buf_read_bytes(r, value, f->size);
		return 0;
	case KIND_STR:
		return str_get(r, value, f->size, msg);
	case KIND_ADDR:
	case KIND_HOST:
		addr_get(r, value);
		return 0;
	case KIND_PREFIX:
	case KIND_IFADDR:
	case KIND_RANGE:
		addr_get(r, &p->addr);
		p->len = buf_read_u8(r);
		return 0;
	case KIND_ENDPOINT:
		addr_get(r, &e->addr);
		e->port = e->addr.family ? buf_read_be16(r) : 0;
		return 0;
	case KIND_MEMBER:
		m->nexthop = buf_read_be32(r);
		m->weight = buf_read_be16(r);
		return 0;
	}
	return 0;
}

static void value_put(struct buf_writer *w, const struct field *f, const void *value)
{
	const struct fibmsg_member *m = value;
	const struct ip_endpoint *e = value;
	const struct ip_prefix *p = value;

	switch (f->kind) {
	case KIND_UINT:
		uint_put(w, uint_load(value, f->size), f->size);
		break;
	case KIND_BYTES:
		buf_write_bytes(w, value, f->size);
		break;
	case KIND_STR:
		buf_write_u8(w, (uint8_t)strlen(value));
		buf_write_bytes(w, value, strlen(value));
		break;
	case KIND_ADDR:
	case KIND_HOST:
		addr_put(w, value);
		break;
	case KIND_PREFIX:
	case KIND_IFADDR:
	case KIND_RANGE:
		addr_put(w, &p->addr);
		buf_write_u8(w, p->len);
		break;
	case KIND_ENDPOINT:
		addr_put(w, &e->addr);
		if (e->addr.family)
			buf_write_be16(w, e->port);
		break;
	case KIND_MEMBER:
		buf_write_be32(w, m->nexthop);
		buf_write_be16(w, m->weight);
		break;
	}
}

static int field_get(struct buf_reader *r, const struct field *f, uint8_t *base, struct err_msg *msg)
{
	unsigned n = f->max ? buf_read_u8(r) : 1;
	int err;

	if (f->max && n > f->max)
		return err_set(msg, ERR_RANGE, "list of %u, expected at most %u", n, f->max);
	for (unsigned i = 0; i < n; i++) {
		void *value = base + f->offset + i * f->size;

		err = value_get(r, f, value, msg);
		if (r->err)
			return err_set(msg, r->err, "message ends too early");
		if (!err)
			err = check_value(f, value, msg);
		if (err)
			return err;
	}
	if (f->max)
		base[f->count_offset] = (uint8_t)n;
	return r->err ? err_set(msg, r->err, "message ends too early") : 0;
}

static int field_put(struct buf_writer *w, const struct field *f, const uint8_t *base, struct err_msg *msg)
{
	unsigned n = f->max ? base[f->count_offset] : 1;

	if (f->max && n > f->max)
		return err_set(msg, ERR_RANGE, "list of %u, expected at most %u", n, f->max);
	if (f->max)
		buf_write_u8(w, (uint8_t)n);
	for (unsigned i = 0; i < n; i++) {
		const void *value = base + f->offset + i * f->size;

		if (check_value(f, value, msg))
			return ERR_RANGE;
		value_put(w, f, value);
	}
	return 0;
}

/* --- routes, of which there are millions: without the table, 4 times as fast (bench fib-load) --- */

static_assert(offsetof(struct fibmsg_route, table) == offsetof(struct fibmsg_table_key, table) &&
		  offsetof(struct fibmsg_route, prefix) == offsetof(struct fibmsg_table_key, prefix),
    "DEL_ROUTE is a SET_ROUTE without its group");

static uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void be32_to(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static bool is_prefix(const uint8_t *addr, unsigned addr_len, unsigned plen)
{
	unsigned at = plen / 8;

	if (addr_len == 0 || plen > addr_len * 8)
		return false;
	if (plen % 8 && (addr[at++] & 0xffu >> plen % 8))
		return false;
	for (; at < addr_len; at++)
		if (addr[at])
			return false;
	return true;
}

/* A well-formed SET_ROUTE or DEL_ROUTE; false: nothing was read, the table says what is wrong. */
static bool route_get(struct buf_reader *r, struct fibmsg *m)
{
	const uint8_t *p = r->p;
	size_t left = buf_reader_left(r), len;
	unsigned type, group_len, addr_len;

	if (left < 9)
		return false;
	type = (unsigned)p[0] << 8 | p[1];
	if (type != FIBMSG_SET_ROUTE && type != FIBMSG_DEL_ROUTE)
		return false;
	len = (size_t)p[2] << 8 | p[3];
	group_len = type == FIBMSG_SET_ROUTE ? 4 : 0;
	addr_len = ip_family_bits(p[8]) / 8;
	if (len != 6 + addr_len + group_len || left < 4 + len || !is_prefix(p + 9, addr_len, p[9 + addr_len]))
		return false;
	memset(m, 0, sizeof(*m)); /* with its padding: callers compare by memcmp */
	m->type = (uint16_t)type;
	m->u.route.table = be32_at(p + 4);
	m->u.route.prefix.addr.family = p[8];
	memcpy(m->u.route.prefix.addr.b, p + 9, addr_len);
	m->u.route.prefix.len = p[9 + addr_len];
	if (group_len)
		m->u.route.group = be32_at(p + 10 + addr_len);
	(void)buf_read_view(r, 4 + len);
	return true;
}

/* False: nothing was written, since it is no route, is not well formed or has no room. */
static bool route_put(struct buf_writer *w, const struct fibmsg *m)
{
	const struct ip_prefix *prefix = &m->u.route.prefix;
	unsigned group_len = m->type == FIBMSG_SET_ROUTE ? 4 : 0, count;
	unsigned addr_len = ip_family_bits(prefix->addr.family) / 8, len = 6 + addr_len + group_len;
	size_t at = buf_writer_len(w);
	uint8_t *p;

	if (m->type != FIBMSG_SET_ROUTE && m->type != FIBMSG_DEL_ROUTE)
		return false;
	if (at < FIBMSG_HDR_LEN || buf_writer_left(w) < 4 + len || at + 4 + len > FIBMSG_MAX_LEN ||
	    !is_prefix(prefix->addr.b, addr_len, prefix->len))
		return false;
	count = (unsigned)w->start[8] << 8 | w->start[9];
	if (count == UINT16_MAX)
		return false;
	p = buf_write_reserve(w, 4 + len);
	p[0] = (uint8_t)(m->type >> 8);
	p[1] = (uint8_t)m->type;
	p[2] = 0;
	p[3] = (uint8_t)len;
	be32_to(p + 4, m->u.route.table);
	p[8] = prefix->addr.family;
	memcpy(p + 9, prefix->addr.b, addr_len);
	p[9 + addr_len] = prefix->len;
	if (group_len)
		be32_to(p + 10 + addr_len, m->u.route.group);
	buf_patch_be16(w, 8, (uint16_t)(count + 1));
	return true;
}

/* --- datagrams --- */

void fibmsg_begin(struct buf_writer *w, uint32_t seq, uint8_t flags)
{
	buf_write_be32(w, FIBMSG_MAGIC);
	buf_write_be32(w, seq);
	buf_write_be16(w, 0);
	buf_write_u8(w, FIBMSG_VERSION);
	buf_write_u8(w, flags);
}

int fibmsg_append(struct buf_writer *w, const struct fibmsg *m, struct err_msg *msg)
{
	const struct type *t;
	struct buf_writer was = *w;
	struct err_msg detail;
	size_t at = buf_writer_len(w), len;
	unsigned count;
	int err = 0;

	if (route_put(w, m))
		return 0;
	t = type_find(m->type);
	if (!t)
		return err_set(msg, ERR_INVALID, "message of unknown type %u", m->type);
	if (w->err || at < FIBMSG_HDR_LEN)
		return err_set(msg, ERR_FULL, "%s: no datagram begun", t->name);
	count = (unsigned)w->start[8] << 8 | w->start[9];
	buf_write_be16(w, m->type);
	buf_write_be16(w, 0);
	for (unsigned i = 0; i < t->n_fields && !err; i++) {
		err = field_put(w, &t->fields[i], (const uint8_t *)&m->u, &detail);
		if (err)
			err_set(msg, err, "%s: %s: %s", t->name, t->fields[i].name, detail.text);
	}
	if (!err && (w->err || buf_writer_len(w) > FIBMSG_MAX_LEN || count == UINT16_MAX))
		err = err_set(msg, ERR_FULL, "%s: datagram is full", t->name);
	if (err) {
		*w = was;
		return err;
	}
	len = buf_writer_len(w) - at - 4;
	buf_patch_be16(w, at + 2, (uint16_t)len);
	buf_patch_be16(w, 8, (uint16_t)(count + 1));
	return 0;
}

int fibmsg_read_header(struct buf_reader *r, struct fibmsg_header *h, struct err_msg *msg)
{
	size_t len = buf_reader_left(r);
	uint32_t magic = buf_read_be32(r);
	struct fibmsg_header read = {.seq = buf_read_be32(r)};

	read.count = buf_read_be16(r);
	read.version = buf_read_u8(r);
	read.flags = buf_read_u8(r);
	if (r->err)
		return err_set(
		    msg, ERR_TRUNCATED, "datagram of %zu bytes, expected at least %u", len, FIBMSG_HDR_LEN);
	if (len > FIBMSG_MAX_LEN)
		return err_set(
		    msg, ERR_PROTO, "datagram of %zu bytes, expected at most %u", len, FIBMSG_MAX_LEN);
	if (magic != FIBMSG_MAGIC)
		return err_set(msg, ERR_PROTO, "magic %08x, expected %08x", magic, FIBMSG_MAGIC);
	if (read.version != FIBMSG_VERSION)
		return err_set(msg, ERR_PROTO, "version %u, expected %u", read.version, FIBMSG_VERSION);
	if (read.flags & ~FIBMSG_F_CHECK)
		return err_set(msg, ERR_PROTO, "unknown flags %02x", read.flags);
	*h = read;
	return 0;
}

int fibmsg_read(struct buf_reader *r, struct fibmsg *m, struct err_msg *msg)
{
	struct buf_reader body;
	const struct type *t;
	struct err_msg detail;
	struct fibmsg read;
	uint16_t number;
	int err;

	if (route_get(r, m))
		return 0;
	number = buf_read_be16(r);
	body = buf_read_sub(r, buf_read_be16(r));
	t = type_find(number);
	if (r->err)
		return err_set(msg, ERR_TRUNCATED, "datagram ends within a message");
	if (!t)
		return err_set(msg, ERR_PROTO, "message of unknown type %u", number);
	memset(&read, 0, sizeof(read));
	read.type = number;
	for (unsigned i = 0; i < t->n_fields; i++) {
		err = field_get(&body, &t->fields[i], (uint8_t *)&read.u, &detail);
		if (err)
			return err_set(msg, err, "%s: %s: %s", t->name, t->fields[i].name, detail.text);
	}
	if (buf_reader_left(&body))
		return err_set(msg, ERR_PROTO, "%s: %zu bytes left over", t->name, buf_reader_left(&body));
	memcpy(m, &read, sizeof(*m)); /* with its padding: callers compare by memcmp */
	return 0;
}

const char *fibmsg_type_name(uint16_t type)
{
	const struct type *t = type_find(type);

	return t ? t->name : NULL;
}

uint32_t fibmsg_line_table(const char *port)
{
	uint32_t hash = 2166136261u;

	for (; *port; port++)
		hash = (hash ^ (uint8_t)*port) * 16777619u;
	return hash | 1;
}

/* The text of one value; size of buf: FIBMSG_PATH + 2 suffices for each kind. */
static void value_format(const struct field *f, const void *value, char *buf, size_t size)
{
	const struct fibmsg_member *m = value;
	const uint8_t *b = value;

	switch (f->kind) {
	case KIND_UINT:
		snprintf(buf, size, "%" PRIu64, uint_load(value, f->size));
		break;
	case KIND_BYTES:
		if (f->size == 6)
			snprintf(
			    buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
		else
			snprintf(buf, size, "%02x%02x%02x%02x...", b[0], b[1], b[2], b[3]);
		break;
	case KIND_STR:
		snprintf(buf, size, "'%.*s'", (int)f->size, (const char *)value);
		break;
	case KIND_ADDR:
	case KIND_HOST:
		ip_addr_format(value, buf);
		break;
	case KIND_PREFIX:
	case KIND_IFADDR:
	case KIND_RANGE:
		ip_prefix_format(value, buf);
		break;
	case KIND_ENDPOINT:
		ip_endpoint_format(value, buf);
		break;
	case KIND_MEMBER:
		snprintf(buf, size, "%" PRIu32 "*%u", m->nexthop, m->weight);
		break;
	}
}

/* Appends to the text of at most size bytes that buf holds. */
static void append(char *buf, size_t size, const char *a, const char *b, const char *c)
{
	size_t at = strlen(buf);

	snprintf(buf + at, size - at, "%s%s%s", a, b, c);
}

const char *fibmsg_format(const struct fibmsg *m, char *buf, size_t size)
{
	const struct type *t = type_find(m->type);
	const uint8_t *base = (const uint8_t *)&m->u;
	char text[FIBMSG_PATH + 3];

	if (!t)
		snprintf(buf, size, "message of unknown type %u", m->type);
	else
		snprintf(buf, size, "%s", t->name);
	for (unsigned i = 0; t && i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];
		unsigned n = f->max ? base[f->count_offset] : 1;

		append(buf, size, " ", f->name, "=");
		for (unsigned j = 0; j < n && j < (f->max ? f->max : 1u); j++) {
			value_format(f, base + f->offset + j * f->size, text, sizeof(text));
			append(buf, size, j ? "," : "", text, "");
		}
	}
	return buf;
}
