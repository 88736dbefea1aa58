/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that change something: reload, override of a line. Control's only thread. */
#include <stdlib.h>
#include <string.h>

#include "control/ctl_commands.h"
#include "control/ctl_rows.h"
#include "control/daemon.h"
#include "lib/log.h"

/*
 * A reload that waits for the dataplane's judgement. It belongs to the check in flight, not to the request:
 * the client may go away meanwhile.
 */
struct reload {
	struct ctl_request *request; /* NULL: nobody waits any more */
	struct daemon *daemon;
	struct config *config;
	struct config_objects objects;
};

static void reload_free(struct reload *r)
{
	config_free(r->config);
	free(r->objects.v);
	free(r);
}

static void on_cancel(struct ctl_request *q)
{
	struct reload *r = q->state;

	r->request = NULL;
	q->state = NULL; /* the check in flight owns it */
}

static void apply(struct reload *r)
{
	daemon_apply(r->daemon, r->config);
	r->config = NULL;
	log_info("configuration %s is in force", r->daemon->options.config_path);
}

static void on_checked(void *arg, int code, const char *text)
{
	struct reload *r = arg;
	struct ctl_request *q = r->request;

	if (q != NULL) {
		q->cancel = NULL;
		q->state = NULL;
	}
	if (code != 0)
		log_warn("reload: nothing was changed: dataplane: %s", text);
	else
		apply(r);
	if (q != NULL && code != 0)
		ctl_fail(q, "refused", r->daemon->options.config_path,
		    "the dataplane refuses it, nothing was changed: %s", text);
	else if (q != NULL)
		ctl_done(q);
	reload_free(r);
}

static void start_check(struct ctl_request *q, struct config *c)
{
	struct reload *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		abort();
	r->request = q;
	r->daemon = q->daemon;
	r->config = c;
	config_objects_build(c, q->daemon->overrides, q->daemon->n_overrides, &r->objects);
	q->state = r;
	q->cancel = on_cancel;
	rc = fibfeed_check(q->daemon->feed, &r->objects, on_checked, r);
	if (rc == 0)
		return;
	/* Nobody can judge it beforehand; what the dataplane refuses later is in the log and in show version.
	 */
	q->state = NULL;
	q->cancel = NULL;
	apply(r);
	reload_free(r);
	ctl_row(
	    q, json_pack("{s:s, s:s}", "severity", "warning", "text",
		   rc == ERR_CLOSED ? "the dataplane is not there; it judges the configuration when it comes"
				    : "too large for the dataplane to judge it as a whole beforehand"));
	ctl_done(q);
}

void ctl_reload(struct ctl_request *q)
{
	const char *path = q->daemon->options.config_path;
	struct diag *d = calloc(1, sizeof(*d));
	struct config *c = NULL;
	int rc;

	if (d == NULL)
		abort();
	diag_init(d, path);
	rc = config_load(path, d, &c);
	for (size_t i = 0; i < d->n; i++)
		ctl_row(q, ctl_rows_finding(d, &d->findings[i]));
	if (rc != 0) {
		log_warn("reload: nothing was changed: %s has %zu errors", path, d->n_errors);
		ctl_fail(q, "invalid-configuration", path, "nothing was changed: %zu error%s in %s",
		    d->n_errors, d->n_errors == 1 ? "" : "s", path);
	} else {
		start_check(q, c);
	}
	free(d);
}

void ctl_wan_override(struct ctl_request *q)
{
	static const char *const words[] = {"auto", "up", "down"};
	const char *line = ctl_arg(q, "line"), *to = ctl_arg(q, "to");
	struct err_msg msg;
	int rc;

	for (uint8_t i = 0; line != NULL && to != NULL && i < 3; i++) {
		if (strcmp(to, words[i]) != 0)
			continue;
		rc = daemon_override(q->daemon, line, i, &msg);
		if (rc != 0)
			ctl_fail(q, ctl_code(rc), NULL, "%s", msg.text);
		else
			ctl_done(q);
		return;
	}
	ctl_fail(q, "usage", NULL, "expected the arguments line, and to: up, down or auto");
}
