/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where keys lie: the whole of the process's memory is searched for them. While they live they are in locked
 * pages that no core dump shows, afterwards nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/tunnel_peer.h"
#include "lib/secret.h"
#include "tests/whole/tunnel_rig.h"

#define MASK	    0x5c /* so that what is searched for is not found here */
#define NEEDLES	    8
#define MAPPINGS    4096
#define CHUNK	    (1024 * 1024)
#define STACK_BURN  (128 * 1024)
#define MAPPING_MAX ((size_t)1 << 30) /* a sanitizer's shadow holds no data */

struct mapping {
	uintptr_t from, to;
	bool secret; /* locked, and not dumped */
};

struct needle {
	const char *what;
	size_t len;
	uint8_t masked[CRYPTO_KEY_STRLEN];
	bool gone; /* it must be nowhere */
};

static struct mapping mappings[MAPPINGS];
static struct needle needles[NEEDLES];
static unsigned n_mappings, n_needles;
static uint8_t chunk[CHUNK];

int __wrap_mlock(const void *p, size_t len);

/* The system call itself: under a sanitizer the library's does nothing. */
int __wrap_mlock(const void *p, size_t len)
{
	return (int)syscall(SYS_mlock, p, len);
}

static void add_needle(const char *what, const void *bytes, size_t len)
{
	struct needle *n = &needles[n_needles++];

	assert_true(n_needles <= NEEDLES);
	n->what = what;
	n->len = len;
	n->gone = false;
	for (size_t i = 0; i < len; i++)
		n->masked[i] = ((const uint8_t *)bytes)[i] ^ MASK;
}

static void read_mappings(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	struct mapping *m = NULL;
	unsigned long from, to;
	char line[512], mode[8];

	assert_non_null(f);
	n_mappings = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3) {
			m = NULL;
			if (mode[0] != 'r' || mode[1] != 'w' || to - from > MAPPING_MAX)
				continue;
			assert_true(n_mappings < MAPPINGS);
			m = &mappings[n_mappings++];
			*m = (struct mapping){.from = from, .to = to};
		} else if (m && strncmp(line, "VmFlags:", 8) == 0) {
			m->secret = strstr(line, " lo") && strstr(line, " dd");
		}
	}
	fclose(f);
}

/* Does a needle begin with this byte? */
static bool begins[256];

static bool matches(const struct needle *n, const uint8_t *p)
{
	for (size_t i = 0; i < n->len; i++)
		if ((p[i] ^ MASK) != n->masked[i])
			return false;
	return true;
}

/* Without a sanitizer's checks, of which there would be billions. Needles at the first len bytes of chunk, of
 * which the rest is there, too. Returns those in a wrong place.
 */
__attribute__((no_sanitize("address", "undefined"))) static unsigned search_chunk(
    const struct mapping *m, uintptr_t at, size_t len, unsigned *found)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < len; i++) {
		if (!begins[chunk[i]])
			continue;
		for (unsigned k = 0; k < n_needles; k++) {
			const struct needle *n = &needles[k];

			if ((chunk[i] ^ MASK) != n->masked[0] || !matches(n, chunk + i))
				continue;
			(*found)++;
			if (m->secret && !n->gone)
				continue;
			print_error("%s at %#lx of %#lx-%#lx\n", n->what, at + i, m->from, m->to);
			wrong++;
		}
	}
	return wrong;
}

/* How many copies of needles lie where they must not; *found: all of them. */
static unsigned search_memory(unsigned *found)
{
	int fd = open("/proc/self/mem", O_RDONLY);
	unsigned wrong = 0;

	assert_true(fd >= 0);
	*found = 0;
	memset(begins, 0, sizeof(begins));
	for (unsigned k = 0; k < n_needles; k++)
		begins[needles[k].masked[0] ^ MASK] = true;
	read_mappings();
	for (unsigned i = 0; i < n_mappings; i++) {
		const struct mapping *m = &mappings[i];

		for (uintptr_t at = m->from; at < m->to; at += CHUNK - CRYPTO_KEY_STRLEN) {
			size_t want = m->to - at < CHUNK ? m->to - at : CHUNK;
			ssize_t got;

			if (at + want > (uintptr_t)chunk && at < (uintptr_t)chunk + CHUNK)
				memset(chunk, 0, CHUNK); /* it reads itself: nothing of before */
			got = pread(fd, chunk, want, (off_t)at);
			if (got < CRYPTO_KEY_STRLEN)
				continue;
			if (crypto_is_zero(chunk, (size_t)got))
				continue;
			wrong += search_chunk(m, at, (size_t)got - CRYPTO_KEY_STRLEN, found);
		}
	}
	close(fd);
	return wrong;
}

/* What the rig left on the stack is not the dataplane's. */
static void __attribute__((noinline)) burn_stack(void)
{
	volatile uint8_t room[STACK_BURN];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0;
}

static void set_preshared(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/psk", directory);
	crypto_fill_random(preshared, sizeof(preshared));
	write_key(path, preshared, 0600);
}

static void forget_remote(void)
{
	crypto_wipe(&remote.keys, sizeof(remote.keys));
	crypto_wipe(&remote.hs, sizeof(remote.hs));
	crypto_wipe(&remote.peer, sizeof(remote.peer));
	crypto_wipe(&remote.id, sizeof(remote.id));
}

static void note_secrets(const struct tunnel_peer *p)
{
	char text[CRYPTO_KEY_STRLEN];

	n_needles = 0;
	crypto_format_base64(text, p->tunnel->identity.private_key);
	add_needle("private key in base64", text, sizeof(text) - 1);
	crypto_wipe(text, sizeof(text));
	add_needle("private key", p->tunnel->identity.private_key, CRYPTO_KEY_LEN);
	add_needle("preshared key", p->noise.preshared_key, CRYPTO_KEY_LEN);
	add_needle("shared secret", p->noise.static_shared, CRYPTO_KEY_LEN);
	add_needle("sending key", p->current->sending, CRYPTO_KEY_LEN);
	add_needle("receiving key", p->current->receiving, CRYPTO_KEY_LEN);
}

/* An initiator and a responder of one tunnel in turn, with data: nothing lies about, and afterwards nothing
 * lies. */
static void check_secrets(bool initiator)
{
	uint8_t key[CRYPTO_KEY_LEN];
	struct tunnel_peer *p;
	unsigned found;

	set_preshared();
	make_pair("198.51.100.7", "192.0.2.10", initiator ? "198.51.100.7:40000" : NULL, NULL);
	crypto_wipe(preshared, sizeof(preshared));
	burn_stack();
	route_into_tunnel();
	if (initiator) {
		send_from_lan("10.1.0.5", "10.2.0.5", 10);
		assert_int_equal(receive_message(), sizeof(struct wg_wire_initiation));
		answer_initiation();
		assert_true(open_data(receive_message()) > 0);
	} else {
		initiate();
		send_data("", 0);
	}
	check_data();
	p = tunnel_peer_find("friend", remote.id.public_key);
	memcpy(key, remote.id.public_key, sizeof(key));
	forget_remote();
	note_secrets(p);
	assert_int_equal(search_memory(&found), 0);
	assert_in_range(found, 5, 12);

	assert_int_equal(tunnel_peer_del("friend", key), 0);
	rcu_settle();
	for (unsigned i = 2; i < n_needles; i++)
		needles[i].gone = true;
	assert_int_equal(search_memory(&found), 0);
	assert_in_range(found, 1, 2);

	assert_int_equal(end_test(NULL), 0);
	needles[0].gone = needles[1].gone = true;
	assert_int_equal(search_memory(&found), 0);
	assert_int_equal(found, 0);
}

static void test_initiator(void **state)
{
	check_secrets(true);
}

static void test_responder(void **state)
{
	check_secrets(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_initiator),
	    cmocka_unit_test(test_responder),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
