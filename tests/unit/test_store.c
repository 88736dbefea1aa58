/* SPDX-License-Identifier: BSD-3-Clause */
/* The object store: batches refused and applied whole, roll back, references, sync and sweep, scale. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "dataplane/store.h"

/* A backend that records what it was driven to do and can be told to fail at a step. */
struct fake {
	char log[8192];
	int fail_at;	/* 1: the next step; 0: never */
	int fail_count; /* steps from there on that fail; 0 means 1 */
	unsigned objects, routes, commits;
};

static int fake_step(struct fake *f, struct err_msg *msg, const char *what, const struct fibmsg *m)
{
	size_t used = strlen(f->log);

	if (f->fail_at && --f->fail_at == 0) {
		f->fail_at = --f->fail_count > 0;
		return err_set(msg, ERR_IO, "the device is gone");
	}
	snprintf(
	    f->log + used, sizeof(f->log) - used, "%s %s\n", what, m ? fibmsg_type_name(m->type) : "route");
	return 0;
}

static int fake_object(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
    struct err_msg *msg)
{
	struct fake *f = arg;
	int rc = fake_step(f, msg, !old ? "new" : !now ? "gone" : "changed", now ? now : old);

	if (rc == 0)
		f->objects += (unsigned)(now != NULL) - (unsigned)(old != NULL);
	return rc;
}

static int fake_route(void *arg, uint32_t table, const struct ip_prefix *prefix, struct store_object *group,
    struct err_msg *msg)
{
	struct fake *f = arg;

	f->routes++;
	return fake_step(f, msg, group ? "set" : "del", NULL);
}

static void fake_committed(void *arg, enum store_origin origin, const uint8_t *datagram, size_t len)
{
	((struct fake *)arg)->commits++;
}

static struct fake fake;
static struct store *store;

static int setup(void **state)
{
	struct store_backend backend = {NULL, fake_object, fake_route, fake_committed, &fake};

	memset(&fake, 0, sizeof(fake));
	store = store_new(&backend, 42);
	return store ? 0 : -1;
}

static int teardown(void **state)
{
	store_free(store);
	return 0;
}

/* --- making messages --- */

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_ifaddr_parse(text, &p, NULL), 0);
	return p;
}

static struct fibmsg message(uint16_t type)
{
	struct fibmsg m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	return m;
}

static struct fibmsg port(const char *name, const char *device, bool wan)
{
	struct fibmsg m = message(FIBMSG_SET_PORT);

	snprintf(m.u.port.name, sizeof(m.u.port.name), "%s", name);
	snprintf(m.u.port.device, sizeof(m.u.port.device), "%s", device);
	m.u.port.role = wan ? FIBMSG_ROLE_WAN : FIBMSG_ROLE_LAN;
	m.u.port.table = wan ? fibmsg_line_table(name) : 0;
	return m;
}

static struct fibmsg line(const char *name)
{
	struct fibmsg m = message(FIBMSG_SET_LINE);

	snprintf(m.u.line.port, sizeof(m.u.line.port), "%s", name);
	m.u.line.interval_ms = 100;
	m.u.line.timeout_ms = 200;
	m.u.line.down_after = 4;
	return m;
}

static struct fibmsg address(const char *iface, const char *text)
{
	struct fibmsg m = message(FIBMSG_SET_ADDRESS);

	snprintf(m.u.address.iface, sizeof(m.u.address.iface), "%s", iface);
	m.u.address.address = prefix(text);
	return m;
}

static struct fibmsg tunnel(const char *name, uint16_t listen_port, const char *on)
{
	struct fibmsg m = message(FIBMSG_SET_TUNNEL);

	snprintf(m.u.tunnel.name, sizeof(m.u.tunnel.name), "%s", name);
	snprintf(m.u.tunnel.key_path, sizeof(m.u.tunnel.key_path), "/etc/byway/%s.key", name);
	snprintf(m.u.tunnel.line, sizeof(m.u.tunnel.line), "%s", on);
	m.u.tunnel.listen_port = listen_port;
	return m;
}

static struct fibmsg peer(const char *name, uint8_t key)
{
	struct fibmsg m = message(FIBMSG_SET_PEER);

	snprintf(m.u.peer.tunnel, sizeof(m.u.peer.tunnel), "%s", name);
	memset(m.u.peer.key, key, sizeof(m.u.peer.key));
	return m;
}

static struct fibmsg allowed(const char *name, uint8_t key, const char *text)
{
	struct fibmsg m = message(FIBMSG_SET_ALLOWED_IP);

	snprintf(m.u.allowed_ip.tunnel, sizeof(m.u.allowed_ip.tunnel), "%s", name);
	memset(m.u.allowed_ip.key, key, sizeof(m.u.allowed_ip.key));
	m.u.allowed_ip.prefix = prefix(text);
	return m;
}

static struct fibmsg via(uint32_t id, const char *iface, const char *gateway)
{
	struct fibmsg m = message(FIBMSG_SET_NEXTHOP);

	m.u.nexthop.id = id;
	m.u.nexthop.kind = FIBMSG_NH_VIA;
	snprintf(m.u.nexthop.iface, sizeof(m.u.nexthop.iface), "%s", iface);
	m.u.nexthop.gateway = addr(gateway);
	return m;
}

static struct fibmsg group(uint32_t id, uint32_t nexthop)
{
	struct fibmsg m = message(FIBMSG_SET_GROUP);

	m.u.group.id = id;
	m.u.group.n_members = 1;
	m.u.group.members[0].nexthop = nexthop;
	return m;
}

static struct fibmsg route(uint32_t table, const char *text, uint32_t id)
{
	struct fibmsg m = message(FIBMSG_SET_ROUTE);

	m.u.route.table = table;
	m.u.route.prefix = prefix(text);
	m.u.route.group = id;
	return m;
}

static struct fibmsg del_route(uint32_t table, const char *text)
{
	struct fibmsg m = message(FIBMSG_DEL_ROUTE);

	m.u.table_key.table = table;
	m.u.table_key.prefix = prefix(text);
	return m;
}

static struct fibmsg del_name(uint16_t type, const char *name)
{
	struct fibmsg m = message(type);

	snprintf(m.u.name.name, sizeof(m.u.name.name), "%s", name);
	return m;
}

static struct fibmsg del_id(uint16_t type, uint32_t id)
{
	struct fibmsg m = message(type);

	m.u.id.id = id;
	return m;
}

static int apply_as(
    enum store_origin origin, uint8_t flags, const struct fibmsg *m, unsigned n, struct fibmsg_ack *ack)
{
	static uint8_t datagram[FIBMSG_MAX_LEN];
	struct buf_writer w;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 7, flags);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fibmsg_append(&w, &m[i], NULL), 0);
	return store_apply_batch(store, datagram, buf_writer_len(&w), origin, ack);
}

static int apply(const struct fibmsg *m, unsigned n, struct fibmsg_ack *ack)
{
	return apply_as(STORE_CONTROL, 0, m, n, ack);
}

static void apply_good(const struct fibmsg *m, unsigned n)
{
	struct fibmsg_ack ack;

	if (apply(m, n, &ack))
		fail_msg("message %u: %s", ack.index, ack.text);
	assert_int_equal(ack.seq, 7);
}

#define APPLY_GOOD(...)                                                                                      \
	do {                                                                                                 \
		struct fibmsg list_[] = {__VA_ARGS__};                                                       \
		apply_good(list_, UNIT_COUNT(list_));                                                        \
	} while (0)

static void apply_home(void)
{
	APPLY_GOOD(port("wan1", "eth1", true), port("lan", "eth0", false), line("wan1"),
	    address("lan", "10.1.0.1/24"), tunnel("friend1", 51821, "wan1"), peer("friend1", 1),
	    allowed("friend1", 1, "10.2.0.0/16"), via(1, "wan1", "192.0.2.1"), group(2, 1),
	    route(0, "0.0.0.0/0", 2));
}

static unsigned total(void)
{
	unsigned n = 0;

	for (int class = 0; class < STORE_CLASSES; class ++)
		n += store_count(store, (enum store_class) class);
	return n;
}

/* --- tests --- */

static void test_applies_batch(void **state)
{
	struct store_key key;

	apply_home();
	assert_int_equal(total(), 10);
	assert_int_equal(fake.objects, 9);
	assert_int_equal(fake.routes, 1);
	assert_int_equal(fake.commits, 1);
	assert_int_equal(store_id_base(store), 3);
	store_key_name(STORE_PORT, "wan1", &key);
	assert_non_null(store_find(store, &key));
	assert_int_equal(store_find(store, &key)->refs, 3); /* line, tunnel, next hop */
}

static void test_same_content_does_nothing(void **state)
{
	apply_home();
	fake.log[0] = '\0';
	apply_home();
	assert_string_equal(fake.log, "");
	assert_int_equal(total(), 10);
}

struct bad {
	const char *what; /* a part of the sentence */
	int code;
	struct fibmsg m;
};

static void test_bad_batches_are_refused_whole(void **state)
{
	struct fibmsg wrong_role = port("x", "eth9", false), twice = group(9, 1), weightless = group(9, 1);
	struct fibmsg no_wan = line("lan"), slow_probe = line("wan1"), lost_probe = line("wan1");
	struct fibmsg relative = tunnel("t9", 9, ""), zero_key = peer("friend1", 0),
		      no_port = peer("friend1", 9);
	struct fibmsg tunnel_nh = via(9, "lan", "10.1.0.9"), nowhere = via(9, "lan", "10.1.0.9"),
		      empty = group(9, 1);
	struct fibmsg even = port("y", "eth8", true), big = port("y", "eth8", false),
		      grouped = port("y", "eth8", false);
	struct fibmsg kind = via(9, "lan", "10.1.0.9"), router = message(FIBMSG_SET_ROUTER),
		      to_lan = port("wan1", "eth1", false);

	wrong_role.u.port.role = 7;
	twice.u.group.n_members = 2;
	twice.u.group.members[1].nexthop = 1;
	weightless.u.group.mode = FIBMSG_GROUP_WEIGHTED;
	empty.u.group.n_members = 0;
	slow_probe.u.line.interval_ms = 0;
	lost_probe.u.line.down_after = 0;
	snprintf(relative.u.tunnel.key_path, sizeof(relative.u.tunnel.key_path), "home.key");
	no_port.u.peer.endpoint.addr = addr("198.51.100.1");
	tunnel_nh.u.nexthop.kind = FIBMSG_NH_TUNNEL;
	nowhere.u.nexthop.kind = FIBMSG_NH_BLACKHOLE;
	even.u.port.table = 4;
	big.u.port.mtu = 65535;
	grouped.u.port.mac[0] = 1;
	kind.u.nexthop.kind = 77;
	router.u.router.source4 = addr("fd00::1");

	const struct bad table[] = {
	    {"role 7", ERR_RANGE, wrong_role},
	    {"not a line's", ERR_INVALID, even},
	    {"mtu 65535", ERR_RANGE, big},
	    {"group address", ERR_INVALID, grouped},
	    {"name is empty", ERR_INVALID, port("", "eth9", false)},
	    {"not free", ERR_INVALID, port("byway0", "eth9", false)},
	    {"may not have", ERR_INVALID, port("a/b", "eth9", false)},
	    {"device is empty", ERR_INVALID, port("x", "", false)},
	    {"is port lan already", ERR_EXISTS, port("x", "eth0", false)},
	    {"a tunnel has this name", ERR_EXISTS, port("friend1", "eth9", false)},
	    {"cannot become a lan", ERR_BUSY, to_lan},
	    {"port wan9 does not exist", ERR_NOENT, line("wan9")},
	    {"not the role wan", ERR_INVALID, no_wan},
	    {"probe interval of 0 ns", ERR_RANGE, slow_probe},
	    {"down-after of 0", ERR_RANGE, lost_probe},
	    {"port nowhere does not exist", ERR_NOENT, address("nowhere", "10.9.0.1/24")},
	    {"not a unicast", ERR_INVALID, address("lan", "224.0.0.1/24")},
	    {"a port has this name", ERR_EXISTS, tunnel("lan", 9, "")},
	    {"not absolute", ERR_INVALID, relative},
	    {"listen-port 51821", ERR_EXISTS, tunnel("t9", 51821, "")},
	    {"port wan9 does not exist", ERR_NOENT, tunnel("t9", 9, "wan9")},
	    {"not the role wan", ERR_INVALID, tunnel("t9", 9, "lan")},
	    {"tunnel t9 does not exist", ERR_NOENT, peer("t9", 1)},
	    {"public key is zero", ERR_INVALID, zero_key},
	    {"endpoint's port is 0", ERR_RANGE, no_port},
	    {"of tunnel friend1 does not exist", ERR_NOENT, allowed("friend1", 9, "10.9.0.0/16")},
	    {"id is 0", ERR_RANGE, via(0, "lan", "10.1.0.9")},
	    {"port friend1 does not exist", ERR_NOENT, via(9, "friend1", "10.1.0.9")},
	    {"tunnel lan does not exist", ERR_NOENT, tunnel_nh},
	    {"leads nowhere", ERR_INVALID, nowhere},
	    {"kind 77", ERR_RANGE, kind},
	    {"next hop 8 does not exist", ERR_NOENT, group(9, 8)},
	    {"id is 0", ERR_RANGE, group(0, 1)},
	    {"has no members", ERR_RANGE, empty},
	    {"names next hop 1 twice", ERR_INVALID, twice},
	    {"weight of next hop 1 is 0", ERR_RANGE, weightless},
	    {"group 9 does not exist", ERR_NOENT, route(0, "10.9.0.0/16", 9)},
	    {"table 99 is no port's", ERR_NOENT, route(99, "10.9.0.0/16", 2)},
	    {"source4 is not an IPv4", ERR_INVALID, router},
	    {"is named by 3 others", ERR_BUSY, del_name(FIBMSG_DEL_PORT, "wan1")},
	    {"is named by 1 others", ERR_BUSY, del_name(FIBMSG_DEL_TUNNEL, "friend1")},
	    {"is named by 1 others", ERR_BUSY, del_id(FIBMSG_DEL_NEXTHOP, 1)},
	    {"is named by 2 others", ERR_BUSY, del_id(FIBMSG_DEL_GROUP, 2)},
	    {"no place in a batch", ERR_PROTO, message(FIBMSG_SYNC_BEGIN)},
	};

	apply_home();
	for (unsigned i = 0; i < UNIT_COUNT(table); i++) {
		/* A good message before it shows that nothing is half-applied, and that the index is right.
		 */
		struct fibmsg batch[] = {route(0, "10.50.0.0/16", 2), table[i].m};
		struct fibmsg_ack ack;

		fake.log[0] = '\0';
		assert_int_equal(apply(batch, 2, &ack), table[i].code);
		if (!strstr(ack.text, table[i].what))
			fail_msg("case %u: \"%s\" does not say \"%s\"", i, ack.text, table[i].what);
		assert_int_equal(ack.index, 1);
		assert_int_equal(ack.code, -table[i].code);
		assert_int_equal(total(), 10);
		assert_string_equal(fake.log, "");
	}
}

static void test_check_changes_nothing(void **state)
{
	struct fibmsg good[] = {port("lan", "eth0", false), address("lan", "10.1.0.1/24")};
	struct fibmsg_ack ack;

	assert_int_equal(apply_as(STORE_CONTROL, FIBMSG_F_CHECK, good, 2, &ack), 0);
	assert_int_equal(total(), 0);
	assert_string_equal(fake.log, "");
	good[1] = address("lan", "0.0.0.0/24");
	assert_int_equal(apply_as(STORE_CONTROL, FIBMSG_F_CHECK, good, 2, &ack), ERR_INVALID);
	assert_int_equal(ack.index, 1);
}

static void test_batch_sees_its_own_steps(void **state)
{
	apply_home();
	/* Used and gone within one batch; each step must find what the one before it left. */
	APPLY_GOOD(via(3, "lan", "10.1.0.3"), group(4, 3), route(0, "10.7.0.0/16", 4), group(4, 1),
	    del_id(FIBMSG_DEL_NEXTHOP, 3), del_route(0, "10.7.0.0/16"), del_id(FIBMSG_DEL_GROUP, 4));
	assert_int_equal(total(), 10);
	assert_int_equal(store_id_base(store), 5); /* ids are not given out again */
}

static void test_failed_step_rolls_back(void **state)
{
	struct fibmsg batch[] = {port("lan", "eth0", false), address("lan", "10.1.0.1/24"),
	    via(1, "lan", "10.1.0.9"), group(2, 1), route(0, "10.9.0.0/16", 2), group(5, 1)};

	for (int step = 1; step <= (int)UNIT_COUNT(batch); step++) {
		struct fibmsg_ack ack;

		fake.fail_at = step;
		assert_int_equal(apply(batch, UNIT_COUNT(batch), &ack), ERR_IO);
		assert_int_equal(ack.index, step - 1);
		assert_non_null(strstr(ack.text, "the device is gone"));
		assert_int_equal(total(), 0);
		assert_int_equal(fake.objects, 0);
		assert_int_equal(fake.commits, 0);
	}
	fake.fail_at = 0;
	apply_good(batch, UNIT_COUNT(batch));
	assert_int_equal(total(), 6);
}

static void test_object_lost_in_roll_back_is_applied_again(void **state)
{
	struct fibmsg batch[] = {port("wan1", "eth7", true), port("bad", "eth8", false)};
	struct fibmsg again = port("wan1", "eth1", true);
	struct fibmsg_ack ack;

	apply_home();
	fake.fail_at = 2;
	assert_int_equal(apply(batch, 2, &ack), ERR_IO);
	fake.log[0] = '\0';
	apply_good(&again, 1);
	assert_string_equal(fake.log, ""); /* went back well: the same content is nothing new */

	fake.fail_at = 2; /* "bad" cannot be made, and wan1 cannot go back */
	fake.fail_count = 2;
	assert_int_equal(apply(batch, 2, &ack), ERR_IO);
	assert_int_equal(total(), 10);
	fake.log[0] = '\0';
	apply_good(&again, 1);
	assert_string_equal(fake.log, "new SET_PORT\n");
	fake.log[0] = '\0';
	apply_good(&again, 1);
	assert_string_equal(fake.log, "");
}

static void test_allowed_ip_moves(void **state)
{
	struct fibmsg back = allowed("friend1", 1, "10.2.0.0/16"),
		      moved = allowed("friend1", 2, "10.2.0.0/16");
	struct fibmsg drop = moved;

	apply_home();
	back.type = FIBMSG_DEL_ALLOWED_IP;
	APPLY_GOOD(peer("friend1", 2), moved,
	    back); /* the old owner's removal comes after the move and does nothing */
	assert_int_equal(store_count(store, STORE_ALLOWED_IP), 1);
	drop.type = FIBMSG_DEL_ALLOWED_IP;
	APPLY_GOOD(drop);
	assert_int_equal(store_count(store, STORE_ALLOWED_IP), 0);
}

static void test_port_stays_while_its_table_has_routes(void **state)
{
	struct fibmsg gone = del_name(FIBMSG_DEL_PORT, "wan2");
	struct fibmsg_ack ack;

	apply_home();
	APPLY_GOOD(port("wan2", "eth2", true), route(fibmsg_line_table("wan2"), "0.0.0.0/0", 2));
	assert_int_equal(apply(&gone, 1, &ack), ERR_BUSY);
	APPLY_GOOD(del_route(fibmsg_line_table("wan2"), "0.0.0.0/0"), gone);
}

static void sweep_all(void)
{
	while (store_sweep(store))
		;
}

static void test_sync_sweeps_what_it_did_not_name(void **state)
{
	struct fibmsg own[] = {peer("friend1", 7), allowed("friend1", 7, "10.70.0.0/16")};
	struct fibmsg_ack ack;

	apply_home();
	assert_int_equal(apply_as(STORE_UAPI, 0, own, 2, &ack), 0);
	assert_int_equal(store_sync_begin(store, 5, NULL), 0);
	assert_int_equal(store_sync_begin(store, 5, NULL), ERR_INVALID);
	APPLY_GOOD(port("wan1", "eth1", true), line("wan1"), tunnel("friend1", 51821, "wan1"));
	assert_int_equal(store_sync_end(store, 6, NULL), ERR_PROTO);
	assert_int_equal(store_sync_end(store, 5, NULL), 0);
	sweep_all();
	assert_int_equal(total(), 5); /* three named ones and what `wg set` made */
	assert_int_equal(store_generation(store), 5);

	/* The tunnel goes, and with it what `wg set` put on it. */
	assert_int_equal(store_sync_begin(store, 6, NULL), 0);
	APPLY_GOOD(port("wan1", "eth1", true), line("wan1"));
	assert_int_equal(store_sync_end(store, 6, NULL), 0);
	sweep_all();
	assert_int_equal(total(), 2);
	assert_int_equal(fake.objects, 2);
}

static void test_sweep_keeps_what_is_used(void **state)
{
	apply_home();
	assert_int_equal(store_sync_begin(store, 5, NULL), 0);
	APPLY_GOOD(address("lan", "10.1.0.1/24")); /* and not the port */
	assert_int_equal(store_sync_end(store, 5, NULL), 0);
	sweep_all();
	assert_int_equal(total(), 2);
}

static void test_rejects_garbage(void **state)
{
	uint8_t bytes[512];
	uint64_t seed = 99;
	struct fibmsg_ack ack;

	for (int i = 0; i < 20000; i++) {
		size_t len = unit_random(&seed) % sizeof(bytes);

		for (size_t j = 0; j < len; j++)
			bytes[j] = (uint8_t)unit_random(&seed);
		assert_true(store_apply_batch(store, bytes, len, STORE_CONTROL, &ack) < 0);
		assert_true(ack.text[0] != '\0');
	}
	assert_int_equal(total(), 0);
}

static void test_every_truncation_is_refused(void **state)
{
	struct fibmsg batch[] = {
	    port("wan1", "eth1", true), via(1, "wan1", "192.0.2.1"), group(2, 1), route(0, "0.0.0.0/0", 2)};
	uint8_t datagram[1024];
	struct fibmsg_ack ack;
	struct buf_writer w;

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 7, 0);
	for (unsigned i = 0; i < UNIT_COUNT(batch); i++)
		assert_int_equal(fibmsg_append(&w, &batch[i], NULL), 0);
	for (size_t len = 0; len < buf_writer_len(&w); len++) {
		uint8_t *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read past the end */

		memcpy(exact, datagram, len);
		assert_true(store_apply_batch(store, exact, len, STORE_CONTROL, &ack) < 0);
		free(exact);
		assert_int_equal(total(), 0);
	}
}

#define MANY 200000u

static struct fibmsg numbered_route(uint32_t i)
{
	struct fibmsg m = route(0, "10.0.0.0/8", 2);

	m.u.route.prefix.len = 32;
	m.u.route.prefix.addr = ip_addr_v4(i * 2654435761u);
	return m;
}

static void test_many_routes(void **state)
{
	static struct fibmsg batch[1000];
	struct store_route r;
	uint64_t cursor = 0;
	unsigned seen = 0;
	bool got;

	apply_home();
	for (uint32_t i = 0; i < MANY; i += 1000) {
		for (uint32_t j = 0; j < 1000; j++)
			batch[j] = numbered_route(i + j);
		apply_good(batch, 1000);
	}
	assert_int_equal(store_count(store, STORE_ROUTE), MANY + 1);
	while (store_route_next(store, &cursor, 100, &r, &got))
		seen += got;
	assert_int_equal(seen, MANY + 1);
	/* Every second one goes; the rest must still be found by DEL. */
	for (int odd = 0; odd < 2; odd++) {
		for (uint32_t i = 0; i < MANY; i += 2000) {
			for (uint32_t j = 0; j < 1000; j++) {
				struct fibmsg m = numbered_route(i + 2 * j + (uint32_t)odd);

				batch[j] = message(FIBMSG_DEL_ROUTE);
				batch[j].u.table_key.prefix = m.u.route.prefix;
			}
			apply_good(batch, 1000);
		}
		assert_int_equal(store_count(store, STORE_ROUTE), odd ? 1 : MANY / 2 + 1);
	}
}

/* --- batches of nothing but routes, against a plain array --- */

#define MODEL_KEYS   600
#define MODEL_GROUPS 3

static struct ip_prefix model_prefix(unsigned key)
{
	struct ip_prefix p = {.len = (uint8_t)(24 + key % 2 * 8)};

	p.addr.family = key % 3 ? IP_V4 : IP_V6;
	p.addr.b[0] = 0x20;
	p.addr.b[1] = (uint8_t)(key >> 8);
	p.addr.b[2] = (uint8_t)key;
	return p;
}

static uint32_t model_table(unsigned key)
{
	return key % 5 ? FIBMSG_OVERLAY : fibmsg_line_table("wan1");
}

/* Group of each key in the store; 0: no route. */
static void read_store(uint32_t groups[MODEL_KEYS])
{
	uint64_t cursor = 0;
	struct store_route r;
	bool got;

	memset(groups, 0, MODEL_KEYS * sizeof(groups[0]));
	while (store_route_next(store, &cursor, 1000, &r, &got)) {
		unsigned key = got ? (unsigned)r.prefix.addr.b[1] << 8 | r.prefix.addr.b[2] : 0;
		struct ip_prefix p = model_prefix(key);

		if (!got || r.prefix.len == 0)
			continue;
		assert_true(key < MODEL_KEYS && ip_prefix_equal(&p, &r.prefix));
		assert_int_equal(r.table, model_table(key));
		assert_int_equal(groups[key], 0);
		groups[key] = r.group;
	}
}

/* A group counts its routes: it may go exactly when there are none. */
static void check_group_counts(const uint32_t groups[MODEL_KEYS])
{
	for (uint32_t id = 10; id < 10 + MODEL_GROUPS; id++) {
		struct store_key key;
		uint32_t n = 0;

		for (unsigned i = 0; i < MODEL_KEYS; i++)
			n += groups[i] == id;
		store_key_id(STORE_GROUP, id, &key);
		assert_int_equal(store_find(store, &key)->refs, n);
	}
}

static void test_route_batches_agree_with_an_array(void **state)
{
	static uint32_t model[MODEL_KEYS], next[MODEL_KEYS], held[MODEL_KEYS];
	uint64_t seed = 7;
	unsigned refused = 0;

	apply_home();
	APPLY_GOOD(group(10, 1), group(11, 1), group(12, 1));
	memset(model, 0, sizeof(model));
	for (unsigned round = 0; round < 3000; round++) {
		struct fibmsg batch[40];
		struct fibmsg_ack ack;
		unsigned n = 1 + (unsigned)(unit_random(&seed) % UNIT_COUNT(batch));

		memcpy(next, model, sizeof(next));
		for (unsigned i = 0; i < n; i++) {
			unsigned key = (unsigned)(unit_random(&seed) % MODEL_KEYS);
			uint32_t id = 10 + (uint32_t)(unit_random(&seed) % MODEL_GROUPS);

			next[key] = unit_random(&seed) % 3 ? id : 0;
			batch[i] = message(next[key] ? FIBMSG_SET_ROUTE : FIBMSG_DEL_ROUTE);
			batch[i].u.route.table = model_table(key);
			batch[i].u.route.prefix = model_prefix(key);
			if (next[key])
				batch[i].u.route.group = id;
		}
		fake.log[0] = '\0';
		fake.fail_at = round % 3 ? 0 : 1 + (int)(unit_random(&seed) % 60);
		if (apply(batch, n, &ack) == 0) {
			memcpy(model, next, sizeof(model));
		} else {
			assert_int_equal(ack.code, -ERR_IO);
			assert_true(ack.index < n);
			assert_non_null(strstr(ack.text, "_ROUTE table="));
			refused++;
		}
		read_store(held);
		assert_memory_equal(held, model, sizeof(model));
		check_group_counts(model);
	}
	fake.fail_at = 0;
	assert_in_range(refused, 50, 900);
}

static void test_route_batches_are_refused_whole(void **state)
{
	const struct bad table[] = {
	    {"group 9 does not exist", ERR_NOENT, route(0, "10.9.0.0/16", 9)},
	    {"table 99 is no port's", ERR_NOENT, route(99, "10.9.0.0/16", 2)},
	};

	apply_home();
	for (unsigned i = 0; i < UNIT_COUNT(table); i++) {
		struct fibmsg batch[] = {
		    route(0, "10.50.0.0/16", 2), del_route(0, "0.0.0.0/0"), table[i].m, table[i].m};
		struct fibmsg_ack ack;

		fake.routes = 0;
		assert_int_equal(apply(batch, UNIT_COUNT(batch), &ack), table[i].code);
		assert_non_null(strstr(ack.text, table[i].what));
		assert_int_equal(ack.index, 2);
		assert_int_equal(fake.routes, 0);
		assert_int_equal(total(), 10);
		assert_int_equal(apply_as(STORE_CONTROL, FIBMSG_F_CHECK, batch, 2, &ack), 0);
		assert_int_equal(fake.routes, 0);
		assert_int_equal(total(), 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_applies_batch, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_same_content_does_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_batches_are_refused_whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_check_changes_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_batch_sees_its_own_steps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_step_rolls_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_object_lost_in_roll_back_is_applied_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_allowed_ip_moves, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_port_stays_while_its_table_has_routes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sync_sweeps_what_it_did_not_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sweep_keeps_what_is_used, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rejects_garbage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_truncation_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_routes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_route_batches_agree_with_an_array, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_route_batches_are_refused_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
