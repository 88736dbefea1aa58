/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment as this program wants it: no huge pages, PCI or set-up needed, several
 * instances side by side, nothing left behind. Main thread, before and after everything else.
 */
#ifndef BYWAY_DATAPLANE_EAL_H
#define BYWAY_DATAPLANE_EAL_H

#include <stdbool.h>

#include "lib/err.h"

#define EAL_DEFAULT_MEM_MIB 96

struct eal_config {
	const char *prefix; /* distinguishes instances: names /run/dpdk/<prefix> */
	const char *cpus;   /* list as in "0,2-3": worker i runs on the i-th; NULL: all float over what the
			       process may use */
	unsigned workers;   /* lcores besides the main one */
	unsigned mem_mib;   /* of packet buffers and tables of DPDK's */
	bool pci;	    /* probe PCI; else only virtual devices exist */
};

/*
 * Starts the EAL on the calling thread, which becomes the main lcore. Huge pages are used when enough
 * 2 MiB pages are free. ERR_INVALID: cpus; ERR_RANGE; ERR_IO: the EAL refused; with a sentence.
 */
int eal_start(const struct eal_config *config, struct err_msg *msg);
/* Ends what eal_start began and removes its run-time directory. All lcores must have returned. */
void eal_stop(void);
bool eal_hugepages(void); /* whether they are in use */

#endif
