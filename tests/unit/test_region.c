/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The DMA layer: regions and windows, owners of pages, failures of the back end, streams.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_impl.h"
#include "env.h"

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
};

static void
rig_open(struct rig *g, bool is_lying)
{
	fake_errors_clear();
	fake_context("a %s domain", is_lying ? "lying" : "identity");
	fake_domain_init(&g->dom, is_lying);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &g->dom, &g->d), 0);
}

static void
rig_close(struct rig *g)
{
	dmap_domain_destroy(g->d);
	assert_int_equal(g->dom.nb, 0);
	fake_domain_fini(&g->dom);
	fake_check();
}

static bool
can_reach(struct rig *g, const char *va, size_t len)
{
	struct dmap_window w;

	if (dmap_lookup(g->d, va, len, &w) != 0)
		return false;
	/* What the driver believes is what the device has. */
	fake_assert(fake_domain_reach(&g->dom, (uintptr_t)va + w.delta, len) == va,
			"the device sees another place");
	return true;
}

#define R(a, l, d, f, o) \
	{ \
		.va = (a), .len = (l), .da.v = (d), .fd = (f), .fd_off = (o) \
	}
static void
test_list_merges(void **state)
{
	static const struct {
		struct dmap_region a, b;
		unsigned int nb;
		size_t len;
	} cases[] = {
		{ R(0x1000, 0x1000, 0x1000, 3, 0), R(0x2000, 0x1000, 0x2000, 3, 0x1000), 1,
				0x2000 },
		{ R(0x1000, 0x1000, 0x1000, 3, 0), R(0x2000, 0x1000, 0x2000, 3, 0x2000), 2,
				0x1000 },
		{ R(0x1000, 0x1000, 0x1000, 3, 0), R(0x2000, 0x1000, 0x2000, 4, 0x1000), 2,
				0x1000 },
		{ R(0x1000, 0x1000, 0x9000, 3, 0), R(0x2000, 0x1000, 0x2000, 3, 0x1000), 2,
				0x1000 },
		{ R(0x1000, 0x1000, 0x1000, 3, 0), R(0x3000, 0x1000, 0x3000, 3, 0x2000), 2,
				0x1000 },
		{ R(0x1000, 0x1000, 0x1000, 3, 0), R(0x1000, 0x1000, 0x1000, 3, 0), 1, 0x1000 },
		{ R(0x1000, 0x3000, 0x1000, 3, 0), R(0x2000, 0x1000, 0x2000, 3, 0x1000), 1,
				0x3000 },
		{ R(0x1000, 0x2000, 0x1000, 3, 0), R(0x2000, 0x3000, 0x2000, 3, 0x1000), 1,
				0x4000 },
		{ R(0x1000, 0x1000, 0x1000, -1, 0), R(0x2000, 0x1000, 0x2000, -1, 0), 1, 0x2000 },
		{ R(0x2000, 0x1000, 0x2000, 3, 0), R(0x1000, 0x1000, 0x1000, 3, 0), 2, 0x1000 },
	};
	struct dmap_region_list l;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(cases); i++) {
		fake_context("case %u", i);
		memset(&l, 0, sizeof(l));
		assert_int_equal(dmap_region_list_add(&l, &cases[i].a), 0);
		assert_int_equal(dmap_region_list_add(&l, &cases[i].b), 0);
		fake_assert(l.nb == cases[i].nb && l.r[0].len == cases[i].len,
				"%u regions, %zu bytes", l.nb, l.r[0].len);
		dmap_region_list_free(&l);
	}
}

/* The union of random owners holds exactly the pages of any of them, sorted. */
static void
test_union(void **state)
{
	uint64_t random = 7;
	unsigned int round, i, k;

	(void)state;
	for (round = 0; round < 500; round++) {
		struct dmap_owner_head head = TAILQ_HEAD_INITIALIZER(head);
		struct dmap_region_list out;
		struct dmap_owner *o;
		bool has[64] = { false }, seen[64] = { false };

		for (i = 0; i < 1 + round % 6; i++) {
			o = dmap_owner_new(DMAP_OWNER_RANGE, NULL);
			TAILQ_INSERT_TAIL(&head, o, next);
			for (k = 0; k < 5; k++) {
				uint32_t page = fake_below(&random, 60),
					 nb = 1 + fake_below(&random, 4), n;
				struct dmap_region r = { .va = 0x10000 + page * 0x1000,
					.len = nb * 0x1000,
					.da.v = 0x910000 + page * 0x1000,
					.fd = 5,
					.fd_off = page * 0x1000 };

				assert_int_equal(dmap_region_list_add(&o->pages, &r), 0);
				for (n = 0; n < nb; n++)
					has[page + n] = true;
			}
		}
		assert_int_equal(dmap_region_union(&head, NULL, &out), 0);
		for (i = 0; i < out.nb; i++) {
			/* Merged wherever it can be: gaps in between. */
			assert_true(i == 0 || out.r[i].va > out.r[i - 1].va + out.r[i - 1].len);
			for (k = 0; k < out.r[i].len / 0x1000; k++)
				seen[(out.r[i].va - 0x10000) / 0x1000 + k] = true;
		}
		assert_memory_equal(has, seen, sizeof(has));
		dmap_region_list_free(&out);
		while ((o = TAILQ_FIRST(&head)) != NULL) {
			TAILQ_REMOVE(&head, o, next);
			dmap_owner_free(o);
		}
	}
}

/* Regions with the same distance between both addresses are one window, whatever the files. */
static void
test_windows(void **state)
{
	struct dmap_region r[] = {
		R(0x1000, 0x1000, 0x5000, 3, 0),
		R(0x2000, 0x1000, 0x6000, 4, 0),
		R(0x3000, 0x1000, 0x9000, 5, 0),
		R(0x8000, 0x2000, 0xc000, 6, 0),
	};
	struct dmap_region_list l = { .r = r, .nb = RTE_DIM(r) };
	struct dmap_window *w;
	unsigned int nb;
	uintptr_t va;
	size_t len;

	(void)state;
	assert_int_equal(dmap_region_windows(&l, &w, &nb), 0);
	assert_int_equal(nb, 3);
	for (va = 0; va < 0xc000; va += 0x400)
		for (len = 1; len < 0x5000; len += 0x3ff) {
			const struct dmap_window *found = dmap_region_find(w, nb, va, len);
			int want = va >= 0x1000 && va + len <= 0x3000      ? 0 :
					va >= 0x3000 && va + len <= 0x4000 ? 1 :
					va >= 0x8000 && va + len <= 0xa000 ? 2 :
									     -1;

			if (found != (want < 0 ? NULL : &w[want]))
				fail_msg("0x%lx, %zu bytes", (unsigned long)va, len);
		}
	assert_null(dmap_region_find(w, nb, 0x2fff, SIZE_MAX));
	assert_null(dmap_region_find(w, nb, UINTPTR_MAX, 2));
	free(w);
	l.nb = 0;
	assert_int_equal(dmap_region_windows(&l, &w, &nb), 0);
	assert_null(w);
	assert_null(dmap_region_find(w, nb, 0x1000, 1));
}

/* A page stays as long as one of its owners does. */
static void
test_owners_share_pages(void **state)
{
	char *mem = fake_eal_alloc(8);
	struct rig g;
	uint32_t generation;
	unsigned int lying;

	(void)state;
	for (lying = 0; lying < 2; lying++) {
		rig_open(&g, lying);
		assert_int_equal(dmap_add_range(g.d, mem + 10, 100), 0);
		assert_int_equal(dmap_add_range(g.d, mem + 20, FAKE_PAGE), 0);
		assert_int_equal(dmap_bytes(g.d), 2 * FAKE_PAGE);
		assert_true(can_reach(&g, mem, FAKE_PAGE));
		assert_true(can_reach(&g, mem + FAKE_PAGE, FAKE_PAGE));
		assert_false(can_reach(&g, mem + 2 * FAKE_PAGE, 1));
		generation = *dmap_generation(g.d);
		dmap_domain_remove(g.d, DMAP_OWNER_RANGE, mem + 20);
		assert_int_equal(*dmap_generation(g.d), generation + 1);
		assert_true(can_reach(&g, mem, FAKE_PAGE));
		assert_false(can_reach(&g, mem + FAKE_PAGE, 1));
		dmap_domain_remove(g.d, DMAP_OWNER_RANGE, mem + 10);
		assert_int_equal(dmap_bytes(g.d), 0);
		assert_int_equal(g.dom.nb, 0);
		rig_close(&g);
	}
	fake_eal_free(mem);
}

/* Additions leave what streams remember alone, removals do not. */
static void
test_generation(void **state)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 100 };
	struct fake_pool *p = fake_pool_create(&conf);
	char *mem = fake_eal_alloc(1);
	struct dmap_coherent c;
	struct rig g;

	(void)state;
	rig_open(&g, true);
	assert_int_equal(*dmap_generation(g.d), 0);
	assert_int_equal(dmap_add_pool(g.d, p->mp), 0);
	assert_int_equal(dmap_add_pool(g.d, p->mp), 0);
	assert_int_equal(dmap_add_range(g.d, mem, 1), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "rings", 5000, 0, &c), 0);
	assert_int_equal(*dmap_generation(g.d), 0);
	dmap_del_pool(g.d, NULL);
	assert_int_equal(*dmap_generation(g.d), 0);
	fake_event_memory_freed(p->mem - (100 << 20), 4096);
	assert_int_equal(*dmap_generation(g.d), 0);
	dmap_free_coherent(g.d, &c);
	assert_null(c.va);
	assert_int_equal(*dmap_generation(g.d), 1);
	dmap_free_coherent(g.d, &c);
	dmap_del_pool(g.d, p->mp);
	assert_int_equal(*dmap_generation(g.d), 2);
	rig_close(&g);
	fake_eal_free(mem);
	fake_pool_destroy(p);
}

/* A device that refuses a table: the domain is as before, and the same works later. */
static void
test_refusal_rolls_back(void **state)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 100 };
	struct fake_pool *p = fake_pool_create(&conf);
	char *mem = fake_eal_alloc(4);
	struct dmap_coherent c = { 0 };
	struct dmap_region before[16], after[16];
	unsigned int nb;
	struct rig g;

	(void)state;
	rig_open(&g, true);
	assert_int_equal(dmap_add_range(g.d, mem, 1), 0);
	nb = dmap_regions(g.d, before, 16);
	g.dom.refusal = -EPROTO;
	assert_int_equal(dmap_add_pool(g.d, p->mp), -EPROTO);
	assert_int_equal(dmap_add_range(g.d, mem + FAKE_PAGE, 1), -EPROTO);
	assert_int_equal(dmap_alloc_coherent(g.d, "rings", 4096, 0, &c), -EPROTO);
	assert_null(c.va);
	assert_int_equal(g.dom.nb_coherent, 0);
	assert_int_equal(dmap_regions(g.d, after, 16), nb);
	assert_memory_equal(before, after, nb * sizeof(before[0]));
	assert_false(can_reach(&g, p->mem, 1));
	g.dom.refusal = 0;
	g.dom.nb_max = 2;
	assert_int_equal(dmap_add_range(g.d, mem + FAKE_PAGE, 1), 0);
	assert_int_equal(dmap_add_range(g.d, mem + 2 * FAKE_PAGE, 1), -ENOSPC);
	g.dom.nb_max = 0;
	assert_int_equal(dmap_add_pool(g.d, p->mp), 0);
	assert_true(can_reach(&g, p->mem, FAKE_PAGE));
	/* What is taken away is gone for us, even if the device does not listen. */
	g.dom.refusal = -EPIPE;
	dmap_del_pool(g.d, p->mp);
	assert_int_equal(dmap_lookup(g.d, p->mem, 1, &(struct dmap_window){ 0 }), -ENOENT);
	g.dom.refusal = 0;
	assert_int_equal(dmap_show(g.d), 0);
	assert_int_equal(g.dom.nb, 2);
	rig_close(&g);
	fake_eal_free(mem);
	fake_pool_destroy(p);
}

/* EAL frees pages: in front, in the middle, at the end, all. */
static void
test_memory_freed(void **state)
{
	static const struct {
		unsigned int first, nb;
	} cases[] = { { 0, 1 }, { 2, 1 }, { 4, 1 }, { 0, 5 }, { 1, 3 }, { 0, 8 }, { 5, 3 } };
	char *mem = fake_eal_alloc(8);
	unsigned int i, k;
	struct rig g;

	(void)state;
	for (i = 0; i < RTE_DIM(cases); i++) {
		unsigned int lo = cases[i].first, hi = lo + cases[i].nb;

		rig_open(&g, i & 1);
		fake_context("pages %u to %u", lo, hi);
		/*
		 * Owners that lost a page of theirs are asked for again by whoever needs the rest.
		 */
		for (k = 0; k < 5; k++)
			assert_int_equal(dmap_add_range(g.d, mem + k * FAKE_PAGE, FAKE_PAGE), 0);
		fake_event_memory_freed(mem + lo * FAKE_PAGE, cases[i].nb * FAKE_PAGE);
		for (k = 0; k < 5; k++)
			fake_assert(can_reach(&g, mem + k * FAKE_PAGE, FAKE_PAGE) ==
							!(k >= lo && k < hi),
					"page %u", k);
		assert_int_equal(*dmap_generation(g.d), lo < 5);
		/* The address may be used again. */
		for (k = 0; k < 5; k++)
			assert_int_equal(dmap_add_range(g.d, mem + k * FAKE_PAGE, FAKE_PAGE), 0);
		assert_int_equal(dmap_bytes(g.d), 5 * FAKE_PAGE);
		rig_close(&g);
	}
	fake_eal_free(mem);
}

/* A range that starts where a known one starts, and is longer. */
static void
test_range_grows(void **state)
{
	char *mem = fake_eal_alloc(4);
	struct rig g;

	(void)state;
	rig_open(&g, false);
	assert_int_equal(dmap_add_range(g.d, mem, 100), 0);
	assert_int_equal(dmap_add_range(g.d, mem, 3 * FAKE_PAGE), 0);
	assert_true(can_reach(&g, mem, FAKE_PAGE));
	fake_assert(can_reach(&g, mem, 3 * FAKE_PAGE), "success was said");
	rig_close(&g);
	fake_eal_free(mem);
}

/* A domain that shows all of EAL's memory follows it. */
static void
test_all_of_eal(void **state)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 100 };
	struct fake_pool *p = fake_pool_create(&conf);
	char *mem = fake_eal_alloc(2), *more;
	struct rig g;

	(void)state;
	fake_errors_clear();
	fake_domain_init(&g.dom, false);
	assert_int_equal(dmap_domain_create("all", &fake_domain_all_eal_backend, &g.dom, &g.d), 0);
	assert_true(can_reach(&g, mem, 2 * FAKE_PAGE));
	assert_true(can_reach(&g, p->mem, p->mem_len));
	assert_int_equal(dmap_add_pool(g.d, p->mp), 0);
	dmap_del_pool(g.d, p->mp);
	assert_true(can_reach(&g, p->mem, p->mem_len));
	more = fake_eal_alloc(3);
	assert_false(can_reach(&g, more, 1));
	fake_event_memory_added(more, 3 * FAKE_PAGE);
	assert_true(can_reach(&g, more, 3 * FAKE_PAGE));
	fake_eal_remove(more);
	fake_event_memory_freed(more, 3 * FAKE_PAGE);
	assert_false(can_reach(&g, more, 1));
	assert_true(can_reach(&g, mem, 2 * FAKE_PAGE));
	rig_close(&g);
	free(more);
	fake_eal_free(mem);
	fake_pool_destroy(p);
}

static void
test_create_fails_cleanly(void **state)
{
	char *mem = fake_eal_alloc(1);
	unsigned int nb_before = fake_event_nb_callbacks();
	struct dmap_domain *d = NULL;
	struct fake_domain f;

	(void)state;
	fake_errors_clear();
	fake_domain_init(&f, false);
	fake_event_refuse(-ENOMEM);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &f, &d), -ENOMEM);
	assert_null(d);
	f.refusal = -EIO;
	assert_int_equal(dmap_domain_create("unit", &fake_domain_all_eal_backend, &f, &d), -EIO);
	assert_null(d);
	assert_int_equal(fake_event_nb_callbacks(), nb_before);
	dmap_domain_destroy(NULL);
	fake_domain_fini(&f);
	fake_eal_free(mem);
	fake_check();
}

#define NB_POOLS 6

/* Exactly the pools that a domain was given are in it, and none that ended. */
static void
expect_pools(struct dmap_domain *d, struct fake_pool *const *pools, uint32_t given)
{
	struct dmap_window w;
	unsigned int i;

	for (i = 0; i < NB_POOLS; i++)
		if (pools[i] != NULL)
			fake_assert((dmap_lookup(d, pools[i]->mem, pools[i]->mem_len, &w) == 0) ==
							((given >> i & 1) != 0),
					"pool %u", i);
	assert_int_equal(dmap_regions(d, NULL, 0) == 0, given == 0);
}

/* Made, shown to one device or two, hidden, freed while they are shown, a thousand times. */
static void
test_pools_come_and_go(void **state)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 30 };
	struct fake_pool *pools[NB_POOLS] = { NULL };
	struct fake_domain dom[2];
	uint32_t given[2] = { 0 };
	struct dmap_domain *d[2];
	uint64_t random = 7;
	unsigned int step, i, k;

	(void)state;
	fake_errors_clear();
	for (k = 0; k < 2; k++) {
		fake_domain_init(&dom[k], false);
		assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &dom[k], &d[k]),
				0);
	}
	for (step = 0; step < 1000 + NB_POOLS; step++) {
		i = step < 1000 ? fake_below(&random, NB_POOLS) : step - 1000;
		k = fake_below(&random, 2);
		if (pools[i] == NULL && step < 1000) {
			pools[i] = fake_pool_create(&conf);
		} else if (pools[i] != NULL && (step >= 1000 || fake_below(&random, 4) == 0)) {
			fake_event_pool_destroyed(pools[i]->mp);
			fake_pool_destroy(pools[i]);
			pools[i] = NULL;
			given[0] &= ~(1u << i);
			given[1] &= ~(1u << i);
		} else if (pools[i] != NULL && fake_below(&random, 2) == 0) {
			dmap_del_pool(d[k], pools[i]->mp);
			given[k] &= ~(1u << i);
		} else if (pools[i] != NULL) {
			assert_int_equal(dmap_add_pool(d[k], pools[i]->mp), 0);
			given[k] |= 1u << i;
		}
		expect_pools(d[0], pools, given[0]);
		expect_pools(d[1], pools, given[1]);
	}
	for (k = 0; k < 2; k++) {
		assert_true(dom[k].nb == 0 && dom[k].nb_shows > 100);
		dmap_domain_destroy(d[k]);
		fake_domain_fini(&dom[k]);
	}
	fake_check();
}

int
main(void)
{
	suite_add(test_list_merges, NULL, "list merges");
	suite_add(test_union, NULL, "union of owners");
	suite_add(test_windows, NULL, "windows and lookup");
	suite_add(test_owners_share_pages, NULL, "owners share pages");
	suite_add(test_generation, NULL, "generation counts removals only");
	suite_add(test_refusal_rolls_back, NULL, "refusal rolls back");
	suite_add(test_memory_freed, NULL, "memory freed by EAL");
	suite_add(test_range_grows, NULL, "range grows");
	suite_add(test_all_of_eal, NULL, "all of EAL");
	suite_add(test_create_fails_cleanly, NULL, "create fails cleanly");
	suite_add(test_pools_come_and_go, NULL, "pools come and go");
	return suite_run("region");
}
