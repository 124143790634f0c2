/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The Toeplitz hash of eight packets with 512-bit registers (VPCLMULQDQ and GFNI), if all are what
 * most are: IPv4 without options, tags or fragments, TCP or UDP. Others go to the kit for 256 bits.
 * Products are as in sluice_rss_clmul.c.
 */

#include <immintrin.h>
#include <stddef.h>

#include "sluice_rss.h"

#define GROUP 8
/* Of a packet 32 bytes are loaded: 16 with what tells its kind, 16 that end with the tuple. */
#define AT_LOAD 6
#define LEN_MIN (AT_LOAD + 32)
/* Where the protocols of two tuples are once these are interleaved, in each 16 bytes. */
#define PROTO_BYTES 0x000c000c000c000cULL

/* Truth tables of A op (B op C). */
#define A_XOR_B_XOR_C 0x96
#define A_OR_B_XOR_C 0xf6
#define A_OR_B_AND_C 0xf8

/* Bytes behind the end of a short packet are read, since each buffer has room for them. */
static __rte_always_inline __m256i
load_packet(const struct rte_mbuf *m)
{
	return _mm256_loadu_si256(
			(const __m256i *)(rte_pktmbuf_mtod(m, const uint8_t *) + AT_LOAD));
}

static __rte_always_inline __m128i
load_len(const struct rte_mbuf *m)
{
	static_assert(offsetof(struct rte_mbuf, data_len) ==
					offsetof(struct rte_mbuf, packet_type) +
							4 * sizeof(uint16_t),
			"word 4 of the load");
	return _mm_loadu_si128((const __m128i *)&m->packet_type);
}

/* Of four packets, each with its tuple at the end of 16 bytes: the sums, in the low halves. */
static __rte_always_inline __m512i
multiply_tuples(__m512i tuples, __m512i addr_keys, __m512i port_key)
{
	/* In the CPU's order: the source in the low half, the destination in the high one. */
	const __m512i addrs = _mm512_broadcast_i32x4(
			_mm_setr_epi8(7, 6, 5, 4, -1, -1, -1, -1, 11, 10, 9, 8, -1, -1, -1, -1));
	const __m512i ports = _mm512_broadcast_i32x4(_mm_setr_epi8(
			15, 14, 13, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
	__m512i a = _mm512_shuffle_epi8(tuples, addrs), p = _mm512_shuffle_epi8(tuples, ports);

	return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(p, port_key, 0x00),
			_mm512_clmulepi64_epi128(a, addr_keys, 0x00),
			_mm512_clmulepi64_epi128(a, addr_keys, 0x11), A_XOR_B_XOR_C);
}

/* Bits of each 32-bit word in reverse. */
static __rte_always_inline __m256i
turn_round(__m256i h)
{
	const __m256i bytes = _mm256_broadcastsi128_si256(
			_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
	const __m256i bits = _mm256_set1_epi64x(0x8040201008040201LL);

	return _mm256_gf2p8affine_epi64_epi8(_mm256_shuffle_epi8(h, bytes), bits, 0);
}

static __rte_always_inline void
store_four(struct rte_mbuf **pkts, __m128i hashes)
{
	sluice_rss_store(pkts[0], _mm_extract_epi32(hashes, 0));
	sluice_rss_store(pkts[1], _mm_extract_epi32(hashes, 1));
	sluice_rss_store(pkts[2], _mm_extract_epi32(hashes, 2));
	sluice_rss_store(pkts[3], _mm_extract_epi32(hashes, 3));
}

/* From the first group on that is not all what most are, or too small, all is the other kit's. */
static void
hash_burst(const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb)
{
	const __m512i addr_keys = _mm512_broadcast_i32x4(
			_mm_loadu_si128((const __m128i *)&rss->window[0]));
	const __m512i port_key = _mm512_set1_epi64(rss->window[2]);
	/* Ethernet's type, IP's version and header's length; more fragments, and the offset. */
	const __m512i want = _mm512_broadcast_i64x4(_mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0x08, 0x00,
			0x45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	const __m512i mask = _mm512_broadcast_i64x4(_mm256_setr_epi8(0, 0, 0, 0, 0, 0, -1, -1, -1,
			0, 0, 0, 0, 0, 0x3f, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	/* What the shortest packet lacks is less than a byte, one that the mask has. */
	const __m512i lack = _mm512_zextsi128_si512(_mm_setr_epi16(0, 0, 0, 0, 0xff, 0, 0, 0));
	/* The hash is the second word of each sum. */
	const __m512i seconds = _mm512_setr_epi32(
			1, 5, 9, 13, 17, 21, 25, 29, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m512i proto = _mm512_set1_epi8(rss->v4_protos[0]);
	const __m512i another = _mm512_set1_epi8(rss->v4_protos[1]);
	uint16_t nb_groups = likely(rss->v4_protos[0] != 0) ? nb / GROUP : 0;
	struct rte_mbuf **end = pkts + nb;

	for (; nb_groups != 0; nb_groups--, pkts += GROUP) {
		__m512i two[GROUP / 2], first, last, other, protos;
		struct rte_mbuf *m[GROUP]; /* stores into them could change pkts */
		__mmask64 is_other;
		unsigned int i;
		__m128i lens;
		__m256i h;

		for (i = 0; i < GROUP; i++)
			m[i] = pkts[i];
		for (i = 0; i < GROUP / 2; i++)
			two[i] = _mm512_inserti64x4(_mm512_castsi256_si512(load_packet(m[2 * i])),
					load_packet(m[2 * i + 1]), 1);
		other = _mm512_xor_si512(two[0], want);
		for (i = 1; i < GROUP / 2; i++)
			other = _mm512_ternarylogic_epi64(other, two[i], want, A_OR_B_XOR_C);
		lens = load_len(m[0]);
		for (i = 1; i < GROUP; i++)
			lens = _mm_min_epu16(lens, load_len(m[i]));
		lens = _mm_subs_epu16(_mm_set1_epi16(LEN_MIN), lens);
		other = _mm512_ternarylogic_epi64(
				other, _mm512_castsi128_si512(lens), lack, A_OR_B_AND_C);
		first = _mm512_shuffle_i64x2(two[0], two[1], 0xdd);
		last = _mm512_shuffle_i64x2(two[2], two[3], 0xdd);
		protos = _mm512_unpacklo_epi8(first, last);
		is_other = _mm512_mask_cmpneq_epi8_mask(PROTO_BYTES, protos, proto);
		is_other = _mm512_mask_cmpneq_epi8_mask(is_other, protos, another);
		if (unlikely(!_kortestz_mask64_u8(is_other, _mm512_test_epi8_mask(other, mask))))
			break;
		h = turn_round(_mm512_castsi512_si256(_mm512_permutex2var_epi32(
				multiply_tuples(first, addr_keys, port_key), seconds,
				multiply_tuples(last, addr_keys, port_key))));
		store_four(m, _mm256_castsi256_si128(h));
		store_four(m + 4, _mm256_extracti128_si256(h, 1));
	}
	if (unlikely(pkts != end))
		sluice_rss_kit_vclmul.burst(rss, pkts, end - pkts);
}

static uint32_t
hash_tuple(const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len)
{
	return sluice_rss_kit_vclmul.tuple(rss, tuple, len);
}

const struct sluice_rss_kit sluice_rss_kit_avx512 = {
	.name = "VPCLMULQDQ-512", .tuple = hash_tuple, .burst = hash_burst
};
