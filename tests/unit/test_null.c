/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The null device of app/sluice-bench: what it takes in batches it takes as one by one, and it
 * refuses what a driver must not write wherever in a batch that is. Its side of librte_vhost is
 * played here.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_common.h>

#include "null_dev.h"

#define SIZE 64
#define BUF_LEN 256
#define MEM_START 0x40000000ULL
#define HDR_LEN 12
#define AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define USED (1 << VRING_PACKED_DESC_F_USED)

static struct driver {
	uint64_t features;
	bool is_packed;
	bool is_tx; /* the ring that is used; the other one stays empty */
	uint16_t head;
	bool wrap;
	struct vring_packed_desc packed[2][SIZE];
	struct vring_desc desc[2][SIZE];
	uint16_t avail[2][SIZE + 3]; /* flags, idx, ring, used_event */
	uint64_t used[2][SIZE + 1];  /* from byte 4 on: flags, idx, ring */
	uint8_t mem[SIZE * BUF_LEN];
} drv;

int
rte_vhost_get_vhost_vring(int vid, uint16_t idx, struct rte_vhost_vring *vring)
{
	(void)vid;
	*vring = (struct rte_vhost_vring){ .size = SIZE, .kickfd = -1 };
	vring->desc_packed = drv.packed[idx];
	if (drv.is_packed)
		return 0;
	vring->desc = drv.desc[idx];
	vring->avail = (struct vring_avail *)drv.avail[idx];
	vring->used = (struct vring_used *)((char *)drv.used[idx] + 4);
	return 0;
}

int
rte_vhost_get_vring_base(int vid, uint16_t idx, uint16_t *avail, uint16_t *used)
{
	(void)vid;
	(void)idx;
	*avail = *used = drv.is_packed ? 0x8000 : 0;
	return 0;
}

int
rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	(void)vid;
	*features = drv.features;
	return 0;
}

int
rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **mem)
{
	(void)vid;
	/* Two regions, so that a batch finds the second one in its midst. */
	*mem = calloc(1, sizeof(**mem) + 2 * sizeof((*mem)->regions[0]));
	assert_non_null(*mem);
	(*mem)->nregions = 2;
	(*mem)->regions[0] = (struct rte_vhost_mem_region){
		.guest_phys_addr = MEM_START,
		.host_user_addr = (uintptr_t)drv.mem,
		.size = 3 * BUF_LEN,
	};
	(*mem)->regions[1] = (struct rte_vhost_mem_region){
		.guest_phys_addr = MEM_START + 3 * BUF_LEN,
		.host_user_addr = (uintptr_t)drv.mem + 3 * BUF_LEN,
		.size = sizeof(drv.mem) - 3 * BUF_LEN,
	};
	return 0;
}

int
rte_vhost_enable_guest_notification(int vid, uint16_t idx, int enable)
{
	(void)vid;
	(void)idx;
	(void)enable;
	return 0;
}

static void
give(uint64_t addr, uint32_t len, uint16_t flags)
{
	const uint16_t slot = drv.head % SIZE;

	if (drv.is_packed) {
		drv.packed[drv.is_tx][slot] = (struct vring_packed_desc){
			.addr = addr,
			.len = len,
			.id = slot,
			.flags = flags | (drv.head / SIZE % 2 ? USED : AVAIL),
		};
	} else {
		drv.desc[drv.is_tx][slot] = (struct vring_desc){
			.addr = addr,
			.len = len,
			.flags = flags,
			.next = (slot + 1) % SIZE,
		};
		drv.avail[drv.is_tx][2 + slot] = slot;
		drv.avail[drv.is_tx][1] = drv.head + 1;
	}
	drv.head++;
}

static uint64_t
addr_of(uint16_t slot)
{
	return MEM_START + (uint64_t)(slot % SIZE) * BUF_LEN;
}

static void
give_plain(unsigned int nb)
{
	for (; nb > 0; nb--)
		give(addr_of(drv.head), drv.is_tx ? HDR_LEN + 60 : BUF_LEN,
				drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

/* The used entry number nb since the start. */
static void
check_used(uint16_t nb, uint32_t len)
{
	const struct vring_used *used = (struct vring_used *)((char *)drv.used[drv.is_tx] + 4);
	const struct vring_packed_desc *desc = &drv.packed[drv.is_tx][nb % SIZE];

	if (!drv.is_packed) {
		assert_int_equal(used->ring[nb % SIZE].id, nb % SIZE);
		assert_int_equal(used->ring[nb % SIZE].len, len);
		return;
	}
	assert_int_equal(desc->flags & (AVAIL | USED), nb / SIZE % 2 ? 0 : AVAIL | USED);
	assert_int_equal(desc->flags & VRING_DESC_F_WRITE, len != 0 ? VRING_DESC_F_WRITE : 0);
	assert_int_equal(desc->len, len);
}

static void
check_used_idx(uint16_t want)
{
	const struct vring_used *used = (struct vring_used *)((char *)drv.used[drv.is_tx] + 4);

	if (!drv.is_packed)
		assert_int_equal(used->idx, want);
}

struct variant {
	bool is_packed;
	bool is_in_order;
	bool is_tx;
};

static struct null_dev dev;

static int
set_up(void **state)
{
	const struct variant *v = *state;

	memset(&drv, 0, sizeof(drv));
	drv.is_packed = v->is_packed;
	drv.is_tx = v->is_tx;
	drv.features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
			(uint64_t)v->is_packed << VIRTIO_F_RING_PACKED |
			(uint64_t)v->is_in_order << 35;
	return null_dev_attach(&dev, 0, 1, "", 0);
}

static int
tear_down(void **state)
{
	(void)state;
	null_dev_detach(&dev);
	return 0;
}

static uint32_t
serve(uint32_t nb)
{
	return drv.is_tx ? null_dev_consume(&dev, 0, nb) : null_dev_produce(&dev, 0, nb, 60);
}

/* Laps with batches that are full, that are not, and that lie across the end of the ring. */
static void
test_batches(void **state)
{
	const struct variant *v = *state;
	const bool is_batch = v->is_packed && v->is_in_order && v->is_tx;
	const uint32_t len = v->is_tx ? 0 : HDR_LEN + 60;
	static const uint8_t sizes[] = { 32, 1, 40, 31, 64, 7, 33, 2, 48 };
	uint16_t start = 0;
	unsigned int i, k;

	for (i = 0; i < 9 * RTE_DIM(sizes); i++) {
		const uint16_t nb = sizes[i % RTE_DIM(sizes)];

		give_plain(nb);
		assert_int_equal(serve(SIZE), nb);
		assert_int_equal(serve(SIZE), 0);
		assert_null(dev.error);
		for (k = 0; k < nb; k++)
			if (!is_batch || k % NULL_BATCH == 0)
				check_used(start + k, len);
		/* 2.8.9: the id is that of the batch's last buffer */
		if (is_batch)
			assert_int_equal(drv.packed[1][start % SIZE].id,
					(start + RTE_MIN(nb, NULL_BATCH) - 1) % SIZE);
		start += nb;
		check_used_idx(start);
	}
	assert_int_equal(v->is_tx ? dev.tx[0].packets : dev.rx[0].packets, start);
	if (v->is_tx)
		assert_int_equal(dev.tx[0].bytes, (uint64_t)start * 60);
}

static void
test_no_more_than_asked(void **state)
{
	(void)state;
	give_plain(40);
	assert_int_equal(serve(5), 5);
	check_used_idx(5);
	assert_int_equal(serve(SIZE), 35);
}

/* A buffer of two descriptors between others goes the long way; those behind it come after it. */
static void
test_chain_between(void **state)
{
	const struct variant *v = *state;
	const uint16_t flags = v->is_tx ? 0 : VRING_DESC_F_WRITE;

	give_plain(5);
	give(addr_of(5), 40, flags | VRING_DESC_F_NEXT);
	give(addr_of(6), 100, flags);
	if (!v->is_packed) {
		/* one available entry for both */
		drv.avail[v->is_tx][1]--;
		drv.avail[v->is_tx][2 + 6] = 7;
		drv.desc[v->is_tx][7] = drv.desc[v->is_tx][4];
		drv.avail[v->is_tx][1]++;
	} else {
		give_plain(1);
	}
	assert_int_equal(serve(SIZE), 7);
	assert_null(dev.error);
}

static void
test_header(void **state)
{
	const struct variant *v = *state;
	uint16_t i;

	if (v->is_tx)
		return;
	memset(drv.mem, 0xff, sizeof(drv.mem));
	dev.must_write_header = true;
	give_plain(40);
	assert_int_equal(serve(40), 40);
	for (i = 0; i < 40; i++) {
		const uint8_t want[HDR_LEN + 1] = { [10] = 1, [HDR_LEN] = 0xff };

		assert_memory_equal(&drv.mem[i * BUF_LEN], want, sizeof(want));
	}
	dev.must_write_header = false;
	memset(drv.mem, 0xff, sizeof(drv.mem));
	give_plain(4);
	assert_int_equal(serve(4), 4);
	assert_int_equal(drv.mem[40 * BUF_LEN], 0xff);
}

/* What a driver must not do, in the sixth of eight buffers. */
static void
lie_direction(void)
{
	give(addr_of(5), 100, drv.is_tx ? VRING_DESC_F_WRITE : 0);
}

static void
lie_below(void)
{
	give(MEM_START - 1, 100, drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

static void
lie_across_end(void)
{
	give(MEM_START + sizeof(drv.mem) - 99, 100, drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

static void
lie_across_regions(void)
{
	give(MEM_START + 3 * BUF_LEN - 50, 100, drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

static void
lie_length(void)
{
	give(addr_of(5), UINT32_MAX, drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

static void
lie_short(void)
{
	give(addr_of(5), drv.is_tx ? HDR_LEN : HDR_LEN - 1, drv.is_tx ? 0 : VRING_DESC_F_WRITE);
}

static void
lie_no_end(void)
{
	uint16_t i;

	give(addr_of(5), 1, VRING_DESC_F_NEXT | (drv.is_tx ? 0 : VRING_DESC_F_WRITE));
	for (i = 0; i < SIZE; i++)
		drv.desc[drv.is_tx][i].next = 5;
	if (drv.is_packed) /* what follows is not given */
		drv.head += SIZE;
}

static void
lie_indirect(void)
{
	give(addr_of(5), 17, VRING_DESC_F_INDIRECT | (drv.is_tx ? 0 : VRING_DESC_F_WRITE));
}

static void
test_lies(void **state)
{
	static void (*const lies[])(void) = {
		lie_direction,
		lie_below,
		lie_across_end,
		lie_across_regions,
		lie_length,
		lie_short,
		lie_no_end,
		lie_indirect,
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(lies); i++) {
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		give_plain(5);
		lies[i]();
		give_plain(2);
		assert_int_equal(serve(SIZE), 5);
		assert_non_null(dev.error);
		check_used_idx(5);
		assert_int_equal(serve(SIZE), 0);
	}
}

/* Of a split ring only. */
static void
test_available_lies(void **state)
{
	const struct variant *v = *state;

	if (v->is_packed)
		return;
	give_plain(8);
	drv.avail[v->is_tx][2 + 5] = SIZE;
	assert_int_equal(serve(SIZE), 5);
	assert_string_equal(dev.error, "available entry out of range");
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	drv.avail[v->is_tx][1] = SIZE + 1;
	assert_int_equal(serve(SIZE), 0);
	assert_string_equal(dev.error, "available index ran ahead of the ring");
}

#define TESTS(v) \
	{ "batches", test_batches, set_up, tear_down, v }, \
			{ "no more than asked", test_no_more_than_asked, set_up, tear_down, v }, \
			{ "chain between", test_chain_between, set_up, tear_down, v }, \
			{ "header", test_header, set_up, tear_down, v }, \
			{ "lies", test_lies, set_up, tear_down, v }, \
	{ \
		"available lies", test_available_lies, set_up, tear_down, v \
	}

int
main(void)
{
	static struct variant split_rx = { false, true, false }, split_tx = { false, true, true };
	static struct variant packed_rx = { true, true, false }, packed_tx = { true, true, true };
	static struct variant unordered_tx = { true, false, true };
	const struct CMUnitTest tests[] = {
		TESTS(&split_rx),
		TESTS(&split_tx),
		TESTS(&packed_rx),
		TESTS(&packed_tx),
		TESTS(&unordered_tx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
