/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Do the fakes see what they are there for? A small driver that breaks one rule at a time, and a
 * control that breaks none.
 */

#include <string.h>

#include "env.h"
#include "fake_port.h"

#define SIZE 8
#define DATA 2048 /* where packet bytes begin in the memory */

struct rig {
	struct fake_domain dom;
	struct dmap_domain *domain;
	struct dmap_coherent mem;
	struct fake_dev dev;
};

static void
rig_open(struct rig *g, bool is_packed, struct fake_dev_conf conf)
{
	memset(g, 0, sizeof(*g));
	fake_errors_clear();
	fake_context("a driver that breaks a rule");
	fake_domain_init(&g->dom, true);
	assert_int_equal(dmap_domain_create("fake", &fake_domain_backend, &g->dom, &g->domain), 0);
	assert_int_equal(dmap_alloc_coherent(g->domain, "all", 4096, 0, &g->mem), 0);
	conf.is_packed = is_packed;
	conf.size = SIZE;
	conf.desc = g->mem.da.v;
	conf.driver = g->mem.da.v + 256;
	conf.device = g->mem.da.v + 512;
	conf.start = is_packed ? 0x8000 : 0;
	fake_dev_init(&g->dev, &g->dom, &conf);
}

/* The fakes must have said this; NULL: nothing. */
static void
rig_close(struct rig *g, const char *expected)
{
	if (expected == NULL)
		fake_check();
	else if (strstr(fake_first_error(), expected) == NULL)
		fail_msg("expected '%s', got '%s'", expected, fake_first_error());
	fake_errors_clear();
	fake_dev_fini(&g->dev);
	dmap_free_coherent(g->domain, &g->mem);
	dmap_domain_destroy(g->domain);
	fake_domain_fini(&g->dom);
	fake_check();
}

static uint64_t
data_at(const struct rig *g, uint32_t off)
{
	return g->mem.da.v + DATA + off;
}

static void
split_desc(struct rig *g, uint16_t slot, uint64_t da, uint32_t len, uint16_t flags, uint16_t next)
{
	g->dev.split.desc[slot] = (struct sluice_split_desc){
		.addr = da, .len = len, .flags = flags, .next = next
	};
}

static void
split_give(struct rig *g, uint16_t slot)
{
	struct sluice_split_avail *avail = g->dev.split.avail;

	avail->ring[avail->idx % SIZE] = slot;
	avail->idx++;
	fake_dev_poll(&g->dev);
}

/* One broken rule of a split ring each. */
struct split_case {
	const char *error;
	struct fake_dev_conf conf;
	struct sluice_split_desc desc[3]; /* addr counts from the data */
	bool is_rx;
	bool is_table; /* desc[1..2] are a table, desc[0] shows it */
	uint64_t far;  /* added to the address of desc[0] */
};

static const struct split_case split_cases[] = {
	{ .desc = { { .len = 60 } } },
	{ .desc = { { .len = 12, .flags = 1, .next = 1 },
			  { .addr = 64, .len = 9, .flags = 1, .next = 2 },
			  { .addr = 128, .len = 9 } } },
	{ .conf.has_indirect = true,
			.is_table = true,
			.desc = { { .len = 32, .flags = 4 }, { .len = 12, .flags = 1, .next = 1 },
					{ .len = 9 } } },
	{ "is empty", .desc = { { .len = 0 } } },
	{ "not shown", .desc = { { .len = 60 } }, .far = 4096 },
	{ "not shown", .desc = { { .len = 60 } }, .far = 4096 - DATA - 30 },
	{ "writable part", .desc = { { .len = 60, .flags = 2 } } },
	{ "readable part follows", .is_rx = true,
			.desc = { { .len = 12, .flags = 3, .next = 1 }, { .len = 9 } } },
	{ "unknown flags", .desc = { { .len = 60, .flags = 8 } } },
	{ "a chain goes to", .desc = { { .len = 60, .flags = 1, .next = SIZE } } },
	{ "the device has it", .desc = { { .len = 60, .flags = 1, .next = 0 } } },
	{ "although IN_ORDER", .conf.is_in_order = true,
			.desc = { { .len = 60, .flags = 1, .next = 2 }, { .len = 1 },
					{ .len = 1 } } },
	{ "not negotiated", .is_table = true,
			.desc = { { .len = 16, .flags = 4 }, { .len = 60 } } },
	{ "indirect table of 24", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 24, .flags = 4 }, { .len = 60 } } },
	{ "table was not shown", .conf.has_indirect = true, .is_table = true, .far = 8192,
			.desc = { { .len = 16, .flags = 4 }, { .len = 60 } } },
	{ "INDIRECT with flags", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 16, .flags = 5, .next = 1 }, { .len = 60 } } },
	{ "flags 0x4 in an indirect", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 16, .flags = 4 }, { .len = 60, .flags = 4 } } },
	{ "goes on at 2", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 32, .flags = 4 }, { .len = 12, .flags = 1, .next = 2 },
					{ .len = 9 } } },
	{ "has no end", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 32, .flags = 4 }, { .len = 12, .flags = 1 },
					{ .len = 9 } } },
	{ "is followed by 0", .conf.has_indirect = true, .conf.is_in_order = true, .is_table = true,
			.desc = { { .len = 32, .flags = 4 }, { .len = 12, .flags = 1 },
					{ .len = 9 } } },
	{ "uses 1", .conf.has_indirect = true, .is_table = true,
			.desc = { { .len = 32, .flags = 4 }, { .len = 12 }, { .len = 9 } } },
};

static void
test_split_rules(void **state)
{
	struct sluice_split_desc *table;
	struct rig g;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < RTE_DIM(split_cases); i++) {
		const struct split_case *c = &split_cases[i];

		struct fake_dev_conf conf = c->conf;

		conf.is_tx = !c->is_rx;
		rig_open(&g, false, conf);
		fake_context("split case %u", i);
		table = (void *)((char *)g.mem.va + DATA + 512);
		for (k = 0; k < 3; k++) {
			struct sluice_split_desc d = c->desc[k];

			d.addr = data_at(&g, d.addr) + (k == 0 ? c->far : 0);
			if (k == 0 && c->is_table)
				d.addr += 512;
			if (k != 0 && c->is_table)
				table[k - 1] = d;
			else
				split_desc(&g, k, d.addr, d.len, d.flags, d.next);
		}
		split_give(&g, 0);
		rig_close(&g, c->error);
	}
}

static void
test_split_indices(void **state)
{
	const struct fake_dev_conf none = { .is_tx = true },
				   event = { .is_tx = true, .has_event_idx = true };
	struct rig g;

	(void)state;
	rig_open(&g, false, none);
	split_desc(&g, 0, data_at(&g, 0), 60, 0, 0);
	split_give(&g, 0);
	split_give(&g, 0);
	rig_close(&g, "slot 0 was given while the device has it");

	rig_open(&g, false, none);
	g.dev.split.avail->idx = SIZE + 1;
	fake_dev_poll(&g.dev);
	rig_close(&g, "avail.idx went from 0 to 9");

	rig_open(&g, false, none);
	g.dev.split.avail->idx = 0xffff;
	fake_dev_poll(&g.dev);
	rig_close(&g, "avail.idx went from 0 to 65535");

	rig_open(&g, false, none);
	split_give(&g, SIZE);
	rig_close(&g, "avail.ring[0] is 8");

	rig_open(&g, false, none);
	g.dev.split.avail->flags = 1;
	fake_dev_poll(&g.dev);
	rig_close(&g, NULL);

	rig_open(&g, false, event);
	g.dev.split.avail->flags = 1;
	fake_dev_poll(&g.dev);
	rig_close(&g, "with EVENT_IDX");
}

static void
packed_desc(struct rig *g, uint16_t slot, uint32_t len, uint16_t flags, uint16_t id)
{
	g->dev.packed.desc[slot] = (struct sluice_packed_desc){
		.addr = data_at(g, 0), .len = len, .id = id, .flags = flags
	};
}

#define AV SLUICE_DESC_F_AVAIL

static const struct {
	const char *error;
	uint16_t flags[3];
	uint16_t len;
	uint16_t driver_event;
	bool has_event_idx;
} packed_cases[] = {
	{ NULL, { AV }, 60, 0, false },
	{ NULL, { AV | 1, AV | 1, AV }, 60, 1, false },
	{ NULL, { AV }, 60, 2, true },
	{ "is not available", { AV | 1, AV | 1 }, 60, 0, false },
	{ "is not available", { AV | 1, AV | SLUICE_DESC_F_USED }, 60, 0, false },
	{ "unknown flags", { AV | 8 }, 60, 0, false },
	{ "is empty", { AV }, 0, 0, false },
	{ "writable part", { AV | 2 }, 60, 0, false },
	{ "not shown", { AV }, 4096, 0, false },
	{ "not negotiated", { AV | 4 }, 16, 0, false },
	{ "INDIRECT with flags", { AV | 5 }, 16, 0, false },
	{ "INDIRECT inside", { AV | 1, AV | 4 }, 16, 0, false },
	{ "event flags are 0x2", { AV }, 60, 2, false },
	{ "event flags are 0x3", { AV }, 60, 3, true },
	{ "id 5 was given", { AV, AV }, 60, 0, false },
};

static void
test_packed_rules(void **state)
{
	unsigned int i, k;
	struct rig g;

	(void)state;
	for (i = 0; i < RTE_DIM(packed_cases); i++) {
		struct fake_dev_conf conf = { .is_tx = true,
			.has_event_idx = packed_cases[i].has_event_idx };

		rig_open(&g, true, conf);
		fake_context("packed case %u", i);
		for (k = 0; k < 3; k++)
			packed_desc(&g, k, packed_cases[i].len, packed_cases[i].flags[k], 5);
		g.dev.packed.driver_event->flags = packed_cases[i].driver_event;
		fake_dev_poll(&g.dev);
		rig_close(&g, packed_cases[i].error);
	}
}

static void
test_changes_while_held(void **state)
{
	const struct fake_dev_conf conf = { .is_tx = true, .has_indirect = true };
	struct sluice_split_desc *table;
	struct rig g;

	(void)state;
	rig_open(&g, false, conf);
	split_desc(&g, 0, data_at(&g, 0), 60, 0, 0);
	split_give(&g, 0);
	g.dev.split.desc[0].len++;
	fake_dev_verify(&g.dev);
	rig_close(&g, "slot 0 was changed");

	rig_open(&g, true, conf);
	packed_desc(&g, 0, 60, AV, 0);
	fake_dev_poll(&g.dev);
	g.dev.packed.desc[0].addr++;
	fake_dev_use(&g.dev, 0, 0);
	rig_close(&g, "slot 0 was changed");

	rig_open(&g, false, conf);
	table = (void *)((char *)g.mem.va + DATA + 512);
	table[0] = (struct sluice_split_desc){ .addr = data_at(&g, 0), .len = 60 };
	split_desc(&g, 0, data_at(&g, 512), 16, 4, 0);
	split_give(&g, 0);
	table[0].len++;
	fake_dev_verify(&g.dev);
	rig_close(&g, "indirect table was changed");

	rig_open(&g, false, conf);
	memset((char *)g.mem.va + DATA, 1, 1);
	split_desc(&g, 0, data_at(&g, 0), 60, 0, 0);
	split_give(&g, 0);
	rig_close(&g, "net header");
}

static void
pool_case(unsigned int what, const char *expected)
{
	const struct fake_pool_conf conf = { .name = "a", .nb = 8 },
				    other = { .name = "b", .nb = 8 };
	struct fake_pool *a = fake_pool_create(&conf), *b = fake_pool_create(&other);
	struct rte_mbuf *m = fake_mbuf(a, 128, 60), *keep = m;

	fake_errors_clear();
	switch (what) {
	case 0:
		rte_mempool_put(a->mp, m);
		break;
	case 1:
		rte_mempool_put(a->mp, m);
		rte_mempool_put(a->mp, keep);
		break;
	case 2:
		rte_mempool_put(b->mp, m);
		rte_mempool_put(a->mp, m);
		break;
	case 3:
		m->next = m;
		rte_mempool_put(a->mp, m);
		break;
	case 4:
		rte_mbuf_refcnt_set(m, 2);
		rte_mempool_put(a->mp, m);
		break;
	default:
		break;
	}
	fake_pool_destroy(a);
	fake_pool_destroy(b);
	if (expected == NULL)
		fake_check();
	else if (strstr(fake_first_error(), expected) == NULL)
		fail_msg("pool case %u: expected '%s', got '%s'", what, expected,
				fake_first_error());
	fake_errors_clear();
}

static void
test_pool_sees_what_comes_back(void **state)
{
	(void)state;
	pool_case(0, NULL);
	pool_case(1, "came back twice");
	pool_case(2, "no object of this pool");
	pool_case(3, "next 0x");
	pool_case(4, "refcnt 2");
	pool_case(5, "1 of 8 objects are missing");
}

static void
test_lying_domain_translates(void **state)
{
	struct fake_pool_conf conf = { .name = "a", .nb = 100 };
	struct fake_pool *p = fake_pool_create(&conf);
	struct dmap_domain *d;
	struct dmap_window w;
	struct fake_domain f;
	unsigned int i, k;

	(void)state;
	fake_domain_init(&f, true);
	assert_int_equal(dmap_domain_create("fake", &fake_domain_backend, &f, &d), 0);
	assert_null(fake_domain_reach(&f, (uintptr_t)p->mem, 1));
	assert_int_equal(dmap_add_pool(d, p->mp), 0);
	assert_int_equal(f.nb, p->mem_len / FAKE_PAGE);
	for (i = 0; i < f.nb; i++) {
		char *va = p->mem + i * FAKE_PAGE;

		assert_int_equal(dmap_lookup(d, va, FAKE_PAGE, &w), 0);
		assert_true(w.delta != 0);
		assert_ptr_equal(fake_domain_reach(&f, (uintptr_t)va + w.delta, FAKE_PAGE), va);
		assert_null(fake_domain_reach(&f, (uintptr_t)va + w.delta, FAKE_PAGE + 1));
		/* Virtual addresses lead nowhere. */
		assert_null(fake_domain_reach(&f, (uintptr_t)va, 1));
		for (k = 0; k < i; k++)
			assert_true(f.given[k].da + FAKE_PAGE <= f.given[i].da ||
					f.given[i].da + FAKE_PAGE <= f.given[k].da);
	}
	dmap_domain_destroy(d);
	assert_int_equal(f.nb, 0);
	fake_domain_fini(&f);
	fake_pool_destroy(p);
	fake_check();
}

/* The fake transport: buffers that are back while a device may reach them, a second connection. */
static void
test_transport(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct sluice_device_info info;
	struct fake_port *f;
	unsigned int i;
	void *obj;

	(void)state;
	for (i = 0; i < 2; i++) {
		conf.is_pci = i;
		f = fake_port_open(&conf);
		assert_int_equal(sluice_life_probe(f->port), 0);
		assert_int_equal(sluice_life_start(f->port), 0);
		assert_int_equal(fake_nb_errors(), 0);
		rte_mempool_put(f->pool->mp, f->rxq[0].q.sw_ring[3]);
		assert_non_null(strstr(fake_first_error(), "devices may reach"));
		fake_errors_clear();
		assert_int_equal(rte_mempool_get(f->pool->mp, &obj), 0);
		assert_ptr_equal(obj, f->rxq[0].q.sw_ring[3]);
		f->ft.is_there = false;
		f->ft.base.ops->connect(&f->ft.base, &info);
		assert_non_null(strstr(fake_first_error(), "while connected"));
		fake_errors_clear();
		fake_port_close(f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_rules),
		cmocka_unit_test(test_split_indices),
		cmocka_unit_test(test_packed_rules),
		cmocka_unit_test(test_changes_while_held),
		cmocka_unit_test(test_pool_sees_what_comes_back),
		cmocka_unit_test(test_lying_domain_translates),
		cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests_name("fake", tests, NULL, NULL) != 0;
}
