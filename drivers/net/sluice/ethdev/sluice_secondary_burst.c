/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Burst functions of a secondary process, and what else its cores do to queues: those of the
 * primary process, behind sluice_visit.h.
 */

#include <errno.h>

#include <ethdev_driver.h>
#include <rte_errno.h>

#include "sluice_ethdev.h"
#include "sluice_secondary.h"
#include "sluice_tx_offload.h"
#include "sluice_visit.h"

/* A core comes into a queue of the rings that are here. NULL: it must not. */
static inline struct sluice_visitor *
enter(struct sluice_queue *q)
{
	struct sluice_visitor *v;
	uint32_t mine;

	/* A port that is gone leaves zeros to who still polls it. */
	if (unlikely(q == NULL || q->port_id >= RTE_MAX_ETHPORTS || q->vq >= RTE_DIM(v->inside)))
		return NULL;
	v = &sluice_visitors[q->port_id];
	if (unlikely(rte_atomic_load_explicit(&v->epoch, rte_memory_order_relaxed) == 0))
		return NULL;
	/* Pairs with the barrier on all cores in let_go(): the compiler's order is enough. */
	rte_atomic_store_explicit(&v->inside[q->vq], 1, rte_memory_order_relaxed);
	rte_compiler_barrier();
	mine = rte_atomic_load_explicit(&v->epoch, rte_memory_order_acquire);
	if (likely(mine != 0 && sluice_visit_begin(q, v->who, &v->shared->epoch, mine)))
		return v;
	rte_atomic_store_explicit(&v->inside[q->vq], 0, rte_memory_order_release);
	return NULL;
}

static inline void
leave(struct sluice_visitor *v, struct sluice_queue *q)
{
	sluice_visit_end(q);
	rte_atomic_store_explicit(&v->inside[q->vq], 0, rte_memory_order_release);
}

static uint16_t
rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_visitor *v = enter(queue);

	if (v == NULL)
		return 0;
	nb = sluice_rx_stage_visit(queue, pkts, nb, &v->rx);
	leave(v, queue);
	return nb;
}

static uint16_t
tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_visitor *v = enter(queue);

	if (v == NULL)
		return 0;
	nb = v->tx_path->burst(queue, pkts, nb);
	leave(v, queue);
	return nb;
}

/* Of a queue that the primary process has released nothing is known, here and below. */
static uint16_t
tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	if (queue != NULL)
		return sluice_tx_prepare(queue, pkts, nb);
	rte_errno = EINVAL;
	return 0;
}

/* Entries that wait to be taken, and packets that other queues have for this one. */
static uint32_t
count_used(struct sluice_queue *q)
{
	struct sluice_visitor *v = enter(q);
	uint32_t nb;

	if (v == NULL)
		return 0;
	nb = sluice_queue_nb_used(q);
	if (!sluice_queue_is_tx(q) && v->rx.stage.is_spread)
		nb += sluice_rx_stage_nb_waiting((struct sluice_rxq *)q);
	leave(v, q);
	return nb;
}

static sluice_compat_count
rx_queue_count(void *queue)
{
	return queue == NULL ? -EINVAL : (int)count_used(queue);
}

static int
rx_descriptor_status(void *queue, uint16_t offset)
{
	return queue == NULL ? -EINVAL : sluice_rx_status_of(queue, offset, count_used(queue));
}

static int
tx_descriptor_status(void *queue, uint16_t offset)
{
	return queue == NULL ? -EINVAL : sluice_tx_status_of(queue, offset, count_used(queue));
}

static int
tx_queue_count(void *queue)
{
	return queue == NULL ? -EINVAL : sluice_tx_count_of(queue, count_used(queue));
}

int
sluice_secondary_tx_done_cleanup(void *queue, uint32_t nb_max)
{
	struct sluice_visitor *v = enter(queue);
	struct sluice_txq *txq = queue;
	int nb = 0;

	if (v == NULL)
		return 0;
	if (sluice_queue_enter(&txq->q, sluice_path_run(v->tx_path->cfg))) {
		nb = v->tx_path->cleanup(txq, nb_max);
		sluice_queue_leave(&txq->q);
	}
	leave(v, queue);
	return nb;
}

void
sluice_secondary_set_bursts(struct rte_eth_dev *dev)
{
	dev->rx_pkt_burst = rx_burst;
	dev->tx_pkt_burst = tx_burst;
	dev->tx_pkt_prepare = tx_prepare;
	dev->rx_queue_count = rx_queue_count;
	dev->rx_descriptor_status = rx_descriptor_status;
	dev->tx_descriptor_status = tx_descriptor_status;
	SLUICE_COMPAT_SET_TX_QUEUE_COUNT(dev, tx_queue_count);
}
