/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packet types of received packets: what is known by how they are made, and of packets that are
 * cut, changed and spread over segments what rte_net_get_ptype() says.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>

#include "rx_model.h"
#include "sluice_ptype.h"
#include "sluice_rx_stage.h"

#define LEN 120
#define NO_L3 0xff
#define NB_RANDOM 200000
#define STRIPPED (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)

struct sample {
	const char *name;
	uint16_t tags[2];  /* types, from the outermost; 0: no more */
	uint16_t type;     /* behind them */
	uint8_t nb_words;  /* of an IPv4 header */
	uint16_t fragment; /* its field, in the CPU's order */
	uint8_t extension; /* of IPv6, or 0 */
	uint8_t proto;
	uint32_t l2, l3, l4; /* what comes of it */
};

#define V4(words, fragment, proto) RTE_ETHER_TYPE_IPV4, words, fragment, 0, proto
#define V6(extension, proto) RTE_ETHER_TYPE_IPV6, 0, 0, extension, proto
#define ETHER RTE_PTYPE_L2_ETHER
#define TAGGED RTE_PTYPE_L2_ETHER_VLAN
#define DOUBLE RTE_PTYPE_L2_ETHER_QINQ

static const struct sample samples[] = {
	{ "UDP", { 0 }, V4(5, 0, IPPROTO_UDP), ETHER, RTE_PTYPE_L3_IPV4, RTE_PTYPE_L4_UDP },
	{ "TCP", { 0 }, V4(5, 0, IPPROTO_TCP), ETHER, RTE_PTYPE_L3_IPV4, RTE_PTYPE_L4_TCP },
	{ "SCTP", { 0 }, V4(5, 0, IPPROTO_SCTP), ETHER, RTE_PTYPE_L3_IPV4, RTE_PTYPE_L4_SCTP },
	{ "ICMP", { 0 }, V4(5, 0, IPPROTO_ICMP), ETHER, RTE_PTYPE_L3_IPV4, 0 },
	{ "UDP, do not fragment", { 0 }, V4(5, RTE_IPV4_HDR_DF_FLAG, IPPROTO_UDP), ETHER,
			RTE_PTYPE_L3_IPV4, RTE_PTYPE_L4_UDP },
	{ "first fragment", { 0 }, V4(5, RTE_IPV4_HDR_MF_FLAG, IPPROTO_UDP), ETHER,
			RTE_PTYPE_L3_IPV4, RTE_PTYPE_L4_FRAG },
	{ "last fragment", { 0 }, V4(5, 100, IPPROTO_TCP), ETHER, RTE_PTYPE_L3_IPV4,
			RTE_PTYPE_L4_FRAG },
	{ "TCP, options", { 0 }, V4(7, 0, IPPROTO_TCP), ETHER, RTE_PTYPE_L3_IPV4_EXT,
			RTE_PTYPE_L4_TCP },
	{ "UDP, all options", { 0 }, V4(15, 0, IPPROTO_UDP), ETHER, RTE_PTYPE_L3_IPV4_EXT,
			RTE_PTYPE_L4_UDP },
	{ "UDPv6", { 0 }, V6(0, IPPROTO_UDP), ETHER, RTE_PTYPE_L3_IPV6, RTE_PTYPE_L4_UDP },
	{ "TCPv6", { 0 }, V6(0, IPPROTO_TCP), ETHER, RTE_PTYPE_L3_IPV6, RTE_PTYPE_L4_TCP },
	{ "SCTPv6", { 0 }, V6(0, IPPROTO_SCTP), ETHER, RTE_PTYPE_L3_IPV6, RTE_PTYPE_L4_SCTP },
	{ "ICMPv6", { 0 }, V6(0, IPPROTO_ICMPV6), ETHER, RTE_PTYPE_L3_IPV6, 0 },
	{ "UDPv6, route", { 0 }, V6(IPPROTO_ROUTING, IPPROTO_UDP), ETHER, RTE_PTYPE_L3_IPV6_EXT,
			RTE_PTYPE_L4_UDP },
	{ "TCPv6, fragment", { 0 }, V6(IPPROTO_FRAGMENT, IPPROTO_TCP), ETHER, RTE_PTYPE_L3_IPV6_EXT,
			RTE_PTYPE_L4_FRAG },
	{ "TCP, a tag", { 0x8100 }, V4(5, 0, IPPROTO_TCP), TAGGED, RTE_PTYPE_L3_IPV4,
			RTE_PTYPE_L4_TCP },
	{ "UDPv6, a tag", { 0x8100 }, V6(0, IPPROTO_UDP), TAGGED, RTE_PTYPE_L3_IPV6,
			RTE_PTYPE_L4_UDP },
	{ "UDP, QinQ", { 0x88a8, 0x8100 }, V4(5, 0, IPPROTO_UDP), DOUBLE, RTE_PTYPE_L3_IPV4,
			RTE_PTYPE_L4_UDP },
	{ "ARP", { 0 }, RTE_ETHER_TYPE_ARP, NO_L3, 0, 0, 0, ETHER, 0, 0 },
	{ "ARP, a tag", { 0x8100 }, RTE_ETHER_TYPE_ARP, NO_L3, 0, 0, 0, TAGGED, 0, 0 },
	{ "LLDP", { 0 }, RTE_ETHER_TYPE_LLDP, NO_L3, 0, 0, 0, ETHER, 0, 0 },
};

static uint64_t seed = 1;

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void
make(uint8_t *bytes, const struct sample *s)
{
	uint32_t at = 12, i;
	uint8_t *ip;

	fake_fill(bytes, LEN, fake_random(&seed));
	for (i = 0; i < RTE_DIM(s->tags) && s->tags[i] != 0; i++, at += 4)
		put16(bytes + at, s->tags[i]);
	put16(bytes + at, s->type);
	ip = bytes + at + 2;
	if (s->type == RTE_ETHER_TYPE_IPV4) {
		ip[0] = 0x40 | s->nb_words;
		put16(ip + 6, s->fragment);
		ip[9] = s->proto;
	} else if (s->type == RTE_ETHER_TYPE_IPV6) {
		ip[0] = 0x60;
		ip[6] = s->extension != 0 ? s->extension : s->proto;
		if (s->extension != 0) {
			ip[40] = s->proto;
			ip[41] = 0;
		}
	}
}

/*
 * A packet of one or two segments, each in memory that ends with it: who reads beyond is found by
 * the address sanitizer.
 */
struct packet {
	struct rte_mbuf m[2];
	uint8_t *bytes[2];
};

static struct rte_mbuf *
lay(struct packet *p, const uint8_t *bytes, uint32_t len, uint32_t split)
{
	uint32_t i, n, nb_segs = split < len ? 2 : 1;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < nb_segs; i++) {
		n = nb_segs == 1 ? len : i == 0 ? split : len - split;
		p->bytes[i] = malloc(n);
		assert_non_null(p->bytes[i]);
		memcpy(p->bytes[i], bytes + i * split, n);
		p->m[i] = (struct rte_mbuf){ .buf_addr = p->bytes[i], .data_len = n, .nb_segs = 1 };
	}
	p->m[0].pkt_len = len;
	p->m[0].nb_segs = nb_segs;
	p->m[0].next = nb_segs == 2 ? &p->m[1] : NULL;
	return &p->m[0];
}

static uint32_t
type_of(const uint8_t *bytes, uint32_t len, uint32_t split, uint32_t families)
{
	struct packet p;
	struct rte_mbuf *m = lay(&p, bytes, len, split);

	m->packet_type = UINT32_MAX;
	sluice_ptype_burst(&m, 1, families);
	free(p.bytes[0]);
	free(p.bytes[1]);
	return m->packet_type;
}

static uint32_t
want_of(const struct sample *s, uint32_t families)
{
	return (s->l2 | s->l3 | s->l4) & families;
}

/* In one piece and in two, with all families and with each. */
static void
test_samples(void **state)
{
	static const uint32_t families[] = { SLUICE_PTYPE_FAMILIES, RTE_PTYPE_L2_MASK,
		RTE_PTYPE_L3_MASK, RTE_PTYPE_L4_MASK, RTE_PTYPE_L2_MASK | RTE_PTYPE_L4_MASK };
	unsigned int i, k, split;
	uint8_t bytes[LEN];

	(void)state;
	for (i = 0; i < RTE_DIM(samples); i++)
		for (k = 0; k < RTE_DIM(families); k++)
			for (split = RTE_ETHER_HDR_LEN; split <= LEN; split++) {
				uint32_t got, want = want_of(&samples[i], families[k]);

				make(bytes, &samples[i]);
				got = type_of(bytes, LEN, split, families[k]);
				fake_assert(got == want, "%s in %u: 0x%x, not 0x%x",
						samples[i].name, split, got, want);
			}
}

/* Cut anywhere, with bytes of the headers changed, in two segments: nothing is read beyond. */
static void
test_random(void **state)
{
	unsigned int i, k, nb_l4 = 0, nb_none = 0;
	uint8_t bytes[LEN];
	uint32_t len, split, got, want;

	(void)state;
	for (i = 0; i < NB_RANDOM; i++) {
		make(bytes, &samples[fake_below(&seed, RTE_DIM(samples))]);
		for (k = fake_below(&seed, 3); k != 0; k--)
			bytes[12 + fake_below(&seed, 50)] = fake_random(&seed);
		len = i % 2 == 0 ? LEN : 1 + fake_below(&seed, LEN);
		/* The library reads an Ethernet header in any segments; ours lie in the first. */
		split = len <= RTE_ETHER_HDR_LEN || i % 3 != 0 ?
				len :
				RTE_ETHER_HDR_LEN + fake_below(&seed, len - RTE_ETHER_HDR_LEN);
		got = type_of(bytes, len, split, SLUICE_PTYPE_FAMILIES);
		want = rx_model_ptype(bytes, len);
		fake_assert(got == want, "%u of %u bytes, split at %u: 0x%x, not 0x%x", i, len,
				split, got, want);
		nb_l4 += (got & RTE_PTYPE_L4_MASK) != 0;
		nb_none += got == 0;
	}
	assert_true(nb_l4 > NB_RANDOM / 4);
	assert_true(nb_none > NB_RANDOM / 100);
}

static void
deliver_all(struct env *e)
{
	uint8_t bytes[LEN];
	unsigned int i;

	for (i = 0; i < RTE_DIM(samples); i++) {
		make(bytes, &samples[i]);
		fake_dev_poll(&e->dev);
		assert_true(fake_dev_deliver(&e->dev, bytes, LEN, e->conf.order));
	}
}

/*
 * Behind each path, with and without the rest that software does, all switched while the queue
 * runs: what is told of a packet is what the application sees of it.
 */
static void
test_stage(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct sluice_rx_stage shown = { 0 };
	struct rte_mbuf *pkts[32];
	sluice_rx_stage_fn burst;
	unsigned int round, i;

	e->rxq.path = e->rx;
	e->rxq.stage = &shown;
	for (round = 0; round < 4; round++) {
		const struct sluice_rx_stage stage = { .has_vlan = round & 1,
			.ptypes = round & 2 ? SLUICE_PTYPE_FAMILIES : 0 };

		sluice_rx_stage_show(&shown, &stage);
		burst = sluice_rx_stage_burst(&stage);
		assert_int_equal(burst != NULL, round != 0);
		assert_int_equal(sluice_rx_stage_is_burst(burst), round != 0);
		deliver_all(e);
		assert_int_equal((burst != NULL ? burst : e->rx->burst)(&e->rxq, pkts, 32),
				RTE_DIM(samples));
		for (i = 0; i < RTE_DIM(samples); i++) {
			const struct sample *s = &samples[i];
			bool is_stripped = stage.has_vlan && s->tags[0] == 0x8100;
			uint32_t want = want_of(s, stage.ptypes);

			if (is_stripped && want != 0)
				want = (want & ~RTE_PTYPE_L2_MASK) | ETHER;
			fake_context("%s: round %u, %s", env_name(&e->conf), round, s->name);
			fake_assert(pkts[i]->packet_type == want, "0x%x, not 0x%x",
					pkts[i]->packet_type, want);
			assert_int_equal((pkts[i]->ol_flags & STRIPPED) != 0, is_stripped);
		}
		rte_pktmbuf_free_bulk(pkts, RTE_DIM(samples));
	}
	env_close(e);
}

int
main(void)
{
	suite_add(test_samples, NULL, "samples");
	suite_add(test_random, NULL, "random");
	suite_add_rx(test_stage, "stage");
	return suite_run("ptype");
}
