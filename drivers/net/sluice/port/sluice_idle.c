/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Buffers of packets that were sent come back with the bursts that follow, so those of a queue that
 * falls silent do not. Who asks for it (idle_reclaim=1) gets them back from the control thread: it
 * keeps bursts out of the queue for one pass, in which they return 0, and costs them nothing else.
 */

#include "sluice_life_impl.h"
#include "sluice_log.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

/* A core that is inside gives packets: the queue is not idle. */
#define PAUSE_MS 1

/* Only a hint, while a core may be in the queue: is there something to reclaim, for a while now? */
static bool
is_due(struct sluice_port *port, const struct sluice_txq *txq)
{
	const struct sluice_queue *q = &txq->q;
	uint32_t *seen = &port->idle_seen[q->id];
	uint32_t nb_given = rte_atomic_load_explicit(&txq->nb_given, rte_memory_order_relaxed);

	if (nb_given != *seen) {
		*seen = nb_given;
		return false;
	}
	/* The mbufs of a copy are free since it was made. */
	if (sluice_ring_nb_in_flight(&q->ring) == 0 || txq->is_copy)
		return false;
	return q->ring_type == SLUICE_SPLIT ? sluice_split_is_used(&q->ring) :
					      sluice_packed_is_used(&q->ring);
}

/* May this thread, which is no lcore, put all that the queue has into its pools? */
static bool
may_free(struct sluice_port *port, const struct sluice_txq *txq)
{
	const struct sluice_ring *r = &txq->q.ring;
	const struct rte_mbuf *m;
	uint16_t slot, n;

	for (n = 0; n < sluice_ring_nb_in_flight(r); n += sluice_tx_slots_of(txq, slot)) {
		slot = sluice_ring_next(r, r->tail, n);
		m = txq->q.sw_ring[slot];
		/* NULL: it is done already, and waits for older ones. */
		if (m == NULL || !sluice_mbuf_needs_own_core(m))
			continue;
		if (!port->was_idle_told)
			SLUICE_LOG(NOTICE,
					"port %u: idle_reclaim=1 leaves buffers of mempool %s alone: only "
					"one core may put into it",
					port->port_id, m->pool->name);
		port->was_idle_told = true;
		return false;
	}
	return true;
}

void
sluice_life_reclaim_idle(struct sluice_port *port)
{
	struct sluice_queue *q;
	unsigned int i;

	port->idle_at = sluice_clock_ms() + SLUICE_IDLE_MS;
	SLUICE_FOREACH_QUEUE(port, q, i) {
		if (!sluice_queue_is_tx(q) || !sluice_queue_is_running(q) ||
				!is_due(port, (struct sluice_txq *)q))
			continue;
		if (sluice_life_pause_queue(q, PAUSE_MS) != 0)
			continue;
		if (may_free(port, (struct sluice_txq *)q))
			port->tx_path->cleanup((struct sluice_txq *)q, q->ring.size);
		/* A violation that it met ends the port with the next turn. */
		if (q->fail == SLUICE_FAIL_NONE)
			sluice_life_run_queue(port, q);
	}
}
