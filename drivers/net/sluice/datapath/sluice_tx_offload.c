/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets that ask for something, one by one: what is wrong with them, what is written into them,
 * what the device is told. See sluice_tx_offload.h.
 */

#include <errno.h>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "sluice_tx_gso.h"
#include "sluice_tx_offload.h"
#include "sluice_tx_shape.h"
#include "sluice_tx_tunnel.h"

#define VLAN_LEN sizeof(struct rte_vlan_hdr)
#define MACS_LEN (2 * RTE_ETHER_ADDR_LEN)

bool
sluice_tx_has_pinned_buffer(struct rte_mbuf *m)
{
	return RTE_MBUF_HAS_PINNED_EXTBUF(m) && rte_mbuf_ext_refcnt_read(m->shinfo) == 1;
}

/* Where the IP header is that the flags are about. */
static __rte_always_inline uint32_t
l3_at(const struct rte_mbuf *m)
{
	uint32_t outer = m->ol_flags & SLUICE_TX_HAS_OUTER ? m->outer_l2_len + m->outer_l3_len : 0;

	return outer + m->l2_len;
}

/* Where in the L4 header the checksum is that the device completes; 0: it completes none. */
static __rte_always_inline uint32_t
csum_offset_of(uint64_t flags)
{
	if (flags & RTE_MBUF_F_TX_TCP_SEG)
		return offsetof(struct rte_tcp_hdr, cksum);
	if (flags & RTE_MBUF_F_TX_UDP_SEG)
		return offsetof(struct rte_udp_hdr, dgram_cksum);
	return sluice_tx_csum_offset(flags);
}

/* Bytes of headers that are read or written for a packet. */
static __rte_always_inline uint32_t
headers_len(const struct rte_mbuf *m)
{
	const uint64_t flags = m->ol_flags;
	uint32_t len = l3_at(m) + m->l3_len;

	if (flags & SLUICE_TX_GSO_FLAGS)
		return len + m->l4_len;
	if (flags & RTE_MBUF_F_TX_L4_MASK)
		return len + csum_offset_of(flags) + sizeof(uint16_t);
	if (flags & RTE_MBUF_F_TX_IP_CKSUM)
		return len;
	return flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM ? m->outer_l2_len + m->outer_l3_len :
						      RTE_ETHER_HDR_LEN;
}

/* Flags that are not switched on, or that contradict each other. */
static __rte_always_inline bool
has_bad_flags(const struct sluice_txq *txq, uint64_t flags)
{
	const uint64_t ip = flags & SLUICE_TX_IP_FLAGS;

	if ((flags & SLUICE_TX_FLAGS & ~txq->tx_flags) ||
			(flags & SLUICE_TX_GSO_FLAGS) == SLUICE_TX_GSO_FLAGS)
		return true;
	if ((flags & (SLUICE_TX_HAS_OUTER | SLUICE_TX_OUTER_SUM_FLAGS)) &&
			sluice_tx_has_bad_outer_flags(txq, flags))
		return true;
	if (flags & RTE_MBUF_F_TX_L4_MASK)
		return sluice_tx_csum_offset(flags) == 0;
	if (flags & RTE_MBUF_F_TX_IP_CKSUM)
		return ip != RTE_MBUF_F_TX_IPV4;
	return (flags & SLUICE_TX_GSO_FLAGS) && ip != RTE_MBUF_F_TX_IPV6 &&
			ip != RTE_MBUF_F_TX_IPV4;
}

static __rte_always_inline bool
has_bad_lengths(const struct rte_mbuf *m, uint32_t len)
{
	const uint64_t flags = m->ol_flags;
	uint32_t l3_min = flags & RTE_MBUF_F_TX_IPV6 ? sizeof(struct rte_ipv6_hdr) :
						       sizeof(struct rte_ipv4_hdr);

	if ((flags & SLUICE_TX_HAS_OUTER) &&
			(flags & (SLUICE_TX_GSO_FLAGS | SLUICE_TX_OUTER_SUM_FLAGS)) &&
			sluice_tx_has_bad_outer_lengths(m))
		return true;
	if (!(flags & (SLUICE_TX_BATCH_FLAGS | SLUICE_TX_GSO_FLAGS)))
		return len > m->pkt_len;
	if (l3_at(m) < RTE_ETHER_HDR_LEN || m->l3_len < l3_min)
		return true;
	if ((flags & RTE_MBUF_F_TX_IP_CKSUM) &&
			(m->l3_len > SLUICE_TX_IPV4_HDR_MAX || m->l3_len % sizeof(uint32_t) != 0))
		return true;
	if ((flags & RTE_MBUF_F_TX_TCP_SEG) &&
			(m->l4_len < sizeof(struct rte_tcp_hdr) || m->l4_len > SLUICE_TCP_HDR_MAX))
		return true;
	if ((flags & RTE_MBUF_F_TX_UDP_SEG) && m->l4_len != sizeof(struct rte_udp_hdr))
		return true;
	return len > m->pkt_len || len > SLUICE_TX_HEADERS_MAX;
}

/* A packet to be segmented into what nobody can, or would understand. */
static inline bool
has_bad_segmentation(const struct rte_mbuf *m, uint32_t len)
{
	const uint64_t flags = m->ol_flags, l4 = flags & RTE_MBUF_F_TX_L4_MASK;
	const bool is_tcp = (flags & SLUICE_TX_GSO_FLAGS) == RTE_MBUF_F_TX_TCP_SEG;
	const bool is_outer = (flags & SLUICE_TX_HAS_OUTER) != 0;
	uint32_t ip_max = UINT16_MAX;

	if (l4 != 0 && l4 != (is_tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM))
		return true;
	/* Each segment gets an IPv4 header, and that a checksum. */
	if ((flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM)) == RTE_MBUF_F_TX_IPV4)
		return true;
	/* The length in an IPv6 header does not count the header itself. The outermost counts. */
	if (flags & (is_outer ? RTE_MBUF_F_TX_OUTER_IPV6 : RTE_MBUF_F_TX_IPV6))
		ip_max += sizeof(struct rte_ipv6_hdr);
	/*
	 * One segment may be enough: switches ask whenever they may, with the MSS of a port. But
	 * nobody completes the outer headers of what Linux does not segment then.
	 */
	if (is_outer && m->tso_segsz >= m->pkt_len - len)
		return true;
	return sluice_tx_mss_fits(m->tso_segsz) < 0 ||
			m->pkt_len - (is_outer ? m->outer_l2_len : m->l2_len) > ip_max;
}

static __rte_always_inline enum sluice_tx_fault
find_fault(const struct sluice_txq *txq, const struct rte_mbuf *m)
{
	const uint64_t flags = m->ol_flags;
	uint32_t len = headers_len(m);

	if (unlikely(has_bad_flags(txq, flags)))
		return SLUICE_TX_BAD_FLAGS;
	if (unlikely((flags & RTE_MBUF_F_TX_VLAN) && m->pkt_len < RTE_ETHER_HDR_LEN))
		return SLUICE_TX_BAD_VLAN;
	if (likely(flags &
			    (SLUICE_TX_BATCH_FLAGS | SLUICE_TX_GSO_FLAGS |
					    SLUICE_TX_OUTER_SUM_FLAGS)) &&
			unlikely(has_bad_lengths(m, len)))
		return SLUICE_TX_BAD_LENGTHS;
	if (unlikely(len > m->data_len))
		return SLUICE_TX_BAD_SPLIT;
	if ((flags & SLUICE_TX_GSO_FLAGS) && unlikely(has_bad_segmentation(m, len)))
		return SLUICE_TX_BAD_GSO;
	return SLUICE_TX_FINE;
}

enum sluice_tx_fault
sluice_tx_find_fault(const struct sluice_txq *txq, const struct rte_mbuf *m)
{
	return find_fault(txq, m);
}

/* The protocol is what the flags say: in IPv6 other headers may stand between. */
static void
write_pseudo_header(const struct rte_mbuf *m, uint8_t *ip)
{
	const uint64_t flags = m->ol_flags;
	const bool is_ipv6 = (flags & RTE_MBUF_F_TX_IPV6) != 0;
	uint32_t at = csum_offset_of(flags);
	uint16_t proto = at == offsetof(struct rte_tcp_hdr, cksum) ? IPPROTO_TCP : IPPROTO_UDP;
	uint16_t len = flags & SLUICE_TX_GSO_FLAGS ? m->pkt_len - l3_at(m) - m->l3_len :
						     sluice_tx_l4_bytes(ip, m->l3_len, is_ipv6);

	sluice_tx_put_pseudo_header(ip, is_ipv6, proto, len, ip + m->l3_len + at);
}

/* A tag: type, then identifier, as they stand behind the addresses. */
static __rte_always_inline void
write_tag(const struct rte_mbuf *m, uint8_t *at)
{
	const struct rte_vlan_hdr tag = { rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN),
		rte_cpu_to_be_16(m->vlan_tci) };

	memcpy(at, &tag, sizeof(tag));
}

/*
 * The same in place, in front of what there is. False: somebody else may read the buffer, or it has
 * no room; or the mbuf cannot say how long the header becomes.
 */
static __rte_always_inline bool
insert_tag(struct rte_mbuf *m)
{
	const bool has_outer = (m->ol_flags & SLUICE_TX_HAS_OUTER) != 0;
	const uint32_t l2 = has_outer ? m->outer_l2_len : m->l2_len;
	uint8_t *from = rte_pktmbuf_mtod(m, uint8_t *), *to = from - VLAN_LEN, macs[MACS_LEN];

	if (unlikely(!sluice_tx_is_ours(m) || m->data_off < VLAN_LEN ||
			    l2 + VLAN_LEN >= 1 << RTE_MBUF_L2_LEN_BITS))
		return false;
	memcpy(macs, from, MACS_LEN);
	memcpy(to, macs, MACS_LEN);
	write_tag(m, to + MACS_LEN);
	m->data_off -= VLAN_LEN;
	m->data_len += VLAN_LEN;
	m->pkt_len += VLAN_LEN;
	m->ol_flags &= ~(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN);
	m->tx_offload += (uint64_t)VLAN_LEN
			<< (has_outer ? RTE_MBUF_OUTL2_LEN_OFS : RTE_MBUF_L2_LEN_OFS);
	return true;
}

void
sluice_tx_insert_tags(struct rte_mbuf **pkts, uint16_t nb)
{
	struct rte_mbuf *m;
	uint16_t i;

	for (i = 0; i < nb; i++) {
		m = pkts[i];
		if ((m->ol_flags & RTE_MBUF_F_TX_VLAN) && m->data_len >= RTE_ETHER_HDR_LEN)
			insert_tag(m); /* or not: it goes the long way then */
	}
}

/* Of the segments of a packet whose TCP or UDP header is at l4. */
static __rte_always_inline uint64_t
gso_type(const struct sluice_txq *txq, const struct rte_mbuf *m, uint32_t l4)
{
	if (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG)
		return SLUICE_NET_HDR_GSO_UDP_L4;
	return (m->ol_flags & RTE_MBUF_F_TX_IPV6 ? SLUICE_NET_HDR_GSO_TCPV6 :
						   SLUICE_NET_HDR_GSO_TCPV4) |
			sluice_tx_gso_ecn(txq, rte_pktmbuf_mtod_offset(m, const uint8_t *, l4));
}

/* The net header of a packet that has nb_more bytes more in front of its IP header than it says. */
static __rte_always_inline void
put_header(const struct sluice_txq *txq, const struct rte_mbuf *m, uint32_t nb_more, void *place)
{
	const uint32_t csum_offset = csum_offset_of(m->ol_flags), l4 = l3_at(m) + m->l3_len;
	const uint64_t start = l4 + nb_more;
	uint64_t word = 0;

	if (csum_offset != 0)
		word = SLUICE_NET_HDR_F_NEEDS_CSUM | start << SLUICE_TX_AT(csum_start);
	if (m->ol_flags & SLUICE_TX_GSO_FLAGS)
		word |= gso_type(txq, m, l4) << SLUICE_TX_AT(gso_type) |
				(start + m->l4_len) << SLUICE_TX_AT(hdr_len) |
				(uint64_t)m->tso_segsz << SLUICE_TX_AT(gso_size);
	sluice_tx_put_words(place, word, csum_offset);
	if (unlikely(txq->hdr_len != SLUICE_NET_HDR_LEN))
		sluice_tx_put_rest(txq, m, nb_more, place);
}

void
sluice_tx_put_header(const struct sluice_txq *txq, const struct rte_mbuf *m, void *place)
{
	put_header(txq, m, 0, place);
}

static __rte_noinline bool
edit_any(const struct sluice_txq *txq, struct rte_mbuf *m)
{
	uint8_t *ip;

	if (unlikely(find_fault(txq, m) != SLUICE_TX_FINE || !sluice_tx_is_ours(m)))
		return false;
	if ((m->ol_flags & RTE_MBUF_F_TX_VLAN) && !insert_tag(m))
		return false;
	if (m->ol_flags & SLUICE_TX_HAS_OUTER)
		sluice_tx_write_outer_cksums(m, rte_pktmbuf_mtod(m, uint8_t *));
	ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3_at(m));
	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
		sluice_tx_write_ipv4_cksum(ip, m->l3_len);
	if (m->ol_flags & SLUICE_TX_GSO_FLAGS)
		write_pseudo_header(m, ip);
	if (m->data_off >= txq->hdr_len)
		sluice_tx_put_header(txq, m, rte_pktmbuf_mtod(m, char *) - txq->hdr_len);
	return true;
}

bool
sluice_tx_edit(struct sluice_txq *txq, struct rte_mbuf *m)
{
	const struct sluice_tx_gso *g = &txq->gso;
	const bool is_ipv6 = (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	uint8_t *data, *tcp;

	if (unlikely(!sluice_tx_is_gso(g, m)) && !sluice_tx_find_gso(txq, m, &txq->gso))
		return edit_any(txq, m);
	data = rte_pktmbuf_mtod(m, uint8_t *);
	tcp = data + g->l4;
	if (!is_ipv6)
		sluice_tx_sum_ipv4(data + g->l2);
	sluice_tx_put_pseudo_header(data + g->l2, is_ipv6, IPPROTO_TCP, m->pkt_len - g->l4,
			tcp + offsetof(struct rte_tcp_hdr, cksum));
	if (unlikely(m->data_off < txq->hdr_len))
		return true;
	sluice_tx_put_words(data - txq->hdr_len,
			g->word | sluice_tx_gso_ecn(txq, tcp) << SLUICE_TX_AT(gso_type),
			offsetof(struct rte_tcp_hdr, cksum));
	if (unlikely(txq->hdr_len != SLUICE_NET_HDR_LEN))
		sluice_tx_put_rest(txq, m, 0, data - txq->hdr_len);
	return true;
}

uint32_t
sluice_tx_copy_headers(const struct sluice_txq *txq, const struct rte_mbuf *m, void *place,
		uint32_t *nb_copied)
{
	const uint8_t *from = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t *to = (uint8_t *)place + txq->hdr_len, *ip;
	uint32_t len = headers_len(m), nb_tag = m->ol_flags & RTE_MBUF_F_TX_VLAN ? VLAN_LEN : 0;

	put_header(txq, m, nb_tag, place);
	memcpy(to, from, MACS_LEN);
	memcpy(to + MACS_LEN + nb_tag, from + MACS_LEN, len - MACS_LEN);
	if (nb_tag != 0)
		write_tag(m, to + MACS_LEN);
	if (m->ol_flags & SLUICE_TX_HAS_OUTER)
		sluice_tx_write_outer_cksums(m, to + nb_tag);
	ip = to + nb_tag + l3_at(m);
	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
		sluice_tx_write_ipv4_cksum(ip, m->l3_len);
	if (csum_offset_of(m->ol_flags) != 0)
		write_pseudo_header(m, ip);
	*nb_copied = len;
	return txq->hdr_len + len + nb_tag;
}

static __rte_noinline bool
refuse(enum sluice_tx_fault fault)
{
	rte_errno = fault == SLUICE_TX_BAD_FLAGS || fault == SLUICE_TX_BAD_SPLIT ? ENOTSUP : EINVAL;
	return false;
}

/* A packet that asks for something. */
static __rte_noinline bool
prepare_any(const struct sluice_txq *txq, struct rte_mbuf *m)
{
	enum sluice_tx_fault fault = find_fault(txq, m);

	if (unlikely(fault != SLUICE_TX_FINE))
		return refuse(fault);
	if ((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) && !(m->ol_flags & SLUICE_TX_GSO_FLAGS) &&
			sluice_tx_is_ours(m))
		write_pseudo_header(m, rte_pktmbuf_mtod_offset(m, uint8_t *, l3_at(m)));
	return true;
}

/* A common packet in a buffer of its own. False: it is another; nothing was done. */
static __rte_always_inline bool
prepare_common(struct rte_mbuf *m)
{
	const bool is_ipv6 = (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	struct sluice_tx_csum c;
	uint32_t l2, l3;
	uint8_t *ip;

	if (!sluice_tx_is_common(m, &c, &l2, &l3) || unlikely(rte_mbuf_refcnt_read(m) != 1))
		return false;
	ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l2);
	sluice_tx_put_pseudo_header(ip, is_ipv6, c.proto, sluice_tx_l4_bytes(ip, l3, is_ipv6),
			ip + l3 + c.offset);
	return true;
}

uint16_t
sluice_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct sluice_txq *txq = queue;
	const uint64_t slow_flags = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL |
			(txq->slow_flags & ~(txq->tx_flags & RTE_MBUF_F_TX_VLAN));
	const uint32_t nb_segs_max = txq->nb_segs_max;
	/* Not the queue's: any thread may call this. */
	struct sluice_tx_gso gso = { 0 };
	uint32_t i, nb_alike, try_at = 0;
	struct rte_mbuf *m;

	for (i = 0; i < nb; i++) {
		m = pkts[i];
		if (unlikely(m->nb_segs > nb_segs_max)) {
			refuse(SLUICE_TX_BAD_LENGTHS);
			break;
		}
		if (!sluice_tx_asks(m))
			continue;
		if (likely((m->ol_flags & slow_flags) == 0)) {
			if (i >= try_at && (uint32_t)(nb - i) >= SLUICE_TX_ALIKE) {
				nb_alike = sluice_tx_prepare_alike(&pkts[i], nb - i);
				/* Behind them there are some that are not, one by one. */
				try_at = i + nb_alike + SLUICE_TX_ALIKE;
				if (likely(nb_alike != 0)) {
					i += nb_alike - 1;
					continue;
				}
			}
			if (likely(prepare_common(m)))
				continue;
		}
		/* To be segmented as most are: the burst writes what is to be written. */
		if (sluice_tx_is_gso(&gso, m) || sluice_tx_find_gso(txq, m, &gso))
			continue;
		if (!prepare_any(txq, m))
			break;
	}
	return i;
}
