/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Rings of every size, from every start, around every end; and when a device is told.
 */

#include <string.h>

#include "env.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

static const uint16_t split_sizes[] = { 4, 8, 16, 64, 256, 1024, 4096, 32768 };
static const uint16_t packed_sizes[] = { 4, 5, 7, 8, 64, 256, 300, 1000, 4096, 32768 };

/* Packets that go round one at a time, and how often a ring is filled then; a large one once. */
static uint32_t
nb_single(uint32_t size)
{
	return size > 1000 ? 100 : 3 * size + 7;
}

static uint32_t
nb_fills(uint32_t size)
{
	return size > 1000 ? 1 : 3;
}

static void
lap_rx(struct env *e)
{
	uint32_t size = e->conf.size, nb = nb_single(size), i, k, n;
	uint64_t seed;

	for (i = 0; i < nb; i++) {
		fake_assert(env_deliver(e, 14 + i % 60), "no buffer for packet %u", i);
		env_expect(e, 14 + i % 60, i);
	}
	for (i = 0; i < nb_fills(size); i++) {
		seed = e->nb_packets;
		for (n = 0; env_deliver(e, 60); n++)
			;
		fake_assert(n > size / 3 && n <= size, "the device had %u buffers", n);
		for (k = 0; k < n; k += RTE_MIN(n - k, ENV_BURST_MAX))
			env_expect_burst(e, RTE_MIN(n - k, ENV_BURST_MAX), 60, seed + k);
		fake_dev_poll(&e->dev);
		fake_dev_verify(&e->dev);
	}
}

static void
lap_tx(struct env *e)
{
	uint32_t size = e->conf.size, nb = nb_single(size), i, k;
	struct rte_mbuf *m;

	for (i = 0; i < nb; i++) {
		m = fake_mbuf(e->pool, 128, 14 + i % 60);
		fake_mbuf_fill(m, i);
		assert_int_equal(env_tx(e, &m, 1), 1);
		assert_int_equal(fake_dev_poll(&e->dev), 1);
		env_expect_sent(e, 0, 14 + i % 60, i);
		fake_dev_forget_sent(&e->dev);
		fake_dev_complete(&e->dev, 1, FAKE_ONE_BY_ONE);
	}
	for (i = 0; i < nb_fills(size); i++) {
		e->tx->cleanup(&e->txq, 0);
		for (k = 0;; k++) {
			m = fake_mbuf(e->pool, 128, 60);
			fake_mbuf_fill(m, k);
			if (env_tx(e, &m, 1) == 0)
				break;
		}
		rte_pktmbuf_free(m);
		assert_int_equal(k, size);
		assert_int_equal(fake_dev_poll(&e->dev), size);
		for (k = 0; k < size; k++)
			env_expect_sent(e, k, 60, k);
		fake_dev_forget_sent(&e->dev);
		fake_dev_verify(&e->dev);
		fake_dev_complete(&e->dev, size,
				e->conf.is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE);
	}
}

static void
run_from(const struct env_conf *conf, uint16_t start)
{
	struct env_conf c = *conf;
	struct env *e;

	c.start = start;
	c.data_room = RTE_PKTMBUF_HEADROOM + 128;
	c.nb_mbufs = 2u * c.size + 8;
	e = env_open(&c);
	if (c.is_tx)
		lap_tx(e);
	else
		lap_rx(e);
	assert_false(env_has_failed(e));
	env_close(e);
}

static void
test_sizes(void **state)
{
	struct env_conf *conf = *state;
	bool is_packed = env_is_packed(conf);
	unsigned int i, nb = is_packed ? RTE_DIM(packed_sizes) : RTE_DIM(split_sizes);

	for (i = 0; i < nb; i++) {
		conf->size = is_packed ? packed_sizes[i] : split_sizes[i];
		/* Large rings in the lying domain take long to set up, and say nothing new. */
		if (conf->size > 4096 && conf->is_lying)
			continue;
		run_from(conf, 0);
		if (conf->size > 4096)
			continue;
		if (is_packed) {
			/* With either wrap counter, at the ends and in the middle. */
			run_from(conf, 0x8000);
			run_from(conf, conf->size - 1);
			run_from(conf, 0x8000 | (conf->size - 1));
			run_from(conf, 0x8000 | conf->size / 2);
		} else {
			run_from(conf, 65535);
			run_from(conf, 65533);
			run_from(conf, 65536 - conf->size);
			run_from(conf, 32768 - 3);
		}
	}
}

/* One part of a ring: where it begins and ends, and whether the device writes into it. */
struct part {
	size_t begin;
	size_t end;
	bool is_written;
};

static bool
is_apart(size_t begin_a, size_t end_a, size_t begin_b, size_t end_b)
{
	return end_a <= begin_b || end_b <= begin_a;
}

/*
 * No two overlap; those that the device writes are in no page that it may only read, the others in
 * no other.
 */
static void
check_parts(const struct sluice_ring_offsets *l, const struct part *p, unsigned int nb)
{
	const size_t page = 4096;
	size_t begin = l->read_only.offset, end = begin + l->read_only.len;
	unsigned int i, j;

	assert_int_equal(begin % page, 0);
	assert_int_equal(end % page, 0);
	assert_int_equal(l->len % page, 0);
	for (i = 0; i < nb; i++) {
		assert_true(p[i].end <= l->len);
		if (p[i].is_written)
			assert_true(is_apart(p[i].begin, p[i].end, begin, end));
		else
			assert_true(p[i].begin >= begin && p[i].end <= end);
		for (j = 0; j < i; j++)
			assert_true(is_apart(p[i].begin, p[i].end, p[j].begin, p[j].end));
	}
}

/* What the device sees of a queue: who lets it grow, says so in doc/perf.md. */
static void
check_pages(enum sluice_ring_type ring_type, uint16_t size, bool is_tx, unsigned int nb)
{
	assert_int_equal(sluice_ring_offsets(ring_type, size, is_tx).len, nb * SLUICE_RING_PAGE);
}

/* What a ring's parts must keep to (2.7, 2.8.10.1), and in which pages they lie. */
static void
test_layout(void **state)
{
	unsigned int size, tx;

	(void)state;
	for (size = 1; size <= 32768; size += size < 2000 ? 1 : 719)
		for (tx = 0; tx < 2; tx++) {
			struct sluice_ring_offsets s = sluice_ring_offsets(SLUICE_SPLIT, size, tx);
			struct sluice_ring_offsets p = sluice_ring_offsets(SLUICE_PACKED, size, tx);
			const struct part split[] = {
				{ s.desc, s.desc + 16 * size, false },
				{ s.driver, s.driver + 6 + 2 * size, false },
				{ s.device, s.device + 6 + 8 * size, true },
				{ s.zero, s.zero + 20, false },
				{ s.extra, s.extra + 320 * sluice_ring_nb_extras(size), false },
			};
			const struct part packed[] = {
				{ p.desc, p.desc + 16 * size, true },
				{ p.driver, p.driver + 4, false },
				{ p.device, p.device + 4, true },
				{ p.zero, p.zero + 20, false },
				{ p.extra, p.extra + 320 * sluice_ring_nb_extras(size), false },
			};

			assert_int_equal(s.desc % 16, 0);
			assert_int_equal(s.driver % 2, 0);
			assert_int_equal(s.device % 4, 0);
			check_parts(&s, split, tx ? 5 : 3);
			assert_int_equal(p.desc % 16, 0);
			assert_int_equal(p.driver % 4, 0);
			assert_int_equal(p.device % 4, 0);
			check_parts(&p, packed, tx ? 5 : 3);
		}
	for (tx = 0; tx < 2; tx++) {
		check_pages(SLUICE_SPLIT, 256, tx, tx ? 8 : 3);
		check_pages(SLUICE_SPLIT, 4096, tx, tx ? 108 : 28);
		check_pages(SLUICE_PACKED, 256, tx, tx ? 8 : 3);
		check_pages(SLUICE_PACKED, 4096, tx, tx ? 98 : 18);
	}
}

/* A power of two, so that the next one is found with a mask; never more than slots. */
static void
test_extras(void **state)
{
	unsigned int size;

	(void)state;
	for (size = 1; size <= 32768; size++) {
		uint16_t nb = sluice_ring_nb_extras(size);

		assert_true(nb != 0 && (nb & (nb - 1)) == 0);
		assert_in_range(nb, RTE_MIN(size / 2 + 1, 16), size);
		if (size >= 64)
			assert_in_range(nb, size / 8 + 1, size / 4);
	}
	assert_int_equal(sluice_ring_nb_extras(256), 64);
	assert_int_equal(sluice_ring_nb_extras(100), 16);
}

/* As virtio 1.3, 2.7.10.1 and appendix A have it: was the event index among those that are new? */
static bool
need_event(uint16_t event, uint16_t new_idx, uint16_t old)
{
	uint16_t i;

	for (i = old; i != new_idx; i++)
		if (i == event)
			return true;
	return false;
}

/*
 * All old and new indices within 12 of each other, all events within 16, around both ends of the
 * counter.
 */
static void
test_split_events(void **state)
{
	static const uint16_t around[] = { 0, 65528, 32760, 5 };
	/* A used ring without entries: avail_event follows the index. */
	uint16_t dv[4] __rte_aligned(4) = { 0 };
	struct sluice_ring r = { .size = 0, .has_event_idx = true };
	unsigned int i, flags;
	int old, new_idx, event;

	(void)state;
	r.split.dv_used = (struct sluice_split_used *)dv;
	for (i = 0; i < RTE_DIM(around); i++)
		for (old = 0; old <= 12; old++)
			for (new_idx = old; new_idx <= old + 12; new_idx++)
				for (event = -16; event <= 30; event++)
					for (flags = 0; flags < 2; flags++) {
						dv[0] = flags;
						dv[2] = around[i] + event;
						r.avail_idx = around[i] + new_idx;
						r.kicked_idx = around[i] + old;
						if (sluice_split_wants_kick(&r) !=
								need_event(dv[2],
										around[i] + new_idx,
										around[i] + old))
							fail_msg("around %u: %d to %d, event %d",
									around[i], old, new_idx,
									event);
						assert_int_equal(r.kicked_idx, r.avail_idx);
					}
	/* Without EVENT_IDX the flag decides, and nothing else. */
	r.has_event_idx = false;
	for (event = 0; event < 20; event++)
		for (flags = 0; flags < 4; flags++) {
			dv[0] = flags;
			dv[2] = event;
			r.avail_idx = 12;
			r.kicked_idx = 10;
			assert_int_equal(sluice_split_wants_kick(&r), !(flags & 1));
		}
}

/*
 * Walk over the nb slots that were given up to head: is the one that the device named among them?
 */
static bool
passes(uint16_t size, uint16_t head, bool wrap, uint16_t nb, uint16_t off, bool off_wrap)
{
	for (; nb != 0; nb--) {
		if (head == 0) {
			head = size;
			wrap = !wrap;
		}
		head--;
		if (head == off && wrap == off_wrap)
			return true;
	}
	return false;
}

/* All positions and events of small rings. */
static void
test_packed_events(void **state)
{
	struct sluice_packed_event dv_event;
	struct sluice_ring r = { .has_event_idx = true };
	uint16_t size, head, nb, off, wrap, off_wrap, flags;

	(void)state;
	r.packed.dv_device_event = &dv_event;
	for (size = 1; size <= 9; size++)
		for (head = 0; head < size; head++)
			for (wrap = 0; wrap < 2; wrap++)
				for (nb = 1; nb <= size; nb++)
					for (off = 0; off < size; off++)
						for (off_wrap = 0; off_wrap < 2; off_wrap++) {
							r.size = size;
							r.head = head;
							r.avail_flags = wrap ? SLUICE_DESC_F_AVAIL :
									       SLUICE_DESC_F_USED;
							dv_event.flags = SLUICE_EVENT_DESC;
							dv_event.off_wrap = off | off_wrap << 15;
							if (sluice_packed_wants_kick(&r, nb) ==
									passes(size, head, wrap, nb,
											off,
											off_wrap))
								continue;
							fail_msg("size %u, head %u/%u, %u given, event %u/%u",
									size, head, wrap, nb, off,
									off_wrap);
						}
	for (flags = 0; flags < 2; flags++) {
		dv_event.flags = flags;
		assert_int_equal(sluice_packed_wants_kick(&r, 1), flags == SLUICE_EVENT_ENABLE);
	}
	/* A device that says anything else is told rather than left asleep. */
	dv_event.flags = 3;
	assert_true(sluice_packed_wants_kick(&r, 1));
}

static void
test_fail_names(void **state)
{
	unsigned int i, k;

	(void)state;
	for (i = 0; i < SLUICE_FAIL_MAX; i++)
		for (k = 0; k < i; k++)
			assert_string_not_equal(sluice_fail_name(i), sluice_fail_name(k));
	assert_string_equal(sluice_fail_name(SLUICE_FAIL_MAX), "unknown");
}

/* Every combination of features has the row that fits, scalar or wide. */
static void
test_path_selection(void **state)
{
	static const unsigned int bits[] = { SLUICE_F_RING_PACKED, SLUICE_NET_F_MRG_RXBUF,
		SLUICE_F_IN_ORDER, SLUICE_NET_F_GUEST_CSUM };
	static const uint16_t simd[] = { 0, 128, 256, 512 };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 128; i++)
		for (k = 0; k < RTE_DIM(simd); k++) {
			const bool has_offloads = (i & 16) != 0, is_copy = (i & 32) != 0;
			uint64_t f = (i & 1 ? SLUICE_BIT(bits[0]) : 0) |
					(i & 2 ? SLUICE_BIT(bits[1]) : 0) |
					(i & 4 ? SLUICE_BIT(bits[2]) : 0) |
					(i & 8 ? SLUICE_BIT(bits[3]) : 0);
			const struct sluice_rx_path *rx = sluice_rx_path_select(f,
					sluice_path_reads_headers(f, (i & 64) != 0), is_copy,
					simd[k]);
			const struct sluice_tx_path *tx = sluice_tx_path_select(
					f, has_offloads, is_copy, simd[k]);

			assert_non_null(rx);
			assert_non_null(tx);
			assert_int_equal(rx->cfg.ring_type == SLUICE_PACKED, (i & 1) != 0);
			assert_int_equal(tx->cfg.ring_type == SLUICE_PACKED, (i & 1) != 0);
			/* The copy has one row for both. */
			assert_int_equal(rx->cfg.has_csum, (i & (8 | 64)) != 0 || is_copy);
			assert_int_equal(tx->cfg.has_offloads, has_offloads);
			assert_int_equal(rx->cfg.is_copy, is_copy);
			assert_int_equal(tx->cfg.is_copy, is_copy);
			assert_true(rx->simd_bits <= simd[k] && tx->simd_bits <= simd[k]);
		}
}

/* Entries that wait, as rx_queue_count and descriptor_status ask. */
static void
test_count_used(void **state)
{
	struct env_conf conf = { .size = 16 };
	struct env *e;
	unsigned int i;

	(void)state;
	for (conf.row = 0; conf.row < env_nb_rows(false); conf.row++) {
		if (!env_can_run(&conf))
			continue;
		conf.start = env_is_packed(&conf) ? 9 : 65529;
		e = env_open(&conf);
		for (i = 0; i <= 16; i++) {
			assert_int_equal(e->q.ring_type == SLUICE_PACKED ?
							sluice_packed_count_used(&e->q.ring) :
							sluice_split_count_used(&e->q.ring),
					i);
			assert_int_equal(env_deliver(e, 60), i < 16);
		}
		env_close(e);
	}
}

int
main(void)
{
	suite_add(test_layout, NULL, "layout");
	suite_add(test_extras, NULL, "extras");
	suite_add(test_split_events, NULL, "split: kicks by event index");
	suite_add(test_packed_events, NULL, "packed: kicks by event position");
	suite_add(test_fail_names, NULL, "names of failures");
	suite_add(test_path_selection, NULL, "path selection");
	suite_add(test_count_used, NULL, "entries that wait");
	suite_add_rx(test_sizes, "rx sizes and starts");
	suite_add_tx(test_sizes, "tx sizes and starts");
	return suite_run("ring");
}
