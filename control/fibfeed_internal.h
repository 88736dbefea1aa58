/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the FIB feed share: fibfeed.c, fibfeed_objects.c, fibfeed_query.c. Nobody else includes
 * it. */
#ifndef BYWAY_CONTROL_FIBFEED_INTERNAL_H
#define BYWAY_CONTROL_FIBFEED_INTERNAL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "control/fibfeed.h"
#include "lib/buf.h"

#define FIBFEED_BATCH_LEN 32768 /* bytes of a datagram: small enough that events and queries get between */

enum fibfeed_phase {
	FIBFEED_OFF,	 /* not connected */
	FIBFEED_HELLO,	 /* waits for HELLO_REPLY */
	FIBFEED_SYNCING, /* between SYNC_BEGIN and SYNC_END */
	FIBFEED_LIVE,
};

struct fibfeed_object {
	struct fibmsg set;
	bool sent;
	bool gone;   /* not wanted any more, the dataplane still has it */
	bool repeat; /* said once more, whether or not it is sent already */
	bool retry;  /* was refused: goes alone, so that a second refusal touches nothing else */
	char *refused;
	uint32_t seq; /* of the datagram that carries it, at the least */
	/*
	 * What the dataplane holds while it has not accepted `set`; NULL: nothing, or `set`. A sync names
	 * this instead of a refused one, so that its sweep takes no living tunnel or peer down.
	 */
	struct fibmsg *held;
	bool held_sent; /* in this sync */
	bool held_last; /* what was said last was `held`, not `set` */
	bool holds_set; /* `set` was accepted before it was said once more */
};

/* A datagram that the dataplane has not answered. */
struct fibfeed_flight {
	TAILQ_ENTRY(fibfeed_flight) link;
	uint32_t seq;
	bool unsent;	      /* the socket was full */
	bool stale;	      /* of before the last SYNC_BEGIN: everything in it is said again */
	fibfeed_done_fn done; /* of a check; NULL: a batch */
	void *arg;
	size_t len;
	uint8_t bytes[];
};

struct fibfeed_query {
	TAILQ_ENTRY(fibfeed_query) link;
	uint32_t seq;
	void (*row)(void *arg, const struct fibmsg *m);
	fibfeed_done_fn done;
	void *arg;
};

struct fibfeed {
	struct event_base *base;
	struct rib *rib;
	struct fibfeed_env env;
	const char *path;

	int fd;
	enum fibfeed_phase phase;
	struct event *readable, *writable, *retry_connect, *retry_refused;
	unsigned pause_ms;
	bool blocked;	 /* the socket takes no more now */
	bool complained; /* about a missing dataplane: one line, not one a second */
	char state[160];

	uint32_t seq;
	uint64_t generation;
	TAILQ_HEAD(, fibfeed_flight) flights;
	unsigned n_flights;
	TAILQ_HEAD(, fibfeed_query) queries;

	struct fibfeed_object *objects; /* sorted */
	size_t n_objects, n_refused;
	size_t next_object, next_gone; /* where the search for unsent and gone ones goes on */
	struct fibmsg stashed;	       /* the RIB's or a DEL; did not fit in the last datagram */
	bool has_stashed;
	uint8_t buffer[FIBMSG_MAX_LEN];
};

/* fibfeed_objects.c */
void fibfeed_objects_forget_sent(struct fibfeed *f);
void fibfeed_objects_free(struct fibfeed *f);
/* Next SET of an object; alone: it must be the only one of its datagram. */
bool fibfeed_objects_next_set(struct fibfeed *f, struct fibmsg *m, bool *alone);
/* What the last call of fibfeed_objects_next_set gave was not said: it comes again. */
void fibfeed_objects_unget(struct fibfeed *f);
/* The dataplane is another one, or was told by another control: nothing is known of what it holds. */
void fibfeed_objects_forget_held(struct fibfeed *f);
/* Next DEL of an object that is not wanted any more; users before what they use. */
bool fibfeed_objects_next_del(struct fibfeed *f, struct fibmsg *m);
/* Sets the object of a refused SET aside. False: it is none of the feed's objects. */
bool fibfeed_objects_refuse(struct fibfeed *f, const struct fibmsg *m, const char *why);
/* An accepted SET of an object that was tried again; true: there was one. */
bool fibfeed_objects_accept(struct fibfeed *f, const struct fibmsg *m);
/* Objects set aside are sent once more, each alone. */
void fibfeed_objects_retry(struct fibfeed *f);

/* fibfeed_query.c */
void fibfeed_query_row(struct fibfeed *f, uint32_t seq, const struct fibmsg *m);
void fibfeed_query_end(struct fibfeed *f, const struct fibmsg_end *end);
void fibfeed_query_fail_all(struct fibfeed *f, const char *why);

/* fibfeed.c. fibfeed_send: 0, or ERR_AGAIN: the socket is full (nothing was sent); ERR_CLOSED: the connection
 * is gone. */
int fibfeed_send(struct fibfeed *f, const void *data, size_t len);
struct fibfeed_flight *fibfeed_keep_flight(
    struct fibfeed *f, uint32_t seq, const void *data, size_t len, fibfeed_done_fn done, void *arg);

#endif
