/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The EAL arguments of a measuring process: composed here, never typed by the user. */
#ifndef BENCH_EAL_H
#define BENCH_EAL_H

#include "bench.h"

/** Start EAL on one core without PCI. 0 or -errno; says on stderr what to do about a failure. */
int bench_eal_init(const struct bench_opts *opts, const char *program);

#endif /* BENCH_EAL_H */
