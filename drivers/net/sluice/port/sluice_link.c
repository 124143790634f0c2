/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The link as the application wants it. No virtio device can be told, so a link that is held down
 * is one whose cable was pulled on our side: burst functions do nothing. The device goes on, and
 * what it receives fills the rings and is then dropped by it.
 */

#include "sluice_life.h"
#include "sluice_log.h"

void
sluice_link_down(struct sluice_port *port)
{
	int64_t deadline = sluice_clock_ms() + SLUICE_QUIESCE_MS;
	struct sluice_queue *q;
	unsigned int i;

	rte_atomic_store_explicit(&port->is_held_down, 1, rte_memory_order_release);
	port->is_link_up = false;
	if (port->life != SLUICE_LIVE)
		return;
	/* Those that failed stay as they are, for the control thread to see. */
	SLUICE_FOREACH_QUEUE(port, q, i)
		sluice_queue_pause(q);
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (sluice_queue_quiesce(q, deadline) != 0)
			SLUICE_LOG(NOTICE, "port %u: a core is still in a burst of virtqueue %u",
					port->port_id, q->vq);
}

void
sluice_link_up(struct sluice_port *port)
{
	struct sluice_device_state state;
	struct sluice_queue *q;
	unsigned int i;

	rte_atomic_store_explicit(&port->is_held_down, 0, rte_memory_order_release);
	if (port->life != SLUICE_LIVE)
		return;
	SLUICE_FOREACH_QUEUE(port, q, i)
		if (!q->is_held)
			sluice_queue_resume(q);
	/* Who sleeps on a queue has missed what came meanwhile. */
	sluice_intr_wake(port);
	sluice_dev_state(port, &state);
	port->is_link_up = state.is_link_up;
}
