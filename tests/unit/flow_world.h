/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A port with flow rules: queues and packets of steer_world.h, and ethdev's operations on rules. */

#ifndef FLOW_WORLD_H
#define FLOW_WORLD_H

#include <rte_flow.h>
#include <rte_flow_driver.h>

#include "sluice_ethdev.h"
#include "steer_world.h"

#define NB_QUEUES 4

/* In segments of at most nb_seg bytes, each at the end of its memory; data of its own. */
static struct rte_mbuf *
packet(const uint8_t *bytes, uint32_t len, uint32_t nb_seg)
{
	struct rte_mbuf *first = NULL, *m;
	uint32_t at, n;

	for (at = 0; at < len; at += n) {
		n = RTE_MIN(len - at, nb_seg);
		m = fake_mbuf(w->pool, 0, 0);
		m->data_off = m->buf_len - n;
		m->data_len = n;
		m->pkt_len = n;
		m->ol_flags = 0;
		memcpy(rte_pktmbuf_mtod(m, void *), bytes + at, n);
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

/* As ethdev does it, with the queues' functions. */
static void
choose_paths(struct sluice_port *port)
{
	struct sluice_rx_stage stage = {
		.has_hash = true, .is_spread = true, .has_flows = port->steer.rules.has_any
	};

	sluice_rx_stage_show(&port->shared->stage, &stage);
	rte_atomic_store_explicit(
			&w->burst, sluice_rx_stage_burst(&stage), rte_memory_order_release);
}

static const struct sluice_port_events events = { .paths_chosen = choose_paths };

static void
open_started(void)
{
	assert_int_equal(open_world(NB_QUEUES, 1, UDP), 0);
	w->port->events = &events;
	assert_int_equal(start(), 0);
	choose_paths(w->port);
	w->data.dev_started = 1;
}

static const struct rte_flow_attr ingress = { .ingress = 1 };
static struct rte_flow_error error;

#define ITEM(name) \
	{ \
		.type = RTE_FLOW_ITEM_TYPE_##name \
	}
#define WITH(name, s, m) \
	{ \
		.type = RTE_FLOW_ITEM_TYPE_##name, .spec = (s), .mask = (m) \
	}
#define ACTION(name, c) \
	{ \
		.type = RTE_FLOW_ACTION_TYPE_##name, .conf = (c) \
	}
#define PATTERN(...) ((const struct rte_flow_item[]){ __VA_ARGS__, ITEM(END) })
#define ACTIONS(...) ((const struct rte_flow_action[]){ __VA_ARGS__, ACTION(END, NULL) })

static struct rte_flow *
make(const struct rte_flow_item *pattern, const struct rte_flow_action *actions)
{
	struct rte_flow *flow;

	assert_int_equal(sluice_flow_ops.validate(&w->dev, &ingress, pattern, actions, &error), 0);
	flow = sluice_flow_ops.create(&w->dev, &ingress, pattern, actions, &error);
	fake_assert(flow != NULL, "%s", error.message);
	return flow;
}

/* How many packets each queue gives, those that were handed over, too. */
static void
count_queues(uint32_t counts[NB_QUEUES])
{
	struct rte_mbuf *pkts[BURST];
	uint16_t q, nb, i;

	memset(counts, 0, NB_QUEUES * sizeof(counts[0]));
	for (i = 0; i < 3; i++)
		for (q = 0; q < NB_QUEUES; q++)
			do {
				nb = w->burst(&w->rxq[q], pkts, BURST);
				rte_pktmbuf_free_bulk(pkts, nb);
				counts[q] += nb;
			} while (nb != 0 || w->nb_arrived[q] < w->nb_arriving[q]);
	w->nb_arriving[0] = w->nb_arrived[0] = 0;
}

/* The queue in which a packet arrives; NB_QUEUES: it is dropped. */
static uint16_t
where(const uint8_t *bytes, uint32_t len)
{
	uint32_t counts[NB_QUEUES];
	uint16_t q;

	w->arriving[0][w->nb_arriving[0]++] = packet(bytes, len, len);
	count_queues(counts);
	for (q = 0; q < NB_QUEUES && counts[q] == 0; q++)
		;
	return q;
}

#endif /* FLOW_WORLD_H */
