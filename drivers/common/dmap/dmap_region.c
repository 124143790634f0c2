/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Region arithmetic: lists, unions, windows, search. Pure functions, no locks, no EAL state.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_impl.h"

static bool
same_file(const struct dmap_region *a, const struct dmap_region *b)
{
	return a->fd == b->fd && (a->fd < 0 || a->fd_off - a->va == b->fd_off - b->va);
}

/* b starts inside a or right behind it, and translates the same way. */
static bool
continues(const struct dmap_region *a, const struct dmap_region *b)
{
	return b->va >= a->va && b->va <= a->va + a->len && a->da.v - a->va == b->da.v - b->va &&
			a->flags == b->flags && same_file(a, b);
}

static void
extend(struct dmap_region *a, const struct dmap_region *b)
{
	size_t end = b->va + b->len - a->va;

	if (end > a->len)
		a->len = end;
}

void
dmap_region_list_free(struct dmap_region_list *l)
{
	free(l->r);
	memset(l, 0, sizeof(*l));
}

static int
by_address(const void *a, const void *b)
{
	const struct dmap_region *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static int
append(struct dmap_region_list *l, const struct dmap_region *r)
{
	struct dmap_region *grown;
	unsigned int room;

	if (l->nb == l->room) {
		room = l->room == 0 ? 8 : l->room * 2;
		grown = realloc(l->r, room * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		l->r = grown;
		l->room = room;
	}
	l->r[l->nb++] = *r;
	return 0;
}

int
dmap_region_list_add(struct dmap_region_list *l, const struct dmap_region *r)
{
	if (l->nb != 0 && continues(&l->r[l->nb - 1], r)) {
		extend(&l->r[l->nb - 1], r);
		return 0;
	}
	return append(l, r);
}

int
dmap_region_collect(const struct dmap_owner_head *owners, dmap_owner_filter filter,
		struct dmap_region_list *out)
{
	const struct dmap_owner *o;
	unsigned int i;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	TAILQ_FOREACH(o, owners, next)
		for (i = 0; i < o->pages.nb && ret == 0 && (filter == NULL || filter(o)); i++)
			ret = append(out, &o->pages.r[i]);
	if (ret != 0)
		dmap_region_list_free(out);
	else if (out->nb != 0)
		qsort(out->r, out->nb, sizeof(*out->r), by_address);
	return ret;
}

int
dmap_region_union(const struct dmap_owner_head *owners, dmap_owner_filter filter,
		struct dmap_region_list *out)
{
	struct dmap_region_list all;
	unsigned int i;
	int ret = dmap_region_collect(owners, filter, &all);

	memset(out, 0, sizeof(*out));
	if (ret != 0)
		return ret;
	for (i = 0; i < all.nb && ret == 0; i++)
		ret = dmap_region_list_add(out, &all.r[i]);
	dmap_region_list_free(&all);
	if (ret != 0)
		dmap_region_list_free(out);
	return ret;
}

bool
dmap_region_list_cut(struct dmap_region_list *l, uintptr_t lo, uintptr_t hi)
{
	struct dmap_region_list kept = { 0 };
	bool has_cut = false;
	unsigned int i;

	for (i = 0; i < l->nb; i++) {
		struct dmap_region r = l->r[i], part;

		if (r.va + r.len <= lo || r.va >= hi) {
			dmap_region_list_add(&kept, &r);
			continue;
		}
		has_cut = true;
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
	return has_cut;
}

int
dmap_region_windows(const struct dmap_region_list *l, struct dmap_window **out, unsigned int *nb)
{
	struct dmap_window *w, *last = NULL;
	unsigned int i;

	*out = NULL;
	*nb = 0;
	if (l->nb == 0)
		return 0;
	w = calloc(l->nb, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	for (i = 0; i < l->nb; i++) {
		const struct dmap_region *r = &l->r[i];
		uint64_t delta = r->da.v - r->va;

		if (last != NULL && last->lo + last->span >= r->va && last->delta == delta) {
			last->span = RTE_MAX(last->span, r->va + r->len - last->lo);
			continue;
		}
		last = &w[(*nb)++];
		*last = (struct dmap_window){ .lo = r->va, .span = r->len, .delta = delta };
	}
	*out = w;
	return 0;
}

const struct dmap_window *
dmap_region_find(const struct dmap_window *w, unsigned int nb, uintptr_t va, size_t len)
{
	unsigned int lo = 0, hi = nb, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (va < w[mid].lo)
			hi = mid;
		else if (va - w[mid].lo >= w[mid].span)
			lo = mid + 1;
		else
			return len <= w[mid].span - (va - w[mid].lo) ? &w[mid] : NULL;
	}
	return NULL;
}
