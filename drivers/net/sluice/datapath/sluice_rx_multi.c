/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets of several buffers, behind the first: the last of them one by one, and those in between,
 * which a device fills, in a loop of their own.
 */

#include "sluice_mbuf_list.h"
#include "sluice_rx.h"

/* What is in the mbufs of a packet's buffers behind the first. */
struct following {
	uint64_t rearm;
	uint64_t ol_flags;
};

static __rte_always_inline struct following
following(const struct sluice_rxq *rxq)
{
	RTE_BUILD_BUG_ON(offsetof(struct rte_mbuf, data_off) !=
			offsetof(struct rte_mbuf, rearm_data));
	return (struct following){
		/*
		 * No header: data start where the device was told to write (5.1.6.4). The lowest
		 * 16 bits are data_off, which is not less than the header. (Stored by halves and
		 * loaded whole it would wait for the stores.)
		 */
		.rearm = rxq->rearm - rxq->hdr_len,
		/* That is said of a packet, with its first buffer. */
		.ol_flags = rxq->ol_flags & ~RTE_MBUF_F_RX_IP_CKSUM_MASK,
	};
}

/* A length, or a number of buffers, that cannot be: the mbuf goes back to its pool. */
static struct rte_mbuf *
refuse(struct sluice_rxq *rxq, struct rte_mbuf *m, enum sluice_fail why)
{
	sluice_pool_put(rxq->pool, (void **)&m, 1);
	sluice_queue_break(&rxq->q, why);
	return NULL;
}

struct rte_mbuf *
sluice_rx_add(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len)
{
	const struct following f = following(rxq);
	struct rte_mbuf *first = rxq->seg_first;

	if (len == 0 || len > rxq->post_len)
		return refuse(rxq, m, SLUICE_FAIL_BAD_LEN);
	if (first->pkt_len + len > SLUICE_RX_MAX_FRAME)
		return refuse(rxq, m, SLUICE_FAIL_NUM_BUFFERS);
	sluice_rx_fill_as(m, len, f.rearm, f.ol_flags);
	rxq->seg_last->next = m;
	rxq->seg_last = m;
	first->nb_segs++;
	first->pkt_len += len;
	if (--rxq->nb_segs_left != 0)
		return NULL;
	rxq->seg_first = NULL;
	rxq->seg_last = NULL;
	rxq->nb_multi++;
	sluice_rxq_expect(rxq);
	if (likely(rxq->may_scatter))
		return first;
	/* An application that did not ask for chains may take the first segment for the packet. */
	sluice_mbuf_free(first);
	rxq->nb_scattered++;
	rxq->q.stats.errors++;
	return NULL;
}

/* Is the next used entry that of this slot? Without holes the ring's position is the slot. */
static __rte_always_inline bool
is_next(const struct sluice_ring *r, uint32_t slot, uint32_t len, const struct sluice_path_cfg cfg)
{
	uint32_t used_id, used_len;

	if (cfg.ring_type == SLUICE_SPLIT)
		sluice_split_look(r, slot, &used_id, &used_len);
	else if (sluice_packed_slot_is_used(r, slot, r->used_wrap))
		sluice_packed_look(r, slot, &used_id, &used_len);
	else
		return false;
	return used_id == slot && used_len == len;
}

static __rte_always_inline uint16_t
add_full(struct sluice_rxq *rxq, uint16_t nb, const struct sluice_path_cfg cfg)
{
	const struct following f = following(rxq);
	struct sluice_ring *r = &rxq->q.ring;
	struct rte_mbuf *first = rxq->seg_first, *last = rxq->seg_last;
	struct rte_mbuf **sw = rxq->q.sw_ring;
	const uint32_t len = rxq->post_len, begin = r->tail;
	uint32_t slot, n, most = (SLUICE_RX_MAX_FRAME - first->pkt_len) / len;

	most = RTE_MIN(most, RTE_MIN((uint32_t)nb, r->size - begin));
	most = RTE_MIN(most, rxq->nb_segs_left - 1U);
	for (slot = begin; slot < begin + most && is_next(r, slot, len, cfg); slot++) {
		last->next = sw[slot];
		last = sw[slot];
		if (cfg.is_copy)
			sluice_copy_in(rxq, slot, last, len);
		sluice_rx_fill_as(last, len, f.rearm, f.ol_flags);
	}
	n = slot - begin;
	first->nb_segs += n;
	first->pkt_len += n * len;
	rxq->seg_last = last;
	rxq->nb_segs_left -= n;
	sluice_rx_skip(r, n, cfg);
	return n;
}

uint16_t
sluice_rx_add_full(struct sluice_rxq *rxq, uint16_t nb)
{
	if (rxq->q.ring.nb_holes != 0 || rxq->nb_in_order_left != 0)
		return 0;
	if (sluice_cells_are_used(&rxq->cells))
		return add_full(rxq, nb,
				(struct sluice_path_cfg){
						.ring_type = rxq->q.ring_type, .is_copy = true });
	if (rxq->q.ring_type == SLUICE_SPLIT)
		return add_full(rxq, nb, (struct sluice_path_cfg){ .ring_type = SLUICE_SPLIT });
	return add_full(rxq, nb, (struct sluice_path_cfg){ .ring_type = SLUICE_PACKED });
}
