/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting packets of one segment that no batch takes: of other pools than the plain ones,
 * clones, buffers that somebody else holds too or that have no room for the header. Part of
 * sluice_tx_slow.c.
 */

#ifndef SLUICE_TX_SINGLE_H
#define SLUICE_TX_SINGLE_H

#include "sluice_tx_slots.h"

/*
 * Make pool the one of the plain packets, if none of another pool is on its way; nb_slots were
 * given by the burst so far. True if it is now.
 */
static inline bool
sluice_tx_adopt_pool(struct sluice_txq *txq, struct rte_mempool *pool, uint16_t nb_slots)
{
	uint16_t nb_in_flight = sluice_ring_nb_in_flight(&txq->q.ring) + nb_slots;

	if (pool != txq->pool && nb_in_flight == txq->nb_slow_slots && txq->q.ring.nb_holes == 0) {
		txq->pool = pool;
		txq->plain_start = SLUICE_TX_BATCHES;
		if (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF)
			txq->plain_start = SLUICE_TX_PINNED;
	}
	return pool == txq->pool;
}

/*
 * Slots that the burst may still give to packets that could do with fewer, as long as the ring is
 * not short of slots: a quarter stays free.
 */
static __rte_always_inline uint16_t
sluice_tx_nb_to_spare(const struct sluice_ring *r, const struct sluice_tx_burst *b)
{
	uint16_t nb_free = r->nb_free - b->nb_slots, spare = r->size / 4;

	return RTE_MAX(nb_free, spare) - spare;
}

/*
 * With offloads: a packet that asks for nothing, or of which the device has only to be told. False:
 * another has to look at it.
 */
static __rte_always_inline bool
sluice_tx_can_give(struct sluice_txq *txq, struct rte_mbuf *m, const struct sluice_path_cfg cfg)
{
	return !cfg.has_offloads || likely(!sluice_tx_asks(m)) || sluice_tx_edit(txq, m);
}

/* The net header of a packet that asks for nothing, in front of its data; others have theirs. */
static __rte_always_inline void
sluice_tx_fill_header(const struct sluice_txq *txq, const struct rte_mbuf *m, void *hdr,
		const struct sluice_path_cfg cfg)
{
	if (cfg.has_offloads && sluice_tx_asks(m))
		return;
	sluice_tx_clear_header(hdr);
	sluice_tx_clear_hash(hdr, sluice_tx_hdr_len(txq, cfg));
}

/* Packets of a run, in slots that follow each other without a wrap. */
struct sluice_tx_singles {
	struct sluice_tx_slots s;
	size_t end;      /* behind the last slot */
	size_t pair_end; /* the same for packets that could do with fewer */
	size_t nb_slow_slots;
};

/*
 * A packet with the header in front of its data, alone in its slot. False: there is no slot, or no
 * address.
 */
static __rte_always_inline bool
sluice_tx_fill_one(struct sluice_txq *txq, struct sluice_tx_singles *run, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	struct sluice_tx_slots *s = &run->s;
	const uint32_t hdr_len = sluice_tx_hdr_len(txq, cfg);
	char *hdr = rte_pktmbuf_mtod(m, char *) - hdr_len;
	uint32_t len = m->data_len + hdr_len;
	struct dmap_addr da;
	bool is_foreign = m->pool != txq->pool;

	if (s->slot == run->end || !dmap_lend(&txq->q.stream, m, hdr, len, &da))
		return false;
	sluice_tx_fill_header(txq, m, hdr, cfg);
	s->sw_ring[s->slot] = m;
	s->slot_kind[s->slot] = is_foreign ? SLUICE_TX_FOREIGN : 0;
	run->nb_slow_slots += is_foreign;
	sluice_tx_write_desc(s, s->slot, da, len, 0, s->slot == s->head, cfg.ring_type);
	s->slot++;
	return true;
}

/* A packet in two slots: a header that is nobody's own, and the data. */
static __rte_always_inline bool
sluice_tx_fill_pair(struct sluice_txq *txq, struct sluice_tx_singles *run, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	const uint32_t len = m->data_len; /* read once, whatever is stored in between */
	struct sluice_tx_slots *s = &run->s;
	const size_t head = s->slot;
	struct dmap_addr da;

	if (head + 2 > run->pair_end || len == 0 ||
			!dmap_lend(&txq->q.stream, m, rte_pktmbuf_mtod(m, void *), len, &da))
		return false;
	s->sw_ring[head] = m;
	s->slot_kind[head] = SLUICE_TX_SLOW | 1;
	s->slot_kind[head + 1] = SLUICE_TX_MIDDLE;
	run->nb_slow_slots += 2;
	sluice_tx_write_desc(s, head, txq->zero_da, sluice_tx_hdr_len(txq, cfg), SLUICE_DESC_F_NEXT,
			head == s->head, cfg.ring_type);
	s->slot++;
	sluice_tx_write_desc(s, head, da, len, 0, false, cfg.ring_type);
	s->slot++;
	return true;
}

/*
 * Is a packet's buffer, which is an external one, pinned to its mbuf, and nobody else's? Those who
 * hold it are counted with the buffer. *pinned is the last pool that was found to have such ones.
 */
static __rte_always_inline bool
sluice_tx_has_pinned_room(struct rte_mbuf *m, uint32_t hdr_len, const struct rte_mempool **pinned)
{
	if (m->pool != *pinned) {
		if (!RTE_MBUF_HAS_PINNED_EXTBUF(m))
			return false;
		*pinned = m->pool;
	}
	return rte_mbuf_refcnt_read(m) == 1 && rte_mbuf_ext_refcnt_read(m->shinfo) == 1 &&
			m->data_off >= hdr_len;
}

/* Either of them: room for the header in a buffer that is the packet's own. */
static __rte_always_inline bool
sluice_tx_has_own_room(struct rte_mbuf *m, uint32_t hdr_len, const bool is_external,
		const struct rte_mempool **pinned, const struct sluice_path_cfg cfg)
{
	if (!is_external)
		return sluice_tx_has_header_room(m, hdr_len, cfg);
	return (cfg.has_offloads || !sluice_tx_asks(m)) &&
			sluice_tx_has_pinned_room(m, hdr_len, pinned);
}

/* n packets of a run were given, nb_gso of them to be segmented. */
static __rte_always_inline void
sluice_tx_end_singles(struct sluice_txq *txq, const struct sluice_tx_singles *run,
		struct sluice_tx_burst *b, uint32_t n, uint32_t nb_gso)
{
	const uint32_t nb_slots = run->s.slot - b->slot;

	if (b->nb_slots == 0 && (run->s.slot_kind[b->slot] & SLUICE_TX_MORE) != 0)
		b->head_flags = SLUICE_DESC_F_NEXT;
	b->nb_unbatched += RTE_MAX(run->nb_slow_slots, nb_gso);
	b->nb_slots += nb_slots;
	b->nb_bufs += n;
	b->slot = run->s.slot == txq->q.ring.size ? 0 : run->s.slot;
	txq->nb_slow_slots += run->nb_slow_slots;
	/* Each of the pairs took a slot more. */
	txq->nb_chained += nb_slots - n;
}

/*
 * Packets of one segment, from the first on, as long as one follows the other and slots do. Either
 * of those that have external buffers, or of the others. Returns how many; what stopped it goes the
 * long way, or again.
 */
static __rte_always_inline uint16_t
sluice_tx_give_singles(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, const bool are_external,
		const struct sluice_path_cfg cfg)
{
	const uint64_t no_pair = SLUICE_TX_FLAGS | (are_external ? 0 : RTE_MBUF_F_EXTERNAL);
	const struct sluice_ring *r = &txq->q.ring;
	struct sluice_tx_singles run = {
		.s = sluice_tx_slots(txq, b, cfg.ring_type),
		.end = RTE_MIN((uint32_t)r->size, (uint32_t)b->slot + r->nb_free - b->nb_slots),
	};
	const uint32_t hdr_len = sluice_tx_hdr_len(txq, cfg);
	const struct rte_mempool *pinned = NULL;
	uint64_t bytes = 0;
	uint32_t n, head, nb_gso = 0;
	bool is_given;

	run.pair_end = RTE_MIN(run.end, (uint32_t)b->slot + sluice_tx_nb_to_spare(r, b));
	for (n = 0; n < nb; n++) {
		struct rte_mbuf *m = pkts[n];

		head = run.s.slot;
		if (m->nb_segs != 1)
			break;
		if (are_external && !(m->ol_flags & RTE_MBUF_F_EXTERNAL))
			break;
		if (!sluice_tx_can_give(txq, m, cfg))
			break;
		if (sluice_tx_has_own_room(m, hdr_len, are_external, &pinned, cfg)) {
			/*
			 * Until one of the run is plain: then it is known which are of another
			 * pool.
			 */
			if (run.nb_slow_slots == run.s.slot - b->slot)
				sluice_tx_adopt_pool(txq, m->pool, b->nb_slots);
			is_given = sluice_tx_fill_one(txq, &run, m, cfg);
		} else {
			is_given = (sluice_tx_upper_flags(m) & (no_pair >> 32)) == 0 &&
					sluice_tx_fill_pair(txq, &run, m, cfg);
		}
		if (!is_given)
			break;
		if (cfg.has_offloads && (m->ol_flags & SLUICE_TX_GSO_FLAGS) != 0)
			nb_gso++;
		if (cfg.ring_type == SLUICE_SPLIT)
			sluice_split_make_available(&txq->q.ring, b->nb_bufs + n, head);
		bytes += m->pkt_len;
	}
	if (n != 0)
		sluice_tx_end_singles(txq, &run, b, n, nb_gso);
	txq->q.stats.bytes += bytes;
	return n;
}

#endif /* SLUICE_TX_SINGLE_H */
