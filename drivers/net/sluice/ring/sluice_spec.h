/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Wire layouts and constants of the virtio 1.3 specification, with the section that defines each.
 * Relies on nothing but the C library, so that tests and fake devices can use it without DPDK.
 * All fields are little-endian (virtio 1.3, 1.4); big-endian hosts are refused below.
 */

#ifndef SLUICE_SPEC_H
#define SLUICE_SPEC_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "big-endian hosts are not supported: ring fields are accessed without conversion"
#endif

/* Device status bits (2.1). */
#define SLUICE_STATUS_ACKNOWLEDGE 1
#define SLUICE_STATUS_DRIVER 2
#define SLUICE_STATUS_DRIVER_OK 4
#define SLUICE_STATUS_FEATURES_OK 8
#define SLUICE_STATUS_NEEDS_RESET 64
#define SLUICE_STATUS_FAILED 128

/* Feature bits: network device (5.1.3). */
#define SLUICE_NET_F_CSUM 0
#define SLUICE_NET_F_GUEST_CSUM 1
#define SLUICE_NET_F_MTU 3
#define SLUICE_NET_F_MAC 5
#define SLUICE_NET_F_GUEST_TSO4 7
#define SLUICE_NET_F_GUEST_TSO6 8
#define SLUICE_NET_F_GUEST_ECN 9
#define SLUICE_NET_F_HOST_TSO4 11
#define SLUICE_NET_F_HOST_TSO6 12
#define SLUICE_NET_F_HOST_ECN 13
#define SLUICE_NET_F_MRG_RXBUF 15
#define SLUICE_NET_F_STATUS 16
#define SLUICE_NET_F_MQ 22
#define SLUICE_NET_F_HOST_USO 56
#define SLUICE_NET_F_HOST_UDP_TUNNEL_GSO 67 /* virtio 1.4, as the next */
#define SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM 68
/* Feature bits: reserved for the ring and the transport (6). */
#define SLUICE_F_INDIRECT_DESC 28
#define SLUICE_F_EVENT_IDX 29
#define SLUICE_F_VERSION_1 32
#define SLUICE_F_RING_PACKED 34
#define SLUICE_F_IN_ORDER 35
#define SLUICE_F_ORDER_PLATFORM 36

/* A set of feature bits (2.2): as many as a device of virtio 1.4 may have (6). */
__extension__ typedef unsigned __int128 sluice_features;

#define SLUICE_BIT(n) ((sluice_features)1 << (n))

static inline bool
sluice_has(sluice_features features, unsigned int bit)
{
	return (features & SLUICE_BIT(bit)) != 0;
}

/* Largest queue: split 2.7, packed 2.8.10.1. */
#define SLUICE_QUEUE_SIZE_MAX 32768

/* Descriptor flags (2.7.5, 2.8.1). */
#define SLUICE_DESC_F_NEXT 1
#define SLUICE_DESC_F_WRITE 2
#define SLUICE_DESC_F_INDIRECT 4
#define SLUICE_DESC_F_AVAIL (1 << 7)
#define SLUICE_DESC_F_USED (1 << 15)

/* Split ring (2.7.5, 2.7.6, 2.7.8). */
struct sluice_split_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* ring[size] is followed by a 16-bit used_event. */
struct sluice_split_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct sluice_split_used_elem {
	uint32_t id;
	uint32_t len;
};

/* ring[size] is followed by a 16-bit avail_event. */
struct sluice_split_used {
	uint16_t flags;
	uint16_t idx;
	struct sluice_split_used_elem ring[];
};

#define SLUICE_AVAIL_F_NO_INTERRUPT 1 /* 2.7.7 */
#define SLUICE_USED_F_NO_NOTIFY 1     /* 2.7.10 */

/* Alignments (2.7.1, 2.8.10.1). */
#define SLUICE_SPLIT_DESC_ALIGN 16
#define SLUICE_SPLIT_AVAIL_ALIGN 2
#define SLUICE_SPLIT_USED_ALIGN 4

/* Packed ring (2.8.13, 2.8.14). */
struct sluice_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

struct sluice_packed_event {
	uint16_t off_wrap; /* bits 0-14 offset, bit 15 wrap counter */
	uint16_t flags;
};

#define SLUICE_EVENT_ENABLE 0 /* 2.8.10 */
#define SLUICE_EVENT_DISABLE 1
#define SLUICE_EVENT_DESC 2

/* Packet header (5.1.6); 12 bytes whenever VERSION_1 was negotiated. */
struct sluice_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

#define SLUICE_NET_HDR_LEN 12

/* The same if HASH_REPORT was negotiated, in both directions (5.1.6, 5.1.6.4.5). */
struct sluice_net_hdr_hash {
	struct sluice_net_hdr hdr;
	uint32_t hash_value;
	uint16_t hash_report; /* the number of the hash type's bit, plus 1; 0: none */
	uint16_t padding;
};

#define SLUICE_NET_HDR_HASH_LEN 20

/* The same if UDP_TUNNEL_GSO was negotiated, whether there is a hash or not (virtio 1.4, 5.1.6). */
struct sluice_net_hdr_tunnel {
	struct sluice_net_hdr_hash hash;
	uint16_t outer_th_offset; /* of the outer UDP header */
	uint16_t inner_nh_offset; /* of the inner IP header */
};

#define SLUICE_NET_HDR_TUNNEL_LEN 24
#define SLUICE_NET_HASH_REPORT_MAX 9

#define SLUICE_NET_HDR_F_NEEDS_CSUM 1
#define SLUICE_NET_HDR_F_DATA_VALID 2
#define SLUICE_NET_HDR_F_UDP_TUNNEL_CSUM 8
#define SLUICE_NET_HDR_GSO_NONE 0
#define SLUICE_NET_HDR_GSO_TCPV4 1
#define SLUICE_NET_HDR_GSO_TCPV6 4
#define SLUICE_NET_HDR_GSO_UDP_L4 5
/* The version of the outer IP header. (The text of 5.1.6.2.1 says the inner, Linux the outer.) */
#define SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV4 0x20
#define SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV6 0x40
#define SLUICE_NET_HDR_GSO_ECN 0x80

/* Configuration space of a network device (5.1.4). */
struct sluice_net_config {
	uint8_t mac[6];
	uint16_t status;
	uint16_t max_virtqueue_pairs;
	uint16_t mtu;
};

#define SLUICE_NET_S_LINK_UP 1
#define SLUICE_NET_S_ANNOUNCE 2 /* 5.1.6.5.4 */

/* Queue index of receive and transmit queue of a pair (5.1.2). */
#define SLUICE_VQ_RX(pair) ((uint16_t)(2 * (pair)))
#define SLUICE_VQ_TX(pair) ((uint16_t)(2 * (pair) + 1))
#define SLUICE_VQ_IS_TX(vq) ((vq) % 2 != 0)

static_assert(sizeof(struct sluice_split_desc) == 16, "2.7.5");
static_assert(sizeof(struct sluice_split_used_elem) == 8, "2.7.8");
static_assert(offsetof(struct sluice_split_avail, ring) == 4, "2.7.6");
static_assert(offsetof(struct sluice_split_used, ring) == 4, "2.7.8");
static_assert(sizeof(struct sluice_packed_desc) == 16, "2.8.13");
static_assert(sizeof(struct sluice_packed_event) == 4, "2.8.14");
static_assert(sizeof(struct sluice_net_hdr) == SLUICE_NET_HDR_LEN, "5.1.6");
static_assert(sizeof(struct sluice_net_hdr_hash) == SLUICE_NET_HDR_HASH_LEN, "5.1.6");
static_assert(sizeof(struct sluice_net_hdr_tunnel) == SLUICE_NET_HDR_TUNNEL_LEN, "5.1.6");
static_assert(sizeof(struct sluice_net_config) == 12, "5.1.4");

/* PCI transport (4.1) and what only it offers. */
#define SLUICE_PCI_VENDOR 0x1af4
#define SLUICE_PCI_NET 0x1041              /* 4.1.2.1 */
#define SLUICE_PCI_NET_TRANSITIONAL 0x1000 /* 4.1.2.3 */

#define SLUICE_NET_F_CTRL_GUEST_OFFLOADS 2
#define SLUICE_NET_F_CTRL_VQ 17
#define SLUICE_NET_F_CTRL_RX 18
#define SLUICE_NET_F_CTRL_VLAN 19
#define SLUICE_NET_F_GUEST_ANNOUNCE 21
#define SLUICE_NET_F_CTRL_MAC_ADDR 23
#define SLUICE_NET_F_DEVICE_STATS 50
#define SLUICE_NET_F_NOTF_COAL 53
#define SLUICE_NET_F_HASH_REPORT 57
#define SLUICE_NET_F_RSS 60
#define SLUICE_NET_F_SPEED_DUPLEX 63
#define SLUICE_F_ACCESS_PLATFORM 33
#define SLUICE_F_NOTIFICATION_DATA 38
#define SLUICE_F_RING_RESET 40

#define SLUICE_MSIX_NO_VECTOR 0xffff /* 4.1.5.1.2.2 */

/* Network configuration behind struct sluice_net_config (5.1.4). */
#define SLUICE_NET_CONFIG_SPEED 12
#define SLUICE_NET_CONFIG_DUPLEX 16
#define SLUICE_NET_CONFIG_RSS_KEY 17 /* its longest key, 8 bits */
#define SLUICE_NET_CONFIG_RSS_TABLE 18
#define SLUICE_NET_CONFIG_HASH_TYPES 20
#define SLUICE_NET_CONFIG_RSS_END 24
#define SLUICE_NET_PAIRS_MAX 0x8000 /* 5.1.4.1 */
/* What a device with RSS, or of the first with HASH_REPORT, has at least (5.1.4.1). */
#define SLUICE_NET_RSS_KEY_MIN 40
#define SLUICE_NET_RSS_TABLE_MIN 128

/* Index of the control queue: behind the pairs that the device has (5.1.2). */
#define SLUICE_VQ_CTRL(nb_pairs_max) ((uint32_t)(2 * (nb_pairs_max)))

/* What makes a device say in its configuration which hashes it knows (5.1.4). */
#define SLUICE_NET_HASH_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_RSS) | SLUICE_BIT(SLUICE_NET_F_HASH_REPORT))

/* What is nothing without CTRL_VQ (5.1.3.1). */
#define SLUICE_NET_CTRL_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_MQ) | SLUICE_NET_HASH_FEATURES | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_RX) | SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_MAC_ADDR) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_GUEST_OFFLOADS) | \
			SLUICE_BIT(SLUICE_NET_F_NOTF_COAL) | \
			SLUICE_BIT(SLUICE_NET_F_DEVICE_STATS))

/* Control commands (5.1.6.5). */
#define SLUICE_CTRL_RX 0
#define SLUICE_CTRL_RX_PROMISC 0
#define SLUICE_CTRL_RX_ALLMULTI 1
#define SLUICE_CTRL_MAC 1
#define SLUICE_CTRL_MAC_TABLE_SET 0
#define SLUICE_CTRL_MAC_ADDR_SET 1
#define SLUICE_CTRL_VLAN 2
#define SLUICE_CTRL_VLAN_ADD 0
#define SLUICE_CTRL_VLAN_DEL 1
#define SLUICE_CTRL_ANNOUNCE 3
#define SLUICE_CTRL_ANNOUNCE_ACK 0
#define SLUICE_CTRL_MQ 4
#define SLUICE_CTRL_MQ_VQ_PAIRS_SET 0
#define SLUICE_CTRL_MQ_RSS_CONFIG 1
#define SLUICE_CTRL_MQ_HASH_CONFIG 2
#define SLUICE_CTRL_GUEST_OFFLOADS 5
#define SLUICE_CTRL_GUEST_OFFLOADS_SET 0
#define SLUICE_CTRL_NOTF_COAL 6
#define SLUICE_CTRL_NOTF_COAL_TX_SET 0
#define SLUICE_CTRL_NOTF_COAL_RX_SET 1
#define SLUICE_CTRL_STATS 8
#define SLUICE_CTRL_STATS_QUERY 0
#define SLUICE_CTRL_STATS_GET 1
#define SLUICE_CTRL_OK 0
#define SLUICE_CTRL_ERR 1

/* Types of device statistics, as bits and in answers (5.1.6.5.9). */
#define SLUICE_STATS_RX_BASIC 0
#define SLUICE_STATS_TX_BASIC 16

/* Hash types (5.1.6.4.3.1). */
#define SLUICE_HASH_IPV4 (1 << 0)
#define SLUICE_HASH_TCPV4 (1 << 1)
#define SLUICE_HASH_UDPV4 (1 << 2)
#define SLUICE_HASH_IPV6 (1 << 3)
#define SLUICE_HASH_TCPV6 (1 << 4)
#define SLUICE_HASH_UDPV6 (1 << 5)
#define SLUICE_HASH_IPV6_EX (1 << 6)
#define SLUICE_HASH_TCPV6_EX (1 << 7)
#define SLUICE_HASH_UDPV6_EX (1 << 8)

#endif /* SLUICE_SPEC_H */
