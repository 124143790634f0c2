/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the IOMMU back end. The calls to VFIO are in dmap_vfio.c; what can be told without
 * them, from sysfs, is in dmap_vfio_check.c; which pieces to map and unmap is arithmetic, in
 * dmap_iotlb.c.
 */

#ifndef DMAP_VFIO_H
#define DMAP_VFIO_H

#include "dmap_impl.h"
#include "dmap_iotlb.h"

/*
 * Number of the device's IOMMU group, if it is one that can keep a promise. Looks only, opens
 * nothing but the group for a moment. -ENODEV: no group, -EPERM, -EBUSY, ...; logs what is wrong
 * and the cure.
 */
int dmap_vfio_check_group(const char *sysfs, const char *pci_addr, int *group_nb);
/* The kernel was told not to mind an IOMMU without interrupt remapping. */
bool dmap_vfio_has_unsafe_interrupts(void);
/* Why a piece could not be mapped, with the cure. */
void dmap_vfio_explain(const char *name, const struct dmap_iotlb_entry *m, int err,
		unsigned int nb_maps, uint64_t bytes);

#endif /* DMAP_VFIO_H */
