/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Lies in net headers and in the buffers of mergeable packets (N), and one lie among many true
 * entries.
 */

#include "lies.h"

static bool
no_mrg(const struct env_conf *conf)
{
	return !env_has_mrg(conf);
}

/* A packet that fills its buffer has its header read. */
static void
with_num_buffers(struct env *e, bool lies, uint16_t nb)
{
	struct fake_buf *b = fake_dev_held(&e->dev, 0);

	fake_dev_write_header(&e->dev, b, lies ? nb : 1);
	fake_dev_use(&e->dev, 0, env_post_len(e));
}

static void
num_buffers_0(struct env *e, bool lies)
{
	with_num_buffers(e, lies, 0);
}

static void
num_buffers_beyond_ring(struct env *e, bool lies)
{
	with_num_buffers(e, lies, LIES_SIZE + 1);
}

static void
num_buffers_all_ones(struct env *e, bool lies)
{
	with_num_buffers(e, lies, 65535);
}

static void
packet_beyond_64k(struct env *e, bool lies)
{
	uint32_t nb = 65535 / env_post_len(e) + 2, i;

	with_num_buffers(e, lies, nb);
	for (i = 1; i < nb; i++)
		with_num_buffers(e, false, 1);
}

static void
segment_with_len(struct env *e, bool lies, uint32_t len)
{
	fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0), 3);
	fake_dev_use(&e->dev, 0, env_post_len(e));
	fake_dev_use(&e->dev, 0, env_post_len(e));
	fake_dev_use(&e->dev, 0, lies ? len : 30);
}

static void
segment_empty(struct env *e, bool lies)
{
	segment_with_len(e, lies, 0);
}

static void
segment_too_long(struct env *e, bool lies)
{
	segment_with_len(e, lies, env_post_len(e) + 1);
}

static void
segment_id_twice(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 0)->id;

	fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, 0), 3);
	fake_dev_use(&e->dev, 0, env_post_len(e));
	fake_dev_use(&e->dev, 0, env_post_len(e));
	if (lies)
		fake_dev_lie_used(&e->dev, id, 30);
	else
		fake_dev_use(&e->dev, 0, 30);
}

static const struct lie lies[] = {
	{ "N1 num_buffers 0", num_buffers_0, HARMLESS, env_has_mrg, 0 },
	{ "N2 num_buffers beyond the ring", num_buffers_beyond_ring, SLUICE_FAIL_NUM_BUFFERS,
			env_has_mrg, 0 },
	{ "N3 num_buffers all ones", num_buffers_all_ones, SLUICE_FAIL_NUM_BUFFERS, env_has_mrg,
			0 },
	{ "N4 num_buffers not negotiated", num_buffers_all_ones, HARMLESS, no_mrg, 0 },
	{ "N5 packet beyond 64 KiB", packet_beyond_64k, SLUICE_FAIL_NUM_BUFFERS, env_has_mrg, 0 },
	{ "N5 empty segment", segment_empty, SLUICE_FAIL_BAD_LEN, env_has_mrg, 0 },
	{ "N5 segment beyond its buffer", segment_too_long, SLUICE_FAIL_BAD_LEN, env_has_mrg, 0 },
	{ "N5 segment twice", segment_id_twice, SLUICE_FAIL_BAD_ID, env_has_mrg, 0 },
};

static void
test_lies(void **state)
{
	lies_run(*state, lies, RTE_DIM(lies));
}

/* One wrong id or length among right ones, at every place of a batch. */
static void
test_every_place(void **state)
{
	struct env_conf *conf = *state;
	unsigned int place, i, nb, what;
	struct env *e;

	conf->size = LIES_SIZE;
	conf->nb_mbufs = 3 * LIES_SIZE;
	e = env_open(conf);
	for (place = 0; place < 40; place++)
		for (what = 0; what < 4; what++) {
			static const enum sluice_fail reasons[] = { SLUICE_FAIL_BAD_ID,
				SLUICE_FAIL_BAD_LEN, SLUICE_FAIL_BAD_LEN, HARMLESS };

			fake_context("%s: place %u, lie %u", env_name(conf), place, what);
			fake_dev_poll(&e->dev);
			for (i = 0; i < place; i++)
				lies_use(e, 0);
			if (what == 0)
				fake_dev_lie_used(&e->dev, 0xfff0, 72);
			else
				lies_with_len(e, true,
						what == 1                 ? 11 :
								what == 2 ? env_post_len(e) + 1 :
									    20);
			for (i = place + 1; i < 40; i++)
				lies_use(e, 0);
			e->pool->limit = 0;
			for (i = 0, nb = 0; i < 10; i++)
				nb += env_rx_and_free(e, 32);
			e->pool->limit = FAKE_NO_LIMIT;
			fake_assert(e->q.fail == reasons[what], "it is '%s'",
					sluice_fail_name(e->q.fail));
			fake_assert(nb == (what == 3 ? 39 : place), "%u packets came", nb);
			env_restart(e);
		}
	env_close(e);
}

int
main(void)
{
	suite_add_rx(test_lies, "lies");
	suite_add_rx(test_every_place, "a lie at every place");
	return suite_run("hostile_net");
}
