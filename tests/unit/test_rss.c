/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The RSS hash of received packets against rte_softrss(), with every kit of this CPU. Packets are
 * laid out here, so it is known what of them is hashed.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_thash.h>
#include <rte_vect.h>

#include "env.h"
#include "sluice_rss.h"

#define ROOM 512
#define NB_FLOWS 200000
#define BURST 32
#define SIMD_ANY RTE_VECT_SIMD_MAX
#define ADDRS 1 /* of what is hashed */
#define PORTS 2

struct packet {
	struct rte_mbuf m;
	uint8_t bytes[ROOM];
	uint32_t l3, src, dst, l4; /* where they are */
	bool is_v6;
};

struct sample {
	const char *name;
	uint8_t nb_tags;
	bool is_v6;
	uint8_t nb_words; /* of an IPv4 header */
	uint8_t proto;
	uint16_t fragment; /* of IPv4, in the CPU's order */
	uint8_t extension; /* one of IPv6 before the others */
	uint8_t want;
};

static const struct sample samples[] = {
	{ "UDP", 0, false, 5, IPPROTO_UDP, 0, 0, PORTS },
	{ "TCP", 0, false, 5, IPPROTO_TCP, 0, 0, PORTS },
	{ "SCTP", 0, false, 5, IPPROTO_SCTP, 0, 0, PORTS },
	{ "ICMP", 0, false, 5, IPPROTO_ICMP, 0, 0, ADDRS },
	{ "the protocol that shares its low bits with UDP", 0, false, 5, 1, 0, 0, ADDRS },
	{ "UDP, one tag", 1, false, 5, IPPROTO_UDP, 0, 0, PORTS },
	{ "TCP, two tags", 2, false, 5, IPPROTO_TCP, 0, 0, PORTS },
	{ "UDP, three tags", 3, false, 5, IPPROTO_UDP, 0, 0, 0 },
	{ "UDP, options", 0, false, 15, IPPROTO_UDP, 0, 0, PORTS },
	{ "no header", 0, false, 4, IPPROTO_UDP, 0, 0, 0 },
	{ "don't fragment", 0, false, 5, IPPROTO_UDP, RTE_IPV4_HDR_DF_FLAG, 0, PORTS },
	{ "first fragment", 0, false, 5, IPPROTO_UDP, RTE_IPV4_HDR_MF_FLAG, 0, ADDRS },
	{ "last fragment", 0, false, 5, IPPROTO_TCP, 1, 0, ADDRS },
	{ "a later fragment", 0, false, 5, IPPROTO_TCP, 0x1f00, 0, ADDRS },
	{ "UDPv6", 0, true, 0, IPPROTO_UDP, 0, 0, PORTS },
	{ "TCPv6, two tags", 2, true, 0, IPPROTO_TCP, 0, 0, PORTS },
	{ "SCTPv6", 0, true, 0, IPPROTO_SCTP, 0, 0, PORTS },
	{ "ICMPv6", 0, true, 0, IPPROTO_ICMPV6, 0, 0, ADDRS },
	{ "no next header", 0, true, 0, IPPROTO_NONE, 0, 0, ADDRS },
	{ "UDPv6 behind hop-by-hop options", 0, true, 0, IPPROTO_UDP, 0, IPPROTO_HOPOPTS, PORTS },
	{ "TCPv6 behind a route", 0, true, 0, IPPROTO_TCP, 0, IPPROTO_ROUTING, PORTS },
	{ "fragment of UDPv6", 0, true, 0, IPPROTO_UDP, 0, IPPROTO_FRAGMENT, ADDRS },
};

static uint64_t seed = 1;

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static uint32_t
make_v4(struct packet *p, const struct sample *s)
{
	uint8_t *ip = p->bytes + p->l3;

	put16(p->bytes + p->l3 - 2, RTE_ETHER_TYPE_IPV4);
	ip[0] = 0x40 | s->nb_words;
	put16(ip + 6, s->fragment);
	ip[9] = s->proto;
	p->src = p->l3 + 12;
	p->dst = p->l3 + 16;
	return p->l3 + 4 * s->nb_words;
}

static uint32_t
make_v6(struct packet *p, const struct sample *s)
{
	uint8_t *ip = p->bytes + p->l3;

	put16(p->bytes + p->l3 - 2, RTE_ETHER_TYPE_IPV6);
	ip[0] = 0x60;
	p->src = p->l3 + 8;
	p->dst = p->l3 + 24;
	if (s->extension == 0 && s->want != 0) {
		ip[6] = s->proto;
		return p->l3 + 40;
	}
	ip[6] = s->extension;
	ip[40] = s->proto;
	memset(ip + 41, 0, 7); /* eight bytes, of a route that is over */
	return p->l3 + 48;
}

static void
make(struct packet *p, const struct sample *s)
{
	uint32_t i, end;

	memset(&p->m, 0, sizeof(p->m));
	for (i = 0; i < 160; i += 8) {
		uint64_t word = fake_random(&seed);

		memcpy(p->bytes + i, &word, sizeof(word));
	}
	p->is_v6 = s->is_v6;
	p->l3 = RTE_ETHER_HDR_LEN + 4 * s->nb_tags;
	for (i = 0; i < s->nb_tags; i++)
		put16(p->bytes + 12 + 4 * i, i == 0 ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN);
	p->l4 = s->is_v6 ? make_v6(p, s) : make_v4(p, s);
	end = RTE_MAX(p->l4 + 4, p->l3 + 20);
	p->m.buf_addr = p->bytes;
	p->m.nb_segs = 1;
	p->m.data_len = end;
	p->m.pkt_len = end;
}

static void
set(struct sluice_rss *rss, uint8_t *key, bool is_all)
{
	unsigned int i;

	memset(rss, 0xaa, sizeof(*rss));
	for (i = 0; i < SLUICE_RSS_NB_CLASSES; i++) {
		bool has_ports = is_all && i <= SLUICE_RSS_SCTP;

		rss->tuple_len[SLUICE_RSS_IPV4][i] = has_ports ? 12 : 8;
		rss->tuple_len[SLUICE_RSS_IPV6][i] = has_ports ? 36 : 32;
		rss->tuple_len[SLUICE_RSS_IPV6_EX][i] = 0;
	}
	for (i = 0; i < SLUICE_RSS_KEY_LEN; i++)
		key[i] = fake_random(&seed);
	sluice_rss_init(rss, key);
}

/* By DPDK's own function, of words in the CPU's order. */
static uint32_t
softrss(const struct packet *p, const uint8_t *key, unsigned int want)
{
	uint32_t addr = p->is_v6 ? 16 : 4, words[9], len, i;
	uint8_t tuple[36];

	memcpy(tuple, p->bytes + p->src, addr);
	memcpy(tuple + addr, p->bytes + p->dst, addr);
	len = 2 * addr;
	if (want == PORTS) {
		memcpy(tuple + len, p->bytes + p->l4, 4);
		len += 4;
	}
	memcpy(words, tuple, len);
	for (i = 0; i < len / 4; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	return rte_softrss(words, len / 4, key);
}

static void
check(const struct packet *p, const uint8_t *key, unsigned int want, const char *what)
{
	bool has_flag = (p->m.ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0;

	fake_assert(has_flag == (want != 0), "%s", what);
	fake_assert(want == 0 || p->m.hash.rss == softrss(p, key, want), "%s: 0x%08x, not 0x%08x",
			what, p->m.hash.rss, softrss(p, key, want));
}

/* Each alone, where the one by one way takes it, and eight of it, where groups might. */
static void
test_samples(void **state)
{
	static struct packet p[8];
	struct rte_mbuf *pkts[RTE_DIM(p)];
	uint8_t key[SLUICE_RSS_KEY_LEN];
	const struct sluice_rss_kit *kit;
	struct sluice_rss rss;
	unsigned int i, k, n;

	(void)state;
	for (k = 0; (kit = sluice_rss_kit_at(k, SIMD_ANY)) != NULL; k++)
		for (i = 0; i < RTE_DIM(samples); i++) {
			fake_context("%s", kit->name);
			set(&rss, key, true);
			for (n = 0; n < RTE_DIM(p); n++) {
				make(&p[n], &samples[i]);
				pkts[n] = &p[n].m;
			}
			kit->burst(&rss, pkts, 1);
			check(&p[0], key, samples[i].want, samples[i].name);
			p[0].m.ol_flags = 0;
			kit->burst(&rss, pkts, RTE_DIM(p));
			for (n = 0; n < RTE_DIM(p); n++)
				check(&p[n], key, samples[i].want, samples[i].name);
		}
}

/* Only addresses are hashed of anything. */
static void
test_addresses(void **state)
{
	uint8_t key[SLUICE_RSS_KEY_LEN];
	const struct sluice_rss_kit *kit;
	struct rte_mbuf *pkt;
	struct sluice_rss rss;
	struct packet p;
	unsigned int i, k;

	(void)state;
	for (k = 0; (kit = sluice_rss_kit_at(k, SIMD_ANY)) != NULL; k++)
		for (i = 0; i < RTE_DIM(samples); i++) {
			set(&rss, key, false);
			make(&p, &samples[i]);
			pkt = &p.m;
			kit->burst(&rss, &pkt, 1);
			check(&p, key, samples[i].want == 0 ? 0 : ADDRS, samples[i].name);
		}
}

/* In a group of eight one that ends before its ports do, and one that is a fragment, anywhere. */
static void
test_one_of_eight(void **state)
{
	static struct packet p[8];
	struct rte_mbuf *pkts[RTE_DIM(p)];
	uint8_t key[SLUICE_RSS_KEY_LEN];
	const struct sluice_rss_kit *kit;
	struct sluice_rss rss;
	unsigned int k, n, at;

	(void)state;
	set(&rss, key, true);
	for (k = 0; (kit = sluice_rss_kit_at(k, SIMD_ANY)) != NULL; k++)
		for (at = 0; at < 2 * RTE_DIM(p); at++) {
			for (n = 0; n < RTE_DIM(p); n++) {
				make(&p[n], &samples[0]);
				pkts[n] = &p[n].m;
			}
			n = at / 2;
			/*
			 * Fragments are hashed if that is asked for, and nothing else of theirs is.
			 */
			rss.tuple_len[SLUICE_RSS_IPV4][SLUICE_RSS_FRAG] = at % 2 == 0 ? 8 : 0;
			if (at % 2 == 0) {
				p[n].m.data_len--;
				p[n].m.pkt_len--;
			} else {
				make(&p[n], &samples[11]);
			}
			kit->burst(&rss, pkts, RTE_DIM(p));
			for (n = 0; n < RTE_DIM(p); n++)
				check(&p[n], key,
						n != at / 2                 ? PORTS :
								at % 2 == 0 ? ADDRS :
									      0,
						samples[11].name);
		}
}

/* Every flow and key is another one, and so are the neighbours in a burst. */
static void
test_random(void **state)
{
	static struct packet p[BURST];
	const struct sample *s[BURST];
	uint8_t key[SLUICE_RSS_KEY_LEN];
	const struct sluice_rss_kit *kit;
	struct rte_mbuf *pkts[BURST];
	struct sluice_rss rss;
	uint32_t done, nb, n, k;

	(void)state;
	for (done = 0; done < NB_FLOWS; done += nb) {
		if (done % 4096 < BURST)
			set(&rss, key, true);
		nb = 1 + fake_below(&seed, BURST);
		for (n = 0; n < nb; n++) {
			/* Most of them are what groups are made of. */
			s[n] = &samples[fake_below(&seed, 16) != 0 ?
							fake_below(&seed, 2) :
							fake_below(&seed, RTE_DIM(samples))];
			make(&p[n], s[n]);
			pkts[n] = &p[n].m;
		}
		for (k = 0; (kit = sluice_rss_kit_at(k, SIMD_ANY)) != NULL; k++) {
			fake_context("%s", kit->name);
			for (n = 0; n < nb; n++) {
				p[n].m.ol_flags = 0;
				p[n].m.hash.rss = 0xdeadbeef;
			}
			kit->burst(&rss, pkts, nb);
			for (n = 0; n < nb; n++)
				check(&p[n], key, s[n]->want, s[n]->name);
		}
	}
}

/*
 * A packet that ends anywhere: nothing behind it is read, which a sanitizer sees, and ports that
 * are not all there are none. Then the same in two segments, which end is where.
 */
static void
test_short(void **state)
{
	struct sluice_rss rss;
	uint8_t key[SLUICE_RSS_KEY_LEN], tuple[SLUICE_RSS_TUPLE_MAX], *bytes;
	struct rte_mbuf second;
	struct packet p;
	unsigned int i, len, end;
	uint32_t got, want, addrs, whole;

	(void)state;
	set(&rss, key, true);
	for (i = 0; i < RTE_DIM(samples); i++) {
		make(&p, &samples[i]);
		end = p.m.data_len;
		addrs = samples[i].is_v6 ? 32 : 8;
		whole = samples[i].want == 0 ? 0 : samples[i].want == PORTS ? addrs + 4 : addrs;
		for (len = 0; len <= end; len++) {
			bytes = malloc(RTE_MAX(len, 1U));
			assert_non_null(bytes);
			memcpy(bytes, p.bytes, len);
			p.m.buf_addr = bytes;
			p.m.data_len = len;
			p.m.pkt_len = len;
			got = sluice_rss_tuple(&rss, &p.m, tuple);
			want = len < p.dst + addrs / 2 ? 0 :
					len < p.l4 + 4 ? RTE_MIN(addrs, whole) :
							 whole;
			fake_assert(got == want, "%s, %u bytes: %u of %u", samples[i].name, len,
					got, want);
			memset(&second, 0, sizeof(second));
			second.buf_addr = p.bytes + len;
			second.data_len = end - len;
			p.m.pkt_len = end;
			p.m.nb_segs = 2;
			p.m.next = &second;
			got = sluice_rss_tuple(&rss, &p.m, tuple);
			fake_assert(got == whole, "%s, %u bytes in front: %u of %u",
					samples[i].name, len, got, whole);
			p.m.nb_segs = 1;
			p.m.next = NULL;
			free(bytes);
		}
	}
}

/* Bytes of any kind behind a type that is known: no read outside, which a sanitizer sees. */
static void
test_garbage(void **state)
{
	uint8_t key[SLUICE_RSS_KEY_LEN], tuple[SLUICE_RSS_TUPLE_MAX];
	struct sluice_rss rss;
	struct packet p;
	unsigned int i, k;

	(void)state;
	set(&rss, key, true);
	rss.tuple_len[SLUICE_RSS_IPV6_EX][SLUICE_RSS_UDP] = 36;
	rss.tuple_len[SLUICE_RSS_IPV6_EX][SLUICE_RSS_OTHER] = 32;
	for (i = 0; i < 200000; i++) {
		struct sample s = samples[fake_below(&seed, RTE_DIM(samples))];
		uint8_t *bytes;

		make(&p, &s);
		for (k = 0; k < 3; k++)
			p.bytes[p.l3 + fake_below(&seed, 60)] = fake_random(&seed);
		p.m.data_len = fake_below(&seed, 200);
		p.m.pkt_len = p.m.data_len;
		bytes = malloc(RTE_MAX(p.m.data_len, 1));
		memcpy(bytes, p.bytes, p.m.data_len);
		p.m.buf_addr = bytes;
		k = sluice_rss_tuple(&rss, &p.m, tuple);
		fake_assert(k % 4 == 0 && k <= SLUICE_RSS_TUPLE_MAX, "%u", k);
		free(bytes);
	}
}

/* Mobile nodes: addresses of their home, if that is asked for (5.1.6.4.3.4). */
static void
test_home(void **state)
{
	const struct sample plain = { "home", 0, true, 0, IPPROTO_UDP, 0, 0, PORTS };
	uint8_t key[SLUICE_RSS_KEY_LEN], tuple[SLUICE_RSS_TUPLE_MAX], *ip, ports[4];
	struct sluice_rss rss;
	struct packet p;

	(void)state;
	set(&rss, key, true);
	make(&p, &plain);
	ip = p.bytes + p.l3;
	memcpy(ports, p.bytes + p.l4, sizeof(ports));
	/* A route of type 2, and a home address behind some padding. */
	ip[6] = IPPROTO_ROUTING;
	memset(ip + 40, 0, 56);
	memcpy(ip + 40, (uint8_t[]){ IPPROTO_DSTOPTS, 2, 2, 1 }, 4);
	memset(ip + 48, 0x11, 16);
	memcpy(ip + 64, (uint8_t[]){ IPPROTO_UDP, 2, 1, 2, 0, 0, 0xc9, 16 }, 8);
	memset(ip + 72, 0x22, 16);
	memcpy(ip + 88, ports, sizeof(ports));
	p.m.data_len = p.l3 + 92;
	p.m.pkt_len = p.m.data_len;
	/* Nobody asks: as if the headers were not there. */
	assert_int_equal(sluice_rss_tuple(&rss, &p.m, tuple), 36);
	assert_memory_equal(tuple, ip + 8, 32);
	assert_memory_equal(tuple + 32, ports, sizeof(ports));
	rss.tuple_len[SLUICE_RSS_IPV6_EX][SLUICE_RSS_UDP] = 36;
	assert_int_equal(sluice_rss_tuple(&rss, &p.m, tuple), 36);
	assert_memory_equal(tuple, ip + 72, 16);
	assert_memory_equal(tuple + 16, ip + 48, 16);
	assert_memory_equal(tuple + 32, ports, sizeof(ports));
	/* A route that is over is none, and half an option is none. */
	ip[43] = 0;
	ip[71] = 17;
	assert_int_equal(sluice_rss_tuple(&rss, &p.m, tuple), 36);
	assert_memory_equal(tuple, ip + 8, 32);
}

int
main(void)
{
	suite_add(test_samples, NULL, "samples");
	suite_add(test_addresses, NULL, "addresses only");
	suite_add(test_one_of_eight, NULL, "one of eight");
	suite_add(test_random, NULL, "random");
	suite_add(test_short, NULL, "short, and in two segments");
	suite_add(test_garbage, NULL, "garbage");
	suite_add(test_home, NULL, "home addresses");
	return suite_run("rss");
}
