/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * One random trace of received packets whose headers say anything, with whatever a port can be
 * asked for switched on together, through every path: what comes is what a plain model says, flag
 * by flag and byte by byte.
 *
 * SLUICE_SEED=NUMBER or =random makes another run.
 */

#include <inttypes.h>
#include <string.h>

#include "rx_model.h"
#include "sluice_ptype.h"
#include "sluice_rx_stage.h"

#define NB_PACKETS 384
#define NB_MAX 40 /* that are on their way */
#define GROUP 32  /* packets that have something in common */
#define MORE_MAX 9000
/* Ethernet, three tags, and the longest headers of IPv4 and TCP. */
#define HEADERS_MAX (14 + 12 + 60 + 60)
#define STRIPPED (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)
#define TCPV4 SLUICE_NET_HDR_GSO_TCPV4
#define TCPV6 SLUICE_NET_HDR_GSO_TCPV6
#define ECN SLUICE_NET_HDR_GSO_ECN

/* A packet, and all that is true of it, whatever a queue is asked for. */
struct packet {
	struct rx_packet p;
	uint64_t ipv4;       /* flag of that header's sum */
	uint32_t l4;         /* where it begins, or would */
	uint8_t csum_offset; /* of an L4 header that a driver looks for, or 0 */
	struct sluice_net_hdr_hash hash;
	uint32_t ptype;
	uint16_t tci;
};

struct world {
	struct env *e;
	struct sluice_rx_stage shown;
	sluice_rx_stage_fn burst;
	struct packet packets[NB_MAX]; /* by number */
	unsigned int nb_come, nb_taken;
	uint64_t nb_bad_hdr, nb_bad_gso;
};

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* A header whose sum is right, or is not. Returns its length. */
static uint32_t
make_ipv4(struct packet *p, uint8_t *ip, uint8_t proto, uint64_t *random)
{
	uint32_t len = 20 + (fake_one_of(random, 4) ? 4 * fake_below(random, 11) : 0);

	ip[0] = 0x40 | len / 4;
	put16(ip + 6, 0);
	ip[9] = proto;
	put16(ip + 10, 0);
	put16(ip + 10, ~fake_sum(ip, len));
	p->ipv4 = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	if (fake_one_of(random, 6)) {
		ip[12 + fake_below(random, 8)] ^= 1 << fake_below(random, 8);
		p->ipv4 = RTE_MBUF_F_RX_IP_CKSUM_BAD;
	}
	return len;
}

static uint32_t
make_ipv6(struct packet *p, uint8_t *ip, uint8_t proto, uint64_t *random)
{
	bool has_extension = fake_one_of(random, 5);

	ip[0] = 0x60;
	ip[6] = has_extension ? 0 : proto;
	ip[40] = proto;
	ip[41] = 0;
	/* Nobody looks behind an extension. */
	if (has_extension)
		p->csum_offset = 0;
	return has_extension ? 48 : 40;
}

static void
make_frame(struct packet *p, uint64_t *random)
{
	uint32_t nb_tags = fake_one_of(random, 3) ? fake_below(random, 4) : 0, i, at = 12, len;
	uint8_t proto = fake_one_of(random, 8) ? 47 : fake_one_of(random, 2) ? 17 : 6;
	uint8_t *bytes = p->p.bytes;
	uint16_t type = fake_one_of(random, 10) ? 0x0806 : fake_one_of(random, 2) ? 0x0800 : 0x86dd;

	for (i = 0; i < nb_tags; i++, at += 4)
		put16(bytes + at, fake_one_of(random, 2) ? 0x8100 : 0x88a8);
	put16(bytes + at, type);
	at += 2;
	p->csum_offset = type == 0x0806 ? 0 : proto == 6 ? 16 : proto == 17 ? 6 : 0;
	if (type == 0x0800)
		at += make_ipv4(p, bytes + at, proto, random);
	else if (type == 0x86dd)
		at += make_ipv6(p, bytes + at, proto, random);
	/* Nor behind three tags. */
	if (nb_tags > 2) {
		p->ipv4 = 0;
		p->csum_offset = 0;
	}
	p->l4 = at;
	len = 20 + 4 * fake_below(random, 11);
	if (type != 0x0806 && proto == 6)
		bytes[at + 12] = len / 4 << 4;
	p->p.payload = p->csum_offset == 16 ? at + len : 0;
}

/* What the device says: mostly little, but anything may be. */
static void
make_header(struct packet *p, uint64_t *random)
{
	static const uint8_t types[] = { TCPV4, TCPV6, TCPV4 | ECN, TCPV6 | ECN, 3, 5, ECN, 0x21 };
	struct sluice_net_hdr *hdr = &p->p.hdr;
	uint32_t field;

	hdr->flags = fake_one_of(random, 3) ? NEEDS : fake_one_of(random, 2) ? VALID : 0;
	hdr->flags |= fake_one_of(random, 6) ? fake_below(random, 256) & ~NEEDS : 0;
	hdr->hdr_len = fake_random(random);
	hdr->csum_start = p->l4;
	hdr->csum_offset = p->csum_offset != 0 ? p->csum_offset : 16;
	/* In a tunnel, say, or behind the end; not in headers that are looked at. */
	if (fake_one_of(random, 5)) {
		field = HEADERS_MAX + fake_below(random, p->p.len - HEADERS_MAX + 8);
		hdr->csum_offset = fake_below(random, field);
		hdr->csum_start = field - hdr->csum_offset;
	}
	hdr->gso_size = fake_one_of(random, 12) ? 0 : 1 + fake_below(random, 1500);
	/* About as much as there is: one segment, or two. */
	if (fake_one_of(random, 2))
		hdr->gso_size = p->p.len - fake_below(random, 2 * p->p.payload + 1);
	if (fake_one_of(random, p->p.payload != 0 ? 2 : 8))
		hdr->gso_type = types[fake_below(
				random, fake_one_of(random, 4) ? RTE_DIM(types) : 4)];
	p->hash.hash_report = fake_one_of(random, 6) ? fake_below(random, 20) :
						       1 + fake_below(random, 9);
}

/* Groups of plain packets, which batches take, and others of everything. */
static void
make(struct packet *p, uint64_t number, bool may_be_long)
{
	uint64_t random = suite_seed_of(number);
	bool is_plain = number / GROUP % 2 == 0;
	uint32_t len = HEADERS_MAX + 4 + fake_below(&random, fake_one_of(&random, 2) ? 60 : 1700);
	/* Where there is one buffer for each, it is the trace of shorter ones. */
	uint32_t more = fake_one_of(&random, 4) ? fake_below(&random, MORE_MAX) : 0;

	p->p.len = may_be_long && !is_plain ? len + more : len;
	p->p.hdr = (struct sluice_net_hdr){ 0 };
	p->p.payload = 0;
	p->ipv4 = 0;
	p->hash = (struct sluice_net_hdr_hash){ .hash_value = fake_random(&random),
		.padding = fake_random(&random) };
	fake_fill(p->p.bytes, p->p.len, number);
	if (is_plain) {
		put16(p->p.bytes + 12, 0x0800);
		p->csum_offset = 6;
		p->l4 = 14 + make_ipv4(p, p->p.bytes + 14, 17, &random);
		p->p.hdr.flags = fake_one_of(&random, 8) ? 0 : VALID;
		p->hash.hash_report = 1 + fake_below(&random, 8);
	} else {
		make_frame(p, &random);
		make_header(p, &random);
	}
}

static bool
has_csum(const struct env *e)
{
	return env_has_csum(&e->conf) && !e->conf.has_hash_only;
}

/* Was it negotiated? */
static bool
is_good_gso(const struct env *e, uint8_t type)
{
	if (e->conf.has_ecn)
		type &= ~ECN;
	return e->conf.has_lro && (type == TCPV4 || type == TCPV6);
}

/* The counter of packets that are dropped for such a header, or NULL. */
static uint64_t *
fault_of(struct world *w, const struct packet *p)
{
	const struct sluice_net_hdr *hdr = &p->p.hdr;

	if (!has_csum(w->e))
		return NULL;
	if (hdr->gso_type != 0 && !is_good_gso(w->e, hdr->gso_type))
		return &w->nb_bad_gso;
	if (hdr->gso_type != 0 && hdr->gso_size == 0)
		return &w->nb_bad_hdr;
	if ((hdr->flags & NEEDS) && (uint32_t)hdr->csum_start + hdr->csum_offset + 2 > p->p.len)
		return &w->nb_bad_hdr;
	return NULL;
}

/* By what the device says of its checksum, which is completed if it has to be. */
static uint64_t
l4_flag(const struct env *e, struct packet *p)
{
	const struct sluice_net_hdr *hdr = &p->p.hdr;
	bool is_known = p->csum_offset != 0 && hdr->csum_start == p->l4 &&
			hdr->csum_offset == p->csum_offset;

	if (!(hdr->flags & NEEDS))
		return hdr->flags & VALID ? GOOD : 0;
	if (is_known && !e->conf.completes_csum)
		return NONE;
	rx_model_complete(&p->p);
	return is_known ? GOOD : 0;
}

/* The packet as it must come, of one that was delivered. */
static void
expect(const struct world *w, struct packet *p)
{
	const struct env *e = w->e;
	struct rx_packet *r = &p->p;

	r->want = 0;
	if (has_csum(e)) {
		r->want = l4_flag(e, p);
		if (r->hdr.gso_type != 0 && r->payload + r->hdr.gso_size < r->len)
			r->want |= RTE_MBUF_F_RX_LRO;
	}
	if (e->conf.checks_ipv4)
		r->want |= p->ipv4;
	if (!e->conf.has_hash || p->hash.hash_report < 1 || p->hash.hash_report > 9)
		p->hash.hash_value = 0;
	else
		r->want |= RTE_MBUF_F_RX_RSS_HASH;
	if (w->shown.has_vlan && r->bytes[12] == 0x81 && r->bytes[13] == 0) {
		r->want |= STRIPPED;
		p->tci = r->bytes[14] << 8 | r->bytes[15];
		r->len -= 4;
		memmove(r->bytes + 12, r->bytes + 16, r->len - 12);
	}
	p->ptype = rx_model_ptype(r->bytes, r->len) & w->shown.ptypes;
}

static void
take(struct world *w, uint16_t nb)
{
	struct rte_mbuf *pkts[NB_MAX];
	uint16_t n = w->burst(&w->e->rxq, pkts, nb), i;

	for (i = 0; i < n; i++, w->nb_taken++) {
		struct packet *p = &w->packets[w->nb_taken % NB_MAX];
		const struct rte_mbuf *m = pkts[i];

		fake_context("%s: number %u that comes of SLUICE_SEED=%" PRIu64,
				env_name(&w->e->conf), w->nb_taken, suite_seed());
		fake_assert(w->nb_taken != w->nb_come, "more came than were sent");
		if (w->e->conf.has_hash)
			fake_assert(m->hash.rss == p->hash.hash_value, "hash 0x%x, not 0x%x",
					m->hash.rss, p->hash.hash_value);
		if (p->p.want & RTE_MBUF_F_RX_VLAN)
			fake_assert(m->vlan_tci == p->tci, "tag 0x%x, not 0x%x", m->vlan_tci,
					p->tci);
		if (w->shown.ptypes != 0)
			fake_assert(m->packet_type == p->ptype, "type 0x%x, not 0x%x",
					m->packet_type, p->ptype);
		rx_model_expect(pkts[i], &p->p, false);
	}
}

static void
take_all(struct world *w)
{
	unsigned int polls;

	for (polls = 0; w->nb_taken != w->nb_come; polls++) {
		fake_assert(polls < 2 * NB_MAX, "packets are missing");
		take(w, NB_MAX);
	}
}

/* What software does for the port may be switched while it runs. */
static void
switch_stage(struct world *w, unsigned int kind)
{
	const struct sluice_rx_stage stage = { .has_vlan = kind & 1,
		.ptypes = kind & 2 ? SLUICE_PTYPE_FAMILIES : 0 };

	take_all(w);
	sluice_rx_stage_show(&w->shown, &stage);
	w->burst = sluice_rx_stage_burst(&stage);
	if (w->burst == NULL)
		w->burst = w->e->rx->burst;
}

static void
run(struct env_conf *conf)
{
	static struct world w;
	uint64_t random = suite_seed_of(~0ULL), number, *fault;
	struct packet *p;
	struct env *e;

	memset(&w.shown, 0, sizeof(w.shown));
	w.nb_come = w.nb_taken = 0;
	w.nb_bad_hdr = w.nb_bad_gso = 0;
	w.e = e = env_open(conf);
	e->rxq.path = e->rx;
	e->rxq.stage = &w.shown;
	for (number = 0; number < NB_PACKETS; number++) {
		if (number % GROUP == 0)
			switch_stage(&w, fake_below(&random, 4));
		if (w.nb_come - w.nb_taken == NB_MAX)
			take_all(&w);
		p = &w.packets[w.nb_come % NB_MAX];
		make(p, number, env_has_mrg(conf));
		e->dev.hash = p->hash;
		rx_model_deliver(e, &p->p);
		fault = fault_of(&w, p);
		if (fault != NULL) {
			++*fault;
		} else {
			expect(&w, p);
			w.nb_come++;
		}
		if (fake_one_of(&random, 12))
			take(&w, 1 + fake_below(&random, NB_MAX));
	}
	take_all(&w);
	take(&w, NB_MAX);
	fake_assert(e->rxq.nb_bad_hdr == w.nb_bad_hdr && e->rxq.nb_bad_gso == w.nb_bad_gso &&
					e->q.stats.errors == w.nb_bad_hdr + w.nb_bad_gso,
			"counted otherwise");
	fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	env_close(e);
}

static void
test_trace(void **state)
{
	struct env_conf *conf = *state;
	bool has_header = env_has_csum(conf), may_have_hash = has_header && !env_is_copy(conf);
	unsigned int k;

	for (k = 0; k < 8; k++) {
		conf->order = k % 2 == 0          ? FAKE_ONE_BY_ONE :
				conf->is_in_order ? FAKE_BATCHES :
						    FAKE_SHUFFLED;
		conf->checks_ipv4 = has_header && (k & 1);
		conf->completes_csum = k & 2;
		conf->has_hash = may_have_hash && (k & 4);
		conf->has_hash_only = may_have_hash && k == 6;
		conf->has_lro = has_header && env_has_mrg(conf) && k % 3 == 0;
		conf->has_ecn = k % 2 == 0;
		conf->has_event_idx = k & 1;
		conf->start = env_is_packed(conf) ? k * 31 | (k & 1) << 15 : 65500;
		run(conf);
	}
}

int
main(void)
{
	suite_add_rx(test_trace, "trace");
	return suite_run("diff_rx");
}
