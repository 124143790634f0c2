/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A transmit queue. */

#ifndef SLUICE_TXQ_H
#define SLUICE_TXQ_H

#include <rte_mempool.h>

#include "sluice_cells.h"
#include "sluice_queue.h"

/* Reference count 1 and one segment, as they lie in the eight bytes at rearm_data. */
#define SLUICE_TX_REARM_MASK 0x0000ffffffff0000ULL
#define SLUICE_TX_REARM_PLAIN 0x0000000100010000ULL

/* Mbufs on their way back to one pool. */
#define SLUICE_TX_FREED_MAX 32
struct sluice_tx_freed {
	struct rte_mempool *pool;
	uint32_t nb;
	struct rte_mbuf *m[SLUICE_TX_FREED_MAX];
};

/*
 * What starts at a transmit slot that the device has. n: a plain packet of n + 1 slots, sw_ring has
 * one segment for each. SLUICE_TX_SLOW | n: any other packet of n + 1 slots, sw_ring has its first
 * segment. SLUICE_TX_FOREIGN: slow for nothing but its pool, so nobody else can hold it.
 */
#define SLUICE_TX_MORE 0x3fff /* n of these */
#define SLUICE_TX_SLOW 0x8000
#define SLUICE_TX_FOREIGN (SLUICE_TX_SLOW | 0x4000)
#define SLUICE_TX_MIDDLE UINT16_MAX /* nothing: the slot belongs to the packet before it */

/*
 * What is wrong with a packet that asks for something (sluice_tx_offload.h): it is refused by
 * rte_eth_tx_prepare(), and dropped and counted by the burst.
 */
enum sluice_tx_fault {
	SLUICE_TX_BAD_FLAGS,   /* not switched on, or not by this device; or they contradict */
	SLUICE_TX_BAD_LENGTHS, /* of headers: none, or beyond the packet */
	SLUICE_TX_BAD_SPLIT,   /* headers that are not all in the first segment */
	SLUICE_TX_BAD_GSO,     /* cannot be segmented as it says */
	SLUICE_TX_BAD_VLAN,    /* a tag for what is no Ethernet frame */
	SLUICE_TX_FINE,
};

/* How a burst begins. */
enum sluice_tx_start {
	SLUICE_TX_BATCHES,   /* with batches of plain packets, */
	SLUICE_TX_PINNED,    /* or of such with pinned external buffers; the pool has them */
	SLUICE_TX_UNBATCHED, /* with none: most slots of the last burst could not go through one */
	SLUICE_TX_LONG,      /* with batches of their own, for headers that have room for a hash */
};

/* What packets of a batch ask for, if all ask for the same, and what the device is told of them. */
struct sluice_tx_shape {
	uint64_t flags;       /* of SLUICE_TX_SHAPE_FLAGS, as each of them has */
	uint64_t word;        /* the first bytes of their net headers */
	uint32_t csum_offset; /* and those behind */
	uint16_t lens;        /* sluice_tx_lens(); means nothing if they ask for nothing */
	uint16_t data_min;    /* least data_len */
	uint8_t l2_len;
	bool asks;
	bool has_ipv4; /* for the checksum of IPv4, without options */
};

/* What packets to be segmented look like, as most do, and what the device is told of them. */
struct sluice_tx_gso {
	uint64_t flags;       /* of SLUICE_TX_GSO_KIND, as each of them has; 0: none is known */
	uint64_t lens;        /* tx_offload */
	uint64_t word;        /* the first bytes of their net headers */
	uint32_t len;         /* of their headers */
	uint32_t payload_max; /* bytes behind these */
	uint16_t l2, l4;      /* in front of the IP header, and of that of TCP */
};

struct sluice_txq {
	struct sluice_queue q;
	/* owned by the polling core */
	struct sluice_tx_freed freed[2]; /* empty outside of a reclaim; two pools may alternate */
	struct rte_mempool *pool;        /* where plain packets came from, and go back to */
	uint16_t nb_slow_slots;          /* slots given to packets that are not plain */
	uint8_t start;                   /* enum sluice_tx_start, of the next burst */
	uint8_t plain_start;             /* the same if most can go through batches: by pool */
	/*
	 * It is looked for completions when no more slots than this are free: few_free, or any
	 * number if the last burst did not find enough.
	 */
	uint16_t look_at;
	/* slots minus packets, of the last burst with packets of several slots */
	uint16_t nb_extra;
	uint32_t nb_given;    /* slots given, free-running */
	uint32_t chain_end;   /* the same at the end of the last plain packet of several slots */
	uint16_t *slot_kind;  /* per slot: what starts there, see above */
	uint64_t nb_unmapped; /* dropped: memory that the device cannot reach */
	uint64_t nb_oversize; /* dropped: more segments than the ring has slots */
	uint64_t nb_faults[SLUICE_TX_FINE]; /* dropped: by enum sluice_tx_fault */
	uint64_t nb_indirect;
	uint64_t nb_chained;
	uint64_t nb_ring_full; /* packets left to the caller for lack of slots */
	/* packets left to the caller until the device sees their memory, or those before them */
	uint64_t nb_waiting;
	uint64_t *left;               /* which of the two counts what this burst leaves */
	struct sluice_tx_shape shape; /* of a batch before, which the next may have, too */
	struct sluice_tx_gso gso;     /* the same of a packet to be segmented */
	/* The extras are taken one after the other, and come back in this order, too. */
	uint16_t extra_next;
	uint32_t *extra_user; /* per extra: the first slot of its packet, as nb_given counts */
	/* constant after setup */
	uint16_t nb_desc; /* asked for by the application */
	uint16_t *avail_shadow;
	uint16_t reclaim_asked;
	uint16_t few_free; /* what tx_free_thresh becomes with a ring of this size */
	bool has_indirect;
	bool has_ecn;         /* the device segments packets with ECN bits */
	uint16_t nb_segs_max; /* of a packet */
	/* SLUICE_NET_HDR_LEN; or that with a hash, or with a tunnel, which no batches are for. */
	uint32_t hdr_len;
	bool has_hash;                   /* it is that with a hash */
	bool is_copy;                    /* all packets are copied into the bounce buffers below */
	bool has_own_way;                /* for packets that no batch takes: has_hash, bounces */
	uint64_t tx_flags;               /* that packets may have, of SLUICE_TX_FLAGS */
	uint64_t slow_flags;             /* that no batch takes */
	union sluice_tx_extra *dv_extra; /* sluice_ring_nb_extras() */
	uint16_t extra_mask;
	struct dmap_addr extra_da;
	/*
	 * A header that packets share: no offload (5.1.6.2.1). It is zero since the ring was set
	 * up, and nobody writes it: the device may not, and one that could would only mislead
	 * itself.
	 */
	struct dmap_addr zero_da;
	/* One for each slot; set with the ring. */
	struct sluice_cells cells;
	uint64_t nb_bounced; /* the polling core's: copied because the device does not reach them */
	/* control side: what the counters said when they were reset (sluice_stats.c) */
	uint64_t reset_at[SLUICE_COUNTERS_MAX];
};

/* Do packets that the device does not reach go into bounce buffers, and no other ones? */
static inline bool
sluice_txq_bounces(const struct sluice_txq *txq)
{
	return sluice_cells_are_used(&txq->cells) && !txq->is_copy;
}

/* When a ring of this size is looked at for completions. */
static inline void
sluice_txq_set_few_free(struct sluice_txq *txq, uint16_t size)
{
	txq->few_free = size - RTE_MIN(txq->reclaim_asked, RTE_MAX(size / 2, 1));
	txq->look_at = txq->few_free;
}

/*
 * Least room of a transmit bounce buffer: headers that are written there are not split, and a page
 * saves little.
 */
#define SLUICE_TX_CELL_MIN 512

/* Most segments of a packet: as many as ip fragments of a 64 KiB packet in small buffers make. */
#define SLUICE_TX_SEGS_MAX UINT8_MAX

/* Slots of the packet that starts at a slot. */
static __rte_always_inline uint16_t
sluice_tx_slots_of(const struct sluice_txq *txq, uint16_t slot)
{
	return (txq->slot_kind[slot] & SLUICE_TX_MORE) + 1;
}

#endif /* SLUICE_TXQ_H */
