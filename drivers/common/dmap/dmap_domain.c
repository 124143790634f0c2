/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A domain: how it comes and goes, what is asked for to be in it, and what it says. How it changes
 * is in dmap_change.c, what the device is told in dmap_serve.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>
#include <rte_string_fns.h>

#include "dmap_debug_impl.h"
#include "dmap_stream.h"

/* Pages are looked up so often at most while others free memory. */
#define TRIES 16

RTE_LOG_REGISTER_DEFAULT(dmap_logtype, NOTICE);

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
 * All of EAL's memory. What EAL frees or adds meanwhile is in the events, so these must be on
 * already.
 */
static int
add_all_eal(struct dmap_domain *d)
{
	struct dmap_owner *o;
	unsigned int i;
	int ret = -EAGAIN;

	for (i = 0; i < TRIES && ret == -EAGAIN; i++) {
		uint32_t nb_gone = dmap_domain_nb_gone(d);

		o = dmap_owner_new(DMAP_OWNER_EAL, NULL);
		ret = o == NULL ? -ENOMEM : dmap_eal_all_pages(&o->pages);
		if (ret == 0)
			ret = dmap_domain_insert_if(d, o, nb_gone);
		if (ret != 0)
			dmap_owner_free(o);
	}
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_domain_create)
int
dmap_domain_create(const char *name, const struct dmap_backend *backend, void *ctx,
		struct dmap_domain **out)
{
	struct dmap_domain *d = calloc(1, sizeof(*d));
	int ret;

	if (d == NULL)
		return -ENOMEM;
	strlcpy(d->name, name, sizeof(d->name));
	d->backend = backend;
	d->backend_ctx = ctx;
	d->is_live = !backend->is_remote;
	d->generation = &d->own_generation;
	pthread_mutex_init(&d->serve_lock, NULL);
	pthread_mutex_init(&d->change_lock, NULL);
	rte_spinlock_init(&d->request_lock);
	rte_spinlock_init(&d->table_lock);
	TAILQ_INIT(&d->owners);
	ret = dmap_event_attach(d);
	if (ret == 0 && backend->shows_all_eal)
		ret = add_all_eal(d);
	if (ret != 0) {
		dmap_domain_destroy(d);
		return ret;
	}
	*out = d;
	return 0;
}

/* Nothing is found in it from here on, and the device reaches nothing. No event comes any more. */
static void
empty(struct dmap_domain *d)
{
	struct dmap_region_list regions = d->regions;
	struct dmap_window *windows = d->windows;
	struct dmap_owner *o;

	rte_spinlock_lock(&d->table_lock);
	d->regions = (struct dmap_region_list){ 0 };
	d->windows = NULL;
	d->nb_windows = 0;
	dmap_domain_copy(d);
	rte_spinlock_unlock(&d->table_lock);
	/* Revoke first, and only then let go of the memory. */
	if (regions.nb != 0 && !d->backend->is_remote &&
			d->backend->show(d->backend_ctx, NULL, 0) != 0)
		DMAP_LOG(INFO, "%s: the device was not told about the end", d->name);
	while ((o = TAILQ_FIRST(&d->owners)) != NULL) {
		TAILQ_REMOVE(&d->owners, o, next);
		if (o->kind == DMAP_OWNER_COHERENT)
			d->backend->coherent_free(d->backend_ctx, (void *)(uintptr_t)o->key);
		dmap_owner_free(o);
	}
	dmap_region_list_free(&regions);
	free(windows);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_domain_destroy)
void
dmap_domain_destroy(struct dmap_domain *d)
{
	if (d == NULL)
		return;
	dmap_event_detach(d);
	dmap_debug_end(d);
	dmap_bounce_end(d);
	empty(d);
	pthread_mutex_destroy(&d->serve_lock);
	pthread_mutex_destroy(&d->change_lock);
	free(d);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_domain_abandon)
void
dmap_domain_abandon(struct dmap_domain *d)
{
	dmap_event_detach(d);
	dmap_debug_tell_left(d);
	/* Its context stays: a core may be about to call it. */
	rte_atomic_store_explicit(&d->waker, NULL, rte_memory_order_relaxed);
	empty(d);
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

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_sealed)
int
dmap_set_sealed(struct dmap_domain *d, const char *remedy)
{
	int ret = 0;

	pthread_mutex_lock(&d->change_lock);
	if (!TAILQ_EMPTY(&d->owners))
		ret = -EBUSY;
	d->is_sealed |= ret == 0;
	d->remedy = ret == 0 ? remedy : d->remedy;
	pthread_mutex_unlock(&d->change_lock);
	return ret;
}

/* mp: the pool, if it is one. */
static int
find_pages(struct dmap_domain *d, const struct dmap_buffer *buf, struct rte_mempool *mp,
		struct dmap_owner *o)
{
	int ret = mp != NULL ? dmap_sealed_pages(mp, &o->pages) : -ENOENT;

	o->is_sealed = ret == 0;
	if (ret != -ENOENT)
		return ret;
	if (d->is_sealed)
		return -EPERM;
	if (mp != NULL)
		return dmap_eal_pool_pages(mp, d->backend->granule, &o->pages);
	if (!dmap_eal_owns(buf->addr, buf->len))
		return -ENOTSUP; /* nobody would tell us when memory of others goes away */
	return dmap_eal_pages(buf->addr, buf->len, d->backend->granule, &o->pages);
}

int
dmap_domain_look(struct dmap_domain *d, const struct dmap_buffer *buf, struct dmap_owner **out)
{
	struct rte_mempool *mp = buf->pool;
	struct dmap_owner *o;
	int ret;

	*out = NULL;
	/* An external buffer may be that of a sealed pool: its mbuf is a clone then. */
	if (mp == NULL)
		mp = dmap_sealed_pool_of(buf->addr, buf->len);
	if (d->backend->shows_all_eal || (mp != NULL && has_owner(d, DMAP_OWNER_POOL, mp)))
		return 0;
	if (mp != NULL)
		o = dmap_owner_new(DMAP_OWNER_POOL, mp);
	else
		o = dmap_owner_new(DMAP_OWNER_RANGE, buf->addr);
	if (o == NULL)
		return -ENOMEM;
	if (mp != NULL)
		strlcpy(o->pool, mp->name, sizeof(o->pool));
	ret = find_pages(d, buf, mp, o);
	if (ret == 0)
		*out = o;
	else
		dmap_owner_free(o);
	return ret;
}

/* The pool came with packets, and the application wants it in the domain now. */
static void
keep(struct dmap_domain *d, const struct rte_mempool *mp)
{
	struct dmap_owner *o;

	pthread_mutex_lock(&d->change_lock);
	o = dmap_domain_find(d, DMAP_OWNER_POOL, mp);
	if (o != NULL)
		o->is_lazy = false;
	pthread_mutex_unlock(&d->change_lock);
}

static int
add(struct dmap_domain *d, const struct dmap_buffer *buf)
{
	struct dmap_owner *o = NULL;
	uint32_t nb_gone;
	int ret = -EAGAIN;
	unsigned int i;

	for (i = 0; i < TRIES && ret == -EAGAIN; i++) {
		nb_gone = dmap_domain_nb_gone(d);
		ret = dmap_domain_look(d, buf, &o);
		if (o == NULL)
			break;
		ret = dmap_domain_insert_if(d, o, nb_gone);
		if (ret != 0)
			dmap_owner_free(o);
	}
	if (ret == 0 && buf->pool != NULL)
		keep(d, buf->pool);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_add_pool)
int
dmap_add_pool(struct dmap_domain *d, struct rte_mempool *mp)
{
	const struct dmap_buffer buf = { .pool = mp };

	return add(d, &buf);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_del_pool)
void
dmap_del_pool(struct dmap_domain *d, const struct rte_mempool *mp)
{
	dmap_request_forget(d, mp);
	rte_spinlock_lock(&d->table_lock);
	d->nb_gone++;
	rte_spinlock_unlock(&d->table_lock);
	if (has_owner(d, DMAP_OWNER_POOL, mp))
		dmap_domain_remove(d, DMAP_OWNER_POOL, mp);
}

/* A pool that was added, and is none of these. */
static const void *
find_other_pool(struct dmap_domain *d, const struct rte_mempool *const *pools, unsigned int nb)
{
	const struct dmap_owner *o;
	const void *found = NULL;
	unsigned int i;

	rte_spinlock_lock(&d->table_lock);
	TAILQ_FOREACH(o, &d->owners, next) {
		for (i = 0; i < nb && o->key != pools[i]; i++)
			;
		if (i == nb && o->kind == DMAP_OWNER_POOL && !o->is_lazy)
			found = o->key;
	}
	rte_spinlock_unlock(&d->table_lock);
	return found;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_keep_pools)
void
dmap_keep_pools(struct dmap_domain *d, const struct rte_mempool *const *pools, unsigned int nb)
{
	const void *mp;

	while ((mp = find_other_pool(d, pools, nb)) != NULL)
		dmap_domain_remove(d, DMAP_OWNER_POOL, mp);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_add_range)
int
dmap_add_range(struct dmap_domain *d, const void *addr, size_t len)
{
	const struct dmap_buffer buf = { .addr = addr, .len = len };

	return add(d, &buf);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_regions)
unsigned int
dmap_regions(struct dmap_domain *d, struct dmap_region *out, unsigned int max)
{
	unsigned int nb;

	rte_spinlock_lock(&d->table_lock);
	nb = d->regions.nb;
	if (nb != 0 && max != 0)
		memcpy(out, d->regions.r, RTE_MIN(nb, max) * sizeof(*out));
	rte_spinlock_unlock(&d->table_lock);
	return nb;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_bytes)
uint64_t
dmap_bytes(struct dmap_domain *d)
{
	uint64_t bytes = 0;
	unsigned int i;

	rte_spinlock_lock(&d->table_lock);
	/* Regions may overlap, windows do not. */
	for (i = 0; i < d->nb_windows && (d->is_live || d->backend->granule == 0); i++)
		bytes += d->windows[i].span;
	rte_spinlock_unlock(&d->table_lock);
	return bytes;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_nb_maps)
unsigned int
dmap_nb_maps(struct dmap_domain *d)
{
	return d->backend->nb_maps != NULL ? d->backend->nb_maps(d->backend_ctx) :
					     dmap_regions(d, NULL, 0);
}

static int
lookup_locked(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out)
{
	const struct dmap_window *w;

	w = dmap_region_find(d->windows, d->nb_windows, (uintptr_t)addr, len);
	if (w != NULL)
		*out = *w;
	rte_spinlock_unlock(&d->table_lock);
	return w != NULL ? 0 : -ENOENT;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_lookup)
int
dmap_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out)
{
	rte_spinlock_lock(&d->table_lock);
	return lookup_locked(d, addr, len, out);
}

int
dmap_try_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out)
{
	return dmap_spin_briefly(&d->table_lock) ? lookup_locked(d, addr, len, out) : -EAGAIN;
}

int
dmap_try_pool(struct dmap_domain *d, const struct rte_mempool *mp)
{
	const struct dmap_owner *o;
	bool is_there;

	if (d->backend->shows_all_eal)
		return 0;
	if (!dmap_spin_briefly(&d->table_lock))
		return -EAGAIN;
	o = dmap_domain_find(d, DMAP_OWNER_POOL, mp);
	is_there = o != NULL && dmap_owner_is_usable(d, o);
	rte_spinlock_unlock(&d->table_lock);
	return is_there ? 0 : -ENOENT;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_generation)
const uint32_t *
dmap_generation(const struct dmap_domain *d)
{
	return d->generation;
}
