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
 * Make the pool of m the one of the plain packets, if m has a buffer of it, the device reaches it
 * and none of another pool is on its way; nb_slots were given by the burst so far. True if it is
 * now.
 */
static inline bool
sluice_tx_adopt_pool(struct sluice_txq *txq, struct rte_mbuf *m, uint16_t nb_slots)
{
	uint16_t nb_in_flight = sluice_ring_nb_in_flight(&txq->q.ring) + nb_slots;
	struct rte_mempool *pool = m->pool;

	if (pool != txq->pool && nb_in_flight == txq->nb_slow_slots && txq->q.ring.nb_holes == 0 &&
			sluice_tx_has_own_buffer(m) && dmap_knows_pool(&txq->q.stream, m, pool)) {
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
 * A packet that asks for nothing, or of which the device has only to be told. False: another has to
 * look at it.
 */
static __rte_always_inline bool
sluice_tx_can_give(struct sluice_txq *txq, struct rte_mbuf *m, const struct sluice_path_cfg cfg)
{
	return likely(!sluice_tx_asks(m)) || (cfg.has_offloads && sluice_tx_edit(txq, m));
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
	size_t nb_plain;
};

/*
 * A packet with the header in front of its data (has_room), alone in its slot; or in two slots, one
 * of a header that packets share. False: there are no slots, or no address.
 */
static __rte_always_inline bool
sluice_tx_fill(struct sluice_txq *txq, struct sluice_tx_singles *run, struct rte_mbuf *m,
		const bool has_room, const struct sluice_path_cfg cfg)
{
	const uint32_t hdr_len = sluice_tx_hdr_len(txq, cfg), before = has_room ? hdr_len : 0;
	const uint32_t len = m->data_len; /* read once, whatever is stored in between */
	char *from = rte_pktmbuf_mtod(m, char *) - before;
	struct sluice_tx_slots *s = &run->s;
	struct dmap_stream *stream = &txq->q.stream;
	const size_t head = s->slot;
	struct dmap_addr da;
	uint16_t kind;
	bool is_known;

	if (has_room ? head == run->end : head + 2 > run->pair_end || len == 0)
		return false;
	if (!dmap_lend(stream, m, from, len + before, &da))
		return false;
	is_known = has_room ? m->pool == txq->pool || dmap_knows_pool(stream, m, m->pool) :
			      dmap_knows(stream, m);
	if (!is_known)
		return false;
	s->sw_ring[head] = m;
	if (has_room) {
		sluice_tx_fill_header(txq, m, from, cfg);
		kind = m->pool == txq->pool ? 0 : SLUICE_TX_FOREIGN;
		run->nb_plain += kind == 0;
	} else {
		kind = SLUICE_TX_SLOW | 1;
		sluice_tx_write_desc(s, head, txq->zero_da, hdr_len, SLUICE_DESC_F_NEXT,
				head == s->head, cfg.ring_type);
		s->slot_kind[++s->slot] = SLUICE_TX_MIDDLE;
	}
	s->slot_kind[head] = kind;
	sluice_tx_write_desc(
			s, head, da, len + before, 0, has_room && head == s->head, cfg.ring_type);
	s->slot++;
	return true;
}

/* n packets of a run were given, nb_gso of them to be segmented. */
static __rte_always_inline void
sluice_tx_end_singles(struct sluice_txq *txq, const struct sluice_tx_singles *run,
		struct sluice_tx_burst *b, uint32_t n, uint32_t nb_gso)
{
	const uint32_t nb_slots = run->s.slot - b->slot, nb_slow_slots = nb_slots - run->nb_plain;
	const bool is_pair = (run->s.slot_kind[b->slot] & SLUICE_TX_MORE) != 0;

	sluice_tx_end_slots(&run->s, b, n, nb_slots, RTE_MAX(nb_slow_slots, nb_gso),
			is_pair ? SLUICE_DESC_F_NEXT : 0);
	txq->nb_slow_slots += nb_slow_slots;
	/* Each of the pairs took a slot more. */
	txq->nb_chained += nb_slots - n;
}

/*
 * Packets of one segment, from the first on, as long as one follows the other and slots do. Returns
 * how many; what stopped it goes the long way, or again.
 */
static __rte_always_inline uint16_t
sluice_tx_give_singles(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &txq->q.ring;
	struct sluice_tx_singles run = {
		.s = sluice_tx_slots(txq, b, cfg.ring_type),
		.end = RTE_MIN((uint32_t)r->size, (uint32_t)b->slot + r->nb_free - b->nb_slots),
	};
	const uint32_t hdr_len = sluice_tx_hdr_len(txq, cfg);
	uint64_t bytes = 0;
	uint32_t n, head, nb_gso = 0;
	bool is_given;

	run.pair_end = RTE_MIN(run.end, (uint32_t)b->slot + sluice_tx_nb_to_spare(r, b));
	for (n = 0; n < nb; n++) {
		struct rte_mbuf *m = pkts[n];

		head = run.s.slot;
		if (m->nb_segs != 1 || !sluice_tx_can_give(txq, m, cfg))
			break;
		if (sluice_tx_is_ours(m) && m->data_off >= hdr_len) {
			/* Until one is plain: then it is known which are of another pool. */
			if (run.nb_plain == 0)
				sluice_tx_adopt_pool(txq, m, b->nb_slots);
			is_given = sluice_tx_fill(txq, &run, m, true, cfg);
		} else {
			/* What asks for something has a header of its own. */
			is_given = !(cfg.has_offloads && sluice_tx_asks(m)) &&
					sluice_tx_fill(txq, &run, m, false, cfg);
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
