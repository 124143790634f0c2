/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the control thread notices of a port that runs: cores on another node, a device that takes
 * nothing.
 */

#include <stdlib.h>
#include <string.h>

#include <ethdev_driver.h>

#include "env.h"
#include "fake_log.h"
#include "fake_numa.h"
#include "sluice_port.h"
#include "sluice_ring_split.h"

#define SIZE 64

static volatile uint16_t doorbell;

/* A port with one transmit queue, which is that of an environment. */
struct rig {
	struct env *e;
	struct sluice_port *port;
	struct rte_eth_dev dev;
	struct rte_eth_dev_data data;
	void *queues[1];
	struct sluice_transport_ops ops;
	struct sluice_transport transport;
};

/* On node 0 of two nodes; all lcores are there. */
static void
rig_open_as(struct rig *g, enum sluice_ring_type ring_type, bool is_in_order)
{
	struct env_conf conf = { .is_tx = true, .size = SIZE, .is_in_order = is_in_order };
	const struct sluice_tx_path *path;

	env_pick_row(&conf);
	memset(g, 0, sizeof(*g));
	memset(&fake_numa, 0, sizeof(fake_numa));
	fake_numa.nb_nodes = 2;
	/* A path that every CPU has. */
	while (path = sluice_tx_path_at(conf.row),
			path->cfg.ring_type != ring_type || strstr(path->name, "Scalar") == NULL)
		conf.row++;
	g->e = env_open(&conf);
	g->e->q.vq = 1;
	g->port = calloc(1, sizeof(*g->port));
	g->port->dev = &g->dev;
	g->port->domain = g->e->domain;
	g->port->port_id = 5;
	g->dev.data = &g->data;
	g->data.nb_tx_queues = 1;
	g->data.tx_queues = g->queues;
	g->queues[0] = &g->e->txq;
	g->port->queues[SLUICE_VQ_TX(0)] = &g->e->txq.q;
	g->ops.peer = "device";
	g->ops.flags = SLUICE_TRANSPORT_CAN_REVOKE | SLUICE_TRANSPORT_HAS_READ_ONLY;
	g->transport.ops = &g->ops;
	g->port->transport = &g->transport;
	g->port->is_link_up = true;
	g->e->txq.q.ring.doorbell.dv_reg = &doorbell;
	g->e->txq.q.ring.doorbell.vq = 7;
}

static void
rig_open(struct rig *g)
{
	rig_open_as(g, SLUICE_SPLIT, false);
}

static void
rig_close(struct rig *g)
{
	free(g->port);
	env_close(g->e);
}

static const char *
watch(struct rig *g)
{
	fake_log_begin();
	sluice_watch(g->port);
	return fake_log_end();
}

/* As a burst does it that finds the generation changed. */
static void
poll_once(struct rig *g, unsigned int lcore)
{
	RTE_PER_LCORE(_lcore_id) = lcore;
	dmap_stream_refresh(&g->e->q.stream);
	RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
}

static void
test_core(void **state)
{
	const char *log;
	struct rig g;

	(void)state;
	rig_open(&g);
	/* Nobody polled yet; a thread that is no lcore; a core of the right node. */
	assert_string_equal(watch(&g), "");
	poll_once(&g, LCORE_ID_ANY);
	assert_string_equal(watch(&g), "");
	poll_once(&g, 3);
	assert_int_equal(g.e->q.stream.lcore, 3);
	assert_string_equal(watch(&g), "");
	/* The device moves: easier than a core. */
	g.port->socket = 1;
	fake_numa.node = 1;
	poll_once(&g, 4);
	log = watch(&g);
	assert_non_null(strstr(log,
			"port 5: transmit queue 0 is polled by lcore 4 on NUMA node 0, the device "
			"is on node 1"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	/* Once. */
	poll_once(&g, 3);
	assert_string_equal(watch(&g), "");
	rig_close(&g);
}

static void
test_no_nodes(void **state)
{
	static const struct fake_numa machines[] = { { .is_absent = true, .nb_nodes = 2 },
		{ .nb_nodes = 1 } };
	struct rig g;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		rig_open(&g);
		if (i < 2)
			fake_numa = machines[i];
		g.port->socket = i < 2 ? 1 : SOCKET_ID_ANY;
		poll_once(&g, 4);
		assert_string_equal(watch(&g), "");
		/* And no core is asked. */
		assert_int_equal(g.e->q.stream.generation, *g.e->q.stream.domain_generation);
		rig_close(&g);
	}
}

/* Let the time pass that a device may take. */
static void
wait_long(struct rig *g)
{
	struct sluice_watch *w = &g->port->watch[1];

	assert_true(w->since != 0);
	w->since -= 5;
}

static void
send_one(struct rig *g)
{
	struct rte_mbuf *m = fake_mbuf(g->e->pool, RTE_PKTMBUF_HEADROOM, 60);

	assert_int_equal(env_tx(g->e, &m, 1), 1);
}

static void
test_start(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	/* Nothing was given, so nothing is missed. */
	assert_string_equal(watch(&g), "");
	assert_true(g.port->watch[1].since == 0);
	send_one(&g);
	assert_string_equal(watch(&g), "");
	wait_long(&g);
	assert_string_equal(watch(&g),
			"sluice: port 5: transmit queue 0: the device has taken nothing for 5 s: "
			"if it is a vhost back end that wants write access to all of the rings, "
			"give ro_rings=0\n");
	assert_string_equal(watch(&g), "");
	/* The next run, and rings that can be written. */
	sluice_watch_reset(&g.port->watch[1]);
	g.port->info.has_ats = true;
	assert_string_equal(watch(&g), "");
	wait_long(&g);
	assert_string_equal(watch(&g),
			"sluice: port 5: transmit queue 0: the device has taken nothing for 5 s\n");
	rig_close(&g);
}

/* Was it rung since the last time? */
static bool
rung(void)
{
	bool was = doorbell == 7;

	doorbell = 0;
	return was;
}

static void
take(struct rig *g, unsigned int nb)
{
	assert_int_equal(fake_dev_poll(&g->e->dev), nb);
	fake_dev_complete(&g->e->dev, nb, g->e->conf.is_in_order ? FAKE_BATCHES : FAKE_ONE_BY_ONE);
}

/*
 * It took packets and takes no more: notified once more, then a word, once. What was taken and not
 * seen is no wait.
 */
static void
test_stops(void **state)
{
	struct rig g;
	uint64_t nb_kicks;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		rig_open_as(&g, i % 2 == 0 ? SLUICE_SPLIT : SLUICE_PACKED, i >= 2);
		send_one(&g);
		send_one(&g);
		assert_string_equal(watch(&g), "");
		take(&g, 2);
		g.port->watch[1].since -= 5;
		rung();
		assert_string_equal(watch(&g), "");
		assert_true(g.port->watch[1].since == 0 && g.port->watch[1].is_running);
		/* Taken, and nobody looked: the core reclaims when it has to. */
		assert_int_equal(g.e->txq.q.ring.tail, 0);
		assert_string_equal(watch(&g), "");
		assert_false(rung());
		send_one(&g);
		rung();
		assert_string_equal(watch(&g), "");
		nb_kicks = g.e->txq.q.ring.nb_kicks;
		g.port->watch[1].since -= 2;
		assert_string_equal(watch(&g), "");
		assert_true(rung());
		assert_int_equal(g.e->txq.q.ring.nb_kicks, nb_kicks);
		g.port->watch[1].since -= 3;
		assert_string_equal(watch(&g),
				"sluice: port 5: transmit queue 0: the device has taken nothing for 5 s\n");
		assert_false(rung());
		assert_string_equal(watch(&g), "");
		/* It goes on; another stop is notified again, and not spoken of. */
		take(&g, 1);
		assert_string_equal(watch(&g), "");
		send_one(&g);
		rung();
		assert_string_equal(watch(&g), "");
		g.port->watch[1].since -= 9;
		assert_string_equal(watch(&g), "");
		assert_true(rung());
		rig_close(&g);
	}
}

static void
test_link(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	send_one(&g);
	g.port->is_link_up = false;
	assert_string_equal(watch(&g), "");
	assert_true(g.port->watch[1].since == 0);
	rung();
	sluice_watch_link_up(g.port);
	assert_true(rung());
	rig_close(&g);
}

/*
 * Which rings are read-only: a word of the user, else whether the device has ATS; never for
 * vhost-user.
 */
static void
test_ro_rings(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_true(sluice_dev_has_ro_rings(g.port));
	g.port->info.has_ats = true;
	assert_false(sluice_dev_has_ro_rings(g.port));
	g.port->args.has_ro_rings = true;
	g.port->args.is_ro_rings = true;
	assert_true(sluice_dev_has_ro_rings(g.port));
	g.port->info.has_ats = false;
	g.port->args.is_ro_rings = false;
	assert_false(sluice_dev_has_ro_rings(g.port));
	g.port->args.has_ro_rings = false;
	g.ops.flags = 0;
	assert_false(sluice_dev_has_ro_rings(g.port));
	rig_close(&g);
}

int
main(void)
{
	suite_add(test_core, NULL, "core");
	suite_add(test_no_nodes, NULL, "no nodes");
	suite_add(test_start, NULL, "start");
	suite_add(test_stops, NULL, "stops");
	suite_add(test_link, NULL, "link");
	suite_add(test_ro_rings, NULL, "ro_rings");
	return suite_run("watch");
}
