/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The same random traces through every row of the tables: split and packed, scalar and wide, in
 * order or not, both domains. What comes out must be what went in, and the same everywhere.
 *
 * SLUICE_SEED=NUMBER or =random makes another run.
 */

#include <inttypes.h>
#include <string.h>

#include "env.h"

#define NB_TRACES 4
#define NB_STEPS 80
#define NB_SENT 1200

/* A trace is a seed: all that happens follows from it, and not from how the queue is set up. */
static uint64_t
trace_seed(unsigned int trace)
{
	uint64_t seed = suite_seed() + 0x9e3779b97f4a7c15ULL * (trace + 1);

	return seed != 0 ? seed : 1;
}

/* Everything that was seen, in one number. */
static void
digest(uint64_t *sum, const uint8_t *data, uint32_t len)
{
	uint32_t i, n;

	for (i = 0; i < len; i += n) {
		uint64_t word = 0;

		n = RTE_MIN(len - i, sizeof(word));
		memcpy(&word, data + i, n);
		*sum = (*sum ^ word) * 0x100000001b3ULL;
		*sum ^= *sum >> 32;
	}
	*sum = (*sum ^ len) * 0x100000001b3ULL;
}

static uint32_t
random_len(uint64_t *random, uint32_t max)
{
	switch (fake_below(random, 8)) {
	case 0:
		return 14 + fake_below(random, 20);
	case 1:
		return RTE_MAX(max - fake_below(random, 40), 14u);
	case 2:
		return 14 + fake_below(random, max - 13);
	default:
		return 60 + fake_below(random, 70);
	}
}

/* Lengths that were sent and did not come yet. */
struct pending {
	uint32_t lens[8192];
	uint32_t first, end;
};

static void
take(struct env *e, struct pending *p, uint16_t nb, uint64_t *sum)
{
	static uint8_t bytes[65536];
	struct rte_mbuf *pkts[ENV_BURST_MAX];
	uint16_t n = env_rx(e, pkts, nb), i;

	for (i = 0; i < n; i++, p->first++) {
		uint32_t len = p->lens[p->first % 8192];

		fake_assert(p->first != p->end, "a packet came that was not sent");
		fake_assert(fake_mbuf_is(pkts[i], len, p->first),
				"packet %u: %u bytes sent, %u came", p->first, len,
				pkts[i]->pkt_len);
		digest(sum, rte_pktmbuf_read(pkts[i], 0, len, bytes), len);
		rte_pktmbuf_free(pkts[i]);
	}
}

/* Returns a digest of all packets that came. */
static uint64_t
trace_rx(struct env *e, unsigned int trace, uint32_t max_len)
{
	uint64_t random = trace_seed(trace), sum = 0;
	static struct pending p;
	unsigned int step, i, nb;

	p.first = 0;
	p.end = 0;
	for (step = 0; step < NB_STEPS; step++) {
		nb = fake_below(&random, 2) ? fake_below(&random, 4) : fake_below(&random, 70);
		for (i = 0; i < nb; i++) {
			uint32_t len = random_len(&random, max_len);

			/*
			 * Where one device is out of buffers and another is not, both get some
			 * first.
			 */
			while (!env_deliver(e, len)) {
				take(e, &p, 32, &sum);
				take(e, &p, 32, &sum);
			}
			p.lens[p.end++ % 8192] = len;
		}
		take(e, &p,
				1 +
						fake_below(&random,
								fake_below(&random, 2) ?
										33 :
										ENV_BURST_MAX - 1),
				&sum);
		fake_dev_poll(&e->dev);
		if (step % 16 == 0)
			fake_dev_verify(&e->dev);
		fake_check();
	}
	while (p.first != p.end)
		take(e, &p, 64, &sum);
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	return sum;
}

/* Packet number n of a trace, whenever it is made. */
static struct rte_mbuf *
random_packet(struct env *e, struct fake_pool *other, unsigned int trace, uint64_t n)
{
	uint64_t random = trace_seed(trace) ^ (n + 1) * 0xd1342543de82ef95ULL;
	uint32_t kind = fake_below(&random, 10), nb = kind < 3 ? fake_below(&random, 20) : 0;
	/* Runs of plain packets, too: that is what wide paths are made for. */
	bool is_plain = n / 64 % 2 == 0;
	struct rte_mbuf *m = fake_mbuf(kind == 4 && !is_plain ? other : e->pool,
			kind == 5 && !is_plain ? 4 : 128, 14 + fake_below(&random, 600));

	for (; nb != 0 && !is_plain; nb--)
		rte_pktmbuf_chain(m,
				fake_mbuf(nb & 1 ? e->pool : other, nb * 3,
						fake_below(&random, 300)));
	fake_mbuf_fill(m, n);
	return m;
}

static uint64_t
trace_tx(struct env *e, struct fake_pool *other, unsigned int trace)
{
	uint64_t random = trace_seed(trace), sum = 0, nb_made = 0, nb_seen = 0;
	uint16_t waiting = 0, n, nb;
	struct rte_mbuf *pkts[64];
	unsigned int step, i;

	for (step = 0; nb_seen < NB_SENT; step++) {
		nb = 1 + fake_below(&random, fake_below(&random, 2) ? 4 : 64);
		for (; waiting < nb && nb_made < NB_SENT; waiting++)
			pkts[waiting] = random_packet(e, other, trace, nb_made++);
		n = env_tx(e, pkts, waiting);
		waiting -= n;
		memmove(pkts, &pkts[n], waiting * sizeof(pkts[0]));
		fake_dev_poll(&e->dev);
		for (i = 0; i < e->dev.nb_sent; i++) {
			env_expect_sent(e, i, e->dev.sent[i].len, nb_seen++);
			digest(&sum, e->dev.sent[i].data, e->dev.sent[i].len);
		}
		fake_dev_forget_sent(&e->dev);
		if (step % 16 == 0)
			fake_dev_verify(&e->dev);
		/* Everything now and then: what is oldest may not wait for ever. */
		fake_dev_complete(&e->dev,
				step % 8 == 0 ? e->dev.nb_held :
						fake_below(&e->random, e->dev.nb_held + 1),
				e->conf.order);
		fake_assert(step < NB_SENT, "the ring is stuck");
	}
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	return sum;
}

/* The digests of the first row that ran. */
static uint64_t first_sums[3][NB_TRACES];

static void
compare(uint64_t *first, uint64_t sum)
{
	if (*first == 0)
		*first = sum;
	fake_assert(sum == *first, "other packets than the first row has seen");
}

static const enum fake_order *
orders_of(const struct env_conf *conf)
{
	static const enum fake_order ordered[] = { FAKE_ONE_BY_ONE, FAKE_BATCHES };
	static const enum fake_order any[] = { FAKE_ONE_BY_ONE, FAKE_SHUFFLED };

	return conf->is_in_order ? ordered : any;
}

/* A header that is read takes its place from the data. */
static uint16_t
header_in_room(const struct env_conf *conf)
{
	if (!env_has_csum(conf))
		return 0;
	return conf->has_hash ? SLUICE_NET_HDR_HASH_LEN : SLUICE_NET_HDR_LEN;
}

/*
 * Packets that need one buffer go through all rows; those that need several through rows that have
 * them.
 */
static void
test_rx_traces(void **state)
{
	struct env_conf *conf = *state;
	unsigned int trace, i, large;
	struct env *e;

	for (trace = 0; trace < NB_TRACES; trace++)
		for (i = 0; i < 2; i++)
			for (large = 0; large <= env_has_mrg(conf); large++) {
				conf->order = orders_of(conf)[i];
				conf->has_event_idx = trace & 1;
				conf->start = env_is_packed(conf) ? trace * 31 | (trace & 1) << 15 :
								    65500;
				conf->data_room = RTE_PKTMBUF_HEADROOM + (large ? 500 : 2048) +
						header_in_room(conf);
				e = env_open(conf);
				e->dev.hash.hash_report = 1;
				fake_context("%s: trace %u of SLUICE_SEED=%" PRIu64, env_name(conf),
						trace, suite_seed());
				compare(&first_sums[large][trace],
						trace_rx(e, trace,
								large ? 9000 :
									env_post_len(e) - e->rxq.hdr_len));
				env_close(e);
			}
}

static void
test_tx_traces(void **state)
{
	const struct fake_pool_conf pool = { .name = "other", .nb = 4000 };
	struct env_conf *conf = *state;
	unsigned int trace, i;
	struct fake_pool *other;
	struct env *e;

	conf->nb_mbufs = 6000;
	for (trace = 0; trace < NB_TRACES; trace++)
		for (i = 0; i < 2; i++) {
			conf->order = orders_of(conf)[i];
			conf->has_event_idx = trace & 1;
			conf->has_indirect = trace & 2;
			conf->start = env_is_packed(conf) ? trace * 31 | (trace & 1) << 15 : 65500;
			e = env_open(conf);
			other = fake_pool_create(&pool);
			fake_context("%s: trace %u of SLUICE_SEED=%" PRIu64, env_name(conf), trace,
					suite_seed());
			compare(&first_sums[2][trace], trace_tx(e, other, trace));
			env_drain(e);
			fake_pool_assert_full(other);
			env_close(e);
			fake_pool_destroy(other);
		}
}

static void
test_rx_traces_hash(void **state)
{
	((struct env_conf *)*state)->has_hash = true;
	test_rx_traces(state);
}

static void
test_tx_traces_hash(void **state)
{
	((struct env_conf *)*state)->has_hash = true;
	test_tx_traces(state);
}

static bool
may_have_hash(const struct env_conf *conf)
{
	return !env_is_copy(conf) && (conf->is_tx ? env_has_offloads(conf) : env_has_csum(conf));
}

int
main(void)
{
	suite_add_rx(test_rx_traces, "rx traces");
	suite_add_tx(test_tx_traces, "tx traces");
	suite_add_rx_if(may_have_hash, test_rx_traces_hash, "rx traces, hashes");
	suite_add_tx_if(may_have_hash, test_tx_traces_hash, "tx traces, hashes");
	return suite_run("diff");
}
