/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting to a device that works at the same time, on a thread of its own: completions come between any two looks
 * at the ring. Every packet must be done in the end, and the ring must never come to a standstill.
 */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "env.h"

#define NB_PACKETS 30000
#define STANDSTILL_S 20

static bool is_over;

/* Takes what is there, and uses some of what it has. */
static void *
device(void *arg)
{
	struct env *e = arg;
	struct fake_dev *dev = &e->dev;
	enum fake_order order = e->conf.is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (fake_dev_poll(dev) == 0 && dev->nb_held == 0)
			sched_yield();
		if (dev->nb_held != 0)
			fake_dev_complete(dev, 1 + fake_below(&dev->random, dev->nb_held), order);
		fake_dev_forget_sent(dev);
	}
	return NULL;
}

/* One in seven needs a place for its header. */
static uint16_t
make_burst(struct env *e, struct rte_mbuf **pkts)
{
	uint16_t i, nb = 1 + fake_below(&e->random, 32);

	for (i = 0; i < nb; i++)
		pkts[i] = fake_mbuf(e->pool, fake_below(&e->random, 7) == 0 ? 5 : 128, 60);
	return nb;
}

/* False: nothing moved for so long. */
static bool
send_all(struct env *e, struct rte_mbuf **pkts, uint16_t nb)
{
	time_t end = time(NULL) + STANDSTILL_S;
	uint16_t sent = 0, n;

	while (sent < nb && time(NULL) < end) {
		n = env_tx(e, &pkts[sent], nb - sent);
		if (n == 0)
			sched_yield();
		sent += n;
	}
	rte_pktmbuf_free_bulk(&pkts[sent], nb - sent);
	return sent == nb;
}

static void
test_device_at_work(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[32];
	bool goes_on = true;
	pthread_t thread;
	uint32_t nb = 0;
	struct env *e;
	uint16_t n;

	conf->size = 64;
	e = env_open(conf);
	fake_context("%s", env_name(conf));
	/* The thread shall find the pool in the device's reach. */
	pkts[0] = fake_mbuf(e->pool, 128, 60);
	assert_int_equal(env_tx(e, pkts, 1), 1);
	is_over = false;
	assert_int_equal(pthread_create(&thread, NULL, device, e), 0);
	while (goes_on && nb < NB_PACKETS) {
		n = make_burst(e, pkts);
		goes_on = send_all(e, pkts, n);
		nb += n;
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	fake_assert(goes_on, "a standstill after %u packets, '%s'", nb,
			sluice_fail_name(e->q.fail));
	fake_dev_poll(&e->dev);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	assert_int_equal(e->txq.q.stats.packets, nb + 1);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_device_at_work, "device at work");
	return suite_run("tx_thread");
}
