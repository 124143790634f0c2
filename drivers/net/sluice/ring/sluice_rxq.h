/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A receive queue. */

#ifndef SLUICE_RXQ_H
#define SLUICE_RXQ_H

#include <rte_ether.h>
#include <rte_mempool.h>

#include "sluice_cells.h"
#include "sluice_queue.h"

/*
 * Where the net header of a received packet goes in a buffer. Data start at the headroom's end, and
 * so at a cache line, with the header in the line before. A header that is read starts there
 * itself: then it brings the packet's first bytes along.
 */
static __rte_always_inline uint16_t
sluice_rx_hdr_off(bool is_read)
{
	return is_read ? RTE_PKTMBUF_HEADROOM : RTE_PKTMBUF_HEADROOM - SLUICE_NET_HDR_LEN;
}

/* Shortest used length that is a packet: an Ethernet header behind the net header. */
#define SLUICE_RX_MIN_LEN (SLUICE_NET_HDR_LEN + RTE_ETHER_HDR_LEN)

/*
 * Longest packet, which a device makes that does not segment: what the length in an IPv6 header
 * allows, that header, Ethernet's, and two VLAN tags.
 */
#define SLUICE_RX_MAX_FRAME \
	(UINT16_MAX + 40 + RTE_ETHER_HDR_LEN + 2 * (uint32_t)sizeof(struct rte_vlan_hdr))

/* Above what a header says (sluice_offload_said()): its IPv4 header is checked. */
#define SLUICE_SAID_IPV4 (1ULL << 32)

struct sluice_rx_path;
struct sluice_rx_stage;
struct sluice_rss;
struct sluice_hand;

struct sluice_rxq {
	struct sluice_queue q;
	/* owned by the polling core: a mergeable packet of which buffers are still to come */
	struct rte_mbuf *seg_first;
	struct rte_mbuf *seg_last;
	uint16_t nb_segs_left;
	/* in-order: buffers that one used entry completed, still to be taken */
	uint16_t nb_in_order_left;
	/*
	 * So many lengths, from SLUICE_RX_MIN_LEN on, are of buffers that need no look of
	 * sluice_rx_look(). 0: the next buffer does, whatever its length. In batches of the
	 * instruction set so many from batch_min on. 0 while nb_in_order_left is not.
	 */
	uint32_t nb_plain_lens;
	uint32_t nb_batch_lens;
	int32_t sample;        /* buffers until a header is read that need not be */
	bool must_read_header; /* the device does not fill buffers as the specification demands */
	bool was_zero; /* the last header that was read, and need not have been, said 0 buffers */
	uint16_t nb_unannounced; /* buffers given since the device was asked if it wants a kick */
	uint32_t batch_len;      /* in-order: length of the last of them */
	uint64_t nb_alloc_failed;
	uint64_t nb_runts;
	uint64_t nb_bad_hdr;           /* dropped: headers that cannot be */
	uint64_t nb_bad_gso;           /* dropped: segmentation that was not negotiated */
	uint64_t nb_lro;               /* packets of several segments */
	uint64_t nb_scattered;         /* dropped: several buffers, and nobody asked for them */
	uint64_t nb_multi;             /* packets of more than one buffer */
	uint64_t nb_zero_num_buffers;  /* headers that say 0 buffers, and mean one */
	struct sluice_net_hdr seg_hdr; /* of seg_first, a copy; if headers are read */
	/*
	 * The software stage behind the burst function (sluice_rx_stage.h). turn is odd while the
	 * polling core is inside; rss and hand are atomic, and set by the control side.
	 */
	uint32_t stage_turn;
	const struct sluice_rss *rss; /* what is hashed; NULL: nothing */
	struct sluice_hand *hand;     /* NULL: packets are not spread */
	bool is_spread;
	/* To the application, while packets are spread: stats has what came from the device. */
	struct {
		uint64_t packets;
		uint64_t bytes;
	} delivered;
	uint64_t nb_handed;      /* packets that went to other queues */
	uint64_t nb_spread_full; /* dropped: the queue that they are for has too many already */
	/* constant after setup */
	uint64_t rearm;    /* the eight bytes at rearm_data of a fresh mbuf */
	uint64_t ol_flags; /* of a fresh mbuf: says whether the pool has pinned external buffers */
	uint32_t room;     /* of a buffer, behind the headroom */
	uint32_t buf_off;  /* from an mbuf of the pool to its buffer; 0: each has to be asked */
	uint32_t post_len; /* bytes that the device may write: net header and data room */
	uint16_t free_thresh; /* refill when this many slots are free */
	/*
	 * The header's num_buffers where it says nothing: 1; and which of its bits mean something,
	 * or none. Above it, in the first, SLUICE_SAID_IPV4 of a queue with checks_ipv4: then no
	 * header says nothing.
	 */
	uint32_t num_buffers_plain;
	uint32_t num_buffers_mask;
	uint16_t hdr_off;   /* sluice_rx_hdr_off() */
	uint16_t hdr_len;   /* SLUICE_NET_HDR_LEN, or that with a hash or a tunnel */
	uint32_t min_len;   /* SLUICE_RX_MIN_LEN, with such a header */
	uint32_t batch_min; /* the same in batches that read headers; more for checks_ipv4 */
	bool reads_headers; /* of each packet; set with the ring, as those above */
	bool has_hash;      /* headers have a hash (HASH_REPORT), and are read */
	bool checks_ipv4;   /* fresh mbufs have the flag of a right IPv4 header */
	bool has_more;      /* more is done with each than most queues do */
	uint8_t flags_mask; /* the flags of checksums that mean something in a header */
	/* Of a header's first 16 bytes what batches need not see: then it says something. */
	uint16_t hdr_mask[8];
	uint16_t free_thresh_asked;
	uint16_t nb_desc;    /* asked for by the application */
	bool may_scatter;    /* the application takes packets of several buffers; set at start */
	bool completes_csum; /* partial sums of TCP and UDP, too; set with the ring */
	bool has_lro;        /* TCP packets may be of several segments; set with the ring */
	bool has_ecn;        /* and have ECN bits */
	bool is_foreign;     /* a sealed port does not show the pool (bounce=1) */
	const struct sluice_rx_path *path; /* of the next run, or this; atomic */
	/* What the software stage does, where that is no literal; fields are atomic. */
	const struct sluice_rx_stage *stage;
	uint16_t *avail_shadow;
	struct rte_mempool *pool;
	struct sluice_cells cells; /* one for each slot; set with the ring */
	uint64_t nb_flow_dropped;  /* the polling core's: as a rule has it (sluice_flow.h) */
	/* control side: what the counters said when they were reset (sluice_stats.c) */
	uint64_t reset_at[SLUICE_COUNTERS_MAX];
};

/* How many slots of a ring of this size may be free before they are filled. */
static inline uint16_t
sluice_rxq_free_thresh(const struct sluice_rxq *rxq, uint16_t size)
{
	return RTE_MIN(rxq->free_thresh_asked, RTE_MAX(size / 2, 1));
}

/* May a buffer be the first of several whose header is not read? */
static inline bool
sluice_rxq_guesses(const struct sluice_rxq *rxq)
{
	return (uint16_t)rxq->num_buffers_mask != 0 && !rxq->reads_headers;
}

/* What comes next, a packet or one more buffer of it: see nb_plain_lens. */
static inline void
sluice_rxq_expect(struct sluice_rxq *rxq)
{
	/* One that is full may be the first of several. */
	const bool counts_full = !sluice_rxq_guesses(rxq);
	/* Copies are made of any length. */
	const uint32_t min = sluice_cells_are_used(&rxq->cells) ? rxq->min_len : rxq->batch_min;
	uint32_t nb_lens = rxq->post_len - min + counts_full;

	if (rxq->nb_segs_left != 0 || rxq->must_read_header || rxq->sample <= 0 ||
			unlikely(rxq->post_len < min))
		nb_lens = 0;
	/* Of any length that is a packet, there. */
	rxq->nb_plain_lens = 0;
	if (nb_lens != 0 && rxq->hdr_len == SLUICE_NET_HDR_LEN)
		rxq->nb_plain_lens = nb_lens + min - SLUICE_RX_MIN_LEN;
	rxq->nb_batch_lens = rxq->nb_in_order_left == 0 ? nb_lens : 0;
}

#endif /* SLUICE_RXQ_H */
