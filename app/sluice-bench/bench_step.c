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
#include <stdio.h>

#include <rte_cycles.h>

#include "bench_metric.h"
#include "bench_stats.h"

#define MIN_SEGMENT_BURSTS 64
#define WARM_LAPS 8
#define SEGMENT_TRAINS 16
#define TRAIN_POLLS 16
#define STEP_US 1000
#define SLOW_US 20000
#define PATIENCE_S 2

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

static uint16_t
meter_tsc(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint64_t start = tsc_fenced();
	const uint16_t done = fn(queue, pkts, nb);

	*cost += tsc_fenced() - start;
	return done;
}

/*
 * Calls one behind the other, until one finds something. A single call that finds nothing may cost
 * less than the clock can tell.
 */
static uint16_t
meter_train(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint64_t start = tsc_fenced();
	uint16_t done = 0;
	int i;

	for (i = 0; i < TRAIN_POLLS && done == 0; i++)
		done = fn(queue, pkts, nb);
	*cost += tsc_fenced() - start;
	return done;
}

uint32_t
bench_pair_cycles(void)
{
	static uint32_t cycles;
	double sample[1001];
	unsigned int i;

	if (cycles != 0)
		return cycles;
	for (i = 0; i < RTE_DIM(sample); i++) {
		const uint64_t start = tsc_fenced();

		sample[i] = tsc_fenced() - start;
	}
	cycles = (uint32_t)bench_median(sample, RTE_DIM(sample));
	return cycles;
}

unsigned int
bench_lap_bursts(const struct bench_opts *opts)
{
	return opts->pairs.v[0] * ((opts->queues.v[0] + opts->bursts.v[0] - 1) / opts->bursts.v[0]);
}

/* Bursts that make whole laps. */
static unsigned int
segment_bursts(const struct bench_opts *opts)
{
	const unsigned int lap = bench_lap_bursts(opts);

	return lap * ((MIN_SEGMENT_BURSTS + lap - 1) / lap);
}

/*
 * The device of a PCI port works by itself, on a processor of the emulator's: give it time. Where
 * it is slow, packets pile up in it; then more, so that the rings neither fill nor run dry.
 */
static void
wait_for_device(const struct bench_port *port, const struct bench_opts *opts)
{
	const uint64_t under_way = port->sent - bench_port_received(port);

	rte_delay_us_sleep(under_way > opts->queues.v[0] / 2 ? SLOW_US : STEP_US);
}

static int
step_device(struct bench_port *port, const struct bench_opts *opts, uint16_t pair)
{
	const uint32_t burst = opts->bursts.v[0];
	struct null_dev *dev = port->dev;
	/* a driver may leave some for the next poll: never offer more than a burst */
	const uint64_t waiting = dev->rx[pair].packets - port->received[pair];
	int ret = bench_port_sync(port);

	if (ret != 0)
		return ret;
	null_dev_consume(dev, pair, UINT32_MAX);
	if (waiting < burst)
		null_dev_produce(dev, pair, burst - waiting, port->rx_len);
	if (dev->error != NULL) {
		fprintf(stderr, "sluice-bench: %s: the device stopped: %s\n", port->name,
				dev->error);
		return -EIO;
	}
	if (opts->is_cold)
		null_dev_flush_rings(dev);
	return 0;
}

static int
step(struct bench_port *port, const struct bench_opts *opts, bench_meter tx_meter,
		bench_meter rx_meter, struct bench_cost *sum)
{
	const uint16_t pair = bench_app_turn(port);
	int ret = bench_app_tx(port, opts, pair, tx_meter, sum);

	if (ret == 0 && port->dev != NULL)
		ret = step_device(port, opts, pair);
	else if (port->is_pci)
		wait_for_device(port, opts);
	if (ret == 0)
		ret = bench_app_rx(port, opts, pair, rx_meter, sum);
	port->bursts++;
	return ret;
}

int
bench_step_many(struct bench_port *port, const struct bench_opts *opts, unsigned int nb,
		bench_meter meter, struct bench_cost *sum)
{
	int ret = 0;

	for (; nb > 0 && ret == 0; nb--)
		ret = step(port, opts, meter, meter, sum);
	return ret;
}

/* Cycles of a receive call that finds nothing; what the driver kept back comes in the meantime. */
static int
poll_empty(struct bench_port *port, const struct bench_opts *opts, double pair_cycles,
		double *value)
{
	uint64_t cost = 0, trains = 0;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < SEGMENT_TRAINS && ret == 0; i++) {
		struct bench_cost one = { 0 };

		ret = bench_app_rx(port, opts, bench_app_turn(port), meter_train, &one);
		if (one.packets[DIR_RX] == 0) {
			cost += one.cost[DIR_RX];
			trains++;
		}
	}
	*value = trains != 0 ? ((double)cost / trains - pair_cycles) / TRAIN_POLLS : 0;
	return ret;
}

static int
run_segment(struct bench_port *port, const struct bench_opts *opts, double pair_cycles,
		double value[BENCH_METRICS])
{
	const unsigned int bursts = segment_bursts(opts);
	struct bench_cost cost = { 0 };
	int ret = bench_step_many(port, opts, bursts, meter_tsc, &cost);
	int dir;

	for (dir = 0; dir < NB_DIRS && ret == 0; dir++) {
		if (cost.packets[dir] == 0) {
			fprintf(stderr, "sluice-bench: %s: nothing %s in %u bursts\n", port->name,
					dir == DIR_TX ? "sent" : "received", bursts);
			return -EIO;
		}
		value[dir] = ((double)cost.cost[dir] - cost.calls[dir] * pair_cycles) /
				cost.packets[dir];
	}
	if (ret == 0 && bench_nb_metrics(opts) > NB_DIRS)
		ret = poll_empty(port, opts, pair_cycles, &value[NB_DIRS]);
	return ret;
}

int
bench_step_window(struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out)
{
	const double pair_cycles = bench_pair_cycles();
	double sample[BENCH_METRICS][opts->nb_segments];
	double value[BENCH_METRICS] = { 0 };
	unsigned int i, k;
	int ret;

	ret = run_segment(port, opts, pair_cycles, value);
	for (i = 0; i < opts->nb_segments && ret == 0; i++) {
		ret = run_segment(port, opts, pair_cycles, value);
		for (k = 0; k < BENCH_METRICS; k++)
			sample[k][i] = value[k];
	}
	for (k = 0; k < BENCH_METRICS && ret == 0; k++)
		out->value[k] = bench_median(sample[k], opts->nb_segments);
	return ret;
}

/*
 * Bursts that a device which works by itself has ahead: so a receive call finds a full burst also
 * when the device was late, and bursts keep their places in the ring.
 */
static int
send_ahead(struct bench_port *port, const struct bench_opts *opts)
{
	struct bench_cost none = { 0 };
	unsigned int nb;
	int ret = 0;

	for (nb = bench_lap_bursts(opts) / 2; nb > 1 && ret == 0; nb--) {
		ret = bench_app_tx(port, opts, bench_app_turn(port), bench_meter_none, &none);
		wait_for_device(port, opts);
	}
	return ret;
}

/* Comes again until all are taken, for a while. */
static uint16_t
meter_patient(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint64_t end = rte_get_timer_cycles() + PATIENCE_S * rte_get_timer_hz();
	uint16_t done = 0;

	RTE_SET_USED(cost);
	do {
		done += fn(queue, pkts + done, nb - done);
	} while (done < nb && rte_get_timer_cycles() < end);
	return done;
}

/*
 * One burst for each queue pair. A driver may leave packets to the caller until the device sees
 * their pool; and bursts are to keep their places in the ring from the first one on.
 */
static int
show_pools(struct bench_port *port, const struct bench_opts *opts)
{
	struct bench_opts shown = *opts;
	struct bench_cost none = { 0 };
	unsigned int nb = opts->pairs.v[0];
	int ret = 0;

	/*
	 * How many slots clones take depends on when the device sees their memory. So it is shown
	 * by plain packets, in as many slots as a burst of clones takes later, which is two each.
	 */
	if (opts->packets == PACKETS_CLONES) {
		shown.packets = PACKETS_PLAIN;
		nb *= 2;
	}
	for (; nb > 0 && ret == 0; nb--)
		ret = step(port, &shown, meter_patient, bench_meter_none, &none);
	return ret;
}

int
bench_warm_up(struct bench_port *port, const struct bench_opts *opts)
{
	unsigned int nb = WARM_LAPS * segment_bursts(opts);
	struct bench_cost cost = { 0 };
	int ret;

	if (port->dev != NULL && port->dev->model == NULL_N0)
		port->dev->model = NULL_N1;
	ret = show_pools(port, opts);
	if (port->is_pci) {
		nb = WARM_LAPS * bench_lap_bursts(opts); /* each takes milliseconds */
		if (ret == 0)
			ret = send_ahead(port, opts);
	}
	if (ret == 0)
		ret = bench_step_many(port, opts, nb, meter_tsc, &cost);
	if (port->dev != NULL)
		port->dev->model = opts->models.v[0];
	return ret;
}
