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
 */

#include <errno.h>

#include "sluice_life_impl.h"
#include "sluice_log.h"

/*
 * The first notification is the polling core's: a back end can make a kick block, and the core that
 * hangs in one is helped out by this thread. A receive ring that was filled is announced by the
 * first poll, or with the first wish for an interrupt.
 */
void
sluice_life_run_queue(struct sluice_port *port, struct sluice_queue *q)
{
	q->ring.doorbell = sluice_dev_doorbell(port, q->vq, q->layout == SLUICE_PACKED, q->kick_fd);
	if (!port->is_held_down)
		sluice_queue_resume(q);
}

/* Receive queues that the device knows nothing of have none. */
static bool
has_ring(const struct sluice_port *port, const struct sluice_queue *q)
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
	const struct sluice_queue *q;
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

	__atomic_store_n(&q->state, SLUICE_QUEUE_STOPPED, __ATOMIC_RELEASE);
	ret = sluice_queue_quiesce(q, sluice_clock_ms() + ms);
	if (ret != 0)
		__atomic_store_n(&q->state, q->run, __ATOMIC_RELEASE);
	return ret;
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
			port->tx_path->cleanup((struct sluice_txq *)q, 0);
		tell_or_let_go(port, q, false);
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

void
sluice_life_start_queue(struct sluice_port *port, struct sluice_queue *q)
{
	sluice_life_lock(port, SLUICE_LOCK_MS);
	if (q->is_held && has_ring(port, q) && port->life == SLUICE_LIVE &&
			q->fail == SLUICE_FAIL_NONE) {
		tell_or_let_go(port, q, true);
		if (port->life == SLUICE_LIVE)
			sluice_life_run_queue(port, q);
	}
	q->is_held = false;
	pthread_mutex_unlock(&port->lock);
}
