/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packet types of received packets, by a look at their headers: no virtio device tells them
 * (5.1.6.4). For who asks (sluice_rx_stage.h).
 */

#ifndef SLUICE_PTYPE_H
#define SLUICE_PTYPE_H

#include <stdint.h>

struct rte_mbuf;

/* The families that are told of, RTE_PTYPE_*_MASK. */
#define SLUICE_PTYPE_FAMILIES (RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK)

/*
 * Into mbuf.packet_type of each packet, of these families: as rte_net_get_ptype() has it, but that
 * one or more VLAN tags are named by the outermost. Reads nothing beyond the packet.
 */
void sluice_ptype_burst(struct rte_mbuf **pkts, uint16_t nb, uint32_t families);

#endif /* SLUICE_PTYPE_H */
