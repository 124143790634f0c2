/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives with 256-bit registers: four used entries, descriptors or mbufs at a time, two
 * in each register. What each one means is said in sluice_vec_none.h.
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

struct sluice_vec_tx_kit {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	struct sluice_vec_avail avail;
	uint16_t *slot_kind;
	__m256i pool; /* in word 3 */
	__m256i lo, span, delta;
	__m256i flags; /* as above */
	__m256i head_fix;
	__m256i sum;
	uint64_t said; /* by the headers */
	__m256i want;  /* with offloads: what words 2 and 3 of an mbuf with that shape have */
	struct sluice_txq *txq;
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

/* Two mbufs, one store each: the template, and packet_type to hash from one lane of fields. */
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
	/* Words 0, -, 1, - and 2, -, 3, -. */
	a = _mm256_blend_epi32(_mm256_permute4x64_epi64(da, 0x10), k->lens, 0xcc);
	b = _mm256_blend_epi32(_mm256_permute4x64_epi64(da, 0x32), k->lens, 0xcc);
	sluice_avx2_write(k->dv_desc, slot, a, b, &k->flags, &k->head_fix, cfg.ring_type);
	return true;
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

/* Header addresses (even words) and lengths of the data (odd words) of two mbufs. */
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
	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_vec_make_available(&k->avail, slot);
	*sluice_word_at(&k->slot_kind[slot], 0) = 0; /* four packets of one slot */
	_mm256_storeu_si256(
			(__m256i *)&k->sw_ring[slot], _mm256_loadu_si256((const __m256i *)pkts));
	return true;
}

static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	const __m256i ids = _mm256_add_epi64(
			_mm256_set1_epi64x(slot), _mm256_setr_epi64x(0, 1, 2, 3));
	__m256i elems = _mm256_loadu_si256((const __m256i *)&r->split.dv_used->ring[slot]);
	__m256i differs = _mm256_xor_si256(elems, ids);

	return _mm256_testz_si256(differs, _mm256_set1_epi64x(UINT32_MAX));
}

#endif /* SLUICE_VEC_AVX2_H */
