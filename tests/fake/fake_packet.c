/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Making and checking packets.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_error.h"
#include "fake_pool.h"

unsigned int fake_nb_ext_freed;

struct rte_mbuf *
fake_mbuf(struct fake_pool *p, uint16_t data_off, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->mp);

	fake_assert(m != NULL, "%s is empty", p->conf.name);
	m->data_off = data_off;
	m->data_len = len;
	m->pkt_len = len;
	fake_assert(data_off + len <= m->buf_len, "test asks for too much");
	return m;
}

static void
ext_freed(void *addr, void *opaque)
{
	(void)addr;
	(void)opaque;
	fake_nb_ext_freed++;
}

void
fake_mbuf_attach(
		struct rte_mbuf *m, void *buf, uint16_t room, struct rte_mbuf_ext_shared_info *info)
{
	info->free_cb = ext_freed;
	rte_mbuf_ext_refcnt_set(info, 1);
	rte_pktmbuf_attach_extbuf(m, buf, RTE_BAD_IOVA, room, info);
}

static uint8_t
byte_of(uint64_t seed, uint32_t at)
{
	/* Neither a shift of the packet nor a neighbour's bytes look alike. */
	return (seed * 0x9e3779b97f4a7c15ULL >> 56) + at * 7 + (at >> 8) * 13;
}

void
fake_fill(uint8_t *data, uint32_t len, uint64_t seed)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		data[i] = byte_of(seed, i);
}

void
fake_mbuf_fill(struct rte_mbuf *m, uint64_t seed)
{
	uint32_t at = 0, i;

	for (; m != NULL; m = m->next) {
		uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

		for (i = 0; i < m->data_len; i++)
			data[i] = byte_of(seed, at++);
	}
}

bool
fake_mbuf_is(const struct rte_mbuf *m, uint32_t len, uint64_t seed)
{
	const struct rte_mbuf *seg;
	uint32_t at = 0, i;
	uint16_t nb = 0;

	for (seg = m; seg != NULL; seg = seg->next, nb++) {
		const uint8_t *data = rte_pktmbuf_mtod(seg, const uint8_t *);

		if (seg->data_off + seg->data_len > seg->buf_len)
			return false;
		for (i = 0; i < seg->data_len; i++)
			if (data[i] != byte_of(seed, at++))
				return false;
	}
	return at == len && m->pkt_len == len && m->nb_segs == nb;
}
