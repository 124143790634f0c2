/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Where a plug-in of QEMU's emulation writes its reports: its only argument. */
#ifndef OUT_H
#define OUT_H

#include <stdio.h>
#include <string.h>

/** The file of `out=FILE`; NULL if there is none, and it was said why. */
static inline FILE *
out_open(const char *plugin, int argc, char **argv)
{
	FILE *out;

	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
		fprintf(stderr, "%s: its only argument is out=FILE\n", plugin);
		return NULL;
	}
	out = fopen(argv[0] + 4, "w");
	if (out == NULL)
		perror(argv[0] + 4);
	return out;
}

#endif /* OUT_H */
