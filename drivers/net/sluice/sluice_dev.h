/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port: its device, its queues, and the state machine between them.
 *
 *   connected   the transport reaches a device, and its features are known
 *   started     the application wants traffic (dev_start)
 *   live        started and connected: the device runs the rings, the link is up
 *
 * started without connected is a port with its link down; the control thread (sluice_conn.c) makes it live
 * when a device comes. A device that breaks the rules ends the connection and leaves the port failed until
 * the application stops and starts it.
 *
 * Threads: everything here runs with port->lock held, except where said otherwise.
 */

#ifndef SLUICE_DEV_H
#define SLUICE_DEV_H

#include <pthread.h>

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "dmap.h"
#include "sluice_args.h"
#include "sluice_ctrl.h"
#include "sluice_path.h"
#include "sluice_queue.h"
#include "sluice_transport.h"
#include "sluice_watch.h"

struct rte_eth_dev;
struct rte_intr_handle;

/*
 * Receive interrupts (sluice_intr.c): an eventfd per receive queue that the device, or the interrupt thread, writes.
 * They live from dev_configure to the next one or dev_close, whatever happens to the device meanwhile.
 */
struct sluice_intr {
	rte_spinlock_t lock; /* of a queue's wish for interrupts; never held for long */
	uint16_t nb_fds;     /* 0: the application asked for none */
	int fds[SLUICE_PAIRS_MAX];
	struct rte_intr_handle *own; /* what ethdev and EAL know of them, where the bus has none */
};

/* What the application asks for to have checksums of received packets told. */
#define SLUICE_RX_CSUM_OFFLOADS (RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

struct sluice_port {
	/* constant after probe */
	struct rte_eth_dev *dev;
	uint16_t port_id;
	int socket;
	struct sluice_args args;
	char label[128]; /* names the device in messages: path=... or its PCI address */
	struct sluice_transport *transport;
	struct dmap_publisher publisher;
	struct dmap_domain *domain;
	struct dmap_coherent rings; /* a slice for each virtqueue */
	size_t slice_len;
	/* protected by lock */
	pthread_mutex_t lock;
	struct sluice_device_info info; /* of the device that is, or was last, connected */
	bool has_info;
	uint64_t features; /* that the port runs with; fixed while it is started */
	const struct sluice_rx_path *rx_path;
	const struct sluice_tx_path *tx_path;
	bool is_started;
	bool is_live;
	bool is_link_up; /* when the control thread looked last */
	struct sluice_ctrl ctrl;
	struct sluice_watch watch[2 * SLUICE_PAIRS_MAX]; /* by virtqueue */
	enum sluice_fail failure; /* why the port is failed; SLUICE_FAIL_NONE: it is not */
	uint64_t nb_failures;
	uint64_t nb_connects;
	uint64_t nb_tx_lost; /* packets that a device had when it went away */
	struct sluice_intr intr;
	/* control thread */
	pthread_t thread;
	bool has_thread;
	int wake_fd;
	uint32_t is_closing; /* atomic */
};

/* Features that the device arguments and the configuration ask for. */
uint64_t sluice_dev_wanted_features(const struct sluice_port *port);

/* A device is connected: may the port use it? Logs why not. */
int sluice_dev_accept(struct sluice_port *port, const struct sluice_device_info *info);

/*
 * dev_start: choose features and paths, go live if a device is there. On error the port is not started and
 * not connected.
 */
int sluice_dev_start(struct sluice_port *port);

/* dev_stop: the device stops, all mbufs go back to their pools. */
void sluice_dev_stop(struct sluice_port *port);

/* Connected and started: memory, rings, DRIVER_OK. On error nothing runs; the caller disconnects. */
int sluice_dev_go_live(struct sluice_port *port);

/*
 * The rings stop and the mbufs go back to their pools. With a device that still listens (is_graceful) it is
 * told; otherwise the connection must be cut by the caller, before or after.
 */
void sluice_dev_go_down(struct sluice_port *port, bool is_graceful);

/*
 * What the device says now. Any thread, no lock needed. Where the transport has no registers: that all is
 * well. A device that is in trouble is reported to the control thread.
 */
void sluice_dev_state(struct sluice_port *port, struct sluice_device_state *state);

/*
 * Is what the device only reads of the rings out of its reach for writing? A device that translates addresses by
 * itself keeps the rights that it was told, or does not; and a vhost back end, which does so, may need all of them.
 */
static inline bool
sluice_dev_has_ro_rings(const struct sluice_port *port)
{
	bool is_wanted = port->args.has_ro_rings ? port->args.is_ro_rings : !port->info.has_ats;

	/* Where the device is told what it may see, rights are not among it. */
	return is_wanted && port->transport->ops->publish == NULL;
}

/* Bytes that one virtqueue needs in port->rings; room for any layout at the largest size. */
size_t sluice_dev_slice_len(const struct sluice_args *args);

/* Slots of a virtqueue's ring for nb_desc asked descriptors, with these features and this device. */
uint16_t sluice_dev_ring_size(const struct sluice_port *port, uint16_t vq, uint16_t nb_desc);

/* How to kick a virtqueue that was started: the transport's register, or else the eventfd. */
struct sluice_doorbell sluice_dev_doorbell(
		const struct sluice_port *port, uint16_t vq, bool is_packed, int kick_fd);

/*
 * Wake each thread that sleeps on a receive queue: what it waits for may never come, or has to be asked for
 * again. Any thread.
 */
void sluice_intr_wake(const struct sluice_port *port);
/* Wait until no thread asks a queue for interrupts; those that come see that the queue is not RUNNING. */
void sluice_intr_settle(struct sluice_port *port);

/* Control thread (sluice_conn.c); no lock held. */
int sluice_conn_start(struct sluice_port *port);
/* Waits for its end, unless it is the caller: then it ends without another look at the port. */
void sluice_conn_stop(struct sluice_port *port);
/* Have the control thread look at the port now. Any thread, polling cores included. */
void sluice_conn_wake(struct sluice_port *port);

/* ethdev face of a change that the control thread saw; no lock held. */
void sluice_ethdev_link_changed(struct sluice_port *port);
void sluice_ethdev_failed(struct sluice_port *port);

#endif /* SLUICE_DEV_H */
