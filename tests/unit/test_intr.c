/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receive interrupts: when the device may send one, and that nobody sleeps over a packet.
 */

#include "env.h"

#define LEN 60

/* Of a free-running index, and of a ring's laps: plain, and where they wrap. */
static const uint16_t starts[] = { 0, 1, 0x7fff, 0xfff0, 0xffff };

static struct env *
open_at(void **state, unsigned int nth, bool has_event_idx)
{
	struct env_conf conf = *(struct env_conf *)*state;

	conf.has_event_idx = has_event_idx;
	conf.start = starts[nth];
	/* Packed: a slot, and the lap in bit 15. */
	if (env_is_packed(&conf))
		conf.start = (starts[nth] & 0x8000) | (starts[nth] & 0x7fff) % conf.size;
	return env_open(&conf);
}

/* Deliver one packet; would there be an interrupt? */
static bool
deliver(struct env *e)
{
	struct fake_used since = fake_dev_used(&e->dev);

	fake_assert(env_deliver(e, LEN), "the device has no buffers");
	return fake_dev_interrupts(&e->dev, since);
}

static void
receive(struct env *e, uint16_t nb)
{
	env_expect_burst(e, nb, LEN, e->nb_packets - nb);
}

static void
check_wakes(struct env *e)
{
	unsigned int i;

	/* While it is polled there are none. */
	for (i = 0; i < 3u * e->conf.size; i++) {
		fake_assert(!deliver(e), "packet %u interrupts a queue that is polled", i);
		receive(e, 1);
	}
	/* The wish is for the next packet, wherever the ring stands. */
	for (i = 0; i < 2u * e->conf.size + 1; i++) {
		fake_assert(!sluice_rxq_arm(&e->rxq), "round %u: an empty ring has work", i);
		fake_assert(deliver(e), "round %u: no interrupt although armed", i);
		/* One wake is one interrupt; without EVENT_IDX there is no such thing as one. */
		fake_assert(deliver(e) != e->conf.has_event_idx, "round %u: the next packet", i);
		sluice_rxq_disarm(&e->rxq);
		fake_assert(!deliver(e), "round %u: an interrupt after disarming", i);
		receive(e, 3);
		env_expect_burst(e, 0, LEN, 0);
	}
	fake_check();
}

static void
test_wakes(void **state)
{
	unsigned int i;

	for (i = 0; i < 2 * RTE_DIM(starts); i++) {
		struct env *e = open_at(state, i / 2, i % 2 != 0);

		check_wakes(e);
		env_close(e);
	}
}

/* What came before the wish is told at once, and is no interrupt. */
static void
test_race(void **state)
{
	unsigned int i;

	for (i = 0; i < 2 * RTE_DIM(starts); i++) {
		struct env *e = open_at(state, i / 2, i % 2 != 0);

		assert_false(deliver(e));
		assert_true(sluice_rxq_arm(&e->rxq));
		receive(e, 1);
		/* Two came, one was taken. */
		assert_true(deliver(e) != e->conf.has_event_idx);
		deliver(e);
		env_expect(e, LEN, e->nb_packets - 2);
		assert_true(sluice_rxq_arm(&e->rxq));
		env_expect(e, LEN, e->nb_packets - 1);
		assert_false(sluice_rxq_arm(&e->rxq));
		env_close(e);
	}
}

/* IN_ORDER: the rest of a batch is no used entry any more, and work all the same. */
static void
test_rest_of_batch(void **state)
{
	struct env *e = open_at(state, 0, true);
	unsigned int i;

	fake_dev_poll(&e->dev);
	for (i = 0; i < 8; i++)
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, i), 1);
	fake_dev_use_batch(&e->dev, 8, env_post_len(e));
	for (i = 0; i < 8; i++) {
		assert_true(sluice_rxq_arm(&e->rxq));
		assert_int_equal(env_rx_and_free(e, 1), 1);
	}
	assert_false(sluice_rxq_arm(&e->rxq));
	env_close(e);
}

static bool
takes_batches(const struct env_conf *conf)
{
	return conf->is_in_order;
}

/* A ring that is short of buffers since the pool is: nothing may ever come, so nobody sleeps. */
static void
test_dry_pool(void **state)
{
	struct rte_mbuf *taken[4096];
	struct env *e = open_at(state, 0, true);
	unsigned int nb = 0, i;

	while (nb < RTE_DIM(taken) && (taken[nb] = rte_pktmbuf_alloc(e->pool->mp)) != NULL)
		nb++;
	assert_true(nb > 0 && nb < RTE_DIM(taken));
	for (i = 0; i < e->rxq.free_thresh; i++)
		deliver(e);
	/* Kept by the application. */
	for (i = 0; i < e->rxq.free_thresh; i++)
		assert_int_equal(env_rx(e, &taken[nb + i], 1), 1);
	assert_true(sluice_rxq_arm(&e->rxq));
	rte_pktmbuf_free_bulk(taken, nb + i);
	assert_int_equal(env_rx_and_free(e, 1), 0);
	assert_false(sluice_rxq_arm(&e->rxq));
	env_close(e);
}

/* A device that waits to be told of new buffers is told before the core sleeps. */
static void
test_announces(void **state)
{
	struct env *e = open_at(state, 0, false);
	unsigned int i;

	/* An empty poll tells of what the ring began with. */
	env_expect_burst(e, 0, LEN, 0);
	env_kicks(e);
	for (i = 0; i < e->rxq.free_thresh; i++)
		deliver(e);
	env_expect_burst(e, e->rxq.free_thresh, LEN, 0);
	assert_int_equal(env_kicks(e), 0);
	assert_false(sluice_rxq_arm(&e->rxq));
	assert_int_equal(env_kicks(e), 1);
	assert_false(sluice_rxq_arm(&e->rxq));
	assert_int_equal(env_kicks(e), 0);
	env_close(e);
}

int
main(void)
{
	suite_add_rx(test_wakes, "wakes");
	suite_add_rx(test_race, "race");
	suite_add_rx_if(takes_batches, test_rest_of_batch, "rest of a batch");
	suite_add_rx(test_dry_pool, "dry pool");
	suite_add_rx(test_announces, "announces");
	return suite_run("intr");
}
