/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Round trips through an echo device on a core of its own. Bursts leave at fixed times, whether
 * answers have come or not; a packet carries the time at which it should have left.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench_device.h"

/** Find the rate that the slowest of the ports can echo now; the loads are percents of it.
 * 0 or -errno with the reason on stderr.
 */
int bench_latency_calibrate(struct bench_port *ports, unsigned int nb,
		const struct bench_opts *opts, bool *is_disturbed);

/** One window: percentiles in microseconds, and the rate echoed. -EAGAIN: nothing moved. */
int bench_latency_window(
		struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out);

#endif /* BENCH_LATENCY_H */
