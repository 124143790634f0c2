/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device side of the packed ring (virtio 1.2, 2.8). With IN_ORDER a batch of transmitted packets
 * is completed by one used descriptor (2.8.9); received ones are written each, because each has a
 * length. The head's flags go last, so a batch appears at once.
 */
#include "null_dev.h"

#include <errno.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#define FLAG_AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define FLAG_USED (1 << VRING_PACKED_DESC_F_USED)

static void
advance(uint16_t *slot, bool *wrap, uint32_t by, uint16_t size)
{
	uint32_t next = *slot + by;

	if (next >= size) {
		next -= size;
		*wrap = !*wrap;
	}
	*slot = next;
}

static bool
is_available(uint16_t flags, bool wrap)
{
	return (flags & (FLAG_AVAIL | FLAG_USED)) == (wrap ? FLAG_AVAIL : FLAG_USED);
}

static int
add_indirect(struct null_dev *dev, const struct null_ring *ring, struct null_buf *buf,
		const struct vring_packed_desc *desc)
{
	const uint32_t nb = desc->len / sizeof(*desc);
	const struct vring_packed_desc *table = null_dev_va(dev, desc->addr, desc->len);
	uint32_t i;
	int ret;

	if (table == NULL || nb == 0 || desc->len % sizeof(*desc) != 0 ||
			(desc->flags & VRING_DESC_F_NEXT)) {
		dev->error = "malformed indirect descriptor";
		return -EINVAL;
	}
	/* virtio 1.2, 2.8.7: the order is that of the table. The direction is the ring's, as in
	 * librte_vhost: what an entry's flags say is not looked at.
	 */
	for (i = 0; i < nb; i++) {
		const struct vring_packed_desc entry = table[i];

		ret = null_buf_add(dev, ring, buf, entry.addr, entry.len,
				ring->is_tx ? 0 : VRING_DESC_F_WRITE);
		if (ret != 0)
			return ret;
	}
	return 0;
}

int
null_packed_pop(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf)
{
	const struct vring_packed_desc *dv_desc = ring->vring.desc_packed;
	uint16_t slot = ring->avail_idx;
	bool wrap = ring->avail_wrap;
	struct vring_packed_desc desc;
	int ret;

	buf->nb_slots = 0;
	buf->nb_seg = 0;
	buf->len = 0;
	do {
		/* pairs with the driver's release of the head's flags (virtio 1.2, 2.8.21.1) */
		const uint16_t flags = __atomic_load_n(&dv_desc[slot].flags, __ATOMIC_ACQUIRE);

		if (buf->nb_slots == ring->size || !is_available(flags, wrap)) {
			if (buf->nb_slots == 0)
				return 0;
			dev->error = "descriptor chain not available to its end";
			return -EINVAL;
		}
		desc = dv_desc[slot];
		desc.flags = flags;
		if (flags & VRING_DESC_F_INDIRECT)
			ret = add_indirect(dev, ring, buf, &desc);
		else
			ret = null_buf_add(dev, ring, buf, desc.addr, desc.len, flags);
		if (ret != 0)
			return ret;
		buf->nb_slots++;
		advance(&slot, &wrap, 1, ring->size);
	} while (desc.flags & VRING_DESC_F_NEXT);
	buf->id = desc.id; /* virtio 1.2, 2.8.6: the last descriptor's id is the buffer's */
	ring->avail_idx = slot;
	ring->avail_wrap = wrap;
	return 1;
}

void
null_packed_prefetch(struct null_dev *dev, const struct null_ring *ring, uint32_t nb)
{
	const struct vring_packed_desc *dv_desc = ring->vring.desc_packed;
	uint16_t slot = ring->avail_idx;
	bool wrap = ring->avail_wrap;
	uint32_t i;

	for (i = 0; i < nb && is_available(dv_desc[slot].flags, wrap); i++) {
		rte_prefetch0(null_dev_va(dev, dv_desc[slot].addr, 1));
		advance(&slot, &wrap, 1, ring->size);
	}
}

static uint16_t
used_flags(bool wrap, uint32_t written)
{
	return (wrap ? FLAG_AVAIL | FLAG_USED : 0) | (written != 0 ? VRING_DESC_F_WRITE : 0);
}

/* One used descriptor for the whole batch: id of the last buffer, at the place of the first. */
static void
flush_in_order(struct null_ring *ring)
{
	struct vring_packed_desc *dv_desc = &ring->vring.desc_packed[ring->used_idx];
	const uint16_t flags = used_flags(ring->used_wrap, 0);
	uint32_t slots = 0;
	uint16_t i;

	for (i = 0; i < ring->nb_shadow; i++)
		slots += ring->used_shadow[i].nb_slots;
	dv_desc->id = ring->used_shadow[ring->nb_shadow - 1].id;
	dv_desc->len = 0;
	__atomic_store_n(&dv_desc->flags, flags, __ATOMIC_RELEASE);
	advance(&ring->used_idx, &ring->used_wrap, slots, ring->size);
}

void
null_packed_flush(const struct null_dev *dev, struct null_ring *ring)
{
	struct vring_packed_desc *dv_desc = ring->vring.desc_packed;
	const uint16_t head = ring->used_idx;
	const uint16_t head_flags = used_flags(ring->used_wrap, ring->used_shadow[0].written);
	uint16_t i;

	if (ring->is_tx && dev->is_in_order) {
		flush_in_order(ring);
		return;
	}
	for (i = 0; i < ring->nb_shadow; i++) {
		const struct null_used *shadow = &ring->used_shadow[i];
		struct vring_packed_desc *dv = &dv_desc[ring->used_idx];

		dv->id = shadow->id;
		dv->len = shadow->written;
		/* id and length before the flags; pairs with the driver's acquire of the flags */
		if (i != 0)
			__atomic_store_n(&dv->flags, used_flags(ring->used_wrap, shadow->written),
					__ATOMIC_RELEASE);
		advance(&ring->used_idx, &ring->used_wrap, shadow->nb_slots, ring->size);
	}
	/* the batch becomes visible here: a driver looks at the head first */
	__atomic_store_n(&dv_desc[head].flags, head_flags, __ATOMIC_RELEASE);
}

uint16_t
null_packed_run(struct null_dev *dev, struct null_ring *ring, struct null_run *run)
{
	const bool is_batch = ring->is_tx && dev->is_in_order;
	const uint16_t size = ring->size, head = ring->avail_idx;
	struct vring_packed_desc *dv_desc = ring->vring.desc_packed;
	uint16_t want = (ring->is_tx ? 0 : VRING_DESC_F_WRITE) |
			(ring->avail_wrap ? FLAG_AVAIL : FLAG_USED);
	uint16_t used = used_flags(ring->used_wrap, run->written);
	const uint16_t head_flags = used;
	struct null_region reg = dev->last;
	uint16_t slot = head, id = 0, nb;
	uint64_t bytes = 0;

	/* a driver writes a burst's head last, so the lines behind it are there */
	if (!is_batch && dv_desc[slot].flags == want)
		null_prefetch_write(&dv_desc[slot],
				RTE_MIN(run->nb_max, size - slot) * sizeof(*dv_desc));
	for (nb = 0; nb < run->nb_max; nb++) {
		struct vring_packed_desc *dv = &dv_desc[slot];
		/* as in pop */
		const uint16_t flags = __atomic_load_n(&dv->flags, __ATOMIC_ACQUIRE);
		const uint64_t addr = dv->addr;
		const uint32_t len = dv->len;

		if (flags != want) {
			run->is_over = !is_available(flags, (want & FLAG_AVAIL) != 0);
			break;
		}
		if (unlikely(!null_run_takes(dev, &reg, run, addr, len)))
			break;
		id = dv->id;
		bytes += len;
		if (!is_batch) {
			dv->len = run->written;
			/* as in flush: the length before the flags, the head's flags last */
			if (nb != 0)
				__atomic_store_n(&dv->flags, used, __ATOMIC_RELEASE);
		}
		if (++slot == size) {
			slot = 0;
			want ^= FLAG_AVAIL | FLAG_USED;
			used ^= FLAG_AVAIL | FLAG_USED;
		}
	}
	if (nb == 0)
		return 0;
	if (is_batch) {
		dv_desc[head].id = id;
		dv_desc[head].len = 0;
	}
	__atomic_store_n(&dv_desc[head].flags, head_flags, __ATOMIC_RELEASE);
	ring->bytes += bytes;
	advance(&ring->avail_idx, &ring->avail_wrap, nb, size);
	advance(&ring->used_idx, &ring->used_wrap, nb, size);
	return nb;
}
