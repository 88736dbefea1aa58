/* SPDX-License-Identifier: BSD-3-Clause */
/* byway-control's parts tied together. Control's only thread. */
#include "control/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl_server.h"
#include "control/endpoints.h"
#include "control/local_routes.h"
#include "lib/log.h"
#include "lib/nsec.h"

static const char *iface_fault(void *arg, const char *iface)
{
	const struct daemon *d = arg;

	return d->feed != NULL ? fibfeed_iface_fault(d->feed, iface) : NULL;
}

/* A neighbour inside a tunnel is reached through the tunnel's peer, not by an address of its own. */
static void neighbour(void *arg, struct rib_gateway *g)
{
	const struct daemon *d = arg;

	local_routes_neighbour(d->config, g);
}

static void start_bgp(struct daemon *d, bool restarting)
{
	struct err_msg msg = {0};

	if (bgp_glue_configure(d->bgp, d->config, restarting, &msg) != 0)
		log_err("BGP: %s", msg.text);
}

static void tell_objects(struct daemon *d)
{
	struct config_objects objects;

	config_objects_build(d->config, d->overrides, d->n_overrides, &objects);
	endpoints_fill(d->endpoints, &objects);
	fibfeed_set_objects(d->feed, &objects);
}

static void refresh_routes(struct daemon *d)
{
	struct local_routes routes;

	local_routes_build(d->rib, d->config, d->addresses, d->n_addresses, &routes);
	bgp_glue_set_connected(d->bgp, routes.connected, routes.n_connected);
	local_routes_free(&routes);
	rib_resolve_all(d->rib);
	fibfeed_kick(d->feed);
}

static void note_address(struct daemon *d, const char *iface, const struct ip_prefix *address, bool added)
{
	for (size_t i = 0; i < d->n_addresses; i++) {
		if (strcmp(d->addresses[i].iface, iface) != 0 ||
		    !ip_prefix_equal(&d->addresses[i].address, address))
			continue;
		if (!added)
			d->addresses[i] = d->addresses[--d->n_addresses];
		return;
	}
	if (!added)
		return;
	d->addresses = realloc(d->addresses, (d->n_addresses + 1) * sizeof(d->addresses[0]));
	if (d->addresses == NULL)
		abort();
	snprintf(d->addresses[d->n_addresses].iface, FIBMSG_NAME, "%s", iface);
	d->addresses[d->n_addresses].address = *address;
	d->n_addresses++;
}

static void on_address_row(void *arg, const struct fibmsg *m)
{
	note_address(arg, m->u.row_address.iface, &m->u.row_address.address, true);
}

static void on_peer_row(void *arg, const struct fibmsg *m)
{
	struct daemon *d = arg;
	const struct fibmsg_row_peer *p = &m->u.row_peer;

	bgp_glue_set_usable(d->bgp, p->tunnel, p->key, p->verdict != FIBMSG_VERDICT_DOWN);
}

/* A tunnel may be down for its line's sake while its peers were not found dead. */
static void on_tunnel_row(void *arg, const struct fibmsg *m)
{
	struct daemon *d = arg;
	const struct fibmsg_row_tunnel *row = &m->u.row_tunnel;
	const struct config_tunnel *t = row->up ? NULL : config_find_tunnel(d->config, row->name);

	for (size_t i = 0; t != NULL && i < t->peers.n; i++)
		bgp_glue_set_usable(d->bgp, row->name, t->peers.v[i].key, false);
}

static void on_addresses_done(void *arg, int code, const char *text)
{
	if (code != 0)
		return;
	refresh_routes(arg);
	tell_objects(arg); /* endpoints by name go by what the lines have */
}

static void on_states_done(void *arg, int code, const char *text)
{
}

static void on_connected(void *arg, bool kept)
{
	static const struct fibmsg_query_msg addresses = {.kind = FIBMSG_QUERY_ADDRESSES},
					     peers = {.kind = FIBMSG_QUERY_PEERS},
					     tunnels = {.kind = FIBMSG_QUERY_TUNNELS};
	struct daemon *d = arg;
	uint32_t id;

	d->n_addresses = 0; /* of the dataplane before; the present one says */
	if (!d->met_dataplane) {
		d->met_dataplane = true;
		start_bgp(d, kept);
		refresh_routes(d);
	}
	fibfeed_query(d->feed, &addresses, on_address_row, on_addresses_done, d, &id);
	fibfeed_query(d->feed, &peers, on_peer_row, on_states_done, d, &id);
	fibfeed_query(d->feed, &tunnels, on_tunnel_row, on_states_done, d, &id);
}

static void on_disconnected(void *arg)
{
}

static bool may_sweep(void *arg)
{
	const struct daemon *d = arg;

	return !bgp_glue_is_settling(d->bgp);
}

static void on_event(void *arg, const struct fibmsg *m)
{
	static const char *const verdicts[] = {"unknown", "up", "down"};
	struct daemon *d = arg;
	const struct fibmsg_ev_peer *p = &m->u.ev_peer;
	const struct fibmsg_ev_line *l = &m->u.ev_line;

	switch (m->type) {
	case FIBMSG_EV_ADDRESS:
		note_address(d, m->u.ev_address.iface, &m->u.ev_address.address, m->u.ev_address.added != 0);
		refresh_routes(d);
		tell_objects(d); /* endpoints by name go by what the lines have */
		break;
	case FIBMSG_EV_LINE:
		log_info("line %s is %s%s: %s (%u groups moved)", l->port, verdicts[l->verdict % 3],
		    l->active ? " and active" : "", l->reason, l->groups_moved);
		break;
	case FIBMSG_EV_PEER:
		log_info(
		    "tunnel %s: peer is %s: %s", p->tunnel, p->usable ? "usable" : "not usable", p->reason);
		bgp_glue_set_usable(d->bgp, p->tunnel, p->key, p->usable != 0);
		break;
	case FIBMSG_EV_LINK:
		log_info("link of %s is %s", m->u.ev_link.iface, m->u.ev_link.up ? "up" : "down");
		break;
	default:
		break;
	}
}

static void on_routes_changed(void *arg)
{
	struct daemon *d = arg;

	fibfeed_kick(d->feed);
}

void daemon_apply(struct daemon *d, struct config *c)
{
	struct config *old = d->config;

	d->config = c;
	d->configured_ns = nsec_monotonic();
	rib_retry_refused(d->rib);
	if (d->met_dataplane)
		start_bgp(d, false);
	refresh_routes(d);
	endpoints_configure(d->endpoints);
	tell_objects(d);
	fibfeed_repeat_tunnels(d->feed);
	config_free(old);
}

/* Overrides outlive a restart of control, not one of the machine: the run directory keeps them. */
static void load_overrides(struct daemon *d)
{
	char line[FIBMSG_NAME], word[8];
	FILE *file = fopen(d->override_path, "re");

	while (file != NULL && d->n_overrides < DAEMON_MAX_OVERRIDES &&
	       fscanf(file, "%15s %7s", line, word) == 2) {
		struct config_override *o = &d->overrides[d->n_overrides++];

		snprintf(o->line, sizeof(o->line), "%s", line);
		o->to = strcmp(word, "up") == 0	    ? FIBMSG_OVERRIDE_UP
			: strcmp(word, "down") == 0 ? FIBMSG_OVERRIDE_DOWN
						    : FIBMSG_OVERRIDE_AUTO;
	}
	if (file != NULL)
		fclose(file);
}

static void save_overrides(const struct daemon *d)
{
	static const char *const words[] = {"auto", "up", "down"};
	FILE *file = fopen(d->override_path, "we");

	if (file == NULL) {
		log_warn("%s cannot be written: overrides will not outlive a restart of control",
		    d->override_path);
		return;
	}
	for (size_t i = 0; i < d->n_overrides; i++)
		fprintf(file, "%s %s\n", d->overrides[i].line, words[d->overrides[i].to % 3]);
	fclose(file);
}

int daemon_override(struct daemon *d, const char *line, uint8_t to, struct err_msg *msg)
{
	const struct config_port *p = config_find_port(d->config, line);
	size_t i = 0;

	if (p == NULL || p->role != CONFIG_ROLE_WAN)
		return err_set(msg, ERR_NOENT, "there is no line %s", line);
	while (i < d->n_overrides && strcmp(d->overrides[i].line, line) != 0)
		i++;
	if (i == DAEMON_MAX_OVERRIDES)
		return err_set(msg, ERR_FULL, "too many lines are overridden");
	if (i == d->n_overrides)
		d->n_overrides++;
	snprintf(d->overrides[i].line, sizeof(d->overrides[i].line), "%s", line);
	d->overrides[i].to = to;
	if (to == FIBMSG_OVERRIDE_AUTO)
		d->overrides[i] = d->overrides[--d->n_overrides];
	save_overrides(d);
	tell_objects(d);
	return 0;
}

int daemon_start(
    struct daemon *d, const struct daemon_options *options, struct config *config, struct err_msg *msg)
{
	const struct rib_env rib_env = {iface_fault, neighbour, d};
	const struct fibfeed_env feed_env = {on_connected, on_disconnected, may_sweep, on_event, d};
	const struct bgp_glue_env bgp_env = {on_routes_changed, d};
	int rc;

	d->options = *options;
	d->config = config;
	d->started_ns = d->configured_ns = nsec_monotonic();
	snprintf(d->fib_path, sizeof(d->fib_path), "%s/fib.sock", options->run_dir);
	snprintf(d->override_path, sizeof(d->override_path), "%s/overrides", options->run_dir);
	load_overrides(d);
	d->rib = rib_new(&rib_env);
	d->feed = fibfeed_new(d->base, d->fib_path, d->rib, &feed_env);
	d->bgp = bgp_glue_new(d->base, d->rib, options->bgp_port, &bgp_env);
	rc = ctl_server_new(d, options->run_dir, &d->ctl, msg);
	if (rc != 0)
		return rc;
	d->endpoints = endpoints_new(d, tell_objects);
	endpoints_configure(d->endpoints);
	tell_objects(d);
	refresh_routes(d);
	return 0;
}

void daemon_stop(struct daemon *d)
{
	ctl_server_free(d->ctl);
	endpoints_free(d->endpoints);
	d->endpoints = NULL;
	fibfeed_free(d->feed);
	d->feed = NULL;
	bgp_glue_free(d->bgp);
	rib_free(d->rib);
	config_free(d->config);
	free(d->addresses);
}
