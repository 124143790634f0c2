/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A device that has moved to another machine wants the driver to make itself known to the network
 * there (5.1.6.5.4). It is told that this was heard, and a RARP request with the port's address
 * goes out by its first transmit queue. That belongs to a polling core; for the moment that it
 * takes the queue is paused, and a burst that comes then finds nothing to do.
 */

#include <errno.h>

#include <ethdev_driver.h>
#include <rte_arp.h>

#include "sluice_mbuf_list.h"
#include "sluice_life_impl.h"
#include "sluice_log.h"
#include "sluice_tx_aside.h"

/* A device that asks all the time, or does not hear that it was heard, is not answered faster. */
#define PAUSE_MS 100
#define PAUSE_FAILED_MS 5000

/* Pools of which this thread may take, and into which it may put. */
static struct rte_mempool *
find_pool(const struct sluice_port *port)
{
	const unsigned int single = RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET;
	const struct rte_eth_dev_data *data = port->dev->data;
	const struct sluice_queue *q;
	struct rte_mempool *mp;

	if (data->nb_rx_queues == 0 || data->nb_tx_queues == 0)
		return NULL;
	q = sluice_queue_at(port, SLUICE_VQ_TX(0));
	if (q->is_held || q->is_stranded)
		return NULL;
	mp = sluice_rxq_at(port, 0)->pool;
	return mp->flags & single ? NULL : mp;
}

/* False: nothing was sent. */
static bool
send_rarp(struct sluice_port *port)
{
	struct rte_mempool *mp = find_pool(port);
	struct rte_mbuf *m = mp == NULL ? NULL :
					  rte_net_make_rarp_packet(mp, &port->filter.added[0]);
	struct sluice_txq *txq;
	bool was_sent = false;

	if (m == NULL)
		return false;
	txq = sluice_txq_at(port, 0);
	sluice_queue_pause(&txq->q);
	if (sluice_queue_quiesce(&txq->q, sluice_clock_ms() + SLUICE_QUIESCE_MS) == 0)
		was_sent = sluice_txq_send_aside(txq, m);
	if (!port->is_held_down)
		sluice_queue_resume(&txq->q);
	if (!was_sent)
		sluice_mbuf_free(m);
	return was_sent;
}

void
sluice_announce(struct sluice_port *port)
{
	int64_t now = sluice_clock_ms();
	bool was_sent;
	int ret;

	if (now < port->announce_at || !(port->features & SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE)))
		return;
	sluice_transport_begin(port->transport, SLUICE_CTRL_MS);
	ret = sluice_ctrl_command(port, SLUICE_CTRL_ANNOUNCE, SLUICE_CTRL_ANNOUNCE_ACK, NULL, 0);
	port->announce_at = sluice_clock_ms() + (ret == 0 ? PAUSE_MS : PAUSE_FAILED_MS);
	if (ret != 0) {
		SLUICE_LOG(WARNING,
				"%s: the device did not take the answer to its announcement: %s",
				port->label, sluice_ctrl_error(ret));
		return;
	}
	was_sent = !port->is_held_down && send_rarp(port);
	port->shared->nb_announced += was_sent;
	SLUICE_LOG(INFO, "%s: announced to the network%s", port->label,
			was_sent ? "" : ", but no RARP request could be sent");
}
