/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "fake_domain.h"
#include "fake_error.h"
#include "fake_fault.h"

#define PAGE 4096

void
fake_domain_init(struct fake_domain *f, bool is_lying)
{
	memset(f, 0, sizeof(*f));
	f->is_lying = is_lying;
	f->random = 0x123456789abcdefULL;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
}

void
fake_domain_fini(struct fake_domain *f)
{
	if (f->nb_coherent != 0)
		fake_error("%u pieces of coherent memory were not freed", f->nb_coherent);
	while (f->nb_kept != 0)
		free(f->kept[--f->nb_kept]);
	free(f->regions);
	free(f->given);
	memset(f, 0, sizeof(*f));
}

static bool
is_taken(const struct fake_domain *f, uint64_t da, size_t len)
{
	unsigned int i;

	for (i = 0; i < f->nb_given; i++)
		if (da < f->given[i].da + f->given[i].len && f->given[i].da < da + len)
			return true;
	return false;
}

/* The same page always gets the same address, as an IOMMU would have it. */
static uint64_t
give_address(struct fake_domain *f, uintptr_t va, size_t len)
{
	uint64_t da;
	unsigned int i;

	if (!f->is_lying)
		return va;
	for (i = 0; i < f->nb_given; i++)
		if (f->given[i].va == va && f->given[i].len == len)
			return f->given[i].da;
	do {
		da = fake_random(&f->random) >> 17 & ~(uint64_t)(PAGE - 1);
	} while (da < PAGE || is_taken(f, da, len) || (da < va + len && va < da + len));
	if (f->nb_given == f->room_given) {
		f->room_given = f->room_given == 0 ? 64 : f->room_given * 2;
		f->given = realloc(f->given, f->room_given * sizeof(*f->given));
	}
	f->given[f->nb_given++] = (struct fake_given){ .va = va, .len = len, .da = da };
	return da;
}

static int
fake_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	struct fake_domain *f = ctx;
	void *va;

	RTE_SET_USED(what);
	RTE_SET_USED(socket);
	len = RTE_ALIGN_CEIL(len, (size_t)PAGE);
	va = fake_fault_hits() ? NULL : aligned_alloc(PAGE, len);
	if (va == NULL)
		return -ENOMEM;
	memset(va, 0, len);
	*r = (struct dmap_region){ .va = (uintptr_t)va, .len = len, .fd = -1 };
	r->da.v = give_address(f, r->va, len);
	*handle = va;
	f->nb_coherent++;
	return 0;
}

static void
fake_coherent_free(void *ctx, void *handle)
{
	struct fake_domain *f = ctx;
	unsigned int i;

	for (i = 0; i < f->nb; i++)
		if (f->regions[i].va <= (uintptr_t)handle &&
				(uintptr_t)handle < f->regions[i].va + f->regions[i].len)
			fake_error("coherent memory is freed while the device can reach it");
	f->nb_coherent--;
	free(handle);
}

/* The device hears of it later, or is cut off; it keeps what it has mapped. */
static void
fake_remote_coherent_free(void *ctx, void *handle)
{
	struct fake_domain *f = ctx;

	f->nb_coherent--;
	if (f->keeps_coherent && f->nb_kept < RTE_DIM(f->kept))
		f->kept[f->nb_kept++] = handle;
	else
		free(handle);
}

static int
fake_assign(void *ctx, struct dmap_region *r)
{
	r->da.v = give_address(ctx, r->va, r->len);
	return 0;
}

/* The device does not answer before the test lets it. */
static void
wait_until_free(struct fake_domain *f)
{
	pthread_mutex_lock(&f->lock);
	f->nb_waiting++;
	pthread_cond_broadcast(&f->changed);
	while (f->is_blocked)
		pthread_cond_wait(&f->changed, &f->lock);
	f->nb_waiting--;
	pthread_mutex_unlock(&f->lock);
}

void
fake_domain_block(struct fake_domain *f, bool is_blocked)
{
	pthread_mutex_lock(&f->lock);
	f->is_blocked = is_blocked;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void
fake_domain_await(struct fake_domain *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->nb_waiting == 0)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static int
fake_show(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	struct fake_domain *f = ctx;
	unsigned int i;

	wait_until_free(f);
	f->nb_shows++;
	if (f->refusal != 0)
		return f->refusal;
	if (f->nb_max != 0 && nb > f->nb_max)
		return f->refusal_nb_max != 0 ? f->refusal_nb_max : -ENOSPC;
	for (i = 1; i < nb; i++)
		if (regions[i].va < regions[i - 1].va + regions[i - 1].len)
			fake_error("regions %u and %u of a table overlap or are not sorted", i - 1,
					i);
	free(f->regions);
	f->regions = NULL;
	f->last = 0;
	f->nb = nb;
	if (nb != 0) {
		fake_fault_hold(true);
		f->regions = calloc(nb, sizeof(*regions));
		fake_fault_hold(false);
		memcpy(f->regions, regions, nb * sizeof(*regions));
	}
	return 0;
}

static bool
has_address(const struct dmap_region *r, uint64_t da)
{
	return da >= r->da.v && da - r->da.v < r->len;
}

static const struct dmap_region *
region_at(struct fake_domain *f, uint64_t da)
{
	unsigned int i;

	if (f->nb != 0 && has_address(&f->regions[f->last], da))
		return &f->regions[f->last];
	for (i = 0; i < f->nb; i++)
		if (has_address(&f->regions[i], da)) {
			f->last = i;
			return &f->regions[i];
		}
	return NULL;
}

void *
fake_domain_reach(struct fake_domain *f, uint64_t da, uint64_t len)
{
	const struct dmap_region *r = region_at(f, da), *more;
	uint64_t off, at;

	if (r == NULL || da + len < da)
		return NULL;
	off = da - r->da.v;
	/* Neighbours by both addresses are as good as one region. */
	for (at = r->len - off; at < len; at += more->len) {
		more = region_at(f, da + at);
		if (more == NULL || more->va != r->va + off + at)
			return NULL;
	}
	return (void *)(r->va + off);
}

int
fake_no_device(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	(void)ctx;
	(void)regions;
	(void)nb;
	return 0;
}

const struct dmap_backend fake_domain_backend = {
	.name = "fake",
	.coherent_alloc = fake_coherent_alloc,
	.coherent_free = fake_coherent_free,
	.assign = fake_assign,
	.show = fake_show,
};

const struct dmap_backend fake_domain_remote_backend = {
	.name = "fake, remote",
	.coherent_alloc = fake_coherent_alloc,
	.coherent_free = fake_remote_coherent_free,
	.assign = fake_assign,
	.show = fake_show,
	.is_remote = true,
};

const struct dmap_backend fake_domain_remote_all_eal_backend = {
	.name = "fake, remote, all of EAL",
	.coherent_alloc = fake_coherent_alloc,
	.coherent_free = fake_remote_coherent_free,
	.show = fake_show,
	.is_remote = true,
	.shows_all_eal = true,
};

const struct dmap_backend fake_domain_all_eal_backend = {
	.name = "fake, all of EAL",
	.coherent_alloc = fake_coherent_alloc,
	.coherent_free = fake_coherent_free,
	.show = fake_show,
	.shows_all_eal = true,
};
