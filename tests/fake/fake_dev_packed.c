/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packed ring, device side (virtio 1.3, 2.8).
 */

#include <stdlib.h>
#include <string.h>

#include "fake_dev.h"
#include "fake_error.h"

#define RING_BITS (SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED)
#define KNOWN_FLAGS (SLUICE_DESC_F_NEXT | SLUICE_DESC_F_WRITE | SLUICE_DESC_F_INDIRECT | RING_BITS)

static bool
is_available(const struct fake_dev *dev)
{
	uint16_t flags = __atomic_load_n(&dev->packed.desc[dev->avail].flags, __ATOMIC_ACQUIRE);
	bool avail = flags & SLUICE_DESC_F_AVAIL, used = flags & SLUICE_DESC_F_USED;

	/* 2.8.1 */
	return avail == dev->avail_wrap && used != dev->avail_wrap;
}

/*
 * 2.8.7: as long as the table says, in order; flags other than WRITE mean nothing and shall be 0.
 */
static void
read_table(struct fake_dev *dev, struct fake_buf *b, const struct sluice_packed_desc *d)
{
	const struct sluice_packed_desc *table;
	uint32_t nb = d->len / sizeof(*d), i;

	if (d->flags & (SLUICE_DESC_F_NEXT | SLUICE_DESC_F_WRITE))
		fake_error("slot %u: INDIRECT with flags 0x%x", b->slot, d->flags);
	table = fake_buf_table(dev, b, d->addr, d->len);
	for (i = 0; table != NULL && i < nb; i++) {
		if (table[i].flags & ~SLUICE_DESC_F_WRITE)
			fake_error("slot %u: flags 0x%x in an indirect table", b->slot,
					table[i].flags);
		fake_buf_add(dev, b, table[i].addr, table[i].len,
				table[i].flags & SLUICE_DESC_F_WRITE);
	}
}

static void
check_interrupt_wish(const struct fake_dev *dev)
{
	uint16_t flags = dev->packed.driver_event->flags;

	/* 2.8.10: DESC only with EVENT_IDX, 3 is reserved. */
	if (flags > SLUICE_EVENT_DESC || (flags == SLUICE_EVENT_DESC && !dev->conf.has_event_idx))
		fake_error("the driver's event flags are 0x%x", flags);
}

/* Take one descriptor at the available position; true if the buffer goes on behind it. */
static bool
read_desc(struct fake_dev *dev, struct fake_buf *b)
{
	const struct sluice_packed_desc *d = &dev->packed.desc[dev->avail];
	uint16_t slot = dev->avail;

	if (dev->nb_slots_held == dev->conf.size) {
		fake_error("slot %u is available while the device has all", slot);
		return false;
	}
	fake_slot_hold(dev, b, slot);
	/* Valid in the last descriptor of a list (2.8.6). */
	b->id = d->id;
	if (++dev->avail == dev->conf.size) {
		dev->avail = 0;
		dev->avail_wrap = !dev->avail_wrap;
	}
	if (d->flags & ~KNOWN_FLAGS)
		fake_error("slot %u: unknown flags 0x%x", slot, d->flags);
	if (d->flags & SLUICE_DESC_F_INDIRECT) {
		/* 2.8.19 */
		if (b->nb_slots != 1)
			fake_error("slot %u: INDIRECT inside of a list", slot);
		read_table(dev, b, d);
		return false;
	}
	fake_buf_add(dev, b, d->addr, d->len, d->flags & SLUICE_DESC_F_WRITE);
	return d->flags & SLUICE_DESC_F_NEXT;
}

struct fake_buf *
fake_packed_fetch(struct fake_dev *dev)
{
	struct fake_buf *b;

	check_interrupt_wish(dev);
	if (!is_available(dev))
		return NULL;
	b = calloc(1, sizeof(*b));
	b->slot = dev->avail;
	while (read_desc(dev, b))
		/* 2.8.17: the first one is made available last. */
		if (!is_available(dev)) {
			fake_error("slot %u belongs to a list and is not available", dev->avail);
			break;
		}
	return b;
}

void
fake_packed_put_used(struct fake_dev *dev, uint32_t id, uint32_t len, uint16_t nb_slots)
{
	struct sluice_packed_desc *d = &dev->packed.desc[dev->used];
	/*
	 * 2.8.6: WRITE says that len counts. The other bits have no meaning; some are set to see
	 * that.
	 */
	uint16_t flags = fake_below(&dev->random, 2) ? SLUICE_DESC_F_NEXT : 0;

	if (len != 0)
		flags |= SLUICE_DESC_F_WRITE;
	if (dev->used_wrap)
		flags |= RING_BITS;
	d->id = id;
	d->len = len;
	__atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
	dev->copy[dev->used].packed = *d;
	if ((uint32_t)dev->used + nb_slots >= dev->conf.size)
		dev->used_wrap = !dev->used_wrap;
	dev->used = ((uint32_t)dev->used + nb_slots) % dev->conf.size;
}
