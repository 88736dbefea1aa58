/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Hands each frame of a network device to the dataplane's AF_XDP socket of its receive queue.
 * Without a socket (no dataplane) STEER_ELSE decides: XDP_DROP, so that nothing leaks past it, or
 * XDP_PASS where the owner chose `bypass: kernel`. Runs in the kernel; the AF_XDP driver wants the
 * map's name as it is.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64); /* receive queues */
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

/* The program's name is how port_xdp.c knows its own. */
SEC("xdp")
int byway_steer(struct xdp_md *ctx)
{
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, STEER_ELSE);
}

char steer_license[] SEC("license") = "Dual BSD/GPL";
