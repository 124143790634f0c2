/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"
#include "fake_error.h"
#include "fake_fault.h"
#include "fake_port.h"
#include "sluice_check.h"

#define QUEUE_SIZE 256

struct fake_port *
fake_port_of(const struct sluice_port *port)
{
	return (void *)((char *)port->dev - offsetof(struct fake_port, dev));
}

/* In place of sluice_ethdev.c. */

static void
link_changed(struct sluice_port *port)
{
	fake_port_of(port)->nb_link_changed++;
}

static void
failed(struct sluice_port *port)
{
	struct fake_port *f = fake_port_of(port);

	f->nb_failed++;
	if (f->on_failed != NULL)
		f->on_failed(f);
}

static void
set_bursts(struct sluice_port *port)
{
	fake_port_of(port)->nb_set_bursts++;
	port->dev->rx_pkt_burst = port->rx_path->burst;
	port->dev->tx_pkt_burst = port->tx_path->burst;
}

static const struct sluice_port_events events = {
	.link_changed = link_changed,
	.failed = failed,
	.paths_chosen = set_bursts,
};

/* In place of EAL's, which knows nothing of cores here. Older releases have the second one. */
#undef rte_thread_create_internal_control
int
rte_thread_create_internal_control(
		rte_thread_t *id, const char *name, rte_thread_func fn, void *arg)
{
	RTE_SET_USED(name);
	return fake_fault_hits() ? -EAGAIN : rte_thread_create(id, NULL, fn, arg);
}

int
rte_ctrl_thread_create(pthread_t *thread, const char *name, const pthread_attr_t *attr,
		void *(*fn)(void *), void *arg)
{
	RTE_SET_USED(name);
	return fake_fault_hits() ? -EAGAIN : -pthread_create(thread, attr, fn, arg);
}

static void
init_queue(struct fake_port *f, struct sluice_queue *q, uint16_t id, uint16_t vq)
{
	q->port = f->port;
	q->port_id = f->port->port_id;
	q->id = id;
	q->vq = vq;
	q->kick_fd = -1;
	q->wake_fd = -1;
	rte_spinlock_init(&q->look_lock);
	q->sw_ring = calloc(QUEUE_SIZE, sizeof(q->sw_ring[0]));
}

static void
init_pair(struct fake_port *f, uint16_t i)
{
	struct rte_mbuf fresh = { .data_off = RTE_PKTMBUF_HEADROOM, .nb_segs = 1, .port = 7 };
	struct sluice_rxq *rxq = &f->rxq[i];
	struct sluice_txq *txq = &f->txq[i];

	init_queue(f, &rxq->q, i, SLUICE_VQ_RX(i));
	init_queue(f, &txq->q, i, SLUICE_VQ_TX(i));
	rte_mbuf_refcnt_set(&fresh, 1);
	rxq->rearm = *sluice_mbuf_rearm(&fresh);
	rxq->buf_off = sizeof(struct rte_mbuf);
	rxq->avail_shadow = calloc(QUEUE_SIZE, sizeof(uint16_t));
	rxq->pool = f->pool->mp;
	rxq->room = f->pool->conf.data_room - RTE_PKTMBUF_HEADROOM;
	rxq->free_thresh_asked = 32;
	rxq->nb_desc = f->conf.size;
	txq->avail_shadow = calloc(QUEUE_SIZE, sizeof(uint16_t));
	txq->slot_kind = calloc(QUEUE_SIZE, sizeof(uint16_t));
	txq->extra_user = calloc(sluice_ring_nb_extras(QUEUE_SIZE), sizeof(uint32_t));
	txq->reclaim_asked = 32;
	txq->nb_desc = f->conf.size;
	f->rx_queues[i] = rxq;
	f->tx_queues[i] = txq;
	f->port->queues[SLUICE_VQ_RX(i)] = &rxq->q;
	f->port->queues[SLUICE_VQ_TX(i)] = &txq->q;
}

static uint32_t
nb_posted(const struct fake_transport *ft)
{
	const struct fake_port *f =
			(const void *)((const char *)ft - offsetof(struct fake_port, ft));
	uint32_t nb = 0;
	uint16_t i;

	for (i = 0; i < f->conf.nb_pairs; i++)
		if (!(ft->forgotten & 1u << SLUICE_VQ_RX(i)))
			nb += sluice_ring_nb_in_flight(&f->rxq[i].q.ring);
	return nb;
}

struct fake_port *
fake_port_open(const struct fake_port_conf *conf)
{
	struct fake_pool_conf pool = { .name = "pool", .nb = 2000 };
	struct fake_port *f = calloc(1, sizeof(*f));
	uint16_t i;

	fake_errors_clear();
	fake_context("%s", conf->is_pci ? "pci" : conf->is_server ? "server" : "client");
	sluice_queue_quiesce_init();
	fake_clock_set(1000000);
	f->conf = *conf;
	f->conf.nb_pairs = RTE_MAX(conf->nb_pairs, 1);
	f->conf.size = conf->size != 0 ? conf->size : 64;
	f->nb_fds = fake_count_fds();
	f->pool = fake_pool_create(&pool);
	f->pool->mp->flags |= conf->pool_flags;
	fake_transport_init(&f->ft, conf->is_pci);
	f->ft.info.nb_pairs_max = f->conf.nb_pairs;
	if (!conf->has_ctrl)
		f->ft.info.features &= ~FAKE_CTRL_FEATURES;
	if (!conf->has_ctrl && f->conf.nb_pairs == 1)
		f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	f->port = calloc(1, sizeof(*f->port));
	f->port->shared = calloc(1, sizeof(*f->port->shared));
	f->dev.data = &f->data;
	f->data.dev_private = f->port->shared;
	f->dev.process_private = f->port;
	f->data.port_id = 5;
	f->data.mtu = 1500;
	f->data.dev_conf.rxmode.offloads = conf->rx_offloads;
	f->data.nb_rx_queues = f->conf.nb_pairs;
	f->data.nb_tx_queues = f->conf.nb_pairs;
	f->data.rx_queues = f->rx_queues;
	f->data.tx_queues = f->tx_queues;
	f->port->dev = &f->dev;
	f->port->events = &events;
	f->port->port_id = 5;
	f->port->socket = SOCKET_ID_ANY;
	f->port->transport = &f->ft.base;
	f->port->args = (struct sluice_args){ .path = "/x",
		.nb_pairs = f->conf.nb_pairs,
		.queue_size = QUEUE_SIZE,
		.is_server = conf->is_server,
		.is_packed = !conf->is_split,
		.has_mrg = true,
		.is_in_order = true,
		.is_vectorized = true,
		.has_dma_debug = conf->is_checked,
		.speed = UINT32_MAX };
	snprintf(f->port->label, sizeof(f->port->label), "path=/x");
	sluice_life_init(f->port);
	assert_int_equal(dmap_domain_create("unit", &f->ft.backend, &f->ft.dom, &f->port->domain),
			0);
	if (conf->is_checked)
		assert_int_equal(sluice_check_open(f->port->port_id) +
						dmap_debug_start(f->port->domain, "unit"),
				0);
	for (i = 0; i < f->conf.nb_pairs; i++)
		init_pair(f, i);
	/* Before the first connection it is noted only. */
	assert_int_equal(dmap_add_pool(f->port->domain, f->pool->mp), 0);
	fake_transport_watch(&f->ft, f->pool);
	f->ft.nb_posted = nb_posted;
	fake_transport_forget(&f->ft);
	return f;
}

void
fake_port_close(struct fake_port *f)
{
	unsigned int nb_fds;
	uint16_t i;

	f->ft.is_given_up = true;
	sluice_conn_stop(f->port);
	if (f->port->life != SLUICE_CLOSED)
		sluice_life_close(f->port);
	fake_assert(f->port->life == SLUICE_CLOSED, "%s", sluice_life_name(f->port->life));
	for (i = 0; i < f->conf.nb_pairs; i++) {
		sluice_check_end(&f->rxq[i].q);
		sluice_check_end(&f->txq[i].q);
		sluice_queue_take_returns(&f->rxq[i].q);
		sluice_queue_take_returns(&f->txq[i].q);
		if (f->rxq[i].q.kick_fd >= 0)
			close(f->rxq[i].q.kick_fd);
		if (f->txq[i].q.kick_fd >= 0)
			close(f->txq[i].q.kick_fd);
		free(f->rxq[i].q.sw_ring);
		free(f->txq[i].q.sw_ring);
		free(f->rxq[i].avail_shadow);
		free(f->txq[i].avail_shadow);
		free(f->txq[i].slot_kind);
		free(f->txq[i].extra_user);
	}
	fake_pool_assert_full(f->pool);
	if (f->port->domain != NULL) {
		sluice_ctrl_free(f->port);
		f->port->is_stuck = false;
		sluice_rings_end(f->port);
	}
	sluice_life_fini(f->port);
	fake_transport_fini(&f->ft);
	fake_pool_destroy(f->pool);
	free(f->port->shared);
	free(f->port);
	nb_fds = fake_count_fds();
	fake_assert(nb_fds == f->nb_fds, "%u descriptors were open before, %u are now", f->nb_fds,
			nb_fds);
	free(f);
	fake_clock_run(1);
	fake_check();
}

void
fake_port_turn(struct fake_port *f, enum sluice_news news)
{
	sluice_life_turn(f->port, news, &f->news);
	if (f->news.has_failed)
		failed(f->port);
}

void
fake_port_await(struct fake_port *f, enum sluice_life life, unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < ms && f->port->life != life; i++) {
		fake_clock_add(1);
		fake_port_turn(f, SLUICE_NEWS_NONE);
	}
	fake_assert(f->port->life == life, "the port is %s after %u ms, not %s",
			sluice_life_name(f->port->life), ms, sluice_life_name(life));
}

void
fake_port_live(struct fake_port *f)
{
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	fake_port_await(f, SLUICE_LIVE, 20);
}

void
fake_port_unpark(struct fake_port *f)
{
	fake_transport_hang_up_all(&f->ft);
	sluice_park_serve(&f->port->park);
	fake_clock_add(SLUICE_PARK_GRACE_MS);
	sluice_park_serve(&f->port->park);
	fake_assert(f->port->park.nb == 0, "%u connections are still parked", f->port->park.nb);
}

bool
fake_port_send(struct fake_port *f)
{
	struct rte_mbuf *m = fake_mbuf(f->pool, RTE_PKTMBUF_HEADROOM, 60);
	bool was_sent = f->dev.tx_pkt_burst(&f->txq[0], &m, 1) == 1;

	if (!was_sent)
		rte_pktmbuf_free(m);
	return was_sent;
}

uint16_t
fake_port_receive(struct fake_port *f, struct rte_mbuf **pkts, uint16_t nb)
{
	return f->dev.rx_pkt_burst(&f->rxq[0], pkts, nb);
}

void
fake_port_device(struct fake_port *f, uint16_t vq, struct fake_dev *dev)
{
	const struct sluice_vq_setup *s = &f->ft.vqs[vq];
	struct fake_dev_conf c = {
		.is_packed = s->is_packed,
		.is_tx = vq % 2 != 0,
		.size = s->size,
		.is_in_order = (f->ft.features & SLUICE_BIT(SLUICE_F_IN_ORDER)) != 0,
		.has_event_idx = (f->ft.features & SLUICE_BIT(SLUICE_F_EVENT_IDX)) != 0,
		.has_indirect = (f->ft.features & SLUICE_BIT(SLUICE_F_INDIRECT_DESC)) != 0,
		.has_mrg = (f->ft.features & SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF)) != 0,
		.has_hash = (f->ft.features & SLUICE_BIT(SLUICE_NET_F_HASH_REPORT)) != 0,
		.has_tunnel = (f->ft.features & SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO)) != 0,
		.desc = s->desc_da.v,
		.driver = s->driver_da.v,
		.device = s->device_da.v,
		.start = s->is_packed ? 0x8000 : 0,
		.seed = 77,
	};

	fake_dev_init(dev, &f->ft.dom, &c);
}
