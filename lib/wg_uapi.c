/* SPDX-License-Identifier: BSD-3-Clause */
/* One table of keys for the device and one for peers; a line is looked up in the table of the place it stands
 * in. */
#include "lib/wg_uapi.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nsec.h"

#define VALUE_MAX 64 /* bytes: a key in hexadecimal is the longest value */

struct parser {
	struct wg_uapi_request *r;
	struct wg_uapi_peer *peer; /* the one that lines belong to; NULL: the device */
	size_t peers_room, allowed_ips_room;
};

/* Room for one more element; doubles. Returns ENOMEM. */
static int grow_array(void **array, size_t used, size_t *room, size_t size)
{
	size_t bigger = *room ? *room * 2 : 16;
	void *p;

	if (used < *room)
		return 0;
	p = calloc(bigger, size);
	if (!p)
		return ENOMEM;
	if (*array) {
		memcpy(p, *array, used * size);
		crypto_wipe(*array, used * size);
		free(*array);
	}
	*array = p;
	*room = bigger;
	return 0;
}

static int parse_number(const char *value, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*value)
		return EINVAL;
	for (const char *p = value; *p; p++) {
		if (*p < '0' || *p > '9')
			return EINVAL;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return EINVAL;
	}
	*out = v;
	return 0;
}

static int parse_true(const char *value, bool *out)
{
	if (strcmp(value, "true") != 0)
		return EINVAL;
	*out = true;
	return 0;
}

static int parse_key(const char *value, uint8_t *key, bool *has)
{
	if (crypto_parse_hex(key, value, strlen(value)))
		return EINVAL;
	*has = true;
	return 0;
}

static int set_private_key(struct parser *p, const char *value)
{
	return parse_key(value, p->r->private_key, &p->r->has_private_key);
}

static int set_listen_port(struct parser *p, const char *value)
{
	uint64_t v;
	int err = parse_number(value, UINT16_MAX, &v);

	if (err)
		return err;
	p->r->listen_port = (uint16_t)v;
	p->r->has_listen_port = true;
	return 0;
}

static int set_fwmark(struct parser *p, const char *value)
{
	uint64_t v;
	int err = parse_number(value, UINT32_MAX, &v);

	if (err)
		return err;
	p->r->fwmark = (uint32_t)v;
	p->r->has_fwmark = true;
	return 0;
}

static int set_replace_peers(struct parser *p, const char *value)
{
	return parse_true(value, &p->r->replace_peers);
}

static int begin_peer(struct parser *p, const char *value)
{
	struct wg_uapi_request *r = p->r;
	bool has;
	int err = grow_array((void **)&r->peers, r->n_peers, &p->peers_room, sizeof(*r->peers));

	if (err)
		return err;
	p->peer = &r->peers[r->n_peers++];
	p->peer->first_allowed_ip = r->n_allowed_ips;
	return parse_key(value, p->peer->public_key, &has);
}

static int set_preshared_key(struct parser *p, const char *value)
{
	return parse_key(value, p->peer->preshared_key, &p->peer->has_preshared_key);
}

static int set_endpoint(struct parser *p, const char *value)
{
	if (ip_endpoint_parse(value, &p->peer->endpoint, NULL))
		return EINVAL;
	p->peer->has_endpoint = true;
	return 0;
}

static int set_keepalive(struct parser *p, const char *value)
{
	uint64_t v;
	int err = parse_number(value, UINT16_MAX, &v);

	if (err)
		return err;
	p->peer->keepalive_s = (uint16_t)v;
	p->peer->has_keepalive = true;
	return 0;
}

static int set_remove(struct parser *p, const char *value)
{
	return parse_true(value, &p->peer->remove);
}

static int set_update_only(struct parser *p, const char *value)
{
	return parse_true(value, &p->peer->update_only);
}

static int set_replace_allowed_ips(struct parser *p, const char *value)
{
	return parse_true(value, &p->peer->replace_allowed_ips);
}

static int set_protocol_version(struct parser *p, const char *value)
{
	return strcmp(value, "1") == 0 ? 0 : EINVAL;
}

static int add_allowed_ip(struct parser *p, const char *value)
{
	struct wg_uapi_request *r = p->r;
	struct wg_uapi_allowed_ip *a;
	struct ip_prefix prefix;
	bool remove = *value == '-';
	int err;

	if (ip_ifaddr_parse(value + remove, &prefix, NULL))
		return EINVAL;
	err = grow_array(
	    (void **)&r->allowed_ips, r->n_allowed_ips, &p->allowed_ips_room, sizeof(*r->allowed_ips));
	if (err)
		return err;
	a = &r->allowed_ips[r->n_allowed_ips++];
	a->prefix = ip_prefix_mask(&prefix);
	a->remove = remove;
	p->peer->n_allowed_ips++;
	return 0;
}

struct key_entry {
	const char *name;
	int (*set)(struct parser *p, const char *value);
};

static const struct key_entry device_keys[] = {
    {"private_key", set_private_key},
    {"listen_port", set_listen_port},
    {"fwmark", set_fwmark},
    {"replace_peers", set_replace_peers},
    {"public_key", begin_peer},
    {NULL, NULL},
};

static const struct key_entry peer_keys[] = {
    {"public_key", begin_peer},
    {"preshared_key", set_preshared_key},
    {"endpoint", set_endpoint},
    {"persistent_keepalive_interval", set_keepalive},
    {"allowed_ip", add_allowed_ip},
    {"remove", set_remove},
    {"update_only", set_update_only},
    {"replace_allowed_ips", set_replace_allowed_ips},
    {"protocol_version", set_protocol_version},
    {NULL, NULL},
};

/* One line of len bytes without its end. */
static int parse_line(struct parser *p, const char *line, size_t len)
{
	const char *equals = memchr(line, '=', len);
	size_t name_len = equals ? (size_t)(equals - line) : 0, value_len = len - name_len - 1;
	char value[VALUE_MAX + 1];
	int err = EINVAL;

	if (!equals || value_len > VALUE_MAX || memchr(line, '\0', len))
		return EINVAL;
	memcpy(value, equals + 1, value_len);
	value[value_len] = '\0';
	for (const struct key_entry *k = p->peer ? peer_keys : device_keys; k->name; k++) {
		if (strlen(k->name) == name_len && memcmp(k->name, line, name_len) == 0) {
			err = k->set(p, value);
			break;
		}
	}
	crypto_wipe(value, sizeof(value));
	return err;
}

bool wg_uapi_find_end(const char *text, size_t len, size_t *used)
{
	const char *end = memmem(text, len, "\n\n", 2);

	if (!end)
		return false;
	*used = (size_t)(end - text) + 2;
	return true;
}

int wg_uapi_parse_request(const char *text, size_t len, struct wg_uapi_request *out)
{
	struct wg_uapi_request r = {0};
	struct parser p = {.r = &r};
	size_t at = 6;
	int err = EPROTO;

	if (len < 7 || text[len - 1] != '\n' || text[len - 2] != '\n')
		goto out;
	if (memcmp(text, "get=1\n", 6) == 0)
		r.kind = WG_UAPI_GET;
	else if (memcmp(text, "set=1\n", 6) == 0)
		r.kind = WG_UAPI_SET;
	else
		goto out;
	err = 0;
	while (!err && at < len - 1) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line_len = (size_t)(end - text) - at;

		err = r.kind == WG_UAPI_SET ? parse_line(&p, text + at, line_len) : EINVAL;
		at += line_len + 1;
	}
	if (!err)
		*out = r;
out:
	if (err)
		wg_uapi_free_request(&r);
	else
		crypto_wipe(&r, sizeof(r));
	return err;
}

void wg_uapi_free_request(struct wg_uapi_request *r)
{
	if (r->peers)
		crypto_wipe(r->peers, r->n_peers * sizeof(*r->peers));
	free(r->peers);
	free(r->allowed_ips);
	crypto_wipe(r, sizeof(*r));
}

__attribute__((format(printf, 2, 3))) static void write_text(struct buf_writer *w, const char *fmt, ...)
{
	char line[160];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	buf_write_bytes(w, line, (size_t)len);
	crypto_wipe(line, sizeof(line));
}

static void write_key(struct buf_writer *w, const char *name, const uint8_t *key)
{
	char hex[CRYPTO_HEX_STRLEN];

	crypto_format_hex(hex, key);
	write_text(w, "%s=%s\n", name, hex);
	crypto_wipe(hex, sizeof(hex));
}

void wg_uapi_write_device(struct buf_writer *w, const struct wg_uapi_device *d)
{
	if (!crypto_is_zero(d->private_key, sizeof(d->private_key)))
		write_key(w, "private_key", d->private_key);
	if (d->listen_port)
		write_text(w, "listen_port=%u\n", d->listen_port);
	if (d->fwmark)
		write_text(w, "fwmark=%u\n", d->fwmark);
}

void wg_uapi_write_peer(struct buf_writer *w, const struct wg_uapi_peer_state *p)
{
	char endpoint[IP_ENDPOINT_STRLEN];

	write_key(w, "public_key", p->public_key);
	write_key(w, "preshared_key", p->preshared_key);
	write_text(w, "protocol_version=1\n");
	if (p->endpoint.addr.family != IP_NONE)
		write_text(w, "endpoint=%s\n", ip_endpoint_format(&p->endpoint, endpoint));
	write_text(w, "last_handshake_time_sec=%llu\nlast_handshake_time_nsec=%llu\n",
	    (unsigned long long)(p->handshake_realtime_ns / NSEC_PER_SEC),
	    (unsigned long long)(p->handshake_realtime_ns % NSEC_PER_SEC));
	write_text(w, "tx_bytes=%llu\nrx_bytes=%llu\npersistent_keepalive_interval=%u\n",
	    (unsigned long long)p->tx_bytes, (unsigned long long)p->rx_bytes, p->keepalive_s);
}

void wg_uapi_write_allowed_ip(struct buf_writer *w, const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_STRLEN];

	write_text(w, "allowed_ip=%s\n", ip_prefix_format(prefix, text));
}

void wg_uapi_write_end(struct buf_writer *w, enum wg_uapi_kind kind, int err)
{
	write_text(w, "errno=%d\n\n", kind == WG_UAPI_SET ? -err : err);
}
