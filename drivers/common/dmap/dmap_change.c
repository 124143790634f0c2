/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Changes of a domain: owners come and go, and with them what may be used. A local back end is told
 * here, and what it refuses is not in the domain. For a remote one this is only what is wanted:
 * what left may not be used from here on, what came may be when the device has accepted it
 * (dmap_serve.c). Nothing here waits for a device.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_debug_impl.h"

static bool
is_shown(const struct dmap_owner *o)
{
	return o->is_shown;
}

int
dmap_domain_table(struct dmap_domain *d, dmap_owner_filter filter, struct dmap_region_list *out)
{
	return d->backend->granule != 0 ? dmap_region_collect(&d->owners, filter, out) :
					  dmap_region_union(&d->owners, filter, out);
}

void
dmap_domain_wake(struct dmap_domain *d)
{
	/* Once: dmap_domain_abandon() clears it beside a core that is just here. */
	void (*waker)(void *ctx) = rte_atomic_load_explicit(&d->waker, rte_memory_order_acquire);

	if (waker != NULL)
		waker(d->waker_ctx);
}

/* With removal, what streams remember is void. */
int
dmap_domain_rebuild(struct dmap_domain *d, bool is_removal)
{
	dmap_owner_filter filter = d->backend->is_remote && d->is_live ? is_shown : NULL;
	struct dmap_region_list regions, old_regions;
	struct dmap_window *windows = NULL, *old_windows;
	unsigned int nb_windows = 0;
	int ret = dmap_domain_table(d, filter, &regions);

	/*
	 * Without memory for a new table, a removal leaves an empty one: nothing stale may be used.
	 */
	if (ret == 0)
		ret = dmap_region_windows(&regions, &windows, &nb_windows);
	if (ret == 0 && d->is_live && !d->backend->is_remote)
		ret = d->backend->show(d->backend_ctx, regions.r, regions.nb);
	/*
	 * The device may keep a table that it refused to shrink, but we no longer use what left it.
	 */
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
	dmap_domain_copy(d);
	if (is_removal)
		rte_atomic_fetch_add_explicit(d->generation, 1, rte_memory_order_release);
	rte_spinlock_unlock(&d->table_lock);
	dmap_region_list_free(&old_regions);
	free(old_windows);
	return ret;
}

static int
insert_locked(struct dmap_domain *d, struct dmap_owner *o, const uint32_t *nb_gone)
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
	if (nb_gone != NULL && *nb_gone != d->nb_gone)
		ret = -EAGAIN;
	else
		TAILQ_INSERT_TAIL(&d->owners, o, next);
	rte_spinlock_unlock(&d->table_lock);
	if (ret != 0)
		return ret;
	if (d->backend->is_remote && d->is_live) {
		dmap_domain_wake(d);
		return 0;
	}
	ret = dmap_domain_rebuild(d, false);
	if (ret != 0) {
		rte_spinlock_lock(&d->table_lock);
		TAILQ_REMOVE(&d->owners, o, next);
		rte_spinlock_unlock(&d->table_lock);
	}
	return ret;
}

static int
insert(struct dmap_domain *d, struct dmap_owner *o, bool must_be_new, const uint32_t *nb_gone)
{
	/* A range may begin where another one begins, and be longer. */
	bool may_double = o->kind == DMAP_OWNER_RANGE || o->kind == DMAP_OWNER_EAL;
	struct dmap_owner *known = NULL;
	int ret = 0;

	pthread_mutex_lock(&d->change_lock);
	if (!may_double)
		known = dmap_domain_find(d, o->kind, o->key);
	if (known == NULL) {
		ret = insert_locked(d, o, nb_gone);
	} else if (must_be_new) {
		ret = -EEXIST;
	} else {
		/* Another thread was faster. */
		known->is_lazy &= o->is_lazy;
		dmap_owner_free(o);
	}
	pthread_mutex_unlock(&d->change_lock);
	return ret;
}

int
dmap_domain_insert(struct dmap_domain *d, struct dmap_owner *o)
{
	return insert(d, o, false, NULL);
}

int
dmap_domain_insert_new(struct dmap_domain *d, struct dmap_owner *o)
{
	return insert(d, o, true, NULL);
}

int
dmap_domain_insert_if(struct dmap_domain *d, struct dmap_owner *o, uint32_t nb_gone)
{
	return insert(d, o, false, &nb_gone);
}

uint32_t
dmap_domain_nb_gone(struct dmap_domain *d)
{
	uint32_t nb_gone;

	rte_spinlock_lock(&d->table_lock);
	nb_gone = d->nb_gone;
	rte_spinlock_unlock(&d->table_lock);
	return nb_gone;
}

/*
 * Pages left the owners: they are not used from here on, and the device hears of it now or later.
 */
static void
shrink(struct dmap_domain *d, bool is_known)
{
	struct dmap_owner *o;

	if (dmap_domain_rebuild(d, true) != 0)
		DMAP_LOG(WARNING, "%s: the device was not told about memory that left its table",
				d->name);
	if (!d->backend->is_remote)
		return;
	/* There may be room now. */
	TAILQ_FOREACH(o, &d->owners, next)
		o->is_refused = false;
	d->is_stale |= is_known;
	if (d->is_live)
		dmap_domain_wake(d);
}

void
dmap_domain_remove(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key)
{
	struct dmap_owner *o;

	pthread_mutex_lock(&d->change_lock);
	rte_spinlock_lock(&d->table_lock);
	o = dmap_domain_find(d, kind, key);
	if (o != NULL)
		TAILQ_REMOVE(&d->owners, o, next);
	rte_spinlock_unlock(&d->table_lock);
	if (o != NULL) {
		shrink(d, o->is_shown || o->is_offered);
		dmap_debug_hide(d, &o->pages);
	}
	pthread_mutex_unlock(&d->change_lock);
	dmap_owner_free(o);
	dmap_request_retry(d);
}

/* Counts the pages as gone, too. */
static bool
holds(struct dmap_domain *d, uintptr_t lo, uintptr_t hi)
{
	struct dmap_owner *o;
	bool is_ours = false;
	unsigned int i;

	rte_spinlock_lock(&d->table_lock);
	d->nb_gone++;
	TAILQ_FOREACH(o, &d->owners, next)
		for (i = 0; i < o->pages.nb; i++)
			is_ours |= o->pages.r[i].va < hi &&
					o->pages.r[i].va + o->pages.r[i].len > lo;
	rte_spinlock_unlock(&d->table_lock);
	return is_ours;
}

/*
 * Heap memory that still belongs to a pool is never freed, so what goes here are ranges of external
 * buffers, and everything for domains that show all of EAL's memory. Owners that lost pages stay
 * with what is left; a range that lost all is found again by its address and must go.
 */
void
dmap_domain_memory_freed(struct dmap_domain *d, const void *addr, size_t len)
{
	uintptr_t lo = (uintptr_t)addr, hi = lo + len;
	struct dmap_region gone = { .va = lo, .len = len };
	struct dmap_owner *o, *next;
	bool is_known = false;

	/* Most frees concern others. */
	if (!holds(d, lo, hi))
		return;
	pthread_mutex_lock(&d->change_lock);
	rte_spinlock_lock(&d->table_lock);
	for (o = TAILQ_FIRST(&d->owners); o != NULL; o = next) {
		next = TAILQ_NEXT(o, next);
		if (o->kind == DMAP_OWNER_COHERENT || !dmap_region_list_cut(&o->pages, lo, hi))
			continue;
		is_known |= o->is_shown || o->is_offered;
		if (o->kind == DMAP_OWNER_RANGE || o->kind == DMAP_OWNER_EXTERNAL ||
				(o->kind == DMAP_OWNER_EAL && o->pages.nb == 0)) {
			TAILQ_REMOVE(&d->owners, o, next);
			dmap_owner_free(o);
		}
	}
	rte_spinlock_unlock(&d->table_lock);
	shrink(d, is_known);
	dmap_debug_hide(d, &(struct dmap_region_list){ .r = &gone, .nb = 1 });
	pthread_mutex_unlock(&d->change_lock);
}

void
dmap_domain_memory_added(struct dmap_domain *d, const void *addr, size_t len)
{
	struct dmap_owner *o;
	int ret;

	/* It may be what was missing. */
	dmap_request_retry(d);
	if (!d->backend->shows_all_eal)
		return;
	o = dmap_owner_new(DMAP_OWNER_EAL, addr);
	ret = o == NULL ? -ENOMEM : dmap_eal_new_pages(addr, len, &o->pages);
	if (ret == 0)
		ret = dmap_domain_insert(d, o);
	if (ret == 0)
		return;
	dmap_owner_free(o);
	DMAP_LOG(ERR, "%s: the device cannot reach new memory: %s", d->name, strerror(-ret));
}
