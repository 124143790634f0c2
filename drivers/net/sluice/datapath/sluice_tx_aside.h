/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef SLUICE_TX_ASIDE_H
#define SLUICE_TX_ASIDE_H

#include "sluice_txq.h"

/*
 * One packet of the driver's own, from another thread than the queue's polling core. The queue is
 * not RUNNING, no burst is inside, and its ring is the device's. True: the packet is the queue's;
 * false: there was no room, or the device cannot reach it.
 */
bool sluice_txq_send_aside(struct sluice_txq *txq, struct rte_mbuf *m);

#endif /* SLUICE_TX_ASIDE_H */
