/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port with receive queues among which packets are spread, without device and EAL: the queues'
 * burst functions give what a test has put in front of them.
 */

#ifndef STEER_WORLD_H
#define STEER_WORLD_H

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <ethdev_driver.h>
#include <rte_ip.h>
#include <rte_thash.h>
#include <rte_udp.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_transport.h"
#include "sluice_port.h"
#include "sluice_rx_stage.h"
#include "sluice_spread.h"
#include "sluice_steer.h"

#define NB_MAX 8
#define UDP RTE_ETH_RSS_NONFRAG_IPV4_UDP
#define NB_MBUFS 6000
#define BURST 32
#define AT_SEQ 42 /* of a packet: behind its UDP header */

struct world {
	struct rte_eth_dev dev;
	struct rte_eth_dev_data data;
	void *rx_queues[NB_MAX];
	struct sluice_rxq rxq[NB_MAX];
	struct sluice_port *port;
	struct fake_transport ft;
	struct fake_pool *pool;
	sluice_rx_stage_fn burst;
	/* What the device has for each queue, and how much of it a burst has taken. */
	struct rte_mbuf *arriving[NB_MAX][NB_MBUFS];
	uint32_t nb_arriving[NB_MAX], nb_arrived[NB_MAX];
	uint64_t seed;
};

static struct world *w;

static uint16_t
scripted(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct sluice_rxq *rxq = queue;
	uint32_t left = w->nb_arriving[rxq->q.id] - w->nb_arrived[rxq->q.id];
	uint16_t nb = RTE_MIN(nb_pkts, left), i;

	memcpy(pkts, &w->arriving[rxq->q.id][w->nb_arrived[rxq->q.id]], nb * sizeof(*pkts));
	w->nb_arrived[rxq->q.id] += nb;
	for (i = 0; i < nb; i++)
		rxq->q.stats.bytes += pkts[i]->pkt_len;
	rxq->q.stats.packets += nb;
	return nb;
}

static const struct sluice_rx_path scripted_path = { .name = "scripted", .burst = scripted };

/* A core of a secondary process, which has functions of its own. */
static inline uint16_t
visit(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct sluice_rx_own own = { .stage = { .has_hash = true, .is_spread = true },
		.path = &scripted_path,
		.kit = sluice_rss_kit_at(0, 0) };

	return sluice_rx_stage_visit(rxq, pkts, nb, &own);
}

/* nb queues, of which the device has nb_pairs; configured, not started. */
static int
open_world(uint16_t nb, uint16_t nb_pairs, uint64_t types)
{
	struct fake_pool_conf pool = { .name = "pool", .nb = NB_MBUFS };
	uint16_t i;

	w = calloc(1, sizeof(*w));
	w->seed = 99;
	fake_clock_set(1000000);
	sluice_queue_quiesce_init();
	w->pool = fake_pool_create(&pool);
	fake_transport_init(&w->ft, false);
	w->port = calloc(1, sizeof(*w->port));
	w->port->shared = calloc(1, sizeof(*w->port->shared));
	w->port->dev = &w->dev;
	w->port->transport = &w->ft.base;
	w->port->args.nb_pairs = nb_pairs;
	w->port->args.is_vectorized = true;
	w->port->socket = SOCKET_ID_ANY;
	rte_spinlock_init(&w->port->info_lock);
	sluice_steer_init(w->port);
	w->dev.data = &w->data;
	w->data.dev_private = w->port->shared;
	w->dev.process_private = w->port;
	w->data.rx_queues = w->rx_queues;
	w->data.nb_rx_queues = nb;
	w->data.dev_conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	w->data.dev_conf.rx_adv_conf.rss_conf.rss_hf = types;
	for (i = 0; i < nb; i++) {
		w->rx_queues[i] = &w->rxq[i];
		w->port->queues[SLUICE_VQ_RX(i)] = &w->rxq[i].q;
		w->rxq[i].q.id = i;
		w->rxq[i].path = i < nb_pairs ? &scripted_path : NULL;
		w->rxq[i].stage = &w->port->shared->stage;
		rte_spinlock_init(&w->rxq[i].q.look_lock);
	}
	return sluice_steer_configure(w->port);
}

static void
close_world(void)
{
	uint16_t i;

	sluice_steer_stop(w->port);
	assert_null(w->port->steer.spread);
	for (i = 0; i < NB_MAX; i++)
		rte_pktmbuf_free_bulk(&w->arriving[i][w->nb_arrived[i]],
				w->nb_arriving[i] - w->nb_arrived[i]);
	fake_pool_assert_full(w->pool);
	fake_pool_destroy(w->pool);
	sluice_steer_fini(w->port);
	fake_transport_fini(&w->ft);
	free(w->port->shared);
	free(w->port);
	free(w);
	fake_clock_run(1);
	fake_check();
}

static int
start(void)
{
	struct sluice_rx_stage stage = { .has_hash = sluice_steer_hashes(w->port),
		.is_spread = sluice_steer_spreads(w->port) };

	w->burst = sluice_rx_stage_burst(&stage);
	return sluice_steer_start(w->port);
}

/* A packet of a flow for queue `from` of the device; UDP. */
static __rte_unused void
arrive(uint16_t from, uint32_t flow, uint32_t seq)
{
	struct rte_mbuf *m = fake_mbuf(w->pool, RTE_PKTMBUF_HEADROOM, 60);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv4_hdr ip = { .version_ihl = RTE_IPV4_VHL_DEF, .next_proto_id = IPPROTO_UDP };
	struct rte_udp_hdr udp = { .src_port = rte_cpu_to_be_16(flow * 7),
		.dst_port = RTE_BE16(53) };

	ip.src_addr = rte_cpu_to_be_32(0x0a000000 + flow);
	ip.dst_addr = rte_cpu_to_be_32(0xc0000201);
	memset(data, 0, 60);
	data[12] = 8;
	memcpy(data + 14, &ip, sizeof(ip));
	memcpy(data + 34, &udp, sizeof(udp));
	memcpy(data + AT_SEQ, &flow, sizeof(flow));
	memcpy(data + AT_SEQ + 4, &seq, sizeof(seq));
	m->ol_flags = 0;
	w->arriving[from][w->nb_arriving[from]++] = m;
}

static __rte_unused uint32_t
word_at(const struct rte_mbuf *m, uint32_t at)
{
	uint32_t word;

	memcpy(&word, rte_pktmbuf_mtod(m, const uint8_t *) + at, sizeof(word));
	return word;
}

/* By DPDK, from the settings as they were given. */
static __rte_unused uint16_t
queue_of(uint32_t flow, const uint8_t *key, const uint16_t *reta)
{
	uint32_t words[3] = { 0x0a000000 + flow, 0xc0000201, (flow * 7 & 0xffff) << 16 | 53 };

	return reta[rte_softrss(words, 3, key) % SLUICE_RSS_RETA_SIZE];
}

/* Polls a queue until it is empty; each packet has to be its own. Returns how many there were. */
static __rte_unused uint32_t
poll_queue(uint16_t id, uint16_t nb_burst, const uint8_t *key, const uint16_t *reta, uint32_t *last)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t sum = 0, flow, seq, nb_idle = 0;
	uint16_t nb, i;

	/* A burst that gave all away returns nothing, too. */
	while (nb_idle < 2 || w->nb_arrived[id] < w->nb_arriving[id]) {
		nb = w->burst(&w->rxq[id], pkts, nb_burst);
		nb_idle = nb == 0 ? nb_idle + 1 : 0;
		for (i = 0; i < nb; i++) {
			flow = word_at(pkts[i], AT_SEQ);
			seq = word_at(pkts[i], AT_SEQ + 4);
			fake_assert(queue_of(flow, key, reta) == id, "flow %u is in queue %u", flow,
					id);
			fake_assert(last == NULL || seq == last[flow]++, "flow %u: packet %u", flow,
					seq);
			rte_pktmbuf_free(pkts[i]);
		}
		sum += nb;
	}
	return sum;
}

#endif /* STEER_WORLD_H */
