/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * byway: the command-line client of the control socket. A table of commands; each asks, and shows rows as a
 * table for people or, with -j, as the JSON lines that came.
 * Exit: 0 good, 1 the daemon says no, 2 usage, 3 no daemon.
 */
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/byway_ask.h"
#include "control/byway_import.h"
#include "control/byway_show.h"

#define MAX_WORDS 8

struct options {
	const char *socket_path;
	int json, help, verbose;
};

struct command {
	const char *words[3]; /* "show", "wan", "events" */
	const char *request;  /* of the daemon; NULL: run is everything */
	const char *args[3];  /* names of arguments; "?x" may be left out */
	const char *summary, *help;
	void (*row)(struct byway_view *v, json_t *row);
	int (*run)(const struct options *o, char **words, int n);
};

static int run_check(const struct options *o, char **words, int n);
static int run_import(const struct options *o, char **words, int n);

/* A longer one goes before a shorter one that begins alike. */
static const struct command commands[] = {
    {{"show", "ports"}, "show ports", {0}, "ports, their links, addresses and counters",
	"`lost` counts packets that the device missed or could not send.\n", byway_show_ports, NULL},
    {{"show", "tunnels"}, "show tunnels", {0}, "tunnels and their peers",
	"`probe` is the verdict on the way through the tunnel; `line` the WAN that carries it now. What wg "
	"set\n"
	"changed of the configuration lasts until the next reload; peers that it made stay. With -v\n"
	"`carries` is the largest packet inside that reaches the peer whole, `path mtu` what routers on the "
	"way\n"
	"have told of outer packets.\n",
	byway_show_tunnels, NULL},
    {{"show", "bgp"}, "show bgp", {"?peer"}, "BGP sessions; with PEER all about one",
	"ipv4 and ipv6 say: routes accepted of those received, and routes announced.\n", byway_show_bgp,
	NULL},
    {{"show", "routes"}, "show routes", {"?prefix"}, "routes, also those that do not forward, and why",
	"With PREFIX only those inside it. `*` marks the route that forwards, `+` a path that takes over at "
	"once.\n",
	byway_show_routes, NULL},
    {{"show", "wan", "events"}, "show wan events", {0},
	"the last verdicts on lines and tunnels, with their evidence", "", byway_show_events, NULL},
    {{"show", "wan"}, "show wan", {0}, "lines: state, round trip, loss, and why", "", byway_show_wan, NULL},
    {{"show", "drops"}, "show drops", {0}, "packets lost, by reason",
	"Reasons that never occurred are left out (not with -j).\n", byway_show_drops, NULL},
    {{"show", "version"}, "show version", {0}, "versions, uptime, and whether all is in sync", "",
	byway_show_version, NULL},
    {{"check"}, NULL, {"file"}, "judge a configuration file; needs no daemon and changes nothing", "", NULL,
	run_check},
    {{"import"}, NULL, {"file", "?directory"},
	"make a tunnel of a wg-quick file: prints its YAML; needs no daemon",
	"FILE is wg0.conf for a tunnel wg0. With DIRECTORY its keys are written there, mode 0600, else "
	"/etc/byway is "
	"named\n"
	"as their place and nothing is written. What Byway has no place for is said on standard error.\n",
	NULL, run_import},
    {{"reload"}, "reload", {0}, "put the changed configuration in force, or nothing when it has errors", "",
	byway_show_findings, NULL},
    {{"wan", "override"}, "wan override", {"line", "to"}, "hold a line up or down; auto: let probes decide",
	"TO is up, down or auto. It outlives a restart of the daemons, not of the machine.\n", NULL, NULL},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *usage_of(const struct command *c, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < 3 && c->words[i] != NULL; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i > 0 ? " " : "", c->words[i]);
	for (size_t i = 0; i < 3 && c->args[i] != NULL; i++) {
		const char *name = c->args[i] + (c->args[i][0] == '?');
		char upper[32];
		size_t n = 0;

		for (; name[n] != '\0' && n < sizeof(upper) - 1; n++)
			upper[n] = (char)(name[n] >= 'a' && name[n] <= 'z' ? name[n] - 'a' + 'A' : name[n]);
		upper[n] = '\0';
		used +=
		    (size_t)snprintf(buf + used, size - used, c->args[i][0] == '?' ? " [%s]" : " %s", upper);
	}
	return buf;
}

/* Lists the commands that begin with these words; returns how many. */
static unsigned list_commands(FILE *out, char **words, int n)
{
	char usage[100];
	unsigned listed = 0;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		int same = 0;

		while (same < n && same < 3 && commands[i].words[same] != NULL &&
		       strcmp(commands[i].words[same], words[same]) == 0)
			same++;
		if (same < n)
			continue;
		fprintf(
		    out, "  %-26s %s\n", usage_of(&commands[i], usage, sizeof(usage)), commands[i].summary);
		listed++;
	}
	return listed;
}

static void print_help(FILE *out)
{
	fputs("Usage: byway [-j] [-v] [--socket PATH] COMMAND\n\nAsks and steers the Byway router.\n\n", out);
	list_commands(out, NULL, 0);
	fputs("\n  -j, --json       the answer as JSON, one object a line\n"
	      "  -v, --verbose    more columns, where there are more\n"
	      "  --socket PATH    of the daemon (default /run/byway/control.sock)\n"
	      "  --version        print the version and exit\n"
	      "  -h, --help       also after a command: more about it\n"
	      "\nExit status: 0 good, 1 the daemon or the check says no, 2 usage, 3 no daemon.\n",
	    out);
}

static int print_command_help(const struct command *c)
{
	char usage[100];

	printf("Usage: byway [-j] %s\n\n%c%s.\n%s", usage_of(c, usage, sizeof(usage)),
	    c->summary[0] >= 'a' && c->summary[0] <= 'z' ? c->summary[0] - 'a' + 'A' : c->summary[0],
	    c->summary + 1, c->help);
	return BYWAY_EXIT_OK;
}

/* The directory of this program first: a build tree's client belongs to its daemon. */
static int run_check(const struct options *o, char **words, int n)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 64];
	char *args[] = {"byway-control", "--check", words[0], o->json ? "--json" : NULL, NULL};
	const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > 0) {
		snprintf(path, sizeof(path), "%s/byway-control", dirname(self));
		execv(path, args);
		snprintf(path, sizeof(path), "%s/../sbin/byway-control", self);
		execv(path, args);
	}
	execvp(args[0], args);
	fprintf(stderr,
	    "byway: byway-control, which judges configurations, is not installed beside byway nor in PATH\n");
	return BYWAY_EXIT_UNREACHABLE;
}

static int run_import(const struct options *o, char **words, int n)
{
	return byway_import(words[0], n > 1 ? words[1] : NULL);
}

/* How many of the words are the command's; 0: it is another one. */
static int match(const struct command *c, char **words, int n)
{
	int i = 0;

	while (i < 3 && c->words[i] != NULL) {
		if (i >= n || strcmp(c->words[i], words[i]) != 0)
			return 0;
		i++;
	}
	return i;
}

static int usage_error(const struct command *c)
{
	char usage[100];

	fprintf(stderr, "byway: expected: byway %s\n", usage_of(c, usage, sizeof(usage)));
	return BYWAY_EXIT_USAGE;
}

static void take_row(void *arg, json_t *row)
{
	struct byway_view *v = ((void **)arg)[0];
	const struct command *c = ((void **)arg)[1];

	if (c->row != NULL)
		c->row(v, row);
}

static int run_request(const struct options *o, const struct command *c, char **words, int n)
{
	static struct byway_view view;
	void *context[] = {&view, (void *)c};
	json_t *args = json_object();
	struct byway_ask ask = {o->socket_path, c->request, args, o->json != 0, take_row, context};
	int status;

	for (int i = 0; i < n; i++) {
		if (json_object_set_new(args, c->args[i] + (c->args[i][0] == '?'), json_string(words[i])) !=
		    0) {
			fprintf(stderr, "byway: %s is not text\n", words[i]);
			json_decref(args);
			return BYWAY_EXIT_USAGE;
		}
	}
	view.detailed = n > 0;
	view.verbose = o->verbose;
	status = byway_ask_run(&ask);
	if (!o->json)
		byway_show_end(&view);
	json_decref(args);
	if (fflush(stdout) != 0)
		return BYWAY_EXIT_ERROR;
	return status;
}

static int run_command(const struct options *o, const struct command *c, char **words, int n)
{
	int required = 0, allowed = 0;

	if (o->help)
		return print_command_help(c);
	for (; allowed < 3 && c->args[allowed] != NULL; allowed++)
		required += c->args[allowed][0] != '?';
	if (n < required || n > allowed)
		return usage_error(c);
	return c->run != NULL ? c->run(o, words, n) : run_request(o, c, words, n);
}

static int dispatch(const struct options *o, char **words, int n)
{
	if (n == 0) {
		print_help(o->help ? stdout : stderr);
		return o->help ? BYWAY_EXIT_OK : BYWAY_EXIT_USAGE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const int used = match(&commands[i], words, n);

		if (used > 0)
			return run_command(o, &commands[i], words + used, n - used);
	}
	if (list_commands(o->help ? stdout : stderr, words, n) > 0) /* half a command: these begin so */
		return o->help ? BYWAY_EXIT_OK : BYWAY_EXIT_USAGE;
	fprintf(stderr, "byway: there is no command %s%s%s; byway --help lists them\n", words[0],
	    n > 1 ? " " : "", n > 1 ? words[1] : "");
	return BYWAY_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options o = {.socket_path = "/run/byway/control.sock"};
	char *words[MAX_WORDS];
	int n = 0;

	setlocale(LC_CTYPE, "C.UTF-8");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0) {
			o.json = 1;
		} else if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0) {
			o.verbose = 1;
		} else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			o.help = 1;
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("byway " BYWAY_VERSION);
			return BYWAY_EXIT_OK;
		} else if (strcmp(argv[i], "--socket") == 0) {
			if (++i == argc) {
				fputs("byway: --socket expects a path behind it\n", stderr);
				return BYWAY_EXIT_USAGE;
			}
			o.socket_path = argv[i];
		} else if (argv[i][0] == '-' || n == MAX_WORDS) {
			fprintf(stderr, "byway: %s is not expected here; try byway --help\n", argv[i]);
			return BYWAY_EXIT_USAGE;
		} else {
			words[n++] = argv[i];
		}
	}
	return dispatch(&o, words, n);
}
