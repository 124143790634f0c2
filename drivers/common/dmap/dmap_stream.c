/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The slow half of streaming DMA: what happens when the last window did not hold the buffer.
 */

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "dmap_impl.h"
#include "dmap_stream.h"

void
dmap_stream_init(struct dmap_stream *s, struct dmap_domain *d)
{
	memset(s, 0, sizeof(*s));
	s->domain = d;
	s->domain_generation = dmap_generation(d);
	dmap_stream_flush(s);
	s->lcore = LCORE_ID_ANY;
}

void
dmap_stream_flush(struct dmap_stream *s)
{
	__atomic_store_n(&s->lcore, rte_lcore_id(), __ATOMIC_RELAXED);
	/* Acquire: windows that are looked up later belong to this generation or a newer one. */
	s->generation = __atomic_load_n(s->domain_generation, __ATOMIC_ACQUIRE);
	memset(&s->last, 0, sizeof(s->last));
	memset(s->near, 0, sizeof(s->near));
}

void
dmap_stream_ask(struct dmap_stream *s)
{
	uint32_t other = __atomic_load_n(s->domain_generation, __ATOMIC_RELAXED) - 1;

	__atomic_store_n(&s->generation, other, __ATOMIC_RELAXED);
}

/* Make w the last window; the one that was last becomes the first of the near ones. */
static void
remember(struct dmap_stream *s, const struct dmap_window *w, unsigned int from)
{
	struct dmap_window hit = *w;

	memmove(&s->near[1], &s->near[0], from * sizeof(s->near[0]));
	s->near[0] = s->last;
	s->last = hit;
}

/* What a refusal is remembered by. */
static const void *
memory_of(const struct rte_mbuf *m)
{
	if (RTE_MBUF_HAS_EXTBUF(m) && !RTE_MBUF_HAS_PINNED_EXTBUF(m))
		return m->buf_addr;
	if (RTE_MBUF_CLONED(m))
		return rte_mbuf_from_indirect((struct rte_mbuf *)(uintptr_t)m)->pool;
	return m->pool;
}

/*
 * Show the memory that holds the data of m. A clone's data lie in another mbuf's pool; external buffers that
 * the application attached lie anywhere, and must be EAL memory with a file behind it.
 */
static int
show_memory_of(struct dmap_domain *d, const struct rte_mbuf *m)
{
	if (RTE_MBUF_HAS_PINNED_EXTBUF(m) || RTE_MBUF_DIRECT(m))
		return dmap_add_pool(d, m->pool);
	if (RTE_MBUF_HAS_EXTBUF(m))
		return dmap_add_range(d, m->buf_addr, m->buf_len);
	return dmap_add_pool(d, rte_mbuf_from_indirect((struct rte_mbuf *)(uintptr_t)m)->pool);
}

/*
 * Try to show the memory of m, unless that failed a moment ago: a try costs a walk over pages, a request to
 * the device and a log line, and a stream of packets from such memory would pay it for each.
 */
static int
try_to_show(struct dmap_stream *s, const struct rte_mbuf *m)
{
	const void *memory = memory_of(m);
	uint64_t now = rte_get_timer_cycles();
	int ret;

	if (memory == s->refused && now < s->refused_until)
		return -EAGAIN;
	ret = show_memory_of(s->domain, m);
	if (ret == 0)
		return 0;
	s->refused = memory;
	s->refused_until = now + rte_get_timer_hz();
	DMAP_LOG(WARNING, "packets from memory at %p are dropped: the device cannot reach it: %s\n",
			m->buf_addr, strerror(-ret));
	return ret;
}

bool
dmap_lend_miss(struct dmap_stream *s, const struct rte_mbuf *m, const void *va, uint32_t len,
		struct dmap_addr *out)
{
	struct dmap_window w;
	unsigned int i;

	for (i = 0; i < DMAP_STREAM_NEAR; i++) {
		if (!dmap_window_holds(&s->near[i], va, len))
			continue;
		w = s->near[i];
		remember(s, &w, i);
		goto hit;
	}
	s->nb_misses++;
	if (dmap_lookup(s->domain, va, len, &w) != 0 &&
			(try_to_show(s, m) != 0 || dmap_lookup(s->domain, va, len, &w) != 0))
		return false;
	remember(s, &w, DMAP_STREAM_NEAR - 1);
hit:
	out->v = (uint64_t)(uintptr_t)va + s->last.delta;
	return true;
}
