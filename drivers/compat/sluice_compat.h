/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Differences between DPDK releases. Every C file gets this header by "-include" (see meson.build);
 * it is the only place of the tree that names a DPDK version, so that the driver text can follow
 * the newest release.
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

/* 25.07: what a library exports is marked in its source, for DPDK's own build. */
#define RTE_EXPORT_INTERNAL_SYMBOL(symbol)
#define RTE_EXPORT_EXPERIMENTAL_SYMBOL(symbol, version)

/* 23.03: control threads by rte_thread. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#include <rte_thread.h>
#define SLUICE_COMPAT_THREAD
int rte_thread_create_control(rte_thread_t *id, const char *name, rte_thread_func fn, void *arg);
#endif

/* 23.03: numbers in telemetry have other names. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/* 23.11: hash functions are asked for by name. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
#define SLUICE_COMPAT_ADD_TOEPLITZ(info) RTE_SET_USED(info)
#else
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
		size_t nb; \
\
		return fn(dev, &nb); \
	}
#define SLUICE_COMPAT_PTYPES_OP(fn) fn##_ended
#else
#define SLUICE_COMPAT_PTYPES_GET(fn)
#define SLUICE_COMPAT_PTYPES_OP(fn) fn
#endif

/*
 * 24.11: rte_kvargs_process() refuses keys without a value, which used to be given to the handler.
 */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define rte_kvargs_process_opt rte_kvargs_process
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

/*
 * The private driver structs (eth_dev_ops, rte_eth_dev) may change between any two YY.MM releases
 * although the SONAME stays, so a plug-in works only with the release it was built for. LTS patch
 * releases keep them.
 */
static inline int
sluice_compat_dpdk_matches(void)
{
	return rte_version_year() == RTE_VER_YEAR && rte_version_month() == RTE_VER_MONTH;
}

/* The release this was built for, for messages: "22.11". */
static inline unsigned int
sluice_compat_built_year(void)
{
	return RTE_VER_YEAR;
}

static inline unsigned int
sluice_compat_built_month(void)
{
	return RTE_VER_MONTH;
}

#endif /* SLUICE_COMPAT_H */
