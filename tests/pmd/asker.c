/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * An application that asks port 0 for what testpmd never asks for: queues that are not set up,
 * deferred start, modes of other devices. Prints "asker: WHAT=RESULT" for each, 0 or -errno, and
 * goes on: nothing of it may end the process.
 *
 *     asker EAL-OPTIONS
 *
 * The port needs two queue pairs.
 */

#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#define NB_PAIRS 2
#define NB_DESC 64
#define NB_MBUFS 1024

static const uint16_t port;
static struct rte_mempool *pool;

static void
say(const char *what, int ret)
{
	printf("asker: %s=%d\n", what, ret);
	fflush(stdout);
}

static int
configure(uint32_t rx_mode, uint32_t tx_mode, uint32_t lpbk_mode)
{
	struct rte_eth_conf conf = { .lpbk_mode = lpbk_mode };

	conf.rxmode.mq_mode = rx_mode;
	conf.txmode.mq_mode = tx_mode;
	return rte_eth_dev_configure(port, NB_PAIRS, NB_PAIRS, &conf);
}

static int
set_up_rx(uint16_t queue, uint8_t deferred)
{
	struct rte_eth_rxconf conf = { .rx_deferred_start = deferred };

	return rte_eth_rx_queue_setup(port, queue, NB_DESC, SOCKET_ID_ANY, &conf, pool);
}

static int
set_up_tx(uint16_t queue, uint8_t deferred)
{
	struct rte_eth_txconf conf = { .tx_deferred_start = deferred };

	return rte_eth_tx_queue_setup(port, queue, NB_DESC, SOCKET_ID_ANY, &conf);
}

static void
ask_for_modes(void)
{
	say("rx_dcb", configure(RTE_ETH_MQ_RX_DCB, 0, 0));
	say("rx_dcb_rss", configure(RTE_ETH_MQ_RX_DCB_RSS, 0, 0));
	say("rx_vmdq", configure(RTE_ETH_MQ_RX_VMDQ_ONLY, 0, 0));
	say("tx_dcb", configure(0, RTE_ETH_MQ_TX_DCB, 0));
	say("tx_vmdq", configure(0, RTE_ETH_MQ_TX_VMDQ_ONLY, 0));
	say("loopback", configure(0, 0, 1));
	say("rss", configure(RTE_ETH_MQ_RX_RSS, 0, 0));
	say("none", configure(0, 0, 0));
}

/* Whatever walks over the queues of a port must bear that one is missing. */
static void
look_around(void)
{
	static struct rte_eth_xstat xstats[256];
	struct rte_eth_stats stats;

	say("stats", rte_eth_stats_get(port, &stats));
	say("stats_reset", rte_eth_stats_reset(port));
	say("has_xstats", rte_eth_xstats_get(port, xstats, RTE_DIM(xstats)) > 0);
	say("xstats_reset", rte_eth_xstats_reset(port));
	say("dump", rte_eth_dev_priv_dump(port, stderr));
	say("mtu", rte_eth_dev_set_mtu(port, 1400));
	say("stop", rte_eth_dev_stop(port));
}

static void
ask_for_queues(void)
{
	struct rte_power_monitor_cond monitor;

	say("rx_deferred", set_up_rx(0, 1));
	say("tx_deferred", set_up_tx(0, 1));
	say("clean_not_started", rte_eth_tx_done_cleanup(port, 0, 0));
	say("clean_not_set_up", rte_eth_tx_done_cleanup(port, 1, 0));
	say("monitor_not_set_up", rte_eth_get_monitor_addr(port, 1, &monitor));
	say("rx_0", set_up_rx(0, 0));
	say("tx_0", set_up_tx(0, 0));
	say("start_without_rx_1", rte_eth_dev_start(port));
	look_around();
	say("rx_1", set_up_rx(1, 0));
	say("start_without_tx_1", rte_eth_dev_start(port));
	look_around();
	say("tx_1", set_up_tx(1, 0));
	say("start", rte_eth_dev_start(port));
	/* ethdev looks for these in builds for debugging only. */
	say("rx_status_not_set_up", rte_eth_rx_descriptor_status(port, NB_PAIRS, 0));
	say("tx_status_not_set_up", rte_eth_tx_descriptor_status(port, NB_PAIRS, 0));
	look_around();
}

int
main(int argc, char **argv)
{
	if (rte_eal_init(argc, argv) < 0 || rte_eth_dev_count_avail() == 0)
		return EXIT_FAILURE;
	pool = rte_pktmbuf_pool_create(
			"pool", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		return EXIT_FAILURE;
	ask_for_modes();
	ask_for_queues();
	say("close", rte_eth_dev_close(port));
	return rte_eal_cleanup();
}
