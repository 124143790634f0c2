/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The checker around burst functions (dma_debug=1), with each row of the tables: what an
 * application must not do to packets that it has sent is found, and what others complete meanwhile
 * is nobody's fault.
 */

#include <string.h>

#include <rte_lcore.h>

#include "debug_steps.h"

static void
test_written_while_sent(void **state)
{
	struct env *e = open_checked(state);
	struct rte_mbuf *m = send_one(e);

	rte_pktmbuf_mtod(m, char *)[LEN - 1] ^= 1;
	go_on(e);
	expect_only(e, DMAP_DEBUG_WRITTEN);
	env_close(e);
}

/* So that the pool gets it once only; it is as it was freed. */
static void
free_wrongly(struct env *e, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	assert_ptr_equal(rte_mbuf_raw_alloc(e->pool->mp), m);
}

/* Into its pool, where nobody changes it. Who has a reference of his own may let go of that. */
static void
test_freed_while_sent(void **state)
{
	struct rte_mbuf *m;
	unsigned int nb;
	struct env *e;

	for (nb = 0; nb < 2; nb++) {
		e = open_checked(state);
		m = send_shared(e, nb);
		send_one(e);
		if (nb != 0)
			rte_pktmbuf_free(m);
		send_one(e);
		expect_silence(e);
		free_wrongly(e, m);
		go_on(e);
		expect_only(e, DMAP_DEBUG_FREED_IN_FLIGHT);
		assert_int_equal(dmap_debug_nb(e->domain, DMAP_DEBUG_FREED_IN_FLIGHT), 1);
		env_close(e);
	}
}

/* By who ends the queue, too. */
static void
test_freed_before_the_end(void **state)
{
	struct env *e = open_checked(state);

	free_wrongly(e, send_one(e));
	env_drain(e);
	expect_only(e, DMAP_DEBUG_FREED_IN_FLIGHT);
	env_close(e);
}

static void
pause_queue(void *q)
{
	sluice_queue_pause(q);
}

/*
 * The control side stops the queue in a burst, so that nobody notes what that did: who gets the
 * buffer that it freed is not blamed.
 */
static void
test_paused_in_a_burst(void **state)
{
	struct dmap_debug_loan loan = { .len = LEN, .dir = DMAP_FROM_DEVICE };
	struct rte_mbuf *pkts[2];
	struct env *e;

	((struct env_conf *)*state)->thresh = 1;
	e = open_checked(state);
	loan.m = send_one(e);
	loan.va = rte_pktmbuf_mtod(loan.m, char *);
	fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	pkts[0] = fake_mbuf(e->pool, 128, LEN);
	e->pool->on_put = pause_queue;
	e->pool->on_put_ctx = &e->q;
	assert_int_equal(env_tx(e, pkts, 1), 1);
	e->pool->on_put = NULL;
	assert_int_equal(e->q.state, SLUICE_QUEUE_STOPPED);
	pkts[1] = rte_pktmbuf_alloc(e->pool->mp);
	assert_ptr_equal(pkts[1], loan.m);
	dmap_debug_check_buffer(e->domain, &loan);
	expect_silence(e);
	sluice_queue_resume(&e->q);
	rte_pktmbuf_free(pkts[1]);
	go_on(e);
	expect_silence(e);
	env_close(e);
}

/* Twice in one burst, without a reference for each. */
static void
test_sent_twice(void **state)
{
	struct env *e = open_checked(state);
	struct rte_mbuf *m = fake_mbuf(e->pool, 128, LEN), *pkts[2] = { m, m };

	rte_mbuf_refcnt_set(m, 2);
	assert_int_equal(env_tx(e, pkts, 2), 2);
	expect_silence(e);
	go_on(e);
	m = fake_mbuf(e->pool, 128, LEN);
	pkts[0] = m;
	pkts[1] = m;
	assert_int_equal(env_tx(e, pkts, 2), 2);
	expect_only(e, DMAP_DEBUG_TWICE);
	/* The pool would get it twice, which is what was reported. */
	e->q.sw_ring[sluice_ring_next(&e->q.ring, e->q.ring.head, e->conf.size - 1)] = fake_mbuf(
			e->pool, 128, LEN);
	env_close(e);
}

static bool
is_scalar_and_lent(const struct env_conf *conf)
{
	const struct sluice_tx_path *p = sluice_tx_path_at(conf->row);

	return p->simd_bits == 0 && env_is_lent(conf);
}

/* The path of the same row that checks nothing. */
static const struct sluice_tx_path *
unchecked(const struct env *e)
{
	const struct sluice_tx_path *p;
	unsigned int i;

	for (i = 0; (p = sluice_tx_path_at(i)) != NULL; i++)
		if (memcmp(&p->cfg, &e->tx->cfg, sizeof(p->cfg)) == 0 &&
				p->simd_bits == e->tx->simd_bits)
			return p;
	return NULL;
}

/*
 * The control side reclaims what an idle queue has. It may come when a core has looked already, and
 * to the queue of another process: who completes the rest then knows of no marks.
 */
static void
test_reclaim_marks_nothing(void **state)
{
	struct env *e = open_checked(state);

	send_one(e);
	send_one(e);
	fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, e->conf.size);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	unchecked(e)->cleanup(&e->txq, 0); /* the pool looks at what it gets */
	expect_silence(e);
	env_close(e);
}

/*
 * It comes to a queue that another process polls: what that completes next is the pool's, and
 * whoever gets it from there is not blamed.
 */
static void
test_reclaim_for_another_process(void **state)
{
	struct dmap_debug_loan loan = { .len = LEN, .dir = DMAP_FROM_DEVICE };
	struct env *e = open_checked(state);
	const struct sluice_tx_path *checked = e->tx;
	struct rte_mbuf *pkts[2];

	pkts[0] = fake_mbuf(e->pool, 128, LEN);
	pkts[1] = fake_mbuf(e->pool, 128, LEN);
	e->tx = unchecked(e);
	assert_int_equal(env_tx(e, pkts, 2), 2);
	fake_dev_poll(&e->dev);
	fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	checked->cleanup(&e->txq, e->conf.size);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	e->tx = checked;
	loan.m = rte_pktmbuf_alloc(e->pool->mp);
	assert_ptr_equal(loan.m, pkts[1]);
	loan.va = rte_pktmbuf_mtod(loan.m, char *);
	dmap_debug_check_buffer(e->domain, &loan);
	expect_silence(e);
	rte_pktmbuf_free(pkts[1]);
	go_on(e);
	expect_silence(e);
	env_close(e);
}

/* What this core has freed a moment ago, or got from the pool again since. */
static void
test_sent_though_free(void **state)
{
	struct rte_mempool_cache cache = { .size = 64, .flushthresh = 96 };
	unsigned int is_free;
	struct rte_mbuf *m;
	struct env *e;

	for (is_free = 0; is_free < 2; is_free++) {
		e = open_checked(state);
		/* The queue knows the pool from here on; with a cache it has its data elsewhere. */
		go_on(e);
		m = fake_mbuf(e->pool, 128, LEN);
		e->pool->mp->cache_size = cache.size;
		e->pool->mp->local_cache = &cache;
		RTE_PER_LCORE(_lcore_id) = 0;
		cache.len = 0;
		rte_pktmbuf_free(m);
		assert_ptr_equal(cache.objs[0], m);
		/* The pool would get it twice, which is what is reported. */
		if (!is_free)
			cache.len = 0;
		m->data_len = LEN;
		m->pkt_len = LEN;
		assert_int_equal(env_tx(e, &m, 1), 1);
		cache.len = 0;
		RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
		e->pool->mp->cache_size = 0;
		e->pool->mp->local_cache = NULL;
		if (is_free)
			expect_only(e, DMAP_DEBUG_FREE_GIVEN);
		else
			expect_silence(e);
		fake_dev_poll(&e->dev);
		go_on(e);
		env_close(e);
	}
}

int
main(void)
{
	suite_add_tx_if(env_is_lent, test_written_while_sent, "written while sent");
	suite_add_tx_if(env_is_lent, test_freed_while_sent, "freed while sent");
	suite_add_tx_if(env_is_lent, test_freed_before_the_end, "freed before the end");
	suite_add_tx_if(env_is_lent, test_paused_in_a_burst, "paused in a burst");
	suite_add_tx_if(env_is_lent, test_reclaim_marks_nothing, "reclaim marks nothing");
	suite_add_tx_if(env_is_lent, test_reclaim_for_another_process,
			"reclaim for another process");
	suite_add_tx_if(is_scalar_and_lent, test_sent_twice, "sent twice");
	suite_add_tx_if(env_is_lent, test_sent_though_free, "sent though free");
	return suite_run("debug_sent");
}
