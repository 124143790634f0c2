/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A domain: owners come and go, the union of their pages is published to the device.
 * A change is all or nothing: when the device refuses the new table, the owner is not in the domain.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>
#include <rte_string_fns.h>

#include "dmap_impl.h"
#include "dmap_stream.h"

RTE_LOG_REGISTER(dmap_logtype, pmd.common.dmap, NOTICE);

struct dmap_owner *
dmap_owner_new(enum dmap_owner_kind kind, const void *key)
{
	struct dmap_owner *o = calloc(1, sizeof(*o));

	if (o != NULL) {
		o->kind = kind;
		o->key = key;
	}
	return o;
}

void
dmap_owner_free(struct dmap_owner *o)
{
	if (o == NULL)
		return;
	dmap_region_list_free(&o->pages);
	free(o);
}

struct dmap_owner *
dmap_domain_find(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key)
{
	struct dmap_owner *o;

	TAILQ_FOREACH(o, &d->owners, next)
		if (o->kind == kind && o->key == key)
			return o;
	return NULL;
}

/*
 * Recompute the table from the owners and publish it. With removal, what streams remember is void.
 * publish_lock is held. On error the old table stays.
 */
int
dmap_domain_rebuild(struct dmap_domain *d, bool is_removal)
{
	struct dmap_region_list regions, old_regions;
	struct dmap_window *windows = NULL, *old_windows;
	unsigned int nb_windows = 0;
	int ret;

	rte_spinlock_lock(&d->table_lock);
	ret = d->backend->granule != 0 ? dmap_region_collect(&d->owners, &regions) :
					 dmap_region_union(&d->owners, &regions);
	rte_spinlock_unlock(&d->table_lock);
	/* Without memory for a new table, a removal leaves an empty one: nothing stale may be used. */
	if (ret == 0)
		ret = dmap_region_windows(&regions, &windows, &nb_windows);
	if (ret == 0 && !d->is_revoked)
		ret = d->backend->publish(d->backend_ctx, regions.r, regions.nb);
	/* The device may keep a table that it refused to shrink, but we no longer use what left it. */
	if (ret != 0 && !is_removal) {
		dmap_region_list_free(&regions);
		free(windows);
		return ret;
	}

	rte_spinlock_lock(&d->table_lock);
	old_regions = d->regions;
	old_windows = d->windows;
	d->regions = regions;
	d->windows = windows;
	d->nb_windows = nb_windows;
	if (is_removal)
		__atomic_fetch_add(&d->generation, 1, __ATOMIC_RELEASE);
	rte_spinlock_unlock(&d->table_lock);
	dmap_region_list_free(&old_regions);
	free(old_windows);
	return ret;
}

static int
insert_locked(struct dmap_domain *d, struct dmap_owner *o)
{
	unsigned int i;
	int ret = 0;

	if (d->backend->assign != NULL && o->kind != DMAP_OWNER_COHERENT)
		for (i = 0; i < o->pages.nb && ret == 0; i++)
			ret = d->backend->assign(d->backend_ctx, &o->pages.r[i]);
	if (ret == 0)
		ret = dmap_domain_place(d, o);
	if (ret != 0)
		return ret;
	rte_spinlock_lock(&d->table_lock);
	TAILQ_INSERT_TAIL(&d->owners, o, next);
	rte_spinlock_unlock(&d->table_lock);
	ret = dmap_domain_rebuild(d, false);
	if (ret != 0) {
		rte_spinlock_lock(&d->table_lock);
		TAILQ_REMOVE(&d->owners, o, next);
		rte_spinlock_unlock(&d->table_lock);
	}
	return ret;
}

int
dmap_domain_insert(struct dmap_domain *d, struct dmap_owner *o)
{
	int ret = 0;

	pthread_mutex_lock(&d->publish_lock);
	/* A range may begin where another one begins, and be longer. */
	if (o->kind == DMAP_OWNER_RANGE || dmap_domain_find(d, o->kind, o->key) == NULL)
		ret = insert_locked(d, o);
	else
		dmap_owner_free(o); /* another thread was faster */
	pthread_mutex_unlock(&d->publish_lock);
	return ret;
}

int
dmap_domain_insert_new(struct dmap_domain *d, struct dmap_owner *o)
{
	int ret = -EEXIST;

	pthread_mutex_lock(&d->publish_lock);
	if (dmap_domain_find(d, o->kind, o->key) == NULL)
		ret = insert_locked(d, o);
	pthread_mutex_unlock(&d->publish_lock);
	return ret;
}

void
dmap_domain_remove(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key)
{
	struct dmap_owner *o;

	pthread_mutex_lock(&d->publish_lock);
	rte_spinlock_lock(&d->table_lock);
	o = dmap_domain_find(d, kind, key);
	if (o != NULL)
		TAILQ_REMOVE(&d->owners, o, next);
	rte_spinlock_unlock(&d->table_lock);
	if (o != NULL && dmap_domain_rebuild(d, true) != 0)
		DMAP_LOG(WARNING, "%s: the device was not told about memory that left its table\n",
				d->name);
	pthread_mutex_unlock(&d->publish_lock);
	dmap_owner_free(o);
}

int
dmap_domain_create(const char *name, const struct dmap_backend *backend, void *ctx,
		struct dmap_domain **out)
{
	struct dmap_domain *d = calloc(1, sizeof(*d));
	struct dmap_owner *o;
	int ret;

	if (d == NULL)
		return -ENOMEM;
	strlcpy(d->name, name, sizeof(d->name));
	d->backend = backend;
	d->backend_ctx = ctx;
	pthread_mutex_init(&d->publish_lock, NULL);
	rte_spinlock_init(&d->table_lock);
	TAILQ_INIT(&d->owners);
	if (backend->shows_all_eal) {
		o = dmap_owner_new(DMAP_OWNER_EAL, NULL);
		ret = o == NULL ? -ENOMEM : dmap_eal_all_pages(false, &o->pages);
		if (ret == 0)
			ret = dmap_domain_insert(d, o);
		if (ret != 0) {
			dmap_owner_free(o);
			goto free_domain;
		}
	}
	ret = dmap_event_attach(d);
	if (ret != 0)
		goto free_domain;
	*out = d;
	return 0;

free_domain:
	dmap_domain_destroy(d);
	return ret;
}

void
dmap_domain_destroy(struct dmap_domain *d)
{
	struct dmap_owner *o;

	if (d == NULL)
		return;
	dmap_event_detach(d);
	/* Revoke first, and only then let go of the memory. */
	if (d->regions.nb != 0 && d->backend->publish(d->backend_ctx, NULL, 0) != 0)
		DMAP_LOG(INFO, "%s: the device was not told about the end\n", d->name);
	while ((o = TAILQ_FIRST(&d->owners)) != NULL) {
		TAILQ_REMOVE(&d->owners, o, next);
		if (o->kind == DMAP_OWNER_COHERENT)
			d->backend->coherent_free(
					d->backend_ctx, o->pages.r, (void *)(uintptr_t)o->key);
		dmap_owner_free(o);
	}
	dmap_region_list_free(&d->regions);
	free(d->windows);
	pthread_mutex_destroy(&d->publish_lock);
	free(d);
}

static bool
has_owner(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key)
{
	bool found;

	rte_spinlock_lock(&d->table_lock);
	found = dmap_domain_find(d, kind, key) != NULL;
	rte_spinlock_unlock(&d->table_lock);
	return found;
}

int
dmap_add_pool(struct dmap_domain *d, struct rte_mempool *mp)
{
	struct dmap_owner *o;
	int ret;

	if (d->backend->shows_all_eal || has_owner(d, DMAP_OWNER_POOL, mp))
		return 0;
	o = dmap_owner_new(DMAP_OWNER_POOL, mp);
	if (o == NULL)
		return -ENOMEM;
	ret = dmap_eal_pool_pages(mp, d->backend->granule, &o->pages);
	if (ret == 0)
		ret = dmap_domain_insert(d, o);
	if (ret != 0)
		dmap_owner_free(o);
	return ret;
}

void
dmap_del_pool(struct dmap_domain *d, const struct rte_mempool *mp)
{
	if (has_owner(d, DMAP_OWNER_POOL, mp))
		dmap_domain_remove(d, DMAP_OWNER_POOL, mp);
}

int
dmap_add_range(struct dmap_domain *d, const void *addr, size_t len)
{
	struct dmap_owner *o;
	int ret;

	if (d->backend->shows_all_eal)
		return 0;
	o = dmap_owner_new(DMAP_OWNER_RANGE, addr);
	if (o == NULL)
		return -ENOMEM;
	/* Nobody would tell us when memory of others goes away. */
	ret = dmap_eal_owns(addr, len) ? 0 : -ENOTSUP;
	if (ret == 0)
		ret = dmap_eal_pages(addr, len, d->backend->granule, &o->pages);
	if (ret == 0)
		ret = dmap_domain_insert(d, o);
	if (ret != 0)
		dmap_owner_free(o);
	return ret;
}

int
dmap_publisher_publish(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	const struct dmap_publisher *p = ctx;

	return p->publish(p->ctx, regions, nb);
}

int
dmap_publish(struct dmap_domain *d)
{
	int ret;

	pthread_mutex_lock(&d->publish_lock);
	ret = d->backend->publish(d->backend_ctx, d->regions.r, d->regions.nb);
	if (ret == 0)
		d->is_revoked = false;
	pthread_mutex_unlock(&d->publish_lock);
	return ret;
}

void
dmap_revoke(struct dmap_domain *d)
{
	if (d->backend->granule == 0)
		return;
	pthread_mutex_lock(&d->publish_lock);
	d->is_revoked = true;
	if (d->backend->publish(d->backend_ctx, NULL, 0) != 0)
		DMAP_LOG(ERR, "%s: the device may still reach some memory\n", d->name);
	pthread_mutex_unlock(&d->publish_lock);
}

unsigned int
dmap_regions(struct dmap_domain *d, struct dmap_region *out, unsigned int max)
{
	unsigned int nb;

	rte_spinlock_lock(&d->table_lock);
	nb = d->regions.nb;
	if (nb != 0)
		memcpy(out, d->regions.r, RTE_MIN(nb, max) * sizeof(*out));
	rte_spinlock_unlock(&d->table_lock);
	return nb;
}

uint64_t
dmap_bytes(struct dmap_domain *d)
{
	uint64_t bytes = 0;
	unsigned int i;

	rte_spinlock_lock(&d->table_lock);
	/* Regions may overlap, windows do not. */
	for (i = 0; i < d->nb_windows && !d->is_revoked; i++)
		bytes += d->windows[i].span;
	rte_spinlock_unlock(&d->table_lock);
	return bytes;
}

unsigned int
dmap_nb_maps(struct dmap_domain *d)
{
	return d->backend->nb_maps != NULL ? d->backend->nb_maps(d->backend_ctx) :
					     dmap_regions(d, NULL, 0);
}

int
dmap_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out)
{
	const struct dmap_window *w;
	int ret = -ENOENT;

	rte_spinlock_lock(&d->table_lock);
	w = dmap_region_find(d->windows, d->nb_windows, (uintptr_t)addr, len);
	if (w != NULL) {
		*out = *w;
		ret = 0;
	}
	rte_spinlock_unlock(&d->table_lock);
	return ret;
}

const uint32_t *
dmap_generation(const struct dmap_domain *d)
{
	return &d->generation;
}

/* Take the pages in [addr, addr + len) out of a list; true if there were any. */
static bool
drop_pages(struct dmap_region_list *l, uintptr_t lo, uintptr_t hi)
{
	struct dmap_region_list kept = { 0 };
	bool dropped = false;
	unsigned int i;

	for (i = 0; i < l->nb; i++) {
		struct dmap_region r = l->r[i], part;

		if (r.va + r.len <= lo || r.va >= hi) {
			dmap_region_list_add(&kept, &r);
			continue;
		}
		dropped = true;
		if (r.va < lo) {
			part = r;
			part.len = lo - r.va;
			dmap_region_list_add(&kept, &part);
		}
		if (r.va + r.len > hi) {
			part = r;
			part.len = r.va + r.len - hi;
			part.fd_off += hi - r.va;
			part.da.v += hi - r.va;
			part.va = hi;
			dmap_region_list_add(&kept, &part);
		}
	}
	dmap_region_list_free(l);
	*l = kept;
	return dropped;
}

/*
 * Heap memory that still belongs to a pool is never freed, so what goes here are ranges of external
 * buffers, and everything for domains that show all of EAL's memory. Owners that lost pages stay with what
 * is left; a range that lost all is found again by its address and must go.
 */
void
dmap_domain_memory_freed(struct dmap_domain *d, const void *addr, size_t len)
{
	uintptr_t lo = (uintptr_t)addr, hi = lo + len;
	struct dmap_owner *o, *next;
	bool is_ours;

	/* Most frees concern others: do not wait for a slow device then. */
	rte_spinlock_lock(&d->table_lock);
	is_ours = false;
	TAILQ_FOREACH(o, &d->owners, next) {
		unsigned int i;

		for (i = 0; i < o->pages.nb; i++)
			is_ours |= o->pages.r[i].va < hi &&
					o->pages.r[i].va + o->pages.r[i].len > lo;
	}
	rte_spinlock_unlock(&d->table_lock);
	if (!is_ours)
		return;

	pthread_mutex_lock(&d->publish_lock);
	rte_spinlock_lock(&d->table_lock);
	for (o = TAILQ_FIRST(&d->owners); o != NULL; o = next) {
		next = TAILQ_NEXT(o, next);
		if (o->kind == DMAP_OWNER_COHERENT || !drop_pages(&o->pages, lo, hi))
			continue;
		if (o->kind == DMAP_OWNER_RANGE || o->kind == DMAP_OWNER_EXTERNAL) {
			TAILQ_REMOVE(&d->owners, o, next);
			dmap_owner_free(o);
		}
	}
	rte_spinlock_unlock(&d->table_lock);
	if (dmap_domain_rebuild(d, true) != 0)
		DMAP_LOG(WARNING, "%s: the device was not told about freed memory\n", d->name);
	pthread_mutex_unlock(&d->publish_lock);
}

void
dmap_domain_memory_added(struct dmap_domain *d)
{
	struct dmap_region_list pages = { 0 }, old;
	struct dmap_owner *o;
	int ret;

	if (!d->backend->shows_all_eal)
		return;
	ret = dmap_eal_all_pages(true, &pages);
	pthread_mutex_lock(&d->publish_lock);
	o = dmap_domain_find(d, DMAP_OWNER_EAL, NULL);
	if (ret == 0 && o != NULL) {
		old = o->pages;
		rte_spinlock_lock(&d->table_lock);
		o->pages = pages;
		rte_spinlock_unlock(&d->table_lock);
		ret = dmap_domain_rebuild(d, false);
		pages = old;
	}
	pthread_mutex_unlock(&d->publish_lock);
	dmap_region_list_free(&pages);
	if (ret != 0)
		DMAP_LOG(ERR, "%s: the device cannot reach new memory: %s\n", d->name,
				strerror(-ret));
}
