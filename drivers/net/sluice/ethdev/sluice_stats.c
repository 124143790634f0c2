/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Statistics: basic and per-queue ones, extended ones, the private dump. All are counters that the
 * polling cores own; reading them while they run gives values of about now. A reset writes none of
 * them.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"

/* Named ones are extended statistics; the others come first, in the order of enum basic. */
struct counter {
	const char *name;
	size_t offset;
};

enum basic { PACKETS, BYTES, ERRORS, NB_BASIC };

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
		name, offsetof(struct sluice_shared, field) \
	}
#define BASIC_COUNTER(field) \
	{ \
		NULL, offsetof(struct sluice_queue, stats.field) \
	}

/* Names: direction_qN_detail_unit. Packets and bytes of queues come from the basic statistics. */
static const struct counter rxq_counters[] = {
	BASIC_COUNTER(packets),
	BASIC_COUNTER(bytes),
	BASIC_COUNTER(errors),
#define ALLOC_ERRORS NB_BASIC
	RXQ_COUNTER("mbuf_alloc_errors", nb_alloc_failed),
	RXQ_COUNTER("runt_errors", nb_runts),
	RXQ_COUNTER("bad_header_errors", nb_bad_hdr),
	RXQ_COUNTER("segmentation_errors", nb_bad_gso),
	RXQ_COUNTER("scatter_errors", nb_scattered),
	RXQ_COUNTER("multi_buffer_packets", nb_multi),
	RXQ_COUNTER("lro_packets", nb_lro),
	RXQ_COUNTER("zero_num_buffers", nb_zero_num_buffers),
	RXQ_COUNTER("spread_full_errors", nb_spread_full),
	RXQ_COUNTER("handed_packets", nb_handed),
	RXQ_COUNTER("kicks", q.ring.nb_kicks),
	RXQ_COUNTER("suppressed_kicks", q.ring.nb_suppressed),
	RXQ_COUNTER("dma_map_misses", q.stream.nb_misses),
	RXQ_COUNTER("flow_dropped_packets", nb_flow_dropped),
};

static const struct counter spread_counters[] = {
	RXQ_COUNTER(NULL, delivered.packets),
	RXQ_COUNTER(NULL, delivered.bytes),
};

static const struct counter txq_counters[] = {
	BASIC_COUNTER(packets),
	BASIC_COUNTER(bytes),
	BASIC_COUNTER(errors),
	TXQ_COUNTER("unmapped_errors", nb_unmapped),
	TXQ_COUNTER("oversize_errors", nb_oversize),
	TXQ_COUNTER("offload_flag_errors", nb_faults[SLUICE_TX_BAD_FLAGS]),
	TXQ_COUNTER("offload_length_errors", nb_faults[SLUICE_TX_BAD_LENGTHS]),
	TXQ_COUNTER("split_header_errors", nb_faults[SLUICE_TX_BAD_SPLIT]),
	TXQ_COUNTER("segmentation_errors", nb_faults[SLUICE_TX_BAD_GSO]),
	TXQ_COUNTER("vlan_errors", nb_faults[SLUICE_TX_BAD_VLAN]),
	TXQ_COUNTER("indirect_packets", nb_indirect),
	TXQ_COUNTER("chained_packets", nb_chained),
	TXQ_COUNTER("ring_full_packets", nb_ring_full),
	TXQ_COUNTER("waiting_packets", nb_waiting),
	TXQ_COUNTER("kicks", q.ring.nb_kicks),
	TXQ_COUNTER("suppressed_kicks", q.ring.nb_suppressed),
	TXQ_COUNTER("dma_map_misses", q.stream.nb_misses),
	TXQ_COUNTER("bounced_packets", nb_bounced),
};

static const struct counter port_counters[] = {
	PORT_COUNTER("device_failures", nb_failures),
	PORT_COUNTER("device_connects", nb_connects),
	PORT_COUNTER("tx_lost_packets", nb_tx_lost),
	PORT_COUNTER("rx_lost_packets", nb_rx_lost),
	PORT_COUNTER("unacked_buffers", nb_unacked),
	PORT_COUNTER("stranded_buffers", nb_stranded),
	PORT_COUNTER("announced_packets", nb_announced),
	PORT_COUNTER("path_changes", nb_path_changes),
};

/* Of ports whose device has DEVICE_STATS. */
static const struct counter device_counters[] = {
	PORT_COUNTER("device_rx_notifications", device_rx[0]),
	PORT_COUNTER("device_rx_packets", device_rx[1]),
	PORT_COUNTER("device_rx_bytes", device_rx[2]),
	PORT_COUNTER("device_rx_drops", device_rx[3]),
	PORT_COUNTER("device_rx_overrun_drops", device_rx[4]),
	PORT_COUNTER("device_tx_notifications", device_tx[0]),
	PORT_COUNTER("device_tx_packets", device_tx[1]),
	PORT_COUNTER("device_tx_bytes", device_tx[2]),
	PORT_COUNTER("device_tx_drops", device_tx[3]),
	PORT_COUNTER("device_tx_malformed_drops", device_tx[4]),
};
static_assert(RTE_DIM(device_counters) == 2 * SLUICE_DEVICE_COUNTERS, "one for each");

/* These do not count from a reset on. */
static const struct counter port_sizes[] = {
	PORT_COUNTER("dma_maps", dma_maps),
	PORT_COUNTER("dma_bytes", dma_bytes),
	PORT_COUNTER("dma_debug_reports", nb_dma_reports),
};

static_assert(RTE_DIM(rxq_counters) <= SLUICE_COUNTERS_MAX &&
				RTE_DIM(txq_counters) <= SLUICE_COUNTERS_MAX &&
				RTE_DIM(port_counters) <= SLUICE_COUNTERS_MAX,
		"room to remember each");

/*
 * A counter is a word that one core writes, plainly: a reader gets a value of about now. An atomic
 * store would cost no instruction but keep compilers from counting in registers, so ThreadSanitizer
 * does not look here.
 */
static __attribute__((no_sanitize("thread"))) uint64_t
now(const void *base, const struct counter *c)
{
	return rte_atomic_load_explicit((const uint64_t *)((const char *)base + c->offset),
			rte_memory_order_relaxed);
}

/*
 * Since the last reset. The counters belong to the polling cores, which neither lock nor see a
 * reset: what they said then is subtracted here. Who reads while another resets has an old value
 * and a new base; so no difference below 0.
 */
static uint64_t
value_of(const void *base, const uint64_t *reset_at, const struct counter *c)
{
	uint64_t value = now(base, c),
		 then = rte_atomic_load_explicit(reset_at, rte_memory_order_relaxed);

	return value > then ? value - then : 0;
}

/* What reaches the application is counted behind the rings where packets are spread. */
static const struct counter *
counter_of(const struct sluice_rxq *rxq, unsigned int i)
{
	return i < RTE_DIM(spread_counters) && rxq->is_spread ? &spread_counters[i] :
								&rxq_counters[i];
}

/* A queue that is configured and not set up has counted nothing. */
static uint64_t
rxq_value(const struct sluice_rxq *rxq, unsigned int i)
{
	return rxq == NULL ? 0 : value_of(rxq, &rxq->reset_at[i], counter_of(rxq, i));
}

static uint64_t
txq_value(const struct sluice_txq *txq, unsigned int i)
{
	return txq == NULL ? 0 : value_of(txq, &txq->reset_at[i], &txq_counters[i]);
}

static void
add_rxq(struct rte_eth_stats *stats, struct eth_queue_stats *queues, const struct sluice_rxq *rxq,
		uint16_t i)
{
	uint64_t packets = rxq_value(rxq, PACKETS), bytes = rxq_value(rxq, BYTES);
	uint64_t errors = rxq_value(rxq, ERRORS);

	stats->ipackets += packets;
	stats->ibytes += bytes;
	stats->ierrors += errors;
	stats->rx_nombuf += rxq_value(rxq, ALLOC_ERRORS);
	if (queues == NULL || i >= RTE_ETHDEV_QUEUE_STAT_CNTRS)
		return;
	queues->q_ipackets[i] = packets;
	queues->q_ibytes[i] = bytes;
	queues->q_errors[i] = errors;
}

static void
add_txq(struct rte_eth_stats *stats, struct eth_queue_stats *queues, const struct sluice_txq *txq,
		uint16_t i)
{
	uint64_t packets = txq_value(txq, PACKETS), bytes = txq_value(txq, BYTES);

	stats->opackets += packets;
	stats->obytes += bytes;
	stats->oerrors += txq_value(txq, ERRORS);
	if (queues == NULL || i >= RTE_ETHDEV_QUEUE_STAT_CNTRS)
		return;
	queues->q_opackets[i] = packets;
	queues->q_obytes[i] = bytes;
}

int
sluice_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *queues)
{
	uint16_t i;

	stats->rx_nombuf = 0;
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		add_rxq(stats, queues, dev->data->rx_queues[i], i);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		add_txq(stats, queues, dev->data->tx_queues[i], i);
	return 0;
}

static void
remember(const void *base, uint64_t *reset_at, const struct counter *c, unsigned int nb)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		rte_atomic_store_explicit(&reset_at[i], now(base, &c[i]), rte_memory_order_relaxed);
}

int
sluice_stats_reset(struct rte_eth_dev *dev)
{
	struct sluice_shared *shared = sluice_shared_of(dev);
	unsigned int c;
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct sluice_rxq *rxq = dev->data->rx_queues[i];

		for (c = 0; rxq != NULL && c < RTE_DIM(rxq_counters); c++)
			remember(rxq, &rxq->reset_at[c], counter_of(rxq, c), 1);
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		struct sluice_txq *txq = dev->data->tx_queues[i];

		if (txq != NULL)
			remember(txq, txq->reset_at, txq_counters, RTE_DIM(txq_counters));
	}
	remember(shared, shared->reset_at, port_counters, RTE_DIM(port_counters));
	remember(shared, shared->device_reset_at, device_counters, RTE_DIM(device_counters));
	return 0;
}

/*
 * Where extended statistics go: one of the two, or none to count them. There may be more of them
 * than when the caller asked how many, as a device has come that counts by itself.
 */
struct sheet {
	struct rte_eth_xstat_name *names;
	struct rte_eth_xstat *values;
	unsigned int room, nb;
};

static void __rte_format_printf(3, 4)
		write_entry(struct sheet *s, uint64_t value, const char *fmt, ...)
{
	va_list args;

	if (s->names != NULL && s->nb < s->room) {
		va_start(args, fmt);
		vsnprintf(s->names[s->nb].name, sizeof(s->names[0].name), fmt, args);
		va_end(args);
	}
	if (s->values != NULL && s->nb < s->room)
		s->values[s->nb] = (struct rte_eth_xstat){ .id = s->nb, .value = value };
	s->nb++;
}

static bool
is_error(const char *name)
{
	static const char end[] = "_errors";
	size_t len = strlen(name);

	return len >= sizeof(end) - 1 && strcmp(name + len - (sizeof(end) - 1), end) == 0;
}

static void
write_queues(struct sheet *s, const struct rte_eth_dev_data *data, bool errors)
{
	unsigned int i, c;

	for (i = 0; i < data->nb_rx_queues; i++)
		for (c = NB_BASIC; c < RTE_DIM(rxq_counters); c++)
			if (is_error(rxq_counters[c].name) == errors)
				write_entry(s, rxq_value(data->rx_queues[i], c), "rx_q%u_%s", i,
						rxq_counters[c].name);
	for (i = 0; i < data->nb_tx_queues; i++)
		for (c = NB_BASIC; c < RTE_DIM(txq_counters); c++)
			if (is_error(txq_counters[c].name) == errors)
				write_entry(s, txq_value(data->tx_queues[i], c), "tx_q%u_%s", i,
						txq_counters[c].name);
}

/*
 * The most important first: what shows them may have room for some only, as DPDK's telemetry has
 * for 256.
 */
static void
write_sheet(struct sheet *s, const struct rte_eth_dev *dev)
{
	const struct sluice_shared *shared = sluice_shared_of(dev);
	bool has_device_stats = rte_atomic_load_explicit(
			&shared->has_device_stats, rte_memory_order_relaxed);
	unsigned int i;

	for (i = 0; i < RTE_DIM(port_counters); i++)
		write_entry(s, value_of(shared, &shared->reset_at[i], &port_counters[i]), "%s",
				port_counters[i].name);
	for (i = 0; i < RTE_DIM(port_sizes); i++)
		write_entry(s, now(shared, &port_sizes[i]), "%s", port_sizes[i].name);
	write_queues(s, dev->data, true);
	write_queues(s, dev->data, false);
	for (i = 0; has_device_stats && i < RTE_DIM(device_counters); i++)
		write_entry(s, value_of(shared, &shared->device_reset_at[i], &device_counters[i]),
				"%s", device_counters[i].name);
}

int
sluice_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n)
{
	struct sheet s = { .names = names, .room = n };

	write_sheet(&s, dev);
	return s.nb;
}

int
sluice_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	struct sheet s = { .values = xstats, .room = n };

	rte_atomic_store_explicit(
			&sluice_shared_of(dev)->wants_device_stats, 1, rte_memory_order_relaxed);
	/* A secondary process has what the control thread of the primary one saw last. */
	if (rte_eal_process_type() == RTE_PROC_PRIMARY)
		sluice_port_tell_sizes(sluice_port_of(dev));
	write_sheet(&s, dev);
	return s.nb;
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
	fprintf(f, "features %s offered %s\n", sluice_features_text(port->features).text,
			sluice_features_text(port->info.features).text);
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
