/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Internet checksums (RFC 1071) of the headers of four packets at a time, with the 128-bit
 * registers that each CPU has for which batches are built. Sums of 16-bit words do not depend on
 * the order of the bytes, so nothing is swapped.
 */

#ifndef SLUICE_SUM_H
#define SLUICE_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ip.h>

#if defined(SLUICE_HAS_X86_VEC)
#include "sluice_sum_x86.h"
#ifdef __AVX2__
#include "sluice_sum_avx2.h"
#endif
#elif defined(SLUICE_HAS_NEON)
#include "sluice_sum_neon.h"
#endif

/* Not defined: there are none. */
#if defined(SLUICE_HAS_X86_VEC) || defined(SLUICE_HAS_NEON)
#define SLUICE_SUMS 4

/*
 * The sum of the pseudo header of each packet into its bytes from csum_at on, of IP headers at
 * l3_at. more: what all have in common, the protocol and what the IP header's length is not.
 */
static __rte_always_inline void
sluice_sum_pseudo_headers(uint8_t *const data[SLUICE_SUMS], bool is_ipv6, size_t l3_at,
		uint32_t more, size_t csum_at)
{
	if (is_ipv6)
		sluice_sum_put(sluice_sum_fold(sluice_sum_ipv6_ends(data,
					       l3_at + offsetof(struct rte_ipv6_hdr, src_addr),
					       l3_at + offsetof(struct rte_ipv6_hdr, payload_len),
					       more)),
				data, csum_at);
	else
		sluice_sum_put(sluice_sum_fold(sluice_sum_ipv4_ends(data,
					       l3_at + offsetof(struct rte_ipv4_hdr, src_addr),
					       l3_at + offsetof(struct rte_ipv4_hdr, total_length),
					       more)),
				data, csum_at);
}

/*
 * The checksum of the IPv4 header, without options, of each packet, into the header at to_at of the
 * same packet or of a copy.
 */
static __rte_always_inline void
sluice_sum_ipv4_headers(uint8_t *const data[SLUICE_SUMS], size_t l3_at,
		uint8_t *const to[SLUICE_SUMS], size_t to_at)
{
	sluice_sum_put(sluice_sum_invert(sluice_sum_fold(sluice_sum_but_cksum(data, l3_at))), to,
			to_at + offsetof(struct rte_ipv4_hdr, hdr_checksum));
}

#endif

/*
 * Of received packets there may be more at a time (SLUICE_SUMS_CHECKED; not defined: none).
 *
 * sluice_sum_are_ipv4(): are all of them IPv4 without options, and their header checksums right?
 * has_tag: all of them have one VLAN tag; else none. Their data are data_at behind the mbufs, or
 * with is_pinned in their buffers, and have SLUICE_SUM_LEAST bytes or more.
 */
#define SLUICE_SUM_LEAST \
	(RTE_ETHER_HDR_LEN + sizeof(struct rte_vlan_hdr) + sizeof(struct rte_ipv4_hdr))

#endif /* SLUICE_SUM_H */
