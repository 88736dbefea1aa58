#include "dataplane/host.h"
#include "dataplane/slow.h"
void (*hostif_sink)(struct rte_mbuf *pkt);
int hostif_open(struct iface *ifc, const uint8_t mac[6], struct err_msg *msg)
{
	return 0;
}
void hostif_close(struct iface *ifc, bool remove)
{
}
int hostif_set_mtu(struct iface *ifc, uint16_t mtu)
{
	return 0;
}
void hostif_write(struct rte_mbuf *pkt)
{
	if (hostif_sink)
		hostif_sink(pkt);
	else
		slow_drop(pkt, DROP_HOST_WRITE);
}
int hostif_ifindex(const struct iface *ifc)
{
	return 0;
}
struct iface *hostif_by_ifindex(int ifindex)
{
	return NULL;
}
