/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What is left over of transmit bursts of few packets, of pinned external buffers and of copies,
 * when the ring's end or an odd packet ends their first run: in batches of one, so that all
 * instruction sets share it. See sluice_tx.h.
 */

#include "sluice_tx.h"
#include "sluice_tx_rows.h"

#define DEFINE_REST_ONE(name, collect, ...) \
	SLUICE_TX_REST_ONE(name) \
	{ \
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, \
				(struct sluice_path_cfg){ .is_few = true, __VA_ARGS__ }); \
	}
#define DEFINE_PINNED_REST_ONE(name, collect, ...) \
	DEFINE_REST_ONE(name, collect, .is_pinned = true, __VA_ARGS__)

SLUICE_TX_PLAIN_PATHS(DEFINE_PINNED_REST_ONE)
SLUICE_TX_OFFLOAD_PATHS(DEFINE_PINNED_REST_ONE)
SLUICE_TX_COPY_PATHS(DEFINE_REST_ONE)
