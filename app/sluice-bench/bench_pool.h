/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The pools of a port. Before the port is: its driver wants them for their receive queues, and may
 * want them of its own making.
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include "bench_port.h"

/** Make the pools that the case needs, for a port of these devargs. 0 or -errno with the reason on
 * stderr.
 */
int bench_pool_make(struct bench_port *port, const struct bench_opts *opts, enum bench_side side);

/** IPv4 and UDP, as far as a driver may look. */
void bench_make_frame(uint8_t *frame, unsigned int len);

/** Give a frame a VLAN tag, in the same length. */
void bench_tag_frame(uint8_t *frame, unsigned int len);

#endif /* BENCH_POOL_H */
