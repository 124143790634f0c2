/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Pools that come, are shared by ports, and go, in any order and under traffic; and what is left of
 * them in the end: nothing.
 *
 *     pools EAL-OPTIONS -- KINDS ROUNDS
 *
 * Each round makes a pool of one of the kinds, which are letters, or sends packets of one that
 * there is from one of the ports, or waits until all packets of one are back and frees it. What the
 * ports receive is freed.
 *
 *     e   buffers in EAL's memory
 *     x   external buffers in EAL's memory, of which it gets more for that, and less again
 *     m   external buffers in memory that is registered with EAL and mapped for each port's device
 *     s   sealed, made by the driver
 *
 * Prints "ready", then waits for a line; at the end, for each thing, how many there are more than
 * at the start, when each kind of pool had been there once.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "now.h"

#define NB_POOLS 5
#define NB_MBUFS 63
#define ROOM (RTE_PKTMBUF_HEADROOM + 256)
#define LEN 100
#define BURST 8
#define DEADLINE_US 20000000
#define PAGE 4096
#define EXT_LEN (4 << 20)

struct pool {
	struct rte_mempool *mp;
	void *mem; /* of its buffers, or NULL */
	char kind;
};

struct things {
	uint64_t maps, fds, locked, pinned, dma_maps, dma_bytes;
};

/* What is sent: a broadcast of a type that is for experiments. */
struct packet {
	uint8_t head[14];
	uint8_t rest[2];
	uint64_t serial; /* from 1 on */
	uint8_t zeros[LEN - 24];
};

static struct pool pools[NB_POOLS];
static uint64_t nb_made, nb_sent, nb_wrong;
static uint64_t last_serial[RTE_MAX_ETHPORTS];
static const uint8_t head[] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };

static void
check(bool is_good, const char *what)
{
	if (is_good)
		return;
	printf("%s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

/*
 * What a device sends back comes in the order in which it went. Other bytes, or those of an earlier
 * packet, are of memory that is gone.
 */
static void
look_at_packet(const struct rte_mbuf *m, uint16_t port)
{
	const struct packet *p = rte_pktmbuf_mtod(m, const struct packet *);

	if (m->data_len != LEN)
		return;
	nb_wrong += memcmp(p->head, head, sizeof(head)) != 0 || p->serial <= last_serial[port];
	last_serial[port] = RTE_MAX(last_serial[port], p->serial);
}

static void
receive(void)
{
	struct rte_mbuf *pkts[32];
	uint16_t port, nb, i;

	RTE_ETH_FOREACH_DEV(port) {
		nb = rte_eth_rx_burst(port, 0, pkts, RTE_DIM(pkts));
		for (i = 0; i < nb; i++)
			look_at_packet(pkts[i], port);
		rte_pktmbuf_free_bulk(pkts, nb);
	}
}

/* For each port's device, or no more; where the bus can do that. */
static void
map(void *mem, bool is_mapped)
{
	struct rte_eth_dev_info info;
	uint16_t port;
	int ret;

	RTE_ETH_FOREACH_DEV(port) {
		check(rte_eth_dev_info_get(port, &info) == 0, "information");
		ret = is_mapped ? rte_dev_dma_map(info.device, mem, (uintptr_t)mem, EXT_LEN) :
				  rte_dev_dma_unmap(info.device, mem, (uintptr_t)mem, EXT_LEN);
		check(ret == 0, is_mapped ? "no map" : "no unmap");
	}
}

static void *
make_memory(char kind)
{
	void *mem;

	if (kind == 'x')
		return rte_malloc(NULL, EXT_LEN, PAGE);
	mem = mmap(NULL, EXT_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mem != MAP_FAILED, "no memory");
	check(rte_extmem_register(mem, EXT_LEN, NULL, EXT_LEN / PAGE, PAGE) == 0, "not registered");
	map(mem, true);
	return mem;
}

static void
free_memory(char kind, void *mem)
{
	if (kind == 'x') {
		rte_free(mem);
		return;
	}
	map(mem, false);
	check(rte_extmem_unregister(mem, EXT_LEN) == 0, "not unregistered");
	munmap(mem, EXT_LEN);
}

static struct rte_mempool *
make_sealed(const char *name, unsigned int nb, uint16_t room)
{
	struct rte_mempool *(*create)(const char *name, unsigned int n, unsigned int cache_size,
			uint16_t priv_size, uint16_t data_room_size, int socket_id);
	void *plugin = dlopen("librte_net_sluice.so", RTLD_NOW | RTLD_NOLOAD);

	check(plugin != NULL, dlerror());
	*(void **)&create = dlsym(plugin, "rte_pmd_sluice_pktmbuf_pool_create");
	check(create != NULL, "no function for sealed pools");
	dlclose(plugin);
	return create(name, nb, 0, 0, room, SOCKET_ID_ANY);
}

static void
make(struct pool *p, char kind)
{
	struct rte_pktmbuf_extmem ext = { .buf_len = EXT_LEN, .elt_size = ROOM };
	char name[32];

	snprintf(name, sizeof(name), "pool%" PRIu64, nb_made++);
	p->kind = kind;
	if (kind == 'e') {
		p->mp = rte_pktmbuf_pool_create(name, NB_MBUFS, 0, 0, ROOM, SOCKET_ID_ANY);
	} else if (kind == 's') {
		p->mp = make_sealed(name, NB_MBUFS, ROOM);
	} else {
		p->mem = make_memory(kind);
		check(p->mem != NULL, "no memory");
		ext.buf_ptr = p->mem;
		ext.buf_iova = kind == 'x' ? rte_malloc_virt2iova(p->mem) : (uintptr_t)p->mem;
		p->mp = rte_pktmbuf_pool_create_extbuf(
				name, NB_MBUFS, 0, 0, ROOM, SOCKET_ID_ANY, &ext, 1);
	}
	check(p->mp != NULL, name);
}

static struct rte_mbuf *
make_packet(struct rte_mempool *mp)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	struct packet *p;

	if (m == NULL)
		return NULL;
	p = (struct packet *)rte_pktmbuf_append(m, LEN);
	*p = (struct packet){ .serial = nb_sent + 1 };
	memcpy(p->head, head, sizeof(head));
	return m;
}

/* The first ones wait until the device sees their memory. */
static void
send_from(struct pool *p, uint16_t port)
{
	int64_t end = now_us() + DEADLINE_US;
	unsigned int nb;
	struct rte_mbuf *m;

	for (nb = 0; nb < BURST && (m = make_packet(p->mp)) != NULL; nb++) {
		while (rte_eth_tx_burst(port, 0, &m, 1) == 0) {
			receive();
			check(now_us() < end, "no packet is taken");
		}
		nb_sent++;
	}
	receive();
}

static void
end_pool(struct pool *p)
{
	int64_t end = now_us() + DEADLINE_US;
	uint16_t port;

	while (rte_mempool_avail_count(p->mp) != NB_MBUFS) {
		RTE_ETH_FOREACH_DEV(port)
			rte_eth_tx_done_cleanup(port, 0, 0);
		receive();
		check(now_us() < end, "not all packets are back");
	}
	rte_mempool_free(p->mp);
	if (p->mem != NULL)
		free_memory(p->kind, p->mem);
	*p = (struct pool){ 0 };
}

static uint64_t
xstat(uint16_t port, const char *name)
{
	uint64_t id, value;

	check(rte_eth_xstats_get_id_by_name(port, name, &id) == 0, name);
	check(rte_eth_xstats_get_by_id(port, &id, &value, 1) == 1, name);
	return value;
}

static uint64_t
from_status(const char *word)
{
	FILE *f = fopen("/proc/self/status", "r");
	uint64_t value = 0;
	char line[256];

	check(f != NULL, "/proc/self/status");
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, word, strlen(word)) == 0)
			value = strtoull(line + strlen(word), NULL, 10);
	fclose(f);
	return value;
}

static uint64_t
count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	uint64_t nb = 0;
	char line[512];

	check(f != NULL, "/proc/self/maps");
	while (fgets(line, sizeof(line), f) != NULL)
		nb++;
	fclose(f);
	return nb;
}

static uint64_t
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t nb = 0;

	check(dir != NULL, "/proc/self/fd");
	while (readdir(dir) != NULL)
		nb++;
	closedir(dir);
	return nb;
}

/* Once the ports' threads have told their devices what is gone, and counted. */
static struct things
look(void)
{
	struct things now = { 0 }, last;
	int64_t end = now_us() + DEADLINE_US, next;
	unsigned int nb_same = 0;
	uint16_t port;

	while (nb_same < 20) {
		last = now;
		now = (struct things){ .maps = count_maps(),
			.fds = count_fds(),
			.locked = from_status("VmLck:"),
			.pinned = from_status("VmPin:") };
		RTE_ETH_FOREACH_DEV(port) {
			now.dma_maps += xstat(port, "dma_maps");
			now.dma_bytes += xstat(port, "dma_bytes");
		}
		nb_same = memcmp(&now, &last, sizeof(now)) == 0 ? nb_same + 1 : 0;
		check(now_us() < end, "it does not come to rest");
		for (next = now_us() + 10000; now_us() < next;)
			receive();
	}
	return now;
}

static void
start(struct rte_mempool *mp)
{
	struct rte_eth_conf conf = { 0 };
	uint16_t port;

	RTE_ETH_FOREACH_DEV(port) {
		check(rte_eth_dev_configure(port, 1, 1, &conf) == 0 &&
						rte_eth_rx_queue_setup(port, 0, 64, SOCKET_ID_ANY,
								NULL, mp) == 0 &&
						rte_eth_tx_queue_setup(port, 0, 64, SOCKET_ID_ANY,
								NULL) == 0 &&
						rte_eth_dev_start(port) == 0,
				"start");
	}
}

/* Any of them. */
static void
do_round(const char *kinds, uint16_t nb_ports)
{
	struct pool *p = &pools[rte_rand_max(NB_POOLS)];

	if (p->mp == NULL)
		make(p, kinds[rte_rand_max(strlen(kinds))]);
	else if (rte_rand_max(4) == 0)
		end_pool(p);
	else
		send_from(p, rte_rand_max(nb_ports));
}

static void
end_all(void)
{
	unsigned int i;

	for (i = 0; i < NB_POOLS; i++)
		if (pools[i].mp != NULL)
			end_pool(&pools[i]);
}

int
main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);
	unsigned int rounds, i, port;
	struct things before, after;
	struct rte_mempool *mp;
	const char *kinds;
	char line[8];

	check(n >= 0 && argc - n == 3, "pools EAL-OPTIONS -- KINDS ROUNDS");
	kinds = argv[n + 1];
	rounds = atoi(argv[n + 2]);
	mp = strchr(kinds, 's') != NULL ? make_sealed("own", 1023, RTE_MBUF_DEFAULT_BUF_SIZE) :
					  rte_pktmbuf_pool_create("own", 1023, 0, 0,
							  RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	check(mp != NULL, "no pool");
	start(mp);
	puts("pools: ready");
	fflush(stdout);
	check(fgets(line, sizeof(line), stdin) != NULL, "nobody says go");
	rte_srand(1);
	for (i = 0; i < 2 * strlen(kinds); i++) {
		make(&pools[0], kinds[i / 2]);
		for (port = 0; port < rte_eth_dev_count_avail(); port++)
			send_from(&pools[0], port);
		end_pool(&pools[0]);
	}
	before = look();
	for (i = 0; i < rounds; i++)
		do_round(kinds, rte_eth_dev_count_avail());
	end_all();
	after = look();
	printf("made=%" PRIu64 " sent=%" PRIu64 " wrong=%" PRIu64 " own=%" PRIu64 "\n", nb_made,
			nb_sent, nb_wrong, before.dma_bytes);
	printf("maps=%" PRId64 " fds=%" PRId64 " locked=%" PRId64 " pinned=%" PRId64
	       " dma_maps=%" PRId64 " dma_bytes=%" PRId64 "\n",
			after.maps - before.maps, after.fds - before.fds,
			after.locked - before.locked, after.pinned - before.pinned,
			after.dma_maps - before.dma_maps, after.dma_bytes - before.dma_bytes);
	RTE_ETH_FOREACH_DEV(port)
		printf("port%u: unmapped=%" PRIu64 " failures=%" PRIu64 " received=%" PRIu64 "\n",
				port, xstat(port, "tx_q0_unmapped_errors"),
				xstat(port, "device_failures"), xstat(port, "rx_good_packets"));
	RTE_ETH_FOREACH_DEV(port)
		check(rte_eth_dev_stop(port) == 0, "stop");
	printf("unreturned=%u\n", rte_mempool_in_use_count(mp));
	check(rte_eal_cleanup() == 0, "end");
	puts("pools: end");
	return 0;
}
