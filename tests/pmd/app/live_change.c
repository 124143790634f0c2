/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Changes to a port that carries traffic. Port 0 is a net_vhost, port 1 its front end; packets go
 * from port 1 to port 0 and back in the same queue pair, all on one lcore, while the main thread
 * does what its arguments say:
 *
 *     restart N        stops and starts queue pair 1
 *     renew N          the same, and sets it up in between, with another mempool each time
 *     promiscuous N    switches promiscuous mode, on and off
 *     reta N           changes the redirection table; the port spreads by software
 *
 * Prints percentiles of the calls' times in microseconds, then counts of packets, of queue pair 0
 * and 1, and what is missing of pools, descriptors and memory in the end.
 */

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "echo.h"
#include "now.h"

enum { BACK, FRONT };

#define NB_QUEUES 2
#define NB_MBUFS 4095
#define NB_DESC 256
#define BURST 16
#define WINDOW 64 /* packets on their way, of a queue pair */
#define FLOWS 64
#define RETA_SIZE 128
#define SETTLE_US 2000000

struct frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint8_t nr[sizeof(uint64_t)];
};

/* Of a queue pair; written by the lcore. */
static struct pair {
	uint64_t sent, received, nb_bad, nb_foreign;
	uint64_t next;            /* number of the next packet, where packets stay in their queue */
	struct echo echo;         /* of the back end */
	struct rte_mempool *pool; /* whose buffers come; set by the main thread */
} pairs[NB_QUEUES];

static struct rte_mempool *pools[3]; /* the back end's, and two of the front end */
static bool is_spread;
static uint32_t is_over, is_quiet;
/* No burst is called of a queue that is set up, since ethdev does not have it for a moment. */
static uint32_t is_away, nb_turns;

static void __attribute__((noreturn)) fail(const char *what, int ret)
{
	/* EAL waits for the lcore. */
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_exit(EXIT_FAILURE, "%s: %s\n", what, rte_strerror(ret < 0 ? -ret : ret));
}

static void
check(const char *what, int ret)
{
	if (ret != 0)
		fail(what, ret);
}

static void
make_pools(void)
{
	struct rte_pktmbuf_extmem mem = { .buf_len = 16 << 20, .elt_size = 3072 };

	pools[0] = rte_pktmbuf_pool_create("back", NB_MBUFS, 0, 0, 2176, SOCKET_ID_ANY);
	pools[1] = rte_pktmbuf_pool_create("first", NB_MBUFS, 0, 0, 2176, SOCKET_ID_ANY);
	/* In memory of its own, and of another kind. */
	mem.buf_ptr = rte_malloc(NULL, mem.buf_len, 2 << 20);
	mem.buf_iova = (uintptr_t)mem.buf_ptr;
	pools[2] = mem.buf_ptr == NULL ? NULL :
					 rte_pktmbuf_pool_create_extbuf("second", NB_MBUFS, 0, 0,
							 mem.elt_size, SOCKET_ID_ANY, &mem, 1);
	if (pools[0] == NULL || pools[1] == NULL || pools[2] == NULL)
		fail("mempools", rte_errno);
}

static void
set_up(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	uint16_t q;

	if (is_spread && port == FRONT) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_UDP;
	}
	check("configure", rte_eth_dev_configure(port, NB_QUEUES, NB_QUEUES, &conf));
	for (q = 0; q < NB_QUEUES; q++) {
		check("rx_queue_setup",
				rte_eth_rx_queue_setup(
						port, q, NB_DESC, SOCKET_ID_ANY, NULL, pool));
		check("tx_queue_setup",
				rte_eth_tx_queue_setup(port, q, NB_DESC, SOCKET_ID_ANY, NULL));
		pairs[q].pool = pool;
	}
	check("start", rte_eth_dev_start(port));
}

static void
make_frame(struct rte_mbuf *m, uint64_t nr)
{
	struct frame *f = rte_pktmbuf_mtod(m, struct frame *);

	m->data_len = sizeof(*f);
	m->pkt_len = sizeof(*f);
	memset(f, 0, sizeof(*f));
	memset(&f->ether.dst_addr, 2, 6);
	f->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	f->ip.version_ihl = RTE_IPV4_VHL_DEF;
	f->ip.time_to_live = 64;
	f->ip.next_proto_id = IPPROTO_UDP;
	f->ip.total_length = rte_cpu_to_be_16(sizeof(*f) - sizeof(f->ether));
	f->udp.src_port = nr % FLOWS;
	f->udp.dgram_len = rte_cpu_to_be_16(sizeof(f->udp) + sizeof(f->nr));
	memcpy(f->nr, &nr, sizeof(nr));
}

static uint64_t
on_their_way(void)
{
	return pairs[0].sent + pairs[1].sent - pairs[0].received - pairs[1].received;
}

static void
send_some(uint16_t q)
{
	struct pair *p = &pairs[q];
	struct rte_mbuf *pkts[BURST];
	uint16_t i, nb;

	if ((is_spread ? on_their_way() : p->sent - p->received) > WINDOW - BURST)
		return;
	if (rte_pktmbuf_alloc_bulk(pools[1], pkts, BURST) != 0)
		fail("no mbufs to send", ENOMEM);
	for (i = 0; i < BURST; i++)
		make_frame(pkts[i], p->sent + i);
	nb = rte_eth_tx_burst(FRONT, q, pkts, BURST);
	rte_pktmbuf_free_bulk(&pkts[nb], BURST - nb);
	__atomic_store_n(&p->sent, p->sent + nb, __ATOMIC_RELAXED);
}

static void
receive(uint16_t q)
{
	struct pair *p = &pairs[q];
	struct rte_mbuf *pkts[BURST];
	uint16_t nb = rte_eth_rx_burst(FRONT, q, pkts, BURST), i;
	uint64_t nr;

	for (i = 0; i < nb; i++) {
		const struct frame *f = rte_pktmbuf_mtod(pkts[i], const struct frame *);

		memcpy(&nr, f->nr, sizeof(nr));
		p->nb_bad += pkts[i]->pkt_len != sizeof(*f) || (!is_spread && nr < p->next);
		p->next = nr + 1;
		p->nb_foreign += pkts[i]->pool != p->pool;
	}
	rte_pktmbuf_free_bulk(pkts, nb);
	__atomic_store_n(&p->received, p->received + nb, __ATOMIC_RELAXED);
}

static int
work(void *arg)
{
	uint16_t q;

	RTE_SET_USED(arg);
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		for (q = 0; q < (__atomic_load_n(&is_away, __ATOMIC_ACQUIRE) ? 1 : NB_QUEUES);
				q++) {
			if (!__atomic_load_n(&is_quiet, __ATOMIC_RELAXED))
				send_some(q);
			echo_send_back(&pairs[q].echo, BACK, q);
			receive(q);
		}
		__atomic_fetch_add(&nb_turns, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static void
stay_away(bool is_so)
{
	uint32_t turn = __atomic_load_n(&nb_turns, __ATOMIC_RELAXED);

	__atomic_store_n(&is_away, is_so, __ATOMIC_RELEASE);
	while (is_so && __atomic_load_n(&nb_turns, __ATOMIC_ACQUIRE) - turn < 2)
		;
}

static void
restart(unsigned int i)
{
	RTE_SET_USED(i);
	check("rx_queue_stop", rte_eth_dev_rx_queue_stop(FRONT, 1));
	check("tx_queue_stop", rte_eth_dev_tx_queue_stop(FRONT, 1));
	check("tx_queue_start", rte_eth_dev_tx_queue_start(FRONT, 1));
	check("rx_queue_start", rte_eth_dev_rx_queue_start(FRONT, 1));
}

static void
renew(unsigned int i)
{
	struct rte_mempool *pool = pools[1 + i % 2];
	uint16_t nb_desc = i % 3 == 0 ? NB_DESC / 2 : NB_DESC;

	check("rx_queue_stop", rte_eth_dev_rx_queue_stop(FRONT, 1));
	check("tx_queue_stop", rte_eth_dev_tx_queue_stop(FRONT, 1));
	stay_away(true);
	check("rx_queue_setup",
			rte_eth_rx_queue_setup(FRONT, 1, nb_desc, SOCKET_ID_ANY, NULL, pool));
	check("tx_queue_setup", rte_eth_tx_queue_setup(FRONT, 1, nb_desc, SOCKET_ID_ANY, NULL));
	pairs[1].pool = pool;
	stay_away(false);
	check("tx_queue_start", rte_eth_dev_tx_queue_start(FRONT, 1));
	check("rx_queue_start", rte_eth_dev_rx_queue_start(FRONT, 1));
}

static void
promiscuous(unsigned int i)
{
	if (i % 2 == 0)
		check("promiscuous_enable", rte_eth_promiscuous_enable(FRONT));
	else
		check("promiscuous_disable", rte_eth_promiscuous_disable(FRONT));
}

static void
reta(unsigned int i)
{
	struct rte_eth_rss_reta_entry64 table[RETA_SIZE / RTE_ETH_RETA_GROUP_SIZE];
	unsigned int n;

	for (n = 0; n < RETA_SIZE; n++) {
		table[n / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		table[n / RTE_ETH_RETA_GROUP_SIZE].reta[n % RTE_ETH_RETA_GROUP_SIZE] = (n + i) %
				NB_QUEUES;
	}
	check("reta_update", rte_eth_dev_rss_reta_update(FRONT, table, RETA_SIZE));
}

static const struct change {
	const char *name;
	void (*make)(unsigned int i);
	bool is_spread;
} changes[] = {
	{ "restart", restart, false },
	{ "renew", renew, false },
	{ "promiscuous", promiscuous, false },
	{ "reta", reta, true },
};

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static unsigned int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nb = 0;

	while (dir != NULL && readdir(dir) != NULL)
		nb++;
	if (dir != NULL)
		closedir(dir);
	return nb;
}

static unsigned int
count_pieces(void)
{
	struct rte_malloc_socket_stats stats;
	unsigned int nb = 0;
	int i;

	for (i = 0; i < RTE_MAX_NUMA_NODES; i++)
		if (rte_malloc_get_socket_stats(i, &stats) == 0)
			nb += stats.alloc_count;
	return nb;
}

static uint64_t
total_received(void)
{
	return __atomic_load_n(&pairs[0].received, __ATOMIC_RELAXED) +
			__atomic_load_n(&pairs[1].received, __ATOMIC_RELAXED);
}

static void
wait_for_traffic(void)
{
	uint64_t seen = total_received();
	int64_t end = now_us() + SETTLE_US;

	while (total_received() < seen + 1000) {
		if (now_us() > end)
			fail("no traffic", ETIMEDOUT);
		usleep(1000);
	}
}

/* Nothing more is sent, and what is on its way arrives. */
static void
settle(void)
{
	uint64_t seen;

	__atomic_store_n(&is_quiet, 1, __ATOMIC_RELAXED);
	do {
		seen = total_received();
		usleep(100000);
	} while (total_received() != seen);
}

static uint64_t
xstat(const char *name)
{
	uint64_t id, value = 0;

	check(name, rte_eth_xstats_get_id_by_name(FRONT, name, &id));
	rte_eth_xstats_get_by_id(FRONT, &id, &value, 1);
	return value;
}

static void
run(const struct change *c, unsigned int nb)
{
	int64_t *times = calloc(nb, sizeof(*times)), begin;
	unsigned int i, nb_fds, nb_pieces;
	size_t nb_bytes;

	/* What is made once, is made now. */
	for (i = 0; i < 10; i++)
		c->make(i);
	wait_for_traffic();
	nb_fds = count_fds();
	nb_pieces = count_pieces();
	nb_bytes = mallinfo2().uordblks;
	for (i = 0; i < nb; i++) {
		begin = now_us();
		c->make(i);
		times[i] = now_us() - begin;
		usleep(100);
	}
	wait_for_traffic();
	printf("fds=%d pieces=%d bytes=%zd\n", (int)(count_fds() - nb_fds),
			(int)(count_pieces() - nb_pieces),
			(ssize_t)(mallinfo2().uordblks - nb_bytes));
	qsort(times, nb, sizeof(*times), compare);
	printf("p50_us=%" PRId64 " p99_us=%" PRId64 " max_us=%" PRId64 "\n", times[nb / 2],
			times[nb * 99 / 100], times[nb - 1]);
	free(times);
}

static void
finish(void)
{
	unsigned int i, nb_missing = 0;

	settle();
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	for (i = 0; i < NB_QUEUES; i++) {
		printf("sent%u=%" PRIu64 " received%u=%" PRIu64 " bad%u=%" PRIu64
		       " foreign%u=%" PRIu64 "\n",
				i, pairs[i].sent, i, pairs[i].received, i, pairs[i].nb_bad, i,
				pairs[i].nb_foreign);
		rte_pktmbuf_free_bulk(pairs[i].echo.kept, pairs[i].echo.nb_kept);
	}
	printf("lost=%" PRIu64 "\n", xstat("rx_lost_packets") + xstat("tx_lost_packets"));
	check("stop", rte_eth_dev_stop(FRONT));
	check("stop", rte_eth_dev_stop(BACK));
	for (i = 0; i < RTE_DIM(pools); i++)
		nb_missing += pools[i]->size - rte_mempool_avail_count(pools[i]);
	printf("missing=%u\n", nb_missing);
}

int
main(int argc, char **argv)
{
	const struct change *change = NULL;
	int n = rte_eal_init(argc, argv);
	struct rte_eth_link link = { 0 };
	unsigned int i;

	if (n < 0 || n + 2 >= argc)
		rte_exit(EXIT_FAILURE, "live_change: EAL-OPTIONS -- CHANGE NUMBER\n");
	for (i = 0; i < RTE_DIM(changes); i++)
		if (strcmp(argv[n + 1], changes[i].name) == 0)
			change = &changes[i];
	if (change == NULL)
		rte_exit(EXIT_FAILURE, "what is %s?\n", argv[n + 1]);
	is_spread = change->is_spread;
	make_pools();
	set_up(BACK, pools[0]);
	set_up(FRONT, pools[1]);
	while (rte_eth_link_get_nowait(FRONT, &link) != 0 || !link.link_status)
		usleep(1000);
	rte_eal_mp_remote_launch(work, NULL, SKIP_MAIN);
	wait_for_traffic();
	run(change, atoi(argv[n + 2]));
	finish();
	return rte_eal_cleanup();
}
