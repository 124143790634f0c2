/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/**
 * @file
 * What an application may call of the Sluice driver, beside ethdev. Nothing of it is needed but
 * for ports with isolation=sealed.
 */

#ifndef RTE_PMD_SLUICE_H
#define RTE_PMD_SLUICE_H

#include <stdint.h>

#include <rte_compat.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mempool;

/**
 * Create a pool of packet mbufs whose buffers lie in memory that holds nothing else, for ports with
 * isolation=sealed, which take no other.
 *
 * The arguments are those of rte_pktmbuf_pool_create(), so a program is changed over by compiling
 * it with -Drte_pktmbuf_pool_create=rte_pmd_sluice_pktmbuf_pool_create. The mbufs and their
 * private areas lie in EAL's memory. Their buffers are pinned external ones (see
 * rte_pktmbuf_pool_create_extbuf()) in a file of this process that nobody can make smaller or
 * larger, of ordinary pages, with all of them there and locked as far as the process may lock
 * memory. A device that is shown the pool reaches these buffers, up to the end of the last page,
 * and no mbuf.
 *
 * Any number of ports may use the pool, of any isolation level and of this driver. The device of
 * another driver has to be given the memory by the application (rte_extmem_register(),
 * rte_dev_dma_map()). rte_mempool_free() frees the pool and the memory; no port may have buffers of
 * it then. Processes that are started as secondary ones cannot reach the buffers.
 *
 * Not to be called by a polling core. The thread waits until the kernel has made all pages.
 *
 * @param name
 *   The name of the mempool, and of the file in /proc.
 * @param n
 *   The number of mbufs.
 * @param cache_size
 *   Of the cache of each lcore, in mbufs.
 * @param priv_size
 *   Bytes of the private area behind each mbuf, a multiple of RTE_MBUF_PRIV_ALIGN.
 * @param data_room_size
 *   Bytes of each buffer, headroom included.
 * @param socket_id
 *   The NUMA node for mbufs and buffers, or SOCKET_ID_ANY.
 * @return
 *   The pool, or NULL with rte_errno: E_RTE_SECONDARY in a secondary process, ENOMEM, EINVAL, or
 *   what rte_pktmbuf_pool_create_extbuf() says.
 */
__rte_experimental
struct rte_mempool *rte_pmd_sluice_pktmbuf_pool_create(const char *name, unsigned int n,
		unsigned int cache_size, uint16_t priv_size, uint16_t data_room_size,
		int socket_id);

/**
 * Switch LRO of a port off, or on again, without stopping the port: for an application that learns
 * later that packets of 64 KiB are of no use to it, as when a port that cannot send them joins a
 * bridge.
 *
 * The port was configured with RTE_ETH_RX_OFFLOAD_TCP_LRO, and its device has a control queue and
 * CTRL_GUEST_OFFLOADS (virtio 1.3, 5.1.6.5.7). That stays so until it is switched again, over stops
 * and starts. Packets that were on their way still come as they were.
 *
 * A function of control, as those of ethdev: one thread at a time, and not a polling core's. Waits
 * for the device's answer, at most two seconds.
 *
 * @param port_id
 *   The port.
 * @param is_on
 *   0: off.
 * @return
 *   0, or: -ENODEV: no port of this driver; -ENOTSUP: another configuration, or a device that
 *   cannot; -EIO: the device refuses; -EBUSY: it owes too many answers; -E_RTE_SECONDARY: called
 *   in a secondary process: all is as it was then. -ETIMEDOUT, -EPROTO: no answer, or none that
 *   makes sense: what the device does is not known until it is told again, by the next call or
 *   start.
 */
__rte_experimental
int rte_pmd_sluice_lro_set(uint16_t port_id, int is_on);

#ifdef __cplusplus
}
#endif

#endif /* RTE_PMD_SLUICE_H */
