/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The schema table: every key of the configuration file. Read by schema_read.c and schema_print.c.
 * A key is added here, in config.h, and nowhere else but where it is used.
 */
#include "control/schema.h"

#include "control/config.h"
#include "lib/fibmsg.h"

#define AT(type, member) .offset = offsetof(struct type, member)

static const char *const role_words[] = {"lan", "wan", NULL};
static const char *const bypass_words[] = {"drop", "kernel", NULL};
static const char *const route_words[] = {"forward", "unreachable", "prohibit", "blackhole", NULL};
static const char *const fragment_words[] = {"outer", "inner", "never", NULL}; /* enum fibmsg_fragment */
static const char *const family_words[] = {"ipv4", "ipv6", NULL};
static const char *const action_words[] = {"accept", "reject", "next", NULL};
static const char *const next_hop_words[] = {"unchanged", "self", NULL};
static const char *const announce_words[] = {"connected", "static", NULL};

static const struct schema_field router_fields[] = {
    {"name", SCHEMA_TEXT, 0, AT(config_router, name), 1, 63, .dflt = "byway",
	.help = "Name of this router, for people."},
    {"id", SCHEMA_ADDR4, 0, AT(config_router, id),
	.dflt_note = "the IPv4 address of `source`, else the first of a LAN, else of a WAN",
	.help = "BGP identifier."},
    {"source", SCHEMA_ADDR, SCHEMA_LIST, AT(config_router, source), .max_items = 2,
	.dflt_note = "the first address of a LAN",
	.help = "What the router itself speaks from; at most one of each family. Where this is private, it "
		"calls the Internet from the active line's address."},
    {"icmp-errors", SCHEMA_INT, 0, AT(config_router, icmp_rate), 1, 65535, .dflt = "100",
	.help = "ICMP errors a second that the router sends at the most."},
    {0},
};
static const struct schema_object router_object = {
    "router", sizeof(struct config_router), .fields = router_fields};

static const struct schema_field line_probe_fields[] = {
    {"targets", SCHEMA_ADDR, SCHEMA_LIST, AT(config_line_probe, targets), .max_items = FIBMSG_LIST,
	.dflt_note = "the gateways",
	.help = "Addresses that answer echo requests. The line is alive while any of them answers."},
    {"interval", SCHEMA_MS, 0, AT(config_line_probe, interval_ms), 10, 60000, .dflt = "100ms",
	.help = "Time between two rounds of probes."},
    {"timeout", SCHEMA_MS, 0, AT(config_line_probe, timeout_ms), 10, 60000, .dflt = "200ms",
	.help = "A probe without an answer by then is lost."},
    {"down-after", SCHEMA_INT, 0, AT(config_line_probe, down_after), 1, 1000, .dflt = "4",
	.help = "Rounds in a row without any answer after which the line is down."},
    {"hold-down", SCHEMA_MS, 0, AT(config_line_probe, hold_down_ms), 0, 3600000, .dflt = "10s",
	.help = "A line that was down must answer for so long without a loss before it is used again."},
    {0},
};
static const struct schema_object line_probe_object = {
    "line probe", sizeof(struct config_line_probe), .fields = line_probe_fields};

static const struct schema_field port_fields[] = {
    {"device", SCHEMA_TEXT, SCHEMA_REQUIRED, AT(config_port, device), 1, FIBMSG_LABEL * 2 - 1,
	.help = "What carries the frames: the name of a Linux network device, a PCI address, or a DPDK vdev "
		"string."},
    {"role", SCHEMA_WORD, SCHEMA_REQUIRED, AT(config_port, role), .words = role_words,
	.help = "`wan`: a line to the Internet, with a table of its own, probed. `lan`: everything else."},
    {"addresses", SCHEMA_IFADDR, SCHEMA_LIST, AT(config_port, addresses), .max_items = 64,
	.help = "Addresses with the length of their subnet; they are put on the host interface."},
    {"gateways", SCHEMA_ADDR, SCHEMA_LIST, AT(config_port, gateways), .max_items = 2,
	.help = "WAN: next hops to the Internet, at most one of each family. The router's default routes "
		"lead to them."},
    {"prefixes", SCHEMA_PREFIX, SCHEMA_LIST, AT(config_port, prefixes), .max_items = FIBMSG_LIST,
	.help = "WAN: prefixes delegated by the provider; packets from a source inside leave by this line."},
    {"preference", SCHEMA_INT, 0, AT(config_port, preference), 0, 65535, .dflt = "100",
	.help = "WAN: lower is preferred. No two lines may have the same."},
    {"metered", SCHEMA_BOOL, 0, AT(config_port, metered), .dflt = "false",
	.help = "WAN: traffic costs money; shown, and kept for policies."},
    {"mtu", SCHEMA_INT, 0, AT(config_port, mtu), 1280, 9000, .dflt_note = "the device's",
	.help = "Bytes of the largest IP packet."},
    {"mac", SCHEMA_MAC, 0, AT(config_port, mac), .dflt_note = "the device's",
	.help = "Ethernet address to use."},
    {"queues", SCHEMA_INT, 0, AT(config_port, queues), 1, 16, .dflt = "1", .help = "Receive queues."},
    {"bypass", SCHEMA_WORD, 0, AT(config_port, bypass), .words = bypass_words, .dflt = "drop",
	.help = "What becomes of frames while no dataplane runs: dropped, or left to the kernel."},
    {"probe", SCHEMA_OBJECT, SCHEMA_FILL, AT(config_port, probe), .object = &line_probe_object,
	.help = "WAN: how the line is watched."},
    {0},
};
static const struct schema_object port_object = {"port", sizeof(struct config_port),
    .name_offset = offsetof(struct config_port, name), .fields = port_fields};

static const struct schema_field peer_probe_fields[] = {
    {"target", SCHEMA_ADDR, 0, AT(config_peer_probe, target), .dflt_note = "the BGP neighbour on this tunnel",
	.help = "Address inside the tunnel that answers echo requests."},
    {"interval", SCHEMA_MS, 0, AT(config_peer_probe, interval_ms), 10, 60000, .dflt = "100ms",
	.help = "Time between two probes."},
    {"timeout", SCHEMA_MS, 0, AT(config_peer_probe, timeout_ms), 10, 60000, .dflt = "200ms",
	.help = "A probe without an answer by then is lost."},
    {"down-after", SCHEMA_INT, 0, AT(config_peer_probe, down_after), 1, 1000, .dflt = "4",
	.help = "Probes lost in a row after which the peer is down."},
    {"hold-down", SCHEMA_MS, 0, AT(config_peer_probe, hold_down_ms), 0, 3600000, .dflt = "2s",
	.help = "A peer that was down must answer for so long without a loss before it is used again."},
    {0},
};
static const struct schema_object peer_probe_object = {"peer probe", sizeof(struct config_peer_probe),
    .off_offset = offsetof(struct config_peer_probe, off), .fields = peer_probe_fields};

static const struct schema_field peer_fields[] = {
    {"name", SCHEMA_TEXT, SCHEMA_REQUIRED, AT(config_peer, name), 1, FIBMSG_LABEL - 1,
	.help = "Name of the peer, unique within the tunnel."},
    {"public-key", SCHEMA_KEY, SCHEMA_REQUIRED, AT(config_peer, key), .help = "The peer's public key."},
    {"preshared-key", SCHEMA_PATH, 0, AT(config_peer, psk_path), 1, FIBMSG_PATH - 1, .dflt_note = "none",
	.help = "File with a key that both sides share, mixed into every handshake; mode 0600."},
    {"endpoint", SCHEMA_ENDPOINT, 0, AT(config_peer, endpoint), .dflt_note = "learned from the peer",
	.help =
	    "Where the peer listens: address and UDP port. A name is resolved by the host's /etc/hosts and "
	    "name servers, and again when its time to live ends or handshakes fail; the address of before serves until then."},
    {"persistent-keepalive", SCHEMA_SECONDS, 0, AT(config_peer, keepalive_s), 0, 65535, .dflt = "0s",
	.help = "Send something at least so often, to keep a NAT open; `0s`: not."},
    {"allowed-ips", SCHEMA_PREFIX, SCHEMA_LIST, AT(config_peer, allowed_ips), .max_items = 4096,
	.dflt_note = "any with one peer; with several, what their routes say",
	.help = "Prefixes that may come from this peer and go to it."},
    {"addresses", SCHEMA_ADDR, SCHEMA_LIST, AT(config_peer, addresses), .max_items = 8, .dflt_note = "none",
	.help = "The peer's own addresses inside the tunnel: go to it and may come from it whatever routes "
		"there are; as a gateway or BGP next hop they name it."},
    {"probe", SCHEMA_OBJECT, SCHEMA_FILL | SCHEMA_OFF, AT(config_peer, probe), .object = &peer_probe_object,
	.help = "How the way to the peer is watched. `off`: not at all."},
    {0},
};
static const struct schema_object peer_object = {
    "tunnel peer", sizeof(struct config_peer), .fields = peer_fields};

static const struct schema_field tunnel_fields[] = {
    {"line", SCHEMA_TEXT, 0, AT(config_tunnel, line), 1, FIBMSG_NAME - 1, .dflt = "active",
	.help =
	    "The WAN that carries the tunnel, or `active`: the preferred living one (for peers with a public "
	    "endpoint; a peer behind NAT does not hear a new source)."},
    {"fallback", SCHEMA_BOOL, 0, AT(config_tunnel, fallback), .dflt = "false",
	.help = "While `line` is down, use the preferred living line and tell the peer at once; back when it "
		"returns. "
		"For peers with an `endpoint`, above all stock ones, which do not see a line die."},
    {"private-key", SCHEMA_PATH, SCHEMA_REQUIRED, AT(config_tunnel, key_path), 1, FIBMSG_PATH - 1,
	.help = "File with this side's key in base64; mode 0600, refused when others can read it."},
    {"listen-port", SCHEMA_INT, SCHEMA_REQUIRED, AT(config_tunnel, listen_port), 1, 65535,
	.help = "UDP port, unique among the tunnels."},
    {"addresses", SCHEMA_IFADDR, SCHEMA_LIST, AT(config_tunnel, addresses), .max_items = 64,
	.help = "Addresses inside the tunnel with the length of their subnet."},
    {"mtu", SCHEMA_INT, 0, AT(config_tunnel, mtu), 1280, 8920,
	.dflt_note = "what all lines it may use can carry; with `fragment: inner` 1500",
	.help = "Bytes of the largest packet inside."},
    {"fragment", SCHEMA_WORD, 0, AT(config_tunnel, fragment), .words = fragment_words, .dflt = "outer",
	.help = "Where packets too large for the way to a peer are cut. `outer`: on the way, as with stock "
		"peers; some providers lose the pieces. `inner`: before sealing, IPv4 even where its sender "
		"forbids it, so that a tunnel carries 1500 bytes over any line. `never`: they go back to the "
		"sender. IPv6 is never cut inside: its sender is told the size."},
    {"mss-clamp", SCHEMA_BOOL, 0, AT(config_tunnel, mss_clamp), .dflt = "true",
	.help = "Lower the segment size that TCP connections through the tunnel announce to what fits."},
    {"fwmark", SCHEMA_INT, 0, AT(config_tunnel, fwmark), 0, UINT32_MAX, .dflt = "0",
	.help = "Mark shown to stock tools; Byway does not use it."},
    {"peers", SCHEMA_OBJECT, SCHEMA_LIST, AT(config_tunnel, peers), .max_items = 1024, .object = &peer_object,
	.help = "The other ends. Stock `wg set` may add more."},
    {0},
};
static const struct schema_object tunnel_object = {"tunnel", sizeof(struct config_tunnel),
    .name_offset = offsetof(struct config_tunnel, name), .fields = tunnel_fields};

static const struct schema_field route_fields[] = {
    {"prefix", SCHEMA_PREFIX, SCHEMA_REQUIRED, AT(config_route, prefix), .help = "Destinations."},
    {"via", SCHEMA_ADDR, 0, AT(config_route, via), .help = "Gateway."},
    {"interface", SCHEMA_NAME, 0, AT(config_route, interface),
	.dflt_note = "the one whose subnet holds `via`",
	.help = "Port to leave by; needed with a link-local gateway."},
    {"tunnel", SCHEMA_NAME, 0, AT(config_route, tunnel), .help = "Tunnel to leave by, instead of `via`."},
    {"peer", SCHEMA_TEXT, 0, AT(config_route, peer), 1, FIBMSG_LABEL - 1,
	.dflt_note = "the only one, or by allowed-IPs", .help = "Peer of the tunnel."},
    {"type", SCHEMA_WORD, 0, AT(config_route, type), .words = route_words, .dflt = "forward",
	.help = "`unreachable`, `prohibit`: drop and tell the sender; `blackhole`: drop."},
    {"distance", SCHEMA_INT, 0, AT(config_route, distance), 1, 254, .dflt = "1",
	.help = "Among routes to the same prefix the lowest distance wins (connected 0, eBGP 20, iBGP 200)."},
    {0},
};
static const struct schema_object route_object = {
    "route", sizeof(struct config_route), .fields = route_fields};

static const struct schema_field range_fields[] = {
    {"", SCHEMA_RANGE, 0, 0,
	.help = "A prefix and the lengths that match: `10.0.0.0/8 ge 16 le 24`. Without `ge` and "
		"`le` only the prefix itself; with `ge` alone, up to the longest."},
    {0},
};
static const struct schema_object prefix_list_object = {"prefix list", sizeof(struct config_prefix_list),
    .name_offset = offsetof(struct config_prefix_list, name),
    .list_offset = offsetof(struct config_prefix_list, n), .fields = range_fields, .bare_list = true};

static const struct schema_field match_fields[] = {
    {"prefix-list", SCHEMA_TEXT, 0, AT(config_match, prefix_list), 1, 63, .dflt_note = "any prefix",
	.help = "The route's prefix is in this list. A default route or one of its two halves passes only by "
		"a list that "
		"names exactly it."},
    {0},
};
static const struct schema_object match_object = {
    "match", sizeof(struct config_match), .fields = match_fields};

static const struct schema_field set_fields[] = {
    {"local-pref", SCHEMA_OPT_INT, 0, AT(config_set, local_pref), 0, UINT32_MAX, .dflt_note = "unchanged",
	.help = "Preference within this AS; higher is better."},
    {"med", SCHEMA_OPT_INT, 0, AT(config_set, med), 0, UINT32_MAX, .dflt_note = "unchanged",
	.help = "Multi-exit discriminator; lower is better for the neighbour."},
    {"prepend", SCHEMA_INT, 0, AT(config_set, prepend), 0, 32, .dflt = "0",
	.help = "Put this router's AS so many times more in front of the path."},
    {"next-hop", SCHEMA_WORD, 0, AT(config_set, next_hop), .words = next_hop_words, .dflt = "unchanged",
	.help = "`self`: announce this router as the next hop."},
    {0},
};
static const struct schema_object set_object = {"set", sizeof(struct config_set), .fields = set_fields};

static const struct schema_field rule_fields[] = {
    {"match", SCHEMA_OBJECT, 0, AT(config_rule, match), .object = &match_object, .dflt_note = "every route",
	.help = "What the rule applies to; all conditions must hold."},
    {"set", SCHEMA_OBJECT, 0, AT(config_rule, set), .object = &set_object, .dflt_note = "nothing",
	.help = "What the routes get."},
    {"action", SCHEMA_WORD, SCHEMA_REQUIRED, AT(config_rule, action), .words = action_words,
	.help = "`accept` and `reject` end the filter for routes that match, `next` goes on with the next "
		"rule. A route that no "
		"rule decides is rejected."},
    {0},
};
static const struct schema_object rule_object = {
    "filter rule", sizeof(struct config_rule), .fields = rule_fields};
static const struct schema_field filter_fields[] = {
    {"", SCHEMA_OBJECT, 0, 0, .object = &rule_object, .help = "Rules, tried in order."},
    {0},
};
static const struct schema_object filter_object = {"filter", sizeof(struct config_filter),
    .name_offset = offsetof(struct config_filter, name), .list_offset = offsetof(struct config_filter, n),
    .fields = filter_fields, .bare_list = true};

static const struct schema_field graceful_restart_fields[] = {
    {"restart-time", SCHEMA_SECONDS, 0, AT(config_graceful_restart, restart_time_s), 1, 4095, .dflt = "120s",
	.help = "How long neighbours should keep our routes while control is away (RFC 4724)."},
    {0},
};
static const struct schema_object graceful_restart_object = {"graceful restart",
    sizeof(struct config_graceful_restart), .off_offset = offsetof(struct config_graceful_restart, off),
    .fields = graceful_restart_fields};

static const struct schema_field bgp_peer_fields[] = {
    {"address", SCHEMA_ADDR, SCHEMA_REQUIRED, AT(config_bgp_peer, address),
	.help = "The neighbour's address."},
    {"as", SCHEMA_INT, SCHEMA_REQUIRED, AT(config_bgp_peer, as), 1, UINT32_MAX - 1,
	.help = "The neighbour's AS; our own makes the session internal (iBGP)."},
    {"interface", SCHEMA_NAME, 0, AT(config_bgp_peer, interface),
	.dflt_note = "the one whose subnet holds `address`",
	.help = "Port or tunnel over which the neighbour is reached; the session is bound to it."},
    {"import", SCHEMA_TEXT, 0, AT(config_bgp_peer, import_filter), 1, 63,
	.dflt_note = "eBGP: nothing is accepted (RFC 8212)",
	.help = "Filter for what the neighbour announces."},
    {"export", SCHEMA_TEXT, 0, AT(config_bgp_peer, export_filter), 1, 63,
	.dflt_note = "eBGP: nothing is announced (RFC 8212)",
	.help = "Filter for what is announced to the neighbour."},
    {"families", SCHEMA_WORD, SCHEMA_LIST, AT(config_bgp_peer, families), .words = family_words,
	.max_items = 2, .dflt_note = "both", .help = "Address families that the session carries."},
    {"hold-time", SCHEMA_SECONDS, 0, AT(config_bgp_peer, hold_time_s), 3, 65535, .dflt = "90s",
	.help = "A neighbour that was silent for so long is gone; keepalives go out three times as often."},
    {"connect-retry", SCHEMA_SECONDS, 0, AT(config_bgp_peer, connect_retry_s), 1, 3600, .dflt = "5s",
	.help = "Time between attempts to connect."},
    {"max-prefixes", SCHEMA_INT, 0, AT(config_bgp_peer, max_prefixes), 0, UINT32_MAX, .dflt = "0",
	.help = "End the session when the neighbour announces more; `0`: no limit."},
    {"disabled", SCHEMA_BOOL, 0, AT(config_bgp_peer, disabled), .dflt = "false",
	.help = "Keep the neighbour in the configuration and the session down."},
    {"passive", SCHEMA_BOOL, 0, AT(config_bgp_peer, passive), .dflt = "false",
	.help = "Wait for the neighbour to connect."},
    {"next-hop-self", SCHEMA_BOOL, 0, AT(config_bgp_peer, next_hop_self), .dflt = "false",
	.help = "Announce this router as the next hop of every route (eBGP does anyway)."},
    {0},
};
static const struct schema_object bgp_peer_object = {"BGP peer", sizeof(struct config_bgp_peer),
    .name_offset = offsetof(struct config_bgp_peer, name), .fields = bgp_peer_fields};

static const struct schema_field bgp_fields[] = {
    {"as", SCHEMA_INT, SCHEMA_REQUIRED, AT(config_bgp, as), 1, UINT32_MAX - 1, .help = "Number of this AS."},
    {"networks", SCHEMA_PREFIX, SCHEMA_LIST, AT(config_bgp, networks), .max_items = 1024,
	.help = "Prefixes that this router announces, whether or not a route to exactly them exists."},
    {"announce", SCHEMA_WORD, SCHEMA_LIST, AT(config_bgp, announce), .words = announce_words, .max_items = 2,
	.dflt_note = "nothing", .help = "Routes that are announced, too. Those of WANs and tunnels are not."},
    {"graceful-restart", SCHEMA_OBJECT, SCHEMA_FILL | SCHEMA_OFF, AT(config_bgp, graceful_restart),
	.object = &graceful_restart_object,
	.help = "Keep forwarding while control restarts. `off`: not offered."},
    {"peers", SCHEMA_OBJECT, SCHEMA_MAP, AT(config_bgp, peers), .max_items = 1024, .object = &bgp_peer_object,
	.help = "Neighbours by name."},
    {0},
};
static const struct schema_object bgp_object = {"bgp", sizeof(struct config_bgp), .fields = bgp_fields};

static const struct schema_field file_fields[] = {
    {"router", SCHEMA_OBJECT, SCHEMA_FILL, AT(config, router), .object = &router_object,
	.help = "The router itself."},
    {"ports", SCHEMA_OBJECT, SCHEMA_MAP | SCHEMA_REQUIRED | SCHEMA_IFNAMES, AT(config, ports),
	.max_items = 256, .object = &port_object,
	.help = "Ports by name. The name is the host interface's and appears in every listing, so it differs "
		"from the "
		"device's."},
    {"tunnels", SCHEMA_OBJECT, SCHEMA_MAP | SCHEMA_IFNAMES, AT(config, tunnels), .max_items = 1024,
	.object = &tunnel_object, .help = "WireGuard tunnels by name."},
    {"routes", SCHEMA_OBJECT, SCHEMA_LIST, AT(config, routes), .max_items = 65536, .object = &route_object,
	.help = "Static routes."},
    {"prefix-lists", SCHEMA_OBJECT, SCHEMA_MAP, AT(config, prefix_lists), .max_items = 1024,
	.object = &prefix_list_object, .help = "Prefix lists by name."},
    {"filters", SCHEMA_OBJECT, SCHEMA_MAP, AT(config, filters), .max_items = 1024, .object = &filter_object,
	.help = "Filters by name."},
    {"bgp", SCHEMA_OBJECT, 0, AT(config, bgp), .object = &bgp_object, .dflt_note = "no BGP", .help = "BGP."},
    {0},
};
const struct schema_object schema_file = {"file", sizeof(struct config), .fields = file_fields};
