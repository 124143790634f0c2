/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * LRO that is switched off and on while a port runs, and what cannot be switched.
 */

#include "fake_log.h"
#include "filter_steps.h"

#define OFFLOADS (SLUICE_CTRL_GUEST_OFFLOADS * 256 + SLUICE_CTRL_GUEST_OFFLOADS_SET)
#define CSUM SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM)
#define LRO \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_ECN))

/* Probed; of a device that has all but some features. */
static void
open_lro(bool is_split, uint64_t rx_offloads, uint64_t without)
{
	struct fake_port_conf conf = {
		.is_pci = true, .is_split = is_split, .has_ctrl = true, .rx_offloads = rx_offloads
	};

	open_conf(&conf);
	port->port->args.has_lro = true;
	probe(without);
}

/* Switched while the port runs, and as it was left whenever it starts; never without need. */
static void
test_switched(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_lro(i, RTE_ETH_RX_OFFLOAD_TCP_LRO, 0);
		start();
		assert_int_equal(ctrl.nb_guest_offloads, 0);
		assert_int_equal(sluice_filter_set_lro(talk(), false), 0);
		assert_int_equal(ctrl.guest_offloads, CSUM);
		assert_int_equal(sluice_filter_set_lro(talk(), true), 0);
		assert_int_equal(ctrl.guest_offloads, CSUM | LRO);
		/* What is refused is as it was, over a start, too. */
		ctrl.refused = OFFLOADS;
		assert_int_equal(sluice_filter_set_lro(talk(), false), -EIO);
		ctrl.refused = -1;
		assert_int_equal(ctrl.nb_guest_offloads, 2);
		sluice_life_stop(port->port);
		start();
		assert_int_equal(ctrl.nb_guest_offloads, 0);
		/* One that is stopped keeps it. */
		assert_int_equal(sluice_filter_set_lro(talk(), false), 0);
		sluice_life_stop(port->port);
		start();
		assert_int_equal(ctrl.nb_guest_offloads, 1);
		assert_int_equal(ctrl.guest_offloads, CSUM);
		sluice_life_stop(port->port);
		assert_int_equal(sluice_filter_set_lro(talk(), true), 0);
		start();
		assert_int_equal(ctrl.nb_guest_offloads, 0);
		close_port();
	}
}

/* Nobody asks for the feature who has no LRO; and a device need not have it, or a control queue. */
static void
test_without(void **state)
{
	const uint64_t without[] = { 0, SLUICE_BIT(SLUICE_NET_F_CTRL_GUEST_OFFLOADS),
		SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < RTE_DIM(without); i++) {
		open_lro(false, i == 0 ? 0 : RTE_ETH_RX_OFFLOAD_TCP_LRO, without[i]);
		/* Stopped and running. */
		for (k = 0; k < 2; k++) {
			assert_int_equal(sluice_filter_set_lro(talk(), false), -ENOTSUP);
			assert_false(port->port->filter.is_lro_off);
			assert_int_equal(ctrl.nb_guest_offloads, 0);
			if (k == 0)
				start();
		}
		close_port();
	}
	/* It was switched off at one that could; the next one cannot be told, and that is said. */
	for (i = 1; i < RTE_DIM(without); i++) {
		open_lro(false, RTE_ETH_RX_OFFLOAD_TCP_LRO, 0);
		assert_int_equal(sluice_filter_set_lro(talk(), false), 0);
		port->port->info.features &= ~without[i];
		fake_log_begin();
		start();
		assert_non_null(strstr(fake_log_end(), "this device cannot be told"));
		assert_int_equal(ctrl.nb_guest_offloads, 0);
		/* Who configures the port without it has none. */
		sluice_life_stop(port->port);
		port->port->dev->data->dev_conf.rxmode.offloads = 0;
		fake_log_begin();
		start();
		assert_null(strstr(fake_log_end(), "cannot be told"));
		close_port();
	}
}

int
main(void)
{
	suite_add(test_switched, NULL, "switched");
	suite_add(test_without, NULL, "without");
	return suite_run("lro_switch");
}
