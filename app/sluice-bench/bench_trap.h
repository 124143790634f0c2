/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Exact instruction counts without counters of the CPU: the trap flag makes every instruction of
 * the called function raise SIGTRAP, and the handler counts. Slow (about 1 us each) and exact.
 */
#ifndef BENCH_TRAP_H
#define BENCH_TRAP_H

#include "bench_step.h"

/** Install the handler and calibrate. 0 or -errno. */
int bench_trap_init(void);

/** A bench_meter: instructions from the first of `fn` to its return. */
uint16_t bench_meter_trap(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

#endif /* BENCH_TRAP_H */
