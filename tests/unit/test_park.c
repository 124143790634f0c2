/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Buffers of back ends that were cut off: when they go back, and by whose hand; and what the rings
 * that such a back end keeps have to offer.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "park_steps.h"

static void
test_end_of_file(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	struct pollfd pfd[2];
	uint32_t nb;

	(void)state;
	assert_true(fake_port_send(f));
	nb = nb_out(f);
	assert_true(nb > 32);
	cut_off(f);
	assert_int_equal(nb_out(f), nb);
	assert_int_equal(f->port->shared->nb_tx_lost, 1);
	/* The control thread waits for its end, which has not come. */
	assert_int_equal(sluice_park_poll_fds(&f->port->park, pfd, 2), 1);
	assert_int_equal(poll(pfd, 1, 0), 0);
	serve_after(f, 3000, nb);
	/* What it still has to say is no end. */
	assert_int_equal(write(f->ft.links[0].theirs, "late", 4), 4);
	serve_after(f, 1000, nb);
	fake_transport_hang_up(&f->ft, 0);
	assert_int_equal(poll(pfd, 1, 0), 1);
	serve_after(f, 0, nb);
	assert_int_equal(sluice_park_poll_fds(&f->port->park, pfd, 2), 0);
	assert_int_equal(
			sluice_park_next(&f->port->park), sluice_clock_ms() + SLUICE_PARK_GRACE_MS);
	serve_after(f, SLUICE_PARK_GRACE_MS - 1, nb);
	serve_after(f, 1, 0);
	assert_int_equal(f->port->shared->nb_unacked, 0);
	fake_port_close(f);
}

/* One that never stops talking: each look ends, and so does the wait. */
static void
test_flood(void **state)
{
	static const char noise[1 << 16];
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	uint32_t nb = nb_out(f);
	int left, looks = 0;

	(void)state;
	cut_off(f);
	assert_int_equal(send(f->ft.links[0].theirs, noise, sizeof(noise), MSG_DONTWAIT),
			sizeof(noise));
	serve_after(f, 0, nb);
	assert_int_equal(ioctl(f->port->park.list.tqh_first->eof_fd, FIONREAD, &left), 0);
	assert_in_range(left, 1, sizeof(noise) - 1);
	/* Its end is behind all that. */
	fake_transport_hang_up(&f->ft, 0);
	while (sluice_park_next(&f->port->park) > sluice_clock_ms() + SLUICE_PARK_GRACE_MS) {
		assert_in_range(++looks, 1, 100);
		serve_after(f, 0, nb);
	}
	serve_after(f, SLUICE_PARK_GRACE_MS, 0);
	assert_int_equal(f->port->shared->nb_unacked, 0);
	fake_port_close(f);
}

static void
test_deadline(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	uint32_t nb = nb_out(f);

	(void)state;
	cut_off(f);
	serve_after(f, SLUICE_PARK_DEADLINE_MS - 1, nb);
	serve_after(f, 1, 0);
	assert_int_equal(f->port->shared->nb_unacked, nb);
	assert_int_equal(sluice_park_next(&f->port->park), INT64_MAX);
	fake_port_close(f);
}

/* A close gives the back end a moment, and no more. */
static void
test_close(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	uint32_t nb = nb_out(f);
	int64_t begin;

	(void)state;
	cut_off(f);
	begin = sluice_clock_ms();
	f->ft.is_given_up = true;
	sluice_life_close(f->port);
	assert_in_range(sluice_clock_ms() - begin, SLUICE_CLOSE_MS, SLUICE_CLOSE_MS + 10);
	assert_int_equal(nb_out(f), 0);
	assert_int_equal(f->port->shared->nb_unacked, nb);
	fake_port_close(f);
}

/* Back ends come and go, and none hangs up: in the end the port waits for the first of them. */
static void
test_many(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	unsigned int i;

	(void)state;
	for (i = 0; i < SLUICE_PARK_MAX; i++) {
		assert_false(sluice_park_is_full(&f->port->park));
		f->ft.check_answer = -ECONNRESET;
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_int_equal(f->port->park.nb, i + 1);
		if (i + 1 < SLUICE_PARK_MAX)
			fake_port_await(f, SLUICE_LIVE, 20);
	}
	assert_true(sluice_park_is_full(&f->port->park));
	for (i = 0; i < 100; i++) {
		fake_clock_add(10);
		fake_port_turn(f, SLUICE_NEWS_PEER);
		assert_int_equal(f->port->life, SLUICE_WAITING);
	}
	fake_transport_hang_up(&f->ft, 3);
	fake_port_await(f, SLUICE_LIVE, SLUICE_PARK_GRACE_MS + 2);
	assert_int_equal(f->port->park.nb, SLUICE_PARK_MAX - 1);
	fake_port_close(f);
}

/* A packet of two segments, the first from one pool, the second from another. */
static bool
send_mixed(struct fake_port *f, struct fake_pool *first, struct fake_pool *second)
{
	struct rte_mbuf *m = fake_mbuf(first, RTE_PKTMBUF_HEADROOM, 60);

	m->next = fake_mbuf(second, RTE_PKTMBUF_HEADROOM, 60);
	m->nb_segs = 2;
	m->pkt_len = 120;
	if (f->dev.tx_pkt_burst(&f->txq[0], &m, 1) == 1)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

#define NB_OTHER 100

/* A second pool, which the device sees, and a packet of it on its way. */
static struct fake_pool *
send_of_other(struct fake_port *f, unsigned int flags)
{
	struct fake_pool_conf conf = { .name = "other", .nb = NB_OTHER };
	struct fake_pool *p = fake_pool_create(&conf);
	struct rte_mbuf *m = fake_mbuf(p, RTE_PKTMBUF_HEADROOM, 60);

	p->mp->flags |= flags;
	assert_int_equal(dmap_add_pool(f->port->domain, p->mp), 0);
	assert_int_equal(dmap_serve(f->port->domain), 0);
	assert_int_equal(f->dev.tx_pkt_burst(&f->txq[0], &m, 1), 1);
	return p;
}

/* The application frees a pool of which a back end still has buffers. */
static void
test_forget(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	struct fake_pool *p = send_of_other(f, 0);

	(void)state;
	assert_true(send_mixed(f, p, f->pool));
	assert_true(send_mixed(f, f->pool, p));
	cut_off(f);
	assert_int_equal(p->nb_free, NB_OTHER - 3);
	fake_event_pool_destroyed(p->mp);
	sluice_park_forget(&f->port->park, p->mp);
	fake_check();
	fake_pool_destroy(p); /* which misses three */
	fake_errors_clear();
	fake_port_unpark(f);
	fake_pool_assert_full(f->pool);
	fake_port_close(f);
}

/* The same with what waits for the queue's own core. */
static void
test_forget_returns(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_live(&conf);
	struct fake_pool *p = send_of_other(f, RTE_MEMPOOL_F_SP_PUT);

	(void)state;
	cut_off(f);
	fake_port_unpark(f);
	assert_non_null(f->txq[0].q.returns);
	fake_event_pool_destroyed(p->mp);
	sluice_park_forget(&f->port->park, p->mp);
	sluice_park_forget_returns(&f->txq[0].q, p->mp);
	fake_check();
	fake_pool_destroy(p); /* which misses one */
	fake_errors_clear();
	sluice_queue_take_returns(&f->txq[0].q);
	fake_pool_assert_full(f->pool);
	fake_port_close(f);
}

/* Half of a packet, and the rest never comes. */
static void
deliver_half(struct fake_port *f)
{
	struct rte_mbuf *pkts[4];
	struct fake_dev dev;

	fake_port_device(f, 0, &dev);
	assert_true(fake_dev_poll(&dev) > 2);
	fake_dev_write_header(&dev, fake_dev_held(&dev, 0), 2);
	fake_dev_use(&dev, 0, fake_dev_room(fake_dev_held(&dev, 0)));
	assert_int_equal(fake_port_receive(f, pkts, 4), 0);
	assert_non_null(f->rxq[0].seg_first);
	fake_dev_fini(&dev);
}

/*
 * Into some pools only one core may put: the control thread never does, the queue's core finds
 * them.
 */
static void
test_own_core(void **state)
{
	struct fake_port_conf conf = { .pool_flags = RTE_MEMPOOL_F_SP_PUT };
	struct fake_port *f = open_live(&conf);
	struct rte_mbuf *pkts[4];
	uint32_t nb;

	(void)state;
	assert_true(fake_port_send(f));
	deliver_half(f);
	nb = nb_out(f);
	cut_off(f);
	fake_port_unpark(f);
	fake_assert(nb_out(f) == nb, "%u came back by the control thread's hand", nb - nb_out(f));
	/* A core that polls a queue which does not run. */
	assert_int_equal(fake_port_receive(f, pkts, 4), 0);
	assert_int_equal(nb_out(f), 1);
	assert_int_equal(f->dev.tx_pkt_burst(&f->txq[0], pkts, 0), 0);
	assert_int_equal(nb_out(f), 0);

	/* One that runs again when they are due. */
	sluice_life_stop(f->port);
	fake_port_await(f, SLUICE_READY, 20);
	assert_int_equal(sluice_life_start(f->port), 0);
	nb = nb_out(f);
	fake_transport_hang_up(&f->ft, f->ft.nb_links - 1);
	f->ft.check_answer = -ECONNRESET;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	fake_port_await(f, SLUICE_LIVE, 20);
	fake_port_unpark(f);
	assert_int_equal(nb_out(f), 2 * nb);
	assert_int_equal(fake_port_receive(f, pkts, 4), 0);
	assert_int_equal(nb_out(f), nb);
	/* dev_stop is called by a thread that may put. */
	cut_off(f);
	fake_port_unpark(f);
	assert_int_equal(nb_out(f), nb);
	sluice_life_stop(f->port);
	assert_int_equal(nb_out(f), 0);
	fake_port_close(f);
}

/* The application sets its queues up anew while a back end still has buffers of those before. */
static void
test_other_queues(void **state)
{
	struct fake_port_conf conf = { .pool_flags = RTE_MEMPOOL_F_SP_PUT };
	struct fake_port *f = open_live(&conf);
	struct rte_mbuf *pkts[4];
	uint32_t nb;

	(void)state;
	assert_true(fake_port_send(f));
	nb = nb_out(f);
	cut_off(f);
	sluice_life_stop(f->port);
	sluice_park_set_queue(&f->port->park, SLUICE_VQ_RX(0), NULL);
	sluice_park_set_queue(&f->port->park, SLUICE_VQ_TX(0), NULL);
	f->ft.is_there = false;
	/* They are due, and there is no queue whose core could give them back. */
	fake_transport_hang_up_all(&f->ft);
	serve_after(f, 0, nb);
	serve_after(f, SLUICE_PARK_GRACE_MS, nb);
	serve_after(f, 10 * SLUICE_PARK_GRACE_MS, nb);
	assert_null(f->rxq[0].q.returns);
	assert_null(f->txq[0].q.returns);
	sluice_park_set_queue(&f->port->park, SLUICE_VQ_RX(0), &f->rxq[0].q);
	serve_after(f, SLUICE_PARK_GRACE_MS, nb);
	assert_null(f->rxq[0].q.returns);
	sluice_park_set_queue(&f->port->park, SLUICE_VQ_TX(0), &f->txq[0].q);
	serve_after(f, SLUICE_PARK_GRACE_MS, nb);
	assert_int_equal(sluice_park_next(&f->port->park), INT64_MAX);
	assert_int_equal(fake_port_receive(f, pkts, 4), 0);
	assert_int_equal(f->dev.tx_pkt_burst(&f->txq[0], pkts, 0), 0);
	assert_int_equal(nb_out(f), 0);
	assert_int_equal(f->port->shared->nb_unacked, 0);
	fake_port_close(f);

	/* The port ends before there are others. */
	f = open_live(&conf);
	cut_off(f);
	sluice_park_set_queue(&f->port->park, SLUICE_VQ_RX(0), NULL);
	fake_transport_hang_up_all(&f->ft);
	serve_after(f, 0, nb - 1);
	serve_after(f, SLUICE_PARK_GRACE_MS, nb - 1);
	fake_port_close(f);
}

static void
expect_nothing_offered(const struct sluice_vq_setup *vq)
{
	const struct sluice_split_desc *split = vq->dv_desc;
	const struct sluice_packed_desc *packed = vq->dv_desc;
	const struct sluice_split_avail *avail = vq->dv_driver;
	const struct sluice_split_used *used = vq->dv_device;
	const uint16_t bits = SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED;
	unsigned int i;

	for (i = 0; i < vq->size; i++)
		if (vq->is_packed) {
			/*
			 * Neither available in a lap with wrap counter 1, nor in one with 0
			 * (2.8.1).
			 */
			assert_true((packed[i].flags & bits) == 0 ||
					(packed[i].flags & bits) == bits);
			assert_int_equal(packed[i].len, 0);
		} else {
			assert_int_equal(split[i].len, 0);
		}
	if (!vq->is_packed)
		assert_int_equal(avail->idx, used->idx);
}

/* A back end goes on reading the rings that it has mapped, and finds nothing. */
static void
test_retract(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_dev rx, tx;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		conf.is_split = i % 2;
		f = open_live(&conf);
		fake_context("%s, %s", i % 2 ? "split" : "packed", i / 2 ? "stop" : "failure");
		assert_true(fake_port_send(f));
		fake_port_device(f, 0, &rx);
		fake_port_device(f, 1, &tx);
		if (!conf.is_split)
			assert_true(fake_dev_poll(&rx) > 32);
		if (i / 2 == 0) {
			cut_off(f);
		} else {
			fake_transport_fail(&f->ft, 0, -ETIMEDOUT);
			sluice_life_stop(f->port);
		}
		expect_nothing_offered(&f->ft.vqs[0]);
		expect_nothing_offered(&f->ft.vqs[1]);
		assert_int_equal(fake_dev_poll(&rx), 0);
		assert_int_equal(fake_dev_poll(&tx), 0);
		/* And the next connection has memory of its own. */
		sluice_life_stop(f->port);
		fake_port_await(f, SLUICE_READY, 1100);
		assert_int_equal(sluice_life_start(f->port), 0);
		assert_int_equal(f->port->life, SLUICE_LIVE);
		expect_nothing_offered(&(struct sluice_vq_setup){ .is_packed = true,
				.dv_desc = (void *)rx.packed.desc,
				.size = conf.is_split ? 0 : rx.conf.size });
		assert_int_equal(fake_dev_poll(&tx), 0);
		fake_dev_fini(&rx);
		fake_dev_fini(&tx);
		fake_port_close(f);
	}
}

int
main(void)
{
	suite_add(test_end_of_file, NULL, "end of file");
	suite_add(test_flood, NULL, "flood");
	suite_add(test_deadline, NULL, "deadline");
	suite_add(test_close, NULL, "close");
	suite_add(test_many, NULL, "many");
	suite_add(test_forget, NULL, "forget");
	suite_add(test_forget_returns, NULL, "forget returns");
	suite_add(test_own_core, NULL, "own core");
	suite_add(test_other_queues, NULL, "other queues");
	suite_add(test_retract, NULL, "retract");
	return suite_run("park");
}
