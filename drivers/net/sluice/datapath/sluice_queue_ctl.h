/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the control side does to a queue: make it run, take it apart. See sluice_queue.h for who may
 * do what when.
 */

#ifndef SLUICE_QUEUE_CTL_H
#define SLUICE_QUEUE_CTL_H

#include "sluice_rxq.h"
#include "sluice_txq.h"

/* How a queue is to run next. */
struct sluice_queue_conf {
	enum sluice_ring_type ring_type;
	uint16_t size;     /* slots */
	uint16_t nb_slots; /* that va is laid out for; 0: size */
	uint32_t run;      /* sluice_path_run() of its path */
	bool has_event_idx;
	bool is_in_order;
	bool has_indirect;
	bool has_mrg;              /* receive: a packet may take several buffers */
	bool reads_headers;        /* receive: they say something */
	bool has_csum;             /* receive: of checksums and segments */
	bool has_hash;             /* there is room for a hash in them; receive: they are read */
	bool has_tunnel;           /* there is room for a tunnel in them; transmit: it is told of */
	bool completes_csum;       /* receive: sums that are partial, of any header */
	bool checks_ipv4;          /* receive: header checksums, in software; headers are read */
	uint64_t tx_flags;         /* transmit: what packets may ask for, of SLUICE_TX_FLAGS */
	bool has_ecn;              /* segments may have ECN bits, in this direction */
	bool has_lro;              /* receive: packets may be of several segments */
	void *va;                  /* memory of sluice_ring_offsets().len bytes; it is zeroed */
	struct dmap_addr da;       /* the same for the device */
	struct sluice_cells cells; /* all zero: packets are not copied */
	bool bounces;              /* transmit: only those that the device does not reach are */
	struct dmap_domain *domain;
};

/*
 * A fresh ring, and everything else as a new queue has it but counters and what the application
 * asked for. The control side, of a queue that is STOPPED and drained.
 */
void sluice_rxq_reset(struct sluice_rxq *rxq, const struct sluice_queue_conf *conf);
void sluice_txq_reset(struct sluice_txq *txq, const struct sluice_queue_conf *conf);

/* Buffers that the device says it has filled, and that no burst has taken. The queue is STOPPED. */
uint32_t sluice_rxq_nb_waiting(const struct sluice_rxq *rxq);

/*
 * Take back in place what the ring offers: nothing is available any more, and no descriptor has a
 * length. What the device read before, it may still use. The control side, of a queue that is
 * STOPPED.
 */
void sluice_queue_retract(struct sluice_queue *q);

/*
 * Where header and data of received packets go; before the queue is filled for a path that reads
 * headers or not. has_hash: headers have a hash, has_tunnel: they are as long as those of tunnels;
 * and so are read, as they are where IPv4 headers are checked, which the same rows do.
 */
void sluice_rxq_place(struct sluice_rxq *rxq, bool reads_headers, bool has_hash, bool has_tunnel,
		bool checks_ipv4);
/* Bytes of a header. */
uint16_t sluice_queue_hdr_len(bool has_hash, bool has_tunnel);

/* Fill all free slots of a receive queue, before it runs. */
void sluice_rxq_fill(struct sluice_rxq *rxq);

/*
 * Of a queue that is STOPPED, and whose ring the device keeps but does not use.
 * drop_waiting: what it has filled and no burst has taken goes back to the pool; returns how many
 * buffers. change_pool: rxq->pool, and what depends on it, has just been set, and old was the pool
 * before: the device gets fresh buffers in the places of those that it has, which go back. Nothing
 * of that on error: -ENOMEM: the pool has not as many; -ENOSPC: the device does not reach them. The
 * caller may put into both pools.
 */
uint32_t sluice_rxq_drop_waiting(struct sluice_rxq *rxq);
int sluice_rxq_change_pool(struct sluice_rxq *rxq, struct rte_mempool *old);

/*
 * Take all mbufs that the queue holds, at most as many as it has slots, and an unfinished packet:
 * to the end of out, or with NULL back to their pools. Then the device must not reach them any
 * more. Returns how many buffers (receive) or packets (transmit) those are.
 */
uint32_t sluice_rxq_drain(struct sluice_rxq *rxq, struct sluice_mbuf_list *out);
uint32_t sluice_txq_drain(struct sluice_txq *txq, struct sluice_mbuf_list *out);
/* The one of both that the queue needs. */
uint32_t sluice_queue_drain(struct sluice_queue *q, struct sluice_mbuf_list *out);

/*
 * A process died inside of the queue: which mbufs are the queue's and which were on their way, to
 * or from a pool, nobody knows any more, so none of them goes anywhere. Forgets them; returns how
 * many slots were not free, about. The queue is STOPPED.
 */
uint32_t sluice_queue_abandon(struct sluice_queue *q);

/*
 * Ask the device for an interrupt with the next packet. True: do not sleep, there is something to
 * do already: packets that came before, or a ring that has too few buffers because the pool is dry.
 * The device is told of buffers that it was not yet told of. Called by the polling core outside of
 * a burst; the queue is RUNNING.
 */
bool sluice_rxq_arm(struct sluice_rxq *rxq);
/* No interrupts, as a fresh queue. */
void sluice_rxq_disarm(struct sluice_rxq *rxq);

#endif /* SLUICE_QUEUE_CTL_H */
