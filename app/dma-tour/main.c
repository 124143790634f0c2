/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * dma-tour: the life of DMA transfers, shown on QEMU's edu device through the project's DMA layer.
 * See README.md for what it prints.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "tour.h"
#include "tour_find.h"
#include "tour_kmsg.h"
#include "tour_opts.h"
#include "tour_trace.h"

enum { EXIT_AS_IT_SHOULD, EXIT_WRONG, EXIT_ARGUMENTS, EXIT_NO_DEVICE };

#define NB_OWN_ARGS 8

/* EAL on the core that we are on, with this device and nothing else. */
static int
start_eal(char *program, const char *bdf, const struct tour_opts *opts)
{
	char core[16], device[32];
	char *own[NB_OWN_ARGS] = { program, core, device, (char *)(uintptr_t) "--iova-mode=va",
		(char *)(uintptr_t) "--in-memory", (char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "--log-level=lib.eal:error",
		(char *)(uintptr_t) "--log-level=bus.pci:error" };
	int nb = NB_OWN_ARGS + opts->nb_eal_args, ret;
	char **args = calloc(nb + 1, sizeof(args[0]));

	if (args == NULL)
		return -ENOMEM;
	snprintf(core, sizeof(core), "-l%d", RTE_MAX(sched_getcpu(), 0));
	snprintf(device, sizeof(device), "-a%s", bdf);
	memcpy(args, own, sizeof(own));
	memcpy(args + NB_OWN_ARGS, opts->eal_args, opts->nb_eal_args * sizeof(args[0]));
	ret = rte_eal_init(nb, args);
	free(args);
	if (ret >= 0)
		return 0;
	tour_error("EAL did not start (%s). It needs a few free hugepages of 2 MiB: "
		   "echo 64 >/proc/sys/vm/nr_hugepages",
			rte_strerror(rte_errno));
	return -EIO;
}

static int
walk(struct tour *t, const struct tour_opts *opts)
{
	int ret = tour_registers(t->edu);

	if (ret == 0)
		ret = tour_memory_open(&t->memory, t->edu, opts->bits);
	if (ret == 0)
		ret = tour_memory_fill(&t->memory, edu_socket(t->edu));
	if (ret == 0)
		ret = tour_transfers(t);
	if (ret == 0)
		ret = tour_refusals(t);
	if (ret == 0)
		ret = tour_picture(t, opts->svg);
	return ret == 0 ? tour_memory_revoke(&t->memory, t->edu) : ret;
}

static int
guide(const struct tour_opts *opts)
{
	struct tour t = { .kmsg = tour_kmsg_open() };
	int ret = edu_open(&t.edu);

	if (ret != 0)
		return EXIT_NO_DEVICE;
	ret = walk(&t, opts);
	if (ret != 0)
		tour_error("the tour ends early: %s", strerror(-ret));
	tour_memory_close(&t.memory);
	edu_close(t.edu);
	if (t.kmsg >= 0)
		close(t.kmsg);
	printf("\n%u transfers, %u of them refused; %lu interrupts; %u checks, %u wrong\n",
			t.nb_transfers, t.nb_refused, (unsigned long)t.nb_irqs, tour_nb_checks(),
			tour_nb_wrong());
	return ret == 0 && tour_nb_wrong() == 0 ? EXIT_AS_IT_SHOULD : EXIT_WRONG;
}

int
main(int argc, char **argv)
{
	struct tour_opts opts;
	char bdf[TOUR_BDF_SIZE], why[1024];
	int ret;

	if (tour_opts_parse(argc, argv, &opts) != 0) {
		fprintf(stderr, "dma-tour --help lists the options\n");
		return EXIT_ARGUMENTS;
	}
	if (opts.wants_help) {
		tour_opts_usage();
		return EXIT_AS_IT_SHOULD;
	}
	tour_trace_init(!opts.wants_no_color && getenv("NO_COLOR") == NULL &&
			isatty(STDOUT_FILENO));
	/* Before EAL, which would be busy for a second first. */
	if (tour_find(TOUR_SYSFS, opts.device, bdf, why, sizeof(why)) != 0) {
		tour_error("%s", why);
		return EXIT_NO_DEVICE;
	}
	if (start_eal(argv[0], bdf, &opts) != 0)
		return EXIT_NO_DEVICE;
	ret = guide(&opts);
	rte_eal_cleanup();
	return ret;
}
