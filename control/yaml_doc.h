/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One YAML document in memory with the place of each node. Wraps libyaml, which
 * nothing else includes. Used by the schema reader and the validator; control's only thread.
 * Nodes are numbers from 1; 0 is "no such node".
 */
#ifndef BYWAY_CONTROL_YAML_DOC_H
#define BYWAY_CONTROL_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/diag.h"

#define YAML_DOC_MAX_LEN (1u << 20) /* bytes of a file */

enum yaml_doc_kind { YAML_DOC_SCALAR, YAML_DOC_SEQUENCE, YAML_DOC_MAPPING };

struct yaml_doc;

/*
 * Parses text of len bytes; exactly one document. Errors go to d. ERR_INVALID: not YAML, empty,
 * several documents; ERR_TOOLONG: over YAML_DOC_MAX_LEN. The caller frees *out.
 */
int yaml_doc_parse(const char *text, size_t len, struct diag *d, struct yaml_doc **out);
void yaml_doc_free(struct yaml_doc *doc);

int yaml_doc_root(const struct yaml_doc *doc);
enum yaml_doc_kind yaml_doc_kind(const struct yaml_doc *doc, int node);
/* Line and column from 1, of where the node begins. */
void yaml_doc_where(const struct yaml_doc *doc, int node, uint32_t *line, uint32_t *column);
/* Text of a scalar (may hold NUL bytes when len says so). */
const char *yaml_doc_text(const struct yaml_doc *doc, int node, size_t *len);
/* A scalar written without quotes (a quoted "5" is a text, not a number). */
bool yaml_doc_is_plain(const struct yaml_doc *doc, int node);
/* An empty plain scalar, `~` or `null`: a key without a value. */
bool yaml_doc_is_null(const struct yaml_doc *doc, int node);
/* Elements of a sequence, or pairs of a mapping. */
size_t yaml_doc_count(const struct yaml_doc *doc, int node);
int yaml_doc_item(const struct yaml_doc *doc, int node, size_t i);
int yaml_doc_key(const struct yaml_doc *doc, int node, size_t i);
int yaml_doc_value(const struct yaml_doc *doc, int node, size_t i);
/* The value of a key of a mapping; 0: not there. */
int yaml_doc_find(const struct yaml_doc *doc, int node, const char *key);
/* The number of the first pair of a mapping with this key; the count of pairs when there is none. */
size_t yaml_doc_find_pair(const struct yaml_doc *doc, int node, const char *key);

#endif
