/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From configuration to the BGP core: instance, filters, peers, what is announced. The core compares, so an
 * unchanged peer or filter is not touched. Control's only thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/bgp_glue_internal.h"
#include "lib/log.h"
#include "lib/nsec.h"

static int set_filter(struct bgp_glue *g, const struct config_filter *f, struct err_msg *msg)
{
	struct bgp_rule *rules = calloc(f->n + 1, sizeof(*rules));
	int rc;

	_Static_assert(sizeof(struct bgp_prefix_range) == sizeof(struct config_range), "one layout");
	if (rules == NULL)
		abort();
	for (size_t i = 0; i < f->n; i++) {
		const struct config_rule *from = &f->v[i];
		struct bgp_rule *to = &rules[i];
		const struct config_prefix_list *list = NULL;

		if (from->match != NULL && from->match->prefix_list != NULL)
			list = config_find_prefix_list(g->config, from->match->prefix_list);
		if (list != NULL) {
			to->ranges = (const struct bgp_prefix_range *)list->v;
			to->n_ranges = list->n;
		}
		if (from->set != NULL) {
			to->set_local_pref = from->set->local_pref.set;
			to->local_pref = from->set->local_pref.value;
			to->set_med = from->set->med.set;
			to->med = from->set->med.value;
			to->prepend = (uint8_t)from->set->prepend;
			to->set_next_hop_self = from->set->next_hop == CONFIG_NEXT_HOP_SELF;
		}
		to->action = from->action == CONFIG_ACTION_ACCEPT   ? BGP_RULE_ACCEPT
			     : from->action == CONFIG_ACTION_REJECT ? BGP_RULE_REJECT
								    : BGP_RULE_NEXT;
	}
	rc = bgp_filter_set(g->core, f->name, rules, f->n, msg);
	free(rules);
	return rc;
}

static const struct config_prefixes *addresses_of(const struct config *c, const char *iface)
{
	const struct config_port *p = config_find_port(c, iface);
	const struct config_tunnel *t = config_find_tunnel(c, iface);

	return p != NULL ? &p->addresses : t != NULL ? &t->addresses : NULL;
}

/* Our side of the session, and what "self" is in each family: addresses of the interface it runs over. */
static void set_addresses(
    const struct config *c, const struct config_bgp_peer *p, const char *iface, struct bgp_peer_config *out)
{
	const struct config_prefixes *addresses = addresses_of(c, iface);

	for (size_t i = 0; addresses != NULL && i < addresses->n; i++) {
		const struct ip_prefix *a = &addresses->v[i];
		struct ip_addr *self = &out->next_hop[a->addr.family == IP_V4 ? BGP_IPV4 : BGP_IPV6];

		if (ip_prefix_contains_addr(a, &p->address))
			out->local = a->addr;
		if (ip_addr_is_link_local(&a->addr))
			out->link_local = a->addr.family == IP_V6 ? a->addr : out->link_local;
		else if (self->family == IP_NONE)
			*self = a->addr;
	}
}

static int set_peer(struct bgp_glue *g, const struct config_bgp_peer *p, struct err_msg *msg)
{
	const struct config_graceful_restart *gr = g->config->bgp->graceful_restart;
	const char *iface = config_bgp_interface(g->config, p);
	struct bgp_peer_config out = {
	    .address = p->address,
	    .as = p->as,
	    .hold_time_s = p->hold_time_s,
	    .connect_retry_ns = p->connect_retry_s * NSEC_PER_SEC,
	    .passive = p->passive,
	    .disabled = p->disabled,
	    .next_hop_self = p->next_hop_self,
	    .max_prefixes = p->max_prefixes,
	    .no_graceful_restart = gr->off,
	    .restart_time_s = (uint16_t)gr->restart_time_s,
	};

	snprintf(out.interface, sizeof(out.interface), "%s", iface != NULL ? iface : "");
	snprintf(out.import_filter, sizeof(out.import_filter), "%s",
	    p->import_filter != NULL ? p->import_filter : "");
	snprintf(out.export_filter, sizeof(out.export_filter), "%s",
	    p->export_filter != NULL ? p->export_filter : "");
	for (size_t i = 0; i < p->families.n; i++)
		out.families |= BGP_FAMILY_BIT(p->families.v[i] == CONFIG_FAMILY_IPV4 ? BGP_IPV4 : BGP_IPV6);
	if (iface != NULL)
		set_addresses(g->config, p, iface, &out);
	return bgp_peer_set(g->core, p->name, &out, nsec_monotonic(), msg);
}

static void remove_old_peers(struct bgp_glue *g)
{
	const struct config_bgp_peers *peers = &g->config->bgp->peers;
	const char *name = bgp_peer_next_name(g->core, NULL);
	char at[BGP_NAME_MAX];

	while (name != NULL) {
		bool wanted = false;

		for (size_t i = 0; i < peers->n && !wanted; i++)
			wanted = strcmp(peers->v[i].name, name) == 0;
		snprintf(at, sizeof(at), "%s", name);
		if (!wanted)
			bgp_peer_remove(g->core, at, nsec_monotonic());
		name = bgp_peer_next_name(g->core, at);
	}
}

/* old: the configuration before, whose filters may be gone now. */
static void remove_old_filters(struct bgp_glue *g, const struct config *old)
{
	for (size_t i = 0; old != NULL && i < old->filters.n; i++) {
		if (config_find_filter(g->config, old->filters.v[i].name) == NULL)
			bgp_filter_remove(g->core, old->filters.v[i].name);
	}
}

static uint32_t router_id_of(const struct config *c)
{
	return __builtin_bswap32(ip_addr_be32(&c->router->id));
}

static int start(struct bgp_glue *g, const struct config *c, bool restarting, struct err_msg *msg)
{
	struct bgp_config config = {
	    .as = c->bgp->as,
	    .router_id = router_id_of(c),
	    .restarting = restarting && !c->bgp->graceful_restart->off,
	};
	int rc;

	if (getrandom(&config.seed, sizeof(config.seed), GRND_NONBLOCK) < 0)
		config.seed = nsec_realtime();
	rc = bgp_new(&config, nsec_monotonic(), &g->core, msg);
	if (rc != 0)
		return rc;
	g->as = config.as;
	g->router_id = config.router_id;
	rc = bgp_sock_listen(g, msg);
	if (rc != 0) {
		bgp_free(g->core);
		g->core = NULL;
	}
	return rc;
}

int bgp_glue_configure(struct bgp_glue *g, const struct config *c, bool restarting, struct err_msg *msg)
{
	const struct config *old = g->config;
	int rc = 0;

	g->config = c;
	if (g->core != NULL && (c->bgp == NULL || c->bgp->as != g->as || router_id_of(c) != g->router_id)) {
		log_info("BGP ends%s", c->bgp != NULL ? " and starts anew: AS or router id changed" : "");
		bgp_glue_stop(g, true);
		rib_remove_bgp(g->rib);
		restarting = false;
	}
	if (c->bgp == NULL)
		return 0;
	if (g->core == NULL)
		rc = start(g, c, restarting, msg);
	if (rc != 0)
		return rc;
	/* Peers go before filters that they use, and come after them. */
	remove_old_peers(g);
	for (size_t i = 0; i < c->filters.n && rc == 0; i++)
		rc = set_filter(g, &c->filters.v[i], msg);
	for (size_t i = 0; i < c->bgp->peers.n && rc == 0; i++)
		rc = set_peer(g, &c->bgp->peers.v[i], msg);
	remove_old_filters(g, old);
	bgp_setup_announce(g);
	bgp_glue_turn(g);
	return rc;
}

static void add_announced(
    struct bgp_announced **list, size_t *n, const struct ip_prefix *p, enum bgp_source source)
{
	*list = realloc(*list, (*n + 1) * sizeof(**list));
	if (*list == NULL)
		abort();
	(*list)[*n].prefix = ip_prefix_mask(p);
	(*list)[*n].source = source;
	(*n)++;
}

static bool is_listed(const struct bgp_announced *list, size_t n, const struct bgp_announced *a)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].source == a->source && ip_prefix_equal(&list[i].prefix, &a->prefix))
			return true;
	}
	return false;
}

static bool announces(const struct config_bgp *b, enum config_announce what)
{
	for (size_t i = 0; i < b->announce.n; i++) {
		if (b->announce.v[i] == (uint32_t)what)
			return true;
	}
	return false;
}

void bgp_setup_announce(struct bgp_glue *g)
{
	const struct config *c = g->config;
	struct bgp_announced *list = NULL;
	size_t n = 0;

	if (g->core == NULL)
		return;
	for (size_t i = 0; i < c->bgp->networks.n; i++)
		add_announced(&list, &n, &c->bgp->networks.v[i], BGP_SOURCE_NETWORK);
	for (size_t i = 0; announces(c->bgp, CONFIG_ANNOUNCE_CONNECTED) && i < g->n_connected; i++)
		add_announced(&list, &n, &g->connected[i], BGP_SOURCE_CONNECTED);
	for (size_t i = 0; announces(c->bgp, CONFIG_ANNOUNCE_STATIC) && i < c->routes.n; i++) {
		if (c->routes.v[i].type == CONFIG_ROUTE_FORWARD)
			add_announced(&list, &n, &c->routes.v[i].prefix, BGP_SOURCE_STATIC);
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_listed(g->announced, g->n_announced, &list[i]))
			bgp_local_add(g->core, &list[i].prefix, list[i].source);
	}
	for (size_t i = 0; i < g->n_announced; i++) {
		if (!is_listed(list, n, &g->announced[i]))
			bgp_local_remove(g->core, &g->announced[i].prefix, g->announced[i].source);
	}
	free(g->announced);
	g->announced = list;
	g->n_announced = n;
}

void bgp_glue_set_connected(struct bgp_glue *g, const struct ip_prefix *prefixes, size_t n)
{
	struct ip_prefix *copy = calloc(n + 1, sizeof(*copy));

	if (copy == NULL)
		abort();
	memcpy(copy, prefixes, n * sizeof(*copy));
	free(g->connected);
	g->connected = copy;
	g->n_connected = n;
	bgp_setup_announce(g);
	bgp_glue_turn(g);
}

/* Is the neighbour behind the tunnel's peer of this key? */
static bool is_behind(const struct config_tunnel *t, const struct config_bgp_peer *p, const uint8_t key[32])
{
	const struct config_peer *peer = config_find_peer_at(t, &p->address);

	return peer != NULL && memcmp(peer->key, key, 32) == 0;
}

void bgp_glue_set_usable(struct bgp_glue *g, const char *tunnel, const uint8_t key[32], bool usable)
{
	const struct config *c = g->config;
	const struct config_tunnel *t = c != NULL ? config_find_tunnel(c, tunnel) : NULL;

	if (g->core == NULL || t == NULL)
		return;
	for (size_t i = 0; i < c->bgp->peers.n; i++) {
		const struct config_bgp_peer *p = &c->bgp->peers.v[i];
		const char *iface = config_bgp_interface(c, p);

		if (iface != NULL && strcmp(iface, tunnel) == 0 && is_behind(t, p, key))
			bgp_peer_set_usable(g->core, p->name, usable);
	}
	bgp_glue_turn(g);
}
