/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Registers of the virtqueue that is selected (virtio 1.3, 4.1.4.3), of struct fake_pci; at: where
 * they are in the common configuration.
 */

#ifndef FAKE_PCI_VQ_H
#define FAKE_PCI_VQ_H

#include "fake_pci.h"

/* All of them, by a reset of the device. */
void fake_pci_vq_reset_all(struct fake_pci *f);
uint32_t fake_pci_vq_read(struct fake_pci *f, uint64_t at);
void fake_pci_vq_write(struct fake_pci *f, uint64_t at, uint32_t value);

#endif /* FAKE_PCI_VQ_H */
