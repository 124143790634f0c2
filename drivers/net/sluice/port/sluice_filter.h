/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which packets the device shall deliver: what the application asked for, and how a device with a
 * control queue is told (virtio 1.3, 5.1.6.5.1 to 5.1.6.5.3). Without one nothing is filtered, and
 * everything is only remembered: the next device may have one.
 *
 * With port->lock held. All return 0, or the error of the command (sluice_ctrl.h), logged; then
 * what was asked for before stays.
 */

#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "sluice_ctrl.h"

struct sluice_port;

/* Addresses that ethdev keeps of a port, its own included. */
#define SLUICE_MACS_MAX 64
/* Multicast addresses; an application that asks for more gets all multicast. */
#define SLUICE_MULTICAST_MAX 512
#define SLUICE_VLANS_MAX 4096
/* A change takes two commands at most. */
#define SLUICE_FILTER_MS (2 * SLUICE_CTRL_MS)

struct sluice_filter {
	bool is_promiscuous;
	bool is_all_multicast;
	/* By ethdev's index; 0: the port's own. Zero: none. */
	struct rte_ether_addr added[SLUICE_MACS_MAX];
	struct rte_ether_addr multicast[SLUICE_MULTICAST_MAX];
	uint32_t nb_multicast; /* asked for; more than there is room for: all */
	uint64_t vlans[SLUICE_VLANS_MAX / 64];
	bool is_lro_off; /* although it was negotiated */
	/* The device did not take the addresses: it delivers all instead. */
	bool is_table_refused;
	bool was_refusal_told, was_excess_told;
};

int sluice_filter_set_promiscuous(struct sluice_port *port, bool is_on);
int sluice_filter_set_all_multicast(struct sluice_port *port, bool is_on);
/* index: ethdev's, below SLUICE_MACS_MAX; 0 is the port's own address. NULL: none any more. */
int sluice_filter_set_mac(
		struct sluice_port *port, uint32_t index, const struct rte_ether_addr *addr);
int sluice_filter_set_multicast(
		struct sluice_port *port, const struct rte_ether_addr *addrs, uint32_t nb);
/* id below SLUICE_VLANS_MAX. */
int sluice_filter_set_vlan(struct sluice_port *port, uint16_t id, bool is_on);
/*
 * What was negotiated of LRO, while the device runs and whenever it starts. -ENOTSUP: the port was
 * not configured with LRO, or its device, or the last one, has no CTRL_VQ or CTRL_GUEST_OFFLOADS.
 */
int sluice_filter_set_lro(struct sluice_port *port, bool is_on);

/* A device that just started is told everything. What it does not take is logged in one line. */
void sluice_filter_apply(struct sluice_port *port);

#endif /* SLUICE_FILTER_H */
