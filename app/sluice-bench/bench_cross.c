/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_cross.h"

#include <errno.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "bench_app.h"

#define WARM_LAPS 8
#define SLICE_US 500
#define STRETCH 4 /* a window may take so many times its length to find slices without a pause */

/* In the order of the mode's metrics. */
static const struct way {
	enum bench_job job;
	enum bench_dir counted;
	bench_app_fn turn;
} ways[] = {
	{ JOB_TX, DIR_TX, bench_app_tx },
	{ JOB_RX, DIR_RX, bench_app_rx },
	{ JOB_IO, DIR_TX, bench_app_io },
};

int
bench_cross_warm_up(struct bench_port *port, const struct bench_opts *opts)
{
	const unsigned int nb = WARM_LAPS * opts->pairs.v[0] * opts->queues.v[0] /
			opts->bursts.v[0];
	struct bench_cost none = { 0 };
	unsigned int i;
	int ret = 0;

	port->dev->must_write_header = true;
	for (i = 0; i < nb && ret == 0; i++) {
		const uint16_t pair = bench_app_turn(port);

		if (port->dev->rx[pair].packets == port->received[pair])
			null_dev_produce(port->dev, pair, opts->bursts.v[0], port->frame_len);
		ret = bench_app_io(port, opts, pair, bench_meter_none, &none);
		if (ret == 0)
			ret = bench_port_sync(port);
		if (ret == 0)
			null_dev_consume(port->dev, pair, UINT32_MAX);
	}
	if (ret == 0)
		ret = bench_app_drain(port, opts);
	bench_port_write_headers(port);
	port->dev->must_write_header = false;
	return ret;
}

/* Turns until the time is over; `longest` is the longest pause between two of them. */
static int
run(struct bench_port *port, const struct bench_opts *opts, const struct way *way, uint64_t cycles,
		struct bench_cost *sum, uint64_t *took, uint64_t *longest)
{
	const uint64_t start = rte_rdtsc();
	uint64_t last = start, now = start;
	int ret = 0;

	*longest = 0;
	while (ret == 0 && now - start < cycles) {
		ret = way->turn(port, opts, bench_app_turn(port), bench_meter_none, sum);
		now = rte_rdtsc();
		*longest = RTE_MAX(*longest, now - last);
		last = now;
	}
	*took = now - start;
	return ret;
}

/* What the slices of a window without a pause gave. */
struct tally {
	unsigned int nb; /* slices */
	uint64_t packets;
	uint64_t cycles;
	uint64_t idle; /* of the device, and the time that it belongs to */
	uint64_t all;
};

/* Another core that is taken away shows as well as the own: the other side of the ring stands still then. A slice
 * with a pause of either is left out, so a short pause costs a slice and not the window.
 */
static int
run_slices(struct bench_port *port, const struct bench_opts *opts, const struct way *way,
		unsigned int nb_wanted, struct tally *t)
{
	const uint64_t us = rte_get_tsc_hz() / 1000000;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < STRETCH * nb_wanted && t->nb < nb_wanted && ret == 0; i++) {
		const struct bench_clock before = bench_device_clock();
		struct bench_cost sum = { 0 };
		struct bench_clock after;
		uint64_t took, longest;

		ret = run(port, opts, way, SLICE_US * us, &sum, &took, &longest);
		port->bursts += sum.calls[way->counted];
		after = bench_device_clock();
		/* when there is no other, one is better than none: the window is disturbed anyhow */
		if ((longest > bench_gap_cycles() || bench_device_paused(before)) &&
				(t->nb != 0 || i < (STRETCH - 1) * nb_wanted))
			continue;
		t->nb++;
		t->packets += sum.packets[way->counted];
		t->cycles += took;
		t->idle += after.idle - before.idle;
		t->all += after.all - before.all;
	}
	return ret;
}

static int
measure_way(struct bench_port *port, const struct bench_opts *opts, const struct way *way,
		double *mpps, double *idle, bool *is_disturbed)
{
	const unsigned int nb_wanted = opts->window_ms * 1000 / SLICE_US;
	const uint64_t ms = rte_get_tsc_hz() / 1000;
	struct bench_cost unused = { 0 };
	struct tally t = { 0 };
	uint64_t took, longest;
	int ret, rest;

	port->dev->model = opts->models.v[0];
	/* A forwarded packet's transmit header lies where the device's receive header was, and the driver
	 * has written it. With mergeable buffers a driver may look at it, so the device must write it
	 * anew, whatever the model is.
	 */
	port->dev->must_write_header = way->job == JOB_IO && port->dev->is_mergeable;
	ret = bench_device_serve(port, way->job);
	if (ret == 0)
		ret = run(port, opts, way, BENCH_SETTLE_MS * ms, &unused, &took, &longest);
	if (ret == 0)
		ret = run_slices(port, opts, way, nb_wanted, &t);
	rest = bench_device_rest();
	if (rest == 0 && way->job == JOB_IO)
		bench_port_write_headers(port);
	if (ret != 0 || rest != 0)
		return ret != 0 ? ret : rest;
	if (t.packets == 0)
		return -EAGAIN;
	*mpps = t.packets * (rte_get_tsc_hz() / 1e6) / t.cycles;
	*idle = (double)t.idle / RTE_MAX(t.all, UINT64_C(1));
	*is_disturbed |= t.nb < nb_wanted;
	return 0;
}

int
bench_cross_window(struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < RTE_DIM(ways) && ret == 0; i++)
		ret = measure_way(port, opts, &ways[i], &out->value[i], &out->idle[i],
				&out->is_disturbed);
	return ret;
}
