/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The burst functions of dma_debug=1; see sluice_check.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice_check.h"
#include "sluice_pool.h"

/* Rows in all tables, at most. */
#define ROWS_MAX 128
/* So many of those that this core has put into a pool last may be sent all the same. */
#define FREED_LATELY 64
#define NB_VQS (2 * (UINT8_MAX + 1))

/* By virtqueue, of ports that asked for it. They stay for the next port of the same number. */
static struct sluice_check *tables[RTE_MAX_ETHPORTS];

int
sluice_check_open(uint16_t port_id)
{
	if (tables[port_id] == NULL)
		tables[port_id] = calloc(NB_VQS, sizeof(struct sluice_check));
	return tables[port_id] == NULL ? -ENOMEM : 0;
}

void
sluice_check_close(uint16_t port_id, const struct dmap_domain *d)
{
	struct sluice_check *t = tables[port_id];
	unsigned int i;

	/* A core that stays in a burst may come back to it. */
	for (i = 0; t != NULL && d != NULL && i < NB_VQS; i++)
		if (t[i].domain == d)
			tables[port_id] = NULL;
}

/* Of a queue of such a port. */
static struct sluice_check *
check_of(const struct sluice_queue *q)
{
	return &tables[q->port_id][q->vq];
}

/* Of any queue. */
static bool
is_checked(const struct sluice_queue *q)
{
	return tables[q->port_id] != NULL && check_of(q)->domain != NULL;
}

/*
 * Until leave_look() the control side waits for this core as for one in a burst. The burst in
 * between leaves the queue for both; what it finds when it enters is its own business.
 */
static bool
enter_look(struct sluice_queue *q)
{
	rte_atomic_store_explicit(&q->in_look, 1, rte_memory_order_relaxed);
	/* With the fence in there. */
	if (sluice_queue_enter(q, q->run))
		return true;
	rte_atomic_store_explicit(&q->in_look, 0, rte_memory_order_release);
	return false;
}

static void
leave_look(struct sluice_queue *q)
{
	/* Pairs with the acquire in sluice_queue_is_in_burst(). */
	rte_atomic_store_explicit(&q->in_look, 0, rte_memory_order_release);
}

/* Before anything is completed: others may get it before it is noted. */
static void
look_before(struct sluice_check *c, struct sluice_queue *q)
{
	sluice_check_catch_up(c, q);
	sluice_check_look(c, q);
	rte_atomic_store_explicit(&c->is_stale, 1, rte_memory_order_release);
}

static void
look_after(struct sluice_check *c, struct sluice_queue *q, const void *site)
{
	if (q->fail == SLUICE_FAIL_NONE) {
		sluice_check_note(c, q, site);
		sluice_check_watch(c, q);
	} else {
		sluice_check_failed(c, q);
	}
}

static uint16_t
checked_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_rxq *rxq = queue;
	struct sluice_check *c = check_of(&rxq->q);

	if (!enter_look(&rxq->q))
		return 0;
	look_before(c, &rxq->q);
	nb = c->rx->burst(queue, pkts, nb);
	/* What a burst took before its queue failed is the application's, too. */
	sluice_check_received(c, rxq, pkts, nb);
	look_after(c, &rxq->q, __builtin_return_address(0));
	leave_look(&rxq->q);
	return nb;
}

/* The pool has it as well, as the cache of this core says: it was freed lately. */
static bool
is_free(const struct rte_mbuf *m)
{
	const struct rte_mempool_cache *cache = sluice_pool_cache(m->pool);
	uint32_t n;

	for (n = 1; cache != NULL && n <= RTE_MIN(cache->len, FREED_LATELY); n++)
		if (cache->objs[cache->len - n] == m)
			return true;
	return false;
}

/* The first of a burst's packets that is free; NULL: none is known to be. */
static const struct rte_mbuf *
find_free(struct rte_mbuf *const *pkts, uint16_t nb)
{
	uint16_t i;

	for (i = 0; i < nb; i++)
		if (is_free(pkts[i]))
			return pkts[i];
	return NULL;
}

static uint16_t
checked_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_txq *txq = queue;
	struct sluice_check *c = check_of(&txq->q);
	const void *site = __builtin_return_address(0);
	const struct rte_mbuf *freed;

	if (!enter_look(&txq->q))
		return 0;
	look_before(c, &txq->q);
	freed = find_free(pkts, nb);
	nb = c->tx->burst(queue, pkts, nb);
	look_after(c, &txq->q, site);
	sluice_check_given_free(c, freed);
	leave_look(&txq->q);
	return nb;
}

/*
 * By who is inside of the queue, or has paused it. If somebody else polls it, of another process,
 * nobody says what comes back after this: then nothing is noted.
 */
static uint32_t
checked_cleanup(struct sluice_txq *txq, uint32_t nb_max)
{
	struct sluice_check *c = check_of(&txq->q);
	uint32_t nb;

	if (sluice_check_has_moved(c, &txq->q)) {
		sluice_check_drop(c, &txq->q);
		return c->tx->cleanup(txq, nb_max);
	}
	look_before(c, &txq->q);
	nb = c->tx->cleanup(txq, nb_max);
	sluice_check_note(c, &txq->q, NULL);
	return nb;
}

/* Rows that were asked for; they stay, since a core may have one at any time. */
static struct rx_row {
	struct sluice_rx_path row;
	const struct sluice_rx_path *real;
	char name[64];
} rx_rows[ROWS_MAX];
static struct tx_row {
	struct sluice_tx_path row;
	const struct sluice_tx_path *real;
	char name[64];
} tx_rows[ROWS_MAX];
static rte_spinlock_t rows_lock = RTE_SPINLOCK_INITIALIZER;

const struct sluice_rx_path *
sluice_check_rx_path(const struct sluice_rx_path *path)
{
	struct rx_row *r = rx_rows;

	rte_spinlock_lock(&rows_lock);
	while (r->real != NULL && r->real != path)
		r++;
	if (r->real == NULL) {
		r->row = *path;
		snprintf(r->name, sizeof(r->name), "%s, checked", path->name);
		r->row.name = r->name;
		r->row.burst = checked_rx_burst;
		r->real = path;
	}
	rte_spinlock_unlock(&rows_lock);
	return &r->row;
}

const struct sluice_tx_path *
sluice_check_tx_path(const struct sluice_tx_path *path)
{
	struct tx_row *r = tx_rows;

	rte_spinlock_lock(&rows_lock);
	while (r->real != NULL && r->real != path)
		r++;
	if (r->real == NULL) {
		r->row = *path;
		snprintf(r->name, sizeof(r->name), "%s, checked", path->name);
		r->row.name = r->name;
		r->row.burst = checked_tx_burst;
		r->row.cleanup = checked_cleanup;
		r->real = path;
	}
	rte_spinlock_unlock(&rows_lock);
	return &r->row;
}

bool
sluice_check_is_rx_burst(uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb))
{
	return burst == checked_rx_burst;
}

/*
 * Where packets may take several buffers each may be a little shorter: if a frame has room all the
 * same, since not every application takes it in parts, and LRO's longest packet in a ring.
 */
static void
fence_off(struct sluice_rxq *rxq, uint32_t frame)
{
	uint32_t left = rxq->post_len - SLUICE_CHECK_ZONE;
	uint32_t nb_filled = rxq->q.ring.size - rxq->free_thresh + 1;

	if ((uint16_t)rxq->num_buffers_mask == 0 ||
			rxq->post_len < frame + rxq->hdr_len + SLUICE_CHECK_ZONE ||
			(rxq->has_lro && nb_filled * left < SLUICE_RX_MAX_FRAME + rxq->hdr_len))
		return;
	rxq->post_len = left;
	sluice_rxq_expect(rxq);
}

/* Nobody looks at it any more. */
static void
clear(struct sluice_check *c)
{
	free(c->slots);
	free(c->before);
	c->slots = NULL;
	c->before = NULL;
	c->domain = NULL;
}

int
sluice_check_begin(struct sluice_queue *q, struct dmap_domain *d, const struct sluice_rx_path *rx,
		const struct sluice_tx_path *tx, uint32_t frame)
{
	struct sluice_check *c = check_of(q);

	sluice_check_end(q);
	c->rx = rx == NULL ? NULL : ((const struct rx_row *)rx)->real;
	c->tx = tx == NULL ? NULL : ((const struct tx_row *)tx)->real;
	c->is_copy = rx != NULL ? rx->cfg.is_copy : tx->cfg.is_copy;
	snprintf(c->place, sizeof(c->place), "%s queue %u", rx != NULL ? "rx" : "tx", q->id);
	c->slots = calloc(q->ring.size, sizeof(c->slots[0]));
	if (rx != NULL && !c->is_copy) {
		c->buf_len = rte_pktmbuf_data_room_size(((struct sluice_rxq *)q)->pool);
		fence_off((struct sluice_rxq *)q, frame);
		c->before = malloc((size_t)q->ring.size * c->buf_len);
	}
	if (c->slots == NULL || (rx != NULL && !c->is_copy && c->before == NULL)) {
		clear(c);
		return -ENOMEM;
	}
	c->size = q->ring.size;
	sluice_check_remember(c, q);
	c->was_failure_told = false;
	c->is_stale = 0;
	c->domain = d;
	return 0;
}

void
sluice_check_placed(struct sluice_rxq *rxq, uint32_t frame)
{
	if (is_checked(&rxq->q) && !check_of(&rxq->q)->is_copy)
		fence_off(rxq, frame);
}

void
sluice_check_forget(struct sluice_queue *q)
{
	struct sluice_check *c;
	uint16_t i;

	if (!is_checked(q))
		return;
	c = check_of(q);
	for (i = 0; i < c->size; i++)
		sluice_check_unwatch(c, i);
	/* What the control side has filled is nobody's either. */
	sluice_check_drop(c, q);
}

void
sluice_check_end(struct sluice_queue *q)
{
	struct sluice_check *c;
	uint16_t i;

	if (!is_checked(q))
		return;
	c = check_of(q);
	/* Who drains a queue says so before. */
	for (i = 0; i < c->size; i++) {
		if (c->slots[i].loan != 0)
			dmap_debug_report(c->domain, DMAP_DEBUG_BUFFERS_LEFT,
					dmap_debug_loan(c->slots[i].loan), "the end of %s",
					c->place);
		sluice_check_take_back(c, i);
	}
	clear(c);
}
