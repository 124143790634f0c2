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

/** Calls of an empty function, by which the report tells what the marks themselves add. */
void bench_marks_init(void);

/** The calls that follow are this port's. */
void bench_marks_port(const struct bench_port *port, enum bench_side side);

/** As bench_meter; adds 1 to the cost, if the burst was full and so counted. */
uint16_t bench_meter_marks(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

/** All calls are made. */
void bench_marks_report(void);

/* Laps of a ring that are marked. */
#define BENCH_MARKED_LAPS 32

/* For a plug-in that counts the cache lines which would travel between two cores. */
enum bench_core { CORE_DRIVER, CORE_DEVICE };

/** The lines that follow are another port's: no core has any. */
void bench_marks_forget(void);

/** Memory that the report tells apart; the first range that has a line counts. */
void bench_marks_range(const void *start, size_t len);

/** Memory that is mapped again: both mappings have the same lines. */
void bench_marks_map(const void *start, size_t len, const void *again);

/** This core's work follows. */
void bench_marks_core(enum bench_core core);

#endif /* BENCH_MARKS_H */
