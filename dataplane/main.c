/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * byway-dataplane: options, the order in which parts start and stop, signals. The main thread
 * becomes the slow thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/nexthop.h"
#include "dataplane/rcu.h"
#include "dataplane/slow.h"
#include "dataplane/spread.h"
#include "dataplane/tunnel.h"
#include "dataplane/tunnel_handover.h"
#include "dataplane/worker.h"
#include "lib/isa.h"
#include "lib/log.h"

#define MBUF_STRIDE   (RTE_MBUF_DEFAULT_BUF_SIZE + 512) /* a packet buffer with its headers, roughly */
#define MEM_OTHER_MIB 24				/* of -m that are not for packet buffers */
#define MEM_MIN_MIB   48
#define MEM_MAX_MIB   16384

struct options {
	struct eal_config eal;
	struct slow_config slow;
	enum log_level level;
};

static const char usage_text[] =
    "Usage: byway-dataplane [OPTION]...\n"
    "Moves packets between ports, tunnels and the host. Starts empty; byway-control tells it everything.\n"
    "\n"
    "      --run-dir DIR      sockets: fib.sock (default /run/byway)\n"
    "      --state-dir DIR    state that survives a restart (default /var/lib/byway)\n"
    "      --workers N        threads that move packets, 1 to 8 (default 1)\n"
    "      --cpus LIST        one CPU for each worker, as in 2,3 (default: any the process may use)\n"
    "      --isa NAME         instructions of the fast loops: avx512-vpopcntdq, avx512, avx2, sse or scalar\n"
    "                         (default: the best that this machine has)\n"
    "      --aead NAME        back end of the tunnels' cipher (default: what is fastest here for each kind "
    "of burst)\n"
    "      --spread WHEN      hand flows of a port with few queues to other workers: auto, off, always "
    "(default auto)\n"
    "  -m, --memory MIB       packet buffers and tables (default 96); huge pages are used when enough are "
    "free\n"
    "      --pci              allow ports by PCI address (default: only network devices of the kernel and "
    "vdevs)\n"
    "      --control-uid UID  who besides root and this program's user may speak on fib.sock\n"
    "      --control-gid GID  the same by group\n"
    "      --log-level LEVEL  error, warning, info or debug (default info)\n"
    "  -V, --version          print the version and exit\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "SIGUSR2 restarts it, also as a newer program, without an end of the tunnels' sessions.\n";

enum {
	OPT_RUN_DIR = 256,
	OPT_STATE_DIR,
	OPT_WORKERS,
	OPT_CPUS,
	OPT_ISA,
	OPT_AEAD,
	OPT_SPREAD,
	OPT_PCI,
	OPT_UID,
	OPT_GID,
	OPT_LEVEL
};

static const struct option long_options[] = {
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"cpus", required_argument, NULL, OPT_CPUS},
    {"isa", required_argument, NULL, OPT_ISA},
    {"aead", required_argument, NULL, OPT_AEAD},
    {"spread", required_argument, NULL, OPT_SPREAD},
    {"memory", required_argument, NULL, 'm'},
    {"pci", no_argument, NULL, OPT_PCI},
    {"control-uid", required_argument, NULL, OPT_UID},
    {"control-gid", required_argument, NULL, OPT_GID},
    {"log-level", required_argument, NULL, OPT_LEVEL},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_number(const char *option, const char *text, unsigned min, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || v < min || v > max) {
		fprintf(stderr, "byway-dataplane: %s %s: expected a number from %u to %u\n", option, text,
		    min, max);
		return ERR_RANGE;
	}
	*out = (unsigned)v;
	return 0;
}

static int parse_level(const char *text, enum log_level *out)
{
	static const char *const names[] = {[LOG_LEVEL_ERR] = "error",
	    [LOG_LEVEL_WARN] = "warning",
	    [LOG_LEVEL_INFO] = "info",
	    [LOG_LEVEL_DEBUG] = "debug"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	fprintf(stderr, "byway-dataplane: --log-level %s: expected error, warning, info or debug\n", text);
	return ERR_INVALID;
}

static int parse_isa(const char *text)
{
	if (isa_select(text) == 0)
		return 0;
	fprintf(stderr,
	    "byway-dataplane: --isa %s: expected avx512-vpopcntdq, avx512, avx2, sse or scalar, and a "
	    "machine "
	    "that has "
	    "it\n",
	    text);
	return ERR_UNSUPPORTED;
}

static int parse_option(struct options *o, int opt)
{
	switch (opt) {
	case OPT_RUN_DIR:
		o->slow.run_dir = optarg;
		return 0;
	case OPT_STATE_DIR:
		o->slow.state_dir = optarg;
		return 0;
	case OPT_WORKERS:
		return parse_number("--workers", optarg, 1, WORKER_MAX, &o->eal.workers);
	case OPT_CPUS:
		o->eal.cpus = optarg;
		return 0;
	case OPT_ISA:
		return parse_isa(optarg);
	case OPT_AEAD:
		tunnel_force_cipher(optarg);
		return 0;
	case OPT_SPREAD:
		if (spread_parse_mode(optarg, &spread_mode) == 0)
			return 0;
		fprintf(stderr, "byway-dataplane: --spread %s: expected auto, off or always\n", optarg);
		return ERR_INVALID;
	case 'm':
		return parse_number("-m", optarg, MEM_MIN_MIB, MEM_MAX_MIB, &o->eal.mem_mib);
	case OPT_PCI:
		o->eal.pci = true;
		return 0;
	case OPT_UID:
		return parse_number("--control-uid", optarg, 0, UINT32_MAX - 1, &o->slow.control_uid);
	case OPT_GID:
		return parse_number("--control-gid", optarg, 0, UINT32_MAX - 1, &o->slow.control_gid);
	case OPT_LEVEL:
		return parse_level(optarg, &o->level);
	case 'V':
		puts("byway-dataplane " BYWAY_VERSION);
		exit(EXIT_SUCCESS);
	case 'h':
		fputs(usage_text, stdout);
		exit(EXIT_SUCCESS);
	default:
		fputs("Try 'byway-dataplane --help'.\n", stderr);
		return ERR_INVALID;
	}
}

static int parse_options(int argc, char **argv, struct options *o)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, "m:Vh", long_options, NULL)) != -1) {
		err = parse_option(o, opt);
		if (err)
			return err;
	}
	if (optind < argc) {
		fprintf(stderr, "byway-dataplane: %s: expected no argument\n", argv[optind]);
		return ERR_INVALID;
	}
	return 0;
}

static volatile sig_atomic_t restart_wanted, stop_wanted;

static void handle_stop(int sig)
{
	stop_wanted = true; /* also after a restart was asked for */
	slow_quit();
}

static void handle_restart(int sig)
{
	restart_wanted = true;
	slow_quit();
}

static void set_signals(void)
{
	struct sigaction stop = {.sa_handler = handle_stop}, ignore = {.sa_handler = SIG_IGN};
	struct sigaction restart = {.sa_handler = handle_restart};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGUSR2, &restart, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
}

static unsigned mbufs_for(unsigned mem_mib)
{
	return (unsigned)((uint64_t)(mem_mib - MEM_OTHER_MIB) * 1024 * 1024 / MBUF_STRIDE);
}

/*
 * A planned restart: this process becomes the program that lies at the same path, perhaps a newer one, and
 * keeps its pid. The one thing that it inherits is the memory with the sessions.
 */
#define HANDOVER_VARIABLE "BYWAY_SESSIONS_FD"

static void take_inheritance(void)
{
	const char *text = getenv(HANDOVER_VARIABLE);
	unsigned fd;

	if (!text)
		return;
	if (parse_number(HANDOVER_VARIABLE, text, 3, INT_MAX, &fd) == 0)
		tunnel_handover_open((int)fd);
	unsetenv(HANDOVER_VARIABLE);
}

/* What the successor starts from, as this process did: the EAL moves the main thread. */
static void note_program(char *program, size_t size, cpu_set_t *cpus)
{
	ssize_t len = readlink("/proc/self/exe", program, size - 1);

	program[len > 0 ? len : 0] = '\0';
	CPU_ZERO(cpus);
	(void)sched_getaffinity(0, sizeof(*cpus), cpus);
}

/* Returns only when that fails. */
static void execute_successor(const char *program, char **argv, const cpu_set_t *cpus)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int fd = tunnel_handover_take_fd();
	char text[16];

	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	if (fd >= 0) {
		(void)fcntl(fd, F_SETFD, 0);
		snprintf(text, sizeof(text), "%d", fd);
		setenv(HANDOVER_VARIABLE, text, 1);
	}
	(void)sched_setaffinity(0, sizeof(*cpus), cpus);
	sigaction(SIGUSR2, &ignore, NULL); /* a second one must not end it before it can listen */
	log_info("restarting as %s", program);
	if (!stop_wanted) {
		execv(program, argv);
		log_err("%s: %s", program, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
}

/* Until it is to end. Where a successor cannot be executed, a restart would be an end: it goes on. */
static int run_loop(const char *program)
{
	int err;

	while ((err = slow_run()) == 0 && !stop_wanted && access(program, X_OK)) {
		log_err("%s: %s; not restarted", program, strerror(errno));
		restart_wanted = false;
		slow_resume();
		if (restart_wanted || stop_wanted) /* since then */
			slow_quit();
	}
	return err;
}

/* Everything between the EAL's start and its end. */
static int run(const struct options *o, const char *program, struct err_msg *msg)
{
	int err;

	rcu_register_thread();
	group_init();
	err = fib_init();
	if (err)
		return err_set(msg, err, "no memory for the forwarding table");
	err = workers_create(o->eal.workers, mbufs_for(o->eal.mem_mib), msg);
	if (err)
		goto out;
	err = workers_launch();
	if (err) {
		err_set(msg, err, "a worker does not start");
		goto out;
	}
	take_inheritance();
	err = slow_start(&o->slow, msg);
	if (err)
		goto out;
	tunnel_handover_close();
	set_signals();
	log_info("running: %u worker(s), %u MiB%s", o->eal.workers, o->eal.mem_mib,
	    eal_hugepages() ? " in huge pages" : "");
	err = run_loop(program);
	if (!err && restart_wanted && !stop_wanted)
		tunnel_handover_begin();
	slow_stop();
out:
	workers_stop();
	rcu_settle();
	workers_destroy();
	fib_fini();
	rcu_unregister_thread();
	return err;
}

int main(int argc, char **argv)
{
	struct options o = {
	    .eal = {.workers = 1, .mem_mib = EAL_DEFAULT_MEM_MIB},
	    .slow = {.run_dir = "/run/byway", .state_dir = "/var/lib/byway", .host = true, .threaded = true},
	    .level = LOG_LEVEL_INFO,
	};
	struct err_msg msg = {""};
	char prefix[32], program[PATH_MAX];
	cpu_set_t cpus;
	int err;

	if (parse_options(argc, argv, &o) != 0)
		return 2;
	log_init("byway-dataplane", o.level);
	note_program(program, sizeof(program), &cpus);
	snprintf(prefix, sizeof(prefix), "byway-%d", (int)getpid());
	o.eal.prefix = prefix;
	err = eal_start(&o.eal, &msg);
	if (!err) {
		err = run(&o, program, &msg);
		eal_stop();
	}
	if (!err && restart_wanted && !stop_wanted) {
		execute_successor(program, argv, &cpus);
		return stop_wanted ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (err)
		log_err("%s", msg.text[0] ? msg.text : err_text(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
