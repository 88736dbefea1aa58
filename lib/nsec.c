/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the clocks (mains only) and prints durations. Any thread.
 */
#include "lib/nsec.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t nsec_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t nsec_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

const char *nsec_format(uint64_t ns, char *buf)
{
	uint64_t s = ns / NSEC_PER_SEC;

	if (ns < NSEC_PER_USEC)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " ns", ns);
	else if (ns < NSEC_PER_MSEC)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " µs", ns / NSEC_PER_USEC);
	else if (ns < NSEC_PER_SEC)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " ms", ns / NSEC_PER_MSEC);
	else if (s < 60)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 ".%u s", s, (unsigned)(ns / (NSEC_PER_SEC / 10) % 10));
	else if (s < 3600)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, NSEC_STRLEN, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}
