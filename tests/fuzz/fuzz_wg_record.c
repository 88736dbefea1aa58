/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_record: what parses must be written to a line that parses to the same. */
#include "lib/wg_record.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wg_record r, again;
	char line[WG_RECORD_ROOM];
	struct buf_writer w;

	if (wg_record_parse_line((const char *)data, size, &r))
		return 0;
	buf_writer_init(&w, line, sizeof(line));
	wg_record_write_line(&w, &r);
	FUZZ_REQUIRE(w.err == 0);
	FUZZ_REQUIRE(wg_record_parse_line(line, buf_writer_len(&w) - 1, &again) == 0);
	FUZZ_REQUIRE(memcmp(&r, &again, sizeof(r)) == 0);
	return 0;
}
