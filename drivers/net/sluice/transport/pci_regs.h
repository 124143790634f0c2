/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Registers of a virtio device on the PCI bus (virtio 1.3, 4.1.4), and the only way to touch them:
 * a region of a BAR, at a checked offset, with the width that the specification wants (4.1.3.1).
 */

#ifndef PCI_REGS_H
#define PCI_REGS_H

#include <rte_common.h>

#include "sluice_transport.h"

/* Common configuration (4.1.4.3). Its name says how wide a register is. */
#define PCI_COMMON_DEVICE_FEATURE_SELECT32 0x00
#define PCI_COMMON_DEVICE_FEATURE32 0x04
#define PCI_COMMON_DRIVER_FEATURE_SELECT32 0x08
#define PCI_COMMON_DRIVER_FEATURE32 0x0c
#define PCI_COMMON_CONFIG_MSIX_VECTOR16 0x10
#define PCI_COMMON_NUM_QUEUES16 0x12
#define PCI_COMMON_DEVICE_STATUS8 0x14
#define PCI_COMMON_CONFIG_GENERATION8 0x15
#define PCI_COMMON_QUEUE_SELECT16 0x16
#define PCI_COMMON_QUEUE_SIZE16 0x18
#define PCI_COMMON_QUEUE_MSIX_VECTOR16 0x1a
#define PCI_COMMON_QUEUE_ENABLE16 0x1c
#define PCI_COMMON_QUEUE_NOTIFY_OFF16 0x1e
#define PCI_COMMON_QUEUE_DESC64 0x20
#define PCI_COMMON_QUEUE_DRIVER64 0x28
#define PCI_COMMON_QUEUE_DEVICE64 0x30
#define PCI_COMMON_LEN 0x38
/* With RING_RESET there is more. */
#define PCI_COMMON_QUEUE_RESET16 0x3a
#define PCI_COMMON_RESET_LEN 0x3c

/* A piece of a BAR that holds one of the device's structures. */
struct pci_cap_region {
	uint8_t bar;
	uint64_t offset;
	uint64_t len; /* 0: not there */
};

/* Where everything is (4.1.4). */
struct pci_caps {
	struct pci_cap_region common;
	struct pci_cap_region notify;
	struct pci_cap_region isr;
	struct pci_cap_region device;
	struct pci_cap_region msix; /* the interrupt table; not ours to touch */
	uint16_t nb_vectors;        /* in that table; 0: the device has no MSI-X */
	uint32_t notify_multiplier;
};

/* Access to a device, and its name for messages. */
struct pci_device {
	const char *name;
	const struct sluice_pci_bar_ops *ops;
	void *ctx;
	struct pci_caps caps;
};

/*
 * Find the structures in configuration space, and check that each lies in a memory BAR. Logs what
 * is wrong; -ENOTSUP: a legacy device, -EINVAL: the capabilities make no sense.
 */
int sluice_pci_find_caps(struct pci_device *dev);

/*
 * Did the kernel switch Address Translation Services on? The device then asks the IOMMU for
 * translations and keeps them, with the rights that come with them.
 */
bool sluice_pci_has_ats(const struct pci_device *dev);

static inline uint32_t
pci_read(const struct pci_device *dev, const struct pci_cap_region *w, uint32_t reg, uint8_t width)
{
	return dev->ops->read(dev->ctx, w->bar, w->offset + reg, width);
}

static inline void
pci_write(const struct pci_device *dev, const struct pci_cap_region *w, uint32_t reg, uint8_t width,
		uint32_t value)
{
	dev->ops->write(dev->ctx, w->bar, w->offset + reg, width, value);
}

static inline uint8_t
pci_common_read8(const struct pci_device *dev, uint32_t reg)
{
	return pci_read(dev, &dev->caps.common, reg, 1);
}

static inline uint16_t
pci_common_read16(const struct pci_device *dev, uint32_t reg)
{
	return pci_read(dev, &dev->caps.common, reg, 2);
}

static inline uint32_t
pci_common_read32(const struct pci_device *dev, uint32_t reg)
{
	return pci_read(dev, &dev->caps.common, reg, 4);
}

static inline void
pci_common_write8(const struct pci_device *dev, uint32_t reg, uint8_t value)
{
	pci_write(dev, &dev->caps.common, reg, 1, value);
}

static inline void
pci_common_write16(const struct pci_device *dev, uint32_t reg, uint16_t value)
{
	pci_write(dev, &dev->caps.common, reg, 2, value);
}

static inline void
pci_common_write32(const struct pci_device *dev, uint32_t reg, uint32_t value)
{
	pci_write(dev, &dev->caps.common, reg, 4, value);
}

/* A 64-bit field is two of 32 bits (4.1.3.1). */
static inline void
pci_common_write64(const struct pci_device *dev, uint32_t reg, uint64_t value)
{
	pci_common_write32(dev, reg, (uint32_t)value);
	pci_common_write32(dev, reg + 4, (uint32_t)(value >> 32));
}

#endif /* PCI_REGS_H */
