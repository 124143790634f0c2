/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_packets.h"

#include <errno.h>
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#define UDP_CKSUM (RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4)
#define TSO_MSS 1460
#define TCP_SEG (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM)

static const struct {
	const char *name;
	uint64_t offloads; /* of the port */
	uint64_t flags;    /* of each packet */
} kinds[NB_PACKETS] = {
	[PACKETS_PLAIN] = { .name = "plain" },
	[PACKETS_CLONES] = { .name = "clones" },
	[PACKETS_SHARED] = { .name = "shared" },
	[PACKETS_POOLS] = { .name = "pools" },
	[PACKETS_CSUM] = { "csum", RTE_ETH_TX_OFFLOAD_UDP_CKSUM, UDP_CKSUM },
	[PACKETS_IPV4] = { "ipv4", RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM,
			UDP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM },
	[PACKETS_VLAN] = { "vlan", RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
			UDP_CKSUM | RTE_MBUF_F_TX_VLAN },
	[PACKETS_TSO] = { "tso",
			RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
					RTE_ETH_TX_OFFLOAD_TCP_TSO,
			TCP_SEG },
};

const char *
bench_packets_name(enum bench_packets kind)
{
	return kinds[kind].name;
}

uint64_t
bench_packets_offloads(enum bench_packets kind)
{
	return kinds[kind].offloads;
}

unsigned int
bench_packets_wire_len(const struct bench_port *port, enum bench_packets kind)
{
	return port->frame_len + (kinds[kind].flags & RTE_MBUF_F_TX_VLAN ? RTE_VLAN_HLEN : 0);
}

/* The frame that all have (bench_port.c) is UDP over IPv4; what stands behind IPv4 nobody reads. */
static void
ask(const struct bench_port *port, struct rte_mbuf *m, uint64_t flags)
{
	m->ol_flags |= flags;
	m->vlan_tci = 1;
	m->l2_len = RTE_ETHER_HDR_LEN;
	m->l3_len = sizeof(struct rte_ipv4_hdr);
	if (!(flags & RTE_MBUF_F_TX_TCP_SEG))
		return;
	m->l4_len = sizeof(struct rte_tcp_hdr);
	/* as they are on the wire, two at least */
	m->tso_segsz = RTE_MIN((port->frame_len - m->l2_len - m->l3_len - m->l4_len + 1) / 2,
			(unsigned int)TSO_MSS);
}

static int
alloc(struct bench_port *port, unsigned int pool, struct rte_mbuf **m, unsigned int nb)
{
	if (rte_pktmbuf_alloc_bulk(port->pool[pool], m, nb) == 0)
		return 0;
	fprintf(stderr, "sluice-bench: %s: the Tx pool ran dry\n", port->name);
	return -ENOMEM;
}

/* Packets of `nb_segs` mbufs each, from the pool's mbufs in `m`, into `pkts`. */
static void
join_segments(const struct bench_port *port, struct rte_mbuf **m, struct rte_mbuf **pkts,
		uint16_t nb, unsigned int nb_segs)
{
	const uint16_t rest = port->frame_len / nb_segs;
	uint16_t i;
	unsigned int k;

	for (i = 0; i < nb; i++, m += nb_segs) {
		pkts[i] = m[0];
		m[0]->pkt_len = port->frame_len;
		m[0]->data_len = port->frame_len - rest * (nb_segs - 1);
		m[0]->nb_segs = nb_segs;
		for (k = 1; k < nb_segs; k++) {
			m[k]->data_len = rest;
			m[k - 1]->next = m[k];
		}
	}
}

/* The driver finds packets of one pool beside those of another. */
static int
alloc_mixed(struct bench_port *port, struct rte_mbuf **m, uint16_t nb)
{
	struct rte_mbuf *half[2][BENCH_MAX_BURST];
	uint16_t i;

	if (alloc(port, POOL_TX, half[0], (nb + 1) / 2) != 0)
		return -ENOMEM;
	if (nb > 1 && alloc(port, POOL_TX2, half[1], nb / 2) != 0) {
		rte_pktmbuf_free_bulk(half[0], (nb + 1) / 2);
		return -ENOMEM;
	}
	for (i = 0; i < nb; i++)
		m[i] = half[i % 2][i / 2];
	return 0;
}

int
bench_packets_init(struct bench_port *port, const struct bench_opts *opts)
{
	const uint16_t burst = opts->bursts.v[0];
	int ret;

	if (opts->packets != PACKETS_CLONES)
		return 0;
	ret = alloc(port, POOL_TX, port->original, burst);
	if (ret != 0)
		return ret;
	port->nb_originals = burst;
	join_segments(port, port->original, port->original, burst, 1);
	return 0;
}

int
bench_packets_build(struct bench_port *port, const struct bench_opts *opts, struct rte_mbuf **pkts)
{
	struct rte_mbuf *m[BENCH_MAX_BURST * BENCH_MAX_SEGS];
	const uint16_t burst = opts->bursts.v[0];
	uint16_t i;
	int ret;

	if (opts->packets == PACKETS_POOLS)
		ret = alloc_mixed(port, m, burst);
	else
		ret = alloc(port, POOL_TX, m, burst * opts->nb_segs);
	if (ret != 0)
		return ret;
	join_segments(port, m, pkts, burst, opts->nb_segs);
	for (i = 0; i < burst && opts->packets == PACKETS_CLONES; i++)
		rte_pktmbuf_attach(pkts[i], port->original[i]);
	for (i = 0; i < burst && kinds[opts->packets].flags != 0; i++)
		ask(port, pkts[i], kinds[opts->packets].flags);
	for (i = 0; i < burst && opts->packets == PACKETS_SHARED; i++)
		rte_mbuf_refcnt_set(pkts[i], 2);
	return 0;
}

void
bench_packets_done(const struct bench_opts *opts, struct rte_mbuf **pkts, uint16_t nb)
{
	if (opts->packets == PACKETS_SHARED)
		rte_pktmbuf_free_bulk(pkts, nb);
}

void
bench_packets_fini(struct bench_port *port)
{
	rte_pktmbuf_free_bulk(port->original, port->nb_originals);
	port->nb_originals = 0;
}
