// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * To be preloaded by a program on a guest's only CPU: marks (app/sluice-bench/marks.h) around the
 * burst functions of all its ports, which are of one driver. Buckets: receive bursts that had
 * packets, rte_eth_tx_prepare(), transmit bursts; a report when a port stops.
 *
 * No other program may run between two marks, so the polling thread has a real-time priority. It
 * sleeps outside of them whenever it finds nothing to do, which leaves the CPU to the others.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "marks.h"

#define PAUSE_US 50

typedef uint16_t (*burst_fn)(void *queue, struct rte_mbuf **pkts, uint16_t nb);

static burst_fn rx_burst, tx_burst, tx_prepare;

static __rte_noinline uint16_t
marked(burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t done;

	MARKS_PUT(MARK_BEGIN);
	done = fn(queue, pkts, nb);
	MARKS_PUT(MARK_END);
	return done;
}

static void
take_the_cpu(void)
{
	static __thread bool has_it;
	struct sched_param param = { .sched_priority = 1 };

	if (!has_it && pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0)
		abort();
	has_it = true;
}

static uint16_t
marked_rx(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t done;

	take_the_cpu();
	done = marked(rx_burst, queue, pkts, nb);
	if (done > 0)
		MARKS_PUT(MARK_KEEP + 0);
	else
		usleep(PAUSE_US);
	return done;
}

static uint16_t
marked_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t done = marked(tx_prepare, queue, pkts, nb);

	MARKS_PUT(MARK_KEEP + 1);
	return done;
}

static uint16_t
marked_tx(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t done = marked(tx_burst, queue, pkts, nb);

	MARKS_PUT(MARK_KEEP + 2);
	if (done < nb)
		usleep(PAUSE_US);
	return done;
}

int
rte_eth_dev_start(uint16_t port)
{
	int (*start)(uint16_t port) = (int (*)(uint16_t))dlsym(RTLD_NEXT, "rte_eth_dev_start");
	struct rte_eth_fp_ops *ops = dlsym(RTLD_DEFAULT, "rte_eth_fp_ops");
	int ret = start(port);

	if (ret != 0)
		return ret;
	rx_burst = ops[port].rx_pkt_burst;
	tx_burst = ops[port].tx_pkt_burst;
	tx_prepare = ops[port].tx_pkt_prepare;
	ops[port].rx_pkt_burst = marked_rx;
	ops[port].tx_pkt_burst = marked_tx;
	if (tx_prepare != NULL)
		ops[port].tx_pkt_prepare = marked_prepare;
	return 0;
}

int
rte_eth_dev_stop(uint16_t port)
{
	int (*stop)(uint16_t port) = (int (*)(uint16_t))dlsym(RTLD_NEXT, "rte_eth_dev_stop");

	MARKS_PUT(MARK_REPORT);
	return stop(port);
}
