/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Is there an edu device that can be used? Looks into sysfs only, before EAL starts. */

#ifndef TOUR_FIND_H
#define TOUR_FIND_H

#include <stddef.h>

#define TOUR_SYSFS "/sys/bus/pci/devices"
#define TOUR_BDF_SIZE 16

/**
 * PCI address (domain included) of the wanted device, or with NULL of the first edu device in the
 * folder sysfs, bound to vfio-pci and behind an IOMMU. -ENODEV otherwise, and *why says what is
 * wrong and the cure.
 */
int tour_find(const char *sysfs, const char *wanted, char bdf[TOUR_BDF_SIZE], char *why,
		size_t why_size);

#endif /* TOUR_FIND_H */
