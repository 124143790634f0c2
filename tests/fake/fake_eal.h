/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Stands in for dmap_eal.c and dmap_event.c: memory that has "files" behind it, in fake pages, and the events
 * that EAL and the mempool library would send.
 */

#ifndef FAKE_EAL_H
#define FAKE_EAL_H

#include <stddef.h>

struct rte_mempool;

/* Memory that dmap_add_pool() and dmap_add_range() find. addr and len are multiples of FAKE_PAGE. */
void fake_eal_add(void *addr, size_t len);
/* Unknown memory and NULL are fine. */
void fake_eal_remove(void *addr);
/* The same with memory of its own. */
char *fake_eal_alloc(unsigned int nb_pages);
void fake_eal_free(char *mem);

/* What the real event callbacks do, for all domains. */
void fake_event_pool_destroyed(struct rte_mempool *mp);
void fake_event_memory_freed(void *addr, size_t len);
void fake_event_memory_added(void);
/* Have dmap_event_attach() fail once. */
void fake_event_refuse(int error);
unsigned int fake_event_nb_domains(void);

#endif /* FAKE_EAL_H */
