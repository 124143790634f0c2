/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The application's part of every mode: get buffers, call the driver, check and free what came. And
 * the balance at the end: every packet is accounted for.
 */
#ifndef BENCH_APP_H
#define BENCH_APP_H

#include "bench_port.h"

/* Calls the driver's burst function and adds what the call cost to *cost. */
typedef uint16_t (*bench_meter)(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

struct bench_cost {
	uint64_t cost[NB_DIRS];
	uint64_t packets[NB_DIRS];
	uint64_t calls[NB_DIRS];
};

/* One turn of an application on one queue pair. 0 or -errno with the reason on stderr. */
typedef int (*bench_app_fn)(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum);

/** Transmit one burst of new packets; those that find no room are freed. */
int bench_app_tx(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum);

/** Receive one burst, check and free it. */
int bench_app_rx(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum);

/** Receive one burst and transmit the same packets. */
int bench_app_io(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum);

/** The burst functions of a port that was started, and what they are called with. */
void bench_app_functions(struct bench_port *port, const struct bench_opts *opts);

/**
 * Count what a transmit call took of `nb` packets of `len` bytes and free the rest. 0 or -errno.
 */
int bench_app_sent(struct bench_port *port, struct rte_mbuf **pkts, uint16_t nb, uint16_t sent,
		unsigned int len);

/** Check, count and free what a receive call gave. 0 or -errno. */
int bench_app_received(struct bench_port *port, uint16_t pair, struct rte_mbuf **pkts, uint16_t nb);

/** The pair that is next: all take turns. */
uint16_t bench_app_turn(struct bench_port *port);

/** A meter that costs and counts nothing. */
uint16_t bench_meter_none(bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb,
		uint64_t *cost);

/** Receive what is under way. 0 or -errno. */
int bench_app_drain(struct bench_port *port, const struct bench_opts *opts);

/** Receive what is under way and compare all counts. 0 or -EIO with the reason on stderr. */
int bench_app_verify(struct bench_port *port, const struct bench_opts *opts);

#endif /* BENCH_APP_H */
