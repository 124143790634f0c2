/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What can happen to a port, and where that leads. See sluice_life.h.
 */

#include <rte_common.h>

#include "sluice_life_impl.h"
#include "sluice_log.h"
#include "sluice_trace.h"

/*
 * The table: X(from, event, to). What is not in it cannot happen. doc/design/states.md has the same
 * table, and devtools/check-states compares.
 */
#define TRANSITIONS(X) \
	X(ABSENT, CONNECT, READY) \
	X(ABSENT, START, WAITING) \
	X(ABSENT, STOP, ABSENT) \
	X(ABSENT, GONE, ABSENT) \
	X(ABSENT, CLOSE, CLOSED) \
	X(READY, START, WAITING) \
	X(READY, STOP, READY) \
	X(READY, GONE, ABSENT) \
	X(READY, CLOSE, CLOSED) \
	X(WAITING, CONNECT, WAITING) \
	X(WAITING, LIVE, LIVE) \
	X(WAITING, STOP, ABSENT) \
	X(WAITING, GONE, WAITING) \
	X(WAITING, CLOSE, CLOSED) \
	X(LIVE, STOP, READY) \
	X(LIVE, GONE, WAITING) \
	X(LIVE, BROKEN, FAILED) \
	X(LIVE, CLOSE, CLOSED) \
	X(FAILED, STOP, ABSENT) \
	X(FAILED, GONE, FAILED) \
	X(FAILED, CLOSE, CLOSED)

const char *
sluice_life_name(enum sluice_life life)
{
	static const char *const names[SLUICE_NB_LIVES] = { "ABSENT", "READY", "WAITING", "LIVE",
		"FAILED", "CLOSED" };

	return life < SLUICE_NB_LIVES ? names[life] : "none";
}

const char *
sluice_life_event_name(enum sluice_life_event event)
{
	static const char *const names[SLUICE_NB_LIFE_EVENTS] = { "CONNECT", "START", "LIVE",
		"STOP", "GONE", "BROKEN", "CLOSE" };

	return event < SLUICE_NB_LIFE_EVENTS ? names[event] : "none";
}

enum sluice_life
sluice_life_after(enum sluice_life life, enum sluice_life_event event)
{
	static const struct {
		enum sluice_life from;
		enum sluice_life_event event;
		enum sluice_life to;
	} table[] = {
#define ROW(from, event, to) { SLUICE_##from, SLUICE_ON_##event, SLUICE_##to },
		TRANSITIONS(ROW)
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(table); i++)
		if (table[i].from == life && table[i].event == event)
			return table[i].to;
	return SLUICE_NB_LIVES;
}

static void
trace(const struct sluice_port *port, enum sluice_life_event event)
{
	if (event == SLUICE_ON_CONNECT)
		sluice_trace_connect(port->port_id, port->info.features);
	else if (event == SLUICE_ON_START)
		sluice_trace_start(port->port_id);
	else if (event == SLUICE_ON_LIVE)
		sluice_trace_live(port->port_id, port->features, port->rx_path->name,
				port->tx_path->name);
	else if (event == SLUICE_ON_STOP)
		sluice_trace_stop(port->port_id);
	else if (event == SLUICE_ON_GONE)
		sluice_trace_disconnect(port->port_id);
	else if (event == SLUICE_ON_BROKEN)
		sluice_trace_failure(port->port_id, sluice_fail_name(port->failure));
}

void
sluice_life_step(struct sluice_port *port, enum sluice_life_event event)
{
	enum sluice_life to = sluice_life_after(port->life, event);

	if (to == SLUICE_NB_LIVES)
		SLUICE_LOG(ERR, "port %u: %s while %s", port->port_id,
				sluice_life_event_name(event), sluice_life_name(port->life));
	else
		rte_atomic_store_explicit(&port->life, to, rte_memory_order_release);
	trace(port, event);
}
