/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The second half of receiving: fresh mbufs for the slots that became free. They go from the pool's
 * cache of this core into the ring without a stop, in blocks of one size, so that after most
 * refills the next slot starts a cache line.
 */

#ifndef SLUICE_RX_REFILL_H
#define SLUICE_RX_REFILL_H

#include "sluice_copy.h"
#include "sluice_pool.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_vec.h"

/*
 * Buffers that a refill takes from the pool at a time: the default threshold, and the usual burst.
 */
#define SLUICE_RX_REFILL 32

/* Out of line, in sluice_rx.c. */

/* At most nb mbufs of the pool, into sw_ring from slot on; fewer: it has no more. */
uint16_t sluice_rx_alloc_some(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb);
/*
 * nb mbufs that were taken from the pool's cache and are no batches, into sw_ring from slot on:
 * they must not lie in the cache any longer when somebody else is called, who may use the pool.
 */
void sluice_rx_keep(
		struct sluice_rxq *rxq, uint16_t slot, struct rte_mbuf *const *mbufs, uint16_t nb);
/* The device cannot reach the mbufs in nb slots from slot on: back to the pool. */
void sluice_rx_alloc_undo(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb);

/*
 * Give nb mbufs to the device in slots from slot on, which do not wrap, in batches as long as the
 * window of the last hit has their buffers. Returns how many.
 */
static __rte_always_inline uint16_t
sluice_rx_give_run(const struct sluice_rxq *rxq, uint32_t slot, struct rte_mbuf *const *mbufs,
		uint16_t nb, const struct sluice_path_cfg cfg)
{
	const uint16_t most = SLUICE_VEC_RX_GIVE;
	struct sluice_vec_give_kit kit;
	uint32_t i;

	if (most == 0 || nb < most)
		return 0;
	kit = sluice_vec_give_kit(rxq, slot, cfg);
	/*
	 * Not unrolled: the code takes fewer lines of the instruction cache, where many bursts do
	 * not find it any more.
	 */
#pragma GCC unroll 1
	for (i = 0; i + most <= nb; i += most)
		if (unlikely(!sluice_vec_rx_give(&kit, slot + i, &mbufs[i], cfg)))
			break;
	return i;
}

/*
 * For nb mbufs that are in sw_ring from slot on, and of which the first fit no batch: one, then
 * batches are tried again.
 */
static __rte_always_inline uint16_t
sluice_rx_give_rest(struct sluice_rxq *rxq, uint32_t slot, uint16_t nb,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;
	struct rte_mbuf **sw = &rxq->q.sw_ring[slot];
	const uint16_t hdr_off = rxq->hdr_off;
	struct dmap_addr da;
	uint16_t i = 0;

	for (;;) {
		i += sluice_rx_give_run(rxq, slot + i, &sw[i], nb - i, cfg);
		if (i == nb)
			return i;
		char *va = (char *)sw[i]->buf_addr + hdr_off;

		/* The stream may have another window then. */
		if (unlikely(!dmap_lend(&rxq->q.stream, sw[i], va, rxq->post_len, &da)))
			return i;
		if (cfg.ring_type == SLUICE_SPLIT)
			sluice_split_give(r, slot + i, da, rxq->post_len, SLUICE_DESC_F_WRITE);
		else
			sluice_packed_give(r, slot + i, slot + i, da, rxq->post_len,
					SLUICE_DESC_F_WRITE);
		i++;
	}
}

/*
 * The mbufs of a refill, where the pool's cache of this core has them: they are taken, and stay
 * there until it is used again. NULL: it has not so many. DPDK has no function for that.
 */
static __rte_always_inline struct rte_mbuf *const *
sluice_rx_borrow(const struct sluice_rxq *rxq)
{
	struct rte_mempool_cache *cache = sluice_pool_cache(rxq->pool);
	void **objs;

	if (unlikely(cache == NULL || cache->len < SLUICE_RX_REFILL))
		return NULL;
	cache->len -= SLUICE_RX_REFILL;
	objs = &cache->objs[cache->len];
	RTE_MEMPOOL_CHECK_COOKIES(rxq->pool, objs, SLUICE_RX_REFILL, 1);
	RTE_MEMPOOL_CACHE_STAT_ADD(cache, get_success_bulk, 1);
	RTE_MEMPOOL_CACHE_STAT_ADD(cache, get_success_objs, SLUICE_RX_REFILL);
	return (struct rte_mbuf *const *)objs;
}

/* nb mbufs of the pool, where no batch borrows them. False: it has not so many, or others do. */
static __rte_always_inline bool
sluice_rx_alloc(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb)
{
	return SLUICE_VEC_RX_GIVE == 0 &&
			likely(sluice_pool_get(rxq->pool, (void **)&rxq->q.sw_ring[slot], nb) == 0);
}

/* Of nb slots from head on, which have mbufs, i are filled: the others. Returns how many are. */
static __rte_always_inline uint16_t
sluice_rx_fill_rest(struct sluice_rxq *rxq, uint16_t head, uint16_t nb, uint16_t i,
		const struct sluice_path_cfg cfg)
{
	i += sluice_rx_give_rest(rxq, head + i, nb - i, cfg);
	if (unlikely(i < nb))
		sluice_rx_alloc_undo(rxq, head + i, nb - i);
	return i;
}

/* The same where batches leave little to be done, once for the rows of a ring type. */
static __rte_noinline uint16_t
sluice_rx_fill_rest_split(struct sluice_rxq *rxq, uint16_t head, uint16_t nb, uint16_t i)
{
	return sluice_rx_fill_rest(
			rxq, head, nb, i, (struct sluice_path_cfg){ .ring_type = SLUICE_SPLIT });
}

static __rte_noinline uint16_t
sluice_rx_fill_rest_packed(struct sluice_rxq *rxq, uint16_t head, uint16_t nb, uint16_t i)
{
	return sluice_rx_fill_rest(
			rxq, head, nb, i, (struct sluice_path_cfg){ .ring_type = SLUICE_PACKED });
}

/*
 * Fill nb slots from head on, which do not wrap, but do not publish them. Fewer: the pool ran dry.
 */
static __rte_always_inline uint16_t
sluice_rx_fill(struct sluice_rxq *rxq, uint16_t nb, const struct sluice_path_cfg cfg)
{
	const bool may_borrow = SLUICE_VEC_RX_GIVE != 0 && nb == SLUICE_RX_REFILL;
	struct rte_mbuf *const *mbufs = may_borrow ? sluice_rx_borrow(rxq) : NULL;
	const uint16_t head = rxq->q.ring.head;
	uint16_t i = 0;

	if (likely(mbufs != NULL)) {
		i = sluice_rx_give_run(rxq, head, mbufs, SLUICE_RX_REFILL, cfg);
		if (likely(i == SLUICE_RX_REFILL))
			return i;
		sluice_rx_keep(rxq, head + i, &mbufs[i], nb - i);
	} else if (!sluice_rx_alloc(rxq, head, nb)) {
		nb = sluice_rx_alloc_some(rxq, head, nb);
	}
	if (SLUICE_VEC_RX_GIVE == 0 || cfg.is_pinned)
		return sluice_rx_fill_rest(rxq, head, nb, i, cfg);
	if (cfg.ring_type == SLUICE_SPLIT)
		return sluice_rx_fill_rest_split(rxq, head, nb, i);
	return sluice_rx_fill_rest_packed(rxq, head, nb, i);
}

/* The same where the device gets bounce buffers, which it always reaches. */
static __rte_always_inline uint16_t
sluice_rx_fill_cells(struct sluice_rxq *rxq, uint16_t nb, const struct sluice_path_cfg cfg)
{
	const bool may_borrow = SLUICE_VEC_RX_GIVE != 0 && nb == SLUICE_RX_REFILL;
	struct rte_mbuf *const *mbufs = may_borrow ? sluice_rx_borrow(rxq) : NULL;
	const uint16_t head = rxq->q.ring.head;
	struct rte_mbuf **sw = &rxq->q.sw_ring[head];

	if (likely(mbufs != NULL)) {
		rte_memcpy(sw, mbufs, SLUICE_RX_REFILL * sizeof(*sw));
		sluice_copy_give_run(rxq, head, SLUICE_RX_REFILL, cfg);
		return SLUICE_RX_REFILL;
	}
	if (!sluice_rx_alloc(rxq, head, nb))
		nb = sluice_rx_alloc_some(rxq, head, nb);
	sluice_copy_give_run(rxq, head, nb, cfg);
	return nb;
}

/*
 * Fill free slots when there are enough of them, block by block; a pool that runs dry gives what it
 * has.
 */
static __rte_always_inline void
sluice_rx_refill_by(struct sluice_rxq *rxq, uint16_t thresh, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;
	uint16_t nb, n;

	while (r->nb_free >= thresh) {
		nb = RTE_MIN(r->nb_free, (uint16_t)(r->size - r->head));
		nb = RTE_MIN(nb, (uint16_t)SLUICE_RX_REFILL);
		n = cfg.is_copy ? sluice_rx_fill_cells(rxq, nb, cfg) : sluice_rx_fill(rxq, nb, cfg);
		if (unlikely(n == 0))
			break;
		if (cfg.ring_type == SLUICE_SPLIT)
			sluice_split_publish(r, n);
		else
			sluice_packed_publish(r, n, SLUICE_DESC_F_WRITE);
		dmap_lent(&rxq->q.stream, n);
		r->head = sluice_ring_next(r, r->head, n);
		r->nb_free -= n;
		rxq->nb_unannounced += n;
		if (unlikely(n < nb))
			break;
		/* What is more than a block was asked for at once. */
		if (unlikely(thresh > SLUICE_RX_REFILL))
			thresh = 1;
	}
}

/*
 * The same where batches have to read the mbufs, or where there are none. Out of line: others need
 * not make room for it, and there it is once for the rows of a ring type.
 */
static __rte_noinline void
sluice_rx_refill_pinned_split(struct sluice_rxq *rxq, uint16_t thresh)
{
	sluice_rx_refill_by(rxq, thresh,
			(struct sluice_path_cfg){ .ring_type = SLUICE_SPLIT, .is_pinned = true });
}

static __rte_noinline void
sluice_rx_refill_pinned_packed(struct sluice_rxq *rxq, uint16_t thresh)
{
	sluice_rx_refill_by(rxq, thresh,
			(struct sluice_path_cfg){ .ring_type = SLUICE_PACKED, .is_pinned = true });
}

static __rte_always_inline void
sluice_rx_refill(struct sluice_rxq *rxq, uint16_t thresh, const struct sluice_path_cfg cfg)
{
	if (cfg.is_copy || (SLUICE_VEC_RX_GIVE != 0 && likely(rxq->buf_off != 0))) {
		sluice_rx_refill_by(rxq, thresh, cfg);
		return;
	}
	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_rx_refill_pinned_split(rxq, thresh);
	else
		sluice_rx_refill_pinned_packed(rxq, thresh);
}

#endif /* SLUICE_RX_REFILL_H */
