/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * rte_pktmbuf_pool_create() of a program that knows nothing of the driver: the plug-in's, which EAL
 * has loaded by then.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

struct rte_mempool;

struct rte_mempool *rte_pktmbuf_pool_create(const char *name, unsigned int n,
		unsigned int cache_size, uint16_t priv_size, uint16_t data_room_size,
		int socket_id);

struct rte_mempool *
rte_pktmbuf_pool_create(const char *name, unsigned int n, unsigned int cache_size,
		uint16_t priv_size, uint16_t data_room_size, int socket_id)
{
	struct rte_mempool *(*create)(const char *name, unsigned int n, unsigned int cache_size,
			uint16_t priv_size, uint16_t data_room_size, int socket_id);
	void *plugin = dlopen("librte_net_sluice.so", RTLD_NOW | RTLD_NOLOAD);

	if (plugin == NULL)
		abort();
	*(void **)&create = dlsym(plugin, "rte_pmd_sluice_pktmbuf_pool_create");
	if (create == NULL)
		abort();
	return create(name, n, cache_size, priv_size, data_room_size, socket_id);
}
