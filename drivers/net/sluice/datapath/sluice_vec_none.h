/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives of the scalar build: none. The loops fold them away. What they mean is said here
 * once, for the vector builds too:
 *
 * A kit holds what a run of batches has in common, in registers: constants, pointers, ids that
 * count up, a sum of lengths. The batches of a run follow each other from the slot on that the kit
 * was made for, and do not wrap around the ring; after a batch to transmit that was declined the
 * kit is void. Each primitive handles one batch, and does all of it or nothing: false means that
 * something in the batch is out of the ordinary, nothing was changed, and the scalar body of the
 * loop, or a smaller batch, shall have a look. They have no loops and move no positions, and they
 * check what the scalar body checks.
 */

#ifndef SLUICE_VEC_NONE_H
#define SLUICE_VEC_NONE_H

#include "sluice_rxq.h"
#include "sluice_txq.h"

#define SLUICE_VEC_NAME "Scalar"
#define SLUICE_VEC_BITS 0

/* Packets per batch; 0: no such primitive. */
#define SLUICE_VEC_RX_SPLIT 0
#define SLUICE_VEC_RX_PACKED 0
#define SLUICE_VEC_RX_LEAST 0 /* of a smaller batch; or the same again */
#define SLUICE_VEC_RX_GIVE 0
#define SLUICE_VEC_TX 0
#define SLUICE_VEC_USED 0

struct sluice_vec_rx_kit {
	uint64_t sum;
	/* By the headers of the last batch, flags and gso_types ORed; 0: there is nothing to do. */
	uint16_t said;
};

struct sluice_vec_give_kit {
	uint64_t unused;
};

struct sluice_vec_tx_kit {
	uint64_t sum;
};

/* For taking used buffers that need no look (sluice_rxq.nb_batch_lens, not 0). */
static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(cfg);
	RTE_SET_USED(rxq);
	return (struct sluice_vec_rx_kit){ 0 };
}

/*
 * Take a batch of used entries for the slots from slot on: mbufs of one whole packet each, into
 * pkts. nb is a literal, what a batch of the ring type has or SLUICE_VEC_RX_LEAST. With
 * cfg.has_csum the headers are read, when the entries are known to be used: all of them must say
 * one buffer, as far as num_buffers means something.
 */
static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(nb);
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(pkts);
	RTE_SET_USED(cfg);
	return false;
}

static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	return sluice_vec_rx_split(k, nb, slot, pkts, cfg);
}

/* Bytes of all packets that the kit has taken, nb. */
static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb)
{
	RTE_SET_USED(nb);
	return k->sum;
}

/* For giving receive buffers from slot on. */
static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(rxq);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return (struct sluice_vec_give_kit){ 0 };
}

/*
 * Put a batch of mbufs into sw_ring from slot on, in some order, and write their descriptors,
 * headers where sluice_rx_hdr_off() says. The mbufs are not read, where the buffer of one lies is
 * known from its pool (rte_mbuf_buf_addr()); unless cfg.is_pinned. False: not all in the window.
 */
static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, struct rte_mbuf *const *from,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(from);
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return false;
}

/*
 * For giving plain packets from slot on; in a split ring their available entries begin at
 * avail_pos.
 */
static __rte_always_inline struct sluice_vec_tx_kit
sluice_vec_tx_kit(struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(txq);
	RTE_SET_USED(avail_pos);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return (struct sluice_vec_tx_kit){ 0 };
}

/*
 * Give a batch of plain packets at slot, their headers cleared, or with cfg.has_offloads written
 * (sluice_tx_write_headers()). With cfg.is_pinned the pool's buffers are pinned external ones.
 */
static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(pkts);
	RTE_SET_USED(cfg);
	return false;
}

/* Bytes of all packets that the kit has given. */
static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return k->sum;
}

/* Are the next used entries of a split ring those of the slots from slot on? */
static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	RTE_SET_USED(r);
	RTE_SET_USED(slot);
	return false;
}

#endif /* SLUICE_VEC_NONE_H */
