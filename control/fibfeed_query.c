/* SPDX-License-Identifier: BSD-3-Clause */
/* Queries to the dataplane and validation without effect, for the control socket. Control's only thread. */
#include <stdlib.h>
#include <string.h>

#include "control/fibfeed_internal.h"

bool fibfeed_is_connected(const struct fibfeed *f)
{
	return f->phase == FIBFEED_SYNCING || f->phase == FIBFEED_LIVE;
}

int fibfeed_query(struct fibfeed *f, const struct fibmsg_query_msg *query,
    void (*row)(void *arg, const struct fibmsg *m), fibfeed_done_fn done, void *arg, uint32_t *id)
{
	struct fibmsg m = {.type = FIBMSG_QUERY};
	struct fibfeed_query *q;
	struct buf_writer w;
	uint8_t bytes[256];

	if (!fibfeed_is_connected(f))
		return ERR_CLOSED;
	m.u.query_msg = *query;
	buf_writer_init(&w, bytes, sizeof(bytes));
	fibmsg_begin(&w, ++f->seq, 0);
	if (fibmsg_append(&w, &m, NULL) != 0 || fibfeed_send(f, bytes, buf_writer_len(&w)) != 0)
		return ERR_CLOSED;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		abort();
	q->seq = f->seq;
	q->row = row;
	q->done = done;
	q->arg = arg;
	*id = q->seq;
	TAILQ_INSERT_TAIL(&f->queries, q, link);
	return 0;
}

static struct fibfeed_query *find(struct fibfeed *f, uint32_t seq)
{
	struct fibfeed_query *q;

	TAILQ_FOREACH (q, &f->queries, link) {
		if (q->seq == seq)
			return q;
	}
	return NULL;
}

void fibfeed_cancel(struct fibfeed *f, uint32_t id)
{
	struct fibfeed_query *q = find(f, id);

	if (q == NULL)
		return;
	TAILQ_REMOVE(&f->queries, q, link);
	free(q);
}

void fibfeed_query_row(struct fibfeed *f, uint32_t seq, const struct fibmsg *m)
{
	struct fibfeed_query *q = find(f, seq);

	if (q != NULL)
		q->row(q->arg, m);
}

void fibfeed_query_end(struct fibfeed *f, const struct fibmsg_end *end)
{
	struct fibfeed_query *q = find(f, end->seq), copy;

	if (q == NULL)
		return;
	copy = *q;
	TAILQ_REMOVE(&f->queries, q, link);
	free(q);
	copy.done(copy.arg, -(int)end->code, end->text);
}

void fibfeed_query_fail_all(struct fibfeed *f, const char *why)
{
	struct fibfeed_query *q, copy;

	while ((q = TAILQ_FIRST(&f->queries)) != NULL) {
		copy = *q;
		TAILQ_REMOVE(&f->queries, q, link);
		free(q);
		copy.done(copy.arg, ERR_CLOSED, why);
	}
}

int fibfeed_check(struct fibfeed *f, const struct config_objects *o, fibfeed_done_fn done, void *arg)
{
	struct buf_writer w;
	uint8_t *bytes;
	int rc = 0;

	if (!fibfeed_is_connected(f))
		return ERR_CLOSED;
	bytes = malloc(FIBMSG_MAX_LEN);
	if (bytes == NULL)
		abort();
	buf_writer_init(&w, bytes, FIBMSG_MAX_LEN);
	fibmsg_begin(&w, ++f->seq, FIBMSG_F_CHECK);
	for (size_t i = 0; i < o->n && rc == 0; i++)
		rc = fibmsg_append(&w, &o->v[i], NULL);
	if (rc != 0) {
		rc = ERR_TOOLONG;
		goto out;
	}
	rc = fibfeed_send(f, bytes, buf_writer_len(&w)) == 0 ? 0 : ERR_CLOSED;
	if (rc == 0)
		fibfeed_keep_flight(f, f->seq, bytes, buf_writer_len(&w), done, arg);
out:
	free(bytes);
	return rc;
}
