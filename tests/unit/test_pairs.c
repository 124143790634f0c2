/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Virtqueues that have no queue. */

#include <string.h>

#include "env.h"
#include "fake_port.h"

/* A virtqueue that the device may look at for ever: nothing is available in it. */
static void
assert_idle(const struct sluice_vq_setup *vq)
{
	const struct sluice_packed_desc *dv_desc = vq->dv_desc;
	uint16_t i;

	assert_int_equal(vq->size, 64);
	assert_int_equal(vq->call_fd, -1);
	assert_true(vq->kick_fd >= 0);
	for (i = 0; vq->is_packed && i < vq->size; i++)
		assert_int_equal(dv_desc[i].flags, 0);
	if (!vq->is_packed)
		assert_int_equal(((const struct sluice_split_avail *)vq->dv_driver)->idx, 0);
}

/* More queues of one direction: the pairs are complete for the device, in every life. */
static void
test_halves(void **state)
{
	static const uint16_t counts[][2] = { { 1, 2 }, { 2, 1 }, { 2, 0 }, { 0, 1 } };
	struct fake_port_conf conf = { .nb_pairs = 2 };
	struct fake_port *f;
	uint16_t nb_rx, nb_tx, nb, vq;
	unsigned int i, life;

	(void)state;
	for (i = 0; i < 2 * RTE_DIM(counts); i++) {
		f = fake_port_open(&conf);
		nb_rx = f->data.nb_rx_queues = counts[i / 2][0];
		nb_tx = f->data.nb_tx_queues = counts[i / 2][1];
		nb = 2 * RTE_MAX(nb_rx, nb_tx);
		if (i % 2 != 0)
			f->ft.info.features &= ~SLUICE_BIT(SLUICE_F_RING_PACKED);
		for (life = 0; life < 3; life++) {
			if (life == 0)
				assert_int_equal(sluice_life_probe(f->port), 0);
			memset(f->ft.vqs, 0, sizeof(f->ft.vqs));
			fake_transport_forget(&f->ft);
			assert_int_equal(sluice_life_start(f->port), 0);
			fake_port_await(f, SLUICE_LIVE, 20);
			assert_int_equal(f->ft.nb_by_op[FAKE_VQ_START], nb);
			for (vq = 0; vq < nb; vq++)
				if (vq / 2 >= (vq % 2 == 0 ? nb_rx : nb_tx))
					assert_idle(&f->ft.vqs[vq]);
			sluice_life_stop(f->port);
			assert_int_equal(f->ft.nb_by_op[FAKE_VQ_STOP], nb);
		}
		f->data.nb_rx_queues = conf.nb_pairs;
		f->data.nb_tx_queues = conf.nb_pairs;
		fake_port_close(f);
	}
}

int
main(void)
{
	suite_add(test_halves, NULL, "halves");
	return suite_run("pairs");
}
