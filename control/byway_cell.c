/* SPDX-License-Identifier: BSD-3-Clause */
/* From JSON members to cells that people read. Part of the client. */
#include <stdio.h>
#include <string.h>

#include "control/byway_show.h"
#include "lib/nsec.h"

const char *byway_cell_text(json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text != NULL && text[0] != '\0' ? text : "-";
}

const char *byway_cell_number(json_t *row, const char *key, char buf[BYWAY_CELL])
{
	json_t *v = json_object_get(row, key);

	if (!json_is_integer(v))
		return "-";
	snprintf(buf, BYWAY_CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return buf;
}

const char *byway_cell_bytes(json_t *row, const char *key, char buf[BYWAY_CELL])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	json_t *v = json_object_get(row, key);
	double bytes = (double)json_integer_value(v);
	size_t unit = 0;

	if (!json_is_integer(v))
		return "-";
	for (; bytes >= 1024 && unit < 5; unit++)
		bytes /= 1024;
	snprintf(buf, BYWAY_CELL, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
	return buf;
}

const char *byway_cell_time(json_t *row, const char *key, char buf[BYWAY_CELL])
{
	json_t *v = json_object_get(row, key);

	return json_is_integer(v) ? nsec_format((uint64_t)json_integer_value(v), buf) : "never";
}

const char *byway_cell_usec(json_t *row, const char *key, char buf[BYWAY_CELL])
{
	json_t *v = json_object_get(row, key);

	if (!json_is_integer(v) || json_integer_value(v) == 0)
		return "-";
	return nsec_format((uint64_t)json_integer_value(v) * NSEC_PER_USEC, buf);
}

const char *byway_cell_list(json_t *list, const char *key, char *buf, size_t size)
{
	size_t used = 0, i;
	json_t *element;

	buf[0] = '\0';
	json_array_foreach (list, i, element) {
		const char *text = key != NULL ? json_string_value(json_object_get(element, key))
					       : json_string_value(element);

		if (text != NULL && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", text);
	}
	return buf[0] != '\0' ? buf : "-";
}
