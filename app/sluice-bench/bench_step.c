/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The stepping loop. A driver may complete transmitted packets a whole ring at a time, so cost is
 * summed over whole laps of the ring (a segment) and the median is taken over segments: one burst's
 * median would hide the lap's price, a mean would count the timer interrupts.
 */
#include "bench_step.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include "bench_stats.h"
#include "null_server.h"

#define MIN_SEGMENT_BURSTS 64
#define WARM_LAPS 8
#define DRAIN_POLLS 1000

static inline uint64_t
tsc_fenced(void)
{
#ifdef RTE_ARCH_X86
	uint32_t lo, hi;

	/* the first fence: all before has finished; the second: nothing after has begun */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
#else
	return rte_rdtsc_precise();
#endif
}

uint16_t
bench_meter_tsc(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint64_t start = tsc_fenced();
	const uint16_t done = fn(queue, pkts, nb);

	*cost += tsc_fenced() - start;
	return done;
}

uint32_t
bench_pair_cycles(void)
{
	double sample[1001];
	unsigned int i;

	for (i = 0; i < RTE_DIM(sample); i++) {
		const uint64_t start = tsc_fenced();

		sample[i] = tsc_fenced() - start;
	}
	return (uint32_t)bench_median(sample, RTE_DIM(sample));
}

unsigned int
bench_lap_bursts(const struct bench_opts *opts)
{
	return (opts->queues.v[0] + opts->bursts.v[0] - 1) / opts->bursts.v[0];
}

unsigned int
bench_segment_bursts(const struct bench_opts *opts)
{
	const unsigned int lap = bench_lap_bursts(opts);

	return lap * ((MIN_SEGMENT_BURSTS + lap - 1) / lap);
}

/* Packets of `nb_segs` mbufs each, from the pool's mbufs in `m`, into `pkts`. */
static void
build_packets(const struct bench_port *port, struct rte_mbuf **m, struct rte_mbuf **pkts,
		uint16_t nb, unsigned int nb_segs)
{
	const uint16_t rest = port->frame_len / nb_segs;
	uint16_t i;
	unsigned int k;

	for (i = 0; i < nb; i++, m += nb_segs) {
		pkts[i] = m[0];
		m[0]->pkt_len = port->frame_len;
		m[0]->data_len = port->frame_len - rest * (nb_segs - 1);
		m[0]->nb_segs = nb_segs;
		for (k = 1; k < nb_segs; k++) {
			m[k]->data_len = rest;
			m[k - 1]->next = m[k];
		}
	}
}

static int
step_tx(struct bench_port *port, const struct bench_opts *opts, bench_meter meter,
		struct bench_cost *sum)
{
	struct rte_mbuf *m[BENCH_MAX_BURST * BENCH_MAX_SEGS], *pkts[BENCH_MAX_BURST];
	const uint16_t burst = opts->bursts.v[0];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(port->pool[DIR_TX], m, burst * opts->nb_segs) != 0) {
		fprintf(stderr, "sluice-bench: %s: the Tx pool ran dry\n", port->name);
		return -ENOMEM;
	}
	build_packets(port, m, pkts, burst, opts->nb_segs);
	sent = meter(port->fn[DIR_TX], port->queue[DIR_TX], pkts, burst, &sum->cost[DIR_TX]);
	if (sent > burst)
		return -EIO;
	if (sent < burst)
		rte_pktmbuf_free_bulk(&pkts[sent], burst - sent);
	sum->packets[DIR_TX] += sent;
	sum->calls[DIR_TX]++;
	port->sent += sent;
	port->sent_bytes += (uint64_t)sent * port->frame_len;
	return 0;
}

static int
take_received(struct bench_port *port, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t i, bad = 0;

	for (i = 0; i < nb; i++)
		bad += pkts[i]->pkt_len != port->frame_len || pkts[i]->nb_segs != 1;
	rte_pktmbuf_free_bulk(pkts, nb);
	port->received += nb;
	if (bad == 0)
		return 0;
	fprintf(stderr, "sluice-bench: %s: %u received packets are not one segment of %u bytes\n",
			port->name, bad, port->frame_len);
	return -EIO;
}

static int
step_rx(struct bench_port *port, const struct bench_opts *opts, bench_meter meter,
		struct bench_cost *sum)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint16_t burst = opts->bursts.v[0];
	uint16_t got;

	got = meter(port->fn[DIR_RX], port->queue[DIR_RX], pkts, burst, &sum->cost[DIR_RX]);
	if (got > burst)
		return -EIO;
	sum->packets[DIR_RX] += got;
	sum->calls[DIR_RX]++;
	return take_received(port, pkts, got);
}

static int
step_device(struct bench_port *port, const struct bench_opts *opts)
{
	const uint32_t burst = opts->bursts.v[0];
	/* a driver may leave some for the next poll: never offer more than a burst */
	const uint64_t waiting = port->produced - port->received;
	struct null_dev *dev = port->dev;
	int ret = bench_port_sync(port);

	if (ret != 0)
		return ret;
	null_dev_consume(dev);
	if (waiting < burst)
		port->produced += null_dev_produce(dev, burst - waiting, port->frame_len);
	if (dev->error != NULL) {
		fprintf(stderr, "sluice-bench: %s: the device stopped: %s\n", port->name,
				dev->error);
		return -EIO;
	}
	if (opts->is_cold)
		null_dev_flush_rings(dev);
	return 0;
}

int
bench_step_many(struct bench_port *port, const struct bench_opts *opts, unsigned int nb,
		bench_meter meter, struct bench_cost *sum)
{
	int ret = 0;

	for (; nb > 0 && ret == 0; nb--) {
		ret = step_tx(port, opts, meter, sum);
		if (ret != 0)
			break;
		if (port->dev != NULL)
			ret = step_device(port, opts);
		if (ret != 0)
			break;
		ret = step_rx(port, opts, meter, sum);
		port->bursts++;
	}
	return ret;
}

int
bench_window(struct bench_port *port, const struct bench_opts *opts, uint32_t pair_cycles,
		double value[NB_DIRS])
{
	const unsigned int bursts = bench_segment_bursts(opts);
	double sample[NB_DIRS][opts->nb_segments];
	struct bench_cost cost;
	unsigned int i;
	int dir, ret;

	memset(&cost, 0, sizeof(cost));
	ret = bench_step_many(port, opts, bursts, bench_meter_tsc, &cost);
	for (i = 0; i < opts->nb_segments && ret == 0; i++) {
		memset(&cost, 0, sizeof(cost));
		ret = bench_step_many(port, opts, bursts, bench_meter_tsc, &cost);
		for (dir = 0; dir < NB_DIRS && ret == 0; dir++) {
			if (cost.packets[dir] == 0) {
				fprintf(stderr, "sluice-bench: %s: nothing %s in %u bursts\n",
						port->name, dir == DIR_TX ? "sent" : "received",
						bursts);
				return -EIO;
			}
			sample[dir][i] = ((double)cost.cost[dir] -
							 (double)cost.calls[dir] * pair_cycles) /
					cost.packets[dir];
		}
	}
	for (dir = 0; dir < NB_DIRS && ret == 0; dir++)
		value[dir] = bench_median(sample[dir], opts->nb_segments);
	return ret;
}

int
bench_warm_up(struct bench_port *port, const struct bench_opts *opts)
{
	struct bench_cost cost = { 0 };
	int ret;

	if (port->dev != NULL && port->dev->model == NULL_N0)
		port->dev->model = NULL_N1;
	ret = bench_step_many(
			port, opts, WARM_LAPS * bench_segment_bursts(opts), bench_meter_tsc, &cost);
	if (port->dev != NULL)
		port->dev->model = opts->models.v[0];
	return ret;
}

static int
drain(struct bench_port *port, const struct bench_opts *opts)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	unsigned int polls;
	int ret = 0;

	/* net_null makes packets for ever; a device's driver owes exactly what was produced */
	if (port->dev == NULL && strcmp(port->driver, "net_null") == 0)
		return 0;
	for (polls = 0; polls < DRAIN_POLLS && ret == 0; polls++) {
		uint16_t got;

		if (port->dev != NULL && port->received == port->produced)
			break;
		got = port->fn[DIR_RX](port->queue[DIR_RX], pkts, opts->bursts.v[0]);
		if (got == 0 && port->dev == NULL)
			break;
		/* a vector receive function may wait for more than are left */
		if (got == 0 && port->dev != NULL)
			port->produced += null_dev_produce(port->dev, 1, port->frame_len);
		ret = take_received(port, pkts, got);
	}
	return ret;
}

int
bench_verify(struct bench_port *port, const struct bench_opts *opts)
{
	const struct null_dev *dev = port->dev;
	int ret = drain(port, opts);

	if (ret != 0 || dev == NULL)
		return ret;
	if (null_server_check(port->slot) < 0) {
		fprintf(stderr, "sluice-bench: %s: the driver restarted its device meanwhile\n",
				port->name);
		return -EIO;
	}
	ret = bench_port_sync(port);
	if (ret != 0)
		return ret;
	null_dev_consume(port->dev);
	if (dev->error != NULL || dev->tx_packets != port->sent ||
			dev->tx_bytes != port->sent_bytes || dev->rx_packets != port->received) {
		fprintf(stderr,
				"sluice-bench: %s: sent %" PRIu64 " packets (%" PRIu64
				" bytes), the "
				"device saw %" PRIu64 " (%" PRIu64 "); it produced %" PRIu64
				", received %" PRIu64 "%s%s\n",
				port->name, port->sent, port->sent_bytes, dev->tx_packets,
				dev->tx_bytes, dev->rx_packets, port->received,
				dev->error != NULL ? "; device: " : "",
				dev->error != NULL ? dev->error : "");
		return -EIO;
	}
	return 0;
}
