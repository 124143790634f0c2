/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Failures injected at each call of start, stop and reconnect: what a device answers, and what the
 * C library and the kernel give. After each one every mbuf comes back, no descriptor is left, and
 * the next start works.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_port.h"

enum step { STEP_PROBE, STEP_START, STEP_RECONNECT, STEP_STOP, STEP_CLOSE, NB_STEPS };

static const char *const step_names[] = { "probe", "start", "reconnect", "stop", "close" };

static const int errors[] = { -EREMOTEIO, -ETIMEDOUT, -ECONNRESET, -EPROTO, -ENOMEM };

/* Up to where the step is tried. */
static void
prepare(struct fake_port *f, enum step step)
{
	if (step == STEP_PROBE)
		return;
	f->ft.is_there = step != STEP_RECONNECT;
	assert_int_equal(sluice_life_probe(f->port), 0);
	if (step >= STEP_RECONNECT)
		assert_int_equal(sluice_life_start(f->port), 0);
	f->ft.is_there = true;
	fake_clock_add(1);
}

static void
try_step(struct fake_port *f, enum step step)
{
	if (step == STEP_PROBE)
		sluice_life_probe(f->port);
	else if (step == STEP_START)
		sluice_life_start(f->port);
	else if (step == STEP_RECONNECT)
		fake_port_turn(f, SLUICE_NEWS_PEER);
	else if (step == STEP_STOP)
		sluice_life_stop(f->port);
}

/* A whole life, whatever was before. */
static void
recover(struct fake_port *f)
{
	if (f->port->life >= SLUICE_WAITING)
		sluice_life_stop(f->port);
	fake_assert(f->port->life <= SLUICE_READY, "%s", sluice_life_name(f->port->life));
	/* Either way a start works: it finds a device, or waits for the next. */
	fake_assert(sluice_life_start(f->port) == 0, "the next start fails");
	fake_port_await(f, SLUICE_LIVE, 1100);
	fake_assert(fake_port_send(f), "nothing can be sent");
	sluice_life_stop(f->port);
	assert_int_equal(f->port->life, SLUICE_READY);
	fake_port_unpark(f);
	fake_pool_assert_full(f->pool);
	fake_assert(!f->port->is_stuck, "a core is looked for that is nowhere");
}

/* How many exchanges a step has. */
static uint32_t
count_talks(const struct fake_port_conf *conf, enum step step)
{
	struct fake_port *f = fake_port_open(conf);
	uint32_t nb = 0, i;

	prepare(f, step);
	fake_transport_forget(&f->ft);
	try_step(f, step);
	if (step == STEP_CLOSE) {
		f->ft.is_given_up = true;
		sluice_life_close(f->port);
	}
	for (i = 0; i < FAKE_NB_TALKS; i++)
		nb += f->ft.nb_by_op[i];
	fake_port_close(f);
	return nb;
}

static void
try_answer(const struct fake_port_conf *conf, enum step step, uint32_t nth, int error)
{
	struct fake_port *f = fake_port_open(conf);

	fake_context("%s: %s, exchange %u is answered with %d", conf->is_pci ? "pci" : "vhost-user",
			step_names[step], nth, error);
	prepare(f, step);
	fake_transport_fail(&f->ft, nth, error);
	if (step == STEP_CLOSE) {
		f->ft.is_given_up = true;
		sluice_life_close(f->port);
	} else {
		try_step(f, step);
		fake_assert(f->ft.fail_at == FAKE_NEVER, "it was never asked");
		recover(f);
	}
	fake_port_close(f);
}

static void
test_answers(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	uint32_t nb, nth;
	unsigned int pci, step, e;

	(void)state;
	for (pci = 0; pci < 2; pci++)
		for (step = 0; step < NB_STEPS; step++) {
			conf.is_pci = pci;
			nb = count_talks(&conf, step);
			assert_in_range(nb, 1, 20);
			for (nth = 0; nth < nb; nth++)
				for (e = 0; e < RTE_DIM(errors); e++)
					try_answer(&conf, step, nth, errors[e]);
		}
}

/* True: the step has that many calls. */
static bool
try_fault(const struct fake_port_conf *conf, enum step step, uint32_t nth)
{
	struct fake_port *f = fake_port_open(conf);
	uint32_t nb;

	fake_context("%s: %s, call %u fails", conf->is_pci ? "pci" : "vhost-user", step_names[step],
			nth);
	prepare(f, step);
	fake_fault_arm(nth);
	if (step == STEP_CLOSE) {
		f->ft.is_given_up = true;
		sluice_life_close(f->port);
	} else {
		try_step(f, step);
	}
	nb = fake_fault_disarm();
	if (step != STEP_CLOSE)
		recover(f);
	fake_port_close(f);
	return nth < nb;
}

static void
test_faults(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	unsigned int pci, step;
	uint32_t nth;

	(void)state;
	for (pci = 0; pci < 2; pci++)
		for (step = STEP_START; step < NB_STEPS; step++) {
			conf.is_pci = pci;
			for (nth = 0; try_fault(&conf, step, nth); nth++)
				;
			fake_assert(nth >= 2, "%s has %u calls that can fail", step_names[step],
					nth);
		}
}

/* The device goes away while there is no memory to park its buffers. */
static void
test_gone(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f;
	uint32_t nth, nb;

	(void)state;
	for (nth = 0, nb = 1; nth < nb; nth++) {
		f = fake_port_open(&conf);
		prepare(f, STEP_STOP);
		fake_context("the back end hangs up, call %u fails", nth);
		assert_true(fake_port_send(f));
		fake_transport_hang_up(&f->ft, 0);
		f->ft.check_answer = -ECONNRESET;
		f->ft.is_there = false;
		fake_fault_arm(nth);
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		nb = fake_fault_disarm();
		assert_int_equal(f->port->life, SLUICE_WAITING);
		assert_int_equal(f->port->shared->nb_tx_lost, 1);
		f->ft.is_there = true;
		recover(f);
		fake_port_close(f);
	}
	assert_in_range(nb, 3, 50);
}

int __poll_chk(struct pollfd *pfds, nfds_t nb, int timeout_ms, size_t len);

/* Who waits while the clock stands moves it, whichever of its names a compiler gave to poll(). */
static void
test_waits(void **state)
{
	struct pollfd pfd = { .fd = -1 };

	(void)state;
	fake_clock_set(0);
	assert_int_equal(poll(&pfd, 1, 1000), 0);
	assert_int_equal(sluice_clock_ms(), 1000);
	assert_int_equal(__poll_chk(&pfd, 1, 1000, sizeof(pfd)), 0);
	assert_int_equal(sluice_clock_ms(), 2000);
}

/*
 * Only one that does not answer on its bus is removed: ethdev remembers that, and what was deleted
 * may come again.
 */
static void
test_removed(void **state)
{
	struct fake_port_conf conf = { .is_pci = true };
	struct fake_port *f = fake_port_open(&conf);

	(void)state;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_false(sluice_dev_is_removed(f->port));
	f->ft.state.is_gone = true;
	assert_true(sluice_dev_is_removed(f->port));
	f->ft.ops.flags &= ~SLUICE_TRANSPORT_HAS_REGISTERS;
	assert_false(sluice_dev_is_removed(f->port));
	fake_port_close(f);
}

int
main(void)
{
	suite_add(test_answers, NULL, "answers");
	suite_add(test_faults, NULL, "faults");
	suite_add(test_gone, NULL, "gone");
	suite_add(test_waits, NULL, "waits");
	suite_add(test_removed, NULL, "removed");
	return suite_run("fault");
}
