/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port's life: a device comes, runs the rings, and goes, or is sent away. This is the only place
 * that starts a device, stops one, or lets go of it.
 *
 * Deadlines: a start takes at most SLUICE_HANDSHAKE_MS in all, an end at most SLUICE_LOCK_MS +
 * SLUICE_QUIESCE_MS + SLUICE_END_MS, whatever the device does.
 */

#ifndef SLUICE_LIFE_H
#define SLUICE_LIFE_H

#include "sluice_life_lock.h"
#include "sluice_port.h"

/* All exchanges from the first word to a running device. */
#define SLUICE_HANDSHAKE_MS 5000
/* All exchanges that stop a device. */
#define SLUICE_END_MS 1000
/* A core gets this long to leave a burst. */
#define SLUICE_QUIESCE_MS 200
/* A port that is closed waits this long for back ends that still have buffers. */
#define SLUICE_CLOSE_MS 200

/* What can happen to a port. */
enum sluice_life_event {
	SLUICE_ON_CONNECT, /* a device is connected, and taken */
	SLUICE_ON_START,   /* the application wants traffic */
	SLUICE_ON_LIVE,    /* the device runs the rings */
	SLUICE_ON_STOP,    /* the application wants none any more */
	/* the device went away, does not talk as it should, or is not wanted any more */
	SLUICE_ON_GONE,
	SLUICE_ON_BROKEN, /* it broke the rules of the rings, or says that it is in trouble */
	SLUICE_ON_CLOSE,
	SLUICE_NB_LIFE_EVENTS
};

const char *sluice_life_name(enum sluice_life life);
const char *sluice_life_event_name(enum sluice_life_event event);
/* Where an event leads; SLUICE_NB_LIVES: it cannot happen there. */
enum sluice_life sluice_life_after(enum sluice_life life, enum sluice_life_event event);

/* What the application has to be told, by the caller and without a lock. */
struct sluice_life_news {
	bool has_link_changed;
	bool has_failed;
};

/* A fresh port; no lock needed. */
void sluice_life_init(struct sluice_port *port);
void sluice_life_fini(struct sluice_port *port);

/* The following take the lock themselves. They log what went wrong. */

/* Reach a device now. A server that nobody has come to yet is fine. */
int sluice_life_probe(struct sluice_port *port);
/*
 * dev_start: features, paths; live if a device is there. On error the port is not started, and cut
 * off from its device.
 */
int sluice_life_start(struct sluice_port *port);
/* dev_stop: the device stops; mbufs are back in their pools or parked. */
void sluice_life_stop(struct sluice_port *port);
/*
 * One queue of a port that is started. hold: its bursts return 0 from here on. Its buffers go back
 * to their pools where the device can forget a ring, and otherwise stay in the ring until it runs
 * again, or the port stops. -EBUSY: a core stays in a burst, nothing
 * changed. The calling thread may put into any pool.
 */
int sluice_life_hold_queue(struct sluice_port *port, struct sluice_queue *q);
void sluice_life_start_queue(struct sluice_port *port, struct sluice_queue *q);
/*
 * One queue of a port that is started, which the application has stopped, is set up anew
 * (sluice_renew.c). With port->lock held; they log what went wrong.
 *
 * begin: may it be, with another mempool or not? -ENOTSUP, -EBUSY: no; -EIO: its device lies. The
 * device reaches the mempool from here on, and does not use the ring; what it has filled is lost,
 * and counted. pool: rxq has what depends on the mempool, and its buffers take the places of those
 * of old; on error nothing has changed, and the caller goes back to old. rxq and txq: all is as the
 * next start needs it; descriptors that are more than the memory is laid out for are cut.
 */
int sluice_renew_begin(struct sluice_port *port, struct sluice_rxq *rxq, bool changes_pool);
int sluice_renew_pool(struct sluice_port *port, struct sluice_rxq *rxq, struct rte_mempool *old);
void sluice_renew_rxq(struct sluice_port *port, struct sluice_rxq *rxq, uint16_t nb_desc);
int sluice_renew_txq(struct sluice_port *port, struct sluice_txq *txq, uint16_t nb_desc);
/* dev_reset: as a stop, and a new connection to the device, which the control thread makes. */
void sluice_life_reset(struct sluice_port *port);
/*
 * Link up and down as the application wants it (sluice_link.c); with port->lock held. Each start
 * takes it up again.
 */
void sluice_link_down(struct sluice_port *port);
void sluice_link_up(struct sluice_port *port);
/* The port ends: no device, nothing parked. The control thread is there no more. */
void sluice_life_close(struct sluice_port *port);

/*
 * The control thread: look at everything, do what is due. news: what the transport's descriptors
 * told.
 */
void sluice_life_turn(
		struct sluice_port *port, enum sluice_news news, struct sluice_life_news *out);
/*
 * What the control thread has to wait for: descriptors of the transport (at most
 * SLUICE_TRANSPORT_FDS; returns how many), and how long; -1: for ever.
 */
unsigned int sluice_life_poll_fds(struct sluice_port *port, struct pollfd *pfds, int *timeout_ms);

#endif /* SLUICE_LIFE_H */
