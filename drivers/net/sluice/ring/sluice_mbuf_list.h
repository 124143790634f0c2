/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Buffers that a device had, on their way back to their pools. */

#ifndef SLUICE_MBUF_LIST_H
#define SLUICE_MBUF_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct sluice_queue;

/* Buffers of one queue. */
struct sluice_mbuf_list {
	struct sluice_mbuf_list *next;
	struct sluice_queue *q; /* of virtqueue vq; NULL: there is none now */
	uint16_t vq;
	uint32_t nb;
	struct rte_mbuf *m[];
};

/*
 * Only one core may put into some pools; which one it is nobody knows, but the queue's own is none
 * the worse. Is a segment of this packet from such a pool?
 */
bool sluice_mbuf_needs_own_core(const struct rte_mbuf *m);

/* rte_pktmbuf_free(), of which this is the only copy. */
void sluice_mbuf_free(struct rte_mbuf *m);

/*
 * Give back a list of batches; NULL is fine. Where the pools' rules allow the calling thread to do
 * that.
 */
void sluice_mbuf_list_free_all(struct sluice_mbuf_list *b);

#endif /* SLUICE_MBUF_LIST_H */
