/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets that go over from the queue that received them to that of their flow: which, in what
 * order, how even, and what becomes of those for which there is no room.
 */

#include "steer_world.h"

#define NB_FLOWS 300
#define NB_EACH 10

/* From here on queues name functions of another process: nothing here may follow them. */
static void
move_out(uint16_t nb_pairs)
{
	uint16_t i;

	for (i = 0; i < nb_pairs; i++)
		w->rxq[i].path = (const void *)8;
	w->port->steer.tables[w->port->steer.current].kit = (const void *)8;
	w->burst = visit;
}

static void
check_order(bool is_visit)
{
	static const uint16_t bursts[] = { 1, 3, 32 };
	uint32_t last[NB_FLOWS], sum, flow, seq;
	uint16_t nb, nb_pairs, b, i;

	for (nb = 2; nb <= NB_MAX; nb++)
		for (nb_pairs = 1; nb_pairs <= nb; nb_pairs += nb - 1)
			for (b = 0; b < RTE_DIM(bursts); b++) {
				fake_context("%u of %u queues, bursts of %u", nb_pairs, nb,
						bursts[b]);
				assert_int_equal(open_world(nb, nb_pairs, UDP), 0);
				assert_int_equal(w->port->nb_soft_rx, nb - nb_pairs);
				assert_int_equal(start(), 0);
				if (is_visit)
					move_out(nb_pairs);
				memset(last, 0, sizeof(last));
				sum = 0;
				for (seq = 0; seq < NB_EACH; seq++) {
					for (flow = 0; flow < NB_FLOWS; flow++)
						arrive(flow % nb_pairs, flow, seq);
					for (i = 0; i < 2 * nb; i++)
						sum += poll_queue(i % nb, bursts[b],
								w->port->shared->rss.key,
								w->port->shared->rss.reta, last);
				}
				fake_assert(sum == NB_FLOWS * NB_EACH, "%u", sum);
				close_world();
			}
}

/* Each flow in its queue and in order, however many queues the device has and bursts hold. */
static void
test_order(void **state)
{
	(void)state;
	check_order(false);
}

static void
test_visitors(void **state)
{
	(void)state;
	check_order(true);
}

/*
 * The flows of each queue against what its entries in the table promise, at the limit that chance
 * passes in 999 of 1000 cases.
 */
static void
test_even(void **state)
{
	static const double limits[] = { 0, 0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32 };
	const uint32_t nb_flows = 40000;
	uint32_t count[NB_MAX], entries[NB_MAX], done, i;
	uint16_t nb, q;

	(void)state;
	for (nb = 2; nb <= NB_MAX; nb++) {
		double sum = 0, want;

		assert_int_equal(open_world(nb, 1, UDP), 0);
		assert_int_equal(start(), 0);
		memset(count, 0, sizeof(count));
		memset(entries, 0, sizeof(entries));
		for (i = 0; i < SLUICE_RSS_RETA_SIZE; i++)
			entries[w->port->shared->rss.reta[i]]++;
		for (done = 0; done < nb_flows; done += 500) {
			for (i = 0; i < 500; i++)
				arrive(0, fake_below(&w->seed, 1 << 24), 0);
			for (q = 0; q < nb; q++)
				count[q] += poll_queue(q, BURST, w->port->shared->rss.key,
						w->port->shared->rss.reta, NULL);
			w->nb_arriving[0] = 0;
			w->nb_arrived[0] = 0;
		}
		for (q = 0; q < nb; q++) {
			want = (double)nb_flows * entries[q] / SLUICE_RSS_RETA_SIZE;
			sum += (count[q] - want) * (count[q] - want) / want;
			fake_assert(RTE_MAX(entries[q], 128U / nb) - 128 / nb <= 1, "%u",
					entries[q]);
		}
		fake_assert(sum < limits[nb], "%u queues: chi-square %.2f", nb, sum);
		close_world();
	}
}

/* A queue that nobody polls: the others have all of theirs, its own beyond the room are lost. */
static void
test_full(void **state)
{
	struct sluice_rxq *rxq;
	uint32_t flow, sum, mine = 0;
	uint16_t i;

	(void)state;
	assert_int_equal(open_world(3, 1, UDP), 0);
	assert_int_equal(start(), 0);
	rxq = &w->rxq[0];
	for (flow = 0; flow < 3000; flow++) {
		arrive(0, flow, 0);
		mine += queue_of(flow, w->port->shared->rss.key, w->port->shared->rss.reta) == 2;
	}
	for (i = 0, sum = 0; i < 100; i++) {
		sum += poll_queue(1, BURST, w->port->shared->rss.key, w->port->shared->rss.reta,
				NULL);
		{
			struct rte_mbuf *pkts[BURST];
			uint16_t nb = w->burst(rxq, pkts, BURST);

			rte_pktmbuf_free_bulk(pkts, nb);
			sum += nb;
		}
	}
	sum += poll_queue(1, BURST, w->port->shared->rss.key, w->port->shared->rss.reta, NULL);
	assert_int_equal(sum, 3000 - mine);
	assert_true(mine > SLUICE_SPREAD_ROOM);
	assert_int_equal(rxq->nb_spread_full, mine - SLUICE_SPREAD_ROOM);
	assert_int_equal(rxq->q.stats.errors, mine - SLUICE_SPREAD_ROOM);
	assert_int_equal(sluice_spread_count(w->rxq[2].hand), SLUICE_SPREAD_ROOM);
	/* To the application went what is not dropped and does not wait. */
	assert_int_equal(w->rxq[0].delivered.packets + w->rxq[1].delivered.packets, sum);
	assert_int_equal(w->rxq[1].delivered.bytes, 60 * w->rxq[1].delivered.packets);
	assert_int_equal(rxq->nb_handed, w->rxq[1].delivered.packets + SLUICE_SPREAD_ROOM);
	/* The end: what waits goes back, is counted, and counters go on from what was delivered. */
	sluice_steer_stop(w->port);
	assert_int_equal(w->port->shared->nb_rx_lost, SLUICE_SPREAD_ROOM);
	assert_int_equal(w->rxq[1].q.stats.packets, w->rxq[1].delivered.packets);
	assert_null(w->rxq[2].hand);
	fake_pool_assert_full(w->pool);
	/* And again. */
	assert_int_equal(start(), 0);
	w->nb_arriving[0] = w->nb_arrived[0] = 0;
	for (flow = 0; flow < 100; flow++)
		arrive(0, flow, 0);
	for (i = 0, sum = 0; i < 3; i++)
		sum += poll_queue(i, BURST, w->port->shared->rss.key, w->port->shared->rss.reta,
				NULL);
	assert_int_equal(sum, 100);
	close_world();
}

/* Queues whose device has much to give leave room for what others have, and the other way round. */
static void
test_fair(void **state)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t n, nb_other[2] = { 0 }, nb_own[2] = { 0 };
	uint16_t nb, i, k, burst;

	(void)state;
	for (k = 0; k < 2; k++) {
		burst = k == 0 ? 1 : BURST;
		assert_int_equal(open_world(2, 2, UDP), 0);
		assert_int_equal(start(), 0);
		for (n = 0; n < 1000; n++)
			arrive(n % 2, n, n % 2);
		/* All that the first queue has for the second one waits there. */
		for (n = 0; n < 1000; n++) {
			nb = w->burst(&w->rxq[0], pkts, burst);
			rte_pktmbuf_free_bulk(pkts, nb);
		}
		for (n = 0; n < 200; n++) {
			nb = w->burst(&w->rxq[1], pkts, burst);
			for (i = 0; i < nb; i++) {
				nb_other[k] += word_at(pkts[i], AT_SEQ + 4) == 0;
				nb_own[k] += word_at(pkts[i], AT_SEQ + 4) == 1;
			}
			rte_pktmbuf_free_bulk(pkts, nb);
		}
		fake_assert(nb_other[k] > 20 && nb_own[k] > 20, "bursts of %u: %u and %u", burst,
				nb_other[k], nb_own[k]);
		close_world();
	}
}

int
main(void)
{
	suite_add(test_order, NULL, "flows in order");
	suite_add(test_visitors, NULL, "in secondary processes");
	suite_add(test_even, NULL, "even");
	suite_add(test_full, NULL, "full");
	suite_add(test_fair, NULL, "fair");
	return suite_run("spread");
}
