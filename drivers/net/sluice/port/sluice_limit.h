/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How often something may be said: a few times at once, and then once in a while. A device that
 * comes and goes must not fill the log.
 */

#ifndef SLUICE_LIMIT_H
#define SLUICE_LIMIT_H

#include <stdbool.h>

#include "sluice_clock.h"

#define SLUICE_LIMIT_BURST 10
#define SLUICE_LIMIT_MS 5000 /* for each that follows */

struct sluice_limit {
	int64_t full_at; /* when the burst may be used again as a whole */
};

/* May it be said now? */
static inline bool
sluice_limit_passes(struct sluice_limit *l)
{
	int64_t now = sluice_clock_ms(), from = l->full_at > now ? l->full_at : now;

	if (from - now > (SLUICE_LIMIT_BURST - 1) * SLUICE_LIMIT_MS)
		return false;
	l->full_at = from + SLUICE_LIMIT_MS;
	return true;
}

#endif /* SLUICE_LIMIT_H */
