/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting from a pool with pinned external buffers: alone, and in bursts with clones, second
 * references, cramped buffers, packets of an ordinary pool, and external buffers that are attached.
 * And where these two, and what is cloned, are out of the device's reach, and copied.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"

#define NB_MOST 40 /* packets of a burst */
#define ROOM 2048  /* of an attached buffer */

enum kind {
	PINNED,
	CHAIN,        /* of two segments */
	CHAIN_CLONED, /* the same, and the test holds a clone */
	CLONE,        /* what is sent; the test holds the packet */
	CLONED,       /* the same the other way round */
	SHARED,       /* the test has a second reference */
	CRAMPED,      /* no room for the header */
	CLEARED,      /* the application has overwritten the flags, as it may where nobody clones */
	ORDINARY,
	ATTACHED,
	NB_KINDS
};

struct world {
	struct env *e; /* its pool has the pinned buffers */
	struct fake_pool *ordinary, *clones;
	char *mem; /* of attached buffers */
	bool bounces;
	struct rte_mbuf_ext_shared_info infos[NB_MOST];
	struct rte_mbuf *held[NB_MOST];
	uint64_t seed;
};

static void
open_world(struct world *w, struct env_conf *conf)
{
	const struct fake_pool_conf ordinary = {
		.name = "ordinary", .nb = 600, .has_no_file = conf->bounces
	};
	const struct fake_pool_conf clones = { .name = "clones", .nb = 600, .data_room = 128 };

	memset(w, 0, sizeof(*w));
	conf->is_pinned = true;
	w->bounces = conf->bounces;
	w->e = env_open(conf);
	w->ordinary = fake_pool_create(&ordinary);
	w->clones = fake_pool_create(&clones);
	w->mem = aligned_alloc(FAKE_PAGE, 2 * FAKE_PAGE);
	fake_nb_ext_freed = 0;
	if (w->bounces)
		return;
	fake_eal_add(w->mem, 2 * FAKE_PAGE);
	fake_event_memory_added(w->mem, 2 * FAKE_PAGE);
}

/* All mbufs are back by now. */
static void
close_world(struct world *w)
{
	fake_pool_assert_full(w->e->pool);
	fake_pool_assert_full(w->ordinary);
	fake_pool_assert_full(w->clones);
	if (!w->bounces) {
		fake_eal_remove(w->mem);
		fake_event_memory_freed(w->mem, 2 * FAKE_PAGE);
	}
	env_close(w->e);
	fake_pool_destroy(w->ordinary);
	fake_pool_destroy(w->clones);
	free(w->mem);
	fake_check();
}

/* One with a pinned buffer, whatever flags it had when it was freed. */
static struct rte_mbuf *
pinned(struct world *w, uint16_t data_off, uint16_t len)
{
	struct rte_mbuf *m = fake_mbuf(w->e->pool, data_off, len);

	m->ol_flags = RTE_MBUF_F_EXTERNAL;
	return m;
}

static struct rte_mbuf *
attached(struct world *w, unsigned int nth)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->ordinary->mp);

	fake_mbuf_attach(m, w->mem + nth * ROOM, ROOM, &w->infos[nth]);
	m->data_off = 100;
	m->data_len = 60 + nth;
	m->pkt_len = 60 + nth;
	return m;
}

/* Packet number nth of a burst, of 60 + nth bytes. */
static struct rte_mbuf *
make(struct world *w, unsigned int nth, enum kind kind)
{
	struct rte_mbuf *m;

	if (kind == ATTACHED)
		m = attached(w, nth);
	else if (kind == ORDINARY)
		m = fake_mbuf(w->ordinary, RTE_PKTMBUF_HEADROOM, 60 + nth);
	else
		m = pinned(w, kind == CRAMPED ? nth % 12 : RTE_PKTMBUF_HEADROOM, 60 + nth);
	if (kind == CLEARED)
		m->ol_flags = 0;
	if (kind == CHAIN || kind == CHAIN_CLONED) {
		rte_pktmbuf_trim(m, 20);
		fake_assert(rte_pktmbuf_chain(m, pinned(w, 0, 20)) == 0, "a chain");
	}
	fake_mbuf_fill(m, w->seed + nth);
	w->held[nth] = NULL;
	if (kind == SHARED) {
		rte_mbuf_refcnt_update(m, 1);
		w->held[nth] = m;
	} else if (kind == CLONED || kind == CHAIN_CLONED) {
		w->held[nth] = rte_pktmbuf_clone(m, w->clones->mp);
	} else if (kind == CLONE) {
		w->held[nth] = m;
		m = rte_pktmbuf_clone(m, w->clones->mp);
	}
	return m;
}

/* A burst arrives, comes back, and what the test holds of it is what it was. */
static void
exchange(struct world *w, const enum kind *kinds, uint16_t nb)
{
	struct rte_mbuf *pkts[NB_MOST];
	struct env *e = w->e;
	unsigned int i;

	for (i = 0; i < nb; i++)
		pkts[i] = make(w, i, kinds[i]);
	assert_int_equal(env_tx(e, pkts, nb), nb);
	fake_dev_poll(&e->dev);
	assert_int_equal(e->dev.nb_sent, nb);
	for (i = 0; i < nb; i++)
		env_expect_sent(e, i, 60 + i, w->seed + i);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, nb, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	for (i = 0; i < nb; i++) {
		if (w->held[i] == NULL)
			continue;
		fake_assert(fake_mbuf_is(w->held[i], 60 + i, w->seed + i),
				"packet %u: somebody else's buffer was written to", i);
		rte_pktmbuf_free(w->held[i]);
	}
	w->seed += nb;
	fake_pool_assert_full(e->pool);
	fake_pool_assert_full(w->ordinary);
	fake_pool_assert_full(w->clones);
	assert_int_equal(sluice_ring_nb_in_flight(&e->q.ring), 0);
}

/* Whole bursts are plain: none is freed by itself. */
static void
test_alone(void **state)
{
	const enum kind kinds[NB_MOST] = { PINNED };
	struct world w;
	unsigned int i;

	open_world(&w, *state);
	for (i = 0; i < 60; i++) {
		exchange(&w, kinds, i % 3 == 2 ? 1 + i % NB_MOST : 32);
		assert_int_equal(w.e->txq.start, SLUICE_TX_PINNED);
		assert_ptr_equal(w.e->txq.pool, w.e->pool->mp);
		assert_int_equal(w.e->txq.nb_indirect + w.e->txq.nb_chained, 0);
	}
	close_world(&w);
}

/* So are chains, unless somebody else can read a segment. */
static void
test_chains(void **state)
{
	const enum kind kinds[] = { CHAIN, CHAIN, CHAIN_CLONED, CHAIN };
	struct rte_mbuf *pkts[RTE_DIM(kinds)];
	unsigned int i, nb;
	struct world w;

	open_world(&w, *state);
	for (nb = 1; nb <= RTE_DIM(kinds); nb++) {
		for (i = 0; i < nb; i++)
			pkts[i] = make(&w, i, kinds[i]);
		assert_int_equal(env_tx(w.e, pkts, nb), nb);
		assert_int_equal(w.e->txq.nb_slow_slots != 0, nb > 2);
		fake_dev_poll(&w.e->dev);
		fake_dev_forget_sent(&w.e->dev);
		fake_dev_complete(&w.e->dev, nb, FAKE_ONE_BY_ONE);
		w.e->tx->cleanup(&w.e->txq, 0);
		if (nb > 2)
			rte_pktmbuf_free(w.held[2]);
		fake_pool_assert_full(w.e->pool);
	}
	close_world(&w);
}

/* Many others; none, so that the next burst begins with batches; and one. */
static void
test_mixtures(void **state)
{
	enum kind kinds[NB_MOST];
	unsigned int i, k, nb, nb_attached = 0;
	struct world w;

	open_world(&w, *state);
	for (i = 0; i < 150; i++) {
		nb = 1 + fake_below(&w.e->random, NB_MOST);
		for (k = 0; k < nb; k++) {
			kinds[k] = PINNED;
			if (i % 3 == 0)
				kinds[k] = fake_below(&w.e->random, NB_KINDS);
			else if (i % 3 == 2 && k == i % nb)
				kinds[k] = i / 3 % NB_KINDS;
			nb_attached += kinds[k] == ATTACHED;
		}
		exchange(&w, kinds, nb);
		assert_int_equal(fake_nb_ext_freed, nb_attached);
	}
	close_world(&w);
}

/*
 * While bursts begin with batches of pinned buffers the pool becomes an ordinary one, in a burst
 * that has external buffers of its mbufs, too: they are given back, each to who made it.
 */
static void
test_other_pool(void **state)
{
	enum kind pinned[NB_MOST] = { PINNED }, mixed[NB_MOST];
	struct world w;
	unsigned int i;

	for (i = 0; i < NB_MOST; i++)
		mixed[i] = i < 8 ? ORDINARY : ATTACHED;
	open_world(&w, *state);
	for (i = 0; i < 10; i++) {
		exchange(&w, pinned, 32);
		exchange(&w, pinned, 32);
		assert_int_equal(w.e->txq.start, SLUICE_TX_PINNED);
		exchange(&w, mixed, NB_MOST);
		assert_ptr_equal(w.e->txq.pool, w.ordinary->mp);
		assert_int_equal(fake_nb_ext_freed, (i + 1) * (NB_MOST - 8));
	}
	close_world(&w);
}

/*
 * Packets that are out of reach arrive beside others that are not copied, and nothing but rings and
 * the pool is shown. Until it is, its packets are copied, too.
 */
static void
test_bounced(void **state)
{
	struct env_conf *conf = *state;
	enum kind kinds[NB_MOST];
	unsigned int i, k, nb, nb_shown;
	uint64_t nb_foreign = NB_MOST;
	struct world w;

	conf->bounces = true;
	open_world(&w, conf);
	memset(kinds, 0, sizeof(kinds));
	exchange(&w, kinds, NB_MOST);
	assert_int_equal(dmap_serve(w.e->domain), 0);
	nb_shown = dmap_entries(w.e->domain, 0, NULL, 0);
	for (i = 0; i < 150; i++) {
		nb = 1 + fake_below(&w.e->random, NB_MOST);
		for (k = 0; k < nb; k++) {
			kinds[k] = i % 3 == 0 ? PINNED : fake_below(&w.e->random, NB_KINDS);
			if (i % 3 == 1)
				kinds[k] = ORDINARY;
			nb_foreign += kinds[k] == ORDINARY || kinds[k] == ATTACHED;
		}
		exchange(&w, kinds, nb);
		assert_int_equal(w.e->txq.nb_bounced, nb_foreign);
	}
	assert_int_equal(w.e->txq.nb_waiting + w.e->txq.nb_unmapped, 0);
	assert_int_equal(dmap_entries(w.e->domain, 0, NULL, 0), nb_shown);
	close_world(&w);
}

static bool
may_bounce(const struct env_conf *conf)
{
	return env_is_lent(conf) && env_has_offloads(conf);
}

int
main(void)
{
	suite_add_tx_if(may_bounce, test_bounced, "bounced");
	suite_add_tx_if(env_is_lent, test_alone, "alone");
	suite_add_tx_if(env_is_lent, test_chains, "chains");
	suite_add_tx_if(env_is_lent, test_mixtures, "mixtures");
	suite_add_tx_if(env_is_lent, test_other_pool, "another pool");
	return suite_run("tx_pinned");
}
