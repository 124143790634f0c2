/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The hash of a packet as the device computed it (HASH_REPORT). It is a number that is believed:
 * the application may spread its work by it, memory does not depend on it.
 */

#include "sluice_offload.h"
#include "sluice_rxq.h"

/* Value in the low half, then the type; see struct sluice_net_hdr_hash. */
#define TYPE_ONE (1ULL << 32)
/* What the type of none, or of one beyond eight, has here when it is less by one. */
#define TYPE_OVER ((uint64_t)(UINT16_MAX & ~7) << 32)

static __rte_always_inline const struct sluice_net_hdr_hash *
header_of(const struct rte_mbuf *m)
{
	return (const void *)((const char *)m->buf_addr + sluice_rx_hdr_off(true));
}

/* A packet that has the flag: does it deserve it? */
static void
check_type(struct rte_mbuf *m)
{
	uint16_t type = rte_atomic_load_explicit(
			&header_of(m)->hash_report, rte_memory_order_relaxed);

	if (type - 1u < SLUICE_NET_HASH_REPORT_MAX)
		return;
	m->hash.rss = 0;
	m->ol_flags &= ~RTE_MBUF_F_RX_RSS_HASH;
}

void
sluice_offload_hashes(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	/* By NEEDS_CSUM and DATA_VALID. What is partial is not right, whatever else is said. */
	static const uint64_t flags[] = { RTE_MBUF_F_RX_RSS_HASH, RTE_MBUF_F_RX_RSS_HASH,
		RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_RSS_HASH };
	const uint8_t mask = rxq->flags_mask;
	uint64_t word, over = 0;
	uint16_t i;

	static_assert(SLUICE_NET_HDR_F_NEEDS_CSUM == 1 && SLUICE_NET_HDR_F_DATA_VALID == 2,
			"bits of the index");
	static_assert(offsetof(struct sluice_net_hdr_hash, hash_report) ==
					offsetof(struct sluice_net_hdr_hash, hash_value) + 4,
			"read at once");
	/* Nearly all have a hash of types one to eight; the others are looked at again. */
#pragma GCC unroll 4
	for (i = 0; i < nb; i++) {
		struct rte_mbuf *m = pkts[i];
		const struct sluice_net_hdr_hash *dv_hdr = header_of(m);
		uint8_t said = rte_atomic_load_explicit(
				&dv_hdr->hdr.flags, rte_memory_order_relaxed);

		memcpy(&word, &dv_hdr->hash_value, sizeof(word));
		m->hash.rss = word;
		m->ol_flags |= flags[said & mask];
		over |= word - TYPE_ONE;
	}
	if (likely((over & TYPE_OVER) == 0))
		return;
	for (i = 0; i < nb; i++)
		check_type(pkts[i]);
}
