/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Which build of the driver is this? Processes that share a port also share its queues, whose
 * layout and meaning may be others in another build.
 */

#ifndef SLUICE_BUILD_H
#define SLUICE_BUILD_H

#include <stdbool.h>
#include <stdint.h>

/* First bytes of what the driver shares. */
#define SLUICE_BUILD_MAGIC 0x4543554c53554c53ULL

struct sluice_build {
	uint64_t magic;
	char dpdk[32];   /* the release that runs */
	uint32_t layout; /* sizes and places of what is shared */
	uint32_t id_len;
	/*
	 * The linker's build ID of the plug-in. All zeros in a program that the driver is linked
	 * into: two programs have two IDs with the same driver, so that is left to layout and dpdk.
	 */
	uint8_t id[20];
};

/* Of this process. */
void sluice_build_get(struct sluice_build *b);
/* NULL: they may share ports. Otherwise what is different, for a message. */
const char *sluice_build_differs(const struct sluice_build *a, const struct sluice_build *b);

#endif /* SLUICE_BUILD_H */
