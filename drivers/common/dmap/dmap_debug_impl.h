/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Inside of the checker, and what the rest of the DMA layer tells it. */

#ifndef DMAP_DEBUG_IMPL_H
#define DMAP_DEBUG_IMPL_H

#include "dmap_debug.h"
#include "dmap_impl.h"

/* Loans of all devices at a time, and number 0. */
#define DMAP_DEBUG_ENTRIES 65536
/* In nb_segs of mbufs that are watched, with the number of their loan. */
#define DMAP_DEBUG_MARK 0x8000

struct dmap_debug {
	char who[64];
	uint64_t nb[DMAP_DEBUG_NB_CHECKS]; /* atomic */
};

struct dmap_debug_entry {
	const struct dmap_domain *domain; /* NULL: free */
	struct dmap_debug_loan loan;
	uint32_t next; /* of the bucket, or free */
	unsigned int lcore;
};

/* Of the table, and all entries. */
extern rte_spinlock_t dmap_debug_lock;

/* Loans are found by the mbuf, or by where memory without one begins. */
const void *dmap_debug_key(const struct dmap_debug_loan *loan);
/* The loans with a key; NULL behind the last. The lock is held. */
struct dmap_debug_entry *dmap_debug_first(const void *key);
struct dmap_debug_entry *dmap_debug_next(struct dmap_debug_entry *e);
/* NULL: nothing has this number. The lock is held, or the loan is the caller's. */
struct dmap_debug_entry *dmap_debug_at(uint32_t number);
uint32_t dmap_debug_number(const struct dmap_debug_entry *e);

/* The mbuf is as it was before it was watched. False: it is not, since somebody has freed it. */
bool dmap_debug_unmark(struct dmap_debug_entry *e);
/* The domain ends: reports what is left. */
void dmap_debug_tell_left(struct dmap_domain *d);
/* The same, and the domain is not checked any more. */
void dmap_debug_end(struct dmap_domain *d);
/* The verbs of dmap_map.h, of a domain that is checked; site: who calls. */
void dmap_debug_map(struct dmap_domain *d, const struct rte_mbuf *m, const struct dmap_map *map,
		const void *site);
void dmap_debug_unmap(struct dmap_domain *d, const struct dmap_map *map);
void dmap_debug_sync(struct dmap_domain *d, const struct dmap_map *map, uint32_t off, uint32_t len,
		enum dmap_dir dir);
/* An owner of these pages has left the domain. */
void dmap_debug_hide(struct dmap_domain *d, const struct dmap_region_list *pages);
/* A mempool is about to end. */
void dmap_debug_pool_gone(struct dmap_domain *d, struct rte_mempool *mp);
/* A mempool has got all its memory. */
void dmap_debug_pool_ready(struct dmap_domain *d, const struct rte_mempool *mp);

#endif /* DMAP_DEBUG_IMPL_H */
