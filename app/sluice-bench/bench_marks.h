/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The meter for an emulator: it counts nothing itself, but marks where a burst call
 * begins and ends, for a plug-in of the emulator that counts (marks.h). Only full bursts are kept.
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#include "bench_app.h"

/** Calls of an empty function, by which the report tells what the marks themselves add. 0, or
 * -ENOTSUP where there are no marks.
 */
int bench_marks_init(void);

/** The calls that follow are this port's. */
void bench_marks_port(const struct bench_port *port, enum bench_side side);

/** As bench_meter; adds 1 to the cost, if the burst was full and so counted. */
uint16_t bench_meter_marks(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

/** All calls are made. */
void bench_marks_report(void);

#endif /* BENCH_MARKS_H */
