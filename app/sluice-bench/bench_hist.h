/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A histogram of times, for percentiles. No DPDK here. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define BENCH_HIST_SUB_BITS 8
#define BENCH_HIST_BINS ((64 - BENCH_HIST_SUB_BITS + 1) << BENCH_HIST_SUB_BITS)

struct bench_hist {
	uint64_t nb;
	uint64_t worst;
	uint32_t bin[BENCH_HIST_BINS];
};

void bench_hist_add(struct bench_hist *h, uint64_t value);

/** Add all of `from`. */
void bench_hist_merge(struct bench_hist *h, const struct bench_hist *from);

/** The value below which `share` of all are, to 0.2 %. 0 if there are none. */
double bench_hist_percentile(const struct bench_hist *h, double share);

#endif /* BENCH_HIST_H */
