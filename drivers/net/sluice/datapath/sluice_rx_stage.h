/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What no virtio device does, in software, for who asks: VLAN tags that are taken off, packet types
 * (virtio knows neither, 5.1.6.4), the RSS hash, and spreading packets by it, or by rules. Burst
 * functions of their own around that of the port's path, so that nobody else pays. With packet
 * types, or with rules, which cost more than most, there is but one each: it asks the queue what
 * else is to be done.
 */

#ifndef SLUICE_RX_STAGE_H
#define SLUICE_RX_STAGE_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct sluice_rss_kit;
struct sluice_rx_path;
struct sluice_rxq;

/* What is asked for. */
struct sluice_rx_stage {
	bool has_vlan;  /* RTE_ETH_RX_OFFLOAD_VLAN_STRIP; may change while the port runs: atomic */
	bool has_hash;  /* sluice_rxq.rss is set */
	bool is_spread; /* and sluice_rxq.hand, of all queues */
	bool has_flows; /* and rules say where packets go (sluice_flow.h); as has_vlan: atomic */
	/* RTE_PTYPE_*_MASK that mbuf.packet_type tells of; as has_vlan may change: atomic */
	uint32_t ptypes;
};

typedef uint16_t (*sluice_rx_stage_fn)(void *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts);

/* The function that does it; NULL: nothing is asked for. For the queue's polling core. */
sluice_rx_stage_fn sluice_rx_stage_burst(const struct sluice_rx_stage *stage);
/* What queues see of it from now on that point to shown. */
void sluice_rx_stage_show(struct sluice_rx_stage *shown, const struct sluice_rx_stage *stage);
bool sluice_rx_stage_is_burst(sluice_rx_stage_fn burst);

/*
 * What the control side wrote to rxq->rss or rxq->hand before is all that the queue's core uses
 * from now on: it is not inside, or has left since. sluice_queue_fence() comes first, once for all
 * queues. -ETIMEDOUT: it does not leave before the deadline (sluice_clock_ms()).
 */
int sluice_rx_stage_pass(struct sluice_rxq *rxq, int64_t deadline);

/* The functions that a secondary process has: those that queues name are the primary one's. */
struct sluice_rx_own {
	struct sluice_rx_stage stage;
	const struct sluice_rx_path *path; /* NULL: no rings are here */
	const struct sluice_rss_kit *kit;
};

/* Burst of a secondary process's core, which the caller has let into the queue (sluice_visit.h). */
uint16_t sluice_rx_stage_visit(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_rx_own *own);
/* Packets that other queues have for this one; called as the former. */
uint32_t sluice_rx_stage_nb_waiting(struct sluice_rxq *rxq);
/*
 * The process whose core was let in is dead: nobody is inside any more. True if it died in the
 * midst of the stage.
 */
bool sluice_rx_stage_bury(struct sluice_rxq *rxq);

#endif /* SLUICE_RX_STAGE_H */
