/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Coherent memory: allocated and shown to the device in one step.
 */

#include <errno.h>
#include <string.h>

#include "dmap_impl.h"

RTE_EXPORT_INTERNAL_SYMBOL(dmap_alloc_coherent)
int
dmap_alloc_coherent(struct dmap_domain *d, const char *what, size_t len, int socket,
		struct dmap_coherent *out)
{
	struct dmap_region r = { .fd = -1 };
	struct dmap_owner *o;
	void *handle = NULL;
	int ret;

	if (len == 0)
		return -EINVAL;
	ret = d->backend->coherent_alloc(d->backend_ctx, what, len, socket, &r, &handle);
	if (ret != 0)
		return ret;
	o = dmap_owner_new(DMAP_OWNER_COHERENT, handle);
	ret = o == NULL ? -ENOMEM : 0;
	if (ret == 0 && !d->backend->shows_all_eal)
		ret = dmap_region_list_add(&o->pages, &r);
	if (ret == 0)
		ret = dmap_domain_insert(d, o);
	if (ret != 0) {
		dmap_owner_free(o);
		d->backend->coherent_free(d->backend_ctx, handle);
		return ret;
	}
	if (o->pages.nb != 0)
		r.da = o->pages.r[0].da; /* a limited device has addresses of its own */
	*out = (struct dmap_coherent){
		.va = (void *)r.va, .len = r.len, .da = r.da, .handle = handle, .fd = r.fd
	};
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_coherent_note)
void
dmap_coherent_note(struct dmap_domain *d, const struct dmap_coherent *c, const char *note)
{
	struct dmap_owner *o;

	rte_spinlock_lock(&d->table_lock);
	o = dmap_domain_find(d, DMAP_OWNER_COHERENT, c->handle);
	if (o != NULL)
		o->note = note;
	rte_spinlock_unlock(&d->table_lock);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_free_coherent)
void
dmap_free_coherent(struct dmap_domain *d, struct dmap_coherent *c)
{
	if (c->va == NULL)
		return;
	dmap_domain_remove(d, DMAP_OWNER_COHERENT, c->handle);
	d->backend->coherent_free(d->backend_ctx, c->handle);
	memset(c, 0, sizeof(*c));
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_coherent_abandon)
void
dmap_coherent_abandon(struct dmap_domain *d, struct dmap_coherent *c)
{
	if (c->va == NULL)
		return;
	dmap_domain_remove(d, DMAP_OWNER_COHERENT, c->handle);
	memset(c, 0, sizeof(*c));
}
