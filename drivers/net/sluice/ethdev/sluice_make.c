/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* See sluice_make.h. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "sluice_check.h"
#include "sluice_life.h"
#include "sluice_log.h"
#include "sluice_make.h"

/* An application may free a pool of which a back end that is not done yet still has buffers. */
static void
on_pool_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg)
{
	struct sluice_port *port = arg;
	struct sluice_queue *q;
	unsigned int i;

	if (event != RTE_MEMPOOL_EVENT_DESTROY)
		return;
	sluice_park_forget(&port->park, mp);
	SLUICE_FOREACH_QUEUE(port, q, i) {
		sluice_park_forget_returns(q, mp);
		/* What it knows of pools is void: soon another one may be in that place. */
		if (sluice_queue_is_tx(q))
			dmap_stream_ask(&q->stream);
	}
}

void
sluice_port_prepare(struct rte_eth_dev *dev, const struct sluice_args *args, int socket,
		const struct sluice_port_events *events)
{
	struct sluice_port *port = dev->process_private;

	port->shared = dev->data->dev_private;
	port->events = events;
	port->dev = dev;
	port->port_id = dev->data->port_id;
	port->pid = getpid();
	port->socket = socket;
	port->args = *args;
	port->shared->is_vectorized = args->is_vectorized;
	port->shared->is_sealed = args->isolation == SLUICE_ISOLATION_SEALED;
	port->shared->is_copy = sluice_copies(port);
	sluice_life_init(port);
	if (rte_mempool_event_callback_register(on_pool_event, port) < 0)
		SLUICE_INIT_LOG(WARNING, "%s: mempools must outlive the port: %s", dev->data->name,
				rte_strerror(rte_errno));
}

static void
wake_for_memory(void *ctx)
{
	sluice_conn_wake(ctx);
}

int
sluice_port_create_memory(struct sluice_port *port, const char *name,
		const struct dmap_backend *backend, void *ctx)
{
	int ret = dmap_domain_create(name, backend, ctx, &port->domain);

	/* Who hides memory hides where it is. */
	if (ret == 0 && (port->args.isolation == SLUICE_ISOLATION_SEALED || sluice_copies(port)))
		ret = dmap_set_own_addresses(port->domain);
	if (ret == 0 && port->args.isolation == SLUICE_ISOLATION_SEALED)
		ret = dmap_set_sealed(
				port->domain, sluice_bounces(port) ? NULL : SLUICE_SEALED_REMEDY);
	if (ret == 0 && port->args.has_dma_debug)
		ret = sluice_check_open(port->port_id);
	if (ret == 0 && port->args.has_dma_debug)
		ret = dmap_debug_start(port->domain, port->label);
	if (ret != 0) {
		SLUICE_LOG(ERR, "%s: cannot list the memory to show: %s", name, strerror(-ret));
		return ret;
	}
	dmap_set_waker(port->domain, wake_for_memory, port);
	dmap_share(port->domain, &port->shared->dma);
	return 0;
}

void
sluice_port_destroy(struct sluice_port *port)
{
	sluice_conn_stop(port);
	if (port->transport != NULL && port->life != SLUICE_CLOSED)
		sluice_life_close(port);
	sluice_share_close(port);
	rte_mempool_event_callback_unregister(on_pool_event, port);
	if (port->domain != NULL) {
		sluice_ctrl_free(port);
		sluice_rings_end(port);
	}
	rte_memzone_free(port->claim);
	if (port->transport != NULL)
		port->transport->ops->destroy(port->transport);
	sluice_life_fini(port);
}

/*
 * ethdev goes on whatever a driver returns, and both processes share what it lets go of then: so it
 * finds nothing, and somebody for whom it keeps its table of ports.
 */
int
sluice_port_leave(struct rte_eth_dev *dev)
{
	static struct rte_eth_dev_data nothing;
	uint64_t owner;

	nothing.port_id = dev->data->port_id;
	dev->data = &nothing;
	rte_eth_dev_owner_new(&owner);
	return -EPERM;
}
