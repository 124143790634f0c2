/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Queues that are stopped, and set up anew while the port runs. */

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "env.h"
#include "fake_port.h"

#define LEN 60
#define SIZE 64 /* slots of a ring */

enum kind { KEEPS_RING, IS_TOLD, FORGETS };

struct world {
	struct fake_port *f;
	struct fake_pool *other;
	struct sluice_rxq *rxq; /* the one that is set up anew */
	struct fake_dev dev;
};

static uint8_t data[LEN];

static void
open_world(struct world *w, enum kind kind, bool is_split, uint32_t nb_other)
{
	struct fake_port_conf conf = {
		.nb_pairs = 2, .size = SIZE, .is_split = is_split, .is_pci = kind != IS_TOLD
	};
	/* Of another kind in all that matters. */
	struct fake_pool_conf other = {
		.name = "other", .nb = nb_other, .data_room = 2304, .is_pinned = true
	};

	w->f = fake_port_open(&conf);
	if (conf.is_pci)
		w->f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	if (kind == FORGETS)
		w->f->ft.ops.features |= SLUICE_BIT(SLUICE_F_RING_RESET);
	w->other = fake_pool_create(&other);
	w->rxq = &w->f->rxq[0];
	w->rxq->q.nb_slots = 4 * SIZE;
	w->f->txq[0].q.nb_slots = 4 * SIZE;
	fake_port_live(w->f);
	/* Where buffers are is looked at here: more than one pool has some. */
	w->f->pool->on_put = NULL;
}

static void
close_world(struct world *w)
{
	sluice_life_stop(w->f->port);
	fake_pool_assert_full(w->other);
	fake_port_close(w->f);
	fake_pool_destroy(w->other);
}

/* What set-up makes of a mempool, but for what ethdev has to say. */
static void
set_pool(struct sluice_rxq *rxq, const struct fake_pool *pool)
{
	rxq->pool = pool->mp;
	rxq->room = pool->conf.data_room - RTE_PKTMBUF_HEADROOM;
	rxq->buf_off = pool->conf.is_pinned ? 0 : sizeof(struct rte_mbuf);
	rxq->ol_flags = pool->conf.is_pinned ? RTE_MBUF_F_EXTERNAL : 0;
}

static int
change_pool(struct world *w)
{
	struct sluice_rxq *rxq = w->rxq;
	int ret;

	assert_int_equal(dmap_add_pool(w->f->port->domain, w->other->mp), 0);
	ret = sluice_renew_begin(w->f->port, rxq, true);
	if (ret != 0)
		return ret;
	set_pool(rxq, w->other);
	ret = sluice_renew_pool(w->f->port, rxq, w->f->pool->mp);
	if (ret != 0)
		set_pool(rxq, w->f->pool);
	return ret;
}

/* One packet comes, in a buffer of this pool. */
static void
receive(struct world *w, const struct fake_pool *pool)
{
	struct rte_mbuf *m;

	fake_dev_poll(&w->dev);
	assert_true(fake_dev_deliver(&w->dev, data, LEN, FAKE_ONE_BY_ONE));
	assert_int_equal(w->f->dev.rx_pkt_burst(&w->rxq->q, &m, 1), 1);
	assert_ptr_equal(m->pool, pool->mp);
	assert_int_equal(m->pkt_len, LEN);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), data, LEN);
	rte_pktmbuf_free(m);
}

/* The device has not looked at what is available yet. */
static void
look_away(struct fake_dev *dev)
{
	while (dev->nb_held != 0)
		fake_dev_drop_held(dev, 0);
	memset(dev->is_slot_held, 0, dev->conf.size * sizeof(dev->is_slot_held[0]));
	dev->nb_slots_held = 0;
	dev->avail = dev->used;
	dev->avail_wrap = dev->used_wrap;
}

/* The old pool's buffers are back, what waited is counted, and the ring goes on with others. */
static void
test_another_pool(void **state)
{
	struct world w;
	uint32_t nb_in_flight, nb_before;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		receive(&w, w.f->pool);
		assert_true(fake_dev_deliver(&w.dev, data, LEN, FAKE_ONE_BY_ONE));
		look_away(&w.dev);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		nb_in_flight = sluice_ring_nb_in_flight(&w.rxq->q.ring);
		nb_before = w.f->pool->nb_free;
		assert_int_equal(change_pool(&w), 0);
		assert_int_equal(w.f->port->shared->nb_rx_lost, 1);
		assert_int_equal(w.f->pool->nb_free, nb_before + nb_in_flight);
		assert_int_equal(w.other->conf.nb - w.other->nb_free, nb_in_flight - 1);
		assert_int_equal(w.f->ft.disabled, 1 << SLUICE_VQ_RX(0));
		sluice_life_start_queue(w.f->port, &w.rxq->q);
		receive(&w, w.other);
		/* Two rounds of the ring: those that were filled again, too. */
		for (nb_in_flight = 0; nb_in_flight < 2 * SIZE; nb_in_flight++)
			receive(&w, w.other);
		fake_dev_fini(&w.dev);
		close_world(&w);
	}
}

/* The old pool was dry, and all that the device had is used: where another pool is needed most. */
static void
test_dry_ring(void **state)
{
	struct world w;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		receive(&w, w.f->pool);
		w.f->pool->limit = 0;
		for (n = sluice_ring_nb_in_flight(&w.rxq->q.ring); n != 0; n--)
			receive(&w, w.f->pool);
		assert_int_equal(sluice_ring_nb_in_flight(&w.rxq->q.ring), 0);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		assert_int_equal(change_pool(&w), 0);
		sluice_life_start_queue(w.f->port, &w.rxq->q);
		assert_int_equal(w.f->dev.rx_pkt_burst(&w.rxq->q, NULL, 0), 0);
		receive(&w, w.other);
		fake_dev_fini(&w.dev);
		close_world(&w);
	}
}

static bool
is_seen(const struct world *w, struct fake_pool *pool)
{
	struct rte_mbuf *m = fake_mbuf(pool, 0, 60);
	struct dmap_window window;
	bool is_seen = dmap_lookup(w->f->port->domain, m->buf_addr, 1, &window) == 0;

	rte_pktmbuf_free(m);
	return is_seen;
}

static void
restart(const struct world *w)
{
	assert_int_equal(sluice_life_start(w->f->port), 0);
	fake_port_await(w->f, SLUICE_LIVE, 20);
}

/* The device reaches a pool until no receive queue has it, and the port starts again. */
static void
test_old_pool(void **state)
{
	struct world w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		assert_int_equal(change_pool(&w), 0);
		sluice_life_stop(w.f->port);
		restart(&w);
		assert_true(is_seen(&w, w.f->pool));
		assert_true(is_seen(&w, w.other));
		sluice_life_stop(w.f->port);
		set_pool(&w.f->rxq[1], w.other);
		assert_true(is_seen(&w, w.f->pool));
		restart(&w);
		assert_false(is_seen(&w, w.f->pool));
		assert_true(is_seen(&w, w.other));
		close_world(&w);
	}
}

/* A pool that has too few, or that the device does not take: the ring is as it was. */
static void
test_not_that_pool(void **state)
{
	struct world w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		open_world(&w, IS_TOLD, i % 2, i / 2 == 0 ? SIZE / 2 : 500);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		receive(&w, w.f->pool);
		look_away(&w.dev);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		if (i / 2 == 1)
			w.f->ft.dom.nb_max = w.f->ft.dom.nb;
		assert_int_equal(change_pool(&w), i / 2 == 0 ? -ENOMEM : -ENOSPC);
		fake_pool_assert_full(w.other);
		sluice_life_start_queue(w.f->port, &w.rxq->q);
		receive(&w, w.f->pool);
		fake_dev_fini(&w.dev);
		close_world(&w);
	}
}

/* A back end that does not answer has no ring any more, and the next one gets the new buffers. */
static void
test_no_answer(void **state)
{
	struct world w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		fake_transport_fail(&w.f->ft, 0, -ETIMEDOUT);
		assert_int_equal(change_pool(&w), 0);
		assert_int_equal(w.f->port->life, SLUICE_WAITING);
		fake_transport_fail(&w.f->ft, FAKE_NEVER, 0);
		fake_port_await(w.f, SLUICE_LIVE, 2000);
		sluice_life_start_queue(w.f->port, &w.rxq->q);
		assert_int_equal(w.f->dev.rx_pkt_burst(&w.rxq->q, NULL, 0), 0);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		receive(&w, w.other);
		fake_dev_fini(&w.dev);
		close_world(&w);
	}
}

/* Lengths are those of the new pool's buffers from then on. */
static void
test_smaller_buffers(void **state)
{
	const struct fake_pool_conf small = { .name = "small", .nb = 500, .data_room = 1700 };
	struct rte_mbuf *m;
	struct world w;
	uint32_t before;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 1);
		fake_pool_destroy(w.other);
		w.other = fake_pool_create(&small);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		receive(&w, w.f->pool);
		look_away(&w.dev);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		before = w.rxq->post_len;
		assert_int_equal(change_pool(&w), 0);
		sluice_life_start_queue(w.f->port, &w.rxq->q);
		receive(&w, w.other);
		assert_true(w.rxq->post_len < before - 1);
		/* One that the old pool's would have had, but not as a whole. */
		fake_dev_lie_used(&w.dev, w.rxq->q.ring.tail, before - 1);
		assert_int_equal(w.f->dev.rx_pkt_burst(&w.rxq->q, &m, 1), 0);
		assert_int_equal(w.rxq->q.fail, SLUICE_FAIL_BAD_LEN);
		fake_dev_fini(&w.dev);
		close_world(&w);
	}
}

/* A device that lies in the used ring is not believed here either. */
static void
test_lies(void **state)
{
	struct world w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		fake_dev_lie_used(&w.dev, SIZE + 5, LEN);
		assert_int_equal(change_pool(&w), -EIO);
		assert_int_equal(w.rxq->q.fail, SLUICE_FAIL_BAD_ID);
		fake_pool_assert_full(w.other);
		fake_dev_fini(&w.dev);
		fake_port_turn(w.f, SLUICE_NEWS_NONE);
		assert_int_equal(w.f->port->life, SLUICE_FAILED);
		close_world(&w);
	}
}

/* A device that has no word for it keeps its buffers: another pool is refused, the same is fine. */
static void
test_kept(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, KEEPS_RING, false, 500);
	assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
	assert_int_equal(change_pool(&w), -ENOTSUP);
	assert_int_equal(sluice_renew_begin(w.f->port, w.rxq, false), 0);
	assert_int_equal(sluice_renew_pool(w.f->port, w.rxq, w.f->pool->mp), 0);
	w.rxq->free_thresh_asked = 7;
	sluice_renew_rxq(w.f->port, w.rxq, SIZE);
	assert_int_equal(w.rxq->free_thresh, 7);
	assert_int_equal(w.rxq->q.ring.size, SIZE);
	w.f->txq[0].reclaim_asked = 9;
	assert_int_equal(sluice_life_hold_queue(w.f->port, &w.f->txq[0].q), 0);
	assert_int_equal(sluice_renew_txq(w.f->port, &w.f->txq[0], SIZE / 2), 0);
	assert_int_equal(w.f->txq[0].few_free, SIZE - 9);
	assert_int_equal(w.f->txq[0].q.ring.size, SIZE);
	sluice_life_start_queue(w.f->port, &w.rxq->q);
	fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
	receive(&w, w.f->pool);
	fake_dev_fini(&w.dev);
	close_world(&w);
}

/* One that has forgotten the ring gets another one, as large as there is memory for. */
static void
test_forgotten(void **state)
{
	static const uint16_t sizes[] = { SIZE / 2, 4 * SIZE, SIZE / 4, SIZE };
	struct world w;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, FORGETS, i, 500);
		for (n = 0; n < RTE_DIM(sizes); n++) {
			assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
			assert_int_equal(sluice_life_hold_queue(w.f->port, &w.f->txq[0].q), 0);
			assert_int_equal(change_pool(&w), 0);
			sluice_renew_rxq(w.f->port, w.rxq, sizes[n]);
			assert_int_equal(sluice_renew_txq(w.f->port, &w.f->txq[0], sizes[n]), 0);
			sluice_life_start_queue(w.f->port, &w.rxq->q);
			sluice_life_start_queue(w.f->port, &w.f->txq[0].q);
			assert_int_equal(
					w.f->ft.vqs[SLUICE_VQ_RX(0)].size, RTE_MIN(sizes[n], SIZE));
			assert_int_equal(
					w.f->ft.vqs[SLUICE_VQ_TX(0)].size, RTE_MIN(sizes[n], SIZE));
			fake_port_device(w.f, SLUICE_VQ_RX(0), &w.dev);
			receive(&w, w.other);
			fake_dev_fini(&w.dev);
			fake_port_device(w.f, SLUICE_VQ_TX(0), &w.dev);
			assert_true(fake_port_send(w.f));
			assert_int_equal(fake_dev_poll(&w.dev), 1);
			fake_dev_fini(&w.dev);
		}
		close_world(&w);
	}
}

/* What nobody can stop is not set up. */
static void
test_not_now(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, IS_TOLD, false, 500);
	assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
	w.f->port->is_stuck = true;
	assert_int_equal(sluice_renew_begin(w.f->port, w.rxq, true), -EBUSY);
	assert_int_equal(sluice_renew_txq(w.f->port, &w.f->txq[0], SIZE), -EBUSY);
	w.f->port->is_stuck = false;
	w.rxq->q.is_stranded = true;
	assert_int_equal(sluice_renew_begin(w.f->port, w.rxq, true), -EBUSY);
	w.rxq->q.is_stranded = false;
	close_world(&w);
}

/* A queue that was released is the port's, whatever happens to its device meanwhile. */
static void
test_released(void **state)
{
	struct world w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_world(&w, IS_TOLD, i, 500);
		assert_int_equal(sluice_life_hold_queue(w.f->port, &w.rxq->q), 0);
		w.f->rx_queues[0] = NULL;
		assert_ptr_equal(sluice_dev_queue(w.f->port, 0), &w.rxq->q);
		w.f->ft.check_answer = -ECONNRESET;
		w.f->ft.is_there = false;
		fake_port_await(w.f, SLUICE_WAITING, 20);
		w.f->ft.check_answer = 0;
		w.f->ft.is_there = true;
		fake_port_await(w.f, SLUICE_LIVE, 2000);
		assert_int_equal(w.f->ft.disabled, 1 << SLUICE_VQ_RX(0));
		w.f->rx_queues[0] = w.rxq;
		close_world(&w);
	}
}

int
main(void)
{
	suite_add(test_another_pool, NULL, "another_pool");
	suite_add(test_dry_ring, NULL, "dry ring");
	suite_add(test_old_pool, NULL, "old pool");
	suite_add(test_not_that_pool, NULL, "not_that_pool");
	suite_add(test_no_answer, NULL, "no_answer");
	suite_add(test_smaller_buffers, NULL, "smaller buffers");
	suite_add(test_lies, NULL, "lies");
	suite_add(test_kept, NULL, "kept");
	suite_add(test_forgotten, NULL, "forgotten");
	suite_add(test_not_now, NULL, "not_now");
	suite_add(test_released, NULL, "released");
	return suite_run("renew");
}
