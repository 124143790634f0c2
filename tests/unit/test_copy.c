/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Bounce buffers (isolation=copy): what the other tests of receiving and transmitting do not ask,
 * which run with copies, too.
 */

#include <stdlib.h>
#include <string.h>

#include "env.h"

/* Longest packet here. */
#define LEN_MAX 3000
#define CANARY 0xc5

/* The device reaches the rings' piece, bounce buffers included, and nothing of any pool. */
static void
expect_rings_only(struct env *e)
{
	struct dmap_entry entries[2];

	assert_int_equal(dmap_entries(e->domain, 0, entries, RTE_DIM(entries)), 1);
	assert_ptr_equal((void *)entries[0].region.va, e->rings.va);
	assert_int_equal(dmap_bytes(e->domain), e->rings.len);
}

/* All that the device could change: net headers and data of all slots. */
static void
scribble(struct env *e)
{
	const struct sluice_cells *c = e->conf.is_tx ? &e->txq.cells : &e->rxq.cells;

	memset(c->dv_first, 0xff, (size_t)e->conf.size * c->stride);
}

/* Every length, up to several buffers if they can be; what was delivered cannot be changed. */
static void
test_received_is_ours(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint32_t len, max = env_has_mrg(&e->conf) ? LEN_MAX : 1500, i;
	struct rte_mbuf *pkts[8];

	for (len = 14; len <= max; len += len < 200 ? 1 : 97) {
		uint64_t seed = e->nb_packets;

		for (i = 0; i < RTE_DIM(pkts); i++)
			assert_true(env_deliver(e, len));
		assert_int_equal(env_rx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
		scribble(e);
		for (i = 0; i < RTE_DIM(pkts); i++) {
			fake_assert(fake_mbuf_is(pkts[i], len, seed + i), "%u bytes", len);
			rte_pktmbuf_free(pkts[i]);
		}
	}
	expect_rings_only(e);
	assert_false(env_has_failed(e));
	env_close(e);
}

/* Nothing but the packet is written to the application's buffer, and its net header before it. */
static void
test_received_is_exact(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m;
	uint32_t len, at;

	for (len = 14; len <= 300; len++) {
		const struct sluice_ring *r = &e->q.ring;
		uint16_t i;

		/* Those that wait in the ring; nobody looks at them before they are filled. */
		for (i = 0; i < sluice_ring_nb_in_flight(r); i++) {
			m = e->q.sw_ring[sluice_ring_next(r, r->tail, i)];
			if (m != NULL)
				memset(m->buf_addr, CANARY, m->buf_len);
		}
		assert_true(env_deliver(e, len));
		assert_int_equal(env_rx(e, &m, 1), 1);
		for (at = 0; at + SLUICE_NET_HDR_LEN < m->data_off; at++)
			assert_int_equal(((uint8_t *)m->buf_addr)[at], CANARY);
		for (at = m->data_off + len; at < m->buf_len; at++)
			assert_int_equal(((uint8_t *)m->buf_addr)[at], CANARY);
		rte_pktmbuf_free(m);
	}
	env_close(e);
}

/* mbufs are free when a packet is given, and what becomes of their buffers is of no matter. */
static void
test_sent_is_free(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[32], *m;
	uint32_t len, i;

	for (len = 1; len <= LEN_MAX; len += len < 200 ? 1 : 97) {
		for (i = 0; i < RTE_DIM(pkts); i++) {
			uint16_t first = RTE_MIN(len, 1000u + i);

			pkts[i] = fake_mbuf(e->pool, 3 * i, first);
			for (m = pkts[i]; first < len; first += m->data_len) {
				m->next = fake_mbuf(e->pool, i, RTE_MIN(len - first, 700u));
				m = m->next;
				pkts[i]->nb_segs++;
				pkts[i]->pkt_len += m->data_len;
			}
			fake_mbuf_fill(pkts[i], len + i);
		}
		assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
		fake_pool_assert_full(e->pool);
		/* Other packets get the mbufs before the device has looked. */
		for (i = 0; i < RTE_DIM(pkts); i++) {
			pkts[i] = fake_mbuf(e->pool, 0, 2000);
			memset(rte_pktmbuf_mtod(pkts[i], void *), CANARY, 2000);
		}
		rte_pktmbuf_free_bulk(pkts, RTE_DIM(pkts));
		fake_dev_poll(&e->dev);
		for (i = 0; i < RTE_DIM(pkts); i++)
			env_expect_sent(e, i, len, len + i);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	}
	expect_rings_only(e);
	env_close(e);
}

/* The source ends with the packet, and so does what is read. AddressSanitizer looks. */
static void
test_sent_is_exact(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf_ext_shared_info info;
	unsigned int nb = 0;
	struct rte_mbuf *m;
	uint32_t len;

	fake_nb_ext_freed = 0;
	for (len = 1; len <= 300; len++, nb++) {
		char *buf = malloc(len);

		m = rte_pktmbuf_alloc(e->pool->mp);
		fake_mbuf_attach(m, buf, len, &info);
		m->data_off = 0;
		m->data_len = len;
		m->pkt_len = len;
		fake_mbuf_fill(m, len);
		assert_int_equal(env_tx(e, &m, 1), 1);
		/* The application's callback says that it may have it back. */
		assert_int_equal(fake_nb_ext_freed, nb + 1);
		free(buf);
		env_arrives(e, len, len);
	}
	env_close(e);
}

/* Plain ones at the very end of their buffers. */
static void
test_end_of_buffer(void **state)
{
	struct env *e = env_open_from(state, 0);
	uint16_t room = e->pool->conf.data_room, len;
	struct rte_mbuf *m;

	for (len = 1; len <= 300; len++) {
		m = fake_mbuf(e->pool, room - len, len);
		fake_mbuf_fill(m, len);
		assert_int_equal(env_tx(e, &m, 1), 1);
		env_arrives(e, len, len);
	}
	env_close(e);
}

/* One reference is given up; who has the other one keeps the packet as it is. */
static void
test_shared_and_cloned(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *m, *clone;
	unsigned int i;

	for (i = 0; i < 300; i++) {
		m = fake_mbuf(e->pool, 100, 64 + i);
		fake_mbuf_fill(m, i);
		if (i % 2 == 0) {
			rte_mbuf_refcnt_update(m, 1);
			clone = m;
		} else {
			clone = rte_pktmbuf_clone(m, e->pool->mp);
		}
		assert_int_equal(env_tx(e, &clone, 1), 1);
		assert_int_equal(rte_mbuf_refcnt_read(m), 1);
		assert_true(fake_mbuf_is(m, 64 + i, i));
		rte_pktmbuf_free(m);
		fake_pool_assert_full(e->pool);
		env_arrives(e, 64 + i, i);
	}
	env_close(e);
}

/* Without a bounce buffer a packet stays with the caller; one that can never fit is dropped. */
static void
test_no_room(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[32], *m;
	uint16_t cell, i, nb = 0;
	struct env *e;

	conf->size = 16;
	conf->data_room = RTE_PKTMBUF_HEADROOM + 512;
	e = env_open(conf);
	cell = e->txq.cells.room + SLUICE_NET_HDR_LEN;
	for (i = 0; i < RTE_DIM(pkts); i++) {
		pkts[i] = fake_mbuf(e->pool, 128, 60);
		fake_mbuf_fill(pkts[i], i);
	}
	assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), 16);
	assert_int_equal(e->txq.nb_ring_full, 16);
	assert_int_equal(env_tx(e, pkts + 16, 16), 0);
	fake_dev_poll(&e->dev);
	for (i = 0; i < 16; i++)
		env_expect_sent(e, i, 60, i);
	fake_dev_forget_sent(&e->dev);
	fake_dev_complete(&e->dev, 16, FAKE_ONE_BY_ONE);
	assert_int_equal(env_tx(e, pkts + 16, 16), 16);
	fake_dev_poll(&e->dev);
	fake_dev_complete(&e->dev, 16, FAKE_ONE_BY_ONE);
	fake_dev_forget_sent(&e->dev);
	/* All sixteen buffers, to the byte; and one byte more. */
	for (i = 0; i < 2; i++) {
		uint32_t len = 16 * cell - SLUICE_NET_HDR_LEN + i, left = len;

		m = fake_mbuf(e->pool, 0, 500);
		pkts[0] = m;
		for (left -= 500; left != 0; left -= m->data_len) {
			m->next = fake_mbuf(e->pool, 7, RTE_MIN(left, 600u));
			m = m->next;
			pkts[0]->nb_segs++;
			pkts[0]->pkt_len += m->data_len;
		}
		fake_mbuf_fill(pkts[0], 99);
		assert_int_equal(env_tx(e, pkts, 1), 1);
		fake_pool_assert_full(e->pool);
		nb = fake_dev_poll(&e->dev);
		assert_int_equal(nb, i == 0);
		if (i == 0)
			env_expect_sent(e, 0, len, 99);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, nb, FAKE_ONE_BY_ONE);
	}
	assert_int_equal(e->txq.nb_oversize, 1);
	assert_int_equal(e->q.stats.errors, 1);
	env_close(e);
}

/*
 * One that takes two bounce buffers, at each place among short ones: in order, counted once. The
 * ring goes round, so that short ones come into the second buffers, which have data where a net
 * header begins.
 */
static void
test_long_among_short(void **state)
{
	struct env *e = env_open_from(state, 0);
	const uint32_t len_long = e->txq.cells.room + 100u;
	struct rte_mbuf *pkts[8];
	uint32_t round, at, i, len;
	uint64_t bytes;

	for (round = 0; round < 8 * RTE_DIM(pkts); round++) {
		at = round % RTE_DIM(pkts);
		bytes = e->txq.q.stats.bytes;
		for (i = 0; i < RTE_DIM(pkts); i++) {
			len = i == at ? len_long : 60 + i;
			/* The long one has no headroom. */
			pkts[i] = fake_mbuf(e->pool, 0, len);
			fake_mbuf_fill(pkts[i], i);
			bytes += len;
		}
		assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
		assert_int_equal(e->txq.q.stats.bytes, bytes);
		fake_dev_poll(&e->dev);
		assert_int_equal(e->dev.nb_sent, RTE_DIM(pkts));
		for (i = 0; i < RTE_DIM(pkts); i++)
			env_expect_sent(e, i, i == at ? len_long : 60 + i, i);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	}
	env_close(e);
}

/* Whatever the net header of a buffer said once, the next packet's says nothing. */
static void
test_headers_do_not_stay(void **state)
{
	struct env *e = env_open_from(state, 0);
	struct rte_mbuf *pkts[64];
	uint32_t round, i;

	for (round = 0; round < 12; round++) {
		const bool asks = round % 3 == 0;

		for (i = 0; i < RTE_DIM(pkts); i++) {
			pkts[i] = fake_mbuf(e->pool, 128, 80);
			fake_mbuf_fill(pkts[i], i);
			if (!asks)
				continue;
			pkts[i]->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6;
			pkts[i]->l2_len = 14;
			pkts[i]->l3_len = 40;
		}
		assert_int_equal(env_tx(e, pkts, RTE_DIM(pkts)), RTE_DIM(pkts));
		fake_dev_poll(&e->dev);
		assert_int_equal(e->dev.nb_sent, RTE_DIM(pkts));
		for (i = 0; i < RTE_DIM(pkts); i++) {
			static const struct sluice_net_hdr nothing;
			const struct sluice_net_hdr *hdr = &e->dev.sent[i].hdr;

			assert_int_equal(hdr->flags, asks ? SLUICE_NET_HDR_F_NEEDS_CSUM : 0);
			if (!asks)
				assert_memory_equal(hdr, &nothing, sizeof(nothing));
		}
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	}
	env_close(e);
}

/* A pool of pinned buffers, one of small buffers, and one that is dry and is filled again. */
static void
test_any_pool(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i, what;

	for (what = 0; what < 3; what++) {
		conf->is_pinned = what == 1;
		conf->data_room = what == 2 ? RTE_PKTMBUF_HEADROOM + 128 : 0;
		e = env_open(conf);
		for (i = 0; i < 600; i++) {
			uint32_t len = 60 + i % (what == 2 && !env_has_mrg(conf) ? 50 : 900);

			assert_true(env_deliver(e, len));
			env_expect(e, len, i);
		}
		e->pool->limit = 0;
		for (i = 0; env_deliver(e, 60); i++)
			env_expect(e, 60, e->nb_packets - 1);
		assert_in_range(i, conf->size - 32, conf->size);
		assert_int_equal(e->rxq.nb_alloc_failed != 0, 1);
		e->pool->limit = FAKE_NO_LIMIT;
		env_expect_burst(e, 0, 0, 0);
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, e->nb_packets - 1);
		expect_rings_only(e);
		env_close(e);
	}
}

/* What a queue pair of 256 shares at an MTU of 1500: below 2 MiB, and as the guide computes it. */
static void
test_size(void **state)
{
	unsigned int ring_type;
	size_t len;

	(void)state;
#if RTE_CACHE_LINE_SIZE == 64
	assert_int_equal(sluice_cells_len(256, 1526), 64 + 256 * 1600);
	assert_int_equal(sluice_cells_len(256, 2048), 64 + 256 * 2112);
#else
	assert_int_equal(RTE_CACHE_LINE_SIZE, 128);
	assert_int_equal(sluice_cells_len(256, 1526), 128 + 256 * 1664);
	assert_int_equal(sluice_cells_len(256, 2048), 128 + 256 * 2176);
#endif
	for (ring_type = SLUICE_SPLIT; ring_type <= SLUICE_PACKED; ring_type++) {
		len = sluice_ring_offsets(ring_type, 256, false).len +
				sluice_ring_offsets(ring_type, 256, true).len +
				sluice_cells_len(256, 2048) + sluice_cells_len(256, 1526);
		assert_in_range(len, 256 * (1600 + 2112), 5 << 18);
	}
}

static bool
asks_in_copies(const struct env_conf *conf)
{
	return env_is_copy(conf) && env_has_offloads(conf);
}

int
main(void)
{
	suite_add(test_size, NULL, "size");
	suite_add_rx_if(env_is_copy, test_received_is_ours, "received is ours");
	suite_add_rx_if(env_is_copy, test_received_is_exact, "received is exact");
	suite_add_rx_if(env_is_copy, test_any_pool, "any pool");
	suite_add_tx_if(env_is_copy, test_sent_is_free, "sent is free");
	suite_add_tx_if(env_is_copy, test_sent_is_exact, "sent is exact");
	suite_add_tx_if(env_is_copy, test_end_of_buffer, "end of buffer");
	suite_add_tx_if(env_is_copy, test_shared_and_cloned, "shared and cloned");
	suite_add_tx_if(env_is_copy, test_no_room, "no room");
	suite_add_tx_if(env_is_copy, test_long_among_short, "long among short");
	suite_add_tx_if(asks_in_copies, test_headers_do_not_stay, "headers do not stay");
	return suite_run("copy");
}
