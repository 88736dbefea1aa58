/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of names that a host knows by itself (hosts(5)). Any thread. */
#ifndef BYWAY_CONTROL_HOSTS_H
#define BYWAY_CONTROL_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#define HOSTS_ADDRESSES 8	     /* of a family; further ones of the same name are passed over */
#define HOSTS_READ_MAX	(256 * 1024) /* bytes: what lies beyond is not read, for lists of a million names */

struct hosts_answer {
	uint8_t v4[HOSTS_ADDRESSES][4], v6[HOSTS_ADDRESSES][16];
	int n4, n6;
};

/*
 * The addresses that the file at path gives a name, whose case does not matter. False: it does not have the
 * name, or cannot be read. Lines of no meaning are passed over, and addresses with a zone.
 */
bool hosts_find(const char *path, const char *name, struct hosts_answer *out);

#endif
