/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which build of the driver is this? Processes that share a port also share its queues, whose
 * layout and meaning may be others in another build.
 */

#ifndef SLUICE_BUILD_H
#define SLUICE_BUILD_H

struct sluice_build;

/* Of this process. */
void sluice_build_get(struct sluice_build *b);
/* NULL: they may share ports. Otherwise what is different, for a message. */
const char *sluice_build_differs(const struct sluice_build *a, const struct sluice_build *b);

#endif /* SLUICE_BUILD_H */
