/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The modes, and what each of them measures. The report, the JSON and the blocks follow this table.
 */
#ifndef BENCH_METRIC_H
#define BENCH_METRIC_H

#include "bench.h"

struct bench_metric {
	const char *key;   /* in JSON */
	const char *label; /* in the table */
	const char *unit;
	bool is_rate; /* more is better */
};

struct bench_mode_info {
	const char *name;  /* of --mode */
	const char *title; /* of the report */
	bool has_device_thread;
	unsigned int nb_metrics;
	struct bench_metric metrics[BENCH_METRICS];
};

const struct bench_mode_info *bench_mode_info(enum bench_mode mode);

/** How many of the mode's metrics a run of these options has. */
unsigned int bench_nb_metrics(const struct bench_opts *opts);

#endif /* BENCH_METRIC_H */
