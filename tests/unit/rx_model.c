/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <string.h>

#include <rte_ether.h>
#include <rte_net.h>

#include "rx_model.h"
#include "sluice_ptype.h"

static void
put16(uint8_t *at, uint16_t v)
{
	at[0] = v >> 8;
	at[1] = v;
}

void
rx_model_complete(struct rx_packet *p)
{
	uint32_t start = p->hdr.csum_start;
	uint16_t sum = fake_sum(p->bytes + start, p->len - start);

	put16(p->bytes + start + p->hdr.csum_offset, sum == 0xffff ? 0xffff : ~sum);
}

void
rx_model_make(struct rx_packet *p, const struct rx_sample *s, uint32_t len, uint64_t seed)
{
	uint32_t at = 12, tag;

	p->len = len;
	p->want = s->want;
	fake_fill(p->bytes, len, seed);
	for (tag = 0; tag < s->nb_tags; tag++, at += 4)
		put16(p->bytes + at, tag == 0 ? 0x88a8 : 0x8100);
	put16(p->bytes + at, s->l3_len == 0 ? 0x86dd : s->l3_len == 1 ? 0x0806 : 0x0800);
	at += 2;
	if (s->l3_len != 0)
		p->bytes[at] = 0x40 | s->l3_len / 4;
	p->bytes[at + (s->l3_len != 0 ? 9 : 6)] = s->proto;
	at += s->l3_len == 0 ? 40 : s->l3_len == 1 ? 20 : s->l3_len;
	p->payload = at + 20 + seed % 11 * 4;
	if (s->proto == 6)
		p->bytes[at + 12] = (p->payload - at) / 4 << 4;
	p->hdr = (struct sluice_net_hdr){
		.flags = s->flags,
		.hdr_len = 0xffff, /* a hint, which nobody takes */
		.gso_size = 0xffff,
		.csum_start = s->start != 0 ? s->start : at,
		.csum_offset = s->offset,
	};
}

void
rx_model_deliver(struct env *e, const struct rx_packet *p)
{
	fake_dev_poll(&e->dev);
	e->dev.offload = p->hdr;
	fake_assert(fake_dev_deliver(&e->dev, p->bytes, p->len, e->conf.order), "no buffers");
	e->dev.offload = (struct sluice_net_hdr){ 0 };
}

void
rx_model_expect(struct rte_mbuf *m, struct rx_packet *p, bool is_completed)
{
	static uint8_t copy[RX_BYTES_MAX];

	if (is_completed)
		rx_model_complete(p);
	fake_assert(m->pkt_len == p->len, "%u bytes came of %u", m->pkt_len, p->len);
	fake_assert(memcmp(rte_pktmbuf_read(m, 0, p->len, copy), p->bytes, p->len) == 0,
			"other bytes came");
	fake_assert(m->ol_flags == p->want, "flags 0x%lx, not 0x%lx", (unsigned long)m->ol_flags,
			(unsigned long)p->want);
	if (p->want & RTE_MBUF_F_RX_LRO)
		fake_assert(m->tso_segsz == p->hdr.gso_size, "segments of %u bytes, not of %u",
				m->tso_segsz, p->hdr.gso_size);
	rte_pktmbuf_free(m);
}

uint32_t
rx_model_ptype(const uint8_t *bytes, uint32_t len)
{
	uint16_t ether_type = len < RTE_ETHER_HDR_LEN ? 0 : bytes[12] << 8 | bytes[13];
	struct rte_mbuf m = {
		.buf_addr = (void *)(uintptr_t)bytes, .data_len = len, .pkt_len = len, .nb_segs = 1
	};
	uint32_t type = rte_net_get_ptype(&m, NULL, SLUICE_PTYPE_FAMILIES);

	if (ether_type == RTE_ETHER_TYPE_VLAN)
		return (type & ~RTE_PTYPE_L2_MASK) | RTE_PTYPE_L2_ETHER_VLAN;
	if (ether_type == RTE_ETHER_TYPE_QINQ)
		return (type & ~RTE_PTYPE_L2_MASK) | RTE_PTYPE_L2_ETHER_QINQ;
	return type;
}
