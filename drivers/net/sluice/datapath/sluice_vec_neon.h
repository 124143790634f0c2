/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives with the 128-bit registers of Armv8: four used entries, descriptors or mbufs at
 * a time. 64-bit words of four things lie in two registers, 32-bit words in one: the structured
 * loads and stores sort them. What each primitive means is said in sluice_vec.h.
 *
 * Order: loads and stores of vectors have none among themselves. What a batch reads of a split ring
 * was released by the index that the loop acquired; in a packed ring the batch looks at the flags
 * first and has a fence of its own. What a batch writes is released by the publish behind the last
 * one.
 */

#ifndef SLUICE_VEC_NEON_H
#define SLUICE_VEC_NEON_H

#include <arm_neon.h>

#include "sluice_vec_offload.h"

#define SLUICE_VEC_NAME "NEON"
#define SLUICE_VEC_BITS 128

#define SLUICE_VEC_RX_SPLIT 4
#define SLUICE_VEC_RX_PACKED 4
#define SLUICE_VEC_RX_LEAST 4
#define SLUICE_VEC_RX_GIVE 4
#define SLUICE_VEC_TX 4
#define SLUICE_VEC_USED 4

struct sluice_vec_rx_kit {
	const void *dv_used; /* used elements, or packed descriptors */
	struct rte_mbuf **sw_ring;
	uint64x2_t template; /* rearm and ol_flags of a fresh mbuf */
	uint32x4_t least;    /* shortest length */
	uint32x4_t nb_lens;  /* how many lengths from there on */
	uint32x4_t hdr;      /* the header's */
	uint32x4_t ids;      /* of the next four */
	uint64x2_t sum;
	uint16x8_t hdr_mask; /* what counts in a header */
	uint16_t used;       /* packed: flags of a used descriptor */
	uint16_t said;       /* by the headers of the last batch */
};

/* 64-bit words of four things: of the first two, and of the last two. */
struct sluice_neon_words {
	uint64x2_t a, b;
};

/* Where the device sees memory, in each lane. */
struct sluice_neon_window {
	uint64x2_t lo, span, delta;
};

/* How descriptors are written. */
struct sluice_neon_writer {
	void *dv_desc;
	uint64x2_t flags;    /* second words of the next two without lengths; packed: with ids */
	uint64x2_t head_fix; /* packed: for the first batch of a burst */
};

struct sluice_vec_give_kit {
	struct rte_mbuf **sw_ring;
	struct sluice_neon_window window;
	struct sluice_neon_writer writer;
	uint64x2_t off; /* from an mbuf, or if pinned buf_addr, to what the device gets */
	uint64x2_t len; /* of each buffer */
};

/* id and the three that follow. */
static __rte_always_inline uint32x4_t
sluice_neon_ids(uint16_t id)
{
	const uint32x4_t count = { 0, 1, 2, 3 };

	return vaddq_u32(vdupq_n_u32(id), count);
}

static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;
	const bool is_split = cfg.ring_type == SLUICE_SPLIT;

	return (struct sluice_vec_rx_kit){
		.dv_used = is_split ? (void *)r->split.dv_used->ring : (void *)r->packed.dv_desc,
		.sw_ring = rxq->q.sw_ring,
		.template = vld1q_u64(&rxq->rearm),
		/* Of headers that are read the length is data of the queue. */
		.least = vdupq_n_u32(cfg.has_csum ? rxq->batch_min : SLUICE_RX_MIN_LEN),
		.nb_lens = vdupq_n_u32(rxq->nb_batch_lens),
		.hdr = vdupq_n_u32(cfg.has_csum ? rxq->hdr_len : SLUICE_NET_HDR_LEN),
		.ids = sluice_neon_ids(r->tail),
		.sum = vdupq_n_u64(0),
		.used = r->used_wrap ? SLUICE_PACKED_BITS : 0,
		.hdr_mask = vld1q_u16(rxq->hdr_mask),
	};
}

static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb)
{
	RTE_SET_USED(nb);
	return vaddvq_u64(k->sum);
}

/*
 * The headers of four received packets. False: not all of them say one buffer, as far as the mask's
 * bits count. said: flags and gso_types of all, ORed, as far. Four bytes behind each header are
 * loaded too; a packet is longer.
 */
static __rte_always_inline bool
sluice_neon_read_headers(struct rte_mbuf *const *sw, uint16x8_t mask, uint16_t *said)
{
	const uint16x8_t want = { 0, 0, 0, 0, 0, 1, 0, 0 };
	uint16x8_t any = vdupq_n_u16(0);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		const void *dv_hdr = (char *)sw[i]->buf_addr + sluice_rx_hdr_off(true);

		any = vorrq_u16(any, veorq_u16(vreinterpretq_u16_u8(vld1q_u8(dv_hdr)), want));
	}
	any = vandq_u16(any, mask);
	*said = vgetq_lane_u16(any, offsetof(struct sluice_net_hdr, flags) / 2);
	return vgetq_lane_u16(any, offsetof(struct sluice_net_hdr, num_buffers) / 2) == 0;
}

/* An mbuf in two stores: the template, and packet_type to hash with the nth length. */
static __rte_always_inline void
sluice_neon_fill(struct rte_mbuf *m, uint64x2_t template, uint32x4_t lens, uint8_t nth)
{
	/* Words of the result: 0, the length, the length, 0. An index out of range makes a 0. */
	const uint8_t at = nth * sizeof(uint32_t);
	const uint8x16_t pick = { 0xff, 0xff, 0xff, 0xff, at, at + 1, at + 2, at + 3, at, at + 1,
		at + 2, at + 3, 0xff, 0xff, 0xff, 0xff };
	uint8_t *to = (uint8_t *)m + offsetof(struct rte_mbuf, rearm_data);

	vst1q_u8(to, vreinterpretq_u8_u64(template));
	vst1q_u8(to + 16, vqtbl1q_u8(vreinterpretq_u8_u32(lens), pick));
}

/*
 * Four used buffers that were asked for, of packets: mbufs from sw to pkts. False: they are not,
 * all of them. Both ring types' loads sort the entries' words into
 *
 *	ids   id0  id1  id2  id3
 *	lens  len0 len1 len2 len3
 */
static __rte_always_inline bool
sluice_neon_take(struct sluice_vec_rx_kit *k, uint32x4_t ids, uint32x4_t lens,
		struct rte_mbuf *const *sw, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	/* One comparison for both ends of the length: too short wraps around. */
	uint32x4_t over = vsubq_u32(lens, k->least);
	uint32x4_t good = vandq_u32(vceqq_u32(ids, k->ids), vcltq_u32(over, k->nb_lens));

	if (unlikely(vminvq_u32(good) == 0))
		return false;
	if (cfg.has_csum && unlikely(!sluice_neon_read_headers(sw, k->hdr_mask, &k->said)))
		return false;
	lens = vsubq_u32(lens, k->hdr);
	k->sum = vpadalq_u32(k->sum, lens);
	k->ids = vaddq_u32(k->ids, vdupq_n_u32(4));
	sluice_neon_fill(sw[0], k->template, lens, 0);
	sluice_neon_fill(sw[1], k->template, lens, 1);
	sluice_neon_fill(sw[2], k->template, lens, 2);
	sluice_neon_fill(sw[3], k->template, lens, 3);
	memcpy(pkts, sw, 4 * sizeof(*pkts));
	return true;
}

static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const struct sluice_split_used_elem *dv_elems = k->dv_used;
	uint32x4x2_t elems = vld2q_u32((const uint32_t *)&dv_elems[slot]);

	RTE_SET_USED(nb); /* four */
	return sluice_neon_take(k, elems.val[0], elems.val[1], &k->sw_ring[slot], pkts, cfg);
}

/* What the flags of four descriptors have that is not as it is in used ones. */
static __rte_always_inline uint16_t
sluice_neon_not_used(const struct sluice_packed_desc *dv_desc, uint16_t used)
{
	uint16_t a = rte_atomic_load_explicit(&dv_desc[0].flags, rte_memory_order_relaxed);
	uint16_t b = rte_atomic_load_explicit(&dv_desc[1].flags, rte_memory_order_relaxed);
	uint16_t c = rte_atomic_load_explicit(&dv_desc[2].flags, rte_memory_order_relaxed);
	uint16_t d = rte_atomic_load_explicit(&dv_desc[3].flags, rte_memory_order_relaxed);

	return ((a ^ used) | (b ^ used) | (c ^ used) | (d ^ used)) & SLUICE_PACKED_BITS;
}

static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	const struct sluice_packed_desc *dv_desc = (const struct sluice_packed_desc *)k->dv_used +
			slot;
	uint32x4x4_t descs;

	RTE_SET_USED(nb); /* four */
	if (sluice_neon_not_used(dv_desc, k->used) != 0)
		return false;
	/*
	 * Pairs with the device's release of each of the flags: ids, lengths and packets are read
	 * after them (2.8.6).
	 */
	rte_atomic_thread_fence(rte_memory_order_acquire);
	/* Two words of the address, the length, id and flags. */
	descs = vld4q_u32((const uint32_t *)dv_desc);
	return sluice_neon_take(k, vandq_u32(descs.val[3], vdupq_n_u32(UINT16_MAX)), descs.val[2],
			&k->sw_ring[slot], pkts, cfg);
}

static __rte_always_inline struct sluice_neon_window
sluice_neon_window(const struct dmap_window *w)
{
	return (struct sluice_neon_window){
		.lo = vdupq_n_u64(w->lo),
		.span = vdupq_n_u64(w->span),
		.delta = vdupq_n_u64(w->delta),
	};
}

/* Ones where two ranges are not all in the window; as dmap_window_holds(). */
static __rte_always_inline uint64x2_t
sluice_neon_outside(const struct sluice_neon_window *w, uint64x2_t va, uint64x2_t lens)
{
	uint64x2_t off = vsubq_u64(va, w->lo);

	return vorrq_u64(vcgeq_u64(off, w->span), vcgtq_u64(vaddq_u64(off, lens), w->span));
}

static __rte_always_inline bool
sluice_neon_in_window(const struct sluice_neon_window *w, struct sluice_neon_words va,
		struct sluice_neon_words lens)
{
	uint64x2_t outside = vorrq_u64(
			sluice_neon_outside(w, va.a, lens.a), sluice_neon_outside(w, va.b, lens.b));

	return vmaxvq_u32(vreinterpretq_u32_u64(outside)) == 0;
}

static __rte_always_inline struct sluice_neon_writer
sluice_neon_writer(const struct sluice_ring *r, uint16_t slot, uint16_t flags,
		enum sluice_ring_type ring_type)
{
	const uint64x2_t head_fix = { sluice_vec_head_fix(r, slot), 0 };
	const uint64x2_t count = { 0, 1ULL << 32 };
	struct sluice_neon_writer w = { .head_fix = head_fix };

	if (ring_type == SLUICE_SPLIT) {
		w.dv_desc = r->split.dv_desc;
		w.flags = vdupq_n_u64((uint64_t)flags << 32);
	} else {
		w.dv_desc = r->packed.dv_desc;
		w.flags = vdupq_n_u64(
				sluice_vec_packed_word(r, slot, flags) | (uint64_t)slot << 32);
		w.flags = vaddq_u64(w.flags, count);
	}
	return w;
}

/*
 * Write four descriptors; the fix of a head is for one batch only. The stores mix the words of two
 * registers, addresses and the rest, into
 *
 *	address0 | rest0 || address1 | rest1 and address2 | rest2 || address3 | rest3
 */
static __rte_always_inline void
sluice_neon_write(struct sluice_neon_writer *w, uint16_t slot, struct sluice_neon_words addrs,
		struct sluice_neon_words lens, enum sluice_ring_type ring_type)
{
	/* Descriptors of both ring types have the same size. */
	uint64_t *dv_at = (uint64_t *)((struct sluice_split_desc *)w->dv_desc + slot);
	const uint64x2_t two = vdupq_n_u64(2ULL << 32);
	uint64x2x2_t first, last;

	first.val[0] = addrs.a;
	first.val[1] = vorrq_u64(lens.a, w->flags);
	if (ring_type == SLUICE_PACKED) {
		first.val[1] = veorq_u64(first.val[1], w->head_fix);
		w->head_fix = vdupq_n_u64(0);
		w->flags = vaddq_u64(w->flags, two);
	}
	last.val[0] = addrs.b;
	last.val[1] = vorrq_u64(lens.b, w->flags);
	if (ring_type == SLUICE_PACKED)
		w->flags = vaddq_u64(w->flags, two);
	vst2q_u64(&dv_at[0], first);
	vst2q_u64(&dv_at[4], last);
}

/* Write descriptors of what lies at four addresses in the window. */
static __rte_always_inline void
sluice_neon_lend(const struct sluice_neon_window *window, struct sluice_neon_writer *w,
		uint16_t slot, struct sluice_neon_words va, struct sluice_neon_words lens,
		enum sluice_ring_type ring_type)
{
	va.a = vaddq_u64(va.a, window->delta);
	va.b = vaddq_u64(va.b, window->delta);
	sluice_neon_write(w, slot, va, lens, ring_type);
}

static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	return (struct sluice_vec_give_kit){
		.sw_ring = rxq->q.sw_ring,
		.window = sluice_neon_window(&rxq->q.stream.last),
		.writer = sluice_neon_writer(
				&rxq->q.ring, slot, SLUICE_DESC_F_WRITE, cfg.ring_type),
		.off = vdupq_n_u64(rxq->buf_off + rxq->hdr_off),
		.len = vdupq_n_u64(rxq->post_len),
	};
}

/* buf_addr of two mbufs. */
static __rte_always_inline uint64x2_t
sluice_neon_buf_addrs(struct rte_mbuf *const *m)
{
	return vcombine_u64(vcreate_u64((uintptr_t)m[0]->buf_addr),
			vcreate_u64((uintptr_t)m[1]->buf_addr));
}

static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, struct rte_mbuf *const *from,
		const struct sluice_path_cfg cfg)
{
	const struct sluice_neon_words mbufs = { vld1q_u64((const uint64_t *)&from[0]),
		vld1q_u64((const uint64_t *)&from[2]) };
	struct sluice_neon_words lens = { k->len, k->len }, va;

	va.a = vaddq_u64(cfg.is_pinned ? sluice_neon_buf_addrs(&from[0]) : mbufs.a, k->off);
	va.b = vaddq_u64(cfg.is_pinned ? sluice_neon_buf_addrs(&from[2]) : mbufs.b, k->off);
	if (unlikely(!sluice_neon_in_window(&k->window, va, lens)))
		return false;
	vst1q_u64((uint64_t *)&k->sw_ring[slot], mbufs.a);
	vst1q_u64((uint64_t *)&k->sw_ring[slot + 2], mbufs.b);
	sluice_neon_lend(&k->window, &k->writer, slot, va, lens, cfg.ring_type);
	return true;
}

#include "sluice_vec_neon_tx.h"

#endif /* SLUICE_VEC_NEON_H */
