// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that forks while its port runs: the child tries to stop the port. Ends with 0 if that was
 * refused, and the parent's port runs on and stops when the parent says so.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

static int
start(void)
{
	struct rte_eth_conf conf = { .intr_conf.lsc = 0 };
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			"pool", 1024, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	return pool != NULL && rte_eth_dev_configure(0, 1, 1, &conf) == 0 &&
					rte_eth_rx_queue_setup(0, 0, 64, 0, NULL, pool) == 0 &&
					rte_eth_tx_queue_setup(0, 0, 64, 0, NULL) == 0 ?
			rte_eth_dev_start(0) :
			-1;
}

int
main(int argc, char **argv)
{
	struct rte_eth_link link;
	int status;
	pid_t child;

	if (rte_eal_init(argc, argv) < 0 || start() != 0)
		return 2;
	child = fork();
	if (child == 0)
		_exit(rte_eth_dev_stop(0) == -EPERM ? 0 : 1);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 3;
	if (rte_eth_link_get_nowait(0, &link) != 0 || link.link_status != RTE_ETH_LINK_UP)
		return 4;
	if (rte_eth_dev_stop(0) != 0 || rte_eth_dev_close(0) != 0)
		return 5;
	printf("done\n");
	return rte_eal_cleanup();
}
