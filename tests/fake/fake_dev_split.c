/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Split ring, device side (virtio 1.3, 2.7).
 */

#include <stdlib.h>
#include <string.h>

#include "fake_dev.h"
#include "fake_error.h"

#define KNOWN_FLAGS (SLUICE_DESC_F_NEXT | SLUICE_DESC_F_WRITE | SLUICE_DESC_F_INDIRECT)

/* 2.7.5.3: a table is a chain of its own, without further tables. */
static void
read_table(struct fake_dev *dev, struct fake_buf *b, const struct sluice_split_desc *d)
{
	const struct sluice_split_desc *table;
	uint32_t nb = d->len / sizeof(*d), i = 0, n;

	if (d->flags & (SLUICE_DESC_F_NEXT | SLUICE_DESC_F_WRITE))
		fake_error("slot %u: INDIRECT with flags 0x%x", b->slot, d->flags);
	table = fake_buf_table(dev, b, d->addr, d->len);
	if (table == NULL)
		return;
	for (n = 0; n < nb; n++) {
		if (table[i].flags & ~(SLUICE_DESC_F_NEXT | SLUICE_DESC_F_WRITE))
			fake_error("slot %u: flags 0x%x in an indirect table", b->slot,
					table[i].flags);
		fake_buf_add(dev, b, table[i].addr, table[i].len,
				table[i].flags & SLUICE_DESC_F_WRITE);
		if (!(table[i].flags & SLUICE_DESC_F_NEXT))
			break;
		/* 2.7.5.3.1 */
		if (dev->conf.is_in_order && table[i].next != i + 1)
			fake_error("slot %u: entry %u of a table is followed by %u", b->slot, i,
					table[i].next);
		i = table[i].next;
		if (i >= nb) {
			fake_error("slot %u: a table of %u entries goes on at %u", b->slot, nb, i);
			return;
		}
	}
	if (n == nb)
		fake_error("slot %u: a table of %u entries has no end", b->slot, nb);
	else if (n + 1 != nb)
		fake_error("slot %u: a table of %u entries uses %u", b->slot, nb, n + 1);
}

static void
read_chain(struct fake_dev *dev, struct fake_buf *b)
{
	uint16_t slot = b->slot;
	const struct sluice_split_desc *d;

	for (;;) {
		if (slot >= dev->conf.size) {
			fake_error("a chain goes to slot %u", slot);
			return;
		}
		if (dev->is_slot_held[slot]) {
			fake_error("slot %u was given while the device has it", slot);
			return;
		}
		d = &dev->split.desc[slot];
		fake_slot_hold(dev, b, slot);
		if (d->flags & ~KNOWN_FLAGS)
			fake_error("slot %u: unknown flags 0x%x", slot, d->flags);
		if (d->flags & SLUICE_DESC_F_INDIRECT) {
			/* 2.7.5.3.1 allows it behind others; this driver has no reason to. */
			if (b->nb_slots != 1)
				fake_error("slot %u: INDIRECT inside of a chain", slot);
			read_table(dev, b, d);
			return;
		}
		fake_buf_add(dev, b, d->addr, d->len, d->flags & SLUICE_DESC_F_WRITE);
		if (!(d->flags & SLUICE_DESC_F_NEXT))
			return;
		/* 2.7.5.2 */
		if (dev->conf.is_in_order && d->next != (slot + 1) % dev->conf.size)
			fake_error("slot %u is followed by %u although IN_ORDER", slot, d->next);
		slot = d->next;
	}
}

static void
check_interrupt_wish(const struct fake_dev *dev)
{
	uint16_t flags = dev->split.avail->flags;

	/* 2.7.7.1 */
	if (flags > 1 || (dev->conf.has_event_idx && flags != 0))
		fake_error("avail.flags is 0x%x%s", flags,
				dev->conf.has_event_idx ? " with EVENT_IDX" : "");
}

struct fake_buf *
fake_split_fetch(struct fake_dev *dev)
{
	uint16_t idx = __atomic_load_n(&dev->split.avail->idx, __ATOMIC_ACQUIRE);
	uint16_t nb = idx - dev->avail, slot;
	struct fake_buf *b;

	check_interrupt_wish(dev);
	if (nb == 0)
		return NULL;
	if (nb > dev->conf.size - dev->nb_held) {
		fake_error("avail.idx went from %u to %u: %u buffers, %u are held, size %u",
				dev->avail, idx, nb, dev->nb_held, dev->conf.size);
		return NULL;
	}
	slot = dev->split.avail->ring[dev->avail % dev->conf.size];
	if (slot >= dev->conf.size) {
		fake_error("avail.ring[%u] is %u", dev->avail % dev->conf.size, slot);
		return NULL;
	}
	dev->avail++;
	b = calloc(1, sizeof(*b));
	b->id = slot;
	b->slot = slot;
	read_chain(dev, b);
	return b;
}

void
fake_split_put_used(struct fake_dev *dev, uint32_t id, uint32_t len, uint16_t nb)
{
	struct sluice_split_used *used = dev->split.used;
	uint16_t i;

	used->ring[dev->used % dev->conf.size].id = id;
	used->ring[dev->used % dev->conf.size].len = len;
	/*
	 * The entries that a batch leaves out hold whatever was there; the driver may not look
	 * (2.7.9).
	 */
	for (i = 1; i < nb; i++) {
		used->ring[(uint16_t)(dev->used + i) % dev->conf.size].id = fake_random(
				&dev->random);
		used->ring[(uint16_t)(dev->used + i) % dev->conf.size].len = fake_random(
				&dev->random);
	}
	dev->used += nb;
	__atomic_store_n(&used->idx, dev->used, __ATOMIC_RELEASE);
}
