#include "dataplane/host.h"
#include "dataplane/address.h"
int netlink_start(struct err_msg *msg)
{
	return 0;
}
void netlink_stop(void)
{
}
bool netlink_running(void)
{
	return false;
}
uint64_t netlink_tick(uint64_t now_ns)
{
	return UINT64_MAX;
}
int netlink_address_set(struct iface *ifc, const struct ip_prefix *a, struct err_msg *msg)
{
	int rc = address_add(ifc, a);
	return rc ? err_set(msg, rc, "%s: no room for another address", ifc->name) : 0;
}
int netlink_address_del(struct iface *ifc, const struct ip_prefix *a)
{
	address_del(ifc, a);
	return 0;
}
void netlink_neigh_ask(const struct iface *ifc, const struct ip_addr *a, bool managed)
{
}
void hostrule_schedule(void)
{
}
