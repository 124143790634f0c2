/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <numa.h>

#include "fake_numa.h"

struct fake_numa fake_numa;

int
numa_available(void)
{
	return fake_numa.is_absent ? -1 : 0;
}

int
numa_num_configured_nodes(void)
{
	return fake_numa.nb_nodes;
}

int
numa_move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status,
		int flags)
{
	unsigned long i;

	if (fake_numa.is_mute || pid != 0 || nodes != NULL || flags != 0) {
		errno = EPERM;
		return -1;
	}
	for (i = 0; i < count; i++) {
		const char *page = pages[i];

		status[i] = fake_numa.node;
		if (page >= fake_numa.other_addr &&
				page < fake_numa.other_addr + fake_numa.other_len)
			status[i] = fake_numa.other_node;
	}
	fake_numa.nb_asked += count;
	return 0;
}
