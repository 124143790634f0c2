/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Telemetry: what a port and its virtqueues are, for who looks from outside (/sluice/port,
 * /sluice/queue). Read without a lock, so that no one who looks waits for a device: values of about
 * now. As with ethdev's own commands, the application does not close the port meanwhile.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_telemetry.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_probe.h"

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
			sluice_life_name(__atomic_load_n(&port->life, __ATOMIC_ACQUIRE)));
	rte_tel_data_add_dict_string(d, "failure", sluice_fail_name(port->failure));
	add_hex(d, "offered_features", sluice_dev_info(port, &info) ? info.features : 0);
	add_hex(d, "features", port->features);
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
	port = find_port(id);
	if (port == NULL)
		return refuse(d, "no port of this driver has that number");
	describe_port(d, port);
	return 0;
}

static void
describe_queue(struct rte_tel_data *d, const struct sluice_queue *q)
{
	static const char *const states[] = { "STOPPED", "FAILED", "RUNNING" };
	uint32_t state = __atomic_load_n(&q->state, __ATOMIC_ACQUIRE);
	const struct sluice_ring *r = &q->ring;

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "direction", sluice_queue_is_tx(q) ? "tx" : "rx");
	rte_tel_data_add_dict_uint(d, "queue", q->id);
	rte_tel_data_add_dict_string(
			d, "state", states[RTE_MIN(state, (uint32_t)SLUICE_QUEUE_RUNNING)]);
	rte_tel_data_add_dict_string(d, "failure", sluice_fail_name(q->fail));
	rte_tel_data_add_dict_string(d, "layout", q->layout == SLUICE_SPLIT ? "split" : "packed");
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
	port = find_port(numbers[0]);
	if (port == NULL)
		return refuse(d, "no port of this driver has that number");
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

RTE_INIT(sluice_register_telemetry)
{
	if (!sluice_may_register())
		return;
	rte_telemetry_register_cmd("/sluice/port", on_port,
			"Returns what a port is, or the numbers of all. Parameters: int port_id");
	rte_telemetry_register_cmd("/sluice/queue", on_queue,
			"Returns what a queue is. Parameters: int port_id, int virtqueue");
}
