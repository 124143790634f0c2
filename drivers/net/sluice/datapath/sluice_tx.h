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
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_tx_reclaim.h"
#include "sluice_tx_slow.h"
#include "sluice_tx_offload.h"
#include "sluice_vec.h"
#include "sluice_vec_one.h"

/*
 * Bursts of fewer packets are given in batches of one: the constants of larger ones would cost more
 * than they save, and registers that read a whole mbuf would wait for the single stores with which
 * the application has just written it.
 */
#define SLUICE_TX_FEW 8

/* The steps of a burst; they follow it in the order of the calls. */
static uint16_t sluice_tx_give_tmpl(struct sluice_txq *txq, struct rte_mbuf **pkts,
		uint16_t nb_pkts, const struct sluice_tx_slow slow,
		const struct sluice_path_cfg cfg);
static uint16_t sluice_tx_run(struct sluice_txq *txq, struct rte_mbuf **pkts, uint32_t nb_max,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg);
static void sluice_tx_publish(struct sluice_txq *txq, const struct sluice_tx_burst *b,
		const struct sluice_path_cfg cfg);
static void sluice_tx_announce(
		struct sluice_txq *txq, uint16_t nb_slots, const struct sluice_path_cfg cfg);
static void sluice_tx_prefetch_used(const struct sluice_ring *r, uint16_t nb_slots);

/* The first half of a burst: enters the queue, and frees what the device has sent. */
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
	if (unlikely(!dmap_stream_is_fresh(&txq->q.stream)))
		sluice_txq_take_news(txq);
	return sluice_tx_give_tmpl(txq, pkts, nb_pkts, slow, cfg);
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

#endif /* SLUICE_TX_H */
