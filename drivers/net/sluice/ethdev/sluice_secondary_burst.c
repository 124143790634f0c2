/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Burst functions of a secondary process, and what else its cores do to queues: those of the
 * primary process, behind sluice_visit.h.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ethdev_driver.h>
#include <rte_errno.h>

#include "sluice_ethdev.h"
#include "sluice_secondary.h"
#include "sluice_tx_offload.h"
#include "sluice_visit.h"

/*
 * What ethdev has for a queue in this process, and hands to the functions here. It stays while
 * cores may poll. What the primary process has ends with a queue, and with a configuration that
 * fails, and is somebody else's memory then.
 */
struct seat {
	struct sluice_visitor *v;
	/* of the rings that are here, and not touched without them; NULL: there is none */
	struct sluice_queue *q;
	uint16_t vq;
};

static struct table {
	struct seat seats[2 * SLUICE_PAIRS_MAX]; /* by virtqueue */
	void *rx[RTE_MAX_QUEUES_PER_PORT];       /* as ethdev wants them */
	void *tx[RTE_MAX_QUEUES_PER_PORT];
	/* as they were when the rings came: any thread prepares packets, rings or not */
	struct sluice_txq prepare[SLUICE_PAIRS_MAX];
} * tables[RTE_MAX_ETHPORTS];

/* A core comes into a queue of the rings that are here. NULL: it must not. */
static inline struct sluice_queue *
enter(const struct seat *seat)
{
	struct sluice_visitor *v;
	struct sluice_queue *q;
	uint32_t mine, *inside;

	if (unlikely(seat == NULL))
		return NULL;
	v = seat->v;
	if (unlikely(rte_atomic_load_explicit(&v->epoch, rte_memory_order_relaxed) == 0))
		return NULL;
	inside = &v->inside[seat->vq];
	/* Pairs with the barrier on all cores in let_go(): the compiler's order is enough. */
	rte_atomic_store_explicit(inside, 1, rte_memory_order_relaxed);
	rte_compiler_barrier();
	mine = rte_atomic_load_explicit(&v->epoch, rte_memory_order_acquire);
	q = seat->q;
	if (likely(mine != 0 && q != NULL &&
			    sluice_visit_begin(q, v->who, &v->shared->epoch, mine)))
		return q;
	rte_atomic_store_explicit(inside, 0, rte_memory_order_release);
	return NULL;
}

static inline void
leave(const struct seat *seat, struct sluice_queue *q)
{
	sluice_visit_end(q);
	rte_atomic_store_explicit(&seat->v->inside[seat->vq], 0, rte_memory_order_release);
}

static uint16_t
rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct seat *seat = queue;
	struct sluice_queue *q = enter(seat);

	if (q == NULL)
		return 0;
	nb = sluice_rx_stage_visit((struct sluice_rxq *)q, pkts, nb, &seat->v->rx);
	leave(seat, q);
	return nb;
}

static uint16_t
tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct seat *seat = queue;
	struct sluice_queue *q = enter(seat);

	if (q == NULL)
		return 0;
	nb = seat->v->tx_path->burst(q, pkts, nb);
	leave(seat, q);
	return nb;
}

/* Of a queue that the primary process does not have nothing is known, here and below. */
static bool
is_none(const struct seat *seat)
{
	return seat == NULL || seat->q == NULL;
}

static uint16_t
tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct seat *seat = queue;

	if (!is_none(seat))
		return sluice_tx_prepare(
				&tables[seat->v->port_id]->prepare[seat->vq / 2], pkts, nb);
	rte_errno = EINVAL;
	return 0;
}

/* Entries that wait to be taken, and packets that other queues have for this one. */
static uint32_t
count_used(const struct seat *seat, struct sluice_queue *q)
{
	uint32_t nb = sluice_queue_nb_used(q);

	if (!sluice_queue_is_tx(q) && seat->v->rx.stage.is_spread)
		nb += sluice_rx_stage_nb_waiting((struct sluice_rxq *)q);
	return nb;
}

/* What of() tells of a queue that is here, else nothing. */
static int
look(const struct seat *seat,
		int (*of)(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used),
		uint16_t offset, int nothing)
{
	struct sluice_queue *q;
	int ret;

	if (is_none(seat))
		return -EINVAL;
	q = enter(seat);
	if (q == NULL)
		return nothing;
	ret = of(q, offset, count_used(seat, q));
	leave(seat, q);
	return ret;
}

static int
used_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used)
{
	RTE_SET_USED(q);
	RTE_SET_USED(offset);
	return nb_used;
}

static int
count_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used)
{
	RTE_SET_USED(offset);
	return sluice_tx_count_of(q, nb_used);
}

static sluice_compat_count
rx_queue_count(void *queue)
{
	return look(queue, used_of, 0, 0);
}

static int
rx_descriptor_status(void *queue, uint16_t offset)
{
	return look(queue, sluice_rx_status_of, offset, RTE_ETH_RX_DESC_UNAVAIL);
}

static int
tx_descriptor_status(void *queue, uint16_t offset)
{
	return look(queue, sluice_tx_status_of, offset, RTE_ETH_TX_DESC_UNAVAIL);
}

static int
tx_queue_count(void *queue)
{
	return look(queue, count_of, 0, 0);
}

/* Of ethdev's own table, which has the primary process's queues. */
static const struct seat *
find_seat(const struct sluice_queue *q)
{
	unsigned int i, vq;

	for (i = 0; q != NULL && i < RTE_MAX_ETHPORTS; i++)
		for (vq = 0; tables[i] != NULL && vq < RTE_DIM(tables[i]->seats); vq++)
			if (tables[i]->seats[vq].q == q)
				return &tables[i]->seats[vq];
	return NULL;
}

int
sluice_secondary_tx_done_cleanup(void *queue, uint32_t nb_max)
{
	const struct seat *seat = find_seat(queue);
	struct sluice_queue *q = enter(seat);
	const struct sluice_tx_path *path;
	int nb = 0;

	if (q == NULL)
		return 0;
	path = seat->v->tx_path;
	if (sluice_queue_enter(q, sluice_path_run(path->cfg))) {
		nb = path->cleanup((struct sluice_txq *)q, nb_max);
		sluice_queue_leave(q);
	}
	leave(seat, q);
	return nb;
}

int
sluice_secondary_make_seats(struct sluice_visitor *v)
{
	struct table *t = tables[v->port_id];
	unsigned int i;

	if (t != NULL)
		return 0;
	t = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*t), RTE_CACHE_LINE_SIZE));
	if (t == NULL)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	for (i = 0; i < RTE_DIM(t->seats); i++)
		t->seats[i] = (struct seat){ .v = v, .vq = i };
	for (i = 0; i < SLUICE_PAIRS_MAX; i++) {
		t->rx[i] = &t->seats[SLUICE_VQ_RX(i)];
		t->tx[i] = &t->seats[SLUICE_VQ_TX(i)];
	}
	tables[v->port_id] = t;
	return 0;
}

void
sluice_secondary_take_seats(struct sluice_visitor *v)
{
	const struct rte_eth_dev_data *data = v->dev->data;
	struct table *t = tables[v->port_id];
	struct sluice_queue *tx;
	unsigned int i;

	for (i = 0; i < SLUICE_PAIRS_MAX; i++) {
		tx = i < data->nb_tx_queues ? data->tx_queues[i] : NULL;
		t->seats[SLUICE_VQ_RX(i)].q = i < data->nb_rx_queues ? data->rx_queues[i] : NULL;
		t->seats[SLUICE_VQ_TX(i)].q = tx;
		if (tx != NULL)
			memcpy(&t->prepare[i], tx, sizeof(t->prepare[i]));
	}
}

void
sluice_secondary_show_seats(const struct sluice_visitor *v)
{
	struct rte_eth_fp_ops *fp = &rte_eth_fp_ops[v->port_id];

	rte_atomic_store_explicit(&fp->rxq.data, tables[v->port_id]->rx, rte_memory_order_release);
	rte_atomic_store_explicit(&fp->txq.data, tables[v->port_id]->tx, rte_memory_order_release);
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
