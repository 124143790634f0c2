/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a device is told to deliver: each change, all of it after a start, and what stays when the
 * device does not take it.
 */

#include <errno.h>
#include <string.h>

#include "fake_log.h"
#include "filter_steps.h"

#define RX_PROMISC (SLUICE_CTRL_RX * 256 + SLUICE_CTRL_RX_PROMISC)
#define RX_ALLMULTI (SLUICE_CTRL_RX * 256 + SLUICE_CTRL_RX_ALLMULTI)
#define MAC_TABLE (SLUICE_CTRL_MAC * 256 + SLUICE_CTRL_MAC_TABLE_SET)
#define MAC_ADDR (SLUICE_CTRL_MAC * 256 + SLUICE_CTRL_MAC_ADDR_SET)
#define VLAN_ADD (SLUICE_CTRL_VLAN * 256 + SLUICE_CTRL_VLAN_ADD)

static const struct rte_ether_addr other = { { 2, 0, 0, 0, 0, 2 } };

static struct rte_ether_addr
address(bool is_multicast, unsigned int n)
{
	return (struct rte_ether_addr){ { is_multicast ? 1 : 2, 7, 0, 0, n / 256, n % 256 } };
}

/* Probed, not started. without: features that the device has not. */
static void
open_port(bool is_split, uint64_t without)
{
	struct fake_port_conf conf = { .is_pci = true,
		.is_split = is_split,
		.has_ctrl = true,
		.rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER };

	if (without & SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN))
		conf.rx_offloads = 0;
	open_conf(&conf);
	probe(without);
}

static int
set_multicast(unsigned int nb)
{
	static struct rte_ether_addr addrs[SLUICE_MULTICAST_MAX + 100];
	unsigned int i;

	for (i = 0; i < nb; i++)
		addrs[i] = address(true, i);
	return sluice_filter_set_multicast(talk(), nb == 0 ? NULL : addrs, nb);
}

static bool
knows(bool is_multicast, unsigned int n)
{
	struct rte_ether_addr addr = address(is_multicast, n);

	return fake_ctrl_has(&ctrl, is_multicast, addr.addr_bytes);
}

static bool
has_vlan(unsigned int id)
{
	return (ctrl.vlans[id / 64] & 1ULL << id % 64) != 0;
}

static void
test_changes(void **state)
{
	struct rte_ether_addr addr = address(false, 9), group = address(true, 300);
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_port(i, 0);
		start();
		/* Nothing was asked for: only what is for the port (5.1.6.5.1). */
		assert_false(ctrl.is_promiscuous);
		assert_memory_equal(ctrl.mac, &own, sizeof(own));
		assert_int_equal(sluice_filter_set_promiscuous(talk(), true), 0);
		assert_true(ctrl.is_promiscuous);
		assert_int_equal(sluice_filter_set_promiscuous(talk(), false), 0);
		assert_false(ctrl.is_promiscuous);
		assert_int_equal(sluice_filter_set_all_multicast(talk(), true), 0);
		assert_true(ctrl.is_all_multicast);
		assert_int_equal(sluice_filter_set_all_multicast(talk(), false), 0);
		assert_false(ctrl.is_all_multicast);
		assert_int_equal(sluice_filter_set_mac(talk(), 0, &other), 0);
		assert_memory_equal(ctrl.mac, &other, sizeof(other));
		assert_int_equal(ctrl.table_len, 0);
		/* Addresses, the last of them too, and a hole between them. */
		assert_int_equal(sluice_filter_set_mac(talk(), 1, &addr), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), SLUICE_MACS_MAX - 1, &own), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), SLUICE_MACS_MAX, &own), -EINVAL);
		assert_int_equal(sluice_filter_set_mac(talk(), 2, &group), 0);
		assert_int_equal(fake_ctrl_count(&ctrl, false), 2);
		assert_int_equal(fake_ctrl_count(&ctrl, true), 1);
		assert_true(knows(false, 9) && knows(true, 300));
		assert_int_equal(sluice_filter_set_mac(talk(), 1, NULL), 0);
		assert_int_equal(fake_ctrl_count(&ctrl, false), 1);
		assert_true(fake_ctrl_has(&ctrl, false, own.addr_bytes));
		assert_int_equal(set_multicast(SLUICE_MULTICAST_MAX), 0);
		assert_int_equal(fake_ctrl_count(&ctrl, true), SLUICE_MULTICAST_MAX + 1);
		assert_true(knows(true, 0) && knows(true, SLUICE_MULTICAST_MAX - 1));
		assert_int_equal(set_multicast(0), 0);
		assert_int_equal(fake_ctrl_count(&ctrl, true), 1);
		assert_int_equal(sluice_filter_set_vlan(talk(), 0, true), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 4095, true), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 0, false), 0);
		assert_true(!has_vlan(0) && has_vlan(4095));
		close_port();
	}
}

static void
expect_all(void)
{
	assert_true(ctrl.is_promiscuous && ctrl.is_all_multicast);
	assert_memory_equal(ctrl.mac, &other, sizeof(other));
	assert_int_equal(fake_ctrl_count(&ctrl, false), 1);
	assert_int_equal(fake_ctrl_count(&ctrl, true), 3);
	assert_true(knows(false, 5) && knows(true, 0) && knows(true, 2));
	assert_true(has_vlan(7) && has_vlan(4095) && !has_vlan(8));
}

/* Asked for while stopped, the device learns it at the start, and at each that follows. */
static void
test_again(void **state)
{
	struct rte_ether_addr addr = address(false, 5);
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_port(i, 0);
		assert_int_equal(sluice_filter_set_promiscuous(talk(), true), 0);
		assert_int_equal(sluice_filter_set_all_multicast(talk(), true), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), 0, &other), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), 3, &addr), 0);
		assert_int_equal(set_multicast(3), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 7, true), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 8, true), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 8, false), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 4095, true), 0);
		assert_int_equal(ctrl.nb_commands, 0);
		start();
		expect_all();
		sluice_life_stop(port->port);
		start();
		expect_all();
		/* A device that failed, and is there again. */
		port->ft.state.needs_reset = true;
		fake_port_turn(port, SLUICE_NEWS_DEVICE);
		assert_int_equal(port->port->life, SLUICE_FAILED);
		port->ft.state.needs_reset = false;
		sluice_life_stop(port->port);
		fake_port_await(port, SLUICE_READY, 100);
		start();
		expect_all();
		close_port();
	}
}

/* What the device does not take: the call says so, and the state of before goes on. */
static void
test_refused(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_port(i, 0);
		start();
		ctrl.refused = RX_PROMISC;
		assert_int_equal(sluice_filter_set_promiscuous(talk(), true), -EIO);
		ctrl.refused = RX_ALLMULTI;
		assert_int_equal(sluice_filter_set_all_multicast(talk(), true), -EIO);
		ctrl.refused = MAC_ADDR;
		assert_int_equal(sluice_filter_set_mac(talk(), 0, &other), -EIO);
		ctrl.refused = VLAN_ADD;
		assert_int_equal(sluice_filter_set_vlan(talk(), 7, true), -EIO);
		ctrl.is_silent = true;
		assert_int_equal(sluice_filter_set_mac(talk(), 1, &other), -ETIMEDOUT);
		assert_int_equal(set_multicast(3), -ETIMEDOUT);
		fake_port_turn(port, SLUICE_NEWS_NONE);
		assert_int_equal(port->port->life, SLUICE_LIVE);
		fake_ctrl_be_honest(&ctrl);
		sluice_life_stop(port->port);
		start();
		assert_true(!ctrl.is_promiscuous && !ctrl.is_all_multicast && !has_vlan(7));
		assert_memory_equal(ctrl.mac, &own, sizeof(own));
		assert_int_equal(ctrl.table_len, 0);
		close_port();
	}
}

/* At a start the port goes on: packets of too many kinds are better than none. */
static void
test_refused_at_start(void **state)
{
	static const int refused[] = { RX_PROMISC, RX_ALLMULTI, MAC_ADDR, VLAN_ADD, -1 };
	unsigned int i;
	int64_t begin;

	(void)state;
	for (i = 0; i < RTE_DIM(refused); i++) {
		open_port(i % 2, 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 7, true), 0);
		ctrl.refused = refused[i];
		ctrl.is_silent = refused[i] < 0;
		fake_log_begin();
		begin = sluice_clock_ms();
		start();
		assert_true(sluice_clock_ms() - begin <= SLUICE_CTRL_MS + 1);
		assert_non_null(strstr(fake_log_end(), "does not filter as it was asked"));
		close_port();
	}
}

static unsigned int
count(const char *text, const char *what)
{
	unsigned int nb = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		nb++;
	return nb;
}

/* More addresses than the device takes: it is promiscuous by itself, which is said once. */
static void
test_too_many(void **state)
{
	static const char said[] = "does not take that many addresses";
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_port(i, 0);
		ctrl.most = 4;
		start();
		fake_log_begin();
		for (n = 0; n < 3; n++) {
			assert_int_equal(set_multicast(4), 0);
			assert_false(ctrl.is_promiscuous);
			assert_int_equal(set_multicast(5), 0);
			assert_true(ctrl.is_promiscuous);
			/* What the application asked for is another matter. */
			assert_int_equal(sluice_filter_set_promiscuous(talk(), true), 0);
			assert_int_equal(sluice_filter_set_promiscuous(talk(), false), 0);
			assert_true(ctrl.is_promiscuous);
			sluice_life_stop(port->port);
			start();
			assert_true(ctrl.is_promiscuous);
			assert_int_equal(set_multicast(1), 0);
			assert_false(ctrl.is_promiscuous);
		}
		assert_int_equal(count(fake_log_end(), said), 1);
		close_port();
	}
}

/* More than are kept: all multicast, which is said once. */
static void
test_too_many_multicast(void **state)
{
	unsigned int n;

	(void)state;
	open_port(false, 0);
	start();
	fake_log_begin();
	for (n = 0; n < 3; n++) {
		assert_int_equal(set_multicast(SLUICE_MULTICAST_MAX + 1), 0);
		assert_true(ctrl.is_all_multicast && !ctrl.is_promiscuous);
		sluice_life_stop(port->port);
		start();
		assert_true(ctrl.is_all_multicast);
		assert_int_equal(set_multicast(SLUICE_MULTICAST_MAX), 0);
		assert_false(ctrl.is_all_multicast);
		assert_int_equal(fake_ctrl_count(&ctrl, true), SLUICE_MULTICAST_MAX);
	}
	assert_int_equal(count(fake_log_end(), "all multicast is received"), 1);
	close_port();
}

/* A device without a feature is not told; the fake says who does it all the same. */
static void
test_without(void **state)
{
	static const uint64_t bits[] = { SLUICE_BIT(SLUICE_NET_F_CTRL_RX),
		SLUICE_BIT(SLUICE_NET_F_CTRL_VLAN), SLUICE_BIT(SLUICE_NET_F_CTRL_MAC_ADDR) };
	struct rte_ether_addr addr = address(false, 5);
	unsigned int set, i;
	uint64_t without;

	(void)state;
	for (set = 0; set < 1u << RTE_DIM(bits); set++) {
		for (i = 0, without = 0; i < RTE_DIM(bits); i++)
			without |= set & 1u << i ? bits[i] : 0;
		open_port(set % 2, without);
		fake_context("without 0x%lx", (unsigned long)without);
		start();
		assert_int_equal(sluice_filter_set_promiscuous(talk(), true), 0);
		assert_int_equal(sluice_filter_set_all_multicast(talk(), true), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), 0, &other), 0);
		assert_int_equal(sluice_filter_set_mac(talk(), 1, &addr), 0);
		assert_int_equal(set_multicast(3), 0);
		assert_int_equal(sluice_filter_set_vlan(talk(), 7, true), 0);
		fake_assert(ctrl.is_all_multicast == !(set & 1), "receive modes");
		fake_assert(knows(false, 5) == !(set & 1), "table");
		fake_assert(has_vlan(7) == !(set & 2), "VLANs");
		fake_assert(ctrl.has_mac == !(set & 4), "MAC address");
		/* Then the port's own address is one of those that it receives. */
		fake_assert(fake_ctrl_has(&ctrl, false, other.addr_bytes) ==
						(!(set & 1) && (set & 4) != 0),
				"own address in the table");
		close_port();
	}
}

/* A device that has this address already need not be told. */
static void
test_own(void **state)
{
	(void)state;
	open_port(false, 0);
	sluice_life_reset(port->port);
	port->ft.info.has_mac = true;
	memcpy(port->ft.info.mac, &own, sizeof(own));
	fake_port_await(port, SLUICE_READY, 100);
	start();
	assert_false(ctrl.has_mac);
	close_port();
}

static struct rte_ether_addr told;
static int told_ret;

static int
note_mac(struct sluice_transport *t, const uint8_t *mac)
{
	RTE_SET_USED(t);
	memcpy(&told, mac, sizeof(told));
	return told_ret;
}

/* A transport that knows how: at start, where the device has another one, and at each change. */
static void
test_transport_tells(void **state)
{
	(void)state;
	open_port(false, SLUICE_BIT(SLUICE_NET_F_CTRL_MAC_ADDR));
	memset(&told, 0, sizeof(told));
	told_ret = 0;
	port->ft.ops.set_mac = note_mac;
	start();
	assert_memory_equal(&told, &own, sizeof(own));
	assert_int_equal(sluice_filter_set_mac(talk(), 0, &other), 0);
	assert_memory_equal(&told, &other, sizeof(other));
	/* An address that is not taken is not the port's. */
	told_ret = -EBUSY;
	assert_int_equal(sluice_filter_set_mac(talk(), 0, &own), -EBUSY);
	assert_memory_equal(&port->port->filter.added[0], &other, sizeof(other));
	close_port();
}

int
main(void)
{
	suite_add(test_changes, NULL, "changes");
	suite_add(test_again, NULL, "again");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_refused_at_start, NULL, "refused at start");
	suite_add(test_too_many, NULL, "too many");
	suite_add(test_too_many_multicast, NULL, "too many multicast");
	suite_add(test_without, NULL, "without");
	suite_add(test_own, NULL, "own");
	suite_add(test_transport_tells, NULL, "transport tells");
	return suite_run("filter");
}
