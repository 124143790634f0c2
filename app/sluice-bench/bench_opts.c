/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * getopt_long over our options; what follows "--" belongs to EAL. Every number is checked
 * against a range, and the message names option, value and range.
 */
#include "bench_opts.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "bench_features.h"
#include "bench_metric.h"
#include "bench_packets.h"

enum {
	OPT_MODE = 256,
	OPT_A,
	OPT_B,
	OPT_A_ARGS,
	OPT_B_ARGS,
	OPT_QUEUE,
	OPT_BURST,
	OPT_MODEL,
	OPT_PAIRS,
	OPT_LOAD,
	OPT_SIZE,
	OPT_SEGS,
	OPT_PACKETS,
	OPT_RX_MBUFS,
	OPT_BLOCKS,
	OPT_RESTARTS,
	OPT_SEGMENTS,
	OPT_WINDOW,
	OPT_SIMD,
	OPT_MEM,
	OPT_CORE,
	OPT_DEVICE_CORE,
	OPT_HIDE,
	OPT_ALLOW_DIFFERENT,
	OPT_COLD,
	OPT_OUT_OF_ORDER,
	OPT_RX_CSUM,
	OPT_DATA_VALID,
	OPT_RX_VLAN,
	OPT_RX_IPV4,
	OPT_INSTRUCTIONS,
	OPT_MARKS,
	OPT_JSON,
	OPT_HELP,
	OPT_NO_HUGE,
	OPT_RESULT_FD,
	OPT_RESTART,
	OPT_CASE,
	OPT_NB_CASES,
	OPT_DIR,
};

static const struct option long_options[] = {
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "a", required_argument, NULL, OPT_A },
	{ "b", required_argument, NULL, OPT_B },
	{ "a-args", required_argument, NULL, OPT_A_ARGS },
	{ "b-args", required_argument, NULL, OPT_B_ARGS },
	{ "queue", required_argument, NULL, OPT_QUEUE },
	{ "burst", required_argument, NULL, OPT_BURST },
	{ "model", required_argument, NULL, OPT_MODEL },
	{ "pairs", required_argument, NULL, OPT_PAIRS },
	{ "load", required_argument, NULL, OPT_LOAD },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "segs", required_argument, NULL, OPT_SEGS },
	{ "packets", required_argument, NULL, OPT_PACKETS },
	{ "rx-mbufs", required_argument, NULL, OPT_RX_MBUFS },
	{ "blocks", required_argument, NULL, OPT_BLOCKS },
	{ "restarts", required_argument, NULL, OPT_RESTARTS },
	{ "segments", required_argument, NULL, OPT_SEGMENTS },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "simd", required_argument, NULL, OPT_SIMD },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "core", required_argument, NULL, OPT_CORE },
	{ "device-core", required_argument, NULL, OPT_DEVICE_CORE },
	{ "no-huge", no_argument, NULL, OPT_NO_HUGE },
	{ "hide", required_argument, NULL, OPT_HIDE },
	{ "allow-different", no_argument, NULL, OPT_ALLOW_DIFFERENT },
	{ "cold", no_argument, NULL, OPT_COLD },
	{ "out-of-order", no_argument, NULL, OPT_OUT_OF_ORDER },
	{ "rx-csum", no_argument, NULL, OPT_RX_CSUM },
	{ "data-valid", no_argument, NULL, OPT_DATA_VALID },
	{ "rx-vlan", no_argument, NULL, OPT_RX_VLAN },
	{ "rx-ipv4", no_argument, NULL, OPT_RX_IPV4 },
	{ "instructions", no_argument, NULL, OPT_INSTRUCTIONS },
	{ "marks", no_argument, NULL, OPT_MARKS },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	/* between the two processes of a run */
	{ "result-fd", required_argument, NULL, OPT_RESULT_FD },
	{ "restart", required_argument, NULL, OPT_RESTART },
	{ "case", required_argument, NULL, OPT_CASE },
	{ "nb-cases", required_argument, NULL, OPT_NB_CASES },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
		"usage: sluice-bench [options] [-- EAL options]\n"
		"  --mode MODE          step: one core, driver and device in turn, TSC cycles (default)\n"
		"                       cross: device on another core, Mpps of Tx, Rx and forwarding\n"
		"                       latency: echo device on another core, percentiles\n"
		"  --a NAME[,DEVARGS]   vdev driver A (net_sluice); --b: B (net_virtio_user)\n"
		"                       or a PCI address: a device that gives all packets back\n"
		"  --a-args DEVARGS     more devargs for A; --b-args: for B\n"
		"  --queue LIST         ring sizes (256)             --burst LIST   burst sizes (32)\n"
		"  --model LIST         null device: n0 rings only (default), n1 header, n2 header and data\n"
		"  --pairs LIST         queue pairs, polled in turn (1)\n"
		"  --load LIST          latency: percent of what the slower side can echo (10,50,90)\n"
		"  --size N             packet bytes (64)            --cold         rings out of the cache\n"
		"  --segs N             mbufs of a Tx packet (1)     --out-of-order the device completes so\n"
		"  --packets KIND       Tx: plain (default), clones (indirect mbufs), shared (with a second\n"
		"                       reference), pools (of two pools in turn); prepared in the same call:\n"
		"                       csum (UDP), ipv4 (and IPv4), vlan (UDP, and a tag), tso\n"
		"  --rx-mbufs N         in the Rx pool, without cache: one that runs dry (plenty)\n"
		"  --rx-csum            Rx checksum offload on       --simd BITS    EAL's SIMD limit\n"
		"  --data-valid         with it, and model n2: the device says of each packet that it is right\n"
		"  --rx-vlan            model n2: tagged packets, and the port takes the tags off\n"
		"  --rx-ipv4            model n2: the port checks IPv4 headers\n"
		"  --device-core N      cross, latency (the first)   --core N       core (the last)\n"
		"  --mem MB             memory (as needed)\n"
		"  --blocks N           A B B A blocks (40; 20 if not step)\n"
		"  --restarts N         process restarts (3); multiples of 3: each side is created first,\n"
		"                       second and third\n"
		"  --segments N         step: samples of a window (24)\n"
		"  --window MS          cross, latency: length of a window (50; 20 for latency)\n"
		"  --hide FEATURES      not offered by the device, e.g. event_idx,indirect_desc\n"
		"  --allow-different    compare although A and B negotiated different features\n"
		"  --no-huge            memory of 4 KiB pages: slower, for machines without hugepages\n"
		"  --instructions       step: count instructions (trap flag) instead of cycles\n"
		"  --marks              step: mark the calls for a plug-in of the emulator, which counts;\n"
		"                       cross: mark whose work is done, in one thread\n"
		"  -d PLUGIN            driver plug-in for EAL (librte_net_sluice.so if a side needs it)\n"
		"  --json FILE          also write everything there\n";

const char *
bench_model_name(enum null_model model)
{
	static const char *const model_names[] = { "N0", "N1", "N2" };

	return model_names[model];
}

static int
parse_number(const char *name, const char *text, unsigned int min, unsigned int max,
		unsigned int *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || v < min || v > max) {
		fprintf(stderr, "sluice-bench: --%s: '%s' is not a number of %u to %u\n", name,
				text, min, max);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

static int
parse_model(const char *name, const char *text, unsigned int min, unsigned int max,
		unsigned int *out)
{
	const char *digit = text + (*text == 'n' || *text == 'N');

	if (*digit < '0' + (int)min || *digit > '0' + (int)max || digit[1] != '\0') {
		fprintf(stderr, "sluice-bench: --%s: '%s' is none of n0, n1, n2\n", name, text);
		return -EINVAL;
	}
	*out = *digit - '0';
	return 0;
}

static int
parse_simd(const char *name, const char *text, unsigned int *bits)
{
	static const char *const widths[] = { "64", "128", "256", "512" };
	unsigned int i;

	for (i = 0; i < RTE_DIM(widths); i++)
		if (strcmp(widths[i], text) == 0) {
			*bits = 64u << i;
			return 0;
		}
	fprintf(stderr, "sluice-bench: --%s: '%s' is none of 64, 128, 256, 512\n", name, text);
	return -EINVAL;
}

static int
parse_list(const char *name, const char *text, unsigned int min, unsigned int max,
		int (*parse)(const char *, const char *, unsigned int, unsigned int,
				unsigned int *),
		struct bench_list *list)
{
	char *copy = strdup(text);
	char *save = NULL, *word;
	int ret = 0;

	list->nb = 0;
	for (word = strtok_r(copy, ",", &save); word != NULL && ret == 0;
			word = strtok_r(NULL, ",", &save)) {
		if (list->nb == BENCH_MAX_LIST) {
			fprintf(stderr, "sluice-bench: --%s: more than %d values\n", name,
					BENCH_MAX_LIST);
			ret = -E2BIG;
			break;
		}
		ret = parse(name, word, min, max, &list->v[list->nb++]);
	}
	if (ret == 0 && list->nb == 0) {
		fprintf(stderr, "sluice-bench: --%s: empty list\n", name);
		ret = -EINVAL;
	}
	free(copy);
	return ret;
}

/* The options whose argument is a number of a range, or a list of such. */
static int
parse_numbers(struct bench_opts *opts, int opt, const char *name, const char *text)
{
	unsigned int v = 0;
	int ret;

	switch (opt) {
	case OPT_QUEUE:
		return parse_list(name, text, 4, 32768, parse_number, &opts->queues);
	case OPT_BURST:
		return parse_list(name, text, 1, BENCH_MAX_BURST, parse_number, &opts->bursts);
	case OPT_MODEL:
		return parse_list(name, text, NULL_N0, NULL_N2, parse_model, &opts->models);
	case OPT_PAIRS:
		return parse_list(name, text, 1, NULL_MAX_PAIRS, parse_number, &opts->pairs);
	case OPT_LOAD:
		return parse_list(name, text, 1, 100, parse_number, &opts->loads);
	case OPT_SIZE:
		return parse_number(name, text, 60, BENCH_MAX_TSO, &opts->frame_len);
	case OPT_RX_MBUFS:
		return parse_number(name, text, 4, 1 << 20, &opts->rx_mbufs);
	case OPT_SEGS:
		return parse_number(name, text, 1, BENCH_MAX_SEGS, &opts->nb_segs);
	case OPT_BLOCKS:
		return parse_number(name, text, 1, 10000, &opts->nb_blocks);
	case OPT_RESTARTS:
		return parse_number(name, text, 1, 100, &opts->nb_restarts);
	case OPT_SEGMENTS:
		return parse_number(name, text, 3, 1000, &opts->nb_segments);
	case OPT_WINDOW:
		return parse_number(name, text, 5, 10000, &opts->window_ms);
	case OPT_SIMD:
		return parse_simd(name, text, &opts->simd_bits);
	case OPT_MEM:
		return parse_number(name, text, 64, 65536, &opts->mem_mb);
	case OPT_RESTART:
		return parse_number(name, text, 0, INT_MAX, &opts->restart);
	case OPT_CASE:
		return parse_number(name, text, 0, INT_MAX, &opts->case_nr);
	case OPT_NB_CASES:
		return parse_number(name, text, 1, INT_MAX, &opts->nb_cases);
	case OPT_CORE:
		ret = parse_number(name, text, 0, 1023, &v);
		opts->core = v;
		return ret;
	case OPT_DEVICE_CORE:
		ret = parse_number(name, text, 0, 1023, &v);
		opts->device_core = v;
		return ret;
	case OPT_RESULT_FD:
		ret = parse_number(name, text, 3, INT_MAX, &v);
		opts->result_fd = v;
		return ret;
	default:
		return -EINVAL;
	}
}

static int
parse_mode(const char *text, enum bench_mode *mode)
{
	unsigned int i;

	for (i = 0; i < NB_MODES; i++)
		if (strcmp(bench_mode_info(i)->name, text) == 0) {
			*mode = i;
			return 0;
		}
	fprintf(stderr, "sluice-bench: --mode: '%s' is none of step, cross, latency\n", text);
	return -EINVAL;
}

static int
parse_packets(const char *text, enum bench_packets *packets)
{
	unsigned int i;

	for (i = 0; i < NB_PACKETS; i++)
		if (strcmp(bench_packets_name(i), text) == 0) {
			*packets = i;
			return 0;
		}
	fprintf(stderr,
			"sluice-bench: --packets: '%s' is none of plain, clones, shared, pools, csum, ipv4, "
			"vlan, tso\n",
			text);
	return -EINVAL;
}

/* What an option without an argument switches on; NULL: it has one. */
static bool *
switch_of(struct bench_opts *opts, int opt)
{
	switch (opt) {
	case OPT_ALLOW_DIFFERENT:
		return &opts->allow_different;
	case OPT_OUT_OF_ORDER:
		return &opts->is_shuffled;
	case OPT_COLD:
		return &opts->is_cold;
	case OPT_RX_CSUM:
		return &opts->rx_csum;
	case OPT_DATA_VALID:
		return &opts->data_valid;
	case OPT_RX_VLAN:
		return &opts->rx_vlan;
	case OPT_RX_IPV4:
		return &opts->rx_ipv4;
	case OPT_MARKS:
		return &opts->use_marks;
	case OPT_INSTRUCTIONS:
		return &opts->count_instructions;
	case OPT_NO_HUGE:
		return &opts->no_huge;
	default:
		return NULL;
	}
}

static int
parse_one(struct bench_opts *opts, int opt, const char *name, const char *text)
{
	bool *on = switch_of(opts, opt);

	if (on != NULL) {
		*on = true;
		/*
		 * Marks are for somebody who counts, and are placed where instructions are counted.
		 */
		opts->count_instructions |= opts->use_marks;
		return 0;
	}
	switch (opt) {
	case 'd':
		opts->plugin = text;
		return 0;
	case OPT_MODE:
		return parse_mode(text, &opts->mode);
	case OPT_A:
		opts->vdev[SIDE_A] = text;
		return 0;
	case OPT_B:
		opts->vdev[SIDE_B] = text;
		return 0;
	case OPT_A_ARGS:
		opts->args[SIDE_A] = text;
		return 0;
	case OPT_B_ARGS:
		opts->args[SIDE_B] = text;
		return 0;
	case OPT_HIDE:
		return bench_features_parse(text, &opts->hide);
	case OPT_PACKETS:
		return parse_packets(text, &opts->packets);
	case OPT_JSON:
		opts->json_path = text;
		return 0;
	case OPT_DIR:
		opts->dir = text;
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	default:
		return parse_numbers(opts, opt, name, text);
	}
}

/* getopt met what it does not know, or misses a value. */
static int
complain(int opt, char *const argv[])
{
	/* the next argument may be of the same word still when it is of one letter */
	const char letter[] = { '-', (char)optopt, '\0' };
	const char *what = optopt > 0 && optopt < OPT_MODE ? letter : argv[optind - 1];

	fprintf(stderr, "sluice-bench: %s%s; --help lists them\n", what,
			opt == ':' ? " needs a value" : ": no such option, or not in this form");
	return -EINVAL;
}

int
bench_opts_parse(struct bench_opts *opts, int argc, char **argv)
{
	int opt, index = 0, ret;

	*opts = (struct bench_opts){
		.vdev = { "net_sluice", "net_virtio_user" },
		.args = { "", "" },
		.queues = { 1, { 256 } },
		.bursts = { 1, { 32 } },
		.models = { 1, { NULL_N0 } },
		.pairs = { 1, { 1 } },
		.frame_len = 64,
		.nb_segs = 1,
		.core = -1,
		.device_core = -1,
		.result_fd = -1,
	};
	while ((opt = getopt_long(argc, argv, "+:d:", long_options, &index)) != -1) {
		if (opt == '?' || opt == ':')
			return complain(opt, argv);
		ret = parse_one(opts, opt, opt < OPT_MODE ? "d" : long_options[index].name, optarg);
		if (ret != 0)
			return ret;
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		fprintf(stderr, "sluice-bench: '%s' is no option (EAL's come after --)\n",
				argv[optind]);
		return -EINVAL;
	}
	opts->nb_eal_args = argc - optind;
	opts->eal_args = argv + optind;
	return bench_opts_complete(opts);
}

char **
bench_opts_child_argv(int argc, char **argv, const struct bench_case *c, unsigned int restart,
		int result_fd, const char *dir)
{
	static char text[9][32];
	static char *child[1024];
	int i, nb = 0;

	for (i = 0; i < argc && i < 900 && strcmp(argv[i], "--") != 0; i++)
		child[nb++] = argv[i];
	/* the last one wins, so these replace the lists */
	snprintf(text[0], sizeof(text[0]), "--queue=%u", c->queue);
	snprintf(text[1], sizeof(text[1]), "--burst=%u", c->burst);
	snprintf(text[2], sizeof(text[2]), "--model=%u", c->model);
	snprintf(text[3], sizeof(text[3]), "--restart=%u", restart);
	snprintf(text[4], sizeof(text[4]), "--result-fd=%d", result_fd);
	snprintf(text[5], sizeof(text[5]), "--pairs=%u", c->pairs);
	snprintf(text[6], sizeof(text[6]), "--case=%u", c->nr);
	snprintf(text[7], sizeof(text[7]), "--nb-cases=%u", c->nb);
	snprintf(text[8], sizeof(text[8]), "--load=%u", c->load);
	for (unsigned int k = 0; k < (c->load != 0 ? 9 : 8); k++)
		child[nb++] = text[k];
	child[nb++] = (char *)(uintptr_t) "--dir";
	child[nb++] = (char *)(uintptr_t)dir;
	for (; i < argc && nb < 1023; i++)
		child[nb++] = argv[i];
	child[nb] = NULL;
	return child;
}
