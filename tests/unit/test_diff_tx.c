/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * One random trace of packets that ask for anything together, in buffers of any kind, through every
 * path that has offloads, with headers of all lengths: each device sees what a plain model says
 * (tx_model.h).
 *
 * SLUICE_SEED=NUMBER or =random makes another run.
 */

#include <inttypes.h>
#include <string.h>

#include "tx_model.h"

#define NB_SENT 768
#define NB_SEGS_MAX 15
#define PAYLOAD_MAX 1650
#define HEADERS_MAX 288 /* of one packet, in bytes: what the driver takes */
#define GROUP 64        /* packets that have something in common */

/* Tunnels are for queues that have them: what makes one of a packet is asked for last. */
static void
add_tunnel(struct ask *a, uint64_t *random)
{
	static const uint64_t kinds[] = { VXLAN, GENEVE, RTE_MBUF_F_TX_TUNNEL_UDP };

	a->flags |= kinds[fake_below(random, RTE_DIM(kinds))];
	a->outer = fake_one_of(random, 2) ? 4 : 6;
	a->tunnel_options = 4 * fake_below(random, 4);
	if (a->outer == 4) {
		a->outer_options = fake_one_of(random, 3) ? 4 * fake_below(random, 11) : 0;
		a->flags |= fake_one_of(random, 2) ? OUTER_IPV4 : 0;
	}
	if ((a->flags & (TSO | USO)) != 0 && fake_one_of(random, 2))
		a->flags |= OUTER_UDP;
}

static uint32_t
headers_of(const struct ask *a)
{
	uint32_t len = (a->l2 != 0 ? a->l2 : 14) + (a->is_ipv6 ? 40 : 20) + a->options +
			(a->is_udp ? 8 : 20 + a->tcp_options);

	if (a->outer != 0)
		len += (a->outer == 6 ? 40 : 20) + a->outer_options + 30 + a->tunnel_options;
	return len;
}

/* Everything that is right together. */
static struct ask
random_ask(uint64_t *random, bool has_tunnel)
{
	struct ask a = { .is_ipv6 = fake_one_of(random, 2), .is_udp = fake_one_of(random, 2) };
	const uint64_t l4 = a.is_udp ? UDP : TCP;

	if (fake_one_of(random, 3))
		a.options = a.is_ipv6 ? 8 * (1 + fake_below(random, 4)) :
					4 * (1 + fake_below(random, 10));
	if (!a.is_udp && fake_one_of(random, 3))
		a.tcp_options = 4 * fake_below(random, 11);
	if (fake_one_of(random, 4))
		a.l2 = fake_one_of(random, 2) ? 14 + fake_below(random, 40) :
						120 + fake_below(random, 8);
	if (fake_one_of(random, 3))
		a.flags |= VLAN;
	switch (fake_below(random, 8)) {
	case 0:
		break;
	case 1:
	case 2:
	case 3:
		a.is_cwr = !a.is_udp && fake_one_of(random, 2);
		a.flags |= a.is_udp ? USO : TSO;
		a.flags |= a.is_ipv6 ? 0 : IPV4;
		a.flags |= fake_one_of(random, 2) ? l4 : 0;
		break;
	default:
		a.flags |= fake_one_of(random, 4) ? 0 : l4;
		a.flags |= !a.is_ipv6 && fake_one_of(random, 2) ? IPV4 : 0;
		a.padding = fake_one_of(random, 4) ? fake_below(random, 50) : 0;
	}
	if (has_tunnel && fake_one_of(random, 2))
		add_tunnel(&a, random);
	if (headers_of(&a) > HEADERS_MAX)
		a.l2 = 0;
	return a;
}

/* Bytes that have to be in the first segment. */
static uint32_t
need_of(const struct ask *a, const struct frame *f)
{
	if (a->flags & (TSO | USO))
		return f->l2 + f->l3 + f->l4;
	if (a->flags & RTE_MBUF_F_TX_L4_MASK)
		return f->l2 + f->l3 + (a->is_udp ? 8 : 18);
	if (a->flags & IPV4)
		return f->l2 + f->l3;
	return a->flags & OUTER_IPV4 ? f->outer : 14;
}

static struct rte_mbuf *
random_segment(struct tx_model *x, uint64_t *random, uint32_t len)
{
	/* Little in front of the data, or what there mostly is. */
	uint16_t room = fake_one_of(random, 3) ? fake_below(random, 40) : 128;
	struct rte_mbuf *m;

	switch (fake_below(random, 8)) {
	case 0:
		return fake_mbuf(x->other, room, len);
	case 1:
		return fake_mbuf(x->pinned, room, len);
	case 2:
		m = rte_pktmbuf_alloc(x->e->pool->mp);
		tx_model_attach(x, m);
		m->data_off = room;
		m->data_len = len;
		m->pkt_len = len;
		return m;
	default:
		return fake_mbuf(x->e->pool, room, len);
	}
}

static struct rte_mbuf *
random_chain(struct tx_model *x, uint64_t *random, uint32_t need, uint32_t len)
{
	uint32_t nb = fake_one_of(random, 2) ? 1 + fake_below(random, NB_SEGS_MAX) : 1;
	uint32_t n = nb == 1                   ? len :
			fake_one_of(random, 3) ? need :
						 need + fake_below(random, len - need + 1);
	struct rte_mbuf *m = random_segment(x, random, n);

	for (len -= n; --nb != 0 && len != 0; len -= n) {
		n = nb == 1 ? len : fake_below(random, len + 1);
		rte_pktmbuf_chain(m, random_segment(x, random, n));
	}
	/* What the last one would have had. */
	if (len != 0)
		rte_pktmbuf_chain(m, random_segment(x, random, len));
	return m;
}

/* A packet that the test holds, too, from byte number at on; some or all of it are clones then. */
struct held {
	struct rte_mbuf *m;
	uint32_t at;
};

static struct held helds[TX_MODEL_MAX];

static struct rte_mbuf *
clone_tail(struct tx_model *x, struct rte_mbuf *m, struct held *held)
{
	struct rte_mbuf *tail = m->next;

	tail->pkt_len = m->pkt_len - m->data_len;
	tail->nb_segs = m->nb_segs - 1;
	m->next = NULL;
	m->nb_segs = 1;
	m->pkt_len = m->data_len;
	rte_pktmbuf_chain(m, rte_pktmbuf_clone(tail, x->clones->mp));
	*held = (struct held){ tail, m->data_len };
	return m;
}

static struct rte_mbuf *
share(struct tx_model *x, uint64_t *random, struct rte_mbuf *m, struct held *held)
{
	*held = (struct held){ 0 };
	switch (fake_below(random, 8)) {
	case 0:
		*held = (struct held){ .m = m };
		rte_pktmbuf_refcnt_update(m, 1);
		return m;
	case 1:
		*held = (struct held){ .m = m };
		return rte_pktmbuf_clone(m, x->clones->mp);
	case 2:
		return m->next != NULL ? clone_tail(x, m, held) : m;
	default:
		return m;
	}
}

/* Nobody has written to it. */
static void
let_go(const struct held *held, const struct frame *before)
{
	const struct rte_mbuf *m;
	uint32_t at = held->at;

	if (held->m == NULL)
		return;
	for (m = held->m; m != NULL; at += m->data_len, m = m->next)
		fake_assert(memcmp(rte_pktmbuf_mtod(m, void *), before->bytes + at, m->data_len) ==
						0,
				"somebody else's buffer was written to");
	assert_int_equal(at, before->len);
	rte_pktmbuf_free(held->m);
}

static bool
is_prepared(uint64_t number)
{
	return number / GROUP % 2;
}

/*
 * Groups of packets that batches take, of one request or of some that are alike, and others of
 * everything.
 */
static struct rte_mbuf *
make(struct tx_model *x, uint64_t number, bool has_tunnel)
{
	const unsigned int nth = number % TX_MODEL_MAX, kind = number / GROUP % 4;
	uint64_t random = suite_seed_of(number), common = suite_seed_of(~(number / GROUP));
	struct ask a = random_ask(kind == 0 ? &common : &random, has_tunnel);
	const struct frame *f;
	struct rte_mbuf *m;

	x->seed = number;
	f = tx_model_build(x, nth, &a,
			2 + fake_below(&random, fake_one_of(&random, 2) ? 60 : PAYLOAD_MAX),
			is_prepared(number));
	m = kind < 2 ? fake_mbuf(x->e->pool, 128, f->len) :
		       random_chain(x, &random, need_of(&a, f), f->len);
	tx_model_ask(x, nth, &a, m);
	helds[nth].m = NULL;
	return kind < 2 ? m : share(x, &random, m, &helds[nth]);
}

static void
expect_sent(struct tx_model *x, uint64_t *nb_seen, uint64_t *bytes)
{
	struct env *e = x->e;
	unsigned int i, nth;

	fake_dev_poll(&e->dev);
	for (i = 0; i < e->dev.nb_sent; i++, ++*nb_seen) {
		nth = *nb_seen % TX_MODEL_MAX;
		fake_context("%s: packet %" PRIu64 " of SLUICE_SEED=%" PRIu64, env_name(&e->conf),
				*nb_seen, suite_seed());
		tx_model_check(x, nth, i);
		let_go(&helds[nth], &x->before[nth]);
		*bytes += x->want[nth].len;
	}
	fake_dev_forget_sent(&e->dev);
}

static void
run(struct env_conf *conf)
{
	uint64_t random = suite_seed_of(0), nb_made = 0, nb_seen = 0, bytes = 0;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	static struct tx_model x;
	uint16_t waiting = 0, first, nb;
	unsigned int step;
	struct env *e;

	tx_model_open(&x, conf);
	e = x.e;
	for (step = 0; nb_seen < NB_SENT; step++) {
		nb = 1 + fake_below(&random, fake_one_of(&random, 2) ? 6 : TX_MODEL_MAX);
		for (first = waiting; waiting < nb && nb_made < NB_SENT &&
				(waiting == first || nb_made % GROUP != 0);
				waiting++)
			pkts[waiting] = make(&x, nb_made++, conf->has_tunnel);
		if (waiting != first && is_prepared(nb_made - 1))
			tx_model_prepare(&x, &pkts[first], waiting - first);
		nb = env_tx(e, pkts, waiting);
		waiting -= nb;
		memmove(pkts, &pkts[nb], waiting * sizeof(pkts[0]));
		expect_sent(&x, &nb_seen, &bytes);
		if (step % 8 == 0)
			fake_dev_verify(&e->dev);
		fake_dev_complete(&e->dev,
				step % 8 == 0 ? e->dev.nb_held :
						fake_below(&e->random, e->dev.nb_held + 1),
				conf->order);
		fake_assert(step < 4 * NB_SENT, "the ring is stuck");
	}
	fake_assert(!env_has_failed(e) && e->q.stats.errors == 0 && e->q.stats.bytes == bytes,
			"errors, or other bytes are counted than were sent");
	env_drain(e);
	tx_model_close(&x);
}

static void
test_trace(void **state)
{
	struct env_conf *conf = *state;
	unsigned int k;

	conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED;
	for (k = 0; k < 4; k++) {
		/* What has copies of its own has the short header. */
		conf->has_hash = k == 1 && !env_is_copy(conf);
		conf->has_tunnel = k == 2 && !env_is_copy(conf);
		conf->bounces = k == 3 && !env_is_copy(conf);
		conf->has_ecn = k % 2 == 0;
		conf->has_indirect = k >= 2;
		conf->has_event_idx = k == 1 || k == 2;
		conf->start = env_is_packed(conf) ? k * 31 | (k & 1) << 15 : 65500;
		run(conf);
	}
}

int
main(void)
{
	suite_add_tx_if(env_has_offloads, test_trace, "trace");
	return suite_run("diff_tx");
}
