/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * An application with more receive queues than transmit queues, and RSS of UDP: a generator's
 * counterpart, or an IDS.
 *
 *     rss_reader EAL-OPTIONS -- QUEUES POLLED UPDATES
 *
 * Polls the first POLLED of QUEUES queues of port 0 by a worker, and says of each packet "packet
 * QUEUE HASH LENGTH". Meanwhile the main thread writes the redirection table UPDATES times, as it
 * is. Ends after a line on its standard input, with the port stopped and every buffer back:
 * "rss_reader: N updates, M missing, RESULT".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#define NB_MBUFS 4095
#define BURST 32

static uint16_t nb_queues, nb_polled;
static uint32_t is_over;

static int
poll_all(void *arg)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t q, i, nb;

	(void)arg;
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE))
		for (q = 0; q < nb_polled; q++) {
			nb = rte_eth_rx_burst(0, q, pkts, BURST);
			for (i = 0; i < nb; i++)
				printf("packet %u 0x%x %u\n", q,
						pkts[i]->ol_flags & RTE_MBUF_F_RX_RSS_HASH ?
								pkts[i]->hash.rss :
								0,
						pkts[i]->pkt_len);
			rte_pktmbuf_free_bulk(pkts, nb);
		}
	return 0;
}

static int
start(struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {
		.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS,
		.rxmode.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH,
		.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_UDP |
				RTE_ETH_RSS_NONFRAG_IPV6_UDP,
	};
	int ret = rte_eth_dev_configure(0, nb_queues, 1, &conf);
	uint16_t q;

	for (q = 0; ret == 0 && q < nb_queues; q++)
		ret = rte_eth_rx_queue_setup(0, q, 256, SOCKET_ID_ANY, NULL, pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(0, 0, 256, SOCKET_ID_ANY, NULL);
	return ret == 0 ? rte_eth_dev_start(0) : ret;
}

static int
update(unsigned int nb)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_128 / RTE_ETH_RETA_GROUP_SIZE];
	unsigned int i;
	int ret;

	for (i = 0; i < RTE_DIM(reta); i++)
		reta[i].mask = UINT64_MAX;
	ret = rte_eth_dev_rss_reta_query(0, reta, RTE_ETH_RSS_RETA_SIZE_128);
	for (i = 0; ret == 0 && i < nb; i++)
		ret = rte_eth_dev_rss_reta_update(0, reta, RTE_ETH_RSS_RETA_SIZE_128);
	return ret;
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool;
	unsigned int nb_updates;
	char line[16];
	int ret = rte_eal_init(argc, argv);

	if (ret < 0 || argc - ret != 4)
		return 2;
	nb_queues = atoi(argv[ret + 1]);
	nb_polled = atoi(argv[ret + 2]);
	nb_updates = atoi(argv[ret + 3]);
	setlinebuf(stdout);
	pool = rte_pktmbuf_pool_create(
			"pool", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	ret = pool == NULL ? -1 : start(pool);
	if (ret != 0)
		return 3;
	rte_eal_remote_launch(poll_all, NULL, rte_get_next_lcore(-1, 1, 0));
	puts("rss_reader: ready");
	ret = update(nb_updates);
	if (ret != 0)
		return 4;
	puts("rss_reader: updated");
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 5;
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	rte_eal_mp_wait_lcore();
	ret = rte_eth_dev_stop(0);
	if (ret == 0)
		ret = rte_eth_dev_close(0);
	printf("rss_reader: %u updates, %u missing, %d\n", nb_updates,
			rte_mempool_in_use_count(pool), ret);
	fflush(stdout);
	_exit(ret == 0 ? 0 : 6);
}
