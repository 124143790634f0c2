/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <time.h>

#include "fake_clock.h"

static unsigned int speed = 1; /* 0: it stands */
static int64_t standing;

void
fake_clock_run(unsigned int factor)
{
	__atomic_store_n(&speed, factor, __ATOMIC_RELAXED);
}

void
fake_clock_set(int64_t ms)
{
	__atomic_store_n(&standing, ms, __ATOMIC_RELAXED);
	__atomic_store_n(&speed, 0, __ATOMIC_RELAXED);
}

void
fake_clock_add(int64_t ms)
{
	__atomic_add_fetch(&standing, ms, __ATOMIC_RELAXED);
}

int64_t
sluice_clock_ms(void)
{
	unsigned int factor = __atomic_load_n(&speed, __ATOMIC_RELAXED);
	struct timespec ts;

	if (factor == 0)
		return __atomic_load_n(&standing, __ATOMIC_RELAXED);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec * 1000LL + ts.tv_nsec / 1000000) * factor;
}
