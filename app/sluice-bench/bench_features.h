/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Names of virtio-net feature bits, and which of them change what a packet costs. */
#ifndef BENCH_FEATURES_H
#define BENCH_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/** Bits that a fair comparison must have in common. */
uint64_t bench_features_datapath(void);

/** "name,name,bit63" of `features` into `text`; "-" if none. Returns `text`. */
const char *bench_features_text(uint64_t features, char *text, size_t len);

/** Parse "name,name,0x..." into bits. 0 or -EINVAL with the bad word named on stderr. */
int bench_features_parse(const char *list, uint64_t *features);

#endif /* BENCH_FEATURES_H */
