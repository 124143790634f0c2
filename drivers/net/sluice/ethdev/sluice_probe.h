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

/* The ethdev face. On success the port can be used from here on. */
int sluice_port_finish(struct rte_eth_dev *dev);
/* There can be no port for the device. -ENOMEM. */
int sluice_port_log_none(const char *name);
/* Of a device; NULL: it has none. */
struct rte_eth_dev *sluice_port_find(const struct rte_device *device);
/* The bus takes the device away. name: of its port, if it has one. */
int sluice_port_remove(const struct rte_device *device, const char *name);

#endif /* SLUICE_PROBE_H */
