/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of the dataplane as JSON, made from the contract's own table of fields. Control's only thread. */
#ifndef BYWAY_CONTROL_CTL_ROWS_H
#define BYWAY_CONTROL_CTL_ROWS_H

#include <jansson.h>

#include "control/diag.h"
#include "lib/fibmsg.h"

/* {"rx-packets":1,...}: kebab-case names, enums as words, flags as booleans. The caller owns it. */
json_t *ctl_rows_from_fibmsg(const struct fibmsg *m);
json_t *ctl_rows_addr(const struct ip_addr *a); /* null without a family */
json_t *ctl_rows_prefix(const struct ip_prefix *p);
json_t *ctl_rows_key(const uint8_t key[32]); /* base64; null for a zero key */
/* Text that may not be UTF-8 (a peer's words) with the bad bytes replaced. */
json_t *ctl_rows_text(const char *text);

/* A finding about a configuration file. The caller owns it. */
json_t *ctl_rows_finding(const struct diag *d, const struct diag_finding *f);
/* All of them as lines, and the last line as on the control socket. */
void ctl_rows_print_diag(const struct diag *d, bool good, FILE *out);

#endif
