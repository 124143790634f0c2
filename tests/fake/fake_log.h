/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the driver logs, kept for a test to look at.
 */

#ifndef FAKE_LOG_H
#define FAKE_LOG_H

/* From here on every line of every level is kept; what was kept before is gone. */
void fake_log_begin(void);
/* All that was logged since; "" if nothing. Stays until the next begin. */
const char *fake_log_end(void);

#endif /* FAKE_LOG_H */
