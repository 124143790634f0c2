/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tour_opts.h"
#include "tour_trace.h"

/* A page is the least that is worth an address space; the domain keeps the first MiB free. */
#define BITS_MIN 22
#define BITS_MAX 64

enum { OPT_DEVICE = 256, OPT_SVG, OPT_BITS, OPT_NO_COLOR, OPT_HELP };

static const struct option long_options[] = {
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "dma-bits", required_argument, NULL, OPT_BITS },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

void
tour_opts_usage(void)
{
	printf("usage: dma-tour [options] [-- EAL options]\n"
	       "Shows the life of DMA transfers on QEMU's edu device, and checks each step.\n"
	       "  --device BDF    PCI address (default: the first edu device, 1234:11e8)\n"
	       "  --dma-bits N    address lines of the device, %u to %u (default %u, as edu's);\n"
	       "                  QEMU: -device edu,dma_mask=MASK\n"
	       "  --svg FILE      draw the address spaces with every mapping of this process\n"
	       "  --no-color      no colours, also on a terminal\n"
	       "  --help          this text\n"
	       "Exit status: 0 all as it should be, 1 something was not, 2 bad arguments,\n"
	       "3 no device to show it on.\n",
			BITS_MIN, BITS_MAX, TOUR_DMA_BITS);
}

static int
parse_bits(const char *text, unsigned int *out)
{
	char *end;
	unsigned long bits;

	errno = 0;
	bits = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || bits < BITS_MIN || bits > BITS_MAX) {
		tour_error("--dma-bits %s: a number from %u to %u is wanted", text, BITS_MIN,
				BITS_MAX);
		return -EINVAL;
	}
	*out = bits;
	return 0;
}

static int
apply(struct tour_opts *opts, int option, const char *value)
{
	switch (option) {
	case OPT_DEVICE:
		opts->device = value;
		return 0;
	case OPT_SVG:
		opts->svg = value;
		return 0;
	case OPT_BITS:
		return parse_bits(value, &opts->bits);
	case OPT_NO_COLOR:
		opts->wants_no_color = true;
		return 0;
	case OPT_HELP:
		opts->wants_help = true;
		return 0;
	}
	return -EINVAL; /* getopt has said why */
}

int
tour_opts_parse(int argc, char **argv, struct tour_opts *out)
{
	struct tour_opts opts = { .bits = TOUR_DMA_BITS };
	int option, ret = 0;

	optind = 0; /* from the start, also when there was a parse before */
	while (ret == 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		ret = apply(&opts, option, optarg);
	if (ret != 0)
		return ret;
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		tour_error("%s: not an option (EAL's go behind --)", argv[optind]);
		return -EINVAL;
	}
	opts.eal_args = argv + optind;
	opts.nb_eal_args = argc - optind;
	*out = opts;
	return 0;
}
