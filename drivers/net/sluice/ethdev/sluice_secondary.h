/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Ports of the primary process in a secondary one. What a control call wants to know is in memory
 * of both, what it wants to change is refused. Bursts are those of the primary process, with the
 * rings at the same addresses, behind sluice_visit.h; functions and paths are this process's own.
 */

#ifndef SLUICE_SECONDARY_H
#define SLUICE_SECONDARY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_dev.h>
#include <rte_spinlock.h>

#include "sluice_path.h"
#include "sluice_rx_stage.h"
#include "sluice_share.h"
#include "sluice_shared.h"

struct rte_eth_dev;

/* A pool, or other memory, that a core met and that the device does not see yet. */
struct sluice_asked {
	const void *memory; /* NULL: nothing was asked for */
	struct dmap_buffer buf;
	int64_t since; /* sluice_clock_ms() */
	int answer;    /* -EAGAIN: there is none yet, or it is yes */
};

/* A file of the primary process that this one has, too. */
struct sluice_twin {
	int theirs;
	int ours;
};

/* process_private of a secondary process: all that it has of a port. */
struct sluice_visitor {
	/* constant while the port is here */
	struct rte_eth_dev *dev; /* NULL: it is not */
	struct sluice_shared *shared;
	uint16_t port_id;
	/* read by polling cores */
	uint32_t epoch; /* atomic: of the rings that are here; 0: none are */
	uint16_t who;   /* number of this process with the port; 0: none yet */
	struct sluice_rx_own rx;
	const struct sluice_tx_path *tx_path;
	/* written by polling cores; atomic: by virtqueue, is one inside? */
	uint32_t inside[2 * SLUICE_PAIRS_MAX];
	/* the thread's */
	bool is_orphan; /* atomic: the primary process ended */
	bool is_told;   /* why the rings cannot be here */
	int primary_fd; /* hangs up when the primary process ends; -1: not attached */
	int alive_fd;   /* of which the primary process has the other end */
	void *va;       /* of the rings, or of registers; NULL: EAL's memory, or not here */
	size_t len;
	uint16_t nb_twins;
	struct sluice_twin twins[SLUICE_OFFER_FDS];
	/* protected by ask_lock */
	rte_spinlock_t ask_lock;
	struct sluice_asked asked;
};

/*
 * Of the primary process: EAL probes its port in this one. name: of the port; argument: by which
 * EAL gives such a device to the primary one, for a message.
 */
int sluice_secondary_probe(struct rte_device *device, const char *name, const char *argument);

/* sluice_secondary_burst.c */

void sluice_secondary_set_bursts(struct rte_eth_dev *dev);
/* What ethdev has of the port's queues here, once for all ports of its number. -ENOMEM. */
int sluice_secondary_make_seats(struct sluice_visitor *v);
/* The queues that there are now; no core is inside. */
void sluice_secondary_take_seats(struct sluice_visitor *v);
/* In ethdev's table for bursts, which had those of the primary process. */
void sluice_secondary_show_seats(const struct sluice_visitor *v);
/* The operation; 0, as bursts, where the rings are not here. */
int sluice_secondary_tx_done_cleanup(void *queue, uint32_t nb_max);

/* sluice_secondary_link.c */

/* By number of the port. */
extern struct sluice_visitor sluice_visitors[RTE_MAX_ETHPORTS];

/*
 * The thread reaches the primary process, and has the rings of the port here whenever there are
 * any, from now on until the other returns. open fails where that thread cannot be.
 */
int sluice_secondary_open(struct rte_eth_dev *dev);
void sluice_secondary_close(struct sluice_visitor *v);
/* May the device have buffers of the pool? False where nobody knows, as with isolation=none. */
bool sluice_secondary_has_pool(struct sluice_visitor *v, const struct rte_mempool *mp);

#endif /* SLUICE_SECONDARY_H */
