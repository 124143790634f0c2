/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control queue of a PCI device: commands of any length, and what a device may answer to them.
 * A wrong answer fails its command; the next one, to a device that is honest again, is well.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_ctrl.h"
#include "fake_log.h"
#include "fake_port.h"

#define NB_PAIRS 2
/* No command of the specification: the device only takes it. */
#define CLASS 200

static struct fake_port *port;
static struct fake_ctrl ctrl;

/* Whenever the driver waits. */
static void
serve(void)
{
	fake_ctrl_serve(&ctrl);
}

/* Split or packed, and with a device that keeps the order or not. */
#define NB_KINDS 4
#define IS_SPLIT(kind) ((kind) % 2 != 0)
#define IS_IN_ORDER(kind) ((kind) < 2)

/* A port of one pair that is live; its control queue is there for what the test sends. */
static void
open_live(unsigned int kind)
{
	struct fake_port_conf conf = {
		.is_pci = true, .is_split = IS_SPLIT(kind), .has_ctrl = true
	};

	port = fake_port_open(&conf);
	port->port->args.is_in_order = IS_IN_ORDER(kind);
	fake_context("%s%s", IS_SPLIT(kind) ? "split" : "packed",
			IS_IN_ORDER(kind) ? ", in order" : "");
	fake_ctrl_init(&ctrl, &port->ft);
	fake_clock_on_sleep = serve;
	assert_int_equal(sluice_life_probe(port->port), 0);
	assert_int_equal(sluice_life_start(port->port), 0);
	assert_int_equal(port->port->life, SLUICE_LIVE);
}

static void
close_live(void)
{
	/* Nothing else happened to the port. */
	fake_port_turn(port, SLUICE_NEWS_NONE);
	assert_int_equal(port->port->life, SLUICE_LIVE);
	assert_int_equal(port->port->shared->nb_failures, 0);
	fake_port_close(port);
	fake_clock_on_sleep = NULL;
}

/* With byte as its content, and as its command; within its deadline. */
static int
command(uint8_t byte, size_t len)
{
	uint8_t data[SLUICE_CTRL_DATA_MAX + 1];
	int64_t begin = sluice_clock_ms();
	int ret;

	memset(data, byte, sizeof(data));
	sluice_transport_begin(port->port->transport, 10 * SLUICE_CTRL_MS);
	ret = sluice_ctrl_command(port->port, CLASS, byte, data, len);
	fake_assert(sluice_clock_ms() - begin <= SLUICE_CTRL_MS + 1, "%d ms",
			(int)(sluice_clock_ms() - begin));
	return ret;
}

/* A command to an honest device; it must have come through as it was sent. */
static void
expect_well(uint8_t byte, size_t len)
{
	uint32_t nb = ctrl.nb_commands;
	int ret = command(byte, len);

	fake_assert(ret == 0, "command %u: %d", byte, ret);
	fake_assert(ctrl.nb_commands > nb, "command %u did not come through", byte);
	fake_assert(ctrl.last[0] == CLASS && ctrl.last[1] == byte && ctrl.last_len == len + 2 &&
					(len == 0 || ctrl.last[2] == byte),
			"class %u, command %u, %u bytes", ctrl.last[0], ctrl.last[1],
			ctrl.last_len);
}

static void
test_lengths(void **state)
{
	unsigned int i, nb = 0;
	size_t len;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		open_live(i);
		/* More commands than the ring has room for, so it goes round. */
		for (len = 0; len <= SLUICE_CTRL_DATA_MAX; len = 2 * len + 1, nb++)
			expect_well(nb % 128, len);
		expect_well(7, SLUICE_CTRL_DATA_MAX);
		assert_int_equal(command(8, SLUICE_CTRL_DATA_MAX + 1), -EMSGSIZE);
		close_live();
	}
	/* Without a control queue. */
	port = fake_port_open(&(struct fake_port_conf){ .is_pci = true });
	assert_int_equal(sluice_life_probe(port->port), 0);
	assert_int_equal(sluice_life_start(port->port), 0);
	assert_int_equal(command(1, 1), -ENOTSUP);
	fake_port_close(port);
}

struct lie {
	const char *what;
	int ret;
	bool is_silent;
	uint8_t ack;
	uint32_t id_off, len, nb_extra;
};

static const struct lie lies[] = {
	{ "well", 0, false, SLUICE_CTRL_OK, 0, 1, 0 },
	{ "cannot", -EIO, false, SLUICE_CTRL_ERR, 0, 1, 0 },
	{ "nonsense", -EPROTO, false, 0x77, 0, 1, 0 },
	{ "untouched", -EPROTO, false, 0x5a, 0, 1, 0 },
	{ "odd id", -EPROTO, false, SLUICE_CTRL_OK, 1, 1, 0 },
	{ "other id", -EPROTO, false, SLUICE_CTRL_OK, 2, 1, 0 },
	{ "large id", -EPROTO, false, SLUICE_CTRL_OK, 0x10000, 1, 0 },
	{ "no length", -EPROTO, false, SLUICE_CTRL_OK, 0, 0, 0 },
	{ "long", -EPROTO, false, SLUICE_CTRL_OK, 0, 2, 0 },
	{ "very long", -EPROTO, false, SLUICE_CTRL_OK, 0, UINT32_MAX, 0 },
	{ "twice", -EPROTO, false, SLUICE_CTRL_OK, 0, 1, 1 },
	{ "seven times", -EPROTO, false, SLUICE_CTRL_OK, 0, 1, 6 },
	{ "silence", -ETIMEDOUT, true, SLUICE_CTRL_OK, 0, 1, 0 },
};

static void
lie(const struct lie *l)
{
	ctrl.is_silent = l->is_silent;
	ctrl.ack = l->ack;
	ctrl.id_off = l->id_off;
	ctrl.len = l->len;
	ctrl.nb_extra = l->nb_extra;
}

/* A packed ring has ids of 16 bits, and no index that could run away. */
static bool
is_lie_of(const struct lie *l, bool is_split)
{
	return is_split || (l->id_off < 0x10000 && l->nb_extra <= 1);
}

/* Each lie at each place of the ring; the next command is well. */
static void
test_lies(void **state)
{
	unsigned int i, at, n;
	int ret;

	(void)state;
	for (i = 0; i < NB_KINDS * RTE_DIM(lies); i++) {
		const struct lie *l = &lies[i / NB_KINDS];
		unsigned int kind = i % NB_KINDS;

		for (at = 0; at < SLUICE_CTRL_PLACES && is_lie_of(l, IS_SPLIT(kind)); at++) {
			open_live(kind);
			fake_context("%s, kind %u, at %u", l->what, kind, at);
			for (n = 0; n < at; n++)
				expect_well(n, 3);
			lie(l);
			ret = command(100, 40);
			fake_assert(ret == l->ret, "%d", ret);
			fake_ctrl_be_honest(&ctrl);
			for (n = 0; n < 2 * SLUICE_CTRL_PLACES; n++)
				expect_well(n, 3);
			close_live();
		}
	}
}

/* The start needs one of its commands: that for several queue pairs. */
static void
test_pairs(void **state)
{
	struct fake_port_conf conf = { .is_pci = true, .nb_pairs = NB_PAIRS };
	unsigned int i;
	int64_t begin;
	int ret;

	(void)state;
	for (i = 0; i < 2 * RTE_DIM(lies); i++) {
		const struct lie *l = &lies[i / 2];

		conf.is_split = i % 2;
		if (!is_lie_of(l, conf.is_split))
			continue;
		port = fake_port_open(&conf);
		fake_ctrl_init(&ctrl, &port->ft);
		fake_clock_on_sleep = serve;
		lie(l);
		fake_context("%s, %s", l->what, i % 2 ? "split" : "packed");
		assert_int_equal(sluice_life_probe(port->port), 0);
		begin = sluice_clock_ms();
		ret = sluice_life_start(port->port);
		fake_assert(ret == l->ret, "%d", ret);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_HANDSHAKE_MS + 1, "%d ms",
				(int)(sluice_clock_ms() - begin));
		if (!l->is_silent) {
			/* Class 4, command 0, two pairs in the device's byte order (5.1.6.5.6). */
			assert_int_equal(ctrl.nb_commands, 1);
			assert_memory_equal(ctrl.last, "\4\0\2\0", 4);
		}
		assert_int_equal(port->port->life, ret == 0 ? SLUICE_LIVE : SLUICE_ABSENT);
		/* Nothing is left of it for the next one. */
		if (ret == 0)
			sluice_life_stop(port->port);
		fake_pool_assert_full(port->pool);
		fake_ctrl_be_honest(&ctrl);
		fake_port_await(port, SLUICE_READY, 100);
		assert_int_equal(sluice_life_start(port->port), 0);
		fake_port_close(port);
		fake_clock_on_sleep = NULL;
	}
}

/*
 * Answers beyond the deadline: the command failed, and its answer is not taken for that of a later
 * one. Until it comes the device may read the command, so that must stay as it is.
 */
static void
test_late(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		open_live(i);
		ctrl.delay_ms = SLUICE_CTRL_MS + 500;
		assert_int_equal(command(50, 3), -ETIMEDOUT);
		ctrl.delay_ms = 600; /* behind the late one */
		assert_int_equal(command(51, 9), 0);
		assert_int_equal(ctrl.last[1], 51);
		fake_ctrl_be_honest(&ctrl);
		for (n = 0; n < 2 * SLUICE_CTRL_PLACES; n++)
			expect_well(n, 3);
		/* The device executes the late one as it was given. */
		ctrl.delay_ms = 2 * SLUICE_CTRL_MS;
		assert_int_equal(command(60, 3), -ETIMEDOUT);
		fake_clock_add(2 * SLUICE_CTRL_MS);
		fake_ctrl_serve(&ctrl);
		assert_int_equal(ctrl.last[1], 60);
		assert_int_equal(ctrl.last[2], 60);
		/* One that owes all answers gets no more commands, and then as many as before. */
		ctrl.delay_ms = 100 * SLUICE_CTRL_MS;
		for (n = 0; n < SLUICE_CTRL_PLACES; n++)
			assert_int_equal(command(70 + n, 3), -ETIMEDOUT);
		assert_int_equal(command(80, 3), -EBUSY);
		fake_clock_add(100 * SLUICE_CTRL_MS);
		fake_ctrl_be_honest(&ctrl);
		fake_ctrl_serve(&ctrl);
		assert_int_equal(ctrl.last[1], 70 + SLUICE_CTRL_PLACES - 1);
		for (n = 0; n < 2 * SLUICE_CTRL_PLACES; n++)
			expect_well(n, 3);
		close_live();
	}
}

/* A device that keeps the order may answer several at once (2.7.9, 2.8.8). */
static void
test_batch(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 0; i < NB_KINDS && IS_IN_ORDER(i); i++) {
		open_live(i);
		ctrl.is_batch = true;
		ctrl.delay_ms = SLUICE_CTRL_MS + 100;
		assert_int_equal(command(1, 3), -ETIMEDOUT);
		ctrl.delay_ms = 200;
		assert_int_equal(command(2, 3), 0);
		fake_ctrl_be_honest(&ctrl);
		for (n = 0; n < 2 * SLUICE_CTRL_PLACES; n++)
			expect_well(n, 3);
		close_live();
	}
}

/* Answers that nobody waits for do not become that of the next command. */
static void
test_unasked(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 0; i < NB_KINDS; i++) {
		open_live(i);
		expect_well(1, 3);
		for (n = 0; n < 2 * SLUICE_CTRL_PLACES; n++) {
			fake_ctrl_repeat(&ctrl, 2 * (n % SLUICE_CTRL_PLACES));
			if (n % 2 == 0)
				ctrl.refused = CLASS * 256 + n;
			assert_int_equal(command(n, 3), n % 2 == 0 ? -EIO : 0);
			fake_ctrl_be_honest(&ctrl);
		}
		close_live();
	}
}

/* A device that has the feature, and no queue that could be it. */
static void
test_none(void **state)
{
	struct fake_port_conf conf = { .is_pci = true, .nb_pairs = NB_PAIRS };

	(void)state;
	port = fake_port_open(&conf);
	port->ft.ctrl_size = 1;
	assert_int_equal(sluice_life_probe(port->port), 0);
	assert_int_equal(sluice_life_start(port->port), -EPROTO);
	fake_pool_assert_full(port->pool);
	fake_port_close(port);
}

/* What the arguments say is told at each start, and a device that cannot is no worse a device. */
static void
test_coalescing(void **state)
{
	const uint64_t bit = SLUICE_BIT(SLUICE_NET_F_NOTF_COAL);
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		port = fake_port_open(&(struct fake_port_conf){ .is_pci = true, .has_ctrl = true });
		fake_ctrl_init(&ctrl, &port->ft);
		fake_clock_on_sleep = serve;
		if (i != 0)
			port->port->args.rx_coal = (struct sluice_coal_args){ 50, 32 };
		if (i == 2)
			ctrl.refused = SLUICE_CTRL_NOTF_COAL * 256 + SLUICE_CTRL_NOTF_COAL_RX_SET;
		if (i == 3)
			port->ft.info.features &= ~bit;
		port->port->args.tx_coal.pkts = i == 1 ? 64 : 0;
		assert_int_equal(sluice_life_probe(port->port), 0);
		fake_log_begin();
		assert_int_equal(sluice_life_start(port->port), 0);
		assert_int_equal(
				strstr(fake_log_end(),
						"to interrupt for receive queues: it says") != NULL,
				i == 2);
		/* Who does not ask does not negotiate. */
		assert_int_equal((port->ft.features & bit) != 0, i == 1 || i == 2);
		assert_int_equal(ctrl.coal[SLUICE_CTRL_NOTF_COAL_RX_SET].usecs, i == 1 ? 50 : 0);
		assert_int_equal(ctrl.coal[SLUICE_CTRL_NOTF_COAL_RX_SET].packets, i == 1 ? 32 : 0);
		assert_int_equal(ctrl.coal[SLUICE_CTRL_NOTF_COAL_TX_SET].packets, i == 1 ? 64 : 0);
		sluice_life_stop(port->port);
		assert_int_equal(sluice_life_start(port->port), 0);
		fake_ctrl_serve(&ctrl);
		assert_int_equal(ctrl.coal[SLUICE_CTRL_NOTF_COAL_RX_SET].usecs, i == 1 ? 50 : 0);
		close_live();
	}
}

/* Where a device has no register for it, a descriptor says that there is a command. */
static void
test_descriptor(void **state)
{
	struct fake_port_conf conf = { .is_pci = true, .has_ctrl = true };
	uint16_t vq = SLUICE_VQ_CTRL(1);
	uint64_t count;
	int fd;

	(void)state;
	port = fake_port_open(&conf);
	port->ft.ops.flags &= ~(SLUICE_TRANSPORT_HAS_REGISTERS | SLUICE_TRANSPORT_CAN_REVOKE);
	fake_ctrl_init(&ctrl, &port->ft);
	fake_clock_on_sleep = serve;
	assert_int_equal(sluice_life_probe(port->port), 0);
	assert_int_equal(sluice_life_start(port->port), 0);
	fd = port->ft.vqs[vq].kick_fd;
	assert_true(fd >= 0 && fd == port->port->ctrl.kick_fd);
	/* Those of the start. */
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	expect_well(1, 10);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	/* It is of this connection, as the rings are. */
	fake_port_close(port);
	fake_clock_on_sleep = NULL;
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	assert_int_equal(errno, EBADF);
}

/* A look of the control thread, as each second; how many commands the device got. */
static uint32_t
tick(void)
{
	uint32_t nb = ctrl.nb_commands;

	fake_clock_add(1000);
	fake_port_turn(port, SLUICE_NEWS_NONE);
	return ctrl.nb_commands - nb;
}

/* Asked for when somebody wants to know; an answer that makes no sense ends that until a start. */
static void
test_device_stats(void **state)
{
	const struct sluice_shared *shared;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 4 * NB_KINDS; i++) {
		open_live(i % NB_KINDS);
		shared = port->port->shared;
		assert_int_equal(shared->has_device_stats, 1);
		assert_int_equal(tick(), 0);
		port->port->shared->wants_device_stats = 1;
		if (i / NB_KINDS == 1)
			ctrl.stats_type_off = 1;
		else if (i / NB_KINDS == 2)
			ctrl.stats_missing = 8;
		else if (i / NB_KINDS == 3)
			ctrl.refused = SLUICE_CTRL_STATS * 256 + SLUICE_CTRL_STATS_GET;
		fake_log_begin();
		assert_int_equal(tick(), i < NB_KINDS ? 3 : 2);
		assert_int_equal(
				strstr(fake_log_end(), "does not tell what it has counted") != NULL,
				i >= NB_KINDS);
		for (n = 0; n < SLUICE_DEVICE_COUNTERS; n++) {
			assert_int_equal(shared->device_rx[n], i < NB_KINDS ? n + 1 : 0);
			assert_int_equal(shared->device_tx[n], i < NB_KINDS ? 100 + n + 1 : 0);
		}
		fake_ctrl_be_honest(&ctrl);
		port->port->shared->wants_device_stats = 1;
		assert_int_equal(tick(), i < NB_KINDS ? 3 : 0);
		sluice_life_stop(port->port);
		assert_int_equal(sluice_life_start(port->port), 0);
		port->port->shared->wants_device_stats = 1;
		assert_int_equal(tick(), 3);
		close_live();
	}
}

int
main(void)
{
	suite_add(test_lengths, NULL, "lengths");
	suite_add(test_lies, NULL, "lies");
	suite_add(test_pairs, NULL, "pairs");
	suite_add(test_late, NULL, "late");
	suite_add(test_batch, NULL, "batch");
	suite_add(test_unasked, NULL, "unasked");
	suite_add(test_none, NULL, "none");
	suite_add(test_coalescing, NULL, "coalescing");
	suite_add(test_descriptor, NULL, "descriptor");
	suite_add(test_device_stats, NULL, "device_stats");
	return suite_run("ctrl");
}
