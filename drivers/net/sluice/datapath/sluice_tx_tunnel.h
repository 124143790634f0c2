/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Outer headers of packets to be sent: IPv4 checksums, and segments in UDP tunnels
 * (HOST_UDP_TUNNEL_GSO of virtio 1.4, 5.1.6.2). Part of sluice_tx_offload.c.
 */

#ifndef SLUICE_TX_TUNNEL_H
#define SLUICE_TX_TUNNEL_H

#include "sluice_tx_sum.h"

#define SLUICE_TX_OUTER_IP_FLAGS (RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6)
#define SLUICE_TX_OUTER_SUM_FLAGS (RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM)
#define SLUICE_TX_IPV4_HDR_MAX 60

/*
 * Flags of outer headers that contradict each other, if the packet has some or asks for their sums.
 * Devices segment what is in UDP tunnels, and complete the sum of UDP only of that.
 */
static bool
sluice_tx_has_bad_outer_flags(const struct sluice_txq *txq, uint64_t flags)
{
	const uint64_t ip = flags & SLUICE_TX_OUTER_IP_FLAGS,
		       tunnel = flags & RTE_MBUF_F_TX_TUNNEL_MASK;

	if ((flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) && ip != RTE_MBUF_F_TX_OUTER_IPV4)
		return true;
	if ((flags & SLUICE_TX_GSO_FLAGS) == 0)
		return (flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0;
	if (txq->hdr_len != SLUICE_NET_HDR_TUNNEL_LEN || ip == 0 || ip == SLUICE_TX_OUTER_IP_FLAGS)
		return true;
	return tunnel != RTE_MBUF_F_TX_TUNNEL_VXLAN && tunnel != RTE_MBUF_F_TX_TUNNEL_GENEVE &&
			tunnel != RTE_MBUF_F_TX_TUNNEL_UDP;
}

/* Lengths of the outer headers of a packet that asks for their sums, or for segments. */
static bool
sluice_tx_has_bad_outer_lengths(const struct rte_mbuf *m)
{
	const uint64_t flags = m->ol_flags;
	const uint32_t l3_min = flags & RTE_MBUF_F_TX_OUTER_IPV6 ? sizeof(struct rte_ipv6_hdr) :
								   sizeof(struct rte_ipv4_hdr);

	if (m->outer_l2_len < RTE_ETHER_HDR_LEN || m->outer_l3_len < l3_min)
		return true;
	if ((flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) &&
			(m->outer_l3_len > SLUICE_TX_IPV4_HDR_MAX ||
					m->outer_l3_len % sizeof(uint32_t) != 0))
		return true;
	return (flags & SLUICE_TX_GSO_FLAGS) && m->l2_len < sizeof(struct rte_udp_hdr);
}

/*
 * Sums of the outer headers of a packet, which begins at data: IPv4, and of one to be segmented
 * that of UDP, which the device completes; or none, as in a tunnel that has none (5.1.6.2.1).
 */
static inline void
sluice_tx_write_outer_cksums(const struct rte_mbuf *m, uint8_t *data)
{
	const uint64_t flags = m->ol_flags;
	uint8_t *ip = data + m->outer_l2_len, *udp = ip + m->outer_l3_len;
	uint8_t *cksum = udp + offsetof(struct rte_udp_hdr, dgram_cksum);

	if (flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM)
		sluice_tx_write_ipv4_cksum(ip, m->outer_l3_len);
	if (flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM)
		sluice_tx_put_pseudo_header(ip, (flags & RTE_MBUF_F_TX_OUTER_IPV6) != 0,
				IPPROTO_UDP, m->pkt_len - (udp - data), cksum);
	else if (flags & SLUICE_TX_GSO_FLAGS)
		memset(cksum, 0, sizeof(uint16_t));
}

/*
 * The rest of a longer net header: no hash, and what it says of the tunnel that segments are in.
 * The packet has nb_more bytes more in front of its headers than it says.
 */
static __rte_noinline void
sluice_tx_put_rest(const struct sluice_txq *txq, const struct rte_mbuf *m, uint32_t nb_more,
		void *place)
{
	const uint64_t flags = m->ol_flags;
	const uint16_t outer_th = m->outer_l2_len + m->outer_l3_len + nb_more;
	const uint16_t inner_nh = outer_th + m->l2_len;
	uint8_t *hdr = place;

	sluice_tx_clear_hash(hdr, txq->hdr_len);
	if (!(flags & SLUICE_TX_HAS_OUTER) || !(flags & SLUICE_TX_GSO_FLAGS))
		return;
	if (flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM)
		hdr[offsetof(struct sluice_net_hdr, flags)] |= SLUICE_NET_HDR_F_UDP_TUNNEL_CSUM;
	hdr[offsetof(struct sluice_net_hdr, gso_type)] |= flags & RTE_MBUF_F_TX_OUTER_IPV6 ?
			SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV6 :
			SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV4;
	memcpy(hdr + offsetof(struct sluice_net_hdr_tunnel, outer_th_offset), &outer_th,
			sizeof(outer_th));
	memcpy(hdr + offsetof(struct sluice_net_hdr_tunnel, inner_nh_offset), &inner_nh,
			sizeof(inner_nh));
}

static_assert(SLUICE_NET_HDR_TUNNEL_LEN + SLUICE_TX_HEADERS_MAX + sizeof(struct rte_vlan_hdr) <=
				SLUICE_TX_EXTRA_LEN,
		"a copy of all headers");

#endif /* SLUICE_TX_TUNNEL_H */
