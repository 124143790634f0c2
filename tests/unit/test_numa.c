/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Where memory lies and where it should: what gets a warning, once, and what is silent.
 */

#include <string.h>

#include "env.h"
#include "fake_log.h"
#include "fake_numa.h"

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
	struct fake_pool *pool;
	struct dmap_coherent rings;
};

/* Rings and a pool, all on node 0 of two. */
static void
rig_open(struct rig *g)
{
	const struct fake_pool_conf conf = { .name = "mb_pool", .nb = 400 };

	memset(&fake_numa, 0, sizeof(fake_numa));
	fake_numa.nb_nodes = 2;
	fake_errors_clear();
	fake_context("numa");
	fake_domain_init(&g->dom, false);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &g->dom, &g->d), 0);
	g->pool = fake_pool_create(&conf);
	assert_int_equal(dmap_add_pool(g->d, g->pool->mp), 0);
	assert_int_equal(dmap_alloc_coherent(g->d, "rings", 3 << 20, 0, &g->rings), 0);
}

static void
rig_close(struct rig *g)
{
	dmap_free_coherent(g->d, &g->rings);
	dmap_domain_destroy(g->d);
	fake_pool_destroy(g->pool);
	fake_domain_fini(&g->dom);
	fake_check();
}

/* What is logged when the device is on this node; nb warnings must be counted. */
static const char *
check(struct rig *g, int node, unsigned int nb)
{
	unsigned int nb_found;

	fake_log_begin();
	nb_found = dmap_check_nodes(g->d, "port 5", node);
	assert_int_equal(nb_found, nb);
	return fake_log_end();
}

static void
test_silent(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	/* Nothing to compare: no NUMA, one node, a device of no known node. */
	fake_numa.is_absent = true;
	assert_string_equal(check(&g, 1, 0), "");
	fake_numa.is_absent = false;
	fake_numa.nb_nodes = 1;
	assert_string_equal(check(&g, 1, 0), "");
	fake_numa.nb_nodes = 2;
	assert_string_equal(check(&g, -1, 0), "");
	assert_int_equal(fake_numa.nb_asked, 0);
	/* All is well. Every page of the rings was asked for, and of the pool. */
	assert_string_equal(check(&g, 0, 0), "");
	assert_int_equal(fake_numa.nb_asked, ((3 << 20) + g.pool->mem_len) / 4096);
	/* And not a second time. */
	assert_string_equal(check(&g, 0, 0), "");
	assert_int_equal(fake_numa.nb_asked, ((3 << 20) + g.pool->mem_len) / 4096);
	rig_close(&g);
}

/* A kernel that does not tell, and memory that nobody touched. */
static void
test_unknown(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	fake_numa.is_mute = true;
	assert_string_equal(check(&g, 1, 0), "");
	rig_close(&g);
	rig_open(&g);
	fake_numa.node = -2; /* -ENOENT */
	assert_string_equal(check(&g, 1, 0), "");
	rig_close(&g);
}

static void
test_far_pool(void **state)
{
	const char *log;
	struct rig g;

	(void)state;
	rig_open(&g);
	/* One page of it is enough. */
	fake_numa.other_addr = g.pool->mem + FAKE_PAGE;
	fake_numa.other_len = 4096;
	fake_numa.other_node = 1;
	log = check(&g, 0, 1);
	assert_non_null(strstr(log,
			"port 5: mempool mb_pool lies on NUMA node 1, the device on node 0: "));
	assert_non_null(strstr(log, "socket_id 0, and give EAL memory there (--socket-mem"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	assert_string_equal(check(&g, 0, 0), "");
	/* A pool that comes again is looked at again. */
	fake_event_pool_destroyed(g.pool->mp);
	assert_int_equal(dmap_add_pool(g.d, g.pool->mp), 0);
	assert_non_null(strstr(check(&g, 0, 1), "mempool mb_pool"));
	rig_close(&g);
}

static void
test_far_rings(void **state)
{
	const char *log;
	struct rig g;

	(void)state;
	rig_open(&g);
	/* The last page, beyond what the kernel is asked at a time. */
	fake_numa.other_addr = (char *)g.rings.va + (3 << 20) - 4096;
	fake_numa.other_len = 4096;
	fake_numa.other_node = 1;
	log = check(&g, 0, 1);
	assert_non_null(strstr(
			log, "port 5: the rings lie on NUMA node 1, the device on node 0: "));
	assert_non_null(strstr(log, "--socket-mem"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	rig_close(&g);
	/* All of both. */
	rig_open(&g);
	log = check(&g, 1, 2);
	assert_non_null(strstr(log, "the rings lie on NUMA node 0, the device on node 1"));
	assert_non_null(strstr(log, "mempool mb_pool lies on NUMA node 0, the device on node 1"));
	rig_close(&g);
}

int
main(void)
{
	suite_add(test_silent, NULL, "silent");
	suite_add(test_unknown, NULL, "unknown");
	suite_add(test_far_pool, NULL, "far pool");
	suite_add(test_far_rings, NULL, "far rings");
	return suite_run("numa");
}
