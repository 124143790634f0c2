/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Split ring (virtio 1.3, 2.7): the primitives that the loops are made of, with the names and
 * meanings of those in sluice_ring_packed.h. Device-visible memory (dv_) is also touched by the
 * vector kits and by what writes tables and headers of transmit packets:
 *
 *   *_give         write one descriptor of a buffer at a slot; the device does not see it yet
 *   *_publish      make everything since the last publish visible
 *   *_take         one used entry, if there is one
 *   *_wants_kick   does the device want to be told of what was published
 */

#ifndef SLUICE_RING_SPLIT_H
#define SLUICE_RING_SPLIT_H

#include <rte_atomic.h>

#include "sluice_ring.h"

/* Write the descriptor in a slot. next is meaningful with SLUICE_DESC_F_NEXT only (2.7.5). */
static __rte_always_inline void
sluice_split_desc_write(struct sluice_split_desc *dv_desc, struct dmap_addr da, uint32_t len,
		uint16_t flags, uint16_t next)
{
	dv_desc->addr = da.v;
	dv_desc->len = len;
	dv_desc->flags = flags;
	dv_desc->next = next;
}

static __rte_always_inline void
sluice_split_give(struct sluice_ring *r, uint16_t slot, struct dmap_addr da, uint32_t len,
		uint16_t flags)
{
	sluice_split_desc_write(&r->split.dv_desc[slot], da, len, flags, 0);
}

/*
 * Enter the buffer that starts at slot into the available ring, as the nth one since the last
 * publish. While every buffer takes one slot the entry is there already; the private copy knows.
 */
static __rte_always_inline void
sluice_split_make_available(struct sluice_ring *r, uint16_t nth, uint16_t slot)
{
	uint16_t pos = (r->avail_idx + nth) & r->mask;

	if (unlikely(r->split.avail_shadow[pos] != slot)) {
		r->split.avail_shadow[pos] = slot;
		r->split.dv_avail->ring[pos] = slot;
	}
}

/*
 * nb buffers more. The release makes descriptors, ring entries, headers and packets visible before
 * the index (2.7.13.3.1); it pairs with the device's acquire of it.
 */
static __rte_always_inline void
sluice_split_publish(struct sluice_ring *r, uint16_t nb)
{
	r->avail_idx += nb;
	rte_atomic_store_explicit(&r->split.dv_avail->idx, r->avail_idx, rte_memory_order_release);
}

/*
 * Used entries that were not taken yet; reads the shared index only when the backlog is smaller
 * than wanted. More than was ever given is the device's fault: returns a number above any ring
 * size.
 */
static __rte_always_inline uint16_t
sluice_split_nb_used(struct sluice_ring *r, uint16_t wanted)
{
	uint16_t nb = r->used_seen - r->used_idx;

	if (nb < wanted) {
		/*
		 * Pairs with the device's release of the index: entries are read after it (2.7.8).
		 */
		r->used_seen = rte_atomic_load_explicit(
				&r->split.dv_used->idx, rte_memory_order_acquire);
		nb = r->used_seen - r->used_idx;
	}
	return nb;
}

/* Is there one at least? The shared index is read. */
static __rte_always_inline bool
sluice_split_is_used(const struct sluice_ring *r)
{
	return rte_atomic_load_explicit(&r->split.dv_used->idx, rte_memory_order_relaxed) !=
			r->used_idx;
}

/* The used entry at a position in the ring; it is not taken. */
static __rte_always_inline void
sluice_split_look(const struct sluice_ring *r, uint16_t pos, uint32_t *id, uint32_t *len)
{
	const struct sluice_split_used_elem *dv_elem = &r->split.dv_used->ring[pos];

	*id = rte_atomic_load_explicit(&dv_elem->id, rte_memory_order_relaxed);
	*len = rte_atomic_load_explicit(&dv_elem->len, rte_memory_order_relaxed);
}

static __rte_always_inline void
sluice_split_take(struct sluice_ring *r, uint32_t *id, uint32_t *len)
{
	sluice_split_look(r, r->used_idx & r->mask, id, len);
	r->used_idx++;
}

/* Where the device put avail_event: behind the used ring (2.7.10). */
static __rte_always_inline uint16_t
sluice_split_avail_event(const struct sluice_ring *r)
{
	const uint16_t *dv_event = (const uint16_t *)&r->split.dv_used->ring[r->size];

	return rte_atomic_load_explicit(dv_event, rte_memory_order_relaxed);
}

/* The caller has put a full fence behind the publish (2.7.13.4.1). */
static __rte_always_inline bool
sluice_split_wants_kick(struct sluice_ring *r)
{
	uint16_t old = r->kicked_idx;

	r->kicked_idx = r->avail_idx;
	if (r->has_event_idx)
		return (uint16_t)(r->avail_idx - sluice_split_avail_event(r) - 1) <
				(uint16_t)(r->avail_idx - old);
	return !(rte_atomic_load_explicit(&r->split.dv_used->flags, rte_memory_order_relaxed) &
			SLUICE_USED_F_NO_NOTIFY);
}

/* Used entries that were not taken yet; for questions of the control side, so it keeps nothing. */
static inline uint16_t
sluice_split_count_used(const struct sluice_ring *r)
{
	uint16_t nb = rte_atomic_load_explicit(&r->split.dv_used->idx, rte_memory_order_relaxed) -
			r->used_idx;

	return RTE_MIN(nb, sluice_ring_nb_in_flight(r));
}

/*
 * We poll: no interrupts. With EVENT_IDX the flag must stay 0 (2.7.7.1) and used_event is put where
 * the index was half a turn of the 16-bit counter ago.
 */
static inline void
sluice_split_disable_interrupts(struct sluice_ring *r)
{
	uint16_t *dv_used_event = &r->split.dv_avail->ring[r->size];

	if (r->has_event_idx)
		rte_atomic_store_explicit(dv_used_event, (uint16_t)(r->used_idx + 0x8000),
				rte_memory_order_relaxed);
	else
		rte_atomic_store_explicit(&r->split.dv_avail->flags, SLUICE_AVAIL_F_NO_INTERRUPT,
				rte_memory_order_relaxed);
}

/*
 * An interrupt with the next used entry, please. With EVENT_IDX it is one (2.7.10.1), until this is
 * asked for again; without it there is one for each batch, until they are disabled. The caller puts
 * a full fence behind this and looks at the ring once more (2.7.14).
 */
static inline void
sluice_split_enable_interrupts(struct sluice_ring *r)
{
	uint16_t *dv_used_event = &r->split.dv_avail->ring[r->size];

	if (r->has_event_idx)
		rte_atomic_store_explicit(dv_used_event, r->used_idx, rte_memory_order_relaxed);
	else
		rte_atomic_store_explicit(&r->split.dv_avail->flags, 0, rte_memory_order_relaxed);
}

/*
 * Nothing is available any more: the available index is where the device's used index is, as it is
 * for a device between two batches. For one that is ahead descriptors are empty, too.
 */
static inline void
sluice_split_retract(const struct sluice_ring *r)
{
	uint16_t used = rte_atomic_load_explicit(&r->split.dv_used->idx, rte_memory_order_relaxed);

	rte_atomic_store_explicit(&r->split.dv_avail->idx, used, rte_memory_order_release);
	memset(r->split.dv_desc, 0, r->size * sizeof(r->split.dv_desc[0]));
}

#endif /* SLUICE_RING_SPLIT_H */
