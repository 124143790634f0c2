/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * sluice-fwd forwards packets from each of two ports to the other, or back if there is one only. It
 * is the first program to read. Nothing here knows Sluice: EAL's arguments name the ports.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

static volatile sig_atomic_t is_over;

static void
end(int sig)
{
	is_over = sig;
}

/* One queue in each direction; received packets come in mbufs of the pool. */
static void
start(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL, pool) != 0 ||
			rte_eth_tx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL) != 0 ||
			rte_eth_dev_start(port) != 0)
		rte_exit(EXIT_FAILURE, "port %u does not start; a line above says why\n", port);
}

static void
forward(uint16_t from, uint16_t to)
{
	struct rte_mbuf *pkts[32];
	uint16_t nb_rx = rte_eth_rx_burst(from, 0, pkts, RTE_DIM(pkts));
	uint16_t nb_tx = rte_eth_tx_burst(to, 0, pkts, nb_rx);

	/* What the port does not take is still ours. */
	rte_pktmbuf_free_bulk(&pkts[nb_tx], nb_rx - nb_tx);
}

static void
show(uint16_t port)
{
	struct rte_eth_stats s = { 0 };

	rte_eth_stats_get(port, &s);
	printf("port %u: received %" PRIu64 ", sent %" PRIu64 "\n", port, s.ipackets, s.opackets);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool;
	uint64_t next;
	uint16_t nb, port;

	if (rte_eal_init(argc, argv) != argc - 1)
		rte_exit(EXIT_FAILURE, "EAL did not start, or a word is not its own: try --help\n");
	signal(SIGINT, end);
	nb = RTE_MIN(rte_eth_dev_count_avail(), 2);
	if (nb == 0)
		rte_exit(EXIT_FAILURE, "no port: see above, or --vdev net_sluice0,path=SOCKET\n");
	pool = rte_pktmbuf_pool_create("p", 4095, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "no memory for mbufs: give EAL 32 MiB more, as -m 64\n");
	for (port = 0; port < nb; port++)
		start(port, pool);
	while (!is_over) {
		next = rte_get_timer_cycles() + rte_get_timer_hz();
		while (!is_over && rte_get_timer_cycles() < next)
			for (port = 0; port < nb; port++)
				forward(port, nb - 1 - port);
		for (port = 0; port < nb; port++)
			show(port);
	}
	for (port = 0; port < nb; port++)
		rte_eth_dev_stop(port);
	return rte_eal_cleanup();
}
