/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stock `wg` asks of a tunnel, request by request as it writes them, on a slow thread with store and
 * state on disk: every key of a set, all or nothing, what of it the configuration takes back, what a restart
 * keeps, and 130,560 allowed-IPs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/apply.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/slow.h"
#include "dataplane/state.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"
#include "lib/nsec.h"
#include "tests/unit/unit.h"

#define PEER_A "0f01020304050607080910111213141516171819202122232425262728293031"
#define PEER_B "b001020304050607080910111213141516171819202122232425262728293031"
#define PEER_C "c001020304050607080910111213141516171819202122232425262728293031"
#define SECRET "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf505152535455565758595a5b5c5d5e5f"
#define NO_PSK "preshared_key=0000000000000000000000000000000000000000000000000000000000000000\n"
#define NEVER  "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"

static char dir[] = "/tmp/byway-test-uapi-XXXXXX", key_path[64];

/* --- a tunnel as control makes it --- */

static struct fibmsg tunnel_message(const char *name, uint16_t port)
{
	struct fibmsg m = {.type = FIBMSG_SET_TUNNEL};

	snprintf(m.u.tunnel.name, sizeof(m.u.tunnel.name), "%s", name);
	snprintf(m.u.tunnel.key_path, sizeof(m.u.tunnel.key_path), "%s", key_path);
	m.u.tunnel.listen_port = port;
	return m;
}

static struct fibmsg peer_message(const char *key, const char *name, bool any)
{
	struct fibmsg m = {.type = FIBMSG_SET_PEER};

	snprintf(m.u.peer.tunnel, sizeof(m.u.peer.tunnel), "wg0");
	snprintf(m.u.peer.name, sizeof(m.u.peer.name), "%s", name);
	assert_int_equal(crypto_parse_hex(m.u.peer.key, key, 64), 0);
	m.u.peer.any = any;
	return m;
}

static int control_says(const struct fibmsg *m, unsigned n)
{
	uint8_t bytes[4096];
	struct fibmsg_ack ack;
	struct buf_writer w;
	int rc;

	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, 1, 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fibmsg_append(&w, &m[i], NULL), 0);
	rc = store_apply_batch(apply_store(), bytes, buf_writer_len(&w), STORE_CONTROL, &ack);
	if (rc)
		print_message("%s\n", ack.text);
	return rc;
}

static struct tunnel *wg0(void)
{
	struct tunnel *t = tunnel_find("wg0");

	assert_non_null(t);
	return t;
}

static struct tunnel_peer *find(const char *hex)
{
	uint8_t key[32];

	assert_int_equal(crypto_parse_hex(key, hex, 64), 0);
	return tunnel_peer_by_key(wg0(), key);
}

/* --- requests --- */

static char *ask(const char *text)
{
	size_t len = 0;
	char *answer = uapi_answer(wg0(), text, strlen(text), &len), *whole;

	assert_non_null(answer);
	whole = strndup(answer, len);
	free(answer);
	return whole;
}

static void expect_answer(const char *text, const char *want)
{
	char *answer = ask(text);

	assert_string_equal(answer, want);
	free(answer);
}

#define SET(text)	   expect_answer("set=1\n" text "\n", "errno=0\n\n")
#define REFUSED(text, err) expect_answer("set=1\n" text "\n", "errno=-" err "\n\n")

/* What get says of the peers. */
static void expect_peers(const char *want)
{
	char *answer = ask("get=1\n\n"), *peers = strstr(answer, "public_key="),
	     *end = strstr(answer, "errno=0\n\n");

	assert_non_null(end);
	*end = '\0';
	assert_string_equal(peers ? peers : "", want);
	free(answer);
}

static unsigned count_keys(void)
{
	char path[96];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/keys", dir);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* --- tests --- */

static void test_sets_everything(void **state)
{
	SET("private_key=" SECRET "\nlisten_port=51900\nfwmark=42\n"
	    "public_key=" PEER_A "\npreshared_key=" SECRET "\nendpoint=192.0.2.1:7\n"
	    "persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.2.0.0/16\n"
	    "allowed_ip=fd00:2::/64\nprotocol_version=1\npublic_key=" PEER_B "\n");
	expect_answer("get=1\n\n",
	    "private_key=" SECRET "\nlisten_port=51900\nfwmark=42\n"
	    "public_key=" PEER_A "\npreshared_key=" SECRET
	    "\nprotocol_version=1\nendpoint=192.0.2.1:7\n" NEVER
	    "persistent_keepalive_interval=25\nallowed_ip=10.2.0.0/16\nallowed_ip=fd00:2::/64\n"
	    "public_key=" PEER_B "\n" NO_PSK "protocol_version=1\n" NEVER "persistent_keepalive_interval=0\n"
	    "errno=0\n\n");
	assert_int_equal(tunnel_by_port(51900), wg0()->iface->index);
	assert_int_equal(tunnel_by_port(51820), 0);
	SET("public_key=" PEER_A "\n" NO_PSK "persistent_keepalive_interval=0\nallowed_ip=-10.2.0.0/16\n");
	expect_peers("public_key=" PEER_A "\n" NO_PSK "protocol_version=1\nendpoint=192.0.2.1:7\n" NEVER
		     "persistent_keepalive_interval=0\nallowed_ip=fd00:2::/64\n"
		     "public_key=" PEER_B "\n" NO_PSK "protocol_version=1\n" NEVER
		     "persistent_keepalive_interval=0\n");
}

static void test_all_or_nothing(void **state)
{
	struct fibmsg other = tunnel_message("wg1", 51821);
	char *before, *after;

	assert_int_equal(control_says(&other, 1), 0);
	SET("public_key=" PEER_A "\nallowed_ip=10.2.0.0/16\n");
	before = ask("get=1\n\n");
	/* a point of low order as the last of three peers */
	REFUSED("private_key=" SECRET "\nlisten_port=51900\nreplace_peers=true\npublic_key=" PEER_B
		"\nallowed_ip=10.2.0.0/16\npublic_key="
		"0100000000000000000000000000000000000000000000000000000000000000\n",
	    "22");
	REFUSED("fwmark=7\nlisten_port=51821\n", "98"); /* EADDRINUSE */
	REFUSED("public_key=" PEER_B "\nfoo=1\n", "22");
	after = ask("get=1\n\n");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_update_only_and_remove(void **state)
{
	SET("public_key=" PEER_A "\nupdate_only=true\nallowed_ip=10.2.0.0/16\n");
	expect_peers("");
	SET("public_key=" PEER_A "\nremove=true\n");
	SET("public_key=" PEER_A "\nallowed_ip=10.2.0.0/16\npublic_key=" PEER_A "\nremove=true\n");
	expect_peers("");
	SET("public_key=" PEER_A "\nallowed_ip=10.2.0.0/16\n");
	SET("public_key=" PEER_A "\nupdate_only=true\npersistent_keepalive_interval=7\n");
	assert_int_equal(find(PEER_A)->timers.persistent_ns, 7 * NSEC_PER_SEC);
	SET("public_key=" PEER_A "\nremove=true\n");
	expect_peers("");
	assert_int_equal(store_count(apply_store(), STORE_ALLOWED_IP), 0);
}

/* Others skip a peer with the interface's own key, too: one file of peers serves all of a mesh. */
static void test_own_key_is_no_peer(void **state)
{
	struct wg_noise_identity id;
	uint8_t secret[32];
	char text[256], hex[CRYPTO_HEX_STRLEN];

	crypto_parse_hex(secret, SECRET, 64);
	wg_noise_set_identity(&id, secret);
	crypto_format_hex(hex, id.public_key);
	snprintf(text, sizeof(text), "set=1\nprivate_key=%s\npublic_key=%s\nallowed_ip=10.0.0.0/8\n\n",
	    SECRET, hex);
	expect_answer(text, "errno=0\n\n");
	expect_peers("");
	/* and a peer that has the key which becomes ours goes */
	SET("private_key=" PEER_C "\n");
	snprintf(text, sizeof(text), "set=1\npublic_key=%s\nallowed_ip=10.0.0.0/8\n\n", hex);
	expect_answer(text, "errno=0\n\n");
	assert_non_null(tunnel_peer_by_key(wg0(), id.public_key));
	SET("private_key=" SECRET "\n");
	expect_peers("");
}

static void test_without_private_key(void **state)
{
	char *answer;

	SET("private_key=0000000000000000000000000000000000000000000000000000000000000000\n");
	answer = ask("get=1\n\n");
	assert_null(strstr(answer, "private_key"));
	free(answer);
	SET("private_key=" SECRET "\n");
	assert_false(wg0()->keyless);
}

static void test_allowed_ip_moves(void **state)
{
	SET("public_key=" PEER_A "\nallowed_ip=10.2.0.0/16\nallowed_ip=10.3.0.0/16\npublic_key=" PEER_B
	    "\nallowed_ip=10.2.0.0/16\n");
	assert_int_equal(find(PEER_A)->n_allowed, 1);
	assert_int_equal(find(PEER_B)->n_allowed, 1);
	SET("public_key=" PEER_A "\nallowed_ip=-10.2.0.0/16\n"); /* not its own any more: nothing */
	assert_int_equal(find(PEER_B)->n_allowed, 1);
}

static void test_replace_keeps_peers_that_stay(void **state)
{
	struct tunnel_peer *a;

	SET("public_key=" PEER_A "\nendpoint=192.0.2.1:7\nallowed_ip=10.2.0.0/16\nallowed_ip=10.3.0.0/16\n"
	    "public_key=" PEER_B "\nallowed_ip=10.4.0.0/16\n");
	a = find(PEER_A);
	SET("replace_peers=true\npublic_key=" PEER_A "\nallowed_ip=10.3.0.0/16\nallowed_ip=10.5.0.0/16\n"
	    "public_key=" PEER_C "\nallowed_ip=10.4.0.0/16\n");
	assert_ptr_equal(find(PEER_A), a);
	assert_null(find(PEER_B));
	assert_int_equal(a->n_allowed, 2);
	assert_int_equal(a->configured.addr.family, IP_NONE);
	assert_int_equal(find(PEER_C)->n_allowed, 1);
	SET("replace_peers=true\n");
	expect_peers("");
}

static void test_narrows_any(void **state)
{
	struct fibmsg p = peer_message(PEER_A, "friend", true);

	assert_int_equal(control_says(&p, 1), 0);
	expect_peers("public_key=" PEER_A "\n" NO_PSK "protocol_version=1\n" NEVER
		     "persistent_keepalive_interval=0\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n");
	SET("public_key=" PEER_A "\npersistent_keepalive_interval=5\n");
	assert_true(atomic_load(&find(PEER_A)->any));
	SET("public_key=" PEER_A "\nallowed_ip=-::/0\n");
	expect_peers("public_key=" PEER_A "\n" NO_PSK "protocol_version=1\n" NEVER
		     "persistent_keepalive_interval=5\nallowed_ip=0.0.0.0/0\n");
	assert_int_equal(control_says(&p, 1), 0);
	SET("public_key=" PEER_A "\nreplace_allowed_ips=true\nallowed_ip=10.7.0.0/16\n");
	expect_peers("public_key=" PEER_A "\n" NO_PSK "protocol_version=1\n" NEVER
		     "persistent_keepalive_interval=0\nallowed_ip=10.7.0.0/16\n");
	assert_string_equal(find(PEER_A)->name, "friend");
}

static void test_port_change_takes_sessions_along(void **state)
{
	struct wg_noise_keys keys = {.remote_index = 9, .initiator = true};
	struct tunnel_peer *p;

	SET("public_key=" PEER_A "\nallowed_ip=10.2.0.0/16\n");
	p = find(PEER_A);
	keys.local_index = tunnel_table_reserve(p);
	p->previous = tunnel_keypair_publish(p, &keys, 1);
	assert_int_equal(atomic_load(&p->previous->port), 51820);
	SET("listen_port=51999\n");
	assert_int_equal(atomic_load(&p->previous->port), 51999);
	SET("listen_port=0\n"); /* any will do: the one it has */
	assert_int_equal(wg0()->port, 51999);
}

/* wg's endpoint is where to speak to from now on, even if it is the configured one already. */
static void test_endpoint_again(void **state)
{
	struct tunnel_peer *p;

	SET("public_key=" PEER_A "\nendpoint=192.0.2.1:7\n");
	p = find(PEER_A);
	assert_int_equal(ip_endpoint_parse("198.51.100.9:1", &p->remote, NULL), 0);
	p->learned = p->remote;
	SET("public_key=" PEER_A "\nendpoint=192.0.2.1:7\n");
	assert_int_equal(p->remote.port, 7);
	assert_int_equal(p->learned.addr.family, IP_NONE);
}

static void test_control_takes_back_what_it_names(void **state)
{
	struct fibmsg says[] = {tunnel_message("wg0", 51820), peer_message(PEER_A, "friend", true)};
	struct fibmsg_row_peer row;

	assert_int_equal(control_says(says, 2), 0);
	SET("private_key=" SECRET "\nlisten_port=51900\npublic_key=" PEER_A "\npreshared_key=" SECRET
	    "\nreplace_allowed_ips=true\npublic_key=" PEER_B "\nallowed_ip=10.4.0.0/16\n");
	assert_int_equal(wg0()->port, 51900);
	assert_int_equal(control_says(says, 2), 0);
	assert_int_equal(wg0()->port, 51820);
	assert_true(atomic_load(&find(PEER_A)->any));
	assert_true(crypto_is_zero(find(PEER_A)->noise.preshared_key, 32));
	assert_int_equal(find(PEER_B)->n_allowed, 1);
	assert_int_equal(tunnel_peer_row(0, &row), 0);
}

static void start_again(void)
{
	struct slow_config config = {.run_dir = dir, .state_dir = dir};
	struct err_msg msg = {""};

	if (slow_start(&config, &msg))
		fail_msg("%s", msg.text);
}

static void restart(void)
{
	slow_stop();
	start_again();
}

static void wait_until_written(void)
{
	uint64_t end = nsec_monotonic() + 10 * NSEC_PER_SEC;

	while (!state_is_written() && nsec_monotonic() < end)
		assert_int_equal(slow_run_once(50), 0);
	assert_true(state_is_written());
}

/* Without control: what wg made and changed is there again, keys and all, in files that nobody else reads. */
static void test_restart_keeps_it(void **state)
{
	struct fibmsg p = peer_message(PEER_A, "friend", true);
	char path[512], *before, *after;
	struct dirent *e;
	struct stat st;
	DIR *d;

	assert_int_equal(control_says(&p, 1), 0);
	SET("private_key=" SECRET "\npublic_key=" PEER_A
	    "\npersistent_keepalive_interval=9\npublic_key=" PEER_B "\npreshared_key=" PEER_C
	    "\nendpoint=[2001:db8::7]:9\nallowed_ip=10.4.0.0/16\n");
	before = ask("get=1\n\n");
	restart();
	after = ask("get=1\n\n");
	assert_string_equal(before, after);
	free(before);
	free(after);
	snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/keys/%s", dir, e->d_name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	closedir(d);
	assert_int_equal(count_keys(), 2);
}

/* A key that nothing names any more goes, but not before the state on disk has forgotten it. */
static void test_unused_keys_go(void **state)
{
	uint64_t end;

	SET("public_key=" PEER_B "\npreshared_key=" SECRET "\n");
	SET("public_key=" PEER_B "\npreshared_key=" PEER_C "\n");
	tunnel_key_store_tick(0);
	assert_int_equal(count_keys(), 2); /* the state is not written yet */
	for (end = nsec_monotonic() + 10 * NSEC_PER_SEC; count_keys() == 2 && nsec_monotonic() < end;)
		assert_int_equal(slow_run_once(50), 0);
	assert_int_equal(count_keys(), 1);
	assert_true(state_is_written());
}

static void make_file(const char *name)
{
	char path[192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
}

static void wait_for_keys(unsigned n)
{
	uint64_t end = nsec_monotonic() + 10 * NSEC_PER_SEC;

	while (count_keys() != n && nsec_monotonic() < end)
		assert_int_equal(slow_run_once(50), 0);
	assert_int_equal(count_keys(), n);
}

/* Files that lie beside the keys and are none of ours stay; what a failed write left goes. */
static void test_sweep_knows_its_own(void **state)
{
	SET("public_key=" PEER_B "\npreshared_key=" SECRET "\n");
	make_file("keys/friend.psk");
	make_file("keys/0123456789abcdef0123456789abcdef.old");
	make_file("keys/0123456789abcdef0123456789abcdef.new");
	make_file("keys/0123456789abcdef0123456789abcdef");
	assert_int_equal(count_keys(), 5);
	wait_for_keys(3);
	restart();
	SET("public_key=" PEER_B "\npersistent_keepalive_interval=5\n");
	assert_false(crypto_is_zero(find(PEER_B)->noise.preshared_key, 32));
}

/* A state that could not be read names no key; they are kept until one is written that names none. */
static void test_sweep_waits_for_a_state_of_its_own(void **state)
{
	SET("public_key=" PEER_B "\npreshared_key=" SECRET "\n");
	slow_stop();
	make_file("fib.state");
	start_again();
	tunnel_key_store_tick(0);
	assert_int_equal(count_keys(), 1);
}

/* Whoever takes a key back: control, and setconf with a peer that has none now. */
static void test_keys_taken_back_go(void **state)
{
	struct fibmsg says[] = {tunnel_message("wg0", 51820), peer_message(PEER_A, "friend", true)};

	assert_int_equal(control_says(says, 2), 0);
	SET("private_key=" SECRET "\npublic_key=" PEER_A "\npreshared_key=" PEER_B "\npublic_key=" PEER_B
	    "\npreshared_key=" PEER_C "\n");
	wait_until_written();
	assert_int_equal(count_keys(), 3);
	assert_int_equal(control_says(says, 2), 0);
	wait_for_keys(1);
	SET("replace_peers=true\npublic_key=" PEER_B "\n");
	wait_for_keys(0);
}

/* --- scale --- */

#define MANY_PEERS 1000u
#define MANY_IPS   130560u

static char *many_peers(void)
{
	char *text = malloc(MANY_PEERS * 200ul), *p = text;

	p += sprintf(p, "set=1\nreplace_peers=true\n");
	for (unsigned i = 0; i < MANY_PEERS; i++)
		p += sprintf(p, "public_key=%08x%s\nreplace_allowed_ips=true\nallowed_ip=10.%u.%u.0/24\n",
		    i * 2654435761u, &PEER_A[8], i >> 8, i & 255);
	sprintf(p, "\n");
	return text;
}

static char *many_ips(void)
{
	char *text = malloc(MANY_IPS * 40ul + 200), *p = text;

	p += sprintf(p, "set=1\npublic_key=" PEER_A "\nreplace_allowed_ips=true\n");
	for (unsigned i = 0; i < MANY_IPS / 2; i++)
		p += sprintf(p, "allowed_ip=100.%u.%u.%u/32\nallowed_ip=fd00::%x/128\n", i >> 16,
		    i >> 8 & 255, i & 255, i);
	sprintf(p, "\n");
	return text;
}

static void timed(const char *what, const char *request)
{
	uint64_t begun = nsec_monotonic();

	expect_answer(request, "errno=0\n\n");
	print_message("%s: %u ms\n", what, (unsigned)((nsec_monotonic() - begun) / NSEC_PER_MSEC));
}

static void test_many_peers(void **state)
{
	char *request = many_peers();
	struct tunnel_peer *one;

	timed("1,000 peers", request);
	assert_int_equal(wg0()->n_peers, MANY_PEERS);
	one = tunnel_peer_by_index(500);
	timed("the same again", request);
	assert_ptr_equal(tunnel_peer_by_index(500), one);
	SET("replace_peers=true\n");
	assert_int_equal(wg0()->n_peers, 0);
	free(request);
}

/* What a section has taken away the next ones of the same peer do not take away again. */
static void test_one_peer_many_times(void **state)
{
	enum { IPS = 4000, SECTIONS = 1000 };
	char *text = malloc((IPS + SECTIONS * 4) * 60ul), *p = text;
	uint64_t begun;

	p += sprintf(p, "set=1\npublic_key=" PEER_A "\n");
	for (unsigned i = 0; i < IPS; i++)
		p += sprintf(p, "allowed_ip=100.0.%u.%u/32\n", i >> 8, i & 255);
	sprintf(p, "\n");
	timed("4,000 allowed-IPs", text);
	p = text + sprintf(text, "set=1\n");
	for (unsigned i = 0; i < SECTIONS; i++)
		p += sprintf(p, "public_key=" PEER_A "\nreplace_allowed_ips=true\nallowed_ip=10.%u.%u.0/24\n",
		    i >> 8, i & 255);
	sprintf(p, "\n");
	begun = nsec_monotonic();
	timed("1,000 times replaced", text);
	assert_true(nsec_monotonic() - begun < 10 * NSEC_PER_SEC);
	assert_int_equal(find(PEER_A)->n_allowed, 1);
	free(text);
	SET("public_key=" PEER_A "\nallowed_ip=10.1.0.0/16\nallowed_ip=10.2.0.0/16\npublic_key=" PEER_B
	    "\npublic_key=" PEER_A "\nallowed_ip=10.3.0.0/16\npublic_key=" PEER_A
	    "\nreplace_allowed_ips=true\nallowed_ip=10.4.0.0/16\npublic_key=" PEER_A
	    "\nallowed_ip=10.5.0.0/16\npublic_key=" PEER_A
	    "\nreplace_allowed_ips=true\nallowed_ip=10.4.0.0/16\nallowed_ip=10.2.0.0/16\n");
	assert_int_equal(find(PEER_A)->n_allowed, 2);
	SET("public_key=" PEER_A "\nallowed_ip=10.6.0.0/16\npublic_key=" PEER_A
	    "\nremove=true\npublic_key=" PEER_A "\nallowed_ip=10.7.0.0/16\n");
	assert_int_equal(find(PEER_A)->n_allowed, 1);
}

static void test_many_allowed_ips(void **state)
{
	char *request = many_ips(), *answer;
	unsigned n = 0;

	timed("130,560 allowed-IPs", request);
	timed("the same again", request);
	answer = ask("get=1\n\n");
	for (const char *at = answer, *end = answer + strlen(answer); at < end; at++) {
		n += strncmp(at, "allowed_ip=", 11) == 0;
		at = memchr(at, '\n', (size_t)(end - at));
	}
	assert_int_equal(n, MANY_IPS);
	free(answer);
	timed("all gone", "set=1\npublic_key=" PEER_A "\nreplace_allowed_ips=true\n\n");
	assert_int_equal(find(PEER_A)->n_allowed, 0);
	timed("and back", request);
	timed("with their peer", "set=1\npublic_key=" PEER_A "\nremove=true\n\n");
	assert_int_equal(store_count(apply_store(), STORE_ALLOWED_IP), 0);
	free(request);
}

/* --- the socket --- */

#define SOCKETS "/var/run/wireguard"

/* A directory for sockets of this program alone, in a mount namespace of its own. */
static bool hide_sockets(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (mkdir(SOCKETS, 0700) && errno != EEXIST))
		return false;
	return mount("none", SOCKETS, "tmpfs", 0, NULL) == 0;
}

static int connect_client(void)
{
	const struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = SOCKETS "/wg0.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	slow_run_once(0);
	slow_run_once(0);
	return fd;
}

static bool was_sent_away(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == EAGAIN));
	return n == 0;
}

/* Clients beyond a number, or without a descriptor left, are sent away: none waits and keeps the loop awake.
 */
static void test_too_many_clients(void **state)
{
	enum { CLIENTS = 64 };
	struct rlimit before, low;
	int fds[CLIENTS], more, end;

	if (!hide_sockets())
		skip();
	uapi_open(wg0());
	assert_non_null(wg0()->uapi);
	for (unsigned i = 0; i < CLIENTS; i++) {
		fds[i] = connect_client();
		assert_false(was_sent_away(fds[i]));
	}
	more = connect_client();
	assert_true(was_sent_away(more));
	close(more);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fds[i]);
	for (unsigned i = 0; i < CLIENTS; i++)
		slow_run_once(0);
	more = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* the client's place */
	end = dup(0);
	close(end);
	close(more);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)end, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	more = connect_client();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(was_sent_away(more));
	close(more);
	more = connect_client();
	assert_false(was_sent_away(more));
	close(more);
}

/* --- around --- */

static int setup(void **state)
{
	struct slow_config config = {.run_dir = dir, .state_dir = dir};
	struct fibmsg m = tunnel_message("wg0", 51820);
	struct err_msg msg = {""};

	if (slow_start(&config, &msg)) {
		print_error("%s\n", msg.text);
		return -1;
	}
	return control_says(&m, 1);
}

static void remove_file(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%.100s", dir, name);
	unlink(path);
}

static int teardown(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	slow_stop();
	remove_file("fib.state");
	remove_file("peers");
	snprintf(path, sizeof(path), "%s/keys", dir);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "keys/%.64s", e->d_name);
		if (e->d_name[0] != '.')
			remove_file(path);
	}
	if (d)
		closedir(d);
	snprintf(path, sizeof(path), "%s/keys", dir);
	rmdir(path);
	return 0;
}

static int start_all(void **state)
{
	static char prefix[32];
	struct eal_config config = {.prefix = prefix, .workers = 1, .mem_mib = 96};
	struct err_msg msg = {""};
	FILE *file;

	log_init("uapi", LOG_LEVEL_ERR);
	snprintf(prefix, sizeof(prefix), "byway-test-%d", (int)getpid());
	if (eal_start(&config, &msg) || !mkdtemp(dir)) {
		print_error("%s\n", msg.text);
		return -1;
	}
	umask(077);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	file = fopen(key_path, "w");
	fputs("GJJ7+sbFPsvAVj7YRN7FRhI+kTPQ/+QxYbPRkLAJkl8=\n", file);
	fclose(file);
	rcu_register_thread();
	group_init();
	return fib_init() || workers_create(1, 4096, &msg);
}

static int stop_all(void **state)
{
	rcu_settle();
	workers_destroy();
	fib_fini();
	rcu_unregister_thread();
	eal_stop();
	remove_file("key");
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_sets_everything, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_update_only_and_remove, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_own_key_is_no_peer, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_without_private_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_allowed_ip_moves, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replace_keeps_peers_that_stay, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_narrows_any, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_port_change_takes_sessions_along, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_endpoint_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_control_takes_back_what_it_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart_keeps_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unused_keys_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sweep_knows_its_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sweep_waits_for_a_state_of_its_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_keys_taken_back_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_peers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_peer_many_times, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_allowed_ips, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
