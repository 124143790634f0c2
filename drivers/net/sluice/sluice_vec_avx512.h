/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives with 512-bit registers: eight used entries, four descriptors or four mbufs at a time.
 * What each one means is said in sluice_vec_none.h.
 */

#ifndef SLUICE_VEC_AVX512_H
#define SLUICE_VEC_AVX512_H

#include <immintrin.h>

#include "sluice_vec_x86.h"

#define SLUICE_VEC_NAME "AVX512"
#define SLUICE_VEC_BITS 512

#define SLUICE_VEC_RX_SPLIT 8
#define SLUICE_VEC_RX_PACKED 4
#define SLUICE_VEC_RX_GIVE 4
#define SLUICE_VEC_TX 4
#define SLUICE_VEC_USED 8

struct sluice_vec_rx_kit {
	const void *dv_used; /* used elements, or packed descriptors */
	struct rte_mbuf **sw_ring;
	__m512i template; /* rearm and ol_flags of a fresh mbuf in each 128-bit lane */
	__m512i most;     /* longest length less the shortest one, in 32-bit words */
	__m512i used;     /* packed: flags of a used descriptor */
	__m512i ids;      /* of the next eight used elements, or of the next four descriptors */
	__m512i sum;
	uint16_t said; /* by the headers of the last batch */
};

struct sluice_vec_give_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	__m256i lo, room; /* mbufs whose buffers are in the window: the first, and how far the last one is */
	__m256i delta;    /* from an mbuf to the device's address of its buffer */
	__m512i lens;     /* of each buffer */
	__m512i flags;    /* in odd words; packed: with the ids of the next four */
	__m512i head_fix; /* packed: for the first batch of a burst */
};

struct sluice_vec_tx_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	struct sluice_vec_avail avail;
	uint16_t *extent;
	__m512i want; /* first cache line of a plain mbuf, where it counts */
	__m512i lo, span, delta;
	__m512i flags; /* as above */
	__m512i head_fix;
	__m512i sum;
	uint64_t said; /* by the headers */
};

/* Ids of four packed descriptors in the odd words. */
static __rte_always_inline __m512i
sluice_avx512_ids(uint16_t slot)
{
	const __m512i count = _mm512_setr_epi64(0, 0, 0, 1LL << 32, 0, 2LL << 32, 0, 3LL << 32);

	return _mm512_add_epi64(_mm512_maskz_set1_epi64(0xaa, (int64_t)slot << 32), count);
}

static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, uint32_t max_len)
{
	const struct sluice_ring *r = &rxq->q.ring;
	uint64_t used = r->used_wrap ? (uint64_t)SLUICE_PACKED_BITS << 48 : 0;
	bool is_split = rxq->q.layout == SLUICE_SPLIT;

	return (struct sluice_vec_rx_kit){
		.ids = is_split ? _mm512_add_epi64(_mm512_set1_epi64(r->tail),
						  _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)) :
				  sluice_avx512_ids(r->tail),
		.dv_used = is_split ? (void *)r->split.dv_used->ring : (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.template = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)&rxq->rearm)),
		.most = _mm512_set1_epi32(max_len - SLUICE_RX_MIN_LEN),
		.used = _mm512_set1_epi64((int64_t)used),
		.sum = _mm512_setzero_si512(),
	};
}

static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k)
{
	return _mm512_reduce_add_epi64(k->sum);
}

static __rte_always_inline uint16_t
sluice_vec_rx_said(const struct sluice_vec_rx_kit *k)
{
	return k->said;
}

/*
 * Two mbufs, one 32-byte store each: rearm_data and ol_flags from the template, packet_type to hash from
 * two lanes of fields, the lower or the higher two.
 */
static __rte_always_inline void
sluice_avx512_fill(struct rte_mbuf *a, struct rte_mbuf *b, __m512i template, __m512i fields,
		bool is_high)
{
	const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 0, 1, 10, 11);
	const __m512i high = _mm512_setr_epi64(0, 1, 12, 13, 0, 1, 14, 15);
	__m512i both = _mm512_permutex2var_epi64(template, is_high ? high : low, fields);

	_mm256_storeu_si256(sluice_x86_rearm(a), _mm512_castsi512_si256(both));
	_mm256_storeu_si256(sluice_x86_rearm(b), _mm512_extracti64x4_epi64(both, 1));
}

static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_split_used_elem *dv_elems = k->dv_used;
	struct rte_mbuf **sw = &k->sw_ring[slot];
	__m512i elems, over, lens, even, odd;
	__mmask16 good;

	elems = _mm512_loadu_si512(&dv_elems[slot]);
	/* Even words are ids, odd words are lengths: one comparison for both ends of the latter. */
	over = _mm512_sub_epi32(elems, _mm512_set1_epi32(SLUICE_RX_MIN_LEN));
	good = _mm512_mask_cmpeq_epi32_mask(0x5555, elems, k->ids) |
			_mm512_mask_cmple_epu32_mask(0xaaaa, over, k->most);
	if (unlikely(good != 0xffff))
		return false;
	if (cfg.has_csum &&
			unlikely(!sluice_x86_read_headers(sw, SLUICE_VEC_RX_SPLIT, cfg, &k->said)))
		return false;
	lens = _mm512_sub_epi64(
			_mm512_srli_epi64(elems, 32), _mm512_set1_epi64(SLUICE_NET_HDR_LEN));
	k->sum = _mm512_add_epi64(k->sum, lens);
	k->ids = _mm512_add_epi64(k->ids, _mm512_set1_epi64(8));
	/* packet_type 0 and pkt_len; data_len and zeros. */
	even = _mm512_unpacklo_epi64(_mm512_slli_epi64(lens, 32), lens);
	odd = _mm512_unpackhi_epi64(_mm512_slli_epi64(lens, 32), lens);
	sluice_avx512_fill(sw[0], sw[2], k->template, even, false);
	sluice_avx512_fill(sw[1], sw[3], k->template, odd, false);
	sluice_avx512_fill(sw[4], sw[6], k->template, even, true);
	sluice_avx512_fill(sw[5], sw[7], k->template, odd, true);
	_mm512_storeu_si512(pkts, _mm512_loadu_si512(sw));
	return true;
}

static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_packed_desc *dv_desc = (const struct sluice_packed_desc *)k->dv_used +
			slot;
	struct rte_mbuf **sw = &k->sw_ring[slot];
	const __m512i bits = _mm512_set1_epi64((int64_t)((uint64_t)SLUICE_PACKED_BITS << 48));
	__m512i descs, over, lens, fields;
	__mmask16 good;

	/* Flags first, payload second: x86 keeps the order of the two loads, so the second is not torn. */
	descs = _mm512_loadu_si512(dv_desc);
	if (_mm512_mask_cmpneq_epi64_mask(0xaa, _mm512_and_si512(descs, bits), k->used) != 0)
		return false;
	rte_compiler_barrier();
	descs = _mm512_loadu_si512(dv_desc);
	/* Word 3 of each lane without the other flags is the id; word 2 is the length. */
	over = _mm512_sub_epi32(descs, _mm512_set1_epi32(SLUICE_RX_MIN_LEN));
	good = _mm512_mask_cmpeq_epi32_mask(
			       0x8888, _mm512_and_si512(descs, _mm512_set1_epi32(0xffff)), k->ids) |
			_mm512_mask_cmple_epu32_mask(0x4444, over, k->most);
	if (unlikely(good != 0xcccc))
		return false;
	if (cfg.has_csum &&
			unlikely(!sluice_x86_read_headers(sw, SLUICE_VEC_RX_PACKED, cfg, &k->said)))
		return false;
	k->ids = _mm512_add_epi64(k->ids, _mm512_maskz_set1_epi64(0xaa, 4LL << 32));
	lens = _mm512_maskz_sub_epi32(0x4444, descs, _mm512_set1_epi32(SLUICE_NET_HDR_LEN));
	k->sum = _mm512_add_epi64(k->sum, lens);
	/* The length, word 2 of each lane, becomes pkt_len (word 1) and data_len (word 2). */
	fields = _mm512_maskz_shuffle_epi32(0x6666, lens, _MM_PERM_ACCA);
	sluice_avx512_fill(sw[0], sw[1], k->template, fields, false);
	sluice_avx512_fill(sw[2], sw[3], k->template, fields, true);
	_mm256_storeu_si256((__m256i *)pkts, _mm256_loadu_si256((const __m256i *)sw));
	return true;
}

/* Do the ranges that four descriptors name lie in the window? Addresses in even words, lengths in odd. */
static __rte_always_inline bool
sluice_avx512_in_window(__m512i lo, __m512i span, __m512i va, __m512i lens)
{
	__m512i off = _mm512_sub_epi64(va, lo);
	__m512i end = _mm512_add_epi64(off, _mm512_bsrli_epi128(lens, 8));

	return (_mm512_mask_cmplt_epu64_mask(0x55, off, span) &
			       _mm512_mask_cmple_epu64_mask(0x55, end, span)) == 0x55;
}

/* Flags, and of packed rings ids, of the first batch from slot on. */
static __rte_always_inline __m512i
sluice_avx512_flags(const struct sluice_ring *r, uint16_t slot, uint16_t flags,
		enum sluice_layout layout)
{
	if (layout == SLUICE_SPLIT)
		return _mm512_maskz_set1_epi64(0xaa, (int64_t)flags << 32);
	return _mm512_or_si512(sluice_avx512_ids(slot),
			_mm512_maskz_set1_epi64(
					0xaa, (int64_t)sluice_vec_packed_word(r, slot, flags)));
}

/* Write four descriptors, with their flags; the fix of a head is for one batch only. */
static __rte_always_inline void
sluice_avx512_write(void *dv_desc, uint32_t slot, __m512i words, __m512i *flags, __m512i *head_fix,
		enum sluice_layout layout)
{
	words = _mm512_or_si512(words, *flags);
	if (layout == SLUICE_PACKED) {
		*flags = _mm512_add_epi64(*flags, _mm512_maskz_set1_epi64(0xaa, 4LL << 32));
		words = _mm512_xor_si512(words, *head_fix);
		*head_fix = _mm512_setzero_si512();
	}
	/* Descriptors of both layouts have the same size. */
	_mm512_storeu_si512((struct sluice_split_desc *)dv_desc + slot, words);
}

static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const struct dmap_window *w = &rxq->q.stream.last;
	int64_t off = rxq->buf_off + sluice_rx_hdr_off(cfg.has_csum);

	return (struct sluice_vec_give_kit){
		.dv_desc = cfg.layout == SLUICE_SPLIT ? (void *)r->split.dv_desc :
							(void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.lo = _mm256_set1_epi64x((int64_t)w->lo - off),
		.room = _mm256_set1_epi64x((int64_t)w->span - rxq->post_len),
		.delta = _mm256_set1_epi64x((int64_t)w->delta + off),
		.lens = _mm512_set1_epi64(rxq->post_len),
		.flags = sluice_avx512_flags(r, slot, SLUICE_DESC_F_WRITE, cfg.layout),
		.head_fix = _mm512_maskz_set1_epi64(0x02, (int64_t)sluice_vec_head_fix(r, slot)),
	};
}

static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, const struct sluice_path_cfg cfg)
{
	const __m512i twice = _mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3);
	__m256i mbufs = _mm256_loadu_si256((const __m256i *)&k->sw_ring[slot]);
	__m256i off = _mm256_sub_epi64(mbufs, k->lo);
	__m512i words = _mm512_castsi256_si512(_mm256_add_epi64(mbufs, k->delta));

	/* A sign is set if an mbuf lies before the first one, or behind the last one. */
	off = _mm256_or_si256(off, _mm256_sub_epi64(k->room, off));
	if (unlikely(_mm256_movepi64_mask(off) != 0))
		return false;
	words = _mm512_mask_permutexvar_epi64(k->lens, 0x55, twice, words);
	sluice_avx512_write(k->dv_desc, slot, words, &k->flags, &k->head_fix, cfg.layout);
	return true;
}

static __rte_always_inline struct sluice_vec_tx_kit
sluice_vec_tx_kit(const struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		enum sluice_layout layout)
{
	const struct sluice_ring *r = &txq->q.ring;
	const struct dmap_window *w = &txq->q.stream.last;

	return (struct sluice_vec_tx_kit){
		.dv_desc = layout == SLUICE_SPLIT ? (void *)r->split.dv_desc :
						    (void *)r->packed.dv_desc,
		.sw_ring = txq->q.sw_ring,
		.extent = txq->extent,
		.avail = sluice_vec_avail(txq, slot, avail_pos, layout),
		.want = _mm512_setr_epi64(0, 0, SLUICE_TX_REARM_PLAIN, 0, 0, 0, 0,
				(int64_t)(uintptr_t)txq->pool),
		.lo = _mm512_set1_epi64((int64_t)w->lo),
		.span = _mm512_set1_epi64((int64_t)w->span),
		.delta = _mm512_maskz_set1_epi64(0x55, (int64_t)w->delta),
		.flags = sluice_avx512_flags(r, slot, 0, layout),
		.head_fix = _mm512_maskz_set1_epi64(0x02, (int64_t)sluice_vec_head_fix(r, slot)),
		.sum = _mm512_setzero_si512(),
	};
}

static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return _mm512_reduce_add_epi64(k->sum);
}

/*
 * Four mbufs are plain: reference count, segments, flags and pool, by what all of them have set and what any
 * of them has set. The data offset must be 16 at least in a bit that all share: nearly always so.
 */
static __rte_always_inline bool
sluice_avx512_plain(__m512i want, __m512i a, __m512i b, __m512i c, __m512i d)
{
	const __m512i mask = _mm512_setr_epi64(0, 0, SLUICE_TX_REARM_MASK,
			(int64_t)(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL), 0, 0, 0, -1);
	const __m512i offset = _mm512_setr_epi64(0, 0, 0xfff0, 0, 0, 0, 0, 0);
	__m512i any = _mm512_or_si512(_mm512_ternarylogic_epi64(a, b, c, 0xfe), d);
	__m512i all = _mm512_and_si512(_mm512_ternarylogic_epi64(a, b, c, 0x80), d);
	/* (any ^ want) | (all ^ want), and what counts of it */
	__m512i differs = _mm512_ternarylogic_epi64(any, all, want, 0x7e);

	return _mm512_test_epi64_mask(differs, mask) == 0 &&
			_mm512_test_epi64_mask(all, offset) != 0;
}

/* The 12 bytes at four addresses (even words) are zero afterwards. */
static __rte_always_inline void
sluice_avx512_clear_headers(uint64_t *said, __m512i va)
{
	sluice_x86_clear_headers(said,
			_mm512_castsi512_si256(_mm512_permutexvar_epi64(
					_mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6), va)));
}

static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		enum sluice_layout layout)
{
	/* buf_addr, the word with data_len, and the word with data_off, of two mbufs each */
	const __m512i pick = _mm512_setr_epi64(0, 5, 8, 13, 2, 2, 10, 10);
	const __m512i low16 = _mm512_set1_epi64(UINT16_MAX);
	const __m512i hdr = _mm512_set1_epi64(SLUICE_NET_HDR_LEN);
	__m512i a, b, c, d, ab, cd, va, off, lens;

	a = _mm512_load_si512(pkts[0]);
	b = _mm512_load_si512(pkts[1]);
	c = _mm512_load_si512(pkts[2]);
	d = _mm512_load_si512(pkts[3]);
	if (unlikely(!sluice_avx512_plain(k->want, a, b, c, d)))
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
	k->sum = _mm512_add_epi64(k->sum, lens);
	sluice_avx512_clear_headers(&k->said, va);
	va = _mm512_or_si512(_mm512_add_epi64(va, k->delta), off);
	sluice_avx512_write(k->dv_desc, slot, va, &k->flags, &k->head_fix, layout);
	if (layout == SLUICE_SPLIT)
		sluice_vec_make_available(&k->avail, slot);
	*sluice_word_at(&k->extent[slot], 0) = 0; /* four packets of one slot */
	_mm256_storeu_si256(
			(__m256i *)&k->sw_ring[slot], _mm256_loadu_si256((const __m256i *)pkts));
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

#endif /* SLUICE_VEC_AVX512_H */
