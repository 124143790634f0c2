/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What dma_debug=1 looks at in a ring and its buffers; see sluice_check.h. */

#include <string.h>

#include "sluice_check.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

/* A packet has so many segments at most. */
#define SEGS_MAX (SLUICE_TX_SEGS_MAX + 1)

static const void *
desc_at(const struct sluice_queue *q, uint16_t slot)
{
	return q->ring_type == SLUICE_SPLIT ? (const void *)&q->ring.split.dv_desc[slot] :
					      (const void *)&q->ring.packed.dv_desc[slot];
}

static struct dmap_debug_loan
tx_loan(const struct sluice_check *c, const struct rte_mbuf *seg, uint16_t slot, const void *site)
{
	struct dmap_debug_loan loan = { .va = rte_pktmbuf_mtod(seg, const void *),
		.len = seg->data_len,
		.dir = DMAP_TO_DEVICE,
		.is_stale = &c->is_stale,
		.place = c->place,
		.slot = slot,
		.site = site };

	dmap_debug_set_mbuf(&loan, seg);
	return loan;
}

/* Loans of the nb segments of a packet, linked; returns the first. */
static uint32_t
lend_segments(const struct sluice_check *c, const struct rte_mbuf **segs, uint16_t nb,
		uint16_t slot, const void *site)
{
	struct dmap_debug_loan loan;
	uint32_t first = 0;

	while (nb-- != 0) {
		if (segs[nb]->data_len == 0)
			continue;
		loan = tx_loan(c, segs[nb], slot, site);
		dmap_debug_check_buffer(c->domain, &loan);
		dmap_debug_check_place(c->domain, &loan);
		loan.sum = dmap_debug_sum(&loan);
		loan.more = first;
		first = dmap_debug_lent(c->domain, &loan);
		if (first == 0)
			first = loan.more;
	}
	return first;
}

/* Does the device have a copy of what starts there? */
static bool
is_bounced(const struct sluice_txq *txq, uint16_t slot)
{
	uint64_t da; /* the first field of descriptors of either ring type */

	memcpy(&da, desc_at(&txq->q, slot), sizeof(da));
	return sluice_txq_bounces(txq) && da == sluice_cell_da(&txq->cells, slot).v;
}

/* The packet that starts at a slot; returns how many slots it has. */
static uint16_t
lend_packet(struct sluice_check *c, const struct sluice_txq *txq, uint16_t slot, const void *site)
{
	const struct sluice_ring *r = &txq->q.ring;
	uint16_t slot_kind = txq->slot_kind[slot], nb = 0, nb_slots = sluice_tx_slots_of(txq, slot);
	const struct rte_mbuf *segs[SEGS_MAX], *seg = txq->q.sw_ring[slot];

	if (c->is_copy || seg == NULL || is_bounced(txq, slot))
		return nb_slots;
	if (slot_kind & SLUICE_TX_SLOW)
		for (; seg != NULL && nb < SEGS_MAX; seg = seg->next)
			segs[nb++] = seg;
	else
		for (; nb < nb_slots && nb < SEGS_MAX; nb++)
			segs[nb] = txq->q.sw_ring[sluice_ring_next(r, slot, nb)];
	c->slots[slot].loan = lend_segments(c, segs, nb, slot, site);
	return nb_slots;
}

/* A buffer that may be filled, and what is in it. */
static void
lend_buffer(struct sluice_check *c, const struct sluice_rxq *rxq, uint16_t slot, const void *site)
{
	const struct rte_mbuf *m = rxq->q.sw_ring[slot];
	struct dmap_debug_loan loan = { .m = m,
		.len = rxq->post_len,
		.dir = DMAP_FROM_DEVICE,
		.is_stale = &c->is_stale,
		.place = c->place,
		.slot = slot,
		.site = site };

	if (c->is_copy || m == NULL)
		return;
	dmap_debug_set_mbuf(&loan, m);
	loan.va = (const char *)m->buf_addr + rxq->hdr_off;
	dmap_debug_check_buffer(c->domain, &loan);
	dmap_debug_check_place(c->domain, &loan);
	memcpy(c->before + (size_t)slot * c->buf_len, m->buf_addr, RTE_MIN(m->buf_len, c->buf_len));
	c->slots[slot].loan = dmap_debug_lent(c->domain, &loan);
}

void
sluice_check_take_back(struct sluice_check *c, uint16_t slot)
{
	uint32_t loan = c->slots[slot].loan, more;

	if (loan != 0)
		c->slots[slot].last = *dmap_debug_loan(loan);
	for (; loan != 0; loan = more) {
		more = dmap_debug_loan(loan)->more;
		dmap_debug_returned(loan);
	}
	c->slots[slot].loan = 0;
}

/* Slots from one on that were given. */
static void
note_given(struct sluice_check *c, const struct sluice_queue *q, uint16_t slot, uint16_t nb,
		const void *site)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t i, n;

	for (i = 0; i < nb; i++) {
		struct sluice_check_slot *s = &c->slots[sluice_ring_next(r, slot, i)];

		memcpy(s->desc, desc_at(q, s - c->slots), sizeof(s->desc));
		s->was_given = true;
	}
	for (i = 0; i < nb; i += n) {
		uint16_t at = sluice_ring_next(r, slot, i);

		n = 1;
		if (sluice_queue_is_tx(q))
			n = lend_packet(c, (const struct sluice_txq *)q, at, site);
		else
			lend_buffer(c, (const struct sluice_rxq *)q, at, site);
	}
}

/* Completed before older ones: their mbufs are not the device's any more, their slots are. */
static void
note_holes(struct sluice_check *c, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t i, slot;

	for (i = 0; i < sluice_ring_nb_in_flight(r) && r->nb_holes != 0; i++) {
		slot = sluice_ring_next(r, r->tail, i);
		if (q->sw_ring[slot] == NULL)
			sluice_check_take_back(c, slot);
	}
}

static uint32_t
nb_moved(const struct sluice_queue *q)
{
	return sluice_queue_is_tx(q) ? ((const struct sluice_txq *)q)->nb_given :
				       (uint32_t)q->stats.packets;
}

void
sluice_check_remember(struct sluice_check *c, const struct sluice_queue *q)
{
	c->head = q->ring.head;
	c->tail = q->ring.tail;
	c->nb_free = q->ring.nb_free;
	c->used_idx = q->ring.used_idx;
	c->used_wrap = q->ring.used_wrap;
	c->nb_moved = nb_moved(q);
}

bool
sluice_check_has_moved(const struct sluice_check *c, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;

	return c->domain != NULL &&
			(c->head != r->head || c->tail != r->tail || c->nb_free != r->nb_free ||
					c->nb_moved != nb_moved(q) || c->is_stale);
}

static void
take_all_back(struct sluice_check *c)
{
	uint16_t i;

	for (i = 0; i < c->size; i++)
		sluice_check_take_back(c, i);
}

void
sluice_check_drop(struct sluice_check *c, const struct sluice_queue *q)
{
	take_all_back(c);
	sluice_check_remember(c, q);
	c->tail = c->head;
	c->nb_free = c->size;
}

/* The oldest slots that became free since. What a burst frees was in flight before it. */
static uint16_t
nb_freed(const struct sluice_check *c, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t nb_in_flight = c->size - c->nb_free, nb = sluice_ring_distance(r, c->tail);

	if (sluice_queue_is_tx(q))
		return nb_in_flight + (nb_moved(q) - c->nb_moved) - sluice_ring_nb_in_flight(r);
	nb = nb == 0 ? 0 : c->size - nb;
	/* None, or all of a full ring: one that is behind the oldest would be a hole. */
	if (nb == 0 && nb_in_flight == c->size && r->nb_holes == 0 &&
			(r->used_idx != c->used_idx || r->used_wrap != c->used_wrap))
		nb = c->size;
	return nb;
}

/*
 * Of a packet that the device has: nobody completes it before the queue is looked at again. Not of
 * receive buffers, which the control side may change for others; who has freed one of them shows
 * when it is given again.
 */
static void
watch(const struct sluice_check *c, uint16_t slot)
{
	uint32_t loan = c->slots[slot].loan;

	for (; loan != 0; loan = dmap_debug_loan(loan)->more)
		dmap_debug_watch(loan);
}

void
sluice_check_watch(const struct sluice_check *c, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t i;

	if (c->domain == NULL || !sluice_queue_is_tx(q))
		return;
	for (i = 0; i < sluice_ring_nb_in_flight(r); i++)
		watch(c, sluice_ring_next(r, r->tail, i));
}

void
sluice_check_unwatch(const struct sluice_check *c, uint16_t slot)
{
	uint32_t loan = c->slots[slot].loan;

	for (; loan != 0; loan = dmap_debug_loan(loan)->more)
		dmap_debug_unwatch(c->domain, loan);
}

void
sluice_check_note(struct sluice_check *c, struct sluice_queue *q, const void *site)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t nb_kept, nb, i;

	if (c->domain == NULL)
		return;
	nb = nb_freed(c, q);
	nb_kept = c->size - c->nb_free - nb;
	for (i = 0; i < nb; i++)
		sluice_check_take_back(c, sluice_ring_next(r, c->tail, i));
	note_holes(c, q);
	rte_atomic_store_explicit(&c->is_stale, 0, rte_memory_order_release);
	note_given(c, q, c->head, sluice_ring_nb_in_flight(r) - nb_kept, site);
	sluice_check_remember(c, q);
	if (q->fail != SLUICE_FAIL_NONE)
		sluice_check_failed(c, q);
}

void
sluice_check_catch_up(struct sluice_check *c, struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;

	if (!sluice_check_has_moved(c, q))
		return;
	take_all_back(c);
	rte_atomic_store_explicit(&c->is_stale, 0, rte_memory_order_release);
	note_given(c, q, r->tail, sluice_ring_nb_in_flight(r), NULL);
	sluice_check_remember(c, q);
}

/*
 * Is it as the driver wrote it? Of a packed ring the device writes id and length of those that it
 * has used, and then their flags, so while it does only the address says something.
 */
static bool
is_as_written(const struct sluice_check *c, const struct sluice_queue *q, uint16_t slot)
{
	struct sluice_packed_desc now, then;

	memcpy(&now, desc_at(q, slot), sizeof(now));
	memcpy(&then, c->slots[slot].desc, sizeof(then));
	if (q->ring_type == SLUICE_PACKED)
		return now.flags != then.flags || now.addr == then.addr;
	return memcmp(&now, &then, sizeof(now)) == 0;
}

/* Of a packet that is being sent. */
static void
look_at_bytes(const struct sluice_check *c, uint16_t slot)
{
	const struct dmap_debug_loan *loan = dmap_debug_loan(c->slots[slot].loan);

	for (; loan != NULL; loan = dmap_debug_loan(loan->more))
		if (!loan->is_gone && dmap_debug_sum(loan) != loan->sum)
			dmap_debug_report(c->domain, DMAP_DEBUG_WRITTEN, loan,
					"the packet is not as it was given");
}

void
sluice_check_look(struct sluice_check *c, const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t i, slot;

	if (c->domain == NULL)
		return;
	for (i = 0; i < sluice_ring_nb_in_flight(r); i++) {
		slot = sluice_ring_next(r, r->tail, i);
		if (!is_as_written(c, q, slot))
			dmap_debug_report(c->domain, DMAP_DEBUG_RING_CHANGED,
					dmap_debug_loan(c->slots[slot].loan),
					"descriptor of %s slot %u", c->place, slot);
		if (sluice_queue_is_tx(q))
			sluice_check_unwatch(c, slot);
	}
	/* A wrong packet may have bytes of its neighbours, so not before all are as they were. */
	for (i = 0; i < sluice_ring_nb_in_flight(r) && sluice_queue_is_tx(q); i++)
		look_at_bytes(c, sluice_ring_next(r, r->tail, i));
	if (q->ring_type == SLUICE_SPLIT &&
			rte_atomic_load_explicit(&r->split.dv_avail->idx,
					rte_memory_order_relaxed) != r->avail_idx)
		dmap_debug_report(c->domain, DMAP_DEBUG_RING_CHANGED, NULL, "available index of %s",
				c->place);
}

/* Bytes [from, to) of a buffer. */
static void
compare(const struct sluice_check *c, const struct dmap_debug_loan *loan, uint32_t from,
		uint32_t to, enum dmap_debug_check what)
{
	const char *now = loan->m->buf_addr, *then = c->before + (size_t)loan->slot * c->buf_len;
	uint32_t at;

	if (from >= to || memcmp(now + from, then + from, to - from) == 0)
		return;
	for (at = from; now[at] == then[at];)
		at++;
	dmap_debug_report(c->domain, what, loan, "byte %u of the mbuf's buffer", at);
}

static void
look_at_segment(struct sluice_check *c, const struct sluice_rxq *rxq, const struct rte_mbuf *m)
{
	uint32_t number = dmap_debug_find(c->domain, m, c->place);
	const struct dmap_debug_loan *loan = dmap_debug_loan(number);
	uint32_t begin, end, all = RTE_MIN(m->buf_len, c->buf_len);

	if (loan == NULL)
		return;
	begin = (uintptr_t)loan->va - (uintptr_t)m->buf_addr;
	end = RTE_MIN(begin + rxq->post_len, all);
	compare(c, loan, 0, begin, DMAP_DEBUG_HEADROOM);
	compare(c, loan, m->data_off + m->data_len, end, DMAP_DEBUG_BEYOND_USED);
	compare(c, loan, end, all, DMAP_DEBUG_BEYOND_END);
	sluice_check_take_back(c, loan->slot);
}

void
sluice_check_received(struct sluice_check *c, const struct sluice_rxq *rxq, struct rte_mbuf **pkts,
		uint16_t nb)
{
	const struct rte_mbuf *seg;
	uint16_t i;

	for (i = 0; i < nb && c->domain != NULL && !c->is_copy; i++)
		for (seg = pkts[i]; seg != NULL; seg = seg->next)
			look_at_segment(c, rxq, seg);
}

void
sluice_check_given_free(struct sluice_check *c, const struct rte_mbuf *m)
{
	uint32_t number = 0;

	if (m != NULL && c->domain != NULL)
		number = dmap_debug_find(c->domain, m, c->place);
	if (number != 0)
		dmap_debug_report(c->domain, DMAP_DEBUG_FREE_GIVEN, dmap_debug_loan(number),
				"this core has put it into its pool before");
}

/* Whose completion ended the queue: its id is in the entry that was looked at last. */
static uint32_t
last_id(const struct sluice_queue *q)
{
	const struct sluice_ring *r = &q->ring;
	uint16_t at;

	/* Which has none within a batch; a buffer whose length cannot be was taken all the same. */
	if (r->is_in_order && q->fail == SLUICE_FAIL_BAD_LEN)
		return sluice_ring_next(r, r->tail, r->size - 1);
	if (q->ring_type == SLUICE_SPLIT)
		return r->split.dv_used->ring[(uint16_t)(r->used_idx - 1) & r->mask].id;
	/* A receive queue has moved on, a transmit queue has not. */
	at = sluice_queue_is_tx(q) ? r->used_idx : sluice_ring_next(r, r->used_idx, r->size - 1);
	return sluice_packed_slot_id(r, at);
}

/* What the device has there, or returned last; NULL: nothing that is known. */
static const struct dmap_debug_loan *
given_at(const struct sluice_check *c, uint32_t id)
{
	if (id >= c->size)
		return NULL;
	if (c->slots[id].loan != 0)
		return dmap_debug_loan(c->slots[id].loan);
	return c->slots[id].last.place != NULL ? &c->slots[id].last : NULL;
}

/* Did a buffer start there? Those within a chain have no name. */
static bool
was_given(const struct sluice_check *c, const struct sluice_queue *q, uint32_t id)
{
	return id < c->size && c->slots[id].was_given &&
			!(sluice_queue_is_tx(q) &&
					((const struct sluice_txq *)q)->slot_kind[id] ==
							SLUICE_TX_MIDDLE);
}

void
sluice_check_failed(struct sluice_check *c, const struct sluice_queue *q)
{
	enum dmap_debug_check what = DMAP_DEBUG_BAD_COMPLETION;
	uint32_t id;

	if (c->domain == NULL || c->was_failure_told)
		return;
	c->was_failure_told = true;
	if (q->fail == SLUICE_FAIL_USED_IDX) {
		dmap_debug_report(c->domain, what, NULL, "%s, more buffers than the device has",
				c->place);
	} else if (q->fail == SLUICE_FAIL_BAD_ID || q->fail == SLUICE_FAIL_BAD_LEN) {
		id = last_id(q);
		if (q->fail == SLUICE_FAIL_BAD_LEN)
			what = DMAP_DEBUG_BAD_LENGTH;
		else if (was_given(c, q, id))
			what = DMAP_DEBUG_DOUBLE_COMPLETION;
		dmap_debug_report(c->domain, what, given_at(c, id), "%s slot %u", c->place, id);
	}
}
