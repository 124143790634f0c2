/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* In place of EAL's heap. */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "fake_fault.h"

void *
rte_zmalloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	size_t unit = RTE_MAX(align, (unsigned int)RTE_CACHE_LINE_SIZE);
	void *mem;

	RTE_SET_USED(type);
	RTE_SET_USED(socket);
	if (fake_fault_hits())
		return NULL;
	mem = aligned_alloc(unit, RTE_ALIGN_CEIL(size, unit));
	return mem == NULL ? NULL : memset(mem, 0, size);
}

void
rte_free(void *mem)
{
	free(mem);
}
