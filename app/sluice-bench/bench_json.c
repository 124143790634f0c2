/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The run as JSON: the estimates and every block, so that others can do their own statistics. */
#include "bench_report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bench_features.h"
#include "bench_metric.h"
#include "bench_opts.h"
#include "bench_packets.h"

static void
put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void
put_pair(FILE *f, const char *key, const char *value)
{
	put_string(f, key);
	fputs(": ", f);
	put_string(f, value);
}

/* JSON knows no number that is none. */
static void
put_number(FILE *f, const char *key, double v)
{
	if (isfinite(v))
		fprintf(f, "\"%s\": %.6g", key, v);
	else
		fprintf(f, "\"%s\": null", key);
}

static void
put_estimate(FILE *f, const char *key, const struct bench_estimate *e)
{
	fprintf(f, "\"%s\": {", key);
	put_number(f, "median", e->median);
	fputs(", ", f);
	put_number(f, "lo95", e->lo);
	fputs(", ", f);
	put_number(f, "hi95", e->hi);
	fputc('}', f);
}

static void
put_machine(FILE *f, const struct bench_machine *machine, const struct bench_opts *opts, int argc,
		char **argv)
{
	int i;

	fputs("  \"machine\": {", f);
	put_pair(f, "cpu", machine->cpu);
	fputs(", ", f);
	put_pair(f, "kernel", machine->kernel);
	fprintf(f, ", \"core\": %d, \"device_core\": %d, \"load\": %.2f},\n  ", opts->core,
			opts->device_core, machine->load);
	put_pair(f, "dpdk", machine->dpdk);
	fputs(", ", f);
	put_pair(f, "compiler", machine->compiler);
	fputs(",\n  ", f);
	put_pair(f, "when", machine->when);
	fputs(",\n  \"command\": [", f);
	for (i = 0; i < argc; i++) {
		fputs(i ? ", " : "", f);
		put_string(f, argv[i]);
	}
	fputs("],\n  ", f);
	put_pair(f, "mode",
			opts->use_marks ? "marks" :
					opts->count_instructions ?
					  "instructions" :
					  bench_mode_info(opts->mode)->name);
	fprintf(f,
			", \"no_huge\": %s, \"frame_bytes\": %u, \"tx_segs\": %u, \"simd_bits\": %u, "
			"\"pool_cache\": %u, \"packets\": \"%s\", \"rx_mbufs\": %u, \"out_of_order\": %s, "
			"\"cold\": %s, \"rx_csum\": %s, \"data_valid\": %s, \"rx_vlan\": %s, "
			"\"rx_ipv4\": %s, \"restarts\": %u, \"blocks\": %u, \"segments\": %u, \"window_ms\": %u,\n",
			opts->no_huge ? "true" : "false", opts->frame_len, opts->nb_segs,
			opts->simd_bits, BENCH_POOL_CACHE, bench_packets_name(opts->packets),
			opts->rx_mbufs, opts->is_shuffled ? "true" : "false",
			opts->is_cold ? "true" : "false", opts->rx_csum ? "true" : "false",
			opts->data_valid ? "true" : "false", opts->rx_vlan ? "true" : "false",
			opts->rx_ipv4 ? "true" : "false", opts->nb_restarts, opts->nb_blocks,
			opts->nb_segments, opts->window_ms);
}

static void
put_side(FILE *f, const char *key, const struct bench_side_info *s)
{
	char text[512];

	fprintf(f, "      \"%s\": {", key);
	put_pair(f, "vdev", s->vdev);
	fputs(", ", f);
	put_pair(f, "tx_mode", s->mode[DIR_TX]);
	fputs(", ", f);
	put_pair(f, "rx_mode", s->mode[DIR_RX]);
	fprintf(f, ", \"features\": \"0x%" PRIx64 "\", ", s->features);
	put_pair(f, "feature_names", bench_features_text(s->features, text, sizeof(text)));
	fprintf(f,
			", \"sent\": %" PRIu64 ", \"seen\": %" PRIu64 ", \"produced\": %" PRIu64
			", \"received\": %" PRIu64 ", \"not_echoed\": %" PRIu64
			", \"bursts\": %" PRIu64 ", \"doorbells\": %" PRIu64 "},\n",
			s->sent, s->seen, s->produced, s->received, s->not_echoed, s->bursts,
			s->kicks);
}

static void
put_measured(FILE *f, const struct bench_row *row, const struct bench_opts *opts, unsigned int k)
{
	const struct bench_mode_info *mode = bench_mode_info(opts->mode);
	const size_t nb = (size_t)opts->nb_restarts * opts->nb_blocks;
	size_t i;

	put_pair(f, "unit", mode->metrics[k].unit);
	fprintf(f, ", \"more_is_better\": %s, ", mode->metrics[k].is_rate ? "true" : "false");
	put_estimate(f, "a", &row->value[SIDE_A][k]);
	fputs(", ", f);
	put_estimate(f, "b", &row->value[SIDE_B][k]);
	fputs(", ", f);
	put_estimate(f, "ratio", &row->ratio[k]);
	fputs(", ", f);
	put_estimate(f, "control", &row->control[k]);
	fprintf(f, ", \"control_ok\": %s, ", bench_control_ok(&row->control[k]) ? "true" : "false");
	if (mode->has_device_thread)
		fprintf(f, "\"idle_a\": %.4f, \"idle_b\": %.4f, \"device_limit\": %s, ",
				row->idle[SIDE_A][k], row->idle[SIDE_B][k],
				bench_device_limits(row, opts, k) ? "true" : "false");
	fputs("\n        \"blocks_a_b_controla_controlc\": [", f);
	for (i = 0; i < nb; i++) {
		const struct bench_block *b = &row->blocks[i];

		fprintf(f, "%s[%.4g, %.4g, %.4g, %.4g]", i ? ", " : "", b->a[k], b->b[k],
				b->control_a[k], b->control_c[k]);
	}
	fputc(']', f);
}

static void
put_instructions(FILE *f, const struct bench_row *row, const struct bench_opts *opts,
		unsigned int metric)
{
	double a[2], b[2];

	if (opts->use_marks) {
		fprintf(f, "\"unit\": \"%s\", \"a\": %" PRIu64 ", \"b\": %" PRIu64,
				opts->mode == MODE_CROSS ? "packets" : "calls of full bursts",
				row->results[0].side[SIDE_A].marked[metric],
				row->results[0].side[SIDE_B].marked[metric]);
		return;
	}
	bench_row_instructions(row, opts, SIDE_A, metric, &a[0], &a[1]);
	bench_row_instructions(row, opts, SIDE_B, metric, &b[0], &b[1]);
	fprintf(f,
			"\"unit\": \"instructions/packet\", \"a_min\": %.4f, \"a_max\": %.4f, "
			"\"b_min\": %.4f, \"b_max\": %.4f",
			a[0], a[1], b[0], b[1]);
}

static void
put_pauses(FILE *f, const struct bench_row *row)
{
	static const char *const keys[NB_WHERE] = {
		[BETWEEN_CALLS] = "pauses_between_calls_per_s",
		[WITHIN_CALLS] = "pauses_within_calls_per_s",
	};
	const uint64_t hz = row->results[0].tsc_hz;
	unsigned int i;

	for (i = 0; i < NB_WHERE; i++)
		fprintf(f, "      \"%s\": [%.1f, %.1f],\n", keys[i],
				bench_pauses_rate(&row->pauses[SIDE_A], i, hz),
				bench_pauses_rate(&row->pauses[SIDE_B], i, hz));
}

static void
put_row(FILE *f, const struct bench_row *row, const struct bench_opts *opts)
{
	const char *remark;
	unsigned int k;

	fprintf(f,
			"    {\"queue\": %u, \"burst\": %u, \"model\": \"%s\", \"pairs\": %u, "
			"\"load\": %u, \"complete\": %s",
			row->c.queue, row->c.burst, bench_model_name(row->c.model), row->c.pairs,
			row->c.load, row->is_complete ? "true" : "false");
	if (!row->is_complete) {
		fputc('}', f);
		return;
	}
	remark = bench_row_remark(row);
	fputs(",\n      \"remark\": ", f);
	if (remark != NULL)
		put_string(f, remark);
	else
		fputs("null", f);
	fprintf(f,
			", \"disturbed_blocks\": %u, \"redone_blocks\": %u, \"disturbed\": %s, "
			"\"too_few_blocks\": %s, \"pair_cycles\": %u, \"tsc_hz\": %" PRIu64 ",\n",
			row->nb_disturbed, row->nb_redone,
			bench_row_disturbed(row, opts) ? "true" : "false",
			bench_too_few_blocks(opts) ? "true" : "false", row->results[0].pair_cycles,
			row->results[0].tsc_hz);
	if (bench_mode_info(opts->mode)->has_device_thread && !opts->use_marks)
		fprintf(f, "      \"line_cycles\": [%.0f, %.0f, %.0f],\n", row->line_min,
				row->line_median, row->line_max);
	if (opts->mode == MODE_LATENCY) {
		static const char *const behind[] = {
			[SIDE_A] = "\"A\"",
			[SIDE_B] = "\"B\"",
			[NB_SIDES] = "null",
		};

		put_pauses(f, row);
		fprintf(f, "      \"behind_plan\": %s,\n", behind[bench_row_behind(row, opts)]);
	}
	put_side(f, "a", &row->results[0].side[SIDE_A]);
	put_side(f, "b", &row->results[0].side[SIDE_B]);
	fputs("      \"metrics\": {\n", f);
	for (k = 0; k < bench_nb_metrics(opts); k++) {
		fprintf(f, "      \"%s\": {", bench_mode_info(opts->mode)->metrics[k].key);
		if (opts->count_instructions)
			put_instructions(f, row, opts, k);
		else
			put_measured(f, row, opts, k);
		fputs(k + 1 < bench_nb_metrics(opts) ? "},\n" : "}}}", f);
	}
}

int
bench_json_write(FILE *f, const struct bench_machine *machine, const struct bench_opts *opts,
		const struct bench_row *rows, unsigned int nb_rows, int argc, char **argv)
{
	unsigned int i;
	bool failed;

	fputs("{\n", f);
	put_machine(f, machine, opts, argc, argv);
	fputs("  \"rows\": [\n", f);
	for (i = 0; i < nb_rows; i++) {
		put_row(f, &rows[i], opts);
		fputs(i + 1 < nb_rows ? ",\n" : "\n", f);
	}
	fputs("  ]\n}\n", f);
	failed = ferror(f);
	if (fclose(f) != 0 || failed) {
		fprintf(stderr, "sluice-bench: --json: %s: not written completely\n",
				opts->json_path);
		return -EIO;
	}
	return 0;
}
