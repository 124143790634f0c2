/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_metric.h"

#include <string.h>

static const struct bench_mode_info modes[NB_MODES] = {
	[MODE_STEP] = {
		.name = "step",
		.title = "same-core stepping",
		.nb_metrics = 3,
		.metrics = {
			[DIR_TX] = { "tx", "Tx", "TSC cycles/packet", false },
			[DIR_RX] = { "rx", "Rx", "TSC cycles/packet", false },
			/* behind the directions, so that a run without it just leaves it out */
			{ "poll", "empty Rx poll", "TSC cycles/call", false },
		},
	},
	[MODE_CROSS] = {
		.name = "cross",
		.title = "device on a core of its own",
		.has_device_thread = true,
		.nb_metrics = 3,
		.metrics = {
			{ "tx", "Tx", "Mpps", true },
			{ "rx", "Rx", "Mpps", true },
			{ "io", "io", "Mpps", true },
		},
	},
	[MODE_LATENCY] = {
		.name = "latency",
		.title = "echo device on a core of its own",
		.has_device_thread = true,
		.nb_metrics = 6,
		.metrics = {
			{ "p50", "p50", "us", false },
			{ "p99", "p99", "us", false },
			{ "p999", "p99.9", "us", false },
			{ "call_p999", "call p99.9", "us", false },
			{ "call_worst", "worst call", "us", false },
			{ "rate", "echoed", "Mpps", true },
		},
	},
};

const struct bench_mode_info *
bench_mode_info(enum bench_mode mode)
{
	return &modes[mode];
}

unsigned int
bench_nb_metrics(const struct bench_opts *opts)
{
	if (opts->count_instructions && opts->mode == MODE_STEP)
		return NB_DIRS;
	/* a control driver makes packets for ever: its queue is never empty */
	if (opts->mode == MODE_STEP &&
			(strncmp(opts->vdev[SIDE_A], "net_null", 8) == 0 ||
					strncmp(opts->vdev[SIDE_B], "net_null", 8) == 0))
		return NB_DIRS;
	return modes[opts->mode].nb_metrics;
}
