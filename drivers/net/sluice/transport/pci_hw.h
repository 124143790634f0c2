/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A real device: bound to vfio-pci, opened through EAL's PCI bus, in an IOMMU container of its own.
 */

#ifndef PCI_HW_H
#define PCI_HW_H

#include "sluice_transport.h"

struct rte_pci_device;
struct sluice_pci_hw;

/*
 * Open the device. While it is open it reaches nothing but what is shown through
 * sluice_pci_hw_memory(). Logs what is wrong and the cure; on error nothing stays open.
 */
int sluice_pci_hw_open(struct rte_pci_device *pci, struct sluice_pci_hw **out);
/* Context for dmap_vfio_backend; lives as long as the device is open. */
struct dmap_vfio *sluice_pci_hw_memory(struct sluice_pci_hw *hw);
/* Fine with NULL. The transport does this when it is destroyed. */
void sluice_pci_hw_close(struct sluice_pci_hw *hw);

extern const struct sluice_pci_bar_ops sluice_pci_hw_ops;

#endif /* PCI_HW_H */
