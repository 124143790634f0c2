/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How large frames and rings of a port may be: what its device has, as far as the port can bear it.
 */

#include <errno.h>

#include <ethdev_driver.h>

#include "sluice_port.h"
#include "sluice_log.h"

/* What a port that has, or will have, this device negotiates. */
static sluice_features
negotiable_with(const struct sluice_port *port, const struct sluice_device_info *info)
{
	sluice_features wanted = sluice_dev_wanted_features(port);

	return info == NULL ? wanted : wanted & info->features;
}

sluice_features
sluice_negotiable(struct sluice_port *port)
{
	struct sluice_device_info info;
	bool has_info = sluice_dev_info(port, &info);

	return negotiable_with(port, has_info ? &info : NULL);
}

static uint16_t
max_mtu_of(const struct sluice_device_info *info)
{
	const uint16_t max = SLUICE_MAX_FRAME - SLUICE_FRAME_OVERHEAD;

	/* A device that says what no MTU can be says nothing. */
	return info->mtu >= RTE_ETHER_MIN_MTU ? RTE_MIN(info->mtu, max) : max;
}

bool
sluice_has_mtu(struct sluice_port *port)
{
	struct sluice_device_info info;

	return sluice_dev_info(port, &info) && info.mtu >= RTE_ETHER_MIN_MTU;
}

uint16_t
sluice_max_mtu(struct sluice_port *port)
{
	struct sluice_device_info info;

	sluice_dev_info(port, &info);
	return max_mtu_of(&info);
}

uint16_t
sluice_max_pairs(struct sluice_port *port)
{
	struct sluice_device_info info;
	bool has_info = sluice_dev_info(port, &info);

	return has_info ? RTE_MIN(port->args.nb_pairs, info.nb_pairs_max) : port->args.nb_pairs;
}

uint16_t
sluice_desc_max(struct sluice_port *port, uint16_t vq)
{
	uint16_t max = port->args.has_queue_size ? port->args.queue_size : SLUICE_QUEUE_SIZE_MAX;
	struct sluice_device_info info;

	sluice_dev_info(port, &info);
	if (info.size_max[vq % 2] != 0)
		max = RTE_MIN(max, info.size_max[vq % 2]);
	/* Split rings have a power of two (2.7). */
	if ((sluice_negotiable(port) & SLUICE_BIT(SLUICE_F_RING_PACKED)) == 0)
		max = rte_align32prevpow2(max);
	return max;
}

static bool
may_scatter_with(const struct sluice_port *port, sluice_features features)
{
	const struct rte_eth_rxmode *mode = &port->dev->data->dev_conf.rxmode;

	return (mode->offloads & (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO)) != 0 &&
			(features & SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF)) != 0;
}

bool
sluice_may_scatter(struct sluice_port *port)
{
	return may_scatter_with(port, sluice_negotiable(port));
}

/* As the queue will be when the port starts. */
static uint32_t
room_of(const struct sluice_port *port, const struct sluice_rxq *rxq, sluice_features features)
{
	return sluice_path_reads_headers(features, sluice_rx_checks_ipv4(port->dev)) ?
			rxq->room - sluice_path_hdr_len(features) :
			rxq->room;
}

/* What is spread over buffers needs no room in one. */
static bool
frame_fits(const struct sluice_port *port, const struct sluice_rxq *rxq, uint16_t mtu,
		sluice_features features)
{
	return (uint32_t)mtu + RTE_ETHER_HDR_LEN <= room_of(port, rxq, features) ||
			may_scatter_with(port, features);
}

/*
 * Bounce buffers are made with the rings, for the MTU of that time, and dma_debug=1 goes by it.
 * Queues that the device knows nothing of have neither.
 */
static int
check_ring(struct sluice_port *port, const struct sluice_rxq *rxq, uint16_t mtu)
{
	uint32_t frame = (uint32_t)mtu + RTE_ETHER_HDR_LEN;
	uint32_t room = sluice_cells_are_used(&rxq->cells) ? rxq->cells.room :
							     rxq->post_len - rxq->hdr_len;

	if (rte_atomic_load_explicit(&port->life, rte_memory_order_acquire) != SLUICE_LIVE ||
			frame <= room || rxq->may_scatter || rxq->post_len == 0)
		return 0;
	SLUICE_LOG(ERR,
			"port %u receive queue %u: MTU %u makes frames of %u bytes, its buffers in the "
			"ring have %u (isolation=copy, bounce=1, dma_debug=1): stop the port, set the MTU, "
			"and start it",
			port->port_id, rxq->q.id, mtu, frame, room);
	return -EBUSY;
}

int
sluice_check_frame(struct sluice_port *port, const struct sluice_rxq *rxq, uint16_t mtu)
{
	sluice_features features = sluice_negotiable(port);
	const char *cure = "or RTE_ETH_RX_OFFLOAD_SCATTER (testpmd: --enable-scatter)";

	if (frame_fits(port, rxq, mtu, features))
		return check_ring(port, rxq, mtu);
	if (!port->args.has_mrg)
		cure = "or mrg_rxbuf=1 and RTE_ETH_RX_OFFLOAD_SCATTER";
	else if ((features & SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF)) == 0)
		cure = "or a device with MRG_RXBUF";
	SLUICE_LOG(ERR,
			"port %u receive queue %u: MTU %u makes frames of %u bytes, mempool %s has buffers "
			"of %u bytes: a smaller MTU, larger buffers, %s",
			port->port_id, rxq->q.id, mtu, mtu + RTE_ETHER_HDR_LEN, rxq->pool->name,
			room_of(port, rxq, features), cure);
	return -EINVAL;
}

bool
sluice_frames_fit(const struct sluice_port *port, const struct sluice_device_info *info)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	sluice_features features = negotiable_with(port, info);
	uint16_t i;

	for (i = 0; i < data->nb_rx_queues; i++)
		if (!frame_fits(port, sluice_rxq_at(port, i), data->mtu, features))
			return false;
	return data->mtu <= max_mtu_of(info);
}

void
sluice_set_scatter(struct sluice_port *port)
{
	struct rte_eth_dev_data *data = port->dev->data;
	uint16_t i;

	data->scattered_rx = may_scatter_with(port, port->features);
	data->lro = (data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	for (i = 0; i < data->nb_rx_queues; i++)
		sluice_rxq_at(port, i)->may_scatter = data->scattered_rx;
}

static int
check_set_up(const struct sluice_port *port, void *const *queues, uint16_t nb,
		const char *direction)
{
	uint16_t i;

	for (i = 0; i < nb; i++)
		if (queues[i] == NULL) {
			SLUICE_LOG(ERR,
					"port %u: %s queue %u is configured and not set up: call "
					"rte_eth_%cx_queue_setup(), or configure %u",
					port->port_id, direction, i, direction[0], i);
			return -EINVAL;
		}
	return 0;
}

int
sluice_check_lro_size(const struct sluice_port *port, const struct rte_eth_rxmode *mode)
{
	/* What ethdev makes of 0 is what a frame of the MTU has; it would be LRO of nothing. */
	uint32_t none = mode->mtu + SLUICE_FRAME_OVERHEAD;

	if ((mode->offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) == 0 || mode->max_lro_pkt_size == none ||
			mode->max_lro_pkt_size >= SLUICE_RX_MAX_FRAME)
		return 0;
	SLUICE_LOG(ERR,
			"port %u: max_lro_pkt_size=%u: a virtio device cannot be told less than %u: use "
			"that or 0, or do without RTE_ETH_RX_OFFLOAD_TCP_LRO",
			port->port_id, mode->max_lro_pkt_size, SLUICE_RX_MAX_FRAME);
	return -ENOTSUP;
}

/*
 * The longest packet must fit what is always in the ring, or a device may wait for ever for the
 * rest.
 */
static int
check_lro_room(struct sluice_port *port, const struct sluice_rxq *rxq)
{
	uint16_t nb_desc = RTE_MIN(rxq->nb_desc, sluice_desc_max(port, rxq->q.vq));
	uint16_t nb_missing = sluice_rxq_free_thresh(rxq, nb_desc) - 1;
	uint32_t need = SLUICE_RX_MAX_FRAME + sluice_path_hdr_len(sluice_negotiable(port));

	if ((nb_desc - nb_missing) * rxq->room >= need)
		return 0;
	SLUICE_LOG(ERR,
			"port %u receive queue %u: %u descriptors, buffers of %u bytes: LRO needs room "
			"for %u bytes in those that always wait: more descriptors, larger buffers, or a "
			"smaller rx_free_thresh",
			port->port_id, rxq->q.id, nb_desc, rxq->room, need);
	return -EINVAL;
}

int
sluice_check_queues(struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	uint16_t i;
	int ret;

	if (data->nb_rx_queues < data->nb_tx_queues)
		SLUICE_LOG(NOTICE,
				"port %u: %u receive queues for %u queue pairs: the %s loses what it puts into "
				"the other pairs; configure as many receive queues, or a back end that uses "
				"fewer",
				port->port_id, data->nb_rx_queues, data->nb_tx_queues,
				port->transport->ops->peer);
	ret = check_set_up(port, data->rx_queues, data->nb_rx_queues, "receive");
	if (ret == 0)
		ret = check_set_up(port, data->tx_queues, data->nb_tx_queues, "transmit");
	if (ret == 0 && data->mtu > sluice_max_mtu(port)) {
		SLUICE_LOG(ERR, "port %u: MTU %u, and the %s drops what is larger than %u: set that",
				port->port_id, data->mtu, port->transport->ops->peer,
				sluice_max_mtu(port));
		ret = -EINVAL;
	}
	/* Another device may have come since the port was configured. */
	if (ret == 0 && port->life == SLUICE_READY &&
			sluice_dev_nb_vqs(port) > 2 * port->info.nb_pairs_max) {
		SLUICE_LOG(ERR, "port %u: the %s has %u queue pairs: configure fewer queues",
				port->port_id, port->transport->ops->peer, port->info.nb_pairs_max);
		ret = -ENOTSUP;
	}
	for (i = 0; ret == 0 && i < data->nb_rx_queues; i++) {
		ret = sluice_check_frame(port, data->rx_queues[i], data->mtu);
		if (ret == 0 && (data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0)
			ret = check_lro_room(port, data->rx_queues[i]);
	}
	return ret;
}
