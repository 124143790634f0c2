/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * EAL on one core, no PCI bus, memory in few file descriptors: librte_vhost takes at most eight
 * memory regions, so segments must share one file.
 */
#include "bench_eal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "bench_port.h"

#define MAX_ARGS 64

struct arg_list {
	int nb;
	char *v[MAX_ARGS + 1];
};

__attribute__((format(printf, 2, 3))) static void
add(struct arg_list *args, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (args->nb < MAX_ARGS)
		args->v[args->nb++] = strdup(text);
}

/* The devices that were named, and no other. */
static void
add_pci(struct arg_list *args, const struct bench_opts *opts)
{
	int i;

	for (i = SIDE_A; i <= SIDE_B; i++)
		if (bench_is_pci(opts->vdev[i]))
			add(args, "-a%s%s%s", opts->vdev[i], *opts->args[i] ? "," : "",
					opts->args[i]);
}

/* What EAL must have from the start: memory that it added while a port runs would be announced
 * to the device, and the device's thread, being in this process, could not answer.
 */
static unsigned int
needed_mb(const struct bench_opts *opts)
{
	const uint64_t rings = NB_DIRS * opts->pairs.v[0] * opts->queues.v[0] * UINT64_C(128);
	uint64_t pools = 0;
	unsigned int i;

	for (i = 0; i < NB_POOLS; i++)
		pools += bench_pool_mbufs(opts, i) * UINT64_C(2560);
	return RTE_MAX(bench_nb_sides(opts) * (pools + rings) / (1 << 20) + 64, UINT64_C(256));
}

/* Behind what EAL has said itself. */
static void
tell_why(const struct bench_opts *opts, unsigned int mem_mb)
{
	int i;

	fprintf(stderr, "sluice-bench: EAL did not start (%s)", rte_strerror(rte_errno));
	if (rte_errno != EINVAL) {
		fprintf(stderr,
				". It needs %u free 2 MiB hugepages (vm.nr_hugepages); without any: "
				"--no-huge\n",
				mem_mb / 2);
		return;
	}
	/* an option, or a plug-in that it does not find */
	fputs(": the reason is above", stderr);
	for (i = 0; i < opts->nb_eal_args; i++)
		fprintf(stderr, "%s%s", i == 0 ? "; after -- came: " : " ", opts->eal_args[i]);
	fputc('\n', stderr);
}

int
bench_eal_init(const struct bench_opts *opts, const char *program)
{
	struct arg_list args = { .nb = 0 };
	const unsigned int needed = needed_mb(opts);
	const unsigned int mem_mb = opts->mem_mb != 0 ? opts->mem_mb : needed;
	int i, ret;

	if (mem_mb < needed) {
		fprintf(stderr, "sluice-bench: --mem %u: this case needs %u\n", mem_mb, needed);
		return -EINVAL;
	}
	add(&args, "%s", program);
	add(&args, "-l%d", opts->core);
	if (bench_is_pci(opts->vdev[SIDE_A]) || bench_is_pci(opts->vdev[SIDE_B]))
		add_pci(&args, opts);
	else
		add(&args, "--no-pci");
	add(&args, "--iova-mode=va");
	/* without hugepages EAL keeps all in one file anyway, and refuses these two */
	if (opts->no_huge) {
		add(&args, "--no-huge");
		add(&args, "--no-shconf");
	} else {
		add(&args, "--in-memory");
		add(&args, "--single-file-segments");
	}
	add(&args, "--no-telemetry");
	add(&args, "-m%u", mem_mb);
	add(&args, "--file-prefix=sluice-bench");
	add(&args, "--log-level=lib.eal:warning");
	add(&args, "--log-level=lib.vhost.*:warning");
	if (opts->simd_bits != 0)
		add(&args, "--force-max-simd-bitwidth=%u", opts->simd_bits);
	/* a plug-in that is not in DPDK's own driver folder; found through LD_LIBRARY_PATH */
	if (opts->plugin != NULL)
		add(&args, "-d%s", opts->plugin);
	else if (strncmp(opts->vdev[0], "net_sluice", 10) == 0 ||
			strncmp(opts->vdev[1], "net_sluice", 10) == 0)
		add(&args, "-dlibrte_net_sluice.so");
	for (i = 0; i < opts->nb_eal_args; i++)
		add(&args, "%s", opts->eal_args[i]);
	args.v[args.nb] = NULL;

	ret = rte_eal_init(args.nb, args.v);
	if (ret >= 0)
		return 0;
	tell_why(opts, mem_mb);
	return -(rte_errno != 0 ? rte_errno : EIO);
}
