/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_uapi: requests found in a stream as the socket finds them; indices of a parsed one stay in its
 * arrays. */
#include "lib/wg_uapi.h"

#include "tests/fuzz/fuzz.h"

static void check_request(const struct wg_uapi_request *r)
{
	size_t at = 0;

	for (size_t i = 0; i < r->n_peers; i++) {
		FUZZ_REQUIRE(r->peers[i].first_allowed_ip == at);
		at += r->peers[i].n_allowed_ips;
	}
	FUZZ_REQUIRE(at == r->n_allowed_ips);
	for (size_t i = 0; i < r->n_allowed_ips; i++)
		FUZZ_REQUIRE(
		    r->allowed_ips[i].prefix.len <= ip_family_bits(r->allowed_ips[i].prefix.addr.family));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct wg_uapi_request r;
	size_t used;

	while (wg_uapi_find_end(text, size, &used)) {
		FUZZ_REQUIRE(used >= 2 && used <= size);
		if (wg_uapi_parse_request(text, used, &r) == 0) {
			check_request(&r);
			wg_uapi_free_request(&r);
		}
		text += used;
		size -= used;
	}
	FUZZ_REQUIRE(wg_uapi_parse_request(text, size, &r) != 0);
	return 0;
}
