/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * RSS by a device: when it is asked to spread, what it is told at a start and while the port runs,
 * and what stays when it does not take that.
 */

#include <errno.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_ctrl.h"
#include "fake_log.h"
#include "fake_port.h"
#include "sluice_spread.h"

#define RSS_CONFIG (SLUICE_CTRL_MQ * 256 + SLUICE_CTRL_MQ_RSS_CONFIG)
#define HASH_CONFIG (SLUICE_CTRL_MQ * 256 + SLUICE_CTRL_MQ_HASH_CONFIG)
#define ALL_BITS 0x1ff
#define UDP RTE_ETH_RSS_NONFRAG_IPV4_UDP
#define IPV4 (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)

static struct fake_port *port;
static struct fake_ctrl ctrl;

static void
serve(void)
{
	fake_ctrl_serve(&ctrl);
}

/* Probed; two pairs. bits: hash types of the device. */
static void
open_port(bool is_split, uint32_t bits)
{
	struct fake_port_conf conf = {
		.is_pci = true, .is_split = is_split, .has_ctrl = true, .nb_pairs = 2
	};

	port = fake_port_open(&conf);
	port->port->args.has_hash = true;
	port->port->args.is_device_hash = true;
	port->ft.info.rss_types = bits;
	fake_ctrl_init(&ctrl, &port->ft);
	fake_clock_on_sleep = serve;
	assert_int_equal(sluice_life_probe(port->port), 0);
}

static void
close_port(void)
{
	fake_port_close(port);
	fake_clock_on_sleep = NULL;
}

/* As dev_configure does it. */
static int
configure(uint64_t types)
{
	port->data.dev_conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	port->data.dev_conf.rx_adv_conf.rss_conf.rss_hf = types;
	return sluice_steer_configure(port->port);
}

/* As dev_start and dev_stop do. */
static int
start(void)
{
	int ret = sluice_steer_start(port->port);

	if (ret == 0)
		ret = sluice_life_start(port->port);
	if (ret != 0)
		sluice_steer_stop(port->port);
	port->data.dev_started = ret == 0;
	/* A device that was let go is reached by the control thread. */
	if (ret == 0)
		fake_port_await(port, SLUICE_LIVE, 2000);
	return ret;
}

static void
stop_now(void)
{
	sluice_life_stop(port->port);
	sluice_steer_stop(port->port);
	port->data.dev_started = false;
}

/* What the device was told last is this. */
static void
expect_told(uint32_t bits, const uint8_t *key, const uint16_t *table)
{
	unsigned int i;

	assert_true(ctrl.has_rss);
	assert_int_equal(ctrl.rss_types, bits);
	assert_int_equal(ctrl.rss_unclassified, 0);
	assert_int_equal(ctrl.nb_rss_entries, SLUICE_RSS_RETA_SIZE);
	for (i = 0; i < SLUICE_RSS_RETA_SIZE; i++)
		fake_assert(ctrl.rss_table[i] == table[i], "entry %u is %u", i, ctrl.rss_table[i]);
	assert_int_equal(ctrl.rss_key_len, SLUICE_RSS_KEY_LEN);
	assert_memory_equal(ctrl.rss_key, key, SLUICE_RSS_KEY_LEN);
	assert_int_equal(ctrl.nb_pairs, 2);
}

/* Which types are which bits, alone; and types that are a part of others. */
static void
test_types(void **state)
{
	static const uint64_t types[] = { RTE_ETH_RSS_IPV4, RTE_ETH_RSS_NONFRAG_IPV4_TCP,
		RTE_ETH_RSS_NONFRAG_IPV4_UDP, RTE_ETH_RSS_IPV6, RTE_ETH_RSS_NONFRAG_IPV6_TCP,
		RTE_ETH_RSS_NONFRAG_IPV6_UDP, RTE_ETH_RSS_IPV6_EX, RTE_ETH_RSS_IPV6_TCP_EX,
		RTE_ETH_RSS_IPV6_UDP_EX };
	uint32_t bits;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(types); i++) {
		assert_true(sluice_steer_beyond(types[i], ALL_BITS, &bits) == 0);
		assert_int_equal(bits, 1 << i);
		assert_true(sluice_steer_beyond(types[i], ALL_BITS & ~(1 << i), &bits) == types[i]);
		assert_int_equal(bits, 0);
	}
	assert_true(sluice_steer_beyond(IPV4, ALL_BITS, &bits) == 0);
	assert_int_equal(bits, 1);
	assert_true(sluice_steer_beyond(RTE_ETH_RSS_IP, ALL_BITS, &bits) == 0);
	assert_int_equal(bits, 1 | 1 << 3 | 1 << 6);
	/* Fragments alone, or of the other protocol, cannot be had. */
	assert_true(sluice_steer_beyond(RTE_ETH_RSS_FRAG_IPV4, ALL_BITS, &bits) ==
			RTE_ETH_RSS_FRAG_IPV4);
	assert_true(sluice_steer_beyond(RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV4, ALL_BITS,
				    &bits) == RTE_ETH_RSS_FRAG_IPV4);
	assert_true(sluice_steer_beyond(UDP | RTE_ETH_RSS_NONFRAG_IPV4_SCTP, ALL_BITS, &bits) ==
			RTE_ETH_RSS_NONFRAG_IPV4_SCTP);
	/* What a device says beyond is nothing to us. */
	assert_true(sluice_steer_beyond(UDP, UINT32_MAX, &bits) == 0);
	assert_int_equal(bits, 1 << 2);
}

static bool
is_by_device(uint64_t types)
{
	assert_int_equal(configure(types), 0);
	assert_true(sluice_steer_is_by_device(port->port) != sluice_steer_spreads(port->port) ||
			!sluice_steer_is_by_device(port->port));
	assert_int_equal((sluice_dev_wanted_features(port->port) & SLUICE_BIT(SLUICE_NET_F_RSS)) !=
					0,
			sluice_steer_is_by_device(port->port));
	return sluice_steer_is_by_device(port->port);
}

/* Who asks for nothing, or for what it has not, does not ask the device. */
static void
test_who_asks(void **state)
{
	(void)state;
	open_port(false, 1 << 2);
	assert_true(is_by_device(UDP));
	assert_false(is_by_device(0));
	assert_false(is_by_device(IPV4));
	assert_false(is_by_device(UDP | RTE_ETH_RSS_NONFRAG_IPV4_SCTP));
	assert_true(sluice_steer_spreads(port->port));
	port->port->args.rss = SLUICE_RSS_ARG_SW;
	assert_false(is_by_device(UDP));
	assert_true(sluice_steer_spreads(port->port));
	port->port->args.rss = SLUICE_RSS_ARG_OFF;
	assert_false(is_by_device(UDP));
	assert_false(sluice_steer_spreads(port->port));
	port->port->args.rss = SLUICE_RSS_ARG_AUTO;
	/* One queue, and more than the device has. */
	port->data.nb_rx_queues = 1;
	assert_false(is_by_device(UDP));
	port->data.nb_rx_queues = 3;
	assert_false(is_by_device(UDP));
	port->data.nb_rx_queues = 2;
	/* A core that sleeps is woken by the device. */
	port->data.dev_conf.intr_conf.rxq = 1;
	assert_true(is_by_device(UDP));
	port->data.dev_conf.intr_conf.rxq = 0;
	/* What is refused leaves all as it was. */
	assert_int_equal(configure(RTE_ETH_RSS_L2_PAYLOAD), -EINVAL);
	assert_true(sluice_steer_is_by_device(port->port));
	port->data.nb_rx_queues = SLUICE_SPREAD_QUEUES_MAX + 1;
	assert_int_equal(configure(UDP), -ENOTSUP);
	assert_true(sluice_steer_is_by_device(port->port));
	assert_int_equal(port->port->steer.device_types, 1 << 2);
	port->data.nb_rx_queues = 2;
	close_port();
	/* No RSS, no control queue. */
	open_port(false, 1 << 2);
	port->port->info.features &= ~SLUICE_BIT(SLUICE_NET_F_RSS);
	assert_false(is_by_device(UDP));
	port->port->info.features |= SLUICE_BIT(SLUICE_NET_F_RSS);
	port->ft.ops.flags &= ~SLUICE_TRANSPORT_HAS_CTRL_VQ;
	assert_false(is_by_device(UDP));
	port->ft.ops.flags |= SLUICE_TRANSPORT_HAS_CTRL_VQ;
	close_port();
}

static bool
is_hash_by_device(uint64_t types)
{
	bool is = false;

	assert_int_equal(configure(types), 0);
	is = sluice_steer_is_hash_by_device(port->port);
	assert_int_equal((sluice_dev_wanted_features(port->port) &
					 SLUICE_BIT(SLUICE_NET_F_HASH_REPORT)) != 0,
			is);
	/* One of them, if it is asked for at all. */
	if (is)
		assert_false(sluice_steer_hashes(port->port));
	return is;
}

/* Hashes for the mbuf: of the device, where it can and software has not to spread. */
static void
test_who_hashes(void **state)
{
	uint64_t *offloads;
	uint16_t nb_tx;

	(void)state;
	open_port(false, ALL_BITS);
	offloads = &port->data.dev_conf.rxmode.offloads;
	assert_false(is_hash_by_device(UDP));
	assert_false(sluice_steer_hashes(port->port));
	*offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH;
	assert_true(is_hash_by_device(UDP) && sluice_steer_is_by_device(port->port));
	assert_false(is_hash_by_device(0));
	assert_false(is_hash_by_device(UDP | RTE_ETH_RSS_NONFRAG_IPV4_SCTP));
	assert_true(sluice_steer_hashes(port->port));
	port->port->args.rss = SLUICE_RSS_ARG_SW;
	assert_false(is_hash_by_device(UDP));
	port->port->args.rss = SLUICE_RSS_ARG_OFF;
	assert_false(is_hash_by_device(UDP));
	assert_true(sluice_steer_hashes(port->port));
	port->port->args.rss = SLUICE_RSS_ARG_AUTO;
	port->port->args.is_device_hash = false;
	assert_false(is_hash_by_device(UDP));
	assert_true(sluice_steer_is_by_device(port->port) && sluice_steer_hashes(port->port));
	/* Nobody says whose: the device's where software would be slow, or nothing is sent. */
	port->port->args.has_hash = false;
	assert_int_equal(is_hash_by_device(UDP), sluice_steer_kit(port->port, 1) == NULL);
	port->port->args.is_vectorized = false;
	assert_true(is_hash_by_device(UDP));
	port->port->args.is_vectorized = true;
	nb_tx = port->data.nb_tx_queues;
	port->data.nb_tx_queues = 0;
	assert_true(is_hash_by_device(UDP));
	port->data.nb_tx_queues = nb_tx;
	port->port->args.has_hash = true;
	port->port->args.is_device_hash = true;
	/* Bounce buffers. */
	port->port->args.isolation = SLUICE_ISOLATION_COPY;
	assert_false(is_hash_by_device(UDP));
	assert_true(sluice_steer_is_by_device(port->port));
	port->port->args.isolation = SLUICE_ISOLATION_SCOPED;
	/* A device that hashes, and spreads as it likes. */
	port->port->info.features &= ~SLUICE_BIT(SLUICE_NET_F_RSS);
	assert_false(is_hash_by_device(UDP));
	assert_true(sluice_steer_spreads(port->port));
	port->data.dev_conf.intr_conf.rxq = 1;
	assert_true(is_hash_by_device(UDP));
	port->data.dev_conf.intr_conf.rxq = 0;
	port->data.nb_rx_queues = 1;
	assert_true(is_hash_by_device(UDP));
	assert_false(sluice_steer_is_by_device(port->port));
	/* What is refused leaves all as it was. */
	assert_int_equal(configure(RTE_ETH_RSS_L2_PAYLOAD), -EINVAL);
	assert_true(sluice_steer_is_hash_by_device(port->port));
	port->data.nb_rx_queues = 2;
	/* One that has only the other. */
	port->port->info.features |= SLUICE_BIT(SLUICE_NET_F_RSS);
	port->port->info.features &= ~SLUICE_BIT(SLUICE_NET_F_HASH_REPORT);
	assert_false(is_hash_by_device(UDP));
	assert_true(sluice_steer_is_by_device(port->port));
	close_port();
}

static void
expect_hashes(uint32_t bits, const uint8_t *key)
{
	assert_true(ctrl.has_hash && !ctrl.has_rss);
	assert_int_equal(ctrl.rss_types, bits);
	assert_int_equal(ctrl.rss_key_len, SLUICE_RSS_KEY_LEN);
	assert_memory_equal(ctrl.rss_key, key, SLUICE_RSS_KEY_LEN);
}

/* Of two pairs one is in use without being asked for: it is told of both, in that order. */
static void
test_hashes(void **state)
{
	struct sluice_rss_settings *rss;
	uint8_t key[SLUICE_RSS_KEY_LEN];
	unsigned int k, i;

	(void)state;
	for (k = 0; k < 2; k++) {
		open_port(k, ALL_BITS);
		port->port->info.features &= ~SLUICE_BIT(SLUICE_NET_F_RSS);
		port->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_RSS);
		rss = &port->port->shared->rss;
		port->data.dev_conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH;
		port->data.dev_conf.intr_conf.rxq = 1;
		assert_int_equal(configure(UDP), 0);
		assert_int_equal(start(), 0);
		assert_true(ctrl.ft->features & SLUICE_BIT(SLUICE_NET_F_HASH_REPORT));
		assert_true(port->rxq[0].has_hash && port->rxq[0].hdr_len == 20 &&
				port->txq[0].hdr_len == 20);
		assert_int_equal(ctrl.nb_pairs, 2);
		expect_hashes(1 << 2, rss->key);
		for (i = 0; i < sizeof(key); i++)
			key[i] = 3 * i + 1;
		assert_int_equal(sluice_steer_set_hash(port->port, IPV4, key, sizeof(key)), 0);
		expect_hashes(1, key);
		/* The table is nobody's. */
		ctrl.refused = HASH_CONFIG;
		fake_log_begin();
		assert_int_equal(sluice_steer_set_hash(port->port, UDP, NULL, 0), -EIO);
		assert_non_null(strstr(fake_log_end(), "rss=sw"));
		assert_int_equal(rss->types, IPV4);
		ctrl.refused = -1;
		stop_now();
		close_port();
	}
}

static void
test_changes(void **state)
{
	uint16_t table[SLUICE_RSS_RETA_SIZE], i;
	struct sluice_rss_settings *rss;
	uint8_t key[52];
	unsigned int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		open_port(k, ALL_BITS);
		rss = &port->port->shared->rss;
		for (i = 0; i < sizeof(key); i++)
			key[i] = 3 * i + 1;
		assert_int_equal(configure(IPV4), 0);
		assert_int_equal(start(), 0);
		/* What was asked for at first, and nothing that cores have to do. */
		assert_true(ctrl.ft->features & SLUICE_BIT(SLUICE_NET_F_RSS));
		expect_told(1, rss->key, rss->reta);
		assert_int_equal(rss->reta[1], 1);
		assert_false(sluice_steer_spreads(port->port));
		assert_false(sluice_steer_hashes(port->port));
		/* While it runs. */
		for (i = 0; i < SLUICE_RSS_RETA_SIZE; i++)
			table[i] = i / 3 % 2;
		assert_int_equal(sluice_steer_set_reta(port->port, table), 0);
		expect_told(1, rss->key, table);
		assert_int_equal(sluice_steer_set_hash(port->port, UDP, key, sizeof(key)), 0);
		expect_told(1 << 2, key, table);
		assert_int_equal(sluice_steer_set_hash(port->port, 0, NULL, 0), 0);
		expect_told(0, key, table);
		/* While it does not. */
		stop_now();
		assert_int_equal(sluice_steer_set_hash(port->port, UDP | IPV4, NULL, 0), 0);
		table[0] = 1;
		assert_int_equal(sluice_steer_set_reta(port->port, table), 0);
		assert_true(ctrl.rss_types == 0 && ctrl.rss_table[0] == 0);
		assert_int_equal(start(), 0);
		expect_told(1 | 1 << 2, key, table);
		stop_now();
		close_port();
	}
}

/* The old settings stay, at the port and so at the device, whatever it answers. */
static void
test_refused(void **state)
{
	uint16_t table[SLUICE_RSS_RETA_SIZE] = { 1, 1, 1 };
	struct sluice_rss_settings before, *rss;
	unsigned int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		open_port(k, ALL_BITS & ~2);
		rss = &port->port->shared->rss;
		assert_int_equal(configure(UDP), 0);
		assert_int_equal(start(), 0);
		before = *rss;
		/* By us. */
		assert_int_equal(sluice_steer_set_hash(
						 port->port, RTE_ETH_RSS_NONFRAG_IPV4_TCP, NULL, 0),
				-ENOTSUP);
		assert_int_equal(sluice_steer_set_hash(port->port, RTE_ETH_RSS_L2_PAYLOAD, NULL, 0),
				-EINVAL);
		assert_int_equal(sluice_steer_set_hash(port->port, UDP, before.key, 39), -EINVAL);
		assert_memory_equal(rss, &before, sizeof(before));
		/* By the device. */
		ctrl.refused = RSS_CONFIG;
		fake_log_begin();
		assert_int_equal(sluice_steer_set_reta(port->port, table), -EIO);
		assert_non_null(strstr(fake_log_end(), "it says that it cannot"));
		assert_int_equal(sluice_steer_set_hash(port->port, IPV4, NULL, 0), -EIO);
		assert_memory_equal(rss, &before, sizeof(before));
		ctrl.refused = -1;
		/* An answer that is none, and none at all. */
		ctrl.ack = 7;
		assert_int_equal(sluice_steer_set_reta(port->port, table), -EPROTO);
		ctrl.ack = SLUICE_CTRL_OK;
		ctrl.is_silent = true;
		assert_int_equal(sluice_steer_set_reta(port->port, table), -ETIMEDOUT);
		assert_memory_equal(rss, &before, sizeof(before));
		ctrl.is_silent = false;
		/* And then it goes on. */
		assert_int_equal(sluice_steer_set_reta(port->port, table), 0);
		expect_told(1 << 2, before.key, table);
		stop_now();
		close_port();
	}
}

/* A device that has RSS and does not take it: the start fails, and says what to do. */
static void
test_start_fails(void **state)
{
	(void)state;
	open_port(false, ALL_BITS);
	assert_int_equal(configure(UDP), 0);
	ctrl.refused = RSS_CONFIG;
	fake_log_begin();
	assert_int_not_equal(start(), 0);
	assert_non_null(strstr(fake_log_end(), "rss=sw"));
	port->port->args.rss = SLUICE_RSS_ARG_SW;
	assert_int_equal(configure(UDP), 0);
	assert_int_equal(start(), 0);
	assert_false(ctrl.has_rss);
	assert_int_equal(ctrl.nb_pairs, 2);
	assert_true(sluice_steer_spreads(port->port));
	stop_now();
	close_port();
}

/* One that fails is told anew by the next start: of what was set last. */
static void
test_told_anew(void **state)
{
	uint16_t table[SLUICE_RSS_RETA_SIZE] = { 0, 1, 1 };

	(void)state;
	open_port(false, ALL_BITS);
	assert_int_equal(configure(UDP), 0);
	assert_int_equal(start(), 0);
	assert_int_equal(sluice_steer_set_reta(port->port, table), 0);
	sluice_queue_break(&port->rxq[0].q, SLUICE_FAIL_BAD_ID);
	fake_port_turn(port, SLUICE_NEWS_NONE);
	assert_int_not_equal(port->port->life, SLUICE_LIVE);
	/* Meanwhile it is noted. */
	table[3] = 1;
	assert_int_equal(sluice_steer_set_reta(port->port, table), 0);
	stop_now();
	assert_int_equal(start(), 0);
	expect_told(1 << 2, port->port->shared->rss.key, table);
	stop_now();
	close_port();
}

int
main(void)
{
	suite_add(test_types, NULL, "types");
	suite_add(test_who_asks, NULL, "who asks");
	suite_add(test_who_hashes, NULL, "who hashes");
	suite_add(test_hashes, NULL, "hashes");
	suite_add(test_changes, NULL, "changes");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_start_fails, NULL, "start fails");
	suite_add(test_told_anew, NULL, "told anew");
	return suite_run("steer_device");
}
