/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the receive loop (sluice_rx.h) calls rarely, out of line so that the loop has the registers
 * for itself: sluice_rx.c and sluice_rx_multi.c.
 */

#ifndef SLUICE_RX_SLOW_H
#define SLUICE_RX_SLOW_H

#include "sluice_rxq.h"

/* A completion of another slot than the oldest: an mbuf, or NULL and the queue failed. */
struct rte_mbuf *sluice_rx_claim_unordered(struct sluice_rxq *rxq, uint32_t id);
/*
 * In-order device, id beyond the oldest slot: it completed all buffers up to id. False: queue
 * failed.
 */
bool sluice_rx_start_in_order_run(struct sluice_rxq *rxq, uint32_t id, uint32_t len);
/* The last buffer of such a batch is taken next. Returns its length. */
uint32_t sluice_rx_end_in_order_run(struct sluice_rxq *rxq);
/* After the oldest slot became free: free the slots behind it that the device gave back before. */
void sluice_rx_skip_holes(struct sluice_rxq *rxq);
/*
 * A buffer of which len bytes were used, and that is not known to be a packet by that
 * (nb_plain_lens): one more of a packet; the first of one, as its header says; or none at all. The
 * packet that is complete with it, or NULL: more to come, dropped, or the queue failed.
 */
struct rte_mbuf *sluice_rx_look(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len);
/* One more buffer of a packet, of which len bytes were used: the packet, or NULL as above. */
struct rte_mbuf *sluice_rx_add(struct sluice_rxq *rxq, struct rte_mbuf *m, uint32_t len);
/*
 * What follows the first of a packet's buffers, up to the one before its last: at most nb, as long
 * as used entries are in order and buffers are full, as a device leaves them (5.1.6.4). Returns how
 * many.
 */
uint16_t sluice_rx_add_full(struct sluice_rxq *rxq, uint16_t nb);
/*
 * The header of m, the first buffer of a packet, says something. The packet, or NULL: as above.
 */
struct rte_mbuf *sluice_rx_read_more(struct sluice_rxq *rxq, struct rte_mbuf *m);
/*
 * The same, and then its IPv4 header is checked: a checksum that the device left to be completed
 * may be anywhere in the packet.
 */
struct rte_mbuf *sluice_rx_read_and_check(struct sluice_rxq *rxq, struct rte_mbuf *m);
/* A packet with a header that cannot be, which was counted, is dropped. */
void sluice_rx_drop(struct sluice_rxq *rxq, struct rte_mbuf *m);
/*
 * Headers of nb packets of one buffer each say something. Returns how many packets were dropped;
 * the others close up, and their bytes are left in bytes.
 */
uint16_t sluice_rx_offload_some(
		struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb, uint64_t *bytes);

/*
 * nb buffers that were taken as packets of one buffer each, and copied with their headers. Those
 * say what they are: complete packets close up, with their bytes. Returns how many fewer there are;
 * the others are dropped, the queue has failed, or they are part of a packet of several buffers.
 */
uint16_t sluice_rx_look_at_copies(
		struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb, uint64_t *bytes);

#endif /* SLUICE_RX_SLOW_H */
