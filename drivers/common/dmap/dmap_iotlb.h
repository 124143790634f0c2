/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a device has mapped, for those that are told of each piece by itself: an IOMMU by VFIO, a
 * vDPA device by IOTLB messages. A set remembers what was told, so that a new table of regions
 * becomes the few calls that lead to it. It belongs to one thread at a time.
 */

#ifndef DMAP_IOTLB_H
#define DMAP_IOTLB_H

#include "dmap.h"

/* What an IOMMU page is; every kernel and IOMMU of interest has pages of this size. */
#define DMAP_IOTLB_PAGE 4096UL
/*
 * No entry of EAL's memory crosses a multiple of this. Entries go as they came, whole, and this is
 * the smallest piece of memory that EAL gives back to the system while others around it stay (with
 * pages of 4 KiB it gives nothing back). A file of our own, which a region has, goes as a whole.
 */
#define DMAP_IOTLB_STEP (2UL << 20)

/* One entry of the device's list. */
struct dmap_iotlb_entry {
	uint64_t da;
	uint64_t len;
	uintptr_t va;
	bool is_read_only;
};

/* All of them, in the order of device addresses. Zeros: an empty one. */
struct dmap_iotlb {
	struct dmap_iotlb_entry *m;
	unsigned int nb;
	unsigned int room;
};

struct dmap_iotlb_ops {
	/* is_last: no other one follows in this change. */
	int (*map)(void *ctx, const struct dmap_iotlb_entry *m, bool is_last);
	int (*unmap)(void *ctx, const struct dmap_iotlb_entry *m);
	bool ends_with_page; /* the last entry of a change is one page */
};

/**
 * Make the set cover the regions: maps what is new, then unmaps the entries of which nothing is in
 * a region any more. An entry that is partly in use stays whole: taking it away would cut off
 * memory that the device uses. On error of a map everything is as before; errors of unmap are
 * returned and the entry stays listed.
 */
__rte_internal
int dmap_iotlb_apply(struct dmap_iotlb *set, const struct dmap_region *regions, unsigned int nb,
		const struct dmap_iotlb_ops *ops, void *ctx);

/** Bytes that it covers. */
__rte_internal
uint64_t dmap_iotlb_bytes(const struct dmap_iotlb *set);

/** Forget all; the device is told nothing. */
__rte_internal
void dmap_iotlb_free(struct dmap_iotlb *set);

#endif /* DMAP_IOTLB_H */
