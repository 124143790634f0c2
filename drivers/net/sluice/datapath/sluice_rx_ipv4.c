/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, which no virtio device knows (5.1.6.4): in software, for who asks,
 * and in a burst function of its own, so that nobody else pays.
 */

#include "sluice_offload.h"
#include "sluice_path.h"

uint16_t
sluice_rx_burst_ipv4(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct sluice_rxq *rxq = queue;
	/* The control thread may change it meanwhile: the old path receives nothing then. */
	const struct sluice_rx_path *path = __atomic_load_n(&rxq->path, __ATOMIC_RELAXED);
	uint16_t nb_rx = path->burst(queue, pkts, nb_pkts), i;

	for (i = 0; i < nb_rx; i++)
		sluice_offload_ipv4(pkts[i]);
	return nb_rx;
}
