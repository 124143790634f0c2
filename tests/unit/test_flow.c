/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What of a packet flow rules look at, whatever it is, and which packets match which pattern.
 */

#include "flow_world.h"

#define ALL_LAYERS 0x3f
#define IP_LAYERS (SLUICE_FLOW_IPV4 | SLUICE_FLOW_IPV6)

/* Frames of LEN bytes: what is in them, and where it is; all else is 0. */
#define LEN 100
static struct sample {
	const char *name;
	uint8_t layers;
	uint8_t nb_l3; /* bytes with the header of IP; 0: there is none */
	uint8_t nb;    /* bytes with all that the layers need */
	const char *text;
	uint8_t bytes[LEN];
} samples[] = {
	{ "no IP", 0, 0, 14, "@12 0806", { 0 } },
	{ "UDP", SLUICE_FLOW_IPV4 | SLUICE_FLOW_UDP, 34, 42,
			"@12 0800 45 @23 11 @26 0a000001 0a000002 01020304", { 0 } },
	{ "TCP behind options", SLUICE_FLOW_IPV4 | SLUICE_FLOW_TCP, 74, 94,
			"@12 0800 4f @23 06 @26 0a000001 0a000002 @74 01020304", { 0 } },
	{ "a tag", SLUICE_FLOW_VLAN | SLUICE_FLOW_IPV4 | SLUICE_FLOW_UDP, 38, 46,
			"@12 8100 1005 0800 45 @27 11 @30 0a000001 0a000002 01020304", { 0 } },
	{ "two tags", SLUICE_FLOW_VLAN, 0, 18, "@12 88a8 1005 8100 1006 0800 45", { 0 } },
	{ "SCTP over IPv6", SLUICE_FLOW_IPV6 | SLUICE_FLOW_SCTP, 54, 66,
			"@12 86dd 60 @20 84 @22 20 @38 20 @54 01020304", { 0 } },
	{ "an extension header", SLUICE_FLOW_IPV6, 54, 54, "@12 86dd 60 @20 00 @54 11", { 0 } },
	{ "the first fragment", SLUICE_FLOW_IPV4, 34, 34, "@12 0800 45 @20 20 @23 11", { 0 } },
	{ "a later fragment", SLUICE_FLOW_IPV4, 34, 34, "@12 0800 45 @21 40 @23 11", { 0 } },
	{ "no version 4", 0, 0, 14, "@12 0800 65 @23 11", { 0 } },
	{ "no header length", 0, 0, 14, "@12 0800 44 @23 11", { 0 } },
	{ "no version 6", 0, 0, 14, "@12 86dd 45 @20 11", { 0 } },
};

static void
write_samples(void)
{
	const char *text;
	unsigned int i, at, byte;

	for (i = 0; i < RTE_DIM(samples); i++)
		for (text = samples[i].text, at = 0; *text != '\0';) {
			if (*text == ' ') {
				text++;
			} else if (*text == '@') {
				at = strtoul(text + 1, (char **)(uintptr_t)&text, 10);
			} else {
				assert_int_equal(sscanf(text, "%2x", &byte), 1);
				samples[i].bytes[at++] = byte;
				text += 2;
			}
		}
}

/* Headers are there if all of them are, in whatever segments. */
static void
test_headers(void **state)
{
	union sluice_flow_bits bits, same;
	const struct sample *s;
	struct rte_mbuf *m;
	uint32_t len, seg;

	(void)state;
	assert_int_equal(open_world(NB_QUEUES, 1, UDP), 0);
	for (s = samples; s < samples + RTE_DIM(samples); s++)
		for (len = 1; len <= LEN; len++) {
			fake_context("%s, %u bytes", s->name, len);
			m = packet(s->bytes, len, len);
			fake_assert(sluice_flow_look(&bits, m) == (len >= 14), "no Ethernet");
			rte_pktmbuf_free(m);
			if (len < 14)
				continue;
			fake_assert((bits.key.layers & ~s->layers) == 0, "0x%x", bits.key.layers);
			fake_assert((bits.key.layers == s->layers) == (len >= s->nb), "0x%x",
					bits.key.layers);
			fake_assert((bits.key.layers & IP_LAYERS) ==
							(len >= s->nb_l3 ? s->layers & IP_LAYERS :
									   0),
					"0x%x", bits.key.layers);
			if (bits.key.layers >= SLUICE_FLOW_TCP)
				assert_memory_equal(bits.key.ports, "\1\2\3\4", 4);
			if (bits.key.layers & SLUICE_FLOW_VLAN)
				assert_int_equal(bits.key.vlan.vlan_tci, RTE_BE16(0x1005));
			for (seg = 1; seg <= 64; seg *= 4) {
				m = packet(s->bytes, len, seg);
				assert_true(sluice_flow_look(&same, m));
				assert_memory_equal(&bits, &same, sizeof(bits));
				rte_pktmbuf_free(m);
			}
		}
	close_world();
}

/* A tag that was taken off is where it was. */
static void
test_stripped(void **state)
{
	union sluice_flow_bits bits, same;
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(open_world(NB_QUEUES, 1, UDP), 0);
	m = packet(samples[3].bytes, 60, 60);
	assert_true(sluice_flow_look(&bits, m));
	assert_int_equal(rte_vlan_strip(m), 0);
	assert_true(sluice_flow_look(&same, m));
	assert_memory_equal(&bits, &same, sizeof(bits));
	rte_pktmbuf_free(m);
	close_world();
}

/* Any bytes. What comes out is checked against the lengths alone; the rest is the sanitizer's. */
static void
test_random(void **state)
{
	union sluice_flow_bits bits, same;
	uint8_t bytes[120];
	struct rte_mbuf *m;
	uint32_t n, len, i, layers;
	const struct sample *s;

	(void)state;
	assert_int_equal(open_world(NB_QUEUES, 1, UDP), 0);
	for (n = 0; n < 20000; n++) {
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = fake_random(&w->seed);
		s = &samples[fake_below(&w->seed, RTE_DIM(samples))];
		memcpy(bytes + 12, s->bytes + 12, fake_below(&w->seed, 20));
		len = 14 + fake_below(&w->seed, sizeof(bytes) - 13);
		m = packet(bytes, len, 120);
		assert_true(sluice_flow_look(&bits, m));
		rte_pktmbuf_free(m);
		m = packet(bytes, len, 1 + fake_below(&w->seed, 40));
		assert_true(sluice_flow_look(&same, m));
		rte_pktmbuf_free(m);
		assert_memory_equal(&bits, &same, sizeof(bits));
		layers = bits.key.layers;
		fake_assert((layers & ~ALL_LAYERS) == 0, "0x%x", layers);
		fake_assert(!(layers & SLUICE_FLOW_IPV6) || len >= 54, "%u", len);
		fake_assert(!(layers & SLUICE_FLOW_IPV4) || len >= 34, "%u", len);
		fake_assert(layers < SLUICE_FLOW_TCP || len >= 42, "%u", len);
	}
	close_world();
}

/* A rule of this pattern gets these of the samples, a bit for each; by either fate. */
static void
check_pattern(const char *name, const struct rte_flow_item *pattern, uint32_t match)
{
	static const struct rte_flow_action_queue third = { .index = 2 };
	struct rte_flow *flow;
	bool is_match;
	unsigned int i;

	flow = make(pattern, ACTIONS(ACTION(QUEUE, &third)));
	for (i = 0; i < RTE_DIM(samples); i++) {
		fake_context("%s: %s", name, samples[i].name);
		if ((match >> i & 1) != 0)
			fake_assert(where(samples[i].bytes, LEN) == 2, "another queue");
	}
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, flow, &error), 0);
	flow = make(pattern, ACTIONS(ACTION(DROP, NULL)));
	for (i = 0; i < RTE_DIM(samples); i++) {
		is_match = (match >> i & 1) != 0;
		fake_context("%s: %s", name, samples[i].name);
		fake_assert((where(samples[i].bytes, LEN) == NB_QUEUES) == is_match, "match: %d",
				is_match);
	}
	assert_int_equal(sluice_flow_ops.destroy(&w->dev, flow, &error), 0);
}

static void
test_patterns(void **state)
{
	static struct rte_flow_item_eth eth, eth_mask;
	static struct rte_flow_item_vlan vlan;
	static struct rte_flow_item_ipv4 net, net_mask, proto, proto_mask;
	static struct rte_flow_item_ipv6 ip6, ip6_mask;
	static struct rte_flow_item_udp udp, other;
	static struct rte_flow_item_tcp tcp;
	static struct rte_flow_item_sctp sctp;
	static const struct {
		const char *name;
		struct rte_flow_item pattern[4];
		uint32_t match;
	} cases[] = {
		{ "all", { ITEM(ETH) }, 0xfff },
		{ "nothing at all", { ITEM(VOID) }, 0xfff },
		{ "a type", { WITH(ETH, &eth, &eth_mask) }, 1 << 0 },
		{ "tags", { ITEM(ETH), ITEM(VLAN) }, 1 << 3 | 1 << 4 },
		{ "a tag", { ITEM(ETH), WITH(VLAN, &vlan, NULL) }, 1 << 3 | 1 << 4 },
		{ "IPv4", { ITEM(ETH), ITEM(IPV4) }, 1 << 1 | 1 << 2 | 1 << 7 | 1 << 8 },
		{ "no eth", { ITEM(IPV4), ITEM(UDP) }, 1 << 1 },
		{ "behind a tag", { ITEM(ETH), ITEM(VLAN), ITEM(IPV4) }, 1 << 3 },
		{ "a network", { ITEM(ETH), WITH(IPV4, &net, &net_mask) }, 1 << 1 | 1 << 2 },
		{ "a protocol", { WITH(IPV4, &proto, &proto_mask) }, 1 << 1 | 1 << 7 | 1 << 8 },
		{ "IPv6", { ITEM(ETH), WITH(IPV6, &ip6, &ip6_mask) }, 1 << 5 },
		{ "UDP", { ITEM(ETH), ITEM(IPV4), WITH(UDP, &udp, NULL) }, 1 << 1 },
		{ "another port", { ITEM(ETH), ITEM(IPV4), WITH(UDP, &other, NULL) }, 0 },
		{ "TCP", { ITEM(ETH), ITEM(IPV4), WITH(TCP, &tcp, NULL) }, 1 << 2 },
		{ "SCTP", { ITEM(IPV6), WITH(SCTP, &sctp, NULL) }, 1 << 5 },
	};
	unsigned int i;

	(void)state;
	eth.hdr.ether_type = RTE_BE16(0x0806);
	eth_mask.hdr.ether_type = RTE_BE16(0xffff);
	/* Priority bits are not in the default mask. */
	vlan.hdr.vlan_tci = RTE_BE16(0xf005);
	net.hdr.src_addr = RTE_BE32(0x0a000000);
	net_mask.hdr.src_addr = RTE_BE32(0xff000000);
	proto.hdr.next_proto_id = 17;
	proto_mask.hdr.next_proto_id = 0xff;
	memset(&ip6.hdr.dst_addr, 0x20, 1);
	memset(&ip6_mask.hdr.dst_addr, 0xff, sizeof(ip6_mask.hdr.dst_addr));
	udp.hdr.src_port = RTE_BE16(0x0102);
	udp.hdr.dst_port = RTE_BE16(0x0304);
	other.hdr.src_port = udp.hdr.src_port;
	other.hdr.dst_port = RTE_BE16(0x0305);
	tcp.hdr.src_port = udp.hdr.src_port;
	tcp.hdr.dst_port = udp.hdr.dst_port;
	sctp.hdr.src_port = udp.hdr.src_port;
	sctp.hdr.dst_port = udp.hdr.dst_port;
	open_started();
	for (i = 0; i < RTE_DIM(cases); i++)
		check_pattern(cases[i].name, cases[i].pattern, cases[i].match);
	close_world();
}

int
main(void)
{
	write_samples();
	suite_add(test_headers, NULL, "headers");
	suite_add(test_stripped, NULL, "a tag that was taken off");
	suite_add(test_random, NULL, "random bytes");
	suite_add(test_patterns, NULL, "patterns");
	return suite_run("flow");
}
