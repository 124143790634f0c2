/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How ports come to be: what both buses share, and registration with the vdev bus, probe, remove.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_make.h"
#include "sluice_probe.h"
#include "sluice_secondary.h"
#include "sluice_trace.h"

#define DRIVER_NAME net_sluice

static int
show(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	struct sluice_transport *t = ctx;

	return t->ops->show(t, regions, nb);
}

static int
create_memory(struct sluice_port *port, const char *name)
{
	/* Of a back end that attacks the process. */
	bool is_small = port->args.isolation == SLUICE_ISOLATION_SEALED || sluice_copies(port);
	const struct dmap_backend *backend;

	if (port->args.is_vdpa)
		backend = is_small ? &dmap_iotlb_small_backend : &dmap_iotlb_backend;
	else
		backend = is_small ? &dmap_memfd_small_backend : &dmap_memfd_backend;
	if (port->args.isolation == SLUICE_ISOLATION_NONE)
		backend = &dmap_none_backend;
	if (port->args.isolation == SLUICE_ISOLATION_NONE)
		SLUICE_LOG(NOTICE,
				"%s: isolation=none: the back end sees all memory of this process's EAL",
				name);
	port->remote = (struct dmap_remote){ .show = show, .ctx = port->transport };
	return sluice_port_create_memory(port, name, backend, &port->remote);
}

/* The way to whoever is at the other end of the path. */
static int
create_transport(struct sluice_port *port)
{
	const struct sluice_args *args = &port->args;
	struct sluice_vhost_user_conf user = { .path = args->path,
		.is_server = args->is_server,
		.access = { args->has_socket_mode, args->socket_mode, args->has_socket_group,
				args->socket_group } };
	struct sluice_vhost_kernel_conf kernel = { .path = args->path,
		.iface = args->iface,
		.nb_pairs = args->nb_pairs,
		.busy_poll_us = args->busy_poll_us,
		.has_mac = args->has_mac };
	struct sluice_vhost_vdpa_conf vdpa = { .path = args->path };

	if (args->is_vdpa)
		return sluice_vhost_vdpa_create(&vdpa, &port->transport);
	if (!args->is_kernel)
		return sluice_vhost_user_create(&user, &port->transport);
	memcpy(kernel.mac, args->mac, sizeof(kernel.mac));
	return sluice_vhost_kernel_create(&kernel, &port->transport);
}

static int
init_port(struct sluice_port *port, const char *name)
{
	int ret = create_transport(port);

	if (ret == 0)
		ret = create_memory(port, name);
	if (ret == 0)
		ret = sluice_life_probe(port);
	if (ret == 0)
		ret = sluice_conn_start(port);
	return ret;
}

static int
init_mac(struct rte_eth_dev *dev, struct sluice_port *port)
{
	struct rte_ether_addr *mac = rte_zmalloc("sluice mac", SLUICE_MACS_MAX * sizeof(*mac), 0);

	if (mac == NULL) {
		SLUICE_LOG(ERR, "%s: EAL has no memory left for the MAC address", port->label);
		return -ENOMEM;
	}
	if (port->args.has_mac)
		memcpy(mac->addr_bytes, port->args.mac, sizeof(mac->addr_bytes));
	else if (port->info.has_mac)
		memcpy(mac->addr_bytes, port->info.mac, sizeof(mac->addr_bytes));
	else
		rte_eth_random_addr(mac->addr_bytes); /* 5.1.4.2 */
	dev->data->mac_addrs = mac;
	port->filter.added[0] = *mac;
	return 0;
}

int
sluice_port_log_none(const char *name)
{
	SLUICE_INIT_LOG(ERR,
			"%s: no ethdev port: there are %u already, or no %zu bytes are left of EAL's "
			"memory",
			name, rte_eth_dev_count_total(), sizeof(struct sluice_shared));
	return -ENOMEM;
}

int
sluice_port_finish(struct rte_eth_dev *dev)
{
	struct sluice_port *port = dev->process_private;
	int ret = init_mac(dev, port);

	if (ret != 0)
		return ret;
	dev->dev_ops = &sluice_eth_dev_ops;
	/* As net_virtio does it; rte_eth_dev_configure() chooses anew. */
	if (sluice_has_mtu(port))
		dev->data->mtu = sluice_max_mtu(port);
	dev->rx_queue_count = sluice_rx_queue_count;
	dev->rx_descriptor_status = sluice_rx_descriptor_status;
	dev->tx_descriptor_status = sluice_tx_descriptor_status;
	SLUICE_COMPAT_SET_TX_QUEUE_COUNT(dev, sluice_tx_queue_count);
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	rte_eth_dev_probing_finish(dev);
	sluice_ethdev_share_info(port);
	sluice_share_open(port);
	return 0;
}

static int
probe_vdev(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct sluice_args args;
	struct rte_eth_dev *dev;
	struct sluice_port *port;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return sluice_secondary_probe(&vdev->device, name, "--vdev");
	ret = sluice_args_parse(rte_vdev_device_args(vdev), &args);
	if (ret != 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(*port->shared));
	if (dev == NULL)
		return sluice_port_log_none(name);
	port = calloc(1, sizeof(*port));
	if (port == NULL) {
		rte_eth_dev_release_port(dev);
		return sluice_port_log_none(name);
	}
	dev->process_private = port;
	sluice_port_prepare(dev, &args, vdev->device.numa_node, &sluice_ethdev_events);
	if (args.is_kernel)
		snprintf(port->label, sizeof(port->label), "iface=%s", args.iface);
	else
		snprintf(port->label, sizeof(port->label), "path=%s", args.path);
	ret = init_port(port, name);
	if (ret == 0)
		ret = sluice_port_finish(dev);
	if (ret != 0) {
		SLUICE_INIT_LOG(ERR, "%s: probe failed: %s", name, strerror(-ret));
		sluice_port_destroy(port);
		rte_eth_dev_release_port(dev);
		free(port);
	}
	return ret;
}

struct rte_eth_dev *
sluice_port_find(const struct rte_device *device)
{
	uint16_t port_id = rte_eth_find_next_of(0, device);

	return port_id < RTE_MAX_ETHPORTS ? &rte_eth_devices[port_id] : NULL;
}

int
sluice_port_remove(const struct rte_device *device, const char *name)
{
	bool is_primary = rte_eal_process_type() == RTE_PROC_PRIMARY;
	struct rte_eth_dev *dev = sluice_port_find(device);
	uint16_t port_id;

	if (dev == NULL)
		return 0;
	port_id = dev - rte_eth_devices;
	/*
	 * Of a port that the primary process has closed its data say nothing any more, or something
	 * of another one.
	 */
	if (!is_primary && strcmp(dev->data->name, name) != 0) {
		sluice_secondary_close(&sluice_visitors[port_id]);
		dev->device = NULL;
		dev->state = RTE_ETH_DEV_UNUSED;
		return 0;
	}
	/*
	 * ethdev closes no port that is started, and rte_eal_cleanup() asks nobody whether one is.
	 */
	if (is_primary && dev->data->dev_started)
		rte_eth_dev_stop(port_id);
	return rte_eth_dev_close(port_id);
}

static int
vdev_remove(struct rte_vdev_device *vdev)
{
	return sluice_port_remove(&vdev->device, rte_vdev_device_name(vdev));
}

static struct rte_vdev_driver driver = {
	.probe = probe_vdev,
	.remove = vdev_remove,
};

bool
sluice_may_register(void)
{
	/* Both buses ask, and once is enough for the answer and for what follows from it. */
	static bool was_asked, may;

	if (was_asked)
		return may;
	was_asked = true;
	/*
	 * The private driver structs (eth_dev_ops, rte_eth_dev) may change between any two releases
	 * although the SONAME stays. LTS patch releases keep them.
	 */
	may = rte_version_year() * 100 + rte_version_month() == SLUICE_COMPAT_RELEASE;
	if (!may) {
		SLUICE_INIT_LOG(ERR,
				"built for DPDK %u.%02u, this is %s: not loaded; build the plug-in with the "
				"DPDK that runs it",
				SLUICE_COMPAT_RELEASE / 100, SLUICE_COMPAT_RELEASE % 100,
				rte_version());
		return false;
	}
	sluice_queue_quiesce_init();
	sluice_trace_register();
	return true;
}

/* What RTE_PMD_REGISTER_VDEV does, behind a look at the version. */
RTE_INIT(sluice_register)
{
	if (!sluice_may_register())
		return;
	driver.driver.name = RTE_STR(DRIVER_NAME);
	rte_vdev_register(&driver);
}
