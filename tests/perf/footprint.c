/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a plug-in and a port of it take: the time of dlopen(), which ends when the driver is
 * registered, and the memory of a started port with one pair of queues of 256.
 *
 *     footprint PLUGIN EAL-OPTIONS -- DEVARGS DEVARGS      of two ports, whose back ends listen
 *
 * Prints microseconds, bytes that the second port took of EAL's heaps, and bytes of its memory
 * files. The first one brings what all ports share, ethdev's table among it. footprint.py calls it.
 */

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#define RING_SIZE 256
#define NB_MBUFS 1023

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static uint64_t
heap_bytes(void)
{
	struct rte_malloc_socket_stats stats;
	uint64_t sum = 0;
	int i;

	for (i = 0; i < RTE_MAX_NUMA_NODES; i++) {
		if (rte_malloc_get_socket_stats(i, &stats) == 0)
			sum += stats.heap_allocsz_bytes;
	}
	return sum;
}

/* Of files without a name, and without a link: EAL's own are there before the port is. */
static uint64_t
file_bytes(void)
{
	struct stat st;
	uint64_t sum = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
			sum += st.st_size;
	}
	return sum;
}

static int
start_port(uint16_t port, const char *name, struct rte_mempool *pool, const char *devargs)
{
	struct rte_eth_conf conf;

	memset(&conf, 0, sizeof(conf));
	return rte_eal_hotplug_add("vdev", name, devargs) != 0 ||
			rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, RING_SIZE, SOCKET_ID_ANY, NULL, pool) !=
			0 ||
			rte_eth_tx_queue_setup(port, 0, RING_SIZE, SOCKET_ID_ANY, NULL) != 0 ||
			rte_eth_dev_start(port) != 0;
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool;
	uint64_t heap, files;
	double begin, took;
	int nb;

	if (argc < 4)
		return fprintf(stderr, "footprint PLUGIN EAL-OPTIONS -- DEVARGS DEVARGS\n"), 1;
	begin = now_us();
	if (dlopen(argv[1], RTLD_NOW) == NULL)
		return fprintf(stderr, "%s\n", dlerror()), 1;
	took = now_us() - begin;
	nb = rte_eal_init(argc - 1, argv + 1);
	if (nb < 0 || argc - 1 - nb != 3)
		return fprintf(stderr, "footprint: EAL does not start, or no DEVARGS\n"), 1;
	pool = rte_pktmbuf_pool_create(
			"pool", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		return fprintf(stderr, "footprint: no pool\n"), 1;
	if (start_port(0, "net_sluice0", pool, argv[argc - 2]) != 0)
		return fprintf(stderr, "footprint: the first port does not start\n"), 1;
	heap = heap_bytes();
	files = file_bytes();
	if (start_port(1, "net_sluice1", pool, argv[argc - 1]) != 0)
		return fprintf(stderr, "footprint: the second port does not start\n"), 1;
	printf("%.0f %" PRIu64 " %" PRIu64 "\n", took, heap_bytes() - heap, file_bytes() - files);
	rte_eal_cleanup();
	return 0;
}
