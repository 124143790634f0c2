/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "sluice_tx.h"
#include "sluice_tx_aside.h"

/* A header that lies elsewhere takes a slot of its own. */
#define SLOTS_MAX 2

bool
sluice_txq_send_aside(struct sluice_txq *txq, struct rte_mbuf *m)
{
	/* It asks for nothing; but of such queues headers may be longer. */
	const struct sluice_path_cfg cfg = {
		.ring_type = txq->q.ring_type, .has_offloads = true, .is_copy = txq->is_copy
	};
	struct sluice_tx_burst b = { .slot = txq->q.ring.head };

	if (txq->q.fail != SLUICE_FAIL_NONE || txq->q.ring.nb_free < SLOTS_MAX)
		return false;
	/* Memory that another core met, or that left, since this queue was used last. */
	dmap_stream_flush(&txq->q.stream);
	if (sluice_tx_give_slow(txq, &m, 1, &b, cfg) != 1)
		return false;
	if (b.nb_bufs == 0)
		return true; /* dropped and counted */
	sluice_tx_publish(txq, &b, cfg);
	sluice_tx_announce(txq, b.nb_slots, cfg);
	txq->q.stats.packets++;
	txq->q.stats.bytes += b.bytes;
	return true;
}
