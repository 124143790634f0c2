/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the DMA layer: a domain and its owners. Not for users of dmap.h.
 *
 * Locks, from the outermost to the innermost; who holds one takes only those behind it:
 *   registration_lock  (dmap_event.c) while callbacks are registered with EAL and the mempool
 *                library, or removed.
 *   serve_lock   one exchange with the device of a remote back end at a time; held as long as the
 *                device takes. Only dmap_show() and dmap_serve() take it.
 *   pools_lock   (dmap_event.c) while the pages of a pool are walked that may be freed meanwhile:
 *                the pool's end waits for the walk, and for nothing else.
 *   EAL's memory lock. The callers of the event callbacks hold it, so nothing here takes it with
 *                one of the following locks held: pages are looked up first.
 *   domains_lock (dmap_event.c) read while an event is handed on.
 *   change_lock  serialises changes of one domain. Held while a local back end is told, which is a
 *                system call, and never while a device is waited for.
 *   request_lock what polling cores ask for; they try it a few times and go on without.
 *   table_lock   protects the lists and arrays below, for short copies only.
 */

#ifndef DMAP_IMPL_H
#define DMAP_IMPL_H

#include <pthread.h>

#include <rte_log.h>
#include <rte_pause.h>
#include <rte_spinlock.h>

#include "dmap.h"

struct rte_memzone;

extern int dmap_logtype;
#define RTE_LOGTYPE_dmap dmap_logtype
#define DMAP_LOG(level, ...) RTE_LOG_LINE(level, dmap, __VA_ARGS__)

enum dmap_owner_kind {
	DMAP_OWNER_POOL,
	DMAP_OWNER_COHERENT,
	DMAP_OWNER_RANGE,
	DMAP_OWNER_EXTERNAL,
	DMAP_OWNER_EAL
};

#define DMAP_HUGE_PAGE ((size_t)2 << 20)

/* Have a_len bytes from a on and b_len bytes from b on an address in common? */
static inline bool
dmap_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

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
	const void *key;  /* mempool, address of the range, handle of the coherent piece */
	const char *note; /* what is in a coherent piece; NULL: nobody said */
	char pool[32];    /* the mempool's name: another process may have freed it unseen */
	struct dmap_region_list pages;
	bool was_looked_at; /* by dmap_check_nodes() */
	bool is_lazy;       /* came with packets: it goes before anything else is refused for it */
	bool is_sealed;     /* a pool of dmap_sealed_create() */
	/* Remote back ends, while a device listens: */
	bool is_offered; /* lies in the table that the device is looking at */
	bool is_shown;   /* the device accepted it */
	/* the device did not; it is not offered again before the table gets smaller */
	bool is_refused;
};

TAILQ_HEAD(dmap_owner_head, dmap_owner);

/*
 * Memory that a polling core met and that is not shown. Slots are few: one core asks for one piece
 * at a time.
 */
#define DMAP_REQUESTS 16
/* Packets wait for it this long at most, then they are dropped although nobody refused them. */
#define DMAP_WAIT_MS 1000
/*
 * What was refused is asked for again after one second, then after two and so on up to this many.
 */
#define DMAP_RETRY_MAX 64

struct dmap_request {
	/* mempool, or the neighbourhood of an external buffer; NULL: the slot is free */
	const void *memory;
	struct dmap_buffer buf;
	uint32_t serial;   /* another one than that of the request that had the slot before */
	uint32_t retry_s;  /* 0: it was not refused yet */
	uint64_t since;    /* milliseconds: asked for the first time */
	uint64_t retry_at; /* milliseconds; after it was refused */
	bool is_asked;     /* the control thread has to look */
};

struct dmap_domain {
	TAILQ_ENTRY(dmap_domain) next;
	const struct dmap_backend *backend;
	void *backend_ctx;
	pthread_mutex_t serve_lock;
	pthread_mutex_t change_lock;
	rte_spinlock_t request_lock;
	rte_spinlock_t table_lock;
	/* protected by table_lock; changed with change_lock held as well */
	struct dmap_owner_head owners;
	struct dmap_region_list regions; /* what may be used, sorted by va */
	struct dmap_window *windows;     /* the same merged by address, sorted */
	unsigned int nb_windows;
	uint32_t *generation; /* atomic; own_generation, or in what is shared */
	uint32_t own_generation;
	struct dmap_shared *shared; /* NULL: no other process looks anything up */
	/*
	 * Counts memory that EAL or a pool's end took away: pages that were looked up before may be
	 * gone.
	 */
	uint32_t nb_gone;
	/* protected by change_lock */
	struct dmap_limits limits;
	uint64_t next_own_da; /* where the next one is looked for, with a remote back end */
	bool has_own_da;      /* device addresses are never virtual ones */
	bool is_sealed;       /* pools of dmap_sealed_create() only */
	const char *remedy;   /* against the refusal of others; NULL: they are no news */
	/*
	 * A device listens. Local back end: what changes is shown at once, unless dmap_revoke() was
	 * called. Remote one: from dmap_show() to dmap_revoke(), and only what the device
	 * accepted may be used then.
	 */
	bool is_live;
	bool is_stale; /* remote and live: the device knows memory that left the domain */
	/* Counts what dmap_show() and dmap_revoke() make of is_live: older answers are void. */
	uint32_t epoch;
	int refusal;              /* why the device refused last; serve_lock */
	void (*waker)(void *ctx); /* atomic */
	void *waker_ctx;
	/* protected by request_lock */
	struct dmap_request requests[DMAP_REQUESTS];
	uint32_t serial;
	struct dmap_debug *debug;   /* NULL: nothing is checked */
	struct dmap_bounce *bounce; /* NULL: there are no bounce buffers */
	char name[64];
};

/* Lists (dmap_region.c). add() merges with the last region when the new one continues it. */
int dmap_region_list_add(struct dmap_region_list *l, const struct dmap_region *r);
void dmap_region_list_free(struct dmap_region_list *l);
/* Which owners count; NULL: all do. */
typedef bool (*dmap_owner_filter)(const struct dmap_owner *o);
/* The union of the owners' pages, sorted, continued regions merged. */
int dmap_region_union(const struct dmap_owner_head *owners, dmap_owner_filter filter,
		struct dmap_region_list *out);
/* The owners' pages, sorted, not merged: where two owners share a page it is there twice. */
int dmap_region_collect(const struct dmap_owner_head *owners, dmap_owner_filter filter,
		struct dmap_region_list *out);
/* Take the pages in [lo, hi) out of a list; true if there were any. */
bool dmap_region_list_cut(struct dmap_region_list *l, uintptr_t lo, uintptr_t hi);
/* Windows of a sorted union; NULL with *nb 0 for an empty one. */
int dmap_region_windows(
		const struct dmap_region_list *l, struct dmap_window **out, unsigned int *nb);
/* The window of a sorted array that holds a range; NULL if none. */
const struct dmap_window *dmap_region_find(
		const struct dmap_window *w, unsigned int nb, uintptr_t va, size_t len);

/*
 * EAL's memory (dmap_eal.c): pages with their files, or with a granule just the pages of that size,
 * whosever memory it is. They take EAL's memory lock.
 */
int dmap_eal_pages(const void *addr, size_t len, size_t granule, struct dmap_region_list *out);
int dmap_eal_pool_pages(struct rte_mempool *mp, size_t granule, struct dmap_region_list *out);
/* Does all of it belong to EAL, so that we are told before it goes away? */
bool dmap_eal_owns(const void *addr, size_t len);
int dmap_eal_all_pages(struct dmap_region_list *out);
/* Of [addr, addr + len), for who holds EAL's memory lock. */
int dmap_eal_new_pages(const void *addr, size_t len, struct dmap_region_list *out);
/* Of the memory at addr, whosever it is. Takes no lock. */
size_t dmap_eal_page_size(const void *addr);
/*
 * A memzone, on this NUMA node if it can be and else on any: memory that is far away is better than
 * none. NULL with rte_errno.
 */
const struct rte_memzone *dmap_eal_memzone(
		const char *what, size_t len, int socket, unsigned int flags, size_t align);

struct dmap_owner *dmap_owner_new(enum dmap_owner_kind kind, const void *key);
void dmap_owner_free(struct dmap_owner *o);
struct dmap_owner *dmap_domain_find(
		struct dmap_domain *d, enum dmap_owner_kind kind, const void *key);

/*
 * Changes (dmap_change.c). These take ownership of o on success. What a local back end refuses is
 * not in the domain; the device of a remote one is told later.
 */
int dmap_domain_insert(struct dmap_domain *d, struct dmap_owner *o);
/* The same, but an owner of this kind and key that is there already is an error: -EEXIST. */
int dmap_domain_insert_new(struct dmap_domain *d, struct dmap_owner *o);
/* The same, for pages that were looked up when nb_gone was read: -EAGAIN if they may be gone. */
int dmap_domain_insert_if(struct dmap_domain *d, struct dmap_owner *o, uint32_t nb_gone);
uint32_t dmap_domain_nb_gone(struct dmap_domain *d);
void dmap_domain_remove(struct dmap_domain *d, enum dmap_owner_kind kind, const void *key);
/*
 * Recompute what may be used, and tell a local back end; change_lock is held. On error the old
 * table stays.
 */
int dmap_domain_rebuild(struct dmap_domain *d, bool is_removal);
/* Have the control thread call dmap_serve(). */
void dmap_domain_wake(struct dmap_domain *d);
/* The owners' pages as the back end wants them; change_lock is held. */
int dmap_domain_table(
		struct dmap_domain *d, dmap_owner_filter filter, struct dmap_region_list *out);
/* Copy what other processes look up to where they find it; table_lock is held (dmap_shared.c). */
void dmap_domain_copy(struct dmap_domain *d);
/* Can its memory be used now? table_lock is held. */
static inline bool
dmap_owner_is_usable(const struct dmap_domain *d, const struct dmap_owner *o)
{
	return o->is_shown || !d->backend->is_remote || !d->is_live;
}

/*
 * An owner of the pages of a buffer's memory, not in the domain yet (dmap_domain.c); NULL with 0:
 * it needs none.
 */
int dmap_domain_look(struct dmap_domain *d, const struct dmap_buffer *buf, struct dmap_owner **out);

/*
 * For polling cores: who holds such a lock holds it for copies only, but may lose its CPU
 * meanwhile.
 */
static inline bool
dmap_spin_briefly(rte_spinlock_t *lock)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if (rte_spinlock_trylock(lock))
			return true;
		rte_pause();
	}
	return false;
}

/* As dmap_lookup(), for polling cores. -EAGAIN: it would take too long. */
int dmap_try_lookup(struct dmap_domain *d, const void *addr, size_t len, struct dmap_window *out);
/* Is the pool itself what the device reaches? -ENOENT: it is not, -EAGAIN: as before. */
int dmap_try_pool(struct dmap_domain *d, const struct rte_mempool *mp);

/* Requests of polling cores (dmap_request.c); dmap_request_post() is in dmap.h. */
/*
 * Put what slot i asks for into the domain. Its serial number and 0, or why that cannot be; false:
 * it asks nothing.
 */
bool dmap_request_show(struct dmap_domain *d, unsigned int i, uint32_t *serial, int *ret);
/* It was seen to; shown or not, the table says. err: the reason, if one is known. */
void dmap_request_settle(struct dmap_domain *d, unsigned int i, uint32_t serial, int err);
/* This pool is about to end; NULL: forget all. */
void dmap_request_forget(struct dmap_domain *d, const struct rte_mempool *mp);
/* What was refused may work now. */
void dmap_request_retry(struct dmap_domain *d);

/*
 * Device addresses for a new owner within the device's limit (dmap_limit.c); change_lock is held.
 */
int dmap_domain_place(struct dmap_domain *d, struct dmap_owner *o);

/*
 * Bounce buffers (dmap_bounce.c). take: one for a map, filled; copy_in and copy_out: what map's
 * direction asks for, and nothing if the map has none.
 */
struct dmap_map;
void dmap_bounce_end(struct dmap_domain *d);
bool dmap_bounce_is_forced(const struct dmap_domain *d);
uint32_t dmap_bounce_room(const struct dmap_domain *d); /* 0: there are none */
int dmap_bounce_take(struct dmap_domain *d, struct dmap_map *map);
void dmap_bounce_give_back(struct dmap_domain *d, const struct dmap_map *map);
void dmap_bounce_copy_in(const struct dmap_domain *d, const struct dmap_map *map, uint32_t off,
		uint32_t len);
void dmap_bounce_copy_out(const struct dmap_domain *d, const struct dmap_map *map, uint32_t off,
		uint32_t len);

/* Have pages that nobody touched yet lie on a NUMA node, where that is possible (dmap_numa.c). */
void dmap_numa_place(void *va, size_t len, int node);

/*
 * A sealed file of len bytes, mapped, with all its pages, on a NUMA node where possible
 * (dmap_memfd.c). MAP_FAILED with errno.
 */
void *dmap_memfd_map(const char *what, size_t len, unsigned int memfd_flags, int socket, int *fd);

/*
 * Memory of sealed pools (dmap_sealed.c). The pool whose buffers hold [addr, addr + len); NULL:
 * none. It does not end meanwhile if the caller holds pools, see dmap_event_hold_pools().
 */
struct rte_mempool *dmap_sealed_pool_of(const void *addr, size_t len);
/* Its pages. -ENOENT: it is no such pool. */
int dmap_sealed_pages(const struct rte_mempool *mp, struct dmap_region_list *out);

/* The show operation of back ends whose context is a struct dmap_remote. */
int dmap_remote_show(void *ctx, const struct dmap_region *regions, unsigned int nb);

/*
 * EAL memory [addr, addr + len) is about to disappear: forget it. Called with EAL's memory lock
 * held.
 */
void dmap_domain_memory_freed(struct dmap_domain *d, const void *addr, size_t len);
/* EAL has new memory; for domains that show all of it. Called with EAL's memory lock held. */
void dmap_domain_memory_added(struct dmap_domain *d, const void *addr, size_t len);

/* Events of EAL and of mempools for all domains (dmap_event.c). */
int dmap_event_attach(struct dmap_domain *d);
void dmap_event_detach(struct dmap_domain *d);
/* A pool ends: it leaves all domains. The caller holds no lock of EAL. */
void dmap_event_pool_gone(struct rte_mempool *mp);
/* No pool ends meanwhile: whoever frees one waits in the event. */
void dmap_event_hold_pools(void);
void dmap_event_release_pools(void);

#endif /* DMAP_IMPL_H */
