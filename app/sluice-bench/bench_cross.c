/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_cross.h"

#include <errno.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "bench_app.h"
#include "bench_marks.h"
#include "bench_window.h"

#define WARM_LAPS 8

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

/*
 * A forwarded packet's transmit header lies where the device's receive header was, and the driver
 * has written it. With mergeable buffers a driver may look at it, so the device must write it anew,
 * whatever the model is.
 */
static void
choose_model(struct bench_port *port, const struct bench_opts *opts, const struct way *way)
{
	port->dev->model = opts->models.v[0];
	port->dev->must_write_header = way->job == JOB_IO && port->dev->is_mergeable;
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

/* What the slices of a window gave that count. */
struct tally {
	struct bench_window window;
	uint64_t packets;
	uint64_t cycles;
};

static int
run_slices(struct bench_port *port, const struct bench_opts *opts, const struct way *way,
		struct tally *t)
{
	const uint64_t us = rte_get_tsc_hz() / 1000000;
	int ret = 0;

	bench_window_init(&t->window, opts->window_ms);
	while (ret == 0 && bench_window_goes_on(&t->window)) {
		struct bench_cost sum = { 0 };
		uint64_t took, longest;

		bench_window_begin(&t->window);
		ret = run(port, opts, way, BENCH_SLICE_US * us, &sum, &took, &longest);
		port->bursts += sum.calls[way->counted];
		if (!bench_window_end(&t->window, longest > bench_gap_cycles(), false))
			continue;
		t->packets += sum.packets[way->counted];
		t->cycles += took;
	}
	return ret;
}

static int
measure_way(struct bench_port *port, const struct bench_opts *opts, const struct way *way,
		double *mpps, double *idle, bool *is_disturbed)
{
	const uint64_t ms = rte_get_tsc_hz() / 1000;
	struct bench_cost unused = { 0 };
	struct tally t = { 0 };
	uint64_t took, longest;
	int ret, rest;

	choose_model(port, opts, way);
	ret = bench_device_serve(port, way->job);
	if (ret == 0)
		ret = run(port, opts, way, BENCH_SETTLE_MS * ms, &unused, &took, &longest);
	if (ret == 0)
		ret = run_slices(port, opts, way, &t);
	rest = bench_device_rest();
	if (rest == 0 && way->job == JOB_IO)
		bench_port_write_headers(port);
	if (ret != 0 || rest != 0)
		return ret != 0 ? ret : rest;
	if (t.packets == 0)
		return -EAGAIN;
	*mpps = t.packets * (rte_get_tsc_hz() / 1e6) / t.cycles;
	*idle = bench_window_idle(&t.window);
	*is_disturbed |= bench_window_disturbed(&t.window);
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

/* The device's poll and the application's turn, each said to be of a core of its own. */
static int
mark_turns(struct bench_port *port, const struct bench_opts *opts, const struct way *way,
		struct bench_cost *sum)
{
	unsigned int nb = BENCH_MARKED_LAPS * opts->queues.v[0] / opts->bursts.v[0];
	int ret = 0;

	for (; nb > 0 && ret == 0; nb--) {
		bench_marks_core(CORE_DEVICE);
		bench_device_poll(port->dev, 0, way->job, port->frame_len);
		bench_marks_core(CORE_DRIVER);
		ret = way->turn(port, opts, 0, bench_meter_none, sum);
		port->bursts++;
	}
	bench_marks_report();
	return ret;
}

static void
mark_ring(const struct null_dev *dev, const struct null_ring *ring)
{
	const struct rte_vhost_vring *vring = &ring->vring;
	const size_t size = ring->size;

	if (dev->is_packed) {
		bench_marks_range(vring->desc_packed, size * sizeof(*vring->desc_packed));
		bench_marks_range(vring->driver_event, sizeof(*vring->driver_event));
		bench_marks_range(vring->device_event, sizeof(*vring->device_event));
	} else {
		bench_marks_range(vring->desc, size * sizeof(*vring->desc));
		/* and the event index behind each */
		bench_marks_range(vring->avail, sizeof(*vring->avail) + (size + 1) * 2);
		bench_marks_range(vring->used,
				sizeof(*vring->used) + size * sizeof(vring->used->ring[0]) + 2);
	}
}

/* The rings first, then everything that the device can reach. */
static void
mark_memory(const struct null_dev *dev)
{
	const struct rte_vhost_mem_region *reg = dev->mem->regions;
	const struct rte_vhost_mem_region *end = &reg[dev->mem->nregions];

	bench_marks_forget();
	for (; reg < end; reg++)
		bench_marks_map((void *)(uintptr_t)reg->host_user_addr, reg->size,
				(void *)(uintptr_t)reg->guest_user_addr);
	mark_ring(dev, &dev->tx[0]);
	mark_ring(dev, &dev->rx[0]);
	for (reg = dev->mem->regions; reg < end; reg++)
		bench_marks_range((void *)(uintptr_t)reg->host_user_addr, reg->size);
}

int
bench_cross_mark(struct bench_port *port, const struct bench_opts *opts,
		uint64_t packets[BENCH_METRICS])
{
	struct null_dev *dev = port->dev;
	unsigned int i;
	int ret = bench_port_sync(port);

	mark_memory(dev);
	for (i = 0; i < RTE_DIM(ways) && ret == 0; i++) {
		struct bench_cost warm = { 0 }, sum = { 0 };

		choose_model(port, opts, &ways[i]);
		ret = mark_turns(port, opts, &ways[i], &warm);
		if (ret == 0)
			ret = mark_turns(port, opts, &ways[i], &sum);
		packets[i] = sum.packets[ways[i].counted];
		if (ways[i].job == JOB_IO)
			bench_port_write_headers(port);
	}
	return ret;
}
