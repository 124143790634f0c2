/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port without EAL and ethdev: its queues, a pool, and a fake transport. Stands in for
 * sluice_ethdev.c and sluice_probe.c.
 */

#ifndef FAKE_PORT_H
#define FAKE_PORT_H

#include <ethdev_driver.h>

#include "fake_dev.h"
#include "fake_transport.h"
#include "sluice_life.h"

#define FAKE_PAIRS_MAX 2

/* What a device is asked for on its control queue, beside the number of pairs. */
#define FAKE_CTRL_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_CTRL_RX) | SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_MAC_ADDR) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE))

struct fake_port_conf {
	bool is_pci;
	bool is_server;
	bool is_split;     /* asked for */
	uint16_t nb_pairs; /* 0: one */
	uint16_t size;     /* slots of a ring; 0: 64 */
	uint64_t rx_offloads;
	unsigned int pool_flags;
	bool has_ctrl;   /* a control queue also with one pair, and all that is asked for by it */
	bool is_checked; /* dma_debug=1 */
};

struct fake_port {
	struct fake_port_conf conf;
	struct rte_eth_dev dev;
	struct rte_eth_dev_data data;
	void *rx_queues[FAKE_PAIRS_MAX];
	void *tx_queues[FAKE_PAIRS_MAX];
	struct sluice_rxq rxq[FAKE_PAIRS_MAX];
	struct sluice_txq txq[FAKE_PAIRS_MAX];
	struct sluice_port *port;
	struct fake_transport ft;
	struct fake_pool *pool;
	struct sluice_life_news news; /* of the last turn */
	unsigned int nb_fds;          /* of the process, before the port was made */
	/* What ethdev was told. */
	unsigned int nb_link_changed, nb_failed, nb_set_bursts;
	void (*on_failed)(struct fake_port *f); /* as a callback of the application */
};

/*
 * Not probed yet: there is a device, nobody has reached for it. Receive queues, one transmit queue
 * for each.
 */
struct fake_port *fake_port_open(const struct fake_port_conf *conf);
/* Closed and gone; every mbuf must be back, no descriptor left. */
void fake_port_close(struct fake_port *f);
struct fake_port *fake_port_of(const struct sluice_port *port);

/* A turn of the control thread. */
void fake_port_turn(struct fake_port *f, enum sluice_news news);
/*
 * Turns until the port is in this state, time going on by 1 ms with each; fails the test after ms.
 */
void fake_port_await(struct fake_port *f, enum sluice_life life, unsigned int ms);
/* From one that was just opened to one that is live. */
void fake_port_live(struct fake_port *f);
/* All that is parked goes back, as time passes. */
void fake_port_unpark(struct fake_port *f);

/* One packet of 60 bytes to the device; false: it was not taken. */
bool fake_port_send(struct fake_port *f);
/* A burst of the receive queue with the port's functions. */
uint16_t fake_port_receive(struct fake_port *f, struct rte_mbuf **pkts, uint16_t nb);
/* The other side of queue vq as it was started last. */
void fake_port_device(struct fake_port *f, uint16_t vq, struct fake_dev *dev);

#endif /* FAKE_PORT_H */
