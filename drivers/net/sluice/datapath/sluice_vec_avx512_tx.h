/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The primitives of sluice_vec_avx512.h for transmitting.
 */

#ifndef SLUICE_VEC_AVX512_TX_H
#define SLUICE_VEC_AVX512_TX_H

struct sluice_vec_tx_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	struct sluice_vec_avail avail;
	uint16_t *slot_kind;
	/* First cache line of a plain mbuf, with offloads of that shape, where it counts. */
	__m512i want;
	__m512i lo, span, delta;
	__m512i flags; /* of four descriptors, packed: with ids; in odd words */
	__m512i head_fix;
	__m512i sum;
	uint64_t said; /* by the headers */
	struct sluice_txq *txq;
};

/*
 * Do the ranges that four descriptors name lie in the window? Addresses in even words, lengths in
 * odd.
 */
static __rte_always_inline bool
sluice_avx512_in_window(__m512i lo, __m512i span, __m512i va, __m512i lens)
{
	__m512i off = _mm512_sub_epi64(va, lo);
	__m512i end = _mm512_add_epi64(off, _mm512_bsrli_epi128(lens, 8));

	return (_mm512_mask_cmplt_epu64_mask(0x55, off, span) &
			       _mm512_mask_cmple_epu64_mask(0x55, end, span)) == 0x55;
}

/* Ids of four packed descriptors in the odd words. */
static __rte_always_inline __m512i
sluice_avx512_ids(uint16_t slot)
{
	const __m512i count = _mm512_setr_epi64(0, 0, 0, 1LL << 32, 0, 2LL << 32, 0, 3LL << 32);

	return _mm512_add_epi64(_mm512_maskz_set1_epi64(0xaa, (int64_t)slot << 32), count);
}

/* Flags, and of packed rings ids, of the first batch from slot on. */
static __rte_always_inline __m512i
sluice_avx512_flags(const struct sluice_ring *r, uint16_t slot, uint16_t flags,
		enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		return _mm512_maskz_set1_epi64(0xaa, (int64_t)flags << 32);
	return _mm512_or_si512(sluice_avx512_ids(slot),
			_mm512_maskz_set1_epi64(
					0xaa, (int64_t)sluice_vec_packed_word(r, slot, flags)));
}

/* Write four descriptors, with their flags; the fix of a head is for one batch only. */
static __rte_always_inline void
sluice_avx512_write(void *dv_desc, uint32_t slot, __m512i words, __m512i *flags, __m512i *head_fix,
		enum sluice_ring_type ring_type)
{
	words = _mm512_or_si512(words, *flags);
	if (ring_type == SLUICE_PACKED) {
		*flags = _mm512_add_epi64(*flags, _mm512_maskz_set1_epi64(0xaa, 4LL << 32));
		words = _mm512_xor_si512(words, *head_fix);
		*head_fix = _mm512_setzero_si512();
	}
	/* Descriptors of both ring types have the same size. */
	_mm512_storeu_si512((struct sluice_split_desc *)dv_desc + slot, words);
}

static __rte_always_inline __m512i
sluice_avx512_want(const struct sluice_txq *txq, const struct sluice_path_cfg cfg)
{
	return _mm512_setr_epi64(0, 0, SLUICE_TX_REARM_PLAIN,
			cfg.has_offloads ? (int64_t)txq->shape.flags : 0, 0, 0, 0,
			(int64_t)(uintptr_t)txq->pool);
}

static __rte_always_inline struct sluice_vec_tx_kit
sluice_vec_tx_kit(struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &txq->q.ring;
	const struct dmap_window *w = &txq->q.stream.last;

	return (struct sluice_vec_tx_kit){
		.dv_desc = cfg.ring_type == SLUICE_SPLIT ? (void *)r->split.dv_desc :
							   (void *)r->packed.dv_desc,
		.sw_ring = txq->q.sw_ring,
		.slot_kind = txq->slot_kind,
		.avail = sluice_vec_avail(txq, slot, avail_pos, cfg.ring_type),
		.want = sluice_avx512_want(txq, cfg),
		.lo = _mm512_set1_epi64((int64_t)w->lo),
		.span = _mm512_set1_epi64((int64_t)w->span),
		.delta = _mm512_maskz_set1_epi64(0x55, (int64_t)w->delta),
		.flags = sluice_avx512_flags(r, slot, 0, cfg.ring_type),
		.head_fix = _mm512_maskz_set1_epi64(0x02, (int64_t)sluice_vec_head_fix(r, slot)),
		.sum = _mm512_setzero_si512(),
		.txq = txq,
	};
}

static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return _mm512_reduce_add_epi64(k->sum);
}

/*
 * Four mbufs are plain: reference count, segments, flags and pool, by what all of them have set and
 * what any of them has set. The data offset must be 16 at least in a bit that all share: nearly
 * always so.
 */
static __rte_always_inline bool
sluice_avx512_plain(__m512i want, __m512i a, __m512i b, __m512i c, __m512i d, __m512i *differs,
		const struct sluice_path_cfg cfg)
{
	const __m512i mask = _mm512_setr_epi64(0, 0, SLUICE_TX_REARM_MASK,
			(int64_t)sluice_tx_slow_flags(cfg), 0, 0, 0, -1);
	const __m512i offset = _mm512_maskz_set1_epi64(0x04, sluice_tx_room_bits(cfg));
	__m512i any = _mm512_or_si512(_mm512_ternarylogic_epi64(a, b, c, 0xfe), d);
	__m512i all = _mm512_and_si512(_mm512_ternarylogic_epi64(a, b, c, 0x80), d);

	/* (any ^ want) | (all ^ want), and what counts of it */
	*differs = _mm512_ternarylogic_epi64(any, all, want, 0x7e);
	return _mm512_test_epi64_mask(*differs, mask) == 0 &&
			_mm512_test_epi64_mask(all, offset) != 0;
}

/*
 * In 64-bit words; a to d are first cache lines of mbufs:
 *
 *	ab    buf_addr0 | data_len0 | buf_addr1 | data_len1 | off0 | off0 | off1 | off1
 *	va    buf_addr0 | data_len0 | ...                         | buf_addr3 | data_len3
 *	off   data_off0 | data_off0 | ...                         | data_off3 | data_off3
 *	then  address0  | len0      | ...    with the header      | address3  | len3
 */
static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	/* buf_addr, the word with data_len, and the word with data_off, of two mbufs each */
	const __m512i pick = _mm512_setr_epi64(0, 5, 8, 13, 2, 2, 10, 10);
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6);
	const __m512i low16 = _mm512_set1_epi64(UINT16_MAX);
	const __m512i hdr = _mm512_set1_epi64(sluice_tx_batch_hdr_len(cfg));
	__m512i a, b, c, d, ab, cd, va, off, lens, differs;
	bool has_shape;

	a = _mm512_load_si512(pkts[0]);
	b = _mm512_load_si512(pkts[1]);
	c = _mm512_load_si512(pkts[2]);
	d = _mm512_load_si512(pkts[3]);
	if (unlikely(!sluice_avx512_plain(k->want, a, b, c, d, &differs, cfg)))
		return false;
	if (cfg.is_pinned && unlikely(!sluice_vec_hold_alone(pkts)))
		return false;
	ab = _mm512_permutex2var_epi64(a, pick, b);
	cd = _mm512_permutex2var_epi64(c, pick, d);
	va = _mm512_inserti64x4(ab, _mm512_castsi512_si256(cd), 1);
	off = _mm512_and_si512(_mm512_shuffle_i64x2(ab, cd, 0xee), low16);
	lens = _mm512_maskz_and_epi64(0xaa, va, low16);
	va = _mm512_maskz_add_epi64(0x55, va, _mm512_sub_epi64(off, hdr));
	off = _mm512_maskz_add_epi64(0xaa, lens, hdr);
	if (unlikely(!sluice_avx512_in_window(k->lo, k->span, va, off)))
		return false;
	if (cfg.has_offloads) {
		has_shape = _mm512_test_epi64_mask(differs,
					    _mm512_maskz_set1_epi64(0x08, SLUICE_TX_SHAPE_FLAGS)) ==
				0;
		if (unlikely(!sluice_x86_write_headers(k->txq, &k->said, pkts, has_shape,
				    _mm512_castsi512_si256(_mm512_permutexvar_epi64(even, va)),
				    cfg)))
			return false;
		if (unlikely(!has_shape))
			k->want = sluice_avx512_want(k->txq, cfg);
	}
	k->sum = _mm512_add_epi64(k->sum, lens);
	if (!cfg.has_offloads)
		sluice_x86_clear_headers(&k->said,
				_mm512_castsi512_si256(_mm512_permutexvar_epi64(even, va)));
	va = _mm512_or_si512(_mm512_add_epi64(va, k->delta), off);
	sluice_avx512_write(k->dv_desc, slot, va, &k->flags, &k->head_fix, cfg.ring_type);
	sluice_x86_enter(&k->avail, k->slot_kind, k->sw_ring, slot, pkts, cfg.ring_type);
	return true;
}

static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	const __m512i ids = _mm512_add_epi64(
			_mm512_set1_epi64(slot), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
	__m512i elems = _mm512_loadu_si512(&r->split.dv_used->ring[slot]);

	return _mm512_mask_cmpneq_epi32_mask(0x5555, elems, ids) == 0;
}

static __rte_always_inline bool
sluice_vec_packed_used_in_order(const struct sluice_packed_desc *dv_desc, uint64_t word)
{
	/* Upper halves: slots 0, 4, 1, 5, ... An id and its flags are loaded at once. */
	__m512i words = _mm512_unpackhi_epi64(
			_mm512_loadu_si512(&dv_desc[0]), _mm512_loadu_si512(&dv_desc[4]));
	__m512i want = _mm512_add_epi64(_mm512_set1_epi64((int64_t)word),
			_mm512_setr_epi32(0, 0, 0, 4, 0, 1, 0, 5, 0, 2, 0, 6, 0, 3, 0, 7));
	__m512i mask = _mm512_set1_epi64((int64_t)SLUICE_VEC_USED_MASK);

	/* The buffers are freed behind the loads; x86 keeps that order. */
	rte_compiler_barrier();
	return _mm512_test_epi64_mask(_mm512_xor_si512(words, want), mask) == 0;
}

#endif /* SLUICE_VEC_AVX512_TX_H */
