/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way's judgement of a burst: its forms say the same, and what it calls good is good by the stages,
 * too, and would leave as they would send it.
 *
 * Input: a byte of bits (1: frames are for our station, 2: IPv4 checksums are right, which chance finds too
 * seldom), then frames, each a byte of length and its bytes.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/express.h"
#include "dataplane/ip_parse.h"
#include "lib/csum.h"
#include "lib/isa.h"
#include "tests/fuzz/fuzz.h"

#define OURS	  1
#define CHECKSUMS 2
#define ROOM	  64 /* a packet buffer is longer than its frame: loops read so much in any case */

static const struct port port = {.mac = {2, 0, 0, 0, 0, 1}};

struct burst {
	unsigned n;
	struct rte_mbuf mbufs[WORKER_BURST], *pkts[WORKER_BURST];
};

static void add_frame(struct burst *b, const uint8_t *data, size_t len, uint8_t how)
{
	struct rte_mbuf *m = &b->mbufs[b->n];
	uint8_t *frame = calloc(1, len > ROOM ? len : ROOM);
	struct wire_eth *eth = (struct wire_eth *)frame;
	struct wire_ip4 *ip = (struct wire_ip4 *)(frame + sizeof(*eth));

	FUZZ_REQUIRE(frame != NULL);
	memcpy(frame, data, len);
	if (how & OURS && len >= sizeof(*eth))
		memcpy(eth->dst, port.mac, sizeof(eth->dst));
	if (how & CHECKSUMS && len >= sizeof(*eth) + sizeof(*ip) && ip->version_ihl == IP4_VERSION_IHL) {
		ip->csum = 0;
		ip->csum = csum_fold(csum_add(0, ip, sizeof(*ip)));
	}
	memset(m, 0, sizeof(*m));
	m->buf_addr = frame;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	b->pkts[b->n++] = m;
}

static void compare(const struct express_burst *x, const struct express_burst *y)
{
	uint64_t good = x->good4 | x->good6;

	FUZZ_REQUIRE(x->good4 == y->good4 && x->good6 == y->good6 && x->bytes == y->bytes);
	FUZZ_REQUIRE((x->padded & good) == (y->padded & good));
	for (; good; good &= good - 1) {
		unsigned i = (unsigned)__builtin_ctzll(good);

		FUZZ_REQUIRE(
		    x->frame[i] == y->frame[i] && x->len[i] == y->len[i] && x->word[i] == y->word[i]);
		if (x->good4 >> i & 1)
			FUZZ_REQUIRE(x->dst4_be[i] == y->dst4_be[i] && x->src4_be[i] == y->src4_be[i]);
		else
			FUZZ_REQUIRE(memcmp(x->dst6[i], y->dst6[i], 16) == 0);
	}
}

/* The header as it would leave: one less TTL, and by the full formula right. */
static void check_word(const struct express_burst *b, unsigned i, bool ip6)
{
	const size_t eth_len = sizeof(struct wire_eth);
	const uint8_t *was = b->frame[i] + eth_len;
	uint8_t ip[sizeof(struct wire_ip6)];

	memcpy(ip, was, sizeof(ip));
	memcpy(ip + (ip6 ? EXPRESS_WORD6 : EXPRESS_WORD4) - eth_len, &b->word[i], sizeof(b->word[i]));
	if (ip6) {
		FUZZ_REQUIRE(
		    ((struct wire_ip6 *)ip)->hop_limit + 1 == ((const struct wire_ip6 *)was)->hop_limit);
		((struct wire_ip6 *)ip)->hop_limit++;
		FUZZ_REQUIRE(memcmp(ip, was, sizeof(ip)) == 0);
		return;
	}
	FUZZ_REQUIRE(((struct wire_ip4 *)ip)->ttl + 1 == ((const struct wire_ip4 *)was)->ttl);
	FUZZ_REQUIRE(csum_fold(csum_add(0, ip, sizeof(struct wire_ip4))) == 0);
}

static void check_good(const struct express_burst *b, const struct rte_mbuf *m, unsigned i)
{
	const struct wire_eth *eth = (const struct wire_eth *)b->frame[i];
	bool ip6 = b->good6 >> i & 1;
	struct ip_parsed p;

	FUZZ_REQUIRE(!(b->good4 & b->good6));
	FUZZ_REQUIRE(memcmp(eth->dst, port.mac, sizeof(eth->dst)) == 0);
	FUZZ_REQUIRE(eth->type_be == htons(ip6 ? ETH_TYPE_IP6 : ETH_TYPE_IP4));
	FUZZ_REQUIRE(ip_parse(b->frame[i] + sizeof(*eth), m->data_len - sizeof(*eth), &p) == IP_PARSE_OK);
	FUZZ_REQUIRE(p.flags == 0 && p.len == b->len[i] && p.family == (ip6 ? IP_V6 : IP_V4));
	FUZZ_REQUIRE((b->padded >> i & 1) == (m->data_len != p.len + sizeof(*eth)));
	check_word(b, i, ip6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct express_burst scalar;
	static struct burst b;
	uint8_t how = size ? data[0] : 0;

	b.n = 0;
	for (size_t at = 1; at < size && b.n < WORKER_BURST;) {
		size_t len = data[at++];

		len = len < size - at ? len : size - at;
		add_frame(&b, data + at, len, how);
		at += len;
	}
	if (b.n == 0)
		return 0;
	express_judge(&port, b.pkts, b.n, &scalar);
#ifdef __x86_64__
	if (isa_selected() >= ISA_AVX512) {
		static struct express_burst vector;

		express_judge_avx512(&port, b.pkts, b.n, &vector);
		compare(&scalar, &vector);
	}
#endif
	for (uint64_t good = scalar.good4 | scalar.good6; good; good &= good - 1)
		check_good(&scalar, b.pkts[__builtin_ctzll(good)], (unsigned)__builtin_ctzll(good));
	for (unsigned i = 0; i < b.n; i++)
		free(b.mbufs[i].buf_addr);
	return 0;
}
