/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What other processes know of a domain: copies of its windows. They have no lock in common with
 * the one that writes, since a process may die with a lock; a serial number tells whether a copy
 * was whole.
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_pause.h>

#include "dmap_impl.h"

/* How often a reader comes again while a writer writes. */
#define TRIES 100

void
dmap_domain_copy_windows(struct dmap_domain *d)
{
	struct dmap_shared *shared = d->shared;
	unsigned int nb = RTE_MIN(d->nb_windows, (unsigned int)DMAP_SHARED_WINDOWS);
	unsigned int i;

	if (shared == NULL)
		return;
	/*
	 * Odd before anything is written, even behind it. Each store releases the odd number, so
	 * who reads any of what follows reads that number afterwards, or a later one: see
	 * dmap_shared_lookup().
	 */
	__atomic_fetch_add(&shared->serial, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->nb_windows, nb, __ATOMIC_RELEASE);
	for (i = 0; i < nb; i++) {
		struct dmap_window *to = &shared->windows[i];
		const struct dmap_window *from = &d->windows[i];

		__atomic_store_n(&to->lo, from->lo, __ATOMIC_RELEASE);
		__atomic_store_n(&to->span, from->span, __ATOMIC_RELEASE);
		__atomic_store_n(&to->delta, from->delta, __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&shared->serial, 1, __ATOMIC_RELEASE);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_share)
void
dmap_share(struct dmap_domain *d, struct dmap_shared *shared)
{
	rte_spinlock_lock(&d->table_lock);
	shared->generation = __atomic_load_n(d->generation, __ATOMIC_RELAXED);
	d->shared = shared;
	d->generation = &shared->generation;
	dmap_domain_copy_windows(d);
	rte_spinlock_unlock(&d->table_lock);
}

/* They are few, and who asks remembers the answer. */
static bool
find(const struct dmap_shared *shared, uintptr_t va, size_t len, struct dmap_window *out)
{
	unsigned int nb = __atomic_load_n(&shared->nb_windows, __ATOMIC_ACQUIRE), i;
	struct dmap_window w;

	for (i = 0; i < RTE_MIN(nb, (unsigned int)DMAP_SHARED_WINDOWS); i++) {
		w.lo = __atomic_load_n(&shared->windows[i].lo, __ATOMIC_ACQUIRE);
		w.span = __atomic_load_n(&shared->windows[i].span, __ATOMIC_ACQUIRE);
		w.delta = __atomic_load_n(&shared->windows[i].delta, __ATOMIC_ACQUIRE);
		if (va - w.lo < w.span && len <= w.span - (va - w.lo)) {
			*out = w;
			return true;
		}
	}
	return false;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_shared_lookup)
int
dmap_shared_lookup(const struct dmap_shared *shared, const void *addr, size_t len,
		struct dmap_window *out)
{
	struct dmap_window w = { 0 };
	unsigned int i;
	uint32_t serial;
	bool found;

	for (i = 0; i < TRIES; i++) {
		serial = __atomic_load_n(&shared->serial, __ATOMIC_ACQUIRE);
		found = find(shared, (uintptr_t)addr, len, &w);
		/* Each load of it acquires, so the number is read behind all of them. */
		if (serial % 2 == 0 &&
				__atomic_load_n(&shared->serial, __ATOMIC_RELAXED) == serial) {
			if (found)
				*out = w;
			return found ? 0 : -ENOENT;
		}
		rte_pause();
	}
	return -EAGAIN;
}
