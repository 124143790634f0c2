/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting to a device that lies about completions; see lies.h. Sixteen packets are on their
 * way, of which kinds says the case.
 */

#include "lies.h"

#define NB_SENT 16

/*
 * Completions of a split ring in order: the index says it all, ids are not even looked at (2.7.9).
 */
static bool
ids_matter(const struct env_conf *conf)
{
	return env_is_packed(conf) || !conf->is_in_order;
}

/* And what is not believed can be seen by the mbufs that do not come back. */
static bool
ids_matter_to_mbufs(const struct env_conf *conf)
{
	return ids_matter(conf) && env_is_lent(conf);
}

static bool
ids_matter_out_of_order(const struct env_conf *conf)
{
	return !conf->is_in_order;
}

static bool
split_out_of_order(const struct env_conf *conf)
{
	return env_is_split(conf) && !conf->is_in_order && env_is_lent(conf);
}

static void
id_free(struct env *e, bool lies)
{
	lies_use_or(e, lies, e->q.ring.head);
}

static void
id_twice_in_two_calls(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 5)->id;

	lies_use(e, 5);
	e->tx->cleanup(&e->txq, 0);
	lies_use_or(e, lies, id);
}

/* Slot of the middle of the packet at the fourth place; a neighbour's if that is no chain. */
static void
id_inside_of_chain(struct env *e, bool lies)
{
	const struct fake_buf *b = fake_dev_held(&e->dev, 3);
	uint32_t id = (b->slot + 1) % LIES_SIZE, i;

	for (i = 0; i < 3; i++)
		lies_use(e, 0);
	if (b->nb_slots == 1)
		id = e->q.ring.head;
	lies_use_or(e, lies, id);
}

/* More than was sent, less than the ring holds. */
static void
idx_beyond_lent(struct env *e, bool lies)
{
	lies_advance(e, lies, LIES_SIZE - 10);
}

/* The length of a transmitted buffer means nothing; devices are known to write what they like. */
static void
lengths(struct env *e, bool lies)
{
	lies_with_len(e, lies, 1);
	lies_with_len(e, lies, 0xffffffff);
	lies_with_len(e, lies, 0x10000);
}

static void
descriptors_rewritten(struct env *e, bool lies)
{
	unsigned int i;

	for (i = 0; i < LIES_SIZE && lies; i++)
		if (env_is_packed(&e->conf)) {
			if (!e->dev.is_slot_held[i])
				continue;
			e->dev.packed.desc[i].addr ^= 0xdeadbeef0000;
			e->dev.packed.desc[i].len = 0xffffffff;
			e->dev.packed.desc[i].id = 0xffff;
			e->dev.copy[i].packed = e->dev.packed.desc[i];
		} else {
			e->dev.split.desc[i].addr = 1;
			e->dev.split.desc[i].len = 0xffffffff;
			e->dev.split.desc[i].flags = 0xffff;
			/*
			 * The device follows the chain itself when it completes it, so next stays.
			 */
			e->dev.copy[i].split = e->dev.split.desc[i];
			e->dev.split.avail->ring[i] = 0xffff;
		}
	for (i = 0; i < NB_SENT; i++)
		lies_use(e, 0);
}

static void
wishes_are_garbage(struct env *e, bool lies)
{
	if (lies)
		lies_garble_wishes(e);
	lies_use(e, 0);
}

static void
wrong_wrap(struct env *e, bool lies)
{
	if (lies)
		e->dev.used_wrap = !e->dev.used_wrap;
	lies_use(e, 0);
}

static void
skips_a_slot(struct env *e, bool lies)
{
	if (lies)
		e->dev.used++;
	lies_use(e, 0);
}

static void
other_flags(struct env *e, bool lies)
{
	uint16_t slot = e->dev.used;

	lies_use(e, 0);
	if (lies)
		e->dev.packed.desc[slot].flags |= SLUICE_DESC_F_NEXT | SLUICE_DESC_F_INDIRECT;
}

static void
batch_id_is_past(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 0)->id;

	fake_dev_use_batch(&e->dev, 6, 0);
	e->tx->cleanup(&e->txq, 0);
	lies_use_or(e, lies, id);
}

static bool
packed_in_order(const struct env_conf *conf)
{
	return env_is_packed(conf) && conf->is_in_order;
}

static const struct lie lies[] = {
	{ "S1 P1 id of the ring's size", lies_id_of_size, SLUICE_FAIL_BAD_ID, ids_matter, 0 },
	{ "S2 id all ones", lies_id_all_ones, SLUICE_FAIL_BAD_ID, ids_matter, 0 },
	{ "S2 id beyond 16 bits", lies_id_beyond_16_bits, SLUICE_FAIL_BAD_ID, env_is_split, 0 },
	{ "S3 P2 id of a free slot", id_free, SLUICE_FAIL_BAD_ID, ids_matter, 0 },
	{ "S4 P3 id twice at once", lies_id_twice_at_once, SLUICE_FAIL_BAD_ID, ids_matter, 0 },
	{ "S5 P3 id twice in two calls", id_twice_in_two_calls, SLUICE_FAIL_BAD_ID,
			ids_matter_out_of_order, 0 },
	{ "S6 P6 P10 id inside of a chain", id_inside_of_chain, SLUICE_FAIL_BAD_ID, ids_matter, 0 },
	{ "S7 index beyond the size", lies_idx_beyond_size, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S7 index beyond what was lent", idx_beyond_lent, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S8 index half way round", lies_idx_half_way_round, SLUICE_FAIL_USED_IDX, env_is_split,
			0 },
	{ "S9 index backwards", lies_idx_backwards, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S11 S14 P13 lengths", lengths, HARMLESS, NULL, 0 },
	{ "S17 S18 S19 S20 P14 descriptors rewritten", descriptors_rewritten, HARMLESS, NULL, 0 },
	{ "S21 S22 P12 wishes are garbage", wishes_are_garbage, HARMLESS, NULL, 0 },
	{ "S24 never completes", lies_never_completes, HARMLESS, NULL, 0 },
	{ "P4 wrong wrap counter", wrong_wrap, HARMLESS, env_is_packed, 0 },
	{ "P7 other flags", other_flags, HARMLESS, env_is_packed, 0 },
	{ "P8 skips a slot", skips_a_slot, HARMLESS, env_is_packed, 0 },
	{ "P11 id from before the oldest", batch_id_is_past, SLUICE_FAIL_BAD_ID, packed_in_order,
			0 },
};

/*
 * What is on its way: plain packets, with the fourth and the twelfth as chains of three slots or
 * pairs, or pairs.
 */
enum kinds { PLAIN, CHAINS, SOME_PAIRS, PAIRS, NB_KINDS };

static const char *const kinds_name[NB_KINDS] = { "", ", chains", ", some pairs", ", pairs" };

static struct rte_mbuf *
make(struct env *e, unsigned int nth, enum kinds kinds)
{
	bool is_other = nth == 3 || nth == 11;
	struct rte_mbuf *m;

	/* Without room for its header it takes a slot more. */
	if (kinds == PAIRS || (kinds == SOME_PAIRS && is_other))
		return fake_mbuf(e->pool, 5, 60);
	m = fake_mbuf(e->pool, 128, 60);
	if (kinds == CHAINS && is_other) {
		rte_pktmbuf_chain(m, fake_mbuf(e->pool, 128, 60));
		rte_pktmbuf_chain(m, fake_mbuf(e->pool, 128, 60));
	}
	return m;
}

static void
send(struct env *e, unsigned int nb, enum kinds kinds)
{
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < nb; i++) {
		m = make(e, i, kinds);
		assert_int_equal(env_tx(e, &m, 1), 1);
	}
	fake_dev_poll(&e->dev);
	fake_dev_forget_sent(&e->dev);
}

static void
play(struct env *e, const struct lie *l, unsigned int nb_before, enum kinds kinds, bool does_lie)
{
	bool must_fail = does_lie && l->outcome != HARMLESS;
	unsigned int i;

	fake_context("%s: %s%s, after %u packets%s", env_name(&e->conf), l->name,
			does_lie ? "" : " (control)", nb_before, kinds_name[kinds]);
	for (i = 0; i < nb_before; i++) {
		send(e, 1, PLAIN);
		lies_use(e, 0);
		e->tx->cleanup(&e->txq, 0);
	}
	/* An id that is only wrong in its upper half is right where ids do not matter. */
	if (l->script == lies_id_beyond_16_bits && e->conf.is_in_order)
		must_fail = false;
	send(e, NB_SENT, kinds);
	l->script(e, does_lie);
	for (i = 0; i < 4; i++)
		e->tx->cleanup(&e->txq, i * 3);
	fake_assert(env_has_failed(e) == must_fail, "it is '%s'", sluice_fail_name(e->q.fail));
	if (must_fail)
		fake_assert(e->q.fail == l->outcome, "it is '%s'", sluice_fail_name(e->q.fail));
	else if (!does_lie)
		fake_assert(e->pool->nb_free > e->pool->conf.nb - NB_SENT - 4, "nothing came back");
}

static void
test_lies(void **state)
{
	static const unsigned int before[] = { 0, 5, 58, 64 + 37 };
	struct env_conf *conf = *state;
	unsigned int i, k, kinds;
	struct env *e;

	conf->size = LIES_SIZE;
	conf->has_indirect = false;
	e = env_open(conf);
	for (i = 0; i < RTE_DIM(lies); i++) {
		if (lies[i].applies != NULL && !lies[i].applies(conf))
			continue;
		for (k = 0; k < RTE_DIM(before); k++)
			for (kinds = 0; kinds < NB_KINDS; kinds++) {
				play(e, &lies[i], before[k], kinds, false);
				env_restart(e);
				play(e, &lies[i], before[k], kinds, true);
				env_restart(e);
			}
	}
	env_close(e);
}

/* One wrong id among right ones, at every place of a batch; and two that changed places. */
static void
test_every_place(void **state)
{
	struct env_conf *conf = *state;
	unsigned int place, i, what, nb_total;
	struct env *e;

	conf->size = LIES_SIZE;
	e = env_open(conf);
	nb_total = e->pool->conf.nb;
	for (place = 0; place < 40; place++)
		for (what = 0; what < (conf->is_in_order ? 1 : 2); what++) {
			fake_context("%s: place %u, lie %u", env_name(conf), place, what);
			send(e, 48, PLAIN);
			for (i = 0; i < 40; i++)
				if (i != place)
					lies_use(e, 0);
				else if (what == 0)
					fake_dev_lie_used(&e->dev, 60, 0);
				else
					lies_use(e, 1);
			e->tx->cleanup(&e->txq, 0);
			fake_assert(env_has_failed(e) == (what == 0), "it is '%s'",
					sluice_fail_name(e->q.fail));
			if (what == 0)
				fake_assert(e->pool->nb_free == nb_total - 48 + place,
						"%u came back", 48 - (nb_total - e->pool->nb_free));
			else
				fake_assert(e->pool->nb_free == nb_total - 8, "%u are out",
						nb_total - e->pool->nb_free);
			env_restart(e);
		}
	env_close(e);
}

/*
 * As many entries as slots, where packets of several slots make fewer packets: the ids run on
 * behind the last packet, in slots of earlier laps. Split rings only: a packed one is not looked at
 * beyond its packets.
 */
static void
test_ids_run_on(void **state)
{
	static const unsigned int before[] = { 0, 5, 44, 58, 64 + 37 };
	struct env_conf *conf = *state;
	unsigned int i, k, does_lie;
	struct env *e;

	conf->size = LIES_SIZE;
	conf->has_indirect = false;
	e = env_open(conf);
	for (k = 0; k < 2 * RTE_DIM(before); k++) {
		does_lie = k % 2;
		fake_context("%s: after %u packets%s", env_name(conf), before[k / 2],
				does_lie ? "" : " (control)");
		for (i = 0; i < before[k / 2]; i++) {
			send(e, 1, PLAIN);
			lies_use(e, 0);
			e->tx->cleanup(&e->txq, 0);
		}
		send(e, NB_SENT, CHAINS);
		for (i = 0; i < NB_SENT; i++)
			lies_use(e, 0);
		for (i = 0; i < 4 && does_lie; i++)
			fake_dev_lie_used(&e->dev, (e->q.ring.head + i) % LIES_SIZE, 0);
		e->tx->cleanup(&e->txq, 0);
		fake_assert(env_has_failed(e) == does_lie, "it is '%s'",
				sluice_fail_name(e->q.fail));
		fake_assert(e->q.ring.nb_free == LIES_SIZE, "%u slots are free", e->q.ring.nb_free);
		env_restart(e);
	}
	env_close(e);
}

/* One that is always found out; 40 packets are on their way at the most. */
static void
lie_of_any_ring(struct env *e)
{
	if (ids_matter(&e->conf))
		fake_dev_lie_used(&e->dev, 0xffff, 0);
	else
		e->dev.split.used->idx += 41;
}

/*
 * The burst that finds the device out takes nothing: the caller keeps its packets, and counters do
 * not say that they were sent.
 */
static void
test_failing_burst_takes_nothing(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[40];
	unsigned int i;
	struct env *e;

	conf->size = LIES_SIZE;
	e = env_open(conf);
	send(e, 40, PLAIN);
	lie_of_any_ring(e);
	for (i = 0; i < 40; i++)
		pkts[i] = make(e, 0, PLAIN);
	i = env_tx(e, pkts, 40);
	fake_assert(env_has_failed(e), "it was not found out");
	rte_pktmbuf_free_bulk(&pkts[i], 40 - i);
	fake_assert(i == 0, "%u packets were taken by a queue that failed", i);
	assert_int_equal(e->q.stats.packets, 40);
	env_close(e);
}

static void
test_failed_is_latched(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *m;
	struct env *e;

	conf->size = LIES_SIZE;
	e = env_open(conf);
	send(e, NB_SENT, PLAIN);
	lie_of_any_ring(e);
	e->tx->cleanup(&e->txq, 0);
	assert_true(env_has_failed(e));
	m = make(e, 0, PLAIN);
	assert_int_equal(env_tx(e, &m, 1), 0);
	rte_pktmbuf_free(m);
	assert_int_equal(fake_dev_poll(&e->dev), 0);
	env_restart(e);
	send(e, 1, PLAIN);
	env_close(e);
}

int
main(void)
{
	suite_add_tx(test_lies, "lies");
	suite_add_tx_if(ids_matter_to_mbufs, test_every_place, "a lie at every place");
	suite_add_tx_if(split_out_of_order, test_ids_run_on, "ids run on behind the last packet");
	suite_add_tx(test_failing_burst_takes_nothing, "failing burst takes nothing");
	suite_add_tx(test_failed_is_latched, "failed is latched");
	return suite_run("hostile_tx");
}
