/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* ethdev operations of a secondary process: see sluice_secondary.h. */

#include <errno.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_mempool.h>

#include "sluice_build.h"
#include "sluice_ethdev.h"
#include "sluice_log.h"
#include "sluice_secondary.h"

#define INFO_TRIES 1000

/* The primary process was told to be gone, in a line. */
static int
check_primary(const struct rte_eth_dev *dev)
{
	const struct sluice_visitor *v = dev->process_private;

	return rte_atomic_load_explicit(&v->is_orphan, rte_memory_order_acquire) ? -EIO : 0;
}

static int
refuse(const struct rte_eth_dev *dev, const char *what)
{
	int ret = check_primary(dev);

	if (ret != 0)
		return ret;
	SLUICE_LOG(ERR, "port %u: %s is for the primary process, which has the port: do it there",
			dev->data->port_id, what);
	return -EPERM;
}

static int
dev_start(struct rte_eth_dev *dev)
{
	return refuse(dev, "to start it");
}

static int
set_link(struct rte_eth_dev *dev)
{
	return refuse(dev, "to set the link");
}

static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	RTE_SET_USED(mtu);
	return refuse(dev, "to set the MTU");
}

static int
mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	RTE_SET_USED(addr);
	return refuse(dev, "to set the MAC address");
}

static int
mac_addr_add(struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index, uint32_t pool)
{
	RTE_SET_USED(addr);
	RTE_SET_USED(index);
	RTE_SET_USED(pool);
	return refuse(dev, "to add a MAC address");
}

static int
set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t nb)
{
	RTE_SET_USED(addrs);
	RTE_SET_USED(nb);
	return refuse(dev, "to set multicast addresses");
}

static int
vlan_filter_set(struct rte_eth_dev *dev, uint16_t id, int is_on)
{
	RTE_SET_USED(id);
	RTE_SET_USED(is_on);
	return refuse(dev, "to filter VLANs");
}

static int
rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	RTE_SET_USED(conf);
	return refuse(dev, "to set RSS");
}

static int
reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	RTE_SET_USED(reta);
	RTE_SET_USED(size);
	return refuse(dev, "to set the redirection table");
}

static int
start_or_stop_queue(struct rte_eth_dev *dev, uint16_t id)
{
	RTE_SET_USED(id);
	return refuse(dev, "to start or stop a queue");
}

static int
rx_queue_intr(struct rte_eth_dev *dev, uint16_t id)
{
	RTE_SET_USED(id);
	return refuse(dev, "to sleep until packets come");
}

static int
dev_close(struct rte_eth_dev *dev)
{
	sluice_secondary_close(dev->process_private);
	return 0;
}

static int
dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct rte_eth_dev_info ours = *info;
	struct sluice_shared *shared = sluice_shared_of(dev);
	unsigned int nb_tries = 0;
	uint32_t turn;
	int ret = check_primary(dev);

	if (ret != 0)
		return ret;
	/* A primary process that ended while it wrote stays in its turn. */
	do {
		turn = rte_seqlock_read_begin(&shared->info_lock);
		*info = shared->info;
	} while (rte_seqlock_read_retry(&shared->info_lock, turn) && ++nb_tries < INFO_TRIES);
	/* These ethdev has filled in; it adds what else points. */
	info->device = ours.device;
	info->switch_info = ours.switch_info;
	return 0;
}

/* The primary process writes what it sees to where ethdev of both reads it. */
static int
link_update(struct rte_eth_dev *dev, int wait_to_complete)
{
	RTE_SET_USED(wait_to_complete);
	return check_primary(dev);
}

/* A device filters as the primary process says; a port that does not receives all, whoever asks. */
static int
receive_all(struct rte_eth_dev *dev)
{
	if (sluice_shared_of(dev)->features & SLUICE_BIT(SLUICE_NET_F_CTRL_RX))
		return refuse(dev, "to change what is received");
	return check_primary(dev);
}

static int
rx_burst_mode_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_burst_mode *mode)
{
	const struct sluice_visitor *v = dev->process_private;
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_describe_rx(dev, &v->rx, id, mode);
}

static int
tx_burst_mode_get(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_burst_mode *mode)
{
	const struct sluice_visitor *v = dev->process_private;
	int ret = check_primary(dev);

	RTE_SET_USED(id);
	return ret != 0 ? ret : sluice_describe_tx(v->tx_path, mode);
}

static int
rss_hash_conf_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_rss_hash_conf_get(dev, conf);
}

static int
reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_reta_query(dev, reta, size);
}

static int
stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats, struct eth_queue_stats *queues)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_stats_get(dev, stats, queues);
}

static int
stats_reset(struct rte_eth_dev *dev)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_stats_reset(dev);
}

static int
xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_xstats_get(dev, xstats, n);
}

static int
xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n)
{
	int ret = check_primary(dev);

	return ret != 0 ? ret : sluice_xstats_get_names(dev, names, n);
}

SLUICE_COMPAT_STATS_GET(stats_get)

/*
 * Not here are operations before which, or whatever they say, ethdev changes what all processes
 * share, or ends the bursts of this one: configuration and set-up of queues, stop and reset, taking
 * an address away, VLAN offloads. Without them it says -ENOTSUP, and leaves everything as it is.
 */
static const struct eth_dev_ops ops = {
	.dev_start = dev_start,
	.dev_close = dev_close,
	.dev_infos_get = dev_infos_get,
	.link_update = link_update,
	.dev_set_link_up = set_link,
	.dev_set_link_down = set_link,
	.mtu_set = mtu_set,
	.mac_addr_set = mac_addr_set,
	.mac_addr_add = mac_addr_add,
	.set_mc_addr_list = set_mc_addr_list,
	.vlan_filter_set = vlan_filter_set,
	.rx_queue_start = start_or_stop_queue,
	.rx_queue_stop = start_or_stop_queue,
	.tx_queue_start = start_or_stop_queue,
	.tx_queue_stop = start_or_stop_queue,
	.promiscuous_enable = receive_all,
	.promiscuous_disable = receive_all,
	.allmulticast_enable = receive_all,
	.allmulticast_disable = receive_all,
	.rx_queue_intr_enable = rx_queue_intr,
	.rx_queue_intr_disable = rx_queue_intr,
	.rxq_info_get = sluice_rxq_info_get,
	.txq_info_get = sluice_txq_info_get,
	.rss_hash_update = rss_hash_update,
	.rss_hash_conf_get = rss_hash_conf_get,
	.reta_update = reta_update,
	.reta_query = reta_query,
	.rx_burst_mode_get = rx_burst_mode_get,
	.tx_burst_mode_get = tx_burst_mode_get,
	.tx_done_cleanup = sluice_secondary_tx_done_cleanup,
	.stats_get = SLUICE_COMPAT_STATS_OP(stats_get),
	.stats_reset = stats_reset,
	.xstats_get = xstats_get,
	.xstats_get_names = xstats_get_names,
	.xstats_reset = stats_reset,
};

/* The files of packet buffers are the primary process's. */
static bool
has_memory(const char *name, const struct sluice_shared *shared)
{
	if (shared->is_sealed)
		SLUICE_INIT_LOG(ERR,
				"%s: the port has isolation=sealed, whose packet buffers only the primary "
				"process has: this one leaves it alone; give isolation=scoped to that one",
				name);
	return !shared->is_sealed;
}

/* Does what the primary process shares mean the same here? */
static bool
has_build(const char *name, const struct sluice_shared *shared)
{
	struct sluice_build here;
	const char *what;

	sluice_build_get(&here);
	what = sluice_build_differs(&shared->build, &here);
	if (what == NULL)
		return has_memory(name, shared);
	SLUICE_INIT_LOG(ERR,
			"%s: the primary process has %s: this one leaves the port alone; run both "
			"with the same plug-in and the same DPDK",
			name, what);
	return false;
}

/* As the DMA layer of the primary process, which is not told of a pool that ends here. */
static void
on_pool_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg)
{
	unsigned int nb;
	uint16_t i;

	RTE_SET_USED(arg);
	if (event != RTE_MEMPOOL_EVENT_DESTROY)
		return;
	nb = rte_mempool_in_use_count(mp);
	for (i = 0; nb != 0 && i < RTE_MAX_ETHPORTS; i++)
		if (sluice_secondary_has_pool(&sluice_visitors[i], mp))
			SLUICE_LOG(ERR,
					"port %u: mempool %s is freed while %u of its buffers are in use, "
					"the device may have them: have it return them first "
					"(rte_eth_tx_done_cleanup())",
					i, mp->name, nb);
}

int
sluice_secondary_probe(struct rte_device *device, const char *name, const char *argument)
{
	struct rte_eth_dev *dev = rte_eth_dev_attach_secondary(name);
	int ret = -ENODEV;

	if (dev == NULL) {
		SLUICE_INIT_LOG(ERR,
				"%s: the primary process has no such port; give its arguments (%s) to "
				"that one",
				device->name, argument);
		return ret;
	}
	if (dev->data->dev_private == NULL)
		goto release;
	if (!has_build(device->name, dev->data->dev_private)) {
		/* As an error it would have EAL take a port that comes now from all processes. */
		ret = 0;
		goto release;
	}
	dev->process_private = &sluice_visitors[dev->data->port_id];
	dev->device = device;
	dev->dev_ops = &ops;
	sluice_secondary_set_bursts(dev);
	ret = sluice_secondary_open(dev);
	if (ret != 0)
		goto release;
	/* Once is enough: with the second port it is there. */
	if (rte_mempool_event_callback_register(on_pool_event, NULL) < 0 && rte_errno != EEXIST)
		SLUICE_LOG(WARNING, "port %u: mempools must outlive the port: %s",
				dev->data->port_id, rte_strerror(rte_errno));
	rte_eth_dev_probing_finish(dev);
	sluice_secondary_show_seats(dev->process_private);
	return 0;
release:
	rte_eth_dev_release_port(dev);
	return ret;
}
