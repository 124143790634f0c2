/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The walk through the capabilities (virtio 1.3, 4.1.4). All of it is written by the device, so
 * nothing is used before it was checked: where a capability lies, how long it says it is, which
 * piece of which BAR it names. Unknown types and BARs are skipped, as the specification wants
 * (4.1.4.1); what is known and makes no sense ends the probe.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "pci_regs.h"
#include "sluice_log.h"

/* PCI configuration space (PCI 3.0, 6.1, 6.7, 6.8.2). */
#define CONFIG_LEN 256
#define CONFIG_STATUS 0x06
#define CONFIG_STATUS_CAP_LIST 0x10
#define CONFIG_CAP_POINTER 0x34
#define CONFIG_CAP_FIRST 0x40
#define CAP_ID_VENDOR 0x09
#define CAP_ID_MSIX 0x11
#define CAPS_MAX ((CONFIG_LEN - CONFIG_CAP_FIRST) / 4)
#define MSIX_CAP_LEN 12
#define MSIX_ENTRY_LEN 16
/* Extended capabilities (PCI Express 5.0, 7.6, 10.5.1): id in 16 bits, version in 4, next in 12. */
#define EXT_CAP_FIRST 0x100
#define EXT_CAPS_MAX ((4096 - EXT_CAP_FIRST) / 4)
#define EXT_CAP_ID_ATS 0x000f
#define ATS_CONTROL 6
#define ATS_CONTROL_ENABLE 0x8000

/* struct virtio_pci_cap (4.1.4). */
#define CAP_NEXT 1
#define CAP_LEN 2
#define CAP_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_MULTIPLIER 16
#define CAP_MIN_LEN 16
#define CAP_NOTIFY_MIN_LEN 20
#define BAR_MAX 5

enum cap_type { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4 };

static const char *const type_names[] = {
	[CAP_COMMON] = "common configuration",
	[CAP_NOTIFY] = "notification",
	[CAP_ISR] = "interrupt status",
	[CAP_DEVICE] = "device configuration",
};

/* Shortest useful structure, and its alignment (4.1.4.3.1, 4.1.4.4.1, 4.1.4.6.1). */
static const struct {
	uint32_t min_len;
	uint32_t align;
} type_limits[] = {
	[CAP_COMMON] = { PCI_COMMON_LEN, 4 },
	[CAP_NOTIFY] = { 2, 2 },
	[CAP_ISR] = { 1, 1 },
	[CAP_DEVICE] = { sizeof(struct sluice_net_config), 4 },
};

static uint32_t
get32(const uint8_t *config, uint32_t at)
{
	uint32_t value;

	memcpy(&value, config + at, sizeof(value));
	return value;
}

static struct pci_cap_region *
window_of(struct pci_caps *l, unsigned int type)
{
	switch (type) {
	case CAP_COMMON:
		return &l->common;
	case CAP_NOTIFY:
		return &l->notify;
	case CAP_ISR:
		return &l->isr;
	case CAP_DEVICE:
		return &l->device;
	default:
		return NULL;
	}
}

static int
refuse(const struct pci_device *dev, const char *what, unsigned int type,
		const struct pci_cap_region *w)
{
	SLUICE_LOG(ERR, "%s: %s capability: %s (BAR %u offset 0x%" PRIx64 " length 0x%" PRIx64 ")",
			dev->name, type_names[type], what, w->bar, w->offset, w->len);
	return -EINVAL;
}

/* One capability of virtio's at cap. */
static int
take_cap(struct pci_device *dev, const uint8_t *config, uint32_t cap)
{
	unsigned int type = config[cap + CAP_TYPE];
	struct pci_cap_region *slot = window_of(&dev->caps, type), w;
	uint8_t cap_len = config[cap + CAP_LEN];
	uint64_t bar_len;

	if (slot == NULL || slot->len != 0)
		/* of no interest, or not the first: the device prefers the first (4.1.4.1) */
		return 0;
	w.bar = cap + CAP_MIN_LEN <= CONFIG_LEN ? config[cap + CAP_BAR] : 0;
	w.offset = cap + CAP_MIN_LEN <= CONFIG_LEN ? get32(config, cap + CAP_OFFSET) : 0;
	w.len = cap + CAP_MIN_LEN <= CONFIG_LEN ? get32(config, cap + CAP_LENGTH) : 0;
	if (cap_len < (type == CAP_NOTIFY ? CAP_NOTIFY_MIN_LEN : CAP_MIN_LEN) ||
			cap + cap_len > CONFIG_LEN)
		return refuse(dev, "too short, or beyond configuration space", type, &w);
	if (w.bar > BAR_MAX)
		return 0; /* reserved (4.1.4.1) */
	bar_len = dev->ops->bar_len(dev->ctx, w.bar);
	if (bar_len == 0)
		return 0; /* an I/O BAR: there is another instance in memory, or none is usable */
	/* Both are 32 bits, so the sum does not wrap in 64. */
	if (w.offset + w.len > bar_len)
		return refuse(dev, "beyond the end of its BAR", type, &w);
	if (w.len < type_limits[type].min_len)
		return refuse(dev, "structure too short", type, &w);
	if (w.offset % type_limits[type].align != 0)
		return refuse(dev, "not aligned", type, &w);
	if (type == CAP_NOTIFY)
		dev->caps.notify_multiplier = get32(config, cap + CAP_MULTIPLIER);
	*slot = w;
	return 0;
}

/* The interrupt table is not ours to touch, and not even mapped on some kernels. */
static void
find_msix(const uint8_t *config, uint32_t cap, struct pci_caps *caps)
{
	uint32_t place;

	if (cap + MSIX_CAP_LEN > CONFIG_LEN)
		return;
	place = get32(config, cap + 4);
	caps->nb_vectors = 1 + ((get32(config, cap) >> 16) & 0x7ff);
	caps->msix.bar = place & 7;
	caps->msix.offset = place & ~7U;
	caps->msix.len = MSIX_ENTRY_LEN * (uint64_t)caps->nb_vectors;
}

static bool
windows_overlap(const struct pci_cap_region *a, const struct pci_cap_region *b)
{
	return a->len != 0 && b->len != 0 && a->bar == b->bar && a->offset < b->offset + b->len &&
			b->offset < a->offset + a->len;
}

static int
check_layout(struct pci_device *dev)
{
	unsigned int a, b;

	for (a = CAP_COMMON; a <= CAP_DEVICE; a++) {
		const struct pci_cap_region *w = window_of(&dev->caps, a);

		if (w->len == 0) {
			SLUICE_LOG(ERR,
					"%s: no usable %s capability: a legacy device, or its structures lie "
					"in an I/O BAR only; a modern one is needed (QEMU: "
					"disable-legacy=on,disable-modern=off)",
					dev->name, type_names[a]);
			return -ENOTSUP;
		}
		if (windows_overlap(w, &dev->caps.msix))
			return refuse(dev, "overlaps the MSI-X table", a, w);
		for (b = CAP_COMMON; b < a; b++)
			if (windows_overlap(w, window_of(&dev->caps, b)))
				return refuse(dev, "overlaps another one", a, w);
	}
	return 0;
}

int
sluice_pci_find_caps(struct pci_device *dev)
{
	uint8_t config[CONFIG_LEN];
	unsigned int nb = 0;
	uint32_t cap;
	int ret;

	memset(&dev->caps, 0, sizeof(dev->caps));
	ret = dev->ops->read_config(dev->ctx, config, sizeof(config), 0);
	if (ret != 0) {
		SLUICE_LOG(ERR, "%s: cannot read PCI configuration space: %s", dev->name,
				strerror(-ret));
		return ret;
	}
	if (get32(config, 0) == UINT32_MAX) {
		SLUICE_LOG(ERR, "%s: the device is gone: all bits of its configuration read 1",
				dev->name);
		return -ENODEV;
	}
	cap = config[CONFIG_STATUS] & CONFIG_STATUS_CAP_LIST ? config[CONFIG_CAP_POINTER] & ~3U : 0;
	/* A list that leads back into itself is longer than there is room for capabilities. */
	for (; cap != 0; cap = config[cap + CAP_NEXT] & ~3U) {
		if (cap < CONFIG_CAP_FIRST || ++nb > CAPS_MAX) {
			SLUICE_LOG(ERR, "%s: the PCI capability list is damaged at 0x%x", dev->name,
					cap);
			return -EINVAL;
		}
		if (config[cap] == CAP_ID_MSIX)
			find_msix(config, cap, &dev->caps);
		if (config[cap] != CAP_ID_VENDOR)
			continue;
		ret = take_cap(dev, config, cap);
		if (ret != 0)
			return ret;
	}
	return check_layout(dev);
}

bool
sluice_pci_has_ats(const struct pci_device *dev)
{
	uint32_t at = EXT_CAP_FIRST, head = 0;
	unsigned int nb;
	uint16_t control;

	/* A conventional device has no such space: reads fail, or give all bits 0 or 1. */
	for (nb = 0; at >= EXT_CAP_FIRST && nb < EXT_CAPS_MAX; nb++, at = head >> 20 & ~3U) {
		if (dev->ops->read_config(dev->ctx, &head, sizeof(head), at) != 0 || head == 0 ||
				head == UINT32_MAX)
			return false;
		if ((head & 0xffff) == EXT_CAP_ID_ATS)
			return dev->ops->read_config(dev->ctx, &control, sizeof(control),
					       at + ATS_CONTROL) == 0 &&
					(control & ATS_CONTROL_ENABLE) != 0;
	}
	return false;
}
