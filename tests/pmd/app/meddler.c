/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A secondary process that makes calls of port 0 with which ethdev itself changes what processes
 * share, before or after it asks the driver. Says "meddler: CALL RESULT" of each, and at last polls
 * queue 0.
 *
 *     meddler EAL-OPTIONS -- ADDRESS-THAT-THE-PORT-HAS
 */

#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

static void
say(const char *call, int ret)
{
	printf("meddler: %s %d\n", call, ret);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct rte_eth_conf conf = { .lpbk_mode = 1 };
	struct rte_ether_addr addr;
	struct rte_mempool *pool;
	struct rte_mbuf *m;
	int nb_args = rte_eal_init(argc, argv);

	if (nb_args < 0 || argc - nb_args < 2 ||
			rte_ether_unformat_addr(argv[nb_args + 1], &addr) != 0)
		return 2;
	pool = rte_mempool_lookup("mb_pool_0");
	if (pool == NULL)
		return 2;
	say("mac_addr_remove", rte_eth_dev_mac_addr_remove(0, &addr));
	say("set_vlan_offload", rte_eth_dev_set_vlan_offload(0, RTE_ETH_VLAN_STRIP_OFFLOAD));
	say("stop", rte_eth_dev_stop(0));
	say("reset", rte_eth_dev_reset(0));
	say("rx_queue_setup", rte_eth_rx_queue_setup(0, 0, 64, SOCKET_ID_ANY, NULL, pool));
	say("tx_queue_setup", rte_eth_tx_queue_setup(0, 0, 64, SOCKET_ID_ANY, NULL));
	say("configure", rte_eth_dev_configure(0, 1, 1, &conf));
	say("polled", rte_eth_rx_burst(0, 0, &m, 1));
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
