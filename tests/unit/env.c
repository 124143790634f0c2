/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "env.h"
#include "sluice_check.h"
#include "sluice_clock.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_tx_offload.h"

#define ALL_BITS (SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED)

static const struct sluice_path_cfg *
path_cfg(const struct env_conf *conf)
{
	return conf->is_tx ? &sluice_tx_path_at(conf->row)->cfg :
			     &sluice_rx_path_at(conf->row)->cfg;
}

bool
env_is_packed(const struct env_conf *conf)
{
	return path_cfg(conf)->ring_type == SLUICE_PACKED;
}

bool
env_is_split(const struct env_conf *conf)
{
	return !env_is_packed(conf);
}

bool
env_has_mrg(const struct env_conf *conf)
{
	return conf->has_mrg;
}

bool
env_has_csum(const struct env_conf *conf)
{
	return path_cfg(conf)->is_copy ? conf->has_csum : path_cfg(conf)->has_csum;
}

bool
env_has_offloads(const struct env_conf *conf)
{
	return path_cfg(conf)->has_offloads;
}

bool
env_is_copy(const struct env_conf *conf)
{
	return path_cfg(conf)->is_copy;
}

bool
env_is_lent(const struct env_conf *conf)
{
	return !env_is_copy(conf);
}

bool
env_is_unordered(const struct env_conf *conf)
{
	return !conf->is_in_order;
}

const char *
env_name(const struct env_conf *conf)
{
	static char name[128];
	const char *row = conf->is_tx ? sluice_tx_path_at(conf->row)->name :
					sluice_rx_path_at(conf->row)->name;

	snprintf(name, sizeof(name), "%s %s%s%s%s%s%s, size %u from 0x%x%s",
			conf->is_tx ? "tx" : "rx", strncmp(row, "Sluice ", 7) == 0 ? row + 7 : row,
			conf->is_in_order ? ", in order" : "", conf->has_mrg ? ", mergeable" : "",
			conf->has_csum ? ", checksums" : "",
			conf->has_hash_only              ? ", hashes only" :
					conf->has_hash   ? ", hashes" :
					conf->has_tunnel ? ", tunnels" :
							   "",
			conf->is_lying ? ", lying domain" : "", conf->size, conf->start,
			conf->order == FAKE_SHUFFLED                ? ", shuffled" :
					conf->order == FAKE_BATCHES ? ", batches" :
								      "");
	return name;
}

/*
 * Split: both sides begin at an index. The driver keeps avail.ring[i] = i, so slots follow from it.
 */
static void
start_split(struct sluice_ring *r, uint16_t start)
{
	r->avail_idx = start;
	r->used_idx = start;
	r->used_seen = start;
	r->kicked_idx = start;
	r->head = start & r->mask;
	r->tail = r->head;
	r->split.dv_avail->idx = start;
	r->split.dv_used->idx = start;
}

/*
 * Packed: at a slot, in a lap with this wrap counter; the rest of the ring is as that lap would
 * find it.
 */
static void
start_packed(struct sluice_ring *r, uint16_t start)
{
	uint16_t slot = start & 0x7fff, i;
	bool wrap = !(start >> 15);

	r->head = slot;
	r->tail = slot;
	r->used_idx = slot;
	r->used_wrap = wrap;
	r->avail_flags = wrap ? SLUICE_DESC_F_AVAIL : SLUICE_DESC_F_USED;
	for (i = 0; i < r->size; i++)
		r->packed.dv_desc[i].flags = (i < slot) == wrap ? ALL_BITS : 0;
}

static void
start_device(struct env *e)
{
	const struct sluice_ring *r = &e->q.ring;
	struct sluice_ring_offsets l = sluice_ring_offsets(e->q.ring_type, r->size, e->conf.is_tx);
	struct fake_dev_conf c = {
		.is_packed = e->q.ring_type == SLUICE_PACKED,
		.is_tx = e->conf.is_tx,
		.size = r->size,
		.is_in_order = e->conf.is_in_order,
		.has_event_idx = e->conf.has_event_idx,
		.has_indirect = e->conf.has_indirect,
		.has_mrg = env_has_mrg(&e->conf),
		.has_offloads = env_has_offloads(&e->conf),
		.has_hash = e->conf.has_hash,
		.has_tunnel = e->conf.has_tunnel,
		.desc = e->rings.da.v + l.desc,
		.driver = e->rings.da.v + l.driver,
		.device = e->rings.da.v + l.device,
		.seed = e->random,
	};

	c.start = c.is_packed ? e->conf.start ^ 0x8000 : e->conf.start;
	fake_dev_init(&e->dev, &e->dom, &c);
}

/* As much as a buffer of the pool, which tests count on. */
static uint32_t
cell_room(const struct env *e)
{
	uint32_t room = e->pool->conf.data_room - RTE_PKTMBUF_HEADROOM;

	return e->conf.is_tx ? RTE_MAX(room, (uint32_t)SLUICE_TX_CELL_MIN) : room;
}

/* As when a port goes live, but the ring begins where the test wants. */
static void
start_queue(struct env *e)
{
	const struct env_conf *c = &e->conf;
	struct sluice_queue *q = &e->q;
	struct sluice_queue_conf conf = {
		.ring_type = path_cfg(c)->ring_type,
		.size = c->size,
		.run = sluice_path_run(*path_cfg(c)),
		.has_event_idx = c->has_event_idx,
		.is_in_order = c->is_in_order,
		.has_indirect = c->has_indirect,
		.has_mrg = env_has_mrg(c),
		.reads_headers = env_has_csum(c) || c->has_hash || c->has_tunnel || c->checks_ipv4,
		.has_csum = env_has_csum(c) && !c->has_hash_only,
		.has_hash = c->has_hash,
		.has_tunnel = c->has_tunnel,
		.tx_flags = c->tx_flags,
		.has_ecn = c->has_ecn,
		.has_lro = c->has_lro,
		.completes_csum = c->completes_csum,
		.checks_ipv4 = c->checks_ipv4,
		.va = e->rings.va,
		.da = e->rings.da,
		.domain = e->domain,
		.bounces = c->bounces,
	};

	if (env_is_copy(c) || c->bounces) {
		size_t at = sluice_ring_offsets(conf.ring_type, conf.size, c->is_tx).len;

		conf.cells = sluice_cells_at((char *)conf.va + at,
				(struct dmap_addr){ conf.da.v + at }, cell_room(e));
	}
	if (c->is_tx)
		sluice_txq_reset(&e->txq, &conf);
	else
		sluice_rxq_reset(&e->rxq, &conf);
	q->ring.doorbell.fd = e->kick_fd;
	if (q->ring_type == SLUICE_PACKED) {
		start_packed(&q->ring, c->start);
		sluice_packed_disable_interrupts(&q->ring);
	} else {
		start_split(&q->ring, c->start);
		sluice_split_disable_interrupts(&q->ring);
	}
	if (c->is_checked)
		assert_int_equal(sluice_check_begin(q, e->domain, e->rx, e->tx, ENV_FRAME), 0);
	start_device(e);
	if (!c->is_tx)
		e->rx->fill(&e->rxq);
	q->state = q->run;
}

static void
setup_rx(struct env *e)
{
	struct rte_mbuf fresh = { .data_off = RTE_PKTMBUF_HEADROOM, .nb_segs = 1, .port = 7 };

	rte_mbuf_refcnt_set(&fresh, 1);
	e->rx = sluice_rx_path_at(e->conf.row);
	if (e->conf.is_checked)
		e->rx = sluice_check_rx_path(e->rx);
	if (!e->conf.is_pinned)
		e->rxq.buf_off = sizeof(struct rte_mbuf);
	e->rxq.rearm = *sluice_mbuf_rearm(&fresh);
	e->rxq.ol_flags = e->conf.is_pinned ? RTE_MBUF_F_EXTERNAL : 0;
	e->rxq.avail_shadow = e->avail_shadow;
	e->rxq.pool = e->pool->mp;
	e->rxq.may_scatter = true;
	e->rxq.room = e->pool->conf.data_room - RTE_PKTMBUF_HEADROOM;
	e->rxq.free_thresh_asked = e->conf.thresh;
	/* Copies are made for pools that the device never sees. */
	if (!env_is_copy(&e->conf))
		assert_int_equal(dmap_add_pool(e->domain, e->pool->mp), 0);
}

static void
setup_tx(struct env *e)
{
	e->tx = sluice_tx_path_at(e->conf.row);
	if (e->conf.is_checked)
		e->tx = sluice_check_tx_path(e->tx);
	e->txq.avail_shadow = e->avail_shadow;
	e->txq.slot_kind = calloc(e->conf.size, sizeof(uint16_t));
	e->txq.extra_user = calloc(sluice_ring_nb_extras(e->conf.size), sizeof(uint32_t));
	e->txq.reclaim_asked = e->conf.thresh;
}

struct env *
env_open(const struct env_conf *conf)
{
	struct env *e = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*e), 64));
	struct fake_pool_conf pool = {
		.name = "pool", .is_pinned = conf->is_pinned, .data_room = conf->data_room
	};
	struct sluice_ring_offsets l;

	fake_errors_clear();
	fake_context("%s", env_name(conf));
	memset(e, 0, sizeof(*e));
	e->conf = *conf;
	if (e->conf.thresh == 0)
		e->conf.thresh = 32;
	if (e->conf.tx_flags == 0 && env_has_offloads(conf))
		e->conf.tx_flags = ENV_TX_FLAGS | (conf->has_tunnel ? ENV_TUNNEL_FLAGS : 0);
	e->random = 0x9e3779b97f4a7c15ULL;
	pool.nb = conf->nb_mbufs != 0 ? conf->nb_mbufs : 2u * conf->size + 600;
	e->pool = fake_pool_create(&pool);
	fake_domain_init(&e->dom, conf->is_lying);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &e->dom, &e->domain), 0);
	if (conf->is_checked)
		assert_int_equal(sluice_check_open(0) + dmap_debug_start(e->domain, "unit"), 0);
	e->q.vq = conf->is_tx ? SLUICE_VQ_TX(0) : SLUICE_VQ_RX(0);
	e->q.ring_type = path_cfg(conf)->ring_type;
	l = sluice_ring_offsets(e->q.ring_type, conf->size, conf->is_tx);
	if (env_is_copy(conf) || conf->bounces)
		l.len += sluice_cells_len(conf->size, cell_room(e));
	assert_int_equal(dmap_alloc_coherent(e->domain, "rings", l.len, 0, &e->rings), 0);
	e->avail_shadow = calloc(conf->size, sizeof(uint16_t));
	e->q.sw_ring = calloc(conf->size, sizeof(*e->q.sw_ring));
	e->q.kick_fd = -1;
	e->q.wake_fd = -1;
	e->kick_fd = eventfd(0, EFD_NONBLOCK);
	assert_true(e->kick_fd >= 0);
	if (conf->is_tx)
		setup_tx(e);
	else
		setup_rx(e);
	start_queue(e);
	fake_check();
	return e;
}

struct env *
env_open_from(void **state, uint16_t start)
{
	struct env_conf conf = *(struct env_conf *)*state;

	conf.start = start;
	return env_open(&conf);
}

void
env_drain(struct env *e)
{
	e->q.state = SLUICE_QUEUE_STOPPED;
	sluice_queue_drain(&e->q, NULL);
	fake_pool_assert_full(e->pool);
	fake_assert(e->q.stream.nb_lent == 0, "%u buffers count as lent", e->q.stream.nb_lent);
	fake_assert(e->q.ring.nb_free == e->conf.size && e->q.ring.nb_holes == 0,
			"slots are missing");
}

void
env_restart(struct env *e)
{
	env_drain(e);
	fake_dev_fini(&e->dev);
	start_queue(e);
	fake_check();
}

void
env_close(struct env *e)
{
	e->q.state = SLUICE_QUEUE_STOPPED;
	sluice_queue_quiesce_init();
	assert_int_equal(sluice_queue_quiesce(&e->q, sluice_clock_ms() + 1000), 0);
	env_drain(e);
	sluice_check_end(&e->q);
	fake_dev_fini(&e->dev);
	dmap_free_coherent(e->domain, &e->rings);
	dmap_domain_destroy(e->domain);
	fake_pool_destroy(e->pool);
	fake_domain_fini(&e->dom);
	close(e->kick_fd);
	free(e->avail_shadow);
	free(e->q.sw_ring);
	if (e->conf.is_tx) {
		free(e->txq.slot_kind);
		free(e->txq.extra_user);
	}
	free(e);
	fake_check();
}
