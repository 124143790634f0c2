/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations on queues: release, and set-up while the port is started. ethdev releases a
 * queue before it sets it up again; in between the port has it still (sluice_queue_at()).
 */

#include "sluice_ethdev.h"
#include "sluice_life.h"

static void **
table_at(const struct rte_eth_dev *dev, uint16_t vq)
{
	return &(SLUICE_VQ_IS_TX(vq) ? dev->data->tx_queues : dev->data->rx_queues)[vq / 2];
}

static void
release(struct rte_eth_dev *dev, uint16_t vq)
{
	struct sluice_port *port = sluice_port_of(dev);
	void **at = table_at(dev, vq);
	struct sluice_queue *q = *at;
	bool is_left;

	if (q == NULL)
		return;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	is_left = sluice_port_is_started(port);
	rte_atomic_store_explicit(at, NULL, rte_memory_order_release);
	if (!is_left)
		rte_atomic_store_explicit(&port->queues[vq], NULL, rte_memory_order_release);
	pthread_mutex_unlock(&port->lock);
	if (!is_left)
		sluice_queue_free(q);
}

void
sluice_rx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
	release(dev, SLUICE_VQ_RX(id));
}

void
sluice_tx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
	release(dev, SLUICE_VQ_TX(id));
}

static bool
has_queue(const struct rte_eth_dev *dev, uint16_t vq)
{
	const struct rte_eth_dev_data *data = dev->data;
	uint16_t nb = SLUICE_VQ_IS_TX(vq) ? data->nb_tx_queues : data->nb_rx_queues;

	return vq / 2 < nb && *table_at(dev, vq) != NULL;
}

void
sluice_queues_free_left(struct sluice_port *port)
{
	struct sluice_queue *q;
	uint16_t vq;

	for (vq = 0; vq < RTE_DIM(port->queues); vq++) {
		if (has_queue(port->dev, vq))
			continue;
		sluice_life_lock(port, SLUICE_LOCK_MS);
		q = port->queues[vq];
		rte_atomic_store_explicit(&port->queues[vq], NULL, rte_memory_order_release);
		pthread_mutex_unlock(&port->lock);
		if (q != NULL)
			sluice_queue_free(q);
	}
}

void
sluice_queue_publish(struct rte_eth_dev *dev, struct sluice_queue *q)
{
	rte_atomic_store_explicit(&sluice_port_of(dev)->queues[q->vq], q, rte_memory_order_release);
	rte_atomic_store_explicit(table_at(dev, q->vq), q, rte_memory_order_release);
}

/* With port->lock held. On error the queue has the mempool that it had. */
static int
renew_pool(struct sluice_port *port, struct sluice_rxq *rxq, struct rte_mempool *mp)
{
	struct rte_mempool *old = rxq->pool;
	bool is_foreign;
	int ret = sluice_show_rx_pool(port, rxq->q.id, mp, &is_foreign);

	if (ret == 0)
		ret = sluice_renew_begin(port, rxq, mp != old);
	if (ret != 0)
		return ret;
	ret = sluice_rxq_init_pool(port, rxq, mp);
	if (ret == 0)
		ret = sluice_check_frame(port, rxq, port->dev->data->mtu);
	if (ret == 0)
		ret = sluice_renew_pool(port, rxq, old);
	if (ret == 0) {
		rxq->is_foreign = is_foreign;
	} else {
		sluice_rxq_init_pool(port, rxq, old);
		sluice_renew_pool(port, rxq, old);
	}
	return ret;
}

int
sluice_rx_queue_renew(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		const struct rte_eth_rxconf *conf, struct rte_mempool *mp)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct sluice_rxq *rxq = sluice_rxq_at(port, id);
	int ret;

	sluice_life_lock(port, SLUICE_LOCK_MS);
	ret = renew_pool(port, rxq, mp);
	if (ret == 0) {
		sluice_rxq_init_conf(rxq, conf);
		sluice_renew_rxq(port, rxq, nb_desc);
		sluice_queue_publish(dev, &rxq->q);
	}
	pthread_mutex_unlock(&port->lock);
	return ret;
}

int
sluice_tx_queue_renew(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc,
		const struct rte_eth_txconf *conf)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct sluice_txq *txq = sluice_txq_at(port, id);
	int ret;

	sluice_life_lock(port, SLUICE_LOCK_MS);
	sluice_txq_init_conf(txq, conf, nb_desc);
	ret = sluice_renew_txq(port, txq, nb_desc);
	if (ret == 0)
		sluice_queue_publish(dev, &txq->q);
	pthread_mutex_unlock(&port->lock);
	return ret;
}
