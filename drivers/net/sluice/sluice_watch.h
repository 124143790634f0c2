/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What is not an error but costs the user speed, or makes a port useless: looked for about once per second while
 * a port is live, and said once.
 */

#ifndef SLUICE_WATCH_H
#define SLUICE_WATCH_H

#include <stdbool.h>
#include <time.h>

struct sluice_port;

/* What is known of one virtqueue. */
struct sluice_watch {
	bool is_far;     /* a core of another NUMA node polls it, and this was said */
	bool is_running; /* transmit: the device took something since the last start, or it was said */
	time_t since; /* transmit: when it was first seen waiting for the device (monotonic); 0: not yet */
};

/* The control thread, with port->lock held, of a live port. */
void sluice_watch(struct sluice_port *port);

/* A new run of a virtqueue begins. */
static inline void
sluice_watch_reset(struct sluice_watch *w)
{
	w->is_running = false;
	w->since = 0;
}

#endif /* SLUICE_WATCH_H */
