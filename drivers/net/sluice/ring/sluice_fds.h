/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Queues lie in memory of all processes, and name descriptors by their numbers in the primary one.
 * A secondary process has descriptors of its own for the same files, and a table that leads to
 * them.
 */

#ifndef SLUICE_FDS_H
#define SLUICE_FDS_H

#include <stddef.h>

#include <rte_branch_prediction.h>

/* Numbers from 0 to this one have a place in the table. */
#define SLUICE_FD_MAX 65535

/*
 * By the primary's number: the number here plus one; 0: there is none. NULL in a primary process.
 * Atomic entries; whoever uses one is inside of a queue, and those change while nobody is.
 */
extern int *sluice_fds_here;

static inline int
sluice_fd_here(int fd)
{
	if (likely(sluice_fds_here == NULL))
		return fd;
	if (fd < 0 || fd > SLUICE_FD_MAX)
		return -1;
	return rte_atomic_load_explicit(&sluice_fds_here[fd], rte_memory_order_acquire) - 1;
}

#endif /* SLUICE_FDS_H */
