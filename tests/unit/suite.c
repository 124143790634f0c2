/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>

#include "env.h"

/*
 * One test alone, or some: SLUICE_UNIT_TESTS=PATTERN, with * and ?. Before main(), of every test
 * program.
 */
RTE_INIT(choose_tests)
{
	cmocka_set_test_filter(getenv("SLUICE_UNIT_TESTS"));
}

/*
 * Megabytes of mbufs come and go with each test: what is free stays in the process, for the kernel
 * would clear the pages of the next ones.
 */
RTE_INIT(keep_memory)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

uint64_t
env_kicks(struct env *e)
{
	uint64_t nb = 0;

	return read(e->kick_fd, &nb, sizeof(nb)) == sizeof(nb) ? nb : 0;
}

bool
env_has_failed(const struct env *e)
{
	bool has_failed = e->q.state == SLUICE_QUEUE_FAILED;

	fake_assert(has_failed == (e->q.fail != SLUICE_FAIL_NONE), "state %u, reason %u",
			e->q.state, e->q.fail);
	return has_failed;
}

uint16_t
env_rx(struct env *e, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t n = e->rx->burst(&e->rxq, pkts, nb);

	fake_assert(n <= nb, "%u packets came, %u were asked for", n, nb);
	fake_assert(e->q.in_burst == 0, "the queue counts as busy");
	return n;
}

uint16_t
env_tx(struct env *e, struct rte_mbuf **pkts, uint16_t nb)
{
	uint64_t nb_waiting = e->txq.nb_waiting;
	uint16_t n = e->tx->burst(&e->txq, pkts, nb);

	/* The control thread is never far, and the application comes again. */
	while (e->txq.nb_waiting != nb_waiting) {
		nb_waiting = e->txq.nb_waiting;
		fake_assert(dmap_serve(e->domain) == 0, "memory cannot be shown");
		n += e->tx->burst(&e->txq, pkts + n, nb - n);
	}

	fake_assert(n <= nb, "%u packets went, %u were given", n, nb);
	fake_assert(e->q.in_burst == 0, "the queue counts as busy");
	return n;
}

uint32_t
env_post_len(const struct env *e)
{
	return e->rxq.post_len;
}

bool
env_deliver(struct env *e, uint32_t len)
{
	static uint8_t data[65536 + 64];

	fake_dev_poll(&e->dev);
	fake_fill(data, len, e->nb_packets);
	if (!fake_dev_deliver(&e->dev, data, len, e->conf.order))
		return false;
	e->nb_packets++;
	return true;
}

void
env_expect(struct env *e, uint32_t len, uint64_t seed)
{
	struct rte_mbuf *m = NULL;
	uint16_t n = env_rx(e, &m, 1);

	fake_assert(n == 1, "a packet of %u bytes did not come", len);
	fake_assert(fake_mbuf_is(m, len, seed),
			"packet %lu: %u bytes were sent, %u came, or other bytes",
			(unsigned long)seed, len, m->pkt_len);
	rte_pktmbuf_free(m);
}

void
env_expect_burst(struct env *e, uint16_t nb, uint32_t len, uint64_t seed)
{
	struct rte_mbuf *pkts[ENV_BURST_MAX];
	uint16_t i, n = env_rx(e, pkts, nb == 0 ? 32 : nb);

	fake_assert(n == nb, "%u packets were sent, %u came", nb, n);
	for (i = 0; i < n; i++) {
		fake_assert(fake_mbuf_is(pkts[i], len, seed + i),
				"packet %u: length %u of %u, or bytes", i, pkts[i]->pkt_len, len);
		rte_pktmbuf_free(pkts[i]);
	}
}

uint16_t
env_rx_and_free(struct env *e, uint16_t nb)
{
	struct rte_mbuf *pkts[ENV_BURST_MAX];
	uint16_t n = env_rx(e, pkts, nb);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

void
env_expect_sent(struct env *e, uint32_t nth, uint32_t len, uint64_t seed)
{
	static uint8_t data[1 << 20];
	const struct fake_packet *p;

	fake_assert(nth < e->dev.nb_sent, "packet %u of %u bytes did not reach the device", nth,
			len);
	p = &e->dev.sent[nth];
	fake_fill(data, len, seed);
	fake_assert(p->len == len && memcmp(p->data, data, len) == 0,
			"packet %u: %u bytes were sent, %u arrived, or other bytes", nth, len,
			p->len);
}

void
env_arrives(struct env *e, uint32_t len, uint64_t seed)
{
	fake_dev_poll(&e->dev);
	fake_assert(e->dev.nb_sent == 1, "%u packets arrived", e->dev.nb_sent);
	env_expect_sent(e, 0, len, seed);
	fake_dev_forget_sent(&e->dev);
	fake_dev_verify(&e->dev);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
}

void
env_send_one(struct env *e, struct rte_mbuf *m, uint64_t seed)
{
	uint64_t bytes = e->q.stats.bytes;
	uint32_t len = m->pkt_len;

	fake_assert(env_tx(e, &m, 1) == 1, "not taken");
	assert_int_equal(e->q.stats.bytes - bytes, len);
	env_arrives(e, len, seed);
	e->tx->cleanup(&e->txq, 0);
	assert_false(env_has_failed(e));
}

static uint64_t seed = 1;

/* Before main(), too. */
RTE_INIT(choose_seed)
{
	const char *text = getenv("SLUICE_SEED");
	char *end;

	if (text == NULL)
		return;
	seed = strtoull(text, &end, 10);
	if (strcmp(text, "random") == 0) {
		if (getentropy(&seed, sizeof(seed)) != 0)
			abort();
	} else if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "SLUICE_SEED=%s: give a number, or random\n", text);
		exit(2);
	}
	fprintf(stderr, "# SLUICE_SEED=%" PRIu64 "\n", seed);
}

uint64_t
suite_seed(void)
{
	return seed;
}

uint64_t
suite_seed_of(uint64_t number)
{
	return (seed ^ (number + 1) * 0xd1342543de82ef95ULL) | 1;
}

static struct CMUnitTest *tests;
static unsigned int nb_tests;

void
suite_add(suite_fn fn, const struct env_conf *conf, const char *fmt, ...)
{
	struct env_conf *copy = calloc(1, sizeof(*copy));
	char *name;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&name, fmt, ap);
	va_end(ap);
	tests = realloc(tests, (nb_tests + 1) * sizeof(*tests));
	if (n < 0 || tests == NULL || copy == NULL)
		abort();
	if (conf != NULL)
		*copy = *conf;
	tests[nb_tests++] =
			(struct CMUnitTest){ .name = name, .test_func = fn, .initial_state = copy };
}

static void
add_row(suite_fn fn, const char *name, const struct env_conf *base, const char *row, bool has_both)
{
	struct env_conf conf = *base;
	unsigned int lying;

	/* Of copies only the rings have addresses. */
	for (lying = !has_both || env_is_copy(base); lying < 2; lying++) {
		conf.is_lying = lying;
		suite_add(fn, &conf, "%s: %s%s%s%s, %s domain", name,
				strncmp(row, "Sluice ", 7) == 0 ? row + 7 : row,
				conf.has_mrg ? " mergeable" : "", conf.has_csum ? " checksums" : "",
				conf.is_in_order ? " in order" : "", lying ? "lying" : "identity");
	}
}

unsigned int
env_nb_rows(bool is_tx)
{
	unsigned int i = 0;

	while (is_tx ? sluice_tx_path_at(i) != NULL : sluice_rx_path_at(i) != NULL)
		i++;
	return i;
}

bool
env_can_run(const struct env_conf *conf)
{
	uint16_t bits = conf->is_tx ? sluice_tx_path_at(conf->row)->simd_bits :
				      sluice_rx_path_at(conf->row)->simd_bits;

	return bits <= sluice_path_cpu_bits();
}

void
env_pick_row(struct env_conf *conf)
{
	conf->row = 0;
	while (!env_can_run(conf))
		conf->row++;
}

/*
 * Rows that this CPU cannot run are left out, and said. So are those that have not the word of
 * $SLUICE_UNIT_ROWS in their names, where an emulator takes long and another machine has run them.
 */
static bool
is_wanted(const struct env_conf *conf, suite_filter filter)
{
	const char *word = getenv("SLUICE_UNIT_ROWS");
	static unsigned int nb_said;

	if (word != NULL && strstr(env_name(conf), word) == NULL)
		return false;
	if (!env_can_run(conf) && nb_said++ == 0)
		fprintf(stderr, "# this CPU cannot run all rows: %s and others are not tested\n",
				env_name(conf));
	return env_can_run(conf) && (filter == NULL || filter(conf));
}

void
suite_add_rx_if(suite_filter filter, suite_fn fn, const char *name)
{
	/*
	 * Order is the ring's, and meets mergeable buffers where a batch has packets of several;
	 * headers of copies are read behind both.
	 */
	static const struct {
		bool has_mrg, is_in_order, has_csum;
	} kinds[] = { { true, false, false }, { true, true, false }, { false, false, false },
		{ true, true, true }, { false, false, true } };
	struct env_conf conf = { .size = 256 };
	bool has_both;
	unsigned int k;

	for (conf.row = 0; conf.row < env_nb_rows(false); conf.row++)
		for (k = 0, has_both = true; k < RTE_DIM(kinds); k++) {
			conf.has_mrg = kinds[k].has_mrg;
			conf.is_in_order = kinds[k].is_in_order;
			conf.has_csum = kinds[k].has_csum;
			if ((conf.has_csum && !env_is_copy(&conf)) || !is_wanted(&conf, filter))
				continue;
			add_row(fn, name, &conf, sluice_rx_path_at(conf.row)->name, has_both);
			has_both = false;
		}
}

void
suite_add_tx_if(suite_filter filter, suite_fn fn, const char *name)
{
	struct env_conf conf = { .is_tx = true, .size = 256, .has_indirect = true };
	unsigned int in_order;

	for (conf.row = 0; conf.row < env_nb_rows(true); conf.row++)
		for (in_order = 0; in_order < 2; in_order++) {
			conf.is_in_order = in_order;
			if (is_wanted(&conf, filter))
				add_row(fn, name, &conf, sluice_tx_path_at(conf.row)->name,
						in_order == 0);
		}
}

void
suite_add_rx(suite_fn fn, const char *name)
{
	suite_add_rx_if(NULL, fn, name);
}

void
suite_add_tx(suite_fn fn, const char *name)
{
	suite_add_tx_if(NULL, fn, name);
}

int
suite_run(const char *name)
{
	unsigned int i;
	int ret;

	/* What is provoked here is logged as it should be; nobody wants to read it. */
	rte_log_set_global_level(RTE_LOG_CRIT);
	ret = _cmocka_run_group_tests(name, tests, nb_tests, NULL, NULL);
	for (i = 0; i < nb_tests; i++) {
		free((char *)(uintptr_t)tests[i].name);
		free(tests[i].initial_state);
	}
	free(tests);
	/* A number of failures would not fit an exit status. */
	return ret != 0;
}
