/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What net headers say of received packets: checksums that are right, those that are partial, and
 * headers that cannot be, alone and among others.
 */

#include <string.h>

#include "rx_model.h"

static const struct rx_sample samples[] = {
	{ "no flag", 0, 20, 17, 0, 6, 0, 0, false },
	{ "valid", 0, 20, 17, 0, 6, VALID, GOOD, false },
	{ "valid, no IP", 0, 1, 17, 0, 6, VALID, GOOD, false },
	{ "flags that nobody knows", 0, 20, 17, 0, 6, 0xfc, 0, false },
	{ "all other flags and valid", 0, 20, 17, 0, 6, 0xfe, GOOD, false },
	{ "UDP", 0, 20, 17, 0, 6, NEEDS, NONE, false },
	{ "UDP, both flags", 0, 20, 17, 0, 6, NEEDS | VALID, NONE, false },
	{ "UDP, all flags", 0, 20, 17, 0, 6, 0xff, NONE, false },
	{ "TCP", 0, 20, 6, 0, 16, NEEDS, NONE, false },
	{ "TCP, options", 0, 24, 6, 0, 16, NEEDS, NONE, false },
	{ "UDP, all options", 0, 60, 17, 0, 6, NEEDS, NONE, false },
	{ "TCP, VLAN", 1, 20, 6, 0, 16, NEEDS, NONE, false },
	{ "UDP, QinQ", 2, 20, 17, 0, 6, NEEDS, NONE, false },
	{ "TCP, IPv6", 0, 0, 6, 0, 16, NEEDS, NONE, false },
	{ "UDP, IPv6, VLAN", 1, 0, 17, 0, 6, NEEDS, NONE, false },
	{ "three tags", 3, 20, 17, 0, 6, NEEDS, 0, true },
	{ "no IP", 0, 1, 17, 0, 6, NEEDS, 0, true },
	{ "neither TCP nor UDP", 0, 20, 47, 0, 6, NEEDS, 0, true },
	{ "a field of something else", 0, 20, 6, 0, 6, NEEDS, 0, true },
	{ "tunnel", 0, 20, 17, 84, 16, NEEDS, 0, true },
	{ "tunnel, odd", 0, 20, 17, 85, 17, NEEDS, 0, true },
	{ "in the Ethernet header", 0, 20, 17, 3, 4, NEEDS, 0, true },
	{ "the whole packet", 0, 20, 17, 1, 0, NEEDS, 0, true },
	{ "last two bytes", 0, 20, 17, 98, 100, NEEDS, 0, true },
};
#define LEN 200

/* With complete_csum=1 nothing that is partial stays so. True: p comes completed. */
static bool
is_completed(const struct env *e, const struct rx_sample *s, struct rx_packet *p)
{
	if (!e->conf.completes_csum || p->want != NONE)
		return s->is_completed;
	p->want = GOOD;
	return true;
}

static void
test_samples(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[8];
	static struct rx_packet p;
	unsigned int i, nb, k;

	/* Alone, and as the last of a batch. */
	for (nb = 1; nb <= 8; nb += 7)
		for (i = 0; i < RTE_DIM(samples); i++) {
			fake_context("%s: %s, %u", env_name(&e->conf), samples[i].name, nb);
			for (k = 1; k < nb; k++)
				assert_true(env_deliver(e, 60));
			rx_model_make(&p, &samples[i], LEN, i);
			rx_model_deliver(e, &p);
			fake_assert(env_rx(e, pkts, 8) == nb, "not all came");
			rx_model_expect(pkts[nb - 1], &p, is_completed(e, &samples[i], &p));
			for (k = 0; k < nb - 1; k++)
				fake_assert(pkts[k]->ol_flags == 0, "packet %u is marked", k);
			rte_pktmbuf_free_bulk(pkts, nb - 1);
		}
	assert_int_equal(e->rxq.nb_bad_hdr, 0);
	assert_int_equal(e->q.stats.errors, 0);
	env_close(e);
}

static void
test_samples_completed(void **state)
{
	((struct env_conf *)*state)->completes_csum = true;
	test_samples(state);
}

/* UDP has no checksum 0: it is sent as all ones. */
static void
test_sum_of_zero(void **state)
{
	static const struct rx_sample inner = { "", 0, 20, 17, 100, 6, NEEDS, 0, true };
	static const struct rx_sample outer = { "", 0, 20, 17, 0, 6, NEEDS, GOOD, true };
	struct env_conf *conf = *state;
	static struct rx_packet p;
	struct rte_mbuf *m;
	struct env *e;
	uint32_t start;

	for (conf->completes_csum = false;; conf->completes_csum = true) {
		e = env_open_from(state, 0);
		rx_model_make(&p, conf->completes_csum ? &outer : &inner, LEN, 0);
		start = p.hdr.csum_start;
		memset(p.bytes + start, 0, LEN - start);
		memset(p.bytes + start + 20, 0xff, 2);
		rx_model_deliver(e, &p);
		assert_int_equal(env_rx(e, &m, 1), 1);
		assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[start + 6], 0xff);
		assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[start + 7], 0xff);
		rx_model_expect(m, &p, true);
		env_close(e);
		if (conf->completes_csum)
			break;
	}
}

struct bad {
	const char *name;
	uint8_t flags, gso_type;
	uint16_t start, offset;
	bool is_bad; /* false: the control */
};

static const struct bad bads[] = {
	{ "N8 field just inside", NEEDS, 0, LEN - 8, 6, false },
	{ "N8 field half inside", NEEDS, 0, LEN - 7, 6, true },
	{ "N8 field just beyond", NEEDS, 0, LEN - 6, 6, true },
	{ "N8 offset all ones", NEEDS, 0, 34, 0xffff, true },
	{ "N7 start at the end", NEEDS, 0, LEN, 0, true },
	{ "N7 start beyond", NEEDS, 0, LEN + 1, 0, true },
	{ "N7 both all ones", NEEDS | VALID, 0, 0xffff, 0xffff, true },
	{ "N7 sum of both wraps", NEEDS, 0, 0x8000, 0x8010, true },
	{ "N7 without the flag", VALID, 0, 0xffff, 0xffff, false },
	{ "N10 segmentation", 0, 1, 0, 0, true },
	{ "N10 segmentation, UDP", NEEDS, 3, 34, 6, true },
	{ "N10 segmentation, IPv6", VALID, 4, 0, 0, true },
	{ "N10 segmentation, USO", NEEDS, 5, 34, 6, true },
	{ "N10 ECN", 0, 0x80, 0, 0, true },
	{ "N10 all ones", 0xff, 0xff, 0xffff, 0xffff, true },
};

/*
 * One of 32 packets, at every place of a batch, with all the others coming: two counters up, no
 * mbuf less.
 */
static void
test_bad_headers(void **state)
{
	static const struct rx_sample udp = { "", 0, 20, 17, 0, 6, 0, 0, false };
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[32];
	static struct rx_packet p;
	unsigned int i, k, place, nb_bad = 0, nb_gso = 0;
	uint16_t n;

	for (i = 0; i < RTE_DIM(bads); i++)
		for (place = 0; place < 9; place++) {
			uint64_t bytes = e->q.stats.bytes, packets = e->q.stats.packets;

			fake_context("%s: %s at %u", env_name(&e->conf), bads[i].name, place);
			for (k = 0; k < 32; k++) {
				if (k != place) {
					assert_true(env_deliver(e, 60));
					continue;
				}
				rx_model_make(&p, &udp, LEN, 1000);
				p.hdr.flags = bads[i].flags;
				p.hdr.gso_type = bads[i].gso_type;
				p.hdr.csum_start = bads[i].start;
				p.hdr.csum_offset = bads[i].offset;
				rx_model_deliver(e, &p);
			}
			n = env_rx(e, pkts, 32);
			nb_bad += bads[i].is_bad;
			nb_gso += bads[i].gso_type != 0;
			fake_assert(n == 32 - bads[i].is_bad, "%u came", n);
			for (k = 0; k < n; k++)
				fake_assert(k == place && !bads[i].is_bad ?
								pkts[k]->pkt_len == LEN :
								fake_mbuf_is(pkts[k], 60,
										e->nb_packets - 31 +
												k -
												(k > place && !bads[i].is_bad)),
						"packet %u is another", k);
			rte_pktmbuf_free_bulk(pkts, n);
			fake_assert(e->rxq.nb_bad_hdr == nb_bad - nb_gso &&
							e->rxq.nb_bad_gso == nb_gso &&
							e->q.stats.errors == nb_bad,
					"%lu and %lu counted of %u",
					(unsigned long)e->rxq.nb_bad_hdr,
					(unsigned long)e->rxq.nb_bad_gso, nb_bad);
			assert_int_equal(e->q.stats.packets - packets, n);
			assert_int_equal(e->q.stats.bytes - bytes,
					31 * 60 + (bads[i].is_bad ? 0 : LEN));
		}
	assert_false(env_has_failed(e));
	env_close(e);
}

/* Headers of all kinds in one burst, in random order. */
static void
test_mixed(void **state)
{
	struct env *e = env_open_from(state, 0xfff0 & (((struct env_conf *)*state)->size - 1));
	static struct rx_packet p[32];
	const struct rx_sample *used[32];
	struct rte_mbuf *pkts[32];
	unsigned int round, i, nb, kinds;
	uint16_t n;

	/* None or valid only, all that are plain, everything. */
	for (round = 0; round < 300; round++) {
		kinds = round % 3 == 0 ? 2 : round % 3 == 1 ? 15 : RTE_DIM(samples);
		nb = 1 + fake_below(&e->random, 32);
		fake_context("%s: round %u, %u packets", env_name(&e->conf), round, nb);
		for (i = 0; i < nb; i++) {
			used[i] = &samples[fake_below(&e->random, kinds)];
			rx_model_make(&p[i], used[i], LEN + fake_below(&e->random, 700),
					round * 32 + i);
			rx_model_deliver(e, &p[i]);
		}
		n = env_rx(e, pkts, 32);
		fake_assert(n == nb, "%u came", n);
		for (i = 0; i < n; i++)
			rx_model_expect(pkts[i], &p[i], is_completed(e, used[i], &p[i]));
	}
	env_close(e);
}

static void
test_mixed_completed(void **state)
{
	((struct env_conf *)*state)->completes_csum = true;
	test_mixed(state);
}

/*
 * Over several small buffers, every kind; the field may lie in another one than the header, or in
 * two.
 */
static void
test_chains(void **state)
{
	struct env_conf *conf = *state;
	static struct rx_packet p;
	struct rte_mbuf *m;
	unsigned int i, room, nb_multi = 0;
	struct env *e;

	for (room = 76; room < 130; room++) {
		conf->data_room = RTE_PKTMBUF_HEADROOM + room;
		e = env_open(conf);
		for (i = 0; i < RTE_DIM(samples); i++) {
			bool is_far = samples[i].flags & NEEDS;

			fake_context("%s: room %u, %s", env_name(conf), room, samples[i].name);
			rx_model_make(&p, &samples[i], LEN + 100 + i, i);
			/* An L4 header that does not lie in the first buffer is not looked for. */
			is_far = is_far && p.hdr.csum_start > env_post_len(e) - 12;
			p.want = is_far ? 0 : p.want;
			rx_model_deliver(e, &p);
			assert_int_equal(env_rx(e, &m, 1), 1);
			nb_multi += m->nb_segs > 1;
			rx_model_expect(m, &p, is_completed(e, &samples[i], &p) || is_far);
		}
		assert_int_equal(e->rxq.nb_bad_hdr, 0);
		env_close(e);
	}
	assert_int_equal(nb_multi, 54 * RTE_DIM(samples));
}

static void
test_chains_completed(void **state)
{
	((struct env_conf *)*state)->completes_csum = true;
	test_chains(state);
}

/* What cannot be is dropped all the same, and no byte of the packets around it is touched. */
static void
test_bad_headers_completed(void **state)
{
	((struct env_conf *)*state)->completes_csum = true;
	test_bad_headers(state);
}

/* The header of a chain is read once: what the device writes there later changes nothing. */
static void
test_chain_header_is_copied(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t post = env_post_len(e), what;
	struct fake_buf *b;
	struct rte_mbuf *m;

	for (what = 0; what < 2; what++) {
		fake_dev_poll(&e->dev);
		b = fake_dev_held(&e->dev, 0);
		e->dev.offload = (struct sluice_net_hdr){ .flags = what == 0 ? VALID : NEEDS,
			.csum_start = what == 0 ? 0 : 3 * post };
		fake_dev_write_header(&e->dev, b, 2);
		fake_dev_use(&e->dev, 0, post);
		env_expect_burst(e, 0, 0, 0);
		/* The buffer is ours now; a device that can reach it writes all the same. */
		memset((char *)e->rxq.seg_first->buf_addr + RTE_PKTMBUF_HEADROOM,
				what == 0 ? 0xff : 0, SLUICE_NET_HDR_LEN);
		e->dev.offload = (struct sluice_net_hdr){ 0 };
		fake_dev_use(&e->dev, 0, 100);
		assert_int_equal(env_rx(e, &m, 1), what == 0);
		if (what == 0) {
			assert_int_equal(m->ol_flags, GOOD);
			rte_pktmbuf_free(m);
		}
	}
	assert_int_equal(e->rxq.nb_bad_hdr, 1);
	env_close(e);
}

/* A packet of two buffers that are both not full. */
static void
deliver_halves(struct env *e)
{
	fake_dev_poll(&e->dev);
	fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0), 2);
	fake_dev_use(&e->dev, 0, 112);
	fake_dev_use(&e->dev, 0, 100);
}

/*
 * num_buffers is read with the rest: a device need not fill its buffers, and is not trusted to.
 * Such a packet at every place of a batch.
 */
static void
test_num_buffers(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[32];
	unsigned int place, i;
	uint16_t n;

	for (place = 0; place < 17; place++) {
		fake_context("%s: place %u", env_name(&e->conf), place);
		for (i = 0; i < 17; i++) {
			if (i == place)
				deliver_halves(e);
			else
				assert_true(env_deliver(e, 60));
		}
		n = env_rx(e, pkts, 32);
		fake_assert(n == 17, "%u came", n);
		for (i = 0; i < n; i++)
			fake_assert(pkts[i]->pkt_len == (i == place ? 200 : 60) &&
							pkts[i]->nb_segs == 1 + (i == place),
					"packet %u is another", i);
		rte_pktmbuf_free_bulk(pkts, n);
	}
	/* A packet that fills its buffer is whole if its header says so. */
	for (i = 0; i < 8; i++)
		assert_true(env_deliver(e, env_post_len(e) - 12));
	env_expect_burst(e, 8, env_post_len(e) - 12, e->nb_packets - 8);
	/* One that says 0 is, too; one that says too many ends it. */
	for (place = 0; place < 2; place++) {
		fake_dev_poll(&e->dev);
		for (i = 0; i < 8; i++) {
			fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0),
					place == 0             ? 0 :
							i != 0 ? 1 :
								 0xffff);
			fake_dev_use(&e->dev, 0, 100);
		}
		assert_int_equal(env_rx(e, pkts, 32), place == 0 ? 8 : 0);
		if (place == 0)
			rte_pktmbuf_free_bulk(pkts, 8);
	}
	assert_int_equal(e->rxq.nb_zero_num_buffers, 8);
	assert_int_equal(e->q.fail, SLUICE_FAIL_NUM_BUFFERS);
	env_close(e);
}

/* N6, N11: what was not negotiated is not read. */
static void
test_not_negotiated(void **state)
{
	struct env *e = env_open_from(state, 0);
	static struct rx_packet p;
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < 2 * RTE_DIM(samples); i++) {
		rx_model_make(&p, &samples[i % RTE_DIM(samples)], LEN, i);
		p.hdr.gso_type = i;
		p.want = 0;
		rx_model_deliver(e, &p);
		assert_int_equal(env_rx(e, &m, 1), 1);
		rx_model_expect(m, &p, false);
	}
	assert_int_equal(e->q.stats.errors, 0);
	env_close(e);
}

static bool
not_csum(const struct env_conf *conf)
{
	return !env_has_csum(conf);
}

static bool
is_csum_mrg(const struct env_conf *conf)
{
	return env_has_csum(conf) && env_has_mrg(conf);
}

int
main(void)
{
	suite_add_rx_if(env_has_csum, test_samples, "samples");
	suite_add_rx_if(env_has_csum, test_samples_completed, "samples, completed");
	suite_add_rx_if(env_has_csum, test_sum_of_zero, "sum of zero");
	suite_add_rx_if(env_has_csum, test_bad_headers, "bad headers");
	suite_add_rx_if(env_has_csum, test_bad_headers_completed, "bad headers, completed");
	suite_add_rx_if(env_has_csum, test_mixed, "mixed");
	suite_add_rx_if(env_has_csum, test_mixed_completed, "mixed, completed");
	suite_add_rx_if(is_csum_mrg, test_chains, "chains");
	suite_add_rx_if(is_csum_mrg, test_chains_completed, "chains, completed");
	suite_add_rx_if(is_csum_mrg, test_chain_header_is_copied, "chain header is copied");
	suite_add_rx_if(is_csum_mrg, test_num_buffers, "num_buffers");
	suite_add_rx_if(not_csum, test_not_negotiated, "not negotiated");
	return suite_run("rx_csum");
}
