/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What is done to a device's rings between its turns: lines evicted, doorbells read. */
#include "null_dev.h"

#include <poll.h>
#include <unistd.h>

#include <rte_common.h>

#ifdef RTE_ARCH_X86
#include <immintrin.h>
#endif

static void
flush_range(const void *start, size_t len)
{
#ifdef RTE_ARCH_X86
	const char *p = start;
	size_t off;

	for (off = 0; off < len; off += RTE_CACHE_LINE_SIZE)
		_mm_clflush(p + off);
	_mm_mfence();
#else
	RTE_SET_USED(start);
	RTE_SET_USED(len);
#endif
}

static void
ring_flush_lines(const struct null_dev *dev, const struct null_ring *ring)
{
	const size_t size = ring->size;

	flush_range(ring->vring.desc, size * sizeof(struct vring_desc));
	if (dev->is_packed)
		return;
	flush_range(ring->vring.avail, sizeof(struct vring_avail) + size * sizeof(uint16_t));
	flush_range(ring->vring.used,
			sizeof(struct vring_used) + size * sizeof(struct vring_used_elem));
}

void
null_dev_flush_rings(struct null_dev *dev)
{
	uint16_t i;

	for (i = 0; i < dev->nb_pairs; i++) {
		ring_flush_lines(dev, &dev->rx[i]);
		ring_flush_lines(dev, &dev->tx[i]);
	}
}

static uint64_t
ring_kicks(const struct null_ring *ring)
{
	struct pollfd pfd = { .fd = ring->vring.kickfd, .events = POLLIN };
	uint64_t count = 0;

	/* librte_vhost does not read the eventfd of a raw vring, so its counter is the number */
	if (pfd.fd < 0 || poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLIN))
		return 0;
	return read(pfd.fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

uint64_t
null_dev_kicks(struct null_dev *dev)
{
	uint64_t nb = 0;
	uint16_t i;

	for (i = 0; i < dev->nb_pairs; i++)
		nb += ring_kicks(&dev->rx[i]) + ring_kicks(&dev->tx[i]);
	return nb;
}
