/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Queues that the application stops and starts while the port runs. */

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"

#define LEN 60

static uint8_t data[LEN];
/* Kept while the port runs: the fake transport counts what is out of the pool. */
static struct rte_mbuf *taken[128];
static unsigned int nb_taken;

static struct fake_port *
open_two(unsigned int i)
{
	struct fake_port_conf conf = {
		.nb_pairs = 2, .is_split = i % 2 != 0, .is_pci = i / 2 == 1
	};

	struct fake_port *f = fake_port_open(&conf);

	/* Nobody plays the control queue here. */
	if (conf.is_pci)
		f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	return f;
}
#define NB_KINDS 4

/* A device that forgets single rings. */
static struct fake_port *
open_forgetful(bool is_split)
{
	struct fake_port_conf conf = { .nb_pairs = 2, .is_split = is_split, .is_pci = true };
	struct fake_port *f = fake_port_open(&conf);

	f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	f->ft.ops.features |= SLUICE_BIT(SLUICE_F_RING_RESET);
	return f;
}

/* A packet comes. */
static void
deliver(struct fake_dev *dev)
{
	fake_dev_poll(dev);
	assert_true(fake_dev_deliver(dev, data, LEN, FAKE_ONE_BY_ONE));
}

static uint16_t
poll_queue(struct fake_port *f, uint16_t queue)
{
	uint16_t nb = f->dev.rx_pkt_burst(&f->rxq[queue], &taken[nb_taken], 32);

	nb_taken += nb;
	return nb;
}

static void
stop_now(struct fake_port *f)
{
	sluice_life_stop(f->port);
	rte_pktmbuf_free_bulk(taken, nb_taken);
	nb_taken = 0;
}

static uint16_t
transmit(struct fake_port *f, uint16_t queue)
{
	struct rte_mbuf *m = fake_mbuf(f->pool, RTE_PKTMBUF_HEADROOM, LEN);
	uint16_t nb = f->dev.tx_pkt_burst(&f->txq[queue], &m, 1);

	if (nb == 0)
		rte_pktmbuf_free(m);
	return nb;
}

/* A queue that is held takes part in nothing, the others go on, and nothing is lost. */
static void
test_hold_rx(void **state)
{
	struct fake_dev devs[2];
	struct fake_port *f;
	unsigned int i;
	uint16_t q;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		f = open_two(i);
		fake_port_live(f);
		for (q = 0; q < 2; q++)
			fake_port_device(f, SLUICE_VQ_RX(q), &devs[q]);
		fake_transport_forget(&f->ft);
		deliver(&devs[0]);
		assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), 0);
		/* A device with registers has no word for it. */
		assert_int_equal(f->ft.disabled, f->conf.is_pci ? 0 : 1 << SLUICE_VQ_RX(0));
		assert_int_equal(poll_queue(f, 0), 0);
		deliver(&devs[1]);
		assert_int_equal(poll_queue(f, 1), 1);
		/* One that did not hear of it goes on with what it has. */
		deliver(&devs[0]);
		assert_int_equal(poll_queue(f, 0), 0);
		sluice_life_start_queue(f->port, &f->rxq[0].q);
		assert_int_equal(f->ft.disabled, 0);
		assert_int_equal(poll_queue(f, 0), 2);
		deliver(&devs[0]);
		assert_int_equal(poll_queue(f, 0), 1);
		/* Twice is once. */
		fake_transport_forget(&f->ft);
		sluice_life_start_queue(f->port, &f->rxq[0].q);
		assert_int_equal(f->ft.nb_calls, 0);
		for (q = 0; q < 2; q++)
			fake_dev_fini(&devs[q]);
		stop_now(f);
		fake_port_close(f);
	}
}

/* A queue that the device knows nothing of is held, and starts, as others. */
static void
test_without_ring(void **state)
{
	struct fake_port *f = open_two(0);
	struct sluice_queue *q = &f->rxq[1].q;

	(void)state;
	f->port->nb_soft_rx = 1;
	q->is_deferred = true;
	fake_port_live(f);
	assert_true(q->is_held);
	sluice_life_start_queue(f->port, q);
	assert_false(q->is_held);
	assert_int_equal(sluice_life_hold_queue(f->port, q), 0);
	assert_true(q->is_held);
	sluice_life_stop(f->port);
	q->is_deferred = false;
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_false(q->is_held);
	sluice_life_stop(f->port);
	fake_port_close(f);
}

/* On transmit the device keeps what it has until it is done, and the caller keeps the rest. */
static void
test_hold_tx(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		f = open_two(i);
		fake_port_live(f);
		fake_port_device(f, SLUICE_VQ_TX(0), &dev);
		assert_int_equal(transmit(f, 0), 1);
		fake_transport_forget(&f->ft);
		assert_int_equal(sluice_life_hold_queue(f->port, &f->txq[0].q), 0);
		assert_int_equal(f->ft.nb_calls, 0);
		assert_int_equal(transmit(f, 0), 0);
		assert_int_equal(transmit(f, 1), 1);
		assert_int_equal(sluice_ring_nb_in_flight(&f->txq[0].q.ring), 1);
		assert_int_equal(fake_dev_poll(&dev), 1);
		fake_dev_complete(&dev, 1, FAKE_ONE_BY_ONE);
		/* What is done by then is free at once. */
		sluice_life_start_queue(f->port, &f->txq[0].q);
		assert_int_equal(sluice_life_hold_queue(f->port, &f->txq[0].q), 0);
		assert_int_equal(sluice_ring_nb_in_flight(&f->txq[0].q.ring), 0);
		sluice_life_start_queue(f->port, &f->txq[0].q);
		assert_int_equal(transmit(f, 0), 1);
		fake_dev_fini(&dev);
		stop_now(f);
		fake_port_close(f);
	}
}

/* Deferred queues wait for their own start, in every run; a held one survives a reconnect. */
static void
test_deferred(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i, run;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		f = open_two(i);
		f->rxq[1].q.is_deferred = true;
		f->txq[1].q.is_deferred = true;
		fake_port_live(f);
		for (run = 0; run < 2; run++) {
			assert_true(sluice_queue_is_running(&f->rxq[0].q));
			assert_false(sluice_queue_is_running(&f->rxq[1].q));
			/* The device has nothing to fill: nobody would take it. */
			assert_int_equal(sluice_ring_nb_in_flight(&f->rxq[1].q.ring), 0);
			assert_int_equal(f->ft.disabled, f->conf.is_pci ? 0 : 1 << SLUICE_VQ_RX(1));
			assert_int_equal(transmit(f, 1), 0);
			sluice_life_start_queue(f->port, &f->rxq[1].q);
			sluice_life_start_queue(f->port, &f->txq[1].q);
			assert_int_equal(transmit(f, 1), 1);
			/* The first burst fills the ring. */
			assert_int_equal(poll_queue(f, 1), 0);
			fake_port_device(f, SLUICE_VQ_RX(1), &dev);
			deliver(&dev);
			assert_int_equal(poll_queue(f, 1), 1);
			fake_dev_fini(&dev);
			stop_now(f);
			assert_int_equal(sluice_life_start(f->port), 0);
			fake_port_await(f, SLUICE_LIVE, 20);
		}
		stop_now(f);
		fake_port_close(f);
	}
}

/* The application's wish outlives the device. */
static void
test_reconnect(void **state)
{
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open_two(i);
		fake_port_live(f);
		assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[1].q), 0);
		f->ft.check_answer = -ECONNRESET;
		f->ft.is_there = false;
		fake_port_await(f, SLUICE_WAITING, 20);
		f->ft.check_answer = 0;
		/* Without a device it is a wish and no more. */
		assert_int_equal(sluice_life_hold_queue(f->port, &f->txq[0].q), 0);
		sluice_life_start_queue(f->port, &f->rxq[1].q);
		f->ft.is_there = true;
		fake_port_await(f, SLUICE_LIVE, 2000);
		assert_true(sluice_queue_is_running(&f->rxq[1].q));
		assert_false(sluice_queue_is_running(&f->txq[0].q));
		stop_now(f);
		fake_port_close(f);
	}
}

/* The port is live, and the back end does not answer when a queue is started, or held. */
static void
unanswered(struct fake_port *f, bool is_start)
{
	struct sluice_queue *q = &f->rxq[0].q;

	fake_port_live(f);
	if (is_start)
		assert_int_equal(sluice_life_hold_queue(f->port, q), 0);
	fake_transport_fail(&f->ft, 0, -ETIMEDOUT);
	if (is_start)
		sluice_life_start_queue(f->port, q);
	else
		assert_int_equal(sluice_life_hold_queue(f->port, q), 0);
	assert_int_equal(f->port->life, SLUICE_WAITING);
}

/* A back end that does not answer is let go, as at any other time; the queue is as asked. */
static void
test_no_answer(void **state)
{
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		f = open_two(i % 2);
		unanswered(f, i / 2 == 1);
		assert_int_equal(f->rxq[0].q.is_held, i / 2 == 0);
		fake_transport_fail(&f->ft, FAKE_NEVER, 0);
		fake_port_await(f, SLUICE_LIVE, 2000);
		assert_int_equal(sluice_queue_is_running(&f->rxq[0].q), i / 2 == 1);
		stop_now(f);
		fake_port_close(f);
	}
}

/* A core that stays in a burst: nothing changed, and the call has its deadline. */
static void
test_core_inside(void **state)
{
	struct fake_port *f = open_two(0);

	(void)state;
	fake_port_live(f);
	f->rxq[0].q.in_burst = 1;
	assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), -EBUSY);
	f->rxq[0].q.in_burst = 0;
	assert_true(sluice_queue_is_running(&f->rxq[0].q));
	assert_false(f->rxq[0].q.is_held);
	/* One that meets a violation in there does not go on. */
	f->rxq[0].q.in_burst = 1;
	f->rxq[0].q.fail = SLUICE_FAIL_BAD_ID;
	assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), -EBUSY);
	assert_false(sluice_queue_is_running(&f->rxq[0].q));
	f->rxq[0].q.fail = SLUICE_FAIL_NONE;
	f->rxq[0].q.in_burst = 0;
	sluice_queue_resume(&f->rxq[0].q);
	assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), 0);
	stop_now(f);
	fake_port_close(f);
}

/* Buffers that neither the pool nor the application has. */
static uint32_t
nb_out(const struct fake_port *f)
{
	return f->pool->conf.nb - f->pool->nb_free - nb_taken;
}

/* The buffers come back at the stop, what waited is counted, the next start has a fresh ring. */
static void
test_forget_rx(void **state)
{
	struct fake_dev devs[2];
	struct fake_port *f;
	unsigned int i, run;
	uint16_t busy;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open_forgetful(i);
		fake_port_live(f);
		busy = sluice_ring_nb_in_flight(&f->rxq[1].q.ring);
		fake_port_device(f, SLUICE_VQ_RX(1), &devs[1]);
		for (run = 1; run <= 3; run++) {
			fake_port_device(f, SLUICE_VQ_RX(0), &devs[0]);
			deliver(&devs[0]);
			assert_int_equal(poll_queue(f, 0), 1);
			deliver(&devs[0]);
			assert_true(nb_out(f) > busy);
			fake_transport_forget(&f->ft);
			assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), 0);
			assert_string_equal(fake_transport_calls(&f->ft), "VQ_RESET 0");
			assert_int_equal(f->port->shared->nb_rx_lost, run);
			assert_int_equal(nb_out(f), sluice_ring_nb_in_flight(&f->rxq[1].q.ring));
			assert_int_equal(poll_queue(f, 0), 0);
			deliver(&devs[1]);
			assert_int_equal(poll_queue(f, 1), 1);
			fake_dev_fini(&devs[0]);
			sluice_life_start_queue(f->port, &f->rxq[0].q);
			assert_string_equal(fake_transport_calls(&f->ft), "VQ_RESET 0 VQ_START 0");
			assert_int_equal(sluice_ring_nb_in_flight(&f->rxq[0].q.ring), busy);
		}
		/* A port that stops meanwhile has nothing of it, and starts with all. */
		assert_int_equal(sluice_life_hold_queue(f->port, &f->rxq[0].q), 0);
		fake_dev_fini(&devs[1]);
		stop_now(f);
		assert_int_equal(nb_out(f), 0);
		assert_int_equal(sluice_life_start(f->port), 0);
		fake_port_device(f, SLUICE_VQ_RX(0), &devs[0]);
		deliver(&devs[0]);
		assert_int_equal(poll_queue(f, 0), 1);
		fake_dev_fini(&devs[0]);
		stop_now(f);
		fake_port_close(f);
	}
}

static struct fake_dev *sender;

/* As time passes the device sends. */
static void
send_one(void)
{
	if (fake_dev_poll(sender) != 0)
		fake_dev_complete(sender, 1, FAKE_ONE_BY_ONE);
}

/* What the device has is sent if it does so soon, and otherwise lost and counted. */
static void
test_forget_tx(void **state)
{
	struct fake_dev dev;
	struct fake_port *f;
	unsigned int i;
	int64_t begin;

	(void)state;
	for (i = 0; i < 4; i++) {
		f = open_forgetful(i % 2);
		fake_port_live(f);
		fake_port_device(f, SLUICE_VQ_TX(0), &dev);
		sender = &dev;
		assert_int_equal(transmit(f, 0), 1);
		if (i / 2 == 0)
			fake_clock_on_sleep = send_one;
		begin = sluice_clock_ms();
		assert_int_equal(sluice_life_hold_queue(f->port, &f->txq[0].q), 0);
		fake_clock_on_sleep = NULL;
		assert_int_equal(f->port->shared->nb_tx_lost, i / 2);
		assert_in_range(sluice_clock_ms() - begin, 0, i / 2 == 0 ? 1 : 11);
		assert_int_equal(sluice_ring_nb_in_flight(&f->txq[0].q.ring), 0);
		assert_int_equal(transmit(f, 0), 0);
		assert_int_equal(transmit(f, 1), 1);
		fake_dev_fini(&dev);
		sluice_life_start_queue(f->port, &f->txq[0].q);
		fake_port_device(f, SLUICE_VQ_TX(0), &dev);
		assert_int_equal(transmit(f, 0), 1);
		assert_int_equal(fake_dev_poll(&dev), 1);
		fake_dev_fini(&dev);
		stop_now(f);
		fake_port_close(f);
	}
}

/* A device that does not forget, or takes no ring again, is let go; the queue is as asked. */
static void
test_forget_fails(void **state)
{
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		f = open_forgetful(i % 2);
		unanswered(f, i / 2 == 1);
		assert_int_equal(nb_out(f), 0);
		fake_transport_fail(&f->ft, FAKE_NEVER, 0);
		fake_port_await(f, SLUICE_LIVE, 2000);
		assert_int_equal(sluice_queue_is_running(&f->rxq[0].q), i / 2 == 1);
		sluice_life_start_queue(f->port, &f->rxq[0].q);
		assert_true(sluice_queue_is_running(&f->rxq[0].q));
		stop_now(f);
		fake_port_close(f);
	}
}

int
main(void)
{
	suite_add(test_hold_rx, NULL, "hold_rx");
	suite_add(test_without_ring, NULL, "without a ring");
	suite_add(test_hold_tx, NULL, "hold_tx");
	suite_add(test_deferred, NULL, "deferred");
	suite_add(test_reconnect, NULL, "reconnect");
	suite_add(test_no_answer, NULL, "no_answer");
	suite_add(test_core_inside, NULL, "core_inside");
	suite_add(test_forget_rx, NULL, "forget_rx");
	suite_add(test_forget_tx, NULL, "forget_tx");
	suite_add(test_forget_fails, NULL, "forget_fails");
	return suite_run("hold");
}
