/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control/config and control/schema: the example of the manual is accepted, each golden file gives exactly
 * its findings, a mistake in any line of the example is reported at that line, and the manual's reference is
 * what the schema prints. BYWAY_GOLDEN_WRITE=1 in the environment writes the expectations anew, for review.
 */
#include "control/config.h"

#include <dirent.h>
#include <stdio.h>

#include "control/schema.h"
#include "tests/unit/unit.h"

#define GOLDEN	     SOURCE_ROOT "/tests/golden"
#define EXAMPLE	     SOURCE_ROOT "/docs/example.yaml"
#define MANUAL	     SOURCE_ROOT "/docs/configuration.md"
#define MANUAL_BEGIN "<!-- reference: written by byway-control --schema, do not edit -->\n"
#define MANUAL_END   "<!-- end of the reference -->\n"

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (file == NULL)
		fail_msg("%s is not there", path);
	assert_non_null(text);
	*len = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

static int parse(const char *text, size_t len, struct diag *d)
{
	struct config *c = NULL;
	int rc;

	diag_init(d, "example.yaml");
	rc = config_parse(text, len, d, &c);
	assert_true((rc == 0) == (d->n_errors == 0));
	assert_true((rc == 0) == (c != NULL));
	config_free(c);
	return rc;
}

static void example_is_accepted(void **state)
{
	static struct diag d;
	struct config *c = NULL;
	size_t len;
	char *text = read_file(EXAMPLE, &len);

	diag_init(&d, EXAMPLE);
	if (config_parse(text, len, &d, &c) != 0)
		diag_print(&d, stderr);
	assert_non_null(c);
	assert_int_equal(d.n, 0);
	assert_int_equal(c->ports.n, 3);
	assert_string_equal(c->ports.v[1].name, "wan2");
	assert_int_equal(c->ports.v[1].probe->interval_ms, 1000);
	assert_int_equal(c->ports.v[1].probe->hold_down_ms, 10000);
	assert_true(c->ports.v[1].metered);
	assert_string_equal(c->tunnels.v[2].line, "active");
	assert_true(c->tunnels.v[2].peers.v[1].probe->off);
	assert_int_equal(c->tunnels.v[0].peers.v[0].key[0], 0x6f);
	assert_int_equal(c->routes.v[2].type, CONFIG_ROUTE_UNREACHABLE);
	assert_int_equal(c->prefix_lists.v[0].v[0].ge, 16);
	assert_int_equal(c->filters.v[3].v[0].set->prepend, 1);
	assert_false(c->filters.v[3].v[0].set->local_pref.set);
	assert_int_equal(c->bgp->peers.v[0].hold_time_s, 9);
	assert_int_equal(c->bgp->peers.v[1].hold_time_s, 90);
	config_free(c);
	free(text);
}

static void check_golden(const char *name)
{
	static struct diag d;
	char path[300], expected_path[300], found[DIAG_MAX * (DIAG_TEXT + 64)] = "";
	struct config *c = NULL;
	size_t len;
	char *text, *expected;
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
	snprintf(expected_path, sizeof(expected_path), "%.*s.expected", (int)(strlen(path) - strlen(".yaml")),
	    path);
	text = read_file(path, &len);
	diag_init(&d, name);
	assert_int_equal(config_parse(text, len, &d, &c), ERR_INVALID);
	assert_null(c);
	out = fmemopen(found, sizeof(found), "w");
	diag_print(&d, out);
	fclose(out);
	if (getenv("BYWAY_GOLDEN_WRITE") != NULL) {
		out = fopen(expected_path, "w");
		assert_non_null(out);
		fputs(found, out);
		fclose(out);
	}
	expected = read_file(expected_path, &len);
	assert_string_equal(found, expected);
	free(expected);
	free(text);
}

static void golden_files_give_their_findings(void **state)
{
	DIR *dir = opendir(GOLDEN);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const size_t len = strlen(entry->d_name);

		if (len < 6 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
			continue;
		check_golden(entry->d_name);
		n++;
	}
	closedir(dir);
	assert_true(n >= 8);
}

static bool names_line(const struct diag *d, unsigned line)
{
	for (size_t i = 0; i < d->n; i++) {
		if (!d->findings[i].warning && d->findings[i].line == line)
			return true;
	}
	return false;
}

/* What becomes of one line; returns false where this mistake cannot be made. */
static bool spoil(int how, const char *line, size_t len, char *out, size_t size)
{
	const size_t indent = strspn(line, " -");
	const char *colon = memchr(line, ':', len);

	switch (how) {
	case 0: /* a tab for indentation */
		snprintf(out, size, "\t%.*s", (int)len, line);
		return indent > 0 && memchr(line, '-', indent) == NULL;
	case 1: /* a reserved character instead of the value */
		if (colon == NULL || memchr(line, '"', (size_t)(colon - line)) != NULL)
			return false;
		snprintf(out, size, "%.*s: @", (int)(colon - line), line);
		return true;
	case 2: /* a bracket too many */
		snprintf(out, size, "%.*s ]", (int)len, line);
		return line[len - 1] == ']' || line[len - 1] == '}';
	case 3: /* a key that there is not, and the right one missing; names may be chosen freely */
		if (colon == NULL || colon + 1 < line + len || indent > 0)
			return false;
		snprintf(out, size, "q%.*s", (int)len, line);
		return true;
	case 4: /* an unknown key beside the right one */
		if (colon == NULL || indent == 0 || memchr(line, '{', len) != NULL || colon + 1 == line + len)
			return false;
		snprintf(out, size, "%.*squux: 1\n%.*s", (int)indent, line, (int)(len), line);
		return memchr(line, '-', indent) == NULL;
	case 5: /* a key misspelt */
		if (colon == NULL || indent == 0 || colon + 1 == line + len || memchr(line, '{', len) != NULL)
			return false;
		if (strncmp(line, "  own:", 6) == 0) /* a name, not a key */
			return false;
		snprintf(out, size, "%.*sx%.*s", (int)indent, line, (int)(len - indent), line + indent);
		return true;
	default:
		return false;
	}
}

static size_t line_len_without_comment(const char *line)
{
	size_t len = strcspn(line, "\n");

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '#' && (i == 0 || line[i - 1] == ' '))
			len = i;
	}
	while (len > 0 && line[len - 1] == ' ')
		len--;
	return len;
}

static void mistake_in_any_line_is_found_there(void **state)
{
	static struct diag d;
	size_t len, n_spoilt = 0;
	char *text = read_file(EXAMPLE, &len), *spoilt = calloc(1, len + 4096);
	unsigned number = 0;

	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		const size_t content = line_len_without_comment(line);

		number++;
		for (int how = 0; how < 6 && content > 0; how++) {
			char changed[600];

			if (!spoil(how, line, content, changed, sizeof(changed)))
				continue;
			snprintf(spoilt, len + 4096, "%.*s%s%s", (int)(line - text), text, changed,
			    strchr(line, '\n'));
			if (parse(spoilt, strlen(spoilt), &d) == 0 || !names_line(&d, number)) {
				diag_print(&d, stderr);
				fail_msg("line %u, mistake %d: \"%s\" is not reported there", number, how,
				    changed);
			}
			n_spoilt++;
		}
	}
	assert_true(n_spoilt > 200);
	free(spoilt);
	free(text);
}

/* Any prefix of a good file is judged without a crash (and most of them are refused). */
static void every_truncation_is_judged(void **state)
{
	static struct diag d;
	size_t len, refused = 0;
	char *text = read_file(EXAMPLE, &len);

	for (size_t i = 0; i < len; i += 3) {
		char *exact = malloc(i + 1);

		memcpy(exact, text, i);
		refused += parse(exact, i, &d) != 0;
		free(exact);
	}
	assert_true(refused > len / 6);
	free(text);
}

static void aliases_cannot_blow_up(void **state)
{
	static struct diag d;
	char text[65536];
	size_t used = 0;

	used += (size_t)snprintf(text, sizeof(text), "ports:\n  a: { device: x, role: lan, addresses: &a [");
	for (unsigned i = 0; i < 64; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "10.0.0.%u/8,", i);
	used += (size_t)snprintf(
	    text + used, sizeof(text) - used, "] }\nroutes: &r\n  - &e { prefix: 10.0.0.0/8 }\n");
	used += (size_t)snprintf(text + used, sizeof(text) - used, "tunnels:\n  t0: &t\n    peers: [");
	for (unsigned i = 0; i < 1000; i++)
		used += (size_t)snprintf(
		    text + used, sizeof(text) - used, "%s{allowed-ips: *a},", i == 0 ? "&p " : "");
	used += (size_t)snprintf(text + used, sizeof(text) - used, "]\n");
	for (unsigned i = 1; i < 1000; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "  t%u: *t\n", i);
	assert_true(used < sizeof(text));
	assert_int_equal(parse(text, used, &d), ERR_INVALID);
	assert_int_equal(parse("a: &a { b: *a }\nports: &p { x: *p }\n", 36, &d), ERR_INVALID);
}

static void manual_is_what_the_schema_says(void **state)
{
	size_t len, printed_len = 0;
	char *manual = read_file(MANUAL, &len), *printed = NULL;
	const char *begin = strstr(manual, MANUAL_BEGIN), *end = strstr(manual, MANUAL_END);
	FILE *out = open_memstream(&printed, &printed_len);

	schema_print(out);
	fclose(out);
	assert_non_null(begin);
	assert_non_null(end);
	begin += strlen(MANUAL_BEGIN);
	if (printed_len != (size_t)(end - begin) || memcmp(printed, begin, printed_len) != 0)
		fail_msg("%s: the reference is not what byway-control --schema prints; put its output there",
		    MANUAL);
	free(printed);
	free(manual);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(example_is_accepted),
	    cmocka_unit_test(golden_files_give_their_findings),
	    cmocka_unit_test(mistake_in_any_line_is_found_there),
	    cmocka_unit_test(every_truncation_is_judged),
	    cmocka_unit_test(aliases_cannot_blow_up),
	    cmocka_unit_test(manual_is_what_the_schema_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
