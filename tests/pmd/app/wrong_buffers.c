// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that gives its port buffers which it must not give, two times what its argument
 * says. twice: a packet two times in a burst; end: one that goes on behind its buffer; write: one
 * that it writes to before it is sent, with a device that completes nothing; free: one that it
 * frees before it is sent, and that nobody gets from the pool. Says how often dma_debug=1 reports
 * something. Ends as it is, since its pool is not what it should be.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "one_port.h"

#define LEN 60
#define LINK_MS 5000

static bool
wait_link(void)
{
	struct rte_eth_link link = { 0 };
	int ms;

	for (ms = 0; ms < LINK_MS && link.link_status == 0; ms++, usleep(1000))
		if (rte_eth_link_get_nowait(0, &link) != 0)
			return false;
	return link.link_status != 0;
}

static struct rte_mbuf *
make_packet(void)
{
	struct rte_mempool *pool = rte_mempool_lookup("pool");
	struct rte_mbuf *m = pool == NULL ? NULL : rte_pktmbuf_alloc(pool);

	if (m == NULL)
		rte_exit(2, "no mbuf\n");
	memset(rte_pktmbuf_append(m, LEN), 1, LEN);
	return m;
}

static bool
do_wrong(const char *what)
{
	struct rte_mbuf *pkts[2], *last;

	pkts[0] = make_packet();
	pkts[1] = strcmp(what, "twice") == 0 ? pkts[0] : make_packet();
	last = make_packet();
	if (strcmp(what, "end") == 0)
		pkts[0]->data_len = pkts[0]->pkt_len = pkts[0]->buf_len;
	if (rte_eth_tx_burst(0, 0, pkts, 2) != 2)
		return false;
	if (strcmp(what, "write") == 0)
		memset(rte_pktmbuf_mtod(pkts[1], void *), 2, LEN);
	if (strcmp(what, "free") == 0)
		rte_pktmbuf_free(pkts[1]);
	return rte_eth_tx_burst(0, 0, &last, 1) == 1;
}

int
main(int argc, char **argv)
{
	uint64_t id, nb = 0;
	int n = rte_eal_init(argc, argv);

	if (n < 0 || n + 1 >= argc || !one_port_set_up(false) || rte_eth_dev_start(0) != 0 ||
			!wait_link())
		return 2;
	if (!do_wrong(argv[n + 1]) || !do_wrong(argv[n + 1]))
		return 3;
	if (rte_eth_xstats_get_id_by_name(0, "dma_debug_reports", &id) != 0 ||
			rte_eth_xstats_get_by_id(0, &id, &nb, 1) != 1)
		return 4;
	printf("wrong_buffers: %u reports\n", (unsigned int)nb);
	fflush(stdout);
	_exit(0);
}
