/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's views of routes and BGP. */
#include <stdio.h>
#include <string.h>

#include "control/byway_show.h"

static void format_hop(json_t *hop, char buf[BYWAY_CELL])
{
	const char *kind = byway_cell_text(hop, "kind"), *iface = byway_cell_text(hop, "interface");
	const char *peer = json_string_value(json_object_get(hop, "peer"));

	if (strcmp(kind, "via") == 0)
		snprintf(buf, BYWAY_CELL, "via %s on %s", byway_cell_text(hop, "gateway"), iface);
	else if (strcmp(kind, "connected") == 0)
		snprintf(buf, BYWAY_CELL, "on %s", iface);
	else if (strcmp(kind, "tunnel") == 0)
		snprintf(buf, BYWAY_CELL, "tunnel %s%s%s%s", iface, peer != NULL ? " (" : "",
		    peer != NULL ? peer : "", peer != NULL ? ")" : "");
	else
		snprintf(buf, BYWAY_CELL, "%s", kind);
}

/*
 * "tunnel friend1 (friend), then tunnel friend2 (friend)", the one that serves first; those before it in the
 * order of preference are dead.
 */
static const char *format_hops(json_t *row, char *buf, size_t size)
{
	json_t *hops = json_object_get(row, "next-hops"), *hop;
	size_t in_use = 0, used = 0, i;
	char text[BYWAY_CELL];

	buf[0] = '\0';
	json_array_foreach (hops, i, hop) {
		if (json_is_true(json_object_get(hop, "in-use")))
			in_use = i;
	}
	if (json_is_false(json_object_get(row, "alive")))
		used += (size_t)snprintf(buf, size, "DEAD: ");
	for (i = in_use; i < json_array_size(hops) && used < size; i++) {
		format_hop(json_array_get(hops, i), text);
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i > in_use ? ", then " : "", text);
	}
	for (i = 0; i < in_use && used < size; i++) {
		format_hop(json_array_get(hops, i), text);
		used += (size_t)snprintf(buf + used, size - used, ", instead of %s", text);
	}
	return buf;
}

static const char *format_details(json_t *row, char *buf, size_t size)
{
	const char *reason = json_string_value(json_object_get(row, "reason"));
	const char *peer = json_string_value(json_object_get(row, "peer"));
	const char *path = json_string_value(json_object_get(row, "as-path"));
	json_t *local_pref = json_object_get(row, "local-pref"), *med = json_object_get(row, "med");
	size_t used = 0;

	buf[0] = '\0';
	if (peer != NULL)
		used += (size_t)snprintf(
		    buf, size, "from %s, path %s", peer, path != NULL && path[0] != '\0' ? path : "-");
	if (local_pref != NULL && used < size)
		used += (size_t)snprintf(
		    buf + used, size - used, ", pref %" JSON_INTEGER_FORMAT, json_integer_value(local_pref));
	if (med != NULL && used < size)
		used += (size_t)snprintf(
		    buf + used, size - used, ", med %" JSON_INTEGER_FORMAT, json_integer_value(med));
	if (json_is_true(json_object_get(row, "stale")) && used < size)
		used += (size_t)snprintf(buf + used, size - used, ", stale");
	if (reason != NULL && used < size)
		snprintf(buf + used, size - used, "%s%s", used > 0 ? "; " : "", reason);
	return buf;
}

static const char *mark_of(json_t *row)
{
	if (json_is_true(json_object_get(row, "active")))
		return "*";
	return json_is_true(json_object_get(row, "backup")) ? "+" : "";
}

void byway_show_routes(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {"", "prefix", "source", ">dist", "way", "", NULL};
	char distance[BYWAY_CELL], hops[512], details[1024];
	const char *table = byway_cell_text(row, "table");
	const char *cells[] = {
	    mark_of(row),
	    byway_cell_text(row, "prefix"),
	    byway_cell_text(row, "source"),
	    byway_cell_number(row, "distance", distance),
	    format_hops(row, hops, sizeof(hops)),
	    format_details(row, details, sizeof(details)),
	};

	if (hops[0] == '\0' && json_object_get(row, "next-hop") != NULL)
		snprintf(hops, sizeof(hops), "(%s)", byway_cell_text(row, "next-hop"));
	if (strcmp(table, v->table_name) != 0) {
		if (v->n_rows > 0) {
			byway_table_end(&v->table);
			putchar('\n');
		}
		if (strcmp(table, "overlay") == 0)
			puts("Routes of hosts (* forwards, + takes over at once):");
		else
			printf("Routes of line %s alone:\n", table);
		byway_table_begin(&v->table, stdout, titles);
		snprintf(v->table_name, sizeof(v->table_name), "%s", table);
	}
	v->n_rows++;
	byway_table_row(&v->table, cells);
}

static json_t *family(json_t *row, const char *name)
{
	return json_object_get(json_object_get(row, "families"), name);
}

/* "accepted/received, sent" */
static const char *format_family(json_t *f, char buf[BYWAY_CELL])
{
	if (f == NULL)
		return "-";
	snprintf(buf, BYWAY_CELL,
	    "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT " in, %" JSON_INTEGER_FORMAT " out",
	    json_integer_value(json_object_get(f, "accepted")),
	    json_integer_value(json_object_get(f, "received")),
	    json_integer_value(json_object_get(f, "sent")));
	return buf;
}

static const char *format_last_error(json_t *row, char buf[BYWAY_CELL])
{
	json_t *error = json_object_get(row, "last-error-received");
	const char *who = "neighbour: ";
	char ago[BYWAY_CELL];

	if (!json_is_object(error)) {
		error = json_object_get(row, "last-error");
		who = "";
	}
	if (!json_is_object(error))
		return "";
	snprintf(buf, BYWAY_CELL, "%s%.80s (%s ago)", who, byway_cell_text(error, "text"),
	    byway_cell_time(error, "age-ns", ago));
	return buf;
}

static void print_member(const char *key, json_t *value, int indent)
{
	const char *name;
	json_t *member;
	char text[BYWAY_CELL];
	json_t *holder;

	if (json_is_object(value)) {
		printf("%*s%s\n", indent, "", key);
		json_object_foreach (value, name, member)
			print_member(name, member, indent + 2);
		return;
	}
	holder = json_pack("{s:O}", key, value);
	if (strlen(key) > 3 && strcmp(key + strlen(key) - 3, "-ns") == 0)
		printf("%*s%-*.*s %s\n", indent, "", 30 - indent, (int)strlen(key) - 3, key,
		    byway_cell_time(holder, key, text));
	else if (json_is_integer(value))
		printf("%*s%-*s %s\n", indent, "", 30 - indent, key, byway_cell_number(holder, key, text));
	else
		printf("%*s%-*s %s\n", indent, "", 30 - indent, key,
		    json_is_boolean(value) ? json_is_true(value) ? "yes" : "no"
					   : byway_cell_text(holder, key));
	json_decref(holder);
}

void byway_show_bgp(struct byway_view *v, json_t *row)
{
	static const char *const titles[] = {
	    "peer", "address", ">as", "state", ">since", "ipv4", "ipv6", "last trouble", NULL};
	char as[BYWAY_CELL], since[BYWAY_CELL], v4[BYWAY_CELL], v6[BYWAY_CELL], error[BYWAY_CELL];
	const char *cells[] = {
	    byway_cell_text(row, "name"),
	    byway_cell_text(row, "address"),
	    byway_cell_number(row, "as", as),
	    byway_cell_text(row, "state"),
	    byway_cell_time(row, "since-ns", since),
	    format_family(family(row, "ipv4"), v4),
	    format_family(family(row, "ipv6"), v6),
	    format_last_error(row, error),
	};
	const char *key;
	json_t *value;

	if (v->detailed) {
		json_object_foreach (row, key, value)
			print_member(key, value, 0);
		return;
	}
	if (v->n_rows++ == 0)
		byway_table_begin(&v->table, stdout, titles);
	byway_table_row(&v->table, cells);
}
