/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tunnels, peers and allowed-IPs do to the dataplane. Slow thread, called by the store.
 */
#include "dataplane/apply.h"

#include <string.h>

#include "dataplane/address.h"
#include "dataplane/host.h"
#include "dataplane/monitor.h"
#include "dataplane/tunnel.h"
#include "dataplane/tunnel_peer.h"

/* The monitor judges a peer of a bound tunnel by that line, too. */
static int peer_judge(const struct fibmsg_peer *p, struct err_msg *msg)
{
	struct tunnel_peer *peer = tunnel_peer_find(p->tunnel, p->key);
	const struct iface *ifc = iface_by_name(p->tunnel);
	struct store_key key;
	struct fibmsg tunnel;
	int rc;

	store_key_name(STORE_TUNNEL, p->tunnel, &key);
	store_decode(store_find(apply_store(), &key), &tunnel);
	rc = monitor_peer_set(
	    p, ifc->index, tunnel_peer_index(peer), tunnel.u.tunnel.line, tunnel.u.tunnel.fallback);
	return rc ? err_set(msg, rc, "peer of %s: %s", p->tunnel, err_text(rc)) : 0;
}

static int peers_judge_again(const char *tunnel, struct err_msg *msg)
{
	int rc = 0;

	for (struct store_object *o = store_first(apply_store(), STORE_PEER); !rc && o; o = store_after(o)) {
		struct fibmsg m;

		store_decode(o, &m);
		if (strcmp(m.u.peer.tunnel, tunnel) == 0)
			rc = peer_judge(&m.u.peer, msg);
	}
	return rc;
}

static void tunnel_remove(const char *name)
{
	struct iface *ifc = iface_by_name(name);

	if (ifc) {
		address_clear(ifc);
		hostif_close(ifc, !apply_is_stopping());
	}
	if (!apply_is_stopping()) /* tunnel_stop writes first what survives */
		tunnel_del(name);
}

/* A key that `wg set` brought is named by this object no more. */
static void note_key_path(const char *old, const char *now)
{
	if (old[0] && (!now || strcmp(old, now) != 0))
		tunnel_key_store_want_sweep();
}

int apply_tunnel(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	const struct fibmsg_tunnel *t;
	struct iface *ifc;
	int rc;

	if (old)
		note_key_path(old->u.tunnel.key_path, now ? now->u.tunnel.key_path : NULL);
	if (!now) {
		tunnel_remove(old->u.tunnel.name);
		return 0;
	}
	t = &now->u.tunnel;
	rc = tunnel_set(t, msg);
	if (rc)
		return rc;
	ifc = iface_by_name(t->name);
	if (old) {
		hostif_set_mtu(ifc, atomic_load_explicit(&ifc->mtu, memory_order_relaxed));
		return strcmp(old->u.tunnel.line, t->line) != 0 || old->u.tunnel.fallback != t->fallback
			   ? peers_judge_again(t->name, msg)
			   : 0;
	}
	rc = hostif_open(ifc, NULL, msg);
	if (rc)
		tunnel_del(t->name);
	return rc;
}

int apply_peer(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	const struct fibmsg_peer *p = now ? &now->u.peer : &old->u.peer;
	int rc;

	if (old)
		note_key_path(old->u.peer.psk_path, now ? now->u.peer.psk_path : NULL);
	if (!now) {
		struct tunnel_peer *peer = tunnel_peer_find(p->tunnel, p->key);

		if (peer)
			monitor_peer_del(tunnel_peer_index(peer));
		if (!apply_is_stopping())
			tunnel_peer_del(p->tunnel, p->key);
		return 0;
	}
	rc = tunnel_peer_set(p, msg);
	if (rc)
		return rc;
	rc = peer_judge(p, msg);
	if (!rc)
		return 0;
	if (!old)
		tunnel_peer_del(p->tunnel, p->key);
	else if (tunnel_peer_set(&old->u.peer, NULL))
		o->failed = true;
	return rc;
}

int apply_allowed_ip(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	if (now)
		return tunnel_allowed_ip_set(&now->u.allowed_ip, msg);
	if (!apply_is_stopping())
		tunnel_allowed_ip_del(&old->u.allowed_ip);
	return 0;
}
