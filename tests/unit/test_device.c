/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What applications do with the device behind a port beside sending and receiving: take its link
 * down, read its registers, watch its rings.
 */

#include <stdlib.h>

#include <rte_power_intrinsics.h>

#include "env.h"
#include "fake_ctrl.h"
#include "fake_log.h"
#include "fake_port.h"
#include "pci_steps.h"
#include "sluice_ethdev.h"

/* Words before those of virtqueues: common and device configuration. */
#define NB_WORDS 12
#define NB_VQ_WORDS 8

static void
test_registers(void **state)
{
	uint32_t words[NB_WORDS + 9 * NB_VQ_WORDS + 1];
	const uint32_t *vq = &words[NB_WORDS + NB_VQ_WORDS];
	struct sluice_transport *t;
	unsigned int nb;

	(void)state;
	fake_pci_init(&dev);
	t = create_running();
	dev.queue_select = 5;
	nb = t->ops->regs(t, NULL, 0);
	assert_int_equal(nb, NB_WORDS + 9 * NB_VQ_WORDS);
	memset(words, 0xa5, sizeof(words));
	assert_int_equal(t->ops->regs(t, words, 3), nb);
	assert_int_equal(words[3], 0xa5a5a5a5);
	assert_int_equal(t->ops->regs(t, words, nb), nb);
	assert_int_equal(words[nb], 0xa5a5a5a5);
	/* Vector 0 for the configuration, nine virtqueues; status, no generation, selected. */
	assert_int_equal(words[4], 9 << 16);
	assert_int_equal(words[5], 0xf | 5 << 16);
	assert_memory_equal(&words[6], dev.net, 24);
	/* Of virtqueue 1: size and vector, enabled and offset, addresses. */
	assert_int_equal(vq[0], 64 | (uint32_t)SLUICE_MSIX_NO_VECTOR << 16);
	assert_int_equal(vq[1], 1 | 1 << 16);
	assert_memory_equal(&vq[2], dev.queues[1].addr, sizeof(dev.queues[1].addr));
	assert_int_equal(dev.queue_select, 5);
	/* One that is gone has as many queues as 16 bits say, and none. */
	dev.is_gone = true;
	assert_int_equal(t->ops->regs(t, words, nb), NB_WORDS);
	assert_int_equal(words[0], UINT32_MAX);
	t->ops->destroy(t);
	fake_check();
}

static void
test_description(void **state)
{
	struct sluice_transport *t;
	char text[128];

	(void)state;
	fake_pci_init(&dev);
	dev.config[0x08] = 7;
	assert_int_equal(create(&t), 0);
	t->ops->describe(t, text, sizeof(text));
	assert_string_equal(text, "virtio 1 PCI 1af4:1041 rev 7");
	t->ops->destroy(t);
	fake_check();
}

static void
link_down(struct fake_port *f)
{
	pthread_mutex_lock(&f->port->lock);
	sluice_link_down(f->port);
	pthread_mutex_unlock(&f->port->lock);
}

static void
link_up(struct fake_port *f)
{
	pthread_mutex_lock(&f->port->lock);
	sluice_link_up(f->port);
	pthread_mutex_unlock(&f->port->lock);
}

/* Nothing goes or comes, and then all goes on where it was. */
static void
test_link(void **state)
{
	static const uint8_t frame[60];
	struct fake_port_conf conf = { 0 };
	struct rte_mbuf *m;
	struct fake_dev peer;
	struct fake_port *f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		conf.is_pci = i % 2;
		conf.is_split = i / 2;
		f = fake_port_open(&conf);
		assert_int_equal(sluice_life_probe(f->port), 0);
		assert_int_equal(sluice_life_start(f->port), 0);
		fake_port_device(f, SLUICE_VQ_RX(0), &peer);
		assert_true(fake_port_send(f));
		fake_dev_poll(&peer);
		assert_true(fake_dev_deliver(&peer, frame, sizeof(frame), FAKE_ONE_BY_ONE));
		link_down(f);
		assert_false(f->port->is_link_up);
		assert_false(fake_port_send(f));
		assert_int_equal(fake_port_receive(f, &m, 1), 0);
		/* It is no failure, and no event: the application did it. */
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_int_equal(f->port->life, SLUICE_LIVE);
		assert_false(f->news.has_link_changed || f->news.has_failed);
		link_down(f);
		link_up(f);
		assert_true(f->port->is_link_up);
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_false(f->news.has_link_changed);
		assert_true(fake_port_send(f));
		assert_int_equal(fake_port_receive(f, &m, 1), 1);
		rte_pktmbuf_free(m);
		/* A start takes it up; so does one that is stopped and has nothing to take up. */
		link_down(f);
		sluice_life_stop(f->port);
		link_up(f);
		link_down(f);
		assert_int_equal(sluice_life_start(f->port), 0);
		assert_true(fake_port_send(f));
		fake_dev_fini(&peer);
		fake_port_close(f);
	}
}

/* It stays down when another device comes. */
static void
test_link_stays(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = fake_port_open(&conf);

	(void)state;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	link_down(f);
	f->ft.check_answer = -ECONNRESET;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	fake_port_await(f, SLUICE_LIVE, 100);
	assert_false(fake_port_send(f));
	assert_false(f->port->is_link_up);
	link_up(f);
	assert_true(fake_port_send(f));
	fake_port_unpark(f);
	fake_port_close(f);
}

static struct fake_ctrl ctrl;

/* Whenever the driver waits. */
static void
serve(void)
{
	fake_ctrl_serve(&ctrl);
}

/*
 * A live port of a device that has, or has not, what it takes to be announced; longer: a feature
 * that makes headers longer, or none.
 */
static struct fake_port *
open_announcing(bool is_split, uint64_t without, unsigned int pool_flags, sluice_features longer)
{
	struct fake_port_conf conf = {
		.is_pci = true, .is_split = is_split, .has_ctrl = true, .pool_flags = pool_flags
	};
	struct fake_port *f = fake_port_open(&conf);

	f->ft.info.features = (f->ft.info.features | longer) & ~(sluice_features)without;
	if (sluice_has(longer, SLUICE_NET_F_HOST_UDP_TUNNEL_GSO))
		f->data.dev_conf.txmode.offloads = SLUICE_TX_TUNNEL_OFFLOADS;
	f->port->steer.is_hash_by_device = sluice_has(longer, SLUICE_NET_F_HASH_REPORT);
	f->port->filter.added[0] = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 7 } };
	fake_ctrl_init(&ctrl, &f->ft);
	fake_clock_on_sleep = serve;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	return f;
}

static void
close_announcing(struct fake_port *f)
{
	assert_int_equal(f->port->life, SLUICE_LIVE);
	fake_port_close(f);
	fake_clock_on_sleep = NULL;
}

/*
 * The device hears that it was heard, the network hears of the port, once for each wish; behind net
 * headers of each length.
 */
static void
test_announce(void **state)
{
	static const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 7, 0x80,
		0x35 };
	static const sluice_features longer[] = { 0, SLUICE_BIT(SLUICE_NET_F_HASH_REPORT),
		SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO) };
	struct fake_dev peer;
	struct fake_port *f;
	unsigned int i, n;

	(void)state;
	for (i = 0; i < 6; i++) {
		f = open_announcing(i % 2, 0, 0, longer[i / 2]);
		fake_port_device(f, SLUICE_VQ_TX(0), &peer);
		assert_true(fake_port_send(f));
		f->ft.state.wants_announce = true;
		/* A device that asks all the time is answered once in a while. */
		for (n = 0; n < 10; n++)
			fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_int_equal(ctrl.nb_announced, 1);
		f->ft.state.wants_announce = false;
		fake_clock_add(1000);
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_int_equal(ctrl.nb_announced, 1);
		f->ft.state.wants_announce = true;
		fake_port_turn(f, SLUICE_NEWS_DEVICE);
		assert_int_equal(ctrl.nb_announced, 2);
		assert_int_equal(f->port->shared->nb_announced, 2);
		/* The queue is its core's again. */
		assert_true(fake_port_send(f));
		fake_dev_poll(&peer);
		fake_dev_complete(&peer, 4, FAKE_ONE_BY_ONE);
		assert_int_equal(peer.nb_sent, 4);
		for (n = 1; n < 3; n++) {
			assert_int_equal(peer.sent[n].len, 64);
			assert_memory_equal(peer.sent[n].data, head, sizeof(head));
		}
		assert_int_equal(f->txq[0].q.stats.packets, 4);
		fake_dev_fini(&peer);
		close_announcing(f);
	}
}

/* What keeps it from being sent: the device is told all the same, where it can be. */
static void
test_announce_not(void **state)
{
	struct fake_port *f;

	(void)state;
	f = open_announcing(false, SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE), 0, 0);
	f->ft.state.wants_announce = true;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(ctrl.nb_announced + f->port->shared->nb_announced, 0);
	close_announcing(f);

	f = open_announcing(false, 0, RTE_MEMPOOL_F_SC_GET, 0);
	f->ft.state.wants_announce = true;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(ctrl.nb_announced, 1);
	assert_int_equal(f->port->shared->nb_announced, 0);
	close_announcing(f);

	f = open_announcing(true, 0, 0, 0);
	while (fake_port_send(f))
		;
	f->ft.state.wants_announce = true;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(ctrl.nb_announced, 1);
	assert_int_equal(f->port->shared->nb_announced, 0);
	close_announcing(f);

	/* A control queue that does not answer is left alone for a while. */
	f = open_announcing(false, 0, 0, 0);
	f->ft.state.wants_announce = true;
	ctrl.is_silent = true;
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	fake_ctrl_be_honest(&ctrl);
	fake_clock_add(1000);
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->shared->nb_announced, 0);
	fake_clock_add(5000);
	fake_port_turn(f, SLUICE_NEWS_DEVICE);
	assert_int_equal(f->port->shared->nb_announced, 1);
	close_announcing(f);
}

/* What the queue of a test has around it. */
static struct sluice_port desk;
static struct sluice_transport transport;

static struct sluice_transport_ops *
put_on_desk(struct env *e, unsigned int flags)
{
	static struct sluice_transport_ops ops;

	ops.flags = flags;
	transport.ops = &ops;
	desk.transport = &transport;
	e->q.port = &desk;
	return &ops;
}

static int
look(const struct rte_power_monitor_cond *pmc)
{
	assert_int_equal(pmc->size, 2);
	return pmc->fn(*(volatile uint16_t *)pmc->addr, pmc->opaque);
}

/* Packets that other queues hold count, too: together they may be more than a ring has slots. */
static void
test_more_than_a_ring(void **state)
{
	struct env *e = env_open(*state);

	assert_int_equal(sluice_rx_status_of(&e->q, 0, 0), RTE_ETH_RX_DESC_AVAIL);
	assert_int_equal(sluice_rx_status_of(&e->q, 0, UINT16_MAX + 1), RTE_ETH_RX_DESC_DONE);
	assert_int_equal(sluice_tx_count_of(&e->q, UINT16_MAX + 1), 0);
	env_close(e);
}

/* It sleeps as long as nothing comes, at each place of the ring and with each wrap counter. */
static void
test_monitor(void **state)
{
	struct rte_power_monitor_cond pmc = { 0 };
	struct env *e = env_open(*state);
	unsigned int i, nb;

	put_on_desk(e, 0);
	assert_int_equal(sluice_get_monitor_addr(&e->rxq, &pmc), -ENOTSUP);
	put_on_desk(e, SLUICE_TRANSPORT_CAN_REVOKE);
	for (i = 0; i < 5u * e->conf.size; i++) {
		assert_int_equal(sluice_get_monitor_addr(&e->rxq, &pmc), 0);
		assert_int_equal(look(&pmc), 0);
		assert_true(env_deliver(e, 60));
		assert_int_equal(look(&pmc), -1);
		/* As well if it came before somebody asked. */
		assert_int_equal(sluice_get_monitor_addr(&e->rxq, &pmc), 0);
		assert_int_equal(look(&pmc), -1);
		for (nb = 0; nb == 0;)
			nb = env_rx_and_free(e, 4);
	}
	e->q.state = SLUICE_QUEUE_STOPPED;
	assert_int_equal(sluice_get_monitor_addr(&e->rxq, &pmc), -EAGAIN);
	e->q.state = e->q.run;
	env_close(e);
}

static void
test_tx_count(void **state)
{
	struct env *e = env_open(*state);
	struct rte_mbuf *m[8];
	unsigned int i, n;

	assert_int_equal(sluice_tx_queue_count(&e->txq), 0);
	for (n = 0; n < 3; n++) {
		for (i = 0; i < RTE_DIM(m); i++)
			m[i] = fake_mbuf(e->pool, RTE_PKTMBUF_HEADROOM, 60);
		assert_int_equal(env_tx(e, m, RTE_DIM(m)), RTE_DIM(m));
		assert_int_equal(sluice_tx_queue_count(&e->txq), RTE_DIM(m));
		fake_dev_poll(&e->dev);
		fake_dev_complete(&e->dev, RTE_DIM(m), e->conf.order);
		assert_int_equal(sluice_tx_queue_count(&e->txq), 0);
	}
	env_close(e);
}

/*
 * Segments in tunnels: of devices that have all that it takes, and only for who asks for them.
 * Headers are longer then, in both directions.
 */
static void
test_tunnels(void **state)
{
	const uint64_t asked[] = { 0, RTE_ETH_TX_OFFLOAD_TCP_TSO, RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO,
		RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO,
		RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM };
	const sluice_features gso = SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO),
			      sums = SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM);
	/* What the device has, beside all that is older. */
	const sluice_features has[] = { gso | sums, gso, sums, 0, gso | sums };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < RTE_DIM(asked); i++)
		for (k = 0; k < RTE_DIM(has); k++) {
			const bool has_gso = (has[k] & gso) != 0 && k != 4;
			const uint64_t can = (has_gso ? SLUICE_TX_TUNNEL_OFFLOADS : 0) |
					(has_gso && (has[k] & sums) != 0 ?
									RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM :
									0);
			const uint64_t all = SLUICE_TX_TUNNEL_OFFLOADS |
					RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM;
			const bool is_asked = (asked[i] & all) != 0;
			const bool is_taken = (asked[i] & all & ~can) == 0;
			struct fake_port_conf conf = { .is_pci = true };
			struct fake_port *f = fake_port_open(&conf);
			uint16_t len = is_asked ? 24 : 12;

			fake_context("asked %u, device %u", i, k);
			f->port->args.has_csum = true;
			f->port->args.has_tso = true;
			f->data.dev_conf.txmode.offloads = asked[i];
			f->ft.info.features |= has[k];
			/* It takes this one, too (5.1.3.1). */
			if (k == 4)
				f->ft.info.features &= ~SLUICE_BIT(SLUICE_NET_F_HOST_USO);
			assert_int_equal(sluice_dev_tx_capa(f->port) & all, 0);
			assert_int_equal(sluice_life_probe(f->port), 0);
			assert_true((sluice_dev_tx_capa(f->port) & all) == can);
			fake_log_begin();
			fake_assert(sluice_life_start(f->port) == (is_taken ? 0 : -ENOTSUP),
					"start");
			fake_assert((strstr(fake_log_end(), "HOST_U") != NULL) == !is_taken,
					"other lines");
			if (is_taken) {
				assert_true((f->port->features & gso) == (is_asked ? gso : 0));
				assert_true((f->port->features & sums) == (i == 4 ? sums : 0));
				assert_int_equal(f->txq[0].hdr_len, len);
				assert_int_equal(f->rxq[0].hdr_len, len);
				assert_int_equal(f->rxq[0].reads_headers, is_asked);
			}
			fake_port_close(f);
		}
}

/*
 * IPv4 checksums are asked for, or no more, after queues were set up: the header of a packet will
 * lie in the room of its data, or not.
 */
static void
test_room(void **state)
{
	const struct fake_port_conf conf = { 0 };
	struct fake_port *f = fake_port_open(&conf);
	const uint16_t mtu = f->rxq[0].room - RTE_ETHER_HDR_LEN;
	struct sluice_device_info info;
	bool checks;

	(void)state;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_true(sluice_dev_info(f->port, &info));
	f->data.mtu = mtu;
	for (checks = false;; checks = true) {
		f->data.dev_conf.rxmode.offloads = checks ? RTE_ETH_RX_OFFLOAD_IPV4_CKSUM : 0;
		f->rxq[0].checks_ipv4 = !checks;
		fake_log_begin();
		assert_int_equal(
				sluice_check_frame(f->port, &f->rxq[0], mtu), checks ? -EINVAL : 0);
		assert_int_equal(strstr(fake_log_end(), "a smaller MTU") != NULL, checks);
		assert_int_equal(sluice_frames_fit(f->port, &info), !checks);
		assert_int_equal(sluice_check_frame(f->port, &f->rxq[0], mtu - SLUICE_NET_HDR_LEN),
				0);
		if (checks)
			break;
	}
	f->rxq[0].checks_ipv4 = false;
	fake_port_close(f);
}

int
main(void)
{
	suite_add(test_registers, NULL, "registers");
	suite_add(test_description, NULL, "description");
	suite_add(test_room, NULL, "room");
	suite_add(test_link, NULL, "link");
	suite_add(test_link_stays, NULL, "link stays");
	suite_add(test_tunnels, NULL, "tunnels");
	suite_add(test_announce, NULL, "announce");
	suite_add(test_announce_not, NULL, "announce not");
	suite_add_rx(test_more_than_a_ring, "more than a ring");
	suite_add_rx(test_monitor, "monitor");
	suite_add_tx(test_tx_count, "tx count");
	return suite_run("device");
}
