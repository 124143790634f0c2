/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The sums of sluice_sum.h with SSE4. Words are added in pairs by a multiplication of signed ones
 * by 1: each is made signed by subtracting 0x8000 from it, which is added again in the end.
 */

#ifndef SLUICE_SUM_X86_H
#define SLUICE_SUM_X86_H

#include <string.h>

#include <immintrin.h>

#include <rte_common.h>

/* What has to be added for nb sums of two words. */
#define SLUICE_SUM_UNSIGNED(nb) ((nb)*0x10000)

static __rte_always_inline uint16_t
sluice_sum_word(const uint8_t *p)
{
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static __rte_always_inline int
sluice_sum_two_words(const uint8_t *p)
{
	int words;

	memcpy(&words, p, sizeof(words));
	return words;
}

/* Neighbours among eight words added, less SLUICE_SUM_UNSIGNED(1) each. */
static __rte_always_inline __m128i
sluice_sum_pairs(__m128i words)
{
	return _mm_madd_epi16(_mm_xor_si128(words, _mm_set1_epi16(INT16_MIN)), _mm_set1_epi16(1));
}

static __rte_always_inline __m128i
sluice_sum_pairs_at(const uint8_t *p)
{
	return sluice_sum_pairs(_mm_loadu_si128((const __m128i *)p));
}

/* A sum for each packet, of one register each. */
static __rte_always_inline __m128i
sluice_sum_across(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d));
}

/* The sum of an IPv4 header's 16-bit words but the checksum, which is the sixth, in four parts. */
static __rte_always_inline __m128i
sluice_sum_first_words(const uint8_t *ip)
{
	const __m128i words = _mm_loadu_si128((const __m128i *)ip);

	return _mm_madd_epi16(_mm_xor_si128(words, _mm_set1_epi16(INT16_MIN)),
			_mm_setr_epi16(1, 1, 1, 1, 1, 0, 1, 1));
}

/* The same of each packet, of all ten words. */
static __rte_always_inline __m128i
sluice_sum_but_cksum(uint8_t *const data[4], size_t at)
{
	__m128i last = _mm_setr_epi32(sluice_sum_two_words(data[0] + at + 16),
			sluice_sum_two_words(data[1] + at + 16),
			sluice_sum_two_words(data[2] + at + 16),
			sluice_sum_two_words(data[3] + at + 16));
	__m128i sums = sluice_sum_across(sluice_sum_first_words(data[0] + at),
			sluice_sum_first_words(data[1] + at), sluice_sum_first_words(data[2] + at),
			sluice_sum_first_words(data[3] + at));

	return _mm_add_epi32(_mm_add_epi32(sums, sluice_sum_pairs(last)),
			_mm_set1_epi32(9 * (INT16_MAX + 1)));
}

static __rte_always_inline __m128i
sluice_sum_invert(__m128i sums)
{
	return _mm_xor_si128(sums, _mm_set1_epi32(-1));
}

/* Eight bytes of either packet. */
static __rte_always_inline __m128i
sluice_sum_halves(const uint8_t *low, const uint8_t *high)
{
	return _mm_castps_si128(
			_mm_loadh_pi(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)low)),
					(const __m64 *)high));
}

/* The words at len_at, and as much more, added to sums. */
static __rte_always_inline __m128i
sluice_sum_add_lens(__m128i sums, uint8_t *const data[4], size_t len_at, uint32_t more)
{
	__m128i lens = _mm_setzero_si128();

	lens = _mm_insert_epi16(lens, sluice_sum_word(data[0] + len_at), 0);
	lens = _mm_insert_epi16(lens, sluice_sum_word(data[1] + len_at), 2);
	lens = _mm_insert_epi16(lens, sluice_sum_word(data[2] + len_at), 4);
	lens = _mm_insert_epi16(lens, sluice_sum_word(data[3] + len_at), 6);
	return _mm_add_epi32(_mm_add_epi32(sums, lens), _mm_set1_epi32((int)more));
}

/* Sums of both addresses, at ends_at, of the length, and of more. */
static __rte_always_inline __m128i
sluice_sum_ipv4_ends(uint8_t *const data[4], size_t ends_at, size_t len_at, uint32_t more)
{
	__m128i a = sluice_sum_halves(data[0] + ends_at, data[1] + ends_at);
	__m128i b = sluice_sum_halves(data[2] + ends_at, data[3] + ends_at);

	return sluice_sum_add_lens(_mm_hadd_epi32(sluice_sum_pairs(a), sluice_sum_pairs(b)), data,
			len_at, more + SLUICE_SUM_UNSIGNED(2));
}

static __rte_always_inline __m128i
sluice_sum_ipv6_pairs(const uint8_t *ends)
{
	return _mm_add_epi32(sluice_sum_pairs_at(ends), sluice_sum_pairs_at(ends + 16));
}

static __rte_always_inline __m128i
sluice_sum_ipv6_ends(uint8_t *const data[4], size_t ends_at, size_t len_at, uint32_t more)
{
	__m128i sums = sluice_sum_across(sluice_sum_ipv6_pairs(data[0] + ends_at),
			sluice_sum_ipv6_pairs(data[1] + ends_at),
			sluice_sum_ipv6_pairs(data[2] + ends_at),
			sluice_sum_ipv6_pairs(data[3] + ends_at));

	return sluice_sum_add_lens(sums, data, len_at, more + SLUICE_SUM_UNSIGNED(8));
}

/* Upper and lower half of each sum added, with the carry: in the upper half. */
static __rte_always_inline __m128i
sluice_sum_fold(__m128i sums)
{
	const __m128i turned = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);

	return _mm_add_epi32(sums, _mm_shuffle_epi8(sums, turned));
}

/* Folded sums into the words at an offset. */
static __rte_always_inline void
sluice_sum_put(__m128i folded, uint8_t *const data[4], size_t at)
{
	const uint16_t sum[4] = { _mm_extract_epi16(folded, 1), _mm_extract_epi16(folded, 3),
		_mm_extract_epi16(folded, 5), _mm_extract_epi16(folded, 7) };

	memcpy(data[0] + at, &sum[0], sizeof(sum[0]));
	memcpy(data[1] + at, &sum[1], sizeof(sum[1]));
	memcpy(data[2] + at, &sum[2], sizeof(sum[2]));
	memcpy(data[3] + at, &sum[3], sizeof(sum[3]));
}

#endif /* SLUICE_SUM_X86_H */
