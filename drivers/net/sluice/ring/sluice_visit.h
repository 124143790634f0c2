/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A core of a secondary process in a queue of the port. The rings that the process has mapped are
 * those of one epoch; the primary process begins another one before it takes anything away, and
 * then waits until nobody is inside. Its membarrier(2) does not reach other processes, so a visitor
 * says in memory of all that it is inside, with a barrier, and looks at the epoch behind it.
 *
 * A process that dies inside leaves its number: the primary process finds it.
 */

#ifndef SLUICE_VISIT_H
#define SLUICE_VISIT_H

#include "sluice_queue.h"

/*
 * who: number of this process with the port, not 0. epoch: that of the port; mine: of the rings
 * that this process has. False: stay out.
 */
static inline bool
sluice_visit_begin(struct sluice_queue *q, uint16_t who, const uint32_t *epoch, uint32_t mine)
{
	uint16_t nobody = 0;

	/* Who comes too late, or too early, leaves no trace in memory of others. */
	if (rte_atomic_load_explicit(epoch, rte_memory_order_acquire) != mine)
		return false;
	/* Two processes in one queue are an error of the application, which costs it packets. */
	if (!rte_atomic_compare_exchange_strong_explicit(&q->visitor, &nobody, who,
			    rte_memory_order_seq_cst, rte_memory_order_relaxed))
		return false;
	/* Pairs with sluice_queue_quiesce(): that sees the visitor, or this sees the new epoch. */
	if (likely(rte_atomic_load_explicit(epoch, rte_memory_order_seq_cst) == mine))
		return true;
	rte_atomic_store_explicit(&q->visitor, 0, rte_memory_order_release);
	return false;
}

static inline void
sluice_visit_end(struct sluice_queue *q)
{
	/* Pairs with the acquire of who waits for it. */
	rte_atomic_store_explicit(&q->visitor, 0, rte_memory_order_release);
}

#endif /* SLUICE_VISIT_H */
