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

#include "bench_eal.h"
#include "bench_features.h"
#include "bench_port.h"
#include "bench_step.h"
#include "bench_trap.h"

#define DEADLINE_S 60 /* of everything that talks: SIGALRM ends the process */

/* What is created first lies elsewhere in memory and in the cache's sets than what comes later: a
 * few percent. So three restarts let every side have every place once, and six both directions.
 */
static enum bench_side
side_at(unsigned int restart, unsigned int i)
{
	const unsigned int turn = restart / NB_SIDES % 2 ? NB_SIDES - 1 - i : i;

	return (turn + restart) % NB_SIDES;
}

static int
start_ports(struct bench_port *ports, const struct bench_opts *opts)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NB_SIDES && ret == 0; i++) {
		const enum bench_side side = side_at(opts->restart, i);

		ret = bench_port_init(&ports[side], opts, side);
	}
	for (i = 0; i < NB_SIDES && ret == 0; i++)
		ret = bench_port_start(&ports[side_at(opts->restart, i)], opts);
	for (i = 0; i < NB_SIDES && ret == 0; i++)
		ret = bench_warm_up(&ports[i], opts);
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

static void
progress(const struct bench_opts *opts, unsigned int block)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\rqueue %u burst %u %s: restart %u/%u block %u/%u ", opts->queues.v[0],
			opts->bursts.v[0], (const char *[]){ "N0", "N1", "N2" }[opts->models.v[0]],
			opts->restart + 1, opts->nb_restarts, block, opts->nb_blocks);
	if (block == opts->nb_blocks)
		fprintf(stderr, "\r\033[K");
}

/* Windows in the order x y y x: a drift of the clock that is linear in time cancels. */
static int
measure_pair(struct bench_port *x, struct bench_port *y, const struct bench_opts *opts,
		uint32_t pair_cycles, double *x_value, double *y_value)
{
	struct bench_port *order[4] = { x, y, y, x };
	double value[4][NB_DIRS];
	int i, dir, ret = 0;

	for (i = 0; i < 4 && ret == 0; i++)
		ret = bench_window(order[i], opts, pair_cycles, value[i]);
	for (dir = 0; dir < NB_DIRS && ret == 0; dir++) {
		x_value[dir] = (value[0][dir] + value[3][dir]) / 2;
		y_value[dir] = (value[1][dir] + value[2][dir]) / 2;
	}
	return ret;
}

static int
measure_cycles(struct bench_port *ports, const struct bench_opts *opts, struct bench_result *result,
		struct bench_block *blocks)
{
	unsigned int i;
	int ret = 0;

	result->pair_cycles = bench_pair_cycles();
	for (i = 0; i < opts->nb_blocks && ret == 0; i++) {
		ret = measure_pair(&ports[SIDE_A], &ports[SIDE_B], opts, result->pair_cycles,
				blocks[i].a, blocks[i].b);
		if (ret == 0)
			ret = measure_pair(&ports[SIDE_A], &ports[SIDE_C], opts,
					result->pair_cycles, blocks[i].control_a,
					blocks[i].control_c);
		progress(opts, i + 1);
	}
	result->nb_blocks = i;
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

	ret = opts->count_instructions ? count_instructions(ports, opts, result) :
					 measure_cycles(ports, opts, result, blocks);
	for (i = 0; i < NB_SIDES && ret == 0; i++) {
		ret = bench_verify(&ports[i], opts);
		if (ret != 0)
			break;
		bench_port_info(&ports[i], &result->side[i]);
		if (ports[i].dev != NULL)
			result->side[i].kicks = null_dev_kicks(ports[i].dev);
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
