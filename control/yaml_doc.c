/* SPDX-License-Identifier: BSD-3-Clause */
/* libyaml's documents behind our own small interface. Control's only thread. */
#include "control/yaml_doc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/err.h"

struct yaml_doc {
	yaml_document_t document;
};

static uint32_t from_one(size_t position)
{
	return position >= UINT32_MAX - 1 ? UINT32_MAX : (uint32_t)position + 1;
}

/*
 * libyaml notices an unclosed quote or bracket only where the text cannot go on; the mistake is
 * where it was opened, so that is the place to name.
 */
static void report_syntax(const yaml_parser_t *p, struct diag *d)
{
	const char *problem = p->problem != NULL ? p->problem : "not readable as YAML";
	const uint32_t line = from_one(p->problem_mark.line), column = from_one(p->problem_mark.column);

	if (p->error == YAML_READER_ERROR) {
		diag_error(d, 0, 0, "%s at byte %zu; expected UTF-8 text", problem, p->problem_offset);
		return;
	}
	if (p->context != NULL && p->context_mark.line != p->problem_mark.line &&
	    (strstr(p->context, "quoted") != NULL || strstr(p->context, "flow") != NULL ||
		strstr(p->context, "simple key") != NULL)) {
		diag_error(d, from_one(p->context_mark.line), from_one(p->context_mark.column),
		    "not valid YAML %s that begins here: %s (noticed in line %u)", p->context, problem, line);
		return;
	}
	diag_error(d, line, column, "not valid YAML%s%s: %s", p->context != NULL ? " " : "",
	    p->context != NULL ? p->context : "", problem);
}

/* After the one document there must be nothing but the end of the stream. */
static int expect_end(yaml_parser_t *p, struct diag *d)
{
	yaml_document_t more;
	const yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_load(p, &more)) {
		report_syntax(p, d);
		return ERR_INVALID;
	}
	root = yaml_document_get_root_node(&more);
	if (root != NULL) {
		diag_error(d, from_one(root->start_mark.line), from_one(root->start_mark.column),
		    "a second YAML document begins here; expected one document");
		rc = ERR_INVALID;
	}
	yaml_document_delete(&more);
	return rc;
}

int yaml_doc_parse(const char *text, size_t len, struct diag *d, struct yaml_doc **out)
{
	struct yaml_doc *doc = NULL;
	yaml_parser_t parser;
	int rc = ERR_INVALID;

	if (len > YAML_DOC_MAX_LEN) {
		diag_error(d, 0, 0, "%zu bytes long; expected at most %u", len, YAML_DOC_MAX_LEN);
		return ERR_TOOLONG;
	}
	doc = calloc(1, sizeof(*doc));
	if (doc == NULL || !yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &doc->document)) {
		report_syntax(&parser, d);
		goto fail;
	}
	if (yaml_document_get_root_node(&doc->document) == NULL) {
		diag_error(d, 1, 1, "empty; expected a mapping with the key ports");
		goto fail_document;
	}
	rc = expect_end(&parser, d);
	if (rc != 0)
		goto fail_document;
	yaml_parser_delete(&parser);
	*out = doc;
	return 0;

fail_document:
	yaml_document_delete(&doc->document);
fail:
	yaml_parser_delete(&parser);
	free(doc);
	return rc;
}

void yaml_doc_free(struct yaml_doc *doc)
{
	if (doc == NULL)
		return;
	yaml_document_delete(&doc->document);
	free(doc);
}

static const yaml_node_t *node_at(const struct yaml_doc *doc, int node)
{
	return doc->document.nodes.start + node - 1;
}

int yaml_doc_root(const struct yaml_doc *doc)
{
	return 1;
}

enum yaml_doc_kind yaml_doc_kind(const struct yaml_doc *doc, int node)
{
	switch (node_at(doc, node)->type) {
	case YAML_MAPPING_NODE:
		return YAML_DOC_MAPPING;
	case YAML_SEQUENCE_NODE:
		return YAML_DOC_SEQUENCE;
	case YAML_NO_NODE:
	case YAML_SCALAR_NODE:
		break;
	}
	return YAML_DOC_SCALAR;
}

void yaml_doc_where(const struct yaml_doc *doc, int node, uint32_t *line, uint32_t *column)
{
	*line = from_one(node_at(doc, node)->start_mark.line);
	*column = from_one(node_at(doc, node)->start_mark.column);
}

const char *yaml_doc_text(const struct yaml_doc *doc, int node, size_t *len)
{
	*len = node_at(doc, node)->data.scalar.length;
	return (const char *)node_at(doc, node)->data.scalar.value;
}

bool yaml_doc_is_plain(const struct yaml_doc *doc, int node)
{
	return yaml_doc_kind(doc, node) == YAML_DOC_SCALAR &&
	       node_at(doc, node)->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool yaml_doc_is_null(const struct yaml_doc *doc, int node)
{
	size_t len;
	const char *text;

	if (!yaml_doc_is_plain(doc, node))
		return false;
	text = yaml_doc_text(doc, node, &len);
	return len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

size_t yaml_doc_count(const struct yaml_doc *doc, int node)
{
	const yaml_node_t *n = node_at(doc, node);

	if (n->type == YAML_MAPPING_NODE)
		return (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	if (n->type == YAML_SEQUENCE_NODE)
		return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	return 0;
}

int yaml_doc_item(const struct yaml_doc *doc, int node, size_t i)
{
	return node_at(doc, node)->data.sequence.items.start[i];
}

int yaml_doc_key(const struct yaml_doc *doc, int node, size_t i)
{
	return node_at(doc, node)->data.mapping.pairs.start[i].key;
}

int yaml_doc_value(const struct yaml_doc *doc, int node, size_t i)
{
	return node_at(doc, node)->data.mapping.pairs.start[i].value;
}

size_t yaml_doc_find_pair(const struct yaml_doc *doc, int node, const char *key)
{
	const size_t n = yaml_doc_count(doc, node);

	for (size_t i = 0; i < n; i++) {
		const int k = yaml_doc_key(doc, node, i);
		size_t len;

		if (yaml_doc_kind(doc, k) == YAML_DOC_SCALAR && strcmp(yaml_doc_text(doc, k, &len), key) == 0)
			return i;
	}
	return n;
}

int yaml_doc_find(const struct yaml_doc *doc, int node, const char *key)
{
	size_t i;

	if (yaml_doc_kind(doc, node) != YAML_DOC_MAPPING)
		return 0;
	i = yaml_doc_find_pair(doc, node, key);
	return i < yaml_doc_count(doc, node) ? yaml_doc_value(doc, node, i) : 0;
}
