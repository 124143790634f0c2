/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * For applications whose only port is port 0, with one queue pair: set it up, and see whether its
 * thread is there.
 */

#ifndef ONE_PORT_H
#define ONE_PORT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_ethdev.h>

/* Ready for rte_eth_dev_start(). has_lsc: with events of link changes. */
static inline bool
one_port_set_up(bool has_lsc)
{
	struct rte_eth_conf conf = { .intr_conf.lsc = has_lsc };
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			"pool", 1024, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	return pool != NULL && rte_eth_dev_configure(0, 1, 1, &conf) == 0 &&
			rte_eth_rx_queue_setup(0, 0, 64, 0, NULL, pool) == 0 &&
			rte_eth_tx_queue_setup(0, 0, 64, 0, NULL) == 0;
}

/* Whether a thread of this process has the name. */
static inline bool
one_port_has_thread(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "grep -qsx %s /proc/%d/task/*/comm", name, getpid());
	return system(command) == 0;
}

#endif /* ONE_PORT_H */
