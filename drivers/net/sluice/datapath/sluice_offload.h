/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Net header and mbuf: what a device says of a received packet's checksum. Headers are copied once
 * before they are looked at, and what they say is checked against the packet. The packet's own
 * bytes may be a lie too: they decide what is said to the application, never what is touched.
 */

#ifndef SLUICE_OFFLOAD_H
#define SLUICE_OFFLOAD_H

#include <stdbool.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "sluice_rxq.h"

/*
 * A header that says more than DATA_VALID (5.1.6.4). False: the packet shall be dropped, and is
 * counted by reason.
 *
 * NEEDS_CSUM: a checksum that is still partial. That of the packet's own TCP or UDP header is
 * reported as L4_CKSUM_NONE, or completed and reported as right (complete_csum=1); any other is
 * completed here, since applications do not expect it.
 *
 * gso_type: a TCP packet that the device, or who gave it to the device, made of several (LRO).
 * mbuf.tso_segsz is the length of their payload. One whose payload is no longer than that is as any
 * other. What hdr_len says is a hint that nobody needs (5.1.6.4.2).
 */
bool sluice_offload_more(
		struct sluice_rxq *rxq, struct rte_mbuf *m, const struct sluice_net_hdr *hdr);

/*
 * The hashes that the device has written for nb packets (5.1.6.4.5), and that it knows a checksum
 * to be right, where that means something. mbuf.hash is set in any case; with a flag, and not 0, if
 * the type of the hash is known. Fresh mbufs of a queue with has_hash, of one buffer or the first
 * one of several.
 */
void sluice_offload_hashes(const struct sluice_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb);

/*
 * Where the header behind Ethernet and up to two VLAN tags begins, and its type. Reads below end;
 * 0: too short for IPv4.
 */
uint32_t sluice_offload_find_l3(const uint8_t *data, uint32_t end, uint16_t *type);

/*
 * The IPv4 header's checksum into a packet's mbuf, whatever was said there. It is unknown where
 * there is no such header behind up to two VLAN tags, or where it does not end in the first buffer.
 */
void sluice_offload_ipv4(struct rte_mbuf *m);

/*
 * Is the sum of an IPv4 header without options right (RFC 1071)? Ones' complement sums of 16-bit
 * words are sums modulo 65535, in either byte order and of any whole number of words at a time.
 * All ones are 0 there, and no header is empty.
 */
static __rte_always_inline bool
sluice_offload_ipv4_is_right(const uint8_t *ip)
{
	uint64_t first, second, third, sum;
	uint32_t last;

	memcpy(&first, ip, sizeof(first));
	memcpy(&second, ip + 8, sizeof(second));
	memcpy(&last, ip + 16, sizeof(last));
	sum = first + second;
	third = (uint64_t)last + (sum < first);
	sum += third;
	sum += sum < third;
	return sum % UINT16_MAX == 0;
}

/* Is there an IPv4 header without options, with a right sum, behind Ethernet's without a tag? */
static __rte_always_inline bool
sluice_offload_is_plain_ipv4(const uint8_t *data)
{
	const uint32_t l3 = RTE_ETHER_HDR_LEN;
	uint32_t type; /* Ethernet's, then version and header length, then what is not looked at */

	memcpy(&type, data + l3 - sizeof(uint16_t), sizeof(type));
	if (unlikely((type & RTE_BE32(0xffffff00)) != RTE_BE32(0x08004500)))
		return false;
	return sluice_offload_ipv4_is_right(data + l3);
}

/* The same of a packet of any length. */
static __rte_always_inline bool
sluice_offload_has_plain_ipv4(const struct rte_mbuf *m)
{
	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr)))
		return false;
	return sluice_offload_is_plain_ipv4(rte_pktmbuf_mtod(m, const uint8_t *));
}

/**
 * A private copy of a received net header: the device may change it while we look. Without the
 * hash, if it has one.
 */
static __rte_always_inline struct sluice_net_hdr
sluice_offload_copy(const void *dv_hdr)
{
	const uint32_t *dv_words = dv_hdr;
	struct sluice_net_hdr hdr;
	uint32_t words[3];

	words[0] = rte_atomic_load_explicit(&dv_words[0], rte_memory_order_relaxed);
	words[1] = rte_atomic_load_explicit(&dv_words[1], rte_memory_order_relaxed);
	words[2] = rte_atomic_load_explicit(&dv_words[2], rte_memory_order_relaxed);
	static_assert(sizeof(words) == sizeof(hdr), "all of it");
	memcpy(&hdr, words, sizeof(hdr));
	return hdr;
}

/*
 * What the net header of this length in front of m's data says: flags and gso_type, and above
 * those num_buffers where it is not 1, as far as its bits count; of a queue with checks_ipv4 also
 * SLUICE_SAID_IPV4. Of one that says much a copy is made then, and looked at.
 */
static __rte_always_inline uint64_t
sluice_offload_said(const struct sluice_rxq *rxq, const struct rte_mbuf *m, int hdr_len)
{
	const uint16_t *dv_halves = rte_pktmbuf_mtod_offset(m, const uint16_t *, -hdr_len);
	/* flags and gso_type; num_buffers. */
	uint16_t said = rte_atomic_load_explicit(&dv_halves[0], rte_memory_order_relaxed);
	uint32_t nb = rte_atomic_load_explicit(&dv_halves[5], rte_memory_order_relaxed);

	return said | (uint64_t)((nb ^ rxq->num_buffers_plain) & rxq->num_buffers_mask) << 16;
}

/**
 * What a header (a private copy) says of a packet that is complete, into the packet's mbuf. Without
 * a flag the checksum stays unknown; flags that were not negotiated mean nothing (5.1.6.4.2).
 *
 * @return false if the header cannot be: the packet shall be dropped, and is counted by reason.
 */
static __rte_always_inline bool
sluice_offload_rx(struct sluice_rxq *rxq, struct rte_mbuf *m, const struct sluice_net_hdr *hdr)
{
	const uint8_t needs = SLUICE_NET_HDR_F_NEEDS_CSUM, valid = SLUICE_NET_HDR_F_DATA_VALID;

	if ((hdr->flags & (needs | valid)) == 0 && hdr->gso_type == SLUICE_NET_HDR_GSO_NONE)
		return true;
	if ((hdr->flags & needs) != 0 || unlikely(hdr->gso_type != SLUICE_NET_HDR_GSO_NONE))
		return sluice_offload_more(rxq, m, hdr);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return true;
}

#endif /* SLUICE_OFFLOAD_H */
