/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmit batches of one packet, without vector registers: for bursts that are too small for
 * others, and for the scalar build. What the primitives mean is said in sluice_vec.h. Each
 * field of an mbuf is loaded as wide as the application stored it, so that the load is served from
 * the store buffer (store forwarding).
 */

#ifndef SLUICE_VEC_ONE_H
#define SLUICE_VEC_ONE_H

#include "sluice_vec_common.h"

/* Half a descriptor, where fields of other types are. */
typedef uint64_t __rte_may_alias sluice_desc_word;

/* In the second word of packed descriptors. */
#define SLUICE_ONE_NEXT_ID (1ULL << 32)

/* Pointers are those of the kit's first slot. */
struct sluice_one_tx_kit {
	struct sluice_split_desc *dv_desc; /* descriptors of both ring types have the same size */
	struct rte_mbuf **sw_ring;
	uint16_t *slot_kind;
	struct sluice_vec_avail avail;
	uint16_t slot; /* the first */
	const struct rte_mempool *pool;
	uint64_t lo, span, base; /* the window, for headers by the address of their packets */
	uint64_t word;           /* length 0, id and flags of the next descriptor */
	uint64_t step;           /* from it to the one behind it */
	uint64_t sum;
	uint64_t slow_flags;
};

/* sluice_tx_is_ours(), and as the others of a batch: one segment, of their pool, with room. */
static __rte_always_inline bool
sluice_one_tx_is_plain(const struct rte_mbuf *m, const struct rte_mempool *pool, uint32_t hdr_len,
		const struct sluice_path_cfg cfg)
{
	const uint64_t flags = sluice_tx_slow_flags(cfg);
	bool is_slow;

	if (!sluice_tx_is_single(m, true))
		return false;
	/* The flag that packets with pinned buffers may have lies between others. */
	is_slow = cfg.is_pinned ? (sluice_tx_upper_flags(m) & (flags >> 32)) != 0 :
				  sluice_tx_may_have(m, flags);
	if (is_slow || m->data_off < hdr_len || m->pool != pool)
		return false;
	return !cfg.is_pinned || likely(rte_mbuf_ext_refcnt_read(m->shinfo) == 1);
}

static __rte_always_inline struct sluice_one_tx_kit
sluice_one_tx_kit(const struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		const struct sluice_path_cfg cfg)
{
	const uint32_t hdr_len = sluice_tx_batch_hdr_len(cfg);
	const struct sluice_ring *r = &txq->q.ring;
	const struct dmap_window *w = &txq->q.stream.last;
	struct sluice_one_tx_kit k = {
		.sw_ring = &txq->q.sw_ring[slot],
		.slot_kind = &txq->slot_kind[slot],
		.slot = slot,
		.avail = sluice_vec_avail(txq, slot, avail_pos, cfg.ring_type),
		.pool = txq->pool,
		.lo = w->lo + hdr_len,
		.span = w->span - hdr_len,
		.base = w->lo + w->delta,
		.slow_flags = txq->slow_flags,
	};

	if (cfg.ring_type == SLUICE_SPLIT) {
		k.dv_desc = &r->split.dv_desc[slot];
		return k;
	}
	k.dv_desc = (struct sluice_split_desc *)&r->packed.dv_desc[slot];
	k.word = sluice_vec_packed_word(r, slot, 0) ^ sluice_vec_head_fix(r, slot);
	k.step = sluice_vec_packed_word(r, slot, 0) - k.word + SLUICE_ONE_NEXT_ID;
	k.word |= (uint64_t)slot << 32;
	return k;
}

static __rte_always_inline uint64_t
sluice_one_tx_bytes(const struct sluice_one_tx_kit *k)
{
	return k->sum;
}

/* The nth packet of the kit. */
static __rte_always_inline bool
sluice_one_tx_give(struct sluice_one_tx_kit *k, uint32_t n, struct rte_mbuf *m,
		const struct sluice_path_cfg cfg)
{
	sluice_desc_word *dv_words = (sluice_desc_word *)&k->dv_desc[n];
	const uint32_t hdr_len = sluice_tx_batch_hdr_len(cfg);
	uint64_t off, left, len;
	char *data;

	if (unlikely(!sluice_one_tx_is_plain(m, k->pool, hdr_len, cfg)))
		return false;
	data = rte_pktmbuf_mtod(m, char *);
	len = m->data_len;
	off = (uintptr_t)data - k->lo;
	left = k->span - len - off;
	/*
	 * A sign is set if it starts before the window, or ends behind it; addresses of user space
	 * have none.
	 */
	if (unlikely((int64_t)(off | left) < 0))
		return false;
	if (!cfg.has_offloads)
		sluice_tx_clear_header(data - SLUICE_NET_HDR_LEN);
	else if (unlikely((m->ol_flags & k->slow_flags) != 0 ||
				 !sluice_tx_write_header(m, hdr_len)))
		return false;
	k->sum += len;
	k->sw_ring[n] = m;
	k->slot_kind[n] = 0;
	rte_atomic_store_explicit(&dv_words[0], off + k->base, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&dv_words[1], k->word + len + hdr_len, rte_memory_order_relaxed);
	if (cfg.ring_type == SLUICE_SPLIT) {
		sluice_vec_make_one_available(&k->avail, k->slot + n);
	} else {
		k->word += k->step;
		k->step = SLUICE_ONE_NEXT_ID;
	}
	return true;
}

#endif /* SLUICE_VEC_ONE_H */
