/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Checksums that are written into headers of packets to be sent. Part of sluice_tx_offload.c. */

#ifndef SLUICE_TX_SUM_H
#define SLUICE_TX_SUM_H

#include <rte_byteorder.h>
#include <rte_udp.h>

#include "sluice_tx_offload.h"

/* Eight bytes as two words of four, so that several of them add up without a carry. */
static __rte_always_inline uint64_t
sluice_tx_sum_at(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & UINT32_MAX) + (word >> 32);
}

/* The sum of the addresses of both ends. */
static __rte_always_inline uint64_t
sluice_tx_sum_addresses(const uint8_t *ip, bool is_ipv6)
{
	if (is_ipv6) {
		ip += offsetof(struct rte_ipv6_hdr, src_addr);
		return sluice_tx_sum_at(ip) + sluice_tx_sum_at(ip + 8) + sluice_tx_sum_at(ip + 16) +
				sluice_tx_sum_at(ip + 24);
	}
	return sluice_tx_sum_at(ip + offsetof(struct rte_ipv4_hdr, src_addr));
}

/* Bytes behind the IP header, of l3_len bytes: as it says, for frames may be padded. */
static __rte_always_inline uint16_t
sluice_tx_l4_bytes(const uint8_t *ip, uint32_t l3_len, bool is_ipv6)
{
	uint16_t len;

	if (is_ipv6) {
		memcpy(&len, ip + offsetof(struct rte_ipv6_hdr, payload_len), sizeof(len));
		return rte_be_to_cpu_16(len) + sizeof(struct rte_ipv6_hdr) - l3_len;
	}
	memcpy(&len, ip + offsetof(struct rte_ipv4_hdr, total_length), sizeof(len));
	return rte_be_to_cpu_16(len) - l3_len;
}

/*
 * The checksum's field, at csum, holds the sum of the pseudo header, with the length of the whole
 * packet (5.1.6.2.1), also where it is going to be segmented.
 */
static __rte_always_inline void
sluice_tx_put_pseudo_header(
		const uint8_t *ip, bool is_ipv6, uint16_t proto, uint16_t len, uint8_t *csum)
{
	uint16_t sum = sluice_tx_fold(sluice_tx_sum_addresses(ip, is_ipv6) +
			rte_cpu_to_be_16(proto) + rte_cpu_to_be_16(len));

	memcpy(csum, &sum, sizeof(sum));
}

/* Of an IPv4 header of len bytes. */
static inline void
sluice_tx_write_ipv4_cksum(uint8_t *ip, uint32_t len)
{
	const size_t at = offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint16_t cksum = 0;

	memcpy(ip + at, &cksum, sizeof(cksum));
	cksum = ~rte_raw_cksum(ip, len);
	memcpy(ip + at, &cksum, sizeof(cksum));
}

#endif /* SLUICE_TX_SUM_H */
