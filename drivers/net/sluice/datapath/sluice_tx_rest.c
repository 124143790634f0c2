/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What is left over of transmit bursts of few packets, of pinned external buffers and of copies,
 * when the ring's end or an odd packet ends their first run: in batches of one, so that all
 * instruction sets share it. See sluice_tx.h.
 */

#include "sluice_tx.h"

#define DEFINE_REST_ONE(name, ...) \
	SLUICE_TX_REST_ONE(name) \
	{ \
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, \
				(struct sluice_path_cfg){ .is_few = true, __VA_ARGS__ }); \
	}
DEFINE_REST_ONE(split, .ring_type = SLUICE_SPLIT, .is_pinned = true)
DEFINE_REST_ONE(packed, .ring_type = SLUICE_PACKED, .is_pinned = true)
DEFINE_REST_ONE(split_offloads, .ring_type = SLUICE_SPLIT, .has_offloads = true, .is_pinned = true)
DEFINE_REST_ONE(packed_offloads, .ring_type = SLUICE_PACKED, .has_offloads = true,
		.is_pinned = true)
DEFINE_REST_ONE(split_copy, .ring_type = SLUICE_SPLIT, .is_copy = true)
DEFINE_REST_ONE(packed_copy, .ring_type = SLUICE_PACKED, .is_copy = true)
DEFINE_REST_ONE(split_offloads_copy, .ring_type = SLUICE_SPLIT, .has_offloads = true,
		.is_copy = true)
DEFINE_REST_ONE(packed_offloads_copy, .ring_type = SLUICE_PACKED, .has_offloads = true,
		.is_copy = true)
