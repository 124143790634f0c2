/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Received packets whose headers say something, and a plain model of what must come of each.
 * Packets are made and summed here, by nothing of the driver's.
 */

#ifndef RX_MODEL_H
#define RX_MODEL_H

#include "env.h"

#define NEEDS SLUICE_NET_HDR_F_NEEDS_CSUM
#define VALID SLUICE_NET_HDR_F_DATA_VALID
#define NONE RTE_MBUF_F_RX_L4_CKSUM_NONE
#define GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD
#define RX_BYTES_MAX 66000

/* A packet of a kind, as the device delivers it, and how it must arrive. */
struct rx_sample {
	const char *name;
	uint8_t nb_tags; /* VLAN */
	uint8_t l3_len;  /* 20 to 60: IPv4, 0: IPv6, 1: neither */
	uint8_t proto;
	uint16_t start, offset; /* of the checksum; 0: where the L4 header would begin */
	uint8_t flags;
	uint64_t want;
	bool is_completed;
};

struct rx_packet {
	uint8_t bytes[RX_BYTES_MAX];
	uint32_t len;
	uint32_t payload; /* of TCP: where it begins */
	uint64_t want;    /* flags of the mbuf */
	struct sluice_net_hdr hdr;
};

/* As the device delivers it. A TCP header has options. */
void rx_model_make(struct rx_packet *p, const struct rx_sample *s, uint32_t len, uint64_t seed);
void rx_model_deliver(struct env *e, const struct rx_packet *p);
/* p as it was made, or with the checksum completed. Frees m. */
void rx_model_expect(struct rte_mbuf *m, struct rx_packet *p, bool is_completed);
/* The checksum that its header says is partial. */
void rx_model_complete(struct rx_packet *p);
/* What DPDK's library says of these bytes in one piece, and the outermost tag. */
uint32_t rx_model_ptype(const uint8_t *bytes, uint32_t len);

#endif /* RX_MODEL_H */
