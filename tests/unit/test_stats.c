/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Statistics of a port whose queues are those of the other tests: reset by one thread while another
 * counts, queues that are not set up, and the order of the extended ones.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <ethdev_driver.h>

#include "env.h"
#include "sluice_ethdev.h"

#define NB_QUEUES 20
#define NB_ROUNDS 3000
#define NB_BAD 7 /* of a burst of eight */

struct desk {
	struct sluice_port port;
	struct sluice_shared shared;
	struct rte_eth_dev_data data;
	struct rte_eth_dev dev;
	void *rx_queues[NB_QUEUES], *tx_queues[NB_QUEUES];
	uint64_t most; /* packets that were sent at all, or will be */
	uint64_t nb_resets;
	uint64_t wrong; /* a value that cannot be */
	bool is_over;
};

static void
desk_init(struct desk *d, struct dmap_domain *domain, uint16_t nb)
{
	memset(d, 0, sizeof(*d));
	d->port.domain = domain;
	d->port.shared = &d->shared;
	d->data.dev_private = &d->shared;
	d->dev.process_private = &d->port;
	d->data.nb_rx_queues = nb;
	d->data.nb_tx_queues = nb;
	d->data.rx_queues = d->rx_queues;
	d->data.tx_queues = d->tx_queues;
	d->dev.data = &d->data;
	d->port.dev = &d->dev;
}

static void *
reset_all_the_time(void *arg)
{
	struct desk *d = arg;

	while (!__atomic_load_n(&d->is_over, __ATOMIC_RELAXED)) {
		struct rte_eth_stats stats = { 0 };

		sluice_stats_reset(&d->dev);
		sched_yield();
		sluice_stats_get(&d->dev, &stats, NULL);
		if (stats.opackets > d->most || stats.obytes > 60 * d->most ||
				stats.oerrors > NB_BAD * d->most)
			d->wrong = stats.opackets;
		d->nb_resets++;
	}
	return NULL;
}

/* More segments than a packet may have: each is freed in the burst, and that takes a while. */
static struct rte_mbuf *
too_long(struct env *e)
{
	struct rte_mbuf *m = fake_mbuf(e->pool, 128, 1);
	unsigned int i;

	for (i = 1; i < 70; i++)
		rte_pktmbuf_chain(m, fake_mbuf(e->pool, 128, 1));
	return m;
}

static void
test_reset_by_another_thread(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[1 + NB_BAD];
	struct rte_eth_stats stats = { 0 };
	struct eth_queue_stats queues = { 0 };
	static struct desk d;
	struct env *e;
	pthread_t thread;
	unsigned int i, k;

	conf->size = 64;
	conf->nb_mbufs = 2000;
	e = env_open(conf);
	desk_init(&d, e->domain, 1);
	d.tx_queues[0] = &e->txq;
	d.most = NB_ROUNDS;
	assert_int_equal(pthread_create(&thread, NULL, reset_all_the_time, &d), 0);
	for (i = 0; i < NB_ROUNDS; i++) {
		for (k = 0; k < NB_BAD; k++)
			pkts[k] = too_long(e);
		pkts[NB_BAD] = fake_mbuf(e->pool, 128, 60);
		assert_int_equal(env_tx(e, pkts, 1 + NB_BAD), 1 + NB_BAD);
		fake_dev_poll(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
		fake_dev_forget_sent(&e->dev);
	}
	__atomic_store_n(&d.is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	fake_assert(d.nb_resets > 10, "%u resets", (unsigned int)d.nb_resets);
	fake_assert(d.wrong == 0, "it had sent %llu packets", (unsigned long long)d.wrong);
	assert_int_equal(e->txq.q.stats.packets, NB_ROUNDS);
	assert_int_equal(e->txq.q.stats.errors, NB_BAD * NB_ROUNDS);
	/* Exact when nobody counts meanwhile. */
	sluice_stats_reset(&d.dev);
	sluice_stats_get(&d.dev, &stats, NULL);
	assert_int_equal(stats.opackets + stats.oerrors + stats.obytes, 0);
	pkts[0] = fake_mbuf(e->pool, 128, 60);
	assert_int_equal(env_tx(e, pkts, 1), 1);
	sluice_stats_get(&d.dev, &stats, &queues);
	assert_int_equal(stats.opackets, 1);
	assert_int_equal(stats.obytes, 60);
	assert_int_equal(queues.q_opackets[0], 1);
	assert_int_equal(queues.q_obytes[0], 60);
	env_close(e);
}

static uint64_t
xstat(struct desk *d, const char *name)
{
	static struct rte_eth_xstat_name names[1024];
	static struct rte_eth_xstat values[1024];
	int nb = sluice_xstats_get_names(&d->dev, names, RTE_DIM(names)), i;

	assert_int_equal(sluice_xstats_get(&d->dev, values, RTE_DIM(values)), nb);
	for (i = 0; i < nb; i++)
		if (strcmp(names[i].name, name) == 0) {
			assert_int_equal(values[i].id, i);
			return values[i].value;
		}
	fail_msg("no %s", name);
	return 0;
}

/* All that a port counts, queues and port alike, begins anew, and a restart takes nothing back. */
static void
test_reset_of_all(void **state)
{
	struct env *e = env_open_from(state, 0);
	static struct desk d;

	desk_init(&d, e->domain, 1);
	d.tx_queues[0] = &e->txq;
	d.shared.nb_tx_lost = 5;
	d.shared.nb_failures = 2;
	e->q.ring.nb_kicks = 10;
	e->q.stream.nb_misses = 3;
	assert_int_equal(xstat(&d, "tx_lost_packets"), 5);
	assert_int_equal(xstat(&d, "tx_q0_kicks"), 10);
	sluice_stats_reset(&d.dev);
	assert_int_equal(xstat(&d, "tx_lost_packets"), 0);
	assert_int_equal(xstat(&d, "device_failures"), 0);
	assert_int_equal(xstat(&d, "tx_q0_kicks"), 0);
	assert_int_equal(xstat(&d, "tx_q0_dma_map_misses"), 0);
	d.shared.nb_tx_lost += 2;
	e->q.ring.nb_kicks += 4;
	assert_int_equal(xstat(&d, "tx_lost_packets"), 2);
	assert_int_equal(xstat(&d, "tx_q0_kicks"), 4);
	/* For a moment of a start. */
	e->q.ring.nb_kicks = 0;
	assert_int_equal(xstat(&d, "tx_q0_kicks"), 0);
	/* Queues that are configured, and not set up. */
	d.tx_queues[0] = NULL;
	assert_int_equal(xstat(&d, "tx_q0_kicks"), 0);
	sluice_stats_reset(&d.dev);
	env_close(e);
}

/*
 * Port-wide ones, then errors, then the rest: a list that is cut after 256 entries has what
 * matters.
 */
static void
test_order(void **state)
{
	static const char *const port_wide[] = { "device_failures", "device_connects",
		"tx_lost_packets", "rx_lost_packets", "unacked_buffers", "stranded_buffers",
		"announced_packets", "path_changes", "dma_maps", "dma_bytes", "dma_debug_reports" };
	static struct rte_eth_xstat_name names[1024];
	struct env *e = env_open_from(state, 0);
	static struct desk d;
	bool are_errors = true;
	int nb, i, k, nb_errors = 0;

	desk_init(&d, e->domain, NB_QUEUES);
	nb = sluice_xstats_get_names(&d.dev, NULL, 0);
	assert_int_equal(sluice_xstats_get(&d.dev, NULL, 0), nb);
	assert_int_equal(sluice_xstats_get_names(&d.dev, names, nb - 1), nb);
	assert_int_equal(names[nb - 1].name[0], '\0');
	assert_int_equal(sluice_xstats_get_names(&d.dev, names, nb), nb);
	for (i = 0; i < (int)RTE_DIM(port_wide); i++)
		assert_string_equal(names[i].name, port_wide[i]);
	for (; i < nb; i++) {
		bool is_error = strstr(names[i].name, "_errors") != NULL;

		fake_assert(are_errors || !is_error, "%s comes late", names[i].name);
		are_errors = is_error;
		nb_errors += is_error;
		for (k = 0; k < i; k++)
			assert_string_not_equal(names[i].name, names[k].name);
	}
	assert_int_equal(nb_errors, 13 * NB_QUEUES);
	env_close(e);
}

/* What the device has counted comes last, of devices that do so, and who reads it asks for more. */
static void
test_device_counters(void **state)
{
	static struct rte_eth_xstat_name names[1024];
	struct env *e = env_open_from(state, 0);
	static struct desk d;
	int nb;

	desk_init(&d, e->domain, NB_QUEUES);
	nb = sluice_xstats_get_names(&d.dev, NULL, 0);
	d.shared.has_device_stats = 1;
	assert_int_equal(sluice_xstats_get_names(&d.dev, names, RTE_DIM(names)), nb + 10);
	assert_string_equal(names[nb].name, "device_rx_notifications");
	assert_string_equal(names[nb + 9].name, "device_tx_malformed_drops");
	assert_int_equal(d.shared.wants_device_stats, 0);
	d.shared.device_rx[3] = 7;
	d.shared.device_tx[4] = 9;
	assert_int_equal(xstat(&d, "device_rx_drops"), 7);
	assert_int_equal(d.shared.wants_device_stats, 1);
	sluice_stats_reset(&d.dev);
	d.shared.device_tx[4] = 11;
	assert_int_equal(xstat(&d, "device_rx_drops"), 0);
	assert_int_equal(xstat(&d, "device_tx_malformed_drops"), 2);
	env_close(e);
}

static void *
device_comes_and_goes(void *arg)
{
	struct desk *d = arg;
	uint32_t has = 0;

	while (!__atomic_load_n(&d->is_over, __ATOMIC_RELAXED))
		__atomic_store_n(&d->shared.has_device_stats, has ^= 1, __ATOMIC_RELAXED);
	return NULL;
}

/* A device with counters of its own comes while others are read, into room for just these. */
static void
test_device_comes(void **state)
{
	static struct rte_eth_xstat values[1024];
	struct env *e = env_open_from(state, 0);
	static struct desk d;
	pthread_t thread;
	unsigned int i;
	int nb;

	desk_init(&d, e->domain, NB_QUEUES);
	nb = sluice_xstats_get_names(&d.dev, NULL, 0);
	values[nb].id = UINT64_MAX;
	assert_int_equal(pthread_create(&thread, NULL, device_comes_and_goes, &d), 0);
	for (i = 0; i < 5000; i++)
		assert_in_range(sluice_xstats_get(&d.dev, values, nb), nb, nb + 10);
	__atomic_store_n(&d.is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(values[nb].id == UINT64_MAX);
	env_close(e);
}

int
main(void)
{
	struct env_conf conf = { .is_tx = true, .size = 64 };

	env_pick_row(&conf);
	suite_add(test_reset_by_another_thread, &conf, "reset by another thread");
	suite_add(test_reset_of_all, &conf, "reset of all");
	suite_add(test_order, &conf, "order");
	suite_add(test_device_counters, &conf, "device counters");
	suite_add(test_device_comes, &conf, "device comes");
	return suite_run("stats");
}
