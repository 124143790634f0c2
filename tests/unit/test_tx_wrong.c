/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets that ask for what cannot be, or what nobody switched on: refused by rte_eth_tx_prepare(),
 * dropped and counted by the burst.
 */

#include <errno.h>

#include <rte_errno.h>

#include "sluice_tx_offload.h"
#include "tx_model.h"

/* A packet that is right, and what makes it wrong. */
struct wrong {
	const char *name, *ask;
	enum sluice_tx_fault fault;
	uint64_t add, clear;    /* flags */
	int l2, l3, l4, segsz;  /* -1: as they are */
	int outer_l2, outer_l3; /* 0: as they are */
	uint16_t cut;           /* into a first segment of so many bytes; 0: not */
	uint16_t grow;          /* by so many segments of 2000 bytes */
	uint16_t len;           /* only so many bytes; 0: all */
};

#define AS_IT_IS .l2 = -1, .l3 = -1, .l4 = -1, .segsz = -1
#define FLAGS SLUICE_TX_BAD_FLAGS
#define LENGTHS SLUICE_TX_BAD_LENGTHS
#define GSO SLUICE_TX_BAD_GSO

static const struct wrong wrongs[] = {
	{ "SCTP", "TCP", FLAGS, AS_IT_IS, .clear = TCP, .add = RTE_MBUF_F_TX_SCTP_CKSUM },
	{ "QinQ", "VLAN", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_QINQ },
	{ "outer IPv4 checksum", "TCP", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_OUTER_IP_CKSUM },
	{ "outer UDP checksum", "TCP", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_OUTER_UDP_CKSUM },
	{ "encryption", "nothing", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_SEC_OFFLOAD },
	{ "MACsec", "TCP", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_MACSEC },
	{ "both IP versions", "TCP", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_IPV6 },
	{ "no IP version", "UDP", FLAGS, AS_IT_IS, .clear = RTE_MBUF_F_TX_IPV4 },
	{ "an IPv4 checksum in IPv6", "TCP over IPv6", FLAGS, AS_IT_IS, .add = IPV4 },
	{ "an IPv4 checksum in nothing", "IPv4", FLAGS, AS_IT_IS, .clear = RTE_MBUF_F_TX_IPV4 },
	{ "segments of no IP", "TSO6", FLAGS, AS_IT_IS, .clear = RTE_MBUF_F_TX_IPV6 },
	{ "no l2_len", "TCP", LENGTHS, .l2 = 0, .l3 = -1, .l4 = -1, .segsz = -1 },
	{ "no l3_len", "UDP", LENGTHS, .l2 = -1, .l3 = 0, .l4 = -1, .segsz = -1 },
	{ "no lengths", "IPv4", LENGTHS, .segsz = -1 },
	{ "no lengths, to be segmented", "TSO4", LENGTHS, .segsz = -1 },
	{ "no l4_len", "TSO6", LENGTHS, .l2 = -1, .l3 = -1, .segsz = -1 },
	{ "UDP with options", "USO4", LENGTHS, .l2 = -1, .l3 = -1, .l4 = 12, .segsz = -1 },
	{ "l3_len beyond the packet", "TCP", LENGTHS, AS_IT_IS, .len = 40 },
	{ "IPv4 header beyond the packet", "IPv4", LENGTHS, AS_IT_IS, .len = 33 },
	{ "TCP header beyond the packet", "TSO4", LENGTHS, AS_IT_IS, .len = 53 },
	{ "UDP header beyond the packet", "USO6", LENGTHS, AS_IT_IS, .len = 61 },
	{ "l3_len no multiple of four", "IPv4", LENGTHS, .l2 = -1, .l3 = 22, .l4 = -1,
			.segsz = -1 },
	{ "headers of 400 bytes", "TSO6", LENGTHS, .l2 = 100, .l3 = 300, .l4 = -1, .segsz = -1 },
	{ "headers of 400 bytes", "TCP", LENGTHS, .l2 = 100, .l3 = 300, .l4 = -1, .segsz = -1 },
	{ "IPv6 with the length of IPv4", "TCP over IPv6", LENGTHS, .l2 = -1, .l3 = 20, .l4 = -1,
			.segsz = -1 },
	{ "a tag, and no l3_len", "VLAN, IPv4 and TCP", LENGTHS, .l2 = -1, .l3 = 0, .l4 = -1,
			.segsz = -1 },
	{ "checksum in the second segment", "UDP", SLUICE_TX_BAD_SPLIT, AS_IT_IS, .cut = 41 },
	{ "IP in the second segment", "IPv4", SLUICE_TX_BAD_SPLIT, AS_IT_IS, .cut = 20 },
	{ "TCP options in the second segment", "TSO4", SLUICE_TX_BAD_SPLIT, AS_IT_IS, .cut = 53 },
	{ "MSS 0", "TSO4", GSO, .l2 = -1, .l3 = -1, .l4 = -1 },
	{ "MSS that is none in Linux", "TSO4", GSO, .l2 = -1, .l3 = -1, .l4 = -1, .segsz = 65535 },
	{ "the same, with a tag", "TSO4, a long header and a tag", GSO, .l2 = -1, .l3 = -1,
			.l4 = -1, .segsz = 65535 },
	{ "no IPv4 checksum", "TSO4", GSO, AS_IT_IS, .clear = IPV4 },
	{ "checksum of UDP", "TSO4", GSO, AS_IT_IS, .add = UDP },
	{ "both kinds of segments", "TSO6", FLAGS, AS_IT_IS, .add = USO },
	{ "a tunnel", "TSO4", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_TUNNEL_VXLAN },
	{ "more than 64 KiB", "TSO4", GSO, AS_IT_IS, .grow = 33 },
	{ "a tag for 13 bytes", "VLAN", SLUICE_TX_BAD_VLAN, AS_IT_IS, .len = 13 },
};

/* The same where tunnels are switched on. */
#define NO_TUNNEL RTE_MBUF_F_TX_TUNNEL_MASK
static const struct wrong wrong_tunnels[] = {
	{ "GRE", "TSO4 in VXLAN", FLAGS, AS_IT_IS, .clear = NO_TUNNEL,
			.add = RTE_MBUF_F_TX_TUNNEL_GRE },
	{ "no kind of tunnel", "TSO4 in VXLAN", FLAGS, AS_IT_IS, .clear = NO_TUNNEL },
	{ "no outer IP", "TSO4 in VXLAN", FLAGS, AS_IT_IS, .clear = RTE_MBUF_F_TX_OUTER_IPV4 },
	{ "two outer IP", "TSO4 in VXLAN", FLAGS, AS_IT_IS, .add = RTE_MBUF_F_TX_OUTER_IPV6 },
	{ "both kinds of segments", "TSO4 in VXLAN", FLAGS, AS_IT_IS, .add = USO },
	{ "outer IPv4 checksum of IPv6", "USO4 in a UDP tunnel over IPv6", FLAGS, AS_IT_IS,
			.add = OUTER_IPV4 },
	{ "outer UDP checksum, no segments", "TCP in VXLAN, outer IPv4 checksum", FLAGS, AS_IT_IS,
			.add = OUTER_UDP },
	{ "outer IPv4 checksum of no tunnel", "TCP", FLAGS, AS_IT_IS, .add = OUTER_IPV4 },
	{ "outer UDP checksum of no tunnel", "TSO4", FLAGS, AS_IT_IS, .add = OUTER_UDP },
	{ "outer_l2_len 4", "TSO4 in VXLAN", LENGTHS, AS_IT_IS, .outer_l2 = 4 },
	{ "outer_l3_len 12", "TSO4 in VXLAN", LENGTHS, AS_IT_IS, .outer_l3 = 12 },
	{ "outer_l3_len no multiple of four", "outer IPv4 checksum", LENGTHS, AS_IT_IS,
			.outer_l3 = 22 },
	{ "outer_l3_len of IPv4 for IPv6", "USO4 in a UDP tunnel over IPv6", LENGTHS, AS_IT_IS,
			.outer_l3 = 20 },
	{ "outer IPv4 header beyond the packet", "outer IPv4 checksum", LENGTHS, AS_IT_IS,
			.len = 33 },
	{ "inner TCP header beyond the packet", "TSO4 in VXLAN", LENGTHS, AS_IT_IS, .len = 103 },
	{ "no UDP header", "TSO4 in VXLAN", LENGTHS, .l2 = 7, .l3 = -1, .l4 = -1, .segsz = -1 },
	{ "headers of 500 bytes", "TSO4 in VXLAN", LENGTHS, AS_IT_IS, .outer_l3 = 500 },
	{ "inner TCP in the second segment", "TSO4 in VXLAN", SLUICE_TX_BAD_SPLIT, AS_IT_IS,
			.cut = 90 },
	{ "outer IP in the second segment", "outer IPv4 checksum", SLUICE_TX_BAD_SPLIT, AS_IT_IS,
			.cut = 30 },
	{ "MSS 0", "TSO4 in VXLAN", GSO, .l2 = -1, .l3 = -1, .l4 = -1 },
	{ "one segment", "TSO4 in VXLAN", GSO, .l2 = -1, .l3 = -1, .l4 = -1, .segsz = 65534 },
	{ "one segment of UDP", "USO4 in a UDP tunnel over IPv6", GSO, .l2 = -1, .l3 = -1, .l4 = -1,
			.segsz = 65534 },
	{ "more than 64 KiB", "TSO4 in VXLAN", GSO, AS_IT_IS, .grow = 33 },
};

static void
spoil(struct tx_model *x, struct rte_mbuf *m, const struct wrong *w)
{
	unsigned int i;

	m->ol_flags = (m->ol_flags & ~w->clear) | w->add;
	if (w->outer_l2 != 0)
		m->outer_l2_len = w->outer_l2;
	if (w->outer_l3 != 0)
		m->outer_l3_len = w->outer_l3;
	if (w->l2 >= 0)
		m->l2_len = w->l2;
	if (w->l3 >= 0)
		m->l3_len = w->l3;
	if (w->l4 >= 0)
		m->l4_len = w->l4;
	if (w->segsz >= 0)
		m->tso_segsz = w->segsz;
	if (w->len != 0)
		rte_pktmbuf_trim(m, m->pkt_len - w->len);
	if (w->cut != 0) {
		i = m->data_len - w->cut;
		rte_pktmbuf_trim(m, i);
		rte_pktmbuf_chain(m, fake_mbuf(x->e->pool, 128, i));
	}
	for (i = 0; i < w->grow; i++)
		rte_pktmbuf_chain(m, fake_mbuf(x->e->pool, 0, 2000));
}

/* As long as IP can say, and one byte longer. */
static void
test_longest(void **state)
{
	static const struct {
		const char *ask;
		uint32_t len;
	} longest[] = { { "TSO4", 14 + 65535 }, { "TSO4 with CWR", 14 + 65535 },
		{ "TSO6", 14 + 40 + 65535 }, { "USO4", 14 + 65535 }, { "USO6", 14 + 40 + 65535 },
		{ "TSO6 with CWR and a tag", 14 + 40 + 65535 } };
	static struct tx_model x;
	struct rte_mbuf *m;
	unsigned int k, over;
	struct env *e;
	uint32_t len;

	tx_model_open(&x, *state);
	e = x.e;
	for (k = 0; k < 2 * RTE_DIM(longest); k++) {
		over = k % 2;
		len = longest[k / 2].len + over;
		fake_context("%s: %s of %u bytes", env_name(&e->conf), longest[k / 2].ask, len);
		m = tx_model_make(&x, 0, tx_ask_of(longest[k / 2].ask), PLAIN, true);
		m->tso_segsz = 1400;
		while (m->pkt_len < len)
			rte_pktmbuf_chain(
					m, fake_mbuf(e->pool, 0, RTE_MIN(2000u, len - m->pkt_len)));
		e->q.stats.errors = 0;
		e->txq.nb_faults[GSO] = 0;
		assert_int_equal(sluice_tx_prepare(&e->txq, &m, 1), !over);
		assert_true(!over || rte_errno == EINVAL);
		assert_int_equal(env_tx(e, &m, 1), 1);
		assert_int_equal(e->q.stats.errors, over);
		assert_int_equal(e->txq.nb_faults[GSO], over);
		fake_dev_poll(&e->dev);
		assert_int_equal(e->dev.nb_sent, !over);
		if (!over)
			assert_int_equal(e->dev.sent[0].len,
					len + (tx_ask_of(longest[k / 2].ask)->flags & VLAN ? 4 : 0));
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		fake_pool_assert_full(e->pool);
	}
	tx_model_close(&x);
}

/*
 * One wrong packet at each place of a burst, behind a right one that asks for the same: refused
 * with a reason, or dropped and counted if sent all the same, and its neighbours arrive. Right ones
 * in its place: nothing of the kind.
 */
static void
send_wrong(struct env_conf *conf, const struct wrong *list, unsigned int nb)
{
	static const enum shape shapes[] = { PLAIN, SHARED, SEGMENTS };
	unsigned int k, place, i, s, errors;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	const struct wrong *w;
	static struct tx_model x;
	struct env *e;

	tx_model_open(&x, conf);
	e = x.e;
	for (k = 0; k < nb * RTE_DIM(shapes) * 9; k++) {
		w = &list[k / 9 / RTE_DIM(shapes)];
		s = k / 9 % RTE_DIM(shapes);
		/* Of what is cut or made longer all is ours, and is a segment. */
		if (shapes[s] != PLAIN && (w->cut | w->grow | w->len) != 0)
			continue;
		place = k % 9;
		fake_context("%s: %s, %s, place %u", env_name(conf), w->name,
				tx_shape_names[shapes[s]], place);
		for (i = 0; i < 9; i++)
			pkts[i] = tx_model_make(&x, i,
					tx_ask_of(i == place || i + 1 == place ? w->ask : "TCP"),
					i == place ? shapes[s] : PLAIN, false);
		tx_model_prepare(&x, pkts, 9);
		if (place != 0)
			pkts[place]->tx_offload = pkts[place - 1]->tx_offload;
		spoil(&x, pkts[place], w);
		assert_int_equal(sluice_tx_prepare(&e->txq, pkts, 9), place);
		assert_int_equal(rte_errno,
				w->fault == FLAGS || w->fault == SLUICE_TX_BAD_SPLIT ? ENOTSUP :
										       EINVAL);
		errors = e->q.stats.errors;
		assert_int_equal(env_tx(e, pkts, 9), 9);
		fake_dev_poll(&e->dev);
		fake_assert(e->dev.nb_sent == 8, "%u arrived", e->dev.nb_sent);
		fake_assert(e->q.stats.errors == errors + 1 && e->txq.nb_faults[w->fault] == 1,
				"not counted for what it is");
		e->txq.nb_faults[w->fault] = 0;
		for (i = 0; i < 9; i++)
			if (i != place)
				tx_model_check(&x, i, i - (i > place));
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, 8, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		if (x.held[place] != NULL)
			rte_pktmbuf_free(x.held[place]);
		fake_pool_assert_full(e->pool);
		fake_check();
	}
	tx_model_close(&x);
}

static void
test_wrong_packets(void **state)
{
	send_wrong(*state, wrongs, RTE_DIM(wrongs));
}

static void
test_wrong_tunnels(void **state)
{
	((struct env_conf *)*state)->has_tunnel = true;
	send_wrong(*state, wrong_tunnels, RTE_DIM(wrong_tunnels));
}

static bool
may_have_tunnels(const struct env_conf *conf)
{
	return env_has_offloads(conf) && !env_is_copy(conf);
}

/* An offload that is not switched on, on every kind of queue; what is, goes. */
static void
test_not_switched_on(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	static struct tx_model x;
	unsigned int k, shape, i, nb_bad = 0;
	uint64_t flags;

	conf->tx_flags = env_has_offloads(conf) ? IPV4 | VLAN : 0;
	tx_model_open(&x, conf);
	for (k = 0; tx_asks[k].name != NULL; k++)
		for (shape = 0; shape < NB_SHAPES; shape++) {
			flags = tx_asks[k].flags & ~conf->tx_flags;
			fake_context("%s: %s, %s", env_name(conf), tx_asks[k].name,
					tx_shape_names[shape]);
			for (i = 0; i < 9; i++)
				pkts[i] = tx_model_make(&x, i, i == 4 ? &tx_asks[k] : &tx_asks[0],
						i == 4 ? shape : PLAIN, false);
			i = sluice_tx_prepare(&x.e->txq, pkts, 9);
			assert_int_equal(i, flags != 0 ? 4 : 9);
			assert_true(i == 9 || rte_errno == ENOTSUP);
			if (flags == 0) {
				x.e->q.stats.errors = 0;
				tx_model_send(&x, pkts, 9);
				continue;
			}
			nb_bad++;
			assert_int_equal(env_tx(x.e, pkts, 9), 9);
			fake_dev_poll(&x.e->dev);
			assert_int_equal(x.e->dev.nb_sent, 8);
			assert_int_equal(x.e->txq.nb_faults[SLUICE_TX_BAD_FLAGS], nb_bad);
			fake_dev_forget_sent(&x.e->dev);
			fake_dev_complete(&x.e->dev, 8, FAKE_ONE_BY_ONE);
			x.e->tx->cleanup(&x.e->txq, 0);
			tx_model_let_go(&x, 4);
		}
	tx_model_close(&x);
}

/* More segments than any descriptor chain may have. */
static void
test_prepare_too_long(void **state)
{
	struct env_conf *conf = *state;
	static struct tx_model x;
	struct rte_mbuf *m;
	unsigned int i;

	conf->size = 16;
	tx_model_open(&x, conf);
	m = fake_mbuf(x.e->pool, 128, 60);
	for (i = 1; i < 16; i++) {
		assert_int_equal(sluice_tx_prepare(&x.e->txq, &m, 1), 1);
		rte_pktmbuf_chain(m, fake_mbuf(x.e->pool, 0, 10));
	}
	assert_int_equal(sluice_tx_prepare(&x.e->txq, &m, 1), 0);
	assert_int_equal(rte_errno, EINVAL);
	rte_pktmbuf_free(m);
	tx_model_close(&x);
}

int
main(void)
{
	suite_add_tx_if(env_has_offloads, test_wrong_packets, "wrong packets");
	suite_add_tx_if(may_have_tunnels, test_wrong_tunnels, "wrong tunnels");
	suite_add_tx_if(env_has_offloads, test_longest, "longest");
	suite_add_tx(test_not_switched_on, "not switched on");
	suite_add_tx_if(env_has_offloads, test_prepare_too_long, "too long to be prepared");
	return suite_run("tx_wrong");
}
