/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets from the queue that received them to the queue that the table gives them: a ring for each
 * pair of queues, with one core at either end. Which core that is, is the application's business,
 * as it is with the queues themselves. Packets of a flow that come by one queue of the device stay
 * in order.
 *
 * What is in a ring is the port's no more than what the application has: no device knows of it, and
 * it stays there when one goes away. Nobody waits for anybody: a ring that is full takes no more,
 * and the packet is dropped and counted.
 */

#ifndef SLUICE_SPREAD_H
#define SLUICE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#include <rte_ring.h>

#include "sluice_rss.h"
#include "sluice_rxq.h"

/* Packets that wait for a queue at most, of each other one. */
#define SLUICE_SPREAD_ROOM 511

/* So many are put into a ring at a time. */
#define SLUICE_SPREAD_BATCH 32

/* Packets on their way to one ring; none outside of a burst. */
struct sluice_spread_out {
	struct rte_ring *ring;
	uint32_t nb;
	struct rte_mbuf *m[SLUICE_SPREAD_BATCH];
};

/* What one queue has of it. Its polling core's, but for what the control side makes. */
struct sluice_hand {
	uint16_t id;
	uint16_t nb_queues;
	uint32_t turn;                                 /* counts bursts */
	bool is_receiving;                             /* it has a queue of the device */
	struct rte_ring *in[SLUICE_SPREAD_QUEUES_MAX]; /* NULL: from itself, or from none */
	struct sluice_spread_out out[SLUICE_SPREAD_QUEUES_MAX];
};

/* nb_queues, of which the first nb_receiving have a queue of the device. */
struct sluice_spread {
	uint16_t nb_queues;
	uint16_t nb_receiving;
	struct sluice_hand *hands; /* of each queue */
	char *rings;
	size_t ring_len;
};

/* Bytes of memory for one, to a multiple of cache lines. */
size_t sluice_spread_size(uint16_t nb_queues, uint16_t nb_receiving);
/* In such memory, which is aligned to cache lines and zeroed. */
struct sluice_spread *sluice_spread_init(void *mem, uint16_t nb_queues, uint16_t nb_receiving);
struct sluice_hand *sluice_spread_hand(const struct sluice_spread *s, uint16_t id);
/*
 * Give back what is in the rings; returns how many packets. No core is in a burst, and the calling
 * thread may put into the packets' pools.
 */
uint32_t sluice_spread_drain(struct sluice_spread *s);

/* Packets that wait for a queue. Any thread, as long as the rings are there. */
uint32_t sluice_spread_count(const struct sluice_hand *hand);

/* At most nb packets that others have for the queue. */
uint16_t sluice_spread_take(struct sluice_rxq *rxq, struct sluice_hand *hand,
		struct rte_mbuf **pkts, uint16_t nb);
/*
 * Of nb packets that the queue received, hand those of other queues over, as rss and mbuf.hash.rss
 * say. What has no hash stays. Returns how many are its own, which close up.
 */
uint16_t sluice_spread_give(struct sluice_rxq *rxq, struct sluice_hand *hand,
		const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb);
/* The same, but what a rule of rss->flows says comes first. */
uint16_t sluice_spread_give_by_rules(struct sluice_rxq *rxq, struct sluice_hand *hand,
		const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb);

#endif /* SLUICE_SPREAD_H */
