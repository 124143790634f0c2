/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A device that does not send all addresses: what it gets instead, and what is refused. Addresses
 * that are a domain's own.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dmap.h"
#include "env.h"

#define LIMIT ((1UL << 28) - 1)
/* Of addresses that are a domain's own. */
#define OWN_MIN (1UL << 28)
#define OWN_STEP (2UL << 20)

struct rig {
	struct fake_domain dom;
	struct dmap_backend backend;
	struct dmap_domain *d;
};

static void
rig_open(struct rig *g)
{
	fake_errors_clear();
	fake_context("a limited domain");
	fake_domain_init(&g->dom, false);
	g->backend = fake_domain_backend;
	g->backend.assign = NULL;
	g->backend.granule = FAKE_PAGE;
	assert_int_equal(dmap_domain_create("unit", &g->backend, &g->dom, &g->d), 0);
}

static void
rig_close(struct rig *g)
{
	dmap_domain_destroy(g->d);
	fake_domain_fini(&g->dom);
	fake_check();
}

/* Device address of memory; the device must find that very memory there, below the limit. */
static uint64_t
address_of(struct rig *g, const char *va, size_t len)
{
	struct dmap_window w;
	uint64_t da;

	fake_assert(dmap_lookup(g->d, va, len, &w) == 0, "memory is not in the domain");
	da = (uintptr_t)va + w.delta;
	fake_assert(da + len - 1 <= LIMIT, "0x%lx is beyond the limit", (unsigned long)da);
	fake_assert(fake_domain_reach(&g->dom, da, len) == va, "the device sees another place");
	return da;
}

static int
set_limit(struct dmap_domain *d, struct dmap_addr da_max)
{
	const struct dmap_limits limits = { .da_max = da_max };

	return dmap_set_limits(d, &limits);
}

static void
test_without_a_limit_nothing_changes(void **state)
{
	struct rig g;
	struct dmap_coherent c;
	char *mem = fake_eal_alloc(1);

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_add_range(g.d, mem, FAKE_PAGE), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", FAKE_PAGE, 0, &c), 0);
	assert_ptr_equal(fake_domain_reach(&g.dom, (uintptr_t)mem, FAKE_PAGE), mem);
	assert_int_equal(c.da.v, (uintptr_t)c.va);
	dmap_free_coherent(g.d, &c);
	rig_close(&g);
	fake_eal_free(mem);
}

static void
test_everything_gets_a_low_address_of_its_own(void **state)
{
	struct rig g;
	struct dmap_coherent c[3];
	char *mem[3];
	uint64_t da[6];
	unsigned int i, k;

	(void)state;
	rig_open(&g);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ LIMIT }), 0);
	for (i = 0; i < 3; i++) {
		mem[i] = fake_eal_alloc(i + 2);
		assert_int_equal(dmap_add_range(g.d, mem[i], (i + 2) * FAKE_PAGE), 0);
		assert_int_equal(dmap_alloc_coherent(g.d, "c", (i + 1) * FAKE_PAGE, 0, &c[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		da[i] = address_of(&g, mem[i], (i + 2) * FAKE_PAGE);
		da[3 + i] = address_of(&g, c[i].va, c[i].len);
		assert_int_equal(c[i].da.v, da[3 + i]);
	}
	for (i = 0; i < 6; i++)
		for (k = 0; k < i; k++)
			assert_int_not_equal(da[i], da[k]);
	/* What goes makes room for what comes. */
	dmap_free_coherent(g.d, &c[0]);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", FAKE_PAGE, 0, &c[0]), 0);
	assert_int_equal(c[0].da.v, da[3]);
	for (i = 0; i < 3; i++)
		dmap_free_coherent(g.d, &c[i]);
	rig_close(&g);
	for (i = 0; i < 3; i++)
		fake_eal_free(mem[i]);
}

static void
test_an_address_of_the_applications_choice(void **state)
{
	struct rig g;
	struct dmap_coherent c;
	char *mem = fake_eal_alloc(2);
	const struct dmap_addr last = { LIMIT + 1 - FAKE_PAGE }, beyond = { LIMIT + 1 };

	(void)state;
	rig_open(&g);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ LIMIT }), 0);
	assert_int_equal(dmap_add_external(g.d, mem, beyond, FAKE_PAGE), -ERANGE);
	assert_int_equal(dmap_add_external(g.d, mem, last, 2 * FAKE_PAGE), -ERANGE);
	assert_int_equal(g.dom.nb, 0);
	assert_int_equal(dmap_add_external(g.d, mem, last, FAKE_PAGE), 0);
	assert_int_equal(address_of(&g, mem, FAKE_PAGE), last.v);
	/* One page, one device address. */
	assert_int_equal(dmap_add_range(g.d, mem, 2 * FAKE_PAGE), -EEXIST);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", FAKE_PAGE, 0, &c), 0);
	assert_int_not_equal(c.da.v, last.v);
	dmap_free_coherent(g.d, &c);
	rig_close(&g);
	fake_eal_free(mem);
}

static void
test_a_full_address_space(void **state)
{
	struct rig g;
	struct dmap_coherent c[2];
	const struct dmap_addr tiny = { (2UL << 20) - 1 };
	const size_t len = 600 << 10;

	(void)state;
	rig_open(&g);
	assert_int_equal(set_limit(g.d, tiny), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", len, 0, &c[0]), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", len, 0, &c[1]), -ERANGE);
	dmap_free_coherent(g.d, &c[0]);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", len, 0, &c[1]), 0);
	dmap_free_coherent(g.d, &c[1]);
	rig_close(&g);
}

static void
test_what_is_no_limit(void **state)
{
	struct rig g;
	struct dmap_coherent c;

	(void)state;
	rig_open(&g);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ 1 }), -EINVAL);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ 4095 }), -EINVAL);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ LIMIT - 1 }), -EINVAL);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ UINT64_MAX }), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", FAKE_PAGE, 0, &c), 0);
	assert_int_equal(c.da.v, (uintptr_t)c.va);
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ LIMIT }), -EBUSY);
	dmap_free_coherent(g.d, &c);
	rig_close(&g);

	rig_open(&g);
	g.backend.granule = 0;
	assert_int_equal(set_limit(g.d, (struct dmap_addr){ LIMIT }), -ENOTSUP);
	rig_close(&g);
}

/* The lowest address that is in a range and free; a piece that fits none is refused. */
static void
test_ranges(void **state)
{
	static const struct dmap_range ranges[] = {
		{ { 18 * FAKE_PAGE }, { 19 * FAKE_PAGE - 1 } },
		{ { 32 * FAKE_PAGE }, { 36 * FAKE_PAGE - 1 } },
	};
	static const uint64_t expected[] = { 32, 18, 34, 35 }, nb_pages[] = { 2, 1, 1, 1 };
	static const struct dmap_range wrong[] = { { { 10 }, { 20 } }, { { 20 }, { 30 } } };
	struct dmap_limits limits = { .ranges = wrong, .nb_ranges = RTE_DIM(wrong) };
	struct dmap_coherent c[4], more;
	unsigned int i;
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_set_limits(g.d, &limits), -EINVAL);
	limits.ranges = ranges;
	assert_int_equal(dmap_set_limits(g.d, &limits), 0);
	for (i = 0; i < RTE_DIM(c); i++) {
		assert_int_equal(dmap_alloc_coherent(g.d, "c", nb_pages[i] * FAKE_PAGE, 0, &c[i]),
				0);
		assert_int_equal(c[i].da.v, expected[i] * FAKE_PAGE);
	}
	assert_int_equal(dmap_alloc_coherent(g.d, "c", FAKE_PAGE, 0, &more), -ERANGE);
	for (i = 0; i < RTE_DIM(c); i++)
		dmap_free_coherent(g.d, &c[i]);
	assert_int_equal(dmap_alloc_coherent(g.d, "c", 5 * FAKE_PAGE, 0, &more), -ERANGE);
	rig_close(&g);
}

/*
 * Addresses of which there may be no translation, as a PC has its interrupt controllers there, are
 * left out. The application's memory is where it wants it, and leaves one place before them.
 */
static void
test_hole(void **state)
{
	const size_t len = 0xfe000000UL - OWN_STEP - OWN_MIN;
	struct dmap_backend local = fake_domain_backend;
	struct fake_domain device;
	struct dmap_coherent c[3];
	struct dmap_domain *d;
	void *room, *mem;
	unsigned int i;

	(void)state;
	room = mmap(NULL, len + FAKE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(room, MAP_FAILED);
	mem = RTE_PTR_ALIGN_CEIL(room, FAKE_PAGE);
	fake_domain_init(&device, false);
	local.assign = NULL;
	local.granule = FAKE_PAGE;
	assert_int_equal(dmap_domain_create("unit", &local, &device, &d), 0);
	assert_int_equal(dmap_set_own_addresses(d), 0);
	assert_int_equal(dmap_add_external(d, mem, (struct dmap_addr){ OWN_MIN }, len), 0);
	assert_int_equal(dmap_set_own_addresses(d), -EBUSY);
	assert_int_equal(dmap_set_sealed(d, NULL), -EBUSY);
	for (i = 0; i < RTE_DIM(c); i++)
		assert_int_equal(dmap_alloc_coherent(d, "c", FAKE_PAGE, 0, &c[i]), 0);
	assert_int_equal(c[0].da.v, OWN_MIN + len);
	assert_int_equal(c[1].da.v, 1UL << 32);
	assert_int_equal(c[2].da.v, (1UL << 32) + OWN_STEP);
	for (i = 0; i < RTE_DIM(c); i++)
		dmap_free_coherent(d, &c[i]);
	dmap_domain_destroy(d);
	fake_domain_fini(&device);
	munmap(room, len + FAKE_PAGE);
}

/*
 * A remote device may keep what it knows of an address: what comes gets another one than what went,
 * up to 64 GiB; what stays keeps its own. An IOMMU gets the lowest.
 */
static void
test_no_address_comes_again_soon(void **state)
{
	/* From the first one to the last one, without the hole. */
	const unsigned int nb_steps = ((64UL << 30) - OWN_MIN - (32UL << 20)) / OWN_STEP + 1;
	struct dmap_backend backend = fake_domain_backend;
	struct fake_domain device;
	struct dmap_coherent first, c;
	struct dmap_domain *d;
	unsigned int i, remote;

	(void)state;
	for (remote = 0; remote < 2; remote++) {
		uint64_t last = OWN_MIN;

		fake_domain_init(&device, false);
		backend.assign = NULL;
		backend.granule = FAKE_PAGE;
		backend.is_remote = remote;
		assert_int_equal(dmap_domain_create("unit", &backend, &device, &d), 0);
		assert_int_equal(dmap_set_own_addresses(d), 0);
		assert_int_equal(dmap_alloc_coherent(d, "first", FAKE_PAGE, 0, &first), 0);
		assert_int_equal(first.da.v, OWN_MIN);
		for (i = 1; i <= nb_steps; i++) {
			assert_int_equal(dmap_alloc_coherent(d, "c", FAKE_PAGE, 0, &c), 0);
			if (i == nb_steps)
				break;
			fake_assert(remote ? c.da.v > last : c.da.v == OWN_MIN + OWN_STEP,
					"0x%lx after 0x%lx", (unsigned long)c.da.v,
					(unsigned long)last);
			last = c.da.v;
			dmap_free_coherent(d, &c);
		}
		assert_int_equal(c.da.v, OWN_MIN + OWN_STEP);
		dmap_free_coherent(d, &c);
		dmap_free_coherent(d, &first);
		dmap_domain_destroy(d);
		fake_domain_fini(&device);
	}
	fake_check();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_limit_nothing_changes),
		cmocka_unit_test(test_everything_gets_a_low_address_of_its_own),
		cmocka_unit_test(test_an_address_of_the_applications_choice),
		cmocka_unit_test(test_a_full_address_space),
		cmocka_unit_test(test_what_is_no_limit),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_no_address_comes_again_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
