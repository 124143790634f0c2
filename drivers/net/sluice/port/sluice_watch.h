/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What is not an error but costs the user speed, or makes a port useless: looked for about once per
 * second while a port is live, and said once.
 */

#ifndef SLUICE_WATCH_H
#define SLUICE_WATCH_H

#include <stdbool.h>
#include <time.h>

struct sluice_port;

/* What is known of one virtqueue. */
struct sluice_watch {
	bool is_far; /* a core of another NUMA node polls it, and this was said */
	/* transmit, since the last start: */
	bool is_running; /* the device took something */
	bool is_said;    /* that it takes nothing */
	bool is_rung;    /* once more, since it took something */
	uint16_t at;     /* how far it was when looked at last */
	time_t since; /* when it was first seen there, with more to take (monotonic); 0: not yet */
};

/* The control thread, with port->lock held, of a live port. */
void sluice_watch(struct sluice_port *port);

/* The link came up, and the device may have missed notifications. As above. */
void sluice_watch_link_up(struct sluice_port *port);

/* A new run of a virtqueue begins. */
static inline void
sluice_watch_reset(struct sluice_watch *w)
{
	w->is_running = false;
	w->is_said = false;
	w->is_rung = false;
	w->at = 0;
	w->since = 0;
}

#endif /* SLUICE_WATCH_H */
