/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The slow half of streaming DMA: what happens when the last window did not hold the buffer.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <rte_lcore.h>

#include "dmap_impl.h"
#include "dmap_stream.h"

#define NEIGHBOURHOOD ((uintptr_t)2 << 20)

RTE_EXPORT_INTERNAL_SYMBOL(dmap_stream_init)
void
dmap_stream_init(struct dmap_stream *s, struct dmap_domain *d)
{
	memset(s, 0, sizeof(*s));
	s->domain = d;
	s->domain_generation = dmap_generation(d);
	dmap_stream_flush(s);
	s->lcore = LCORE_ID_ANY;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_stream_flush)
void
dmap_stream_flush(struct dmap_stream *s)
{
	rte_atomic_store_explicit(&s->lcore, rte_lcore_id(), rte_memory_order_relaxed);
	/* Acquire: windows that are looked up later belong to this generation or a newer one. */
	s->generation = rte_atomic_load_explicit(s->domain_generation, rte_memory_order_acquire);
	memset(&s->last, 0, sizeof(s->last));
	memset(s->near, 0, sizeof(s->near));
	memset(s->known, 0, sizeof(s->known));
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_stream_ask)
void
dmap_stream_ask(struct dmap_stream *s)
{
	uint32_t other = rte_atomic_load_explicit(s->domain_generation, rte_memory_order_relaxed) -
			1;

	rte_atomic_store_explicit(&s->generation, other, rte_memory_order_relaxed);
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

/*
 * The memory that holds the data of m, or va if it is in no mbuf. A clone's data lie in another
 * mbuf's pool; external buffers that the application attached lie anywhere, and must be EAL memory
 * with a file behind it. Those are remembered by their neighbourhood: where one cannot be shown,
 * thousands of others lie.
 */
static const void *
memory_of(const struct rte_mbuf *m, struct dmap_buffer *buf)
{
	if (m == NULL || (RTE_MBUF_HAS_EXTBUF(m) && !RTE_MBUF_HAS_PINNED_EXTBUF(m))) {
		buf->addr = m == NULL ? buf->va : m->buf_addr;
		buf->len = m == NULL ? buf->va_len : m->buf_len;
		return (const void *)RTE_ALIGN_FLOOR((uintptr_t)buf->addr, NEIGHBOURHOOD);
	}
	buf->pool = RTE_MBUF_CLONED(m) ?
			rte_mbuf_from_indirect((struct rte_mbuf *)(uintptr_t)m)->pool :
			m->pool;
	return buf->pool;
}

/* In a process without domains: whom to ask. */
static int (*ask_remote)(const struct dmap_shared *shared, const void *memory,
		const struct dmap_buffer *buf);

RTE_EXPORT_INTERNAL_SYMBOL(dmap_set_remote)
void
dmap_set_remote(int (*fn)(const struct dmap_shared *shared, const void *memory,
		const struct dmap_buffer *buf))
{
	ask_remote = fn;
}

static const struct dmap_shared *
shared_of(const struct dmap_stream *s)
{
	const char *generation = (const char *)s->domain_generation;

	return (const void *)(generation - offsetof(struct dmap_shared, generation));
}

static int
look_up(const struct dmap_stream *s, const void *va, uint32_t len, struct dmap_window *w)
{
	if (ask_remote != NULL)
		return dmap_shared_lookup(shared_of(s), va, len, w);
	return dmap_try_lookup(s->domain, va, len, w);
}

static int
ask(const struct dmap_stream *s, const void *memory, const struct dmap_buffer *buf)
{
	if (ask_remote != NULL)
		return ask_remote(shared_of(s), memory, buf);
	return dmap_request_post(s->domain, memory, buf);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_lend_miss)
bool
dmap_lend_miss(struct dmap_stream *s, const struct rte_mbuf *m, const void *va, uint32_t len,
		struct dmap_addr *out)
{
	struct dmap_buffer buf = { .va = va, .va_len = len };
	const void *memory;
	struct dmap_window w;
	unsigned int i;
	int ret;

	for (i = 0; i < DMAP_STREAM_NEAR; i++) {
		if (!dmap_window_holds(&s->near[i], va, len))
			continue;
		w = s->near[i];
		remember(s, &w, i);
		goto hit;
	}
	s->nb_misses++;
	ret = look_up(s, va, len, &w);
	if (ret == -ENOENT) {
		memory = memory_of(m, &buf);
		ret = ask(s, memory, &buf);
	}
	if (ret != 0) {
		s->may_come = ret == -EAGAIN;
		return false;
	}
	remember(s, &w, DMAP_STREAM_NEAR - 1);
hit:
	out->v = (uint64_t)(uintptr_t)va + s->last.delta;
	return true;
}

/* What is asked for, and not known in time, is asked for by the next packet, too. */
RTE_EXPORT_INTERNAL_SYMBOL(dmap_knows_miss)
bool
dmap_knows_miss(struct dmap_stream *s, const struct rte_mbuf *m, struct rte_mempool *pool)
{
	const struct dmap_buffer buf = {
		.pool = pool, .va = rte_pktmbuf_mtod(m, const void *), .va_len = m->data_len
	};
	unsigned int i;
	int ret = 0;

	/* Its data is in no pool, whatever of m->pool. */
	if (RTE_MBUF_HAS_EXTBUF(m) && !RTE_MBUF_HAS_PINNED_EXTBUF(m))
		return true;
	for (i = 1; i < DMAP_STREAM_NEAR - 1 && s->known[i] != pool; i++)
		;
	if (s->known[i] != pool)
		ret = ask_remote != NULL ? dmap_shared_pool(shared_of(s), pool) :
					   dmap_try_pool(s->domain, pool);
	if (ret == -ENOENT)
		ret = ask(s, pool, &buf);
	if (ret != 0) {
		s->may_come = ret == -EAGAIN;
		return false;
	}
	memmove(&s->known[1], &s->known[0], i * sizeof(s->known[0]));
	s->known[0] = pool;
	return true;
}
