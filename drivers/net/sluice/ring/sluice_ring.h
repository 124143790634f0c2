/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A ring in memory: where its parts lie, which of its slots are whose, and how the device is told
 * of new ones. sluice_ring_split.h and sluice_ring_packed.h have what the two types differ in;
 * sluice_queue.h says what rules slots follow.
 */

#ifndef SLUICE_RING_H
#define SLUICE_RING_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "dmap.h"
#include "sluice_spec.h"

enum sluice_ring_type { SLUICE_SPLIT, SLUICE_PACKED };

static inline enum sluice_ring_type
sluice_ring_type_of(sluice_features features)
{
	return sluice_has(features, SLUICE_F_RING_PACKED) ? SLUICE_PACKED : SLUICE_SPLIT;
}

/* How a kick reaches the device: a register, or an eventfd. */
struct sluice_doorbell {
	volatile void *dv_reg; /* NULL: there is none */
	uint16_t vq;
	bool has_data;  /* NOTIFICATION_DATA: tell what is new (2.9) */
	bool is_packed; /* in which terms */
	int fd;         /* -1: there is none */
};

struct sluice_ring {
	/* constant after setup */
	union {
		struct {
			struct sluice_split_desc *dv_desc;
			struct sluice_split_avail *dv_avail;
			struct sluice_split_used *dv_used;
			uint16_t *avail_shadow; /* what dv_avail->ring holds */
		} split;
		struct {
			struct sluice_packed_desc *dv_desc;
			struct sluice_packed_event *dv_driver_event;
			struct sluice_packed_event *dv_device_event;
		} packed;
	};
	uint16_t size;
	uint16_t mask; /* size - 1; split only */
	bool has_event_idx;
	bool is_in_order;
	struct sluice_doorbell doorbell;

	/* owned by the polling core: slots */
	uint16_t head;     /* next slot to give */
	uint16_t tail;     /* oldest slot that is not free */
	uint16_t nb_free;  /* slots that may be given */
	uint16_t nb_holes; /* slots behind tail that the device gave back early */
	/* split: free-running counters; packed: slots with wrap counters */
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t used_seen;   /* split: the used index read last */
	uint16_t avail_flags; /* packed: AVAIL and USED bits of a descriptor given now */
	bool used_wrap;       /* packed */
	uint16_t kicked_idx;  /* split: avail_idx at the last notification decision */
	uint64_t nb_kicks;
	uint64_t nb_suppressed; /* notifications that the device did not want */
	uint32_t in_kick; /* atomic: a kick is being written, which a back end may make block */
};

/* Tables of at most this many descriptors replace chains in the ring. */
#define SLUICE_INDIRECT_MAX 19

/*
 * What a transmitted packet may need beside its slots, device-visible: an indirect table; or the
 * net header and a changed copy of the headers of a packet whose own nobody may write. An odd
 * number of cache lines: with a power of two the first lines of all of them would share a few sets.
 */
#define SLUICE_TX_EXTRA_LEN 320
union sluice_tx_extra {
	struct sluice_split_desc split[SLUICE_INDIRECT_MAX];
	struct sluice_packed_desc packed[SLUICE_INDIRECT_MAX];
	uint8_t headers[SLUICE_TX_EXTRA_LEN];
};

static_assert(sizeof(union sluice_tx_extra) == SLUICE_TX_EXTRA_LEN, "five cache lines");

/* Access rights are given page by page. */
#define SLUICE_RING_PAGE 4096UL

/*
 * Where the parts of a ring lie in its piece of coherent memory; offsets in bytes. What the device
 * only reads has pages of its own: of a split ring descriptors and available ring, of a packed one
 * the driver's event suppression, of both the extras of transmit rings.
 */
struct sluice_ring_offsets {
	size_t desc;
	size_t driver;              /* split: available ring; packed: driver event suppression */
	size_t device;              /* split: used ring; packed: device event suppression */
	size_t zero;                /* transmit: a net header that stays zero */
	size_t extra;               /* transmit: union sluice_tx_extra[] */
	struct dmap_span read_only; /* whole pages */
	size_t len;                 /* whole pages */
};

/*
 * How many packets may have an extra at a time: a power of two. One for each slot would be most of
 * the memory that a port shows, and as long as slots are not short hardly any is used.
 */
static inline uint16_t
sluice_ring_nb_extras(uint16_t size)
{
	uint32_t slots = rte_align32prevpow2(size);

	return RTE_MIN(slots, RTE_MAX(slots / 4, 16u));
}

/* Layout for a ring of size slots, parts aligned to cache lines. */
struct sluice_ring_offsets sluice_ring_offsets(
		enum sluice_ring_type ring_type, uint16_t size, bool is_tx);

/* Place an idle ring of size slots in zeroed memory at va, which is laid out as l says. */
void sluice_ring_init(struct sluice_ring *r, enum sluice_ring_type ring_type, uint16_t size,
		const struct sluice_ring_offsets *l, void *va, uint16_t *avail_shadow);

/* Send a notification to the device. */
void sluice_doorbell_ring(struct sluice_ring *r);

/*
 * A back end that shares an eventfd can make writes to it block, and fill it. A thread that hangs
 * in one goes on after this, called by any other thread; the notification stays.
 */
void sluice_eventfd_unblock(int fd);

/* How far slot lies behind tail, in ring order. */
static __rte_always_inline uint16_t
sluice_ring_distance(const struct sluice_ring *r, uint16_t slot)
{
	return slot >= r->tail ? slot - r->tail : slot + r->size - r->tail;
}

static __rte_always_inline uint16_t
sluice_ring_next(const struct sluice_ring *r, uint16_t slot, uint16_t by)
{
	uint32_t next = (uint32_t)slot + by;

	return next >= r->size ? next - r->size : next;
}

/* Slots from tail on that are not free. */
static __rte_always_inline uint16_t
sluice_ring_nb_in_flight(const struct sluice_ring *r)
{
	return r->size - r->nb_free;
}

/* The oldest slots are free: move tail by nb slots. */
static __rte_always_inline void
sluice_ring_free_slots(struct sluice_ring *r, uint16_t nb)
{
	r->tail = sluice_ring_next(r, r->tail, nb);
	r->nb_free += nb;
}

#endif /* SLUICE_RING_H */
