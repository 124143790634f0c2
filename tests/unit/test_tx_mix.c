/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting mixtures: plain and slow packets in one burst, several pools, used entries of an
 * earlier lap of the ring.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"

#define NB_POOLS 3

struct mix {
	struct env *e;
	struct fake_pool *pools[NB_POOLS];
	struct fake_pool *clones;
	/* What was handed to the driver and not seen at the device yet, oldest first. */
	uint32_t lens[4096];
	uint64_t seeds[4096];
	uint32_t first, end;
	uint64_t seed;
	uint32_t nb_segs_max;
};

static void
mix_open(struct mix *x, const struct env_conf *conf)
{
	static const char *const names[NB_POOLS] = { "red", "green", "blue" };
	struct fake_pool_conf pool = { .nb = 1500 };
	unsigned int i;

	memset(x, 0, sizeof(*x));
	x->e = env_open(conf);
	for (i = 0; i < NB_POOLS; i++) {
		pool.name = names[i];
		x->pools[i] = fake_pool_create(&pool);
	}
	pool.name = "clones";
	pool.data_room = 128;
	x->clones = fake_pool_create(&pool);
	x->nb_segs_max = RTE_MIN(20, conf->size - 1);
}

static void
mix_close(struct mix *x)
{
	struct env *e = x->e;
	unsigned int i;

	e->q.state = SLUICE_QUEUE_STOPPED;
	sluice_txq_drain(&e->txq, NULL);
	for (i = 0; i < NB_POOLS; i++) {
		fake_pool_assert_full(x->pools[i]);
		fake_event_pool_destroyed(x->pools[i]->mp);
		fake_pool_destroy(x->pools[i]);
	}
	fake_pool_assert_full(x->clones);
	fake_pool_destroy(x->clones);
	env_close(e);
}

/* A packet of any kind. */
static struct rte_mbuf *
mix_make(struct mix *x, unsigned int pool, bool is_plain)
{
	uint64_t *random = &x->e->random;
	struct rte_mbuf *m = fake_mbuf(x->pools[pool], 128, 60 + fake_below(random, 100)),
			*last = m;
	uint32_t kind = is_plain ? 0 : fake_below(random, 8), nb;

	if (kind == 1)
		m->data_off = fake_below(random, 12);
	for (nb = kind >= 5 ? fake_below(random, x->nb_segs_max) : 0; nb != 0; nb--) {
		/* Some packets are of one pool. */
		last->next = fake_mbuf(x->pools[kind == 6 ? pool : fake_below(random, NB_POOLS)], 0,
				fake_below(random, 100));
		last = last->next;
		m->nb_segs++;
		m->pkt_len += last->data_len;
	}
	x->seeds[x->end % 4096] = x->seed;
	x->lens[x->end++ % 4096] = m->pkt_len;
	fake_mbuf_fill(m, x->seed++);
	if (kind == 2 || kind == 7) {
		struct rte_mbuf *c = rte_pktmbuf_clone(m, x->clones->mp);

		rte_pktmbuf_free(m);
		m = c;
	}
	return m;
}

/* The device looks: everything that arrives is what was handed over, in that order. */
static void
mix_check(struct mix *x)
{
	struct env *e = x->e;
	uint32_t i;

	fake_dev_poll(&e->dev);
	for (i = 0; i < e->dev.nb_sent; i++, x->first++)
		env_expect_sent(e, i, x->lens[x->first % 4096], x->seeds[x->first % 4096]);
	fake_dev_forget_sent(&e->dev);
	fake_dev_verify(&e->dev);
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
}

static void
mix_run(struct mix *x, unsigned int rounds, bool is_plain)
{
	struct rte_mbuf *pkts[64];
	struct env *e = x->e;
	uint16_t nb = 0, n;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		uint16_t wanted = 1 + fake_below(&e->random, 40);

		for (; nb < wanted; nb++)
			pkts[nb] = mix_make(x,
					i % 7 == 0 ? fake_below(&e->random, NB_POOLS) :
						     nb % NB_POOLS,
					is_plain);
		n = env_tx(e, pkts, nb);
		mix_check(x);
		fake_assert(x->end - x->first == (uint32_t)nb - n, "%u taken, %u still missing", n,
				x->end - x->first);
		memmove(pkts, &pkts[n], (nb - n) * sizeof(pkts[0]));
		nb -= n;
		fake_dev_complete(
				&e->dev, fake_below(&e->random, e->dev.nb_held + 1), e->conf.order);
	}
	rte_pktmbuf_free_bulk(pkts, nb);
}

static void
run_mixture(struct env_conf *conf, uint16_t size, bool is_plain)
{
	enum fake_order orders[] = { FAKE_ONE_BY_ONE,
		conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED };
	unsigned int i, indirect;
	struct mix x;

	conf->size = size;
	for (i = 0; i < RTE_DIM(orders); i++)
		for (indirect = 0; indirect < 2; indirect++) {
			conf->order = orders[i];
			conf->has_indirect = indirect;
			mix_open(&x, conf);
			x.e->dev.window = size;
			mix_run(&x, 120, is_plain);
			mix_close(&x);
		}
}

/* No mbuf goes back to a pool that it did not come from. */
static void
test_alternating_pools(void **state)
{
	run_mixture(*state, 256, true);
}

static void
test_mixture(void **state)
{
	run_mixture(*state, 256, false);
	run_mixture(*state, 32, false);
	run_mixture(*state, 8, false);
	run_mixture(*state, 4, false);
}

/* Bursts of one pool, then of another: the second becomes the plain one when the first is gone. */
static void
test_pool_changes_hands(void **state)
{
	struct mix x;
	struct rte_mbuf *pkts[32];
	unsigned int i, k;

	mix_open(&x, *state);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < 32; k++)
			pkts[k] = mix_make(&x, i % NB_POOLS, true);
		assert_int_equal(env_tx(x.e, pkts, 32), 32);
		mix_check(&x);
		fake_dev_complete(&x.e->dev, x.e->dev.nb_held, FAKE_ONE_BY_ONE);
		x.e->tx->cleanup(&x.e->txq, 0);
		assert_int_equal(x.e->txq.nb_slow_slots, 0);
		for (k = 0; k < NB_POOLS; k++)
			fake_pool_assert_full(x.pools[k]);
	}
	mix_close(&x);
}

/*
 * A packet that needs nearly the whole ring while a few completed ones lie in it, too few to be
 * looked for otherwise: it must go in the end, however often the application tries just this one.
 */
static void
test_long_packet_gets_room(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *m, *long_one;
	struct mix x;
	unsigned int i, nb;

	conf->has_indirect = false;
	conf->size = 64;
	for (nb = 1; nb < 32; nb += 5) {
		mix_open(&x, conf);
		fake_context("%s: %u packets in front", env_name(conf), nb);
		for (i = 0; i < nb; i++) {
			m = mix_make(&x, 0, true);
			assert_int_equal(env_tx(x.e, &m, 1), 1);
		}
		mix_check(&x);
		fake_dev_complete(&x.e->dev, x.e->dev.nb_held, FAKE_ONE_BY_ONE);
		long_one = fake_mbuf(x.pools[0], 128, 60);
		for (m = long_one, i = 1; i < 63; i++, m = m->next) {
			m->next = fake_mbuf(x.pools[0], 0, 60);
			long_one->nb_segs++;
			long_one->pkt_len += 60;
		}
		for (i = 0; i < 10 && env_tx(x.e, &long_one, 1) == 0; i++)
			;
		if (i == 10)
			rte_pktmbuf_free(long_one);
		fake_assert(i < 10, "never taken");
		mix_close(&x);
	}
}

/*
 * After a packet of many slots, positions in the used ring and slots are no longer the same. What
 * an earlier lap left in the used ring looks like completions in order then, if somebody looks at
 * the wrong place.
 */
static void
test_stale_used_entries(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *m, *pkts[16];
	unsigned int i, k, nb;
	struct mix x;

	conf->has_indirect = false;
	conf->size = 64;
	for (nb = 2; nb < 40; nb = nb * 2 - 1) {
		mix_open(&x, conf);
		fake_context("%s: %u slots in front", env_name(conf), nb);
		for (i = 0; i < 4; i++) {
			for (k = 0; k < 16; k++)
				pkts[k] = mix_make(&x, 0, true);
			assert_int_equal(env_tx(x.e, pkts, 16), 16);
			mix_check(&x);
			fake_dev_complete(&x.e->dev, 16, FAKE_ONE_BY_ONE);
			x.e->tx->cleanup(&x.e->txq, 0);
		}
		m = fake_mbuf(x.pools[0], 128, 60);
		for (i = 1; i < nb; i++) {
			struct rte_mbuf *more = fake_mbuf(x.pools[0], 128, 60);

			rte_pktmbuf_chain(m, more);
		}
		assert_int_equal(env_tx(x.e, &m, 1), 1);
		fake_dev_poll(&x.e->dev);
		fake_dev_forget_sent(&x.e->dev);
		fake_dev_complete(&x.e->dev, 1, FAKE_ONE_BY_ONE);
		x.e->tx->cleanup(&x.e->txq, 0);
		for (k = 0; k < 16; k++)
			pkts[k] = mix_make(&x, 0, true);
		assert_int_equal(env_tx(x.e, pkts, 16), 16);
		mix_check(&x);
		/* The last ones first, unless order was promised. */
		for (k = 0; k < 8; k++)
			fake_dev_use(&x.e->dev, conf->is_in_order ? 0 : 15 - k, 0);
		x.e->tx->cleanup(&x.e->txq, 0);
		for (k = 0; k < 16; k++) {
			bool is_back = conf->is_in_order ? k < 8 : k >= 8;
			uint32_t obj = fake_pool_index(x.pools[0], pkts[k]);

			fake_assert(x.pools[0]->is_free[obj] == is_back, "packet %u is %s", k,
					is_back ? "not back" : "back, but the device has it");
		}
		mix_close(&x);
	}
}

/* Held by nobody else, by one, and by two of whom one lets go before the packet is done. */
static void
test_shared_no_longer(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[32];
	unsigned int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 32; i++) {
			pkts[i] = fake_mbuf(e->pool, 128, 60);
			rte_mbuf_refcnt_update(pkts[i], i % 3);
		}
		assert_int_equal(env_tx(e, pkts, 32), 32);
		fake_dev_poll(&e->dev);
		fake_dev_forget_sent(&e->dev);
		for (i = 0; i < 32; i++)
			if (i % 3 == 2)
				rte_pktmbuf_free(pkts[i]);
		fake_dev_complete(&e->dev, 32, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		for (i = 0; i < 32; i++) {
			bool is_held = i % 3 != 0;

			fake_assert(e->pool->is_free[fake_pool_index(e->pool, pkts[i])] != is_held,
					"mbuf %u is %s", i, is_held ? "not held" : "held");
			if (is_held) {
				assert_int_equal(rte_mbuf_refcnt_read(pkts[i]), 1);
				rte_pktmbuf_free(pkts[i]);
			}
		}
		fake_pool_assert_full(e->pool);
	}
	env_close(e);
}

/*
 * A burst of which the first nb_unbatched mbufs are held by the test, too, or have a second
 * segment; all arrive, and all are given back.
 */
static void
send_mostly(struct env *e, uint16_t nb, uint16_t nb_unbatched, bool is_shared, uint64_t seed)
{
	struct rte_mbuf *pkts[32];
	uint16_t i;

	for (i = 0; i < nb; i++) {
		pkts[i] = fake_mbuf(e->pool, 128, 60);
		if (i < nb_unbatched && is_shared)
			rte_mbuf_refcnt_update(pkts[i], 1);
		if (i < nb_unbatched && !is_shared)
			rte_pktmbuf_chain(pkts[i], fake_mbuf(e->pool, 0, 20));
		fake_mbuf_fill(pkts[i], seed + i);
	}
	assert_int_equal(env_tx(e, pkts, nb), nb);
	assert_int_equal(fake_dev_poll(&e->dev), nb);
	for (i = 0; i < nb; i++)
		env_expect_sent(e, i, i < nb_unbatched && !is_shared ? 80 : 60, seed + i);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, nb, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	for (i = 0; i < nb_unbatched && is_shared; i++)
		rte_pktmbuf_free(pkts[i]);
	fake_pool_assert_full(e->pool);
}

/*
 * Behind bursts that are no batches for the most part none are tried, and behind others they are,
 * again.
 */
static void
test_mostly_unbatched(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 7, 8, 32 };
	struct env *e = env_open_from(state, 0);
	uint64_t seed = 0;
	unsigned int i;
	uint16_t nb;

	for (i = 0; i < 100; i++, seed += 32) {
		bool is_shared = i % 2 == 0;

		nb = sizes[i % RTE_DIM(sizes)];
		send_mostly(e, nb, nb, is_shared, seed);
		assert_int_equal(e->txq.start, SLUICE_TX_UNBATCHED);
		if (i % 3 == 0)
			send_mostly(e, 32, 32, is_shared, seed);
		/* Eight of 32 take 16 of 40 slots. */
		send_mostly(e, 32, 8, is_shared, seed);
		assert_int_equal(e->txq.start, SLUICE_TX_BATCHES);
		send_mostly(e, nb, 0, is_shared, seed);
		assert_int_equal(e->txq.start, SLUICE_TX_BATCHES);
	}
	env_close(e);
}

/* A pool that is destroyed while the queue remembers it. */
static void
test_pool_comes_and_goes(void **state)
{
	struct env *e = env_open_from(state, 0);
	const struct fake_pool_conf conf = { .name = "short-lived", .nb = 40 };
	unsigned int i, k, nb_regions = 0;
	struct rte_mbuf *pkts[32];

	for (i = 0; i < 50; i++) {
		struct fake_pool *p = fake_pool_create(&conf);

		for (k = 0; k < 32; k++) {
			pkts[k] = fake_mbuf(p, 128, 60);
			fake_mbuf_fill(pkts[k], k);
		}
		assert_int_equal(env_tx(e, pkts, 32), 32);
		assert_int_equal(fake_dev_poll(&e->dev), 32);
		for (k = 0; k < 32; k++)
			env_expect_sent(e, k, 60, k);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, 32, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		fake_pool_assert_full(p);
		fake_event_pool_destroyed(p->mp);
		if (i == 0)
			nb_regions = e->dom.nb;
		assert_int_equal(e->dom.nb, nb_regions);
		fake_pool_destroy(p);
		fake_check();
	}
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_alternating_pools, "alternating pools");
	suite_add_tx(test_mixture, "mixture");
	suite_add_tx(test_pool_changes_hands, "pool changes hands");
	suite_add_tx(test_long_packet_gets_room, "long packet gets room");
	suite_add_tx_if(env_is_lent, test_stale_used_entries, "stale used entries");
	suite_add_tx(test_shared_no_longer, "shared no longer");
	suite_add_tx_if(env_is_lent, test_mostly_unbatched, "mostly unbatched");
	suite_add_tx(test_pool_comes_and_goes, "pool comes and goes");
	return suite_run("tx_mix");
}
