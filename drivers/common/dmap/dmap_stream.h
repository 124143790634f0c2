/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Streaming DMA on the hot path: lend a buffer to the device, take it back.
 *
 * A stream belongs to one queue and so to one polling core. A pool's pages are mapped once; lending
 * a buffer is then a look at the windows that the stream remembers: a compare and an addition. Only
 * a miss leaves the header. Memory that the device never saw has to be shown to it, which is left
 * to the control thread (dmap_serve()): the caller is told to come again, and nothing here waits.
 * dmap_map.h has verbs for single transfers, which keep what a ring keeps here, sync, and bounce.
 * What is remembered is checked against the domain's generation once per burst
 * (dmap_stream_refresh): memory that is hidden while a burst runs would be memory that the
 * application freed while it sent it.
 */

#ifndef DMAP_STREAM_H
#define DMAP_STREAM_H

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_mbuf.h>

#include "dmap.h"

#define DMAP_STREAM_NEAR 4

struct dmap_stream {
	/* owned by the polling core */
	struct dmap_window last; /* the window of the last hit */
	uint32_t generation;     /* of the domain when the windows were filled */
	uint32_t nb_lent;        /* pieces that the device has */
	const uint32_t *domain_generation;
	struct dmap_window near[DMAP_STREAM_NEAR]; /* other windows, most recent first */
	uint64_t nb_misses;                        /* lookups that left this header */
	/* pools that the domain has, see dmap_knows(); most recent first */
	const struct rte_mempool *known[DMAP_STREAM_NEAR];
	bool may_come;      /* the last buffer that could not be lent may be shown soon */
	unsigned int lcore; /* which flushed the stream last; LCORE_ID_ANY: none, or no lcore */
	/* constant after setup */
	struct dmap_domain *domain;
};

__rte_internal
void dmap_stream_init(struct dmap_stream *s, struct dmap_domain *d);

/**
 * For a secondary process, which has no domains: its streams belong to domains of the primary one.
 * What they do not find in the shared windows they ask for with fn, which answers as
 * dmap_request_post() does, and never waits.
 */
__rte_internal
void dmap_set_remote(int (*fn)(const struct dmap_shared *shared, const void *memory,
		const struct dmap_buffer *buf));

/*
 * Bottom half of dmap_lend(): other windows, the domain's table, and at last a note for the control
 * thread.
 */
__rte_internal
bool dmap_lend_miss(struct dmap_stream *s, const struct rte_mbuf *m, const void *va, uint32_t len,
		struct dmap_addr *out);

/* Bottom half of dmap_knows_pool(). */
__rte_internal
bool dmap_knows_miss(struct dmap_stream *s, const struct rte_mbuf *m, struct rte_mempool *pool);

/* Forget everything; bottom half of dmap_stream_refresh(). */
__rte_internal
void dmap_stream_flush(struct dmap_stream *s);

/**
 * Which core polls? Any thread: the polling core flushes the stream at its next burst, and lcore
 * says which it is. So the answer costs nothing on the hot path but what it costs to remember the
 * windows again.
 */
__rte_internal
void dmap_stream_ask(struct dmap_stream *s);

/** Is what the stream remembers valid, and has nobody called dmap_stream_ask()? */
static __rte_always_inline bool
dmap_stream_is_fresh(const struct dmap_stream *s)
{
	return rte_atomic_load_explicit(s->domain_generation, rte_memory_order_relaxed) ==
			s->generation;
}

/** Once per burst, before the first dmap_lend(). */
static __rte_always_inline void
dmap_stream_refresh(struct dmap_stream *s)
{
	if (unlikely(!dmap_stream_is_fresh(s)))
		dmap_stream_flush(s);
}

static __rte_always_inline bool
dmap_window_holds(const struct dmap_window *w, const void *va, uint32_t len)
{
	uintptr_t off = (uintptr_t)va - w->lo;

	return off < w->span && len <= w->span - off;
}

/**
 * The first half of dmap_lend(): the address, if the bytes lie in the window near. With a copy of
 * s->last a loop over several pieces has the window in registers; the copy is made anew where this
 * is false and dmap_lend() true.
 */
static __rte_always_inline bool
dmap_lend_near(const struct dmap_window *near, const void *va, uint32_t len, struct dmap_addr *out)
{
	if (unlikely(!dmap_window_holds(near, va, len)))
		return false;
	out->v = (uint64_t)(uintptr_t)va + near->delta;
	return true;
}

/**
 * Address at which the device reaches len bytes at va, which lie in the buffer of m (NULL: in no
 * mbuf). False if it must not or cannot, or not yet: dmap_may_come() tells. The caller counts what
 * it lends with dmap_lent() and dmap_take_back().
 */
static __rte_always_inline bool
dmap_lend(struct dmap_stream *s, const struct rte_mbuf *m, const void *va, uint32_t len,
		struct dmap_addr *out)
{
	return likely(dmap_lend_near(&s->last, va, len, out)) || dmap_lend_miss(s, m, va, len, out);
}

/**
 * Is pool, in which m has its data, in the domain? Pages are shown as a whole: a buffer can be lent
 * because another pool lies in the same page, and would be hidden together with that one. False: as
 * for dmap_lend(). To be asked of each packet that dmap_lend() took and whose pool was not asked
 * for yet; external buffers that are not pinned are in no pool.
 */
static __rte_always_inline bool
dmap_knows_pool(struct dmap_stream *s, const struct rte_mbuf *m, struct rte_mempool *pool)
{
	return likely(pool == s->known[0]) || dmap_knows_miss(s, m, pool);
}

/** The same of an mbuf that may have its data in another one. */
static __rte_always_inline bool
dmap_knows(struct dmap_stream *s, const struct rte_mbuf *m)
{
	if (likely(!RTE_MBUF_CLONED(m)))
		return dmap_knows_pool(s, m, m->pool);
	return dmap_knows_pool(s, m, rte_mbuf_from_indirect((struct rte_mbuf *)(uintptr_t)m)->pool);
}

/**
 * After dmap_lend() returned false: is it worth trying again with the same buffer? Not for ever:
 * what is not shown in time counts as refused.
 */
static __rte_always_inline bool
dmap_may_come(const struct dmap_stream *s)
{
	return s->may_come;
}

/** nb buffers went to the device. */
static __rte_always_inline void
dmap_lent(struct dmap_stream *s, uint32_t nb)
{
	s->nb_lent += nb;
}

/** nb buffers came back: the CPU may touch them again. */
static __rte_always_inline void
dmap_take_back(struct dmap_stream *s, uint32_t nb)
{
	s->nb_lent -= nb;
}

#endif /* DMAP_STREAM_H */
