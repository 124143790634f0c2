/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Instructions per packet of what software RSS adds, counted exactly by the trap flag: the hash and
 * the mbuf's fields, and the hand-over between queues; of packet types, flow rules, and of hashes
 * that a device has written, beside checksums. Of builds that are optimized and not instrumented.
 */

#include <stdio.h>

#include <rte_mbuf_ptype.h>

#include "bench_trap.h"
#include "sluice_flow.h"
#include "sluice_ptype.h"
#include "steer_world.h"

#define NB 32
#define DEVICE_HASH_MAX 6
#define LONG_HEADER_MAX 10
/*
 * With 512-bit registers, with 256-bit ones, and where only the multiplication has fewer bits. What
 * is asked for is gcc 12's; code of later ones and of clang takes a little more.
 */
#define LOOK_MAX 200
#define RULE_MAX 9
#if defined(__clang__) || __GNUC__ > 12
#define HASH_512_MAX 15
#define HASH_256_MAX 27
#define HASH_128_MAX 31
#define TYPES_MAX 29
#else
#define HASH_512_MAX 13
#define HASH_256_MAX 25
#define HASH_128_MAX 29
#define TYPES_MAX 25
#endif

#if defined(RTE_ARCH_X86_64) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && \
		!SLUICE_HAS_TSAN
#define CAN_COUNT 1
#else
#define CAN_COUNT 0
#endif

static const struct sluice_rss_kit *kit;

static uint16_t
hash(void *rss, struct rte_mbuf **pkts, uint16_t nb)
{
	kit->burst(rss, pkts, nb);
	return nb;
}

static uint16_t
give(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_rxq *q = rxq;

	return sluice_spread_give(q, q->hand, q->rss, pkts, nb);
}

static uint16_t
take(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct sluice_rxq *q = rxq;

	return sluice_spread_take(q, q->hand, pkts, nb);
}

static void
get_packets(struct rte_mbuf **pkts)
{
	uint32_t flow;

	w->nb_arriving[0] = 0;
	for (flow = 0; flow < NB; flow++)
		arrive(0, flow, 0);
	memcpy(pkts, w->arriving[0], NB * sizeof(*pkts));
	w->nb_arrived[0] = NB;
}

static double
count_hash(void)
{
	struct sluice_rss rss = w->port->steer.tables[w->port->steer.current];
	struct rte_mbuf *pkts[NB];
	uint64_t cost = 0;

	get_packets(pkts);
	assert_int_equal(bench_meter_trap(hash, &rss, pkts, NB, &cost), NB);
	rte_pktmbuf_free_bulk(pkts, NB);
	return (double)cost / NB;
}

static void
test_hash(void **state)
{
	unsigned int i;
	double n;

	(void)state;
	assert_int_equal(bench_trap_init(), 0);
	assert_int_equal(open_world(2, 1, UDP), 0);
	assert_int_equal(start(), 0);
	for (i = 0; (kit = sluice_rss_kit_at(i, RTE_VECT_SIMD_512)) != NULL; i++) {
		count_hash(); /* symbols that are looked up the first time */
		n = count_hash();
		print_message("# hash by %s: %.2f instructions per packet\n", kit->name, n);
		/* What is for any CPU takes as long as it takes. */
		if (strcmp(kit->name, "VPCLMULQDQ-512") == 0)
			fake_assert(n <= HASH_512_MAX, "%.2f", n);
		else if (strcmp(kit->name, "VPCLMULQDQ") == 0)
			fake_assert(n <= HASH_256_MAX, "%.2f", n);
		else if (strcmp(kit->name, "PCLMULQDQ") == 0)
			fake_assert(n <= HASH_128_MAX, "%.2f", n);
	}
	close_world();
}

static uint16_t
tell_types(void *ignored, struct rte_mbuf **pkts, uint16_t nb)
{
	(void)ignored;
	sluice_ptype_burst(pkts, nb, SLUICE_PTYPE_FAMILIES);
	return nb;
}

/* Of UDP over IPv4, as most packets are; any other goes the library's way. */
static void
test_packet_types(void **state)
{
	const uint32_t want = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP;
	struct rte_mbuf *pkts[NB];
	uint64_t cost;
	int turn, i;

	(void)state;
	assert_int_equal(bench_trap_init(), 0);
	assert_int_equal(open_world(2, 1, UDP), 0);
	assert_int_equal(start(), 0);
	for (turn = 0; turn < 2; turn++) {
		get_packets(pkts);
		cost = 0;
		assert_int_equal(bench_meter_trap(tell_types, NULL, pkts, NB, &cost), NB);
		for (i = 0; i < NB; i++)
			assert_int_equal(pkts[i]->packet_type, want);
		rte_pktmbuf_free_bulk(pkts, NB);
	}
	print_message("# packet types: %.2f instructions per packet\n", (double)cost / NB);
	assert_true(cost <= TYPES_MAX * NB);
	close_world();
}

/* A burst whose headers all say that a checksum is right, and have a hash if there is room. */
static double
count_burst(struct env_conf *conf, bool has_hash)
{
	const uint64_t want = RTE_MBUF_F_RX_L4_CKSUM_GOOD | (has_hash ? RTE_MBUF_F_RX_RSS_HASH : 0);
	struct rte_mbuf *pkts[NB];
	uint64_t cost = 0;
	struct env *e;
	int turn, i;

	conf->has_hash = has_hash;
	e = env_open(conf);
	e->dev.offload.flags = SLUICE_NET_HDR_F_DATA_VALID;
	e->dev.hash.hash_report = 2;
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < NB; i++)
			assert_true(env_deliver(e, 60));
		cost = 0;
		assert_int_equal(bench_meter_trap(e->rx->burst, &e->rxq, pkts, NB, &cost), NB);
		for (i = 0; i < NB; i++)
			assert_true(pkts[i]->ol_flags == want);
		rte_pktmbuf_free_bulk(pkts, NB);
	}
	env_close(e);
	return (double)cost / NB;
}

static void
test_device_hash(void **state)
{
	struct env_conf conf = { .size = 256, .has_mrg = true };
	double without, with;

	(void)state;
	assert_int_equal(bench_trap_init(), 0);
	for (conf.row = 0; conf.row < env_nb_rows(false); conf.row++) {
		if (!env_can_run(&conf) || !env_has_csum(&conf) || env_is_copy(&conf))
			continue;
		without = count_burst(&conf, false);
		with = count_burst(&conf, true);
		print_message("# %s: %.2f instructions per packet, with hashes of the device %.2f\n",
				sluice_rx_path_at(conf.row)->name, without, with);
		/* One by one each gets a look, and this takes as long as it takes. */
		if (sluice_rx_path_at(conf.row)->simd_bits != 0)
			fake_assert(with <= without + DEVICE_HASH_MAX, "%.2f more", with - without);
	}
}

/* A burst of plain packets where offloads are switched on. */
static double
count_tx_burst(struct env_conf *conf, bool has_hash)
{
	struct rte_mbuf *pkts[NB];
	uint64_t cost = 0;
	struct env *e;
	int turn, i;

	conf->has_hash = has_hash;
	e = env_open(conf);
	/* The first burst waits until the device sees its memory. */
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < NB; i++)
			pkts[i] = fake_mbuf(e->pool, RTE_PKTMBUF_HEADROOM, 60);
		if (turn < 2)
			assert_int_equal(env_tx(e, pkts, NB), NB);
		else
			assert_int_equal(bench_meter_trap(e->tx->burst, &e->txq, pkts, NB, &cost),
					NB);
		fake_dev_poll(&e->dev);
		fake_dev_complete(&e->dev, NB, FAKE_ONE_BY_ONE);
		fake_dev_forget_sent(&e->dev);
	}
	env_close(e);
	return (double)cost / NB;
}

/* Headers that have room for a hash leave batches possible. */
static void
test_long_headers(void **state)
{
	struct env_conf conf = { .size = 256, .is_tx = true, .thresh = 128 };
	double without, with;

	(void)state;
	assert_int_equal(bench_trap_init(), 0);
	for (conf.row = 0; conf.row < env_nb_rows(true); conf.row++) {
		if (!env_can_run(&conf) || !env_has_offloads(&conf) || env_is_copy(&conf))
			continue;
		without = count_tx_burst(&conf, false);
		with = count_tx_burst(&conf, true);
		print_message("# %s: %.2f instructions per packet, with longer headers %.2f\n",
				sluice_tx_path_at(conf.row)->name, without, with);
		if (sluice_tx_path_at(conf.row)->simd_bits != 0)
			fake_assert(with <= without + LONG_HEADER_MAX, "%.2f more", with - without);
	}
}

/* Burst of 32, all queues have some. */
static void
test_hand_over(void **state)
{
	struct rte_mbuf *pkts[NB];
	uint16_t nb, i, nb_own, sum;
	uint64_t cost[2];
	int turn;

	(void)state;
	for (nb = 2; nb <= NB_MAX; nb *= 2) {
		assert_int_equal(open_world(nb, 1, UDP), 0);
		assert_int_equal(start(), 0);
		kit = sluice_rss_kit_at(0, RTE_VECT_SIMD_256);
		for (turn = 0; turn < 2; turn++) {
			get_packets(pkts);
			hash((void *)(uintptr_t)w->rxq[0].rss, pkts, NB);
			memset(cost, 0, sizeof(cost));
			nb_own = bench_meter_trap(give, &w->rxq[0], pkts, NB, &cost[0]);
			rte_pktmbuf_free_bulk(pkts, nb_own);
			for (i = 1, sum = 0; i < nb; i++) {
				uint16_t n = bench_meter_trap(take, &w->rxq[i], pkts, NB, &cost[1]);

				rte_pktmbuf_free_bulk(pkts, n);
				sum += n;
			}
			assert_int_equal(nb_own + sum, NB);
		}
		print_message("# hand-over, 1 queue to %u: %.2f instructions per packet that was looked at, "
			      "and %.2f per packet that was taken (%u)\n",
				nb, (double)cost[0] / NB, (double)cost[1] / sum, sum);
		close_world();
	}
}

static uint16_t
look_for_rule(void *flows, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t i, nb_found = 0;

	for (i = 0; i < nb; i++)
		nb_found += sluice_flow_queue(flows, pkts[i]) == 1;
	return nb_found;
}

/* Of UDP over IPv4, which matches the last of some rules on addresses and ports. */
static void
test_flow_rules(void **state)
{
	static const unsigned int nbs[] = { 1, 8, SLUICE_FLOW_RULES_MAX };
	static struct sluice_flows flows;
	struct rte_mbuf *pkts[NB];
	struct sluice_flow_rule *rule;
	uint64_t cost;
	unsigned int i, k;
	int turn;

	(void)state;
	assert_int_equal(bench_trap_init(), 0);
	assert_int_equal(open_world(2, 1, UDP), 0);
	assert_int_equal(start(), 0);
	for (i = 0; i < RTE_DIM(nbs); i++) {
		memset(&flows, 0, sizeof(flows));
		flows.nb = nbs[i];
		for (k = 0; k < flows.nb; k++) {
			rule = &flows.rules[k];
			rule->nb_queues = 1;
			rule->queues[0] = 1;
			rule->mask.key.layers = SLUICE_FLOW_UDP;
			rule->value.key.layers = SLUICE_FLOW_UDP;
			rule->mask.key.ports[1] = UINT16_MAX;
			rule->value.key.ports[1] = rte_cpu_to_be_16(53 + flows.nb - 1 - k);
		}
		for (turn = 0; turn < 2; turn++) {
			get_packets(pkts);
			cost = 0;
			assert_int_equal(bench_meter_trap(look_for_rule, &flows, pkts, NB, &cost),
					NB);
			rte_pktmbuf_free_bulk(pkts, NB);
		}
		print_message("# flow rules, the last of %u: %.2f instructions per packet\n",
				flows.nb, (double)cost / NB);
		assert_true(cost <= (LOOK_MAX + flows.nb * RULE_MAX) * NB);
	}
	close_world();
}

int
main(void)
{
	/* All of it: what cmocka says of a test that is skipped is a failure to meson. */
	if (!CAN_COUNT) {
		puts("1..0 # SKIP not optimized, instrumented, or another machine");
		return 0;
	}
	suite_add(test_hash, NULL, "hash");
	suite_add(test_hand_over, NULL, "hand-over");
	suite_add(test_packet_types, NULL, "packet types");
	suite_add(test_flow_rules, NULL, "flow rules");
	suite_add(test_device_hash, NULL, "hashes of the device");
	suite_add(test_long_headers, NULL, "headers with room for a hash");
	return suite_run("rss_count");
}
