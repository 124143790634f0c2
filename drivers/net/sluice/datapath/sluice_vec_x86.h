/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the x86 batch primitives of both widths share.
 */

#ifndef SLUICE_VEC_X86_H
#define SLUICE_VEC_X86_H

#include <immintrin.h>

#include "sluice_vec_offload.h"

static __rte_always_inline __m256i *
sluice_x86_rearm(struct rte_mbuf *m)
{
	return (__m256i *)((char *)m + offsetof(struct rte_mbuf, rearm_data));
}

/* The words of received headers that count. */
static __rte_always_inline __m128i
sluice_x86_header_mask(const struct sluice_rxq *rxq)
{
	return _mm_loadu_si128((const __m128i *)rxq->hdr_mask);
}

/* What the headers of nb received packets say, ORed. Four bytes behind each are loaded too. */
static __rte_always_inline __m128i
sluice_x86_read_headers(struct rte_mbuf *const *sw, unsigned int nb)
{
	__m128i any = _mm_setzero_si128();
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < nb; i++) {
		const void *dv_hdr = (char *)sw[i]->buf_addr + sluice_rx_hdr_off(true);

		any = _mm_or_si128(any, _mm_loadu_si128(dv_hdr));
	}
	return any;
}

/*
 * Is that of packets of one buffer each? One that says 0 beside some that say 1 is not noticed,
 * which means the same. said: flags and gso_types.
 */
static __rte_always_inline bool
sluice_x86_are_single(__m128i any, __m128i mask, uint16_t *said)
{
	const __m128i want = _mm_setr_epi16(0, 0, 0, 0, 0, 1, 0, 0);

	any = _mm_xor_si128(any, want);
	*said = 0;
	if (likely(_mm_testz_si128(any, mask)))
		return true;
	any = _mm_and_si128(any, mask);
	*said = _mm_extract_epi16(any, offsetof(struct sluice_net_hdr, flags) / 2);
	return _mm_extract_epi16(any, offsetof(struct sluice_net_hdr, num_buffers) / 2) == 0;
}

/*
 * buf_addr of four mbufs, each loaded by itself: a gather takes two instructions less for each, and
 * more cycles.
 */
static __rte_always_inline __m256i
sluice_x86_buf_addrs(struct rte_mbuf *const *m)
{
	return _mm256_setr_epi64x((int64_t)m[0]->buf_addr, (int64_t)m[1]->buf_addr,
			(int64_t)m[2]->buf_addr, (int64_t)m[3]->buf_addr);
}

/* As sluice_vec_clear_headers(). */
static __rte_always_inline void
sluice_x86_clear_headers(uint64_t *said, __m256i at)
{
	sluice_vec_clear_headers(said, _mm256_extract_epi64(at, 0), _mm256_extract_epi64(at, 1),
			_mm256_extract_epi64(at, 2), _mm256_extract_epi64(at, 3));
}

/* As sluice_vec_write_headers(). */
static __rte_always_inline bool
sluice_x86_write_headers(struct sluice_txq *txq, uint64_t *said, struct rte_mbuf **pkts,
		bool has_shape, __m256i at, const struct sluice_path_cfg cfg)
{
	return sluice_vec_write_headers(txq, said, pkts, has_shape, _mm256_extract_epi64(at, 0),
			_mm256_extract_epi64(at, 1), _mm256_extract_epi64(at, 2),
			_mm256_extract_epi64(at, 3), cfg);
}

/*
 * Four packets have their descriptors, from slot on. What else there is to know of them: available
 * entries of a split ring, and what is in the slots.
 */
static __rte_always_inline void
sluice_x86_enter(const struct sluice_vec_avail *avail, uint16_t *slot_kind,
		struct rte_mbuf **sw_ring, uint32_t slot, struct rte_mbuf *const *pkts,
		enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		sluice_vec_make_available(avail, slot);
	*sluice_word_at(&slot_kind[slot], 0) = 0; /* four packets of one slot */
	_mm256_storeu_si256((__m256i *)&sw_ring[slot], _mm256_loadu_si256((const __m256i *)pkts));
}

#endif /* SLUICE_VEC_X86_H */
