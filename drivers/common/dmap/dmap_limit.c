/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device addresses that are not virtual ones. Of devices that do not drive all address lines: an
 * IOMMU translates whatever address the device can send, so such a device reaches any memory, if
 * only its device address is low enough: it is given one. And of domains that tell no virtual
 * address to anybody.
 */

#include <errno.h>
#include <inttypes.h>

#include "dmap_impl.h"

/* Device addresses given by this file begin here: small numbers are mistakes, and should fault. */
#define FIRST_DA (1UL << 20)
/*
 * Where a domain's own begin, and where those of remote back ends begin again; and what they leave
 * out, which an IOMMU may not translate: there are a PC's interrupt controllers.
 */
#define FIRST_OWN_DA (1UL << 28)
#define LAST_OWN_DA (1UL << 36)
#define HOLE_DA 0xfe000000UL
#define HOLE_LEN ((1UL << 32) - HOLE_DA)

/* Do they name addresses that this file can give? */
static bool
are_valid(const struct dmap_limits *l)
{
	unsigned int i;

	if (l->da_max.v != 0 && (l->da_max.v <= FIRST_DA || (l->da_max.v & (l->da_max.v + 1)) != 0))
		return false;
	for (i = 0; i < l->nb_ranges; i++)
		if (l->ranges[i].hi.v < l->ranges[i].lo.v ||
				(i != 0 && l->ranges[i].lo.v <= l->ranges[i - 1].hi.v))
			return false;
	return (l->boundary & (l->boundary - 1)) == 0;
}

/* Of the places of memory. */
static bool
has_limits(const struct dmap_domain *d)
{
	return d->limits.da_max.v != 0 || d->limits.nb_ranges != 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_limits)
int
dmap_set_limits(struct dmap_domain *d, const struct dmap_limits *limits)
{
	int ret = 0;

	if (d->backend->granule == 0 && (limits->da_max.v != 0 || limits->nb_ranges != 0))
		return -ENOTSUP;
	if (!are_valid(limits))
		return -EINVAL;
	pthread_mutex_lock(&d->change_lock);
	if (!TAILQ_EMPTY(&d->owners))
		ret = -EBUSY;
	else
		d->limits = *limits;
	pthread_mutex_unlock(&d->change_lock);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_own_addresses)
int
dmap_set_own_addresses(struct dmap_domain *d)
{
	int ret = 0;

	pthread_mutex_lock(&d->change_lock);
	if (!TAILQ_EMPTY(&d->owners))
		ret = -EBUSY;
	else
		d->has_own_da = true;
	pthread_mutex_unlock(&d->change_lock);
	return ret;
}

/* Where the first of nb regions ends that lies in [da, da + len); 0: none does. */
static uint64_t
end_of_taken(const struct dmap_region *r, unsigned int nb, uint64_t da, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		if (dmap_overlap(r[i].da.v, r[i].len, da, len))
			return r[i].da.v + r[i].len;
	return 0;
}

/* The same for all of the domain, and for those pages of a new owner that have their address. */
static uint64_t
end_of_any(const struct dmap_domain *d, const struct dmap_owner *fresh, unsigned int nb,
		uint64_t da, uint64_t len)
{
	uint64_t end = end_of_taken(fresh->pages.r, nb, da, len);
	const struct dmap_owner *o;

	if (end == 0 && d->has_own_da && dmap_overlap(HOLE_DA, HOLE_LEN, da, len))
		end = HOLE_DA + HOLE_LEN;
	TAILQ_FOREACH(o, &d->owners, next)
		if (end == 0)
			end = end_of_taken(o->pages.r, o->pages.nb, da, len);
	return end;
}

/*
 * Translation is one addition per piece of virtual memory, so no page can have two device
 * addresses.
 */
static bool
has_address(const struct dmap_domain *d, const struct dmap_region *r)
{
	const struct dmap_owner *o;
	unsigned int i;

	TAILQ_FOREACH(o, &d->owners, next)
		for (i = 0; i < o->pages.nb; i++)
			if (dmap_overlap(o->pages.r[i].va, o->pages.r[i].len, r->va, r->len))
				return true;
	return false;
}

/* The range that holds or follows an address; NULL: none does. */
static const struct dmap_range *
range_of(const struct dmap_limits *l, uint64_t da)
{
	unsigned int i;

	for (i = 0; i < l->nb_ranges; i++)
		if (da <= l->ranges[i].hi.v)
			return &l->ranges[i];
	return NULL;
}

/* Of what ends at hi at most. */
static bool
ends_within(const struct dmap_region *r, uint64_t hi)
{
	return r->da.v <= hi && r->len - 1 <= hi - r->da.v;
}

static bool
reaches(const struct dmap_domain *d, const struct dmap_region *r)
{
	const struct dmap_range *range = range_of(&d->limits, r->da.v);

	if (d->limits.nb_ranges != 0 &&
			(range == NULL || r->da.v < range->lo.v || !ends_within(r, range->hi.v)))
		return false;
	return d->limits.da_max.v == 0 || ends_within(r, d->limits.da_max.v);
}

/* Where the search goes on if [da, da + len) is in no range; 0: it is, UINT64_MAX: nowhere. */
static uint64_t
next_allowed(const struct dmap_limits *l, uint64_t da, uint64_t len)
{
	const struct dmap_range *range = range_of(l, da);

	if (l->nb_ranges == 0)
		return 0;
	if (range != NULL && da >= range->lo.v && len - 1 > range->hi.v - da)
		range = range_of(l, range->hi.v + 1);
	if (range == NULL)
		return UINT64_MAX;
	return da >= range->lo.v ? 0 : range->lo.v;
}

/* For who reads what went wrong. */
static uint64_t
last_address(const struct dmap_limits *l)
{
	uint64_t last = l->nb_ranges != 0 ? l->ranges[l->nb_ranges - 1].hi.v : UINT64_MAX;

	return l->da_max.v != 0 ? RTE_MIN(last, l->da_max.v) : last;
}

/* The lowest that is free from first on, of page i of a new owner. */
static void
find_address(const struct dmap_domain *d, struct dmap_owner *o, unsigned int i, uint64_t first)
{
	struct dmap_region *r = &o->pages.r[i];
	uint64_t end;

	r->da.v = first;
	do {
		end = end_of_any(d, o, i, r->da.v, r->len);
		if (end == 0)
			end = next_allowed(&d->limits, r->da.v, r->len);
		if (end == UINT64_MAX)
			r->da.v = end; /* nowhere */
		else if (end != 0)
			r->da.v = d->has_own_da ? RTE_ALIGN_CEIL(end, DMAP_HUGE_PAGE) : end;
	} while (end != 0 && end != UINT64_MAX);
}

/*
 * A program may keep what it knows of an address for longer than that is mapped (DPDK's vhost
 * library does so behind VDUSE), so a remote device gets each address once, and again after very
 * many others. An IOMMU, which forgets, takes fewer tables the closer they are.
 */
static void
give_address(struct dmap_domain *d, struct dmap_owner *o, unsigned int i)
{
	struct dmap_region *r = &o->pages.r[i];

	find_address(d, o, i, RTE_MAX(d->next_own_da, d->has_own_da ? FIRST_OWN_DA : FIRST_DA));
	if (!d->has_own_da || !d->backend->is_remote || has_limits(d))
		return;
	d->next_own_da = RTE_ALIGN_CEIL(r->da.v + r->len, DMAP_HUGE_PAGE);
	if (d->next_own_da > LAST_OWN_DA)
		d->next_own_da = FIRST_OWN_DA;
}

int
dmap_domain_place(struct dmap_domain *d, struct dmap_owner *o)
{
	struct dmap_region *r;
	unsigned int i;

	for (i = 0; i < o->pages.nb && (has_limits(d) || d->has_own_da); i++) {
		r = &o->pages.r[i];
		if (has_address(d, r))
			return -EEXIST;
		/* Where the application chose the address, it is not ours to change. */
		if (o->kind != DMAP_OWNER_EXTERNAL && (d->has_own_da || !reaches(d, r)))
			give_address(d, o, i);
		if (!reaches(d, r)) {
			DMAP_LOG(ERR,
					"%s: %zu bytes at device address 0x%" PRIx64
					": the device drives "
					"addresses up to 0x%" PRIx64 " only",
					d->name, r->len, r->da.v, last_address(&d->limits));
			return -ERANGE;
		}
	}
	return 0;
}
