/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Bounce buffers for mapped memory (a kernel's swiotlb): pieces of one coherent piece, which the
 * device gets instead of memory that it does not reach.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dmap_impl.h"
#include "dmap_map.h"

struct dmap_bounce {
	struct dmap_coherent mem;
	uint32_t room;
	bool is_forced;
	rte_spinlock_t lock; /* of what follows */
	unsigned int nb, nb_free;
	uint32_t free[]; /* their numbers */
};

static int
remove_bounce(struct dmap_domain *d)
{
	struct dmap_bounce *b = d->bounce;

	if (b == NULL)
		return 0;
	if (b->nb_free != b->nb)
		return -EBUSY;
	d->bounce = NULL;
	dmap_free_coherent(d, &b->mem);
	free(b);
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_bounce)
int
dmap_set_bounce(struct dmap_domain *d, unsigned int nb, uint32_t room, bool is_forced)
{
	/* None crosses a boundary, which is a power of two as well. */
	size_t stride = rte_align64pow2(room);
	struct dmap_bounce *b;
	unsigned int i;
	int ret = remove_bounce(d);

	if (ret != 0 || nb == 0)
		return ret;
	if (room == 0 || nb >= UINT32_MAX ||
			(d->limits.boundary != 0 && stride > d->limits.boundary))
		return -EINVAL;
	b = calloc(1, sizeof(*b) + nb * sizeof(b->free[0]));
	if (b == NULL)
		return -ENOMEM;
	ret = dmap_alloc_coherent(d, "dmap_bounce", nb * stride, SOCKET_ID_ANY, &b->mem);
	if (ret != 0) {
		free(b);
		return ret;
	}
	dmap_coherent_note(d, &b->mem, "bounce buffers");
	b->room = room;
	b->is_forced = is_forced;
	b->nb = nb;
	rte_spinlock_init(&b->lock);
	for (i = 0; i < nb; i++)
		b->free[b->nb_free++] = nb - i;
	d->bounce = b;
	return 0;
}

void
dmap_bounce_end(struct dmap_domain *d)
{
	/* Its memory is the domain's. */
	free(d->bounce);
	d->bounce = NULL;
}

bool
dmap_bounce_is_forced(const struct dmap_domain *d)
{
	return d->bounce != NULL && d->bounce->is_forced;
}

uint32_t
dmap_bounce_room(const struct dmap_domain *d)
{
	return d->bounce != NULL ? d->bounce->room : 0;
}

static char *
place_of(const struct dmap_bounce *b, uint32_t number)
{
	return (char *)b->mem.va + (number - 1) * rte_align64pow2(b->room);
}

void
dmap_bounce_copy_in(
		const struct dmap_domain *d, const struct dmap_map *map, uint32_t off, uint32_t len)
{
	if (map->bounce != 0 && (map->dir & DMAP_TO_DEVICE))
		memcpy(place_of(d->bounce, map->bounce) + off, (const char *)map->va + off, len);
}

void
dmap_bounce_copy_out(
		const struct dmap_domain *d, const struct dmap_map *map, uint32_t off, uint32_t len)
{
	if (map->bounce != 0 && (map->dir & DMAP_FROM_DEVICE))
		memcpy((char *)map->va + off, place_of(d->bounce, map->bounce) + off, len);
}

int
dmap_bounce_take(struct dmap_domain *d, struct dmap_map *map)
{
	struct dmap_bounce *b = d->bounce;
	char *place;

	if (map->len > b->room)
		return -EMSGSIZE;
	rte_spinlock_lock(&b->lock);
	map->bounce = b->nb_free != 0 ? b->free[--b->nb_free] : 0;
	rte_spinlock_unlock(&b->lock);
	if (map->bounce == 0)
		return -ENOBUFS;
	place = place_of(b, map->bounce);
	/* What others have left there is not for this device. */
	if (!(map->dir & DMAP_TO_DEVICE))
		memset(place, 0, map->len);
	dmap_bounce_copy_in(d, map, 0, map->len);
	map->da = dmap_coherent_da(&b->mem, place);
	return 0;
}

void
dmap_bounce_give_back(struct dmap_domain *d, const struct dmap_map *map)
{
	struct dmap_bounce *b = d->bounce;

	rte_spinlock_lock(&b->lock);
	b->free[b->nb_free++] = map->bounce;
	rte_spinlock_unlock(&b->lock);
}
