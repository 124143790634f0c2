/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Settings of RSS on a port: what is taken and refused, when cores see it, what a start and a stop
 * need.
 */

#include <errno.h>

#include "fake_fault.h"
#include "steer_world.h"

/* What arrived before is where it was put; what comes later goes by the new settings. */
static void
test_changes(void **state)
{
	uint8_t key[52];
	uint16_t reta[SLUICE_RSS_RETA_SIZE], i;
	uint32_t n, flow, sum;

	(void)state;
	assert_int_equal(open_world(4, 2, UDP), 0);
	assert_int_equal(start(), 0);
	for (n = 0; n < 1000; n++) {
		for (i = 0; i < sizeof(key); i++)
			key[i] = fake_random(&w->seed);
		for (i = 0; i < SLUICE_RSS_RETA_SIZE; i++)
			reta[i] = fake_below(&w->seed, 4);
		/* Of 52 bytes, as other drivers have them: what is beyond 40 meets nothing. */
		assert_int_equal(sluice_steer_set_hash(w->port, UDP, key, sizeof(key)), 0);
		assert_int_equal(sluice_steer_set_reta(w->port, reta), 0);
		w->nb_arriving[0] = w->nb_arrived[0] = 0;
		w->nb_arriving[1] = w->nb_arrived[1] = 0;
		for (flow = 0; flow < 40; flow++)
			arrive(flow % 2, flow, 0);
		for (i = 0, sum = 0; i < 8; i++)
			sum += poll_queue(i % 4, BURST, key, reta, NULL);
		fake_assert(sum == 40, "%u", sum);
	}
	/* No type: nothing has a hash, and all stays where it came. */
	assert_int_equal(sluice_steer_set_hash(w->port, 0, NULL, 0), 0);
	w->nb_arriving[0] = w->nb_arrived[0] = 0;
	for (flow = 0; flow < 40; flow++)
		arrive(0, flow, 0);
	{
		struct rte_mbuf *pkts[64];
		uint16_t nb = w->burst(&w->rxq[0], pkts, 64);

		assert_int_equal(nb, 40);
		rte_pktmbuf_free_bulk(pkts, nb);
	}
	close_world();
}

/* A core that hangs in a burst: nothing changes, is waited for without end, or is lost. */
static void
test_hang(void **state)
{
	uint16_t reta[SLUICE_RSS_RETA_SIZE] = { 0 };
	uint32_t flow;

	(void)state;
	assert_int_equal(open_world(2, 1, UDP), 0);
	assert_int_equal(start(), 0);
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	poll_queue(0, BURST, w->port->shared->rss.key, w->port->shared->rss.reta, NULL);
	w->rxq[1].stage_turn++;
	assert_int_equal(sluice_steer_set_reta(w->port, reta), -ETIMEDOUT);
	assert_int_equal(w->port->shared->rss.reta[1], 1);
	assert_int_equal(sluice_steer_set_hash(w->port, RTE_ETH_RSS_IPV4, NULL, 0), -ETIMEDOUT);
	assert_int_equal(w->port->shared->rss.types, UDP);
	sluice_steer_stop(w->port);
	assert_non_null(w->port->steer.spread);
	assert_int_equal(sluice_steer_start(w->port), -EBUSY);
	w->rxq[1].stage_turn++;
	assert_int_equal(sluice_steer_start(w->port), 0);
	close_world();
}

static void
test_no_memory(void **state)
{
	(void)state;
	assert_int_equal(open_world(2, 2, UDP), 0);
	fake_fault_arm(0);
	assert_int_equal(start(), -ENOMEM);
	fake_fault_disarm();
	assert_false(w->port->steer.is_on);
	assert_null(w->rxq[0].hand);
	assert_int_equal(start(), 0);
	close_world();
}

static void
test_refused(void **state)
{
	struct rte_eth_conf *conf;
	uint8_t key[SLUICE_RSS_KEY_LEN] = { 1 };

	(void)state;
	assert_int_equal(open_world(2, 2, UDP), 0);
	assert_int_equal(start(), 0);
	assert_int_equal(sluice_steer_set_hash(w->port, UDP, key, SLUICE_RSS_KEY_LEN - 1), -EINVAL);
	assert_int_equal(sluice_steer_set_hash(w->port, RTE_ETH_RSS_VLAN, key, sizeof(key)),
			-EINVAL);
	assert_int_equal(w->port->shared->rss.types, UDP);
	assert_int_equal(w->port->shared->rss.key[0], 0x6d);
	sluice_steer_stop(w->port);
	conf = &w->data.dev_conf;
	conf->rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_L2_PAYLOAD;
	assert_int_equal(sluice_steer_configure(w->port), -EINVAL);
	conf->rx_adv_conf.rss_conf.rss_hf = UDP;
	conf->rx_adv_conf.rss_conf.rss_key = key;
	conf->rx_adv_conf.rss_conf.rss_key_len = 16;
	assert_int_equal(sluice_steer_configure(w->port), -EINVAL);
	assert_int_equal(w->port->shared->rss.key[0], 0x6d);
	conf->rx_adv_conf.rss_conf.rss_key_len = sizeof(key);
	assert_int_equal(sluice_steer_configure(w->port), 0);
	assert_int_equal(w->port->shared->rss.key[0], 1);
	/* Started without RSS: there is no stage that could take types. */
	conf->rx_adv_conf.rss_conf.rss_hf = 0;
	assert_int_equal(sluice_steer_configure(w->port), 0);
	assert_int_equal(start(), 0);
	assert_null(w->burst);
	w->data.dev_started = 1;
	assert_int_equal(sluice_steer_set_hash(w->port, UDP, NULL, 0), -EBUSY);
	close_world();
}

/* More queues than the device has: with spreading only. */
static void
test_queue_counts(void **state)
{
	struct rte_eth_conf *conf;

	(void)state;
	assert_int_equal(open_world(4, 2, UDP), 0);
	assert_int_equal(sluice_dev_nb_rx(w->port), 2);
	conf = &w->data.dev_conf;
	w->port->args.rss = SLUICE_RSS_ARG_OFF;
	assert_int_equal(sluice_steer_configure(w->port), -ENOTSUP);
	w->port->args.rss = SLUICE_RSS_ARG_SW;
	conf->intr_conf.rxq = 1;
	assert_int_equal(sluice_steer_configure(w->port), -ENOTSUP);
	conf->intr_conf.rxq = 0;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	assert_int_equal(sluice_steer_configure(w->port), -ENOTSUP);
	assert_int_equal(sluice_dev_nb_rx(w->port), 2);
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	assert_int_equal(sluice_steer_configure(w->port), 0);
	/* As many as the device has: accepted, whoever spreads. */
	w->data.nb_rx_queues = 2;
	conf->intr_conf.rxq = 1;
	assert_int_equal(sluice_steer_configure(w->port), 0);
	assert_false(sluice_steer_spreads(w->port));
	assert_false(sluice_steer_hashes(w->port));
	/* Where a configuration fails ethdev takes all queues away. */
	w->data.nb_rx_queues = 4;
	conf->intr_conf.rxq = 0;
	assert_int_equal(sluice_steer_configure(w->port), 0);
	w->data.nb_rx_queues = 0;
	assert_int_equal(sluice_dev_nb_vqs(w->port), 0);
	w->data.nb_rx_queues = 2;
	assert_int_equal(sluice_steer_configure(w->port), 0);
	conf->intr_conf.rxq = 1;
	conf->rxmode.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH;
	assert_true(sluice_steer_hashes(w->port));
	close_world();
}

int
main(void)
{
	suite_add(test_changes, NULL, "changes");
	suite_add(test_hang, NULL, "a core that hangs");
	suite_add(test_no_memory, NULL, "no memory");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_queue_counts, NULL, "numbers of queues");
	return suite_run("steer");
}
