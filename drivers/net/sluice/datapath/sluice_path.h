/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which burst function a queue gets: const tables, made where the functions are, and one selector
 * for each direction. burst_mode_get answers from the same rows.
 */

#ifndef SLUICE_PATH_H
#define SLUICE_PATH_H

#include "sluice_rxq.h"
#include "sluice_txq.h"

struct sluice_rx_path {
	const char *name;
	uint16_t simd_bits; /* width of the registers that it uses; 0: scalar */
	struct sluice_path_cfg cfg;
	uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
	/* Fill all free slots before the queue runs. */
	void (*fill)(struct sluice_rxq *rxq);
};

struct sluice_tx_path {
	const char *name;
	uint16_t simd_bits;
	struct sluice_path_cfg cfg;
	uint16_t (*burst)(void *txq, struct rte_mbuf **pkts, uint16_t nb);
	/* Free what the device has sent, at most nb_max packets (0: all). Returns how many. */
	uint32_t (*cleanup)(struct sluice_txq *txq, uint32_t nb_max);
};

/* The tables of an instruction set, which sluice_rx_paths.c and sluice_tx_paths.c make. */
#define SLUICE_DECLARE_TABLES(isa) \
	extern const struct sluice_rx_path sluice_rx_paths##isa[]; \
	extern const unsigned int sluice_nb_rx_paths##isa; \
	extern const struct sluice_tx_path sluice_tx_paths##isa[]; \
	extern const unsigned int sluice_nb_tx_paths##isa

/* All rows of all instruction sets in this build, widest first. NULL behind the last. */
const struct sluice_rx_path *sluice_rx_path_at(unsigned int i);
const struct sluice_tx_path *sluice_tx_path_at(unsigned int i);

/* Is this a receive burst function of ours? */
bool sluice_path_is_rx_burst(uint16_t (*burst)(void *rxq, struct rte_mbuf **pkts, uint16_t nb));

/* Widest registers that this CPU has and some row uses; 0: scalar. */
uint16_t sluice_path_cpu_bits(void);
/* The same, and no wider than EAL allows (--force-max-simd-bitwidth). */
uint16_t sluice_path_simd_bits(void);

/*
 * Are the headers of received packets read? These features make devices say something, or more; and
 * IPv4 headers are checked by the rows that read.
 */
bool sluice_path_reads_headers(sluice_features features, bool checks_ipv4);
/* How long a packet's header is with these features, in bytes and both directions (5.1.6). */
uint16_t sluice_path_hdr_len(sluice_features features);

/*
 * The row for negotiated features (bit mask) and registers of at most simd_bits: of those that do
 * all that is asked the one that does least. There is always one. reads_headers: by the former;
 * is_copy: isolation=copy; has_offloads: the application switched some on.
 */
const struct sluice_rx_path *sluice_rx_path_select(
		sluice_features features, bool reads_headers, bool is_copy, uint16_t simd_bits);
const struct sluice_tx_path *sluice_tx_path_select(
		sluice_features features, bool has_offloads, bool is_copy, uint16_t simd_bits);

#endif /* SLUICE_PATH_H */
