/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_app.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "bench_packets.h"
#include "null_server.h"

#define DRAIN_POLLS 1000
#define DRAIN_US 5000 /* between polls of a device that works by itself */

uint16_t
bench_meter_none(
		bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	(void)cost;
	return fn(queue, pkts, nb);
}

/* What the application does with packets that ask for something. */
static uint16_t
prepare_and_send(void *preparer, struct rte_mbuf **pkts, uint16_t nb)
{
	const struct bench_preparer *p = preparer;

	return p->send(p->queue, pkts, p->prepare(p->queue, pkts, nb));
}

void
bench_app_functions(struct bench_port *port, const struct bench_opts *opts)
{
	struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[port->port_id];
	/* a driver has it or not, as rte_eth_tx_prepare() finds out in each call */
	const bool prepares = bench_packets_offloads(opts->packets) != 0 &&
			ops->tx_pkt_prepare != NULL;
	uint16_t i;

	port->fn[DIR_TX] = prepares ? prepare_and_send : ops->tx_pkt_burst;
	port->fn[DIR_RX] = ops->rx_pkt_burst;
	for (i = 0; i < port->nb_pairs; i++) {
		port->preparer[i] = (struct bench_preparer){ .prepare = ops->tx_pkt_prepare,
			.send = ops->tx_pkt_burst,
			.queue = ops->txq.data[i] };
		port->queue[i][DIR_TX] = prepares ? &port->preparer[i] : ops->txq.data[i];
		port->queue[i][DIR_RX] = ops->rxq.data[i];
	}
}

uint16_t
bench_app_turn(struct bench_port *port)
{
	const uint16_t pair = port->turn++;

	if (port->turn == port->nb_pairs)
		port->turn = 0;
	return pair;
}

int
bench_app_sent(struct bench_port *port, struct rte_mbuf **pkts, uint16_t nb, uint16_t sent,
		unsigned int len)
{
	if (sent > nb)
		return -EIO;
	if (sent < nb)
		rte_pktmbuf_free_bulk(&pkts[sent], nb - sent);
	port->sent += sent;
	port->sent_bytes += (uint64_t)sent * len;
	return 0;
}

/* Count what a receive call gave, and look at its form. */
static int
check_received(struct bench_port *port, uint16_t pair, struct rte_mbuf **pkts, uint16_t nb)
{
	const unsigned int len = port->rx_len -
			(port->rx_flags & RTE_MBUF_F_RX_VLAN_STRIPPED ? RTE_VLAN_HLEN : 0);
	/* net_ring gives the very mbufs that were sent */
	const bool is_one = port->rx_len <= BENCH_ONE_BUFFER && (port->has_device || port->is_pci);
	uint16_t i, bad = 0;

	for (i = 0; i < nb; i++)
		bad += pkts[i]->pkt_len != len || (is_one && pkts[i]->nb_segs != 1) ||
				(pkts[i]->ol_flags & port->rx_mask) != port->rx_flags;
	port->received[pair] += nb;
	if (bad == 0)
		return 0;
	fprintf(stderr, "sluice-bench: %s: %u received packets are not %u bytes%s%s\n", port->name,
			bad, len, is_one ? " in one segment" : "",
			port->rx_mask != 0 ? ", with the flags that were asked for" : "");
	return -EIO;
}

int
bench_app_received(struct bench_port *port, uint16_t pair, struct rte_mbuf **pkts, uint16_t nb)
{
	const int ret = check_received(port, pair, pkts, nb);

	rte_pktmbuf_free_bulk(pkts, nb);
	return ret;
}

int
bench_app_tx(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const uint16_t burst = opts->bursts.v[0];
	int ret = bench_packets_build(port, opts, pkts);
	uint16_t sent;

	if (ret != 0)
		return ret;
	sent = meter(port->fn[DIR_TX], port->queue[pair][DIR_TX], pkts, burst, &sum->cost[DIR_TX]);
	sum->packets[DIR_TX] += sent;
	sum->calls[DIR_TX]++;
	ret = bench_app_sent(port, pkts, burst, sent, bench_packets_wire_len(port, opts->packets));
	bench_packets_done(opts, pkts, burst);
	return ret;
}

/* The receive call of all applications. Packets or -errno. */
static int
receive(struct bench_port *port, const struct bench_opts *opts, uint16_t pair, bench_meter meter,
		struct bench_cost *sum, struct rte_mbuf **pkts)
{
	const uint16_t burst = opts->bursts.v[0];
	const uint16_t got = meter(port->fn[DIR_RX], port->queue[pair][DIR_RX], pkts, burst,
			&sum->cost[DIR_RX]);

	if (got > burst)
		return -EIO;
	sum->packets[DIR_RX] += got;
	sum->calls[DIR_RX]++;
	return got;
}

int
bench_app_rx(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const int got = receive(port, opts, pair, meter, sum, pkts);

	return got < 0 ? got : bench_app_received(port, pair, pkts, got);
}

int
bench_app_io(struct bench_port *port, const struct bench_opts *opts, uint16_t pair,
		bench_meter meter, struct bench_cost *sum)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	const int got = receive(port, opts, pair, meter, sum, pkts);
	uint16_t sent;
	int ret;

	if (got <= 0)
		return got;
	ret = check_received(port, pair, pkts, got);
	if (ret != 0) {
		rte_pktmbuf_free_bulk(pkts, got);
		return ret;
	}
	sent = meter(port->fn[DIR_TX], port->queue[pair][DIR_TX], pkts, got, &sum->cost[DIR_TX]);
	sum->packets[DIR_TX] += sent;
	sum->calls[DIR_TX]++;
	return bench_app_sent(port, pkts, got, sent, port->frame_len);
}

static int
drain_pair(struct bench_port *port, const struct bench_opts *opts, uint16_t pair)
{
	const struct null_dev *dev = port->dev;
	struct bench_cost none = { 0 };
	unsigned int polls;
	int ret = 0;

	for (polls = 0; polls < DRAIN_POLLS && ret == 0; polls++) {
		const uint64_t before = port->received[pair];

		if (dev != NULL && port->received[pair] == dev->rx[pair].packets)
			break;
		if (port->is_pci && bench_port_received(port) == port->sent)
			break;
		ret = bench_app_rx(port, opts, pair, bench_meter_none, &none);
		if (port->received[pair] != before)
			continue;
		if (port->is_pci) {
			rte_delay_us_sleep(DRAIN_US);
			continue;
		}
		if (dev == NULL)
			break;
		/* a vector receive function may wait for more than are left */
		null_dev_produce(port->dev, pair, 1, port->rx_len);
	}
	return ret;
}

int
bench_app_drain(struct bench_port *port, const struct bench_opts *opts)
{
	uint16_t i;
	int ret = 0;

	for (i = 0; i < port->nb_pairs && ret == 0; i++)
		ret = drain_pair(port, opts, i);
	return ret;
}

static int
compare_counts(const struct bench_port *port)
{
	const struct null_counts seen = null_dev_counts(port->dev);
	const uint64_t received = bench_port_received(port);
	const char *error = port->dev->error;

	if (error == NULL && seen.tx_packets == port->sent && seen.tx_bytes == port->sent_bytes &&
			seen.rx_packets == received)
		return 0;
	fprintf(stderr,
			"sluice-bench: %s: sent %" PRIu64 " packets (%" PRIu64
			" bytes), the device saw %" PRIu64 " (%" PRIu64 "); it produced %" PRIu64
			", received %" PRIu64 "%s%s\n",
			port->name, port->sent, port->sent_bytes, seen.tx_packets, seen.tx_bytes,
			seen.rx_packets, received, error != NULL ? "; device: " : "",
			error != NULL ? error : "");
	return -EIO;
}

int
bench_app_verify(struct bench_port *port, const struct bench_opts *opts)
{
	uint16_t i;
	int ret;

	/* net_null makes packets for ever; a device's driver owes exactly what was produced */
	if (strcmp(port->driver, "net_null") == 0)
		return 0;
	ret = bench_app_drain(port, opts);
	if (ret == 0 && port->is_pci && bench_port_received(port) != port->sent) {
		fprintf(stderr,
				"sluice-bench: %s: sent %" PRIu64 " packets, %" PRIu64
				" came back: does its device give all back?\n",
				port->name, port->sent, bench_port_received(port));
		return -EIO;
	}
	if (ret != 0 || port->dev == NULL)
		return ret;
	if (null_server_check(port->slot) < 0) {
		fprintf(stderr, "sluice-bench: %s: the driver restarted its device meanwhile\n",
				port->name);
		return -EIO;
	}
	ret = bench_port_sync(port);
	if (ret != 0)
		return ret;
	for (i = 0; i < port->nb_pairs; i++)
		null_dev_consume(port->dev, i, UINT32_MAX);
	return compare_counts(port);
}
