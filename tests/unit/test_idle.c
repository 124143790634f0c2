/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Buffers of transmit queues that fall silent (idle_reclaim). */

#include <string.h>

#include <rte_mbuf.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"

#define BACK_MS 100 /* after the last packet all are back */

static enum sluice_isolation isolation;

static struct fake_port *
open_live(unsigned int i, bool is_asked, unsigned int pool_flags, struct fake_dev *dev)
{
	struct fake_port_conf conf = { .is_split = i % 2 != 0, .pool_flags = pool_flags };
	struct fake_port *f = fake_port_open(&conf);

	f->port->args.is_idle_reclaim = is_asked;
	f->port->args.isolation = isolation;
	fake_port_live(f);
	fake_port_device(f, SLUICE_VQ_TX(0), dev);
	return f;
}

/* The control thread does what is due, and sleeps for no longer than it says. */
static void
pass(struct fake_port *f, unsigned int ms)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	int timeout;

	for (; ms != 0; ms--) {
		sluice_life_poll_fds(f->port, pfds, &timeout);
		fake_clock_add(1);
		if (timeout <= 1)
			fake_port_turn(f, SLUICE_NEWS_NONE);
	}
}

static uint16_t
nb_in_flight(const struct fake_port *f)
{
	return sluice_ring_nb_in_flight(&f->txq[0].q.ring);
}

static void
close_port(struct fake_port *f, struct fake_dev *dev)
{
	fake_dev_fini(dev);
	sluice_life_stop(f->port);
	fake_port_close(f);
}

static void
complete(struct fake_dev *dev, uint32_t nb)
{
	fake_dev_poll(dev);
	fake_dev_complete(dev, nb, FAKE_ONE_BY_ONE);
}

static void
test_back_in_time(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 4; i++) {
		f = open_live(i, i / 2 == 0, 0, &dev);
		for (n = 0; n < 5; n++)
			assert_true(fake_port_send(f));
		complete(&dev, 5);
		pass(f, BACK_MS);
		/* Who did not ask for it has them until the next burst, or the stop. */
		assert_int_equal(nb_in_flight(f), i / 2 == 0 ? 0 : 5);
		/* What the device has it keeps, and gives back when it is done. */
		assert_true(fake_port_send(f));
		pass(f, BACK_MS);
		n = nb_in_flight(f);
		assert_int_not_equal(n, 0);
		complete(&dev, 1);
		pass(f, BACK_MS);
		assert_int_equal(nb_in_flight(f), i / 2 == 0 ? 0 : n);
		assert_true(fake_port_send(f));
		close_port(f, &dev);
	}
}

/* A queue that is used is left alone, and so is one that the application holds back. */
static void
test_not_idle(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open_live(i, true, 0, &dev);
		for (n = 0; n < 30; n++) {
			assert_true(fake_port_send(f));
			complete(&dev, 1);
			pass(f, 10);
			assert_int_equal(nb_in_flight(f), n + 1);
		}
		f->txq[0].q.in_burst = 1;
		pass(f, BACK_MS);
		assert_int_equal(nb_in_flight(f), 30);
		assert_true(sluice_queue_is_running(&f->txq[0].q));
		f->txq[0].q.in_burst = 0;
		pass(f, BACK_MS);
		assert_int_equal(nb_in_flight(f), 0);
		close_port(f, &dev);
	}
}

/* The control thread may not put into such a pool: the queue keeps its buffers, and it is said. */
static void
test_one_core_pool(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open_live(i, true, RTE_MEMPOOL_F_SP_PUT, &dev);
		assert_true(fake_port_send(f));
		complete(&dev, 1);
		pass(f, 3 * BACK_MS);
		assert_int_equal(nb_in_flight(f), 1);
		assert_true(f->port->was_idle_told);
		assert_true(sluice_queue_is_running(&f->txq[0].q));
		close_port(f, &dev);
	}
}

/* Buffers whose data were copied are back already. */
static void
test_copy(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	isolation = SLUICE_ISOLATION_COPY;
	for (i = 0; i < 2; i++) {
		f = open_live(i, true, RTE_MEMPOOL_F_SP_PUT, &dev);
		assert_true(sluice_cells_are_used(&f->txq[0].cells));
		assert_true(fake_port_send(f));
		complete(&dev, 1);
		pass(f, 3 * BACK_MS);
		assert_false(f->port->was_idle_told);
		assert_true(sluice_queue_is_running(&f->txq[0].q));
		close_port(f, &dev);
	}
	isolation = SLUICE_ISOLATION_SCOPED;
}

/* A lie that the pass meets fails the port, as one that a burst meets. */
static void
test_lie(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open_live(i, true, 0, &dev);
		assert_true(fake_port_send(f));
		fake_dev_poll(&dev);
		if (i == 0)
			fake_dev_lie_used(&dev, 63, 0);
		else
			fake_dev_complete(&dev, 1, FAKE_ONE_BY_ONE);
		if (i == 1)
			fake_dev_lie_used(&dev, 7, 0);
		pass(f, 2 * BACK_MS);
		assert_int_equal(f->port->life, SLUICE_FAILED);
		assert_int_equal(f->nb_failed, 1);
		fake_port_unpark(f);
		close_port(f, &dev);
	}
}

int
main(void)
{
	suite_add(test_back_in_time, NULL, "back_in_time");
	suite_add(test_not_idle, NULL, "not_idle");
	suite_add(test_one_core_pool, NULL, "one_core_pool");
	suite_add(test_copy, NULL, "copy");
	suite_add(test_lie, NULL, "lie");
	return suite_run("idle");
}
