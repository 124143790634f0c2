/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What is in a domain and why, for who looks from outside. */

#include <string.h>

#include <rte_string_fns.h>

#include "dmap_impl.h"

static const char *const kinds[] = {
	[DMAP_OWNER_POOL] = "mempool",
	[DMAP_OWNER_COHERENT] = "coherent",
	[DMAP_OWNER_RANGE] = "EAL memory",
	[DMAP_OWNER_EXTERNAL] = "application",
	[DMAP_OWNER_EAL] = "all of EAL",
};

static void
fill(const struct dmap_domain *d, const struct dmap_owner *o, unsigned int page,
		struct dmap_entry *out)
{
	memset(out, 0, sizeof(*out));
	out->region = o->pages.r[page];
	out->kind = o->is_sealed ? "sealed mempool" : kinds[o->kind];
	out->is_shown = d->is_live && (!d->backend->is_remote || o->is_shown);
	strlcpy(out->name, o->note != NULL ? o->note : o->pool, sizeof(out->name));
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_entries)
unsigned int
dmap_entries(struct dmap_domain *d, unsigned int first, struct dmap_entry *out, unsigned int max)
{
	const struct dmap_owner *o;
	unsigned int page, nb = 0;

	rte_spinlock_lock(&d->table_lock);
	TAILQ_FOREACH(o, &d->owners, next) {
		for (page = 0; page < o->pages.nb; page++, nb++)
			if (nb >= first && nb - first < max)
				fill(d, o, page, &out[nb - first]);
	}
	rte_spinlock_unlock(&d->table_lock);
	return nb;
}
