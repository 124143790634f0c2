/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control queue of a PCI device with several queue pairs, and what it may answer to the one
 * command that it gets when the port starts.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"

#define NB_PAIRS 2
#define CTRL_VQ SLUICE_VQ_CTRL(NB_PAIRS)
#define BITS (SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED)

/* What the device answers. */
static struct {
	bool is_silent;
	uint8_t ack;
	uint32_t id_off; /* added to the right id */
	uint32_t len;
	uint32_t nb_used; /* split: how far the used index goes */
} script;

static struct fake_port *port;
static uint32_t nb_commands;
static uint8_t command[4];

static void
execute(uint64_t cmd_da, uint32_t cmd_len, uint64_t ack_da, uint32_t ack_len)
{
	const uint8_t *cmd = fake_domain_reach(&port->ft.dom, cmd_da, cmd_len);
	uint8_t *ack = fake_domain_reach(&port->ft.dom, ack_da, ack_len);

	nb_commands++;
	if (cmd == NULL || ack == NULL || cmd_len != sizeof(command) || ack_len != 1) {
		fake_error("a command of %u bytes, an answer of %u", cmd_len, ack_len);
		return;
	}
	memcpy(command, cmd, sizeof(command));
	*ack = script.ack;
}

static void
serve_split(const struct sluice_vq_setup *vq)
{
	struct sluice_split_desc *desc = vq->dv_desc;
	struct sluice_split_used *used = vq->dv_device;
	struct sluice_split_avail *avail = vq->dv_driver;

	if (avail->idx != 1 || used->idx != 0)
		return;
	execute(desc[0].addr, desc[0].len, desc[1].addr, desc[1].len);
	used->ring[0].id = avail->ring[0] + script.id_off;
	used->ring[0].len = script.len;
	__atomic_store_n(&used->idx, script.nb_used, __ATOMIC_RELEASE);
}

static void
serve_packed(const struct sluice_vq_setup *vq)
{
	struct sluice_packed_desc *desc = vq->dv_desc;

	if ((desc[0].flags & BITS) != SLUICE_DESC_F_AVAIL)
		return;
	execute(desc[0].addr, desc[0].len, desc[1].addr, desc[1].len);
	/* The id of a list is that of its last descriptor (2.8.6). */
	desc[0].id = desc[1].id + script.id_off;
	desc[0].len = script.len;
	__atomic_store_n(&desc[0].flags, BITS, __ATOMIC_RELEASE);
}

/* Whenever the driver waits. */
static void
serve(void)
{
	const struct sluice_vq_setup *vq = &port->ft.vqs[CTRL_VQ];

	if (!port->ft.is_connected || vq->size == 0 || script.is_silent)
		return;
	if (vq->is_packed)
		serve_packed(vq);
	else
		serve_split(vq);
}

static void
test_answers(void **state)
{
	static const struct {
		const char *what;
		bool is_silent;
		uint8_t ack;
		uint32_t id_off, len, nb_used;
		int ret;
	} cases[] = {
		{ "well", false, SLUICE_CTRL_OK, 0, 1, 1, 0 },
		{ "cannot", false, SLUICE_CTRL_ERR, 0, 1, 1, -EIO },
		{ "nonsense", false, 0x77, 0, 1, 1, -EPROTO },
		{ "untouched", false, 0x5a, 0, 1, 1, -EPROTO },
		{ "id", false, SLUICE_CTRL_OK, 1, 1, 1, -EPROTO },
		{ "length", false, SLUICE_CTRL_OK, 0, 2, 1, -EPROTO },
		{ "index", false, SLUICE_CTRL_OK, 0, 1, 7, -EPROTO },
		{ "silence", true, 0, 0, 0, 0, -ETIMEDOUT },
	};
	struct fake_port_conf conf = { .is_pci = true, .nb_pairs = NB_PAIRS };
	unsigned int i, split;
	int64_t begin;
	int ret;

	(void)state;
	for (i = 0; i < 2 * RTE_DIM(cases); i++) {
		split = i % 2;
		conf.is_split = split;
		port = fake_port_open(&conf);
		fake_clock_on_sleep = serve;
		script.is_silent = cases[i / 2].is_silent;
		script.ack = cases[i / 2].ack;
		script.id_off = cases[i / 2].id_off;
		script.len = cases[i / 2].len;
		script.nb_used = cases[i / 2].nb_used;
		nb_commands = 0;
		fake_context("%s, %s", cases[i / 2].what, split ? "split" : "packed");
		assert_int_equal(sluice_life_probe(port->port), 0);
		begin = sluice_clock_ms();
		ret = sluice_life_start(port->port);
		/* A packed ring has no index that could be wrong. */
		if (split || script.nb_used != 7)
			fake_assert(ret == cases[i / 2].ret, "%d", ret);
		fake_assert(sluice_clock_ms() - begin <= SLUICE_HANDSHAKE_MS + 1, "%d ms",
				(int)(sluice_clock_ms() - begin));
		if (!script.is_silent) {
			/* Class 4, command 0, two pairs in the device's byte order (5.1.6.5.6). */
			assert_int_equal(nb_commands, 1);
			assert_memory_equal(command, "\4\0\2\0", sizeof(command));
		}
		assert_int_equal(port->port->life, ret == 0 ? SLUICE_LIVE : SLUICE_ABSENT);
		/* Nothing is left of it for the next one. */
		if (ret == 0)
			sluice_life_stop(port->port);
		fake_pool_assert_full(port->pool);
		script.is_silent = false;
		script.ack = SLUICE_CTRL_OK;
		script.id_off = 0;
		script.len = 1;
		script.nb_used = 1;
		fake_port_await(port, SLUICE_READY, 100);
		assert_int_equal(sluice_life_start(port->port), 0);
		fake_port_close(port);
		fake_clock_on_sleep = NULL;
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

int
main(void)
{
	suite_add(test_answers, NULL, "answers");
	suite_add(test_none, NULL, "none");
	return suite_run("ctrl");
}
