/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Same-core stepping: transmit burst, device takes, device fills, receive burst, all in one
 * thread. Only the driver's two calls are metered; allocation, free, checks and the device are not.
 */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench_app.h"

/**
 * What one metered call costs without the driver: the fenced TSC pair, in cycles. Measured once.
 */
uint32_t bench_pair_cycles(void);

/** Bursts that make one lap of all rings: after it a driver's periodic work has come round. */
unsigned int bench_lap_bursts(const struct bench_opts *opts);

/** Step `nb` bursts with `meter`; `sum` is added to. 0 or -errno with the reason on stderr. */
int bench_step_many(struct bench_port *port, const struct bench_opts *opts, unsigned int nb,
		bench_meter meter, struct bench_cost *sum);

/** One window: TSC cycles per packet and per empty poll, medians of its segments, after one that
 * warms up.
 */
int bench_step_window(
		struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out);

/** Fill all rings' buffers once, with the header written, then switch to the case's model. */
int bench_warm_up(struct bench_port *port, const struct bench_opts *opts);

#endif /* BENCH_STEP_H */
