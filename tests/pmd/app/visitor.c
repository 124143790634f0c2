// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A secondary process that sends packets of a pool of its own, which the primary process has never
 * used, on queue 1 of port 0: as many as its argument says. Prints how many were sent, and how many
 * mbufs are missing in the pool once the last of them was reclaimed. With "free" behind that it
 * waits for none of them, and frees the pool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "now.h"

#define NB_MBUFS 511
#define DEADLINE_US 10000000

static unsigned int
send_all(struct rte_mempool *pool, unsigned int nb)
{
	int64_t end = now_us() + DEADLINE_US;
	unsigned int nb_sent = 0;
	struct rte_mbuf *m;

	while (nb_sent < nb && now_us() < end) {
		m = rte_pktmbuf_alloc(pool);
		if (m == NULL) {
			rte_eth_tx_done_cleanup(0, 1, 0);
			continue;
		}
		memset(rte_pktmbuf_append(m, 60), 7, 60);
		if (rte_eth_tx_burst(0, 1, &m, 1) == 1)
			nb_sent++;
		else
			rte_pktmbuf_free(m);
	}
	return nb_sent;
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool;
	unsigned int nb, i;
	int nb_args = rte_eal_init(argc, argv);

	if (nb_args < 0 || argc - nb_args < 2)
		return 2;
	pool = rte_pktmbuf_pool_create("visitor", NB_MBUFS, 0, 0, 16384, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(2, "no pool\n");
	nb = send_all(pool, atoi(argv[nb_args + 1]));
	if (argc - nb_args > 2) {
		rte_mempool_free(pool);
		printf("sent=%u freed\n", nb);
		fflush(stdout);
		_exit(0);
	}
	for (i = 0; i < 1000 && !rte_mempool_full(pool); i++) {
		rte_eth_tx_done_cleanup(0, 1, 0);
		usleep(1000);
	}
	printf("sent=%u missing=%u\n", nb, rte_mempool_in_use_count(pool));
	fflush(stdout);
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
