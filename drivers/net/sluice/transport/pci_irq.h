/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Interrupts of a virtio PCI device (4.1.5.1.2): vector 0 for the device itself, and one for each
 * receive queue as far as vectors go. With port->lock held. All log what went wrong.
 */

#ifndef PCI_IRQ_H
#define PCI_IRQ_H

#include "pci_regs.h"

struct pci_irq {
	int event_fd; /* written when the device interrupts */
	bool is_on;
	uint16_t nb_queue_vectors; /* of receive queues, from vector 1 on */
};

/* fds: of nb receive queues; they stay valid until interrupts are stopped. No message of ours. */
int sluice_pci_irq_start(
		const struct pci_device *dev, struct pci_irq *irq, const int *fds, uint16_t nb);
/* The same instead of what was on before. */
int sluice_pci_irq_set(
		const struct pci_device *dev, struct pci_irq *irq, const int *fds, uint16_t nb);
/* Which vector a virtqueue has that is not enabled yet. */
int sluice_pci_irq_map(const struct pci_device *dev, const struct pci_irq *irq,
		const struct sluice_vq_setup *vq);

#endif /* PCI_IRQ_H */
