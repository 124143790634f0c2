/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The transmit burst functions: one line each defines the function, for few packets and for many,
 * and its row in the table. Compiled once per instruction set (sluice_vec.h).
 */

#include "sluice_path.h"
#include "sluice_tx.h"

/* 32 bytes are copied at a time, so AVX2's rows serve those with wider registers as well. */
#ifdef SLUICE_ISA_AVX512
#define NARROW_ROW(X, ...)
#else
#define NARROW_ROW(X, ...) X(__VA_ARGS__)
#endif

/* Name, what collects its completions, configuration; those that do less come first. */
#define SLUICE_TX_PATHS(X) \
	X(split, split, .ring_type = SLUICE_SPLIT) \
	X(packed, packed, .ring_type = SLUICE_PACKED) \
	X(split_offloads, split, .ring_type = SLUICE_SPLIT, .has_offloads = true) \
	X(packed_offloads, packed, .ring_type = SLUICE_PACKED, .has_offloads = true) \
	X(split_copy, split_copy, .ring_type = SLUICE_SPLIT, .is_copy = true) \
	X(split_offloads_copy, split_copy, .ring_type = SLUICE_SPLIT, .has_offloads = true, \
			.is_copy = true) \
	NARROW_ROW(X, packed_copy, packed_copy, .ring_type = SLUICE_PACKED, .is_copy = true) \
	NARROW_ROW(X, packed_offloads_copy, packed_copy, .ring_type = SLUICE_PACKED, \
			.has_offloads = true, .is_copy = true)

/* Few packets are given one by one, by the same functions with AVX2 and with AVX512. */
#if defined(SLUICE_ISA_AVX2) || defined(SLUICE_ISA_AVX512)
#define FEW_LINKAGE
#define FEW_NAME(name) sluice_tx_few_##name##_avx2
#define DECLARE_FEW(name, ...) \
	uint16_t FEW_NAME(name)(void *txq, struct rte_mbuf **pkts, uint16_t nb);
SLUICE_TX_PATHS(DECLARE_FEW)
#else
#define FEW_LINKAGE static
#define FEW_NAME(name) sluice_tx_few_##name
#endif

/* A build without batches gives all packets as few ones. */
#define CFG_MANY(...) \
	(struct sluice_path_cfg) \
	{ \
		.is_few = SLUICE_VEC_TX == 0, __VA_ARGS__ \
	}

#define DEFINE_COLLECT(name, ...) \
	static __rte_noinline void sluice_tx_collect_##name( \
			struct sluice_txq *txq, uint16_t nb_max, bool has_chains) \
	{ \
		sluice_tx_reclaim(txq, nb_max, has_chains, CFG_MANY(__VA_ARGS__)); \
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

#define DEFINE_FEW(name, collect, ...) \
	static __rte_noinline uint16_t sluice_tx_rest_few_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, \
				(struct sluice_path_cfg){ \
						.is_few = true, .is_pinned = true, __VA_ARGS__ }); \
	} \
	FEW_LINKAGE __rte_noinline uint16_t FEW_NAME(name)( \
			void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_tx_slow slow = { sluice_tx_collect_##collect, \
			sluice_tx_rest_few_##name, NULL }; \
\
		/* The compiler does not see it where others call this. */ \
		if (nb >= SLUICE_TX_FEW) \
			__builtin_unreachable(); \
		return sluice_tx_tmpl(txq, pkts, nb, slow, \
				(struct sluice_path_cfg){ .is_few = true, __VA_ARGS__ }); \
	}
#ifndef SLUICE_ISA_AVX512
SLUICE_TX_PATHS(DEFINE_FEW)
#endif

#define DEFINE_PATH(name, collect, ...) \
	static __rte_noinline uint16_t sluice_tx_rest_long_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		return sluice_tx_rest_tmpl( \
				txq, pkts, nb, b, CFG_MANY(.has_hash = true, __VA_ARGS__)); \
	} \
	static __rte_noinline uint16_t sluice_tx_rest_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		struct sluice_path_cfg cfg = CFG_MANY(__VA_ARGS__); \
\
		if (cfg.has_offloads && !cfg.is_copy && txq->has_hash) \
			return sluice_tx_rest_long_##name(txq, pkts, nb, b); \
		/* One by one, where four at a time would be as much code again. */ \
		cfg.is_few |= cfg.is_copy; \
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, cfg); \
	} \
	static __rte_noinline uint16_t sluice_tx_rest_pinned_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		return sluice_tx_rest_tmpl( \
				txq, pkts, nb, b, CFG_MANY(.is_pinned = true, __VA_ARGS__)); \
	} \
	static __rte_noinline uint16_t sluice_tx_pinned_##name( \
			struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_tx_slow slow = { .rest = sluice_tx_rest_pinned_##name }; \
\
		return sluice_tx_give_tmpl( \
				txq, pkts, nb, slow, CFG_MANY(.is_pinned = true, __VA_ARGS__)); \
	} \
	static __rte_noinline uint16_t sluice_tx_many_##name( \
			void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		const struct sluice_path_cfg cfg = CFG_MANY(__VA_ARGS__); \
		const struct sluice_tx_slow slow = { sluice_tx_collect_##collect, \
			cfg.is_few ? sluice_tx_rest_pinned_##name : sluice_tx_rest_##name, \
			cfg.is_copy ? NULL : sluice_tx_pinned_##name }; \
\
		return sluice_tx_tmpl(txq, pkts, nb, slow, cfg); \
	} \
	static uint16_t sluice_tx_burst_##name(void *txq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		if (SLUICE_VEC_TX != 0 && nb < SLUICE_TX_FEW) \
			return FEW_NAME(name)(txq, pkts, nb); \
		return sluice_tx_many_##name(txq, pkts, nb); \
	}
SLUICE_TX_PATHS(DEFINE_PATH)

#define DEFINE_ROW(path, collect, ...) \
	{ .name = "Sluice " SLUICE_VEC_NAME " " #path, \
		.simd_bits = SLUICE_VEC_BITS, \
		.cfg = { __VA_ARGS__ }, \
		.burst = sluice_tx_burst_##path, \
		.cleanup = sluice_tx_cleanup_##collect },
const struct sluice_tx_path SLUICE_ISA_NAME(sluice_tx_paths)[] = { SLUICE_TX_PATHS(DEFINE_ROW) };
const unsigned int SLUICE_ISA_NAME(sluice_nb_tx_paths) = RTE_DIM(SLUICE_ISA_NAME(sluice_tx_paths));
