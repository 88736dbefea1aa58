/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * byway-control: options, the first configuration, privileges, signals, the event loop. Also judges a file
 * (--check) and prints the reference of the configuration (--schema), without touching a running daemon.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/ctl_rows.h"
#include "control/daemon.h"
#include "control/privileges.h"
#include "control/schema.h"
#include "lib/log.h"

static const char usage[] =
    "Usage: byway-control [OPTION]...\n"
    "The control daemon of the Byway router: configuration, BGP, routes, control socket.\n"
    "\n"
    "  --config FILE     configuration (default /etc/byway/byway.yaml)\n"
    "  --run-dir DIR     where fib.sock of the dataplane is and control.sock will be (default /run/byway)\n"
    "  --user NAME       run as this user after the start (default byway if there is one; \"\": stay)\n"
    "  --bgp-port PORT   TCP port of BGP (default 179)\n"
    "  --verbose         more to the log\n"
    "  --check FILE      judge a configuration and exit: 0 good, 1 not\n"
    "  --json            with --check: findings as JSON, one object a line\n"
    "  --schema          print the reference of the configuration as Markdown and exit\n"
    "  --version         print the version and exit\n"
    "  --help            print this and exit\n";

enum {
	OPT_CONFIG = 256,
	OPT_RUN_DIR,
	OPT_USER,
	OPT_BGP_PORT,
	OPT_VERBOSE,
	OPT_CHECK,
	OPT_JSON,
	OPT_SCHEMA,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"user", required_argument, NULL, OPT_USER},
    {"bgp-port", required_argument, NULL, OPT_BGP_PORT},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"check", required_argument, NULL, OPT_CHECK},
    {"json", no_argument, NULL, OPT_JSON},
    {"schema", no_argument, NULL, OPT_SCHEMA},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

struct arguments {
	struct daemon_options options;
	const char *user;  /* NULL: byway if there is one */
	const char *check; /* a file to judge; NULL: run */
	bool json;
	enum log_level level;
};

static void print_summary(const struct diag *d, const struct config *c)
{
	diag_print(d, c != NULL ? stdout : stderr);
	if (c != NULL)
		printf("%s: good: %zu ports, %zu tunnels, %zu static routes, %zu BGP peers\n", d->file,
		    c->ports.n, c->tunnels.n, c->routes.n, c->bgp != NULL ? c->bgp->peers.n : 0);
}

static int check_file(const struct arguments *a)
{
	static struct diag d;
	struct config *c = NULL;
	int rc;

	diag_init(&d, a->check);
	rc = config_load(a->check, &d, &c);
	if (a->json)
		ctl_rows_print_diag(&d, rc == 0, stdout);
	else
		print_summary(&d, c);
	config_free(c);
	return rc == 0 ? 0 : 1;
}

static int bad_usage(const char *what)
{
	fprintf(stderr, "byway-control: %s\nTry byway-control --help.\n", what);
	return 2;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:
			a->options.config_path = optarg;
			break;
		case OPT_RUN_DIR:
			a->options.run_dir = optarg;
			break;
		case OPT_USER:
			a->user = optarg;
			break;
		case OPT_BGP_PORT: {
			const unsigned long port = strtoul(optarg, &end, 10);

			if (*end != '\0' || port == 0 || port > 65535)
				return bad_usage("--bgp-port: expected a number from 1 to 65535");
			a->options.bgp_port = (uint16_t)port;
			break;
		}
		case OPT_VERBOSE:
			a->level = LOG_LEVEL_DEBUG;
			break;
		case OPT_CHECK:
			a->check = optarg;
			break;
		case OPT_JSON:
			a->json = true;
			break;
		case OPT_SCHEMA:
			schema_print(stdout);
			return 0;
		case OPT_VERSION:
			puts("byway-control " BYWAY_VERSION);
			return 0;
		case OPT_HELP:
			fputs(usage, stdout);
			return 0;
		default:
			return bad_usage("see above");
		}
	}
	if (optind < argc)
		return bad_usage("it takes options only");
	return a->check != NULL ? check_file(a) : -1;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	log_info("ends (signal %d); forwarding goes on", (int)number);
	event_base_loopbreak(arg);
}

static int run(const struct arguments *a, struct config *config)
{
	struct daemon d = {.base = event_base_new()};
	struct event *signals[2];
	struct err_msg msg;
	int rc = 1;

	if (d.base == NULL)
		abort();
	signal(SIGPIPE, SIG_IGN);
	signals[0] = evsignal_new(d.base, SIGTERM, on_signal, d.base);
	signals[1] = evsignal_new(d.base, SIGINT, on_signal, d.base);
	event_add(signals[0], NULL);
	event_add(signals[1], NULL);
	if (daemon_start(&d, &a->options, config, &msg) != 0) {
		log_err("%s", msg.text);
	} else if (privileges_drop(a->user, a->options.run_dir, &msg) != 0) {
		log_err("%s", msg.text);
	} else {
		log_info("byway-control %s runs, %s is in force", BYWAY_VERSION, a->options.config_path);
		event_base_dispatch(d.base);
		rc = 0;
	}
	daemon_stop(&d);
	event_free(signals[0]);
	event_free(signals[1]);
	event_base_free(d.base);
	libevent_global_shutdown();
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments a = {
	    .options = {.config_path = "/etc/byway/byway.yaml",
		.run_dir = "/run/byway",
		.bgp_port = BGP_GLUE_PORT},
	    .level = LOG_LEVEL_INFO,
	};
	static struct diag diag;
	struct config *config = NULL;
	int status = parse_arguments(argc, argv, &a);

	if (status >= 0)
		return status;
	log_init("byway-control", a.level);
	diag_init(&diag, a.options.config_path);
	status = config_load(a.options.config_path, &diag, &config);
	diag_print(&diag, stderr);
	if (status != 0) {
		log_err(
		    "%s is not usable; byway-control --check FILE judges it again", a.options.config_path);
		return 1;
	}
	if (mkdir(a.options.run_dir, 0755) < 0 && errno != EEXIST) {
		log_err("%s cannot be made: %s", a.options.run_dir, strerror(errno));
		config_free(config);
		return 1;
	}
	return run(&a, config);
}
