/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The sums of sluice_sum.h with NEON, which adds neighbours among words into wider ones.
 */

#ifndef SLUICE_SUM_NEON_H
#define SLUICE_SUM_NEON_H

#include <arm_neon.h>

#include <rte_common.h>
#include <rte_mbuf.h>

static __rte_always_inline uint32x4_t
sluice_sum_pairs_at(const uint8_t *p)
{
	return vpaddlq_u16(vreinterpretq_u16_u8(vld1q_u8(p)));
}

/* Eight bytes of either packet. */
static __rte_always_inline uint32x4_t
sluice_sum_halves(const uint8_t *low, const uint8_t *high)
{
	return vpaddlq_u16(vreinterpretq_u16_u8(vcombine_u8(vld1_u8(low), vld1_u8(high))));
}

/* A sum for each packet, of one register each. */
static __rte_always_inline uint32x4_t
sluice_sum_across(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d)
{
	return vpaddq_u32(vpaddq_u32(a, b), vpaddq_u32(c, d));
}

/* The sum of an IPv4 header's 16-bit words but the checksum, which is the sixth, in four parts. */
static __rte_always_inline uint32x4_t
sluice_sum_first_words(const uint8_t *ip)
{
	const uint16x8_t counts = { -1, -1, -1, -1, -1, 0, -1, -1 };

	return vpaddlq_u16(vandq_u16(vreinterpretq_u16_u8(vld1q_u8(ip)), counts));
}

/* The same of each packet, of all ten words. */
static __rte_always_inline uint32x4_t
sluice_sum_but_cksum(uint8_t *const data[4], size_t at)
{
	uint32x4_t last = vdupq_n_u32(0);
	uint32x4_t sums = sluice_sum_across(sluice_sum_first_words(data[0] + at),
			sluice_sum_first_words(data[1] + at), sluice_sum_first_words(data[2] + at),
			sluice_sum_first_words(data[3] + at));

	last = vld1q_lane_u32((const void *)(data[0] + at + 16), last, 0);
	last = vld1q_lane_u32((const void *)(data[1] + at + 16), last, 1);
	last = vld1q_lane_u32((const void *)(data[2] + at + 16), last, 2);
	last = vld1q_lane_u32((const void *)(data[3] + at + 16), last, 3);
	return vpadalq_u16(sums, vreinterpretq_u16_u32(last));
}

static __rte_always_inline uint32x4_t
sluice_sum_invert(uint32x4_t sums)
{
	return vmvnq_u32(sums);
}

/* The words at len_at, and as much more, added to sums. */
static __rte_always_inline uint32x4_t
sluice_sum_add_lens(uint32x4_t sums, uint8_t *const data[4], size_t len_at, uint32_t more)
{
	uint16x8_t lens = vdupq_n_u16(0);

	lens = vld1q_lane_u16((const void *)(data[0] + len_at), lens, 0);
	lens = vld1q_lane_u16((const void *)(data[1] + len_at), lens, 2);
	lens = vld1q_lane_u16((const void *)(data[2] + len_at), lens, 4);
	lens = vld1q_lane_u16((const void *)(data[3] + len_at), lens, 6);
	return vaddq_u32(vaddq_u32(sums, vreinterpretq_u32_u16(lens)), vdupq_n_u32(more));
}

/* Sums of both addresses, at ends_at, of the length, and of more. */
static __rte_always_inline uint32x4_t
sluice_sum_ipv4_ends(uint8_t *const data[4], size_t ends_at, size_t len_at, uint32_t more)
{
	uint32x4_t a = sluice_sum_halves(data[0] + ends_at, data[1] + ends_at);
	uint32x4_t b = sluice_sum_halves(data[2] + ends_at, data[3] + ends_at);

	return sluice_sum_add_lens(vpaddq_u32(a, b), data, len_at, more);
}

static __rte_always_inline uint32x4_t
sluice_sum_ipv6_pairs(const uint8_t *ends)
{
	return vpadalq_u16(sluice_sum_pairs_at(ends), vreinterpretq_u16_u8(vld1q_u8(ends + 16)));
}

static __rte_always_inline uint32x4_t
sluice_sum_ipv6_ends(uint8_t *const data[4], size_t ends_at, size_t len_at, uint32_t more)
{
	uint32x4_t sums = sluice_sum_across(sluice_sum_ipv6_pairs(data[0] + ends_at),
			sluice_sum_ipv6_pairs(data[1] + ends_at),
			sluice_sum_ipv6_pairs(data[2] + ends_at),
			sluice_sum_ipv6_pairs(data[3] + ends_at));

	return sluice_sum_add_lens(sums, data, len_at, more);
}

/* Upper and lower half of each sum added, and the carry of that: in the lower half. */
static __rte_always_inline uint32x4_t
sluice_sum_fold(uint32x4_t sums)
{
	sums = vpaddlq_u16(vreinterpretq_u16_u32(sums));
	return vpaddlq_u16(vreinterpretq_u16_u32(sums));
}

/* Folded sums into the words at an offset. */
static __rte_always_inline void
sluice_sum_put(uint32x4_t folded, uint8_t *const data[4], size_t at)
{
	const uint16x8_t words = vreinterpretq_u16_u32(folded);

	vst1q_lane_u16((void *)(data[0] + at), words, 0);
	vst1q_lane_u16((void *)(data[1] + at), words, 2);
	vst1q_lane_u16((void *)(data[2] + at), words, 4);
	vst1q_lane_u16((void *)(data[3] + at), words, 6);
}

#define SLUICE_SUMS_CHECKED 8

/* The 32 bytes of a packet that end with an IPv4 header, counted from 0. */
struct sluice_neon_ipv4 {
	size_t at; /* from an mbuf, or if pinned its buffer */
	bool has_tag, is_pinned;
	uint16x8_t any; /* of all packets, what is not as it has to be */
};

/*
 * Of two packets: parts of their sums, and s->any.
 *   32-bit words: | a | a | b | b |
 */
static __rte_always_inline uint32x4_t
sluice_neon_ipv4_two(struct sluice_neon_ipv4 *s, struct rte_mbuf *const *m)
{
	/* In words 4 to 7, of either packet: the type, then version and header length. */
	const uint16x8_t want = { 0, 0x0008, 0x0045, 0, 0, 0x0008, 0x0045, 0 };
	const uint16x8_t type = { 0, -1, 0x00ff, 0, 0, -1, 0x00ff, 0 };
	const uint16x8_t counts = { 0, 0, -1, -1, 0, 0, -1, -1 };
	/* In words 0 to 3. */
	const uint16x8_t tag = { 0, 0, 0, 0x0081, 0, 0, 0, 0x0081 };
	const uint16x8_t tag_type = { 0, 0, 0, -1, 0, 0, 0, -1 };
	const uint8_t *base_a = s->is_pinned ? m[0]->buf_addr : (const uint8_t *)m[0];
	const uint8_t *base_b = s->is_pinned ? m[1]->buf_addr : (const uint8_t *)m[1];
	uint64x2_t a = vreinterpretq_u64_u8(vld1q_u8(base_a + s->at));
	uint64x2_t b = vreinterpretq_u64_u8(vld1q_u8(base_b + s->at));
	uint16x8_t words = vreinterpretq_u16_u64(vzip2q_u64(a, b));
	uint32x4_t sums = vpaddq_u32(sluice_sum_pairs_at(base_a + s->at + 16),
			sluice_sum_pairs_at(base_b + s->at + 16));

	s->any = vorrq_u16(s->any, vandq_u16(veorq_u16(words, want), type));
	if (s->has_tag)
		s->any = vorrq_u16(s->any,
				vandq_u16(veorq_u16(vreinterpretq_u16_u64(vzip1q_u64(a, b)), tag),
						tag_type));
	return vpadalq_u16(sums, vandq_u16(words, counts));
}

static __rte_always_inline uint32x4_t
sluice_neon_ipv4_four(struct sluice_neon_ipv4 *s, struct rte_mbuf *const *m)
{
	uint32x4_t ab = sluice_neon_ipv4_two(s, &m[0]);
	uint32x4_t sums = vpaddq_u32(ab, sluice_neon_ipv4_two(s, &m[2]));

	/* Both halves of a multiple of 65535 up to ten add up to that. */
	return veorq_u32(vpaddlq_u16(vreinterpretq_u16_u32(sums)), vdupq_n_u32(UINT16_MAX));
}

/* See sluice_sum.h. */
static __rte_always_inline bool
sluice_sum_are_ipv4(struct rte_mbuf *const *m, size_t data_at, bool has_tag, bool is_pinned)
{
	struct sluice_neon_ipv4 s = {
		.at = data_at + (has_tag ? 4 : 0) + 2,
		.has_tag = has_tag,
		.is_pinned = is_pinned,
		.any = vdupq_n_u16(0),
	};
	uint32x4_t bad = sluice_neon_ipv4_four(&s, &m[0]);

	bad = vorrq_u32(bad, sluice_neon_ipv4_four(&s, &m[4]));
	return vmaxvq_u32(vorrq_u32(bad, vreinterpretq_u32_u16(s.any))) == 0;
}

#endif /* SLUICE_SUM_NEON_H */
