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
 * Where a domain's own begin; and what they leave out, which an IOMMU may not translate: there are
 * a PC's interrupt controllers.
 */
#define FIRST_OWN_DA (1UL << 28)
#define HOLE_DA 0xfe000000UL
#define HOLE_LEN ((1UL << 32) - HOLE_DA)

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_limit)
int
dmap_set_limit(struct dmap_domain *d, struct dmap_addr da_max)
{
	int ret = 0;

	if (d->backend->granule == 0)
		return -ENOTSUP;
	if (da_max.v <= FIRST_DA || (da_max.v & (da_max.v + 1)) != 0)
		return -EINVAL;
	pthread_mutex_lock(&d->change_lock);
	if (!TAILQ_EMPTY(&d->owners))
		ret = -EBUSY;
	else
		d->da_max = da_max.v;
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

/* Two pieces overlap where they start at a and b. */
static bool
overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Where the first of nb regions ends that lies in [da, da + len); 0: none does. */
static uint64_t
end_of_taken(const struct dmap_region *r, unsigned int nb, uint64_t da, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		if (overlap(r[i].da.v, r[i].len, da, len))
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

	if (end == 0 && d->has_own_da && overlap(HOLE_DA, HOLE_LEN, da, len))
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
			if (overlap(o->pages.r[i].va, o->pages.r[i].len, r->va, r->len))
				return true;
	return false;
}

static bool
reaches(const struct dmap_domain *d, const struct dmap_region *r)
{
	return r->da.v <= d->da_max && r->len - 1 <= d->da_max - r->da.v;
}

/* The lowest that is free, of page i of a new owner. */
static void
find_address(const struct dmap_domain *d, struct dmap_owner *o, unsigned int i)
{
	struct dmap_region *r = &o->pages.r[i];
	uint64_t end;

	r->da.v = d->has_own_da ? FIRST_OWN_DA : FIRST_DA;
	while ((end = end_of_any(d, o, i, r->da.v, r->len)) != 0)
		r->da.v = d->has_own_da ? RTE_ALIGN_CEIL(end, DMAP_HUGE_PAGE) : end;
}

int
dmap_domain_place(struct dmap_domain *d, struct dmap_owner *o)
{
	struct dmap_region *r;
	unsigned int i;

	for (i = 0; i < o->pages.nb && (d->da_max != 0 || d->has_own_da); i++) {
		r = &o->pages.r[i];
		if (has_address(d, r))
			return -EEXIST;
		/* Where the application chose the address, it is not ours to change. */
		if (o->kind != DMAP_OWNER_EXTERNAL && (d->has_own_da || !reaches(d, r)))
			find_address(d, o, i);
		if (d->da_max != 0 && !reaches(d, r)) {
			DMAP_LOG(ERR,
					"%s: %zu bytes at device address 0x%" PRIx64
					": the device drives "
					"addresses up to 0x%" PRIx64 " only\n",
					d->name, r->len, r->da.v, d->da_max);
			return -ERANGE;
		}
	}
	return 0;
}
