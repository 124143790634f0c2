/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end that has to be waited for: what it is told and when, and what becomes of memory that
 * comes and goes, or that it refuses.
 */

#include "fake_log.h"
#include "remote.h"

/* Without a device everything is only noted; dmap_show() says it all at once. */
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
	assert_int_equal(g.dom.nb_shows, 0);
	assert_int_equal(wakes(&g), 0);
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 1);
	assert_true(device_sees(&g, g.pools[0]->mem));
	assert_int_equal(lend(&g, 0), 0);
	dmap_revoke(g.d);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 1);
	/* A device that does not take part: the start fails, and says so. */
	g.dom.refusal = -ENOSPC;
	assert_int_equal(dmap_show(g.d), -ENOSPC);
	g.dom.refusal = 0;
	rig_close(&g);
}

/* What is said when pool i ends. */
static const char *
end_log(struct rig *g, unsigned int i)
{
	fake_log_begin();
	fake_event_pool_destroyed(g->pools[i]->mp);
	return fake_log_end();
}

/*
 * A pool of which somebody has buffers, while the device reaches it: one line. Nothing where all
 * are back, where the device never saw it, or not yet, and before it starts and after it stopped.
 */
static void
test_freed_in_use(void **state)
{
	const struct dmap_backend *backends[] = { &fake_domain_backend,
		&fake_domain_remote_backend };
	enum { BEFORE, HELD, BACK, UNKNOWN, LATE, AFTER, POOLS };
	struct rte_mbuf *m[POOLS];
	const char *log;
	struct rig g;
	unsigned int k, i;

	(void)state;
	for (k = 0; k < RTE_DIM(backends); k++) {
		rig_open_of(&g, backends[k], POOLS);
		for (i = 0; i < POOLS; i++) {
			m[i] = fake_mbuf(g.pools[i], 128, 60);
			if (i != UNKNOWN && i != LATE)
				assert_int_equal(dmap_add_pool(g.d, g.pools[i]->mp), 0);
		}
		assert_string_equal(end_log(&g, BEFORE), "");
		assert_int_equal(dmap_show(g.d), 0);
		log = end_log(&g, HELD);
		fake_assert(strstr(log, "mempool pool is freed while 1 of its buffers") != NULL &&
						strchr(log, '\n') == log + strlen(log) - 1,
				"%s", log);
		/* A pool that is in a file of its own is told of twice. */
		assert_string_equal(end_log(&g, HELD), "");
		rte_pktmbuf_free(m[BACK]);
		assert_string_equal(end_log(&g, BACK), "");
		assert_string_equal(end_log(&g, UNKNOWN), "");
		/* What changes is shown at once, or by the control thread. */
		assert_int_equal(dmap_add_pool(g.d, g.pools[LATE]->mp), 0);
		assert_int_equal(end_log(&g, LATE)[0] == '\0', k == 1);
		dmap_revoke(g.d);
		assert_string_equal(end_log(&g, AFTER), "");
		for (i = 0; i < POOLS; i++)
			if (i != BACK)
				rte_pktmbuf_free(m[i]);
		rig_close(&g);
	}
}

/*
 * A pool that is first seen on transmit: the burst goes on, the control thread is woken once, and
 * then it is there.
 */
static void
test_first_seen(void **state)
{
	uint32_t generation;
	struct rig g;

	(void)state;
	rig_open(&g, 3);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_show(g.d), 0);
	generation = *dmap_generation(g.d);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(wakes(&g), 1);
	assert_int_equal(g.dom.nb_shows, 1);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 2);
	assert_int_equal(lend(&g, 1), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(*dmap_generation(g.d), generation);
	/* Two at once are one table. */
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 2);
	/* One that the application names while the device runs. */
	wakes(&g);
	assert_int_equal(dmap_add_pool(g.d, g.pools[2]->mp), 0);
	assert_int_equal(wakes(&g), 1);
	assert_false(may_use(&g, g.pools[2]->mem));
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 2), 0);
	rig_close(&g);
}

/* Pools that were added and are not kept go; those that came with packets stay. */
static void
test_kept(void **state)
{
	const struct rte_mempool *kept;
	struct rig g;

	(void)state;
	rig_open(&g, 3);
	kept = g.pools[1]->mp;
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 2), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	dmap_revoke(g.d);
	dmap_keep_pools(g.d, &kept, 1);
	assert_int_equal(dmap_show(g.d), 0);
	assert_false(device_sees(&g, g.pools[0]->mem));
	assert_true(device_sees(&g, g.pools[1]->mem));
	assert_true(device_sees(&g, g.pools[2]->mem));
	/* Packets of it are as any others. */
	assert_int_equal(lend(&g, 0), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	dmap_keep_pools(g.d, NULL, 0);
	assert_false(may_use(&g, g.pools[1]->mem));
	assert_int_equal(lend(&g, 0), 0);
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
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 1), 0);
	fake_event_memory_freed(mem + FAKE_PAGE, FAKE_PAGE);
	assert_false(may_use(&g, mem + FAKE_PAGE));
	fake_event_pool_destroyed(g.pools[0]->mp);
	assert_false(may_use(&g, g.pools[0]->mem));
	assert_false(dmap_stream_is_fresh(&g.s));
	assert_int_equal(g.dom.nb_shows, 1);
	assert_true(device_sees(&g, g.pools[0]->mem));
	assert_int_equal(wakes(&g), 2);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(g.dom.nb_shows, 2);
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

/* Is the region of a pool told as one that the device reaches? 0: there is no such region. */
static int
told(struct rig *g, const struct fake_pool *pool, unsigned int first)
{
	struct dmap_entry entries[8];
	unsigned int i, nb = dmap_entries(g->d, first, entries, RTE_DIM(entries));

	for (i = 0; first + i < nb; i++)
		if (entries[i].region.va == (uintptr_t)pool->mem) {
			assert_string_equal(entries[i].kind, "mempool");
			assert_string_equal(entries[i].name, pool->mp->name);
			return entries[i].is_shown ? 1 : -1;
		}
	return 0;
}

/* What is told of the domain: what is in it, and of that what the device has accepted. */
static void
test_entries(void **state)
{
	struct dmap_entry one;
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_entries(g.d, 0, NULL, 0), 0);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(told(&g, g.pools[0], 0), -1);
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(told(&g, g.pools[0], 0), 1);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(told(&g, g.pools[1], 0), -1);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(told(&g, g.pools[1], 0), 1);
	/* From the second on, and no more than there is room for. */
	assert_int_equal(told(&g, g.pools[0], 1), 0);
	assert_int_equal(told(&g, g.pools[1], 1), 1);
	assert_int_equal(dmap_entries(g.d, 1, &one, 1), 2);
	assert_int_equal(one.region.va, (uintptr_t)g.pools[1]->mem);
	assert_int_equal(dmap_entries(g.d, UINT32_MAX, &one, 1), 2);
	dmap_revoke(g.d);
	assert_int_equal(told(&g, g.pools[0], 0), -1);
	fake_event_pool_destroyed(g.pools[0]->mp);
	assert_int_equal(told(&g, g.pools[0], 0), 0);
	rig_close(&g);
}

/*
 * One pool is refused: its packets are, others are not, and it is tried again when there may be
 * room.
 */
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
		assert_int_equal(dmap_show(g.d), 0);
		g.dom.nb_max = g.dom.nb;
		g.dom.refusal_nb_max = answers[i];
		assert_int_equal(lend(&g, 1), -EAGAIN);
		fake_log_begin();
		assert_int_equal(dmap_serve(g.d), 0);
		assert_non_null(strstr(fake_log_end(), "the device cannot reach it"));
		nb = g.dom.nb_shows;
		assert_int_equal(lend(&g, 1), -EACCES);
		assert_int_equal(lend(&g, 0), 0);
		/* Remembered: nobody is asked again yet. */
		wakes(&g);
		assert_int_equal(lend(&g, 1), -EACCES);
		assert_int_equal(dmap_serve(g.d), 0);
		assert_int_equal(g.dom.nb_shows, nb);
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
	assert_int_equal(dmap_show(g.d), 0);
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

/*
 * A device that comes next and takes fewer regions: what came with packets goes rather than the
 * port.
 */
static void
test_smaller_device(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 2);
	assert_int_equal(dmap_add_pool(g.d, g.pools[0]->mp), 0);
	assert_int_equal(dmap_show(g.d), 0);
	g.dom.nb_max = g.dom.nb;
	g.dom.nb_max *= 2;
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 1), 0);
	dmap_revoke(g.d);
	g.dom.nb_max /= 2;
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
	assert_int_equal(lend(&g, 1), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	assert_int_equal(lend(&g, 1), -EACCES);
	/* One that the application named is no such thing. */
	dmap_revoke(g.d);
	assert_int_equal(dmap_add_pool(g.d, g.pools[1]->mp), 0);
	assert_int_equal(dmap_show(g.d), -ENOSPC);
	rig_close(&g);
}

/* The exchange broke: that is no refusal, and the packets go on waiting. */
static void
test_broken_exchange(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1);
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	g.dom.refusal = -ETIMEDOUT;
	assert_int_equal(dmap_serve(g.d), -ETIMEDOUT);
	assert_int_equal(lend(&g, 0), -EAGAIN);
	dmap_revoke(g.d);
	g.dom.refusal = 0;
	/* The pool is in the domain by now. */
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(lend(&g, 0), 0);
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
	assert_int_equal(dmap_show(g.d), 0);
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
	assert_int_equal(g.dom.nb_shows, 3);
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
	assert_int_equal(dmap_show(d), 0);
	assert_int_equal(dmap_lookup(d, mem, 2 * FAKE_PAGE, &w), 0);
	more = fake_eal_alloc(2);
	f.nb_max = f.nb;
	fake_event_memory_added(more, 2 * FAKE_PAGE);
	assert_int_equal(dmap_lookup(d, more, 1, &w), -ENOENT);
	/* Refused, which is no end of the rest; and not said again and again. */
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(f.nb_shows, 2);
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

int
main(void)
{
	suite_add(test_no_device, NULL, "no device");
	suite_add(test_freed_in_use, NULL, "freed in use");
	suite_add(test_first_seen, NULL, "first seen");
	suite_add(test_kept, NULL, "kept");
	suite_add(test_removal, NULL, "removal");
	suite_add(test_entries, NULL, "entries");
	suite_add(test_refusal, NULL, "refusal");
	suite_add(test_room_again, NULL, "room again");
	suite_add(test_smaller_device, NULL, "smaller device");
	suite_add(test_broken_exchange, NULL, "broken exchange");
	suite_add(test_many_pools, NULL, "many pools");
	suite_add(test_all_eal, NULL, "all of EAL");
	return suite_run("serve");
}
