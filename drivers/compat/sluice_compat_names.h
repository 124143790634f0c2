/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Names that DPDK has and older releases lack. DPDK's own tree has no need of this file, so it does
 * not go there (devtools/into-dpdk).
 */

#ifndef SLUICE_COMPAT_NAMES_H
#define SLUICE_COMPAT_NAMES_H

/* 23.03: numbers in telemetry have other names. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/* 23.11: control threads of drivers by rte_thread. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
#include <rte_lcore.h>
#define rte_thread_create_internal_control(id, name, fn, arg) \
	rte_ctrl_thread_create(&(id)->opaque_id, name, NULL, fn, arg)

/* And C11's atomic operations. */
#define rte_memory_order_relaxed __ATOMIC_RELAXED
#define rte_memory_order_acquire __ATOMIC_ACQUIRE
#define rte_memory_order_release __ATOMIC_RELEASE
#define rte_memory_order_seq_cst __ATOMIC_SEQ_CST
#define rte_atomic_load_explicit(at, order) __atomic_load_n(at, order)
#define rte_atomic_store_explicit(at, value, order) __atomic_store_n(at, value, order)
#define rte_atomic_exchange_explicit(at, value, order) __atomic_exchange_n(at, value, order)
#define rte_atomic_fetch_add_explicit(at, value, order) __atomic_fetch_add(at, value, order)
#define rte_atomic_compare_exchange_strong_explicit(at, expected, value, success, failure) \
	__atomic_compare_exchange_n(at, expected, value, 0, success, failure)
#endif

/* 24.03: a log line ends by itself. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 3, 0, 0)
#define RTE_LOG_LINE(level, type, text, ...) RTE_LOG(level, type, text "\n", ##__VA_ARGS__)
#endif

/*
 * 24.11: rte_kvargs_process() refuses keys without a value, which used to be given to the handler.
 */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define rte_kvargs_process_opt rte_kvargs_process
#endif

/* 25.03: packed structs are marked on either side. */
#if RTE_VERSION < RTE_VERSION_NUM(25, 3, 0, 0)
#define __rte_packed_begin
#define __rte_packed_end __rte_packed
#endif

#endif /* SLUICE_COMPAT_NAMES_H */
