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

static uint16_t
sum_of(const uint8_t *at, uint32_t len)
{
	uint32_t sum = 0, i;

	for (i = 0; i < len; i += 2)
		sum += at[i] << 8 | at[i + 1];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
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
	put16(&p->bytes[p->l3 + 10], ~sum_of(&p->bytes[p->l3], len));
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

int
main(void)
{
	suite_add(test_samples, NULL, "samples");
	suite_add(test_each_bit, NULL, "each bit");
	suite_add(test_random, NULL, "random");
	suite_add(test_short, NULL, "short");
	return suite_run("ipv4");
}
