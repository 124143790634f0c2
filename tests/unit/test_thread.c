/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A device that works at the same time, on a thread of its own: what it uses comes between any two
 * looks at the ring. Every packet must be done, or come, in the end, and the ring must never come
 * to a standstill.
 */

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "env.h"

#define NB_PACKETS 8000
#define STANDSTILL_S 20
/* So often a thread looks for what the other side did before it sleeps. */
#define NB_LOOKS 64

static bool is_over;

static void
start(struct env *e, void *(*device)(void *), pthread_t *thread)
{
	fake_context("%s", env_name(&e->conf));
	is_over = false;
	assert_int_equal(pthread_create(thread, NULL, device, e), 0);
}

static void
end(pthread_t thread)
{
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/*
 * There is nothing to do. The other side may be at it, or it waits for a CPU: on a machine that has
 * other work it gets one sooner from who sleeps than from who yields.
 */
static void
wait_for_more(unsigned int *nb_looks)
{
	if (++*nb_looks % NB_LOOKS == 0)
		usleep(20);
}

/* Takes what is there, and uses some of what it has. */
static void *
sink(void *arg)
{
	struct env *e = arg;
	struct fake_dev *dev = &e->dev;
	enum fake_order order = e->conf.is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE;
	unsigned int nb_looks = 0;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (fake_dev_poll(dev) == 0 && dev->nb_held == 0)
			wait_for_more(&nb_looks);
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
	unsigned int nb_looks = 0;
	uint16_t sent = 0, n;

	while (sent < nb && time(NULL) < end) {
		n = env_tx(e, &pkts[sent], nb - sent);
		if (n == 0)
			wait_for_more(&nb_looks);
		sent += n;
	}
	rte_pktmbuf_free_bulk(&pkts[sent], nb - sent);
	return sent == nb;
}

static void
test_transmit(void **state)
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
	/* The thread shall find the pool in the device's reach. */
	pkts[0] = fake_mbuf(e->pool, 128, 60);
	assert_int_equal(env_tx(e, pkts, 1), 1);
	start(e, sink, &thread);
	while (goes_on && nb < NB_PACKETS) {
		n = make_burst(e, pkts);
		goes_on = send_all(e, pkts, n);
		nb += n;
	}
	end(thread);
	fake_assert(goes_on, "a standstill after %u packets, '%s'", nb,
			sluice_fail_name(e->q.fail));
	fake_dev_poll(&e->dev);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	assert_int_equal(e->txq.q.stats.packets, nb + 1);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

static uint32_t
len_of(const struct env *e, uint64_t seed)
{
	return 60 + seed * 37 % (env_has_mrg(&e->conf) ? 5000 : 1000);
}

/* As many packets as there are buffers for. */
static void *
source(void *arg)
{
	struct env *e = arg;
	unsigned int nb_looks = 0;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
		if (e->nb_packets == NB_PACKETS || !env_deliver(e, len_of(e, e->nb_packets)))
			wait_for_more(&nb_looks);
	return NULL;
}

static void
test_receive(void **state)
{
	time_t until = time(NULL) + STANDSTILL_S;
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[32];
	unsigned int nb_looks = 0;
	pthread_t thread;
	uint32_t nb = 0;
	uint16_t i, n;
	struct env *e;

	conf->size = 64;
	e = env_open(conf);
	start(e, source, &thread);
	while (nb < NB_PACKETS && time(NULL) < until) {
		n = env_rx(e, pkts, RTE_DIM(pkts));
		for (i = 0; i < n && fake_mbuf_is(pkts[i], len_of(e, nb + i), nb + i); i++)
			;
		rte_pktmbuf_free_bulk(pkts, n);
		nb += i;
		if (i != n)
			break;
		if (n == 0)
			wait_for_more(&nb_looks);
		else
			until = time(NULL) + STANDSTILL_S;
	}
	end(thread);
	fake_assert(nb == NB_PACKETS, "packet %u did not come as it was sent, '%s'", nb,
			sluice_fail_name(e->q.fail));
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_transmit, "transmit");
	suite_add_rx(test_receive, "receive");
	return suite_run("thread");
}
