/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end that has to be waited for: who waits (the thread that starts it, and the control thread), who does not
 * (everybody else), and what becomes of memory that comes and goes meanwhile.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dmap_stream.h"
#include "env.h"
#include "fake_log.h"

/* What does not wait for the device takes no longer than this, in milliseconds, on a machine that is busy. */
#define AT_ONCE 300

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
	struct dmap_stream s;
	struct fake_pool *pools[20];
	unsigned int nb_wakes;
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000UL + t.tv_nsec / 1000000;
}

static void
wake(void *ctx)
{
	struct rig *g = ctx;

	__atomic_fetch_add(&g->nb_wakes, 1, __ATOMIC_RELAXED);
}

static unsigned int
wakes(struct rig *g)
{
	return __atomic_exchange_n(&g->nb_wakes, 0, __ATOMIC_RELAXED);
}

static void
rig_open(struct rig *g, unsigned int nb_pools)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 20 };
	unsigned int i;

	fake_errors_clear();
	fake_context("remote");
	memset(g, 0, sizeof(*g));
	fake_domain_init(&g->dom, true);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_remote_backend, &g->dom, &g->d), 0);
	dmap_set_waker(g->d, wake, g);
	for (i = 0; i < nb_pools; i++)
		g->pools[i] = fake_pool_create(&conf);
	dmap_stream_init(&g->s, g->d);
}

static void
rig_close(struct rig *g)
{
	unsigned int i;

	dmap_revoke(g->d);
	dmap_domain_destroy(g->d);
	for (i = 0; i < RTE_DIM(g->pools); i++)
		fake_pool_destroy(g->pools[i]);
	fake_domain_fini(&g->dom);
	fake_check();
}

static void
pool_ends(struct rig *g, unsigned int i)
{
	fake_event_pool_destroyed(g->pools[i]->mp);
	fake_pool_destroy(g->pools[i]);
	g->pools[i] = NULL;
}

/* 0: lent, and the device finds it; else what is said of it. */
static int
lend(struct rig *g, unsigned int i)
{
	struct rte_mbuf *m = fake_mbuf(g->pools[i], 128, 60);
	char *va = rte_pktmbuf_mtod(m, char *);
	struct dmap_addr da;
	int ret = 0;

	dmap_stream_refresh(&g->s);
	if (!dmap_lend(&g->s, m, va, 60, &da))
		ret = dmap_may_come(&g->s) ? -EAGAIN : -EACCES;
	else
		fake_assert(fake_domain_reach(&g->dom, da.v, 60) == va, "the device finds another");
	rte_pktmbuf_free(m);
	return ret;
}

static bool
may_use(struct rig *g, const void *va)
{
	struct dmap_window w;

	return dmap_lookup(g->d, va, 1, &w) == 0;
}

static bool
device_sees(struct rig *g, const void *va)
{
	unsigned int i;

	for (i = 0; i < g->dom.nb; i++)
		if ((uintptr_t)va - g->dom.regions[i].va < g->dom.regions[i].len)
			return true;
	return false;
}

/* Without a device everything is only noted; dmap_publish() says it all at once. */
static void
test_no_device(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_true(may_use(&g, g.pools[0]->mem));
	dmap_del_pool(g.d, g.pools[1]->mp);
	assert_false(may_use(&g, g.pools[1]->mem));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 0);
	assert_int_equal(wakes(&g), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 1);
	assert_true(device_sees(&g, g.pools[0]->mem));
	assert_int_equal(lend(&g, 0), 0);
	dmap_revoke(g.d);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 1);
	/* A device that does not take part: the start fails, and says so. */
	g.dom.refusal = -ENOSPC;
	assert_int_equal(dmap_publish(g.d), -ENOSPC);
	g.dom.refusal = 0;
	rig_close(&g);
}

/* A pool that is first seen on transmit: the burst goes on, the control thread is woken once, and then it is there. */
static void
test_first_seen(void **state)
{
	uint32_t generation;
	struct rig g;

	(void)state;
	rig_open(&g, 3);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	generation = *dmap_generation(g.d);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(wakes(&g), 1);
	assert_int_equal(g.dom.nb_publishes, 1);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 2);
	assert_int_equal(lend(&g, 1), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(*dmap_generation(g.d), generation);
	/* Two at once are one table. */
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 2);
	/* One that the application names while the device runs. */
	wakes(&g);
	assert_int_equal(dmap_add_pool(g.d, g.pools[2]->mp), 0);
	assert_int_equal(wakes(&g), 1);
	assert_false(may_use(&g, g.pools[2]->mem));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 2), 0);
	rig_close(&g);
}

/* What leaves is out of use at once; the device hears of it later. */
static void
test_removal(void **state)
{
	char *mem;
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	mem = fake_eal_alloc(2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_add_range(g.d, mem, 2 * FAKE_PAGE), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 1), 0);
	mem = mem + 0;
	fake_event_memory_freed(mem + FAKE_PAGE, FAKE_PAGE);
	assert_false(may_use(&g, mem + FAKE_PAGE));
	fake_event_pool_destroyed(g.pools[0]->mp);
	assert_false(may_use(&g, g.pools[0]->mem));
	assert_false(dmap_stream_is_fresh(&g.s));
	assert_int_equal(g.dom.nb_publishes, 1);
	assert_true(device_sees(&g, g.pools[0]->mem));
	assert_int_equal(wakes(&g), 2);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 2);
	assert_false(device_sees(&g, g.pools[0]->mem));
	assert_false(device_sees(&g, mem + FAKE_PAGE));
	assert_int_equal(lend(&g, 1), 0);
	/* A device that does not let go is not lived with. */
	fake_event_pool_destroyed(g.pools[1]->mp);
	g.dom.refusal = -EREMOTEIO;
	assert_int_equal(dmap_serve(g.d), -EREMOTEIO);
	rig_close(&g);
	fake_eal_free(mem);
}

static void *
serve_thread(void *arg)
{
	struct rig *g = arg;

	return (void *)(intptr_t)dmap_serve(g->d);
}

static void *
publish_thread(void *arg)
{
	struct rig *g = arg;

	return (void *)(intptr_t)dmap_publish(g->d);
}

static int
end_of(pthread_t thread)
{
	void *ret;

	assert_int_equal(pthread_join(thread, &ret), 0);
	return (int)(intptr_t)ret;
}

/* The device does not answer: nobody but the control thread notices, in this domain or in another. */
static void
test_slow_device(void **state)
{
	struct rig g, other;
	struct dmap_coherent c;
	pthread_t thread;
	uint64_t start;
	char *mem;

	(void)state;
	rig_open(&g, 5);
	rig_open(&other, 2);
	mem = fake_eal_alloc(1);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_add_range(g.d, mem, 1), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(dmap_add_pool(other.d, other.pools[0]->mp), 0);
	assert_int_equal(dmap_publish(other.d), 0);
	assert_int_equal(lend(&g, 2), -EAGAIN);
	assert_int_equal(lend(&g, 4), -EAGAIN);
	fake_domain_block(&g.dom, true);
	assert_int_equal(pthread_create(&thread, NULL, serve_thread, &g), 0);
	fake_domain_await(&g.dom);

	start = now_ms();
	assert_int_equal(lend(&g, 2), -EAGAIN);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 3), -EAGAIN);
	assert_int_equal(dmap_add_pool(g.d, g.pools[3]->mp), 0);
	pool_ends(&g, 1);
	pool_ends(&g, 4); /* which the device is just looking at */
	fake_event_memory_freed(mem, FAKE_PAGE);
	fake_event_memory_added(mem, FAKE_PAGE);
	assert_false(may_use(&g, mem));
	assert_int_equal(dmap_coherent_alloc(g.d, "c", 4096, 0, &c), 0);
	dmap_coherent_free(g.d, &c);
	assert_true(dmap_bytes(g.d) != 0 && dmap_nb_maps(g.d) != 0);
	assert_int_equal(lend(&other, 0), 0);
	assert_int_equal(lend(&other, 1), -EAGAIN);
	assert_int_equal(dmap_serve(other.d), 0);
	assert_int_equal(lend(&other, 1), 0);
	pool_ends(&other, 1);
	assert_int_equal(dmap_serve(other.d), 0);
	fake_assert(now_ms() - start < AT_ONCE, "somebody waited for the device: %u ms",
			(unsigned int)(now_ms() - start));

	fake_domain_block(&g.dom, false);
	assert_int_equal(end_of(thread), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 2), 0);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 3), 0);
	assert_false(may_use(&g, mem) || device_sees(&g, mem));
	rig_close(&g);
	rig_close(&other);
	fake_eal_free(mem);
}

/* The same while a port starts; and what comes meanwhile may be used when the device has it, not before. */
static void
test_slow_start(void **state)
{
	pthread_t thread;
	uint64_t start;
	struct rig g;

	(void)state;
	rig_open(&g, 3);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	fake_domain_block(&g.dom, true);
	assert_int_equal(pthread_create(&thread, NULL, publish_thread, &g), 0);
	fake_domain_await(&g.dom);
	start = now_ms();
	pool_ends(&g, 1);
	assert_int_equal(dmap_add_pool(g.d, g.pools[2]->mp), 0);
	fake_assert(now_ms() - start < AT_ONCE, "somebody waited for the device");
	wakes(&g);
	fake_domain_block(&g.dom, false);
	assert_int_equal(end_of(thread), 0);
	assert_true(wakes(&g) != 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_false(may_use(&g, g.pools[2]->mem));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 2), 0);
	rig_close(&g);
}

/* The port ends while the device does not answer: nobody waits, and the answer is of no interest any more. */
static void
test_end_of_slow_device(void **state)
{
	pthread_t thread;
	uint64_t start;
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	fake_domain_block(&g.dom, true);
	assert_int_equal(pthread_create(&thread, NULL, serve_thread, &g), 0);
	fake_domain_await(&g.dom);
	start = now_ms();
	dmap_revoke(g.d);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	fake_assert(now_ms() - start < AT_ONCE, "somebody waited for the device");
	g.dom.refusal = -EPROTO;
	fake_domain_block(&g.dom, false);
	assert_int_equal(end_of(thread), 0);
	g.dom.refusal = 0;
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 1), 0);
	rig_close(&g);
}

/* Packets wait for a second, then they are dropped; what comes later all the same is used. */
static void
test_bound(void **state)
{
	pthread_t thread;
	uint64_t start;
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_publish(g.d), 0);
	start = now_ms();
	assert_int_equal(lend(&g, 0), -EAGAIN);
	fake_domain_block(&g.dom, true);
	assert_int_equal(pthread_create(&thread, NULL, serve_thread, &g), 0);
	while (lend(&g, 0) == -EAGAIN)
		usleep(1000);
	fake_assert(now_ms() - start >= 1000 && now_ms() - start < 1000 + AT_ONCE,
			"dropped after %u ms", (unsigned int)(now_ms() - start));
	assert_int_equal(lend(&g, 0), -EACCES);
	fake_domain_block(&g.dom, false);
	assert_int_equal(end_of(thread), 0);
	assert_int_equal(lend(&g, 0), 0);
	rig_close(&g);
}

/* One pool is refused: its packets are, others are not, and it is tried again when there may be room. */
static void
test_refusal(void **state)
{
	static const int answers[] = { -ENOSPC, -EREMOTEIO };
	unsigned int i, nb;
	struct rig g;

	(void)state;
	for (i = 0; i < RTE_DIM(answers); i++) {
		rig_open(&g, 3);
		assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
		assert_int_equal(dmap_publish(g.d), 0);
		g.dom.nb_max = g.dom.nb;
		g.dom.refusal_nb_max = answers[i];
		assert_int_equal(lend(&g, 1), -EAGAIN);
		fake_log_begin();
		assert_int_equal(dmap_serve(g.d), 0);
		assert_non_null(strstr(fake_log_end(), "the device cannot reach it"));
		nb = g.dom.nb_publishes;
		assert_int_equal(lend(&g, 1), -EACCES);
		assert_int_equal(lend(&g, 0), 0);
		/* Remembered: nobody is asked again yet. */
		wakes(&g);
		assert_int_equal(lend(&g, 1), -EACCES);
		assert_int_equal(dmap_serve(g.d), 0);
		assert_int_equal(g.dom.nb_publishes, nb);
		assert_int_equal(wakes(&g), 0);
		/* What the device knows is what is used. */
		assert_true(device_sees(&g, g.pools[0]->mem));
		assert_false(device_sees(&g, g.pools[1]->mem));
		/* Two at once, of which one fits. */
		g.dom.nb_max++;
		pool_ends(&g, 1);
		assert_int_equal(lend(&g, 2), -EAGAIN);
		g.dom.nb_max = 0;
		assert_int_equal(dmap_serve(g.d), 0);
		assert_int_equal(lend(&g, 2), 0);
		rig_close(&g);
	}
}

/* A removal makes room: what was refused is tried at once. */
static void
test_room_again(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 3);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	g.dom.nb_max = g.dom.nb;
	assert_int_equal(lend(&g, 2), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 2), -EACCES);
	pool_ends(&g, 1);
	assert_int_equal(lend(&g, 2), -EACCES);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 2), 0);
	rig_close(&g);
}

/* A device that comes next and takes fewer regions: what came with packets goes rather than the port. */
static void
test_smaller_device(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_publish(g.d), 0);
	g.dom.nb_max = g.dom.nb;
	g.dom.nb_max *= 2;
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 1), 0);
	dmap_revoke(g.d);
	g.dom.nb_max /= 2;
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 1), -EACCES);
	/* One that the application named is no such thing. */
	dmap_revoke(g.d);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_publish(g.d), -ENOSPC);
	rig_close(&g);
}

/* The exchange broke: that is no refusal, and the packets go on waiting. */
static void
test_broken_exchange(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	g.dom.refusal = -ETIMEDOUT;
	assert_int_equal(dmap_serve(g.d), -ETIMEDOUT);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	dmap_revoke(g.d);
	g.dom.refusal = 0;
	/* The pool is in the domain by now. */
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	rig_close(&g);
}

/* A pool ends before the control thread has looked. */
static void
test_pool_ends_unseen(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	pool_ends(&g, 0);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_publishes, 1);
	rig_close(&g);
}

static struct rig *walked;
static pthread_t ender;
static bool has_ended;

static void *
end_thread(void *arg)
{
	struct rig *g = arg;

	fake_event_pool_destroyed(g->pools[0]->mp);
	__atomic_store_n(&has_ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void
end_pool_now(struct rte_mempool *mp)
{
	(void)mp;
	fake_eal_before_walk = NULL;
	assert_int_equal(pthread_create(&ender, NULL, end_thread, walked), 0);
	usleep(50000);
	if (__atomic_load_n(&has_ended, __ATOMIC_ACQUIRE))
		fake_error("a pool ended while its pages were looked at");
}

/* And while it looks: the end waits for the look, and then the pool is not in the domain. */
static void
test_pool_ends_when_seen(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_publish(g.d), 0);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	walked = &g;
	has_ended = false;
	fake_eal_before_walk = end_pool_now;
	assert_int_equal(dmap_serve(g.d), 0);
	pthread_join(ender, NULL);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_false(may_use(&g, g.pools[0]->mem) || device_sees(&g, g.pools[0]->mem));
	rig_close(&g);
}

/* More pools at once than there is room for requests: each is shown in its turn. */
static void
test_many_pools(void **state)
{
	unsigned int i, nb_lent, round;
	struct rig g;

	(void)state;
	rig_open(&g, RTE_DIM(g.pools));
	assert_int_equal(dmap_publish(g.d), 0);
	for (round = 0; round < 3; round++) {
		nb_lent = 0;
		for (i = 0; i < RTE_DIM(g.pools); i++) {
			int ret = lend(&g, i);

			fake_assert(ret == 0 || ret == -EAGAIN, "pool %u is refused", i);
			nb_lent += ret == 0;
		}
		assert_int_equal(dmap_serve(g.d), 0);
	}
	assert_int_equal(nb_lent, RTE_DIM(g.pools));
	/* One table for as many as asked. */
	assert_int_equal(g.dom.nb_publishes, 3);
	rig_close(&g);
}

/* All of EAL's memory: new pages may be used when the device has them. */
static void
test_all_eal(void **state)
{
	struct dmap_domain *d;
	struct dmap_window w;
	struct fake_domain f;
	char *mem, *more;

	(void)state;
	fake_errors_clear();
	mem = fake_eal_alloc(2);
	fake_domain_init(&f, false);
	assert_int_equal(dmap_domain_create("all", &fake_domain_remote_all_eal_backend, &f, &d), 0);
	assert_int_equal(dmap_publish(d), 0);
	assert_int_equal(dmap_lookup(d, mem, 2 * FAKE_PAGE, &w), 0);
	more = fake_eal_alloc(2);
	f.nb_max = f.nb;
	fake_event_memory_added(more, 2 * FAKE_PAGE);
	assert_int_equal(dmap_lookup(d, more, 1, &w), -ENOENT);
	/* Refused, which is no end of the rest; and not said again and again. */
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(f.nb_publishes, 2);
	assert_int_equal(dmap_lookup(d, mem, 2 * FAKE_PAGE, &w), 0);
	f.nb_max = 0;
	fake_event_memory_freed(mem, FAKE_PAGE);
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(dmap_lookup(d, more, FAKE_PAGE, &w), 0);
	assert_int_equal(dmap_lookup(d, mem, 1, &w), -ENOENT);
	dmap_revoke(d);
	dmap_domain_destroy(d);
	fake_domain_fini(&f);
	fake_eal_free(more);
	fake_eal_free(mem);
	fake_check();
}

static void *
domains_thread(void *arg)
{
	struct fake_domain f;
	struct dmap_domain *d;
	unsigned int i;

	(void)arg;
	fake_domain_init(&f, false);
	for (i = 0; i < 300; i++) {
		if (dmap_domain_create("race", &fake_domain_remote_backend, &f, &d) != 0) {
			fake_error("no domain");
			break;
		}
		dmap_domain_destroy(d);
	}
	fake_domain_fini(&f);
	return NULL;
}

/* Domains end and begin at the same time, while events come: callbacks are there whenever there is a domain. */
static void
test_registration(void **state)
{
	unsigned int nb_before = fake_event_nb_callbacks(), i;
	pthread_t threads[3];

	(void)state;
	fake_errors_clear();
	for (i = 0; i < RTE_DIM(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, domains_thread, NULL), 0);
	for (i = 0; i < 3000; i++)
		fake_event_memory_freed(&threads, FAKE_PAGE);
	for (i = 0; i < RTE_DIM(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fake_event_nb_callbacks(), nb_before);
	fake_check();
}

int
main(void)
{
	suite_add(test_no_device, NULL, "no device");
	suite_add(test_first_seen, NULL, "first seen");
	suite_add(test_removal, NULL, "removal");
	suite_add(test_slow_device, NULL, "slow device");
	suite_add(test_slow_start, NULL, "slow start");
	suite_add(test_end_of_slow_device, NULL, "end of a slow device");
	suite_add(test_bound, NULL, "bound");
	suite_add(test_refusal, NULL, "refusal");
	suite_add(test_room_again, NULL, "room again");
	suite_add(test_smaller_device, NULL, "smaller device");
	suite_add(test_broken_exchange, NULL, "broken exchange");
	suite_add(test_pool_ends_unseen, NULL, "pool ends unseen");
	suite_add(test_pool_ends_when_seen, NULL, "pool ends when seen");
	suite_add(test_many_pools, NULL, "many pools");
	suite_add(test_all_eal, NULL, "all of EAL");
	suite_add(test_registration, NULL, "registration");
	return suite_run("serve");
}
