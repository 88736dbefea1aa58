/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key of flow hashes. Main thread.
 */
#include "dataplane/flow.h"

/* Digits of pi until a random one is set: a zero would let products vanish. */
uint64_t flow_key[4] = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344),
    UINT64_C(0xa4093822299f31d0), UINT64_C(0x082efa98ec4e6c89)};

void flow_set_key(const uint8_t key[32])
{
	memcpy(flow_key, key, sizeof(flow_key));
}
