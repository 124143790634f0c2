/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * One side of the comparison: a vdev port with pools of its own, and the null device behind it.
 * The port owns its pools; the mbufs in it belong to the driver until bench_port_close().
 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

#include <rte_mbuf.h>

#include "bench.h"

typedef uint16_t (*bench_burst_fn)(void *queue, struct rte_mbuf **pkts, uint16_t nb);

/* A direction's pool has its number. */
enum bench_pool { POOL_TX = DIR_TX, POOL_RX = DIR_RX, POOL_TX2, NB_POOLS };

/* The queue of packets that are prepared and then sent, in one call. */
struct bench_preparer {
	bench_burst_fn prepare, send;
	void *queue;
};

struct bench_port {
	/* constant after start */
	char driver[BENCH_NAME_LEN];
	char name[BENCH_NAME_LEN]; /* of the vdev: driver and side */
	char devargs[256];
	char shown[256]; /* devargs without the socket's path */
	char path[108];
	bool has_device; /* the null device, `dev` */
	bool is_pci;     /* a device that gives every packet back, after a while */
	bool is_probed;
	bool is_started;
	uint16_t port_id;
	int slot;               /* of the socket, -1: none */
	unsigned int frame_len; /* of packets that are sent */
	unsigned int rx_len;    /* of those that the device gives */
	uint64_t rx_flags;      /* that every received mbuf must have, */
	uint64_t rx_mask;       /* of these */
	uint16_t nb_pairs;
	bench_burst_fn fn[NB_DIRS];
	void *queue[NULL_MAX_PAIRS][NB_DIRS];
	struct bench_preparer preparer[NULL_MAX_PAIRS];
	struct rte_mempool *pool[NB_POOLS];
	struct rte_mbuf *original[BENCH_MAX_BURST]; /* of clones */
	uint16_t nb_originals;
	struct null_dev *dev;
	unsigned int generation; /* of the server's memory, as `dev` knows it */
	/* counted by the application's part */
	uint16_t turn; /* the queue pair that is next */
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t received[NULL_MAX_PAIRS];
	uint64_t bursts;
};

/** Is this the address of a PCI device ("0000:00:04.0,devargs"), and not a vdev? */
bool bench_is_pci(const char *name);

/**
 * Length of the driver's name in "net_x3,a=1", without the number behind it; 0 if it has none, or
 * too long a one.
 */
size_t bench_driver_len(const char *given);

/**
 * Does the null device stand behind that driver? Not behind PCI devices and drivers that are
 * measured without a device, as control rows.
 */
bool bench_has_null_device(const char *given);

/** Objects of the pools of a port, 0: it has no such pool. */
unsigned int bench_pool_mbufs(const struct bench_opts *opts, enum bench_pool pool);

/** Name, devargs, socket and pools; does not create the vdev. 0 or -errno. */
int bench_port_init(struct bench_port *port, const struct bench_opts *opts, enum bench_side side);

/** Create the vdev, configure and start it, attach the null device. 0 or -errno. */
int bench_port_start(struct bench_port *port, const struct bench_opts *opts);

/** To be called before the device works: follows a driver that changed its memory table, as one
 * does that meets a pool for the first time. 0 or -errno.
 */
int bench_port_sync(struct bench_port *port);

/** Stop, remove, and check that every mbuf came back. Accepts a half-built port. 0 or -errno. */
int bench_port_close(struct bench_port *port);

/** Put the header of an ordinary packet into all receive buffers, as a device would leave it. The
 * device must rest.
 */
void bench_port_write_headers(struct bench_port *port);

/** Packets received by the application from all queues. */
uint64_t bench_port_received(const struct bench_port *port);

/** What the report says about this side. */
void bench_port_info(const struct bench_port *port, struct bench_side_info *info);

#endif /* BENCH_PORT_H */
