/* SPDX-License-Identifier: BSD-3-Clause */
/* How the client shows each listing to people. */
#ifndef BYWAY_CONTROL_BYWAY_SHOW_H
#define BYWAY_CONTROL_BYWAY_SHOW_H

#include <jansson.h>

#include "control/byway_table.h"

/* A listing: begin, a call for each row, end; state is at hand for all. */
struct byway_view {
	struct byway_table table;
	char table_name[64]; /* routes: whose rows are printed now */
	unsigned n_rows, n_hidden;
	int detailed; /* bgp: one peer in full */
	int verbose;  /* -v: columns that few ask for */
};

void byway_show_ports(struct byway_view *v, json_t *row);
void byway_show_tunnels(struct byway_view *v, json_t *row);
void byway_show_bgp(struct byway_view *v, json_t *row);
void byway_show_wan(struct byway_view *v, json_t *row);
void byway_show_events(struct byway_view *v, json_t *row);
void byway_show_drops(struct byway_view *v, json_t *row);
void byway_show_version(struct byway_view *v, json_t *row);
void byway_show_routes(struct byway_view *v, json_t *row);
void byway_show_findings(struct byway_view *v, json_t *row);
/* Prints what is left. */
void byway_show_end(struct byway_view *v);

/* ---- for the views (byway_cell.c): text of a member of a row; "-" when it is not there ---- */
#define BYWAY_CELL 160
const char *byway_cell_text(json_t *row, const char *key);
const char *byway_cell_number(json_t *row, const char *key, char buf[BYWAY_CELL]);
const char *byway_cell_bytes(json_t *row, const char *key, char buf[BYWAY_CELL]); /* "1.5 MiB" */
const char *byway_cell_time(
    json_t *row, const char *key, char buf[BYWAY_CELL]); /* of nanoseconds: "4 m 10 s" */
const char *byway_cell_usec(
    json_t *row, const char *key, char buf[BYWAY_CELL]); /* of microseconds; "-" for 0 */
const char *byway_cell_list(
    json_t *list, const char *key, char *buf, size_t size); /* "a, b"; key: of each element */

#endif
