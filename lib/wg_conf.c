/* SPDX-License-Identifier: BSD-3-Clause */
/* One table of keys for each kind of section; a line is looked up in the table of the section it stands in.
 */
#include "lib/wg_conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/err.h"

#define VALUE_MAX 1023 /* bytes of one item of a value */

struct parser {
	struct wg_conf *c;
	struct wg_conf_peer *peer; /* NULL: [Interface] */
	bool in_section;
	unsigned line;
	bool failed;
	wg_conf_say_fn say;
	void *arg;
};

__attribute__((format(printf, 3, 4))) static int tell(struct parser *p, bool error, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->failed |= error;
	p->say(p->arg, p->line, error, text);
	return error ? ERR_INVALID : 0;
}

/* Room for one more element; doubles. */
static int grow(void **array, size_t used, size_t *room, size_t size)
{
	size_t bigger = *room ? *room * 2 : 8;
	void *more;

	if (used < *room)
		return 0;
	more = calloc(bigger, size);
	if (!more)
		return ERR_NOMEM;
	if (*array) {
		memcpy(more, *array, used * size);
		crypto_wipe(*array, used * size);
		free(*array);
	}
	*array = more;
	*room = bigger;
	return 0;
}

/* --- values --- */

static int take_key(struct parser *p, const char *name, const char *value, uint8_t key[CRYPTO_KEY_LEN])
{
	if (crypto_parse_base64(key, value, strlen(value)))
		return tell(p, true,
		    "%s is not a key; expected 44 characters of base64, as wg genkey writes it", name);
	return 0;
}

static int take_number(struct parser *p, const char *name, const char *value, uint64_t max, uint64_t *out)
{
	bool hex = value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
	const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
	const char *start = value + (hex ? 2 : 0);

	if (!*start || strspn(start, digits) != strlen(start) || strlen(start) > 12 ||
	    strtoull(start, NULL, hex ? 16 : 10) > max)
		return tell(p, true, "%s = %.60s; expected a number from 0 to %llu", name, value,
		    (unsigned long long)max);
	*out = strtoull(start, NULL, hex ? 16 : 10);
	return 0;
}

static int add_prefix(struct wg_conf_prefixes *list, const struct ip_prefix *prefix)
{
	int rc = grow((void **)&list->v, list->n, &list->room, sizeof(*list->v));

	if (!rc)
		list->v[list->n++] = *prefix;
	return rc;
}

/* Cuts the next item of a list off, without the space around it. NULL: there is none left. */
static char *next_item(char **rest)
{
	char *item = *rest, *end;

	if (!item)
		return NULL;
	end = strchr(item, ',');
	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	item += strspn(item, " \t");
	for (end = item + strlen(item); end > item && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	return item;
}

static int take_private_key(struct parser *p, char *value)
{
	return take_key(p, "PrivateKey", value, p->c->private_key);
}

static int take_listen_port(struct parser *p, char *value)
{
	uint64_t v = 0;
	int rc = take_number(p, "ListenPort", value, UINT16_MAX, &v);

	p->c->listen_port = (uint16_t)v;
	return rc;
}

static int take_fwmark(struct parser *p, char *value)
{
	uint64_t v = 0;
	int rc = strcasecmp(value, "off") == 0 ? 0 : take_number(p, "FwMark", value, UINT32_MAX, &v);

	p->c->fwmark = (uint32_t)v;
	return rc;
}

static int take_mtu(struct parser *p, char *value)
{
	uint64_t v = 0;
	int rc = take_number(p, "MTU", value, UINT16_MAX, &v);

	if (!rc && (v < 1280 || v > 8920))
		return tell(p, false, "MTU = %llu is left out: Byway's tunnels carry 1280 to 8920 bytes",
		    (unsigned long long)v);
	p->c->mtu = (uint16_t)v;
	return rc;
}

static int take_addresses(struct parser *p, char *value)
{
	struct ip_prefix prefix;
	int rc = 0;

	for (char *item; !rc && (item = next_item(&value));) {
		if (ip_ifaddr_parse(item, &prefix, NULL))
			rc = tell(p, true,
			    "Address = %.60s; expected an address with the length of its subnet, "
			    "such as 10.0.0.1/24",
			    item);
		else
			rc = add_prefix(&p->c->addresses, &prefix);
	}
	return rc;
}

static int take_table(struct parser *p, char *value)
{
	p->c->without_routes = strcasecmp(value, "off") == 0;
	if (!p->c->without_routes && strcasecmp(value, "auto") != 0)
		tell(p, false,
		    "Table = %.60s is left out: Byway has no tables by number, the routes go where all do",
		    value);
	return 0;
}

static int take_dns(struct parser *p, char *value)
{
	return tell(p, false,
	    "DNS = %.60s is left out: whom the hosts ask for names is not the router's to say", value);
}

static int take_command(struct parser *p, char *value)
{
	return tell(p, false, "the command \"%.80s\" is left out: Byway runs none", value);
}

static int take_save_config(struct parser *p, char *value)
{
	return tell(
	    p, false, "SaveConfig is left out: the file is the owner's, what wg sets is kept beside it");
}

static int take_public_key(struct parser *p, char *value)
{
	return take_key(p, "PublicKey", value, p->peer->public_key);
}

static int take_preshared_key(struct parser *p, char *value)
{
	return take_key(p, "PresharedKey", value, p->peer->preshared_key);
}

static int take_endpoint(struct parser *p, char *value)
{
	const char *colon = strrchr(value, ':');
	struct ip_endpoint e;
	bool name = ip_endpoint_parse(value, &e, NULL) != 0;
	uint64_t port = 0;

	if (name && (!colon || colon == value || strlen(value) >= WG_CONF_ENDPOINT || value[0] == '[' ||
			strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") !=
			    (size_t)(colon - value)))
		return tell(p, true,
		    "Endpoint = %.60s; expected an address or a name, and a port, such as "
		    "192.0.2.1:51820 or [2001:db8::1]:51820",
		    value);
	if (name && take_number(p, "Endpoint's port", colon + 1, UINT16_MAX, &port))
		return ERR_INVALID;
	snprintf(p->peer->endpoint, sizeof(p->peer->endpoint), "%s", value);
	return 0;
}

static int take_keepalive(struct parser *p, char *value)
{
	uint64_t v = 0;
	int rc =
	    strcasecmp(value, "off") == 0 ? 0 : take_number(p, "PersistentKeepalive", value, UINT16_MAX, &v);

	p->peer->keepalive_s = (uint16_t)v;
	return rc;
}

static int take_allowed_ips(struct parser *p, char *value)
{
	struct ip_prefix prefix;
	int rc = 0;

	for (char *item; !rc && (item = next_item(&value));) {
		if (!*item)
			continue; /* an empty list is one */
		if (ip_ifaddr_parse(item, &prefix, NULL)) {
			rc = tell(p, true, "AllowedIPs = %.60s; expected a prefix such as 10.2.0.0/16", item);
			continue;
		}
		prefix = ip_prefix_mask(&prefix);
		rc = add_prefix(&p->peer->allowed_ips, &prefix);
	}
	return rc;
}

/* --- lines --- */

struct key {
	const char *name;
	int (*take)(struct parser *p, char *value);
};

static const struct key interface_keys[] = {
    {"PrivateKey", take_private_key},
    {"ListenPort", take_listen_port},
    {"FwMark", take_fwmark},
    {"Address", take_addresses},
    {"MTU", take_mtu},
    {"Table", take_table},
    {"DNS", take_dns},
    {"PreUp", take_command},
    {"PostUp", take_command},
    {"PreDown", take_command},
    {"PostDown", take_command},
    {"SaveConfig", take_save_config},
    {NULL, NULL},
};

static const struct key peer_keys[] = {
    {"PublicKey", take_public_key},
    {"PresharedKey", take_preshared_key},
    {"Endpoint", take_endpoint},
    {"PersistentKeepalive", take_keepalive},
    {"AllowedIPs", take_allowed_ips},
    {NULL, NULL},
};

static int begin_peer(struct parser *p)
{
	struct wg_conf *c = p->c;
	int rc = grow((void **)&c->peers, c->n_peers, &c->peers_room, sizeof(*c->peers));

	if (rc)
		return rc;
	p->peer = &c->peers[c->n_peers++];
	p->peer->line = p->line;
	return 0;
}

static int take_section(struct parser *p, const char *line)
{
	p->peer = NULL;
	p->in_section = true;
	if (strcasecmp(line, "[Interface]") == 0)
		return 0;
	if (strcasecmp(line, "[Peer]") == 0)
		return begin_peer(p);
	p->in_section = false;
	return tell(p, true, "section %.40s; expected [Interface] or [Peer]", line);
}

static int take_setting(struct parser *p, char *line)
{
	char *equals = strchr(line, '='), *end;

	if (!equals)
		return tell(p, true, "expected Key = Value, or a section");
	if (!p->in_section)
		return tell(p, true, "a setting before any section; expected [Interface] first");
	for (end = equals; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	for (const struct key *k = p->peer ? peer_keys : interface_keys; k->name; k++)
		if (strcasecmp(k->name, line) == 0)
			return k->take(p, equals + 1 + strspn(equals + 1, " \t"));
	return tell(p, true, "unknown key %.40s in %s", line, p->peer ? "a [Peer]" : "[Interface]");
}

/* One line, cut out of the file: comment and space go. */
static int take_line(struct parser *p, char *line)
{
	char *end = strchr(line, '#');

	if (end)
		*end = '\0';
	line += strspn(line, " \t\r");
	for (end = line + strlen(line); end > line && strchr(" \t\r", end[-1]); end--)
		end[-1] = '\0';
	if (!*line)
		return 0;
	return *line == '[' ? take_section(p, line) : take_setting(p, line);
}

static void check_whole(struct parser *p)
{
	p->line = 0;
	if (!p->failed && crypto_is_zero(p->c->private_key, CRYPTO_KEY_LEN))
		tell(p, true, "there is no PrivateKey; expected one in [Interface]");
	for (size_t i = 0; i < p->c->n_peers; i++) {
		p->line = p->c->peers[i].line;
		if (!p->failed && crypto_is_zero(p->c->peers[i].public_key, CRYPTO_KEY_LEN))
			tell(p, true, "this peer has no PublicKey; expected one");
	}
}

int wg_conf_parse(const char *text, size_t len, struct wg_conf *out, wg_conf_say_fn say, void *arg)
{
	struct wg_conf c = {0};
	struct parser p = {.c = &c, .say = say, .arg = arg};
	const char *at = text, *end = text + len;
	int rc = 0;

	while (at < end && rc != ERR_NOMEM) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = stop ? (size_t)(stop - at) : (size_t)(end - at);
		char *line = malloc(n + 1);

		if (line) {
			memcpy(line, at, n);
			line[n] = '\0';
		}
		p.line++;
		if (!line)
			rc = ERR_NOMEM;
		else if (strlen(line) < n)
			rc = tell(&p, true, "a zero byte; expected text");
		else
			rc = take_line(&p, line);
		if (line)
			crypto_wipe(line, n);
		free(line);
		at = stop ? stop + 1 : end;
	}
	if (rc != ERR_NOMEM)
		check_whole(&p);
	if (rc != ERR_NOMEM)
		rc = p.failed ? ERR_INVALID : 0;
	if (rc)
		wg_conf_free(&c);
	else
		*out = c;
	return rc;
}

void wg_conf_free(struct wg_conf *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		free(c->peers[i].allowed_ips.v);
	if (c->peers)
		crypto_wipe(c->peers, c->n_peers * sizeof(*c->peers));
	free(c->peers);
	free(c->addresses.v);
	crypto_wipe(c, sizeof(*c));
}
