/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations on what the port receives: promiscuous modes, addresses, VLANs. A device with a
 * control queue is told, and waited for; where there is none all is received, whatever was asked
 * for. More than that harms no application, and some end when a driver refuses to be told less.
 */

#include <errno.h>
#include <inttypes.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"

/* port->lock, and the time of a conversation. */
static int
begin(struct sluice_port *port)
{
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	sluice_transport_begin(port->transport, SLUICE_FILTER_MS);
	return 0;
}

static int
end(struct sluice_port *port, int ret)
{
	pthread_mutex_unlock(&port->lock);
	return ret;
}

static int
set_mode(struct rte_eth_dev *dev, bool is_on, int (*set)(struct sluice_port *port, bool is_on))
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = begin(port);

	return ret != 0 ? ret : end(port, set(port, is_on));
}

int
sluice_promiscuous_enable(struct rte_eth_dev *dev)
{
	return set_mode(dev, true, sluice_filter_set_promiscuous);
}

int
sluice_promiscuous_disable(struct rte_eth_dev *dev)
{
	return set_mode(dev, false, sluice_filter_set_promiscuous);
}

int
sluice_allmulticast_enable(struct rte_eth_dev *dev)
{
	return set_mode(dev, true, sluice_filter_set_all_multicast);
}

int
sluice_allmulticast_disable(struct rte_eth_dev *dev)
{
	return set_mode(dev, false, sluice_filter_set_all_multicast);
}

static int
set_mac(struct rte_eth_dev *dev, uint32_t index, const struct rte_ether_addr *addr)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = begin(port);

	return ret != 0 ? ret : end(port, sluice_filter_set_mac(port, index, addr));
}

int
sluice_mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	return set_mac(dev, 0, addr);
}

int
sluice_mac_addr_add(
		struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index, uint32_t pool)
{
	RTE_SET_USED(pool); /* of VMDq, which there is none */
	return set_mac(dev, index, addr);
}

void
sluice_mac_addr_remove(struct rte_eth_dev *dev, uint32_t index)
{
	/* What goes wrong is logged; then the port receives what nobody asked for. */
	set_mac(dev, index, NULL);
}

int
sluice_set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t nb)
{
	struct sluice_port *port = sluice_port_of(dev);
	uint32_t i;
	int ret;

	for (i = 0; i < nb; i++)
		if (!rte_is_multicast_ether_addr(&addrs[i])) {
			SLUICE_LOG(ERR,
					"port %u: address " RTE_ETHER_ADDR_PRT_FMT
					" is not multicast: add it with rte_eth_dev_mac_addr_add()",
					port->port_id, RTE_ETHER_ADDR_BYTES(&addrs[i]));
			return -EINVAL;
		}
	ret = begin(port);
	return ret != 0 ? ret : end(port, sluice_filter_set_multicast(port, addrs, nb));
}

int
sluice_vlan_filter_set(struct rte_eth_dev *dev, uint16_t id, int is_on)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = id < SLUICE_VLANS_MAX ? begin(port) : -EINVAL;

	return ret != 0 ? ret : end(port, sluice_filter_set_vlan(port, id, is_on != 0));
}

int
sluice_lro_set(struct rte_eth_dev *dev, bool is_on)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = begin(port);

	if (ret != 0)
		return ret;
	ret = sluice_filter_set_lro(port, is_on);
	if (ret == -ENOTSUP)
		SLUICE_LOG(ERR,
				"port %u: LRO is switched on a port that was configured with "
				"RTE_ETH_RX_OFFLOAD_TCP_LRO and has a device with CTRL_VQ and "
				"CTRL_GUEST_OFFLOADS: stop and configure this one",
				port->port_id);
	return end(port, ret);
}

/*
 * A device drops tagged packets, or does not, from the negotiation of its features on
 * (5.1.6.5.3.1). Taking tags off is the driver's, and so is a matter of burst functions.
 */
int
sluice_vlan_offload_set(struct rte_eth_dev *dev, int mask)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret;

	if (!dev->data->dev_started)
		return 0;
	if (!(mask & RTE_ETH_VLAN_FILTER_MASK)) {
		ret = begin(port);
		if (ret == 0)
			port->events->paths_chosen(port);
		return ret != 0 ? ret : end(port, 0);
	}
	SLUICE_LOG(ERR,
			"port %u: the VLAN filter is switched with the features of the device: stop the "
			"port first, or configure it with RTE_ETH_RX_OFFLOAD_VLAN_FILTER",
			port->port_id);
	return -EBUSY;
}
