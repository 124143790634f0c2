/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which pages, and which files behind them, hold a piece of EAL memory or the buffers of a mempool.
 * Everything here may take EAL's memory lock; callers hold none of dmap's locks.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_string_fns.h>

#include "dmap_impl.h"

/* The page of EAL memory that holds addr. */
static int
page_of(const void *addr, struct dmap_region *r)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	const struct rte_memseg *ms;
	size_t off = 0;
	int fd;

	if (msl == NULL || msl->external)
		return -ENOTSUP;
	ms = rte_mem_virt2memseg(addr, msl);
	if (ms == NULL)
		return -ENOTSUP;
	fd = rte_memseg_get_fd(ms);
	if (fd < 0 || rte_memseg_get_fd_offset(ms, &off) < 0)
		return -ENOTSUP;
	*r = (struct dmap_region){
		.va = ms->addr_64, .len = ms->len, .da.v = ms->addr_64, .fd = fd, .fd_off = off
	};
	return 0;
}

bool
dmap_eal_owns(const void *addr, size_t len)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	uintptr_t end = (uintptr_t)addr + len;

	return msl != NULL && !msl->external && end <= (uintptr_t)msl->base_va + msl->len;
}

size_t
dmap_eal_page_size(const void *addr)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);

	return msl != NULL ? msl->page_sz : (size_t)getpagesize();
}

static const struct rte_memzone *
reserve(const char *name, size_t len, int socket, unsigned int flags, size_t align)
{
	const struct rte_memzone *mz;

	mz = rte_memzone_reserve_aligned(name, len, socket, flags, align);
	if (mz == NULL && rte_errno != EEXIST && socket != SOCKET_ID_ANY)
		mz = rte_memzone_reserve_aligned(name, len, SOCKET_ID_ANY, flags, align);
	return mz;
}

const struct rte_memzone *
dmap_eal_memzone(const char *what, size_t len, int socket, unsigned int flags, size_t align)
{
	const struct rte_memzone *mz;
	char name[RTE_MEMZONE_NAMESIZE];
	unsigned int i;

	/* EAL refuses what a path may be: a name that does not fit. */
	strlcpy(name, what, sizeof(name));
	mz = reserve(name, len, socket, flags, align);
	/* One that was abandoned keeps its name, and long ones may begin alike. */
	for (i = 2; mz == NULL && rte_errno == EEXIST; i++) {
		snprintf(name, sizeof(name), "%.24s (%u)", what, i);
		mz = reserve(name, len, socket, flags, align);
	}
	return mz;
}

/* What an IOMMU maps of [va, end): its own pages, without the rest of the huge page around. */
static int
add_exact(uintptr_t va, uintptr_t end, size_t granule, struct dmap_region_list *out)
{
	uintptr_t lo = RTE_ALIGN_FLOOR(va, granule), hi = RTE_ALIGN_CEIL(end, granule);
	struct dmap_region r = { .va = lo, .len = hi - lo, .da.v = lo, .fd = -1 };

	r.flags = (lo != va ? DMAP_REGION_HEAD_SHARED : 0) |
			(hi != end ? DMAP_REGION_TAIL_SHARED : 0);
	return dmap_region_list_add(out, &r);
}

int
dmap_eal_pages(const void *addr, size_t len, size_t granule, struct dmap_region_list *out)
{
	uintptr_t va = (uintptr_t)addr, end = va + len;
	struct dmap_region page;
	int ret;

	if (granule != 0)
		return add_exact(va, end, granule, out);
	while (va < end) {
		ret = page_of((const void *)va, &page);
		if (ret == 0)
			ret = dmap_region_list_add(out, &page);
		if (ret != 0)
			return ret;
		va = page.va + page.len;
	}
	return 0;
}

struct pool_walk {
	struct dmap_region_list *out;
	size_t granule;
	int ret;
};

static void
add_chunk(struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *chunk, unsigned int idx)
{
	struct pool_walk *w = opaque;

	RTE_SET_USED(mp);
	RTE_SET_USED(idx);
	if (w->ret == 0)
		w->ret = dmap_eal_pages(chunk->addr, chunk->len, w->granule, w->out);
}

/* The buffer of a pool with pinned external buffers: only what the device needs, not the mbuf. */
static void
add_pinned(struct rte_mempool *mp, void *opaque, void *obj, unsigned int idx)
{
	const struct rte_mbuf *m = obj;
	struct pool_walk *w = opaque;
	const struct dmap_region *last = w->out->nb == 0 ? NULL : &w->out->r[w->out->nb - 1];
	uintptr_t va = (uintptr_t)m->buf_addr;

	RTE_SET_USED(mp);
	RTE_SET_USED(idx);
	if (w->ret != 0 ||
			(last != NULL && va >= last->va && va + m->buf_len <= last->va + last->len))
		return;
	w->ret = dmap_eal_pages(m->buf_addr, m->buf_len, w->granule, w->out);
}

int
dmap_eal_pool_pages(struct rte_mempool *mp, size_t granule, struct dmap_region_list *out)
{
	struct pool_walk w = { .out = out, .granule = granule };

	if (mp->private_data_size < sizeof(struct rte_pktmbuf_pool_private))
		return -EINVAL;
	if (rte_pktmbuf_priv_flags(mp) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF)
		rte_mempool_obj_iter(mp, add_pinned, &w);
	else
		rte_mempool_mem_iter(mp, add_chunk, &w);
	return w.ret;
}

struct eal_walk {
	uintptr_t lo, hi;
	struct dmap_region_list *out;
};

static int
add_memseg(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *opaque)
{
	struct eal_walk *w = opaque;
	struct dmap_region page;
	size_t off = 0;
	int fd;

	if (msl->external || ms->addr_64 < w->lo || ms->addr_64 >= w->hi)
		return 0;
	fd = rte_memseg_get_fd_thread_unsafe(ms);
	if (fd < 0 || rte_memseg_get_fd_offset_thread_unsafe(ms, &off) < 0)
		return -ENOTSUP;
	page = (struct dmap_region){
		.va = ms->addr_64, .len = ms->len, .da.v = ms->addr_64, .fd = fd, .fd_off = off
	};
	return dmap_region_list_add(w->out, &page);
}

int
dmap_eal_all_pages(struct dmap_region_list *out)
{
	struct eal_walk w = { .hi = UINTPTR_MAX, .out = out };

	return rte_memseg_walk(add_memseg, &w);
}

int
dmap_eal_new_pages(const void *addr, size_t len, struct dmap_region_list *out)
{
	struct eal_walk w = { .lo = (uintptr_t)addr, .hi = (uintptr_t)addr + len, .out = out };

	return rte_memseg_walk_thread_unsafe(add_memseg, &w);
}
