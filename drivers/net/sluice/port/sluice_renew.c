/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A queue of a port that is started, stopped by itself, is set up anew. It is the same queue as
 * before, in the same memory: where the device keeps its ring, that goes on with the buffers of
 * another mempool; where the device has forgotten it, the next one may be smaller. All rings were
 * laid out when the port started, and larger ones there are not before it starts again.
 */

#include <errno.h>

#include <ethdev_driver.h>

#include "sluice_check.h"
#include "sluice_life_impl.h"
#include "sluice_log.h"

/* Is there a ring that the device may use again where it was? */
static bool
is_kept(const struct sluice_port *port, const struct sluice_queue *q)
{
	return port->life == SLUICE_LIVE && !q->is_forgotten && sluice_life_has_ring(port, q);
}

static int
check(const struct sluice_port *port, const struct sluice_queue *q)
{
	const char *why = NULL;

	if (port->is_stuck)
		why = "a core stays in a burst of the port";
	else if (q->is_stranded)
		why = "a process ended inside of it";
	if (why == NULL)
		return 0;
	SLUICE_LOG(ERR, "port %u virtqueue %u: %s: stop the port to set the queue up",
			port->port_id, q->vq, why);
	return -EBUSY;
}

/* Of the ring that it gets, or has. */
static uint16_t
cut(const struct sluice_port *port, const struct sluice_queue *q, uint16_t nb_desc)
{
	bool is_tx = sluice_queue_is_tx(q), is_live = port->life == SLUICE_LIVE;
	uint16_t max = is_live && sluice_life_has_ring(port, q) ?
			RTE_MIN(q->nb_slots, port->nb_slots[q->vq]) :
			q->nb_slots;
	uint16_t size = is_kept(port, q) ? q->ring.size : RTE_MIN(nb_desc, max);

	if (size < nb_desc ||
			(is_kept(port, q) && size != sluice_dev_ring_size(port, q->vq, nb_desc)))
		SLUICE_LOG(NOTICE,
				"port %u %s queue %u: %u descriptors asked for, it has %u until the port "
				"stops",
				port->port_id, is_tx ? "transmit" : "receive", q->id, nb_desc,
				size);
	return RTE_MIN(nb_desc, max);
}

int
sluice_renew_begin(struct sluice_port *port, struct sluice_rxq *rxq, bool changes_pool)
{
	int ret = check(port, &rxq->q);

	if (ret != 0 || !changes_pool || !is_kept(port, &rxq->q))
		return ret;
	if (!sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_DISABLE)) {
		SLUICE_LOG(ERR,
				"port %u receive queue %u: the %s keeps its buffers while it is stopped: "
				"stop the port to have another mempool",
				port->port_id, rxq->q.id, port->transport->ops->peer);
		return -ENOTSUP;
	}
	sluice_transport_begin(port->transport, SLUICE_END_MS);
	/* The pool that was just added. */
	ret = dmap_serve(port->domain);
	if (ret == 0)
		ret = port->transport->ops->vq_enable(port->transport, rxq->q.vq, false);
	/* Then there is no ring any more whose buffers are to be changed. */
	if (ret != 0) {
		sluice_life_let_go(port, ret);
		return 0;
	}
	sluice_check_forget(&rxq->q);
	port->shared->nb_rx_lost += sluice_rxq_drop_waiting(rxq);
	/* The control thread does the rest. */
	return rxq->q.fail == SLUICE_FAIL_NONE ? 0 : -EIO;
}

/*
 * Where buffers of the ring that is kept begin, and how long they are: by what was negotiated,
 * which may be less than what the application asked for.
 */
static void
place(const struct sluice_port *port, struct sluice_rxq *rxq)
{
	const bool checks_ipv4 = sluice_rx_checks_ipv4(port->dev);

	sluice_rxq_place(rxq, sluice_path_reads_headers(port->features, checks_ipv4),
			(port->features & SLUICE_BIT(SLUICE_NET_F_HASH_REPORT)) != 0,
			(port->features & SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO)) != 0,
			checks_ipv4);
	if (sluice_cells_are_used(&rxq->cells))
		rxq->post_len = RTE_MIN(
				rxq->post_len, rxq->cells.room + (uint32_t)SLUICE_NET_HDR_LEN);
	sluice_rxq_expect(rxq);
	sluice_check_placed(rxq, port->dev->data->mtu + RTE_ETHER_HDR_LEN);
}

int
sluice_renew_pool(struct sluice_port *port, struct sluice_rxq *rxq, struct rte_mempool *old)
{
	int ret;

	if (!is_kept(port, &rxq->q))
		return 0;
	place(port, rxq);
	if (old == rxq->pool)
		return 0;
	ret = sluice_rxq_change_pool(rxq, old);
	if (ret == -ENOMEM)
		SLUICE_LOG(ERR, "port %u receive queue %u: mempool %s has not the %u mbufs of the ring",
				port->port_id, rxq->q.id, rxq->pool->name,
				sluice_ring_nb_in_flight(&rxq->q.ring));
	else if (ret != 0)
		SLUICE_LOG(ERR, "port %u receive queue %u: the %s does not take mempool %s",
				port->port_id, rxq->q.id, port->transport->ops->peer,
				rxq->pool->name);
	return ret;
}

void
sluice_renew_rxq(struct sluice_port *port, struct sluice_rxq *rxq, uint16_t nb_desc)
{
	rxq->nb_desc = cut(port, &rxq->q, nb_desc);
	if (is_kept(port, &rxq->q))
		rxq->free_thresh = sluice_rxq_free_thresh(rxq, rxq->q.ring.size);
	else if (port->life == SLUICE_LIVE && rxq->q.is_forgotten)
		sluice_rings_forget(port, &rxq->q);
}

int
sluice_renew_txq(struct sluice_port *port, struct sluice_txq *txq, uint16_t nb_desc)
{
	int ret = check(port, &txq->q);

	if (ret != 0)
		return ret;
	txq->nb_desc = cut(port, &txq->q, nb_desc);
	if (is_kept(port, &txq->q))
		sluice_txq_set_few_free(txq, txq->q.ring.size);
	else if (port->life == SLUICE_LIVE && txq->q.is_forgotten)
		sluice_rings_forget(port, &txq->q);
	return 0;
}
