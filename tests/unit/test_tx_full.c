/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting packets that are not plain until the ring is full, or its indirect tables are all
 * taken.
 */

#include "env.h"

/*
 * Packets of two slots each until the ring is full, from every slot on: where they become rare a
 * table takes their place, if there are tables. However they went, the headers that they share are
 * zero.
 */
static void
test_pairs_fill_the_ring(void **state)
{
	struct env_conf *conf = *state;
	uint64_t seed, oldest, nb_tables;
	struct rte_mbuf *pkts[64];
	unsigned int i, n, round;
	struct env *e;

	conf->size = 64;
	for (conf->has_indirect = 0; conf->start < 3;
			conf->start += conf->has_indirect, conf->has_indirect ^= 1) {
		e = env_open(conf);
		for (round = 0, seed = 0; round < 70; round++) {
			fake_context("%s: start %u, round %u", env_name(conf), conf->start, round);
			oldest = seed;
			nb_tables = e->txq.nb_indirect;
			for (i = 0; i < 64; i++) {
				bool is_plain = round % 3 == 2 && i % 5 == 0;

				pkts[i] = fake_mbuf(e->pool, is_plain ? 128 : i % 12, 60 + i);
				fake_mbuf_fill(pkts[i], seed++);
			}
			n = env_tx(e, pkts, 64);
			fake_assert(n >= 32, "%u packets are all", n);
			assert_int_equal(e->txq.nb_indirect != nb_tables, conf->has_indirect);
			rte_pktmbuf_free_bulk(&pkts[n], 64 - n);
			fake_dev_poll(&e->dev);
			fake_assert(e->dev.nb_sent == n, "%u of %u arrived", e->dev.nb_sent, n);
			for (i = 0; i < n; i++)
				env_expect_sent(e, i, 60 + i, oldest + i);
			fake_dev_forget_sent(&e->dev);
			fake_dev_verify(&e->dev);
			fake_dev_complete(&e->dev, e->dev.nb_held,
					conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED);
			e->tx->cleanup(&e->txq, 0);
			assert_false(env_has_failed(e));
			fake_pool_assert_full(e->pool);
			assert_int_equal(e->txq.nb_slow_slots, 0);
			/* Every round starts one slot further. */
			env_send_one(e, fake_mbuf(e->pool, 128, 0), 0);
		}
		env_close(e);
	}
}

/*
 * More packets than there are tables: the others go slot by slot. A table that the device has is
 * not written again before its packet is complete; each round half of them are, and others come.
 */
static void
test_tables_run_out(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[40];
	unsigned int i, n, round;
	uint64_t seed = 0;
	struct env *e;

	conf->size = 64;
	conf->has_indirect = true;
	e = env_open(conf);
	for (round = 0; round < 200; round++) {
		fake_context("%s: round %u", env_name(conf), round);
		for (i = 0; i < RTE_DIM(pkts); i++) {
			pkts[i] = fake_mbuf(e->pool, 128, 60);
			assert_int_equal(rte_pktmbuf_chain(pkts[i], fake_mbuf(e->pool, 9, 61)), 0);
			assert_int_equal(rte_pktmbuf_chain(pkts[i], fake_mbuf(e->pool, 9, 62)), 0);
			fake_mbuf_fill(pkts[i], seed + i);
			/* Not plain: somebody else has one segment, too. */
			rte_mbuf_refcnt_update(pkts[i]->next, 1);
		}
		n = env_tx(e, pkts, RTE_DIM(pkts));
		/* 16 tables, and 48 slots for the others */
		if (round == 0)
			assert_int_equal(n, 32);
		assert_in_range(n, 0, 32);
		for (i = 0; i < RTE_DIM(pkts); i++)
			rte_mbuf_refcnt_update(pkts[i]->next, -1);
		rte_pktmbuf_free_bulk(&pkts[n], RTE_DIM(pkts) - n);
		fake_dev_poll(&e->dev);
		fake_assert(e->dev.nb_sent == n, "%u of %u arrived", e->dev.nb_sent, n);
		for (i = 0; i < n; i++)
			env_expect_sent(e, i, 60 + 61 + 62, seed + i);
		fake_dev_forget_sent(&e->dev);
		fake_dev_verify(&e->dev);
		fake_dev_complete(&e->dev, (e->dev.nb_held + 1) / 2,
				conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED);
		e->tx->cleanup(&e->txq, 0);
		assert_false(env_has_failed(e));
		seed += n;
	}
	assert_in_range(e->txq.nb_indirect, 100, seed - 100);
	assert_int_equal(e->txq.nb_chained, seed - e->txq.nb_indirect);
	env_close(e);
}

/* One that says it has none, with a full ring: what the device has stays as it is. */
static void
test_no_segments(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[17];
	unsigned int i, nb;
	struct env *e;

	conf->size = 16;
	e = env_open(conf);
	for (i = 0; i < RTE_DIM(pkts); i++) {
		pkts[i] = fake_mbuf(e->pool, 128, 60);
		fake_mbuf_fill(pkts[i], i);
	}
	nb = env_tx(e, pkts, RTE_DIM(pkts));
	assert_int_equal(nb, 16);
	pkts[16]->nb_segs = 0;
	assert_int_equal(env_tx(e, &pkts[16], 1), 0);
	pkts[16]->nb_segs = 1;
	rte_pktmbuf_free(pkts[16]);
	fake_dev_poll(&e->dev);
	for (i = 0; i < 16; i++)
		env_expect_sent(e, i, 60, i);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, 16, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

/*
 * A device that sends all of each burst: as many slots come back as are given, so that no packet
 * needs a table. Where it completes in batches, the last of a batch may be a packet of one slot.
 */
static void
test_chains_keep_pace(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[32];
	unsigned int i, k, nb;
	struct env *e;

	conf->has_indirect = true;
	conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE;
	e = env_open(conf);
	for (i = 0; i < 50; i++) {
		for (nb = 0; nb < RTE_DIM(pkts); nb++) {
			pkts[nb] = fake_mbuf(e->pool, 128, 60);
			for (k = 1; k < 3 && nb % 8 != 7; k++)
				rte_pktmbuf_chain(pkts[nb], fake_mbuf(e->pool, 0, 20));
		}
		assert_int_equal(env_tx(e, pkts, nb), nb);
		assert_int_equal(fake_dev_poll(&e->dev), nb);
		fake_dev_forget_sent(&e->dev);
		for (; nb != 0; nb -= 8)
			fake_dev_complete(&e->dev, 8, e->conf.order);
	}
	assert_int_equal(e->txq.nb_indirect, 0);
	env_close(e);
}

int
main(void)
{
	suite_add_tx_if(env_is_lent, test_pairs_fill_the_ring, "pairs fill the ring");
	suite_add_tx_if(env_is_lent, test_tables_run_out, "tables run out");
	suite_add_tx(test_no_segments, "no segments");
	suite_add_tx(test_chains_keep_pace, "chains keep pace");
	return suite_run("tx_full");
}
