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

#include "debug_rig.h"

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
	struct dmap_map m = dmap_map_mbuf(&g->s, g->m, 0, room + is_wrong, DMAP_FROM_DEVICE);

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

/* The CPU writes to what is mapped, and says so or forgets it. */
static void
forgotten_sync(struct rig *g, bool is_wrong)
{
	struct dmap_map m = map(g, DMAP_TO_DEVICE);

	g->data[LEN / 2] ^= 1;
	if (!is_wrong)
		dmap_sync_for_device(&g->s, &m, LEN / 2, 1);
	dmap_unmap(&g->s, &m);
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

/* The same by a burst's end of a packet that lay in them, which is not noted yet. */
static void
memory_freed_in_burst(struct rig *g, bool is_wrong)
{
	const uint32_t is_stale = !is_wrong;
	char *mem = fake_eal_alloc(1);
	const struct dmap_debug_loan loan = {
		.va = mem, .len = LEN, .dir = DMAP_TO_DEVICE, .is_stale = &is_stale, .place = "tx"
	};
	uint32_t number;

	assert_int_equal(dmap_add_range(g->d, mem, FAKE_PAGE), 0);
	number = dmap_debug_lent(g->d, &loan);
	fake_event_memory_freed(mem, FAKE_PAGE);
	dmap_debug_returned(number);
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

/* By who sees that all of its mbufs are back, of which a burst has not noted that yet. */
static void
pool_freed_in_burst(struct rig *g, bool is_wrong)
{
	const uint32_t is_stale = 1;
	const struct dmap_debug_loan loan = { .m = g->m,
		.va = g->data,
		.len = LEN,
		.dir = DMAP_TO_DEVICE,
		.is_stale = &is_stale,
		.place = "tx" };
	uint32_t number = dmap_debug_lent(g->d, &loan);

	if (!is_wrong) {
		rte_pktmbuf_free(g->m);
		g->m = NULL;
	}
	fake_event_pool_destroyed(g->pool->mp);
	dmap_debug_returned(number);
}

/* Of mbufs whose data lie in another one. */
static void
pool_of_clones_freed(struct rig *g, bool is_wrong)
{
	const struct fake_pool_conf conf = { .name = "clones", .nb = 4 };
	struct fake_pool *clones = fake_pool_create(&conf);
	struct rte_mbuf *clone = rte_pktmbuf_clone(g->m, clones->mp);
	struct dmap_map m = dmap_map_mbuf(&g->s, clone, 0, LEN, DMAP_TO_DEVICE);

	if (!is_wrong)
		dmap_unmap(&g->s, &m);
	fake_event_pool_destroyed(clones->mp);
	if (is_wrong)
		dmap_unmap(&g->s, &m);
	rte_pktmbuf_free(clone);
	fake_pool_destroy(clones);
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

/* Nobody told the device of a sealed pool yet; that is no memory of EAL either. */
static void
sealed_or_not(struct rig *g, bool is_wrong)
{
	const struct fake_pool_conf conf = { .name = "sealed", .nb = 4 };
	struct fake_pool *pool = fake_pool_create(&conf);
	struct dmap_sealed *sealed;
	struct dmap_map m;
	void *memory;
	size_t len;

	assert_int_equal(dmap_sealed_create("sealed", 4096, 0, &sealed), 0);
	memory = dmap_sealed_memory(sealed, &len);
	assert_int_equal(dmap_sealed_bind(sealed, pool->mp), 0);
	m = dmap_map_single(&g->s, is_wrong ? &len : memory, 64, DMAP_TO_DEVICE);
	assert_int_not_equal(dmap_mapping_error(&m), 0);
	fake_event_pool_destroyed(pool->mp);
	fake_pool_destroy(pool);
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
	{ "forgotten sync", DMAP_DEBUG_WRITTEN, forgotten_sync, false },
	{ "hidden in flight", DMAP_DEBUG_HIDDEN_IN_FLIGHT, hidden_in_flight, false },
	{ "memory freed in flight", DMAP_DEBUG_HIDDEN_IN_FLIGHT, memory_freed, false },
	{ "memory freed in a burst", DMAP_DEBUG_HIDDEN_IN_FLIGHT, memory_freed_in_burst, false },
	{ "unmap of nothing", DMAP_DEBUG_UNMAP_UNKNOWN, unmap_unknown, false },
	{ "sync of nothing", DMAP_DEBUG_UNMAP_UNKNOWN, sync_unknown, false },
	{ "size of an unmap", DMAP_DEBUG_UNMAP_SIZE, unmap_size, false },
	{ "overlap", DMAP_DEBUG_OVERLAP, overlaps, false },
	{ "pool freed", DMAP_DEBUG_POOL_FREED, pool_freed, false },
	{ "pool freed in a burst", DMAP_DEBUG_POOL_FREED, pool_freed_in_burst, false },
	{ "pool of clones freed", DMAP_DEBUG_POOL_FREED, pool_of_clones_freed, false },
	{ "pool changed", DMAP_DEBUG_POOL_CHANGED, pool_changed, true },
	{ "no owner", DMAP_DEBUG_NO_OWNER, no_owner, false },
	{ "no owner, or a sealed pool", DMAP_DEBUG_NO_OWNER, sealed_or_not, false },
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

int
main(void)
{
	suite_add(test_programs, NULL, "programs");
	return suite_run("debug");
}
