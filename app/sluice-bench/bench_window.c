/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_window.h"

#include <rte_common.h>

void
bench_window_init(struct bench_window *w, unsigned int ms)
{
	*w = (struct bench_window){ .nb_wanted = ms * 1000 / BENCH_SLICE_US };
}

bool
bench_window_goes_on(const struct bench_window *w)
{
	return w->nb < w->nb_wanted && w->nb_tried < BENCH_STRETCH * w->nb_wanted;
}

void
bench_window_begin(struct bench_window *w)
{
	w->nb_tried++;
	w->begin = bench_device_clock();
}

bool
bench_window_end(struct bench_window *w, bool is_paused, bool is_empty)
{
	/* when there is no other, one is better than none: the window is disturbed anyhow */
	const bool is_needed = w->nb == 0 && !is_empty &&
			w->nb_tried > (BENCH_STRETCH - 1) * w->nb_wanted;
	struct bench_clock now;

	if ((is_paused || bench_device_paused(w->begin)) && !is_needed)
		return false;
	now = bench_device_clock();
	w->nb++;
	w->idle += now.idle - w->begin.idle;
	w->all += now.all - w->begin.all;
	return true;
}

bool
bench_window_disturbed(const struct bench_window *w)
{
	return w->nb < w->nb_wanted;
}

double
bench_window_idle(const struct bench_window *w)
{
	return (double)w->idle / RTE_MAX(w->all, UINT64_C(1));
}
