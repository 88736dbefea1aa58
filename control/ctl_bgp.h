/* SPDX-License-Identifier: BSD-3-Clause */
/* What listings of BGP share. Control's only thread. */
#ifndef BYWAY_CONTROL_CTL_BGP_H
#define BYWAY_CONTROL_CTL_BGP_H

#include <jansson.h>

#include "bgp/bgp.h"

/* Adds as-path, local-pref, med, origin, communities and next-hop of a path to a row. */
void ctl_bgp_add_attrs(json_t *row, const struct bgp_attrs *attrs);
/* "filtered by rule 2 of from-friend": why a path is not used (or what it won by). Returns buf. */
const char *ctl_bgp_reason(const struct bgp_path_info *p, char *buf, size_t size);

#endif
