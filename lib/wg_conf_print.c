/* SPDX-License-Identifier: BSD-3-Clause */
/* A file of wg-quick's as a tunnel of a Byway configuration. */
#include <string.h>

#include "lib/wg_conf.h"

#define PORT_USUAL 51820u

const char *wg_conf_psk_path(
    const struct wg_conf *c, size_t i, const char *name, const char *key_dir, char *buf, size_t size)
{
	if (crypto_is_zero(c->peers[i].preshared_key, CRYPTO_KEY_LEN))
		return NULL;
	snprintf(buf, size, "%s/%s-peer%zu.psk", key_dir, name, i + 1);
	return buf;
}

static void print_list(FILE *out, const char *key, const struct wg_conf_prefixes *list, const char *indent)
{
	char text[IP_PREFIX_STRLEN];

	if (list->n == 0)
		return;
	fprintf(out, "%s%s:\n", indent, key);
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, "%s  - \"%s\"\n", indent, ip_prefix_format(&list->v[i], text));
}

static void print_peer(const struct wg_conf *c, size_t i, const char *name, const char *key_dir, FILE *out)
{
	const struct wg_conf_peer *p = &c->peers[i];
	char key[CRYPTO_KEY_STRLEN], path[512];

	crypto_format_base64(key, p->public_key);
	fprintf(out, "      - name: peer%zu\n        public-key: \"%s\"\n", i + 1, key);
	if (wg_conf_psk_path(c, i, name, key_dir, path, sizeof(path)))
		fprintf(out, "        preshared-key: \"%s\"\n", path);
	if (p->endpoint[0])
		fprintf(out, "        endpoint: \"%s\"\n", p->endpoint);
	if (p->keepalive_s)
		fprintf(out, "        persistent-keepalive: %us\n", p->keepalive_s);
	print_list(out, "allowed-ips", &p->allowed_ips, "        ");
}

/* wg-quick makes a route of every allowed-IP. */
static void print_routes(const struct wg_conf *c, const char *name, FILE *out, wg_conf_say_fn say, void *arg)
{
	char text[IP_PREFIX_STRLEN];
	bool any = false;

	for (size_t i = 0; i < c->n_peers && !c->without_routes; i++) {
		for (size_t j = 0; j < c->peers[i].allowed_ips.n; j++) {
			const struct ip_prefix *a = &c->peers[i].allowed_ips.v[j];

			fprintf(out, "%s  - { prefix: \"%s\", tunnel: %s, peer: peer%zu }\n",
			    any ? "" : "routes:\n", ip_prefix_format(a, text), name, i + 1);
			any = true;
			if (a->len == 0)
				say(arg, c->peers[i].line, false,
				    "the default route leads into the tunnel, as wg-quick would have it; "
				    "take it out of "
				    "routes if the lines shall serve");
		}
	}
}

void wg_conf_print(
    const struct wg_conf *c, const char *name, const char *key_dir, FILE *out, wg_conf_say_fn say, void *arg)
{
	bool any = false;

	fprintf(out, "tunnels:\n  %s:\n    private-key: \"%s/%s.key\"\n", name, key_dir, name);
	fprintf(out, "    listen-port: %u\n", c->listen_port ? c->listen_port : PORT_USUAL);
	if (!c->listen_port)
		say(arg, 0, false, "there is no ListenPort: 51820 was written; any free port will do");
	print_list(out, "addresses", &c->addresses, "    ");
	if (c->mtu)
		fprintf(out, "    mtu: %u\n", c->mtu);
	if (c->fwmark)
		fprintf(out, "    fwmark: %u\n", c->fwmark);
	for (size_t i = 0; i < c->n_peers; i++) {
		if (c->peers[i].allowed_ips.n == 0) {
			say(arg, c->peers[i].line, false,
			    "this peer has no AllowedIPs, so nothing may come from it or go to it; it is "
			    "left out");
			continue;
		}
		if (!any)
			fprintf(out, "    peers:\n");
		any = true;
		print_peer(c, i, name, key_dir, out);
	}
	print_routes(c, name, out, say, arg);
}
