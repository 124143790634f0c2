/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Estimates and the table. A row that is not complete gets no number at all; what limits the
 * meaning of a number (failed control, different features) is printed beside it.
 */
#include "bench_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <rte_version.h>

#include "bench_device.h"
#include "bench_features.h"
#include "bench_metric.h"
#include "bench_opts.h"
#include "bench_packets.h"

/*
 * When a row is not to be believed. devtools/lib/benchstats.py says the same of rows of net_vhost,
 * which come without this program; tests/perf/test_smoke.py holds the two together.
 */
#define MIN_IDLE 0.20 /* of the device, so that the driver is what was measured */
#define MAX_DISTURBED 0.10
#define MIN_KEPT 0.95 /* of the other side's rate: both have the same plan */
/*
 * The median lies between the least and the greatest of n blocks with a probability of 1 - 2^(1-n):
 * of fewer than these nothing has an interval of 95 %.
 */
#define MIN_BLOCKS 6

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

void
bench_machine_read(struct bench_machine *machine)
{
	struct utsname uts;
	time_t now = time(NULL);
	char line[256];
	FILE *f;

	memset(machine, 0, sizeof(*machine));
	f = fopen("/proc/cpuinfo", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "model name : %127[^\n]", machine->cpu) == 1)
			break;
	if (f != NULL)
		fclose(f);
	if (uname(&uts) == 0)
		snprintf(machine->kernel, sizeof(machine->kernel), "%.60s %.60s", uts.release,
				uts.machine);
	strftime(machine->when, sizeof(machine->when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	getloadavg(&machine->load, 1);
	machine->dpdk = rte_version();
	machine->compiler = COMPILER;
}

/* What is taken from a block. */
enum field { FIELD_A, FIELD_B, FIELD_RATIO, FIELD_CONTROL, FIELD_IDLE_A, FIELD_IDLE_B };

static double
field_of(const struct bench_block *b, enum field field, unsigned int k, bool is_rate)
{
	switch (field) {
	case FIELD_A:
		return b->a[k];
	case FIELD_B:
		return b->b[k];
	case FIELD_RATIO:
		return is_rate ? b->a[k] / b->b[k] : b->b[k] / b->a[k];
	case FIELD_CONTROL:
		return b->control_c[k] / b->control_a[k];
	case FIELD_IDLE_A:
		return b->idle[SIDE_A][k];
	default:
		return b->idle[SIDE_B][k];
	}
}

static struct bench_estimate
estimate_field(const struct bench_row *row, const struct bench_opts *opts, double *scratch,
		enum field field, unsigned int k)
{
	const bool is_rate = bench_mode_info(opts->mode)->metrics[k].is_rate;
	const size_t nb = (size_t)opts->nb_restarts * opts->nb_blocks;
	size_t i;

	for (i = 0; i < nb; i++)
		scratch[i] = field_of(&row->blocks[i], field, k, is_rate);
	/* of a share the median is enough */
	if (field == FIELD_IDLE_A || field == FIELD_IDLE_B)
		return (struct bench_estimate){ .median = bench_median(scratch, nb) };
	return bench_estimate(scratch, opts->nb_restarts, opts->nb_blocks);
}

int
bench_row_estimate(struct bench_row *row, const struct bench_opts *opts)
{
	const size_t nb = (size_t)opts->nb_restarts * opts->nb_blocks;
	double *x = calloc(nb, sizeof(*x));
	unsigned int k;
	size_t i;

	if (x == NULL)
		return -ENOMEM;
	for (k = 0; k < bench_nb_metrics(opts) && !opts->count_instructions; k++) {
		row->value[SIDE_A][k] = estimate_field(row, opts, x, FIELD_A, k);
		row->value[SIDE_B][k] = estimate_field(row, opts, x, FIELD_B, k);
		row->ratio[k] = estimate_field(row, opts, x, FIELD_RATIO, k);
		row->control[k] = estimate_field(row, opts, x, FIELD_CONTROL, k);
		row->idle[SIDE_A][k] = estimate_field(row, opts, x, FIELD_IDLE_A, k).median;
		row->idle[SIDE_B][k] = estimate_field(row, opts, x, FIELD_IDLE_B, k).median;
	}
	for (i = 0; i < nb; i++)
		x[i] = row->blocks[i].line;
	row->line_median = bench_median(x, nb);
	row->line_min = x[0]; /* the median's work has sorted them */
	row->line_max = x[nb - 1];
	for (i = 0; i < nb && !opts->count_instructions; i++) {
		row->nb_disturbed += row->blocks[i].nb_disturbed != 0;
		row->nb_redone += row->blocks[i].nb_redone;
		bench_pauses_add(&row->pauses[SIDE_A], &row->blocks[i].pauses[SIDE_A]);
		bench_pauses_add(&row->pauses[SIDE_B], &row->blocks[i].pauses[SIDE_B]);
	}
	free(x);
	return 0;
}

bool
bench_control_ok(const struct bench_estimate *control)
{
	return control->lo < 1.005 && control->hi >= 0.995;
}

bool
bench_device_limits(const struct bench_row *row, const struct bench_opts *opts, unsigned int metric)
{
	return bench_mode_info(opts->mode)->has_device_thread &&
			(row->idle[SIDE_A][metric] < MIN_IDLE ||
					row->idle[SIDE_B][metric] < MIN_IDLE);
}

bool
bench_row_disturbed(const struct bench_row *row, const struct bench_opts *opts)
{
	return row->nb_disturbed > MAX_DISTURBED * opts->nb_restarts * opts->nb_blocks;
}

bool
bench_too_few_blocks(const struct bench_opts *opts)
{
	return opts->nb_restarts * opts->nb_blocks < MIN_BLOCKS;
}

enum bench_side
bench_row_behind(const struct bench_row *row, const struct bench_opts *opts)
{
	const struct bench_mode_info *mode = bench_mode_info(opts->mode);
	unsigned int k;

	for (k = 0; k < mode->nb_metrics && opts->mode == MODE_LATENCY; k++) {
		if (!mode->metrics[k].is_rate)
			continue;
		if (row->ratio[k].median < MIN_KEPT)
			return SIDE_A;
		if (row->ratio[k].median > 1 / MIN_KEPT)
			return SIDE_B;
	}
	return NB_SIDES;
}

const char *
bench_row_remark(const struct bench_row *row)
{
	const struct bench_side_info *a = &row->results[0].side[SIDE_A];
	const struct bench_side_info *b = &row->results[0].side[SIDE_B];

	if (a->is_pci || b->is_pci)
		return "PCI: who made the devices knows the features";
	if (!a->has_device || !b->has_device)
		return "control row: a side without a virtio device";
	if ((a->features ^ b->features) & bench_features_datapath())
		return "A and B negotiated DIFFERENT features";
	return NULL;
}

void
bench_row_instructions(const struct bench_row *row, const struct bench_opts *opts,
		enum bench_side side, enum bench_dir dir, double *min, double *max)
{
	unsigned int i, pass;

	*min = *max = row->results[0].side[side].instructions[0][dir];
	for (i = 0; i < opts->nb_restarts; i++)
		for (pass = 0; pass < BENCH_NB_PASSES; pass++) {
			const double v = row->results[i].side[side].instructions[pass][dir];

			*min = v < *min ? v : *min;
			*max = v > *max ? v : *max;
		}
}

/* What of the options changes figures, beside the case. */
static void
report_conditions(const struct bench_opts *opts)
{
	char text[512];

	printf("%s%s%s%s%s%s%s, %u B packets (%s) of %u Tx segment(s), mempool cache %u, SIMD limit ",
			opts->no_huge ? ", 4 KiB pages" : "", opts->is_cold ? ", cold rings" : "",
			opts->is_shuffled ? ", completed out of order" : "",
			opts->rx_mbufs != 0 ? ", Rx pool that runs dry" : "",
			opts->data_valid              ? ", Rx checksum offload, all right" :
					opts->rx_csum ? ", Rx checksum offload" :
							"",
			opts->rx_vlan ? ", Rx tags taken off" : "",
			opts->rx_ipv4 ? ", Rx IPv4 headers checked" : "", opts->frame_len,
			bench_packets_name(opts->packets), opts->nb_segs, BENCH_POOL_CACHE);
	if (opts->simd_bits != 0)
		printf("%u bits", opts->simd_bits);
	else
		printf("EAL's default");
	if (opts->hide != 0)
		printf(", not offered: %s", bench_features_text(opts->hide, text, sizeof(text)));
	putchar('\n');
}

void
bench_report_head(const struct bench_machine *machine, const struct bench_opts *opts)
{
	const struct bench_mode_info *mode = bench_mode_info(opts->mode);

	printf("%s, %s, core %d", machine->cpu, machine->kernel, opts->core);
	if (mode->has_device_thread)
		printf(", device on core %d", opts->device_core);
	printf(", load %.2f\n%s, %s, %s, %s", machine->load, machine->dpdk, machine->compiler,
			machine->when, mode->title);
	report_conditions(opts);
	if (opts->use_marks) {
		printf("%s\n",
				opts->mode == MODE_CROSS ?
						"packets; the emulator's plug-in has their cache lines" :
						"calls of full bursts; the emulator's plug-in has their instructions");
		return;
	}
	if (opts->count_instructions) {
		printf("instructions per packet of the burst function, counted by the trap flag, "
		       "%u restarts x %d passes\n",
				opts->nb_restarts, BENCH_NB_PASSES);
		return;
	}
	printf("median [95 %% bootstrap interval] of %u restarts x %u A B B A blocks",
			opts->nb_restarts, opts->nb_blocks);
	if (mode->has_device_thread)
		printf(" of %u ms windows", opts->window_ms);
	putchar('\n');
}

static void
report_sides(const struct bench_row *row)
{
	const struct bench_result *r = &row->results[0];
	const uint64_t both = r->side[SIDE_A].features & r->side[SIDE_B].features;
	char text[512];
	unsigned int i;

	for (i = SIDE_A; i <= SIDE_B; i++) {
		const struct bench_side_info *s = &r->side[i];

		printf("  %c = %s; burst modes Tx: %s, Rx: %s\n", i == SIDE_A ? 'A' : 'B', s->vdev,
				s->mode[DIR_TX][0] ? s->mode[DIR_TX] : "not told",
				s->mode[DIR_RX][0] ? s->mode[DIR_RX] : "not told");
		printf("      sent %" PRIu64 " = seen, produced %" PRIu64 " = received", s->sent,
				s->produced);
		if (s->not_echoed != 0)
			printf(", not echoed for want of a buffer %" PRIu64, s->not_echoed);
		if (s->has_device)
			printf(", doorbells per burst %.4f",
					(double)s->kicks / RTE_MAX(s->bursts, UINT64_C(1)));
		if (s->features & ~both)
			printf("; features only here: %s",
					bench_features_text(
							s->features & ~both, text, sizeof(text)));
		putchar('\n');
	}
	printf("  features of both: %s\n", bench_features_text(both, text, sizeof(text)));
}

static void
report_instructions(const struct bench_row *row, const struct bench_opts *opts)
{
	unsigned int dir, k;

	if (opts->use_marks) {
		for (k = 0; k < bench_nb_metrics(opts); k++)
			printf("  %-4s %18" PRIu64 " %18" PRIu64 "\n",
					bench_mode_info(opts->mode)->metrics[k].label,
					row->results[0].side[SIDE_A].marked[k],
					row->results[0].side[SIDE_B].marked[k]);
		return;
	}
	printf("  %-4s %18s %18s %10s\n", "", "A", "B", "B/A");
	for (dir = 0; dir < NB_DIRS; dir++) {
		double min[2], max[2];
		unsigned int i;

		for (i = SIDE_A; i <= SIDE_B; i++)
			bench_row_instructions(row, opts, i, dir, &min[i], &max[i]);
		printf("  %-4s %8.1f..%-8.1f %8.1f..%-8.1f %10.2f\n",
				bench_mode_info(MODE_STEP)->metrics[dir].label, min[0], max[0],
				min[1], max[1], (min[1] + max[1]) / (min[0] + max[0]));
	}
}

static void
report_metric(const struct bench_row *row, const struct bench_opts *opts, unsigned int k)
{
	const struct bench_mode_info *mode = bench_mode_info(opts->mode);
	const struct bench_estimate *a = &row->value[SIDE_A][k];
	const struct bench_estimate *b = &row->value[SIDE_B][k];
	const struct bench_estimate *r = &row->ratio[k];
	const struct bench_estimate *c = &row->control[k];
	char label[64];

	snprintf(label, sizeof(label), "%s, %s", mode->metrics[k].label, mode->metrics[k].unit);
	printf("  %-30s %6.2f [%6.2f, %6.2f]  %6.2f [%6.2f, %6.2f]  %5.2f [%5.2f, %5.2f]  "
	       "%.3f [%.3f, %.3f]",
			label, a->median, a->lo, a->hi, b->median, b->lo, b->hi, r->median, r->lo,
			r->hi, c->median, c->lo, c->hi);
	if (mode->has_device_thread)
		printf("  %3.0f / %.0f %%", 100 * row->idle[SIDE_A][k], 100 * row->idle[SIDE_B][k]);
	printf("%s%s\n", bench_control_ok(c) ? "" : "  <- CONTROL FAILED",
			bench_device_limits(row, opts, k) ? "  <- DEVICE LIMIT" : "");
}

/* What the tail of a side's calls is to be compared with: the same core without its driver. */
static void
report_pauses(const struct bench_row *row)
{
	double rate[2][NB_WHERE];
	unsigned int side, where;

	for (side = SIDE_A; side <= SIDE_B; side++)
		for (where = 0; where < NB_WHERE; where++)
			rate[side][where] = bench_pauses_rate(
					&row->pauses[side], where, row->results[0].tsc_hz);
	printf("  longer than %d us, times in a second of it, A / B: between the calls %.0f / %.0f (left "
	       "out), driver calls %.0f / %.0f (up to %d us in the figures)\n",
			BENCH_STALL_US, rate[SIDE_A][BETWEEN_CALLS], rate[SIDE_B][BETWEEN_CALLS],
			rate[SIDE_A][WITHIN_CALLS], rate[SIDE_B][WITHIN_CALLS], BENCH_GAP_US);
}

static void
report_measured(const struct bench_row *row, const struct bench_opts *opts)
{
	bool is_control_ok = true, is_limited = false;
	unsigned int k;

	printf("  %-30s %-24s  %-24s  %-20s  %-20s%s\n", "", "A", "B", "A better by a factor",
			"A/A control",
			bench_mode_info(opts->mode)->has_device_thread ? "  device idle A / B" :
									 "");
	for (k = 0; k < bench_nb_metrics(opts); k++) {
		report_metric(row, opts, k);
		is_control_ok &= bench_control_ok(&row->control[k]);
		is_limited |= bench_device_limits(row, opts, k);
	}
	if (!is_control_ok)
		printf("  NOTE: an A/A control does not contain 1.00: the machine was too noisy for "
		       "that line\n");
	if (is_limited)
		printf("  NOTE: DEVICE LIMIT: the device was idle for less than %.0f %% of the time, "
		       "so that line measures the device\n",
				100 * MIN_IDLE);
	if (bench_mode_info(opts->mode)->has_device_thread)
		printf("  a cache line to the device's core and back: %.0f TSC cycles (%.0f to %.0f)\n",
				row->line_median, row->line_min, row->line_max);
	if (opts->mode == MODE_LATENCY)
		report_pauses(row);
	if (bench_row_behind(row, opts) != NB_SIDES)
		printf("  NOTE: BEHIND ITS PLAN: %c, whose times look better than they are\n",
				bench_row_behind(row, opts) == SIDE_A ? 'A' : 'B');
	if (bench_too_few_blocks(opts))
		printf("  NOTE: TOO FEW BLOCKS: %u give no interval of 95 %%, %u do\n",
				opts->nb_restarts * opts->nb_blocks, MIN_BLOCKS);
	if (row->nb_redone + row->nb_disturbed != 0)
		printf("  NOTE: %s%u of %u blocks with pauses of a core, or whose cores were "
		       "moved, after %u were done again for that\n",
				bench_row_disturbed(row, opts) ? "DISTURBED: " : "",
				row->nb_disturbed, opts->nb_restarts * opts->nb_blocks,
				row->nb_redone);
}

void
bench_report_row(const struct bench_row *row, const struct bench_opts *opts)
{
	const char *remark;

	printf("\nqueue %u, burst %u, model %s, %u queue pair(s)", row->c.queue, row->c.burst,
			bench_model_name(row->c.model), row->c.pairs);
	if (opts->mode == MODE_LATENCY)
		printf(", load %u %%", row->c.load);
	putchar('\n');
	if (!row->is_complete) {
		printf("  NOT MEASURED: fewer blocks than asked for; the reason is on stderr\n");
		return;
	}
	report_sides(row);
	if (opts->count_instructions)
		report_instructions(row, opts);
	else
		report_measured(row, opts);
	remark = bench_row_remark(row);
	if (remark != NULL)
		printf("  NOTE: %s\n", remark);
	fflush(stdout);
}
