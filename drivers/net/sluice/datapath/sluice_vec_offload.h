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

/*
 * Net headers at four addresses, with their data behind, and IPv4 checksums of packets that have
 * the flags of a shape that asks for something. False: a packet has other lengths; nothing was
 * changed.
 */
static __rte_always_inline bool
sluice_tx_put_headers(const struct sluice_tx_shape *s, struct rte_mbuf *const *m,
		uint8_t *const hdr[SLUICE_SUMS], const struct sluice_path_cfg cfg)
{
	const uint32_t csum_offset = s->csum_offset;
	const uint64_t word = s->word;
	const size_t l3_at = sluice_tx_batch_hdr_len(cfg) + s->l2_len;
	unsigned int i;

	if (unlikely(!sluice_tx_has_lens(s, m[0]) || !sluice_tx_has_lens(s, m[1]) ||
			    !sluice_tx_has_lens(s, m[2]) || !sluice_tx_has_lens(s, m[3])))
		return false;
	if (s->has_ipv4)
		sluice_sum_ipv4_headers(hdr, l3_at, hdr, l3_at);
#pragma GCC unroll 4
	for (i = 0; i < SLUICE_SUMS; i++) {
		*sluice_word_at(hdr[i], 0) = word;
		/* csum_offset; num_buffers is 0 (5.1.6.2.1). */
		memcpy(hdr[i] + sizeof(word), &csum_offset, sizeof(csum_offset));
	}
	return true;
}

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
	uint8_t *const hdr[] = { (uint8_t *)(uintptr_t)at0, (uint8_t *)(uintptr_t)at1,
		(uint8_t *)(uintptr_t)at2, (uint8_t *)(uintptr_t)at3 };

	if (likely(has_shape)) {
		if (!s->asks) {
			sluice_vec_clear_headers(said, at0, at1, at2, at3);
			sluice_vec_clear_hashes(hdr, cfg);
			return true;
		}
		if (likely(sluice_tx_put_headers(s, pkts, hdr, cfg))) {
			sluice_vec_clear_hashes(hdr, cfg);
			return true;
		}
	}
	return sluice_tx_write_headers(txq, pkts);
}

#endif /* SLUICE_VEC_OFFLOAD_H */
