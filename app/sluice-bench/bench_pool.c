/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The pools of a port, and what their buffers hold from the start. */
#include "bench_pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "bench_packets.h"

void
bench_make_frame(uint8_t *frame, unsigned int len)
{
	static const uint8_t head[] = {
		0x02,
		0x00,
		0x00,
		0x00,
		0x00,
		0x01,
		0x02,
		0x00,
		0x00,
		0x00,
		0x00,
		0x02,
		0x08,
		0x00,
		0x45,
		0x00,
		0x00,
		0x32,
		0x00,
		0x00,
		0x00,
		0x00,
		0x40,
		0x11,
	};
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
	unsigned int i;

	for (i = 0; i < len; i++)
		frame[i] = i < sizeof(head) ? head[i] : (uint8_t)i;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

void
bench_tag_frame(uint8_t *frame, unsigned int len)
{
	static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x01 };
	uint8_t *const at = frame + 2 * RTE_ETHER_ADDR_LEN;

	memmove(at + sizeof(tag), at, frame + len - at - sizeof(tag));
	memcpy(at, tag, sizeof(tag));
}

/* Transmit buffers hold a packet from the start: the application part of a step writes none. */
static void
init_tx_mbuf(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	const struct bench_port *port = arg;
	struct rte_mbuf *m = obj;

	RTE_SET_USED(mp);
	RTE_SET_USED(idx);
	bench_make_frame((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM,
			RTE_MIN(port->frame_len, (unsigned int)BENCH_ONE_BUFFER));
}

/* In both places where a driver may put the header: in front of the data, or at the start of the
 * data's line.
 */
static void
write_header(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	const struct virtio_net_hdr_mrg_rxbuf hdr = { .num_buffers = 1 };
	struct rte_mbuf *m = obj;
	uint8_t *data = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;

	RTE_SET_USED(mp);
	RTE_SET_USED(arg);
	RTE_SET_USED(idx);
	memcpy(data - sizeof(hdr), &hdr, sizeof(hdr));
	memcpy(data, &hdr, sizeof(hdr));
}

/* Model N0 writes no header, so receive buffers must hold what a device would leave there:
 * one buffer, no offload.
 */
static void
init_rx_mbuf(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	struct rte_mbuf *m = obj;

	memset(m->buf_addr, 0, m->buf_len);
	write_header(mp, arg, obj, idx);
}

void
bench_port_write_headers(struct bench_port *port)
{
	rte_mempool_obj_iter(port->pool[DIR_RX], write_header, NULL);
}

unsigned int
bench_pool_mbufs(const struct bench_opts *opts, enum bench_pool pool)
{
	if (pool == POOL_TX2 && opts->packets != PACKETS_POOLS)
		return 0;
	if (pool == POOL_RX && opts->rx_mbufs != 0)
		return opts->rx_mbufs;
	/* a full ring, what a driver holds back, the cache's overflow mark, bursts in flight */
	return opts->nb_segs * opts->pairs.v[0] * (2 * opts->queues.v[0] + 1024) +
			2 * BENCH_POOL_CACHE;
}

typedef struct rte_mempool *(*pool_create_fn)(const char *name, unsigned int n,
		unsigned int cache_size, uint16_t priv_size, uint16_t data_room_size,
		int socket_id);

/* Ports with isolation=sealed take pools of their driver only, which EAL has loaded. */
static pool_create_fn
pool_maker(const struct bench_port *port)
{
	pool_create_fn create = rte_pktmbuf_pool_create;
	void *plugin;

	if (strstr(port->devargs, "isolation=sealed") == NULL)
		return create;
	plugin = dlopen("librte_net_sluice.so", RTLD_NOW | RTLD_NOLOAD);
	create = NULL;
	if (plugin != NULL)
		*(void **)&create = dlsym(plugin, "rte_pmd_sluice_pktmbuf_pool_create");
	return create;
}

static int
make_pool(struct bench_port *port, const struct bench_opts *opts, enum bench_side side,
		enum bench_pool pool)
{
	static const char *const names[NB_POOLS] = { "tx", "rx", "tx2" };
	const unsigned int nb = bench_pool_mbufs(opts, pool);
	/* of a scarce pool a cache would hold back what there is */
	const bool is_scarce = pool == POOL_RX && opts->rx_mbufs != 0;
	const pool_create_fn create = pool_maker(port);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "bench_%u_%s", side, names[pool]);
	if (create == NULL) {
		fprintf(stderr, "sluice-bench: isolation=sealed, and no librte_net_sluice.so\n");
		return -ENOENT;
	}
	port->pool[pool] = create(name, nb, is_scarce ? 0 : BENCH_POOL_CACHE, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (port->pool[pool] == NULL) {
		fprintf(stderr, "sluice-bench: pool of %u mbufs: %s; try --mem\n", nb,
				rte_strerror(rte_errno));
		return -rte_errno;
	}
	rte_mempool_obj_iter(port->pool[pool], pool == POOL_RX ? init_rx_mbuf : init_tx_mbuf, port);
	return 0;
}

int
bench_pool_make(struct bench_port *port, const struct bench_opts *opts, enum bench_side side)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NB_POOLS && ret == 0; i++)
		if (bench_pool_mbufs(opts, i) != 0)
			ret = make_pool(port, opts, side, i);
	return ret != 0 ? ret : bench_packets_init(port, opts);
}
