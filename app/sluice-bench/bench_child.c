/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The measuring process: one case, one creation order. It sets up three ports (A, B and a second
 * A for the control), steps them alternately, checks every count, and writes one record to the
 * reporting process only if all of that went well.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "bench_cross.h"
#include "bench_eal.h"
#include "bench_features.h"
#include "bench_latency.h"
#include "bench_marks.h"
#include "bench_metric.h"
#include "bench_opts.h"
#include "bench_step.h"
#include "bench_trap.h"

#define MAX_REDONE 3
#define MAX_MOVED 2 /* the price of a cache line may change by this within a block */
#define MAX_TRIES 8
#define DEADLINE_S 60 /* of everything that talks: SIGALRM ends the process */

/* What is created first lies elsewhere in memory and in the cache's sets than what comes later: a
 * few percent. So three restarts let every side have every place once, and six both directions.
 */
static enum bench_side
side_at(const struct bench_opts *opts, unsigned int i)
{
	const unsigned int nb = bench_nb_sides(opts);
	const unsigned int turn = opts->restart / nb % 2 ? nb - 1 - i : i;

	return (turn + opts->restart) % nb;
}

/* What a mode needs before its first window. */
static int
prepare(struct bench_port *ports, const struct bench_opts *opts)
{
	unsigned int i;
	int ret;

	if (opts->mode == MODE_STEP)
		return 0;
	for (i = 0; i < bench_nb_sides(opts); i++) {
		ret = bench_cross_warm_up(&ports[i], opts);
		if (ret != 0)
			return ret;
	}
	return opts->use_marks ? 0 : bench_device_start(opts->device_core);
}

static int
start_ports(struct bench_port *ports, const struct bench_opts *opts)
{
	const unsigned int nb = bench_nb_sides(opts);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nb && ret == 0; i++) {
		const enum bench_side side = side_at(opts, i);

		ret = bench_port_init(&ports[side], opts, side);
	}
	for (i = 0; i < nb && ret == 0; i++)
		ret = bench_port_start(&ports[side_at(opts, i)], opts);
	for (i = 0; i < nb && ret == 0; i++)
		ret = bench_warm_up(&ports[i], opts);
	if (ret == 0)
		ret = prepare(ports, opts);
	return ret;
}

static int
check_features(const struct bench_port *ports, const struct bench_opts *opts)
{
	uint64_t a, b, differ;
	char text[512];

	if (!ports[SIDE_A].has_device || !ports[SIDE_B].has_device)
		return BENCH_OK; /* the report calls it a control row */
	a = ports[SIDE_A].dev->features;
	b = ports[SIDE_B].dev->features;
	differ = (a ^ b) & bench_features_datapath();
	if (differ == 0 || opts->allow_different)
		return BENCH_OK;
	fprintf(stderr, "sluice-bench: A and B negotiated different features.\n");
	fprintf(stderr, "  only A: %s\n", bench_features_text(differ & a, text, sizeof(text)));
	fprintf(stderr, "  only B: %s\n", bench_features_text(differ & b, text, sizeof(text)));
	fprintf(stderr,
			"  Compare like with like: --hide %s (the device then offers them to "
			"neither), or devargs.\n  To compare anyway, with the row marked: "
			"--allow-different\n",
			bench_features_text(differ, text, sizeof(text)));
	return BENCH_DIFFER;
}

/* A bar over all cases of the run, on a terminal. */
static void
progress(const struct bench_opts *opts, unsigned int block)
{
	static const char bar[] = "####################";
	const int width = sizeof(bar) - 1;
	const unsigned int nb_done = opts->case_nr * opts->nb_restarts + opts->restart;
	const double share = (nb_done + (double)block / opts->nb_blocks) /
			(opts->nb_cases * opts->nb_restarts);

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r[%-*.*s] %3.0f %%, case %u/%u (queue %u, burst %u, %s), restart %u/%u ",
			width, (int)(width * share), bar, 100 * share, opts->case_nr + 1,
			opts->nb_cases, opts->queues.v[0], opts->bursts.v[0],
			bench_model_name(opts->models.v[0]), opts->restart + 1, opts->nb_restarts);
	if (block == opts->nb_blocks)
		fprintf(stderr, "\r\033[K");
}

/* A window in which nothing moved tells nothing: on a busy machine a thread may not get to run. */
static int
measure_window(struct bench_port *port, const struct bench_opts *opts, struct bench_sample *out)
{
	static int (*const window[NB_MODES])(
			struct bench_port *, const struct bench_opts *, struct bench_sample *) = {
		[MODE_STEP] = bench_step_window,
		[MODE_CROSS] = bench_cross_window,
		[MODE_LATENCY] = bench_latency_window,
	};

	unsigned int tries;
	int ret = -EAGAIN;

	for (tries = 0; tries < MAX_TRIES && ret == -EAGAIN; tries++) {
		memset(out, 0, sizeof(*out));
		ret = window[opts->mode](port, opts, out);
	}
	out->is_disturbed |= tries > 1;
	if (ret == -EAGAIN)
		fprintf(stderr,
				"sluice-bench: %s: %d windows in which no packet moved: is the machine too "
				"busy?\n",
				port->name, MAX_TRIES);
	return ret;
}

/* Windows in the order x y y x: a drift of the clock that is linear in time cancels. */
static int
measure_pair(struct bench_port *x, struct bench_port *y, const struct bench_opts *opts,
		struct bench_sample mean[2], uint32_t *nb_disturbed)
{
	static const unsigned int order[4] = { 0, 1, 1, 0 };
	struct bench_port *const ports[2] = { x, y };
	struct bench_sample one;
	unsigned int i, k;
	int ret = 0;

	memset(mean, 0, 2 * sizeof(*mean));
	for (i = 0; i < 4 && ret == 0; i++) {
		ret = measure_window(ports[order[i]], opts, &one);
		for (k = 0; k < BENCH_METRICS; k++) {
			mean[order[i]].value[k] += one.value[k] / 2;
			mean[order[i]].idle[k] += one.idle[k] / 2;
		}
		bench_pauses_add(&mean[order[i]].pauses, &one.pauses);
		*nb_disturbed += one.is_disturbed;
	}
	return ret;
}

/* What the cores are to each other now, and what they can do. */
static int
begin_block(struct bench_port *ports, const struct bench_opts *opts, struct bench_block *block)
{
	bool is_disturbed = false;
	int ret = 0;

	block->nb_disturbed = 0;
	if (bench_mode_info(opts->mode)->has_device_thread)
		ret = bench_device_line(&ports[SIDE_A], &block->line);
	if (ret == 0 && opts->mode == MODE_LATENCY)
		ret = bench_latency_calibrate(ports, NB_SIDES, opts, &is_disturbed);
	block->nb_disturbed += is_disturbed;
	return ret;
}

/*
 * A block in which the cores were moved, nearer to each other or farther away, compares one with
 * the other.
 */
static int
end_block(struct bench_port *ports, const struct bench_opts *opts, struct bench_block *block)
{
	double line = block->line;
	int ret = 0;

	if (bench_mode_info(opts->mode)->has_device_thread)
		ret = bench_device_line(&ports[SIDE_A], &line);
	block->nb_disturbed += line > MAX_MOVED * block->line || block->line > MAX_MOVED * line;
	return ret;
}

static int
measure_block(struct bench_port *ports, const struct bench_opts *opts, struct bench_block *block)
{
	struct bench_sample ab[2], ac[2];
	int ret = begin_block(ports, opts, block);

	if (ret == 0)
		ret = measure_pair(&ports[SIDE_A], &ports[SIDE_B], opts, ab, &block->nb_disturbed);
	if (ret == 0)
		ret = measure_pair(&ports[SIDE_A], &ports[SIDE_C], opts, ac, &block->nb_disturbed);
	if (ret == 0)
		ret = end_block(ports, opts, block);
	if (ret != 0)
		return ret;
	memcpy(block->a, ab[0].value, sizeof(block->a));
	memcpy(block->b, ab[1].value, sizeof(block->b));
	memcpy(block->control_a, ac[0].value, sizeof(block->control_a));
	memcpy(block->control_c, ac[1].value, sizeof(block->control_c));
	memcpy(block->idle[SIDE_A], ab[0].idle, sizeof(block->idle[SIDE_A]));
	memcpy(block->idle[SIDE_B], ab[1].idle, sizeof(block->idle[SIDE_B]));
	block->pauses[SIDE_A] = ab[0].pauses;
	block->pauses[SIDE_B] = ab[1].pauses;
	return 0;
}

/* A block in which the core was taken away is done again, a few times; a machine that is too busy
 * for that gives blocks that say so.
 */
static int
measure_blocks(struct bench_port *ports, const struct bench_opts *opts, struct bench_result *result,
		struct bench_block *blocks)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < opts->nb_blocks && ret == 0; i++) {
		do {
			ret = measure_block(ports, opts, &blocks[i]);
		} while (ret == 0 && blocks[i].nb_disturbed != 0 &&
				blocks[i].nb_redone++ < MAX_REDONE);
		progress(opts, i + 1);
	}
	result->nb_blocks = i;
	return ret;
}

/* Only marks, as below: the plug-in knows how many cache lines travelled. */
static int
mark_cores(struct bench_port *ports, const struct bench_opts *opts, struct bench_result *result)
{
	unsigned int side;
	int ret = 0;

	bench_marks_init();
	for (side = SIDE_A; side <= SIDE_B && ret == 0; side++)
		ret = bench_cross_mark(&ports[side], opts, result->side[side].marked);
	return ret;
}

/*
 * Only marks: the plug-in knows how many instructions there were, and the report how many packets.
 */
static int
mark_calls(struct bench_port *ports, const struct bench_opts *opts, struct bench_result *result)
{
	unsigned int side, dir;
	int ret = 0;

	bench_marks_init();
	for (side = SIDE_A; side <= SIDE_B && ret == 0; side++) {
		struct bench_cost cost = { 0 };

		bench_marks_port(&ports[side], side);
		ret = bench_step_many(&ports[side], opts,
				BENCH_MARKED_LAPS * bench_lap_bursts(opts), bench_meter_marks,
				&cost);
		for (dir = 0; dir < NB_DIRS; dir++)
			result->side[side].marked[dir] = cost.cost[dir];
	}
	if (ret == 0)
		bench_marks_report();
	return ret;
}

static int
count_instructions(struct bench_port *ports, const struct bench_opts *opts,
		struct bench_result *result)
{
	unsigned int side, pass, dir;
	int ret = bench_trap_init();

	for (side = SIDE_A; side <= SIDE_B; side++) {
		for (pass = 0; pass < BENCH_NB_PASSES && ret == 0; pass++) {
			struct bench_cost cost = { 0 };

			ret = bench_step_many(&ports[side], opts, bench_lap_bursts(opts),
					bench_meter_trap, &cost);
			for (dir = 0; dir < NB_DIRS && ret == 0; dir++) {
				if (cost.packets[dir] == 0)
					return -EIO;
				result->side[side].instructions[pass][dir] =
						(double)cost.cost[dir] / cost.packets[dir];
			}
		}
	}
	return ret;
}

static int
measure(struct bench_port *ports, const struct bench_opts *opts, struct bench_result *result,
		struct bench_block *blocks)
{
	unsigned int i;
	int ret;

	result->pair_cycles = bench_pair_cycles();
	if (opts->use_marks && opts->mode == MODE_CROSS)
		ret = mark_cores(ports, opts, result);
	else if (opts->use_marks)
		ret = mark_calls(ports, opts, result);
	else if (opts->count_instructions)
		ret = count_instructions(ports, opts, result);
	else
		ret = measure_blocks(ports, opts, result, blocks);
	bench_device_end();
	for (i = 0; i < bench_nb_sides(opts) && ret == 0; i++) {
		ret = bench_app_verify(&ports[i], opts);
		if (ret == 0)
			bench_port_info(&ports[i], &result->side[i]);
	}
	return ret;
}

static int
write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
	return 0;
}

int
bench_child_run(const struct bench_opts *opts, const char *program)
{
	static struct bench_port ports[NB_SIDES];
	struct bench_result result = { .magic = BENCH_MAGIC };
	struct bench_block *blocks = calloc(opts->nb_blocks, sizeof(*blocks));
	int i, ret, status = BENCH_FAILED;

	for (i = 0; i < NB_SIDES; i++)
		ports[i].slot = -1;
	/* do not outlive the reporting process, and hang nowhere */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(DEADLINE_S);
	if (blocks == NULL || bench_eal_init(opts, program) != 0)
		return BENCH_FAILED;
	result.tsc_hz = rte_get_tsc_hz();
	ret = start_ports(ports, opts);
	alarm(0);
	if (ret == 0) {
		status = check_features(ports, opts);
		ret = status == BENCH_OK ? measure(ports, opts, &result, blocks) : -EINVAL;
	}
	alarm(DEADLINE_S);
	for (i = NB_SIDES - 1; i >= 0; i--)
		if (bench_port_close(&ports[i]) != 0 && ret == 0)
			ret = -EBUSY;
	rte_eal_cleanup();
	if (ret == 0 &&
			(write_all(opts->result_fd, &result, sizeof(result)) != 0 ||
					write_all(opts->result_fd, blocks,
							result.nb_blocks * sizeof(*blocks)) != 0))
		ret = -EIO;
	free(blocks);
	return ret != 0 && status == BENCH_OK ? BENCH_FAILED : status;
}
