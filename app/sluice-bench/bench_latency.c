/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A late burst keeps its planned time in the stamp, so what a slow driver call delays is seen in
 * all packets behind it. Only when the core was taken away (BENCH_GAP_US) the plan starts anew,
 * and the window counts as disturbed. Both stamps are of one core.
 */
#include "bench_latency.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "bench_app.h"
#include "bench_packets.h"
#include "bench_cross.h"

#define STAMP_OFFSET 48 /* behind the headers of a frame of 60 bytes */
#define DRAIN_US 200    /* without an answer: all have come */
#define MAX_TRIES 5     /* windows, of which the median tells the highest rate */
#define MAX_STALE 64    /* packets that a vector receive function may keep back */
#define SUB_BITS 8
#define SUB_BINS (1u << SUB_BITS)
#define NB_BINS ((64 - SUB_BITS + 1) * SUB_BINS)

struct hist {
	uint64_t nb;
	uint64_t worst;
	uint32_t bin[NB_BINS];
};

struct run {
	struct bench_port *port;
	const struct bench_opts *opts;
	uint64_t interval;      /* 0: as fast as the answers come */
	uint64_t max_in_flight; /* 0: no limit */
	uint64_t start;
	uint64_t longest; /* pause of the loop */
	uint64_t echoed;  /* while bursts left */
	uint64_t stale;   /* with a stamp that is not of this window */
	struct hist trip;
	struct hist call;
};

static double max_pps;

/* SUB_BINS bins for each power of two: a bin is 0.4 % wide, from 1 cycle to for ever. */
static unsigned int
bin_of(uint64_t cycles)
{
	unsigned int shift;

	if (cycles < SUB_BINS)
		return cycles;
	shift = 63 - __builtin_clzll(cycles) - SUB_BITS;
	return shift * SUB_BINS + (cycles >> shift);
}

static double
middle_of(unsigned int bin)
{
	const unsigned int shift = bin < SUB_BINS ? 0 : bin / SUB_BINS - 1;

	return ((bin - shift * SUB_BINS) + 0.5) * (double)(UINT64_C(1) << shift);
}

static void
hist_add(struct hist *h, uint64_t cycles)
{
	h->bin[bin_of(cycles)]++;
	h->nb++;
	h->worst = RTE_MAX(h->worst, cycles);
}

/* Microseconds below which `share` of all are. */
static double
hist_percentile(const struct hist *h, double share)
{
	const uint64_t want = share * h->nb;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < NB_BINS - 1; i++) {
		sum += h->bin[i];
		if (sum > want)
			break;
	}
	return middle_of(i) * 1e6 / rte_get_tsc_hz();
}

static int
send_burst(struct run *r, uint64_t stamp)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint16_t nb = r->opts->bursts.v[0];
	uint64_t before;
	uint16_t i, sent;
	int ret = bench_packets_build(r->port, r->opts, pkts);

	if (ret != 0)
		return ret;
	for (i = 0; i < nb; i++)
		memcpy(rte_pktmbuf_mtod_offset(pkts[i], void *, STAMP_OFFSET), &stamp,
				sizeof(stamp));
	before = rte_rdtsc();
	sent = r->port->fn[DIR_TX](r->port->queue[0][DIR_TX], pkts, nb);
	hist_add(&r->call, rte_rdtsc() - before);
	r->port->bursts++;
	return bench_app_sent(r->port, pkts, nb, sent);
}

/* Packets, or -errno. */
static int
receive_burst(struct run *r)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint64_t before = rte_rdtsc();
	const uint16_t got = r->port->fn[DIR_RX](
			r->port->queue[0][DIR_RX], pkts, r->opts->bursts.v[0]);
	const uint64_t after = rte_rdtsc();
	uint64_t stamp;
	uint16_t i;
	int ret;

	if (got == 0)
		return 0;
	hist_add(&r->call, after - before);
	for (i = 0; i < got; i++) {
		memcpy(&stamp, rte_pktmbuf_mtod_offset(pkts[i], void *, STAMP_OFFSET),
				sizeof(stamp));
		if (stamp > after || stamp < r->start)
			r->stale++;
		else
			hist_add(&r->trip, after - stamp);
	}
	ret = bench_app_received(r->port, 0, pkts, got);
	if (ret == 0 && r->stale != 0) {
		fprintf(stderr,
				"sluice-bench: %s: %" PRIu64 " packets came back with a stamp that "
				"was not sent\n",
				r->port->name, r->stale);
		ret = -EIO;
	}
	return ret != 0 ? ret : got;
}

/* Send for `cycles`, as planned. */
static int
run_loop(struct run *r, uint64_t cycles)
{
	const uint64_t gap = bench_gap_cycles();
	const uint64_t before = bench_port_received(r->port), sent_before = r->port->sent;
	uint64_t now, last, plan;
	int ret = 0;

	now = last = plan = r->start = rte_rdtsc();
	while (ret >= 0 && now - r->start < cycles) {
		r->longest = RTE_MAX(r->longest, now - last);
		if (now - last > gap)
			plan = now;
		last = now;
		ret = receive_burst(r);
		r->echoed = bench_port_received(r->port) - before;
		if (ret >= 0 && now >= plan &&
				(r->max_in_flight == 0 ||
						r->port->sent - sent_before - r->echoed <
								r->max_in_flight)) {
			ret = send_burst(r, r->interval != 0 ? plan : now);
			plan += r->interval;
		}
		now = rte_rdtsc();
	}
	return RTE_MIN(ret, 0);
}

/* The answers that are still under way, timed as the others. */
static int
run_drain(struct run *r)
{
	const uint64_t quiet = DRAIN_US * (rte_get_tsc_hz() / 1000000);
	uint64_t last = rte_rdtsc();
	int ret = 0;

	while (ret >= 0 && rte_rdtsc() - last < quiet) {
		ret = receive_burst(r);
		if (ret > 0)
			last = rte_rdtsc();
	}
	return RTE_MIN(ret, 0);
}

/* What came too late for that, untimed; so that no window gets answers to another one. */
static int
settle(struct run *r)
{
	int ret = 0;

	while (ret == 0 && null_dev_echo(r->port->dev, 0, r->opts->bursts.v[0]) > 0)
		ret = bench_app_drain(r->port, r->opts);
	return ret != 0 ? ret : bench_app_drain(r->port, r->opts);
}

static int
run_echo(struct run *r, double *idle)
{
	const uint64_t ms = rte_get_tsc_hz() / 1000;
	struct bench_clock clock;
	int ret, rest;

	ret = bench_device_serve(r->port, JOB_ECHO);
	clock = bench_device_clock();
	if (ret == 0)
		ret = run_loop(r, r->opts->window_ms * ms);
	*idle = bench_device_idle(clock);
	if (ret == 0)
		ret = run_drain(r);
	rest = bench_device_rest();
	if (ret == 0 && rest == 0)
		ret = settle(r);
	if (ret == 0)
		ret = rest;
	return ret == 0 && r->echoed == 0 ? -EAGAIN : ret;
}

static void
run_init(struct run *r, struct bench_port *port, const struct bench_opts *opts)
{
	memset(r, 0, sizeof(*r));
	r->port = port;
	r->opts = opts;
}

/* Packets per second that a port and the device can echo: as fast as the answers come, in the best of
 * a few windows, because others can only take from it.
 */
static int
measure_max(struct bench_port *port, const struct bench_opts *opts, double *pps)
{
	static struct run r;
	unsigned int i;
	int ret = 0;

	*pps = 0;
	for (i = 0; i < MAX_TRIES && (ret == 0 || ret == -EAGAIN); i++) {
		double idle;

		run_init(&r, port, opts);
		r.max_in_flight = RTE_MAX(opts->queues.v[0] / 2, opts->bursts.v[0]);
		ret = run_echo(&r, &idle);
		*pps = RTE_MAX(*pps, r.echoed * 1e3 / opts->window_ms);
	}
	if (ret != 0 && ret != -EAGAIN)
		return ret;
	if (*pps != 0)
		return 0;
	fprintf(stderr, "sluice-bench: %s: nothing came back in %d windows of %u ms\n", port->name,
			MAX_TRIES, opts->window_ms);
	return -EIO;
}

int
bench_latency_calibrate(struct bench_port *ports, unsigned int nb, const struct bench_opts *opts)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nb && ret == 0; i++) {
		double pps;

		ret = measure_max(&ports[i], opts, &pps);
		if (ret == 0 && (max_pps == 0 || pps < max_pps))
			max_pps = pps;
	}
	return ret;
}

int
bench_latency_window(
		struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out)
{
	static struct run r;
	const double pps = max_pps * opts->loads.v[0] / 100;
	const double us = 1e6 / rte_get_tsc_hz();
	double idle;
	unsigned int i;
	int ret;

	run_init(&r, port, opts);
	r.interval = rte_get_tsc_hz() * opts->bursts.v[0] / pps;
	ret = run_echo(&r, &idle);
	if (ret != 0)
		return ret;
	out->value[0] = hist_percentile(&r.trip, 0.50);
	out->value[1] = hist_percentile(&r.trip, 0.99);
	out->value[2] = hist_percentile(&r.trip, 0.999);
	out->value[3] = hist_percentile(&r.call, 0.999);
	out->value[4] = r.call.worst * us;
	out->value[5] = r.echoed * 1e3 / opts->window_ms / 1e6;
	for (i = 0; i < BENCH_METRICS; i++)
		out->idle[i] = idle;
	out->is_disturbed = r.longest > bench_gap_cycles();
	return 0;
}
