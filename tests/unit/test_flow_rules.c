/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Flow rules of a port: what they do with packets, and how long; rules that come and go under
 * traffic; what is refused, and why.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "fake_fault.h"
#include "flow_world.h"

/* UDP over IPv4, and what is no IP. */
static const uint8_t udp_packet[100] = { [12] = 0x08, 0x00, 0x45, [23] = 17, [36] = 3, 4 };
static const uint8_t other_packet[60] = { [12] = 0x08, 0x06 };

static void
refused(int ret, enum rte_flow_error_type type, const struct rte_flow_attr *attr,
		const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
		const char *text)
{
	memset(&error, 0, sizeof(error));
	assert_int_equal(sluice_flow_ops.validate(&w->dev, attr, pattern, actions, &error), ret);
	fake_assert(error.type == type, "type %d: %s", error.type, error.message);
	fake_assert(strstr(error.message, text) != NULL, "%s", error.message);
	assert_null(sluice_flow_ops.create(&w->dev, attr, pattern, actions, &error));
	assert_int_equal(rte_errno, -ret);
}

/* What a rule counts, drops, spreads; that the first by priority, and then by age, is asked. */
static void
test_actions(void **state)
{
	const uint16_t some[] = { 1, 3 };
	struct rte_flow_action_queue second = { .index = 1 }, last = { .index = 3 };
	struct rte_flow_action_rss rss = { .queue_num = 2, .queue = some, .types = UDP };
	struct rte_flow_action count = ACTION(COUNT, NULL);
	struct rte_flow_query_count query = { .reset = 1 };
	struct rte_flow_attr later = { .ingress = 1, .priority = 7 };
	const struct rte_flow_item *udp = PATTERN(ITEM(ETH), ITEM(IPV4), ITEM(UDP));
	struct rte_flow *drops, *spreads, *counts;
	uint32_t flow, got[NB_QUEUES];

	(void)state;
	open_started();
	drops = sluice_flow_ops.create(
			&w->dev, &later, udp, ACTIONS(count, ACTION(DROP, NULL)), &error);
	assert_non_null(drops);
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	count_queues(got);
	assert_int_equal(got[0] + got[1] + got[2] + got[3], 0);
	assert_int_equal(w->rxq[0].nb_flow_dropped, 100);
	assert_int_equal(w->rxq[0].q.stats.errors, 0);
	assert_int_equal(sluice_flow_ops.query(&w->dev, drops, &count, &query, &error), 0);
	assert_int_equal(query.hits, 100);
	assert_int_equal(query.bytes, 6000);
	assert_true(query.hits_set && query.bytes_set);
	assert_int_equal(sluice_flow_ops.query(&w->dev, drops, &count, &query, &error), 0);
	assert_int_equal(query.hits, 0);
	/* Before it, though it came later; and of the same priority, the older one. */
	spreads = make(udp, ACTIONS(ACTION(RSS, &rss)));
	make(udp, ACTIONS(ACTION(QUEUE, &second)));
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	count_queues(got);
	assert_int_equal(got[0] + got[2], 0);
	assert_int_equal(got[1] + got[3], 100);
	assert_true(got[1] > 20 && got[3] > 20);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, spreads, &error), 0);
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	count_queues(got);
	assert_int_equal(got[1], 100);
	/* A room to count in that another rule had is empty. */
	query.reset = 0;
	counts = make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(QUEUE, &last), count));
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, drops, &error), 0);
	where(other_packet, 60);
	assert_int_equal(sluice_flow_ops.query(&w->dev, counts, &count, &query, &error), 0);
	assert_int_equal(query.hits, 1);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, counts, &error), 0);
	counts = make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(QUEUE, &last), count));
	assert_int_equal(sluice_flow_ops.query(&w->dev, counts, &count, &query, &error), 0);
	assert_int_equal(query.hits, 0);
	assert_int_equal(where(other_packet, 60), 3);
	/* After a flush all is as it was, burst functions as well. */
	assert_int_equal(sluice_flow_ops.flush(&w->dev, &error), 0);
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	for (flow = 0, got[0] = 0; flow < 8; flow++)
		got[0] += poll_queue(flow % NB_QUEUES, BURST, w->port->shared->rss.key,
				w->port->shared->rss.reta, NULL);
	assert_int_equal(got[0], 100);
	assert_int_equal(sluice_flow_ops.flush(&w->dev, &error), 0);
	close_world();
}

/* Its bursts go by the rules of the primary process, as they come and go. */
static void
test_visitor(void **state)
{
	struct rte_flow_action_queue last = { .index = NB_QUEUES - 1 };
	struct rte_flow *flow;

	(void)state;
	open_started();
	w->burst = visit;
	assert_int_equal(where(other_packet, 60), 0);
	flow = make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(QUEUE, &last)));
	w->burst = visit;
	assert_int_equal(where(other_packet, 60), NB_QUEUES - 1);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, flow, &error), 0);
	make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(DROP, NULL)));
	w->burst = visit;
	assert_int_equal(where(other_packet, 60), NB_QUEUES);
	assert_int_equal(sluice_flow_ops.flush(&w->dev, &error), 0);
	w->burst = visit;
	assert_int_equal(where(other_packet, 60), 0);
	close_world();
}

/* Rules of a port that stops, starts, is configured anew. */
static void
test_life(void **state)
{
	struct rte_flow_action_queue last = { .index = NB_QUEUES - 1 };

	(void)state;
	open_started();
	w->data.dev_started = 0;
	sluice_steer_stop(w->port);
	make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(QUEUE, &last)));
	assert_int_equal(sluice_steer_start(w->port), 0);
	choose_paths(w->port);
	assert_int_equal(where(other_packet, 60), NB_QUEUES - 1);
	sluice_steer_stop(w->port);
	assert_int_equal(sluice_steer_configure(w->port), 0);
	assert_int_equal(sluice_steer_start(w->port), 0);
	assert_int_equal(where(other_packet, 60), NB_QUEUES - 1);
	sluice_steer_stop(w->port);
	w->data.nb_rx_queues = NB_QUEUES - 1;
	assert_int_equal(sluice_steer_configure(w->port), -EBUSY);
	w->data.nb_rx_queues = NB_QUEUES;
	w->data.dev_conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	w->port->args.nb_pairs = NB_QUEUES;
	assert_int_equal(sluice_steer_configure(w->port), -EBUSY);
	assert_int_equal(sluice_flow_ops.flush(&w->dev, &error), 0);
	assert_int_equal(sluice_steer_configure(w->port), 0);
	close_world();
}

/* The most rules that there can be, the last of which is found, and what fails around them. */
static void
test_limits(void **state)
{
	struct rte_flow_action count = ACTION(COUNT, NULL);
	struct rte_flow_action_queue queue = { .index = 1 };
	struct rte_flow_query_count query = { .reset = 0 };
	struct rte_flow_item_udp udp = { .hdr = { .dst_port = RTE_BE16(0x0304) } };
	struct rte_flow *flows[SLUICE_FLOW_RULES_MAX], *last;
	unsigned int i;

	(void)state;
	open_started();
	for (i = 0; i < 2; i++) {
		fake_fault_arm(i);
		last = sluice_flow_ops.create(&w->dev, &ingress, PATTERN(ITEM(ETH)),
				ACTIONS(ACTION(DROP, NULL)), &error);
		fake_fault_disarm();
		assert_null(last);
		assert_int_equal(rte_errno, ENOMEM);
	}
	for (i = 0; i < SLUICE_FLOW_RULES_MAX; i++) {
		udp.hdr.dst_port = RTE_BE16(0x0304);
		if (i < SLUICE_FLOW_RULES_MAX - 1)
			udp.hdr.dst_port = rte_cpu_to_be_16(9000 + i);
		flows[i] = make(PATTERN(ITEM(IPV4), WITH(UDP, &udp, NULL)),
				ACTIONS(ACTION(QUEUE, &queue), count));
	}
	assert_null(sluice_flow_ops.create(&w->dev, &ingress, PATTERN(ITEM(ETH)),
			ACTIONS(ACTION(DROP, NULL)), &error));
	assert_int_equal(rte_errno, ENOSPC);
	assert_string_equal(error.message, "a port has at most 64 rules");
	assert_int_equal(where(udp_packet, 100), 1);
	last = flows[SLUICE_FLOW_RULES_MAX - 1];
	assert_int_equal(sluice_flow_ops.query(&w->dev, last, &count, &query, &error), 0);
	assert_int_equal(query.hits, 1);
	/* A core that hangs: all stays as it is. */
	w->rxq[1].stage_turn++;
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, last, &error), -ETIMEDOUT);
	assert_int_equal(sluice_flow_ops.flush(&w->dev, &error), -ETIMEDOUT);
	w->rxq[1].stage_turn++;
	assert_int_equal(w->port->steer.rules.nb, SLUICE_FLOW_RULES_MAX);
	assert_int_equal(where(udp_packet, 100), 1);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, flows[0], &error), 0);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, (void *)&udp, &error), -ENOENT);
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, NULL, &error), -ENOENT);
	assert_int_equal(sluice_flow_ops.query(&w->dev, (void *)&udp, &count, &query, &error),
			-ENOENT);
	flows[0] = make(PATTERN(ITEM(ETH)), ACTIONS(ACTION(DROP, NULL)));
	assert_int_equal(
			sluice_flow_ops.query(&w->dev, flows[0], &count, &query, &error), -ENOTSUP);
	close_world();
}

static void
test_refused(void **state)
{
	static const struct rte_flow_item_udp udp, sum = { .hdr = { .dgram_cksum = 1 } };
	static const struct rte_flow_item_eth has_vlan = { .has_vlan = 1 };
	static const struct rte_flow_action_queue first, beyond = { .index = NB_QUEUES };
	static const uint16_t some[] = { 0, NB_QUEUES };
	static const struct rte_flow_attr group = { .ingress = 1, .group = 1 },
					  both = { .ingress = 1, .egress = 1 },
					  transfer = { .transfer = 1 };
	struct rte_flow_action_rss rss = { .queue_num = 2, .queue = some };
	const struct rte_flow_item *any = PATTERN(ITEM(ETH));
	const struct rte_flow_action *drop = ACTIONS(ACTION(DROP, NULL));
	struct rte_flow_item range = WITH(UDP, &udp, NULL);

	(void)state;
	open_started();
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, &group, any, drop, "group 0");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS, &both, any, drop, "ingress");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, &transfer, any, drop, "transfer");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &ingress, PATTERN(ITEM(GRE)), drop, "items");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &ingress, PATTERN(ITEM(UDP)), drop, "need");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &ingress, PATTERN(ITEM(IPV4), ITEM(ETH)), drop,
			"go from");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &ingress,
			PATTERN(ITEM(IPV4), ITEM(UDP), ITEM(TCP)), drop, "go from");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &ingress,
			PATTERN(ITEM(IPV4), WITH(UDP, &udp, &sum)), drop, "fields");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &ingress,
			PATTERN(WITH(ETH, &has_vlan, &has_vlan)), drop, "fields");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, &ingress,
			PATTERN(ITEM(IPV4), WITH(UDP, NULL, &udp)), drop, "value");
	range.last = &udp;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, &ingress, PATTERN(ITEM(IPV4), range), drop,
			"ranges");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &ingress, any, ACTIONS(ACTION(COUNT, NULL)),
			"needed");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &ingress, any,
			ACTIONS(ACTION(DROP, NULL), ACTION(QUEUE, &first)), "not several");
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, &ingress, any,
			ACTIONS(ACTION(FLAG, NULL), ACTION(DROP, NULL)), "actions are");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any,
			ACTIONS(ACTION(QUEUE, &beyond)), "no such");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any,
			ACTIONS(ACTION(QUEUE, NULL)), "no queue");
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any, ACTIONS(ACTION(RSS, &rss)),
			"no such");
	rss.queue_num = 0;
	refused(-EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any, ACTIONS(ACTION(RSS, &rss)),
			"1 to 64");
	rss.types = RTE_ETH_RSS_IPV4;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any,
			ACTIONS(ACTION(RSS, &rss)), "the port's");
	rss.func = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION_CONF, &ingress, any,
			ACTIONS(ACTION(RSS, &rss)), "Toeplitz");
	assert_int_equal(sluice_flow_ops.isolate(&w->dev, 0, &error), 0);
	assert_int_equal(sluice_flow_ops.isolate(&w->dev, 1, &error), -ENOTSUP);
	assert_int_equal(w->port->steer.rules.nb, 0);
	/* Where RSS is not ours: why, and what would make it so. */
	w->port->steer.is_by_device = true;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, &ingress, any, drop,
			"the device does RSS and takes no rules: rss=sw");
	w->port->steer.is_by_device = false;
	w->port->args.rss = SLUICE_RSS_ARG_OFF;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, &ingress, any, drop, "rss=off");
	w->port->args.rss = SLUICE_RSS_ARG_SW;
	w->data.dev_conf.intr_conf.rxq = 1;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, &ingress, any, drop, "Rx interrupts");
	w->data.dev_conf.intr_conf.rxq = 0;
	w->data.nb_rx_queues = 1;
	refused(-ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, &ingress, any, drop, "2 to 64");
	w->data.nb_rx_queues = NB_QUEUES;
	close_world();
}

struct core {
	uint32_t counts[NB_QUEUES];
	uint32_t nb_turns;
	bool is_over;
};

/* Polls all queues: each packet is where the table has it, or where the rule has it. */
static void *
poll_all(void *arg)
{
	struct core *core = arg;
	struct rte_mbuf *pkts[4];
	sluice_rx_stage_fn burst;
	uint16_t q, nb, i;

	while (!__atomic_load_n(&core->is_over, __ATOMIC_ACQUIRE)) {
		for (q = 0; q < NB_QUEUES; q++) {
			burst = rte_atomic_load_explicit(&w->burst, rte_memory_order_acquire);
			nb = burst(&w->rxq[q], pkts, RTE_DIM(pkts));
			for (i = 0; i < nb; i++)
				fake_assert(q == 3 ||
								q ==
										queue_of(word_at(pkts[i],
													 AT_SEQ),
												w->port->shared->rss
														.key,
												w->port->shared->rss
														.reta),
						"queue %u", q);
			rte_pktmbuf_free_bulk(pkts, nb);
			core->counts[q] += nb;
		}
		__atomic_fetch_add(&core->nb_turns, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* Rules come and go while a core polls: by the old ones or the new ones, nothing is lost. */
static void
test_live(void **state)
{
	struct rte_flow_action_queue last = { .index = 3 };
	const struct rte_flow_item *pattern = PATTERN(ITEM(ETH), ITEM(IPV4), ITEM(UDP));
	struct core core = { 0 };
	struct rte_flow *flow;
	pthread_t thread;
	uint32_t i, then;

	(void)state;
	open_started();
	fake_clock_run(1); /* the core may lose its CPU in a burst */
	for (i = 0; i < 4000; i++)
		arrive(0, i, 0);
	assert_int_equal(pthread_create(&thread, NULL, poll_all, &core), 0);
	for (i = 0; i < 200; i++) {
		flow = make(pattern, ACTIONS(ACTION(QUEUE, &last)));
		then = __atomic_load_n(&core.nb_turns, __ATOMIC_RELAXED);
		while (i < 100 && __atomic_load_n(&core.nb_turns, __ATOMIC_RELAXED) < then + 3)
			sched_yield();
		assert_int_equal(sluice_flow_ops.destroy(&w->dev, flow, &error), 0);
	}
	while (__atomic_load_n(&w->nb_arrived[0], __ATOMIC_RELAXED) < 4000)
		sched_yield();
	then = __atomic_load_n(&core.nb_turns, __ATOMIC_RELAXED);
	while (__atomic_load_n(&core.nb_turns, __ATOMIC_RELAXED) < then + 200)
		sched_yield();
	__atomic_store_n(&core.is_over, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(core.counts[0] + core.counts[1] + core.counts[2] + core.counts[3], 4000);
	assert_true(core.counts[3] > core.counts[1]);
	close_world();
}

int
main(void)
{
	suite_add(test_actions, NULL, "actions");
	suite_add(test_visitor, NULL, "in secondary processes");
	suite_add(test_life, NULL, "stop, start, configure");
	suite_add(test_limits, NULL, "limits");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_live, NULL, "live");
	return suite_run("flow_rules");
}
