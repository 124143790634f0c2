/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The receive loop, the only one. A template: every burst function of sluice_rx_paths.c is this
 * body with a literal configuration. It reads used entries, checks them, hands the mbufs to the
 * caller and refills (sluice_rx_refill.h).
 *
 * The header of a packet is not read by default, although buffers are mergeable: the device fills
 * all buffers of a packet but the last (virtio 1.3, 5.1.6.4), so a buffer that is not full holds a
 * whole packet. After SLUICE_RX_SAMPLE buffers one header is read all the same; a device that
 * breaks the rule is found out, and from then on every header is read. Its packets until then are
 * cut wrongly, memory is never at risk. With checksum offload every header is read, because the
 * device may have written something there.
 *
 * The length of a buffer says whether its header has to be read: the lengths that need no such look
 * are a range (nb_plain_lens), which belongs to the queue and is compared with the length of each
 * buffer, on queues without mergeable buffers too. While the next buffer needs a look whatever its
 * length, the range is empty.
 *
 * Where the device writes hashes (HASH_REPORT) the header is longer. The hashes of packets that
 * batches took are read together at the end of the run (sluice_offload_hashes()), and their IPv4
 * headers are checked then, too (sluice_rx_ipv4.h). Of any other packet both are done when its net
 * header is read.
 *
 * Never here: locks, logs, config space, unbounded work.
 */

#ifndef SLUICE_RX_H
#define SLUICE_RX_H

#include <rte_atomic.h>

#include "sluice_copy.h"
#include "sluice_offload.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_rx_ipv4.h"
#include "sluice_rx_refill.h"
#include "sluice_rx_slow.h"
#include "sluice_vec.h"

#define SLUICE_RX_SAMPLE 1024

/* The steps of a poll; they follow it in the order of the calls. */
static bool sluice_rx_is_idle(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg);
static bool sluice_rx_budget(struct sluice_rxq *rxq, uint16_t wanted, uint16_t *budget,
		const struct sluice_path_cfg cfg);
static uint16_t sluice_rx_run(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint32_t nb_max,
		uint16_t *nb_dropped, uint64_t *bytes, const struct sluice_path_cfg cfg);
static bool sluice_rx_take(struct sluice_rxq *rxq, uint32_t *id, uint32_t *len,
		const struct sluice_path_cfg cfg);
static struct rte_mbuf *sluice_rx_claim(struct sluice_rxq *rxq, uint32_t id);
static struct rte_mbuf *sluice_rx_packet(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len,
		const struct sluice_path_cfg cfg);
static void sluice_rx_announce(
		struct sluice_rxq *rxq, bool is_idle, const struct sluice_path_cfg cfg);

typedef uint16_t (*sluice_rx_burst_fn)(void *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts);

/* The registers of a busy poll are not saved for an idle one. */
static __rte_always_inline uint16_t
sluice_rx_poll(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		sluice_rx_burst_fn work, const struct sluice_path_cfg cfg)
{
	if (unlikely(!sluice_queue_enter(&rxq->q, sluice_path_run(cfg))))
		return 0;
	if (!sluice_rx_is_idle(rxq, cfg))
		return work(rxq, pkts, nb_pkts);
	sluice_queue_leave(&rxq->q);
	return 0;
}

/* A poll that is not idle. The queue has been entered, and is left. */
static __rte_always_inline uint16_t
sluice_rx_tmpl(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_path_cfg cfg)
{
	const uint16_t nb_batch = SLUICE_VEC_RX_LEAST;
	uint16_t nb_rx = 0, nb_single = 0, nb_dropped = 0, nb_run, budget, left;
	struct rte_mbuf *m;
	uint64_t bytes = 0;
	uint32_t id, len;

	if (unlikely(!sluice_rx_budget(rxq, nb_pkts, &budget, cfg)))
		goto leave;
	left = budget;
	while (left != 0 && nb_rx < nb_pkts) {
		/* Where a batch fails, as many are taken one by one before the next is tried. */
		if (nb_batch != 0 && nb_single == 0) {
			nb_run = RTE_MIN(left, (uint16_t)(nb_pkts - nb_rx));
			nb_run = sluice_rx_run(rxq, &pkts[nb_rx], nb_run, &nb_dropped, &bytes, cfg);
			if (likely(nb_run != 0)) {
				nb_rx += nb_run - nb_dropped;
				left -= nb_run;
				/* The queue fails if a copied header breaks the rules. */
				if (cfg.is_copy && cfg.has_csum &&
						unlikely(rxq->q.fail != SLUICE_FAIL_NONE))
					break;
				continue;
			}
			nb_single = nb_batch;
		}
		nb_single -= nb_single != 0;
		if (!sluice_rx_take(rxq, &id, &len, cfg))
			break;
		m = sluice_rx_claim(rxq, id);
		if (unlikely(m == NULL))
			break;
		left--;
		if (cfg.is_copy)
			sluice_copy_in(rxq, id, m, len);
		m = sluice_rx_packet(rxq, m, len, cfg);
		if (unlikely(m == NULL)) {
			if (rxq->q.fail != SLUICE_FAIL_NONE)
				break;
			/* With NEON and scalar, plain packets would pay for the call. */
			if ((cfg.has_csum || SLUICE_VEC_BITS > 128) && rxq->nb_segs_left > 1)
				left -= sluice_rx_add_full(rxq, left);
			continue;
		}
		bytes += m->pkt_len;
		pkts[nb_rx++] = m;
	}
	dmap_take_back(&rxq->q.stream, budget - left);
	rxq->q.stats.packets += nb_rx;
	rxq->q.stats.bytes += bytes;
	sluice_queue_refresh(&rxq->q);
	if (likely(rxq->q.fail == SLUICE_FAIL_NONE)) {
		sluice_rx_refill(rxq, rxq->free_thresh, cfg);
		sluice_rx_announce(rxq, nb_rx == 0, cfg);
	}
leave:
	sluice_queue_leave(&rxq->q);
	return nb_rx;
}

/* Did nothing come, and is nothing else to be done? Then a poll is over; most are like that. */
static __rte_always_inline bool
sluice_rx_is_idle(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	const struct sluice_ring *r = &rxq->q.ring;

	if (cfg.ring_type == SLUICE_SPLIT ? sluice_split_is_used(r) : sluice_packed_is_used(r))
		return false;
	return rxq->nb_in_order_left == 0 && rxq->nb_unannounced == 0 &&
			r->nb_free < rxq->free_thresh && dmap_stream_is_fresh(&rxq->q.stream);
}

/*
 * Buffers that the device may have completed; the most that this burst looks at. False: queue
 * failed. Of a split ring exactly those, of a packed ring all that the device has.
 */
static __rte_always_inline bool
sluice_rx_budget(struct sluice_rxq *rxq, uint16_t wanted, uint16_t *budget,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;

	uint16_t nb_lent = sluice_ring_nb_in_flight(r) - r->nb_holes;

	*budget = cfg.ring_type == SLUICE_SPLIT ? sluice_split_nb_used(r, wanted) : nb_lent;
	if (cfg.ring_type == SLUICE_SPLIT && unlikely(*budget > nb_lent)) {
		sluice_queue_break(&rxq->q, SLUICE_FAIL_USED_IDX);
		return false;
	}
	return true;
}

/* Are used entries in order, and need the next ones no look? */
static __rte_always_inline bool
sluice_rx_may_run(const struct sluice_rxq *rxq)
{
	return rxq->q.ring.nb_holes == 0 && rxq->nb_batch_lens != 0;
}

/* The configuration for batches, which do not read the headers of copies: copying does. */
static __rte_always_inline struct sluice_path_cfg
sluice_rx_batch_cfg(const struct sluice_path_cfg cfg)
{
	return (struct sluice_path_cfg){ .ring_type = cfg.ring_type,
		.has_csum = cfg.has_csum && !cfg.is_copy };
}

static __rte_always_inline bool
sluice_rx_batch(struct sluice_vec_rx_kit *kit, uint16_t nb, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	if (cfg.ring_type == SLUICE_SPLIT)
		return sluice_vec_rx_split(kit, nb, slot, pkts, cfg);
	return sluice_vec_rx_packed(kit, nb, slot, pkts, cfg);
}

/* For nb mbufs whose headers have no flag but DATA_VALID: those with it have a good checksum. */
static __rte_always_inline void
sluice_rx_mark_valid(struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t i;

	for (i = 0; i < nb; i++) {
		const struct sluice_net_hdr *dv_hdr =
				(void *)((char *)pkts[i]->buf_addr + sluice_rx_hdr_off(true));
		uint64_t flag = rte_atomic_load_explicit(&dv_hdr->flags, rte_memory_order_relaxed) &
				SLUICE_NET_HDR_F_DATA_VALID;

		pkts[i]->ol_flags |= flag *
				(RTE_MBUF_F_RX_L4_CKSUM_GOOD / SLUICE_NET_HDR_F_DATA_VALID);
	}
}

/* Copy, and read headers. Out of line, or paths that read none would have fewer registers. */
static __rte_noinline bool
sluice_rx_copy_read(const struct sluice_rxq *rxq, uint32_t slot, struct rte_mbuf **pkts, uint32_t n)
{
	return sluice_copy_in_some(rxq, slot, pkts, n, SLUICE_VEC_RX_LEAST, true);
}

/* Copy n packets that batches took. True: headers are read, and one of them says something. */
static __rte_always_inline bool
sluice_rx_copy_some(const struct sluice_rxq *rxq, uint32_t slot, struct rte_mbuf **pkts, uint32_t n)
{
	if (rxq->reads_headers)
		return sluice_rx_copy_read(rxq, slot, pkts, n);
	return sluice_copy_in_some(rxq, slot, pkts, n, SLUICE_VEC_RX_LEAST, false);
}

/*
 * What is left to be done with nb packets that batches took, all at once. Those that were copied
 * have any length, and no hash.
 */
static __rte_always_inline void
sluice_rx_do_more(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint32_t nb,
		const struct sluice_path_cfg cfg)
{
	if (!cfg.is_copy && rxq->has_hash)
		sluice_offload_hashes(rxq, pkts, nb);
	if (!rxq->checks_ipv4)
		return;
	if (cfg.is_copy)
		sluice_rx_check_each_ipv4(pkts, nb);
	else
		sluice_rx_check_ipv4(rxq, pkts, nb);
}

/* The oldest n used entries were taken, in order. */
static __rte_always_inline void
sluice_rx_skip(struct sluice_ring *r, uint16_t n, const struct sluice_path_cfg cfg)
{
	if (cfg.ring_type == SLUICE_SPLIT)
		r->used_idx += n;
	else
		sluice_packed_skip(r, n);
	sluice_ring_free_slots(r, n);
}

/*
 * Whole packets of one buffer each, in batches, as long as the used entries are in order and
 * nothing else is amiss. Takes at most nb_max buffers; returns how many. Of their packets
 * nb_dropped were dropped.
 */
static __rte_always_inline uint16_t
sluice_rx_run(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint32_t nb_max, uint16_t *nb_dropped,
		uint64_t *bytes, const struct sluice_path_cfg cfg)
{
	const uint32_t most = cfg.ring_type == SLUICE_SPLIT ? SLUICE_VEC_RX_SPLIT :
							      SLUICE_VEC_RX_PACKED;
	const uint32_t least = SLUICE_VEC_RX_LEAST;
	const struct sluice_path_cfg batch_cfg = sluice_rx_batch_cfg(cfg);
	struct sluice_ring *r = &rxq->q.ring;
	const uint32_t slot = r->tail;
	struct sluice_vec_rx_kit kit;
	uint32_t n, nb, nb_bad = 0;
	int32_t last;

	nb_max = RTE_MIN(nb_max, r->size - slot);
	if (nb_max < least || unlikely(!sluice_rx_may_run(rxq)))
		return 0;
	kit = sluice_vec_rx_kit(rxq, batch_cfg);
	/* Where the last full batch may start: compared with n, so no other register is needed. */
	last = (int32_t)nb_max - (int32_t)most;
	for (n = 0;; n += nb) {
		if (likely((int32_t)n <= last) &&
				sluice_rx_batch(&kit, most, slot + n, &pkts[n - nb_bad], batch_cfg))
			nb = most;
		else if (most != least && n + least <= nb_max &&
				sluice_rx_batch(&kit, least, slot + n, &pkts[n - nb_bad],
						batch_cfg))
			nb = least;
		else
			break;
		if (!batch_cfg.has_csum || kit.said == 0)
			continue;
		if (kit.said == SLUICE_NET_HDR_F_DATA_VALID)
			sluice_rx_mark_valid(&pkts[n - nb_bad], nb);
		else
			nb_bad += sluice_rx_offload_some(rxq, &pkts[n - nb_bad], nb, bytes);
	}
	if (unlikely(n == 0))
		return 0;
	if (cfg.is_copy && sluice_rx_copy_some(rxq, slot, pkts, n))
		nb_bad = sluice_rx_look_at_copies(rxq, pkts, n, bytes);
	else
		*bytes += sluice_vec_rx_bytes(&kit, n);
	if (cfg.has_csum && unlikely(rxq->has_more))
		sluice_rx_do_more(rxq, pkts, n - nb_bad, cfg);
	sluice_rx_skip(r, n, cfg);
	if (cfg.has_csum)
		*nb_dropped = nb_bad;
	return n;
}

/* One used entry; the caller knows that the device has buffers. False: there is none. */
static __rte_always_inline bool
sluice_rx_take(struct sluice_rxq *rxq, uint32_t *id, uint32_t *len,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;

	if (cfg.ring_type == SLUICE_SPLIT) {
		sluice_split_take(r, id, len);
	} else {
		if (rxq->nb_in_order_left == 0 && !sluice_packed_is_used(r))
			return false;
		sluice_packed_take(r, id, len);
		sluice_packed_skip(r, 1);
	}
	if (unlikely(rxq->nb_in_order_left != 0)) {
		*id = r->tail;
		*len = --rxq->nb_in_order_left == 0 ? sluice_rx_end_in_order_run(rxq) :
						      rxq->post_len;
	} else if (unlikely(*id != r->tail) && r->is_in_order &&
			sluice_rx_start_in_order_run(rxq, *id, *len)) {
		*id = r->tail;
		*len = rxq->post_len;
	}
	return true;
}

/* The mbuf of a completion. NULL: the queue failed. */
static __rte_always_inline struct rte_mbuf *
sluice_rx_claim(struct sluice_rxq *rxq, uint32_t id)
{
	struct sluice_ring *r = &rxq->q.ring;
	struct rte_mbuf *m;

	if (unlikely(id != r->tail))
		return sluice_rx_claim_unordered(rxq, id);
	m = rxq->q.sw_ring[id];
	sluice_ring_free_slots(r, 1);
	if (unlikely(r->nb_holes != 0))
		sluice_rx_skip_holes(rxq);
	return m;
}

/*
 * Make m a packet of one buffer with len bytes of data. Two stores re-arm it; the rest was right in
 * the pool.
 */
static __rte_always_inline void
sluice_rx_fill_as(struct rte_mbuf *m, uint32_t len, uint64_t rearm, uint64_t ol_flags)
{
	*sluice_mbuf_rearm(m) = rearm;
	m->ol_flags = ol_flags;
	m->packet_type = 0;
	m->pkt_len = len;
	m->data_len = len;
	m->vlan_tci = 0;
}

static __rte_always_inline void
sluice_rx_fill_mbuf(const struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	sluice_rx_fill_as(m, len, rxq->rearm, rxq->ol_flags);
}

/* What the header says of a complete packet, into its mbuf. NULL: dropped. */
static __rte_always_inline struct rte_mbuf *
sluice_rx_offload(struct sluice_rxq *rxq, struct rte_mbuf *m, const struct sluice_net_hdr *hdr)
{
	if (likely(sluice_offload_rx(rxq, m, hdr)))
		return m;
	sluice_rx_drop(rxq, m);
	return NULL;
}

/* Read the header in a packet's first buffer: the packet if it has no other buffer, else NULL. */
static __rte_always_inline struct rte_mbuf *
sluice_rx_read_header(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	uint64_t said = sluice_offload_said(rxq, m, SLUICE_NET_HDR_LEN);

	/* Most say nothing at all. */
	if (likely(said == 0))
		return m;
	if (unlikely(said != SLUICE_NET_HDR_F_DATA_VALID)) {
		if ((said & SLUICE_SAID_IPV4) == 0)
			return sluice_rx_read_more(rxq, m);
		/* A device may say what it was not asked for. */
		if (unlikely((uint32_t)said != 0 &&
				    ((uint32_t)said != SLUICE_NET_HDR_F_DATA_VALID ||
						    rxq->flags_mask == 0)))
			return sluice_rx_read_and_check(rxq, m);
		if (unlikely(!sluice_offload_has_plain_ipv4(m)))
			sluice_offload_ipv4(m);
		if (likely((uint32_t)said == 0))
			return m;
	}
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

/*
 * A buffer that was used: the packet that is complete with it, or NULL (more buffers to come,
 * dropped, or the queue failed).
 */
static __rte_always_inline struct rte_mbuf *
sluice_rx_packet(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len,
		const struct sluice_path_cfg cfg)
{
	/* One comparison for both ends: too short wraps around. */
	if (unlikely(len - SLUICE_RX_MIN_LEN >= rxq->nb_plain_lens))
		return sluice_rx_look(rxq, m, len);
	sluice_rx_fill_mbuf(rxq, m, len - SLUICE_NET_HDR_LEN);
	if (cfg.has_csum && (!cfg.is_copy || rxq->reads_headers))
		return sluice_rx_read_header(rxq, m);
	return m;
}

/*
 * Tell the device of the buffers that were given, if it wants to know. A device that sleeps for
 * lack of buffers lets polls come back empty, so this is asked when one does, and before the count
 * gets large; a device that is busy is spared the fence. Nothing is missed: what was not announced
 * yet is counted.
 */
static __rte_always_inline void
sluice_rx_announce(struct sluice_rxq *rxq, bool is_idle, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;
	bool wants_kick;

	if (likely(rxq->nb_unannounced == 0 || (!is_idle && rxq->nb_unannounced < r->size / 2)))
		return;
	/*
	 * Publish before the device's wish is read (2.7.13.4.1, 2.8.21.3.1); pairs with the
	 * device's fence.
	 */
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	if (cfg.ring_type == SLUICE_SPLIT)
		wants_kick = sluice_split_wants_kick(r);
	else
		wants_kick = sluice_packed_wants_kick(r, rxq->nb_unannounced);
	/* This comes rarely: here it is seen if a header is to be read again. */
	if (!cfg.has_csum || cfg.is_copy) {
		rxq->sample -= rxq->nb_unannounced;
		if (unlikely(rxq->sample <= 0)) {
			rxq->nb_plain_lens = 0;
			rxq->nb_batch_lens = 0;
		}
	}
	rxq->nb_unannounced = 0;
	if (wants_kick)
		sluice_doorbell_ring(r);
	else
		r->nb_suppressed++;
}

#endif /* SLUICE_RX_H */
