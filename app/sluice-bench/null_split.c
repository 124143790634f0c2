/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device side of the split ring (virtio 1.2, 2.7). Every used entry is written, also with
 * IN_ORDER, as librte_vhost does: both sides of a comparison meet the device they meet in life.
 */
#include "null_dev.h"

#include <errno.h>

#include <rte_common.h>
#include <rte_prefetch.h>

static int
chain_walk(struct null_dev *dev, const struct null_ring *ring, struct null_buf *buf, uint16_t head)
{
	const struct vring_desc *table = ring->vring.desc;
	uint32_t nb = ring->size;
	uint32_t slot = head;
	struct vring_desc desc = table[slot];
	uint32_t walked;

	if (desc.flags & VRING_DESC_F_INDIRECT) {
		/* virtio 1.2, 2.7.5.3.1: the table's length is a multiple of a descriptor's */
		nb = desc.len / sizeof(desc);
		table = null_dev_va(dev, desc.addr, desc.len);
		if (table == NULL || nb == 0 || desc.len % sizeof(desc) != 0 ||
				(desc.flags & VRING_DESC_F_NEXT)) {
			dev->error = "malformed indirect descriptor";
			return -EINVAL;
		}
		desc = table[slot = 0];
	}
	for (walked = 0; walked < nb; walked++) {
		int ret = null_buf_add(dev, ring, buf, desc.addr, desc.len, desc.flags);

		if (ret != 0)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		slot = desc.next;
		if (slot >= nb)
			break;
		desc = table[slot];
	}
	dev->error = "descriptor chain leaves its table or does not end";
	return -EINVAL;
}

/*
 * Buffers that the driver made available, at least `wanted` if there are so many. Its index is read
 * only when fewer are known: each look at that line takes it from the driver, which is about to
 * write it. Negative: it broke a rule.
 */
static int
backlog(struct null_dev *dev, struct null_ring *ring, uint16_t wanted)
{
	uint16_t nb = ring->avail_seen - ring->avail_idx;

	if (nb >= wanted)
		return nb;
	/* pairs with the driver's release of avail->idx (virtio 1.2, 2.7.13.3) */
	ring->avail_seen = __atomic_load_n(&ring->vring.avail->idx, __ATOMIC_ACQUIRE);
	nb = ring->avail_seen - ring->avail_idx;
	if (nb <= ring->size)
		return nb;
	dev->error = "available index ran ahead of the ring";
	return -EINVAL;
}

int
null_split_pop(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf)
{
	const struct vring_avail *dv_avail = ring->vring.avail;
	uint16_t head;
	int ret = backlog(dev, ring, 1);

	if (ret <= 0)
		return ret;
	head = dv_avail->ring[ring->avail_idx & (ring->size - 1)];
	if (head >= ring->size) {
		dev->error = "available entry out of range";
		return -EINVAL;
	}
	buf->id = head;
	buf->nb_slots = 1;
	buf->nb_seg = 0;
	buf->len = 0;
	ret = chain_walk(dev, ring, buf, head);
	if (ret != 0)
		return ret;
	ring->avail_idx++;
	return 1;
}

void
null_split_prefetch(struct null_dev *dev, const struct null_ring *ring, uint32_t nb)
{
	const uint16_t ahead = ring->avail_seen - ring->avail_idx;
	uint32_t i;

	for (i = 0; i < RTE_MIN(nb, (uint32_t)ahead); i++) {
		const uint16_t slot = (uint16_t)(ring->avail_idx + i) & (ring->size - 1);
		const uint16_t head = ring->vring.avail->ring[slot];

		/* an entry that is wrong is found out when it is taken */
		if (head < ring->size)
			rte_prefetch0(null_dev_va(dev, ring->vring.desc[head].addr, 1));
	}
}

void
null_split_flush(struct null_ring *ring)
{
	struct vring_used *dv_used = ring->vring.used;
	uint16_t i;

	for (i = 0; i < ring->nb_shadow; i++) {
		const struct null_used *shadow = &ring->used_shadow[i];
		const uint16_t slot = (uint16_t)(ring->used_idx + i) & (ring->size - 1);

		dv_used->ring[slot].id = shadow->id;
		dv_used->ring[slot].len = shadow->written;
	}
	ring->used_idx += ring->nb_shadow;
	/* the entries before the index; pairs with the driver's acquire of used->idx */
	__atomic_store_n(&dv_used->idx, ring->used_idx, __ATOMIC_RELEASE);
}

uint16_t
null_split_run(struct null_dev *dev, struct null_ring *ring, struct null_run *run)
{
	const uint16_t size = ring->size, flags = ring->is_tx ? 0 : VRING_DESC_F_WRITE;
	const uint16_t avail_idx = ring->avail_idx, used_idx = ring->used_idx;
	const struct vring_avail *dv_avail = ring->vring.avail;
	const struct vring_desc *dv_desc = ring->vring.desc;
	struct vring_used *dv_used = ring->vring.used;
	const int nb = RTE_MIN(backlog(dev, ring, run->nb_max), (int)run->nb_max);
	struct null_region reg = dev->last;
	uint64_t bytes = 0;
	const uint16_t first = used_idx & (size - 1);
	int i;

	if (nb > 0)
		null_prefetch_write(&dv_used->ring[first],
				RTE_MIN(nb, size - first) * sizeof(dv_used->ring[0]));
	for (i = 0; i < nb; i++) {
		const uint16_t head = dv_avail->ring[(avail_idx + i) & (size - 1)];
		struct vring_desc desc;

		if (unlikely(head >= size))
			break;
		desc = dv_desc[head];
		if (unlikely(desc.flags != flags) ||
				unlikely(!null_run_takes(dev, &reg, run, desc.addr, desc.len)))
			break;
		dv_used->ring[(used_idx + i) & (size - 1)] = (struct vring_used_elem){
			.id = head,
			.len = run->written,
		};
		bytes += desc.len;
	}
	run->is_over = i == nb && nb < run->nb_max;
	if (i <= 0)
		return 0;
	ring->avail_idx += i;
	ring->used_idx += i;
	ring->bytes += bytes;
	/* as in flush */
	__atomic_store_n(&dv_used->idx, ring->used_idx, __ATOMIC_RELEASE);
	return i;
}
