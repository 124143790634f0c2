/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the driver asks of the C library and the kernel fails, at a call of the test's choice:
 * memory, eventfds, and coherent memory of the fake domain. Only calls of the thread that armed it
 * count; those that fakes make do not.
 */

#ifndef FAKE_FAULT_H
#define FAKE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Call number nth from here on, counted from 0, fails, and only that. */
void fake_fault_arm(uint32_t nth);
/* Never, but calls are counted. */
#define FAKE_FAULT_NEVER UINT32_MAX
/* How many calls there were since it was armed. */
uint32_t fake_fault_disarm(void);

/* For fakes: calls of this thread do not count meanwhile. */
void fake_fault_hold(bool is_held);
/* For fakes that stand in for something that may fail: this is such a call; true: it fails. */
bool fake_fault_hits(void);

/* Open descriptors of this process. */
unsigned int fake_count_fds(void);

#endif /* FAKE_FAULT_H */
