/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What sluice_life.c has for sluice_turn.c. All with port->lock held.
 */

#ifndef SLUICE_LIFE_IMPL_H
#define SLUICE_LIFE_IMPL_H

#include "sluice_life.h"

/*
 * Between tries to reach a device: the first pause, of one that is not there and of one that was
 * refused.
 */
#define SLUICE_RETRY_FIRST_MS 1
#define SLUICE_RETRY_REFUSED_MS 10
/* A connection that lasted so long was a good one. */
#define SLUICE_STEADY_MS 1000
/* How often a device that runs is looked at. */
#define SLUICE_TICK_MS 1000
/*
 * How often it is looked whether a transmit queue is idle: it is when nothing was given between two
 * looks, so its buffers are back after twice this time.
 */
#define SLUICE_IDLE_MS 40
/* How often it is looked whether a core left its burst. */
#define SLUICE_STUCK_MS 10

/* How a device is let go. */
enum sluice_end {
	SLUICE_END_TELL, /* it is asked to stop, and stays connected if it says that it did */
	SLUICE_END_CUT,  /* it is not asked, unless it must be */
};

/*
 * An event happened. Without effect, and logged, where the table has no such event: a bug of ours.
 */
void sluice_life_step(struct sluice_port *port, enum sluice_life_event event);
bool sluice_life_is_connected(const struct sluice_port *port);

/* A device is reached, judged, and taken; on error it is let go. -EAGAIN: there is none. */
int sluice_life_connect(struct sluice_port *port);
/*
 * The device that is connected runs the rings; the port is WAITING for that. The conversation has
 * begun. On error the caller ends it.
 */
int sluice_life_live(struct sluice_port *port);
/*
 * The device stops, and mbufs go back. It is connected no more, unless it was told, and said that
 * it stopped. Waits no longer than the deadlines in sluice_life.h.
 */
void sluice_life_end(struct sluice_port *port, enum sluice_end how);
/* Of a device that runs no more: if one of the queues failed, and nobody has looked since. */
void sluice_life_tell_broken(struct sluice_port *port);
/* Receive queues that the device knows nothing of have none. */
bool sluice_life_has_ring(const struct sluice_port *port, const struct sluice_queue *q);
/* The queue of a device that runs the rings takes bursts from here on. */
void sluice_life_run_queue(struct sluice_port *port, struct sluice_queue *q);
/*
 * No burst starts in a queue that runs, and none is inside. -ETIMEDOUT: one stays for longer than
 * ms milliseconds; the queue runs on.
 */
int sluice_life_pause_queue(struct sluice_queue *q, unsigned int ms);
/*
 * Transmit queues that nobody gives packets to: what the device has sent goes back to its pools.
 * Of a port that is live, each SLUICE_IDLE_MS, if the application asked for it.
 */
void sluice_life_reclaim_idle(struct sluice_port *port);
/* The device that runs the rings is told of queues that the application holds back. */
int sluice_life_tell_held(struct sluice_port *port);
/*
 * A device that went away (-ECONNRESET), or does not talk as it should, is let go; the control
 * thread tries to reach it, or another.
 */
void sluice_life_let_go(struct sluice_port *port, int why);
/* The cores that did not leave a burst when their queues were stopped: did all leave now? */
void sluice_life_serve_stuck(struct sluice_port *port);

/* The device wants the port to make itself known (sluice_announce.c); the control thread. */
void sluice_announce(struct sluice_port *port);

/* The next try to connect comes after a pause that grows from first_ms on; or at once. */
void sluice_life_retry_later(struct sluice_port *port, unsigned int first_ms);
void sluice_life_retry_now(struct sluice_port *port);

#endif /* SLUICE_LIFE_IMPL_H */
