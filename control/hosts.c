/* SPDX-License-Identifier: BSD-3-Clause */
/* Read anew at each question: control asks for a name twice a minute at the most. */
#include "control/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/ip.h"

#define BLANKS " \t\r\n"

static void take_address(const struct ip_addr *a, struct hosts_answer *out)
{
	if (a->family == IP_V4 && out->n4 < HOSTS_ADDRESSES)
		memcpy(out->v4[out->n4++], a->b, 4);
	if (a->family == IP_V6 && out->n6 < HOSTS_ADDRESSES)
		memcpy(out->v6[out->n6++], a->b, 16);
}

static void take_line(char *line, const char *name, struct hosts_answer *out)
{
	char *rest, *word;
	struct ip_addr a;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, BLANKS, &rest);
	if (word == NULL || ip_addr_parse(word, &a, NULL) != 0)
		return;
	while ((word = strtok_r(NULL, BLANKS, &rest)) != NULL) {
		if (strcasecmp(word, name) != 0)
			continue;
		take_address(&a, out);
		return;
	}
}

bool hosts_find(const char *path, const char *name, struct hosts_answer *out)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, done = 0;
	char *line = NULL;
	ssize_t len;

	memset(out, 0, sizeof(*out));
	if (file == NULL)
		return false;
	while (done < HOSTS_READ_MAX && (len = getline(&line, &size, file)) > 0) {
		done += (size_t)len;
		take_line(line, name, out);
	}
	free(line);
	fclose(file);
	return out->n4 > 0 || out->n6 > 0;
}
