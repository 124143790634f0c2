/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The memory of the tour, one piece of each kind:
 *   commands, answers   coherent memory, a page each; the device may only read the first
 *   out, in             packets of a mempool: streaming, lent for one transfer each
 *   canary              a page that the device has no business with
 */

#ifndef TOUR_MEMORY_H
#define TOUR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_memzone.h>

#include "dmap.h"
#include "dmap_map.h"
#include "edu.h"

#define TOUR_PAGE 4096

struct tour_memory {
	const char *device; /* PCI address */
	struct dmap_domain *domain;
	struct dmap_addr da_max;
	struct dmap_coherent shared;
	struct rte_mempool *pool;
	struct dmap_stream stream;
	struct dmap_map map; /* of the packet that the device has */
	struct rte_mbuf *out, *in;
	const struct rte_memzone *canary;
	struct dmap_addr canary_da; /* where it is mapped, when it is */
};

/** The device's address space and its limit. Tells what it does. */
int tour_memory_open(struct tour_memory *m, struct edu *e, unsigned int bits);

/** Allocate and map. Tells what it does. */
int tour_memory_fill(struct tour_memory *m, int socket);

/** The device may only read the page of commands from here on; it must be idle. */
int tour_memory_protect(struct tour_memory *m);

/**
 * Take back all that the device could reach, as a driver does when it stops. Tells what it does.
 */
int tour_memory_revoke(struct tour_memory *m, struct edu *e);

/** Unmap, then free. What is not there is fine. */
void tour_memory_close(struct tour_memory *m);

/** The two pages of coherent memory. */
static inline char *
tour_commands(const struct tour_memory *m)
{
	return m->shared.va;
}

static inline char *
tour_answers(const struct tour_memory *m)
{
	return (char *)m->shared.va + TOUR_PAGE;
}

/** Y of a virtual address; 0 where this user may not know it. */
uint64_t tour_physical(const void *va);

/** One line with the three addresses of a buffer. */
void tour_tell_addresses(const char *name, const void *va, struct dmap_addr da, uint32_t len,
		const char *access);

#endif /* TOUR_MEMORY_H */
