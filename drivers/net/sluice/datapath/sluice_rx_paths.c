/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The receive burst functions: one line each defines the function and its row in the table.
 * Compiled once per instruction set (sluice_vec.h).
 */

#include "sluice_path.h"
#include "sluice_queue_ctl.h"
#include "sluice_rx.h"

#define SLUICE_RX_PATHS(X) \
	X(split, .ring_type = SLUICE_SPLIT) \
	X(packed, .ring_type = SLUICE_PACKED) \
	X(split_csum, .ring_type = SLUICE_SPLIT, .has_csum = true) \
	X(packed_csum, .ring_type = SLUICE_PACKED, .has_csum = true) \
	X(split_copy, .ring_type = SLUICE_SPLIT, .has_csum = true, .is_copy = true) \
	X(packed_copy, .ring_type = SLUICE_PACKED, .has_csum = true, .is_copy = true)

#define DEFINE_PATH(name, ...) \
	static __rte_noinline uint16_t sluice_rx_work_##name( \
			void *rxq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		return sluice_rx_tmpl(rxq, pkts, nb, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	} \
	static uint16_t sluice_rx_burst_##name(void *rxq, struct rte_mbuf **pkts, uint16_t nb) \
	{ \
		return sluice_rx_poll(rxq, pkts, nb, sluice_rx_work_##name, \
				(struct sluice_path_cfg){ __VA_ARGS__ }); \
	}
SLUICE_RX_PATHS(DEFINE_PATH)

#define DEFINE_ROW(path, ...) \
	{ .name = "Sluice " SLUICE_VEC_NAME " " #path, \
		.simd_bits = SLUICE_VEC_BITS, \
		.cfg = { __VA_ARGS__ }, \
		.burst = sluice_rx_burst_##path, \
		.fill = sluice_rxq_fill },
const struct sluice_rx_path SLUICE_ISA_NAME(sluice_rx_paths)[] = { SLUICE_RX_PATHS(DEFINE_ROW) };
const unsigned int SLUICE_ISA_NAME(sluice_nb_rx_paths) = RTE_DIM(SLUICE_ISA_NAME(sluice_rx_paths));
