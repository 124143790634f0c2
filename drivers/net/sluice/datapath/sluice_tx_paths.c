/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The transmit burst functions: one line each, in sluice_tx_rows.h, defines the function, for few
 * packets and for many, and its row in the table. Compiled once per instruction set (sluice_vec.h);
 * what bursts come to rarely is there once for AVX2 and AVX512, or for all sets, since size counts
 * more there.
 */

#include "sluice_path.h"
#include "sluice_tx.h"
#include "sluice_tx_rows.h"

#define SLUICE_TX_PATHS(X) \
	SLUICE_TX_PLAIN_PATHS(X) \
	SLUICE_TX_OFFLOAD_PATHS(X) \
	SLUICE_TX_COPY_PATHS(X)

/* Parts of a burst that AVX512 takes from AVX2's file; any other file has its own. */
#if defined(SLUICE_ISA_AVX2) || defined(SLUICE_ISA_AVX512)
#define PART_LINKAGE
#define PART_NAME(part, name) sluice_tx_##part##_##name##_avx2
#else
#define PART_LINKAGE static
#define PART_NAME(part, name) sluice_tx_##part##_##name
#endif

#define DECLARE_FEW(name, ...) \
	PART_LINKAGE uint16_t PART_NAME(few, name)(void *txq, struct rte_mbuf **pkts, uint16_t nb);
SLUICE_TX_PLAIN_PATHS(DECLARE_FEW)
SLUICE_TX_OFFLOAD_PATHS(DECLARE_FEW)

#define DECLARE_REST(name, ...) \
	PART_LINKAGE uint16_t PART_NAME(rest, name)(struct sluice_txq * txq, \
			struct rte_mbuf * *pkts, uint16_t nb, struct sluice_tx_burst * b);
SLUICE_TX_PLAIN_PATHS(DECLARE_REST)
SLUICE_TX_OFFLOAD_PATHS(DECLARE_REST)

#define DECLARE_PINNED(name, ...) \
	PART_LINKAGE uint16_t PART_NAME(pinned, name)( \
			struct sluice_txq * txq, struct rte_mbuf * *pkts, uint16_t nb);
SLUICE_TX_OFFLOAD_PATHS(DECLARE_PINNED)

/* The scalar file has what all copy few packets with. */
#define DECLARE_FEW_COPIES(name, ...) \
	uint16_t sluice_tx_few_##name(void *txq, struct rte_mbuf **pkts, uint16_t nb);
SLUICE_TX_COPY_PATHS(DECLARE_FEW_COPIES)

#define DEFINE_COLLECT(name, ...) \
	static __rte_noinline void sluice_tx_collect_##name( \
			struct sluice_txq *txq, uint16_t nb_max, bool has_chains) \
	{ \
		sluice_tx_reclaim( \
				txq, nb_max, has_chains, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	} \
	static uint32_t sluice_tx_cleanup_##name(struct sluice_txq *txq, uint32_t nb_max) \
	{ \
		uint16_t nb = nb_max == 0 || nb_max > UINT16_MAX ? UINT16_MAX : nb_max; \
		uint16_t nb_before = sluice_tx_nb_packets(txq); \
\
		sluice_tx_collect_##name(txq, nb, sluice_tx_has_chains(txq)); \
		return nb_before - sluice_tx_nb_packets(txq); \
	}
DEFINE_COLLECT(split, .ring_type = SLUICE_SPLIT)
DEFINE_COLLECT(packed, .ring_type = SLUICE_PACKED)
DEFINE_COLLECT(split_copy, .ring_type = SLUICE_SPLIT, .is_copy = true)
#ifndef SLUICE_ISA_AVX512
DEFINE_COLLECT(packed_copy, .ring_type = SLUICE_PACKED, .is_copy = true)
#endif

/* Few packets are given one by one, and so are all in a build without batches. */
#define DEFINE_FEW_AS(function, pinned, name, collect, ...) \
	__rte_noinline uint16_t function(void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_tx_slow slow = { sluice_tx_collect_##collect, \
			sluice_tx_rest_one_##name, pinned }; \
\
		/* The compiler does not see it where others call this. */ \
		if (SLUICE_VEC_TX != 0 && nb >= SLUICE_TX_FEW) \
			__builtin_unreachable(); \
		return sluice_tx_tmpl(txq, pkts, nb, slow, \
				(struct sluice_path_cfg){ .is_few = true, __VA_ARGS__ }); \
	}
#define DEFINE_PLAIN_FEW(name, ...) \
	PART_LINKAGE DEFINE_FEW_AS(PART_NAME(few, name), \
			SLUICE_VEC_TX == 0 ? sluice_tx_pinned_##name : NULL, name, __VA_ARGS__)
#define DEFINE_OFFLOAD_FEW(name, ...) \
	PART_LINKAGE DEFINE_FEW_AS(PART_NAME(few, name), NULL, name, __VA_ARGS__)
#define DEFINE_COPY_FEW(name, ...) DEFINE_FEW_AS(sluice_tx_few_##name, NULL, name, __VA_ARGS__)

/*
 * Plain packets of what a first run of batches left over, in batches again. That is rare, so it is
 * cold: the compiler builds it for size.
 */
#define DEFINE_REST(name, collect, ...) \
	PART_LINKAGE __rte_cold __rte_noinline uint16_t PART_NAME(rest, name)( \
			struct sluice_txq * txq, struct rte_mbuf * *pkts, uint16_t nb, \
			struct sluice_tx_burst * b) \
	{ \
		return sluice_tx_rest_tmpl( \
				txq, pkts, nb, b, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	}

/* The same with offloads: with longer headers that is where all packets go. */
#define DEFINE_LONG_REST(name, collect, ...) \
	static __rte_noinline uint16_t sluice_tx_rest_long_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		if (likely(!txq->has_hash)) \
			return PART_NAME(rest, name)(txq, pkts, nb, b); \
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, \
				(struct sluice_path_cfg){ .has_hash = true, __VA_ARGS__ }); \
	}

#define DEFINE_PINNED_AS(function, name, ...) \
	__rte_noinline uint16_t function( \
			struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_tx_slow slow = { .rest = sluice_tx_rest_one_##name }; \
\
		return sluice_tx_give_tmpl(txq, pkts, nb, slow, \
				(struct sluice_path_cfg){ .is_few = SLUICE_VEC_TX == 0, \
						.is_pinned = true, \
						__VA_ARGS__ }); \
	}
#define DEFINE_OWN_PINNED(name, collect, ...) \
	static DEFINE_PINNED_AS(sluice_tx_pinned_##name, name, __VA_ARGS__)
#define DEFINE_PINNED(name, collect, ...) \
	PART_LINKAGE DEFINE_PINNED_AS(PART_NAME(pinned, name), name, __VA_ARGS__)

#define DEFINE_BURST(name, few, collect, rest, pinned, ...) \
	static __rte_noinline uint16_t sluice_tx_many_##name( \
			void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_tx_slow slow = { sluice_tx_collect_##collect, rest, pinned }; \
\
		return sluice_tx_tmpl( \
				txq, pkts, nb, slow, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	} \
	static uint16_t sluice_tx_burst_##name(void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		if (SLUICE_VEC_TX == 0 || nb < SLUICE_TX_FEW) \
			return few(txq, pkts, nb); \
		return sluice_tx_many_##name(txq, pkts, nb); \
	}
#define DEFINE_PLAIN_BURST(name, collect, ...) \
	DEFINE_BURST(name, PART_NAME(few, name), collect, PART_NAME(rest, name), \
			sluice_tx_pinned_##name, __VA_ARGS__)
#define DEFINE_OFFLOAD_BURST(name, collect, ...) \
	DEFINE_BURST(name, PART_NAME(few, name), collect, sluice_tx_rest_long_##name, \
			PART_NAME(pinned, name), __VA_ARGS__)
#define DEFINE_COPY_BURST(name, collect, ...) \
	DEFINE_BURST(name, sluice_tx_few_##name, collect, sluice_tx_rest_one_##name, NULL, \
			__VA_ARGS__)

SLUICE_TX_PLAIN_PATHS(DEFINE_OWN_PINNED)
#ifndef SLUICE_ISA_AVX512
SLUICE_TX_PLAIN_PATHS(DEFINE_PLAIN_FEW)
SLUICE_TX_OFFLOAD_PATHS(DEFINE_OFFLOAD_FEW)
SLUICE_TX_PLAIN_PATHS(DEFINE_REST)
SLUICE_TX_OFFLOAD_PATHS(DEFINE_REST)
SLUICE_TX_OFFLOAD_PATHS(DEFINE_PINNED)
#endif
#ifdef SLUICE_ISA_SCALAR
SLUICE_TX_COPY_PATHS(DEFINE_COPY_FEW)
#endif
SLUICE_TX_OFFLOAD_PATHS(DEFINE_LONG_REST)
SLUICE_TX_PLAIN_PATHS(DEFINE_PLAIN_BURST)
SLUICE_TX_OFFLOAD_PATHS(DEFINE_OFFLOAD_BURST)
SLUICE_TX_COPY_PATHS(DEFINE_COPY_BURST)

#define DEFINE_ROW(path, collect, ...) \
	{ .name = "Sluice " SLUICE_VEC_NAME " " #path, \
		.simd_bits = SLUICE_VEC_BITS, \
		.cfg = { __VA_ARGS__ }, \
		.burst = sluice_tx_burst_##path, \
		.cleanup = sluice_tx_cleanup_##collect },
const struct sluice_tx_path SLUICE_ISA_NAME(sluice_tx_paths)[] = { SLUICE_TX_PATHS(DEFINE_ROW) };
const unsigned int SLUICE_ISA_NAME(sluice_nb_tx_paths) = RTE_DIM(SLUICE_ISA_NAME(sluice_tx_paths));
