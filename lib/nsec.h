/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time in nanoseconds: clocks read by the mains only (everything below takes
 * `now`), conversions, and durations for people.
 */
#ifndef BYWAY_LIB_NSEC_H
#define BYWAY_LIB_NSEC_H

#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC  UINT64_C(1000000000)

uint64_t nsec_monotonic(void); /* CLOCK_MONOTONIC */
uint64_t nsec_realtime(void);  /* CLOCK_REALTIME since 1970 */

#define NSEC_STRLEN 24
/* "850 µs", "12 ms", "3.2 s", "4 m 10 s", "2 h 3 m", "5 d 4 h". Returns buf of NSEC_STRLEN. */
const char *nsec_format(uint64_t ns, char *buf);

#endif
