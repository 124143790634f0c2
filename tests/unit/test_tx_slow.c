/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting packets that are not plain: several segments, shared, external or cramped buffers,
 * several pools, memory out of reach.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"

/* A packet of nb segments of the given lengths, from a pool, its first data at data_off. */
static struct rte_mbuf *
chain(struct fake_pool *p, uint16_t data_off, const uint16_t *lens, uint16_t nb, uint64_t seed)
{
	struct rte_mbuf *head = fake_mbuf(p, data_off, lens[0]), *last = head;
	uint16_t i;

	for (i = 1; i < nb; i++) {
		last->next = fake_mbuf(p, 5 * i % 200, lens[i]);
		last = last->next;
		head->nb_segs++;
		head->pkt_len += lens[i];
	}
	fake_mbuf_fill(head, seed);
	return head;
}

static struct rte_mbuf *
chain_of(struct fake_pool *p, uint16_t nb, uint64_t seed)
{
	static uint16_t lens[512];
	uint16_t i;

	for (i = 0; i < nb; i++)
		lens[i] = 20 + (i * 37 + seed) % 150;
	return chain(p, RTE_PKTMBUF_HEADROOM, lens, nb, seed);
}

/* One that must be dropped and counted. */
static void
expect_drop(struct env *e, struct rte_mbuf *m, const uint64_t *counter)
{
	uint64_t before = *counter, errors = e->q.stats.errors;

	fake_assert(env_tx(e, &m, 1) == 1, "a packet that can never go was left to the caller");
	fake_assert(*counter == before + 1 && e->q.stats.errors == errors + 1, "not counted");
	fake_dev_poll(&e->dev);
	fake_assert(e->dev.nb_sent == 0, "it went");
}

static void
test_segments(void **state)
{
	struct env_conf *conf = *state;
	unsigned int nb, indirect;
	struct env *e;
	bool is_table;

	for (indirect = 0; indirect < 2; indirect++) {
		conf->has_indirect = indirect;
		conf->start = indirect ? 0 : 250;
		e = env_open(conf);
		for (nb = 1; nb <= 255; nb += nb < 40 ? 1 : 43) {
			uint64_t tables = e->dev.nb_indirect, chains = e->dev.nb_chained;
			struct rte_mbuf *m = chain_of(e->pool, nb, nb), *last;

			fake_context("%s: %u segments, indirect %u", env_name(conf), nb, indirect);
			/* Segments that are all plain have slots of their own. */
			env_send_one(e, m, nb);
			fake_pool_assert_full(e->pool);
			assert_int_equal(e->dev.nb_chained - chains, nb > 1);
			assert_int_equal(e->dev.nb_indirect, tables);
			/* Somebody else holds one: a table, if they fit it. */
			chains = e->dev.nb_chained;
			m = chain_of(e->pool, nb, nb);
			last = rte_pktmbuf_lastseg(m);
			rte_mbuf_refcnt_update(last, 1);
			env_send_one(e, m, nb);
			rte_pktmbuf_free_seg(last);
			fake_pool_assert_full(e->pool);
			/* One segment and the header are two slots, if the ring has them. */
			is_table = indirect && nb > 1 && nb <= SLUICE_INDIRECT_MAX;
			assert_int_equal(e->dev.nb_indirect - tables, is_table);
			assert_int_equal(e->dev.nb_chained - chains, !is_table);
		}
		assert_int_equal(e->txq.nb_indirect, e->dev.nb_indirect);
		assert_int_equal(e->txq.nb_chained, e->dev.nb_chained);
		env_close(e);
	}
}

/* A header that does not fit in front is a part: of a pair, of a table, until that is full. */
static void
test_headroom(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint16_t lens[SLUICE_INDIRECT_MAX];
	unsigned int off, nb;

	for (nb = 0; nb < RTE_DIM(lens); nb++)
		lens[nb] = 60 + nb;
	for (off = 0; off <= 16; off++)
		for (nb = 1; nb <= RTE_DIM(lens); nb++) {
			uint64_t chains = e->dev.nb_chained;

			fake_context("%s: %u segments at %u", env_name(&e->conf), nb, off);
			env_send_one(e, chain(e->pool, off, lens, nb, off + nb), off + nb);
			assert_int_equal(e->dev.nb_chained - chains,
					off < 12 ? nb == 1 || nb == RTE_DIM(lens) : nb > 1);
		}
	fake_pool_assert_full(e->pool);
	env_close(e);
}

static void
test_empty_segments(void **state)
{
	static const uint16_t lens[][4] = {
		{ 0, 60, 60, 60 },
		{ 60, 0, 60, 60 },
		{ 60, 60, 60, 0 },
		{ 60, 0, 0, 60 },
		{ 0, 0, 0, 60 },
		{ 60, 0, 0, 0 },
		{ 0, 0, 0, 0 },
	};
	struct env_conf *conf = *state;
	unsigned int i, nb;
	struct env *e;

	for (conf->has_indirect = 0;; conf->has_indirect = 1) {
		e = env_open(conf);
		for (i = 0; i < RTE_DIM(lens); i++)
			for (nb = 1; nb <= 4; nb++) {
				fake_context("%s: case %u, %u segments", env_name(conf), i, nb);
				env_send_one(e, chain(e->pool, 128, lens[i], nb, i), i);
				env_send_one(e, chain(e->pool, 3, lens[i], nb, i), i);
			}
		env_close(e);
		if (conf->has_indirect)
			break;
	}
}

/* The first segment says another number of segments: the packet is what is linked. */
static void
test_wrong_nb_segs(void **state)
{
	struct env *e = env_open_from(state, 250);
	unsigned int i, nb, says;

	for (i = 0; i < 4; i++)
		for (nb = 2; nb < 6; nb++)
			for (says = 2; says < 8; says++) {
				struct rte_mbuf *m = chain_of(e->pool, nb, nb);

				m->nb_segs = says;
				env_send_one(e, m, nb);
				fake_pool_assert_full(e->pool);
			}
	env_close(e);
}

/* Chains put together from chains: the first segment of the second one still counts its own. */
static void
test_chain_of_chains(void **state)
{
	struct env_conf *conf = *state;
	unsigned int i;
	struct env *e;

	for (conf->has_indirect = 0;; conf->has_indirect = 1) {
		e = env_open(conf);
		for (i = 0; i < 20; i++) {
			struct rte_mbuf *m = chain_of(e->pool, 1 + i % 4, i);

			assert_int_equal(rte_pktmbuf_chain(m, chain_of(e->pool, 2 + i % 3, i)), 0);
			fake_mbuf_fill(m, i);
			env_send_one(e, m, i);
			fake_pool_assert_full(e->pool);
		}
		env_close(e);
		if (conf->has_indirect)
			break;
	}
}

/* An mbuf that somebody else holds too: not written to, and still theirs afterwards. */
static void
test_shared_mbuf(void **state)
{
	struct env *e = env_open_from(state, 0);
	static const uint8_t mark[SLUICE_NET_HDR_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	unsigned int i;

	for (i = 0; i < 400; i++) {
		struct rte_mbuf *m = fake_mbuf(e->pool, 128, 60);
		char *front = rte_pktmbuf_mtod_offset(m, char *, -SLUICE_NET_HDR_LEN);

		memcpy(front, mark, sizeof(mark));
		fake_mbuf_fill(m, i);
		rte_mbuf_refcnt_update(m, 1);
		env_send_one(e, m, i);
		assert_memory_equal(front, mark, sizeof(mark));
		assert_int_equal(rte_mbuf_refcnt_read(m), 1);
		assert_true(fake_mbuf_is(m, 60, i));
		rte_pktmbuf_free(m);
	}
	env_close(e);
}

/* The same mbuf several times in one burst. */
static void
test_same_mbuf_many_times(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m = fake_mbuf(e->pool, 128, 60), *pkts[16];
	unsigned int i;

	fake_mbuf_fill(m, 3);
	rte_mbuf_refcnt_update(m, 15);
	for (i = 0; i < 16; i++)
		pkts[i] = m;
	assert_int_equal(env_tx(e, pkts, 16), 16);
	fake_dev_poll(&e->dev);
	for (i = 0; i < 16; i++)
		env_expect_sent(e, i, 60, 3);
	fake_dev_complete(&e->dev, 15, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	if (env_is_lent(&e->conf))
		assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	fake_pool_assert_full(e->pool);
	env_close(e);
}

/* Clones, of whole buffers and in segments, from a pool of their own that the device never sees. */
static void
test_clones(void **state)
{
	const struct fake_pool_conf conf = { .name = "clones", .nb = 300, .data_room = 128 };
	struct fake_pool *clones = fake_pool_create(&conf);
	struct env *e = env_open_from(state, 0);
	unsigned int i;

	for (i = 0; i < 300; i++) {
		struct rte_mbuf *m = i % 3 == 0 ? fake_mbuf(e->pool, i % 100, 200) :
						  chain_of(e->pool, 1 + i % 20, i),
				*c;

		fake_mbuf_fill(m, i);
		c = rte_pktmbuf_clone(m, clones->mp);
		assert_non_null(c);
		if (i % 2 == 0)
			rte_pktmbuf_free(m);
		env_send_one(e, c, i);
		fake_pool_assert_full(clones);
		if (i % 2 != 0) {
			assert_true(fake_mbuf_is(m, m->pkt_len, i));
			env_send_one(e, m, i);
		}
		fake_pool_assert_full(e->pool);
	}
	/* An own header segment in front of a clone, as a multicasting application makes it. */
	for (i = 0; i < 300; i++) {
		struct rte_mbuf *m = fake_mbuf(e->pool, 128, 200),
				*head = fake_mbuf(e->pool, 128, 14);

		head->next = rte_pktmbuf_clone(m, clones->mp);
		head->nb_segs = 2;
		head->pkt_len = 214;
		rte_pktmbuf_free(m);
		fake_mbuf_fill(head, i);
		env_send_one(e, head, i);
	}
	fake_pool_assert_full(clones);
	env_close(e);
	fake_pool_destroy(clones);
	fake_check();
}

/* A buffer of the application's, attached. */
static struct rte_mbuf *
external(struct env *e, char *buf, uint16_t room, uint16_t len,
		struct rte_mbuf_ext_shared_info *info, uint64_t seed)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(e->pool->mp);

	fake_mbuf_attach(m, buf, room, info);
	m->data_off = 30;
	m->data_len = len;
	m->pkt_len = len;
	fake_mbuf_fill(m, seed);
	return m;
}

static void
test_external_buffers(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf_ext_shared_info info;
	char *mem = aligned_alloc(FAKE_PAGE, 2 * FAKE_PAGE);
	unsigned int i;

	fake_nb_ext_freed = 0;
	/* Memory that EAL does not know. */
	expect_drop(e, external(e, mem, 4096, 60, &info, 0), &e->txq.nb_unmapped);
	assert_int_equal(fake_nb_ext_freed, 1);
	fake_eal_add(mem, 2 * FAKE_PAGE);
	fake_event_memory_added(mem, 2 * FAKE_PAGE);
	/* What was refused is tried again, but nobody waits for it. */
	expect_drop(e, external(e, mem, 4096, 60, &info, 0), &e->txq.nb_unmapped);
	assert_int_equal(dmap_serve(e->domain), 0);
	for (i = 0; i < 100; i++) {
		env_send_one(e, external(e, mem + i * 700, 4096, 60 + i, &info, i), i);
		assert_int_equal(fake_nb_ext_freed, 3 + i);
	}
	/* EAL takes the memory away: what was shown is no longer. */
	fake_eal_remove(mem);
	fake_event_memory_freed(mem, 2 * FAKE_PAGE);
	expect_drop(e, external(e, mem, 4096, 60, &info, 0), &e->txq.nb_unmapped);
	fake_pool_assert_full(e->pool);
	env_close(e);
	free(mem);
}

static void
test_pinned_pool(void **state)
{
	const struct fake_pool_conf conf = { .name = "pinned", .nb = 300, .is_pinned = true };
	struct fake_pool *p = fake_pool_create(&conf);
	struct env *e = env_open_from(state, 0);
	unsigned int i;

	for (i = 0; i < 300; i++)
		env_send_one(e, chain_of(p, 1 + i % 20, i), i);
	fake_pool_assert_full(p);
	env_close(e);
	fake_pool_destroy(p);
	fake_check();
}

/* Those of a burst of which every third has a clone, which the application keeps. */
static void
send_pinned(struct env *e, struct fake_pool *p, struct rte_mbuf **clones, unsigned int round)
{
	struct rte_mbuf *pkts[32];
	unsigned int i;

	for (i = 0; i < 32; i++) {
		pkts[i] = fake_mbuf(p, 128, 60);
		fake_mbuf_fill(pkts[i], 32 * round + i);
		if (i % 3 == round % 3)
			clones[i] = rte_pktmbuf_clone(pkts[i], e->pool->mp);
	}
	assert_int_equal(env_tx(e, pkts, 32), 32);
	fake_dev_poll(&e->dev);
	assert_int_equal(e->dev.nb_sent, 32);
	for (i = 0; i < 32; i++)
		env_expect_sent(e, i, 60, 32 * round + i);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, 32, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
}

/*
 * Bursts of pinned buffers. Whose is nobody else's goes back at once; one that a clone holds is
 * not touched, and goes back with the clone.
 */
static void
test_pinned_bursts(void **state)
{
	const struct fake_pool_conf conf = { .name = "pinned", .nb = 300, .is_pinned = true };
	struct fake_pool *p = fake_pool_create(&conf);
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *clones[32];
	unsigned int i, round, nb;

	for (round = 0; round < 20; round++) {
		memset(clones, 0, sizeof(clones));
		nb = p->nb_free;
		send_pinned(e, p, clones, round);
		for (i = 0; i < 32; i++) {
			if (clones[i] == NULL)
				continue;
			nb--;
			fake_assert(fake_mbuf_is(clones[i], 60, 32 * round + i), "a clone changed");
		}
		assert_int_equal(p->nb_free, nb);
		for (i = 0; i < 32; i++)
			rte_pktmbuf_free(clones[i]);
		fake_pool_assert_full(p);
	}
	env_close(e);
	fake_pool_destroy(p);
	fake_check();
}

/* A pool without a file behind it, in between of others: dropped and counted, the others go. */
static void
test_unreachable_pool(void **state)
{
	const struct fake_pool_conf conf = { .name = "hidden", .nb = 64, .has_no_file = true };
	struct fake_pool *hidden = fake_pool_create(&conf);
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[32];
	unsigned int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 32; i++) {
			pkts[i] = i % 5 == 3 ? fake_mbuf(hidden, 128, 60) :
					       fake_mbuf(e->pool, 128, 60);
			fake_mbuf_fill(pkts[i], i);
		}
		/* Reachable head, unreachable tail. */
		pkts[7]->next = fake_mbuf(hidden, 128, 60);
		pkts[7]->nb_segs = 2;
		pkts[7]->pkt_len = 120;
		assert_int_equal(env_tx(e, pkts, 32), 32);
		fake_dev_poll(&e->dev);
		assert_int_equal(e->dev.nb_sent, 32 - 7);
		env_expect_sent(e, 24, 60, 31);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, 25, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		fake_pool_assert_full(hidden);
		fake_pool_assert_full(e->pool);
	}
	assert_int_equal(e->txq.nb_unmapped, 20 * 7);
	assert_int_equal(e->q.stats.errors, 20 * 7);
	assert_int_equal(e->q.stats.packets, 20 * 25);
	env_close(e);
	fake_pool_destroy(hidden);
	fake_check();
}

static void
test_oversize(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *m;
	struct env *e;

	conf->size = 16;
	conf->nb_mbufs = 1000;
	e = env_open(conf);
	env_send_one(e, chain_of(e->pool, 15, 1), 1);
	expect_drop(e, chain_of(e->pool, 16, 1), &e->txq.nb_oversize);
	expect_drop(e, chain_of(e->pool, 300, 1), &e->txq.nb_oversize);
	fake_pool_assert_full(e->pool);
	/* It says that it is short. */
	m = chain_of(e->pool, 18, 1);
	m->nb_segs = 2;
	expect_drop(e, m, &e->txq.nb_oversize);
	env_send_one(e, chain_of(e->pool, 1, 2), 2);
	env_close(e);
	conf->size = 1024;
	e = env_open(conf);
	env_send_one(e, chain_of(e->pool, 255, 1), 1);
	expect_drop(e, chain_of(e->pool, 256, 1), &e->txq.nb_oversize);
	env_close(e);
}

int
main(void)
{
	suite_add_tx_if(env_is_lent, test_segments, "segments");
	suite_add_tx_if(env_is_lent, test_headroom, "headroom");
	suite_add_tx(test_empty_segments, "empty segments");
	suite_add_tx(test_wrong_nb_segs, "wrong number of segments");
	suite_add_tx(test_chain_of_chains, "chain of chains");
	suite_add_tx(test_shared_mbuf, "shared mbuf");
	suite_add_tx(test_same_mbuf_many_times, "same mbuf many times");
	suite_add_tx(test_clones, "clones");
	suite_add_tx_if(env_is_lent, test_external_buffers, "external buffers");
	suite_add_tx(test_pinned_pool, "pinned pool");
	suite_add_tx_if(env_is_lent, test_pinned_bursts, "pinned bursts");
	suite_add_tx_if(env_is_lent, test_unreachable_pool, "unreachable pool");
	suite_add_tx_if(env_is_lent, test_oversize, "oversize");
	return suite_run("tx_slow");
}
