/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walks a YAML document along the schema table and fills the structs of config.h. Goes on after a finding,
 * so that one run names as many mistakes as there are. Called by config.c; control's only thread.
 */
#include <string.h>

#include "control/config.h"
#include "control/schema.h"

#define MAX_KEYS   64	  /* of one object in the table */
#define MAX_VALUES 262144 /* of a file: aliases could make a short file say a thousand times more */

struct reader {
	const struct yaml_doc *doc;
	struct arena *arena;
	struct diag *diag;
	size_t values; /* read so far */
};

/* What every list looks like. */
struct list {
	size_t n;
	void *v;
};

static void read_object(
    struct reader *r, const struct schema_object *o, int node, const char *name, unsigned char *out);

static void error_at(struct reader *r, int node, const char *text)
{
	uint32_t line, column;

	yaml_doc_where(r->doc, node, &line, &column);
	diag_error(r->diag, line, column, "%s", text);
}

static const char *found_text(const struct reader *r, int node)
{
	static const char *const texts[] = {[YAML_DOC_SCALAR] = "a single value",
	    [YAML_DOC_SEQUENCE] = "a list",
	    [YAML_DOC_MAPPING] = "a mapping"};

	return yaml_doc_is_null(r->doc, node) ? "nothing" : texts[yaml_doc_kind(r->doc, node)];
}

/* Room for n more values; else says so, once. */
static size_t take_values(struct reader *r, int node, size_t n)
{
	if (n <= MAX_VALUES - r->values) {
		r->values += n;
		return n;
	}
	if (r->values < MAX_VALUES)
		error_at(r, node, "more values than a configuration may have");
	r->values = MAX_VALUES;
	return 0;
}

/* True when node is of the kind; else says what it is and what was expected for key. */
static bool expect(struct reader *r, int node, enum yaml_doc_kind kind, const char *key, const char *expected)
{
	struct err_msg msg;

	if (yaml_doc_kind(r->doc, node) == kind && !yaml_doc_is_null(r->doc, node))
		return true;
	err_set(&msg, 0, "%s is %s; expected %s", key, found_text(r, node), expected);
	error_at(r, node, msg.text);
	return false;
}

static void read_value(struct reader *r, const struct schema_field *f, int node, const char *key, void *out)
{
	struct err_msg msg, whole;
	char expected[200];
	const char *text;
	size_t len;

	schema_describe(f, expected, sizeof(expected));
	if (!expect(r, node, YAML_DOC_SCALAR, key, expected))
		return;
	text = yaml_doc_text(r->doc, node, &len);
	if (schema_read_scalar(f, text, len, yaml_doc_is_plain(r->doc, node), r->arena, out, &msg) != 0) {
		err_set(&whole, 0, "%s: %s", key, msg.text);
		error_at(r, node, whole.text);
	}
}

static size_t element_size(const struct schema_field *f)
{
	return f->kind == SCHEMA_OBJECT ? f->object->size : schema_kind_size(f->kind);
}

static void store_list(void *out, size_t n, void *v)
{
	const struct list list = {n, v};

	memcpy(out, &list, sizeof(list));
}

static void read_list(struct reader *r, const struct schema_field *f, int node, const char *key, void *out)
{
	const size_t size = element_size(f);
	unsigned char *v;
	struct err_msg msg;
	size_t n;

	if (!expect(r, node, YAML_DOC_SEQUENCE, key, "a list, such as [one, two]"))
		return;
	n = yaml_doc_count(r->doc, node);
	if (f->max_items != 0 && n > f->max_items) {
		err_set(&msg, 0, "%s has %zu items; expected at most %zu", key, n, f->max_items);
		error_at(r, yaml_doc_item(r->doc, node, f->max_items), msg.text);
		n = f->max_items;
	}
	n = take_values(r, node, n);
	v = arena_alloc(r->arena, n * size);
	for (size_t i = 0; i < n; i++) {
		const int item = yaml_doc_item(r->doc, node, i);

		if (f->kind == SCHEMA_OBJECT)
			read_object(r, f->object, item, NULL, v + i * size);
		else
			read_value(r, f, item, key, v + i * size);
	}
	store_list(out, n, v);
}

static bool check_name(struct reader *r, const struct schema_field *f, int key)
{
	static const struct schema_field ifname = {"name", SCHEMA_NAME, .min = 1};
	static const struct schema_field label = {"name", SCHEMA_TEXT, .min = 1, .max = 63};
	const struct schema_field *kind = (f->flags & SCHEMA_IFNAMES) != 0 ? &ifname : &label;
	const size_t errors = r->diag->n_errors;
	const char *ignored = NULL;

	read_value(r, kind, key, "name", &ignored);
	return errors == r->diag->n_errors;
}

static bool is_duplicate(struct reader *r, int node, size_t i)
{
	const int key = yaml_doc_key(r->doc, node, i);
	uint32_t line, column;
	struct err_msg msg;
	const char *text;
	size_t len, first;

	if (yaml_doc_kind(r->doc, key) != YAML_DOC_SCALAR)
		return false;
	text = yaml_doc_text(r->doc, key, &len);
	first = yaml_doc_find_pair(r->doc, node, text);
	if (first == i)
		return false;
	yaml_doc_where(r->doc, yaml_doc_key(r->doc, node, first), &line, &column);
	err_set(&msg, 0, "duplicate key %.60s; the first one is in line %u", text, line);
	error_at(r, key, msg.text);
	return true;
}

static void read_map(struct reader *r, const struct schema_field *f, int node, void *out)
{
	const size_t size = element_size(f);
	unsigned char *v;
	size_t n, used = 0;

	if (!expect(r, node, YAML_DOC_MAPPING, f->name, "a mapping from name to what is named"))
		return;
	n = yaml_doc_count(r->doc, node);
	if (n > f->max_items) {
		error_at(r, yaml_doc_key(r->doc, node, f->max_items), "more objects than are supported");
		n = f->max_items;
	}
	n = take_values(r, node, n);
	v = arena_alloc(r->arena, n * size);
	for (size_t i = 0; i < n; i++) {
		const int key = yaml_doc_key(r->doc, node, i);
		size_t len;

		if (!check_name(r, f, key) || is_duplicate(r, node, i))
			continue;
		read_object(r, f->object, yaml_doc_value(r->doc, node, i), yaml_doc_text(r->doc, key, &len),
		    v + used++ * size);
	}
	store_list(out, used, v);
}

static void report_unknown(struct reader *r, const struct schema_object *o, int key)
{
	const char *names[MAX_KEYS], *text, *nearest;
	struct err_msg msg;
	char list[160] = "";
	size_t n = 0, used = 0, len;

	text = yaml_doc_text(r->doc, key, &len);
	for (const struct schema_field *f = o->fields; f->name != NULL && n < MAX_KEYS; f++) {
		names[n++] = f->name;
		if (used < sizeof(list))
			used += (size_t)snprintf(
			    list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", f->name);
	}
	nearest = schema_nearest(text, names, n);
	if (nearest != NULL)
		err_set(&msg, 0, "unknown key %.40s in a %s; did you mean %s?", text, o->title, nearest);
	else
		err_set(&msg, 0, "unknown key %.40s in a %s; expected one of %s%s", text, o->title, list,
		    used >= sizeof(list) ? " ..." : "");
	error_at(r, key, msg.text);
}

static void read_default(struct reader *r, const struct schema_field *f, unsigned char *out)
{
	struct err_msg msg;

	if (f->dflt != NULL &&
	    schema_read_scalar(f, f->dflt, strlen(f->dflt), true, r->arena, out, &msg) != 0)
		diag_error(r->diag, 0, 0, "default of %s: %s", f->name, msg.text); /* the table is wrong */
}

static void fill_defaults(struct reader *r, const struct schema_object *o, unsigned char *out)
{
	for (const struct schema_field *f = o->fields; f->name != NULL; f++) {
		unsigned char *field = out + f->offset;
		unsigned char *object;

		if (o->bare_list)
			return;
		if (f->kind != SCHEMA_OBJECT) {
			read_default(r, f, field);
		} else if ((f->flags & SCHEMA_FILL) != 0) {
			object = arena_alloc(r->arena, f->object->size);
			fill_defaults(r, f->object, object);
			memcpy(field, &object, sizeof(object));
		}
	}
}

static void read_nested(struct reader *r, const struct schema_field *f, int node, unsigned char *out)
{
	unsigned char *object = arena_alloc(r->arena, f->object->size);
	size_t len;

	memcpy(out, &object, sizeof(object));
	if ((f->flags & SCHEMA_OFF) != 0 && yaml_doc_is_plain(r->doc, node) &&
	    strcmp(yaml_doc_text(r->doc, node, &len), "off") == 0) {
		const bool off = true;

		fill_defaults(r, f->object, object);
		memcpy(object + f->object->off_offset, &off, sizeof(off));
		return;
	}
	read_object(r, f->object, node, f->name, object);
}

static void read_field(struct reader *r, const struct schema_field *f, int node, unsigned char *out)
{
	if ((f->flags & SCHEMA_MAP) != 0)
		read_map(r, f, node, out);
	else if ((f->flags & SCHEMA_LIST) != 0)
		read_list(r, f, node, f->name, out);
	else if (f->kind == SCHEMA_OBJECT)
		read_nested(r, f, node, out);
	else
		read_value(r, f, node, f->name, out);
}

static const struct schema_field *find_field(const struct schema_object *o, const char *name)
{
	for (const struct schema_field *f = o->fields; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static void read_keys(struct reader *r, const struct schema_object *o, int node, unsigned char *out)
{
	const size_t n = yaml_doc_count(r->doc, node);

	for (size_t i = 0; i < n && r->diag->n_errors < DIAG_MAX; i++) {
		const int key = yaml_doc_key(r->doc, node, i);
		const struct schema_field *f;
		size_t len;

		if (!expect(r, key, YAML_DOC_SCALAR, "a key", "a word") || is_duplicate(r, node, i))
			continue;
		f = find_field(o, yaml_doc_text(r->doc, key, &len));
		if (f == NULL)
			report_unknown(r, o, key);
		else
			read_field(r, f, yaml_doc_value(r->doc, node, i), out + f->offset);
	}
}

static void require_keys(struct reader *r, const struct schema_object *o, int node, const char *name)
{
	struct err_msg msg;

	for (const struct schema_field *f = o->fields; f->name != NULL; f++) {
		if ((f->flags & SCHEMA_REQUIRED) == 0 || yaml_doc_find(r->doc, node, f->name) != 0)
			continue;
		err_set(&msg, 0, "missing key %s in the %s%s%s", f->name, o->title, name != NULL ? " " : "",
		    name != NULL ? name : "");
		error_at(r, node, msg.text);
	}
}

static void read_object(
    struct reader *r, const struct schema_object *o, int node, const char *name, unsigned char *out)
{
	struct config_at at = {.node = node};
	const char *copy;

	yaml_doc_where(r->doc, node, &at.line, &at.column);
	memcpy(out, &at, sizeof(at));
	if (o->name_offset != 0 && name != NULL) {
		copy = arena_copy_text(r->arena, name, strlen(name));
		memcpy(out + o->name_offset, &copy, sizeof(copy));
	}
	if (o->bare_list) {
		read_list(r,
		    &(struct schema_field){.name = o->title,
			.kind = o->fields->kind,
			.object = o->fields->object,
			.max_items = 4096},
		    node, name, out + o->list_offset);
		return;
	}
	fill_defaults(r, o, out);
	if (!expect(r, node, YAML_DOC_MAPPING, name != NULL ? name : o->title, "a mapping with keys"))
		return;
	read_keys(r, o, node, out);
	require_keys(r, o, node, name);
}

void schema_read(const struct schema_object *o, const struct yaml_doc *doc, int node, struct arena *a,
    struct diag *d, void *out)
{
	struct reader r = {.doc = doc, .arena = a, .diag = d};

	read_object(&r, o, node, NULL, out);
}
