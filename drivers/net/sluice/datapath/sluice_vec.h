/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Batch primitives: what each one means, and those of this compilation. meson compiles the path
 * files once per instruction set, with SLUICE_ISA_<set> and the compiler's options for it.
 *
 * A primitive handles a few used entries, mbufs or packets, and does all of it or nothing: false
 * means that something in the batch is out of the ordinary, nothing was changed, and the scalar
 * body of the loop, or a smaller batch, shall have a look. Primitives have no loops over batches,
 * move no positions of a ring, and check what the scalar body checks.
 *
 * A kit holds what a run of batches has in common, in registers: constants, pointers, ids that
 * count up, a sum of lengths. The batches of a run follow each other from the slot on that the kit
 * was made for, and do not wrap around the ring; after a batch to transmit that was declined the
 * kit is void.
 *
 * Each instruction set defines the three kits, the functions below, its name and width
 * (SLUICE_VEC_NAME, SLUICE_VEC_BITS), and how many packets a batch has, 0 where there is no such
 * primitive: SLUICE_VEC_RX_SPLIT and SLUICE_VEC_RX_PACKED to receive, SLUICE_VEC_RX_LEAST of a
 * smaller batch, or the same again, SLUICE_VEC_RX_GIVE, SLUICE_VEC_TX, SLUICE_VEC_USED.
 */

#ifndef SLUICE_VEC_H
#define SLUICE_VEC_H

#include "sluice_rxq.h"
#include "sluice_txq.h"

/*
 * Each instruction set has its own. All that others read of them is sluice_vec_rx_kit.said: flags
 * and gso_types of the last batch's headers, ORed; 0: there is nothing to do.
 */
struct sluice_vec_rx_kit;
struct sluice_vec_give_kit;
struct sluice_vec_tx_kit;

/* For taking used buffers that need no look (sluice_rxq.nb_batch_lens, not 0). */
static struct sluice_vec_rx_kit sluice_vec_rx_kit(
		const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg);

/*
 * Take a batch of used entries for the slots from slot on: mbufs of one whole packet each, into
 * pkts. nb is a literal, what a batch of the ring type has or SLUICE_VEC_RX_LEAST. With
 * cfg.has_csum the headers are read, when the entries are known to be used: all of them must say
 * one buffer, as far as num_buffers means something.
 */
static bool sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg);
static bool sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg);

/* Bytes of all packets that the kit has taken, nb. */
static uint64_t sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb);

/* For giving receive buffers from slot on. */
static struct sluice_vec_give_kit sluice_vec_give_kit(
		const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg);

/*
 * Put a batch of mbufs into sw_ring from slot on, in some order, and write their descriptors,
 * headers where sluice_rx_hdr_off() says. The mbufs are not read, where the buffer of one lies is
 * known from its pool (rte_mbuf_buf_addr()); unless cfg.is_pinned. False: not all in the window.
 */
static bool sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot,
		struct rte_mbuf *const *from, const struct sluice_path_cfg cfg);

/*
 * For giving plain packets from slot on; in a split ring their available entries begin at
 * avail_pos.
 */
static struct sluice_vec_tx_kit sluice_vec_tx_kit(struct sluice_txq *txq, uint16_t slot,
		uint16_t avail_pos, const struct sluice_path_cfg cfg);

/*
 * Give a batch of plain packets at slot, their headers cleared, or with cfg.has_offloads written
 * (sluice_tx_write_headers()). With cfg.is_pinned the pool's buffers are pinned external ones.
 */
static bool sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg);

/* Bytes of all packets that the kit has given. */
static uint64_t sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k);

/* Are the next used entries of a split ring those of the slots from slot on? */
static bool sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot);

/*
 * Are a batch of descriptors of a packed ring used, each for the buffer of its own slot? word is
 * that of the first (sluice_vec_used_word()).
 */
static bool sluice_vec_packed_used_in_order(
		const struct sluice_packed_desc *dv_desc, uint64_t word);

#if defined(SLUICE_ISA_AVX512)
#include "sluice_vec_avx512.h"
#define SLUICE_ISA_NAME(name) name##_avx512
#elif defined(SLUICE_ISA_AVX2)
#include "sluice_vec_avx2.h"
#define SLUICE_ISA_NAME(name) name##_avx2
#elif defined(SLUICE_ISA_NEON)
#include "sluice_vec_neon.h"
#define SLUICE_ISA_NAME(name) name##_neon
#else
#include "sluice_vec_none.h"
#define SLUICE_ISA_NAME(name) name
#endif

#endif /* SLUICE_VEC_H */
