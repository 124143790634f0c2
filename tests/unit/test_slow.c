/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end that does not answer: who waits (the thread that starts it, and the control thread)
 * and who does not (everybody else), and what threads do to each other.
 */

#include <pthread.h>
#include <unistd.h>

#include "remote.h"

static void *
serve_thread(void *arg)
{
	struct rig *g = arg;

	return (void *)(intptr_t)dmap_serve(g->d);
}

static void *
show_thread(void *arg)
{
	struct rig *g = arg;

	return (void *)(intptr_t)dmap_show(g->d);
}

static int
end_of(pthread_t thread)
{
	void *ret;

	assert_int_equal(pthread_join(thread, &ret), 0);
	return (int)(intptr_t)ret;
}

/*
 * The device does not answer: nobody but the control thread notices, in this domain or in another.
 */
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
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(dmap_add_pool(other.d, other.pools[0]->mp), 0);
	assert_int_equal(dmap_show(other.d), 0);
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
	assert_int_equal(dmap_alloc_coherent(g.d, "c", 4096, 0, &c), 0);
	dmap_free_coherent(g.d, &c);
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

/*
 * The same while a port starts; and what comes meanwhile may be used when the device has it, not
 * before.
 */
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
	assert_int_equal(pthread_create(&thread, NULL, show_thread, &g), 0);
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

/*
 * The port ends while the device does not answer: nobody waits, and the answer is of no interest
 * any more.
 */
static void
test_end_of_slow_device(void **state)
{
	pthread_t thread;
	uint64_t start;
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_show(g.d), 0);
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
	assert_int_equal(dmap_show(g.d), 0);
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
	assert_int_equal(dmap_show(g.d), 0);
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

/* A pool ends before the control thread has looked. */
static void
test_pool_ends_unseen(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	pool_ends(&g, 0);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 1);
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
	assert_int_equal(dmap_show(g.d), 0);
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

/*
 * Domains end and begin at the same time, while events come: callbacks are there whenever there is
 * a domain.
 */
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
	suite_add(test_slow_device, NULL, "slow device");
	suite_add(test_slow_start, NULL, "slow start");
	suite_add(test_end_of_slow_device, NULL, "end of a slow device");
	suite_add(test_bound, NULL, "bound");
	suite_add(test_pool_ends_unseen, NULL, "pool ends unseen");
	suite_add(test_pool_ends_when_seen, NULL, "pool ends when seen");
	suite_add(test_registration, NULL, "registration");
	return suite_run("slow");
}
