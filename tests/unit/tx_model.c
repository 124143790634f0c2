/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ether.h>

#include "sluice_tx_offload.h"
#include "tx_model.h"

const struct ask tx_asks[] = {
	{ .name = "nothing" },
	{ .name = "TCP", .flags = TCP },
	{ .name = "UDP", .flags = UDP, .is_udp = true },
	{ .name = "IPv4", .flags = IPV4 },
	{ .name = "IPv4 with options", .flags = IPV4, .options = 12 },
	{ .name = "IPv4 and TCP", .flags = IPV4 | TCP },
	{ .name = "IPv4 and UDP", .flags = IPV4 | UDP, .is_udp = true },
	{ .name = "IPv4 with options and UDP", .flags = IPV4 | UDP, .is_udp = true, .options = 12 },
	{ .name = "TCP over IPv6", .flags = TCP, .is_ipv6 = true },
	{ .name = "UDP over IPv6", .flags = UDP, .is_ipv6 = true, .is_udp = true },
	{ .name = "UDP behind an extension header",
			.flags = UDP,
			.is_ipv6 = true,
			.is_udp = true,
			.options = 8 },
	{ .name = "VLAN", .flags = VLAN },
	{ .name = "VLAN, IPv4 and TCP", .flags = VLAN | IPV4 | TCP },
	{ .name = "VLAN and UDP over IPv6", .flags = VLAN | UDP, .is_ipv6 = true, .is_udp = true },
	{ .name = "VLAN, a long header", .flags = VLAN, .l2 = 123 },
	{ .name = "VLAN, IPv4 and TCP, a long header", .flags = VLAN | IPV4 | TCP, .l2 = 124 },
	{ .name = "TSO4", .flags = TSO | IPV4 },
	{ .name = "TSO4 with CWR", .flags = TSO | IPV4 | TCP, .is_cwr = true },
	{ .name = "TSO6", .flags = TSO, .is_ipv6 = true },
	{ .name = "TSO6 with CWR and a tag", .flags = TSO | VLAN, .is_ipv6 = true, .is_cwr = true },
	{ .name = "TSO4, a long header and a tag", .flags = TSO | IPV4 | VLAN, .l2 = 124 },
	{ .name = "USO4", .flags = USO | IPV4, .is_udp = true },
	{ .name = "USO6", .flags = USO | UDP, .is_ipv6 = true, .is_udp = true },
	{ .name = "TSO4 in VXLAN", .flags = TSO | IPV4 | VXLAN, .outer = 4 },
	{ .name = "TSO6 with CWR in GENEVE over IPv6, outer UDP checksum",
			.flags = TSO | GENEVE | OUTER_UDP,
			.is_ipv6 = true,
			.is_cwr = true,
			.outer = 6 },
	{ .name = "TSO6 in VXLAN, a tag, outer checksums",
			.flags = TSO | VXLAN | VLAN | OUTER_UDP | OUTER_IPV4,
			.is_ipv6 = true,
			.outer = 4 },
	{ .name = "USO4 in a UDP tunnel over IPv6",
			.flags = USO | IPV4 | RTE_MBUF_F_TX_TUNNEL_UDP,
			.is_udp = true,
			.outer = 6 },
	{ .name = "USO6 in GENEVE, a long header and a tag, outer checksums",
			.flags = USO | GENEVE | VLAN | OUTER_UDP | OUTER_IPV4,
			.is_ipv6 = true,
			.is_udp = true,
			.l2 = 124,
			.outer = 4 },
	{ .name = "TCP in VXLAN, outer IPv4 checksum",
			.flags = TCP | VXLAN | OUTER_IPV4,
			.outer = 4 },
	{ .name = "outer IPv4 checksum", .flags = VXLAN | OUTER_IPV4, .outer = 4 },
	{ .name = NULL },
};

const char *const tx_shape_names[NB_SHAPES] = { "plain", "of another pool", "of segments",
	"of segments of two pools", "shared", "a clone", "without headroom", "in external memory",
	"in pinned external memory" };

const struct ask *
tx_ask_of(const char *name)
{
	const struct ask *a;

	for (a = tx_asks; strcmp(a->name, name) != 0; a++)
		assert_non_null(a[1].name);
	return a;
}

static void
put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* RFC 1071, one word after the other; not complemented. */
static uint16_t
plain_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2) {
		sum += get16(p + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static const struct ask *
build(struct frame *f, const struct ask *a, uint32_t payload, uint64_t seed)
{
	uint8_t proto = a->is_udp ? IPPROTO_UDP : IPPROTO_TCP, *ip;

	f->first_l2 = a->l2 != 0 ? a->l2 : RTE_ETHER_HDR_LEN;
	f->outer = a->outer == 0 ? 0 : f->first_l2 + (a->outer == 6 ? 40 : 20) + a->outer_options;
	/* UDP's and the tunnel's header, of 8 bytes each, before another of Ethernet. */
	f->l2 = a->outer == 0 ? f->first_l2 : f->outer + 16 + a->tunnel_options + RTE_ETHER_HDR_LEN;
	f->l3 = (a->is_ipv6 ? 40 : 20) + a->options;
	f->l4 = a->is_udp ? 8 : 20 + a->tcp_options;
	f->len = f->l2 + f->l3 + f->l4 + payload + a->padding;
	/* One segment, which is none inside of a tunnel, or some; half of the packets are alike. */
	f->segsz = 1 + payload / 3;
	if (a->outer == 0 && seed % 4 != 0)
		f->segsz = seed % 4 == 1 ? payload + 100 : 536;
	fake_fill(f->bytes, f->len, seed);
	put16(f->bytes + 12, a->outer == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	put16(f->bytes + f->l2 - 2, a->is_ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	ip = f->bytes + f->l2;
	if (a->is_ipv6) {
		ip[0] = 0x60;
		put16(ip + 4, f->len - a->padding - f->l2 - 40);
		ip[6] = a->options != 0 ? IPPROTO_HOPOPTS : proto;
		if (a->options != 0) {
			ip[40] = proto;
			ip[41] = a->options / 8 - 1;
		}
	} else {
		ip[0] = 0x40 | f->l3 / 4;
		put16(ip + 2, f->len - a->padding - f->l2);
		ip[9] = proto;
	}
	if (!a->is_udp)
		ip[f->l3 + 13] = a->is_cwr ? 0x80 : 0;
	return a;
}

static bool
is_gso(const struct ask *a)
{
	return (a->flags & (TSO | USO)) != 0;
}

static bool
has_l4(const struct ask *a)
{
	return is_gso(a) || (a->flags & RTE_MBUF_F_TX_L4_MASK) != 0;
}

/* The sum of the pseudo header into the field of the checksum. */
static void
put_pseudo_header(struct frame *f, const struct ask *a, bool has_length)
{
	uint8_t *ip = f->bytes + f->l2;
	uint32_t sum = (a->is_udp ? IPPROTO_UDP : IPPROTO_TCP) +
			(has_length ? f->len - a->padding - f->l2 - f->l3 : 0);

	sum = a->is_ipv6 ? plain_sum(ip + 8, 32, sum) : plain_sum(ip + 12, 8, sum);
	put16(ip + f->l3 + (a->is_udp ? 6 : 16), sum);
}

/* The same of outer headers, and what the net header says of them. */
static void
expect_outer(struct frame *f, struct sluice_net_hdr_tunnel *hdr, const struct ask *a)
{
	uint8_t *ip = f->bytes + f->first_l2, *cksum = f->bytes + f->outer + 6;
	uint32_t sum = IPPROTO_UDP + f->len - f->outer;

	if (a->flags & OUTER_IPV4) {
		put16(ip + 10, 0);
		put16(ip + 10, ~plain_sum(ip, f->outer - f->first_l2, 0));
	}
	if (!is_gso(a))
		return;
	put16(cksum, 0);
	if (a->flags & OUTER_UDP) {
		put16(cksum,
				a->outer == 6 ? plain_sum(ip + 8, 32, sum) :
						plain_sum(ip + 12, 8, sum));
		hdr->hash.hdr.flags |= 8;
	}
	hdr->hash.hdr.gso_type |= a->outer == 6 ? 0x40 : 0x20;
	hdr->outer_th_offset = f->outer + (a->flags & VLAN ? 4 : 0);
	hdr->inner_nh_offset = f->l2 + (a->flags & VLAN ? 4 : 0);
}

/* What the device must see. */
static void
expect(struct frame *f, const struct frame *before, struct sluice_net_hdr_tunnel *all,
		const struct ask *a, uint16_t tci, bool has_ecn)
{
	struct sluice_net_hdr *hdr = &all->hash.hdr;

	static const uint8_t tag[] = { 0x81, 0x00 };
	uint8_t *ip;

	*f = *before;
	memset(all, 0, sizeof(*all));
	ip = f->bytes + f->l2;
	if (a->flags & IPV4) {
		put16(ip + 10, 0);
		put16(ip + 10, ~plain_sum(ip, f->l3, 0));
	}
	if (has_l4(a)) {
		put_pseudo_header(f, a, true);
		hdr->flags = 1;
		hdr->csum_start = f->l2 + f->l3 + (a->flags & VLAN ? 4 : 0);
		hdr->csum_offset = a->is_udp ? 6 : 16;
	}
	if (is_gso(a)) {
		hdr->gso_type = a->is_udp ? 5 : a->is_ipv6 ? 4 : 1;
		hdr->gso_type |= a->is_cwr && has_ecn ? 0x80 : 0;
		hdr->gso_size = f->segsz;
		hdr->hdr_len = hdr->csum_start + f->l4;
	}
	if (a->outer != 0)
		expect_outer(f, all, a);
	if (a->flags & VLAN) {
		memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
		memcpy(f->bytes + 12, tag, sizeof(tag));
		put16(f->bytes + 14, tci);
		f->len += 4;
	}
}

/* Bytes into a chain of mbufs that has room for them. */
static void
fill(struct rte_mbuf *m, const struct frame *f)
{
	uint32_t at = 0;

	for (; m != NULL; at += m->data_len, m = m->next)
		memcpy(rte_pktmbuf_mtod(m, void *), f->bytes + at, m->data_len);
	assert_int_equal(at, f->len);
}

void
tx_model_attach(struct tx_model *x, struct rte_mbuf *m)
{
	unsigned int nth = x->nb_exts++ % TX_MODEL_EXTS;

	fake_mbuf_attach(m, x->ext + nth * FRAME_MAX, FRAME_MAX - 1, &x->infos[nth]);
}

static struct rte_mbuf *
make_buffers(struct tx_model *x, unsigned int nth, enum shape shape, const struct frame *f)
{
	/* All headers, and no more segments than 15. */
	uint32_t len = f->len, n;
	uint32_t first = RTE_MIN(len, x->e->conf.has_tunnel ? 400u : f->first_l2 + 136u);
	struct rte_mbuf *m;

	switch (shape) {
	case OTHER_POOL:
		return fake_mbuf(x->other, 128, len);
	case PINNED:
		return fake_mbuf(x->pinned, 128, len);
	case CRAMPED:
		return fake_mbuf(x->e->pool, nth % 16, len);
	case SEGMENTS:
	case MIXED_SEGMENTS:
		m = fake_mbuf(x->e->pool, 128, first);
		for (; first < len; first += n) {
			n = RTE_MIN(len - first, 100u + nth);
			rte_pktmbuf_chain(m,
					fake_mbuf(shape == SEGMENTS || nth % 2 ? x->e->pool :
										 x->other,
							nth, n));
		}
		return m;
	case EXTERNAL:
		m = rte_pktmbuf_alloc(x->e->pool->mp);
		tx_model_attach(x, m);
		m->data_off = 100;
		m->data_len = len;
		m->pkt_len = len;
		return m;
	default:
		return fake_mbuf(x->e->pool, 128, len);
	}
}

const struct frame *
tx_model_build(struct tx_model *x, unsigned int nth, const struct ask *a, uint32_t payload,
		bool is_prepared)
{
	struct frame *before = &x->before[nth];

	build(before, a, payload, x->seed);
	x->seed++;
	/* As an application does it that does without rte_eth_tx_prepare(). */
	if (has_l4(a) && !is_prepared)
		put_pseudo_header(before, a, !is_gso(a));
	return before;
}

void
tx_model_ask(struct tx_model *x, unsigned int nth, const struct ask *a, struct rte_mbuf *m)
{
	const struct frame *before = &x->before[nth];

	/* Where the header goes others have left something. */
	memset(rte_pktmbuf_mtod(m, char *) - RTE_MIN(m->data_off, SLUICE_NET_HDR_TUNNEL_LEN), 0xa5,
			RTE_MIN(m->data_off, SLUICE_NET_HDR_TUNNEL_LEN));
	fill(m, before);
	m->ol_flags |= a->flags;
	if (a->flags != VLAN)
		m->ol_flags |= a->is_ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	m->vlan_tci = 0x6000 + nth;
	if (a->outer != 0) {
		m->ol_flags |= a->outer == 6 ? RTE_MBUF_F_TX_OUTER_IPV6 : RTE_MBUF_F_TX_OUTER_IPV4;
		m->outer_l2_len = before->first_l2;
		m->outer_l3_len = before->outer - before->first_l2;
	}
	m->l2_len = before->l2 - before->outer;
	m->l3_len = before->l3;
	m->l4_len = before->l4;
	m->tso_segsz = is_gso(a) ? before->segsz : 0;
	expect(&x->want[nth], before, &x->hdrs[nth], a, m->vlan_tci, x->e->conf.has_ecn);
}

/* Packet number nth of a burst, and what is expected of it. */
struct rte_mbuf *
tx_model_make(struct tx_model *x, unsigned int nth, const struct ask *a, enum shape shape,
		bool is_prepared)
{
	uint32_t payload = 2 + x->seed * 37 % (shape == CRAMPED ? 1500 : 1700);
	struct rte_mbuf *m, *clone;

	m = make_buffers(x, nth, shape, tx_model_build(x, nth, a, payload, is_prepared));
	tx_model_ask(x, nth, a, m);
	x->held[nth] = NULL;
	if (shape == SHARED) {
		rte_mbuf_refcnt_update(m, 1);
		x->held[nth] = m;
	} else if (shape == CLONE) {
		clone = rte_pktmbuf_clone(m, x->clones->mp);
		x->held[nth] = m;
		m = clone;
	}
	return m;
}

void
tx_model_check(struct tx_model *x, unsigned int nth, unsigned int at)
{
	const struct fake_packet *p = &x->e->dev.sent[at];
	const struct frame *w = &x->want[nth];
	bool is_other;
	uint32_t i;

	fake_assert(p->len == w->len, "packet %u: %u bytes, expected %u", nth, p->len, w->len);
	is_other = memcmp(p->data, w->bytes, w->len) != 0;
	for (i = 0; is_other && i < w->len; i++)
		fake_assert(p->data[i] == w->bytes[i], "packet %u: byte %u is 0x%x, expected 0x%x",
				nth, i, p->data[i], w->bytes[i]);
	fake_assert(memcmp(&p->hdr, &x->hdrs[nth].hash.hdr, sizeof(p->hdr)) == 0,
			"packet %u: header %u %u %u %u %u %u", nth, p->hdr.flags, p->hdr.gso_type,
			p->hdr.hdr_len, p->hdr.gso_size, p->hdr.csum_start, p->hdr.csum_offset);
	fake_assert(p->outer_th_offset == x->hdrs[nth].outer_th_offset &&
					p->inner_nh_offset == x->hdrs[nth].inner_nh_offset,
			"packet %u: tunnel %u %u", nth, p->outer_th_offset, p->inner_nh_offset);
}

/* What the test holds is what it was. */
void
tx_model_let_go(struct tx_model *x, unsigned int nth)
{
	struct rte_mbuf *m = x->held[nth];

	if (m == NULL)
		return;
	fake_assert(m->data_len == x->before[nth].len &&
					memcmp(rte_pktmbuf_mtod(m, void *), x->before[nth].bytes,
							m->data_len) == 0,
			"packet %u: somebody else's buffer was written to", nth);
	rte_pktmbuf_free(m);
}

void
tx_model_open(struct tx_model *x, struct env_conf *conf)
{
	const uint32_t nb = conf->nb_mbufs != 0 ? conf->nb_mbufs : 3000;
	const struct fake_pool_conf other = {
		.name = "other", .nb = nb * 2 / 3, .has_no_file = conf->bounces
	};
	const struct fake_pool_conf clones = { .name = "clones", .nb = nb / 3, .data_room = 128 };
	const struct fake_pool_conf pinned = {
		.name = "pinned", .nb = nb * 2 / 3, .is_pinned = true
	};

	memset(x, 0, sizeof(*x));
	conf->nb_mbufs = nb;
	x->e = env_open(conf);
	x->other = fake_pool_create(&other);
	x->clones = fake_pool_create(&clones);
	x->pinned = fake_pool_create(&pinned);
	x->ext = aligned_alloc(FAKE_PAGE, TX_MODEL_EXTS * FRAME_MAX);
	fake_eal_add(x->ext, TX_MODEL_EXTS * FRAME_MAX);
	fake_event_memory_added(x->ext, TX_MODEL_EXTS * FRAME_MAX);
}

void
tx_model_close(struct tx_model *x)
{
	fake_pool_assert_full(x->clones);
	fake_pool_assert_full(x->other);
	fake_pool_assert_full(x->pinned);
	fake_eal_remove(x->ext);
	fake_event_memory_freed(x->ext, TX_MODEL_EXTS * FRAME_MAX);
	env_close(x->e);
	fake_pool_destroy(x->clones);
	fake_pool_destroy(x->other);
	fake_pool_destroy(x->pinned);
	free(x->ext);
	fake_check();
}

void
tx_model_prepare(struct tx_model *x, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t n = sluice_tx_prepare(&x->e->txq, pkts, nb);

	fake_assert(n == nb, "packet %u was refused: %s", n, strerror(rte_errno));
}

void
tx_model_send(struct tx_model *x, struct rte_mbuf **pkts, uint16_t nb)
{
	struct env *e = x->e;
	uint64_t bytes = e->q.stats.bytes;
	uint16_t i, n = 0;

	for (i = 0; i < 10 && n < nb; i++) {
		n += env_tx(e, &pkts[n], nb - n);
		fake_dev_poll(&e->dev);
		fake_dev_verify(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, e->conf.order);
	}
	fake_assert(n == nb && e->dev.nb_sent == nb, "%u of %u taken, %u arrived", n, nb,
			e->dev.nb_sent);
	for (i = 0; i < nb; i++) {
		tx_model_check(x, i, i);
		bytes += x->want[i].len;
	}
	fake_assert(e->q.stats.bytes == bytes, "bytes are not counted as they were sent");
	fake_dev_forget_sent(&e->dev);
	e->tx->cleanup(&e->txq, 0);
	for (i = 0; i < nb; i++)
		tx_model_let_go(x, i);
	fake_assert(!env_has_failed(e) && e->q.stats.errors == 0, "errors");
	fake_pool_assert_full(e->pool);
	fake_check();
}
