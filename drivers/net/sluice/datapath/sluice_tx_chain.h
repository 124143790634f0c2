/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting plain packets of several segments: a slot for each, so that the mbufs go back to
 * their pool in one block with their neighbours. Part of sluice_tx_odd.c.
 */

#ifndef SLUICE_TX_CHAIN_H
#define SLUICE_TX_CHAIN_H

#include "sluice_tx_single.h"

/* Slots, and what it takes to fill them; a copy as struct sluice_tx_slots. */
struct sluice_tx_links {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	uint16_t *extent;
	struct rte_mempool *pool;
	uint32_t size;
	uint32_t slot;    /* next */
	uint32_t nb_free; /* slots that chains may take */
	uint32_t bits;    /* packed: AVAIL and USED bits of the next slot */
};

static __rte_always_inline struct sluice_tx_links
sluice_tx_links(const struct sluice_txq *txq, const struct sluice_tx_burst *b,
		enum sluice_layout layout)
{
	const struct sluice_ring *r = &txq->q.ring;

	return (struct sluice_tx_links){
		.dv_desc = layout == SLUICE_SPLIT ? (void *)r->split.dv_desc :
						    (void *)r->packed.dv_desc,
		.sw_ring = txq->q.sw_ring,
		.extent = txq->extent,
		.pool = txq->pool,
		.size = r->size,
		.slot = b->slot,
		/* A slot for each segment is the fastest way. */
		.nb_free = sluice_tx_nb_to_spare(r, b),
		.bits = sluice_packed_avail_bits(r, b->slot),
	};
}

/* The slot after this one; AVAIL and USED bits turn where the ring begins anew (2.8.1). */
static __rte_always_inline uint32_t
sluice_tx_next_link(const struct sluice_tx_links *l, uint32_t slot, uint32_t *bits)
{
	if (likely(slot + 1 != l->size))
		return slot + 1;
	*bits ^= SLUICE_PACKED_BITS;
	return 0;
}

/*
 * Write the descriptors of a packet, but what makes packed ones available: it does not matter then
 * if a segment turns out not to be plain. False: one is not, or there are more or fewer than
 * nb_segs says, or no slots.
 */
static __rte_always_inline bool
sluice_tx_lay_chain(struct sluice_txq *txq, const struct sluice_tx_links *l, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	uint32_t i, nb = m->nb_segs, slot = l->slot, next, bits = l->bits;
	uint32_t len, before = sluice_tx_hdr_len(txq, cfg);
	struct rte_mbuf *seg = m;
	struct dmap_addr da;
	char *va;

	if (nb > SLUICE_TX_SEGS_MAX || nb > l->nb_free || m->data_off < before)
		return false;
	for (i = 1; i <= nb; i++, before = 0, slot = next, seg = seg->next) {
		if (unlikely(seg == NULL || rte_mbuf_refcnt_read(seg) != 1 ||
				    sluice_tx_may_have(seg, sluice_tx_odd_flags(cfg)) ||
				    seg->pool != l->pool || seg->data_len == 0))
			return false;
		va = rte_pktmbuf_mtod(seg, char *) - before;
		len = seg->data_len + before;
		if (unlikely(!dmap_lend(&txq->q.stream, seg, va, len, &da)))
			return false;
		next = sluice_tx_next_link(l, slot, &bits);
		if (cfg.layout == SLUICE_SPLIT)
			sluice_split_desc_write((struct sluice_split_desc *)l->dv_desc + slot, da,
					len, i < nb ? SLUICE_DESC_F_NEXT : 0, next);
		else
			sluice_packed_desc_write((struct sluice_packed_desc *)l->dv_desc + slot,
					l->slot, da, len, 0, true);
		l->sw_ring[slot] = seg;
	}
	return seg == NULL;
}

/*
 * Give the segment that was laid in a slot: as it must be to go back to its pool, and the flags of
 * a packed descriptor, but those of the burst's head.
 */
static __rte_always_inline void
sluice_tx_give_link(const struct sluice_tx_links *l, uint32_t slot, uint16_t extent, uint32_t flags,
		bool is_head, enum sluice_layout layout)
{
	struct sluice_packed_desc *dv_desc = l->dv_desc;
	struct rte_mbuf *seg = l->sw_ring[slot];

	seg->next = NULL;
	seg->nb_segs = 1;
	l->extent[slot] = extent;
	if (layout == SLUICE_PACKED && !is_head)
		rte_atomic_store_explicit(
				&dv_desc[slot].flags, l->bits | flags, rte_memory_order_relaxed);
}

/* Give the nb segments that were laid, two at least. Only the first can be the burst's head. */
static __rte_always_inline void
sluice_tx_give_chain(
		struct sluice_tx_links *l, uint32_t nb, uint32_t head, enum sluice_layout layout)
{
	uint32_t i, slot = l->slot;

	sluice_tx_give_link(l, slot, nb - 1, SLUICE_DESC_F_NEXT, slot == head, layout);
	for (i = 2; i <= nb; i++) {
		slot = sluice_tx_next_link(l, slot, &l->bits);
		sluice_tx_give_link(l, slot, SLUICE_TX_MIDDLE, i < nb ? SLUICE_DESC_F_NEXT : 0,
				false, layout);
	}
	l->slot = sluice_tx_next_link(l, slot, &l->bits);
	l->nb_free -= nb;
}

/*
 * Packets of several plain segments, from the first on, as long as one follows the other and slots
 * do. Returns how many; what stopped it goes another way.
 */
static __rte_always_inline uint16_t
sluice_tx_give_chains(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &txq->q.ring;
	struct sluice_tx_links l;
	uint64_t bytes = 0;
	uint32_t n, nb_segs, nb_slots;

	if (!sluice_tx_adopt_pool(txq, pkts[0]->pool, b->nb_slots))
		return 0;
	l = sluice_tx_links(txq, b, cfg.layout);
	nb_slots = l.nb_free;
	for (n = 0; n < nb; n++) {
		nb_segs = pkts[n]->nb_segs;
		if (nb_segs == 1 || !sluice_tx_can_give(txq, pkts[n], cfg) ||
				!sluice_tx_lay_chain(txq, &l, pkts[n], cfg))
			break;
		if (cfg.layout == SLUICE_SPLIT)
			sluice_split_make_available(r, b->nb_bufs + n, l.slot);
		bytes += pkts[n]->pkt_len;
		sluice_tx_fill_header(txq, pkts[n],
				rte_pktmbuf_mtod(pkts[n], char *) - sluice_tx_hdr_len(txq, cfg),
				cfg);
		sluice_tx_give_chain(&l, nb_segs, r->head, cfg.layout);
	}
	if (n == 0)
		return 0;
	if (b->nb_slots == 0)
		b->head_flags = SLUICE_DESC_F_NEXT;
	nb_slots -= l.nb_free;
	b->slot = l.slot;
	b->nb_slots += nb_slots;
	b->nb_unfit += nb_slots;
	b->nb_bufs += n;
	b->chain_end = b->nb_slots;
	txq->nb_chained += n;
	txq->q.stats.bytes += bytes;
	return n;
}

#endif /* SLUICE_TX_CHAIN_H */
