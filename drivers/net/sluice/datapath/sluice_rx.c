/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The rare half of receiving: unordered and batched completions, the first of several buffers,
 * pools that run dry, lengths that cannot be. All of it checks what the device wrote; see
 * sluice_rx.h.
 */

#include "sluice_mbuf_list.h"
#include "sluice_queue_ctl.h"
#include "sluice_rx.h"

struct rte_mbuf *
sluice_rx_claim_unordered(struct sluice_rxq *rxq, uint32_t id)
{
	struct rte_mbuf *m;

	if (!sluice_queue_is_lent(&rxq->q, id)) {
		sluice_queue_break(&rxq->q, SLUICE_FAIL_BAD_ID);
		return NULL;
	}
	m = rxq->q.sw_ring[id];
	rxq->q.sw_ring[id] = NULL;
	rxq->q.ring.nb_holes++;
	return m;
}

bool
sluice_rx_start_in_order_run(struct sluice_rxq *rxq, uint32_t id, uint32_t len)
{
	struct sluice_ring *r = &rxq->q.ring;

	/* The claim that follows reports what is no batch. */
	if (!sluice_queue_is_lent(&rxq->q, id))
		return false;
	rxq->nb_in_order_left = sluice_ring_distance(r, id);
	rxq->batch_len = len;
	rxq->nb_batch_lens = 0;
	return true;
}

uint32_t
sluice_rx_end_in_order_run(struct sluice_rxq *rxq)
{
	sluice_rxq_expect(rxq);
	return rxq->batch_len;
}

void
sluice_rx_skip_holes(struct sluice_rxq *rxq)
{
	struct sluice_ring *r = &rxq->q.ring;

	while (r->nb_holes != 0 && rxq->q.sw_ring[r->tail] == NULL) {
		r->nb_holes--;
		sluice_ring_free_slots(r, 1);
	}
}

/* An mbuf that never reached the application. */
static void
put_back(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	sluice_pool_put(rxq->pool, (void **)&m, 1);
}

/*
 * A length that is no packet: the mbuf goes back to its pool; the queue fails unless it is just a
 * runt.
 */
static void
reject(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	put_back(rxq, m);
	if (len < rxq->hdr_len || len > rxq->post_len) {
		sluice_queue_break(&rxq->q, SLUICE_FAIL_BAD_LEN);
		return;
	}
	rxq->nb_runts++;
	rxq->q.stats.errors++;
}

/*
 * m is the first of nb buffers, and nb is not 1. True: it is the only one all the same. False: more
 * to come, or failed.
 */
static bool
begin_packet(struct sluice_rxq *rxq, struct rte_mbuf *m, uint16_t nb)
{
	/*
	 * It should be 1 (5.1.6.4.1). But DPDK's vhost library, up to 22.11.0, leaves the field as
	 * it was with packets that fit a buffer of a packed ring. The length was checked, and
	 * nothing else hangs on it.
	 */
	if (nb == 0) {
		rxq->nb_zero_num_buffers++;
		return true;
	}
	if (nb > rxq->q.ring.size) {
		put_back(rxq, m);
		sluice_queue_break(&rxq->q, SLUICE_FAIL_NUM_BUFFERS);
		return false;
	}
	rxq->seg_first = m;
	rxq->seg_last = m;
	rxq->nb_segs_left = nb - 1;
	return false;
}

/*
 * m (len bytes were used) is the first buffer of a packet, its header says of how many. False: not
 * of one; more are to come, or the queue failed.
 */
static bool
is_whole(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	const struct sluice_net_hdr *dv_hdr;
	bool was_zero = rxq->was_zero;
	uint16_t nb;

	/* Counted where nothing can be found out, too. */
	if (!sluice_rxq_guesses(rxq)) {
		rxq->sample = INT32_MAX;
		return true;
	}
	rxq->sample = SLUICE_RX_SAMPLE;
	rxq->was_zero = false;
	dv_hdr = rte_pktmbuf_mtod_offset(m, const struct sluice_net_hdr *, -SLUICE_NET_HDR_LEN);
	/* Once: the device may change it while we look. */
	nb = rte_atomic_load_explicit(&dv_hdr->num_buffers, rte_memory_order_relaxed);
	if (nb == 1)
		return true;
	/*
	 * What says nothing may be no header, but the second half of a packet: then the next one is
	 * a first half.
	 */
	if (nb != 0) {
		rxq->must_read_header |= len != rxq->post_len;
	} else if (len != rxq->post_len && !was_zero) {
		rxq->was_zero = true;
		rxq->sample = 0;
	}
	return begin_packet(rxq, m, nb);
}

/* A private copy of a fresh mbuf's header, with what means something. */
static struct sluice_net_hdr
copy_header(const struct sluice_rxq *rxq, const struct rte_mbuf *m)
{
	struct sluice_net_hdr hdr = sluice_offload_copy(
			(const char *)m->buf_addr + sluice_rx_hdr_off(true));

	/* Without GUEST_CSUM the header is read for its hash only. */
	if (unlikely(rxq->flags_mask == 0)) {
		hdr.flags = 0;
		hdr.gso_type = SLUICE_NET_HDR_GSO_NONE;
	}
	return hdr;
}

struct rte_mbuf *
sluice_rx_read_more(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	struct sluice_net_hdr hdr = copy_header(rxq, m);

	if (unlikely(((hdr.num_buffers ^ 1) & rxq->num_buffers_mask) != 0)) {
		rxq->seg_hdr = hdr;
		if (!begin_packet(rxq, m, hdr.num_buffers)) {
			sluice_rxq_expect(rxq);
			return NULL;
		}
	}
	return sluice_rx_offload(rxq, m, &hdr);
}

struct rte_mbuf *
sluice_rx_read_and_check(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	m = sluice_rx_read_more(rxq, m);
	if (m != NULL && unlikely(!sluice_offload_has_plain_ipv4(m)))
		sluice_offload_ipv4(m);
	return m;
}

/* As sluice_rx_read_header(), of any queue that reads them. */
static struct rte_mbuf *
read_header(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	uint32_t said = sluice_offload_said(rxq, m, rxq->hdr_len);

	if (rxq->has_hash)
		sluice_offload_hashes(rxq, &m, 1);
	if (likely((said & ((uint32_t)UINT16_MAX << 16 | rxq->hdr_mask[0])) == 0))
		return m;
	return sluice_rx_read_more(rxq, m);
}

void
sluice_rx_drop(struct sluice_rxq *rxq, struct rte_mbuf *m)
{
	sluice_mbuf_free(m);
	rxq->q.stats.errors++;
}

uint16_t
sluice_rx_offload_some(struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb, uint64_t *bytes)
{
	uint16_t i, nb_left = 0;

	for (i = 0; i < nb; i++) {
		struct sluice_net_hdr hdr = copy_header(rxq, pkts[i]);
		uint32_t len = pkts[i]->pkt_len;
		struct rte_mbuf *m = sluice_rx_offload(rxq, pkts[i], &hdr);

		if (likely(m != NULL))
			pkts[nb_left++] = m;
		else
			*bytes -= len;
	}
	return nb - nb_left;
}

uint16_t
sluice_rx_look_at_copies(
		struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb, uint64_t *bytes)
{
	uint16_t i, nb_left = 0;
	struct rte_mbuf *m;

	for (i = 0; i < nb; i++) {
		m = pkts[i];
		/* Behind a failure nothing is believed. */
		if (unlikely(rxq->q.fail != SLUICE_FAIL_NONE)) {
			put_back(rxq, m);
			continue;
		}
		if (unlikely(rxq->nb_segs_left != 0))
			m = sluice_rx_look(rxq, m, m->pkt_len + SLUICE_NET_HDR_LEN);
		else
			m = read_header(rxq, m);
		if (unlikely(m == NULL))
			continue;
		*bytes += m->pkt_len;
		pkts[nb_left++] = m;
	}
	return nb - nb_left;
}

/* One more buffer of a packet. Out of line: what is none is looked at in fewer instructions. */
static __rte_noinline struct rte_mbuf *
add_one(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	m = sluice_rx_add(rxq, m, len);
	return rxq->reads_headers && m != NULL ? sluice_rx_offload(rxq, m, &rxq->seg_hdr) : m;
}

/* As sluice_rx_look(), but for what software checks. */
static struct rte_mbuf *
look(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	bool is_one;

	if (unlikely(rxq->nb_segs_left != 0))
		return add_one(rxq, m, len);
	if (len - rxq->min_len > rxq->post_len - rxq->min_len) {
		reject(rxq, m, len);
		return NULL;
	}
	sluice_rx_fill_mbuf(rxq, m, len - rxq->hdr_len);
	/* Those read all headers: there is nothing to find out when the count is over. */
	if (rxq->has_more) {
		if (unlikely(rxq->sample <= 0)) {
			rxq->sample = INT32_MAX;
			sluice_rxq_expect(rxq);
		}
		return read_header(rxq, m);
	}
	is_one = is_whole(rxq, m, len);
	sluice_rxq_expect(rxq);
	if (!is_one)
		return NULL;
	return rxq->reads_headers ? read_header(rxq, m) : m;
}

struct rte_mbuf *
sluice_rx_look(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	m = look(rxq, m, len);
	if (rxq->checks_ipv4 && m != NULL)
		sluice_offload_ipv4(m);
	return m;
}

uint16_t
sluice_rx_alloc_some(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb)
{
	uint16_t nb_got = 0, n = nb;

	/* Halves instead of all or nothing: a block of 32 takes the 20 that the pool has. */
	while (n != 0 && nb_got < nb) {
		n = RTE_MIN(n, (uint16_t)(nb - nb_got));
		if (sluice_pool_get(rxq->pool, (void **)&rxq->q.sw_ring[slot + nb_got], n) == 0)
			nb_got += n;
		else
			n /= 2;
	}
	rxq->nb_alloc_failed += nb - nb_got;
	return nb_got;
}

void
sluice_rx_keep(struct sluice_rxq *rxq, uint16_t slot, struct rte_mbuf *const *mbufs, uint16_t nb)
{
	memcpy(&rxq->q.sw_ring[slot], mbufs, nb * sizeof(*mbufs));
}

void
sluice_rx_alloc_undo(struct sluice_rxq *rxq, uint16_t slot, uint16_t nb)
{
	sluice_pool_put_more(rxq->pool, (void **)&rxq->q.sw_ring[slot], nb);
	rxq->nb_alloc_failed += nb;
}

void
sluice_rxq_place(struct sluice_rxq *rxq, bool reads_headers, bool has_hash, bool has_tunnel,
		bool checks_ipv4)
{
	uint16_t hdr_off = sluice_rx_hdr_off(reads_headers);
	struct rte_mbuf m;

	rxq->reads_headers = reads_headers;
	rxq->has_hash = has_hash;
	rxq->hdr_off = hdr_off;
	rxq->hdr_len = sluice_queue_hdr_len(has_hash, has_tunnel);
	rxq->min_len = rxq->hdr_len + RTE_ETHER_HDR_LEN;
	rxq->checks_ipv4 = checks_ipv4;
	rxq->num_buffers_plain = 1 | (checks_ipv4 ? SLUICE_SAID_IPV4 >> 16 : 0);
	rxq->batch_min = checks_ipv4 ? rxq->hdr_len + SLUICE_SUM_LEAST : rxq->min_len;
	rxq->has_more = checks_ipv4 || rxq->hdr_len != SLUICE_NET_HDR_LEN;
	/* Of most packets this is true, and then nothing is left to be written. */
	rxq->ol_flags &= ~RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	rxq->ol_flags |= checks_ipv4 ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0;
	*sluice_mbuf_rearm(&m) = rxq->rearm;
	m.data_off = hdr_off + rxq->hdr_len;
	rxq->rearm = *sluice_mbuf_rearm(&m);
	rxq->post_len = RTE_PKTMBUF_HEADROOM + rxq->room - hdr_off;
}

__rte_cold void
sluice_rxq_fill(struct sluice_rxq *rxq)
{
	/* By data: it need not be fast. */
	const struct sluice_path_cfg cfg = { .ring_type = rxq->q.ring_type,
		.is_copy = sluice_cells_are_used(&rxq->cells) };

	sluice_rx_refill(rxq, 1, cfg);
}

uint32_t
sluice_rxq_nb_waiting(const struct sluice_rxq *rxq)
{
	const struct sluice_ring *r = &rxq->q.ring;
	uint32_t nb = rxq->nb_in_order_left;

	nb += rxq->q.ring_type == SLUICE_SPLIT ? sluice_split_count_used(r) :
						 sluice_packed_count_used(r);
	/* Not more than it can have. */
	return RTE_MIN(nb, (uint32_t)sluice_ring_nb_in_flight(r) - r->nb_holes);
}

__rte_cold uint32_t
sluice_rxq_drain(struct sluice_rxq *rxq, struct sluice_mbuf_list *out)
{
	struct sluice_ring *r = &rxq->q.ring;
	uint32_t nb = 0;

	for (; r->nb_free != r->size; sluice_ring_free_slots(r, 1)) {
		struct rte_mbuf *m = rxq->q.sw_ring[r->tail];

		if (m == NULL)
			continue;
		if (out != NULL)
			out->m[out->nb++] = m;
		else
			put_back(rxq, m);
		nb++;
	}
	dmap_take_back(&rxq->q.stream, nb);
	r->nb_holes = 0;
	/*
	 * A packet whose end never came: the device was done with its buffers, but not every thread
	 * may free them.
	 */
	if (out != NULL && rxq->seg_first != NULL)
		out->m[out->nb++] = rxq->seg_first;
	else
		sluice_mbuf_free(rxq->seg_first);
	rxq->seg_first = NULL;
	rxq->seg_last = NULL;
	rxq->nb_segs_left = 0;
	rxq->nb_in_order_left = 0;
	return nb;
}

/*
 * Used entries, or buffers of a batch, that no burst has taken; or nothing can come since the pool
 * was dry.
 */
static bool
has_work(const struct sluice_rxq *rxq)
{
	const struct sluice_ring *r = &rxq->q.ring;

	if (rxq->nb_in_order_left != 0 || r->nb_free >= rxq->free_thresh)
		return true;
	return rxq->q.ring_type == SLUICE_SPLIT ? sluice_split_count_used(r) != 0 :
						  sluice_packed_is_used(r);
}

bool
sluice_rxq_arm(struct sluice_rxq *rxq)
{
	struct sluice_ring *r = &rxq->q.ring;

	if (rxq->q.ring_type == SLUICE_SPLIT) {
		sluice_split_enable_interrupts(r);
		sluice_rx_announce(
				rxq, true, (struct sluice_path_cfg){ .ring_type = SLUICE_SPLIT });
	} else {
		sluice_packed_enable_interrupts(r);
		sluice_rx_announce(
				rxq, true, (struct sluice_path_cfg){ .ring_type = SLUICE_PACKED });
	}
	/*
	 * The wish before the look at the ring (2.7.14); pairs with the device's fence between a
	 * used entry and its look at the wish. So either the device sees the wish, or the entry is
	 * seen here.
	 */
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	return has_work(rxq);
}

void
sluice_rxq_disarm(struct sluice_rxq *rxq)
{
	if (rxq->q.ring_type == SLUICE_SPLIT)
		sluice_split_disable_interrupts(&rxq->q.ring);
	else
		sluice_packed_disable_interrupts(&rxq->q.ring);
}
