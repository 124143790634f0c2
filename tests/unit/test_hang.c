/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A core that hangs in a burst function, or in what the checker does around one, while its port
 * ends for good: what it finds when it goes on is still there, and leads nowhere.
 */

#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"
#include "sluice_check.h"

#define LEN 60

struct hang {
	struct fake_port *f;
	struct dmap_domain *domain; /* what is left of it, as its rings */
	void *rings;
	unsigned int nb_woken;
	bool is_over;
};

static void
wake(void *ctx)
{
	((struct hang *)ctx)->nb_woken++;
}

/* The core hangs here: the port waits for it in vain, and ends. */
static void
end_port(void *ctx)
{
	struct hang *h = ctx;
	struct sluice_port *port = h->f->port;

	if (h->is_over)
		return;
	h->is_over = true;
	h->domain = port->domain;
	h->rings = port->rings.handle;
	h->f->ft.is_given_up = true;
	sluice_life_close(port);
	assert_true(port->is_stuck);
	sluice_ctrl_free(port);
	sluice_rings_end(port);
	assert_null(port->domain);
	/* The other queue of the port is not the hanging core's, and its memory is gone with it. */
	assert_int_equal(dmap_regions(h->domain, NULL, 0), 0);
}

static void
open_hang(struct hang *h, bool is_checked)
{
	const struct fake_port_conf conf = { .is_checked = is_checked };

	*h = (struct hang){ .f = fake_port_open(&conf) };
	fake_port_live(h->f);
	dmap_set_waker(h->f->port->domain, wake, h);
	assert_true(fake_port_send(h->f) && fake_port_send(h->f));
}

/* Nobody would give back what the hanging core has; the test does. */
static void
close_hang(struct hang *h)
{
	struct sluice_queue *q = &h->f->txq[0].q;
	uint32_t number;

	assert_true(h->is_over);
	assert_false(sluice_queue_is_in_burst(q));
	assert_int_equal(h->nb_woken, 0);
	/* The pool looks at what it gets. */
	for (number = 1; number < 1000; number++)
		dmap_debug_unwatch(h->domain, number);
	sluice_queue_drain(q, NULL);
	h->f->ft.backend.coherent_free(&h->f->ft.dom, h->rings);
	fake_port_close(h->f);
}

static ssize_t
hang_in_log(void *ctx, const char *text, size_t len)
{
	RTE_SET_USED(text);
	rte_openlog_stream(NULL);
	rte_log_set_global_level(RTE_LOG_CRIT);
	end_port(ctx);
	return len;
}

/* In the first report of what it finds before the burst; it finds the same in the next packet. */
static void
test_in_a_look(void **state)
{
	const cookie_io_functions_t io = { .write = hang_in_log };
	static struct hang h; /* leads to what stays */
	uint64_t nb;
	FILE *log;

	(void)state;
	open_hang(&h, true);
	log = fopencookie(&h, "w", io);
	assert_non_null(log);
	setvbuf(log, NULL, _IONBF, 0);
	rte_pktmbuf_mtod(h.f->txq[0].q.sw_ring[0], char *)[LEN - 1] ^= 1;
	rte_pktmbuf_mtod(h.f->txq[0].q.sw_ring[1], char *)[LEN - 1] ^= 1;
	rte_log_set_global_level(RTE_LOG_ERR);
	rte_openlog_stream(log);
	assert_false(fake_port_send(h.f));
	fclose(log);
	assert_int_equal(dmap_debug_nb(h.domain, DMAP_DEBUG_WRITTEN), 2);
	/* The end tells of both, before the core goes on. */
	assert_int_equal(dmap_debug_nb(h.domain, DMAP_DEBUG_BUFFERS_LEFT), 2);
	nb = dmap_debug_nb(h.domain, DMAP_DEBUG_NB_CHECKS);
	fake_assert(nb == 4, "%u reports", (unsigned int)nb);
	close_hang(&h);
}

/* Between its look and its burst, and between that and what it notes: nothing has the queue. */
static void
test_around_a_burst(void **state)
{
	static struct hang h;
	struct fake_dev dev;

	(void)state;
	open_hang(&h, true);
	fake_port_device(h.f, 1, &dev);
	fake_dev_poll(&dev);
	fake_dev_complete(&dev, 2, FAKE_ONE_BY_ONE);
	h.f->txq[0].q.in_look = 1;
	end_port(&h);
	assert_int_equal(sluice_ring_nb_in_flight(&h.f->txq[0].q.ring), 2);
	assert_non_null(h.f->txq[0].q.sw_ring[0]);
	h.f->txq[0].q.in_look = 0;
	fake_dev_fini(&dev);
	close_hang(&h);
}

/* Where it takes back a packet; the next one is of a pool that the device does not see. */
static void
test_in_a_burst(void **state)
{
	const struct fake_pool_conf other = { .name = "other", .nb = 8 };
	struct fake_pool *p = fake_pool_create(&other);
	struct rte_mbuf *m = fake_mbuf(p, RTE_PKTMBUF_HEADROOM, LEN);
	static struct hang h;
	struct fake_dev dev;

	(void)state;
	open_hang(&h, false);
	fake_port_device(h.f, 1, &dev);
	fake_dev_poll(&dev);
	fake_dev_complete(&dev, 2, FAKE_ONE_BY_ONE);
	h.f->txq[0].look_at = h.f->conf.size;
	h.f->pool->on_put = end_port;
	h.f->pool->on_put_ctx = &h;
	assert_int_equal(h.f->dev.tx_pkt_burst(&h.f->txq[0], &m, 1), 0);
	h.f->pool->on_put = NULL;
	fake_dev_fini(&dev);
	rte_pktmbuf_free(m);
	close_hang(&h);
	fake_pool_destroy(p);
}

int
main(void)
{
	suite_add(test_in_a_look, NULL, "in a look");
	suite_add(test_around_a_burst, NULL, "around a burst");
	suite_add(test_in_a_burst, NULL, "in a burst");
	return suite_run("hang");
}
