/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a copy of a packet costs, and what else does: port 0 is a net_vhost, port 1 its front end,
 * one thread uses both, and its argument is the bytes of a packet. Prints cycles of the TSC per
 * packet, the median of full bursts:
 *
 *     front_tx, back_rx, back_tx, front_rx    the burst calls, of which net_vhost's copy always
 *     copy_near    memcpy() alone, from one buffer to one other
 *     copy_tx      from as many mbufs as a burst has to the slots of a ring, in turn
 *     copy_rx      from the slots of a ring to as many mbufs as it has
 *
 * Slots and mbufs lie as far from each other as those of a port with isolation=copy and MTU 1500.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

enum { BACK, FRONT };

#define BURST 32
#define NB_DESC 256
#define NB_MBUFS 4095
#define ROUNDS 20000
#define DEADLINE_MS 5000
#define COPY_BYTES (1 << 20)
#define MBUF_STRIDE 2368
#define TX_STRIDE 1600
#define RX_STRIDE 2112

/* Those of one kind, in order of time. */
struct times {
	uint32_t nb;
	uint32_t cycles[ROUNDS];
};

/* Buffers that are used in turn. */
struct buffers {
	char *first;
	size_t stride;
	uint32_t nb, next;
};

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
print(const char *name, struct times *t)
{
	if (t->nb < ROUNDS / 2)
		rte_exit(EXIT_FAILURE, "copy_cycles: %s: %u full bursts\n", name, t->nb);
	qsort(t->cycles, t->nb, sizeof(t->cycles[0]), compare);
	printf("%s=%u\n", name, (t->cycles[t->nb / 2] + BURST / 2) / BURST);
}

static char *
next_of(struct buffers *b)
{
	char *at = b->first + b->next * b->stride;

	b->next = b->next + 1 == b->nb ? 0 : b->next + 1;
	return at;
}

static void
copy_alone(const char *name, struct buffers from, struct buffers to, size_t len)
{
	static struct times t;
	uint64_t begin;
	unsigned int i;

	for (t.nb = 0; t.nb < ROUNDS; t.nb++) {
		begin = rte_rdtsc_precise();
		for (i = 0; i < BURST; i++)
			memcpy(next_of(&to), next_of(&from), len);
		t.cycles[t.nb] = rte_rdtsc_precise() - begin;
	}
	print(name, &t);
}

static struct rte_mempool *
set_up(uint16_t port, const char *name)
{
	const struct rte_eth_conf conf = { 0 };
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			name, NB_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL || rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, NB_DESC, 0, NULL, pool) != 0 ||
			rte_eth_tx_queue_setup(port, 0, NB_DESC, 0, NULL) != 0 ||
			rte_eth_dev_start(port) != 0)
		rte_exit(EXIT_FAILURE, "copy_cycles: port %u does not start\n", port);
	return pool;
}

/* A burst from one port to the other. */
static void
pass(uint16_t from, uint16_t to, struct rte_mempool *pool, uint16_t len, struct times *tx,
		struct times *rx)
{
	struct rte_mbuf *pkts[BURST], *got[BURST];
	uint64_t begin, sent, asked, end;
	uint16_t nb_sent, nb_got, i;

	if (rte_pktmbuf_alloc_bulk(pool, pkts, BURST) != 0)
		rte_exit(EXIT_FAILURE, "copy_cycles: no mbufs\n");
	for (i = 0; i < BURST; i++)
		pkts[i]->data_len = pkts[i]->pkt_len = len;
	begin = rte_rdtsc_precise();
	nb_sent = rte_eth_tx_burst(from, 0, pkts, BURST);
	sent = rte_rdtsc_precise();
	rte_pktmbuf_free_bulk(pkts + nb_sent, BURST - nb_sent);
	asked = rte_rdtsc_precise();
	nb_got = rte_eth_rx_burst(to, 0, got, BURST);
	end = rte_rdtsc_precise();
	rte_pktmbuf_free_bulk(got, nb_got);
	if (nb_sent != BURST || nb_got != BURST)
		return;
	tx->cycles[tx->nb++] = sent - begin;
	rx->cycles[rx->nb++] = end - asked;
}

int
main(int argc, char **argv)
{
	static struct times times[4];
	struct rte_eth_link links[2] = { 0 };
	struct rte_mempool *pools[2];
	struct buffers mbufs, slots;
	unsigned int i;
	int n = rte_eal_init(argc, argv), len;

	if (n < 0 || n + 1 >= argc)
		return 2;
	len = atoi(argv[n + 1]);
	if (len < RTE_ETHER_MIN_LEN || len > RTE_ETHER_MAX_LEN)
		return 2;
	pools[BACK] = set_up(BACK, "back");
	pools[FRONT] = set_up(FRONT, "front");
	for (i = 0; i < DEADLINE_MS && !(links[BACK].link_status && links[FRONT].link_status);
			i++) {
		if (rte_eth_link_get_nowait(BACK, &links[BACK]) != 0 ||
				rte_eth_link_get_nowait(FRONT, &links[FRONT]) != 0)
			rte_exit(EXIT_FAILURE, "copy_cycles: no links\n");
		usleep(1000);
	}
	/* net_vhost may not be ready yet: its queue is told to run later. */
	for (i = 0; i < 2 * ROUNDS && times[3].nb < ROUNDS && times[1].nb < ROUNDS; i++) {
		pass(FRONT, BACK, pools[FRONT], len, &times[0], &times[1]);
		pass(BACK, FRONT, pools[BACK], len, &times[2], &times[3]);
	}
	print("front_tx", &times[0]);
	print("back_rx", &times[1]);
	print("back_tx", &times[2]);
	print("front_rx", &times[3]);

	mbufs = (struct buffers){ rte_zmalloc(NULL, COPY_BYTES, 0), MBUF_STRIDE, BURST, 0 };
	slots = (struct buffers){ rte_zmalloc(NULL, COPY_BYTES, 0), TX_STRIDE, NB_DESC, 0 };
	if (mbufs.first == NULL || slots.first == NULL)
		rte_exit(EXIT_FAILURE, "copy_cycles: no memory\n");
	copy_alone("copy_tx", mbufs, slots, len);
	mbufs.nb = NB_DESC;
	slots.stride = RX_STRIDE;
	copy_alone("copy_rx", slots, mbufs, len);
	mbufs.nb = slots.nb = 1;
	copy_alone("copy_near", mbufs, slots, len);
	return rte_eth_dev_stop(FRONT) == 0 && rte_eth_dev_stop(BACK) == 0 &&
					rte_eal_cleanup() == 0 ?
			0 :
			1;
}
