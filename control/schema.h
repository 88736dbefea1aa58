/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The schema of the configuration file: one table (schema.c) of every key with its kind, unit, range,
 * default and help. The reader (schema_read.c) fills struct config from a document by it, and the
 * printer (schema_print.c) writes the reference manual from it. Control's only thread.
 */
#ifndef BYWAY_CONTROL_SCHEMA_H
#define BYWAY_CONTROL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "control/arena.h"
#include "control/diag.h"
#include "control/yaml_doc.h"
#include "lib/err.h"

enum schema_kind {	 /* what the field of the struct is */
	SCHEMA_TEXT,	 /* const char *, min to max bytes */
	SCHEMA_NAME,	 /* const char *, an interface's name */
	SCHEMA_PATH,	 /* const char *, absolute */
	SCHEMA_INT,	 /* uint32_t */
	SCHEMA_OPT_INT,	 /* struct config_opt */
	SCHEMA_MS,	 /* uint32_t, written with its unit: 100ms, 10s, 2m */
	SCHEMA_SECONDS,	 /* uint32_t, the same, whole seconds */
	SCHEMA_BOOL,	 /* bool */
	SCHEMA_WORD,	 /* uint32_t, index in words */
	SCHEMA_ADDR,	 /* struct ip_addr */
	SCHEMA_ADDR4,	 /* struct ip_addr, IPv4 alone */
	SCHEMA_IFADDR,	 /* struct ip_prefix with host bits */
	SCHEMA_PREFIX,	 /* struct ip_prefix */
	SCHEMA_ENDPOINT, /* struct config_endpoint */
	SCHEMA_RANGE,	 /* struct config_range */
	SCHEMA_KEY,	 /* uint8_t[32] */
	SCHEMA_MAC,	 /* uint8_t[6] */
	SCHEMA_OBJECT,	 /* pointer to object's struct */
};

enum schema_flag {
	SCHEMA_REQUIRED = 0x01,
	SCHEMA_LIST = 0x02, /* (size_t n, T *v) from a sequence of at most max_items */
	SCHEMA_MAP = 0x04,  /* the same from a mapping name -> object; the name goes to the object's name */
	SCHEMA_FILL = 0x08, /* an object that is left out gets all its defaults instead of NULL */
	SCHEMA_OFF = 0x10,  /* instead of the object, `off` may stand; sets its bool off */
	SCHEMA_IFNAMES = 0x20, /* the names of the mapping are names of interfaces */
};

struct schema_object;

struct schema_field {
	const char *name;
	enum schema_kind kind;
	unsigned flags;
	size_t offset;
	uint64_t min, max;	  /* of numbers, or the length of a text in bytes */
	size_t max_items;	  /* of a list or map */
	const char *const *words; /* NULL-terminated */
	const struct schema_object *object;
	const char *dflt;      /* as one would write it; NULL: none */
	const char *dflt_note; /* for the manual, where the default is not a value */
	const char *help;
};

/* Each struct begins with struct config_at; name_offset of those in a map is of its const char *name. */
struct schema_object {
	const char *title; /* for the manual and for errors: "port" */
	size_t size;
	size_t name_offset, off_offset;
	size_t list_offset; /* an object that is a bare list (filter, prefix list): of its (n, v) */
	const struct schema_field
	    *fields; /* ends with name NULL; for a bare list the one field of its items */
	bool bare_list;
};

extern const struct schema_object schema_file;

/*
 * Fills *out (of o's size, zeroed by the caller) from a node. Findings go to d; what could be read is there
 * in any case, so that further checks may go on.
 */
void schema_read(const struct schema_object *o, const struct yaml_doc *doc, int node, struct arena *a,
    struct diag *d, void *out);
/* One scalar of field f into out. ERR_INVALID or ERR_RANGE: msg says what was expected. */
int schema_read_scalar(const struct schema_field *f, const char *text, size_t len, bool plain,
    struct arena *a, void *out, struct err_msg *msg);
/* Bytes that a value of the kind takes in a list. */
size_t schema_kind_size(enum schema_kind kind);
/* "a duration such as 100ms or 10s, 10ms to 1m" */
const char *schema_describe(const struct schema_field *f, char *buf, size_t size);
/* The reference of every key, as Markdown. */
void schema_print(FILE *out);
/* The nearest of the names to word, when near enough to be a slip; NULL. Names end with NULL. */
const char *schema_nearest(const char *word, const char *const *names, size_t n);

#endif
