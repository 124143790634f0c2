/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A domain with a back end that has to be waited for, and pools that it may see or not.
 */

#ifndef REMOTE_H
#define REMOTE_H

#include <errno.h>
#include <string.h>
#include <time.h>

#include "dmap_stream.h"
#include "env.h"

/*
 * What does not wait for the device takes no longer than this, in milliseconds, on a machine that
 * is busy.
 */
#define AT_ONCE 300

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
	struct dmap_stream s;
	struct fake_pool *pools[20];
	unsigned int nb_wakes;
};

static inline uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000UL + t.tv_nsec / 1000000;
}

static inline void
wake(void *ctx)
{
	struct rig *g = ctx;

	__atomic_fetch_add(&g->nb_wakes, 1, __ATOMIC_RELAXED);
}

static inline unsigned int
wakes(struct rig *g)
{
	return __atomic_exchange_n(&g->nb_wakes, 0, __ATOMIC_RELAXED);
}

static inline void
rig_open_of(struct rig *g, const struct dmap_backend *backend, unsigned int nb_pools)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 20 };
	unsigned int i;

	fake_errors_clear();
	fake_context("remote");
	memset(g, 0, sizeof(*g));
	fake_domain_init(&g->dom, true);
	assert_int_equal(dmap_domain_create("unit", backend, &g->dom, &g->d), 0);
	dmap_set_waker(g->d, wake, g);
	for (i = 0; i < nb_pools; i++)
		g->pools[i] = fake_pool_create(&conf);
	dmap_stream_init(&g->s, g->d);
}

static inline void
rig_open(struct rig *g, unsigned int nb_pools)
{
	rig_open_of(g, &fake_domain_remote_backend, nb_pools);
}

static inline void
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

static inline void
pool_ends(struct rig *g, unsigned int i)
{
	fake_event_pool_destroyed(g->pools[i]->mp);
	fake_pool_destroy(g->pools[i]);
	g->pools[i] = NULL;
}

/* 0: lent, and the device finds it; else what is said of it. */
static inline int
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

static inline bool
may_use(struct rig *g, const void *va)
{
	struct dmap_window w;

	return dmap_lookup(g->d, va, 1, &w) == 0;
}

static inline bool
device_sees(struct rig *g, const void *va)
{
	unsigned int i;

	for (i = 0; i < g->dom.nb; i++)
		if ((uintptr_t)va - g->dom.regions[i].va < g->dom.regions[i].len)
			return true;
	return false;
}

#endif /* REMOTE_H */
