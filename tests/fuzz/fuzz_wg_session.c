/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_session: what is read must be written to bytes that read the same. */
#include "lib/wg_session.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wg_session s, again;
	static uint8_t bytes[WG_SESSION_ROOM];
	struct buf_reader r, back;
	struct buf_writer w;

	buf_reader_init(&r, data, size);
	if (wg_session_read_head(&r))
		return 0;
	while (wg_session_read(&r, &s) == 0) {
		buf_writer_init(&w, bytes, sizeof(bytes));
		wg_session_write(&w, &s);
		FUZZ_REQUIRE(w.err == 0);
		buf_reader_init(&back, bytes, buf_writer_len(&w));
		FUZZ_REQUIRE(wg_session_read(&back, &again) == 0);
		FUZZ_REQUIRE(memcmp(&s, &again, sizeof(s)) == 0);
	}
	return 0;
}
