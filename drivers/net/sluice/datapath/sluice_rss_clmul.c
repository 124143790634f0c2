/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The Toeplitz hash by carry-less multiplication, eight packets at a time if they are what most
 * are: IPv4 without options, tags or fragments, TCP or UDP. Compiled with and without VPCLMULQDQ,
 * which multiplies for two packets at once.
 *
 * A product has the hash of its 32 bits of input in bits 32 to 63, the leftmost bit lowest: the sum
 * of a packet's products is turned round once.
 */

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "sluice_rss.h"

#ifdef __VPCLMULQDQ__
#define KIT sluice_rss_kit_vclmul
#define KIT_NAME "VPCLMULQDQ"
#else
#define KIT sluice_rss_kit_clmul
#define KIT_NAME "PCLMULQDQ"
#endif

extern const struct sluice_rss_kit KIT;

#define GROUP 8
/* Where things are in such a packet. */
#define AT_TYPE 12 /* Ethernet's, then IP version and header length */
#define AT_PROTO 23
#define AT_LOAD 22 /* 16 bytes that end with addresses and ports */
#define LEN_MIN 38 /* there they end */

/* Bits of each 32-bit word in reverse. */
static __rte_always_inline __m256i
turn_round(__m256i h)
{
	const __m256i bytes = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
			3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
	const __m256i high = _mm256_setr_epi8(0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15,
			0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15);
	const __m256i low = _mm256_slli_epi16(high, 4);
	const __m256i nibble = _mm256_set1_epi8(0xf);

	h = _mm256_shuffle_epi8(h, bytes);
	return _mm256_or_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(h, nibble)),
			_mm256_shuffle_epi8(
					high, _mm256_and_si256(_mm256_srli_epi16(h, 4), nibble)));
}

/* Low or high halves of each 128 bits of both, as imm says. */
#ifdef __VPCLMULQDQ__
#define MULTIPLY(a, b, imm) _mm256_clmulepi64_epi128(a, b, imm)
#else
#define MULTIPLY(a, b, imm) \
	_mm256_set_m128i(_mm_clmulepi64_si128(_mm256_extracti128_si256(a, 1), \
					 _mm256_castsi256_si128(b), imm), \
			_mm_clmulepi64_si128(_mm256_castsi256_si128(a), _mm256_castsi256_si128(b), \
					imm))
#endif

/* Of two packets, each with its tuple at the end of 128 bits: the sums, in the low halves. */
static __rte_always_inline __m256i
multiply_tuples(__m256i tuples, __m256i addr_keys, __m256i port_key)
{
	/* In the CPU's order: the source in the low half, the destination in the high one. */
	const __m256i addrs = _mm256_setr_epi8(7, 6, 5, 4, -1, -1, -1, -1, 11, 10, 9, 8, -1, -1, -1,
			-1, 7, 6, 5, 4, -1, -1, -1, -1, 11, 10, 9, 8, -1, -1, -1, -1);
	const __m256i ports = _mm256_setr_epi8(15, 14, 13, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1,
			-1, -1, -1, 15, 14, 13, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m256i a = _mm256_shuffle_epi8(tuples, addrs), p = _mm256_shuffle_epi8(tuples, ports);

	return _mm256_xor_si256(MULTIPLY(p, port_key, 0x00),
			_mm256_xor_si256(MULTIPLY(a, addr_keys, 0x00),
					MULTIPLY(a, addr_keys, 0x11)));
}

/* What was seen of some packets, to be judged for all at once. */
struct look {
	__m128i other;     /* not 0: a header that is another one */
	__m128i lens;      /* word 4: length of the shortest packet's first part */
	uint8_t has_ports; /* 0: a protocol of which no ports are hashed */
};

/*
 * The tuple of a packet, at the end, if it is what most packets are. Bytes behind the end of a
 * short one are read, since each buffer has room for them, and then it is none of these.
 */
static __rte_always_inline __m128i
load_tuple(const struct sluice_rss *rss, const struct rte_mbuf *m, struct look *look)
{
	const __m128i want = _mm_setr_epi8(0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m128i mask = _mm_setr_epi8(-1, -1, -1, 0, 0, 0, 0, 0, 0x3f, -1, 0, 0, 0, 0, 0, 0);
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	__m128i head = _mm_loadu_si128((const __m128i *)(data + AT_TYPE));

	static_assert(offsetof(struct rte_mbuf, data_len) ==
					offsetof(struct rte_mbuf, packet_type) +
							4 * sizeof(uint16_t),
			"word 4 of the load");
	look->lens = _mm_min_epu16(look->lens, _mm_loadu_si128((const __m128i *)&m->packet_type));
	look->other = _mm_or_si128(look->other, _mm_and_si128(_mm_xor_si128(head, want), mask));
	look->has_ports &= rss->has_v4_ports[data[AT_PROTO]];
	return _mm_loadu_si128((const __m128i *)(data + AT_LOAD));
}

/* False: not all eight are what most packets are, and nothing was done. */
static __rte_always_inline bool
hash_group(const struct sluice_rss *rss, struct rte_mbuf **pkts, __m256i addr_keys,
		__m256i port_key)
{
	struct look look = { _mm_setzero_si128(), _mm_set1_epi16(-1), UINT8_MAX };
	__m256i sums[GROUP / 2], h;
	__m128i half;
	unsigned int i;

	for (i = 0; i < GROUP / 2; i++) {
		half = load_tuple(rss, pkts[i], &look);
		sums[i] = _mm256_set_m128i(load_tuple(rss, pkts[i + GROUP / 2], &look), half);
	}
	if (unlikely(look.has_ports == 0 || !_mm_testz_si128(look.other, look.other) ||
			    _mm_extract_epi16(look.lens, 4) < LEN_MIN))
		return false;
	for (i = 0; i < GROUP / 2; i++)
		sums[i] = multiply_tuples(sums[i], addr_keys, port_key);
	/* The second word of each 128 bits, of the first four packets and of the last. */
	h = _mm256_unpackhi_epi64(_mm256_unpacklo_epi32(sums[0], sums[1]),
			_mm256_unpacklo_epi32(sums[2], sums[3]));
	h = turn_round(h);
	half = _mm256_castsi256_si128(h);
	sluice_rss_store(pkts[0], _mm_extract_epi32(half, 0));
	sluice_rss_store(pkts[1], _mm_extract_epi32(half, 1));
	sluice_rss_store(pkts[2], _mm_extract_epi32(half, 2));
	sluice_rss_store(pkts[3], _mm_extract_epi32(half, 3));
	half = _mm256_extracti128_si256(h, 1);
	sluice_rss_store(pkts[4], _mm_extract_epi32(half, 0));
	sluice_rss_store(pkts[5], _mm_extract_epi32(half, 1));
	sluice_rss_store(pkts[6], _mm_extract_epi32(half, 2));
	sluice_rss_store(pkts[7], _mm_extract_epi32(half, 3));
	return true;
}

static uint32_t
hash_tuple(const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len)
{
	__m128i sum = _mm_setzero_si128();
	uint32_t i, word;

	for (i = 0; i < len / 4; i++) {
		memcpy(&word, tuple + 4 * i, sizeof(word));
		sum = _mm_xor_si128(sum,
				_mm_clmulepi64_si128(_mm_cvtsi32_si128(rte_be_to_cpu_32(word)),
						_mm_loadl_epi64((const __m128i *)&rss->window[i]),
						0));
	}
	sum = _mm256_castsi256_si128(turn_round(_mm256_castsi128_si256(sum)));
	return _mm_extract_epi32(sum, 1);
}

static void
hash_burst(const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb)
{
	__m256i addr_keys = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i *)&rss->window[0]));
	__m256i port_key = _mm256_broadcastsi128_si256(
			_mm_loadl_epi64((const __m128i *)&rss->window[2]));
	uint16_t i, nb_other;

	for (i = 0; i < nb;) {
		if (nb - i >= GROUP && likely(hash_group(rss, pkts + i, addr_keys, port_key))) {
			i += GROUP;
			continue;
		}
		for (nb_other = RTE_MIN(nb - i, GROUP); nb_other != 0; nb_other--, i++)
			sluice_rss_one(rss, pkts[i], hash_tuple);
	}
}

const struct sluice_rss_kit KIT = { .name = KIT_NAME, .tuple = hash_tuple, .burst = hash_burst };
