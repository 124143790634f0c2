/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A secondary process that sends back what comes on queue 1 of port 0, and says "forwards" after
 * some packets. Once the port says that the primary process is gone it tries all that it could do
 * with it: "orphan: <call> returns <value>" of each control call that does not return -EIO, then
 * "orphan: N calls, N bursts, N packets, link N".
 */

#include <errno.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "now.h"

#define NB_FORWARDED 1000
#define NB_BURSTS 1000
#define BURST 32
#define DEADLINE_US 30000000

static unsigned int nb_calls;

static unsigned int
forward(void)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t nb = rte_eth_rx_burst(0, 1, pkts, BURST);
	uint16_t nb_sent = rte_eth_tx_burst(0, 1, pkts, nb);

	rte_pktmbuf_free_bulk(&pkts[nb_sent], nb - nb_sent);
	return nb_sent;
}

static void
check(const char *call, int ret)
{
	nb_calls++;
	if (ret != -EIO)
		printf("orphan: %s returns %d\n", call, ret);
}

static void
ask(void)
{
	struct rte_eth_rss_reta_entry64 reta[2] = {
		{ .mask = 1 },
	};
	struct rte_eth_xstat_name name;
	struct rte_eth_rss_conf rss = { 0 };
	struct rte_eth_burst_mode mode;
	struct rte_eth_dev_info info;
	struct rte_eth_stats stats;
	struct rte_eth_xstat xstat;

	check("rte_eth_dev_info_get", rte_eth_dev_info_get(0, &info));
	check("rte_eth_stats_get", rte_eth_stats_get(0, &stats));
	check("rte_eth_xstats_get", rte_eth_xstats_get(0, &xstat, 1));
	check("rte_eth_xstats_get_names", rte_eth_xstats_get_names(0, &name, 1));
	check("rte_eth_rx_burst_mode_get", rte_eth_rx_burst_mode_get(0, 1, &mode));
	check("rte_eth_tx_burst_mode_get", rte_eth_tx_burst_mode_get(0, 1, &mode));
	check("rte_eth_dev_rss_hash_conf_get", rte_eth_dev_rss_hash_conf_get(0, &rss));
	check("rte_eth_dev_rss_reta_query",
			rte_eth_dev_rss_reta_query(0, reta, RTE_ETH_RSS_RETA_SIZE_128));
}

static void
change(void)
{
	struct rte_ether_addr addr = { { 2, 0, 0, 0, 0, 7 } }, group = { { 1, 0, 0x5e, 0, 0, 1 } };

	check("rte_eth_stats_reset", rte_eth_stats_reset(0));
	check("rte_eth_xstats_reset", rte_eth_xstats_reset(0));
	check("rte_eth_dev_set_mtu", rte_eth_dev_set_mtu(0, 1400));
	check("rte_eth_dev_default_mac_addr_set", rte_eth_dev_default_mac_addr_set(0, &addr));
	check("rte_eth_dev_set_mc_addr_list", rte_eth_dev_set_mc_addr_list(0, &group, 1));
	/* testpmd has it on. */
	check("rte_eth_promiscuous_disable", rte_eth_promiscuous_disable(0));
	check("rte_eth_allmulticast_enable", rte_eth_allmulticast_enable(0));
	check("rte_eth_dev_set_link_down", rte_eth_dev_set_link_down(0));
	check("rte_eth_dev_rx_intr_enable", rte_eth_dev_rx_intr_enable(0, 1));
	check("rte_eth_dev_rx_queue_stop", rte_eth_dev_rx_queue_stop(0, 1));
	check("rte_eth_dev_tx_queue_stop", rte_eth_dev_tx_queue_stop(0, 1));
}

/* Packets that the port took, or gave, in either queue. */
static unsigned int
try_bursts(struct rte_mbuf *m)
{
	unsigned int nb = 0, i;
	struct rte_mbuf *rx;

	for (i = 0; i < NB_BURSTS; i++) {
		nb += rte_eth_rx_burst(0, i % 2, &rx, 1);
		nb += rte_eth_tx_burst(0, i % 2, &m, 1);
	}
	return nb;
}

int
main(int argc, char **argv)
{
	int64_t end = now_us() + DEADLINE_US;
	unsigned int nb = 0, nb_after;
	struct rte_eth_link link = { .link_status = RTE_ETH_LINK_UP };
	struct rte_eth_stats stats;
	struct rte_mempool *pool;
	struct rte_mbuf *m;

	if (rte_eal_init(argc, argv) < 0)
		return 2;
	pool = rte_mempool_lookup("mb_pool_0");
	m = pool == NULL ? NULL : rte_pktmbuf_alloc(pool);
	if (m == NULL || rte_pktmbuf_append(m, 60) == NULL)
		rte_exit(2, "no packet\n");
	while (rte_eth_stats_get(0, &stats) != -EIO) {
		if (now_us() > end)
			rte_exit(2, "the port does not say that the primary process is gone\n");
		nb_after = nb + forward();
		if (nb < NB_FORWARDED && nb_after >= NB_FORWARDED) {
			printf("forwards\n");
			fflush(stdout);
		}
		nb = nb_after;
	}
	nb_after = try_bursts(m);
	if (rte_eth_link_get_nowait(0, &link) != 0)
		printf("orphan: no link\n");
	ask();
	change();
	printf("orphan: %u calls, %u bursts, %u packets, link %u\n", nb_calls, 2 * NB_BURSTS,
			nb_after, link.link_status);
	fflush(stdout);
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
