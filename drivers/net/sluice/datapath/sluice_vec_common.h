/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the batch primitives of all instruction sets share: layout checks, and words that scalar
 * instructions make best. A batch of the Tx primitives has four packets.
 */

#ifndef SLUICE_VEC_COMMON_H
#define SLUICE_VEC_COMMON_H

#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_tx_offload.h"

/* The stores and loads of the primitives rely on this layout of an mbuf. */
static_assert(offsetof(struct rte_mbuf, buf_addr) == 0, "word 0");
static_assert(offsetof(struct rte_mbuf, rearm_data) == 16, "word 2");
static_assert(offsetof(struct rte_mbuf, ol_flags) == 24, "word 3");
static_assert(offsetof(struct rte_mbuf, packet_type) == 32, "word 4");
static_assert(offsetof(struct rte_mbuf, pkt_len) == 36, "word 4, high half");
static_assert(offsetof(struct rte_mbuf, data_len) == 40, "word 5");
static_assert(offsetof(struct rte_mbuf, pool) == 56, "word 7");
static_assert(offsetof(struct sluice_rxq, ol_flags) == offsetof(struct sluice_rxq, rearm) + 8,
		"loaded as one template");

/* id and flags of a packed descriptor in slot 0, above the length. */
static __rte_always_inline uint64_t
sluice_vec_packed_word(const struct sluice_ring *r, uint16_t slot, uint16_t flags)
{
	return (uint64_t)(flags | sluice_packed_avail_bits(r, slot)) << 48;
}

/* id and flags of a used descriptor of a packed ring, above the length. */
static __rte_always_inline uint64_t
sluice_vec_used_word(uint32_t id, uint16_t flags)
{
	return (uint64_t)flags << 48 | (uint64_t)id << 32;
}

/* What of such words counts: a device may set other flags. */
#define SLUICE_VEC_USED_MASK ((uint64_t)SLUICE_PACKED_BITS << 48 | (uint64_t)UINT16_MAX << 32)

/* What turns the flags of the head of a burst into ones that are not available yet; else 0. */
static __rte_always_inline uint64_t
sluice_vec_head_fix(const struct sluice_ring *r, uint16_t slot)
{
	return slot == r->head ? (uint64_t)SLUICE_DESC_F_AVAIL << 48 : 0;
}

/* Where the available entries of a run of slots are: at slot + offset. */
struct sluice_vec_avail {
	uint16_t *shadow;
	uint16_t *dv_ring;
	size_t offset; /* modulo its range */
};

static __rte_always_inline struct sluice_vec_avail
sluice_vec_avail(const struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		enum sluice_ring_type ring_type)
{
	struct sluice_vec_avail a = { .shadow = txq->avail_shadow,
		.offset = (size_t)avail_pos - slot };

	if (ring_type == SLUICE_SPLIT)
		a.dv_ring = txq->q.ring.split.dv_avail->ring;
	return a;
}

/* Enter a slot; as sluice_split_make_available() does. */
static __rte_always_inline void
sluice_vec_make_one_available(const struct sluice_vec_avail *a, uint32_t slot)
{
	if (likely(a->shadow[slot + a->offset] == slot))
		return;
	a->shadow[slot + a->offset] = slot;
	a->dv_ring[slot + a->offset] = slot;
}

/* Enter four slots; as sluice_split_make_available() does with one. */
static __rte_always_inline void
sluice_vec_make_available(const struct sluice_vec_avail *a, uint32_t slot)
{
	uint64_t want = slot * 0x0001000100010001ULL + 0x0003000200010000ULL, have;

	memcpy(&have, &a->shadow[slot + a->offset], sizeof(have));
	if (likely(have == want))
		return;
	memcpy(&a->shadow[slot + a->offset], &want, sizeof(want));
	memcpy(&a->dv_ring[slot + a->offset], &want, sizeof(want));
}

/*
 * Are the pinned external buffers of four packets nobody else's? Who holds one is counted with the
 * buffer. Plain loads, which the compiler may join with what is done to them.
 */
static __rte_always_inline bool
sluice_vec_hold_alone(struct rte_mbuf *const *m)
{
	uint16_t nb[4];
	unsigned int i;

#pragma GCC unroll 4
	for (i = 0; i < 4; i++)
		memcpy(&nb[i], &m[i]->shinfo->refcnt, sizeof(nb[i]));
	return (nb[0] | nb[1] | nb[2] | nb[3]) == 1;
}

/*
 * The 12 bytes at four addresses are zero afterwards. Nearly always they are before, but for
 * packets that another device has given: their lines lie in its core's cache. Once a batch of a run
 * was such, said is not 0, the others are not read: a line that is only written comes at once, one
 * that is read first is asked for twice.
 */
static __rte_always_inline void
sluice_vec_clear_headers(uint64_t *said, uint64_t at0, uint64_t at1, uint64_t at2, uint64_t at3)
{
	sluice_word *h0 = (sluice_word *)(uintptr_t)at0;
	sluice_word *h1 = (sluice_word *)(uintptr_t)at1;
	sluice_word *h2 = (sluice_word *)(uintptr_t)at2;
	sluice_word *h3 = (sluice_word *)(uintptr_t)at3;

	if (likely(*said == 0)) {
		/* Bytes 0 to 7 and 4 to 11: two loads that overlap cover the header. */
		*said = h0[0] | h1[0] | h2[0] | h3[0];
		*said |= *sluice_word_at(h0, 4) | *sluice_word_at(h1, 4) | *sluice_word_at(h2, 4) |
				*sluice_word_at(h3, 4);
		if (likely(*said == 0))
			return;
	}
	h0[0] = h1[0] = h2[0] = h3[0] = 0;
	*sluice_word_at(h0, 4) = *sluice_word_at(h1, 4) = 0;
	*sluice_word_at(h2, 4) = *sluice_word_at(h3, 4) = 0;
}

#endif /* SLUICE_VEC_COMMON_H */
