/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * TCP packets that a device made of several (LRO): what is said of them, alone, in batches and over
 * many buffers; and headers that cannot be, or that were not negotiated.
 */

#include <errno.h>
#include <string.h>

#include "fake_log.h"
#include "fake_port.h"
#include "rx_model.h"

#define LRO RTE_MBUF_F_RX_LRO
#define TCPV4 SLUICE_NET_HDR_GSO_TCPV4
#define TCPV6 SLUICE_NET_HDR_GSO_TCPV6
#define ECN SLUICE_NET_HDR_GSO_ECN
#define LEN 300
/* Longer than every header of the samples, and less than what follows. */
#define SEGSZ 100

/* As the driver has it, by the book: IPv6 without its header, Ethernet and two tags. */
#define MAX_FRAME (14 + 2 * 4 + 40 + 65535)

struct lro {
	struct rx_sample packet;
	uint8_t gso_type;
};

static const struct lro samples[] = {
	{ { "IPv4", 0, 20, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV4 },
	{ { "IPv6", 0, 0, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV6 },
	{ { "IPv4, ECN", 0, 20, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV4 | ECN },
	{ { "IPv6, ECN", 0, 0, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV6 | ECN },
	{ { "options", 0, 60, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV4 },
	{ { "VLAN", 1, 20, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV4 },
	{ { "QinQ", 2, 0, 6, 0, 16, NEEDS, NONE | LRO, false }, TCPV6 },
	{ { "all flags", 0, 20, 6, 0, 16, 0xff, NONE | LRO, false }, TCPV4 },
	/* Of a device that knows how to coalesce. */
	{ { "valid", 0, 20, 6, 0, 16, VALID, GOOD | LRO, false }, TCPV4 },
	{ { "no flag", 0, 0, 6, 0, 16, 0, LRO, false }, TCPV6 },
	/* What is in it is not what the device says; it decides nothing but the flags. */
	{ { "three tags", 3, 20, 6, 0, 16, NEEDS, LRO, true }, TCPV4 },
	{ { "UDP", 0, 20, 17, 0, 6, NEEDS, NONE | LRO, false }, TCPV4 },
	{ { "no IP", 0, 1, 6, 0, 16, VALID, GOOD | LRO, false }, TCPV6 },
};

static void
make(struct rx_packet *p, const struct lro *s, uint32_t len, uint16_t segsz, uint64_t seed)
{
	rx_model_make(p, &s->packet, len, seed);
	p->hdr.gso_type = s->gso_type;
	p->hdr.gso_size = segsz;
}

/* No longer than a segment: a packet as any other. */
static bool
is_one_segment(const struct rx_packet *p, const struct lro *s)
{
	/* Headers that nobody understands are not taken off. */
	bool is_plain = s->packet.proto == 6 && s->packet.l3_len != 1 && s->packet.nb_tags < 3;

	return (is_plain ? p->payload : 0) + p->hdr.gso_size >= p->len;
}

static struct env *
open_lro(struct env_conf *conf)
{
	conf->has_lro = true;
	conf->has_ecn = true;
	return env_open(conf);
}

static void
test_samples(void **state)
{
	struct env *e = open_lro(*state);
	struct rte_mbuf *pkts[8];
	static struct rx_packet p;
	unsigned int i, nb, k;

	for (nb = 1; nb <= 8; nb += 7)
		for (i = 0; i < RTE_DIM(samples); i++) {
			fake_context("%s: %s, %u", env_name(&e->conf), samples[i].packet.name, nb);
			for (k = 1; k < nb; k++)
				assert_true(env_deliver(e, 60));
			make(&p, &samples[i], LEN, SEGSZ, i);
			rx_model_deliver(e, &p);
			fake_assert(env_rx(e, pkts, 8) == nb, "not all came");
			rx_model_expect(pkts[nb - 1], &p, samples[i].packet.is_completed);
			for (k = 0; k < nb - 1; k++)
				fake_assert(pkts[k]->ol_flags == 0, "packet %u is marked", k);
			rte_pktmbuf_free_bulk(pkts, nb - 1);
		}
	assert_int_equal(e->q.stats.errors, 0);
	assert_int_equal(e->rxq.nb_lro, 2 * RTE_DIM(samples));
	env_close(e);
}

/* Lengths of payload around that of a segment, with all lengths of a TCP header. */
static void
test_one_segment(void **state)
{
	struct env *e = open_lro(*state);
	static struct rx_packet p;
	unsigned int i, seed;
	struct rte_mbuf *m;
	int delta;

	for (i = 0; i < RTE_DIM(samples); i++)
		for (seed = 0; seed < 11; seed++)
			for (delta = -1; delta <= 1; delta++) {
				fake_context("%s: %s, %u, %d", env_name(&e->conf),
						samples[i].packet.name, seed, delta);
				make(&p, &samples[i], LEN, SEGSZ, seed);
				p.hdr.gso_size = LEN - p.payload + delta;
				if (is_one_segment(&p, &samples[i]))
					p.want &= ~LRO;
				rx_model_deliver(e, &p);
				assert_int_equal(env_rx(e, &m, 1), 1);
				rx_model_expect(m, &p, samples[i].packet.is_completed);
			}
	env_close(e);
}

/* Over one buffer and over many, up to the longest of all; one byte more ends the queue. */
static void
test_lengths(void **state)
{
	static const uint32_t lens[] = { LEN, 1514, 2035, 2036, 2037, 2048, 4083, 4084, 4085, 9014,
		32768, 65534, 65535, 65536, 65549, MAX_FRAME - 1, MAX_FRAME };
	struct env *e = open_lro(*state);
	static struct rx_packet p;
	struct rte_mbuf *m;
	unsigned int i, k;

	for (i = 0; i < RTE_DIM(lens); i++)
		for (k = 0; k < RTE_DIM(samples); k++) {
			fake_context("%s: %s, %u bytes", env_name(&e->conf), samples[k].packet.name,
					lens[i]);
			make(&p, &samples[k], lens[i], SEGSZ, k);
			rx_model_deliver(e, &p);
			assert_int_equal(env_rx(e, &m, 1), 1);
			assert_int_equal(m->nb_segs, (12 + lens[i] + 2047) / 2048);
			rx_model_expect(m, &p, samples[k].packet.is_completed);
		}
	make(&p, &samples[0], MAX_FRAME + 1, SEGSZ, 1);
	rx_model_deliver(e, &p);
	assert_int_equal(env_rx(e, &m, 1), 0);
	assert_int_equal(e->q.fail, SLUICE_FAIL_NUM_BUFFERS);
	env_close(e);
}

/* Why a packet is dropped. */
enum reason { COMES, BAD_HDR, BAD_GSO };

struct bad {
	const char *name;
	uint8_t flags, gso_type;
	uint16_t segsz, start, offset;
	enum reason reason;
	bool has_lro, has_ecn; /* what was negotiated */
};

static const struct bad bads[] = {
	{ "the control", NEEDS, TCPV4, SEGSZ, 34, 16, COMES, true, true },
	{ "no size", NEEDS, TCPV4, 0, 34, 16, BAD_HDR, true, true },
	{ "no size, valid", VALID, TCPV6, 0, 34, 16, BAD_HDR, true, true },
	{ "checksum just inside", NEEDS, TCPV4, SEGSZ, LEN - 18, 16, COMES, true, true },
	{ "checksum half inside", NEEDS, TCPV4, SEGSZ, LEN - 17, 16, BAD_HDR, true, true },
	{ "checksum beyond", NEEDS, TCPV6, SEGSZ, 0xffff, 0xffff, BAD_HDR, true, true },
	{ "checksum beyond, not meant", VALID, TCPV6, SEGSZ, 0xffff, 0xffff, COMES, true, true },
	{ "UFO", NEEDS, 3, SEGSZ, 34, 6, BAD_GSO, true, true },
	{ "USO", NEEDS, 5, SEGSZ, 34, 6, BAD_GSO, true, true },
	{ "types that nobody knows", NEEDS, 2, SEGSZ, 34, 16, BAD_GSO, true, true },
	{ "both versions", NEEDS, TCPV4 | TCPV6, SEGSZ, 34, 16, BAD_GSO, true, true },
	{ "in a tunnel", NEEDS, 0x20 | TCPV4, SEGSZ, 34, 16, BAD_GSO, true, true },
	{ "ECN alone", NEEDS, ECN, SEGSZ, 34, 16, BAD_GSO, true, true },
	{ "all ones", 0xff, 0xff, 0xffff, 0xffff, 0xffff, BAD_GSO, true, true },
	{ "ECN not negotiated", NEEDS, TCPV4 | ECN, SEGSZ, 34, 16, BAD_GSO, true, false },
	{ "its control", NEEDS, TCPV4 | ECN, SEGSZ, 34, 16, COMES, true, true },
	{ "no ECN", NEEDS, TCPV4, SEGSZ, 34, 16, COMES, true, false },
	{ "nothing negotiated", NEEDS, TCPV4, SEGSZ, 34, 16, BAD_GSO, false, false },
	{ "nothing but ECN", NEEDS, TCPV4, SEGSZ, 34, 16, BAD_GSO, false, true },
};

/* One of 20 packets is bad, over one buffer or three; all others come, and nothing is missing. */
static void
check_bad(struct env *e, const struct bad *bad, unsigned int place, bool is_long)
{
	static const struct rx_sample tcp = { "", 0, 20, 6, 0, 16, 0, 0, false };
	uint64_t nb_hdr = e->rxq.nb_bad_hdr, nb_gso = e->rxq.nb_bad_gso, errors = e->q.stats.errors;
	uint64_t bytes = e->q.stats.bytes;
	uint32_t len = is_long ? 5000 : LEN;
	static struct rx_packet p;
	struct rte_mbuf *pkts[20];
	unsigned int i;
	uint16_t n;

	for (i = 0; i < 20; i++) {
		if (i != place) {
			assert_true(env_deliver(e, 60));
			continue;
		}
		rx_model_make(&p, &tcp, len, place);
		p.hdr.flags = bad->flags;
		p.hdr.gso_type = bad->gso_type;
		p.hdr.gso_size = bad->segsz;
		p.hdr.csum_start = bad->start + (bad->start > LEN / 2 && is_long ? len - LEN : 0);
		p.hdr.csum_offset = bad->offset;
		rx_model_deliver(e, &p);
	}
	n = env_rx(e, pkts, 20);
	fake_assert(n == 20 - (bad->reason != COMES), "%u came", n);
	rte_pktmbuf_free_bulk(pkts, n);
	fake_assert(e->rxq.nb_bad_hdr - nb_hdr == (bad->reason == BAD_HDR) &&
					e->rxq.nb_bad_gso - nb_gso == (bad->reason == BAD_GSO) &&
					e->q.stats.errors - errors == (bad->reason != COMES),
			"counted otherwise");
	assert_int_equal(e->q.stats.bytes - bytes, 19 * 60 + (bad->reason == COMES ? len : 0));
}

static void
test_bad_headers(void **state)
{
	struct env_conf *conf = *state;
	unsigned int i, place;
	struct env *e;

	for (i = 0; i < RTE_DIM(bads); i++) {
		conf->has_lro = bads[i].has_lro;
		conf->has_ecn = bads[i].has_ecn;
		e = env_open(conf);
		for (place = 0; place < 2 * 9; place++) {
			fake_context("%s: %s at %u", env_name(conf), bads[i].name, place);
			check_bad(e, &bads[i], place / 2, place % 2);
		}
		assert_false(env_has_failed(e));
		env_close(e);
	}
}

/* Packets of all kinds and lengths in one burst, in random order. */
static void
test_mixed(void **state)
{
	struct env *e = open_lro(*state);
	static struct rx_packet p[16];
	const struct lro *used[16];
	struct rte_mbuf *pkts[16];
	unsigned int round, i, nb;
	uint64_t nb_lro = 0;
	uint16_t n;

	for (round = 0; round < 200; round++) {
		nb = 1 + fake_below(&e->random, 16);
		fake_context("%s: round %u, %u packets", env_name(&e->conf), round, nb);
		for (i = 0; i < nb; i++) {
			uint32_t more = fake_below(&e->random, 4) == 0 ? 20000 : 500;

			used[i] = &samples[fake_below(&e->random, RTE_DIM(samples))];
			make(&p[i], used[i], LEN + fake_below(&e->random, more),
					1 + fake_below(&e->random, 1500), round * 16 + i);
			/* Every third is none. */
			if (i % 3 == 0)
				p[i].hdr.gso_type = 0;
			if (i % 3 == 0 || is_one_segment(&p[i], used[i]))
				p[i].want &= ~LRO;
			nb_lro += (p[i].want & LRO) != 0;
			rx_model_deliver(e, &p[i]);
		}
		n = env_rx(e, pkts, 16);
		fake_assert(n == nb, "%u came", n);
		for (i = 0; i < n; i++)
			rx_model_expect(pkts[i], &p[i], used[i]->packet.is_completed);
	}
	assert_int_equal(e->rxq.nb_lro, nb_lro);
	env_close(e);
}

#define LRO_OFFLOAD RTE_ETH_RX_OFFLOAD_TCP_LRO
/* It takes all of them; ECN is a matter of the device. */
#define LRO_FEATURES \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF))

static struct fake_port *
open_port(uint64_t rx_offloads, uint16_t size)
{
	struct fake_port_conf conf = { .rx_offloads = rx_offloads, .size = size };
	struct fake_port *f = fake_port_open(&conf);

	f->port->args.has_lro = true;
	return f;
}

static bool
offers_lro(struct fake_port *f)
{
	return (sluice_dev_rx_capa(f->port) & LRO_OFFLOAD) != 0;
}

/* A capability of what has all that it takes; who does not ask for it does not get it. */
static void
test_negotiation(void **state)
{
	static const uint64_t bits[] = { SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM),
		SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4), SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6),
		SLUICE_BIT(SLUICE_NET_F_MRG_RXBUF), SLUICE_BIT(SLUICE_NET_F_GUEST_ECN) };
	static const uint64_t asked[] = { 0, RTE_ETH_RX_OFFLOAD_TCP_CKSUM, LRO_OFFLOAD };
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(asked); i++) {
		f = open_port(asked[i], 0);
		fake_context("asked for 0x%lx", (unsigned long)asked[i]);
		assert_true(offers_lro(f));
		fake_port_live(f);
		assert_true(offers_lro(f));
		assert_int_equal(f->port->features & (bits[1] | bits[2] | bits[4]),
				i == 2 ? bits[1] | bits[2] | bits[4] : 0);
		assert_int_equal((f->port->features & bits[0]) != 0, i != 0);
		assert_int_equal(f->rxq[0].has_lro && f->rxq[0].has_ecn, i == 2);
		assert_int_equal(f->rxq[0].may_scatter && f->data.lro && f->data.scattered_rx,
				i == 2);
		fake_port_close(f);
	}
	for (i = 0; i < RTE_DIM(bits); i++) {
		bool is_needed = (bits[i] & LRO_FEATURES) != 0;

		f = open_port(LRO_OFFLOAD, 0);
		fake_context("bit %u is missing", i);
		f->ft.info.features &= ~bits[i];
		assert_int_equal(sluice_life_probe(f->port), 0);
		assert_int_equal(offers_lro(f), !is_needed);
		fake_log_begin();
		assert_int_equal(sluice_life_start(f->port), is_needed ? -ENOTSUP : 0);
		fake_assert((strstr(fake_log_end(), "enabled offload needs it") != NULL) ==
						is_needed,
				"other lines");
		assert_int_equal(f->rxq[0].has_lro && !f->rxq[0].has_ecn, !is_needed);
		fake_port_close(f);
	}
	for (i = 0; i < 2; i++) {
		f = open_port(0, 0);
		f->port->args.has_lro = i != 0;
		f->port->args.has_mrg = i == 0;
		assert_false(offers_lro(f));
		fake_port_close(f);
	}
}

/* No device can be told how long packets may be, and there has to be room for the longest. */
static void
test_sizes(void **state)
{
	struct rte_eth_rxmode mode = { .mtu = 1500 };
	static const struct {
		uint64_t offloads;
		uint32_t size;
		int ret;
	} sizes[] = { { LRO_OFFLOAD, 1518, 0 }, { LRO_OFFLOAD, 1519, -ENOTSUP },
		{ LRO_OFFLOAD, 1517, -ENOTSUP }, { LRO_OFFLOAD, MAX_FRAME - 1, -ENOTSUP },
		{ LRO_OFFLOAD, MAX_FRAME, 0 }, { 0, 9000, 0 } };
	struct fake_port *f;
	unsigned int i;

	(void)state;
	f = open_port(0, 0);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		fake_context("size %u", sizes[i].size);
		mode.offloads = sizes[i].offloads;
		mode.max_lro_pkt_size = sizes[i].size;
		assert_int_equal(sluice_check_lro_size(f->port, &mode), sizes[i].ret);
	}
	fake_port_close(f);
	for (i = 0; i < 4; i++) {
		/* 33 buffers of 2048 bytes are enough, 32 are not. */
		f = open_port(i == 3 ? 0 : LRO_OFFLOAD, i == 0 ? 64 : 34);
		fake_context("row %u", i);
		f->rxq[0].free_thresh_asked = i == 1 ? 2 : 3;
		if (i == 0)
			f->rxq[0].free_thresh_asked = 32;
		assert_int_equal(sluice_life_probe(f->port), 0);
		fake_log_begin();
		assert_int_equal(sluice_life_start(f->port), i == 2 ? -EINVAL : 0);
		fake_assert((strstr(fake_log_end(), "LRO needs room") != NULL) == (i == 2),
				"other lines");
		fake_port_close(f);
	}
}

static bool
is_csum_mrg(const struct env_conf *conf)
{
	return env_has_csum(conf) && env_has_mrg(conf);
}

int
main(void)
{
	suite_add_rx_if(is_csum_mrg, test_samples, "samples");
	suite_add_rx_if(is_csum_mrg, test_one_segment, "one segment");
	suite_add_rx_if(is_csum_mrg, test_lengths, "lengths");
	suite_add_rx_if(is_csum_mrg, test_bad_headers, "bad headers");
	suite_add_rx_if(is_csum_mrg, test_mixed, "mixed");
	suite_add(test_negotiation, NULL, "negotiation");
	suite_add(test_sizes, NULL, "sizes");
	return suite_run("lro");
}
