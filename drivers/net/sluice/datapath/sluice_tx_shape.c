/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "sluice_sum.h"
#include "sluice_tx_shape.h"

/* The shape of a packet whose header could be written. */
static void
find_shape(struct sluice_tx_shape *s, const struct rte_mbuf *m)
{
	const uint64_t flags = m->ol_flags & SLUICE_TX_SHAPE_FLAGS;
	const struct sluice_tx_csum c = sluice_tx_csums[SLUICE_TX_CSUM_BITS(flags)];
	const bool asks = (flags & SLUICE_TX_BATCH_FLAGS) != 0;

	*s = (struct sluice_tx_shape){ .flags = flags, .asks = asks };
	if (!asks)
		return;
	s->lens = sluice_tx_lens(m);
	s->data_min = m->l2_len + m->l3_len + c.end;
	s->l2_len = m->l2_len;
	s->has_ipv4 = (flags & RTE_MBUF_F_TX_IP_CKSUM) != 0;
	s->word = sluice_tx_header_word(c, m->l2_len + m->l3_len);
	s->csum_offset = c.offset;
}

bool
sluice_tx_write_headers(struct sluice_txq *txq, struct rte_mbuf **pkts)
{
	const size_t len = txq->hdr_len;
	uint64_t any = pkts[0]->ol_flags | pkts[1]->ol_flags | pkts[2]->ol_flags |
			pkts[3]->ol_flags;
	unsigned int i;

	if (unlikely((any & txq->slow_flags) != 0))
		return false;
	for (i = 0; i < SLUICE_TX_ALIKE; i++)
		if (!sluice_tx_write_header(pkts[i], len))
			return false;
	find_shape(&txq->shape, pkts[3]);
	return true;
}

bool
sluice_tx_write_header_of_copy(struct sluice_txq *txq, const struct rte_mbuf *m, char *data)
{
	if (unlikely((m->ol_flags & txq->slow_flags) != 0) ||
			!sluice_tx_write_header_at(m, data, SLUICE_NET_HDR_LEN))
		return false;
	find_shape(&txq->shape, m);
	return true;
}

#ifdef SLUICE_SUMS

static_assert(SLUICE_TX_ALIKE == SLUICE_SUMS, "as many at a time");

/* Has it these flags and lengths, so much data, one segment, and nobody else who holds it? */
static __rte_always_inline bool
is_alike(const struct rte_mbuf *m, uint32_t flags, uint16_t lens, uint16_t data_min)
{
	return sluice_tx_upper_flags(m) == flags && sluice_tx_lens(m) == lens &&
			m->data_len >= data_min && sluice_tx_is_single(m, false);
}

uint32_t
sluice_tx_prepare_alike(struct rte_mbuf **pkts, uint32_t nb)
{
	const bool is_ipv6 = (pkts[0]->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	const uint32_t flags = sluice_tx_upper_flags(pkts[0]);
	const uint16_t lens = sluice_tx_lens(pkts[0]);
	uint8_t *data[SLUICE_SUMS];
	struct sluice_tx_csum c;
	uint32_t i, l2, l3, more;
	uint16_t data_min;
	size_t n, csum_at;

	if (!sluice_tx_is_common(pkts[0], &c, &l2, &l3))
		return 0;
	data_min = l2 + l3 + c.end;
	csum_at = l2 + l3 + c.offset;
	/* In ones' complement the inverse of a word is what has to be added to subtract it. */
	more = rte_cpu_to_be_16(c.proto) + (uint16_t)~rte_cpu_to_be_16(l3);
	if (is_ipv6)
		more += rte_cpu_to_be_16(sizeof(struct rte_ipv6_hdr));
	for (n = 0; n + SLUICE_SUMS <= nb; n += SLUICE_SUMS) {
#pragma GCC unroll 4
		for (i = 0; i < SLUICE_SUMS; i++) {
			if (unlikely(!is_alike(pkts[n + i], flags, lens, data_min)))
				return n;
			data[i] = rte_pktmbuf_mtod(pkts[n + i], uint8_t *);
		}
		sluice_sum_pseudo_headers(data, is_ipv6, l2, more, csum_at);
	}
	return n;
}

#else

uint32_t
sluice_tx_prepare_alike(struct rte_mbuf **pkts, uint32_t nb)
{
	RTE_SET_USED(pkts);
	RTE_SET_USED(nb);
	return 0;
}

#endif
