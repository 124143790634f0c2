/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Queues that run, and those that the application holds back while the port is started. The device
 * goes on with a ring that is held: on transmit it sends what it has; on receive it fills what it
 * has, which is there when the queue runs again. Where a message says that a ring is not to be
 * used, it is sent for receive rings, so that a device that spreads packets leaves that one out. A
 * back end may go on reading a transmit ring that is disabled [vhost-user, Ring states], so nothing
 * is gained there.
 *
 * A device with RING_RESET forgets the ring instead (2.6.1): its buffers go back to their pools,
 * and the queue starts again with a fresh one. What it had received, and nobody had taken, is lost.
 */

#include <errno.h>
#include <unistd.h>

#include "sluice_life_impl.h"
#include "sluice_log.h"

/* Packets that the device is about to send get this long before it forgets them. */
#define LAST_MS 10
#define LAST_POLL_US 50

/*
 * The first notification is the polling core's: a back end can make a kick block, and the core that
 * hangs in one is helped out by this thread. A receive ring that was filled is announced by the
 * first poll, or with the first wish for an interrupt.
 */
void
sluice_life_run_queue(struct sluice_port *port, struct sluice_queue *q)
{
	q->ring.doorbell = sluice_dev_doorbell(
			port, q->vq, q->ring_type == SLUICE_PACKED, q->kick_fd);
	if (!port->is_held_down)
		sluice_queue_resume(q);
}

bool
sluice_life_has_ring(const struct sluice_port *port, const struct sluice_queue *q)
{
	return sluice_queue_is_tx(q) || q->id < sluice_dev_nb_rx(port);
}

/* Where a message says whether a ring is to be used. */
static int
tell(struct sluice_port *port, const struct sluice_queue *q, bool is_enabled)
{
	const struct sluice_transport_ops *ops = port->transport->ops;

	if (ops->vq_enable == NULL || sluice_queue_is_tx(q))
		return 0;
	return ops->vq_enable(port->transport, q->vq, is_enabled);
}

int
sluice_life_tell_held(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;
	int ret = 0;

	SLUICE_FOREACH_QUEUE(port, q, i)
		if (ret == 0 && q->is_held)
			ret = tell(port, q, false);
	return ret;
}

/* A device that does not answer is no reason to fail what the application asked for. */
static void
tell_or_let_go(struct sluice_port *port, const struct sluice_queue *q, bool is_enabled)
{
	int ret;

	sluice_transport_begin(port->transport, SLUICE_END_MS);
	ret = tell(port, q, is_enabled);
	if (ret != 0)
		sluice_life_let_go(port, ret);
}

int
sluice_life_pause_queue(struct sluice_queue *q, unsigned int ms)
{
	int ret;

	rte_atomic_store_explicit(&q->state, SLUICE_QUEUE_STOPPED, rte_memory_order_release);
	ret = sluice_queue_quiesce(q, sluice_clock_ms() + ms);
	if (ret != 0)
		sluice_queue_resume(q);
	return ret;
}

static bool
forgets(const struct sluice_port *port)
{
	return (port->features & SLUICE_BIT(SLUICE_F_RING_RESET)) != 0;
}

/* What the device is done with is free; one that forgets has a little time for the rest. */
static void
clean_up(const struct sluice_port *port, struct sluice_txq *txq)
{
	int64_t end = sluice_clock_ms() + LAST_MS;

	port->tx_path->cleanup(txq, 0);
	while (forgets(port) && sluice_ring_nb_in_flight(&txq->q.ring) != 0 &&
			txq->q.fail == SLUICE_FAIL_NONE && sluice_clock_ms() < end) {
		usleep(LAST_POLL_US);
		port->tx_path->cleanup(txq, 0);
	}
}

/* The queue is STOPPED, and its ring the device's until here. */
static void
forget(struct sluice_port *port, struct sluice_queue *q)
{
	uint32_t nb;
	int ret;

	sluice_transport_begin(port->transport, SLUICE_END_MS);
	ret = port->transport->ops->vq_reset(port->transport, q->vq);
	if (ret != 0) {
		sluice_life_let_go(port, ret);
		return;
	}
	if (!sluice_queue_is_tx(q))
		port->shared->nb_rx_lost += sluice_rxq_nb_waiting((const struct sluice_rxq *)q);
	nb = sluice_queue_drain(q, NULL);
	if (sluice_queue_is_tx(q))
		port->shared->nb_tx_lost += nb;
	sluice_rings_forget(port, q);
}

int
sluice_life_hold_queue(struct sluice_port *port, struct sluice_queue *q)
{
	bool is_running;
	int ret = 0;

	sluice_life_lock(port, SLUICE_LOCK_MS);
	is_running = port->life == SLUICE_LIVE && sluice_queue_is_running(q);
	if (is_running)
		ret = sluice_life_pause_queue(q, SLUICE_QUIESCE_MS);
	q->is_held = ret == 0;
	/* A burst that met a violation meanwhile has said so: the port goes down as a whole. */
	if (is_running && q->is_held && q->fail == SLUICE_FAIL_NONE) {
		if (sluice_queue_is_tx(q))
			clean_up(port, (struct sluice_txq *)q);
		if (!forgets(port))
			tell_or_let_go(port, q, false);
		else if (q->fail == SLUICE_FAIL_NONE)
			forget(port, q);
	}
	sluice_intr_wake(port);
	pthread_mutex_unlock(&port->lock);
	if (ret == 0)
		return 0;
	SLUICE_LOG(ERR,
			"port %u: a core stays in a burst of virtqueue %u: it goes on; stop polling it, "
			"then stop the queue",
			port->port_id, q->vq);
	return -EBUSY;
}

/* A ring that the device knows, or has forgotten. */
static void
tell_again(struct sluice_port *port, struct sluice_queue *q)
{
	int ret;

	if (!q->is_forgotten) {
		tell_or_let_go(port, q, true);
		return;
	}
	sluice_transport_begin(port->transport, SLUICE_END_MS);
	ret = sluice_rings_start_again(port, q);
	if (ret != 0)
		sluice_life_let_go(port, ret);
}

void
sluice_life_start_queue(struct sluice_port *port, struct sluice_queue *q)
{
	sluice_life_lock(port, SLUICE_LOCK_MS);
	/* What a process left that died inside is not touched: only a fresh ring helps. */
	if (q->is_held && sluice_life_has_ring(port, q) && port->life == SLUICE_LIVE &&
			q->fail == SLUICE_FAIL_NONE && !q->is_stranded) {
		tell_again(port, q);
		if (port->life == SLUICE_LIVE)
			sluice_life_run_queue(port, q);
		/* Who sleeps has asked for interrupts in a ring that is no more. */
		sluice_intr_wake(port);
	}
	q->is_held = false;
	pthread_mutex_unlock(&port->lock);
}
