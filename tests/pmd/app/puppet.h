/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef PUPPET_H
#define PUPPET_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "sequence.h"

#define PORTS_MAX 32

/* What the worker does with a port between "poll" and "idle". */
enum window { WINDOW_RX_ONLY = -1, WINDOW_NONE = 0 };

struct port {
	char name[32];
	uint16_t id;
	struct rte_mempool *pool;
	struct rte_mempool *tx_pool; /* what is sent comes from here */
	struct rte_mbuf **canaries;  /* all that could be had of the pool, filled */
	unsigned int nb_canaries;
	uint32_t is_polled; /* written by commands, read by the worker */
	uint32_t is_inside; /* written by the worker: bursts are being called */
	int64_t window;     /* of packets on their way, or an enum window */
	/* of the worker */
	uint64_t nb_sent;
	uint64_t slowest; /* burst, in cycles */
	struct sequence received;
};

extern struct port ports[PORTS_MAX];

/* The worker: polls whatever is to be polled, until *is_over. */
int puppet_work(void *is_over);
/* Begins, or ends, to poll a port; on return of the latter no burst function is inside. */
void puppet_poll(struct port *p, int64_t window);
void puppet_idle(struct port *p);

/* Buffers that the application owns, with a pattern; how many of them are damaged. */
int puppet_fill(struct port *p);
unsigned int puppet_damaged(const struct port *p);
void puppet_free(struct port *p);

#endif /* PUPPET_H */
