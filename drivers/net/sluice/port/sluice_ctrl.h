/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control queue (virtio 1.3, 5.1.6.5): commands to the device, one at a time, each with a
 * deadline. Used where the device must be told how many queue pairs are in use. With port->lock
 * held.
 */

#ifndef SLUICE_CTRL_H
#define SLUICE_CTRL_H

#include "sluice_ring.h"

struct sluice_port;

#define SLUICE_CTRL_RING_SIZE 16

struct sluice_ctrl {
	struct dmap_coherent mem; /* ring, command, answer */
	struct sluice_ring ring;
	uint16_t avail_shadow[SLUICE_CTRL_RING_SIZE];
	bool is_packed;
	bool is_running;
};

/* An idle ring in fresh memory. The port's features must be chosen. */
int sluice_ctrl_prepare(struct sluice_port *port);
/* Between the transport's begin and commit. */
int sluice_ctrl_start(struct sluice_port *port);
/* The device stopped. */
void sluice_ctrl_stop(struct sluice_port *port);
void sluice_ctrl_free(struct sluice_port *port);

/* Use nb_pairs queue pairs (5.1.6.5.6). After commit. Logs what went wrong. */
int sluice_ctrl_set_pairs(struct sluice_port *port, uint16_t nb_pairs);

#endif /* SLUICE_CTRL_H */
