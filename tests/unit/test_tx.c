/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting plain packets: the burst functions of every row of the table, completions of every
 * kind.
 */

#include <string.h>

#include "env.h"

#define NB(a) RTE_DIM(a)

/* nb plain packets of len bytes, with seeds from *seed on. The header's place is dirty. */
static void
make(struct env *e, struct rte_mbuf **pkts, uint16_t nb, uint16_t len)
{
	uint16_t i;

	for (i = 0; i < nb; i++) {
		pkts[i] = fake_mbuf(e->pool, RTE_PKTMBUF_HEADROOM, len);
		memset(rte_pktmbuf_mtod_offset(pkts[i], char *, -SLUICE_NET_HDR_LEN), 0xa5,
				SLUICE_NET_HDR_LEN);
		fake_mbuf_fill(pkts[i], e->nb_packets++);
	}
}

/* Send nb packets, all of which must be taken, and compare what arrives. */
static void
send_and_check(struct env *e, uint16_t nb, uint16_t len)
{
	uint64_t seed = e->nb_packets;
	struct rte_mbuf *pkts[ENV_BURST_MAX];
	uint16_t i, n;

	make(e, pkts, nb, len);
	n = env_tx(e, pkts, nb);
	fake_assert(n == nb, "%u of %u packets went", n, nb);
	fake_dev_poll(&e->dev);
	fake_assert(e->dev.nb_sent == nb, "%u of %u packets arrived", e->dev.nb_sent, nb);
	for (i = 0; i < nb; i++)
		env_expect_sent(e, i, len, seed + i);
	fake_dev_forget_sent(&e->dev);
}

static void
test_every_length(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t max = e->pool->conf.data_room - RTE_PKTMBUF_HEADROOM, len;

	for (len = 0; len <= max; len++) {
		send_and_check(e, 1, len);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	}
	assert_int_equal(e->q.stats.packets, max + 1);
	assert_int_equal(e->q.stats.bytes, (uint64_t)max * (max + 1) / 2);
	assert_int_equal(e->q.stats.errors, 0);
	env_close(e);
}

static void
test_every_burst_size(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	uint16_t nb;

	conf->size = 512;
	e = env_open(conf);
	for (nb = 1; nb <= ENV_BURST_MAX; nb += nb < 70 ? 1 : 49) {
		send_and_check(e, nb, 60);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	}
	assert_int_equal(env_tx(e, NULL, 0), 0);
	env_close(e);
}

/* What does not fit stays with the caller, untouched. */
static void
test_ring_full(void **state)
{
	struct env *e = env_open_from(state, 200);
	struct rte_mbuf *pkts[300];
	unsigned int i;

	make(e, pkts, 300, 60);
	assert_int_equal(env_tx(e, pkts, 300), 256);
	assert_int_equal(e->txq.nb_ring_full, 44);
	assert_int_equal(env_tx(e, &pkts[256], 44), 0);
	assert_int_equal(fake_dev_poll(&e->dev), 256);
	fake_dev_verify(&e->dev);
	fake_dev_complete(&e->dev, 10, FAKE_ONE_BY_ONE);
	assert_int_equal(env_tx(e, &pkts[256], 44), 10);
	fake_dev_complete(&e->dev, 246, FAKE_ONE_BY_ONE);
	assert_int_equal(env_tx(e, &pkts[266], 34), 34);
	fake_dev_poll(&e->dev);
	assert_int_equal(e->dev.nb_sent, 300);
	for (i = 0; i < 300; i++)
		env_expect_sent(e, i, 60, i);
	env_close(e);
}

/* All orders that a device may complete in, late, while more is being sent. */
static void
run_order(struct env *e, unsigned int rounds)
{
	uint16_t left = 0, n;
	struct rte_mbuf *pkts[ENV_BURST_MAX];
	unsigned int i, k, nb_checked = 0;
	uint64_t seed = 0;

	for (i = 0; i < rounds; i++) {
		uint16_t nb = 1 + fake_below(&e->random, 100);

		if (left + nb > ENV_BURST_MAX || e->pool->nb_free < nb)
			nb = 0;
		make(e, &pkts[left], nb, 60 + (i & 63));
		left += nb;
		n = env_tx(e, pkts, left);
		memmove(pkts, &pkts[n], (left - n) * sizeof(pkts[0]));
		left -= n;
		fake_dev_poll(&e->dev);
		for (k = 0; k < e->dev.nb_sent; k++, nb_checked++)
			env_expect_sent(e, k, e->dev.sent[k].len, seed++);
		fake_dev_forget_sent(&e->dev);
		fake_dev_verify(&e->dev);
		fake_dev_complete(
				&e->dev, fake_below(&e->random, e->dev.nb_held + 1), e->conf.order);
		assert_false(env_has_failed(e));
	}
	fake_assert(nb_checked > rounds * 10, "only %u packets went", nb_checked);
	while (left != 0)
		rte_pktmbuf_free(pkts[--left]);
}

static void
test_completion_orders(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;

	conf->nb_mbufs = 1200;
	for (conf->order = FAKE_ONE_BY_ONE; conf->order <= FAKE_SHUFFLED; conf->order++) {
		if ((conf->order == FAKE_BATCHES && !conf->is_in_order) ||
				(conf->order == FAKE_SHUFFLED && conf->is_in_order))
			continue;
		e = env_open(conf);
		e->dev.window = conf->size;
		run_order(e, 500);
		env_close(e);
	}
}

/* tx_done_cleanup: as many as asked for, or all. */
static void
test_cleanup(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t total = e->pool->conf.nb;

	send_and_check(e, 20, 60);
	assert_int_equal(e->tx->cleanup(&e->txq, 0), 0);
	assert_int_equal(e->pool->nb_free, total - 20);
	fake_dev_complete(&e->dev, 15, FAKE_ONE_BY_ONE);
	assert_int_equal(e->tx->cleanup(&e->txq, 4), 4);
	assert_int_equal(e->pool->nb_free, total - 16);
	assert_int_equal(e->tx->cleanup(&e->txq, 0), 11);
	assert_int_equal(e->pool->nb_free, total - 5);
	fake_dev_complete(&e->dev, 5, FAKE_ONE_BY_ONE);
	assert_int_equal(e->tx->cleanup(&e->txq, UINT32_MAX), 5);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

/* A short burst does not pay for a long backlog, and a long backlog goes away nevertheless. */
static void
test_reclaim_is_bounded(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i;

	conf->size = 512;
	conf->nb_mbufs = 1024;
	e = env_open(conf);
	send_and_check(e, 512, 60);
	fake_dev_complete(&e->dev, 512, FAKE_ONE_BY_ONE);
	send_and_check(e, 1, 60);
	assert_int_equal(e->pool->nb_free, 1024 - 512 + 64 - 1);
	for (i = 0; i < 8; i++)
		send_and_check(e, 1, 60);
	assert_in_range(e->pool->nb_free, 1024 - 64, 1024);
	env_close(e);
}

/* Whatever is on its way, in whatever state: drain gives all of it back, once. */
static void
test_drain_at_any_moment(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[64];
	uint16_t n;
	unsigned int moment, i;
	struct env *e;

	conf->size = 32;
	conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED;
	e = env_open(conf);
	for (moment = 0; moment < 300; moment++) {
		fake_context("%s: moment %u", env_name(conf), moment);
		for (i = 0; i < moment % 40; i++) {
			make(e, pkts, 1 + i % 7, 60);
			n = env_tx(e, pkts, 1 + i % 7);
			rte_pktmbuf_free_bulk(&pkts[n], 1 + i % 7 - n);
			fake_dev_poll(&e->dev);
			fake_dev_complete(&e->dev, fake_below(&e->random, e->dev.nb_held + 1),
					conf->order);
		}
		env_restart(e);
	}
	env_close(e);
}

/* Packets of a pool that the device has never seen: shown at first use. */
static void
test_new_pool_is_shown(void **state)
{
	struct env *e = env_open_from(state, 0);
	unsigned int nb = e->dom.nb_shows;

	send_and_check(e, 1, 60);
	assert_int_equal(e->dom.nb_shows, nb + 1);
	send_and_check(e, 100, 60);
	assert_int_equal(e->dom.nb_shows, nb + 1);
	env_close(e);
}

/* Kicks: each burst unless the device says no. */
static void
test_kicks(void **state)
{
	struct env *e = env_open_from(state, 0);

	env_kicks(e);
	send_and_check(e, 1, 60);
	assert_int_equal(env_kicks(e), 1);
	send_and_check(e, 32, 60);
	assert_int_equal(env_kicks(e), 1);
	fake_dev_want_no_kick(&e->dev, true);
	send_and_check(e, 32, 60);
	assert_int_equal(env_kicks(e), 0);
	assert_int_equal(e->q.ring.nb_suppressed, 1);
	fake_dev_want_no_kick(&e->dev, false);
	send_and_check(e, 1, 60);
	assert_int_equal(env_kicks(e), 1);
	assert_int_equal(e->q.ring.nb_kicks, 3);
	env_close(e);
}

/*
 * The device asks to be told when a certain buffer is available, and is told with the burst that
 * holds it.
 */
static void
test_kick_at_event(void **state)
{
	struct env_conf *conf = *state;
	uint32_t at = 0, event, nb;
	unsigned int i;
	struct env *e;

	conf->has_event_idx = true;
	/* Split: across the end of the 16-bit counter. */
	conf->start = env_is_packed(conf) ? 0 : 65400;
	e = env_open(conf);
	for (i = 0; i < 300; i++) {
		uint16_t where;

		event = at + fake_below(&e->random, 80);
		if (env_is_packed(conf))
			where = event % 256 | ((event / 256) % 2 == 0 ? 0x8000 : 0);
		else
			where = 65400 + event;
		fake_dev_want_event(&e->dev, where);
		/* Not taken into account with EVENT_IDX on a split ring (2.7.10.1). */
		if (!env_is_packed(conf))
			fake_dev_want_no_kick(&e->dev, i & 1);
		env_kicks(e);
		while (at <= event) {
			nb = 1 + fake_below(&e->random, 30);
			send_and_check(e, nb, 60);
			fake_dev_complete(&e->dev, nb, FAKE_ONE_BY_ONE);
			at += nb;
			fake_assert(env_kicks(e) == (at > event), "packets up to %u, event %u", at,
					event);
		}
	}
	env_close(e);
}

static void
test_stopped_queue(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m;

	make(e, &m, 1, 60);
	e->q.state = SLUICE_QUEUE_STOPPED;
	assert_int_equal(env_tx(e, &m, 1), 0);
	e->q.state = SLUICE_QUEUE_FAILED;
	assert_int_equal(env_tx(e, &m, 1), 0);
	rte_pktmbuf_free(m);
	e->q.state = e->q.run;
	send_and_check(e, 1, 60);
	env_close(e);
}

/* tx_done_cleanup counts packets, whatever slots they take, and those of which holes are left. */
static void
test_cleanup_counts_packets(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[8];
	struct env *e;
	uint16_t nb;

	conf->has_indirect = false;
	conf->order = conf->is_in_order ? FAKE_ONE_BY_ONE : FAKE_SHUFFLED;
	e = env_open(conf);
	for (nb = 0; nb < RTE_DIM(pkts); nb++) {
		pkts[nb] = fake_mbuf(e->pool, 128, 60);
		rte_pktmbuf_chain(pkts[nb], fake_mbuf(e->pool, 0, 20));
		/* Slow ones, too. */
		rte_pktmbuf_refcnt_update(pkts[nb], nb % 2);
	}
	assert_int_equal(env_tx(e, pkts, nb), nb);
	assert_int_equal(fake_dev_poll(&e->dev), nb);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, 5, conf->order);
	assert_int_equal(e->tx->cleanup(&e->txq, 0), 5);
	fake_dev_complete(&e->dev, 3, conf->order);
	assert_int_equal(e->tx->cleanup(&e->txq, 0), 3);
	for (nb = 1; nb < RTE_DIM(pkts); nb += 2)
		rte_pktmbuf_free(pkts[nb]);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_every_length, "every length");
	suite_add_tx(test_every_burst_size, "bursts of 1 to 512");
	suite_add_tx(test_ring_full, "ring full");
	suite_add_tx(test_completion_orders, "completion orders");
	suite_add_tx_if(env_is_lent, test_cleanup, "cleanup");
	suite_add_tx_if(env_is_lent, test_reclaim_is_bounded, "reclaim is bounded");
	suite_add_tx(test_drain_at_any_moment, "drain at any moment");
	suite_add_tx_if(env_is_lent, test_new_pool_is_shown, "new pool is shown");
	suite_add_tx(test_kicks, "kicks");
	suite_add_tx(test_kick_at_event, "kick at event");
	suite_add_tx(test_stopped_queue, "stopped queue");
	suite_add_tx(test_cleanup_counts_packets, "cleanup counts packets");
	return suite_run("tx");
}
