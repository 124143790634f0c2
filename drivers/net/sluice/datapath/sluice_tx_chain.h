/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting plain packets of several segments: a slot for each, so that the mbufs go back to
 * their pool in one block with their neighbours. Part of sluice_tx_slow.c.
 */

#ifndef SLUICE_TX_CHAIN_H
#define SLUICE_TX_CHAIN_H

#include "sluice_tx_single.h"

/*
 * A segment in the next slot: descriptor, but the flags of a packed one, and what goes back to the
 * pool. before: bytes in front of its data that are sent too. False: it is not plain, nothing was
 * changed.
 */
static __rte_always_inline bool
sluice_tx_lay_link(struct sluice_txq *txq, const struct sluice_tx_slots *s, uint32_t head,
		struct rte_mbuf *seg, uint32_t before, uint32_t flags,
		const struct sluice_path_cfg cfg)
{
	const uint32_t len = seg->data_len;
	struct dmap_addr da;

	if (unlikely(!sluice_tx_is_ours(seg) || seg->pool != txq->pool || len == 0))
		return false;
	if (unlikely(!dmap_lend(&txq->q.stream, seg, rte_pktmbuf_mtod(seg, char *) - before,
			    len + before, &da)))
		return false;
	sluice_tx_write_desc(s, head, da, len + before, flags, true, cfg.ring_type);
	s->sw_ring[s->slot] = seg;
	return true;
}

/*
 * The packet whose first nb segments were laid from slot first on is not plain: it is what it was,
 * with the segment rest behind these.
 */
static __rte_noinline void
sluice_tx_take_chain_back(
		struct sluice_tx_slots s, uint32_t nb_segs, uint32_t nb, struct rte_mbuf *rest)
{
	struct rte_mbuf *seg;

	s.sw_ring[s.slot]->nb_segs = nb_segs;
	for (; nb != 0; nb--, seg->next = nb != 0 ? s.sw_ring[s.slot] : rest) {
		seg = s.sw_ring[s.slot];
		sluice_tx_next_slot(&s);
	}
}

/* The flags of packed descriptors in slots from one to before another; all have one behind them. */
static __rte_always_inline void
sluice_tx_put_next_flags(const struct sluice_tx_slots *s, size_t from, size_t to)
{
	struct sluice_packed_desc *dv_desc = s->dv_desc;

	for (; from != to; from++)
		rte_atomic_store_explicit(&dv_desc[from].flags, s->bits | SLUICE_DESC_F_NEXT,
				rte_memory_order_relaxed);
}

/*
 * The flags of the nb packed descriptors that were laid from slot first on, but the burst's head.
 * Not before all segments are known to be plain: a device may read flags ahead.
 */
static __rte_always_inline void
sluice_tx_put_chain_flags(struct sluice_tx_slots s, uint32_t nb)
{
	struct sluice_packed_desc *dv_desc = s.dv_desc;
	const size_t from = s.slot + (s.slot == s.head);
	size_t last = s.slot + nb - 1;

	if (likely(last < s.size)) {
		sluice_tx_put_next_flags(&s, from, last);
	} else {
		last -= s.size;
		sluice_tx_put_next_flags(&s, from, s.size);
		s.bits ^= SLUICE_PACKED_BITS;
		sluice_tx_put_next_flags(&s, 0, last);
	}
	rte_atomic_store_explicit(&dv_desc[last].flags, s.bits, rte_memory_order_relaxed);
}

/*
 * A packet of several segments, each as it must be to go back to its pool. False: one is not plain,
 * or there are more or fewer than nb_segs says; nothing was changed.
 */
static __rte_always_inline bool
sluice_tx_give_chain(struct sluice_txq *txq, struct sluice_tx_slots *s, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	const uint32_t nb = m->nb_segs, head = s->slot, hdr_len = sluice_tx_hdr_len(txq, cfg);
	const struct sluice_tx_slots first = *s;
	struct rte_mbuf *seg = m, *next = m->next;
	uint32_t left = nb - 1, flags = SLUICE_DESC_F_NEXT;

	if (m->data_off < hdr_len ||
			!sluice_tx_lay_link(txq, s, head, m, hdr_len, SLUICE_DESC_F_NEXT, cfg))
		return false;
	s->slot_kind[head] = left;
	do {
		seg->next = NULL;
		seg->nb_segs = 1;
		seg = next;
		sluice_tx_next_slot(s);
		if (left == 1)
			flags = 0;
		if (unlikely(seg == NULL || !sluice_tx_lay_link(txq, s, head, seg, 0, flags, cfg)))
			break;
		s->slot_kind[s->slot] = SLUICE_TX_MIDDLE;
		next = seg->next;
	} while (--left != 0);
	if (unlikely(left != 0 || next != NULL)) {
		*s = first;
		sluice_tx_take_chain_back(first, nb, nb - left, left != 0 ? seg : next);
		return false;
	}
	seg->nb_segs = 1;
	sluice_tx_next_slot(s);
	if (cfg.ring_type == SLUICE_PACKED)
		sluice_tx_put_chain_flags(first, nb);
	return true;
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
	/* A slot for each segment is the fastest way. */
	const uint32_t nb_spare = sluice_tx_nb_to_spare(r, b), nb_free = r->nb_free - b->nb_slots;
	struct sluice_tx_slots s;
	uint64_t bytes = 0;
	uint32_t n, nb_segs, nb_slots = 0;

	if (!sluice_tx_adopt_pool(txq, pkts[0], b->nb_slots))
		return 0;
	s = sluice_tx_slots(txq, b, cfg.ring_type);
	for (n = 0; n < nb; n++) {
		struct rte_mbuf *m = pkts[n];
		/* What asks for something takes no fewer on the long way. */
		bool is_spared = !cfg.has_offloads || !sluice_tx_asks(m);

		nb_segs = m->nb_segs;
		if (nb_segs < 2 || nb_segs > SLUICE_TX_SEGS_MAX ||
				nb_slots + nb_segs > (is_spared ? nb_spare : nb_free) ||
				!sluice_tx_can_give(txq, m, cfg))
			break;
		if (cfg.ring_type == SLUICE_SPLIT)
			sluice_split_make_available(r, b->nb_bufs + n, s.slot);
		if (!sluice_tx_give_chain(txq, &s, m, cfg))
			break;
		sluice_tx_fill_header(txq, m,
				rte_pktmbuf_mtod(m, char *) - sluice_tx_hdr_len(txq, cfg), cfg);
		bytes += m->pkt_len;
		nb_slots += nb_segs;
	}
	if (n == 0)
		return 0;
	sluice_tx_end_slots(&s, b, n, nb_slots, nb_slots, SLUICE_DESC_F_NEXT);
	b->chain_end = b->nb_slots;
	txq->nb_chained += n;
	txq->q.stats.bytes += bytes;
	return n;
}

#endif /* SLUICE_TX_CHAIN_H */
