/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Devices that come back with less, that are refused, or that are not there: what is taken, when it
 * is tried again, and what is said.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_log.h"
#include "fake_port.h"
#include "sluice_life_impl.h"

#define LESS \
	(SLUICE_BIT(SLUICE_F_RING_PACKED) | SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF) | \
			SLUICE_BIT(SLUICE_F_IN_ORDER))

/* Started, and nobody there. */
static struct fake_port *
open_waiting(const struct fake_port_conf *conf)
{
	struct fake_port *f = fake_port_open(conf);

	f->ft.is_there = false;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_WAITING);
	/* The first try is made at once. */
	fake_port_turn(f, SLUICE_NEWS_NONE);
	fake_transport_forget(&f->ft);
	return f;
}

static void
expect_tries(struct fake_port *f, const int64_t *pauses, unsigned int nb)
{
	int64_t last = sluice_clock_ms();
	unsigned int i, k = 0;

	fake_transport_forget(&f->ft);
	while (k < nb && sluice_clock_ms() - last < 2000) {
		fake_clock_add(1);
		fake_port_turn(f, SLUICE_NEWS_NONE);
		for (i = 0; i < f->ft.nb_calls; i++) {
			if (f->ft.calls[i].op != FAKE_CONNECT)
				continue;
			fake_assert(f->ft.calls[i].at - last == pauses[k],
					"try %u comes after %d ms, "
					"not %d",
					k, (int)(f->ft.calls[i].at - last), (int)pauses[k]);
			last = f->ft.calls[i].at;
			k++;
		}
		fake_transport_forget(&f->ft);
	}
	fake_assert(k == nb, "only %u tries", k);
}

static unsigned int
nb_lines(const char *log, const char *what)
{
	unsigned int nb = 0;

	for (; (log = strstr(log, what)) != NULL; log += strlen(what))
		nb++;
	return nb;
}

/* A client's back end is not there. */
static void
test_client(void **state)
{
	static const int64_t pauses[] = { 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000 };
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_waiting(&conf);
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	int timeout_ms;

	(void)state;
	sluice_life_poll_fds(f->port, pfds, &timeout_ms);
	assert_int_equal(timeout_ms, 1);
	fake_clock_add(1);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	expect_tries(f, pauses, RTE_DIM(pauses));
	/* Something happens in its folder: at once, and from the beginning. */
	fake_transport_forget(&f->ft);
	fake_port_turn(f, SLUICE_NEWS_PEER);
	assert_int_equal(f->ft.nb_by_op[FAKE_CONNECT], 1);
	fake_clock_add(1);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	expect_tries(f, pauses, 3);
	f->ft.is_there = true;
	fake_port_turn(f, SLUICE_NEWS_PEER);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	assert_int_equal(f->port->shared->nb_connects, 1);
	fake_port_close(f);
}

/* A server waits until somebody comes, and for nothing else. */
static void
test_server(void **state)
{
	struct fake_port_conf conf = { .is_server = true };
	struct fake_port *f = open_waiting(&conf);
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	int timeout_ms;

	(void)state;
	sluice_life_poll_fds(f->port, pfds, &timeout_ms);
	assert_int_equal(timeout_ms, -1);
	f->ft.is_there = true;
	fake_port_turn(f, SLUICE_NEWS_PEER);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	fake_port_close(f);
}

/* Refused, by a client and by a server: said once, and tried less and less often. */
static void
test_refused(void **state)
{
	static const int64_t pauses[] = { 20, 40, 80, 160, 320, 640, 1000, 1000 };
	struct fake_port_conf conf = { .rx_offloads = RTE_ETH_RX_OFFLOAD_UDP_CKSUM };
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	struct fake_port *f;
	unsigned int i, nb;
	int timeout_ms;
	const char *log;

	(void)state;
	for (i = 0; i < 4; i++) {
		conf.is_server = i % 2;
		conf.nb_pairs = i < 2 ? 1 : 2;
		conf.rx_offloads = i < 2 ? RTE_ETH_RX_OFFLOAD_UDP_CKSUM : 0;
		f = open_waiting(&conf);
		fake_context("%u", i);
		f->ft.is_there = true;
		if (i < 2)
			f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM);
		else
			f->ft.info.nb_pairs_max = 1;
		fake_log_begin();
		/* The way of the first one is known: it is what the folder or the socket said. */
		fake_port_turn(f, SLUICE_NEWS_PEER);
		assert_int_equal(f->ft.nb_by_op[FAKE_CONNECT], 1);
		sluice_life_poll_fds(f->port, pfds, &timeout_ms);
		assert_int_equal(timeout_ms, 10);
		fake_clock_add(10);
		fake_port_turn(f, SLUICE_NEWS_NONE);
		expect_tries(f, pauses, RTE_DIM(pauses));
		log = fake_log_end();
		nb = nb_lines(log, "\n");
		fake_assert(nb == 1, "%u lines: %s", nb, log);
		fake_assert(strstr(log,
					    i < 2 ? "does not offer GUEST_CSUM" :
						    "has 1 queue pairs") != NULL,
				"%s", log);
		assert_int_equal(f->port->life, SLUICE_WAITING);
		/* One that has it is taken. */
		f->ft.info.features = UINT64_MAX;
		f->ft.info.nb_pairs_max = 2;
		fake_port_await(f, SLUICE_LIVE, 1001);
		fake_port_close(f);
	}
}

/* A server's visitor that cannot be made to run is as one that is refused. */
static void
test_fails(void **state)
{
	struct fake_port_conf conf = { .is_server = true };
	struct fake_port *f = open_waiting(&conf);
	unsigned int i;

	(void)state;
	f->ft.is_there = true;
	for (i = 0; i < 5; i++) {
		fake_transport_forget(&f->ft);
		fake_transport_fail(&f->ft, 1, -EPROTO);
		fake_port_turn(f, SLUICE_NEWS_PEER);
		assert_int_equal(f->ft.nb_by_op[FAKE_DISCONNECT], 1);
		assert_int_equal(f->port->retry_at - sluice_clock_ms(), 10 << i);
		fake_clock_add((10 << i) - 1);
		fake_port_turn(f, SLUICE_NEWS_PEER);
		assert_int_equal(f->ft.nb_by_op[FAKE_CONNECT], 1);
		fake_clock_add(1);
	}
	fake_port_unpark(f);
	fake_pool_assert_full(f->pool);
	fake_port_close(f);
}

static void
go_away(struct fake_port *f)
{
	fake_transport_hang_up(&f->ft, f->ft.nb_links - 1);
	f->ft.check_answer = -ECONNRESET;
	f->ft.is_there = false;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->life, SLUICE_WAITING);
	f->ft.is_there = true;
}

/* Packed rings, then split ones without order and mergeable buffers, then packed ones again. */
static void
test_less(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_waiting(&conf);
	uint16_t (*rx_burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
	uint16_t (*tx_burst)(void *txq, struct rte_mbuf **pkts, uint16_t nb);
	uint32_t rx_run, tx_run;
	uint64_t nb_changes;
	struct rte_mbuf *pkts[2];
	struct fake_dev dev;
	unsigned int i;
	const char *log;

	(void)state;
	f->ft.is_there = true;
	fake_port_await(f, SLUICE_LIVE, 20);
	for (i = 0; i < 4; i++) {
		rx_burst = f->dev.rx_pkt_burst;
		tx_burst = f->dev.tx_pkt_burst;
		rx_run = f->rxq[0].q.run;
		tx_run = f->txq[0].q.run;
		nb_changes = f->port->shared->nb_path_changes;
		go_away(f);
		f->ft.info.features ^= LESS;
		fake_log_begin();
		fake_port_await(f, SLUICE_LIVE, 20);
		log = fake_log_end();
		/* What is missing is said once since the start. */
		assert_int_equal(nb_lines(log, "going on without"), i == 0);
		if (i == 0)
			assert_non_null(strstr(
					log, "does not offer MRG_RXBUF RING_PACKED IN_ORDER"));
		assert_int_equal(f->port->shared->nb_path_changes, nb_changes + 1);
		assert_int_not_equal(f->rxq[0].q.run, rx_run);
		assert_int_not_equal(f->txq[0].q.run, tx_run);
		assert_int_equal(f->ft.vqs[0].is_packed, i % 2);
		/*
		 * A core that still has the functions of the device before gets and gives nothing.
		 */
		fake_port_device(f, 1, &dev);
		pkts[0] = fake_mbuf(f->pool, RTE_PKTMBUF_HEADROOM, 60);
		assert_int_equal(rx_burst(&f->rxq[0], &pkts[1], 1), 0);
		assert_int_equal(tx_burst(&f->txq[0], pkts, 1), 0);
		assert_int_equal(fake_dev_poll(&dev), 0);
		assert_int_equal(f->dev.tx_pkt_burst(&f->txq[0], pkts, 1), 1);
		assert_int_equal(fake_dev_poll(&dev), 1);
		fake_dev_fini(&dev);
		fake_port_unpark(f);
	}
	fake_port_close(f);
}

/* A started port that is connected, and one that expected more: the start says what is missing. */
static void
test_start(void **state)
{
	struct fake_port_conf conf = { .rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_CKSUM };
	struct fake_port *f = fake_port_open(&conf);
	struct sluice_device_info info;
	const char *log;

	(void)state;
	assert_false(sluice_dev_info(f->port, &info));
	f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM);
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_true(sluice_dev_info(f->port, &info));
	assert_int_equal(info.features, f->ft.info.features);
	fake_log_begin();
	assert_int_equal(sluice_life_start(f->port), -ENOTSUP);
	log = fake_log_end();
	assert_non_null(strstr(log, "GUEST_CSUM"));
	assert_int_equal(f->port->life, SLUICE_READY);
	/* Queues that are not there. */
	f->data.dev_conf.rxmode.offloads = 0;
	f->data.tx_queues[0] = NULL;
	assert_int_equal(sluice_life_start(f->port), -EINVAL);
	f->data.tx_queues[0] = &f->txq[0];
	assert_int_equal(f->port->life, SLUICE_READY);
	assert_int_equal(sluice_life_start(f->port), 0);
	fake_port_close(f);

	/* Between the configuration and the start another one comes, which has fewer queues. */
	conf = (struct fake_port_conf){ .nb_pairs = 2 };
	f = fake_port_open(&conf);
	assert_int_equal(sluice_life_probe(f->port), 0);
	f->ft.check_answer = -ECONNRESET;
	f->ft.info.nb_pairs_max = 1;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	fake_port_await(f, SLUICE_READY, 20);
	assert_int_equal(f->port->info.nb_pairs_max, 1);
	fake_log_begin();
	assert_int_equal(sluice_life_start(f->port), -ENOTSUP);
	log = fake_log_end();
	fake_assert(strstr(log, "has 1 queue pairs: configure fewer") != NULL, "%s", log);
	assert_int_equal(f->ft.nb_begins, 0);
	f->data.nb_rx_queues = 1;
	f->data.nb_tx_queues = 1;
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	/* One that is started waits for one that has them. */
	sluice_life_stop(f->port);
	f->data.nb_rx_queues = 2;
	f->data.nb_tx_queues = 2;
	f->ft.is_there = false;
	f->ft.check_answer = -ECONNRESET;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_WAITING);
	f->ft.info.nb_pairs_max = 2;
	f->ft.is_there = true;
	fake_port_await(f, SLUICE_LIVE, 20);
	fake_port_close(f);

	/* Split rings need a power of two. */
	f = fake_port_open(&conf);
	f->ft.info.features = SLUICE_BIT(SLUICE_F_VERSION_1);
	f->port->args.queue_size = 100;
	assert_int_equal(sluice_life_probe(f->port), -ENOTSUP);
	assert_false(f->ft.is_connected);
	fake_port_close(f);
}

/* The process stands still for longer than a start may take. */
static struct fake_port *late;

static void
go_on_late(void)
{
	fake_clock_on_sleep = NULL;
	fake_clock_add(2 * SLUICE_HANDSHAKE_MS);
	pthread_mutex_unlock(&late->port->lock);
}

/* A start that got the lock too late has no time left, and fails. */
static void
test_late(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };

	(void)state;
	late = fake_port_open(&conf);
	assert_int_equal(sluice_life_probe(late->port), 0);
	late->ft.delay_ms = 1;
	pthread_mutex_lock(&late->port->lock);
	fake_clock_on_sleep = go_on_late;
	assert_int_equal(sluice_life_start(late->port), -ETIMEDOUT);
	assert_int_equal(late->port->life, SLUICE_ABSENT);
	late->ft.delay_ms = 0;
	assert_int_equal(sluice_life_start(late->port), 0);
	fake_port_await(late, SLUICE_LIVE, 20);
	fake_port_close(late);
}

/* A back end that ends each connection at once does not keep the control thread busy. */
static void
test_ends_at_once(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_waiting(&conf);
	unsigned int i, nb = 0;

	(void)state;
	f->ft.is_there = true;
	fake_port_await(f, SLUICE_LIVE, 20);
	for (i = 0; i < 1000; i++) {
		if (f->port->life == SLUICE_LIVE) {
			fake_transport_hang_up(&f->ft, f->ft.nb_links - 1);
			f->ft.check_answer = -ECONNRESET;
		}
		fake_transport_forget(&f->ft);
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		nb += f->ft.nb_by_op[FAKE_CONNECT];
		fake_clock_add(1);
	}
	/* Each time after the same pause, so that one that was restarted is found soon. */
	fake_assert(nb >= 90 && nb <= 100, "%u connections in a second", nb);
	/* One that stayed is tried again at once. */
	fake_port_await(f, SLUICE_LIVE, 20);
	fake_clock_add(SLUICE_STEADY_MS);
	fake_transport_hang_up(&f->ft, f->ft.nb_links - 1);
	f->ft.check_answer = -ECONNRESET;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	fake_port_close(f);
}

/*
 * ethdev takes its tables of queues away before it says that there are none, and waits for nobody:
 * a device that leaves a port just then is let go all the same.
 */
static void
test_tables_go(void **state)
{
	struct fake_port_conf conf = { .nb_pairs = 2 };
	struct fake_port *f = fake_port_open(&conf);

	(void)state;
	assert_int_equal(sluice_life_probe(f->port), 0);
	f->data.rx_queues = NULL;
	f->data.tx_queues = NULL;
	f->ft.check_answer = -ECONNRESET;
	f->ft.is_there = false;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->life, SLUICE_ABSENT);
	f->data.rx_queues = f->rx_queues;
	f->data.tx_queues = f->tx_queues;
	f->ft.check_answer = 0;
	f->ft.is_there = true;
	fake_port_await(f, SLUICE_READY, 2000);
	assert_int_equal(sluice_life_start(f->port), 0);
	fake_port_close(f);
}

int
main(void)
{
	suite_add(test_client, NULL, "client");
	suite_add(test_server, NULL, "server");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_fails, NULL, "fails");
	suite_add(test_less, NULL, "less");
	suite_add(test_start, NULL, "start");
	suite_add(test_late, NULL, "late");
	suite_add(test_ends_at_once, NULL, "ends at once");
	suite_add(test_tables_go, NULL, "tables go");
	return suite_run("retry");
}
