/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object store under arbitrary datagrams (each preceded by its length, two bytes) with a backend
 * that fails now and then: a refused batch must leave exactly what was there, and counts must agree.
 */
#include "dataplane/store.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

static unsigned steps;
static int live_objects;

static int fail_sometimes(struct err_msg *msg)
{
	return ++steps % 29 == 0 ? err_set(msg, ERR_IO, "fails now and then") : 0;
}

static int drive_object(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
    struct err_msg *msg)
{
	int rc = fail_sometimes(msg);

	if (rc == 0)
		live_objects += (now != NULL) - (old != NULL);
	return rc;
}

static int drive_route(void *arg, uint32_t table, const struct ip_prefix *prefix, struct store_object *group,
    struct err_msg *msg)
{
	return fail_sometimes(msg);
}

/* A sum over everything in the store, in no order. */
static uint64_t digest(const struct store *s)
{
	uint64_t sum = 0, cursor = 0;
	struct store_route route;
	bool got;

	for (unsigned class = 0; class < STORE_ROUTE; class ++) {
		for (struct store_object *o = store_first(s, class); o; o = store_after(o)) {
			uint64_t h = o->refs;

			for (unsigned i = 0; i < o->len; i++)
				h = (h ^ o->bytes[i]) * UINT64_C(0x100000001b3);
			sum += h;
		}
	}
	while (store_route_next(s, &cursor, 1000, &route, &got)) {
		if (got)
			sum += ((uint64_t)route.group << 32 ^ route.table ^ route.prefix.len) *
			       UINT64_C(0x9e3779b97f4a7c15);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_backend backend = {.object = drive_object, .route = drive_route};
	struct store *s = store_new(&backend, 1);
	uint64_t generation = 0;

	FUZZ_REQUIRE(s);
	steps = 0;
	live_objects = 0;
	while (size >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];
		uint64_t before = digest(s);
		struct fibmsg_ack ack;

		len = len < size - 2 ? len : size - 2;
		if (store_apply_batch(s, data + 2, len, STORE_CONTROL, &ack)) {
			FUZZ_REQUIRE(digest(s) == before && ack.code != 0 && ack.text[0]);
		} else if (len % 3 == 0) {
			FUZZ_REQUIRE(store_sync_begin(s, ++generation, NULL) == 0);
			FUZZ_REQUIRE(store_sync_end(s, generation, NULL) == 0);
			while (store_sweep(s))
				;
		}
		data += 2 + len;
		size -= 2 + len;
	}
	store_free(s);
	return 0;
}
