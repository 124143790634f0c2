/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * UDP segmentation by whoever is between two ports: the first one sends packets of up to 64 KiB
 * that ask for it, and the second one must get their segments, which are looked at byte by byte.
 *
 *     udp_segments EAL-OPTIONS [-- vxlan]
 *
 * vxlan: each packet is in a tunnel, and so is each segment.
 * Prints "ready", begins with a line of input, and ends with the first packet that goes wrong.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#define SEGMENT 1448 /* bytes of payload */
#define DEADLINE_S 20
#define BURST 32
#define UDP_PORT 5000
#define IP_PAYLOAD_MAX (UINT16_MAX - sizeof(struct rte_ipv4_hdr) - sizeof(struct rte_udp_hdr))

struct headers {
	struct rte_ether_hdr ether;
	union {
		struct {
			struct rte_ipv4_hdr ip;
			struct rte_udp_hdr udp;
		} v4;
		struct {
			struct rte_ipv6_hdr ip;
			struct rte_udp_hdr udp;
		} v6;
	};
};

struct outer {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
};

static struct rte_mempool *pool;
static bool has_vxlan;
static unsigned int nb_segments;

static void
expect(bool is_so, const char *what, uint32_t len)
{
	if (!is_so)
		rte_exit(EXIT_FAILURE, "udp_segments: %u bytes of payload: %s\n", len, what);
}

static void
open_port(uint16_t port)
{
	struct rte_eth_conf conf = { 0 };

	if (port == 0)
		conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
				RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port == 0 && has_vxlan)
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO |
				RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM |
				RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM;
	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL, pool) != 0 ||
			rte_eth_tx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL) != 0 ||
			rte_eth_dev_start(port) != 0)
		rte_exit(EXIT_FAILURE, "udp_segments: port %u does not start\n", port);
}

static uint16_t
hdr_len(bool is_ipv6)
{
	return RTE_ETHER_HDR_LEN + sizeof(struct rte_udp_hdr) +
			(is_ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr));
}

static uint8_t
payload_at(uint32_t n)
{
	return n % 251;
}

static void
write_ip(struct rte_ipv4_hdr *ip, uint16_t len)
{
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16(sizeof(*ip) + len);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(192, 0, 2, 1));
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(192, 0, 2, 2));
}

static void
write_headers(struct headers *h, bool is_ipv6, uint32_t len)
{
	const struct rte_udp_hdr udp = { .src_port = rte_cpu_to_be_16(UDP_PORT),
		.dst_port = rte_cpu_to_be_16(UDP_PORT),
		.dgram_len = rte_cpu_to_be_16(sizeof(udp) + len) };

	RTE_BUILD_BUG_ON(sizeof(*h) != RTE_ETHER_HDR_LEN + sizeof(h->v6.ip) + sizeof(h->v6.udp));
	memset(h, 0, hdr_len(is_ipv6));
	/* Of nobody, so what is between the ports floods it. */
	h->ether.src_addr.addr_bytes[0] = h->ether.dst_addr.addr_bytes[0] = 2;
	h->ether.dst_addr.addr_bytes[5] = 1;
	h->ether.ether_type = rte_cpu_to_be_16(is_ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (is_ipv6) {
		h->v6.ip.vtc_flow = rte_cpu_to_be_32(6U << 28);
		h->v6.ip.payload_len = udp.dgram_len;
		h->v6.ip.proto = IPPROTO_UDP;
		h->v6.ip.hop_limits = 64;
		((uint8_t *)&h->v6.ip)[8] = ((uint8_t *)&h->v6.ip)[24] = 0xfd;
		h->v6.udp = udp;
		return;
	}
	write_ip(&h->v4.ip, sizeof(udp) + len);
	h->v4.udp = udp;
}

/* The packet, whose headers are as they are to be, goes into a tunnel. */
static void
enclose(struct rte_mbuf *pkt)
{
	const uint16_t len = pkt->pkt_len + sizeof(struct rte_udp_hdr) +
			sizeof(struct rte_vxlan_hdr);
	struct outer *o = (struct outer *)rte_pktmbuf_prepend(pkt, sizeof(*o));

	RTE_BUILD_BUG_ON(sizeof(*o) != 50);
	memset(o, 0, sizeof(*o));
	o->ether = rte_pktmbuf_mtod_offset(pkt, struct headers *, sizeof(*o))->ether;
	o->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	write_ip(&o->ip, len);
	o->udp.src_port = rte_cpu_to_be_16(UDP_PORT);
	o->udp.dst_port = rte_cpu_to_be_16(RTE_VXLAN_DEFAULT_PORT);
	o->udp.dgram_len = rte_cpu_to_be_16(len);
	o->vxlan.vx_flags = rte_cpu_to_be_32(1U << 27);
	pkt->ol_flags |= RTE_MBUF_F_TX_TUNNEL_VXLAN | RTE_MBUF_F_TX_OUTER_IPV4 |
			RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
	pkt->outer_l2_len = sizeof(o->ether);
	pkt->outer_l3_len = sizeof(o->ip);
	pkt->l2_len += sizeof(o->udp) + sizeof(o->vxlan);
}

/* And the tunnel is taken away. */
static void
expose(struct rte_mbuf *m, uint32_t len)
{
	const struct outer *o = rte_pktmbuf_mtod(m, const struct outer *);
	const uint16_t ip_len = m->pkt_len - sizeof(o->ether);

	expect(m->pkt_len > sizeof(*o) && rte_be_to_cpu_16(o->ip.total_length) == ip_len &&
					rte_raw_cksum(&o->ip, sizeof(o->ip)) == 0xffff,
			"outer IPv4", len);
	expect(o->udp.dgram_cksum != 0 && rte_ipv4_udptcp_cksum_verify(&o->ip, &o->udp) == 0,
			"outer checksum", len);
	rte_pktmbuf_adj(m, sizeof(*o));
}

static struct rte_mbuf *
make(bool is_ipv6, uint32_t len)
{
	struct rte_mbuf *pkt = rte_pktmbuf_alloc(pool), *m = pkt;
	uint32_t n, at = 0;
	uint8_t *data;

	expect(pkt != NULL, "no mbuf", len);
	write_headers((struct headers *)rte_pktmbuf_append(pkt, hdr_len(is_ipv6)), is_ipv6, len);
	pkt->ol_flags = RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM |
			(is_ipv6 ? RTE_MBUF_F_TX_IPV6 :
				   RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
	pkt->l2_len = RTE_ETHER_HDR_LEN;
	pkt->l4_len = sizeof(struct rte_udp_hdr);
	pkt->l3_len = hdr_len(is_ipv6) - pkt->l2_len - pkt->l4_len;
	pkt->tso_segsz = SEGMENT;
	while (at < len) {
		m = rte_pktmbuf_alloc(pool);
		expect(m != NULL, "no mbuf", len);
		n = RTE_MIN(len - at, (uint32_t)rte_pktmbuf_tailroom(m));
		data = (uint8_t *)rte_pktmbuf_append(m, n);
		expect(rte_pktmbuf_chain(pkt, m) == 0, "too many mbufs", len);
		for (; n != 0; n--)
			*data++ = payload_at(at++);
	}
	if (has_vxlan)
		enclose(pkt);
	return pkt;
}

/* The one that begins at this byte of the payload; the bytes that it has. */
static uint32_t
check_segment(const struct rte_mbuf *m, bool is_ipv6, uint32_t len, uint32_t at)
{
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);
	const uint8_t *data = rte_pktmbuf_mtod_offset(m, const uint8_t *, hdr_len(is_ipv6));
	uint32_t n = RTE_MIN(len - at, (uint32_t)SEGMENT), i;

	expect(m->nb_segs == 1 && m->pkt_len == hdr_len(is_ipv6) + n, "length of a segment", len);
	if (is_ipv6) {
		expect(rte_be_to_cpu_16(h->v6.ip.payload_len) == sizeof(h->v6.udp) + n, "IPv6",
				len);
		expect(rte_ipv6_udptcp_cksum_verify(&h->v6.ip, &h->v6.udp) == 0, "checksum", len);
	} else {
		expect(rte_be_to_cpu_16(h->v4.ip.total_length) ==
								sizeof(h->v4.ip) +
										sizeof(h->v4.udp) +
										n &&
						rte_raw_cksum(&h->v4.ip, sizeof(h->v4.ip)) ==
								0xffff,
				"IPv4", len);
		expect(h->v4.udp.dgram_cksum != 0 &&
						rte_ipv4_udptcp_cksum_verify(
								&h->v4.ip, &h->v4.udp) == 0,
				"checksum", len);
	}
	for (i = 0; i < n; i++)
		expect(data[i] == payload_at(at + i), "payload", len);
	return n;
}

/* What the kernel says of itself is none. */
static bool
is_segment(const struct rte_mbuf *m)
{
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);

	return h->ether.dst_addr.addr_bytes[0] == 2 && h->ether.dst_addr.addr_bytes[5] == 1;
}

static void
go_through(bool is_ipv6, uint32_t len)
{
	const uint64_t end = rte_get_timer_cycles() + DEADLINE_S * rte_get_timer_hz();
	struct rte_mbuf *pkts[BURST], *pkt = make(is_ipv6, len);
	uint16_t nb, i;
	uint32_t at = 0;

	expect(rte_eth_tx_prepare(0, 0, &pkt, 1) == 1, "prepare", len);
	while (rte_eth_tx_burst(0, 0, &pkt, 1) == 0)
		expect(rte_get_timer_cycles() < end, "it is not taken", len);
	while (at < len) {
		expect(rte_get_timer_cycles() < end, "not all segments come", len);
		nb = rte_eth_rx_burst(1, 0, pkts, BURST);
		for (i = 0; i < nb; i++) {
			if (!is_segment(pkts[i]))
				continue;
			expect(at < len, "a segment too many", len);
			if (has_vxlan)
				expose(pkts[i], len);
			at += check_segment(pkts[i], is_ipv6, len, at);
			nb_segments++;
		}
		rte_pktmbuf_free_bulk(pkts, nb);
	}
}

int
main(int argc, char **argv)
{
	uint32_t sizes[] = { SEGMENT + 1, 3 * SEGMENT, 16000, IP_PAYLOAD_MAX };
	unsigned int i;
	uint16_t port;
	int nb_used = rte_eal_init(argc, argv);

	if (nb_used < 0)
		rte_exit(EXIT_FAILURE, "udp_segments: EAL\n");
	has_vxlan = argc > nb_used + 1 && strcmp(argv[nb_used + 1], "vxlan") == 0;
	if (has_vxlan)
		sizes[3] -= sizeof(struct outer) + sizeof(struct rte_ipv6_hdr) -
				sizeof(struct rte_ipv4_hdr);
	pool = rte_pktmbuf_pool_create(
			"pool", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "udp_segments: no pool\n");
	for (port = 0; port < 2; port++)
		open_port(port);
	printf("udp_segments: ready\n");
	fflush(stdout);
	getchar();
	for (i = 0; i < 2 * RTE_DIM(sizes); i++)
		go_through(i % 2 != 0, sizes[i / 2]);
	printf("udp_segments: %u packets, %u segments\n", i, nb_segments);
	for (port = 0; port < 2; port++)
		rte_eth_dev_stop(port);
	expect(rte_mempool_in_use_count(pool) == 0, "mbufs are lost", 0);
	return rte_eal_cleanup();
}
