/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object store: everything that control (or `wg set`) told the dataplane, keyed by class and
 * key, as the encoded SET message it came in. It validates batches, hands accepted changes to a
 * backend (apply.c in the daemon, a fake in tests), sweeps after a sync and is walked by queries
 * and by the writer of the state on disk. Pure: no socket, clock, or DPDK. Slow thread only.
 *
 * A batch runs twice over the same code: once for its verdict, undone whatever it is, and once with
 * the backend at each step. So every step sees the store exactly as the message before left it, and a
 * step that fails although it was valid (a device vanished meanwhile) takes the steps before it back.
 */
#ifndef BYWAY_DATAPLANE_STORE_H
#define BYWAY_DATAPLANE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/err.h"
#include "lib/fibmsg.h"

/* In order of dependency: an object names objects of lower classes only. */
enum store_class {
	STORE_ROUTER,
	STORE_PORT,
	STORE_LINE,
	STORE_TUNNEL,
	STORE_ADDRESS,
	STORE_PEER,
	STORE_ALLOWED_IP,
	STORE_NEXTHOP,
	STORE_GROUP,
	STORE_ROUTE, /* kept apart, compact; never a struct store_object */
	STORE_CLASSES,
};

enum store_origin { STORE_CONTROL, STORE_UAPI, STORE_ORIGINS };

#define STORE_KEY_MAX 68

struct store_key {
	uint8_t class, len;
	uint8_t bytes[STORE_KEY_MAX];
};

struct store_object {
	struct store_object *next; /* in its hash bucket */
	TAILQ_ENTRY(store_object) link;
	struct store_key key;
	uint8_t origin; /* enum store_origin */
	bool failed;  /* the dataplane lost it while a batch was rolled back: the next SET applies it again */
	bool changed; /* control's, and `wg set` has made something else of it since control named it */
	uint16_t len; /* bytes of the message with its type and length */
	uint16_t epoch; /* of the sync that named it last */
	uint32_t refs;	/* objects and routes that name it */
	uint8_t *bytes;
	union {
		void *ptr;
		uint32_t index;
	} priv; /* the backend's */
};

struct store_route {
	uint32_t table, group;
	struct ip_prefix prefix;
};

struct store;

/*
 * What a store drives. Each may be NULL. Errors need a sentence in msg.
 * check: what only the backend sees of a new (old NULL) or changed object; changes nothing.
 * object: makes (old NULL), changes, or removes (now NULL) it; on error nothing changed, or the old is lost,
 * too, and o->failed says so.
 * route: group NULL removes it.
 * committed: the datagram is in force; called after the last step.
 */
struct store_backend {
	int (*check)(void *arg, const struct fibmsg *now, const struct fibmsg *old, struct err_msg *msg);
	int (*object)(void *arg, struct store_object *o, const struct fibmsg *old, const struct fibmsg *now,
	    struct err_msg *msg);
	int (*route)(void *arg, uint32_t table, const struct ip_prefix *prefix, struct store_object *group,
	    struct err_msg *msg);
	void (*committed)(void *arg, enum store_origin origin, const uint8_t *datagram, size_t len);
	void *arg;
};

/* seed: secret of the hash tables. NULL when memory is short. The backend must outlive the store. */
struct store *store_new(const struct store_backend *backend, uint64_t seed);
/* Forgets everything without calling the backend. */
void store_free(struct store *s);

/*
 * Validates and applies one datagram of SET and DEL messages whole, or refuses it whole. Fills ack
 * (seq as in the datagram, index of the message that is wrong, sentence) and returns the code in it:
 * ERR_PROTO, ERR_TRUNCATED, ERR_INVALID, ERR_RANGE: the datagram or a field; ERR_NOENT: names what is not
 * there; ERR_BUSY: removes what is in use; ERR_EXISTS: collides; ERR_FULL, ERR_NOMEM; and what the backend
 * says.
 */
int store_apply_batch(
    struct store *s, const uint8_t *datagram, size_t len, enum store_origin origin, struct fibmsg_ack *ack);

/* One of several datagrams that are one batch. */
struct store_datagram {
	const uint8_t *bytes;
	size_t len;
};
/* The same for n datagrams: applied whole or refused whole together. ack: of the datagram that is wrong, else
 * of the last. FIBMSG_F_CHECK in any of them: all are validated alone. */
int store_apply_batches(struct store *s, const struct store_datagram *datagrams, unsigned n,
    enum store_origin origin, struct fibmsg_ack *ack);

/* A sync: what control names from here on belongs to `generation`. ERR_INVALID: that of the last one, or 0.
 */
int store_sync_begin(struct store *s, uint64_t generation, struct err_msg *msg);
/* The sync named everything. ERR_PROTO: no such sync runs. Then call store_sweep until it returns 0. */
int store_sync_end(struct store *s, uint64_t generation, struct err_msg *msg);
/* Removes some of what the sync did not name, users before what they use; 1: there is more, 0: done. */
int store_sweep(struct store *s);
uint64_t store_generation(const struct store *s); /* of the last sync begun; 0: holds nothing yet */
void store_set_generation(struct store *s, uint64_t generation); /* as restored from disk */
uint32_t store_id_base(const struct store *s); /* no id of a next hop or group so far is this or above */

/* Lookups and walks. Objects stay valid until the next batch or sweep. */
struct store_object *store_find(const struct store *s, const struct store_key *key);
struct store_object *store_first(const struct store *s, enum store_class class);
struct store_object *store_after(const struct store_object *o);
unsigned store_count(const struct store *s, enum store_class class);
/* The object as its SET message. */
void store_decode(const struct store_object *o, struct fibmsg *m);
/* Routes in no order; *cursor starts at 0 and survives batches in between. false: past the last. At most
 * `budget` slots are looked at; *got false when none was found among them. */
bool store_route_next(
    const struct store *s, uint64_t *cursor, unsigned budget, struct store_route *out, bool *got);

/* Keys of what messages name. store_key_of: of a SET or DEL message; ERR_PROTO for other types. */
int store_key_of(const struct fibmsg *m, struct store_key *key);
void store_key_name(enum store_class class, const char *name, struct store_key *key);
void store_key_id(enum store_class class, uint32_t id, struct store_key *key);
void store_key_peer(const char tunnel[FIBMSG_NAME], const uint8_t peer[32], struct store_key *key);

#endif
