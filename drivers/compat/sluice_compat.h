/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Differences between DPDK releases. Every C file gets this header by "-include" (see meson.build);
 * it is the only place of the tree that names a DPDK version, so that the driver text can follow
 * the newest release. devtools/check-layers counts the lines that a release sees.
 */

#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "Sluice needs DPDK 22.11 or later"
#endif
#if RTE_VERSION >= RTE_VERSION_NUM(26, 11, 0, 0)
#error "Sluice was not ported to this DPDK release yet: the private driver structs differ"
#endif

#if RTE_VERSION < RTE_VERSION_NUM(25, 3, 0, 0)
#include "sluice_compat_names.h"
#endif
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#include <rte_stdatomic.h>
#endif

/* 25.07: what a library exports is marked in its source, for DPDK's own build. */
#define RTE_EXPORT_INTERNAL_SYMBOL(symbol)
#define RTE_EXPORT_EXPERIMENTAL_SYMBOL(symbol, version)

/* 23.11: what a thread's function returns. Hash functions are asked for by name. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
typedef void *sluice_compat_thread_ret;
#define SLUICE_COMPAT_ADD_TOEPLITZ(info) RTE_SET_USED(info)
#else
typedef unsigned int sluice_compat_thread_ret;
#define SLUICE_COMPAT_ADD_TOEPLITZ(info) \
	((info)->rss_algo_capa |= RTE_ETH_HASH_ALGO_CAPA_MASK(TOEPLITZ))
#endif

/* 24.03: how many descriptors of a transmit queue are in use. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 3, 0, 0)
#define SLUICE_COMPAT_SET_TX_QUEUE_COUNT(dev, fn) RTE_SET_USED(fn)
#else
#define SLUICE_COMPAT_SET_TX_QUEUE_COUNT(dev, fn) ((dev)->tx_queue_count = (fn))
#endif

/* 24.11: packet types that a driver knows are counted; before, RTE_PTYPE_UNKNOWN ended them. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define SLUICE_COMPAT_PTYPES_GET(fn) \
	static const uint32_t *fn##_ended(struct rte_eth_dev *dev) \
	{ \
		return fn(dev, &(size_t){ 0 }); \
	}
#define SLUICE_COMPAT_PTYPES_OP(fn) fn##_ended
#else
#define SLUICE_COMPAT_PTYPES_GET(fn)
#define SLUICE_COMPAT_PTYPES_OP(fn) fn
#endif

/*
 * 25.11: what counts descriptors can answer with an error; counters of queues have a struct of
 * their own.
 */
#if RTE_VERSION < RTE_VERSION_NUM(25, 11, 0, 0)
typedef unsigned int sluice_compat_count;
#define eth_queue_stats rte_eth_stats
#define SLUICE_COMPAT_STATS_GET(fn) \
	static int fn##_both(struct rte_eth_dev *dev, struct rte_eth_stats *stats) \
	{ \
		return fn(dev, stats, stats); \
	}
#define SLUICE_COMPAT_STATS_OP(fn) fn##_both
#else
typedef int sluice_compat_count;
#define SLUICE_COMPAT_STATS_GET(fn)
#define SLUICE_COMPAT_STATS_OP(fn) fn
#endif

/* The release that this was built for: 2211 is 22.11. */
#define SLUICE_COMPAT_RELEASE (RTE_VER_YEAR * 100 + RTE_VER_MONTH)

#endif /* SLUICE_COMPAT_H */
