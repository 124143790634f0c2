/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <rte_common.h>

#include "sluice_mbuf_list.h"
#include "sluice_flow.h"
#include "sluice_spread.h"

#define RING_FLAGS (RING_F_SP_ENQ | RING_F_SC_DEQ)
#define RING_SLOTS (SLUICE_SPREAD_ROOM + 1)

static size_t
lines(size_t len)
{
	return RTE_ALIGN_CEIL(len, (size_t)RTE_CACHE_LINE_SIZE);
}

static size_t
ring_len(void)
{
	return lines(rte_ring_get_memsize(RING_SLOTS));
}

size_t
sluice_spread_size(uint16_t nb_queues, uint16_t nb_receiving)
{
	return lines(sizeof(struct sluice_spread)) + nb_queues * lines(sizeof(struct sluice_hand)) +
			(size_t)nb_queues * nb_receiving * ring_len();
}

static struct rte_ring *
ring_at(const struct sluice_spread *s, uint16_t from, uint16_t to)
{
	size_t i = (size_t)from * s->nb_queues + to;

	return (struct rte_ring *)(s->rings + i * s->ring_len);
}

struct sluice_hand *
sluice_spread_hand(const struct sluice_spread *s, uint16_t id)
{
	return (struct sluice_hand *)((char *)s->hands + id * lines(sizeof(struct sluice_hand)));
}

struct sluice_spread *
sluice_spread_init(void *mem, uint16_t nb_queues, uint16_t nb_receiving)
{
	struct sluice_spread *s = mem;
	uint16_t from, to;

	s->nb_queues = nb_queues;
	s->nb_receiving = nb_receiving;
	s->hands = (struct sluice_hand *)((char *)mem + lines(sizeof(*s)));
	s->rings = (char *)sluice_spread_hand(s, nb_queues);
	s->ring_len = ring_len();
	for (to = 0; to < nb_queues; to++) {
		struct sluice_hand *hand = sluice_spread_hand(s, to);

		hand->id = to;
		hand->nb_queues = nb_queues;
		hand->is_receiving = to < nb_receiving;
		for (from = 0; from < nb_receiving; from++) {
			struct rte_ring *r = ring_at(s, from, to);

			if (from == to)
				continue;
			/* Fails for sizes and names only. */
			rte_ring_init(r, "sluice", RING_SLOTS, RING_FLAGS);
			hand->in[from] = r;
			sluice_spread_hand(s, from)->out[to].ring = r;
		}
	}
	return s;
}

uint32_t
sluice_spread_drain(struct sluice_spread *s)
{
	struct rte_mbuf *m[SLUICE_SPREAD_BATCH];
	unsigned int nb;
	uint16_t from, to;
	uint32_t sum = 0;

	for (from = 0; from < s->nb_receiving; from++)
		for (to = 0; to < s->nb_queues; to++) {
			if (from == to)
				continue;
			do {
				nb = rte_ring_sc_dequeue_burst(
						ring_at(s, from, to), (void **)m, RTE_DIM(m), NULL);
				rte_pktmbuf_free_bulk(m, nb);
				sum += nb;
			} while (nb != 0);
		}
	return sum;
}

uint32_t
sluice_spread_count(const struct sluice_hand *hand)
{
	uint32_t nb = 0;
	uint16_t from;

	for (from = 0; from < hand->nb_queues; from++)
		if (hand->in[from] != NULL)
			nb += rte_ring_count(hand->in[from]);
	return nb;
}

/* Counters have one writer, and readers that look at any time. */
static void
count(uint64_t *counter, uint64_t n)
{
	rte_atomic_store_explicit(counter, *counter + n, rte_memory_order_relaxed);
}

uint16_t
sluice_spread_take(struct sluice_rxq *rxq, struct sluice_hand *hand, struct rte_mbuf **pkts,
		uint16_t nb)
{
	/* Not always the same one first: with small bursts the others would never have a turn. */
	uint16_t from = hand->turn % hand->nb_queues, i, k, nb_got, sum = 0;
	uint64_t bytes = 0;

	for (i = 0; i < hand->nb_queues && sum < nb; i++, from++) {
		if (from == hand->nb_queues)
			from = 0;
		if (hand->in[from] == NULL)
			continue;
		nb_got = rte_ring_sc_dequeue_burst(
				hand->in[from], (void **)&pkts[sum], nb - sum, NULL);
		for (k = sum; k < sum + nb_got; k++)
			bytes += pkts[k]->pkt_len;
		sum += nb_got;
	}
	if (sum != 0) {
		count(&rxq->delivered.packets, sum);
		count(&rxq->delivered.bytes, bytes);
	}
	return sum;
}

static void
flush(struct sluice_rxq *rxq, struct sluice_spread_out *out)
{
	unsigned int nb_put = rte_ring_sp_enqueue_burst(
			out->ring, (void *const *)out->m, out->nb, NULL);

	count(&rxq->nb_handed, nb_put);
	if (unlikely(nb_put < out->nb)) {
		count(&rxq->nb_spread_full, out->nb - nb_put);
		count(&rxq->q.stats.errors, out->nb - nb_put);
		rte_pktmbuf_free_bulk(&out->m[nb_put], out->nb - nb_put);
	}
	out->nb = 0;
}

/* flows: a literal NULL where there are none. */
static __rte_always_inline uint16_t
give(struct sluice_rxq *rxq, struct sluice_hand *hand, const struct sluice_rss *rss,
		const struct sluice_flows *flows, struct rte_mbuf **pkts, uint16_t nb)
{
	uint64_t touched = 0, bytes = 0;
	uint16_t i, nb_own = 0;

	static_assert(SLUICE_SPREAD_QUEUES_MAX <= 8 * sizeof(touched), "a bit for each queue");
	for (i = 0; i < nb; i++) {
		struct rte_mbuf *m = pkts[i];
		uint16_t to = rss->reta[m->hash.rss % SLUICE_RSS_RETA_SIZE];
		uint16_t found = flows != NULL ? sluice_flow_queue(flows, m) : SLUICE_FLOW_NONE;
		struct sluice_spread_out *out;

		if (found == SLUICE_FLOW_DROP) {
			count(&rxq->nb_flow_dropped, 1);
			sluice_mbuf_free(m);
			continue;
		}
		if (found != SLUICE_FLOW_NONE)
			to = found;
		out = &hand->out[to];
		if (to == hand->id ||
				(found == SLUICE_FLOW_NONE &&
						(m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) == 0)) {
			bytes += m->pkt_len;
			pkts[nb_own++] = m;
			continue;
		}
		touched |= RTE_BIT64(to);
		out->m[out->nb++] = m;
		if (unlikely(out->nb == SLUICE_SPREAD_BATCH))
			flush(rxq, out);
	}
	for (; touched != 0; touched &= touched - 1)
		flush(rxq, &hand->out[__builtin_ctzll(touched)]);
	count(&rxq->delivered.packets, nb_own);
	count(&rxq->delivered.bytes, bytes);
	return nb_own;
}

uint16_t
sluice_spread_give(struct sluice_rxq *rxq, struct sluice_hand *hand, const struct sluice_rss *rss,
		struct rte_mbuf **pkts, uint16_t nb)
{
	return give(rxq, hand, rss, NULL, pkts, nb);
}

uint16_t
sluice_spread_give_by_rules(struct sluice_rxq *rxq, struct sluice_hand *hand,
		const struct sluice_rss *rss, struct rte_mbuf **pkts, uint16_t nb)
{
	return give(rxq, hand, rss, rss->flows, pkts, nb);
}
