/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets that ask for checksums, segmentation and tags, in buffers of all kinds, and a plain model
 * of what a device must see of each, byte by byte. Whoever else can read a buffer must find it as
 * it was.
 */

#ifndef TX_MODEL_H
#define TX_MODEL_H

#include "env.h"

#define TX_MODEL_MAX 64   /* packets in a burst */
#define TX_MODEL_EXTS 512 /* external buffers; none is used twice while it is with a device */
#define FRAME_MAX 4096

/* What a packet is and asks for. */
struct ask {
	const char *name;
	uint64_t flags; /* but those of the IP version */
	bool is_ipv6;
	bool is_udp;
	bool is_cwr;
	uint8_t outer; /* IP version that the tunnel goes over; 0: no tunnel */
	/* Bytes. */
	uint8_t l2; /* 0: of Ethernet; of 124 and more, with a tag, an mbuf cannot say how many */
	uint8_t options; /* of IPv4, or of an extension header of IPv6 */
	uint8_t tcp_options, outer_options, tunnel_options;
	uint8_t padding; /* behind the IP packet */
};

#define TCP RTE_MBUF_F_TX_TCP_CKSUM
#define UDP RTE_MBUF_F_TX_UDP_CKSUM
#define IPV4 RTE_MBUF_F_TX_IP_CKSUM
#define VLAN RTE_MBUF_F_TX_VLAN
#define TSO RTE_MBUF_F_TX_TCP_SEG
#define USO RTE_MBUF_F_TX_UDP_SEG
#define OUTER_IPV4 RTE_MBUF_F_TX_OUTER_IP_CKSUM
#define OUTER_UDP RTE_MBUF_F_TX_OUTER_UDP_CKSUM
#define VXLAN RTE_MBUF_F_TX_TUNNEL_VXLAN
#define GENEVE RTE_MBUF_F_TX_TUNNEL_GENEVE

/* All that there are, in tunnels last; ends with one without a name. */
extern const struct ask tx_asks[];
const struct ask *tx_ask_of(const char *name);

/* What its buffers are. */
enum shape {
	PLAIN,
	OTHER_POOL,
	SEGMENTS,
	MIXED_SEGMENTS,
	SHARED,
	CLONE,
	CRAMPED,
	EXTERNAL,
	PINNED,
	NB_SHAPES
};

extern const char *const tx_shape_names[NB_SHAPES];

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	uint16_t first_l2; /* bytes in front of the first IP header */
	uint16_t outer;    /* and of the outer UDP header */
	uint16_t l2;       /* and of the IP header that the packet asks for */
	uint16_t l3, l4;
	uint16_t segsz;
};

struct tx_model {
	struct env *e;
	struct fake_pool *other, *clones, *pinned;
	char *ext;
	struct rte_mbuf_ext_shared_info infos[TX_MODEL_EXTS];
	unsigned int nb_exts;
	struct rte_mbuf *held[TX_MODEL_MAX]; /* by the test, too */
	struct frame before[TX_MODEL_MAX];   /* as the application made it */
	struct frame want[TX_MODEL_MAX];     /* as the device must see it */
	struct sluice_net_hdr_tunnel hdrs[TX_MODEL_MAX];
	uint64_t seed;
};

void tx_model_open(struct tx_model *x, struct env_conf *conf);
void tx_model_close(struct tx_model *x);
/*
 * Packet number nth of a burst. is_prepared: it will go through rte_eth_tx_prepare(); otherwise the
 * sum of the pseudo header is in it, as DPDK wants it.
 */
struct rte_mbuf *tx_model_make(struct tx_model *x, unsigned int nth, const struct ask *a,
		enum shape shape, bool is_prepared);
/*
 * The same by steps, for buffers that a test makes: the frame; a buffer in external memory; frame
 * and request into m, which may be a chain.
 */
const struct frame *tx_model_build(struct tx_model *x, unsigned int nth, const struct ask *a,
		uint32_t payload, bool is_prepared);
void tx_model_attach(struct tx_model *x, struct rte_mbuf *m);
void tx_model_ask(struct tx_model *x, unsigned int nth, const struct ask *a, struct rte_mbuf *m);
/* None may be refused. */
void tx_model_prepare(struct tx_model *x, struct rte_mbuf **pkts, uint16_t nb);
/* What the device collected at place at must be packet number nth. */
void tx_model_check(struct tx_model *x, unsigned int nth, unsigned int at);
/* What the test holds of packet number nth must be as it was; lets go of it. */
void tx_model_let_go(struct tx_model *x, unsigned int nth);

/* A burst of packets that all arrive; completes it. Without errors so far. */
void tx_model_send(struct tx_model *x, struct rte_mbuf **pkts, uint16_t nb);

#endif /* TX_MODEL_H */
