/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The primitives of sluice_vec_neon.h for transmitting.
 */

#ifndef SLUICE_VEC_NEON_TX_H
#define SLUICE_VEC_NEON_TX_H

struct sluice_vec_tx_kit {
	struct rte_mbuf **sw_ring;
	struct sluice_neon_window window;
	struct sluice_neon_writer writer;
	struct sluice_vec_avail avail;
	uint16_t *slot_kind;
	const struct rte_mempool *pool;
	uint64x2_t want; /* words 2 and 3 of a plain mbuf, with offloads of that shape */
	uint64x2_t sum;
	uint64_t said; /* by the headers */
	struct sluice_txq *txq;
};

static __rte_always_inline uint64x2_t
sluice_neon_want(const struct sluice_txq *txq, const struct sluice_path_cfg cfg)
{
	return (uint64x2_t){ SLUICE_TX_REARM_PLAIN, cfg.has_offloads ? txq->shape.flags : 0 };
}

static __rte_always_inline struct sluice_vec_tx_kit
sluice_vec_tx_kit(struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		const struct sluice_path_cfg cfg)
{
	return (struct sluice_vec_tx_kit){
		.sw_ring = txq->q.sw_ring,
		.window = sluice_neon_window(&txq->q.stream.last),
		.writer = sluice_neon_writer(&txq->q.ring, slot, 0, cfg.ring_type),
		.avail = sluice_vec_avail(txq, slot, avail_pos, cfg.ring_type),
		.slot_kind = txq->slot_kind,
		.pool = txq->pool,
		.want = sluice_neon_want(txq, cfg),
		.sum = vdupq_n_u64(0),
		.txq = txq,
	};
}

static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return vaddvq_u64(k->sum);
}

/* Words 2 and 3 of an mbuf: rearm_data and ol_flags. */
static __rte_always_inline uint64x2_t
sluice_neon_state(const struct rte_mbuf *m)
{
	return vreinterpretq_u64_u8(
			vld1q_u8((const uint8_t *)m + offsetof(struct rte_mbuf, rearm_data)));
}

/* As the 512-bit primitive: by what all four have set, and what any of them has set. */
static __rte_always_inline bool
sluice_neon_plain(const uint64x2_t state[4], struct rte_mbuf *const *m,
		const struct rte_mempool *pool, uint64x2_t want, uint64x2_t *differs,
		const struct sluice_path_cfg cfg)
{
	const uint64x2_t mask = { SLUICE_TX_REARM_MASK, sluice_tx_slow_flags(cfg) };
	uint64x2_t any = vorrq_u64(vorrq_u64(state[0], state[1]), vorrq_u64(state[2], state[3]));
	uint64x2_t all = vandq_u64(vandq_u64(state[0], state[1]), vandq_u64(state[2], state[3]));
	bool is_one_pool = m[0]->pool == pool && m[1]->pool == pool && m[2]->pool == pool &&
			m[3]->pool == pool;

	*differs = vorrq_u64(veorq_u64(any, want), veorq_u64(all, want));
	return is_one_pool && vmaxvq_u32(vreinterpretq_u32_u64(vandq_u64(*differs, mask))) == 0 &&
			(vgetq_lane_u64(all, 0) & sluice_tx_room_bits(cfg)) != 0;
}

/* Lengths of the data of two mbufs. */
static __rte_always_inline uint64x2_t
sluice_neon_data_lens(struct rte_mbuf *const *m)
{
	return vcombine_u64(vcreate_u64(m[0]->data_len), vcreate_u64(m[1]->data_len));
}

/* Addresses of the headers of two mbufs with these states. */
static __rte_always_inline uint64x2_t
sluice_neon_tx_va(struct rte_mbuf *const *m, const uint64x2_t *state, uint64x2_t hdr)
{
	uint64x2_t off = vandq_u64(vzip1q_u64(state[0], state[1]), vdupq_n_u64(UINT16_MAX));

	off = vsubq_u64(off, hdr);
	return vaddq_u64(sluice_neon_buf_addrs(m), off);
}

static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	const uint64x2_t hdr = vdupq_n_u64(sluice_tx_batch_hdr_len(cfg));
	const uint64x2_t state[4] = { sluice_neon_state(pkts[0]), sluice_neon_state(pkts[1]),
		sluice_neon_state(pkts[2]), sluice_neon_state(pkts[3]) };
	struct sluice_neon_words va, lens;
	uint64x2_t data, differs;
	bool has_shape;

	if (unlikely(!sluice_neon_plain(state, pkts, k->pool, k->want, &differs, cfg)))
		return false;
	if (cfg.is_pinned && unlikely(!sluice_vec_hold_alone(pkts)))
		return false;
	lens.a = sluice_neon_data_lens(&pkts[0]);
	lens.b = sluice_neon_data_lens(&pkts[2]);
	data = vaddq_u64(lens.a, lens.b);
	lens.a = vaddq_u64(lens.a, hdr);
	lens.b = vaddq_u64(lens.b, hdr);
	va.a = sluice_neon_tx_va(&pkts[0], &state[0], hdr);
	va.b = sluice_neon_tx_va(&pkts[2], &state[2], hdr);
	if (unlikely(!sluice_neon_in_window(&k->window, va, lens)))
		return false;
	if (cfg.has_offloads) {
		has_shape = (vgetq_lane_u64(differs, 1) & SLUICE_TX_SHAPE_FLAGS) == 0;
		if (unlikely(!sluice_vec_write_headers(k->txq, &k->said, pkts, has_shape,
				    vgetq_lane_u64(va.a, 0), vgetq_lane_u64(va.a, 1),
				    vgetq_lane_u64(va.b, 0), vgetq_lane_u64(va.b, 1), cfg)))
			return false;
		if (unlikely(!has_shape))
			k->want = sluice_neon_want(k->txq, cfg);
	}
	k->sum = vaddq_u64(k->sum, data);
	if (!cfg.has_offloads)
		sluice_vec_clear_headers(&k->said, vgetq_lane_u64(va.a, 0), vgetq_lane_u64(va.a, 1),
				vgetq_lane_u64(va.b, 0), vgetq_lane_u64(va.b, 1));
	sluice_neon_lend(&k->window, &k->writer, slot, va, lens, cfg.ring_type);
	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_vec_make_available(&k->avail, slot);
	*sluice_word_at(&k->slot_kind[slot], 0) = 0; /* four packets of one slot */
	memcpy(&k->sw_ring[slot], pkts, 4 * sizeof(*pkts));
	return true;
}

static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	uint32x4x2_t elems = vld2q_u32((const uint32_t *)&r->split.dv_used->ring[slot]);

	return vminvq_u32(vceqq_u32(elems.val[0], sluice_neon_ids(slot))) != 0;
}

static __rte_always_inline bool
sluice_vec_packed_used_in_order(const struct sluice_packed_desc *dv_desc, uint64_t word)
{
	uint32x4_t ids;

	if (sluice_neon_not_used(dv_desc, word >> 48) != 0)
		return false;
	/* Pairs with the device's release of each of the flags: ids are read after them (2.8.6). */
	rte_atomic_thread_fence(rte_memory_order_acquire);
	ids = vandq_u32(vld4q_u32((const uint32_t *)dv_desc).val[3], vdupq_n_u32(UINT16_MAX));
	return vminvq_u32(vceqq_u32(ids, sluice_neon_ids(word >> 32 & UINT16_MAX))) != 0;
}

#endif /* SLUICE_VEC_NEON_TX_H */
