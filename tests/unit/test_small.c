/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Everything that a small ring can be told: four slots, three used entries with ids and lengths
 * from a short list, all sequences, each mbuf accounted for after each of them, and a verdict by a
 * model.
 */

#include <string.h>

#include "env.h"

#define SIZE 4
#define NB_ENTRIES 3

static const uint32_t ids_split[] = { 0, 1, 2, 3, 4, UINT32_MAX };
static const uint32_t ids_packed[] = { 0, 1, 2, 3, 4, 0xffff };
#define NB_IDS RTE_DIM(ids_split)

struct entry {
	uint32_t id;
	uint32_t len;
};

/* What must come of it, when every header says one buffer and order was not promised. */
struct verdict {
	enum sluice_fail fail;
	unsigned int nb_packets;
	unsigned int nb_runts;
};

static struct verdict
judge(const struct entry *entries, uint32_t post_len)
{
	struct verdict v = { 0 };
	bool is_used[SIZE] = { false };
	unsigned int i;

	for (i = 0; i < NB_ENTRIES; i++) {
		const struct entry *e = &entries[i];

		if (e->id >= SIZE || is_used[e->id]) {
			v.fail = SLUICE_FAIL_BAD_ID;
			break;
		}
		is_used[e->id] = true;
		if (e->len < SLUICE_NET_HDR_LEN || e->len > post_len) {
			v.fail = SLUICE_FAIL_BAD_LEN;
			break;
		}
		if (e->len < SLUICE_NET_HDR_LEN + 14)
			v.nb_runts++;
		else
			v.nb_packets++;
	}
	return v;
}

static void
put_entries(struct env *e, const struct entry *entries)
{
	unsigned int i;

	fake_dev_poll(&e->dev);
	for (i = 0; i < SIZE && !e->conf.is_tx; i++)
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, i), 1);
	for (i = 0; i < NB_ENTRIES; i++)
		fake_dev_lie_used(&e->dev, entries[i].id, entries[i].len);
}

static void
check_rx(struct env *e, const struct entry *entries)
{
	struct verdict v = judge(entries, env_post_len(e));
	unsigned int nb = 0, i;
	uint64_t nb_runts = e->rxq.nb_runts;

	put_entries(e, entries);
	/* No slot is filled again: the model need not know when. */
	e->pool->limit = 0;
	for (i = 0; i < 4; i++)
		nb += env_rx_and_free(e, 1 + i);
	fake_assert(!env_has_failed(e) || e->q.state == SLUICE_QUEUE_FAILED, "not latched");
	/*
	 * With order promised an id stands for all before it: the model does not hold, the account
	 * does.
	 */
	if (!e->conf.is_in_order)
		fake_assert(nb == v.nb_packets && e->rxq.nb_runts - nb_runts == v.nb_runts &&
						e->q.fail == v.fail,
				"%u packets, %u runts, %s came of it; expected %u, %u, %s", nb,
				(unsigned int)(e->rxq.nb_runts - nb_runts),
				sluice_fail_name(e->q.fail), v.nb_packets, v.nb_runts,
				sluice_fail_name(v.fail));
	assert_int_equal(env_rx_and_free(e, 4), 0);
	e->pool->limit = FAKE_NO_LIMIT;
}

static void
test_rx_entries(void **state)
{
	struct env_conf *conf = *state;
	struct entry s[NB_ENTRIES];
	uint32_t lens[6], nb, n, i, k;
	struct env *e;

	conf->size = SIZE;
	conf->nb_mbufs = 16;
	conf->data_room = RTE_PKTMBUF_HEADROOM + 60;
	e = env_open(conf);
	lens[0] = 0;
	lens[1] = 11;
	lens[2] = 12;
	lens[3] = env_post_len(e);
	lens[4] = env_post_len(e) + 1;
	lens[5] = UINT32_MAX;
	nb = NB_IDS * RTE_DIM(lens);
	for (n = 0; n < nb * nb * nb; n++) {
		for (i = 0, k = n; i < NB_ENTRIES; i++, k /= nb) {
			s[i].id = env_is_packed(conf) ? ids_packed[k % NB_IDS] :
							ids_split[k % NB_IDS];
			s[i].len = lens[k % nb / NB_IDS];
		}
		fake_context("%s: (%u, %u) (%u, %u) (%u, %u)", env_name(conf), s[0].id, s[0].len,
				s[1].id, s[1].len, s[2].id, s[2].len);
		check_rx(e, s);
		env_restart(e);
	}
	env_close(e);
}

/* Four packets on their way, three entries; lengths mean nothing here. */
static void
check_tx(struct env *e, const struct entry *entries, bool has_chain)
{
	struct rte_mbuf *m;
	unsigned int i;

	for (i = has_chain; i < SIZE; i++) {
		m = fake_mbuf(e->pool, 128, 20);
		if (has_chain && i == 1)
			rte_pktmbuf_chain(m, fake_mbuf(e->pool, 128, 20));
		assert_int_equal(env_tx(e, &m, 1), 1);
	}
	put_entries(e, entries);
	e->tx->cleanup(&e->txq, 0);
	e->tx->cleanup(&e->txq, 0);
	if (!e->conf.is_in_order && !has_chain)
		fake_assert(e->q.fail == judge(entries, 100).fail, "%s",
				sluice_fail_name(e->q.fail));
	/* A queue that lives goes on. */
	m = fake_mbuf(e->pool, 128, 20);
	if (env_tx(e, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static void
test_tx_entries(void **state)
{
	struct env_conf *conf = *state;
	struct entry s[NB_ENTRIES];
	uint32_t n, i, k, chains;
	struct env *e;

	conf->size = SIZE;
	conf->nb_mbufs = 16;
	conf->has_indirect = false;
	for (chains = 0; chains < 2; chains++) {
		e = env_open(conf);
		for (n = 0; n < NB_IDS * NB_IDS * NB_IDS; n++) {
			for (i = 0, k = n; i < NB_ENTRIES; i++, k /= NB_IDS) {
				s[i].id = env_is_packed(conf) ? ids_packed[k % NB_IDS] :
								ids_split[k % NB_IDS];
				s[i].len = 30;
			}
			fake_context("%s: %u %u %u, chains %u", env_name(conf), s[0].id, s[1].id,
					s[2].id, chains);
			check_tx(e, s, chains);
			/* What the device held was lied about. */
			while (e->dev.nb_held != 0)
				fake_dev_drop_held(&e->dev, 0);
			env_restart(e);
		}
		env_close(e);
	}
}

int
main(void)
{
	suite_add_rx(test_rx_entries, "all sequences of three entries");
	suite_add_tx(test_tx_entries, "all sequences of three entries");
	return suite_run("small");
}
