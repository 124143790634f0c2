/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A late burst keeps its planned time in the stamp, so what a slow driver call delays is seen in
 * all packets behind it. Both stamps are of one core.
 *
 * A window is made of slices (bench_window.h, bench_slice.h). Each begins with an empty pipe and a
 * new plan, so nothing that a pause delayed reaches into the next one.
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
#include "bench_slice.h"
#include "bench_window.h"

#define STAMP_OFFSET 48 /* behind the headers of a frame of 60 bytes */
#define DRAIN_US 200    /* without an answer: all have come */
#define PAUSE_US 20     /* the same between slices, where the device is known to work */
#define LEAD_US 100
#define WARM_SLICES 2 /* of a window, not counted: the device's core has just been woken */
#define CALIBRATE_MS 5
#define MAX_TRIES 5 /* windows in which nothing came back */

struct run {
	struct bench_port *port;
	const struct bench_opts *opts;
	uint64_t interval;      /* 0: as fast as the answers come */
	uint64_t max_in_flight; /* 0: no limit */
	uint64_t begin;
	uint64_t stale; /* with a stamp that is not of this window */
	struct bench_slice slice;
	struct bench_window window;
	struct bench_tally kept; /* of the slices that count */
};

static double max_pps;

/* A driver call, with what lies before it. */
static uint16_t
call(struct run *r, enum bench_dir dir, struct rte_mbuf **pkts, uint16_t nb)
{
	const uint64_t before = rte_rdtsc();
	const uint16_t done = r->port->fn[dir](r->port->queue[0][dir], pkts, nb);

	bench_slice_call(&r->slice, before, rte_rdtsc(), dir == DIR_TX || done != 0);
	return done;
}

static int
send_burst(struct run *r, uint64_t stamp)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint16_t nb = r->opts->bursts.v[0];
	uint16_t i;
	int ret = bench_packets_build(r->port, r->opts, pkts);

	if (ret != 0)
		return ret;
	for (i = 0; i < nb; i++)
		memcpy(rte_pktmbuf_mtod_offset(pkts[i], void *, STAMP_OFFSET), &stamp,
				sizeof(stamp));
	r->port->bursts++;
	return bench_app_sent(r->port, pkts, nb, call(r, DIR_TX, pkts, nb), r->port->frame_len);
}

/* Packets, or -errno. */
static int
receive_burst(struct run *r)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint16_t got = call(r, DIR_RX, pkts, r->opts->bursts.v[0]);
	const uint64_t now = r->slice.last;
	uint64_t stamp;
	uint16_t i;
	int ret;

	if (got == 0)
		return 0;
	for (i = 0; i < got; i++) {
		memcpy(&stamp, rte_pktmbuf_mtod_offset(pkts[i], void *, STAMP_OFFSET),
				sizeof(stamp));
		if (stamp > now || stamp < r->begin)
			r->stale++;
		else
			bench_slice_packet(&r->slice, stamp, now);
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

/* Receive what is under way, until nothing has come for `quiet_us`. */
static int
run_drain(struct run *r, unsigned int quiet_us)
{
	const uint64_t quiet = quiet_us * (rte_get_tsc_hz() / 1000000);
	uint64_t last = rte_rdtsc();
	int ret = 0;

	r->slice.last = 0; /* what was done since the last call is no pause */
	while (ret >= 0 && rte_rdtsc() - last < quiet) {
		ret = receive_burst(r);
		if (ret > 0)
			last = rte_rdtsc();
	}
	return RTE_MIN(ret, 0);
}

/*
 * Send as planned; the pipe is empty, but for what the driver keeps back or a paused device still
 * has.
 */
static int
run_slice(struct run *r)
{
	const struct bench_port *port = r->port;
	const uint64_t received = bench_port_received(port), sent = port->sent;
	uint64_t now = rte_rdtsc(), plan = now;
	int ret = 0;

	bench_slice_begin(&r->slice, now);
	while (ret >= 0 && bench_slice_lasts(&r->slice, now)) {
		int64_t in_flight; /* negative when something of before comes late */

		ret = receive_burst(r);
		in_flight = port->sent - sent - (bench_port_received(port) - received);
		if (ret >= 0 && now >= plan &&
				(r->max_in_flight == 0 || in_flight < (int64_t)r->max_in_flight)) {
			ret = send_burst(r, r->interval != 0 ? plan : now);
			plan += r->interval;
		}
		now = rte_rdtsc();
	}
	return RTE_MIN(ret, 0);
}

static int
run_slices(struct run *r, unsigned int ms)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < WARM_SLICES && ret == 0; i++)
		ret = run_slice(r);
	bench_window_init(&r->window, ms);
	while (ret == 0 && bench_window_goes_on(&r->window)) {
		ret = run_drain(r, PAUSE_US);
		bench_window_begin(&r->window);
		if (ret == 0)
			ret = run_slice(r);
		if (bench_window_end(&r->window, r->slice.is_paused, r->slice.got.trip.nb == 0))
			bench_slice_keep(&r->slice, &r->kept);
	}
	return ret;
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

/* A window of `ms`; -EAGAIN: nothing moved. */
static int
run_echo(struct run *r, unsigned int ms, bool *is_disturbed)
{
	int ret, rest;

	ret = bench_device_serve(r->port, JOB_ECHO);
	if (ret == 0)
		ret = run_slices(r, ms);
	if (ret == 0)
		ret = run_drain(r, DRAIN_US);
	rest = bench_device_rest();
	if (ret == 0 && rest == 0)
		ret = settle(r);
	if (ret == 0)
		ret = rest;
	*is_disturbed |= bench_window_disturbed(&r->window);
	return ret == 0 && r->kept.trip.nb == 0 ? -EAGAIN : ret;
}

static void
run_init(struct run *r, struct bench_port *port, const struct bench_opts *opts)
{
	const uint64_t us = rte_get_tsc_hz() / 1000000;

	memset(r, 0, sizeof(*r));
	r->port = port;
	r->opts = opts;
	r->begin = rte_rdtsc();
	r->slice.conf = (struct bench_slice_conf){
		.lead = LEAD_US * us,
		.len = BENCH_SLICE_US * us,
		.stall = bench_stall_cycles(),
		.gap = bench_gap_cycles(),
	};
}

static double
pps_of(const struct run *r)
{
	return r->kept.echoed * 1e6 / BENCH_SLICE_US / RTE_MAX(r->window.nb, 1u);
}

/* Packets per second that a port and the device can echo: as fast as the answers come. */
static int
measure_max(struct bench_port *port, const struct bench_opts *opts, double *pps, bool *is_disturbed)
{
	static struct run r;
	unsigned int i;
	int ret = -EAGAIN;

	for (i = 0; i < MAX_TRIES && ret == -EAGAIN; i++) {
		run_init(&r, port, opts);
		r.max_in_flight = RTE_MAX(opts->queues.v[0] / 2, opts->bursts.v[0]);
		ret = run_echo(&r, CALIBRATE_MS, is_disturbed);
	}
	if (ret == -EAGAIN)
		fprintf(stderr, "sluice-bench: %s: nothing came back in %d windows of %d ms\n",
				port->name, MAX_TRIES, CALIBRATE_MS);
	*pps = pps_of(&r);
	return ret;
}

int
bench_latency_calibrate(struct bench_port *ports, unsigned int nb, const struct bench_opts *opts,
		bool *is_disturbed)
{
	unsigned int i;
	int ret = 0;

	max_pps = 0;
	for (i = 0; i < nb && ret == 0; i++) {
		double pps;

		ret = measure_max(&ports[i], opts, &pps, is_disturbed);
		if (max_pps == 0 || pps < max_pps)
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
	unsigned int i;
	int ret;

	run_init(&r, port, opts);
	r.interval = rte_get_tsc_hz() * opts->bursts.v[0] / pps;
	ret = run_echo(&r, opts->window_ms, &out->is_disturbed);
	if (ret != 0)
		return ret;
	out->value[0] = bench_hist_percentile(&r.kept.trip, 0.50) * us;
	out->value[1] = bench_hist_percentile(&r.kept.trip, 0.99) * us;
	out->value[2] = bench_hist_percentile(&r.kept.trip, 0.999) * us;
	out->value[3] = bench_hist_percentile(&r.kept.call, 0.999) * us;
	out->value[4] = r.kept.call.worst * us;
	out->value[5] = pps_of(&r) / 1e6;
	for (i = 0; i < BENCH_METRICS; i++)
		out->idle[i] = bench_window_idle(&r.window);
	out->pauses = r.slice.pauses;
	return 0;
}
