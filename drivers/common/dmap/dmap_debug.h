/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A checker of DMA (a kernel's dma-debug): it remembers what each device has, and says what a
 * driver, an application or a device does that must not be. It corrects nothing.
 *
 * What is remembered is in one table of fixed size for all devices of the process, so that a buffer
 * which two of them have is found. A full table is said once, and what has no room in it is not
 * looked at. Of each kind of report the first one of a device is logged, and all are counted.
 *
 * Threads: any. The table has a lock, which is held for copies and short searches.
 */

#ifndef DMAP_DEBUG_H
#define DMAP_DEBUG_H

#include <string.h>

#include <rte_mempool.h>

#include "dmap_map.h"

/* What can be wrong. The guide has what to do about each. */
enum dmap_debug_check {
	DMAP_DEBUG_NOT_MAPPED,        /* memory that the device does not reach is given to it */
	DMAP_DEBUG_CROSSES_END,       /* bytes beyond what is mapped, or beyond the mbuf's buffer */
	DMAP_DEBUG_DIRECTION,         /* another direction than that of the map, or of its rights */
	DMAP_DEBUG_TWICE,             /* given again, although nobody has another reference */
	DMAP_DEBUG_TWO_DEVICES,       /* the same, while another device has it */
	DMAP_DEBUG_FREE_GIVEN,        /* given, although it is free */
	DMAP_DEBUG_FREED_IN_FLIGHT,   /* its pool had it, although a device has it */
	DMAP_DEBUG_WRITTEN,           /* changed, although the device only reads it */
	DMAP_DEBUG_BEYOND_USED,       /* changed behind the bytes that the device says it wrote */
	DMAP_DEBUG_BEYOND_END,        /* changed behind the bytes that the device got */
	DMAP_DEBUG_HEADROOM,          /* changed before them */
	DMAP_DEBUG_BAD_COMPLETION,    /* the device returns what it does not have */
	DMAP_DEBUG_DOUBLE_COMPLETION, /* the device returns what it has returned */
	DMAP_DEBUG_BAD_LENGTH,   /* the device says that it wrote more than it got, or nothing */
	DMAP_DEBUG_RING_CHANGED, /* the ring, where the device only reads it */
	DMAP_DEBUG_HIDDEN_IN_FLIGHT, /* memory is taken from a device that has buffers in it */
	DMAP_DEBUG_UNMAP_UNKNOWN,    /* unmapped or synced, and not mapped */
	DMAP_DEBUG_UNMAP_SIZE,       /* unmapped with another size or address than mapped */
	DMAP_DEBUG_OVERLAP,          /* mapped, and some of it is mapped already */
	DMAP_DEBUG_MAPS_LEFT,        /* at the end of the domain */
	DMAP_DEBUG_BUFFERS_LEFT,     /* at the end of a queue */
	DMAP_DEBUG_POOL_FREED,       /* a mempool is freed of which a device has buffers */
	DMAP_DEBUG_POOL_CHANGED,     /* a mempool got memory after it was mapped */
	DMAP_DEBUG_NO_OWNER,         /* memory of no pool and no ring: stack, heap, the program */
	DMAP_DEBUG_NB_CHECKS
};

/* As it is in reports. */
__rte_internal
const char *dmap_debug_name(enum dmap_debug_check what);

/* What a device has, or is to get. */
struct dmap_debug_loan {
	const struct rte_mbuf *m; /* NULL: what dmap_map_single() maps */
	const void *va;
	uint32_t len;
	enum dmap_dir dir;
	struct dmap_addr da; /* for reports */
	const char *place;   /* "tx queue 3"; lives as long as the loan */
	uint16_t slot;
	const void *site; /* who gave it: an address in code, or NULL */
	/* for who lends: the next loan of the same packet (0: none), and a sum of the bytes */
	uint32_t more;
	uint64_t sum;
	bool is_gone;                    /* hidden or freed meanwhile: not to be read */
	const uint32_t *is_stale;        /* atomic, or NULL: true if it may be returned already */
	uint16_t nb_segs;                /* of the mbuf, while it is watched; 0: it is not */
	char pool[RTE_MEMPOOL_NAMESIZE]; /* that the mbuf is of, which may be gone in a report */
};

/* The mbuf of a loan that is being made. */
static inline void
dmap_debug_set_mbuf(struct dmap_debug_loan *loan, const struct rte_mbuf *m)
{
	loan->m = m;
	if (m != NULL && m->pool != NULL)
		memcpy(loan->pool, m->pool->name, sizeof(loan->pool));
}

/**
 * Have what is done in this domain checked from here on, before any map. who begins each report and
 * is copied. -ENOMEM.
 */
__rte_internal
int dmap_debug_start(struct dmap_domain *d, const char *who);

/** Before a loan: is it free, or somebody's, and does it end within the mbuf? Reports. */
__rte_internal
void dmap_debug_check_buffer(struct dmap_domain *d, const struct dmap_debug_loan *loan);

/** Does the device reach it, with these rights? Reports. */
__rte_internal
void dmap_debug_check_place(struct dmap_domain *d, const struct dmap_debug_loan *loan);

/** It is the device's. A number for dmap_debug_returned(); 0: the table is full. */
__rte_internal
uint32_t dmap_debug_lent(struct dmap_domain *d, const struct dmap_debug_loan *loan);

/**
 * From here on it shows if its mbuf is freed: nb_segs holds a mark, which rte_pktmbuf_free() and
 * its like overwrite, in builds without checks too. Nothing happens to an mbuf that somebody else
 * has a reference to, who may look at it. Who lends, while nobody can complete it; 0 is fine.
 */
__rte_internal
void dmap_debug_watch(uint32_t number);

/** It is as it was, and may be completed. Reports if it was freed. Who lends; 0 is fine. */
__rte_internal
void dmap_debug_unwatch(struct dmap_domain *d, uint32_t number);

/** Of its bytes, for what the device only reads. */
__rte_internal
uint64_t dmap_debug_sum(const struct dmap_debug_loan *loan);

/** It is the CPU's again, or forgotten, and is not watched any more. 0 is fine. */
__rte_internal
void dmap_debug_returned(uint32_t number);

/** The loan with this number, for reports and searches; NULL for 0. It must not be returned. */
__rte_internal
const struct dmap_debug_loan *dmap_debug_loan(uint32_t number);

/** The number of a loan of this mbuf to the domain's device at this place; 0: there is none. */
__rte_internal
uint32_t dmap_debug_find(struct dmap_domain *d, const struct rte_mbuf *m, const char *place);

/** Something is wrong with a loan, or in general (NULL). */
__rte_internal
void dmap_debug_report(struct dmap_domain *d, enum dmap_debug_check what,
		const struct dmap_debug_loan *loan, const char *fmt, ...) __rte_format_printf(4, 5);

/** Reports so far, of one kind, or of all (DMAP_DEBUG_NB_CHECKS). 0 where nothing is checked. */
__rte_internal
uint64_t dmap_debug_nb(const struct dmap_domain *d, enum dmap_debug_check what);

#endif /* DMAP_DEBUG_H */
