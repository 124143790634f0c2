/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets with any bytes, headers of the device and requests of the application, in any segments,
 * through one path and through another, which has no vectors: both give the same, and so do the
 * kits that hash. Where a plain model says what must come (rx_model.h, tx_model.h), that comes.
 */

#include <rte_errno.h>
#include <rte_vect.h>

#include "fuzz_frame.h"
#include "fuzz_seen.h"
#include "rx_model.h"
#include "sluice_ptype.h"
#include "sluice_rss.h"
#include "sluice_rx_stage.h"
#include "sluice_tx_offload.h"
#include "tx_model.h"

#define SIZE 64
#define STRIPPED (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)

static struct fuzz_run runs[2];

static struct env_conf
choose(struct fuzz *f, bool is_tx)
{
	uint16_t bits = fuzz_u16(f);
	struct env_conf c = { .is_tx = is_tx,
		.size = SIZE,
		.data_room = 512,
		.nb_mbufs = 2 * SIZE + 60,
		.is_in_order = bits & 1,
		.has_mrg = bits & 2,
		.has_indirect = bits & 4,
		.is_lying = bits & 8,
		.completes_csum = bits & 16,
		.has_ecn = bits & 32 };
	bool has_header, is_copy;

	c.row = fuzz_row(f, is_tx);
	is_copy = env_is_copy(&c);
	c.has_csum = !is_tx && is_copy && (bits & 64);
	has_header = is_tx ? env_has_offloads(&c) : env_has_csum(&c);
	c.has_hash = has_header && !is_copy && (bits & 128);
	c.has_hash_only = !is_tx && c.has_hash && (bits & 256);
	c.has_tunnel = is_tx && has_header && !is_copy && !c.has_hash && (bits & 512);
	c.checks_ipv4 = !is_tx && has_header && (bits & 512);
	c.has_lro = !is_tx && has_header && c.has_mrg && (bits & 1024);
	c.bounces = is_tx && has_header && !is_copy && !c.has_hash && !c.has_tunnel &&
			(bits & 1024);
	return c;
}

static void
keep(struct fuzz_run *r, struct rte_mbuf *m)
{
	struct fuzz_seen *s = &r->seen[r->nb++];
	static uint8_t copy[FUZZ_FRAME_MAX + 8];

	fake_assert(r->nb <= FUZZ_SEEN_MAX && m->pkt_len <= sizeof(s->bytes),
			"more came than was sent");
	memset(s, 0, sizeof(*s));
	s->len = m->pkt_len;
	memcpy(s->bytes, rte_pktmbuf_read(m, 0, s->len, copy), s->len);
	s->flags = m->ol_flags;
	s->ptype = m->packet_type;
	s->tci = m->ol_flags & RTE_MBUF_F_RX_VLAN ? m->vlan_tci : 0;
	s->hash = m->ol_flags & RTE_MBUF_F_RX_RSS_HASH ? m->hash.rss : 0;
	s->segsz = m->ol_flags & RTE_MBUF_F_RX_LRO ? m->tso_segsz : 0;
	rte_pktmbuf_free(m);
}

/* Receiving. */

struct arrival {
	struct rx_packet p; /* as the device delivers it */
	struct sluice_net_hdr_hash hash;
};

static struct arrival arrivals[FUZZ_SEEN_MAX];
static unsigned int nb_arrivals;

static void
make_arrival(struct fuzz *f, struct arrival *a)
{
	static const uint8_t types[] = { 0, 0, 0, 0, 1, 4, 0x81, 0x84, 3, 5, 0x21 };
	struct sluice_net_hdr *hdr = &a->p.hdr;
	static struct fuzz_frame frame;
	uint8_t kind;

	fuzz_frame(f, &frame);
	a->p.len = frame.len;
	memcpy(a->p.bytes, frame.bytes, frame.len);
	kind = fuzz_u8(f);
	*hdr = (struct sluice_net_hdr){ .flags = kind & 3,
		.csum_start = frame.l4,
		.csum_offset = kind & 4 ? 6 : 16,
		.gso_type = types[(kind >> 4) % RTE_DIM(types)] };
	if (kind & 8) {
		hdr->flags = fuzz_u8(f);
		hdr->csum_start = fuzz_u16(f) % 2048;
		hdr->csum_offset = fuzz_u8(f);
	}
	if (hdr->gso_type != 0)
		hdr->gso_size = fuzz_u16(f) % 2048;
	a->hash.hash_report = kind % 13;
	a->hash.hash_value = kind * 0x1010101U;
}

static void
receive_all(struct env *e, sluice_rx_stage_fn burst, struct fuzz_run *r)
{
	struct rte_mbuf *pkts[FUZZ_SEEN_MAX];
	uint16_t n, i;

	do {
		n = burst(&e->rxq, pkts, FUZZ_SEEN_MAX);
		for (i = 0; i < n; i++)
			keep(r, pkts[i]);
	} while (n != 0);
}

static void
run_rx(const struct env_conf *conf, const struct sluice_rx_stage *stage, struct sluice_rss *rss,
		struct fuzz_run *r)
{
	struct env *e = env_open(conf);
	struct sluice_rx_stage shown = { 0 };
	sluice_rx_stage_fn burst;
	unsigned int i;

	e->rxq.path = e->rx;
	e->rxq.stage = &shown;
	e->rxq.rss = rss;
	sluice_rx_stage_show(&shown, stage);
	burst = sluice_rx_stage_burst(stage);
	burst = burst != NULL ? burst : e->rx->burst;
	r->nb = 0;
	for (i = 0; i < nb_arrivals; i++) {
		const struct arrival *a = &arrivals[i];

		fake_dev_poll(&e->dev);
		if (e->dev.nb_held < 8)
			receive_all(e, burst, r);
		e->dev.hash = a->hash;
		rx_model_deliver(e, &a->p);
	}
	receive_all(e, burst, r);
	r->nb_bad_hdr = e->rxq.nb_bad_hdr;
	r->nb_bad_gso = e->rxq.nb_bad_gso;
	r->nb_errors = e->q.stats.errors;
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	fake_assert(r->nb + r->nb_errors == nb_arrivals, "%u of %u came", r->nb, nb_arrivals);
	env_close(e);
}

/* What a plain look at the packet says of one that came. */
static void
check_arrival(struct arrival *a, const struct fuzz_seen *s, const struct sluice_rx_stage *stage,
		const struct env_conf *conf)
{
	struct rx_packet *p = &a->p;
	bool is_partial = env_has_csum(conf) && !conf->has_hash_only &&
			(p->hdr.flags & SLUICE_NET_HDR_F_NEEDS_CSUM);

	if (is_partial && (s->flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		rx_model_complete(p);
	fake_assert(((s->flags & STRIPPED) != 0) ==
					(stage->has_vlan && p->len >= 18 && p->bytes[12] == 0x81 &&
							p->bytes[13] == 0),
			"a tag of %u bytes", p->len);
	if (s->flags & STRIPPED) {
		fake_assert(s->tci == (p->bytes[14] << 8 | p->bytes[15]), "another tag");
		p->len -= 4;
		memmove(p->bytes + 12, p->bytes + 16, p->len - 12);
	}
	fake_assert(s->len == p->len && memcmp(s->bytes, p->bytes, s->len) == 0,
			"%u bytes, of %u, or others", s->len, p->len);
	if (stage->ptypes != 0)
		fake_assert(s->ptype == (rx_model_ptype(p->bytes, p->len) & stage->ptypes),
				"type 0x%x, not 0x%x", s->ptype, rx_model_ptype(p->bytes, p->len));
	if (!env_has_csum(conf) && !conf->has_hash && !stage->has_hash)
		fake_assert((s->flags & ~STRIPPED) == 0, "flags 0x%lx", (unsigned long)s->flags);
}

#define KITS_MAX 8

/* The last one has no vectors. */
static unsigned int
find_kits(const struct sluice_rss_kit *kits[KITS_MAX])
{
	unsigned int nb = 0;

	while (nb < KITS_MAX && (kits[nb] = sluice_rss_kit_at(nb, RTE_VECT_SIMD_MAX)) != NULL)
		nb++;
	return nb;
}

static void
test_rx(struct fuzz *f)
{
	static const struct sluice_rss_kit *kits[KITS_MAX];
	static unsigned int nb_kits;
	struct env_conf conf = choose(f, false), plain = conf;
	uint8_t bits = fuzz_u8(f), key[SLUICE_RSS_KEY_LEN], i;
	struct sluice_rx_stage stage = { .has_vlan = bits & 1,
		.has_hash = bits & 2,
		.ptypes = bits & 4 ? SLUICE_PTYPE_FAMILIES : 0 };
	static struct sluice_rss rss;
	unsigned int n;

	plain.row = fuzz_plain_row(&conf);
	plain.has_csum = env_has_csum(&conf);
	memset(&rss, 0, sizeof(rss));
	for (i = 0; i < SLUICE_RSS_NB_CLASSES; i++) {
		rss.tuple_len[SLUICE_RSS_IPV4][i] = bits & 8 ? 8 : i <= SLUICE_RSS_SCTP ? 12 : 0;
		rss.tuple_len[SLUICE_RSS_IPV6][i] = bits & 16 ? 32 : i <= SLUICE_RSS_SCTP ? 36 : 0;
		rss.tuple_len[SLUICE_RSS_IPV6_EX][i] = bits & 32 ? 32 : 0;
	}
	for (i = 0; i < sizeof(key); i++)
		key[i] = i * 37 + bits;
	sluice_rss_init(&rss, key);
	if (nb_kits == 0)
		nb_kits = find_kits(kits);
	nb_arrivals = 0;
	do
		make_arrival(f, &arrivals[nb_arrivals++]);
	while (nb_arrivals < FUZZ_SEEN_MAX && f->left != 0);
	for (n = 0; n < nb_arrivals && !conf.has_mrg; n++)
		arrivals[n].p.len = RTE_MIN(arrivals[n].p.len, 360U);
	rss.kit = kits[nb_kits - 1];
	run_rx(&plain, &stage, &rss, &runs[1]);
	rss.kit = kits[(bits >> 6) % nb_kits];
	run_rx(&conf, &stage, &rss, &runs[0]);
	fuzz_expect_same(&runs[0], &runs[1], env_name(&conf));
	/* Which of them were dropped the model does not say. */
	for (n = 0; n < nb_arrivals && runs[0].nb_errors == 0; n++)
		check_arrival(&arrivals[n], &runs[0].seen[n], &stage, &conf);
}

/* Transmitting. */

static void
ask(struct fuzz *f, struct rte_mbuf *m, const struct fuzz_frame *frame)
{
	static const uint64_t asks[] = { 0, TCP, UDP, IPV4, IPV4 | TCP, IPV4 | UDP, VLAN,
		VLAN | TCP, TSO, TSO | IPV4, USO | IPV4, USO, VXLAN | OUTER_IPV4, VXLAN | TSO };
	uint8_t kind = fuzz_u8(f);

	m->ol_flags |= asks[kind % RTE_DIM(asks)];
	m->ol_flags |= m->ol_flags == 0 ? 0 : frame->flags;
	m->l2_len = frame->l3;
	m->l3_len = frame->l4 - frame->l3;
	m->l4_len = frame->end - frame->l4;
	m->tso_segsz = 100;
	m->vlan_tci = kind;
	if (kind & 0x80)
		m->ol_flags ^= 1ULL << (40 + fuzz_u8(f) % 21);
	if (kind & 0x40) {
		uint64_t lens = fuzz_u64(f);

		/* All of them at once. */
		m->tx_offload = kind & 0x20 ? lens : m->tx_offload ^ (lens & 0x3f0f3f0f3f0fULL);
	}
	/* Flags that say what the buffer is are not the application's. */
	m->ol_flags &= ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
}

static struct rte_mbuf *
make_packet(struct env *e, struct fuzz *f, const struct fuzz_frame *frame)
{
	uint8_t kind = fuzz_u8(f), nb = kind % 4 + 1;
	struct rte_mbuf *m = NULL, *s;
	uint32_t at, n;

	for (at = 0; at < frame->len; at += n) {
		n = nb > 1 ? fuzz_u8(f) : 350;
		n = RTE_MIN(RTE_MAX(n, 1U), RTE_MIN(frame->len - at, 350U));
		nb -= nb > 1;
		s = fake_mbuf(e->pool, kind & 8 ? 128 : kind >> 4, n);
		memcpy(rte_pktmbuf_mtod(s, void *), frame->bytes + at, n);
		if (m == NULL)
			m = s;
		else
			rte_pktmbuf_chain(m, s);
	}
	ask(f, m, frame);
	return m;
}

/*
 * An application that does not ask rte_eth_tx_prepare() has the sum of the pseudo header in its
 * packets. This one has anything there: a path that copies headers writes it, others leave it.
 */
static void
hide_pseudo_header(struct fuzz_seen *s)
{
	uint32_t at = s->hdr.csum_start + s->hdr.csum_offset;

	if ((s->hdr.flags & SLUICE_NET_HDR_F_NEEDS_CSUM) && at + 2 <= s->len)
		memset(s->bytes + at, 0, 2);
}

static void
collect(struct env *e, struct fuzz_run *r, bool is_prepared)
{
	struct fuzz_seen *s;
	uint32_t i;

	fake_dev_poll(&e->dev);
	for (i = 0; i < e->dev.nb_sent; i++) {
		const struct fake_packet *p = &e->dev.sent[i];

		fake_assert(r->nb < FUZZ_SEEN_MAX && p->len <= sizeof(s->bytes),
				"more went than was given");
		s = &r->seen[r->nb++];
		memset(s, 0, sizeof(*s));
		s->len = p->len;
		memcpy(s->bytes, p->data, p->len);
		s->hdr = p->hdr;
		if (!is_prepared)
			hide_pseudo_header(s);
	}
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
}

/* As an application that asks rte_eth_tx_prepare(), or does not; a packet is held, too, or not. */
static void
run_tx(const struct env_conf *conf, struct fuzz f, struct fuzz_run *r)
{
	struct env *e = env_open(conf);
	uint8_t bits = fuzz_u8(&f);
	static struct fuzz_frame frame;
	struct rte_mbuf *pkts[FUZZ_SEEN_MAX], *held;
	static uint8_t copy[FUZZ_FRAME_MAX];
	unsigned int nb_made = 0, nb = 0;
	uint16_t n;

	r->nb = r->nb_errors = 0;
	do {
		fuzz_frame(&f, &frame);
		pkts[nb] = make_packet(e, &f, &frame);
		nb_made++;
		held = fuzz_u8(&f) < 32 ? pkts[nb] : NULL;
		if (held != NULL)
			rte_pktmbuf_refcnt_update(held, 1);
		if ((bits & 1) && sluice_tx_prepare(&e->txq, &pkts[nb], 1) == 0) {
			fake_assert(rte_errno == ENOTSUP || rte_errno == EINVAL, "%d", rte_errno);
			rte_pktmbuf_free(pkts[nb]);
			r->nb_errors++;
		} else {
			nb++;
		}
		/* Some at once, where nobody else has one. */
		if (nb == 8 || held != NULL || f.left == 0 || nb_made == FUZZ_SEEN_MAX) {
			n = env_tx(e, pkts, nb);
			fake_assert(n == nb, "%u of %u are taken", n, nb);
			collect(e, r, bits & 1);
			e->tx->cleanup(&e->txq, 0);
			nb = 0;
		}
		if (held != NULL) {
			fake_assert(held->pkt_len == frame.len &&
							memcmp(rte_pktmbuf_read(held, 0, frame.len,
									       copy),
									frame.bytes,
									frame.len) == 0,
					"somebody else's packet was written to");
			rte_pktmbuf_free(held);
		}
	} while (nb_made < FUZZ_SEEN_MAX && f.left != 0);
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	r->nb_errors += e->q.stats.errors;
	fake_assert(r->nb + r->nb_errors == nb_made, "%u of %u went", r->nb, nb_made);
	env_close(e);
}

static void
test_tx(struct fuzz *f)
{
	struct env_conf conf = choose(f, true), plain = conf;

	plain.row = fuzz_plain_row(&conf);
	run_tx(&plain, *f, &runs[1]);
	run_tx(&conf, *f, &runs[0]);
	fuzz_expect_same(&runs[0], &runs[1], env_name(&conf));
}

/* Requests of tx_model.h, in the shapes that it has, each with lengths of its own. */
static void
test_tx_model(struct fuzz *f)
{
	struct env_conf conf = choose(f, true);
	struct rte_mbuf *pkts[8];
	static struct tx_model x;
	unsigned int nb_asks, nb;
	bool is_prepared = fuzz_u8(f) & 1;

	if (!env_has_offloads(&conf))
		return;
	conf.data_room = 2176;
	conf.nb_mbufs = 200;
	for (nb_asks = 0; tx_asks[nb_asks].name != NULL; nb_asks++)
		;
	tx_model_open(&x, &conf);
	x.seed = fuzz_u8(f);
	for (nb = 0; nb < RTE_DIM(pkts) && (nb == 0 || f->left != 0); nb++) {
		struct ask a = tx_asks[fuzz_below(f, nb_asks)];
		uint8_t kind = fuzz_u8(f);

		if (a.outer != 0 && !conf.has_tunnel)
			a = tx_asks[0];
		if (!a.is_udp && (kind & 1))
			a.tcp_options = 4 * (kind >> 1) % 44;
		if (kind & 0x80)
			a.options = a.is_ipv6 ? 8 * (1 + kind % 4) : 4 * (kind % 11);
		pkts[nb] = tx_model_make(&x, nb, &a, fuzz_below(f, NB_SHAPES), is_prepared);
	}
	if (is_prepared)
		tx_model_prepare(&x, pkts, nb);
	tx_model_send(&x, pkts, nb);
	tx_model_close(&x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz f = { data, len };
	uint8_t kind = fuzz_u8(&f) % 16;

	/* The last is the slowest, for it has four mempools. */
	if (kind < 8)
		test_rx(&f);
	else if (kind < 15)
		test_tx(&f);
	else
		test_tx_model(&f);
	return 0;
}
