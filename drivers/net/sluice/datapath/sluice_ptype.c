/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mbuf_ptype.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "sluice_ptype.h"

/* What the others may have of a packet's bytes is L4's, and as long as that of TCP. */
#define L4_MIN sizeof(struct rte_tcp_hdr)

static const uint32_t l4_types[UINT8_MAX + 1] = {
	[IPPROTO_TCP] = RTE_PTYPE_L4_TCP,
	[IPPROTO_UDP] = RTE_PTYPE_L4_UDP,
	[IPPROTO_SCTP] = RTE_PTYPE_L4_SCTP,
};

/*
 * All that is not an IP header without options right behind that of Ethernet, with TCP, UDP or SCTP
 * behind it: any headers, over any segments.
 */
static __rte_noinline uint32_t
look_closely(const struct rte_mbuf *m)
{
	uint32_t type = rte_net_get_ptype(m, NULL, SLUICE_PTYPE_FAMILIES);
	uint16_t ether_type;

	if (m->data_len < RTE_ETHER_HDR_LEN)
		return type;
	/* What several tags are to the library is not the same in all releases. */
	memcpy(&ether_type, rte_pktmbuf_mtod(m, const uint8_t *) + 2 * RTE_ETHER_ADDR_LEN,
			sizeof(ether_type));
	if (ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return (type & ~RTE_PTYPE_L2_MASK) | RTE_PTYPE_L2_ETHER_VLAN;
	if (ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ))
		return (type & ~RTE_PTYPE_L2_MASK) | RTE_PTYPE_L2_ETHER_QINQ;
	return type;
}

static __rte_always_inline uint32_t
look(const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *l3 = data + RTE_ETHER_HDR_LEN;
	uint32_t first, type; /* Ethernet's type, then the first two bytes of what is behind */
	uint16_t fragment;

	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + L4_MIN))
		return look_closely(m);
	memcpy(&first, l3 - sizeof(uint16_t), sizeof(first));
	if (likely((first & RTE_BE32(0xffffff00)) == RTE_BE32(0x08004500))) {
		memcpy(&fragment, l3 + offsetof(struct rte_ipv4_hdr, fragment_offset),
				sizeof(fragment));
		type = l4_types[l3[offsetof(struct rte_ipv4_hdr, next_proto_id)]];
		if (likely(type != 0 &&
				    (fragment &
						    RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK |
								    RTE_IPV4_HDR_MF_FLAG)) == 0))
			return RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | type;
	} else if ((first & RTE_BE32(0xffff0000)) == RTE_BE32(0x86dd0000) &&
			m->data_len >= RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr) + L4_MIN) {
		type = l4_types[l3[offsetof(struct rte_ipv6_hdr, proto)]];
		if (likely(type != 0))
			return RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6 | type;
	}
	return look_closely(m);
}

void
sluice_ptype_burst(struct rte_mbuf **pkts, uint16_t nb, uint32_t families)
{
	uint16_t i;

	for (i = 0; i < nb; i++)
		pkts[i]->packet_type = look(pkts[i]) & families;
}
