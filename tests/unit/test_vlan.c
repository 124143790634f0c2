/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* VLAN tags that are taken off received packets, and those that stay. */

#include <string.h>

#include "env.h"
#include "sluice_rx_stage.h"

#define LEN 100
#define STRIPPED (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)
#define NONE 0xffff

struct sample {
	const char *name;
	uint16_t types[3]; /* from the Ethernet header on; NONE: no more */
	bool is_stripped;
};

static const struct sample samples[] = {
	{ "no tag", { 0x0800, NONE, NONE }, false },
	{ "a tag", { 0x8100, 0x0800, NONE }, true },
	{ "two tags", { 0x8100, 0x8100, 0x0800 }, true },
	{ "QinQ", { 0x88a8, 0x8100, 0x0800 }, false },
	{ "of QinQ, alone", { 0x88a8, 0x0800, NONE }, false },
	{ "ARP behind a tag", { 0x8100, 0x0806, NONE }, true },
};

static uint16_t
tci_of(unsigned int seed, unsigned int nth)
{
	return seed * 7919 + nth * 0x1111;
}

/* An Ethernet header with tags, and random bytes; returns where they begin. */
static uint32_t
make(uint8_t *bytes, const struct sample *s, unsigned int seed)
{
	uint32_t at = 12, i;

	fake_fill(bytes, LEN, seed);
	for (i = 0; i < RTE_DIM(s->types) && s->types[i] != NONE; i++) {
		if (i != 0) {
			bytes[at] = tci_of(seed, i) >> 8;
			bytes[at + 1] = tci_of(seed, i);
			at += 2;
		}
		bytes[at] = s->types[i] >> 8;
		bytes[at + 1] = s->types[i];
		at += 2;
	}
	return at;
}

/* Without the first tag, if it shall go. Frees m. */
static void
expect(struct rte_mbuf *m, const uint8_t *bytes, uint32_t len, const struct sample *s,
		unsigned int seed, bool is_on)
{
	const bool is_stripped = is_on && s->is_stripped;
	const uint32_t gone = is_stripped ? 4 : 0;
	static uint8_t copy[LEN];
	const uint8_t *got;

	fake_assert(m->pkt_len == len - gone, "%u bytes came of %u", m->pkt_len, len);
	got = rte_pktmbuf_read(m, 0, m->pkt_len, copy);
	fake_assert(memcmp(got, bytes, 12) == 0, "other addresses");
	fake_assert(memcmp(got + 12, bytes + 12 + gone, len - 12 - gone) == 0, "other bytes");
	fake_assert((m->ol_flags & STRIPPED) == (is_stripped ? STRIPPED : 0), "flags 0x%lx",
			(unsigned long)m->ol_flags);
	if (is_stripped)
		fake_assert(m->vlan_tci == tci_of(seed, 1), "tag 0x%x", m->vlan_tci);
	rte_pktmbuf_free(m);
}

static sluice_rx_stage_fn
burst_of(struct env *e, bool has_vlan)
{
	const struct sluice_rx_stage stage = { .has_vlan = has_vlan };
	sluice_rx_stage_fn fn = sluice_rx_stage_burst(&stage);

	e->rxq.path = e->rx;
	assert_int_equal(fn != NULL, has_vlan);
	return fn != NULL ? fn : e->rx->burst;
}

/* All kinds in one burst; switched on and off while the queue runs. */
static void
test_samples(void **state)
{
	struct env *e = env_open_from(state, 0);
	static uint8_t bytes[RTE_DIM(samples)][LEN];
	struct rte_mbuf *pkts[32];
	unsigned int round, i, seed;

	for (round = 0; round < 8; round++) {
		fake_context("%s: round %u", env_name(&e->conf), round);
		for (i = 0; i < RTE_DIM(samples); i++) {
			make(bytes[i], &samples[i], round * 16 + i);
			fake_dev_poll(&e->dev);
			assert_true(fake_dev_deliver(&e->dev, bytes[i], LEN, e->conf.order));
		}
		assert_int_equal(burst_of(e, round & 1)(&e->rxq, pkts, 32), RTE_DIM(samples));
		for (i = 0; i < RTE_DIM(samples); i++) {
			seed = round * 16 + i;
			fake_context("%s: round %u, %s", env_name(&e->conf), round,
					samples[i].name);
			expect(pkts[i], bytes[i], LEN, &samples[i], seed, round & 1);
		}
	}
	env_close(e);
}

/* Packets that end in the tag, or before; what lies behind them is another packet's. */
static void
test_short(void **state)
{
	struct env *e = env_open_from(state, 0);
	static uint8_t bytes[LEN];
	struct rte_mbuf *m;
	uint32_t len;

	for (len = 14; len <= 19; len++) {
		fake_context("%s: %u bytes", env_name(&e->conf), len);
		make(bytes, &samples[1], len);
		fake_dev_poll(&e->dev);
		assert_true(fake_dev_deliver(&e->dev, bytes, len, e->conf.order));
		assert_int_equal(burst_of(e, true)(&e->rxq, &m, 1), 1);
		expect(m, bytes, len, &samples[1], len, len >= 18);
	}
	env_close(e);
}

int
main(void)
{
	suite_add_rx(test_samples, "samples");
	suite_add_rx(test_short, "short");
	return suite_run("vlan");
}
