/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Stands in for dmap_eal.c: memory that has "files" behind it, in fake pages. And for EAL and the
 * mempool library where they send events to dmap_event.c.
 */

#ifndef FAKE_EAL_H
#define FAKE_EAL_H

#include <stddef.h>

struct rte_mempool;

/*
 * Memory that dmap_add_pool() and dmap_add_range() find. addr and len are multiples of FAKE_PAGE.
 */
void fake_eal_add(void *addr, size_t len);
/* Unknown memory and NULL are fine. */
void fake_eal_remove(void *addr);
/* The same with memory of its own. */
char *fake_eal_alloc(unsigned int nb_pages);
void fake_eal_free(char *mem);

/* Called before the pages of a pool are looked up. */
extern void (*fake_eal_before_walk)(struct rte_mempool *mp);

/* What EAL and the mempool library say; for EAL's memory with its memory lock held. */
void fake_event_pool_destroyed(struct rte_mempool *mp);
void fake_event_pool_ready(struct rte_mempool *mp);
void fake_event_memory_freed(void *addr, size_t len);
void fake_event_memory_added(void *addr, size_t len);
/* Have the next registration fail. */
void fake_event_refuse(int error);
/* Two, or none; one more since the first sealed pool. */
unsigned int fake_event_nb_callbacks(void);

#endif /* FAKE_EAL_H */
