/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's backend: which function takes an object of which class, routes, and the router itself.
 * Slow thread only.
 */
#include "dataplane/apply.h"

#include <string.h>
#include <sys/random.h>

#include "dataplane/address.h"
#include "dataplane/fib.h"
#include "dataplane/host.h"
#include "dataplane/port.h"
#include "dataplane/rcu.h"
#include "dataplane/state.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"
#include "lib/log.h"

#define REMOVED_AT_ONCE 1024

static struct store *store;
static bool stopping;

struct store *apply_store(void)
{
	return store;
}

bool apply_is_stopping(void)
{
	return stopping;
}

static int apply_router(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg)
{
	static const struct fibmsg none;
	const struct fibmsg_router *r = &(now ? now : &none)->u.router;
	int rc = iface_set_router_sources(&r->source4, &r->source6);

	if (rc)
		return err_set(msg, rc, "no memory for the router's sources");
	icmp_set_rate(r->icmp_rate);
	hostrule_schedule();
	return 0;
}

typedef int apply_fn(
    struct store_object *o, const struct fibmsg *old, const struct fibmsg *now, struct err_msg *msg);

static apply_fn *const appliers[STORE_ROUTE] = {
    [STORE_ROUTER] = apply_router,
    [STORE_PORT] = apply_port,
    [STORE_LINE] = apply_line,
    [STORE_TUNNEL] = apply_tunnel,
    [STORE_ADDRESS] = apply_address,
    [STORE_PEER] = apply_peer,
    [STORE_ALLOWED_IP] = apply_allowed_ip,
    [STORE_NEXTHOP] = apply_nexthop,
    [STORE_GROUP] = apply_group,
};

static int drive_object(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
    struct err_msg *msg)
{
	return appliers[o->key.class](o, old, now, msg);
}

static int drive_route(void *arg, uint32_t table, const struct ip_prefix *prefix, struct store_object *group,
    struct err_msg *msg)
{
	char text[IP_PREFIX_STRLEN];
	int rc = group ? fib_set(table, prefix, FIB_CONTROL, group->priv.index)
		       : fib_del(table, prefix, FIB_CONTROL);

	if (rc)
		err_set(msg, rc, "route %s: %s", ip_prefix_format(prefix, text), err_text(rc));
	return rc;
}

static int check_object(void *arg, const struct fibmsg *now, const struct fibmsg *old, struct err_msg *msg)
{
	switch (now->type) {
	case FIBMSG_SET_PORT: /* one's own device is not in use by another */
		if (old && strcmp(old->u.port.device, now->u.port.device) == 0)
			return 0;
		return port_check(&now->u.port, msg);
	case FIBMSG_SET_TUNNEL:
		return tunnel_check(&now->u.tunnel, msg);
	case FIBMSG_SET_PEER:
		return tunnel_peer_check(&now->u.peer, msg);
	default:
		return 0;
	}
}

/*
 * Between two batches nothing of the tables is held here: what the last one replaced may be freed and used
 * again. Long runs of batches (the state on disk, a full table) would else wait for themselves.
 */
static void handle_committed(void *arg, enum store_origin origin, const uint8_t *datagram, size_t len)
{
	state_note_batch(origin, datagram, len);
	rcu_quiescent_state();
}

int apply_start(struct err_msg *msg)
{
	const struct store_backend backend = {
	    .check = check_object,
	    .object = drive_object,
	    .route = drive_route,
	    .committed = handle_committed,
	};
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(msg, ERR_IO, "no random bytes");
	store = store_new(&backend, seed);
	return store ? 0 : err_set(msg, ERR_NOMEM, "no memory for the object store");
}

static void remove_routes(void)
{
	uint64_t cursor = 0;
	struct store_route r;
	unsigned n = 0;
	bool got;

	while (store_route_next(store, &cursor, UINT32_MAX, &r, &got)) {
		if (got)
			fib_del(r.table, &r.prefix, FIB_CONTROL);
		if (++n % REMOVED_AT_ONCE == 0)
			rcu_quiescent_state(); /* as after a batch */
	}
}

void apply_stop(void)
{
	struct err_msg msg;

	if (!store)
		return;
	stopping = true;
	remove_routes();
	for (unsigned class = STORE_ROUTE; class -- > 0;) {
		for (struct store_object *o = store_first(store, class); o; o = store_after(o)) {
			struct fibmsg m;

			store_decode(o, &m);
			if (!o->failed && appliers[class](o, &m, NULL, &msg))
				log_warn("stopping: %s", msg.text);
		}
	}
	store_free(store);
	store = NULL;
	stopping = false;
}
