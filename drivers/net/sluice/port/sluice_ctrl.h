/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control queue (virtio 1.3, 5.1.6.5): commands to the device, one at a time, each with a
 * deadline. What a device answers too late, twice, or wrongly fails the command that it belongs to
 * and changes nothing else: later commands find the queue as a good device leaves it.
 *
 * Everything here with port->lock held. No polling core waits for it.
 */

#ifndef SLUICE_CTRL_H
#define SLUICE_CTRL_H

#include "sluice_queue.h"

struct sluice_port;

/* Commands that the device may have at a time: one, and those that it owes an answer. */
#define SLUICE_CTRL_PLACES 4
/* Each takes two descriptors, one for the device to read, one for it to write. */
#define SLUICE_CTRL_RING_SIZE (2 * SLUICE_CTRL_PLACES)
/* Bytes behind class and command: as many as the lists that ethdev has, and to spare. */
#define SLUICE_CTRL_DATA_MAX 4094
/* Bytes behind the answer to a question. */
#define SLUICE_CTRL_RESULT_MAX 63
/* A command waits so long for its answer. */
#define SLUICE_CTRL_MS 1000

struct sluice_ctrl {
	struct dmap_coherent mem; /* ring; a page for each command; answers */
	struct sluice_ring ring;
	uint16_t avail_shadow[SLUICE_CTRL_RING_SIZE];
	int kick_fd; /* of this connection; -1: the device has a register */
	bool is_packed;
	bool is_running;
	uint16_t nb_places;
	uint16_t place; /* of the last command */
	/* What the device has, and so nobody else may write to. */
	bool is_lent[SLUICE_CTRL_PLACES];
};

/* An idle ring in fresh memory. The port's features must be chosen. */
int sluice_ctrl_prepare(struct sluice_port *port);
/* Between the transport's begin and commit. */
int sluice_ctrl_start(struct sluice_port *port);
/* The device stopped. */
void sluice_ctrl_stop(struct sluice_port *port);
void sluice_ctrl_free(struct sluice_port *port);

/*
 * One command, and its answer; after commit. data is len bytes as the specification lays them out
 * behind class and command. Waits SLUICE_CTRL_MS, and no longer than the transport's deadline.
 *
 * -ENOTSUP: there is no control queue. -EIO: the device says that it cannot. -ETIMEDOUT: no
 * answer. -EPROTO: an answer that makes no sense. -EBUSY: it owes too many answers. -EMSGSIZE.
 */
int sluice_ctrl_command(
		struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data, size_t len);
/* The same with a question: up to room bytes of result; returns how many came. */
int sluice_ctrl_query(struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data,
		size_t len, void *result, size_t room);
/* What such an error means, for messages. */
const char *sluice_ctrl_error(int ret);

/* Use nb_pairs queue pairs (5.1.6.5.6). Logs what went wrong. */
int sluice_ctrl_set_pairs(struct sluice_port *port, uint16_t nb_pairs);

#endif /* SLUICE_CTRL_H */
