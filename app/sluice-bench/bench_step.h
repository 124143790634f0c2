/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Same-core stepping: transmit burst, device takes, device fills, receive burst, all in one
 * thread. Only the driver's two calls are metered; allocation, free, checks and the device are not.
 */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench_port.h"

/* Calls the driver's burst function and adds what the call cost to *cost. */
typedef uint16_t (*bench_meter)(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

struct bench_cost {
	uint64_t cost[NB_DIRS];
	uint64_t packets[NB_DIRS];
	uint64_t calls[NB_DIRS];
};

/** What one metered call costs without the driver: the fenced TSC pair, in cycles. */
uint32_t bench_pair_cycles(void);

/** Bursts that make one lap of the ring: after it a driver's periodic work has come round. */
unsigned int bench_lap_bursts(const struct bench_opts *opts);

/** Bursts that make whole laps of the ring, at least 64. */
unsigned int bench_segment_bursts(const struct bench_opts *opts);

/** Step `nb` bursts with `meter`; `sum` is added to. 0 or -errno with the reason on stderr. */
int bench_step_many(struct bench_port *port, const struct bench_opts *opts, unsigned int nb,
		bench_meter meter, struct bench_cost *sum);

/** One window: TSC cycles per packet, median of its segments, after one that warms up. */
int bench_window(struct bench_port *port, const struct bench_opts *opts, uint32_t pair_cycles,
		double value[NB_DIRS]);

/** Fill both rings' buffers once, with the header written, then switch to the case's model. */
int bench_warm_up(struct bench_port *port, const struct bench_opts *opts);

/** Receive what is under way and compare all counts. 0 or -EIO with the reason on stderr. */
int bench_verify(struct bench_port *port, const struct bench_opts *opts);

uint16_t bench_meter_tsc(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

#endif /* BENCH_STEP_H */
