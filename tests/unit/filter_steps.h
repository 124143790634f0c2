/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps of a port that tells its device, a fake with a control queue, what to deliver.
 */

#ifndef FILTER_STEPS_H
#define FILTER_STEPS_H

#include <errno.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_ctrl.h"
#include "fake_port.h"

static struct fake_port *port;
static struct fake_ctrl ctrl;
static const struct rte_ether_addr own = { { 2, 0, 0, 0, 0, 1 } };

/* Whenever the driver waits. */
static inline void
serve(void)
{
	fake_ctrl_serve(&ctrl);
}

static inline void
open_conf(const struct fake_port_conf *conf)
{
	port = fake_port_open(conf);
	port->port->filter.added[0] = own;
	fake_ctrl_init(&ctrl, &port->ft);
	fake_clock_on_sleep = serve;
}

/* without: features that the device has not. */
static inline void
probe(uint64_t without)
{
	port->ft.info.features &= ~without;
	assert_int_equal(sluice_life_probe(port->port), 0);
}

static inline void
start(void)
{
	assert_int_equal(sluice_life_start(port->port), 0);
	assert_int_equal(port->port->life, SLUICE_LIVE);
}

static inline void
close_port(void)
{
	fake_port_close(port);
	fake_clock_on_sleep = NULL;
}

/* As the ethdev operations do it. */
static inline struct sluice_port *
talk(void)
{
	sluice_transport_begin(port->port->transport, SLUICE_FILTER_MS);
	return port->port;
}

#endif /* FILTER_STEPS_H */
