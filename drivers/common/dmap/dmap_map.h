/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Streaming DMA by the verbs of a kernel: map a buffer for one transfer, in one direction, with one
 * owner at a time.
 *
 *   who may touch the buffer   from                      until
 *   the device                 dmap_map_*()              dmap_sync_for_cpu() or dmap_unmap()
 *   the CPU                    dmap_sync_for_cpu()       dmap_sync_for_device()
 *   the device again           dmap_sync_for_device()    dmap_sync_for_cpu() or dmap_unmap()
 *   the CPU, for good          dmap_unmap()
 *
 * This is for transfers that are looked at one by one. A burst function does the same with
 * dmap_lend(), dmap_lent() and dmap_take_back() (dmap_stream.h), on which this is built: it keeps
 * what struct dmap_map holds in its ring, and its domain has no bounce buffers.
 *
 * Where a domain has bounce buffers (dmap_set_bounce()), the device may get one instead of the
 * buffer, and bytes are copied when the owner changes, and only then. So a driver that forgets a
 * sync works by chance without bounce buffers, and never with them.
 *
 * Threads: a stream belongs to one thread at a time, and so do its maps. Nothing here waits.
 */

#ifndef DMAP_MAP_H
#define DMAP_MAP_H

#include "dmap_stream.h"

enum dmap_dir {
	DMAP_TO_DEVICE = 1,   /* the device reads */
	DMAP_FROM_DEVICE = 2, /* the device writes */
	DMAP_BIDIRECTIONAL = 3,
};

/* A buffer that is mapped, or why it is not. The caller's, from dmap_map_*() to dmap_unmap(). */
struct dmap_map {
	struct dmap_addr da; /* for the device; of no use after an error */
	void *va;
	uint32_t len;
	enum dmap_dir dir;
	int error;       /* 0 or -errno, see dmap_mapping_error() */
	uint32_t bounce; /* number of the bounce buffer, from 1 on; 0: the device has va itself */
};

/**
 * Map len bytes at va: of coherent memory, of a pool in the domain, or of EAL's memory. Ask the
 * result with dmap_mapping_error().
 */
__rte_internal
struct dmap_map dmap_map_single(struct dmap_stream *s, void *va, uint32_t len, enum dmap_dir dir);

/** The same for len bytes at offset off of the data of an mbuf, one segment. */
__rte_internal
struct dmap_map dmap_map_mbuf(struct dmap_stream *s, struct rte_mbuf *m, uint32_t off, uint32_t len,
		enum dmap_dir dir);

/**
 * The data of all segments of a packet, cut into what one descriptor may say (dmap_limits). Returns
 * how many maps there are, each without an error; or -errno with nothing mapped: -ENOSPC if they
 * are more than nb_max, else as dmap_mapping_error().
 */
__rte_internal
int dmap_map_sg(struct dmap_stream *s, struct rte_mbuf *m, enum dmap_dir dir, struct dmap_map *maps,
		unsigned int nb_max);

/**
 * 0: it is mapped. -EAGAIN: the memory is going to be shown, map again later; -EFAULT: the device
 * does not reach it; -EMSGSIZE: longer than the device takes, -ERANGE: across a boundary of the
 * device; -EINVAL: no bytes; -ENOBUFS: no bounce buffer is free. What failed is not unmapped.
 */
static inline int
dmap_mapping_error(const struct dmap_map *map)
{
	return map->error;
}

/** The transfer is over, and the buffer the CPU's. *map counts as not mapped then. */
__rte_internal
void dmap_unmap(struct dmap_stream *s, struct dmap_map *map);

/** The same for what dmap_map_sg() has made. */
__rte_internal
void dmap_unmap_sg(struct dmap_stream *s, struct dmap_map *maps, unsigned int nb);

/** The CPU looks at len bytes at offset off of the buffer; it stays mapped. */
__rte_internal
void dmap_sync_for_cpu(
		struct dmap_stream *s, const struct dmap_map *map, uint32_t off, uint32_t len);

/** They are the device's again. */
__rte_internal
void dmap_sync_for_device(
		struct dmap_stream *s, const struct dmap_map *map, uint32_t off, uint32_t len);

/**
 * Bounce buffers for the maps of a domain: nb of them, of room bytes each, in coherent memory. Maps
 * get one where the device does not reach the memory, or with is_forced all do. 0 of them: there
 * are none any more. -EBUSY: some are in use, -EINVAL: no room. dmap_lend() knows nothing of them.
 */
__rte_internal
int dmap_set_bounce(struct dmap_domain *d, unsigned int nb, uint32_t room, bool is_forced);

#endif /* DMAP_MAP_H */
