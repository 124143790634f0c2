/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Statistics: basic and per-queue ones, extended ones, the private dump. All are counters that the
 * polling cores own; reading them while they run gives values of about now.
 */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"

struct counter {
	const char *name;
	size_t offset;
};

#define RXQ_COUNTER(name, field) \
	{ \
		name, offsetof(struct sluice_rxq, field) \
	}
#define TXQ_COUNTER(name, field) \
	{ \
		name, offsetof(struct sluice_txq, field) \
	}
#define PORT_COUNTER(name, field) \
	{ \
		name, offsetof(struct sluice_port, field) \
	}

/* Names: direction_qN_detail_unit. Packets and bytes of queues come from the basic statistics. */
static const struct counter rxq_counters[] = {
	RXQ_COUNTER("runt_errors", nb_runts),
	RXQ_COUNTER("bad_header_errors", nb_bad_hdr),
	RXQ_COUNTER("multi_buffer_packets", nb_multi),
	RXQ_COUNTER("mbuf_alloc_errors", nb_alloc_failed),
	RXQ_COUNTER("kicks", q.ring.nb_kicks),
	RXQ_COUNTER("suppressed_kicks", q.ring.nb_suppressed),
	RXQ_COUNTER("dma_map_misses", q.stream.nb_misses),
};

static const struct counter txq_counters[] = {
	TXQ_COUNTER("unmapped_errors", nb_unmapped),
	TXQ_COUNTER("oversize_errors", nb_oversize),
	TXQ_COUNTER("indirect_packets", nb_indirect),
	TXQ_COUNTER("chained_packets", nb_chained),
	TXQ_COUNTER("ring_full_packets", nb_ring_full),
	TXQ_COUNTER("waiting_packets", nb_waiting),
	TXQ_COUNTER("kicks", q.ring.nb_kicks),
	TXQ_COUNTER("suppressed_kicks", q.ring.nb_suppressed),
	TXQ_COUNTER("dma_map_misses", q.stream.nb_misses),
};

static const struct counter port_counters[] = {
	PORT_COUNTER("device_failures", nb_failures),
	PORT_COUNTER("device_connects", nb_connects),
	PORT_COUNTER("tx_lost_packets", nb_tx_lost),
	PORT_COUNTER("unacked_buffers", park.nb_unacked),
};

/* Not counters but sizes: dma_maps, dma_bytes. */
#define NB_DMA 2

static uint64_t *
counter_of(void *base, const struct counter *c)
{
	return (uint64_t *)((char *)base + c->offset);
}

int
sluice_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	uint64_t nombuf = 0;
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct sluice_rxq *rxq = dev->data->rx_queues[i];

		if (rxq == NULL)
			continue;
		stats->ipackets += rxq->q.stats.packets;
		stats->ibytes += rxq->q.stats.bytes;
		stats->ierrors += rxq->q.stats.errors;
		nombuf += rxq->nb_alloc_failed;
		if (i < RTE_ETHDEV_QUEUE_STAT_CNTRS) {
			stats->q_ipackets[i] = rxq->q.stats.packets;
			stats->q_ibytes[i] = rxq->q.stats.bytes;
			stats->q_errors[i] = rxq->q.stats.errors;
		}
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		const struct sluice_txq *txq = dev->data->tx_queues[i];

		if (txq == NULL)
			continue;
		stats->opackets += txq->q.stats.packets;
		stats->obytes += txq->q.stats.bytes;
		stats->oerrors += txq->q.stats.errors;
		if (i < RTE_ETHDEV_QUEUE_STAT_CNTRS) {
			stats->q_opackets[i] = txq->q.stats.packets;
			stats->q_obytes[i] = txq->q.stats.bytes;
		}
	}
	stats->rx_nombuf = nombuf;
	return 0;
}

static void
reset_counters(void *base, const struct counter *c, unsigned int nb)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		*counter_of(base, &c[i]) = 0;
}

int
sluice_stats_reset(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct sluice_rxq *rxq = dev->data->rx_queues[i];

		if (rxq == NULL)
			continue;
		memset(&rxq->q.stats, 0, sizeof(rxq->q.stats));
		reset_counters(rxq, rxq_counters, RTE_DIM(rxq_counters));
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		struct sluice_txq *txq = dev->data->tx_queues[i];

		if (txq == NULL)
			continue;
		memset(&txq->q.stats, 0, sizeof(txq->q.stats));
		reset_counters(txq, txq_counters, RTE_DIM(txq_counters));
	}
	reset_counters(port, port_counters, RTE_DIM(port_counters));
	return 0;
}

static unsigned int
nb_xstats(const struct rte_eth_dev *dev)
{
	return dev->data->nb_rx_queues * RTE_DIM(rxq_counters) +
			dev->data->nb_tx_queues * RTE_DIM(txq_counters) + RTE_DIM(port_counters) +
			NB_DMA;
}

int
sluice_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n)
{
	static const char *const dma_names[NB_DMA] = { "dma_maps", "dma_bytes" };
	unsigned int at = 0, i, c;

	if (names == NULL || n < nb_xstats(dev))
		return nb_xstats(dev);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		for (c = 0; c < RTE_DIM(rxq_counters); c++)
			snprintf(names[at++].name, sizeof(names[0].name), "rx_q%u_%s", i,
					rxq_counters[c].name);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		for (c = 0; c < RTE_DIM(txq_counters); c++)
			snprintf(names[at++].name, sizeof(names[0].name), "tx_q%u_%s", i,
					txq_counters[c].name);
	for (c = 0; c < RTE_DIM(port_counters); c++)
		strlcpy(names[at++].name, port_counters[c].name, sizeof(names[0].name));
	for (c = 0; c < NB_DMA; c++)
		strlcpy(names[at++].name, dma_names[c], sizeof(names[0].name));
	return at;
}

/* Values of one object's counters, behind those that are there already. */
static unsigned int
add_values(struct rte_eth_xstat *xstats, unsigned int at, void *base, const struct counter *c,
		unsigned int nb)
{
	unsigned int i;

	for (i = 0; i < nb; i++, at++)
		xstats[at] = (struct rte_eth_xstat){ .id = at,
			.value = base == NULL ? 0 : *counter_of(base, &c[i]) };
	return at;
}

int
sluice_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	struct sluice_port *port = sluice_port_of(dev);
	unsigned int at = 0, i;

	if (xstats == NULL || n < nb_xstats(dev))
		return nb_xstats(dev);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		at = add_values(xstats, at, dev->data->rx_queues[i], rxq_counters,
				RTE_DIM(rxq_counters));
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		at = add_values(xstats, at, dev->data->tx_queues[i], txq_counters,
				RTE_DIM(txq_counters));
	at = add_values(xstats, at, port, port_counters, RTE_DIM(port_counters));
	xstats[at] = (struct rte_eth_xstat){ .id = at, .value = dmap_nb_maps(port->domain) };
	at++;
	xstats[at] = (struct rte_eth_xstat){ .id = at, .value = dmap_bytes(port->domain) };
	return at + 1;
}

static void
dump_queue(FILE *f, const char *direction, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;

	fprintf(f, "  %s queue %u: state %u ring %u head %u tail %u free %u holes %u lent %u lcore %d failure: %s\n",
			direction, q->id, q->state, r->size, r->head, r->tail, r->nb_free,
			r->nb_holes, q->stream.nb_lent, (int)q->stream.lcore,
			sluice_fail_name(q->fail));
}

int
sluice_priv_dump(struct rte_eth_dev *dev, FILE *f)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct dmap_region regions[16];
	unsigned int nb, i;

	fprintf(f, "transport %s %s %s NUMA node %d failure: %s\n", port->transport->ops->name,
			port->label, sluice_life_name(port->life), port->socket,
			sluice_fail_name(port->failure));
	fprintf(f, "features 0x%" PRIx64 " offered 0x%" PRIx64 "\n", port->features,
			port->info.features);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		if (dev->data->rx_queues[i] != NULL)
			dump_queue(f, "receive", dev->data->rx_queues[i]);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		if (dev->data->tx_queues[i] != NULL)
			dump_queue(f, "transmit", dev->data->tx_queues[i]);
	nb = dmap_regions(port->domain, regions, RTE_DIM(regions));
	fprintf(f, "memory shown to the device: %u regions, %" PRIu64 " bytes\n", nb,
			dmap_bytes(port->domain));
	for (i = 0; i < RTE_MIN(nb, RTE_DIM(regions)); i++)
		fprintf(f, "  va 0x%" PRIxPTR " device 0x%" PRIx64 " length 0x%zx\n", regions[i].va,
				regions[i].da.v, regions[i].len);
	return 0;
}
