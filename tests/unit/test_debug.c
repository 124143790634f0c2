/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The checker where memory is mapped, lent and taken away: for each check a program that has the
 * fault, which is found, and the same one without, of which nothing is said. What it finds in rings
 * is in test_debug_queue.c.
 */

#include <stdlib.h>
#include <string.h>

#include "dmap_debug.h"
#include "env.h"
#include "fake_log.h"

#define LEN 200

struct rig {
	struct fake_domain dom, other_dom;
	struct dmap_domain *d, *other;
	struct fake_pool *pool;
	struct dmap_stream s, other_s;
	struct rte_mbuf *m;
	char *data;
};

static void
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
static void
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

static struct dmap_map
map(struct rig *g, enum dmap_dir dir)
{
	struct dmap_map map = dmap_map_mbuf(&g->s, g->m, 0, LEN, dir);

	assert_int_equal(dmap_mapping_error(&map), 0);
	return map;
}

static void
not_mapped(struct rig *g, bool is_wrong)
{
	static char elsewhere[LEN];
	const struct dmap_debug_loan loan = { .va = is_wrong ? elsewhere : g->data, .len = LEN };

	dmap_debug_check_place(g->d, &loan);
}

static void
crosses_end(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_FROM_DEVICE);

	dmap_sync_for_cpu(&g->s, &m, 100, is_wrong ? 101 : 100);
	dmap_unmap(&g->s, &m);
}

static void
crosses_buffer(struct rig *g, bool is_wrong)
{
	uint32_t room = g->m->buf_len - g->m->data_off;
	struct dmap_map m = dmap_map_mbuf(&g->s, g->m, 0, room + is_wrong, DMAP_TO_DEVICE);

	dmap_unmap(&g->s, &m);
}

static void
unmap_direction(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_FROM_DEVICE);

	m.dir = is_wrong ? DMAP_TO_DEVICE : DMAP_FROM_DEVICE;
	dmap_unmap(&g->s, &m);
}

static void
sync_direction(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, is_wrong ? DMAP_TO_DEVICE : DMAP_BIDIRECTIONAL);

	dmap_sync_for_cpu(&g->s, &m, 0, LEN);
	dmap_unmap(&g->s, &m);
}

/* Read by the device both times: as often as there are references it may be so. */
static void
twice(struct rig *g, bool is_wrong)
{
	struct dmap_map a = map(g, DMAP_TO_DEVICE), b;

	rte_mbuf_refcnt_set(g->m, is_wrong ? 1 : 2);
	b = map(g, DMAP_TO_DEVICE);
	rte_mbuf_refcnt_set(g->m, 1);
	dmap_unmap(&g->s, &b);
	dmap_unmap(&g->s, &a);
}

static void
two_devices(struct rig *g, bool is_wrong)
{
	struct dmap_map a = dmap_map_mbuf(&g->other_s, g->m, 0, LEN, DMAP_TO_DEVICE), b;

	if (!is_wrong)
		dmap_unmap(&g->other_s, &a);
	b = map(g, DMAP_TO_DEVICE);
	dmap_unmap(&g->s, &b);
	if (is_wrong)
		dmap_unmap(&g->other_s, &a);
}

static void
free_given(struct rig *g, bool is_wrong)
{
	struct dmap_map m;

	rte_mbuf_refcnt_set(g->m, is_wrong ? 0 : 1);
	m = map(g, DMAP_TO_DEVICE);
	rte_mbuf_refcnt_set(g->m, 1);
	dmap_unmap(&g->s, &m);
}

/* As a transmit queue does. */
static uint32_t
lend(struct rig *g, struct dmap_debug_loan *loan)
{
	*loan = (struct dmap_debug_loan){ g->m, g->data, LEN, DMAP_TO_DEVICE, .place = "tx" };
	return dmap_debug_lent(g->d, loan);
}

/* As a receive queue that gets the mbuf from its pool. */
static void
freed_in_flight(struct rig *g, bool is_wrong)
{
	struct dmap_debug_loan loan;
	uint32_t number = lend(g, &loan);

	if (!is_wrong)
		dmap_debug_returned(number);
	rte_pktmbuf_free(g->m);
	loan.dir = DMAP_FROM_DEVICE;
	assert_ptr_equal(rte_pktmbuf_alloc(g->pool->mp), g->m);
	dmap_debug_check_buffer(g->d, &loan);
	if (is_wrong)
		dmap_debug_returned(number);
}

/* Nobody gets it from there. */
static void
freed_unseen(struct rig *g, bool is_wrong)
{
	struct dmap_debug_loan loan;
	uint32_t number = lend(g, &loan);

	dmap_debug_watch(number);
	if (is_wrong) {
		rte_pktmbuf_free(g->m);
		assert_ptr_equal(rte_mbuf_raw_alloc(g->pool->mp), g->m);
	}
	dmap_debug_unwatch(g->d, number);
	dmap_debug_watch(number); /* left alone from here on */
	assert_true(is_wrong == (g->m->nb_segs == 1));
	dmap_debug_returned(number);
}

static void
hidden_in_flight(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	if (!is_wrong)
		dmap_unmap(&g->s, &m);
	dmap_del_pool(g->d, g->pool->mp);
	if (is_wrong)
		dmap_unmap(&g->s, &m);
}

/* Pages that EAL frees under an external buffer. */
static void
memory_freed(struct rig *g, bool is_wrong)
{
	char *mem = fake_eal_alloc(1);
	struct dmap_map m;

	assert_int_equal(dmap_add_range(g->d, mem, FAKE_PAGE), 0);
	m = dmap_map_single(&g->s, mem, LEN, DMAP_TO_DEVICE);
	if (!is_wrong)
		dmap_unmap(&g->s, &m);
	fake_event_memory_freed(mem, FAKE_PAGE);
	if (is_wrong)
		dmap_unmap(&g->s, &m);
	fake_eal_free(mem);
}

static void
unmap_unknown(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	dmap_unmap(&g->s, &m);
	if (is_wrong)
		dmap_unmap(&g->s, &m);
}

static void
sync_unknown(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	if (is_wrong)
		dmap_unmap(&g->s, &m);
	dmap_sync_for_device(&g->s, &m, 0, LEN);
	if (!is_wrong)
		dmap_unmap(&g->s, &m);
}

static void
unmap_size(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	m.len -= is_wrong;
	dmap_unmap(&g->s, &m);
}

static void
overlaps(struct rig *g, bool is_wrong)
{
	struct dmap_map a = dmap_map_single(&g->s, g->data, 100, DMAP_TO_DEVICE), b;

	b = dmap_map_single(&g->s, g->data + 100 - is_wrong, 100, DMAP_FROM_DEVICE);
	dmap_unmap(&g->s, &a);
	dmap_unmap(&g->s, &b);
}

static void
pool_freed(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	if (!is_wrong)
		dmap_unmap(&g->s, &m);
	fake_event_pool_destroyed(g->pool->mp);
	if (is_wrong)
		dmap_unmap(&g->s, &m);
}

static void
pool_changed(struct rig *g, bool is_wrong)
{
	const struct fake_pool_conf conf = { .name = "fresh", .nb = 4 };
	struct fake_pool *fresh = fake_pool_create(&conf);

	fake_event_pool_ready(is_wrong ? g->pool->mp : fresh->mp);
	fake_pool_destroy(fresh);
}

static void
no_owner(struct rig *g, bool is_wrong)
{
	char stack[64];
	struct dmap_map m = dmap_map_single(&g->s, is_wrong ? stack : g->data, 64, DMAP_TO_DEVICE);

	if (!is_wrong)
		dmap_unmap(&g->s, &m);
}

static const struct {
	const char *name;
	enum dmap_debug_check what;
	void (*run)(struct rig *g, bool is_wrong);
	bool is_told_to_other; /* as well */
} programs[] = {
	{ "not mapped", DMAP_DEBUG_NOT_MAPPED, not_mapped, false },
	{ "sync beyond the end", DMAP_DEBUG_CROSSES_END, crosses_end, false },
	{ "data beyond the buffer", DMAP_DEBUG_CROSSES_END, crosses_buffer, false },
	{ "direction of an unmap", DMAP_DEBUG_DIRECTION, unmap_direction, false },
	{ "direction of a sync", DMAP_DEBUG_DIRECTION, sync_direction, false },
	{ "twice", DMAP_DEBUG_TWICE, twice, false },
	{ "two devices", DMAP_DEBUG_TWO_DEVICES, two_devices, false },
	{ "free and given", DMAP_DEBUG_FREE_GIVEN, free_given, false },
	{ "freed in flight", DMAP_DEBUG_FREED_IN_FLIGHT, freed_in_flight, false },
	{ "freed, and nobody has it", DMAP_DEBUG_FREED_IN_FLIGHT, freed_unseen, false },
	{ "hidden in flight", DMAP_DEBUG_HIDDEN_IN_FLIGHT, hidden_in_flight, false },
	{ "memory freed in flight", DMAP_DEBUG_HIDDEN_IN_FLIGHT, memory_freed, false },
	{ "unmap of nothing", DMAP_DEBUG_UNMAP_UNKNOWN, unmap_unknown, false },
	{ "sync of nothing", DMAP_DEBUG_UNMAP_UNKNOWN, sync_unknown, false },
	{ "size of an unmap", DMAP_DEBUG_UNMAP_SIZE, unmap_size, false },
	{ "overlap", DMAP_DEBUG_OVERLAP, overlaps, false },
	{ "pool freed", DMAP_DEBUG_POOL_FREED, pool_freed, false },
	{ "pool changed", DMAP_DEBUG_POOL_CHANGED, pool_changed, true },
	{ "no owner", DMAP_DEBUG_NO_OWNER, no_owner, false },
};

static void
test_programs(void **state)
{
	unsigned int i, is_wrong;
	struct rig g;

	(void)state;
	for (i = 0; i < RTE_DIM(programs); i++)
		for (is_wrong = 0; is_wrong < 2; is_wrong++) {
			rig_open(&g);
			fake_context("%s, %s", programs[i].name, is_wrong ? "wrong" : "right");
			programs[i].run(&g, is_wrong);
			fake_assert(dmap_debug_nb(g.d, programs[i].what) == is_wrong,
					"%lu reports of the kind",
					(unsigned long)dmap_debug_nb(g.d, programs[i].what));
			fake_assert(dmap_debug_nb(g.d, DMAP_DEBUG_NB_CHECKS) == is_wrong,
					"reports of other kinds");
			fake_assert(dmap_debug_nb(g.other, DMAP_DEBUG_NB_CHECKS) ==
							(is_wrong && programs[i].is_told_to_other),
					"reports of the other device");
			rig_close(&g);
		}
}

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
	twice(&g, true);
	twice(&g, true);
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
	suite_add(test_programs, NULL, "programs");
	suite_add(test_read_only, NULL, "read only");
	suite_add(test_left_at_the_end, NULL, "left at the end");
	suite_add(test_what_is_said, NULL, "what is said");
	suite_add(test_table_is_bounded, NULL, "table is bounded");
	suite_add(test_off, NULL, "off");
	return suite_run("debug");
}
