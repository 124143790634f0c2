/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The primitives of sluice_vec_avx2.h for transmitting.
 */

#ifndef SLUICE_VEC_AVX2_TX_H
#define SLUICE_VEC_AVX2_TX_H

struct sluice_vec_tx_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	struct sluice_vec_avail avail;
	uint16_t *slot_kind;
	__m256i pool; /* in word 3 */
	__m256i lo, span, delta;
	__m256i flags; /* in odd words; packed: with the ids of the next two */
	__m256i head_fix;
	__m256i sum;
	uint64_t said; /* by the headers */
	__m256i want;  /* with offloads: what words 2 and 3 of an mbuf with that shape have */
	struct sluice_txq *txq;
};

/*
 * The sign bit of an even word is set if what that descriptor names is not all in the window:
 * before it off is negative, behind its end what is left is less than the length. Addresses of user
 * space have no sign.
 */
static __rte_always_inline __m256i
sluice_avx2_outside(__m256i lo, __m256i span, __m256i va, __m256i lens)
{
	__m256i off = _mm256_sub_epi64(va, lo);
	__m256i left = _mm256_sub_epi64(span, off);

	return _mm256_or_si256(off, _mm256_sub_epi64(left, _mm256_bsrli_epi128(lens, 8)));
}

static __rte_always_inline bool
sluice_avx2_any_outside(__m256i a, __m256i b)
{
	return (_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_or_si256(a, b))) & 0x5) != 0;
}

static __rte_always_inline __m256i
sluice_avx2_want(const struct sluice_txq *txq)
{
	return _mm256_setr_epi64x(0, 0, SLUICE_TX_REARM_PLAIN, (int64_t)txq->shape.flags);
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
		.pool = _mm256_setr_epi64x(0, 0, 0, (int64_t)(uintptr_t)txq->pool),
		.lo = _mm256_set1_epi64x((int64_t)w->lo),
		.span = _mm256_set1_epi64x((int64_t)w->span),
		.delta = sluice_avx2_even(w->delta),
		.flags = sluice_avx2_flags(r, slot, 0, cfg.ring_type),
		.head_fix = _mm256_setr_epi64x(0, (int64_t)sluice_vec_head_fix(r, slot), 0, 0),
		.sum = _mm256_setzero_si256(),
		.want = sluice_avx2_want(txq),
		.txq = txq,
	};
}

static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return sluice_avx2_total(k->sum);
}

/* Halves of the first cache lines of four mbufs. */
struct sluice_avx2_lines {
	__m256i lo[4]; /* buf_addr, buf_iova, rearm, ol_flags */
	__m256i hi[4]; /* packet_type and pkt_len, data_len, -, pool */
};

static __rte_always_inline void
sluice_avx2_load(struct sluice_avx2_lines *l, unsigned int i, const struct rte_mbuf *m)
{
	l->lo[i] = _mm256_load_si256((const __m256i *)m);
	l->hi[i] = _mm256_load_si256((const __m256i *)m + 1);
}

/*
 * As the 512-bit primitive: by what all four have set, and what any of them has set. *differs:
 * where words 2 and 3 are not as wanted.
 */
static __rte_always_inline bool
sluice_avx2_plain(const struct sluice_avx2_lines *l, __m256i pool, __m256i want, __m256i *differs,
		const struct sluice_path_cfg cfg)
{
	const __m256i mask = _mm256_setr_epi64x(
			0, 0, SLUICE_TX_REARM_MASK, (int64_t)sluice_tx_slow_flags(cfg));
	__m256i any = _mm256_or_si256(
			_mm256_or_si256(l->lo[0], l->lo[1]), _mm256_or_si256(l->lo[2], l->lo[3]));
	__m256i all = _mm256_and_si256(
			_mm256_and_si256(l->lo[0], l->lo[1]), _mm256_and_si256(l->lo[2], l->lo[3]));
	__m256i pools = _mm256_or_si256(_mm256_or_si256(_mm256_xor_si256(l->hi[0], pool),
							_mm256_xor_si256(l->hi[1], pool)),
			_mm256_or_si256(_mm256_xor_si256(l->hi[2], pool),
					_mm256_xor_si256(l->hi[3], pool)));
	__m256i bad;

	*differs = _mm256_or_si256(_mm256_xor_si256(any, want), _mm256_xor_si256(all, want));
	bad = _mm256_or_si256(_mm256_and_si256(*differs, mask),
			_mm256_and_si256(pools, _mm256_setr_epi64x(0, 0, 0, -1)));
	return _mm256_testz_si256(bad, bad) &&
			!_mm256_testz_si256(
					all, _mm256_setr_epi64x(0, 0, sluice_tx_room_bits(cfg), 0));
}

/*
 * Header addresses (even words) and lengths of the data (odd words) of two mbufs.
 *
 *	addr_len  buf_addr0 | data_len0 || buf_addr1 | data_len1
 *	off       data_off0 | -         || data_off1 | -
 */
static __rte_always_inline __m256i
sluice_avx2_tx_va(const struct sluice_avx2_lines *l, unsigned int i, __m256i *lens,
		const struct sluice_path_cfg cfg)
{
	__m256i addr_len = _mm256_permute2x128_si256(_mm256_blend_epi32(l->lo[i], l->hi[i], 0x0c),
			_mm256_blend_epi32(l->lo[i + 1], l->hi[i + 1], 0x0c), 0x20);
	__m256i off = _mm256_permute2x128_si256(l->lo[i], l->lo[i + 1], 0x31);

	*lens = _mm256_and_si256(addr_len, sluice_avx2_odd(UINT16_MAX));
	off = _mm256_and_si256(off, sluice_avx2_even(UINT16_MAX));
	addr_len = _mm256_blend_epi32(addr_len, _mm256_setzero_si256(), 0xcc);
	addr_len = _mm256_add_epi64(addr_len, off);
	return _mm256_sub_epi64(addr_len, sluice_avx2_even(sluice_tx_batch_hdr_len(cfg)));
}

/*
 *	a  address0 | len0 || address1 | len1  b: the same of 2 and 3; lengths with the header
 */
static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	const __m256i hdr = sluice_avx2_odd(sluice_tx_batch_hdr_len(cfg));
	const __m256i want = cfg.has_offloads ? k->want :
						_mm256_setr_epi64x(0, 0, SLUICE_TX_REARM_PLAIN, 0);
	__m256i a, b, len_a, len_b, data, differs;
	struct sluice_avx2_lines l;
	bool has_shape;

	sluice_avx2_load(&l, 0, pkts[0]);
	sluice_avx2_load(&l, 1, pkts[1]);
	sluice_avx2_load(&l, 2, pkts[2]);
	sluice_avx2_load(&l, 3, pkts[3]);
	if (unlikely(!sluice_avx2_plain(&l, k->pool, want, &differs, cfg)))
		return false;
	if (cfg.is_pinned && unlikely(!sluice_vec_hold_alone(pkts)))
		return false;
	a = sluice_avx2_tx_va(&l, 0, &len_a, cfg);
	b = sluice_avx2_tx_va(&l, 2, &len_b, cfg);
	data = _mm256_add_epi64(len_a, len_b);
	len_a = _mm256_add_epi64(len_a, hdr);
	len_b = _mm256_add_epi64(len_b, hdr);
	if (unlikely(sluice_avx2_any_outside(sluice_avx2_outside(k->lo, k->span, a, len_a),
			    sluice_avx2_outside(k->lo, k->span, b, len_b))))
		return false;
	if (cfg.has_offloads) {
		has_shape = _mm256_testz_si256(
				differs, _mm256_setr_epi64x(0, 0, 0, SLUICE_TX_SHAPE_FLAGS));
		if (unlikely(!sluice_x86_write_headers(k->txq, &k->said, pkts, has_shape,
				    _mm256_unpacklo_epi64(a, b), cfg)))
			return false;
		if (unlikely(!has_shape))
			k->want = sluice_avx2_want(k->txq);
	}
	k->sum = _mm256_add_epi64(k->sum, data);
	if (!cfg.has_offloads)
		sluice_x86_clear_headers(&k->said, _mm256_unpacklo_epi64(a, b));
	a = _mm256_or_si256(_mm256_add_epi64(a, k->delta), len_a);
	b = _mm256_or_si256(_mm256_add_epi64(b, k->delta), len_b);
	sluice_avx2_write(k->dv_desc, slot, a, b, &k->flags, &k->head_fix, cfg.ring_type);
	sluice_x86_enter(&k->avail, k->slot_kind, k->sw_ring, slot, pkts, cfg.ring_type);
	return true;
}

/*
 *	elems  id0 len0  | id1 len1    || id2 len2    | id3 len3
 *	ids    slot 0    | slot + 1, 0 || slot + 2, 0 | slot + 3, 0
 */
static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	const __m256i ids = _mm256_add_epi64(
			_mm256_set1_epi64x(slot), _mm256_setr_epi64x(0, 1, 2, 3));
	__m256i elems = _mm256_loadu_si256((const __m256i *)&r->split.dv_used->ring[slot]);
	__m256i differs = _mm256_xor_si256(elems, ids);

	return _mm256_testz_si256(differs, _mm256_set1_epi64x(UINT32_MAX));
}

static __rte_always_inline bool
sluice_vec_packed_used_in_order(const struct sluice_packed_desc *dv_desc, uint64_t word)
{
	const __m256i *dv_two = (const __m256i *)dv_desc;
	/* Upper halves: slots 0, 2, 1, 3. An id and its flags are in one word, loaded at once. */
	__m256i words = _mm256_unpackhi_epi64(
			_mm256_loadu_si256(&dv_two[0]), _mm256_loadu_si256(&dv_two[1]));
	__m256i want = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)word),
			_mm256_setr_epi32(0, 0, 0, 2, 0, 1, 0, 3));
	__m256i mask = _mm256_set1_epi64x((int64_t)SLUICE_VEC_USED_MASK);

	/* The buffers are freed behind the loads; x86 keeps that order. */
	rte_compiler_barrier();
	return _mm256_testz_si256(_mm256_xor_si256(words, want), mask);
}

#endif /* SLUICE_VEC_AVX2_TX_H */
