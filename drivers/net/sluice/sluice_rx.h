/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The receive loop, the only one. A template: every burst function of sluice_rx_paths.c is this body with a
 * literal configuration. It reads used entries, checks them, hands the mbufs to the caller and refills.
 *
 * The header of a packet is not read by default, although buffers are mergeable: the device fills all
 * buffers of a packet but the last (virtio 1.3, 5.1.6.4), so a buffer that is not full holds a whole packet.
 * One header in SLUICE_RX_SAMPLE is read all the same; a device that breaks the rule is found out, and
 * from then on every header is read. Its packets until then are cut wrongly, memory is never at risk.
 *
 * Never here: locks, logs, config space, unbounded work.
 */

#ifndef SLUICE_RX_H
#define SLUICE_RX_H

#include <rte_atomic.h>
#include <rte_ether.h>

#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

#define SLUICE_RX_SAMPLE 1024
/* Shortest used length that is a packet: an Ethernet header behind the net header. */
#define SLUICE_RX_MIN_LEN (SLUICE_NET_HDR_LEN + RTE_ETHER_HDR_LEN)

/* Out of line, in sluice_rx.c. */

/* A completion of another slot than the oldest: an mbuf, or NULL and the queue failed. */
struct rte_mbuf *sluice_rx_claim_unordered(struct sluice_rxq *rxq, uint32_t id);
/* In-order device, id beyond the oldest slot: it completed all buffers up to id. False: queue failed. */
bool sluice_rx_start_batch(struct sluice_rxq *rxq, uint32_t id, uint32_t len);
/* After the oldest slot became free: free the slots behind it that the device gave back before. */
void sluice_rx_skip_holes(struct sluice_rxq *rxq);
/* Buffers of the packet whose first one is m (len bytes were used); 0 and the queue failed. */
uint16_t sluice_rx_num_buffers(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len);
/* One more buffer of a packet; the packet when it is complete. */
struct rte_mbuf *sluice_rx_add_segment(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len);
/* A length that is no packet: the mbuf goes back to its pool; the queue fails unless it is just a runt. */
void sluice_rx_reject(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len);
/* The pool could not give nb mbufs: fewer, into sw_ring from slot on. */
uint16_t sluice_rx_alloc_some(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb);
/* The device cannot reach the mbufs in nb slots from slot on: back to the pool. */
void sluice_rx_alloc_undo(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb);

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

/* One used entry; the caller knows that the device has buffers. False: there is none. */
static __rte_always_inline bool
sluice_rx_take(struct sluice_rxq *rxq, uint32_t *id, uint32_t *len,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;

	if (cfg.layout == SLUICE_SPLIT) {
		if (r->used_idx == r->used_seen)
			return false;
		sluice_split_take(r, id, len);
	} else {
		if (rxq->nb_batch == 0 && !sluice_packed_is_used(r))
			return false;
		sluice_packed_take(r, id, len);
		sluice_packed_skip(r, 1);
	}
	if (unlikely(rxq->nb_batch != 0)) {
		*id = r->tail;
		*len = --rxq->nb_batch == 0 ? rxq->batch_len : rxq->post_len;
	} else if (unlikely(*id != r->tail) && r->is_in_order &&
			sluice_rx_start_batch(rxq, *id, *len)) {
		*id = r->tail;
		*len = rxq->post_len;
	}
	return true;
}

/* Make m a packet of one buffer. Two stores re-arm it; the rest was right in the pool. */
static __rte_always_inline void
sluice_rx_fill_mbuf(const struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	*sluice_mbuf_rearm(m) = rxq->rearm;
	m->ol_flags = rxq->ol_flags;
	m->packet_type = 0;
	m->pkt_len = len - SLUICE_NET_HDR_LEN;
	m->data_len = len - SLUICE_NET_HDR_LEN;
	m->vlan_tci = 0;
}

/* Give nb mbufs from sw_ring to the device; returns how many it can reach. Slots do not wrap. */
static __rte_always_inline uint16_t
sluice_rx_give(struct sluice_rxq *rxq, uint16_t nb, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;
	struct dmap_addr da;
	uint16_t i, slot;

	for (i = 0; i < nb; i++) {
		struct rte_mbuf *m;
		char *va;

		slot = r->head + i;
		m = rxq->q.sw_ring[slot];
		va = (char *)m->buf_addr + RTE_PKTMBUF_HEADROOM - SLUICE_NET_HDR_LEN;
		if (unlikely(!dmap_lend(&rxq->q.stream, m, va, rxq->post_len, &da)))
			break;
		if (cfg.layout == SLUICE_SPLIT)
			sluice_split_give(r, slot, da, rxq->post_len, SLUICE_DESC_F_WRITE);
		else
			sluice_packed_give(r, slot, slot, da, rxq->post_len, SLUICE_DESC_F_WRITE);
	}
	if (unlikely(i < nb))
		sluice_rx_alloc_undo(rxq, r->head + i, nb - i);
	if (unlikely(i == 0))
		return 0;
	if (cfg.layout == SLUICE_SPLIT)
		sluice_split_publish(r, i);
	else
		sluice_packed_publish(r, i, SLUICE_DESC_F_WRITE);
	dmap_lent(&rxq->q.stream, i);
	r->head = sluice_ring_next(r, r->head, i);
	r->nb_free -= i;
	return i;
}

/* Fill free slots when there are enough of them; a pool that runs dry gives what it has. */
static __rte_always_inline void
sluice_rx_refill(struct sluice_rxq *rxq, uint16_t thresh, const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;
	uint16_t nb_given = 0, nb, nb_got, n;
	bool wants_kick;

	while (r->nb_free >= thresh) {
		nb = RTE_MIN(r->nb_free, (uint16_t)(r->size - r->head));
		nb_got = nb;
		if (unlikely(rte_mempool_get_bulk(rxq->pool, (void **)&rxq->q.sw_ring[r->head],
					     nb) != 0))
			nb_got = sluice_rx_alloc_some(rxq, r->head, nb);
		if (unlikely(nb_got == 0))
			break;
		n = sluice_rx_give(rxq, nb_got, cfg);
		nb_given += n;
		if (unlikely(n < nb))
			break;
	}
	if (nb_given == 0)
		return;
	/* Publish before the device's wish is read (2.7.13.4.1, 2.8.21.3.1); pairs with the device's fence. */
	rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (cfg.layout == SLUICE_SPLIT)
		wants_kick = sluice_split_wants_kick(r);
	else
		wants_kick = sluice_packed_wants_kick(r, nb_given);
	if (wants_kick)
		sluice_doorbell_ring(r);
	else
		r->nb_suppressed++;
}

/* Buffers that the device may have completed; the most that this burst looks at. False: queue failed. */
static __rte_always_inline bool
sluice_rx_budget(struct sluice_rxq *rxq, uint16_t wanted, uint16_t *budget,
		const struct sluice_path_cfg cfg)
{
	struct sluice_ring *r = &rxq->q.ring;

	*budget = sluice_ring_nb_busy(r) - r->nb_holes;
	if (cfg.layout == SLUICE_SPLIT && unlikely(sluice_split_nb_used(r, wanted) > *budget)) {
		sluice_queue_break(&rxq->q, SLUICE_FAIL_USED_IDX);
		return false;
	}
	return true;
}

/*
 * A buffer that was used: the packet that is complete with it, or NULL (more buffers to come, dropped, or
 * the queue failed).
 */
static __rte_always_inline struct rte_mbuf *
sluice_rx_packet(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len,
		const struct sluice_path_cfg cfg)
{
	uint16_t nb_buffers;

	if (cfg.has_mrg && unlikely(rxq->nb_segs_left != 0))
		return sluice_rx_add_segment(rxq, m, len);
	/* One comparison for both ends: too short wraps around. */
	if (unlikely(len - SLUICE_RX_MIN_LEN > rxq->post_len - SLUICE_RX_MIN_LEN)) {
		sluice_rx_reject(rxq, m, len);
		return NULL;
	}
	sluice_rx_fill_mbuf(rxq, m, len);
	if (cfg.has_mrg &&
			unlikely(len == rxq->post_len || rxq->must_read_header ||
					--rxq->sample == 0)) {
		nb_buffers = sluice_rx_num_buffers(rxq, m, len);
		if (nb_buffers != 1)
			return NULL;
	}
	return m;
}

static __rte_always_inline uint16_t
sluice_rx_tmpl(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts,
		const struct sluice_path_cfg cfg)
{
	uint16_t nb_rx = 0, budget, left;
	struct rte_mbuf *m;
	uint64_t bytes = 0;
	uint32_t id, len;

	if (unlikely(!sluice_queue_enter(&rxq->q)))
		return 0;
	if (unlikely(!sluice_rx_budget(rxq, nb_pkts, &budget, cfg)))
		goto leave;
	left = budget;
	while (left != 0 && nb_rx < nb_pkts) {
		if (!sluice_rx_take(rxq, &id, &len, cfg))
			break;
		m = sluice_rx_claim(rxq, id);
		if (unlikely(m == NULL))
			break;
		left--;
		m = sluice_rx_packet(rxq, m, len, cfg);
		if (unlikely(m == NULL)) {
			if (rxq->q.fail != SLUICE_FAIL_NONE)
				break;
			continue;
		}
		bytes += m->pkt_len;
		pkts[nb_rx++] = m;
	}
	dmap_take_back(&rxq->q.stream, budget - left);
	rxq->q.stats.packets += nb_rx;
	rxq->q.stats.bytes += bytes;
	dmap_stream_refresh(&rxq->q.stream);
	if (likely(rxq->q.fail == SLUICE_FAIL_NONE))
		sluice_rx_refill(rxq, rxq->free_thresh, cfg);
leave:
	sluice_queue_leave(&rxq->q);
	return nb_rx;
}

#endif /* SLUICE_RX_H */
