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
 * A descriptor of either layout in two words: the address; then the length in 32 bits, and two
 * words of 16, which are flags and next, or id and flags.
 */
struct sluice_tx_link {
	uint64_t addr;
	uint64_t rest;
} __attribute__((__may_alias__));

static_assert(sizeof(struct sluice_tx_link) == sizeof(struct sluice_split_desc) &&
				sizeof(struct sluice_tx_link) == sizeof(struct sluice_packed_desc),
		"two words");

/* What the link in a slot says behind its length, if another one follows it. */
static __rte_always_inline uint64_t
sluice_tx_link_rest(uint32_t head, uint32_t slot, uint32_t bits, enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		return (uint64_t)SLUICE_DESC_F_NEXT << 32 | (uint64_t)(slot + 1) << 48;
	return (uint64_t)head << 32 | (uint64_t)(SLUICE_DESC_F_NEXT | bits) << 48;
}

/* Packed flags as with sluice_packed_put_flags(); the burst's first link has none in rest. */
static __rte_always_inline void
sluice_tx_write_link(
		struct sluice_tx_link *dv_link, struct dmap_addr da, uint32_t len, uint64_t rest)
{
	dv_link->addr = da.v;
	rte_atomic_store_explicit(&dv_link->rest, rest | len, rte_memory_order_relaxed);
}

/*
 * The link of a segment in a buffer of its own and in the window near, as most are. before: bytes
 * in front of its data that are sent too. False: another has to look at it, nothing was changed.
 */
static __rte_always_inline bool
sluice_tx_lay_near_link(const struct dmap_window *near, const struct rte_mempool *pool,
		struct sluice_tx_link *dv_link, const struct rte_mbuf *seg, uint32_t before,
		uint64_t rest)
{
	const uint32_t len = seg->data_len;
	struct dmap_addr da;

	if (unlikely(sluice_tx_may_have(seg, RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) ||
			unlikely(rte_mbuf_refcnt_read(seg) != 1) || unlikely(seg->pool != pool) ||
			unlikely(len == 0) ||
			!dmap_lend_near(near, rte_pktmbuf_mtod(seg, char *) - before, len + before,
					&da))
		return false;
	sluice_tx_write_link(dv_link, da, len + before, rest);
	return true;
}

/* Of any plain one. False: it is not, or there is none. */
static __rte_noinline bool
sluice_tx_lay_far_link(struct sluice_txq *txq, struct sluice_tx_link *dv_link, struct rte_mbuf *seg,
		uint32_t before, uint64_t rest)
{
	struct dmap_addr da;

	if (seg == NULL || !sluice_tx_is_ours(seg) || seg->pool != txq->pool || seg->data_len == 0)
		return false;
	if (!dmap_lend(&txq->q.stream, seg, rte_pktmbuf_mtod(seg, char *) - before,
			    seg->data_len + before, &da))
		return false;
	sluice_tx_write_link(dv_link, da, seg->data_len + before, rest);
	return true;
}

/* The same of any plain one. False: it is not plain, or there is none; nothing was changed. */
static __rte_always_inline bool
sluice_tx_lay_link(struct sluice_txq *txq, struct dmap_window *near, const struct rte_mempool *pool,
		struct sluice_tx_link *dv_link, struct rte_mbuf *seg, uint32_t before,
		uint64_t rest)
{
	if (likely(seg != NULL && sluice_tx_lay_near_link(near, pool, dv_link, seg, before, rest)))
		return true;
	if (!sluice_tx_lay_far_link(txq, dv_link, seg, before, rest))
		return false;
	*near = txq->q.stream.last;
	return true;
}

/* Nothing follows the last one. */
static __rte_always_inline void
sluice_tx_end_links(struct sluice_tx_link *dv_link, uint16_t bits, enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		((struct sluice_split_desc *)dv_link)->flags = 0;
	else
		sluice_packed_put_flags((struct sluice_packed_desc *)dv_link, bits);
}

/*
 * The packet in slots from the next one on is not plain: it is what it was. Its last left segments,
 * from rest on, were not laid. What a packed ring says of the others is taken back: the device has
 * seen nothing of it, for that comes behind the burst's first descriptor.
 */
static __rte_noinline void
sluice_tx_take_chain_back(struct sluice_tx_slots s, uint32_t left, struct rte_mbuf *rest,
		enum sluice_ring_type ring_type)
{
	struct sluice_packed_desc *dv_packed = s.dv_desc;
	uint32_t nb = s.slot_kind[s.slot] + 1;
	struct rte_mbuf *seg;

	s.sw_ring[s.slot]->nb_segs = nb;
	for (nb -= left; nb != 0; nb--, seg->next = nb != 0 ? s.sw_ring[s.slot] : rest) {
		seg = s.sw_ring[s.slot];
		if (ring_type == SLUICE_PACKED)
			sluice_packed_put_flags(&dv_packed[s.slot], 0);
		sluice_tx_next_slot(&s);
	}
}

/*
 * The segments of a packet, one in a slot, each as it must be to go back to its pool; hdr_len bytes
 * are in front of the first one's data. False: one is not plain, or there are more or fewer than
 * nb_segs says; nothing was changed.
 */
static __rte_always_inline bool
sluice_tx_lay_chain(struct sluice_txq *txq, struct sluice_tx_slots *s, struct rte_mbuf *m,
		uint32_t hdr_len, enum sluice_ring_type ring_type)
{
	const size_t head = s->slot, size = s->size;
	uint32_t left = m->nb_segs - 1, bits = s->bits;
	uint64_t rest = sluice_tx_link_rest(head, head, bits, ring_type);
	struct sluice_tx_link *dv_link = (struct sluice_tx_link *)s->dv_desc + head;
	struct rte_mbuf **sw_ring = s->sw_ring, *seg = m->next;
	uint16_t *slot_kind = s->slot_kind;
	struct dmap_window near = txq->q.stream.last;
	const struct rte_mempool *pool = txq->pool;
	/* The burst's first link gets its flags in publish. */
	const uint64_t first = ring_type == SLUICE_PACKED && head == s->head ? head << 32 : rest;
	struct rte_mbuf *next;
	size_t slot = head;

	if (!sluice_tx_lay_link(txq, &near, pool, dv_link, m, hdr_len, first))
		return false;
	sw_ring[head] = m;
	slot_kind[head] = left;
	m->next = NULL;
	m->nb_segs = 1;
	do {
		dv_link++;
		rest += ring_type == SLUICE_SPLIT ? (uint64_t)1 << 48 : 0;
		if (unlikely(++slot == size)) {
			if (ring_type == SLUICE_SPLIT)
				((struct sluice_split_desc *)s->dv_desc)[slot - 1].next = 0;
			slot = 0;
			bits ^= SLUICE_PACKED_BITS;
			rest = sluice_tx_link_rest(head, 0, bits, ring_type);
			dv_link = s->dv_desc;
		}
		if (!sluice_tx_lay_link(txq, &near, pool, dv_link, seg, 0, rest))
			goto odd;
		sw_ring[slot] = seg;
		slot_kind[slot] = SLUICE_TX_MIDDLE;
		next = seg->next;
		seg->next = NULL;
		seg->nb_segs = 1;
		seg = next;
	} while (--left != 0);
	if (unlikely(seg != NULL))
		goto odd;
	sluice_tx_end_links(dv_link, bits, ring_type);
	s->slot = slot;
	s->bits = bits;
	sluice_tx_next_slot(s);
	return true;
odd:
	sluice_tx_take_chain_back(*s, left, seg, ring_type);
	return false;
}

/* Out of line, so that the loop has the registers for itself. */
static __rte_noinline bool
sluice_tx_lay_split(struct sluice_txq *txq, struct sluice_tx_slots *s, struct rte_mbuf *m,
		uint32_t hdr_len)
{
	return sluice_tx_lay_chain(txq, s, m, hdr_len, SLUICE_SPLIT);
}

static __rte_noinline bool
sluice_tx_lay_packed(struct sluice_txq *txq, struct sluice_tx_slots *s, struct rte_mbuf *m,
		uint32_t hdr_len)
{
	return sluice_tx_lay_chain(txq, s, m, hdr_len, SLUICE_PACKED);
}

/* A packet of several segments. False: it goes another way, nothing was changed. */
static __rte_always_inline bool
sluice_tx_give_chain(struct sluice_txq *txq, struct sluice_tx_slots *s, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	const uint32_t hdr_len = sluice_tx_hdr_len(txq, cfg);

	if (m->data_off < hdr_len)
		return false;
	return cfg.ring_type == SLUICE_SPLIT ? sluice_tx_lay_split(txq, s, m, hdr_len) :
					       sluice_tx_lay_packed(txq, s, m, hdr_len);
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
