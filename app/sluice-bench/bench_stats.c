/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Blocks of one process share that process's luck with addresses, so they are not independent:
 * the bootstrap draws processes first and blocks within them second.
 */
#include "bench_stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *v, size_t nb)
{
	qsort(v, nb, sizeof(*v), compare);
	return nb % 2 ? v[nb / 2] : (v[nb / 2 - 1] + v[nb / 2]) / 2;
}

/* splitmix64: the interval must not change from one look at the data to the next */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct bench_estimate
bench_estimate(const double *v, size_t nb_groups, size_t per_group)
{
	const size_t nb = nb_groups * per_group;
	struct bench_estimate est = { NAN, NAN, NAN };
	double *draw = malloc(nb * sizeof(*draw));
	double medians[RESAMPLES];
	uint64_t state = 1;
	size_t i, g, k;

	if (draw == NULL || nb == 0) {
		free(draw);
		return est;
	}
	memcpy(draw, v, nb * sizeof(*draw));
	est.median = bench_median(draw, nb);
	for (i = 0; i < RESAMPLES; i++) {
		for (g = 0; g < nb_groups; g++) {
			const double *group = v + next_random(&state) % nb_groups * per_group;

			for (k = 0; k < per_group; k++)
				draw[g * per_group + k] = group[next_random(&state) % per_group];
		}
		medians[i] = bench_median(draw, nb);
	}
	qsort(medians, RESAMPLES, sizeof(medians[0]), compare);
	est.lo = medians[RESAMPLES * 25 / 1000];
	est.hi = medians[RESAMPLES * 975 / 1000 - 1];
	free(draw);
	return est;
}
