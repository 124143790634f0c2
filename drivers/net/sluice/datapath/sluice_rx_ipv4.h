/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * IPv4 header checksums of received packets, which no virtio device knows: in software, for who
 * asks. Fresh mbufs say that it is right (sluice_rxq.checks_ipv4), so nothing is written for most.
 */

#ifndef SLUICE_RX_IPV4_H
#define SLUICE_RX_IPV4_H

#include "sluice_offload.h"
#include "sluice_rxq.h"
#include "sluice_sum.h"

/* Packets of any kind. */
static __rte_always_inline void
sluice_rx_check_each_ipv4(struct rte_mbuf **pkts, uint32_t nb)
{
	uint32_t i;

	for (i = 0; i < nb; i++)
		if (unlikely(!sluice_offload_has_plain_ipv4(pkts[i])))
			sluice_offload_ipv4(pkts[i]);
}

#ifdef SLUICE_SUMS_CHECKED

static __rte_always_inline struct rte_mbuf **
sluice_rx_find_slow_one(
		struct rte_mbuf **pkts, struct rte_mbuf **end, size_t data_at, const bool is_pinned)
{
	for (; pkts != end; pkts++) {
		const uint8_t *base = is_pinned ? (*pkts)->buf_addr : (void *)*pkts;

		if (unlikely(!sluice_offload_is_plain_ipv4(base + data_at)))
			break;
	}
	return pkts;
}

static __rte_always_inline struct rte_mbuf **
sluice_rx_find_slow_group(
		struct rte_mbuf **pkts, struct rte_mbuf **end, size_t data_at, const bool is_pinned)
{
	/* The second group has some of the first one, so that the last one ends where they do. */
	size_t step = (size_t)(end - pkts - 1) % SLUICE_SUMS_CHECKED + 1;

	for (; pkts != end; pkts += step, step = SLUICE_SUMS_CHECKED)
		if (unlikely(!sluice_sum_are_ipv4(pkts, data_at, false, is_pinned)))
			break;
	return pkts;
}

/*
 * The first packet up to end that is not plain and right, or the first group of packets of which
 * one is not; or end. Calls nothing, so that it keeps nothing on a stack.
 */
static __rte_noinline struct rte_mbuf **
sluice_rx_find_slow(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, struct rte_mbuf **end)
{
	const size_t data_at = rxq->hdr_off + rxq->hdr_len + rxq->buf_off;

	if (unlikely(end - pkts < SLUICE_SUMS_CHECKED))
		return rxq->buf_off != 0 ? sluice_rx_find_slow_one(pkts, end, data_at, false) :
					   sluice_rx_find_slow_one(pkts, end, data_at, true);
	return rxq->buf_off != 0 ? sluice_rx_find_slow_group(pkts, end, data_at, false) :
				   sluice_rx_find_slow_group(pkts, end, data_at, true);
}

/* From one on that is not like that. */
static __rte_noinline void
sluice_rx_check_slow_ipv4(
		const struct sluice_rxq *rxq, struct rte_mbuf **pkts, struct rte_mbuf **end)
{
	const size_t data_at = rxq->hdr_off + rxq->hdr_len + rxq->buf_off;
	const bool is_pinned = rxq->buf_off == 0;

	for (; end - pkts >= SLUICE_SUMS_CHECKED; pkts = sluice_rx_find_slow(rxq, pkts, end)) {
		if (is_pinned ? !sluice_sum_are_ipv4(pkts, data_at, true, true) :
				!sluice_sum_are_ipv4(pkts, data_at, true, false))
			sluice_rx_check_each_ipv4(pkts, SLUICE_SUMS_CHECKED);
		pkts += SLUICE_SUMS_CHECKED;
	}
	sluice_rx_check_each_ipv4(pkts, end - pkts);
}

/* Packets that batches took: with SLUICE_SUM_LEAST bytes or more, all in one buffer each. */
static __rte_always_inline void
sluice_rx_check_ipv4(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint32_t nb)
{
	struct rte_mbuf **end = pkts + nb;

	pkts = sluice_rx_find_slow(rxq, pkts, end);
	if (unlikely(pkts != end))
		sluice_rx_check_slow_ipv4(rxq, pkts, end);
}

#else

static __rte_always_inline void
sluice_rx_check_ipv4(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint32_t nb)
{
	RTE_SET_USED(rxq);
	sluice_rx_check_each_ipv4(pkts, nb);
}

#endif

#endif /* SLUICE_RX_IPV4_H */
