/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as structs: what schema.c's table fills from the YAML file and config_check.c
 * has found sound. Immutable once loaded; a reload makes a second one and compares. Control's only thread.
 * Lists are pairs (n, v); everything lies in the configuration's own arena.
 */
#ifndef BYWAY_CONTROL_CONFIG_H
#define BYWAY_CONTROL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/arena.h"
#include "control/diag.h"
#include "lib/err.h"
#include "lib/ip.h"

/* Where an object stands in the file; node is its mapping in the document, while that lives. */
struct config_at {
	uint32_t line, column;
	int node;
};

/* A number that may be left out without a default. */
struct config_opt {
	bool set;
	uint32_t value;
};

struct config_addrs {
	size_t n;
	struct ip_addr *v;
};
struct config_prefixes {
	size_t n;
	struct ip_prefix *v;
};
struct config_words {
	size_t n;
	uint32_t *v;
};

struct config_router {
	struct config_at at;
	const char *name;
	struct ip_addr id;
	struct config_addrs source;
	uint32_t icmp_rate; /* a second */
};

struct config_line_probe {
	struct config_at at;
	struct config_addrs targets;
	uint32_t interval_ms, timeout_ms, hold_down_ms, down_after;
};

enum config_role { CONFIG_ROLE_LAN, CONFIG_ROLE_WAN };
enum config_bypass { CONFIG_BYPASS_DROP, CONFIG_BYPASS_KERNEL };

struct config_port {
	struct config_at at;
	const char *name;
	const char *device;
	uint32_t role;			  /* enum config_role */
	struct config_prefixes addresses; /* host bits kept */
	struct config_addrs gateways;
	struct config_prefixes prefixes;
	uint32_t preference;
	bool metered;
	uint32_t mtu; /* 0: the device's */
	uint8_t mac[6];
	uint32_t queues;
	uint32_t bypass;		 /* enum config_bypass */
	struct config_line_probe *probe; /* never NULL after loading */
};
struct config_ports {
	size_t n;
	struct config_port *v;
};

struct config_peer_probe {
	struct config_at at;
	bool off;
	struct ip_addr target;
	uint32_t interval_ms, timeout_ms, hold_down_ms, down_after;
};

/* An address and a port, or a host's name and a port: then the address has family 0. */
struct config_endpoint {
	struct ip_endpoint address;
	const char *host; /* NULL: an address, or nothing */
};

struct config_peer {
	struct config_at at;
	const char *name;
	uint8_t key[32];
	const char *psk_path; /* NULL: none */
	struct config_endpoint endpoint;
	uint32_t keepalive_s;
	struct config_prefixes allowed_ips;
	struct config_addrs addresses;	 /* its own, inside the tunnel */
	struct config_peer_probe *probe; /* never NULL after loading */
};
struct config_peers {
	size_t n;
	struct config_peer *v;
};

struct config_tunnel {
	struct config_at at;
	const char *name;
	const char *line; /* a WAN's name, or "active" */
	bool fallback;
	const char *key_path;
	uint32_t listen_port;
	struct config_prefixes addresses; /* host bits kept */
	uint32_t mtu;
	bool mss_clamp;
	uint32_t fragment; /* enum fibmsg_fragment */
	uint32_t fwmark;
	struct config_peers peers;
};
struct config_tunnels {
	size_t n;
	struct config_tunnel *v;
};

enum config_route_type {
	CONFIG_ROUTE_FORWARD,
	CONFIG_ROUTE_UNREACHABLE,
	CONFIG_ROUTE_PROHIBIT,
	CONFIG_ROUTE_BLACKHOLE
};

struct config_route {
	struct config_at at;
	struct ip_prefix prefix;
	struct ip_addr via;
	const char *interface; /* NULL: by the gateway's subnet */
	const char *tunnel, *peer;
	uint32_t type; /* enum config_route_type */
	uint32_t distance;
};
struct config_routes {
	size_t n;
	struct config_route *v;
};

/* Prefixes inside `prefix` whose length lies in ge-le. */
struct config_range {
	struct ip_prefix prefix;
	uint8_t ge, le; /* bits */
};
struct config_prefix_list {
	struct config_at at;
	const char *name;
	size_t n;
	struct config_range *v;
};
struct config_prefix_lists {
	size_t n;
	struct config_prefix_list *v;
};

enum config_family { CONFIG_FAMILY_IPV4, CONFIG_FAMILY_IPV6 };
enum config_action { CONFIG_ACTION_ACCEPT, CONFIG_ACTION_REJECT, CONFIG_ACTION_NEXT };
enum config_next_hop { CONFIG_NEXT_HOP_UNCHANGED, CONFIG_NEXT_HOP_SELF };

struct config_match {
	struct config_at at;
	const char *prefix_list; /* NULL: any prefix */
};
struct config_set {
	struct config_at at;
	struct config_opt local_pref, med;
	uint32_t prepend;
	uint32_t next_hop; /* enum config_next_hop */
};
struct config_rule {
	struct config_at at;
	struct config_match *match; /* NULL: everything */
	struct config_set *set;	    /* NULL: nothing */
	uint32_t action;	    /* enum config_action */
};
struct config_filter {
	struct config_at at;
	const char *name;
	size_t n;
	struct config_rule *v;
};
struct config_filters {
	size_t n;
	struct config_filter *v;
};

struct config_graceful_restart {
	struct config_at at;
	bool off;
	uint32_t restart_time_s;
};

enum config_announce { CONFIG_ANNOUNCE_CONNECTED, CONFIG_ANNOUNCE_STATIC };

struct config_bgp_peer {
	struct config_at at;
	const char *name;
	struct ip_addr address;
	uint32_t as;
	const char *interface; /* NULL: by the address's subnet */
	const char *import_filter, *export_filter;
	struct config_words families; /* enum config_family */
	uint32_t hold_time_s;
	uint32_t connect_retry_s;
	uint32_t max_prefixes; /* 0: no limit */
	bool disabled;
	bool passive;
	bool next_hop_self;
};
struct config_bgp_peers {
	size_t n;
	struct config_bgp_peer *v;
};

struct config_bgp {
	struct config_at at;
	uint32_t as;
	struct config_prefixes networks;
	struct config_words announce;			  /* enum config_announce */
	struct config_graceful_restart *graceful_restart; /* never NULL after loading */
	struct config_bgp_peers peers;
};

struct config {
	struct config_at at;
	struct config_router *router; /* never NULL after loading */
	struct config_ports ports;
	struct config_tunnels tunnels;
	struct config_routes routes;
	struct config_prefix_lists prefix_lists;
	struct config_filters filters;
	struct config_bgp *bgp; /* NULL: no BGP */
	struct arena arena;
};

/*
 * Reads, checks and returns a configuration; findings (warnings, too) go to d, which the caller has
 * initialised with the name to show. Nothing outside the file is looked at. ERR_INVALID: d has at least one
 * error and *out is untouched. The caller frees *out with config_free.
 */
int config_parse(const char *text, size_t len, struct diag *d, struct config **out);
/* The same from a file. ERR_IO: cannot be read, as d says. */
int config_load(const char *path, struct diag *d, struct config **out);
void config_free(struct config *c);

const struct config_port *config_find_port(const struct config *c, const char *name);
const struct config_tunnel *config_find_tunnel(const struct config *c, const char *name);
const struct config_peer *config_find_peer(const struct config_tunnel *t, const char *name);
/* The peer behind which an address inside the tunnel is: the only one, or whose `addresses` or longest of
 * `allowed-ips` holds it; NULL: none. */
const struct config_peer *config_find_peer_at(const struct config_tunnel *t, const struct ip_addr *a);
const struct config_filter *config_find_filter(const struct config *c, const char *name);
const struct config_prefix_list *config_find_prefix_list(const struct config *c, const char *name);
/* The interface (port or tunnel) one of whose configured subnets holds a; NULL: none. */
const char *config_find_interface(const struct config *c, const struct ip_addr *a);
/* The peer's interface as configured, else the one whose subnet holds its address; NULL: none. */
const char *config_bgp_interface(const struct config *c, const struct config_bgp_peer *p);

#endif
