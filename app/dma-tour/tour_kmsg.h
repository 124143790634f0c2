/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The kernel's log, where an IOMMU's refusals are told; the device itself says nothing. */

#ifndef TOUR_KMSG_H
#define TOUR_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Descriptor behind the last message there is; -errno if this user may not read it. */
int tour_kmsg_open(void);

/**
 * Wait a moment for the message that the device bdf was refused at the page of address da. Copies
 * its text; false if none came.
 */
bool tour_kmsg_find(int fd, const char *bdf, uint64_t da, char *text, size_t size);

/**
 * Is this record of /dev/kmsg such a message? By the words of intel-iommu and amd-iommu in Linux
 * 6.1.
 */
bool tour_kmsg_is_fault(const char *record, const char *bdf, uint64_t da);

#endif /* TOUR_KMSG_H */
