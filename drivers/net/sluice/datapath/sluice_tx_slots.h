/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Slots that a burst gives one after the other to what is no batch, and their descriptors: the only
 * place that writes these, for every way of sluice_tx_slow.c and for copies of several slots.
 */

#ifndef SLUICE_TX_SLOTS_H
#define SLUICE_TX_SLOTS_H

#include "sluice_tx.h"

/*
 * The next slot, and what it takes to fill it. A copy, because the compiler would read all of it
 * again after each store that could have changed it.
 */
struct sluice_tx_slots {
	void *dv_desc;
	struct rte_mbuf **sw_ring;
	uint16_t *slot_kind;
	size_t size;
	size_t slot;   /* next */
	size_t head;   /* packed: the slot that is made available by publish */
	uint32_t bits; /* packed: AVAIL and USED bits of the next slot */
};

static __rte_always_inline struct sluice_tx_slots
sluice_tx_slots(const struct sluice_txq *txq, const struct sluice_tx_burst *b,
		enum sluice_ring_type ring_type)
{
	const struct sluice_ring *r = &txq->q.ring;
	struct sluice_tx_slots s = { .sw_ring = txq->q.sw_ring,
		.slot_kind = txq->slot_kind,
		.size = r->size,
		.slot = b->slot,
		.head = r->head };

	if (ring_type == SLUICE_SPLIT) {
		s.dv_desc = r->split.dv_desc;
	} else {
		s.dv_desc = r->packed.dv_desc;
		s.bits = sluice_packed_avail_bits(r, b->slot);
	}
	return s;
}

/* The slot behind the next one; AVAIL and USED bits turn where the ring begins anew (2.8.1). */
static __rte_always_inline void
sluice_tx_next_slot(struct sluice_tx_slots *s)
{
	if (unlikely(++s->slot == s->size)) {
		s->slot = 0;
		s->bits ^= SLUICE_PACKED_BITS;
	}
}

/*
 * Write the descriptor of the next slot, which is one of a buffer that starts at slot id. The
 * burst's first one of a packed ring, for which is_head is true, gets its flags in publish.
 */
static __rte_always_inline void
sluice_tx_write_desc(const struct sluice_tx_slots *s, uint32_t id, struct dmap_addr da,
		uint32_t len, uint32_t flags, bool is_head, enum sluice_ring_type ring_type)
{
	if (ring_type == SLUICE_SPLIT)
		sluice_split_desc_write((struct sluice_split_desc *)s->dv_desc + s->slot, da, len,
				flags, s->slot + 1 == s->size ? 0 : s->slot + 1);
	else
		sluice_packed_desc_write((struct sluice_packed_desc *)s->dv_desc + s->slot, id, da,
				len, flags | s->bits, is_head);
}

/*
 * nb_bufs buffers were given, in nb_slots up to the next slot, nb_unbatched of which were for no
 * batch. flags: of the first descriptor, without AVAIL and USED.
 */
static __rte_always_inline void
sluice_tx_end_slots(const struct sluice_tx_slots *s, struct sluice_tx_burst *b, uint32_t nb_bufs,
		uint32_t nb_slots, uint32_t nb_unbatched, uint16_t flags)
{
	if (b->nb_slots == 0)
		b->head_flags = flags;
	b->slot = s->slot == s->size ? 0 : s->slot;
	b->nb_slots += nb_slots;
	b->nb_unbatched += nb_unbatched;
	b->nb_bufs += nb_bufs;
}

#endif /* SLUICE_TX_SLOTS_H */
