/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pure WireGuard core over a UDP socket, for test_wg_core.py: no tunnel device, one inner address, and
 * ICMP echo inside.
 *
 *   wg_speaker initiate|respond PRIVATE PUBLIC PRESHARED|- LOCAL REMOTE INNER-OURS INNER-THEIRS COUNT
 *
 * initiate: COUNT times a handshake and one echo request, whose answer is awaited.
 * respond: answers handshakes and COUNT echo requests. Exit status 0 if all of it happened within 15 s.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/crypto.h"
#include "lib/csum.h"
#include "lib/err.h"
#include "lib/ip.h"
#include "lib/ip_wire.h"
#include "lib/nsec.h"
#include "lib/wg_cookie.h"
#include "lib/wg_noise.h"
#include "lib/wg_replay.h"

#define TIME_MAX_S   15
#define INNER_LEN    96 /* an echo packet, a multiple of the padding */
#define OUR_INDEX    0x01020304u
#define MESSAGE_ROOM 2048

struct speaker {
	int fd;
	struct wg_noise_identity id;
	struct wg_noise_peer peer;
	struct wg_noise_handshake hs;
	struct wg_noise_keys keys;
	struct wg_cookie_maker maker;
	struct wg_cookie_checker checker;
	struct wg_replay replay;
	struct ip_endpoint remote;
	struct ip_addr inner_ours, inner_theirs;
	uint64_t counter;
	uint32_t index;
	uint8_t in[MESSAGE_ROOM];
	size_t in_len;
};

static void die(const char *what)
{
	fprintf(stderr, "wg_speaker: %s\n", what);
	exit(EXIT_FAILURE);
}

static void fill_sockaddr(const struct ip_endpoint *e, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (e->addr.family == IP_V4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(e->port);
		memcpy(&in4->sin_addr, e->addr.b, 4);
		*len = sizeof(*in4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		memcpy(&in6->sin6_addr, e->addr.b, 16);
		*len = sizeof(*in6);
	}
}

static int open_socket(const struct ip_endpoint *local, const struct ip_endpoint *remote)
{
	const struct timeval second = {.tv_sec = 1};
	struct sockaddr_storage a;
	socklen_t len;
	int fd;

	fill_sockaddr(local, &a, &len);
	fd = socket(a.ss_family, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len))
		die(strerror(errno));
	fill_sockaddr(remote, &a, &len);
	if (connect(fd, (struct sockaddr *)&a, len) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)))
		die(strerror(errno));
	return fd;
}

static void send_message(struct speaker *s, const void *data, size_t len)
{
	if (send(s->fd, data, len, 0) < 0 && errno != ECONNREFUSED)
		die(strerror(errno));
}

/* The next message, or WG_WIRE_INVALID after a second without one. */
static enum wg_wire_kind receive_message(struct speaker *s)
{
	ssize_t n = recv(s->fd, s->in, sizeof(s->in), 0);

	s->in_len = n > 0 ? (size_t)n : 0;
	return wg_wire_type(s->in, s->in_len);
}

static void seal_and_send(struct speaker *s, const uint8_t *inner, size_t len)
{
	uint8_t out[MESSAGE_ROOM] = {WG_WIRE_DATA};
	struct wg_wire_data *header = (struct wg_wire_data *)out;

	wg_wire_set_le32(header->receiver, s->keys.remote_index);
	wg_wire_set_le64(header->counter, s->counter);
	crypto_seal_aead(out + sizeof(*header), s->keys.sending, s->counter++, inner, len, NULL, 0);
	send_message(s, out, sizeof(*header) + len + WG_WIRE_TAG_LEN);
}

/* The inner packet of the data message received, in place; NULL: not authentic, seen before, or empty. */
static uint8_t *open_data(struct speaker *s, size_t *len)
{
	const struct wg_wire_data *header = (const struct wg_wire_data *)s->in;
	uint64_t counter = wg_wire_get_le64(header->counter);
	uint8_t *inner = s->in + sizeof(*header);

	if (wg_wire_get_le32(header->receiver) != s->keys.local_index ||
	    crypto_open_aead(
		inner, s->keys.receiving, counter, inner, s->in_len - sizeof(*header), NULL, 0) ||
	    !wg_replay_accept_counter(&s->replay, counter))
		return NULL;
	*len = s->in_len - WG_WIRE_DATA_MIN_LEN;
	return *len ? inner : NULL;
}

static void start_session(struct speaker *s)
{
	if (wg_noise_derive_keys(&s->hs, &s->keys))
		die("no keys of a finished handshake");
	s->counter = 0;
	memset(&s->replay, 0, sizeof(s->replay));
}

static void send_initiation(struct speaker *s)
{
	struct wg_wire_initiation msg;
	uint8_t ephemeral[CRYPTO_KEY_LEN];

	crypto_fill_random(ephemeral, sizeof(ephemeral));
	if (wg_noise_create_initiation(
		&s->hs, &s->id, &s->peer, ephemeral, ++s->index, nsec_realtime(), &msg))
		die("no initiation");
	wg_cookie_stamp_macs(&s->maker, &msg, sizeof(msg), nsec_monotonic());
	send_message(s, &msg, sizeof(msg));
}

static bool take_response(struct speaker *s)
{
	if (wg_cookie_check_macs(&s->checker, s->in, s->in_len, &s->remote, nsec_monotonic()) ==
	    WG_COOKIE_BAD_MAC1)
		die("response with a wrong mac1");
	if (wg_noise_consume_response(&s->hs, &s->id, &s->peer, (const struct wg_wire_response *)s->in))
		return false;
	start_session(s);
	return true;
}

static struct wg_noise_peer *find_peer(void *arg, const uint8_t public_key[CRYPTO_KEY_LEN])
{
	struct speaker *s = arg;

	return memcmp(s->peer.public_key, public_key, CRYPTO_KEY_LEN) == 0 ? &s->peer : NULL;
}

static void answer_initiation(struct speaker *s)
{
	const struct wg_wire_initiation *in = (const struct wg_wire_initiation *)s->in;
	uint8_t ephemeral[CRYPTO_KEY_LEN];
	struct wg_wire_response msg;
	struct wg_noise_peer *peer;

	if (wg_cookie_check_macs(&s->checker, s->in, s->in_len, &s->remote, nsec_monotonic()) ==
	    WG_COOKIE_BAD_MAC1)
		die("initiation with a wrong mac1");
	if (wg_noise_consume_initiation(&s->hs, &s->id, find_peer, s, in, &peer))
		die("initiation of a stock peer does not open");
	crypto_fill_random(ephemeral, sizeof(ephemeral));
	if (wg_noise_create_response(&s->hs, &s->peer, ephemeral, ++s->index, &msg))
		die("no response");
	wg_cookie_stamp_macs(&s->maker, &msg, sizeof(msg), nsec_monotonic());
	start_session(s);
	send_message(s, &msg, sizeof(msg));
}

static void send_echo(struct speaker *s, uint16_t sequence)
{
	uint8_t inner[INNER_LEN] = {0};
	struct wire_ip4 *ip = (struct wire_ip4 *)inner;
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);

	*ip = (struct wire_ip4){.version_ihl = IP4_VERSION_IHL,
	    .total_len_be = htons(INNER_LEN),
	    .ttl = 64,
	    .proto = IP_PROTO_ICMP,
	    .src_be = ip_addr_be32(&s->inner_ours),
	    .dst_be = ip_addr_be32(&s->inner_theirs)};
	ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	icmp->type = ICMP_TYPE_ECHO;
	icmp->u.echo.seq_be = htons(sequence);
	icmp->csum = csum_fold(csum_add(0, icmp, INNER_LEN - sizeof(*ip)));
	seal_and_send(s, inner, sizeof(inner));
}

/* Turns an echo request into its answer; false: it is none. */
static bool answer_echo(struct speaker *s, uint8_t *inner, size_t len)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)inner;
	struct wire_icmp *icmp = (struct wire_icmp *)(ip + 1);
	uint32_t src_be;

	if (len < sizeof(*ip) + sizeof(*icmp) || ip->proto != IP_PROTO_ICMP || icmp->type != ICMP_TYPE_ECHO)
		return false;
	src_be = ip->src_be;
	ip->src_be = ip->dst_be;
	ip->dst_be = src_be;
	icmp->type = ICMP_TYPE_ECHO_REPLY;
	icmp->csum = csum_update16(icmp->csum, htons(ICMP_TYPE_ECHO << 8), htons(ICMP_TYPE_ECHO_REPLY << 8));
	seal_and_send(s, inner, len);
	return true;
}

static bool await_echo(struct speaker *s, uint16_t sequence)
{
	uint8_t *inner;
	size_t len;

	for (unsigned i = 0; i < 10; i++) {
		const struct wire_icmp *icmp;

		if (receive_message(s) != WG_WIRE_DATA)
			continue;
		inner = open_data(s, &len);
		if (!inner || len < sizeof(struct wire_ip4) + sizeof(*icmp))
			continue;
		icmp = (const struct wire_icmp *)(inner + sizeof(struct wire_ip4));
		if (icmp->type == ICMP_TYPE_ECHO_REPLY && icmp->u.echo.seq_be == htons(sequence))
			return true;
	}
	return false;
}

static void initiate(struct speaker *s, unsigned count)
{
	for (uint16_t i = 1; i <= count; i++) {
		send_initiation(s);
		while (receive_message(s) != WG_WIRE_RESPONSE)
			send_initiation(s);
		if (!take_response(s))
			die("response of a stock peer does not open");
		send_echo(s, i);
		if (!await_echo(s, i))
			die("no answer to an echo request");
		printf("handshake and echo %u\n", i);
	}
}

static void respond(struct speaker *s, unsigned count)
{
	uint8_t *inner;
	size_t len;

	for (unsigned answered = 0; answered < count;) {
		enum wg_wire_kind kind = receive_message(s);

		if (kind == WG_WIRE_INITIATION)
			answer_initiation(s);
		inner = kind == WG_WIRE_DATA ? open_data(s, &len) : NULL;
		if (inner && answer_echo(s, inner, len))
			printf("echo %u answered\n", ++answered);
	}
}

int main(int argc, char **argv)
{
	static struct speaker s;
	struct ip_endpoint local;
	uint8_t key[CRYPTO_KEY_LEN];

	if (argc != 10)
		die("usage: wg_speaker initiate|respond PRIVATE PUBLIC PRESHARED|- LOCAL REMOTE OURS THEIRS "
		    "COUNT");
	if (crypto_init() || crypto_parse_base64(key, argv[2], strlen(argv[2])))
		die("private key");
	wg_noise_set_identity(&s.id, key);
	if (crypto_parse_base64(key, argv[3], strlen(argv[3])) || wg_noise_set_peer(&s.peer, &s.id, key))
		die("public key");
	if (strcmp(argv[4], "-") != 0 && crypto_parse_base64(s.peer.preshared_key, argv[4], strlen(argv[4])))
		die("preshared key");
	if (ip_endpoint_parse(argv[5], &local, NULL) || ip_endpoint_parse(argv[6], &s.remote, NULL) ||
	    ip_addr_parse(argv[7], &s.inner_ours, NULL) || ip_addr_parse(argv[8], &s.inner_theirs, NULL))
		die("addresses");
	s.index = OUR_INDEX;
	s.fd = open_socket(&local, &s.remote);
	wg_cookie_init_maker(&s.maker, s.peer.public_key);
	wg_cookie_init_checker(&s.checker, s.id.public_key);
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(TIME_MAX_S);
	if (strcmp(argv[1], "initiate") == 0)
		initiate(&s, (unsigned)atoi(argv[9]));
	else
		respond(&s, (unsigned)atoi(argv[9]));
	return EXIT_SUCCESS;
}
