/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Hashes that a device writes into net headers (HASH_REPORT), with everything else that headers
 * say: each type and what is none, with and without checksums, packets of several buffers, and
 * lengths around that of the longer header.
 */

#include <string.h>

#include "rx_model.h"

#define NB_MAX 40
#define NB_ROUNDS 120

static const struct rx_sample samples[] = {
	{ "no flag", 0, 20, 17, 0, 6, 0, 0, false },
	{ "valid", 0, 20, 17, 0, 6, VALID, GOOD, false },
	{ "flags that nobody knows", 0, 20, 17, 0, 6, 0xfc, 0, false },
	{ "UDP", 0, 20, 17, 0, 6, NEEDS, NONE, false },
	{ "UDP, both flags", 0, 20, 17, 0, 6, NEEDS | VALID, NONE, false },
	{ "TCP, IPv6", 0, 0, 6, 0, 16, NEEDS, NONE, false },
	{ "tunnel", 0, 20, 17, 84, 16, NEEDS, 0, true },
	{ "tunnel, both flags", 0, 20, 17, 84, 16, NEEDS | VALID, 0, true },
};
/* Those that batches take by themselves come first. */
#define NB_PLAIN_SAMPLES 2

static bool
reads_headers(const struct env_conf *conf)
{
	return env_has_csum(conf) && !env_is_copy(conf);
}

static uint16_t
random_type(uint64_t *random, bool is_known)
{
	static const uint16_t odd[] = { 0, 0, 9, 10, 11, 16, 0x100, 0x101, 0x8001, UINT16_MAX };

	return is_known ? 1 + fake_below(random, 8) : odd[fake_below(random, RTE_DIM(odd))];
}

/* One of a burst. is_plain: as nearly all are. */
static void
deliver(struct env *e, struct rx_packet *p, const struct rx_sample *s, bool is_plain)
{
	uint64_t *random = &e->random;
	uint32_t len = 100 + fake_below(random, 1500);
	struct sluice_net_hdr_hash *hash = &e->dev.hash;

	if (e->conf.has_mrg && !is_plain && fake_below(random, 3) == 0)
		len += 2048 + fake_below(random, 4000);
	rx_model_make(p, s, len, e->nb_packets++);
	if (e->conf.has_hash_only) {
		p->hdr.gso_type = fake_below(random, 256);
		p->want = 0;
	}
	hash->hash_value = fake_random(random);
	hash->hash_report = random_type(random, is_plain || fake_below(random, 2) == 0);
	hash->padding = fake_random(random);
	if (hash->hash_report >= 1 && hash->hash_report <= 9)
		p->want |= RTE_MBUF_F_RX_RSS_HASH;
	else
		hash->hash_value = 0xdeadbeef;
	rx_model_deliver(e, p);
}

/* What came of the packets that were delivered, in their order. */
static void
expect(struct env *e, struct rx_packet *packets, const uint32_t *values,
		const struct rx_sample *const *of, unsigned int nb)
{
	struct rte_mbuf *pkts[NB_MAX];
	unsigned int n = 0, i;

	while (n < nb) {
		uint16_t got = env_rx(e, &pkts[n], 1 + fake_below(&e->random, NB_MAX - n));

		fake_assert(got != 0, "%u packets came of %u", n, nb);
		n += got;
	}
	for (i = 0; i < nb; i++) {
		bool is_known = (packets[i].want & RTE_MBUF_F_RX_RSS_HASH) != 0;
		uint32_t want = is_known ? values[i] : 0;

		fake_assert(pkts[i]->hash.rss == want, "packet %u: hash 0x%x, not 0x%x", i,
				pkts[i]->hash.rss, want);
		rx_model_expect(pkts[i], &packets[i],
				!e->conf.has_hash_only && of[i]->is_completed);
	}
}

static void
test_content(void **state)
{
	static struct rx_packet packets[NB_MAX];
	struct env_conf *conf = *state;
	const struct rx_sample *of[NB_MAX];
	uint32_t values[NB_MAX];
	unsigned int round, nb, i, k;
	struct env *e;

	conf->has_hash = true;
	conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE;
	for (k = 0; k < 2; k++) {
		conf->has_hash_only = k;
		e = env_open_from(state, 0);
		for (round = 0; round < NB_ROUNDS; round++) {
			bool is_plain = round % 3 == 0;

			fake_context("%s: round %u", env_name(conf), round);
			nb = 1 + fake_below(&e->random, NB_MAX);
			for (i = 0; i < nb; i++) {
				of[i] = &samples[fake_below(&e->random,
						is_plain ? NB_PLAIN_SAMPLES : RTE_DIM(samples))];
				deliver(e, &packets[i], of[i], is_plain);
				values[i] = e->dev.hash.hash_value;
			}
			expect(e, packets, values, of, nb);
		}
		assert_int_equal(e->q.stats.errors, 0);
		assert_false(env_has_failed(e));
		env_close(e);
	}
}

/* A used length, alone and as the last of a batch. */
static void
use(struct env *e, unsigned int nb, uint32_t len)
{
	const uint32_t good = SLUICE_NET_HDR_HASH_LEN + 60;
	unsigned int i;

	for (i = 0; i < nb; i++) {
		fake_dev_poll(&e->dev);
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0), 1);
		fake_dev_use(&e->dev, 0, i + 1 < nb ? good : len);
	}
}

static void
test_lengths(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[8];
	unsigned int nb, n;
	uint32_t len, post_len;
	struct env *e;

	conf->has_hash = true;
	for (nb = 1; nb <= 8; nb += 7) {
		e = env_open_from(state, 0);
		post_len = env_post_len(e);
		e->dev.hash.hash_report = 1;
		e->dev.hash.hash_value = 0x1234;
		for (len = SLUICE_NET_HDR_HASH_LEN; len <= post_len; len++) {
			bool is_runt = len < SLUICE_NET_HDR_HASH_LEN + 14;

			fake_context("%s: %u, length %u", env_name(conf), nb, len);
			use(e, nb, len);
			n = env_rx(e, pkts, 8);
			n += n < nb ? env_rx(e, &pkts[n], 8 - n) : 0;
			fake_assert(n == nb - is_runt, "%u came", n);
			if (!is_runt) {
				assert_int_equal(pkts[n - 1]->pkt_len,
						len - SLUICE_NET_HDR_HASH_LEN);
				assert_int_equal(pkts[n - 1]->hash.rss, 0x1234);
			}
			rte_pktmbuf_free_bulk(pkts, n);
			if (len == SLUICE_NET_HDR_HASH_LEN + 20)
				len = post_len - 3;
		}
		assert_int_equal(e->rxq.nb_runts, 14);
		assert_false(env_has_failed(e));
		env_close(e);
		for (n = 0; n < 3; n++) {
			const uint32_t bad[] = { 0, SLUICE_NET_HDR_HASH_LEN - 1, post_len + 1 };

			e = env_open_from(state, 0);
			use(e, nb, bad[n]);
			env_rx_and_free(e, 8);
			env_rx_and_free(e, 8);
			fake_assert(e->q.fail == SLUICE_FAIL_BAD_LEN, "length %u: %s", bad[n],
					sluice_fail_name(e->q.fail));
			env_close(e);
		}
	}
}

int
main(void)
{
	suite_add_rx_if(reads_headers, test_content, "content");
	suite_add_rx_if(reads_headers, test_lengths, "lengths");
	return suite_run("hash");
}
