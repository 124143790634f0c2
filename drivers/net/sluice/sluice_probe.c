/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How ports come to be: registration with the vdev bus, probe, remove.
 */

#include <errno.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "sluice_ethdev.h"
#include "sluice_log.h"

#define DRIVER_NAME net_sluice

RTE_LOG_REGISTER(sluice_logtype, pmd.net.sluice, NOTICE);
RTE_LOG_REGISTER(sluice_logtype_init, pmd.net.sluice.init, NOTICE);

static int
publish(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	struct sluice_transport *t = ctx;

	return t->ops->publish(t, regions, nb);
}

static int
create_memory(struct sluice_port *port, const char *name)
{
	const struct dmap_backend *backend = port->args.isolation == SLUICE_ISOLATION_NONE ?
			&dmap_none_backend :
			&dmap_memfd_backend;
	size_t len = sluice_dev_slice_len(&port->args) * 2 * port->args.nb_pairs;
	int ret;

	if (port->args.isolation == SLUICE_ISOLATION_NONE)
		SLUICE_LOG(NOTICE,
				"%s: isolation=none: the back end sees all memory of this process's EAL",
				name);
	port->publisher = (struct dmap_publisher){ .publish = publish, .ctx = port->transport };
	ret = dmap_domain_create(name, backend, &port->publisher, &port->domain);
	if (ret != 0) {
		SLUICE_LOG(ERR, "%s: cannot list the memory to show: %s", name, strerror(-ret));
		return ret;
	}
	ret = dmap_coherent_alloc(port->domain, name, len, port->socket, &port->rings);
	if (ret != 0)
		SLUICE_LOG(ERR,
				"%s: no %zu bytes for rings: %s; fewer queues or a smaller queue_size need "
				"less",
				name, len, strerror(-ret));
	return ret;
}

/* A client reaches its back end now, or the port does not come to be; a server waits in the background. */
static int
first_connect(struct sluice_port *port)
{
	struct sluice_device_info info;
	int ret = port->transport->ops->connect(port->transport, &info, false);

	if (ret == -EAGAIN && port->args.is_server) {
		SLUICE_LOG(NOTICE, "path=%s: waiting for a back end", port->args.path);
		return 0;
	}
	if (ret == 0)
		ret = sluice_dev_accept(port, &info);
	if (ret == 0)
		port->nb_connects++;
	return ret;
}

static void
destroy_port(struct sluice_port *port)
{
	sluice_conn_stop(port);
	if (port->transport != NULL)
		port->transport->ops->disconnect(port->transport);
	if (port->domain != NULL)
		dmap_coherent_free(port->domain, &port->rings);
	dmap_domain_destroy(port->domain);
	if (port->transport != NULL)
		port->transport->ops->destroy(port->transport);
	pthread_mutex_destroy(&port->lock);
}

static int
init_port(struct sluice_port *port, const char *name)
{
	struct sluice_vhost_user_conf conf = { .path = port->args.path,
		.is_server = port->args.is_server };
	int ret;

	ret = sluice_vhost_user_create(&conf, &port->transport);
	if (ret == 0)
		ret = create_memory(port, name);
	if (ret == 0)
		ret = first_connect(port);
	if (ret == 0)
		ret = sluice_conn_start(port);
	return ret;
}

static int
init_mac(struct rte_eth_dev *dev, const struct sluice_port *port)
{
	struct rte_ether_addr *mac = rte_zmalloc("sluice mac", sizeof(*mac), 0);

	if (mac == NULL)
		return -ENOMEM;
	if (port->args.has_mac)
		memcpy(mac->addr_bytes, port->args.mac, sizeof(mac->addr_bytes));
	else if (port->info.has_mac)
		memcpy(mac->addr_bytes, port->info.mac, sizeof(mac->addr_bytes));
	else
		rte_eth_random_addr(mac->addr_bytes); /* 5.1.4.2 */
	dev->data->mac_addrs = mac;
	return 0;
}

static int
probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct sluice_args args;
	struct rte_eth_dev *dev;
	struct sluice_port *port;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		SLUICE_INIT_LOG(ERR, "%s: secondary processes are not supported", name);
		return -ENOTSUP;
	}
	ret = sluice_args_parse(rte_vdev_device_args(vdev), &args);
	if (ret != 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(*port));
	if (dev == NULL) {
		SLUICE_INIT_LOG(ERR, "%s: no ethdev port: %s", name, rte_strerror(rte_errno));
		return -ENOMEM;
	}
	port = dev->data->dev_private;
	port->dev = dev;
	port->port_id = dev->data->port_id;
	port->socket = vdev->device.numa_node;
	port->args = args;
	port->wake_fd = -1;
	pthread_mutex_init(&port->lock, NULL);
	ret = init_port(port, name);
	if (ret == 0)
		ret = init_mac(dev, port);
	if (ret != 0) {
		SLUICE_INIT_LOG(ERR, "%s: probe failed", name);
		destroy_port(port);
		rte_eth_dev_release_port(dev);
		return ret;
	}
	dev->dev_ops = &sluice_eth_dev_ops;
	dev->rx_queue_count = sluice_rx_queue_count;
	dev->rx_descriptor_status = sluice_rx_descriptor_status;
	dev->tx_descriptor_status = sluice_tx_descriptor_status;
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int
vdev_remove(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	return dev == NULL ? 0 : rte_eth_dev_close(dev->data->port_id);
}

static struct rte_vdev_driver driver = {
	.probe = probe,
	.remove = vdev_remove,
};

/* What RTE_PMD_REGISTER_VDEV does, behind a look at the version. */
RTE_INIT(sluice_register)
{
	if (!sluice_compat_dpdk_matches()) {
		SLUICE_INIT_LOG(ERR,
				"built for DPDK %u.%02u, this is %s: not loaded; build the plug-in with the "
				"DPDK that runs it",
				sluice_compat_built_year(), sluice_compat_built_month(),
				rte_version());
		return;
	}
	sluice_queue_quiesce_init();
	sluice_queue_on_fail = sluice_conn_wake;
	driver.driver.name = RTE_STR(DRIVER_NAME);
	rte_vdev_register(&driver);
}
