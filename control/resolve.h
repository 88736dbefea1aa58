/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of hosts as addresses, kept fresh: each name that is wanted is asked for in both families, again when
 * its time to live ends, sooner when somebody says that the address is of no use. What was known stays known
 * until something newer is. libevent's evdns (RFC 1035); control's only thread.
 */
#ifndef BYWAY_CONTROL_RESOLVE_H
#define BYWAY_CONTROL_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct event_base;
struct resolver;

struct resolver_env {
	void (*changed)(void *arg); /* addresses of a name did, or the reason why there are none */
	void *arg;
};

/* Whom to ask; each may be NULL. The texts outlive the resolver. */
struct resolver_source {
	const char *server;	 /* "127.0.0.1:5353" */
	const char *resolv_conf; /* path of resolv.conf(5): servers; read again when it changed */
	const char *hosts;	 /* path of hosts(5): a name that it has is not asked for */
};

/* Aborts when memory is out. */
struct resolver *resolver_new(
    struct event_base *base, const struct resolver_source *source, const struct resolver_env *env);
/* Not from the loop; unless nothing is queued in it, it does not run again: answers would meet freed names.
 */
void resolver_free(struct resolver *r);

/* These names and no others are wanted from now on; copied. */
void resolver_set_names(struct resolver *r, const char *const *names, size_t n);
/* An address that was known to another process, until an answer comes. Names that are not wanted, and
 * addresses at which no peer can be: nothing. */
void resolver_seed(struct resolver *r, const char *name, const struct ip_addr *a);
/*
 * The address of a name, of the better family if it has one there, else of the other; it stays the same as
 * long as the name's addresses hold it. False: none is known (yet).
 */
bool resolver_find(const struct resolver *r, const char *name, bool better6, struct ip_addr *out);
/*
 * Why the last question brought no address that can be an endpoint's: "no such name", "no address", "no
 * usable address"; NULL: it did, or none has ended yet. resolver_find may know an older one nevertheless.
 */
const char *resolver_error(const struct resolver *r, const char *name);
/* The address does not serve: asks again, but no name more often than every 10 s. */
void resolver_refresh(struct resolver *r, const char *name);

#endif
