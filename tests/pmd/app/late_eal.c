// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A program that is not linked to DPDK: it opens librte_eal at run time (argv[1]), as interpreters
 * and programs with optional DPDK support do, and starts EAL with the arguments behind.
 */
#include <dlfcn.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	void *eal = argc < 2 ? NULL : dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	int (*init)(int, char **) = eal == NULL ? NULL : dlsym(eal, "rte_eal_init");
	int (*cleanup)(void) = eal == NULL ? NULL : dlsym(eal, "rte_eal_cleanup");

	if (init == NULL || cleanup == NULL) {
		fprintf(stderr, "no librte_eal: %s\n", dlerror());
		return 2;
	}
	if (init(argc - 1, argv + 1) < 0)
		return 1;
	printf("started\n");
	fflush(stdout);
	return cleanup() == 0 ? 0 : 3;
}
