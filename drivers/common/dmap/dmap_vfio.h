/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the IOMMU back end. The calls to VFIO are in dmap_vfio.c; what can be told without
 * them, from sysfs, is in dmap_vfio_check.c; which pieces to map and unmap is arithmetic, in
 * dmap_vfio_maps.c.
 */

#ifndef DMAP_VFIO_H
#define DMAP_VFIO_H

#include "dmap_impl.h"

/* What an IOMMU page is; every kernel and IOMMU that VFIO runs on has pages of this size. */
#define DMAP_VFIO_PAGE 4096UL
/*
 * No entry crosses a multiple of this. Entries go as they came, whole, and this is the smallest
 * piece of memory that EAL gives back to the system while others around it stay (with pages of 4
 * KiB it gives nothing back).
 */
#define DMAP_VFIO_STEP (2UL << 20)

/* One entry of the kernel's list for the container. */
struct dmap_map {
	uint64_t da;
	uint64_t len;
	uintptr_t va;
	bool is_read_only;
};

/* All of them, in the order of device addresses. */
struct dmap_map_set {
	struct dmap_map *m;
	unsigned int nb;
	unsigned int room;
};

struct dmap_map_ops {
	int (*map)(void *ctx, const struct dmap_map *m);
	int (*unmap)(void *ctx, const struct dmap_map *m);
};

/*
 * Make the set cover the regions: maps what is new, then unmaps the entries of which nothing is in
 * a region any more. An entry that is partly in use stays whole: taking it away would cut off
 * memory that the device uses. On error of a map everything is as before; errors of unmap are
 * returned and the entry stays listed.
 */
int dmap_map_set_apply(struct dmap_map_set *set, const struct dmap_region *regions, unsigned int nb,
		const struct dmap_map_ops *ops, void *ctx);
uint64_t dmap_map_set_bytes(const struct dmap_map_set *set);
void dmap_map_set_free(struct dmap_map_set *set);

/*
 * Number of the device's IOMMU group, if it is one that can keep a promise. Looks only, opens
 * nothing but the group for a moment. -ENODEV: no group, -EPERM, -EBUSY, ...; logs what is wrong
 * and the cure.
 */
int dmap_vfio_check_group(const char *sysfs, const char *pci_addr, int *group_nb);
/* The kernel was told not to mind an IOMMU without interrupt remapping. */
bool dmap_vfio_has_unsafe_interrupts(void);
/* Why a piece could not be mapped, with the cure. */
void dmap_vfio_explain(const char *name, const struct dmap_map *m, int err, unsigned int nb_maps,
		uint64_t bytes);

#endif /* DMAP_VFIO_H */
