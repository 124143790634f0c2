/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The long way of transmitting: packets of several segments, shared or external buffers, no headroom, other
 * pools; and completions that are not a block of plain packets. See sluice_tx.h.
 *
 * A packet takes one slot if it fits one descriptor or an indirect table, else one slot per part.
 */

#include <string.h>

#include "sluice_tx.h"

/* Most parts of a packet: as many as ip fragments of a 64 KiB packet in small buffers make. */
#define TX_PARTS_MAX 256

/* Parts of one packet on their way into descriptors. */
struct part {
	struct dmap_addr da;
	uint32_t len;
};

/*
 * Make pool the one of the plain packets, if none of another pool is on its way; nb_slots were given by the
 * burst so far. True if it is now.
 */
static bool
adopt_pool(struct sluice_txq *txq, struct rte_mempool *pool, uint16_t nb_slots)
{
	uint16_t nb_busy = sluice_ring_nb_busy(&txq->q.ring) + nb_slots;

	if (pool != txq->pool && nb_busy == txq->nb_odd && txq->q.ring.nb_holes == 0)
		txq->pool = pool;
	return pool == txq->pool;
}

void
sluice_tx_mark_foreign(struct sluice_txq *txq, struct rte_mbuf *m, uint16_t slot, uint16_t nb_slots)
{
	if (adopt_pool(txq, m->pool, nb_slots))
		return;
	txq->extent[slot] = SLUICE_TX_ODD | 1;
	txq->nb_odd++;
}

static inline void
flush_freed(struct sluice_tx_freed *f)
{
	if (f->nb != 0)
		rte_mempool_put_bulk(f->pool, (void **)f->m, f->nb);
	f->nb = 0;
}

void
sluice_tx_flush_freed(struct sluice_txq *txq)
{
	flush_freed(&txq->freed[0]);
	flush_freed(&txq->freed[1]);
}

/* An mbuf for its pool, with others of the same pool. */
static inline void
put_segment(struct sluice_txq *txq, struct rte_mbuf *seg, struct rte_mempool *pool)
{
	struct sluice_tx_freed *f = txq->freed;

	if (pool != f->pool)
		f++;
	if (unlikely(pool != f->pool)) {
		f -= f[-1].nb == 0;
		flush_freed(f);
		f->pool = pool;
	}
	if (unlikely(f->nb == SLUICE_TX_FREED_MAX))
		flush_freed(f);
	f->m[f->nb++] = seg;
}

/* An odd packet: each segment to its pool, unless somebody still holds it. */
static inline void
free_segments(struct sluice_txq *txq, struct rte_mbuf *seg)
{
	struct rte_mbuf *next;

	for (; seg != NULL; seg = next) {
		next = seg->next;
		seg = rte_pktmbuf_prefree_seg(seg);
		if (likely(seg != NULL))
			put_segment(txq, seg, seg->pool);
	}
}

/* Frees the packet that starts at a slot; afterwards the slot is a hole. Returns the slots that it took. */
static inline uint16_t
free_packet(struct sluice_txq *txq, uint16_t slot)
{
	uint16_t i, nb_slots = sluice_tx_slots_of(txq, slot), at = slot;

	if (txq->extent[slot] & SLUICE_TX_ODD)
		free_segments(txq, txq->q.sw_ring[slot]);
	else
		for (i = 0; i < nb_slots; i++, at = sluice_ring_next(&txq->q.ring, at, 1))
			put_segment(txq, txq->q.sw_ring[at], txq->pool);
	txq->q.sw_ring[slot] = NULL;
	dmap_take_back(&txq->q.stream, nb_slots);
	return nb_slots;
}

/* The oldest slots were given to one packet, which is done: they are free. */
static inline void
free_slots(struct sluice_txq *txq, uint16_t nb_slots)
{
	struct sluice_ring *r = &txq->q.ring;

	if (txq->extent[r->tail] & SLUICE_TX_ODD)
		txq->nb_odd -= nb_slots;
	sluice_ring_free_slots(r, nb_slots);
}

uint32_t
sluice_tx_sum_slots(const struct sluice_txq *txq, uint16_t nb)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint32_t sum = 0;

	for (; nb != 0 && sum < sluice_ring_nb_busy(r); nb--)
		sum += sluice_tx_slots_of(txq, sluice_ring_next(r, r->tail, sum));
	return nb == 0 ? sum : UINT32_MAX;
}

/* Does the device have a packet that starts at slot id? If not, the queue fails. */
static inline bool
starts_packet(struct sluice_txq *txq, uint32_t id)
{
	if (likely(sluice_queue_is_lent(&txq->q, id) && txq->extent[id] != SLUICE_TX_MIDDLE))
		return true;
	sluice_queue_break(&txq->q, SLUICE_FAIL_BAD_ID);
	return false;
}

/* The packet that starts at a slot is done. Returns the slots that it took. */
static inline uint16_t
complete(struct sluice_txq *txq, uint16_t slot)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t nb_slots = free_packet(txq, slot), nb;

	if (likely(slot == r->tail && r->nb_holes == 0)) {
		free_slots(txq, nb_slots);
		return nb_slots;
	}
	r->nb_holes += nb_slots;
	while (r->nb_holes != 0 && txq->q.sw_ring[r->tail] == NULL) {
		nb = sluice_tx_slots_of(txq, r->tail);
		r->nb_holes -= nb;
		free_slots(txq, nb);
	}
	return nb_slots;
}

uint32_t
sluice_tx_complete_split(struct sluice_txq *txq, uint32_t id)
{
	if (unlikely(!starts_packet(txq, id)))
		return 0;
	complete(txq, id);
	return 1;
}

uint32_t
sluice_tx_complete_packed(struct sluice_txq *txq, uint32_t id, bool is_in_order)
{
	uint32_t done = 0;
	uint16_t oldest;

	if (unlikely(!starts_packet(txq, id)))
		return 0;
	/* With order no slot behind tail is a hole, so packets start one after the other up to id. */
	do {
		oldest = is_in_order ? txq->q.ring.tail : id;
		sluice_packed_skip(&txq->q.ring, complete(txq, oldest));
		done++;
	} while (oldest != id);
	return done;
}

/*
 * Header of a packet: in the headroom if the buffer is ours alone and has the room, else in the slot's own
 * device-visible memory. Adds the first part; the segment's data follow in the same part if they touch.
 */
static bool
give_header(struct sluice_txq *txq, struct rte_mbuf *m, uint16_t slot, struct part *parts,
		uint16_t *nb)
{
	bool is_own = rte_mbuf_refcnt_read(m) == 1 &&
			(RTE_MBUF_DIRECT(m) ||
					(RTE_MBUF_HAS_PINNED_EXTBUF(m) &&
							rte_mbuf_ext_refcnt_read(m->shinfo) == 1));
	uint64_t extra;
	void *hdr;

	if (is_own && m->data_off >= SLUICE_NET_HDR_LEN && m->data_len != 0) {
		hdr = rte_pktmbuf_mtod_offset(m, void *, -SLUICE_NET_HDR_LEN);
		parts[0].len = SLUICE_NET_HDR_LEN + m->data_len;
		if (!dmap_lend(&txq->q.stream, m, hdr, parts[0].len, &parts[0].da))
			return false;
		sluice_tx_clear_header(hdr);
		*nb = 1;
		return true;
	}
	memset(&txq->dv_extra[slot].hdr, 0, sizeof(txq->dv_extra[slot].hdr));
	extra = txq->extra_da.v + slot * sizeof(txq->dv_extra[0]);
	parts[0] = (struct part){ .da.v = extra + offsetof(struct sluice_tx_extra, hdr),
		.len = SLUICE_NET_HDR_LEN };
	*nb = 1;
	if (m->data_len == 0)
		return true;
	parts[1].len = m->data_len;
	*nb = 2;
	return dmap_lend(&txq->q.stream, m, rte_pktmbuf_mtod(m, void *), m->data_len, &parts[1].da);
}

/*
 * All parts of a packet. Empty segments are left out: a descriptor of length zero is not allowed.
 * False: some memory is out of the device's reach.
 */
static bool
collect_parts(struct sluice_txq *txq, struct rte_mbuf *m, uint16_t slot, struct part *parts,
		uint16_t *nb)
{
	struct rte_mbuf *seg;

	if (!give_header(txq, m, slot, parts, nb))
		return false;
	for (seg = m->next; seg != NULL; seg = seg->next) {
		if (seg->data_len == 0)
			continue;
		/* More segments than nb_segs says. */
		if (unlikely(*nb == TX_PARTS_MAX))
			return false;
		parts[*nb].len = seg->data_len;
		if (!dmap_lend(&txq->q.stream, seg, rte_pktmbuf_mtod(seg, void *), seg->data_len,
				    &parts[*nb].da))
			return false;
		(*nb)++;
	}
	return true;
}

/* One descriptor of a buffer that starts at slot head. */
static __rte_always_inline void
write_desc(struct sluice_txq *txq, struct sluice_tx_burst *b, uint16_t head, const struct part *p,
		uint16_t flags, enum sluice_layout layout)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t next = sluice_ring_next(r, b->slot, 1);

	if (layout == SLUICE_SPLIT) {
		sluice_split_desc_write(&r->split.dv_desc[b->slot], p->da, p->len, flags,
				flags & SLUICE_DESC_F_NEXT ? next : 0);
	} else {
		if (b->nb_slots == 0)
			b->head_flags = flags;
		sluice_packed_give(r, b->slot, head, p->da, p->len, flags);
	}
	b->slot = next;
	b->nb_slots++;
}

/* The parts in an indirect table, one slot (2.7.5.3, 2.8.7). */
static __rte_always_inline void
give_indirect(struct sluice_txq *txq, struct sluice_tx_burst *b, const struct part *parts,
		uint16_t nb, enum sluice_layout layout)
{
	struct sluice_tx_extra *dv_extra = &txq->dv_extra[b->slot];
	struct part table;
	uint16_t i;

	for (i = 0; i < nb; i++) {
		if (layout == SLUICE_SPLIT)
			sluice_split_desc_write(&dv_extra->split[i], parts[i].da, parts[i].len,
					i + 1 < nb ? SLUICE_DESC_F_NEXT : 0,
					i + 1 < nb ? i + 1 : 0);
		else
			dv_extra->packed[i] = (struct sluice_packed_desc){ .addr = parts[i].da.v,
				.len = parts[i].len };
	}
	table.da.v = txq->extra_da.v + b->slot * sizeof(*dv_extra) +
			offsetof(struct sluice_tx_extra, split);
	table.len = nb * sizeof(struct sluice_split_desc);
	write_desc(txq, b, b->slot, &table, SLUICE_DESC_F_INDIRECT, layout);
	txq->nb_indirect++;
}

/* The parts in slots of their own. */
static __rte_always_inline void
give_chain(struct sluice_txq *txq, struct sluice_tx_burst *b, const struct part *parts, uint16_t nb,
		enum sluice_layout layout)
{
	uint16_t i, head = b->slot;

	for (i = 0; i < nb; i++) {
		if (i != 0)
			txq->extent[b->slot] = SLUICE_TX_MIDDLE;
		write_desc(txq, b, head, &parts[i], i + 1 < nb ? SLUICE_DESC_F_NEXT : 0, layout);
	}
}

/*
 * The parts of a packet whose segments are all plain, with the header before the first one's data: one for
 * each segment. 0: it is no such packet.
 */
static uint16_t
collect_plain(struct sluice_txq *txq, struct rte_mbuf *m, struct part *parts)
{
	uint32_t before = SLUICE_NET_HDR_LEN;
	struct rte_mbuf *seg;
	uint16_t nb = 0;
	char *va;

	if (m->data_off < SLUICE_NET_HDR_LEN)
		return 0;
	for (seg = m; seg != NULL; seg = seg->next, before = 0) {
		va = rte_pktmbuf_mtod(seg, char *) - before;
		/* More segments than nb_segs says are for the other way to refuse. */
		if (nb == m->nb_segs || rte_mbuf_refcnt_read(seg) != 1 || seg->pool != txq->pool ||
				seg->data_len == 0 || !RTE_MBUF_DIRECT(seg) ||
				!dmap_lend(&txq->q.stream, seg, va, seg->data_len + before,
						&parts[nb].da))
			return 0;
		parts[nb++].len = seg->data_len + before;
	}
	return nb;
}

/* A plain packet of several segments: one slot for each, and each as it must be to go back to its pool. */
static __rte_always_inline void
give_plain(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		const struct part *parts, uint16_t nb, enum sluice_layout layout)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t i, head = b->slot, slot = head, next_slot, flags = SLUICE_DESC_F_NEXT;
	struct rte_mbuf *next;

	sluice_tx_clear_header(rte_pktmbuf_mtod_offset(m, void *, -SLUICE_NET_HDR_LEN));
	if (b->nb_slots == 0)
		b->head_flags = flags;
	for (i = 0; i < nb; i++, m = next, slot = next_slot) {
		next = m->next;
		next_slot = sluice_ring_next(r, slot, 1);
		if (next == NULL)
			flags = 0;
		if (layout == SLUICE_SPLIT)
			sluice_split_desc_write(&r->split.dv_desc[slot], parts[i].da, parts[i].len,
					flags, next_slot);
		else
			sluice_packed_give(r, slot, head, parts[i].da, parts[i].len, flags);
		m->next = NULL;
		m->nb_segs = 1;
		txq->q.sw_ring[slot] = m;
		txq->extent[slot] = SLUICE_TX_MIDDLE;
	}
	txq->extent[head] = nb;
	b->slot = slot;
	b->nb_slots += nb;
	b->chain_end = b->nb_slots;
}

static enum sluice_tx_verdict
drop(struct rte_mbuf *m, uint64_t *counter)
{
	rte_pktmbuf_free(m);
	(*counter)++;
	return SLUICE_TX_DROPPED;
}

static __rte_always_inline enum sluice_tx_verdict
give_odd(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		enum sluice_layout layout)
{
	uint16_t nb_free = txq->q.ring.nb_free - b->nb_slots;
	struct part parts[TX_PARTS_MAX];
	uint16_t nb, nb_slots, head = b->slot;
	bool is_indirect;

	/* With its header it may not be longer than the queue, in a table neither (2.7.5.3.1, 2.8.19). */
	if (m->nb_segs >= RTE_DIM(parts) || m->nb_segs >= txq->q.ring.size)
		return drop(m, &txq->nb_oversize);
	if (nb_free == 0)
		return SLUICE_TX_NO_ROOM;
	if (layout == SLUICE_SPLIT)
		sluice_split_make_available(&txq->q.ring, b->nb_bufs, head);
	/* A slot for each segment is the fastest way, as long as the ring is not short of slots. */
	if (m->nb_segs > 1 && m->nb_segs + txq->q.ring.size / 4 <= nb_free &&
			adopt_pool(txq, m->pool, b->nb_slots)) {
		nb = collect_plain(txq, m, parts);
		if (likely(nb > 1)) {
			give_plain(txq, m, b, parts, nb, layout);
			txq->nb_chained++;
			b->nb_bufs++;
			return SLUICE_TX_GIVEN;
		}
	}
	if (!collect_parts(txq, m, head, parts, &nb))
		return drop(m, &txq->nb_unmapped);
	is_indirect = txq->has_indirect && nb > 1 && nb <= SLUICE_INDIRECT_MAX;
	nb_slots = is_indirect ? 1 : nb;
	if (nb_slots > nb_free)
		return SLUICE_TX_NO_ROOM;
	txq->q.sw_ring[head] = m;
	txq->nb_odd += nb_slots;
	if (is_indirect) {
		give_indirect(txq, b, parts, nb, layout);
	} else {
		give_chain(txq, b, parts, nb, layout);
		txq->nb_chained += nb > 1;
	}
	txq->extent[head] = SLUICE_TX_ODD | nb_slots;
	b->nb_bufs++;
	return SLUICE_TX_GIVEN;
}

enum sluice_tx_verdict
sluice_tx_give_odd(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		enum sluice_layout layout)
{
	if (layout == SLUICE_SPLIT)
		return give_odd(txq, m, b, SLUICE_SPLIT);
	return give_odd(txq, m, b, SLUICE_PACKED);
}

uint32_t
sluice_txq_drain(struct sluice_txq *txq)
{
	struct sluice_ring *r = &txq->q.ring;
	uint32_t nb = 0;
	uint16_t nb_slots;

	while (r->nb_free != r->size) {
		nb_slots = sluice_tx_slots_of(txq, r->tail);
		if (txq->q.sw_ring[r->tail] != NULL) {
			free_packet(txq, r->tail);
			nb++;
		}
		free_slots(txq, nb_slots);
	}
	sluice_tx_flush_freed(txq);
	r->nb_holes = 0;
	return nb;
}
