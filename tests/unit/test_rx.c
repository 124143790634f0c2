/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receiving: the burst functions of every row of the table.
 */

#include "env.h"

#define MIN_FRAME 14
#define BURST_MAX ENV_BURST_MAX

static void
test_every_length(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t max = env_post_len(e) - SLUICE_NET_HDR_LEN, len;

	for (len = MIN_FRAME; len <= max; len++) {
		fake_assert(env_deliver(e, len), "no buffers");
		env_expect(e, len, e->nb_packets - 1);
	}
	assert_int_equal(e->q.stats.packets, max - MIN_FRAME + 1);
	assert_int_equal(e->q.stats.bytes, (uint64_t)(max + MIN_FRAME) * (max - MIN_FRAME + 1) / 2);
	assert_int_equal(e->q.stats.errors, 0);
	env_close(e);
}

/* Fields that another use of the mbuf left behind are gone. */
static void
test_mbuf_is_fresh(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		assert_true(env_deliver(e, 100));
		assert_int_equal(env_rx(e, &m, 1), 1);
		assert_int_equal(m->data_off,
				sluice_rx_hdr_off(env_has_csum(&e->conf)) + SLUICE_NET_HDR_LEN);
		assert_int_equal(m->port, 7);
		assert_int_equal(rte_mbuf_refcnt_read(m), 1);
		assert_int_equal(m->nb_segs, 1);
		assert_null(m->next);
		assert_int_equal(m->ol_flags, 0);
		assert_int_equal(m->packet_type, 0);
		assert_int_equal(m->vlan_tci, 0);
		assert_int_equal(m->data_len, 100);
		assert_int_equal(m->pkt_len, 100);
		/* What an application may leave behind. */
		m->data_off = 3;
		m->port = 99;
		m->ol_flags = RTE_MBUF_F_RX_VLAN;
		m->packet_type = 77;
		m->vlan_tci = 5;
		m->pkt_len = 1;
		m->data_len = 1;
		rte_pktmbuf_free(m);
	}
	env_close(e);
}

static void
test_every_burst_size(void **state)
{
	struct env *e = env_open_from(state, 0xff00 & (((struct env_conf *)*state)->size - 1));
	uint16_t nb, left, n;
	uint64_t seed;

	for (nb = 1; nb <= BURST_MAX; nb += nb < 70 ? 1 : 49) {
		seed = e->nb_packets;
		/* More than the ring holds comes in rounds. */
		for (left = nb; left != 0; left -= n) {
			for (n = 0; n < left && env_deliver(e, 60); n++)
				;
			env_expect_burst(e, n, 60, seed);
			seed += n;
			assert_true(n != 0);
		}
	}
	env_expect_burst(e, 0, 60, 0);
	env_close(e);
}

static void
test_ask_for_fewer_and_for_more(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[64];
	unsigned int i;

	for (i = 0; i < 100; i++)
		assert_true(env_deliver(e, 60));
	assert_int_equal(env_rx(e, pkts, 0), 0);
	env_expect_burst(e, 1, 60, 0);
	env_expect_burst(e, 32, 60, 1);
	env_expect_burst(e, 3, 60, 33);
	assert_int_equal(env_rx(e, pkts, 64), 64);
	assert_true(fake_mbuf_is(pkts[0], 60, 36));
	rte_pktmbuf_free_bulk(pkts, 64);
	assert_int_equal(env_rx(e, pkts, 64), 0);
	env_close(e);
}

/* Lengths that hold the net header but no Ethernet header: dropped, counted, no harm. */
static void
test_runts(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t len, nb = 0;
	unsigned int round;

	for (round = 0; round < 50; round++) {
		for (len = 0; len < MIN_FRAME; len++, nb++) {
			assert_true(env_deliver(e, len));
			env_expect_burst(e, 0, 0, 0);
		}
		assert_true(env_deliver(e, 64));
		assert_true(env_deliver(e, 13));
		assert_true(env_deliver(e, 65));
		nb++;
		env_expect(e, 64, e->nb_packets - 3);
		env_expect(e, 65, e->nb_packets - 1);
	}
	assert_int_equal(e->rxq.nb_runts, nb);
	assert_int_equal(e->q.stats.errors, nb);
	assert_int_equal(e->q.stats.packets, 100);
	assert_false(env_has_failed(e));
	env_close(e);
}

static void
test_pool_runs_dry(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[600];
	unsigned int nb = 0, i, size = e->conf.size;

	/* The application keeps what it gets. */
	e->pool->limit = 0;
	while (env_deliver(e, 60))
		nb += env_rx(e, &pkts[nb], 1);
	assert_int_equal(nb, size);
	assert_int_equal(e->q.ring.nb_free, size);
	assert_true(e->rxq.nb_alloc_failed != 0);
	assert_int_equal(env_rx(e, &pkts[nb], 8), 0);
	/* Some memory: the ring takes all of it, and goes on. */
	e->pool->limit = 11;
	assert_int_equal(env_rx(e, &pkts[nb], 8), 0);
	assert_int_equal(e->pool->limit, 0);
	assert_int_equal(e->q.ring.nb_free, size - 11);
	assert_int_equal(fake_dev_poll(&e->dev), 11);
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, e->nb_packets - 1);
	/* Plenty: as if nothing had been. */
	e->pool->limit = FAKE_NO_LIMIT;
	assert_int_equal(env_rx(e, &pkts[nb], 8), 0);
	assert_true(e->q.ring.nb_free < e->rxq.free_thresh);
	for (i = 0; i < nb; i++) {
		fake_assert(fake_mbuf_is(pkts[i], 60, i),
				"packet %u that the application kept changed", i);
		rte_pktmbuf_free(pkts[i]);
	}
	for (i = 0; i < 3 * size; i++) {
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, e->nb_packets - 1);
	}
	assert_false(env_has_failed(e));
	env_close(e);
}

/* Every amount that a pool may have left, where the free slots go around the end of the ring. */
static void
test_partial_refill(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int limit, i;

	conf->size = 16;
	conf->start = 11;
	conf->thresh = 1;
	for (limit = 0; limit <= 16; limit++) {
		e = env_open(conf);
		fake_context("%s: %u mbufs", env_name(conf), limit);
		e->pool->limit = 0;
		for (i = 0; i < 16; i++) {
			assert_true(env_deliver(e, 60));
			env_expect(e, 60, i);
		}
		e->pool->limit = limit;
		env_expect_burst(e, 0, 0, 0);
		fake_assert(e->pool->limit == 0, "%u mbufs stayed in the pool", e->pool->limit);
		assert_int_equal(fake_dev_poll(&e->dev), limit);
		for (i = 0; i < limit; i++) {
			assert_true(env_deliver(e, 60));
			env_expect(e, 60, 16 + i);
		}
		env_close(e);
	}
}

static void
test_refill_threshold(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i;

	conf->thresh = 48;
	e = env_open(conf);
	assert_int_equal(fake_dev_poll(&e->dev), 256);
	for (i = 1; i < 48; i++) {
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, i - 1);
		assert_int_equal(fake_dev_poll(&e->dev), 0);
		assert_int_equal(e->q.ring.nb_free, i);
	}
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 47);
	assert_int_equal(fake_dev_poll(&e->dev), 48);
	assert_int_equal(e->q.ring.nb_free, 0);
	env_close(e);
}

/*
 * Refills from the pool's cache of this core, with a window that is known and with one that was
 * forgotten.
 */
static void
test_pool_cache(void **state)
{
	struct rte_mempool_cache cache = { .size = 64, .flushthresh = 96 };
	struct env *e = env_open_from(state, 0);
	struct rte_mempool *mp = e->pool->mp;
	unsigned int i, nb_borrowed = 0;
	uint32_t before;

	mp->cache_size = cache.size;
	mp->local_cache = &cache;
	RTE_PER_LCORE(_lcore_id) = 0;
	for (i = 0; i < 5U * e->conf.size; i++) {
		if (i % 128 == 100)
			dmap_stream_flush(&e->q.stream);
		before = cache.len;
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, i);
		/* A refill's block less, the packet more. */
		nb_borrowed += cache.len + 32 == before + 1;
	}
	assert_true(nb_borrowed > i / 32 / 2);
	rte_mempool_cache_flush(&cache, mp);
	RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
	mp->cache_size = 0;
	mp->local_cache = NULL;
	env_close(e);
}

/*
 * A device that refuses the memory of the pool: no buffers, nothing lost, and it starts when it
 * can.
 */
static void
try_out_of_reach(struct env_conf *conf)
{
	struct env *e = env_open(conf);

	dmap_del_pool(e->domain, e->pool->mp);
	env_drain(e);
	e->dom.refusal = -ENOSPC;
	env_restart(e);
	assert_int_equal(e->q.ring.nb_free, e->conf.size);
	assert_int_equal(fake_dev_poll(&e->dev), 0);
	env_expect_burst(e, 0, 0, 0);
	assert_true(e->rxq.nb_alloc_failed != 0);
	fake_pool_assert_full(e->pool);
	e->dom.refusal = 0;
	assert_int_equal(dmap_serve(e->domain), 0);
	env_expect_burst(e, 0, 0, 0);
	assert_int_equal(fake_dev_poll(&e->dev), e->conf.size);
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 0);
	env_close(e);
}

static void
test_pool_out_of_reach(void **state)
{
	struct env_conf *conf = *state;

	try_out_of_reach(conf);
	conf->is_pinned = true;
	try_out_of_reach(conf);
}

static void
test_pinned_buffers(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *m;
	struct env *e;
	unsigned int i;

	conf->is_pinned = true;
	e = env_open(conf);
	for (i = 0; i < 1000; i++) {
		assert_true(env_deliver(e, 60 + i));
		assert_int_equal(env_rx(e, &m, 1), 1);
		assert_true(fake_mbuf_is(m, 60 + i, i));
		assert_true(RTE_MBUF_HAS_PINNED_EXTBUF(m));
		/*
		 * What the application leaves in ol_flags must not make it somebody else's buffer.
		 */
		rte_pktmbuf_free(m);
	}
	/* The device does not see the mbufs themselves. */
	for (i = 0; i < e->dom.nb; i++)
		assert_true(e->dom.regions[i].va + e->dom.regions[i].len <=
						(uintptr_t)e->pool->mem ||
				e->dom.regions[i].va >= (uintptr_t)e->pool->mem + e->pool->mem_len);
	env_close(e);
}

/* Completions in any order: packets come in that order, and the ring keeps going. */
static void
test_out_of_order(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i, k;

	conf->order = FAKE_SHUFFLED;
	conf->size = 64;
	conf->thresh = 1;
	e = env_open(conf);
	e->dev.window = conf->size;
	for (i = 0; i < 400; i++) {
		uint32_t nb = 1 + fake_below(&e->random, 64), first = e->nb_packets;

		for (k = 0; k < nb && env_deliver(e, 60 + i); k++)
			;
		assert_true(k != 0);
		env_expect_burst(e, k, 60 + i, first);
		fake_dev_poll(&e->dev);
		fake_dev_verify(&e->dev);
		fake_check();
	}
	assert_false(env_has_failed(e));
	env_close(e);
}

static bool
is_in_order(const struct env_conf *conf)
{
	return conf->is_in_order;
}

/*
 * One used entry for many buffers. Where the others would have theirs a device leaves what it wrote
 * a lap ago: ids that are right, and lengths that are not.
 */
static void
test_completed_together(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[24];
	unsigned int i;

	fake_dev_poll(&e->dev);
	for (i = 0; i < RTE_DIM(pkts); i++)
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, i), 1);
	fake_dev_use_batch(&e->dev, RTE_DIM(pkts), env_post_len(e));
	for (i = 1; i < RTE_DIM(pkts) && env_is_split(&e->conf); i++)
		e->dev.split.used->ring[i] = (struct sluice_split_used_elem){ i, 72 };
	assert_int_equal(env_rx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
	for (i = 0; i < RTE_DIM(pkts); i++)
		assert_int_equal(pkts[i]->pkt_len, env_post_len(e) - SLUICE_NET_HDR_LEN);
	rte_pktmbuf_free_bulk(pkts, RTE_DIM(pkts));
	for (i = 0; i < RTE_DIM(pkts); i++)
		assert_true(env_deliver(e, 60));
	env_expect_burst(e, RTE_DIM(pkts), 60, 0);
	env_close(e);
}

/* A stopped queue touches nothing. */
static void
test_stopped_queue(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m;

	assert_true(env_deliver(e, 60));
	e->q.state = SLUICE_QUEUE_STOPPED;
	assert_int_equal(env_rx(e, &m, 1), 0);
	e->q.state = SLUICE_QUEUE_FAILED;
	assert_int_equal(env_rx(e, &m, 1), 0);
	e->q.state = e->q.run;
	env_expect(e, 60, 0);
	env_close(e);
}

int
main(void)
{
	suite_add_rx(test_every_length, "every length");
	suite_add_rx(test_mbuf_is_fresh, "mbuf is fresh");
	suite_add_rx(test_every_burst_size, "bursts of 1 to 512");
	suite_add_rx(test_ask_for_fewer_and_for_more, "asking for fewer and for more");
	suite_add_rx(test_runts, "runts");
	suite_add_rx(test_pool_runs_dry, "pool runs dry");
	suite_add_rx(test_partial_refill, "partial refill");
	suite_add_rx(test_refill_threshold, "refill threshold");
	suite_add_rx(test_pool_cache, "pool's cache");
	suite_add_rx_if(env_is_lent, test_pool_out_of_reach, "pool out of reach");
	suite_add_rx(test_pinned_buffers, "pinned buffers");
	suite_add_rx_if(env_is_unordered, test_out_of_order, "out of order");
	suite_add_rx_if(is_in_order, test_completed_together, "completed together");
	suite_add_rx(test_stopped_queue, "stopped queue");
	return suite_run("rx");
}
