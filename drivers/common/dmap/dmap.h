/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The DMA layer: which memory may a device reach, and at which address does it reach it.
 *
 * One buffer has a virtual address (X, void *), a physical address (Y, of no use here) and an
 * address that the device uses (Z, struct dmap_addr). A domain is the address space of one device.
 * It holds owners (a mempool, a piece of coherent memory, a range of EAL memory); the union of
 * their pages is the table of regions that the back end shows to the device. This layer knows
 * memory, mbufs and mempools; it knows neither virtio nor ethdev.
 *
 * Who owns what:
 *   coherent memory  both sides, at any time; order by barriers. Lives from dmap_alloc_coherent()
 *                    to dmap_free_coherent() or dmap_domain_destroy().
 *   streaming buffer exactly one side: CPU -> dmap_map_*() -> device -> dmap_unmap() -> CPU, or for
 *                    a while by dmap_sync_for_cpu() and dmap_sync_for_device() (dmap_map.h). Burst
 *                    functions say dmap_lend() and dmap_take_back() (dmap_stream.h).
 *   mempool          the application's; the domain only shows its pages, from dmap_add_pool() until
 *                    it is freed, dmap_del_pool(), dmap_keep_pools() or dmap_domain_destroy().
 *
 * Threads: all functions of this header may be called from any thread, but not from a polling core,
 * which has dmap_stream.h. Only dmap_show() and dmap_serve() wait for a device: the thread that
 * starts it calls the one, the control thread of its port the other. Errors: 0 or a negative errno;
 * out parameters stay untouched on error.
 */

#ifndef DMAP_H
#define DMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_compat.h>

struct rte_mempool;
struct dmap_domain;

/* What the device sees. A type of its own, so that passing a CPU address does not compile. */
struct dmap_addr {
	uint64_t v;
};

/*
 * A run of pages that is contiguous in virtual memory, in device addresses and in the file behind
 * it. fd is borrowed from whoever made the memory (EAL, or the back end); -1 where there is no
 * file.
 */
struct dmap_region {
	uintptr_t va;
	size_t len;
	struct dmap_addr da;
	int fd;
	uint64_t fd_off;
	uint8_t flags; /* DMAP_REGION_* */
};

/* The device may read and not write; for back ends with access rights. */
#define DMAP_REGION_READ_ONLY 1
/*
 * The first or the last page also holds what is not part of this region, and others may show it as
 * well.
 */
#define DMAP_REGION_HEAD_SHARED 2
#define DMAP_REGION_TAIL_SHARED 4

/* A piece of coherent memory. va is what the CPU uses, da what the device uses. */
struct dmap_coherent {
	void *va;
	size_t len;
	struct dmap_addr da;
	void *handle; /* for the back end */
	int fd;       /* the file that is this piece, borrowed; -1: it is EAL's memory */
};

/* The device's address of va, which lies in mem. Any thread. */
static inline struct dmap_addr
dmap_coherent_da(const struct dmap_coherent *mem, const void *va)
{
	return (struct dmap_addr){ mem->da.v + ((const char *)va - (const char *)mem->va) };
}

/* A back end makes regions reachable. One call at a time. */
struct dmap_backend {
	const char *name;
	/*
	 * Memory for coherent use: zeroed, page-aligned, of at least r->len bytes (rounded up to
	 * what the back end maps), on NUMA node socket where possible. Fills *r and *handle.
	 */
	int (*coherent_alloc)(void *ctx, const char *what, size_t len, int socket,
			struct dmap_region *r, void **handle);
	void (*coherent_free)(void *ctx, void *handle);
	/*
	 * Give a device address to a range of EAL memory before it becomes reachable. NULL: the
	 * device address is the virtual one.
	 */
	int (*assign)(void *ctx, struct dmap_region *r);
	/*
	 * Make exactly these regions reachable; the device must have accepted when this returns 0.
	 */
	int (*show)(void *ctx, const struct dmap_region *regions, unsigned int nb);
	/* How many pieces the device's address space is made of; NULL: as many as regions. */
	unsigned int (*nb_maps)(const void *ctx);
	/*
	 * Telling the device means to wait until it answers, so that this is left to the control
	 * thread. show gets descriptors that stay open during the call, whatever becomes of the
	 * memory meanwhile; and what it shows after dmap_revoke() is of no meaning. False: show
	 * is a system call, and changes come at once.
	 */
	bool is_remote;
	/* True if pools need not be added one by one because all EAL memory is shown. */
	bool shows_all_eal;
	/*
	 * 0: what is shown are files, so whole EAL pages. Otherwise any memory can be shown in
	 * pages of this size, access rights hold, and an empty table takes away at once what the
	 * device could reach. Regions of different owners are not merged then, so that each
	 * can go without touching another.
	 */
	size_t granule;
};

/** Make an empty domain. ctx is passed to the back end's functions and must outlive the domain. */
__rte_internal
int dmap_domain_create(const char *name, const struct dmap_backend *backend, void *ctx,
		struct dmap_domain **out);

/* Device addresses from lo to hi, both included. */
struct dmap_range {
	struct dmap_addr lo, hi;
};

/* What a device can do. All zero: everything. */
struct dmap_limits {
	struct dmap_addr da_max; /* a power of two minus one (a kernel's dma_set_mask()) */
	/* The only addresses that memory may get, sorted; valid as long as the domain. */
	const struct dmap_range *ranges;
	unsigned int nb_ranges;
	/* Of what one descriptor says (dmap_map.h): bytes; a power of two that is not crossed. */
	uint32_t seg_max;
	uint64_t boundary;
};

/**
 * For domains that are empty yet. From then on memory of a virtual address that is beyond the
 * limits gets the lowest device address that is not; what the application placed beyond is refused
 * with -ERANGE, and memory that shares a page with other memory of the domain with -EEXIST.
 * -ENOTSUP: the back end shows files, so there is no choice of addresses; -EBUSY: the domain is not
 * empty, -EINVAL: no such limits.
 */
__rte_internal
int dmap_set_limits(struct dmap_domain *d, const struct dmap_limits *limits);

/**
 * Give the domain's memory device addresses of its own from here on, which say nothing of where it
 * lies in this process: each piece gets the lowest that is free, from 256 MiB on, at a multiple of
 * 2 MiB; with a remote back end the next one, and from 64 GiB on the lowest again, so that none
 * comes again soon. -EBUSY: the domain is not empty.
 */
__rte_internal
int dmap_set_own_addresses(struct dmap_domain *d);

/**
 * From here on show no packet memory but that of pools made with dmap_sealed_create(); all else is
 * refused with -EPERM. remedy ends the line that says so, and outlives the domain; NULL: there is
 * none, as the caller can do without. -EBUSY: the domain is not empty.
 */
__rte_internal
int dmap_set_sealed(struct dmap_domain *d, const char *remedy);

/**
 * Have fn called when something waits for dmap_serve(): by any thread, polling cores included, so
 * it must not wait. To be said before the first dmap_show(), and to be valid until the domain
 * ends.
 */
__rte_internal
void dmap_set_waker(struct dmap_domain *d, void (*fn)(void *ctx), void *ctx);

/**
 * Free the domain; what is still in it is revoked and freed. The device of a remote back end must
 * not listen any more. NULL is fine.
 */
__rte_internal
void dmap_domain_destroy(struct dmap_domain *d);

/**
 * The same while a core may still be in a burst with a stream of it: that finds nothing, and may
 * call the waker once more. The domain itself stays, with what the checker remembers of it.
 */
__rte_internal
void dmap_domain_abandon(struct dmap_domain *d);

/**
 * Coherent memory of len bytes, zeroed and page-aligned. what names it in listings.
 */
__rte_internal
int dmap_alloc_coherent(struct dmap_domain *d, const char *what, size_t len, int socket,
		struct dmap_coherent *out);

/** Say what is in it: dmap_entry.name. note lives as long as the piece. */
__rte_internal
void dmap_coherent_note(struct dmap_domain *d, const struct dmap_coherent *c, const char *note);

/** Give it back; *c is cleared. A cleared *c is fine. */
__rte_internal
void dmap_free_coherent(struct dmap_domain *d, struct dmap_coherent *c);

/** Clears *c, too. A core may still write there: the device loses it, and nobody else gets it. */
__rte_internal
void dmap_coherent_abandon(struct dmap_domain *d, struct dmap_coherent *c);

/**
 * Show the pages that hold the packet buffers of a mempool. Adding a pool again is fine and cheap.
 * For pools with pinned external buffers the buffers are shown and the mbuf headers are not.
 * -ENOTSUP: memory without a file behind it, -EPERM: see dmap_set_sealed(), otherwise what a local
 * back end says. The device of a remote back end is told by the next dmap_show(), or by
 * dmap_serve(), and only then the pool is within its reach.
 */
__rte_internal
int dmap_add_pool(struct dmap_domain *d, struct rte_mempool *mp);

/** Hide the pool's pages again, unless another owner needs them. Unknown pools are fine. */
__rte_internal
void dmap_del_pool(struct dmap_domain *d, const struct rte_mempool *mp);
/** The same for all that were added and are none of these; what came with packets stays. */
__rte_internal
void dmap_keep_pools(
		struct dmap_domain *d, const struct rte_mempool *const pools[], unsigned int nb);

/*
 * Packet memory that holds nothing else: a memfd of the driver's own for each pool, sealed against
 * shrink, grow and further seals, with all its pages, locked where the process may lock so much. Of
 * ordinary pages, which the kernel may make huge ones of: who has such a file may punch holes into
 * it, and a huge page that was punched out may be gone for good, which is a SIGBUS; an ordinary one
 * comes back with zeroes. Any number of domains may show it, and their devices get this file only.
 */

struct dmap_sealed;

/**
 * Memory for a pool of that name, of at least len bytes, zeroed, on NUMA node socket where
 * possible. It is nobody's until dmap_sealed_bind(). -errno, with a line in the log.
 */
__rte_internal
int dmap_sealed_create(const char *name, size_t len, int socket, struct dmap_sealed **out);

/** Where it is, and its length. */
__rte_internal
void *dmap_sealed_memory(const struct dmap_sealed *s, size_t *len);

/**
 * The buffers of the mbufs of this pool lie in it; when the pool is freed it leaves all domains,
 * and then the memory is freed, too.
 */
__rte_internal
int dmap_sealed_bind(struct dmap_sealed *s, const struct rte_mempool *mp);

/** Free memory that was not bound. NULL is fine. */
__rte_internal
void dmap_sealed_destroy(struct dmap_sealed *s);

/** Show the pages of EAL memory that hold [addr, addr + len); hidden again when EAL frees them. */
__rte_internal
int dmap_add_range(struct dmap_domain *d, const void *addr, size_t len);

/**
 * The device may only read the whole pages within the nb spans of a coherent piece; the rest of it
 * stays readable and writable. Replaces what was said before. The device must not use the piece
 * meanwhile. Without effect, and 0, for back ends without access rights.
 */
struct dmap_span {
	size_t offset, len;
};
__rte_internal
int dmap_coherent_read_only(struct dmap_domain *d, const struct dmap_coherent *c,
		const struct dmap_span *spans, unsigned int nb);

/**
 * Show memory that the application made and maps by itself (rte_dev_dma_map), at an address of its
 * choice. addr, da and len must be multiples of the granule. -ENOTSUP: the back end shows files
 * only, -EPERM: see dmap_set_sealed(), -EEXIST: it is shown already.
 */
__rte_internal
int dmap_add_external(struct dmap_domain *d, const void *addr, struct dmap_addr da, size_t len);

/**
 * Hide it, whatever else lies in it: the application is about to take the memory away. -ENOENT: it
 * was not shown with exactly this address and length.
 */
__rte_internal
int dmap_del_external(struct dmap_domain *d, const void *addr, size_t len);

/**
 * Does it make sense to compare NUMA nodes with this one? Not on machines of one node, without
 * NUMA, or for a device of no known node (SOCKET_ID_ANY).
 */
__rte_internal
bool dmap_numa_is_told(int node);

/**
 * Compare where coherent memory and mempools really lie with the NUMA node of the device. Each is
 * looked at once, and what lies elsewhere gets a warning that begins with who. Returns how many
 * there were.
 */
__rte_internal
unsigned int dmap_check_nodes(struct dmap_domain *d, const char *who, int node);

/**
 * A device listens from here on: show it all that is in the domain. Waits until it has accepted.
 * Pools that came with packets are left out if it accepts the rest only: -ENOSPC and -EREMOTEIO are
 * refusals, with which remote back ends can live, others end the exchange.
 */
__rte_internal
int dmap_show(struct dmap_domain *d);

/**
 * Control thread: show memory that polling cores met, and tell the device what changed since
 * dmap_show(). Does nothing before it and after dmap_revoke(). A refusal concerns the memory
 * only, whose packets are dropped; -errno: the exchange with the device failed, or it does not let
 * go of memory, so it must be cut off.
 */
__rte_internal
int dmap_serve(struct dmap_domain *d);

/**
 * No device listens any more, and what is added or removed is noted only, until dmap_show(). A
 * local back end takes back all that the device could reach; with a remote one only cutting the
 * connection helps. Never waits.
 */
__rte_internal
void dmap_revoke(struct dmap_domain *d);

/** Copy up to max regions that may be used; returns how many there are. */
__rte_internal
unsigned int dmap_regions(struct dmap_domain *d, struct dmap_region *out, unsigned int max);

/* Pages that are in a domain, and why. Two owners may have the same page. */
struct dmap_entry {
	struct dmap_region region;
	/* "mempool", "sealed mempool", "coherent", "EAL memory", "application", "all of EAL" */
	const char *kind;
	char name[32]; /* of the mempool, or what is in a coherent piece, or empty */
	bool is_shown; /* the device reaches it now */
};

/**
 * Copy up to max entries from number first on; returns how many there are in all. They may be
 * others between two calls.
 */
__rte_internal
unsigned int dmap_entries(struct dmap_domain *d, unsigned int first, struct dmap_entry *out,
		unsigned int max);

/** Bytes that the device can reach through the current table. */
__rte_internal
uint64_t dmap_bytes(struct dmap_domain *d);

/** Pieces that the device's address space is made of: regions told, or entries of an IOMMU. */
__rte_internal
unsigned int dmap_nb_maps(struct dmap_domain *d);

/*
 * A window of addresses that translate with one addition. Windows are regions merged where virtual
 * and device addresses go on together, whatever file lies behind.
 */
struct dmap_window {
	uintptr_t lo;
	size_t span;
	uint64_t delta; /* device address - virtual address */
};

/** Find the window that holds [addr, addr + len). -ENOENT if the device cannot reach all of it. */
__rte_internal
int dmap_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out);

/** Counts removals: what a stream remembers is void when it changes. */
__rte_internal
const uint32_t *dmap_generation(const struct dmap_domain *d);

/*
 * A buffer that a polling core wants to lend: which memory it lies in, and the bytes that have to
 * be reached. pool is NULL for an external buffer at [addr, addr + len).
 */
struct dmap_buffer {
	struct rte_mempool *pool;
	const void *addr;
	size_t len;
	const void *va;
	uint32_t va_len;
};

/**
 * A polling core met memory, which begins at memory, and could not look it up. Never waits.
 * -EAGAIN: the control thread sees to it, -EACCES: the device does not reach it. Any thread.
 */
__rte_internal
int dmap_request_post(struct dmap_domain *d, const void *memory, const struct dmap_buffer *buf);

/*
 * What other processes know of a domain, which belongs to one: where the memory is that the device
 * reaches, at addresses that all of them share, and whose. They look it up, and ask for more.
 */
#define DMAP_SHARED_WINDOWS 128
#define DMAP_SHARED_POOLS 128
struct dmap_shared {
	uint32_t generation; /* as dmap_generation() */
	uint32_t serial;     /* atomic: odd while the following is written */
	uint32_t nb_windows; /* what does not fit is not there */
	struct dmap_window windows[DMAP_SHARED_WINDOWS];
	uint32_t nb_pools; /* more than have room: any may be one of them */
	const struct rte_mempool *pools[DMAP_SHARED_POOLS];
};

/**
 * Keep generation and windows of the domain in *shared from here on, which is memory of all
 * processes and lives as long as the domain. For a domain that no stream uses yet.
 */
__rte_internal
void dmap_share(struct dmap_domain *d, struct dmap_shared *shared);

/** As dmap_lookup(), in any process. -EAGAIN: they are just being written. */
__rte_internal
int dmap_shared_lookup(const struct dmap_shared *shared, const void *addr, size_t len,
		struct dmap_window *out);

/** Is the pool itself what the device reaches? As the former; -ENOENT: it is not. */
__rte_internal
int dmap_shared_pool(const struct dmap_shared *shared, const struct rte_mempool *mp);

/* Back ends: a memfd of the driver's own beside EAL's files; EAL's memory as a whole. */
struct dmap_remote {
	/* Called with the regions to show; NULL ctx is not special. */
	int (*show)(void *ctx, const struct dmap_region *regions, unsigned int nb);
	void *ctx;
};

/**
 * Rings in sealed memfds, pools in EAL's files; small: rings never in huge pages, which who has the
 * file may take away for good. The context of the back end is a struct dmap_remote.
 */
extern const struct dmap_backend dmap_memfd_backend, dmap_memfd_small_backend;
/**
 * The same files, of which the device maps just the pages of 4 KiB that it is told of, with their
 * rights (vDPA). The context of the back end is a struct dmap_remote.
 */
extern const struct dmap_backend dmap_iotlb_backend, dmap_iotlb_small_backend;
/**
 * Everything EAL holds, rings in memzones. The context of the back end is a struct dmap_remote.
 */
extern const struct dmap_backend dmap_none_backend;

/*
 * An IOMMU, through a VFIO container of the port's own: pages of 4 KiB, rings in memzones, device
 * addresses are virtual ones. The context of the back end is a struct dmap_vfio.
 */
struct dmap_vfio;
extern const struct dmap_backend dmap_vfio_backend;

/**
 * Take the IOMMU group of a PCI device into a container of its own, in which nothing is mapped.
 * sysfs is the folder of the PCI devices, pci_addr the device's name in it. To be called before the
 * device is opened. Refuses every set-up in which the promise could not be kept; logs what is wrong
 * and the cure.
 */
__rte_internal
int dmap_vfio_open(const char *sysfs, const char *pci_addr, struct dmap_vfio **out);

/**
 * After the device was opened by EAL: does it still use this container, and does the kernel count
 * exactly our maps? Logs what is wrong.
 */
__rte_internal
int dmap_vfio_verify(const struct dmap_vfio *v);

/** Have the kernel reset the device behind an open VFIO device descriptor. */
__rte_internal
int dmap_vfio_reset_device(int device_fd);

/** Is this still an open VFIO device descriptor? EAL does not say whether it closed it. */
__rte_internal
bool dmap_vfio_is_device(int device_fd);

/**
 * Where a BAR begins in the file behind an open VFIO device descriptor, for mmap(). -ENOTSUP: it
 * cannot be mapped.
 */
__rte_internal
int dmap_vfio_find_bar(int device_fd, unsigned int bar, uint64_t *offset);

/**
 * Everything is unmapped, group and container are closed. The device must be closed. NULL is fine.
 */
__rte_internal
void dmap_vfio_close(struct dmap_vfio *v);

#endif /* DMAP_H */
