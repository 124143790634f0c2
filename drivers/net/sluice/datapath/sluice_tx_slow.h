/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Between the transmit loop and what gives packets that no batch takes: see sluice_tx.h and
 * sluice_tx_slow.c.
 */

#ifndef SLUICE_TX_SLOW_H
#define SLUICE_TX_SLOW_H

#include "sluice_txq.h"

/* What a burst has given so far; nothing of it is visible to the device. */
struct sluice_tx_burst {
	uint16_t slot;       /* next slot */
	uint16_t nb_slots;   /* given */
	uint16_t nb_bufs;    /* buffers, one available entry each */
	uint16_t head_flags; /* packed: flags of the first descriptor */
	/* slots of packets that no batch takes: slow ones, and plain ones of several slots */
	uint16_t nb_unbatched;
	/* slots given up to the end of the last plain packet of several slots */
	uint16_t chain_end;
	uint64_t bytes; /* of packets given in batches */
};

/* Out of line, so that the loop of batches has the registers for itself. */
struct sluice_tx_slow {
	void (*reclaim)(struct sluice_txq *txq, uint16_t nb_max, bool has_chains);
	/* what a first run of batches left over; of few packets, all if they may be pinned */
	uint16_t (*rest)(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts,
			struct sluice_tx_burst *b);
	/* sluice_tx_give_tmpl() for pinned external buffers; NULL: they do not have one */
	uint16_t (*pinned)(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts);
};

/*
 * Out of line, in sluice_tx_slow.c: nb packets of any kind, given or dropped one by one. Returns
 * how many; fewer: there is no room, or the next one has to wait until the device sees its memory.
 * Bytes and errors are counted.
 */
uint16_t sluice_tx_give_slow_split(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b);
uint16_t sluice_tx_give_slow_packed(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b);
/* The same for queues with offloads. */
uint16_t sluice_tx_give_slow_split_offloads(struct sluice_txq *txq, struct rte_mbuf **pkts,
		uint16_t nb, struct sluice_tx_burst *b);
uint16_t sluice_tx_give_slow_packed_offloads(struct sluice_txq *txq, struct rte_mbuf **pkts,
		uint16_t nb, struct sluice_tx_burst *b);

/*
 * The same for queues whose headers have room for a hash (HASH_REPORT), where plain packets among
 * them are given in batches of one, whatever the instruction set; and for those that bounce.
 */
uint16_t sluice_tx_give_own_way(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type);

/* Frees a packet that can never be sent, and counts it there and as an error. True: it is gone. */
bool sluice_tx_drop(struct sluice_txq *txq, struct rte_mbuf *m, uint64_t *counter);

/* As sluice_tx_give_slow(), all into bounce buffers, of any queue (sluice_copy.c). */
uint16_t sluice_copy_give_slow(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type);
/* Of queues that bounce: those into them that cannot be in a sealed pool. */
uint16_t sluice_copy_give_foreign(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type);
/* One that the device does not reach. False: there is no room for it now. */
bool sluice_copy_give_unreached(struct sluice_txq *txq, struct rte_mbuf *m,
		struct sluice_tx_burst *b, enum sluice_ring_type ring_type);

static __rte_always_inline uint16_t
sluice_tx_give_slow(struct sluice_txq *txq, struct rte_mbuf **pkts, uint16_t nb,
		struct sluice_tx_burst *b, const struct sluice_path_cfg cfg)
{
	if (cfg.is_copy)
		return sluice_copy_give_slow(txq, pkts, nb, b, cfg.ring_type);
	/* With hashes that comes back here with what no batch can be. */
	if (cfg.has_offloads && !cfg.has_hash && txq->has_own_way)
		return sluice_tx_give_own_way(txq, pkts, nb, b, cfg.ring_type);
	if (cfg.has_offloads && cfg.ring_type == SLUICE_SPLIT)
		return sluice_tx_give_slow_split_offloads(txq, pkts, nb, b);
	if (cfg.has_offloads)
		return sluice_tx_give_slow_packed_offloads(txq, pkts, nb, b);
	if (cfg.ring_type == SLUICE_SPLIT)
		return sluice_tx_give_slow_split(txq, pkts, nb, b);
	return sluice_tx_give_slow_packed(txq, pkts, nb, b);
}

/*
 * What the control side has left, as sluice_queue_take_news(); and pools may have ended. In
 * sluice_tx_complete.c.
 */
void sluice_txq_take_news(struct sluice_txq *txq);

#endif /* SLUICE_TX_SLOW_H */
