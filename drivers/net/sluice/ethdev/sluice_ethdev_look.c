/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations that look at a ring outside of a burst: how much waits, what a descriptor is,
 * where the device writes next.
 */

#include <errno.h>

#include <rte_power_intrinsics.h>

#include "sluice_ethdev.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_spread.h"

uint16_t
sluice_queue_nb_used(const struct sluice_queue *q)
{
	if (!sluice_queue_is_running(q))
		return 0;
	return q->ring_type == SLUICE_SPLIT ? sluice_split_count_used(&q->ring) :
					      sluice_packed_count_used(&q->ring);
}

/*
 * Used entries that wait to be taken; 0 while the queue does not run. The lock keeps the ring where
 * it is while it is looked at: a device may go away at any time.
 */
static uint16_t
count_used(struct sluice_queue *q)
{
	uint16_t nb;

	rte_spinlock_lock(&q->look_lock);
	nb = sluice_queue_nb_used(q);
	rte_spinlock_unlock(&q->look_lock);
	return nb;
}

/* Packets that other queues have for this one. */
static uint32_t
count_waiting(struct sluice_rxq *rxq)
{
	uint32_t nb = 0;

	rte_spinlock_lock(&rxq->q.look_lock);
	if (rxq->hand != NULL)
		nb = sluice_spread_count(rxq->hand);
	rte_spinlock_unlock(&rxq->q.look_lock);
	return nb;
}

/* Of a queue that was not set up, or was released, nothing is known, here and below. */
sluice_compat_count
sluice_rx_queue_count(void *rxq)
{
	return rxq == NULL ? -EINVAL : (int)(count_used(rxq) + count_waiting(rxq));
}

int
sluice_rx_status_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used)
{
	/* One that the device knows nothing of has no ring. */
	uint16_t size = q->ring.size != 0 ? q->ring.size : ((const struct sluice_rxq *)q)->nb_desc;

	if (offset >= size)
		return -EINVAL;
	if (offset < nb_used)
		return RTE_ETH_RX_DESC_DONE;
	return offset < sluice_ring_nb_in_flight(&q->ring) ? RTE_ETH_RX_DESC_AVAIL :
							     RTE_ETH_RX_DESC_UNAVAIL;
}

int
sluice_rx_descriptor_status(void *rxq, uint16_t offset)
{
	if (rxq == NULL)
		return -EINVAL;
	return sluice_rx_status_of(rxq, offset, count_used(rxq) + count_waiting(rxq));
}

int
sluice_tx_status_of(const struct sluice_queue *q, uint16_t offset, uint32_t nb_used)
{
	if (offset >= q->ring.size)
		return -EINVAL;
	/*
	 * Offset 0 is where the next packet goes; behind the free slots come the oldest that are
	 * not free.
	 */
	if (offset < q->ring.nb_free || (uint32_t)(offset - q->ring.nb_free) < nb_used)
		return RTE_ETH_TX_DESC_DONE;
	return RTE_ETH_TX_DESC_FULL;
}

int
sluice_tx_descriptor_status(void *txq, uint16_t offset)
{
	return txq == NULL ? -EINVAL : sluice_tx_status_of(txq, offset, count_used(txq));
}

int
sluice_tx_count_of(const struct sluice_queue *q, uint32_t nb_used)
{
	uint16_t nb_in_flight = sluice_ring_nb_in_flight(&q->ring);

	/* Packets of several slots are one used entry: a little more than there is, never less. */
	return nb_in_flight > nb_used ? nb_in_flight - nb_used : 0;
}

int
sluice_tx_queue_count(void *txq)
{
	return txq == NULL ? -EINVAL : sluice_tx_count_of(txq, count_used(txq));
}

/* The value at the monitored address: 0: sleep, else there is something to do. */
enum { OPAQUE_MASK, OPAQUE_VALUE };

static int
has_moved(const uint64_t value, const uint64_t opaque[RTE_POWER_MONITOR_OPAQUE_SZ])
{
	return (value & opaque[OPAQUE_MASK]) != opaque[OPAQUE_VALUE] ? -1 : 0;
}

static int
is_used(const uint64_t value, const uint64_t opaque[RTE_POWER_MONITOR_OPAQUE_SZ])
{
	return (value & opaque[OPAQUE_MASK]) == opaque[OPAQUE_VALUE] ? -1 : 0;
}

/*
 * Split: the used index, which is where it was as long as nothing comes (2.7.8). Packed: the flags
 * of the next descriptor to be used, both bits of which become the wrap counter (2.8.1).
 */
static void
watch_ring(const struct sluice_queue *q, struct rte_power_monitor_cond *pmc)
{
	const struct sluice_ring *r = &q->ring;

	pmc->size = sizeof(uint16_t);
	if (q->ring_type == SLUICE_SPLIT) {
		pmc->addr = &r->split.dv_used->idx;
		pmc->fn = has_moved;
		pmc->opaque[OPAQUE_MASK] = UINT16_MAX;
		pmc->opaque[OPAQUE_VALUE] = r->used_idx;
	} else {
		pmc->addr = &r->packed.dv_desc[r->used_idx].flags;
		pmc->fn = is_used;
		pmc->opaque[OPAQUE_MASK] = SLUICE_PACKED_BITS;
		pmc->opaque[OPAQUE_VALUE] = r->used_wrap ? SLUICE_PACKED_BITS : 0;
	}
}

int
sluice_get_monitor_addr(void *queue, struct rte_power_monitor_cond *pmc)
{
	struct sluice_rxq *rxq = queue;
	int ret = -EAGAIN;

	if (rxq == NULL)
		return -EINVAL; /* ethdev asks for queues that are not set up, too */
	/* The rings of a back end go with its connection, those of a PCI device when all stands. */
	if (!sluice_transport_can(rxq->q.port->transport, SLUICE_TRANSPORT_CAN_REVOKE))
		return -ENOTSUP;
	rte_spinlock_lock(&rxq->q.look_lock);
	/* What other queues hand over comes without a write of the device. */
	if (sluice_queue_is_running(&rxq->q) && rxq->nb_in_order_left == 0 && rxq->hand == NULL) {
		watch_ring(&rxq->q, pmc);
		ret = 0;
	}
	rte_spinlock_unlock(&rxq->q.look_lock);
	return ret;
}
