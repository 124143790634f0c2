/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A virtio-net device on the PCI bus, as far as its registers go: what the PCI transport touches
 * through struct sluice_pci_bar_ops. As the device it checks what a driver must keep to (virtio
 * 1.3, 3.1.1, 4.1.4): access widths, who may write what, the order of status bits, complete queues
 * before they are enabled, no notification before DRIVER_OK. What breaks a rule is a fake_error().
 * And it lies when it is told to.
 */

#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice_transport.h"

#define FAKE_PCI_QUEUES_MAX 64
/* Where a well-behaved device has its structures. */
#define FAKE_PCI_BAR 4
#define FAKE_PCI_BAR_LEN 0x4000
#define FAKE_PCI_MSIX_BAR 1
#define FAKE_PCI_COMMON 0x0000
#define FAKE_PCI_ISR 0x1000
#define FAKE_PCI_DEVICE 0x2000
#define FAKE_PCI_NOTIFY 0x3000
#define FAKE_PCI_PART_LEN 0x1000
/* Capabilities of struct virtio_pci_cap in configuration space, and that of MSI-X. */
#define FAKE_PCI_CAP_COMMON 0x40
#define FAKE_PCI_CAP_NOTIFY 0x50
#define FAKE_PCI_CAP_ISR 0x64
#define FAKE_PCI_CAP_DEVICE 0x74
#define FAKE_PCI_CAP_MSIX 0x84
#define FAKE_PCI_CAP_SPARE 0xa0

#define FAKE_PCI_FEATURES \
	(SLUICE_BIT(SLUICE_F_VERSION_1) | SLUICE_BIT(SLUICE_F_ACCESS_PLATFORM) | \
			SLUICE_BIT(SLUICE_NET_F_MAC) | SLUICE_BIT(SLUICE_NET_F_STATUS) | \
			SLUICE_BIT(SLUICE_NET_F_MTU) | SLUICE_BIT(SLUICE_NET_F_MQ) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX) | \
			SLUICE_BIT(SLUICE_F_NOTIFICATION_DATA) | SLUICE_BIT(SLUICE_F_RING_RESET))

struct fake_pci_queue {
	uint16_t size_max; /* 0: does not exist */
	uint16_t size;
	uint16_t notify_off;
	uint16_t msix_vector;
	bool is_enabled;
	unsigned int nb_resets; /* of this queue, by queue_reset */
	uint32_t addr[6];       /* desc, driver, device; low half first */
	uint8_t written;        /* a bit per half */
};

struct fake_pci {
	/* what it is; set before it is used */
	uint8_t config[512];
	bool is_express;  /* and not conventional: what is behind 256 bytes is there, too */
	int config_error; /* of each read of it */
	uint64_t bar_len[6];
	sluice_features features;
	uint16_t num_queues;
	struct fake_pci_queue queues[FAKE_PCI_QUEUES_MAX];
	uint8_t net[64]; /* device configuration */
	/* lies and troubles */
	bool is_gone;                /* all bits 1 */
	unsigned int reset_reads;    /* status reads until a reset is done; UINT32_MAX: never */
	unsigned int vq_reset_reads; /* as reset_reads, of a queue's reset; UINT32_MAX: never */
	bool keeps_enabled;          /* a queue, when it is reset */
	bool refuses_features;
	sluice_features insists_on; /* does not go on without these features */
	bool forgets_features;      /* offers nothing once it was reset again */
	bool is_restless;           /* configuration generation changes with each read */
	unsigned int nb_restless;   /* this many times */
	bool shrinks;               /* queue size is another at each look */
	bool keeps_size;            /* does not take a smaller one */
	uint16_t nb_vectors_kept;   /* those from this one on read back as 0xffff */
	uint8_t status_at_start;    /* more bits that come with DRIVER_OK */
	bool has_no_irq;
	uint16_t nb_host_vectors; /* for queues; the machine has no more */
	int file; /* of which BARs could be mapped, number n from n << 40 on; -errno */
	/* what happened */
	uint8_t status;
	unsigned int nb_pending;    /* status reads until the reset under way is done */
	unsigned int nb_vq_pending; /* reads of queue_reset until it is done */
	uint8_t generation;
	sluice_features driver_features;
	uint32_t feature_select[2];
	uint16_t queue_select;
	uint16_t config_vector;
	unsigned int nb_resets;
	unsigned int nb_closes;
	unsigned int nb_stops; /* from outside */
	bool is_running;       /* may master the bus */
	bool has_irq;
	bool is_intx;
	struct sluice_pci_irqs irqs;
	uint32_t bell[FAKE_PCI_PART_LEN / 4]; /* the notification structure */
};

extern const struct sluice_pci_bar_ops fake_pci_ops;

/* A device that does everything right: 4 queue pairs, a control queue, MSI-X. */
void fake_pci_init(struct fake_pci *f);
/* Write one capability of virtio's; next in the list is where it is said to be. */
void fake_pci_cap(struct fake_pci *f, uint8_t at, uint8_t next, uint8_t type, uint8_t bar,
		uint32_t offset, uint32_t length);
/* By vector 0, or the only interrupt that there is. */
void fake_pci_interrupt(struct fake_pci *f);
/* As the device does for a virtqueue that runs; false: it has no vector that goes anywhere. */
bool fake_pci_interrupt_vq(struct fake_pci *f, uint16_t vq);

#endif /* FAKE_PCI_H */
