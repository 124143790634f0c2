/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How long a core takes to wake, and what it takes while it sleeps. Port 0 is a net_vhost, port 1
 * its front end with Rx interrupts. The second lcore sleeps until port 1 has something; the main
 * one sends a packet through port 0 when it does, and notes when.
 *
 *     wake_time EAL-OPTIONS -- WAKES
 *
 * Prints percentiles from the call that sends to the packet in the application's hands, in
 * microseconds, and the share of a second that the core is awake without packets, in hundredths of
 * a percent.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

enum { BACK, FRONT };

#define LEN 60
#define PAUSE_US 500 /* it sleeps by then */
#define IDLE_US 1000000

static struct rte_mempool *pool;
static uint64_t sent_at, came_at; /* ns; a packet at a time */
static uint32_t is_over;
static clockid_t sleeper_clock; /* CPU time of the lcore that sleeps */
static uint32_t has_clock;

static void
check(const char *what, int ret)
{
	if (ret < 0)
		rte_exit(EXIT_FAILURE, "%s: %s\n", what, rte_strerror(-ret));
}

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void
start(uint16_t port)
{
	struct rte_eth_conf conf = { .intr_conf.rxq = port == FRONT };

	check("configure", rte_eth_dev_configure(port, 1, 1, &conf));
	check("rx queue", rte_eth_rx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL, pool));
	check("tx queue", rte_eth_tx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL));
	check("start", rte_eth_dev_start(port));
}

static uint16_t
receive(void)
{
	struct rte_mbuf *m;
	uint16_t nb = rte_eth_rx_burst(FRONT, 0, &m, 1);

	if (nb == 0)
		return 0;
	rte_pktmbuf_free(m);
	__atomic_store_n(&came_at, now_ns(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
	return nb;
}

static int
sleeper(void *arg)
{
	struct rte_epoll_event event;

	RTE_SET_USED(arg);
	if (pthread_getcpuclockid(pthread_self(), &sleeper_clock) != 0)
		rte_exit(EXIT_FAILURE, "no clock\n");
	__atomic_store_n(&has_clock, 1, __ATOMIC_RELEASE);
	check("epoll",
			rte_eth_dev_rx_intr_ctl_q(
					FRONT, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, NULL));
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (receive() != 0)
			continue;
		check("enable", rte_eth_dev_rx_intr_enable(FRONT, 0));
		rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 1000);
		check("disable", rte_eth_dev_rx_intr_disable(FRONT, 0));
	}
	return 0;
}

static void
send_packet(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		rte_exit(EXIT_FAILURE, "no mbuf\n");
	memset(rte_pktmbuf_append(m, LEN), 0xff, LEN);
	__atomic_store_n(&came_at, 0, __ATOMIC_RELEASE);
	sent_at = now_ns(CLOCK_MONOTONIC);
	while (rte_eth_tx_burst(BACK, 0, &m, 1) == 0)
		;
}

/* Nanoseconds from here to there; 0: it did not come. */
static uint64_t
wake(void)
{
	unsigned int i;

	send_packet();
	for (i = 0; i < 100000 && __atomic_load_n(&came_at, __ATOMIC_ACQUIRE) == 0; i++)
		usleep(10);
	return came_at != 0 ? came_at - sent_at : 0;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);
	struct rte_eth_link link = { 0 };
	uint64_t *times, busy;
	unsigned int nb, i;

	if (n < 0 || n + 1 >= argc)
		rte_exit(EXIT_FAILURE, "wake_time: EAL-OPTIONS -- WAKES\n");
	nb = atoi(argv[n + 1]);
	times = calloc(nb, sizeof(*times));
	pool = rte_pktmbuf_pool_create("pool", 2047, 0, 0, 2176, SOCKET_ID_ANY);
	if (pool == NULL || times == NULL)
		rte_exit(EXIT_FAILURE, "no memory\n");
	start(BACK);
	start(FRONT);
	while (rte_eth_link_get_nowait(FRONT, &link) != 0 || !link.link_status)
		usleep(1000);
	rte_eal_mp_remote_launch(sleeper, NULL, SKIP_MAIN);
	while (!__atomic_load_n(&has_clock, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (i = 0; i < nb; i++) {
		usleep(PAUSE_US);
		times[i] = wake();
		if (times[i] == 0)
			rte_exit(EXIT_FAILURE, "wake %u did not come\n", i);
	}
	busy = now_ns(sleeper_clock);
	usleep(IDLE_US);
	busy = now_ns(sleeper_clock) - busy;
	qsort(times, nb, sizeof(*times), compare);
	printf("p50_us=%" PRIu64 " p90_us=%" PRIu64 " p99_us=%" PRIu64 " idle=%" PRIu64 "\n",
			times[nb / 2] / 1000, times[nb * 9 / 10] / 1000,
			times[nb * 99 / 100] / 1000, busy / (IDLE_US / 10));
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	send_packet(); /* it may end before it has that */
	rte_eal_mp_wait_lcore();
	check("stop", rte_eth_dev_stop(FRONT));
	return rte_eal_cleanup();
}
