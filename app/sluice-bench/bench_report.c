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

#include "bench_eal.h"
#include "bench_features.h"
#include "bench_opts.h"

static const char *const dir_name[NB_DIRS] = { "Tx", "Rx" };

void
bench_machine_read(struct bench_machine *machine, const struct bench_opts *opts)
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
	machine->core = bench_eal_core(opts);
}

static struct bench_estimate
estimate_field(const struct bench_row *row, const struct bench_opts *opts, double *scratch,
		double (*field)(const struct bench_block *, int), int dir)
{
	const size_t nb = (size_t)opts->nb_restarts * opts->nb_blocks;
	size_t i;

	for (i = 0; i < nb; i++)
		scratch[i] = field(&row->blocks[i], dir);
	return bench_estimate(scratch, opts->nb_restarts, opts->nb_blocks);
}

static double
field_a(const struct bench_block *b, int dir)
{
	return b->a[dir];
}
static double
field_b(const struct bench_block *b, int dir)
{
	return b->b[dir];
}
static double
field_ratio(const struct bench_block *b, int dir)
{
	return b->b[dir] / b->a[dir];
}

static double
field_control(const struct bench_block *b, int dir)
{
	return b->control_c[dir] / b->control_a[dir];
}

int
bench_row_estimate(struct bench_row *row, const struct bench_opts *opts)
{
	double *scratch = calloc((size_t)opts->nb_restarts * opts->nb_blocks, sizeof(*scratch));
	int dir;

	if (scratch == NULL)
		return -ENOMEM;
	for (dir = 0; dir < NB_DIRS && !opts->count_instructions; dir++) {
		row->cycles[SIDE_A][dir] = estimate_field(row, opts, scratch, field_a, dir);
		row->cycles[SIDE_B][dir] = estimate_field(row, opts, scratch, field_b, dir);
		row->ratio[dir] = estimate_field(row, opts, scratch, field_ratio, dir);
		row->control[dir] = estimate_field(row, opts, scratch, field_control, dir);
	}
	free(scratch);
	return 0;
}

bool
bench_control_ok(const struct bench_estimate *control)
{
	return control->lo < 1.005 && control->hi >= 0.995;
}

const char *
bench_row_remark(const struct bench_row *row)
{
	const struct bench_side_info *a = &row->results[0].side[SIDE_A];
	const struct bench_side_info *b = &row->results[0].side[SIDE_B];

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

void
bench_report_head(const struct bench_machine *machine, const struct bench_opts *opts)
{
	printf("%s, %s, core %d, load %.2f\n", machine->cpu, machine->kernel, machine->core,
			machine->load);
	printf("%s, %s, same-core stepping%s%s, %u B packets of %u Tx segment(s), SIMD limit %s",
			machine->dpdk, machine->when, opts->is_cold ? ", cold rings" : "",
			opts->rx_csum ? ", Rx checksum offload" : "", opts->frame_len,
			opts->nb_segs, opts->simd_bits ? "" : "EAL's default\n");
	if (opts->simd_bits)
		printf("%u bits\n", opts->simd_bits);
	if (opts->count_instructions)
		printf("instructions per packet of the burst function, counted by the trap flag, "
		       "%u restarts x %d passes\n",
				opts->nb_restarts, BENCH_NB_PASSES);
	else
		printf("TSC cycles per packet; median [95 %% bootstrap interval] of %u restarts x "
		       "%u A B B A blocks\n",
				opts->nb_restarts, opts->nb_blocks);
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

		printf("  %c = %s; burst modes Tx: %s, Rx: %s\n", "AB"[i], s -> vdev,
				s -> mode[DIR_TX][0] ? s -> mode[DIR_TX] : "not told",
				s->mode[DIR_RX][0] ? s->mode[DIR_RX] : "not told");
		printf("      sent %" PRIu64 " = seen, produced %" PRIu64 " = received, doorbells "
		       "per burst %.4f%s%s\n",
				s->sent, s->produced, s->bursts ? (double)s->kicks / s->bursts : 0,
				s->features & ~both ? "; features only here: " : "",
				s->features & ~both ? bench_features_text(s->features & ~both, text,
								      sizeof(text)) :
						      "");
	}
	printf("  features of both: %s\n", bench_features_text(both, text, sizeof(text)));
}

static void
report_instructions(const struct bench_row *row, const struct bench_opts *opts)
{
	int dir;

	printf("  %-4s %18s %18s %10s\n", "", "A", "B", "B/A");
	for (dir = 0; dir < NB_DIRS; dir++) {
		double min[2], max[2];
		unsigned int i;

		for (i = SIDE_A; i <= SIDE_B; i++)
			bench_row_instructions(row, opts, i, dir, &min[i], &max[i]);
		printf("  %-4s %8.1f..%-8.1f %8.1f..%-8.1f %10.2f\n", dir_name[dir], min[0], max[0],
				min[1], max[1], (min[1] + max[1]) / (min[0] + max[0]));
	}
}

static void
report_cycles(const struct bench_row *row)
{
	int dir;

	printf("  %-4s %-20s  %-20s  %-26s  %s\n", "", "A cycles/packet", "B cycles/packet",
			"B/A (times fewer for A)", "A/A control");
	for (dir = 0; dir < NB_DIRS; dir++) {
		const struct bench_estimate *a = &row->cycles[SIDE_A][dir];
		const struct bench_estimate *b = &row->cycles[SIDE_B][dir];
		const struct bench_estimate *r = &row->ratio[dir];
		const struct bench_estimate *c = &row->control[dir];

		printf("  %-4s %5.1f [%5.1f, %5.1f]  %5.1f [%5.1f, %5.1f]  %5.2f [%5.2f, %5.2f]"
		       "        %.3f [%.3f, %.3f]%s\n",
				dir_name[dir], a->median, a->lo, a->hi, b->median, b->lo, b->hi,
				r->median, r->lo, r->hi, c->median, c->lo, c->hi,
				bench_control_ok(c) ? "" : "  <- CONTROL FAILED");
	}
}

void
bench_report_row(const struct bench_row *row, const struct bench_opts *opts)
{
	const char *remark;

	printf("\nqueue %u, burst %u, model %s\n", row->c.queue, row->c.burst,
			bench_model_name(row->c.model));
	if (!row->is_complete) {
		printf("  NOT MEASURED: fewer blocks than asked for; the reason is on stderr\n");
		return;
	}
	report_sides(row);
	if (opts->count_instructions)
		report_instructions(row, opts);
	else
		report_cycles(row);
	remark = bench_row_remark(row);
	if (remark != NULL)
		printf("  NOTE: %s\n", remark);
	if (!opts->count_instructions &&
			(!bench_control_ok(&row->control[DIR_TX]) ||
					!bench_control_ok(&row->control[DIR_RX])))
		printf("  NOTE: the A/A control does not contain 1.00: the machine was too noisy for "
		       "these numbers\n");
	fflush(stdout);
}
