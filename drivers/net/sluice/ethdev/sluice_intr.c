/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receive interrupts: a polling core that has nothing to do sleeps on the eventfds of its queues.
 *
 * An interrupt is a hint and never more: wakes without a packet are harmless, what is read from an
 * eventfd means nothing. A wish for interrupts is one wake; it is repeated before each sleep, as
 * DPDK's examples do. Nobody sleeps over a packet: what came before the wish is looked for behind a
 * fence, and then the eventfd is written here. Nobody sleeps over the end of a device either: all
 * are woken when a port stops, fails, or is live again, since the new rings know of no wishes.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"

static void
close_fds(struct sluice_intr *intr)
{
	while (intr->nb_fds != 0)
		close(intr->fds[--intr->nb_fds]);
}

static int
open_fds(struct sluice_intr *intr, uint16_t nb)
{
	while (intr->nb_fds < nb) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err = errno;

		if (fd < 0) {
			close_fds(intr);
			return -err;
		}
		intr->fds[intr->nb_fds++] = fd;
	}
	return 0;
}

/*
 * A virtual device has no handle of EAL's. In ours the size of the counter stays 0, so EAL does not
 * read the eventfds, and need not: each write is an edge. The back end has them too, and could
 * empty one between EAL's wake and its read, which EAL repeats until there is something.
 */
static int
make_handle(struct rte_eth_dev *dev)
{
	struct rte_intr_handle *handle;

	if (dev->intr_handle != NULL)
		return 0;
	handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (handle == NULL)
		return -ENOMEM;
	rte_intr_type_set(handle, RTE_INTR_HANDLE_VDEV);
	rte_intr_fd_set(handle, -1);
	rte_intr_dev_fd_set(handle, -1);
	sluice_port_of(dev)->intr.own = handle;
	dev->intr_handle = handle;
	return 0;
}

/* What ethdev looks up: queue i has "vector" 1 + i, and that has eventfd i. */
static int
fill_handle(struct rte_eth_dev *dev, const struct sluice_intr *intr)
{
	struct rte_intr_handle *handle = dev->intr_handle;
	int ret = rte_intr_vec_list_alloc(handle, "sluice", intr->nb_fds);
	uint16_t i;

	for (i = 0; ret == 0 && i < intr->nb_fds; i++) {
		ret = rte_intr_vec_list_index_set(handle, i, RTE_INTR_VEC_RXTX_OFFSET + i);
		if (ret == 0)
			ret = rte_intr_efds_index_set(handle, i, intr->fds[i]);
	}
	return ret == 0 ? rte_intr_nb_efd_set(handle, intr->nb_fds) : ret;
}

/*
 * With port->lock. Interrupts end first, then EAL forgets who waits for what, then the descriptors
 * go.
 */
static void
close_locked(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct sluice_intr *intr = &port->intr;

	if (intr->nb_fds == 0)
		return;
	if (port->transport->ops->set_queue_irqs != NULL)
		port->transport->ops->set_queue_irqs(port->transport, NULL, 0);
	rte_intr_free_epoll_fd(dev->intr_handle);
	rte_intr_nb_efd_set(dev->intr_handle, 0);
	rte_intr_vec_list_free(dev->intr_handle);
	close_fds(intr);
}

static int
open_locked(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = make_handle(dev); /* who has eventfds has it */

	if (ret == 0)
		ret = open_fds(&port->intr, dev->data->nb_rx_queues);
	if (ret == 0)
		ret = fill_handle(dev, &port->intr);
	if (ret != 0)
		SLUICE_LOG(ERR, "port %u: no eventfds for %u receive queues: %s", port->port_id,
				dev->data->nb_rx_queues, strerror(-ret));
	else if (port->transport->ops->set_queue_irqs != NULL)
		ret = port->transport->ops->set_queue_irqs(
				port->transport, port->intr.fds, port->intr.nb_fds);
	return ret;
}

int
sluice_intr_configure(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	bool is_wanted = dev->data->dev_conf.intr_conf.rxq != 0 && dev->data->nb_rx_queues != 0;
	int ret = 0;

	sluice_life_lock(port, SLUICE_LOCK_MS);
	if (!is_wanted || port->intr.nb_fds != dev->data->nb_rx_queues) {
		close_locked(dev);
		if (is_wanted)
			ret = open_locked(dev);
		if (ret != 0)
			close_locked(dev);
	}
	pthread_mutex_unlock(&port->lock);
	return ret;
}

void
sluice_intr_close(struct rte_eth_dev *dev)
{
	struct sluice_intr *intr = &sluice_port_of(dev)->intr;

	sluice_life_lock(sluice_port_of(dev), SLUICE_LOCK_MS);
	close_locked(dev);
	pthread_mutex_unlock(&sluice_port_of(dev)->lock);
	if (intr->own == NULL)
		return;
	dev->intr_handle = NULL;
	rte_intr_instance_free(intr->own);
	intr->own = NULL;
}

int
sluice_rx_queue_intr_enable(struct rte_eth_dev *dev, uint16_t id)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct sluice_rxq *rxq = dev->data->rx_queues[id];
	bool has_work = false;

	if (id >= port->intr.nb_fds)
		return -ENOTSUP; /* not asked for in dev_configure() */
	/* Without a device there is nobody to ask; the port wakes all when there is one. */
	rte_spinlock_lock(&rxq->q.look_lock);
	if (sluice_queue_is_running(&rxq->q))
		has_work = sluice_rxq_arm(rxq);
	rte_spinlock_unlock(&rxq->q.look_lock);
	if (has_work)
		sluice_intr_signal(port->intr.fds[id]);
	return 0;
}

int
sluice_rx_queue_intr_disable(struct rte_eth_dev *dev, uint16_t id)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct sluice_rxq *rxq = dev->data->rx_queues[id];

	if (id >= port->intr.nb_fds)
		return -ENOTSUP;
	rte_spinlock_lock(&rxq->q.look_lock);
	if (sluice_queue_is_running(&rxq->q))
		sluice_rxq_disarm(rxq);
	rte_spinlock_unlock(&rxq->q.look_lock);
	return 0;
}
