/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the x86 batch primitives of both widths share.
 */

#ifndef SLUICE_VEC_X86_H
#define SLUICE_VEC_X86_H

#include <immintrin.h>

#include "sluice_vec_common.h"

static __rte_always_inline __m256i *
sluice_x86_rearm(struct rte_mbuf *m)
{
	return (__m256i *)((char *)m + offsetof(struct rte_mbuf, rearm_data));
}

/*
 * The headers of nb received packets. False: with cfg.has_mrg, not all of them say one buffer.
 * said: flags and gso_types of all, ORed. Four bytes behind each header are loaded too; a packet is
 * longer.
 */
static __rte_always_inline bool
sluice_x86_read_headers(struct rte_mbuf *const *sw, unsigned int nb,
		const struct sluice_path_cfg cfg, uint16_t *said)
{
	const __m128i want = _mm_setr_epi16(0, 0, 0, 0, 0, cfg.has_mrg ? 1 : 0, 0, 0);
	__m128i any = _mm_setzero_si128();
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < nb; i++) {
		const void *dv_hdr = (char *)sw[i]->buf_addr + sluice_rx_hdr_off(true);

		any = _mm_or_si128(any, _mm_xor_si128(_mm_loadu_si128(dv_hdr), want));
	}
	*said = _mm_extract_epi16(any, offsetof(struct sluice_net_hdr, flags) / 2);
	return !cfg.has_mrg ||
			_mm_extract_epi16(any, offsetof(struct sluice_net_hdr, num_buffers) / 2) ==
			0;
}

/* As sluice_vec_clear_headers(). */
static __rte_always_inline void
sluice_x86_clear_headers(uint64_t *said, __m256i at)
{
	sluice_vec_clear_headers(said, _mm256_extract_epi64(at, 0), _mm256_extract_epi64(at, 1),
			_mm256_extract_epi64(at, 2), _mm256_extract_epi64(at, 3));
}

#endif /* SLUICE_VEC_X86_H */
