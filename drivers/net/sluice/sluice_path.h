/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which burst function a queue gets: const tables, made where the functions are, and one selector for each
 * direction. burst_mode_get answers from the same rows.
 */

#ifndef SLUICE_PATH_H
#define SLUICE_PATH_H

#include "sluice_queue.h"

struct sluice_rx_path {
	const char *name;
	struct sluice_path_cfg cfg;
	uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
	/* Fill all free slots before the queue runs. */
	void (*fill)(struct sluice_rxq *rxq);
};

struct sluice_tx_path {
	const char *name;
	struct sluice_path_cfg cfg;
	uint16_t (*burst)(void *txq, struct rte_mbuf **pkts, uint16_t nb);
	/* Free what the device has sent, at most nb_max packets (0: all). Returns how many. */
	uint32_t (*cleanup)(struct sluice_txq *txq, uint32_t nb_max);
};

extern const struct sluice_rx_path sluice_rx_paths[];
extern const unsigned int sluice_nb_rx_paths;
extern const struct sluice_tx_path sluice_tx_paths[];
extern const unsigned int sluice_nb_tx_paths;

/* The row for negotiated features (bit mask). There is always one. */
const struct sluice_rx_path *sluice_rx_path_select(uint64_t features);
const struct sluice_tx_path *sluice_tx_path_select(uint64_t features);

#endif /* SLUICE_PATH_H */
