/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A slice of a latency window: which packets and calls of it count, and whether the thread paused
 * meanwhile. All times are TSC cycles of the one thread that sends and receives. No DPDK here.
 *
 * A pause is looked for where it cannot be the driver: between its calls the thread runs the
 * application's few lines only, so that `stall` is enough. Within a call nothing below `gap` is a
 * pause, because the call itself may be slow.
 */
#ifndef BENCH_SLICE_H
#define BENCH_SLICE_H

#include <stdbool.h>

#include "bench_hist.h"

struct bench_slice_conf {
	uint64_t lead; /* at the beginning, not counted: the pipe fills */
	uint64_t len;
	uint64_t stall; /* what the application does between two calls is never so slow */
	uint64_t gap;   /* no driver call lasts so long */
};

/* How often anything took longer than `stall`, and of how much time. */
enum bench_where { BETWEEN_CALLS, WITHIN_CALLS, NB_WHERE };
struct bench_pauses {
	uint64_t nb[NB_WHERE];
	uint64_t cycles[NB_WHERE];
};

void bench_pauses_add(struct bench_pauses *sum, const struct bench_pauses *one);

/** Pauses per second of the time in which they could have come. */
double bench_pauses_rate(const struct bench_pauses *p, enum bench_where where, uint64_t hz);

/* What slices gave. */
struct bench_tally {
	uint64_t echoed; /* while the slices lasted, whenever they had left */
	struct bench_hist trip;
	struct bench_hist call;
};

struct bench_slice {
	struct bench_slice_conf conf;
	uint64_t start; /* packets planned from here on count, up to `end` */
	uint64_t end;
	uint64_t last;  /* when the last driver call returned; 0: there was none */
	bool is_paused; /* the slice is spoiled */
	/* a packet came back that was planned behind it, so all that count have come */
	bool is_over;
	struct bench_tally got;
	struct bench_pauses pauses; /* of all slices so far, and of what was between them */
};

/** A new slice; what the last one gave is forgotten, unless it was kept. */
void bench_slice_begin(struct bench_slice *s, uint64_t now);

/** Does it last? Not after a pause; otherwise until all its packets have come, or are given up. */
bool bench_slice_lasts(const struct bench_slice *s, uint64_t now);

/** A driver call came to an end. `is_busy`: it counts, and was not a poll that found nothing. */
void bench_slice_call(struct bench_slice *s, uint64_t before, uint64_t after, bool is_busy);

/** A packet came back that should have left at `plan`. */
void bench_slice_packet(struct bench_slice *s, uint64_t plan, uint64_t now);

/** Add what the slice gave to what those before it did. */
void bench_slice_keep(const struct bench_slice *s, struct bench_tally *kept);

#endif /* BENCH_SLICE_H */
