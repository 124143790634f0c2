/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Throughput with the device on a core of its own: transmit only, receive only, and forwarding.
 * The application's part (allocation, checks, free) is in the figure, for both sides alike.
 */
#ifndef BENCH_CROSS_H
#define BENCH_CROSS_H

#include "bench_device.h"

#define BENCH_SETTLE_MS 5 /* of a window, not counted */

/** What the driver meets for the first time, it shall meet before the device has its own thread.
 * 0 or -errno.
 */
int bench_cross_warm_up(struct bench_port *port, const struct bench_opts *opts);

/** One window: Mpps and the device's idle share of each way. -EAGAIN: nothing moved. */
int bench_cross_window(
		struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out);

/**
 * The same ways with the device in this thread, marked for a plug-in of the emulator that counts
 * the cache lines which would travel. Two reports for each way: the first lets the caches fill. 0
 * or -errno.
 */
int bench_cross_mark(struct bench_port *port, const struct bench_opts *opts,
		uint64_t packets[BENCH_METRICS]);

#endif /* BENCH_CROSS_H */
