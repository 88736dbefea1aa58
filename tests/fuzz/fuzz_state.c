/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state on disk as a fuzzer would leave it: refused with the store untouched, or loaded. The checksums
 * keep most inputs out, so the frames are also made right first, when the input asks for it by its first
 * byte.
 */
#include "dataplane/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static uint64_t checksum(uint64_t h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void put_be64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Puts every checksum right, as far as lengths lead to one; formats as state.h draws them. */
static void mend(uint8_t *p, size_t size)
{
	const uint64_t start = UINT64_C(0xcbf29ce484222325);
	size_t at = 16;

	while (at + 16 <= size) {
		size_t len =
		    (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];

		if (len == 0) {
			put_be64(p + at + 8, checksum(checksum(start, p, 16), p + at + 4, 4));
			return;
		}
		if (len > size - at - 13)
			return;
		put_be64(p + at + 5, checksum(checksum(start, p + at, 5), p + at + 13, len));
		at += 13 + len;
	}
}

static unsigned total(const struct store *s)
{
	unsigned n = 0;

	for (int class = 0; class < STORE_CLASSES; class ++)
		n += store_count(s, (enum store_class) class);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *s = store_new(NULL, 1);
	struct err_msg msg = {""};
	uint8_t *bytes;
	char path[64];
	int fd;

	if (size < 1) {
		store_free(s);
		return 0;
	}
	bytes = malloc(size);
	FUZZ_REQUIRE(s && bytes);
	memcpy(bytes, data, size);
	if (data[0] & 1)
		mend(bytes + 1, size - 1);
	fd = memfd_create("state", 0);
	FUZZ_REQUIRE(fd >= 0 && write(fd, bytes + 1, size - 1) == (ssize_t)(size - 1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (state_load(path, s, &msg))
		FUZZ_REQUIRE(total(s) == 0 && msg.text[0]);
	close(fd);
	free(bytes);
	store_free(s);
	return 0;
}
