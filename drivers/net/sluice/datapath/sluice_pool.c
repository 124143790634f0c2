/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <string.h>

#include <rte_lcore.h>
#include <rte_memcpy.h>

/*
 * For the pool's inline functions. Nearly all of rte_memcpy() without wide registers, 7 KB, is for
 * more than 512 bytes; libc's takes for those what the CPU has.
 */
static inline void *
copy_objs(void *to, const void *from, size_t len)
{
	return len <= 512 ? rte_memcpy(to, from, len) : memcpy(to, from, len);
}
#undef rte_memcpy
#define rte_memcpy copy_objs

#include "sluice_pool.h"

static const unsigned int no_lcore = LCORE_ID_ANY;

__thread const unsigned int *sluice_pool_lcore_at = &no_lcore;

struct rte_mempool_cache *
sluice_pool_find_cache(struct rte_mempool *pool)
{
	/* The place stays for the life of the thread, whatever is written there. */
	sluice_pool_lcore_at = &RTE_PER_LCORE(_lcore_id);
	return rte_mempool_default_cache(pool, *sluice_pool_lcore_at);
}

void
sluice_pool_put_more(struct rte_mempool *pool, void *const *objs, unsigned int nb)
{
	rte_mempool_generic_put(pool, objs, nb, sluice_pool_cache(pool));
}
