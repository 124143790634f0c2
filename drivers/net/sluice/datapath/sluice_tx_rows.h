/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The rows of the table of transmit burst functions, for all that is made once for each of them. */

#ifndef SLUICE_TX_ROWS_H
#define SLUICE_TX_ROWS_H

#include "sluice_tx_slow.h"

/* Name, what collects its completions, configuration; those that do less come first. */
#define SLUICE_TX_PLAIN_PATHS(X) \
	X(split, split, .ring_type = SLUICE_SPLIT) \
	X(packed, packed, .ring_type = SLUICE_PACKED)
#define SLUICE_TX_OFFLOAD_PATHS(X) \
	X(split_offloads, split, .ring_type = SLUICE_SPLIT, .has_offloads = true) \
	X(packed_offloads, packed, .ring_type = SLUICE_PACKED, .has_offloads = true)
#define SLUICE_TX_COPY_PATHS(X) \
	X(split_copy, split_copy, .ring_type = SLUICE_SPLIT, .is_copy = true) \
	X(split_offloads_copy, split_copy, .ring_type = SLUICE_SPLIT, .has_offloads = true, \
			.is_copy = true) \
	SLUICE_TX_NARROW_ROW( \
			X, packed_copy, packed_copy, .ring_type = SLUICE_PACKED, .is_copy = true) \
	SLUICE_TX_NARROW_ROW(X, packed_offloads_copy, packed_copy, .ring_type = SLUICE_PACKED, \
			.has_offloads = true, .is_copy = true)

/* 32 bytes are copied at a time, so AVX2's rows serve those with wider registers as well. */
#ifdef SLUICE_ISA_AVX512
#define SLUICE_TX_NARROW_ROW(X, ...)
#else
#define SLUICE_TX_NARROW_ROW(X, ...) X(__VA_ARGS__)
#endif

/*
 * What is left over of few packets, of pinned ones and of those that are copied, in batches of one:
 * once for all instruction sets, in sluice_tx_rest.c.
 */
#define SLUICE_TX_REST_ONE(name) \
	uint16_t sluice_tx_rest_one_##name(struct sluice_txq *txq, struct rte_mbuf **pkts, \
			uint16_t nb, struct sluice_tx_burst *b)
#define SLUICE_TX_DECLARE_REST_ONE(name, ...) SLUICE_TX_REST_ONE(name);
SLUICE_TX_PLAIN_PATHS(SLUICE_TX_DECLARE_REST_ONE)
SLUICE_TX_OFFLOAD_PATHS(SLUICE_TX_DECLARE_REST_ONE)
SLUICE_TX_COPY_PATHS(SLUICE_TX_DECLARE_REST_ONE)

#endif /* SLUICE_TX_ROWS_H */
