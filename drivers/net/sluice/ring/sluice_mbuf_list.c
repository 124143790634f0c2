/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdlib.h>

#include <rte_mbuf.h>

#include "sluice_mbuf_list.h"

bool
sluice_mbuf_needs_own_core(const struct rte_mbuf *m)
{
	unsigned int flags;

	for (; m != NULL; m = m->next) {
		flags = m->pool->flags;
		if (RTE_MBUF_CLONED(m))
			flags |= rte_mbuf_from_indirect((struct rte_mbuf *)(uintptr_t)m)
						 ->pool->flags;
		if (flags & RTE_MEMPOOL_F_SP_PUT)
			return true;
	}
	return false;
}

void
sluice_mbuf_free(struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
}

void
sluice_mbuf_list_free_all(struct sluice_mbuf_list *b)
{
	struct sluice_mbuf_list *next;

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
