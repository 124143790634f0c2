/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What the control side does to queues of both directions. */

#include <string.h>

#include "sluice_check.h"
#include "sluice_copy.h"
#include "sluice_queue_ctl.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_tx_offload.h"

static struct sluice_ring_offsets
reset_queue(struct sluice_queue *q, const struct sluice_queue_conf *conf, bool is_tx,
		uint16_t *avail_shadow)
{
	uint16_t nb_slots = conf->nb_slots != 0 ? conf->nb_slots : conf->size;
	struct sluice_ring_offsets l = sluice_ring_offsets(conf->ring_type, nb_slots, is_tx);
	uint64_t nb_kicks = q->ring.nb_kicks, nb_suppressed = q->ring.nb_suppressed;
	uint64_t nb_misses = q->stream.nb_misses;

	memset(conf->va, 0, l.len);
	q->ring_type = conf->ring_type;
	q->run = conf->run;
	sluice_ring_init(&q->ring, conf->ring_type, conf->size, &l, conf->va, avail_shadow);
	q->ring.has_event_idx = conf->has_event_idx;
	q->ring.is_in_order = conf->is_in_order;
	q->ring.nb_kicks = nb_kicks;
	q->ring.nb_suppressed = nb_suppressed;
	q->fail = SLUICE_FAIL_NONE;
	dmap_stream_init(&q->stream, conf->domain);
	q->stream.nb_misses = nb_misses;
	if (conf->ring_type == SLUICE_PACKED)
		sluice_packed_disable_interrupts(&q->ring);
	else
		sluice_split_disable_interrupts(&q->ring);
	return l;
}

/*
 * The application's buffers may have more room than those that the device gets. Whose these are is
 * said once in a split ring, where the device only reads it.
 */
static void
reset_rx_cells(struct sluice_rxq *rxq, const struct sluice_queue_conf *conf)
{
	uint16_t i;

	rxq->cells = conf->cells;
	if (!sluice_cells_are_used(&rxq->cells))
		return;
	rxq->post_len = RTE_MIN(rxq->post_len, conf->cells.room + SLUICE_NET_HDR_LEN);
	for (i = 0; i < conf->size && conf->ring_type == SLUICE_SPLIT; i++)
		sluice_split_give(&rxq->q.ring, i, sluice_cell_da(&rxq->cells, i), rxq->post_len,
				SLUICE_DESC_F_WRITE);
}

/* What other packets have left there is nothing that a device may have. */
static void
reset_tx_cells(struct sluice_txq *txq, const struct sluice_queue_conf *conf)
{
	uint16_t i;

	txq->cells = conf->cells;
	txq->is_copy = sluice_cells_are_used(&txq->cells) && !conf->bounces;
	if (!sluice_cells_are_used(&txq->cells))
		return;
	memset(txq->cells.dv_first, 0, (size_t)conf->size * txq->cells.stride);
	if (!txq->is_copy)
		return;
	sluice_copy_forget(txq, 0, conf->size);
	for (i = 0; i < conf->size && conf->ring_type == SLUICE_SPLIT; i++)
		sluice_split_give(&txq->q.ring, i, sluice_cell_da(&txq->cells, i), 0, 0);
}

/* Which parts of a header mean something. Those with a hash are read for DATA_VALID, too. */
static void
set_masks(struct sluice_rxq *rxq, const struct sluice_queue_conf *conf)
{
	const uint16_t valid = SLUICE_NET_HDR_F_DATA_VALID;

	rxq->flags_mask = conf->has_csum ? SLUICE_NET_HDR_F_NEEDS_CSUM | valid : 0;
	memset(rxq->hdr_mask, 0, sizeof(rxq->hdr_mask));
	if (conf->has_csum)
		rxq->hdr_mask[0] = conf->has_hash ? UINT16_MAX & ~valid : UINT16_MAX;
	rxq->hdr_mask[offsetof(struct sluice_net_hdr, num_buffers) / 2] = rxq->num_buffers_mask;
}

uint16_t
sluice_queue_hdr_len(bool has_hash, bool has_tunnel)
{
	if (has_tunnel)
		return SLUICE_NET_HDR_TUNNEL_LEN;
	return has_hash ? SLUICE_NET_HDR_HASH_LEN : SLUICE_NET_HDR_LEN;
}

void
sluice_rxq_reset(struct sluice_rxq *rxq, const struct sluice_queue_conf *conf)
{
	reset_queue(&rxq->q, conf, false, rxq->avail_shadow);
	sluice_rxq_place(rxq, conf->reads_headers, conf->has_hash, conf->has_tunnel,
			conf->checks_ipv4);
	rxq->num_buffers_mask = SLUICE_SAID_IPV4 >> 16 | (conf->has_mrg ? UINT16_MAX : 0);
	set_masks(rxq, conf);
	rxq->completes_csum = conf->completes_csum;
	reset_rx_cells(rxq, conf);
	rxq->has_lro = conf->has_lro;
	rxq->has_ecn = conf->has_ecn;
	rxq->sample = sluice_rxq_guesses(rxq) ? 0 : INT32_MAX;
	rxq->must_read_header = false;
	rxq->was_zero = false;
	sluice_rxq_expect(rxq);
	rxq->nb_unannounced = 0;
	rxq->free_thresh = sluice_rxq_free_thresh(rxq, conf->size);
}

void
sluice_txq_reset(struct sluice_txq *txq, const struct sluice_queue_conf *conf)
{
	struct sluice_ring_offsets l = reset_queue(&txq->q, conf, true, txq->avail_shadow);
	unsigned int i;

	txq->dv_extra = (union sluice_tx_extra *)((char *)conf->va + l.extra);
	txq->extra_da.v = conf->da.v + l.extra;
	txq->zero_da.v = conf->da.v + l.zero;
	txq->extra_mask = sluice_ring_nb_extras(conf->size) - 1;
	txq->extra_next = 0;
	/* Longer ago than a ring has slots. */
	for (i = 0; i <= txq->extra_mask; i++)
		txq->extra_user[i] = -(conf->size + 1u);
	reset_tx_cells(txq, conf);
	txq->has_indirect = conf->has_indirect;
	txq->has_ecn = conf->has_ecn;
	txq->hdr_len = sluice_queue_hdr_len(conf->has_hash, conf->has_tunnel);
	txq->has_hash = txq->hdr_len == SLUICE_NET_HDR_HASH_LEN;
	txq->has_own_way = txq->has_hash || sluice_txq_bounces(txq);
	/* With its header a packet may not be longer than the queue (2.7.5.3.1, 2.8.19). */
	txq->nb_segs_max = RTE_MIN(SLUICE_TX_SEGS_MAX, conf->size - 1);
	txq->tx_flags = conf->tx_flags;
	txq->slow_flags = (SLUICE_TX_FLAGS | SLUICE_TX_HAS_OUTER) &
			~(conf->tx_flags & SLUICE_TX_BATCH_FLAGS);
	txq->shape = (struct sluice_tx_shape){ 0 };
	txq->gso = (struct sluice_tx_gso){ 0 };
	sluice_txq_set_few_free(txq, conf->size);
	txq->pool = NULL;
	txq->start = txq->hdr_len != SLUICE_NET_HDR_LEN ? SLUICE_TX_UNBATCHED : SLUICE_TX_BATCHES;
	if (txq->has_hash)
		txq->start = SLUICE_TX_LONG;
	txq->plain_start = SLUICE_TX_BATCHES;
	txq->nb_extra = 0;
	txq->nb_given = 0;
	txq->chain_end = 0;
	txq->nb_slow_slots = 0;
}

void
sluice_queue_retract(struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;

	if (q->ring_type == SLUICE_SPLIT)
		sluice_split_retract(r);
	else
		sluice_packed_retract(r);
	/* Tables that indirect descriptors lead to. */
	if (sluice_queue_is_tx(q))
		memset(((const struct sluice_txq *)q)->dv_extra, 0,
				sluice_ring_nb_extras(r->size) * sizeof(union sluice_tx_extra));
}

uint32_t
sluice_queue_drain(struct sluice_queue *q, struct sluice_mbuf_list *out)
{
	sluice_check_forget(q);
	return sluice_queue_is_tx(q) ? sluice_txq_drain((struct sluice_txq *)q, out) :
				       sluice_rxq_drain((struct sluice_rxq *)q, out);
}

static void
abandon_rxq(struct sluice_rxq *rxq)
{
	rxq->seg_first = NULL;
	rxq->seg_last = NULL;
	rxq->nb_segs_left = 0;
	rxq->nb_in_order_left = 0;
}

static void
abandon_txq(struct sluice_txq *txq)
{
	txq->freed[0].nb = 0;
	txq->freed[1].nb = 0;
	txq->nb_slow_slots = 0;
}

uint32_t
sluice_queue_abandon(struct sluice_queue *q)
{
	struct sluice_ring *r = &q->ring;
	uint32_t nb = sluice_ring_nb_in_flight(r);

	sluice_check_forget(q);
	if (sluice_queue_is_tx(q))
		abandon_txq((struct sluice_txq *)q);
	else
		abandon_rxq((struct sluice_rxq *)q);
	r->tail = r->head;
	r->nb_free = r->size;
	r->nb_holes = 0;
	q->stream.nb_lent = 0;
	return nb;
}
