/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of the reasons of loss, for counters and listings. Pure; any thread.
 */
#include "dataplane/drop.h"

#include <ctype.h>
#include <pthread.h>
#include <stddef.h>

static const char *const texts[DROP_REASONS] = {
#define DROP_TEXT(name, text) [DROP_##name] = text,
    DROP_LIST(DROP_TEXT)
#undef DROP_TEXT
};

/* TUNNEL_AUTH is shown as tunnel-auth. */
static char names[DROP_REASONS][32] = {
#define DROP_NAME(name, text) [DROP_##name] = #name,
    DROP_LIST(DROP_NAME)
#undef DROP_NAME
};

static void make_names(void)
{
	for (unsigned r = 0; r < DROP_REASONS; r++)
		for (char *p = names[r]; *p; p++)
			*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
}

const char *drop_name(enum drop_reason r)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_names);
	return names[r];
}

const char *drop_text(enum drop_reason r)
{
	return texts[r];
}
