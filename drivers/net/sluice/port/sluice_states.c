/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What can happen to a port, and where that leads. See sluice_life.h.
 */

#include <rte_common.h>

#include "sluice_life.h"

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
