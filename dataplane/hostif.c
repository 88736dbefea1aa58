/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host interfaces: a persistent TAP for each port and TUN for each tunnel and byway0, through which the
 * kernel is the host behind the ports. They outlive the process and are taken over at the next start. Slow
 * thread only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/host.h"
#include "dataplane/pkt.h"
#include "dataplane/slow.h"
#include "dataplane/tunnel.h"
#include "dataplane/worker.h"
#include "lib/log.h"

#define READ_BURST WORKER_BURST /* packets read in one wake-up */

struct hostif {
	int fd, ifindex;
	uint16_t iface; /* index */
};

/* A switch of the kernel's for one interface. */
struct sysctl {
	const char *family, *name, *value;
	bool tun_only;
};

/* clang-format off */
static const struct sysctl sysctls[] = {
	/* The kernel is a host here: it must never forward behind the dataplane's back. */
	{"ipv4", "forwarding", "0", false},
	{"ipv6", "forwarding", "0", false},
	/* Answers come in by the line that the FIB chose, which is not where the kernel's default points. */
	{"ipv4", "rp_filter", "2", false},
	/* ARP speaks only of the addresses of the interface it is heard on. */
	{"ipv4", "arp_ignore", "1", false},
	{"ipv4", "arp_announce", "2", false},
	{"ipv4", "accept_redirects", "0", false},
	{"ipv4", "send_redirects", "0", false},
	{"ipv6", "accept_redirects", "0", false},
	{"ipv6", "accept_ra", "0", false},
	{"ipv6", "disable_ipv6", "0", false},
	/* Addresses serve at once: duplicates are the administrator's to avoid, a restart must not wait for them. */
	{"ipv6", "accept_dad", "0", false},
	{"ipv6", "dad_transmits", "0", false},
	/* A link-local address of its own would only make noise in a tunnel. */
	{"ipv6", "addr_gen_mode", "1", true},
};
/* clang-format on */

void (*hostif_sink)(struct rte_mbuf *pkt);

static void set_sysctls(const char *name, bool tun)
{
	for (unsigned i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		char path[128];
		int fd;

		if (sysctls[i].tun_only && !tun)
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", sysctls[i].family, name,
		    sysctls[i].name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, sysctls[i].value, 1) != 1)
			log_debug("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}

/* --- from the host --- */

/* Packets of one flow stay in order: the same addresses, the same worker. */
static uint32_t flow_of(const struct rte_mbuf *pkt, unsigned l2_len)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(pkt, const uint8_t *, l2_len);
	unsigned from = 12, to = 20;
	uint32_t h = 0;

	if (pkt->data_len >= l2_len + 40u && p[0] >> 4 == 6) {
		from = 8;
		to = 40;
	}
	if (pkt->data_len < l2_len + to)
		return 0;
	for (unsigned i = from; i < to; i++)
		h = (h ^ p[i]) * 16777619u;
	return h ^ h >> 16;
}

/* Where a packet that the kernel sent on this interface goes. */
static void address_packet(struct rte_mbuf *pkt, const struct iface *ifc)
{
	struct pkt_meta *m = pkt_meta(pkt);

	memset(m, 0, sizeof(*m));
	m->flags = PKT_FROM_HOST;
	m->peer = TUNNEL_PEER_NONE;
	m->out = ifc->index;
	m->flow_hash = flow_of(pkt, ifc->kind == IFACE_PORT ? 14 : 0);
	switch (ifc->kind) {
	case IFACE_PORT:
		m->op = PKT_TX_FRAME;
		break;
	case IFACE_TUNNEL:
		m->op = PKT_TUNNEL_OUT;
		break;
	case IFACE_HOST:
		m->op = PKT_FORWARD;
		m->in = ifc->index; /* errors about it come back here */
		m->out = 0;
		m->table = FIBMSG_OVERLAY;
		break;
	}
}

/* One packet of the kernel's; NULL: there is none. */
static struct rte_mbuf *read_packet(struct hostif *h, const struct iface *ifc)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(worker_pool);
	ssize_t n;

	if (!pkt)
		return NULL; /* the kernel's queue is bounded, and frees itself */
	n = read(h->fd, rte_pktmbuf_mtod(pkt, void *), rte_pktmbuf_tailroom(pkt));
	if (n <= 0) {
		rte_pktmbuf_free(pkt);
		return NULL;
	}
	pkt->data_len = (uint16_t)n;
	pkt->pkt_len = (uint32_t)n;
	address_packet(pkt, ifc);
	return pkt;
}

static void handle_read(void *arg, uint32_t events)
{
	struct rte_mbuf *to[WORKER_MAX][READ_BURST];
	struct hostif *h = arg;
	struct iface *ifc = iface_by_index(h->iface);
	unsigned n[WORKER_MAX] = {0};

	for (unsigned i = 0; ifc && i < READ_BURST; i++) {
		struct rte_mbuf *pkt = read_packet(h, ifc);
		unsigned id;

		if (!pkt)
			break;
		id = worker_for(pkt_meta(pkt)->flow_hash)->id;
		to[id][n[id]++] = pkt;
	}
	for (unsigned id = 0; id < worker_count; id++) {
		if (n[id])
			worker_inject(worker_table[id], to[id], n[id]);
	}
}

/* --- to the host --- */

void hostif_write(struct rte_mbuf *pkt)
{
	const struct iface *ifc = iface_by_index(pkt_meta(pkt)->in);
	ssize_t n;

	if (hostif_sink) {
		hostif_sink(pkt);
		return;
	}
	if (!ifc || !ifc->hostif || rte_pktmbuf_linearize(pkt) != 0) {
		slow_drop(pkt, DROP_HOST_WRITE);
		return;
	}
	n = write(ifc->hostif->fd, rte_pktmbuf_mtod(pkt, const void *), pkt->data_len);
	if (n == pkt->data_len)
		rte_pktmbuf_free(pkt);
	else
		slow_drop(pkt, DROP_HOST_WRITE);
}

/* --- making and removing --- */

static int configure(const char *name, unsigned long request, struct ifreq *r)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (s < 0)
		return -1;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	rc = ioctl(s, request, r);
	close(s);
	return rc;
}

/* The TUN or TAP of this name, made or taken over; -1 with errno. */
static int attach(const char *name, bool tap)
{
	struct ifreq r = {.ifr_flags = (short)((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI)};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int saved;

	if (fd < 0)
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0) {
		ioctl(fd, TUNSETOFFLOAD, 0); /* whole packets with their checksums */
		return fd;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int attach_or_say(const char *name, bool tap, int *fd, struct err_msg *msg)
{
	*fd = attach(name, tap);
	if (*fd < 0 && errno == EINVAL) { /* left over as the other kind: a port was a tunnel once */
		int other = attach(name, !tap);

		if (other >= 0) {
			ioctl(other, TUNSETPERSIST, 0);
			close(other);
		}
		*fd = attach(name, tap);
	}
	if (*fd >= 0)
		return 0;
	if (errno == EBUSY)
		return err_set(msg, ERR_BUSY, "interface %s is in use by another program", name);
	return err_set(msg, errno == EPERM || errno == EACCES ? ERR_PERM : ERR_IO, "host interface %s: %s",
	    name, strerror(errno));
}

static int bring_up(const char *name, const uint8_t mac[6], uint16_t mtu, int *ifindex)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	if (mac) {
		memcpy(r.ifr_hwaddr.sa_data, mac, 6);
		if (configure(name, SIOCSIFHWADDR, &r) < 0)
			return -1;
	}
	memset(&r, 0, sizeof(r));
	r.ifr_mtu = mtu;
	if (configure(name, SIOCSIFMTU, &r) < 0)
		return -1;
	memset(&r, 0, sizeof(r));
	if (configure(name, SIOCGIFFLAGS, &r) < 0)
		return -1;
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	if (configure(name, SIOCSIFFLAGS, &r) < 0)
		return -1;
	memset(&r, 0, sizeof(r));
	if (configure(name, SIOCGIFINDEX, &r) < 0)
		return -1;
	*ifindex = r.ifr_ifindex;
	return 0;
}

int hostif_open(struct iface *ifc, const uint8_t mac[6], struct err_msg *msg)
{
	uint16_t mtu = atomic_load_explicit(&ifc->mtu, memory_order_relaxed);
	struct hostif *h = ifc->hostif;
	int rc = 0;

	if (!netlink_running())
		return 0;
	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return err_set(msg, ERR_NOMEM, "no memory for host interface %s", ifc->name);
		h->iface = ifc->index;
		rc = attach_or_say(ifc->name, mac != NULL, &h->fd, msg);
		if (rc) {
			free(h);
			return rc;
		}
	}
	set_sysctls(ifc->name, mac == NULL);
	if (bring_up(ifc->name, mac, mtu, &h->ifindex) < 0)
		rc = err_set(msg, ERR_IO, "host interface %s: %s", ifc->name, strerror(errno));
	else if (!ifc->hostif)
		rc = slow_watch(h->fd, EPOLLIN, handle_read, h);
	if (rc && !ifc->hostif) {
		close(h->fd);
		free(h);
		return rc;
	}
	ifc->hostif = h;
	netlink_resync(); /* addresses and neighbours that it kept from before */
	return rc;
}

void hostif_close(struct iface *ifc, bool remove)
{
	struct hostif *h = ifc->hostif;

	if (!h)
		return;
	slow_unwatch(h->fd);
	if (remove)
		ioctl(h->fd, TUNSETPERSIST, 0);
	close(h->fd);
	free(h);
	ifc->hostif = NULL;
}

int hostif_set_mtu(struct iface *ifc, uint16_t mtu)
{
	struct ifreq r = {.ifr_mtu = mtu};

	if (!ifc->hostif)
		return 0;
	return configure(ifc->name, SIOCSIFMTU, &r) < 0 ? ERR_IO : 0;
}

int hostif_ifindex(const struct iface *ifc)
{
	return ifc->hostif ? ifc->hostif->ifindex : 0;
}

struct iface *hostif_by_ifindex(int ifindex)
{
	for (uint16_t i = 1; i < IFACE_MAX; i++) {
		struct iface *ifc = iface_by_index(i);

		if (ifc && ifc->hostif && ifc->hostif->ifindex == ifindex)
			return ifc;
	}
	return NULL;
}
