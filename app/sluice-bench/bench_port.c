/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Both sides are set up by this code, so that they have the same pools, queue sizes and offloads.
 * Nothing here runs while a measurement does.
 */
#include "bench_port.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "bench_app.h"
#include "bench_packets.h"
#include "bench_pool.h"
#include "null_server.h"

#define SETTLE_US 50000
#define START_MS 10000
#define STRIPPED (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)

/* Drivers that are measured without a device behind them, as control rows. */
static bool
is_control_driver(const char *name)
{
	return strncmp(name, "net_null", 8) == 0 || strncmp(name, "net_ring", 8) == 0;
}

bool
bench_is_pci(const char *name)
{
	unsigned int x[4];
	int len = 0;

	return sscanf(name, "%4x:%2x:%2x.%1x%n", &x[0], &x[1], &x[2], &x[3], &len) == 4 &&
			(name[len] == '\0' || name[len] == ',');
}

size_t
bench_driver_len(const char *given)
{
	size_t len = strcspn(given, ",");

	while (!bench_is_pci(given) && len > 0 && isdigit((unsigned char)given[len - 1]))
		len--;
	return len + 4 > BENCH_NAME_LEN ? 0 : len;
}

bool
bench_has_null_device(const char *given)
{
	return !bench_is_pci(given) && !is_control_driver(given);
}

/* "net_x3,a=1" and "b=2" to the vdev net_x<side> with "a=1,b=2" and what the bench adds. */
static int
make_devargs(struct bench_port *port, const struct bench_opts *opts, enum bench_side side)
{
	const unsigned int which = side == SIDE_B;
	const char *given = opts->vdev[which];
	const size_t full = strcspn(given, ",");
	const char *in_string = given[full] == ',' ? given + full + 1 : "";
	const char *more = opts->args[which];
	const size_t len = bench_driver_len(given);
	int n;

	port->is_pci = bench_is_pci(given);
	snprintf(port->driver, sizeof(port->driver), "%.*s", (int)len, given);
	if (port->is_pci)
		memcpy(port->name, port->driver, sizeof(port->name));
	else
		snprintf(port->name, sizeof(port->name), "%.*s%u", (int)len, given, side);
	port->has_device = bench_has_null_device(given);
	n = snprintf(port->devargs, sizeof(port->devargs), "%s%s%s", in_string,
			*in_string && *more ? "," : "", more);
	if (port->has_device && n >= 0 && (size_t)n < sizeof(port->devargs))
		n += snprintf(port->devargs + n, sizeof(port->devargs) - n, "%squeue_size=%u",
				n > 0 ? "," : "", opts->queues.v[0]);
	/* the in-tree driver takes several queues only together with a control queue */
	if (port->has_device && port->nb_pairs > 1 && n >= 0 && (size_t)n < sizeof(port->devargs))
		n += snprintf(port->devargs + n, sizeof(port->devargs) - n, ",queues=%u%s",
				port->nb_pairs,
				strcmp(port->driver, "net_virtio_user") == 0 ? ",cq=1" : "");
	memcpy(port->shown, port->devargs, sizeof(port->shown));
	if (port->has_device && n >= 0 && (size_t)n < sizeof(port->devargs))
		n += snprintf(port->devargs + n, sizeof(port->devargs) - n, ",path=%s", port->path);
	if (n < 0 || (size_t)n >= sizeof(port->devargs)) {
		fprintf(stderr, "sluice-bench: devargs too long\n");
		return -E2BIG;
	}
	return 0;
}

int
bench_port_init(struct bench_port *port, const struct bench_opts *opts, enum bench_side side)
{
	int ret;

	memset(port, 0, sizeof(*port));
	port->slot = -1;
	port->frame_len = opts->frame_len;
	/* segments come back as they are on the wire */
	port->rx_len = opts->packets == PACKETS_TSO ?
			RTE_MIN(opts->frame_len, (unsigned int)BENCH_ONE_BUFFER) :
			opts->frame_len;
	port->rx_flags = (opts->data_valid ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0) |
			(opts->rx_vlan ? STRIPPED : 0);
	port->rx_mask = (opts->data_valid ? RTE_MBUF_F_RX_L4_CKSUM_MASK : 0) |
			(opts->rx_vlan ? STRIPPED : 0);
	port->nb_pairs = opts->pairs.v[0];
	snprintf(port->path, sizeof(port->path), "%s/s%u", opts->dir, side);
	ret = make_devargs(port, opts, side);
	if (ret != 0)
		return ret;
	if (opts->rx_ipv4 && !is_control_driver(port->driver)) {
		port->rx_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		port->rx_mask |= RTE_MBUF_F_RX_IP_CKSUM_MASK;
	}
	ret = bench_pool_make(port, opts, side);
	if (ret != 0 || !port->has_device)
		return ret;
	port->slot = null_server_open(port->path, opts->hide);
	if (port->slot < 0) {
		fprintf(stderr, "sluice-bench: cannot listen on %s\n", port->path);
		return port->slot;
	}
	port->dev = calloc(1, sizeof(*port->dev));
	return port->dev != NULL ? 0 : -ENOMEM;
}

static int
setup_queues(struct bench_port *port, unsigned int size)
{
	int ret = 0;
	uint16_t i;

	for (i = 0; i < port->nb_pairs && ret == 0; i++) {
		ret = rte_eth_rx_queue_setup(
				port->port_id, i, size, SOCKET_ID_ANY, NULL, port->pool[DIR_RX]);
		if (ret == 0)
			ret = rte_eth_tx_queue_setup(port->port_id, i, size, SOCKET_ID_ANY, NULL);
	}
	return ret;
}

static int
configure_tx(const struct bench_port *port, const struct bench_opts *opts, uint64_t capa,
		struct rte_eth_txmode *mode)
{
	uint64_t wanted = bench_packets_offloads(opts->packets);

	if (is_control_driver(port->name))
		return 0;
	/* A device that segments writes a checksum for each segment, whoever wrote the first. */
	if (opts->packets == PACKETS_TSO)
		wanted &= capa | ~(uint64_t)RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if ((capa & wanted) != wanted) {
		fprintf(stderr, "sluice-bench: %s cannot do what --packets %s ask for\n",
				port->name, bench_packets_name(opts->packets));
		return -ENOTSUP;
	}
	mode->offloads = wanted;
	/* net_null takes segments, too, but does not say so */
	if (opts->nb_segs > 1)
		mode->offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	return 0;
}

static int
configure(struct bench_port *port, const struct bench_opts *opts)
{
	const uint64_t rx_csum = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(port->port_id, &info);
	if (ret != 0)
		return ret;
	if (opts->rx_csum && !is_control_driver(port->name)) {
		if ((info.rx_offload_capa & rx_csum) != rx_csum) {
			fprintf(stderr, "sluice-bench: %s has no Rx checksum offload\n",
					port->name);
			return -ENOTSUP;
		}
		conf.rxmode.offloads = rx_csum;
	}
	if (opts->rx_vlan)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	/* ethdev refuses who cannot */
	if (opts->rx_ipv4 && !is_control_driver(port->name))
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (port->rx_len > BENCH_ONE_BUFFER) {
		conf.rxmode.mtu = port->rx_len - RTE_ETHER_HDR_LEN;
		conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	}
	ret = configure_tx(port, opts, info.tx_offload_capa, &conf.txmode);
	if (ret != 0)
		return ret;
	ret = rte_eth_dev_configure(port->port_id, port->nb_pairs, port->nb_pairs, &conf);
	if (ret == 0)
		ret = setup_queues(port, opts->queues.v[0]);
	if (ret == 0)
		ret = rte_eth_dev_start(port->port_id);
	if (ret == 0)
		port->is_started = true;
	/* what comes back has the address that it was sent to */
	if (ret == 0 && port->is_pci)
		ret = rte_eth_promiscuous_enable(port->port_id);
	return ret;
}

static int
attach_device(struct bench_port *port, const struct bench_opts *opts)
{
	uint8_t frame[BENCH_MAX_FRAME];
	int vid, ret;

	vid = null_server_wait(port->slot, START_MS);
	if (vid < 0) {
		fprintf(stderr, "sluice-bench: %s did not start its rings within %d ms\n",
				port->name, START_MS);
		return vid;
	}
	/* messages that need no reply may still be under way in librte_vhost's thread */
	usleep(SETTLE_US);
	vid = null_server_check(port->slot);
	if (vid < 0)
		return vid;
	bench_make_frame(frame, port->rx_len);
	if (opts->rx_vlan)
		bench_tag_frame(frame, port->rx_len);
	port->generation = null_server_generation(port->slot);
	ret = null_dev_attach(port->dev, vid, port->nb_pairs, frame, port->rx_len);
	port->dev->is_shuffled = opts->is_shuffled;
	if (ret != 0)
		fprintf(stderr, "sluice-bench: %s: no rings behind the socket\n", port->name);
	if (opts->data_valid)
		port->dev->hdr_flags = VIRTIO_NET_HDR_F_DATA_VALID;
	/* also while it warms up: a packet without data has no checksum and no tag */
	if (port->rx_mask != 0)
		port->dev->model = NULL_N2;
	return ret;
}

/* By its device, which has one port: the port may have a name of its own. */
static int
find_port(const char *device, uint16_t *port_id)
{
	struct rte_dev_iterator it;
	int ret = -ENODEV;
	uint16_t id;

	RTE_ETH_FOREACH_MATCHING_DEV(id, device, &it)
	{
		*port_id = id;
		ret = 0;
	}
	return ret;
}

int
bench_port_start(struct bench_port *port, const struct bench_opts *opts)
{
	int ret;

	/* a PCI device is there from EAL's start on */
	ret = port->is_pci ? 0 : rte_eal_hotplug_add("vdev", port->name, port->devargs);
	if (ret == 0) {
		port->is_probed = true;
		ret = find_port(port->name, &port->port_id);
	}
	if (ret == 0)
		ret = configure(port, opts);
	if (ret != 0) {
		fprintf(stderr,
				"sluice-bench: %s with '%s' failed: %s (reason above; a driver "
				"that is not DPDK's own is found through LD_LIBRARY_PATH)\n",
				port->name, port->devargs, rte_strerror(-ret));
		return ret;
	}
	if (port->has_device) {
		ret = attach_device(port, opts);
		if (ret != 0)
			return ret;
	}
	bench_app_functions(port, opts);
	return 0;
}

int
bench_port_sync(struct bench_port *port)
{
	const unsigned int now = null_server_generation(port->slot);
	int ret;

	if (now == port->generation)
		return 0;
	port->generation = now;
	ret = null_server_check(port->slot) < 0 ? -ENODEV : null_dev_refresh(port->dev);
	if (ret != 0)
		fprintf(stderr, "sluice-bench: %s: the driver stopped its device meanwhile\n",
				port->name);
	return ret;
}

int
bench_port_close(struct bench_port *port)
{
	unsigned int i;
	int ret = 0;

	if (port->dev != NULL)
		null_dev_detach(port->dev);
	if (port->is_started)
		rte_eth_dev_stop(port->port_id);
	if (port->is_probed) {
		rte_eth_dev_close(port->port_id);
		rte_eal_hotplug_remove(port->is_pci ? "pci" : "vdev", port->name);
	}
	null_server_close(port->slot);
	free(port->dev);
	port->dev = NULL;
	bench_packets_fini(port);
	for (i = 0; i < NB_POOLS; i++) {
		if (port->pool[i] != NULL && !rte_mempool_full(port->pool[i])) {
			fprintf(stderr, "sluice-bench: %s kept %u mbufs of its %s pool\n",
					port->name, rte_mempool_in_use_count(port->pool[i]),
					i == POOL_RX ? "Rx" : "Tx");
			ret = -EBUSY;
		}
		rte_mempool_free(port->pool[i]);
		port->pool[i] = NULL;
	}
	return ret;
}

uint64_t
bench_port_received(const struct bench_port *port)
{
	uint64_t nb = 0;
	uint16_t i;

	for (i = 0; i < port->nb_pairs; i++)
		nb += port->received[i];
	return nb;
}

void
bench_port_info(const struct bench_port *port, struct bench_side_info *info)
{
	struct rte_eth_burst_mode mode;

	snprintf(info->vdev, sizeof(info->vdev), "%s%s%.180s", port->driver,
			*port->shown ? "," : "", port->shown);
	memset(&mode, 0, sizeof(mode));
	if (rte_eth_tx_burst_mode_get(port->port_id, 0, &mode) == 0)
		snprintf(info->mode[DIR_TX], BENCH_NAME_LEN, "%.*s", BENCH_NAME_LEN - 1, mode.info);
	memset(&mode, 0, sizeof(mode));
	if (rte_eth_rx_burst_mode_get(port->port_id, 0, &mode) == 0)
		snprintf(info->mode[DIR_RX], BENCH_NAME_LEN, "%.*s", BENCH_NAME_LEN - 1, mode.info);
	info->has_device = port->has_device;
	info->is_pci = port->is_pci;
	info->sent = info->seen = port->sent;
	info->received = info->produced = bench_port_received(port);
	info->bursts = port->bursts;
	if (port->has_device) {
		const struct null_counts counts = null_dev_counts(port->dev);

		info->features = port->dev->features;
		info->seen = counts.tx_packets;
		info->produced = counts.rx_packets;
		info->not_echoed = port->dev->nb_not_echoed;
		info->kicks = null_dev_kicks(port->dev);
	}
}
