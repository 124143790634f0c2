/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdlib.h>

#include <rte_mbuf.h>

#include "sluice_batch.h"

void
sluice_batch_free_all(struct sluice_batch *b)
{
	struct sluice_batch *next;

	for (; b != NULL; b = next) {
		next = b->next;
		/*
		 * Few calls of the pools: this thread may share its CPU with a core that polls, and
		 * waits for as long as that is off the CPU in the midst of a pool.
		 */
		rte_pktmbuf_free_bulk(b->m, b->nb);
		free(b);
	}
}
