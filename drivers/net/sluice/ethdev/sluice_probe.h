/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps that ports of both buses take to come to be (sluice_probe.c). All log what went wrong.
 */

#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include "sluice_port.h"

/*
 * Is the running DPDK the one that this was built for? Then also what is once per process is done.
 */
bool sluice_may_register(void);

/* The fields of a fresh port that need nothing else. */
void sluice_port_prepare(struct rte_eth_dev *dev, const struct sluice_args *args, int socket);
/* The domain; rings come with the first start. */
int sluice_port_create_memory(struct sluice_port *port, const char *name,
		const struct dmap_backend *backend, void *ctx);
/* The ethdev face. On success the port can be used from here on. */
int sluice_port_finish(struct rte_eth_dev *dev);
/* Undo whatever was done. Queues are released before. */
void sluice_port_destroy(struct sluice_port *port);
/* The bus takes the device away. */
int sluice_port_remove(struct rte_eth_dev *dev);

#endif /* SLUICE_PROBE_H */
