/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The DMA layer: which memory may a device reach, and at which address does it reach it.
 *
 * One buffer has a virtual address (X, void *), a physical address (Y, of no use here) and an address that
 * the device uses (Z, struct dmap_addr). A domain is the address space of one device. It holds owners
 * (a mempool, a piece of coherent memory, a range of EAL memory); the union of their pages is the table of
 * regions that the back end shows to the device. This layer knows memory, mbufs and mempools; it knows
 * neither virtio nor ethdev.
 *
 * Who owns what:
 *   coherent memory  both sides, at any time; order by barriers. Lives from dmap_coherent_alloc() to
 *                    dmap_coherent_free() or dmap_domain_destroy().
 *   streaming buffer exactly one side: CPU -> dmap_lend() -> device -> dmap_take_back() -> CPU.
 *   mempool          the application's; the domain only shows its pages, from dmap_add_pool() until
 *                    the pool is freed, dmap_del_pool() or dmap_domain_destroy().
 *
 * Threads: all functions of this header may be called from any thread. They may block (the back end may
 * have to tell the device), so a polling core gets here on a miss of its stream only (dmap_stream.h).
 * Errors: 0 or a negative errno; out parameters stay untouched on error.
 */

#ifndef DMAP_H
#define DMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct rte_mempool;
struct dmap_domain;

/* What the device sees. A type of its own, so that passing a CPU address does not compile. */
struct dmap_addr {
	uint64_t v;
};

/*
 * A run of pages that is contiguous in virtual memory, in device addresses and in the file behind it.
 * fd is borrowed from whoever made the memory (EAL, or the back end); -1 where there is no file.
 */
struct dmap_region {
	uintptr_t va;
	size_t len;
	struct dmap_addr da;
	int fd;
	uint64_t fd_off;
};

/* A piece of coherent memory. va is what the CPU uses, da what the device uses. */
struct dmap_coherent {
	void *va;
	size_t len;
	struct dmap_addr da;
	void *handle; /* for the back end */
};

/*
 * A back end makes regions reachable. All calls come with the domain's publish lock held.
 */
struct dmap_backend {
	const char *name;
	/*
	 * Memory for coherent use: zeroed, page-aligned, of at least r->len bytes (rounded up to what the
	 * back end maps), on NUMA node socket where possible. Fills *r and *handle.
	 */
	int (*coherent_alloc)(void *ctx, const char *what, size_t len, int socket,
			struct dmap_region *r, void **handle);
	void (*coherent_free)(void *ctx, const struct dmap_region *r, void *handle);
	/*
	 * Give a device address to a range of EAL memory before it becomes reachable. NULL: the device
	 * address is the virtual one.
	 */
	int (*assign)(void *ctx, struct dmap_region *r);
	/* Make exactly these regions reachable; the device must have accepted when this returns 0. */
	int (*publish)(void *ctx, const struct dmap_region *regions, unsigned int nb);
	/* True if pools need not be added one by one because all EAL memory is shown. */
	bool shows_all_eal;
};

/**
 * Make an empty domain. ctx is passed to the back end's functions and must outlive the domain.
 */
int dmap_domain_create(const char *name, const struct dmap_backend *backend, void *ctx,
		struct dmap_domain **out);

/** Free the domain; what is still in it is revoked (an empty table is published) and freed. NULL is fine. */
void dmap_domain_destroy(struct dmap_domain *d);

/**
 * Coherent memory of len bytes, zeroed and page-aligned. what names it in listings.
 */
int dmap_coherent_alloc(struct dmap_domain *d, const char *what, size_t len, int socket,
		struct dmap_coherent *out);

/** Give it back; *c is cleared. A cleared *c is fine. */
void dmap_coherent_free(struct dmap_domain *d, struct dmap_coherent *c);

/**
 * Show the pages that hold the packet buffers of a mempool. Adding a pool again is fine and cheap.
 * For pools with pinned external buffers the buffers are shown and the mbuf headers are not.
 * -ENOTSUP: memory without a file behind it, -ENOSPC: the back end takes no more regions,
 * otherwise what the back end says.
 */
int dmap_add_pool(struct dmap_domain *d, struct rte_mempool *mp);

/** Hide the pool's pages again, unless another owner needs them. Unknown pools are fine. */
void dmap_del_pool(struct dmap_domain *d, const struct rte_mempool *mp);

/** Show the pages of EAL memory that hold [addr, addr + len); hidden again when EAL frees them. */
int dmap_add_range(struct dmap_domain *d, const void *addr, size_t len);

/** Tell the device about the current table again, after a reconnect. */
int dmap_publish(struct dmap_domain *d);

/** Copy up to max regions of the current table; returns how many there are. */
unsigned int dmap_regions(struct dmap_domain *d, struct dmap_region *out, unsigned int max);

/** Bytes that the device can reach through the current table. */
uint64_t dmap_bytes(struct dmap_domain *d);

/*
 * A window of addresses that translate with one addition. Windows are regions merged where virtual and
 * device addresses go on together, whatever file lies behind.
 */
struct dmap_window {
	uintptr_t lo;
	size_t span;
	uint64_t delta; /* device address - virtual address */
};

/** Find the window that holds [addr, addr + len). -ENOENT if the device cannot reach all of it. */
int dmap_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out);

/** Counts removals: what a stream remembers is void when it changes. */
const uint32_t *dmap_generation(const struct dmap_domain *d);

/* Back ends: a memfd of the driver's own beside EAL's files; EAL's memory as a whole. */
struct dmap_publisher {
	/* Called with the regions to show; NULL ctx is not special. */
	int (*publish)(void *ctx, const struct dmap_region *regions, unsigned int nb);
	void *ctx;
};

/** Rings in sealed memfds, pools in EAL's files. The context of the back end is a struct dmap_publisher. */
extern const struct dmap_backend dmap_memfd_backend;
/** Everything EAL holds, rings in memzones. The context of the back end is a struct dmap_publisher. */
extern const struct dmap_backend dmap_none_backend;

#endif /* DMAP_H */
