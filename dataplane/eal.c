/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds the EAL's argument list and cleans up behind it. Main thread only.
 */
#include "dataplane/eal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "lib/log.h"

#define EAL_ARGS     32
#define EAL_ARG_LEN  320
#define EAL_CPUS_LEN 256
#define HUGE_FREE    "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

struct eal_args {
	int n;
	char text[EAL_ARGS][EAL_ARG_LEN];
	char *argv[EAL_ARGS + 1];
};

static bool huge_in_use;
static char runtime_dir[PATH_MAX];

static __attribute__((format(printf, 2, 3))) void add_arg(struct eal_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == EAL_ARGS)
		return;
	va_start(ap, fmt);
	vsnprintf(a->text[a->n], EAL_ARG_LEN, fmt, ap);
	va_end(ap);
	a->argv[a->n] = a->text[a->n];
	a->argv[++a->n] = NULL;
}

static bool enough_hugepages(unsigned mem_mib)
{
	FILE *f = fopen(HUGE_FREE, "re");
	unsigned long pages = 0;

	if (!f)
		return false;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * 2 >= mem_mib + 2ul;
}

/*
 * Only the drivers that can be needed: loading all of the distribution's costs 0.2 s and their libraries.
 * With none of them found nothing is named, and the EAL loads its default directory.
 */
static void add_drivers(struct eal_args *a, bool pci)
{
	static const char *const always[] = {
	    "bus_vdev", "mempool_ring", "net_af_xdp", "net_ring", "net_tap", "net_memif", "net_null"};
	const char *dir = getenv("BYWAY_DPDK_DRIVERS"); /* for a DPDK that is not the distribution's */
	char path[EAL_ARG_LEN - 4];

	if (pci)
		return;
	if (!dir)
		dir = BYWAY_DPDK_DRIVER_DIR;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		snprintf(path, sizeof(path), "%s/librte_%s.so", dir, always[i]);
		if (access(path, R_OK) == 0)
			add_arg(a, "-d%s", path);
	}
}

/* What the process may use, as the EAL writes CPU sets. */
static void format_own_cpus(char *buf, size_t size)
{
	cpu_set_t set;
	size_t at = 0;

	CPU_ZERO(&set);
	buf[0] = 0;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_SET(0, &set);
	for (unsigned i = 0; i < CPU_SETSIZE && at < size - 8; i++)
		if (CPU_ISSET(i, &set))
			at += (size_t)snprintf(buf + at, size - at, "%s%u", at ? "," : "", i);
}

/*
 * Lcore 0 is the main thread, 1..workers the workers. Without a list all of them float over
 * the process's CPUs, so that several routers share a box; with one, worker i has the i-th.
 */
static int add_lcores(struct eal_args *a, const struct eal_config *c, struct err_msg *msg)
{
	char own[EAL_CPUS_LEN], map[EAL_ARG_LEN - 16];
	size_t at;
	const char *p = c->cpus;

	format_own_cpus(own, sizeof(own));
	if (!p) {
		add_arg(a, "--lcores=(0-%u)@(%s)", c->workers, own);
		return 0;
	}
	at = (size_t)snprintf(map, sizeof(map), "0@(%s)", own);
	for (unsigned i = 1; i <= c->workers; i++) {
		char *end;
		unsigned long cpu = strtoul(p, &end, 10);

		if (end == p || (*end && *end != ',') || cpu >= CPU_SETSIZE)
			return err_set(msg, ERR_INVALID, "--cpus %s: expected %u CPU numbers, as in 0,2",
			    c->cpus, c->workers);
		if (at < sizeof(map))
			at += (size_t)snprintf(map + at, sizeof(map) - at, ",%u@%lu", i, cpu);
		p = *end ? end + 1 : end;
	}
	if (*p || at >= sizeof(map))
		return err_set(
		    msg, ERR_INVALID, "--cpus %s: more CPUs than the %u workers", c->cpus, c->workers);
	add_arg(a, "--lcores=%s", map);
	return 0;
}

/* A page fault on the path of a packet is a loss; without the privilege it stays a risk. */
static void lock_memory(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &all); /* AF_XDP accounts its buffers to it, too */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_debug("memory is not locked: %m");
}

int eal_start(const struct eal_config *c, struct err_msg *msg)
{
	static struct eal_args a; /* the EAL keeps pointers into it */
	int err;

	huge_in_use = enough_hugepages(c->mem_mib);
	a.n = 0;
	add_arg(&a, "byway-dataplane");
	add_arg(&a, "--file-prefix=%s", c->prefix);
	add_arg(&a, "--log-level=*:error");
	add_arg(&a, "--no-telemetry");
	add_arg(&a, "-m%u", c->mem_mib);
	if (huge_in_use)
		add_arg(&a, "--in-memory"); /* pages vanish with the process, however it ends */
	else
		add_arg(&a, "--no-huge");
	if (!c->pci) {
		add_arg(&a, "--no-pci");
		add_arg(&a, "--iova-mode=va");
	}
	add_drivers(&a, c->pci);
	err = add_lcores(&a, c, msg);
	if (err)
		return err;
	lock_memory();
	if (rte_eal_init(a.n, a.argv) < 0)
		return err_set(msg, ERR_IO, "DPDK does not start with %u MiB%s: %s", c->mem_mib,
		    huge_in_use ? " of huge pages" : "", rte_strerror(rte_errno));
	snprintf(runtime_dir, sizeof(runtime_dir), "%s", rte_eal_get_runtime_dir());
	return 0;
}

static void remove_runtime_dir(void)
{
	struct dirent *e;
	DIR *d = opendir(runtime_dir);

	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(runtime_dir);
}

void eal_stop(void)
{
	(void)rte_eal_cleanup();
	if (runtime_dir[0])
		remove_runtime_dir();
}

bool eal_hugepages(void)
{
	return huge_in_use;
}
