/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What known applications ask of a port before its first packet, as their sources of 2024 to 2026
 * have it: sizes, offloads, hash types, and the calls without which they do not go on. Numbers of
 * queues are those of a small machine. "May" is what an application asks of a port that has it.
 */

#ifndef APPLICATIONS_H
#define APPLICATIONS_H

#include <rte_ethdev.h>

#define RSS_KEY_MAX 255
#define KEY_OF_PORT RSS_KEY_MAX /* as long as the port says */
#define RING_OF_PORT 0          /* its default */
#define RING_LARGEST UINT16_MAX /* the largest that it has */

/* What is done, beside configure, set-up of queues and start. */
enum {
	RSS_MASKED = 1 << 0, /* hash types that the port has, only */
	RSS_STAYS = 1 << 1,  /* the mode is RSS also when none of them remains */
	ADJUST = 1 << 2,     /* ring sizes through rte_eth_dev_adjust_nb_rx_tx_desc() */
	CLAMP = 1 << 3,      /* ring sizes through its own minimum with the port's limits */
	LSC = 1 << 4,        /* events of the link, if the port has them */
	RXQ_INTR = 1 << 5,
	MTU_MUST = 1 << 6, /* no answer of set_mtu but 0 will do */
	PROMISC = 1 << 7,
	ALLMULTI = 1 << 8,
	MC_LIST = 1 << 9,
	EARLY = 1 << 10, /* filters, address and hash are asked before the port is configured */
	TWICE = 1 << 11, /* configured, and configured again */
	RETA = 1 << 12,  /* the table is written and read */
	HASH_GET = 1 << 13,
	FLOW_CTRL = 1 << 14,
	QUEUE_NAMES = 1 << 15, /* extended statistics of each queue, by name */
	PTYPES = 1 << 16,
	LINK_UP = 1 << 17,        /* nothing happens before the link is up */
	RESTART = 1 << 18,        /* stopped, given its MTU, started */
	OWN_THRESHOLDS = 1 << 19, /* those of old NICs, instead of the port's */
};

struct application {
	const char *name;
	uint16_t nb_rx, nb_tx, nb_rxd, nb_txd;
	uint64_t rss_hf;
	uint8_t key_len; /* 0: without a key */
	uint64_t rx_must, rx_may, tx_must, tx_may;
	uint16_t mtu; /* of configure; 0: none, as below. More than the port's is cut. */
	uint16_t set_mtu;
	uint32_t calls;
};

#define TX_CHECKSUM \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | \
			RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
#define FAST_FREE RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE
#define IP_UDP_TCP (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP)
#define PORTS_OF_TCP_UDP \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | \
			RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static const struct application applications[] = {
	{ .name = "dperf",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 4096,
			.nb_txd = 4096,
			.tx_may = TX_CHECKSUM,
			.calls = CLAMP | PROMISC | ALLMULTI },
	{ .name = "dperf-rss",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 4096,
			.nb_txd = 4096,
			.rss_hf = PORTS_OF_TCP_UDP,
			.tx_may = TX_CHECKSUM,
			.calls = RSS_MASKED | RSS_STAYS | CLAMP | PROMISC | ALLMULTI },
	{ .name = "dpvs",
			.nb_rx = 4,
			.nb_tx = 4,
			.nb_rxd = 256,
			.nb_txd = 512,
			.rss_hf = RTE_ETH_RSS_TCP,
			.rx_may = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP,
			.tx_may = TX_CHECKSUM | FAST_FREE,
			.mtu = 1500,
			.set_mtu = 1500,
			.calls = RSS_MASKED | RSS_STAYS | MTU_MUST | LINK_UP | RETA | MC_LIST },
	{ .name = "f-stack",
			.nb_rx = 4,
			.nb_tx = 4,
			.nb_rxd = 512,
			.nb_txd = 512,
			.rss_hf = RTE_ETH_RSS_PROTO_MASK,
			.key_len = 40,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = TX_CHECKSUM | FAST_FREE,
			.calls = RSS_MASKED | ADJUST | RETA | PROMISC },
	{ .name = "gatekeeper",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 512,
			.nb_txd = 128,
			.rss_hf = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 |
					RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |
					RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
					RTE_ETH_RSS_IPV6_EX,
			.key_len = KEY_OF_PORT,
			.tx_may = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
			.mtu = 1500,
			.calls = RSS_MASKED | EARLY | ALLMULTI | LSC | RETA | HASH_GET | MC_LIST },
	{ .name = "grout",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = RING_OF_PORT,
			.nb_txd = RING_OF_PORT,
			.rss_hf = IP_UDP_TCP | RTE_ETH_RSS_C_VLAN | RTE_ETH_RSS_S_VLAN |
					RTE_ETH_RSS_LEVEL_INNERMOST,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP,
			.set_mtu = 1500,
			.calls = RSS_MASKED | LSC | ALLMULTI | RESTART | MTU_MUST | PROMISC },
	{ .name = "odp",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = IP_UDP_TCP,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = TX_CHECKSUM,
			.set_mtu = 1500,
			.calls = RSS_MASKED | TWICE | EARLY | ADJUST | ALLMULTI },
	{ .name = "ovs",
			.nb_rx = 2,
			.nb_tx = 3,
			.nb_rxd = 2048,
			.nb_txd = 2048,
			.rss_hf = IP_UDP_TCP,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = TX_CHECKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM |
					RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM |
					RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM |
					RTE_ETH_TX_OFFLOAD_TCP_TSO,
			.set_mtu = 1500,
			.calls = RSS_MASKED | CLAMP | LSC | FLOW_CTRL | QUEUE_NAMES | PROMISC |
					ALLMULTI },
	{ .name = "pcapplusplus",
			.nb_rx = 4,
			.nb_tx = 4,
			.nb_rxd = 128,
			.nb_txd = 512,
			.rss_hf = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6,
			.key_len = 40,
			.calls = QUEUE_NAMES | PROMISC | LINK_UP },
	{ .name = "pktgen",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = IP_UDP_TCP | RTE_ETH_RSS_SCTP | RTE_ETH_RSS_L2_PAYLOAD,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = TX_CHECKSUM | FAST_FREE,
			.mtu = 1518,
			.set_mtu = 1518,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | PTYPES | MTU_MUST | PROMISC },
	{ .name = "seastar",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 512,
			.nb_txd = 512,
			.rss_hf = UINT64_MAX,
			.key_len = 40,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP,
			.tx_may = TX_CHECKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |
					RTE_ETH_TX_OFFLOAD_SCTP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
					RTE_ETH_TX_OFFLOAD_UDP_TSO,
			.calls = RSS_MASKED | RSS_STAYS | FLOW_CTRL | RETA | QUEUE_NAMES |
					LINK_UP },
	{ .name = "suricata-ids",
			.nb_rx = 2,
			.nb_tx = 0,
			.nb_rxd = RING_LARGEST,
			.rss_hf = RTE_ETH_RSS_IP,
			.key_len = 40,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.mtu = 1500,
			.set_mtu = 1500,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | ALLMULTI | PROMISC },
	{ .name = "suricata-ips",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 4096,
			.nb_txd = 4096,
			.rss_hf = RTE_ETH_RSS_IP,
			.key_len = 40,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.mtu = 1500,
			.set_mtu = 1500,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | ALLMULTI | PROMISC },
	{ .name = "trex",
			.nb_rx = 4,
			.nb_tx = 4,
			.nb_rxd = 512,
			.nb_txd = 1024,
			.rss_hf = PORTS_OF_TCP_UDP,
			.key_len = KEY_OF_PORT,
			.rx_must = RTE_ETH_RX_OFFLOAD_SCATTER,
			.tx_may = TX_CHECKSUM,
			.tx_must = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			.calls = RSS_MASKED | OWN_THRESHOLDS | FLOW_CTRL | PROMISC | ALLMULTI |
					LINK_UP },
	{ .name = "trex-astf",
			.nb_rx = 2,
			.nb_tx = 4,
			.nb_rxd = 512,
			.nb_txd = 1024,
			.rss_hf = PORTS_OF_TCP_UDP,
			.key_len = KEY_OF_PORT,
			.rx_must = RTE_ETH_RX_OFFLOAD_SCATTER,
			.tx_must = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			.tx_may = TX_CHECKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
					RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
			.calls = OWN_THRESHOLDS | FLOW_CTRL | RETA | PROMISC | ALLMULTI | LINK_UP },
	{ .name = "vpp",
			.nb_rx = 1,
			.nb_tx = 3,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rx_may = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_SCATTER,
			.tx_may = TX_CHECKSUM | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM |
					RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM |
					RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			.mtu = 9000,
			.set_mtu = 9000,
			.calls = PROMISC | ALLMULTI },
	{ .name = "vpp-queues",
			.nb_rx = 4,
			.nb_tx = 3,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = IP_UDP_TCP,
			.rx_may = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_SCATTER,
			.tx_may = TX_CHECKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			.mtu = 9000,
			.set_mtu = 9000,
			.calls = RSS_MASKED | RSS_STAYS | PROMISC | ALLMULTI },

	/* DPDK's examples */
	{ .name = "distributor",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = IP_UDP_TCP | RTE_ETH_RSS_SCTP,
			.tx_may = FAST_FREE,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | LINK_UP | PROMISC },
	{ .name = "ip_fragmentation",
			.nb_rx = 1,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rx_must = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER,
			.tx_must = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			.mtu = 9710,
			.set_mtu = 9710,
			.calls = ADJUST | MTU_MUST | PROMISC },
	{ .name = "ipsec-secgw",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = IP_UDP_TCP | RTE_ETH_RSS_SCTP,
			.rx_must = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | FAST_FREE,
			.mtu = 1500,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | PTYPES | PROMISC },
	{ .name = "l2fwd",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.tx_may = FAST_FREE,
			.calls = ADJUST | PTYPES | PROMISC },
	{ .name = "l3fwd",
			.nb_rx = 3,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = RTE_ETH_RSS_IP,
			.rx_must = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | PROMISC },
	{ .name = "l3fwd-power",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = RTE_ETH_RSS_UDP,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.calls = RSS_MASKED | ADJUST | RXQ_INTR },
	{ .name = "qos_meter",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = RTE_ETH_RSS_IP,
			.rx_must = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | PROMISC },
	{ .name = "skeleton",
			.nb_rx = 1,
			.nb_tx = 1,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.tx_may = FAST_FREE,
			.calls = ADJUST | PROMISC },
	{ .name = "symmetric_mp",
			.nb_rx = 2,
			.nb_tx = 2,
			.nb_rxd = 1024,
			.nb_txd = 1024,
			.rss_hf = RTE_ETH_RSS_IP,
			.rx_may = RTE_ETH_RX_OFFLOAD_CHECKSUM,
			.tx_may = FAST_FREE,
			.calls = RSS_MASKED | RSS_STAYS | ADJUST | PROMISC },
};

#endif /* APPLICATIONS_H */
