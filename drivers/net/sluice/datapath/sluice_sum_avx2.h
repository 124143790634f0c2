/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Are the IPv4 headers of eight packets right? For both widths of x86's batches: with 256-bit
 * registers, one for each packet.
 */

#ifndef SLUICE_SUM_AVX2_H
#define SLUICE_SUM_AVX2_H

#include <immintrin.h>

#include <rte_mbuf.h>

#define SLUICE_SUMS_CHECKED 8

/* The bits of three registers. */
static __rte_always_inline __m256i
sluice_avx2_any_of(__m256i a, __m256i b, __m256i c)
{
#ifdef __AVX512VL__
	return _mm256_ternarylogic_epi64(a, b, c, 0xfe);
#else
	return _mm256_or_si256(_mm256_or_si256(a, b), c);
#endif
}

/*
 * What has to stand in the 32 bytes that end with an IPv4 header, counted from 0: the type at 10,
 * version and header length at 12, and a tag's type at 6. What is loaded is XORed with that, and
 * each word of the header with 0x8000, which makes it a signed one, less by 0x8000.
 */
static __rte_always_inline __m256i
sluice_avx2_ipv4_want(bool has_tag)
{
	const short sign = INT16_MIN, type = 0x0008, tag = has_tag ? 0x0081 : 0;

	return _mm256_setr_epi16(0, 0, 0, tag, 0, type, sign | 0x45, sign, sign, sign, sign, sign,
			sign, sign, sign, sign);
}

/* And which bytes have to, exactly. */
static __rte_always_inline __m256i
sluice_avx2_ipv4_mask(bool has_tag)
{
	return _mm256_setr_epi16(0, 0, 0, has_tag ? -1 : 0, 0, -1, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

struct sluice_avx2_ipv4 {
	__m256i want, any;
	size_t at; /* from an mbuf, or if pinned its buffer, to its packet's 32 bytes */
	bool is_pinned;
};

static __rte_always_inline __m256i
sluice_avx2_ipv4_load(const struct sluice_avx2_ipv4 *s, const struct rte_mbuf *m)
{
	const char *base = s->is_pinned ? (const char *)m->buf_addr : (const char *)m;

	return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(base + s->at)), s->want);
}

/* A constant that stays in a register: the compiler would make it anew in each turn of a loop. */
static __rte_always_inline __m256i
sluice_avx2_keep(__m256i constant)
{
	__asm__("" : "+x"(constant));
	return constant;
}

/*
 * Of two packets: parts of their sums, and *any of what is not as it has to be.
 *   128-bit halves: | a b | a b |, two 32-bit words each
 */
static __rte_always_inline __m256i
sluice_avx2_ipv4_two(struct sluice_avx2_ipv4 *s, struct rte_mbuf *const *m)
{
	/* The last ten of sixteen words are the header. */
	const __m256i counts = _mm256_setr_epi16(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
	__m256i a = sluice_avx2_ipv4_load(s, m[0]), b = sluice_avx2_ipv4_load(s, m[1]);

	s->any = sluice_avx2_any_of(s->any, a, b);
	return _mm256_hadd_epi32(_mm256_madd_epi16(a, counts), _mm256_madd_epi16(b, counts));
}

/* See sluice_sum.h. */
static __rte_always_inline bool
sluice_sum_are_ipv4(struct rte_mbuf *const *m, size_t data_at, bool has_tag, bool is_pinned)
{
	struct sluice_avx2_ipv4 s = {
		.want = sluice_avx2_ipv4_want(has_tag),
		.any = _mm256_setzero_si256(),
		.at = data_at + (has_tag ? 4 : 0) + 2,
		.is_pinned = is_pinned,
	};
	const __m256i ones = sluice_avx2_keep(_mm256_set1_epi16(1));
	/* Ten words were less by 0x8000, and the first one by 0x45. */
	const __m256i more = _mm256_set1_epi32(10 * 0x8000 + 0x45);
	__m256i low, high, sums;

	low = sluice_avx2_ipv4_two(&s, &m[0]);
	low = _mm256_hadd_epi32(low, sluice_avx2_ipv4_two(&s, &m[2]));
	high = sluice_avx2_ipv4_two(&s, &m[4]);
	high = _mm256_hadd_epi32(high, sluice_avx2_ipv4_two(&s, &m[6]));
	/* Halves: | 0 to 3 | 0 to 3 | and | 4 to 7 | 4 to 7 | become | 0 to 3 | 4 to 7 |. */
	sums = _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
			_mm256_permute2x128_si256(low, high, 0x31));
	sums = _mm256_add_epi32(sums, more);
	/*
	 * Right is a multiple of 65535 from 1 to 10, k: k - 1 in the upper half, and -k, as a
	 * signed number, in the lower one. Of no other do these add up to -1.
	 */
	sums = _mm256_madd_epi16(sums, ones);
	return _mm256_testz_si256(s.any, sluice_avx2_ipv4_mask(has_tag)) &&
			_mm256_testc_si256(sums, _mm256_set1_epi32(-1));
}

#endif /* SLUICE_SUM_AVX2_H */
