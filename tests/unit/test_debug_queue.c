/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The checker around burst functions (dma_debug=1), with each row of the tables: nothing is said of
 * traffic as it should be, and each fault of a device is found, and no other.
 */

#include <string.h>

#include "debug_steps.h"

/* What the test holds beside the device: references to packets, and a buffer that some attach. */
#define NB_SHARED 64
struct holder {
	struct rte_mbuf *shared[NB_SHARED]; /* let go one after the other, sent or not */
	struct rte_mbuf *buffer;
	struct rte_mbuf_ext_shared_info info;
};

static void
hold_open(struct holder *h, struct env *e)
{
	memset(h, 0, sizeof(*h));
	h->buffer = fake_mbuf(e->pool, 128, LEN);
	fake_mbuf_fill(h->buffer, 7);
	h->info.free_cb = NULL; /* the test's own reference is the last */
	rte_mbuf_ext_refcnt_set(&h->info, 1);
}

/* When the device has nothing. */
static void
hold_close(struct holder *h, struct env *e)
{
	unsigned int i;

	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
	for (i = 0; i < NB_SHARED; i++)
		rte_pktmbuf_free(h->shared[i]);
	rte_pktmbuf_free(h->buffer);
}

/* One packet or several segments, shared, cloned, or in an external buffer. */
static struct rte_mbuf *
make_packet(struct env *e, struct holder *h, unsigned int nth)
{
	struct rte_mbuf *m = fake_mbuf(e->pool, nth % 16 == 3 ? 4 : 128, 60 + nth % 900), *original;

	if (nth % 16 == 9) {
		rte_mbuf_ext_refcnt_update(&h->info, 1);
		rte_pktmbuf_attach_extbuf(
				m, h->buffer->buf_addr, RTE_BAD_IOVA, h->buffer->buf_len, &h->info);
		m->data_off = h->buffer->data_off;
		m->data_len = m->pkt_len = LEN;
		return m;
	}
	if (nth % 8 == 5)
		rte_pktmbuf_chain(m, fake_mbuf(e->pool, nth % 64, 1 + nth % 70));
	fake_mbuf_fill(m, nth);
	if (nth % 16 == 7) {
		rte_pktmbuf_free(h->shared[nth / 16 % NB_SHARED]);
		h->shared[nth / 16 % NB_SHARED] = m;
		rte_pktmbuf_refcnt_update(m, 1);
	}
	if (nth % 16 == 11 || nth % 16 == 13) {
		original = m;
		m = rte_pktmbuf_clone(original, e->pool->mp);
		rte_pktmbuf_free(original);
	}
	return m;
}

/* More than once round the ring, with bursts of all sizes, stops between them. */
static void
test_sending_is_silent(void **state)
{
	const enum fake_order order = ((struct env_conf *)*state)->is_in_order ? FAKE_BATCHES :
										 FAKE_SHUFFLED;
	struct env *e = open_checked(state);
	struct rte_mbuf *pkts[64];
	unsigned int round, i, nb, n;
	struct holder h;

	hold_open(&h, e);
	for (round = 0; round < 60; round++) {
		nb = 1 + round % RTE_DIM(pkts);
		for (i = 0; i < nb; i++)
			pkts[i] = make_packet(e, &h, round * RTE_DIM(pkts) + i);
		n = env_tx(e, pkts, nb);
		rte_pktmbuf_free_bulk(pkts + n, nb - n);
		fake_dev_poll(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held / (1 + round % 3), order);
		fake_dev_forget_sent(&e->dev);
		if (round % 7 == 6)
			e->tx->cleanup(&e->txq, round % 14 == 6 ? 0 : 5);
		if (round == 40) {
			hold_close(&h, e);
			env_restart(e);
			hold_open(&h, e);
		}
	}
	expect_silence(e);
	hold_close(&h, e);
	env_close(e);
}

static void
test_receiving_is_silent(void **state)
{
	const enum fake_order order = ((struct env_conf *)*state)->is_in_order ? FAKE_BATCHES :
										 FAKE_SHUFFLED;
	struct env *e = open_checked(state);
	unsigned int round, i;

	e->conf.order = order;
	for (round = 0; round < 60; round++) {
		for (i = 0; i <= round; i++)
			env_deliver(e, 60 + 61 * i % (env_has_mrg(&e->conf) ? 5000 : 1900));
		env_rx_and_free(e, 1 + round * 2);
		if (round == 40) {
			env_rx_and_free(e, ENV_BURST_MAX);
			env_restart(e);
		}
	}
	/* All of the ring at once. */
	while (env_rx_and_free(e, ENV_BURST_MAX) != 0)
		;
	for (i = 0; env_deliver(e, LEN); i++)
		;
	env_rx_and_free(e, ENV_BURST_MAX);
	env_rx_and_free(e, ENV_BURST_MAX);
	expect_silence(e);
	env_close(e);
}

/* All of a ring in one burst, and nothing of it reaches the application. */
static void
test_dropping_is_silent(void **state)
{
	struct env *e = open_checked(state);
	unsigned int round, nb_runts = 0, i;

	for (round = 0; round < 3; round++) {
		fake_dev_poll(&e->dev);
		for (; e->dev.nb_held != 0; nb_runts++)
			fake_dev_use(&e->dev, 0, e->rxq.hdr_len + 1);
		assert_int_equal(env_rx_and_free(e, ENV_BURST_MAX), 0);
		for (i = 0; i < 40; i++)
			assert_true(env_deliver(e, LEN));
		assert_int_equal(env_rx_and_free(e, ENV_BURST_MAX), 40);
	}
	assert_in_range(nb_runts, 2 * e->conf.size, 3 * e->conf.size);
	assert_int_equal(e->rxq.nb_runts, nb_runts);
	expect_silence(e);
	env_close(e);
}

/* A queue that was polled elsewhere for one round of the ring. */
static void
test_elsewhere_is_silent(void **state)
{
	struct env *e = open_checked(state);
	const struct sluice_rx_path *checked = e->rx;
	unsigned int i;

	e->rx = sluice_rx_path_at(e->conf.row);
	for (i = 0; i < e->conf.size; i++) {
		assert_true(env_deliver(e, LEN));
		if (i % 32 == 31)
			assert_int_equal(env_rx_and_free(e, 32), 32);
	}
	e->rx = checked;
	for (i = 0; i < 40; i++)
		assert_true(env_deliver(e, LEN));
	assert_int_equal(env_rx_and_free(e, ENV_BURST_MAX), 40);
	expect_silence(e);
	env_close(e);
}

/* Buffers into which a frame just fits are as long as ever. */
static void
test_room_for_a_frame(void **state)
{
	struct rte_mbuf *m;
	struct env *e;

	((struct env_conf *)*state)->data_room = RTE_PKTMBUF_HEADROOM + SLUICE_NET_HDR_LEN +
			ENV_FRAME;
	e = open_checked(state);
	assert_true(env_deliver(e, ENV_FRAME));
	assert_int_equal(env_rx(e, &m, 1), 1);
	assert_int_equal(m->nb_segs, 1);
	rte_pktmbuf_free(m);
	expect_silence(e);
	env_close(e);
}

/* Where the device only reads. */
static void
test_descriptor_changed(void **state)
{
	struct env *e = open_checked(state);
	const struct sluice_ring *r = &e->q.ring;
	uint64_t *addr;

	if (e->conf.is_tx)
		send_one(e);
	addr = e->q.ring_type == SLUICE_SPLIT ? &r->split.dv_desc[r->tail].addr :
						&r->packed.dv_desc[r->tail].addr;
	*addr += 64;
	if (e->conf.is_tx)
		send_one(e);
	else
		env_rx_and_free(e, 1);
	*addr -= 64;
	expect_only(e, DMAP_DEBUG_RING_CHANGED);
	env_close(e);
}

static void
test_available_index_changed(void **state)
{
	struct env *e = open_checked(state);

	e->q.ring.split.dv_avail->idx++;
	env_rx_and_free(e, 1);
	e->q.ring.split.dv_avail->idx--;
	expect_only(e, DMAP_DEBUG_RING_CHANGED);
	env_close(e);
}

/* One packet, and a byte of its buffer that is not the device's to write. */
static void
receive_with(struct env *e, int at, enum dmap_debug_check what)
{
	struct rte_mbuf *m = e->q.sw_ring[e->q.ring.tail];
	char *byte = (char *)m->buf_addr + (at < 0 ? m->buf_len + at : at);

	assert_true(env_deliver(e, LEN));
	*byte ^= 1;
	assert_int_equal(env_rx_and_free(e, 32), 1);
	if (what == DMAP_DEBUG_NB_CHECKS)
		expect_silence(e);
	else
		expect_only(e, what);
}

/* Bytes of the packet: the device may write them. */
static void
test_bytes_of_a_packet(void **state)
{
	struct env *e = open_checked(state);

	receive_with(e, RTE_PKTMBUF_HEADROOM + SLUICE_NET_HDR_LEN + 3, DMAP_DEBUG_NB_CHECKS);
	env_close(e);
}

static void
test_behind_a_packet(void **state)
{
	struct env *e = open_checked(state);

	receive_with(e, RTE_PKTMBUF_HEADROOM + SLUICE_NET_HDR_LEN + LEN + 3,
			DMAP_DEBUG_BEYOND_USED);
	env_close(e);
}

static void
test_behind_a_buffer(void **state)
{
	struct env *e = open_checked(state);

	receive_with(e, -1, DMAP_DEBUG_BEYOND_END);
	env_close(e);
}

static void
test_before_a_buffer(void **state)
{
	struct env *e = open_checked(state);

	receive_with(e, 0, DMAP_DEBUG_HEADROOM);
	env_close(e);
}

static void
test_length_that_cannot_be(void **state)
{
	struct env *e = open_checked(state);
	const struct rte_mbuf *m = e->q.sw_ring[0];

	fake_dev_poll(&e->dev);
	fake_dev_use(&e->dev, 0, env_post_len(e) + 1);
	fake_log_begin();
	env_rx_and_free(e, 32);
	expect_named(e, fake_log_end(), m);
	assert_true(env_has_failed(e));
	expect_only(e, DMAP_DEBUG_BAD_LENGTH);
	env_close(e);
}

/* Of what the device never had; and of what it has given back. */
static void
test_completions_that_cannot_be(void **state)
{
	const struct rte_mbuf *m;
	unsigned int is_double;
	const char *said;
	struct env *e;

	for (is_double = 0; is_double < 2; is_double++) {
		e = open_checked(state);
		m = e->q.sw_ring[0];
		fake_dev_poll(&e->dev);
		if (is_double) {
			assert_true(env_deliver(e, LEN));
			assert_int_equal(env_rx_and_free(e, 1), 1);
		}
		fake_dev_lie_used(&e->dev, is_double ? 0 : e->conf.size, LEN);
		fake_log_begin();
		env_rx_and_free(e, 32);
		said = fake_log_end();
		if (is_double)
			expect_named(e, said, m);
		assert_true(env_has_failed(e));
		expect_only(e,
				is_double ? DMAP_DEBUG_DOUBLE_COMPLETION :
					    DMAP_DEBUG_BAD_COMPLETION);
		env_close(e);
	}
}

/* The same of packets, and of the middle of one. */
static void
test_completions_of_packets(void **state)
{
	const struct {
		uint32_t id;
		enum dmap_debug_check what;
	} lies[] = { { 256, DMAP_DEBUG_BAD_COMPLETION }, { 1, DMAP_DEBUG_BAD_COMPLETION },
		{ 0, DMAP_DEBUG_DOUBLE_COMPLETION } };
	const struct rte_mbuf *first;
	const char *said;
	unsigned int i;
	struct rte_mbuf *m;
	struct env *e;

	for (i = 0; i < RTE_DIM(lies); i++) {
		e = open_checked(state);
		m = fake_mbuf(e->pool, 128, LEN);
		first = m;
		if (lies[i].id == 1)
			rte_pktmbuf_chain(m, fake_mbuf(e->pool, 128, LEN));
		assert_int_equal(env_tx(e, &m, 1), 1);
		fake_dev_poll(&e->dev);
		if (lies[i].what == DMAP_DEBUG_DOUBLE_COMPLETION) {
			fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
			e->tx->cleanup(&e->txq, 0);
		}
		send_one(e);
		fake_dev_lie_used(&e->dev, lies[i].id, 0);
		fake_log_begin();
		e->tx->cleanup(&e->txq, 0);
		said = fake_log_end();
		if (lies[i].what == DMAP_DEBUG_DOUBLE_COMPLETION)
			expect_named(e, said, first);
		assert_true(env_has_failed(e));
		expect_only(e, lies[i].what);
		env_close(e);
	}
}

/* A queue that ends with buffers that nobody took back. */
static void
test_buffers_left(void **state)
{
	struct env *e = open_checked(state);

	sluice_check_end(&e->q);
	expect_only(e, DMAP_DEBUG_BUFFERS_LEFT);
	env_close(e);
}

static bool
is_lent_and_mergeable(const struct env_conf *conf)
{
	return env_is_lent(conf) && env_has_mrg(conf);
}

static bool
is_lent_and_unordered(const struct env_conf *conf)
{
	return env_is_lent(conf) && env_is_unordered(conf);
}

int
main(void)
{
	suite_add_tx(test_sending_is_silent, "sending is silent");
	suite_add_rx(test_receiving_is_silent, "receiving is silent");
	suite_add_rx(test_dropping_is_silent, "dropping is silent");
	suite_add_rx(test_elsewhere_is_silent, "elsewhere is silent");
	suite_add_rx_if(is_lent_and_mergeable, test_room_for_a_frame, "room for a frame");
	suite_add_tx_if(env_is_lent, test_descriptor_changed, "descriptor changed, tx");
	suite_add_rx(test_descriptor_changed, "descriptor changed, rx");
	suite_add_rx_if(env_is_split, test_available_index_changed, "available index changed");
	suite_add_rx_if(env_is_lent, test_bytes_of_a_packet, "bytes of a packet");
	suite_add_rx_if(env_is_lent, test_behind_a_packet, "behind a packet");
	suite_add_rx_if(is_lent_and_mergeable, test_behind_a_buffer, "behind a buffer");
	suite_add_rx_if(env_is_lent, test_before_a_buffer, "before a buffer");
	suite_add_rx(test_length_that_cannot_be, "length that cannot be");
	suite_add_rx_if(is_lent_and_unordered, test_completions_that_cannot_be,
			"completions that cannot be");
	suite_add_tx_if(is_lent_and_unordered, test_completions_of_packets,
			"completions of packets");
	suite_add_rx_if(env_is_lent, test_buffers_left, "buffers left");
	return suite_run("debug_queue");
}
