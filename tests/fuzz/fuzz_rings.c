/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A queue whose device does what the input says, between bursts, cleanups and stops of the driver:
 * it completes, delivers, lies about ids and lengths, and writes to the rings where it likes. A
 * queue whose device did nothing wrong goes on, one that failed stays failed, and in the end every
 * mbuf is back. That nothing is written elsewhere, or to an mbuf that is free, sees
 * AddressSanitizer.
 */

#include <sanitizer/asan_interface.h>

#include "fuzz.h"
#include "sluice_ethdev.h"

#define STEPS_MAX 200
#define PKTS_MAX 40

struct world {
	struct env *e;
	struct fuzz f;
	bool has_lied;
	/* The rings were written to: descriptors may be anything, and are not followed any more. */
	bool has_scribbled;
	enum sluice_fail fail; /* as it was first seen */
};

static struct env_conf
choose(struct fuzz *f)
{
	uint32_t bits = fuzz_u32(f);
	struct env_conf c = { .is_tx = bits & 1,
		.is_in_order = bits >> 1 & 1,
		.has_mrg = bits >> 2 & 1,
		.has_event_idx = bits >> 3 & 1,
		.has_indirect = bits >> 4 & 1,
		.is_lying = bits >> 5 & 1,
		.is_pinned = bits >> 6 & 1,
		.completes_csum = bits >> 10 & 1,
		.has_ecn = bits >> 11 & 1,
		.thresh = bits >> 12 & 0xf };
	bool has_header, is_copy;

	c.row = fuzz_row(f, c.is_tx);
	is_copy = env_is_copy(&c);
	c.has_csum = !c.is_tx && is_copy && (bits >> 16 & 1);
	has_header = c.is_tx ? env_has_offloads(&c) : env_has_csum(&c);
	c.has_hash = has_header && !is_copy && (bits >> 17 & 1);
	c.has_hash_only = !c.is_tx && c.has_hash && (bits >> 18 & 1);
	c.has_tunnel = c.is_tx && has_header && !is_copy && !c.has_hash && (bits >> 19 & 1);
	c.checks_ipv4 = !c.is_tx && has_header && (bits >> 20 & 1);
	c.has_lro = !c.is_tx && has_header && c.has_mrg && (bits >> 21 & 1);
	c.bounces = c.is_tx && has_header && !is_copy && !c.has_hash && !c.has_tunnel &&
			(bits >> 22 & 1);
	c.size = env_is_packed(&c) ? 4 + fuzz_below(f, 45) : 4 << fuzz_below(f, 4);
	c.start = fuzz_u16(f);
	if (env_is_packed(&c))
		c.start = (c.start & 0x7fff) % c.size | (c.start & 0x8000);
	c.data_room = bits >> 23 & 1 ? 256 : 640;
	c.order = c.is_in_order ? (bits >> 24 & 1 ? FAKE_BATCHES : FAKE_ONE_BY_ONE) :
				  (bits >> 24 & 1 ? FAKE_SHUFFLED : FAKE_ONE_BY_ONE);
	c.nb_mbufs = 2 * c.size + PKTS_MAX;
	return c;
}

/* What the fake device says of a driver that it has lied to is nothing to go by. */
static void
hush(struct world *w)
{
	if (w->has_lied)
		fake_errors_clear();
	fake_check();
}

static void
poll_device(struct world *w)
{
	if (!w->has_scribbled)
		fake_dev_poll(&w->e->dev);
	hush(w);
}

static void
check_packet(const struct world *w, const struct rte_mbuf *m)
{
	const struct rte_mbuf *s;
	uint32_t len = 0, nb = 0;

	for (s = m; s != NULL; s = s->next, nb++) {
		fake_assert(rte_mbuf_refcnt_read(s) == 1 && s->pool == w->e->pool->mp,
				"somebody else's segment");
		fake_assert(s->data_len != 0 && s->data_off + s->data_len <= s->buf_len,
				"a segment of %u bytes at %u", s->data_len, s->data_off);
		len += s->data_len;
	}
	fake_assert(len == m->pkt_len && nb == m->nb_segs && m->port == 7,
			"%u bytes in %u segments, and it says %u in %u", len, nb, m->pkt_len,
			m->nb_segs);
}

static void
receive(struct world *w)
{
	struct rte_mbuf *pkts[PKTS_MAX];
	uint16_t n = env_rx(w->e, pkts, fuzz_below(&w->f, PKTS_MAX + 1)), i;

	fake_assert(n == 0 || w->fail == SLUICE_FAIL_NONE, "packets of a queue that failed");
	for (i = 0; i < n; i++)
		check_packet(w, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, n);
}

/* A request, whether the row does such a thing or drops it; headers may be longer than all. */
static void
ask(struct world *w, struct rte_mbuf *m)
{
	static const uint64_t asks[] = { RTE_MBUF_F_TX_VLAN,
		RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM,
		RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG,
		RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM };
	uint64_t flags = asks[fuzz_below(&w->f, RTE_DIM(asks))];

	m->ol_flags |= flags;
	m->l2_len = RTE_ETHER_HDR_LEN;
	m->l3_len = flags & RTE_MBUF_F_TX_IPV6 ? 40 : 20;
	m->l4_len = 20;
	m->tso_segsz = 30;
}

/* With room in front or not, of one segment or some, held by somebody else or not. */
static struct rte_mbuf *
make(struct world *w)
{
	uint8_t kind = fuzz_u8(&w->f), nb = kind >> 6;
	struct rte_mbuf *m = NULL, *s;
	uint16_t len = 1 + fuzz_below(&w->f, 120);

	/* Copies take one more, and what is checked has to be there. */
	if (w->e->pool->nb_free < nb + 1u)
		return NULL;
	do {
		s = fake_mbuf(w->e->pool, kind & 1 ? 128 : kind >> 1 & 15, len);
		if (m == NULL)
			m = s;
		else
			rte_pktmbuf_chain(m, s);
	} while (nb-- != 0);
	fake_mbuf_fill(m, 1);
	if (kind & 0x20)
		ask(w, m);
	return m;
}

static void
transmit(struct world *w)
{
	struct env *e = w->e;
	struct rte_mbuf *pkts[PKTS_MAX];
	uint16_t nb = fuzz_below(&w->f, PKTS_MAX + 1), n = 0, i;
	uint64_t bytes = e->q.stats.packets;

	e->pool->limit = FAKE_NO_LIMIT;
	while (n < nb && (pkts[n] = make(w)) != NULL)
		n++;
	nb = n;
	n = env_tx(e, pkts, nb);
	fake_assert(n == 0 || w->fail == SLUICE_FAIL_NONE, "a queue that failed takes packets");
	fake_assert(e->q.stats.packets - bytes <= n, "counted otherwise");
	for (i = n; i < nb; i++)
		rte_pktmbuf_free(pkts[i]);
}

static void
clean_up(struct world *w)
{
	w->e->tx->cleanup(&w->e->txq, fuzz_below(&w->f, 70));
}

/* An honest packet, or completions. */
static void
work(struct world *w)
{
	struct env *e = w->e;
	uint32_t nb, len;

	if (e->conf.is_tx) {
		poll_device(w);
		fake_dev_forget_sent(&e->dev);
		nb = fuzz_below(&w->f, e->dev.nb_held + 1);
		fake_dev_complete(&e->dev, nb, e->conf.order);
	} else if (!w->has_scribbled) {
		for (nb = 1 + fuzz_below(&w->f, 32); nb != 0; nb--) {
			len = 1 + fuzz_u16(&w->f) % (2 * env_post_len(e));
			if (!env_has_mrg(&e->conf))
				len = RTE_MIN(len, env_post_len(e) - fake_dev_hdr_len(&e->dev));
			if (!env_deliver(e, len))
				break;
		}
	}
	hush(w);
}

/* To a buffer that the device has; what it was told that it has not, the lie was about. */
static void
write_part(struct world *w, const struct fake_buf *b)
{
	uint8_t bytes[64];
	uint32_t len = fuzz_below(&w->f, sizeof(bytes));
	uint8_t *va;

	fuzz_take(&w->f, bytes, len);
	if (b->nb_parts == 0 || w->has_scribbled)
		return;
	len = RTE_MIN(len, b->parts[0].len);
	va = fake_domain_reach(w->e->dev.dom, b->parts[0].da, len);
	if (va != NULL && __asan_region_is_poisoned(va, len) == NULL)
		memcpy(va, bytes, len);
}

/* A buffer that it has, but header and length are any. */
static void
use(struct world *w)
{
	struct env *e = w->e;
	uint32_t len, nth;

	poll_device(w);
	if (e->dev.nb_held == 0)
		return;
	nth = fuzz_below(&w->f, e->dev.nb_held);
	w->has_lied = true;
	w->has_scribbled |= nth != 0 && e->conf.is_in_order;
	len = fuzz_u8(&w->f) < 200 ? fuzz_u16(&w->f) : fuzz_u32(&w->f);
	if (!e->conf.is_tx)
		write_part(w, fake_dev_held(&e->dev, nth));
	fake_dev_use(&e->dev, nth, len);
	hush(w);
}

/* Of any id, and it may have such a buffer. */
static void
lie(struct world *w)
{
	struct env *e = w->e;
	uint32_t id = fuzz_u8(&w->f) < 224 ? fuzz_below(&w->f, e->conf.size + 2u) : fuzz_u32(&w->f);
	uint32_t len = fuzz_u16(&w->f), i;

	/* What it has not seen yet may be gone then. */
	poll_device(w);
	w->has_lied = true;
	for (i = 0; i < e->dev.nb_held && fake_dev_held(&e->dev, i)->id != id; i++)
		;
	/* In order it is of the oldest, whatever the id; one that is free may be given yet. */
	w->has_scribbled |= e->conf.is_in_order || i == e->dev.nb_held;
	if (i == e->dev.nb_held)
		fake_dev_lie_used(&e->dev, id, len);
	else
		fake_dev_use(&e->dev, i, len);
	hush(w);
}

/* Anywhere in the rings, and among indirect tables. */
static void
scribble(struct world *w)
{
	struct env *e = w->e;
	uint32_t len = sluice_ring_offsets(e->q.ring_type, e->conf.size, e->conf.is_tx).len;
	uint32_t at = fuzz_u16(&w->f) % len, n = 1 + fuzz_below(&w->f, 16);

	w->has_lied = true;
	w->has_scribbled = true;
	n = RTE_MIN(n, len - at);
	fuzz_take(&w->f, (uint8_t *)e->rings.va + at, n);
}

/* An index that moves on, or a position that is another. */
static void
advance(struct world *w)
{
	struct env *e = w->e;
	uint16_t by = fuzz_u8(&w->f) < 224 ? fuzz_below(&w->f, 70) : fuzz_u16(&w->f);

	w->has_lied = w->has_scribbled = true;
	if (env_is_packed(&e->conf)) {
		e->dev.used = (e->dev.used + by) % e->conf.size;
		e->dev.used_wrap ^= fuzz_u8(&w->f) & 1;
	} else {
		e->dev.used += by;
		e->dev.split.used->idx = e->dev.used;
	}
}

static void
wish(struct world *w)
{
	struct env *e = w->e;

	if (e->conf.has_event_idx && (fuzz_u8(&w->f) & 1))
		fake_dev_want_event(&e->dev, fuzz_u16(&w->f));
	else
		fake_dev_want_no_kick(&e->dev, fuzz_u8(&w->f) & 1);
}

/* Fewer mbufs than are wanted. */
static void
starve(struct world *w)
{
	uint8_t limit = fuzz_u8(&w->f);

	w->e->pool->limit = limit & 0x80 ? FAKE_NO_LIMIT : limit;
}

/* What the application and the control thread may look at meanwhile. */
static void
look(struct world *w)
{
	struct env *e = w->e;
	uint16_t at = fuzz_below(&w->f, 70);
	int n;

	if (e->conf.is_tx) {
		n = sluice_tx_queue_count(&e->txq);
		sluice_tx_descriptor_status(&e->txq, at);
	} else {
		n = sluice_rx_queue_count(&e->rxq);
		sluice_rx_descriptor_status(&e->rxq, at);
		if (!env_has_failed(e) && sluice_rxq_arm(&e->rxq))
			n = 0;
		sluice_rxq_disarm(&e->rxq);
	}
	fake_assert(n >= 0 && n <= e->conf.size, "%d of %u are counted", n, e->conf.size);
}

/* A stop, and a device that begins anew. */
static void
restart(struct world *w)
{
	struct env *e = w->e;

	e->pool->limit = FAKE_NO_LIMIT;
	if (!e->conf.is_tx)
		fake_assert(sluice_rxq_nb_waiting(&e->rxq) <= e->conf.size, "more wait than are");
	if (fuzz_u8(&w->f) & 1)
		sluice_queue_retract(&e->q);
	env_restart(e);
	w->has_lied = w->has_scribbled = false;
	w->fail = SLUICE_FAIL_NONE;
}

/* Buffers are changed while the device has the ring (sluice_renew.c). */
static void
renew(struct world *w)
{
	struct env *e = w->e;

	if (e->conf.is_tx || env_has_failed(e))
		return;
	poll_device(w);
	e->pool->limit = FAKE_NO_LIMIT;
	e->q.state = SLUICE_QUEUE_STOPPED;
	sluice_rxq_drop_waiting(&e->rxq);
	if (e->q.fail == SLUICE_FAIL_NONE) {
		sluice_rxq_change_pool(&e->rxq, e->pool->mp);
		e->q.state = e->q.run;
	} else {
		/* The port leaves it where it is; here it goes on to be looked at. */
		e->q.state = SLUICE_QUEUE_FAILED;
	}
	/* Which buffers they are now, the fake device does not know. */
	w->has_lied = w->has_scribbled = true;
}

static void (*const rx_steps[])(struct world *w) = { receive, receive, work, work, use, use, lie,
	scribble, advance, wish, starve, look, restart, renew };
static void (*const tx_steps[])(struct world *w) = { transmit, transmit, work, work, use, use, lie,
	scribble, advance, wish, clean_up, look, restart };

static void
check_failure(struct world *w)
{
	bool has_failed = env_has_failed(w->e);

	fake_assert(!has_failed || w->has_lied, "%s, of an honest device",
			sluice_fail_name(w->e->q.fail));
	fake_assert(w->fail == SLUICE_FAIL_NONE || w->e->q.fail == w->fail, "'%s' became '%s'",
			sluice_fail_name(w->fail), sluice_fail_name(w->e->q.fail));
	w->fail = w->e->q.fail;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .f = { data, len } };
	struct env_conf conf = choose(&w.f);
	unsigned int i, nb = conf.is_tx ? RTE_DIM(tx_steps) : RTE_DIM(rx_steps);

	w.e = env_open(&conf);
	for (i = 0; i < STEPS_MAX && w.f.left != 0; i++) {
		uint32_t step = fuzz_below(&w.f, nb);

		(conf.is_tx ? tx_steps : rx_steps)[step](&w);
		fake_check();
		check_failure(&w);
	}
	w.e->pool->limit = FAKE_NO_LIMIT;
	env_close(w.e);
	return 0;
}
