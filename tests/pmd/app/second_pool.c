// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that transmits on port 0 from pools that the port has not seen, for as many
 * milliseconds as its argument says, after a line on its standard input. Prints the longest call of
 * each kind in microseconds, what the port counted, and how many mbufs are missing in the end. Of
 * its pools one is shown before that line comes, and freed behind it; so is one that only the last
 * port knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "now.h"

#define NB_MBUFS 1023
#define BURST 4

static struct rte_mempool *
make_pool(const char *name)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			name, NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL)
		rte_exit(2, "no pool %s\n", name);
	return pool;
}

/*
 * With buffers in pages that hold nothing else: none of them is shown for the sake of another.
 * Where an ordinary pool lies in its pages depends on what the ports' threads allocate meanwhile.
 */
static struct rte_mempool *
make_pool_apart(const char *name)
{
	struct rte_pktmbuf_extmem mem = {
		.buf_ptr = rte_malloc(NULL, 4 << 20, 2 << 20), .buf_len = 4 << 20, .elt_size = 2304
	};
	struct rte_mempool *pool;

	mem.buf_iova = (uintptr_t)mem.buf_ptr;
	pool = mem.buf_ptr == NULL ? NULL :
				     rte_pktmbuf_pool_create_extbuf(name, NB_MBUFS, 0, 0,
						     mem.elt_size, SOCKET_ID_ANY, &mem, 1);
	if (pool == NULL)
		rte_exit(2, "no pool %s\n", name);
	return pool;
}

static void
start(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	struct rte_eth_link link = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, pool) != 0 ||
			rte_eth_tx_queue_setup(port, 0, 64, 0, NULL) != 0 ||
			rte_eth_dev_start(port) != 0)
		rte_exit(2, "port %u does not start\n", port);
	while (rte_eth_link_get_nowait(port, &link) != 0 || link.link_status == 0)
		usleep(1000);
}

/* One burst, of which the rest is given back; its time. */
static uint64_t
send_some(uint16_t port, struct rte_mempool *pool, uint16_t *nb_taken)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t start;
	uint16_t i;

	if (rte_pktmbuf_alloc_bulk(pool, pkts, BURST) != 0)
		rte_exit(2, "no mbufs\n");
	for (i = 0; i < BURST; i++)
		memset(rte_pktmbuf_append(pkts[i], 60), i, 60);
	start = now_us();
	*nb_taken = rte_eth_tx_burst(port, 0, pkts, BURST);
	start = now_us() - start;
	rte_pktmbuf_free_bulk(&pkts[*nb_taken], BURST - *nb_taken);
	return start;
}

static void
print_counter(const char *name)
{
	uint64_t id, value = 0;

	if (rte_eth_xstats_get_id_by_name(0, name, &id) == 0)
		rte_eth_xstats_get_by_id(0, &id, &value, 1);
	printf("%s=%" PRIu64 "\n", name, value);
}

static void
print_time(const char *name, uint64_t us)
{
	printf("%s_us=%" PRIu64 "\n", name, us);
}

/* Until port takes a packet of a pool; it is shown then. */
static void
have_shown(uint16_t port, struct rte_mempool *pool)
{
	uint16_t nb = 0;

	while (nb == 0)
		send_some(port, pool, &nb);
	/* The device takes nothing; only a restart gives the mbufs back. */
	if (rte_eth_dev_stop(port) != 0 || rte_eth_dev_start(port) != 0)
		rte_exit(2, "port %u does not start again\n", port);
	rte_eth_stats_reset(port);
}

int
main(int argc, char **argv)
{
	struct rte_mempool *first, *known, *others, *fresh;
	uint64_t burst = 0, took;
	int64_t end, begin;
	uint16_t last, nb, is_taken = 0;
	char line[8];
	void *mem;
	int n = rte_eal_init(argc, argv);

	if (n < 0 || n + 1 >= argc)
		return 2;
	last = rte_eth_dev_count_avail() - 1;
	first = make_pool("first");
	known = make_pool_apart("known");
	others = make_pool_apart("others");
	fresh = make_pool_apart("fresh");
	start(0, first);
	have_shown(0, known);
	if (last != 0) {
		start(last, first);
		have_shown(last, others);
	}
	printf("up\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 2;

	begin = now_us();
	end = begin + strtoul(argv[n + 1], NULL, 10) * 1000;
	do {
		took = send_some(0, fresh, &nb);
		burst = RTE_MAX(burst, took);
		if (nb != 0 && !is_taken) {
			is_taken = 1;
			print_time("taken", now_us() - begin);
		}
		usleep(1000);
	} while (now_us() < end);
	print_time("burst", burst);
	begin = now_us();
	rte_mempool_free(known);
	print_time("free_known", now_us() - begin);
	begin = now_us();
	rte_mempool_free(others);
	print_time("free_others", now_us() - begin);
	begin = now_us();
	mem = rte_malloc(NULL, 32 << 20, 0);
	rte_free(mem);
	print_time("hotplug", now_us() - begin);
	print_counter("tx_q0_waiting_packets");
	print_counter("tx_q0_unmapped_errors");
	print_counter("tx_good_packets");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL || rte_eth_dev_stop(0) != 0)
		return 3;
	printf("missing=%u\n", NB_MBUFS - rte_mempool_avail_count(fresh));
	fflush(stdout);
	return rte_eal_cleanup() == 0 ? 0 : 3;
}
