/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receive side scaling in software: the Toeplitz hash of a received packet (virtio 1.3, 5.1.6.4.3
 * has the same rules), exact against rte_softrss().
 *
 * Toeplitz is a product of polynomials over GF(2): 32 bits of input times the 63 bits of the key
 * that they meet. Where the CPU multiplies without carries (PCLMULQDQ, VPCLMULQDQ) that is one
 * instruction for each 32 bits; elsewhere rte_softrss_be() does it.
 */

#ifndef SLUICE_RSS_H
#define SLUICE_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/*
 * IPv6 addresses and two ports are the longest input, and 32 more bits of key go with them. What a
 * key has beyond that meets no input.
 */
#define SLUICE_RSS_TUPLE_MAX 36
#define SLUICE_RSS_KEY_LEN 40
#define SLUICE_RSS_NB_WORDS (SLUICE_RSS_TUPLE_MAX / 4)
#define SLUICE_RSS_RETA_SIZE 128

/* Most queues among which packets are spread. */
#define SLUICE_SPREAD_QUEUES_MAX 64

/* What a packet is to the hash. */
enum sluice_rss_class {
	SLUICE_RSS_TCP,
	SLUICE_RSS_UDP,
	SLUICE_RSS_SCTP,
	SLUICE_RSS_FRAG, /* a fragment, the first one, too: ports are not in all */
	SLUICE_RSS_OTHER,
	SLUICE_RSS_NB_CLASSES
};

enum sluice_rss_proto {
	SLUICE_RSS_IPV4,
	SLUICE_RSS_IPV6,
	SLUICE_RSS_IPV6_EX, /* with extension headers, and the addresses that those may have */
	SLUICE_RSS_NB_PROTOS
};

struct sluice_rss_kit;
struct sluice_flows;

/* What the application asked for. */
struct sluice_rss_settings {
	uint64_t types; /* RTE_ETH_RSS_...; 0: no RSS */
	uint8_t key[SLUICE_RSS_KEY_LEN];
	uint16_t reta[SLUICE_RSS_RETA_SIZE];
};

/* What the polling cores hash and spread by. Nobody changes one that they may see. */
struct sluice_rss {
	const struct sluice_rss_kit *kit; /* the primary process's */
	/* Bytes of the tuple that is hashed; 0: nothing is. */
	uint8_t tuple_len[SLUICE_RSS_NB_PROTOS][SLUICE_RSS_NB_CLASSES];
	/* By IPv4 protocol: UINT8_MAX if addresses and ports are hashed, else 0. */
	uint8_t has_v4_ports[UINT8_MAX + 1];
	/* The first two of which that is so, or one twice; 0: none. */
	uint8_t v4_protos[2];
	/* The key in words of the CPU's order, as rte_softrss_be() has it. */
	uint32_t key[SLUICE_RSS_KEY_LEN / 4];
	/* What word i of the input is multiplied by: bit 1 + t is bit 32 i + t of the key. */
	uint64_t window[SLUICE_RSS_NB_WORDS + 1];
	uint16_t reta[SLUICE_RSS_RETA_SIZE];
	const struct sluice_flows *flows; /* asked before the table; NULL: there are none */
};

/* Ways to compute the same. */
struct sluice_rss_kit {
	const char *name;
	/* Of len bytes, which are a multiple of 4 and at most SLUICE_RSS_TUPLE_MAX. */
	uint32_t (*tuple)(const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len);
	/* Into mbuf.hash.rss of each packet that has one, with RTE_MBUF_F_RX_RSS_HASH. */
	void (*burst)(const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb);
};

/* Where SLUICE_HAS_X86_VEC: those of sluice_rss_clmul.c, and that of sluice_rss_avx512.c. */
extern const struct sluice_rss_kit sluice_rss_kit_clmul, sluice_rss_kit_vclmul;
extern const struct sluice_rss_kit sluice_rss_kit_avx512;

/* The key, of SLUICE_RSS_KEY_LEN bytes, and what follows from it; tuple_len is set. */
void sluice_rss_init(struct sluice_rss *rss, const uint8_t *key);

/*
 * The kits that this CPU can run with registers of at most simd_bits, fastest first; NULL behind
 * the last, which any can.
 */
const struct sluice_rss_kit *sluice_rss_kit_at(unsigned int i, uint16_t simd_bits);

/*
 * What is hashed of a packet: bytes of tuple as they are in the packet, returns how many. 0: it has
 * no type that is hashed, or headers that cannot be. Reads nothing beyond the packet.
 */
uint32_t sluice_rss_tuple(const struct sluice_rss *rss, const struct rte_mbuf *m,
		uint8_t tuple[SLUICE_RSS_TUPLE_MAX]);

/* A packet has this hash. */
static inline void
sluice_rss_store(struct rte_mbuf *m, uint32_t hash)
{
	m->hash.rss = hash;
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
}

/* hash.rss and the flag of one packet, by a kit's function. */
void sluice_rss_one(const struct sluice_rss *rss, struct rte_mbuf *m,
		uint32_t (*tuple)(
				const struct sluice_rss *rss, const uint8_t *tuple, uint32_t len));

#endif /* SLUICE_RSS_H */
