/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What ports of both buses are made of, and the end of all of it. A probe (sluice_probe.h) makes
 * one; it ends where that fails, and where ethdev closes it.
 */

#ifndef SLUICE_MAKE_H
#define SLUICE_MAKE_H

#include "sluice_port.h"

/* The fields of a fresh port that need nothing else. */
void sluice_port_prepare(struct rte_eth_dev *dev, const struct sluice_args *args, int socket,
		const struct sluice_port_events *events);
/* The domain; rings come with the first start. Logs what went wrong. */
int sluice_port_create_memory(struct sluice_port *port, const char *name,
		const struct dmap_backend *backend, void *ctx);
/* Undo whatever was done. Queues are released before. */
void sluice_port_destroy(struct sluice_port *port);
/* A child of fork() closes its parent's port, of which nothing is let go. -EPERM. */
int sluice_port_leave(struct rte_eth_dev *dev);

#endif /* SLUICE_MAKE_H */
