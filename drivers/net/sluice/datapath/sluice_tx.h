/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The transmit loop, the only one; a template as sluice_rx.h. It frees what the device has sent,
 * writes descriptors, publishes once.
 *
 * A packet is "plain" if nobody else can hold its mbuf: one segment, reference count one, a buffer
 * of its own, from the pool that the other plain packets came from. This is seen when the packet is
 * given, so when it is done its mbuf goes back to the pool in a block with its neighbours, without
 * being read again. A packet of several such segments is plain too, and takes one slot for each.
 * Everything else is "slow" and is freed one by one. A pinned external buffer is a packet's own if
 * its count says so; batches of such have functions of their own, into which a burst turns off. The
 * net header goes into the headroom right before the data; packets that have no room for it, or
 * whose buffer is shared, take the way of sluice_tx_slow.c.
 *
 * Never here: locks, logs, config space, unbounded work.
 */

#ifndef SLUICE_TX_H
#define SLUICE_TX_H

#include <rte_atomic.h>
#include <rte_prefetch.h>

#include "sluice_copy_out.h"
#include "sluice_pool.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_tx_slow.h"
#include "sluice_tx_offload.h"
#include "sluice_vec.h"
#include "sluice_vec_one.h"

/*
 * Completions looked at by one burst call, or slots of a packed ring; keeps the worst call short.
 */
#define SLUICE_TX_RECLAIM_MAX 64

/*
 * Bursts of fewer packets are given in batches of one: the constants of larger ones would cost more
 * than they save, and registers that read a whole mbuf would wait for the single stores with which
 * the application has just written it.
 */
#define SLUICE_TX_FEW 8

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
		if (likely(id == at))
			nb = unlikely(has_chains) ? sluice_tx_slots_of(txq, at) : 1;
		else
			nb = sluice_tx_slots_upto(txq, id, at, nb_slots, has_chains, is_in_order);
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

/* Packets in a batch. */
static __rte_always_inline uint16_t
sluice_tx_batch(const struct sluice_path_cfg cfg)
{
	return cfg.is_few ? 1 : SLUICE_VEC_TX;
}

/* Plain packets in batches, as long as none is slow. Gives at most nb_max; returns how many. */
static __rte_always_inline uint16_t
sluice_tx_run(struct sluice_txq *txq, struct rte_mbuf **pkts, uint32_t nb_max,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	const uint32_t nb = sluice_tx_batch(cfg);
	struct sluice_ring *r = &txq->q.ring;
	const uint32_t slot = b->slot;
	struct sluice_one_tx_kit one;
	struct sluice_vec_tx_kit kit;
	uint16_t avail_pos = 0;
	uint32_t n = 0;

	if (cfg.is_copy)
		return sluice_copy_out_run(txq, pkts, nb_max, b, cfg);
	/* It may be another one since the burst began, with other external buffers. */
	if (cfg.is_pinned && unlikely(txq->plain_start != SLUICE_TX_PINNED))
		return 0;
	nb_max = RTE_MIN(nb_max, (uint32_t)r->size - b->slot);
	nb_max = RTE_MIN(nb_max, (uint32_t)r->nb_free - b->nb_slots);
	/*
	 * The entries in the available ring must not wrap either; they may be elsewhere than the
	 * slots.
	 */
	if (cfg.ring_type == SLUICE_SPLIT) {
		avail_pos = (r->avail_idx + b->nb_bufs) & r->mask;
		nb_max = RTE_MIN(nb_max, (uint32_t)r->size - avail_pos);
	}
	if (nb_max < nb)
		return 0;
	if (cfg.has_offloads && (txq->tx_flags & RTE_MBUF_F_TX_VLAN) != 0)
		sluice_tx_insert_tags(pkts, nb_max);
	if (cfg.is_few) {
		one = sluice_one_tx_kit(txq, b->slot, avail_pos, cfg);
		while (n < nb_max && likely(sluice_one_tx_give(&one, n, pkts[n], cfg)))
			n++;
		b->bytes += sluice_one_tx_bytes(&one);
	} else {
		kit = sluice_vec_tx_kit(txq, b->slot, avail_pos, cfg);
		/* By the start of the last batch, which costs no register more than n. */
		for (nb_max -= nb; n <= nb_max; n += nb)
			if (unlikely(!sluice_vec_tx_give(&kit, slot + n, &pkts[n], cfg)))
				break;
		b->bytes += sluice_vec_tx_bytes(&kit);
	}
	b->slot = sluice_ring_next(r, b->slot, n);
	b->nb_slots += n;
	b->nb_bufs += n;
	return n;
}

/*
 * Make the burst visible. Behind it the device's wish may be read (2.7.13.4.1, 2.8.21.3.1): the
 * fence pairs with the device's. What nobody else reads is stored behind the fence, which has to
 * wait for fewer stores then.
 */
static __rte_always_inline void
sluice_tx_publish(struct sluice_txq *txq, const struct sluice_tx_burst *b,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &txq->q.ring;

	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_split_publish(r, b->nb_bufs);
	else
		sluice_packed_publish(r, b->nb_slots, b->head_flags);
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	r->head = b->slot;
	r->nb_free -= b->nb_slots;
	if (unlikely(b->chain_end != 0))
		txq->chain_end = txq->nb_given + b->chain_end;
	txq->nb_given += b->nb_slots;
	dmap_lent(&txq->q.stream, b->nb_slots);
}

/* Tell the device of the nb_slots published last, behind a fence, if it wants to be told. */
static __rte_always_inline void
sluice_tx_announce(struct sluice_txq *txq, uint16_t nb_slots, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &txq->q.ring;
	bool wants_kick;

	if (cfg.ring_type == SLUICE_SPLIT)
		wants_kick = sluice_split_wants_kick(r);
	else
		wants_kick = sluice_packed_wants_kick(r, nb_slots);
	if (wants_kick)
		sluice_doorbell_ring(r);
	else
		r->nb_suppressed++;
}

/*
 * The used entries that are looked at next come while the application works, if the device has
 * written them; if not, this core has their lines, and nothing happens. With order an entry stands
 * for a batch, mostly of a burst's size, and only the first tells where the second is: without this
 * the wait is for one after the other.
 */
static __rte_always_inline void
sluice_tx_prefetch_used(const struct sluice_ring *r, uint16_t nb_slots)
{
	rte_prefetch0(&r->packed.dv_desc[r->used_idx]);
	rte_prefetch0(&r->packed.dv_desc[sluice_ring_next(r, r->used_idx, nb_slots)]);
}

/*
 * The packets of a burst that its first run of batches did not give: it began with none, or came to
 * the end of the ring. What no batch can be goes the slow way, and then batches are tried again.
 * Returns how many are given or dropped. Only these batches may have longer headers (has_hash).
 */
static __rte_always_inline uint16_t
sluice_tx_rest_tmpl(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	bool is_vain = b->nb_slots == 0 && !cfg.has_hash && !cfg.is_few;
	uint16_t nb_tx, nb_run, nb_pause = 0;

	for (nb_tx = 0; nb_tx < nb_pkts; nb_tx += nb_run) {
		nb_run = 0;
		if (!is_vain)
			nb_run = sluice_tx_run(txq, &pkts[nb_tx], nb_pkts - nb_tx, b, cfg);
		is_vain = false;
		if (likely(nb_run != 0))
			continue;
		/* The more often it is in vain, the longer it is not tried. */
		nb_pause += sluice_tx_batch(cfg);
		nb_run = RTE_MIN(nb_pause, (uint16_t)(nb_pkts - nb_tx));
		nb_run = sluice_tx_give_slow(txq, &pkts[nb_tx], nb_run, b, cfg);
		if (nb_run == 0)
			break;
	}
	return nb_tx;
}

/* The second half of a burst: gives the packets, publishes them, and leaves the queue. */
static __rte_always_inline uint16_t
sluice_tx_give_tmpl(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_tx_slow slow, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &txq->q.ring;
	struct sluice_tx_burst copy, b = { .slot = r->head };
	uint16_t nb_tx = 0, nb_dropped = 0;

	if (cfg.is_pinned || likely(txq->start == SLUICE_TX_BATCHES))
		nb_tx = sluice_tx_run(txq, pkts, nb_pkts, &b, cfg);
	else if (slow.pinned != NULL && txq->start == SLUICE_TX_PINNED)
		return slow.pinned(txq, pkts, nb_pkts);
	if (unlikely(nb_tx < nb_pkts)) {
		copy = b; /* so that b itself can stay in registers */
		/* The counter before; then by how much it grew. */
		nb_dropped = txq->q.stats.errors;
		if (cfg.is_few ? cfg.is_copy || txq->start != SLUICE_TX_PINNED :
				 txq->start == SLUICE_TX_UNBATCHED)
			nb_tx += sluice_tx_give_slow(
					txq, &pkts[nb_tx], nb_pkts - nb_tx, &copy, cfg);
		else
			nb_tx += slow.rest(txq, &pkts[nb_tx], nb_pkts - nb_tx, &copy);
		b = copy;
		nb_dropped = txq->q.stats.errors - nb_dropped;
		if (b.nb_slots != 0) {
			txq->start = txq->has_hash ? SLUICE_TX_LONG : txq->plain_start;
			if (2 * b.nb_unbatched >= b.nb_slots ||
					(txq->hdr_len != SLUICE_NET_HDR_LEN && !txq->has_hash))
				txq->start = SLUICE_TX_UNBATCHED;
			txq->nb_extra = b.nb_slots - b.nb_bufs;
		}
		if (unlikely(nb_tx < nb_pkts)) {
			txq->look_at = UINT16_MAX;
			*txq->left += nb_pkts - nb_tx;
		}
	}
	if (likely(b.nb_bufs != 0)) {
		sluice_tx_publish(txq, &b, cfg);
		sluice_tx_announce(txq, b.nb_slots, cfg);
		if (cfg.ring_type == SLUICE_PACKED && !cfg.is_few && r->is_in_order)
			sluice_tx_prefetch_used(r, b.nb_slots);
	}
	txq->q.stats.packets += nb_tx - nb_dropped;
	txq->q.stats.bytes += b.bytes;
	sluice_queue_leave(&txq->q);
	return nb_tx;
}

static __rte_always_inline uint16_t
sluice_tx_tmpl(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_tx_slow slow, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &txq->q.ring;
	bool has_chains;

	if (unlikely(!sluice_queue_enter(&txq->q, sluice_path_run(cfg))))
		return 0;
	if (r->nb_free <= txq->look_at || r->nb_free < nb_pkts) {
		has_chains = sluice_tx_has_chains(txq);
		slow.reclaim(txq, sluice_tx_reclaim_max(txq, nb_pkts, has_chains), has_chains);
		/*
		 * A device that broke the rules gets nothing more; the packets stay with the
		 * caller.
		 */
		if (unlikely(txq->q.fail != SLUICE_FAIL_NONE)) {
			sluice_queue_leave(&txq->q);
			return 0;
		}
	}
	sluice_queue_refresh(&txq->q);
	return sluice_tx_give_tmpl(txq, pkts, nb_pkts, slow, cfg);
}

#endif /* SLUICE_TX_H */
