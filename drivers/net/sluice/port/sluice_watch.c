/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <time.h>

#include <ethdev_driver.h>
#include <rte_lcore.h>

#include "sluice_port.h"
#include "sluice_log.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

/* A device that works takes a packet sooner than that; before, it is notified once more. */
#define START_SECONDS 5
#define RING_SECONDS 2

/*
 * Rings, descriptors and headers are on the node of the device; a core on another node fetches each
 * line of them from afar. Which core it is, the stream tells after it was asked, so one look later.
 */
static void
watch_core(const struct sluice_port *port, struct sluice_watch *w, struct sluice_queue *q,
		const char *direction)
{
	unsigned int lcore = rte_atomic_load_explicit(&q->stream.lcore, rte_memory_order_relaxed);
	int node = lcore < RTE_MAX_LCORE ? (int)rte_lcore_to_socket_id(lcore) : port->socket;

	if (w->is_far)
		return;
	if (node == port->socket) {
		dmap_stream_ask(&q->stream);
		return;
	}
	w->is_far = true;
	SLUICE_LOG(WARNING,
			"port %u: %s queue %u is polled by lcore %u on NUMA node %d, the device is on node "
			"%d: use cores of that node (EAL: -l)",
			port->port_id, direction, q->id, lcore, node, port->socket);
}

/*
 * Has the device transmit slots that it did not complete? *at: how far it came, whether the core
 * saw that or not.
 */
static bool
has_waiting(const struct sluice_txq *txq, uint16_t *at)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint16_t left = sluice_ring_nb_in_flight(r) - r->nb_holes, slot = r->used_idx, nb;
	bool wrap = r->used_wrap;
	uint32_t id;

	if (txq->q.ring_type == SLUICE_SPLIT) {
		*at = r->used_idx + sluice_split_count_used(r);
		return r->avail_idx != *at;
	}
	while (left != 0 && sluice_packed_slot_is_used(r, slot, wrap)) {
		id = sluice_packed_slot_id(r, slot);
		if (!sluice_queue_is_lent(&txq->q, id))
			break;
		nb = sluice_tx_slots_of(txq, id);
		/* In order, one entry stands for all up to its id (2.8.9). */
		if (r->is_in_order)
			nb += id >= slot ? id - slot : id + r->size - slot;
		if (nb > left)
			break;
		left -= nb;
		wrap ^= (uint32_t)slot + nb >= r->size;
		slot = sluice_ring_next(r, slot, nb);
	}
	*at = slot;
	return left != 0;
}

/*
 * Where notifications are writes to a register, one more does no harm. A copy: the polling core
 * counts its own, and a core of another thread must not write there. What is in an eventfd is not
 * lost, so it needs none.
 */
static void
ring_again(const struct sluice_queue *q)
{
	struct sluice_ring copy;

	if (q->ring.doorbell.dv_reg == NULL)
		return;
	copy = q->ring;
	sluice_doorbell_ring(&copy);
}

static void
say_waiting(const struct sluice_port *port, const struct sluice_watch *w,
		const struct sluice_queue *q)
{
	SLUICE_LOG(WARNING, "port %u: transmit queue %u: the %s has taken nothing for %u s%s",
			port->port_id, q->id, port->transport->ops->peer, START_SECONDS,
			!w->is_running && sluice_dev_has_ro_rings(port) ?
					": if it is a vhost back end that wants write access to all "
					"of the rings, give ro_rings=0" :
					"");
}

/*
 * A device that never takes the first packet does not see the ring. DPDK's vhost library, for one,
 * behind a virtual IOMMU asks for write access to all parts of a ring, and without it waits for
 * ever. One that took packets and takes no more may have missed a notification, as when its link
 * was off: it gets another one, and then a word is said. While the link is down a device may wait
 * as long as it likes.
 */
static void
watch_progress(const struct sluice_port *port, struct sluice_watch *w, const struct sluice_txq *txq)
{
	struct timespec now;
	uint16_t at;
	bool is_waiting = has_waiting(txq, &at);

	w->is_running |= at != 0 || txq->q.ring.tail != 0;
	if (!is_waiting || at != w->at || !port->is_link_up) {
		w->at = at;
		w->since = 0;
		w->is_rung = false;
		if (!is_waiting || !port->is_link_up)
			return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (w->since == 0)
		w->since = now.tv_sec;
	if (now.tv_sec - w->since >= RING_SECONDS && !w->is_rung) {
		w->is_rung = true;
		ring_again(&txq->q);
	}
	if (now.tv_sec - w->since < START_SECONDS || w->is_said)
		return;
	w->is_said = true;
	say_waiting(port, w, &txq->q);
}

void
sluice_watch_link_up(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	uint16_t i;

	for (i = 0; i < sluice_dev_nb_rx(port); i++)
		ring_again(sluice_queue_at(port, SLUICE_VQ_RX(i)));
	for (i = 0; i < data->nb_tx_queues; i++)
		ring_again(sluice_queue_at(port, SLUICE_VQ_TX(i)));
}

void
sluice_watch(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	bool has_nodes = dmap_numa_is_told(port->socket);
	struct sluice_queue *q;
	char who[32];
	uint16_t i;

	snprintf(who, sizeof(who), "port %u", port->port_id);
	dmap_check_nodes(port->domain, who, port->socket);
	for (i = 0; i < sluice_dev_nb_rx(port); i++) {
		q = sluice_queue_at(port, SLUICE_VQ_RX(i));
		if (has_nodes)
			watch_core(port, &port->watch[q->vq], q, "receive");
	}
	for (i = 0; i < data->nb_tx_queues; i++) {
		q = sluice_queue_at(port, SLUICE_VQ_TX(i));
		if (has_nodes)
			watch_core(port, &port->watch[q->vq], q, "transmit");
		watch_progress(port, &port->watch[q->vq], sluice_txq_at(port, i));
	}
}
