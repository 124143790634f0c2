/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef NOW_H
#define NOW_H

#include <stdint.h>
#include <time.h>

/* Monotonic time in microseconds. */
static inline int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

#endif /* NOW_H */
