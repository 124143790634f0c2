/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * An application that sleeps whenever its one queue is empty, without looking around meanwhile as
 * DPDK's examples do: a wake that is lost shows. Each packet goes back to where it came from, so
 * with a back end that does the same, one packet makes both wait for each other.
 *
 *     sleeper EAL-OPTIONS
 *
 * SIGINT ends it. Prints "ready", and at the end how often it slept, was woken, was woken for
 * nothing, and slept over packets.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#define BURST 32
#define NB_MBUFS 2048
/* Packets that wait for as long as this woke nobody. */
#define DEADLINE_MS 1000

static volatile sig_atomic_t is_over;
static unsigned long nb_packets, nb_sleeps, nb_wakes, nb_empty, nb_lost;

static void
end(int number)
{
	RTE_SET_USED(number);
	is_over = 1;
}

static void
expect(int ret, const char *what)
{
	if (ret < 0)
		rte_exit(EXIT_FAILURE, "sleeper: %s: %s\n", what, rte_strerror(-ret));
}

static void
open_port(uint16_t port)
{
	struct rte_eth_conf conf = { .intr_conf.rxq = 1 };
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			"pool", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "sleeper: no pool\n");
	expect(rte_eth_dev_configure(port, 1, 1, &conf), "configure");
	expect(rte_eth_rx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL, pool), "rx queue");
	expect(rte_eth_tx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL), "tx queue");
	expect(rte_eth_promiscuous_enable(port), "promiscuous mode");
	expect(rte_eth_dev_start(port), "start");
	expect(rte_eth_dev_rx_intr_ctl_q(port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, NULL),
			"epoll");
}

/* Packets that there are, back to where they came from. */
static unsigned int
echo(uint16_t port)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t nb = rte_eth_rx_burst(port, 0, pkts, BURST), nb_sent = 0;

	while (nb_sent < nb && !is_over)
		nb_sent += rte_eth_tx_burst(port, 0, &pkts[nb_sent], nb - nb_sent);
	rte_pktmbuf_free_bulk(&pkts[nb_sent], nb - nb_sent);
	nb_packets += nb;
	return nb;
}

static void
sleep_until_woken(uint16_t port)
{
	struct rte_epoll_event event;
	int nb;

	expect(rte_eth_dev_rx_intr_enable(port, 0), "enable");
	nb_sleeps++;
	nb = rte_epoll_wait_interruptible(RTE_EPOLL_PER_THREAD, &event, 1, DEADLINE_MS);
	expect(rte_eth_dev_rx_intr_disable(port, 0), "disable");
	nb_wakes += nb > 0;
	nb_lost += nb == 0 && rte_eth_rx_queue_count(port, 0) > 0;
	nb_empty += nb > 0 && echo(port) == 0;
}

int
main(int argc, char **argv)
{
	const uint16_t port = 0;

	expect(rte_eal_init(argc, argv), "EAL");
	signal(SIGINT, end);
	open_port(port);
	printf("sleeper: ready\n");
	fflush(stdout);
	while (!is_over)
		if (echo(port) == 0)
			sleep_until_woken(port);
	printf("sleeper: packets=%lu sleeps=%lu wakes=%lu empty=%lu lost=%lu\n", nb_packets,
			nb_sleeps, nb_wakes, nb_empty, nb_lost);
	expect(rte_eth_dev_stop(port), "stop");
	expect(rte_eth_dev_close(port), "close");
	return rte_eal_cleanup();
}
