/* SPDX-License-Identifier: BSD-3-Clause */
/* From fibmsg to JSON by the table of fields. Control's only thread. */
#include "control/ctl_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_words[] = {"unknown", "up", "down", NULL};
static const char *const override_words[] = {"auto", "up", "down", NULL};
static const char *const role_words[] = {"lan", "wan", NULL};
static const char *const boolean_words[] = {NULL};

/* Fields that are numbers on the wire and mean something else; by name, since names mean the same in every
 * row. */
static const struct {
	const char *field;
	const char *const *words;
} meanings[] = {
    {"verdict", verdict_words},
    {"override_to", override_words},
    {"role", role_words},
    {"link_up", boolean_words},
    {"up", boolean_words},
    {"resolved", boolean_words},
    {"hugepages", boolean_words},
};

static void set(json_t *o, const char *field, json_t *value)
{
	char name[64];
	size_t i = 0;

	for (; field[i] != '\0' && i < sizeof(name) - 1; i++)
		name[i] = field[i] == '_' ? '-' : field[i];
	name[i] = '\0';
	if (json_object_set_new(o, name, value) != 0)
		abort();
}

static void set_number(json_t *o, const char *field, uint64_t v)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		const char *const *words = meanings[i].words;
		size_t n = 0;

		if (strcmp(field, meanings[i].field) != 0)
			continue;
		while (words[n] != NULL)
			n++;
		set(o, field, n == 0 ? json_boolean(v != 0) : v < n ? json_string(words[v]) : json_null());
		return;
	}
	set(o, field, v > INT64_MAX ? json_null() : json_integer((json_int_t)v)); /* UINT64_MAX: never */
}

json_t *ctl_rows_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL)
		return value;
	copy = strdup(text);
	if (copy == NULL)
		abort();
	for (char *p = copy; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

json_t *ctl_rows_addr(const struct ip_addr *a)
{
	char text[IP_ADDR_STRLEN];

	return a->family == IP_NONE ? json_null() : json_string(ip_addr_format(a, text));
}

json_t *ctl_rows_prefix(const struct ip_prefix *p)
{
	char text[IP_PREFIX_STRLEN];

	return p->addr.family == IP_NONE ? json_null() : json_string(ip_prefix_format(p, text));
}

json_t *ctl_rows_key(const uint8_t key[32])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const uint8_t zero[32];
	char text[45] = "";

	if (memcmp(key, zero, sizeof(zero)) == 0)
		return json_null();
	for (size_t i = 0, n = 0; i < 32; i += 3) {
		const uint32_t bits = (uint32_t)key[i] << 16 | (uint32_t)(i + 1 < 32 ? key[i + 1] : 0) << 8 |
				      (uint32_t)(i + 2 < 32 ? key[i + 2] : 0);

		for (unsigned shift = 24; shift > 0 && n < 44;) {
			shift -= 6;
			text[n++] = digits[bits >> shift & 63];
		}
	}
	text[43] = '=';
	return json_string(text);
}

static json_t *from_mac(const uint8_t mac[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
	    mac[5]);
	return json_string(text);
}

static json_t *from_endpoint(const struct ip_endpoint *e)
{
	char text[IP_ENDPOINT_STRLEN];

	return e->addr.family == IP_NONE ? json_null() : json_string(ip_endpoint_format(e, text));
}

json_t *ctl_rows_finding(const struct diag *d, const struct diag_finding *f)
{
	char text[DIAG_TEXT + 320];

	diag_format(d, f, text, sizeof(text));
	return json_pack("{s:s, s:o, s:i, s:i, s:o, s:o}", "severity", f->warning ? "warning" : "error",
	    "file", ctl_rows_text(d->file), "line", (int)f->line, "column", (int)f->column, "message",
	    ctl_rows_text(f->text), "text", ctl_rows_text(text));
}

static void print_line(json_t *value, FILE *out)
{
	json_dumpf(value, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(value);
}

void ctl_rows_print_diag(const struct diag *d, bool good, FILE *out)
{
	for (size_t i = 0; i < d->n; i++)
		print_line(ctl_rows_finding(d, &d->findings[i]), out);
	if (good)
		print_line(json_pack("{s:b}", "ok", 1), out);
	else
		print_line(json_pack("{s:{s:s, s:s, s:o}}", "error", "code", "invalid-configuration",
			       "message", "the configuration has errors", "where", ctl_rows_text(d->file)),
		    out);
}

/* One converter for each kind of field of the table in lib/fibmsg.h. */
#define FIELD_U8(s, f)	     set_number(o, #f, (s)->f)
#define FIELD_U16(s, f)	     set_number(o, #f, (s)->f)
#define FIELD_U32(s, f)	     set_number(o, #f, (s)->f)
#define FIELD_U64(s, f)	     set_number(o, #f, (s)->f)
#define FIELD_STR(s, f)	     set(o, #f, ctl_rows_text((s)->f))
#define FIELD_ADDR(s, f)     set(o, #f, ctl_rows_addr(&(s)->f))
#define FIELD_PREFIX(s, f)   set(o, #f, ctl_rows_prefix(&(s)->f))
#define FIELD_RANGE(s, f)    set(o, #f, ctl_rows_prefix(&(s)->f))
#define FIELD_IFADDR(s, f)   set(o, #f, ctl_rows_prefix(&(s)->f))
#define FIELD_ENDPOINT(s, f) set(o, #f, from_endpoint(&(s)->f))
#define FIELD_KEY(s, f)	     set(o, #f, ctl_rows_key((s)->f))
#define FIELD_MAC(s, f)	     set(o, #f, from_mac((s)->f))
#define FIELD_ADDRS(s, f)    (void)(s)->n_##f /* no row has lists */
#define FIELD_PREFIXES(s, f) (void)(s)->n_##f
#define FIELD_MEMBERS(s, f)  (void)(s)->n_##f
#define FIELD(kind, f)	     FIELD_##kind(s, f);

json_t *ctl_rows_from_fibmsg(const struct fibmsg *m)
{
	json_t *o = json_object();

	if (o == NULL)
		abort();
	switch (m->type) {
#define CASE(number, NAME, suffix, fields)                                                                   \
	case FIBMSG_##NAME: {                                                                                \
		const struct fibmsg_##suffix *s = &m->u.suffix;                                              \
		fields break;                                                                                \
	}
		FIBMSG_LIST_OF_TYPES(CASE, FIELD)
#undef CASE
	default:
		break;
	}
	return o;
}
