/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The entries of an IOMMU: exactly the regions, each goes without another, nothing in use is ever
 * unmapped. The kernel is a list that takes and gives entries as VFIO's TYPE1v2 does.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_vfio.h"
#include "env.h"

#define PAGE DMAP_IOTLB_PAGE
#define AT(page) (0x100000000UL + (page)*PAGE)
#define KERNEL_MAX 4096

static struct {
	struct dmap_iotlb_entry m[KERNEL_MAX];
	unsigned int nb;
	unsigned int limit;
	unsigned int nb_unmaps;
	bool was_last; /* of the maps of this change */
} kernel;

static struct dmap_iotlb_ops ops;

static int
kernel_map(void *ctx, const struct dmap_iotlb_entry *m, bool is_last)
{
	unsigned int i;

	(void)ctx;
	if (kernel.was_last)
		fake_error("a map of 0x%lx bytes at 0x%lx after the last one", m->len, m->da);
	kernel.was_last = is_last;
	if (m->len == 0 || (m->da | m->va | m->len) % PAGE != 0)
		fake_error("a map of 0x%lx bytes at 0x%lx", m->len, m->da);
	if (is_last && ops.ends_with_page && m->len != PAGE)
		fake_error("the last map has 0x%lx bytes", m->len);
	for (i = 0; i < kernel.nb; i++)
		if (m->da < kernel.m[i].da + kernel.m[i].len && kernel.m[i].da < m->da + m->len)
			fake_error("page 0x%lx mapped twice", m->da);
	if (kernel.nb == kernel.limit)
		return -ENOSPC;
	kernel.m[kernel.nb++] = *m;
	return 0;
}

static int
kernel_unmap(void *ctx, const struct dmap_iotlb_entry *m)
{
	unsigned int i;

	(void)ctx;
	for (i = 0; i < kernel.nb; i++)
		if (memcmp(&kernel.m[i], m, sizeof(*m)) == 0)
			break;
	if (i == kernel.nb) {
		fake_error("0x%lx bytes at 0x%lx unmapped, which were not mapped like that", m->len,
				m->da);
		return -EINVAL;
	}
	kernel.m[i] = kernel.m[--kernel.nb];
	kernel.nb_unmaps++;
	return 0;
}

static struct dmap_iotlb_ops ops = { .map = kernel_map, .unmap = kernel_unmap };
static struct dmap_iotlb set;

static struct dmap_region
region(unsigned int page, unsigned int nb, uint8_t flags)
{
	return (struct dmap_region){
		.va = AT(page), .da.v = AT(page), .len = nb * PAGE, .fd = -1, .flags = flags
	};
}

/* Is the page mapped, and how? 0: no, 1: read only, 2: both. */
static int
mapped(unsigned int page)
{
	unsigned int i;

	for (i = 0; i < kernel.nb; i++)
		if (AT(page) >= kernel.m[i].da && AT(page) < kernel.m[i].da + kernel.m[i].len)
			return kernel.m[i].is_read_only ? 1 : 2;
	return 0;
}

static uint64_t
kernel_bytes(void)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < kernel.nb; i++)
		bytes += kernel.m[i].len;
	return bytes;
}

static void
begin(const char *what)
{
	fake_context("%s", what);
	memset(&kernel, 0, sizeof(kernel));
	kernel.limit = KERNEL_MAX;
	dmap_iotlb_free(&set);
}

static int
apply(const struct dmap_region *r, unsigned int nb)
{
	unsigned int before = kernel.nb;
	int ret;

	kernel.was_last = false;
	ret = dmap_iotlb_apply(&set, r, nb, &ops, NULL);
	if (kernel.nb > before)
		fake_assert(kernel.was_last, "no map was the last one");
	fake_assert(set.nb == kernel.nb, "%u entries listed, the kernel has %u", set.nb, kernel.nb);
	fake_assert(dmap_iotlb_bytes(&set) == kernel_bytes(), "bytes differ");
	return ret;
}

static void
test_shared_page(void **state)
{
	const uint8_t both = DMAP_REGION_HEAD_SHARED | DMAP_REGION_TAIL_SHARED;
	struct dmap_region r[2] = { region(1, 4, both), region(4, 5, both) };

	(void)state;
	begin("two pools share page 4: the first goes");
	assert_int_equal(apply(r, 2), 0);
	assert_int_equal(kernel_bytes(), 8 * PAGE);
	assert_int_equal(apply(&r[1], 1), 0);
	assert_int_equal(kernel_bytes(), 5 * PAGE);
	assert_true(mapped(4) && !mapped(3) && mapped(8));
	begin("two pools share page 4: the second goes");
	assert_int_equal(apply(r, 1), 0);
	assert_int_equal(apply(r, 2), 0);
	assert_int_equal(kernel.nb_unmaps, 0);
	assert_int_equal(apply(r, 1), 0);
	assert_int_equal(kernel_bytes(), 4 * PAGE);
	assert_true(mapped(4) && mapped(1) && !mapped(5));
	assert_int_equal(apply(NULL, 0), 0);
	assert_int_equal(kernel.nb, 0);
	fake_check();
}

static void
test_rights(void **state)
{
	struct dmap_region r[3] = { region(0, 2, DMAP_REGION_READ_ONLY), region(2, 1, 0),
		region(3, 16, DMAP_REGION_READ_ONLY) };

	(void)state;
	begin("read-only pages beside others");
	assert_int_equal(apply(r, 3), 0);
	assert_int_equal(mapped(0), 1);
	assert_int_equal(mapped(1), 1);
	assert_int_equal(mapped(2), 2);
	assert_int_equal(mapped(18), 1);
	begin("the same page with other rights, or of other memory");
	assert_int_equal(apply(r, 1), 0);
	r[1] = region(1, 2, 0);
	assert_int_equal(apply(r, 2), -EEXIST);
	assert_int_equal(kernel_bytes(), 2 * PAGE);
	r[1] = region(1, 2, DMAP_REGION_READ_ONLY);
	r[1].va += PAGE;
	assert_int_equal(apply(r, 2), -EEXIST);
	assert_int_equal(kernel_bytes(), 2 * PAGE);
	fake_check();
}

static void
test_all_or_nothing(void **state)
{
	struct dmap_region r[2] = { region(0, 8, 0), region(100, 2000, DMAP_REGION_HEAD_SHARED) };
	unsigned int i, nb;

	(void)state;
	for (i = 0; i < 2; i++) {
		ops.ends_with_page = i;
		begin(i == 0 ? "the kernel takes no more" : "the kernel takes no more, last page");
		assert_int_equal(apply(r, 1), 0);
		nb = kernel.nb;
		for (kernel.limit = nb; apply(r, 2) != 0; kernel.limit++)
			assert_int_equal(kernel_bytes(), 8 * PAGE);
		assert_int_equal(kernel_bytes(), 2008 * PAGE);
		/* Head, steps, and the last page. */
		assert_int_equal(kernel.nb, nb + 1 + 5 + i);
		assert_int_equal(apply(r, 1), 0);
		assert_int_equal(kernel_bytes(), 8 * PAGE);
	}
	fake_check();
}

/* No entry crosses what EAL may free by itself. */
static void
test_steps(void **state)
{
	struct dmap_region r = region(500, 2000, 0);
	unsigned int i;

	(void)state;
	begin("steps");
	assert_int_equal(apply(&r, 1), 0);
	for (i = 0; i < kernel.nb; i++)
		assert_true(kernel.m[i].da / DMAP_IOTLB_STEP ==
				(kernel.m[i].da + kernel.m[i].len - 1) / DMAP_IOTLB_STEP);
	assert_int_equal(kernel_bytes(), 2000 * PAGE);
	fake_check();
}

/* A program behind VDUSE maps each entry by itself, and a buffer that lies in two is in pieces. */
static void
test_file(void **state)
{
	struct dmap_region r[2] = { region(0, 3, 0), region(500, 2000, 0) };

	(void)state;
	begin("a file is an entry");
	ops.ends_with_page = false;
	r[1].fd = 1;
	assert_int_equal(apply(r, 2), 0);
	assert_int_equal(kernel.nb, 2);
	assert_int_equal(kernel_bytes(), 2003 * PAGE);
	assert_int_equal(apply(r, 1), 0);
	assert_int_equal(kernel.nb, 1);
	fake_check();
}

/* Each entry has at least something to do with what is in use. */
static void
check_no_waste(const struct dmap_region *now, unsigned int nb)
{
	unsigned int i, k;

	for (i = 0; i < kernel.nb; i++) {
		for (k = 0; k < nb; k++)
			if (kernel.m[i].da < now[k].da.v + now[k].len &&
					now[k].da.v < kernel.m[i].da + kernel.m[i].len)
				break;
		fake_assert(k < nb, "the entry at 0x%lx is of no use", kernel.m[i].da);
	}
}

/* Random owners come and go: what is in use stays mapped all the time. */
static void
test_random(void **state)
{
	enum { OWNERS = 12, PAGES = 1500 };
	struct dmap_region all[OWNERS], now[OWNERS];
	bool is_in[OWNERS] = { false };
	uint64_t seed = 42;
	unsigned int round, i, page, nb;

	(void)state;
	begin("random");
	for (i = 0; i < OWNERS; i++)
		all[i] = region(fake_random(&seed) % 1000, 1 + fake_random(&seed) % 300,
				DMAP_REGION_HEAD_SHARED | DMAP_REGION_TAIL_SHARED);
	for (round = 0; round < 400; round++) {
		i = fake_random(&seed) % OWNERS;
		is_in[i] = !is_in[i];
		for (i = 0, nb = 0; i < OWNERS; i++)
			if (is_in[i])
				now[nb++] = all[i];
		ops.ends_with_page = round % 2;
		assert_int_equal(apply(now, nb), 0);
		check_no_waste(now, nb);
		for (page = 0; page < PAGES; page++) {
			bool is_used = false;

			for (i = 0; i < nb; i++)
				is_used |= AT(page) >= now[i].va &&
						AT(page) < now[i].va + now[i].len;
			if (is_used)
				fake_assert(mapped(page), "round %u: page %u is used", round, page);
		}
	}
	assert_int_equal(apply(NULL, 0), 0);
	assert_int_equal(kernel.nb, 0);
	dmap_iotlb_free(&set);
	fake_check();
}

int
main(void)
{
	suite_add(test_shared_page, NULL, "shared page");
	suite_add(test_rights, NULL, "rights");
	suite_add(test_all_or_nothing, NULL, "all or nothing");
	suite_add(test_steps, NULL, "steps");
	suite_add(test_file, NULL, "file");
	suite_add(test_random, NULL, "random");
	return suite_run("maps");
}
