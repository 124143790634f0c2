/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receiving packets that may take several buffers.
 */

#include "env.h"
#include "sluice_rx.h"

static void
test_mergeable_packets(void **state)
{
	static const uint32_t odd[] = { 14, 15, 59, 60, 1514, 2047, 2048, 2049, 4107, 4108, 4109,
		9000, 9014, 16000, 65000, 65535 };
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i, round, nb_multi;

	for (conf->order = FAKE_ONE_BY_ONE; conf->order <= FAKE_SHUFFLED; conf->order++) {
		if ((conf->order == FAKE_SHUFFLED) == conf->is_in_order &&
				conf->order != FAKE_ONE_BY_ONE)
			continue;
		e = env_open(conf);
		nb_multi = 0;
		for (round = 0; round < 20; round++)
			for (i = 0; i < RTE_DIM(odd); i++) {
				fake_assert(env_deliver(e, odd[i]), "no buffers for %u bytes",
						odd[i]);
				env_expect(e, odd[i], e->nb_packets - 1);
				nb_multi += SLUICE_NET_HDR_LEN + odd[i] > env_post_len(e);
			}
		assert_int_equal(e->rxq.nb_multi, nb_multi);
		assert_int_equal(nb_multi, 20 * (env_has_csum(conf) ? 11 : 9));
		env_close(e);
	}
}

/* Lengths around the end of the first, the second and the third buffer. */
static void
test_buffers_exactly_full(void **state)
{
	struct env_conf *conf = *state;
	struct env *e = env_open_from(state, 0);
	uint32_t post = env_post_len(e), max = env_has_mrg(conf) ? 3 : 1, nb, len;
	int delta;

	for (nb = 1; nb <= max; nb++)
		for (delta = -2; delta <= (nb < max ? 2 : 0); delta++) {
			len = nb * post - SLUICE_NET_HDR_LEN + delta;
			fake_context("%s: %u buffers, %d", env_name(&e->conf), nb, delta);
			assert_true(env_deliver(e, len));
			env_expect(e, len, e->nb_packets - 1);
		}
	assert_false(env_has_failed(e));
	env_close(e);
}

/* A packet whose buffers come one by one, over several bursts; others before and behind it. */
static void
test_packet_in_pieces(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t post = env_post_len(e), i;
	static uint8_t bytes[8 * 4096];
	struct fake_buf *b;

	fake_dev_poll(&e->dev);
	for (i = 0; i < 5; i++) {
		fake_fill(bytes, 5 * post, 1);
		b = fake_dev_held(&e->dev, 0);
		if (i == 0)
			fake_dev_write_header(&e->dev, b, 5);
		fake_dev_write(&e->dev, b, i == 0 ? 12 : 0, bytes + (i == 0 ? 0 : i * post - 12),
				i == 0 ? post - 12 : post);
		fake_dev_use(&e->dev, 0, i == 4 ? 100 : post);
		if (i < 4)
			env_expect_burst(e, 0, 0, 0);
	}
	env_expect(e, 4 * post - 12 + 100, 1);
	e->nb_packets = 2;
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 2);
	/* Stopped in the middle of one. */
	b = fake_dev_held(&e->dev, 0);
	fake_dev_write_header(&e->dev, b, 3);
	fake_dev_use(&e->dev, 0, post);
	fake_dev_use(&e->dev, 0, post);
	env_expect_burst(e, 0, 0, 0);
	assert_non_null(e->rxq.seg_first);
	env_restart(e);
	assert_null(e->rxq.seg_first);
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 3);
	env_close(e);
}

/*
 * Buffers between a packet's first and last are taken as full ones as long as they are, and any
 * other way when they are not: each of them short in turn, in a burst that ends anywhere.
 */
static void
test_short_middle(void **state)
{
	enum { NB = 6, SHORT = 100 };
	struct env *e = env_open_from(state, 0);
	uint32_t post = env_post_len(e), i, round, len, at;
	static uint8_t bytes[NB * 4096];
	struct fake_buf *b;

	for (round = 0; round < 20 * NB; round++) {
		const uint32_t at_short = round % NB;

		fake_context("%s: buffer %u is short", env_name(&e->conf), at_short);
		len = NB * post - SLUICE_NET_HDR_LEN - (at_short != 0 ? post - SHORT : 0);
		fake_fill(bytes, len, round);
		fake_dev_poll(&e->dev);
		for (i = 0, at = 0; i < NB; i++) {
			uint32_t hdr = i == 0 ? SLUICE_NET_HDR_LEN : 0;
			uint32_t used = i != 0 && i == at_short ? SHORT : post;

			b = fake_dev_held(&e->dev, 0);
			if (i == 0)
				fake_dev_write_header(&e->dev, b, NB);
			fake_dev_write(&e->dev, b, hdr, bytes + at, used - hdr);
			at += used - hdr;
			fake_dev_use(&e->dev, 0, used);
			if (i == round / NB % NB && i != NB - 1)
				env_expect_burst(e, 0, 0, 0);
		}
		assert_int_equal(at, len);
		env_expect(e, len, round);
	}
	assert_false(env_has_failed(e));
	assert_int_equal(e->rxq.nb_multi, 20 * NB);
	env_close(e);
}

/*
 * What the second half of a packet is, which has no header: like one of many buffers, or like an
 * empty one.
 */
static const uint8_t ones[100] = { [0 ... 99] = 0xff };
static const uint8_t zeros[100];

/* Half of a packet, of 100 bytes, that does not fill its buffer. */
static void
deliver_half(struct env *e, const uint8_t *bytes, unsigned int half)
{
	struct fake_buf *b;

	fake_dev_poll(&e->dev);
	b = fake_dev_held(&e->dev, 0);
	if (half == 0)
		fake_dev_write_header(&e->dev, b, 2);
	fake_dev_write(&e->dev, b, half == 0 ? 12 : 0, bytes, 100);
	fake_dev_use(&e->dev, 0, half == 0 ? 112 : 100);
}

/*
 * A device that spreads packets without filling buffers is found out by the header that is read
 * although it need not be. When that is the header of a first half, packets are whole from then on.
 * When it is a second half, what is read is no header, and the queue fails. In no case are packets
 * cut for ever.
 */
static void
check_sampling(struct env *e, unsigned int nb_honest)
{
	unsigned int i, nb_cut = 0, nb_whole = 0;
	struct rte_mbuf *m;

	fake_context("%s: after %u packets", env_name(&e->conf), nb_honest);
	for (i = 0; i < nb_honest; i++) {
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, e->nb_packets - 1);
	}
	for (i = 0; i < 4 * SLUICE_RX_SAMPLE && !env_has_failed(e); i++) {
		deliver_half(e, ones, i & 1);
		while (env_rx(e, &m, 1) == 1) {
			fake_assert(m->pkt_len == 200 || nb_whole == 0, "cut again");
			nb_cut += m->pkt_len != 200;
			nb_whole += m->pkt_len == 200;
			rte_pktmbuf_free(m);
		}
	}
	/* Buffers are counted ring by ring, about. */
	assert_true(nb_cut != 0 && nb_cut <= SLUICE_RX_SAMPLE + (uint32_t)e->conf.size);
	if (env_has_failed(e)) {
		assert_int_equal(e->q.fail, SLUICE_FAIL_NUM_BUFFERS);
		assert_int_equal(nb_whole, 0);
	} else {
		assert_true(nb_whole >= SLUICE_RX_SAMPLE);
	}
}

static void
test_header_sampling(void **state)
{
	struct env_conf *conf = *state;
	unsigned int nb_failed = 0, i;
	struct env *e;

	e = env_open(conf);
	for (i = 10; i < 14; i++) {
		check_sampling(e, i);
		nb_failed += env_has_failed(e);
		env_restart(e);
	}
	assert_int_equal(nb_failed, 2);
	env_close(e);
}

/* A device that fills buffers as it must has its headers read only now and then. */
static void
test_headers_are_left_alone(void **state)
{
	struct env_conf *conf = *state;
	struct env *e = env_open(conf);
	unsigned int i;

	/*
	 * The first header is looked at; then the device can write there what it likes for a while.
	 */
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 0);
	for (i = 0; i < 500; i++) {
		fake_dev_poll(&e->dev);
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0), 0xffff);
		fake_dev_use(&e->dev, 0, 100);
		env_rx_and_free(e, 1);
	}
	assert_false(env_has_failed(e));
	env_close(e);
}

/*
 * DPDK's vhost library up to 22.11.0 leaves num_buffers 0 where a packet fits a buffer. All packets
 * come, those of several buffers among them, and what was read is counted: every header, or those
 * that the guard and full buffers ask for.
 */
static void
test_zero_num_buffers(void **state)
{
	static const uint32_t lens[] = { 60, 60, 1514, 60, 60, 60, 60, 2036, 2048, 5000, 60, 60 };
	struct env_conf *conf = *state;
	unsigned int i, round, nb_one = 0, nb_full = 0, nb_sampled;
	struct env *e;

	conf->order = FAKE_ONE_BY_ONE;
	e = env_open(conf);
	e->dev.leaves_num_buffers_0 = true;
	for (round = 0; round < 300; round++)
		for (i = 0; i < RTE_DIM(lens); i++) {
			uint32_t used = SLUICE_NET_HDR_LEN + lens[i];

			assert_true(env_deliver(e, lens[i]));
			env_expect(e, lens[i], e->nb_packets - 1);
			nb_one += used <= env_post_len(e);
			nb_full += used == env_post_len(e);
		}
	assert_false(env_has_failed(e));
	nb_sampled = e->rxq.nb_zero_num_buffers - nb_full;
	if (env_has_csum(conf))
		assert_int_equal(e->rxq.nb_zero_num_buffers, nb_one);
	else
		/* Behind one that says nothing, the next. */
		fake_assert(nb_sampled >= 2 && nb_sampled <= 2 + 2 * nb_one / SLUICE_RX_SAMPLE,
				"%u headers were read for nothing", nb_sampled);
	assert_int_equal(e->q.stats.errors, 0);
	env_close(e);
}

/*
 * A device that does not fill buffers is found out although the second halves look like headers
 * that say 0.
 */
static void
test_zero_halves(void **state)
{
	struct env_conf *conf = *state;
	struct env *e = env_open(conf);
	unsigned int i, nb_whole = 0;
	struct rte_mbuf *m;

	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 0);
	for (i = 0; i < 4 * SLUICE_RX_SAMPLE; i++) {
		deliver_half(e, zeros, i & 1);
		while (env_rx(e, &m, 1) == 1) {
			nb_whole += m->pkt_len == 200;
			rte_pktmbuf_free(m);
		}
	}
	assert_false(env_has_failed(e));
	fake_assert(nb_whole > SLUICE_RX_SAMPLE / 2, "%u packets were whole", nb_whole);
	env_close(e);
}

/*
 * Packets of several buffers for an application that did not ask for them: dropped, counted, and
 * nothing else is.
 */
static void
test_nobody_asked_for_chains(void **state)
{
	static const uint32_t lens[] = { 60, 4000, 1514, 9000, 2037 + SLUICE_NET_HDR_LEN, 60 };
	struct env_conf *conf = *state;
	unsigned int i, round, nb_good = 0;
	uint64_t nb_bytes = 0;
	struct env *e;

	conf->order = FAKE_ONE_BY_ONE;
	e = env_open(conf);
	e->rxq.may_scatter = false;
	for (round = 0; round < 50; round++)
		for (i = 0; i < RTE_DIM(lens); i++) {
			assert_true(env_deliver(e, lens[i]));
			if (SLUICE_NET_HDR_LEN + lens[i] > env_post_len(e)) {
				env_expect_burst(e, 0, 0, 0);
				continue;
			}
			env_expect(e, lens[i], e->nb_packets - 1);
			nb_good++;
			nb_bytes += lens[i];
		}
	assert_false(env_has_failed(e));
	assert_int_equal(e->rxq.nb_scattered, 50 * RTE_DIM(lens) - nb_good);
	assert_int_equal(e->q.stats.errors, e->rxq.nb_scattered);
	assert_int_equal(e->q.stats.packets, nb_good);
	assert_int_equal(e->q.stats.bytes, nb_bytes);
	env_close(e);
}

static bool
is_unread(const struct env_conf *conf)
{
	return !env_has_csum(conf);
}

static bool
is_sampled(const struct env_conf *conf)
{
	return env_has_mrg(conf) && is_unread(conf);
}

int
main(void)
{
	suite_add_rx_if(env_has_mrg, test_mergeable_packets, "mergeable packets");
	suite_add_rx(test_buffers_exactly_full, "buffers exactly full");
	suite_add_rx_if(env_has_mrg, test_packet_in_pieces, "packet in pieces");
	suite_add_rx_if(env_has_mrg, test_short_middle, "short middle");
	suite_add_rx_if(is_sampled, test_header_sampling, "header sampling");
	suite_add_rx_if(env_has_mrg, test_zero_num_buffers, "num_buffers left 0");
	suite_add_rx_if(is_sampled, test_zero_halves, "halves without a header");
	suite_add_rx_if(env_has_mrg, test_nobody_asked_for_chains, "nobody asked for chains");
	suite_add_rx_if(is_unread, test_headers_are_left_alone, "headers are left alone");
	return suite_run("rx_mrg");
}
