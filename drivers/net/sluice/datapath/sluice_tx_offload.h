/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What an application asks of a packet that it sends: checksums, segmentation, a VLAN tag. The net
 * header tells the device of what it does (5.1.6.2); IPv4 checksums and tags it does not know, they
 * are written here, in software.
 *
 * Nothing is written to a buffer that somebody else may read: of such a packet the headers are
 * copied to memory of the queue's, and the copy is changed and sent in front of the rest.
 *
 * Only queues whose application switched offloads on come here, by burst functions of their own.
 * For the others a packet that asks for anything is one to be dropped (SLUICE_TX_FLAGS).
 */

#ifndef SLUICE_TX_OFFLOAD_H
#define SLUICE_TX_OFFLOAD_H

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "sluice_txq.h"

/* Flags of a packet that ask for something; the other Tx flags only describe it. */
#define SLUICE_TX_FLAGS \
	(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | \
			RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ | \
			RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM | \
			RTE_MBUF_F_TX_SEC_OFFLOAD | RTE_MBUF_F_TX_MACSEC)

/* The upper half of a packet's flags, by itself: there is nothing else to be asked about. */
static __rte_always_inline uint32_t
sluice_tx_upper_flags(const struct rte_mbuf *m)
{
	uint32_t upper;

	memcpy(&upper, (const char *)&m->ol_flags + sizeof(upper), sizeof(upper));
	return upper;
}

/*
 * Whether a packet may have any of the flags, a constant of bits of the upper half: it has one of
 * them, or one between the lowest and the highest of them. Arm has such runs of bits in its
 * instructions; others cost it a register, or two instructions for each packet.
 */
static __rte_always_inline bool
sluice_tx_may_have(const struct rte_mbuf *m, const uint64_t flags)
{
	const uint32_t wanted = flags >> 32;

	return (sluice_tx_upper_flags(m) & (UINT32_MAX >> __builtin_clz(wanted)) &
			       (UINT32_MAX << __builtin_ctz(wanted))) != 0;
}

static_assert((uint32_t)(SLUICE_TX_FLAGS | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL) == 0,
		"sluice_tx_upper_flags()");

static __rte_always_inline bool
sluice_tx_asks(const struct rte_mbuf *m)
{
	return (sluice_tx_upper_flags(m) & (SLUICE_TX_FLAGS >> 32)) != 0;
}

/* Of a segment with an external buffer: that is one of its pool's, and nobody else holds it. */
bool sluice_tx_has_pinned_buffer(struct rte_mbuf *m); /* in sluice_tx_offload.c */

/* Nobody else can have a segment's buffer. */
static __rte_always_inline bool
sluice_tx_has_own_buffer(struct rte_mbuf *m)
{
	const uint32_t flags = sluice_tx_upper_flags(m);

	return (flags & ((RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL) >> 32)) == 0 ||
			((flags & (RTE_MBUF_F_INDIRECT >> 32)) == 0 &&
					sluice_tx_has_pinned_buffer(m));
}

/*
 * Nobody else can hold a segment or read its buffer: it may be written, in front of the data too,
 * and goes back to its pool as it is.
 */
static __rte_always_inline bool
sluice_tx_is_ours(struct rte_mbuf *m)
{
	return sluice_tx_has_own_buffer(m) && rte_mbuf_refcnt_read(m) == 1;
}

/* Those of packets that the device segments. */
#define SLUICE_TX_GSO_FLAGS (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)

/* Those that a batch of packets may have, if they are allowed. */
#define SLUICE_TX_BATCH_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM)

/*
 * What keeps a packet out of batches, whatever it asks for: its buffer is not its own, as an
 * external one, but for pools that pin them. Without offloads also that it asks for anything.
 */
static __rte_always_inline uint64_t
sluice_tx_slow_flags(const struct sluice_path_cfg cfg)
{
	return RTE_MBUF_F_INDIRECT | (cfg.is_pinned ? 0 : RTE_MBUF_F_EXTERNAL) |
			(cfg.has_offloads ? 0 : SLUICE_TX_FLAGS);
}

/* There are outer headers, before l2_len counts. */
#define SLUICE_TX_HAS_OUTER \
	(RTE_MBUF_F_TX_TUNNEL_MASK | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6)

/* All that headers of batches are made of. */
#define SLUICE_TX_SHAPE_FLAGS \
	(SLUICE_TX_FLAGS | SLUICE_TX_HAS_OUTER | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

/* Most bytes of headers of a packet that asks for something. */
#define SLUICE_TX_HEADERS_MAX 288

/* What flags of checksums say of the headers. */
struct sluice_tx_csum {
	uint8_t offset; /* of the checksum in the L4 header, that a device completes; 0: none */
	uint8_t end;    /* of that checksum */
	uint8_t proto;  /* of the L4 header */
	uint8_t l3_min; /* shortest IP header; 0: flags that contradict each other, or none */
};

/*
 * By the flags that are together in five bits: checksum of TCP or UDP, IPv4 checksum, IPv4 or IPv6.
 */
#define SLUICE_TX_CSUM_BITS(flags) ((flags) / RTE_MBUF_F_TX_TCP_CKSUM % 32)
enum sluice_tx_csum_bits {
	SLUICE_TX_SUM4 = SLUICE_TX_CSUM_BITS(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM),
	SLUICE_TX_TCP4 = SLUICE_TX_CSUM_BITS(RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4),
	SLUICE_TX_TCP6 = SLUICE_TX_CSUM_BITS(RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV6),
	SLUICE_TX_TCP_SUM4 = SLUICE_TX_TCP4 | SLUICE_TX_SUM4,
	SLUICE_TX_UDP4 = SLUICE_TX_CSUM_BITS(RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4),
	SLUICE_TX_UDP6 = SLUICE_TX_CSUM_BITS(RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6),
	SLUICE_TX_UDP_SUM4 = SLUICE_TX_UDP4 | SLUICE_TX_SUM4,
};

static const struct sluice_tx_csum sluice_tx_csums[32] = {
	[SLUICE_TX_SUM4] = { 0, 0, 0, 20 },
	[SLUICE_TX_TCP4] = { 16, 18, IPPROTO_TCP, 20 },
	[SLUICE_TX_TCP6] = { 16, 18, IPPROTO_TCP, 40 },
	[SLUICE_TX_TCP_SUM4] = { 16, 18, IPPROTO_TCP, 20 },
	[SLUICE_TX_UDP4] = { 6, 8, IPPROTO_UDP, 20 },
	[SLUICE_TX_UDP6] = { 6, 8, IPPROTO_UDP, 40 },
	[SLUICE_TX_UDP_SUM4] = { 6, 8, IPPROTO_UDP, 20 },
};

static_assert(RTE_MBUF_F_TX_L4_MASK == 3 * RTE_MBUF_F_TX_TCP_CKSUM &&
				RTE_MBUF_F_TX_IP_CKSUM == 4 * RTE_MBUF_F_TX_TCP_CKSUM &&
				RTE_MBUF_F_TX_IPV4 == 8 * RTE_MBUF_F_TX_TCP_CKSUM &&
				RTE_MBUF_F_TX_IPV6 == 16 * RTE_MBUF_F_TX_TCP_CKSUM,
		"bits of the index");

static __rte_always_inline uint32_t
sluice_tx_csum_offset(uint64_t ol_flags)
{
	return sluice_tx_csums[SLUICE_TX_CSUM_BITS(ol_flags)].offset;
}

/* Both lengths of the headers of a packet without outer ones, to be compared. */
static __rte_always_inline uint16_t
sluice_tx_lens(const struct rte_mbuf *m)
{
	static_assert(RTE_MBUF_L2_LEN_BITS + RTE_MBUF_L3_LEN_BITS == 16, "all of them");
	return m->tx_offload;
}

/*
 * One segment, and nobody else holds it, seen in one plain load: whoever else held it can only have
 * let go. With is_few in two, for the application has just written one of the fields then, and a
 * load of both would wait for it; that of the count is atomic, so that the compiler does not join
 * them.
 */
static __rte_always_inline bool
sluice_tx_is_single(const struct rte_mbuf *m, const bool is_few)
{
	uint32_t both;

	if (is_few)
		return rte_mbuf_refcnt_read(m) == 1 && m->nb_segs == 1;
	static_assert(offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, refcnt) + 2,
			"refcnt and nb_segs");
	memcpy(&both, (const char *)m + offsetof(struct rte_mbuf, refcnt), sizeof(both));
	return both == 0x00010001;
}

/*
 * Lengths of the headers of a packet without outer ones. False: a header is too short for the
 * checksums, or all are too long for the first segment; or the flags contradict each other.
 */
static __rte_always_inline bool
sluice_tx_header_lens(
		const struct rte_mbuf *m, const struct sluice_tx_csum c, uint32_t *l2, uint32_t *l3)
{
	const uint32_t lens = m->tx_offload; /* read once */
	uint32_t all;
	int32_t bad; /* < 0 */

	*l2 = lens % (1 << RTE_MBUF_L2_LEN_BITS);
	*l3 = lens >> RTE_MBUF_L2_LEN_BITS & ((1 << RTE_MBUF_L3_LEN_BITS) - 1);
	all = *l2 + *l3 + c.end;
	bad = (*l2 - RTE_ETHER_HDR_LEN) | (*l3 - c.l3_min) | (c.l3_min - 1) | (m->data_len - all) |
			(SLUICE_TX_HEADERS_MAX - all);
	return bad >= 0;
}

/* A ones' complement sum of 16-bit words in 16 bits: upper and lower half added, with the carry. */
static __rte_always_inline uint16_t
sluice_tx_fold(uint64_t sum)
{
	uint32_t half = (sum + (sum << 32 | sum >> 32)) >> 32;

	return (half + (half << 16 | half >> 16)) >> 16;
}

/* The checksum of an IPv4 header without options (RFC 1071), whatever is in its field. */
static __rte_always_inline void
sluice_tx_sum_ipv4(uint8_t *ip)
{
	const size_t at = offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint64_t first, second, sum;
	uint32_t third;
	uint16_t cksum;

	memcpy(&first, ip, sizeof(first));
	memcpy(&second, ip + 8, sizeof(second));
	memcpy(&third, ip + 16, sizeof(third));
	second &= ~((uint64_t)UINT16_MAX << 8 * (at - 8));
	sum = first + second;
	sum += sum < first;
	sum += third;
	sum += sum < third;
	cksum = ~sluice_tx_fold(sum);
	memcpy(ip + at, &cksum, sizeof(cksum));
}

/* Of the net header of a packet of a batch: a literal. */
static __rte_always_inline uint32_t
sluice_tx_batch_hdr_len(const struct sluice_path_cfg cfg)
{
	return cfg.has_hash ? SLUICE_NET_HDR_HASH_LEN : SLUICE_NET_HDR_LEN;
}

/*
 * If a data_off has any of these bits, there is room for that header: nearly always it has, for
 * there is room for much more.
 */
static __rte_always_inline uint16_t
sluice_tx_room_bits(const struct sluice_path_cfg cfg)
{
	static_assert(SLUICE_NET_HDR_LEN <= 16 && SLUICE_NET_HDR_HASH_LEN <= 32, "lowest bits");
	return cfg.has_hash ? 0xffe0 : 0xfff0;
}

/* Of any other packet; rows without offloads have the shorter one. */
static __rte_always_inline uint32_t
sluice_tx_hdr_len(const struct sluice_txq *txq, const struct sluice_path_cfg cfg)
{
	return cfg.has_offloads ? txq->hdr_len : SLUICE_NET_HDR_LEN;
}

/* A longer header has no hash where a packet is sent. */
static __rte_always_inline void
sluice_tx_clear_hash(void *hdr, uint32_t hdr_len)
{
	if (unlikely(hdr_len != SLUICE_NET_HDR_LEN))
		memset((char *)hdr + SLUICE_NET_HDR_LEN, 0, hdr_len - SLUICE_NET_HDR_LEN);
}

/*
 * All zero: no offload, and num_buffers is 0 on transmit (5.1.6.2.1). Reads first: it often is
 * zero.
 */
static __rte_always_inline void
sluice_tx_clear_header(void *hdr)
{
	/* Bytes 0 to 7 and 4 to 11. */
	sluice_word *a = hdr, *b = sluice_word_at(hdr, 4);

	if ((*a | *b) != 0) {
		*a = 0;
		*b = 0;
	}
}

/* A header with content: its first bytes; csum_offset; num_buffers is 0 (5.1.6.2.1). */
static __rte_always_inline void
sluice_tx_put_words(void *hdr, uint64_t word, uint32_t csum_offset)
{
	*sluice_word_at(hdr, 0) = word;
	memcpy((char *)hdr + sizeof(word), &csum_offset, sizeof(csum_offset));
}

/* The first bytes of the header of a packet whose L4 header begins at start (5.1.6.2). */
static __rte_always_inline uint64_t
sluice_tx_header_word(const struct sluice_tx_csum c, uint32_t start)
{
	if (unlikely(c.offset == 0))
		return 0;
	return SLUICE_NET_HDR_F_NEEDS_CSUM |
			(uint64_t)start << 8 * offsetof(struct sluice_net_hdr, csum_start);
}

/*
 * The net header, in front of its data, of a packet of a batch: nobody else holds it, and it has no
 * flags but those of SLUICE_TX_BATCH_FLAGS. data: the packet's, or a copy of it. Writes the IPv4
 * checksum too. False: something is wrong with it, or rare; nothing was changed.
 */
static __rte_always_inline bool
sluice_tx_write_header_at(const struct rte_mbuf *m, char *data, const size_t hdr_len)
{
	const uint64_t flags = m->ol_flags;
	const struct sluice_tx_csum c = sluice_tx_csums[SLUICE_TX_CSUM_BITS(flags)];
	uint32_t l2, l3;
	uint64_t word;

	if ((flags & SLUICE_TX_BATCH_FLAGS) == 0) {
		sluice_tx_clear_header(data - hdr_len);
		sluice_tx_clear_hash(data - hdr_len, hdr_len);
		return true;
	}
	if (unlikely(!sluice_tx_header_lens(m, c, &l2, &l3)))
		return false;
	word = sluice_tx_header_word(c, l2 + l3);
	if ((flags & RTE_MBUF_F_TX_IP_CKSUM) != 0) {
		/* Options are rare. */
		if (unlikely(l3 != sizeof(struct rte_ipv4_hdr)))
			return false;
		sluice_tx_sum_ipv4((uint8_t *)data + l2);
	}
	sluice_tx_put_words(data - hdr_len, word, c.offset);
	sluice_tx_clear_hash(data - hdr_len, hdr_len);
	return true;
}

static __rte_always_inline bool
sluice_tx_write_header(struct rte_mbuf *m, size_t hdr_len)
{
	return sluice_tx_write_header_at(m, rte_pktmbuf_mtod(m, char *), hdr_len);
}

/* Out of line, in sluice_tx_offload.c. */

/*
 * Tags of packets that are going to be given, where they can be written in place: then batches can
 * take them.
 */
void sluice_tx_insert_tags(struct rte_mbuf **pkts, uint16_t nb);

/* What is wrong with a packet that asks for something; SLUICE_TX_FINE: nothing. */
enum sluice_tx_fault sluice_tx_find_fault(const struct sluice_txq *txq, const struct rte_mbuf *m);

/*
 * Do in place what the device does not: tag, IPv4 checksum, pseudo header of a packet to be
 * segmented; and the net header in front of the data, if there is room. The packet asks for
 * something. False: something is wrong with it, or somebody else may read its first buffer, or that
 * has no room for the tag; nothing was changed.
 */
bool sluice_tx_edit(struct sluice_txq *txq, struct rte_mbuf *m);

/* The net header of a packet that was edited, elsewhere. */
void sluice_tx_put_header(const struct sluice_txq *txq, const struct rte_mbuf *m, void *hdr);

/*
 * Instead of both: net header and headers, changed as they must be, to a place that has room for
 * the net header and SLUICE_TX_HEADERS_MAX more. There is nothing wrong with the packet. Returns
 * bytes written; *nb_copied of them, all of the first segment, are not to be sent again.
 */
uint32_t sluice_tx_copy_headers(const struct sluice_txq *txq, const struct rte_mbuf *m, void *place,
		uint32_t *nb_copied);

/*
 * rte_eth_tx_prepare(): writes the sum of the pseudo header where the device completes a checksum,
 * unless somebody else may read the buffer: the burst does it then, in its copy, as it does for
 * packets to be segmented. rte_errno: ENOTSUP for what the port or the device does not do, EINVAL
 * for what nobody can do.
 */
uint16_t sluice_tx_prepare(void *txq, struct rte_mbuf **pkts, uint16_t nb);

#endif /* SLUICE_TX_OFFLOAD_H */
