/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What a run found, as a table for people and as JSON for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench.h"
#include "bench_stats.h"

/* One case over all restarts. The blocks of restart i start at i * opts->nb_blocks. */
struct bench_row {
	struct bench_case c;
	bool is_complete; /* as many restarts and blocks as asked; only then estimates exist */
	struct bench_result *results;
	struct bench_block *blocks;
	/* filled by bench_row_estimate() */
	struct bench_estimate value[2][BENCH_METRICS]; /* of A, of B */
	struct bench_estimate ratio[BENCH_METRICS];    /* how many times better A is */
	struct bench_estimate control[BENCH_METRICS];  /* second A / A */
	double idle[2][BENCH_METRICS];                 /* median share of the device's time */
	double line_min, line_median, line_max; /* TSC cycles of a cache line between the cores */
	struct bench_pauses pauses[2];          /* latency: met by A and by B */
	unsigned int nb_disturbed; /* blocks in which a core was taken away, or moved */
	unsigned int nb_redone;
};

struct bench_machine {
	char cpu[128];
	char kernel[128];
	char when[32];
	const char *dpdk;
	const char *compiler; /* of this program; a plug-in of the same build has the same */
	double load;          /* when the run began */
};

void bench_machine_read(struct bench_machine *machine);

/** 0 or -ENOMEM. The row must be complete. */
int bench_row_estimate(struct bench_row *row, const struct bench_opts *opts);

/** Does the control contain 1.00, at the two digits that are printed? */
bool bench_control_ok(const struct bench_estimate *control);

/** Was the device the limit: did it find work nearly always, with one of the sides? */
bool bench_device_limits(
		const struct bench_row *row, const struct bench_opts *opts, unsigned int metric);

/** Was the core taken away in more than a tenth of the blocks? */
bool bench_row_disturbed(const struct bench_row *row, const struct bench_opts *opts);

/** Are there so few blocks that their intervals are too narrow? */
bool bench_too_few_blocks(const struct bench_opts *opts);

/**
 * Latency: the side that echoed clearly less than the other one at the same plan, so that its times
 * look better than they are. NB_SIDES: none.
 */
enum bench_side bench_row_behind(const struct bench_row *row, const struct bench_opts *opts);

/** Different datapath features, or a side without a device: must be said beside the numbers. */
const char *bench_row_remark(const struct bench_row *row);

/** Least and most instructions per packet over all passes and restarts. */
void bench_row_instructions(const struct bench_row *row, const struct bench_opts *opts,
		enum bench_side side, enum bench_dir dir, double *min, double *max);

void bench_report_head(const struct bench_machine *machine, const struct bench_opts *opts);
void bench_report_row(const struct bench_row *row, const struct bench_opts *opts);

/** Writes and closes the file. 0 or -errno with the reason on stderr. */
int bench_json_write(FILE *f, const struct bench_machine *machine, const struct bench_opts *opts,
		const struct bench_row *rows, unsigned int nb_rows, int argc, char **argv);

#endif /* BENCH_REPORT_H */
