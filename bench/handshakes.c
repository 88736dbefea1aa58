/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many peers of one responder who shake hands again and again: initiation, response, and a first empty
 * message under the new keys. What the responder's process spends on it is for who starts this to look at.
 *
 *   handshakes --public [--peers N]                                   prints their public keys
 *   handshakes --key RESPONDER --to ADDRESS --port N --from ADDRESS [--peers N] [--millis N]
 *
 * Each peer has an address of its own, --from and on, all of this host, since a responder under load asks for
 * cookies and counts by address. No peer begins again within PAUSE_NS.
 *
 * Prints "begin" when all have done it once and have their cookies, after --millis "handshakes N lost N".
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/crypto.h"
#include "lib/nsec.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"

#define MAX_PEERS   1024
#define WINDOW	    16			 /* under way at once: fewer than make wireguard-go ask for cookies */
#define PAUSE_NS    (60 * NSEC_PER_MSEC) /* 20 a second of an address, 50 of a peer */
#define PATIENCE_NS (300 * NSEC_PER_MSEC)

struct peer {
	struct wg_noise_identity id;
	struct wg_noise_peer responder;
	struct wg_noise_handshake hs;
	struct wg_cookie_maker cookies;
	uint64_t begun_ns;
	bool waiting;
};

struct bench {
	int fd;
	unsigned n, millis, under_way, at;
	uint64_t done, lost;
	uint8_t key[CRYPTO_KEY_LEN];
	struct sockaddr_in to;
	uint32_t from;
	bool only_keys;
	struct peer peers[MAX_PEERS];
};

static int fail(const char *what)
{
	fprintf(stderr, "handshakes: %s\n", what);
	return 1;
}

/* The same at each start, so that the keys can be told before. */
static void make_key(struct peer *p, unsigned i)
{
	uint8_t key[CRYPTO_KEY_LEN];

	crypto_digest_bytes(key, sizeof(key), NULL, 0, &i, sizeof(i));
	wg_noise_set_identity(&p->id, key);
}

static void print_keys(struct bench *b)
{
	char text[CRYPTO_KEY_STRLEN + 1];

	for (unsigned i = 0; i < b->n; i++) {
		make_key(&b->peers[i], i);
		crypto_format_base64(text, b->peers[i].id.public_key);
		printf("%s\n", text);
	}
}

static int open_socket(struct bench *b)
{
	const struct timeval wait = {.tv_usec = 2000};
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(40000)};
	const int room = 4 << 20;

	b->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (b->fd < 0 || bind(b->fd, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
	    setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0)
		return fail("no socket at port 40000");
	setsockopt(b->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return 0;
}

static void send_from(struct bench *b, unsigned i, const void *bytes, size_t len)
{
	struct iovec part = {(void *)(uintptr_t)bytes, len};
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = {.head = {.cmsg_level = IPPROTO_IP,
			 .cmsg_type = IP_PKTINFO,
			 .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo))}};
	struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(&control.head);
	struct msghdr msg = {.msg_name = &b->to,
	    .msg_namelen = sizeof(b->to),
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};

	info->ipi_spec_dst.s_addr = htonl(b->from + i);
	if (sendmsg(b->fd, &msg, 0) < 0)
		b->lost++;
}

static void begin(struct bench *b, unsigned i)
{
	struct peer *p = &b->peers[i];
	struct wg_wire_initiation msg;
	uint8_t ephemeral[CRYPTO_KEY_LEN];

	crypto_fill_random(ephemeral, sizeof(ephemeral));
	if (wg_noise_create_initiation(
		&p->hs, &p->id, &p->responder, ephemeral, i + 1, nsec_realtime(), &msg))
		return;
	wg_cookie_stamp_macs(&p->cookies, &msg, sizeof(msg), nsec_monotonic());
	p->begun_ns = nsec_monotonic();
	if (!p->waiting)
		b->under_way++;
	p->waiting = true;
	send_from(b, i, &msg, sizeof(msg));
}

static void end(struct bench *b, struct peer *p)
{
	b->under_way -= p->waiting;
	p->waiting = false;
}

static void take_response(struct bench *b, unsigned i, const struct wg_wire_response *in)
{
	struct peer *p = &b->peers[i];
	uint8_t out[WG_WIRE_DATA_MIN_LEN] = {WG_WIRE_DATA};
	struct wg_noise_keys keys;

	if (wg_noise_consume_response(&p->hs, &p->id, &p->responder, in) ||
	    wg_noise_derive_keys(&p->hs, &keys))
		return;
	wg_wire_set_le32(((struct wg_wire_data *)out)->receiver, keys.remote_index);
	crypto_seal_aead(out + sizeof(struct wg_wire_data), keys.sending, 0, NULL, 0, NULL, 0);
	send_from(b, i, out, sizeof(out));
	end(b, p);
	b->done++;
}

static bool receive(struct bench *b)
{
	uint8_t bytes[2048];
	ssize_t len = recv(b->fd, bytes, sizeof(bytes), 0);
	const struct wg_wire_response *response = (const struct wg_wire_response *)(void *)bytes;
	const struct wg_wire_cookie_reply *cookie = (const struct wg_wire_cookie_reply *)(void *)bytes;
	enum wg_wire_kind kind = len > 0 ? wg_wire_type(bytes, (size_t)len) : WG_WIRE_INVALID;
	uint32_t i = 0;

	if (kind == WG_WIRE_RESPONSE)
		i = wg_wire_get_le32(response->receiver);
	else if (kind == WG_WIRE_COOKIE_REPLY)
		i = wg_wire_get_le32(cookie->receiver);
	if (i == 0 || i > b->n)
		return len > 0;
	if (kind == WG_WIRE_RESPONSE)
		take_response(b, i - 1, response);
	else if (!wg_cookie_consume_reply(&b->peers[i - 1].cookies, cookie, nsec_monotonic()))
		begin(b, i - 1);
	return true;
}

static void give_up(struct bench *b)
{
	uint64_t now = nsec_monotonic();

	for (unsigned i = 0; i < b->n; i++)
		if (b->peers[i].waiting && now - b->peers[i].begun_ns > PATIENCE_NS) {
			end(b, &b->peers[i]);
			b->lost++;
		}
}

static void run_for(struct bench *b, uint64_t ns)
{
	uint64_t end_ns = nsec_monotonic() + ns;

	while (nsec_monotonic() < end_ns) {
		while (b->under_way < WINDOW && nsec_monotonic() - b->peers[b->at].begun_ns >= PAUSE_NS) {
			if (!b->peers[b->at].waiting)
				begin(b, b->at);
			b->at = (b->at + 1) % b->n;
		}
		if (!receive(b))
			give_up(b);
	}
}

static int run(struct bench *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		make_key(&b->peers[i], i);
		wg_cookie_init_maker(&b->peers[i].cookies, b->key);
		if (wg_noise_set_peer(&b->peers[i].responder, &b->peers[i].id, b->key))
			return fail("--key: no handshake can use it");
	}
	if (open_socket(b))
		return 1;
	while (b->done < 2 * b->n && b->lost < 4 * b->n)
		run_for(b, 100 * NSEC_PER_MSEC);
	b->done = b->lost = 0;
	puts("begin");
	fflush(stdout);
	run_for(b, b->millis * NSEC_PER_MSEC);
	printf("handshakes %llu lost %llu\n", (unsigned long long)b->done, (unsigned long long)b->lost);
	return b->done ? 0 : fail("nobody answered");
}

static int parse(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {{"public", no_argument, NULL, 'p'},
	    {"key", required_argument, NULL, 'k'}, {"to", required_argument, NULL, 't'},
	    {"port", required_argument, NULL, 'P'}, {"from", required_argument, NULL, 'f'},
	    {"peers", required_argument, NULL, 'n'}, {"millis", required_argument, NULL, 'm'},
	    {NULL, 0, NULL, 0}};
	struct in_addr from;
	int opt, bad = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (opt == 'p')
			b->only_keys = true;
		else if (opt == 'k')
			bad |= crypto_parse_base64(b->key, optarg, strlen(optarg)) != 0;
		else if (opt == 't')
			bad |= inet_pton(AF_INET, optarg, &b->to.sin_addr) != 1;
		else if (opt == 'P')
			b->to.sin_port = htons((uint16_t)number);
		else if (opt == 'f' && inet_pton(AF_INET, optarg, &from) == 1)
			b->from = ntohl(from.s_addr);
		else if (opt == 'n')
			b->n = number;
		else if (opt == 'm')
			b->millis = number;
		else
			bad = 1;
	}
	return bad || b->n == 0 || b->n > MAX_PEERS
		   ? fail("expected options as in the file's head, --peers 1 to 1024")
		   : 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {.n = 512, .millis = 1000, .to = {.sin_family = AF_INET}};

	if (parse(&b, argc, argv) || crypto_init())
		return 2;
	if (!b.only_keys)
		return run(&b);
	print_keys(&b);
	return 0;
}
