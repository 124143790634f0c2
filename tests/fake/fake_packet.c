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

uint16_t
fake_sum(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0, i;

	for (i = 0; i < len; i++)
		sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return sum;
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

/*
 * Neither a shift of the packet nor a neighbour's bytes look alike: 256 bytes are one of these
 * rows, and another one follows.
 */
static uint8_t rows[256][256];

RTE_INIT(make_rows)
{
	unsigned int row, i;

	for (row = 0; row < 256; row++)
		for (i = 0; i < 256; i++)
			rows[row][i] = row + 7 * i;
}

/* What is in a packet from there on, as far as it lies in one row: at most *len bytes. */
static const uint8_t *
bytes_at(uint64_t seed, uint32_t at, uint32_t *len)
{
	uint8_t row = (seed * 0x9e3779b97f4a7c15ULL >> 56) + (at >> 8) * 13;

	*len = RTE_MIN(*len, 256 - at % 256);
	return &rows[row][at % 256];
}

static void
fill_from(uint8_t *data, uint32_t len, uint64_t seed, uint32_t at)
{
	uint32_t i, n;

	for (i = 0; i < len; i += n) {
		const uint8_t *bytes;

		n = len - i;
		bytes = bytes_at(seed, at + i, &n);
		memcpy(data + i, bytes, n);
	}
}

static bool
is_filled_from(const uint8_t *data, uint32_t len, uint64_t seed, uint32_t at)
{
	uint32_t i, n;

	for (i = 0; i < len; i += n) {
		const uint8_t *bytes;

		n = len - i;
		bytes = bytes_at(seed, at + i, &n);
		if (memcmp(data + i, bytes, n) != 0)
			return false;
	}
	return true;
}

void
fake_fill(uint8_t *data, uint32_t len, uint64_t seed)
{
	fill_from(data, len, seed, 0);
}

void
fake_mbuf_fill(struct rte_mbuf *m, uint64_t seed)
{
	uint32_t at = 0;

	for (; m != NULL; at += m->data_len, m = m->next)
		fill_from(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, seed, at);
}

bool
fake_mbuf_is(const struct rte_mbuf *m, uint32_t len, uint64_t seed)
{
	const struct rte_mbuf *seg;
	uint32_t at = 0;
	uint16_t nb = 0;

	for (seg = m; seg != NULL; at += seg->data_len, seg = seg->next, nb++)
		if (seg->data_off + seg->data_len > seg->buf_len ||
				!is_filled_from(rte_pktmbuf_mtod(seg, const uint8_t *),
						seg->data_len, seed, at))
			return false;
	return at == len && m->pkt_len == len && m->nb_segs == nb;
}
