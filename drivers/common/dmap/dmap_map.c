/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The verbs of streaming DMA: a loan (dmap_stream.h) or a bounce buffer, one map at a time. */

#include <errno.h>

#include <rte_atomic.h>

#include "dmap_debug_impl.h"

/* Does one descriptor say so much? da: where it begins for the device. */
static int
check_segment(const struct dmap_limits *l, struct dmap_addr da, uint32_t len)
{
	if (l->seg_max != 0 && len > l->seg_max)
		return -EMSGSIZE;
	if (l->boundary != 0 && (da.v & (l->boundary - 1)) + len > l->boundary)
		return -ERANGE;
	return 0;
}

/* m: the mbuf that va belongs to; NULL: none. */
static int
find_address(struct dmap_stream *s, const struct rte_mbuf *m, struct dmap_map *map)
{
	struct dmap_domain *d = s->domain;

	if (dmap_bounce_is_forced(d))
		return dmap_bounce_take(d, map);
	dmap_stream_refresh(s);
	if (dmap_lend(s, m, map->va, map->len, &map->da))
		return 0;
	if (dmap_bounce_room(d) != 0)
		return dmap_bounce_take(d, map);
	return dmap_may_come(s) ? -EAGAIN : -EFAULT;
}

static struct dmap_map
try_map(struct dmap_stream *s, const struct rte_mbuf *m, void *va, uint32_t len, enum dmap_dir dir)
{
	struct dmap_map map = { .va = va, .len = len, .dir = dir };

	map.error = len == 0 ? -EINVAL : find_address(s, m, &map);
	if (map.error != 0)
		return map;
	map.error = check_segment(&s->domain->limits, map.da, len);
	if (map.error != 0) {
		if (map.bounce != 0)
			dmap_bounce_give_back(s->domain, &map);
		return map;
	}
	dmap_lent(s, 1);
	rte_io_wmb();
	return map;
}

/* site: who calls, for reports. */
static struct dmap_map
map_any(struct dmap_stream *s, const struct rte_mbuf *m, void *va, uint32_t len, enum dmap_dir dir,
		const void *site)
{
	struct dmap_map map = try_map(s, m, va, len, dir);

	if (s->domain->debug != NULL)
		dmap_debug_map(s->domain, m, &map, site);
	return map;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_map_single)
struct dmap_map
dmap_map_single(struct dmap_stream *s, void *va, uint32_t len, enum dmap_dir dir)
{
	return map_any(s, NULL, va, len, dir, __builtin_return_address(0));
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_map_mbuf)
struct dmap_map
dmap_map_mbuf(struct dmap_stream *s, struct rte_mbuf *m, uint32_t off, uint32_t len,
		enum dmap_dir dir)
{
	return map_any(s, m, rte_pktmbuf_mtod_offset(m, char *, off), len, dir,
			__builtin_return_address(0));
}

/* The most that the next descriptor may say of len bytes at va. */
static uint32_t
piece_of(struct dmap_stream *s, const struct rte_mbuf *m, const char *va, uint32_t len)
{
	const struct dmap_limits *l = &s->domain->limits;
	struct dmap_addr da;
	bool bounces = dmap_bounce_is_forced(s->domain) || !dmap_lend(s, m, va, len, &da);

	if (l->seg_max != 0)
		len = RTE_MIN(len, l->seg_max);
	if (!bounces && l->boundary != 0)
		len = RTE_MIN(len, l->boundary - (da.v & (l->boundary - 1)));
	if (bounces && dmap_bounce_room(s->domain) != 0)
		len = RTE_MIN(len, dmap_bounce_room(s->domain));
	return len;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_map_sg)
int
dmap_map_sg(struct dmap_stream *s, struct rte_mbuf *m, enum dmap_dir dir, struct dmap_map *maps,
		unsigned int nb_max)
{
	unsigned int nb = 0;
	uint32_t at, len;
	int ret = 0;

	dmap_stream_refresh(s);
	for (; m != NULL && ret == 0; m = m->next)
		for (at = 0; at < m->data_len && ret == 0; at += len) {
			char *va = rte_pktmbuf_mtod_offset(m, char *, at);

			len = piece_of(s, m, va, m->data_len - at);
			ret = nb == nb_max ? -ENOSPC : 0;
			if (ret != 0)
				break;
			maps[nb] = map_any(s, m, va, len, dir, __builtin_return_address(0));
			ret = dmap_mapping_error(&maps[nb]);
			nb += ret == 0;
		}
	if (ret == 0)
		return nb;
	dmap_unmap_sg(s, maps, nb);
	return ret;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_unmap)
void
dmap_unmap(struct dmap_stream *s, struct dmap_map *map)
{
	rte_io_rmb();
	if (s->domain->debug != NULL)
		dmap_debug_unmap(s->domain, map);
	if (map->error != 0)
		return;
	if (map->bounce != 0) {
		dmap_bounce_copy_out(s->domain, map, 0, map->len);
		dmap_bounce_give_back(s->domain, map);
	}
	dmap_take_back(s, 1);
	map->error = -EINVAL;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_unmap_sg)
void
dmap_unmap_sg(struct dmap_stream *s, struct dmap_map *maps, unsigned int nb)
{
	while (nb != 0)
		dmap_unmap(s, &maps[--nb]);
}

/* Are these bytes of a buffer that is mapped? */
static bool
are_mapped(const struct dmap_map *map, uint32_t off, uint32_t len)
{
	return map->error == 0 && off <= map->len && len <= map->len - off;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sync_for_cpu)
void
dmap_sync_for_cpu(struct dmap_stream *s, const struct dmap_map *map, uint32_t off, uint32_t len)
{
	rte_io_rmb();
	if (s->domain->debug != NULL)
		dmap_debug_sync(s->domain, map, off, len, DMAP_FROM_DEVICE);
	if (are_mapped(map, off, len))
		dmap_bounce_copy_out(s->domain, map, off, len);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_sync_for_device)
void
dmap_sync_for_device(struct dmap_stream *s, const struct dmap_map *map, uint32_t off, uint32_t len)
{
	if (s->domain->debug != NULL)
		dmap_debug_sync(s->domain, map, off, len, DMAP_TO_DEVICE);
	if (are_mapped(map, off, len))
		dmap_bounce_copy_in(s->domain, map, off, len);
	rte_io_wmb();
}
