/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "sluice_flow.h"

/* As much of a packet as is looked at: a tag, IPv4 with all options, and TCP. */
#define IPV4_MAX (15 * RTE_IPV4_IHL_MULTIPLIER)
#define LOOK_MAX \
	(sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr) + IPV4_MAX + \
			sizeof(struct rte_tcp_hdr))

/* The packet as one piece. */
struct view {
	const uint8_t *data;
	uint32_t len;
};

/* What is known of L4: where their ports are is the same in all. */
static const struct {
	uint8_t layer;
	uint8_t len;
} l4_kinds[UINT8_MAX + 1] = {
	[IPPROTO_TCP] = { SLUICE_FLOW_TCP, sizeof(struct rte_tcp_hdr) },
	[IPPROTO_UDP] = { SLUICE_FLOW_UDP, sizeof(struct rte_udp_hdr) },
	[IPPROTO_SCTP] = { SLUICE_FLOW_SCTP, sizeof(struct rte_sctp_hdr) },
};

static void
look_at_l4(struct sluice_flow_key *key, const struct view *v, uint32_t at)
{
	if (l4_kinds[key->proto].layer == 0 || v->len < at + l4_kinds[key->proto].len)
		return;
	memcpy(key->ports, v->data + at, sizeof(key->ports));
	key->layers |= l4_kinds[key->proto].layer;
}

static void
look_at_ipv4(struct sluice_flow_key *key, const struct view *v, uint32_t at)
{
	const uint16_t fragment = RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK;
	struct rte_ipv4_hdr ip;

	if (v->len < at + sizeof(ip))
		return;
	memcpy(&ip, v->data + at, sizeof(ip));
	if (ip.version_ihl >> 4 != IPVERSION || rte_ipv4_hdr_len(&ip) < sizeof(ip) ||
			v->len < at + rte_ipv4_hdr_len(&ip))
		return;
	key->layers |= SLUICE_FLOW_IPV4;
	key->proto = ip.next_proto_id;
	memcpy(key->src_addr, &ip.src_addr, sizeof(ip.src_addr));
	memcpy(key->dst_addr, &ip.dst_addr, sizeof(ip.dst_addr));
	if ((ip.fragment_offset & RTE_BE16(fragment)) == 0)
		look_at_l4(key, v, at + rte_ipv4_hdr_len(&ip));
}

static void
look_at_ipv6(struct sluice_flow_key *key, const struct view *v, uint32_t at)
{
	struct rte_ipv6_hdr ip;

	if (v->len < at + sizeof(ip))
		return;
	memcpy(&ip, v->data + at, sizeof(ip));
	if (v->data[at] >> 4 != 6)
		return;
	key->layers |= SLUICE_FLOW_IPV6;
	key->proto = ip.proto;
	memcpy(key->src_addr, &ip.src_addr, sizeof(key->src_addr));
	memcpy(key->dst_addr, &ip.dst_addr, sizeof(key->dst_addr));
	look_at_l4(key, v, at + sizeof(ip));
}

/* The tag, which the mbuf has if it is not in the packet any more; returns where it ends. */
static uint32_t
look_at_tag(struct sluice_flow_key *key, const struct view *v, const struct rte_mbuf *m)
{
	const uint32_t at = sizeof(struct rte_ether_hdr);

	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		key->vlan.vlan_tci = rte_cpu_to_be_16(m->vlan_tci);
		key->vlan.eth_proto = key->eth.ether_type;
		key->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
		key->layers = SLUICE_FLOW_VLAN;
		return at;
	}
	if ((key->eth.ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
			    key->eth.ether_type != RTE_BE16(RTE_ETHER_TYPE_QINQ)) ||
			v->len < at + sizeof(key->vlan))
		return at;
	memcpy(&key->vlan, v->data + at, sizeof(key->vlan));
	key->layers = SLUICE_FLOW_VLAN;
	return at + sizeof(key->vlan);
}

bool
sluice_flow_look(union sluice_flow_bits *bits, const struct rte_mbuf *m)
{
	struct sluice_flow_key *key = &bits->key;
	struct view v = { .len = RTE_MIN(m->pkt_len, (uint32_t)LOOK_MAX) };
	uint8_t copy[LOOK_MAX];
	uint32_t at;
	uint16_t type;

	memset(bits, 0, sizeof(*bits));
	v.data = rte_pktmbuf_read(m, 0, v.len, copy);
	if (v.data == NULL || v.len < sizeof(key->eth))
		return false;
	memcpy(&key->eth, v.data, sizeof(key->eth));
	at = look_at_tag(key, &v, m);
	type = key->layers & SLUICE_FLOW_VLAN ? key->vlan.eth_proto : key->eth.ether_type;
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		look_at_ipv4(key, &v, at);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		look_at_ipv6(key, &v, at);
	return true;
}

/* Protocols and ports are in one word, and most rules differ there. */
#define MAIN_WORD (offsetof(struct sluice_flow_key, layers) / sizeof(uint64_t))
static_assert(offsetof(struct sluice_flow_key, ports) / sizeof(uint64_t) == MAIN_WORD, "one word");

static __rte_always_inline bool
is_match(const struct sluice_flow_rule *rule, const union sluice_flow_bits *bits)
{
	uint64_t other = 0;
	unsigned int i;

	if ((bits->words[MAIN_WORD] & rule->mask.words[MAIN_WORD]) != rule->value.words[MAIN_WORD])
		return false;
	for (i = 0; i < RTE_DIM(bits->words); i++)
		other |= (bits->words[i] & rule->mask.words[i]) ^ rule->value.words[i];
	return other == 0;
}

static uint16_t
apply(const struct sluice_flow_rule *rule, const struct rte_mbuf *m)
{
	if (rule->count != NULL) {
		rte_atomic_fetch_add_explicit(&rule->count->packets, 1, rte_memory_order_relaxed);
		rte_atomic_fetch_add_explicit(
				&rule->count->bytes, m->pkt_len, rte_memory_order_relaxed);
	}
	if (rule->nb_queues == 0)
		return SLUICE_FLOW_DROP;
	/* What has no hash has the first one. */
	if (rule->nb_queues == 1 || (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) == 0)
		return rule->queues[0];
	return rule->queues[m->hash.rss % rule->nb_queues];
}

uint16_t
sluice_flow_queue(const struct sluice_flows *flows, const struct rte_mbuf *m)
{
	union sluice_flow_bits bits;
	uint32_t i;

	if (flows->nb == 0 || !sluice_flow_look(&bits, m))
		return SLUICE_FLOW_NONE;
	for (i = 0; i < flows->nb; i++)
		if (is_match(&flows->rules[i], &bits))
			return apply(&flows->rules[i], m);
	return SLUICE_FLOW_NONE;
}
