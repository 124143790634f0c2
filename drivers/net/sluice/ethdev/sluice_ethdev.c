/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev operations on the port. Those on queues are in sluice_ethdev_queue.c, those on what it
 * receives in sluice_ethdev_filter.c, those on the device behind it in sluice_ethdev_device.c,
 * statistics in sluice_stats.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sluice_check.h"
#include "sluice_ethdev.h"
#include "sluice_rx_stage.h"
#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_make.h"
#include "sluice_tx_offload.h"

/*
 * Rings of the device's size, unless it is enormous: buffers that wait there are missing elsewhere.
 */
#define DEVICE_RING_MAX 1024

/* Modes that would change where packets go, or come from, and that nothing here does. */
static int
check_modes(const struct sluice_port *port, const struct rte_eth_conf *conf)
{
	uint32_t rx_mode = conf->rxmode.mq_mode, tx_mode = conf->txmode.mq_mode;

	if (rx_mode & (RTE_ETH_MQ_RX_DCB_FLAG | RTE_ETH_MQ_RX_VMDQ_FLAG)) {
		SLUICE_LOG(ERR,
				"port %u: rxmode.mq_mode=0x%x: neither DCB nor VMDq, use "
				"RTE_ETH_MQ_RX_NONE or RTE_ETH_MQ_RX_RSS",
				port->port_id, rx_mode);
		return -ENOTSUP;
	}
	if (tx_mode != RTE_ETH_MQ_TX_NONE) {
		SLUICE_LOG(ERR,
				"port %u: txmode.mq_mode=0x%x: neither DCB nor VMDq, use "
				"RTE_ETH_MQ_TX_NONE",
				port->port_id, tx_mode);
		return -ENOTSUP;
	}
	if (conf->lpbk_mode != 0) {
		SLUICE_LOG(ERR, "port %u: lpbk_mode=%u: there is no loopback, use 0", port->port_id,
				conf->lpbk_mode);
		return -ENOTSUP;
	}
	return 0;
}

int
sluice_check_process(const struct sluice_port *port)
{
	if (port->pid == getpid())
		return 0;
	SLUICE_LOG(ERR, "port %u: belongs to process %d, this is %d: a child of fork() cannot control it",
			port->port_id, port->pid, getpid());
	return -EPERM;
}

static int
dev_configure(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret == 0)
		ret = check_modes(port, &dev->data->dev_conf);
	if (ret == 0)
		ret = sluice_check_lro_size(port, &dev->data->dev_conf.rxmode);
	if (ret != 0)
		return ret;
	ret = sluice_steer_configure(port);
	if (ret == 0)
		ret = sluice_intr_configure(dev);
	sluice_ethdev_share_info(port);
	return ret;
}

/* No lock: the answer is old as soon as it is given, and a handshake may take seconds. */
static struct rte_eth_link
link_of(struct sluice_port *port)
{
	struct rte_eth_link link = {
		/*
		 * Applications compute with it, and "unknown" is a very large number. As net_vhost.
		 */
		.link_speed = RTE_ETH_SPEED_NUM_10G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = RTE_ETH_LINK_DOWN,
	};
	struct sluice_device_state state = { .speed = UINT32_MAX };

	if (rte_atomic_load_explicit(&port->life, rte_memory_order_acquire) == SLUICE_LIVE)
		sluice_dev_state(port, &state);
	if (state.is_link_up &&
			!rte_atomic_load_explicit(&port->is_held_down, rte_memory_order_acquire))
		link.link_status = RTE_ETH_LINK_UP;
	if (state.is_half_duplex)
		link.link_duplex = RTE_ETH_LINK_HALF_DUPLEX;
	if (port->args.speed != UINT32_MAX)
		link.link_speed = port->args.speed;
	else if (state.speed != UINT32_MAX)
		link.link_speed = state.speed;
	return link;
}

int
sluice_link_update(struct rte_eth_dev *dev, int wait_to_complete)
{
	struct rte_eth_link link = link_of(sluice_port_of(dev));

	RTE_SET_USED(wait_to_complete);
	return rte_eth_linkstatus_set(dev, &link);
}

/* ethdev and testpmd ask for the state of each queue; they follow the port, unless held back. */
static void
set_queue_states(struct rte_eth_dev *dev, bool is_started)
{
	const struct sluice_port *port = sluice_port_of(dev);
	struct rte_eth_dev_data *data = dev->data;
	const struct sluice_queue *q;
	uint8_t *states;
	unsigned int i;

	for (i = 0; i < sluice_dev_nb_queues(port); i++) {
		q = sluice_port_queue(port, i);
		if (q == NULL)
			continue;
		states = sluice_queue_is_tx(q) ? data->tx_queue_state : data->rx_queue_state;
		states[q->id] = is_started && !q->is_held ? RTE_ETH_QUEUE_STATE_STARTED :
							    RTE_ETH_QUEUE_STATE_STOPPED;
	}
}

static int
dev_start(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	ret = sluice_steer_start(port);
	if (ret == 0)
		ret = sluice_life_start(port);
	if (ret != 0)
		sluice_steer_stop(port);
	if (ret == 0)
		set_queue_states(dev, true);
	sluice_link_update(dev, 0);
	/*
	 * After a failure, or a back end that is not there, the control thread goes on from here.
	 */
	sluice_conn_wake(port);
	return ret;
}

/* As end does it: the port is not started any more. */
static int
end_run(struct rte_eth_dev *dev, void (*end)(struct sluice_port *port))
{
	struct sluice_port *port = sluice_port_of(dev);
	int ret = sluice_check_process(port);

	if (ret != 0)
		return ret;
	end(port);
	sluice_steer_stop(port);
	set_queue_states(dev, false);
	sluice_queues_free_left(port);
	sluice_link_update(dev, 0);
	sluice_conn_wake(port);
	return 0;
}

static int
dev_stop(struct rte_eth_dev *dev)
{
	return end_run(dev, sluice_life_stop);
}

/*
 * After a RESET event: the device is let go, and reached anew; the application configures and
 * starts the port.
 */
static int
dev_reset(struct rte_eth_dev *dev)
{
	return end_run(dev, sluice_life_reset);
}

static int
dev_close(struct rte_eth_dev *dev)
{
	struct sluice_port *port = sluice_port_of(dev);
	uint16_t i;

	if (sluice_check_process(port) != 0)
		return sluice_port_leave(dev);
	sluice_conn_stop(port);
	/* Let go of the device first: then there is nobody to tell of memory that goes away. */
	sluice_life_close(port);
	sluice_steer_stop(port);
	sluice_intr_close(dev);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		sluice_rx_queue_release(dev, i);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		sluice_tx_queue_release(dev, i);
	sluice_queues_free_left(port);
	/* ethdev frees dev_private and mac_addrs: the latter is part of nothing else. */
	sluice_port_destroy(port);
	/* Both may be used by a core that stays in a burst, of this process or another. */
	if (port->is_stuck)
		dev->data->dev_private = NULL;
	else
		free(port);
	return 0;
}

/*
 * What an application that says 0 gets: all that a device has, within reason; see
 * SLUICE_QUEUE_SIZE_DEFAULT.
 */
static uint16_t
default_ring(const struct sluice_port *port, uint16_t nb_max)
{
	if (port->args.has_queue_size)
		return nb_max;
	return RTE_MIN(nb_max,
			port->transport->ops->vq_size_max != NULL ? DEVICE_RING_MAX :
								    SLUICE_QUEUE_SIZE_DEFAULT);
}

/* What depends on the device, and so may change when another one comes. */
static void
get_device_info(struct sluice_port *port, struct rte_eth_dev_info *info)
{
	uint16_t nb_pairs = sluice_max_pairs(port);

	info->rx_offload_capa = sluice_dev_rx_capa(port);
	info->tx_offload_capa = sluice_dev_tx_capa(port);
	info->max_mtu = sluice_max_mtu(port);
	info->rx_desc_lim.nb_max = sluice_desc_max(port, SLUICE_VQ_RX(0));
	info->tx_desc_lim.nb_max = sluice_desc_max(port, SLUICE_VQ_TX(0));
	info->dev_capa = RTE_ETH_DEV_CAPA_RUNTIME_TX_QUEUE_SETUP | RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP;
	/* Which takes a device that lets go of the buffers of a queue that is stopped. */
	if (sluice_transport_can(port->transport, SLUICE_TRANSPORT_CAN_DISABLE) ||
			(sluice_negotiable(port) & SLUICE_BIT(SLUICE_F_RING_RESET)) != 0)
		info->dev_capa |= RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP;
	info->max_rx_queues = nb_pairs;
	info->max_tx_queues = nb_pairs;
	sluice_rss_info(port, nb_pairs, info);
}

static int
dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	struct sluice_port *port = sluice_port_of(dev);
	struct rte_eth_link link;

	info->rx_desc_lim = (struct rte_eth_desc_lim){ .nb_min = 4, .nb_align = 1 };
	info->tx_desc_lim = info->rx_desc_lim;
	info->tx_desc_lim.nb_seg_max = SLUICE_TX_SEGS_MAX;
	info->tx_desc_lim.nb_mtu_seg_max = SLUICE_TX_SEGS_MAX;
	get_device_info(port, info);
	/* A failure is told by a RESET event, and dev_reset() is the way out. */
	info->err_handle_mode = RTE_ETH_ERROR_HANDLE_MODE_PASSIVE;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_rx_pktlen = info->max_mtu + SLUICE_FRAME_OVERHEAD;
	info->max_lro_pkt_size = SLUICE_RX_MAX_FRAME;
	info->min_rx_bufsize = RTE_ETHER_MIN_LEN;
	info->max_mac_addrs = SLUICE_MACS_MAX;
	link = link_of(port);
	info->speed_capa = rte_eth_speed_bitflag(link.link_speed, link.link_duplex);
	info->default_rxportconf =
			(struct rte_eth_dev_portconf){ .burst_size = 32, .nb_queues = 1 };
	info->default_txportconf = info->default_rxportconf;
	info->default_rxportconf.ring_size = default_ring(port, info->rx_desc_lim.nb_max);
	info->default_txportconf.ring_size = default_ring(port, info->tx_desc_lim.nb_max);
	return 0;
}

static void
link_changed(struct sluice_port *port)
{
	sluice_link_update(port->dev, 0);
	if (port->dev->data->dev_conf.intr_conf.lsc)
		rte_eth_dev_callback_process(port->dev, RTE_ETH_EVENT_INTR_LSC, NULL);
}

static void
failed(struct sluice_port *port)
{
	rte_eth_dev_callback_process(port->dev,
			port->failure == SLUICE_FAIL_GONE ? RTE_ETH_EVENT_INTR_RMV :
							    RTE_ETH_EVENT_INTR_RESET,
			NULL);
}

static struct sluice_rx_stage
stage_of(const struct rte_eth_dev *dev)
{
	const struct sluice_port *port = sluice_port_of(dev);
	uint64_t offloads = dev->data->dev_conf.rxmode.offloads;

	return (struct sluice_rx_stage){
		.has_vlan = (offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0,
		.has_hash = sluice_steer_hashes(port),
		.is_spread = sluice_steer_spreads(port),
		.has_flows = port->steer.rules.has_any,
		.ptypes = port->ptypes,
	};
}

void
sluice_ethdev_share_info(struct sluice_port *port)
{
	struct sluice_shared *shared = port->shared;
	struct rte_eth_dev_info info = { 0 };

	dev_infos_get(port->dev, &info);
	rte_seqlock_write_lock(&shared->info_lock);
	shared->info = info;
	rte_seqlock_write_unlock(&shared->info_lock);
}

/*
 * ethdev's inline functions read these with plain loads. Each is an aligned word, and a core that
 * has the old one does nothing with a ring that was made for another (sluice_path_run()), so
 * ThreadSanitizer does not look here.
 */
static __attribute__((no_sanitize("thread"))) void
replace_bursts(struct rte_eth_fp_ops *fp, const struct rte_eth_dev *dev)
{
	rte_atomic_store_explicit(&fp->rx_pkt_burst, dev->rx_pkt_burst, rte_memory_order_release);
	rte_atomic_store_explicit(&fp->tx_pkt_burst, dev->tx_pkt_burst, rte_memory_order_release);
}

/*
 * ethdev copies the functions when the port is started. One that comes back with a device that has
 * less runs others; a core that still has the old ones gets nothing for a moment
 * (sluice_path_run()).
 */
static void
set_bursts(struct sluice_port *port)
{
	struct rte_eth_dev *dev = port->dev;
	struct rte_eth_fp_ops *fp = &rte_eth_fp_ops[port->port_id];
	struct sluice_rx_stage stage = stage_of(dev);
	sluice_rx_stage_fn burst = sluice_rx_stage_burst(&stage);
	bool is_copied = dev->rx_pkt_burst != NULL && fp->rxq.data == (void **)dev->data->rx_queues;

	is_copied = is_copied &&
			(sluice_rx_stage_is_burst(fp->rx_pkt_burst) ||
					sluice_path_is_rx_burst(fp->rx_pkt_burst) ||
					sluice_check_is_rx_burst(fp->rx_pkt_burst));
	dev->rx_pkt_burst = burst != NULL ? burst : port->rx_path->burst;
	dev->tx_pkt_burst = port->tx_path->burst;
	dev->tx_pkt_prepare = sluice_tx_prepare;
	sluice_rx_stage_show(&port->shared->stage, &stage);
	sluice_ethdev_share_info(port);
	if (is_copied)
		replace_bursts(fp, dev);
}

const struct sluice_port_events sluice_ethdev_events = {
	.link_changed = link_changed,
	.failed = failed,
	.paths_chosen = set_bursts,
};

/* The statistics of queues are where ethdev has them by default, and nowhere else. */
static int
queue_stats_mapping_set(struct rte_eth_dev *dev, uint16_t queue, uint8_t index, uint8_t is_rx)
{
	if (queue == index)
		return 0;
	SLUICE_LOG(ERR,
			"port %u: statistics of %s queue %u are number %u, and cannot be number %u: map it "
			"to its own number",
			dev->data->port_id, is_rx ? "receive" : "transmit", queue, queue, index);
	return -ENOTSUP;
}

int
sluice_describe_rx(const struct rte_eth_dev *dev, const struct sluice_rx_own *own, uint16_t id,
		struct rte_eth_burst_mode *mode)
{
	const struct sluice_rxq *rxq = dev->data->rx_queues[id];
	const struct sluice_rx_stage *stage = &own->stage;

	if (own->path == NULL)
		return -EINVAL;
	snprintf(mode->info, sizeof(mode->info), "%s%s%s%s%s%s%s%s%s", own->path->name,
			rxq != NULL && rxq->checks_ipv4 ? ", IPv4 checksums" : "",
			stage->has_vlan ? ", VLAN tags" : "",
			stage->ptypes != 0 ? ", packet types" : "",
			stage->has_hash ? ", RSS hash by " : "",
			stage->has_hash ? (own->kit != NULL ? own->kit->name : "none") : "",
			stage->is_spread ? ", spread" : "", stage->has_flows ? ", flow rules" : "",
			rxq != NULL && rxq->has_hash ? ", RSS hash by the device" : "");
	return 0;
}

int
sluice_describe_tx(const struct sluice_tx_path *path, struct rte_eth_burst_mode *mode)
{
	if (path == NULL)
		return -EINVAL;
	strlcpy(mode->info, path->name, sizeof(mode->info));
	return 0;
}

static int
rx_burst_mode_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_burst_mode *mode)
{
	const struct sluice_port *port = sluice_port_of(dev);
	struct sluice_rx_own own = {
		.path = port->rx_path, .stage = stage_of(dev), .kit = sluice_rss_kit(port)
	};

	return sluice_describe_rx(dev, &own, id, mode);
}

static int
tx_burst_mode_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_burst_mode *mode)
{
	RTE_SET_USED(id);
	return sluice_describe_tx(sluice_port_of(dev)->tx_path, mode);
}

SLUICE_COMPAT_PTYPES_GET(sluice_supported_ptypes_get)
SLUICE_COMPAT_STATS_GET(sluice_stats_get)

const struct eth_dev_ops sluice_eth_dev_ops = {
	.dev_configure = dev_configure,
	.dev_start = dev_start,
	.dev_stop = dev_stop,
	.dev_close = dev_close,
	.dev_reset = dev_reset,
	.dev_infos_get = dev_infos_get,
	.dev_supported_ptypes_get = SLUICE_COMPAT_PTYPES_OP(sluice_supported_ptypes_get),
	.dev_ptypes_set = sluice_ptypes_set,
	.link_update = sluice_link_update,
	.dev_set_link_up = sluice_set_link_up,
	.dev_set_link_down = sluice_set_link_down,
	.is_removed = sluice_is_removed,
	.fw_version_get = sluice_fw_version_get,
	.get_reg = sluice_get_reg,
	.get_monitor_addr = sluice_get_monitor_addr,
	.mtu_set = sluice_mtu_set,
	.promiscuous_enable = sluice_promiscuous_enable,
	.promiscuous_disable = sluice_promiscuous_disable,
	.allmulticast_enable = sluice_allmulticast_enable,
	.allmulticast_disable = sluice_allmulticast_disable,
	.mac_addr_set = sluice_mac_addr_set,
	.mac_addr_add = sluice_mac_addr_add,
	.mac_addr_remove = sluice_mac_addr_remove,
	.set_mc_addr_list = sluice_set_mc_addr_list,
	.vlan_filter_set = sluice_vlan_filter_set,
	.vlan_offload_set = sluice_vlan_offload_set,
	.rx_queue_start = sluice_rx_queue_start,
	.rx_queue_stop = sluice_rx_queue_stop,
	.tx_queue_start = sluice_tx_queue_start,
	.tx_queue_stop = sluice_tx_queue_stop,
	.rx_queue_setup = sluice_rx_queue_setup,
	.rx_queue_release = sluice_rx_queue_release,
	.tx_queue_setup = sluice_tx_queue_setup,
	.tx_queue_release = sluice_tx_queue_release,
	.rx_queue_intr_enable = sluice_rx_queue_intr_enable,
	.rx_queue_intr_disable = sluice_rx_queue_intr_disable,
	.rxq_info_get = sluice_rxq_info_get,
	.txq_info_get = sluice_txq_info_get,
	.rss_hash_update = sluice_rss_hash_update,
	.rss_hash_conf_get = sluice_rss_hash_conf_get,
	.reta_update = sluice_reta_update,
	.reta_query = sluice_reta_query,
	.flow_ops_get = sluice_flow_ops_get,
	.rx_burst_mode_get = rx_burst_mode_get,
	.tx_burst_mode_get = tx_burst_mode_get,
	.tx_done_cleanup = sluice_tx_done_cleanup,
	.stats_get = SLUICE_COMPAT_STATS_OP(sluice_stats_get),
	.stats_reset = sluice_stats_reset,
	.queue_stats_mapping_set = queue_stats_mapping_set,
	.xstats_get = sluice_xstats_get,
	.xstats_get_names = sluice_xstats_get_names,
	.xstats_reset = sluice_stats_reset,
	.eth_dev_priv_dump = sluice_priv_dump,
};
