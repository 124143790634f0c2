/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The scalar build has no batches: the loops fold all of this away.
 */

#ifndef SLUICE_VEC_NONE_H
#define SLUICE_VEC_NONE_H

#define SLUICE_VEC_NAME "Scalar"
#define SLUICE_VEC_BITS 0

#define SLUICE_VEC_RX_SPLIT 0
#define SLUICE_VEC_RX_PACKED 0
#define SLUICE_VEC_RX_LEAST 0
#define SLUICE_VEC_RX_GIVE 0
#define SLUICE_VEC_TX 0
#define SLUICE_VEC_USED 0

struct sluice_vec_rx_kit {
	uint64_t sum;
	uint16_t said;
};

struct sluice_vec_give_kit {
	uint64_t unused;
};

struct sluice_vec_tx_kit {
	uint64_t sum;
};

static __rte_always_inline struct sluice_vec_rx_kit
sluice_vec_rx_kit(const struct sluice_rxq *rxq, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(cfg);
	RTE_SET_USED(rxq);
	return (struct sluice_vec_rx_kit){ 0 };
}

static __rte_always_inline bool
sluice_vec_rx_split(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(nb);
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(pkts);
	RTE_SET_USED(cfg);
	return false;
}

static __rte_always_inline bool
sluice_vec_rx_packed(struct sluice_vec_rx_kit *k, unsigned int nb, uint32_t slot,
		struct rte_mbuf **pkts, const struct sluice_path_cfg cfg)
{
	return sluice_vec_rx_split(k, nb, slot, pkts, cfg);
}

static __rte_always_inline uint64_t
sluice_vec_rx_bytes(const struct sluice_vec_rx_kit *k, uint32_t nb)
{
	RTE_SET_USED(nb);
	return k->sum;
}

static __rte_always_inline struct sluice_vec_give_kit
sluice_vec_give_kit(const struct sluice_rxq *rxq, uint16_t slot, const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(rxq);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return (struct sluice_vec_give_kit){ 0 };
}

static __rte_always_inline bool
sluice_vec_rx_give(struct sluice_vec_give_kit *k, uint32_t slot, struct rte_mbuf *const *from,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(from);
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return false;
}

static __rte_always_inline struct sluice_vec_tx_kit
sluice_vec_tx_kit(struct sluice_txq *txq, uint16_t slot, uint16_t avail_pos,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(txq);
	RTE_SET_USED(avail_pos);
	RTE_SET_USED(slot);
	RTE_SET_USED(cfg);
	return (struct sluice_vec_tx_kit){ 0 };
}

static __rte_always_inline bool
sluice_vec_tx_give(struct sluice_vec_tx_kit *k, uint32_t slot, struct rte_mbuf **pkts,
		const struct sluice_path_cfg cfg)
{
	RTE_SET_USED(k);
	RTE_SET_USED(slot);
	RTE_SET_USED(pkts);
	RTE_SET_USED(cfg);
	return false;
}

static __rte_always_inline uint64_t
sluice_vec_tx_bytes(const struct sluice_vec_tx_kit *k)
{
	return k->sum;
}

static __rte_always_inline bool
sluice_vec_used_in_order(const struct sluice_ring *r, uint16_t slot)
{
	RTE_SET_USED(r);
	RTE_SET_USED(slot);
	return false;
}

static __rte_always_inline bool
sluice_vec_packed_used_in_order(const struct sluice_packed_desc *dv_desc, uint64_t word)
{
	RTE_SET_USED(dv_desc);
	RTE_SET_USED(word);
	return false;
}

#endif /* SLUICE_VEC_NONE_H */
