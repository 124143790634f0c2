/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_eal.h"
#include "fake_error.h"
#include "fake_pool.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, len) ((void)(addr), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(addr, len) ((void)(addr), (void)(len))
#endif

/*
 * Before each object: what runs over the end of its neighbour lands here. The mempool's own header
 * ends it.
 */
#define RED_ZONE 64

struct fake_pool *
fake_pool_of(const struct rte_mempool *mp)
{
	return mp->pool_data;
}

static void *
nth(char *mem, size_t len, uint32_t i)
{
	size_t per_page = FAKE_PAGE / (len + RED_ZONE);

	return mem + i / per_page * FAKE_PAGE + i % per_page * (len + RED_ZONE) + RED_ZONE;
}

static size_t
pages_for(uint32_t nb, size_t len)
{
	size_t per_page = FAKE_PAGE / (len + RED_ZONE);

	return (nb + per_page - 1) / per_page * FAKE_PAGE;
}

uint32_t
fake_pool_index(const struct fake_pool *p, const void *obj)
{
	size_t per_page = FAKE_PAGE / (p->obj_len + RED_ZONE), off = (const char *)obj - p->mem;
	uint32_t i;

	if ((const char *)obj < p->mem || off >= p->mem_len)
		return UINT32_MAX;
	i = off / FAKE_PAGE * per_page + off % FAKE_PAGE / (p->obj_len + RED_ZONE);
	return i < p->conf.nb && nth(p->mem, p->obj_len, i) == obj ? i : UINT32_MAX;
}

static void
poison(const struct fake_pool *p, uint32_t i)
{
	ASAN_POISON_MEMORY_REGION(nth(p->mem, p->obj_len, i), p->obj_len);
	if (p->ext != NULL)
		ASAN_POISON_MEMORY_REGION(nth(p->ext, p->buf_len, i), p->buf_len);
}

static void
unpoison(const struct fake_pool *p, uint32_t i)
{
	ASAN_UNPOISON_MEMORY_REGION(nth(p->mem, p->obj_len, i), p->obj_len);
	if (p->ext != NULL)
		ASAN_UNPOISON_MEMORY_REGION(nth(p->ext, p->buf_len, i), p->buf_len);
}

/* What rte_mempool expects of an mbuf that lies in its pool. */
static void
check_returned(const struct fake_pool *p, const struct rte_mbuf *m)
{
	bool is_whole = p->conf.is_pinned ?
			(m->ol_flags & RTE_MBUF_F_INDIRECT) == 0 &&
					rte_mbuf_ext_refcnt_read(m->shinfo) == 1 :
			(m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0;

	if (m->pool != p->mp)
		fake_error("%s: an mbuf came back that belongs to another pool", p->conf.name);
	if (rte_mbuf_refcnt_read(m) != 1 || m->next != NULL || m->nb_segs != 1 || !is_whole)
		fake_error("%s: an mbuf came back with refcnt %u, next %p, nb_segs %u, flags 0x%lx",
				p->conf.name, rte_mbuf_refcnt_read(m), (void *)m->next, m->nb_segs,
				(unsigned long)m->ol_flags);
}

static int
pool_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct fake_pool *p = fake_pool_of(mp);
	unsigned int k;

	for (k = 0; k < n; k++) {
		uint32_t i = fake_pool_index(p, objs[k]);

		if (i == UINT32_MAX) {
			fake_error("%s: %p came back, which is no object of this pool",
					p->conf.name, objs[k]);
			continue;
		}
		if (p->is_free[i]) {
			fake_error("%s: object %u came back twice", p->conf.name, i);
			continue;
		}
		check_returned(p, objs[k]);
		p->is_free[i] = 1;
		p->stack[p->nb_free++] = objs[k];
		poison(p, i);
	}
	if (p->on_put != NULL)
		p->on_put(p->on_put_ctx);
	return 0;
}

static int
pool_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct fake_pool *p = fake_pool_of(mp);
	unsigned int k;

	/* None of none is not enough, too, for who has a ring as DPDK's mempools. */
	if (n == 0 || n > p->nb_free || n > p->limit) {
		p->nb_refused++;
		return -ENOBUFS;
	}
	if (p->limit != FAKE_NO_LIMIT)
		p->limit -= n;
	for (k = 0; k < n; k++) {
		uint32_t i = fake_pool_index(p, p->stack[p->nb_free - 1]);

		objs[k] = p->stack[--p->nb_free];
		p->is_free[i] = 0;
		unpoison(p, i);
	}
	return 0;
}

static int
pool_alloc(struct rte_mempool *mp)
{
	RTE_SET_USED(mp);
	return 0;
}

static unsigned int
pool_count(const struct rte_mempool *mp)
{
	/* Without objects, where a test has no more than the name of a pool. */
	return mp->pool_data == NULL ? 0 : fake_pool_of(mp)->nb_free;
}

static const struct rte_mempool_ops pool_ops = {
	.name = "fake",
	.alloc = pool_alloc,
	.enqueue = pool_enqueue,
	.dequeue = pool_dequeue,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops);

/* The last clone of a packet lets go of its buffer: as DPDK's own callback. */
static void
pinned_is_freed(void *addr, void *opaque)
{
	struct rte_mbuf *m = opaque;

	if (m->buf_addr != addr)
		fake_error("the buffer of %p is at %p, not %p", opaque, m->buf_addr, addr);
	rte_mbuf_ext_refcnt_set(m->shinfo, 1);
	m->ol_flags = RTE_MBUF_F_EXTERNAL;
	m->next = NULL;
	m->nb_segs = 1;
	rte_mbuf_raw_free(m);
}

static void
init_object(struct fake_pool *p, uint32_t i)
{
	struct rte_mbuf *m = nth(p->mem, p->obj_len, i);
	struct rte_mempool_objhdr *hdr = (struct rte_mempool_objhdr *)m - 1;

	ASAN_UNPOISON_MEMORY_REGION(hdr, sizeof(*hdr));
	memset(hdr, 0, sizeof(*hdr));
	hdr->mp = p->mp;
	memset(m, 0, sizeof(*m));
	m->priv_size = p->conf.is_pinned ? sizeof(struct rte_mbuf_ext_shared_info) : 0;
	m->buf_addr = p->conf.is_pinned ? nth(p->ext, p->buf_len, i) : (char *)(m + 1);
	m->buf_len = p->conf.data_room;
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->pool = p->mp;
	m->nb_segs = 1;
	m->port = RTE_MBUF_PORT_INVALID;
	rte_mbuf_refcnt_set(m, 1);
	if (p->conf.is_pinned) {
		m->shinfo = rte_mbuf_to_priv(m);
		m->shinfo->free_cb = pinned_is_freed;
		m->shinfo->fcb_opaque = m;
		rte_mbuf_ext_refcnt_set(m->shinfo, 1);
		m->ol_flags = RTE_MBUF_F_EXTERNAL;
	}
}

static void
make_mempool(struct fake_pool *p)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = p->conf.data_room };
	size_t len = RTE_CACHE_LINE_ROUNDUP(sizeof(*p->mp) + sizeof(priv));

	p->mp = aligned_alloc(RTE_CACHE_LINE_SIZE, len);
	memset(p->mp, 0, len);
	snprintf(p->mp->name, sizeof(p->mp->name), "%s", p->conf.name);
	p->mp->pool_data = p;
	p->mp->size = p->conf.nb;
	p->mp->populated_size = p->conf.nb;
	p->mp->elt_size = p->obj_len;
	p->mp->private_data_size = sizeof(priv);
	priv.mbuf_priv_size = p->conf.is_pinned ? sizeof(struct rte_mbuf_ext_shared_info) : 0;
	priv.flags = p->conf.is_pinned ? RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF : 0;
	memcpy(rte_mempool_get_priv(p->mp), &priv, sizeof(priv));
	assert_int_equal(rte_mempool_set_ops_byname(p->mp, "fake", NULL), 0);
}

struct fake_pool *
fake_pool_create(const struct fake_pool_conf *conf)
{
	struct fake_pool *p = calloc(1, sizeof(*p));
	uint64_t seed = 88172645463325252ULL;
	uint32_t i, k;

	p->conf = *conf;
	if (p->conf.data_room == 0)
		p->conf.data_room = RTE_MBUF_DEFAULT_BUF_SIZE;
	p->limit = FAKE_NO_LIMIT;
	p->buf_len = RTE_CACHE_LINE_ROUNDUP(p->conf.data_room);
	p->obj_len = sizeof(struct rte_mbuf) + (conf->is_pinned ? RTE_CACHE_LINE_SIZE : p->buf_len);
	p->mem_len = pages_for(conf->nb, p->obj_len);
	p->mem = aligned_alloc(FAKE_PAGE, p->mem_len);
	ASAN_POISON_MEMORY_REGION(p->mem, p->mem_len);
	if (conf->is_pinned) {
		p->ext_len = pages_for(conf->nb, p->buf_len);
		p->ext = aligned_alloc(FAKE_PAGE, p->ext_len);
		ASAN_POISON_MEMORY_REGION(p->ext, p->ext_len);
	}
	make_mempool(p);
	p->stack = calloc(conf->nb, sizeof(*p->stack));
	p->is_free = calloc(conf->nb, 1);
	for (i = 0; i < conf->nb; i++) {
		unpoison(p, i);
		init_object(p, i);
		poison(p, i);
		k = fake_below(&seed, i + 1);
		p->stack[i] = p->stack[k];
		p->stack[k] = nth(p->mem, p->obj_len, i);
		p->is_free[i] = 1;
	}
	p->nb_free = conf->nb;
	if (!conf->has_no_file) {
		fake_eal_add(p->mem, p->mem_len);
		if (p->ext != NULL)
			fake_eal_add(p->ext, p->ext_len);
	}
	return p;
}

void
fake_pool_destroy(struct fake_pool *p)
{
	if (p == NULL)
		return;
	if (p->nb_free != p->conf.nb)
		fake_error("%s: %u of %u objects are missing", p->conf.name,
				p->conf.nb - p->nb_free, p->conf.nb);
	fake_eal_remove(p->mem);
	fake_eal_remove(p->ext);
	ASAN_UNPOISON_MEMORY_REGION(p->mem, p->mem_len);
	if (p->ext != NULL)
		ASAN_UNPOISON_MEMORY_REGION(p->ext, p->ext_len);
	free(p->mem);
	free(p->ext);
	free(p->stack);
	free(p->is_free);
	free(p->mp);
	free(p);
}

void
fake_pool_assert_full(const struct fake_pool *p)
{
	fake_assert(p->nb_free == p->conf.nb, "%s: %u of %u objects are missing", p->conf.name,
			p->conf.nb - p->nb_free, p->conf.nb);
}
