// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that ends EAL while its port is started, and lives on: starts port 0, prints "up", cleans up, prints
 * "clean", and goes on for a second, in which its back end may end or its device may do what it likes. Ends with 0 if
 * the port's thread ended with the port.
 */
#include <stdio.h>
#include <stdlib.h>
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

/* Whether a thread of this process has the name. */
static int
has_thread(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "grep -qsx %s /proc/%d/task/*/comm", name, getpid());
	return system(command) == 0;
}

static void
say(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	unsigned int i;

	if (rte_eal_init(argc, argv) < 0 || start() != 0 || !has_thread("sluice-0"))
		return 2;
	say("up");
	if (rte_eal_cleanup() != 0)
		return 3;
	if (has_thread("sluice-0"))
		return 4;
	say("clean");
	for (i = 0; i < 100; i++)
		usleep(10000);
	say("alive");
	return 0;
}
