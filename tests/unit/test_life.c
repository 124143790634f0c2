/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port's life over a transport that does what a script says: each cell of the table of states and
 * events, the order in which a device is let go, and the time that it may take.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_log.h"
#include "fake_port.h"

#define CLIENT \
	{ \
		.is_pci = false \
	}

/* Where the port was when the device was told of features: connected, and not live yet. */
static enum sluice_life at_begin;

static void
note_begin(struct fake_transport *ft, enum fake_op op)
{
	struct fake_port *f = (void *)((char *)ft - offsetof(struct fake_port, ft));
	uint16_t i;

	if (op == FAKE_BEGIN)
		at_begin = f->port->life;
	if (op != FAKE_VQ_STOP && op != FAKE_RESET)
		return;
	for (i = 0; i < f->conf.nb_pairs; i++)
		if (f->rxq[i].q.state != SLUICE_QUEUE_STOPPED ||
				f->txq[i].q.state != SLUICE_QUEUE_STOPPED)
			fake_error("the device is stopped before the datapath");
}

static void
probe(struct fake_port *f)
{
	assert_int_equal(sluice_life_probe(f->port), 0);
}

static void
start(struct fake_port *f)
{
	assert_int_equal(sluice_life_start(f->port), 0);
}

static void
break_it(struct fake_port *f)
{
	sluice_queue_break(&f->rxq[0].q, SLUICE_FAIL_BAD_ID);
	f->ft.is_there = false;
	fake_port_turn(f, SLUICE_NEWS_NONE);
}

/* By the ways that an application has. */
static void
reach(struct fake_port *f, enum sluice_life life)
{
	f->ft.on_talk = note_begin;
	f->ft.is_there = life != SLUICE_ABSENT && life != SLUICE_WAITING;
	probe(f);
	if (life >= SLUICE_WAITING)
		start(f);
	if (life == SLUICE_FAILED)
		break_it(f);
	assert_int_equal(f->port->life, life);
	at_begin = SLUICE_NB_LIVES;
	fake_transport_forget(&f->ft);
}

static void
do_connect(struct fake_port *f)
{
	f->ft.is_there = true;
	fake_port_await(f, f->port->life == SLUICE_ABSENT ? SLUICE_READY : SLUICE_LIVE, 5);
}

static void
do_stop(struct fake_port *f)
{
	sluice_life_stop(f->port);
}

static void
do_close(struct fake_port *f)
{
	sluice_life_close(f->port);
}

/* What is connected hangs up; who comes meanwhile is gone in the middle of its handshake. */
static void
do_go(struct fake_port *f)
{
	bool was_connected = f->ft.is_connected;

	f->ft.check_answer = -ECONNRESET;
	f->ft.state.is_gone = f->ft.is_pci;
	f->ft.is_there = !was_connected;
	if (!was_connected)
		fake_transport_fail(&f->ft, f->port->life == SLUICE_WAITING ? 1 : 0, -ECONNRESET);
	fake_clock_add(1000);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_false(f->ft.is_connected);
	if (f->port->life == SLUICE_FAILED)
		assert_int_equal(f->ft.nb_calls, 0);
	else
		assert_int_equal(f->ft.nb_by_op[FAKE_DISCONNECT], 1);
}

/* The rows that X(from, event, to) has in sluice_states.c. */
static const struct cell {
	enum sluice_life from;
	enum sluice_life_event event;
	void (*act)(struct fake_port *f);
	enum sluice_life to;
	/* "to" is seen in the middle of what happens, when the features are told */
	bool is_on_the_way;
	enum sluice_life then;
} cells[] = {
	{ SLUICE_ABSENT, SLUICE_ON_CONNECT, do_connect, SLUICE_READY, false, SLUICE_READY },
	{ SLUICE_ABSENT, SLUICE_ON_START, start, SLUICE_WAITING, false, SLUICE_WAITING },
	{ SLUICE_ABSENT, SLUICE_ON_STOP, do_stop, SLUICE_ABSENT, false, SLUICE_ABSENT },
	{ SLUICE_ABSENT, SLUICE_ON_GONE, do_go, SLUICE_ABSENT, false, SLUICE_ABSENT },
	{ SLUICE_ABSENT, SLUICE_ON_CLOSE, do_close, SLUICE_CLOSED, false, SLUICE_CLOSED },
	{ SLUICE_READY, SLUICE_ON_START, start, SLUICE_WAITING, true, SLUICE_LIVE },
	{ SLUICE_READY, SLUICE_ON_STOP, do_stop, SLUICE_READY, false, SLUICE_READY },
	{ SLUICE_READY, SLUICE_ON_GONE, do_go, SLUICE_ABSENT, false, SLUICE_ABSENT },
	{ SLUICE_READY, SLUICE_ON_CLOSE, do_close, SLUICE_CLOSED, false, SLUICE_CLOSED },
	{ SLUICE_WAITING, SLUICE_ON_CONNECT, do_connect, SLUICE_WAITING, true, SLUICE_LIVE },
	{ SLUICE_WAITING, SLUICE_ON_LIVE, do_connect, SLUICE_LIVE, false, SLUICE_LIVE },
	{ SLUICE_WAITING, SLUICE_ON_STOP, do_stop, SLUICE_ABSENT, false, SLUICE_ABSENT },
	{ SLUICE_WAITING, SLUICE_ON_GONE, do_go, SLUICE_WAITING, false, SLUICE_WAITING },
	{ SLUICE_WAITING, SLUICE_ON_CLOSE, do_close, SLUICE_CLOSED, false, SLUICE_CLOSED },
	{ SLUICE_LIVE, SLUICE_ON_STOP, do_stop, SLUICE_READY, false, SLUICE_READY },
	{ SLUICE_LIVE, SLUICE_ON_GONE, do_go, SLUICE_WAITING, false, SLUICE_WAITING },
	{ SLUICE_LIVE, SLUICE_ON_BROKEN, break_it, SLUICE_FAILED, false, SLUICE_FAILED },
	{ SLUICE_LIVE, SLUICE_ON_CLOSE, do_close, SLUICE_CLOSED, false, SLUICE_CLOSED },
	{ SLUICE_FAILED, SLUICE_ON_STOP, do_stop, SLUICE_ABSENT, false, SLUICE_ABSENT },
	{ SLUICE_FAILED, SLUICE_ON_GONE, do_go, SLUICE_FAILED, false, SLUICE_FAILED },
	{ SLUICE_FAILED, SLUICE_ON_CLOSE, do_close, SLUICE_CLOSED, false, SLUICE_CLOSED },
};

static void
try_cell(const struct cell *c, const struct fake_port_conf *conf)
{
	struct fake_port *f = fake_port_open(conf);

	fake_context("%s: %s while %s", conf->is_pci ? "pci" : "vhost-user",
			sluice_life_event_name(c->event), sluice_life_name(c->from));
	reach(f, c->from);
	/* Its buffers count as unacknowledged when it is closed. */
	f->ft.is_given_up = c->event == SLUICE_ON_CLOSE;
	c->act(f);
	fake_assert(sluice_life_after(c->from, c->event) == c->to, "the table has %s",
			sluice_life_name(sluice_life_after(c->from, c->event)));
	if (c->is_on_the_way)
		fake_assert(at_begin == c->to, "on the way it is %s", sluice_life_name(at_begin));
	fake_assert(f->port->life == c->then, "it is %s", sluice_life_name(f->port->life));
	fake_port_close(f);
}

static void
test_cells(void **state)
{
	static const struct fake_port_conf confs[] = { { .is_pci = true }, CLIENT,
		{ .is_server = true } };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < RTE_DIM(cells); i++)
		for (k = 0; k < RTE_DIM(confs); k++)
			/*
			 * A device with registers does not hang up: when it is gone while it runs
			 * it failed.
			 */
			if (!confs[k].is_pci || cells[i].from != SLUICE_LIVE ||
					cells[i].event != SLUICE_ON_GONE)
				try_cell(&cells[i], &confs[k]);
}

/* Each row of the table has its cell above. */
static void
test_table(void **state)
{
	unsigned int life, event, nb = 0;

	(void)state;
	for (life = 0; life < SLUICE_NB_LIVES; life++)
		for (event = 0; event < SLUICE_NB_LIFE_EVENTS; event++)
			nb += sluice_life_after(life, event) != SLUICE_NB_LIVES;
	assert_int_equal(nb, RTE_DIM(cells));
	assert_string_equal(sluice_life_name(SLUICE_NB_LIVES), "none");
	assert_string_equal(sluice_life_event_name(SLUICE_NB_LIFE_EVENTS), "none");
}

static void
expect_calls(struct fake_port *f, const char *calls)
{
	fake_assert(strcmp(fake_transport_calls(&f->ft), calls) == 0, "%s",
			fake_transport_calls(&f->ft));
	fake_transport_forget(&f->ft);
}

/*
 * What the device is told, and in which order; that buffers go back behind it is checked by the
 * transport.
 */
static void
test_order(void **state)
{
	struct fake_port_conf conf = CLIENT;
	struct fake_port *f;
	unsigned int pci;

	(void)state;
	for (pci = 0; pci < 2; pci++) {
		conf.is_pci = pci;
		f = fake_port_open(&conf);
		f->ft.on_talk = note_begin;
		probe(f);
		expect_calls(f, "CONNECT");
		start(f);
		/* An IOMMU knows the rings as soon as there are any. */
		expect_calls(f,
				pci ? "PUBLISH BEGIN PUBLISH VQ_START 0 VQ_START 1 COMMIT" :
				      "BEGIN PUBLISH VQ_START 0 VQ_START 1 COMMIT");
		do_stop(f);
		expect_calls(f,
				pci ? "VQ_STOP 0 VQ_STOP 1 RESET REVOKE" :
				      "VQ_STOP 0 VQ_STOP 1 RESET");
		fake_pool_assert_full(f->pool);
		start(f);
		fake_transport_forget(&f->ft);
		break_it(f);
		expect_calls(f, pci ? "DISCONNECT REVOKE" : "DISCONNECT");
		/* What can be taken away is; of the other nobody knows yet. */
		assert_true((f->pool->nb_free == f->pool->conf.nb) == pci);
		f->ft.is_there = true;
		do_stop(f);
		fake_port_await(f, SLUICE_READY, 5);
		fake_transport_forget(&f->ft);
		sluice_life_reset(f->port);
		expect_calls(f, pci ? "DISCONNECT REVOKE" : "DISCONNECT");
		assert_int_equal(f->port->life, SLUICE_ABSENT);
		fake_port_await(f, SLUICE_READY, 5);
		assert_int_equal(f->port->failure, SLUICE_FAIL_NONE);
		fake_port_unpark(f);
		fake_pool_assert_full(f->pool);
		fake_port_close(f);
	}
}

/* The application hears of each failure once, and of each change of the link. */
static void
test_events(void **state)
{
	struct fake_port_conf conf = CLIENT;
	struct fake_port *f = fake_port_open(&conf);

	(void)state;
	reach(f, SLUICE_WAITING);
	do_connect(f);
	assert_true(f->news.has_link_changed);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_false(f->news.has_link_changed);
	break_it(f);
	assert_true(f->news.has_link_changed && f->news.has_failed);
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->nb_failed, 1);
	assert_int_equal(f->port->shared->nb_failures, 1);
	assert_int_equal(f->port->failure, SLUICE_FAIL_BAD_ID);
	fake_port_close(f);

	conf.is_pci = true;
	f = fake_port_open(&conf);
	reach(f, SLUICE_LIVE);
	f->ft.state.is_link_up = false;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_true(f->news.has_link_changed && !f->port->is_link_up);
	f->ft.state.needs_reset = true;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->failure, SLUICE_FAIL_NEEDS_RESET);
	assert_false(f->news.has_link_changed);
	assert_int_equal(f->nb_failed, 1);
	fake_port_close(f);
}

/* Whichever exchange the device is silent at, and if it answers each one just in time. */
static void
test_deadlines(void **state)
{
	struct fake_port_conf conf = CLIENT;
	int64_t begin, delay;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 24; i++) {
		conf.is_pci = i % 2;
		delay = i < 12 ? 0 : 200 * (i - 11);
		f = fake_port_open(&conf);
		fake_context("%u", i);
		probe(f);
		begin = sluice_clock_ms();
		f->ft.delay_ms = delay;
		if (delay == 0)
			fake_transport_fail(&f->ft, i / 2, -ETIMEDOUT);
		sluice_life_start(f->port);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_HANDSHAKE_MS, "start takes %d ms",
				(int)(sluice_clock_ms() - begin));
		begin = sluice_clock_ms();
		if (f->port->life != SLUICE_LIVE) {
			assert_int_equal(f->port->life, SLUICE_ABSENT);
			fake_port_turn(f, SLUICE_NEWS_NONE);
			fake_assert(sluice_clock_ms() - begin <= SLUICE_HANDSHAKE_MS,
					"a reconnect takes %d ms",
					(int)(sluice_clock_ms() - begin));
		}
		begin = sluice_clock_ms();
		do_stop(f);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_END_MS, "stop takes %d ms",
				(int)(sluice_clock_ms() - begin));
		begin = sluice_clock_ms();
		f->ft.is_given_up = true;
		do_close(f);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_END_MS + SLUICE_CLOSE_MS + 10,
				"close takes %d ms", (int)(sluice_clock_ms() - begin));
		fake_port_close(f);
	}
}

static void *
kick_thread(void *arg)
{
	return (void *)(uintptr_t)fake_port_send(arg);
}

/* A back end makes kicks block: the core gets out by the control thread's tick, and by a stop. */
static void
test_kick(void **state)
{
	struct fake_port_conf conf = CLIENT;
	uint64_t full = UINT64_MAX - 1;
	struct fake_port *f;
	pthread_t thread;
	void *was_sent;
	unsigned int i;
	int fd;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = fake_port_open(&conf);
		reach(f, SLUICE_LIVE);
		fake_clock_run(1);
		/* The pool is in the device's reach, so the burst goes as far as the kick. */
		fd = dup(f->ft.vqs[1].kick_fd);
		fcntl(fd, F_SETFL, 0);
		assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
		assert_int_equal(pthread_create(&thread, NULL, kick_thread, f), 0);
		while (!__atomic_load_n(&f->txq[0].q.ring.in_kick, __ATOMIC_ACQUIRE))
			sched_yield();
		usleep(2000);
		assert_true(sluice_queue_is_in_burst(&f->txq[0].q));
		if (i == 0) {
			f->port->tick_at = 0;
			fake_port_turn(f, SLUICE_NEWS_NONE);
		} else {
			do_stop(f);
			assert_false(f->port->is_stuck);
		}
		pthread_join(thread, &was_sent);
		assert_non_null(was_sent);
		close(fd);
		fake_port_close(f);
	}
}

/* What a device has sent is not lost when it stops, unless it lies; no burst has collected it. */
static void
test_lost(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_dev dev;
	struct fake_port *f;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		conf.is_pci = i % 2;
		f = fake_port_open(&conf);
		reach(f, SLUICE_LIVE);
		fake_port_device(f, SLUICE_VQ_TX(0), &dev);
		assert_true(fake_port_send(f) && fake_port_send(f) && fake_dev_poll(&dev) == 2);
		if (i < 2)
			fake_dev_complete(&dev, 1, FAKE_ONE_BY_ONE);
		else
			fake_dev_lie_used(&dev, UINT16_MAX, 0);
		fake_log_begin();
		do_stop(f);
		fake_port_turn(f, SLUICE_NEWS_NONE);
		assert_int_equal(f->port->shared->nb_tx_lost, 1 + i / 2);
		assert_int_equal(f->port->shared->nb_failures, i / 2);
		assert_int_equal(strstr(fake_log_end(), "failed: transmit queue 0: ") != 0, i / 2);
		fake_pool_assert_full(f->pool);
		fake_dev_fini(&dev);
		start(f);
		fake_port_close(f);
	}
}

int
main(void)
{
	suite_add(test_table, NULL, "table");
	suite_add(test_cells, NULL, "cells");
	suite_add(test_order, NULL, "order");
	suite_add(test_events, NULL, "events");
	suite_add(test_deadlines, NULL, "deadlines");
	suite_add(test_kick, NULL, "kick");
	suite_add(test_lost, NULL, "lost");
	return suite_run("life");
}
