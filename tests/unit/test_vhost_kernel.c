/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-kernel transport over a kernel that is a fake: what it is told, and in which order.
 */

#include "vk_steps.h"

static void
expect_ring(uint16_t vq, const struct fake_vk_tap *tap)
{
	const struct fake_vk_ring *r = &fake_vk.devs[vq / 2].rings[vq % 2];
	struct sluice_vq_setup s = setup_of(vq);

	assert_int_equal(r->num, s.size);
	assert_int_equal(r->base, 0);
	assert_int_equal(r->addr.flags, 0);
	assert_int_equal(r->addr.desc_user_addr, (uintptr_t)s.dv_desc);
	assert_int_equal(r->addr.avail_user_addr, (uintptr_t)s.dv_driver);
	assert_int_equal(r->addr.used_user_addr, (uintptr_t)s.dv_device);
	assert_int_equal(r->kick_fd, s.kick_fd);
	assert_int_equal(r->call_fd, s.call_fd);
	assert_true(r->err_fd >= 0);
	assert_int_equal(r->backend, tap->fd);
}

static void
expect_table(const struct fake_vk_dev *dev, unsigned int nb)
{
	unsigned int i;

	assert_int_equal(dev->nb_regions, nb);
	for (i = 0; i < nb; i++) {
		assert_int_equal(dev->regions[i].guest_phys_addr, region(i).da.v);
		assert_int_equal(dev->regions[i].userspace_addr, region(i).va);
		assert_int_equal(dev->regions[i].memory_size, region(i).len);
	}
}

/* What the kernel gets of a port that starts, stops and starts again, and what is left of it. */
static void
test_life(void **state)
{
	struct sluice_transport *t = create_one();
	unsigned int i;

	(void)state;
	assert_false(t->ops->is_connected(t));
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_true(t->ops->is_connected(t));
	assert_string_equal(fake_vk.name, "tap0");
	assert_int_equal(fake_vk.tun_flags, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	assert_int_equal(info.nb_pairs_max, 1);
	for (i = 0; i < 2; i++) {
		assert_int_equal(run(t, 2, ALL), 0);
		/* Bits 15, 28, 29 and 32; of all that the kernel offers. */
		assert_int_equal(fake_vk.devs[0].features, 0x130008000);
		assert_int_equal(fake_vk.hdr_len, 12);
		expect_ring(0, &fake_vk.taps[0]);
		expect_ring(1, &fake_vk.taps[0]);
		expect_table(&fake_vk.devs[0], 3);
		assert_int_equal(t->ops->check(t), 0);
		/* While it runs. */
		assert_int_equal(show(t, 5), 0);
		expect_table(&fake_vk.devs[0], 5);
		assert_int_equal(stop_now(t, 2), 0);
		assert_true(fake_vk_is_quiet());
		expect_table(&fake_vk.devs[0], 0);
	}
	assert_int_equal(t->ops->disconnect(t), -1);
	assert_false(t->ops->is_connected(t));
	/* vhost-net is closed, the interface stays. */
	assert_int_equal(fake_vk.devs[0].fd, -1);
	assert_true(fake_vk.taps[0].fd >= 0);
	assert_int_equal(show(t, 1), -ENOTCONN);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	destroy(t);
}

/* What is offered, of vhost-net and of the interface, and what of it reaches whom. */
static void
test_features(void **state)
{
	const uint64_t tap = SLUICE_BIT(SLUICE_NET_F_CSUM) | SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) |
			SLUICE_BIT(SLUICE_NET_F_HOST_TSO4) | SLUICE_BIT(SLUICE_NET_F_HOST_TSO6) |
			SLUICE_BIT(SLUICE_NET_F_HOST_ECN) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) |
			SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | SLUICE_BIT(SLUICE_NET_F_GUEST_ECN) |
			SLUICE_BIT(SLUICE_NET_F_MAC) | SLUICE_BIT(SLUICE_NET_F_MTU) |
			SLUICE_BIT(SLUICE_NET_F_STATUS);
	const uint64_t guest = SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) |
			SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) |
			SLUICE_BIT(SLUICE_NET_F_GUEST_ECN);
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		t = create_one();
		fake_vk.has_uso = i == 1;
		/* A kernel of days to come. */
		if (i == 1)
			fake_vk.features |= SLUICE_BIT(SLUICE_F_IN_ORDER) | SLUICE_BIT(40) |
					SLUICE_BIT(60);
		assert_int_equal(t->ops->connect(t, &info), 0);
		assert_int_equal(info.features,
				tap | 0x130008000 |
						(i == 1 ? SLUICE_BIT(SLUICE_F_IN_ORDER) | SLUICE_BIT(SLUICE_NET_F_HOST_USO) :
							  0));
		/* Nothing is left to who receives before it was asked for. */
		assert_int_equal(fake_vk.offloads, 0);
		assert_int_equal(run(t, 2, ~guest), 0);
		assert_int_equal(fake_vk.offloads, 0);
		assert_int_equal(stop_now(t, 2), 0);
		assert_int_equal(run(t, 2, ~guest | SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM)), 0);
		assert_int_equal(fake_vk.offloads, TUN_F_CSUM);
		assert_int_equal(stop_now(t, 2), 0);
		assert_int_equal(run(t, 2, ALL), 0);
		assert_int_equal(fake_vk.offloads,
				TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
		destroy(t);
	}
}

/* Features above 63 go by a request of their own, and those of tunnels make headers longer. */
static void
test_tunnels(void **state)
{
	const sluice_features tunnels = SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO) |
			SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM);
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	fake_vk_reset();
	/* 65 and 67 as Linux 7.2, and one of days to come. */
	fake_vk.features_high = 0xa | 1 << 20;
	t = create(2, NULL);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_true(info.features >> 64 == tunnels >> 64);
	for (i = 0; i < 2; i++) {
		assert_int_equal(run(t, 4, ALL), 0);
		assert_int_equal(fake_vk.devs[i].features, 0x130008000);
		assert_int_equal(fake_vk.devs[i].features_high, 0x8);
		assert_int_equal(fake_vk.hdr_len, 24);
		assert_int_equal(stop_now(t, 4), 0);
		assert_int_equal(run(t, 4, ALL & ~tunnels), 0);
		assert_int_equal(fake_vk.devs[i].features, 0x130008000);
		assert_int_equal(fake_vk.devs[i].features_high, 0);
		assert_int_equal(fake_vk.hdr_len, 12);
		assert_int_equal(stop_now(t, 4), 0);
	}
	destroy(t);
}

/* The interface is deleted: the port learns it, and the next connection has another one. */
static void
test_interface_goes(void **state)
{
	struct sluice_transport *t = create_one();
	struct sluice_device_state s;

	(void)state;
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone);
	fake_vk.is_up = false;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(!s.is_link_up && !s.is_gone);
	fake_vk.is_up = true;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone);
	/* Renamed, and in another namespace. */
	snprintf(fake_vk.name, sizeof(fake_vk.name), "other");
	fake_vk.is_elsewhere = true;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone);
	fake_vk.is_gone = true;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(!s.is_link_up && s.is_gone);
	assert_int_equal(t->ops->disconnect(t), -1);
	assert_int_equal(fake_vk.taps[0].fd, -1);
	fake_vk.is_gone = fake_vk.is_elsewhere = false;
	fake_vk.name[0] = '\0';
	/* It does not come back by itself. */
	t->is_retry = true;
	assert_int_equal(t->ops->connect(t, &info), -EAGAIN);
	assert_int_equal(fake_vk.nb_open, 1);
	there(IFF_TAP | IFF_NO_PI);
	assert_int_equal(t->ops->connect(t, &info), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone);
	destroy(t);
}

static void
test_regions(void **state)
{
	struct sluice_transport *t = create_one();
	const char *log;

	(void)state;
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(show(t, 64), 0);
	expect_table(&fake_vk.devs[0], 64);
	fake_log_begin();
	assert_int_equal(show(t, 65), -ENOSPC);
	log = fake_log_end();
	fake_assert(strstr(log, "65 pieces") != NULL && strstr(log, "takes 64") != NULL, "%s", log);
	/* Tried again it is no news, unless the numbers are others. */
	t->is_retry = true;
	fake_log_begin();
	assert_int_equal(show(t, 65), -ENOSPC);
	assert_null(strstr(fake_log_end(), "pieces"));
	fake_log_begin();
	assert_int_equal(show(t, 66), -ENOSPC);
	assert_non_null(strstr(fake_log_end(), "66 pieces"));
	/* What was shown is shown. */
	expect_table(&fake_vk.devs[0], 64);
	t->ops->disconnect(t);
	fake_vk.regions_max = "509";
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(show(t, 500), 0);
	expect_table(&fake_vk.devs[0], 500);
	assert_int_equal(show(t, 0), 0);
	expect_table(&fake_vk.devs[0], 0);
	destroy(t);
}

/* Pages that follow each other are few regions, whatever their order, and not one byte more. */
static void
test_regions_merge(void **state)
{
	static struct dmap_region r[401];
	struct sluice_transport *t = create_one();
	const struct fake_vk_dev *dev = &fake_vk.devs[0];
	unsigned int i;

	(void)state;
	assert_int_equal(t->ops->connect(t, &info), 0);
	for (i = 0; i < 400; i++) {
		unsigned int page = i * 7 % 400;

		/* Of one page the kernel has another address than that behind the page before. */
		r[i] = (struct dmap_region){ .va = 0x200000 * (page + 1),
			.len = 0x200000,
			.da.v = 0x40000000 + 0x200000ULL * (page + (page >= 100)) };
	}
	r[400] = (struct dmap_region){ .va = 0x200000 * 402, .len = 0x1000, .da.v = 0x1000 };
	assert_int_equal(t->ops->show(t, r, 401), 0);
	assert_int_equal(dev->nb_regions, 3);
	for (i = 0; i < 3; i++) {
		static const uint64_t pages[] = { 1, 101, 402 };
		static const uint64_t to[] = { 0x40000000, 0x40000000 + 0x200000ULL * 101, 0x1000 };
		static const uint64_t len[] = { 0x200000 * 100, 0x200000 * 300, 0x1000 };

		assert_int_equal(dev->regions[i].userspace_addr, 0x200000 * pages[i]);
		assert_int_equal(dev->regions[i].guest_phys_addr, to[i]);
		assert_int_equal(dev->regions[i].memory_size, len[i]);
	}
	destroy(t);
}

static void
test_queues(void **state)
{
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	fake_vk_reset();
	t = create(3, NULL);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(info.nb_pairs_max, 3);
	assert_true(info.features & SLUICE_BIT(SLUICE_NET_F_MQ));
	for (i = 0; i < 3; i++)
		assert_true(fake_vk.taps[i].is_detached);
	/* Two of three. */
	assert_int_equal(run(t, 4, ALL), 0);
	for (i = 0; i < 4; i++)
		expect_ring(i, &fake_vk.taps[i / 2]);
	for (i = 0; i < 3; i++) {
		expect_table(&fake_vk.devs[i], 3);
		assert_int_equal(fake_vk.taps[i].is_detached, i == 2);
	}
	assert_int_equal(t->ops->vq_enable(t, 2, false), 0);
	assert_true(fake_vk.taps[1].is_detached);
	assert_int_equal(t->ops->vq_enable(t, 3, false), 0);
	assert_int_equal(t->ops->vq_enable(t, 2, true), 0);
	assert_false(fake_vk.taps[1].is_detached);
	assert_int_equal(stop_now(t, 4), 0);
	for (i = 0; i < 3; i++)
		assert_true(fake_vk.taps[i].is_detached);
	destroy(t);
	/* One queue of an interface that was made for many. */
	fake_vk_reset();
	there(IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
	t = create(1, NULL);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	assert_false(fake_vk.taps[0].is_detached);
	destroy(t);
}

/* For all rings that run, each time; who does not ask has what the kernel does by itself. */
static void
test_busy_poll(void **state)
{
	struct sluice_transport *t = create_one();
	unsigned int i;

	(void)state;
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(fake_vk.devs[0].rings[i].busy_poll_us, UINT32_MAX);
	destroy(t);
	fake_vk_reset();
	busy_poll_us = 50;
	t = create(2, NULL);
	busy_poll_us = 0;
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 4, ALL), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(fake_vk.devs[i / 2].rings[i % 2].busy_poll_us, 50);
	destroy(t);
}

static void
test_mac_and_mtu(void **state)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 };
	struct sluice_transport *t = create_one();
	const char *log;

	(void)state;
	/* Not asked for: that of the interface. */
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_true(info.has_mac);
	assert_memory_equal(info.mac, fake_vk.mac, 6);
	assert_int_equal(info.mtu, 0);
	assert_int_equal(t->ops->begin(t, info.features, 9000), 0);
	assert_int_equal(fake_vk.mtu, 9000);
	fake_vk.is_capable = false;
	fake_log_begin();
	assert_int_equal(t->ops->begin(t, info.features, 9000), 0);
	assert_string_equal(fake_log_end(), "");
	fake_log_begin();
	assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
	assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 1 && strstr(log, "ip link set dev tap0 mtu 1500") != NULL,
			"%s", log);
	assert_int_equal(fake_vk.mtu, 9000);
	fake_vk.is_elsewhere = true;
	assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
	/* The name is another one's now. */
	fake_vk.is_capable = fake_vk.has_namesake = true;
	fake_vk.namesake_mtu = 1400;
	assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
	assert_int_equal(fake_vk.namesake_mtu, 1400);
	destroy(t);
	fake_vk_reset();
	t = create(1, mac);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_memory_equal(info.mac, mac, 6);
	assert_memory_equal(fake_vk.mac, mac, 6);
	destroy(t);
}

/* While the port has the interface; what it is told without one, it is told again. */
static void
test_mac_and_mtu_change(void **state)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 }, other[] = { 2, 0, 0, 0, 0, 2 };
	struct sluice_transport *t = create_one();
	uint32_t nb_calls;

	(void)state;
	assert_int_equal(t->ops->set_mac(t, mac), 0);
	assert_int_equal(t->ops->set_mtu(t, 9000), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_memory_equal(info.mac, fake_vk.mac, 6);
	assert_int_equal(fake_vk.mtu, 1500);
	assert_int_equal(run(t, 2, ALL), 0);
	assert_int_equal(t->ops->set_mac(t, mac), 0);
	assert_memory_equal(fake_vk.mac, mac, 6);
	/* It is told only what is new. */
	memcpy(fake_vk.mac, other, 6);
	nb_calls = fake_vk.nb_calls;
	assert_int_equal(t->ops->set_mac(t, mac), 0);
	assert_int_equal(fake_vk.nb_calls, nb_calls);
	assert_memory_equal(fake_vk.mac, other, 6);
	assert_int_equal(t->ops->set_mtu(t, 9000), 0);
	assert_int_equal(fake_vk.mtu, 9000);
	/* What the kernel does not take can be tried again. */
	fake_vk.fail_at = fake_vk.nb_calls;
	fake_vk.fail_with = -EBUSY;
	fake_log_begin();
	assert_int_equal(t->ops->set_mac(t, fake_vk.mac), -EBUSY);
	fake_assert(strstr(fake_log_end(), "iface=tap0: SIOCSIFHWADDR") != NULL, "nothing is said");
	assert_int_equal(t->ops->set_mac(t, info.mac), 0);
	assert_memory_equal(fake_vk.mac, info.mac, 6);
	/* An interface that is made anew has an address of its own. */
	fake_vk.is_gone = true;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->disconnect(t);
	assert_int_equal(t->ops->set_mac(t, other), 0);
	fake_vk.is_gone = false;
	fake_vk.name[0] = '\0';
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(t->ops->set_mac(t, other), 0);
	assert_memory_equal(fake_vk.mac, other, 6);
	destroy(t);
}

/* From outside, and what the kernel says of a ring that makes no sense. */
static void
test_cut_and_errors(void **state)
{
	struct sluice_transport *t = create_one();
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	unsigned int nb;

	(void)state;
	assert_int_equal(t->ops->poll_fds(t, true, pfds), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	t->ops->cut(t);
	assert_true(fake_vk_is_quiet());
	assert_int_equal(t->ops->check(t), -ECONNRESET);
	t->ops->disconnect(t);
	assert_int_equal(t->ops->check(t), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	nb = t->ops->poll_fds(t, true, pfds);
	assert_int_equal(nb, 2);
	assert_int_equal(pfds[0].fd, fake_vk.devs[0].rings[0].err_fd);
	pfds[0].revents = pfds[1].revents = 0;
	assert_int_equal(t->ops->polled(t, pfds, nb), SLUICE_NEWS_NONE);
	assert_int_equal(fake_vk.nb_drained, 0);
	pfds[1].revents = POLLIN;
	assert_int_equal(t->ops->polled(t, pfds, nb), SLUICE_NEWS_DEVICE);
	assert_int_equal(t->ops->check(t), 0);
	pfds[0].revents = POLLIN;
	assert_int_equal(t->ops->polled(t, pfds, nb), SLUICE_NEWS_DEVICE);
	assert_int_equal(fake_vk.nb_drained, 3);
	assert_int_equal(t->ops->check(t), -EPROTO);
	assert_int_equal(t->ops->check(t), 0);
	destroy(t);
}

int
main(void)
{
	suite_add(test_life, NULL, "life");
	suite_add(test_features, NULL, "features");
	suite_add(test_tunnels, NULL, "tunnels");
	suite_add(test_interface_goes, NULL, "interface goes");
	suite_add(test_regions, NULL, "regions");
	suite_add(test_regions_merge, NULL, "regions merge");
	suite_add(test_queues, NULL, "queues");
	suite_add(test_busy_poll, NULL, "busy poll");
	suite_add(test_mac_and_mtu, NULL, "MAC and MTU");
	suite_add(test_mac_and_mtu_change, NULL, "MAC and MTU change");
	suite_add(test_cut_and_errors, NULL, "cut and errors");
	return suite_run("vhost_kernel");
}
