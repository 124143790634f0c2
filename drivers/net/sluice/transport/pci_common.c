/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "net_config.h"
#include "pci_common.h"
#include "sluice_log.h"

#define POLL_US 200
/* A configuration that changes this often while it is read never comes to rest (2.5.1). */
#define CONFIG_TRIES 8

uint8_t
sluice_pci_status(const struct pci_device *dev)
{
	return pci_common_read8(dev, PCI_COMMON_DEVICE_STATUS8);
}

void
sluice_pci_add_status(const struct pci_device *dev, uint8_t bits)
{
	pci_common_write8(dev, PCI_COMMON_DEVICE_STATUS8, sluice_pci_status(dev) | bits);
}

int
sluice_pci_reset(const struct pci_device *dev, const struct sluice_transport *t)
{
	int64_t begin = sluice_clock_ms();
	uint8_t status;

	pci_common_write8(dev, PCI_COMMON_DEVICE_STATUS8, 0);
	while ((status = sluice_pci_status(dev)) != 0) {
		if (status == PCI_STATUS_GONE) {
			SLUICE_LOG(ERR, "%s: reset: the device is gone: all bits of its status read 1",
					dev->name);
			return -ENODEV;
		}
		if (sluice_transport_left(t) == 0) {
			SLUICE_LOG(ERR, "%s: reset: not acknowledged within %d ms (status 0x%02x)",
					dev->name, (int)(sluice_clock_ms() - begin), status);
			return -ETIMEDOUT;
		}
		usleep(POLL_US);
	}
	return 0;
}

/* Bits 0 to 127, of which devices of virtio 1.3 have the first 64: others read as 0 (4.1.4.3). */
#define FEATURE_WORDS 4

sluice_features
sluice_pci_read_features(const struct pci_device *dev)
{
	sluice_features features = 0;
	uint32_t i;

	for (i = 0; i < FEATURE_WORDS; i++) {
		pci_common_write32(dev, PCI_COMMON_DEVICE_FEATURE_SELECT32, i);
		features |= (sluice_features)pci_common_read32(dev, PCI_COMMON_DEVICE_FEATURE32)
				<< 32 * i;
	}
	return features;
}

int
sluice_pci_accept_features(const struct pci_device *dev, sluice_features features)
{
	sluice_features offered = sluice_pci_read_features(dev);
	uint32_t i;

	if (features & ~offered) {
		SLUICE_LOG(ERR, "%s: the device took back features %s that it offered", dev->name,
				sluice_features_text(features & ~offered).text);
		return -EPROTO;
	}
	/* A device that has but 64 may not know the others. */
	for (i = 0; i < (offered >> 64 != 0 ? FEATURE_WORDS : 2); i++) {
		pci_common_write32(dev, PCI_COMMON_DRIVER_FEATURE_SELECT32, i);
		pci_common_write32(dev, PCI_COMMON_DRIVER_FEATURE32, features >> 32 * i);
	}
	sluice_pci_add_status(dev, SLUICE_STATUS_FEATURES_OK);
	if (sluice_pci_status(dev) & SLUICE_STATUS_FEATURES_OK)
		return 0;
	SLUICE_LOG(ERR, "%s: the device refuses features %s of the %s it offers", dev->name,
			sluice_features_text(features).text, sluice_features_text(offered).text);
	return -EPROTO;
}

/*
 * Fields of more than one access belong together only if the generation did not change meanwhile.
 */
static int
read_config(const struct pci_device *dev, struct sluice_net_config *config)
{
	const struct pci_cap_region *w = &dev->caps.device;
	uint8_t before, after;
	unsigned int i, tries;

	for (tries = 0; tries < CONFIG_TRIES; tries++) {
		before = pci_common_read8(dev, PCI_COMMON_CONFIG_GENERATION8);
		for (i = 0; i < sizeof(config->mac); i++)
			config->mac[i] = pci_read(dev, w, i, 1);
		config->status = pci_read(dev, w, offsetof(struct sluice_net_config, status), 2);
		config->max_virtqueue_pairs = pci_read(
				dev, w, offsetof(struct sluice_net_config, max_virtqueue_pairs), 2);
		config->mtu = pci_read(dev, w, offsetof(struct sluice_net_config, mtu), 2);
		after = pci_common_read8(dev, PCI_COMMON_CONFIG_GENERATION8);
		if (before == after)
			return 0;
	}
	SLUICE_LOG(ERR, "%s: the device's configuration changes all the time", dev->name);
	return -EPROTO;
}

static void
read_rss(const struct pci_device *dev, struct sluice_device_info *info)
{
	const struct pci_cap_region *w = &dev->caps.device;

	if (info->features & SLUICE_NET_HASH_FEATURES)
		sluice_net_config_check_rss(dev->name,
				pci_read(dev, w, SLUICE_NET_CONFIG_RSS_KEY, 1),
				pci_read(dev, w, SLUICE_NET_CONFIG_RSS_TABLE, 2),
				pci_read(dev, w, SLUICE_NET_CONFIG_HASH_TYPES, 4), info);
}

int
sluice_pci_read_info(const struct pci_device *dev, struct sluice_device_info *info)
{
	const struct sluice_net_config_who who = { .name = dev->name, .peer = "device" };
	struct sluice_net_config config;
	int ret = read_config(dev, &config);

	if (ret == 0)
		ret = sluice_net_config_check_pairs(&who,
				pci_common_read16(dev, PCI_COMMON_NUM_QUEUES16), &config, info);
	read_rss(dev, info);
	return ret == 0 ? sluice_net_config_check(&who, &config, info) : ret;
}

void
sluice_pci_read_state(const struct pci_device *dev, sluice_features features,
		struct sluice_device_state *state)
{
	const struct pci_cap_region *w = &dev->caps.device;
	uint8_t status = sluice_pci_status(dev);
	uint16_t net_status;

	*state = (struct sluice_device_state){
		.is_gone = status == PCI_STATUS_GONE,
		.needs_reset = status != PCI_STATUS_GONE &&
				(status & SLUICE_STATUS_NEEDS_RESET) != 0,
		.is_link_up = true,
		.speed = UINT32_MAX,
	};
	if (state->is_gone)
		return;
	/* One access each: nothing to tear. */
	if (sluice_has(features, SLUICE_NET_F_STATUS)) {
		net_status = pci_read(dev, w, offsetof(struct sluice_net_config, status), 2);
		state->is_link_up = (net_status & SLUICE_NET_S_LINK_UP) != 0;
		state->wants_announce = (net_status & SLUICE_NET_S_ANNOUNCE) != 0;
	}
	if (sluice_has(features, SLUICE_NET_F_SPEED_DUPLEX)) {
		state->speed = pci_read(dev, w, SLUICE_NET_CONFIG_SPEED, 4);
		state->is_half_duplex = pci_read(dev, w, SLUICE_NET_CONFIG_DUPLEX, 1) == 0;
	}
	if (state->speed > INT32_MAX)
		state->speed = UINT32_MAX; /* unknown (5.1.4) */
}

struct pci_vq
sluice_pci_read_vq(const struct pci_device *dev, uint16_t vq)
{
	struct pci_vq now;

	pci_common_write16(dev, PCI_COMMON_QUEUE_SELECT16, vq);
	now.size = pci_common_read16(dev, PCI_COMMON_QUEUE_SIZE16);
	now.notify_off = pci_common_read16(dev, PCI_COMMON_QUEUE_NOTIFY_OFF16);
	return now;
}

/* The whole write must lie within the structure (4.1.4.4.1). */
static int
find_notify(const struct pci_device *dev, uint16_t vq, uint16_t notify_off, uint8_t notify_len,
		uint64_t *notify_at)
{
	const struct pci_caps *l = &dev->caps;
	uint64_t at = (uint64_t)notify_off * l->notify_multiplier;

	if (at + notify_len > l->notify.len || (l->notify.offset + at) % notify_len != 0) {
		SLUICE_LOG(ERR,
				"%s: virtqueue %u: notification offset %u times %u is no place "
				"in the %" PRIu64 " bytes for notifications",
				dev->name, vq, notify_off, l->notify_multiplier, l->notify.len);
		return -EPROTO;
	}
	*notify_at = l->notify.offset + at;
	return 0;
}

int
sluice_pci_enable_vq(const struct pci_device *dev, const struct sluice_vq_setup *vq,
		const struct pci_vq *expected, uint8_t notify_len, uint64_t *notify_at)
{
	struct pci_vq now = sluice_pci_read_vq(dev, vq->vq);
	int ret;

	if (now.size != expected->size || now.notify_off != expected->notify_off) {
		SLUICE_LOG(ERR, "%s: virtqueue %u: the device changed its mind: size %u was %u",
				dev->name, vq->vq, now.size, expected->size);
		return -EPROTO;
	}
	ret = find_notify(dev, vq->vq, now.notify_off, notify_len, notify_at);
	if (ret != 0)
		return ret;
	pci_common_write16(dev, PCI_COMMON_QUEUE_SIZE16, vq->size);
	if (pci_common_read16(dev, PCI_COMMON_QUEUE_SIZE16) != vq->size) {
		SLUICE_LOG(ERR, "%s: virtqueue %u: the device does not take a size of %u",
				dev->name, vq->vq, vq->size);
		return -EPROTO;
	}
	pci_common_write64(dev, PCI_COMMON_QUEUE_DESC64, vq->desc_da.v);
	pci_common_write64(dev, PCI_COMMON_QUEUE_DRIVER64, vq->driver_da.v);
	pci_common_write64(dev, PCI_COMMON_QUEUE_DEVICE64, vq->device_da.v);
	pci_common_write16(dev, PCI_COMMON_QUEUE_ENABLE16, 1);
	return 0;
}

int
sluice_pci_reset_vq(const struct pci_device *dev, const struct sluice_transport *t, uint16_t vq)
{
	uint16_t is_under_way, is_enabled;

	pci_common_write16(dev, PCI_COMMON_QUEUE_SELECT16, vq);
	pci_common_write16(dev, PCI_COMMON_QUEUE_RESET16, 1);
	for (;;) {
		is_under_way = pci_common_read16(dev, PCI_COMMON_QUEUE_RESET16);
		is_enabled = pci_common_read16(dev, PCI_COMMON_QUEUE_ENABLE16);
		if (is_under_way == 0 && is_enabled == 0)
			return 0;
		if (sluice_pci_status(dev) == PCI_STATUS_GONE) {
			SLUICE_LOG(ERR, "%s: virtqueue %u: reset: the device is gone", dev->name,
					vq);
			return -ENODEV;
		}
		if (sluice_transport_left(t) == 0) {
			SLUICE_LOG(ERR,
					"%s: virtqueue %u: reset: the device does not say that it is done "
					"(queue_reset %u, queue_enable %u)",
					dev->name, vq, is_under_way, is_enabled);
			return -ETIMEDOUT;
		}
		usleep(POLL_US);
	}
}

bool
sluice_pci_map_vq_vector(const struct pci_device *dev, uint16_t vq, uint16_t vector)
{
	pci_common_write16(dev, PCI_COMMON_QUEUE_SELECT16, vq);
	pci_common_write16(dev, PCI_COMMON_QUEUE_MSIX_VECTOR16, vector);
	return pci_common_read16(dev, PCI_COMMON_QUEUE_MSIX_VECTOR16) == vector;
}

bool
sluice_pci_map_config_vector(const struct pci_device *dev, uint16_t vector)
{
	pci_common_write16(dev, PCI_COMMON_CONFIG_MSIX_VECTOR16, vector);
	return pci_common_read16(dev, PCI_COMMON_CONFIG_MSIX_VECTOR16) == vector;
}
