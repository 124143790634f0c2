/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a virtio PCI device is, and what is in its registers, for who looks into trouble.
 */

#ifndef PCI_DESCRIBE_H
#define PCI_DESCRIBE_H

#include "pci_regs.h"

/* Ids and revision; some applications have room for 31 characters. */
void sluice_pci_describe(const struct pci_device *dev, char *buf, size_t len);

/*
 * Words of 32 bits: common configuration (4.1.4.3) but for what belongs to one virtqueue, device
 * configuration (5.1.4), and for each virtqueue that there is the registers that belong to it. None
 * of them changes by being read. Returns how many there are; writes at most nb. With port->lock
 * held, as others select virtqueues, too.
 */
unsigned int sluice_pci_read_regs(const struct pci_device *dev, uint32_t *out, unsigned int nb);

#endif /* PCI_DESCRIBE_H */
