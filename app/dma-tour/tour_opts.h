/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The command line. What follows "--" belongs to EAL. */

#ifndef TOUR_OPTS_H
#define TOUR_OPTS_H

#include <stdbool.h>

/* QEMU's edu device drives that many address lines unless told otherwise (docs/specs/edu.txt). */
#define TOUR_DMA_BITS 28

struct tour_opts {
	const char *device;  /* PCI address; NULL: the first edu device */
	const char *svg;     /* file; NULL: none */
	unsigned int bits;   /* that the device's addresses have */
	bool wants_no_color; /* also on a terminal */
	bool wants_help;
	char **eal_args; /* borrowed from argv */
	int nb_eal_args;
};

/** 0, or -EINVAL after a line on standard error that names option and value. */
int tour_opts_parse(int argc, char **argv, struct tour_opts *out);

void tour_opts_usage(void);

#endif /* TOUR_OPTS_H */
