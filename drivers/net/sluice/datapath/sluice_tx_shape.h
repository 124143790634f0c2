/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets with offloads, four at a time. Mostly all ask for the same: then it is found out once
 * what that is, and done to all of them. In bursts what the batch before asked for is remembered
 * (struct sluice_tx_shape).
 */

#ifndef SLUICE_TX_SHAPE_H
#define SLUICE_TX_SHAPE_H

#include "sluice_sum.h"
#include "sluice_tx_offload.h"

/* So many at a time. */
#define SLUICE_TX_ALIKE 4

/*
 * Out of line, in sluice_tx_shape.c: the headers of any batch, one by one, and its shape for the
 * next one. False: a packet has to go another way; those before it may have their headers, which
 * harms nothing.
 */
bool sluice_tx_write_headers(struct sluice_txq *txq, struct rte_mbuf **pkts);
/* The same of one packet whose data is a copy, with the net header in front of it. */
bool sluice_tx_write_header_of_copy(struct sluice_txq *txq, const struct rte_mbuf *m, char *data);

/*
 * Also there, for rte_eth_tx_prepare(): the first packets in fours, as long as each is common, asks
 * for the same as the first one, and has one segment in a buffer of its own. Returns how many. The
 * first one asks for checksums or a tag, and for nothing else.
 */
uint32_t sluice_tx_prepare_alike(struct rte_mbuf **pkts, uint32_t nb);

/* Has a packet with the flags of a shape its lengths? */
static __rte_always_inline bool
sluice_tx_has_lens(const struct sluice_tx_shape *s, const struct rte_mbuf *m)
{
	return sluice_tx_lens(m) == s->lens && m->data_len >= s->data_min;
}

/* Have four? */
static __rte_always_inline bool
sluice_tx_have_lens(const struct sluice_tx_shape *s, struct rte_mbuf *const *m)
{
	return likely(sluice_tx_has_lens(s, m[0]) && sluice_tx_has_lens(s, m[1]) &&
			sluice_tx_has_lens(s, m[2]) && sluice_tx_has_lens(s, m[3]));
}

#ifdef SLUICE_SUMS

/*
 * The net headers of four such packets, which ask for something, and the checksums of their IPv4
 * headers: these are at from_l3 of from, and at l3 of hdr the checksums are written.
 */
static __rte_always_inline void
sluice_tx_put_shape(const struct sluice_tx_shape *s, uint8_t *const from[SLUICE_SUMS],
		size_t from_l3, uint8_t *const hdr[SLUICE_SUMS], size_t l3)
{
	const uint32_t csum_offset = s->csum_offset;
	const uint64_t word = s->word;
	unsigned int i;

	if (s->has_ipv4)
		sluice_sum_ipv4_headers(from, from_l3, hdr, l3);
#pragma GCC unroll 4
	for (i = 0; i < SLUICE_SUMS; i++)
		sluice_tx_put_words(hdr[i], word, csum_offset);
}

#endif

/*
 * Does a packet, which may ask for checksums and a tag and no more, ask for that of TCP or UDP, and
 * is it as most are? Then where its headers are.
 */
static __rte_always_inline bool
sluice_tx_is_common(const struct rte_mbuf *m, struct sluice_tx_csum *c, uint32_t *l2, uint32_t *l3)
{
	const uint64_t flags = m->ol_flags;

	*c = sluice_tx_csums[SLUICE_TX_CSUM_BITS(flags)];
	if (unlikely(c->offset == 0 || !sluice_tx_header_lens(m, *c, l2, l3)))
		return false;
	/* Options of IPv4 have to have a length that can be. */
	return likely(*l3 <= sizeof(struct rte_ipv6_hdr)) &&
			((flags & RTE_MBUF_F_TX_IP_CKSUM) == 0 ||
					likely(*l3 % sizeof(uint32_t) == 0));
}

#endif /* SLUICE_TX_SHAPE_H */
