/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the application says about memory, where the back end can show any: memory of its own at an
 * address of its choice, and the parts of coherent memory that a device needs to read only.
 */

#include <errno.h>

#include "dmap_impl.h"

RTE_EXPORT_INTERNAL_SYMBOL(dmap_add_external)
int
dmap_add_external(struct dmap_domain *d, const void *addr, struct dmap_addr da, size_t len)
{
	struct dmap_region r = { .va = (uintptr_t)addr, .len = len, .da = da, .fd = -1 };
	size_t granule = d->backend->granule;
	struct dmap_owner *o;
	int ret;

	if (granule == 0)
		return -ENOTSUP;
	if (d->is_sealed)
		return -EPERM;
	if (len == 0 || ((r.va | da.v | len) & (granule - 1)) != 0 || r.va + len < r.va ||
			da.v + len < da.v)
		return -EINVAL;
	o = dmap_owner_new(DMAP_OWNER_EXTERNAL, addr);
	ret = o == NULL ? -ENOMEM : dmap_region_list_add(&o->pages, &r);
	if (ret == 0)
		ret = dmap_domain_insert_new(d, o);
	if (ret != 0)
		dmap_owner_free(o);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_del_external)
int
dmap_del_external(struct dmap_domain *d, const void *addr, size_t len)
{
	struct dmap_owner *o;
	bool is_known;

	rte_spinlock_lock(&d->table_lock);
	o = dmap_domain_find(d, DMAP_OWNER_EXTERNAL, addr);
	is_known = o != NULL && o->pages.nb != 0 && o->pages.r[0].len == len;
	rte_spinlock_unlock(&d->table_lock);
	if (!is_known)
		return -ENOENT;
	/* Pools may lie in it, and it is about to go away all the same. */
	dmap_domain_memory_freed(d, addr, len);
	return 0;
}

/*
 * The pages of a piece as regions that take turns: read-only ones within the spans, others in
 * between.
 */
static int
split_by_access(const struct dmap_region *whole, const struct dmap_span *spans, unsigned int nb,
		size_t granule, struct dmap_region_list *out)
{
	struct dmap_region part = *whole;
	size_t at = 0, lo, hi;
	unsigned int i;
	int ret = 0;

	for (i = 0; i <= nb && ret == 0; i++) {
		lo = i < nb ? RTE_ALIGN_CEIL(spans[i].offset, granule) : whole->len;
		hi = i < nb ? RTE_ALIGN_FLOOR(spans[i].offset + spans[i].len, granule) : lo;
		if (i < nb && (lo >= hi || lo < at || hi > whole->len))
			continue; /* no whole page, or not in order */
		part.flags = 0;
		part.va = whole->va + at;
		part.fd_off = at;
		part.da.v = whole->da.v + at;
		part.len = lo - at;
		if (part.len != 0)
			ret = dmap_region_list_add(out, &part);
		part.flags = DMAP_REGION_READ_ONLY;
		part.va = whole->va + lo;
		part.fd_off = lo;
		part.da.v = whole->da.v + lo;
		part.len = hi - lo;
		if (part.len != 0 && ret == 0)
			ret = dmap_region_list_add(out, &part);
		at = hi;
	}
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_coherent_read_only)
int
dmap_coherent_read_only(struct dmap_domain *d, const struct dmap_coherent *c,
		const struct dmap_span *spans, unsigned int nb)
{
	struct dmap_region whole = {
		.va = (uintptr_t)c->va, .len = c->len, .da = c->da, .fd = c->fd
	};
	struct dmap_region_list pages = { 0 }, old = { 0 };
	struct dmap_owner *o;
	int ret;

	if (d->backend->granule == 0)
		return 0;
	ret = split_by_access(&whole, spans, nb, d->backend->granule, &pages);
	pthread_mutex_lock(&d->change_lock);
	o = dmap_domain_find(d, DMAP_OWNER_COHERENT, c->handle);
	if (ret == 0 && o == NULL)
		ret = -ENOENT;
	if (ret == 0) {
		/*
		 * An IOMMU entry does not change its rights: out with the old ones, in with the new
		 * ones.
		 */
		rte_spinlock_lock(&d->table_lock);
		old = o->pages;
		o->pages = (struct dmap_region_list){ 0 };
		rte_spinlock_unlock(&d->table_lock);
		dmap_domain_rebuild(d, true);
		rte_spinlock_lock(&d->table_lock);
		o->pages = pages;
		rte_spinlock_unlock(&d->table_lock);
		pages = (struct dmap_region_list){ 0 };
		ret = dmap_domain_rebuild(d, false);
	}
	pthread_mutex_unlock(&d->change_lock);
	dmap_region_list_free(&old);
	dmap_region_list_free(&pages);
	return ret;
}
