/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Cores that do not leave a burst when their port stops: what becomes of the buffers of their
 * queues, and of the others.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "park_steps.h"

/* A core that stays in a burst: its queue keeps its buffers until it leaves, the others do not. */
static void
test_stuck(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f;
	unsigned int i;
	uint32_t nb_rx;
	int64_t begin;

	(void)state;
	/* A back end that says that it stopped, one that says nothing, a PCI device. */
	for (i = 0; i < 3; i++) {
		conf.is_pci = i == 2;
		f = open_live(&conf);
		fake_context("%u", i);
		nb_rx = nb_out(f);
		assert_true(fake_port_send(f));
		f->rxq[0].q.in_burst = 1;
		if (i == 1)
			fake_transport_fail(&f->ft, 0, -ETIMEDOUT);
		begin = sluice_clock_ms();
		sluice_life_stop(f->port);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_QUIESCE_MS + SLUICE_END_MS + 10,
				"stop takes %d ms", (int)(sluice_clock_ms() - begin));
		assert_true(f->port->is_stuck);
		if (i == 1)
			fake_port_unpark(f);
		assert_int_equal(nb_out(f), nb_rx);
		/* The port cannot run meanwhile, and says so. */
		assert_int_equal(sluice_life_start(f->port), i == 1 ? 0 : -EBUSY);
		for (begin = 0; begin < 50; begin++)
			fake_port_turn(f, SLUICE_NEWS_PEER);
		assert_int_not_equal(f->port->life, SLUICE_LIVE);
		assert_int_equal(nb_out(f), nb_rx);
		f->rxq[0].q.in_burst = 0;
		fake_port_turn(f, SLUICE_NEWS_NONE);
		assert_false(f->port->is_stuck);
		fake_port_unpark(f);
		sluice_life_stop(f->port);
		fake_port_await(f, SLUICE_READY, 1100);
		assert_int_equal(sluice_life_start(f->port), 0);
		assert_int_equal(f->port->life, SLUICE_LIVE);
		assert_int_equal(nb_out(f), nb_rx);
		fake_port_close(f);
	}
}

/* The back end hangs up while a core is inside, which leaves with the last look, or later. */
static void
test_stuck_close(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f;
	unsigned int leaves;

	(void)state;
	for (leaves = 0; leaves < 2; leaves++) {
		f = open_live(&conf);
		f->rxq[0].q.in_burst = 1;
		f->ft.check_answer = -ECONNRESET;
		f->ft.is_there = false;
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_true(f->port->is_stuck);
		f->ft.is_given_up = true;
		f->rxq[0].q.in_burst = !leaves;
		sluice_life_close(f->port);
		assert_int_equal(nb_out(f) == 0, leaves);
		/*
		 * Nobody may take them as long as the core is inside; the test does, so that all is
		 * counted.
		 */
		if (!leaves)
			sluice_rxq_drain(&f->rxq[0], NULL);
		f->rxq[0].q.in_burst = 0;
		sluice_rings_drop(f->port);
		fake_port_close(f);
	}
}

/* No descriptor is to be had from here on, or again. */
static void
set_descriptors(bool are_there)
{
	static struct rlimit before;
	struct rlimit none;

	if (are_there) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		return;
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

/*
 * While a core is inside, the end of the back end is waited for with a second descriptor, which no
 * program that is started meanwhile gets. Without one it is the stuck queue's buffers that wait.
 */
static void
test_stuck_descriptors(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f;
	uint32_t nb_rx;
	bool are_there;

	(void)state;
	for (are_there = true;; are_there = false) {
		f = open_live(&conf);
		fake_context("%s descriptors", are_there ? "with" : "without");
		nb_rx = nb_out(f);
		assert_true(fake_port_send(f));
		f->rxq[0].q.in_burst = 1;
		/* The transmit queue's buffer goes back without its end. */
		f->ft.is_given_up = !are_there;
		if (!are_there)
			set_descriptors(false);
		cut_off(f);
		if (!are_there)
			set_descriptors(true);
		assert_true(f->port->stuck_eof_fd >= 0);
		assert_int_equal(fcntl(f->port->stuck_eof_fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(nb_out(f), nb_rx + are_there);
		f->ft.is_given_up = false;
		f->rxq[0].q.in_burst = 0;
		serve_after(f, 1000, nb_rx + are_there);
		assert_false(f->port->is_stuck);
		fake_port_unpark(f);
		assert_int_equal(nb_out(f), 0);
		fake_port_close(f);
		if (!are_there)
			break;
	}
}

int
main(void)
{
	suite_add(test_stuck, NULL, "stuck");
	suite_add(test_stuck_close, NULL, "close");
	suite_add(test_stuck_descriptors, NULL, "descriptors");
	return suite_run("stuck");
}
