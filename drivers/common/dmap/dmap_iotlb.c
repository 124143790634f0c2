/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which entries a device needs. They are unmapped exactly as they were mapped, so how a region is
 * cut decides what can go later without touching the rest: a page that two pools share is an entry
 * of its own.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "dmap_iotlb.h"

/* Index of the first entry that ends behind da. */
static unsigned int
first_behind(const struct dmap_iotlb *set, uint64_t da)
{
	unsigned int lo = 0, hi = set->nb, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (set->m[mid].da + set->m[mid].len <= da)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
insert(struct dmap_iotlb *set, unsigned int at, const struct dmap_iotlb_entry *m)
{
	unsigned int room = set->room == 0 ? 16 : set->room * 2;
	struct dmap_iotlb_entry *grown;

	if (set->nb == set->room) {
		grown = realloc(set->m, room * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		set->m = grown;
		set->room = room;
	}
	memmove(&set->m[at + 1], &set->m[at], (set->nb - at) * sizeof(*m));
	set->m[at] = *m;
	set->nb++;
	return 0;
}

static void
erase(struct dmap_iotlb *set, unsigned int at)
{
	set->nb--;
	memmove(&set->m[at], &set->m[at + 1], (set->nb - at) * sizeof(set->m[0]));
}

/* The same memory at the same address with the same rights. */
static bool
agrees(const struct dmap_iotlb_entry *m, const struct dmap_region *r)
{
	return m->da - m->va == r->da.v - r->va &&
			m->is_read_only == ((r->flags & DMAP_REGION_READ_ONLY) != 0);
}

/* Where an entry that starts at da has to end, at limit at the latest. */
static uint64_t
cut(const struct dmap_region *r, uint64_t da, uint64_t limit)
{
	uint64_t step_end = RTE_ALIGN_FLOOR(da, DMAP_IOTLB_STEP) + DMAP_IOTLB_STEP;
	uint64_t head = r->da.v + DMAP_IOTLB_PAGE, tail = r->da.v + r->len - DMAP_IOTLB_PAGE;
	uint64_t end = r->fd >= 0 ? limit : RTE_MIN(step_end, limit);

	if ((r->flags & DMAP_REGION_HEAD_SHARED) && da < head)
		end = RTE_MIN(end, head);
	if ((r->flags & DMAP_REGION_TAIL_SHARED) && da < tail)
		end = RTE_MIN(end, tail);
	return end;
}

/* What a call of dmap_iotlb_apply() has come to. */
struct change {
	struct dmap_iotlb *set;
	const struct dmap_iotlb_ops *ops;
	void *ctx;
	struct dmap_iotlb fresh;      /* what it has mapped */
	struct dmap_iotlb_entry next; /* in the set, and not mapped yet; of length 0: none is */
};

static void
forget_next(struct change *c)
{
	if (c->next.len != 0)
		erase(c->set, first_behind(c->set, c->next.da));
	c->next.len = 0;
}

static int
map_next(struct change *c, bool is_last)
{
	int ret;

	if (c->next.len == 0)
		return 0;
	ret = insert(&c->fresh, c->fresh.nb, &c->next);
	if (ret == 0) {
		ret = c->ops->map(c->ctx, &c->next, is_last);
		c->fresh.nb -= ret != 0;
	}
	if (ret != 0)
		forget_next(c);
	c->next.len = 0;
	return ret;
}

/* What is left to map of the change, its last page by itself if that is wanted. */
static int
map_last(struct change *c)
{
	struct dmap_iotlb_entry page = c->next;
	unsigned int at;
	int ret;

	if (!c->ops->ends_with_page || page.len <= DMAP_IOTLB_PAGE)
		return map_next(c, true);
	at = first_behind(c->set, page.da);
	page.da += page.len - DMAP_IOTLB_PAGE;
	page.va += page.len - DMAP_IOTLB_PAGE;
	page.len = DMAP_IOTLB_PAGE;
	ret = insert(c->set, at + 1, &page);
	if (ret != 0)
		return ret;
	c->set->m[at].len -= DMAP_IOTLB_PAGE;
	c->next.len -= DMAP_IOTLB_PAGE;
	ret = map_next(c, false);
	c->next = page;
	return ret == 0 ? map_next(c, true) : ret;
}

/* Map what of a region is not mapped yet, but for the last entry. */
static int
cover(struct change *c, const struct dmap_region *r)
{
	uint64_t da = r->da.v, end = r->da.v + r->len, limit;
	struct dmap_iotlb *set = c->set;
	struct dmap_iotlb_entry m;
	unsigned int at;
	int ret;

	while (da < end) {
		at = first_behind(set, da);
		if (at < set->nb && set->m[at].da <= da) {
			if (!agrees(&set->m[at], r))
				return -EEXIST;
			da = set->m[at].da + set->m[at].len;
			continue;
		}
		limit = at < set->nb ? RTE_MIN(end, set->m[at].da) : end;
		m = (struct dmap_iotlb_entry){ .da = da, .va = r->va + (da - r->da.v) };
		m.len = cut(r, da, limit) - da;
		m.is_read_only = (r->flags & DMAP_REGION_READ_ONLY) != 0;
		ret = map_next(c, false);
		if (ret == 0)
			ret = insert(set, at, &m);
		if (ret != 0)
			return ret;
		c->next = m;
		da += m.len;
	}
	return 0;
}

static bool
is_used(const struct dmap_iotlb_entry *m, const struct dmap_region *regions, unsigned int nb)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		if (agrees(m, &regions[i]) && m->da < regions[i].da.v + regions[i].len &&
				regions[i].da.v < m->da + m->len)
			return true;
	return false;
}

static int
remove_unused(struct dmap_iotlb *set, const struct dmap_region *regions, unsigned int nb,
		const struct dmap_iotlb_ops *ops, void *ctx)
{
	unsigned int i, kept = 0;
	int ret = 0, err;

	for (i = 0; i < set->nb; i++) {
		err = 0;
		if (!is_used(&set->m[i], regions, nb)) {
			err = ops->unmap(ctx, &set->m[i]);
			if (err == 0)
				continue;
			ret = err;
		}
		set->m[kept++] = set->m[i];
	}
	set->nb = kept;
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_iotlb_apply)
int
dmap_iotlb_apply(struct dmap_iotlb *set, const struct dmap_region *regions, unsigned int nb,
		const struct dmap_iotlb_ops *ops, void *ctx)
{
	struct change c = { .set = set, .ops = ops, .ctx = ctx };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nb && ret == 0; i++)
		ret = cover(&c, &regions[i]);
	if (ret == 0)
		ret = map_last(&c);
	forget_next(&c);
	/* All or nothing. What cannot be unmapped stays listed, so that it is known. */
	for (i = 0; i < c.fresh.nb && ret != 0; i++)
		if (ops->unmap(ctx, &c.fresh.m[i]) == 0)
			erase(set, first_behind(set, c.fresh.m[i].da));
	dmap_iotlb_free(&c.fresh);
	return ret != 0 ? ret : remove_unused(set, regions, nb, ops, ctx);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_iotlb_bytes)
uint64_t
dmap_iotlb_bytes(const struct dmap_iotlb *set)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < set->nb; i++)
		bytes += set->m[i].len;
	return bytes;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_iotlb_free)
void
dmap_iotlb_free(struct dmap_iotlb *set)
{
	free(set->m);
	memset(set, 0, sizeof(*set));
}
