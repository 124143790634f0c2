/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What applications call of the driver; see rte_pmd_sluice.h. */

#include <errno.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "dmap.h"
#include "rte_pmd_sluice.h"
#include "sluice_ethdev.h"

/*
 * From a buffer to the next: whole cache lines, an odd number of them, so that the headers of
 * packets lie in all sets of a cache. Where 16 bits do not hold that, as asked.
 */
static uint16_t
find_step(uint16_t data_room)
{
	size_t lines = RTE_ALIGN_CEIL((size_t)data_room, RTE_CACHE_LINE_SIZE) / RTE_CACHE_LINE_SIZE;
	size_t step = (lines | 1) * RTE_CACHE_LINE_SIZE;

	return step <= UINT16_MAX ? step : data_room;
}

RTE_EXPORT_EXPERIMENTAL_SYMBOL(rte_pmd_sluice_pktmbuf_pool_create, 26.11)
struct rte_mempool *
rte_pmd_sluice_pktmbuf_pool_create(const char *name, unsigned int n, unsigned int cache_size,
		uint16_t priv_size, uint16_t data_room_size, int socket_id)
{
	struct rte_pktmbuf_extmem ext = { .elt_size = find_step(data_room_size) };
	struct rte_mempool *mp = NULL;
	struct dmap_sealed *memory;
	int ret = 0;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		ret = -E_RTE_SECONDARY;
	else if (name == NULL || n == 0 || data_room_size == 0)
		ret = -EINVAL;
	else
		ret = dmap_sealed_create(name, (size_t)n * ext.elt_size, socket_id, &memory);
	if (ret != 0) {
		rte_errno = -ret;
		return NULL;
	}
	ext.buf_ptr = dmap_sealed_memory(memory, &ext.buf_len);
	/* Of use for drivers that work with virtual addresses only; ours does not read it. */
	ext.buf_iova = (uintptr_t)ext.buf_ptr;
	mp = rte_pktmbuf_pool_create_extbuf(
			name, n, cache_size, priv_size, data_room_size, socket_id, &ext, 1);
	ret = mp != NULL ? dmap_sealed_bind(memory, mp) : -rte_errno;
	if (ret != 0) {
		rte_mempool_free(mp);
		dmap_sealed_destroy(memory);
		rte_errno = -ret;
		return NULL;
	}
	return mp;
}

RTE_EXPORT_EXPERIMENTAL_SYMBOL(rte_pmd_sluice_lro_set, 26.11)
int
rte_pmd_sluice_lro_set(uint16_t port_id, int is_on)
{
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return -E_RTE_SECONDARY;
	if (!rte_eth_dev_is_valid_port(port_id) ||
			rte_eth_devices[port_id].dev_ops != &sluice_eth_dev_ops)
		return -ENODEV;
	return sluice_lro_set(&rte_eth_devices[port_id], is_on != 0);
}
