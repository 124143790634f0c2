/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Packets of any_order.c, there and back, and the back end that returns them. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "any_order.h"
#include "echo.h"
#include "now.h"
#include "sequence.h"

#define BACK_NAME "net_vhost0"
#define NB_MBUFS 1023
#define BURST 16

uint16_t port;
bool is_rx_there[NB_QUEUES], is_tx_there[NB_QUEUES];
struct rte_mempool *pools[2];

static uint16_t back;
static struct rte_mempool *back_pool;
static struct echo echoes[NB_QUEUES];
static uint32_t is_over, is_away, has_back, nb_turns;
static uint64_t nb_came;

void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	abort();
}

static void
send_some(uint16_t q)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t nb, i;

	if (rte_pktmbuf_alloc_bulk(pools[nb_turns % RTE_DIM(pools)], pkts, BURST) != 0)
		return;
	for (i = 0; i < BURST; i++)
		sequence_make(pkts[i], i);
	nb = rte_eth_tx_prepare(port, q, pkts, BURST);
	nb = rte_eth_tx_burst(port, q, pkts, nb);
	rte_pktmbuf_free_bulk(&pkts[nb], BURST - nb);
	if (nb_turns % 64 == 0)
		rte_eth_tx_done_cleanup(port, q, BURST);
}

static void
receive(uint16_t q)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t nb = rte_eth_rx_burst(port, q, pkts, BURST), i;
	struct sequence s = { 0 };

	for (i = 0; i < nb; i++) {
		s.next = 0;
		sequence_take(&s, pkts[i]);
		if (s.nb_bad != 0 || pkts[i]->port != port || rte_mbuf_refcnt_read(pkts[i]) != 1 ||
				(pkts[i]->pool != pools[0] && pkts[i]->pool != pools[1]))
			fail("queue %u: not what was sent", q);
	}
	rte_pktmbuf_free_bulk(pkts, nb);
	__atomic_fetch_add(&nb_came, nb, __ATOMIC_RELAXED);
}

int
work(void *arg)
{
	uint16_t q;

	RTE_SET_USED(arg);
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		bool is_home = !__atomic_load_n(&is_away, __ATOMIC_ACQUIRE);

		for (q = 0; q < NB_QUEUES; q++) {
			if (__atomic_load_n(&has_back, __ATOMIC_ACQUIRE))
				echo_send_back(&echoes[q], back, q);
			if (is_home && is_tx_there[q])
				send_some(q);
			if (is_home && is_rx_there[q])
				receive(q);
		}
		__atomic_fetch_add(&nb_turns, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

/* On return the lcore has seen what was written before. */
static void
wait_turn(void)
{
	uint32_t turn = __atomic_load_n(&nb_turns, __ATOMIC_ACQUIRE);
	int64_t end = now_us() + LIMIT_US;

	while (__atomic_load_n(&nb_turns, __ATOMIC_ACQUIRE) - turn < 2) {
		if (now_us() > end)
			fail("the lcore stays in a burst");
		usleep(10);
	}
}

void
stay_away(bool is_so)
{
	__atomic_store_n(&is_away, is_so, __ATOMIC_RELEASE);
	if (is_so)
		wait_turn();
}

int
add_back(const char *vdev_args)
{
	struct rte_eth_conf none = { 0 };
	int ret = rte_eal_hotplug_add("vdev", BACK_NAME, vdev_args);
	uint16_t q;

	if (back_pool == NULL)
		back_pool = rte_pktmbuf_pool_create(
				"back", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (ret == 0)
		ret = rte_eth_dev_get_port_by_name(BACK_NAME, &back);
	if (ret == 0)
		ret = rte_eth_dev_configure(back, NB_QUEUES, NB_QUEUES, &none);
	for (q = 0; q < NB_QUEUES && ret == 0; q++) {
		ret = rte_eth_rx_queue_setup(back, q, 128, SOCKET_ID_ANY, NULL, back_pool);
		if (ret == 0)
			ret = rte_eth_tx_queue_setup(back, q, 128, SOCKET_ID_ANY, NULL);
	}
	if (ret == 0)
		ret = rte_eth_dev_start(back);
	if (ret != 0)
		fail("the back end: %s", rte_strerror(-ret));
	__atomic_store_n(&has_back, 1, __ATOMIC_RELEASE);
	return 0;
}

int
remove_back(void)
{
	uint16_t q;

	__atomic_store_n(&has_back, 0, __ATOMIC_RELEASE);
	wait_turn();
	for (q = 0; q < NB_QUEUES; q++) {
		rte_pktmbuf_free_bulk(echoes[q].kept, echoes[q].nb_kept);
		echoes[q].nb_kept = 0;
	}
	return rte_eal_hotplug_remove("vdev", BACK_NAME);
}

bool
is_back_there(void)
{
	return has_back;
}

void
end_work(void)
{
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
}

uint64_t
nb_received(void)
{
	return __atomic_load_n(&nb_came, __ATOMIC_RELAXED);
}
