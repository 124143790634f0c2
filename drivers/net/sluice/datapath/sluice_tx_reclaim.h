/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Completions of a transmit ring, as the loop collects them: blocks of plain packets are freed
 * unread, the rest is in sluice_tx_complete.c. Part of sluice_tx.h.
 */

#ifndef SLUICE_TX_RECLAIM_H
#define SLUICE_TX_RECLAIM_H

#include "sluice_copy_out.h"
#include "sluice_pool.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_vec.h"

/*
 * Completions looked at by one burst call, or slots of a packed ring; keeps the worst call short.
 */
#define SLUICE_TX_RECLAIM_MAX 64

/*
 * In sluice_tx_complete.c. The nb_slots oldest slots are done, not only plain ones, and none is a
 * hole: frees the packets that they were given to.
 */
void sluice_tx_complete_oldest(struct sluice_txq *txq, uint16_t nb_slots);
/* The same of plain packets only, however many and wherever in the ring. */
void sluice_tx_free_many(struct sluice_txq *txq, uint16_t nb);
/*
 * The device does not keep the order: frees the packets that it names, nb of them or as many as
 * there are up to nb_max, then the slots that are contiguous.
 */
void sluice_tx_complete_split(struct sluice_txq *txq, uint16_t nb);
void sluice_tx_complete_packed(struct sluice_txq *txq, uint16_t nb_max);
/* Packets that the device has. */
uint16_t sluice_tx_nb_packets(const struct sluice_txq *txq);
/* Slots of the nb oldest packets, more than are in use if there are not so many packets. */
uint32_t sluice_tx_sum_slots(const struct sluice_txq *txq, uint16_t nb);

/* Can the device have packets of several slots? */
static __rte_always_inline bool
sluice_tx_has_chains(const struct sluice_txq *txq)
{
	return txq->nb_slow_slots != 0 ||
			txq->nb_given - txq->chain_end < sluice_ring_nb_in_flight(&txq->q.ring);
}

/* nb plain packets from tail on are done; their mbufs are not read. Those of copies are free. */
static __rte_always_inline void
sluice_tx_free_plain(struct sluice_txq *txq, uint16_t nb, bool is_copy)
{
	struct sluice_ring *r = &txq->q.ring;

	if (is_copy && nb == 0)
		return;
	/* None, too many to put them in line, or some at either end of the ring. */
	if (!is_copy && unlikely(nb - 1u >= SLUICE_POOL_INLINE_MAX || r->tail + nb > r->size)) {
		if (nb != 0)
			sluice_tx_free_many(txq, nb);
		return;
	}
	if (!is_copy)
		sluice_pool_put(txq->pool, (void **)&txq->q.sw_ring[r->tail], nb);
	else if (unlikely(sluice_tx_has_chains(txq)))
		sluice_copy_forget(txq, r->tail, nb);
	sluice_ring_free_slots(r, nb);
	dmap_take_back(&txq->q.stream, nb);
}

/* The nb oldest slots are done; none is a hole. */
static __rte_always_inline void
sluice_tx_free_oldest(struct sluice_txq *txq, uint16_t nb, bool is_copy)
{
	if (is_copy || likely(txq->nb_slow_slots == 0))
		sluice_tx_free_plain(txq, nb, is_copy);
	else
		sluice_tx_complete_oldest(txq, nb);
}

/*
 * Slots of the oldest packets that the next nb used entries name, in their order; *nb_oldest are so
 * many of these. None is a hole.
 */
static __rte_always_inline uint16_t
sluice_tx_take_named(struct sluice_txq *txq, uint16_t nb, bool has_chains, uint16_t *nb_oldest)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t n = 0, nb_slots = 0, expected = r->tail;
	uint32_t id, sum;

	/* Up to the end of the ring, if its entries lie beside the slots that they name. */
	if (SLUICE_VEC_USED != 0 && likely(!has_chains) && (r->used_idx & r->mask) == expected) {
		sum = RTE_MIN(nb, (uint16_t)(r->size - expected));
		while ((uint32_t)n + SLUICE_VEC_USED <= sum &&
				likely(sluice_vec_used_in_order(r, expected + n)))
			n += SLUICE_VEC_USED;
		nb_slots = n;
		r->used_idx += n;
		expected = sluice_ring_next(r, expected, n);
	}
	/* Fewer packets than slots may be on their way: behind the last one ids mean nothing. */
	while (n < nb && nb_slots < sluice_ring_nb_in_flight(r)) {
		id = r->split.dv_used->ring[r->used_idx & r->mask].id;
		if (unlikely(id != expected))
			break;
		nb_slots += sluice_tx_slots_of(txq, expected);
		expected = sluice_ring_next(r, r->tail, nb_slots);
		r->used_idx++;
		n++;
	}
	*nb_oldest = n;
	return nb_slots;
}

static __rte_always_inline void
sluice_tx_reclaim_split(struct sluice_txq *txq, uint16_t nb_max, bool has_chains, bool is_copy)
{
	struct sluice_ring *r = &txq->q.ring;
	uint16_t nb, nb_oldest = 0;
	uint32_t nb_slots = 0;

	nb = sluice_split_nb_used(r, nb_max);
	if (unlikely(nb > sluice_ring_nb_in_flight(r) - r->nb_holes)) {
		sluice_queue_break(&txq->q, SLUICE_FAIL_USED_IDX);
		return;
	}
	nb = RTE_MIN(nb, nb_max);
	/* In-order: the index says it all, entries of a batch are not even written (2.7.9). */
	if (r->is_in_order) {
		nb_slots = nb;
		if (unlikely(has_chains)) {
			nb_slots = sluice_tx_sum_slots(txq, nb);
			if (unlikely(nb_slots > sluice_ring_nb_in_flight(r))) {
				sluice_queue_break(&txq->q, SLUICE_FAIL_USED_IDX);
				return;
			}
		}
		r->used_idx += nb;
		nb_oldest = nb;
	} else if (likely(r->nb_holes == 0)) {
		nb_slots = sluice_tx_take_named(txq, nb, has_chains, &nb_oldest);
	}
	sluice_tx_free_oldest(txq, nb_slots, is_copy);
	if (unlikely(nb_oldest != nb))
		sluice_tx_complete_split(txq, nb - nb_oldest);
}

/*
 * How many more slots are complete when a used descriptor names id, the oldest nb_done slots (those
 * before slot at) being complete already and none being a hole. A device that promised order names
 * the last packet of a batch (2.8.8), so all up to it are; one that did not names single packets.
 * 0: id is not valid here.
 */
static __rte_always_inline uint32_t
sluice_tx_slots_upto(const struct sluice_txq *txq, uint32_t id, uint32_t at, uint32_t nb_done,
		bool has_chains, bool is_in_order)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint32_t ahead = id >= at ? id - at : id + r->size - at;

	if (unlikely(id >= r->size || !is_in_order))
		return 0;
	if (unlikely(nb_done + ahead >= sluice_ring_nb_in_flight(r)))
		return 0;
	if (likely(!has_chains))
		return ahead + 1;
	return txq->slot_kind[id] == SLUICE_TX_MIDDLE ? 0 : ahead + sluice_tx_slots_of(txq, id);
}

/*
 * How many descriptors before an end are used one after the other, each for the buffer of its own
 * slot; word is that of the first (sluice_vec_used_word()). Whole batches are counted. Out of line:
 * only devices that name each packet come here, and others would pay for the constants.
 */
static __rte_noinline __rte_unused uint32_t
sluice_tx_count_named(const struct sluice_packed_desc *dv_desc,
		const struct sluice_packed_desc *dv_end, uint64_t word)
{
	const struct sluice_packed_desc *dv_next = dv_desc;

	for (; dv_end - dv_next >= SLUICE_VEC_USED; dv_next += SLUICE_VEC_USED) {
		if (unlikely(!sluice_vec_packed_used_in_order(dv_next, word)))
			break;
		word += sluice_vec_used_word(SLUICE_VEC_USED, 0);
	}
	return dv_next - dv_desc;
}

/*
 * Without holes: counts the oldest slots that are complete, and stops once it has nb_max. It also
 * stops at an id that is not the next one, which ends the queue if the device promised order.
 */
static __rte_always_inline uint16_t
sluice_tx_take_oldest(struct sluice_txq *txq, uint16_t nb_max, bool has_chains, bool is_in_order)
{
	struct sluice_ring *r = &txq->q.ring;
	/* Copies of what a load of the ring could have changed, for all that the compiler knows. */
	const struct sluice_packed_desc *const dv_desc = r->packed.dv_desc;
	const uint32_t size = r->size, limit = RTE_MIN(sluice_ring_nb_in_flight(r), nb_max);
	uint16_t used_bits = sluice_packed_used_bits(r->used_wrap);
	/* Slots are used in the order in which they were given: this is tail. */
	uint32_t id, at = r->used_idx, nb, nb_slots = 0;

	while (nb_slots < limit && sluice_packed_desc_is_used(&dv_desc[at], used_bits)) {
		id = rte_atomic_load_explicit(&dv_desc[at].id, rte_memory_order_relaxed);
		if (unlikely(id != at))
			nb = sluice_tx_slots_upto(txq, id, at, nb_slots, has_chains, is_in_order);
		else if (unlikely(has_chains))
			nb = sluice_tx_slots_of(txq, at);
		else if (SLUICE_VEC_BITS < (is_in_order ? 256 : 128))
			nb = 1; /* with NEON the call costs devices that name batches */
		else
			nb = RTE_MAX(1u,
					sluice_tx_count_named(&dv_desc[at],
							&dv_desc[RTE_MIN(at + limit - nb_slots,
									size)],
							sluice_vec_used_word(at, used_bits)));
		if (unlikely(nb == 0)) {
			if (is_in_order)
				sluice_queue_break(&txq->q, SLUICE_FAIL_BAD_ID);
			break;
		}
		nb_slots += nb;
		at += nb;
		if (unlikely(at >= size)) {
			at -= size;
			used_bits ^= SLUICE_PACKED_BITS;
		}
	}
	r->used_idx = at;
	r->used_wrap = used_bits != 0;
	return nb_slots;
}

static __rte_always_inline void
sluice_tx_reclaim_packed(struct sluice_txq *txq, uint16_t nb_max, bool has_chains, bool is_copy)
{
	struct sluice_ring *r = &txq->q.ring;
	uint32_t done = 0;

	/* Each with a loop of its own, which has the registers for itself. */
	if (r->is_in_order)
		done = sluice_tx_take_oldest(txq, nb_max, has_chains, true);
	else if (likely(r->nb_holes == 0))
		done = sluice_tx_take_oldest(txq, nb_max, has_chains, false);
	sluice_tx_free_oldest(txq, done, is_copy);
	/*
	 * A device that promised order is done here: what became used since may stand for a batch,
	 * which the search by single ids must not see.
	 */
	if (!r->is_in_order && done < nb_max && sluice_ring_nb_in_flight(r) != 0 &&
			sluice_packed_is_used(r))
		sluice_tx_complete_packed(txq, nb_max - done);
}

/*
 * Free packets that the device has sent: about nb_max, or with packed rings about nb_max slots, at
 * most. has_chains: sluice_tx_has_chains(), which the caller knows.
 */
static __rte_always_inline void
sluice_tx_reclaim(struct sluice_txq *txq, uint16_t nb_max, bool has_chains,
		const struct sluice_path_cfg cfg)
{
	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_tx_reclaim_split(txq, nb_max, has_chains, cfg.is_copy);
	else
		sluice_tx_reclaim_packed(txq, nb_max, has_chains, cfg.is_copy);
	txq->look_at = txq->few_free;
}

/*
 * What a burst of nb_pkts may reclaim, so that the call stays short and yet as many slots come back
 * as are given: more if packets take several, by as much as in the last burst of such.
 */
static __rte_always_inline uint16_t
sluice_tx_reclaim_max(const struct sluice_txq *txq, uint16_t nb_pkts, bool has_chains)
{
	uint32_t nb = RTE_MAX(nb_pkts, (uint16_t)SLUICE_TX_RECLAIM_MAX);

	if (has_chains)
		nb = RTE_MIN(nb + txq->nb_extra, (uint32_t)UINT16_MAX);
	return nb;
}

#endif /* SLUICE_TX_RECLAIM_H */
