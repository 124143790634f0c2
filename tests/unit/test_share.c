/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the primary process does for secondary ones, without any: epochs of rings, cores of others
 * in a queue, processes that end, memory that is looked up where all see it, and which build is
 * which.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dmap_stream.h"
#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"
#include "sluice_build.h"
#include "sluice_fds.h"
#include "sluice_visit.h"

#define WHO 3

/* A secondary process that has attached; returns what it holds to be alive. */
static int
attach(struct fake_port *f)
{
	int alive[2], news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(news >= 0);
	assert_int_equal(pipe(alive), 0);
	f->port->share.peers[WHO - 1] =
			(struct sluice_peer){ .pid = 77, .alive_fd = alive[0], .news_fd = news };
	return alive[1];
}

static struct fake_port *
open_live(void)
{
	const struct fake_port_conf conf = { .nb_pairs = 2 };
	struct fake_port *f = fake_port_open(&conf);

	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	return f;
}

static bool
come_in(struct fake_port *f, struct sluice_queue *q, uint32_t epoch)
{
	return sluice_visit_begin(q, WHO, &f->port->shared->epoch, epoch);
}

static uint64_t
news_of(struct fake_port *f)
{
	uint64_t count = 0;

	if (read(f->port->share.peers[WHO - 1].news_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

/* Rings that end have no visitors any more, and each one is told. */
static void
test_epoch(void **state)
{
	struct fake_port *f = open_live();
	struct sluice_queue *q = &f->rxq[1].q;
	uint32_t epoch = f->port->shared->epoch;
	int alive = attach(f);

	(void)state;
	assert_int_not_equal(epoch, 0);
	assert_int_equal(f->port->share.offer.epoch, epoch);
	/* A kick for each queue, and what else there is. */
	assert_true(f->port->share.offer.nb_fds >= 4);
	assert_false(come_in(f, q, epoch - 1));
	assert_true(come_in(f, q, epoch));
	/* Another process that polls the same queue. */
	assert_false(sluice_visit_begin(q, WHO + 1, &f->port->shared->epoch, epoch));
	assert_int_equal(q->visitor, WHO);
	sluice_visit_end(q);
	assert_int_equal(news_of(f), 0);
	sluice_life_stop(f->port);
	assert_int_equal(news_of(f), 1);
	assert_int_equal(f->port->share.offer.nb_fds, 0);
	assert_int_not_equal(f->port->shared->epoch, epoch);
	assert_false(come_in(f, q, epoch));
	assert_int_equal(q->visitor, 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(news_of(f), 1);
	/* The rings are others. */
	assert_false(come_in(f, q, epoch));
	assert_true(come_in(f, q, f->port->shared->epoch));
	sluice_visit_end(q);
	close(alive);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_int_equal(f->port->share.peers[WHO - 1].alive_fd, -1);
	fake_port_close(f);
}

/*
 * The rings of a PCI port are where every process has them; what else it takes is the page in which
 * the registers lie.
 */
static void
test_registers(void **state)
{
	const struct fake_port_conf conf = { .is_pci = true };
	struct fake_port *f = fake_port_open(&conf);
	const struct sluice_offer *o = &f->port->share.offer;
	char page[8];

	(void)state;
	f->ft.pages = (struct sluice_notify_pages){
		.va = page, .len = sizeof(page), .fd = 99, .offset = 4096
	};
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(o->error, 0);
	assert_true(o->has_memory);
	assert_int_equal(o->va, (uintptr_t)page);
	assert_int_equal(o->len, sizeof(page));
	assert_int_equal(o->offset, 4096);
	/* No descriptor is a kick. */
	assert_int_equal(o->nb_fds, 1);
	assert_int_equal(o->fds[0], 99);
	sluice_life_stop(f->port);
	assert_int_equal(o->nb_fds, 0);
	/* A device of which nothing can be given leaves the primary process alone. */
	f->ft.pages_error = -ENOTSUP;
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	assert_int_equal(o->error, -ENOTSUP);
	assert_false(o->has_memory);
	assert_true(fake_port_send(f));
	/* One that fails takes it back. */
	f->ft.pages_error = 0;
	sluice_life_stop(f->port);
	assert_int_equal(o->error, 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(o->nb_fds, 1);
	sluice_queue_break(&f->txq[0].q, SLUICE_FAIL_BAD_ID);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_int_equal(f->port->life, SLUICE_FAILED);
	assert_int_equal(o->nb_fds, 0);
	assert_int_not_equal(f->port->shared->epoch, o->epoch);
	fake_port_close(f);
}

/* 0 is no epoch. */
static void
test_epoch_wraps(void **state)
{
	struct fake_port *f = open_live();

	(void)state;
	f->port->shared->epoch = UINT32_MAX;
	sluice_life_stop(f->port);
	assert_int_equal(f->port->shared->epoch, 1);
	fake_port_close(f);
}

/* A stop does not touch the buffers of a queue in which another process's core is. */
static void
test_visitor_stays(void **state)
{
	struct fake_port *f = open_live();
	struct sluice_queue *q = &f->rxq[1].q;
	int alive = attach(f);

	(void)state;
	assert_true(come_in(f, q, f->port->shared->epoch));
	sluice_life_stop(f->port);
	assert_true(f->port->is_stuck);
	assert_true(f->port->is_core_in[q->vq]);
	assert_int_not_equal(sluice_ring_nb_in_flight(&q->ring), 0);
	assert_int_equal(sluice_ring_nb_in_flight(&f->rxq[0].q.ring), 0);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_true(f->port->is_stuck);
	sluice_visit_end(q);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_false(f->port->is_stuck);
	assert_int_equal(f->port->shared->nb_stranded, 0);
	assert_int_equal(sluice_ring_nb_in_flight(&q->ring), 0);
	fake_port_unpark(f);
	close(alive);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	fake_port_close(f);
}

/* The buffers that nobody gives back: the test does. */
static unsigned int
take_buffers(const struct sluice_queue *q, struct rte_mbuf **m)
{
	unsigned int nb = 0, slot;

	for (slot = 0; slot < q->ring.size; slot++)
		if (sluice_queue_is_lent(q, slot))
			m[nb++] = q->sw_ring[slot];
	return nb;
}

/* In the midst of a burst or of the software behind it; or just before, or behind both. */
static void
die_inside(bool is_in_burst, bool is_in_stage, bool is_stopped_first)
{
	struct fake_port *f = open_live();
	struct sluice_queue *q = &f->rxq[1].q;
	bool is_inside = is_in_burst || is_in_stage;
	struct rte_mbuf *m[256];
	int alive = attach(f);
	unsigned int nb;

	assert_true(come_in(f, q, f->port->shared->epoch));
	q->in_burst = is_in_burst;
	f->rxq[1].stage_turn = is_in_stage;
	nb = take_buffers(q, m);
	assert_true(nb > 0 && nb == sluice_ring_nb_in_flight(&q->ring));
	if (is_stopped_first)
		sluice_life_stop(f->port);
	close(alive);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_int_equal(q->visitor, 0);
	assert_int_equal(q->in_burst, 0);
	assert_int_equal(f->rxq[1].stage_turn % 2, 0);
	/* The rest of the port does not care. */
	if (!is_stopped_first) {
		assert_int_equal(f->port->life, SLUICE_LIVE);
		assert_true(sluice_queue_is_running(&f->rxq[0].q));
		assert_int_equal(sluice_queue_is_running(q), !is_inside);
		assert_true(fake_port_send(f));
		/* Nor does the application start what is parked. */
		assert_int_equal(sluice_life_hold_queue(f->port, q), 0);
		sluice_life_start_queue(f->port, q);
		assert_int_equal(sluice_queue_is_running(q), !is_inside);
		sluice_link_down(f->port);
		sluice_link_up(f->port);
		assert_int_equal(sluice_queue_is_running(q), !is_inside);
		sluice_life_stop(f->port);
	}
	assert_false(f->port->is_stuck);
	assert_int_equal(f->port->shared->nb_stranded, is_inside ? nb : 0);
	assert_int_equal(sluice_ring_nb_in_flight(&q->ring), 0);
	fake_port_unpark(f);
	if (is_inside)
		rte_pktmbuf_free_bulk(m, nb);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_true(sluice_queue_is_running(q));
	assert_int_equal(f->port->shared->nb_stranded, is_inside ? nb : 0);
	fake_port_close(f);
}

static void
test_death(void **state)
{
	(void)state;
	die_inside(true, false, false);
	die_inside(true, true, false);
	die_inside(false, true, false);
	die_inside(false, false, false);
	die_inside(true, false, true);
	die_inside(false, true, true);
	die_inside(false, false, true);
}

/* A queue that has packets from other queues only: nothing of a device's is in it. */
static void
test_death_without_ring(void **state)
{
	struct fake_port *f = open_live();
	struct sluice_queue *q = &f->rxq[1].q;
	int alive = attach(f);

	(void)state;
	assert_true(come_in(f, q, f->port->shared->epoch));
	f->rxq[1].stage_turn = 5;
	f->port->nb_soft_rx = 1;
	close(alive);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	f->port->nb_soft_rx = 0;
	assert_int_equal(f->rxq[1].stage_turn, 6);
	assert_int_equal(q->visitor, 0);
	assert_false(q->is_stranded);
	fake_port_close(f);
}

/* A transmit queue: what was on its way to the pool is not put there a second time. */
static void
test_death_in_reclaim(void **state)
{
	struct fake_port *f = open_live();
	struct sluice_txq *txq = &f->txq[1];
	struct rte_mbuf *m = fake_mbuf(f->pool, RTE_PKTMBUF_HEADROOM, 60),
			*freed = fake_mbuf(f->pool, RTE_PKTMBUF_HEADROOM, 60);
	int alive = attach(f);

	(void)state;
	assert_int_equal(f->dev.tx_pkt_burst(txq, &m, 1), 1);
	assert_true(come_in(f, &txq->q, f->port->shared->epoch));
	txq->q.in_burst = 1;
	txq->freed[0].m[txq->freed[0].nb++] = freed;
	txq->freed[0].pool = f->pool->mp;
	close(alive);
	sluice_life_stop(f->port);
	assert_int_equal(f->port->shared->nb_stranded, 1);
	assert_int_equal(f->port->shared->nb_tx_lost, 0);
	assert_int_equal(txq->freed[0].nb, 0);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(freed);
	fake_port_unpark(f);
	fake_port_close(f);
}

/* Numbers of descriptors are those of the primary process; a secondary one has a table. */
static void
test_fds(void **state)
{
	static int table[SLUICE_FD_MAX + 1];
	struct sluice_ring ring = { .doorbell.fd = 500 };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;

	(void)state;
	assert_int_equal(sluice_fd_here(7), 7);
	assert_int_equal(sluice_fd_here(-1), -1);
	table[500] = fd + 1;
	sluice_fds_here = table;
	assert_int_equal(sluice_fd_here(500), fd);
	assert_int_equal(sluice_fd_here(501), -1);
	assert_int_equal(sluice_fd_here(-1), -1);
	assert_int_equal(sluice_fd_here(SLUICE_FD_MAX + 1), -1);
	sluice_doorbell_ring(&ring);
	sluice_fds_here = NULL;
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	close(fd);
}

static const struct dmap_shared *asked_of;
static int nb_asked, answer;

static int
on_ask(const struct dmap_shared *shared, const void *memory, const struct dmap_buffer *buf)
{
	assert_non_null(memory);
	assert_non_null(buf->pool);
	asked_of = shared;
	nb_asked++;
	return answer;
}

/* A stream finds in shared windows what it finds in its domain, and asks for the rest. */
static void
test_shared_windows(void **state)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 40 };
	struct dmap_addr here = { 0 }, there = { 0 };
	struct dmap_shared shared = { 0 };
	struct fake_domain dom;
	struct dmap_domain *d;
	struct fake_pool *pool;
	struct dmap_stream s;
	struct dmap_window w;
	struct rte_mbuf *m;
	char *va;

	(void)state;
	fake_errors_clear();
	fake_domain_init(&dom, true);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &dom, &d), 0);
	dmap_share(d, &shared);
	assert_ptr_equal(dmap_generation(d), &shared.generation);
	pool = fake_pool_create(&conf);
	dmap_stream_init(&s, d);
	m = fake_mbuf(pool, RTE_PKTMBUF_HEADROOM, 60);
	va = rte_pktmbuf_mtod(m, char *);
	assert_int_equal(dmap_shared_lookup(&shared, va, 60, &w), -ENOENT);
	dmap_set_remote(on_ask);
	answer = -EAGAIN;
	assert_false(dmap_lend(&s, m, va, 60, &there));
	assert_true(dmap_may_come(&s));
	answer = -EACCES;
	assert_false(dmap_lend(&s, m, va, 60, &there));
	assert_false(dmap_may_come(&s));
	assert_ptr_equal(asked_of, &shared);
	assert_int_equal(dmap_add_pool(d, pool->mp), 0);
	dmap_stream_refresh(&s);
	assert_true(dmap_lend(&s, m, va, 60, &there));
	assert_int_equal(nb_asked, 2);
	dmap_set_remote(NULL);
	dmap_stream_flush(&s);
	assert_true(dmap_lend(&s, m, va, 60, &here));
	assert_int_equal(here.v, there.v);
	/* Not more than is there. */
	assert_int_equal(dmap_shared_lookup(&shared, va, 1 << 30, &w), -ENOENT);
	/* While it is written nobody reads it. */
	shared.serial++;
	assert_int_equal(dmap_shared_lookup(&shared, va, 60, &w), -EAGAIN);
	shared.serial++;
	dmap_del_pool(d, pool->mp);
	assert_false(dmap_stream_is_fresh(&s));
	assert_int_equal(dmap_shared_lookup(&shared, va, 60, &w), -ENOENT);
	rte_pktmbuf_free(m);
	dmap_domain_destroy(d);
	fake_pool_destroy(pool);
	fake_domain_fini(&dom);
	fake_check();
}

static void
test_builds(void **state)
{
	struct sluice_build a, b;

	(void)state;
	sluice_build_get(&a);
	sluice_build_get(&b);
	assert_null(sluice_build_differs(&a, &b));
	/* In a program that the driver is linked into. */
	assert_int_equal(a.id_len, 0);
	b.id_len = 20;
	assert_string_equal(sluice_build_differs(&a, &b), "another build of the driver");
	b = a;
	b.layout++;
	assert_string_equal(sluice_build_differs(&a, &b), "another build of the driver");
	b = a;
	b.dpdk[0]++;
	assert_string_equal(sluice_build_differs(&a, &b), "another DPDK");
	b.magic++;
	assert_string_equal(sluice_build_differs(&a, &b), "not a port of this driver");
}

int
main(void)
{
	suite_add(test_epoch, NULL, "epoch");
	suite_add(test_registers, NULL, "registers");
	suite_add(test_epoch_wraps, NULL, "epoch wraps");
	suite_add(test_visitor_stays, NULL, "visitor stays");
	suite_add(test_death, NULL, "death");
	suite_add(test_death_without_ring, NULL, "death without a ring");
	suite_add(test_death_in_reclaim, NULL, "death in reclaim");
	suite_add(test_fds, NULL, "descriptors");
	suite_add(test_shared_windows, NULL, "shared windows");
	suite_add(test_builds, NULL, "builds");
	return suite_run("share");
}
