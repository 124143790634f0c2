/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Back end without isolation: the device sees all of EAL's memory, as other drivers show it.
 * Coherent memory is a memzone, which lies in there already.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_memzone.h>

#include "dmap_impl.h"

static int
none_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	const struct rte_memzone *mz;

	RTE_SET_USED(ctx);
	len = RTE_ALIGN_CEIL(len, (size_t)getpagesize());
	mz = dmap_eal_memzone(what, len, socket, RTE_MEMZONE_IOVA_CONTIG, getpagesize());
	if (mz == NULL)
		return -rte_errno;
	memset(mz->addr, 0, mz->len);
	/* The table holds these pages already: they are EAL's. */
	*r = (struct dmap_region){
		.va = (uintptr_t)mz->addr, .len = len, .da.v = (uintptr_t)mz->addr, .fd = -1
	};
	*handle = (void *)(uintptr_t)mz;
	return 0;
}

static void
none_coherent_free(void *ctx, void *handle)
{
	RTE_SET_USED(ctx);
	rte_memzone_free(handle);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_none_backend)
const struct dmap_backend dmap_none_backend = {
	.name = "none",
	.coherent_alloc = none_coherent_alloc,
	.coherent_free = none_coherent_free,
	.show = dmap_remote_show,
	.is_remote = true,
	.shows_all_eal = true,
};
