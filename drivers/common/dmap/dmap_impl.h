/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the DMA layer: a domain and its owners. Not for users of dmap.h.
 *
 * Locks: publish_lock serialises changes and everything that talks to the device; it may be held for
 * long. table_lock protects the lists and arrays below and is held for short copies only; it is taken
 * inside publish_lock, never around it. EAL's memory lock may be held by the caller of the event
 * callbacks (dmap_event.c), so nothing here takes EAL's memory lock with table_lock or publish_lock held:
 * pages are looked up first.
 */

#ifndef DMAP_IMPL_H
#define DMAP_IMPL_H

#include <pthread.h>

#include <rte_log.h>
#include <rte_spinlock.h>

#include "dmap.h"

struct rte_memzone;

extern int dmap_logtype;
#define DMAP_LOG(level, ...) rte_log(RTE_LOG_##level, dmap_logtype, "dmap: " __VA_ARGS__)

enum dmap_owner_kind {
	DMAP_OWNER_POOL,
	DMAP_OWNER_COHERENT,
	DMAP_OWNER_RANGE,
	DMAP_OWNER_EXTERNAL,
	DMAP_OWNER_EAL
};

/* A growing array of regions. */
struct dmap_region_list {
	struct dmap_region *r;
	unsigned int nb;
	unsigned int room;
};

/* Why some pages are shown. */
struct dmap_owner {
	TAILQ_ENTRY(dmap_owner) next;
	enum dmap_owner_kind kind;
	const void *key; /* mempool, address of the range, handle of the coherent piece */
	struct dmap_region_list pages;
	bool was_looked_at; /* by dmap_check_nodes() */
};

TAILQ_HEAD(dmap_owner_head, dmap_owner);

struct dmap_domain {
	TAILQ_ENTRY(dmap_domain) next;
	const struct dmap_backend *backend;
	void *backend_ctx;
	pthread_mutex_t publish_lock;
	rte_spinlock_t table_lock;
	struct dmap_owner_head owners;
	struct dmap_region_list regions; /* union of the owners' pages, sorted by va */
	struct dmap_window *windows;     /* regions merged by address, sorted */
	unsigned int nb_windows;
	uint32_t generation;
	uint64_t da_max; /* beyond this the device sends no address; 0: it sends any */
	bool is_revoked; /* changed with publish_lock held */
	char name[64];
};

/* Lists (dmap_region.c). add() merges with the last region when the new one continues it. */
int dmap_region_list_add(struct dmap_region_list *l, const struct dmap_region *r);
void dmap_region_list_free(struct dmap_region_list *l);
/* The union of the owners' pages, sorted, continued regions merged. */
int dmap_region_union(const struct dmap_owner_head *owners, struct dmap_region_list *out);
/* The owners' pages, sorted, not merged: where two owners share a page it is there twice. */
int dmap_region_collect(const struct dmap_owner_head *owners, struct dmap_region_list *out);
/* Windows of a sorted union; NULL with *nb 0 for an empty one. */
int dmap_region_windows(
		const struct dmap_region_list *l, struct dmap_window **out, unsigned int *nb);
/* The window of a sorted array that holds a range; NULL if none. */
const struct dmap_window *dmap_region_find(
		const struct dmap_window *w, unsigned int nb, uintptr_t va, size_t len);

/*
 * EAL's memory (dmap_eal.c): pages with their files, or with a granule just the pages of that size, whosever
 * memory it is. They take EAL's memory lock.
 */
int dmap_eal_pages(const void *addr, size_t len, size_t granule, struct dmap_region_list *out);
int dmap_eal_pool_pages(struct rte_mempool *mp, size_t granule, struct dmap_region_list *out);
/* Does all of it belong to EAL, so that we are told before it goes away? */
bool dmap_eal_owns(const void *addr, size_t len);
int dmap_eal_all_pages(bool have_lock, struct dmap_region_list *out);
/* Of the memory at addr, whosever it is. Takes no lock. */
size_t dmap_eal_page_size(const void *addr);
/*
 * A memzone, on this NUMA node if it can be and else on any: memory that is far away is better than none.
 * NULL with rte_errno.
 */
const struct rte_memzone *dmap_eal_memzone(
		const char *what, size_t len, int socket, unsigned int flags, size_t align);

/* Changes (dmap_domain.c). Takes ownership of o on success. */
int dmap_domain_insert(struct dmap_domain *d, struct dmap_owner *o);
/* The same, but an owner of this kind and key that is there already is an error: -EEXIST. */
int dmap_domain_insert_new(struct dmap_domain *d, struct dmap_owner *o);
void dmap_domain_remove(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key);
void dmap_owner_free(struct dmap_owner *o);
struct dmap_owner *dmap_owner_new(enum dmap_owner_kind kind, const void *key);
/* Recompute the table from the owners and publish it; publish_lock is held. */
int dmap_domain_rebuild(struct dmap_domain *d, bool is_removal);
struct dmap_owner *dmap_domain_find(
		struct dmap_domain *d, enum dmap_owner_kind kind, const void *key);

/* Device addresses for a new owner within the device's limit (dmap_limit.c); publish_lock is held. */
int dmap_domain_place(struct dmap_domain *d, struct dmap_owner *o);

/* Have pages that nobody touched yet lie on a NUMA node, where that is possible (dmap_numa.c). */
void dmap_numa_place(void *va, size_t len, int node);

/* The publish operation of back ends whose context is a struct dmap_publisher. */
int dmap_publisher_publish(void *ctx, const struct dmap_region *regions, unsigned int nb);

/* EAL memory [addr, addr + len) is about to disappear: forget it. Called with EAL's memory lock held. */
void dmap_domain_memory_freed(struct dmap_domain *d, const void *addr, size_t len);
/* EAL has new memory; for domains that show all of it. Called with EAL's memory lock held. */
void dmap_domain_memory_added(struct dmap_domain *d);

/* Events of EAL and of mempools for all domains (dmap_event.c). */
int dmap_event_attach(struct dmap_domain *d);
void dmap_event_detach(struct dmap_domain *d);

#endif /* DMAP_IMPL_H */
