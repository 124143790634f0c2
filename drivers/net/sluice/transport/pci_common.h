/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Conversations with a device through its registers: each ends by a deadline or after a number of
 * tries.
 */

#ifndef PCI_COMMON_H
#define PCI_COMMON_H

#include "pci_regs.h"

/* What all bits 1 mean where no register can have them: nobody answers on the bus. */
#define PCI_STATUS_GONE 0xff

uint8_t sluice_pci_status(const struct pci_device *dev);
/* Set more bits of the status; none is ever cleared (2.1.1). */
void sluice_pci_add_status(const struct pci_device *dev, uint8_t bits);
/*
 * Status 0, and wait until the device agrees (4.1.4.3.2), as long as the transport allows.
 * -ETIMEDOUT, -ENODEV.
 */
int sluice_pci_reset(const struct pci_device *dev, const struct sluice_transport *t);

sluice_features sluice_pci_read_features(const struct pci_device *dev);
/* Driver features and FEATURES_OK (3.1.1). Logs what the device did not accept. */
int sluice_pci_accept_features(const struct pci_device *dev, sluice_features features);

/* Device configuration as far as the features say that it is there; bounded tries (2.5.1). */
int sluice_pci_read_info(const struct pci_device *dev, struct sluice_device_info *info);
void sluice_pci_read_state(const struct pci_device *dev, sluice_features features,
		struct sluice_device_state *state);

/* What a virtqueue looks like after reset. size 0: it does not exist. */
struct pci_vq {
	uint16_t size;
	uint16_t notify_off;
};
struct pci_vq sluice_pci_read_vq(const struct pci_device *dev, uint16_t vq);
/*
 * Give the device its rings. now is what the registers must still say; notify_len is what a
 * notification writes, 2 or 4 bytes. Returns where to write it, relative to its BAR, in *notify_at.
 */
int sluice_pci_enable_vq(const struct pci_device *dev, const struct sluice_vq_setup *vq,
		const struct pci_vq *expected, uint8_t notify_len, uint64_t *notify_at);

/*
 * Have the device forget a virtqueue (4.1.4.3.2), and wait until it says so, as long as the
 * transport allows. The next thing is to enable it anew. -ETIMEDOUT, -ENODEV.
 */
int sluice_pci_reset_vq(
		const struct pci_device *dev, const struct sluice_transport *t, uint16_t vq);

/*
 * Have a virtqueue, which is not enabled yet, or configuration changes use an interrupt vector, or
 * SLUICE_MSIX_NO_VECTOR (4.1.5.1.2). False: the device could not.
 */
bool sluice_pci_map_vq_vector(const struct pci_device *dev, uint16_t vq, uint16_t vector);
bool sluice_pci_map_config_vector(const struct pci_device *dev, uint16_t vector);

#endif /* PCI_COMMON_H */
