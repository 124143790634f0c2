/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Two devices whose domains are checked, and an mbuf of a pool that both reach.
 */

#ifndef DEBUG_RIG_H
#define DEBUG_RIG_H

#include <string.h>

#include "dmap_debug.h"
#include "dmap_map.h"
#include "env.h"

#define LEN 200

struct rig {
	struct fake_domain dom, other_dom;
	struct dmap_domain *d, *other;
	struct fake_pool *pool;
	struct dmap_stream s, other_s;
	struct rte_mbuf *m;
	char *data;
};

static inline void
rig_open(struct rig *g)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 40 };

	fake_errors_clear();
	memset(g, 0, sizeof(*g));
	fake_domain_init(&g->dom, true);
	fake_domain_init(&g->other_dom, true);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &g->dom, &g->d), 0);
	assert_int_equal(
			dmap_domain_create("other", &fake_domain_backend, &g->other_dom, &g->other),
			0);
	assert_int_equal(dmap_debug_start(g->d, "port one"), 0);
	assert_int_equal(dmap_debug_start(g->other, "port two"), 0);
	g->pool = fake_pool_create(&conf);
	assert_int_equal(dmap_add_pool(g->d, g->pool->mp), 0);
	assert_int_equal(dmap_add_pool(g->other, g->pool->mp), 0);
	dmap_stream_init(&g->s, g->d);
	dmap_stream_init(&g->other_s, g->other);
	g->m = fake_mbuf(g->pool, 128, LEN);
	g->data = rte_pktmbuf_mtod(g->m, char *);
}

/* Ends the domains; pool and mbuf may be gone. */
static inline void
rig_close(struct rig *g)
{
	rte_pktmbuf_free(g->m);
	dmap_domain_destroy(g->d);
	dmap_domain_destroy(g->other);
	fake_pool_destroy(g->pool);
	fake_domain_fini(&g->dom);
	fake_domain_fini(&g->other_dom);
	fake_check();
}

static inline struct dmap_map
map(struct rig *g, enum dmap_dir dir)
{
	struct dmap_map map = dmap_map_mbuf(&g->s, g->m, 0, LEN, dir);

	assert_int_equal(dmap_mapping_error(&map), 0);
	return map;
}

#endif /* DEBUG_RIG_H */
