/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Streams: what is remembered, what is asked for, what is forgotten. And the memory of rings.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmap_impl.h"
#include "dmap_stream.h"
#include "env.h"

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
	struct fake_pool *pool;
	struct dmap_stream s;
};

static void
rig_open(struct rig *g, bool is_lying)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 400 };

	fake_errors_clear();
	fake_context("a %s domain", is_lying ? "lying" : "identity");
	fake_domain_init(&g->dom, is_lying);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &g->dom, &g->d), 0);
	g->pool = fake_pool_create(&conf);
	dmap_stream_init(&g->s, g->d);
}

static void
rig_close(struct rig *g)
{
	dmap_domain_destroy(g->d);
	fake_pool_destroy(g->pool);
	fake_domain_fini(&g->dom);
	fake_check();
}

static bool
lend(struct rig *g, const struct rte_mbuf *m, const char *va, uint32_t len)
{
	struct dmap_addr da = { .v = 0x5a5a };

	dmap_stream_refresh(&g->s);
	/*
	 * Memory that is not shown is seen to by the control thread; then the application comes
	 * again.
	 */
	while (!dmap_lend(&g->s, m, va, len, &da)) {
		if (!dmap_may_come(&g->s))
			return false;
		assert_int_equal(dmap_serve(g->d), 0);
	}
	fake_assert(fake_domain_reach(&g->dom, da.v, len) == va,
			"the device finds something else there");
	return true;
}

/* The first packet of a pool shows it; the next ones of the same page cost nothing. */
static void
test_miss_shows_the_pool(void **state)
{
	unsigned int lying;
	struct rte_mbuf *m;
	struct rig g;

	(void)state;
	for (lying = 0; lying < 2; lying++) {
		rig_open(&g, lying);
		m = fake_mbuf(g.pool, 128, 60);
		assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
		assert_int_equal(g.dom.nb_shows, 1);
		/* Before it was shown, and after. */
		assert_int_equal(g.s.nb_misses, 2);
		assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
		assert_true(lend(&g, m, m->buf_addr, m->buf_len));
		assert_int_equal(g.s.nb_misses, 2);
		assert_int_equal(g.dom.nb_shows, 1);
		rte_pktmbuf_free(m);
		rig_close(&g);
	}
}

/* Five pages in turn are all remembered, six are too many; each answer is right in any case. */
static void
test_near_windows(void **state)
{
	unsigned int nb, i, round;
	struct rte_mbuf *m;
	uint64_t misses;
	struct rig g;

	(void)state;
	for (nb = 1; nb <= 8; nb++) {
		rig_open(&g, true);
		fake_context("%u pages", nb);
		m = fake_mbuf(g.pool, 128, 60);
		assert_true(g.pool->mem_len >= 8 * FAKE_PAGE);
		for (round = 0; round < 10; round++) {
			misses = g.s.nb_misses;
			for (i = 0; i < nb; i++)
				assert_true(lend(&g, m, g.pool->mem + i * FAKE_PAGE + 300 * round,
						100));
		}
		assert_int_equal(g.s.nb_misses - misses, nb <= DMAP_STREAM_NEAR + 1 ? 0 : nb);
		rte_pktmbuf_free(m);
		rig_close(&g);
	}
}

/* In any order, against the table itself. */
static void
test_random_lookups(void **state)
{
	struct rte_mbuf *m;
	uint64_t random = 3;
	unsigned int i;
	struct rig g;

	(void)state;
	rig_open(&g, true);
	m = fake_mbuf(g.pool, 128, 60);
	for (i = 0; i < 20000; i++) {
		uint32_t at = fake_below(&random, g.pool->mem_len),
			 len = 1 + fake_below(&random, 3000);
		bool fits = at % FAKE_PAGE + len <= FAKE_PAGE;

		/* Two pages are not neighbours for the device. */
		fake_assert(lend(&g, m, g.pool->mem + at, len) == fits, "%u bytes at %u", len, at);
	}
	assert_false(lend(&g, m, g.pool->mem - 1, 1));
	assert_false(lend(&g, m, g.pool->mem + g.pool->mem_len - 1, 2));
	assert_true(lend(&g, m, g.pool->mem + g.pool->mem_len - 1, 1));
	assert_false(lend(&g, m, g.pool->mem, UINT32_MAX));
	rte_pktmbuf_free(m);
	rig_close(&g);
}

/* What left the table is not lent any more from the next burst on. */
static void
test_removal_is_noticed(void **state)
{
	struct rte_mbuf *m;
	struct rig g;
	char *mem;

	(void)state;
	rig_open(&g, true);
	m = fake_mbuf(g.pool, 128, 60);
	mem = aligned_alloc(FAKE_PAGE, FAKE_PAGE);
	fake_eal_add(mem, FAKE_PAGE);
	assert_int_equal(dmap_add_range(g.d, mem, 100), 0);
	assert_true(lend(&g, m, mem, 100));
	assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	/* Near, not last. */
	fake_eal_remove(mem);
	fake_event_memory_freed(mem, FAKE_PAGE);
	assert_false(lend(&g, m, mem, 100));
	/* Last. */
	assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	dmap_del_pool(g.d, g.pool->mp);
	g.dom.refusal = -ENOSPC;
	assert_false(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	g.dom.refusal = 0;
	/* Nothing has changed that would let a try seem worth it. */
	assert_false(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_false(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	fake_event_memory_added(mem, FAKE_PAGE);
	assert_false(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	free(mem);
	rte_pktmbuf_free(m);
	rig_close(&g);
}

/* An additional pool does not make a stream forget what it knows. */
static void
test_addition_forgets_nothing(void **state)
{
	const struct fake_pool_conf conf = { .name = "second", .nb = 10 };
	struct fake_pool *second = fake_pool_create(&conf);
	struct rte_mbuf *m;
	struct rig g;

	(void)state;
	rig_open(&g, true);
	m = fake_mbuf(g.pool, 128, 60);
	assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	assert_int_equal(dmap_add_pool(g.d, second->mp), 0);
	assert_true(lend(&g, m, rte_pktmbuf_mtod(m, char *), 60));
	assert_int_equal(g.s.nb_misses, 2);
	rte_pktmbuf_free(m);
	rig_close(&g);
	fake_pool_destroy(second);
}

/* Rings in memory files: zeroed, in whole pages, sealed against the other side, gone when freed. */
static void
test_memfd_is_sealed(void **state)
{
	struct dmap_remote remote = { .show = fake_no_device };
	struct dmap_coherent a, b;
	struct dmap_region r[4];
	struct dmap_domain *d;
	unsigned int i;
	struct stat st;

	(void)state;
	assert_int_equal(dmap_domain_create("memfd", &dmap_memfd_backend, &remote, &d), 0);
	assert_int_equal(dmap_alloc_coherent(d, "none", 0, 0, &a), -EINVAL);
	assert_int_equal(dmap_alloc_coherent(d, "a", 1, 0, &a), 0);
	assert_int_equal(dmap_alloc_coherent(d, "b", 300000, 0, &b), 0);
	assert_int_equal(a.len, 4096);
	assert_true(b.len >= 300000 && b.len % 4096 == 0);
	assert_int_equal(dmap_regions(d, r, 4), 2);
	for (i = 0; i < b.len; i++)
		assert_int_equal(((char *)b.va)[i], 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(fstat(r[i].fd, &st), 0);
		assert_int_equal(st.st_size, r[i].len);
		assert_int_equal(ftruncate(r[i].fd, 0), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(ftruncate(r[i].fd, st.st_size + 4096), -1);
		assert_int_equal(fcntl(r[i].fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
		assert_true(fcntl(r[i].fd, F_GETFD) & FD_CLOEXEC);
	}
	dmap_free_coherent(d, &a);
	assert_int_equal(dmap_regions(d, r, 4), 1);
	dmap_domain_destroy(d);
	assert_int_equal(fcntl(r[0].fd, F_GETFD), -1);
}

/*
 * A pool in a page that is shown for another reason: it is lent, but nothing holds it there before
 * it is in the domain itself, as it is after the control thread has seen to it. Then the other one
 * may go.
 */
static void
test_pool_in_the_page_of_another(void **state)
{
	const struct fake_pool_conf conf = { .name = "guest", .nb = 8 };
	struct fake_pool *p = fake_pool_create(&conf);
	struct rte_mbuf *m = fake_mbuf(p, 128, 60);
	struct dmap_addr da;
	struct rig g;

	(void)state;
	rig_open(&g, false);
	assert_int_equal(dmap_add_range(g.d, p->mem, p->mem_len), 0);
	dmap_stream_init(&g.s, g.d);
	assert_true(dmap_lend(&g.s, m, rte_pktmbuf_mtod(m, void *), 60, &da));
	/* With data elsewhere it says nothing of its pool. */
	m->ol_flags = RTE_MBUF_F_EXTERNAL;
	assert_true(dmap_knows(&g.s, m));
	m->ol_flags = 0;
	assert_false(dmap_knows(&g.s, m));
	assert_true(dmap_may_come(&g.s));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_true(dmap_knows(&g.s, m));
	dmap_domain_remove(g.d, DMAP_OWNER_RANGE, p->mem);
	dmap_stream_refresh(&g.s);
	assert_true(dmap_lend(&g.s, m, rte_pktmbuf_mtod(m, void *), 60, &da));
	assert_true(dmap_knows(&g.s, m));
	/* What it knows is void when the pool ends. */
	dmap_del_pool(g.d, p->mp);
	dmap_stream_refresh(&g.s);
	assert_false(dmap_knows(&g.s, m));
	rte_pktmbuf_free(m);
	rig_close(&g);
	fake_pool_destroy(p);
}

static int nb_asked, answer;

static int
on_ask(const struct dmap_shared *shared, const void *memory, const struct dmap_buffer *buf)
{
	assert_non_null(shared);
	assert_ptr_equal(memory, buf->pool);
	nb_asked++;
	return answer;
}

/* The same in another process, which asks for it. */
static void
test_page_of_another_elsewhere(void **state)
{
	static struct dmap_shared shared;
	struct rte_mbuf *m;
	unsigned int i;
	struct rig g;

	(void)state;
	rig_open(&g, true);
	dmap_share(g.d, &shared);
	dmap_stream_init(&g.s, g.d);
	m = fake_mbuf(g.pool, RTE_PKTMBUF_HEADROOM, 60);
	dmap_set_remote(on_ask);
	assert_int_equal(dmap_add_range(g.d, g.pool->mem, g.pool->mem_len), 0);
	answer = -EAGAIN;
	assert_int_equal(dmap_shared_pool(&shared, g.pool->mp), -ENOENT);
	assert_false(dmap_knows(&g.s, m));
	assert_true(dmap_may_come(&g.s));
	assert_int_equal(nb_asked, 1);
	assert_int_equal(dmap_add_pool(g.d, g.pool->mp), 0);
	assert_true(dmap_knows(&g.s, m));
	dmap_del_pool(g.d, g.pool->mp);
	dmap_stream_refresh(&g.s);
	answer = -EACCES;
	assert_false(dmap_knows(&g.s, m));
	assert_false(dmap_may_come(&g.s));
	assert_int_equal(nb_asked, 2);
	/* Where there are too many to be listed nobody is asked. */
	shared.pools[0] = NULL;
	for (i = 0; i <= DMAP_SHARED_POOLS; i++, shared.nb_pools++)
		assert_int_equal(dmap_shared_pool(&shared, g.pool->mp), -ENOENT);
	assert_int_equal(dmap_shared_pool(&shared, g.pool->mp), 0);
	dmap_set_remote(NULL);
	rte_pktmbuf_free(m);
	rig_close(&g);
}

int
main(void)
{
	suite_add(test_miss_shows_the_pool, NULL, "miss shows the pool");
	suite_add(test_near_windows, NULL, "near windows");
	suite_add(test_random_lookups, NULL, "random lookups");
	suite_add(test_removal_is_noticed, NULL, "removal is noticed");
	suite_add(test_addition_forgets_nothing, NULL, "addition forgets nothing");
	suite_add(test_memfd_is_sealed, NULL, "memfd is sealed");
	suite_add(test_pool_in_the_page_of_another, NULL, "pool in the page of another");
	suite_add(test_page_of_another_elsewhere, NULL, "page of another elsewhere");
	return suite_run("stream");
}
