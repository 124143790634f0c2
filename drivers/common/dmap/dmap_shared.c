/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What other processes know of a domain: copies of its windows, and which pools are in it. They
 * have no lock in common with the one that writes, since a process may die with a lock; a serial
 * number tells whether a copy was whole.
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_pause.h>

#include "dmap_impl.h"

/* How often a reader comes again while a writer writes. */
#define TRIES 100

static void
copy_pools(const struct dmap_domain *d, struct dmap_shared *shared)
{
	const struct dmap_owner *o;
	uint32_t nb = 0;

	TAILQ_FOREACH(o, &d->owners, next) {
		if (o->kind != DMAP_OWNER_POOL || !dmap_owner_is_usable(d, o))
			continue;
		if (nb < DMAP_SHARED_POOLS)
			rte_atomic_store_explicit(
					&shared->pools[nb], o->key, rte_memory_order_release);
		nb++;
	}
	rte_atomic_store_explicit(&shared->nb_pools, d->backend->shows_all_eal ? UINT32_MAX : nb,
			rte_memory_order_release);
}

void
dmap_domain_copy(struct dmap_domain *d)
{
	struct dmap_shared *shared = d->shared;
	unsigned int nb = RTE_MIN(d->nb_windows, (unsigned int)DMAP_SHARED_WINDOWS);
	unsigned int i;

	if (shared == NULL)
		return;
	/*
	 * Odd before anything is written, even behind it. Each store releases the odd number, so
	 * who reads any of what follows reads that number afterwards, or a later one: see look().
	 */
	rte_atomic_fetch_add_explicit(&shared->serial, 1, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&shared->nb_windows, nb, rte_memory_order_release);
	for (i = 0; i < nb; i++) {
		struct dmap_window *to = &shared->windows[i];
		const struct dmap_window *from = &d->windows[i];

		rte_atomic_store_explicit(&to->lo, from->lo, rte_memory_order_release);
		rte_atomic_store_explicit(&to->span, from->span, rte_memory_order_release);
		rte_atomic_store_explicit(&to->delta, from->delta, rte_memory_order_release);
	}
	copy_pools(d, shared);
	rte_atomic_fetch_add_explicit(&shared->serial, 1, rte_memory_order_release);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_share)
void
dmap_share(struct dmap_domain *d, struct dmap_shared *shared)
{
	rte_spinlock_lock(&d->table_lock);
	shared->generation = rte_atomic_load_explicit(d->generation, rte_memory_order_relaxed);
	d->shared = shared;
	d->generation = &shared->generation;
	dmap_domain_copy(d);
	rte_spinlock_unlock(&d->table_lock);
}

/* They are few, and who asks remembers the answer. */
static bool
find(const struct dmap_shared *shared, uintptr_t va, size_t len, struct dmap_window *out)
{
	unsigned int nb = rte_atomic_load_explicit(&shared->nb_windows, rte_memory_order_acquire),
		     i;
	struct dmap_window w;

	for (i = 0; i < RTE_MIN(nb, (unsigned int)DMAP_SHARED_WINDOWS); i++) {
		w.lo = rte_atomic_load_explicit(&shared->windows[i].lo, rte_memory_order_acquire);
		w.span = rte_atomic_load_explicit(
				&shared->windows[i].span, rte_memory_order_acquire);
		w.delta = rte_atomic_load_explicit(
				&shared->windows[i].delta, rte_memory_order_acquire);
		if (va - w.lo < w.span && len <= w.span - (va - w.lo)) {
			*out = w;
			return true;
		}
	}
	return false;
}

static bool
find_pool(const struct dmap_shared *shared, const struct rte_mempool *mp)
{
	uint32_t nb = rte_atomic_load_explicit(&shared->nb_pools, rte_memory_order_acquire), i;

	for (i = 0; i < nb && i < DMAP_SHARED_POOLS; i++)
		if (rte_atomic_load_explicit(&shared->pools[i], rte_memory_order_acquire) == mp)
			return true;
	return nb > DMAP_SHARED_POOLS;
}

/* mp, or with NULL the window of len bytes at va. */
static int
look(const struct dmap_shared *shared, const struct rte_mempool *mp, const void *va, size_t len,
		struct dmap_window *out)
{
	struct dmap_window w = { 0 };
	unsigned int i;
	uint32_t serial;
	bool found;

	for (i = 0; i < TRIES; i++) {
		serial = rte_atomic_load_explicit(&shared->serial, rte_memory_order_acquire);
		found = mp != NULL ? find_pool(shared, mp) : find(shared, (uintptr_t)va, len, &w);
		/* Each load of it acquires, so the number is read behind all of them. */
		if (serial % 2 == 0 &&
				rte_atomic_load_explicit(&shared->serial,
						rte_memory_order_relaxed) == serial) {
			if (found)
				*out = w;
			return found ? 0 : -ENOENT;
		}
		rte_pause();
	}
	return -EAGAIN;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_shared_lookup)
int
dmap_shared_lookup(const struct dmap_shared *shared, const void *addr, size_t len,
		struct dmap_window *out)
{
	return look(shared, NULL, addr, len, out);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_shared_pool)
int
dmap_shared_pool(const struct dmap_shared *shared, const struct rte_mempool *mp)
{
	struct dmap_window none;

	return look(shared, mp, NULL, 0, &none);
}
