/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets into bounce buffers (isolation=copy): what the transmit loop does in its rows that have
 * cfg.is_copy. Data are copied when a packet is given, and its mbufs are free at once. The buffers'
 * net headers stay zero where no packet asks for anything.
 */

#ifndef SLUICE_COPY_OUT_H
#define SLUICE_COPY_OUT_H

#include "sluice_copy.h"
#include "sluice_sum.h"
#include "sluice_tx_slow.h"
#include "sluice_tx_shape.h"

/* Packets that are looked at together. */
#define SLUICE_COPY_ALIKE SLUICE_TX_ALIKE

/* The data of one packet that is not short. False: it takes more than one bounce buffer. */
static __rte_noinline bool
sluice_copy_long_out(const struct sluice_txq *txq, const struct rte_mbuf *m, char *dv_data)
{
	if (m->data_len > txq->cells.room)
		return false;
	sluice_copy_any(dv_data, rte_pktmbuf_mtod(m, const char *), m->data_len);
	return true;
}

/* The data of any packet; likewise. */
static __rte_always_inline bool
sluice_copy_data_out(
		const struct sluice_txq *txq, const struct rte_mbuf *m, char *dv_data, uint32_t len)
{
	if (!sluice_copy_is_short(len))
		return sluice_copy_long_out(txq, m, dv_data);
	sluice_copy_short(dv_data, rte_pktmbuf_mtod(m, const char *), len);
	return true;
}

/* The header of a packet that is copied. False: it has to go another way. */
static __rte_always_inline bool
sluice_copy_put_header(struct sluice_txq *txq, const struct rte_mbuf *m, char *dv_data)
{
	const struct sluice_tx_shape *s = &txq->shape;
	char *dv_hdr = dv_data - SLUICE_NET_HDR_LEN;
	const uint32_t csum_offset = s->csum_offset;
	const uint64_t word = s->word;

	if (unlikely((m->ol_flags & SLUICE_TX_SHAPE_FLAGS) != s->flags))
		return sluice_tx_write_header_of_copy(txq, m, dv_data);
	if (!s->asks) {
		sluice_tx_clear_header(dv_hdr);
		return true;
	}
	if (unlikely(!sluice_tx_has_lens(s, m)))
		return sluice_tx_write_header_of_copy(txq, m, dv_data);
	if (s->has_ipv4)
		sluice_tx_sum_ipv4((uint8_t *)dv_data + s->l2_len);
	sluice_tx_put_words(dv_hdr, word, csum_offset);
	return true;
}

/* Packets on their way into slots from one on, which do not wrap. */
struct sluice_copy_run {
	struct sluice_txq *txq;
	struct rte_mbuf **pkts;
	const struct rte_mempool *pool;
	uint32_t slot;
	struct sluice_vec_avail avail;
	char *dv_data; /* of the slot's bounce buffer */
	size_t stride; /* from one buffer to the next */
	uint64_t bytes;
};

/* Descriptors of both ring types, as two words each. */
static __rte_always_inline sluice_desc_word *
sluice_copy_dv_words(const struct sluice_ring *r, uint32_t slot, enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		return (sluice_desc_word *)&r->split.dv_desc[slot];
	return (sluice_desc_word *)&r->packed.dv_desc[slot];
}

/* The second of them, of a slot's net header alone and not at the head of a burst. */
static __rte_always_inline uint64_t
sluice_copy_word(const struct sluice_ring *r, uint32_t slot, enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		return SLUICE_NET_HDR_LEN;
	return sluice_vec_packed_word(r, slot, 0) | (uint64_t)slot << 32 | SLUICE_NET_HDR_LEN;
}

/* Can a packet be part of a run? */
static __rte_always_inline bool
sluice_copy_is_plain(const struct sluice_copy_run *run, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	return sluice_tx_is_single(m, cfg.is_few) &&
			!sluice_tx_may_have(m, sluice_tx_slow_flags(cfg)) && m->pool == run->pool;
}

/* The first packets of nb, one by one, until one has to go another way. Returns how many. */
static __rte_always_inline uint32_t
sluice_copy_out_ones(struct sluice_copy_run *run, uint32_t nb, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &run->txq->q.ring;
	sluice_desc_word *dv_words = sluice_copy_dv_words(r, run->slot, cfg.ring_type);
	uint64_t word = sluice_copy_word(r, run->slot, cfg.ring_type), fix = 0;
	uint64_t addr = sluice_cell_da(&run->txq->cells, run->slot).v;
	char *dv_data = run->dv_data;
	uint32_t len;
	size_t n;

	if (cfg.ring_type == SLUICE_PACKED)
		fix = sluice_vec_head_fix(r, run->slot);
	for (n = 0; n < nb; n++, dv_data += run->stride) {
		struct rte_mbuf *m = run->pkts[n];

		len = m->data_len;
		if (unlikely(!sluice_copy_is_plain(run, m, cfg)) ||
				unlikely(!sluice_copy_data_out(run->txq, m, dv_data, len)))
			break;
		/* Where nobody asks for anything headers stay zero. */
		if (cfg.has_offloads && !sluice_copy_put_header(run->txq, m, dv_data))
			break;
		run->bytes += len;
		rte_atomic_store_explicit(
				&dv_words[2 * n + 1], (word + len) ^ fix, rte_memory_order_relaxed);
		if (cfg.ring_type == SLUICE_SPLIT) {
			/* The address is always the same. */
			sluice_vec_make_one_available(&run->avail, run->slot + n);
		} else {
			rte_atomic_store_explicit(&dv_words[2 * n], addr, rte_memory_order_relaxed);
			addr += run->stride;
			word += SLUICE_ONE_NEXT_ID;
			fix = 0;
		}
	}
	run->dv_data = dv_data;
	return n;
}

/*
 * Are packets copied four at a time? Packed descriptors are written in pairs then, which pays where
 * one register holds a pair.
 */
static __rte_always_inline bool
sluice_copy_goes_by_fours(const struct sluice_path_cfg cfg)
{
#ifdef __AVX2__
	return !cfg.is_few;
#else
	return !cfg.is_few && cfg.ring_type == SLUICE_SPLIT;
#endif
}

#ifdef SLUICE_SUMS

/* Four packets that can be part of a run and, with offloads, have the shape of the queue. */
static __rte_always_inline bool
sluice_copy_are_alike(const struct sluice_copy_run *run, struct rte_mbuf *const *pkts,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_tx_shape *s = &run->txq->shape;
	uint64_t any = 0, all = UINT64_MAX;
	unsigned int i;

#pragma GCC unroll 4
	for (i = 0; i < SLUICE_COPY_ALIKE; i++) {
		if (unlikely(!sluice_tx_is_single(pkts[i], false) || pkts[i]->pool != run->pool))
			return false;
		any |= pkts[i]->ol_flags;
		all &= pkts[i]->ol_flags;
	}
	if (!cfg.has_offloads)
		return (any & sluice_tx_slow_flags(cfg)) == 0;
	if (unlikely((((any ^ s->flags) | (all ^ s->flags)) &
				     (SLUICE_TX_SHAPE_FLAGS | sluice_tx_slow_flags(cfg))) != 0))
		return false;
	return !s->asks || sluice_tx_have_lens(s, pkts);
}

/* The net headers, and the checksums of IPv4, of four such packets that are copied to dv_data. */
static __rte_always_inline void
sluice_copy_put_headers(const struct sluice_tx_shape *s, struct rte_mbuf *const *pkts,
		uint8_t *dv_data, size_t stride)
{
	uint8_t *from[SLUICE_SUMS], *dv_hdr[SLUICE_SUMS];
	unsigned int i;

#pragma GCC unroll 4
	for (i = 0; i < SLUICE_SUMS; i++) {
		/* Summed up where they come from: the copy is still on its way to the cache. */
		from[i] = rte_pktmbuf_mtod(pkts[i], uint8_t *);
		dv_hdr[i] = dv_data + i * stride - SLUICE_NET_HDR_LEN;
	}
	if (s->asks) {
		sluice_tx_put_shape(s, from, s->l2_len, dv_hdr, SLUICE_NET_HDR_LEN + s->l2_len);
		return;
	}
#pragma GCC unroll 4
	for (i = 0; i < SLUICE_SUMS; i++)
		sluice_tx_clear_header(dv_hdr[i]);
}

/*
 * The first packets of nb, four at a time, as long as those of each four are alike and take one
 * bounce buffer each. Returns how many.
 */
static __rte_always_inline uint32_t
sluice_copy_out_fours(struct sluice_copy_run *run, uint32_t nb, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &run->txq->q.ring;
	const uint64_t addr = sluice_cell_da(&run->txq->cells, run->slot).v, stride = run->stride;
	const uint64_t word = sluice_copy_word(r, run->slot, cfg.ring_type);
	const sluice_copy_pair step = { 2 * stride, 2 * SLUICE_ONE_NEXT_ID, 2 * stride,
		2 * SLUICE_ONE_NEXT_ID };
	sluice_copy_pair pair = { addr, word, addr + stride, word + SLUICE_ONE_NEXT_ID };
	sluice_copy_pair fix = { 0, sluice_vec_head_fix(r, run->slot), 0, 0 };
	sluice_copy_pair len01, len23, lens = { 0 };
	sluice_desc_word *dv_words = sluice_copy_dv_words(r, run->slot, cfg.ring_type);
	struct rte_mbuf **pkts = run->pkts, **end = pkts + (nb & ~(SLUICE_COPY_ALIKE - 1));
	char *dv_data = run->dv_data;
	uint32_t slot = run->slot, i, len;
	uint64_t bytes = 0;

	for (; pkts != end; pkts += SLUICE_COPY_ALIKE, dv_words += 2 * SLUICE_COPY_ALIKE) {
		if (unlikely(!sluice_copy_are_alike(run, pkts, cfg)))
			break;
#pragma GCC unroll 4
		for (i = 0; i < SLUICE_COPY_ALIKE; i++) {
			len = pkts[i]->data_len;
			if (unlikely(!sluice_copy_data_out(
					    run->txq, pkts[i], dv_data + i * stride, len))) {
				/* Those before it count when they are sent one by one. */
				while (cfg.ring_type == SLUICE_SPLIT && i != 0)
					bytes -= pkts[--i]->data_len;
				goto out;
			}
			if (cfg.ring_type == SLUICE_PACKED)
				continue;
			bytes += len;
			rte_atomic_store_explicit(
					&dv_words[2 * i + 1], word + len, rte_memory_order_relaxed);
		}
		if (cfg.has_offloads)
			sluice_copy_put_headers(&run->txq->shape, pkts, (uint8_t *)dv_data, stride);
		dv_data += SLUICE_COPY_ALIKE * stride;
		if (cfg.ring_type == SLUICE_SPLIT) {
			sluice_vec_make_available(&run->avail, slot);
			slot += SLUICE_COPY_ALIKE;
			continue;
		}
		len01 = (sluice_copy_pair){ 0, pkts[0]->data_len, 0, pkts[1]->data_len };
		len23 = (sluice_copy_pair){ 0, pkts[2]->data_len, 0, pkts[3]->data_len };
		*(sluice_copy_pair *)dv_words = (pair + len01) ^ fix;
		pair += step;
		*(sluice_copy_pair *)&dv_words[4] = pair + len23;
		pair += step;
		fix ^= fix;
		lens += len01 + len23;
	}
out:
	run->dv_data = dv_data;
	run->bytes += bytes + lens[1] + lens[3];
	return pkts - run->pkts;
}

#else

static __rte_always_inline uint32_t
sluice_copy_out_fours(struct sluice_copy_run *run, uint32_t nb, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(run);
	RTE_SET_USED(nb);
	RTE_SET_USED(cfg);
	return 0;
}

#endif

/* The same, four at a time where they are alike. Moves the run on. */
static __rte_always_inline uint32_t
sluice_copy_out_many(struct sluice_copy_run *run, uint32_t nb_max, const struct sluice_path_cfg cfg)
{
	uint32_t n = 0, nb, nb_ones;

	for (;;) {
		nb = sluice_copy_out_fours(run, nb_max - n, cfg);
		n += nb;
		if (likely(n == nb_max))
			return n;
		run->slot += nb;
		run->pkts += nb;
		/* So many one by one, before others are alike. */
		nb_ones = RTE_MIN(nb_max - n, (uint32_t)SLUICE_COPY_ALIKE);
		nb = sluice_copy_out_ones(run, nb_ones, cfg);
		n += nb;
		if (nb != nb_ones || n == nb_max)
			return n;
		run->slot += nb;
		run->pkts += nb;
	}
}

/* Those of few packets back to their pool, out of line: once for all rows, as it is long. */
static __rte_noinline void
sluice_copy_put_few(struct rte_mbuf **pkts, uint32_t nb)
{
	sluice_pool_put(pkts[0]->pool, (void *const *)pkts, nb);
}

/*
 * As sluice_tx_run(), of packets of one segment that fit a bounce buffer, and ask for no more than
 * what batches do.
 */
static __rte_always_inline uint16_t
sluice_copy_out_run(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_max,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &txq->q.ring;
	struct sluice_copy_run run = {
		.txq = txq,
		.pkts = pkts,
		.slot = b->slot,
		.dv_data = sluice_cell(&txq->cells, b->slot) + SLUICE_NET_HDR_LEN,
		.stride = txq->cells.stride,
	};
	uint16_t avail_pos;
	uint32_t n;

	nb_max = RTE_MIN(nb_max, (uint16_t)(r->size - b->slot));
	nb_max = RTE_MIN(nb_max, (uint16_t)(r->nb_free - b->nb_slots));
	if (cfg.ring_type == SLUICE_SPLIT) {
		avail_pos = (r->avail_idx + b->nb_bufs) & r->mask;
		nb_max = RTE_MIN(nb_max, (uint16_t)(r->size - avail_pos));
		run.avail = sluice_vec_avail(txq, b->slot, avail_pos, cfg.ring_type);
	}
	if (unlikely(nb_max == 0))
		return 0;
	run.pool = pkts[0]->pool;
	n = sluice_copy_goes_by_fours(cfg) ? sluice_copy_out_many(&run, nb_max, cfg) :
					     sluice_copy_out_ones(&run, nb_max, cfg);
	if (unlikely(n == 0))
		return 0;
	/* What starts there is 0, as at each free slot (sluice_copy_forget()). */
	if (cfg.is_few)
		sluice_copy_put_few(pkts, n);
	else
		sluice_pool_put(pkts[0]->pool, (void *const *)pkts, n);
	b->bytes += run.bytes;
	b->slot = sluice_ring_next(r, b->slot, n);
	b->nb_slots += n;
	b->nb_bufs += n;
	return n;
}

#endif /* SLUICE_COPY_OUT_H */
