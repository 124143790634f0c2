// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that forks while its port runs: one child tries to stop the port, one to close it.
 * Ends with 0 if that was refused, and the parent's port runs on and stops when the parent says so.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "one_port.h"

int
main(int argc, char **argv)
{
	struct rte_eth_link link;
	int status;
	pid_t child;

	if (rte_eal_init(argc, argv) < 0 || !one_port_set_up(false) || rte_eth_dev_start(0) != 0)
		return 2;
	child = fork();
	if (child == 0)
		_exit(rte_eth_dev_stop(0) == -EPERM ? 0 : 1);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 3;
	if (rte_eth_link_get_nowait(0, &link) != 0 || link.link_status != RTE_ETH_LINK_UP)
		return 4;
	/* ethdev itself refuses to close a port that is started. */
	if (rte_eth_dev_stop(0) != 0)
		return 6;
	child = fork();
	if (child == 0)
		_exit(rte_eth_dev_close(0) == -EPERM ? 0 : 1);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 7;
	if (rte_eth_dev_start(0) != 0)
		return 8;
	if (rte_eth_dev_stop(0) != 0 || rte_eth_dev_close(0) != 0)
		return 5;
	printf("done\n");
	return rte_eal_cleanup();
}
