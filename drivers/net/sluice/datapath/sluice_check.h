/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * dma_debug=1: burst functions around the real ones, which look at the ring and its buffers before
 * and after, and tell the checker of the DMA layer what the device has. The real ones are whatever
 * the port would have, and do not know of it.
 *
 * Threads: as the functions that are looked at. What is remembered of a queue belongs to who is
 * inside of it. What a receive ring has is noted by its first burst: queues that a secondary
 * process polls are not looked at.
 */

#ifndef SLUICE_CHECK_H
#define SLUICE_CHECK_H

#include "dmap_debug.h"
#include "sluice_path.h"

/* A port wants it; before its queues are. -ENOMEM. */
int sluice_check_open(uint16_t port_id);
/* Any port's domain is to end, or NULL; queues that are parked are not looked at any more. */
void sluice_check_close(uint16_t port_id, const struct dmap_domain *d);

/* The row that looks around a row. */
const struct sluice_rx_path *sluice_check_rx_path(const struct sluice_rx_path *path);
const struct sluice_tx_path *sluice_check_tx_path(const struct sluice_tx_path *path);
bool sluice_check_is_rx_burst(uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb));

/*
 * The queue has a fresh ring, and will run with such a row, which is the one of its direction; the
 * other is NULL. frame: as long as frames may be. -ENOMEM. The control side.
 */
int sluice_check_begin(struct sluice_queue *q, struct dmap_domain *d,
		const struct sluice_rx_path *rx, const struct sluice_tx_path *tx, uint32_t frame);

/* The ring of a receive queue is kept, and where its buffers end is set anew. */
void sluice_check_placed(struct sluice_rxq *rxq, uint32_t frame);

/*
 * Its buffers are not the device's any more, or will be others; what the ring has then is noted
 * when it is used. Like the next one, fine for a queue that nobody looks at.
 */
void sluice_check_forget(struct sluice_queue *q);

/* The queue ends. */
void sluice_check_end(struct sluice_queue *q);

/* --- between sluice_check.c and sluice_check_ring.c --- */

/* Behind the end of receive buffers, where packets may take several, and none has to for it. */
#define SLUICE_CHECK_ZONE 64

struct sluice_check_slot {
	uint32_t loan;  /* number of the first loan of the packet that starts here; 0: none does */
	bool was_given; /* since the ring is fresh */
	uint64_t desc[2];            /* as the driver wrote it */
	struct dmap_debug_loan last; /* that was returned; all zero: none was */
};

struct sluice_check {
	struct dmap_domain *domain;      /* NULL: nobody looks */
	const struct sluice_rx_path *rx; /* the real ones */
	const struct sluice_tx_path *tx;
	char place[16];
	bool is_copy; /* the device gets bounce buffers */
	bool was_failure_told;
	uint32_t is_stale; /* atomic: a burst has not noted what it did, or is at it */
	uint16_t size;     /* of the ring; the rest as it was when it was looked at last */
	uint16_t head, tail, nb_free, used_idx;
	bool used_wrap;
	uint32_t nb_moved; /* slots given; of a receive queue packets */
	struct sluice_check_slot *slots;
	char *before; /* of each receive buffer what was in it */
	uint16_t buf_len;
};

void sluice_check_remember(struct sluice_check *c, const struct sluice_queue *q);
/* The packet that starts at a slot. */
void sluice_check_take_back(struct sluice_check *c, uint16_t slot);
/*
 * Its packets show if they are freed. By the core that looks before its next burst, never by the
 * control side: that comes to queues that a secondary process polls, too, and then packets would go
 * back to their pools with the mark.
 */
void sluice_check_watch(const struct sluice_check *c, const struct sluice_queue *q);
/* Was the packet that starts at a slot freed? It is as it was before, and may be completed. */
void sluice_check_unwatch(const struct sluice_check *c, uint16_t slot);
/* Is the ring not as it was left? Then somebody else was there. */
bool sluice_check_has_moved(const struct sluice_check *c, const struct sluice_queue *q);
/* What is noted of it is void; what the ring has now is noted when a core looks again. */
void sluice_check_drop(struct sluice_check *c, const struct sluice_queue *q);
/* What it has is noted anew if somebody else was there. */
void sluice_check_catch_up(struct sluice_check *c, struct sluice_queue *q);
/* Descriptors, and what the device only reads. */
void sluice_check_look(struct sluice_check *c, const struct sluice_queue *q);
/* Packets that were received. */
void sluice_check_received(struct sluice_check *c, const struct sluice_rxq *rxq,
		struct rte_mbuf **pkts, uint16_t nb);
/* What the device has returned, and what it got. */
void sluice_check_note(struct sluice_check *c, struct sluice_queue *q, const void *site);
/* A packet of the burst was free before that; NULL: none was. */
void sluice_check_given_free(struct sluice_check *c, const struct rte_mbuf *m);
/* The device broke the rules. */
void sluice_check_failed(struct sluice_check *c, const struct sluice_queue *q);

#endif /* SLUICE_CHECK_H */
