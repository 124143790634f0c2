/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <time.h>

#include <ethdev_driver.h>
#include <rte_lcore.h>

#include "sluice_dev.h"
#include "sluice_log.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

/* What a device that works takes at most before it takes its first packet. */
#define START_SECONDS 5

/*
 * Rings, descriptors and headers are on the node of the device; a core on another node fetches each line of
 * them from afar. Which core it is, the stream tells after it was asked, so one look later.
 */
static void
watch_core(const struct sluice_port *port, struct sluice_watch *w, struct sluice_queue *q,
		const char *direction)
{
	unsigned int lcore = __atomic_load_n(&q->stream.lcore, __ATOMIC_RELAXED);
	int node = lcore < RTE_MAX_LCORE ? (int)rte_lcore_to_socket_id(lcore) : port->socket;

	if (w->is_far)
		return;
	if (node == port->socket) {
		dmap_stream_ask(&q->stream);
		return;
	}
	w->is_far = true;
	SLUICE_LOG(WARNING,
			"port %u: %s queue %u is polled by lcore %u on NUMA node %d, the device is on node "
			"%d: use cores of that node (EAL: -l)",
			port->port_id, direction, q->id, lcore, node, port->socket);
}

/*
 * A device that never takes the first packet does not see the ring. DPDK's vhost library, for one, behind a
 * virtual IOMMU asks for write access to all parts of a ring, and without it waits for ever.
 */
static void
watch_start(const struct sluice_port *port, struct sluice_watch *w, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	struct timespec now;
	uint16_t nb_used = q->layout == SLUICE_SPLIT ? sluice_split_count_used(r) :
						       sluice_packed_count_used(r);

	w->is_running |= r->tail != 0 || nb_used != 0;
	if (w->is_running || sluice_ring_nb_busy(r) == 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (w->since == 0)
		w->since = now.tv_sec;
	if (now.tv_sec - w->since < START_SECONDS)
		return;
	w->is_running = true;
	SLUICE_LOG(WARNING, "port %u: transmit queue %u: the %s has taken nothing for %u s%s",
			port->port_id, q->id, port->transport->ops->peer, START_SECONDS,
			sluice_dev_has_ro_rings(port) ?
					": if it is a vhost back end that wants write access to all "
					"of the rings, give ro_rings=0" :
					"");
}

void
sluice_watch(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	bool has_nodes = dmap_numa_is_told(port->socket);
	struct sluice_queue *q;
	char who[32];
	uint16_t i;

	snprintf(who, sizeof(who), "port %u", port->port_id);
	dmap_check_nodes(port->domain, who, port->socket);
	for (i = 0; i < data->nb_rx_queues; i++) {
		q = data->rx_queues[i];
		if (has_nodes)
			watch_core(port, &port->watch[q->vq], q, "receive");
	}
	for (i = 0; i < data->nb_tx_queues; i++) {
		q = data->tx_queues[i];
		if (has_nodes)
			watch_core(port, &port->watch[q->vq], q, "transmit");
		watch_start(port, &port->watch[q->vq], q);
	}
}
