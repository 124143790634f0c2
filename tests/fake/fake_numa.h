/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Stands in for libnuma: a machine with nodes, and memory that lies where the test says.
 */

#ifndef FAKE_NUMA_H
#define FAKE_NUMA_H

#include <stdbool.h>
#include <stddef.h>

struct fake_numa {
	bool is_absent; /* no NUMA in this kernel, or not in this container */
	bool is_mute;   /* asking for pages fails */
	int nb_nodes;
	int node; /* of all memory, but for one range: */
	const char *other_addr;
	size_t other_len;
	int other_node;        /* negative: nobody touched it */
	unsigned int nb_asked; /* pages */
};

/* All zero at the start of a test program: one that has no nodes. */
extern struct fake_numa fake_numa;

#endif /* FAKE_NUMA_H */
