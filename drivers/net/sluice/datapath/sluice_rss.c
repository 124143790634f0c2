/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The key in the forms that the kits need, the kit for every CPU, and which there are. */

#include <netinet/in.h>
#include <string.h>

#include <rte_cpuflags.h>
#include <rte_thash.h>
#include <rte_vect.h>

#include "sluice_rss.h"

/* Addresses and ports of IPv4. */
#define V4_PORTS_LEN 12

static uint64_t
key_bit(const uint8_t *key, uint32_t i)
{
	return key[i / 8] >> (7 - i % 8) & 1;
}

void
sluice_rss_init(struct sluice_rss *rss, const uint8_t *key)
{
	static const uint8_t protos[] = {
		[SLUICE_RSS_TCP] = IPPROTO_TCP,
		[SLUICE_RSS_UDP] = IPPROTO_UDP,
		[SLUICE_RSS_SCTP] = IPPROTO_SCTP,
	};
	uint32_t i, t, nb = 0;

	memset(rss->has_v4_ports, 0, sizeof(rss->has_v4_ports));
	memset(rss->v4_protos, 0, sizeof(rss->v4_protos));
	for (i = 0; i < RTE_DIM(protos); i++)
		if (rss->tuple_len[SLUICE_RSS_IPV4][i] == V4_PORTS_LEN) {
			rss->has_v4_ports[protos[i]] = UINT8_MAX;
			for (t = nb++; t < RTE_DIM(rss->v4_protos); t++)
				rss->v4_protos[t] = protos[i];
		}
	memcpy(rss->key, key, sizeof(rss->key));
	rte_convert_rss_key(rss->key, rss->key, SLUICE_RSS_KEY_LEN);
	memset(rss->window, 0, sizeof(rss->window));
	/*
	 * With input bit 31 - j at power 31 - j, output bit r, from the left, gathers at power
	 * 31 + r what the sum of the two places gives; one more, so that it is in the upper half.
	 */
	for (i = 0; i < SLUICE_RSS_NB_WORDS; i++)
		for (t = 0; t < 63; t++)
			rss->window[i] |= key_bit(key, 32 * i + t) << (t + 1);
}

static uint32_t
hash_tuple(const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len)
{
	uint32_t words[SLUICE_RSS_NB_WORDS], i;

	memcpy(words, tuple, len);
	for (i = 0; i < len / 4; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	return rte_softrss_be(words, len / 4, (const uint8_t *)rss->key);
}

static void
hash_burst(const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t i;

	for (i = 0; i < nb; i++)
		sluice_rss_one(rss, pkts[i], hash_tuple);
}

static const struct sluice_rss_kit softrss = {
	.name = "softrss", .tuple = hash_tuple, .burst = hash_burst
};

#ifdef SLUICE_HAS_X86_VEC
static bool
has_all_of_avx512(void)
{
	static const enum rte_cpu_flag_t flags[] = { RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512BW,
		RTE_CPUFLAG_AVX512DQ, RTE_CPUFLAG_AVX512VL, RTE_CPUFLAG_VPCLMULQDQ,
		RTE_CPUFLAG_GFNI };
	unsigned int i;

	for (i = 0; i < RTE_DIM(flags); i++)
		if (rte_cpu_get_flag_enabled(flags[i]) <= 0)
			return false;
	return true;
}
#endif

const struct sluice_rss_kit *
sluice_rss_kit_at(unsigned int i, uint16_t simd_bits)
{
	const struct sluice_rss_kit *kits[5] = { NULL };
	unsigned int nb = 0;

#ifdef SLUICE_HAS_X86_VEC
	if (simd_bits >= RTE_VECT_SIMD_512 && has_all_of_avx512())
		kits[nb++] = &sluice_rss_kit_avx512;
	if (simd_bits >= RTE_VECT_SIMD_256 && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 &&
			rte_cpu_get_flag_enabled(RTE_CPUFLAG_PCLMULQDQ) > 0) {
		if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_VPCLMULQDQ) > 0)
			kits[nb++] = &sluice_rss_kit_vclmul;
		kits[nb++] = &sluice_rss_kit_clmul;
	}
#else
	RTE_SET_USED(simd_bits);
#endif
	kits[nb++] = &softrss;
	return i < nb ? kits[i] : NULL;
}
