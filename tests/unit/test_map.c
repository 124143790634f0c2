/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The verbs of streaming DMA, on a device that finds what it is told of through the domain's table
 * only. A domain whose bounce buffers are forced is the double of a machine where the device does
 * not see the CPU's memory: a sync that is missing is found out there.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_map.h"
#include "env.h"

#define LEN 200

struct rig {
	struct fake_domain dom;
	struct dmap_domain *d;
	struct fake_pool *pool;
	struct dmap_stream s;
};

static void
rig_open(struct rig *g, const struct dmap_limits *limits)
{
	const struct fake_pool_conf conf = { .name = "pool", .nb = 40 };

	fake_errors_clear();
	fake_domain_init(&g->dom, true);
	assert_int_equal(dmap_domain_create("unit", &fake_domain_backend, &g->dom, &g->d), 0);
	if (limits != NULL)
		assert_int_equal(dmap_set_limits(g->d, limits), 0);
	g->pool = fake_pool_create(&conf);
	assert_int_equal(dmap_add_pool(g->d, g->pool->mp), 0);
	dmap_stream_init(&g->s, g->d);
}

static void
rig_close(struct rig *g)
{
	assert_int_equal(g->s.nb_lent, 0);
	dmap_domain_destroy(g->d);
	fake_pool_destroy(g->pool);
	fake_domain_fini(&g->dom);
	fake_check();
}

/* What the device finds where a map says that the buffer is. */
static char *
device_at(struct rig *g, const struct dmap_map *map)
{
	char *found = fake_domain_reach(&g->dom, map->da.v, map->len);

	assert_int_equal(dmap_mapping_error(map), 0);
	fake_assert(found != NULL, "the device does not reach what was mapped");
	return found;
}

static void
test_map_and_unmap(void **state)
{
	struct dmap_map single, whole;
	struct rte_mbuf *m;
	struct rig g;

	(void)state;
	rig_open(&g, NULL);
	m = fake_mbuf(g.pool, 128, LEN);
	whole = dmap_map_mbuf(&g.s, m, 0, LEN, DMAP_TO_DEVICE);
	assert_ptr_equal(device_at(&g, &whole), rte_pktmbuf_mtod(m, char *));
	single = dmap_map_single(&g.s, g.pool->mem, 64, DMAP_BIDIRECTIONAL);
	assert_ptr_equal(device_at(&g, &single), g.pool->mem);
	assert_int_equal(g.s.nb_lent, 2);
	dmap_unmap(&g.s, &whole);
	dmap_unmap(&g.s, &single);
	/* It is not mapped any more, so this is nothing. */
	assert_int_equal(dmap_mapping_error(&single), -EINVAL);
	dmap_unmap(&g.s, &single);
	rte_pktmbuf_free(m);
	rig_close(&g);
}

/* Each reason has a number, and nothing stays behind. */
static void
test_errors(void **state)
{
	const struct dmap_limits limits = { .seg_max = 1000, .boundary = 4096 };
	static char out_of_reach[64];
	struct dmap_map map;
	uint32_t off;
	struct rig g;

	(void)state;
	rig_open(&g, &limits);
	map = dmap_map_single(&g.s, g.pool->mem, 0, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map), -EINVAL);
	map = dmap_map_single(&g.s, g.pool->mem, 1001, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map), -EMSGSIZE);
	for (off = 0; off < 8192; off += 64) {
		map = dmap_map_single(&g.s, g.pool->mem + off, 128, DMAP_TO_DEVICE);
		assert_int_equal(dmap_mapping_error(&map), off % 4096 == 4032 ? -ERANGE : 0);
		dmap_unmap(&g.s, &map);
	}
	map = dmap_map_single(&g.s, out_of_reach, 64, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map), -EAGAIN);
	assert_int_equal(dmap_serve(g.d), 0);
	map = dmap_map_single(&g.s, out_of_reach, 64, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map), -EFAULT);
	rig_close(&g);
}

/* The data of a packet, all of them, in order, and no descriptor says what the device cannot. */
static void
test_scatter_gather(void **state)
{
	static const struct dmap_limits limits[] = { { .seg_max = 0 }, { .seg_max = 300 },
		{ .boundary = 512 }, { .seg_max = 300, .boundary = 256 } };
	struct rte_mbuf *m;
	struct dmap_map maps[64];
	unsigned int i, k, forced;
	struct rig g;

	(void)state;
	for (i = 0; i < 2 * RTE_DIM(limits); i++) {
		const struct dmap_limits *l = &limits[i / 2];
		char *data = malloc(5000);
		uint32_t at = 0;
		int nb;

		forced = i % 2;
		rig_open(&g, l);
		assert_int_equal(dmap_set_bounce(g.d, 64 * forced, 256, forced), 0);
		m = fake_mbuf(g.pool, 120, 1000);
		rte_pktmbuf_chain(m, fake_mbuf(g.pool, 7, 0));
		rte_pktmbuf_chain(m, fake_mbuf(g.pool, 1, 1700));
		fake_mbuf_fill(m, 5);
		fake_fill((uint8_t *)data, 2700, 5);
		nb = dmap_map_sg(&g.s, m, DMAP_TO_DEVICE, maps, RTE_DIM(maps));
		assert_in_range(nb, 2, RTE_DIM(maps));
		assert_int_equal(nb == 2, l->seg_max == 0 && l->boundary == 0 && !forced);
		for (k = 0; k < (unsigned int)nb; at += maps[k++].len) {
			assert_memory_equal(device_at(&g, &maps[k]), data + at, maps[k].len);
			assert_true(l->seg_max == 0 || maps[k].len <= l->seg_max);
			assert_true(l->boundary == 0 ||
					(maps[k].da.v ^ (maps[k].da.v + maps[k].len - 1)) <
							l->boundary);
		}
		assert_int_equal(at, 2700);
		assert_int_equal(g.s.nb_lent, nb);
		dmap_unmap_sg(&g.s, maps, nb);
		assert_int_equal(dmap_map_sg(&g.s, m, DMAP_TO_DEVICE, maps, nb - 1), -ENOSPC);
		assert_int_equal(g.s.nb_lent, 0);
		rte_pktmbuf_free(m);
		rig_close(&g);
		free(data);
	}
}

/* A driver of a device that counts in place; it may have a fault. */
enum fault { NONE, NO_SYNC_FOR_CPU, NO_SYNC_FOR_DEVICE, LOOKS_TOO_EARLY, NB_FAULTS };

/* Does the program see what the device has done, and the device what the program has? */
static bool
works(struct rig *g, enum fault fault)
{
	struct rte_mbuf *m = fake_mbuf(g->pool, 128, LEN);
	unsigned char *cpu = rte_pktmbuf_mtod(m, void *);
	unsigned char *device, seen[2], round;
	struct dmap_map map;

	cpu[7] = 1;
	map = dmap_map_mbuf(&g->s, m, 0, LEN, DMAP_BIDIRECTIONAL);
	device = (unsigned char *)device_at(g, &map);
	for (round = 0; round < 2; round++) {
		device[7]++;
		if (fault != NO_SYNC_FOR_CPU)
			dmap_sync_for_cpu(&g->s, &map, 0, LEN);
		seen[round] = cpu[7];
		cpu[7] *= 10;
		if (fault != NO_SYNC_FOR_DEVICE)
			dmap_sync_for_device(&g->s, &map, 4, 8);
	}
	device[7]++;
	if (fault != LOOKS_TOO_EARLY)
		dmap_unmap(&g->s, &map);
	round = cpu[7];
	dmap_unmap(&g->s, &map);
	rte_pktmbuf_free(m);
	return seen[0] == 2 && seen[1] == 21 && round == 211;
}

/* Where the device reaches the buffer itself a missing sync does no harm, and is not noticed. */
static void
test_missing_sync_is_found(void **state)
{
	enum fault fault;
	struct rig g;

	(void)state;
	rig_open(&g, NULL);
	for (fault = NONE; fault < NB_FAULTS; fault++)
		assert_true(works(&g, fault));
	assert_int_equal(dmap_set_bounce(g.d, 1, 2048, true), 0);
	assert_true(works(&g, NONE));
	for (fault = NONE + 1; fault < NB_FAULTS; fault++)
		fake_assert(!works(&g, fault), "fault %d is not noticed", fault);
	rig_close(&g);
}

/* Only in its direction, only the bytes that are named, and nothing of those who came before. */
static void
test_bounce_copies_what_it_must(void **state)
{
	unsigned char *buf, *device;
	struct dmap_map map;
	struct rte_mbuf *m;
	struct rig g;

	(void)state;
	rig_open(&g, NULL);
	m = fake_mbuf(g.pool, 128, LEN);
	buf = rte_pktmbuf_mtod(m, unsigned char *);
	assert_int_equal(dmap_set_bounce(g.d, 1, 100, true), 0);
	memset(buf, 1, LEN);
	map = dmap_map_single(&g.s, buf, 100, DMAP_TO_DEVICE);
	device = (unsigned char *)device_at(&g, &map);
	assert_memory_equal(device, buf, 100);
	memset(device, 2, 100);
	dmap_sync_for_cpu(&g.s, &map, 0, 100);
	dmap_unmap(&g.s, &map);
	assert_true(buf[0] == 1 && buf[99] == 1);

	map = dmap_map_single(&g.s, buf, 50, DMAP_FROM_DEVICE);
	device = (unsigned char *)device_at(&g, &map);
	assert_true(device[0] == 0 && device[49] == 0);
	memset(device, 3, 50);
	dmap_sync_for_cpu(&g.s, &map, 10, 5);
	assert_true(buf[9] == 1 && buf[10] == 3 && buf[14] == 3 && buf[15] == 1);
	/* Bytes that are not of the buffer are left alone. */
	dmap_sync_for_cpu(&g.s, &map, 40, 11);
	dmap_sync_for_cpu(&g.s, &map, 51, UINT32_MAX);
	assert_true(buf[40] == 1 && buf[51] == 1);
	memset(buf, 4, LEN);
	dmap_sync_for_device(&g.s, &map, 0, 50);
	assert_int_equal(device[0], 3);
	dmap_unmap(&g.s, &map);
	assert_true(buf[0] == 3 && buf[49] == 3 && buf[50] == 4);
	rte_pktmbuf_free(m);
	rig_close(&g);
}

/* Memory that the device reaches has no need of one; they are counted, and end with the domain. */
static void
test_bounce_buffers_are_few(void **state)
{
	static char out_of_reach[128];
	struct dmap_map map[3];
	struct rig g;

	(void)state;
	rig_open(&g, NULL);
	assert_int_equal(dmap_set_bounce(g.d, 1, 0, false), -EINVAL);
	assert_int_equal(dmap_set_bounce(g.d, 2, 64, false), 0);
	map[0] = dmap_map_single(&g.s, g.pool->mem, 64, DMAP_TO_DEVICE);
	assert_ptr_equal(device_at(&g, &map[0]), g.pool->mem);
	dmap_unmap(&g.s, &map[0]);
	map[0] = dmap_map_single(&g.s, out_of_reach, 64, DMAP_TO_DEVICE);
	map[1] = dmap_map_single(&g.s, out_of_reach + 64, 64, DMAP_TO_DEVICE);
	assert_true(device_at(&g, &map[0]) != device_at(&g, &map[1]));
	map[2] = dmap_map_single(&g.s, out_of_reach, 64, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map[2]), -ENOBUFS);
	map[2] = dmap_map_single(&g.s, out_of_reach, 65, DMAP_TO_DEVICE);
	assert_int_equal(dmap_mapping_error(&map[2]), -EMSGSIZE);
	assert_int_equal(dmap_set_bounce(g.d, 0, 0, false), -EBUSY);
	dmap_unmap(&g.s, &map[0]);
	dmap_unmap(&g.s, &map[1]);
	assert_int_equal(dmap_set_bounce(g.d, 0, 0, false), 0);
	assert_int_equal(g.dom.nb_coherent, 0);
	assert_int_equal(dmap_set_bounce(g.d, 3, 64, true), 0);
	rig_close(&g);
}

int
main(void)
{
	suite_add(test_map_and_unmap, NULL, "map and unmap");
	suite_add(test_errors, NULL, "errors");
	suite_add(test_scatter_gather, NULL, "scatter and gather");
	suite_add(test_missing_sync_is_found, NULL, "missing sync is found");
	suite_add(test_bounce_copies_what_it_must, NULL, "bounce copies what it must");
	suite_add(test_bounce_buffers_are_few, NULL, "bounce buffers are few");
	return suite_run("map");
}
