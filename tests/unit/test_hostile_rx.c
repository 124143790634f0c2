/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Lies in used rings and used descriptors; see lies.h. The letters and numbers are those of the
 * catalogue of hostile devices: S split, P packed.
 */

#include "lies.h"

/* Two buffers were received and not replaced: their slots are free. */
static void
id_free(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 0)->id;

	lies_use(e, 0);
	lies_use(e, 0);
	assert_int_equal(env_rx_and_free(e, 8), 2);
	lies_use_or(e, lies, id);
}

static void
id_twice_out_of_order(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 3)->id;

	lies_use(e, 3);
	lies_use_or(e, lies, id);
}

static void
id_twice_in_two_bursts(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 3)->id;

	lies_use(e, 3);
	assert_int_equal(env_rx_and_free(e, 8), 1);
	lies_use_or(e, lies, id);
}

/* One more than the buffers that the device has, although the ring is larger. */
static void
idx_beyond_lent(struct env *e, bool lies)
{
	lies_use(e, 0);
	lies_use(e, 0);
	assert_int_equal(env_rx_and_free(e, 8), 2);
	lies_advance(e, lies, LIES_SIZE - 2);
}

/* The index moves before the entry is there, or without one. */
static void
idx_without_entry(struct env *e, bool lies)
{
	lies_advance(e, lies, 1);
}

static void
len_0(struct env *e, bool lies)
{
	lies_with_len(e, lies, 0);
}

static void
len_below_header(struct env *e, bool lies)
{
	lies_with_len(e, lies, SLUICE_NET_HDR_LEN - 1);
}

static void
len_beyond_buffer(struct env *e, bool lies)
{
	lies_with_len(e, lies, env_post_len(e) + 1);
}

static void
len_all_ones(struct env *e, bool lies)
{
	lies_with_len(e, lies, 0xffffffff);
}

static void
len_16_bits_beyond(struct env *e, bool lies)
{
	lies_with_len(e, lies, 0x10000 + 72);
}

static void
len_other_than_written(struct env *e, bool lies)
{
	lies_with_len(e, lies, 1000);
	lies_with_len(e, lies, 40);
}

/* The device writes over what the driver wrote; nobody may believe it. */
static void
descriptors_rewritten(struct env *e, bool lies)
{
	unsigned int i;

	for (i = 0; i < LIES_SIZE && lies; i++)
		if (env_is_packed(&e->conf)) {
			e->dev.packed.desc[i].addr ^= 0xdeadbeef0000;
			e->dev.packed.desc[i].len = 0xffffffff;
			e->dev.copy[i].packed = e->dev.packed.desc[i];
		} else {
			e->dev.split.desc[i] = (struct sluice_split_desc){
				.addr = 1, .len = 0xffffffff, .flags = 0xffff, .next = 0xffff
			};
			e->dev.copy[i].split = e->dev.split.desc[i];
			e->dev.split.avail->ring[i] = 0xffff;
		}
	for (i = 0; i < 20; i++)
		lies_use(e, 0);
}

static void
driver_area_rewritten(struct env *e, bool lies)
{
	if (lies && env_is_packed(&e->conf)) {
		e->dev.packed.driver_event->flags = 0xffff;
		e->dev.packed.driver_event->off_wrap = 0xffff;
	} else if (lies) {
		e->dev.split.avail->idx ^= 0x5555;
		e->dev.split.avail->flags = 0xffff;
	}
	lies_use(e, 0);
	lies_use(e, 0);
}

static void
wishes_are_garbage(struct env *e, bool lies)
{
	if (lies)
		lies_garble_wishes(e);
	lies_use(e, 0);
	e->pool->limit = FAKE_NO_LIMIT;
	lies_use(e, 0);
}

static void
wrong_wrap(struct env *e, bool lies)
{
	if (lies)
		e->dev.used_wrap = !e->dev.used_wrap;
	lies_use(e, 0);
	lies_use(e, 0);
}

static void
half_a_flag_pair(struct env *e, bool lies)
{
	uint16_t slot = e->dev.used;

	lies_use(e, 0);
	lies_use(e, 0);
	if (lies)
		e->dev.packed.desc[slot].flags ^= SLUICE_DESC_F_AVAIL;
}

static void
skips_a_slot(struct env *e, bool lies)
{
	if (lies)
		e->dev.used++;
	lies_use(e, 0);
	lies_use(e, 0);
}

/*
 * Used descriptors for the whole ring and once more, when the driver has filled none of it again.
 */
static void
whole_ring_twice(struct env *e, bool lies)
{
	unsigned int i;

	while (e->dev.nb_held != 0)
		lies_use(e, 0);
	for (i = 0; i < LIES_SIZE && lies; i++)
		fake_dev_lie_used(&e->dev, i, 72);
}

/* In order: an id stands for all up to it; one from before the oldest stands for none. */
static bool
in_order_only(const struct env_conf *conf)
{
	return conf->is_in_order;
}

static void
batch_id_is_past(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 0)->id;

	lies_use(e, 0);
	lies_use(e, 0);
	lies_use(e, 0);
	assert_int_equal(env_rx_and_free(e, 8), 3);
	lies_use_or(e, lies, id);
}

static const struct lie lies[] = {
	{ "S1 P1 id of the ring's size", lies_id_of_size, SLUICE_FAIL_BAD_ID, NULL, 0 },
	{ "S2 id all ones", lies_id_all_ones, SLUICE_FAIL_BAD_ID, NULL, 0 },
	{ "S2 id beyond 16 bits", lies_id_beyond_16_bits, SLUICE_FAIL_BAD_ID, env_is_split, 0 },
	{ "S3 P2 id of a free slot", id_free, SLUICE_FAIL_BAD_ID, NULL, 0 },
	{ "S4 P3 id twice at once", lies_id_twice_at_once, SLUICE_FAIL_BAD_ID, NULL, 0 },
	{ "S4 P3 id twice out of order", id_twice_out_of_order, SLUICE_FAIL_BAD_ID,
			env_is_unordered, 0 },
	{ "S5 P3 id twice in two bursts", id_twice_in_two_bursts, SLUICE_FAIL_BAD_ID,
			env_is_unordered, 0 },
	{ "S7 index beyond the size", lies_idx_beyond_size, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S7 index beyond what was lent", idx_beyond_lent, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S8 index half way round", lies_idx_half_way_round, SLUICE_FAIL_USED_IDX, env_is_split,
			0 },
	{ "S9 index backwards", lies_idx_backwards, SLUICE_FAIL_USED_IDX, env_is_split, 0 },
	{ "S10 S23 index without entry", idx_without_entry, EITHER, env_is_split, 0 },
	{ "S11 P13 length 0", len_0, SLUICE_FAIL_BAD_LEN, NULL, 0 },
	{ "S12 P13 length below the header", len_below_header, SLUICE_FAIL_BAD_LEN, NULL, 0 },
	{ "S13 P13 length beyond the buffer", len_beyond_buffer, SLUICE_FAIL_BAD_LEN, NULL, 0 },
	{ "S14 P13 length all ones", len_all_ones, SLUICE_FAIL_BAD_LEN, NULL, 0 },
	{ "S14 P13 length 16 bits beyond", len_16_bits_beyond, SLUICE_FAIL_BAD_LEN, NULL, 0 },
	{ "S15 S16 length other than written", len_other_than_written, HARMLESS, NULL, 0 },
	{ "S17 S18 S19 S20 P14 descriptors rewritten", descriptors_rewritten, HARMLESS, NULL, 0 },
	{ "S20 driver area rewritten", driver_area_rewritten, HARMLESS, NULL, 0 },
	{ "S21 S22 P12 wishes are garbage", wishes_are_garbage, HARMLESS, NULL, 0 },
	{ "S24 never completes", lies_never_completes, HARMLESS, NULL, 1 },
	{ "P4 wrong wrap counter", wrong_wrap, HARMLESS, env_is_packed, 2 },
	{ "P5 half a pair of flags", half_a_flag_pair, HARMLESS, env_is_packed, 2 },
	{ "P8 skips a slot", skips_a_slot, HARMLESS, env_is_packed, 2 },
	{ "P9 whole ring twice", whole_ring_twice, EITHER, env_is_packed, 0 },
	{ "P11 id from before the oldest", batch_id_is_past, SLUICE_FAIL_BAD_ID, in_order_only, 0 },
};

static void
test_lies(void **state)
{
	lies_run(*state, lies, RTE_DIM(lies));
}

/* A failed queue stays failed whatever the device does, and gives nothing away. */
static void
test_failed_is_latched(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;
	unsigned int i;

	conf->size = LIES_SIZE;
	e = env_open(conf);
	fake_dev_poll(&e->dev);
	fake_dev_lie_used(&e->dev, 0xffff, 72);
	assert_int_equal(env_rx_and_free(e, 8), 0);
	assert_true(env_has_failed(e));
	for (i = 0; i < 10; i++) {
		lies_use(e, 0);
		assert_int_equal(env_rx_and_free(e, 8), 0);
	}
	assert_int_equal(fake_dev_poll(&e->dev), 0);
	env_restart(e);
	assert_true(env_deliver(e, 60));
	env_expect(e, 60, 0);
	env_close(e);
}

/* A length that cannot be, anywhere in a batch of a wide path: what came before it is good. */
static void
test_len_in_a_batch(void **state)
{
	struct env *e = env_open_from(state, 0);
	const uint32_t lens[] = { 0, SLUICE_NET_HDR_LEN - 1, env_post_len(e) + 1, 0x10000 + 72,
		UINT32_MAX };
	unsigned int k, at, i, lies;

	for (k = 0; k < RTE_DIM(lens); k++)
		for (at = 0; at < 8; at++)
			for (lies = 0; lies < 2; lies++) {
				fake_context("%s: length %u at %u%s", env_name(&e->conf), lens[k],
						at, lies ? "" : " (control)");
				fake_dev_poll(&e->dev);
				for (i = 0; i < 8; i++)
					lies_with_len(e, lies && i == at, lens[k]);
				assert_int_equal(env_rx_and_free(e, 8), lies ? at : 8);
				assert_int_equal(e->q.fail,
						lies ? SLUICE_FAIL_BAD_LEN : SLUICE_FAIL_NONE);
				env_restart(e);
			}
	env_close(e);
}

int
main(void)
{
	suite_add_rx(test_lies, "lies");
	suite_add_rx(test_failed_is_latched, "failed is latched");
	suite_add_rx(test_len_in_a_batch, "length in a batch");
	return suite_run("hostile_rx");
}
