/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/ctl: the first byte is the size of the pieces, the rest the stream. */
#include "lib/ctl.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctl_framer framer;
	size_t piece = size ? data[0] + 1u : 1, used, bytes = 0;
	struct err_msg msg;
	const char *line;

	ctl_init(&framer);
	for (size_t at = 1; at < size; at += used) {
		size_t n = size - at < piece ? size - at : piece;

		if (ctl_feed(&framer, data + at, n, &used, &line, &msg)) {
			FUZZ_REQUIRE(msg.text[0] && ctl_feed(&framer, "\n", 1, &used, &line, NULL) < 0);
			return 0;
		}
		FUZZ_REQUIRE(used > 0 && used <= n);
		bytes += used;
		FUZZ_REQUIRE(
		    !line || (strlen(line) < CTL_LINE_MAX && strlen(line) < bytes && !strchr(line, '\n')));
		bytes = line ? 0 : bytes;
	}
	return 0;
}
