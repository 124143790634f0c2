/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Partial checksums: the field holds the sum of the pseudo header, the rest was left to the
 * receiver (5.1.6.4.2). A packet of which that is true never left the host that made it, nor did
 * most that are of several segments.
 */

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "sluice_offload.h"
#include "sluice_rxq.h"

#define NB_VLAN_MAX 2

static uint16_t
be16_at(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

uint32_t
sluice_offload_find_l3(const uint8_t *data, uint32_t end, uint16_t *type)
{
	uint32_t l3 = RTE_ETHER_HDR_LEN, nb_vlan;

	if (end < l3 + sizeof(struct rte_ipv4_hdr))
		return 0;
	*type = be16_at(data + l3 - sizeof(*type));
	for (nb_vlan = 0; nb_vlan < NB_VLAN_MAX; nb_vlan++) {
		if (*type != RTE_ETHER_TYPE_VLAN && *type != RTE_ETHER_TYPE_QINQ)
			break;
		l3 += sizeof(struct rte_vlan_hdr);
		*type = be16_at(data + l3 - sizeof(*type));
	}
	return l3;
}

/*
 * Where the L4 header of a packet that is nothing special begins, and its protocol. Reads below
 * end; 0: special.
 */
static uint32_t
find_l4(const uint8_t *data, uint32_t end, uint8_t *proto)
{
	uint16_t type;
	uint32_t l3 = sluice_offload_find_l3(data, end, &type);

	if (l3 == 0)
		return 0;
	if (type == RTE_ETHER_TYPE_IPV4 && end >= l3 + sizeof(struct rte_ipv4_hdr)) {
		*proto = data[l3 + offsetof(struct rte_ipv4_hdr, next_proto_id)];
		return l3 + rte_ipv4_hdr_len((const struct rte_ipv4_hdr *)(data + l3));
	}
	if (type == RTE_ETHER_TYPE_IPV6 && end >= l3 + sizeof(struct rte_ipv6_hdr)) {
		*proto = data[l3 + offsetof(struct rte_ipv6_hdr, proto)];
		return l3 + sizeof(struct rte_ipv6_hdr);
	}
	return 0;
}

/* Is it the checksum that an application thinks of: the one of the outermost TCP or UDP header? */
static bool
is_of_l4(const struct rte_mbuf *m, const struct sluice_net_hdr *hdr)
{
	uint8_t proto = 0;

	if (hdr->csum_start > m->data_len)
		return false;
	if (find_l4(rte_pktmbuf_mtod(m, const uint8_t *), hdr->csum_start, &proto) !=
			hdr->csum_start)
		return false;
	return (proto == IPPROTO_TCP && hdr->csum_offset == offsetof(struct rte_tcp_hdr, cksum)) ||
			(proto == IPPROTO_UDP &&
					hdr->csum_offset ==
							offsetof(struct rte_udp_hdr, dgram_cksum));
}

/*
 * The sum of all bytes from start on, as they would be one behind the other: segments may have odd
 * lengths.
 */
static uint16_t
sum_from(const struct rte_mbuf *m, uint32_t start)
{
	uint32_t sum = 0, done = 0;

	for (; start >= m->data_len; m = m->next)
		start -= m->data_len;
	for (; m != NULL; m = m->next) {
		uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, start),
				m->data_len - start);

		sum += done % 2 != 0 ? rte_bswap16(part) : part;
		done += m->data_len - start;
		start = 0;
	}
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (sum & UINT16_MAX) + (sum >> 16);
}

static void
write_byte(struct rte_mbuf *m, uint32_t at, uint8_t byte)
{
	for (; at >= m->data_len; m = m->next)
		at -= m->data_len;
	rte_pktmbuf_mtod(m, uint8_t *)[at] = byte;
}

/* The field lies in the packet, but maybe in two segments. */
static void
complete(struct rte_mbuf *m, uint32_t start, uint32_t at)
{
	uint16_t sum = sum_from(m, start);
	uint8_t bytes[2];

	/* No checksum is 0 on the wire, all ones is the same number [RFC 768]. */
	sum = sum == UINT16_MAX ? UINT16_MAX : ~sum;
	memcpy(bytes, &sum, sizeof(bytes));
	write_byte(m, at, bytes[0]);
	write_byte(m, at + 1, bytes[1]);
}

/* False: the place lies outside of the packet. */
static bool
take_partial(const struct sluice_rxq *rxq, struct rte_mbuf *m, const struct sluice_net_hdr *hdr)
{
	uint32_t start = hdr->csum_start, at = start + hdr->csum_offset;
	bool is_known;

	if (unlikely(at + sizeof(uint16_t) > m->pkt_len))
		return false;
	is_known = is_of_l4(m, hdr);
	if (is_known && !rxq->completes_csum) {
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
		return true;
	}
	/*
	 * One in a tunnel, say, shall be right when the packet leaves the host, in any case; the
	 * outer one stays unknown. What the device gave is right, so what is summed here is.
	 */
	complete(m, start, at);
	if (is_known)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return true;
}

/* Where the payload of a TCP packet begins that is nothing special; else 0. */
static uint32_t
find_tcp_payload(const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_tcp_hdr *tcp;
	uint8_t proto = 0;
	uint32_t l4 = find_l4(data, m->data_len, &proto);

	if (l4 == 0 || proto != IPPROTO_TCP || l4 + sizeof(*tcp) > m->data_len)
		return 0;
	tcp = (const struct rte_tcp_hdr *)(data + l4);
	return l4 + (tcp->data_off >> 4) * 4;
}

/* Was it negotiated that a device may say so (5.1.6.4.1)? */
static bool
is_gso_negotiated(const struct sluice_rxq *rxq, uint8_t gso_type)
{
	if (rxq->has_ecn)
		gso_type &= ~SLUICE_NET_HDR_GSO_ECN;
	return rxq->has_lro &&
			(gso_type == SLUICE_NET_HDR_GSO_TCPV4 ||
					gso_type == SLUICE_NET_HDR_GSO_TCPV6);
}

static bool
fail(uint64_t *reason)
{
	++*reason;
	return false;
}

bool
sluice_offload_more(struct sluice_rxq *rxq, struct rte_mbuf *m, const struct sluice_net_hdr *hdr)
{
	bool is_gso = hdr->gso_type != SLUICE_NET_HDR_GSO_NONE;

	if (unlikely(is_gso && !is_gso_negotiated(rxq, hdr->gso_type)))
		return fail(&rxq->nb_bad_gso);
	if (unlikely(is_gso && hdr->gso_size == 0))
		return fail(&rxq->nb_bad_hdr);
	if (hdr->flags & SLUICE_NET_HDR_F_NEEDS_CSUM) {
		if (unlikely(!take_partial(rxq, m, hdr)))
			return fail(&rxq->nb_bad_hdr);
	} else if (hdr->flags & SLUICE_NET_HDR_F_DATA_VALID) {
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	}
	if (is_gso && find_tcp_payload(m) + hdr->gso_size < m->pkt_len) {
		m->tso_segsz = hdr->gso_size;
		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		rxq->nb_lro++;
	}
	return true;
}

static uint64_t
check_ipv4(const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip;
	uint32_t l3, len;
	uint16_t type;

	l3 = sluice_offload_find_l3(data, m->data_len, &type);
	if (l3 == 0 || type != RTE_ETHER_TYPE_IPV4 || m->data_len < l3 + sizeof(*ip))
		return RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
	ip = (const struct rte_ipv4_hdr *)(data + l3);
	len = rte_ipv4_hdr_len(ip);
	if (len > m->data_len - l3)
		return RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
	if (len < sizeof(*ip) || ip->version != IPVERSION || rte_raw_cksum(ip, len) != UINT16_MAX)
		return RTE_MBUF_F_RX_IP_CKSUM_BAD;
	return RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

void
sluice_offload_ipv4(struct rte_mbuf *m)
{
	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_RX_IP_CKSUM_MASK) | check_ipv4(m);
}
