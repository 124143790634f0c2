/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packed ring (virtio 1.3, 2.8): the primitives that the loops are made of, named as in
 * sluice_ring_split.h.
 */

#ifndef SLUICE_RING_PACKED_H
#define SLUICE_RING_PACKED_H

#include <rte_atomic.h>

#include "sluice_ring.h"

#define SLUICE_PACKED_BITS (SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED)

/* AVAIL and USED for the descriptor in a slot that is given in the burst which began at head. */
static __rte_always_inline uint16_t
sluice_packed_avail_bits(const struct sluice_ring *r, uint16_t slot)
{
	/* A slot below head was reached by wrapping around: both bits turn (2.8.1). */
	return slot >= r->head ? r->avail_flags : r->avail_flags ^ SLUICE_PACKED_BITS;
}

/*
 * Store the flags of a descriptor that is not the burst's first: the device looks at it only after
 * it has seen the first one. Flags of 0: not available, whatever the wrap counter (2.8.1).
 */
static __rte_always_inline void
sluice_packed_put_flags(struct sluice_packed_desc *dv_desc, uint16_t flags)
{
	rte_atomic_store_explicit(&dv_desc->flags, flags, rte_memory_order_relaxed);
}

/* Write a descriptor. The flags of the burst's first one (is_head) are left to publish. */
static __rte_always_inline void
sluice_packed_desc_write(struct sluice_packed_desc *dv_desc, uint16_t id, struct dmap_addr da,
		uint32_t len, uint16_t flags, bool is_head)
{
	dv_desc->addr = da.v;
	dv_desc->len = len;
	dv_desc->id = id;
	if (!is_head)
		sluice_packed_put_flags(dv_desc, flags);
}

/*
 * Write the descriptor in a slot. The first descriptor of a burst (slot == head) gets its flags in
 * publish; the device takes descriptors in ring order (2.8.17), so what it makes of the others
 * comes behind its acquire of the first one's flags, and their own need no order.
 */
static __rte_always_inline void
sluice_packed_give(struct sluice_ring *r, uint16_t slot, uint16_t id, struct dmap_addr da,
		uint32_t len, uint16_t flags)
{
	sluice_packed_desc_write(&r->packed.dv_desc[slot], id, da, len,
			flags | sluice_packed_avail_bits(r, slot), slot == r->head);
}

/*
 * Make nb slots from head on visible. head_flags are those of the first descriptor, without AVAIL
 * and USED. The release makes all descriptors, headers and packets visible before the flags of the
 * first (2.8.21.1.1); it pairs with the device's acquire of them.
 */
static __rte_always_inline void
sluice_packed_publish(struct sluice_ring *r, uint16_t nb, uint16_t head_flags)
{
	rte_atomic_store_explicit(&r->packed.dv_desc[r->head].flags, head_flags | r->avail_flags,
			rte_memory_order_release);
	if ((uint32_t)r->head + nb >= r->size)
		r->avail_flags ^= SLUICE_PACKED_BITS;
}

/* AVAIL and USED bits of a used descriptor: both equal the wrap counter (2.8.1). */
static __rte_always_inline uint16_t
sluice_packed_used_bits(bool wrap)
{
	return wrap ? SLUICE_PACKED_BITS : 0;
}

static __rte_always_inline bool
sluice_packed_desc_is_used(const struct sluice_packed_desc *dv_desc, uint16_t used_bits)
{
	/*
	 * Pairs with the device's release of the flags: id and length are read after them (2.8.6).
	 */
	uint16_t flags = rte_atomic_load_explicit(&dv_desc->flags, rte_memory_order_acquire);

	return (flags & SLUICE_PACKED_BITS) == used_bits;
}

/* Is the descriptor in a slot used? */
static __rte_always_inline bool
sluice_packed_slot_is_used(const struct sluice_ring *r, uint16_t slot, bool wrap)
{
	return sluice_packed_desc_is_used(&r->packed.dv_desc[slot], sluice_packed_used_bits(wrap));
}

/* The same for the used position. */
static __rte_always_inline bool
sluice_packed_is_used(const struct sluice_ring *r)
{
	return sluice_packed_slot_is_used(r, r->used_idx, r->used_wrap);
}

/* How many descriptors are used from the used position on; for the control side. */
static inline uint16_t
sluice_packed_count_used(const struct sluice_ring *r)
{
	uint16_t nb, slot = r->used_idx;
	bool wrap = r->used_wrap;

	for (nb = 0; nb < sluice_ring_nb_in_flight(r) && sluice_packed_slot_is_used(r, slot, wrap);
			nb++)
		if (++slot == r->size) {
			slot = 0;
			wrap = !wrap;
		}
	return nb;
}

/* The id in a descriptor that is used. */
static __rte_always_inline uint16_t
sluice_packed_slot_id(const struct sluice_ring *r, uint16_t slot)
{
	return rte_atomic_load_explicit(&r->packed.dv_desc[slot].id, rte_memory_order_relaxed);
}

/* Id and length in a descriptor that is used, without taking it. */
static __rte_always_inline void
sluice_packed_look(const struct sluice_ring *r, uint16_t slot, uint32_t *id, uint32_t *len)
{
	*id = sluice_packed_slot_id(r, slot);
	*len = rte_atomic_load_explicit(&r->packed.dv_desc[slot].len, rte_memory_order_relaxed);
}

/* Id and length at the used position; skip moves on, by as many slots as the buffer took. */
static __rte_always_inline void
sluice_packed_take(const struct sluice_ring *r, uint32_t *id, uint32_t *len)
{
	sluice_packed_look(r, r->used_idx, id, len);
}

static __rte_always_inline void
sluice_packed_skip(struct sluice_ring *r, uint16_t nb)
{
	uint32_t next = (uint32_t)r->used_idx + nb;

	if (next >= r->size) {
		next -= r->size;
		r->used_wrap = !r->used_wrap;
	}
	r->used_idx = next;
}

/*
 * Does the device want to know of the nb slots before head (2.8.10, 2.8.14)? The caller has put a
 * full fence behind the publish (2.8.21.3.1). Both 16-bit words come with one load, so they belong
 * together.
 */
static __rte_always_inline bool
sluice_packed_wants_kick(const struct sluice_ring *r, uint16_t nb)
{
	union {
		uint32_t word;
		struct sluice_packed_event event;
	} dev;
	uint16_t offset, distance;
	bool wrap, head_wrap;

	dev.word = rte_atomic_load_explicit(
			(const uint32_t *)r->packed.dv_device_event, rte_memory_order_relaxed);
	if (likely(dev.event.flags != SLUICE_EVENT_DESC))
		return dev.event.flags != SLUICE_EVENT_DISABLE;
	offset = dev.event.off_wrap & 0x7fff;
	wrap = dev.event.off_wrap >> 15;
	head_wrap = (r->avail_flags & SLUICE_DESC_F_AVAIL) != 0;
	/* How many slots ago, counted back from head, the event position was passed. */
	distance = r->head - offset;
	if (wrap != head_wrap)
		distance += r->size;
	return (uint16_t)(distance - 1) < nb;
}

static inline void
sluice_packed_disable_interrupts(struct sluice_ring *r)
{
	rte_atomic_store_explicit(&r->packed.dv_driver_event->flags, SLUICE_EVENT_DISABLE,
			rte_memory_order_relaxed);
}

/*
 * Ask for an interrupt when the descriptor at the used position is used (2.8.10, 2.8.14); as in
 * sluice_ring_split.h. Both 16-bit words go with one store, so the device never sees one without
 * the other.
 */
static inline void
sluice_packed_enable_interrupts(struct sluice_ring *r)
{
	union {
		uint32_t word;
		struct sluice_packed_event event;
	} wish = { .event.flags = SLUICE_EVENT_ENABLE };

	if (r->has_event_idx)
		wish.event = (struct sluice_packed_event){
			.off_wrap = r->used_idx | (uint16_t)(r->used_wrap << 15),
			.flags = SLUICE_EVENT_DESC,
		};
	rte_atomic_store_explicit(
			(uint32_t *)r->packed.dv_driver_event, wish.word, rte_memory_order_relaxed);
}

/*
 * Nothing is available any more: with equal flags a descriptor is used, whatever the wrap counter
 * (2.8.1).
 */
static inline void
sluice_packed_retract(const struct sluice_ring *r)
{
	uint16_t i;

	for (i = 0; i < r->size; i++)
		rte_atomic_store_explicit(&r->packed.dv_desc[i].flags, 0, rte_memory_order_release);
	memset(r->packed.dv_desc, 0, r->size * sizeof(r->packed.dv_desc[0]));
}

#endif /* SLUICE_RING_PACKED_H */
