/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Asks of port 0 what a known application asks of it (applications.h), before its first packet, and
 * then echoes: what came by a receive queue is sent by the transmit queue of its number, or freed
 * where there is none.
 *
 *     first_calls EAL-OPTIONS -- APPLICATION
 *
 * Says of each call "first_calls: CALL RESULT", and then "first_calls: ready". SIGINT ends it, in
 * order: "first_calls: N received, M missing". Exit status: 0, or 3 where a call failed without
 * which the application does not go on.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "applications.h"

#define BURST 32
#define CACHE 256
#define SPARE_MBUFS (4 * CACHE)
#define LINK_SECONDS 5

static const struct application *app;
static struct rte_eth_dev_info info;
static struct rte_mempool *pool;
static uint16_t nb_rx, nb_tx, nb_rxd, nb_txd;
static uint64_t rss_hf, rx_offloads, tx_offloads;
static volatile sig_atomic_t is_over;

static void
end(int signal)
{
	(void)signal;
	is_over = 1;
}

/* For a call without which the application ends. */
static void
must(const char *call, int result)
{
	printf("first_calls: %s %d\n", call, result);
	if (result < 0)
		exit(3);
}

/* For one of which it takes that the port cannot. */
static void
may(const char *call, int result)
{
	must(call, result == -ENOTSUP ? 0 : result);
}

static bool
calls(uint32_t what)
{
	return app->calls & what;
}

/* A port with fewer queues is used with as many, as applications do or are told to. */
static void
look(void)
{
	must("info_get", rte_eth_dev_info_get(0, &info));
	nb_rx = RTE_MIN(app->nb_rx, info.max_rx_queues);
	nb_tx = RTE_MIN(app->nb_tx, info.max_tx_queues);
	nb_rxd = app->nb_rxd;
	nb_txd = app->nb_txd;
	if (nb_rxd == RING_LARGEST)
		nb_rxd = rte_align32prevpow2(info.rx_desc_lim.nb_max);
	if (nb_rxd == RING_OF_PORT)
		nb_rxd = info.default_rxportconf.ring_size;
	if (nb_txd == RING_OF_PORT)
		nb_txd = info.default_txportconf.ring_size;
	if (calls(CLAMP)) {
		nb_rxd = RTE_MIN(nb_rxd, info.rx_desc_lim.nb_max);
		nb_txd = RTE_MIN(nb_txd, info.tx_desc_lim.nb_max);
	}
	rss_hf = calls(RSS_MASKED) ? app->rss_hf & info.flow_type_rss_offloads : app->rss_hf;
	rx_offloads = app->rx_must | (app->rx_may & info.rx_offload_capa);
	tx_offloads = app->tx_must | (app->tx_may & info.tx_offload_capa);
}

static void
filter(void)
{
	struct rte_ether_addr group = { { 0x33, 0x33, 0, 0, 0, 1 } };

	if (calls(PROMISC))
		must("promiscuous_enable", rte_eth_promiscuous_enable(0));
	if (calls(ALLMULTI))
		must("allmulticast_enable", rte_eth_allmulticast_enable(0));
	if (calls(MC_LIST))
		may("set_mc_addr_list", rte_eth_dev_set_mc_addr_list(0, &group, 1));
}

/* Of a port that was only probed. */
static void
ask_early(void)
{
	struct rte_eth_rss_conf rss = { 0 };
	struct rte_ether_addr own;

	must("macaddr_get", rte_eth_macaddr_get(0, &own));
	may("default_mac_addr_set", rte_eth_dev_default_mac_addr_set(0, &own));
	filter();
	may("rss_hash_conf_get", rte_eth_dev_rss_hash_conf_get(0, &rss));
	must("promiscuous_enable", rte_eth_promiscuous_enable(0));
	must("promiscuous_disable", rte_eth_promiscuous_disable(0));
}

static void
configure(void)
{
	static uint8_t key[RSS_KEY_MAX];
	bool has_rss = rss_hf != 0 || calls(RSS_STAYS);
	struct rte_eth_conf conf = {
		.rxmode.mq_mode = has_rss ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE,
		.rxmode.mtu = RTE_MIN(app->mtu, info.max_mtu),
		.rxmode.offloads = rx_offloads,
		.txmode.offloads = tx_offloads,
		.rx_adv_conf.rss_conf.rss_hf = rss_hf,
		.intr_conf.lsc = calls(LSC) && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC),
		.intr_conf.rxq = calls(RXQ_INTR),
	};
	struct rte_eth_conf nothing = { 0 };

	if (has_rss && app->key_len != 0) {
		memset(key, 0x6d, sizeof(key));
		conf.rx_adv_conf.rss_conf.rss_key = key;
		conf.rx_adv_conf.rss_conf.rss_key_len =
				app->key_len == KEY_OF_PORT ? info.hash_key_size : app->key_len;
	}
	if (calls(TWICE))
		must("configure", rte_eth_dev_configure(0, 1, 1, &nothing));
	must("configure", rte_eth_dev_configure(0, nb_rx, nb_tx, &conf));
}

static void
set_mtu(void)
{
	int ret = rte_eth_dev_set_mtu(0, RTE_MIN(app->set_mtu, info.max_mtu));

	if (calls(MTU_MUST))
		must("set_mtu", ret);
	else
		may("set_mtu", ret);
}

static void
set_up_queues(void)
{
	struct rte_eth_rxconf rx_conf = info.default_rxconf;
	struct rte_eth_txconf tx_conf = info.default_txconf;
	uint16_t q;

	if (calls(OWN_THRESHOLDS)) {
		rx_conf = (struct rte_eth_rxconf){ .rx_thresh = { 8, 8, 4 }, .rx_free_thresh = 32 };
		tx_conf = (struct rte_eth_txconf){ .tx_thresh = { 36, 0, 0 } };
	}
	rx_conf.offloads = rx_offloads;
	tx_conf.offloads = tx_offloads;
	if (calls(ADJUST))
		must("adjust", rte_eth_dev_adjust_nb_rx_tx_desc(0, &nb_rxd, &nb_txd));
	pool = rte_pktmbuf_pool_create("pool", nb_rx * nb_rxd + nb_tx * nb_txd + SPARE_MBUFS, CACHE,
			0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL)
		must("pool_create", -rte_errno);
	for (q = 0; q < nb_rx; q++)
		must("rx_queue_setup", rte_eth_rx_queue_setup(0, q, nb_rxd, 0, &rx_conf, pool));
	for (q = 0; q < nb_tx; q++)
		must("tx_queue_setup", rte_eth_tx_queue_setup(0, q, nb_txd, 0, &tx_conf));
}

/* Each entry as a plain spread has it; what is read then is what was written. */
static int
write_table(void)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_rss_reta_entry64 seen[RTE_DIM(reta)];
	unsigned int i;
	int ret;

	memset(reta, 0, sizeof(reta));
	for (i = 0; i < info.reta_size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= RTE_BIT64(i % RTE_ETH_RETA_GROUP_SIZE);
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % nb_rx;
	}
	memcpy(seen, reta, sizeof(seen));
	ret = rte_eth_dev_rss_reta_update(0, reta, info.reta_size);
	if (ret == 0)
		ret = rte_eth_dev_rss_reta_query(0, seen, info.reta_size);
	return ret != 0 ? ret : memcmp(seen, reta, sizeof(seen)) == 0 ? 0 : -EBADMSG;
}

/* Those that ethdev itself adds, or the driver. */
static int
find_queue_names(void)
{
	static const char *const counters[] = { "packets", "bytes" };
	char name[RTE_ETH_XSTATS_NAME_SIZE];
	unsigned int i, q, nb;
	uint64_t id;
	int ret = 0;

	for (i = 0; i < 2 * RTE_DIM(counters); i++) {
		nb = i < RTE_DIM(counters) ? nb_rx : nb_tx;
		for (q = 0; ret == 0 && q < nb; q++) {
			snprintf(name, sizeof(name), "%s_q%u_%s",
					i < RTE_DIM(counters) ? "rx" : "tx", q,
					counters[i % RTE_DIM(counters)]);
			ret = rte_eth_xstats_get_id_by_name(0, name, &id);
		}
	}
	return ret;
}

static int
wait_for_link(void)
{
	uint64_t deadline = rte_get_timer_cycles() + LINK_SECONDS * rte_get_timer_hz();
	struct rte_eth_link link;
	int ret;

	do {
		ret = rte_eth_link_get_nowait(0, &link);
		if (ret < 0 || link.link_status == RTE_ETH_LINK_UP)
			return ret;
		rte_delay_ms(10);
	} while (rte_get_timer_cycles() < deadline);
	return -ETIMEDOUT;
}

static void
start(void)
{
	uint8_t key[RSS_KEY_MAX];
	struct rte_eth_rss_conf rss = { .rss_key = key, .rss_key_len = sizeof(key) };
	struct rte_eth_fc_conf flow_ctrl = { 0 };
	uint32_t ptype;

	if (calls(PTYPES))
		must("set_ptypes", rte_eth_dev_set_ptypes(0, RTE_PTYPE_UNKNOWN, &ptype, 1));
	if (calls(FLOW_CTRL))
		may("flow_ctrl_get", rte_eth_dev_flow_ctrl_get(0, &flow_ctrl));
	must("start", rte_eth_dev_start(0));
	if (calls(RESTART)) {
		must("stop", rte_eth_dev_stop(0));
		set_mtu();
		must("start", rte_eth_dev_start(0));
	}
	filter();
	if (calls(RETA))
		must("rss_reta_update", write_table());
	if (calls(HASH_GET))
		must("rss_hash_conf_get", rte_eth_dev_rss_hash_conf_get(0, &rss));
	if (calls(QUEUE_NAMES))
		must("xstats_get_id_by_name", find_queue_names());
	if (calls(LINK_UP))
		must("link_get", wait_for_link());
}

static uint64_t
echo(void)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t received = 0, before;
	unsigned int rounds_left = 1000; /* a peer that goes on does not keep it */
	uint16_t q, nb, sent;

	/* What is in the rings when it is told to end has come, too. */
	do {
		before = received;
		rounds_left -= is_over;
		for (q = 0; q < nb_rx; q++) {
			nb = rte_eth_rx_burst(0, q, pkts, BURST);
			received += nb;
			sent = nb_tx != 0 ? rte_eth_tx_burst(0, q % nb_tx, pkts, nb) : 0;
			rte_pktmbuf_free_bulk(pkts + sent, nb - sent);
		}
	} while (!is_over || (received != before && rounds_left != 0));
	return received;
}

static const struct application *
find(const char *name)
{
	size_t i;

	for (i = 0; i < RTE_DIM(applications); i++)
		if (strcmp(name, applications[i].name) == 0)
			return &applications[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	uint64_t received;
	int ret = rte_eal_init(argc, argv);

	if (ret < 0 || argc - ret != 2)
		return 2;
	app = find(argv[ret + 1]);
	if (app == NULL)
		return 2;
	setlinebuf(stdout);
	signal(SIGINT, end);

	look();
	if (calls(EARLY))
		ask_early();
	configure();
	if (app->set_mtu != 0 && !calls(RESTART))
		set_mtu();
	set_up_queues();
	start();
	printf("first_calls: ready, %u and %u queues\n", nb_rx, nb_tx);
	received = echo();

	must("stop", rte_eth_dev_stop(0));
	must("close", rte_eth_dev_close(0));
	printf("first_calls: %" PRIu64 " received, %u missing\n", received,
			rte_mempool_in_use_count(pool));
	return rte_eal_cleanup() == 0 ? 0 : 3;
}
