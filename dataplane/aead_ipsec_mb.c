/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ChaCha20-Poly1305 by Intel's ipsec-mb. The library treats one packet at a time, whichever way it is called;
 * its burst API is the fastest way in (docs/bench.md). A manager belongs to one thread: those of the back end
 * are made at start, and a thread takes one with its first call. Any thread.
 */
#include "dataplane/aead_ipsec_mb.h"

#include <intel-ipsec-mb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aead_burst.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/isa.h"

#define THREADS	  10u /* eight workers, and who measures */
#define NONCE_LEN 12
#define TAG_LEN	  AEAD_BURST_TAG_LEN

struct aead_ipsec_mb {
	IMB_MGR *mgr;
};

struct burst {
	const uint8_t *key;
	uint8_t *const *data;
	const uint32_t *lens;
	unsigned n;
	bool seals;
	uint8_t nonces[AEAD_BURST_MAX][NONCE_LEN];
	uint8_t tags[AEAD_BURST_MAX][TAG_LEN]; /* made */
};

static const struct {
	const char *name;
	void (*init)(IMB_MGR *mgr);
	uint64_t features;
} archs[] = {
    {"avx512", init_mb_mgr_avx512, IMB_FEATURE_AVX512_SKX},
    {"avx2", init_mb_mgr_avx2, IMB_FEATURE_AVX2},
    {"avx", init_mb_mgr_avx, IMB_FEATURE_AVX},
    {"sse", init_mb_mgr_sse, IMB_FEATURE_SSE4_2},
};

#define N_ARCHS (sizeof(archs) / sizeof(archs[0]))

/* Written at start. The shared one serves threads beyond the number, by the direct calls alone. */
static struct aead_ipsec_mb *managers[THREADS], *shared;
static atomic_uint n_taken; /* each number goes to one thread: relaxed */
static _Thread_local struct aead_ipsec_mb *mine;

static void fill_job(IMB_JOB *job, struct burst *b, unsigned i)
{
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = b->seals ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = b->seals ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = b->key;
	job->dec_keys = b->key;
	job->key_len_in_bytes = AEAD_BURST_KEY_LEN;
	job->src = b->data[i];
	job->dst = b->data[i];
	job->cipher_start_src_offset_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = b->lens[i];
	job->msg_len_to_hash_in_bytes = b->lens[i];
	job->iv = b->nonces[i];
	job->iv_len_in_bytes = NONCE_LEN;
	job->auth_tag_output = b->seals ? b->data[i] + b->lens[i] : b->tags[i];
	job->auth_tag_output_len_in_bytes = TAG_LEN;
	job->u.CHACHA20_POLY1305.aad = NULL;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
}

static void run_jobs(IMB_MGR *mgr, struct burst *b, bool checked)
{
	for (unsigned i = 0; i < b->n; i++) {
		fill_job(IMB_GET_NEXT_JOB(mgr), b, i);
		if (checked)
			(void)IMB_SUBMIT_JOB(mgr);
		else
			(void)IMB_SUBMIT_JOB_NOCHECK(mgr);
	}
	while (IMB_FLUSH_JOB(mgr))
		continue;
}

/* The state is on the stack, so that threads may share the manager. */
static void run_direct(IMB_MGR *mgr, struct burst *b)
{
	struct chacha20_poly1305_context_data state;

	for (unsigned i = 0; i < b->n; i++) {
		IMB_CHACHA20_POLY1305_INIT(mgr, b->key, &state, b->nonces[i], NULL, 0);
		if (b->seals)
			IMB_CHACHA20_POLY1305_ENC_UPDATE(
			    mgr, b->key, &state, b->data[i], b->data[i], b->lens[i]);
		else
			IMB_CHACHA20_POLY1305_DEC_UPDATE(
			    mgr, b->key, &state, b->data[i], b->data[i], b->lens[i]);
		IMB_CHACHA20_POLY1305_ENC_FINALIZE(
		    mgr, &state, b->seals ? b->data[i] + b->lens[i] : b->tags[i], TAG_LEN);
	}
	crypto_wipe(&state, sizeof(state));
}

static void run_burst(IMB_MGR *mgr, struct burst *b)
{
	IMB_JOB *jobs[AEAD_BURST_MAX];
	unsigned done = 0;

	if (b->n == 0)
		return;
	/* 64 of a ring of 256 that is left empty; what it refuses all the same must not go out as it is */
	if (IMB_GET_NEXT_BURST(mgr, b->n, jobs) != b->n) {
		run_direct(mgr, b);
		return;
	}
	for (unsigned i = 0; i < b->n; i++)
		fill_job(jobs[i], b, i);
	done = IMB_SUBMIT_BURST_NOCHECK(mgr, b->n, jobs);
	while (done < b->n) {
		unsigned more = IMB_FLUSH_BURST(mgr, b->n - done, jobs);

		if (more == 0)
			abort(); /* packets are half done: neither plain nor sealed */
		done += more;
	}
}

/* RFC 8439 §2.8 with the nonce of WireGuard (§5.4.6): four zero bytes, the counter, little endian. */
static void set_nonces(struct burst *b, const uint64_t *counters)
{
	for (unsigned i = 0; i < b->n; i++) {
		uint64_t counter = counters[i];

		memset(b->nonces[i], 0, 4);
		for (unsigned k = 0; k < 8; k++)
			b->nonces[i][4 + k] = (uint8_t)(counter >> 8 * k);
	}
}

static void run(struct aead_ipsec_mb *mb, enum aead_ipsec_mb_api api, struct burst *b)
{
	switch (api) {
	case AEAD_IPSEC_MB_JOB:
	case AEAD_IPSEC_MB_NOCHECK:
		run_jobs(mb->mgr, b, api == AEAD_IPSEC_MB_JOB);
		return;
	case AEAD_IPSEC_MB_BURST:
		run_burst(mb->mgr, b);
		return;
	case AEAD_IPSEC_MB_DIRECT:
	case AEAD_IPSEC_MB_APIS:
		run_direct(mb->mgr, b);
		return;
	}
}

void aead_ipsec_mb_seal(struct aead_ipsec_mb *mb, enum aead_ipsec_mb_api api, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct burst b;

	b.key = key;
	b.data = data;
	b.lens = lens;
	b.n = n;
	b.seals = true;
	set_nonces(&b, counters);
	run(mb, api, &b);
}

uint64_t aead_ipsec_mb_open(struct aead_ipsec_mb *mb, enum aead_ipsec_mb_api api, const uint8_t *key,
    const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct burst b;
	uint64_t authentic = 0;

	b.key = key;
	b.data = data;
	b.lens = lens;
	b.n = n;
	b.seals = false;
	memset(b.tags, 0, n * sizeof(b.tags[0])); /* nothing of an earlier call */
	set_nonces(&b, counters);
	run(mb, api, &b);
	for (unsigned i = 0; i < n; i++) {
		if (crypto_equal(b.tags[i], data[i] + lens[i], TAG_LEN))
			authentic |= UINT64_C(1) << i;
		else
			memset(data[i], 0,
			    lens[i]); /* it decrypts before one can know; nothing of that gets out */
	}
	return authentic;
}

int aead_ipsec_mb_new(const char *arch, struct aead_ipsec_mb **out)
{
	struct aead_ipsec_mb *mb;
	size_t i = 0;

	mb = calloc(1, sizeof(*mb));
	if (!mb)
		return ERR_NOMEM;
	mb->mgr = alloc_mb_mgr(0);
	if (!mb->mgr) {
		free(mb);
		return ERR_NOMEM;
	}
	while (i < N_ARCHS && (arch ? strcmp(arch, archs[i].name) != 0
				    : (mb->mgr->features & archs[i].features) != archs[i].features))
		i++;
	if (i == N_ARCHS || (mb->mgr->features & archs[i].features) != archs[i].features) {
		aead_ipsec_mb_free(mb);
		return i == N_ARCHS && arch ? ERR_NOENT : ERR_UNSUPPORTED;
	}
	archs[i].init(mb->mgr);
	*out = mb;
	return 0;
}

void aead_ipsec_mb_free(struct aead_ipsec_mb *mb)
{
	if (!mb)
		return;
	free_mb_mgr(mb->mgr);
	free(mb);
}

/* The manager of this thread; NULL where more threads call than expected. */
static struct aead_ipsec_mb *take_manager(void)
{
	if (!mine) {
		unsigned i = atomic_fetch_add_explicit(&n_taken, 1, memory_order_relaxed);

		mine = i < THREADS ? managers[i] : NULL;
	}
	return mine;
}

static int probe(void)
{
	return shared ? 0 : ERR_UNSUPPORTED;
}

static void seal(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct aead_ipsec_mb *own = take_manager();

	aead_ipsec_mb_seal(own ? own : shared, own ? AEAD_IPSEC_MB_BURST : AEAD_IPSEC_MB_DIRECT, key,
	    counters, data, lens, n);
}

static uint64_t open_burst(
    const uint8_t *key, const uint64_t *counters, uint8_t *const *data, const uint32_t *lens, unsigned n)
{
	struct aead_ipsec_mb *own = take_manager();

	return aead_ipsec_mb_open(own ? own : shared, own ? AEAD_IPSEC_MB_BURST : AEAD_IPSEC_MB_DIRECT, key,
	    counters, data, lens, n);
}

static const struct aead_burst_backend backend = {"ipsec-mb", probe, seal, open_burst, NULL, NULL};

static const char *arch_allowed(void)
{
	switch (isa_selected()) {
	case ISA_SCALAR:
		break;
	case ISA_SSE:
		return "sse";
	case ISA_AVX2:
		return "avx2";
	case ISA_AVX512:
	case ISA_AVX512_VPOPCNTDQ:
		return "avx512";
	}
	return NULL;
}

int aead_ipsec_mb_register(void)
{
	const char *arch = arch_allowed();
	int err;

	if (shared)
		return 0;
	err = arch ? aead_ipsec_mb_new(arch, &shared) : ERR_UNSUPPORTED;

	for (unsigned i = 0; i < THREADS && !err; i++)
		err = aead_ipsec_mb_new(arch, &managers[i]);
	if (!err)
		return aead_burst_add(&backend);
	for (unsigned i = 0; i < THREADS; i++) {
		aead_ipsec_mb_free(managers[i]);
		managers[i] = NULL;
	}
	aead_ipsec_mb_free(shared);
	shared = NULL;
	return err;
}
