/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scalars of the configuration file: from text to the field of a struct, and in words what was expected.
 * Called by schema_read.c for what the file says and for the table's defaults. Control's only thread.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "control/config.h"
#include "control/schema.h"
#include "lib/fibmsg.h"

#define TEXT_MAX 256 /* longest scalar of any kind but text */

static int read_number(const char *text, uint64_t *out)
{
	uint64_t v = 0;
	const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const unsigned base = hex ? 16 : 10;
	const char *p = hex ? text + 2 : text;

	if (*p == '\0')
		return ERR_INVALID;
	for (; *p != '\0'; p++) {
		const unsigned digit = isdigit((unsigned char)*p) ? (unsigned)(*p - '0')
				       : isxdigit((unsigned char)*p)
					   ? (unsigned)(tolower((unsigned char)*p) - 'a') + 10
					   : 16;

		if (digit >= base)
			return ERR_INVALID;
		if (v > (UINT64_MAX - digit) / base)
			return ERR_RANGE;
		v = v * base + digit;
	}
	*out = v;
	return 0;
}

/* "100ms", "1.5s", "2m", "1h": milliseconds. A bare number is no duration: its unit would be a guess. */
static int read_duration(const char *text, uint64_t *out_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t whole = 0, fraction = 0, scale = 1;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return ERR_INVALID;
	for (; isdigit((unsigned char)*p); p++) {
		if (whole > 1000000000u)
			return ERR_RANGE;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p) && scale < 1000; p++) {
			fraction = fraction * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
		if (scale == 1)
			return ERR_INVALID;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(p, units[i].unit) == 0) {
			*out_ms = whole * units[i].ms + fraction * units[i].ms / scale;
			return 0;
		}
	}
	return ERR_INVALID;
}

static int read_bounded(const struct schema_field *f, const char *text, uint32_t *out)
{
	uint64_t v;
	int rc;

	if (f->kind == SCHEMA_MS || f->kind == SCHEMA_SECONDS) {
		rc = read_duration(text, &v);
		if (rc == 0 && f->kind == SCHEMA_SECONDS) {
			if (v % 1000 != 0)
				return ERR_INVALID;
			v /= 1000;
		}
	} else {
		rc = read_number(text, &v);
	}
	if (rc != 0)
		return rc;
	if (v < f->min || v > f->max)
		return ERR_RANGE;
	*out = (uint32_t)v;
	return 0;
}

static int read_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return ERR_INVALID;
}

static int read_word(const struct schema_field *f, const char *text, uint32_t *out)
{
	for (uint32_t i = 0; f->words[i] != NULL; i++) {
		if (strcmp(text, f->words[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return ERR_INVALID;
}

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* 32 bytes as 43 digits and one '='; the four bits that are left over must be zero. */
static int read_key(const char *text, uint8_t out[32])
{
	uint32_t bits = 0;
	uint8_t key[33];
	size_t n = 0;

	if (strlen(text) != 44 || text[43] != '=')
		return ERR_INVALID;
	for (size_t i = 0; i < 43; i++) {
		const int v = base64_value(text[i]);

		if (v < 0)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 1)
			key[n++] = (uint8_t)(bits >> 4);
		else if (i % 4 == 2)
			key[n++] = (uint8_t)(bits >> 2);
		else if (i % 4 == 3)
			key[n++] = (uint8_t)bits;
	}
	if ((bits & 3) != 0)
		return ERR_INVALID;
	memcpy(out, key, 32);
	return 0;
}

static int read_mac(const char *text, uint8_t out[6])
{
	uint8_t mac[6];

	if (strlen(text) != 17)
		return ERR_INVALID;
	for (size_t i = 0; i < 6; i++) {
		const char digits[] = {'0', 'x', text[3 * i], text[3 * i + 1], '\0'};
		uint64_t v;

		if ((i < 5 && text[3 * i + 2] != ':') || read_number(digits, &v) != 0)
			return ERR_INVALID;
		mac[i] = (uint8_t)v;
	}
	if ((mac[0] & 1) != 0) /* a group address */
		return ERR_INVALID;
	memcpy(out, mac, 6);
	return 0;
}

/* "PREFIX [ge N] [le N]" */
static int read_range(const char *text, struct config_range *out)
{
	char copy[TEXT_MAX], *save = NULL, *word, *value;
	struct config_range range = {0};
	uint64_t ge = 0, le = 0;
	unsigned bits;

	memcpy(copy, text, strlen(text) + 1);
	word = strtok_r(copy, " ", &save);
	if (word == NULL || ip_prefix_parse(word, &range.prefix, NULL) != 0)
		return ERR_INVALID;
	bits = ip_family_bits(range.prefix.addr.family);
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		uint64_t *bound = strcmp(word, "ge") == 0 ? &ge : strcmp(word, "le") == 0 ? &le : NULL;

		value = strtok_r(NULL, " ", &save);
		if (bound == NULL || *bound != 0 || value == NULL || read_number(value, bound) != 0)
			return ERR_INVALID;
		if (*bound < range.prefix.len || *bound > bits)
			return ERR_RANGE;
	}
	if (ge != 0 && le != 0 && ge > le)
		return ERR_RANGE;
	range.ge = (uint8_t)ge;
	range.le = (uint8_t)le;
	*out = range;
	return 0;
}

static bool is_name(const char *text)
{
	const size_t len = strlen(text);

	if (len == 0 || len >= FIBMSG_NAME || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static int read_text(const struct schema_field *f, const char *text, size_t len, struct arena *a, void *out)
{
	const char *copy;

	if (f->kind == SCHEMA_NAME) {
		if (!is_name(text))
			return ERR_INVALID;
	} else {
		if (len < f->min || len > f->max)
			return ERR_RANGE;
		if (f->kind == SCHEMA_PATH && text[0] != '/')
			return ERR_INVALID;
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return ERR_INVALID;
	}
	copy = arena_copy_text(a, text, len);
	memcpy(out, &copy, sizeof(copy));
	return 0;
}

/*
 * RFC 1123 §2.1: labels of 1 to 63 letters, digits and hyphens inside, 253 bytes in all; the last one is no
 * number, so that a mistyped address is no name.
 */
static bool is_host(const char *text, size_t len)
{
	size_t label = 0;
	bool number = true;

	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];
		const bool digit = c >= '0' && c <= '9', letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
			number = true;
			continue;
		}
		if (!(digit || letter || (c == '-' && label > 0)) || ++label > 63)
			return false;
		number = number && digit;
	}
	return label > 0 && text[len - 1] != '-' && !number;
}

static int read_endpoint(const char *text, struct arena *a, struct config_endpoint *out)
{
	const char *colon = strrchr(text, ':');
	struct config_endpoint e;
	uint64_t port;

	memset(&e, 0, sizeof(e));
	if (ip_endpoint_parse(text, &e.address, NULL) == 0) {
		memcpy(out, &e, sizeof(e));
		return 0;
	}
	if (colon == NULL || !is_host(text, (size_t)(colon - text)) || read_number(colon + 1, &port) != 0)
		return ERR_INVALID;
	if (port < 1 || port > 65535)
		return ERR_RANGE;
	e.address.port = (uint16_t)port;
	e.host = arena_copy_text(a, text, (size_t)(colon - text));
	memcpy(out, &e, sizeof(e));
	return 0;
}

static int read_kind(const struct schema_field *f, const char *text, size_t len, struct arena *a, void *out)
{
	struct config_opt opt = {.set = true};
	struct ip_addr addr;
	int rc;

	switch (f->kind) {
	case SCHEMA_TEXT:
	case SCHEMA_NAME:
	case SCHEMA_PATH:
		return read_text(f, text, len, a, out);
	case SCHEMA_INT:
	case SCHEMA_MS:
	case SCHEMA_SECONDS:
		return read_bounded(f, text, out);
	case SCHEMA_OPT_INT:
		rc = read_bounded(f, text, &opt.value);
		if (rc == 0)
			memcpy(out, &opt, sizeof(opt));
		return rc;
	case SCHEMA_BOOL:
		return read_bool(text, out);
	case SCHEMA_WORD:
		return read_word(f, text, out);
	case SCHEMA_ADDR:
		return ip_addr_parse(text, out, NULL);
	case SCHEMA_ADDR4:
		rc = ip_addr_parse(text, &addr, NULL);
		if (rc == 0 && addr.family != IP_V4)
			rc = ERR_INVALID;
		if (rc == 0)
			memcpy(out, &addr, sizeof(addr));
		return rc;
	case SCHEMA_IFADDR:
		return strchr(text, '/') != NULL ? ip_ifaddr_parse(text, out, NULL) : ERR_INVALID;
	case SCHEMA_PREFIX:
		return ip_prefix_parse(text, out, NULL);
	case SCHEMA_ENDPOINT:
		return read_endpoint(text, a, out);
	case SCHEMA_RANGE:
		return read_range(text, out);
	case SCHEMA_KEY:
		return read_key(text, out);
	case SCHEMA_MAC:
		return read_mac(text, out);
	case SCHEMA_OBJECT:
		break;
	}
	return ERR_INVALID;
}

static bool is_text(enum schema_kind kind)
{
	return kind == SCHEMA_TEXT || kind == SCHEMA_PATH;
}

int schema_read_scalar(const struct schema_field *f, const char *text, size_t len, bool plain,
    struct arena *a, void *out, struct err_msg *msg)
{
	char expected[200];
	int rc = ERR_INVALID;

	/* A quoted number is a text; addresses are often quoted because of their colons. */
	const bool number = f->kind == SCHEMA_INT || f->kind == SCHEMA_OPT_INT || f->kind == SCHEMA_BOOL;

	if (strlen(text) == len && (is_text(f->kind) || f->kind == SCHEMA_ENDPOINT || len < TEXT_MAX) &&
	    (plain || !number))
		rc = read_kind(f, text, len, a, out);
	if (rc == 0)
		return 0;
	return err_set(msg, rc, "\"%.*s%s\" is %s; expected %s", (int)(len > 40 ? 40 : len), text,
	    len > 40 ? "..." : "", rc == ERR_RANGE ? "out of range" : "not valid here",
	    schema_describe(f, expected, sizeof(expected)));
}

size_t schema_kind_size(enum schema_kind kind)
{
	switch (kind) {
	case SCHEMA_TEXT:
	case SCHEMA_NAME:
	case SCHEMA_PATH:
	case SCHEMA_OBJECT:
		return sizeof(char *);
	case SCHEMA_INT:
	case SCHEMA_MS:
	case SCHEMA_SECONDS:
	case SCHEMA_WORD:
		return sizeof(uint32_t);
	case SCHEMA_OPT_INT:
		return sizeof(struct config_opt);
	case SCHEMA_BOOL:
		return sizeof(bool);
	case SCHEMA_ADDR:
	case SCHEMA_ADDR4:
		return sizeof(struct ip_addr);
	case SCHEMA_IFADDR:
	case SCHEMA_PREFIX:
		return sizeof(struct ip_prefix);
	case SCHEMA_ENDPOINT:
		return sizeof(struct config_endpoint);
	case SCHEMA_RANGE:
		return sizeof(struct config_range);
	case SCHEMA_KEY:
		return 32;
	case SCHEMA_MAC:
		return 6;
	}
	return 0;
}
