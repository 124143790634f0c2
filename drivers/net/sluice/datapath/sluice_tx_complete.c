/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Completions that are not a block of plain packets: mbufs are looked at, one packet after the
 * other. See sluice_tx.h.
 */

#include "sluice_mbuf_list.h"
#include "sluice_queue_ctl.h"
#include "sluice_tx.h"

/* Out of line: it is called once for many packets, and each would make room for it. */
static __rte_noinline void
flush_freed(struct sluice_tx_freed *f)
{
	if (f->nb != 0)
		sluice_pool_put(f->pool, (void **)f->m, f->nb);
	f->nb = 0;
}

static void
flush_all_freed(struct sluice_txq *txq)
{
	flush_freed(&txq->freed[0]);
	flush_freed(&txq->freed[1]);
}

/*
 * An mbuf for its pool, with others of the same pool. f is where the one before it went; returns
 * where this did.
 */
static __rte_always_inline struct sluice_tx_freed *
put_segment(struct sluice_txq *txq, struct sluice_tx_freed *f, struct rte_mbuf *seg,
		struct rte_mempool *pool)
{
	if (pool != f->pool) {
		f = &txq->freed[f == &txq->freed[0]];
		if (unlikely(pool != f->pool)) {
			flush_freed(f);
			f->pool = pool;
		}
	}
	if (unlikely(f->nb == SLUICE_TX_FREED_MAX))
		flush_freed(f);
	f->m[f->nb++] = seg;
	return f;
}

/* To its pool, unless somebody else still holds it. */
static __rte_always_inline struct sluice_tx_freed *
free_segment(struct sluice_txq *txq, struct sluice_tx_freed *f, struct rte_mbuf *seg)
{
	seg = rte_pktmbuf_prefree_seg(seg);
	if (seg == NULL)
		return f;
	return put_segment(txq, f, seg, seg->pool);
}

/* Each of several. */
static __rte_noinline struct sluice_tx_freed *
free_segments(struct sluice_txq *txq, struct sluice_tx_freed *f, struct rte_mbuf *seg)
{
	struct rte_mbuf *next;

	for (; seg != NULL; seg = next) {
		next = seg->next;
		f = free_segment(txq, f, seg);
	}
	return f;
}

/* A plain packet of several slots. */
static __rte_noinline struct sluice_tx_freed *
free_plain(struct sluice_txq *txq, struct sluice_tx_freed *f, uint16_t slot, uint16_t nb_slots)
{
	for (; nb_slots != 0; nb_slots--) {
		f = put_segment(txq, f, txq->q.sw_ring[slot], txq->pool);
		slot = sluice_ring_next(&txq->q.ring, slot, 1);
	}
	return f;
}

/* The mbufs of the packet that starts at a slot with this slot_kind. */
static __rte_always_inline struct sluice_tx_freed *
free_packet(struct sluice_txq *txq, struct sluice_tx_freed *f, uint16_t slot, uint16_t slot_kind)
{
	struct rte_mbuf *m = txq->q.sw_ring[slot];

	if (slot_kind == 0)
		return put_segment(txq, f, m, txq->pool);
	if (!(slot_kind & SLUICE_TX_SLOW))
		return free_plain(txq, f, slot, slot_kind + 1);
	/* Nobody else can hold it, or does any longer. */
	if (slot_kind == SLUICE_TX_FOREIGN ||
			(sluice_tx_has_own_buffer(m) && sluice_tx_is_single(m, false)))
		return put_segment(txq, f, m, m->pool);
	if (m->nb_segs == 1)
		return free_segment(txq, f, m);
	return free_segments(txq, f, m);
}

/* Slots from tail on are free, nb_slow_slots of them were not given to plain packets. */
static inline void
free_slots(struct sluice_txq *txq, uint16_t nb_slots, uint16_t nb_slow_slots)
{
	txq->nb_slow_slots -= nb_slow_slots;
	sluice_ring_free_slots(&txq->q.ring, nb_slots);
}

uint32_t
sluice_tx_sum_slots(const struct sluice_txq *txq, uint16_t nb)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint32_t sum = 0;

	for (; nb != 0 && sum < sluice_ring_nb_in_flight(r); nb--)
		sum += sluice_tx_slots_of(txq, sluice_ring_next(r, r->tail, sum));
	return nb == 0 ? sum : UINT32_MAX;
}

/* Does the device have a packet that starts at slot id? If not, the queue fails. */
static inline bool
starts_packet(struct sluice_txq *txq, uint32_t id)
{
	if (likely(sluice_queue_is_lent(&txq->q, id) && txq->slot_kind[id] != SLUICE_TX_MIDDLE))
		return true;
	sluice_queue_break(&txq->q, SLUICE_FAIL_BAD_ID);
	return false;
}

/*
 * Flat: what gives back the mbuf that a clone refers to is called from several places of this file
 * and too long for gcc to put it here by itself, since DPDK 26.07.
 */
__attribute__((flatten)) void
sluice_tx_complete_oldest(struct sluice_txq *txq, uint16_t nb_slots)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint16_t slot = r->tail, end = sluice_ring_next(r, slot, nb_slots), nb_slow_slots = 0,
		 slot_kind, n;
	struct sluice_tx_freed *f = txq->freed;

	if (nb_slots == 0)
		return;
	do {
		slot_kind = txq->slot_kind[slot];
		f = free_packet(txq, f, slot, slot_kind);
		n = (slot_kind & SLUICE_TX_MORE) + 1;
		nb_slow_slots += slot_kind & SLUICE_TX_SLOW ? n : 0;
		slot = sluice_ring_next(r, slot, n);
	} while (slot != end);
	free_slots(txq, nb_slots, nb_slow_slots);
	dmap_take_back(&txq->q.stream, nb_slots);
	flush_all_freed(txq);
}

void
sluice_tx_free_many(struct sluice_txq *txq, uint16_t nb)
{
	struct sluice_ring *r = &txq->q.ring;
	unsigned int first = RTE_MIN((unsigned int)nb, (unsigned int)r->size - r->tail);

	sluice_pool_put_more(txq->pool, (void **)&txq->q.sw_ring[r->tail], first);
	if (first < nb)
		sluice_pool_put_more(txq->pool, (void **)txq->q.sw_ring, nb - first);
	sluice_ring_free_slots(r, nb);
	dmap_take_back(&txq->q.stream, nb);
}

/*
 * The packet that starts at slot is done, in any order: a hole is left. Returns the slots that it
 * took. The mbufs of a copy are free since it was made.
 */
static __rte_always_inline uint16_t
complete(struct sluice_txq *txq, uint16_t slot, const bool is_copy)
{
	uint16_t nb_slots = sluice_tx_slots_of(txq, slot);

	if (!is_copy)
		free_packet(txq, txq->freed, slot, txq->slot_kind[slot]);
	txq->q.sw_ring[slot] = NULL;
	txq->q.ring.nb_holes += nb_slots;
	return nb_slots;
}

/*
 * Frees the holes that became the oldest slots; nb_slots were completed. Once per call and not per
 * completion, because the branch that finds a hole closed could not be predicted.
 */
static __rte_always_inline void
close_holes(struct sluice_txq *txq, uint32_t nb_slots, const bool is_copy)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t nb, nb_slow;

	while (r->nb_holes != 0 && txq->q.sw_ring[r->tail] == NULL) {
		nb = sluice_tx_slots_of(txq, r->tail);
		r->nb_holes -= nb;
		nb_slow = 0; /* of copies there are none */
		if (is_copy)
			sluice_copy_forget(txq, r->tail, nb);
		else if (txq->slot_kind[r->tail] & SLUICE_TX_SLOW)
			nb_slow = nb;
		free_slots(txq, nb, nb_slow);
	}
	dmap_take_back(&txq->q.stream, nb_slots);
	if (!is_copy)
		flush_all_freed(txq);
}

static __rte_always_inline void
complete_split(struct sluice_txq *txq, uint16_t nb, const bool is_copy)
{
	uint32_t id, len, nb_slots = 0;

	for (; nb != 0; nb--) {
		sluice_split_take(&txq->q.ring, &id, &len);
		if (unlikely(!starts_packet(txq, id)))
			break;
		nb_slots += complete(txq, id, is_copy);
	}
	close_holes(txq, nb_slots, is_copy);
}

static __rte_always_inline void
complete_packed(struct sluice_txq *txq, uint16_t nb_max, const bool is_copy)
{
	struct sluice_ring *r = &txq->q.ring;
	uint32_t id, len, nb_slots = 0;
	uint16_t nb;

	for (; nb_max != 0; nb_max--) {
		if (sluice_ring_nb_in_flight(r) == r->nb_holes || !sluice_packed_is_used(r))
			break;
		sluice_packed_take(r, &id, &len);
		if (unlikely(!starts_packet(txq, id)))
			break;
		nb = complete(txq, id, is_copy);
		sluice_packed_skip(r, nb);
		nb_slots += nb;
	}
	close_holes(txq, nb_slots, is_copy);
}

void
sluice_tx_complete_split(struct sluice_txq *txq, uint16_t nb)
{
	if (txq->is_copy)
		complete_split(txq, nb, true);
	else
		complete_split(txq, nb, false);
}

void
sluice_tx_complete_packed(struct sluice_txq *txq, uint16_t nb_max)
{
	if (txq->is_copy)
		complete_packed(txq, nb_max, true);
	else
		complete_packed(txq, nb_max, false);
}

uint16_t
sluice_tx_nb_packets(const struct sluice_txq *txq)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint16_t nb = 0, slot, at;

	for (at = 0; at < sluice_ring_nb_in_flight(r); at += sluice_tx_slots_of(txq, slot)) {
		slot = sluice_ring_next(r, r->tail, at);
		/* Not a hole. */
		nb += txq->q.sw_ring[slot] != NULL;
	}
	return nb;
}

/* The mbufs of the packet that starts at a slot, each so that rte_pktmbuf_free() gives it back. */
static void
move_packet(struct sluice_txq *txq, struct sluice_mbuf_list *out, uint16_t slot, uint16_t slot_kind)
{
	uint16_t nb = slot_kind & SLUICE_TX_SLOW ? 1 : slot_kind + 1;

	for (; nb != 0; nb--) {
		out->m[out->nb++] = txq->q.sw_ring[slot];
		slot = sluice_ring_next(&txq->q.ring, slot, 1);
	}
}

/* A packet that will not be completed. */
static void
take_packet(struct sluice_txq *txq, struct sluice_mbuf_list *out, uint16_t slot, uint16_t slot_kind)
{
	/* The mbufs of a copy are free since it was made. */
	if (txq->is_copy)
		return;
	if (out != NULL)
		move_packet(txq, out, slot, slot_kind);
	else
		free_packet(txq, txq->freed, slot, slot_kind);
}

__rte_cold uint32_t
sluice_txq_drain(struct sluice_txq *txq, struct sluice_mbuf_list *out)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t slot_kind, nb_slots;
	uint32_t nb = 0;

	while (r->nb_free != r->size) {
		slot_kind = txq->slot_kind[r->tail];
		nb_slots = sluice_tx_slots_of(txq, r->tail);
		if (txq->q.sw_ring[r->tail] != NULL) {
			take_packet(txq, out, r->tail, slot_kind);
			dmap_take_back(&txq->q.stream, nb_slots);
			nb++;
		}
		free_slots(txq, nb_slots, slot_kind & SLUICE_TX_SLOW ? nb_slots : 0);
	}
	flush_all_freed(txq);
	r->nb_holes = 0;
	return nb;
}

/*
 * Where plain packets come from is open, unless some are on their way. That a pool lies where the
 * one did that they came from before does not make it one of the same kind.
 */
void
sluice_txq_take_news(struct sluice_txq *txq)
{
	const struct sluice_ring *r = &txq->q.ring;

	sluice_queue_take_news(&txq->q);
	if (sluice_ring_nb_in_flight(r) != txq->nb_slow_slots || r->nb_holes != 0)
		return;
	txq->pool = NULL;
	txq->plain_start = SLUICE_TX_BATCHES;
	if (txq->start == SLUICE_TX_PINNED)
		txq->start = SLUICE_TX_BATCHES;
}
