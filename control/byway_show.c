/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's views of ports, tunnels, lines, drops and versions. Routes and BGP are in byway_routes.c. */
#include "control/byway_show.h"

#include <stdio.h>
#include <string.h>

/* Titles go out with the first row, so that an empty listing is not a lonely heading. */
static void begin(struct byway_view *v, const char *const *titles)
{
	if (v->n_rows++ == 0)
		byway_table_begin(&v->table, stdout, titles);
}

void byway_show_end(struct byway_view *v)
{
	if (v->table.n_columns > 0)
		byway_table_end(&v->table);
	if (v->n_hidden > 0)
		printf("%u more reasons have counted nothing.\n", v->n_hidden);
}

void byway_show_ports(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {"port", "device", "role", "link", ">mtu", "mac", ">rx packets",
	    ">rx bytes", ">tx packets", ">tx bytes", ">lost", "addresses", NULL};
	char mtu[BYWAY_CELL], rx[BYWAY_CELL], rx_bytes[BYWAY_CELL], tx[BYWAY_CELL], tx_bytes[BYWAY_CELL],
	    lost[BYWAY_CELL], addresses[1024];
	const json_int_t missed = json_integer_value(json_object_get(row, "rx-missed"));
	const char *cells[] = {
	    byway_cell_text(row, "name"),
	    byway_cell_text(row, "device"),
	    byway_cell_text(row, "role"),
	    json_is_true(json_object_get(row, "link-up")) ? "up" : "down",
	    byway_cell_number(row, "mtu", mtu),
	    byway_cell_text(row, "mac"),
	    byway_cell_number(row, "rx-packets", rx),
	    byway_cell_bytes(row, "rx-bytes", rx_bytes),
	    byway_cell_number(row, "tx-packets", tx),
	    byway_cell_bytes(row, "tx-bytes", tx_bytes),
	    lost,
	    byway_cell_list(json_object_get(row, "addresses"), "address", addresses, sizeof(addresses)),
	};

	snprintf(lost, sizeof(lost), "%" JSON_INTEGER_FORMAT,
	    missed + json_integer_value(json_object_get(row, "tx-dropped")));
	begin(v, titles);
	byway_table_row(&v->table, cells);
}

/* "203.0.113.7:51820 (home.example.org)", or why the name has no address. */
static void show_endpoint(json_t *peer, char buf[BYWAY_CELL])
{
	const char *name = json_string_value(json_object_get(peer, "endpoint-name")),
		   *why = json_string_value(json_object_get(peer, "endpoint-error"));

	if (name == NULL)
		snprintf(buf, BYWAY_CELL, "%.60s", byway_cell_text(peer, "endpoint"));
	else
		snprintf(buf, BYWAY_CELL, "%.60s (%.60s%s%.30s)", byway_cell_text(peer, "endpoint"), name,
		    why != NULL ? ": " : "", why != NULL ? why : "");
}

static void show_peer(struct byway_view *v, json_t *tunnel, json_t *peer)
{
	char mtu[BYWAY_CELL], handshake[BYWAY_CELL], rx[BYWAY_CELL], tx[BYWAY_CELL], rtt[BYWAY_CELL],
	    line[BYWAY_CELL], origin[BYWAY_CELL * 2];
	char carries[BYWAY_CELL], path[BYWAY_CELL];
	char endpoint[BYWAY_CELL];
	const bool follows = strcmp(byway_cell_text(tunnel, "line"), "-") == 0;
	const char *verdict = byway_cell_text(peer, "verdict");
	const char *cells[] = {
	    byway_cell_text(tunnel, "name"),
	    line,
	    byway_cell_number(tunnel, "mtu", mtu),
	    json_is_true(json_object_get(tunnel, "up")) ? "up" : "down",
	    byway_cell_text(peer, "name"),
	    endpoint,
	    strcmp(verdict, "unknown") == 0 ? "not probed" : verdict,
	    byway_cell_time(peer, "handshake-ns", handshake),
	    byway_cell_usec(peer, "rtt-us", rtt),
	    byway_cell_bytes(peer, "rx-bytes", rx),
	    byway_cell_bytes(peer, "tx-bytes", tx),
	    origin,
	    byway_cell_number(peer, "mtu", carries),
	    json_integer_value(json_object_get(peer, "path-mtu")) ? byway_cell_number(peer, "path-mtu", path)
								  : "-",
	    byway_cell_text(tunnel, "cipher"),
	};

	snprintf(origin, sizeof(origin), "%.40s%s", byway_cell_text(peer != NULL ? peer : tunnel, "origin"),
	    peer != NULL && strstr(byway_cell_text(tunnel, "origin"), "changed") != NULL
		? "; tunnel changed by wg set"
		: "");
	show_endpoint(peer, endpoint);
	snprintf(line, sizeof(line), "%.40s%s", byway_cell_text(tunnel, "line-in-use"),
	    follows ? " (active)" : "");
	byway_table_row(&v->table, cells);
}

void byway_show_tunnels(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {"tunnel", "line", ">mtu", "state", "peer", "endpoint", "probe",
	    ">handshake ago", ">rtt", ">received", ">sent", "set by", NULL};
	static const char *const all_titles[] = {"tunnel", "line", ">mtu", "state", "peer", "endpoint",
	    "probe", ">handshake ago", ">rtt", ">received", ">sent", "set by", ">carries", ">path mtu",
	    "cipher", NULL};
	json_t *peer;
	size_t i;

	begin(v, v->verbose ? all_titles : titles);
	json_array_foreach (json_object_get(row, "peers"), i, peer)
		show_peer(v, row, peer);
	if (i == 0)
		show_peer(v, row, NULL);
}

void byway_show_wan(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {"line", "state", "since", ">preference", ">rtt", ">jitter",
	    ">loss", "override", "gateways", "why", NULL};
	char state[BYWAY_CELL], since[BYWAY_CELL], preference[BYWAY_CELL], rtt[BYWAY_CELL],
	    jitter[BYWAY_CELL], loss[BYWAY_CELL], gateways[BYWAY_CELL];
	const json_int_t permille = json_integer_value(json_object_get(row, "loss-permille"));
	const char *cells[] = {
	    byway_cell_text(row, "port"),
	    state,
	    byway_cell_time(row, "since-ns", since),
	    byway_cell_number(row, "preference", preference),
	    byway_cell_usec(row, "rtt-us", rtt),
	    byway_cell_usec(row, "jitter-us", jitter),
	    loss,
	    byway_cell_text(row, "override-to"),
	    byway_cell_list(json_object_get(row, "gateways"), NULL, gateways, sizeof(gateways)),
	    byway_cell_text(row, "reason"),
	};

	snprintf(state, sizeof(state), "%.20s%s%s", byway_cell_text(row, "verdict"),
	    json_is_true(json_object_get(row, "active")) ? ", active" : "",
	    json_is_true(json_object_get(row, "link-up")) ? "" : ", no link");
	snprintf(loss, sizeof(loss), "%.1f %%", (double)permille / 10);
	begin(v, titles);
	byway_table_row(&v->table, cells);
}

void byway_show_events(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {
	    ">ago", "what", "verdict", ">groups moved", ">took", "evidence", NULL};
	char ago[BYWAY_CELL], moved[BYWAY_CELL], took[BYWAY_CELL];
	const char *cells[] = {
	    byway_cell_time(row, "age-ns", ago),
	    byway_cell_text(row, "object"),
	    byway_cell_text(row, "verdict"),
	    byway_cell_number(row, "groups-moved", moved),
	    byway_cell_usec(row, "took-us", took),
	    byway_cell_text(row, "reason"),
	};

	begin(v, titles);
	byway_table_row(&v->table, cells);
}

void byway_show_drops(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {">packets", "reason", "what it means", NULL};
	char packets[BYWAY_CELL];
	const char *cells[] = {byway_cell_number(row, "packets", packets), byway_cell_text(row, "reason"),
	    byway_cell_text(row, "text")};

	if (json_integer_value(json_object_get(row, "packets")) == 0) {
		v->n_hidden++;
		return;
	}
	begin(v, titles);
	byway_table_row(&v->table, cells);
}

static void show_refused(json_t *row)
{
	json_t *object;
	size_t i;

	json_array_foreach (json_object_get(row, "refused"), i, object)
		printf("  refused     %s: %s\n", byway_cell_text(object, "object"),
		    byway_cell_text(object, "reason"));
}

void byway_show_version(struct byway_view *v, json_t *row)
{
	char up[BYWAY_CELL], since[BYWAY_CELL], n[BYWAY_CELL], groups[BYWAY_CELL];

	printf("%s\n", byway_cell_text(row, "program"));
	printf("  up          %s\n", byway_cell_time(row, "uptime-ns", up));
	if (strcmp(byway_cell_text(row, "process"), "control") == 0) {
		printf("  router      %s\n", byway_cell_text(row, "name"));
		printf("  config      %s, in force for %s\n", byway_cell_text(row, "config"),
		    byway_cell_time(row, "configured-ns", since));
		printf("  dataplane   %s\n", byway_cell_text(row, "dataplane"));
		printf("  routes      %s prefixes over %s groups\n", byway_cell_number(row, "prefixes", n),
		    byway_cell_number(row, "groups", groups));
		show_refused(row);
	} else {
		printf("  DPDK        %s, %s hugepages\n  workers     %s\n", byway_cell_text(row, "dpdk"),
		    json_is_true(json_object_get(row, "hugepages")) ? "with" : "without",
		    byway_cell_number(row, "workers", n));
	}
}

void byway_show_findings(struct byway_view *v, json_t *row)
{
	fprintf(stderr, "%s\n", byway_cell_text(row, "text"));
}
