/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The time that all deadlines of the control plane are told in. A function of its own, so that
 * tests can script it.
 */

#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <stdint.h>

/* Monotonic time in milliseconds. Any thread. */
int64_t sluice_clock_ms(void);

#endif /* SLUICE_CLOCK_H */
