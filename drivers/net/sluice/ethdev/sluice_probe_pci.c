/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How PCI ports come to be: registration with the PCI bus, probe, remove, and memory that the
 * application maps by itself.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bus_pci_driver.h>
#include <ethdev_pci.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memzone.h>

#include "pci_hw.h"
#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_make.h"
#include "sluice_probe.h"
#include "sluice_secondary.h"

#define DRIVER_NAME net_sluice_pci
/* Of the name of a port, behind the PCI address. */
#define PORT_SUFFIX "_sluice"
/* And of the memzone that says whose the device is, before it. */
#define CLAIM_PREFIX "sluice_"

static int
init_port(struct sluice_port *port, struct rte_pci_device *pci)
{
	struct sluice_pci_conf conf = {
		.name = pci->name, .ops = &sluice_pci_hw_ops, .nb_pairs_max = port->args.nb_pairs
	};
	struct sluice_pci_hw *hw;
	struct dmap_vfio *memory;
	int ret;

	ret = sluice_pci_hw_open(pci, &hw);
	if (ret != 0)
		return ret;
	conf.ctx = hw;
	memory = sluice_pci_hw_memory(hw);
	ret = sluice_pci_create(&conf, &port->transport);
	if (ret != 0) {
		sluice_pci_hw_close(hw);
		return ret;
	}
	ret = sluice_port_create_memory(port, pci->name, &dmap_vfio_backend, memory);
	if (ret == 0)
		ret = sluice_life_probe(port);
	if (ret != 0)
		return ret;
	/* No more queues than the device has. */
	port->args.nb_pairs = RTE_MIN(port->args.nb_pairs, port->info.nb_pairs_max);
	return sluice_conn_start(port);
}

/*
 * Other processes share ethdev's table of ports, and their drivers look a device up in it by its
 * PCI address: the in-tree driver of a process that does not know us would take our private data
 * for its own. So the port has a name that only we know, and is found by its device.
 */
static void
name_port(const struct rte_pci_device *pci, char *name)
{
	snprintf(name, RTE_ETH_NAME_MAX_LEN, "%s" PORT_SUFFIX, pci->device.name);
}

/*
 * A secondary process need not be told which devices the primary one has given to this driver: it
 * looks for a memzone, of which nothing but the name is of interest. Of a port that it has not got
 * yet ethdev says so only with a line of complaint.
 */
static void
name_claim(const struct rte_pci_device *pci, char *name)
{
	snprintf(name, RTE_MEMZONE_NAMESIZE, CLAIM_PREFIX "%s", pci->device.name);
}

static struct rte_eth_dev *
allocate_port(struct rte_pci_device *pci)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_dev *dev;

	name_port(pci, name);
	dev = rte_eth_dev_allocate(name);
	if (dev == NULL)
		return NULL;
	dev->data->dev_private = rte_zmalloc_socket(name, sizeof(struct sluice_shared),
			RTE_CACHE_LINE_SIZE, pci->device.numa_node);
	if (dev->data->dev_private == NULL)
		dev->data->dev_private = rte_zmalloc(
				name, sizeof(struct sluice_shared), RTE_CACHE_LINE_SIZE);
	dev->process_private = calloc(1, sizeof(struct sluice_port));
	if (dev->data->dev_private == NULL || dev->process_private == NULL) {
		free(dev->process_private);
		rte_eth_dev_release_port(dev);
		return NULL;
	}
	dev->device = &pci->device;
	rte_eth_copy_pci_info(dev, pci);
	return dev;
}

/* Of callbacks, to EAL: whatever they were registered with. */
#define ANY_ARG ((void *)-1)

/*
 * The machine wants the device back. Applications that watch devices look for a port of the
 * device's name; ours has another, so the port says it, too.
 */
static void
on_bus_event(const char *name, enum rte_dev_event_type event, void *arg)
{
	struct rte_eth_dev *dev = arg;

	/* A port that was closed is none any more, and another device may have its place. */
	if (event == RTE_DEV_EVENT_REMOVE && dev->device != NULL &&
			strcmp(dev->device->name, name) == 0)
		rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_RMV, NULL);
}

/* Without it secondary processes take the device for another driver's, unless they are told. */
static void
claim(const struct rte_pci_device *pci, struct sluice_port *port)
{
	char name[RTE_MEMZONE_NAMESIZE];

	name_claim(pci, name);
	port->claim = rte_memzone_reserve(name, 1, SOCKET_ID_ANY, 0);
	if (port->claim == NULL)
		SLUICE_LOG(WARNING, "%s: secondary processes need its arguments, too: %s",
				pci->name, rte_strerror(rte_errno));
}

static int
probe_secondary(struct rte_pci_device *pci, bool is_asked_for)
{
	char name[RTE_ETH_NAME_MAX_LEN], mark[RTE_MEMZONE_NAMESIZE];

	name_claim(pci, mark);
	if (!is_asked_for && rte_memzone_lookup(mark) == NULL)
		return 1;
	name_port(pci, name);
	return sluice_secondary_probe(&pci->device, name, "-a <device>,sluice=1");
}

/* Positive: the device is not ours, and EAL asks the next driver. */
static int
pci_probe(struct rte_pci_driver *driver, struct rte_pci_device *pci)
{
	const struct rte_devargs *devargs = pci->device.devargs;
	struct sluice_args args;
	struct sluice_port *port;
	struct rte_eth_dev *dev;
	bool is_ours;
	int ret;

	RTE_SET_USED(driver);
	ret = sluice_args_parse_pci(devargs == NULL ? NULL : devargs->args, &args, &is_ours);
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return probe_secondary(pci, is_ours);
	if (!is_ours)
		return 1;
	if (ret != 0)
		return ret;
	dev = allocate_port(pci);
	if (dev == NULL)
		return sluice_port_log_none(pci->name);
	port = dev->process_private;
	sluice_port_prepare(dev, &args, pci->device.numa_node, &sluice_ethdev_events);
	strlcpy(port->label, pci->name, sizeof(port->label));
	claim(pci, port);
	ret = init_port(port, pci);
	if (ret == 0)
		ret = sluice_port_finish(dev);
	if (ret == 0 && rte_dev_event_callback_register(pci->name, on_bus_event, dev) != 0)
		SLUICE_LOG(WARNING, "%s: its removal will be no event of the port", pci->name);
	if (ret != 0) {
		SLUICE_INIT_LOG(ERR, "%s: probe failed: %s", pci->name, strerror(-ret));
		sluice_port_destroy(port);
		rte_eth_dev_release_port(dev);
		free(port);
	}
	return ret;
}

static int
pci_remove(struct rte_pci_device *pci)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	name_port(pci, name);
	if (rte_eal_process_type() == RTE_PROC_PRIMARY)
		rte_dev_event_callback_unregister(pci->name, on_bus_event, ANY_ARG);
	return sluice_port_remove(&pci->device, name);
}

static struct sluice_port *
find_port(const struct rte_pci_device *pci)
{
	struct rte_eth_dev *dev = sluice_port_find(&pci->device);

	if (dev == NULL || rte_eal_process_type() != RTE_PROC_PRIMARY)
		return NULL;
	return dev->process_private;
}

/*
 * rte_dev_dma_map(): without this EAL would map for its default container, where the device is not.
 */
static int
pci_dma_map(struct rte_pci_device *pci, void *addr, uint64_t iova, size_t len)
{
	struct sluice_port *port = find_port(pci);
	int ret;

	/* What the application sends from there is copied. */
	if (port != NULL && (sluice_copies(port) || sluice_bounces(port)))
		return 0;
	ret = port == NULL ? -ENODEV :
			     dmap_add_external(port->domain, addr, (struct dmap_addr){ iova }, len);
	if (ret == 0)
		return 0;
	SLUICE_LOG(ERR, "%s: cannot map %zu bytes at %p: %s%s", pci->name, len, addr,
			strerror(-ret),
			ret == -EINVAL ? " (address, IOVA and length must be multiples of 4096)" :
					 "");
	rte_errno = -ret;
	return -1;
}

static int
pci_dma_unmap(struct rte_pci_device *pci, void *addr, uint64_t iova, size_t len)
{
	struct sluice_port *port = find_port(pci);
	int ret;

	RTE_SET_USED(iova);
	if (port != NULL && (sluice_copies(port) || sluice_bounces(port)))
		return 0;
	ret = port == NULL ? -ENODEV : dmap_del_external(port->domain, addr, len);
	if (ret == 0)
		return 0;
	rte_errno = -ret;
	return -1;
}

static const struct rte_pci_id ids[] = {
	{ RTE_PCI_DEVICE(SLUICE_PCI_VENDOR, SLUICE_PCI_NET) },
	{ RTE_PCI_DEVICE(SLUICE_PCI_VENDOR, SLUICE_PCI_NET_TRANSITIONAL) },
	{ .vendor_id = 0 },
};

/*
 * Not NEED_MAPPING: EAL would open the device in its default container, before it is asked for
 * ours. Not NEED_IOVA_AS_VA: EAL asks it of every device that matches, so in other modes it would
 * refuse devices that are not ours before their driver is asked; dmap_vfio_open() looks at the mode
 * of those that are.
 */
static struct rte_pci_driver driver = {
	.probe = pci_probe,
	.remove = pci_remove,
	.dma_map = pci_dma_map,
	.dma_unmap = pci_dma_unmap,
	.id_table = ids,
	.drv_flags = RTE_PCI_DRV_INTR_LSC | RTE_PCI_DRV_INTR_RMV,
};

/* What RTE_PMD_REGISTER_PCI does, behind a look at the version. */
RTE_INIT(sluice_register_pci)
{
	if (!sluice_may_register())
		return;
	driver.driver.name = RTE_STR(DRIVER_NAME);
	rte_pci_register(&driver);
}
