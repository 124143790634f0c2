/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which bytes of a packet are hashed. Everything here comes from outside: what does not fit the
 * packet is not there, and then the packet is what its outer headers make of it.
 */

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>

#include "sluice_offload.h"
#include "sluice_rss.h"

/* As much of a packet as is looked at; a chain of short segments is copied so far. */
#define LOOK_MAX 256
/* More extension headers than anybody sends. */
#define NB_EXTENSIONS_MAX 8

#define IPV6_ADDR_LEN 16
#define PORTS_LEN 4
/* RFC 6275: the home address of a mobile node, as an option, and as a route. */
#define OPTION_PAD1 0
#define OPTION_HOME_ADDRESS 0xc9
#define ROUTE_TYPE_2 2
#define ROUTE_TYPE_2_LEN 24

/* The packet as one piece. */
struct view {
	const uint8_t *data;
	uint32_t len;
};

static enum sluice_rss_class
class_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return SLUICE_RSS_TCP;
	case IPPROTO_UDP:
		return SLUICE_RSS_UDP;
	case IPPROTO_SCTP:
		return SLUICE_RSS_SCTP;
	default:
		return SLUICE_RSS_OTHER;
	}
}

/*
 * The tuple has its addresses; the ports at l4 if they are hashed. Where they are cut off it is as
 * a fragment.
 */
static uint32_t
finish(const struct sluice_rss *rss, const struct view *v, enum sluice_rss_proto proto,
		enum sluice_rss_class class, uint32_t l4, uint8_t *tuple)
{
	uint32_t addrs = proto == SLUICE_RSS_IPV4 ? 2 * sizeof(rte_be32_t) : 2 * IPV6_ADDR_LEN;
	uint32_t len = rss->tuple_len[proto][class];

	if (len <= addrs)
		return len;
	if (v->len < l4 + PORTS_LEN)
		return rss->tuple_len[proto][SLUICE_RSS_FRAG];
	memcpy(tuple + addrs, v->data + l4, PORTS_LEN);
	return len;
}

static uint32_t
tuple_v4(const struct sluice_rss *rss, const struct view *v, uint32_t l3, uint8_t *tuple)
{
	const uint16_t fragment = RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK;
	enum sluice_rss_class class;
	struct rte_ipv4_hdr ip;
	uint32_t hdr_len;

	if (v->len < l3 + sizeof(ip))
		return 0;
	memcpy(&ip, v->data + l3, sizeof(ip));
	hdr_len = rte_ipv4_hdr_len(&ip);
	if (ip.version_ihl >> 4 != IPVERSION || hdr_len < sizeof(ip))
		return 0;
	memcpy(tuple, &ip.src_addr, 2 * sizeof(ip.src_addr));
	class = class_of(ip.next_proto_id);
	if ((ip.fragment_offset & RTE_BE16(fragment)) != 0)
		class = SLUICE_RSS_FRAG;
	return finish(rss, v, SLUICE_RSS_IPV4, class, l3 + hdr_len, tuple);
}

/* Home address option of a header with options, which lies within the packet. */
static void
look_for_home(const uint8_t *hdr, uint32_t len, uint8_t *src)
{
	uint32_t at = 2, size;

	for (; at < len; at += size) {
		size = 1;
		if (hdr[at] == OPTION_PAD1)
			continue;
		if (at + 2 > len)
			return;
		size = 2 + hdr[at + 1];
		if (at + size > len)
			return;
		if (hdr[at] == OPTION_HOME_ADDRESS && size == 2 + IPV6_ADDR_LEN)
			memcpy(src, hdr + at + 2, IPV6_ADDR_LEN);
	}
}

/*
 * Behind the extension headers at *at: *next says which header follows. Addresses that they have go
 * into home. False: a fragment, or no end of them.
 */
static bool
skip_extensions(const struct view *v, uint32_t *at, uint8_t *next, uint8_t *home)
{
	unsigned int i;

	for (i = 0; i < NB_EXTENSIONS_MAX; i++) {
		const uint8_t *hdr = v->data + *at;
		uint32_t len;

		if (*next != IPPROTO_HOPOPTS && *next != IPPROTO_ROUTING &&
				*next != IPPROTO_DSTOPTS)
			return *next != IPPROTO_FRAGMENT;
		if (v->len < *at + 8)
			return false;
		len = (hdr[1] + 1) * 8;
		if (v->len < *at + len)
			return false;
		/* One segment is left: that address is where the packet goes to. */
		if (*next == IPPROTO_ROUTING && hdr[2] == ROUTE_TYPE_2 && hdr[3] == 1 &&
				len == ROUTE_TYPE_2_LEN)
			memcpy(home + IPV6_ADDR_LEN, hdr + 8, IPV6_ADDR_LEN);
		if (*next == IPPROTO_DSTOPTS)
			look_for_home(hdr, len, home);
		*next = hdr[0];
		*at += len;
	}
	return false;
}

static uint32_t
tuple_v6(const struct sluice_rss *rss, const struct view *v, uint32_t l3, uint8_t *tuple)
{
	uint8_t home[2 * IPV6_ADDR_LEN], next;
	enum sluice_rss_class class;
	struct rte_ipv6_hdr ip;
	uint32_t at = l3 + sizeof(ip), len;
	bool has_extensions;

	if (v->len < at)
		return 0;
	memcpy(&ip, v->data + l3, sizeof(ip));
	if (*(const uint8_t *)&ip >> 4 != 6)
		return 0;
	memcpy(tuple, v->data + l3 + offsetof(struct rte_ipv6_hdr, src_addr), 2 * IPV6_ADDR_LEN);
	memcpy(home, tuple, sizeof(home));
	next = ip.proto;
	if (!skip_extensions(v, &at, &next, home))
		class = SLUICE_RSS_FRAG;
	else
		class = class_of(next);
	has_extensions = next != ip.proto || at != l3 + sizeof(ip) || next == IPPROTO_FRAGMENT;
	if (has_extensions && rss->tuple_len[SLUICE_RSS_IPV6_EX][class] != 0) {
		memcpy(tuple, home, sizeof(home));
		len = finish(rss, v, SLUICE_RSS_IPV6_EX, class, at, tuple);
		if (len != 0)
			return len;
		memcpy(tuple, v->data + l3 + offsetof(struct rte_ipv6_hdr, src_addr),
				2 * IPV6_ADDR_LEN);
	}
	return finish(rss, v, SLUICE_RSS_IPV6, class, at, tuple);
}

uint32_t
sluice_rss_tuple(const struct sluice_rss *rss, const struct rte_mbuf *m,
		uint8_t tuple[SLUICE_RSS_TUPLE_MAX])
{
	struct view v = { .data = rte_pktmbuf_mtod(m, const uint8_t *), .len = m->data_len };
	uint8_t copy[LOOK_MAX];
	uint16_t type;
	uint32_t l3;

	if (unlikely(m->nb_segs > 1 && v.len < LOOK_MAX)) {
		v.len = RTE_MIN(m->pkt_len, (uint32_t)LOOK_MAX);
		v.data = rte_pktmbuf_read(m, 0, v.len, copy);
		if (v.data == NULL)
			return 0;
	}
	l3 = sluice_offload_find_l3(v.data, v.len, &type);
	if (l3 == 0)
		return 0;
	if (type == RTE_ETHER_TYPE_IPV4)
		return tuple_v4(rss, &v, l3, tuple);
	if (type == RTE_ETHER_TYPE_IPV6)
		return tuple_v6(rss, &v, l3, tuple);
	return 0;
}

void
sluice_rss_one(const struct sluice_rss *rss, struct rte_mbuf *m,
		uint32_t (*hash)(const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len))
{
	uint8_t tuple[SLUICE_RSS_TUPLE_MAX];
	uint32_t len = sluice_rss_tuple(rss, m, tuple);

	if (len == 0)
		return;
	sluice_rss_store(m, hash(rss, tuple, len));
}
