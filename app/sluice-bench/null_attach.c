/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the null device has from librte_vhost's handshake: features, rings, and the memory table, by
 * which addresses are translated.
 */
#include "null_dev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_common.h>

#define HAS(features, bit) (((features) >> (bit)) & 1)

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

static int
ring_attach(struct null_dev *dev, struct null_ring *ring, uint16_t vring_idx)
{
	uint16_t avail, used;

	if (rte_vhost_get_vhost_vring(dev->vid, vring_idx, &ring->vring) != 0 ||
			rte_vhost_get_vring_base(dev->vid, vring_idx, &avail, &used) != 0)
		return -ENODEV;
	ring->size = ring->vring.size;
	if (ring->size == 0 || ring->vring.desc == NULL)
		return -ENODEV;
	ring->is_tx = vring_idx & 1;
	ring->avail_wrap = ring->used_wrap = true;
	if (dev->is_packed) {
		/* librte_vhost reports the wrap counter in bit 15 */
		ring->avail_wrap = avail >> 15;
		ring->used_wrap = used >> 15;
		avail &= 0x7fff;
		used &= 0x7fff;
	}
	ring->avail_idx = ring->avail_seen = avail;
	ring->used_idx = used;
	ring->nb_shadow = 0;
	/* nobody sleeps here, so nobody needs to be woken */
	return rte_vhost_enable_guest_notification(dev->vid, vring_idx, 0) == 0 ? 0 : -ENODEV;
}

int
null_dev_attach(struct null_dev *dev, int vid, uint16_t nb_pairs, const void *frame,
		uint32_t frame_len)
{
	int ret = 0;
	uint16_t i;

	memset(dev, 0, sizeof(*dev));
	dev->vid = vid;
	dev->nb_pairs = nb_pairs;
	memcpy(dev->frame, frame, RTE_MIN(frame_len, (uint32_t)NULL_MAX_FRAME));
	if (rte_vhost_get_negotiated_features(vid, &dev->features) != 0 ||
			rte_vhost_get_mem_table(vid, &dev->mem) != 0)
		return -ENODEV;
	dev->is_packed = HAS(dev->features, VIRTIO_F_RING_PACKED);
	dev->is_in_order = HAS(dev->features, VIRTIO_F_IN_ORDER);
	dev->is_mergeable = HAS(dev->features, VIRTIO_NET_F_MRG_RXBUF);
	/* virtio 1.2, 5.1.6.1: num_buffers exists always with VERSION_1, else only if mergeable */
	dev->hdr_len = dev->is_mergeable || HAS(dev->features, VIRTIO_F_VERSION_1) ?
			sizeof(struct virtio_net_hdr_mrg_rxbuf) :
			sizeof(struct virtio_net_hdr);
	for (i = 0; i < nb_pairs && ret == 0; i++) {
		ret = ring_attach(dev, &dev->rx[i], 2 * i);
		if (ret == 0)
			ret = ring_attach(dev, &dev->tx[i], 2 * i + 1);
	}
	if (ret != 0)
		null_dev_detach(dev);
	else
		null_dev_kicks(dev); /* those of the start-up do not count */
	return ret;
}

static int
ring_refresh(const struct null_dev *dev, struct null_ring *ring, uint16_t vring_idx)
{
	if (rte_vhost_get_vhost_vring(dev->vid, vring_idx, &ring->vring) != 0 ||
			ring->vring.desc == NULL || ring->vring.size != ring->size)
		return -ENODEV;
	return 0;
}

int
null_dev_refresh(struct null_dev *dev)
{
	int ret = 0;
	uint16_t i;

	free(dev->mem);
	dev->mem = NULL;
	dev->last.size = 0;
	if (rte_vhost_get_mem_table(dev->vid, &dev->mem) != 0)
		return -ENODEV;
	for (i = 0; i < dev->nb_pairs && ret == 0; i++) {
		ret = ring_refresh(dev, &dev->rx[i], 2 * i);
		if (ret == 0)
			ret = ring_refresh(dev, &dev->tx[i], 2 * i + 1);
	}
	return ret;
}

void
null_dev_detach(struct null_dev *dev)
{
	free(dev->mem);
	dev->mem = NULL;
}

void *
null_dev_find(struct null_dev *dev, uint64_t addr, uint64_t len)
{
	uint32_t i;

	for (i = 0; i < dev->mem->nregions; i++) {
		const struct rte_vhost_mem_region *reg = &dev->mem->regions[i];
		const uint64_t off = addr - reg->guest_phys_addr;

		if (off >= reg->size || len > reg->size - off)
			continue;
		dev->last = (struct null_region){
			.start = reg->guest_phys_addr,
			.size = reg->size,
			.va = (uint8_t *)(uintptr_t)reg->host_user_addr,
		};
		return dev->last.va + off;
	}
	return NULL;
}
