/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/fibmsg: known bytes, round trips of each type, every truncation, every refusal. */
#include "lib/fibmsg.h"

#include <stdbool.h>
#include <stdio.h>

#include "tests/unit/unit.h"

static uint64_t seed = 1;

static uint64_t next(void)
{
	return unit_random(&seed) >> 3;
}

static void fill_bytes(void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)next();
}

static void fill_str(char *out, size_t size)
{
	size_t len = next() % size;

	for (size_t i = 0; i < len; i++)
		out[i] = (char)('!' + next() % 90);
}

static struct ip_addr some_addr(bool none_allowed)
{
	static const uint8_t families[] = {IP_V4, IP_V6, IP_NONE};
	struct ip_addr a = {.family = families[next() % (none_allowed ? 3 : 2)]};

	fill_bytes(a.b, ip_family_bits(a.family) / 8);
	return a;
}

static struct ip_prefix some_prefix(bool none_allowed, bool host_bits)
{
	struct ip_prefix p = {.addr = some_addr(none_allowed)};

	p.len = (uint8_t)(next() % (ip_family_bits(p.addr.family) + 1));
	return host_bits ? p : ip_prefix_mask(&p);
}

/* The table of the header once more, to fill any message with random content. */
#define FILL_U8(f)     fill_bytes(&s->f, sizeof(s->f));
#define FILL_U16(f)    fill_bytes(&s->f, sizeof(s->f));
#define FILL_U32(f)    fill_bytes(&s->f, sizeof(s->f));
#define FILL_U64(f)    fill_bytes(&s->f, sizeof(s->f));
#define FILL_KEY(f)    fill_bytes(s->f, sizeof(s->f));
#define FILL_MAC(f)    fill_bytes(s->f, sizeof(s->f));
#define FILL_STR(f)    fill_str(s->f, sizeof(s->f));
#define FILL_ADDR(f)   s->f = some_addr(true);
#define FILL_PREFIX(f) s->f = some_prefix(false, false);
#define FILL_IFADDR(f) s->f = some_prefix(false, true);
#define FILL_RANGE(f)  s->f = some_prefix(true, false);
#define FILL_ENDPOINT(f)                                                                                     \
	s->f.addr = some_addr(true);                                                                         \
	s->f.port = s->f.addr.family ? (uint16_t)next() : 0;
#define FILL_ADDRS(f)                                                                                        \
	s->n_##f = (uint8_t)(next() % (UNIT_COUNT(s->f) + 1));                                               \
	for (unsigned i = 0; i < s->n_##f; i++)                                                              \
		s->f[i] = some_addr(false);
#define FILL_PREFIXES(f)                                                                                     \
	s->n_##f = (uint8_t)(next() % (UNIT_COUNT(s->f) + 1));                                               \
	for (unsigned i = 0; i < s->n_##f; i++)                                                              \
		s->f[i] = some_prefix(false, false);
#define FILL_MEMBERS(f)                                                                                      \
	s->n_##f = (uint8_t)(next() % (UNIT_COUNT(s->f) + 1));                                               \
	for (unsigned i = 0; i < s->n_##f; i++) {                                                            \
		s->f[i].nexthop = (uint32_t)next();                                                          \
		s->f[i].weight = (uint16_t)next();                                                           \
	}

static void fill(struct fibmsg *m, uint16_t type)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
	switch (type) {
#define FILL(kind, field) FILL_##kind(field)
#define CASE(number, NAME, suffix, fields)                                                                   \
	case number: {                                                                                       \
		struct fibmsg_##suffix *s = &m->u.suffix;                                                    \
		fields break;                                                                                \
	}
		FIBMSG_LIST_OF_TYPES(CASE, FILL)
#undef CASE
#undef FILL
	}
}

static const uint16_t types[] = {
#define NO_FIELD(kind, field)
#define NUMBER(number, NAME, suffix, fields) number,
    FIBMSG_LIST_OF_TYPES(NUMBER, NO_FIELD)
#undef NUMBER
#undef NO_FIELD
};

static uint8_t datagram[FIBMSG_MAX_LEN];

/* One message in a datagram; its length. */
static size_t encode(const struct fibmsg *m)
{
	struct err_msg msg = {""};
	struct buf_writer w;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 7, 0);
	if (fibmsg_append(&w, m, &msg))
		fail_msg("%s", msg.text);
	return buf_writer_len(&w);
}

/* Decodes the first message of len bytes in memory of exactly that size. */
static int decode(const void *data, size_t len, struct fibmsg *m, struct err_msg *msg)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct fibmsg_header h;
	struct buf_reader r;
	int err;

	memcpy(exact, data, len);
	buf_reader_init(&r, exact, len);
	err = fibmsg_read_header(&r, &h, msg);
	if (!err)
		err = fibmsg_read(&r, m, msg);
	free(exact);
	return err;
}

static void writes_the_known_bytes(void **state)
{
	static const uint8_t wire[] = {'B', 'Y', 'F', 'B', 0, 0, 0, 9, 0, 2, FIBMSG_VERSION, FIBMSG_F_CHECK, /* header */
	    0, 33, 0, 14, 0x11, 0x22, 0x33, 0x44, 4, 10, 0, 0, 0, 8, 0, 0, 0, 7, /* SET_ROUTE */
	    0, 22, 0, 5, 4, 'w', 'a', 'n', '1'};				 /* DEL_LINE */
	struct fibmsg m = {.type = FIBMSG_SET_ROUTE}, n = {.type = FIBMSG_DEL_LINE}, back;
	struct fibmsg_header h;
	struct buf_writer w;
	struct buf_reader r;

	m.u.route.table = 0x11223344;
	m.u.route.prefix = (struct ip_prefix){{IP_V4, {10}}, 8};
	m.u.route.group = 7;
	strcpy(n.u.name.name, "wan1");
	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 9, FIBMSG_F_CHECK);
	assert_int_equal(fibmsg_append(&w, &m, NULL), 0);
	assert_int_equal(fibmsg_append(&w, &n, NULL), 0);
	assert_int_equal(buf_writer_len(&w), sizeof(wire));
	assert_memory_equal(datagram, wire, sizeof(wire));

	buf_reader_init(&r, wire, sizeof(wire));
	assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
	assert_int_equal(h.seq, 9);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.flags, FIBMSG_F_CHECK);
	assert_int_equal(fibmsg_read(&r, &back, NULL), 0);
	assert_memory_equal(&back, &m, sizeof(m));
	assert_int_equal(fibmsg_read(&r, &back, NULL), 0);
	assert_memory_equal(&back, &n, sizeof(n));
	assert_int_equal(buf_reader_left(&r), 0);
}

static void round_trips_each_type(void **state)
{
	struct fibmsg m, back;
	struct err_msg msg;

	for (size_t i = 0; i < UNIT_COUNT(types); i++)
		for (unsigned j = 0; j < 300; j++) {
			fill(&m, types[i]);
			memset(&back, 0xa5, sizeof(back));
			if (decode(datagram, encode(&m), &back, &msg))
				fail_msg("%s", msg.text);
			assert_memory_equal(&back, &m, sizeof(m));
		}
}

static void refuses_every_truncation(void **state)
{
	struct err_msg msg;
	struct fibmsg m, untouched, out;
	size_t len;

	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < UNIT_COUNT(types); i++) {
		fill(&m, types[i]);
		len = encode(&m);
		out = untouched;
		for (size_t cut = 0; cut < len; cut++) /* the datagram ends early */
			assert_int_equal(decode(datagram, cut, &out, &msg), ERR_TRUNCATED);
		for (size_t cut = FIBMSG_HDR_LEN + 4; cut < len; cut++) { /* the message says so itself */
			datagram[FIBMSG_HDR_LEN + 2] = (uint8_t)((cut - FIBMSG_HDR_LEN - 4) >> 8);
			datagram[FIBMSG_HDR_LEN + 3] = (uint8_t)(cut - FIBMSG_HDR_LEN - 4);
			assert_int_equal(decode(datagram, cut, &out, &msg), ERR_TRUNCATED);
			assert_non_null(strstr(msg.text, fibmsg_type_name(types[i])));
		}
		datagram[FIBMSG_HDR_LEN + 2] = (uint8_t)((len - FIBMSG_HDR_LEN - 3) >> 8);
		datagram[FIBMSG_HDR_LEN + 3] = (uint8_t)(len - FIBMSG_HDR_LEN - 3);
		assert_int_equal(decode(datagram, len + 1, &out, &msg), ERR_PROTO);
		assert_memory_equal(&out, &untouched, sizeof(out));
	}
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		int err;
		const char *says;
		size_t len;
		uint8_t payload[32]; /* type, length, fields */
	} cases[] = {
	    {ERR_PROTO, "unknown type 999", 4, {3, 231, 0, 0}},
	    {ERR_PROTO, "unknown type 0", 4, {0, 0, 0, 0}},
	    {ERR_INVALID, "SET_ROUTE: prefix: family 5", 18,
		{0, 33, 0, 14, 0, 0, 0, 0, 5, 10, 0, 0, 0, 8, 0, 0, 0, 7}},
	    {ERR_INVALID, "SET_ROUTE: prefix: family 0", 14, {0, 33, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}},
	    {ERR_RANGE, "SET_ROUTE: prefix: prefix length 33", 18,
		{0, 33, 0, 14, 0, 0, 0, 0, 4, 10, 0, 0, 0, 33, 0, 0, 0, 7}},
	    {ERR_INVALID, "SET_ROUTE: prefix: host bits set, expected 10.0.0.0/8", 18,
		{0, 33, 0, 14, 0, 0, 0, 0, 4, 10, 0, 0, 1, 8, 0, 0, 0, 7}},
	    {ERR_RANGE, "QUERY: prefix: prefix length 1", 11, {0, 48, 0, 7, 1, 0, 0, 0, 0, 0, 1}},
	    {ERR_RANGE, "DEL_PORT: name: string of 16 bytes, expected at most 15", 21, {0, 18, 0, 17, 16}},
	    {ERR_INVALID, "DEL_PORT: name: NUL", 8, {0, 18, 0, 4, 3, 'a', 0, 'b'}},
	    {ERR_RANGE, "SET_GROUP: members: list of 17", 10, {0, 31, 0, 6, 0, 0, 0, 1, 0, 17}},
	    {ERR_PROTO, "DEL_ROUTE: 1 bytes left over", 15, {0, 34, 0, 11, 0, 0, 0, 0, 4, 10, 0, 0, 0, 8, 0}},
	    {ERR_TRUNCATED, "DEL_ROUTE: prefix: message ends too early", 13,
		{0, 34, 0, 9, 0, 0, 0, 0, 4, 10, 0, 0, 0}},
	};
	static const uint8_t header[FIBMSG_HDR_LEN] = {'B', 'Y', 'F', 'B', 0, 0, 0, 1, 0, 1, 2, 0};
	struct err_msg msg;
	struct fibmsg m;

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		memcpy(datagram, header, sizeof(header));
		memcpy(datagram + sizeof(header), cases[i].payload, cases[i].len);
		msg.text[0] = 0;
		assert_int_equal(decode(datagram, sizeof(header) + cases[i].len, &m, &msg), cases[i].err);
		if (!strstr(msg.text, cases[i].says))
			fail_msg("case %zu says '%s'", i, msg.text);
	}
}

static void refuses_bad_headers(void **state)
{
	static const struct {
		int err;
		const char *says;
		uint8_t header[FIBMSG_HDR_LEN];
	} cases[] = {
	    {ERR_PROTO, "magic 42594643", {'B', 'Y', 'F', 'C', 0, 0, 0, 1, 0, 1, 2, 0}},
	    {ERR_PROTO, "version 1, expected 2", {'B', 'Y', 'F', 'B', 0, 0, 0, 1, 0, 1, 1, 0}},
	    {ERR_PROTO, "unknown flags 80", {'B', 'Y', 'F', 'B', 0, 0, 0, 1, 0, 1, 2, 0x80}},
	};
	static uint8_t huge[FIBMSG_MAX_LEN + 1] = {'B', 'Y', 'F', 'B', [10] = 2};
	struct fibmsg_header h;
	struct buf_reader r;
	struct err_msg msg;

	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		buf_reader_init(&r, cases[i].header, FIBMSG_HDR_LEN);
		assert_int_equal(fibmsg_read_header(&r, &h, &msg), cases[i].err);
		assert_non_null(strstr(msg.text, cases[i].says));
	}
	buf_reader_init(&r, huge, sizeof(huge));
	assert_int_equal(fibmsg_read_header(&r, &h, &msg), ERR_PROTO);
	buf_reader_init(&r, huge, sizeof(huge) - 1);
	assert_int_equal(fibmsg_read_header(&r, &h, &msg), 0);
}

static void refuses_to_write_what_it_cannot_say(void **state)
{
	struct fibmsg m = {.type = FIBMSG_DEL_PORT};
	struct err_msg msg;
	struct buf_writer w;
	size_t before;

	buf_writer_init(&w, datagram, sizeof(datagram));
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_FULL); /* before fibmsg_begin */
	fibmsg_begin(&w, 1, 0);
	before = buf_writer_len(&w);
	memset(m.u.name.name, 'x', sizeof(m.u.name.name));
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_RANGE);
	assert_string_equal(msg.text, "DEL_PORT: name: string not terminated within 16 bytes");
	fill(&m, FIBMSG_SET_ROUTE);
	m.u.route.prefix = (struct ip_prefix){{IP_V4, {10, 0, 0, 1}}, 8};
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_RANGE);
	m.u.route.prefix.addr.family = 9;
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_RANGE);
	fill(&m, FIBMSG_SET_GROUP);
	m.u.group.n_members = FIBMSG_MEMBERS + 1;
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_RANGE);
	m.type = 1000;
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_INVALID);
	assert_string_equal(msg.text, "message of unknown type 1000");
	assert_int_equal(buf_writer_len(&w), before);
	assert_int_equal(w.err, 0);
	assert_int_equal(datagram[8] << 8 | datagram[9], 0);
}

static void a_full_datagram_keeps_what_it_has(void **state)
{
	struct fibmsg m = {.type = FIBMSG_DEL_GROUP}, back;
	struct fibmsg_header h;
	struct buf_writer w;
	struct buf_reader r;
	unsigned n = 0;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 1, 0);
	for (;; n++) {
		m.u.id.id = n;
		if (fibmsg_append(&w, &m, NULL))
			break;
	}
	assert_int_equal(n, (FIBMSG_MAX_LEN - FIBMSG_HDR_LEN) / 8);
	assert_int_equal(w.err, 0);
	buf_reader_init(&r, datagram, buf_writer_len(&w));
	assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
	assert_int_equal(h.count, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(fibmsg_read(&r, &back, NULL), 0);
		assert_int_equal(back.u.id.id, i);
	}
	assert_int_equal(buf_reader_left(&r), 0);
}

/* A datagram of one route that goes out as it came in, or is refused with a sentence; true: the former. */
static bool read_route_or_refuse(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len), back[64]; /* exact, so that a sanitizer sees a read past the end */
	struct err_msg msg = {""};
	struct fibmsg_header h;
	struct buf_reader r;
	struct buf_writer w;
	struct fibmsg m;
	bool good;

	memcpy(exact, bytes, len);
	buf_reader_init(&r, exact, len);
	assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
	good = fibmsg_read(&r, &m, &msg) == 0;
	if (good && (m.type == FIBMSG_SET_ROUTE || m.type == FIBMSG_DEL_ROUTE)) {
		buf_writer_init(&w, back, sizeof(back));
		fibmsg_begin(&w, h.seq, 0);
		assert_int_equal(fibmsg_append(&w, &m, NULL), 0);
		assert_memory_equal(back, exact, buf_writer_len(&w));
		assert_int_equal(buf_writer_len(&w), len - buf_reader_left(&r));
	} else {
		assert_true(good || msg.text[0] != '\0');
	}
	free(exact);
	return good;
}

static void routes_are_read_as_they_are_said(void **state)
{
	static const struct ip_prefix prefixes[] = {{{IP_V4, {10, 1, 0x80}}, 17}, {{IP_V4, {0}}, 0},
	    {{IP_V4, {192, 0, 2, 1}}, 32}, {{IP_V6, {0xfd, 1, 2}}, 29}, {{IP_V6, {0xfd, [15] = 1}}, 128}};
	unsigned refused = 0;

	for (size_t i = 0; i < UNIT_COUNT(prefixes) * 2; i++) {
		struct fibmsg m;
		struct buf_writer w;
		uint8_t bytes[64];

		memset(&m, 0, sizeof(m));
		m.type = i % 2 ? FIBMSG_DEL_ROUTE : FIBMSG_SET_ROUTE;
		m.u.route.table = 0x01020304;
		m.u.route.prefix = prefixes[i / 2];
		if (m.type == FIBMSG_SET_ROUTE)
			m.u.route.group = 0xa0b0c0d0;
		buf_writer_init(&w, bytes, sizeof(bytes));
		fibmsg_begin(&w, 5, 0);
		assert_int_equal(fibmsg_append(&w, &m, NULL), 0);
		assert_true(read_route_or_refuse(bytes, buf_writer_len(&w)));
		/* every change of one byte, and bytes behind the message */
		for (size_t at = FIBMSG_HDR_LEN; at < buf_writer_len(&w); at++) {
			for (unsigned v = 1; v < 256; v++) {
				bytes[at] ^= (uint8_t)v;
				refused += !read_route_or_refuse(bytes, buf_writer_len(&w));
				bytes[at] ^= (uint8_t)v;
			}
		}
		bytes[buf_writer_len(&w)] = 0xff;
		assert_true(read_route_or_refuse(bytes, buf_writer_len(&w) + 1));
	}
	assert_in_range(refused, 10000, 40000);
}

static void routes_fill_a_datagram_to_its_end(void **state)
{
	static uint8_t bytes[FIBMSG_MAX_LEN];
	struct fibmsg m = {.type = FIBMSG_DEL_ROUTE}, back;
	struct fibmsg_header h;
	struct buf_reader r;
	struct buf_writer w;
	struct err_msg msg;
	unsigned n = 0;

	m.u.table_key.prefix = (struct ip_prefix){{IP_V4, {10}}, 8};
	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, 5, 0);
	while (fibmsg_append(&w, &m, &msg) == 0)
		n++;
	assert_int_equal(n, (sizeof(bytes) - FIBMSG_HDR_LEN) / 14);
	assert_non_null(strstr(msg.text, "datagram is full"));
	m.u.table_key.prefix.addr.b[3] = 1;
	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, 5, 0);
	assert_int_equal(fibmsg_append(&w, &m, &msg), ERR_RANGE);
	assert_int_equal(buf_writer_len(&w), FIBMSG_HDR_LEN);
	m.u.table_key.prefix.addr.b[3] = 0;
	assert_int_equal(fibmsg_append(&w, &m, &msg), 0);
	buf_reader_init(&r, bytes, buf_writer_len(&w));
	assert_int_equal(fibmsg_read_header(&r, &h, NULL), 0);
	assert_int_equal(h.count, 1);
	assert_int_equal(fibmsg_read(&r, &back, NULL), 0);
	assert_int_equal(back.type, FIBMSG_DEL_ROUTE);
}

static void formats_for_the_log(void **state)
{
	struct fibmsg m = {.type = FIBMSG_SET_ROUTE};
	char text[8192], small[12];

	m.u.route.prefix = (struct ip_prefix){{IP_V4, {10}}, 8};
	m.u.route.group = 7;
	assert_string_equal(
	    fibmsg_format(&m, text, sizeof(text)), "SET_ROUTE table=0 prefix=10.0.0.0/8 group=7");
	assert_string_equal(fibmsg_format(&m, small, sizeof(small)), "SET_ROUTE t");
	m = (struct fibmsg){.type = FIBMSG_SET_GROUP};
	m.u.group.n_members = 2;
	m.u.group.members[0].nexthop = 3;
	m.u.group.members[1] = (struct fibmsg_member){4, 5};
	assert_string_equal(fibmsg_format(&m, text, sizeof(text)), "SET_GROUP id=0 mode=0 members=3*0,4*5");
	m = (struct fibmsg){.type = FIBMSG_DEL_PEER};
	strcpy(m.u.peer_key.tunnel, "friend1");
	memset(m.u.peer_key.key, 0xab, 32);
	assert_string_equal(
	    fibmsg_format(&m, text, sizeof(text)), "DEL_PEER tunnel='friend1' key=abababab...");
	m.type = 999;
	assert_string_equal(fibmsg_format(&m, text, sizeof(text)), "message of unknown type 999");
	assert_null(fibmsg_type_name(999));
	assert_string_equal(fibmsg_type_name(FIBMSG_EV_PEER), "EV_PEER");
	for (size_t i = 0; i < UNIT_COUNT(types); i++) {
		fill(&m, types[i]);
		fibmsg_format(&m, text, sizeof(text));
		assert_memory_equal(text, fibmsg_type_name(types[i]), strlen(fibmsg_type_name(types[i])));
	}
}

static void line_tables_are_fnv1a(void **state)
{
	assert_int_equal(fibmsg_line_table(""), 0x811c9dc5);
	assert_int_equal(fibmsg_line_table("a"), 0xe40c292d); /* 0xe40c292c with the lowest bit set */
	assert_int_equal(fibmsg_line_table("foobar"), 0xbf9cf969);
	assert_int_not_equal(fibmsg_line_table("wan1"), fibmsg_line_table("wan2"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_the_known_bytes),
	    cmocka_unit_test(round_trips_each_type),
	    cmocka_unit_test(refuses_every_truncation),
	    cmocka_unit_test(refuses_what_is_wrong),
	    cmocka_unit_test(refuses_bad_headers),
	    cmocka_unit_test(refuses_to_write_what_it_cannot_say),
	    cmocka_unit_test(a_full_datagram_keeps_what_it_has),
	    cmocka_unit_test(routes_are_read_as_they_are_said),
	    cmocka_unit_test(routes_fill_a_datagram_to_its_end),
	    cmocka_unit_test(formats_for_the_log),
	    cmocka_unit_test(line_tables_are_fnv1a),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
