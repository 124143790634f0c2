/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Mempools on the hot path, through the cache of the core that runs. DPDK's own functions read its
 * number from a thread-local variable of librte_eal. A plug-in must not do that in the fast way
 * (initial-exec): a program that opens librte_eal at run time has that library's variables outside
 * of the static TLS block, and the plug-in would not load. So where the number lies is kept in a
 * variable of our own, which is small enough for the block to have room for it.
 */

#ifndef SLUICE_POOL_H
#define SLUICE_POOL_H

#include <limits.h>

#include <rte_branch_prediction.h>
#include <rte_mempool.h>

/* EAL's variable of this thread; where that is not known yet, a variable that says "no lcore". */
extern __thread const unsigned int *sluice_pool_lcore_at
		__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The slow way, once per thread, or each time in a thread that is no lcore. */
struct rte_mempool_cache *sluice_pool_find_cache(struct rte_mempool *pool);

/* The cache of this core; NULL: the pool, or the thread, has none. */
static __rte_always_inline struct rte_mempool_cache *
sluice_pool_cache(struct rte_mempool *pool)
{
	/* Read each time: a thread may become an lcore, and cease to be one. */
	unsigned int lcore = *sluice_pool_lcore_at;
	struct rte_mempool_cache *cache;

	if (unlikely(lcore >= RTE_MAX_LCORE))
		return sluice_pool_find_cache(pool);
	if (unlikely(pool->cache_size == 0))
		return NULL;
	cache = rte_mempool_default_cache(pool, lcore);
	/* Callers test for NULL, and need not here: the compiler does not know. */
	if (cache == NULL)
		__builtin_unreachable();
	return cache;
}

/*
 * So many objects are put in line. With SSE rte_memcpy() has as much code for more than 512 bytes
 * as all the rest of a burst function.
 */
#if defined(RTE_ARCH_X86) && !defined(__AVX2__)
#define SLUICE_POOL_INLINE_MAX 64
#else
#define SLUICE_POOL_INLINE_MAX UINT_MAX
#endif

/* rte_mempool_put_bulk(), out of line, for what comes rarely. */
void sluice_pool_put_more(struct rte_mempool *pool, void *const *objs, unsigned int nb);

/* The same in line. */
static __rte_always_inline void
sluice_pool_put(struct rte_mempool *pool, void *const *objs, unsigned int nb)
{
	if (likely(nb <= SLUICE_POOL_INLINE_MAX))
		rte_mempool_generic_put(pool, objs, nb, sluice_pool_cache(pool));
	else
		sluice_pool_put_more(pool, objs, nb);
}

/* rte_mempool_get_bulk() */
static __rte_always_inline int
sluice_pool_get(struct rte_mempool *pool, void **objs, unsigned int nb)
{
	return rte_mempool_generic_get(pool, objs, nb, sluice_pool_cache(pool));
}

#endif /* SLUICE_POOL_H */
