/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <rte_cpuflags.h>
#include <rte_vect.h>

#include "sluice_path.h"

#define TABLES(isa) \
	{ \
		sluice_rx_paths##isa, &sluice_nb_rx_paths##isa, sluice_tx_paths##isa, \
				&sluice_nb_tx_paths##isa \
	}

SLUICE_DECLARE_TABLES();
#ifdef SLUICE_HAS_X86_VEC
SLUICE_DECLARE_TABLES(_avx2);
SLUICE_DECLARE_TABLES(_avx512);
#endif
#ifdef SLUICE_HAS_NEON
SLUICE_DECLARE_TABLES(_neon);
#endif

static const struct {
	const struct sluice_rx_path *rx;
	const unsigned int *nb_rx;
	const struct sluice_tx_path *tx;
	const unsigned int *nb_tx;
} tables[] = {
#ifdef SLUICE_HAS_X86_VEC
	TABLES(_avx512),
	TABLES(_avx2),
#endif
#ifdef SLUICE_HAS_NEON
	TABLES(_neon),
#endif
	TABLES(),
};

const struct sluice_rx_path *
sluice_rx_path_at(unsigned int i)
{
	unsigned int t;

	for (t = 0; t < RTE_DIM(tables); i -= *tables[t].nb_rx, t++)
		if (i < *tables[t].nb_rx)
			return &tables[t].rx[i];
	return NULL;
}

const struct sluice_tx_path *
sluice_tx_path_at(unsigned int i)
{
	unsigned int t;

	for (t = 0; t < RTE_DIM(tables); i -= *tables[t].nb_tx, t++)
		if (i < *tables[t].nb_tx)
			return &tables[t].tx[i];
	return NULL;
}

bool
sluice_path_is_rx_burst(uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb))
{
	const struct sluice_rx_path *p;
	unsigned int i;

	for (i = 0; (p = sluice_rx_path_at(i)) != NULL; i++)
		if (p->burst == burst)
			return true;
	return false;
}

uint16_t
sluice_path_cpu_bits(void)
{
#ifdef SLUICE_HAS_X86_VEC
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) > 0 &&
			rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) > 0 &&
			rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512DQ) > 0 &&
			rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512VL) > 0)
		return RTE_VECT_SIMD_512;
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0)
		return RTE_VECT_SIMD_256;
#endif
#ifdef SLUICE_HAS_NEON
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_NEON) > 0)
		return RTE_VECT_SIMD_128;
#endif
	return 0;
}

uint16_t
sluice_path_simd_bits(void)
{
	return RTE_MIN(sluice_path_cpu_bits(), rte_vect_get_max_simd_bitwidth());
}

bool
sluice_path_reads_headers(sluice_features features, bool checks_ipv4)
{
	/* Where nobody reads headers they have one length. */
	return checks_ipv4 || sluice_has(features, SLUICE_NET_F_GUEST_CSUM) ||
			sluice_path_hdr_len(features) != SLUICE_NET_HDR_LEN;
}

uint16_t
sluice_path_hdr_len(sluice_features features)
{
	if (sluice_has(features, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO))
		return SLUICE_NET_HDR_TUNNEL_LEN;
	return sluice_has(features, SLUICE_NET_F_HASH_REPORT) ? SLUICE_NET_HDR_HASH_LEN :
								SLUICE_NET_HDR_LEN;
}

/*
 * A row serves who asks for less than it does, too. In a table those that do less come first, and
 * the scalar tables have rows that do all, so the loops below find one; the unit tests look.
 */

const struct sluice_rx_path *
sluice_rx_path_select(
		sluice_features features, bool reads_headers, bool is_copy, uint16_t simd_bits)
{
	const struct sluice_rx_path *p;
	unsigned int i;

	for (i = 0; (p = sluice_rx_path_at(i)) != NULL; i++)
		if (p->simd_bits <= simd_bits &&
				p->cfg.ring_type == sluice_ring_type_of(features) &&
				p->cfg.has_csum >= reads_headers && p->cfg.is_copy == is_copy)
			break;
	return p;
}

const struct sluice_tx_path *
sluice_tx_path_select(sluice_features features, bool has_offloads, bool is_copy, uint16_t simd_bits)
{
	/* Only these rows write headers of another length. */
	const bool needs = has_offloads || sluice_path_hdr_len(features) != SLUICE_NET_HDR_LEN;
	const struct sluice_tx_path *p;
	unsigned int i;

	for (i = 0; (p = sluice_tx_path_at(i)) != NULL; i++)
		if (p->simd_bits <= simd_bits &&
				p->cfg.ring_type == sluice_ring_type_of(features) &&
				p->cfg.has_offloads >= needs && p->cfg.is_copy == is_copy)
			break;
	return p;
}
