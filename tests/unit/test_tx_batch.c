/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * One packet among plain ones that must not be taken for plain, anywhere in a batch of a wide path.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"

/* In the mbuf's last word, where a header would lie that has no room in the buffer. */
#define MARK 0x5aa5c33c

enum odd { ODD_POOL, ODD_EXTERNAL, ODD_SHARED, ODD_NO_ROOM, NB_ODDS };

/*
 * A packet that is odd in one way only. Its data lie in the buffer of keep, an mbuf of the plain
 * packets' pool: by its address it cannot be told from them.
 */
static struct rte_mbuf *
make_slow(struct env *e, struct fake_pool *other, enum odd odd, struct rte_mbuf *keep,
		struct rte_mbuf_ext_shared_info *info)
{
	struct rte_mbuf *m = fake_mbuf(odd == ODD_POOL ? other : e->pool, 128, 60);

	switch (odd) {
	case ODD_POOL:
		m->buf_addr = keep->buf_addr;
		break;
	case ODD_EXTERNAL:
		fake_mbuf_attach(m, keep->buf_addr, keep->buf_len, info);
		m->data_off = 128;
		m->data_len = 60;
		break;
	case ODD_SHARED:
		rte_mbuf_refcnt_update(m, 1);
		break;
	default:
		m->data_off = 4;
		m->dynfield1[RTE_DIM(m->dynfield1) - 1] = MARK;
	}
	return m;
}

static void
send_one_slow(struct env *e, enum odd odd, unsigned int at)
{
	const struct fake_pool_conf conf = { .name = "other", .nb = 1 };
	struct fake_pool *other = fake_pool_create(&conf);
	struct rte_mbuf *keep = fake_mbuf(e->pool, 128, 60), *pkts[16];
	struct rte_mbuf_ext_shared_info info;
	unsigned int i;

	fake_context("%s: oddity %d at %u", env_name(&e->conf), odd, at);
	fake_nb_ext_freed = 0;
	for (i = 0; i < RTE_DIM(pkts); i++) {
		pkts[i] = i == at ? make_slow(e, other, odd, keep, &info) :
				    fake_mbuf(e->pool, 128, 60);
		fake_mbuf_fill(pkts[i], i);
	}
	assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
	assert_int_equal(fake_dev_poll(&e->dev), RTE_DIM(pkts));
	for (i = 0; i < RTE_DIM(pkts); i++)
		env_expect_sent(e, i, 60, i);
	fake_dev_forget_sent(&e->dev);
	/* A copied one is free by now. */
	if (odd == ODD_NO_ROOM && env_is_lent(&e->conf))
		assert_int_equal(pkts[at]->dynfield1[RTE_DIM(pkts[at]->dynfield1) - 1], MARK);
	fake_dev_complete(&e->dev, RTE_DIM(pkts), FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	if (odd == ODD_SHARED) {
		assert_int_equal(rte_mbuf_refcnt_read(pkts[at]), 1);
		rte_pktmbuf_free(pkts[at]);
	}
	assert_int_equal(fake_nb_ext_freed, odd == ODD_EXTERNAL);
	rte_pktmbuf_free(keep);
	fake_pool_assert_full(e->pool);
	fake_pool_assert_full(other);
	fake_event_pool_destroyed(other->mp);
	fake_pool_destroy(other);
	fake_check();
}

/* One odd packet among plain ones, anywhere in a batch of a wide path. */
static void
test_odd_one_out(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *first = fake_mbuf(e->pool, 128, 60);
	unsigned int odd, at;

	/* Shows the pool to the device. */
	assert_int_equal(env_tx(e, &first, 1), 1);
	fake_dev_poll(&e->dev);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	for (odd = 0; odd < NB_ODDS; odd++)
		for (at = 0; at < 16; at++)
			send_one_slow(e, odd, at);
	assert_int_equal(e->txq.q.stats.bytes, 60 * e->txq.q.stats.packets);
	env_close(e);
}

/* An mbuf whose packet would reach beyond its pool's memory. */
static struct rte_mbuf *
make_too_long(struct fake_pool *p)
{
	const char *end = p->mem + p->mem_len;
	struct rte_mbuf *others = NULL, *m;

	for (;;) {
		m = fake_mbuf(p, 128, 60);
		if (end - (char *)m->buf_addr < UINT16_MAX)
			break;
		m->next = others;
		others = m;
	}
	m->data_off = end - (char *)m->buf_addr - 30;
	while (others != NULL) {
		struct rte_mbuf *next = others->next;

		others->next = NULL;
		rte_pktmbuf_free(others);
		others = next;
	}
	return m;
}

/*
 * One packet of which the device can reach only a part, anywhere in a batch: dropped, the others
 * go.
 */
static void
test_one_out_of_reach(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[16];
	unsigned int at, i;

	for (at = 0; at < RTE_DIM(pkts); at++) {
		for (i = 0; i < RTE_DIM(pkts); i++) {
			/* Offsets have bits in common, so that they are not what is odd. */
			pkts[i] = i == at ? make_too_long(e->pool) : fake_mbuf(e->pool, 0x7f0, 60);
			if (i != at)
				fake_mbuf_fill(pkts[i], i);
		}
		assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
		assert_int_equal(fake_dev_poll(&e->dev), RTE_DIM(pkts) - 1);
		for (i = 0; i < RTE_DIM(pkts) - 1; i++)
			env_expect_sent(e, i, 60, i + (i >= at));
		fake_dev_forget_sent(&e->dev);
		assert_int_equal(e->txq.nb_unmapped, at + 1);
		fake_dev_complete(&e->dev, RTE_DIM(pkts) - 1, FAKE_ONE_BY_ONE);
		e->tx->cleanup(&e->txq, 0);
		fake_pool_assert_full(e->pool);
	}
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_odd_one_out, "odd one out");
	suite_add_tx_if(env_is_lent, test_one_out_of_reach, "one out of reach");
	return suite_run("tx_batch");
}
