/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The clock of the control plane, as a test wants it: real, faster than real, or one that stands
 * until it is told.
 */

#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include "sluice_clock.h"

/* Real time, times factor; deadlines of seconds pass in milliseconds. */
void fake_clock_run(unsigned int factor);
/*
 * Stands at this time. Who sleeps, or waits in poll(2) for what does not come, does not wait: the
 * clock goes on by that time instead; and so it does when somebody looks at it all the time.
 */
void fake_clock_set(int64_t ms);
void fake_clock_add(int64_t ms);
/*
 * Called by each such sleep, and by poll(2) before time passes: what is waited for may come. NULL:
 * nothing is.
 */
extern void (*fake_clock_on_sleep)(void);

#endif /* FAKE_CLOCK_H */
