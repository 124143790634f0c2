/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * NUMA: where memory is to lie, and where it came to lie. Asking for a node is a wish: it may have
 * no memory left, and pools are made by others. So the kernel is asked about the pages that are
 * there. A machine or a container that tells nothing, or has one node only, is no error.
 */

#include <numa.h>
#include <numaif.h>

#include <rte_memory.h>

#include "dmap_impl.h"

/* Pages that the kernel is asked about at a time. */
#define BATCH 256

RTE_EXPORT_INTERNAL_SYMBOL(dmap_numa_is_told)
bool
dmap_numa_is_told(int node)
{
	return node >= 0 && numa_available() >= 0 && numa_num_configured_nodes() > 1;
}

void
dmap_numa_place(void *va, size_t len, int node)
{
	struct bitmask *nodes;

	if (!dmap_numa_is_told(node) || node > numa_max_node())
		return;
	nodes = numa_allocate_nodemask();
	numa_bitmask_setbit(nodes, node);
	/*
	 * Preferred, not bound: a bound page that the node does not have is a SIGBUS when it is
	 * touched.
	 */
	mbind(va, len, MPOL_PREFERRED, nodes->maskp, nodes->size + 1, 0);
	numa_bitmask_free(nodes);
}

/*
 * A node on which a part of a region lies and which is not this one; else this one. Pages that
 * nobody touched yet lie nowhere.
 */
static int
other_node(const struct dmap_region *r, int node)
{
	size_t page = dmap_eal_page_size((const void *)r->va);
	uintptr_t va = RTE_ALIGN_FLOOR(r->va, page), end = r->va + r->len;
	int nodes[BATCH];
	void *pages[BATCH];
	unsigned int nb, i;

	while (va < end) {
		for (nb = 0; nb < BATCH && va < end; nb++, va += page)
			pages[nb] = (void *)va;
		if (numa_move_pages(0, nb, pages, NULL, nodes, 0) != 0)
			return node;
		for (i = 0; i < nb; i++)
			if (nodes[i] >= 0 && nodes[i] != node)
				return nodes[i];
	}
	return node;
}

static void
warn(const struct dmap_owner *o, const char *who, int found, int node)
{
	if (o->kind == DMAP_OWNER_COHERENT)
		DMAP_LOG(WARNING,
				"%s: the rings lie on NUMA node %d, the device on node %d: give EAL memory "
				"there (--socket-mem, one number for each node)",
				who, found, node);
	else
		DMAP_LOG(WARNING,
				"%s: mempool %s lies on NUMA node %d, the device on node %d: make the pool "
				"with socket_id %d, and give EAL memory there (--socket-mem, one number for "
				"each node)",
				who, o->pool, found, node, node);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_check_nodes)
unsigned int
dmap_check_nodes(struct dmap_domain *d, const char *who, int node)
{
	struct dmap_owner *o;
	unsigned int nb = 0, i;
	int found;

	if (!dmap_numa_is_told(node))
		return 0;
	/*
	 * While it is held no pool that is listed goes away: it would have to leave the list first.
	 */
	pthread_mutex_lock(&d->change_lock);
	TAILQ_FOREACH(o, &d->owners, next) {
		if (o->was_looked_at ||
				(o->kind != DMAP_OWNER_POOL && o->kind != DMAP_OWNER_COHERENT))
			continue;
		o->was_looked_at = true;
		found = node;
		for (i = 0; i < o->pages.nb && found == node; i++)
			found = other_node(&o->pages.r[i], node);
		if (found == node)
			continue;
		warn(o, who, found, node);
		nb++;
	}
	pthread_mutex_unlock(&d->change_lock);
	return nb;
}
