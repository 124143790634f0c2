/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Medians and their uncertainty. No DPDK here. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

struct bench_estimate {
	double median;
	double lo; /* 95 % interval, hierarchical bootstrap */
	double hi;
};

/** Median of `nb` > 0 values; sorts them. */
double bench_median(double *v, size_t nb);

/** Median of `nb_groups` groups (process restarts) of `per_group` values (blocks) each, and its
 * interval: groups are drawn with replacement, then values within each. Same data, same result.
 */
struct bench_estimate bench_estimate(const double *v, size_t nb_groups, size_t per_group);

#endif /* BENCH_STATS_H */
