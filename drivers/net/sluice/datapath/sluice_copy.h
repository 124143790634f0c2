/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Between packets and bounce buffers (isolation=copy, sluice_cells.h): how both loops copy, and all
 * of the receive loop, for the rows of their tables that have cfg.is_copy. Transmit is in
 * sluice_copy_out.h.
 *
 * A slot has an mbuf of the application's pool, as ever, and the device has the slot's
 * bounce buffer. What it has filled is copied before anything of it is looked at, header included,
 * so that nothing can change behind a check.
 */

#ifndef SLUICE_COPY_H
#define SLUICE_COPY_H

#include <string.h>

#include <rte_memcpy.h>

#include "sluice_pool.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_rxq.h"
#include "sluice_vec_one.h"

/* Half of a short packet, a register or two. */
#define SLUICE_COPY_HALF 32
/* Bounce buffers that are fetched ahead of the one that is copied. */
#define SLUICE_COPY_AHEAD 4

/* By name, because a compiler moves what memcpy() has copied through narrower registers. */
#ifdef __AVX__
typedef uint64_t __attribute__((__vector_size__(32), __may_alias__, __aligned__(1))) sluice_half;
#else
typedef uint64_t __attribute__((__vector_size__(16), __may_alias__, __aligned__(1))) sluice_quarter;
typedef struct {
	sluice_quarter a, b;
} sluice_half;
#endif
static_assert(sizeof(sluice_half) == SLUICE_COPY_HALF, "registers that are copied through");

/*
 * A copy of any length. Without wide registers rte_memcpy() would be 7 KB: libc's, once for all
 * files.
 */
#ifdef __AVX__
static __rte_noinline void
sluice_copy_any(char *to, const char *from, uint32_t len)
{
	rte_memcpy(to, from, len);
}
#else
void sluice_copy_any(char *to, const char *from, uint32_t len);
#endif

/* Is it a short packet, of more than one half and at most two? */
static __rte_always_inline bool
sluice_copy_is_short(uint32_t len)
{
	return likely((size_t)len - SLUICE_COPY_HALF <= SLUICE_COPY_HALF);
}

/* Exactly the len bytes of a short packet, as two halves that overlap. */
static __rte_always_inline void
sluice_copy_short(char *to, const char *from, uint32_t len)
{
	const size_t second = (size_t)len - SLUICE_COPY_HALF;
	sluice_half first = *(const sluice_half *)from;
	sluice_half last = *(const sluice_half *)(from + second);

	*(sluice_half *)to = first;
	*(sluice_half *)(to + second) = last;
}

/* Of several net headers each bit. */
struct sluice_copy_said {
	uint64_t first, last; /* bytes 0 to 7 and 4 to 11 */
};

static __rte_always_inline void
sluice_copy_header(char *to, const char *from, struct sluice_copy_said *said)
{
	uint64_t first, last;

	memcpy(&first, from, sizeof(first));
	memcpy(&last, from + 4, sizeof(last));
	memcpy(to, &first, sizeof(first));
	memcpy(to + 4, &last, sizeof(last));
	said->first |= first;
	said->last |= last;
}

/*
 * Does a packet have flags, segments, or another number of buffers than one? A number of 0 means 1,
 * and is not noticed beside others.
 */
static __rte_always_inline bool
sluice_copy_is_said(const struct sluice_copy_said *said, uint16_t num_buffers_mask)
{
	static_assert(offsetof(struct sluice_net_hdr, gso_type) == 1, "in the first 16 bits");
	return (said->first & UINT16_MAX) != 0 || ((said->last >> 48 ^ 1) & num_buffers_mask) != 0;
}

/* One received buffer of len bytes, net header included; a length that cannot be is left alone. */
static __rte_always_inline void
sluice_copy_in(const struct sluice_rxq *rxq, uint32_t slot, struct rte_mbuf *m, uint32_t len)
{
	if (likely(len <= rxq->post_len))
		sluice_copy_any((char *)m->buf_addr + rxq->hdr_off, sluice_cell(&rxq->cells, slot),
				len);
	/* What is looked at from here on is the copy. */
	rte_compiler_barrier();
}

/* The data of one packet that is not short. */
static __rte_noinline void
sluice_copy_long_in(struct rte_mbuf *m, const char *dv_data, uint32_t data_off)
{
	sluice_copy_any((char *)m->buf_addr + data_off, dv_data, m->data_len);
}

/*
 * Packets of one buffer each from slot on: the data, and if they are read the net headers. nb is a
 * multiple of nb_block, a literal as reads_headers. True: a header that is read says something.
 */
static __rte_always_inline bool
sluice_copy_in_some(const struct sluice_rxq *rxq, uint32_t slot, struct rte_mbuf **pkts,
		uint32_t nb, const uint32_t nb_block, const bool reads_headers)
{
	const size_t stride = rxq->cells.stride, ahead = SLUICE_COPY_AHEAD * stride;
	const uint32_t data_off = sluice_rx_hdr_off(reads_headers) + SLUICE_NET_HDR_LEN;
	const char *dv_data = sluice_cell(&rxq->cells, slot) + SLUICE_NET_HDR_LEN;
	struct sluice_copy_said said = { 0 };
	struct rte_mbuf **end = pkts + nb;
	uint32_t i, len;

	for (; pkts != end; pkts += nb_block)
#pragma GCC unroll 8
		for (i = 0; i < nb_block; i++, dv_data += stride) {
			struct rte_mbuf *m = pkts[i];

			__builtin_prefetch(dv_data + ahead);
			len = m->data_len;
			if (reads_headers)
				sluice_copy_header((char *)m->buf_addr + sluice_rx_hdr_off(true),
						dv_data - SLUICE_NET_HDR_LEN, &said);
			if (sluice_copy_is_short(len))
				sluice_copy_short((char *)m->buf_addr + data_off, dv_data, len);
			else
				sluice_copy_long_in(m, dv_data, data_off);
		}
	rte_compiler_barrier();
	return reads_headers && sluice_copy_is_said(&said, rxq->num_buffers_mask);
}

/* Two packed descriptors. */
typedef uint64_t __attribute__((__vector_size__(32), __may_alias__, __aligned__(1)))
sluice_copy_pair;

/* Give nb slots from slot on, which do not wrap and have mbufs: their bounce buffers. */
static __rte_always_inline void
sluice_copy_give_run(struct sluice_rxq *rxq, uint32_t slot, uint32_t nb,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const uint64_t addr = sluice_cell_da(&rxq->cells, slot).v, stride = rxq->cells.stride;
	sluice_copy_pair pair, step, fix;
	struct sluice_packed_desc *dv_desc;
	uint64_t word;
	uint32_t i;

	/* Those of a split ring never change (sluice_rxq_reset()). */
	if (cfg.ring_type == SLUICE_SPLIT)
		return;
	dv_desc = &r->packed.dv_desc[slot];
	word = sluice_vec_packed_word(r, slot, SLUICE_DESC_F_WRITE) | (uint64_t)slot << 32 |
			rxq->post_len;
	pair = (sluice_copy_pair){ addr, word, addr + stride, word + SLUICE_ONE_NEXT_ID };
	step = (sluice_copy_pair){ 2 * stride, 2 * SLUICE_ONE_NEXT_ID, 2 * stride,
		2 * SLUICE_ONE_NEXT_ID };
	fix = (sluice_copy_pair){ 0, sluice_vec_head_fix(r, slot), 0, 0 };
	for (i = 0; i + 2 <= nb; i += 2, pair += step) {
		*(sluice_copy_pair *)&dv_desc[i] = pair ^ fix;
		fix ^= fix;
	}
	if (i == nb)
		return;
	*(sluice_desc_word *)&dv_desc[i].addr = pair[0];
	*((sluice_desc_word *)&dv_desc[i] + 1) = pair[1] ^ fix[1];
}

/*
 * What sw_ring has at the slots of a transmit queue, whoever has them, unless they are holes: the
 * mbufs are free, and this is only not NULL.
 */
static __rte_always_inline struct rte_mbuf *
sluice_copy_mark(struct sluice_txq *txq)
{
	return (struct rte_mbuf *)txq;
}

/* nb slots from slot on are free; packets of several may have been there. Out of line. */
void sluice_copy_forget(struct sluice_txq *txq, uint16_t slot, uint16_t nb);

#endif /* SLUICE_COPY_H */
