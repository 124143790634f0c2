/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * IPv4 header checksums of received packets. The sums are made here, word by word, by nothing of
 * DPDK's.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "sluice_offload.h"

#define GOOD RTE_MBUF_F_RX_IP_CKSUM_GOOD
#define BAD RTE_MBUF_F_RX_IP_CKSUM_BAD
#define UNKNOWN RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN
#define ROOM 128
#define NB_RANDOM 100000
#define NB_MAX 40 /* of a burst */
#define LONG 5000

struct sample {
	const char *name;
	uint16_t type;
	uint8_t nb_tags, version, nb_words; /* of the header */
	uint16_t cut; /* bytes of the header that are not in the first buffer */
	uint64_t want;
};

static const struct sample samples[] = {
	{ "plain", RTE_ETHER_TYPE_IPV4, 0, 4, 5, 0, GOOD },
	{ "one tag", RTE_ETHER_TYPE_IPV4, 1, 4, 5, 0, GOOD },
	{ "two tags", RTE_ETHER_TYPE_IPV4, 2, 4, 5, 0, GOOD },
	{ "three tags", RTE_ETHER_TYPE_IPV4, 3, 4, 5, 0, UNKNOWN },
	{ "options", RTE_ETHER_TYPE_IPV4, 0, 4, 6, 0, GOOD },
	{ "all options", RTE_ETHER_TYPE_IPV4, 2, 4, 15, 0, GOOD },
	{ "IPv6", RTE_ETHER_TYPE_IPV6, 0, 4, 5, 0, UNKNOWN },
	{ "ARP", RTE_ETHER_TYPE_ARP, 1, 4, 5, 0, UNKNOWN },
	{ "another version", RTE_ETHER_TYPE_IPV4, 0, 6, 5, 0, BAD },
	{ "too short a header", RTE_ETHER_TYPE_IPV4, 0, 4, 4, 0, BAD },
	{ "no header length", RTE_ETHER_TYPE_IPV4, 0, 4, 0, 0, BAD },
	{ "cut", RTE_ETHER_TYPE_IPV4, 0, 4, 5, 1, UNKNOWN },
	{ "cut behind a tag", RTE_ETHER_TYPE_IPV4, 1, 4, 5, 1, UNKNOWN },
	{ "cut in the options", RTE_ETHER_TYPE_IPV4, 0, 4, 15, 1, UNKNOWN },
};

struct packet {
	struct rte_mbuf m;
	uint8_t bytes[ROOM];
	uint32_t l3;
};

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

/* A packet of random bytes whose header has a right sum. */
static void
make(struct packet *p, const struct sample *s, uint64_t *seed)
{
	uint32_t len = 4 * RTE_MAX(s->nb_words, (uint8_t)5), i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < ROOM; i++)
		p->bytes[i] = fake_random(seed);
	p->l3 = RTE_ETHER_HDR_LEN + 4 * s->nb_tags;
	for (i = 0; i < s->nb_tags; i++)
		put16(&p->bytes[12 + 4 * i], i == 0 ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN);
	put16(&p->bytes[p->l3 - 2], s->type);
	p->bytes[p->l3] = s->version << 4 | s->nb_words;
	put16(&p->bytes[p->l3 + 10], 0);
	put16(&p->bytes[p->l3 + 10], ~fake_sum(&p->bytes[p->l3], len));
	p->m.buf_addr = p->bytes;
	p->m.data_len = p->l3 + len - s->cut;
	p->m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static void
check(struct packet *p, uint64_t want, const char *name)
{
	sluice_offload_ipv4(&p->m);
	fake_assert(p->m.ol_flags == (want | RTE_MBUF_F_RX_L4_CKSUM_GOOD), "%s: 0x%llx", name,
			(unsigned long long)p->m.ol_flags);
}

static void
test_samples(void **state)
{
	uint64_t seed = 1;
	struct packet p;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(samples); i++) {
		make(&p, &samples[i], &seed);
		check(&p, samples[i].want, samples[i].name);
	}
}

/* Each bit of a header that is another one makes it a bad one. */
static void
test_each_bit(void **state)
{
	const struct sample s = { "bit", RTE_ETHER_TYPE_IPV4, 1, 4, 6, 0, BAD };
	uint64_t seed = 2;
	struct packet p;
	unsigned int bit;

	(void)state;
	for (bit = 8; bit < 8 * 24; bit++) {
		make(&p, &s, &seed);
		p.bytes[p.l3 + bit / 8] ^= 1 << bit % 8;
		check(&p, BAD, "a bit");
	}
}

static void
test_random(void **state)
{
	struct sample s = { "random", RTE_ETHER_TYPE_IPV4, 0, 4, 5, 0, GOOD };
	uint64_t seed = 3;
	struct packet p;
	unsigned int i;

	(void)state;
	for (i = 0; i < NB_RANDOM; i++) {
		s.nb_tags = fake_random(&seed) % 3;
		s.nb_words = 5 + fake_random(&seed) % 11;
		make(&p, &s, &seed);
		check(&p, GOOD, "random");
	}
}

/* Shorter packets than any header: nothing behind their end is read, which a sanitizer sees. */
static void
test_short(void **state)
{
	const struct sample s = { "short", RTE_ETHER_TYPE_IPV4, 0, 4, 5, 0, GOOD };
	uint64_t seed = 4;
	struct packet p;
	uint8_t *bytes;
	uint16_t len;

	(void)state;
	make(&p, &s, &seed);
	for (len = 0; len < p.l3 + 20; len++) {
		bytes = malloc(RTE_MAX(len, 1));
		assert_non_null(bytes);
		memcpy(bytes, p.bytes, len);
		p.m.buf_addr = bytes;
		p.m.data_len = len;
		p.m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		check(&p, UNKNOWN, "short");
		free(bytes);
	}
}

/* As the device delivers it; is_long: in several buffers. */
static void
deliver(struct env *e, const struct packet *p, bool is_long)
{
	static uint8_t bytes[LONG];

	memcpy(bytes, p->bytes, ROOM);
	fake_dev_poll(&e->dev);
	assert_true(fake_dev_deliver(
			&e->dev, bytes, is_long ? LONG : p->m.data_len, e->conf.order));
}

/*
 * A burst of a kind: 0: plain packets; 1: with one tag each; 2: plain, but for one; 3: of any kind,
 * short ones and, where they may be, long ones. Any of them may have a wrong sum.
 */
static void
test_burst(struct env *e, unsigned int kind)
{
	const uint64_t mask = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
	static struct packet packets[NB_MAX];
	struct rte_mbuf *pkts[NB_MAX];
	uint64_t want[NB_MAX], *seed = &e->random;
	unsigned int nb = 1 + fake_below(seed, NB_MAX), odd = fake_below(seed, nb), i, n = 0;
	bool is_valid = fake_below(seed, 2) != 0;

	e->dev.offload.flags = is_valid ? SLUICE_NET_HDR_F_DATA_VALID : 0;
	for (i = 0; i < nb; i++) {
		bool is_any = kind == 3 || (kind == 2 && i == odd);
		const struct sample *s = is_any ? &samples[fake_below(seed, RTE_DIM(samples))] :
						  &samples[kind == 1];
		struct packet *p = &packets[i];
		bool is_long;

		make(p, s, seed);
		want[i] = s->want;
		if (s->want == GOOD && fake_below(seed, is_any ? 2 : 16) == 0) {
			p->bytes[p->l3 + 2 + fake_below(seed, 18)] ^= 1 << fake_below(seed, 8);
			want[i] = BAD;
		}
		/* A cut one ends there, behind it lies what makes it right. */
		is_long = is_any && s->cut == 0 && e->conf.has_mrg && fake_below(seed, 4) == 0;
		if (s->cut == 0 && fake_below(seed, 2) != 0)
			p->m.data_len = ROOM;
		if (is_valid && !e->conf.has_hash_only)
			want[i] |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		deliver(e, p, is_long);
	}
	while (n < nb) {
		uint16_t got = env_rx(e, &pkts[n], 1 + fake_below(seed, nb - n));

		fake_assert(got != 0, "%u packets came of %u", n, nb);
		n += got;
	}
	for (i = 0; i < nb; i++) {
		fake_assert((pkts[i]->ol_flags & mask) == want[i],
				"%u of %u: flags 0x%llx, not 0x%llx", i, nb,
				(unsigned long long)pkts[i]->ol_flags, (unsigned long long)want[i]);
		assert_memory_equal(rte_pktmbuf_mtod(pkts[i], uint8_t *), packets[i].bytes,
				RTE_MIN(packets[i].m.data_len, pkts[i]->data_len));
		/* Nothing is said of a buffer that is not the first. */
		if (pkts[i]->next != NULL)
			assert_int_equal(pkts[i]->next->ol_flags & mask, 0);
	}
	rte_pktmbuf_free_bulk(pkts, nb);
}

/*
 * Of a queue that checks them, with and without checksums that the device tells of; in buffers
 * behind their mbufs or elsewhere.
 */
static void
test_queue(void **state)
{
	struct env_conf *conf = *state;
	unsigned int round, k;
	struct env *e;

	conf->checks_ipv4 = true;
	for (k = 0; k < 4; k++) {
		conf->has_hash_only = k & 1;
		conf->is_pinned = k & 2;
		conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE;
		e = env_open_from(state, 0);
		/* The time after which queues that guess look again is soon over. */
		e->rxq.sample = 1;
		for (round = 0; round < 80; round++) {
			fake_context("%s%s: round %u", env_name(conf), k & 2 ? ", pinned" : "",
					round);
			test_burst(e, round % 4);
		}
		assert_int_equal(e->q.stats.errors, 0);
		assert_int_not_equal(e->rxq.nb_batch_lens, 0);
		assert_false(env_has_failed(e));
		env_close(e);
	}
}

/*
 * A device leaves a checksum to be completed, and says that it is in the IPv4 header: what is told
 * of that header is true of the packet that comes.
 */
static void
test_completed(void **state)
{
	const struct sample s = { "completed", RTE_ETHER_TYPE_IPV4, 0, 4, 6, 0, GOOD };
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[NB_MAX];
	unsigned int nb, i, n, has_tag;
	struct packet p;
	struct env *e;

	conf->checks_ipv4 = true;
	e = env_open_from(state, 0);
	for (nb = 1; nb <= NB_MAX; nb++)
		for (has_tag = 0; has_tag < 2; has_tag++) {
			struct sample one = s;

			one.nb_tags = has_tag;
			one.nb_words = 5 + nb % 2;
			e->dev.offload = (struct sluice_net_hdr){
				.flags = SLUICE_NET_HDR_F_NEEDS_CSUM,
				.csum_start = RTE_ETHER_HDR_LEN + 4 * has_tag,
				.csum_offset = 4,
			};
			for (i = 0; i < nb; i++) {
				make(&p, &one, &e->random);
				p.m.data_len = ROOM;
				deliver(e, &p, false);
			}
			for (n = 0; n < nb; n += i) {
				i = env_rx(e, &pkts[n], nb - n);
				fake_assert(i != 0, "%u packets came of %u", n, nb);
			}
			for (i = 0; i < nb; i++) {
				const uint8_t *ip = rte_pktmbuf_mtod_offset(pkts[i], uint8_t *,
						RTE_ETHER_HDR_LEN + 4 * has_tag);
				bool is_right = fake_sum(ip, 4 * one.nb_words) == 0xffff;

				fake_assert((pkts[i]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) ==
								(is_right ? GOOD : BAD),
						"%u of %u: flags 0x%llx", i, nb,
						(unsigned long long)pkts[i]->ol_flags);
			}
			rte_pktmbuf_free_bulk(pkts, nb);
		}
	env_close(e);
}

int
main(void)
{
	suite_add_rx_if(env_has_csum, test_completed, "completed in the header");
	suite_add_rx_if(env_has_csum, test_queue, "queue");
	suite_add(test_samples, NULL, "samples");
	suite_add(test_each_bit, NULL, "each bit");
	suite_add(test_random, NULL, "random");
	suite_add(test_short, NULL, "short");
	return suite_run("ipv4");
}
