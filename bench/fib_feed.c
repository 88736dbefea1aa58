/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The feed at scale: control's real RIB and FIB feed speak to a real byway-dataplane over its socket. The
 * dataplane runs in a network namespace of its own with one memory port, so that nothing of the host is
 * touched.
 *
 *   fib_feed --dataplane PROGRAM --routes FILE [--routes FILE] [--trickle] [--churn MILLIS [--rate N]]
 *            [--resync] [--restart] [--sweep] [--restore] [--probe] [--verify]
 *
 * Loads the table, then does what is asked in this order, and prints one "word value" a line:
 *   load-ms        from a RIB that holds all routes to the last ack; --trickle: from the first rib_set on,
 * the routes given in turns of 1,024 as BGP gives them churn-per-s    changes (half next hops, half
 * withdrawals and returns) told and acked a second churn-p99-us   with --rate: from a turn of changes to its
 * last ack resync-ms      the connection breaks; from HELLO_REPLY to the end of the sweep with all routes
 * unchanged restart-ms     control is another process: the same with new ids, so that each route changes
 *   sweep-ms       the same as resync with every second route gone
 *   restore-ms     the dataplane ends and starts again: until it answers, with all routes of its state on
 * disk in force away-us        --probe: the longest that the dataplane's slow thread left a newcomer's HELLO
 * unanswered control-kib, dataplane-kib   resident memory that the table added
 */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "bench/routes.h"
#include "control/fibfeed.h"
#include "lib/log.h"
#include "lib/nsec.h"

#define TURN	  1024 /* what bgp_glue pulls in one turn */
#define TICK_MS	  10
#define PATIENCE  (120 * NSEC_PER_SEC)
#define LATENCIES 1000000

struct bench {
	const char *dataplane;
	bool trickle, resync, restart, sweep, restore, probe, verify;
	unsigned churn_ms, rate;
	struct bench_routes routes;
	uint8_t *state; /* of each route: 0 not there, else 1 + its gateway */
	size_t present;
	char run_dir[64], socket_path[96];
	pid_t pid;
	struct rib *rib;
	struct event_base *base;
	struct fibfeed *feed;
	uint64_t connected_ns;
	bool answered;
	size_t rows;
};

/* What another thread does to see how long the slow thread is away. */
static struct {
	pthread_t thread;
	const char *path;
	_Atomic bool on;
	_Atomic uint64_t longest_ns, asked;
} prober;

static void die(const char *what)
{
	fprintf(stderr, "fib_feed: %s\n", what);
	exit(1);
}

static uint64_t next_random(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	return s ^= s << 17;
}

/* Resident KiB of a process. */
static long resident_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* --- the dataplane --- */

static void remove_dirs(const struct bench *b)
{
	static const char *const files[] = {
	    "/fib.sock", "/fib.state", "/fib.state.new", "/peers", "/peers.new"};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", b->run_dir, files[i]);
		unlink(path);
	}
	if (rmdir(b->run_dir) < 0)
		perror(b->run_dir);
}

static void start_dataplane(struct bench *b)
{
	b->pid = fork();
	if (b->pid < 0)
		die("no process for the dataplane");
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(126);
		execl(b->dataplane, b->dataplane, "--run-dir", b->run_dir, "--state-dir", b->run_dir,
		    "--log-level", "error", (char *)NULL);
		_exit(127);
	}
}

static void stop_dataplane(struct bench *b)
{
	int status;

	kill(b->pid, SIGTERM);
	if (waitpid(b->pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("the dataplane did not end well");
}

/* --- how long the slow thread is away --- */

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void say_hello(int fd, uint32_t version)
{
	struct fibmsg m = {.type = FIBMSG_HELLO};
	struct buf_writer w;
	uint8_t bytes[256];

	m.u.hello.version = version;
	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, 1, 0);
	fibmsg_append(&w, &m, NULL);
	(void)!send(fd, bytes, buf_writer_len(&w), MSG_NOSIGNAL);
	(void)!recv(fd, bytes, sizeof(bytes), 0);
}

/* A HELLO of another version is answered and refused: nobody's place is taken. */
static void *probe_main(void *arg)
{
	while (atomic_load(&prober.on)) {
		const uint64_t from = nsec_monotonic();
		const int fd = open_socket(prober.path);
		uint64_t took;

		if (fd >= 0) {
			say_hello(fd, 0);
			close(fd);
			took = nsec_monotonic() - from;
			if (took > atomic_load(&prober.longest_ns))
				atomic_store(&prober.longest_ns, took);
			atomic_fetch_add(&prober.asked, 1);
		}
		usleep(500);
	}
	return NULL;
}

static void probe_start(struct bench *b)
{
	if (!b->probe)
		return;
	prober.path = b->socket_path;
	atomic_store(&prober.longest_ns, 0);
	atomic_store(&prober.asked, 0);
	atomic_store(&prober.on, true);
	if (pthread_create(&prober.thread, NULL, probe_main, NULL) != 0)
		die("no thread");
}

static void probe_stop(struct bench *b, const char *phase)
{
	if (!b->probe)
		return;
	atomic_store(&prober.on, false);
	pthread_join(prober.thread, NULL);
	printf("%s-away-us %.0f\n", phase, (double)atomic_load(&prober.longest_ns) / 1e3);
}

/* --- the feed --- */

static void on_connected(void *arg, bool kept)
{
	((struct bench *)arg)->connected_ns = nsec_monotonic();
}

static void on_disconnected(void *arg)
{
	((struct bench *)arg)->connected_ns = 0;
}

static bool may_sweep(void *arg)
{
	return true;
}

static void on_event(void *arg, const struct fibmsg *m)
{
}

static const struct fibfeed_env feed_env = {on_connected, on_disconnected, may_sweep, on_event, NULL};

static void set_port(struct bench *b)
{
	struct config_objects o = {.v = calloc(1, sizeof(struct fibmsg)), .n = 1, .size = 1};

	if (!o.v)
		die("no memory");
	o.v->type = FIBMSG_SET_PORT;
	snprintf(o.v->u.port.name, FIBMSG_NAME, "lan");
	snprintf(o.v->u.port.device, sizeof(o.v->u.port.device), "net_null0,no-rx=1");
	o.v->u.port.role = FIBMSG_ROLE_LAN;
	o.v->u.port.queues = 1;
	fibfeed_set_objects(b->feed, &o);
}

static void new_feed(struct bench *b)
{
	struct fibfeed_env env = feed_env;

	env.arg = b;
	b->connected_ns = 0;
	b->feed = fibfeed_new(b->base, b->socket_path, b->rib, &env);
	set_port(b);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

/* Until everything is acked. */
static void run_until_settled(struct bench *b)
{
	const uint64_t end = nsec_monotonic() + PATIENCE;

	while (!fibfeed_is_settled(b->feed)) {
		event_base_loop(b->base, EVLOOP_ONCE);
		if (nsec_monotonic() > end)
			die(fibfeed_state_text(b->feed));
	}
}

static void on_row(void *arg, const struct fibmsg *m)
{
	((struct bench *)arg)->rows += m->type == FIBMSG_ROW_ROUTE && m->u.row_route.origin == 1;
}

static void on_done(void *arg, int code, const char *text)
{
	if (code != 0)
		die(text);
	((struct bench *)arg)->answered = true;
}

/* An answer comes after the sweep, since the dataplane does not read its control meanwhile. */
static void ask(struct bench *b, uint8_t kind)
{
	const struct fibmsg_query_msg query = {.kind = kind};
	uint32_t id;

	b->answered = false;
	b->rows = 0;
	if (fibfeed_query(b->feed, &query, on_row, on_done, b, &id) != 0)
		die("the dataplane went away");
	while (!b->answered)
		event_base_loop(b->base, EVLOOP_ONCE);
}

static void verify(struct bench *b, const char *phase)
{
	if (!b->verify)
		return;
	ask(b, FIBMSG_QUERY_ROUTES);
	if (b->rows != b->present) {
		fprintf(stderr, "fib_feed: %s: the dataplane holds %zu routes, expected %zu\n", phase,
		    b->rows, b->present);
		exit(1);
	}
}

/* --- the phases --- */

static void set_route(struct bench *b, size_t i, unsigned gateway)
{
	const struct ip_prefix *p = &b->routes.v[i];
	struct rib_gateway g = {.kind = FIBMSG_NH_VIA, .iface = "lan"};

	g.addr.family = p->addr.family;
	if (p->addr.family == IP_V4)
		memcpy(g.addr.b, (const uint8_t[]){10, 0, 0, (uint8_t)(1 + gateway)}, 4);
	else
		memcpy(g.addr.b, (const uint8_t[]){0xfd, [15] = (uint8_t)(1 + gateway)}, 16);
	rib_set(b->rib, FIBMSG_OVERLAY, p, RIB_EBGP, 0, RIB_DISTANCE_EBGP, &g, 1);
	b->present += b->state[i] == 0;
	b->state[i] = (uint8_t)(1 + gateway);
}

static void remove_route(struct bench *b, size_t i)
{
	rib_remove(b->rib, FIBMSG_OVERLAY, &b->routes.v[i], RIB_EBGP, 0);
	b->present -= b->state[i] != 0;
	b->state[i] = 0;
}

static double ms_since(uint64_t from)
{
	return (double)(nsec_monotonic() - from) / 1e6;
}

static void do_load(struct bench *b)
{
	const long before = resident_kib(getpid()), before_dataplane = resident_kib(b->pid);
	uint64_t from = nsec_monotonic();

	probe_start(b);
	for (size_t i = 0; i < b->routes.n; i++) {
		set_route(b, i, i % 2);
		if (b->trickle && i % TURN == TURN - 1) {
			fibfeed_kick(b->feed);
			event_base_loop(b->base, EVLOOP_NONBLOCK);
		}
	}
	if (!b->trickle) {
		printf("rib-ms %.1f\n", ms_since(from));
		from = nsec_monotonic();
	}
	fibfeed_kick(b->feed);
	run_until_settled(b);
	printf("load-ms %.1f\n", ms_since(from));
	printf("routes %zu\n", b->routes.n);
	probe_stop(b, "load");
	printf("control-kib %ld\n", resident_kib(getpid()) - before);
	printf("dataplane-kib %ld\n", resident_kib(b->pid) - before_dataplane);
	verify(b, "load");
}

static void churn_one(struct bench *b)
{
	const uint64_t x = next_random();
	const size_t i = x % b->routes.n;

	if (b->state[i] == 0)
		set_route(b, i, x >> 40 & 1);
	else if (x >> 41 & 1)
		remove_route(b, i);
	else
		set_route(b, i, 2u - b->state[i]);
}

static int compare_u32(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sleep_until(uint64_t at)
{
	const uint64_t now = nsec_monotonic();

	if (at > now)
		usleep((useconds_t)((at - now) / 1000));
}

/* Turns of changes, at a rate or one after the other. */
static void do_churn(struct bench *b)
{
	static uint32_t latency[LATENCIES];
	const unsigned turn = b->rate ? b->rate * TICK_MS / 1000 : TURN;
	const long before = resident_kib(getpid()), before_dataplane = resident_kib(b->pid);
	const uint64_t from = nsec_monotonic(), end = from + b->churn_ms * NSEC_PER_MSEC;
	uint64_t next = from;
	size_t changes = 0, n = 0;

	probe_start(b);
	while (nsec_monotonic() < end) {
		const uint64_t at = nsec_monotonic();

		for (unsigned i = 0; i < turn; i++)
			churn_one(b);
		changes += turn;
		fibfeed_kick(b->feed);
		if (!b->rate) {
			event_base_loop(b->base, EVLOOP_NONBLOCK);
			continue;
		}
		run_until_settled(b);
		if (n < LATENCIES)
			latency[n++] = (uint32_t)((nsec_monotonic() - at) / 1000);
		sleep_until(next += TICK_MS * NSEC_PER_MSEC);
	}
	run_until_settled(b);
	printf("churn-per-s %.0f\n", (double)changes / ms_since(from) * 1e3);
	if (n) {
		qsort(latency, n, sizeof(latency[0]), compare_u32);
		printf("churn-p50-us %u\nchurn-p99-us %u\nchurn-max-us %u\n", latency[n / 2],
		    latency[n * 99 / 100], latency[n - 1]);
	}
	probe_stop(b, "churn");
	printf("churn-control-kib %ld\n", resident_kib(getpid()) - before);
	printf("churn-dataplane-kib %ld\n", resident_kib(b->pid) - before_dataplane);
	verify(b, "churn");
}

/* Another control says HELLO and goes: the feed's connection breaks and it comes back. */
static void break_connection(struct bench *b)
{
	const int fd = open_socket(b->socket_path);

	if (fd < 0)
		die("the dataplane does not answer");
	say_hello(fd, FIBMSG_VERSION);
	while (b->connected_ns)
		event_base_loop(b->base, EVLOOP_ONCE);
	close(fd);
}

/* From HELLO_REPLY to the end of the sweep. */
static void time_sync(struct bench *b, const char *word)
{
	probe_start(b);
	while (!b->connected_ns)
		event_base_loop(b->base, EVLOOP_ONCE);
	run_until_settled(b);
	ask(b, FIBMSG_QUERY_VERSION);
	printf("%s-ms %.1f\n", word, ms_since(b->connected_ns));
	probe_stop(b, word);
	verify(b, word);
}

static void do_syncs(struct bench *b)
{
	if (b->resync) {
		break_connection(b);
		time_sync(b, "resync");
	}
	if (b->restart) {
		fibfeed_free(b->feed);
		new_feed(b);
		time_sync(b, "restart");
	}
	if (b->sweep) {
		break_connection(b);
		for (size_t i = 0; i < b->routes.n; i += 2)
			remove_route(b, i);
		time_sync(b, "sweep");
	}
}

static void do_restore(struct bench *b)
{
	uint64_t from;
	int fd;

	stop_dataplane(b);
	while (b->connected_ns)
		event_base_loop(b->base, EVLOOP_ONCE);
	from = nsec_monotonic();
	start_dataplane(b);
	while ((fd = open_socket(b->socket_path)) < 0) {
		usleep(1000);
		if (nsec_monotonic() - from > PATIENCE)
			die("the dataplane does not come back");
	}
	say_hello(fd, 0);
	close(fd);
	printf("restore-ms %.1f\n", ms_since(from));
	while (!b->connected_ns)
		event_base_loop(b->base, EVLOOP_ONCE);
	run_until_settled(b);
	verify(b, "restore");
}

static void run(struct bench *b)
{
	const struct rib_env env = {0};
	const struct timeval tick = {.tv_usec = 20000};
	struct event *ticker;

	b->base = event_base_new();
	b->rib = rib_new(&env);
	ticker = event_new(b->base, -1, EV_PERSIST, on_tick, NULL); /* so that EVLOOP_ONCE always returns */
	event_add(ticker, &tick);
	snprintf(b->run_dir, sizeof(b->run_dir), "/tmp/byway-bench-XXXXXX");
	if (!mkdtemp(b->run_dir))
		die("no temporary directory");
	snprintf(b->socket_path, sizeof(b->socket_path), "%s/fib.sock", b->run_dir);
	start_dataplane(b);
	new_feed(b);
	while (!b->connected_ns)
		event_base_loop(b->base, EVLOOP_ONCE);
	run_until_settled(b);
	do_load(b);
	if (b->churn_ms)
		do_churn(b);
	do_syncs(b);
	if (b->restore)
		do_restore(b);
	fibfeed_free(b->feed);
	stop_dataplane(b);
	remove_dirs(b);
}

enum { OPT_DATAPLANE = 256, OPT_ROUTES, OPT_CHURN, OPT_RATE };

static int parse(struct bench *b, int argc, char **argv)
{
	static int trickle, resync, restart, sweep, restore, probe, check;
	static const struct option options[] = {{"dataplane", required_argument, NULL, OPT_DATAPLANE},
	    {"routes", required_argument, NULL, OPT_ROUTES}, {"churn", required_argument, NULL, OPT_CHURN},
	    {"rate", required_argument, NULL, OPT_RATE}, {"trickle", no_argument, &trickle, 1},
	    {"resync", no_argument, &resync, 1}, {"restart", no_argument, &restart, 1},
	    {"sweep", no_argument, &sweep, 1}, {"restore", no_argument, &restore, 1},
	    {"probe", no_argument, &probe, 1}, {"verify", no_argument, &check, 1}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == OPT_DATAPLANE)
			b->dataplane = optarg;
		else if (opt == OPT_ROUTES && bench_routes_read(&b->routes, optarg, 0) != 0)
			die("the file of routes cannot be read");
		else if (opt == OPT_CHURN)
			b->churn_ms = (unsigned)atoi(optarg);
		else if (opt == OPT_RATE)
			b->rate = (unsigned)atoi(optarg);
		else if (opt == '?')
			return -1;
	}
	bench_routes_sort(&b->routes);
	b->trickle = trickle;
	b->resync = resync;
	b->restart = restart;
	b->sweep = sweep;
	b->restore = restore;
	b->probe = probe;
	b->verify = check;
	return b->dataplane && b->routes.n ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (parse(&b, argc, argv) != 0) {
		fprintf(stderr, "fib_feed: --dataplane PROGRAM --routes FILE are needed\n");
		return 2;
	}
	b.state = calloc(b.routes.n, 1);
	if (!b.state)
		die("no memory");
	log_init("fib_feed", LOG_LEVEL_ERR);
	signal(SIGPIPE, SIG_IGN);
	run(&b);
	return 0;
}
