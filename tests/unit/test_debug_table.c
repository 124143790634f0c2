/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The checker itself: its table, what is left in it at the end, and what it says.
 */

#include <stdio.h>
#include <string.h>

#include "debug_rig.h"
#include "fake_log.h"

/* Where the device may only read. */
static void
test_read_only(void **state)
{
	const struct dmap_span span = { .offset = 0, .len = FAKE_PAGE };
	struct dmap_backend backend = fake_domain_backend;
	struct fake_domain dom;
	struct dmap_coherent c;
	struct dmap_domain *d;
	struct dmap_stream s;
	struct dmap_map m;
	unsigned int page;

	(void)state;
	fake_errors_clear();
	fake_domain_init(&dom, false);
	backend.assign = NULL;
	backend.granule = FAKE_PAGE;
	assert_int_equal(dmap_domain_create("unit", &backend, &dom, &d), 0);
	assert_int_equal(dmap_debug_start(d, "unit"), 0);
	assert_int_equal(dmap_alloc_coherent(d, "c", 2 * FAKE_PAGE, 0, &c), 0);
	assert_int_equal(dmap_coherent_read_only(d, &c, &span, 1), 0);
	dmap_stream_init(&s, d);
	for (page = 2; page-- > 0;) {
		m = dmap_map_single(&s, (char *)c.va + page * FAKE_PAGE, 8, DMAP_FROM_DEVICE);
		dmap_unmap(&s, &m);
		assert_int_equal(dmap_debug_nb(d, DMAP_DEBUG_DIRECTION), page == 0);
		assert_int_equal(dmap_debug_nb(d, DMAP_DEBUG_NB_CHECKS), page == 0);
	}
	dmap_free_coherent(d, &c);
	dmap_domain_destroy(d);
	fake_domain_fini(&dom);
	fake_check();
}

/* What is left at the end, of maps and of buffers in rings. */
static void
test_left_at_the_end(void **state)
{
	const char *const expected[] = { "", "port one: still mapped at the end: 200 bytes",
		"port one: still the device's at the end: tx queue 0 slot 3, 200 bytes" };
	struct dmap_debug_loan loan = { .len = LEN, .place = "tx queue 0", .slot = 3 };
	unsigned int what;
	const char *said;
	struct rig g;

	(void)state;
	for (what = 0; what < RTE_DIM(expected); what++) {
		rig_open(&g);
		loan.m = g.m;
		loan.va = g.data;
		fake_log_begin();
		if (what == 1)
			map(&g, DMAP_TO_DEVICE);
		else if (what == 2)
			dmap_debug_lent(g.d, &loan);
		rig_close(&g);
		said = fake_log_end();
		fake_assert(strstr(said, expected[what]) != NULL, "said: %s", said);
		assert_int_equal(strstr(said, "at the end") != NULL, what != 0);
	}
}

static void
give_twice(struct rig *g)
{
	struct dmap_map a = map(g, DMAP_TO_DEVICE), b = map(g, DMAP_TO_DEVICE);

	dmap_unmap(&g->s, &b);
	dmap_unmap(&g->s, &a);
}

/* One line of a kind for each device, with what is needed to find the place. */
static void
test_what_is_said(void **state)
{
	const char *said;
	char wanted[64];
	struct rig g;

	(void)state;
	rig_open(&g);
	fake_log_begin();
	give_twice(&g);
	give_twice(&g);
	said = fake_log_end();
	snprintf(wanted, sizeof(wanted), "mbuf %p of pool, given at ", (void *)g.m);
	fake_assert(strstr(said,
				    "dma_debug: port one: given although the device has it already: "
				    "200 bytes at ") != NULL &&
					strstr(said, "device address 0x") != NULL &&
					strstr(said, wanted) != NULL &&
					strstr(said, "port one has it, and its reference count is 1") !=
							NULL,
			"said: %s", said);
	assert_null(strstr(strstr(said, "dma_debug") + 1, "dma_debug"));
	assert_int_equal(dmap_debug_nb(g.d, DMAP_DEBUG_TWICE), 2);
	rig_close(&g);
}

/* What has no room is not looked at, and said once. */
static void
test_table_is_bounded(void **state)
{
	struct dmap_debug_loan loan = { .len = 1, .place = "tx queue 0" };
	uint32_t nb, i;
	const char *said;
	struct rig g;

	(void)state;
	rig_open(&g);
	fake_log_begin();
	for (nb = 0;; nb++) {
		loan.va = g.pool->mem + nb;
		if (dmap_debug_lent(g.d, &loan) == 0)
			break;
	}
	assert_in_range(nb, 1000, 100000);
	assert_int_equal(dmap_debug_lent(g.other, &loan), 0);
	said = fake_log_end();
	assert_non_null(strstr(said, "what is more is not checked"));
	assert_null(strstr(strstr(said, "not checked") + 1, "not checked"));
	for (i = 1; i <= nb; i++)
		dmap_debug_returned(i);
	assert_int_not_equal(dmap_debug_lent(g.d, &loan), 0);
	rig_close(&g);
}

/* Who asks for nothing has nothing. */
static void
test_off(void **state)
{
	struct fake_domain dom;
	struct dmap_domain *d;

	(void)state;
	fake_errors_clear();
	fake_domain_init(&dom, false);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &dom, &d), 0);
	assert_int_equal(dmap_debug_nb(d, DMAP_DEBUG_NB_CHECKS), 0);
	dmap_domain_destroy(d);
	fake_domain_fini(&dom);
	fake_check();
}

int
main(void)
{
	suite_add(test_read_only, NULL, "read only");
	suite_add(test_left_at_the_end, NULL, "left at the end");
	suite_add(test_what_is_said, NULL, "what is said");
	suite_add(test_table_is_bounded, NULL, "table is bounded");
	suite_add(test_off, NULL, "off");
	return suite_run("debug_table");
}
