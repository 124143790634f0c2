/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives with 256-bit registers: four used entries, descriptors or mbufs at a time, two
 * in each register. What each one means is said in sluice_vec.h.
 *
 * Drawings have the lowest address at the left; || is between the 128-bit lanes, | between 64-bit
 * words, a space between 32-bit words.
 */

#ifndef SLUICE_VEC_AVX2_H
#define SLUICE_VEC_AVX2_H

#include <immintrin.h>

#include "sluice_vec_x86.h"

#define SLUICE_VEC_NAME "AVX2"
#define SLUICE_VEC_BITS 256

#define SLUICE_VEC_RX_SPLIT 4
#define SLUICE_VEC_RX_PACKED 4
#define SLUICE_VEC_RX_LEAST 4
#define SLUICE_VEC_RX_GIVE 4
#define SLUICE_VEC_TX 4
#define SLUICE_VEC_USED 4

struct sluice_vec_rx_kit {
	const void *dv_used; /* used elements, or packed descriptors */
	struct rte_mbuf **sw_ring;
	__m256i template; /* rearm and ol_flags of a fresh mbuf in each 128-bit lane */
	__m256i least;    /* shortest length, in 32-bit words */
	__m256i most;     /* longest length less that */
	__m256i hdr;      /* the header's, where lengths are in 64-bit words */
	__m256i used;     /* packed: flags of a used descriptor in the odd 64-bit words */
	__m256i ids;      /* of the next four used elements, or of the next two descriptors */
	__m256i sum;
	__m128i hdr_mask; /* what counts in a header */
	uint16_t said;    /* by the headers of the last batch */
};

struct sluice_vec_give_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	/* mbufs, or if pinned buf_addrs, whose buffers are in the window: the first, and how far */
	__m256i lo, room; /* the last one is; */
	__m256i delta;    /* and from one to the device's address of its buffer */
	__m256i lens;     /* of each buffer */
	__m256i flags;    /* in odd words; packed: with the ids of the next two */
	__m256i head_fix; /* packed: for the first batch of a burst */
};

static __rte_always_inline uint64_t
sluice_avx2_total(__m256i sum)
{
	__m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));

	return _mm_extract_epi64(half, 0) + _mm_extract_epi64(half, 1);
}

/* One constant in the odd, or in the even, 64-bit words. */
static __rte_always_inline __m256i
sluice_avx2_odd(uint64_t word)
{
	return _mm256_setr_epi64x(0, (int64_t)word, 0, (int64_t)word);
}

static __rte_always_inline __m256i
sluice_avx2_even(uint64_t word)
{
	return _mm256_setr_epi64x((int64_t)word, 0, (int64_t)word, 0);
}

/* A number in the words of packed descriptors where the id stands. */
static __rte_always_inline __m256i
sluice_avx2_ids(uint16_t id)
{
	return sluice_avx2_odd((uint64_t)id << 32);
}

static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	uint64_t used = r->used_wrap ? (uint64_t)SLUICE_PACKED_BITS << 48 : 0;
	const bool is_split = cfg.ring_type == SLUICE_SPLIT;
	/* Of headers that are read the length is data of the queue. */
	const uint32_t hdr_len = cfg.has_csum ? rxq->hdr_len : SLUICE_NET_HDR_LEN;
	const uint32_t min_len = cfg.has_csum ? rxq->batch_min : SLUICE_RX_MIN_LEN;
	uint16_t id = r->tail;

	return (struct sluice_vec_rx_kit){
		.ids = is_split ? _mm256_setr_epi64x(id, id + 1, id + 2, id + 3) :
				  _mm256_setr_epi32(0, 0, 0, id, 0, 0, 0, id + 1),
		.dv_used = is_split ? (void *)r->split.dv_used->ring : (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.template = _mm256_broadcastsi128_si256(
				_mm_loadu_si128((const __m128i *)&rxq->rearm)),
		.least = _mm256_set1_epi32(min_len),
		.most = _mm256_set1_epi32(rxq->nb_batch_lens - 1),
		.hdr = is_split ? _mm256_set1_epi64x(hdr_len) : sluice_avx2_odd(hdr_len),
		.used = sluice_avx2_odd(used),
		.sum = _mm256_setzero_si256(),
		.hdr_mask = sluice_x86_header_mask(rxq),
	};
}

static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb)
{
	RTE_SET_USED(nb);
	return sluice_avx2_total(k->sum);
}

/*
 * Two mbufs, one store each: the template, and packet_type to hash from one lane of fields.
 *
 *	rearm_data | ol_flags || packet_type pkt_len | data_len and vlan_tci, hash
 */
static __rte_always_inline void
sluice_avx2_fill(struct rte_mbuf *a, struct rte_mbuf *b, __m256i template, __m256i fields)
{
	_mm256_storeu_si256(sluice_x86_rearm(a), _mm256_permute2x128_si256(template, fields, 0x20));
	_mm256_storeu_si256(sluice_x86_rearm(b), _mm256_permute2x128_si256(template, fields, 0x30));
}

/* All ones in the 32-bit words that are lengths of packets. Unsigned; there is no such compare. */
static __rte_always_inline __m256i
sluice_avx2_len_ok(__m256i lens, const struct sluice_vec_rx_kit *k)
{
	__m256i over = _mm256_sub_epi32(lens, k->least);

	return _mm256_cmpeq_epi32(_mm256_min_epu32(over, k->most), over);
}

/*
 *	elems  id0 len0 | id1 len1 || id2 len2 | id3 len3
 *	lens       len0 |     len1 ||     len2 |     len3  less the header
 *	even   0 len0   | len0 0   || 0 len2   | len2 0    mbufs 0 and 2: type, lengths, zeros
 *	odd    0 len1   | len1 0   || 0 len3   | len3 0    mbufs 1 and 3
 */
static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const struct sluice_split_used_elem *dv_elems = k->dv_used;
	struct rte_mbuf **sw = &k->sw_ring[slot];
	__m128i any = _mm_setzero_si128();
	__m256i elems, good, lens, even, odd;

	elems = _mm256_loadu_si256((const __m256i *)&dv_elems[slot]);
	/* Even words are ids, odd words are lengths. */
	good = _mm256_blend_epi32(
			_mm256_cmpeq_epi32(elems, k->ids), sluice_avx2_len_ok(elems, k), 0xaa);
	if (unlikely(_mm256_movemask_epi8(good) != -1))
		return false;
	if (cfg.has_csum)
		any = sluice_x86_read_headers(sw, nb);
	lens = _mm256_sub_epi64(_mm256_srli_epi64(elems, 32), k->hdr);
	/* packet_type 0 and pkt_len; data_len and zeros. */
	even = _mm256_unpacklo_epi64(_mm256_slli_epi64(lens, 32), lens);
	odd = _mm256_unpackhi_epi64(_mm256_slli_epi64(lens, 32), lens);
	sluice_avx2_fill(sw[0], sw[2], k->template, even);
	sluice_avx2_fill(sw[1], sw[3], k->template, odd);
	_mm256_storeu_si256((__m256i *)pkts, _mm256_loadu_si256((const __m256i *)sw));
	if (cfg.has_csum && unlikely(!sluice_x86_are_single(any, k->hdr_mask, &k->said)))
		return false;
	k->sum = _mm256_add_epi64(k->sum, lens);
	k->ids = _mm256_add_epi64(k->ids, _mm256_set1_epi64x(4));
	return true;
}

/* All ones in the words of two used descriptors that are right, and in those that do not count. */
static __rte_always_inline __m256i
sluice_avx2_check_packed(__m256i descs, __m256i ids, const struct sluice_vec_rx_kit *k)
{
	/*
	 * Word 3 of each lane without the flags is the id; word 2 is the length; addresses do not
	 * count.
	 */
	const __m256i id_bits = _mm256_setr_epi32(0, 0, 0, 0xffff, 0, 0, 0, 0xffff);
	__m256i good = _mm256_cmpeq_epi32(_mm256_and_si256(descs, id_bits), ids);

	return _mm256_blend_epi32(good, sluice_avx2_len_ok(descs, k), 0x44);
}

/*
 *	a      addr0  | len0 id0+flags0 || addr1  | len1 id1+flags1  b: the same of 2 and 3
 *	a      0      | len0            || 0      | len1             less the header
 *	twice  0 len0 | len0 0          || 0 len1 | len1 0           mbufs 0 and 1
 */
static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const __m256i *dv_desc =
			(const __m256i *)((const struct sluice_packed_desc *)k->dv_used + slot);
	const __m256i bits = sluice_avx2_odd((uint64_t)SLUICE_PACKED_BITS << 48);
	const __m256i len_bits = sluice_avx2_odd(UINT32_MAX);
	const __m256i twice = _mm256_setr_epi8(-1, -1, -1, -1, 8, 9, 10, 11, 8, 9, 10, 11, -1, -1,
			-1, -1, -1, -1, -1, -1, 8, 9, 10, 11, 8, 9, 10, 11, -1, -1, -1, -1);
	struct rte_mbuf **sw = &k->sw_ring[slot];
	__m128i any = _mm_setzero_si128();
	__m256i a, b, differs, good;

	/*
	 * Flags first, payload second: x86 keeps the order of the loads, so the second ones are not
	 * torn.
	 */
	a = _mm256_loadu_si256(&dv_desc[0]);
	b = _mm256_loadu_si256(&dv_desc[1]);
	differs = _mm256_or_si256(_mm256_xor_si256(a, k->used), _mm256_xor_si256(b, k->used));
	if (!_mm256_testz_si256(differs, bits))
		return false;
	rte_compiler_barrier();
	a = _mm256_loadu_si256(&dv_desc[0]);
	b = _mm256_loadu_si256(&dv_desc[1]);
	good = _mm256_and_si256(sluice_avx2_check_packed(a, k->ids, k),
			sluice_avx2_check_packed(
					b, _mm256_add_epi64(k->ids, sluice_avx2_ids(2)), k));
	if (unlikely(_mm256_movemask_epi8(good) != -1))
		return false;
	if (cfg.has_csum)
		any = sluice_x86_read_headers(sw, nb);
	a = _mm256_sub_epi64(_mm256_and_si256(a, len_bits), k->hdr);
	b = _mm256_sub_epi64(_mm256_and_si256(b, len_bits), k->hdr);
	/* The length becomes pkt_len (word 1) and data_len (word 2) of each lane. */
	sluice_avx2_fill(sw[0], sw[1], k->template, _mm256_shuffle_epi8(a, twice));
	sluice_avx2_fill(sw[2], sw[3], k->template, _mm256_shuffle_epi8(b, twice));
	_mm256_storeu_si256((__m256i *)pkts, _mm256_loadu_si256((const __m256i *)sw));
	if (cfg.has_csum && unlikely(!sluice_x86_are_single(any, k->hdr_mask, &k->said)))
		return false;
	k->ids = _mm256_add_epi64(k->ids, sluice_avx2_ids(4));
	k->sum = _mm256_add_epi64(k->sum, _mm256_add_epi64(a, b));
	return true;
}

/*
 * Flags, and of packed rings ids, of the first batch from slot on; the ids of a register's halves
 * differ.
 */
static __rte_always_inline __m256i
sluice_avx2_flags(const struct sluice_ring *r, uint16_t slot, uint16_t flags,
		enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		return sluice_avx2_odd((uint64_t)flags << 32);
	return _mm256_add_epi64(sluice_avx2_odd(sluice_vec_packed_word(r, slot, flags)),
			_mm256_setr_epi64x(0, (int64_t)slot << 32, 0, ((int64_t)slot + 1) << 32));
}

/*
 * Write four descriptors, two in each register; their flags go into the odd words. The fix of a
 * head is for one batch only.
 */
static __rte_always_inline void
sluice_avx2_write(void *dv_desc, uint32_t slot, __m256i a, __m256i b, __m256i *flags,
		__m256i *head_fix, enum sluice_ring_type ring_type)
{
	/* Descriptors of both ring types have the same size. */
	__m256i *dv_at = (__m256i *)((struct sluice_split_desc *)dv_desc + slot);

	a = _mm256_or_si256(a, *flags);
	if (ring_type == SLUICE_PACKED) {
		a = _mm256_xor_si256(a, *head_fix);
		*head_fix = _mm256_setzero_si256();
		*flags = _mm256_add_epi64(*flags, sluice_avx2_ids(2));
		b = _mm256_or_si256(b, *flags);
		*flags = _mm256_add_epi64(*flags, sluice_avx2_ids(2));
	} else {
		b = _mm256_or_si256(b, *flags);
	}
	_mm256_storeu_si256(&dv_at[0], a);
	_mm256_storeu_si256(&dv_at[1], b);
}

static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const struct dmap_window *w = &rxq->q.stream.last;
	int64_t off = rxq->buf_off + rxq->hdr_off;

	return (struct sluice_vec_give_kit){
		.dv_desc = cfg.ring_type == SLUICE_SPLIT ? (void *)r->split.dv_desc :
							   (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.lo = _mm256_set1_epi64x((int64_t)w->lo - off),
		.room = _mm256_set1_epi64x((int64_t)w->span - rxq->post_len),
		.delta = _mm256_set1_epi64x((int64_t)w->delta + off),
		.lens = _mm256_set1_epi64x(rxq->post_len),
		.flags = sluice_avx2_flags(r, slot, SLUICE_DESC_F_WRITE, cfg.ring_type),
		.head_fix = _mm256_setr_epi64x(0, (int64_t)sluice_vec_head_fix(r, slot), 0, 0),
	};
}

/*
 *	da  da0 | da1 || da2 | da3  where the device finds the buffers
 *	a   da0 | len || da1 | len  b: the same of 2 and 3; flags and ids are added when written
 */
static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, struct rte_mbuf *const *from,
		const struct sluice_path_cfg cfg)
{
	__m256i mbufs = _mm256_loadu_si256((const __m256i *)from);
	__m256i at = cfg.is_pinned ? sluice_x86_buf_addrs(from) : mbufs;
	__m256i off = _mm256_sub_epi64(at, k->lo);
	__m256i da = _mm256_add_epi64(at, k->delta);
	__m256i a, b;

	/* A sign is set if an mbuf lies before the first one, or behind the last one. */
	off = _mm256_or_si256(off, _mm256_sub_epi64(k->room, off));
	if (unlikely(!_mm256_testz_pd(_mm256_castsi256_pd(off), _mm256_castsi256_pd(off))))
		return false;
	_mm256_storeu_si256((__m256i *)&k->sw_ring[slot], mbufs);
	a = _mm256_blend_epi32(_mm256_permute4x64_epi64(da, 0x10), k->lens, 0xcc);
	b = _mm256_blend_epi32(_mm256_permute4x64_epi64(da, 0x32), k->lens, 0xcc);
	sluice_avx2_write(k->dv_desc, slot, a, b, &k->flags, &k->head_fix, cfg.ring_type);
	return true;
}

#include "sluice_vec_avx2_tx.h"

#endif /* SLUICE_VEC_AVX2_H */
