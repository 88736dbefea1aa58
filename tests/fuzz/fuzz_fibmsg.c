/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/fibmsg: what decodes must encode to bytes that decode to the same, and print. */
#include "lib/fibmsg.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

static void encode_again(const struct fibmsg *m)
{
	static uint8_t datagram[FIBMSG_MAX_LEN];
	struct fibmsg_header h;
	struct fibmsg back;
	struct buf_writer w;
	struct buf_reader r;
	char text[256];

	buf_writer_init(&w, datagram, sizeof(datagram));
	fibmsg_begin(&w, 1, 0);
	FUZZ_REQUIRE(fibmsg_append(&w, m, NULL) == 0);
	buf_reader_init(&r, datagram, buf_writer_len(&w));
	FUZZ_REQUIRE(fibmsg_read_header(&r, &h, NULL) == 0 && h.count == 1);
	FUZZ_REQUIRE(fibmsg_read(&r, &back, NULL) == 0 && buf_reader_left(&r) == 0);
	FUZZ_REQUIRE(memcmp(&back, m, sizeof(back)) == 0);
	FUZZ_REQUIRE(strlen(fibmsg_format(m, text, sizeof(text))) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err_msg msg = {""};
	struct fibmsg_header h;
	struct buf_reader r;
	struct fibmsg m;

	buf_reader_init(&r, data, size);
	if (fibmsg_read_header(&r, &h, &msg)) {
		FUZZ_REQUIRE(msg.text[0]);
		return 0;
	}
	for (unsigned i = 0; i < h.count; i++) {
		if (fibmsg_read(&r, &m, &msg)) {
			FUZZ_REQUIRE(msg.text[0]);
			return 0;
		}
		encode_again(&m);
	}
	return 0;
}
