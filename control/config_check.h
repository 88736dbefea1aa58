/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the schema table cannot say about a configuration: references, conflicts, what belongs together.
 * Called by config.c after the reader; control's only thread.
 */
#ifndef BYWAY_CONTROL_CONFIG_CHECK_H
#define BYWAY_CONTROL_CONFIG_CHECK_H

#include "control/config.h"
#include "control/yaml_doc.h"

struct config_check {
	const struct config *c;
	const struct yaml_doc *doc; /* for the places of single values */
	struct diag *diag;
};

/* All findings about c go to the diag of the context. */
void config_check_all(const struct config_check *k);
/* The parts: ports and lines; tunnels and their peers; routes, lists, filters and BGP (config_check_bgp.c).
 */
void config_check_ports(const struct config_check *k);
void config_check_tunnels(const struct config_check *k);
void config_check_routing(const struct config_check *k);

/*
 * A finding at the value of key of the object at `at`; item: of that item of its list, or -1. Without such a
 * key, at the object.
 */
void config_check_error(const struct config_check *k, const struct config_at *at, const char *key, int item,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void config_check_warn(const struct config_check *k, const struct config_at *at, const char *key, int item,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* "; did you mean x?" or what there is; for a reference to a name that is not in names. */
const char *config_check_suggest(
    const char *name, const char *const *names, size_t n, char *buf, size_t size);

#endif
