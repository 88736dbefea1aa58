/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Living sessions go over a planned restart. Slow thread (the main thread, before and after it is that).
 */
#ifndef BYWAY_DATAPLANE_TUNNEL_HANDOVER_H
#define BYWAY_DATAPLANE_TUNNEL_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

struct tunnel_peer;

/* The program that ends: the next tunnel_stop hands sessions on. */
void tunnel_handover_begin(void);
/* tunnel_stop: takes the sessions from the workers and seals them, if tunnel_handover_begin was called. */
void tunnel_handover_save(void);
/* The descriptor of what was sealed, for the successor to inherit; the caller closes it. -1: there is none.
 */
int tunnel_handover_take_fd(void);

/* The successor, before tunnels are made: takes over the descriptor. What is no good is said and ignored. */
void tunnel_handover_open(int fd);
/* When the peers of the state on disk are made: forgets the others'. */
void tunnel_handover_close(void);
/* The UDP port that the tunnel had; 0: it is not known. */
uint16_t tunnel_handover_port(const char *tunnel);
/* A peer that is being made takes its sessions over. True if it is as it was: it can send at once, or had no
 * key before either. */
bool tunnel_handover_restore(struct tunnel_peer *p);

#endif
