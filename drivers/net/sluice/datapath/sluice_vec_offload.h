/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The headers of batches with offloads, for all kits.
 */

#ifndef SLUICE_VEC_OFFLOAD_H
#define SLUICE_VEC_OFFLOAD_H

#include "sluice_sum.h"
#include "sluice_tx_shape.h"
#include "sluice_vec_common.h"

/* Headers with room for a hash have none where packets are sent. */
static __rte_always_inline void
sluice_vec_clear_hashes(uint8_t *const hdr[SLUICE_SUMS], const struct sluice_path_cfg cfg)
{
	unsigned int i;

#pragma GCC unroll 4
	for (i = 0; i < SLUICE_SUMS; i++)
		sluice_tx_clear_hash(hdr[i], sluice_tx_batch_hdr_len(cfg));
}

/*
 * The headers, at four addresses, of a batch of a queue with offloads. has_shape: all packets have
 * the flags of the queue's shape; if not, the queue gets another one. False: as
 * sluice_tx_write_headers().
 */
static __rte_always_inline bool
sluice_vec_write_headers(struct sluice_txq *txq, uint64_t *said, struct rte_mbuf **pkts,
		bool has_shape, uint64_t at0, uint64_t at1, uint64_t at2, uint64_t at3,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_tx_shape *s = &txq->shape;
	const size_t l3_at = sluice_tx_batch_hdr_len(cfg) + s->l2_len;
	uint8_t *const hdr[] = { (uint8_t *)(uintptr_t)at0, (uint8_t *)(uintptr_t)at1,
		(uint8_t *)(uintptr_t)at2, (uint8_t *)(uintptr_t)at3 };

	if (likely(has_shape)) {
		if (!s->asks) {
			sluice_vec_clear_headers(said, at0, at1, at2, at3);
			sluice_vec_clear_hashes(hdr, cfg);
			return true;
		}
		if (likely(sluice_tx_have_lens(s, pkts))) {
			sluice_tx_put_shape(s, hdr, l3_at, hdr, l3_at);
			sluice_vec_clear_hashes(hdr, cfg);
			return true;
		}
	}
	return sluice_tx_write_headers(txq, pkts);
}

#endif /* SLUICE_VEC_OFFLOAD_H */
