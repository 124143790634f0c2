/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end that sends back what it receives, for applications that are both sides.
 */

#ifndef ECHO_H
#define ECHO_H

#include <string.h>

#include <rte_ethdev.h>

#define ECHO_BURST 16

/* Of a queue pair, used by one thread. */
struct echo {
	struct rte_mbuf *kept[ECHO_BURST]; /* they wait for room */
	uint16_t nb_kept;
};

/* One burst. Nothing else is received before all that waits has gone. */
static inline void
echo_send_back(struct echo *e, uint16_t port, uint16_t q)
{
	uint16_t nb;

	if (e->nb_kept == 0)
		e->nb_kept = rte_eth_rx_burst(port, q, e->kept, ECHO_BURST);
	nb = rte_eth_tx_burst(port, q, e->kept, e->nb_kept);
	e->nb_kept -= nb;
	memmove(e->kept, &e->kept[nb], e->nb_kept * sizeof(e->kept[0]));
}

#endif /* ECHO_H */
