/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A window of a mode whose device has a core of its own: slices, of which only those count in which
 * neither core paused. Another core that is taken away shows as well as the own: the other side of
 * the ring stands still then. A slice with a pause of either is left out, so a short pause costs a
 * slice and not the window.
 */
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

#include "bench_device.h"

/* Windows may take so many times as many slices as they want, to find some without a pause. */
#define BENCH_STRETCH 4
#define BENCH_SLICE_US 500

struct bench_window {
	unsigned int nb_wanted; /* slices */
	unsigned int nb_tried;
	unsigned int nb; /* that count */
	uint64_t idle;   /* of the device, and the time that it belongs to */
	uint64_t all;
	struct bench_clock begin; /* the device's, when the slice began */
};

void bench_window_init(struct bench_window *w, unsigned int ms);

/** Is another slice to be run? */
bool bench_window_goes_on(const struct bench_window *w);

/** A slice begins. The device must serve. */
void bench_window_begin(struct bench_window *w);

/**
 * A slice has ended; does it count? `is_paused`: this core was given to somebody else meanwhile;
 * `is_empty`: there is nothing in it.
 */
bool bench_window_end(struct bench_window *w, bool is_paused, bool is_empty);

/** Too few slices without a pause were found. */
bool bench_window_disturbed(const struct bench_window *w);

/** The device's idle share of the slices that count. */
double bench_window_idle(const struct bench_window *w);

#endif /* BENCH_WINDOW_H */
