/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Bounce buffers (isolation=copy): one for each slot of a ring, in the ring's piece of coherent
 * memory. What is in a slot's descriptor is always its own buffer, so packets of the application
 * are copied into and out of it, and their memory is out of the device's reach. A packet that is
 * longer takes those of several slots.
 */

#ifndef SLUICE_CELLS_H
#define SLUICE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "dmap.h"
#include "sluice_spec.h"

struct sluice_cells {
	char *dv_first;      /* the net header of slot 0's; NULL: packets are not copied */
	struct dmap_addr da; /* the same for the device */
	uint32_t stride;     /* from one to the next */
	uint32_t room;       /* of one, behind the net header */
};

/*
 * Data start at a cache line, with the net header in the line before, which ends the buffer before.
 * An odd number of lines for each: with a power of two the first lines of all would share a few
 * sets of a cache.
 */
static inline uint32_t
sluice_cells_stride(uint32_t room)
{
	return RTE_ALIGN_CEIL(room + SLUICE_NET_HDR_LEN, (uint32_t)RTE_CACHE_LINE_SIZE) |
			RTE_CACHE_LINE_SIZE;
}

/* Bytes for size of them. */
static inline size_t
sluice_cells_len(uint16_t size, uint32_t room)
{
	return RTE_CACHE_LINE_SIZE + (size_t)size * sluice_cells_stride(room);
}

/* In such memory, which starts at a cache line. */
static inline struct sluice_cells
sluice_cells_at(void *va, struct dmap_addr da, uint32_t room)
{
	const size_t off = RTE_CACHE_LINE_SIZE - SLUICE_NET_HDR_LEN;

	return (struct sluice_cells){
		.dv_first = (char *)va + off,
		.da.v = da.v + off,
		.stride = sluice_cells_stride(room),
		.room = room,
	};
}

static inline bool
sluice_cells_are_used(const struct sluice_cells *c)
{
	return c->dv_first != NULL;
}

/* Where a slot's net header is; data follow it. */
static __rte_always_inline char *
sluice_cell(const struct sluice_cells *c, uint32_t slot)
{
	return c->dv_first + (size_t)slot * c->stride;
}

static __rte_always_inline struct dmap_addr
sluice_cell_da(const struct sluice_cells *c, uint32_t slot)
{
	return (struct dmap_addr){ c->da.v + (uint64_t)slot * c->stride };
}

#endif /* SLUICE_CELLS_H */
