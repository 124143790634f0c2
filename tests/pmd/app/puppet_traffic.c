/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets and buffers of puppet.c: the worker sends numbered packets and checks what comes back;
 * canaries are buffers that nobody but the application may write to.
 */

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include "puppet.h"

#define BURST 32
#define CANARY 0xa5

struct port ports[PORTS_MAX];

static void
note_time(struct port *p, uint64_t begin)
{
	uint64_t took = rte_get_timer_cycles() - begin;

	if (took > p->slowest)
		__atomic_store_n(&p->slowest, took, __ATOMIC_RELAXED);
}

static void
receive(struct port *p)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t begin = rte_get_timer_cycles();
	uint16_t nb = rte_eth_rx_burst(p->id, 0, pkts, BURST), i;

	note_time(p, begin);
	for (i = 0; i < nb; i++)
		sequence_take(&p->received, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, nb);
}

static void
send_more(struct port *p)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t on_way = p->nb_sent - p->received.nb - p->received.nb_missing;
	uint16_t nb = BURST, nb_sent, i;
	uint64_t begin;

	if (p->window != WINDOW_NONE)
		nb = (uint64_t)p->window > on_way ? RTE_MIN(p->window - on_way, (uint64_t)BURST) :
						    0;
	if (nb == 0 || rte_pktmbuf_alloc_bulk(p->tx_pool, pkts, nb) != 0)
		return;
	for (i = 0; i < nb; i++)
		sequence_make(pkts[i], p->nb_sent + i);
	begin = rte_get_timer_cycles();
	nb_sent = rte_eth_tx_burst(p->id, 0, pkts, nb);
	note_time(p, begin);
	sequence_add(&p->nb_sent, nb_sent);
	rte_pktmbuf_free_bulk(&pkts[nb_sent], nb - nb_sent);
}

int
puppet_work(void *is_over)
{
	unsigned int i;

	while (!__atomic_load_n((uint32_t *)is_over, __ATOMIC_RELAXED))
		for (i = 0; i < PORTS_MAX; i++) {
			struct port *p = &ports[i];

			__atomic_store_n(&p->is_inside, 1, __ATOMIC_SEQ_CST);
			if (__atomic_load_n(&p->is_polled, __ATOMIC_SEQ_CST)) {
				receive(p);
				if (p->window != WINDOW_RX_ONLY)
					send_more(p);
			}
			__atomic_store_n(&p->is_inside, 0, __ATOMIC_RELEASE);
		}
	return 0;
}

void
puppet_idle(struct port *p)
{
	__atomic_store_n(&p->is_polled, 0, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&p->is_inside, __ATOMIC_SEQ_CST))
		rte_pause();
}

void
puppet_poll(struct port *p, int64_t window)
{
	puppet_idle(p);
	p->window = window;
	__atomic_store_n(&p->is_polled, 1, __ATOMIC_SEQ_CST);
}

int
puppet_fill(struct port *p)
{
	struct rte_mbuf *m;

	if (p->canaries == NULL)
		p->canaries = calloc(p->pool->size, sizeof(p->canaries[0]));
	if (p->canaries == NULL)
		return -ENOMEM;
	while ((m = rte_pktmbuf_alloc(p->pool)) != NULL) {
		memset(m->buf_addr, CANARY, m->buf_len);
		p->canaries[p->nb_canaries++] = m;
	}
	return p->nb_canaries;
}

static bool
is_damaged(const struct rte_mbuf *m)
{
	/* By the device, which no compiler knows of. */
	const volatile uint8_t *data = m->buf_addr;
	uint16_t i;

	for (i = 0; i < m->buf_len; i++)
		if (data[i] != CANARY)
			return true;
	return false;
}

unsigned int
puppet_damaged(const struct port *p)
{
	unsigned int nb = 0, i;

	for (i = 0; i < p->nb_canaries; i++)
		nb += is_damaged(p->canaries[i]);
	return nb;
}

void
puppet_free(struct port *p)
{
	rte_pktmbuf_free_bulk(p->canaries, p->nb_canaries);
	p->nb_canaries = 0;
}
