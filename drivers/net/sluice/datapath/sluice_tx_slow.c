/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The long way of transmitting: packets of several segments, shared or external buffers, no
 * headroom, other pools; and those that ask for something. See sluice_tx.h, sluice_tx_offload.h.
 *
 * As long as the ring is not short of slots, a packet of plain segments, or of one segment, takes a
 * slot for each part, which is the fastest. Any other takes one slot if it fits one descriptor or
 * an indirect table.
 */

#include "sluice_mbuf_list.h"
#include "sluice_tx_chain.h"
#include "sluice_tx_single.h"

/* A part for each segment, and one for the header. */
#define TX_PARTS_MAX (SLUICE_TX_SEGS_MAX + 1)

/* Parts of one packet on their way into descriptors. */
struct part {
	struct dmap_addr da;
	uint32_t len;
};

/* The extra that comes next. */
static inline union sluice_tx_extra *
next_extra(const struct sluice_txq *txq)
{
	return &txq->dv_extra[txq->extra_next];
}

/* Where the device finds what begins at byte offset of it. */
static inline struct dmap_addr
next_extra_da(const struct sluice_txq *txq, size_t offset)
{
	return (struct dmap_addr){ txq->extra_da.v +
		txq->extra_next * sizeof(union sluice_tx_extra) + offset };
}

/*
 * Is the packet that had it last complete? number is that of the next slot, and nb_free are free
 * from it on. Slots become free in their order, so all that are not lie just before it.
 */
static inline bool
has_next_extra(const struct sluice_txq *txq, uint32_t number, uint16_t nb_free)
{
	uint32_t nb_since = number - txq->extra_user[txq->extra_next];

	return nb_since > (uint32_t)(txq->q.ring.size - nb_free);
}

/* It is that of the packet whose first slot has this number. */
static inline void
take_extra(struct sluice_txq *txq, uint32_t number)
{
	txq->extra_user[txq->extra_next] = number;
	txq->extra_next = (txq->extra_next + 1) & txq->extra_mask;
}

/*
 * The header that takes a part of its own, of a packet whose first buffer is not ours (is_ours) or
 * has no room: the one that packets share, or one with content in the next extra, behind which
 * headers may be copied. nb_copied: these, of the first segment, are not sent again.
 */
static struct part
put_header_elsewhere(struct sluice_txq *txq, const struct rte_mbuf *m, bool is_ours,
		uint32_t *nb_copied, const bool asks)
{
	struct part p = { txq->zero_da, txq->hdr_len };

	if (!asks)
		return p;
	p.da = next_extra_da(txq, offsetof(union sluice_tx_extra, headers));
	if (is_ours)
		sluice_tx_put_header(txq, m, next_extra(txq)->headers);
	else
		p.len = sluice_tx_copy_headers(txq, m, next_extra(txq)->headers, nb_copied);
	return p;
}

/*
 * A packet's header and data as parts: the header in front of the first segment's data if it can be
 * there, and changed in place, with asks. Empty segments are left out: a descriptor of length zero
 * is not allowed. False: some memory is out of the device's reach, or there are more segments than
 * nb_segs says.
 */
static __rte_always_inline bool
collect(struct sluice_txq *txq, struct rte_mbuf *m, struct part *parts, uint16_t *nb,
		const bool asks)
{
	const bool is_ours = asks ? sluice_tx_edit(txq, m) : sluice_tx_is_ours(m);
	uint32_t before = 0, nb_copied = 0;
	char *from, *hdr = NULL;
	struct rte_mbuf *seg;

	*nb = 0;
	if (!is_ours || m->data_off < txq->hdr_len) {
		parts[(*nb)++] = put_header_elsewhere(txq, m, is_ours, &nb_copied, asks);
	} else {
		before = txq->hdr_len;
		hdr = asks ? NULL : rte_pktmbuf_mtod(m, char *) - before;
	}
	for (seg = m; seg != NULL; seg = seg->next, before = nb_copied = 0) {
		uint32_t len = seg->data_len + before - nb_copied;

		if (len == 0)
			continue;
		if (unlikely(*nb == TX_PARTS_MAX))
			return false;
		from = rte_pktmbuf_mtod(seg, char *) - before + nb_copied;
		if (!dmap_lend(&txq->q.stream, seg, from, len, &parts[*nb].da) ||
				!dmap_knows(&txq->q.stream, seg))
			return false;
		parts[(*nb)++].len = len;
	}
	/* Behind the look-up: only memory that the device reaches is written. */
	if (hdr != NULL) {
		sluice_tx_clear_header(hdr);
		sluice_tx_clear_hash(hdr, txq->hdr_len);
	}
	return true;
}

/* The parts in an indirect table, one slot (2.7.5.3, 2.8.7). Returns its flags. */
static __rte_always_inline uint16_t
give_indirect(struct sluice_txq *txq, struct sluice_tx_slots *s, const struct part *parts,
		uint16_t nb, enum sluice_ring_type ring_type)
{
	union sluice_tx_extra *dv_extra = next_extra(txq);
	const size_t len = nb * sizeof(struct sluice_split_desc);
	uint16_t i;

	for (i = 0; i < nb; i++) {
		if (ring_type == SLUICE_SPLIT)
			sluice_split_desc_write(&dv_extra->split[i], parts[i].da, parts[i].len,
					i + 1 < nb ? SLUICE_DESC_F_NEXT : 0,
					i + 1 < nb ? i + 1 : 0);
		else
			dv_extra->packed[i] = (struct sluice_packed_desc){ .addr = parts[i].da.v,
				.len = parts[i].len };
	}
	sluice_tx_write_desc(s, s->slot, next_extra_da(txq, offsetof(union sluice_tx_extra, split)),
			len, SLUICE_DESC_F_INDIRECT, s->slot == s->head, ring_type);
	sluice_tx_next_slot(s);
	txq->nb_indirect++;
	return SLUICE_DESC_F_INDIRECT;
}

/* The parts in slots of their own. The same. */
static __rte_always_inline uint16_t
give_chain(struct sluice_txq *txq, struct sluice_tx_slots *s, const struct part *parts, uint16_t nb,
		enum sluice_ring_type ring_type)
{
	const size_t head = s->slot;
	uint16_t i;

	for (i = 0; i < nb; i++) {
		s->slot_kind[s->slot] = SLUICE_TX_MIDDLE; /* but that of the first */
		sluice_tx_write_desc(s, head, parts[i].da, parts[i].len,
				i + 1 < nb ? SLUICE_DESC_F_NEXT : 0, s->slot == s->head, ring_type);
		sluice_tx_next_slot(s);
	}
	txq->nb_chained += nb > 1;
	return nb > 1 ? SLUICE_DESC_F_NEXT : 0;
}

bool
sluice_tx_drop(struct sluice_txq *txq, struct rte_mbuf *m, uint64_t *counter)
{
	sluice_mbuf_free(m);
	(*counter)++;
	txq->q.stats.errors++;
	return true;
}

/*
 * Not all of the parts could be collected. What is going to be shown is worth waiting for, by the
 * caller; and not where it can be copied.
 */
static __rte_noinline bool
refuse(struct sluice_txq *txq, struct rte_mbuf *m, uint16_t nb, struct sluice_tx_burst *b,
		enum sluice_ring_type ring_type)
{
	if (sluice_txq_bounces(txq))
		return sluice_copy_give_unreached(txq, m, b, ring_type);
	if (nb == TX_PARTS_MAX || !dmap_may_come(&txq->q.stream))
		return sluice_tx_drop(txq, m, &txq->nb_unmapped);
	txq->left = &txq->nb_waiting;
	return false;
}

/*
 * A packet that is like no other, given or dropped, and counted. False: it stays with the caller,
 * until there is room or the device sees its memory.
 */
static __rte_always_inline bool
give_one(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b,
		const struct sluice_path_cfg cfg)
{
	const bool asks = sluice_tx_asks(m), is_copied = cfg.has_offloads && asks;
	uint16_t nb_free = txq->q.ring.nb_free - b->nb_slots;
	const enum sluice_ring_type ring_type = cfg.ring_type;
	struct part parts[TX_PARTS_MAX];
	const uint32_t number = txq->nb_given + b->nb_slots;
	uint16_t nb, nb_slots, flags, head = b->slot;
	struct sluice_tx_slots s;
	bool has_extra, is_indirect;
	enum sluice_tx_fault fault;

	if (m->nb_segs > txq->nb_segs_max)
		return sluice_tx_drop(txq, m, &txq->nb_oversize);
	fault = unlikely(asks) ? sluice_tx_find_fault(txq, m) : SLUICE_TX_FINE;
	if (fault != SLUICE_TX_FINE)
		return sluice_tx_drop(txq, m, &txq->nb_faults[fault]);
	has_extra = has_next_extra(txq, number, nb_free);
	if (nb_free == 0 || (is_copied && !has_extra))
		return false;
	if (!collect(txq, m, parts, &nb, is_copied))
		return refuse(txq, m, nb, b, ring_type);
	/* More segments than nb_segs says. */
	if (unlikely(nb > txq->q.ring.size))
		return sluice_tx_drop(txq, m, &txq->nb_oversize);
	/* The copy has the place of the table. */
	is_indirect = has_extra && txq->has_indirect && !is_copied && nb > 1 &&
			nb <= SLUICE_INDIRECT_MAX;
	nb_slots = is_indirect ? 1 : nb;
	if (nb_slots > nb_free)
		return false;
	if (ring_type == SLUICE_SPLIT)
		sluice_split_make_available(&txq->q.ring, b->nb_bufs, head);
	s = sluice_tx_slots(txq, b, ring_type);
	s.sw_ring[head] = m;
	txq->nb_slow_slots += nb_slots;
	flags = is_indirect ? give_indirect(txq, &s, parts, nb, ring_type) :
			      give_chain(txq, &s, parts, nb, ring_type);
	sluice_tx_end_slots(&s, b, 1, nb_slots, nb_slots, flags);
	if (is_indirect || is_copied)
		take_extra(txq, number);
	txq->slot_kind[head] = SLUICE_TX_SLOW | (nb_slots - 1);
	txq->q.stats.bytes += m->pkt_len;
	if (cfg.has_offloads && (m->ol_flags & RTE_MBUF_F_TX_VLAN) != 0)
		txq->q.stats.bytes += sizeof(struct rte_vlan_hdr); /* of a copy */
	return true;
}

/* A packet, or packets that follow each other and are alike: see DEFINE_ROW(). */
typedef bool (*give_one_fn)(struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b);
typedef uint16_t (*give_run_fn)(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b);

/*
 * Packets of one segment, or plain ones of several, as many as follow each other; others one by
 * one. Returns how many.
 */
static __rte_always_inline uint16_t
give_all(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b,
		give_one_fn one, give_run_fn chains, const struct sluice_path_cfg cfg)
{
	uint16_t n, nb_run;

	txq->left = &txq->nb_ring_full;
	/* One by itself does without the loop, and what the loop takes. */
	if (nb == 1 && pkts[0]->nb_segs == 1 && sluice_tx_give_singles(txq, pkts, 1, b, cfg) == 1)
		return 1;
	for (n = 0; n < nb; n += nb_run) {
		if (pkts[n]->nb_segs == 1)
			nb_run = sluice_tx_give_singles(txq, &pkts[n], nb - n, b, cfg);
		else
			nb_run = chains(txq, &pkts[n], nb - n, b);
		if (nb_run != 0)
			continue;
		if (!one(txq, pkts[n], b))
			break;
		nb_run = 1;
	}
	return n;
}

/* Some are out of line, or all packets would pay for the registers and the table that they take. */
#define DEFINE_ROW(name, ...) \
	static __rte_cold __rte_noinline bool give_one_##name( \
			struct sluice_txq *txq, struct rte_mbuf *m, struct sluice_tx_burst *b) \
	{ \
		return give_one(txq, m, b, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	} \
	static __rte_noinline uint16_t give_chains_##name(struct sluice_txq *txq, \
			struct rte_mbuf **pkts, uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		return sluice_tx_give_chains( \
				txq, pkts, nb, b, (struct sluice_path_cfg){ __VA_ARGS__ }); \
	} \
	uint16_t sluice_tx_give_slow_##name(struct sluice_txq *txq, struct rte_mbuf **pkts, \
			uint16_t nb, struct sluice_tx_burst *b) \
	{ \
		return give_all(txq, pkts, nb, b, give_one_##name, give_chains_##name, \
				(struct sluice_path_cfg){ __VA_ARGS__ }); \
	}
DEFINE_ROW(split, .ring_type = SLUICE_SPLIT)
DEFINE_ROW(packed, .ring_type = SLUICE_PACKED)
DEFINE_ROW(split_offloads, .ring_type = SLUICE_SPLIT, .has_offloads = true)
DEFINE_ROW(packed_offloads, .ring_type = SLUICE_PACKED, .has_offloads = true)

#define CFG_HASH(which) \
	(struct sluice_path_cfg) \
	{ \
		.ring_type = (which), .has_offloads = true, .is_few = true, .has_hash = true \
	}

uint16_t
sluice_tx_give_own_way(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type)
{
	if (!txq->has_hash)
		return sluice_copy_give_foreign(txq, pkts, nb, b, ring_type);
	if (ring_type == SLUICE_SPLIT)
		return sluice_tx_rest_tmpl(txq, pkts, nb, b, CFG_HASH(SLUICE_SPLIT));
	return sluice_tx_rest_tmpl(txq, pkts, nb, b, CFG_HASH(SLUICE_PACKED));
}
