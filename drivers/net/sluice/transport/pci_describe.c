/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdio.h>
#include <string.h>

#include "pci_describe.h"

/* Configuration space of every PCI device. */
#define CONFIG_VENDOR 0x00
#define CONFIG_REVISION 0x08

/* How wide the fields of the device configuration are, at the offset of each (5.1.4). */
static const uint8_t config_widths[24] = {
	[0] = 1,
	[1] = 1,
	[2] = 1,
	[3] = 1,
	[4] = 1,
	[5] = 1, /* MAC address */
	[6] = 2,
	[8] = 2,
	[10] = 2, /* status, pairs, MTU */
	[12] = 4,
	[16] = 1, /* speed, duplex */
	[17] = 1,
	[18] = 2,
	[20] = 4, /* RSS: key, table, hash types */
};

/* No device of ours has more; one that is gone says that it has 65535. */
#define VQS_MAX 1024

void
sluice_pci_describe(const struct pci_device *dev, char *buf, size_t len)
{
	uint16_t ids[2] = { 0 };
	uint8_t revision = 0;

	dev->ops->read_config(dev->ctx, ids, sizeof(ids), CONFIG_VENDOR);
	dev->ops->read_config(dev->ctx, &revision, sizeof(revision), CONFIG_REVISION);
	snprintf(buf, len, "virtio 1 PCI %04x:%04x rev %u", ids[0], ids[1], revision);
}

/* Where words go, or are only counted. */
struct sheet {
	uint32_t *out;
	unsigned int room, nb;
};

static void
put(struct sheet *s, uint32_t word)
{
	if (s->nb < s->room)
		s->out[s->nb] = word;
	s->nb++;
}

static void
put_config(struct sheet *s, const struct pci_device *dev, uint32_t at)
{
	uint32_t word = 0, i;

	for (i = at; i < at + 4; i += config_widths[i])
		word |= pci_read(dev, &dev->caps.device, i, config_widths[i]) << 8 * (i - at);
	put(s, word);
}

/* A word of fields of one width each (4.1.3.1). */
static void
put_fields(struct sheet *s, const struct pci_device *dev, const struct pci_cap_region *w,
		uint32_t at, uint8_t width)
{
	uint32_t word = 0, i;

	for (i = 0; i < 4; i += width)
		word |= pci_read(dev, w, at + i, width) << 8 * i;
	put(s, word);
}

static void
put_common(struct sheet *s, const struct pci_device *dev)
{
	const struct pci_cap_region *w = &dev->caps.common;
	uint32_t at, word;

	for (at = PCI_COMMON_DEVICE_FEATURE_SELECT32; at < PCI_COMMON_CONFIG_MSIX_VECTOR16; at += 4)
		put_fields(s, dev, w, at, 4);
	put_fields(s, dev, w, PCI_COMMON_CONFIG_MSIX_VECTOR16, 2);
	word = pci_common_read8(dev, PCI_COMMON_DEVICE_STATUS8);
	word |= (uint32_t)pci_common_read8(dev, PCI_COMMON_CONFIG_GENERATION8) << 8;
	word |= (uint32_t)pci_common_read16(dev, PCI_COMMON_QUEUE_SELECT16) << 16;
	put(s, word);
}

static void
put_vq(struct sheet *s, const struct pci_device *dev, uint16_t vq)
{
	const struct pci_cap_region *w = &dev->caps.common;
	uint32_t at;

	pci_common_write16(dev, PCI_COMMON_QUEUE_SELECT16, vq);
	for (at = PCI_COMMON_QUEUE_SIZE16; at < PCI_COMMON_QUEUE_DESC64; at += 4)
		put_fields(s, dev, w, at, 2);
	for (; at < PCI_COMMON_LEN; at += 4)
		put_fields(s, dev, w, at, 4);
}

unsigned int
sluice_pci_read_regs(const struct pci_device *dev, uint32_t *out, unsigned int nb)
{
	const struct pci_cap_region *w = &dev->caps.device;
	struct sheet s = { .out = out, .room = nb };
	uint16_t selected, vq, nb_vqs;
	uint32_t at;

	nb_vqs = pci_common_read16(dev, PCI_COMMON_NUM_QUEUES16);
	put_common(&s, dev);
	for (at = 0; at < RTE_DIM(config_widths) && at + 4 <= w->len; at += 4)
		put_config(&s, dev, at);
	selected = pci_common_read16(dev, PCI_COMMON_QUEUE_SELECT16);
	for (vq = 0; nb_vqs <= VQS_MAX && vq < nb_vqs; vq++)
		put_vq(&s, dev, vq);
	pci_common_write16(dev, PCI_COMMON_QUEUE_SELECT16, selected);
	return s.nb;
}
