/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations on the device behind a port: its link, whether it is there, what it is, what is
 * in its registers.
 */

#include <errno.h>
#include <string.h>

#include <rte_dev_info.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"

static int
set_link(struct rte_eth_dev *dev, void (*set)(struct sluice_port *port))
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	set(port);
	pthread_mutex_unlock(&port->lock);
	sluice_link_update(dev, 0);
	return 0;
}

int
sluice_set_link_up(struct rte_eth_dev *dev)
{
	return set_link(dev, sluice_link_up);
}

int
sluice_set_link_down(struct rte_eth_dev *dev)
{
	return set_link(dev, sluice_link_down);
}

int
sluice_mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct sluice_port *port = sluice_port_of(dev);
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t i;
	int ret = sluice_check_process(port);

	/* What is above the device's own was refused by ethdev. */
	for (i = 0; i < dev->data->nb_rx_queues && ret == 0; i++)
		if (dev->data->rx_queues[i] != NULL)
			ret = sluice_check_frame(port, dev->data->rx_queues[i], mtu);
	/*
	 * Most devices are told at start (5.1.4.2); while one runs the MTU only bounds what fits
	 * our buffers.
	 */
	if (ret != 0 || ops->set_mtu == NULL)
		return ret;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	ret = ops->set_mtu(port->transport, mtu);
	pthread_mutex_unlock(&port->lock);
	return ret;
}

int
sluice_is_removed(struct rte_eth_dev *dev)
{
	return sluice_dev_is_removed(sluice_port_of(dev));
}

int
sluice_fw_version_get(struct rte_eth_dev *dev, char *text, size_t len)
{
	struct sluice_port *port = sluice_port_of(dev);
	char all[128];
	size_t needed;

	port->transport->ops->describe(port->transport, all, sizeof(all));
	needed = strlen(all) + 1;
	if (len < needed)
		return needed;
	memcpy(text, all, needed);
	return 0;
}

int
sluice_get_reg(struct rte_eth_dev *dev, struct rte_dev_reg_info *regs)
{
	struct sluice_port *port = sluice_port_of(dev);
	unsigned int room = regs->data == NULL ? 0 : regs->length, nb;

	if (port->transport->ops->regs == NULL)
		return -ENOTSUP;
	if (regs->offset != 0)
		return -EINVAL;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	nb = port->transport->ops->regs(port->transport, regs->data, room);
	pthread_mutex_unlock(&port->lock);
	regs->width = sizeof(uint32_t);
	regs->version = 1; /* of virtio */
	if (regs->data == NULL)
		regs->length = nb;
	return 0;
}
