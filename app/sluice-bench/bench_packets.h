/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The packets that the application transmits, of the kind that --packets asks for. */
#ifndef BENCH_PACKETS_H
#define BENCH_PACKETS_H

#include "bench_port.h"

/** By its name in --packets and in the report. */
const char *bench_packets_name(enum bench_packets kind);

/** Tx offloads that the port needs for them; 0: none, and they are not prepared. */
uint64_t bench_packets_offloads(enum bench_packets kind);

/** Bytes of a packet as the device gets it. */
unsigned int bench_packets_wire_len(const struct bench_port *port, enum bench_packets kind);

/** What all packets of a port share. 0 or -errno. */
int bench_packets_init(struct bench_port *port, const struct bench_opts *opts);

/** A burst of new packets. 0, or -ENOMEM with the reason on stderr. */
int bench_packets_build(
		struct bench_port *port, const struct bench_opts *opts, struct rte_mbuf **pkts);

/** The driver was called with them, and those it did not take are freed: drop what the application
 * holds of them still.
 */
void bench_packets_done(const struct bench_opts *opts, struct rte_mbuf **pkts, uint16_t nb);

/** Gives back what bench_packets_init() took. */
void bench_packets_fini(struct bench_port *port);

#endif /* BENCH_PACKETS_H */
