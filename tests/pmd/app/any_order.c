/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Calls of ethdev in any order, most of them allowed and some not, of a port that is polled
 * meanwhile. Port net_sluice0 has a net_vhost of this process as its back end, which comes and goes
 * among the calls; packets go there and back on one lcore.
 *
 *     any_order EAL-OPTIONS -- SEED STEPS BACK-END-ARGUMENTS PORT-ARGUMENTS
 *
 * The same seed makes the same calls; what threads do in between is up to the kernel. Each call
 * must say 0 or -errno, what is received must be what was sent, after each stop all mbufs must be
 * in their pools, in the end the port must carry packets, and closed it must leave nothing. Else a
 * line says what, and the process aborts. Prints counts of packets, back ends, and of what failed
 * on purpose: with shim/shortage.c the driver gets not all that it asks for, but in the end.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_launch.h>
#include <rte_power_intrinsics.h>

#include "any_order.h"
#include "now.h"

#define NB_MBUFS 1023
#define RETA_SIZE 128

static const char *back_args;
static uint64_t seed;
static struct rte_eth_conf conf;
static uint16_t nb_rx, nb_tx;
static unsigned int nb_backs;
static bool may_fail; /* what always works else: see shim/shortage.c */

/* Less than n; SplitMix64. */
static uint32_t
any(uint32_t n)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % n;
}

static uint16_t
any_queue(void)
{
	return any(NB_QUEUES + 1); /* one of them there is not */
}

static int
do_back(void)
{
	if (is_back_there())
		return remove_back();
	nb_backs++;
	return add_back(back_args);
}

static int
do_configure(void)
{
	struct rte_eth_conf c = { .intr_conf.rxq = any(3) == 0 };
	uint16_t rx = 1 + any(NB_QUEUES), tx = 1 + any(NB_QUEUES), q;
	struct rte_eth_rxq_info rx_info;
	struct rte_eth_txq_info tx_info;
	int ret;

	if (any(2)) {
		c.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		c.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IP;
	}
	if (any(4) == 0)
		c.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	if (any(4) == 0)
		c.txmode.offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	stay_away(true);
	ret = rte_eth_dev_configure(port, rx, tx, &c);
	if (ret == 0) {
		conf = c;
		nb_rx = rx;
		nb_tx = tx;
	}
	/* Where the driver refuses, ethdev has taken all queues away. */
	for (q = 0; q < NB_QUEUES; q++) {
		is_rx_there[q] &= rte_eth_rx_queue_info_get(port, q, &rx_info) == 0;
		is_tx_there[q] &= rte_eth_tx_queue_info_get(port, q, &tx_info) == 0;
	}
	stay_away(false);
	return ret;
}

static int
set_up_rx(uint16_t q, uint16_t nb_desc)
{
	struct rte_eth_rxconf c = { .rx_deferred_start = any(8) == 0,
		.offloads = conf.rxmode.offloads };
	struct rte_eth_rxq_info info;
	int ret;

	stay_away(true);
	ret = rte_eth_rx_queue_setup(
			port, q, nb_desc, SOCKET_ID_ANY, &c, pools[any(RTE_DIM(pools))]);
	/* A queue that could not be set up anew is none any more, if ethdev came to release it. */
	if (q < NB_QUEUES)
		is_rx_there[q] = rte_eth_rx_queue_info_get(port, q, &info) == 0;
	stay_away(false);
	return ret;
}

static int
set_up_tx(uint16_t q, uint16_t nb_desc)
{
	struct rte_eth_txconf c = { .tx_deferred_start = any(8) == 0,
		.offloads = conf.txmode.offloads };
	struct rte_eth_txq_info info;
	int ret;

	stay_away(true);
	ret = rte_eth_tx_queue_setup(port, q, nb_desc, SOCKET_ID_ANY, &c);
	if (q < NB_QUEUES)
		is_tx_there[q] = rte_eth_tx_queue_info_get(port, q, &info) == 0;
	stay_away(false);
	return ret;
}

static int
do_set_up(void)
{
	static const uint16_t sizes[] = { 0, 3, 4, 33, 64, 100, 256, 512, 65535 };
	uint16_t nb_desc = sizes[any(RTE_DIM(sizes))];

	return any(2) ? set_up_rx(any_queue(), nb_desc) : set_up_tx(any_queue(), nb_desc);
}

static int
do_start(void)
{
	int ret;

	stay_away(true);
	ret = rte_eth_dev_start(port);
	stay_away(false);
	return ret;
}

/* Also of a device that was cut off, whose buffers wait for its end. */
static void
check_pools(void)
{
	int64_t end = now_us() + LIMIT_US;
	unsigned int i;

	for (i = 0; i < RTE_DIM(pools); i++)
		while (!rte_mempool_full(pools[i])) {
			if (now_us() > end)
				fail("%s: %u mbufs are missing", pools[i]->name,
						rte_mempool_in_use_count(pools[i]));
			usleep(1000);
		}
}

static int
stop(int (*how)(uint16_t))
{
	int ret;

	stay_away(true);
	ret = how(port);
	if (ret == 0)
		check_pools();
	stay_away(false);
	return ret;
}

static int
do_stop(void)
{
	return stop(any(4) == 0 ? rte_eth_dev_reset : rte_eth_dev_stop);
}

/* The way that applications go: the port runs then, unless its back end just leaves, or is slow. */
static int
do_rise(void)
{
	struct rte_flow_error error;
	uint16_t q;
	int ret = do_stop();

	/* A rule that could not go, as a core was in a burst for too long. */
	rte_flow_flush(port, &error);
	if (ret == 0)
		ret = do_configure();
	for (q = 0; q < nb_rx && ret == 0; q++)
		ret = set_up_rx(q, 64 << any(2));
	for (q = 0; q < nb_tx && ret == 0; q++)
		ret = set_up_tx(q, 64 << any(2));
	if (ret == 0)
		ret = do_start();
	if (ret != 0 && ret != -ECONNRESET && ret != -ETIMEDOUT && !may_fail)
		fail("it does not start: %s", rte_strerror(-ret));
	return ret;
}

static int
do_queue(void)
{
	int (*const calls[])(uint16_t, uint16_t) = { rte_eth_dev_rx_queue_stop,
		rte_eth_dev_tx_queue_stop, rte_eth_dev_rx_queue_start, rte_eth_dev_tx_queue_start,
		rte_eth_dev_rx_intr_enable, rte_eth_dev_rx_intr_disable };

	return calls[any(RTE_DIM(calls))](port, any_queue());
}

/* Stopped, set up anew, and started, under the packets of the others. */
static int
do_renew(void)
{
	uint16_t q = any_queue();
	bool is_tx = any(2);
	int ret = is_tx ? rte_eth_dev_tx_queue_stop(port, q) : rte_eth_dev_rx_queue_stop(port, q);

	if (ret == 0)
		ret = is_tx ? set_up_tx(q, 32 << any(4)) : set_up_rx(q, 32 << any(4));
	if (ret == 0)
		ret = is_tx ? rte_eth_dev_tx_queue_start(port, q) :
			      rte_eth_dev_rx_queue_start(port, q);
	return ret;
}

static int
do_reta(void)
{
	struct rte_eth_rss_reta_entry64 table[RETA_SIZE / RTE_ETH_RETA_GROUP_SIZE];
	unsigned int i;

	for (i = 0; i < RETA_SIZE; i++) {
		table[i / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = any(
				nb_rx + 1);
		if (nb_rx != 0 && i % 64 != 0)
			table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] %=
					nb_rx;
	}
	return rte_eth_dev_rss_reta_update(port, table, RETA_SIZE - any(2));
}

static int
do_hash(void)
{
	uint8_t key[40];
	struct rte_eth_rss_conf c = { .rss_key = key,
		.rss_key_len = sizeof(key) - any(2),
		.rss_hf = any(3) ? RTE_ETH_RSS_IP : 0 };

	memset(key, any(256), sizeof(key));
	return rte_eth_dev_rss_hash_update(port, &c);
}

/* One rule at a time, which has to go before RSS is configured otherwise. */
static int
do_flow(void)
{
	const struct rte_flow_attr attr = { .ingress = 1 };
	const struct rte_flow_item pattern[] = { { .type = RTE_FLOW_ITEM_TYPE_ETH },
		{ .type = RTE_FLOW_ITEM_TYPE_END } };
	const struct rte_flow_action_queue queue = { .index = any_queue() };
	const struct rte_flow_action actions[] = { { RTE_FLOW_ACTION_TYPE_COUNT, NULL },
		{ RTE_FLOW_ACTION_TYPE_QUEUE, &queue }, { RTE_FLOW_ACTION_TYPE_END, NULL } };
	struct rte_flow_query_count count = { .reset = any(2) };
	struct rte_flow_error error;
	struct rte_flow *flow;
	int ret;

	flow = rte_flow_create(port, &attr, pattern, actions, &error);
	if (flow == NULL)
		return -rte_errno;
	usleep(1000);
	ret = rte_flow_query(port, flow, actions, &count, &error);
	return ret == 0 ? rte_flow_destroy(port, flow, &error) : ret;
}

static int
do_filter(void)
{
	struct rte_ether_addr addr = { { 2, 0, 0, 0, 0, any(200) } };

	switch (any(6)) {
	case 0:
		return rte_eth_promiscuous_enable(port);
	case 1:
		return rte_eth_promiscuous_disable(port);
	case 2:
		return rte_eth_dev_mac_addr_add(port, &addr, 0);
	case 3:
		return rte_eth_dev_mac_addr_remove(port, &addr);
	case 4:
		return rte_eth_dev_vlan_filter(port, any(5000), any(2));
	default:
		return rte_eth_dev_set_mc_addr_list(port, &addr, any(2));
	}
}

static int
do_link(void)
{
	switch (any(4)) {
	case 0:
		return rte_eth_dev_set_link_down(port);
	case 1:
		return rte_eth_dev_set_mtu(port, 1000 + any(1000));
	case 2:
		return rte_eth_dev_set_ptypes(port, any(2) ? UINT32_MAX : 0, NULL, 0);
	default:
		return rte_eth_dev_set_link_up(port);
	}
}

static int
do_look(void)
{
	struct rte_power_monitor_cond monitor;
	struct rte_eth_burst_mode mode;
	struct rte_eth_stats stats;
	int ret = rte_eth_stats_get(port, &stats);

	if (ret != 0 || stats.opackets > INT64_MAX || stats.ipackets > INT64_MAX)
		fail("statistics: %d", ret);
	rte_eth_rx_burst_mode_get(port, any_queue(), &mode);
	rte_eth_tx_burst_mode_get(port, any_queue(), &mode);
	if (any(4) == 0)
		return rte_eth_stats_reset(port);
	return rte_eth_get_monitor_addr(port, any_queue(), &monitor);
}

static int
do_wait(void)
{
	usleep(any(4000));
	return 0;
}

static const struct call {
	int (*make)(void);
	const char *name;
	unsigned int weight;
} calls[] = {
	{ do_rise, "rise", 6 },
	{ do_configure, "configure", 2 },
	{ do_set_up, "set_up", 3 },
	{ do_start, "start", 3 },
	{ do_stop, "stop", 2 },
	{ do_back, "back", 4 },
	{ do_queue, "queue", 8 },
	{ do_renew, "renew", 8 },
	{ do_reta, "reta", 5 },
	{ do_hash, "hash", 4 },
	{ do_flow, "flow", 5 },
	{ do_filter, "filter", 8 },
	{ do_link, "link", 4 },
	{ do_look, "look", 6 },
	{ do_wait, "wait", 20 },
};

static void
make_calls(unsigned int nb)
{
	const struct call *call;
	unsigned int total = 0, i, n;
	int ret;

	for (i = 0; i < RTE_DIM(calls); i++)
		total += calls[i].weight;
	for (i = 0; i < nb; i++) {
		n = any(total);
		for (call = calls; n >= call->weight; call++)
			n -= call->weight;
		printf("%u %s\n", i, call->name);
		ret = call->make();
		if (ret > 0)
			fail("%s says %d", call->name, ret);
	}
}

/* Whatever was done to it. */
static void
carry_packets(void)
{
	int64_t end = now_us() + LIMIT_US;
	uint64_t seen;
	int ret;

	if (!is_back_there())
		do_back();
	rte_eth_dev_set_link_up(port);
	while ((ret = do_rise()) != 0) {
		if (now_us() > end)
			fail("it does not start in the end: %s", rte_strerror(-ret));
		usleep(10000);
	}
	end = now_us() + LIMIT_US;
	/* The first of both is there in any case. */
	rte_eth_dev_rx_queue_start(port, 0);
	rte_eth_dev_tx_queue_start(port, 0);
	seen = nb_received();
	while (nb_received() < seen + 1000) {
		if (now_us() > end)
			fail("%" PRIu64 " packets came in the end", nb_received() - seen);
		usleep(1000);
	}
}

static void
make_pools(void)
{
	pools[0] = rte_pktmbuf_pool_create(
			"first", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	pools[1] = rte_pktmbuf_pool_create(
			"second", NB_MBUFS, 32, 64, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pools[0] == NULL || pools[1] == NULL)
		fail("no mempools");
}

int
main(int argc, char **argv)
{
	struct held held;
	int n = rte_eal_init(argc, argv);

	if (n < 0 || n + 4 >= argc)
		rte_exit(EXIT_FAILURE, "any_order: EAL-OPTIONS -- SEED STEPS BACK-END PORT\n");
	seed = atoi(argv[n + 1]);
	back_args = argv[n + 3];
	make_pools();
	/* The first of each has what stays for the next. */
	plug(argv[n + 4]);
	unplug();
	rte_eal_mp_remote_launch(work, NULL, SKIP_MAIN);
	do_back();
	do_back();
	held = count_held();
	try_plugs(argv[n + 4]);
	plug(argv[n + 4]);
	may_fail = run_short(true);
	make_calls(atoi(argv[n + 2]));
	may_fail = run_short(false);
	carry_packets();
	do_stop();
	remove_back();
	end_work();
	rte_eal_mp_wait_lcore();
	unplug();
	check_held(&held);
	printf("received=%" PRIu64 " backs=%u failed=%u\n", nb_received(), nb_backs, nb_short());
	return rte_eal_cleanup();
}
