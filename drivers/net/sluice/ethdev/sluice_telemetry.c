/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Telemetry: what a port and its virtqueues are, and which memory its device reaches, for who looks
 * from outside (/sluice/port, /sluice/queue, /sluice/dma/...). Read without a lock that is held
 * while a device is waited for: values of about now. As with ethdev's own commands, the application
 * does not close the port meanwhile.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_memory.h>
#include <rte_telemetry.h>

#include "dmap_debug.h"
#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_probe.h"

/* Regions in one answer; telemetry sends 16 KiB at most. */
#define REGIONS_MAX 32

/* An answer all the same: nothing at all would not say what is wrong. */
static int
refuse(struct rte_tel_data *d, const char *why)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "error", why);
	return 0;
}

/* Up to nb numbers with commas between them; false: that is not what there is. */
static bool
parse(const char *params, unsigned long *numbers, unsigned int nb)
{
	unsigned int i;
	char *end;

	for (i = 0; i < nb; i++, params = end + 1) {
		if (params == NULL || params[0] < '0' || params[0] > '9')
			return false;
		errno = 0;
		numbers[i] = strtoul(params, &end, 10);
		if (errno != 0 || *end != (i + 1 == nb ? '\0' : ','))
			return false;
	}
	return true;
}

/* NULL: that is no port of ours. */
static struct sluice_port *
find_port(unsigned long id)
{
	if (id >= RTE_MAX_ETHPORTS || !rte_eth_dev_is_valid_port(id) ||
			rte_eth_devices[id].dev_ops != &sluice_eth_dev_ops)
		return NULL;
	return sluice_port_of(&rte_eth_devices[id]);
}

/* The same, and *d says so then. */
static struct sluice_port *
find_or_refuse(unsigned long id, struct rte_tel_data *d)
{
	struct sluice_port *port = find_port(id);

	if (port == NULL)
		refuse(d, "no port of this driver has that number");
	return port;
}

static void
add_hex(struct rte_tel_data *d, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	rte_tel_data_add_dict_string(d, name, text);
}

static int
list_ports(struct rte_tel_data *d)
{
	unsigned int id;

	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (id = 0; id < RTE_MAX_ETHPORTS; id++)
		if (find_port(id) != NULL)
			rte_tel_data_add_array_int(d, id);
	return 0;
}

static void
describe_port(struct rte_tel_data *d, struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;
	struct sluice_device_info info;
	char text[128];

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "port_id", port->port_id);
	rte_tel_data_add_dict_string(d, "transport", port->transport->ops->name);
	rte_tel_data_add_dict_string(d, "device", port->label);
	port->transport->ops->describe(port->transport, text, sizeof(text));
	rte_tel_data_add_dict_string(d, "description", text);
	rte_tel_data_add_dict_string(d, "state",
			sluice_life_name(rte_atomic_load_explicit(
					&port->life, rte_memory_order_acquire)));
	rte_tel_data_add_dict_string(d, "failure", sluice_fail_name(port->failure));
	rte_tel_data_add_dict_string(d, "offered_features",
			sluice_features_text(sluice_dev_info(port, &info) ? info.features : 0)
					.text);
	rte_tel_data_add_dict_string(d, "features", sluice_features_text(port->features).text);
	rte_tel_data_add_dict_string(
			d, "rx_burst", port->rx_path == NULL ? "none" : port->rx_path->name);
	rte_tel_data_add_dict_string(
			d, "tx_burst", port->tx_path == NULL ? "none" : port->tx_path->name);
	rte_tel_data_add_dict_uint(d, "rx_queues", data->nb_rx_queues);
	rte_tel_data_add_dict_uint(d, "tx_queues", data->nb_tx_queues);
	rte_tel_data_add_dict_uint(d, "virtqueues", sluice_dev_nb_vqs(port));
	rte_tel_data_add_dict_uint(d, "memory_regions", dmap_nb_maps(port->domain));
	rte_tel_data_add_dict_uint(d, "memory_bytes", dmap_bytes(port->domain));
	rte_tel_data_add_dict_uint(d, "connects", port->shared->nb_connects);
	rte_tel_data_add_dict_uint(d, "failures", port->shared->nb_failures);
}

static int
on_port(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct sluice_port *port;
	unsigned long id;

	RTE_SET_USED(cmd);
	if (params == NULL || params[0] == '\0')
		return list_ports(d);
	if (!parse(params, &id, 1))
		return refuse(d,
				"the parameter is the number of a port; without one, ports are listed");
	port = find_or_refuse(id, d);
	if (port != NULL)
		describe_port(d, port);
	return 0;
}

static void
describe_queue(struct rte_tel_data *d, const struct sluice_queue *q)
{
	static const char *const states[] = { "STOPPED", "FAILED", "RUNNING" };
	uint32_t state = rte_atomic_load_explicit(&q->state, rte_memory_order_acquire);
	const struct sluice_ring *r = &q->ring;

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "direction", sluice_queue_is_tx(q) ? "tx" : "rx");
	rte_tel_data_add_dict_uint(d, "queue", q->id);
	rte_tel_data_add_dict_string(
			d, "state", states[RTE_MIN(state, (uint32_t)SLUICE_QUEUE_RUNNING)]);
	rte_tel_data_add_dict_string(d, "failure", sluice_fail_name(q->fail));
	rte_tel_data_add_dict_string(
			d, "layout", q->ring_type == SLUICE_SPLIT ? "split" : "packed");
	rte_tel_data_add_dict_uint(d, "size", r->size);
	rte_tel_data_add_dict_uint(d, "head", r->head);
	rte_tel_data_add_dict_uint(d, "tail", r->tail);
	rte_tel_data_add_dict_uint(d, "free", r->nb_free);
	rte_tel_data_add_dict_uint(d, "holes", r->nb_holes);
	rte_tel_data_add_dict_uint(d, "packets", q->stats.packets);
	rte_tel_data_add_dict_uint(d, "bytes", q->stats.bytes);
	rte_tel_data_add_dict_uint(d, "errors", q->stats.errors);
	rte_tel_data_add_dict_uint(d, "kicks", r->nb_kicks);
	rte_tel_data_add_dict_uint(d, "suppressed_kicks", r->nb_suppressed);
}

static int
on_queue(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct rte_eth_dev_data *data;
	const struct sluice_queue *q = NULL;
	struct sluice_port *port;
	unsigned long numbers[2];

	RTE_SET_USED(cmd);
	if (!parse(params, numbers, RTE_DIM(numbers)))
		return refuse(d,
				"the parameters are a port and a virtqueue: receive queue N is "
				"virtqueue 2N, transmit queue N is virtqueue 2N+1");
	port = find_or_refuse(numbers[0], d);
	if (port == NULL)
		return 0;
	data = port->dev->data;
	if (SLUICE_VQ_IS_TX(numbers[1]) && numbers[1] / 2 < data->nb_tx_queues)
		q = data->tx_queues[numbers[1] / 2];
	else if (!SLUICE_VQ_IS_TX(numbers[1]) && numbers[1] / 2 < data->nb_rx_queues)
		q = data->rx_queues[numbers[1] / 2];
	if (q == NULL)
		return refuse(d, "the port has no queue at that virtqueue");
	describe_queue(d, q);
	return 0;
}

/* One of the regions; the physical address is that of its first byte, where that may be known. */
static struct rte_tel_data *
describe_region(const struct dmap_entry *e)
{
	struct rte_tel_data *d = rte_tel_data_alloc();
	phys_addr_t physical;

	if (d == NULL)
		return NULL;
	rte_tel_data_start_dict(d);
	physical = rte_mem_virt2phy((const void *)e->region.va);
	add_hex(d, "virtual", e->region.va);
	if (physical == RTE_BAD_IOVA || physical == 0)
		rte_tel_data_add_dict_string(d, "physical", "unknown");
	else
		add_hex(d, "physical", physical);
	add_hex(d, "device", e->region.da.v);
	rte_tel_data_add_dict_uint(d, "length", e->region.len);
	rte_tel_data_add_dict_string(d, "rights",
			e->region.flags & DMAP_REGION_READ_ONLY ? "read" : "read and write");
	rte_tel_data_add_dict_string(d, "owner", e->kind);
	rte_tel_data_add_dict_string(d, "name", e->name);
	rte_tel_data_add_dict_uint(d, "is_shown", e->is_shown);
	return d;
}

static int
on_regions(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct dmap_entry entries[REGIONS_MAX];
	unsigned long numbers[2] = { 0 };
	struct sluice_port *port;
	struct rte_tel_data *one;
	unsigned int i, nb;
	char name[32];

	RTE_SET_USED(cmd);
	if (!parse(params, numbers, 1) && !parse(params, numbers, RTE_DIM(numbers)))
		return refuse(d,
				"the parameters are a port, and the number of the first region to tell");
	port = find_or_refuse(numbers[0], d);
	if (port == NULL)
		return 0;
	numbers[1] = RTE_MIN(numbers[1], (unsigned long)UINT32_MAX);
	nb = dmap_entries(port->domain, numbers[1], entries, REGIONS_MAX);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "port_id", port->port_id);
	rte_tel_data_add_dict_uint(d, "regions", nb);
	/* Telemetry has no lists of what has parts. */
	for (i = 0; i < REGIONS_MAX && numbers[1] + i < nb; i++) {
		snprintf(name, sizeof(name), "region_%" PRIu64, (uint64_t)numbers[1] + i);
		one = describe_region(&entries[i]);
		if (one == NULL || rte_tel_data_add_dict_container(d, name, one, 0) != 0) {
			rte_tel_data_free(one);
			return -ENOMEM;
		}
	}
	return 0;
}

/* The port that params name alone; NULL: *d says why there is none. */
static struct sluice_port *
port_alone(const char *params, struct rte_tel_data *d)
{
	unsigned long id;

	if (parse(params, &id, 1))
		return find_or_refuse(id, d);
	refuse(d, "the parameter is the number of a port");
	return NULL;
}

/* What dma_debug=1 has found: all, and each kind that there was. */
static void
add_reports(struct rte_tel_data *d, const struct dmap_domain *domain)
{
	char name[48];
	unsigned int i;

	for (i = 0; i < DMAP_DEBUG_NB_CHECKS; i++) {
		snprintf(name, sizeof(name), "dma_debug_%u", i + 1);
		if (dmap_debug_nb(domain, i) != 0)
			rte_tel_data_add_dict_uint(d, name, dmap_debug_nb(domain, i));
	}
	rte_tel_data_add_dict_uint(
			d, "dma_debug_reports", dmap_debug_nb(domain, DMAP_DEBUG_NB_CHECKS));
}

static int
on_dma_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct sluice_port *port = port_alone(params, d);

	RTE_SET_USED(cmd);
	if (port == NULL)
		return 0;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "reachable_bytes", dmap_bytes(port->domain));
	rte_tel_data_add_dict_uint(d, "eal_bytes", rte_eal_get_physmem_size());
	rte_tel_data_add_dict_uint(d, "maps", dmap_nb_maps(port->domain));
	rte_tel_data_add_dict_uint(d, "regions", dmap_entries(port->domain, 0, NULL, 0));
	add_reports(d, port->domain);
	rte_tel_data_add_dict_uint(d, "removals",
			rte_atomic_load_explicit(
					dmap_generation(port->domain), rte_memory_order_acquire));
	return 0;
}

/* Buffers that are the device's at this moment, by queue. */
static int
on_inflight(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct sluice_port *port = port_alone(params, d);
	struct sluice_queue *q;
	unsigned int i;
	char name[32];

	RTE_SET_USED(cmd);
	if (port == NULL)
		return 0;
	rte_tel_data_start_dict(d);
	SLUICE_FOREACH_QUEUE(port, q, i) {
		snprintf(name, sizeof(name), "%s_q%u", sluice_queue_is_tx(q) ? "tx" : "rx", q->id);
		rte_tel_data_add_dict_uint(d, name, q->stream.nb_lent);
	}
	return 0;
}

RTE_INIT(sluice_register_telemetry)
{
	if (!sluice_may_register())
		return;
	rte_telemetry_register_cmd("/sluice/port", on_port,
			"Returns what a port is, or the numbers of all. Parameters: int port_id");
	rte_telemetry_register_cmd("/sluice/queue", on_queue,
			"Returns what a queue is. Parameters: int port_id, int virtqueue");
	rte_telemetry_register_cmd("/sluice/dma/regions", on_regions,
			"Returns the memory of a port's device, 32 regions from the first. Parameters: int port_id, int first");
	rte_telemetry_register_cmd("/sluice/dma/stats", on_dma_stats,
			"Returns how much memory a port's device reaches. Parameters: int port_id");
	rte_telemetry_register_cmd("/sluice/dma/inflight", on_inflight,
			"Returns how many buffers a port's device has. Parameters: int port_id");
}
