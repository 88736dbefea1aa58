/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/wg_record.h"

#include <string.h>

#include "lib/err.h"

#define WORDS	 6
#define WORD_MAX 64 /* bytes: an endpoint is the longest word */

static void write_word(struct buf_writer *w, const char *text, char end)
{
	buf_write_bytes(w, text, strlen(text));
	buf_write_u8(w, (uint8_t)end);
}

static void write_hex(struct buf_writer *w, const uint8_t *bytes, size_t len, char end)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		buf_write_u8(w, (uint8_t)digits[bytes[i] >> 4]);
		buf_write_u8(w, (uint8_t)digits[bytes[i] & 15]);
	}
	buf_write_u8(w, (uint8_t)end);
}

void wg_record_write_line(struct buf_writer *w, const struct wg_record *r)
{
	char key[CRYPTO_KEY_STRLEN], endpoint[IP_ENDPOINT_STRLEN] = "-";

	crypto_format_base64(key, r->key);
	if (r->endpoint.addr.family != IP_NONE)
		ip_endpoint_format(&r->endpoint, endpoint);
	write_word(w, r->tunnel, ' ');
	write_word(w, key, ' ');
	write_word(w, endpoint, ' ');
	write_word(w, r->line[0] ? r->line : "-", ' ');
	write_hex(w, r->received_timestamp, sizeof(r->received_timestamp), ' ');
	write_hex(w, r->sent_timestamp, sizeof(r->sent_timestamp), '\n');
}

/* The line cut at single spaces; false unless there are WORDS words. */
static bool split_words(const char *line, size_t len, char words[WORDS][WORD_MAX + 1])
{
	size_t at = 0;

	for (unsigned i = 0; i < WORDS; i++) {
		const char *end = at <= len ? memchr(line + at, ' ', len - at) : NULL;
		size_t word_len = end ? (size_t)(end - line) - at : len - at;

		if (at > len || word_len == 0 || word_len > WORD_MAX || (end == NULL) != (i == WORDS - 1))
			return false;
		memcpy(words[i], line + at, word_len);
		words[i][word_len] = '\0';
		if (strlen(words[i]) != word_len)
			return false;
		at += word_len + 1;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* "-" leaves out empty. */
static bool parse_name(const char *text, char out[WG_RECORD_NAME])
{
	if (strlen(text) >= WG_RECORD_NAME)
		return false;
	if (strcmp(text, "-") != 0)
		memcpy(out, text, strlen(text) + 1);
	return true;
}

int wg_record_parse_line(const char *line, size_t len, struct wg_record *out)
{
	char words[WORDS][WORD_MAX + 1];
	struct wg_record r = {0};

	if (!split_words(line, len, words) || !parse_name(words[0], r.tunnel) || !r.tunnel[0])
		return ERR_INVALID;
	if (crypto_parse_base64(r.key, words[1], strlen(words[1])))
		return ERR_INVALID;
	if (strcmp(words[2], "-") != 0 && ip_endpoint_parse(words[2], &r.endpoint, NULL))
		return ERR_INVALID;
	if (!parse_name(words[3], r.line) ||
	    !parse_hex(words[4], r.received_timestamp, WG_WIRE_TIMESTAMP_LEN) ||
	    !parse_hex(words[5], r.sent_timestamp, WG_WIRE_TIMESTAMP_LEN))
		return ERR_INVALID;
	*out = r;
	return 0;
}
