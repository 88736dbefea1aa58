/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the schema table says, in words: what a key expects (for errors) and the reference of all keys
 * (for docs/configuration.md). Control's only thread.
 */
#include <inttypes.h>
#include <string.h>

#include "control/schema.h"

static const char *const kind_text[] = {
    [SCHEMA_TEXT] = "a text",
    [SCHEMA_NAME] = "a name of at most 15 letters, digits, '_', '-' or '.'",
    [SCHEMA_PATH] = "an absolute path",
    [SCHEMA_INT] = "a number",
    [SCHEMA_OPT_INT] = "a number",
    [SCHEMA_MS] = "a time with its unit (ms, s, m, h)",
    [SCHEMA_SECONDS] = "a time in whole seconds with its unit (s, m, h)",
    [SCHEMA_BOOL] = "true or false",
    [SCHEMA_WORD] = "one of",
    [SCHEMA_ADDR] = "an IPv4 or IPv6 address",
    [SCHEMA_ADDR4] = "an IPv4 address",
    [SCHEMA_IFADDR] = "an address with the length of its subnet, such as 10.1.0.1/24",
    [SCHEMA_PREFIX] = "a prefix without host bits, such as 10.1.0.0/24",
    [SCHEMA_ENDPOINT] = ("an address or a name and a port, such as 192.0.2.1:51820, [2001:db8::1]:51820 or "
			 "home.example.org:51820"),
    [SCHEMA_RANGE] = "a prefix and the lengths that match, such as 10.0.0.0/8 ge 16 le 24",
    [SCHEMA_KEY] = "a key of 32 bytes in base64 (44 characters)",
    [SCHEMA_MAC] = "a station's Ethernet address, such as 02:00:00:00:00:01",
    [SCHEMA_OBJECT] = "a mapping",
};

/* The shortest exact way to write it: "100ms", "10s", "2m". */
static const char *format_time(uint64_t ms, char *buf, size_t size)
{
	if (ms != 0 && ms % 3600000 == 0)
		snprintf(buf, size, "%" PRIu64 "h", ms / 3600000);
	else if (ms != 0 && ms % 60000 == 0)
		snprintf(buf, size, "%" PRIu64 "m", ms / 60000);
	else if (ms % 1000 == 0)
		snprintf(buf, size, "%" PRIu64 "s", ms / 1000);
	else
		snprintf(buf, size, "%" PRIu64 "ms", ms);
	return buf;
}

static void describe_words(const struct schema_field *f, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; f->words[i] != NULL && used < size; i++) {
		const char *separator = i == 0 ? "" : f->words[i + 1] == NULL ? " or " : ", ";

		used += (size_t)snprintf(buf + used, size - used, "%s%s", separator, f->words[i]);
	}
}

const char *schema_describe(const struct schema_field *f, char *buf, size_t size)
{
	char from[24], to[24];

	switch (f->kind) {
	case SCHEMA_INT:
	case SCHEMA_OPT_INT:
		snprintf(buf, size, "%s from %" PRIu64 " to %" PRIu64, kind_text[f->kind], f->min, f->max);
		break;
	case SCHEMA_MS:
	case SCHEMA_SECONDS:
		snprintf(buf, size, "%s from %s to %s", kind_text[f->kind],
		    format_time(f->kind == SCHEMA_MS ? f->min : f->min * 1000, from, sizeof(from)),
		    format_time(f->kind == SCHEMA_MS ? f->max : f->max * 1000, to, sizeof(to)));
		break;
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
		snprintf(
		    buf, size, "%s of %" PRIu64 " to %" PRIu64 " bytes", kind_text[f->kind], f->min, f->max);
		break;
	case SCHEMA_WORD:
		describe_words(f, buf, size);
		break;
	case SCHEMA_NAME:
	case SCHEMA_BOOL:
	case SCHEMA_ADDR:
	case SCHEMA_ADDR4:
	case SCHEMA_IFADDR:
	case SCHEMA_PREFIX:
	case SCHEMA_ENDPOINT:
	case SCHEMA_RANGE:
	case SCHEMA_KEY:
	case SCHEMA_MAC:
	case SCHEMA_OBJECT:
		snprintf(buf, size, "%s", kind_text[f->kind]);
		break;
	}
	return buf;
}

static void print_expected(const struct schema_field *f, FILE *out)
{
	char text[200];

	schema_describe(f, text, sizeof(text));
	if (f->kind == SCHEMA_OBJECT) {
		const bool bare = f->object->bare_list;

		if ((f->flags & SCHEMA_MAP) != 0)
			fprintf(out, "a mapping from name to %s%s", bare ? "a list: " : "", f->object->title);
		else if ((f->flags & SCHEMA_LIST) != 0)
			fprintf(out, "a list of %ss", f->object->title);
		else
			fprintf(out, "a mapping%s", (f->flags & SCHEMA_OFF) != 0 ? " or `off`" : "");
	} else if ((f->flags & SCHEMA_LIST) != 0) {
		fprintf(out, "a list, each %s; at most %zu", text, f->max_items);
	} else {
		fputs(text, out);
	}
}

static void print_default(const struct schema_field *f, FILE *out)
{
	if ((f->flags & SCHEMA_REQUIRED) != 0)
		fputs("**required**", out);
	else if (f->dflt != NULL)
		fprintf(out, "`%s`", f->dflt);
	else if (f->dflt_note != NULL)
		fputs(f->dflt_note, out);
	else if ((f->flags & SCHEMA_FILL) != 0)
		fputs("its defaults", out);
	else
		fputs("none", out);
}

static void print_object(const struct schema_object *o, const char *path, FILE *out)
{
	char sub[160];

	fprintf(out, "### %s\n\n", path[0] != '\0' ? path : "The file");
	fputs("| key | expects | default | |\n|---|---|---|---|\n", out);
	for (const struct schema_field *f = o->fields; f->name != NULL; f++) {
		fprintf(out, "| %s%s%s | ", f->name[0] != '\0' ? "`" : "each item", f->name,
		    f->name[0] != '\0' ? "`" : "");
		print_expected(f, out);
		fputs(" | ", out);
		if (o->bare_list)
			fputs("–", out);
		else
			print_default(f, out);
		fprintf(out, " | %s |\n", f->help);
	}
	fputc('\n', out);
	for (const struct schema_field *f = o->fields; f->name != NULL; f++) {
		if (f->kind != SCHEMA_OBJECT)
			continue;
		snprintf(sub, sizeof(sub), "%s%s%s%s", path, path[0] != '\0' && f->name[0] != '\0' ? "." : "",
		    f->name,
		    (f->flags & SCHEMA_MAP) != 0		    ? ".NAME"
		    : (f->flags & SCHEMA_LIST) != 0 || o->bare_list ? "[]"
								    : "");
		print_object(f->object, sub, out);
	}
}

void schema_print(FILE *out)
{
	print_object(&schema_file, "", out);
}

/* Levenshtein's distance, given up past what a slip of the fingers makes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	const size_t n = strlen(b);

	if (n >= 63 || strlen(a) >= 63)
		return 99;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			const unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			const unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < gap ? change : gap;
		}
	}
	return row[n];
}

const char *schema_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = 3;

	for (size_t i = 0; i < n; i++) {
		const unsigned d = distance(word, names[i]);

		if (d < best_distance && d < strlen(names[i])) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
