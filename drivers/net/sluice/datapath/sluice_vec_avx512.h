/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives with 512-bit registers: eight used entries or receive buffers, or four packets
 * to transmit, at a time. What each one means is said in sluice_vec.h.
 *
 * They rest on masks and on permutations of words from two registers, which AVX2 does not have; so
 * each width has a source of its own. Drawings have the lowest address at the left.
 */

#ifndef SLUICE_VEC_AVX512_H
#define SLUICE_VEC_AVX512_H

#include <immintrin.h>

#include "sluice_vec_x86.h"

#define SLUICE_VEC_NAME "AVX512"
#define SLUICE_VEC_BITS 512

#define SLUICE_VEC_RX_SPLIT 8
#define SLUICE_VEC_RX_PACKED 8
#define SLUICE_VEC_RX_LEAST 4
#define SLUICE_VEC_RX_GIVE 8
#define SLUICE_VEC_TX 4
#define SLUICE_VEC_USED 8

struct sluice_vec_rx_kit {
	const void *dv_used; /* used elements, or packed descriptors */
	struct rte_mbuf **sw_ring;
	/* words of fresh mbufs, and what a used length has more than fits, in 32-bit words */
	__m512i template;
	__m512i least;          /* shortest lengths, and the ids of the next eight */
	__m512i most;           /* longest lengths less the shortest one; 0 where ids are */
	__m512i used;           /* packed: flags of a used descriptor, */
	__m512i bits;           /* and what counts of them */
	__m512i next;           /* how far the ids are from one whole batch to the next */
	__m512i pick, pairs[4]; /* permutations, see below */
	__m512i sum;
	__m128i hdr_mask;   /* what counts in a header */
	uint32_t least_len; /* of a packet */
	uint16_t said;      /* by the headers of the last batch */
};

struct sluice_vec_give_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	/* mbufs, or if pinned buf_addrs, whose buffers are in the window: the first, and how far */
	__m512i lo, room; /* the last one is; */
	__m512i delta;    /* and from one to the device's address of its buffer */
	__m512i lens;     /* the second words of eight descriptors, in their order */
	__m512i spread;   /* a permutation, see below */
	__m512i head_fix; /* packed: for the first batch of a burst */
};

/*
 * A batch of used entries is looked at in one register of sixteen 32-bit words: eight lengths and
 * eight ids. Of split rings they alternate, as in memory; of packed rings the lengths come first.
 * The words of ids are 0 once they were compared; then those of a fresh mbuf go there, r of
 * rearm_data and f of ol_flags, so that one permutation makes two mbufs. By number of the word:
 *
 *	           0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
 *	split     id l0 id l1 id l2 id l3 id l4 id l5 id l6 id l7
 *	  filled   r l0  r l1  f l2  f l3  0 l4  0 l5  0 l6  0 l7
 *	packed    l0 l1 l2 l3 l4 l5 l6 l7 id id id id id id id id
 *	  filled  l0 l1 l2 l3 l4 l5 l6 l7  r  r  f  f  0  0  0  0
 *	pairs[0]   r  r  f  f  0 l0 l0  0  r  r  f  f  0 l1 l1  0  mbufs 0 and 1
 */
#define SLUICE_AVX512_IDS(ring_type) ((ring_type) == SLUICE_SPLIT ? 0x5555 : 0xff00)
#define SLUICE_AVX512_LENS(ring_type) ((ring_type) == SLUICE_SPLIT ? 0xaaaa : 0x00ff)

/*
 * Constants are kept as bytes and widened when they are loaded: two cache lines hold all of a ring
 * type, where whole registers would take a line each, which a busy burst has evicted by the time it
 * needs them.
 */
struct __rte_cache_aligned sluice_avx512_table {
	int8_t least[16];    /* the shortest length, and ids from 0 on */
	int8_t pairs[4][16]; /* of two mbufs each: from which words they are made */
	int8_t pick[16];  /* packed: which words of eight descriptors are lengths, and which ids */
	int8_t spread[8]; /* which mbuf the slots of a batch get, */
	int8_t order[8];  /* packed: and which slot the mbufs */
};

static const struct sluice_avx512_table sluice_avx512_tables[] = {
	[SLUICE_SPLIT] = {
		.least = { 0, 26, 1, 26, 2, 26, 3, 26, 4, 26, 5, 26, 6, 26, 7, 26 },
		.pairs = { { 0, 2, 4, 6, 8, 1, 1, 8, 0, 2, 4, 6, 8, 3, 3, 8 },
				{ 0, 2, 4, 6, 8, 5, 5, 8, 0, 2, 4, 6, 8, 7, 7, 8 },
				{ 0, 2, 4, 6, 8, 9, 9, 8, 0, 2, 4, 6, 8, 11, 11, 8 },
				{ 0, 2, 4, 6, 8, 13, 13, 8, 0, 2, 4, 6, 8, 15, 15, 8 } },
		.spread = { 0, 2, 4, 6, 1, 3, 5, 7 },
	},
	[SLUICE_PACKED] = {
		.least = { 26, 26, 26, 26, 26, 26, 26, 26, 0, 1, 2, 3, 4, 5, 6, 7 },
		.pairs = { { 8, 9, 10, 11, 12, 0, 0, 12, 8, 9, 10, 11, 12, 1, 1, 12 },
				{ 8, 9, 10, 11, 12, 2, 2, 12, 8, 9, 10, 11, 12, 3, 3, 12 },
				{ 8, 9, 10, 11, 12, 4, 4, 12, 8, 9, 10, 11, 12, 5, 5, 12 },
				{ 8, 9, 10, 11, 12, 6, 6, 12, 8, 9, 10, 11, 12, 7, 7, 12 } },
		.pick = { 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31 },
		.spread = { 0, 2, 4, 6, 1, 3, 5, 7 },
		.order = { 0, 4, 1, 5, 2, 6, 3, 7 },
	},
};
static_assert(SLUICE_RX_MIN_LEN == 26, "least");

static __rte_always_inline const struct sluice_avx512_table *
sluice_avx512_table(enum sluice_ring_type ring_type)
{
	const struct sluice_avx512_table *t = &sluice_avx512_tables[ring_type];

	/* A compiler that knows what is there would make whole registers of it. */
	__asm__("" : "+r"(t));
	return t;
}

static __rte_always_inline __m512i
sluice_avx512_words(const int8_t bytes[16])
{
	return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)bytes));
}

static __rte_always_inline __m512i
sluice_avx512_longs(const int8_t bytes[8])
{
	return _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)bytes));
}

/* A constant that stays in a register: the compiler would make it anew in each turn of a loop. */
static __rte_always_inline __m512i
sluice_avx512_keep(__m512i constant)
{
	__asm__("" : "+v"(constant));
	return constant;
}

/* What lengths have more than was compared, and rearm_data and ol_flags of a fresh mbuf. */
static __rte_always_inline __m512i
sluice_avx512_template(
		const struct sluice_rxq *rxq, uint32_t least_len, enum sluice_ring_type ring_type)
{
	const __m512i more = _mm512_maskz_set1_epi32(SLUICE_AVX512_LENS(ring_type), (int)least_len);
	__m128i rearm = _mm_loadu_si128((const __m128i *)&rxq->rearm);

	if (ring_type == SLUICE_SPLIT)
		return _mm512_mask_expand_epi32(more, 0x0055, _mm512_castsi128_si512(rearm));
	return _mm512_inserti32x4(more, rearm, 2);
}

static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	const struct sluice_avx512_table *t = sluice_avx512_table(cfg.ring_type);
	const struct sluice_ring *r = &rxq->q.ring;
	const uint64_t bits = (uint64_t)SLUICE_PACKED_BITS << 48;
	const __mmask16 ids = SLUICE_AVX512_IDS(cfg.ring_type);
	/* Of headers that are read the length is data of the queue. */
	const uint32_t least_len = cfg.has_csum ? rxq->batch_min - rxq->hdr_len :
						  SLUICE_RX_MIN_LEN - SLUICE_NET_HDR_LEN;

	return (struct sluice_vec_rx_kit){
		.dv_used = cfg.ring_type == SLUICE_SPLIT ? (void *)r->split.dv_used->ring :
							   (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.template = sluice_avx512_template(rxq, least_len, cfg.ring_type),
		.least = _mm512_mask_set1_epi32(
				_mm512_add_epi32(sluice_avx512_words(t->least),
						_mm512_maskz_set1_epi32(ids, r->tail)),
				cfg.has_csum ? SLUICE_AVX512_LENS(cfg.ring_type) : 0,
				rxq->batch_min),
		.most = _mm512_maskz_set1_epi32(
				SLUICE_AVX512_LENS(cfg.ring_type), (int)rxq->nb_batch_lens - 1),
		.used = _mm512_set1_epi64(r->used_wrap ? (int64_t)bits : 0),
		.bits = sluice_avx512_keep(_mm512_maskz_set1_epi64(0xaa, (int64_t)bits)),
		.next = sluice_avx512_keep(_mm512_maskz_set1_epi32(ids, 8)),
		.pick = sluice_avx512_words(t->pick),
		.pairs = { sluice_avx512_words(t->pairs[0]), sluice_avx512_words(t->pairs[1]),
				sluice_avx512_words(t->pairs[2]),
				sluice_avx512_words(t->pairs[3]) },
		.sum = _mm512_setzero_si512(),
		.hdr_mask = sluice_x86_header_mask(rxq),
		.least_len = least_len,
	};
}

static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb)
{
	/* A run takes 2^15 packets at most, the slots of a ring, and each length has 16 bits. */
	return (uint32_t)_mm512_reduce_add_epi32(k->sum) + (uint64_t)nb * k->least_len;
}

/*
 * nb mbufs, one 32-byte store each: rearm_data and ol_flags, then packet_type 0, pkt_len, data_len,
 * and zeros to hash.
 */
static __rte_always_inline void
sluice_avx512_fill(const struct sluice_vec_rx_kit *k, struct rte_mbuf **sw, unsigned int nb,
		__m512i words)
{
	unsigned int i;

#pragma GCC unroll 4
	for (i = 0; i < nb; i += 2) {
		__m512i both = _mm512_permutexvar_epi32(k->pairs[i / 2], words);

		_mm256_storeu_si256(sluice_x86_rearm(sw[i]), _mm512_castsi512_si256(both));
		_mm256_storeu_si256(
				sluice_x86_rearm(sw[i + 1]), _mm512_extracti64x4_epi64(both, 1));
	}
}

/* A batch of nb whose lengths and ids are in words, none in the words of others. */
static __rte_always_inline bool
sluice_avx512_take(struct sluice_vec_rx_kit *k, __m512i words, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	/* Of a half batch the first four lengths and ids. */
	const __mmask16 mine = nb == 8 ? 0xffff : cfg.ring_type == SLUICE_SPLIT ? 0x00ff : 0x0f0f;
	struct rte_mbuf **sw = &k->sw_ring[slot];
	__m128i any = _mm_setzero_si128();

	/* One comparison for both ends of a length, and for an id. */
	words = _mm512_maskz_sub_epi32(mine, words, k->least);
	if (unlikely(_mm512_cmpgt_epu32_mask(words, k->most) != 0))
		return false;
	if (cfg.has_csum)
		any = sluice_x86_read_headers(sw, nb);
	sluice_avx512_fill(k, sw, nb, _mm512_add_epi32(words, k->template));
	if (nb == 8)
		_mm512_storeu_si512(pkts, _mm512_loadu_si512(sw));
	else
		_mm256_storeu_si256((__m256i *)pkts, _mm256_loadu_si256((const __m256i *)sw));
	if (cfg.has_csum && unlikely(!sluice_x86_are_single(any, k->hdr_mask, &k->said)))
		return false;
	k->sum = _mm512_add_epi32(k->sum, words);
	k->least = _mm512_add_epi32(k->least, nb == 8 ? k->next : _mm512_srli_epi32(k->next, 1));
	return true;
}

static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const struct sluice_split_used_elem *dv_elems = k->dv_used;

	__m512i words = nb == 8 ? _mm512_loadu_si512(&dv_elems[slot]) :
				  _mm512_castsi256_si512(_mm256_loadu_si256(
						  (const __m256i *)&dv_elems[slot]));

	return sluice_avx512_take(k, words, nb, slot, pkts, cfg);
}

/* Descriptors have four words: address, address, length, id with flags; a is the first four. */
static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const struct sluice_packed_desc *dv_desc = (const struct sluice_packed_desc *)k->dv_used +
			slot;
	const __m512i value = _mm512_mask_set1_epi32(_mm512_set1_epi32(-1), 0xff00, 0xffff);
	__m512i a, b;

	/*
	 * Flags first, payload second: x86 keeps the order of the loads, so the second ones are not
	 * torn.
	 */
	a = _mm512_xor_si512(_mm512_loadu_si512(dv_desc), k->used);
	if (nb == 8)
		a = _mm512_ternarylogic_epi64(a, _mm512_loadu_si512(dv_desc + 4), k->used, 0xf6);
	if (_mm512_test_epi64_mask(a, k->bits) != 0)
		return false;
	rte_compiler_barrier();
	a = _mm512_loadu_si512(dv_desc);
	b = nb == 8 ? _mm512_loadu_si512(dv_desc + 4) : a;
	a = _mm512_and_si512(_mm512_permutex2var_epi32(a, k->pick, b), value);
	return sluice_avx512_take(k, a, nb, slot, pkts, cfg);
}

static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const struct dmap_window *w = &rxq->q.stream.last;
	const int64_t off = rxq->buf_off + rxq->hdr_off;
	const bool is_split = cfg.ring_type == SLUICE_SPLIT;
	/* No mbuf is that far if the window holds no buffer. */
	const bool has_room = w->span >= rxq->post_len;
	const struct sluice_avx512_table *t = sluice_avx512_table(cfg.ring_type);
	uint64_t word = rxq->post_len;
	__m512i lens;

	if (is_split) {
		lens = _mm512_set1_epi64((int64_t)(word | (uint64_t)SLUICE_DESC_F_WRITE << 32));
	} else {
		word |= sluice_vec_packed_word(r, slot, SLUICE_DESC_F_WRITE) | (uint64_t)slot << 32;
		lens = _mm512_add_epi64(_mm512_set1_epi64((int64_t)word),
				_mm512_slli_epi64(sluice_avx512_longs(t->order), 32));
	}
	return (struct sluice_vec_give_kit){
		.dv_desc = is_split ? (void *)r->split.dv_desc : (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.lo = _mm512_set1_epi64(has_room ? (int64_t)w->lo - off : -1),
		.room = _mm512_set1_epi64(has_room ? (int64_t)w->span - rxq->post_len : 0),
		.delta = _mm512_set1_epi64((int64_t)w->delta + off),
		.lens = lens,
		.spread = sluice_avx512_longs(t->spread),
		.head_fix = _mm512_maskz_set1_epi64(0x02, (int64_t)sluice_vec_head_fix(r, slot)),
	};
}

/*
 * Unpacking needs no permutation, so that slots get mbufs in another order. In 64-bit words:
 *
 *	da     da0 | da1 | da2 | da3 | da4 | da5 | da6 | da7
 *	lens    s0 |  s4 |  s1 |  s5 |  s2 |  s6 |  s3 |  s7  second words of these slots
 *	first  da0 |  s0 | da2 |  s1 | da4 |  s2 | da6 |  s3  slots 0 to 3
 *	last   da1 |  s4 | da3 |  s5 | da5 |  s6 | da7 |  s7  slots 4 to 7
 */
static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, struct rte_mbuf *const *from,
		const struct sluice_path_cfg cfg)
{
	/* Descriptors of both ring types have the same size. */
	struct sluice_split_desc *dv_desc = (struct sluice_split_desc *)k->dv_desc + slot;
	__m512i mbufs = _mm512_loadu_si512(from);
	__m512i off, da, first, at = mbufs;

	if (cfg.is_pinned)
		at = _mm512_inserti64x4(_mm512_castsi256_si512(sluice_x86_buf_addrs(from)),
				sluice_x86_buf_addrs(from + 4), 1);
	off = _mm512_sub_epi64(at, k->lo);
	da = _mm512_add_epi64(at, k->delta);
	if (unlikely(_mm512_cmpgt_epu64_mask(off, k->room) != 0))
		return false;
	_mm512_storeu_si512(&k->sw_ring[slot], _mm512_permutexvar_epi64(k->spread, mbufs));
	first = _mm512_unpacklo_epi64(da, k->lens);
	if (cfg.ring_type == SLUICE_PACKED) {
		first = _mm512_xor_si512(first, k->head_fix);
		k->head_fix = _mm512_setzero_si512();
	}
	_mm512_storeu_si512(dv_desc, first);
	_mm512_storeu_si512(dv_desc + 4, _mm512_unpackhi_epi64(da, k->lens));
	if (cfg.ring_type == SLUICE_PACKED)
		k->lens = _mm512_add_epi64(k->lens, _mm512_set1_epi64(8LL << 32));
	return true;
}

#include "sluice_vec_avx512_tx.h"

#endif /* SLUICE_VEC_AVX512_H */
