/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets of any kind into bounce buffers, one by one: what sluice_copy_out_run() does not take.
 * Several segments, or a length that takes several slots; clones, external and shared buffers,
 * other pools; and packets that ask for something, whose headers are written into the copy, so that
 * the application's are never changed. And the packets of queues that bounce (isolation=sealed with
 * bounce=1): their mbufs are kept until they are done, as those of other slow packets.
 */

#include "sluice_mbuf_list.h"
#include "sluice_copy_out.h"
#include "sluice_tx_slots.h"

#ifndef __AVX__
void
sluice_copy_any(char *to, const char *from, uint32_t len)
{
#ifdef RTE_ARCH_X86
	const uint32_t most = 2 * SLUICE_COPY_HALF;

	/* Header and data of a short packet, as two blocks that overlap: libc takes longer. */
	if (likely(len - most <= most)) {
		sluice_copy_short(to, from, most);
		sluice_copy_short(to + len - most, from + len - most, most);
		return;
	}
#endif
	memcpy(to, from, len);
}
#endif

/* A packet on its way into slots from head on, whose buffers are filled one after the other. */
struct stream {
	const struct sluice_txq *txq;
	uint32_t slot;   /* that is being filled */
	uint32_t filled; /* bytes in it */
};

/* Bytes of a bounce buffer: a packet's first one begins with the net header. */
static uint32_t
cell_len(const struct sluice_txq *txq)
{
	return txq->cells.room + SLUICE_NET_HDR_LEN;
}

static void
append(struct stream *s, const char *from, uint32_t len)
{
	uint32_t n;

	for (; len != 0; len -= n, from += n, s->filled += n) {
		if (s->filled == cell_len(s->txq)) {
			s->slot = sluice_ring_next(&s->txq->q.ring, s->slot, 1);
			s->filled = 0;
		}
		n = RTE_MIN(len, cell_len(s->txq) - s->filled);
		sluice_copy_any(sluice_cell(&s->txq->cells, s->slot) + s->filled, from, n);
	}
}

/*
 * Bytes of a packet that is sent, net header included. False: it has more segments than packets may
 * have.
 */
static bool
measure(const struct rte_mbuf *m, bool asks, uint32_t *len)
{
	const struct rte_mbuf *seg;
	unsigned int nb = 0;

	*len = SLUICE_NET_HDR_LEN;
	for (seg = m; seg != NULL; seg = seg->next, nb++) {
		if (nb == SLUICE_TX_SEGS_MAX)
			return false;
		*len += seg->data_len;
	}
	if (asks && (m->ol_flags & RTE_MBUF_F_TX_VLAN))
		*len += sizeof(struct rte_vlan_hdr);
	return true;
}

/* All of it, into the buffers of slots from slot on. */
static __rte_cold void
copy_packet(struct sluice_txq *txq, uint32_t slot, const struct rte_mbuf *m, bool asks)
{
	struct stream s = { .txq = txq, .slot = slot, .filled = SLUICE_NET_HDR_LEN };
	char *dv_hdr = sluice_cell(&txq->cells, slot);
	const struct rte_mbuf *seg;
	uint32_t nb_copied = 0;

	/* The longest headers fit the first buffer (SLUICE_TX_CELL_MIN). */
	if (asks)
		s.filled = sluice_tx_copy_headers(txq, m, dv_hdr, &nb_copied);
	else
		sluice_tx_clear_header(dv_hdr);
	for (seg = m; seg != NULL; seg = seg->next, nb_copied = 0)
		append(&s, rte_pktmbuf_mtod_offset(seg, const char *, nb_copied),
				seg->data_len - nb_copied);
}

static __rte_cold void
write_descs(struct sluice_txq *txq, struct sluice_tx_burst *b, uint32_t len, uint16_t nb,
		enum sluice_ring_type ring_type)
{
	struct sluice_tx_slots s = sluice_tx_slots(txq, b, ring_type);
	const size_t head = s.slot;
	uint32_t n;
	uint16_t i;

	for (i = 1; i <= nb; i++, len -= n) {
		n = RTE_MIN(len, cell_len(txq));
		s.slot_kind[s.slot] = i == 1 ? nb - 1 : SLUICE_TX_MIDDLE;
		sluice_tx_write_desc(&s, head, sluice_cell_da(&txq->cells, s.slot), n,
				i < nb ? SLUICE_DESC_F_NEXT : 0, s.slot == s.head, ring_type);
		sluice_tx_next_slot(&s);
	}
	sluice_tx_end_slots(&s, b, 1, nb, nb, nb > 1 ? SLUICE_DESC_F_NEXT : 0);
	if (nb > 1) {
		b->chain_end = b->nb_slots;
		txq->nb_chained++;
	}
}

void
sluice_copy_forget(struct sluice_txq *txq, uint16_t slot, uint16_t nb)
{
	for (; nb != 0; nb--, slot = sluice_ring_next(&txq->q.ring, slot, 1)) {
		/* Data were where the next packet's net header is to be. */
		if (txq->slot_kind[slot] == SLUICE_TX_MIDDLE)
			sluice_tx_clear_header(sluice_cell(&txq->cells, slot));
		txq->slot_kind[slot] = 0;
		txq->q.sw_ring[slot] = sluice_copy_mark(txq);
	}
}

/*
 * One packet, given or dropped. False: there is no room for it now. keeps: its mbufs wait in the
 * ring.
 */
static __rte_always_inline bool
give(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		enum sluice_ring_type ring_type, const bool keeps)
{
	const uint16_t head = b->slot;
	const bool asks = sluice_tx_asks(m);
	struct sluice_ring *r = &txq->q.ring;
	enum sluice_tx_fault fault;
	uint32_t len, nb;

	if (!measure(m, asks, &len))
		return sluice_tx_drop(txq, m, &txq->nb_oversize);
	fault = unlikely(asks) ? sluice_tx_find_fault(txq, m) : SLUICE_TX_FINE;
	if (fault != SLUICE_TX_FINE)
		return sluice_tx_drop(txq, m, &txq->nb_faults[fault]);
	nb = (len + cell_len(txq) - 1) / cell_len(txq);
	if (nb > r->size)
		return sluice_tx_drop(txq, m, &txq->nb_oversize);
	if (nb > (uint32_t)(r->nb_free - b->nb_slots))
		return false;
	copy_packet(txq, head, m, asks);
	if (ring_type == SLUICE_SPLIT)
		sluice_split_make_available(r, b->nb_bufs, head);
	write_descs(txq, b, len, nb, ring_type);
	txq->q.stats.bytes += len - SLUICE_NET_HDR_LEN;
	if (keeps) {
		txq->slot_kind[head] |= SLUICE_TX_SLOW;
		txq->q.sw_ring[head] = m;
		txq->nb_slow_slots += nb;
		txq->nb_bounced++;
	} else {
		sluice_mbuf_free(m);
	}
	return true;
}

__rte_cold bool
sluice_copy_give_unreached(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		enum sluice_ring_type ring_type)
{
	return give(txq, m, b, ring_type, true);
}

/* Its buffers are external ones, whatever the application says in flags that it overwrites. */
static bool
may_be_sealed(const struct rte_mbuf *m)
{
	return RTE_MBUF_HAS_EXTBUF(m) ||
			(rte_pktmbuf_priv_flags(m->pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0;
}

/* From the first on, as many as may be in a sealed pool. */
static uint16_t
count_sealed(struct rte_mbuf *const *pkts, uint16_t nb)
{
	uint16_t n;

	for (n = 0; n < nb && may_be_sealed(pkts[n]); n++)
		;
	return n;
}

__rte_cold uint16_t
sluice_copy_give_foreign(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type)
{
	uint16_t n, nb_run, nb_given;

	for (n = 0; n < nb; n += nb_run) {
		nb_run = count_sealed(&pkts[n], nb - n);
		if (nb_run != 0) {
			nb_given = ring_type == SLUICE_SPLIT ?
					sluice_tx_give_slow_split_offloads(
							txq, &pkts[n], nb_run, b) :
					sluice_tx_give_slow_packed_offloads(
							txq, &pkts[n], nb_run, b);
			if (nb_given != nb_run)
				return n + nb_given;
			continue;
		}
		txq->left = &txq->nb_ring_full;
		if (!give(txq, pkts[n], b, ring_type, true))
			break;
		nb_run = 1;
	}
	return n;
}

__rte_cold uint16_t
sluice_copy_give_slow(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type)
{
	uint16_t n;

	txq->left = &txq->nb_ring_full;
	for (n = 0; n < nb; n++)
		if (!give(txq, pkts[n], b, ring_type, false))
			break;
	return n;
}
