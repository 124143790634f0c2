/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a port and a device agree upon: features, queue pairs, burst functions.
 */

#include <errno.h>
#include <string.h>

#include <ethdev_driver.h>

#include "sluice_check.h"
#include "sluice_port.h"
#include "sluice_log.h"

static const struct {
	unsigned int bit;
	const char *name;
} feature_names[] = {
	{ SLUICE_NET_F_CSUM, "CSUM" },
	{ SLUICE_NET_F_GUEST_CSUM, "GUEST_CSUM" },
	{ SLUICE_NET_F_MTU, "MTU" },
	{ SLUICE_NET_F_GUEST_TSO4, "GUEST_TSO4" },
	{ SLUICE_NET_F_GUEST_TSO6, "GUEST_TSO6" },
	{ SLUICE_NET_F_HOST_TSO4, "HOST_TSO4" },
	{ SLUICE_NET_F_HOST_TSO6, "HOST_TSO6" },
	{ SLUICE_NET_F_MRG_RXBUF, "MRG_RXBUF" },
	{ SLUICE_NET_F_STATUS, "STATUS" },
	{ SLUICE_NET_F_CTRL_VLAN, "CTRL_VLAN" },
	{ SLUICE_NET_F_MQ, "MQ" },
	{ SLUICE_NET_F_RSS, "RSS" },
	{ SLUICE_NET_F_HASH_REPORT, "HASH_REPORT" },
	{ SLUICE_F_INDIRECT_DESC, "INDIRECT_DESC" },
	{ SLUICE_F_EVENT_IDX, "EVENT_IDX" },
	{ SLUICE_F_VERSION_1, "VERSION_1" },
	{ SLUICE_F_RING_PACKED, "RING_PACKED" },
	{ SLUICE_F_IN_ORDER, "IN_ORDER" },
	{ SLUICE_NET_F_DEVICE_STATS, "DEVICE_STATS" },
	{ SLUICE_NET_F_NOTF_COAL, "NOTF_COAL" },
	{ SLUICE_NET_F_HOST_USO, "HOST_USO" },
	{ SLUICE_NET_F_HOST_UDP_TUNNEL_GSO, "HOST_UDP_TUNNEL_GSO" },
	{ SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM, "HOST_UDP_TUNNEL_GSO_CSUM" },
};

/* Features whose loss changes rings or burst functions, and so is said. */
#define RING_TYPE_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF) | \
			SLUICE_BIT(SLUICE_F_INDIRECT_DESC) | SLUICE_BIT(SLUICE_F_EVENT_IDX) | \
			SLUICE_BIT(SLUICE_F_RING_PACKED) | SLUICE_BIT(SLUICE_F_IN_ORDER))

/* What an offload that is enabled cannot do without. */
#define TSO_FEATURES (SLUICE_BIT(SLUICE_NET_F_HOST_TSO4) | SLUICE_BIT(SLUICE_NET_F_HOST_TSO6))
#define TUNNEL_FEATURES \
	(TSO_FEATURES | SLUICE_BIT(SLUICE_NET_F_HOST_USO) | \
			SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO))
/* Without MRG_RXBUF each buffer would have to hold the longest packet (5.1.6.3.1). No mbuf can. */
#define LRO_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF))
#define OFFLOAD_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_CSUM) | SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | TSO_FEATURES | \
			TUNNEL_FEATURES | SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN) | SLUICE_BIT(SLUICE_NET_F_RSS) | \
			SLUICE_BIT(SLUICE_NET_F_HASH_REPORT))

uint64_t
sluice_tx_offloads_of(const struct rte_eth_dev *dev)
{
	return dev->data->dev_conf.txmode.offloads & SLUICE_TX_OFFLOADS;
}

bool
sluice_rx_checks_ipv4(const struct rte_eth_dev *dev)
{
	return (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
}

uint64_t
sluice_dev_rx_capa(struct sluice_port *port)
{
	uint64_t capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP |
			RTE_ETH_RX_OFFLOAD_RSS_HASH;
	struct sluice_device_info device;
	bool has_device = sluice_dev_info(port, &device);

	if (!has_device || sluice_has(device.features, SLUICE_NET_F_GUEST_CSUM))
		capa |= SLUICE_RX_CSUM_OFFLOADS;
	if (port->args.has_lro && port->args.has_mrg &&
			(!has_device || (device.features & LRO_FEATURES) == LRO_FEATURES))
		capa |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
	if (has_device && sluice_has(device.features, SLUICE_NET_F_CTRL_VLAN) &&
			sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_CTRL_VQ))
		capa |= RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	if (sluice_has(sluice_negotiable(port), SLUICE_NET_F_MRG_RXBUF))
		capa |= RTE_ETH_RX_OFFLOAD_SCATTER;
	return capa;
}

uint64_t
sluice_dev_tx_capa(struct sluice_port *port)
{
	uint64_t capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE |
			RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	struct sluice_device_info device;
	/* Few have USO, so it is not expected. */
	sluice_features features = SLUICE_BIT(SLUICE_NET_F_CSUM) | TSO_FEATURES;

	if (sluice_dev_info(port, &device))
		features = device.features;
	if (!port->args.has_csum || !sluice_has(features, SLUICE_NET_F_CSUM))
		return capa;
	capa |= SLUICE_TX_CSUM_OFFLOADS;
	if (port->args.has_tso && (features & TSO_FEATURES) == TSO_FEATURES)
		capa |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	if (port->args.has_tso && sluice_has(features, SLUICE_NET_F_HOST_USO))
		capa |= RTE_ETH_TX_OFFLOAD_UDP_TSO;
	/* Bounce buffers have room for the short header. */
	if (port->args.has_tso && (features & TUNNEL_FEATURES) == TUNNEL_FEATURES &&
			!sluice_copies(port) && !sluice_bounces(port)) {
		capa |= SLUICE_TX_TUNNEL_OFFLOADS | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
		if (sluice_has(features, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM))
			capa |= RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM;
	}
	return capa;
}

/* What the transmit offloads that are switched on take; all of them take CSUM (5.1.3.1). */
static sluice_features
tx_offload_features(uint64_t offloads)
{
	sluice_features f = 0;

	if (offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		f |= SLUICE_BIT(SLUICE_NET_F_HOST_TSO4) | SLUICE_BIT(SLUICE_NET_F_HOST_TSO6) |
				SLUICE_BIT(SLUICE_NET_F_HOST_ECN);
	if (offloads & RTE_ETH_TX_OFFLOAD_UDP_TSO)
		f |= SLUICE_BIT(SLUICE_NET_F_HOST_USO);
	if (offloads & (SLUICE_TX_TUNNEL_OFFLOADS | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM))
		f |= TSO_FEATURES | SLUICE_BIT(SLUICE_NET_F_HOST_ECN) |
				SLUICE_BIT(SLUICE_NET_F_HOST_USO) |
				SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO);
	if (offloads & RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM)
		f |= SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM);
	if (f != 0 || (offloads & SLUICE_TX_CSUM_OFFLOADS) != 0)
		f |= SLUICE_BIT(SLUICE_NET_F_CSUM);
	return f;
}

/*
 * The same of receive offloads. Only then: without GUEST_CSUM devices leave headers empty, and they
 * need not be read (5.1.6.4.1). UDP segments of one packet (USO) are not what LRO is in DPDK.
 */
static sluice_features
rx_offload_features(uint64_t offloads)
{
	sluice_features f = 0;

	if (offloads & SLUICE_RX_HEADER_OFFLOADS)
		f |= SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM);
	if (offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		f |= SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) |
				SLUICE_BIT(SLUICE_NET_F_GUEST_ECN);
	return f;
}

sluice_features
sluice_dev_wanted_features(const struct sluice_port *port)
{
	const struct sluice_args *args = &port->args;
	sluice_features f = SLUICE_BIT(SLUICE_F_VERSION_1) | SLUICE_BIT(SLUICE_F_INDIRECT_DESC) |
			SLUICE_BIT(SLUICE_F_EVENT_IDX) | SLUICE_BIT(SLUICE_NET_F_MTU) |
			SLUICE_BIT(SLUICE_NET_F_STATUS);
	bool has_ctrl_vq = sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_CTRL_VQ);
	uint64_t rx_offloads = port->dev->data->dev_conf.rxmode.offloads;

	if (args->has_mrg)
		f |= SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF);
	if (args->is_packed)
		f |= SLUICE_BIT(SLUICE_F_RING_PACKED);
	if (args->is_in_order)
		f |= SLUICE_BIT(SLUICE_F_IN_ORDER);
	f |= rx_offload_features(rx_offloads);
	f |= tx_offload_features(sluice_tx_offloads_of(port->dev));
	f |= port->transport->ops->features;
	/*
	 * The front end of vhost-user is the device model: it needs no control queue to use many
	 * queues.
	 */
	if (!has_ctrl_vq && args->nb_pairs > 1)
		f |= SLUICE_BIT(SLUICE_NET_F_MQ);
	/* MQ with one pair, too: it decides which virtqueue is the control queue (5.1.2). */
	if (has_ctrl_vq)
		f |= SLUICE_BIT(SLUICE_NET_F_MQ) | SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) |
				SLUICE_BIT(SLUICE_NET_F_CTRL_RX) |
				SLUICE_BIT(SLUICE_NET_F_CTRL_MAC_ADDR) |
				SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE) |
				SLUICE_BIT(SLUICE_NET_F_DEVICE_STATS);
	/* Only then: with it a device drops tagged packets of all VLANs but those added. */
	if (has_ctrl_vq && (rx_offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER))
		f |= SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN);
	/* What is switched by it (5.1.6.5.7.1). */
	if (has_ctrl_vq && (rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO))
		f |= SLUICE_BIT(SLUICE_NET_F_CTRL_GUEST_OFFLOADS);
	if (has_ctrl_vq &&
			(sluice_coal_is_asked(&args->rx_coal) ||
					sluice_coal_is_asked(&args->tx_coal)))
		f |= SLUICE_BIT(SLUICE_NET_F_NOTF_COAL);
	if (sluice_steer_is_by_device(port))
		f |= SLUICE_BIT(SLUICE_NET_F_RSS);
	if (sluice_steer_is_hash_by_device(port))
		f |= SLUICE_BIT(SLUICE_NET_F_HASH_REPORT);
	return f;
}

static void
log_missing(const struct sluice_port *port, sluice_features missing, const char *consequence)
{
	char names[128] = "";
	unsigned int i;

	for (i = 0; i < RTE_DIM(feature_names); i++)
		if (sluice_has(missing, feature_names[i].bit)) {
			strlcat(names, " ", sizeof(names));
			strlcat(names, feature_names[i].name, sizeof(names));
		}
	SLUICE_LOG(WARNING, "%s: the %s does not offer%s: %s", port->label,
			port->transport->ops->peer, names, consequence);
}

static sluice_features
missing_offloads(const struct sluice_port *port, sluice_features offered)
{
	sluice_features needed = sluice_dev_wanted_features(port) & OFFLOAD_FEATURES;

	if (port->dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
		needed |= LRO_FEATURES;
	return needed & ~offered;
}

static bool
is_started(const struct sluice_port *port)
{
	return port->life == SLUICE_WAITING || port->life == SLUICE_LIVE;
}

static enum sluice_refusal
judge(const struct sluice_port *port, const struct sluice_device_info *info)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	if (!sluice_has(info->features, SLUICE_F_RING_PACKED) &&
			!rte_is_power_of_2(port->args.queue_size))
		return SLUICE_REFUSED_SIZE;
	if (!is_started(port))
		return SLUICE_TAKEN;
	if (missing_offloads(port, info->features) != 0)
		return SLUICE_REFUSED_OFFLOAD;
	if (RTE_MAX(sluice_dev_nb_rx(port), data->nb_tx_queues) > info->nb_pairs_max)
		return SLUICE_REFUSED_PAIRS;
	if (!sluice_frames_fit(port, info))
		return SLUICE_REFUSED_FRAMES;
	return SLUICE_TAKEN;
}

static void
log_refusal(const struct sluice_port *port, enum sluice_refusal why,
		const struct sluice_device_info *info)
{
	const char *peer = port->transport->ops->peer;

	if (why == SLUICE_REFUSED_SIZE)
		SLUICE_LOG(ERR, "%s: the %s has split rings only, and queue_size=%u is not a power of two",
				port->label, peer, port->args.queue_size);
	else if (why == SLUICE_REFUSED_OFFLOAD)
		log_missing(port, missing_offloads(port, info->features),
				"an enabled offload needs it, so the port waits for one that does; "
				"or configure the port without");
	else if (why == SLUICE_REFUSED_FRAMES)
		SLUICE_LOG(ERR,
				"%s: frames of the port's MTU %u are too large for the %s, or for the mempool's "
				"buffers without MRG_RXBUF, so the port waits for another; or give it a "
				"smaller MTU",
				port->label, port->dev->data->mtu, peer);
	else
		SLUICE_LOG(ERR,
				"%s: the %s has %u queue pairs, the port runs with more: it waits for one "
				"that has them; or configure fewer queues",
				port->label, peer, info->nb_pairs_max);
}

/* Said of a device that is taken. */
static void
log_news(const struct sluice_port *port, const struct sluice_device_info *info)
{
	const char *peer = port->transport->ops->peer;

	if (port->args.has_pairs && info->nb_pairs_max < port->args.nb_pairs)
		SLUICE_LOG(WARNING, "%s: queues=%u asked for, the %s has %u: reduced", port->label,
				port->args.nb_pairs, peer, info->nb_pairs_max);
	if (info->has_ats && !port->args.has_ro_rings)
		SLUICE_LOG(NOTICE,
				"%s: the %s translates addresses by itself, as a vhost back end does: "
				"no part of the rings is read-only (ro_rings=1 changes that)",
				port->label, peer);
}

int
sluice_dev_accept(struct sluice_port *port, const struct sluice_device_info *info)
{
	enum sluice_refusal why = judge(port, info);
	bool is_new = !port->transport->is_retry || port->told_refusal != why;

	port->told_refusal = why;
	if (why != SLUICE_TAKEN) {
		if (is_new)
			log_refusal(port, why, info);
		return -ENOTSUP;
	}
	if (is_new || memcmp(&port->info, info, sizeof(*info)) != 0)
		log_news(port, info);
	rte_spinlock_lock(&port->info_lock);
	port->info = *info;
	port->has_info = true;
	if (sluice_has(sluice_dev_wanted_features(port) & info->features,
			    SLUICE_NET_F_DEVICE_STATS))
		rte_atomic_store_explicit(
				&port->shared->has_device_stats, 1, rte_memory_order_relaxed);
	rte_spinlock_unlock(&port->info_lock);
	return 0;
}

bool
sluice_dev_info(struct sluice_port *port, struct sluice_device_info *info)
{
	bool has_info;

	rte_spinlock_lock(&port->info_lock);
	*info = port->info;
	has_info = port->has_info;
	rte_spinlock_unlock(&port->info_lock);
	return has_info;
}

void
sluice_dev_mtu_changed(struct sluice_port *port, uint16_t mtu)
{
	rte_spinlock_lock(&port->info_lock);
	port->info.mtu = mtu;
	rte_spinlock_unlock(&port->info_lock);
}

/* What is asked for by default, and no news where most devices of the kernel lack it. */
static sluice_features
rarely_there(const struct sluice_port *port)
{
	const struct sluice_args *args = &port->args;
	bool is_node = args->is_kernel || args->is_vdpa;
	sluice_features f = 0;

	if (is_node && !args->has_packed)
		f |= SLUICE_BIT(SLUICE_F_RING_PACKED);
	if (is_node && !args->has_in_order)
		f |= SLUICE_BIT(SLUICE_F_IN_ORDER);
	return f;
}

int
sluice_dev_choose(struct sluice_port *port)
{
	bool is_connected = port->transport->ops->is_connected(port->transport);
	sluice_features wanted = sluice_dev_wanted_features(port), missing;
	const struct sluice_rx_path *rx_path;
	const struct sluice_tx_path *tx_path;
	uint16_t simd_bits = port->args.is_vectorized ? sluice_path_simd_bits() : 0;
	struct sluice_queue *q;
	unsigned int i;

	port->features = is_connected ? wanted & port->info.features : wanted;
	if (missing_offloads(port, port->features) != 0) {
		log_missing(port, missing_offloads(port, port->features),
				"an enabled offload needs it; configure the port without");
		return -ENOTSUP;
	}
	missing = wanted & ~port->features & RING_TYPE_FEATURES & ~rarely_there(port);
	if (sluice_dev_nb_vqs(port) > 2)
		missing |= wanted & ~port->features & SLUICE_BIT(SLUICE_NET_F_MQ);
	if ((missing & ~port->told_missing) != 0)
		log_missing(port, missing, "going on without");
	port->told_missing |= missing;
	rx_path = port->rx_path;
	tx_path = port->tx_path;
	port->copies_rx = sluice_copies(port);
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!sluice_queue_is_tx(q))
			port->copies_rx |= ((const struct sluice_rxq *)q)->is_foreign;
	port->rx_path = sluice_rx_path_select(port->features,
			sluice_path_reads_headers(port->features, sluice_rx_checks_ipv4(port->dev)),
			port->copies_rx, simd_bits);
	if (port->args.has_dma_debug)
		port->rx_path = sluice_check_rx_path(port->rx_path);
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!sluice_queue_is_tx(q))
			rte_atomic_store_explicit(&((struct sluice_rxq *)q)->path, port->rx_path,
					rte_memory_order_relaxed);
	/* Only rows with offloads look for packets that have a way of their own. */
	port->tx_path = sluice_tx_path_select(port->features,
			sluice_tx_offloads_of(port->dev) != 0 || sluice_bounces(port),
			sluice_copies(port), simd_bits);
	if (port->args.has_dma_debug)
		port->tx_path = sluice_check_tx_path(port->tx_path);
	port->shared->nb_path_changes += rx_path != NULL &&
			(rx_path != port->rx_path || tx_path != port->tx_path);
	return 0;
}

void
sluice_dev_look(const struct sluice_port *port, struct sluice_device_state *state)
{
	*state = (struct sluice_device_state){ .is_link_up = true, .speed = UINT32_MAX };
	if (sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_STATUS))
		port->transport->ops->state(port->transport, state);
}

void
sluice_dev_state(struct sluice_port *port, struct sluice_device_state *state)
{
	sluice_dev_look(port, state);
	if (state->is_gone || state->needs_reset)
		sluice_conn_wake(port);
}

bool
sluice_dev_is_removed(struct sluice_port *port)
{
	struct sluice_device_state state;

	sluice_dev_state(port, &state);
	return state.is_gone &&
			sluice_transport_can(port->transport, SLUICE_TRANSPORT_HAS_REGISTERS);
}
