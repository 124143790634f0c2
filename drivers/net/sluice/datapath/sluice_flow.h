/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Rules (rte_flow) on received packets, where software spreads them: what matches one goes to its
 * queues, or is dropped; what matches none goes where the redirection table has it.
 *
 * A packet's headers become a key of fixed form, and a rule is a value and a mask of such keys: the
 * first one that fits counts. Everything in a packet comes from outside. A header that is cut off,
 * or is not what the one before it says, is not there, and so are ports of a fragment: all parts of
 * a packet go the same way.
 */

#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "sluice_rss.h"

/* Each packet is compared with one after the other. */
#define SLUICE_FLOW_RULES_MAX 64

/* Headers behind that of Ethernet. */
#define SLUICE_FLOW_VLAN 0x01 /* one tag, also if it was taken off */
#define SLUICE_FLOW_IPV4 0x02 /* behind at most one tag, as those that follow */
#define SLUICE_FLOW_IPV6 0x04
#define SLUICE_FLOW_TCP 0x08 /* right behind IP: no extension headers */
#define SLUICE_FLOW_UDP 0x10
#define SLUICE_FLOW_SCTP 0x20

/* What rules can look at: in network order, 0 where a header is not there. */
struct sluice_flow_key {
	struct rte_ether_hdr eth; /* as it was on the wire, before a tag was taken off */
	struct rte_vlan_hdr vlan;
	rte_be16_t ports[2];  /* of source and destination */
	uint8_t proto;        /* IPv6: what follows its header */
	uint8_t layers;       /* SLUICE_FLOW_... */
	uint8_t src_addr[16]; /* IPv4: the first four bytes */
	uint8_t dst_addr[16];
};

union sluice_flow_bits {
	struct sluice_flow_key key;
	uint64_t words[sizeof(struct sluice_flow_key) / sizeof(uint64_t)];
};
static_assert(sizeof(union sluice_flow_bits) == sizeof(struct sluice_flow_key), "whole words");

/* What matched a rule; atomic, of all cores. */
struct sluice_flow_count {
	uint64_t packets;
	uint64_t bytes;
};

struct sluice_flow_rule {
	union sluice_flow_bits value, mask; /* nothing is in value that is not in mask */
	struct sluice_flow_count *count;    /* NULL: nobody asked for it */
	uint8_t nb_queues;                  /* 0: drop; among several the hash chooses */
	uint8_t queues[SLUICE_SPREAD_QUEUES_MAX];
};

/* In the order in which they are asked. Nobody changes one that cores may see. */
struct sluice_flows {
	uint32_t nb;
	struct sluice_flow_rule rules[SLUICE_FLOW_RULES_MAX];
};

/* What a packet has; false: not even an Ethernet header. */
bool sluice_flow_look(union sluice_flow_bits *bits, const struct rte_mbuf *m);

/* The queue for a packet, or one of these. Counts it. */
#define SLUICE_FLOW_NONE UINT16_MAX /* no rule says anything of it */
#define SLUICE_FLOW_DROP (UINT16_MAX - 1)
uint16_t sluice_flow_queue(const struct sluice_flows *flows, const struct rte_mbuf *m);

#endif /* SLUICE_FLOW_H */
