/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers to control's queries, a row at a time, so that a listing of a million routes needs no memory
 * of its size and batches go on in between. Slow thread only.
 */
#ifndef BYWAY_DATAPLANE_QUERY_H
#define BYWAY_DATAPLANE_QUERY_H

#include "dataplane/store.h"

struct query {
	uint32_t seq;
	struct fibmsg_query_msg what;
	unsigned stage, index; /* where it stands */
	uint64_t cursor;
};

/* ERR_RANGE: no such kind, with a sentence. */
int query_start(struct query *q, uint32_t seq, const struct fibmsg_query_msg *what, struct err_msg *msg);
/* 1: a row; 0: none this time, call again; ERR_NOENT: that was the last. */
int query_next(struct query *q, struct store *store, struct fibmsg *row);

#endif
