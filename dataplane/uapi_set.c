/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `wg set`, `setconf`, `addconf` and `syncconf` ask for, as one batch of the object store: the request
 * is turned into SET and DEL messages of origin STORE_UAPI, which are applied whole or refused whole. Peers
 * that stay keep their sessions, also with replace_peers; prefixes that stay are not touched. Slow thread
 * only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"

#define SECTIONS_MAX  (4 * TUNNEL_PEERS) /* peers in one request */
#define MESSAGES_MAX  UINT16_MAX	 /* in one datagram */
#define DATAGRAMS_MAX 1024		 /* 64 MiB; 130,560 allowed-IPs that others replace take 300 */

#define NO_SECTION UINT32_MAX

/* A peer as the request has made it up to a section of it. */
struct view {
	struct fibmsg_peer now;
	uint32_t earlier; /* the section before this one that names the same peer; NO_SECTION */
	bool there;
	bool cleared;	       /* by this section: of what was before it the peer has no prefix */
	bool starts_keepalive; /* it had none before */
};

struct change {
	struct tunnel *tunnel;
	const struct wg_uapi_request *r;
	uint8_t own_key[CRYPTO_KEY_LEN]; /* public; zero: none */
	struct view *views;		 /* one a section */
	/* The batch so far; the last datagram is being filled by w. */
	struct store_datagram *datagrams;
	unsigned n, room, messages;
	struct buf_writer w;
	struct err_msg msg;
};

/* --- the batch --- */

static void end_datagram(struct change *c)
{
	if (c->n > 0)
		c->datagrams[c->n - 1].len = buf_writer_len(&c->w);
}

static int begin_datagram(struct change *c)
{
	unsigned room = c->room ? c->room * 2 : 4;
	struct store_datagram *more;
	uint8_t *bytes;

	end_datagram(c);
	if (c->n == DATAGRAMS_MAX)
		return err_set(&c->msg, ERR_FULL, "more than %u MiB of changes in one request",
		    (unsigned)(DATAGRAMS_MAX * (FIBMSG_MAX_LEN >> 10) >> 10));
	if (c->n == c->room) {
		more = realloc(c->datagrams, room * sizeof(*more));
		if (!more)
			return ERR_NOMEM;
		c->datagrams = more;
		c->room = room;
	}
	bytes = malloc(FIBMSG_MAX_LEN);
	if (!bytes)
		return ERR_NOMEM;
	c->datagrams[c->n++] = (struct store_datagram){.bytes = bytes};
	c->messages = 0;
	buf_writer_init(&c->w, bytes, FIBMSG_MAX_LEN);
	fibmsg_begin(&c->w, 0, 0);
	return 0;
}

static int add_message(struct change *c, const struct fibmsg *m)
{
	int rc = c->n > 0 && c->messages < MESSAGES_MAX ? fibmsg_append(&c->w, m, &c->msg) : ERR_FULL;

	if (rc == ERR_FULL) {
		rc = begin_datagram(c);
		if (!rc)
			rc = fibmsg_append(&c->w, m, &c->msg);
	}
	c->messages++;
	return rc;
}

static int add_peer(struct change *c, const struct fibmsg_peer *p)
{
	struct fibmsg m = {.type = FIBMSG_SET_PEER};

	m.u.peer = *p;
	return add_message(c, &m);
}

static int add_allowed_ip(struct change *c, enum fibmsg_type type, const uint8_t key[CRYPTO_KEY_LEN],
    const struct ip_prefix *prefix)
{
	struct fibmsg m = {.type = (uint16_t)type};

	memcpy(m.u.allowed_ip.tunnel, c->tunnel->iface->name, FIBMSG_NAME);
	memcpy(m.u.allowed_ip.key, key, sizeof(m.u.allowed_ip.key));
	m.u.allowed_ip.prefix = *prefix;
	return add_message(c, &m);
}

/* --- prefixes --- */

static int compare_prefixes(const void *left, const void *right)
{
	const struct ip_prefix *a = left, *b = right;

	if (a->addr.family != b->addr.family)
		return a->addr.family - b->addr.family;
	return a->len != b->len ? a->len - b->len : memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
}

/* What a section adds, sorted; NULL: memory is short. */
static struct ip_prefix *sort_added(const struct change *c, const struct wg_uapi_peer *s, size_t *n)
{
	struct ip_prefix *v = calloc(s->n_allowed_ips + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; v && i < s->n_allowed_ips; i++) {
		const struct wg_uapi_allowed_ip *a = &c->r->allowed_ips[s->first_allowed_ip + i];

		if (!a->remove)
			v[(*n)++] = a->prefix;
	}
	if (v)
		qsort(v, *n, sizeof(*v), compare_prefixes);
	return v;
}

/*
 * Removes what the peer had before a section of the request, but for what the section adds (NULL: none does).
 * earlier: the section that named it before; back to one that cleared the peer, and no further, so that each
 * prefix is removed once however often a request names its peer.
 */
static int drop_prefixes(
    struct change *c, const uint8_t key[CRYPTO_KEY_LEN], uint32_t earlier, const struct wg_uapi_peer *keep)
{
	static const struct wg_uapi_peer nothing;
	const struct tunnel_peer *p = tunnel_peer_by_key(c->tunnel, key);
	size_t n;
	struct ip_prefix *kept = sort_added(c, keep ? keep : &nothing, &n);
	int rc = kept ? 0 : ERR_NOMEM;
	bool cleared = false;

	for (uint32_t i = earlier; !rc && !cleared && i != NO_SECTION; i = c->views[i].earlier) {
		const struct wg_uapi_peer *s = &c->r->peers[i];

		for (size_t j = 0; !rc && j < s->n_allowed_ips; j++) {
			const struct ip_prefix *a = &c->r->allowed_ips[s->first_allowed_ip + j].prefix;

			if (!bsearch(a, kept, n, sizeof(*kept), compare_prefixes))
				rc = add_allowed_ip(c, FIBMSG_DEL_ALLOWED_IP, key, a);
		}
		cleared = c->views[i].cleared;
	}
	for (size_t i = 0; !rc && !cleared && p && i < p->n_allowed; i++)
		if (!bsearch(&p->allowed[i], kept, n, sizeof(*kept), compare_prefixes))
			rc = add_allowed_ip(c, FIBMSG_DEL_ALLOWED_IP, key, &p->allowed[i]);
	free(kept);
	return rc;
}

static int take_prefixes(struct change *c, const struct wg_uapi_peer *s)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->n_allowed_ips; i++) {
		const struct wg_uapi_allowed_ip *a = &c->r->allowed_ips[s->first_allowed_ip + i];

		rc = add_allowed_ip(
		    c, a->remove ? FIBMSG_DEL_ALLOWED_IP : FIBMSG_SET_ALLOWED_IP, s->public_key, &a->prefix);
	}
	return rc;
}

/*
 * A peer that the configuration lets have any address shows 0.0.0.0/0 and ::/0; without one of them it has
 * the other as a prefix of its own.
 */
static int narrow_any(struct change *c, const struct wg_uapi_peer *s, struct view *v)
{
	struct ip_prefix whole = {.addr = {.family = IP_V4}};
	bool taken[2] = {false, false};

	for (size_t i = 0; i < s->n_allowed_ips; i++) {
		const struct wg_uapi_allowed_ip *a = &c->r->allowed_ips[s->first_allowed_ip + i];

		if (a->remove && a->prefix.len == 0)
			taken[a->prefix.addr.family == IP_V6] = true;
	}
	if (!v->now.any || s->replace_allowed_ips || taken[0] || taken[1])
		v->now.any = 0;
	else
		return 0;
	if (s->replace_allowed_ips || taken[0] == taken[1])
		return 0;
	whole.addr.family = taken[0] ? IP_V6 : IP_V4;
	return add_allowed_ip(c, FIBMSG_SET_ALLOWED_IP, s->public_key, &whole);
}

/* --- peers --- */

static bool is_own_key(const struct change *c, const uint8_t key[CRYPTO_KEY_LEN])
{
	return !crypto_is_zero(c->own_key, CRYPTO_KEY_LEN) && memcmp(key, c->own_key, CRYPTO_KEY_LEN) == 0;
}

static const struct store_object *find_object(const struct change *c, const uint8_t key[CRYPTO_KEY_LEN])
{
	struct store_key k;

	store_key_peer(c->tunnel->iface->name, key, &k);
	return store_find(apply_store(), &k);
}

struct mention {
	const uint8_t *key;
	uint32_t section;
};

static int compare_mentions(const void *left, const void *right)
{
	const struct mention *a = left, *b = right;
	int order = memcmp(a->key, b->key, CRYPTO_KEY_LEN);

	return order ? order : (a->section > b->section) - (a->section < b->section);
}

/* Each section's `earlier`. ERR_NOMEM. */
static int link_sections(struct change *c)
{
	struct mention *v = calloc(c->r->n_peers + 1, sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < c->r->n_peers; i++)
		v[i] = (struct mention){.key = c->r->peers[i].public_key, .section = i};
	qsort(v, c->r->n_peers, sizeof(*v), compare_mentions);
	for (size_t i = 0; i < c->r->n_peers; i++)
		c->views[v[i].section].earlier = i > 0 && memcmp(v[i - 1].key, v[i].key, CRYPTO_KEY_LEN) == 0
						     ? v[i - 1].section
						     : NO_SECTION;
	free(v);
	return 0;
}

/* The peer as it is before this section; *first: no earlier one named it. */
static void fill_view(struct change *c, size_t section, bool *first)
{
	const uint8_t *key = c->r->peers[section].public_key;
	struct view *v = &c->views[section];
	const uint32_t earlier = v->earlier;
	const struct store_object *o;
	struct fibmsg m;

	*first = earlier == NO_SECTION;
	if (!*first) {
		*v = c->views[earlier];
		v->earlier = earlier;
		v->cleared = false;
		return;
	}
	o = find_object(c, key);
	if (o) {
		store_decode(o, &m);
		v->now = m.u.peer;
		v->there = true;
	}
}

static void empty_view(struct view *v)
{
	*v = (struct view){.earlier = v->earlier};
}

/* A name for people: the key's beginning, as `wg show` users know it. */
static void make_peer(const struct change *c, const uint8_t key[CRYPTO_KEY_LEN], struct view *v)
{
	char text[CRYPTO_KEY_STRLEN];

	empty_view(v);
	memcpy(v->now.tunnel, c->tunnel->iface->name, FIBMSG_NAME);
	memcpy(v->now.key, key, sizeof(v->now.key));
	crypto_format_base64(text, key);
	snprintf(v->now.name, sizeof(v->now.name), "%.10s", text);
	v->there = true;
}

/* live: the view is what the dataplane has now. The key there is stays where it is, in whatever file. */
static int take_preshared_key(struct change *c, const struct wg_uapi_peer *s, struct view *v, bool live)
{
	const struct tunnel_peer *p = live ? tunnel_peer_by_key(c->tunnel, s->public_key) : NULL;

	if (p && crypto_equal(p->noise.preshared_key, s->preshared_key, CRYPTO_KEY_LEN))
		return 0;
	memset(v->now.psk_path, 0, sizeof(v->now.psk_path));
	return crypto_is_zero(s->preshared_key, CRYPTO_KEY_LEN)
		   ? 0
		   : tunnel_key_store_put(s->preshared_key, v->now.psk_path, &c->msg);
}

static void take_settings(const struct wg_uapi_peer *s, struct view *v)
{
	if (s->has_endpoint)
		v->now.endpoint = s->endpoint;
	if (s->has_keepalive) {
		v->starts_keepalive |= v->now.keepalive_s == 0 && s->keepalive_s > 0;
		v->now.keepalive_s = s->keepalive_s;
	}
}

/* replace_peers: of what a peer had before only its session and what `wg` cannot say stays. */
static void reset_peer(const struct wg_uapi_peer *s, struct view *v)
{
	if (!s->has_preshared_key)
		memset(v->now.psk_path, 0, sizeof(v->now.psk_path));
	memset(&v->now.endpoint, 0, sizeof(v->now.endpoint));
	v->now.keepalive_s = 0;
	v->now.any = 0;
}

static int remove_peer(struct change *c, const uint8_t key[CRYPTO_KEY_LEN], uint32_t earlier)
{
	struct fibmsg m = {.type = FIBMSG_DEL_PEER};
	int rc = drop_prefixes(c, key, earlier, NULL);

	memcpy(m.u.peer_key.tunnel, c->tunnel->iface->name, FIBMSG_NAME);
	memcpy(m.u.peer_key.key, key, sizeof(m.u.peer_key.key));
	return rc ? rc : add_message(c, &m);
}

/* A new peer before its prefixes; one that is there after those it gets and before those it loses, so that
 * no packet meets a list half-made. */
static int take_peer(struct change *c, size_t section)
{
	struct wg_uapi_peer s = c->r->peers[section];
	struct view *v = &c->views[section];
	bool first, was;
	int rc;

	fill_view(c, section, &first);
	was = v->there;
	if (is_own_key(c, s.public_key) || (!was && (s.remove || s.update_only)))
		return 0;
	if (s.remove) {
		empty_view(v);
		v->cleared = true;
		return remove_peer(c, s.public_key, v->earlier);
	}
	if (!was)
		make_peer(c, s.public_key, v);
	if (was && first && c->r->replace_peers) {
		reset_peer(&s, v);
		s.replace_allowed_ips = true;
	}
	take_settings(&s, v);
	rc = s.has_preshared_key ? take_preshared_key(c, &s, v, was && first) : 0;
	if (!rc)
		rc = narrow_any(c, &s, v);
	if (!rc && !was)
		rc = add_peer(c, &v->now);
	if (!rc)
		rc = take_prefixes(c, &s);
	if (!rc && was)
		rc = add_peer(c, &v->now);
	if (!rc && s.replace_allowed_ips)
		rc = drop_prefixes(c, s.public_key, v->earlier, &s);
	v->cleared = s.replace_allowed_ips;
	crypto_wipe(&s, sizeof(s));
	return rc;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, CRYPTO_KEY_LEN);
}

/* replace_peers: those that the request does not name go. */
static int remove_unnamed(struct change *c)
{
	uint8_t(*named)[CRYPTO_KEY_LEN] = calloc(c->r->n_peers + 1, CRYPTO_KEY_LEN);
	int rc = named ? 0 : ERR_NOMEM;

	for (size_t i = 0; !rc && i < c->r->n_peers; i++)
		memcpy(named[i], c->r->peers[i].public_key, CRYPTO_KEY_LEN);
	if (!rc)
		qsort(named, c->r->n_peers, CRYPTO_KEY_LEN, compare_keys);
	for (uint16_t i = 0; !rc && i < TUNNEL_PEERS; i++) {
		const struct tunnel_peer *p = tunnel_peer_by_index(i);

		if (p && p->tunnel == c->tunnel &&
		    !bsearch(p->noise.public_key, named, c->r->n_peers, CRYPTO_KEY_LEN, compare_keys))
			rc = remove_peer(c, p->noise.public_key, NO_SECTION);
	}
	free(named);
	return rc;
}

/* --- the tunnel itself --- */

/* Its own public key from now on; no peer may have it. */
static int take_own_key(struct change *c)
{
	struct wg_noise_identity id;

	if (!c->r->has_private_key) {
		if (!c->tunnel->keyless)
			memcpy(c->own_key, c->tunnel->identity.public_key, sizeof(c->own_key));
		return 0;
	}
	if (!crypto_is_zero(c->r->private_key, CRYPTO_KEY_LEN)) {
		wg_noise_set_identity(&id, c->r->private_key);
		memcpy(c->own_key, id.public_key, sizeof(c->own_key));
		crypto_wipe(&id, sizeof(id));
	}
	return tunnel_peer_by_key(c->tunnel, c->own_key) ? remove_peer(c, c->own_key, NO_SECTION) : 0;
}

static int take_tunnel(struct change *c)
{
	const struct wg_uapi_request *r = c->r;
	bool same =
	    !c->tunnel->keyless && memcmp(c->own_key, c->tunnel->identity.public_key, CRYPTO_KEY_LEN) == 0;
	struct store_key key;
	struct fibmsg m;
	int rc = 0;

	if (!r->has_private_key && !r->has_listen_port && !r->has_fwmark)
		return 0;
	store_key_name(STORE_TUNNEL, c->tunnel->iface->name, &key);
	store_decode(store_find(apply_store(), &key), &m);
	if (r->has_listen_port)
		m.u.tunnel.listen_port = r->listen_port;
	if (r->has_fwmark)
		m.u.tunnel.fwmark = r->fwmark;
	if (r->has_private_key && !same)
		rc = tunnel_key_store_put(r->private_key, m.u.tunnel.key_path, &c->msg);
	return rc ? rc : add_message(c, &m);
}

/* --- all of it --- */

static int build(struct change *c)
{
	int rc = link_sections(c);

	if (!rc)
		rc = take_own_key(c);
	if (!rc)
		rc = take_tunnel(c);
	if (!rc && c->r->replace_peers)
		rc = remove_unnamed(c);
	for (size_t i = 0; !rc && i < c->r->n_peers; i++)
		rc = take_peer(c, i);
	end_datagram(c);
	return rc;
}

/* What a SET that changes nothing does not do: `wg set` with an endpoint means from now on, wherever the peer
 * was heard since; and the first keepalive goes out at once. */
static void follow_up(const struct change *c)
{
	for (size_t i = 0; i < c->r->n_peers; i++) {
		const struct wg_uapi_peer *s = &c->r->peers[i];
		struct tunnel_peer *p = tunnel_peer_by_key(c->tunnel, s->public_key);

		if (p && s->has_endpoint)
			tunnel_peer_use_configured(p);
		if (p && c->views[i].starts_keepalive)
			tunnel_peer_greet(p);
	}
}

static int to_errno(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case ERR_NOMEM:
		return ENOMEM;
	case ERR_FULL:
		return ENOSPC;
	case ERR_BUSY:
		return EBUSY;
	case ERR_EXISTS:
		return EADDRINUSE; /* the only thing of a tunnel that can be another's */
	case ERR_NOENT:
	case ERR_IO:
		return EIO;
	case ERR_PERM:
		return EPERM;
	case ERR_UNSUPPORTED:
		return EOPNOTSUPP;
	default:
		return EINVAL;
	}
}

/* The port is another tunnel's? */
static bool port_is_taken(const struct change *c)
{
	const struct iface *user = c->r->has_listen_port && c->r->listen_port
				       ? iface_by_index(tunnel_by_port(c->r->listen_port))
				       : NULL;

	return user && user != c->tunnel->iface;
}

int uapi_set(struct tunnel *t, const struct wg_uapi_request *r)
{
	struct change c = {.tunnel = t, .r = r};
	struct fibmsg_ack ack = {0};
	int rc = ERR_NOMEM;

	if (port_is_taken(&c))
		rc = err_set(&c.msg, ERR_EXISTS, "UDP port %u is another tunnel's", r->listen_port);
	else if (r->n_peers > SECTIONS_MAX)
		rc = err_set(&c.msg, ERR_FULL, "%zu peers in one request", r->n_peers);
	else if ((c.views = calloc(r->n_peers + 1, sizeof(*c.views))))
		rc = build(&c);
	if (!rc) {
		rc = store_apply_batches(apply_store(), c.datagrams, c.n, STORE_UAPI, &ack);
		snprintf(c.msg.text, sizeof(c.msg.text), "%s", ack.text);
	}
	if (rc)
		log_warn("tunnel %s: wg set: nothing was changed: %s", t->iface->name,
		    c.msg.text[0] ? c.msg.text : err_text(rc));
	else
		follow_up(&c);
	for (unsigned i = 0; i < c.n; i++)
		free((void *)(uintptr_t)c.datagrams[i].bytes);
	free(c.datagrams);
	free(c.views);
	return to_errno(rc);
}
