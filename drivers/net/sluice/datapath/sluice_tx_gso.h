/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets to be segmented as most are: TCP in a buffer of its own, without outer headers, tag and
 * options of IPv4. Many in a row differ in nothing but addresses, numbers and payload, so what they
 * look like is found out once (struct sluice_tx_gso). Part of sluice_tx_offload.c.
 */

#ifndef SLUICE_TX_GSO_H
#define SLUICE_TX_GSO_H

#include <rte_tcp.h>

#include "sluice_tx_offload.h"

#define SLUICE_TX_IP_FLAGS (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)
#define SLUICE_TCP_HDR_MAX 60

/* All flags that tell one kind of packet from another. */
#define SLUICE_TX_GSO_KIND (SLUICE_TX_SHAPE_FLAGS | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

/* Where a field is in the first bytes of the net header. */
#define SLUICE_TX_AT(field) (8 * offsetof(struct sluice_net_hdr, field))

/* < 0: 0, or the largest number, which in Linux is no size (GSO_BY_FRAGS). */
static __rte_always_inline int64_t
sluice_tx_mss_fits(uint16_t mss)
{
	return (int64_t)(uint16_t)(mss + 1) - 2;
}

/* ECN that a segment must say once and not each of them (RFC 3168, 6.1.2), as part of gso_type. */
static __rte_always_inline uint64_t
sluice_tx_gso_ecn(const struct sluice_txq *txq, const uint8_t *tcp)
{
	if (!txq->has_ecn)
		return 0;
	static_assert(RTE_TCP_CWR_FLAG == SLUICE_NET_HDR_GSO_ECN, "the same bit");
	return tcp[offsetof(struct rte_tcp_hdr, tcp_flags)] & RTE_TCP_CWR_FLAG;
}

/* Is it a packet of this kind? True: sluice_tx_find_fault() would find nothing. */
static __rte_always_inline bool
sluice_tx_is_gso(const struct sluice_tx_gso *g, const struct rte_mbuf *m)
{
	return (m->ol_flags & SLUICE_TX_GSO_KIND) == g->flags && m->tx_offload == g->lens &&
			rte_mbuf_refcnt_read(m) == 1 && m->data_len >= g->len &&
			/* Unsigned: no payload less than none. */
			m->pkt_len - g->len <= g->payload_max;
}

/* Find out the kind of a packet, if it is as most are. False: another has to look at it. */
static __rte_noinline bool
sluice_tx_find_gso(const struct sluice_txq *txq, const struct rte_mbuf *m, struct sluice_tx_gso *g)
{
	const uint64_t any = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
	const uint64_t flags = m->ol_flags & SLUICE_TX_GSO_KIND;
	/* Checksums of segments go without saying. */
	const uint64_t asked = flags | RTE_MBUF_F_TX_TCP_CKSUM;
	const bool is_ipv4 = asked == (any | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
	const uint64_t l2 = m->l2_len, l3 = m->l3_len, l4 = l2 + l3, len = l4 + m->l4_len;
	const uint32_t ip_max = UINT16_MAX + (is_ipv4 ? 0 : sizeof(struct rte_ipv6_hdr));
	struct sluice_tx_gso found = {
		.flags = flags,
		.lens = m->tx_offload,
		.word = SLUICE_NET_HDR_F_NEEDS_CSUM | l4 << SLUICE_TX_AT(csum_start) |
				(uint64_t)(is_ipv4 ? SLUICE_NET_HDR_GSO_TCPV4 :
						     SLUICE_NET_HDR_GSO_TCPV6)
						<< SLUICE_TX_AT(gso_type) |
				len << SLUICE_TX_AT(hdr_len) |
				(uint64_t)m->tso_segsz << SLUICE_TX_AT(gso_size),
		.len = len,
		.payload_max = ip_max - l3 - m->l4_len,
		.l2 = l2,
		.l4 = l4,
	};

	if ((!is_ipv4 && asked != (any | RTE_MBUF_F_TX_IPV6)) ||
			!(txq->tx_flags & RTE_MBUF_F_TX_TCP_SEG))
		return false;
	if (l2 < RTE_ETHER_HDR_LEN || len > SLUICE_TX_HEADERS_MAX ||
			m->l4_len < sizeof(struct rte_tcp_hdr) || m->l4_len > SLUICE_TCP_HDR_MAX ||
			sluice_tx_mss_fits(m->tso_segsz) < 0)
		return false;
	if (is_ipv4 ? l3 != sizeof(struct rte_ipv4_hdr) : l3 < sizeof(struct rte_ipv6_hdr))
		return false;
	if (!sluice_tx_is_gso(&found, m))
		return false;
	*g = found;
	return true;
}

#endif /* SLUICE_TX_GSO_H */
